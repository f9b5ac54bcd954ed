// SPDX-License-Identifier: GPL-2.0-only
#include "digest.h"

#include <openssl/evp.h>
#include <string.h>

static const char digits[] = "0123456789abcdef";

int sha256(const void *data, size_t size, unsigned char digest[static SHA256_BYTES])
{
	unsigned int len = 0;

	if (EVP_Digest(data, size, digest, &len, EVP_sha256(), NULL) != 1)
		return -EIO;
	return len == SHA256_BYTES ? 0 : -EIO;
}

void sha256_hex(const unsigned char digest[static SHA256_BYTES],
		char hex[static SHA256_DIGITS + 1])
{
	for (size_t i = 0; i < SHA256_BYTES; i++) {
		hex[2 * i] = digits[digest[i] >> 4];
		hex[2 * i + 1] = digits[digest[i] & 0xf];
	}
	hex[SHA256_DIGITS] = '\0';
}

int sha256_parse(const char *hex, unsigned char digest[static SHA256_BYTES])
{
	if (strspn(hex, digits) < SHA256_DIGITS)
		return -EINVAL;
	for (size_t i = 0; i < SHA256_BYTES; i++) {
		size_t high = (size_t)(strchr(digits, hex[2 * i]) - digits);
		size_t low = (size_t)(strchr(digits, hex[2 * i + 1]) - digits);

		digest[i] = (unsigned char)(high << 4 | low);
	}
	return 0;
}
