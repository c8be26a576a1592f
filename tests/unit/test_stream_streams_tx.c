// SPDX-License-Identifier: BSD-3-Clause
/* Frames out and their fate: RFC 9000, 3.1, 4.1, 13.3 and 19.8. */
#include "test_stream_util.h"

/* We are the client: our bidi 0, 4...; our uni 2, 6...; both with limits as in test_config. */
static struct ql_conn *c;

static void setup(void)
{
	c = side_open(false, &test_config, 4 << 20);
}

static void teardown(void)
{
	side_close(c);
}

/* Give len bytes of the pattern. */
static void give(struct ql_stream *s, size_t len, unsigned int flags)
{
	uint8_t *data = malloc(len + 1);

	fill(ql_stream_id(s), s->send.size, data, len);
	ck_assert_int_eq(ql_stream_send(s, data, len, flags), (ssize_t)len);
	free(data);
}

/* The packet is one STREAM frame of this, and PADDING before it maybe. */
static void only_stream(const struct packet *pkt, uint64_t id, uint64_t offset, size_t len,
			bool fin)
{
	const uint8_t *p = pkt->data, *end = p + pkt->len;
	struct ql_frame f;

	do
		ck_assert_int_eq(ql_frame_decode(&p, end, &f), 0);
	while (f.type == QL_FRAME_PADDING && p < end);
	ck_assert_int_eq(f.type, QL_FRAME_STREAM);
	ck_assert_uint_eq(f.stream.id, id);
	ck_assert_uint_eq(f.stream.offset, offset);
	ck_assert_uint_eq(f.stream.len, len);
	ck_assert(f.stream.fin == fin);
	check_pattern(id, offset, f.stream.data, len);
	ck_assert_ptr_eq(p, end);
	ck_assert_uint_eq(pkt->n, 1);
	ck_assert_int_eq(pkt->frames[0].kind, QL_SENT_STREAM);
	ck_assert_uint_eq(pkt->frames[0].id, id);
	ck_assert_uint_eq(pkt->frames[0].offset, offset);
	ck_assert_uint_eq(pkt->frames[0].len, len);
	ck_assert_int_eq(pkt->frames[0].flags, fin ? QL_SENT_FRAME_FIN : 0);
}

/* Ready -> Send -> Data Sent -> Data Recvd. */
START_TEST(send_states)
{
	struct ql_stream *s = open_stream(c, false);
	struct packet pkt[3];

	ck_assert_int_eq(s->send_state, QL_SEND_OPEN);
	ck_assert_int_eq(s->recv_state, QL_RECV_NONE);
	ck_assert(!ql_streams_pending(&c->ss));
	c->wakes = 0;
	give(s, 2000, 0);
	ck_assert_uint_eq(c->wakes, 1);
	ck_assert(build(c, &pkt[0], 1200));
	only_stream(&pkt[0], 2, 0, 1198, false); /* type and ID; it fills the packet */
	ck_assert_uint_eq(pkt[0].len, 1200);
	give(s, 10, QL_FIN);
	ck_assert_int_eq(s->send_state, QL_SEND_OPEN);
	ck_assert(build(c, &pkt[1], 1200));
	only_stream(&pkt[1], 2, 1198, 812, true);
	ck_assert_int_eq(s->send_state, QL_SEND_DATA_SENT);
	ck_assert(!build(c, &pkt[2], 1200));
	acked(c, &pkt[1]);
	ck_assert_uint_eq(c->told[2].acked, 0);
	ck_assert_int_eq(s->send_state, QL_SEND_DATA_SENT);
	acked(c, &pkt[0]);
	ck_assert_uint_eq(c->told[2].acked, 2010);
	ck_assert_uint_eq(c->told[2].closed, 1);
	/* records of a stream that is gone */
	acked(c, &pkt[0]);
	lost(c, &pkt[1]);
	ck_assert(!ql_streams_pending(&c->ss));
}
END_TEST

/* Reset from Ready, Send and Data Sent; until acknowledged it is sent again. */
START_TEST(reset_states)
{
	for (unsigned int i = 0; i < 3; i++) {
		struct ql_stream *s = open_stream(c, false);
		uint64_t id = ql_stream_id(s);
		struct packet data = {.n = 0}, pkt;
		struct ql_frame f;

		if (i > 0) {
			give(s, 100, i == 2 ? QL_FIN : 0);
			ck_assert(build(c, &data, 1200));
		}
		if (i == 1)
			give(s, 50, 0); /* is dropped, and not in the final size */
		ck_assert_int_eq(ql_stream_reset(s, 9), 0);
		ck_assert_int_eq(ql_stream_reset(s, 9), -EPIPE);
		ck_assert_int_eq(s->send_state, QL_SEND_RESET_SENT);
		ck_assert_uint_eq(ql_stream_unsent(s), 0);
		for (int again = 0; again < 2; again++) {
			ck_assert(build(c, &pkt, 1200));
			ck_assert(find_frame(&pkt, QL_FRAME_RESET_STREAM, &f));
			ck_assert_uint_eq(f.reset_stream.code, 9);
			ck_assert_uint_eq(f.reset_stream.final_size, i ? 100 : 0);
			ck_assert(!find_frame(&pkt, QL_FRAME_STREAM, &f));
			if (!again)
				lost(c, &pkt);
		}
		lost(c, &data);	 /* is not sent again, */
		acked(c, &data); /* and does not count */
		ck_assert(!ql_streams_pending(&c->ss));
		ck_assert_uint_eq(c->told[id].acked, 0);
		ck_assert_uint_eq(c->told[id].closed, 0);
		acked(c, &pkt);
		ck_assert_uint_eq(c->told[id].closed, 1);
	}
}
END_TEST

/* Every length of data in every room: right frames, nothing beyond, as full as can be. */
START_TEST(fit)
{
	for (size_t room = 0; room <= 150; room++) {
		for (size_t len = 0; len <= room + 3; len++) {
			struct packet pkt;
			struct ql_stream *s;
			uint64_t id;

			if (c->ss.types[0].opened > 80) {
				side_close(c);
				setup();
				rx_max_streams(c, false, 90);
			}
			rx_max_streams(c, false, 90);
			s = open_stream(c, true);
			id = ql_stream_id(s);
			give(s, len, QL_FIN);
			if (build(c, &pkt, room)) {
				size_t hdr = 1 + ql_varint_len(id);
				size_t sent = pkt.frames[0].len;

				MUST(sent == len || (sent < len && sent == room - hdr));
				MUST(sent == len || sent >= 32);
				MUST(len + hdr < room || pkt.len == room);
				MUST(pkt.len <= hdr + sent + 2 || pkt.len == room);
				only_stream(&pkt, id, 0, sent, sent == len);
				MUST((sent == len) == (s->send_state == QL_SEND_DATA_SENT));
			} else {
				MUST(room < 1 + ql_varint_len(id) + len);
				MUST(room < 1 + ql_varint_len(id) + 32 || len == 0);
				MUST(s->send.sent == 0 && !s->send.fin_sent);
			}
			ck_assert_int_eq(ql_stream_reset(s, 0), 0);
			while (build(c, &pkt, 1200))
				acked(c, &pkt);
		}
	}
}
END_TEST

static unsigned int streams_in(const struct packet *pkt)
{
	uint64_t last = UINT64_MAX;
	unsigned int n = 0;

	for (unsigned int i = 0; i < pkt->n; i++) {
		if (pkt->frames[i].kind == QL_SENT_STREAM && pkt->frames[i].id != last)
			n++, last = pkt->frames[i].id;
	}
	return n;
}

/* Small data of many streams shares a packet; of a large one the next packet is its own. */
START_TEST(bundle)
{
	struct ql_stream *s[4];
	struct packet pkt;

	for (unsigned int i = 0; i < 4; i++) {
		s[i] = open_stream(c, true);
		give(s[i], 50, 0);
	}
	ck_assert(build(c, &pkt, 1200));
	ck_assert_uint_eq(streams_in(&pkt), 4);
	ck_assert(!ql_streams_pending(&c->ss));
	/* the rest of the first is more than half of the packet: the second begins in the next one
	 */
	give(s[0], 800, 0);
	give(s[1], 5000, 0);
	ck_assert(build(c, &pkt, 1200));
	ck_assert_uint_eq(streams_in(&pkt), 1);
	ck_assert(build(c, &pkt, 1200));
	ck_assert_uint_eq(streams_in(&pkt), 1);
	ck_assert_uint_eq(pkt.frames[0].id, 4);
	ck_assert_uint_eq(pkt.len, 1200);
	while (build(c, &pkt, 1200))
		;
	/* less than half: filled up */
	give(s[0], 300, 0);
	give(s[1], 5000, 0);
	ck_assert(build(c, &pkt, 1200));
	ck_assert_uint_eq(streams_in(&pkt), 2);
	ck_assert_uint_eq(pkt.len, 1200);
	while (build(c, &pkt, 1200))
		;
	/* more than half, but all of the second fits */
	give(s[0], 800, 0);
	give(s[1], 300, QL_FIN);
	ck_assert(build(c, &pkt, 1200));
	ck_assert_uint_eq(streams_in(&pkt), 2);
}
END_TEST

/* Urgency first, control above; a change counts from the next packet on. */
START_TEST(priority)
{
	struct ql_stream *s[3];
	struct packet pkt;

	for (unsigned int i = 0; i < 3; i++) {
		s[i] = open_stream(c, true);
		give(s[i], 6000, 0);
	}
	ck_assert(build(c, &pkt, 1200));
	ck_assert_uint_eq(pkt.frames[0].id, 0);
	ql_stream_set_priority(s[2], 2, false);
	ck_assert(build(c, &pkt, 1200));
	ck_assert_uint_eq(pkt.frames[0].id, 8);
	ql_stream_set_control(s[1]);
	ql_stream_set_priority(s[0], 0, false);
	ck_assert(build(c, &pkt, 1200));
	ck_assert_uint_eq(pkt.frames[0].id, 4);
	ql_stream_set_priority(s[1], 100, true); /* is 7 */
	ck_assert(build(c, &pkt, 1200));
	ck_assert_uint_eq(pkt.frames[0].id, 0);
	/* what is lost keeps its urgency, and goes first there */
	ql_stream_set_priority(s[2], 0, false);
	ql_streams_lost(&c->ss, &(struct ql_sent_frame){
					.kind = QL_SENT_STREAM, .id = 8, .offset = 0, .len = 10});
	ck_assert(build(c, &pkt, 1200));
	ck_assert_uint_eq(pkt.frames[0].id, 8);
	ck_assert_uint_eq(pkt.frames[0].offset, 0);
	ck_assert_uint_eq(pkt.frames[0].len, 10);
}
END_TEST

/* A stream goes on where it was when some of it has been sent again, before those that wait. */
START_TEST(lost_in_turn)
{
	struct packet pkt;

	for (unsigned int i = 0; i < 3; i++)
		give(open_stream(c, true), 6000, 0);
	for (unsigned int i = 0; i < 2; i++)
		ck_assert(build(c, &pkt, 1200));
	ck_assert_uint_eq(pkt.frames[0].id, 0);
	lost(c, &pkt);
	for (unsigned int i = 0; i < 4; i++) {
		ck_assert(build(c, &pkt, 1200));
		ck_assert_uint_eq(pkt.frames[0].id, 0);
	}
	ck_assert(build(c, &pkt, 1200));
	ck_assert_uint_eq(pkt.frames[pkt.n - 1].id, 4);
}
END_TEST

/* Streams of one urgency that are incremental take turns. */
START_TEST(incremental)
{
	uint64_t got[3] = {0};
	struct packet pkt;

	for (unsigned int i = 0; i < 3; i++) {
		struct ql_stream *s = open_stream(c, true);

		ql_stream_set_priority(s, 3, true);
		give(s, 16000, 0);
	}
	for (unsigned int i = 0; i < 20; i++) {
		ck_assert(build(c, &pkt, 1200));
		ck_assert_uint_eq(streams_in(&pkt), 1);
		got[pkt.frames[0].id / 4] += pkt.frames[0].len;
	}
	for (unsigned int i = 1; i < 3; i++)
		ck_assert_uint_lt(labs((long)got[i] - (long)got[0]), 3300);
}
END_TEST

/* A stream out of credit says so once; more credit lets it go on. */
START_TEST(stream_blocked)
{
	struct ql_stream *s = open_stream(c, true);
	static uint8_t data[30001];
	struct packet pkt;
	struct ql_frame f;
	unsigned int blocked = 0;
	uint64_t high = 0;

	ck_assert_int_eq(ql_stream_send_ref(s, data, sizeof(data), QL_FIN, NULL, NULL), 0);
	while (build(c, &pkt, 1200)) {
		if (find_frame(&pkt, QL_FRAME_STREAM, &f))
			high = f.stream.offset + f.stream.len;
		if (find_frame(&pkt, QL_FRAME_STREAM_DATA_BLOCKED, &f)) {
			ck_assert_uint_eq(f.stream_data_blocked.limit, 30000);
			blocked++;
		}
	}
	ck_assert_uint_eq(high, 30000);
	ck_assert_uint_eq(blocked, 1);
	ck_assert_uint_eq(ql_stream_unsent(s), 1);
	/* lost data goes again without credit */
	lost(c, &(struct packet){
			.n = 1,
			.frames = {{.kind = QL_SENT_STREAM, .id = 0, .offset = 100, .len = 5}}});
	ck_assert(build(c, &pkt, 1200));
	ck_assert_uint_eq(pkt.frames[0].offset, 100);
	ck_assert_uint_eq(pkt.frames[0].len, 5);
	ck_assert_uint_eq(c->ss.tx.used, 30000);
	/* the notice is lost: again, as long as it is true */
	lost(c,
	     &(struct packet){
		     .n = 1,
		     .frames = {{.kind = QL_SENT_STREAM_DATA_BLOCKED, .id = 0, .offset = 30000}}});
	ck_assert(build(c, &pkt, 1200));
	ck_assert(find_frame(&pkt, QL_FRAME_STREAM_DATA_BLOCKED, &f));
	ck_assert_int_eq(rx_max_stream_data(c, 0, 30002), 0);
	ck_assert(ql_streams_pending(&c->ss));
	lost(c, &pkt);
	ck_assert(build(c, &pkt, 1200));
	ck_assert(!find_frame(&pkt, QL_FRAME_STREAM_DATA_BLOCKED, &f));
	ck_assert_uint_eq(pkt.frames[0].offset, 30000);
	ck_assert_int_eq(pkt.frames[0].flags, QL_SENT_FRAME_FIN);
}
END_TEST

/* What is blocked can be said again, for as long as it is true. */
START_TEST(blocked_again)
{
	static uint8_t data[40000];
	struct ql_stream *s[5];
	struct packet pkt;
	struct ql_frame f;

	ck_assert(!ql_streams_blocked(&c->ss));
	for (unsigned int i = 0; i < 2; i++) {
		s[i] = open_stream(c, true);
		ck_assert_int_eq(ql_stream_send_ref(s[i], data, 30001, 0, NULL, NULL), 0);
	}
	ck_assert(!ql_streams_blocked(&c->ss));
	while (build(c, &pkt, 1200))
		;
	ck_assert(ql_streams_blocked(&c->ss));
	c->wakes = 0;
	ql_streams_repeat_blocked(&c->ss);
	ck_assert_uint_gt(c->wakes, 0);
	ck_assert(build(c, &pkt, 1200));
	ck_assert_uint_eq(pkt.n, 2);
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert_int_eq(pkt.frames[i].kind, QL_SENT_STREAM_DATA_BLOCKED);
		ck_assert_uint_eq(pkt.frames[i].id, 4 * i);
		ck_assert_uint_eq(pkt.frames[i].offset, 30000);
	}
	ck_assert(!build(c, &pkt, 1200));
	/* credit for one, the other is reset */
	ck_assert_int_eq(rx_max_stream_data(c, 0, 30001), 0);
	ck_assert(ql_streams_blocked(&c->ss));
	ck_assert_int_eq(ql_stream_reset(s[1], 0), 0);
	ck_assert(!ql_streams_blocked(&c->ss));
	while (build(c, &pkt, 1200))
		;
	ql_streams_repeat_blocked(&c->ss);
	ck_assert(!build(c, &pkt, 1200));
	/* the connection: what is blocked on its own level is no longer of interest */
	for (unsigned int i = 2; i < 5; i++) {
		s[i] = open_stream(c, true);
		ck_assert_int_eq(ql_stream_send_ref(s[i], data, 29999, 0, NULL, NULL), 0);
	}
	while (build(c, &pkt, 1200))
		;
	ck_assert(ql_streams_blocked(&c->ss));
	ql_streams_repeat_blocked(&c->ss);
	ck_assert(build(c, &pkt, 1200));
	ck_assert_uint_eq(pkt.n, 1);
	ck_assert(find_frame(&pkt, QL_FRAME_DATA_BLOCKED, &f));
	ck_assert_uint_eq(f.data_blocked.limit, 100000);
	ck_assert_int_eq(rx_max_data(c, 200000), 0);
	ck_assert(!ql_streams_blocked(&c->ss));
}
END_TEST

/* The connection out of credit: new data waits, what needs none goes on. */
START_TEST(conn_blocked)
{
	static uint8_t data[40000];
	struct ql_stream *s[5];
	unsigned int blocked = 0;
	struct packet pkt;
	struct ql_frame f;

	for (unsigned int i = 0; i < 5; i++) {
		s[i] = open_stream(c, true);
		if (i < 4)
			ck_assert_int_eq(ql_stream_send_ref(s[i], data, 29000, 0, NULL, NULL), 0);
	}
	while (build(c, &pkt, 1200)) {
		if (find_frame(&pkt, QL_FRAME_DATA_BLOCKED, &f)) {
			ck_assert_uint_eq(f.data_blocked.limit, 100000);
			blocked++;
		}
	}
	ck_assert_uint_eq(blocked, 1);
	ck_assert_uint_eq(c->ss.tx.used, 100000);
	ck_assert_uint_eq(ql_stream_unsent(s[3]), 16000);
	/* more data, at the same limit: nothing; a FIN on its own, and what was lost: yes */
	c->wakes = 0;
	ck_assert_int_eq(ql_stream_send(s[4], data, 10, 0), 10);
	ck_assert(!build(c, &pkt, 1200));
	ck_assert_uint_eq(c->wakes, 0);
	ck_assert_int_eq(ql_stream_send(s[0], data, 0, QL_FIN), 0);
	ck_assert_uint_gt(c->wakes, 0);
	ck_assert(build(c, &pkt, 1200));
	ck_assert_uint_eq(pkt.frames[0].id, 0);
	ck_assert_uint_eq(pkt.frames[0].offset, 29000);
	ck_assert_int_eq(pkt.frames[0].flags, QL_SENT_FRAME_FIN);
	lost(c, &pkt);
	ck_assert(build(c, &pkt, 1200));
	ck_assert_int_eq(pkt.frames[0].flags, QL_SENT_FRAME_FIN);
	ck_assert(!build(c, &pkt, 1200));
	lost(c, &(struct packet){.n = 1,
				 .frames = {{.kind = QL_SENT_DATA_BLOCKED, .offset = 100000}}});
	ck_assert(build(c, &pkt, 1200));
	ck_assert(find_frame(&pkt, QL_FRAME_DATA_BLOCKED, &f));
	ck_assert_int_eq(rx_max_data(c, 100020), 0);
	ck_assert(ql_streams_pending(&c->ss));
	lost(c, &pkt); /* no longer true */
	ck_assert(build(c, &pkt, 1200));
	ck_assert_uint_eq(pkt.frames[0].id, 12);
	ck_assert_uint_eq(pkt.frames[0].len, 20);
	ck_assert(find_frame(&pkt, QL_FRAME_DATA_BLOCKED, &f)); /* at the new limit, at once */
	ck_assert_uint_eq(f.data_blocked.limit, 100020);
	/* after a reset nothing is left to be blocked */
	for (unsigned int i = 0; i < 5; i++)
		ck_assert_int_eq(ql_stream_reset(s[i], 0), 0);
	while (build(c, &pkt, 1200))
		;
	lost(c, &(struct packet){.n = 1,
				 .frames = {{.kind = QL_SENT_DATA_BLOCKED, .offset = 100020}}});
	ck_assert(!ql_streams_pending(&c->ss));
}
END_TEST

/* No more than QL_SENT_FRAMES_MAX frames; the rest waits for the next packet. */
START_TEST(many_frames)
{
	struct packet pkt;
	unsigned int n = 0;

	rx_max_streams(c, false, 90);
	for (unsigned int i = 0; i < 90; i++)
		give(open_stream(c, true), 1, 0);
	while (build(c, &pkt, 1200)) {
		n += pkt.n;
		ck_assert(n == QL_SENT_FRAMES_MAX || n == 90);
	}
	ck_assert_uint_eq(n, 90);
	for (uint64_t id = 0; id < 360; id += 4)
		ck_assert_int_eq(ql_stream_reset(c->told[id].s, 1), 0);
	for (n = 0; build(c, &pkt, 1200); n += pkt.n)
		;
	ck_assert_uint_eq(n, 90);
}
END_TEST

/* Whatever the room, and when the record cannot be made: nothing is lost, nothing half done. */
START_TEST(no_record)
{
	struct ql_stream *s = open_stream(c, true);
	uint8_t buf[1200];

	c->keep_credit = true;
	ck_assert_int_eq(rx_stream(c, 1, 0, 30000, false), 0);
	ck_assert_int_eq(rx_stream(c, 5, 0, 30000, false), 0);
	for (uint64_t id = 1; id < 6; id += 4)
		ql_stream_credit(c->told[id].s, 30000);
	ck_assert_int_eq(ql_stream_stop(c->told[5].s, 1), 0);
	give(s, 3000, QL_FIN);
	for (size_t room = 0; room < sizeof(buf); room += room < 40 ? 1 : 50) {
		uint8_t due = c->ss.due, ctl = c->ss.ctl ? c->ss.ctl->ctl : 0;

		ck_assert_int_eq(ql_sent_begin(&c->sent, ql_sent_next(&c->sent)), 0);
		ck_assert_ptr_null(c->sent.tail);
		ql_mem_fail_at(&c->mem, 1);
		ck_assert_ptr_eq(ql_streams_send(&c->ss, buf, buf + room, &c->sent, NULL), buf);
		ql_mem_fail_at(&c->mem, 0);
		ql_sent_abort(&c->sent);
		ql_sent_clear(&c->sent);
		ck_assert_uint_eq(c->ss.due, due);
		ck_assert_uint_eq(c->ss.ctl ? c->ss.ctl->ctl : 0, ctl);
		ck_assert_uint_eq(s->send.sent, 0);
		ck_assert_uint_eq(c->ss.tx.used, 0);
		ck_assert_uint_eq(c->ss.rx.limit, 100000);
		ck_assert_uint_eq(c->told[1].s->rx.limit, 30000);
		ck_assert(ql_streams_pending(&c->ss));
	}
}
END_TEST

/* Control streams by themselves: what fits whole, in their order, and nothing of others. */
START_TEST(control_only)
{
	struct ql_stream *s[4];
	uint8_t buf[1200];
	struct packet pkt;

	for (unsigned int i = 0; i < 4; i++) {
		s[i] = open_stream(c, false);
		if (i > 1)
			ql_stream_set_control(s[i]);
		give(s[i], 100, 0);
	}
	for (size_t room = 0; room < 300; room++) {
		uint8_t *p;

		ck_assert_int_eq(ql_sent_begin(&c->sent, ql_sent_next(&c->sent)), 0);
		p = ql_streams_send_control(&c->ss, buf, buf + room, &c->sent);
		if (room < 102) {
			ck_assert_ptr_eq(p, buf);
			ql_sent_abort(&c->sent);
			continue;
		}
		/* without Length: it fills the packet */
		ck_assert_int_eq(p - buf, room);
		ql_sent_commit(&c->sent, 0, (uint16_t)room, QL_SENT_ELICITING);
		ck_assert_uint_eq(s[2]->send.sent, 100);
		ck_assert_uint_eq(s[3]->send.sent, 0);
		break;
	}
	ck_assert_int_eq(ql_sent_begin(&c->sent, ql_sent_next(&c->sent)), 0);
	ck_assert_int_eq(ql_streams_send_control(&c->ss, buf, buf + sizeof(buf), &c->sent) - buf,
			 104);
	ck_assert_ptr_eq(ql_streams_send_control(&c->ss, buf, buf + sizeof(buf), &c->sent), buf);
	ql_sent_commit(&c->sent, 0, 104, QL_SENT_ELICITING);
	ck_assert_uint_eq(s[3]->send.sent, 100);
	ck_assert_uint_eq(s[0]->send.sent + s[1]->send.sent, 0);
	ck_assert(build(c, &pkt, 1200));
	ck_assert_uint_eq(s[0]->send.sent + s[1]->send.sent, 200);
}
END_TEST

/* Control frames in packets of every small size: all of them come, in the end. */
START_TEST(small_room)
{
	for (size_t room = 0; room < 60; room++) {
		unsigned int kinds = 0, left = 40;
		struct packet pkt;

		rx_stream(c, 1, 0, 25000, false);
		rx_stream(c, 5, 0, 25000, true);
		rx_stream(c, 13, 0, 1, false);
		ck_assert_int_eq(ql_stream_stop(c->told[9].s, 1), 0);
		ck_assert_int_eq(ql_stream_reset(c->told[5].s, 1), 0);
		while (left-- > 0 && build(c, &pkt, room))
			for (unsigned int i = 0; i < pkt.n; i++)
				kinds |= 1u << pkt.frames[i].kind;
		if (room >= 25)
			ck_assert_uint_eq(kinds, 1u << QL_SENT_MAX_DATA |
							 1u << QL_SENT_MAX_STREAM_DATA |
							 1u << QL_SENT_RESET_STREAM |
							 1u << QL_SENT_STOP_SENDING);
		side_close(c);
		setup();
	}
}
END_TEST

START_TEST(closing)
{
	struct ql_stream *s = open_stream(c, true);
	struct packet pkt, more;

	give(s, 3000, QL_FIN);
	ck_assert(build(c, &pkt, 1200));
	ql_streams_close(&c->ss);
	ck_assert(!ql_streams_pending(&c->ss));
	ck_assert(!build(c, &more, 1200));
	acked(c, &pkt);
	lost(c, &pkt);
	ck_assert_uint_eq(c->callbacks, 0);
}
END_TEST

/* ---- Callbacks that call back ---- */

static void reset_on_acked(struct ql_stream *s, uint64_t acked UNUSED)
{
	ck_assert_int_eq(ql_stream_reset(s, 1), 0);
}

static void close_on_acked(struct ql_stream *s, uint64_t acked UNUSED)
{
	ql_streams_close(&ql_stream_conn(s)->ss);
}

START_TEST(reset_in_acked)
{
	struct ql_stream *s = open_stream(c, false);
	struct packet pkt;

	c->on_acked = reset_on_acked;
	give(s, 500, QL_FIN);
	ck_assert(build(c, &pkt, 1200));
	acked(c, &pkt);
	ck_assert_int_eq(s->send_state, QL_SEND_RESET_SENT);
	ck_assert(build(c, &pkt, 1200));
	acked(c, &pkt);
	ck_assert_uint_eq(c->told[2].closed, 1);
}
END_TEST

START_TEST(close_in_acked)
{
	struct ql_stream *s = open_stream(c, false);
	struct packet pkt;

	c->on_acked = close_on_acked;
	while (ql_stream_send(s, "x", 1, 0) == 1)
		;
	ck_assert(build(c, &pkt, 1200));
	acked(c, &pkt);
	acked(c, &pkt);
	ck_assert_uint_eq(c->callbacks, 1);
	ck_assert_uint_eq(c->closed, 0);
}
END_TEST

static void reset_on_release(void *arg)
{
	(void)ql_stream_reset(arg, 2);
}

/* A release callback that resets its stream, in an acknowledgement and in the reset itself. */
START_TEST(reset_in_release)
{
	for (int i = 0; i < 2; i++) {
		struct ql_stream *s = open_stream(c, false);
		uint64_t id = ql_stream_id(s);
		struct packet pkt;

		ck_assert_int_eq(ql_stream_send_ref(s, "abc", 3, 0, reset_on_release, s), 0);
		ck_assert_int_eq(ql_stream_send_ref(s, "def", 3, 0, reset_on_release, s), 0);
		if (i == 1)
			ck_assert_int_eq(ql_stream_reset(s, 1), 0);
		while (build(c, &pkt, 1200))
			acked(c, &pkt);
		ck_assert_uint_eq(c->told[id].closed, 1);
	}
}
END_TEST

/*
 * What ql_streams_train() says is what ql_streams_send() does next, by whatever there is to send and may
 * be sent: so many full packets of that stream's data, and then more of it.
 */
START_TEST(train)
{
	enum { ROOM = 1200 };
	static uint8_t block[40000];
	uint64_t seed = (uint64_t)_i, data = 100000, most[3] = {30000, 30000, 30000};
	unsigned int trains = 0, packets = 0;
	struct ql_stream *s[3];
	struct packet pkt;

	for (unsigned int i = 0; i < 3; i++) {
		s[i] = open_stream(c, true);
		ql_stream_set_priority(s[i], (unsigned int)below(&seed, 2) + 3, below(&seed, 2));
	}
	for (unsigned int step = 0; step < 2000; step++) {
		unsigned int i = (unsigned int)below(&seed, below(&seed, 8) ? 1 : 3);
		size_t len = 1 + below(&seed, i == 0 && below(&seed, 3) ? 20000 : 3000);
		struct ql_stream_train t;

		if (below(&seed, 3) == 0)
			ck_assert_int_eq(rx_max_data(c, data += below(&seed, 60000)), 0);
		if (below(&seed, 3) == 0)
			ck_assert_int_eq(rx_max_stream_data(c, ql_stream_id(s[i]),
							    most[i] += below(&seed, 60000)),
					 0);
		if (ql_stream_unsent(s[i]) < 20000) {
			fill(ql_stream_id(s[i]), s[i]->send.size, block, len);
			(void)ql_stream_send(s[i], block, len, 0);
		}
		if (!ql_streams_train(&c->ss, ROOM, &t)) {
			for (uint64_t k = below(&seed, 8); k > 0 && build(c, &pkt, ROOM); k--)
				acked(c, &pkt);
			continue;
		}
		trains++;
		packets += t.packets;
		MUST(t.packets > 0 && t.offset == t.stream->send.sent);
		check_pattern(ql_stream_id(t.stream), t.offset, t.data, t.packets * t.len);
		for (unsigned int k = 0; k < t.packets; k++) {
			ck_assert(build(c, &pkt, ROOM));
			ck_assert_uint_eq(pkt.len, ROOM);
			only_stream(&pkt, ql_stream_id(t.stream), t.offset + k * t.len, t.len,
				    false);
			MUST(ql_streams_pending(&c->ss));
			acked(c, &pkt);
		}
	}
	ck_assert_uint_gt(trains, 50);
	ck_assert_uint_gt(packets, 2 * trains);
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_int_eq(ql_stream_reset(s[i], 0), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stream/streams_tx");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, send_states);
	tcase_add_test(tc, reset_states);
	tcase_add_test(tc, fit);
	tcase_add_test(tc, bundle);
	tcase_add_test(tc, priority);
	tcase_add_test(tc, lost_in_turn);
	tcase_add_test(tc, incremental);
	tcase_add_test(tc, stream_blocked);
	tcase_add_test(tc, blocked_again);
	tcase_add_test(tc, conn_blocked);
	tcase_add_test(tc, many_frames);
	tcase_add_test(tc, no_record);
	tcase_add_test(tc, control_only);
	tcase_add_test(tc, small_room);
	tcase_add_test(tc, closing);
	tcase_add_test(tc, reset_in_acked);
	tcase_add_test(tc, close_in_acked);
	tcase_add_test(tc, reset_in_release);
	tcase_add_loop_test(tc, train, 0, 20);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
