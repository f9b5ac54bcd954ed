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
FUZZ ?=
FUZZ_SECONDS ?= 600
DESTDIR ?=
PREFIX ?= /usr/local

DEMO := debian11-5.10.0-32-amd64

ifneq ($(CACHE),)
export CACHE
endif
ifneq ($(MIRROR),)
export MIRROR
endif
export V
export SIGN_KEY FUZZ_SECONDS

# The target of this run: TARGET=, else the running kernel, else the demo's (a line says which).
target = $(eval target := $(or $(TARGET),$(shell scripts/default-target.sh $(DEMO))))$(target)
# The targets of a bundle: TARGETS=, else the one above.
bundled = $(or $(TARGETS),$(target))
need := scripts/need.sh
need_target = programs=$$(scripts/programs.sh $(target)) && $(need) curl jq flock unshare xz $$programs

c_sources := $(wildcard src/*.c src/*.h tests/fuzz/*.c)
shell_sources := build.sh closure.sh $(wildcard scripts/*.sh families/*.sh tests/vm/*.sh tests/vm/guest/*.sh) .ci/run \
	docs/wgkmod.bash-completion
bats_sources := $(wildcard tests/*.bats tests/*.bash)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@printf '\nVariables: TARGET= (make targets), CACHE= (folder), MIRROR= (addresses), V=1 (show commands)\n'
	@printf 'Without TARGET: the running kernel if it is known, else %s.\n' '$(DEMO)'

.PHONY: demo
demo: ## the whole job: modules for Debian 11's kernel, booted in a VM, a tunnel through them
	@$(MAKE) --no-print-directory artifacts TARGET=$(DEMO)
	@$(need) curl qemu-system-x86_64 mke2fs cpio fakeroot depmod minisign
	@scripts/fetch.sh $(DEMO) base vm
	@tests/vm/tunnel.sh $(DEMO)

.PHONY: artifacts
artifacts: ## fetch, image, build and proof of one kernel: out/KERNEL/
	@$(need_target) podman
	@scripts/artifacts.sh $(target)

.PHONY: bundle
bundle: ## one file for any host: out/KERNEL/wireguard-KERNEL.tar (SIGN_KEY=, TARGETS="A B")
	@$(if $(SIGN_KEY),$(need) minisign)
	@for name in $(bundled); do $(MAKE) --no-print-directory artifacts TARGET="$$name"; done
	@scripts/bundle.sh $(bundled)

.PHONY: targets
targets: ## the kernels that are known
	@scripts/targets.sh

.PHONY: explain
explain: ## the closure of one kernel: each symbol, who selects it, what is built and why
	@$(need_target) podman
	@scripts/explain.sh $(target)

.PHONY: lock
lock: ## resolve one kernel's inputs to digests: targets/NAME.lock (network)
	@programs=$$(scripts/programs.sh $(target) lock) && $(need) $$programs
	@scripts/lock.sh $(target)

.PHONY: fetch
fetch: ## download what the lock names into the cache (network)
	@$(need_target)
	@scripts/fetch.sh $(target)

.PHONY: image
image: ## the builder image of one kernel, from the cache alone
	@$(need_target) podman
	@scripts/image.sh $(target)

.PHONY: check
check: ## the tests
	@programs=$$(scripts/programs.sh $(DEMO)) && $(need) curl jq flock unshare xz $$programs podman skopeo docker-registry qemu-system-x86_64 mke2fs cpio fakeroot depmod cc pkg-config libkmod libcrypto \
		libarchive minisign strace openssl bats git shellcheck cppcheck clang-tidy clang-format readelf setpriv pkill useradd
	@scripts/check.sh

.PHONY: fuzz
fuzz: ## fuzz what reads bundles, signatures, symbol tables and states: FUZZ_SECONDS= each (600)
	@$(need) clang pkg-config libkmod libcrypto libarchive minisign
	@scripts/fuzz.sh $(FUZZ)

.PHONY: bench
bench: ## the figures: the build against the bare compile and the hand procedure, in one run
	@$(need_target) podman
	@scripts/bench.sh $(DEMO)

.PHONY: lint
lint: ## what reads the sources: shellcheck, gcc -fanalyzer, cppcheck, clang-tidy, clang-format
	@$(need) shellcheck cppcheck clang-tidy clang-format cc pkg-config libkmod libcrypto libarchive
	shellcheck --external-sources $(shell_sources) $(bats_sources)
	clang-format --dry-run --Werror $(c_sources)
	$(MAKE) --no-print-directory -C src lint

.PHONY: format
format: ## clang-format over src/
	@$(need) clang-format
	clang-format -i $(c_sources)

# What make install puts below DESTDIR and PREFIX.
sbin := $(DESTDIR)$(PREFIX)/sbin
man8 := $(DESTDIR)$(PREFIX)/share/man/man8
completions := $(DESTDIR)$(PREFIX)/share/bash-completion/completions

.PHONY: install
install: ## wgkmod, its manual page and completion, below PREFIX= (/usr/local) and DESTDIR=
	@$(need) cc pkg-config libkmod libcrypto libarchive
	@$(MAKE) --no-print-directory -C src O=$(CURDIR)/out/install
	install -D -m 755 out/install/wgkmod '$(sbin)/wgkmod'
	install -D -m 644 docs/wgkmod.8 '$(man8)/wgkmod.8'
	install -D -m 644 docs/wgkmod.bash-completion '$(completions)/wgkmod'

.PHONY: uninstall
uninstall: ## takes out what make install put there
	rm -f '$(sbin)/wgkmod' '$(man8)/wgkmod.8' '$(completions)/wgkmod'

.PHONY: clean
clean: ## removes out/; the cache and the images of podman stay
	rm -rf out
	$(MAKE) --no-print-directory -C src clean

.PHONY: clean-images
clean-images: ## removes the images that wgkmod made, of all targets and versions
	@$(need) podman
	podman image ls --quiet --filter 'reference=localhost/wgkmod-*' | sort -u | xargs --no-run-if-empty podman image rm --force
