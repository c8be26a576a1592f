// SPDX-License-Identifier: BSD-3-Clause
/*
 * HTTP/3 (RFC 9114) on nghttp3, which keeps the frames, QPACK (RFC 9204) and the parsing of
 * priorities (RFC 9218). Its connection reads all streams, and sends on those that are not
 * requests'; of requests it sends a client's header section. That is taken from it at once. All
 * else that is sent on requests' streams goes by it (encode.h), so that it keeps nothing of a
 * message that is under way, and the order on the wire is decided by the streams' priorities alone.
 */
#include "http3/http.h"
#include "http3/uni.h"
#include "ql_build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QPACK_TABLE   4096 /* bytes of dynamic table for what we receive */
#define QPACK_BLOCKED 100  /* streams that may wait for it */
#define HEADER_FACTOR 4
#define VECS	      16

static struct ql_http_request *request(struct ql_http_conn *hc, int64_t id, void *user)
{
	return user ? user : ql_http_request_find(hc, id);
}

static int give_up(struct ql_http_conn *hc, uint64_t code)
{
	hc->fail_code = code;
	return NGHTTP3_ERR_CALLBACK_FAILURE;
}

/* nghttp3's callbacks. */

static int on_begin_headers(nghttp3_conn *h3, int64_t id, void *conn_arg, void *stream_arg)
{
	struct ql_http_conn *hc = conn_arg;
	struct ql_http_request *req = request(hc, id, stream_arg);

	if (!req)
		return 0;
	nghttp3_conn_set_stream_user_data(h3, id, req);
	/* of a client's interim responses only the fields of the last, final one remain */
	ql_http_fields_clear(&req->fields);
	return 0;
}

/* Over the limit a section is still read, to answer it, but not without end. */
static int add_field(struct ql_http_conn *hc, struct ql_http_fields *fields, nghttp3_rcbuf *name,
		     nghttp3_rcbuf *value)
{
	nghttp3_vec n = nghttp3_rcbuf_get_buf(name), v = nghttp3_rcbuf_get_buf(value);
	size_t max = hc->limits.header_bytes;
	int rc = ql_http_fields_add(fields, max, n.base, n.len, v.base, v.len);

	if (rc == -ENOMEM)
		return give_up(hc, QL_H3_INTERNAL_ERROR);
	if (fields->counted / HEADER_FACTOR > max)
		return give_up(hc, QL_H3_EXCESSIVE_LOAD);
	return 0;
}

static int on_header(nghttp3_conn *h3, int64_t id, int32_t token, nghttp3_rcbuf *name,
		     nghttp3_rcbuf *value, uint8_t flags, void *conn_arg, void *stream_arg)
{
	struct ql_http_conn *hc = conn_arg;
	struct ql_http_request *req = request(hc, id, stream_arg);

	(void)h3;
	(void)token;
	(void)flags;
	return req ? add_field(hc, &req->fields, name, value) : 0;
}

static int on_trailer(nghttp3_conn *h3, int64_t id, int32_t token, nghttp3_rcbuf *name,
		      nghttp3_rcbuf *value, uint8_t flags, void *conn_arg, void *stream_arg)
{
	struct ql_http_conn *hc = conn_arg;
	struct ql_http_request *req = request(hc, id, stream_arg);
	int rc;

	(void)h3;
	(void)token;
	(void)flags;
	if (!req)
		return 0;
	rc = add_field(hc, &req->trailers, name, value);
	if (rc == 0 && req->trailers.counted > hc->limits.header_bytes)
		ql_http_request_abort(req, -EMSGSIZE, QL_H3_EXCESSIVE_LOAD);
	return rc;
}

static void update_priority(struct ql_http_conn *hc, struct ql_http_request *req)
{
	nghttp3_pri pri;

	if (nghttp3_conn_get_stream_priority(hc->h3, &pri, req->id) != 0 ||
	    (pri.urgency == req->pri.urgency && pri.inc == req->pri.inc))
		return;
	req->pri = pri;
	ql_stream_set_priority(req->stream, pri.urgency, pri.inc);
}

/* A request that the application does not get to see; fin: nothing follows it. */
static void refuse(struct ql_http_request *req, unsigned int status, bool fin)
{
	ql_http_respond(req, status, NULL, 0, NULL);
	if (!fin)
		ql_http_stop(req);
}

static int on_end_headers(nghttp3_conn *h3, int64_t id, int fin, void *conn_arg, void *stream_arg)
{
	struct ql_http_conn *hc = conn_arg;
	struct ql_http_request *req = request(hc, id, stream_arg);
	const char *status;

	(void)h3;
	if (!req || req->finished)
		return 0;
	if (req->fields.counted > hc->limits.header_bytes) {
		if (!hc->server) {
			ql_http_request_abort(req, -EMSGSIZE, QL_H3_EXCESSIVE_LOAD);
			return 0;
		}
		refuse(req, 431, fin);
		return 0;
	}
	if (hc->server) {
		update_priority(hc, req);
		if (ql_conn_early(hc->conn) == QL_EARLY_OPEN &&
		    !ql_http_replayable(ql_http_header(req, ":method"))) {
			refuse(req, 425, fin); /* RFC 8470 */
			return 0;
		}
	} else {
		status = ql_http_header(req, ":status");
		if (status && status[0] == '1') /* interim */
			return 0;
	}
	ql_http_got_headers(req);
	return 0;
}

static int on_body(nghttp3_conn *h3, int64_t id, const uint8_t *data, size_t len, void *conn_arg,
		   void *stream_arg)
{
	struct ql_http_request *req = request(conn_arg, id, stream_arg);

	(void)h3;
	if (req)
		ql_http_got_data(req, data, len);
	return 0;
}

static int on_consume(nghttp3_conn *h3, int64_t id, size_t bytes, void *conn_arg, void *stream_arg)
{
	struct ql_http_request *req = request(conn_arg, id, stream_arg);

	(void)h3;
	if (req)
		ql_http_credit(req, bytes);
	return 0;
}

static int on_end_stream(nghttp3_conn *h3, int64_t id, void *conn_arg, void *stream_arg)
{
	struct ql_http_request *req = request(conn_arg, id, stream_arg);

	(void)h3;
	if (req)
		ql_http_got_end(req);
	return 0;
}

/* nghttp3 has found the message malformed, or rejects the request: it skips the rest of it. */
static int on_give_up(nghttp3_conn *h3, int64_t id, uint64_t code, void *conn_arg, void *stream_arg)
{
	struct ql_http_request *req = request(conn_arg, id, stream_arg);

	(void)h3;
	/* without a request it is a unidirectional stream of a type that nobody knows */
	if (req)
		ql_http_request_abort(req, -EPROTO, code);
	return 0;
}

/* GOAWAY: requests from this ID on will not be looked at (RFC 9114, 5.2). */
static int on_shutdown(nghttp3_conn *h3, int64_t id, void *conn_arg)
{
	struct ql_http_conn *hc = conn_arg;
	struct ql_http_request *req;

	(void)h3;
	hc->goaway = true;
	if (hc->server)
		return 0;
	TAILQ_FOREACH (req, &hc->requests, in_conn) {
		if (req->id >= (uint64_t)id && !req->received) {
			req->peer_code = QL_H3_REQUEST_REJECTED;
			ql_http_request_abort(req, -ECONNRESET, QL_H3_REQUEST_CANCELLED);
		}
	}
	return 0;
}

static const nghttp3_callbacks callbacks = {
	.begin_headers = on_begin_headers,
	.recv_header = on_header,
	.end_headers = on_end_headers,
	.recv_trailer = on_trailer,
	.recv_data = on_body,
	.deferred_consume = on_consume,
	.end_stream = on_end_stream,
	.stop_sending = on_give_up,
	.reset_stream = on_give_up,
	.shutdown = on_shutdown,
};

static void fail(struct ql_http_conn *hc, int rc)
{
	uint64_t code = hc->fail_code;

	if (code == 0)
		code = nghttp3_err_infer_quic_app_error_code(rc);
	ql_http_fail(hc, code, nghttp3_strerror(rc));
}

/* Sending. */

/* "name: value" for nghttp3, which copies. */
static bool set_nv(nghttp3_nv *nv, const char *name, const char *value)
{
	*nv = (nghttp3_nv){
		.name = (uint8_t *)name,
		.namelen = strlen(name),
		.value = (uint8_t *)value,
		.valuelen = strlen(value),
	};
	return nghttp3_check_header_value(nv->value, nv->valuelen) &&
	       (name[0] == ':' || nghttp3_check_header_name(nv->name, nv->namelen));
}

static bool set_fields(nghttp3_nv *nv, const struct ql_http_field *fields, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (fields[i].name[0] == ':' || !set_nv(&nv[i], fields[i].name, fields[i].value))
			return false;
	}
	return true;
}

static int h3_send_trailers(struct ql_http_request *req, const struct ql_http_field *fields,
			    size_t n)
{
	nghttp3_nv nv[QL_HTTP_MAX_FIELDS];
	const uint8_t *bytes;
	ssize_t len;

	if (!set_fields(nv, fields, n))
		return -EINVAL;
	len = ql_http_encode_headers(req->hc->encoder, nv, n, 0, &bytes);
	return len < 0 ? (int)len : ql_http_put(req, bytes, len, true);
}

/*
 * Give QUIC what nghttp3 has for one stream.
 * @return bytes taken, less than all when QUIC has no room; negative errno
 */
static ssize_t send_vecs(struct ql_stream *stream, const nghttp3_vec *vec, size_t n)
{
	size_t taken = 0;

	for (size_t i = 0; i < n; i++) {
		ssize_t rc = ql_stream_send(stream, vec[i].base, vec[i].len, 0);

		if (rc < 0)
			return rc;
		taken += rc;
		if ((size_t)rc < vec[i].len)
			break;
	}
	return taken;
}

/* The same for a client's header section, of which all is taken. */
static ssize_t send_section(struct ql_http_request *req, const nghttp3_vec *vec, size_t n, bool fin)
{
	for (size_t i = 0; i < n; i++) {
		int rc = ql_http_put(req, vec[i].base, vec[i].len, fin && i == n - 1);

		if (rc < 0)
			return rc;
	}
	return nghttp3_vec_len(vec, n);
}

static struct ql_stream *stream_by_id(struct ql_http_conn *hc, uint64_t id,
				      struct ql_http_request **req)
{
	*req = NULL;
	if (ql_stream_id_is_uni(id)) {
		for (int i = 0; i < 3; i++) {
			if (hc->out[i] && ql_stream_id(hc->out[i]) == id)
				return hc->out[i];
		}
		return NULL;
	}
	*req = ql_http_request_find(hc, id);
	return *req && !(*req)->write_end ? (*req)->stream : NULL;
}

static void h3_pump(struct ql_http_conn *hc)
{
	while (!hc->closing) {
		struct ql_http_request *req;
		struct ql_stream *stream;
		nghttp3_vec vec[VECS];
		nghttp3_ssize n;
		int64_t id = -1;
		int fin = 0, rc;
		ssize_t sent;

		n = nghttp3_conn_writev_stream(hc->h3, &id, &fin, vec, VECS);
		if (n < 0) {
			fail(hc, (int)n);
			return;
		}
		if (id < 0)
			return;
		stream = stream_by_id(hc, id, &req);
		if (!stream)
			sent = -EPIPE;
		else if (req)
			sent = send_section(req, vec, n, fin && !ql_http_has_content(req));
		else
			sent = send_vecs(stream, vec, n);
		if (sent < 0) {
			if (!req && stream) {
				ql_http_fail(hc, QL_H3_INTERNAL_ERROR, "no memory");
				return;
			}
			if (req && sent != -EPIPE)
				ql_http_request_abort(req, -ECANCELED, QL_H3_INTERNAL_ERROR);
			nghttp3_conn_shutdown_stream_write(hc->h3, id);
			continue;
		}
		/* all was copied: nghttp3 is done with it */
		rc = nghttp3_conn_add_write_offset(hc->h3, id, sent);
		if (rc == 0 && sent > 0)
			rc = nghttp3_conn_add_ack_offset(hc->h3, id, sent);
		if (stream == hc->out[0])
			hc->control_sent += (uint64_t)sent;
		if (rc != 0) {
			fail(hc, rc);
			return;
		}
		if ((uint64_t)sent < nghttp3_vec_len(vec, n))
			nghttp3_conn_block_stream(hc->h3, id);
		/* for nghttp3, a header section is all that there is */
		if (req && fin)
			ql_http_send_body(req, false);
	}
}

static bool h3_drain(struct ql_http_conn *hc)
{
	bool known = hc->control_sent > hc->goaway_at && hc->control_acked == hc->control_sent;
	int rc;

	if (hc->drain != QL_HTTP_DRAIN && !known)
		return false;
	if (hc->drain == QL_HTTP_DRAIN_LAST)
		return true;
	if (hc->drain++ == QL_HTTP_DRAIN)
		rc = nghttp3_conn_submit_shutdown_notice(hc->h3);
	else
		rc = nghttp3_conn_shutdown(hc->h3);
	if (rc != 0)
		fail(hc, rc);
	hc->goaway_at = hc->control_sent;
	hc->dirty = true;
	return false;
}

static int error_of(int rc)
{
	if (rc == 0)
		return 0;
	return rc == NGHTTP3_ERR_NOMEM		? -ENOMEM
	       : rc == NGHTTP3_ERR_CONN_CLOSING ? -ENOTCONN
						: -EPIPE;
}

static int h3_respond(struct ql_http_request *req, unsigned int status,
		      const struct ql_http_field *fields, size_t n)
{
	nghttp3_nv nv[1 + QL_HTTP_MAX_FIELDS];
	/* of three digits, says ql_http_respond() */
	const char text[4] = {(char)('0' + status / 100 % 10), (char)('0' + status / 10 % 10),
			      (char)('0' + status % 10)};
	const uint8_t *bytes;
	ssize_t len;
	int rc;

	if (!set_nv(&nv[0], ":status", text) || !set_fields(nv + 1, fields, n))
		return -EINVAL;
	len = ql_http_encode_headers(req->hc->encoder, nv, 1 + n, ql_http_whole(req), &bytes);
	if (len < 0)
		return (int)len;
	rc = ql_http_put(req, bytes, len, !ql_http_has_content(req));
	if (rc < 0 && req->sent == 0)
		return rc;
	if (rc < 0)
		ql_http_request_abort(req, -ECANCELED, QL_H3_INTERNAL_ERROR);
	else
		ql_http_send_body(req, true);
	return 0;
}

/* As a value of the Priority field (RFC 9218, 4). */
static const char *write_priority(const struct ql_http_priority *p, char out[QL_HTTP_PRIORITY])
{
	snprintf(out, QL_HTTP_PRIORITY, "u=%u%s", p->urgency & 7u, p->incremental ? ",i" : "");
	return out;
}

static int h3_submit(struct ql_http_request *req, const struct ql_http_submit *s)
{
	nghttp3_nv nv[5 + QL_HTTP_MAX_FIELDS];
	char priority[QL_HTTP_PRIORITY];
	size_t n = 4;

	if (!s->authority || !set_nv(&nv[0], ":method", s->method ? s->method : "GET") ||
	    !set_nv(&nv[1], ":scheme", "https") || !set_nv(&nv[2], ":authority", s->authority) ||
	    !set_nv(&nv[3], ":path", s->path))
		return -EINVAL;
	if (s->priority)
		set_nv(&nv[n++], "priority", write_priority(s->priority, priority));
	if (!set_fields(nv + n, s->fields, s->n_fields))
		return -EINVAL;
	return error_of(
		nghttp3_conn_submit_request(req->hc->h3, req->id, nv, n + s->n_fields, NULL, req));
}

static int h3_set_priority(struct ql_http_request *req, const struct ql_http_priority *priority)
{
	const nghttp3_pri pri = {.urgency = priority->urgency, .inc = priority->incremental};
	nghttp3_conn *h3 = req->hc->h3;
	int rc;

#if QL_HAVE_NGHTTP3_PRIORITIES
	char text[QL_HTTP_PRIORITY];

	if (req->hc->server) {
		rc = nghttp3_conn_set_server_stream_priority(h3, req->id, &pri);
	} else {
		write_priority(priority, text);
		rc = nghttp3_conn_set_client_stream_priority(h3, req->id, (uint8_t *)text,
							     strlen(text));
	}
#else
	rc = nghttp3_conn_set_stream_priority(h3, req->id, &pri);
#endif
	return error_of(rc);
}

static void h3_writable(struct ql_http_conn *hc, struct ql_stream *stream)
{
	nghttp3_conn_unblock_stream(hc->h3, ql_stream_id(stream));
}

/* Receiving. */

/* A message that is malformed is the end of its stream only (RFC 9114, 4.1.2). */
static bool only_stream(int rc)
{
	return rc == NGHTTP3_ERR_MALFORMED_HTTP_HEADER ||
	       rc == NGHTTP3_ERR_MALFORMED_HTTP_MESSAGING;
}

static void read_request(struct ql_http_conn *hc, struct ql_http_request *req, const uint8_t *data,
			 size_t len, bool fin)
{
	bool in_body = req->headers && !fin;
	nghttp3_ssize n;

	req->fin_read = fin;
	n = nghttp3_conn_read_stream(hc->h3, req->id, data, len, fin);
	if (n >= 0)
		ql_stream_credit(req->stream, n);
	else if (only_stream((int)n))
		ql_http_request_abort(req, -EPROTO, QL_H3_MESSAGE_ERROR);
	else
		fail(hc, (int)n);
	/* a response or QPACK's acknowledgement may be due: not for the bytes of a body */
	hc->dirty = hc->dirty || !in_body;
}

/* On control and QPACK streams nghttp3 consumes everything, or fails. */
static void read_uni(struct ql_http_conn *hc, struct ql_stream *stream, struct ql_http_uni *uni,
		     const uint8_t *data, size_t len, bool fin)
{
	size_t all = len;
	const uint8_t *out;
	nghttp3_ssize rc = 0;
	ssize_t n;

	while ((n = ql_http_uni_next(uni, &data, &len, &out)) > 0 && rc >= 0) {
		rc = nghttp3_conn_read_stream(hc->h3, ql_stream_id(stream), out, n, false);
		if (rc >= 0 && uni->settings_complete)
			ql_http_got_settings(hc, &uni->settings.values);
		uni->settings_complete = false;
	}
	if (n >= 0 && rc >= 0 && fin)
		rc = nghttp3_conn_read_stream(hc->h3, ql_stream_id(stream), NULL, 0, true);
	if (n < 0) {
		ql_http_fail(hc,
			     n == -EMSGSIZE ? QL_H3_EXCESSIVE_LOAD
			     : n == -EEXIST ? QL_H3_SETTINGS_ERROR
					    : QL_H3_FRAME_ERROR,
			     "control stream");
		return;
	}
	if (rc < 0) {
		fail(hc, (int)rc);
		return;
	}
	ql_stream_credit(stream, all);
	hc->dirty = true;
}

static void h3_data(struct ql_http_conn *hc, struct ql_stream *stream, const uint8_t *data,
		    size_t len, bool fin)
{
	struct ql_http_request *req;
	struct ql_http_uni *uni;

	if (!ql_stream_id_is_uni(ql_stream_id(stream))) {
		req = ql_stream_user(stream);
		if (req)
			read_request(hc, req, data, len, fin);
		return;
	}
	uni = ql_stream_user(stream);
	if (!uni) {
		uni = calloc(1, sizeof(*uni));
		if (!uni) {
			ql_http_fail(hc, QL_H3_INTERNAL_ERROR, "no memory");
			return;
		}
		ql_stream_set_user(stream, uni);
	}
	read_uni(hc, stream, uni, data, len, fin);
	if (hc->server && !hc->closing && ql_http_uni_is_control(uni)) {
		TAILQ_FOREACH (req, &hc->requests, in_conn)
			update_priority(hc, req);
	}
}

static void h3_read_ended(struct ql_http_request *req)
{
	int rc = nghttp3_conn_shutdown_stream_read(req->hc->h3, req->id);

	if (rc != 0)
		fail(req->hc, rc);
	req->hc->dirty = true; /* QPACK's Stream Cancellation */
}

static void h3_write_ended(struct ql_http_request *req)
{
	nghttp3_conn_shutdown_stream_write(req->hc->h3, req->id);
}

/* For PRIORITY_UPDATE: the streams that the client may have opened, or will be able to soon. */
static void allow_streams(struct ql_http_conn *hc)
{
	if (hc->server)
		nghttp3_conn_set_max_client_streams_bidi(hc->h3, hc->opened + hc->max_streams);
}

static void h3_stream_closed(struct ql_http_conn *hc, uint64_t id, uint64_t code)
{
	int rc;

	/* a stream that waits for QPACK's table lives on in nghttp3, and its request does not */
	nghttp3_conn_set_stream_user_data(hc->h3, id, NULL);
	rc = nghttp3_conn_close_stream(hc->h3, id, code);
	if (rc != 0 && rc != NGHTTP3_ERR_STREAM_NOT_FOUND)
		fail(hc, rc);
	allow_streams(hc);
}

/* Connections. */

static int open_streams(struct ql_http_conn *hc)
{
	for (int i = 0; i < 3; i++) {
		int rc = ql_stream_open(hc->conn, false, &hc->out[i]);

		if (rc == -EAGAIN) /* fewer than RFC 9114, 6.2 asks for */
			return QL_H3_GENERAL_PROTOCOL_ERROR;
		if (rc < 0)
			return rc;
		ql_stream_set_control(hc->out[i]);
	}
	if (nghttp3_conn_bind_control_stream(hc->h3, ql_stream_id(hc->out[0])) != 0 ||
	    nghttp3_conn_bind_qpack_streams(hc->h3, ql_stream_id(hc->out[1]),
					    ql_stream_id(hc->out[2])) != 0)
		return -ENOMEM;
	return 0;
}

static nghttp3_settings settings_of(const struct ql_http_limits *limits)
{
	nghttp3_settings s;

	nghttp3_settings_default(&s);
	s.max_field_section_size = limits->header_bytes;
	s.qpack_max_dtable_capacity = QPACK_TABLE;
	s.qpack_blocked_streams = QPACK_BLOCKED;
	return s;
}

static uint64_t h3_promise(const struct ql_http_limits *limits)
{
	const nghttp3_settings s = settings_of(limits);

	return s.max_field_section_size << 32 ^ s.qpack_max_dtable_capacity << 16 ^
	       s.qpack_blocked_streams;
}

static int h3_start(struct ql_http_conn *hc)
{
	nghttp3_settings settings = settings_of(&hc->limits);
	int rc;

	if (hc->server) /* it encodes nothing */
		settings.qpack_encoder_max_dtable_capacity = 0;
	if (hc->server)
		rc = nghttp3_conn_server_new(&hc->h3, &callbacks, &settings, &ql_http_mem, hc);
	else
		rc = nghttp3_conn_client_new(&hc->h3, &callbacks, &settings, &ql_http_mem, hc);
	if (rc != 0)
		return -ENOMEM;
	if (hc->server)
		nghttp3_conn_set_max_concurrent_streams(hc->h3, hc->max_streams);
	allow_streams(hc);
	return open_streams(hc);
}

static void h3_stop(struct ql_http_conn *hc)
{
	if (hc->h3)
		nghttp3_conn_del(hc->h3);
	hc->h3 = NULL;
}

const struct ql_http_version ql_http_h3 = {
	.alpn = "h3",
	.start = h3_start,
	.stop = h3_stop,
	.data = h3_data,
	.writable = h3_writable,
	.read_ended = h3_read_ended,
	.write_ended = h3_write_ended,
	.stream_closed = h3_stream_closed,
	.submit = h3_submit,
	.respond = h3_respond,
	.content_head = ql_http_encode_data_head,
	.send_trailers = h3_send_trailers,
	.set_priority = h3_set_priority,
	.pump = h3_pump,
	.drain = h3_drain,
	.promise = h3_promise,
	.has_settings = true,
};
