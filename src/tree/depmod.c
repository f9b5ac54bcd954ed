// SPDX-License-Identifier: GPL-2.0-only
#include "tree/depmod.h"

#include "base/file.h"
#include "base/host.h"
#include "base/log.h"
#include "base/spawn.h"
#include "base/strlist.h"

const char *const depmod_places[DEPMOD_PLACES] = {
	"run/depmod.d",	    "etc/depmod.d", "usr/local/lib/depmod.d",
	"usr/lib/depmod.d", "lib/depmod.d",
};

static bool ends_with_error(const char *line, const int *errors, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (ends_with(line, strerror(errors[i])))
			return true;
	return false;
}

/* Return true if @line names one of @paths, below the directory of modules. */
static bool names_one(const char *line, const struct strlist *paths)
{
	for (size_t i = 0; i < paths->count; i++)
		if (strstr(line, paths->items[i]))
			return true;
	return false;
}

/*
 * Return true if @line, an error of depmod, is about a file that is somebody else's: a
 * broken module, a link that leads nowhere, a name that depmod cannot write. It is not if
 * the file is one of @ours, or if the system failed.
 */
static bool is_foreign(const char *line, const struct strlist *ours)
{
	static const int system[] = { EIO,    ENOMEM, EMFILE, ENFILE, ENOSPC,
				      EDQUOT, EROFS,  EACCES, EPERM };
	static const int file[] = { ENOEXEC, ENOENT };

	if (names_one(line, ours) || ends_with_error(line, system, ARRAY_SIZE(system)))
		return false;
	return strstr(line, "/lib/modules/") ||
	       ends_with_error(line, file, ARRAY_SIZE(file));
}

/*
 * Remember the first error of depmod that concerns us: if it cannot read a module or
 * another input, it prints an error, leaves out what it does not know, and exits with 0.
 * log_printf() in kmod's tools/log.c has the words.
 */
static void note_error(const char *line, const struct strlist *ours, struct reason *error)
{
	const char *what = strstr(line, "ERROR: ");

	if (!what)
		what = strstr(line, "FATAL: ");
	if (what && !error->text[0] && !is_foreign(what, ours))
		reason_set(error, -EIO, "depmod says: %s", what);
}

/* Print @line without the path of @base, unless that is "/". */
static void print_line(char *line, const char *base)
{
	size_t len = strlen(base);
	char *at;

	while (len > 1 && (at = strstr(line, base)))
		memmove(at, at + len, strlen(at + len) + 1);
	log_words(line);
}

/* Copy the output of depmod, which this cuts into lines, to standard error. */
static void pass_on(char *output, const char *base, const struct strlist *ours,
		    struct reason *error)
{
	char *line;

	while ((line = strsep(&output, "\n"))) {
		if (!*line && !output)
			return;
		note_error(line, ours, error);
		print_line(line, base);
	}
}

/*
 * Add the configuration of the root to @args; @paths owns what they point to. With -b,
 * depmod still reads the configuration of the running system: for another root, -C names
 * the directories of that root, in the order of depmod, or @base, which has no
 * configuration, if the root has none.
 */
static int add_config(const struct host *host, const char *base,
		      char *paths[static DEPMOD_PLACES], const char **args)
{
	size_t n = 0;

	if (!strcmp(host->root, "/"))
		return 0;
	for (size_t i = 0; i < DEPMOD_PLACES; i++) {
		int ret = root_resolve(host->root, depmod_places[i], &paths[n]);

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

int depmod_run(const struct host *host, const char *base, const struct strlist *ours,
	       struct reason *reason)
{
	const char *argv[4 + 2 * DEPMOD_PLACES + 1] = { "depmod", "-b", base,
							host->release };
	char *paths[DEPMOD_PLACES] = { NULL };
	_cleanup_buf_ struct buf output = { 0 };
	struct reason error = { 0 };
	int ret = add_config(host, base, paths, argv + 4);

	if (ret < 0) {
		reason_errno_at(reason, ret, "depmod's configuration");
	} else {
		ret = spawn_collect((char *const *)argv, host->kernels_fd, &output,
				    reason);
		if (output.data)
			pass_on(output.data, base, ours, &error);
	}
	for (size_t i = 0; i < DEPMOD_PLACES; i++)
		free(paths[i]);
	if (ret == 0 && error.text[0])
		return reason_set(reason, -EIO, "%s", error.text);
	return ret;
}
