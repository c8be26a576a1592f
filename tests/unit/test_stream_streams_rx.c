// SPDX-License-Identifier: BSD-3-Clause
/* Frames in: RFC 9000, 3.2, 3.5, 4.1, 4.5, 4.6 and 19.4 to 19.14. */
#include "test_stream_util.h"

/* We are the server. IDs: peer bidi 0, 4, 8...; our bidi 1, 5...; peer uni 2, 6...; our uni 3... */
static struct ql_conn *c;

static void setup(void)
{
	c = side_open(true, &test_config, 4 << 20);
}

static void teardown(void)
{
	side_close(c);
}

static void all_sent_and_acked(void)
{
	struct packet pkt;

	while (build(c, &pkt, 1200))
		acked(c, &pkt);
}

/* Recv -> Size Known -> Data Recvd, in order and not. */
START_TEST(recv_data)
{
	const struct told *t = &c->told[2];

	ck_assert_int_eq(rx_stream(c, 2, 0, 10, false), 0);
	ck_assert_uint_eq(t->opened, 1);
	ck_assert_uint_eq(t->got, 10);
	ck_assert_int_eq(t->s->recv_state, QL_RECV_OPEN);
	ck_assert_int_eq(t->s->send_state, QL_SEND_NONE);
	ck_assert_int_eq(rx_stream(c, 2, 20, 10, true), 0);
	ck_assert_int_eq(t->s->recv_state, QL_RECV_SIZE_KNOWN);
	ck_assert_uint_eq(t->got, 10);
	ck_assert_uint_eq(t->fin, 0);
	ck_assert_int_eq(rx_stream(c, 2, 5, 15, false), 0);
	ck_assert_uint_eq(t->got, 30);
	ck_assert_uint_eq(t->fin, 1);
	ck_assert_uint_eq(t->closed, 1); /* nothing else to this one */
	ck_assert_uint_eq(c->ss.map.count, 0);
	/* frames for a stream that is closed and gone mean nothing, not even as errors */
	ck_assert_int_eq(rx_stream(c, 2, 5, 15, false), 0);
	ck_assert_int_eq(rx_reset(c, 2, 1, 30), 0);
	ck_assert_int_eq(rx_blocked(c, 2, 30), 0);
	ck_assert_uint_eq(c->told[2].opened, 1);
}
END_TEST

/* A FIN without data; an empty stream. */
START_TEST(bare_fin)
{
	ck_assert_int_eq(rx_stream(c, 2, 0, 10, false), 0);
	ck_assert_int_eq(rx_stream(c, 2, 10, 0, true), 0);
	ck_assert_uint_eq(c->told[2].fin, 1);
	ck_assert_uint_eq(c->told[2].closed, 1);
	ck_assert_int_eq(rx_stream(c, 6, 0, 0, true), 0);
	ck_assert_uint_eq(c->told[6].fin, 1);
	ck_assert_uint_eq(c->told[6].closed, 1);
	/* an empty frame that opens a stream and tells nothing */
	ck_assert_int_eq(rx_stream(c, 10, 0, 0, false), 0);
	ck_assert_uint_eq(c->told[10].opened, 1);
	ck_assert_uint_eq(c->callbacks, 2 + 1 + 2 + 1);
}
END_TEST

/* Recv -> Reset Read and Size Known -> Reset Read; what is held is dropped, credit comes back. */
START_TEST(recv_reset)
{
	size_t used;

	c->keep_credit = true;
	ck_assert_int_eq(rx_stream(c, 2, 0, 10, false), 0);
	used = c->mem.used;
	ck_assert_int_eq(rx_stream(c, 2, 1000, 500, false), 0);
	ck_assert_uint_gt(c->mem.used, used);
	ck_assert_uint_eq(c->ss.rx_used, 1500);
	ck_assert_int_eq(rx_reset(c, 2, 77, 2000), 0);
	ck_assert_uint_eq(c->told[2].reset, 1);
	ck_assert_uint_eq(c->told[2].reset_code, 77);
	ck_assert_uint_eq(c->told[2].closed, 1);
	ck_assert_uint_eq(c->mem.used, 0);
	ck_assert_uint_eq(c->ss.rx_used, 2000);
	ck_assert_uint_eq(c->ss.rx.consumed, 2000);

	ck_assert_int_eq(rx_stream(c, 6, 50, 10, true), 0);
	ck_assert_int_eq(c->told[6].s->recv_state, QL_RECV_SIZE_KNOWN);
	ck_assert_int_eq(rx_reset(c, 6, 78, 60), 0);
	ck_assert_uint_eq(c->told[6].reset, 1);
	ck_assert_uint_eq(c->told[6].fin, 0);
	ck_assert_uint_eq(c->ss.rx.consumed, 2060);

	/* as the first frame of a stream */
	ck_assert_int_eq(rx_reset(c, 10, 79, 0), 0);
	ck_assert_uint_eq(c->told[10].opened, 1);
	ck_assert_uint_eq(c->told[10].closed, 1);

	/* after all data was read nothing changes; nor a second time */
	ck_assert_int_eq(rx_stream(c, 0, 0, 5, true), 0);
	ck_assert_int_eq(rx_reset(c, 0, 1, 5), 0);
	ck_assert_uint_eq(c->told[0].reset, 0);
	ck_assert_int_eq(rx_reset(c, 4, 1, 5), 0);
	ck_assert_int_eq(rx_reset(c, 4, 2, 5), 0);
	ck_assert_uint_eq(c->told[4].reset_code, 1);
	/* the other direction lives on */
	ck_assert_int_eq(c->told[0].s->send_state, QL_SEND_OPEN);
	ck_assert_int_eq(c->told[4].s->send_state, QL_SEND_OPEN);
	ck_assert_int_eq(rx_stream(c, 4, 0, 5, true), 0);
	ck_assert_uint_eq(c->told[4].got, 0);
}
END_TEST

START_TEST(final_size)
{
	ck_assert_int_eq(rx_stream(c, 0, 0, 10, true), 0);
	/* both after all was read, while the other direction is open */
	ck_assert_int_eq(rx_stream(c, 0, 10, 1, false), QL_ERR_FINAL_SIZE_ERROR);
	ck_assert_int_eq(rx_stream(c, 0, 0, 9, true), QL_ERR_FINAL_SIZE_ERROR);
	ck_assert_int_eq(rx_reset(c, 0, 1, 9), QL_ERR_FINAL_SIZE_ERROR);
	ck_assert_int_eq(rx_reset(c, 0, 1, 11), QL_ERR_FINAL_SIZE_ERROR);
	/* and before */
	ck_assert_int_eq(rx_stream(c, 4, 10, 10, false), 0);
	ck_assert_int_eq(rx_stream(c, 4, 0, 19, true), QL_ERR_FINAL_SIZE_ERROR);
	ck_assert_int_eq(rx_reset(c, 4, 1, 19), QL_ERR_FINAL_SIZE_ERROR);
	ck_assert_int_eq(rx_stream(c, 4, 25, 0, true), 0);
	ck_assert_int_eq(rx_stream(c, 4, 25, 1, false), QL_ERR_FINAL_SIZE_ERROR);
	ck_assert_int_eq(rx_reset(c, 4, 1, 26), QL_ERR_FINAL_SIZE_ERROR);
	/* after a reset */
	ck_assert_int_eq(rx_reset(c, 8, 1, 100), 0);
	ck_assert_int_eq(rx_reset(c, 8, 1, 101), QL_ERR_FINAL_SIZE_ERROR);
	ck_assert_int_eq(rx_stream(c, 8, 100, 1, false), QL_ERR_FINAL_SIZE_ERROR);
	ck_assert_int_eq(rx_stream(c, 8, 99, 1, false), 0);
	ck_assert_uint_eq(c->told[8].got, 0);
}
END_TEST

START_TEST(stream_flow_control)
{
	uint64_t most = test_config.max_stream_data_bidi_remote;

	c->keep_credit = true;
	ck_assert_int_eq(rx_stream(c, 0, 0, 10, false), 0);
	ck_assert_int_eq(rx_stream(c, 0, most - 1, 1, false), 0);
	ck_assert_int_eq(rx_stream(c, 0, most, 0, false), 0);
	ck_assert_int_eq(rx_stream(c, 0, most, 1, false), QL_ERR_FLOW_CONTROL_ERROR);
	ck_assert_int_eq(rx_reset(c, 4, 1, most + 1), QL_ERR_FLOW_CONTROL_ERROR);
	ck_assert_int_eq(rx_stream(c, 4, UINT64_C(1) << 61, 1, false), QL_ERR_FLOW_CONTROL_ERROR);
	ck_assert_int_eq(rx_reset(c, 4, 1, QL_VARINT_MAX), QL_ERR_FLOW_CONTROL_ERROR);
	/* the other kinds have their own windows */
	ck_assert_int_eq(rx_stream(c, 2, 39999, 1, false), 0);
	ck_assert_int_eq(rx_stream(c, 2, 40000, 1, false), QL_ERR_FLOW_CONTROL_ERROR);
	open_stream(c, true);
	ck_assert_int_eq(rx_stream(c, 1, 19999, 1, false), 0);
	ck_assert_int_eq(rx_stream(c, 1, 20000, 1, false), QL_ERR_FLOW_CONTROL_ERROR);
	ck_assert_uint_eq(c->ss.rx_used, most + 40000 + 20000);
	/* the connection's */
	ck_assert_int_eq(rx_stream(c, 8, 9999, 1, false), 0);
	ck_assert_int_eq(rx_stream(c, 8, 10000, 1, false), QL_ERR_FLOW_CONTROL_ERROR);
	ck_assert_int_eq(rx_reset(c, 8, 0, 10001), QL_ERR_FLOW_CONTROL_ERROR);
	ck_assert_int_eq(rx_stream(c, 12, 0, 1, false), QL_ERR_FLOW_CONTROL_ERROR);
	ck_assert_int_eq(rx_stream(c, 12, 0, 0, true), 0);
	ck_assert_uint_eq(c->ss.rx_used, test_config.max_data);
}
END_TEST

/* Credit given back is advertised when half of a window is used, on both levels. */
START_TEST(credit)
{
	struct ql_frame f;
	struct packet pkt;
	struct ql_stream *s;

	c->keep_credit = true;
	ck_assert_int_eq(rx_stream(c, 2, 0, 40000, false), 0);
	s = c->told[2].s;
	ql_stream_credit(s, 19999);
	ck_assert(!ql_streams_pending(&c->ss));
	c->wakes = 0;
	ql_stream_credit(s, 1);
	ck_assert_uint_gt(c->wakes, 0);
	ck_assert(build(c, &pkt, 1200));
	ck_assert(find_frame(&pkt, QL_FRAME_MAX_STREAM_DATA, &f));
	ck_assert_uint_eq(f.max_stream_data.id, 2);
	ck_assert_uint_eq(f.max_stream_data.limit, 60000);
	ck_assert(!find_frame(&pkt, QL_FRAME_MAX_DATA, &f));
	ck_assert_int_eq(rx_stream(c, 2, 40000, 20000, false), 0);
	ck_assert_int_eq(rx_stream(c, 2, 60000, 1, false), QL_ERR_FLOW_CONTROL_ERROR);
	/* more than there is, is cut */
	ql_stream_credit(s, 1 << 30);
	ck_assert_uint_eq(c->ss.rx.consumed, 60000);
	ck_assert(build(c, &pkt, 1200));
	ck_assert(find_frame(&pkt, QL_FRAME_MAX_DATA, &f));
	ck_assert_uint_eq(f.max_data.limit, 160000);
	ck_assert(find_frame(&pkt, QL_FRAME_MAX_STREAM_DATA, &f));
	ck_assert_uint_eq(f.max_stream_data.limit, 100000);
	/* lost: the current values again; a record of an older value means nothing */
	ql_stream_credit(s, 1);
	lost(c, &pkt);
	ck_assert(build(c, &pkt, 1200));
	ck_assert(find_frame(&pkt, QL_FRAME_MAX_DATA, &f));
	ck_assert_uint_eq(f.max_data.limit, 160000);
	ck_assert(find_frame(&pkt, QL_FRAME_MAX_STREAM_DATA, &f));
	ck_assert_uint_eq(f.max_stream_data.limit, 100000);
	ql_streams_lost(&c->ss,
			&(struct ql_sent_frame){.kind = QL_SENT_MAX_DATA, .offset = 100000});
	ql_streams_lost(&c->ss, &(struct ql_sent_frame){
					.kind = QL_SENT_MAX_STREAM_DATA, .id = 2, .offset = 60000});
	ck_assert(!ql_streams_pending(&c->ss));
	/* with the size known the stream needs no more */
	ck_assert_int_eq(rx_stream(c, 2, 60001, 0, true), 0);
	lost(c, &pkt);
	ck_assert(build(c, &pkt, 1200));
	ck_assert(find_frame(&pkt, QL_FRAME_MAX_DATA, &f));
	ck_assert(!find_frame(&pkt, QL_FRAME_MAX_STREAM_DATA, &f));
}
END_TEST

/* What was never given back comes back to the connection when the stream is gone. */
START_TEST(credit_at_the_end)
{
	c->keep_credit = true;
	ck_assert_int_eq(rx_stream(c, 2, 0, 1000, true), 0);
	ck_assert_uint_eq(c->told[2].closed, 1);
	ck_assert_uint_eq(c->ss.rx.consumed, 1000);
}
END_TEST

/* The wrong direction, or a stream of ours that does not exist. */
START_TEST(state_errors)
{
	open_stream(c, true);  /* 1 */
	open_stream(c, false); /* 3 */
	ck_assert_int_eq(rx_stream(c, 3, 0, 1, false), QL_ERR_STREAM_STATE_ERROR);
	ck_assert_int_eq(rx_reset(c, 3, 0, 0), QL_ERR_STREAM_STATE_ERROR);
	ck_assert_int_eq(rx_blocked(c, 3, 0), QL_ERR_STREAM_STATE_ERROR);
	ck_assert_int_eq(rx_stop(c, 2, 0), QL_ERR_STREAM_STATE_ERROR);
	ck_assert_int_eq(rx_max_stream_data(c, 2, 0), QL_ERR_STREAM_STATE_ERROR);
	ck_assert_int_eq(rx_stream(c, 5, 0, 1, false), QL_ERR_STREAM_STATE_ERROR);
	ck_assert_int_eq(rx_reset(c, 5, 0, 0), QL_ERR_STREAM_STATE_ERROR);
	ck_assert_int_eq(rx_stop(c, 5, 0), QL_ERR_STREAM_STATE_ERROR);
	ck_assert_int_eq(rx_stop(c, 7, 0), QL_ERR_STREAM_STATE_ERROR);
	ck_assert_int_eq(rx_max_stream_data(c, 5, 9), QL_ERR_STREAM_STATE_ERROR);
	ck_assert_int_eq(rx_max_stream_data(c, 7, 9), QL_ERR_STREAM_STATE_ERROR);
	ck_assert_int_eq(rx_blocked(c, 5, 9), QL_ERR_STREAM_STATE_ERROR);
	ck_assert_uint_eq(c->callbacks, 0);
	ck_assert_uint_eq(c->ss.map.count, 2);
}
END_TEST

/* A higher stream opens the lower ones of its type; each of the frames that may do so. */
START_TEST(implicit_open)
{
	ck_assert_int_eq(rx_stream(c, 8, 0, 1, false), 0);
	ck_assert(c->told[0].opened && c->told[4].opened && c->told[8].opened);
	ck_assert(!c->told[12].opened && !c->told[2].opened);
	ck_assert_int_eq(rx_stop(c, 12, 0), 0);
	ck_assert(c->told[12].opened && c->told[12].stopped);
	ck_assert_int_eq(rx_max_stream_data(c, 16, 100000), 0);
	ck_assert(c->told[16].opened);
	ck_assert_uint_eq(c->told[16].s->tx.limit, 100000);
	ck_assert_int_eq(rx_blocked(c, 20, 0), 0);
	ck_assert(c->told[20].opened);
	ck_assert_int_eq(rx_reset(c, 24, 0, 0), 0);
	ck_assert(c->told[24].opened && c->told[24].reset);
	ck_assert_uint_eq(c->ss.map.count, 7);
}
END_TEST

START_TEST(stream_limit)
{
	ck_assert_int_eq(rx_stream(c, 80, 0, 1, false), QL_ERR_STREAM_LIMIT_ERROR);
	ck_assert_int_eq(rx_stop(c, 80, 0), QL_ERR_STREAM_LIMIT_ERROR);
	ck_assert_int_eq(rx_reset(c, 42, 0, 0), QL_ERR_STREAM_LIMIT_ERROR);
	ck_assert_int_eq(rx_blocked(c, QL_VARINT_MAX - 1, 0), QL_ERR_STREAM_LIMIT_ERROR);
	ck_assert_uint_eq(c->callbacks, 0);
	ck_assert_int_eq(rx_stream(c, 76, 0, 1, false), 0);
	ck_assert_int_eq(rx_stream(c, 38, 0, 1, false), 0);
	ck_assert_uint_eq(c->ss.map.count, 30);
}
END_TEST

/* MAX_STREAMS goes up as the peer's streams end. */
START_TEST(max_streams)
{
	unsigned int updates = 0;
	struct ql_frame f;
	struct packet pkt;

	for (uint64_t i = 0; i < 90; i++) {
		ck_assert_int_eq(rx_stream(c, i * 4 + 2, 0, 1, true), 0);
		while (build(c, &pkt, 1200)) {
			ck_assert(find_frame(&pkt, QL_FRAME_MAX_STREAMS, &f));
			ck_assert(f.max_streams.uni);
			ck_assert_uint_eq(f.max_streams.limit, i + 1 + 10);
			updates++;
		}
		ck_assert_uint_ge(c->ss.types[2].limit, i + 10);
	}
	ck_assert_uint_eq(updates, 45);
	/* lost: again */
	ql_streams_lost(&c->ss, &(struct ql_sent_frame){.kind = QL_SENT_MAX_STREAMS_UNI,
							.offset = c->ss.types[2].limit});
	ck_assert(build(c, &pkt, 1200));
	ck_assert(find_frame(&pkt, QL_FRAME_MAX_STREAMS, &f));
	ck_assert_uint_eq(f.max_streams.limit, 100);
	ql_streams_lost(&c->ss,
			&(struct ql_sent_frame){.kind = QL_SENT_MAX_STREAMS_UNI, .offset = 98});
	ck_assert(!ql_streams_pending(&c->ss));
	/* a bidirectional one ends when both directions have */
	for (uint64_t i = 0; i < 3; i++)
		ck_assert_int_eq(rx_stream(c, i * 4, 0, 1, true), 0);
	ck_assert(!ql_streams_pending(&c->ss));
	for (uint64_t i = 0; i < 3; i++)
		ck_assert_int_eq(ql_stream_send(c->told[i * 4].s, NULL, 0, QL_FIN), 0);
	ck_assert(build(c, &pkt, 1200));
	ck_assert(!find_frame(&pkt, QL_FRAME_MAX_STREAMS, &f));
	acked(c, &pkt);
	ck_assert(build(c, &pkt, 1200));
	ck_assert(find_frame(&pkt, QL_FRAME_MAX_STREAMS, &f));
	ck_assert(!f.max_streams.uni);
	ck_assert_uint_eq(f.max_streams.limit, 23);
	ck_assert_uint_eq(c->closed, 93);
}
END_TEST

/* A peer that waits gets what was kept back until it was worth a frame, and nothing otherwise. */
START_TEST(peer_blocked)
{
	struct ql_frame blocked = {.type = QL_FRAME_DATA_BLOCKED}, f;
	struct packet pkt;

	c->keep_credit = true;
	ck_assert_int_eq(rx_stream(c, 0, 0, 30000, false), 0);
	ql_stream_credit(c->told[0].s, 10);
	ck_assert_int_eq(rx_blocked(c, 0, 29999), 0); /* of long ago */
	blocked.data_blocked.limit = 99999;
	ck_assert_int_eq(ql_streams_recv(&c->ss, &blocked), 0);
	ck_assert(!ql_streams_pending(&c->ss));
	ck_assert_int_eq(rx_blocked(c, 0, 30000), 0);
	blocked.data_blocked.limit = 100000;
	ck_assert_int_eq(ql_streams_recv(&c->ss, &blocked), 0);
	ck_assert(build(c, &pkt, 1200));
	ck_assert(find_frame(&pkt, QL_FRAME_MAX_STREAM_DATA, &f));
	ck_assert_uint_eq(f.max_stream_data.limit, 30010);
	ck_assert(find_frame(&pkt, QL_FRAME_MAX_DATA, &f));
	ck_assert_uint_eq(f.max_data.limit, 100010);
	/* once */
	ck_assert_int_eq(rx_blocked(c, 0, 30010), 0);
	blocked.data_blocked.limit = 100010;
	ck_assert_int_eq(ql_streams_recv(&c->ss, &blocked), 0);
	ck_assert(!ql_streams_pending(&c->ss));
	/* whoever knows its end needs no credit, nor does one that nobody reads */
	ck_assert_int_eq(rx_stream(c, 4, 0, 100, true), 0);
	ql_stream_credit(c->told[4].s, 10);
	ck_assert_int_eq(rx_blocked(c, 4, 30000), 0);
	ck_assert_int_eq(ql_stream_stop(c->told[0].s, 0), 0);
	ck_assert_int_eq(rx_blocked(c, 0, 30010), 0);
	while (build(c, &pkt, 1200))
		ck_assert(!find_frame(&pkt, QL_FRAME_MAX_STREAM_DATA, &f));
	/* streams: one in ten has ended */
	blocked = (struct ql_frame){.type = QL_FRAME_STREAMS_BLOCKED};
	blocked.streams_blocked.uni = true;
	blocked.streams_blocked.limit = 10;
	ck_assert_int_eq(ql_streams_recv(&c->ss, &blocked), 0);
	ck_assert(!ql_streams_pending(&c->ss));
	ck_assert_int_eq(rx_stream(c, 2, 0, 1, true), 0);
	while (build(c, &pkt, 1200))
		ck_assert(!find_frame(&pkt, QL_FRAME_MAX_STREAMS, &f));
	ck_assert_int_eq(ql_streams_recv(&c->ss, &blocked), 0);
	ck_assert(build(c, &pkt, 1200));
	ck_assert(find_frame(&pkt, QL_FRAME_MAX_STREAMS, &f));
	ck_assert(f.max_streams.uni);
	ck_assert_uint_eq(f.max_streams.limit, 11);
}
END_TEST

/* A whole window of data in order, taken at once; what updates there are. */
static void fill_window(struct ql_conn *conn, uint64_t id)
{
	const struct ql_stream *s = ql_streams_find(&conn->ss, id);
	uint64_t from = s ? s->recv.high : 0, to = s ? s->rx.limit : 1000;
	struct packet pkt;

	for (; from < to; from += 100) {
		MUST(rx_stream(conn, id, from, 100, false) == 0);
		while (build(conn, &pkt, 1200))
			;
	}
}

/* Windows grow with the pace: the connection's by the engine's budget, streams' up to that. */
START_TEST(windows_grow)
{
	struct ql_flow_budget budget = {.limit = 10000};
	struct ql_streams_config config = test_config;
	struct ql_conn *d[3];
	size_t memory;

	config.max_data = 2000;
	config.max_stream_data_bidi_remote = 1000;
	config.max_data_cap = config.max_stream_data_cap = 1 << 20;
	config.budget = &budget;
	for (unsigned int i = 0; i < 3; i++) {
		d[i] = side_open(true, &config, 1 << 20);
		ql_streams_set_pace(&d[i]->ss, 1000000, 1000000, 0);
	}
	for (unsigned int i = 0; i < 6; i++)
		fill_window(d[0], 0);
	/* 2000, then half of what was left: 5000, 2500, ... */
	ck_assert_uint_gt(d[0]->ss.rx.window, 9500);
	ck_assert_uint_eq(d[0]->ss.rx.window - 2000, budget.used);
	ck_assert_uint_eq(ql_streams_find(&d[0]->ss, 0)->rx.window, d[0]->ss.rx.window);
	/* the next one has half of the rest at most, and streams no more than it */
	for (unsigned int i = 0; i < 6; i++)
		fill_window(d[1], 0);
	ck_assert_uint_lt(d[1]->ss.rx.window, 5000);
	ck_assert_uint_le(ql_streams_find(&d[1]->ss, 0)->rx.window, d[1]->ss.rx.window);
	ck_assert_uint_le(budget.used, budget.limit);
	/* what has ended gives it back */
	side_close(d[0]);
	ck_assert_uint_eq(d[1]->ss.rx.window - 2000, budget.used);
	/* no memory to back it: no growth, whatever the budget */
	side_close(d[1]);
	ck_assert_uint_eq(budget.used, 0);
	memory = d[2]->mem.budget;
	d[2]->mem.budget = d[2]->mem.used + 65536;
	budget = (struct ql_flow_budget){.limit = 1 << 20, .used = 65536};
	for (unsigned int i = 0; i < 6; i++)
		fill_window(d[2], 0);
	d[2]->mem.budget = memory;
	ck_assert_uint_eq(d[2]->ss.rx.window, 2000);
	budget.used -= 65536;
	ck_assert_uint_eq(budget.used, 0);
	for (unsigned int i = 0; i < 6; i++)
		fill_window(d[2], 0);
	ck_assert_uint_gt(d[2]->ss.rx.window, 9500);
	side_close(d[2]);
}
END_TEST

/* Limits for us: raised only. */
START_TEST(our_limits)
{
	struct ql_stream *s = open_stream(c, false);

	ck_assert_int_eq(rx_max_data(c, 5), 0);
	ck_assert_uint_eq(c->ss.tx.limit, 100000);
	ck_assert_int_eq(rx_max_data(c, 100001), 0);
	ck_assert_uint_eq(c->ss.tx.limit, 100001);
	ck_assert_int_eq(rx_max_stream_data(c, 3, 39999), 0);
	ck_assert_uint_eq(s->tx.limit, 40000);
	ck_assert_int_eq(rx_max_stream_data(c, 3, 40001), 0);
	ck_assert_uint_eq(s->tx.limit, 40001);
	ck_assert_int_eq(rx_max_streams(c, true, 9), 0);
	ck_assert_int_eq(rx_max_streams(c, true, 10), 0);
	ck_assert_uint_eq(c->available[0], 0);
	ck_assert_int_eq(rx_max_streams(c, true, 11), 0);
	ck_assert_uint_eq(c->available[0], 1);
	ck_assert_int_eq(rx_max_streams(c, false, QL_STREAMS_MAX), 0);
	ck_assert_uint_eq(c->available[1], 1);
	ck_assert_uint_eq(c->ss.types[3].limit, 11);
	ck_assert_uint_eq(c->ss.types[1].limit, QL_STREAMS_MAX);
	/* what the peer says of being blocked changes nothing where there is nothing to give */
	ck_assert_int_eq(ql_streams_recv(&c->ss, &(struct ql_frame){.type = QL_FRAME_DATA_BLOCKED}),
			 0);
	ck_assert_int_eq(
		ql_streams_recv(&c->ss, &(struct ql_frame){.type = QL_FRAME_STREAMS_BLOCKED}), 0);
	ck_assert(!ql_streams_pending(&c->ss));
}
END_TEST

/* STOP_SENDING in Ready, Send and Data Sent is answered; later it means nothing. */
START_TEST(stop_sending)
{
	static const uint8_t data[100];
	struct ql_frame f;
	struct packet pkt;

	for (unsigned int i = 0; i < 5; i++) {
		struct ql_stream *s = open_stream(c, false);
		uint64_t id = ql_stream_id(s), sent = i == 0 ? 0 : 100;

		if (i > 0)
			ck_assert_int_eq(ql_stream_send(s, data, 100, i > 1 ? QL_FIN : 0), 100);
		if (i > 0)
			ck_assert(build(c, &pkt, 1200));
		if (i == 3)
			acked(c, &pkt);
		if (i == 4)
			ck_assert_int_eq(ql_stream_reset(s, 5), 0);
		ck_assert_int_eq(rx_stop(c, id, 100 + i), 0);
		if (i == 3) { /* closed already */
			ck_assert(!build(c, &pkt, 1200));
			ck_assert_uint_eq(c->told[id].closed, 1);
			ck_assert_uint_eq(c->told[id].stopped, 0);
			continue;
		}
		ck_assert_int_eq(s->send_state, QL_SEND_RESET_SENT);
		ck_assert(build(c, &pkt, 1200));
		ck_assert(find_frame(&pkt, QL_FRAME_RESET_STREAM, &f));
		ck_assert_uint_eq(f.reset_stream.id, id);
		ck_assert_uint_eq(f.reset_stream.code, i == 4 ? 5 : 100 + i);
		ck_assert_uint_eq(f.reset_stream.final_size, sent);
		ck_assert_uint_eq(c->told[id].stopped, i != 4);
		ck_assert_uint_eq(c->told[id].stopped_code, i == 4 ? 0 : 100 + i);
		ck_assert_int_eq(rx_stop(c, id, 7), 0); /* again */
		ck_assert(!build(c, &pkt, 1200));
		ck_assert_int_eq(ql_stream_send(s, data, 1, 0), -EPIPE);
		acked(c, &(struct packet){.n = 1,
					  .frames = {{.kind = QL_SENT_RESET_STREAM, .id = id}}});
		ck_assert_uint_eq(c->told[id].closed, 1);
	}
}
END_TEST

/* After ql_stream_stop() what arrives is counted and dropped, until the end is known. */
START_TEST(stopped)
{
	struct ql_frame f;
	struct packet pkt;
	struct ql_stream *s;

	c->keep_credit = true;
	ck_assert_int_eq(rx_stream(c, 2, 0, 10, false), 0);
	ck_assert_int_eq(rx_stream(c, 2, 20, 10, false), 0);
	s = c->told[2].s;
	ck_assert_int_eq(ql_stream_stop(s, 42), 0);
	ck_assert_int_eq(ql_stream_stop(s, 42), -EPIPE);
	ck_assert_uint_eq(c->ss.rx.consumed, 20);
	ql_stream_credit(s, 100);
	ck_assert_uint_eq(c->ss.rx.consumed, 30);
	ck_assert(build(c, &pkt, 1200));
	ck_assert(find_frame(&pkt, QL_FRAME_STOP_SENDING, &f));
	ck_assert_uint_eq(f.stop_sending.id, 2);
	ck_assert_uint_eq(f.stop_sending.code, 42);
	lost(c, &pkt);
	ck_assert(build(c, &pkt, 1200));
	ck_assert(find_frame(&pkt, QL_FRAME_STOP_SENDING, &f));
	ck_assert_int_eq(rx_stream(c, 2, 10, 10, false), 0);
	ck_assert_int_eq(rx_stream(c, 2, 25, 30000, false), 0);
	ck_assert_uint_eq(c->told[2].got, 10);
	ck_assert_uint_eq(c->ss.rx.consumed, 30025);
	ck_assert_int_eq(rx_stream(c, 2, 40000, 1, false), QL_ERR_FLOW_CONTROL_ERROR);
	while (build(c, &pkt, 1200)) /* no credit for the stream */
		ck_assert(!find_frame(&pkt, QL_FRAME_MAX_STREAM_DATA, &f));
	ck_assert_int_eq(rx_reset(c, 2, 42, 30030), 0);
	ck_assert_uint_eq(c->told[2].reset, 1);
	ck_assert_uint_eq(c->told[2].closed, 1);
	ck_assert_uint_eq(c->ss.rx.consumed, 30030);
	ck_assert_uint_eq(c->ss.rx_used, 30030);

	/* the peer finishes instead; that is the end, gaps or not */
	ck_assert_int_eq(rx_stream(c, 6, 0, 10, false), 0);
	ck_assert_int_eq(ql_stream_stop(c->told[6].s, 1), 0);
	ck_assert_int_eq(rx_stream(c, 6, 50, 10, true), 0);
	ck_assert_uint_eq(c->told[6].fin, 0);
	ck_assert_uint_eq(c->told[6].closed, 1);
	ck_assert_uint_eq(c->ss.rx.consumed, c->ss.rx_used);
	while (build(c, &pkt, 1200)) /* pointless by now */
		ck_assert(!find_frame(&pkt, QL_FRAME_STOP_SENDING, &f));

	/* the size was known before: over at once, freed in the next turn */
	ck_assert_int_eq(rx_stream(c, 10, 50, 10, true), 0);
	c->wakes = 0;
	s = c->told[10].s;
	ck_assert_int_eq(ql_stream_stop(s, 1), 0);
	ck_assert_uint_gt(c->wakes, 0);
	ck_assert_uint_eq(c->told[10].closed, 0);
	ck_assert_int_eq(ql_stream_stop(s, 1), -EPIPE);
	ql_streams_reap(&c->ss);
	ck_assert_uint_eq(c->told[10].closed, 1);
	ck_assert_uint_eq(c->ss.rx.consumed, c->ss.rx_used);
	all_sent_and_acked();
	ck_assert_uint_eq(c->mem.used, 0);
}
END_TEST

/* ---- Callbacks that call back ---- */

static void stop_it(struct ql_stream *s, size_t len UNUSED, bool fin)
{
	ck_assert_int_eq(ql_stream_stop(s, 3), fin ? -EPIPE : 0);
}

static void reset_it(struct ql_stream *s, size_t len UNUSED, bool fin UNUSED)
{
	ck_assert_int_eq(ql_stream_reset(s, 4), 0);
}

static void close_conn(struct ql_stream *s, size_t len UNUSED, bool fin UNUSED)
{
	ql_streams_close(&ql_stream_conn(s)->ss);
	ck_assert_int_eq(ql_stream_send(s, "x", 1, 0), -EPIPE);
	ck_assert_int_eq(ql_stream_send_ref(s, "x", 1, 0, NULL, NULL), -EPIPE);
	ck_assert_int_eq(ql_stream_reset(s, 0), -EPIPE);
	ck_assert_int_eq(ql_stream_stop(s, 0), -EPIPE);
	ql_stream_credit(s, 1);
	ql_stream_set_priority(s, 0, true);
}

static void stop_at_once(struct ql_stream *s)
{
	ck_assert_int_eq(ql_stream_stop(s, 3), 0);
	if (!ql_stream_id_is_uni(ql_stream_id(s)))
		ck_assert_int_eq(ql_stream_reset(s, 3), 0);
}

/* In stream_data(), with more held behind: from a frame and from what is held. */
START_TEST(stop_in_data)
{
	c->on_data = stop_it;
	for (uint64_t id = 2; id < 12; id += 4) {
		ck_assert_int_eq(rx_stream(c, id, 100, 100, false), 0);
		if (id == 6) /* the run that is held comes first */
			ck_assert_int_eq(rx_stream(c, id, 250, 10, true), 0);
		if (id == 10) {
			c->on_data = NULL;
			ck_assert_int_eq(rx_stream(c, id, 0, 50, false), 0);
			c->on_data = stop_it;
			ck_assert_int_eq(rx_stream(c, id, 50, 50, false), 0);
		} else {
			ck_assert_int_eq(rx_stream(c, id, 0, 100, false), 0);
		}
		ck_assert_uint_eq(c->told[id].got, 100);
		ck_assert_uint_eq(c->told[id].closed, id == 6);
	}
	/* at the end it is too late */
	ck_assert_int_eq(rx_stream(c, 14, 0, 10, true), 0);
	ck_assert_uint_eq(c->told[14].fin, 1);
	ck_assert_uint_eq(c->told[14].closed, 1);
	ck_assert_uint_eq(c->ss.rx.consumed, c->ss.rx_used);
}
END_TEST

/* Called from the run that was held, not from the frame. */
static void stop_later(struct ql_stream *s, size_t len UNUSED, bool fin UNUSED)
{
	if (ql_stream_conn(s)->told[ql_stream_id(s)].got > 100)
		ck_assert_int_eq(ql_stream_stop(s, 3), 0);
}

START_TEST(stop_in_held_data)
{
	c->on_data = stop_later;
	ck_assert_int_eq(rx_stream(c, 2, 100, 100, false), 0);
	ck_assert_int_eq(rx_stream(c, 2, 300, 100, false), 0);
	ck_assert_int_eq(rx_stream(c, 2, 0, 300, false), 0);
	ck_assert_uint_eq(c->told[2].got, 200);
	ck_assert_uint_eq(c->ss.rx.consumed, c->ss.rx_used);
}
END_TEST

START_TEST(reset_in_data)
{
	struct packet pkt;
	struct ql_frame f;

	c->on_data = reset_it;
	ck_assert_int_eq(rx_stream(c, 0, 0, 10, true), 0);
	ck_assert_uint_eq(c->told[0].closed, 0);
	ck_assert(build(c, &pkt, 1200));
	ck_assert(find_frame(&pkt, QL_FRAME_RESET_STREAM, &f));
	acked(c, &pkt);
	ck_assert_uint_eq(c->told[0].closed, 1);
}
END_TEST

START_TEST(close_in_data)
{
	unsigned int callbacks;

	ck_assert_int_eq(rx_stream(c, 0, 100, 100, false), 0);
	ck_assert_int_eq(rx_stream(c, 0, 300, 100, true), 0);
	c->on_data = close_conn;
	callbacks = c->callbacks;
	ck_assert_int_eq(rx_stream(c, 0, 0, 100, false), 0);
	ck_assert_uint_eq(c->told[0].got, 100);
	ck_assert_uint_eq(c->callbacks, callbacks + 1);
	/* nothing of what follows is told or answered */
	ck_assert_int_eq(rx_stream(c, 0, 0, 400, true), 0);
	ck_assert_int_eq(rx_stop(c, 0, 1), 0);
	ck_assert_int_eq(rx_stream(c, 4, 0, 1, false), 0);
	ck_assert_int_eq(rx_stream(c, 3, 0, 1, false), 0);
	ql_streams_reap(&c->ss);
	ck_assert(!ql_streams_pending(&c->ss));
	ck_assert_uint_eq(c->callbacks, callbacks + 1);
	ck_assert_uint_eq(c->closed, 0);
}
END_TEST

/* With the last bytes: the stream has ended, and is closed by ql_streams_fini(). */
START_TEST(close_in_last_data)
{
	c->on_data = close_conn;
	ck_assert_int_eq(rx_stream(c, 2, 0, 100, true), 0);
	ck_assert_uint_eq(c->told[2].fin, 1);
	ck_assert_uint_eq(c->closed, 0);
}
END_TEST

START_TEST(stop_in_opened)
{
	struct packet pkt;
	struct ql_frame f;

	c->on_opened = stop_at_once;
	ck_assert_int_eq(rx_stream(c, 8, 0, 100, false), 0);
	ck_assert_int_eq(rx_stream(c, 6, 0, 100, true), 0);
	ck_assert_uint_eq(c->told[8].got, 0);
	ck_assert_uint_eq(c->told[6].got, 0);
	ck_assert_uint_eq(c->told[6].closed, 1);
	ck_assert(build(c, &pkt, 1200));
	ck_assert(find_frame(&pkt, QL_FRAME_STOP_SENDING, &f));
	ck_assert(find_frame(&pkt, QL_FRAME_RESET_STREAM, &f));
	ck_assert_uint_eq(c->ss.rx.consumed, c->ss.rx_used);
}
END_TEST

static void close_in_opened(struct ql_stream *s)
{
	ql_streams_close(&ql_stream_conn(s)->ss);
}

START_TEST(conn_close_in_opened)
{
	c->on_opened = close_in_opened;
	ck_assert_int_eq(rx_stream(c, 8, 0, 100, false), 0);
	ck_assert_uint_eq(c->callbacks, 1);
	ck_assert_uint_eq(c->ss.map.count, 1);
}
END_TEST

static void open_and_send(struct ql_stream *s)
{
	struct ql_conn *conn = ql_stream_conn(s);
	struct ql_stream *more = open_stream(conn, true);

	ck_assert_int_eq(ql_stream_send(more, "answer", 6, QL_FIN), 6);
	ck_assert_int_eq(ql_stream_send(s, "x", 1, 0), -EPIPE);
	ck_assert_int_eq(ql_stream_stop(s, 0), -EPIPE);
	ck_assert_int_eq(ql_stream_reset(s, 0), -EPIPE);
	ql_stream_credit(s, 1 << 20);
	ql_stream_set_priority(s, 0, true);
}

START_TEST(open_in_closed)
{
	c->on_closed = open_and_send;
	c->keep_credit = true;
	ck_assert_int_eq(rx_stream(c, 2, 0, 100, true), 0);
	ck_assert_uint_eq(c->told[2].closed, 1);
	ck_assert_uint_eq(c->ss.map.count, 1);
	ck_assert_uint_eq(c->ss.rx.consumed, 100);
	ck_assert(ql_streams_pending(&c->ss));
	c->on_closed = NULL;
}
END_TEST

/* Without an application data is dropped and its credit comes back. */
START_TEST(no_application)
{
	ql_streams_set_ops(&c->ss, NULL);
	ck_assert_int_eq(rx_stream(c, 0, 0, 100, false), 0);
	ck_assert_int_eq(rx_stop(c, 0, 0), 0);
	ck_assert_int_eq(rx_max_streams(c, false, 1000), 0);
	ck_assert_int_eq(rx_reset(c, 0, 0, 200), 0);
	ck_assert_uint_eq(c->ss.rx.consumed, 200);
	all_sent_and_acked();
	ck_assert_uint_eq(c->ss.map.count, 0);
}
END_TEST

/* Each allocation fails once: INTERNAL_ERROR, and everything is freed in the end. */
START_TEST(no_memory)
{
	unsigned int failed = 0;

	for (uint64_t n = 1; n < 20; n++) {
		int err;

		ql_mem_fail_at(&c->mem, n);
		err = rx_stream(c, 76, 1000, 1000, false);
		if (!err)
			err = rx_stream(c, 76, 15000, 1, false);
		ql_mem_fail_at(&c->mem, 0);
		if (err) {
			ck_assert_int_eq(err, QL_ERR_INTERNAL_ERROR);
			failed++;
		}
		side_close(c);
		c = side_open(true, &test_config, 4 << 20);
	}
	ck_assert_uint_ge(failed, 19);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stream/streams_rx");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, recv_data);
	tcase_add_test(tc, bare_fin);
	tcase_add_test(tc, recv_reset);
	tcase_add_test(tc, final_size);
	tcase_add_test(tc, stream_flow_control);
	tcase_add_test(tc, credit);
	tcase_add_test(tc, credit_at_the_end);
	tcase_add_test(tc, state_errors);
	tcase_add_test(tc, implicit_open);
	tcase_add_test(tc, stream_limit);
	tcase_add_test(tc, max_streams);
	tcase_add_test(tc, peer_blocked);
	tcase_add_test(tc, windows_grow);
	tcase_add_test(tc, our_limits);
	tcase_add_test(tc, stop_sending);
	tcase_add_test(tc, stopped);
	tcase_add_test(tc, stop_in_data);
	tcase_add_test(tc, stop_in_held_data);
	tcase_add_test(tc, reset_in_data);
	tcase_add_test(tc, close_in_data);
	tcase_add_test(tc, close_in_last_data);
	tcase_add_test(tc, stop_in_opened);
	tcase_add_test(tc, conn_close_in_opened);
	tcase_add_test(tc, open_in_closed);
	tcase_add_test(tc, no_application);
	tcase_add_test(tc, no_memory);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
