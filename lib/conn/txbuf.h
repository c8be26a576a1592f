// SPDX-License-Identifier: BSD-3-Clause
/*
 * mbufs for datagrams to be sent: taken from the engine's pool many at a time, and asked into the cache
 * before they are filled.
 */
#ifndef QL_CONN_TXBUF_H
#define QL_CONN_TXBUF_H

#include <rte_mbuf.h>

#include "base/prefetch.h"
#include "conn/host.h"

/* One so far behind is on its way into the cache: the mbuf, its headers and frames. */
#define QL_TXBUF_AHEAD 3

/* From the pool itself; NULL when it is empty. */
struct rte_mbuf *ql_txbuf_take_more(struct ql_conn_host *host);

/*
 * An empty one; NULL when there is none.
 *
 * An mbuf is left in its pool as a single segment, with one reference. The rest is set here, but for
 * what only counts by a flag: that is in the mbuf's second cache line.
 */
static inline struct rte_mbuf *ql_txbuf_take(struct ql_conn_host *host)
{
	struct rte_mbuf *m;

	if (host->n_spare > QL_TXBUF_AHEAD) {
		struct rte_mbuf *next = host->spare[host->n_spare - 1 - QL_TXBUF_AHEAD];
		const char *p =
			(const char *)rte_mbuf_buf_addr(next, host->tx_pool) + RTE_PKTMBUF_HEADROOM;

		ql_prefetch_write(next);
		ql_prefetch_write(p - QL_CACHE_LINE);
		ql_prefetch_write(p);
	}
	m = host->n_spare > 0 ? host->spare[--host->n_spare] : ql_txbuf_take_more(host);
	if (__builtin_expect(m == NULL, 0))
		return NULL;
	m->data_off = RTE_PKTMBUF_HEADROOM;
	m->port = RTE_MBUF_PORT_INVALID;
	m->ol_flags = 0;
	m->packet_type = 0;
	return m;
}

#endif
