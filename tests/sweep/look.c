// SPDX-License-Identifier: GPL-2.0-only
/*
 * look DIR			everything that a tree is, a line for each path, sorted:
 *				kind, mode, owner, size, link, digest of the content,
 *				extended attributes
 * look -t DIR			the modification times as well, but of directories and indexes
 * look -x NAME HEX PATH...	set an extended attribute
 *
 * One process for a tree, as the sweeps look at thousands.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static int with_times;

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* FNV-1a: it has to see accidents, not attacks. */
static uint64_t digest(const char *path)
{
	uint64_t sum = 0xcbf29ce484222325;
	unsigned char data[65536];
	int fd = open(path, O_RDONLY);
	ssize_t len;

	if (fd < 0)
		err(2, "%s", path);
	while ((len = read(fd, data, sizeof(data))) > 0)
		for (ssize_t i = 0; i < len; i++)
			sum = (sum ^ data[i]) * 0x100000001b3;
	if (len < 0)
		err(2, "%s", path);
	close(fd);
	return sum;
}

static void print_xattrs(const char *path)
{
	static char list[65536], value[65536];
	ssize_t size = llistxattr(path, list, sizeof(list));
	char *names[256];
	size_t n = 0;

	if (size < 0 && errno != EOPNOTSUPP)
		err(2, "%s", path);
	if (size <= 0)
		return;
	for (char *name = list; name < list + size && n < 256; name += strlen(name) + 1)
		names[n++] = name;
	qsort(names, n, sizeof(*names), by_name);
	for (size_t i = 0; i < n; i++) {
		ssize_t len = lgetxattr(path, names[i], value, sizeof(value));

		printf(" %s=", names[i]);
		for (ssize_t j = 0; j < len; j++)
			printf("%02x", (unsigned char)value[j]);
	}
}

static void look(const char *path, const char *name);

static void look_into(const char *path, const char *name)
{
	char *names[4096], child[PATH_MAX], child_name[PATH_MAX];
	struct dirent *entry;
	DIR *dir = opendir(path);
	size_t n = 0;

	if (!dir)
		err(2, "%s", path);
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
			if (n == 4096)
				errx(2, "%s: too many names", path);
			names[n++] = strdup(entry->d_name);
		}
	closedir(dir);
	qsort(names, n, sizeof(*names), by_name);
	for (size_t i = 0; i < n; i++) {
		snprintf(child, sizeof(child), "%s/%s", path, names[i]);
		snprintf(child_name, sizeof(child_name), "%s/%s", name, names[i]);
		look(child, child_name);
		free(names[i]);
	}
}

static void look(const char *path, const char *name)
{
	char link[PATH_MAX] = "";
	struct stat st;

	if (lstat(path, &st) < 0)
		err(2, "%s", path);
	printf("%s %o %u:%u", name, st.st_mode, st.st_uid, st.st_gid);
	if (S_ISLNK(st.st_mode)) {
		if (readlink(path, link, sizeof(link) - 1) < 0)
			err(2, "%s", path);
		printf(" -> %s", link);
	}
	if (S_ISREG(st.st_mode))
		printf(" %jd %016" PRIx64, (intmax_t)st.st_size, digest(path));
	if (with_times && !S_ISDIR(st.st_mode) && !strstr(name, "/modules."))
		printf(" %jd.%09ld", (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	print_xattrs(path);
	putchar('\n');
	if (S_ISDIR(st.st_mode))
		look_into(path, name);
}

static void set(const char *name, const char *hex, char **paths)
{
	unsigned char value[4096];
	size_t len = strlen(hex) / 2;

	for (size_t i = 0; i < len && i < sizeof(value); i++)
		if (sscanf(hex + 2 * i, "%2hhx", &value[i]) != 1)
			errx(2, "not hexadecimal: %s", hex);
	for (; *paths; paths++)
		if (lsetxattr(*paths, name, value, len, 0) < 0)
			err(2, "%s", *paths);
}

int main(int argc, char **argv)
{
	umask(022);
	if (argc > 4 && !strcmp(argv[1], "-x")) {
		set(argv[2], argv[3], argv + 4);
		return 0;
	}
	with_times = argc == 3 && !strcmp(argv[1], "-t");
	if (argc != 2 + with_times)
		errx(2, "usage: look [-t] DIR | look -x NAME HEX PATH...");
	look(argv[1 + with_times], ".");
	return fflush(stdout) == 0 ? 0 : 2;
}
