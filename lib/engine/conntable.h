// SPDX-License-Identifier: BSD-3-Clause
/*
 * Which connection a packet belongs to: by the slot in connection IDs of our making (conn/cid.h),
 * and by a hash table for the IDs that clients choose for their first packets (RFC 9000,
 * section 7.2), together with the address they come from. The hash is SipHash under a key of the
 * engine's.
 */
#ifndef QL_ENGINE_CONNTABLE_H
#define QL_ENGINE_CONNTABLE_H

#include <stdint.h>

#include <qlane/common.h>

#include "base/siphash.h"
#include "wire/cid.h"

struct ql_engine_conn;
struct rte_hash;

#define QL_SLOT_NONE UINT32_MAX

/* An ID of a client's choice. Compared as bytes: always made by ql_initial_key(). */
struct ql_initial_key {
	uint8_t cid[QL_CID_MAX];
	uint8_t ip[16];
	uint16_t port;
	uint8_t len;
	uint8_t zero;
};

struct ql_conntable {
	struct ql_engine_conn **slots;
	uint32_t *free; /* ring of free slots: the one free for longest goes first */
	uint32_t n_slots, n_free, next_free;
	struct ql_sipkey key;
	struct rte_hash *initial;
};

/*
 * n_slots connections, n_initial of them with an entry by client-chosen ID at a time. Set-up only:
 * takes memory from DPDK's heap. 0 or -ENOMEM.
 */
int ql_conntable_init(struct ql_conntable *t, uint32_t n_slots, uint32_t n_initial, int socket_id,
		      const struct ql_sipkey *key);
void ql_conntable_fini(struct ql_conntable *t);

/* A free slot, or QL_SLOT_NONE. */
uint32_t ql_conntable_take(struct ql_conntable *t, struct ql_engine_conn *conn);
void ql_conntable_release(struct ql_conntable *t, uint32_t slot);

/* NULL for a slot out of range or not in use. */
static inline struct ql_engine_conn *ql_conntable_at(const struct ql_conntable *t, uint32_t slot)
{
	return slot < t->n_slots ? t->slots[slot] : NULL;
}

void ql_initial_key(struct ql_initial_key *key, const uint8_t *cid, size_t len,
		    const struct ql_addr *remote);

/* 0, or -ENOSPC. The key is copied. */
int ql_conntable_add(struct ql_conntable *t, const struct ql_initial_key *key,
		     struct ql_engine_conn *conn);
void ql_conntable_del(struct ql_conntable *t, const struct ql_initial_key *key);
struct ql_engine_conn *ql_conntable_find(const struct ql_conntable *t,
					 const struct ql_initial_key *key);

#endif
