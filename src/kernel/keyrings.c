// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/keyrings.h"

#include <linux/keyctl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "base/log.h"

#define KEYS_FILE "/proc/keys"
/* How deep keyrings are searched; no kernel nests the trusted ones deeper. */
#define MAX_DEPTH 4

/* A line of /proc/keys: proc_keys_show() in the kernel's security/keys/proc.c. */
struct kernel_key {
	int32_t serial;
	char type[10];
	char *description;
};

struct kernel_keys {
	struct kernel_key *items;
	size_t count;
};

static void keys_free(struct kernel_keys *keys)
{
	for (size_t i = 0; i < keys->count; i++)
		free(keys->items[i].description);
	free(keys->items);
}

static int add_line(struct kernel_keys *keys, const char *line)
{
	struct kernel_key key = { 0 }, *items;
	unsigned int serial = 0;
	int at = 0;

	/* serial, flags, uses, expiry, permissions, user, group, type, description */
	if (sscanf(line, "%x %*s %*s %*s %*s %*s %*s %9s %n", &serial, key.type, &at) <
		    2 ||
	    !at)
		return -EBADMSG;
	items = grow(keys->items, keys->count, sizeof(*items));
	if (!items)
		return -ENOMEM;
	keys->items = items;
	key.serial = (int32_t)serial;
	key.description = strdup(line + at);
	if (!key.description)
		return -ENOMEM;
	key.description[strcspn(key.description, "\n")] = '\0';
	keys->items[keys->count++] = key;
	return 0;
}

static int read_keys(struct kernel_keys *keys, struct reason *reason)
{
	FILE *file = fopen(KEYS_FILE, "re");
	_cleanup_free_ char *line = NULL;
	size_t room = 0;
	int ret = 0;

	if (!file)
		return reason_errno(reason, -errno);
	while (ret == 0 && getline(&line, &room, file) > 0)
		ret = add_line(keys, line);
	if (ret == 0 && !feof(file))
		ret = errno ? -errno : -EIO;
	fclose(file);
	return reason_errno(reason, ret);
}

static const struct kernel_key *find_serial(const struct kernel_keys *keys,
					    int32_t serial)
{
	for (size_t i = 0; i < keys->count; i++)
		if (keys->items[i].serial == serial)
			return &keys->items[i];
	return NULL;
}

/*
 * Return true if the description of @key has @text. It is "SUBJECT: NAME: X509.rsa
 * 01234567 []" (asymmetric_key_describe()); /proc/keys cuts the type to nine letters.
 */
static bool is_described(const struct kernel_key *key, const char *text)
{
	return !strcmp(key->type, "asymmetri") && strstr(key->description, text) != NULL;
}

/*
 * Read the serials in the keyring into *@out, which the caller frees. Returns how many.
 */
static long read_keyring(int32_t serial, int32_t **out)
{
	long size = syscall(SYS_keyctl, KEYCTL_READ, serial, NULL, 0), got;

	*out = NULL;
	if (size < 0)
		return -errno;
	*out = malloc((size_t)size + sizeof(**out));
	if (!*out)
		return -ENOMEM;
	got = syscall(SYS_keyctl, KEYCTL_READ, serial, *out, size);
	if (got < 0)
		return -errno;
	return (got < size ? got : size) / (long)sizeof(**out);
}

/* Search the keyring and those in it for a key with @text. Returns 1, 0 or -errno. */
static int search(const struct kernel_keys *keys, int32_t keyring, const char *text,
		  int depth)
{
	_cleanup_free_ int32_t *serials = NULL;
	long count = read_keyring(keyring, &serials);

	for (long i = 0; serials && i < count; i++) {
		const struct kernel_key *key = find_serial(keys, serials[i]);
		int found;

		if (!key)
			continue; /* this process may not see the key */
		if (is_described(key, text))
			return 1;
		if (strcmp(key->type, "keyring") != 0 || depth == MAX_DEPTH)
			continue;
		found = search(keys, key->serial, text, depth + 1);
		if (found != 0)
			return found;
	}
	return count < 0 ? (int)count : 0;
}

static bool is_keyring(const struct kernel_key *key, const char *name)
{
	size_t len = strlen(name);

	return !strcmp(key->type, "keyring") && !strncmp(key->description, name, len) &&
	       key->description[len] == ':';
}

/* Search the keyrings called @ring for a key with @text. Returns 1, 0 or -errno. */
static int holds(const struct kernel_keys *keys, const char *ring, const char *text)
{
	int found = 0;

	for (size_t i = 0; found == 0 && i < keys->count; i++)
		if (is_keyring(&keys->items[i], ring))
			found = search(keys, keys->items[i].serial, text, 0);
	return found;
}

/* Find a key whose description has @text, which this frees (NULL: no memory). */
static enum keyrings_answer find_key(char *text, struct reason *reason)
{
	static const struct {
		const char *ring;
		enum keyrings_answer answer;
	} rings[] = {
		{ ".builtin_trusted_keys", KEYRINGS_TRUSTED },
		{ ".secondary_trusted_keys", KEYRINGS_TRUSTED },
		{ ".platform", KEYRINGS_PLATFORM },
	};
	_cleanup_(keys_free) struct kernel_keys keys = { 0 };
	_cleanup_free_ char *owned = text;
	int ret = owned ? read_keys(&keys, reason) : reason_errno(reason, -ENOMEM);

	if (ret < 0)
		return KEYRINGS_UNKNOWN;
	for (size_t i = 0; i < ARRAY_SIZE(rings); i++) {
		int found = holds(&keys, rings[i].ring, owned);

		if (found > 0)
			return rings[i].answer;
		if (found < 0) {
			reason_errno(reason, found);
			return KEYRINGS_UNKNOWN;
		}
	}
	return KEYRINGS_FOREIGN;
}

enum keyrings_answer keyrings_trust(const char *name, struct reason *reason)
{
	return find_key(strdup_printf(": %s: X509.", name), reason);
}

enum keyrings_answer keyrings_trust_subject(const char *subject, struct reason *reason)
{
	return find_key(strdup_printf("%s: ", subject), reason);
}
