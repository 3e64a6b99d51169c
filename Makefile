# make                      build everything under build/release
# make check                pass all tests (no GPU, no network)
# make CONFIG=asan check    the same under the address and undefined-behaviour sanitizers
# make check-memory         run the tiny chain under valgrind (minutes)
# make check-fault          each call of the C library fails once, in every tool (5 to 20 minutes)
# make fuzz TIME=60 [TARGET=] feed the parsers of bytes from outside what breaks them (clang's libFuzzer)
# make V=1                  show every command in full
# make check-kill [SEED=]   kill and resume 300 training runs; 20 of them are in make check
# make check-perf           hot paths take no more instructions than recorded (needs valgrind)
# make bench [CASES=...]    speed beside rivals and the machine's limits; see share/doc/performance.md
# make bench-plot           draw its last results: roofline.svg and ratios.svg in build/bench (gnuplot)
# make check-cuda           the op tests on an NVIDIA GPU
# make bench-cuda [CASES=]  speed on a GPU, beside the Hugging Face stack and cuBLAS
# make dist-portable        build/portable and a .tar.gz of it: programs and op tests with the libraries they need, for a machine without them
# make demo                 build, fetch a small language model, and run the whole experiment on 900 headlines
# make install DESTDIR= PREFIX=/usr/local [PROGRAM_PREFIX=slm-]
# make clean                remove what these make in build; a BUILD elsewhere stays
MAKEFLAGS += -r
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-4s %s\n' $(1) $(2))

VERSION := 0.1.0
CONFIG ?= release
BUILD  ?= build/$(CONFIG)
PREFIX ?= /usr/local
WERROR ?=
# A path of targets: one plain word, of a folder for what is built alone.
ifneq ($(words $(BUILD)) $(filter / $(CURDIR),$(abspath $(BUILD)))$(filter ~%,$(BUILD))$(findstring :,$(BUILD))$(findstring %,$(BUILD)),1 )
$(error BUILD='$(BUILD)' must be a folder for what is built, without blanks, : and %)
endif
ifneq ($(and $(filter-out $(CURDIR)/build/%,$(abspath $(BUILD))),$(wildcard $(BUILD)/*)),)
$(if $(wildcard $(BUILD)/libcommon $(BUILD)/man),,$(error BUILD=$(BUILD): there are other things in it))
endif

CFLAGS.release := -O3 -g
CFLAGS.debug   := -O0 -g3
CFLAGS.asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
        -Wpointer-arith -Wwrite-strings -Wformat=2 -Wundef
ifdef WERROR
WARN += -Werror
endif
CPPFLAGS += -D_GNU_SOURCE $(patsubst %/,-I%,$(wildcard libcommon/*/)) -Ikernels -Ikernels/model
# Each result is rounded where the code says so: contraction would make it depend on the compiler.
CFLAGS   += -std=c11 $(WARN) $(CFLAGS.$(CONFIG)) -ffp-contract=off -fopenmp
LDFLAGS  += -Wl,--as-needed
# gcc's OpenMP is linked in where it is there as an archive: libcommon/base/threads.h says why.
LDLIBS   := $(if $(findstring clang,$(shell $(CC) --version)),,$(wildcard $(shell $(CC) -print-file-name=libgomp.a))) \
            -lzstd -lcjson -lcrypto -lpcre2-8 -lutf8proc -lm -lpthread -ldl

# The GPU is a plug-in, built where nvcc is: machine code for the card aimed at, and code that the driver
# translates for all others from 8.0 on. Tests have its kernels on the CPU too, where there is a C++ compiler.
NVCC ?= $(firstword $(shell command -v nvcc) $(wildcard /usr/local/cuda/bin/nvcc))
CUDA_CODE ?= -gencode arch=compute_90,code=sm_90 -gencode arch=compute_80,code=compute_80
NVCCFLAGS := -std=c++17 -O3 -lineinfo --fmad=false $(if $(WERROR),-Werror all-warnings) \
             -Xcompiler -fPIC,-fvisibility=hidden,-ffp-contract=off
EMULATE := -std=c++17 -O2 -g $(if $(filter asan,$(CONFIG)),-fsanitize=address) -U_FORTIFY_SOURCE -fPIC \
           -fvisibility=hidden -ffp-contract=off -fno-strict-aliasing -Wall -Wextra $(if $(WERROR),-Werror) -Itests/emulate -DSTRIP=4096
KERNELS := $(wildcard kernels/cuda/*.cu)
STANDIN := tests/emulate/emulate.cc tests/emulate/graphs.cc tests/emulate/streams.cc
PLUGIN  := $(if $(NVCC),$(BUILD)/lib/slmtools/slmtools-cuda.so)
ONHOST  := $(if $(shell command -v $(CXX)),$(BUILD)/emulated/slmtools-cuda.so)

# A folder with C files under tools/ is a tool; every .c in it is linked into that tool. Nothing else to edit.
TOOLS  := $(sort $(notdir $(patsubst %/,%,$(dir $(wildcard tools/*/*.c)))))
# Makes the random models of tests, benchmarks and the quick start; it is not installed.
MKMODEL := $(BUILD)/bin/mkmodel
BINS   := $(TOOLS:%=$(BUILD)/bin/%) $(MKMODEL)
# Programs that find their libraries beside them, and the op tests, for a machine that has a GPU and none of our packages.
PORTABLE := build/portable
CARRIED  := $(BINS:$(BUILD)/%=$(PORTABLE)/%) $(patsubst %.c,$(PORTABLE)/%.test,\
            $(filter-out %_amx.c %_cpu_bytes.c %_nest.c,$(wildcard tests/ops/*.c))) # those have no device
objs    = $(patsubst %,$(BUILD)/%.o,$(1))
LIBS   := $(BUILD)/libmodel.a $(BUILD)/libkernels.a $(BUILD)/libcommon.a
CTESTS := $(patsubst %.c,$(BUILD)/%.test,$(wildcard tests/unit/*.c tests/ops/*.c tests/model/*.c))
BENCH  ?= build/bench
PERF   := $(patsubst %.c,$(BUILD)/%,$(filter-out %/perf.c,$(wildcard tests/perf/*.c)))
# Makes calls fail; the sanitizers have a malloc of their own, which must come first.
INJECT := $(if $(filter release debug,$(CONFIG)),$(BUILD)/tests/fault/inject.so)
SCRIPTS := $(wildcard tests/lint/*.t tests/tools/*.t tests/parity/*.t tests/fault/*.t tests/fuzz/*.t)
# Fuzzers are of clang, where its runtime is there; they have no OpenMP, and need none.
FUZZ := $(if $(wildcard /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a),\
        $(patsubst tests/fuzz/fuzz_%.c,build/fuzz/bin/%,$(wildcard tests/fuzz/fuzz_*.c)))
FUZZED := tests/fuzz/fuzz.c $(filter-out %/threads.c %/backends.c %/promptify.c,\
          $(wildcard libcommon/*/*.c kernels/*.c kernels/model/*.c kernels/model/*/*.c tools/promptify/*.c))
FUZZFLAGS := -std=c11 $(WARN) -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
             -fno-sanitize=pointer-overflow -fno-sanitize-recover=all -DVERSION='"fuzz"'
MAN    := $(patsubst %.scd,$(BUILD)/man/%,$(notdir $(wildcard tools/*/*.scd share/man/*.scd)))
TESTS  ?= $(CTESTS) $(SCRIPTS)

.PHONY: all bench bench-cuda bench-plot check check-cuda check-fault check-kill check-perf check-run check-build check-memory demo dist-portable fuzz install man clean format
all: $(BINS) $(PLUGIN)

$(BUILD)/libcommon.a:  $(call objs,$(wildcard libcommon/*/*.c))
$(BUILD)/libkernels.a: $(call objs,$(wildcard kernels/*.c kernels/ref/*.c kernels/cpu/*.c))
$(BUILD)/libmodel.a:   $(call objs,$(wildcard kernels/model/*.c kernels/model/*/*.c))
$(BUILD)/%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@
	$(Q)$(AR) rcsD $@ $^

define tool_rule
$$(BUILD)/bin/$(1) $$(PORTABLE)/bin/$(1): $$(call objs,$$(wildcard tools/$(1)/*.c)) $$(LIBS)
endef
$(foreach t,$(TOOLS),$(eval $(call tool_rule,$(t))))
$(MKMODEL) $(PORTABLE)/bin/mkmodel: $(call objs,$(wildcard tests/mkmodel/*.c)) $(LIBS)
$(CTESTS): $(BUILD)/%.test: $(BUILD)/%.c.o $(LIBS)
$(CTESTS): LDLIBS += -lcmocka
$(filter %.test,$(CARRIED)): $(PORTABLE)/%.test: $(BUILD)/%.c.o $(LIBS)
$(filter %.test,$(CARRIED)): LDLIBS += -lcmocka
$(CARRIED): LDFLAGS += -s -Wl,-rpath,'$$ORIGIN/../lib/slmtools:$$ORIGIN/../../lib/slmtools'
$(PERF): %: %.c.o $(BUILD)/tests/perf/perf.c.o $(LIBS)
$(INJECT): %.so: %.c.o
$(INJECT): LDFLAGS += -shared
$(BINS) $(CTESTS) $(CARRIED) $(PERF) $(INJECT):
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@

# The suffix names the instruction set; nothing else is compiled with it, so one binary runs everywhere.
$(BUILD)/kernels/cpu/%_avx2.c.o: CFLAGS += -mavx2 -mfma -mf16c
AVX512 := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c
$(BUILD)/kernels/cpu/%_avx512.c.o: CFLAGS += $(AVX512)
$(BUILD)/kernels/cpu/%_avx512bf16.c.o: CFLAGS += $(AVX512) -mavx512bf16
$(BUILD)/kernels/cpu/%_amxbf16.c.o: CFLAGS += -mamx-tile -mamx-bf16
$(BUILD)/libcommon/cli/cli.c.o: CPPFLAGS += -DVERSION='"$(VERSION)"'
$(BUILD)/tests/%.c.o: CPPFLAGS += -Itests
$(BUILD)/tests/fault/%.c.o: CFLAGS += -fPIC
$(BUILD)/%.c.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/pic/%.c.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -fPIC -fvisibility=hidden -MMD -MP -c $< -o $@
$(BUILD)/%.cu.o: %.cu
	$(call say,NVCC,$<)
	@mkdir -p $(@D)
	$(Q)$(NVCC) $(CPPFLAGS) $(NVCCFLAGS) $(CUDA_CODE) -MMD -MP -c $< -o $@
$(BUILD)/emulated/%.o: %
	$(call say,CXX,$<)
	@mkdir -p $(@D)
	$(Q)$(CXX) $(CPPFLAGS) $(EMULATE) -MMD -MP -x c++ -c $< -o $@
# Where cuBLASLt is looked for first: beside the plug-in, and in the toolkit that it was built with.
$(PLUGIN): $(KERNELS:%=$(BUILD)/%.o) $(BUILD)/pic/libcommon/base/dtype.c.o
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(NVCC) -shared -cudart static $(CUDA_CODE) -Xlinker '-rpath=$$ORIGIN:'$(patsubst %/bin/nvcc,%/lib64,$(realpath $(NVCC))) $^ -o $@
$(ONHOST): $(patsubst %,$(BUILD)/emulated/%.o,$(KERNELS) $(STANDIN)) $(BUILD)/pic/libcommon/base/dtype.c.o
	$(call say,LINK,$@)
	$(Q)$(CXX) $(EMULATE) -shared $^ -o $@

# On a bare system the first step installs what is missing, so make must start again behind it.
check:
	@tests/deps check
	@$(MAKE) --no-print-directory check-run
check-build: all man $(CTESTS) $(INJECT) $(ONHOST) $(if $(filter release,$(CONFIG)),$(FUZZ))
# A card that is there is used by check-cuda alone.
check-run: check-build
	@SLMTOOLS_LIB=/dev/null SLMTOOLS_SHARE="$(CURDIR)/share" BUILD="$(abspath $(BUILD))" \
	TEST_SECONDS=$(if $(filter asan,$(CONFIG)),1800,300) PATH="$(abspath $(BUILD))/bin:$$PATH" tests/run $(TESTS)

build/fuzz/%.o: %.c
	$(call say,FUZZ,$<)
	@mkdir -p $(@D)
	$(Q)clang $(CPPFLAGS) $(FUZZFLAGS) -MMD -MP -c $< -o $@
build/fuzz/fuzz.a: $(FUZZED:%.c=build/fuzz/%.o)
	$(Q)rm -f $@
	$(Q)$(AR) rcsD $@ $^
build/fuzz/bin/%: build/fuzz/tests/fuzz/fuzz_%.o build/fuzz/fuzz.a
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)clang -fsanitize=fuzzer,address,undefined $^ $(LDLIBS) -o $@
.PRECIOUS: build/fuzz/%.o
fuzz: all $(FUZZ)
	@$(if $(FUZZ),,echo "clang and its runtime are not there; install clang and libclang-rt-14-dev" >&2; exit 69)
	@SLMTOOLS_SHARE="$(CURDIR)/share" PATH="$(abspath $(BUILD))/bin:$$PATH" tests/fuzz/run build/fuzz $(or $(TIME),60) $(TARGET)

# One after another: some ask how much of the card's memory is free, and take it.
check-cuda: check-build
	@if $(BUILD)/bin/peek --devices | grep '^cuda:' | grep -v 'cannot be used'; \
	then CUDA_PLUGIN="$(abspath $(BUILD))/lib/slmtools" BUILD="$(abspath $(BUILD))" TEST_SECONDS=300 JOBS=1 \
	     tests/run $(filter %.test,$(patsubst %.c,$(BUILD)/%.test,$(wildcard tests/ops/*.c))); \
	else echo "check-cuda: there is no device, so nothing was run"; fi

# The C library is the machine's own, and libarchive too, which is opened where an archive is read.
dist-portable: $(CARRIED) $(PLUGIN)
	@rm -rf $(PORTABLE)/lib $(PORTABLE)/share
	@mkdir -p $(PORTABLE)/lib/slmtools $(PORTABLE)/share/slmtools
	@cp -L $$(ldd $(CARRIED) | awk '$$3 ~ /^\// && $$3 !~ /\/(libc|libm|ld-linux[^/]*)\.so/ { print $$3 }' | sort -u) $(PLUGIN) $(PORTABLE)/lib/slmtools/
	@cp -R share/templates share/labels share/verbalizers $(PORTABLE)/share/slmtools/
	@tar -C $(dir $(PORTABLE)) -czf $(PORTABLE).tar.gz $(notdir $(PORTABLE))
	@du -sh $(PORTABLE) $(PORTABLE).tar.gz

check-fault: all $(INJECT)
	@BUILD="$(abspath $(BUILD))" tests/fault/faults.py --all

check-memory: all
	@SLMTOOLS_SHARE="$(CURDIR)/share" tests/valgrind "$(abspath $(BUILD))/bin"

check-kill: all
	@KILLS=300 SEED=$(SEED) $(MAKE) --no-print-directory check-run TESTS=tests/tools/lora-train-kill.t

bench: all $(PERF)
	@BUILD="$(BUILD)" OUT="$(BENCH)" $(if $(RIVALS),RIVALS="$(RIVALS)") CC="$(CC)" tests/perf/bench $(CASES)
bench-plot:
	@tests/perf/plot $(BENCH)

bench-cuda: all
	@DEVICE=cuda BUILD="$(BUILD)" OUT="$(BENCH)-cuda" $(if $(RIVALS),RIVALS="$(RIVALS)") CC="$(CC)" tests/perf/bench $(CASES)

check-perf: $(PERF)
	@CC="$(CC)" SLMTOOLS_SHARE="$(CURDIR)/share" tests/perf/count $(BUILD)/tests/perf $(if $(RECORD),record,check)

# Without the real model a random one stands in, which shows that everything runs and no more.
demo:
	@tests/deps demo
	@$(MAKE) --no-print-directory all
	@if model=$$(pipelines/smollm2/fetch); \
	then $(MAKE) --no-print-directory -C pipelines/smollm2 MODEL="$$model" BIN="$(abspath $(BUILD))/bin" OUT="$(abspath build)/demo" report; \
	else echo "demo: a random model stands in, which knows nothing" >&2; \
	     $(MAKE) --no-print-directory -C pipelines/tiny BIN="$(abspath $(BUILD))/bin" OUT="$(abspath build)/demo-tiny" report; fi

man: $(MAN)
vpath %.scd $(wildcard tools/*) share/man
$(BUILD)/man/%: %.scd
	$(call say,MAN,$@)
	@mkdir -p $(@D)
	$(Q)scdoc < $< > $@

COMPLETIONS = PATH="$(abspath $(BUILD))/bin:$$PATH" share/completions/completions
BASH_DIR = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
ZSH_DIR  = $(DESTDIR)$(PREFIX)/share/zsh/site-functions

install: all man
	$(if $(PLUGIN),install -d $(DESTDIR)$(PREFIX)/lib/slmtools && install -m 755 $(PLUGIN) $(DESTDIR)$(PREFIX)/lib/slmtools)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/slmtools $(addprefix $(DESTDIR)$(PREFIX)/share/man/,man1 man7)
	for t in $(TOOLS); do \
	  install -m 755 $(BUILD)/bin/$$t $(DESTDIR)$(PREFIX)/bin/$(PROGRAM_PREFIX)$$t || exit 1; done
	install -d $(BASH_DIR) $(ZSH_DIR)
	$(COMPLETIONS) zsh "$(PROGRAM_PREFIX)" $(TOOLS) > $(ZSH_DIR)/_$(PROGRAM_PREFIX)slmtools
	for t in $(TOOLS); do \
	  $(COMPLETIONS) bash "$(PROGRAM_PREFIX)" $$t > $(BASH_DIR)/$(PROGRAM_PREFIX)$$t || exit 1; done
	cp -R $(filter-out share/man share/completions,$(wildcard share/*)) $(DESTDIR)$(PREFIX)/share/slmtools/
	for m in $(notdir $(filter %.1,$(MAN))); do \
	  install -m 644 $(BUILD)/man/$$m $(DESTDIR)$(PREFIX)/share/man/man1/$(PROGRAM_PREFIX)$$m || exit 1; done
	install -m 644 $(BUILD)/man/slmtools.7 $(DESTDIR)$(PREFIX)/share/man/man7
	install -d $(DESTDIR)$(PREFIX)/share/doc/slmtools
	install -m 644 LICENSE CHANGELOG.md $(DESTDIR)$(PREFIX)/share/doc/slmtools

compile_commands.json: Makefile
	@tests/compile-commands '$(CC) $(CPPFLAGS) $(CFLAGS)' $(wildcard libcommon/*/*.c kernels/*.c kernels/*/*.c kernels/*/*/*.c tools/*/*.c tests/mkmodel/*.c) > $@

# Headers are contracts, laid out by hand to be read; those of kernels/cpu are code.
format:
	clang-format -i $(wildcard libcommon/*/*.c kernels/*.c kernels/*/*.c kernels/*/*/*.c kernels/cpu/*.h tools/*/*.c tests/*/*.c)

clean:
	rm -rf $(addprefix build/,release debug asan bench fuzz portable portable.tar.gz gpu)
	@$(MAKE) -s --no-print-directory -C pipelines/smollm2 OUT="$(abspath build)/demo" clean
	@$(MAKE) -s --no-print-directory -C pipelines/tiny OUT="$(abspath build)/demo-tiny" clean
	@[ ! -d build ] || rmdir --ignore-fail-on-non-empty build

-include $(patsubst %.c,$(BUILD)/%.c.d,$(wildcard libcommon/*/*.c kernels/*.c kernels/*/*.c kernels/*/*/*.c tools/*/*.c tests/*/*.c))
-include $(patsubst %,$(BUILD)/%.d,$(KERNELS)) $(patsubst %,$(BUILD)/emulated/%.d,$(KERNELS) $(STANDIN))
-include $(patsubst %.c,build/fuzz/%.d,$(FUZZED) $(wildcard tests/fuzz/*.c))
