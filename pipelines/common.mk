# common.mk - the chain that every experiment shares. An experiment sets its variables and includes
# this; every product is a real file, made again only when an input or a setting changes.
#
#   make               everything: adapter, predictions before and after, reports
#   make report        ... and shows the two reports
#   make digests       records the digests of every product in $(EXPECTED)
#   make verify        checks every product against $(EXPECTED)
#   make clean         removes $(OUT)
MAKEFLAGS += -r
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

ROOT := $(patsubst %/pipelines/,%,$(dir $(realpath $(lastword $(MAKEFILE_LIST)))))
BIN  ?= $(ROOT)/build/release/bin
export PATH := $(BIN):$(PATH)
OUT  ?= out
EXPECTED ?= $(OUT)/digests.sha256

TEMPLATE ?= financial-sentiment
SPLIT    ?= --recipe seed
QUANT    ?=
TRAIN    ?= --preset seed
PREDICT  ?=
SCORE    ?=
RUN      ?= --threads 0
# What predict may skip to be done sooner: "--limit 60"; empty: all test records.
LIMIT    ?=

$(shell mkdir -p $(OUT))
model_files = $(wildcard $(MODEL)/*.json $(MODEL)/*.safetensors) $(wildcard $(filter %.tar %.zst,$(MODEL)))
products := data.tok.zst model.nf4.tar before.zst before.txt adapter.tar.zst after.zst after.txt

all: $(products:%=$(OUT)/%)

# A setting is a file whose content is the setting: touched only when it changes.
.PHONY: all report digests verify clean FORCE
FORCE:
define setting
$(OUT)/.$(1): FORCE
	@printf '%s\n' '$(2)' | cmp -s - $$@ || printf '%s\n' '$(2)' > $$@
endef
$(eval $(call setting,split,$(SPLIT) | $(TEMPLATE)))
$(eval $(call setting,quant,$(QUANT)))
$(eval $(call setting,train,$(TRAIN)))
$(eval $(call setting,predict,$(PREDICT) $(LIMIT)))
$(eval $(call setting,score,$(SCORE)))

$(OUT)/data.tok.zst: $(DATA) $(OUT)/.split $(wildcard $(MODEL)/tokenizer.json)
	split-stratified $(SPLIT) $(DATA) | promptify -t $(TEMPLATE) | tokenize -m $(MODEL) --force -o $@
$(OUT)/model.nf4.tar: $(model_files) $(OUT)/.quant
	quantize-nf4 $(QUANT) $(MODEL) --force -o $@
$(OUT)/adapter.tar.zst: $(OUT)/model.nf4.tar $(OUT)/data.tok.zst $(OUT)/.train
	lora-train $(RUN) $(TRAIN) -m $< $(OUT)/data.tok.zst --metrics $(OUT)/metrics.jsonl --force -o $@
$(OUT)/before.zst: $(OUT)/model.nf4.tar $(OUT)/data.tok.zst $(OUT)/.predict
	predict $(RUN) $(PREDICT) $(LIMIT) -m $< $(OUT)/data.tok.zst --force -o $@
$(OUT)/after.zst: $(OUT)/model.nf4.tar $(OUT)/adapter.tar.zst $(OUT)/data.tok.zst $(OUT)/.predict
	predict $(RUN) $(PREDICT) $(LIMIT) -m $< -a $(OUT)/adapter.tar.zst $(OUT)/data.tok.zst --force -o $@
$(OUT)/%.txt: $(OUT)/%.zst $(OUT)/.score
	score $(SCORE) $< --force -o $@

report: all
	@echo "== before training =="; cat $(OUT)/before.txt
	@echo; echo "== after training =="; cat $(OUT)/after.txt

# Digests are of the uncompressed contents, so that another version of zstd does not matter.
digest_of = for f in $(products); do printf '%s  %s\n' "$$(zstd -dcf $(OUT)/$$f | sha256sum | cut -d' ' -f1)" $$f; done
digests: all
	@$(digest_of) > $(EXPECTED)
	@echo "wrote $(EXPECTED)"
verify: all
	@diff $(EXPECTED) <($(digest_of)) && echo "all products are as recorded in $(EXPECTED)"

clean:
	rm -rf $(OUT)
