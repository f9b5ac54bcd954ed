// SPDX-License-Identifier: GPL-2.0-only
#include "bundle/modsig.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/log.h"

#define MARKER "~Module signature appended~\n"
#define ID_PKCS7 2

/* include/linux/module_signature.h */
struct trailer {
	unsigned char algo, hash, id_type, signer_len, key_id_len, pad[3];
	unsigned char sig_len[4]; /* big endian */
};

static void free_cms(CMS_ContentInfo **cms)
{
	CMS_ContentInfo_free(*cms);
}

static void free_bio(BIO **bio)
{
	BIO_free(*bio);
}

static void free_stack(STACK_OF(X509) * *stack)
{
	sk_X509_free(*stack);
}

#define _cleanup_cms_ _cleanup_(free_cms)
#define _cleanup_bio_ _cleanup_(free_bio)
#define _cleanup_stack_ _cleanup_(free_stack)

void modsig_free(struct modsig *sig)
{
	free(sig->signer);
	*sig = (struct modsig){ 0 };
}

void certificate_free(struct x509_st **certificate)
{
	X509_free(*certificate);
	*certificate = NULL;
}

/* What was printed into @bio, as a string of its own. */
static char *bio_text(BIO *bio)
{
	char *data = NULL;
	long len = BIO_get_mem_data(bio, &data);

	return len < 0 ? NULL : strndup(data ? data : "", (size_t)len);
}

static char *name_text(const X509_NAME *name)
{
	_cleanup_bio_ BIO *bio = BIO_new(BIO_s_mem());

	if (!bio ||
	    X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0)
		return NULL;
	return bio_text(bio);
}

static char *hex_text(const unsigned char *bytes, int len)
{
	static const char digits[] = "0123456789abcdef";
	size_t size = len > 0 ? (size_t)len : 0;
	char *out = malloc(2 * size + 1);

	if (!out)
		return NULL;
	for (size_t i = 0; i < size; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 0xf];
	}
	out[2 * size] = '\0';
	return out;
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
	return name_text(X509_get_subject_name(certificate));
}

char *certificate_key_name(const struct x509_st *certificate)
{
	/* Not const in OpenSSL 1.1.1, which caches the extensions. */
	const ASN1_OCTET_STRING *id =
		X509_get0_subject_key_id((struct x509_st *)certificate);
	const unsigned char *bytes;
	int len;

	if (!id)
		id = X509_get0_serialNumber(certificate);
	bytes = ASN1_STRING_get0_data(id);
	len = ASN1_STRING_length(id);
	if (len > 1 && !bytes[0]) {
		bytes++;
		len--;
	}
	return hex_text(bytes, len);
}

/* The end of the module, as mod_verify_sig() of the kernel's kernel/module_signing.c
 * reads it. */
static int split(struct modsig *sig, struct slice module, size_t *len,
		 struct reason *reason)
{
	const size_t marker = sizeof(MARKER) - 1;
	struct trailer end;
	size_t rest;

	sig->body = module.size;
	*len = 0;
	if (module.size < marker ||
	    memcmp(module.data + module.size - marker, MARKER, marker) != 0)
		return 0;
	rest = module.size - marker;
	if (rest < sizeof(end))
		return reason_set(reason, -EBADMSG, "its module signature is cut off");
	rest -= sizeof(end);
	memcpy(&end, module.data + rest, sizeof(end));
	*len = (size_t)end.sig_len[0] << 24 | (size_t)end.sig_len[1] << 16 |
	       (size_t)end.sig_len[2] << 8 | end.sig_len[3];
	if (!*len || *len >= rest)
		return reason_set(reason, -EBADMSG,
				  "its module signature says that it is %zu bytes long",
				  *len);
	if (end.id_type != ID_PKCS7 || end.algo || end.hash || end.signer_len ||
	    end.key_id_len || end.pad[0] || end.pad[1] || end.pad[2])
		return reason_set(reason, -EBADMSG,
				  "its module signature is of a kind that the kernel "
				  "does not take (only PKCS#7)");
	sig->body = rest - *len;
	return 0;
}

/* The start of an element's content at @at, and through @end what is after it; or NULL.
 */
static const unsigned char *enter(const unsigned char *at, const unsigned char **end)
{
	const unsigned char *content = at;
	int tag, class;
	long len = 0;

	if (!at || (ASN1_get_object(&content, &len, &tag, &class, *end - at) & 0x81))
		return NULL;
	*end = content + len;
	return content;
}

/* What comes after the element at @at. */
static const unsigned char *skip(const unsigned char *at, const unsigned char *end)
{
	return enter(at, &end) ? end : NULL;
}

/* Whether there is an INTEGER 1 or 3, the versions that the kernel's PKCS#7 parser takes.
 */
static bool is_version(const unsigned char *at, const unsigned char *end)
{
	return at && end - at > 3 && at[0] == V_ASN1_INTEGER && at[1] == 1 &&
	       (at[2] == 1 || at[2] == 3);
}

/*
 * Whether the SET of digests at @at has one, and that is @digest, as sign-file writes it.
 * The kernel does not look; libcrypto 3.0 verifies by the set, and loses memory over a
 * digest that it does not know.
 */
static bool is_only_digest(const unsigned char *at, const unsigned char *end,
			   const ASN1_OBJECT *digest)
{
	const unsigned char *of_set;

	at = enter(at, &end);
	of_set = end;
	at = enter(at, &end);
	if (!at || end != of_set || at == end || *at != V_ASN1_OBJECT)
		return false;
	at = enter(at, &end);
	return at && (size_t)(end - at) == OBJ_length(digest) &&
	       !memcmp(at, OBJ_get0_data(digest), OBJ_length(digest));
}

/*
 * What libcrypto reads past and crypto/asymmetric_keys/pkcs7_parser.c of the kernel does
 * not: the two versions, the type of the content, the name of the digest.
 */
static bool is_kernels(CMS_ContentInfo *cms, CMS_SignerInfo *info,
		       const unsigned char *at, size_t len)
{
	const unsigned char *end = at + len;
	X509_ALGOR *digest = NULL;
	int nid;

	CMS_SignerInfo_get0_algs(info, NULL, NULL, &digest, NULL);
	nid = digest ? OBJ_obj2nid(digest->algorithm) : NID_undef;
	/* Detached, and the signature is of the module itself, not of attributes
	 * (pkcs7_supply_detached_data() and pkcs7_verify()). */
	if (CMS_is_detached(cms) != 1 || CMS_signed_get_attr_count(info) >= 0)
		return false;
	if (OBJ_obj2nid(CMS_get0_eContentType(cms)) != NID_pkcs7_data ||
	    (nid != NID_sha1 && nid != NID_sha224 && nid != NID_sha256 &&
	     nid != NID_sha384 && nid != NID_sha512 && nid != NID_sm3))
		return false;
	at = enter(at, &end); /* ContentInfo */
	at = skip(at, end);   /* its type */
	at = enter(at, &end); /* [0] */
	at = enter(at, &end); /* SignedData */
	if (!is_version(at, end))
		return false;
	at = skip(at, end); /* version */
	if (!is_only_digest(at, end, digest->algorithm))
		return false;
	at = skip(at, end); /* digests */
	at = skip(at, end); /* content */
	while (at && at < end && *at != (V_ASN1_SET | V_ASN1_CONSTRUCTED))
		at = skip(at, end); /* certificates */
	at = enter(at, &end);	    /* SignerInfos */
	at = enter(at, &end);
	return is_version(at, end);
}

/* Who signed, by the signature's own word. */
static char *signer_text(CMS_SignerInfo *info)
{
	ASN1_OCTET_STRING *id = NULL;
	_cleanup_free_ char *name = NULL, *number = NULL;
	ASN1_INTEGER *serial = NULL;
	X509_NAME *issuer = NULL;

	if (CMS_SignerInfo_get0_signer_id(info, &id, &issuer, &serial) != 1)
		return NULL;
	if (id) {
		number = hex_text(ASN1_STRING_get0_data(id), ASN1_STRING_length(id));
		return number ? strdup_printf("the key %s", number) : NULL;
	}
	name = name_text(issuer);
	number = hex_text(ASN1_STRING_get0_data(serial), ASN1_STRING_length(serial));
	if (!name || !number)
		return NULL;
	return strdup_printf("the certificate %s of '%s'", number, name);
}

static int verify(CMS_ContentInfo *cms, CMS_SignerInfo *info, X509 *certificate,
		  const struct modsig *sig, struct slice module, struct reason *reason)
{
	_cleanup_bio_ BIO *body = BIO_new_mem_buf(module.data, (int)sig->body);
	_cleanup_stack_ STACK_OF(X509) *certificates = sk_X509_new_null();
	int good;

	if (!body || !certificates || !sk_X509_push(certificates, certificate))
		return reason_errno(reason, -ENOMEM);
	if (CMS_SignerInfo_cert_cmp(info, certificate) != 0)
		return reason_set(reason, -EBADMSG,
				  "it is signed by %s, not by the bundle's certificate",
				  sig->signer);
	good = CMS_verify(cms, certificates, NULL, body, NULL,
			  CMS_BINARY | CMS_NO_SIGNER_CERT_VERIFY | CMS_NOINTERN);
	ERR_clear_error();
	if (good != 1)
		return reason_set(reason, -EBADMSG,
				  "its module signature does not hold: module or "
				  "signature were changed after it was signed by %s",
				  sig->signer);
	return 0;
}

int modsig_read(struct modsig *sig, struct slice module, struct x509_st *certificate,
		struct reason *reason)
{
	_cleanup_cms_ CMS_ContentInfo *cms = NULL;
	STACK_OF(CMS_SignerInfo) *infos = NULL;
	CMS_SignerInfo *info;
	const unsigned char *at;
	size_t len;
	int ret;

	*sig = (struct modsig){ 0 };
	ret = split(sig, module, &len, reason);
	if (ret < 0 || !len)
		return ret;
	at = (const unsigned char *)module.data + sig->body;
	cms = d2i_CMS_ContentInfo(NULL, &at, (long)len);
	if (cms && OBJ_obj2nid(CMS_get0_type(cms)) == NID_pkcs7_signed &&
	    at == (const unsigned char *)module.data + sig->body + len)
		infos = CMS_get0_SignerInfos(cms);
	ERR_clear_error();
	if (!infos || sk_CMS_SignerInfo_num(infos) != 1)
		return reason_set(reason, -EBADMSG,
				  "its module signature is no PKCS#7 of one signer");
	info = sk_CMS_SignerInfo_value(infos, 0);
	if (!is_kernels(cms, info, (const unsigned char *)module.data + sig->body, len))
		return reason_set(
			reason, -EBADMSG,
			"its module signature is no PKCS#7 that the kernel takes");
	sig->signer = signer_text(info);
	if (!sig->signer)
		return reason_errno(reason, -ENOMEM);
	sig->state = MODSIG_UNKNOWN;
	if (!certificate)
		return 0;
	ret = verify(cms, info, certificate, sig, module, reason);
	if (ret == 0)
		sig->state = MODSIG_GOOD;
	return ret;
}
