# SPDX-License-Identifier: GPL-2.0-only
#
# The front door.  Each target is a line of help (make help) and a script in scripts/.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules

# What the user may set; the scripts read the rest from the environment.
TARGET ?=
CACHE ?=
MIRROR ?=
V ?=
TARGETS ?=
SIGN_KEY ?=
MODULE_KEY ?=
MODULE_CERT ?=
FUZZ ?=
N ?= 1
VARY ?=
WITHOUT ?=
BUNDLE ?=
FUZZ_SECONDS ?= 600
FULL ?=
DESTDIR ?=
PREFIX ?= /usr/local

DEMO := debian11-5.10.0-32-amd64

# What the user says is text, whatever is in it: for make, and by $(call quote,...) for the shell.
words := TARGET CACHE MIRROR TARGETS SIGN_KEY MODULE_KEY MODULE_CERT FUZZ N VARY WITHOUT BUNDLE DESTDIR PREFIX
$(foreach word,$(words),$(eval override $(word) := $$(value $(word))))
quote = '$(subst ','\'',$(1))'
each = $(foreach word,$(1),$(call quote,$(word)))

ifneq ($(CACHE),)
export CACHE
endif
ifneq ($(MIRROR),)
export MIRROR
endif
export V
export SIGN_KEY MODULE_KEY MODULE_CERT FUZZ_SECONDS FULL VARY WITHOUT

# The target of this run: TARGET=, else the running kernel, else the demo's (a line says which).
target = $(eval target := $$(or $$(TARGET),$$(shell scripts/default-target.sh $$(DEMO))))$(target)
# Whether the modules are signed for the kernel; the result is then in out/signed/.
signs = $(or $(MODULE_KEY),$(MODULE_CERT))
# The targets of a bundle: TARGETS=, else the one above.
bundled = $(or $(TARGETS),$(target))
need := scripts/install-deps.sh
need_check = programs=$$(scripts/programs.sh $(DEMO)) && $(need) curl jq flock unshare xz column $$programs podman skopeo docker-registry qemu-system-x86_64 mke2fs cpio fakeroot depmod cc pkg-config libkmod libcrypto \
	zlib liblzma libelf minisign strace openssl bats git shellcheck cppcheck clang-tidy clang-format readelf setpriv pkill useradd \
	buildah disorderfs faketime clang valgrind diffoscope localedef /usr/share/i18n/locales/en_US taskset /usr/lib/python3/dist-packages/rdflib \
	rpm2cpio rpmbuild rpmsign createrepo_c gpg python3
need_target = programs=$$(scripts/programs.sh $(call quote,$(target))) && $(need) curl jq flock unshare xz $$programs

c_sources := $(wildcard src/*.[ch] src/*/*.[ch] tests/fuzz/*.[ch] tests/sweep/*.c tests/vm/*.c tests/run/*.c tests/parity/*.c tests/parity/*.h)
# What the tests compile, beside tests/parity.
helpers := $(wildcard tests/sweep/*.c tests/vm/*.c tests/run/*.c)
shell_sources := $(wildcard *.sh scripts/*.sh builder/*.sh builder/families/*.sh tests/*/*.sh tests/*/*/*.sh) \
	.ci/run docs/wgkmod.bash-completion
bats_sources := $(wildcard tests/*.bats tests/*/*.bats tests/*/*.bash)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@printf '\nVariables: TARGET= (make targets), CACHE= (folder), MIRROR= (addresses), V=1 (show commands)\n'
	@printf 'Without TARGET: the running kernel if it is known, else %s.\n' '$(DEMO)'

.PHONY: demo
demo: ## the whole job: modules for Debian 11's kernel, booted in a VM, a tunnel through them
	@$(MAKE) --no-print-directory artifacts TARGET=$(DEMO)
	@$(need) curl qemu-system-x86_64 mke2fs cpio fakeroot depmod minisign
	@scripts/fetch.sh $(DEMO) base vm
	@tests/vm/tunnel.sh $(DEMO)

.PHONY: artifacts
artifacts: ## fetch, image, build and proof of one kernel: out/KERNEL/ (MODULE_KEY=, MODULE_CERT=)
	@$(need_target) podman $(if $(signs),openssl)
	@scripts/artifacts.sh $(call quote,$(target))
	@$(if $(signs),scripts/sign-modules.sh $(call quote,$(target)))

.PHONY: bundle
bundle: ## one file for any host: out/KERNEL/wireguard-KERNEL.tar (SIGN_KEY=, TARGETS="A B")
	@$(if $(SIGN_KEY),$(need) minisign)
	@for name in $(call each,$(bundled)); do $(MAKE) --no-print-directory artifacts TARGET="$$name"; done
	@$(if $(signs),OUT="$${OUT:-out}/signed") scripts/bundle.sh $(call each,$(bundled))

.PHONY: targets
targets: ## the kernels that are known
	@scripts/targets.sh

.PHONY: explain
explain: ## the closure of one kernel: each symbol, who selects it, what is built and why
	@$(need_target) podman
	@scripts/explain.sh $(call quote,$(target))

.PHONY: lock
lock: ## resolve one kernel's inputs to digests: targets/NAME.lock (network)
	@programs=$$(scripts/programs.sh $(call quote,$(target)) lock) && $(need) $$programs
	@scripts/lock.sh $(call quote,$(target))

.PHONY: fetch
fetch: ## download what the lock names into the cache (network)
	@$(need_target)
	@scripts/fetch.sh $(call quote,$(target))

.PHONY: image
image: ## the builder image of one kernel, from the cache alone
	@$(need_target) podman
	@scripts/image.sh $(call quote,$(target))

# What needs the stand-in's kernels, what takes long, and the rest.
al8_tests := $(wildcard tests/*-al8*.bats)
vm_tests := $(wildcard tests/220-*.bats tests/230-*.bats tests/410-*.bats tests/411-*.bats)
check_tests := $(filter-out $(al8_tests) $(vm_tests),$(wildcard tests/*.bats))

.PHONY: check
check: ## the tests: lint, every part of wgkmod and of the builder, one real build, one boot
	@$(need_check)
	@tests/run/check.sh $(check_tests)

.PHONY: check-vm
check-vm: ## the tests that take long: builds under other surroundings, parity, modules in a real kernel
	@$(need_check)
	@tests/run/check.sh $(vm_tests) $(if $(FULL),$(wildcard tests/full/*.bats))

.PHONY: check-al8
check-al8: ## the tests on the stand-in for Alibaba Cloud Linux 3, which they make first
	@$(need_check)
	@tests/run/check.sh $(al8_tests)

# The programs that the proofs need; "all" means every target that has a kernel to prove.
proof_target = $(if $(filter all,$(TARGET)),$(DEMO),$(target))
need_proof = programs=$$(scripts/programs.sh $(call quote,$(proof_target))) && $(need) curl jq flock unshare xz podman column $$programs

.PHONY: parity
parity: ## our modules against those of the kernel's own package, byte by byte (TARGET=all: a table)
	@$(need_proof) cc pkg-config libelf
	@tests/run/proofs.sh parity $(call quote,$(or $(TARGET),$(target)))

.PHONY: boot
boot: ## the kernel in a VM, our modules, a tunnel through them (TARGET=all: a table)
	@$(need_proof) qemu-system-x86_64 mke2fs cpio fakeroot depmod minisign
	@tests/run/proofs.sh boot $(call quote,$(or $(TARGET),$(target)))

# A second target for what has to hold of more than one, and the newest series for upstream's test.
SECOND := debian13-6.12.117+deb13-amd64
NEWEST := debian13-7.3.4+deb13-amd64

.PHONY: check-full
check-full: ## everything, nothing sampled (hours): the tests, then each proof, and bench; a list at the end
	@tests/run/check-full.sh 'check FULL=1' check-al8 'check-vm FULL=1' powercut memory fuzz 'parity TARGET=all' 'boot TARGET=all' \
		'repro TARGET=$(SECOND) N=5' 'selftest TARGET=$(NEWEST)' bench

.PHONY: powercut
powercut: ## the power is cut at random moments of an install on ext4, xfs and btrfs, in the VM
	@$(MAKE) --no-print-directory artifacts TARGET=$(DEMO)
	@$(need) curl qemu-system-x86_64 mke2fs mkfs.xfs mkfs.btrfs cpio fakeroot depmod minisign cc
	@scripts/fetch.sh $(DEMO) base vm
	@tests/vm/powercut.sh $(DEMO)

.PHONY: memory
memory: ## the tests of wgkmod under ASan and UBSan, and again under valgrind
	@$(need_target) cc pkg-config libkmod libcrypto zlib liblzma minisign strace openssl bats depmod valgrind setpriv cpio pkill
	@scripts/fetch.sh $(DEMO)
	@tests/run/memory.sh

.PHONY: selftest
selftest: ## upstream's own test of WireGuard, netns.sh, on the stock kernel in a VM with our modules
	@$(need_target) podman qemu-system-x86_64 mke2fs cpio fakeroot depmod minisign
	@$(MAKE) --no-print-directory artifacts TARGET=$(call quote,$(target))
	@scripts/fetch.sh $(call quote,$(target)) base source vm
	@tests/vm/selftest.sh $(call quote,$(target))

.PHONY: repro
repro: ## build N= times under another path, user, clock, host, locale, file order ...: the same bits?
	@$(need_target) podman buildah disorderfs faketime diffoscope localedef /usr/share/i18n/locales/en_US useradd setpriv taskset pkill
	@scripts/fetch.sh $(call quote,$(target))
	@tests/run/repro.sh $(call quote,$(target)) $(call quote,$(N))

.PHONY: rebuild
rebuild: ## make the bundle BUNDLE= again from what its provenance names, and compare
	@$(if $(BUNDLE),,echo 'usage: make rebuild BUNDLE=file' >&2; exit 2)
	@$(need) curl jq flock unshare xz git tar podman
	@scripts/rebuild.sh $(call quote,$(BUNDLE))

.PHONY: fuzz
fuzz: ## fuzz what reads bundles, signatures, modules, symbol tables and states: FUZZ_SECONDS= each (600)
	@$(need) clang pkg-config libkmod libcrypto zlib liblzma minisign depmod curl jq flock unshare xz dpkg-deb
	@scripts/fetch.sh $(DEMO) vm
	@tests/run/fuzz.sh $(call each,$(FUZZ))

.PHONY: bench
bench: ## the figures: the build against the bare compile and by hand; an install against depmod and dkms
	@$(need_target) podman depmod dkms strace cc pkg-config libkmod libcrypto zlib liblzma
	@tests/run/bench.sh $(DEMO)
	@tests/run/bench-install.sh $(DEMO)

.PHONY: lint
lint: ## what reads the sources: shellcheck, gcc -fanalyzer, cppcheck, clang-tidy, clang-format
	@$(need) shellcheck cppcheck clang-tidy clang-format cc pkg-config libkmod libcrypto zlib liblzma libelf
	shellcheck --external-sources $(shell_sources) $(bats_sources)
	clang-format --dry-run --Werror $(c_sources)
	$(MAKE) --no-print-directory -C src lint
	$(MAKE) --no-print-directory -C tests/parity lint
	for file in $(helpers); do $(CC) -std=gnu11 -O2 -fPIC -Wall -Wextra -Wshadow -Wformat=2 -fanalyzer \
		-Wno-analyzer-malloc-leak -Werror -c -o /dev/null $$file || exit 1; done
	cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr -D_GNU_SOURCE -D__x86_64__ -D__LP64__ \
		--enable=warning,portability,performance --suppress=missingIncludeSystem --suppress=memleak $(helpers) tests/fuzz
	clang-tidy --quiet --warnings-as-errors='*' $(helpers) -- -std=gnu11 2>/dev/null

.PHONY: format
format: ## clang-format over the sources in C
	@$(need) clang-format
	clang-format -i $(c_sources)

# What make install puts below DESTDIR and PREFIX.
sbin := $(DESTDIR)$(PREFIX)/sbin
man8 := $(DESTDIR)$(PREFIX)/share/man/man8
completions := $(DESTDIR)$(PREFIX)/share/bash-completion/completions

# The release, and in a clone the commit.
version = $(shell cat VERSION)$(shell git describe --always --dirty --exclude='*' 2>/dev/null | sed 's/^/-g/')

.PHONY: install
install: ## wgkmod, its manual page and completion, below PREFIX= (/usr/local) and DESTDIR=
	@$(need) cc pkg-config libkmod libcrypto zlib liblzma
	@$(MAKE) --no-print-directory -C src O=$(CURDIR)/out/install VERSION=$(call quote,$(version))
	install -D -m 755 out/install/wgkmod $(call quote,$(sbin)/wgkmod)
	install -D -m 644 docs/wgkmod.8 $(call quote,$(man8)/wgkmod.8)
	install -D -m 644 docs/wgkmod.bash-completion $(call quote,$(completions)/wgkmod)

.PHONY: uninstall
uninstall: ## takes out what make install put there
	rm -f $(call quote,$(sbin)/wgkmod) $(call quote,$(man8)/wgkmod.8) $(call quote,$(completions)/wgkmod)

.PHONY: clean
clean: ## removes out/; the cache and the images of podman stay
	rm -rf out
	$(MAKE) --no-print-directory -C src clean

.PHONY: clean-images
clean-images: ## removes the images that wgkmod made, of all targets and versions
	@$(need) podman
	podman ps --all --format '{{.ID}} {{.Image}}' | awk '$$2 ~ "^localhost/wgkmod-" { print $$1 }' | xargs --no-run-if-empty podman rm
	podman image ls --format '{{.Repository}}:{{.Tag}}' | awk '/^localhost\/wgkmod-/' | xargs --no-run-if-empty podman image rm
