// SPDX-License-Identifier: BSD-3-Clause
/*
 * What a connection uses of the engine it lives in. The engine embeds one ql_conn_host and keeps
 * `now` at the time of the running turn.
 */
#ifndef QL_CONN_HOST_H
#define QL_CONN_HOST_H

#include <sys/queue.h>

#include <qlane/engine.h>

#include "base/mem.h"
#include "conn/cid.h"
#include "crypto/rng.h"
#include "crypto/ticket.h"
#include "crypto/token.h"
#include "stream/flow.h"

#define QL_CONN_SPARE 32 /* mbufs: to take them one by one costs several times as much */

struct ql_conn;
struct ql_tx_burst;

TAILQ_HEAD(ql_conn_list, ql_conn);

struct ql_conn_host {
	uint64_t now;
	struct ql_conn_list ready; /* connections that have something to do in ql_engine_tx() */
	struct ql_mem *mem;
	struct ql_rng *rng;
	struct rte_mempool *tx_pool;
	struct rte_mbuf *spare[QL_CONN_SPARE]; /* taken from tx_pool, to be filled next */
	unsigned int n_spare;
	struct ql_tx_burst *burst; /* of the running ql_engine_tx(), or NULL */
	struct ql_engine_stats *stats;
	struct ql_tracer *tracer; /* or NULL */
	struct ql_cid_scheme cids;
	struct ql_tokens *tokens;
	struct ql_tickets *tickets;
	struct ql_flow_budget windows; /* for the growth of receive windows */
	uint64_t token_clock;	       /* ns that tokens' and tickets' time is ahead of now */
	uint16_t lcore_index;
	uint16_t tx_room; /* bytes for a UDP payload in one mbuf of tx_pool */
	uint64_t bits;	  /* for ql_conn_host_bit(): random ones below the topmost that is set */
};

/* A random bit for little. */
static inline bool ql_conn_host_bit(struct ql_conn_host *host)
{
	bool bit = host->bits & 1;

	if (__builtin_expect(host->bits <= 1, 0)) {
		host->bits = ql_rng_u64(host->rng) | UINT64_C(1) << 63;
		bit = host->bits & 1;
	}
	host->bits >>= 1;
	return bit;
}

#endif
