# libsora: one Makefile for everything, no recursion into folders, all output under $(BUILD).
# Sources are found by name, so a new file needs no edit here. `make help` lists the targets.
MAKEFLAGS += --no-builtin-rules
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(or $(shell nproc 2>/dev/null),2) # a -j of your own wins
endif
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
SHELL := /bin/sh

BUILD ?= build
DESTDIR ?=
PYTHON ?= python3
export BUILD PYTHON

# Quiet by default; V=1 shows the commands.
ifeq ($(V),1)
Q :=
say := @:
else
Q := @
say := @echo
endif

first-target: all

# --- configuration ----------------------------------------------------------------------------------------------------
no_config_goals := clean distclean help bootstrap-test dist
ifneq ($(filter-out $(no_config_goals),$(or $(MAKECMDGOALS),all)),)
include $(BUILD)/config.mk
endif

$(BUILD)/config.mk: configure
	@if [ -f $(BUILD)/config.again ]; then sh $(BUILD)/config.again; else ./configure BUILD=$(BUILD); fi

version_of = $(or $(shell sed -n 's/^\#define SORA_VERSION_$(1)[ \t]*\([0-9]*\).*/\1/p' include/sora/*.h 2>/dev/null),$(2))
MAJOR := $(call version_of,MAJOR,0)
MINOR := $(call version_of,MINOR,1)
PATCH := $(call version_of,PATCH,0)
VERSION := $(MAJOR).$(MINOR).$(PATCH)

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
ifeq ($(WERROR),1)
WARN += -Werror
endif

# No contraction anywhere: a product and a sum are fused only where the source says so, so that gcc and clang, and the
# scalar tail and the vector body of a kernel, round alike.
CFLAGS_ALL := -std=c11 $(OPT) $(WARN) -fno-math-errno -ffp-contract=off -pthread $(SAN_FLAGS) $(USER_CFLAGS)
CFLAGS_ALL += $(if $(DEBUG),-DSORA_DEBUG=1)

CFLAGS_lib := -I. -Iinclude -fPIC -fvisibility=hidden $(LIB_CFLAGS)
CFLAGS_kernels := $(CFLAGS_lib)
CFLAGS_tools := -I. -Iinclude -DSORA_MODEL_DIR='"$(PREFIX)/share/sora/models"' $(TOOL_CFLAGS)
CFLAGS_examples := -Iinclude
CFLAGS_test := -I. -Iinclude $(LIB_CFLAGS) $(CHECK_CFLAGS)

# Instruction set flags go by file name and to nothing else; which kernel runs is decided on the machine.
AVX512 := -mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512dq -mavx512vl
isa_flags = $(strip \
    $(if $(filter %_ref.c,$(1)),-O2) \
    $(if $(filter %_avx2.c,$(1)),-O3 -mavx2 -mfma -mf16c) \
    $(if $(filter %_avx512.c,$(1)),-O3 $(AVX512)) \
    $(if $(filter %_avx512bf16.c,$(1)),-O3 $(AVX512) -mavx512bf16) \
    $(if $(filter %_avx512vnni.c,$(1)),-O3 $(AVX512) -mavx512vnni) \
    $(if $(filter %_amx.c,$(1)),-O3 $(AVX512) -mavx512bf16 -mamx-tile -mamx-bf16 -mamx-int8))

# --- sources ----------------------------------------------------------------------------------------------------------
x86_only := %_avx2.c %_avx512.c %_avx512bf16.c %_avx512vnni.c %_amx.c
wild = $(sort $(wildcard $(addsuffix /$(2),$(1) $(1)/* $(1)/*/*)))
KERNEL_SRC := $(filter-out %_cases.c,$(call wild,kernels,*.c))
ifneq ($(ISA),x86_64)
KERNEL_SRC := $(filter-out $(x86_only),$(KERNEL_SRC))
endif
REFERENCE_SRC := $(call wild,lib/backend/reference,*.c)
BLAS_SRC := $(call wild,lib/backend/blas,*.c)
LIB_SRC := $(filter-out $(REFERENCE_SRC) $(BLAS_SRC),$(call wild,lib,*.c)) $(KERNEL_SRC)
TOOL_SRC := $(call wild,tools,*.c)
EXAMPLE_SRC := $(sort $(wildcard examples/*.c))

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
LIB_OBJ := $(call obj,$(LIB_SRC))
TOOL_OBJ := $(call obj,$(TOOL_SRC))
LIBS := $(LIB_LIBS) -lm -ldl -pthread

# --- what `make` makes ------------------------------------------------------------------------------------------------
ALL := $(if $(LIB_SRC),$(BUILD)/libsora.a $(BUILD)/libsora.so.$(MAJOR) $(BUILD)/libsora.so)
ifeq ($(HAVE_TOOLS),1)
ALL += $(if $(wildcard tools/main.c),$(BUILD)/sora)
endif
ALL += $(patsubst examples/%.c,$(BUILD)/examples/%,$(EXAMPLE_SRC))
PLUGINS := $(if $(REFERENCE_SRC),$(BUILD)/libsora-reference.so)
PLUGINS += $(if $(filter 1,$(HAVE_OPENBLAS)),$(if $(BLAS_SRC),$(BUILD)/libsora-blas.so))
ALL += $(PLUGINS)

all: $(ALL)
.PHONY: all first-target FORCE

# Objects depend on the flags that they were built with: a new configuration or WERROR=1 rebuilds, nothing else does.
FLAG_TEXT := $(CC) $(CFLAGS_ALL) $(CFLAGS_lib) $(CFLAGS_tools) $(CFLAGS_test) $(BLAS_CFLAGS) $(BLAS_LIBS) $(USER_LDFLAGS)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$(FLAG_TEXT))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(FLAG_TEXT))' >$@
# ... and archives on the list of their sources: what is deleted goes out of them too.
LISTS := $(LIB_SRC) $(TOOL_SRC) $(REFERENCE_SRC) $(BLAS_SRC)
$(BUILD)/sources: FORCE
	@mkdir -p $(@D); printf '%s\n' $(LISTS) | cmp -s - $@ || printf '%s\n' $(LISTS) >$@
FORCE:

group = $(firstword $(subst /, ,$(1)))
$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(say) "  CC    $<"
	$(Q)$(CC) $(CFLAGS_ALL) $(CFLAGS_$(call group,$<)) $(call isa_flags,$<) $(EXTRA_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libsora.a: $(LIB_OBJ) $(BUILD)/sources
	@rm -f $@
	$(say) "  AR    $@"
	$(Q)ar rcsD $@ $(LIB_OBJ)

$(BUILD)/libsora.so.$(MAJOR): $(LIB_OBJ) lib/libsora.map $(BUILD)/sources
	$(say) "  LINK  $@"
	$(Q)$(CC) -shared -Wl,-soname,libsora.so.$(MAJOR) -Wl,--version-script=lib/libsora.map -Wl,-z,relro,-z,now \
	    $(if $(SANITIZE),,-Wl,-z,defs) $(SAN_FLAGS) $(USER_CFLAGS) $(USER_LDFLAGS) -o $@ $(LIB_OBJ) $(LIBS)

$(BUILD)/libsora.so: $(BUILD)/libsora.so.$(MAJOR)
	@ln -sf $(<F) $@

link = $(CC) $(SAN_FLAGS) $(USER_CFLAGS) $(USER_LDFLAGS) -pthread

# The program links the archive, so that it runs from the build folder and from anywhere else.
$(BUILD)/sora: $(TOOL_OBJ) $(BUILD)/libsora.a
	$(say) "  LINK  $@"
	$(Q)$(link) -o $@ $(TOOL_OBJ) $(BUILD)/libsora.a $(TOOL_LIBS) $(LIBS)

plugin = $(CC) -shared -Wl,-z,relro,-z,now $(if $(SANITIZE),,-Wl,-z,defs) $(SAN_FLAGS) $(USER_CFLAGS) $(USER_LDFLAGS) \
    -o $@ $(filter %.o,$^) $(1) -lm -pthread

# A backend that shares nothing with the library but the device contract: own copies of the base and of the reference kernels.
REFERENCE_OBJ := $(call obj,$(REFERENCE_SRC) lib/backend/host_device.c $(wildcard lib/base/*.c))
REFERENCE_OBJ += $(call obj,$(filter-out $(x86_only) kernels/table.c,$(KERNEL_SRC))) $(BUILD)/obj/reference/table.o
$(BUILD)/obj/reference/table.o: kernels/table.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) $(CFLAGS_kernels) -DSORAK_REFERENCE_ONLY=1 -MMD -MP -c -o $@ $<
$(BUILD)/libsora-reference.so: $(REFERENCE_OBJ)
	$(say) "  LINK  $@"
	$(Q)$(call plugin)

# Another, with all the rows, and matrix products by OpenBLAS: that is linked here and nowhere else.
BLAS_OBJ := $(call obj,$(BLAS_SRC) lib/backend/host_device.c lib/backend/cpu/flags.c $(wildcard lib/base/*.c) $(KERNEL_SRC))
$(BUILD)/obj/lib/backend/blas/%.o: CFLAGS_lib += $(BLAS_CFLAGS)
$(BUILD)/libsora-blas.so: $(BLAS_OBJ) $(BUILD)/sources
	$(say) "  LINK  $@"
	$(Q)$(call plugin,$(BLAS_LIBS))

$(BUILD)/examples/%: $(BUILD)/obj/examples/%.o $(BUILD)/libsora.a
	@mkdir -p $(@D)
	$(say) "  LINK  $@"
	$(Q)$(link) -o $@ $< $(BUILD)/libsora.a $(LIBS)

# --- tests ------------------------------------------------------------------------------------------------------------
# Test programs link the archive and may look inside; the program's own parts come from an archive too, so that they can be
# tested without its main.
CFLAGS_test += -Wno-missing-prototypes # suites are called from the generated main only
UNIT_SRC := $(wildcard test/unit/*.c)
CHECKKERNEL_SRC := $(wildcard test/kernels/*.c)
CASES_SRC := $(filter-out test/kernels/checkkernel.c,$(CHECKKERNEL_SRC)) $(wildcard kernels/*/*_cases.c)
PARITY_SRC := $(wildcard test/parity/*.c)
GOLDEN_SRC := $(wildcard test/golden/*.c)
FUZZ_SRC := $(sort $(wildcard test/fuzz/fuzz_*.c))
FUZZ_HELP_SRC := $(filter-out $(FUZZ_SRC) test/fuzz/replay.c,$(wildcard test/fuzz/*.c))
BENCH := $(sort $(patsubst test/bench/%/main.c,%,$(wildcard test/bench/*/main.c)))
test_link = $(link) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(1) $(LIBS)

SUITES := $(sort $(patsubst test/unit/test_%.c,%,$(wildcard test/unit/test_*.c)))
$(BUILD)/test/unit_main.c: test/unit/main.c.in $(BUILD)/suites
	@mkdir -p $(@D)
	@sed -e 's/@DECLARE@/$(foreach s,$(SUITES),Suite *suite_$(s)(void);)/' \
	    -e 's/@LIST@/$(foreach s,$(SUITES),{ "$(s)", suite_$(s) },)/' $< >$@
$(BUILD)/suites: FORCE
	@mkdir -p $(@D); echo '$(SUITES)' | cmp -s - $@ || echo '$(SUITES)' >$@
$(BUILD)/obj/test/unit_main.o: $(BUILD)/test/unit_main.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) $(CFLAGS_test) -c -o $@ $<

$(BUILD)/obj/tools.a: $(TOOL_OBJ) $(BUILD)/sources
	@rm -f $@
	$(Q)ar rcsD $@ $(filter-out %/main.o,$(TOOL_OBJ))
TOOLS_A := $(if $(filter 1,$(HAVE_TOOLS)),$(if $(TOOL_SRC),$(BUILD)/obj/tools.a))

$(BUILD)/test/unit: $(BUILD)/obj/test/unit_main.o $(call obj,$(UNIT_SRC)) $(TOOLS_A) $(BUILD)/libsora.a
	$(say) "  LINK  $@"
	$(Q)$(call test_link,$(CHECK_LIBS) $(if $(TOOLS_A),$(TOOL_LIBS)))

# What the kernels are tried on: shared by their tests and their benchmark. Objects, since the cases are found by weak names.
CASES_OBJ := $(call obj,$(CASES_SRC))
$(BUILD)/test/checkkernel: $(BUILD)/obj/test/kernels/checkkernel.o $(CASES_OBJ) $(BUILD)/libsora.a
	@mkdir -p $(@D)
	$(say) "  LINK  $@"
	$(Q)$(call test_link)

$(BUILD)/test/parity: $(call obj,$(PARITY_SRC)) $(BUILD)/libsora.a
	@mkdir -p $(@D)
	$(say) "  LINK  $@"
	$(Q)$(call test_link)

# Memory runs out everywhere; its trainings are those of the unit tests.
ALLOC_SRC := $(wildcard test/alloc/*.c)
$(BUILD)/test/alloc: $(call obj,$(ALLOC_SRC) test/unit/train_tiny.c) $(BUILD)/libsora.a
	@mkdir -p $(@D)
	$(say) "  LINK  $@"
	$(Q)$(call test_link)

$(BUILD)/test/golden/%: $(BUILD)/obj/test/golden/%.o $(BUILD)/libsora.a
	@mkdir -p $(@D)
	$(Q)$(call test_link)

$(BUILD)/test/fuzz/%: $(BUILD)/obj/test/fuzz/%.o $(BUILD)/obj/test/fuzz/replay.o $(call obj,$(FUZZ_HELP_SRC)) $(BUILD)/libsora.a
	@mkdir -p $(@D)
	$(Q)$(call test_link)

define bench_rule
# Cases as objects: operations without a file are weak references, which pull nothing out of an archive.
$(BUILD)/bench/$(1): $(call obj,$(filter-out $(if $(filter x86_64,$(ISA)),,$(x86_only)),$(wildcard test/bench/$(1)/*.c))) \
    $(CASES_OBJ) $(BUILD)/libsora.a
	@mkdir -p $$(@D)
	$$(say) "  LINK  $$@"
	$$(Q)$$(call test_link)
endef
$(foreach b,$(BENCH),$(eval $(call bench_rule,$(b))))

# A part of the checks counts as soon as its files are there.
PARTS := $(if $(SUITES),unit) $(if $(ALLOC_SRC),alloc) $(if $(CHECKKERNEL_SRC),kernels) $(if $(PARITY_SRC),parity)
PARTS += $(if $(GOLDEN_SRC)$(wildcard test/golden/*.sh),golden) $(if $(FUZZ_SRC),fuzz) $(if $(wildcard test/cli/*.sh),cli)
PARTS += layering headers $(if $(EXAMPLE_SRC),examples) $(if $(wildcard bindings/python/tests/*.py),python)

TEST_BIN := $(if $(SUITES),$(BUILD)/test/unit) $(if $(CHECKKERNEL_SRC),$(BUILD)/test/checkkernel)
TEST_BIN += $(if $(PARITY_SRC),$(BUILD)/test/parity) $(patsubst test/golden/%.c,$(BUILD)/test/golden/%,$(GOLDEN_SRC))
TEST_BIN += $(if $(ALLOC_SRC),$(BUILD)/test/alloc)
TEST_BIN += $(patsubst test/fuzz/%.c,$(BUILD)/test/fuzz/%,$(FUZZ_SRC))

need_check:
	@[ "$(HAVE_CHECK)" = 1 ] || { echo "libcheck is missing: ./configure --install-deps"; exit 1; }
tests: need_check all $(TEST_BIN)
check: tests
	@CC='$(CC)' bash test/check.sh $(P:%=%) $(if $(P),,$(PARTS))
checkkernel: $(BUILD)/test/checkkernel $(PLUGINS)
	$(Q)$< $(K) $(ARGS)
check-parity: $(BUILD)/test/parity $(PLUGINS)
	$(Q)$< $(ARGS)
check-alloc: $(BUILD)/test/alloc
	$(Q)$< $(ARGS)
check-unit: need_check $(BUILD)/test/unit
	$(Q)$(BUILD)/test/unit $(T)
# The Python binding; PYTHON=venv/bin/python. Skipped without Python, NumPy or pytest.
check-python: $(filter %.so %.so.$(MAJOR),$(ALL))
	$(Q)PYTHON='$(PYTHON)' bash test/python.sh
# The stages on random models of random shapes, types and files, against diffusers; what it needs stands in the script. ARGS="--seed 2 --count 20 vae"
check-random: $(BUILD)/sora
	$(Q)$(PYTHON) test/parity/random_models.py --sora $< $(ARGS)
.PHONY: need_check tests check checkkernel check-parity check-alloc check-unit check-python check-random

# The same tests under AddressSanitizer and UndefinedBehaviorSanitizer, then under ThreadSanitizer. OpenBLAS is not built with
# the latter and would be reported, so it stays out there.
SAN_PARTS := $(filter-out layering headers python,$(PARTS))
check-san: check-asan check-tsan
check-asan:
	./configure BUILD=$(BUILD)/asan --enable-sanitize=address,undefined CC='$(CC)' >/dev/null
	LSAN_OPTIONS=suppressions=$(CURDIR)/test/lsan.supp:print_suppressions=0 UBSAN_OPTIONS=print_stacktrace=1 CK_TIMEOUT_MULTIPLIER=5 CHECK_LIMIT=3600 $(MAKE) BUILD=$(BUILD)/asan check P='$(SAN_PARTS)'
check-tsan:
	./configure BUILD=$(BUILD)/tsan --enable-sanitize=thread --without-openblas CC='$(CC)' >/dev/null
	TSAN_OPTIONS=halt_on_error=1 CK_TIMEOUT_MULTIPLIER=5 CHECK_LIMIT=3600 $(MAKE) BUILD=$(BUILD)/tsan check P='$(filter unit parity examples,$(PARTS))'
.PHONY: check-san check-asan check-tsan

# Fuzzing needs clang; everything is built again with its coverage and sanitizers.
FUZZ_SECONDS ?= 600
FUZZ_CC ?= $(or $(shell command -v clang-14),clang)
fuzz:
	@mkdir -p $(BUILD) && echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return d && n > 9; }' | \
	    $(FUZZ_CC) -x c -fsanitize=fuzzer,address,undefined -o $(BUILD)/fuzz-probe - 2>/dev/null || \
	    { echo "make fuzz needs clang and its runtime: apt-get install clang-14 llvm-14 libclang-rt-14-dev"; exit 1; }
	./configure BUILD=$(BUILD)/fuzz --enable-sanitize=fuzzer-no-link,address,undefined --without-openblas CC='$(FUZZ_CC)' >/dev/null
	$(MAKE) BUILD=$(BUILD)/fuzz fuzzers
	bash test/fuzz/run.sh $(BUILD)/fuzz/fuzzers $(FUZZ_SECONDS) $(T)
fuzzers: $(patsubst test/fuzz/%.c,$(BUILD)/fuzzers/%,$(FUZZ_SRC))
$(BUILD)/fuzzers/%: $(BUILD)/obj/test/fuzz/%.o $(call obj,$(FUZZ_HELP_SRC)) $(BUILD)/libsora.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(subst fuzzer-no-link,fuzzer,$(SAN_FLAGS)) $(USER_LDFLAGS) -pthread -o $@ $(filter %.o %.a,$^) $(LIBS)
.PHONY: fuzz fuzzers

# Rewrites the open (unreleased) node of the symbol map from the headers.
map:
	@{ sed '/^SORA_/,$$d' lib/libsora.map; echo 'SORA_0.1 {'; echo '    global:'; \
	   sh test/layering/api-names.sh include/sora/*.h | sed 's/.*/        &;/'; echo '    local:'; echo '        *;'; echo '};'; } >$(BUILD)/map.new
	@mv $(BUILD)/map.new lib/libsora.map
.PHONY: map

# --- install, distribution, demonstration -----------------------------------------------------------------------------
INCLUDEDIR ?= $(PREFIX)/include
LIBDIR ?= $(PREFIX)/lib
BINDIR ?= $(PREFIX)/bin
DATADIR ?= $(PREFIX)/share
install_to = install -d '$(DESTDIR)$(2)' && install -m $(3) $(1) '$(DESTDIR)$(2)/'

$(BUILD)/sora.pc: sora.pc.in $(BUILD)/flags
	@sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
	    -e 's|@VERSION@|$(VERSION)|' -e 's|@LIB_LIBS@|$(LIB_LIBS)|' $< >$@

install: all $(BUILD)/sora.pc
	$(call install_to,include/sora/*.h,$(INCLUDEDIR)/sora,644)
	$(call install_to,$(BUILD)/libsora.a,$(LIBDIR),644)
	$(call install_to,$(BUILD)/libsora.so.$(MAJOR),$(LIBDIR),755)
	ln -sf libsora.so.$(MAJOR) '$(DESTDIR)$(LIBDIR)/libsora.so'
	$(call install_to,$(BUILD)/sora.pc,$(LIBDIR)/pkgconfig,644)
	$(call install_to,$(PLUGINS),$(LIBDIR)/sora,755)
	$(if $(filter $(BUILD)/sora,$(ALL)),$(call install_to,$(BUILD)/sora,$(BINDIR),755))
	$(if $(wildcard models/*.sora),$(call install_to,models/*.sora,$(DATADIR)/sora/models,644))
	$(foreach n,1 3 5,$(if $(wildcard docs/man/*.$(n)),$(call install_to,docs/man/*.$(n),$(DATADIR)/man/man$(n),644) &&)) true
	$(call install_to,tools/completion/sora,$(DATADIR)/bash-completion/completions,644)
	$(call install_to,tools/completion/_sora,$(DATADIR)/zsh/site-functions,644)

uninstall:
	rm -rf '$(DESTDIR)$(INCLUDEDIR)/sora' '$(DESTDIR)$(LIBDIR)/sora' '$(DESTDIR)$(DATADIR)/sora'
	rm -f '$(DESTDIR)$(LIBDIR)'/libsora.* '$(DESTDIR)$(LIBDIR)/pkgconfig/sora.pc' '$(DESTDIR)$(BINDIR)/sora'
	rm -f $(foreach m,$(wildcard docs/man/*.[135]),'$(DESTDIR)$(DATADIR)/man/man$(subst .,,$(suffix $(m)))/$(notdir $(m))')
	rm -f '$(DESTDIR)$(DATADIR)/bash-completion/completions/sora' '$(DESTDIR)$(DATADIR)/zsh/site-functions/_sora'

dist:
	@mkdir -p $(BUILD)
	git archive --prefix=libsora-$(VERSION)/ -o $(BUILD)/libsora-$(VERSION).tar.gz HEAD
	@echo $(BUILD)/libsora-$(VERSION).tar.gz

# Videos from the model that ships, with a page that shows them.
demo: all
	@sh tools/demo.sh $(BUILD)/sora models/nano.sora $(BUILD)/demo

# Both commands of the README on a Debian 12 that has its base system only. Needs root and debootstrap.
bootstrap-test:
	bash test/bootstrap.sh

bench: $(BUILD)/bench/kernels
	$(Q)$< $(K) $(ARGS)
benches: $(addprefix $(BUILD)/bench/,$(BENCH))
.PHONY: benches

# An optimiser step against torch; how to make the venv stands in the script. ARGS="--rounds 4 --threads 1 --only vae"
bench-train: $(BUILD)/bench/train
	$(Q)$(PYTHON) test/bench/train_step.py $< $(ARGS)
.PHONY: bench-train

# Forward passes of published shapes against torch; what it needs and takes stands in the script. ARGS="--rounds 4 --only vae --alone"
bench-peers: $(BUILD)/bench/kernels $(filter %.so %.so.$(MAJOR),$(ALL))
	$(Q)$(PYTHON) test/bench/peers.py $(BUILD) $(ARGS)
.PHONY: bench-peers

# The model that ships, again from nothing: many hours.
model: all
	sh models/make.sh $(BUILD)/sora
.PHONY: install uninstall dist demo bootstrap-test bench model

help:
	@echo 'make                 the library, the program, the examples; output in BUILD ($(BUILD))'
	@echo 'make demo            a gallery of generated videos: $(BUILD)/demo/index.html'
	@echo 'make check           all tests; P="unit cli" for some parts'
	@echo 'make check-unit      T=suite for one suite'
	@echo 'make check-alloc     memory and threads run out, one allocation after the other'
	@echo 'make checkkernel     every kernel row against its reference; K=op for one operation'
	@echo 'make check-python    the Python binding, PYTHON=venv/bin/python; skipped without NumPy or pytest'
	@echo 'make check-parity    the networks against fixtures of an independent implementation'
	@echo 'make check-random    random models against diffusers, PYTHON=venv/bin/python ARGS="--seed 2 --count 20"'
	@echo 'make check-san       the tests under AddressSanitizer, UBSan and ThreadSanitizer'
	@echo 'make fuzz            FUZZ_SECONDS=600 each, T=name for one target; needs clang'
	@echo 'make bench           speed of the kernels against the ceilings of the machine; K=op for one'
	@echo 'make bench-peers     stages of published sizes against torch, PYTHON=venv/bin/python ARGS="--models FOLDER"'
	@echo 'make bench-train     an optimiser step against torch, PYTHON=venv/bin/python'
	@echo 'make bootstrap-test  the README'"'"'s commands in a bare Debian 12 (root, debootstrap)'
	@echo 'make model           train the model that ships, from nothing'
	@echo 'make install         PREFIX from configure, DESTDIR=; make uninstall; make dist'
	@echo 'make map             symbol map from the headers; make clean'
	@echo 'V=1 shows commands, WERROR=1 makes warnings errors'
.PHONY: help

clean:
	rm -rf $(BUILD)
distclean: clean
.PHONY: clean distclean

-include $(shell [ -d $(BUILD)/obj ] && find $(BUILD)/obj -name '*.d')
