// SPDX-License-Identifier: BSD-3-Clause
/* What the application calls: qlane/stream.h. */
#include "test_stream_util.h"

#include "stream/streams_priv.h"

static struct ql_conn *c;
static unsigned int released;

static void setup(void)
{
	c = side_open(false, &test_config, 4 << 20);
	released = 0;
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

static void on_release(void *arg)
{
	released++;
	if (arg)
		++*(unsigned int *)arg;
}

START_TEST(accessors)
{
	struct ql_stream *s = open_stream(c, false);
	int x;

	ck_assert_uint_eq(ql_stream_id(s), 2);
	ck_assert_ptr_eq(ql_stream_conn(s), c);
	ck_assert_ptr_null(ql_stream_user(s));
	ql_stream_set_user(s, &x);
	ck_assert_ptr_eq(ql_stream_user(s), &x);
	ck_assert(ql_stream_id_is_uni(2) && ql_stream_id_is_uni(3) && !ql_stream_id_is_uni(4));
	ck_assert(ql_stream_id_by_server(1) && ql_stream_id_by_server(3));
	ck_assert(!ql_stream_id_by_server(4));
}
END_TEST

/* As much as the buffer takes; a notice when a quarter of it is free again. */
START_TEST(send_copy)
{
	struct ql_stream *s = open_stream(c, false);
	static uint8_t data[20000];
	struct packet pkt;

	fill(2, 0, data, sizeof(data));
	ck_assert_int_eq(ql_stream_send(s, data, 0, 0), 0);
	ck_assert(!ql_streams_pending(&c->ss));
	ck_assert_int_eq(ql_stream_send(s, data, 16000, 0), 16000);
	ck_assert_int_eq(ql_stream_send(s, data + 16000, 4000, QL_FIN), 384);
	ck_assert_int_eq(ql_stream_send(s, data, 100, 0), 0);
	ck_assert_uint_eq(ql_stream_unsent(s), 16384);
	for (uint64_t sent = 0; sent < 6000;) {
		ck_assert_uint_eq(c->told[2].writable, sent == 16384 - 12288);
		ck_assert(build(c, &pkt, 1024 + (sent ? 4 : 2))); /* the first has no Offset */
		sent += 1024;
		ck_assert_uint_eq(ql_stream_unsent(s), 16384 - sent);
		acked(c, &pkt);
		if (sent == 16384 - 12288)
			break;
	}
	ck_assert_uint_eq(c->told[2].writable, 0);
	all_sent_and_acked();
	ck_assert_uint_eq(c->told[2].writable, 1);
	ck_assert_uint_eq(c->told[2].acked, 16384);
	ck_assert_uint_eq(ql_stream_unsent(s), 0);
	/* FIN had not been given */
	ck_assert_int_eq(ql_stream_send(s, data + 16384, 3616, QL_FIN), 3616);
	ck_assert_int_eq(ql_stream_send(s, data, 1, 0), -EPIPE);
	ck_assert_int_eq(ql_stream_send_ref(s, data, 1, 0, NULL, NULL), -EPIPE);
	all_sent_and_acked();
	ck_assert_uint_eq(c->told[2].closed, 1);
	ck_assert_uint_eq(c->mem.used, 0);
}
END_TEST

/* The release callback: once, when all of it is acknowledged, reset, or over. */
START_TEST(send_ref)
{
	struct ql_stream *s[3];
	unsigned int n[9] = {0};
	struct packet pkt;
	uint8_t *data[9];

	for (unsigned int i = 0; i < 3; i++) {
		s[i] = open_stream(c, false);
		for (unsigned int j = 0; j < 3; j++) {
			data[i * 3 + j] = malloc(1000);
			fill(ql_stream_id(s[i]), j * 1000, data[i * 3 + j], 1000);
			ck_assert_int_eq(ql_stream_send_ref(s[i], data[i * 3 + j], 1000,
							    j == 2 && i == 0 ? QL_FIN : 0,
							    on_release, &n[i * 3 + j]),
					 0);
		}
		ck_assert_uint_eq(ql_stream_unsent(s[i]), 3000);
	}
	ck_assert_int_eq(ql_stream_send(s[0], "x", 1, 0), -EPIPE);
	ck_assert(build(c, &pkt, 1200));
	ck_assert_uint_eq(released, 0);
	acked(c, &pkt);
	ck_assert_uint_eq(released, 1);
	ck_assert_uint_eq(n[0], 1);
	memset(data[0], 0, 1000); /* ours again */
	while (!c->told[2].closed && build(c, &pkt, 1200))
		acked(c, &pkt);
	ck_assert_uint_eq(c->told[2].closed, 1);
	ck_assert_uint_eq(released, 3);
	ck_assert_int_eq(ql_stream_reset(s[1], 0), 0);
	ck_assert_uint_eq(released, 6);
	all_sent_and_acked();
	ck_assert_uint_eq(released, 9);
	ck_assert_int_eq(ql_stream_send_ref(s[2], data[0], 1000, 0, on_release, NULL), 0);
	teardown();
	ck_assert_uint_eq(released, 10);
	for (unsigned int i = 0; i < 9; i++) {
		ck_assert_uint_eq(n[i], 1);
		free(data[i]);
	}
	setup();
}
END_TEST

START_TEST(ended)
{
	struct ql_stream *s = open_stream(c, false);

	ck_assert_int_eq(ql_stream_stop(s, 0), -EPIPE); /* has no such direction */
	ck_assert_int_eq(rx_stream(c, 3, 0, 10, false), 0);
	ck_assert_int_eq(ql_stream_send(c->told[3].s, "x", 1, 0), -EPIPE);
	ck_assert_int_eq(ql_stream_send_ref(c->told[3].s, "x", 1, 0, on_release, NULL), -EPIPE);
	ck_assert_int_eq(ql_stream_reset(c->told[3].s, 0), -EPIPE);
	ck_assert_uint_eq(ql_stream_unsent(c->told[3].s), 0);
	ql_stream_set_priority(c->told[3].s, 0, true);
	ck_assert_uint_eq(released, 0);
	/* no data was received here to give back */
	ql_stream_credit(s, 100);
	ck_assert_uint_eq(c->ss.rx.consumed, 10);
	/* reset is still possible after FIN, until all is acknowledged */
	ck_assert_int_eq(ql_stream_send(s, "x", 1, QL_FIN), 1);
	ck_assert_int_eq(ql_stream_reset(s, 0), 0);
	/* data read to its end leaves nothing to stop */
	ck_assert_int_eq(rx_stream(c, 1, 0, 10, true), 0);
	ck_assert_int_eq(ql_stream_stop(c->told[1].s, 0), -EPIPE);
	/* the peer has reset it */
	ck_assert_int_eq(rx_reset(c, 5, 0, 10), 0);
	ck_assert_int_eq(ql_stream_stop(c->told[5].s, 0), -EPIPE);
}
END_TEST

START_TEST(no_memory)
{
	struct ql_stream *s = open_stream(c, true);
	static uint8_t data[16384];

	fill(0, 0, data, sizeof(data));
	ql_mem_fail_at(&c->mem, 1);
	ck_assert_int_eq(ql_stream_send(s, data, 100, QL_FIN), -ENOMEM);
	ql_mem_fail_at(&c->mem, 1);
	ck_assert_int_eq(ql_stream_send_ref(s, data, 100, QL_FIN, on_release, NULL), -ENOMEM);
	ck_assert_uint_eq(ql_stream_unsent(s), 0);
	ck_assert(!ql_streams_pending(&c->ss));
	ql_mem_fail_at(&c->mem, 2);
	ck_assert_int_eq(ql_stream_send(s, data, 16384, QL_FIN), 16336);
	ck_assert_int_eq(ql_stream_send(s, data + 16336, 48, QL_FIN), 48);
	all_sent_and_acked();
	ck_assert_uint_eq(c->told[0].acked, 16384);
	ck_assert_uint_eq(c->told[0].writable, 1);
	ck_assert_uint_eq(released, 0);
}
END_TEST

/* A stream that feeds itself through stream_writable(). */
static uint64_t fed;

static void feed(struct ql_stream *s)
{
	static uint8_t data[5000];
	ssize_t n;

	while (fed < 100000) {
		size_t len = 100000 - fed < sizeof(data) ? 100000 - fed : sizeof(data);

		fill(ql_stream_id(s), fed, data, len);
		n = ql_stream_send(s, data, len, fed + len == 100000 ? QL_FIN : 0);
		ck_assert_int_ge(n, 0);
		fed += (uint64_t)n;
		if ((size_t)n < len)
			return;
	}
}

START_TEST(writable)
{
	struct ql_conn *server = side_open(true, &test_config, 4 << 20);
	struct ql_stream *s = open_stream(c, false);

	fed = 0;
	c->on_writable = feed;
	feed(s);
	ck_assert_uint_eq(fed, test_config.send_buffer);
	run(c, server);
	ck_assert_uint_eq(server->told[2].got, 100000);
	ck_assert_uint_eq(server->told[2].fin, 1);
	ck_assert_uint_eq(c->told[2].acked, 100000);
	ck_assert_uint_ge(c->told[2].writable, 5);
	ck_assert_uint_eq(c->told[2].closed, 1);
	side_close(server);
}
END_TEST

/* A large congestion window needs more than the buffer; memory that is short, or a cap, sets an
 * end. */
START_TEST(grows)
{
	struct ql_streams_config config = test_config;
	uint64_t least = test_config.send_buffer, free_memory;
	struct ql_conn *big;

	config.send_buffer_cap = 100000;
	big = side_open(false, &config, 4 << 20);
	ck_assert_uint_eq(ql_streams_send_most(&big->ss), least);
	ql_streams_set_pace(&big->ss, 1, 1, least / 2);
	ck_assert_uint_eq(ql_streams_send_most(&big->ss), least);
	ql_streams_set_pace(&big->ss, 1, 1, 30000);
	ck_assert_uint_eq(ql_streams_send_most(&big->ss), 60000);
	ql_streams_set_pace(&big->ss, 1, 1, UINT64_C(1) << 36);
	ck_assert_uint_eq(ql_streams_send_most(&big->ss), 100000);
	big->ss.config.send_buffer_cap = UINT64_C(1) << 40;
	free_memory = big->ss.mem->budget - big->ss.mem->used;
	ck_assert_uint_eq(ql_streams_send_most(&big->ss), free_memory / 4);
	big->ss.config.send_buffer_cap = 1;
	ck_assert_uint_eq(ql_streams_send_most(&big->ss), least);
	side_close(big);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stream/stream_api");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, accessors);
	tcase_add_test(tc, send_copy);
	tcase_add_test(tc, send_ref);
	tcase_add_test(tc, ended);
	tcase_add_test(tc, no_memory);
	tcase_add_test(tc, writable);
	tcase_add_test(tc, grows);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
