// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bootloader.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/host.h"
#include "base/log.h"
#include "base/strlist.h"

#define GRUBENV_MAX_BYTES (64UL << 10)
#define GRUB_CFG_MAX_BYTES (4UL << 20)
#define ENTRY_MAX_BYTES (64UL << 10)
#define MAX_ENTRIES 1000
#define MAX_DEPTH 8
#define EFI_VARIABLES "sys/firmware/efi/efivars/"
#define LOADER_GUID "-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
#define GLOBAL_GUID "-8be4df61-93ca-11d2-aa0d-00e098032b8c"

/* An entry of a menu. All strings are owned. */
struct entry {
	char *id; /* of the menu entry; of a file its name without .conf */
	char *title;
	char *release;	  /* NULL: it boots no kernel of Linux, or is a submenu */
	char *sort_key;	  /* the last three are of systemd-boot */
	char *machine_id; /* or NULL */
	char *version;
	int parent; /* index of its submenu, or -1 */
	bool submenu;
};

struct menu {
	struct entry *entries;
	size_t count;
};

static void menu_free(struct menu *menu)
{
	for (size_t i = 0; i < menu->count; i++) {
		struct entry *entry = &menu->entries[i];

		free(entry->id);
		free(entry->title);
		free(entry->release);
		free(entry->sort_key);
		free(entry->machine_id);
		free(entry->version);
	}
	free(menu->entries);
}

void next_kernel_free(struct next_kernel *next)
{
	free(next->release);
	free(next->how);
	*next = (struct next_kernel){ 0 };
}

/* Add an empty entry to @menu. Returns it, or NULL. */
static struct entry *add_entry(struct menu *menu)
{
	struct entry *grown;

	if (menu->count == MAX_ENTRIES)
		return NULL;
	grown = reallocarray(menu->entries, menu->count + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	menu->entries = grown;
	grown[menu->count] = (struct entry){ .parent = -1 };
	return &grown[menu->count++];
}

/* Read the file @path below @root. Returns 0, or -errno with @reason, which names it. */
static int read_file(const char *root, const char *path, size_t max, struct buf *out,
		     struct reason *reason)
{
	_cleanup_close_ int fd =
		root_open(root, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC, NULL);
	struct reason why = { 0 };
	int ret = fd < 0 ? reason_errno(&why, fd) : read_fd(fd, max, out, &why);

	return ret < 0 ? reason_set(reason, ret, "%s: %s", path, why.text) : 0;
}

/* Return the first of @paths that exists below @root, or NULL. */
static const char *first_file(const char *root, const char *const *paths)
{
	for (; *paths; paths++) {
		_cleanup_free_ char *real = NULL;

		if (root_resolve(root, *paths, &real) == 0)
			return *paths;
	}
	return NULL;
}

/*
 * Return the release in the path of a kernel's image, which the caller owns, or NULL:
 * "/boot/vmlinuz-RELEASE".
 */
static char *release_of_image(const char *path)
{
	const char *base = strrchr(path, '/');
	static const char *const names[] = { "vmlinuz-", "kernel-", "linux-" };

	base = base ? base + 1 : path;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strncmp(base, names[i], strlen(names[i])) &&
		    host_release_ok(base + strlen(names[i])))
			return strdup(base + strlen(names[i]));
	return NULL;
}

/* ---- files of the Boot Loader Specification ---- */

/* If @line is "KEY VALUE", set *@out to the value, once. */
static void take_field(const char *line, const char *key, char **out)
{
	size_t len = strlen(key);

	if (strncmp(line, key, len) != 0 || !isblank((unsigned char)line[len]) || *out)
		return;
	line += len + strspn(line + len, " \t");
	*out = strdup(line);
	if (*out)
		for (char *end = *out + strlen(*out);
		     end > *out && isspace((unsigned char)end[-1]);)
			*--end = '\0';
}

static void parse_entry(struct entry *entry, char *text)
{
	_cleanup_free_ char *image = NULL;
	char *line;

	while ((line = strsep(&text, "\n"))) {
		line += strspn(line, " \t");
		take_field(line, "title", &entry->title);
		take_field(line, "linux", &image);
		take_field(line, "version", &entry->version);
		take_field(line, "sort-key", &entry->sort_key);
		take_field(line, "machine-id", &entry->machine_id);
	}
	if (!image)
		return;
	entry->release = release_of_image(image);
	/* "/MACHINE-ID/RELEASE/linux" */
	if (!entry->release && entry->version && host_release_ok(entry->version))
		entry->release = strdup(entry->version);
}

static int read_entry(const char *root, const char *directory, const char *name,
		      struct menu *menu, struct reason *reason)
{
	_cleanup_free_ char *path = strdup_printf("%s/%s", directory, name);
	_cleanup_buf_ struct buf file = { 0 };
	struct entry *entry;
	int ret = path ? read_file(root, path, ENTRY_MAX_BYTES, &file, reason)
		       : reason_errno(reason, -ENOMEM);

	if (ret < 0)
		return ret;
	entry = add_entry(menu);
	if (!entry)
		return reason_set(reason, -E2BIG, "%s: it has more than %d entries",
				  directory, MAX_ENTRIES);
	entry->id = strndup(name, strlen(name) - strlen(".conf"));
	if (!entry->id)
		return reason_errno(reason, -ENOMEM);
	parse_entry(entry, file.data);
	return 0;
}

/* Read the entries of the files in @directory, in any order. */
static int read_entries(const char *root, const char *directory, struct menu *menu,
			struct reason *reason)
{
	_cleanup_dir_ DIR *dir =
		list_directory(root_open(root, directory, O_RDONLY | O_DIRECTORY, NULL));
	const struct dirent *found;
	int ret = 0;

	if (!dir)
		return reason_errno_at(reason, -errno, "%s", directory);
	while (ret == 0 && (found = next_entry(dir))) {
		size_t len = strlen(found->d_name);

		if (len > strlen(".conf") && found->d_name[0] != '.' &&
		    !strcmp(found->d_name + len - strlen(".conf"), ".conf"))
			ret = read_entry(root, directory, found->d_name, menu, reason);
	}
	return ret;
}

/*
 * Compare versions as rpmvercmp() of rpm and of GRUB's blscfg does: digits as numbers,
 * letters as text, a number above letters, '~' below everything.
 */
static int compare_rpm(const char *a, const char *b)
{
	while (*a || *b) {
		size_t la, lb;
		int order;

		while (*a && !isalnum((unsigned char)*a) && *a != '~')
			a++;
		while (*b && !isalnum((unsigned char)*b) && *b != '~')
			b++;
		if (*a == '~' || *b == '~') {
			if (*a != '~')
				return 1;
			if (*b != '~')
				return -1;
			a++, b++;
			continue;
		}
		if (!*a || !*b)
			break;
		if (isdigit((unsigned char)*a)) {
			if (!isdigit((unsigned char)*b))
				return 1;
			a += strspn(a, "0");
			b += strspn(b, "0");
			la = strspn(a, "0123456789");
			lb = strspn(b, "0123456789");
			order = la != lb ? (la > lb) - (la < lb) : strncmp(a, b, la);
		} else {
			if (!isalpha((unsigned char)*b))
				return -1;
			for (la = 0; isalpha((unsigned char)a[la]);)
				la++;
			for (lb = 0; isalpha((unsigned char)b[lb]);)
				lb++;
			order = strncmp(a, b, la < lb ? la : lb);
			if (!order)
				order = (la > lb) - (la < lb);
		}
		if (order)
			return order;
		a += la;
		b += lb;
	}
	return (*a != '\0') - (*b != '\0');
}

/* Newest first. */
static int by_file_name(const void *a, const void *b)
{
	return compare_rpm(((const struct entry *)b)->id, ((const struct entry *)a)->id);
}

static int compare_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

/* The order of systemd-boot: boot_entry_compare() in its src/boot/efi/boot.c. */
static int by_sort_key(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order;

	if (!x->sort_key != !y->sort_key)
		return x->sort_key ? -1 : 1;
	if (x->sort_key) {
		order = compare_text(x->sort_key, y->sort_key);
		if (!order)
			order = compare_text(x->machine_id, y->machine_id);
		if (!order)
			order = compare_rpm(y->version ? y->version : "",
					    x->version ? x->version : "");
		if (order)
			return order;
	}
	return compare_rpm(y->id, x->id);
}

/* ---- which entry ---- */

/* Return the index of the @nth entry of the submenu @parent, or -1. */
static int nth_entry(const struct menu *menu, int parent, size_t nth)
{
	for (size_t i = 0; i < menu->count; i++)
		if (menu->entries[i].parent == parent && nth-- == 0)
			return (int)i;
	return -1;
}

/* Return the entry that one step of a default names in the submenu @parent, or -1. */
static int find_step(const struct menu *menu, int parent, const char *step)
{
	char *end = NULL;
	unsigned long nth = strtoul(step, &end, 10);

	for (size_t i = 0; i < menu->count; i++) {
		const struct entry *entry = &menu->entries[i];

		if (entry->parent == parent &&
		    ((entry->id && !strcmp(entry->id, step)) ||
		     (entry->title && !strcmp(entry->title, step))))
			return (int)i;
	}
	return *step && !*end ? nth_entry(menu, parent, nth) : -1;
}

/*
 * Return the entry that GRUB boots for @value: "STEP>STEP". What is not found means the
 * first entry, as in GRUB; *@found tells which of the two it was.
 */
static const struct entry *find_default(const struct menu *menu, const char *value,
					bool *found)
{
	_cleanup_free_ char *copy = strdup(value);
	char *cursor = copy;
	int at = -1;

	*found = false;
	if (!copy)
		return NULL;
	/* A file's id or a title may have a '>' in it. */
	if (*value)
		at = find_step(menu, -1, value);
	if (at >= 0)
		cursor = NULL;
	*found = at >= 0;
	for (int depth = 0; depth < MAX_DEPTH; depth++) {
		char *step = cursor ? strsep(&cursor, ">") : NULL;
		int parent = depth && at >= 0 ? at : -1, next;

		if (at >= 0 && !menu->entries[at].submenu)
			break;
		if (at >= 0)
			parent = at;
		next = step && *step ? find_step(menu, parent, step) : -1;
		if (at < 0)
			*found = next >= 0;
		at = next >= 0 ? next : nth_entry(menu, parent, 0);
		if (at < 0)
			return NULL;
	}
	return menu->entries[at].submenu ? NULL : &menu->entries[at];
}

static int set_next(struct next_kernel *next, const struct entry *entry, const char *fmt,
		    const char *value, struct reason *reason)
{
	if (!entry)
		return reason_set(reason, -ENOENT, "the menu has no entry");
	if (!entry->release)
		return reason_set(reason, -ENOENT,
				  "the entry '%s' does not say which kernel it boots",
				  entry->title ? entry->title
				  : entry->id  ? entry->id
					       : "");
	next->release = strdup(entry->release);
	next->how = *value ? strdup_printf("%s '%s'", fmt, value) : strdup(fmt);
	return next->release && next->how ? 0 : reason_errno(reason, -ENOMEM);
}

/* ---- GRUB ---- */

/* Return the value of @name in the environment block @text, which the caller owns. */
static char *env_value(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = text; line && *line;) {
		if (!strncmp(line, name, len) && line[len] == '=')
			return strndup(line + len + 1, strcspn(line + len + 1, "\n"));
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	return strdup("");
}

/*
 * Take the next word of a line of grub.cfg from *@cursor: quotes are removed, and "${X}"
 * is left. Returns it, or NULL at the end. The line is changed.
 */
static char *next_word(char **cursor)
{
	char *in = *cursor + strspn(*cursor, " \t"), *out = in, *word = in;
	char quote = '\0';

	if (!*in)
		return NULL;
	for (; *in && (quote || !isspace((unsigned char)*in)); in++) {
		if (quote && *in == quote)
			quote = '\0';
		else if (!quote && (*in == '\'' || *in == '"'))
			quote = *in;
		else if (*in == '\\' && quote != '\'' && in[1])
			*out++ = *++in;
		else
			*out++ = *in;
	}
	*cursor = *in ? in + 1 : in;
	*out = '\0';
	return word;
}

struct grub {
	struct menu menu;
	char *set_default; /* the value of the last "set default=", owned */
	bool uses_next;	   /* "set default=${next_entry}" is there */
	bool blscfg;
	int open[MAX_DEPTH]; /* the entries and submenus that are open, outside first */
	int depth;
};

static void grub_free(struct grub *grub)
{
	menu_free(&grub->menu);
	free(grub->set_default);
}

/* "menuentry TITLE … $menuentry_id_option ID {" */
static int begin_entry(struct grub *grub, char *cursor, bool submenu)
{
	struct entry *entry = add_entry(&grub->menu);
	char *word = next_word(&cursor);

	if (!entry || grub->depth == MAX_DEPTH)
		return -E2BIG;
	entry->title = strdup(word ? word : "");
	entry->submenu = submenu;
	entry->parent = grub->depth ? grub->open[grub->depth - 1] : -1;
	while ((word = next_word(&cursor))) {
		if (strcmp(word, "$menuentry_id_option") != 0 &&
		    strcmp(word, "--id") != 0)
			continue;
		word = next_word(&cursor);
		if (word && !entry->id)
			entry->id = strdup(word);
	}
	grub->open[grub->depth++] = (int)grub->menu.count - 1;
	return 0;
}

/* "set default=VALUE", outside of any entry. */
static void set_default(struct grub *grub, const char *word)
{
	if (strncmp(word, "default=", strlen("default=")) != 0)
		return;
	word += strlen("default=");
	if (!strcmp(word, "${next_entry}")) {
		grub->uses_next = true;
		return;
	}
	free(grub->set_default);
	grub->set_default = strdup(word);
}

static int parse_line(struct grub *grub, char *line)
{
	char *cursor = line, *word = next_word(&cursor);
	struct entry *entry;

	if (!word)
		return 0;
	if (!strcmp(word, "menuentry") || !strcmp(word, "submenu"))
		return begin_entry(grub, cursor, *word == 's');
	if (!strcmp(word, "blscfg"))
		grub->blscfg = true;
	if (!grub->depth) {
		word = !strcmp(word, "set") ? next_word(&cursor) : NULL;
		if (word)
			set_default(grub, word);
		return 0;
	}
	if (!strcmp(word, "}")) {
		grub->depth--;
		return 0;
	}
	entry = &grub->menu.entries[grub->open[grub->depth - 1]];
	if (!strncmp(word, "linux", strlen("linux")) && !entry->release) {
		word = next_word(&cursor);
		if (word)
			entry->release = release_of_image(word);
	}
	return 0;
}

static int parse_grub_cfg(struct grub *grub, char *text, struct reason *reason)
{
	char *line;

	while ((line = strsep(&text, "\n")))
		if (parse_line(grub, line) < 0)
			return reason_set(reason, -E2BIG,
					  "grub.cfg has more than %d entries, or deeper "
					  "ones than %d",
					  MAX_ENTRIES, MAX_DEPTH);
	return 0;
}

/* Entries of files come before, and stay in the order of, the menu of grub.cfg. */
static int read_bls(const char *root, struct grub *grub, struct reason *reason)
{
	struct menu files = { 0 };
	int ret = read_entries(root, "boot/loader/entries", &files, reason);

	if (ret == 0 && files.count) {
		qsort(files.entries, files.count, sizeof(*files.entries), by_file_name);
		menu_free(&grub->menu);
		grub->menu = files;
		return 0;
	}
	menu_free(&files);
	return ret;
}

static int grub_next(const char *root, const char *cfg, struct next_kernel *next,
		     struct reason *reason)
{
	static const char *const env_paths[] = { "boot/grub2/grubenv",
						 "boot/grub/grubenv", NULL };
	const char *env = first_file(root, env_paths),
		   *source = "first entry of grub.cfg";
	_cleanup_buf_ struct buf text = { 0 }, block = { 0 };
	_cleanup_(grub_free) struct grub grub = { 0 };
	_cleanup_free_ char *once = NULL, *saved = NULL;
	const struct entry *entry;
	const char *value;
	bool found;
	int ret = read_file(root, cfg, GRUB_CFG_MAX_BYTES, &text, reason);

	if (ret == 0)
		ret = parse_grub_cfg(&grub, text.data, reason);
	if (ret == 0 && env)
		ret = read_file(root, env, GRUBENV_MAX_BYTES, &block, reason);
	if (ret == 0 && grub.blscfg)
		ret = read_bls(root, &grub, reason);
	if (ret < 0)
		return ret;
	once = env_value(block.data ? block.data : "", "next_entry");
	saved = env_value(block.data ? block.data : "", "saved_entry");
	if (!once || !saved)
		return reason_errno(reason, -ENOMEM);
	value = grub.set_default ? grub.set_default : "";
	if (*once && grub.uses_next) {
		value = once;
		source = "next_entry";
	} else if (!strcmp(value, "${saved_entry}")) {
		value = saved;
		source = "saved_entry";
	} else if (strchr(value, '$')) {
		return reason_set(reason, -ENOTSUP, "%s: set default=\"%s\"", cfg, value);
	} else if (*value) {
		source = "default of grub.cfg";
	}
	entry = find_default(&grub.menu, value, &found);
	if (!found) {
		source = grub.blscfg ? "first BLS entry" : "first entry of grub.cfg";
		value = "";
	}
	return set_next(next, entry, source, value, reason);
}

/* ---- systemd-boot ---- */

/*
 * Return the EFI variable @name as text, which the caller owns, or NULL if there is none:
 * four bytes of attributes, then UTF-16. What is not ASCII becomes '?'.
 */
static char *efi_text(const char *root, const char *name)
{
	_cleanup_free_ char *path = strdup_printf(EFI_VARIABLES "%s", name);
	_cleanup_buf_ struct buf file = { 0 };
	struct reason ignored = { 0 };
	char *text;
	size_t len = 0;

	if (!path || read_file(root, path, SMALL_MAX_BYTES, &file, &ignored) < 0 ||
	    file.size < 4)
		return NULL;
	text = calloc(file.size, 1);
	for (size_t i = 4;
	     text && i + 1 < file.size && (file.data[i] || file.data[i + 1]); i += 2)
		text[len++] = (char)(file.data[i + 1] ? '?' : file.data[i]);
	return text;
}

/* Return the value of "default" in loader.conf, which the caller owns, or NULL. */
static char *loader_default(const char *root, const char *conf)
{
	_cleanup_buf_ struct buf file = { 0 };
	struct reason ignored = { 0 };
	char *cursor, *line, *value = NULL;

	if (read_file(root, conf, ENTRY_MAX_BYTES, &file, &ignored) < 0)
		return NULL;
	cursor = file.data;
	while ((line = strsep(&cursor, "\n"))) {
		line += strspn(line, " \t");
		take_field(line, "default", &value);
	}
	return value;
}

/* Return the first entry whose file name matches @pattern, or NULL. */
static const struct entry *match_entry(const struct menu *menu, const char *pattern)
{
	for (size_t i = 0; i < menu->count; i++) {
		_cleanup_free_ char *name = strdup_printf("%s.conf", menu->entries[i].id);

		if (name && (fnmatch(pattern, name, FNM_CASEFOLD) == 0 ||
			     fnmatch(pattern, menu->entries[i].id, FNM_CASEFOLD) == 0))
			return &menu->entries[i];
	}
	return NULL;
}

/*
 * Return true if there is a unified kernel image beside @top, "X/loader/": its release is
 * in the image, which is not read here.
 */
static bool has_unified(const char *root, const char *top)
{
	_cleanup_free_ char *place = strdup_printf("%s../EFI/Linux", top);
	_cleanup_dir_ DIR *dir =
		place ? list_directory(
				root_open(root, place, O_RDONLY | O_DIRECTORY, NULL))
		      : NULL;
	const struct dirent *entry;
	bool found = false;

	while (dir && (entry = next_entry(dir)))
		found |= strstr(entry->d_name, ".efi") != NULL;
	return found;
}

static int systemd_boot_next(const char *root, const char *conf, struct next_kernel *next,
			     struct reason *reason)
{
	_cleanup_free_ char *top = strndup(conf, strlen(conf) - strlen("loader.conf"));
	_cleanup_free_ char *place = top ? strdup_printf("%sentries", top) : NULL;
	_cleanup_free_ char *once = efi_text(root, "LoaderEntryOneShot" LOADER_GUID);
	_cleanup_free_ char *chosen = efi_text(root, "LoaderEntryDefault" LOADER_GUID);
	_cleanup_free_ char *set = loader_default(root, conf);
	const struct {
		const char *how, *value;
	} ways[] = {
		{ "LoaderEntryOneShot", once },
		{ "LoaderEntryDefault", chosen },
		{ "default of loader.conf", set },
	};
	_cleanup_(menu_free) struct menu menu = { 0 };
	int ret = place ? read_entries(root, place, &menu, reason)
			: reason_errno(reason, -ENOMEM);

	if (ret < 0)
		return ret;
	if (has_unified(root, top))
		return reason_set(reason, -ENOTSUP,
				  "EFI/Linux has unified kernel images, which are not "
				  "read here");
	if (menu.count)
		qsort(menu.entries, menu.count, sizeof(*menu.entries), by_sort_key);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		const struct entry *entry;

		if (!ways[i].value || !*ways[i].value)
			continue;
		if (*ways[i].value == '@')
			return reason_set(reason, -ENOTSUP, "%s is %s", ways[i].how,
					  ways[i].value);
		entry = match_entry(&menu, ways[i].value);
		if (entry)
			return set_next(next, entry, ways[i].how, ways[i].value, reason);
	}
	return set_next(next, menu.count ? menu.entries : NULL, "first BLS entry", "",
			reason);
}

/* ---- which boot loader ---- */

/* Something that comes before the boot loader's choice. Returns 0 if there is none. */
static int look_before(const char *root, bool running, struct reason *reason)
{
	_cleanup_free_ char *kexec =
		running ? read_first_line("/sys/kernel/kexec_loaded") : NULL;
	_cleanup_free_ char *next = efi_text(root, "BootNext" GLOBAL_GUID);

	if (kexec && !strcmp(kexec, "1"))
		return reason_set(reason, -ENOTSUP,
				  "kexec has loaded a kernel, and nothing shows which");
	if (next)
		return reason_set(reason, -ENOTSUP,
				  "the EFI variable BootNext names another boot loader");
	return 0;
}

int bootloader_next(const char *root, bool running, struct next_kernel *next,
		    struct reason *reason)
{
	static const char *const cfgs[] = { "boot/grub2/grub.cfg", "boot/grub/grub.cfg",
					    NULL };
	static const char *const confs[] = { "efi/loader/loader.conf",
					     "boot/efi/loader/loader.conf",
					     "boot/loader/loader.conf", NULL };
	_cleanup_free_ char *info = efi_text(root, "LoaderInfo" LOADER_GUID);
	const char *cfg = first_file(root, cfgs), *conf = first_file(root, confs);
	int ret = look_before(root, running, reason);

	if (ret < 0)
		return ret;
	if (conf && (!cfg || (info && !strncmp(info, "systemd-boot", 12))))
		return systemd_boot_next(root, conf, next, reason);
	if (cfg)
		return grub_next(root, cfg, next, reason);
	return reason_set(reason, -ENOENT,
			  "neither boot/grub2/grub.cfg, boot/grub/grub.cfg nor a "
			  "loader.conf of systemd-boot can be found");
}
