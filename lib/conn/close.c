// SPDX-License-Identifier: BSD-3-Clause
/*
 * The end of a connection (RFC 9000, section 10).
 *
 * Whoever finds a reason calls one of the first four functions; they only note it and wake the
 * connection, because they may run deep inside a callback. The next visit by ql_conn_send() tells
 * the application, frees streams and handshake, and sends CONNECTION_CLOSE. What is left then, for
 * three PTOs, is an answering machine: packet protection keys and a few counters.
 */
#include <string.h>

#include "conn/conn.h"

/* The reason phrase goes to logs and terminals: keep it printable. */
static void set_reason(struct ql_conn *conn, const char *text, size_t len)
{
	if (len > QL_CONN_REASON)
		len = QL_CONN_REASON;
	for (size_t i = 0; i < len; i++)
		conn->reason[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
	conn->reason[len] = '\0';
	conn->close.reason = conn->reason;
}

static void leave(struct ql_conn *conn, enum ql_conn_state state)
{
	if (conn->state == QL_CONN_HANDSHAKE)
		conn->host->stats->handshakes--;
	conn->state = (uint8_t)state;
	conn->close_until = QL_NEVER; /* from the next visit on */
	ql_streams_close(&conn->streams);
	ql_datagrams_fini(&conn->datagrams, conn->host->mem);
	QL_TRACE(conn, state);
	ql_conn_wake(conn);
}

void ql_conn_close(struct ql_conn *conn, uint64_t app_error, const char *reason)
{
	if (conn->state >= QL_CONN_CLOSING)
		return;
	conn->close.cause = QL_CLOSE_LOCAL;
	conn->close.application = true;
	conn->close.error = app_error;
	set_reason(conn, reason ? reason : "", reason ? strlen(reason) : 0);
	conn->close_pending = true;
	leave(conn, QL_CONN_CLOSING);
}

void ql_conn_fail(struct ql_conn *conn, uint64_t error, uint64_t frame_type, const char *reason)
{
	if (conn->state >= QL_CONN_CLOSING)
		return;
	conn->close.cause = QL_CLOSE_LOCAL;
	conn->close.error = error;
	conn->close.frame_type = frame_type;
	set_reason(conn, reason, strlen(reason));
	conn->close_pending = true;
	leave(conn, QL_CONN_CLOSING);
}

void ql_conn_on_peer_close(struct ql_conn *conn, const struct ql_frame_close *frame)
{
	if (conn->state < QL_CONN_CLOSING) {
		conn->close.cause = QL_CLOSE_PEER;
		conn->close.application = frame->app;
		conn->close.error = frame->code;
		conn->close.frame_type = frame->frame_type;
		set_reason(conn, (const char *)frame->reason, frame->reason_len);
		/* One packet in answer, so that the peer need not wait (10.2.2). */
		conn->close_pending = true;
		leave(conn, QL_CONN_DRAINING);
	} else if (conn->state == QL_CONN_CLOSING) {
		conn->state = QL_CONN_DRAINING;
		conn->close_pending = false;
		QL_TRACE(conn, state);
	}
}

void ql_conn_drop(struct ql_conn *conn, int cause)
{
	if (conn->state < QL_CONN_CLOSING) {
		conn->close.cause = cause;
		set_reason(conn, "", 0);
		leave(conn, QL_CONN_DRAINING);
	}
	if (cause != QL_CLOSE_RESET) /* which has us drain (10.3.1) */
		conn->close_until = conn->host->now;
	ql_conn_wake(conn);
}

void ql_conn_tell_closed(struct ql_conn *conn)
{
	const struct ql_conn_ops *ops = conn->ops;

	if (conn->told)
		return;
	conn->told = true;
	ql_streams_fini(&conn->streams);
	if (!conn->announced)
		return;
	if (!ops) /* no ALPN yet; the handshake is still there */
		ops = conn->hs->endpoint.protos[0].ops;
	if (ops->closed)
		ops->closed(conn, &conn->close);
}

void ql_conn_touch_idle(struct ql_conn *conn)
{
	uint64_t least = 3 * ql_conn_pto(conn), timeout = conn->idle_timeout;

	if (conn->keep_alive > 0)
		conn->keep_alive_at = conn->host->now + conn->keep_alive;
	if (timeout == 0) {
		conn->idle_deadline = QL_NEVER;
		return;
	}
	/* Long enough to see a probe answered (10.1). */
	conn->idle_deadline = conn->host->now + (timeout > least ? timeout : least);
}

void ql_conn_recv_closing(struct ql_conn *conn, size_t len)
{
	uint32_t n = ++conn->close_rx;

	conn->close_credit += 3 * len;
	if (conn->state == QL_CONN_CLOSING && (n & (n - 1)) == 0 &&
	    conn->close_credit >= conn->close_size) {
		conn->close_credit -= conn->close_size;
		conn->close_pending = true;
		ql_conn_wake(conn);
	}
}
