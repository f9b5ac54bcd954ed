# SPDX-License-Identifier: GPL-2.0-only
#
# The commands of the project.  Each has a line in make help and runs a script.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules

ifeq ($(shell test -x scripts/fetch.sh && echo yes),)
$(error no script of '$(CURDIR)' can be executed: its file system may be mounted noexec; \
	use a clone on another one)
endif

# The variables that the user may set; the scripts read others from the environment.
TARGET ?=
CACHE ?=
MIRROR ?=
V ?=
TARGETS ?=
SIGN_KEY ?=
MODULE_KEY ?=
MODULE_CERT ?=
FUZZ ?=
FILES ?=
N ?= 1
VARY ?=
WITHOUT ?=
BUNDLE ?=
FUZZ_SECONDS ?= 600
FULL ?=
LIST ?=
INDEX ?=
DEST ?=
DESTDIR ?=
PREFIX ?= /usr/local
BASE_URL ?=
REGISTRY ?=
REPLACE ?=
UNPROVEN ?=
REPRO ?=
COUNT ?=
WITHDRAW ?=
WHY ?=
OLD_KEY ?=
FROM ?=
PUBLIC_KEY ?=
PUBLISHED ?=
SHARDS ?=

DEMO := debian11-5.10.0-32-amd64
# Kernels of one version and one toolchain, for make bench-many.
benched := $(DEMO) debian11-5.10.0-32-cloud-amd64 debian11-5.10.0-32-rt-amd64

# Values of the user are only text: make does not expand them, and $(call quote,...) quotes them for the shell.
words := FILES TARGET CACHE MIRROR TARGETS LIST INDEX DEST SIGN_KEY MODULE_KEY MODULE_CERT FUZZ N VARY WITHOUT \
	BUNDLE DESTDIR PREFIX BASE_URL REGISTRY FROM PUBLIC_KEY PUBLISHED SHARDS WITHDRAW WHY OLD_KEY COUNT
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
export SIGN_KEY MODULE_KEY MODULE_CERT FUZZ_SECONDS FULL VARY WITHOUT BASE_URL REGISTRY REPLACE UNPROVEN SHARDS
export WITHDRAW WHY OLD_KEY PUBLIC_KEY REPRO

# The target of this run: TARGET=, else that of the running kernel, else the demo's; a line says which.
target = $(eval target := $$(or $$(TARGET),$$(shell scripts/default-target.sh $$(DEMO))))$(target)
# Not empty if the modules are signed for the kernel; the result is then in out/signed/.
signs = $(or $(MODULE_KEY),$(MODULE_CERT))
# The names in TARGETS=; "all" means each target with a complete lock.
many = $(if $(filter all,$(TARGETS)),$(shell cluster/targets.sh),$(TARGETS))
many_unlocked = $(if $(filter all,$(TARGETS)),$(shell cluster/targets.sh --unlocked),$(many))
# The targets that the user named; what goes to others takes no default.
named = $(or $(many),$(TARGET))
# The targets of a bundle: TARGETS=, else the target of this run.
bundled = $(or $(many),$(target))
bundle_each = for name in $(call each,$(named)); do $(MAKE) --no-print-directory bundle TARGETS= TARGET="$$name"; done
pack_usage = echo 'usage: make $@ DEST=directory SIGN_KEY=file PUBLIC_KEY=file TARGETS="A B"' >&2; exit 2
need := scripts/install-deps.sh
need_check = programs=$$(scripts/programs.sh $(DEMO)) && \
	$(need) @fetch @image @vm @c @lint @memory @fuzz @disks @check $(if $(filter check-vm,$(asked)),@repro @bench @proof) \
		$$programs
need_target = programs=$$(scripts/programs.sh $(call quote,$(target))) && $(need) @fetch $$programs

c_sources := $(wildcard builder/*.c src/*.[ch] src/*/*.[ch]) \
	$(wildcard tests/fuzz/*.[ch] tests/parity/*.[ch] tests/run/*.c tests/sweep/*.c tests/vm/*.c)
# The programs that the tests compile, besides tests/parity.
helpers := $(wildcard tests/sweep/*.c tests/vm/*.c tests/run/*.c)
shell_sources := $(wildcard *.sh cluster/*.sh cluster/*/*.sh delivery/*.sh scripts/*.sh scripts/lib/*.sh) \
	$(wildcard builder/*.sh builder/families/*.sh) \
	$(wildcard delivery/media/*.sh) \
	$(wildcard tests/*/*.sh tests/*/*/*.sh) hooks/10-wgkmod.install hooks/debian hooks/guard hooks/wgkmod.sh \
	.ci/run docs/wgkmod.bash-completion
bats_sources := $(wildcard tests/*.bats tests/*/*.bats tests/*/*.bash)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@printf '\nVariables: TARGET= (make targets), CACHE= (directory), MIRROR= (addresses), V=1 (show commands)\n'
	@printf 'Without TARGET: the running kernel if targets/ has it, else %s.\n' '$(DEMO)'

.PHONY: demo
demo: ## the whole job: modules for Debian 11's kernel, booted in a VM, a tunnel through them
	@$(MAKE) --no-print-directory artifacts TARGET=$(DEMO)
	@$(need) @vm
	@scripts/fetch.sh $(DEMO) base vm
	@tests/vm/tunnel.sh $(DEMO)

.PHONY: artifacts
artifacts: ## fetch, image, build and proof: out/KERNEL/ (TARGETS="A B"|all, MODULE_KEY=, MODULE_CERT=)
	@$(if $(TARGETS),$(need) @fetch,$(need_target)) @image $(if $(signs),@sign)
	@$(if $(TARGETS),cluster/many.sh artifacts $(call each,$(many)),scripts/artifacts.sh $(call quote,$(target)))
	@$(if $(TARGETS),,$(if $(signs),scripts/sign-modules.sh $(call quote,$(target))))

.PHONY: bundle
bundle: ## one file for any host: out/KERNEL/wireguard-KERNEL.tar (SIGN_KEY=, TARGETS="A B"|all)
	@$(if $(SIGN_KEY),$(need) @sign)
	@$(MAKE) --no-print-directory artifacts \
		$(if $(TARGETS),TARGETS=$(call quote,$(TARGETS)),TARGET=$(call quote,$(bundled)))
	@$(if $(signs),OUT="$${OUT:-out}/signed") scripts/bundle.sh $(call each,$(bundled))

.PHONY: rpm
rpm: ## make RPM packages and their repository DEST/rpm (DEST=, TARGETS="A B", SIGN_KEY=, PUBLIC_KEY=, GPG_KEY=)
	@$(if $(and $(DEST),$(named)),,$(pack_usage))
	@$(need) @fetch @rpm @sign
	@$(bundle_each)
	@delivery/rpm.sh $(call quote,$(DEST)) $(call each,$(named))

.PHONY: media
media: ## fill a medium for hosts without network, DEST= (the variables of make rpm)
	@$(if $(and $(DEST),$(named)),,$(pack_usage))
	@$(need) @fetch @rpm @sign
	@$(bundle_each)
	@delivery/media.sh $(call quote,$(DEST)) $(call each,$(named))

.PHONY: one
one: ## build line INDEX= of the file LIST= and put it into DEST=, which machines may share (cluster/)
	@$(if $(and $(LIST),$(INDEX),$(DEST)),,echo 'usage: make one LIST=file INDEX=line DEST=directory' >&2; exit 2)
	@$(need) @fetch @image
	@cluster/one.sh $(call quote,$(LIST)) $(call quote,$(INDEX)) $(call quote,$(DEST))

.PHONY: collect
collect: ## verify what make one put into DEST= for each target of LIST=, and list it in DEST/kernels
	@$(if $(and $(LIST),$(DEST)),,echo 'usage: make collect LIST=file DEST=directory' >&2; exit 2)
	@$(need) @fetch
	@cluster/collect.sh $(call quote,$(LIST)) $(call quote,$(DEST))

.PHONY: publish
publish: ## build, prove and publish what changed of TARGETS=: DEST=, SIGN_KEY= (WITHDRAW= WHY=, REPLACE=1)
	@$(if $(and $(DEST),$(SIGN_KEY)),,echo 'usage: make publish DEST=dir SIGN_KEY=file [TARGETS="A B"]' >&2; exit 2)
	@$(need) @publish
	@$(if $(named),names=$$(delivery/changed.sh $(call quote,$(DEST)/index.json) $(call each,$(named))) && \
	for name in $$names; do \
		$(MAKE) --no-print-directory bundle TARGETS= TARGET="$$name"; \
		$(if $(UNPROVEN),,$(MAKE) --no-print-directory prove TARGETS= TARGET="$$name";) \
	done)
	@delivery/publish.sh $(call quote,$(DEST)) $(call each,$(named))

.PHONY: prove
prove: ## the proofs that publishing needs, beside the bundle: boot with a tunnel, parity (TARGETS="A B", REPRO=1)
	@$(need) @fetch @image @vm @proof @c libelf $(if $(REPRO),@repro)
	@for name in $(call each,$(bundled)); do delivery/prove.sh "$$name"; done

.PHONY: pull
pull: ## copy a published web root and verify all of it: FROM=address, DEST=, PUBLIC_KEY=public key
	@$(if $(and $(FROM),$(DEST),$(PUBLIC_KEY)),,\
		echo 'usage: make pull FROM=https://... DEST=dir PUBLIC_KEY=file.pub' >&2; exit 2)
	@$(need) @publish
	@delivery/pull.sh $(call quote,$(FROM)) $(call quote,$(DEST)) $(call quote,$(PUBLIC_KEY))

.PHONY: matrix
matrix: ## print the kernels that changed since PUBLISHED=index.json, for a CI matrix (TARGETS="A B", SHARDS=)
	@$(need) @publish
	@delivery/matrix.sh $(call quote,$(or $(PUBLISHED),/nonexistent)) \
		$(call each,$(or $(many),$(shell cluster/targets.sh)))

.PHONY: kmm
kmm: ## print the resource for Kubernetes' Kernel Module Management, of what DEST= has in its REGISTRY=
	@$(if $(DEST),,echo 'usage: make kmm DEST=dir' >&2; exit 2)
	@$(need) @publish
	@delivery/kmm.sh $(call quote,$(DEST)/index.json)

.PHONY: targets
targets: ## the known kernels
	@scripts/targets.sh

.PHONY: explain
explain: ## the closure of one kernel: each symbol, who selects it, what is built and why
	@$(need_target) @image
	@scripts/explain.sh $(call quote,$(target))

.PHONY: lock
lock: ## resolve a kernel's inputs to digests: targets/NAME.lock (network; TARGETS="A B"|all)
	@$(if $(TARGETS),$(need) @fetch,programs=$$(scripts/programs.sh $(call quote,$(target)) lock) && $(need) $$programs)
	@$(if $(TARGETS),cluster/many.sh lock $(call each,$(many_unlocked)),scripts/lock.sh $(call quote,$(target)))

.PHONY: fetch
fetch: ## download the files of the lock into the cache (network; TARGETS="A B"|all)
	@$(if $(TARGETS),$(need) @fetch,$(need_target))
	@$(if $(TARGETS),cluster/many.sh fetch $(call each,$(many)),scripts/fetch.sh $(call quote,$(target)))

.PHONY: image
image: ## the builder image of one kernel, from the cache alone (TARGETS="A B"|all)
	@$(if $(TARGETS),$(need) @fetch,$(need_target)) @image
	@$(if $(TARGETS),cluster/many.sh image $(call each,$(many)),scripts/image.sh $(call quote,$(target)))

# The groups of tests.  Those that one call of make names run at once, by the first of them: check.sh balances its two
# lanes over all of them.
groups := check check-builder check-al8 check-delivery check-vm
asked := $(filter $(groups),$(MAKECMDGOALS))
run_asked = $(if $(filter $@,$(firstword $(asked))),tests/run/check.sh $(foreach group,$(asked),$(tests_of_$(group))))

tests_of_check-al8 := $(wildcard tests/*-al8*.bats)
tests_of_check-delivery := $(filter-out $(tests_of_check-al8),$(wildcard tests/160-*.bats tests/6*.bats))
tests_of_check-vm := $(wildcard tests/220-*.bats tests/230-*.bats tests/41[01]-*.bats tests/450-*.bats tests/71*.bats) \
	$(if $(FULL),$(wildcard tests/full/*.bats))
tests_of_check-builder := $(filter-out tests/100-% $(foreach group,$(groups),$(tests_of_$(group))), \
	$(wildcard tests/[12]*.bats))
tests_of_check := $(filter-out $(foreach group,$(groups),$(tests_of_$(group))),$(wildcard tests/*.bats))

.PHONY: check
check: ## the tests: lint, every part of wgkmod, one real build, one boot
	@$(need_check)
	@$(run_asked)

.PHONY: check-builder
check-builder: ## the tests of the builder: locks, cache, images, the closure, what a build must refuse
	@$(need_check)
	@$(run_asked)

.PHONY: check-delivery
check-delivery: ## the tests of what publishes: web root, registry, CI, and of a cluster with Slurm
	@$(need_check)
	@$(run_asked)

.PHONY: check-vm
check-vm: ## the tests that take long: builds elsewhere, parity, modules in a real kernel
	@$(need_check)
	@$(run_asked)

.PHONY: check-al8
check-al8: ## the tests on the stand-in for Alibaba Cloud Linux 3, which is made first
	@$(need_check)
	@$(run_asked)

# The programs that the proofs need, and the targets; "all" means every target that has a kernel to prove.
proof_target = $(if $(or $(TARGETS),$(filter all,$(TARGET))),$(DEMO),$(target))
proved = $(or $(call each,$(TARGETS)),$(call quote,$(or $(TARGET),$(target))))
need_proof = programs=$$(scripts/programs.sh $(call quote,$(proof_target))) && $(need) @fetch @image @proof $$programs

.PHONY: parity
parity: ## our modules against those of the kernel's own package, byte by byte (TARGETS="A B"|all: a table)
	@$(need_proof) @c libelf
	@tests/run/proofs.sh parity $(proved)

.PHONY: boot
boot: ## the kernel in a VM, our modules, a tunnel through them (TARGETS="A B"|all: a table)
	@$(need_proof) @vm
	@tests/run/proofs.sh boot $(proved)

# A second target for make repro, and one of the newest series for upstream's test.
SECOND := debian13-6.12.117+deb13-amd64
NEWEST := debian13-7.3.4+deb13-amd64

.PHONY: check-full
check-full: ## everything, nothing sampled (hours): the tests, then each proof, and bench; a list at the end
	@tests/run/check-full.sh 'check FULL=1' 'check-builder FULL=1' 'check-al8 FULL=1' 'check-delivery FULL=1' \
		'check-vm FULL=1' powercut memory fuzz \
		'parity TARGET=all' 'boot TARGET=all' 'repro TARGET=$(SECOND) N=5' 'selftest TARGET=$(NEWEST)' bench

.PHONY: powercut
powercut: ## cut the power at random moments of an install on ext4, xfs and btrfs, in the VM
	@$(MAKE) --no-print-directory artifacts TARGET=$(DEMO)
	@$(need) @vm @disks @c
	@scripts/fetch.sh $(DEMO) base vm
	@tests/vm/powercut.sh $(DEMO)

.PHONY: memory
memory: ## the tests of wgkmod under ASan and UBSan, and again under valgrind (FILES=tests/X.bats)
	@$(need_target) @c @sign @memory
	@scripts/fetch.sh $(DEMO)
	@tests/run/memory.sh $(call each,$(FILES))

.PHONY: selftest
selftest: ## upstream's own test of WireGuard, netns.sh, on the stock kernel in a VM with our modules
	@$(need_target) @image @vm
	@$(MAKE) --no-print-directory artifacts TARGET=$(call quote,$(target))
	@scripts/fetch.sh $(call quote,$(target)) base source vm
	@tests/vm/selftest.sh $(call quote,$(target))

.PHONY: repro
repro: ## build N= times under another path, user, clock, host, locale, file order ...: the same bits?
	@$(need_target) @image @repro
	@scripts/fetch.sh $(call quote,$(target))
	@tests/run/repro.sh $(call quote,$(target)) $(call quote,$(N))

.PHONY: rebuild
rebuild: ## make the bundle BUNDLE= again from the sources that its provenance names, and compare
	@$(if $(BUNDLE),,echo 'usage: make rebuild BUNDLE=file' >&2; exit 2)
	@$(need) @fetch @image @rebuild
	@scripts/rebuild.sh $(call quote,$(BUNDLE))

.PHONY: fuzz
fuzz: ## fuzz the readers of bundles, signatures, modules, tables, states, loaders: FUZZ_SECONDS= each (600)
	@$(need) @fetch @fuzz @c @sign dpkg-deb
	@scripts/fetch.sh $(DEMO) vm
	@tests/run/fuzz.sh $(call each,$(FUZZ))

.PHONY: bench
bench: ## measure the build against the bare compile and by hand, an install against depmod and dkms
	@$(need_target) @image @bench @c
	@tests/run/bench.sh $(DEMO)
	@tests/run/bench-install.sh $(DEMO)

.PHONY: bench-many
bench-many: ## measure what each further kernel costs, alone and all at once (TARGETS="A B"|all, COUNT=30: found ones)
	@$(need_target) @image
	@$(if $(COUNT),names=$$(tests/run/find-kernels.sh $(call quote,$(COUNT)) out/kernels) && TARGET_DIR=out/kernels) \
		tests/run/bench-many.sh $(if $(COUNT),$$names,$(call each,$(or $(many),$(benched))))

.PHONY: figures
figures: ## take the figures that commands wrote into out/figures.txt over into the documents
	@tests/run/figures.sh

# The width of kernels.sh is not measured: any change of it compiles the kernels of the stand-in again.
.PHONY: lint
lint: ## the linters: shellcheck, gcc -fanalyzer, cppcheck, clang-tidy (FULL=1: with its analyzer), clang-format
	@$(need) @lint
	shellcheck --external-sources $(shell_sources) $(bats_sources)
	codespell --skip=package-lock.json --ignore-words-list=extraversion,asymmetri,relaese,inh,fpr,nown,msdos \
		*.md docs src ansible ci cluster delivery hooks scripts builder tests targets Makefile Containerfile build.sh
	clang-format --dry-run --Werror $(c_sources)
	$(MAKE) --no-print-directory -C src lint
	$(MAKE) --no-print-directory -C tests/parity lint
	for file in $(helpers); do $(CC) -std=gnu11 -O2 -fPIC -Wall -Wextra -Wshadow -Wformat=2 -fanalyzer \
		-Wno-analyzer-malloc-leak -Werror -c -o /dev/null $$file || exit 1; done
	cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr -D_GNU_SOURCE -D__x86_64__ -D__LP64__ \
		--enable=warning,portability,performance --suppress=missingIncludeSystem --suppress=memleak $(helpers) tests/fuzz
	clang-tidy --quiet $(if $(FULL),,'--checks=-clang-analyzer-*') --warnings-as-errors='*' \
		$(helpers) -- -std=gnu11 2>/dev/null
	for file in $(wildcard src/*.[ch] src/*/*.[ch]); do expand -t 8 $$file | awk -v file=$$file 'length > 90 { \
		printf "%s:%d: %d columns, at most 90\n", file, FNR, length; wide = 1 } END { exit wide }' || exit 1; done
	awk 'length > 120 { printf "%s:%d: %d columns, at most 120\n", FILENAME, FNR, length; wide = 1 } \
		END { exit wide }' $(filter-out tests/al8/kernels.sh,$(shell_sources)) $(bats_sources) Makefile Containerfile

.PHONY: format
format: ## clang-format over the sources in C
	@$(need) clang-format
	clang-format -i $(c_sources)

# The directories of make install.
sbin := $(DESTDIR)$(PREFIX)/sbin
man8 := $(DESTDIR)$(PREFIX)/share/man/man8
completions := $(DESTDIR)$(PREFIX)/share/bash-completion/completions

# Where kernel-install, Debian's packages, systemd and a login look: below /usr for a package, else below /etc.
as_package := $(filter /usr,$(PREFIX))
libexec := $(PREFIX)/lib/wgkmod
plugin := $(DESTDIR)$(if $(as_package),/usr/lib,/etc)/kernel/install.d/10-wgkmod.install
units := $(DESTDIR)$(if $(as_package),/usr/lib,/etc)/systemd/system
debian := $(DESTDIR)/etc/kernel
login := $(DESTDIR)/etc/profile.d/wgkmod.sh

# The release, and in a clone also the commit.
version = $(shell cat VERSION)$(shell git describe --always --dirty --exclude='*' 2>/dev/null | sed 's/^/-g/')

.PHONY: install
install: ## wgkmod, its manual page, completion and hooks, below PREFIX= (/usr/local) and DESTDIR=
	@$(need) @c
	@$(MAKE) --no-print-directory -C src O=$(CURDIR)/out/install VERSION=$(call quote,$(version))
	install -D -m 755 out/install/wgkmod $(call quote,$(sbin)/wgkmod)
	install -D -m 644 docs/wgkmod.8 $(call quote,$(man8)/wgkmod.8)
	install -D -m 644 docs/wgkmod.bash-completion $(call quote,$(completions)/wgkmod)
	install -D -m 755 hooks/10-wgkmod.install $(call quote,$(plugin))
	for when in postinst prerm postrm; do \
		install -D -m 755 hooks/debian $(call quote,$(debian))/$$when.d/wgkmod; done
	install -D -m 755 hooks/guard $(call quote,$(DESTDIR)$(libexec)/guard)
	install -D -m 644 hooks/wgkmod.sh $(call quote,$(login))
	install -D -m 644 hooks/wgkmod-guard.timer $(call quote,$(units)/wgkmod-guard.timer)
	sed 's|LIBEXEC|'$(call quote,$(libexec))'|' hooks/wgkmod-guard.service >out/install/wgkmod-guard.service
	install -D -m 644 out/install/wgkmod-guard.service $(call quote,$(units)/wgkmod-guard.service)

.PHONY: uninstall
uninstall: ## remove the files of make install
	rm -f $(call quote,$(sbin)/wgkmod) $(call quote,$(man8)/wgkmod.8) $(call quote,$(completions)/wgkmod) \
		$(call quote,$(plugin)) $(call quote,$(debian))/{postinst,prerm,postrm}.d/wgkmod $(call quote,$(login)) \
		$(call quote,$(DESTDIR)$(libexec)/guard) $(call quote,$(units))/wgkmod-guard.{service,timer}

.PHONY: clean
clean: ## remove out/; the cache and podman's images stay
	rm -rf out
	$(MAKE) --no-print-directory -C src clean

.PHONY: cache-prune
cache-prune: ## remove from the cache what no lock of this clone names and is older than a day
	@$(need) @fetch
	@cluster/cache-prune.sh

.PHONY: clean-images
clean-images: ## remove the images that wgkmod made, of all targets and versions
	@$(need) podman
	podman ps --all --external --format '{{.ID}} {{.Image}}' | awk '$$2 ~ "^localhost/wgkmod-" { print $$1 }' | \
		xargs --no-run-if-empty podman rm
	podman image ls --format '{{.Repository}}:{{.Tag}}' | awk '/^localhost\/wgkmod-/' | \
		xargs --no-run-if-empty podman image rm
