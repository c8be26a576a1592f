// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/ticket.h"

#include <errno.h>

#include "crypto/secret.h"
#include "wire/bytes.h"

#define TEXT_MAX 512 /* bytes sealed; TLS's part is some 200 */
#define AAD_LEN	 (QL_TICKET_NAME + 4)

static const char name_of_ours[8] = "QLticket";

int ql_tickets_init(struct ql_tickets *t, struct ql_mem *mem,
		    const uint8_t secret[QL_PERIOD_SECRET])
{
	memset(t, 0, sizeof(*t));
	return ql_period_keys_init(&t->keys, mem, secret, "qlane ticket");
}

void ql_tickets_fini(struct ql_tickets *t)
{
	ql_period_keys_fini(&t->keys);
}

int ql_tickets_rekey(struct ql_tickets *t, const uint8_t secret[QL_PERIOD_SECRET])
{
	return ql_period_keys_rekey(&t->keys, secret);
}

static void put_aad(uint8_t aad[AAD_LEN], const uint8_t name[QL_TICKET_NAME], uint32_t version)
{
	memcpy(aad, name, QL_TICKET_NAME);
	ql_put_be32(aad + QL_TICKET_NAME, version);
}

int ql_ticket_seal(struct ql_tickets *t, struct ql_rng *rng, uint64_t now, uint32_t version,
		   const uint8_t binding[QL_TICKET_BINDING], uint8_t name[QL_TICKET_NAME],
		   uint8_t iv[QL_TICKET_IV], uint8_t mac[QL_TICKET_MAC], uint8_t *text, size_t len)
{
	uint64_t period = now / QL_PERIOD;
	const struct ql_aead *aead = ql_period_key(&t->keys, period);
	uint8_t sealed[TEXT_MAX + QL_TAG_LEN], aad[AAD_LEN];
	size_t all = len + QL_TICKET_EXTRA;

	if (!aead || all > TEXT_MAX)
		return -ENOMEM;
	memcpy(name, name_of_ours, sizeof(name_of_ours));
	ql_put_be64(name + sizeof(name_of_ours), period);
	memset(iv, 0, QL_TICKET_IV);
	ql_rng_bytes(rng, iv, QL_IV_LEN);
	memcpy(sealed, text, len);
	ql_put_be64(sealed + len, now);
	memcpy(sealed + len + 8, binding, QL_TICKET_BINDING);
	put_aad(aad, name, version);
	ql_aead_seal(aead, iv, aad, sizeof(aad), sealed, all);
	memcpy(text, sealed, all);
	memset(mac, 0, QL_TICKET_MAC);
	memcpy(mac, sealed + all, QL_TAG_LEN);
	return 0;
}

int ql_ticket_open(struct ql_tickets *t, uint64_t now, uint32_t version,
		   const uint8_t name[QL_TICKET_NAME], const uint8_t iv[QL_TICKET_IV],
		   const uint8_t mac[QL_TICKET_MAC], uint8_t *text, size_t len,
		   struct ql_ticket *out)
{
	uint64_t period = ql_get_be64(name + sizeof(name_of_ours)), current = now / QL_PERIOD;
	uint8_t sealed[TEXT_MAX + QL_TAG_LEN], opened[sizeof(sealed)], aad[AAD_LEN];
	size_t left;

	if (memcmp(name, name_of_ours, sizeof(name_of_ours)) != 0 || len < QL_TICKET_EXTRA ||
	    len > TEXT_MAX || (period != current && period + 1 != current))
		return -EBADMSG;
	put_aad(aad, name, version);
	memcpy(sealed, text, len);
	memcpy(sealed + len, mac, QL_TAG_LEN);
	if (!ql_period_open(&t->keys, period, iv, aad, sizeof(aad), sealed, len, opened))
		return -EBADMSG;
	left = len - QL_TICKET_EXTRA;
	memcpy(out->id, iv, sizeof(out->id));
	out->issued = ql_get_be64(opened + left);
	memcpy(out->binding, opened + left + 8, sizeof(out->binding));
	if (now > out->issued + QL_TICKET_LIFE)
		return -ETIMEDOUT;
	memcpy(text, opened, left);
	ql_wipe(opened, sizeof(opened));
	return 0;
}
