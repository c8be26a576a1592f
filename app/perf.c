// SPDX-License-Identifier: BSD-3-Clause
#include "perf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <qlane/stream.h>

#include "reach.h"

#define SIZE	  8	    /* bytes in which a stream says what it wants back */
#define CHUNK	  (1 << 20) /* bytes that are given to a stream at once */
#define AHEAD	  (4 << 20) /* and it has so many before it gets more */
#define UNLIMITED UINT64_MAX

/* Application error codes; the draft has none. */
#define PERF_DONE     0
#define PERF_RESOURCE 1 /* no memory, or too many answers wait */

static const uint8_t zeros[CHUNK];

/* What one side sends on a stream. */
struct outgoing {
	uint64_t left;
	bool ended; /* nothing more will be given */
};

/* Give the stream as much as is good for it. How many bytes it took. */
static uint64_t give(struct ql_stream *stream, struct outgoing *out)
{
	uint64_t given = 0;

	while (!out->ended && ql_stream_unsent(stream) < AHEAD) {
		size_t n = out->left < CHUNK ? (size_t)out->left : CHUNK;
		bool last = out->left == n;
		ssize_t rc =
			n > 0 ? ql_stream_send_ref(stream, zeros, n, last ? QL_FIN : 0, NULL, NULL)
			      : ql_stream_send(stream, zeros, 0, QL_FIN);

		if (rc < 0) {
			out->ended = true;
			ql_stream_reset(stream, PERF_RESOURCE);
			break;
		}
		given += n;
		if (out->left != UNLIMITED)
			out->left -= n;
		out->ended = last;
	}
	return given;
}

/* ---- Server ---- */

struct ql_perf_conn {
	struct ql_perf_server *server;
	struct ql_conn *conn;
	uint64_t waiting[QL_PERF_WAITING]; /* sizes of answers that wait for a stream of ours */
	unsigned int n_waiting;
	LIST_ENTRY(ql_perf_conn) next;
};

/* What there is to remember of a stream: nothing, if all of it came at once and was answered at once. */
struct serving {
	uint8_t size[SIZE];
	unsigned int n_size;
	bool answering;
	struct outgoing out;
};

static uint64_t wanted(const struct serving *s)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < SIZE; i++)
		v = v << 8 | s->size[i];
	return v;
}

static uint64_t on_accepted(struct ql_conn *conn, void *arg)
{
	struct ql_perf_conn *pc = calloc(1, sizeof(*pc));
	struct ql_perf_server *server = arg;

	if (!pc)
		return PERF_RESOURCE;
	pc->server = server;
	pc->conn = conn;
	ql_conn_set_user(conn, pc);
	LIST_INSERT_HEAD(&server->conns, pc, next);
	server->n_conns++;
	return 0;
}

static void on_served(struct ql_conn *conn, const struct ql_close_info *info)
{
	struct ql_perf_conn *pc = ql_conn_user(conn);

	(void)info;
	pc->server->n_conns--;
	LIST_REMOVE(pc, next);
	free(pc);
}

static void remember(struct ql_perf_conn *pc, struct ql_stream *stream, const struct serving *s)
{
	struct serving *kept = malloc(sizeof(*kept));

	if (!kept) {
		ql_conn_close(pc->conn, PERF_RESOURCE, "no memory");
		return;
	}
	*kept = *s;
	ql_stream_set_user(stream, kept);
}

static void on_stream_opened(struct ql_stream *stream)
{
	struct ql_perf_conn *pc = ql_conn_user(ql_stream_conn(stream));

	pc->server->streams++;
}

static void answer(struct ql_perf_conn *pc, struct ql_stream *stream, struct serving *s,
		   uint64_t size)
{
	s->answering = true;
	s->out.left = size;
	pc->server->sent += give(stream, &s->out);
}

/* On streams of ours, as far as the client lets us open them. */
static void answer_waiting(struct ql_perf_conn *pc)
{
	struct ql_stream *stream;

	while (pc->n_waiting > 0 && ql_stream_open(pc->conn, false, &stream) == 0) {
		struct serving s = {0};

		pc->server->streams++;
		pc->n_waiting--;
		answer(pc, stream, &s, pc->waiting[pc->n_waiting]);
		if (!s.out.ended)
			remember(pc, stream, &s);
	}
}

/* All has come that the client has to say. */
static void on_request(struct ql_perf_conn *pc, struct ql_stream *stream, struct serving *s)
{
	uint64_t size = s->n_size == SIZE ? wanted(s) : 0;

	if (!ql_stream_id_is_uni(ql_stream_id(stream))) {
		answer(pc, stream, s, size);
	} else if (size > 0 && pc->n_waiting == QL_PERF_WAITING) {
		ql_conn_close(pc->conn, PERF_RESOURCE, "too many answers wait for streams");
	} else if (size > 0) {
		pc->waiting[pc->n_waiting++] = size;
		answer_waiting(pc);
	}
}

static void on_stream_data(struct ql_stream *stream, const uint8_t *data, size_t len, bool fin)
{
	struct ql_perf_conn *pc = ql_conn_user(ql_stream_conn(stream));
	struct serving *kept = ql_stream_user(stream), fresh = {0};
	struct serving *s = kept ? kept : &fresh;

	ql_stream_credit(stream, len);
	for (; len > 0 && s->n_size < SIZE; len--)
		s->size[s->n_size++] = *data++;
	pc->server->received += len;
	if (fin)
		on_request(pc, stream, s);
	if (!kept && (!fin || (s->answering && !s->out.ended)))
		remember(pc, stream, s);
}

static void on_stream_acked(struct ql_stream *stream, uint64_t acked)
{
	struct ql_perf_conn *pc = ql_conn_user(ql_stream_conn(stream));
	struct serving *s = ql_stream_user(stream);

	(void)acked;
	if (s && s->answering)
		pc->server->sent += give(stream, &s->out);
}

/* A request that is broken off has no answer. */
static void on_stream_reset(struct ql_stream *stream, uint64_t error)
{
	if (!ql_stream_id_is_uni(ql_stream_id(stream)))
		ql_stream_reset(stream, error);
}

static void on_stream_stopped(struct ql_stream *stream, uint64_t error)
{
	struct serving *s = ql_stream_user(stream);

	(void)error;
	if (s)
		s->out.ended = true;
}

static void on_stream_closed(struct ql_stream *stream)
{
	free(ql_stream_user(stream));
}

static void on_streams_available(struct ql_conn *conn, bool bidi)
{
	if (!bidi)
		answer_waiting(ql_conn_user(conn));
}

struct ql_proto ql_perf_proto(struct ql_perf_server *server)
{
	static const struct ql_conn_ops ops = {
		.accepted = on_accepted,
		.closed = on_served,
		.stream_opened = on_stream_opened,
		.stream_data = on_stream_data,
		.stream_acked = on_stream_acked,
		.stream_reset = on_stream_reset,
		.stream_stopped = on_stream_stopped,
		.stream_closed = on_stream_closed,
		.streams_available = on_streams_available,
	};

	return (struct ql_proto){.alpn = QL_PERF_ALPN, .ops = &ops, .arg = server};
}

void ql_perf_server_close(struct ql_perf_server *server)
{
	struct ql_perf_conn *pc;

	LIST_FOREACH (pc, &server->conns, next)
		ql_conn_close(pc->conn, PERF_DONE, "the server ends");
}

/* ---- Client ---- */

enum direction {
	UP,
	DOWN,
	DIRECTIONS,
};

struct link {
	struct ql_perf *perf;
	struct ql_conn *conn;	     /* NULL when it is gone */
	unsigned int begun, running; /* streams, of this direction */
};

struct ql_perf {
	struct ql_perf_options o;
	struct ql_perf_stats stats;
	struct link *links;
	enum direction now; /* DIRECTIONS: all is done */
	uint64_t began;	    /* ns */
	bool broken, closing;
};

struct asking {
	struct outgoing out;
	uint64_t acked, received;
	bool complete;
};

static struct ql_perf_figure *figure(struct ql_perf *p)
{
	return p->now == UP ? &p->stats.up : &p->stats.down;
}

static uint64_t size_of(const struct ql_perf *p, enum direction d)
{
	return d == UP ? p->o.upload : p->o.download;
}

static void broken(struct ql_perf *p, const char *why)
{
	char addr[QL_ADDR_STRLEN];

	ql_addr_format(&p->o.to, addr);
	if (!p->broken)
		ql_complain("%s: %s", addr, why);
	p->broken = true;
}

static void ask(struct link *link)
{
	struct ql_perf *p = link->perf;
	uint8_t size[SIZE] = {0};

	while (link->begun < p->o.streams && link->running < p->o.parallel) {
		struct ql_stream *stream;
		struct asking *a;
		int rc = ql_stream_open(link->conn, true, &stream);

		if (rc == -EAGAIN)
			return;
		a = rc == 0 ? calloc(1, sizeof(*a)) : NULL;
		if (!a) {
			broken(p, strerror(rc < 0 ? -rc : ENOMEM));
			return;
		}
		ql_stream_set_user(stream, a);
		link->begun++;
		link->running++;
		for (unsigned int i = 0; p->now == DOWN && i < SIZE; i++)
			size[i] = (uint8_t)(p->o.download >> (56 - 8 * i));
		if (ql_stream_send(stream, size, SIZE, 0) != SIZE) {
			broken(p, strerror(ENOMEM));
			return;
		}
		a->out.left = p->now == UP ? p->o.upload : 0;
		give(stream, &a->out);
	}
}

/* The next direction that is asked for, on all connections. */
static void next_direction(struct ql_perf *p, uint64_t now)
{
	do
		p->now++;
	while (p->now < DIRECTIONS && size_of(p, p->now) == 0);
	p->began = now;
	for (unsigned int i = 0; p->now < DIRECTIONS && i < p->o.connections; i++) {
		p->links[i].begun = 0;
		if (p->links[i].conn)
			ask(&p->links[i]);
	}
}

static void on_connected(struct ql_conn *conn)
{
	struct link *link = ql_conn_user(conn);
	struct ql_perf *p = link->perf;
	struct ql_conn_stats s;

	ql_conn_stats(conn, &s);
	if (s.handshake_ns > p->stats.handshake_ns)
		p->stats.handshake_ns = s.handshake_ns;
	/* handshakes are no part of what is measured */
	if (++p->stats.connected == p->o.connections) {
		p->now = size_of(p, UP) > 0 ? UP : DOWN;
		p->began = ql_conn_now(conn);
		for (unsigned int i = 0; i < p->o.connections; i++)
			if (p->links[i].conn)
				ask(&p->links[i]);
	}
}

static void on_lost(struct ql_conn *conn, const struct ql_close_info *info)
{
	struct link *link = ql_conn_user(conn);
	struct ql_perf *p = link->perf;
	struct ql_conn_stats s;
	char why[256];

	ql_conn_stats(conn, &s);
	p->stats.lost_packets += s.lost_packets;
	link->conn = NULL;
	if (p->closing)
		return;
	ql_reach_explain(info, &p->o.to, why, sizeof(why));
	broken(p, why);
}

static void on_answer(struct ql_stream *stream, const uint8_t *data, size_t len, bool fin)
{
	struct link *link = ql_conn_user(ql_stream_conn(stream));
	struct asking *a = ql_stream_user(stream);
	struct ql_perf *p = link->perf;

	(void)data;
	ql_stream_credit(stream, len);
	if (!a)
		return;
	a->received += len;
	if (p->now == DOWN)
		p->stats.down.bytes += len;
	if (fin && a->received == (p->now == DOWN ? p->o.download : 0)) {
		a->complete = true;
		figure(p)->streams++;
		figure(p)->ns = ql_conn_now(ql_stream_conn(stream)) - p->began;
	}
}

static void on_acked(struct ql_stream *stream, uint64_t acked)
{
	struct link *link = ql_conn_user(ql_stream_conn(stream));
	struct asking *a = ql_stream_user(stream);

	if (!a)
		return;
	acked = acked > SIZE ? acked - SIZE : 0;
	link->perf->stats.up.bytes += acked - a->acked;
	a->acked = acked;
	give(stream, &a->out);
}

static void on_closed(struct ql_stream *stream)
{
	struct link *link = ql_conn_user(ql_stream_conn(stream));
	struct asking *a = ql_stream_user(stream);
	struct ql_perf *p = link->perf;
	bool done = true;

	if (!a)
		return;
	link->running--;
	p->stats.failed += !a->complete;
	free(a);
	if (p->closing || p->broken || !link->conn)
		return;
	for (unsigned int i = 0; i < p->o.connections; i++)
		done &= p->links[i].begun == p->o.streams && p->links[i].running == 0;
	if (done)
		next_direction(p, ql_conn_now(link->conn));
	else
		ask(link);
}

static void on_available(struct ql_conn *conn, bool bidi)
{
	struct link *link = ql_conn_user(conn);

	if (bidi && link->perf->stats.connected == link->perf->o.connections &&
	    link->perf->now < DIRECTIONS && !link->perf->closing)
		ask(link);
}

struct ql_perf *ql_perf_new(const struct ql_perf_options *options)
{
	struct ql_perf *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->o = *options;
	p->links = calloc(options->connections, sizeof(*p->links));
	if (p->links)
		return p;
	free(p);
	return NULL;
}

void ql_perf_free(struct ql_perf *p)
{
	free(p->links);
	free(p);
}

bool ql_perf_start(struct ql_perf *p, const struct ql_perf_network *net, uint64_t now)
{
	static const struct ql_conn_ops ops = {
		.connected = on_connected,
		.closed = on_lost,
		.stream_data = on_answer,
		.stream_acked = on_acked,
		.stream_closed = on_closed,
		.streams_available = on_available,
	};
	const struct ql_proto proto = {.alpn = QL_PERF_ALPN, .ops = &ops};
	struct ql_path path = {.remote = p->o.to};
	const struct ql_addr *local;
	char addr[QL_ADDR_STRLEN];

	ql_addr_format(&p->o.to, addr);
	local = ql_reach_from(&net->ip, &p->o.to, addr);
	if (!local)
		return false;
	path.local = *local;
	/* its name, where it has no other */
	*strrchr(addr, ':') = 0;
	if (addr[0] == '[') {
		memmove(addr, addr + 1, strlen(addr));
		*strchr(addr, ']') = 0;
	}
	for (unsigned int i = 0; i < p->o.connections; i++) {
		struct link *link = &p->links[i];
		int rc;

		link->perf = p;
		path.local.port = ql_reach_port(net->lane, &path.local, &path.remote);
		rc = ql_connect(net->engine, &path, net->tls, p->o.sni ? p->o.sni : addr,
				&net->transport, &proto, 1, link, now, &link->conn);
		if (rc < 0) {
			ql_complain("cannot connect to %s: %s", addr, strerror(-rc));
			return false;
		}
	}
	return true;
}

bool ql_perf_ended(const struct ql_perf *p)
{
	return p->broken || p->now == DIRECTIONS;
}

bool ql_perf_close(struct ql_perf *p)
{
	bool closed = true;

	p->closing = true;
	for (unsigned int i = 0; i < p->o.connections; i++) {
		if (!p->links[i].conn)
			continue;
		closed = false;
		ql_conn_close(p->links[i].conn, PERF_DONE, NULL);
	}
	return closed;
}

const struct ql_perf_stats *ql_perf_stats(const struct ql_perf *p)
{
	return &p->stats;
}

const char *ql_perf_progress(const struct ql_perf *p, uint64_t *bytes)
{
	*bytes = p->now == UP ? p->stats.up.bytes : p->stats.down.bytes;
	return p->now == UP ? "up" : "down";
}
