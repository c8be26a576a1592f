// SPDX-License-Identifier: BSD-3-Clause
/*
 * A client and a server of http3/ on the QUIC of test_http3_fake.h: the server answers by what the
 * path says, and both note what they are told.
 */
#ifndef TEST_HTTP3_UTIL_H
#define TEST_HTTP3_UTIL_H

#include "test_http3_fake.h"

/* One request as one side saw it. */
struct seen {
	unsigned int calls;  /* of request() or headers() */
	unsigned int status; /* client */
	char path[64];	     /* server */
	uint8_t *body;
	size_t len;
	unsigned int complete, done;
	int error;
	uint64_t code;
	struct ql_http_request *req; /* while it lives */
};

#define MAX_SEEN 512

struct rig {
	struct ql_http_server *server;
	struct ql_http_conn *http; /* the client's */
	struct ql_conn *client, *peer;
	unsigned int connected, available, closed, early, sessions;
	uint8_t session[QL_SESSION_MAX]; /* the last */
	size_t session_len;
	struct ql_close_info info; /* of the client's closed() */
	struct seen at_server[MAX_SEEN];
	unsigned int n_server;
	struct seen at_client[MAX_SEEN];
	unsigned int released; /* bodies given back */
	/* what the server does */
	struct ql_http_body body; /* of its responses */
	struct ql_http_field fields[70];
	size_t n_fields;
	unsigned int status;
	int respond; /* its last return value */
	bool wait;   /* do not answer yet */
	bool no_credit;
};

static struct rig rig;

static inline void note_data(struct seen *s, const uint8_t *data, size_t len)
{
	ck_assert_uint_gt(len, 0);
	ck_assert_uint_eq(s->done, 0);
	s->body = realloc(s->body, s->len + len);
	memcpy(s->body + s->len, data, len);
	s->len += len;
}

static inline void on_release(void *arg)
{
	(void)arg;
	rig.released++;
}

static inline void rig_respond(struct ql_http_request *req)
{
	const struct ql_http_body *body =
		rig.body.data || rig.body.read || rig.body.release ? &rig.body : NULL;

	rig.respond = ql_http_respond(req, rig.status, rig.fields, rig.n_fields, body);
}

static inline void server_request(struct ql_http_request *req, void *arg)
{
	struct seen *s = &rig.at_server[rig.n_server++];

	ck_assert_ptr_eq(arg, &rig);
	ck_assert_ptr_null(ql_http_user(req));
	ck_assert_uint_lt(rig.n_server, MAX_SEEN);
	ql_http_set_user(req, s);
	s->calls++;
	s->req = req;
	snprintf(s->path, sizeof(s->path), "%s", ql_http_header(req, ":path"));
	if (!rig.wait)
		rig_respond(req);
}

static inline void server_data(struct ql_http_request *req, const uint8_t *data, size_t len,
			       void *arg)
{
	(void)arg;
	note_data(ql_http_user(req), data, len);
	if (!rig.no_credit)
		ql_http_credit(req, len);
}

static inline void server_complete(struct ql_http_request *req, void *arg)
{
	struct seen *s = ql_http_user(req);

	(void)arg;
	s->complete++;
}

static inline void server_done(struct ql_http_request *req, int error, void *arg)
{
	struct seen *s = ql_http_user(req);

	(void)arg;
	s->done++;
	s->error = error;
	s->code = ql_http_error_code(req);
	s->req = NULL;
}

static const struct ql_http_server_ops server_ops = {
	.request = server_request,
	.data = server_data,
	.complete = server_complete,
	.done = server_done,
};

static inline void client_headers(struct ql_http_request *req, unsigned int status)
{
	struct seen *s = ql_http_user(req);

	s->calls++;
	s->status = status;
}

static inline void client_data(struct ql_http_request *req, const uint8_t *data, size_t len)
{
	note_data(ql_http_user(req), data, len);
	if (!rig.no_credit)
		ql_http_credit(req, len);
}

static inline void client_done(struct ql_http_request *req, int error)
{
	struct seen *s = ql_http_user(req);

	s->done++;
	s->error = error;
	s->code = ql_http_error_code(req);
	s->req = NULL;
}

static const struct ql_http_response_ops response_ops = {
	.headers = client_headers,
	.data = client_data,
	.done = client_done,
};

static inline void client_connected(struct ql_http_conn *conn, void *arg)
{
	(void)conn;
	ck_assert_ptr_eq(arg, &rig);
	rig.connected++;
}

static inline void client_available(struct ql_http_conn *conn, void *arg)
{
	(void)conn, (void)arg;
	rig.available++;
}

static inline void client_early(struct ql_http_conn *conn, void *arg)
{
	(void)conn;
	ck_assert_ptr_eq(arg, &rig);
	ck_assert_uint_eq(rig.connected, 0);
	rig.early++;
}

static inline void client_session(struct ql_http_conn *conn, const uint8_t *session, size_t len,
				  void *arg)
{
	(void)conn, (void)arg;
	rig.sessions++;
	memcpy(rig.session, session, len);
	rig.session_len = len;
}

static inline void client_closed(struct ql_http_conn *conn, const struct ql_close_info *info,
				 void *arg)
{
	(void)conn, (void)arg;
	rig.closed++;
	rig.info = *info;
	rig.http = NULL;
}

static const struct ql_http_client_ops client_ops = {
	.connected = client_connected,
	.available = client_available,
	.closed = client_closed,
	.early = client_early,
	.new_session = client_session,
};

static inline void rig_setup(void)
{
	fake_reset();
	memset(&rig, 0, sizeof(rig));
	rig.status = 200;
}

static inline void rig_server(const struct ql_http_limits *limits, const char *alpns)
{
	rig.server = ql_http_server_create(&server_ops, &rig, limits);
	ck_assert_ptr_nonnull(rig.server);
	ck_assert_int_eq(ql_http_listen(rig.server, NULL, 443, NULL, NULL, alpns), 0);
}

static inline void rig_client(const struct ql_http_limits *limits, const char *alpns)
{
	const struct ql_path path = {0};

	ck_assert_int_eq(ql_http_connect(NULL, &path, NULL, "qlane.test", NULL, alpns, &client_ops,
					 &rig, limits, 0, &rig.http),
			 0);
	rig.client = ql_http_quic(rig.http);
	rig.peer = fake_join(rig.client);
}

static inline void rig_start(const char *alpn)
{
	rig_server(NULL, alpn);
	rig_client(NULL, alpn);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.connected, 1);
	ck_assert(!rig.client->closed && !rig.peer->closed);
}

static inline void rig_teardown(void)
{
	if (rig.client)
		fake_free(rig.client);
	if (rig.server) {
		ck_assert_uint_eq(ql_http_server_conns(rig.server), 0);
		ql_http_server_free(rig.server);
	}
	for (unsigned int i = 0; i < MAX_SEEN; i++) {
		/* whoever was told of a request was told of its end, once */
		ck_assert_uint_eq(rig.at_server[i].done, rig.at_server[i].calls);
		free(rig.at_server[i].body);
		free(rig.at_client[i].body);
	}
}

static inline int rig_get(unsigned int i, const char *path)
{
	struct seen *s = &rig.at_client[i];

	return ql_http_get(rig.http, "qlane.test", path, &response_ops, s, &s->req);
}

/* Bytes that differ everywhere. */
static inline uint8_t *pattern(size_t len)
{
	uint8_t *p = malloc(len + 1);

	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 131 + (i >> 8) * 17);
	return p;
}

/* The client's stream of a request. */
static inline struct ql_stream *rig_stream(struct ql_conn *conn, unsigned int n)
{
	return fake_find(conn, (uint64_t)n << 2);
}

#endif /* TEST_HTTP3_UTIL_H */
