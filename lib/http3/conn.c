// SPDX-License-Identifier: BSD-3-Clause
#include "http3/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES (16 * 1024)
#define BODY_BUFFER  (256 * 1024)

/* What ql_transport's 0 means. */
#define MAX_STREAMS 128

static const struct ql_http_version *const versions[] = {&ql_http_h3, &ql_http_hq};

#define N_VERSIONS (sizeof(versions) / sizeof(versions[0]))

static struct ql_http_limits limits_of(const struct ql_http_limits *limits)
{
	struct ql_http_limits l = {0};

	if (limits)
		l = *limits;
	if (l.header_bytes == 0)
		l.header_bytes = HEADER_BYTES;
	if (l.body_buffer == 0)
		l.body_buffer = BODY_BUFFER;
	return l;
}

static void conn_init(struct ql_http_conn *hc, const struct ql_http_limits *limits)
{
	hc->is_conn = true;
	hc->limits = limits_of(limits);
	TAILQ_INIT(&hc->requests);
	TAILQ_INIT(&hc->due);
}

/* NULL for a connection that never got its ql_http_conn. */
static struct ql_http_conn *conn_of(struct ql_conn *conn)
{
	struct ql_http_conn *hc = ql_conn_user(conn);

	return hc && hc->is_conn ? hc : NULL;
}

void ql_http_enter(struct ql_http_conn *hc)
{
	hc->depth++;
}

static void drop_session(struct ql_http_conn *hc)
{
	if (hc->session)
		explicit_bzero(hc->session, hc->session_len);
	free(hc->session);
	hc->session = NULL;
}

/* The request whose stream closed before its response could be read. */
static void end_of_orphan(struct ql_http_request *req)
{
	struct ql_http_conn *hc = req->hc;
	uint64_t id = req->id;

	ql_http_request_free(req);
	if (!hc->closing)
		hc->version->stream_closed(hc, id, QL_H3_NO_ERROR);
}

static void settle(struct ql_http_conn *hc)
{
	struct ql_http_request *req;

	while ((req = TAILQ_FIRST(&hc->due)) != NULL) {
		unsigned int due = req->due;

		TAILQ_REMOVE(&hc->due, req, in_todo);
		req->due = 0;
		if (due & QL_HTTP_DUE_DONE)
			ql_http_request_done(req);
		if (!req->stream) {
			end_of_orphan(req);
			continue;
		}
		/* each of these may be the end of the stream, and of the request */
		hc->current = req;
		if (due & QL_HTTP_DUE_STOP && !req->read_end) {
			req->read_end = true;
			if (!hc->closing)
				hc->version->read_ended(req);
			ql_stream_stop(req->stream, req->code);
		}
		if (hc->current && due & QL_HTTP_DUE_RESET && !req->write_end) {
			req->write_end = true;
			if (!hc->closing)
				hc->version->write_ended(req);
			ql_stream_reset(req->stream, req->code);
		}
		hc->current = NULL;
	}
}

void ql_http_leave(struct ql_http_conn *hc)
{
	if (hc->depth == 1) {
		do {
			settle(hc);
			if (hc->dirty && !hc->closing && hc->version) {
				hc->dirty = false;
				hc->version->pump(hc);
			}
		} while (!TAILQ_EMPTY(&hc->due));
	}
	hc->depth--;
}

/* The same in a callback after which packets are made: then there is time to pump, once. */
static void leave_callback(struct ql_http_conn *hc)
{
	if (hc->depth == 1)
		settle(hc);
	hc->depth--;
}

static void on_sending(struct ql_conn *conn)
{
	struct ql_http_conn *hc = conn_of(conn);

	if (!hc || !hc->dirty)
		return;
	ql_http_enter(hc);
	ql_http_leave(hc);
}

void ql_http_fail(struct ql_http_conn *hc, uint64_t code, const char *reason)
{
	if (hc->closing)
		return;
	hc->closing = true;
	ql_conn_close(hc->conn, code, reason);
}

/*
 * Settle the version; with HTTP/3, open its streams. Done as early as QUIC allows: on a server
 * before the handshake is confirmed.
 */
static void start(struct ql_http_conn *hc)
{
	const char *alpn = ql_conn_alpn(hc->conn);
	int rc;

	if (hc->version || hc->closing)
		return;
	for (size_t i = 0; i < N_VERSIONS; i++) {
		if (strcmp(versions[i]->alpn, alpn) == 0)
			hc->version = versions[i];
	}
	if (!hc->version) {
		ql_http_fail(hc, QL_H3_GENERAL_PROTOCOL_ERROR, "no HTTP was agreed on");
		return;
	}
	rc = hc->version->start(hc);
	if (rc > 0)
		ql_http_fail(hc, rc, "cannot open the streams of HTTP/3");
	else if (rc < 0)
		ql_http_fail(hc, QL_H3_INTERNAL_ERROR, NULL);
	hc->dirty = true;
}

/* The next step of a server's end, if it is time for one. */
static void drain(struct ql_http_conn *hc)
{
	if (hc->drain == QL_HTTP_NO_DRAIN || hc->closing)
		return;
	if (hc->version && hc->version->drain && !hc->version->drain(hc))
		return;
	if (TAILQ_EMPTY(&hc->requests) &&
	    ql_conn_now(hc->conn) >= hc->idle_since + QL_HTTP_LINGER_NS)
		ql_http_fail(hc, QL_H3_NO_ERROR, "the server ends");
}

static uint64_t on_accepted(struct ql_conn *conn, void *arg)
{
	struct ql_http_server *server = arg;
	struct ql_http_conn *hc;

	if (server->draining)
		return QL_H3_NO_ERROR;
	hc = calloc(1, sizeof(*hc));
	if (!hc)
		return QL_H3_INTERNAL_ERROR;
	conn_init(hc, &server->limits);
	hc->conn = conn;
	hc->server = server;
	hc->encoder = &server->encoder;
	hc->idle_since = ql_conn_now(conn);
	hc->max_streams = server->max_streams;
	LIST_INSERT_HEAD(&server->conns, hc, in_server);
	server->n_conns++;
	ql_conn_set_user(conn, hc);
	ql_http_enter(hc);
	start(hc);
	ql_http_leave(hc);
	return 0;
}

static void on_connected(struct ql_conn *conn)
{
	struct ql_http_conn *hc = conn_of(conn);

	if (!hc)
		return;
	ql_http_enter(hc);
	start(hc);
	if (hc->ops && hc->ops->connected && !hc->closing)
		hc->ops->connected(hc, hc->arg);
	ql_http_leave(hc);
}

static void on_early(struct ql_conn *conn)
{
	struct ql_http_conn *hc = conn_of(conn);

	if (!hc)
		return;
	ql_http_enter(hc);
	start(hc);
	if (hc->ops->early && !hc->closing)
		hc->ops->early(hc, hc->arg);
	ql_http_leave(hc);
}

static void on_closed(struct ql_conn *conn, const struct ql_close_info *info)
{
	struct ql_http_conn *hc = conn_of(conn);
	struct ql_http_request *req;

	if (!hc)
		return;
	ql_http_enter(hc); /* and never leave: there is nothing to settle any more */
	hc->closing = true;
	while ((req = TAILQ_FIRST(&hc->requests)) != NULL)
		ql_http_request_free(req);
	if (hc->version)
		hc->version->stop(hc);
	if (hc->server) {
		LIST_REMOVE(hc, in_server);
		hc->server->n_conns--;
	} else if (hc->ops->closed) {
		hc->ops->closed(hc, info, hc->arg);
	}
	drop_session(hc);
	ql_http_encoder_fini(&hc->own);
	free(hc);
}

static void on_opened(struct ql_stream *stream)
{
	struct ql_http_conn *hc = conn_of(ql_stream_conn(stream));

	if (!hc || hc->closing)
		return;
	ql_http_enter(hc);
	start(hc);
	if (hc->closing) {
		/* start() has failed */
	} else if (ql_stream_id_is_uni(ql_stream_id(stream))) {
		if (hc->version == &ql_http_hq)
			ql_stream_stop(stream, QL_H3_STREAM_CREATION_ERROR);
	} else if (!hc->server) {
		ql_http_fail(hc, QL_H3_STREAM_CREATION_ERROR, "bidirectional stream by a server");
	} else if (hc->drain != QL_HTTP_NO_DRAIN && !hc->version->drain) {
		ql_stream_stop(stream, QL_H3_REQUEST_REJECTED);
		ql_stream_reset(stream, QL_H3_REQUEST_REJECTED);
	} else if (!ql_http_request_new(hc, stream)) {
		ql_http_fail(hc, QL_H3_INTERNAL_ERROR, "no memory");
	} else {
		hc->opened++;
	}
	leave_callback(hc);
}

/* Requests are the only bidirectional streams, and only they have a user pointer of this type. */
static struct ql_http_request *request_of(struct ql_stream *stream)
{
	return ql_stream_id_is_uni(ql_stream_id(stream)) ? NULL : ql_stream_user(stream);
}

static void on_data(struct ql_stream *stream, const uint8_t *data, size_t len, bool fin)
{
	struct ql_http_conn *hc = conn_of(ql_stream_conn(stream));
	struct ql_http_request *req = request_of(stream);

	if (!hc || hc->closing)
		return;
	if (req && req->read_end) {
		ql_stream_credit(stream, len);
		return;
	}
	ql_http_enter(hc);
	hc->version->data(hc, stream, data, len, fin);
	leave_callback(hc);
}

static void on_writable(struct ql_stream *stream)
{
	struct ql_http_conn *hc = conn_of(ql_stream_conn(stream));

	if (!hc || hc->closing || request_of(stream))
		return;
	ql_http_enter(hc);
	hc->dirty = true;
	hc->version->writable(hc, stream);
	leave_callback(hc);
}

static void on_acked(struct ql_stream *stream, uint64_t acked)
{
	struct ql_http_conn *hc = conn_of(ql_stream_conn(stream));
	struct ql_http_request *req = request_of(stream);

	if (!hc || (!req && stream != hc->out[0]))
		return;
	ql_http_enter(hc);
	if (req) {
		ql_http_request_acked(req, acked);
	} else {
		hc->control_acked = acked;
		drain(hc);
	}
	leave_callback(hc);
}

static void on_reset(struct ql_stream *stream, uint64_t app_error)
{
	struct ql_http_conn *hc = conn_of(ql_stream_conn(stream));
	struct ql_http_request *req = request_of(stream);

	/* of other streams stream_closed() tells the version, which knows what they are for */
	if (!hc || hc->closing || !req || req->read_end)
		return;
	ql_http_enter(hc);
	req->read_end = true;
	req->peer_code = app_error;
	hc->version->read_ended(req);
	/*
	 * A client's response has failed. A server's request will never be complete, which does not
	 * matter to a response that is (RFC 9114, 4.1).
	 */
	if (!hc->server || !req->fin_sent) {
		if (!req->error)
			req->error = -ECONNRESET;
		req->code = hc->server ? QL_H3_REQUEST_INCOMPLETE : QL_H3_REQUEST_CANCELLED;
		ql_http_request_due(req, (req->fin_sent ? 0 : QL_HTTP_DUE_RESET) |
						 (hc->server ? 0 : QL_HTTP_DUE_DONE));
	}
	leave_callback(hc);
}

static void on_stopped(struct ql_stream *stream, uint64_t app_error)
{
	struct ql_http_conn *hc = conn_of(ql_stream_conn(stream));
	struct ql_http_request *req = request_of(stream);

	if (!hc || hc->closing)
		return;
	if (!req) {
		if (hc->version == &ql_http_h3)
			ql_http_fail(hc, QL_H3_CLOSED_CRITICAL_STREAM, "STOP_SENDING");
		return;
	}
	ql_http_enter(hc);
	req->write_end = true;
	hc->version->write_ended(req);
	/* a client may still get its response; a server's is not wanted any more */
	if (hc->server) {
		req->peer_code = app_error;
		req->code = QL_H3_REQUEST_CANCELLED;
		if (!req->error)
			req->error = -ECONNRESET;
		ql_http_request_due(req, QL_HTTP_DUE_STOP);
	}
	leave_callback(hc);
}

static void on_stream_closed(struct ql_stream *stream)
{
	struct ql_http_conn *hc = conn_of(ql_stream_conn(stream));
	struct ql_http_request *req = request_of(stream);
	uint64_t id = ql_stream_id(stream);

	if (!hc)
		return;
	ql_http_enter(hc);
	if (req && req->fin_read && !req->received && !req->finished && !req->error &&
	    !hc->closing) {
		/* all of the response is here, and waits for what QPACK's encoder stream brings */
		req->stream = NULL;
	} else if (req) {
		uint64_t code = req->error ? req->peer_code : QL_H3_NO_ERROR;

		if (hc->current == req)
			hc->current = NULL;
		ql_http_request_free(req);
		if (!hc->closing)
			hc->version->stream_closed(hc, id, code);
		if (TAILQ_EMPTY(&hc->requests))
			hc->idle_since = ql_conn_now(hc->conn);
	} else {
		for (int i = 0; i < 3; i++) {
			if (hc->out[i] == stream)
				hc->out[i] = NULL;
		}
		free(ql_stream_user(stream)); /* h3.c's ql_http_uni */
		if (!hc->closing && hc->version)
			hc->version->stream_closed(hc, id, QL_H3_NO_ERROR);
	}
	drain(hc);
	leave_callback(hc);
}

static void on_available(struct ql_conn *conn, bool bidi)
{
	struct ql_http_conn *hc = conn_of(conn);

	if (!hc || !bidi || !hc->starved || hc->closing)
		return;
	ql_http_enter(hc);
	hc->starved = false;
	if (hc->ops && hc->ops->available)
		hc->ops->available(hc, hc->arg);
	leave_callback(hc);
}

static void on_token(struct ql_conn *conn, const uint8_t *token, size_t len)
{
	struct ql_http_conn *hc = conn_of(conn);

	if (!hc || !hc->ops || !hc->ops->new_token || hc->closing)
		return;
	ql_http_enter(hc);
	hc->ops->new_token(hc, token, len, hc->arg);
	ql_http_leave(hc);
}

static void give_session(struct ql_http_conn *hc, const uint8_t *session, size_t len)
{
	uint8_t out[QL_SESSION_MAX];

	if (len > sizeof(out) - QL_HTTP_SETTINGS_TAIL)
		return;
	memcpy(out, session, len);
	if (hc->has_settings) {
		ql_http_settings_put(&hc->settings, out + len);
		len += QL_HTTP_SETTINGS_TAIL;
	}
	hc->ops->new_session(hc, out, len, hc->arg);
	explicit_bzero(out, sizeof(out));
}

static void on_session(struct ql_conn *conn, const uint8_t *session, size_t len)
{
	struct ql_http_conn *hc = conn_of(conn);

	if (!hc || !hc->ops || !hc->ops->new_session || hc->closing)
		return;
	ql_http_enter(hc);
	if (hc->has_settings || !hc->version->has_settings) {
		give_session(hc, session, len);
	} else { /* SETTINGS are on their way; of several sessions the last one is kept */
		drop_session(hc);
		hc->session = malloc(len);
		hc->session_len = len;
		if (hc->session)
			memcpy(hc->session, session, len);
	}
	ql_http_leave(hc);
}

void ql_http_got_settings(struct ql_http_conn *hc, const struct ql_http_settings *settings)
{
	uint64_t error = 0;

	if (hc->server || hc->has_settings)
		return;
	hc->settings = *settings;
	hc->has_settings = true;
	if (hc->has_promised && ql_conn_early(hc->conn) == QL_EARLY_ACCEPTED)
		error = ql_http_settings_check(&hc->promised, settings);
	if (error) {
		ql_http_fail(hc, error, "less than early data was promised");
	} else if (hc->session) {
		give_session(hc, hc->session, hc->session_len);
		drop_session(hc);
	}
}

static const struct ql_conn_ops conn_ops = {
	.accepted = on_accepted,
	.early = on_early,
	.connected = on_connected,
	.closed = on_closed,
	.stream_opened = on_opened,
	.stream_data = on_data,
	.stream_writable = on_writable,
	.stream_acked = on_acked,
	.stream_reset = on_reset,
	.stream_stopped = on_stopped,
	.stream_closed = on_stream_closed,
	.sending = on_sending,
	.streams_available = on_available,
	.new_token = on_token,
	.new_session = on_session,
};

/* Fill protos from "h3,hq-interop"; how many, or -EINVAL. limits: a server's. */
static int fill_protos(const char *alpns, void *arg, const struct ql_http_limits *limits,
		       struct ql_proto protos[N_VERSIONS])
{
	const char *at = alpns ? alpns : "h3,hq-interop";
	unsigned int n = 0;

	for (;;) {
		size_t len = strcspn(at, ","), i;

		for (i = 0; i < N_VERSIONS; i++) {
			const char *name = versions[i]->alpn;

			if (strlen(name) == len && memcmp(name, at, len) == 0)
				break;
		}
		if (i == N_VERSIONS || n == N_VERSIONS ||
		    (n == 1 && protos[0].alpn == versions[i]->alpn))
			return -EINVAL;
		protos[n++] = (struct ql_proto){
			.alpn = versions[i]->alpn,
			.ops = &conn_ops,
			.arg = arg,
			.promise =
				limits && versions[i]->promise ? versions[i]->promise(limits) : 0,
		};
		if (at[len] == 0)
			return n;
		at += len + 1;
	}
}

struct ql_http_server *ql_http_server_create(const struct ql_http_server_ops *ops, void *arg,
					     const struct ql_http_limits *limits)
{
	struct ql_http_server *server;

	if (!ops || !ops->request) {
		errno = EINVAL;
		return NULL;
	}
	server = calloc(1, sizeof(*server));
	if (!server)
		return NULL;
	server->ops = ops;
	server->arg = arg;
	server->limits = limits_of(limits);
	LIST_INIT(&server->conns);
	return server;
}

void ql_http_server_free(struct ql_http_server *server)
{
	if (server)
		ql_http_encoder_fini(&server->encoder);
	free(server);
}

int ql_http_server_protos(struct ql_http_server *server, const struct ql_transport *transport,
			  const char *alpns, struct ql_proto protos[2])
{
	server->max_streams = transport && transport->max_streams_bidi ? transport->max_streams_bidi
								       : MAX_STREAMS;
	return fill_protos(alpns, server, &server->limits, protos);
}

int ql_http_listen(struct ql_http_server *server, struct ql_engine *engine, uint16_t port,
		   struct ql_tls_ctx *tls, const struct ql_transport *transport, const char *alpns)
{
	struct ql_proto protos[N_VERSIONS];
	int n, rc;

	if (server->listening)
		return -EEXIST;
	n = ql_http_server_protos(server, transport, alpns, protos);
	if (n < 0)
		return n;
	rc = ql_listen(engine, port, tls, transport, protos, n);
	server->listening = rc == 0;
	return rc;
}

void ql_http_server_drain(struct ql_http_server *server)
{
	struct ql_http_conn *hc;

	server->draining = true;
	LIST_FOREACH (hc, &server->conns, in_server) {
		ql_http_enter(hc);
		if (hc->drain == QL_HTTP_NO_DRAIN)
			hc->drain = QL_HTTP_DRAIN;
		drain(hc);
		ql_http_leave(hc);
	}
}

void ql_http_server_close(struct ql_http_server *server)
{
	struct ql_http_conn *hc;

	LIST_FOREACH (hc, &server->conns, in_server)
		ql_http_fail(hc, QL_H3_NO_ERROR, "the server ends");
}

unsigned int ql_http_server_conns(const struct ql_http_server *server)
{
	return server->n_conns;
}

int ql_http_connect(struct ql_engine *engine, const struct ql_path *path, struct ql_tls_ctx *tls,
		    const char *sni, const struct ql_transport *transport, const char *alpns,
		    const struct ql_http_client_ops *ops, void *arg,
		    const struct ql_http_limits *limits, uint64_t now, struct ql_http_conn **conn)
{
	struct ql_proto protos[N_VERSIONS];
	struct ql_transport t = {0};
	struct ql_http_conn *hc;
	int n, rc;

	if (!ops || !ops->connected)
		return -EINVAL;
	hc = calloc(1, sizeof(*hc));
	if (!hc)
		return -ENOMEM;
	conn_init(hc, limits);
	hc->ops = ops;
	hc->arg = arg;
	hc->encoder = &hc->own;
	if (transport)
		t = *transport;
	if (t.session)
		hc->has_promised = ql_http_settings_take(&hc->promised, t.session, &t.session_len);
	n = fill_protos(alpns, hc, NULL, protos);
	rc = n < 0 ? n : ql_connect(engine, path, tls, sni, &t, protos, n, hc, now, &hc->conn);
	if (rc < 0) {
		free(hc);
		return rc;
	}
	if (conn)
		*conn = hc;
	return 0;
}

void ql_http_close(struct ql_http_conn *conn)
{
	ql_http_fail(conn, QL_H3_NO_ERROR, NULL);
}

struct ql_conn *ql_http_quic(const struct ql_http_conn *conn)
{
	return conn->conn;
}
