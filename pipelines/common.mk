# common.mk - the chain that every experiment shares. An experiment sets its variables and includes
# this. Every product is a file in OUT, made again when an input or what its tool is told has changed.
#
#   make               everything: adapter, predictions before and after, reports, and a page of them all
#   make report        ... shows the two reports, or the table of several runs, and says where the page is: OUT/report.html
#   make digests       ... and records the digests of all products in EXPECTED
#   make verify        compares the products that are there with EXPECTED
#   make clean         removes the products from OUT, and OUT when nothing else is in it
#
#   MODEL, DATA                     any model and table that the tools take
#   TEXT, LABEL                     columns of the table, by name or number, where they are not guessed
#   TEMPLATE, VERBALIZER, LABELS    a name in share/, or a file; LABELS also a list a,b,c
#   NF4                             no: the model is used as it is stored, not in 4 bits
#   PARTS                           how the rows are divided (--recipe seed); not used where SPLIT says so itself
#   SPLIT PROMPTIFY TOKENIZE QUANT TRAIN PREDICT SCORE    further options of each tool
#   PAGE                            further options of score for the page (--by FIELD)
#   LIMIT                           how many test records of each class are predicted; empty: all
#   DEVICE                          cpu, cuda, cuda:N; else auto. A change makes nothing anew
#   RUN                             how to compute besides (--threads); the same
#   OUT, EXPECTED, BIN              folder of the products, record of digests, folder of the tools
#
# An experiment of several runs sets RUNS: folders in OUT, each called by what it tells lora-train besides
# TRAIN (r=16,lr=5e-4,seed=1); EACH, what is made in each of them; and RESULTS, what is made of them all.
#
# A path is relative to the folder that make was called in, also under -C. Products do not depend on
# BIN: their chain says which version made them (peek --chain); make clean before another one.
# Two makes at a time in one OUT are refused.
MAKEFLAGS += -r
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all
$(if $(word 2,$(CURDIR)),$(error make cannot work below a folder with blanks in its name))

pipelines := $(patsubst %/,%,$(dir $(realpath $(lastword $(MAKEFILE_LIST)))))
BIN       ?= $(pipelines)/../build/release/bin
OUT       ?= $(CURDIR)/out
EXPECTED  ?= $(CURDIR)/digests.sha256
TEMPLATE  ?= financial-sentiment
PARTS     ?= --recipe seed
TRAIN     ?= --preset seed
NF4       ?= yes
RUN       ?= --threads 0

# What a user gives is taken as it stands: $ is no variable of make's; only a line feed is a blank. The
# tools get it from files that pipelines/settings writes, which no shell reads.
$(foreach v,MADE RUNS EACH RESULTS,$(if $(filter override,$(origin $v)),,$(eval override $v :=)))
variables := MODEL DATA TEXT LABEL TEMPLATE VERBALIZER LABELS PARTS SPLIT PROMPTIFY TOKENIZE QUANT TRAIN PREDICT SCORE PAGE LIMIT DEVICE RUN NF4 \
             OUT EXPECTED BIN MADE FILES CALLER RANKS RATES EPOCHS SEEDS ROWS
define newline


endef
given      = $(filter command environment,$(firstword $(origin $(1))))
$(foreach v,$(variables),$(if $(call given,$v),$(eval override $v := $$(subst $$(newline), ,$$(value $v)))))

# What make writes and clean removes, which no one names but these files; MADE: what an experiment adds.
override PRODUCTS := data.tok.zst $(if $(filter no,$(NF4)),,model.nf4.tar) before.zst before.txt \
                     $(if $(EACH),,adapter.tar.zst after.zst after.txt report.html) $(RESULTS)
override FILES    := $(PRODUCTS) $(MADE) metrics.jsonl checkpoint
override tools    := split promptify tokenize quant train predict score page run
override told      = $(OUT)/.slmtools

quote      = '$(subst ','\'',$(1))'
ask        = $(shell $(foreach v,$(variables),$v=$(call quote,$($v))) $(pipelines)/settings $(1))$(if \
             $(filter-out 0,$(.SHELLSTATUS)),$(error nothing was made))
from_there = $(if $(filter /%,$(firstword $(1))),$(1),$(or $(CALLER),$(error $(1): give an absolute path))/$(1))
override CALLER   := $(call ask,caller $$PPID)
override OUT      := $(call ask,out)
override BIN      := $(call from_there,$(BIN))
override EXPECTED := $(call from_there,$(EXPECTED))
export PATH := $(BIN):$(PATH)
export $(variables)

# Each place that products of a run are made in, with its slashes; and what it tells lora-train.
ifneq ($(EACH),)
override RUNS     := $(or $(if $(call ask,numbers),,$(strip $(RUNS))),$(error no runs; give each list at least one number))
override PRODUCTS += $(foreach r,$(RUNS),$(EACH:%=$r/%))
endif
places   := $(if $(RUNS),$(RUNS:%=/%/),/)
comma    := ,
told_by   = $(subst --rows=,--only=split=train --limit-per=label=,$(subst --lr=,--learning-rate=,$(subst \
            --epochs=,--num-train-epochs=,$(addprefix --,$(subst $(comma), ,$(patsubst /%/,%,$(filter-out /,$(1))))))))

.PHONY: all report digests verify clean FORCE
all: $(PRODUCTS:%=$(OUT)/%)

ifneq ($(filter-out clean verify,$(or $(MAKECMDGOALS),all)),)
changed := $(call ask,changed $(if $(findstring n,$(firstword -$(MAKEFLAGS))),,$$PPID))
$(changed:%=$(told)/%): FORCE
endif
$(tools:%=$(told)/%):
	@mkdir -p $(told); $(pipelines)/settings print $(@F) > $@

run := cd $(call quote,$(or $(CALLER),/));
$(OUT)/data.tok.zst: $(told)/split $(told)/promptify $(told)/tokenize
	$(run) split-stratified @$(told)/split | promptify @$(told)/promptify | tokenize @$(told)/tokenize --force -o $@
$(OUT)/model.nf4.tar: $(told)/quant
	$(run) quantize-nf4 @$< --force -o $@
# What is trained and predicted with; the tools are told of a model that is used as it is (settings).
base := $(filter %/model.nf4.tar,$(PRODUCTS:%=$(OUT)/%))
# A training that was stopped goes on from its checkpoint, unless what it depends on has changed since.
$(places:%=$(OUT)%adapter.tar.zst): $(OUT)%adapter.tar.zst: $(base) $(OUT)/data.tok.zst $(told)/train | $(told)/run
	@mkdir -p $(@D); for f in $^; do [ $(@D)/checkpoint -nt $$f ] || rm -f $(@D)/checkpoint; done
	$(run) lora-train --metrics $(@D)/metrics.jsonl --checkpoint $(@D)/checkpoint --save-steps 25 --resume \
		@$(told)/run @$(told)/train $(call told_by,$*) $(base:%=-m %) $(OUT)/data.tok.zst --force -o $@
	@rm -f $(@D)/checkpoint
predict = $(run) predict @$(told)/run @$(told)/predict $(base:%=-m %) $(1) $(OUT)/data.tok.zst --force -o
$(OUT)/before.zst: $(base) $(OUT)/data.tok.zst $(told)/predict | $(told)/run
	$(call predict) $@
$(places:%=$(OUT)%after.zst): $(OUT)%after.zst: $(base) $(OUT)/data.tok.zst $(OUT)%adapter.tar.zst $(told)/predict | $(told)/run
	$(call predict,-a $(@D)/adapter.tar.zst) $@
$(places:%=$(OUT)%eval.zst): $(OUT)%eval.zst: $(base) $(OUT)/data.tok.zst $(OUT)%adapter.tar.zst $(told)/predict | $(told)/run
	$(call predict,-a $(@D)/adapter.tar.zst --only split=eval) $@
$(OUT)/before.txt $(OUT)/after.txt: %.txt: %.zst $(told)/score
	$(run) score @$(told)/score $< --force -o $@

# Several runs make their own.
ifeq ($(EACH),)
$(OUT)/report.html: $(OUT)/before.zst $(OUT)/after.zst $(told)/page
	$(run) curves=(); [ ! -e $(OUT)/metrics.jsonl ] || curves=(--metrics $(OUT)/metrics.jsonl); \
		score @$(told)/page "$${curves[@]}" $(OUT)/before.zst $(OUT)/after.zst --force --html $@ >/dev/null
endif
report: all
	@echo "== before training =="; cat $(OUT)/before.txt
	@$(if $(EACH),,echo; echo "== after training =="; cat $(OUT)/after.txt; echo; score $(OUT)/before.zst $(OUT)/after.zst)
	@$(foreach f,$(filter %.txt,$(RESULTS)),echo; cat $(OUT)/$f;)
	@echo; echo "All of it in pictures: $(OUT)/report.html"

# Digests are of the uncompressed contents, so that another version of zstd does not matter.
digests_now = for f in $(PRODUCTS); do \
	[ -e $(OUT)/$$f ] || { echo "verify: $(OUT)/$$f is not there; run make first" >&2; exit 1; }; \
	printf '%s  %s\n' "$$(zstd -dcf $(OUT)/$$f | sha256sum | cut -d' ' -f1)" $$f; done
digests: all
	@! grep -qsvE '^[0-9a-f]{64}  [a-z0-9.=,/+-]+$$' "$$EXPECTED" || \
		{ echo "digests: $$EXPECTED is no record of digests; it stays as it is" >&2; exit 1; }
	@now=$$($(digests_now)); echo "$$now" > "$$EXPECTED"; echo "wrote $$EXPECTED"
verify:
	@[ -e "$$EXPECTED" ] || { echo "verify: $$EXPECTED is not there; make digests writes it" >&2; exit 1; }
	@now=$$($(digests_now)); diff "$$EXPECTED" - <<<"$$now" && echo "all products are as recorded in $$EXPECTED"

# Only what is made here, and only where it was made here.
clean:
	@if [ -d $(told) ]; then rm -f $(FILES:%=$(OUT)/%) $(tools:%=$(told)/%) $(told)/make; \
		for d in $(OUT)/*=*/; do rm -f "$$d"{adapter.tar.zst,eval.zst,after.zst,metrics.jsonl,checkpoint}; \
		[ ! -d $$d ] || rmdir --ignore-fail-on-non-empty $$d; done; \
		rmdir --ignore-fail-on-non-empty $(told) $(OUT); fi
