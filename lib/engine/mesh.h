// SPDX-License-Identifier: BSD-3-Clause
/*
 * Rings by which the engines of a process hand each other datagrams (qlane/steer.h): one for each
 * (from, to), so that each has one producer and one consumer.
 *
 * So that an engine of many need not look into all of its rings every turn, whoever has put
 * something into one counts that up in a row of counters that the receiver reads: two cache lines
 * for 64 engines, which stay in its cache as long as nothing comes. Each counter has one writer, and
 * nothing is ever taken back, so that plain loads and stores do.
 */
#ifndef QL_ENGINE_MESH_H
#define QL_ENGINE_MESH_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>
#include <qlane/steer.h>

#include "base/siphash.h"

#define QL_MESH_RING_MAX    32768 /* datagrams in a ring; so that no counter goes round unseen */
#define QL_MESH_COUNTS_EACH 4	  /* counters in one word */

union ql_mesh_counts {
	uint16_t of[QL_ENGINES_MAX]; /* by the index of the sender */
	uint64_t words[QL_ENGINES_MAX / QL_MESH_COUNTS_EACH];
};

/* What is on its way to one engine. */
struct ql_mesh_place {
	union ql_mesh_counts rung __rte_cache_aligned; /* bursts put in: each the sender's own */
	union ql_mesh_counts seen __rte_cache_aligned; /* all from here on: the receiver's */
	uint8_t *rings;				       /* one after another, by sender */
	unsigned int next;			       /* sender to begin with */
	bool taken;				       /* an engine is here */
} __rte_cache_aligned;

struct ql_mesh {
	unsigned int n, words;
	size_t stride; /* bytes of one ring */
	bool spread;
	struct ql_sipkey spread_key;
	uint8_t secret[32]; /* for what all engines have in common */
	struct ql_mesh_place *places;
};

/* An engine takes its place, before it or others are used. 0; -EINVAL when there is none, or taken. */
int ql_mesh_join(struct ql_mesh *m, unsigned int index);
void ql_mesh_leave(struct ql_mesh *m, unsigned int index);

/* Hand over n datagrams; returns how many of the first went in. The others stay the caller's. */
unsigned int ql_mesh_put(struct ql_mesh *m, unsigned int from, unsigned int to,
			 const struct ql_datagram *d, unsigned int n);

/* Whether there may be something for an engine. */
static inline bool ql_mesh_pending(const struct ql_mesh *m, unsigned int to)
{
	const struct ql_mesh_place *p = &m->places[to];
	uint64_t diff = 0;

	for (unsigned int i = 0; i < m->words; i++)
		diff |= __atomic_load_n(&p->rung.words[i], __ATOMIC_ACQUIRE) ^ p->seen.words[i];
	return diff != 0;
}

/* Take what one sender has put there, in its order, at most max. 0: there is nothing more. */
unsigned int ql_mesh_take(struct ql_mesh *m, unsigned int to, struct ql_datagram *out,
			  unsigned int max);

#endif
