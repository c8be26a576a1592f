// SPDX-License-Identifier: BSD-3-Clause
/*
 * Connections that are ready, to a burst of datagrams; and the timers that make them ready.
 */
#include <rte_mbuf.h>

#include "base/floors.h"
#include "engine/impl.h"

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
	ql_wheel_remove(&e->wheel, &ec->timer);
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

/*
 * Most deadlines move away as packets come and go: the timer then stays where it is, and is set
 * anew when it fires.
 */
static inline void arm(struct ql_engine *e, struct ql_engine_conn *ec)
{
	uint64_t deadline = ql_conn_deadline(&ec->conn);

	if (deadline == QL_NEVER)
		return;
	if (!ql_timer_is_set(&ec->timer) || deadline < ec->timer.deadline)
		ql_wheel_set(&e->wheel, &ec->timer, deadline);
}

void ql_engine_tick(struct ql_engine *e, uint64_t now)
{
	struct ql_timer *t;

	ql_engine_check_thread(e);
	e->host.now = now;
	ql_wheel_advance(&e->wheel, now);
	while ((t = ql_wheel_pop(&e->wheel)) != NULL) {
		struct ql_engine_conn *ec = container_of(t, struct ql_engine_conn, timer);
		uint64_t deadline = ql_conn_deadline(&ec->conn);

		if (deadline > now) {
			if (deadline != QL_NEVER)
				ql_wheel_set(&e->wheel, &ec->timer, deadline);
		} else {
			ql_conn_on_deadline(&ec->conn);
		}
	}
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

		TAILQ_REMOVE(ready, conn, ready_link);
		conn->on_ready = false;
		burst.max = max;
		if (!TAILQ_EMPTY(ready)) {
			ql_engine_conn_prefetch(ql_engine_conn_of(TAILQ_FIRST(ready)));
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
		arm(e, ec);
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
