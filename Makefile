# SPDX-License-Identifier: GPL-2.0-only
# `make help` lists what there is.

VERSION := 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=
SYSCONFDIR ?= /etc
BUILD := build
ifeq ($(origin CC),default)
CC := gcc
endif
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),@:,@printf '  %-7s %s\n')

BUILD_PACKAGES := gcc libc6-dev clang bpftool pkg-config libbpf-dev libelf-dev zlib1g-dev libpcap-dev \
	libmicrohttpd-dev libmnl-dev libcap-ng-dev libcapstone-dev libjansson-dev \
	libyaml-dev uthash-dev libgnutls28-dev libcrypt-dev
FUZZ_PACKAGES := clang-14 libclang-rt-14-dev
TEST_PACKAGES := libcmocka-dev $(FUZZ_PACKAGES) clang-19 clang-format clang-tidy-14 python3 \
	python3-jsonschema libssl-dev openssl curl iproute2 nftables ethtool util-linux wireshark-common strace systemd \
	$(if $(shell command -v node),,nodejs) $(if $(shell command -v javac),,openjdk-17-jdk-headless)
BENCH_PACKAGES := python3 iproute2 util-linux openssl procps tshark libndpi-bin tcpdump iperf3
KERNEL_PACKAGES := qemu-system-x86 busybox-static kmod cpio iproute2 clang-14 clang-19 libssl-dev openssl \
	python3 python3-jsonschema
PKGS := libbpf libpcap libmicrohttpd libmnl libcap-ng capstone jansson yaml-0.1 gnutls libcrypt
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings
CPPFLAGS += -D_GNU_SOURCE -Iinclude $(patsubst %/,-I%,$(ROOMS)) -I$(BUILD) -DALPNSCOPE_VERSION='"$(VERSION)"'
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=gnu11 $(WARN) $(CFLAGS)
LDLIBS = $(shell pkg-config --libs $(PKGS)) -lelf -lz
SANITIZE := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
ARCH := $(shell uname -m)
BPF_CFLAGS = -target bpf -mcpu=v3 -O2 -g -std=gnu11 -Wall -Wextra -Werror -Iinclude -Ibpf \
	-I/usr/include/$(ARCH)-linux-gnu -D__TARGET_ARCH_$(subst x86_64,x86,$(subst aarch64,arm64,$(ARCH)))

SRC := $(wildcard user/*.c user/*/*.c)
ROOMS := $(sort $(dir $(SRC)))
OBJ := $(patsubst %.c,$(BUILD)/user/%.o,$(notdir $(SRC)))
MODULES := $(patsubst %.c,%,$(notdir $(filter-out user/main.c user/cmd_%.c,$(SRC))))
SAN_OBJ := $(MODULES:%=$(BUILD)/san/%.o)
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
PROG := $(patsubst tests/prog/%.c,$(BUILD)/tests/%,$(wildcard tests/prog/test_*.c))
UNITS = $(DESTDIR)$(PREFIX)/lib/systemd/system
DOC = $(DESTDIR)$(PREFIX)/share/doc/alpnscope
LIVE := $(wildcard tests/live/test_*.py)
FAULTS := $(wildcard tests/faults/test_*.py)
FAULT_TOOLS := $(BUILD)/bench/storm
KERNELS := tests/kernels/test_kernels.py
FUZZ := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c)) $(BUILD)/fuzz/seeds
FUZZ_OBJ := $(MODULES:%=$(BUILD)/fuzz/%.o)
FUZZ_CC := clang-14
# clang does not tell by a macro that it sanitizes, as gcc does.
FUZZ_CFLAGS = $(CPPFLAGS) -D__SANITIZE_ADDRESS__=1 -Itests/lib -std=gnu11 $(WARN) $(SANITIZE)
FUZZ_SECONDS ?= 60
SOAK_SECONDS ?= 600
CASES ?= 10000000
BENCH_TOOLS := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(filter-out %.bpf.c,$(wildcard tests/bench/*.c)))
BENCH_SKEL := $(BUILD)/bench/empty.skel.h $(BUILD)/bench/feed.skel.h $(BUILD)/bench/storm.skel.h
BENCH_OBJ := $(MODULES:%=$(BUILD)/user/%.o)
BPF_OBJ := $(BUILD)/alpnscope.bpf.o $(BUILD)/alpnscope_xdp.bpf.o # the first defines the maps
SKEL := $(BUILD)/alpnscope.skel.h $(BUILD)/library.skel.h

vpath %.c $(ROOMS) # a name is given once, whatever the room

all: $(BUILD)/alpnscope ## build build/alpnscope (the default)

$(BUILD)/alpnscope: $(OBJ)
	$(say) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/user/%.o: %.c Makefile | $(SKEL)
	$(say) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/%.bpf.o: bpf/%.bpf.c Makefile
	$(say) BPF $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

# One object: the programs at TC and XDP share their maps.
$(BUILD)/linked.o: $(BPF_OBJ)
	$(Q)$(BPFTOOL) gen object $@ $^

$(BUILD)/alpnscope.skel.h: $(BUILD)/linked.o
	$(say) SKEL $@
	$(Q)$(BPFTOOL) gen skeleton $< name alpnscope_bpf > $@.tmp
	$(Q)mv $@.tmp $@

# An object of its own: loaded for --library only.
$(BUILD)/library.skel.h: $(BUILD)/library.bpf.o
	$(say) SKEL $@
	$(Q)$(BPFTOOL) gen skeleton $< name library_bpf > $@.tmp
	$(Q)mv $@.tmp $@

# Tests link the modules (never main or a subcommand), sanitizers on.
$(BUILD)/san/%.o: %.c Makefile | $(SKEL)
	$(say) CC $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -std=gnu11 $(WARN) $(SANITIZE) -MMD -MP -c -o $@ $<

$(BUILD)/libtested.a: $(SAN_OBJ)
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^

$(BUILD)/tests/%: tests/unit/%.c $(BUILD)/libtested.a Makefile
	$(say) TEST $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests/lib -std=gnu11 $(WARN) $(SANITIZE) -MMD -MP -o $@ $< \
		$(BUILD)/libtested.a $(LDLIBS) -lcmocka

$(BUILD)/tests/%: tests/prog/%.c $(BUILD)/libtested.a Makefile
	$(say) TEST $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests/lib -std=gnu11 $(WARN) $(SANITIZE) -MMD -MP -o $@ $< \
		$(BUILD)/libtested.a $(LDLIBS) -lcmocka

# Fuzzers: clang's libFuzzer over the modules; the differential test is a program of its own.
$(BUILD)/fuzz/%.o: %.c Makefile | $(SKEL)
	$(say) CC $@
	$(Q)mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

$(BUILD)/fuzz/modules.a: $(FUZZ_OBJ)
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^

$(BUILD)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(BUILD)/fuzz/modules.a Makefile
	$(say) FUZZ $@
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer -MMD -MP -o $@ $< \
		$(BUILD)/fuzz/modules.a $(LDLIBS)

$(BUILD)/fuzz/seeds $(BUILD)/tests/differ: $(BUILD)/libtested.a
$(BUILD)/fuzz/seeds: tests/fuzz/seeds.c Makefile
	$(say) TEST $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests/lib -std=gnu11 $(WARN) $(SANITIZE) -MMD -MP -o $@ $< \
		$(BUILD)/libtested.a $(LDLIBS)

$(BUILD)/tests/differ: tests/fuzz/differ.c Makefile
	$(say) TEST $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests/lib -std=gnu11 $(WARN) $(SANITIZE) -MMD -MP -o $@ $< \
		$(BUILD)/libtested.a $(LDLIBS)

$(BUILD)/fuzz/differ: tests/fuzz/differ.c $(BUILD)/user/native.o Makefile
	$(say) TEST $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests/lib $(ALL_CFLAGS) -MMD -MP -o $@ $< $(BUILD)/user/native.o

# Benchmarks: what they measure is built as what is shipped.
$(BUILD)/bench/%.bpf.o: tests/bench/%.bpf.c Makefile
	$(say) BPF $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/bench/%.skel.h: $(BUILD)/bench/%.bpf.o
	$(say) SKEL $@
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@.tmp
	$(Q)mv $@.tmp $@

$(BUILD)/bench/modules.a: $(BENCH_OBJ)
	$(Q)mkdir -p $(@D)
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^

$(BUILD)/bench/%: tests/bench/%.c $(BUILD)/bench/modules.a Makefile | $(BENCH_SKEL)
	$(say) BENCH $@
	$(Q)$(CC) $(CPPFLAGS) -Itests/lib $(ALL_CFLAGS) -MMD -MP -o $@ $< \
		$(BUILD)/bench/modules.a $(LDLIBS) -lpthread

-include $(wildcard $(BUILD)/*.d $(BUILD)/user/*.d $(BUILD)/san/*.d $(BUILD)/tests/*.d $(BUILD)/fuzz/*.d \
	$(BUILD)/bench/*.d)

tests: all $(UNIT) $(PROG) $(FUZZ) $(BUILD)/tests/differ ## build the test programs, run none

test: test-deps kernels ## install what the tests need, run every test (root for all of them)
	+@$(MAKE) -s --no-print-directory tests $(FAULT_TOOLS)
	@tests/run --timeout 600 $(UNIT) $(PROG) $(BUILD)/tests/differ tests/fuzz/test_fuzz.py \
		tests/corpus/test_corpus.py tests/corpus/test_tls13.py $(LIVE) $(FAULTS) $(KERNELS)

test-faults: test-deps ## what may befall the agent, in full, and the table of it (root, some minutes)
	+@$(MAKE) -s --no-print-directory all $(FAULT_TOOLS)
	@rm -f $(BUILD)/faults.tsv
	@FAULTS_FULL=1 FAULTS_TABLE=$(abspath $(BUILD))/faults.tsv tests/run --timeout 900 $(FAULTS); \
		status=$$?; python3 tests/faults/table.py $(BUILD)/faults.tsv; exit $$status

test-kernels: deps kernels ## the agent on Debian 11 to 13's kernels and the newest, in QEMU
	@tests/run --timeout 600 $(KERNELS)

kernels: # what test-kernels boots
	$(call install_packages,$(KERNEL_PACKAGES))
	tests/kernels/fetch.sh

fuzz: deps ## every fuzzer for FUZZ_SECONDS (60) each; findings in build/fuzz/
	$(call install_packages,$(FUZZ_PACKAGES))
	+@$(MAKE) -s --no-print-directory $(FUZZ)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) python3 tests/fuzz/test_fuzz.py

fuzz-keep: ## merge what the fuzzers found into tests/fuzz/corpus/
	@python3 tests/fuzz/test_fuzz.py --keep

differ: deps ## CASES (10000000) random handshakes, cut, against the same sent whole
	+@$(MAKE) -s --no-print-directory $(BUILD)/fuzz/differ
	@$(BUILD)/fuzz/differ --cases $(CASES)

bench: deps ## what the observer costs, into build/bench.json; BENCH="packet read", BENCH_QUICK=1 (root)
	$(call install_packages,$(BENCH_PACKAGES))
	tests/testroot.sh
	+@$(MAKE) -s --no-print-directory all $(BENCH_TOOLS)
	@python3 tests/bench/run $(if $(filter 1,$(BENCH_QUICK)),--quick) $(BENCH)

soak: deps ## an agent under mixed real and hostile load for SOAK_SECONDS (600); root, make test-deps first
	+@$(MAKE) -s --no-print-directory all
	tests/testroot.sh
	@SOAK_SECONDS=$(SOAK_SECONDS) python3 tests/soak/soak.py

run: deps ## install what building needs, build, observe this host (root)
	+@$(MAKE) -s --no-print-directory all
	@$(BUILD)/alpnscope run

# Installs the missing ones of a list of Debian packages, saying which. None of ours starts
# a daemon.
define install_packages
	@missing=; for p in $(1); do \
		s=$$(dpkg-query -W -f '$${db:Status-Status}' $$p 2>/dev/null); \
		[ "$$s" = installed ] || missing="$$missing $$p"; \
	done; \
	[ -n "$$missing" ] || exit 0; \
	echo "installing Debian packages:$$missing"; \
	[ "$$(id -u)" = 0 ] || { echo "not root; next: sudo apt-get install$$missing" >&2; exit 1; }; \
	export DEBIAN_FRONTEND=noninteractive; mkdir -p $(BUILD); \
	try() { apt-get install -qq -y --no-install-recommends $$missing >$(BUILD)/apt.log 2>&1 </dev/null; }; \
	try || { apt-get update -qq && try; } || { cat $(BUILD)/apt.log >&2; exit 1; }
endef

deps: ## install what building needs (Debian packages; root if some are missing)
	$(call install_packages,$(BUILD_PACKAGES))

test-deps: deps
	$(call install_packages,$(TEST_PACKAGES))
	tests/testroot.sh
	tests/trixie.sh

install: all ## install below DESTDIR PREFIX (default /usr/local)
	install -D -m 0755 $(BUILD)/alpnscope $(DESTDIR)$(PREFIX)/bin/alpnscope
	install -d $(DOC)/docs
	install -m 0644 README.md $(DOC)
	install -m 0644 docs/*.md docs/*.json $(DOC)/docs
	install -d $(DOC)/docs/runbook $(DOC)/deploy/prometheus $(DOC)/deploy/grafana
	install -m 0644 docs/runbook/*.md $(DOC)/docs/runbook
	install -m 0644 deploy/prometheus/*.yml $(DOC)/deploy/prometheus
	install -m 0644 deploy/grafana/*.json $(DOC)/deploy/grafana
	install -d $(UNITS)
	sed 's|/usr/local/|$(PREFIX)/|; s|/etc/|$(SYSCONFDIR)/|' deploy/systemd/alpnscope.service > $(UNITS)/alpnscope.service
	chmod 0644 $(UNITS)/alpnscope.service
	[ -e $(DESTDIR)$(SYSCONFDIR)/alpnscope/alpnscope.yml ] || \
		install -D -m 0644 deploy/alpnscope.yml $(DESTDIR)$(SYSCONFDIR)/alpnscope/alpnscope.yml

uninstall: ## remove what install put there, but for the configuration
	rm -f $(DESTDIR)$(PREFIX)/bin/alpnscope $(UNITS)/alpnscope.service
	rm -rf $(DOC)

clean: ## remove build/, the tests' servers too
	rm -rf $(BUILD)

help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

.PHONY: all tests test test-deps bench soak test-kernels test-faults kernels fuzz fuzz-keep differ run deps install uninstall clean help
.DELETE_ON_ERROR:
.SECONDARY:
