// SPDX-License-Identifier: BSD-3-Clause
#include "engine/conntable.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_hash.h>
#include <rte_jhash.h>
#include <rte_malloc.h>

int ql_conntable_init(struct ql_conntable *t, uint32_t n_slots, uint32_t n_initial, int socket_id,
		      const struct ql_sipkey *key)
{
	char name[RTE_HASH_NAMESIZE];
	struct rte_hash_parameters p = {
		.name = name,
		/* Buckets of eight: room to spare keeps insertion from failing early. */
		.entries = n_initial < 64 ? 128 : 2 * n_initial,
		.key_len = sizeof(struct ql_initial_key),
		.hash_func = rte_jhash, /* not used: we bring the hash */
		.socket_id = socket_id,
	};

	memset(t, 0, sizeof(*t));
	t->key = *key;
	t->n_slots = t->n_free = n_slots;
	t->slots = rte_calloc_socket("ql_slots", n_slots, sizeof(*t->slots), 0, socket_id);
	t->free = rte_malloc_socket("ql_free", n_slots * sizeof(*t->free), 0, socket_id);
	snprintf(name, sizeof(name), "ql_%p", (void *)t);
	t->initial = rte_hash_create(&p);
	if (!t->slots || !t->free || !t->initial) {
		ql_conntable_fini(t);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < n_slots; i++)
		t->free[i] = i;
	return 0;
}

void ql_conntable_fini(struct ql_conntable *t)
{
	rte_free(t->slots);
	rte_free(t->free);
	rte_hash_free(t->initial);
	memset(t, 0, sizeof(*t));
}

uint32_t ql_conntable_take(struct ql_conntable *t, struct ql_engine_conn *conn)
{
	uint32_t slot;

	if (t->n_free == 0)
		return QL_SLOT_NONE;
	slot = t->free[t->next_free];
	t->next_free = t->next_free + 1 == t->n_slots ? 0 : t->next_free + 1;
	t->n_free--;
	t->slots[slot] = conn;
	return slot;
}

void ql_conntable_release(struct ql_conntable *t, uint32_t slot)
{
	uint32_t at = t->next_free + t->n_free;

	t->free[at >= t->n_slots ? at - t->n_slots : at] = slot;
	t->n_free++;
	t->slots[slot] = NULL;
}

void ql_initial_key(struct ql_initial_key *key, const uint8_t *cid, size_t len,
		    const struct ql_addr *remote)
{
	memset(key, 0, sizeof(*key));
	if (len > QL_CID_MAX)
		len = QL_CID_MAX;
	memcpy(key->cid, cid, len);
	key->len = (uint8_t)len;
	memcpy(key->ip, remote->ip, sizeof(key->ip));
	key->port = remote->port;
}

static inline hash_sig_t hash(const struct ql_conntable *t, const struct ql_initial_key *key)
{
	return (hash_sig_t)ql_siphash(&t->key, key, sizeof(*key));
}

int ql_conntable_add(struct ql_conntable *t, const struct ql_initial_key *key,
		     struct ql_engine_conn *conn)
{
	return rte_hash_add_key_with_hash_data(t->initial, key, hash(t, key), conn) < 0 ? -ENOSPC
											: 0;
}

void ql_conntable_del(struct ql_conntable *t, const struct ql_initial_key *key)
{
	rte_hash_del_key_with_hash(t->initial, key, hash(t, key));
}

struct ql_engine_conn *ql_conntable_find(const struct ql_conntable *t,
					 const struct ql_initial_key *key)
{
	void *conn;

	return rte_hash_lookup_with_hash_data(t->initial, key, hash(t, key), &conn) < 0 ? NULL
											: conn;
}
