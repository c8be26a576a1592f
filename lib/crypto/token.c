// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/token.h"

#include <errno.h>

#include "crypto/secret.h"

#define KIND_RETRY  0x80
#define PERIOD_MASK 0x7f

/* Where things are in a token. */
enum {
	AT_NONCE = 1,
	AT_SEALED = AT_NONCE + QL_IV_LEN,
	AT_DCID = AT_SEALED + 8,
};

/* First byte, version, IP, port, and the connection ID of the Retry with its length. */
#define AAD_MAX (1 + 4 + 16 + 2 + 1 + QL_CID_MAX)

int ql_tokens_init(struct ql_tokens *t, struct ql_mem *mem, const uint8_t secret[QL_TOKEN_SECRET])
{
	memset(t, 0, sizeof(*t));
	return ql_period_keys_init(&t->keys, mem, secret, "qlane token");
}

void ql_tokens_fini(struct ql_tokens *t)
{
	ql_period_keys_fini(&t->keys);
}

int ql_tokens_rekey(struct ql_tokens *t, const uint8_t secret[QL_TOKEN_SECRET])
{
	return ql_period_keys_rekey(&t->keys, secret);
}

/* retry_scid is not looked at for NEW_TOKEN. */
static size_t put_aad(uint8_t aad[AAD_MAX], uint8_t first, uint32_t version,
		      const struct ql_addr *client, struct ql_cid_view retry_scid)
{
	uint8_t *p = aad;

	*p++ = first;
	p = ql_put_be32(p, version);
	p = ql_put_bytes(p, client->ip, sizeof(client->ip));
	if (first & KIND_RETRY) {
		p = ql_put_be16(p, client->port);
		*p++ = retry_scid.len;
		p = ql_put_bytes(p, retry_scid.p, retry_scid.len);
	}
	return (size_t)(p - aad);
}

/* What is sealed lies at AT_SEALED, its tag behind it. */
static int seal(struct ql_tokens *t, struct ql_rng *rng, uint64_t now, uint8_t kind,
		uint32_t version, const struct ql_addr *client, struct ql_cid_view retry_scid,
		uint8_t *token, size_t len)
{
	uint64_t period = now / QL_PERIOD;
	const struct ql_aead *aead = ql_period_key(&t->keys, period);
	uint8_t aad[AAD_MAX];
	size_t aad_len;

	if (!aead)
		return -ENOMEM;
	token[0] = (uint8_t)(kind | (period & PERIOD_MASK));
	ql_rng_bytes(rng, token + AT_NONCE, QL_IV_LEN);
	aad_len = put_aad(aad, token[0], version, client, retry_scid);
	ql_aead_seal(aead, token + AT_NONCE, aad, aad_len, token + AT_SEALED,
		     len - AT_SEALED - QL_TAG_LEN);
	return 0;
}

int ql_token_retry(struct ql_tokens *t, struct ql_rng *rng, uint64_t now, uint32_t version,
		   const struct ql_addr *client, struct ql_cid_view original_dcid,
		   const struct ql_cid *retry_scid, uint8_t token[QL_TOKEN_RETRY_LEN])
{
	memset(token, 0, QL_TOKEN_RETRY_LEN);
	ql_put_be64(token + AT_SEALED, now + QL_TOKEN_RETRY_LIFE);
	token[AT_DCID] = original_dcid.len;
	ql_put_bytes(token + AT_DCID + 1, original_dcid.p, original_dcid.len);
	return seal(t, rng, now, KIND_RETRY, version, client, ql_cid_view(retry_scid), token,
		    QL_TOKEN_RETRY_LEN);
}

int ql_token_new(struct ql_tokens *t, struct ql_rng *rng, uint64_t now, uint32_t version,
		 const struct ql_addr *client, uint8_t token[QL_TOKEN_NEW_LEN])
{
	ql_put_be64(token + AT_SEALED, now + QL_TOKEN_NEW_LIFE);
	return seal(t, rng, now, 0, version, client, (struct ql_cid_view){0}, token,
		    QL_TOKEN_NEW_LEN);
}

enum ql_token_kind ql_token_kind(const uint8_t *token, size_t len)
{
	if (len == QL_TOKEN_RETRY_LEN && token[0] & KIND_RETRY)
		return QL_TOKEN_RETRY;
	return len == QL_TOKEN_NEW_LEN && !(token[0] & KIND_RETRY) ? QL_TOKEN_NEW : QL_TOKEN_OTHER;
}

/* Where a used token is remembered; its nonce is random, and authenticated. */
static uint64_t *seen(struct ql_tokens *t, uint64_t id)
{
	return &t->seen[id & (QL_TOKEN_SEEN - 1)];
}

int ql_token_open(struct ql_tokens *t, uint64_t now, uint32_t version, const struct ql_addr *client,
		  struct ql_cid_view dcid, const uint8_t *token, size_t len, struct ql_token *out)
{
	enum ql_token_kind kind = ql_token_kind(token, len);
	uint64_t period = now / QL_PERIOD, expires;
	uint8_t aad[AAD_MAX], text[QL_TOKEN_RETRY_LEN];
	size_t aad_len;

	if (kind == QL_TOKEN_OTHER || dcid.len > QL_CID_MAX)
		return -EBADMSG;
	if (period > 0 && ((period - 1) & PERIOD_MASK) == (token[0] & PERIOD_MASK))
		period--;
	else if ((period & PERIOD_MASK) != (token[0] & PERIOD_MASK))
		return -EBADMSG;
	aad_len = put_aad(aad, token[0], version, client, dcid);
	if (!ql_period_open(&t->keys, period, token + AT_NONCE, aad, aad_len, token + AT_SEALED,
			    len - AT_SEALED - QL_TAG_LEN, text + AT_SEALED))
		return -EBADMSG;
	expires = ql_get_be64(text + AT_SEALED);
	if (now > expires)
		return -ETIMEDOUT;
	memset(out, 0, sizeof(*out));
	memcpy(&out->id, token + AT_NONCE, sizeof(out->id));
	if (kind == QL_TOKEN_RETRY &&
	    ql_cid_set(&out->original_dcid, text + AT_DCID + 1, text[AT_DCID]) < 0)
		return -EBADMSG;
	return *seen(t, out->id) == out->id ? -EALREADY : 0;
}

void ql_token_use(struct ql_tokens *t, const struct ql_token *token)
{
	*seen(t, token->id) = token->id;
}
