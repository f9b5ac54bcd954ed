// SPDX-License-Identifier: GPL-2.0-only
#include "tree/depmod.h"

#include <fcntl.h>
#include <signal.h>
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
	size_t len;

	if (!what)
		what = strstr(line, "FATAL: ");
	if (!what || error->text[0])
		return;
	len = strcspn(what, "\n");
	if (!is_of_the_tree(what, len))
		reason_set(error, -EIO, "depmod says: %.*s", (int)len, what);
}

/* Copy the output of depmod to standard error, among the messages. */
static int pass_on(int fd, struct reason *error)
{
	_cleanup_free_ char *line = NULL;
	size_t room = 0;
	int ret = 0;
	FILE *words = fdopen(fd, "r");

	if (!words) {
		ret = -errno;
		close(fd);
		return reason_errno(error, ret);
	}
	while (getline(&line, &room, words) >= 0) {
		note_error(line, error);
		log_words(line);
	}
	if (!feof(words))
		ret = reason_set(error, -EIO, "cannot read what depmod says: %s",
				 strerror(errno));
	fclose(words);
	return ret;
}

/* Start it with its output going to @words_fd. */
static int start(pid_t *pid, char *const argv[], int lock_fd, int words_fd)
{
	/*
	 * Another descriptor of the lock: dup2() of it to its number keeps that open in
	 * the child.
	 */
	_cleanup_close_ int lock = fcntl(lock_fd, F_DUPFD_CLOEXEC, 0);
	posix_spawn_file_actions_t files;
	int ret;

	if (lock < 0)
		return -errno;
	if (posix_spawn_file_actions_init(&files) != 0)
		return -ENOMEM;
	ret = -posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null",
						O_RDONLY, 0);
	if (ret == 0)
		ret = -posix_spawn_file_actions_adddup2(&files, words_fd, STDOUT_FILENO);
	if (ret == 0)
		ret = -posix_spawn_file_actions_adddup2(&files, words_fd, STDERR_FILENO);
	if (ret == 0)
		ret = -posix_spawn_file_actions_adddup2(&files, lock, lock_fd);
	if (ret == 0)
		ret = spawn_start(pid, argv, &files);
	posix_spawn_file_actions_destroy(&files);
	return ret;
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

static int spawn(struct depmod *depmod, const char *const argv[], int lock_fd,
		 struct reason *reason)
{
	int words[2], ret;

	if (pipe2(words, O_CLOEXEC) < 0)
		return reason_errno(reason, -errno);
	ret = start(&depmod->pid, (char *const *)argv, lock_fd, words[1]);
	close(words[1]);
	if (ret < 0) {
		close(words[0]);
		return reason_set(reason, ret, "cannot run depmod: %s", strerror(-ret));
	}
	depmod->words_fd = words[0];
	return 0;
}

int depmod_start(struct depmod *depmod, const struct host *host, const char *base,
		 struct reason *reason)
{
	const char *argv[4 + 2 * CONFIG_PLACES + 1] = { "depmod", "-b", base,
							host->release };
	char *paths[CONFIG_PLACES] = { NULL };
	int ret = add_config(host, base, paths, argv + 4);

	ret = ret < 0 ? reason_set(reason, ret, "depmod's configuration: %s",
				   strerror(-ret))
		      : spawn(depmod, argv, host->kernels_fd, reason);
	for (size_t i = 0; i < CONFIG_PLACES; i++)
		free(paths[i]);
	return ret;
}

int depmod_end(const struct depmod *depmod, struct reason *reason)
{
	struct reason error = { 0 };
	int ret = pass_on(depmod->words_fd, &error);

	if (ret < 0)
		kill(depmod->pid, SIGKILL);
	if (spawn_wait(depmod->pid, "depmod", reason) < 0 && ret == 0)
		return -EIO;
	if (error.text[0])
		return reason_set(reason, -EIO, "%s", error.text);
	return 0;
}
