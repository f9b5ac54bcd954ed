// SPDX-License-Identifier: GPL-2.0-only
#include "health/coverage.h"

#include <fcntl.h>

#include "base/file.h"
#include "base/host.h"
#include "base/log.h"
#include "base/strlist.h"
#include "bundle/store.h"
#include "fit/module.h"
#include "fit/providers.h"
#include "tree/old_state.h"
#include "tree/state.h"

static const struct {
	const char *word, *text;
} words[] = {
	[COVERAGE_COVERED] = { "covered", "has WireGuard, installed by wgkmod" },
	[COVERAGE_OWN] = { "own", "has a WireGuard of its own" },
	[COVERAGE_FOREIGN] = { "foreign", "has a WireGuard that wgkmod did not install" },
	[COVERAGE_STORED] = { "stored",
			      "has no WireGuard, but its bundle is in the store" },
	[COVERAGE_DAMAGED] = { "damaged", "has a WireGuard that is not intact" },
	[COVERAGE_NONE] = { "uncovered", "has no WireGuard" },
	[COVERAGE_UNKNOWN] = { "unknown", "cannot be looked at" },
};

const char *coverage_word(enum coverage coverage)
{
	return words[coverage].word;
}

const char *coverage_text(enum coverage coverage)
{
	return words[coverage].text;
}

bool coverage_is_good(enum coverage coverage)
{
	return coverage <= COVERAGE_FOREIGN;
}

/* Return true also for what cannot be looked at. */
static bool may_exist(const char *root, const char *before, const char *release,
		      const char *after)
{
	_cleanup_free_ char *below = strdup_printf("%s%s%s", before, release, after);
	_cleanup_free_ char *real = NULL;
	int ret = below ? root_resolve(root, below, &real) : -ENOMEM;

	return ret != -ENOENT && ret != -ENOTDIR;
}

/* A directory that a removed kernel left behind has neither. */
static bool is_kernel(const char *root, const char *release)
{
	return host_release_ok(release) &&
	       (may_exist(root, "lib/modules/", release, "/kernel") ||
		may_exist(root, "boot/vmlinuz-", release, ""));
}

int kernels_list(const char *root, struct strlist *releases, struct reason *reason)
{
	_cleanup_strlist_ struct strlist names = { 0 };
	int ret = root_list(root, "lib/modules", &names);

	if (ret == -ENOENT)
		return 0;
	for (size_t i = 0; ret == 0 && i < names.count; i++)
		if (is_kernel(root, names.items[i]))
			ret = strlist_add(releases, names.items[i]);
	return reason_errno_at(reason, ret, "lib/modules");
}

bool coverage_is_built_in(int modules_fd)
{
	_cleanup_strlist_ struct strlist names = { 0 };
	struct reason ignored = { 0 };

	return modules_builtin(modules_fd, &names, &ignored) == 0 &&
	       strlist_has(&names, WIREGUARD);
}

/* Return the path of WireGuard in modules.dep, which the caller owns, or NULL. */
static char *listed_path(int modules_fd)
{
	_cleanup_buf_ struct buf dep = { 0 };
	struct reason ignored = { 0 };
	char *cursor, *path;

	if (modules_dep_read_at(modules_fd, &dep, &ignored) < 0)
		return NULL;
	cursor = dep.data;
	while ((path = modules_dep_next(&cursor))) {
		_cleanup_free_ char *name = module_name_of(path);

		if (name && !strcmp(name, WIREGUARD))
			return strdup(path);
	}
	return NULL;
}

static bool is_intact(const struct host *host, const struct state *state,
		      const char *listed)
{
	struct reason ignored = { 0 };

	if (!listed || !sums_find(&state->installed, listed))
		return false;
	for (size_t i = 0; i < state->installed.count; i++) {
		const struct sum *sum = &state->installed.entries[i];

		if (state_compare(host, sum->path, sum->digest, &ignored) != STATE_INTACT)
			return false;
	}
	return true;
}

/* Only a module of the kernel's own build has "intree" (scripts/mod/modpost.c). */
static enum coverage not_ours(const struct host *host, const char *listed)
{
	_cleanup_close_ int fd = -1;
	_cleanup_(module_free) struct module mod = { 0 };
	struct reason ignored = { 0 };

	if (coverage_is_built_in(host->modules_fd))
		return COVERAGE_OWN;
	if (!listed)
		return COVERAGE_NONE;
	fd = open_beneath(host->modules_fd, listed, O_RDONLY);
	if (fd < 0 || module_read_fd(&mod, listed, fd, &ignored) < 0)
		return COVERAGE_DAMAGED;
	return module_info(&mod, "intree", 0) ? COVERAGE_OWN : COVERAGE_FOREIGN;
}

static enum coverage installed_coverage(const struct host *host)
{
	_cleanup_state_ struct state state = { 0 };
	_cleanup_free_ char *listed = NULL;
	struct reason ignored = { 0 };
	int ret = state_load_anywhere(&state, host, &ignored);

	if (ret < 0)
		return ret == -EBADMSG ? COVERAGE_DAMAGED : COVERAGE_UNKNOWN;
	listed = listed_path(host->modules_fd);
	if (!state.installed.count)
		return not_ours(host, listed);
	return is_intact(host, &state, listed) ? COVERAGE_COVERED : COVERAGE_DAMAGED;
}

enum coverage coverage_of(const char *root, const char *release)
{
	_cleanup_host_ struct host host = HOST_INIT;
	_cleanup_free_ char *stored = NULL;
	struct reason ignored = { 0 };
	int ret = host_open(&host, root, release, &ignored);
	enum coverage coverage;

	if (ret < 0 && ret != -ENOENT)
		return COVERAGE_UNKNOWN;
	coverage = ret < 0 ? COVERAGE_NONE : installed_coverage(&host);
	if (coverage == COVERAGE_NONE)
		stored = store_find(root, release);
	return stored ? COVERAGE_STORED : coverage;
}
