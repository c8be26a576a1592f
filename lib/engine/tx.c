// SPDX-License-Identifier: BSD-3-Clause
/*
 * Connections that are ready, to a burst of datagrams; and the timers that make them ready.
 */
#include <rte_mbuf.h>

#include "base/floors.h"
#include "engine/impl.h"

#define TICK_BURST 32 /* connections whose deadlines have come, asked for together */

/* The client-chosen ID is of no more use once the handshake is confirmed. */
static void forget_initial(struct ql_engine *e, struct ql_engine_conn *ec)
{
	if (ec->in_table) {
		ql_conntable_del(&e->table, &ec->initial);
		ec->in_table = false;
	}
}

void ql_engine_reap(struct ql_engine *e, struct ql_engine_conn *ec)
{
	uint32_t slot = ec->conn.slot;
	bool counted = ec->conn.announced || ec->conn.state != QL_CONN_HANDSHAKE;

	forget_initial(e, ec);
	ql_resets_remove(&ec->reset);
	ql_wheel_remove(&e->wheel, slot);
	ql_conn_fini(&ec->conn);
	ql_engine_conn_free(e, ec, slot);
	e->stats.conns_closed += counted;
}

/* Keep the token of the peer's connection ID in use where a stateless reset will be looked for. */
static inline void follow_reset_token(struct ql_engine *e, struct ql_engine_conn *ec)
{
	const struct ql_peer_cids *cids = &ec->conn.peer_cids;
	const struct ql_peer_cid *c = &cids->e[cids->current];

	if (__builtin_expect(c->seq != ec->reset.seq || c->has_token != ec->reset.known, 0))
		ql_resets_set(&e->resets, &ec->reset, c->seq, c->has_token ? c->token : NULL);
}

static inline void arm(struct ql_engine *e, const struct ql_conn *conn)
{
	uint64_t deadline = ql_conn_deadline(conn);

	if (__builtin_expect(deadline == QL_NEVER, 0))
		ql_wheel_remove(&e->wheel, conn->slot);
	else
		ql_wheel_set(&e->wheel, conn->slot, deadline);
}

/*
 * Only the ready list's link of a connection is touched: what its deadline was for is seen to when
 * the list comes to it.
 */
void ql_engine_tick(struct ql_engine *e, uint64_t now)
{
	struct ql_conn *due[TICK_BURST];
	unsigned int n;
	uint32_t slot;

	ql_engine_check_thread(e);
	e->host.now = now;
	ql_wheel_advance(&e->wheel, now);
	do {
		for (n = 0; n < TICK_BURST && (slot = ql_wheel_pop(&e->wheel)) != QL_TIMER_NONE;
		     n++) {
			due[n] = &ql_conntable_at(&e->table, slot)->conn;
			ql_prefetch_write(due[n]);
		}
		for (unsigned int i = 0; i < n; i++) {
			due[i]->due = true;
			ql_conn_wake(due[i]);
		}
	} while (n == TICK_BURST);
}

/* It may be that packets, which came since, have put its deadline off. */
static inline void see_deadline(struct ql_conn *conn)
{
	conn->due = false;
	if (ql_conn_deadline(conn) <= conn->host->now)
		ql_conn_on_deadline(conn);
}

static unsigned int take_replies(struct ql_engine *e, struct ql_datagram *out, unsigned int max)
{
	unsigned int n = e->n_replies < max ? e->n_replies : max;

	for (unsigned int i = 0; i < n; i++)
		out[i] = e->replies[i];
	for (unsigned int i = n; i < e->n_replies; i++)
		e->replies[i - n] = e->replies[i];
	e->n_replies -= n;
	return n;
}

/* The one after the next of the ready connections, and what the next one points to. */
static inline void prefetch_next(const struct ql_conn *next)
{
	const struct ql_conn *then = TAILQ_NEXT(next, ready_link);

	if (then)
		ql_engine_conn_prefetch((const struct ql_engine_conn *)then);
	ql_conn_prefetch_tx(next);
}

unsigned int ql_engine_tx(struct ql_engine *e, struct ql_datagram *out, unsigned int max,
			  uint64_t now)
{
	struct ql_conn_list *ready = &e->host.ready;
	struct ql_conn_list gone = TAILQ_HEAD_INITIALIZER(gone);
	struct ql_tx_burst burst = {
		.out = out,
		.jobs = e->seal_jobs,
		.max_jobs = sizeof(e->seal_jobs) / sizeof(e->seal_jobs[0]),
	};
	struct ql_conn *conn;

	ql_engine_check_thread(e);
	QL_FLOOR(ASSEMBLE);
	e->host.now = now;
	e->host.burst = &burst;
	if (max > QL_TX_BURST)
		max = QL_TX_BURST;
	burst.n = take_replies(e, out, max);
	while (burst.n < max && burst.max_jobs - burst.n_jobs >= QL_SPACES &&
	       (conn = TAILQ_FIRST(ready)) != NULL) {
		struct ql_engine_conn *ec = ql_engine_conn_of(conn);
		bool more;

		if (conn->due)
			see_deadline(conn);
		TAILQ_REMOVE(ready, conn, ready_link);
		conn->on_ready = false;
		burst.max = max;
		if (!TAILQ_EMPTY(ready)) {
			prefetch_next(TAILQ_FIRST(ready));
			if (burst.n + QL_TX_SHARE < max)
				burst.max = burst.n + QL_TX_SHARE;
		}
		more = ql_conn_send(conn, &burst);
		if (ql_conn_gone(conn)) {
			if (conn->on_ready)
				TAILQ_REMOVE(ready, conn, ready_link);
			conn->on_ready = true; /* nobody may put it there again */
			TAILQ_INSERT_TAIL(&gone, conn, ready_link);
			continue;
		}
		if (more)
			ql_conn_wake(conn);
		if (ec->in_table && conn->state >= QL_CONN_CONFIRMED && !ql_early_awaited(conn))
			forget_initial(e, ec);
		follow_reset_token(e, ec);
		arm(e, conn);
	}
	QL_FLOOR(SEAL);
	ql_tx_burst_seal(&burst);
	e->host.burst = NULL;
	QL_FLOOR(ASSEMBLE);
	while ((conn = TAILQ_FIRST(&gone)) != NULL) {
		TAILQ_REMOVE(&gone, conn, ready_link);
		conn->on_ready = false;
		ql_engine_reap(e, ql_engine_conn_of(conn));
	}
	for (unsigned int i = 0; i < burst.n; i++)
		e->stats.tx_bytes += out[i].mbuf->data_len;
	e->stats.tx_datagrams += burst.n;
	return burst.n;
}
