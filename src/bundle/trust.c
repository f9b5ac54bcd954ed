// SPDX-License-Identifier: GPL-2.0-only
#include "bundle/trust.h"

#include <fcntl.h>

#include "base/file.h"
#include "base/log.h"

#define KEYS_DIRECTORY "etc/wgkmod/keys.d"
#define KEY_SUFFIX ".pub"
#define REVOKED_SUFFIX ".revoked"

/*
 * The keys whose signatures count: ROOT/etc/wgkmod/keys.d/NAME.pub, and that of --key. A
 * key in NAME.revoked never counts, whichever of these files has it too.
 */
struct key {
	struct public_key public;
	char *path; /* owned */
	bool revoked;
};

struct keys {
	struct key *list;
	size_t count;	/* of all */
	size_t trusted; /* of those not revoked */
};

static void keys_free(struct keys *keys)
{
	for (size_t i = 0; i < keys->count; i++)
		free(keys->list[i].path);
	free(keys->list);
	*keys = (struct keys){ 0 };
}

/* Add the key @path, relative to @dirfd, which messages call @shown. */
static int add_key(struct keys *keys, int dirfd, const char *path, const char *shown)
{
	_cleanup_close_ int fd = -1;
	_cleanup_buf_ struct buf text = { 0 };
	struct reason reason = { 0 };
	struct key key = { 0 };
	struct key *grown;
	int ret;

	fd = open_guarded(dirfd, path, &reason);
	ret = fd < 0 ? fd : read_guarded(fd, PUBLIC_KEY_MAX_BYTES, &text, &reason);
	if (ret == 0)
		ret = public_key_parse(&key.public, text.data, text.size, &reason);
	if (ret < 0)
		return log_reason(shown, ret, &reason);

	grown = grow(keys->list, keys->count, sizeof(*grown));
	if (grown)
		keys->list = grown;
	key.path = grown ? strdup(shown) : NULL;
	if (!key.path)
		return log_no_memory();
	key.revoked = ends_with(shown, REVOKED_SUFFIX);
	keys->trusted += !key.revoked;
	grown[keys->count++] = key;
	return 0;
}

static bool is_key(const char *name)
{
	return name[0] != '.' &&
	       (ends_with(name, KEY_SUFFIX) || ends_with(name, REVOKED_SUFFIX));
}

/*
 * Open the directory of keys below the root. Whoever may change one of the directories
 * that lead there decides on the keys: none may be a link, and each is checked as a file
 * is. Returns 0, or -errno with @reason filled in and *@path at fault; -ENOENT if there
 * are no keys.
 */
static int open_directory(const char *root, DIR **dir, char **path, struct reason *reason)
{
	static const char *const below[] = { "etc", "etc/wgkmod", KEYS_DIRECTORY };
	_cleanup_close_ int top = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;
	int ret;

	*path = strdup(root);
	if (!*path)
		return reason_errno(reason, -ENOMEM);
	if (top < 0)
		return reason_errno(reason, errno == ENOENT ? -ENOTDIR : -errno);
	ret = check_guarded(top, reason);
	for (size_t i = 0; ret == 0 && i < ARRAY_SIZE(below); i++) {
		free(*path);
		*path = strdup_printf("%s/%s", strcmp(root, "/") ? root : "", below[i]);
		if (!*path)
			return reason_errno(reason, -ENOMEM);
		close_fd(&fd);
		fd = open_beneath(top, below[i], O_RDONLY | O_DIRECTORY);
		if (fd == -ELOOP)
			return reason_set(reason, -EBADMSG, "it is a link");
		ret = fd < 0 ? reason_errno(reason, fd) : check_guarded(fd, reason);
	}
	if (ret < 0)
		return ret;
	*dir = list_directory(TAKE_FD(fd));
	return *dir ? 0 : reason_errno(reason, -errno);
}

/* Add the keys of the root's directory of keys, if there is one. */
static int add_directory(struct keys *keys, const char *root)
{
	_cleanup_dir_ DIR *dir = NULL;
	_cleanup_free_ char *path = NULL;
	int worst = 0;
	struct reason reason = { 0 };
	const struct dirent *entry;
	int ret = open_directory(root, &dir, &path, &reason);

	if (ret == -ENOENT)
		return 0;
	while (ret == 0 && (entry = next_entry(dir))) {
		_cleanup_free_ char *shown = strdup_printf("%s/%s", path, entry->d_name);

		if (!shown)
			return log_no_memory();
		if (is_key(entry->d_name))
			worst = graver_error(
				worst, add_key(keys, dirfd(dir), entry->d_name, shown));
	}
	if (ret == 0)
		ret = reason_errno(&reason, -errno);
	return ret < 0 ? log_reason(path ? path : root, ret, &reason) : worst;
}

/*
 * Read all keys. A key that cannot be read is a refusal, even if another key would do: it
 * may have been meant to replace that one. Having no keys at all is no error. Prints what
 * is wrong. Returns 0, -EBADMSG or -errno; call keys_free() in any case.
 */
static int keys_load(struct keys *keys, const struct trust_policy *policy)
{
	_cleanup_free_ char *root = realpath(policy->root, NULL);
	int ret;

	*keys = (struct keys){ 0 };
	ret = add_directory(keys, root ? root : policy->root);
	if (ret == 0 && policy->key)
		ret = add_key(keys, AT_FDCWD, policy->key, policy->key);
	return ret;
}

void signer_free(struct signer *signer)
{
	free(signer->key_path);
	free(signer->comment);
	*signer = (struct signer){ 0 };
}

void signer_say(const struct signer *signer, const char *path)
{
	if (*signer->id)
		log_info("'%s' is signed by key %s (%s): %s", path, signer->id,
			 signer->key_path, signer->comment);
}

int trust_unsigned(const struct trust_policy *policy, const char *path)
{
	if (policy->allow_unsigned) {
		log_error("'%s' is not signed: nothing says who made it", path);
		return 0;
	}
	log_failure(path, "it is not signed; --allow-unsigned accepts it, this run only");
	return -EBADMSG;
}

/* Return the path of the file that revokes @public, or NULL. */
static const char *revoked_by(const struct keys *keys, const struct public_key *public)
{
	for (size_t i = 0; i < keys->count; i++) {
		const struct key *key = &keys->list[i];

		if (key->revoked && !memcmp(&key->public, public, sizeof(*public)))
			return key->path;
	}
	return NULL;
}

/*
 * Try every key with the id of the signature: an id is eight bytes that anybody can
 * choose, so several keys may have it.
 */
static int find_signer(const struct minisign *sig, const struct keys *keys,
		       const struct buf *data, struct signer *signer,
		       struct reason *reason)
{
	const char *revoked;
	int ret = -ENOENT;

	key_id_hex(sig->id, signer->id);
	for (size_t i = 0; i < keys->count && ret != 0; i++) {
		const struct key *key = &keys->list[i];

		if (memcmp(key->public.id, sig->id, sizeof(sig->id)) != 0)
			continue;
		ret = minisign_verify(sig, &key->public, data->data, data->size, reason);
		if (ret != 0)
			continue;
		revoked = revoked_by(keys, &key->public);
		if (revoked)
			return reason_set(reason, -EBADMSG,
					  "it was made by key %s, which '%s' revokes",
					  signer->id, revoked);
		signer->key_path = strdup(key->path);
		signer->comment = strdup(sig->comment);
		if (!signer->key_path || !signer->comment)
			return reason_errno(reason, -ENOMEM);
	}
	if (ret == -ENOENT)
		return reason_set(reason, -EBADMSG,
				  "it was made by key %s, which is not one of the %zu "
				  "trusted keys: see --key",
				  signer->id, keys->trusted);
	return ret;
}

static int verify(const struct trust_policy *policy, const char *sig_path,
		  const struct buf *sig_text, const struct buf *data,
		  struct signer *signer)
{
	_cleanup_minisign_ struct minisign sig = { 0 };
	_cleanup_(keys_free) struct keys keys = { 0 };
	struct reason reason = { 0 };
	int ret = minisign_parse(&sig, sig_text->data, sig_text->size, &reason);

	if (ret < 0)
		return log_reason(sig_path, ret, &reason);
	ret = keys_load(&keys, policy);
	if (ret < 0)
		return ret;
	ret = find_signer(&sig, &keys, data, signer, &reason);
	return log_reason(sig_path, ret, &reason);
}

static int verify_beside(const struct trust_policy *policy, const char *path,
			 const struct buf *data, struct signer *signer)
{
	_cleanup_free_ char *sig_path = strdup_printf("%s.minisig", path);
	_cleanup_buf_ struct buf sig_text = { 0 };
	_cleanup_close_ int fd = -1;
	struct reason reason = { 0 };
	int ret;

	if (!sig_path)
		return log_no_memory();
	fd = open_guarded(AT_FDCWD, sig_path, &reason);
	if (fd == -ENOENT)
		return trust_unsigned(policy, path);
	ret = fd < 0 ? fd : read_guarded(fd, MINISIGN_MAX_BYTES, &sig_text, &reason);
	if (ret < 0)
		return log_reason(sig_path, ret, &reason);
	return verify(policy, sig_path, &sig_text, data, signer);
}

int trust_read(const struct trust_policy *policy, const char *path, int fd,
	       struct buf *out, struct signer *signer)
{
	struct reason reason = { 0 };
	int ret = read_guarded(fd, TRUST_MAX_BYTES, out, &reason);

	*signer = (struct signer){ 0 };
	return ret < 0 ? log_reason(path, ret, &reason)
		       : verify_beside(policy, path, out, signer);
}
