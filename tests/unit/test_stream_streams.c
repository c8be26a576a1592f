// SPDX-License-Identifier: BSD-3-Clause
/* The life of streams, and whole transfers between two sides. */
#include "test_stream_util.h"

START_TEST(open_limits)
{
	struct ql_conn *c = side_open(true, &test_config, 4 << 20);
	struct ql_stream *s;
	struct packet pkt;
	struct ql_frame f;

	for (uint64_t i = 0; i < 20; i++)
		ck_assert_uint_eq(ql_stream_id(open_stream(c, true)), i * 4 + 1);
	for (uint64_t i = 0; i < 10; i++)
		ck_assert_uint_eq(ql_stream_id(open_stream(c, false)), i * 4 + 3);
	ck_assert(!ql_streams_pending(&c->ss));
	/* at the limit: said once */
	c->wakes = 0;
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(ql_streams_open(&c->ss, true, &s), -EAGAIN);
		ck_assert_int_eq(ql_streams_open(&c->ss, false, &s), -EAGAIN);
	}
	ck_assert_uint_gt(c->wakes, 0);
	ck_assert(build(c, &pkt, 1200));
	ck_assert_uint_eq(pkt.n, 2);
	ck_assert(find_frame(&pkt, QL_FRAME_STREAMS_BLOCKED, &f));
	ck_assert(!f.streams_blocked.uni);
	ck_assert_uint_eq(f.streams_blocked.limit, 20);
	ck_assert(!build(c, &pkt, 1200));
	ql_streams_lost(&c->ss,
			&(struct ql_sent_frame){.kind = QL_SENT_STREAMS_BLOCKED_UNI, .offset = 10});
	ql_streams_lost(&c->ss, &(struct ql_sent_frame){.kind = QL_SENT_STREAMS_BLOCKED_BIDI,
							.offset = 20});
	ck_assert(build(c, &pkt, 1200));
	ck_assert_uint_eq(pkt.n, 2);
	/* raised: no longer true */
	ck_assert_int_eq(rx_max_streams(c, true, 11), 0);
	ck_assert_int_eq(rx_max_streams(c, false, 21), 0);
	ql_streams_lost(&c->ss, &pkt.frames[0]);
	ql_streams_lost(&c->ss, &pkt.frames[1]);
	ck_assert(!ql_streams_pending(&c->ss));
	open_stream(c, true);
	open_stream(c, false);
	ck_assert_int_eq(ql_streams_open(&c->ss, true, &s), -EAGAIN);
	ck_assert(build(c, &pkt, 1200));
	/* raised between the failure and the packet: nothing to say */
	ck_assert_int_eq(ql_streams_open(&c->ss, false, &s), -EAGAIN);
	ck_assert_int_eq(rx_max_streams(c, true, 12), 0);
	ck_assert(!build(c, &pkt, 1200));
	ck_assert(!ql_streams_pending(&c->ss));

	ql_mem_fail_at(&c->mem, 1);
	ck_assert_int_eq(ql_streams_open(&c->ss, false, &s), -ENOMEM);
	ql_mem_fail_at(&c->mem, 0);
	ck_assert_uint_eq(ql_stream_id(open_stream(c, false)), 11 * 4 + 3);
	ck_assert_ptr_null(ql_streams_find(&c->ss, 12 * 4 + 3));
	ck_assert_uint_eq(ql_stream_id(ql_streams_find(&c->ss, 47)), 47);
	ck_assert_uint_eq(ql_stream_id(ql_streams_find(&c->ss, 47)), 47);
	ck_assert_uint_eq(c->ss.map.count, 33);
	ql_streams_close(&c->ss);
	ck_assert_int_eq(ql_streams_open(&c->ss, true, &s), -ENOTCONN);
	side_close(c);
}
END_TEST

/* The peer's limits come twice: as remembered, then the real ones, which are higher. */
/*
 * The peer has taken nothing of what was sent under other limits: all goes once more, within the
 * new ones, and streams that they do not allow end.
 */
START_TEST(begin_anew)
{
	static uint8_t data[50000];
	struct ql_conn *c = side_open(false, &test_config, 4 << 20);
	struct ql_stream *s[4], *uni, *again;
	struct packet pkt, sent[100];
	struct ql_tparams tp;
	unsigned int n = 0;
	struct ql_frame f;

	tparams_of(&test_config, &tp);
	for (unsigned int i = 0; i < 4; i++)
		s[i] = open_stream(c, true);
	uni = open_stream(c, false);
	fill(0, 0, data, sizeof(data));
	ck_assert_int_eq(ql_stream_send_ref(s[0], data, 25000, QL_FIN, NULL, NULL), 0);
	ck_assert_int_eq(ql_stream_send_ref(s[2], data, 50000, 0, NULL, NULL), 0);
	ck_assert_int_eq(ql_stream_send(s[1], data, 100, 0), 100);
	while (build(c, &sent[n], 1200))
		ck_assert_uint_lt(++n, 100);
	ck_assert_int_eq(ql_stream_reset(s[1], 5), 0);
	ck_assert(build(c, &sent[n++], 1200));
	ck_assert_uint_eq(c->ss.tx.used, 25000 + 30000 + 100);
	ck_assert_uint_eq(ql_streams_blocked(&c->ss), true);
	while (n > 0)
		lost(c, &sent[--n]);

	tp.initial_max_data = 12000;
	tp.initial_max_stream_data_bidi_remote = 10000;
	tp.initial_max_streams_bidi = 3;
	ql_streams_begin_anew(&c->ss, &tp);
	ck_assert_uint_eq(c->ss.tx.used, 0);
	ck_assert_uint_eq(c->ss.tx.limit, 12000);
	/* the fourth is gone, and was told so */
	ck_assert_uint_eq(c->told[12].closed, 1);
	ck_assert_uint_eq(c->told[12].stopped, 1);
	ck_assert_uint_eq(c->told[12].reset, 1);
	ck_assert_int_eq(ql_streams_open(&c->ss, true, &again), -EAGAIN);
	/* the reset one has sent nothing, as far as the peer can tell */
	ck_assert(build(c, &pkt, 1200));
	ck_assert(find_frame(&pkt, QL_FRAME_RESET_STREAM, &f));
	ck_assert_uint_eq(f.reset_stream.id, 4);
	ck_assert_uint_eq(f.reset_stream.final_size, 0);
	while (build(c, &pkt, 1200))
		;
	ck_assert_uint_eq(c->ss.tx.used, 12000);
	ck_assert_uint_eq(s[0]->send.sent + s[2]->send.sent, 12000);
	ck_assert_uint_le(s[0]->send.sent, 10000);
	ck_assert_int_eq(rx_max_data(c, 200000), 0);
	ck_assert_int_eq(rx_max_stream_data(c, 0, 100000), 0);
	ck_assert_int_eq(rx_max_stream_data(c, 8, 100000), 0);
	while (build(c, &pkt, 1200))
		;
	ck_assert_uint_eq(s[0]->send.sent, 25000);
	ck_assert_int_eq(s[0]->send_state, QL_SEND_DATA_SENT);
	ck_assert_uint_eq(s[2]->send.sent, 50000);
	/* its ID is used again */
	c->told[12] = (struct told){0};
	ck_assert_int_eq(rx_max_streams(c, false, 4), 0);
	ck_assert_ptr_nonnull(again = open_stream(c, true));
	ck_assert_uint_eq(ql_stream_id(again), 12);
	ck_assert_uint_eq(ql_stream_id(uni), 2);
	side_close(c);
}
END_TEST

START_TEST(peer_limits)
{
	struct ql_conn *c = side_open(false, &test_config, 4 << 20);
	struct ql_tparams tp;
	struct ql_stream *s;
	struct packet pkt;
	static uint8_t data[50000];

	tparams_of(&test_config, &tp);
	s = open_stream(c, true);
	ck_assert_uint_eq(s->tx.limit, 30000); /* remote, as seen from the peer */
	ck_assert_int_eq(ql_stream_send_ref(s, data, sizeof(data), 0, NULL, NULL), 0);
	while (build(c, &pkt, 1200))
		;
	ck_assert_uint_eq(ql_stream_unsent(s), 20000);
	tp.initial_max_stream_data_bidi_remote = 45000;
	tp.initial_max_stream_data_uni = 1; /* lower: means nothing */
	tp.initial_max_data = 44000;
	tp.initial_max_streams_bidi = 33;
	c->wakes = 0;
	ql_streams_set_peer_limits(&c->ss, &tp);
	ck_assert_uint_gt(c->wakes, 0);
	while (build(c, &pkt, 1200))
		;
	ck_assert_uint_eq(ql_stream_unsent(s), 5000);
	ck_assert_uint_eq(open_stream(c, false)->tx.limit, 40000);
	ck_assert_uint_eq(c->ss.types[0].limit, 33);
	ck_assert_uint_eq(c->ss.tx.limit, 100000);
	ck_assert_uint_eq(c->available[0] + c->available[1], 0);
	/* the peer's bidirectional ones: its local limit */
	ck_assert_int_eq(rx_stream(c, 1, 0, 0, false), 0);
	ck_assert_uint_eq(c->told[1].s->tx.limit, 20000);
	side_close(c);
}
END_TEST

/* ---- Whole transfers ---- */

#define WIRE 64

struct link {
	struct ql_conn *from, *to;
	struct packet pkt[WIRE];
	bool there[WIRE];
};

/*
 * One event of a link: a packet is put on it, or one that is there, any one, arrives, is lost, or
 * arrives and is taken for lost. 1 for an error at the receiver.
 */
static bool step(struct link *l, uint64_t *seed, uint64_t loss)
{
	unsigned int i = (unsigned int)below(seed, WIRE);
	uint64_t what = below(seed, 100);

	if (!l->there[i]) {
		l->there[i] = build(l->from, &l->pkt[i], 50 + below(seed, 1300));
		return false;
	}
	if (what < loss) {
		lost(l->from, &l->pkt[i]);
	} else {
		if (take(l->to, &l->pkt[i]))
			return true;
		if (what < loss * 2) {
			lost(l->from, &l->pkt[i]);
			if (below(seed, 2))
				return false; /* and once more */
		} else {
			acked(l->from, &l->pkt[i]);
		}
	}
	l->there[i] = false;
	return false;
}

static bool quiet(const struct link *l)
{
	if (ql_streams_pending(&l->from->ss))
		return false;
	for (unsigned int i = 0; i < WIRE; i++)
		if (l->there[i])
			return false;
	return true;
}

static uint64_t world_seed;

/* More data for a stream, a FIN some time; sometimes a reset or stop instead. */
static void play(struct ql_stream *s, bool rough)
{
	uint64_t *seed = &world_seed;
	uint8_t data[3000];
	size_t len = below(seed, sizeof(data));
	unsigned int flags = below(seed, 12) == 0 ? QL_FIN : 0;

	if (rough && below(seed, 40) == 0)
		(void)ql_stream_reset(s, 5);
	if (rough && below(seed, 40) == 0)
		(void)ql_stream_stop(s, 6);
	if (below(seed, 5) == 0)
		ql_stream_set_priority(s, (unsigned int)below(seed, 9), below(seed, 2));
	if (s->send_state != QL_SEND_OPEN || s->send.fin)
		return;
	fill(ql_stream_id(s), s->send.size, data, len);
	(void)ql_stream_send(s, data, len, flags);
}

static void answer(struct ql_stream *s, size_t len UNUSED, bool fin)
{
	if (fin && s->send_state == QL_SEND_OPEN && !s->send.fin)
		(void)ql_stream_send(s, NULL, 0, QL_FIN);
}

/*
 * Streams of all types between two sides, over links that lose, reorder and duplicate: in the end
 * every stream has closed on both sides with the same bytes, and all credit is back.
 */
static void transfer(uint64_t seed, bool rough, struct ql_conn *c, struct ql_conn *s)
{
	static struct link up, down;
	struct ql_conn *sides[2] = {c, s};
	uint64_t loss = below(&seed, 30);
	unsigned int steps = 0, opened = 0;

	memset(&up, 0, sizeof(up));
	memset(&down, 0, sizeof(down));
	world_seed = seed;
	up.from = down.to = c;
	up.to = down.from = s;
	c->on_data = s->on_data = answer;
	do {
		MUST(steps++ < 400000);
		for (unsigned int i = 0; i < 2; i++) {
			struct ql_stream *any;
			uint64_t id = below(&world_seed, TOLD_IDS);

			if (opened < 60 && below(&world_seed, 20) == 0 &&
			    ql_streams_open(&sides[i]->ss, below(&world_seed, 3), &any) == 0) {
				MUST(ql_stream_id(any) < TOLD_IDS);
				sides[i]->told[ql_stream_id(any)].s = any;
				opened++;
			}
			any = sides[i]->told[id].s;
			if (any) {
				if (steps < 20000)
					play(any, rough);
				else if (any->send_state == QL_SEND_OPEN && !any->send.fin)
					(void)ql_stream_send(any, NULL, 0, QL_FIN);
			}
		}
		if (steps == 20000)
			opened = 60;
		for (unsigned int i = 0; i < 4; i++) {
			MUST(!step(&up, &world_seed, loss));
			MUST(!step(&down, &world_seed, loss));
		}
	} while (opened < 60 || !quiet(&up) || !quiet(&down) || c->ss.map.count || s->ss.map.count);
	for (unsigned int id = 0; id < TOLD_IDS; id++) {
		const struct told *a = &c->told[id], *b = &s->told[id];

		MUST(a->closed == b->closed);
		if (rough || !a->closed)
			continue;
		MUST(!a->reset && !b->reset && !a->stopped && !b->stopped);
		if ((id & 2) == 0 || (id & 1) == 0)
			MUST(b->fin == 1 && b->got == a->acked);
		if ((id & 2) == 0 || (id & 1) == 1)
			MUST(a->fin == 1 && a->got == b->acked);
	}
	MUST(c->closed >= 60 && c->closed == s->closed);
	MUST(c->ss.rx_used == s->ss.tx.used && c->ss.rx.consumed == c->ss.rx_used);
	MUST(s->ss.rx_used == c->ss.tx.used && s->ss.rx.consumed == s->ss.rx_used);
	MUST(c->mem.used == 0 && s->mem.used == 0);
}

START_TEST(smooth)
{
	struct ql_conn *c = side_open(false, &test_config, 8 << 20);
	struct ql_conn *s = side_open(true, &test_config, 8 << 20);

	transfer((uint64_t)_i, false, c, s);
	side_close(c);
	side_close(s);
}
END_TEST

START_TEST(rough)
{
	struct ql_conn *c = side_open(false, &test_config, 8 << 20);
	struct ql_conn *s = side_open(true, &test_config, 8 << 20);

	transfer((uint64_t)_i, true, c, s);
	side_close(c);
	side_close(s);
}
END_TEST

/* 10,000 streams at a time, each with its greeting and answer. */
static unsigned int answers, ended;

static void count_end(struct ql_stream *s UNUSED)
{
	ended++;
}

static void greet_data(struct ql_stream *s, const uint8_t *data, size_t len, bool fin)
{
	ck_assert(len == 0 || data);
	ql_stream_credit(s, len);
	if (fin && ql_stream_conn(s)->ss.is_server) {
		MUST(ql_stream_send(s, "hello", 5, QL_FIN) == 5);
		answers++;
	}
}

static const struct ql_conn_ops greet_ops = {.stream_data = greet_data, .stream_closed = count_end};

/* sending() gives what waits for it: data without a wake, and streams that end there with one. */
static unsigned int gathered;

static void gather(struct ql_conn *c)
{
	struct ql_stream *s = ql_streams_find(&c->ss, gathered++ ? 4 : 0);

	if (!s)
		return;
	if (s->id == 0) {
		MUST(ql_stream_send(s, "one", 3, QL_FIN) == 3);
		return;
	}
	MUST(ql_stream_stop(s, 1) == 0);
}

START_TEST(sending)
{
	struct ql_conn_ops ops = greet_ops;
	struct ql_stream *stream;
	struct ql_conn *c, *s;
	struct packet pkt;

	c = side_open(false, &test_config, 1 << 20);
	s = side_open(true, &test_config, 1 << 20);
	ql_streams_gather(&c->ss); /* nobody wants to know */
	ops.sending = gather;
	ql_streams_set_ops(&c->ss, &ops);
	ql_streams_set_ops(&s->ss, &greet_ops);
	answers = ended = gathered = 0;
	ck_assert_int_eq(ql_streams_open(&c->ss, true, &stream), 0);
	c->wakes = 0;
	ql_streams_gather(&c->ss);
	ck_assert_uint_eq(gathered, 1);
	ck_assert_uint_eq(c->wakes, 0);
	ck_assert(ql_streams_pending(&c->ss));
	run(c, s);
	ck_assert_uint_eq(answers, 1);
	ck_assert_uint_eq(ended, 2);
	/* all sent and acknowledged, and of the peer's direction only the end is known */
	ck_assert_int_eq(ql_streams_open(&c->ss, true, &stream), 0);
	MUST(ql_stream_send(stream, "x", 1, QL_FIN) == 1);
	ck_assert(build(c, &pkt, 1000));
	acked(c, &pkt);
	ck_assert_int_eq(rx_stream(c, 4, 1, 10, true), 0);
	c->wakes = 0;
	ql_streams_gather(&c->ss);
	ck_assert_uint_eq(gathered, 2);
	ck_assert_uint_gt(c->wakes, 0);
	ck_assert_uint_eq(ended, 2);
	ql_streams_reap(&c->ss);
	ck_assert_uint_eq(ended, 3);
	/* nor when it is over */
	ql_streams_close(&c->ss);
	ql_streams_gather(&c->ss);
	ck_assert_uint_eq(gathered, 2);
	side_close(c);
	side_close(s);
}
END_TEST

START_TEST(many)
{
	struct ql_streams_config config = test_config;
	unsigned int total = 0;
	struct ql_conn *c, *s;

	config.max_streams_bidi = 10000;
	config.max_data = 1 << 20;
	c = side_open(false, &config, 64 << 20);
	s = side_open(true, &config, 64 << 20);
	ql_streams_set_ops(&c->ss, &greet_ops);
	ql_streams_set_ops(&s->ss, &greet_ops);
	answers = ended = 0;
	for (unsigned int round = 0; round < 3; round++) {
		struct ql_stream *any;
		unsigned int n = 0;

		while (ql_streams_open(&c->ss, true, &any) == 0) {
			MUST(ql_stream_send(any, "greet", 5, QL_FIN) == 5);
			n++;
		}
		/* the peer may owe us an eighth of its limit */
		ck_assert_uint_ge(n, round ? 8750 : 10000);
		ck_assert_uint_le(n, 10000);
		ck_assert_uint_eq(c->ss.map.count, n);
		total += n;
		run(c, s);
		ck_assert_uint_eq(answers, total);
		ck_assert_uint_eq(ended, 2 * total);
		ck_assert_uint_eq(c->ss.map.count + s->ss.map.count, 0);
		ck_assert_uint_eq(c->mem.used + s->mem.used, 0);
	}
	side_close(c);
	side_close(s);
}
END_TEST

/* The n-th allocation of each side fails, for every n: an error at worst, and no leak. */
static int scenario(struct ql_conn *c, struct ql_conn *s)
{
	static uint8_t data[6000];
	struct packet pkt[12];
	unsigned int n = 0;
	struct ql_stream *any;

	for (unsigned int i = 0; i < 8; i++) {
		if (ql_streams_open(&c->ss, i & 1, &any))
			continue;
		c->told[ql_stream_id(any)].s = any;
		fill(ql_stream_id(any), 0, data, sizeof(data));
		(void)ql_stream_send(any, data, i == 3 ? 6000 : 20, i & 2 ? QL_FIN : 0);
	}
	while (n < 12 && build(c, &pkt[n], 900))
		n++;
	for (unsigned int i = n; i-- > 0;)
		if (i != 1 && take(s, &pkt[i]))
			return 1;
	for (unsigned int i = n; i-- > 0;)
		i % 3 == 1 ? lost(c, &pkt[i]) : acked(c, &pkt[i]);
	for (n = 0; n < 12 && build(c, &pkt[n], 1200); n++)
		if (take(s, &pkt[n]))
			return 1;
	return 0;
}

START_TEST(no_memory)
{
	unsigned int errors = 0;

	for (int side = 0; side < 2; side++) {
		for (uint64_t n = 1; n < 60; n++) {
			struct ql_conn *c = side_open(false, &test_config, 8 << 20);
			struct ql_conn *s = side_open(true, &test_config, 8 << 20);

			ql_mem_fail_at(side ? &s->mem : &c->mem, n);
			errors += (unsigned int)scenario(c, s);
			ql_mem_fail_at(side ? &s->mem : &c->mem, 0);
			side_close(c);
			side_close(s);
		}
	}
	ck_assert_uint_gt(errors, 5);
}
END_TEST

/* ---- The end ---- */

static struct ql_stream *others[2];

static void closed_uses_others(struct ql_stream *s)
{
	struct ql_stream *any;

	ck_assert_int_eq(ql_streams_open(&ql_stream_conn(s)->ss, true, &any), -ENOTCONN);
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert_int_eq(ql_stream_send(others[i], "x", 1, 0), -EPIPE);
		ck_assert_int_eq(ql_stream_reset(others[i], 0), -EPIPE);
		ck_assert_int_eq(ql_stream_stop(others[i], 0), -EPIPE);
		ql_stream_credit(others[i], 10);
	}
}

static unsigned int released;

static void release_uses_others(void *arg)
{
	released++;
	closed_uses_others(arg);
}

START_TEST(fini)
{
	struct ql_conn *c = side_open(false, &test_config, 4 << 20);
	struct packet pkt;

	released = 0;
	for (unsigned int i = 0; i < 2; i++) {
		others[i] = open_stream(c, true);
		ck_assert_int_eq(
			ql_stream_send_ref(others[i], "abc", 3, 0, release_uses_others, others[i]),
			0);
		ck_assert_int_eq(rx_stream(c, i * 4, 100, 10, false), 0);
	}
	ck_assert(build(c, &pkt, 1200));
	c->on_closed = closed_uses_others;
	side_close(c);
	ck_assert_uint_eq(released, 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stream/streams");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 100);
	tcase_add_test(tc, open_limits);
	tcase_add_test(tc, peer_limits);
	tcase_add_test(tc, begin_anew);
	tcase_add_loop_test(tc, smooth, 1, 16);
	tcase_add_loop_test(tc, rough, 1, 16);
	tcase_add_test(tc, sending);
	tcase_add_test(tc, many);
	tcase_add_test(tc, no_memory);
	tcase_add_test(tc, fini);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
