// SPDX-License-Identifier: BSD-3-Clause
#include "http3/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* RFC 9114, 4.2.2 */
#define FIELD_OVERHEAD 32

static struct ql_http_bucket *bucket_of(struct ql_http_conn *hc, uint64_t id)
{
	return &hc->buckets[(id >> 2) & (QL_HTTP_BUCKETS - 1)];
}

struct ql_http_request *ql_http_request_new(struct ql_http_conn *hc, struct ql_stream *stream)
{
	struct ql_http_request *req = ql_pool_alloc(sizeof(*req));

	if (!req)
		return NULL;
	memset(req, 0, sizeof(*req));
	req->hc = hc;
	req->stream = stream;
	req->id = ql_stream_id(stream);
	req->pri = (nghttp3_pri){.urgency = QL_URGENCY_DEFAULT};
	STAILQ_INIT(&req->pieces);
	TAILQ_INSERT_TAIL(&hc->requests, req, in_conn);
	LIST_INSERT_HEAD(bucket_of(hc, req->id), req, in_bucket);
	ql_stream_set_user(stream, req);
	return req;
}

struct ql_http_request *ql_http_request_find(struct ql_http_conn *hc, uint64_t id)
{
	struct ql_http_request *req;

	LIST_FOREACH (req, bucket_of(hc, id), in_bucket) {
		if (req->id == id)
			return req;
	}
	return NULL;
}

static void release_body(struct ql_http_request *req)
{
	if (req->has_body && req->body.release)
		req->body.release(req->body.arg);
	req->has_body = false;
}

static void free_piece(struct ql_http_request *req, struct ql_http_piece *piece)
{
	STAILQ_REMOVE_HEAD(&req->pieces, next);
	req->held -= piece->len;
	ql_pool_free(piece);
}

void ql_http_request_free(struct ql_http_request *req)
{
	struct ql_http_conn *hc = req->hc;
	struct ql_http_piece *piece;

	/* without FIN on its way and acknowledged, it was the connection that ended */
	if (!req->error && (hc->server ? !req->fin_sent || req->acked < req->sent : !req->received))
		req->error = -ECONNABORTED;
	ql_http_request_done(req);
	while ((piece = STAILQ_FIRST(&req->pieces)) != NULL)
		free_piece(req, piece);
	release_body(req);
	ql_http_fields_clear(&req->fields);
	ql_http_fields_clear(&req->trailers);
	if (req->due)
		TAILQ_REMOVE(&hc->due, req, in_todo);
	TAILQ_REMOVE(&hc->requests, req, in_conn);
	LIST_REMOVE(req, in_bucket);
	ql_pool_free(req);
}

void ql_http_request_due(struct ql_http_request *req, unsigned int due)
{
	if (!req->due && due)
		TAILQ_INSERT_TAIL(&req->hc->due, req, in_todo);
	req->due |= due;
}

void ql_http_request_abort(struct ql_http_request *req, int error, uint64_t code)
{
	if (!req->error)
		req->error = error;
	req->code = code;
	ql_http_request_due(req, QL_HTTP_DUE_STOP | QL_HTTP_DUE_RESET | QL_HTTP_DUE_DONE);
}

void ql_http_request_done(struct ql_http_request *req)
{
	const struct ql_http_server *server = req->hc->server;

	if (req->finished)
		return;
	req->finished = true;
	if (!server)
		req->ops->done(req, req->error);
	else if (req->announced && server->ops->done)
		server->ops->done(req, req->error, server->arg);
}

void ql_http_request_acked(struct ql_http_request *req, uint64_t acked)
{
	struct ql_http_piece *piece;

	req->acked = acked;
	while ((piece = STAILQ_FIRST(&req->pieces)) != NULL && piece->end && piece->end <= acked)
		free_piece(req, piece);
	if (req->body_end && acked >= req->body_until)
		release_body(req);
	else if (req->waiting && req->held < req->hc->limits.body_buffer / 2)
		ql_http_resume(req);
}

/* Sending. */

static int send_piece(struct ql_http_request *req, struct ql_http_piece *piece, const uint8_t *data,
		      bool fin)
{
	int rc = ql_stream_send_ref(req->stream, data, piece->len, fin ? QL_FIN : 0, NULL, NULL);

	if (rc < 0) {
		ql_pool_free(piece);
		return rc;
	}
	STAILQ_INSERT_TAIL(&req->pieces, piece, next);
	req->held += piece->len;
	req->sent += piece->len;
	piece->end = req->sent;
	req->fin_sent = fin;
	return 0;
}

int ql_http_put(struct ql_http_request *req, const void *data, size_t len, bool fin)
{
	ssize_t n = ql_stream_send(req->stream, data, len, fin ? QL_FIN : 0);
	struct ql_http_piece *piece;

	if (n < 0)
		return (int)n;
	req->sent += n;
	if ((size_t)n == len) {
		req->fin_sent = fin;
		return 0;
	}
	len -= n;
	piece = ql_pool_alloc(sizeof(*piece) + len);
	if (!piece)
		return -ENOMEM;
	piece->len = len;
	memcpy(piece->bytes, (const uint8_t *)data + n, len);
	return send_piece(req, piece, piece->bytes, fin);
}

/* After the last byte of the body: what follows it. *n fields, of which there may be too many. */
static void ask_trailers(struct ql_http_request *req, struct ql_http_field *fields, size_t *n)
{
	*n = 0;
	if (req->has_body && req->body.trailers && req->hc->version->send_trailers)
		*n = req->body.trailers(req->body.arg, fields, QL_HTTP_MAX_FIELDS);
}

static int send_trailers(struct ql_http_request *req, const struct ql_http_field *fields, size_t n)
{
	if (n == 0)
		return 0;
	return n > QL_HTTP_MAX_FIELDS ? -EINVAL : req->hc->version->send_trailers(req, fields, n);
}

/* A body by reference, or none. */
static int send_whole(struct ql_http_request *req, bool headed)
{
	const struct ql_http_version *version = req->hc->version;
	uint8_t head[QL_HTTP_FRAME_HEAD], *end = head + sizeof(head), *p;
	struct ql_http_field fields[QL_HTTP_MAX_FIELDS];
	uint64_t len = ql_http_whole(req);
	size_t n;
	int rc;

	ask_trailers(req, fields, &n);
	if (len > 0 && !headed && version->content_head) {
		p = version->content_head(end, len);
		rc = ql_http_put(req, p, end - p, false);
		if (rc < 0)
			return rc;
	}
	if (len > 0) {
		rc = ql_stream_send_ref(req->stream, req->body.data, len, n == 0 ? QL_FIN : 0, NULL,
					NULL);
		if (rc < 0)
			return rc;
		req->sent += len;
		req->fin_sent = n == 0;
	} else if (n == 0) {
		rc = ql_http_put(req, NULL, 0, true);
		if (rc < 0)
			return rc;
	}
	req->body_until = req->sent;
	req->body_end = true;
	return send_trailers(req, fields, n);
}

/* What read() gives now. */
static int send_read(struct ql_http_request *req)
{
	const struct ql_http_version *version = req->hc->version;
	struct ql_http_field fields[QL_HTTP_MAX_FIELDS];
	struct ql_http_piece *piece;
	size_t room, got = 0;
	bool last = false;
	uint8_t *content, *p;
	ssize_t n;
	int rc = 0;

	if (req->held >= req->hc->limits.body_buffer)
		return -EAGAIN;
	room = req->hc->limits.body_buffer - req->held;
	if (room > QL_HTTP_PIECE)
		room = QL_HTTP_PIECE;
	piece = ql_pool_alloc(sizeof(*piece) + QL_HTTP_FRAME_HEAD + room);
	if (!piece)
		return -ENOMEM;
	p = content = piece->bytes + QL_HTTP_FRAME_HEAD;
	n = req->body.read(req->body.arg, content, room, &last);
	if (n < 0 || (size_t)n > room || (n == 0 && !last)) {
		ql_pool_free(piece);
		return n < 0 ? (int)n : n == 0 ? -EAGAIN : -EINVAL;
	}
	if (last)
		ask_trailers(req, fields, &got);
	if (n > 0 && version->content_head)
		p = version->content_head(content, n);
	piece->len = content + n - p;
	if (n > 0) {
		rc = send_piece(req, piece, p, last && got == 0);
	} else {
		ql_pool_free(piece);
		rc = got == 0 ? ql_http_put(req, NULL, 0, true) : 0;
	}
	if (rc < 0 || !last)
		return rc;
	req->body_until = req->sent;
	req->body_end = true;
	return send_trailers(req, fields, got);
}

void ql_http_send_body(struct ql_http_request *req, bool headed)
{
	int rc = 0;

	while (rc == 0 && !req->fin_sent && !req->write_end)
		rc = req->has_body && req->body.read ? send_read(req) : send_whole(req, headed);
	req->waiting = rc == -EAGAIN;
	if (rc < 0 && rc != -EAGAIN)
		ql_http_request_abort(req, rc == -EPIPE ? -ECONNRESET : -ECANCELED,
				      QL_H3_INTERNAL_ERROR);
}

bool ql_http_replayable(const char *method)
{
	return method && (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0);
}

/* What the peer sends. */

void ql_http_got_headers(struct ql_http_request *req)
{
	const struct ql_http_server *server = req->hc->server;
	const char *status;

	req->headers = true;
	if (req->finished)
		return;
	if (server) {
		req->announced = true;
		server->ops->request(req, server->arg);
		return;
	}
	status = ql_http_header(req, ":status");
	if (req->ops->headers)
		req->ops->headers(req, status ? atoi(status) : 0);
}

void ql_http_got_data(struct ql_http_request *req, const uint8_t *data, size_t len)
{
	const struct ql_http_server *server = req->hc->server;

	/* the application may have cancelled within this turn, too */
	if (req->finished || req->due & (QL_HTTP_DUE_DONE | QL_HTTP_DUE_STOP) ||
	    (server && !req->announced))
		ql_http_credit(req, len);
	else if (server && server->ops->data)
		server->ops->data(req, data, len, server->arg);
	else if (!server && req->ops->data)
		req->ops->data(req, data, len);
	else
		ql_http_credit(req, len);
}

void ql_http_got_end(struct ql_http_request *req)
{
	const struct ql_http_server *server = req->hc->server;

	req->received = req->read_end = true;
	if (req->finished || req->due & QL_HTTP_DUE_DONE)
		return;
	if (server) {
		if (req->announced && server->ops->complete)
			server->ops->complete(req, server->arg);
		return;
	}
	/* a response that did not wait for the end of the request: nobody wants the rest */
	req->code = QL_H3_NO_ERROR;
	ql_http_request_due(req, QL_HTTP_DUE_DONE | (req->fin_sent ? 0 : QL_HTTP_DUE_RESET));
}

/* Fields. */

int ql_http_fields_grow(struct ql_http_fields *f, size_t need)
{
	size_t cap = f->cap ? f->cap : 256;
	char *buf;

	if (f->cap - f->len >= need)
		return 0;
	while (cap - f->len < need)
		cap *= 2;
	buf = ql_pool_realloc(f->buf, cap);
	if (!buf)
		return -ENOMEM;
	f->buf = buf;
	f->cap = cap;
	return 0;
}

int ql_http_fields_add(struct ql_http_fields *f, size_t max, const void *name, size_t name_len,
		       const void *value, size_t value_len)
{
	size_t need = name_len + value_len + 2;
	char *at;

	f->counted += name_len + value_len + FIELD_OVERHEAD;
	if (f->counted > max)
		return -EMSGSIZE;
	if (ql_http_fields_grow(f, need) < 0)
		return -ENOMEM;
	at = f->buf + f->len;
	memcpy(at, name, name_len);
	at[name_len] = 0;
	memcpy(at + name_len + 1, value, value_len);
	at[name_len + 1 + value_len] = 0;
	f->len += need;
	return 0;
}

static bool next_field(const struct ql_http_fields *f, size_t *at, struct ql_http_field *field)
{
	if (*at >= f->len)
		return false;
	field->name = f->buf + *at;
	field->value = field->name + strlen(field->name) + 1;
	*at = field->value + strlen(field->value) + 1 - f->buf;
	return true;
}

const char *ql_http_fields_get(const struct ql_http_fields *f, const char *name)
{
	struct ql_http_field field;
	size_t at = 0;

	while (next_field(f, &at, &field)) {
		if (strcmp(field.name, name) == 0)
			return field.value;
	}
	return NULL;
}

void ql_http_fields_clear(struct ql_http_fields *f)
{
	ql_pool_free(f->buf);
	*f = (struct ql_http_fields){0};
}

/* The public calls. */

const char *ql_http_header(const struct ql_http_request *req, const char *name)
{
	return ql_http_fields_get(&req->fields, name);
}

bool ql_http_next_header(const struct ql_http_request *req, size_t *at, struct ql_http_field *field)
{
	return next_field(&req->fields, at, field);
}

const char *ql_http_trailer(const struct ql_http_request *req, const char *name)
{
	return ql_http_fields_get(&req->trailers, name);
}

bool ql_http_next_trailer(const struct ql_http_request *req, size_t *at,
			  struct ql_http_field *field)
{
	return next_field(&req->trailers, at, field);
}

void ql_http_credit(struct ql_http_request *req, size_t bytes)
{
	if (req->stream)
		ql_stream_credit(req->stream, bytes);
}

void ql_http_resume(struct ql_http_request *req)
{
	struct ql_http_conn *hc = req->hc;

	if (!req->waiting || req->write_end || hc->closing)
		return;
	ql_http_enter(hc);
	ql_http_send_body(req, false);
	ql_http_leave(hc);
}

void ql_http_stop(struct ql_http_request *req)
{
	struct ql_http_conn *hc = req->hc;

	ql_http_enter(hc);
	if (!(req->due & (QL_HTTP_DUE_STOP | QL_HTTP_DUE_RESET)))
		req->code = QL_H3_NO_ERROR;
	ql_http_request_due(req, QL_HTTP_DUE_STOP);
	ql_http_leave(hc);
}

void ql_http_cancel(struct ql_http_request *req, uint64_t h3_error)
{
	struct ql_http_conn *hc = req->hc;

	ql_http_enter(hc);
	ql_http_request_abort(req, -ECANCELED, h3_error);
	ql_http_leave(hc);
}

uint64_t ql_http_error_code(const struct ql_http_request *req)
{
	return req->peer_code;
}

struct ql_http_conn *ql_http_request_conn(const struct ql_http_request *req)
{
	return req->hc;
}

void *ql_http_user(const struct ql_http_request *req)
{
	return req->user;
}

void ql_http_set_user(struct ql_http_request *req, void *user)
{
	req->user = user;
}

static void set_stream_priority(struct ql_http_request *req, const struct ql_http_priority *p)
{
	req->pri = (nghttp3_pri){.urgency = p->urgency, .inc = p->incremental};
	if (req->stream)
		ql_stream_set_priority(req->stream, p->urgency, p->incremental);
}

int ql_http_set_priority(struct ql_http_request *req, const struct ql_http_priority *priority)
{
	struct ql_http_conn *hc = req->hc;
	int rc;

	if (priority->urgency > QL_URGENCY_LAST)
		return -EINVAL;
	if (hc->closing || !req->stream || req->due & (QL_HTTP_DUE_DONE | QL_HTTP_DUE_RESET))
		return -EPIPE;
	ql_http_enter(hc);
	rc = hc->version->set_priority(req, priority);
	if (rc == 0)
		set_stream_priority(req, priority);
	hc->dirty = true;
	ql_http_leave(hc);
	return rc;
}

static void set_body(struct ql_http_request *req, const struct ql_http_body *body)
{
	if (!body)
		return;
	req->body = *body;
	req->has_body = true;
}

/* After an error the application keeps what it gave. */
static void unset_body(struct ql_http_request *req)
{
	req->has_body = false;
	req->submitted = false;
}

int ql_http_respond(struct ql_http_request *req, unsigned int status,
		    const struct ql_http_field *fields, size_t n_fields,
		    const struct ql_http_body *body)
{
	struct ql_http_conn *hc = req->hc;
	int rc;

	if (!hc->server || status < 200 || status > 999 || n_fields > QL_HTTP_MAX_FIELDS)
		return -EINVAL;
	if (req->submitted)
		return -EALREADY;
	if (req->write_end || req->due & QL_HTTP_DUE_RESET || hc->closing)
		return -EPIPE;
	ql_http_enter(hc);
	set_body(req, body);
	req->submitted = true;
	rc = hc->version->respond(req, status, fields, n_fields);
	if (rc < 0)
		unset_body(req);
	hc->dirty = true;
	ql_http_leave(hc);
	return rc;
}

int ql_http_submit(struct ql_http_conn *conn, const struct ql_http_submit *submit,
		   const struct ql_http_response_ops *ops, void *user, struct ql_http_request **out)
{
	struct ql_http_request *req;
	struct ql_stream *stream;
	int rc;

	if (!ops || !ops->done || !submit->path || submit->n_fields > QL_HTTP_MAX_FIELDS ||
	    (submit->priority && submit->priority->urgency > QL_URGENCY_LAST))
		return -EINVAL;
	if (conn->server || conn->closing || conn->goaway || !conn->version)
		return -ENOTCONN;
	if (ql_conn_early(conn->conn) == QL_EARLY_OPEN &&
	    (submit->body || !ql_http_replayable(submit->method ? submit->method : "GET")))
		return -ENOTCONN;
	rc = ql_stream_open(conn->conn, true, &stream);
	if (rc < 0) {
		conn->starved = conn->starved || rc == -EAGAIN;
		return rc;
	}
	ql_http_enter(conn);
	req = ql_http_request_new(conn, stream);
	if (req) {
		req->ops = ops;
		req->user = user;
		set_body(req, submit->body);
		if (submit->priority)
			set_stream_priority(req, submit->priority);
		req->submitted = true;
		rc = conn->version->submit(req, submit);
		if (rc < 0) {
			unset_body(req);
			req->finished = true;
			ql_http_request_abort(req, rc, QL_H3_REQUEST_CANCELLED);
		} else if (out) {
			*out = req;
		}
		conn->dirty = true;
	} else {
		rc = -ENOMEM;
		ql_stream_reset(stream, QL_H3_REQUEST_CANCELLED);
		ql_stream_stop(stream, QL_H3_REQUEST_CANCELLED);
	}
	ql_http_leave(conn);
	return rc;
}

int ql_http_get(struct ql_http_conn *conn, const char *authority, const char *path,
		const struct ql_http_response_ops *ops, void *user, struct ql_http_request **req)
{
	const struct ql_http_submit submit = {.authority = authority, .path = path};

	return ql_http_submit(conn, &submit, ops, user, req);
}
