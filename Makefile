# planner-agent. `make help` lists the targets, `make V=1` shows whole commands.
# What differs between architectures is in toolchain/targets/.
MAKEFLAGS += --no-builtin-rules --no-builtin-variables
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := all

VERSION := 0.1.0
FUZZ_SECONDS ?= 30
# Debian's own, which has Debian's pytest: not whatever PATH has first.
PYTHON := PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3
Q := $(if $(V),,@)

# --- Target ---------------------------------------------------------------------------------------

machine := $(shell { gcc -dumpmachine 2>/dev/null || uname -m; } | sed 's/-.*//; s/^arm.*/armv7/')
TARGET ?= $(machine)
targets := $(patsubst toolchain/targets/%.mk,%,$(wildcard toolchain/targets/*.mk))
ifeq ($(filter $(TARGET),$(targets)),)
$(error no toolchain/targets/$(TARGET).mk: TARGET may be $(targets))
endif
# gcc's ways to speed that take room at any level, left out: 1 %, where a target's limit is near.
SMALLER := -fno-inline-small-functions -fno-ivopts -fno-tree-loop-optimize -fno-move-loop-invariants \
           -fira-algorithm=priority -fno-ipa-cp -fno-ipa-sra -fno-shrink-wrap -fno-tree-pre -fno-code-hoisting
include toolchain/targets/$(TARGET).mk

ifeq ($(TARGET),$(machine))
cross :=
BIN := build/planner-agent
else
cross := $(TRIPLE)-
BIN := build/$(TARGET)/planner-agent
endif
CC := $(cross)gcc
# Those that know link-time optimized objects.
AR := $(cross)gcc-ar
RANLIB := $(cross)gcc-ranlib

# --- Flags ----------------------------------------------------------------------------------------

pinned = $(shell awk '$$1 == "source" && $$2 == "$(1)" { print $$3 }' vendor/manifest)

STD := -std=c11
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion \
        -Wvla -Wformat=2 -Werror
CPPFLAGS := -D_GNU_SOURCE -Isrc -isystem build/vendor -isystem build/vendor/bearssl/inc \
            -isystem build/vendor/jsmn -isystem build/roots -isystem build/texts -DPLANNER_VERSION='"$(VERSION)"' \
            -DMUSL_VERSION='"$(call pinned,musl)"' -DBEARSSL_VERSION='"$(call pinned,bearssl)"' \
            -DHIREDIS_VERSION='"$(call pinned,hiredis)"' -DJSMN_VERSION='"$(call pinned,jsmn)"'
DEPEND = -MMD -MP -MF $(@:.o=.d)
PREFIX_MAP := -ffile-prefix-map=$(CURDIR)=.

# The binary: a static PIE, so that even it is loaded at a random address; small; and the same
# bytes from the same source, wherever it is built.
MUSL := build/musl-$(TARGET)
GEN := -Oz -fPIE -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables \
       -fno-unwind-tables $(TARGET_CFLAGS)
LIBC := -nostdinc -isystem $(MUSL)/include -isystem $(shell $(CC) -print-file-name=include 2>/dev/null)
LTO := -flto -flto-partition=none
STACK_GUARD := $(or $(TARGET_STACK_GUARD),-fstack-clash-protection)
CFLAGS := $(GEN) $(LTO) -fstack-protector-strong $(STACK_GUARD) $(PREFIX_MAP) $(LIBC)
LDFLAGS := -nostdlib -static-pie -Wl,--gc-sections -Wl,-z,now,-z,noexecstack,-z,text \
           -Wl,-T,toolchain/static-pie.ld -Wl,--no-dynamic-linker,--build-id=none,--fatal-warnings $(TARGET_LDFLAGS)

# A clock that says less than this is not set. Only a .c file of src/ may name BUILD_EPOCH: it
# changes with every commit, and only the objects of such files are then compiled anew. The tests
# have one that never changes: 2025-01-01. A release's source has no git, but says it in .epoch.
BUILD_EPOCH := $(or $(SOURCE_DATE_EPOCH),$(shell cat .epoch 2>/dev/null || \
    git log -1 --format=%ct 2>/dev/null || stat -c %Y Makefile))
TEST_EPOCH := -DBUILD_EPOCH=1735689600LL

# The same sources on the machine's own C library, for the unit tests (gcc) and fuzzing (clang).
SANITIZE := -g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
UNIT_CFLAGS := $(SANITIZE) $(PREFIX_MAP) $(TEST_EPOCH)
FUZZ_CFLAGS := $(SANITIZE) -fsanitize=fuzzer-no-link $(PREFIX_MAP) $(TEST_EPOCH)
LIB_CFLAGS := -g -O1 -fno-omit-frame-pointer -fsanitize=address
SAN_ENV := ASAN_OPTIONS=halt_on_error=1:detect_leaks=1 \
           UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

# --- Files ----------------------------------------------------------------------------------------

SRC := $(wildcard src/*/*.c)
MAIN := $(wildcard src/main.c)
OBJ := build/obj-$(TARGET)

UNIT := $(patsubst tests/unit/%.c,build/unit/%,$(wildcard tests/unit/test_*.c))
UNIT_FAKES := fake_http fake_redis rig planner_bed
UNIT_SUPPORT := $(filter-out tests/unit/test_% $(UNIT_FAKES:%=tests/unit/%.c),$(wildcard tests/unit/*.c))
FUZZ := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
PYTEST := $(wildcard tests/system tests/fault)

# --- The binary -----------------------------------------------------------------------------------

.PHONY: all
all: $(BIN)

# The C library's allocator is not musl's, which costs 7 KB, but a small one, and so are a few other
# parts of it; what musl leaves to a dynamic linker is done by relro.c.
LIBC_PARTS := toolchain/heap.c toolchain/libc.c
RUNTIME := $(LIBC_PARTS) toolchain/relro.c
BIN_PARTS := $(MAIN:%.c=$(OBJ)/%.o) $(SRC:%.c=$(OBJ)/%.o) $(RUNTIME:%.c=$(OBJ)/%.o) \
             $(OBJ)/libhiredis.a $(OBJ)/libbearssl.a toolchain/static-pie.ld toolchain/pack
LINKED = $(OBJ)/$(@F).linked
link = $(CC) $(CFLAGS) $(LDFLAGS) -o $(LINKED) $(MUSL)/lib/rcrt1.o $(MUSL)/lib/crti.o $(filter %.o %.a,$^) -L$(MUSL)/lib \
       -Wl,--start-group -lc -lgcc -Wl,--end-group $(MUSL)/lib/crtn.o && toolchain/pack $(LINKED) $@

$(BIN): $(BIN_PARTS)
	@mkdir -p $(@D)
	@echo '  LD   $@'
	$(Q)$(link)

# The program once more, with an allocator that ends it: what tests/system/test_heap.py runs.
GUARD := $(BIN)-heap-guard
GUARD_WRAPS := malloc calloc realloc aligned_alloc posix_memalign

$(GUARD): private LDFLAGS += $(GUARD_WRAPS:%=-Wl,--wrap=%)
# What defines or wraps functions of the C library is left as it is written.
$(LIBC_PARTS:%.c=$(OBJ)/%.o) $(OBJ)/tests/system/heap_guard.o: private CFLAGS += -fno-lto -fno-builtin
$(GUARD): $(OBJ)/tests/system/heap_guard.o $(BIN_PARTS)
	@echo '  LD   $@'
	$(Q)$(link)

# The program once more, with a stranger in it: what tests/system/test_confinement.py attacks from.
STRANGER := $(BIN)-stranger

$(OBJ)/tests/system/stranger.o: private CFLAGS += -fno-lto
$(STRANGER): $(OBJ)/tests/system/stranger.o $(BIN_PARTS)
	@echo '  LD   $@'
	$(Q)$(link)

# The program once more, with clocks that jump: what tests/system/test_clocks.py runs.
CLOCK := $(BIN)-clock

$(CLOCK): private LDFLAGS += -Wl,--wrap=fstat -Wl,--wrap=fstatat
$(OBJ)/tests/system/clock.o: private CFLAGS += -fno-lto -fno-builtin
$(CLOCK): $(OBJ)/tests/system/clock.o $(filter-out $(OBJ)/src/base/clock.o,$(BIN_PARTS))
	@echo '  LD   $@'
	$(Q)$(link)

epoch_users := $(if $(SRC),$(shell grep -lw BUILD_EPOCH $(SRC) $(MAIN)))
$(epoch_users:%.c=$(OBJ)/%.o): EPOCH := -DBUILD_EPOCH=$(BUILD_EPOCH)LL
$(epoch_users:%.c=$(OBJ)/%.o): build/epoch

compile = $(CC) $(STD) $(WARN) $(CPPFLAGS) $(EPOCH) $(CFLAGS) $(SPEED) $(DEPEND) -c $< -o $@

# What every message goes through, also one that asks for nothing: speed is worth some bytes here.
HOT := base/buf base/hash base/json_check base/json_object base/json_text base/span daemon/decisions \
       net/redis_memory net/resp planner/event
FAST := $(or $(TARGET_SPEED),-O2 -fno-tree-slp-vectorize -fmove-loop-invariants)
$(HOT:%=$(OBJ)/src/%.o): SPEED := $(FAST)

$(OBJ)/%.o: %.c build/flags-$(TARGET) | $(MUSL)/.built
	@mkdir -p $(@D)
	@echo '  CC   $@'
	$(Q)$(compile)

# The program once more, as if built on 2100-01-01, so that every clock is before its build: what
# tests/system/test_tls.py runs.
FUTURE := $(BIN)-future
FUTURE_PARTS := $(epoch_users:%.c=$(OBJ)/future/%.o)

$(FUTURE_PARTS): EPOCH := -DBUILD_EPOCH=4102444800LL
$(OBJ)/future/%.o: %.c build/flags-$(TARGET) | $(MUSL)/.built
	@mkdir -p $(@D)
	@echo '  CC   $@'
	$(Q)$(compile)

$(FUTURE): $(FUTURE_PARTS) $(filter-out $(epoch_users:%.c=$(OBJ)/%.o),$(BIN_PARTS))
	@echo '  LD   $@'
	$(Q)$(link)

$(MUSL)/.built: build/vendor/.unpacked toolchain/musl build/flags-musl-$(TARGET)
	@echo '  MUSL $(@D)'
	+@CC='$(CC)' AR='$(AR)' RANLIB='$(RANLIB)' TRIPLE='$(TRIPLE)' CFLAGS='$(GEN) $(TARGET_MUSL_CFLAGS)' \
	    toolchain/musl $(@D)
	@touch $@

build/vendor/.unpacked: vendor/manifest
	@vendor/fetch

# --- The root certificates that are built in: some of the distribution's ---------------------------

ROOTS := build/roots/builtin_roots.h
CA_CERTIFICATES ?= /usr/share/ca-certificates/mozilla

$(ROOTS): toolchain/roots toolchain/roots.list build/epoch $(wildcard $(CA_CERTIFICATES)/*.crt)
	@mkdir -p $(@D)
	@toolchain/roots $(CA_CERTIFICATES) toolchain/roots.list $(BUILD_EPOCH) $@

$(OBJ)/src/net/roots.o build/unit/src/net/roots.o build/fuzz/obj/src/net/roots.o: $(ROOTS)
lint-gcc lint-clang lint-tidy: $(ROOTS)

# --- The long texts that are built in: what `service` prints, and more ------------------------------

TEXTS := build/texts/texts.h

$(TEXTS): toolchain/texts toolchain/texts.list $(shell /usr/bin/python3 -B toolchain/texts --files toolchain/texts.list 2>/dev/null)
	@mkdir -p $(@D)
	@toolchain/texts toolchain/texts.list $@

# What `version --licenses` prints: the notices of what is fetched, from the fetched sources.
build/texts/licenses: toolchain/licenses build/vendor/.unpacked
	@mkdir -p $(@D)
	@toolchain/licenses notices >$@

$(OBJ)/src/cmd/text.o build/unit/src/cmd/text.o build/fuzz/obj/src/cmd/text.o: $(TEXTS)
lint-gcc lint-clang lint-tidy: $(TEXTS)

# --- Third-party libraries, one set a flavour -----------------------------------------------------

# Always whole: what is inside knows nothing of flags.
library = +@rm -rf $@ $(@:.a=); $(MAKE) --no-print-directory $(if $(V),,-s) -f vendor/$*.mk LIB=$@

$(OBJ)/lib%.a: vendor/%.mk build/flags-$(TARGET) $(MUSL)/.built
	@echo '  LIB  $@'
	$(library) CC='$(CC)' AR='$(AR)' CFLAGS='$(CFLAGS)' SPEED='$(FAST)'

build/unit/lib%.a: vendor/%.mk build/flags-unit build/vendor/.unpacked
	@echo '  LIB  $@'
	$(library) CC=gcc AR=ar CFLAGS='$(LIB_CFLAGS)'

build/fuzz/obj/lib%.a: vendor/%.mk build/flags-fuzz build/vendor/.unpacked
	@echo '  LIB  $@'
	$(library) CC=clang AR=ar CFLAGS='$(LIB_CFLAGS)'

$(OBJ)/libhiredis.a build/unit/libhiredis.a build/fuzz/obj/libhiredis.a: \
    vendor/hiredis_less.h vendor/hiredis_net.c

# --- Flags on file: objects hang on these, which change only when the flags do ---------------------

define keep
@mkdir -p $(@D)
@printf '%s\n' '$(subst ','\'',$(1))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(1))' >$@
endef

.PHONY: FORCE
build/flags-$(TARGET): FORCE
	$(call keep,$(CC) $(STD) $(WARN) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(HOT) $(FAST))
build/flags-musl-$(TARGET): FORCE
	$(call keep,$(CC) $(GEN)$(TARGET_MUSL_CFLAGS:%= %))
build/flags-unit: FORCE
	$(call keep,$(STD) $(WARN) $(CPPFLAGS) $(UNIT_CFLAGS) $(LIB_CFLAGS))
build/flags-fuzz: FORCE
	$(call keep,$(STD) $(WARN) $(CPPFLAGS) $(FUZZ_CFLAGS) $(LIB_CFLAGS))
build/epoch: FORCE
	$(call keep,$(BUILD_EPOCH))

# --- Unit tests: each tests/unit/test_*.c is a cmocka program, the other files there belong to all --

build/unit/%.o: %.c build/flags-unit | build/vendor/.unpacked
	@mkdir -p $(@D)
	@echo '  CC   $@'
	$(Q)gcc $(STD) $(WARN) $(CPPFLAGS) $(UNIT_CFLAGS) $(DEPEND) -c $< -o $@

build/unit/libsrc.a: $(SRC:%.c=build/unit/%.o)
	@rm -f $@
	$(Q)ar rcsD $@ $^

# An archive, so that a program gets what it asks for and nothing more.
build/unit/libsupport.a: $(UNIT_SUPPORT:%.c=build/unit/%.o)
	@rm -f $@
	$(Q)ar rcsD $@ $^

# Files that stand in for functions of src/ are linked only to the programs that include their header.
define fake
$(patsubst tests/unit/%.c,build/unit/%,$(shell grep -l '"$(1).h"' tests/unit/test_*.c)): build/unit/tests/unit/$(1).o
endef
$(foreach f,$(UNIT_FAKES),$(eval $(call fake,$f)))

# cmocka stands before our archives, which export nothing: no function of ours replaces one of its.
$(UNIT): build/unit/%: build/unit/tests/unit/%.o build/unit/libsupport.a \
    build/unit/libsrc.a build/unit/libhiredis.a build/unit/libbearssl.a
	@echo '  LD   $@'
	$(Q)gcc $(UNIT_CFLAGS) -Wl,--exclude-libs,ALL -o $@ $(filter %.o,$^) -lcmocka $(filter %.a,$^)

.PHONY: unit
unit: $(UNIT)
	@$(SAN_ENV) toolchain/run-unit $(UNIT)

# --- Fuzzing: each tests/fuzz/fuzz_NAME.c is a target, tests/fuzz/corpus/NAME/ its corpus ----------

build/fuzz/obj/%.o: %.c build/flags-fuzz | build/vendor/.unpacked
	@mkdir -p $(@D)
	@echo '  CC   $@'
	$(Q)clang $(STD) $(WARN) $(CPPFLAGS) $(FUZZ_CFLAGS) $(DEPEND) -c $< -o $@

build/fuzz/obj/libsrc.a: $(SRC:%.c=build/fuzz/obj/%.o)
	@rm -f $@
	$(Q)ar rcsD $@ $^

$(FUZZ): build/fuzz/%: build/fuzz/obj/tests/fuzz/%.o build/fuzz/obj/libsrc.a \
    build/fuzz/obj/libhiredis.a build/fuzz/obj/libbearssl.a
	@echo '  LD   $@'
	$(Q)clang $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $^

.PHONY: fuzz-replay fuzz
fuzz-replay: $(FUZZ)
	@$(SAN_ENV) toolchain/run-fuzz replay $(FUZZ)

fuzz:
	@toolchain/packages build fuzz
	@$(MAKE) --no-print-directory fuzz-targets
	@$(SAN_ENV) toolchain/run-fuzz $(FUZZ_SECONDS) $(FUZZ)

# --- Everything, for who has nothing installed yet ------------------------------------------------

.PHONY: run test test-llm test-boot check bench
run:
	@toolchain/packages build
	@$(MAKE) --no-print-directory all
	@toolchain/demo $(BIN) build/demo

test:
	@toolchain/packages build test
	@$(MAKE) --no-print-directory all $(GUARD) $(FUTURE) $(STRANGER) $(CLOCK) unit-programs fuzz-targets
	@$(MAKE) --no-print-directory suites

# Where the model's packages cannot be installed, it says so, and the program's exit code is 77.
test-llm:
	@toolchain/packages build llm
	@$(MAKE) --no-print-directory all
	@PLANNER_AGENT=$(CURDIR)/$(BIN) $(PYTHON) tests/llm/run

# Needs root. Where no system can be booted, it says so, and the program's exit code is 77.
test-boot:
	@toolchain/packages build boot
	@$(MAKE) --no-print-directory all
	@PLANNER_AGENT=$(CURDIR)/$(BIN) $(PYTHON) tests/boot/run

check:
	@toolchain/packages build check
	@$(MAKE) --no-print-directory all
	@$(MAKE) --no-print-directory --keep-going lint

bench:
	@toolchain/packages build bench
	@$(MAKE) --no-print-directory all
	@PLANNER_AGENT=$(CURDIR)/$(BIN) $(PYTHON) tests/bench/run

# The three suites run one after another, the later ones also when an earlier one fails.
.PHONY: unit-programs fuzz-targets suites system
unit-programs: $(UNIT)
fuzz-targets: $(FUZZ)

suites:
	@failed=0; \
	for suite in unit fuzz-replay system; do \
	    $(MAKE) --no-print-directory $$suite || failed=1; \
	done; \
	exit $$failed

system: $(BIN) $(GUARD) $(FUTURE) $(STRANGER) $(CLOCK)
ifeq ($(PYTEST),)
	@echo 'system tests: none yet'
else
	@PLANNER_AGENT=$(CURDIR)/$(BIN) $(PYTHON) -m pytest -q -p no:cacheprovider -n 2 --dist loadfile $(PYTEST)
endif

# --- Every target: build/TARGET/planner-agent, this machine's own too -------------------------------

each = @for target in $(1); do $(MAKE) --no-print-directory TARGET=$$target $(2) || exit 1; done

.PHONY: cross test-cross repro
cross:
	@toolchain/packages build cross
	$(call each,$(targets),all lint-binary)
	@mkdir -p build/$(machine)
	@ln -f build/planner-agent build/$(machine)/planner-agent

# The foreign ones under qemu, and a table at the end.
test-cross: cross
	@toolchain/packages test
	@PYTHON='$(PYTHON)' toolchain/test-cross $(foreach t,$(filter-out $(machine),$(targets)),'$t=$(call emulator,$t)')
emulator = $(shell sed -n 's/^EMULATOR := //p' toolchain/targets/$(1).mk)

# These targets once more, from a copy of the source, elsewhere and otherwise: the same bytes?
REPRO_TARGETS ?= $(targets)
repro:
	@toolchain/packages build cross
	$(call each,$(REPRO_TARGETS),all)
	@toolchain/repro $(BUILD_EPOCH) $(foreach t,$(REPRO_TARGETS),$t=build/$(if $(filter $t,$(machine)),,$t/)planner-agent)

# --- A release -------------------------------------------------------------------------------------

# Each target, and the binary that make has for it.
binaries := $(foreach t,$(targets),$t=build/$(if $(filter $t,$(machine)),,$t/)planner-agent)

.PHONY: dist dist-check
dist:
	@$(MAKE) --no-print-directory cross
	@toolchain/dist $(VERSION) $(BUILD_EPOCH) $(binaries)

# From the release's source, elsewhere and with no network, come the same binary and the same release.
dist-check:
	@toolchain/packages build dist
	@toolchain/dist-check $(VERSION) $(CURDIR)/$(BIN)

# --- Static analysis and layout -------------------------------------------------------------------

C_FILES := $(wildcard src/*.[ch] src/*/*.[ch] toolchain/*.[ch] tests/*/*.[ch])
LINTED := $(MAIN) $(SRC) $(RUNTIME)
# Scripts are known by their first line, whatever their name.
scripts = $(shell find vendor toolchain tests .ci -path vendor/cache -prune -o -type f -exec \
    awk 'FNR == 1 { if (/^\#!.*[\/ ]$(1)( |$$)/) print FILENAME; nextfile }' {} + 2>/dev/null)
LINT := $(STD) $(WARN) $(CPPFLAGS) $(TEST_EPOCH)

.PHONY: lint lint-format lint-gcc lint-clang lint-cppcheck lint-tidy lint-shell lint-python lint-layers lint-binary
lint: lint-format lint-gcc lint-clang lint-cppcheck lint-tidy lint-shell lint-python lint-layers lint-binary

lint-format:
	@clang-format --dry-run -Werror $(C_FILES)
	@echo 'clang-format: $(words $(C_FILES)) files'

lint-gcc lint-clang: lint-%: build/vendor/.unpacked
	@$* $(LINT) -fsyntax-only $(LINTED)
	@echo '$*: $(words $(LINTED)) files'

# Two of its checks take every pointer to a variable that is to be filled for a use of it.
lint-cppcheck:
	@cppcheck -q --std=c11 --enable=warning,performance,portability --inline-suppr \
	    --suppress=legacyUninitvar --suppress=ctuuninitvar --error-exitcode=1 -Isrc -D__$(shell uname -m)__ $(filter -D%,$(CPPFLAGS)) $(TEST_EPOCH) $(LINTED)
	@echo 'cppcheck: $(words $(LINTED)) files'

# Whatever clang-tidy says is an error, but for its count of what it does not say.
lint-tidy: build/vendor/.unpacked
	@printf '%s\n' $(LINTED) | xargs -r -n 4 -P 2 sh -c '! clang-tidy --quiet "$$@" -- \
	    $(subst ','\'',$(STD) $(CPPFLAGS) $(TEST_EPOCH)) 2>&1 | grep -v " generated\.$$"' clang-tidy
	@echo 'clang-tidy: $(words $(LINTED)) files'

lint-shell:
	@shellcheck $(call scripts,sh) $(call scripts,bash)
	@echo 'shellcheck: $(words $(call scripts,sh) $(call scripts,bash)) scripts'

lint-python:
	@$(PYTHON) -c 'import ast, sys; [ast.parse(open(f, "rb").read(), f) for f in sys.argv[1:]]' \
	    $(sort $(call scripts,python3) $(wildcard tests/*.py tests/*/*.py))
	@echo 'python syntax: $(words $(sort $(call scripts,python3) $(wildcard tests/*.py tests/*/*.py))) files'

lint-layers: $(BIN)
	@/usr/bin/python3 -B toolchain/check-layers $(OBJ) $(LINT)

lint-binary: $(BIN)
	@toolchain/check-binary $(BIN) $(OBJ)/planner-agent.linked $(TARGET) $(BYTES_MAX) $(or $(BYTES_WANTED),$(BYTES_MAX))

# --- Housekeeping ---------------------------------------------------------------------------------

.PHONY: clean distclean help
clean:
	rm -rf build

distclean: clean
	rm -rf vendor/cache

help:
	@echo 'make             build/planner-agent, static, for this machine (TARGET=$(targets))'
	@echo 'make run         all of it on a fresh Debian machine: install, build, a demonstration'
	@echo 'make test        unit tests, fuzz corpora, system and fault tests'
	@echo 'make test-llm    events through the whole planner with a small real model'
	@echo 'make test-boot   as a service of a small Debian that boots in a container'
	@echo 'make check       formatting, static analysis, layout'
	@echo 'make fuzz        each fuzz target for FUZZ_SECONDS=$(FUZZ_SECONDS)'
	@echo 'make bench       sizes and speed, as a table'
	@echo 'make cross       all targets; make test-cross: the foreign ones under qemu'
	@echo 'make repro       builds REPRO_TARGETS again elsewhere: the same bytes?'
	@echo 'make dist        a release in build/dist/; make dist-check builds its source offline'
	@echo 'make clean       removes build/; make distclean also the fetched archives'

-include $(patsubst %.c,$(OBJ)/%.d,$(LINTED)) \
         $(FUTURE_PARTS:.o=.d) \
         $(patsubst %.c,build/unit/%.d,$(SRC) $(wildcard tests/unit/*.c)) \
         $(patsubst %.c,build/fuzz/obj/%.d,$(SRC) $(wildcard tests/fuzz/fuzz_*.c))
