// SPDX-License-Identifier: GPL-2.0-only
#include "tree/others.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/host.h"
#include "base/log.h"

#define MAX_OTHERS 64
#define MAX_WAIT_MS 60000
#define PATIENCE_MS 1000 /* then a line says so */
#define STEP_MS 5

struct other {
	char pid[16];
	char start[32]; /* a pid may come again; its start does not */
};

/* A file of a process, as far as it fits; -1 when that is gone. */
static ssize_t read_proc(const char *pid, const char *file, char *out, size_t room)
{
	_cleanup_free_ char *path = strdup_printf("/proc/%s/%s", pid, file);
	_cleanup_close_ int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t len = fd < 0 ? -1 : read(fd, out, room - 1);

	if (len >= 0)
		out[len] = '\0';
	return len;
}

/* The 22nd field of stat, in ticks since boot; the 2nd may hold blanks and ")". */
static bool start_of(const char *pid, char *out, size_t room)
{
	char stat[4096], *field;

	if (read_proc(pid, "stat", stat, sizeof(stat)) < 0)
		return false;
	field = strrchr(stat, ')');
	for (int i = 2; field && i < 22; i++)
		field = strchr(field + 1, ' ');
	if (!field)
		return false;
	field[1 + strcspn(field + 1, " ")] = '\0';
	return (size_t)snprintf(out, room, "%s", field + 1) < room;
}

/* Whether the arguments "depmod …" are for @host: its kernel, and its root. */
static bool is_for(const struct host *host, const char *args, const char *end)
{
	const char *base = "/", *release = NULL;
	char real[PATH_MAX];

	for (const char *arg = args; arg < end; arg += strlen(arg) + 1) {
		const char *next = arg + strlen(arg) + 1;

		if ((!strcmp(arg, "-b") || !strcmp(arg, "--basedir")) && next < end)
			base = arg = next;
		else if (!strncmp(arg, "--basedir=", strlen("--basedir=")))
			base = arg + strlen("--basedir=");
		else if (isdigit((unsigned char)arg[0]))
			release = arg;
	}
	/* Without a release it is the running kernel's: it may be ours. */
	if (release && strcmp(release, host->release) != 0)
		return false;
	return realpath(base, real) && !strcmp(real, host->root);
}

/* Anybody can call a program depmod; only root's, and ours, could write there. */
static bool may_write(const char *pid)
{
	_cleanup_free_ char *path = strdup_printf("/proc/%s", pid);
	struct stat st;

	return path && stat(path, &st) == 0 && (!st.st_uid || st.st_uid == geteuid());
}

static bool is_other(const struct host *host, const char *pid)
{
	char comm[64], args[4096];
	ssize_t len;

	if (!isdigit((unsigned char)pid[0]) || !may_write(pid) ||
	    read_proc(pid, "comm", comm, sizeof(comm)) < 0 ||
	    strcmp(comm, "depmod\n") != 0)
		return false;
	len = read_proc(pid, "cmdline", args, sizeof(args));
	return len > 0 && is_for(host, args, args + len);
}

static size_t list(const struct host *host, struct other others[static MAX_OTHERS])
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	size_t count = 0;

	while (proc && count < MAX_OTHERS && (entry = readdir(proc))) {
		struct other *other = &others[count];

		if (!is_other(host, entry->d_name) ||
		    !start_of(entry->d_name, other->start, sizeof(other->start)))
			continue;
		if ((size_t)snprintf(other->pid, sizeof(other->pid), "%s",
				     entry->d_name) < sizeof(other->pid))
			count++;
	}
	if (proc)
		closedir(proc);
	return count;
}

static bool is_running(const struct other *other)
{
	char start[sizeof(other->start)];

	return start_of(other->pid, start, sizeof(start)) && !strcmp(start, other->start);
}

size_t others_wait(const struct host *host)
{
	static const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };
	struct other others[MAX_OTHERS];
	size_t count = list(host, others);

	for (size_t i = 0, waited = 0; i < count; i++)
		while (is_running(&others[i]) && waited++ < MAX_WAIT_MS / STEP_MS) {
			if (waited == PATIENCE_MS / STEP_MS)
				log_error("waiting for depmod, process %s, which began "
					  "before",
					  others[i].pid);
			nanosleep(&step, NULL);
		}
	return count;
}
