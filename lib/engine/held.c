// SPDX-License-Identifier: BSD-3-Clause
#include "engine/held.h"

#include <string.h>

#include <rte_mbuf.h>

static void forget(struct ql_held *h, unsigned int i)
{
	h->n--;
	memmove(&h->at[i], &h->at[i + 1], (h->n - i) * sizeof(h->at[0]));
}

static void expire(struct ql_held *h, uint64_t now, uint64_t *dropped)
{
	/* the oldest comes first */
	while (h->n > 0 && h->at[0].until <= now) {
		rte_pktmbuf_free(h->at[0].dgram.mbuf);
		forget(h, 0);
		(*dropped)++;
	}
}

static bool same(const struct ql_initial_key *a, const struct ql_initial_key *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

bool ql_held_add(struct ql_held *h, const struct ql_held_packet *packet, uint64_t now,
		 uint64_t *dropped)
{
	unsigned int each = 0;

	expire(h, now, dropped);
	for (unsigned int i = 0; i < h->n; i++)
		each += same(&h->at[i].key, &packet->key);
	if (h->n == QL_HELD_MAX || each == QL_HELD_EACH)
		return false;
	h->at[h->n] = *packet;
	h->at[h->n].until = now + QL_HELD_LIFE;
	h->n++;
	rte_mbuf_refcnt_update(packet->dgram.mbuf, 1);
	return true;
}

bool ql_held_take(struct ql_held *h, const struct ql_initial_key *key,
		  struct ql_held_packet *packet)
{
	for (unsigned int i = 0; i < h->n; i++) {
		if (same(&h->at[i].key, key)) {
			*packet = h->at[i];
			forget(h, i);
			return true;
		}
	}
	return false;
}

void ql_held_free(struct ql_held *h)
{
	for (unsigned int i = 0; i < h->n; i++)
		rte_pktmbuf_free(h->at[i].dgram.mbuf);
	h->n = 0;
}
