// SPDX-License-Identifier: GPL-2.0-only
#include "tree/depmod.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/host.h"
#include "base/log.h"
#include "base/root.h"
#include "base/spawn.h"

#define CONFIG_PLACES 5

/*
 * Return true if @line of depmod ends with the text of an error that concerns the tree: a
 * file that is not a module, or a link that leads nowhere. Neither is a file of ours, and
 * neither was in an index before.
 */
static bool is_of_the_tree(const char *line, size_t len)
{
	static const int errors[] = { ENOEXEC, ENOENT };

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		const char *text = strerror(errors[i]);
		size_t n = strlen(text);

		if (len > n && !strncmp(line + len - n, text, n))
			return true;
	}
	return false;
}

/*
 * Remember the first error that depmod prints: if it cannot read a module or another
 * input, it prints an error, leaves out what it does not know, and exits with 0.
 * log_printf() in kmod's tools/log.c has the words.
 */
static void note_error(const char *line, struct reason *error)
{
	const char *what = strstr(line, "ERROR: ");

	if (!what)
		what = strstr(line, "FATAL: ");
	if (what && !error->text[0] && !is_of_the_tree(what, strlen(what)))
		reason_set(error, -EIO, "depmod says: %s", what);
}

/* Copy the output of depmod, which this cuts into lines, to standard error. */
static void pass_on(char *output, struct reason *error)
{
	char *line;

	while ((line = strsep(&output, "\n"))) {
		if (!*line && !output)
			return;
		note_error(line, error);
		log_words(line);
	}
}

/*
 * Add the configuration of the root to @args; @paths owns what they point to. With -b,
 * depmod still reads the configuration of the running system: for another root, -C names
 * the directories of that root, in the order of depmod, or @base, which has no
 * configuration, if the root has none.
 */
static int add_config(const struct host *host, const char *base,
		      char *paths[static CONFIG_PLACES], const char **args)
{
	static const char *const places[CONFIG_PLACES] = {
		"run/depmod.d",	    "etc/depmod.d", "usr/local/lib/depmod.d",
		"usr/lib/depmod.d", "lib/depmod.d",
	};
	size_t n = 0;

	if (!strcmp(host->root, "/"))
		return 0;
	for (size_t i = 0; i < CONFIG_PLACES; i++) {
		int ret = root_resolve(host->root, places[i], &paths[n]);

		if (ret == -ENOENT || ret == -ENOTDIR)
			continue;
		if (ret < 0)
			return ret;
		*args++ = "-C";
		*args++ = paths[n++];
	}
	if (!n) {
		*args++ = "-C";
		*args = base;
	}
	return 0;
}

int depmod_run(const struct host *host, const char *base, struct reason *reason)
{
	const char *argv[4 + 2 * CONFIG_PLACES + 1] = { "depmod", "-b", base,
							host->release };
	char *paths[CONFIG_PLACES] = { NULL };
	_cleanup_buf_ struct buf output = { 0 };
	struct reason error = { 0 };
	int ret = add_config(host, base, paths, argv + 4);

	if (ret < 0) {
		reason_set(reason, ret, "depmod's configuration: %s", strerror(-ret));
	} else {
		ret = spawn_collect((char *const *)argv, host->kernels_fd, &output,
				    reason);
		pass_on(output.data, &error);
	}
	for (size_t i = 0; i < CONFIG_PLACES; i++)
		free(paths[i]);
	if (ret == 0 && error.text[0])
		return reason_set(reason, -EIO, "%s", error.text);
	return ret;
}
