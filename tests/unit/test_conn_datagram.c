// SPDX-License-Identifier: BSD-3-Clause
/*
 * Unreliable datagrams (RFC 9221): the queue by itself, and datagrams between two engines.
 */
#include "test_engine_util.h"

#include <errno.h>
#include <stdlib.h>

#include <rte_mbuf.h>

#include "conn/datagram.h"

/* ---- The queue ---- */

#define REGION ((size_t)1 << 20)
#define ROOM   1100

static struct ql_mem mem;
static void *region;
static struct ql_sent sent;
static struct ql_datagrams queue;

static void setup(void)
{
	region = aligned_alloc(64, REGION);
	ck_assert_ptr_nonnull(region);
	ql_mem_init(&mem, region, REGION);
	ql_sent_init(&sent, &mem, 0);
	ql_datagrams_init(&queue, 0, 4000, 5);
	queue.tx_max = 65535;
}

static void teardown(void)
{
	ql_datagrams_fini(&queue, &mem);
	ql_sent_clear(&sent);
	ck_assert_uint_eq(queue.count, 0);
	ck_assert_uint_eq(queue.bytes, 0);
	ck_assert_uint_eq(mem.used, 0);
	free(region);
}

/* len bytes of the value id. */
static int add(size_t len, uint64_t expiry, uint64_t id, uint64_t now)
{
	uint8_t data[2000];

	memset(data, (int)id, sizeof(data));
	return ql_datagrams_add(&queue, &mem, data, len, expiry, id, now, ROOM);
}

/* One packet with room bytes for frames. How much of it was used. */
static size_t put(uint8_t *buf, size_t room, uint64_t now)
{
	uint8_t *p;

	ck_assert_int_eq(ql_sent_begin(&sent, ql_sent_next(&sent)), 0);
	p = ql_datagrams_put(&queue, &mem, buf, buf + room, &sent, now, ROOM);
	ql_sent_commit(&sent, now, (uint16_t)room, QL_SENT_ELICITING);
	return (size_t)(p - buf);
}

/* A frame of len bytes of the value id at *p. */
static void check_frame(const uint8_t **p, const uint8_t *end, size_t len, uint64_t id)
{
	struct ql_frame f;

	ck_assert_int_eq(ql_frame_decode(p, end, &f), 0);
	ck_assert_uint_eq(f.wire_type, 0x31);
	ck_assert_uint_eq(f.datagram.len, len);
	for (size_t i = 0; i < len; i++)
		ck_assert_uint_eq(f.datagram.data[i], id);
}

START_TEST(test_order)
{
	uint8_t buf[ROOM];
	const uint8_t *p = buf;
	struct ql_sent_iter it;
	struct ql_sent_frame *f;
	size_t n;

	ck_assert_int_eq(add(100, 0, 1, 0), 0);
	ck_assert_int_eq(add(0, 0, 2, 0), 0);
	ck_assert_int_eq(add(500, 0, 3, 0), 0);
	ck_assert_int_eq(add(700, 0, 4, 0), 0);
	n = put(buf, ROOM, 0);
	check_frame(&p, buf + n, 100, 1);
	check_frame(&p, buf + n, 0, 2);
	check_frame(&p, buf + n, 500, 3);
	ck_assert_ptr_eq(p, buf + n);
	f = ql_sent_frames(&it, ql_sent_at(&sent, 0));
	for (uint64_t id = 1; id <= 3; id++, f = ql_sent_frames_next(&it)) {
		ck_assert_uint_eq(f->kind, QL_SENT_DATAGRAM);
		ck_assert_uint_eq(f->id, id);
	}
	ck_assert_ptr_null(f);
	ck_assert_uint_eq(queue.count, 1);
	ck_assert_uint_eq(queue.sent, 3);
	/* It waits for a packet with more room. */
	ck_assert_uint_eq(put(buf, 700, 0), 0);
	ck_assert_uint_eq(put(buf, 703, 0), 703);
	ck_assert_uint_eq(queue.count, 0);
}
END_TEST

START_TEST(test_sizes)
{
	static const uint64_t maxima[] = {2, 3, 65, 66, 67, 1000, ROOM, 65535};
	uint8_t buf[ROOM];

	for (unsigned int i = 0; i < sizeof(maxima) / sizeof(maxima[0]); i++) {
		uint64_t most = maxima[i] < ROOM ? maxima[i] : ROOM;
		size_t fit;

		queue.tx_max = maxima[i];
		fit = ql_datagrams_fit(&queue, ROOM);
		ck_assert_uint_lt(fit, most);
		ck_assert_int_eq(add(fit + 1, 0, 1, 0), -EMSGSIZE);
		ck_assert_int_eq(add(fit, 0, 1, 0), 0);
		ck_assert_uint_le(put(buf, ROOM, 0), most);
		ck_assert_uint_eq(queue.count, 0);
		/* No larger one would have been within the limit. */
		ck_assert_uint_gt(ql_frame_datagram_hdr_size(fit + 1, true) + fit + 1, most);
	}
	for (queue.tx_max = 0; queue.tx_max < 2; queue.tx_max++) {
		ck_assert_uint_eq(ql_datagrams_fit(&queue, ROOM), 0);
		ck_assert_int_eq(add(0, 0, 1, 0), -EOPNOTSUPP);
	}
}
END_TEST

START_TEST(test_limits)
{
	for (uint64_t i = 0; i < 5; i++)
		ck_assert_int_eq(add(1, 0, i, 0), 0);
	ck_assert_int_eq(add(1, 0, 5, 0), -EAGAIN);
	ql_datagrams_fini(&queue, &mem);
	for (uint64_t i = 0; i < 4; i++)
		ck_assert_int_eq(add(1000, 0, i, 0), 0);
	ck_assert_int_eq(add(1, 0, 5, 0), -EAGAIN);
	ck_assert_int_eq(add(0, 0, 5, 0), 0);
	ql_datagrams_fini(&queue, &mem);
	ql_mem_fail_at(&mem, 1);
	ck_assert_int_eq(add(1, 0, 5, 0), -ENOMEM);
	ck_assert_int_eq(add(1, 0, 5, 0), 0);
	ck_assert_uint_eq(queue.count, 1);
}
END_TEST

START_TEST(test_expiry)
{
	uint8_t buf[ROOM];
	const uint8_t *p = buf;
	size_t n;

	ck_assert_int_eq(add(10, 100, 1, 0), 0);
	ck_assert_int_eq(add(20, 0, 2, 0), 0);
	ck_assert_int_eq(add(30, 101, 3, 0), 0);
	ck_assert_int_eq(add(40, 50, 4, 0), 0);
	ck_assert_int_eq(add(50, 90, 5, 0), 0);
	/* A full queue makes room. */
	ck_assert_int_eq(add(60, 0, 6, 49), -EAGAIN);
	ck_assert_int_eq(add(60, 0, 6, 50), 0);
	ck_assert_uint_eq(queue.dropped, 1);
	n = put(buf, ROOM, 100);
	check_frame(&p, buf + n, 20, 2);
	check_frame(&p, buf + n, 30, 3);
	check_frame(&p, buf + n, 60, 6);
	ck_assert_ptr_eq(p, buf + n);
	ck_assert_uint_eq(queue.dropped, 3);
	ck_assert_uint_eq(queue.sent, 3);
}
END_TEST

/* Packets have become smaller: what does not fit any more must not block the others. */
START_TEST(test_too_large_now)
{
	uint8_t buf[ROOM];
	uint8_t *p;

	ck_assert_int_eq(add(1000, 0, 1, 0), 0);
	ck_assert_int_eq(add(10, 0, 2, 0), 0);
	ck_assert_int_eq(ql_sent_begin(&sent, 0), 0);
	p = ql_datagrams_put(&queue, &mem, buf, buf + 900, &sent, 0, 900);
	ck_assert_uint_eq((size_t)(p - buf), 12);
	ck_assert_uint_eq(queue.dropped, 1);
	ql_sent_abort(&sent);
	/* Or the server takes less than the one did that early data was for. */
	ck_assert_int_eq(add(500, 0, 3, 0), 0);
	ck_assert_int_eq(add(100, 0, 4, 0), 0);
	queue.tx_max = 200;
	ck_assert_int_eq(ql_sent_begin(&sent, 0), 0);
	p = ql_datagrams_put(&queue, &mem, buf, buf + 900, &sent, 0, 900);
	ck_assert_uint_eq((size_t)(p - buf), 103);
	ck_assert_uint_eq(queue.dropped, 2);
	ql_sent_abort(&sent);
}
END_TEST

/* Without a record the datagram waits. */
START_TEST(test_no_record)
{
	uint8_t buf[ROOM];

	ck_assert_int_eq(add(10, 0, 1, 0), 0);
	ck_assert_int_eq(ql_sent_begin(&sent, 0), 0);
	ql_mem_fail_at(&mem, 1);
	ck_assert_ptr_eq(ql_datagrams_put(&queue, &mem, buf, buf + ROOM, &sent, 0, ROOM), buf);
	ck_assert_uint_eq(queue.count, 1);
	ql_sent_abort(&sent);
}
END_TEST

START_TEST(test_allowed)
{
	ck_assert(!ql_datagrams_allowed(&queue, 0x30, 0));
	queue.rx_max = 66;
	ck_assert(ql_datagrams_allowed(&queue, 0x30, 65));
	ck_assert(!ql_datagrams_allowed(&queue, 0x30, 66));
	ck_assert(ql_datagrams_allowed(&queue, 0x31, 63));
	ck_assert(!ql_datagrams_allowed(&queue, 0x31, 64));
}
END_TEST

/* ---- Between two engines ---- */

#define IDS 4096

struct side {
	struct ql_conn_ops ops;
	struct ql_conn *conn;
	unsigned int received, acked, lost;
	uint64_t bytes;
	uint8_t seen[IDS], acks[IDS], losses[IDS]; /* how often, by id */
	bool echo, close;
};

static struct side sides[2];

static struct side *side_of(const struct ql_conn *conn)
{
	return &sides[ql_conn_is_server(conn) ? SIM_SERVER : SIM_CLIENT];
}

/* Datagrams of these tests: the id, then bytes of its value. */
static void on_datagram(struct ql_conn *conn, const uint8_t *data, size_t len)
{
	struct side *s = side_of(conn);
	uint64_t id;

	ck_assert_uint_ge(len, sizeof(id));
	memcpy(&id, data, sizeof(id));
	ck_assert_uint_lt(id, IDS);
	for (size_t i = sizeof(id); i < len; i++)
		ck_assert_uint_eq(data[i], (uint8_t)id);
	s->seen[id]++;
	s->received++;
	s->bytes += len;
	if (s->echo)
		ck_assert_int_eq(ql_datagram_send(conn, data, len, 0, id), 0);
	if (s->close)
		ql_conn_close(conn, 7, NULL);
}

static void on_acked(struct ql_conn *conn, uint64_t id)
{
	side_of(conn)->acked++;
	side_of(conn)->acks[id]++;
}

static void on_lost(struct ql_conn *conn, uint64_t id)
{
	side_of(conn)->lost++;
	side_of(conn)->losses[id]++;
}

/* An open connection, whose job is that of the client, with datagrams of up to max. */
static void open_job(struct sim_pair *p, struct ql_transport *t, const struct sim_link *link,
		     const struct sim_job *job)
{
	memset(sides, 0, sizeof(sides));
	sim_pair_open(p, 1, NULL, t, job);
	if (link)
		sim_pair_link(p, link);
	ck_assert_int_eq(sim_pair_connect(p), 0);
	ck_assert_uint_eq(ql_datagram_max(conn_of(p, SIM_CLIENT)), 0);
	ck_assert_int_eq(ql_datagram_send(conn_of(p, SIM_CLIENT), "x", 1, 0, 0), -ENOTCONN);
	while (!p->app[SIM_CLIENT].connected || !p->app[SIM_SERVER].connected)
		sim_run(p->sim, 1 * MS, NULL, NULL);
	for (unsigned int i = 0; i < 2; i++) {
		struct side *s = &sides[i];

		s->conn = conn_of(p, i);
		s->ops = *s->conn->ops;
		s->ops.datagram = on_datagram;
		s->ops.datagram_acked = on_acked;
		s->ops.datagram_lost = on_lost;
		s->conn->ops = &s->ops;
	}
}

static void open_pair(struct sim_pair *p, uint64_t max, const struct sim_link *link)
{
	struct ql_transport t = {.max_datagram_frame_size = max};
	struct sim_job job = {.keep_open = true};

	open_job(p, &t, link, &job);
}

static int send_one(unsigned int side, uint64_t id, size_t len, uint64_t expiry)
{
	uint8_t data[2000];

	memset(data, (uint8_t)id, sizeof(data));
	memcpy(data, &id, sizeof(id));
	return ql_datagram_send(sides[side].conn, data, len, expiry, id);
}

static void close_pair(struct sim_pair *p)
{
	ql_conn_close(sides[SIM_CLIENT].conn, 0, NULL);
	run_out(p, 40 * SEC);
	finish(p);
}

START_TEST(test_echo)
{
	struct ql_conn_stats stats;
	struct sim_pair p;
	size_t most;

	open_pair(&p, 65535, NULL);
	sides[SIM_SERVER].echo = true;
	most = ql_datagram_max(sides[SIM_CLIENT].conn);
	ck_assert_uint_eq(most, 1200 - 1 - QL_LOCAL_CID_LEN - 4 - QL_TAG_LEN - 3);
	ck_assert_int_eq(send_one(SIM_CLIENT, 0, most + 1, 0), -EMSGSIZE);
	for (uint64_t id = 0; id < 200; id++)
		ck_assert_int_eq(send_one(SIM_CLIENT, id, most - id, 0), 0);
	sim_run(p.sim, 1 * SEC, NULL, NULL);
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert_uint_eq(sides[i].received, 200);
		ck_assert_uint_eq(sides[i].acked, 200);
		ck_assert_uint_eq(sides[i].lost, 0);
		for (unsigned int id = 0; id < 200; id++)
			ck_assert(sides[i].seen[id] == 1 && sides[i].acks[id] == 1);
		ql_conn_stats(sides[i].conn, &stats);
		ck_assert_uint_eq(stats.rx_datagrams, 200);
		ck_assert_uint_eq(stats.tx_datagrams, 200);
		ck_assert_uint_eq(stats.lost_datagrams + stats.dropped_datagrams, 0);
	}
	close_pair(&p);
}
END_TEST

/* Every datagram comes at most once, and each has an end. */
START_TEST(test_loss)
{
	struct sim_link link = {.rate = 100 * MB,
				.delay = 10 * MS,
				.loss = SIM_MILLION / 10,
				.duplicate = SIM_MILLION / 20,
				.reorder = SIM_MILLION / 50,
				.reorder_delay = 5 * MS};
	struct ql_conn_stats stats;
	unsigned int missing = 0;
	struct sim_pair p;

	open_pair(&p, 65535, &link);
	for (uint64_t id = 0; id < 2000; id++) {
		ck_assert_int_eq(send_one(SIM_CLIENT, id, 600, 0), 0);
		sim_run(p.sim, 6 * MS, NULL, NULL);
	}
	sim_run(p.sim, 5 * SEC, NULL, NULL);
	for (unsigned int id = 0; id < 2000; id++) {
		const struct side *c = &sides[SIM_CLIENT];

		ck_assert_uint_le(sides[SIM_SERVER].seen[id], 1);
		ck_assert_uint_le(c->acks[id], sides[SIM_SERVER].seen[id]);
		ck_assert_uint_le(c->losses[id], 1);
		ck_assert_uint_ge(c->acks[id] + c->losses[id], 1);
		missing += sides[SIM_SERVER].seen[id] == 0;
	}
	ck_assert_uint_gt(missing, 100);
	ck_assert_uint_lt(missing, 300);
	ql_conn_stats(sides[SIM_CLIENT].conn, &stats);
	ck_assert_uint_eq(stats.tx_datagrams, 2000);
	ck_assert_uint_ge(stats.lost_datagrams, missing);
	ck_assert_uint_eq(stats.lost_datagrams, sides[SIM_CLIENT].lost);
	close_pair(&p);
}
END_TEST

/* Congestion control holds them back: the queue fills, and those that waited too long are dropped.
 */
START_TEST(test_congestion)
{
	struct sim_link link = {.rate = 1 * MB, .delay = 20 * MS, .queue = 20};
	unsigned int refused = 0, taken = 0;
	struct ql_conn_stats stats;
	struct sim_pair p;
	uint64_t now;

	open_pair(&p, 65535, &link);
	/* 8 Mbit/s for a link of 1 Mbit/s */
	for (uint64_t id = 0; id < 4000; id++) {
		int rc = send_one(SIM_CLIENT, id, 1000, 0);

		ck_assert(rc == 0 || rc == -EAGAIN);
		refused += rc < 0;
		taken += rc == 0;
		sim_run(p.sim, 1 * MS, NULL, NULL);
	}
	ck_assert_uint_gt(refused, 3000);
	ck_assert_uint_gt(sides[SIM_SERVER].bytes, 250 * KB);
	sim_run(p.sim, 10 * SEC, NULL, NULL);
	ck_assert_uint_ge(sides[SIM_CLIENT].acked + sides[SIM_CLIENT].lost, taken);
	ck_assert_uint_le(sides[SIM_SERVER].received, taken);

	/* Old ones go. */
	now = sim_now(p.sim);
	for (uint64_t id = 0; id < 250; id++)
		ck_assert_int_eq(send_one(SIM_CLIENT, id, 1000, now + 100 * MS), 0);
	sim_run(p.sim, 10 * SEC, NULL, NULL);
	ql_conn_stats(sides[SIM_CLIENT].conn, &stats);
	ck_assert_uint_gt(stats.dropped_datagrams, 100);
	ck_assert_uint_eq(stats.tx_datagrams + stats.dropped_datagrams, taken + 250);
	close_pair(&p);
}
END_TEST

/* Streams and datagrams that both have more than the path carries get about the same. */
START_TEST(test_fair)
{
	struct sim_link link = {.rate = 10 * MB, .delay = 10 * MS, .queue = 50};
	struct ql_transport t = {.max_datagram_frame_size = 65535};
	struct sim_job job = {.streams = 1, .upload = 100 * MB, .keep_open = true};
	struct sim_pair p;
	uint64_t start;

	open_job(&p, &t, &link, &job);
	start = p.app[SIM_SERVER].received;
	for (unsigned int i = 0; i < 3000; i++) {
		while (send_one(SIM_CLIENT, i, 1000, 0) == 0)
			;
		sim_run(p.sim, 1 * MS, NULL, NULL);
	}
	start = p.app[SIM_SERVER].received - start;
	ck_assert_uint_gt(start + sides[SIM_SERVER].bytes, 2500 * KB);
	ck_assert_uint_gt(start, sides[SIM_SERVER].bytes / 2);
	ck_assert_uint_gt(sides[SIM_SERVER].bytes, start / 2);
	close_pair(&p);
}
END_TEST

/* Each side says what it takes. */
START_TEST(test_one_way)
{
	struct ql_transport t = {0};
	struct sim_job job = {.keep_open = true};
	struct sim_pair p;

	memset(sides, 0, sizeof(sides));
	sim_pair_open(&p, 1, NULL, &t, &job);
	p.transport[SIM_CLIENT].max_datagram_frame_size = 500;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 500 * MS, NULL, NULL);
	for (unsigned int i = 0; i < 2; i++)
		sides[i].conn = conn_of(&p, i);
	ck_assert_uint_eq(ql_datagram_max(sides[SIM_CLIENT].conn), 0);
	ck_assert_int_eq(send_one(SIM_CLIENT, 0, 10, 0), -EOPNOTSUPP);
	ck_assert_uint_eq(ql_datagram_max(sides[SIM_SERVER].conn), 497);
	ck_assert_int_eq(send_one(SIM_SERVER, 0, 498, 0), -EMSGSIZE);
	/* An application without callbacks of its own for them. */
	ck_assert_int_eq(send_one(SIM_SERVER, 0, 497, 0), 0);
	sim_run(p.sim, 500 * MS, NULL, NULL);
	ck_assert_uint_eq(sides[SIM_CLIENT].conn->datagrams.received, 1);
	close_pair(&p);
}
END_TEST

START_TEST(test_too_large)
{
	uint8_t frame[102] = {QL_FRAME_DATAGRAM};

	for (unsigned int more = 0; more < 2; more++) {
		struct sim_pair p;

		open_pair(&p, 101, NULL);
		send_frames(&p, SIM_CLIENT, QL_SPACE_APP, frame, 101 + more);
		ck_assert_uint_eq(sides[SIM_SERVER].received, more ? 0 : 1);
		if (!more)
			ql_conn_close(sides[SIM_CLIENT].conn, 0, NULL);
		run_out(&p, 40 * SEC);
		if (more) {
			ck_assert_int_eq(p.app[SIM_CLIENT].close.cause, QL_CLOSE_PEER);
			ck_assert_uint_eq(p.app[SIM_CLIENT].close.error, QL_ERR_PROTOCOL_VIOLATION);
			ck_assert_uint_eq(p.app[SIM_CLIENT].close.frame_type, QL_FRAME_DATAGRAM);
		}
		finish(&p);
	}
}
END_TEST

/* Closing, with a queue, within the callback: what waits is given back. */
START_TEST(test_close)
{
	struct sim_pair p;

	open_pair(&p, 65535, NULL);
	sides[SIM_SERVER].close = true;
	for (uint64_t id = 0; id < 200; id++) {
		ck_assert_int_eq(send_one(SIM_CLIENT, id, 1000, 0), 0);
		ck_assert_int_eq(send_one(SIM_SERVER, id, 1000, 0), 0);
	}
	run_out(&p, 40 * SEC);
	ck_assert_uint_eq(sides[SIM_SERVER].received, 1);
	ck_assert_uint_eq(p.app[SIM_CLIENT].close.error, 7);
	finish(&p);
}
END_TEST

/* Memory that runs out anywhere costs datagrams, and no more. */
START_TEST(test_no_memory)
{
	struct sim_pair p;
	unsigned int failed = 0;

	open_pair(&p, 65535, NULL);
	for (uint64_t i = 0; i < 300; i++) {
		ql_mem_fail_at(sides[SIM_CLIENT].conn->host->mem, 1 + i % 7);
		failed += send_one(SIM_CLIENT, i, 500, 0) == -ENOMEM;
		sim_run(p.sim, 1 * MS, NULL, NULL);
	}
	ql_mem_fail_at(sides[SIM_CLIENT].conn->host->mem, 0);
	sim_run(p.sim, 1 * SEC, NULL, NULL);
	ck_assert_uint_gt(failed, 10);
	ck_assert_uint_eq(sides[SIM_SERVER].received, 300 - failed);
	close_pair(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conn/datagram");
	TCase *tc = tcase_create("queue");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_order);
	tcase_add_test(tc, test_sizes);
	tcase_add_test(tc, test_limits);
	tcase_add_test(tc, test_expiry);
	tcase_add_test(tc, test_too_large_now);
	tcase_add_test(tc, test_no_record);
	tcase_add_test(tc, test_allowed);
	suite_add_tcase(s, tc);

	tc = new_case(s, "pair");
	tcase_add_test(tc, test_echo);
	tcase_add_test(tc, test_loss);
	tcase_add_test(tc, test_congestion);
	tcase_add_test(tc, test_fair);
	tcase_add_test(tc, test_one_way);
	tcase_add_test(tc, test_too_large);
	tcase_add_test(tc, test_close);
	tcase_add_test(tc, test_no_memory);
	return run_suite(s);
}
