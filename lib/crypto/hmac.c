// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/hmac.h"

#include <errno.h>
#include <stdbool.h>

#include "crypto/secret.h"

#define BLOCK_MAX 128
#define INNER	  0x36
#define OUTER	  0x5c

static bool is_sha384(const struct ql_hmac *m)
{
	return m->len == WC_SHA384_DIGEST_SIZE;
}

static int begin(const struct ql_hmac *m, union ql_hmac_hash *h)
{
	return is_sha384(m) ? wc_InitSha384(&h->sha384) : wc_InitSha256(&h->sha256);
}

static int add(const struct ql_hmac *m, union ql_hmac_hash *h, const uint8_t *data, size_t len)
{
	return is_sha384(m) ? wc_Sha384Update(&h->sha384, data, (word32)len)
			    : wc_Sha256Update(&h->sha256, data, (word32)len);
}

static int copy(const struct ql_hmac *m, union ql_hmac_hash *to, union ql_hmac_hash *from)
{
	return is_sha384(m) ? wc_Sha384Copy(&from->sha384, &to->sha384)
			    : wc_Sha256Copy(&from->sha256, &to->sha256);
}

static int end(const struct ql_hmac *m, union ql_hmac_hash *h, uint8_t *out)
{
	return is_sha384(m) ? wc_Sha384Final(&h->sha384, out) : wc_Sha256Final(&h->sha256, out);
}

static void forget(const struct ql_hmac *m, union ql_hmac_hash *h)
{
	if (is_sha384(m))
		wc_Sha384Free(&h->sha384);
	else
		wc_Sha256Free(&h->sha256);
}

int ql_hmac_init(struct ql_hmac *m, const uint8_t *key, size_t len)
{
	size_t block = len == WC_SHA384_DIGEST_SIZE ? WC_SHA384_BLOCK_SIZE : WC_SHA256_BLOCK_SIZE;
	uint8_t pad[BLOCK_MAX];
	int rc;

	m->len = len;
	rc = begin(m, &m->inner);
	if (begin(m, &m->outer))
		rc = -EIO;
	memset(pad, INNER, sizeof(pad));
	for (size_t i = 0; i < len; i++)
		pad[i] ^= key[i];
	if (!rc)
		rc = add(m, &m->inner, pad, block);
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= INNER ^ OUTER;
	if (!rc)
		rc = add(m, &m->outer, pad, block);
	ql_wipe(pad, sizeof(pad));
	return rc ? -EIO : 0;
}

int ql_hmac(struct ql_hmac *m, const uint8_t *data, size_t len, uint8_t *out)
{
	union ql_hmac_hash h;
	uint8_t hash[QL_HASH_MAX];
	int rc;

	if (begin(m, &h))
		return -EIO;
	rc = copy(m, &h, &m->inner);
	if (!rc)
		rc = add(m, &h, data, len);
	if (!rc)
		rc = end(m, &h, hash);
	if (!rc)
		rc = copy(m, &h, &m->outer);
	if (!rc)
		rc = add(m, &h, hash, m->len);
	if (!rc)
		rc = end(m, &h, out);
	forget(m, &h);
	ql_wipe(hash, sizeof(hash));
	return rc ? -EIO : 0;
}

void ql_hmac_fini(struct ql_hmac *m)
{
	forget(m, &m->inner);
	forget(m, &m->outer);
}
