// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/period.h"

#include <errno.h>
#include <wolfssl/wolfcrypt/hmac.h>

#include "crypto/secret.h"
#include "wire/bytes.h"

#define LABEL_MAX 32

static int make_key(struct ql_period_keys *k, struct ql_period_key *to, uint64_t period)
{
	static const uint8_t no_iv[QL_IV_LEN];
	uint8_t info[LABEL_MAX + 8], key[16];
	size_t len = strlen(k->label) + 1;
	int rc;

	memcpy(info, k->label, len);
	ql_put_be64(info + len, period);
	rc = wc_HKDF_Expand(WC_SHA256, k->secret, sizeof(k->secret), info, (word32)len + 8, key,
			    sizeof(key));
	ql_aead_fini(&to->aead, k->mem);
	if (rc == 0)
		rc = ql_aead_init(&to->aead, k->mem, QL_AES128_GCM_SHA256, key, no_iv);
	ql_wipe(key, sizeof(key));
	to->period = period;
	return rc ? -ENOMEM : 0;
}

int ql_period_keys_init(struct ql_period_keys *k, struct ql_mem *mem,
			const uint8_t secret[QL_PERIOD_SECRET], const char *label)
{
	int rc;

	memset(k, 0, sizeof(*k));
	k->mem = mem;
	k->label = label;
	memcpy(k->secret, secret, sizeof(k->secret));
	rc = make_key(k, &k->keys[0], 0);
	if (rc == 0)
		rc = make_key(k, &k->keys[1], 1);
	if (rc < 0)
		ql_period_keys_fini(k);
	return rc;
}

void ql_period_keys_fini(struct ql_period_keys *k)
{
	if (!k->mem)
		return;
	for (unsigned int i = 0; i < 2; i++)
		ql_aead_fini(&k->keys[i].aead, k->mem);
	ql_wipe(k, sizeof(*k));
}

int ql_period_keys_replace(struct ql_period_keys *k, struct ql_period_keys *old,
			   const uint8_t secret[QL_PERIOD_SECRET])
{
	struct ql_period_keys next;
	int rc = ql_period_keys_init(&next, k->mem, secret, k->label);

	if (rc < 0)
		return rc;
	ql_period_keys_fini(old);
	*old = *k;
	*k = next;
	ql_wipe(&next, sizeof(next));
	return 0;
}

const struct ql_aead *ql_period_key(struct ql_period_keys *k, uint64_t period)
{
	struct ql_period_key *key = &k->keys[period & 1];

	if ((key->period != period || !key->aead.schedule) && make_key(k, key, period) < 0)
		return NULL;
	return &key->aead;
}
