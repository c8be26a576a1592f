// SPDX-License-Identifier: BSD-3-Clause
#include "sim/app.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/env.h"
#include "sim/sim.h"

/* Not a multiple of any packet's or buffer's size. */
#define PATTERN_LEN 1048573u
#define HEADER_LEN  16
/* Bytes given by reference at a time, and how many may be on their way. */
#define REF_RUN	   (UINT64_C(256) << 10)
#define REF_WINDOW (UINT64_C(4) << 20)

/* One end of a connection. */
struct end {
	struct sim_app *app;
	bool connected;
	unsigned int started; /* streams that the client has opened */
	unsigned int live;
	unsigned int finished;
	unsigned int refs; /* given by reference, not yet released */
};

/* One end of a stream. */
struct flow {
	struct end *end;
	uint8_t header[HEADER_LEN];
	unsigned int n_header; /* bytes of it sent or received */
	uint64_t start;	       /* where in the pattern its bytes begin */
	uint64_t rx, rx_len;   /* pattern bytes so far, and in all */
	uint64_t tx, tx_len;   /* given to the library so far, and in all */
	uint64_t acked;	       /* as stream_acked() says, header included */
	bool fin_received, fin_sent;
	bool reset;   /* by the peer: no more data comes */
	bool stopped; /* by us: the same */
	bool gone;    /* our direction has been reset or stopped: nothing more to send */
	bool undone;  /* the server has refused early data, and does not allow the stream now */
};

/* ---- */

__attribute__((format(printf, 2, 3))) static void broken(struct sim_app *app, const char *format,
							 ...)
{
	va_list args;

	if (app->errors++ > 0)
		return;
	va_start(args, format);
	vsnprintf(app->error, sizeof(app->error), format, args);
	va_end(args);
}

static const uint8_t *pattern(void)
{
	static uint8_t *bytes;
	uint64_t state = 1;

	if (!bytes) {
		bytes = malloc(PATTERN_LEN);
		if (!bytes)
			abort();
		for (unsigned int i = 0; i < PATTERN_LEN; i++)
			bytes[i] = (uint8_t)sim_random(&state);
	}
	return bytes;
}

/* The bytes from an offset of a flow on: *n of them lie in one piece. */
static const uint8_t *bytes_at(const struct flow *f, uint64_t offset, uint64_t *n)
{
	uint64_t at = (f->start + offset) % PATTERN_LEN;

	if (*n > PATTERN_LEN - at)
		*n = PATTERN_LEN - at;
	return pattern() + at;
}

static bool is_pattern(const struct flow *f, const uint8_t *data, size_t len)
{
	uint64_t done = 0, n;

	while (done < len) {
		const uint8_t *want;

		n = len - done;
		want = bytes_at(f, f->rx + done, &n);
		if (memcmp(data + done, want, n) != 0)
			return false;
		done += n;
	}
	return true;
}

static void put_u64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, sizeof(v));
}

static uint64_t get_u64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* ---- Sending ---- */

static void released(void *arg)
{
	struct end *end = arg;

	if (end->refs == 0)
		broken(end->app, "released more often than given");
	else
		end->refs--;
}

/* End our direction without an end. */
static void drop(struct ql_stream *stream, struct flow *f, uint64_t app_error)
{
	if (!f->gone)
		ql_stream_reset(stream, app_error);
	f->gone = true;
}

/* Now and then, one of the ways to end a stream early. */
static void surprise(struct ql_stream *stream, struct flow *f)
{
	struct sim_app *app = f->end->app;

	if (app->reset_chance && sim_below(app->random, SIM_MILLION) < app->reset_chance)
		drop(stream, f, 11);
	if (app->stop_chance && !f->fin_received &&
	    sim_below(app->random, SIM_MILLION) < app->stop_chance)
		f->stopped = ql_stream_stop(stream, 12) == 0;
}

/* Give one piece; how many bytes were taken, or below 0 for an end. */
static ssize_t give(struct ql_stream *stream, struct flow *f, const uint8_t *data, uint64_t n,
		    unsigned int flags)
{
	int rc;

	if (!f->end->app->by_reference)
		return ql_stream_send(stream, data, n, flags);
	if (f->tx > f->acked + (f->end->app->ref_window ?: REF_WINDOW))
		return 0;
	if (n > REF_RUN) {
		n = REF_RUN;
		flags = 0;
	}
	rc = ql_stream_send_ref(stream, data, n, flags, released, f->end);
	if (rc < 0)
		return rc;
	f->end->refs++;
	return (ssize_t)n;
}

static void pump(struct ql_stream *stream, struct flow *f)
{
	const uint8_t *data;
	ssize_t taken;
	uint64_t n;

	if (f->gone || f->fin_sent)
		return;
	while (f->n_header < HEADER_LEN && !ql_conn_is_server(ql_stream_conn(stream))) {
		taken = ql_stream_send(stream, f->header + f->n_header, HEADER_LEN - f->n_header,
				       0);
		if (taken <= 0)
			return;
		f->n_header += (unsigned int)taken;
	}
	for (;;) {
		n = f->tx_len - f->tx;
		data = bytes_at(f, f->tx, &n);
		taken = give(stream, f, data, n, f->tx + n == f->tx_len ? QL_FIN : 0);
		if (taken < 0)
			return;
		f->tx += (uint64_t)taken;
		if (f->tx == f->tx_len) {
			f->fin_sent = (uint64_t)taken == n;
			return;
		}
		if (taken == 0)
			return;
	}
}

/* ---- Streams ---- */

static struct flow *new_flow(struct end *end, struct ql_stream *stream)
{
	struct flow *f = calloc(1, sizeof(*f));

	if (!f)
		abort();
	f->end = end;
	f->start = ql_stream_id(stream) * 40503;
	end->live++;
	end->app->opened++;
	ql_stream_set_user(stream, f);
	return f;
}

/* Open streams until all are there or the peer's limit is. */
static void open_streams(struct ql_conn *conn, struct end *end)
{
	struct sim_app *app = end->app;
	struct ql_stream *stream;
	struct flow *f;

	while (end->started < app->job.streams && ql_stream_open(conn, true, &stream) == 0) {
		end->started++;
		f = new_flow(end, stream);
		f->tx_len = app->job.upload;
		f->rx_len = app->job.download;
		put_u64(f->header, f->tx_len);
		put_u64(f->header + 8, f->rx_len);
		pump(stream, f);
	}
}

static void stream_opened(struct ql_stream *stream)
{
	struct end *end = ql_conn_user(ql_stream_conn(stream));

	if (ql_stream_user(stream))
		broken(end->app, "stream announced twice");
	new_flow(end, stream);
}

static void stream_data(struct ql_stream *stream, const uint8_t *data, size_t len, bool fin)
{
	struct flow *f = ql_stream_user(stream);
	struct sim_app *app = f->end->app;
	bool server = ql_conn_is_server(ql_stream_conn(stream));

	if (len == 0 && !fin)
		broken(app, "no data and no end");
	if (f->fin_received || f->reset || f->stopped)
		broken(app, "data behind %s",
		       f->reset	    ? "a reset"
		       : f->stopped ? "a stop"
				    : "the end");
	f->fin_received |= fin;
	if (!app->no_credit)
		ql_stream_credit(stream, len);
	if (server && f->n_header < HEADER_LEN) {
		size_t n = HEADER_LEN - f->n_header < len ? HEADER_LEN - f->n_header : len;

		memcpy(f->header + f->n_header, data, n);
		f->n_header += (unsigned int)n;
		data += n;
		len -= n;
		if (f->n_header == HEADER_LEN) {
			f->rx_len = get_u64(f->header);
			f->tx_len = get_u64(f->header + 8);
			pump(stream, f);
		}
	}
	if (!app->no_check && !is_pattern(f, data, len))
		broken(app, "stream %llu: wrong bytes in %zu from %llu on",
		       (unsigned long long)ql_stream_id(stream), len, (unsigned long long)f->rx);
	f->rx += len;
	app->received += len;
	if (f->rx > f->rx_len || (fin && f->rx != f->rx_len))
		broken(app, "stream %llu: %llu bytes, not %llu",
		       (unsigned long long)ql_stream_id(stream), (unsigned long long)f->rx,
		       (unsigned long long)f->rx_len);
	if (app->random)
		surprise(stream, f);
}

static void stream_writable(struct ql_stream *stream)
{
	struct flow *f = ql_stream_user(stream);

	if (!f->gone)
		pump(stream, f);
}

static void stream_acked(struct ql_stream *stream, uint64_t acked)
{
	struct flow *f = ql_stream_user(stream);

	if (acked < f->acked || acked > HEADER_LEN + f->tx_len)
		broken(f->end->app, "acknowledged %llu after %llu", (unsigned long long)acked,
		       (unsigned long long)f->acked);
	f->end->app->acked += acked - f->acked;
	f->acked = acked;
	if (f->end->app->by_reference)
		pump(stream, f);
}

static void stream_reset(struct ql_stream *stream, uint64_t app_error)
{
	struct flow *f = ql_stream_user(stream);

	if (f->reset)
		broken(f->end->app, "reset twice");
	f->reset = true;
	f->end->app->reset += !f->undone;
	/* Without all of the header a server does not know what to send. */
	if (ql_conn_is_server(ql_stream_conn(stream)) && f->n_header < HEADER_LEN)
		drop(stream, f, app_error);
}

static void stream_stopped(struct ql_stream *stream, uint64_t app_error)
{
	struct flow *f = ql_stream_user(stream);

	(void)app_error;
	f->gone = true;
	f->undone =
		!f->end->connected && ql_conn_early(ql_stream_conn(stream)) == QL_EARLY_REJECTED;
	f->end->app->stopped += !f->undone;
}

static void stream_closed(struct ql_stream *stream)
{
	struct flow *f = ql_stream_user(stream);
	struct ql_conn *conn = ql_stream_conn(stream);
	struct end *end = f->end;
	struct sim_app *app = end->app;

	ql_stream_set_user(stream, NULL);
	if (end->live == 0)
		broken(app, "stream closed twice");
	end->live--;
	if (f->undone) { /* as if it had never been */
		end->started--;
		app->opened--;
		free(f);
		return;
	}
	end->finished++;
	app->ended++;
	if (f->fin_sent && f->fin_received && f->rx == f->rx_len && f->tx == f->tx_len)
		app->complete++;
	free(f);
	if (app->on_stream_closed)
		app->on_stream_closed(app, conn);
	if (ql_conn_is_server(conn))
		return;
	open_streams(conn, end);
	if (end->finished == app->job.streams && !app->job.keep_open)
		ql_conn_close(conn, app->job.close_code, app->job.close_reason);
}

static void path_changed(struct ql_conn *conn, int error)
{
	struct sim_app *app = ((struct end *)ql_conn_user(conn))->app;

	app->moved += error == 0;
	app->not_moved += error != 0;
}

static void streams_available(struct ql_conn *conn, bool bidi)
{
	if (bidi && !ql_conn_is_server(conn))
		open_streams(conn, ql_conn_user(conn));
}

/* ---- Connections ---- */

static struct end *new_end(struct sim_app *app)
{
	struct end *end = calloc(1, sizeof(*end));

	if (!end)
		abort();
	end->app = app;
	app->live++;
	return end;
}

static uint64_t accepted(struct ql_conn *conn, void *arg)
{
	struct sim_app *app = arg;

	app->accepted++;
	app->early += ql_conn_early(conn) == QL_EARLY_OPEN;
	if (app->refuse)
		return app->refuse;
	ql_conn_set_user(conn, new_end(app));
	app->conn = conn;
	return 0;
}

static void early(struct ql_conn *conn)
{
	struct end *end = ql_conn_user(conn);

	end->app->early++;
	if (end->connected || ql_conn_is_server(conn) || ql_conn_early(conn) != QL_EARLY_OPEN)
		broken(end->app, "early at the wrong time");
	open_streams(conn, end);
}

static void connected(struct ql_conn *conn)
{
	struct end *end = ql_conn_user(conn);
	struct sim_app *app = end->app;
	struct ql_conn_stats stats;

	app->connected++;
	app->connected_at = ql_conn_now(conn);
	if (end->connected)
		broken(app, "connected twice");
	end->connected = true;
	ql_conn_stats(conn, &stats);
	app->resumed += stats.resumed;
	app->early_taken += ql_conn_early(conn) == QL_EARLY_ACCEPTED;
	app->early_refused += ql_conn_early(conn) == QL_EARLY_REJECTED;
	if (ql_conn_early(conn) == QL_EARLY_OPEN)
		broken(app, "early data is still open");
	if (strcmp(ql_conn_alpn(conn), app->alpn) != 0)
		broken(app, "ALPN is '%s'", ql_conn_alpn(conn));
	if (!ql_conn_is_server(conn))
		open_streams(conn, end);
	if (app->on_connected)
		app->on_connected(app, conn);
}

static void closed(struct ql_conn *conn, const struct ql_close_info *info)
{
	struct end *end = ql_conn_user(conn);
	struct sim_app *app = end->app;

	if (end->live > 0)
		broken(app, "closed with %u streams", end->live);
	if (end->refs > 0)
		broken(app, "closed with %u buffers not released", end->refs);
	app->closed++;
	app->live--;
	app->closed_at = ql_conn_now(conn);
	app->close = *info;
	app->causes[info->cause]++;
	if (!info->application && info->error == QL_ERR_VERSION_NEGOTIATION_ERROR)
		app->misled++;
	else if (!info->application && info->error != QL_ERR_NO_ERROR &&
		 /* An application's close in the handshake, which has early data (10.2.3); a client
		  * may have completed it by then. */
		 (info->error != QL_ERR_APPLICATION_ERROR ||
		  (end->connected && ql_conn_is_server(conn))) &&
		 app->faults++ == 0)
		app->fault = info->error;
	snprintf(app->reason, sizeof(app->reason), "%s", info->reason);
	app->close.reason = app->reason;
	if (app->conn == conn)
		app->conn = NULL;
	free(end);
}

static void new_token(struct ql_conn *conn, const uint8_t *token, size_t len)
{
	struct end *end = ql_conn_user(conn);
	struct sim_app *app = end->app;

	if (ql_conn_is_server(conn) || len == 0)
		broken(app, "a token to a server, or an empty one");
	app->tokens++;
	if (len <= sizeof(app->token)) {
		memcpy(app->token, token, len);
		app->token_len = len;
	}
}

static void new_session(struct ql_conn *conn, const uint8_t *session, size_t len)
{
	struct end *end = ql_conn_user(conn);
	struct sim_app *app = end->app;

	if (ql_conn_is_server(conn) || len == 0 || len > sizeof(app->session))
		broken(app, "a session to a server, or none, or one too large");
	app->sessions++;
	memcpy(app->session, session, len);
	app->session_len = len;
}

static const struct ql_conn_ops ops = {
	.accepted = accepted,
	.early = early,
	.connected = connected,
	.closed = closed,
	.stream_opened = stream_opened,
	.stream_data = stream_data,
	.stream_writable = stream_writable,
	.stream_acked = stream_acked,
	.stream_reset = stream_reset,
	.stream_stopped = stream_stopped,
	.stream_closed = stream_closed,
	.streams_available = streams_available,
	.path_changed = path_changed,
	.new_token = new_token,
	.new_session = new_session,
};

/* ---- */

void sim_app_init(struct sim_app *app, const struct sim_job *job)
{
	memset(app, 0, sizeof(*app));
	if (job)
		app->job = *job;
	app->alpn = SIM_ALPN;
	app->close.reason = app->reason;
	pattern();
}

struct ql_proto sim_app_proto(struct sim_app *app)
{
	return (struct ql_proto){.alpn = app->alpn, .ops = &ops, .arg = app};
}

int sim_app_connect(struct sim_app *app, struct ql_engine *engine, struct ql_tls_ctx *tls,
		    const struct ql_transport *transport, const struct ql_path *path, uint64_t now)
{
	struct ql_proto proto = sim_app_proto(app);
	struct end *end = new_end(app);
	struct ql_transport t = *transport;
	struct ql_conn *conn;
	int rc;

	if (app->use_session && app->session_len > 0) {
		t.session = app->session;
		t.session_len = app->session_len;
	}
	rc = ql_connect(engine, path, tls, SIM_NAME, &t, &proto, 1, end, now, &conn);
	if (rc < 0) {
		app->live--;
		free(end);
		return rc;
	}
	app->conn = conn;
	if (app->use_token && app->token_len > 0)
		rc = ql_conn_set_token(conn, app->token, app->token_len);
	return rc;
}
