// SPDX-License-Identifier: GPL-2.0-only
#include "trust.h"

#include <fcntl.h>
#include <string.h>

#include "cli.h"
#include "keys.h"
#include "log.h"

void signer_free(struct signer *signer)
{
	free(signer->key_path);
	free(signer->comment);
	*signer = (struct signer){ 0 };
}

void signer_say(const struct signer *signer, const char *path)
{
	if (*signer->id)
		log_say("'%s' is signed by key %s (%s): %s", path, signer->id,
			signer->key_path, signer->comment);
}

enum exit_code trust_unsigned(const struct params *params, const char *path)
{
	if (params->allow_unsigned) {
		log_error("'%s' is not signed: nothing says who made it", path);
		return EXIT_DONE;
	}
	log_cannot(path, "it is not signed; --allow-unsigned takes it all the same");
	return EXIT_UNTRUSTED;
}

static enum exit_code refuse(const char *path, int ret, const struct reason *reason)
{
	log_cannot(path, "%s", reason->text);
	return ret == -EBADMSG ? EXIT_UNTRUSTED : EXIT_FAILED;
}

/*
 * Ids are eight bytes that anybody can choose, so more than one key may have that of the
 * signature: one of them made it, or none did.
 */
static int find_signer(const struct signature *sig, const struct keys *keys,
		       const struct buf *data, struct signer *signer,
		       struct reason *reason)
{
	int ret = -ENOENT;

	key_id_hex(sig->id, signer->id);
	for (size_t i = 0; i < keys->count && ret != 0; i++) {
		const struct key *key = &keys->list[i];

		if (memcmp(key->public.id, sig->id, sizeof(sig->id)) != 0)
			continue;
		ret = signature_verify(sig, &key->public, data->data, data->size, reason);
		if (ret != 0)
			continue;
		signer->key_path = strdup(key->path);
		signer->comment = strdup(sig->comment);
		if (!signer->key_path || !signer->comment)
			return reason_errno(reason, -ENOMEM);
	}
	if (ret == -ENOENT)
		return reason_set(reason, -EBADMSG,
				  "it is of key %s, which is not among the %zu trusted "
				  "here: see --key",
				  signer->id, keys->count);
	return ret;
}

static enum exit_code verify(const struct params *params, const char *sig_path,
			     const struct buf *sig_text, const struct buf *data,
			     struct signer *signer)
{
	_cleanup_signature_ struct signature sig = { 0 };
	_cleanup_keys_ struct keys keys = { 0 };
	struct reason reason = { 0 };
	enum exit_code code;
	int ret;

	ret = signature_parse(&sig, sig_text->data, sig_text->size, &reason);
	if (ret < 0)
		return refuse(sig_path, ret, &reason);
	code = keys_load(&keys, params);
	if (code != EXIT_DONE)
		return code;
	ret = find_signer(&sig, &keys, data, signer, &reason);
	return ret == 0 ? EXIT_DONE : refuse(sig_path, ret, &reason);
}

static enum exit_code verify_beside(const struct params *params, const char *path,
				    const struct buf *data, struct signer *signer)
{
	_cleanup_free_ char *sig_path = text_printf("%s.minisig", path);
	_cleanup_buf_ struct buf sig_text = { 0 };
	_cleanup_close_ int fd = -1;
	struct reason reason = { 0 };
	int ret;

	if (!sig_path) {
		log_error("%s", strerror(ENOMEM));
		return EXIT_FAILED;
	}
	fd = open_guarded(AT_FDCWD, sig_path, &reason);
	if (fd == -ENOENT)
		return trust_unsigned(params, path);
	if (fd < 0)
		return refuse(sig_path, fd, &reason);
	ret = read_guarded(fd, SIGNATURE_MAX_BYTES, &sig_text, &reason);
	if (ret < 0)
		return refuse(sig_path, ret, &reason);
	return verify(params, sig_path, &sig_text, data, signer);
}

enum exit_code trust_read(const struct params *params, const char *path, int fd,
			  struct buf *out, struct signer *signer)
{
	struct reason reason = { 0 };
	int ret;

	*signer = (struct signer){ 0 };
	ret = read_guarded(fd, TRUST_MAX_BYTES, out, &reason);
	if (ret < 0)
		return refuse(path, ret, &reason);
	return verify_beside(params, path, out, signer);
}
