// SPDX-License-Identifier: BSD-3-Clause
/*
 * A peer of http3/ that writes bytes of its own choice, on the QUIC of test_http3_fake.h.
 */
#ifndef TEST_HTTP3_RAW_H
#define TEST_HTTP3_RAW_H

#include "test_http3_util.h"

/* The raw end: keeps what arrives, by stream. */

#define MAX_RAW 32

static struct raw {
	uint64_t id;
	uint8_t data[8192];
	size_t len;
	bool fin, reset, stopped;
	uint64_t code;
} raw[MAX_RAW];
static unsigned int n_raw;

static inline struct raw *raw_of(struct ql_stream *s)
{
	for (unsigned int i = 0; i < n_raw; i++) {
		if (raw[i].id == ql_stream_id(s))
			return &raw[i];
	}
	ck_assert_uint_lt(n_raw, MAX_RAW);
	raw[n_raw].id = ql_stream_id(s);
	return &raw[n_raw++];
}

static inline uint64_t raw_accepted(struct ql_conn *conn, void *arg)
{
	(void)conn, (void)arg;
	return 0;
}

static inline void raw_connected(struct ql_conn *conn)
{
	(void)conn;
}

static inline void raw_closed(struct ql_conn *conn, const struct ql_close_info *info)
{
	(void)conn, (void)info;
}

static inline void raw_stream(struct ql_stream *s)
{
	(void)s;
}

static inline void raw_data(struct ql_stream *s, const uint8_t *data, size_t len, bool fin)
{
	struct raw *r = raw_of(s);

	ck_assert_uint_le(r->len + len, sizeof(r->data));
	memcpy(r->data + r->len, data, len);
	r->len += len;
	r->fin = fin;
}

static inline void raw_acked(struct ql_stream *s, uint64_t acked)
{
	(void)s, (void)acked;
}

static inline void raw_reset(struct ql_stream *s, uint64_t code)
{
	raw_of(s)->reset = true;
	raw_of(s)->code = code;
}

static inline void raw_stopped(struct ql_stream *s, uint64_t code)
{
	raw_of(s)->stopped = true;
	raw_of(s)->code = code;
}

static inline void raw_available(struct ql_conn *conn, bool bidi)
{
	(void)conn, (void)bidi;
}

static const struct ql_conn_ops raw_ops = {
	.accepted = raw_accepted,
	.connected = raw_connected,
	.closed = raw_closed,
	.stream_opened = raw_stream,
	.stream_data = raw_data,
	.stream_writable = raw_stream,
	.stream_acked = raw_acked,
	.stream_reset = raw_reset,
	.stream_stopped = raw_stopped,
	.stream_closed = raw_stream,
	.streams_available = raw_available,
};

static inline struct ql_stream *send_new(struct ql_conn *conn, bool bidi, const void *data,
					 size_t len, bool fin)
{
	struct ql_stream *s;

	ck_assert_int_eq(ql_stream_open(conn, bidi, &s), 0);
	ck_assert_int_eq(ql_stream_send(s, data, len, fin ? QL_FIN : 0), (ssize_t)len);
	return s;
}

/* Bytes of a string literal, without its zero. */
#define B(s) (s), sizeof(s) - 1

#define SETTINGS "\x00\x04\x00"
/* :method GET, :scheme https, :path /, :authority a */
#define FIELDS                         \
	"\x00\x00\xd1\xd7\xc1\x50\x01" \
	"a"
#define REQUEST "\x01\x08" FIELDS

/* A raw client and our server. */
static struct ql_stream *control;

static inline void setup_server(void)
{
	const struct ql_proto proto = {"h3", &raw_ops, NULL};

	rig_setup();
	memset(raw, 0, sizeof(raw));
	n_raw = 0;
	rig_server(NULL, "h3");
	rig.client = fake_conn(false, &proto, NULL);
	rig.client->alpn = "h3";
	rig.peer = fake_join(rig.client);
	control = send_new(rig.client, false, B(SETTINGS), false);
	fake_run(rig.client);
	ck_assert(!rig.peer->closed);
}

#endif /* TEST_HTTP3_RAW_H */
