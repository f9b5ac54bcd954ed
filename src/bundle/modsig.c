// SPDX-License-Identifier: GPL-2.0-only
#include "bundle/modsig.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/log.h"
#include "base/sha256sums.h"

#define MARKER "~Module signature appended~\n"

static void free_bio(BIO **bio)
{
	BIO_free(*bio);
}

bool modsig_present(struct slice module)
{
	const size_t len = strlen(MARKER);

	return module.size > len && !memcmp(module.data + module.size - len, MARKER, len);
}

void certificate_free(struct x509_st **certificate)
{
	X509_free(*certificate);
	*certificate = NULL;
}

int certificate_read(struct x509_st **certificate, struct slice file,
		     struct reason *reason)
{
	const unsigned char *at = (const unsigned char *)file.data;

	*certificate = d2i_X509(NULL, &at, (long)file.size);
	ERR_clear_error();
	if (*certificate && at == (const unsigned char *)file.data + file.size)
		return 0;
	certificate_free(certificate);
	return reason_set(reason, -EBADMSG, "it is no certificate in DER");
}

char *certificate_subject(const struct x509_st *certificate)
{
	_cleanup_(free_bio) BIO *bio = BIO_new(BIO_s_mem());
	char *data = NULL;
	long len;

	if (!bio || X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0,
				       XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0)
		return NULL;
	len = BIO_get_mem_data(bio, &data);
	return len < 0 ? NULL : strndup(data ? data : "", (size_t)len);
}

char *certificate_key_name(const struct x509_st *certificate)
{
	/* Not const in OpenSSL 1.1.1, which caches the extensions. */
	const ASN1_OCTET_STRING *id =
		X509_get0_subject_key_id((struct x509_st *)certificate);
	const unsigned char *bytes;
	char *name;
	int len;

	if (!id)
		id = X509_get0_serialNumber(certificate);
	bytes = ASN1_STRING_get0_data(id);
	len = ASN1_STRING_length(id);
	if (len > 1 && !bytes[0]) {
		bytes++;
		len--;
	}
	name = malloc(2 * (size_t)len + 1);
	if (name)
		hex_text(bytes, (size_t)len, name);
	return name;
}
