// SPDX-License-Identifier: BSD-3-Clause
/*
 * A connection that has nothing to do holds 2 KB of expanded AEAD keys, more than half of all it
 * needs beside its struct. They are made again from the secrets, in about 2 us. Header protection
 * keys stay: no secret tells them any more after a key update (RFC 9001, section 6.1).
 */
#include "conn/conn.h"

static uint32_t packets(const struct ql_conn *conn)
{
	return (uint32_t)(conn->stats.rx_packets + conn->stats.tx_packets);
}

static void give_back(struct ql_conn *conn)
{
	struct ql_mem *mem = conn->host->mem;

	ql_aead_fini(&conn->app.rx.aead, mem);
	ql_aead_fini(&conn->app.tx.aead, mem);
	ql_aead_fini(&conn->rx_next, mem);
}

void ql_rest_watch(struct ql_conn *conn)
{
	conn->rest_packets = packets(conn);
	conn->rest_at = conn->host->now + QL_CONN_REST;
}

void ql_rest_on_deadline(struct ql_conn *conn)
{
	/* Not while the key phase before may still be needed. */
	if (packets(conn) != conn->rest_packets || conn->rx_old.schedule) {
		ql_rest_watch(conn);
		return;
	}
	give_back(conn);
	conn->rest_at = QL_NEVER;
}

int ql_rest_end(struct ql_conn *conn)
{
	if (ql_handshake_aead(conn, &conn->rx_secret, &conn->app.rx.aead) < 0 ||
	    ql_handshake_aead(conn, &conn->tx_secret, &conn->app.tx.aead) < 0) {
		give_back(conn);
		return -ENOMEM;
	}
	ql_rest_watch(conn);
	return 0;
}
