// SPDX-License-Identifier: BSD-3-Clause
/*
 * HTTP/0.9 as QUIC's interoperability tests use it: the client sends "GET /path" with an optional
 * CR LF and FIN, the server sends the content and FIN.
 */
#include "http3/http.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* req.fields.buf collects the server's request line, before it becomes fields. */
#define LINE_MAX_BYTES 4096

static int hq_start(struct ql_http_conn *hc)
{
	(void)hc;
	return 0;
}

static void hq_stop(struct ql_http_conn *hc)
{
	(void)hc;
}

static void hq_ignore(struct ql_http_request *req)
{
	(void)req;
}

static void hq_stream_closed(struct ql_http_conn *hc, uint64_t id, uint64_t code)
{
	(void)hc;
	(void)id;
	(void)code;
}

/* Everything is sent by the call that makes it sendable. */
static void hq_pump(struct ql_http_conn *hc)
{
	(void)hc;
}

static void hq_writable(struct ql_http_conn *hc, struct ql_stream *stream)
{
	(void)hc;
	(void)stream;
}

static int hq_respond(struct ql_http_request *req, unsigned int status,
		      const struct ql_http_field *fields, size_t n)
{
	(void)fields;
	(void)n;
	if (status == 200) {
		ql_http_send_body(req, false);
		return 0;
	}
	/* there is no other way to tell, and an error's page must not pass for the content */
	req->code = status;
	req->error = -ECANCELED;
	ql_http_request_due(req, QL_HTTP_DUE_STOP | QL_HTTP_DUE_RESET);
	return 0;
}

static int hq_submit(struct ql_http_request *req, const struct ql_http_submit *submit)
{
	char line[LINE_MAX_BYTES];
	ssize_t sent;
	int len;

	if ((submit->method && strcmp(submit->method, "GET") != 0) || submit->body)
		return -ENOTSUP;
	if (strpbrk(submit->path, " \r\n"))
		return -EINVAL;
	len = snprintf(line, sizeof(line), "GET %s\r\n", submit->path);
	if (len >= (int)sizeof(line))
		return -EINVAL;
	sent = ql_stream_send(req->stream, line, len, QL_FIN);
	if (sent < len)
		return sent < 0 ? (int)sent : -ENOMEM;
	req->sent = len;
	req->fin_sent = true;
	return 0;
}

static int add(struct ql_http_fields *f, const char *name, const char *value, size_t len)
{
	return ql_http_fields_add(f, SIZE_MAX, name, strlen(name), value, len);
}

/* "GET /path[ HTTP/...]" up to CR, LF or the end becomes :method and :path. */
static void got_line(struct ql_http_request *req)
{
	struct ql_http_fields line = req->fields;
	size_t len;
	int rc = -EINVAL;

	req->fields = (struct ql_http_fields){0};
	if (line.len >= 5 && memcmp(line.buf, "GET /", 5) == 0 && !memchr(line.buf, 0, line.len)) {
		len = strcspn(line.buf + 4, " \r\n");
		rc = add(&req->fields, ":method", "GET", 3);
		if (rc == 0)
			rc = add(&req->fields, ":path", line.buf + 4, len);
	}
	ql_http_fields_clear(&line);
	req->headers = true;
	if (rc == 0)
		ql_http_got_headers(req);
	else
		ql_http_request_abort(req, -EPROTO, QL_H3_MESSAGE_ERROR);
}

static void server_data(struct ql_http_request *req, const uint8_t *data, size_t len, bool fin)
{
	struct ql_http_fields *f = &req->fields;
	size_t max = req->hc->limits.header_bytes, room;
	const uint8_t *eol = memchr(data, '\n', len);

	ql_stream_credit(req->stream, len);
	if (!req->headers) {
		if (max > LINE_MAX_BYTES)
			max = LINE_MAX_BYTES;
		room = max - f->len;
		if (eol)
			len = eol + 1 - data;
		if (len > room || ql_http_fields_grow(f, len + 1) < 0) {
			ql_http_request_abort(req, -EMSGSIZE, QL_H3_EXCESSIVE_LOAD);
			return;
		}
		memcpy(f->buf + f->len, data, len);
		f->len += len;
		f->buf[f->len] = 0;
		if (eol || fin)
			got_line(req);
	}
	if (fin)
		ql_http_got_end(req);
}

static void client_data(struct ql_http_request *req, const uint8_t *data, size_t len, bool fin)
{
	if (!req->headers) {
		if (add(&req->fields, ":status", "200", 3) < 0) {
			ql_http_request_abort(req, -ENOMEM, QL_H3_INTERNAL_ERROR);
			return;
		}
		ql_http_got_headers(req);
	}
	if (len > 0)
		ql_http_got_data(req, data, len);
	if (fin)
		ql_http_got_end(req);
}

static void hq_data(struct ql_http_conn *hc, struct ql_stream *stream, const uint8_t *data,
		    size_t len, bool fin)
{
	struct ql_http_request *req = ql_stream_user(stream);

	if (!req)
		ql_stream_credit(stream, len);
	else if (hc->server)
		server_data(req, data, len, fin);
	else
		client_data(req, data, len, fin);
}

static int hq_set_priority(struct ql_http_request *req, const struct ql_http_priority *priority)
{
	(void)priority;
	return req->hc->server ? 0 : -ENOTSUP;
}

const struct ql_http_version ql_http_hq = {
	.alpn = "hq-interop",
	.start = hq_start,
	.stop = hq_stop,
	.data = hq_data,
	.writable = hq_writable,
	.read_ended = hq_ignore,
	.write_ended = hq_ignore,
	.stream_closed = hq_stream_closed,
	.submit = hq_submit,
	.respond = hq_respond,
	.set_priority = hq_set_priority,
	.pump = hq_pump,
};
