// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bootloader.h"

#include <ctype.h>
#include <fnmatch.h>

#include "base/file.h"
#include "base/host.h"
#include "base/log.h"
#include "base/strlist.h"
#include "kernel/boot_menu.h"

#define GRUBENV_MAX_BYTES (64UL << 10)
#define GRUB_CFG_MAX_BYTES (4UL << 20)
#define MAX_DEPTH 8
#define EFI_VARIABLES "sys/firmware/efi/efivars/"
#define LOADER_GUID "-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
#define GLOBAL_GUID "-8be4df61-93ca-11d2-aa0d-00e098032b8c"

void next_kernel_free(struct next_kernel *next)
{
	free(next->release);
	free(next->how);
	*next = (struct next_kernel){ 0 };
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

/* ---- which entry ---- */

/* Return the index of the @nth entry of the submenu @parent, or -1. */
static int nth_entry(const struct boot_menu *menu, int parent, size_t nth)
{
	for (size_t i = 0; i < menu->count; i++)
		if (menu->entries[i].parent == parent && nth-- == 0)
			return (int)i;
	return -1;
}

/* Return the entry that one step of a default names in the submenu @parent, or -1. */
static int find_step(const struct boot_menu *menu, int parent, const char *step)
{
	char *end = NULL;
	unsigned long nth = strtoul(step, &end, 10);

	for (size_t i = 0; i < menu->count; i++) {
		const struct boot_entry *entry = &menu->entries[i];

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
static const struct boot_entry *find_default(const struct boot_menu *menu,
					     const char *value, bool *found)
{
	_cleanup_free_ char *copy = strdup(value);
	/* A file's id or a title may have a '>' in it. */
	int at = *value ? find_step(menu, -1, value) : -1;
	char *cursor = at < 0 ? copy : NULL;

	*found = at >= 0;
	if (!copy)
		return NULL;
	/* This ends, as an entry comes after its submenu. */
	while (at < 0 || menu->entries[at].submenu) {
		char *step = cursor ? strsep(&cursor, ">") : NULL;
		int next = step && *step ? find_step(menu, at, step) : -1;

		*found |= at < 0 && next >= 0;
		at = next >= 0 ? next : nth_entry(menu, at, 0);
		if (at < 0)
			return NULL;
	}
	return &menu->entries[at];
}

static int set_next(struct next_kernel *next, const struct boot_entry *entry,
		    const char *fmt, const char *value, struct reason *reason)
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
	struct boot_menu menu;
	char *set_default; /* the value of the last "set default=", owned */
	bool uses_next;	   /* "set default=${next_entry}" is there */
	bool blscfg;
	int open[MAX_DEPTH]; /* the entries and submenus that are open, outside first */
	int depth;
};

static void grub_free(struct grub *grub)
{
	boot_menu_free(&grub->menu);
	free(grub->set_default);
}

/* "menuentry TITLE … $menuentry_id_option ID {" */
static int begin_entry(struct grub *grub, char *cursor, bool submenu)
{
	struct boot_entry *entry = boot_menu_add(&grub->menu);
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
	struct boot_entry *entry;

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
			entry->release = boot_image_release(word);
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
					  BOOT_MAX_ENTRIES, MAX_DEPTH);
	return 0;
}

/* Entries of files come before, and stay in the order of, the menu of grub.cfg. */
static int read_bls(const char *root, struct grub *grub, struct reason *reason)
{
	struct boot_menu files = { 0 };
	int ret = boot_menu_read(root, "boot/loader/entries", &files, reason);

	if (ret == 0 && files.count) {
		boot_menu_sort(&files, BY_FILE_NAME);
		boot_menu_free(&grub->menu);
		grub->menu = files;
		return 0;
	}
	boot_menu_free(&files);
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
	const struct boot_entry *entry;
	const char *value;
	bool found;
	int ret = boot_read_file(root, cfg, GRUB_CFG_MAX_BYTES, &text, reason);

	if (ret == 0)
		ret = parse_grub_cfg(&grub, text.data, reason);
	if (ret == 0 && env)
		ret = boot_read_file(root, env, GRUBENV_MAX_BYTES, &block, reason);
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

	if (!path || boot_read_file(root, path, SMALL_MAX_BYTES, &file, &ignored) < 0 ||
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

	if (boot_read_file(root, conf, BOOT_FILE_MAX_BYTES, &file, &ignored) < 0)
		return NULL;
	cursor = file.data;
	while ((line = strsep(&cursor, "\n"))) {
		line += strspn(line, " \t");
		boot_take_field(line, "default", &value);
	}
	return value;
}

/* Return the first entry whose file name matches @pattern, or NULL. */
static const struct boot_entry *match_entry(const struct boot_menu *menu,
					    const char *pattern)
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
	_cleanup_strlist_ struct strlist names = { 0 };

	if (!place || root_list(root, place, &names) < 0)
		return false;
	for (size_t i = 0; i < names.count; i++)
		if (strstr(names.items[i], ".efi"))
			return true;
	return false;
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
	_cleanup_(boot_menu_free) struct boot_menu menu = { 0 };
	int ret = place ? boot_menu_read(root, place, &menu, reason)
			: reason_errno(reason, -ENOMEM);

	if (ret < 0)
		return ret;
	if (has_unified(root, top))
		return reason_set(reason, -ENOTSUP,
				  "EFI/Linux has unified kernel images, which are not "
				  "read here");
	boot_menu_sort(&menu, BY_SORT_KEY);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		const struct boot_entry *entry;

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
	/* The last is of RHEL 8 with UEFI: a link to boot/efi/EFI/VENDOR/grub.cfg. */
	static const char *const cfgs[] = { "boot/grub2/grub.cfg", "boot/grub/grub.cfg",
					    "etc/grub2-efi.cfg", NULL };
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
			  "neither boot/grub2/grub.cfg, boot/grub/grub.cfg, "
			  "etc/grub2-efi.cfg nor a loader.conf of systemd-boot can be "
			  "found");
}
