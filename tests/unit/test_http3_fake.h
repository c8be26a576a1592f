// SPDX-License-Identifier: BSD-3-Clause
/*
 * A QUIC that exists only in this process's memory: two connections joined, for tests of http3/.
 * It defines the functions of qlane/conn.h and stream.h that http3/ calls, so the real ones are not
 * linked. Bytes given by reference are read when they are delivered, in pieces of any size, each in
 * an allocation of its own, so that a sanitizer sees every misuse. Callbacks run inside
 * fake_turn() only. Included once by a test.
 */
#ifndef TEST_HTTP3_FAKE_H
#define TEST_HTTP3_FAKE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <check.h>

#include <qlane/engine.h>
#include <qlane/http3.h>

struct fake_segment {
	STAILQ_ENTRY(fake_segment) next;
	const uint8_t *data;
	size_t len;
	bool copied;
	uint8_t bytes[];
};

struct ql_stream {
	struct ql_conn *conn;
	struct ql_stream *peer; /* NULL until it knows */
	uint64_t id;
	void *user;
	TAILQ_ENTRY(ql_stream) next;

	STAILQ_HEAD(, fake_segment) out; /* not delivered; all of it is kept for that */
	size_t out_at;			 /* delivered bytes of the first */
	uint64_t sent, delivered, acked, copied;
	bool fin, fin_delivered, reset, reset_delivered, stopped, stop_delivered;
	bool want_writable, send_end, recv_end, closed;
	uint64_t reset_code, stop_code;
	uint64_t received, credited;
	unsigned int urgency;
	bool incremental, control;
};

struct ql_conn {
	struct ql_conn *peer;
	const struct ql_conn_ops *ops;
	void *user;
	const char *alpn;
	bool server, closed, told;
	enum ql_early early;
	struct ql_close_info info;
	char reason[128];
	TAILQ_HEAD(, ql_stream) streams;
	uint64_t opened[2], limit[2]; /* by us: uni, bidi */
};

/* How the next pair behaves; fake_reset() restores it. */
static struct {
	size_t piece;	   /* most bytes delivered at once */
	uint64_t room;	   /* for copies in one stream */
	uint64_t limit[2]; /* streams that each side may open: uni, bidi */
	int send_error;	   /* of the next ql_stream_send_ref() */
	uint64_t rng;
	struct ql_proto protos[2]; /* of ql_listen() */
	unsigned int n_protos;
	int listen_error, connect_error;
	uint64_t now;
	struct ql_transport transport; /* of ql_connect() */
} fake;

static inline void fake_reset(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.piece = 100000;
	fake.room = 100000;
	fake.limit[0] = 16;
	fake.limit[1] = 128;
	fake.rng = 1;
}

static inline uint64_t fake_random(uint64_t below)
{
	fake.rng = fake.rng * 6364136223846793005u + 1442695040888963407u;
	return (fake.rng >> 33) % below;
}

/* What http3/ calls. */

int ql_listen(struct ql_engine *engine, uint16_t port, struct ql_tls_ctx *tls,
	      const struct ql_transport *transport, const struct ql_proto *protos, unsigned int n)
{
	(void)engine, (void)port, (void)tls, (void)transport;
	memcpy(fake.protos, protos, n * sizeof(*protos));
	fake.n_protos = n;
	return fake.listen_error;
}

static inline struct ql_conn *fake_conn(bool server, const struct ql_proto *proto, void *user)
{
	struct ql_conn *c = calloc(1, sizeof(*c));

	c->server = server;
	c->ops = proto->ops;
	c->alpn = "";
	c->user = user;
	c->limit[0] = fake.limit[0];
	c->limit[1] = fake.limit[1];
	c->info.reason = c->reason;
	TAILQ_INIT(&c->streams);
	return c;
}

int ql_connect(struct ql_engine *engine, const struct ql_path *path, struct ql_tls_ctx *tls,
	       const char *sni, const struct ql_transport *transport, const struct ql_proto *protos,
	       unsigned int n, void *user, uint64_t now, struct ql_conn **conn)
{
	(void)engine, (void)path, (void)tls, (void)sni, (void)n, (void)now;
	fake.transport = *transport;
	if (fake.connect_error)
		return fake.connect_error;
	*conn = fake_conn(false, &protos[0], user);
	(*conn)->alpn = "";
	/* ALPN as a server would choose */
	for (unsigned int s = 0; s < fake.n_protos; s++) {
		for (unsigned int i = 0; i < n && !(*conn)->alpn[0]; i++) {
			if (strcmp(fake.protos[s].alpn, protos[i].alpn) == 0)
				(*conn)->alpn = protos[i].alpn;
		}
	}
	return 0;
}

void ql_conn_close(struct ql_conn *conn, uint64_t app_error, const char *reason)
{
	if (conn->closed)
		return;
	conn->closed = true;
	conn->info.cause = QL_CLOSE_LOCAL;
	conn->info.application = true;
	conn->info.error = app_error;
	snprintf(conn->reason, sizeof(conn->reason), "%s", reason ? reason : "");
}

const char *ql_conn_alpn(const struct ql_conn *conn)
{
	return conn->alpn;
}

uint64_t ql_conn_now(const struct ql_conn *conn)
{
	(void)conn;
	return fake.now;
}

enum ql_early ql_conn_early(const struct ql_conn *conn)
{
	return conn->early;
}

void *ql_conn_user(const struct ql_conn *conn)
{
	return conn->user;
}

void ql_conn_set_user(struct ql_conn *conn, void *user)
{
	conn->user = user;
}

uint64_t ql_stream_id(const struct ql_stream *s)
{
	return s->id;
}

struct ql_conn *ql_stream_conn(const struct ql_stream *s)
{
	return s->conn;
}

void *ql_stream_user(const struct ql_stream *s)
{
	return s->user;
}

void ql_stream_set_user(struct ql_stream *s, void *user)
{
	s->user = user;
}

static inline struct ql_stream *fake_stream(struct ql_conn *conn, uint64_t id)
{
	struct ql_stream *s = calloc(1, sizeof(*s));

	s->conn = conn;
	s->id = id;
	s->urgency = QL_URGENCY_DEFAULT;
	STAILQ_INIT(&s->out);
	TAILQ_INSERT_TAIL(&conn->streams, s, next);
	if (ql_stream_id_is_uni(id)) {
		if (ql_stream_id_by_server(id) == conn->server)
			s->recv_end = true;
		else
			s->send_end = true;
	}
	return s;
}

int ql_stream_open(struct ql_conn *conn, bool bidi, struct ql_stream **stream)
{
	if (conn->closed)
		return -ENOTCONN;
	if (conn->opened[bidi] == conn->limit[bidi])
		return -EAGAIN;
	*stream = fake_stream(conn, conn->opened[bidi]++ << 2 | (bidi ? 0 : 2) | conn->server);
	return 0;
}

static inline int fake_append(struct ql_stream *s, const void *data, size_t len, bool copy,
			      bool fin)
{
	struct fake_segment *seg = malloc(sizeof(*seg) + (copy ? len : 0));

	seg->data = data;
	seg->len = len;
	seg->copied = copy;
	if (copy && len)
		seg->data = memcpy(seg->bytes, data, len);
	STAILQ_INSERT_TAIL(&s->out, seg, next);
	s->sent += len;
	s->copied += copy ? len : 0;
	s->fin = fin;
	return 0;
}

ssize_t ql_stream_send(struct ql_stream *s, const void *data, size_t len, unsigned int flags)
{
	size_t room = fake.room > s->copied ? fake.room - s->copied : 0;
	size_t n = len < room ? len : room;

	if (s->send_end || s->fin || s->reset || s->conn->closed)
		return -EPIPE;
	s->want_writable = s->want_writable || n < len;
	fake_append(s, data, n, true, n == len && flags & QL_FIN);
	return (ssize_t)n;
}

int ql_stream_send_ref(struct ql_stream *s, const void *data, size_t len, unsigned int flags,
		       ql_release_fn release, void *arg)
{
	int rc = fake.send_error;

	(void)release, (void)arg; /* http3/ goes by acknowledgements */
	ck_assert_ptr_null(release);
	if (s->send_end || s->fin || s->reset || s->conn->closed)
		return -EPIPE;
	fake.send_error = 0;
	return rc ? rc : fake_append(s, data, len, false, flags & QL_FIN);
}

int ql_stream_reset(struct ql_stream *s, uint64_t app_error)
{
	if (s->send_end || s->reset || s->conn->closed)
		return -EPIPE;
	s->reset = true;
	s->reset_code = app_error;
	return 0;
}

int ql_stream_stop(struct ql_stream *s, uint64_t app_error)
{
	if (s->recv_end || s->stopped || s->conn->closed)
		return -EPIPE;
	s->stopped = true;
	s->stop_code = app_error;
	return 0;
}

void ql_stream_credit(struct ql_stream *s, size_t bytes)
{
	s->credited += bytes;
	ck_assert_uint_le(s->credited, s->received);
}

void ql_stream_set_control(struct ql_stream *s)
{
	s->control = true;
}

void ql_stream_set_priority(struct ql_stream *s, unsigned int urgency, bool incremental)
{
	ck_assert_uint_le(urgency, QL_URGENCY_LAST);
	s->urgency = urgency;
	s->incremental = incremental;
}

/* The network. */

static inline struct ql_stream *fake_find(struct ql_conn *conn, uint64_t id)
{
	struct ql_stream *s;

	TAILQ_FOREACH (s, &conn->streams, next) {
		if (s->id == id)
			return s;
	}
	return NULL;
}

static inline void fake_drop_out(struct ql_stream *s)
{
	struct fake_segment *seg;

	while ((seg = STAILQ_FIRST(&s->out)) != NULL) {
		STAILQ_REMOVE_HEAD(&s->out, next);
		free(seg);
	}
}

/* Up to piece bytes of s to its peer; true when something was delivered. */
static inline bool fake_deliver(struct ql_stream *s)
{
	struct ql_stream *to = s->peer;
	struct ql_conn *conn = s->conn->peer;
	size_t want = 1 + fake_random(fake.piece), len = 0;
	uint8_t *bytes;
	bool fin;

	if (s->send_end || conn->closed || (s->sent == s->delivered && !s->fin))
		return false;
	if (!to) {
		to = s->peer = fake_stream(conn, s->id);
		to->peer = s;
		conn->ops->stream_opened(to);
	}
	if (want > s->sent - s->delivered)
		want = s->sent - s->delivered;
	bytes = malloc(want ? want : 1);
	while (len < want) {
		struct fake_segment *seg = STAILQ_FIRST(&s->out);
		size_t n = seg->len - s->out_at;

		if (n > want - len)
			n = want - len;
		memcpy(bytes + len, seg->data + s->out_at, n);
		len += n;
		s->out_at += n;
		if (s->out_at == seg->len) {
			s->out_at = 0;
			STAILQ_REMOVE_HEAD(&s->out, next);
			s->copied -= seg->copied ? seg->len : 0;
			free(seg);
		}
	}
	s->delivered += len;
	fin = s->fin && s->delivered == s->sent;
	if (!to->stopped && !to->recv_end && !conn->closed) {
		to->received += len;
		conn->ops->stream_data(to, bytes, len, fin);
	}
	free(bytes);
	to->recv_end = to->recv_end || fin;
	s->send_end = s->fin_delivered = fin;
	return true;
}

static inline bool fake_turn_stream(struct ql_stream *s)
{
	const struct ql_conn_ops *ops = s->conn->ops;
	struct ql_conn *other = s->conn->peer;
	bool busy = false;

	if (s->reset && !s->send_end) {
		s->send_end = busy = true;
		fake_drop_out(s);
		if (!s->peer && !other->closed) {
			s->peer = fake_stream(other, s->id);
			s->peer->peer = s;
			other->ops->stream_opened(s->peer);
		}
		if (s->peer && !s->peer->recv_end && !other->closed) {
			s->peer->recv_end = true;
			if (!s->peer->stopped)
				other->ops->stream_reset(s->peer, s->reset_code);
		}
	}
	if (s->stopped && !s->stop_delivered && s->peer) {
		s->stop_delivered = busy = true;
		if (!s->peer->send_end && !s->peer->reset && !other->closed) {
			ql_stream_reset(s->peer, s->stop_code);
			other->ops->stream_stopped(s->peer, s->stop_code);
		}
	}
	busy = fake_deliver(s) || busy;
	if (s->acked < s->delivered && !s->conn->closed && !s->reset) {
		s->acked = s->delivered;
		ops->stream_acked(s, s->acked);
		busy = true;
	}
	if (s->want_writable && s->copied < fake.room && !s->send_end && !s->conn->closed) {
		s->want_writable = false;
		ops->stream_writable(s);
		busy = true;
	}
	return busy;
}

static inline bool fake_reap(struct ql_conn *conn, bool all)
{
	struct ql_stream *s, *next;
	bool busy = false;

	for (s = TAILQ_FIRST(&conn->streams); s; s = next) {
		next = TAILQ_NEXT(s, next);
		if (s->closed || (!all && !(s->send_end && s->recv_end)))
			continue;
		s->closed = busy = true;
		conn->ops->stream_closed(s);
		/* kept, so that its figures can be looked at */
		fake_drop_out(s);
		s->user = NULL;
	}
	return busy;
}

static inline bool fake_end(struct ql_conn *conn)
{
	if (!conn->closed || conn->told)
		return false;
	conn->told = true;
	fake_reap(conn, true);
	conn->ops->closed(conn, &conn->info);
	if (!conn->peer->closed) {
		conn->peer->closed = true;
		conn->peer->info.cause = QL_CLOSE_PEER;
		conn->peer->info.application = conn->info.application;
		conn->peer->info.error = conn->info.error;
		memcpy(conn->peer->reason, conn->reason, sizeof(conn->reason));
	}
	return true;
}

/* Everything that can happen happens once; false when nothing could. */
static inline bool fake_turn(struct ql_conn *client)
{
	struct ql_conn *both[2] = {client, client->peer};
	bool busy = false;

	for (int i = 0; i < 2; i++) {
		struct ql_stream *s;

		TAILQ_FOREACH (s, &both[i]->streams, next) {
			if (!s->closed && !both[i]->closed)
				busy = fake_turn_stream(s) || busy;
		}
		if (!both[i]->closed)
			busy = fake_reap(both[i], false) || busy;
		if (!both[i]->closed && both[i]->ops->sending)
			both[i]->ops->sending(both[i]);
		busy = fake_end(both[i]) || busy;
	}
	return busy;
}

static inline void fake_run(struct ql_conn *client)
{
	unsigned int turns = 0;

	while (fake_turn(client))
		ck_assert_uint_lt(turns++, 1000000);
}

/* More streams for the client. */
static inline void fake_allow(struct ql_conn *conn, uint64_t n)
{
	conn->limit[1] += n;
	conn->ops->streams_available(conn, true);
}

/* Join the client with a new connection of the server that listens. */
static inline struct ql_conn *fake_accept(struct ql_conn *client, enum ql_early early)
{
	struct ql_conn *server = fake_conn(true, &fake.protos[0], fake.protos[0].arg);
	uint64_t refused;

	server->alpn = client->alpn;
	server->peer = client;
	server->early = client->early = early;
	client->peer = server;
	refused = server->ops->accepted(server, fake.protos[0].arg);
	if (refused)
		ql_conn_close(server, refused, "refused");
	return server;
}

static inline void fake_complete(struct ql_conn *client)
{
	struct ql_conn *both[2] = {client->peer, client};

	for (int i = 0; i < 2; i++) {
		if (both[i]->early == QL_EARLY_OPEN)
			both[i]->early = QL_EARLY_ACCEPTED;
		if (!both[i]->closed)
			both[i]->ops->connected(both[i]);
	}
}

static inline struct ql_conn *fake_join(struct ql_conn *client)
{
	struct ql_conn *server = fake_accept(client, QL_EARLY_NONE);

	fake_complete(client);
	return server;
}

static inline void fake_free(struct ql_conn *client)
{
	struct ql_conn *both[2] = {client, client->peer};

	for (int i = 0; i < 2; i++) {
		struct ql_stream *s;

		if (!both[i]->closed) {
			both[i]->closed = true;
			both[i]->info.cause = QL_CLOSE_ENGINE;
		}
		fake_end(both[i]);
		while ((s = TAILQ_FIRST(&both[i]->streams)) != NULL) {
			TAILQ_REMOVE(&both[i]->streams, s, next);
			fake_drop_out(s);
			free(s);
		}
	}
	free(client->peer);
	free(client);
}

#endif /* TEST_HTTP3_FAKE_H */
