// SPDX-License-Identifier: GPL-2.0-only
#include "bundle/minisign.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "base/log.h"

#define UNTRUSTED_COMMENT "untrusted comment: "
#define TRUSTED_COMMENT "trusted comment: "
#define BLAKE2B_BYTES 64
#define BINARY_MAX 128
#define TIMESTAMP "timestamp:"

/* The content of the second lines, byte for byte. */
struct key_line {
	char algorithm[2];
	unsigned char id[KEY_ID_BYTES];
	unsigned char key[ED25519_KEY_BYTES];
};

struct signature_line {
	char algorithm[2];
	unsigned char id[KEY_ID_BYTES];
	unsigned char file[ED25519_SIGNATURE_BYTES];
};

/* The rest of a text, and the line that was just taken from it. Both are borrowed. */
struct lines {
	const char *rest, *end;
	const char *line;
	size_t len;
};

static bool next_line(struct lines *lines)
{
	const char *newline;

	if (lines->rest == lines->end)
		return false;
	newline = memchr(lines->rest, '\n', (size_t)(lines->end - lines->rest));
	lines->line = lines->rest;
	lines->len = (size_t)((newline ? newline : lines->end) - lines->line);
	lines->rest = newline ? newline + 1 : lines->end;
	while (lines->len > 0 && lines->line[lines->len - 1] == '\r')
		lines->len--;
	return true;
}

/*
 * Take the next line. Return true if it starts with @prefix and has no control character
 * but tabs.
 */
static bool next_comment(struct lines *lines, const char *prefix)
{
	if (!next_line(lines) || lines->len < strlen(prefix) ||
	    memcmp(lines->line, prefix, strlen(prefix)) != 0)
		return false;
	for (size_t i = 0; i < lines->len; i++) {
		unsigned char c = (unsigned char)lines->line[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/*
 * Take the next line. Return true if it is the only possible base64 of exactly @size
 * bytes.
 */
static bool next_binary(struct lines *lines, void *out, size_t size)
{
	unsigned char decoded[BINARY_MAX] = { 0 }, again[BINARY_MAX * 4 / 3 + 4];
	size_t digits = (size + 2) / 3 * 4;

	if (!next_line(lines) || lines->len != digits)
		return false;
	if (EVP_DecodeBlock(decoded, (const unsigned char *)lines->line, (int)digits) < 0)
		return false;
	/* libcrypto is lenient in decoding, but not in encoding. */
	EVP_EncodeBlock(again, decoded, (int)size);
	if (memcmp(again, lines->line, digits) != 0)
		return false;
	memcpy(out, decoded, size);
	return true;
}

/*
 * Return true if everybody can sign by @key: it is of small order, or not the canonical
 * form of a number below 2^255 - 19. libsodium, so minisign, refuses these as well. The
 * points of an order below 9 have one of five y coordinates; bit 255 is the sign of x.
 */
static bool is_weak(const unsigned char key[static ED25519_KEY_BYTES])
{
	/* clang-format off */
	static const unsigned char points[][ED25519_KEY_BYTES] = {
		{ 0 },
		{ 1 },
		{ 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
		  0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
		  0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 },
		{ 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
		  0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
		  0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a },
	};
	/* clang-format on */
	unsigned char y[ED25519_KEY_BYTES];
	bool ones = true;

	memcpy(y, key, sizeof(y));
	y[ED25519_KEY_BYTES - 1] &= 0x7f;
	for (size_t i = 0; i < ARRAY_SIZE(points); i++)
		if (!memcmp(y, points[i], sizeof(y)))
			return true;
	for (size_t i = 1; i < sizeof(y) - 1; i++)
		ones &= y[i] == 0xff;
	/* 2^255 - 20, the fifth, and what is above it. */
	return ones && y[ED25519_KEY_BYTES - 1] == 0x7f && y[0] >= 0xec;
}

int public_key_parse(struct public_key *key, const char *text, size_t size,
		     struct reason *reason)
{
	struct lines lines = { .rest = text, .end = text + size };
	struct key_line binary;

	if (!next_comment(&lines, UNTRUSTED_COMMENT) ||
	    !next_binary(&lines, &binary, sizeof(binary)) || next_line(&lines))
		return reason_set(reason, -EBADMSG, "not a public key of minisign");
	if (memcmp(binary.algorithm, "Ed", 2) != 0)
		return reason_set(reason, -EBADMSG, "not an Ed25519 key");
	if (is_weak(binary.key))
		return reason_set(reason, -EBADMSG,
				  "a key of small order, by which anybody can sign");
	memcpy(key->id, binary.id, sizeof(key->id));
	memcpy(key->key, binary.key, sizeof(key->key));
	return 0;
}

/*
 * Keep the signature of the file and the comment of @lines, which the second signature
 * covers.
 */
static int keep_signed_text(struct minisign *sig, const struct signature_line *binary,
			    const struct lines *lines)
{
	size_t len = lines->len - strlen(TRUSTED_COMMENT);
	unsigned char *text = malloc(sizeof(binary->file) + len + 1);

	if (!text)
		return -ENOMEM;
	memcpy(text, binary->file, sizeof(binary->file));
	memcpy(text + sizeof(binary->file), lines->line + strlen(TRUSTED_COMMENT), len);
	text[sizeof(binary->file) + len] = '\0';
	sig->signed_text = text;
	sig->comment = (const char *)text + sizeof(binary->file);
	return 0;
}

static int parse_signature(struct minisign *sig, struct lines *lines,
			   struct reason *reason)
{
	struct signature_line binary;

	if (!next_comment(lines, UNTRUSTED_COMMENT))
		return reason_set(reason, -EBADMSG, "line 1: no untrusted comment");
	if (!next_binary(lines, &binary, sizeof(binary)))
		return reason_set(reason, -EBADMSG, "line 2: not a signature");
	sig->prehashed = memcmp(binary.algorithm, "ED", 2) == 0;
	if (!sig->prehashed && memcmp(binary.algorithm, "Ed", 2) != 0)
		return reason_set(reason, -EBADMSG, "line 2: an unknown algorithm");
	memcpy(sig->id, binary.id, sizeof(sig->id));
	if (!next_comment(lines, TRUSTED_COMMENT))
		return reason_set(reason, -EBADMSG, "line 3: no trusted comment");
	if (keep_signed_text(sig, &binary, lines) < 0)
		return reason_errno(reason, -ENOMEM);
	if (!next_binary(lines, sig->global, sizeof(sig->global)))
		return reason_set(reason, -EBADMSG, "line 4: not a signature");
	if (next_line(lines))
		return reason_set(reason, -EBADMSG, "more than 4 lines");
	return 0;
}

int minisign_parse(struct minisign *sig, const char *text, size_t size,
		   struct reason *reason)
{
	struct lines lines = { .rest = text, .end = text + size };
	int ret;

	*sig = (struct minisign){ 0 };
	ret = parse_signature(sig, &lines, reason);
	if (ret < 0)
		minisign_free(sig);
	return ret;
}

void minisign_free(struct minisign *sig)
{
	free(sig->signed_text);
	*sig = (struct minisign){ 0 };
}

static void free_pkey(EVP_PKEY **pkey)
{
	EVP_PKEY_free(*pkey);
}

static void free_md(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

/* Returns 0, -EBADMSG if another key or another message was signed, or -EIO. */
static int ed25519_verify(const struct public_key *key,
			  const unsigned char sig[static ED25519_SIGNATURE_BYTES],
			  const void *data, size_t size)
{
	_cleanup_(free_pkey) EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(
		EVP_PKEY_ED25519, NULL, key->key, sizeof(key->key));
	_cleanup_(free_md) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (!pkey || !ctx || EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) != 1)
		return -EIO;
	return EVP_DigestVerify(ctx, sig, ED25519_SIGNATURE_BYTES, data, size) == 1
		       ? 0
		       : -EBADMSG;
}

static int verify_file(const struct minisign *sig, const struct public_key *key,
		       const void *data, size_t size)
{
	unsigned char hash[BLAKE2B_BYTES];
	unsigned int len = 0;

	if (!sig->prehashed)
		return ed25519_verify(key, sig->signed_text, data, size);
	if (EVP_Digest(data, size, hash, &len, EVP_blake2b512(), NULL) != 1 ||
	    len != sizeof(hash))
		return -EIO;
	return ed25519_verify(key, sig->signed_text, hash, sizeof(hash));
}

static int verify_comment(const struct minisign *sig, const struct public_key *key)
{
	return ed25519_verify(key, sig->global, sig->signed_text,
			      ED25519_SIGNATURE_BYTES + strlen(sig->comment));
}

static bool is_fips(void)
{
#if OPENSSL_VERSION_MAJOR >= 3
	return EVP_default_properties_is_fips_enabled(NULL) != 0;
#else
	return FIPS_mode() != 0;
#endif
}

static int refuse_libcrypto(int err, struct reason *reason)
{
	if (is_fips())
		return reason_set(
			reason, err,
			"libcrypto is in FIPS mode, which has no Ed25519 and no BLAKE2b: "
			"verify it elsewhere, with minisign, and take it here without "
			"its signature, with --allow-unsigned");
	return reason_set(reason, err,
			  "libcrypto cannot verify it: no Ed25519 or BLAKE2b here");
}

int minisign_verify(const struct minisign *sig, const struct public_key *key,
		    const void *data, size_t size, struct reason *reason)
{
	int ret = verify_file(sig, key, data, size);

	if (ret == -EBADMSG)
		return reason_set(
			reason, ret,
			"it does not match the file: one of the two was changed");
	if (ret == 0)
		ret = verify_comment(sig, key);
	if (ret == -EBADMSG)
		return reason_set(reason, ret, "its trusted comment was changed");
	return ret < 0 ? refuse_libcrypto(ret, reason) : 0;
}

void key_id_hex(const unsigned char id[static KEY_ID_BYTES],
		char hex[static KEY_ID_DIGITS + 1])
{
	for (size_t i = 0; i < KEY_ID_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02X", id[KEY_ID_BYTES - 1 - i]);
}

unsigned long long comment_timestamp(const char *comment)
{
	const char *at = strstr(comment, TIMESTAMP);

	while (at && at != comment && !isblank((unsigned char)at[-1]))
		at = strstr(at + 1, TIMESTAMP);
	return at ? strtoull(at + strlen(TIMESTAMP), NULL, 10) : 0;
}
