# libsora: one Makefile for everything, no recursion into folders, all output under $(BUILD).
# Sources are found by name, so a new file needs no edit here. `make help` lists the targets.
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
SHELL := /bin/sh

BUILD ?= build
DESTDIR ?=
export BUILD

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
no_config_goals := clean distclean help bootstrap-test
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
DEFS := $(if $(filter 1,$(HAVE_OPENBLAS)),-DSORA_HAVE_OPENBLAS=1)

CFLAGS_lib := -I. -Iinclude $(DEFS) -fPIC -fvisibility=hidden $(LIB_CFLAGS)
CFLAGS_kernels := $(CFLAGS_lib)
CFLAGS_tools := -I. -Iinclude $(TOOL_CFLAGS)
CFLAGS_examples := -Iinclude
CFLAGS_test := -I. -Iinclude $(DEFS) $(LIB_CFLAGS) $(CHECK_CFLAGS)

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
LIB_SRC := $(filter-out $(REFERENCE_SRC),$(call wild,lib,*.c)) $(KERNEL_SRC)
TOOL_SRC := $(call wild,tools,*.c)
EXAMPLE_SRC := $(sort $(wildcard examples/*.c))

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
LIB_OBJ := $(call obj,$(LIB_SRC))
TOOL_OBJ := $(call obj,$(TOOL_SRC))
LIBS := $(LIB_LIBS) -lm -ldl -pthread

# --- what `make` makes ------------------------------------------------------------------------------------------------
ALL := $(if $(LIB_SRC),$(BUILD)/libsora.a $(BUILD)/libsora.so.$(MAJOR) $(BUILD)/libsora.so)
ifeq ($(HAVE_TOOLS),1)
ALL += $(if $(wildcard tools/*.c),$(BUILD)/sora)
endif
ALL += $(patsubst examples/%.c,$(BUILD)/examples/%,$(EXAMPLE_SRC))
ALL += $(if $(REFERENCE_SRC),$(BUILD)/libsora-reference.so)

all: $(ALL)
.PHONY: all first-target FORCE

# Objects depend on the flags that they were built with: a new configuration or WERROR=1 rebuilds, nothing else does.
FLAG_TEXT := $(CC) $(CFLAGS_ALL) $(CFLAGS_lib) $(CFLAGS_tools) $(CFLAGS_test) $(USER_LDFLAGS)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$(FLAG_TEXT))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(FLAG_TEXT))' >$@
FORCE:

group = $(firstword $(subst /, ,$(1)))
$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(say) "  CC    $<"
	$(Q)$(CC) $(CFLAGS_ALL) $(CFLAGS_$(call group,$<)) $(call isa_flags,$<) $(EXTRA_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libsora.a: $(LIB_OBJ)
	@rm -f $@
	$(say) "  AR    $@"
	$(Q)ar rcsD $@ $(LIB_OBJ)

$(BUILD)/libsora.so.$(MAJOR): $(LIB_OBJ) lib/libsora.map
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

$(BUILD)/examples/%: $(BUILD)/obj/examples/%.o $(BUILD)/libsora.a
	@mkdir -p $(@D)
	$(say) "  LINK  $@"
	$(Q)$(link) -o $@ $< $(BUILD)/libsora.a $(LIBS)

clean:
	rm -rf $(BUILD)
distclean: clean
.PHONY: clean distclean

-include $(shell [ -d $(BUILD)/obj ] && find $(BUILD)/obj -name '*.d')
