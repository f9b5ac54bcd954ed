// SPDX-License-Identifier: GPL-2.0-only
#include "tree.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"
#include "log.h"

enum step_kind {
	STEP_FOLDER, /* made */
	STEP_NEW,    /* written where nothing was */
	STEP_OLD,    /* replaced or removed; what there was is kept */
};

struct step {
	enum step_kind kind;
	const char *path; /* borrowed; of a folder, as far as @len */
	size_t len;
};

void tree_free(struct tree *tree)
{
	free(tree->steps);
	tree->steps = NULL;
	tree->count = tree->room = 0;
}

/* Make room for a step before it is made: noting it down can then not fail. */
static int reserve_step(struct tree *tree)
{
	size_t room = tree->room ? 2 * tree->room : 16;
	struct step *grown;

	if (tree->count < tree->room)
		return 0;
	grown = reallocarray(tree->steps, room, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	tree->steps = grown;
	tree->room = room;
	return 0;
}

static void add_step(struct tree *tree, enum step_kind kind, const char *path, size_t len)
{
	tree->steps[tree->count++] = (struct step){ kind, path, len };
}

/* As open_parent(), for the first @len bytes of @path. *@base is inside @name. */
static int open_parent_of(int fd, const char *path, size_t len,
			  char name[static PATH_MAX], const char **base)
{
	if (len >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(name, path, len);
	name[len] = '\0';
	return open_parent(fd, name, base);
}

static int flush_folder(int fd)
{
	return fsync(fd) < 0 ? -errno : 0;
}

static int make_folder(struct tree *tree, const char *path, size_t len)
{
	_cleanup_close_ int parent = -1;
	char name[PATH_MAX];
	const char *base;

	if (reserve_step(tree) < 0)
		return -ENOMEM;
	parent = open_parent_of(tree->fd, path, len, name, &base);
	if (parent < 0)
		return parent;
	if (mkdirat(parent, base, 0755) < 0)
		return errno == EEXIST ? 0 : -errno;
	/* Whatever the umask: depmod and modprobe of every user look in here. */
	if (fchmodat(parent, base, 0755, 0) < 0) {
		int ret = -errno;

		unlinkat(parent, base, AT_REMOVEDIR);
		return ret;
	}
	add_step(tree, STEP_FOLDER, path, len);
	return flush_folder(parent);
}

static int make_folders(struct tree *tree, const char *path)
{
	for (const char *slash = strchr(path, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		int ret = make_folder(tree, path, (size_t)(slash - path));

		if (ret < 0)
			return ret;
	}
	return 0;
}

static int hidden_name(const char *base, const char *suffix, char **out)
{
	*out = text_printf(".%s.wgkmod-%s", base, suffix);
	return *out ? 0 : -ENOMEM;
}

/* A file that a killed run left under our own name is in the way, and nobody's. */
static int clear_name(int parent, const char *name)
{
	return unlinkat(parent, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static int fill(int fd, const char *data, size_t size)
{
	int ret = write_all(fd, data, size);

	if (ret == 0 && (fchmod(fd, 0644) < 0 || fsync(fd) < 0))
		ret = -errno;
	return ret;
}

static int write_temporary(int parent, const char *name, const char *data, size_t size)
{
	int ret, fd;

	ret = clear_name(parent, name);
	if (ret < 0)
		return ret;
	fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return -errno;
	ret = fill(fd, data, size);
	if (close(fd) < 0 && ret == 0)
		ret = -errno;
	if (ret < 0)
		unlinkat(parent, name, 0);
	return ret;
}

/* Keep what is at @base, if anything is, and put @temp there. */
static int replace(int parent, const char *base, const char *temp, enum step_kind *kind)
{
	_cleanup_free_ char *old = NULL;
	int ret = hidden_name(base, "old", &old);

	if (ret == 0)
		ret = clear_name(parent, old);
	if (ret < 0)
		return ret;
	*kind = STEP_OLD;
	if (linkat(parent, base, parent, old, 0) < 0) {
		if (errno != ENOENT)
			return -errno;
		*kind = STEP_NEW;
	}
	if (renameat(parent, temp, parent, base) < 0) {
		ret = -errno;
		unlinkat(parent, old, 0);
	}
	return ret;
}

int tree_write(struct tree *tree, const char *path, const char *data, size_t size)
{
	_cleanup_free_ char *temp = NULL;
	_cleanup_close_ int parent = -1;
	enum step_kind kind = STEP_NEW;
	const char *base;
	int ret;

	ret = make_folders(tree, path);
	if (ret < 0)
		return ret;
	parent = open_parent(tree->fd, path, &base);
	if (parent < 0)
		return parent;
	if (reserve_step(tree) < 0 || hidden_name(base, "new", &temp) < 0)
		return -ENOMEM;
	ret = write_temporary(parent, temp, data, size);
	if (ret < 0)
		return ret;
	ret = replace(parent, base, temp, &kind);
	if (ret < 0) {
		unlinkat(parent, temp, 0);
		return ret;
	}
	add_step(tree, kind, path, strlen(path));
	return flush_folder(parent);
}

int tree_remove(struct tree *tree, const char *path)
{
	_cleanup_free_ char *old = NULL;
	_cleanup_close_ int parent = -1;
	const char *base;

	if (reserve_step(tree) < 0)
		return -ENOMEM;
	parent = open_parent(tree->fd, path, &base);
	if (parent < 0)
		return parent;
	if (hidden_name(base, "old", &old) < 0)
		return -ENOMEM;
	if (renameat(parent, base, parent, old) < 0)
		return -errno;
	add_step(tree, STEP_OLD, path, strlen(path));
	return flush_folder(parent);
}

static int undo_step(int fd, const struct step *step)
{
	_cleanup_close_ int parent = -1;
	_cleanup_free_ char *old = NULL;
	char name[PATH_MAX];
	const char *base;
	int ret;

	parent = open_parent_of(fd, step->path, step->len, name, &base);
	if (parent < 0)
		return parent;
	ret = hidden_name(base, "old", &old);
	if (ret < 0)
		return ret;
	if (step->kind == STEP_OLD)
		ret = renameat(parent, old, parent, base);
	else
		ret = unlinkat(parent, base,
			       step->kind == STEP_FOLDER ? AT_REMOVEDIR : 0);
	return ret < 0 ? -errno : flush_folder(parent);
}

int tree_undo(struct tree *tree)
{
	int first = 0;

	for (; tree->count > 0; tree->count--) {
		struct step *step = &tree->steps[tree->count - 1];
		int ret = undo_step(tree->fd, step);

		if (ret < 0 && first == 0)
			first = ret;
	}
	return first;
}

static int drop_old(int fd, const struct step *step)
{
	_cleanup_close_ int parent = -1;
	_cleanup_free_ char *old = NULL;
	char name[PATH_MAX];
	const char *base;
	int ret;

	parent = open_parent_of(fd, step->path, step->len, name, &base);
	if (parent < 0)
		return parent;
	ret = hidden_name(base, "old", &old);
	if (ret < 0)
		return ret;
	return unlinkat(parent, old, 0) < 0 ? -errno : flush_folder(parent);
}

int tree_commit(struct tree *tree)
{
	int first = 0;

	for (size_t i = 0; i < tree->count; i++) {
		int ret = 0;

		if (tree->steps[i].kind == STEP_OLD)
			ret = drop_old(tree->fd, &tree->steps[i]);
		if (ret < 0 && first == 0)
			first = ret;
	}
	tree_free(tree);
	return first;
}
