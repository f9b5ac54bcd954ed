// SPDX-License-Identifier: GPL-2.0-only
/* Signatures and keys: whatever is read, what was not signed by the key never verifies.
 */
#include <stdint.h>
#include <string.h>

#include "base/log.h"
#include "bundle/minisign.h"

/* The public key of RFC 8032's first test: a point, as those of real keys are. */
static const unsigned char test_key[ED25519_KEY_BYTES] = {
	0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe,
	0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6,
	0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct public_key key;
	_cleanup_minisign_ struct minisign sig;
	struct reason reason = { 0 };
	char id[KEY_ID_DIGITS + 1];

	if (public_key_parse(&key, (const char *)data, size, &reason) < 0 &&
	    !*reason.text)
		abort();
	if (minisign_parse(&sig, (const char *)data, size, &reason) < 0)
		return 0;
	memcpy(key.key, test_key, sizeof(key.key));
	memcpy(key.id, sig.id, sizeof(key.id));
	key_id_hex(key.id, id);
	if (strlen(id) != KEY_ID_DIGITS ||
	    minisign_verify(&sig, &key, "payload", strlen("payload"), &reason) == 0)
		abort();
	return 0;
}
