// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/retry.h"

#include <errno.h>
#include <string.h>
#include <wolfssl/wolfcrypt/aes.h>

#include "wire/packet.h"

struct retry_key {
	uint8_t key[16];
	uint8_t nonce[QL_IV_LEN];
};

static const struct retry_key v1 = {
	.key = {0xbe, 0x0c, 0x69, 0x0b, 0x9f, 0x66, 0x57, 0x5a, 0x1d, 0x76, 0x6b, 0x54, 0xe3, 0x68,
		0xc8, 0x4e},
	.nonce = {0x46, 0x15, 0x99, 0xd3, 0x5d, 0x63, 0x2b, 0xf2, 0x23, 0x98, 0x25, 0xbb},
};

static const struct retry_key v2 = {
	.key = {0x8f, 0xb4, 0xb0, 0x1b, 0x56, 0xac, 0x48, 0xe2, 0x60, 0xfb, 0xcb, 0xce, 0xad, 0x7c,
		0xcc, 0x92},
	.nonce = {0xd8, 0x69, 0x69, 0xbc, 0x2d, 0x7c, 0x6d, 0x99, 0x90, 0xef, 0xb0, 0x4a},
};

/* The keys are public, so there is nothing to keep or to hide: expand them each time. */
int ql_retry_tag(uint32_t version, const uint8_t *odcid, size_t odcid_len, const uint8_t *retry,
		 size_t len, uint8_t tag[QL_TAG_LEN])
{
	const struct retry_key *k = version == QL_VERSION_1   ? &v1
				    : version == QL_VERSION_2 ? &v2
							      : NULL;
	uint8_t pseudo[1 + QL_CID_MAX + QL_RETRY_MAX];
	uint8_t *p = pseudo;
	Aes aes;
	int rc;

	if (!k)
		return -EPROTONOSUPPORT;
	if (odcid_len > QL_CID_MAX || len > QL_RETRY_MAX - QL_TAG_LEN)
		return -EMSGSIZE;
	*p++ = (uint8_t)odcid_len;
	p = ql_put_bytes(p, odcid, odcid_len);
	p = ql_put_bytes(p, retry, len);

	rc = wc_AesInit(&aes, NULL, INVALID_DEVID);
	if (!rc)
		rc = wc_AesGcmSetKey(&aes, k->key, sizeof(k->key));
	if (!rc)
		rc = wc_AesGcmEncrypt(&aes, NULL, NULL, 0, k->nonce, sizeof(k->nonce), tag,
				      QL_TAG_LEN, pseudo, (word32)(p - pseudo));
	wc_AesFree(&aes);
	return rc ? -EIO : 0;
}

bool ql_retry_verify(uint32_t version, const uint8_t *odcid, size_t odcid_len, const uint8_t *retry,
		     size_t len)
{
	uint8_t tag[QL_TAG_LEN];

	return len >= QL_TAG_LEN &&
	       ql_retry_tag(version, odcid, odcid_len, retry, len - QL_TAG_LEN, tag) == 0 &&
	       memcmp(tag, retry + len - QL_TAG_LEN, QL_TAG_LEN) == 0;
}
