// SPDX-License-Identifier: BSD-3-Clause
#include "engine/resets.h"

#include <errno.h>
#include <string.h>

#include <rte_common.h>
#include <rte_malloc.h>

int ql_resets_init(struct ql_resets *r, uint32_t n, int socket_id, const struct ql_sipkey *key)
{
	n = rte_align32pow2(n);
	r->mask = n - 1;
	r->key = *key;
	r->buckets = rte_calloc_socket("ql_resets", n, sizeof(*r->buckets), 0, socket_id);
	return r->buckets ? 0 : -ENOMEM;
}

void ql_resets_fini(struct ql_resets *r)
{
	rte_free(r->buckets);
	memset(r, 0, sizeof(*r));
}

static struct ql_reset_bucket *bucket(const struct ql_resets *r, const uint8_t *token)
{
	return &r->buckets[ql_siphash(&r->key, token, QL_RESET_TOKEN_LEN) & r->mask];
}

void ql_resets_remove(struct ql_reset_entry *entry)
{
	if (entry->known)
		LIST_REMOVE(entry, link);
	entry->known = false;
}

void ql_resets_set(struct ql_resets *r, struct ql_reset_entry *entry, uint64_t seq,
		   const uint8_t *token)
{
	ql_resets_remove(entry);
	entry->seq = seq;
	if (!token)
		return;
	entry->known = true;
	memcpy(entry->token, token, sizeof(entry->token));
	LIST_INSERT_HEAD(bucket(r, token), entry, link);
}

/* Without a branch that depends on the bytes. */
static bool equal(const uint8_t *a, const uint8_t *b)
{
	uint64_t x[2], y[2];

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

struct ql_reset_entry *ql_resets_find(const struct ql_resets *r,
				      const struct ql_reset_entry *before,
				      const uint8_t token[QL_RESET_TOKEN_LEN])
{
	struct ql_reset_entry *e = before ? LIST_NEXT(before, link) : LIST_FIRST(bucket(r, token));

	while (e && !equal(e->token, token))
		e = LIST_NEXT(e, link);
	return e;
}
