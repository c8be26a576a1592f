// SPDX-License-Identifier: BSD-3-Clause
/* The performance protocol: its server is the programs' (app/perf.h), the client is made for load. */
#include <err.h>
#include <string.h>

#include <qlane/stream.h>

#include "bench/load.h"
#include "sim/env.h"

#define SIZE  8		  /* bytes in which a stream says what it wants back */
#define CHUNK (1 << 20)	  /* bytes that are given to a stream at once */
#define AHEAD (4 * CHUNK) /* and it has so many before it gets more */

static const uint8_t zeros[CHUNK];

static void serve(struct load *load, struct pair_end *end, const struct ql_transport *transport)
{
	const struct ql_proto proto = ql_perf_proto(&load->perf);

	if (ql_listen(end->engine, PAIR_PORT, end->tls, transport, &proto, 1) < 0)
		errx(1, "no server");
	end->received = &load->perf.received;
}

/* ---- Client ---- */

static void on_connected(struct ql_conn *conn)
{
	load_connected(ql_conn_user(conn));
}

static void on_available(struct ql_conn *conn, bool bidi)
{
	if (bidi)
		load_available(ql_conn_user(conn));
}

static void on_closed(struct ql_conn *conn, const struct ql_close_info *info)
{
	load_closed(ql_conn_user(conn), info);
}

/* What is left of a large request. got counts what was given, as long as there is something. */
static void give(struct ql_stream *stream, struct load_request *r)
{
	uint64_t size = r->link->load->config.request - SIZE;

	while (r->given < size && ql_stream_unsent(stream) < AHEAD) {
		uint64_t n = size - r->given < CHUNK ? size - r->given : CHUNK;

		r->given += n;
		if (ql_stream_send_ref(stream, zeros, n, r->given == size ? QL_FIN : 0, NULL,
				       NULL) < 0)
			errx(1, "out of memory");
	}
}

static bool ask(struct load_link *link, struct load_request *r)
{
	const struct load_config *c = &link->load->config;
	struct ql_stream *stream;
	static uint8_t bytes[SIZE + 1024]; /* zeros behind the size */
	uint64_t size = c->request;
	unsigned int flags = c->hold ? 0 : QL_FIN;

	if (ql_stream_open(link->conn, true, &stream) < 0)
		return false;
	ql_stream_set_user(stream, r);
	for (unsigned int i = 0; i < SIZE; i++)
		bytes[i] = (uint8_t)(c->reply >> (56 - 8 * i));
	if (size > sizeof(bytes)) {
		size = SIZE;
		flags = 0;
	}
	if (ql_stream_send(stream, bytes, size, flags) != (ssize_t)size)
		errx(1, "out of memory");
	r->given = size - SIZE;
	if (size < c->request)
		give(stream, r);
	return true;
}

static void on_data(struct ql_stream *stream, const uint8_t *data, size_t len, bool fin)
{
	struct load_request *r = ql_stream_user(stream);

	ql_stream_credit(stream, len);
	r->got += len;
	if (fin)
		r->ended = pair_now();
	if (r->link->load->config.check && memcmp(data, zeros, len) != 0)
		errx(1, "wrong bytes in a reply");
}

static void on_acked(struct ql_stream *stream, uint64_t acked)
{
	struct load_request *r = ql_stream_user(stream);

	(void)acked;
	if (r->given < r->link->load->config.request - SIZE)
		give(stream, r);
}

static void on_stream_closed(struct ql_stream *stream)
{
	struct load_request *r = ql_stream_user(stream);

	if (r->link->conn && r->link->load->running)
		load_done(r, r->ended);
}

static void connect_perf(struct load_link *link, struct pair_end *end, const struct ql_path *path,
			 const struct ql_transport *transport)
{
	static const struct ql_conn_ops ops = {
		.connected = on_connected,
		.closed = on_closed,
		.stream_data = on_data,
		.stream_acked = on_acked,
		.stream_closed = on_stream_closed,
		.streams_available = on_available,
	};
	const struct ql_proto proto = {.alpn = QL_PERF_ALPN, .ops = &ops};
	struct ql_conn *conn;
	int rc = ql_connect(end->engine, path, end->tls, SIM_NAME, transport, &proto, 1, link,
			    pair_now(), &conn);

	if (rc < 0)
		errx(1, "cannot connect: %s", strerror(-rc));
	link->conn = conn;
}

const struct load_protocol load_perf = {
	.serve = serve,
	.connect = connect_perf,
	.ask = ask,
};
