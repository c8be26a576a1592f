// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/period.h"

#include <errno.h>
#include <wolfssl/wolfcrypt/hmac.h>

#include "crypto/secret.h"
#include "wire/bytes.h"

#define LABEL_MAX 32

static int make_key(struct ql_period_keys *k, const uint8_t secret[QL_PERIOD_SECRET],
		    struct ql_period_key *to, uint64_t period)
{
	static const uint8_t no_iv[QL_IV_LEN];
	uint8_t info[LABEL_MAX + 8], key[16];
	size_t len = strlen(k->label) + 1;
	int rc;

	memcpy(info, k->label, len);
	ql_put_be64(info + len, period);
	rc = wc_HKDF_Expand(WC_SHA256, secret, QL_PERIOD_SECRET, info, (word32)len + 8, key,
			    sizeof(key));
	ql_aead_fini(&to->aead, k->mem);
	if (rc == 0)
		rc = ql_aead_init(&to->aead, k->mem, QL_AES128_GCM_SHA256, key, no_iv);
	ql_wipe(key, sizeof(key));
	to->period = period;
	return rc ? -ENOMEM : 0;
}

static void forget(struct ql_period_keys *k, struct ql_period_secret *s)
{
	for (unsigned int i = 0; i < 2; i++)
		ql_aead_fini(&s->keys[i].aead, k->mem);
	ql_wipe(s, sizeof(*s));
}

static int make_keys(struct ql_period_keys *k, struct ql_period_secret *s,
		     const uint8_t secret[QL_PERIOD_SECRET])
{
	int rc = 0;

	memset(s, 0, sizeof(*s));
	s->used = true;
	memcpy(s->secret, secret, sizeof(s->secret));
	for (uint64_t period = 0; period < 2 && rc == 0; period++)
		rc = make_key(k, s->secret, &s->keys[period], period);
	if (rc < 0)
		forget(k, s);
	return rc;
}

int ql_period_keys_init(struct ql_period_keys *k, struct ql_mem *mem,
			const uint8_t secret[QL_PERIOD_SECRET], const char *label)
{
	int rc;

	memset(k, 0, sizeof(*k));
	k->mem = mem;
	k->label = label;
	rc = make_keys(k, &k->now, secret);
	if (rc < 0)
		k->mem = NULL;
	return rc;
}

void ql_period_keys_fini(struct ql_period_keys *k)
{
	if (!k->mem)
		return;
	forget(k, &k->now);
	forget(k, &k->before);
	k->mem = NULL;
}

int ql_period_keys_rekey(struct ql_period_keys *k, const uint8_t secret[QL_PERIOD_SECRET])
{
	struct ql_period_secret next;
	int rc = make_keys(k, &next, secret);

	if (rc < 0)
		return rc;
	forget(k, &k->before);
	k->before = k->now;
	k->now = next;
	ql_wipe(&next, sizeof(next));
	return 0;
}

static const struct ql_aead *key_of(struct ql_period_keys *k, struct ql_period_secret *s,
				    uint64_t period)
{
	struct ql_period_key *key = &s->keys[period & 1];

	if ((key->period != period || !key->aead.schedule) &&
	    make_key(k, s->secret, key, period) < 0)
		return NULL;
	return &key->aead;
}

const struct ql_aead *ql_period_key(struct ql_period_keys *k, uint64_t period)
{
	return key_of(k, &k->now, period);
}

bool ql_period_open(struct ql_period_keys *k, uint64_t period, const uint8_t iv[QL_IV_LEN],
		    const uint8_t *aad, size_t aad_len, const uint8_t *sealed, size_t len,
		    uint8_t *opened)
{
	struct ql_period_secret *secrets[] = {&k->now, &k->before};

	for (unsigned int i = 0; i < 2 && secrets[i]->used; i++) {
		const struct ql_aead *aead = key_of(k, secrets[i], period);

		memcpy(opened, sealed, len + QL_TAG_LEN);
		if (aead && ql_aead_open(aead, iv, aad, aad_len, opened, len))
			return true;
	}
	return false;
}
