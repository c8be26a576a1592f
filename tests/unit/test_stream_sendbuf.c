// SPDX-License-Identifier: BSD-3-Clause
#include "stream/sendbuf.h"

#include "test_stream_util.h"

#define ID 9 /* of the pattern */

static struct ql_mem mem;
static struct ql_sendbuf sb;
static unsigned int released;

static void setup(void)
{
	mem_open(&mem, 16 << 20);
	ql_sendbuf_init(&sb);
	released = 0;
}

static void teardown(void)
{
	ql_sendbuf_drop(&sb, &mem);
	mem_close(&mem);
}

static void copy_in(size_t len)
{
	uint8_t *data = malloc(len);

	fill(ID, sb.size, data, len);
	ck_assert_uint_eq(ql_sendbuf_copy_in(&sb, &mem, data, len), len);
	free(data);
}

struct ref {
	uint8_t *data;
	uint64_t end; /* in the stream */
};

static void on_release(void *arg)
{
	struct ref *ref = arg;

	released++;
	free(ref->data);
	free(ref);
}

static void ref_in(size_t len)
{
	struct ref *ref = malloc(sizeof(*ref));

	ref->data = malloc(len ? len : 1);
	ref->end = sb.size + len;
	fill(ID, sb.size, ref->data, len);
	ck_assert_int_eq(ql_sendbuf_ref_in(&sb, &mem, ref->data, len, on_release, ref), 0);
}

/* Send the next piece of at most most bytes, with a check of its data. */
static bool send_next(size_t most, struct ql_send_span *span, bool *fin)
{
	uint8_t buf[4096];

	if (!ql_sendbuf_next(&sb, span) && !ql_sendbuf_fin_due(&sb))
		return false;
	if (span->len > most)
		span->len = most;
	*fin = sb.fin && span->offset + span->len == sb.size;
	MUST(!span->again || span->offset + span->len <= sb.sent);
	MUST(span->again || span->offset == sb.sent);
	MUST(span->offset >= sb.acked);
	ql_sendbuf_copy_out(&sb, span->offset, buf, span->len);
	check_pattern(ID, span->offset, buf, span->len);
	ql_sendbuf_sent(&sb, &mem, span->offset, span->len, *fin);
	return true;
}

/* As if nothing had been sent: everything comes once more, FIN too, and not as lost data. */
START_TEST(rewinding)
{
	struct ql_send_span span;
	bool fin;

	ql_sendbuf_rewind(&sb, &mem);
	ck_assert(!ql_sendbuf_next(&sb, &span));
	copy_in(3000);
	ref_in(2000);
	sb.fin = true;
	while (send_next(1000, &span, &fin))
		;
	ck_assert(fin);
	ql_sendbuf_lost(&sb, &mem, 0, 500, false);
	ql_sendbuf_lost(&sb, &mem, 4000, 1000, true);
	ck_assert(ql_sendbuf_lost_any(&sb));
	ql_sendbuf_rewind(&sb, &mem);
	ck_assert(!ql_sendbuf_lost_any(&sb));
	ck_assert_uint_eq(ql_sendbuf_unsent(&sb), 5000);
	for (uint64_t at = 0; at < 5000; at += span.len) {
		ck_assert(send_next(700, &span, &fin));
		ck_assert(!span.again);
		ck_assert_uint_eq(span.offset, at);
	}
	ck_assert(fin && !send_next(700, &span, &fin));
	ck_assert_uint_eq(released, 0);
	ql_sendbuf_acked(&sb, &mem, 0, 5000, true);
	ck_assert(ql_sendbuf_done(&sb));
	ck_assert_uint_eq(released, 1);
}
END_TEST

START_TEST(in_order)
{
	struct ql_send_span span;
	const uint8_t *p;
	bool fin;

	ck_assert(!ql_sendbuf_next(&sb, &span));
	copy_in(100);
	copy_in(50);
	ref_in(1000);
	ref_in(0);
	copy_in(20000);
	sb.fin = true;
	ck_assert_uint_eq(ql_sendbuf_unsent(&sb), 21150);
	ck_assert_uint_eq(sb.copied, 20150);
	/* segments: the first block has room for both small pieces or not */
	ck_assert_uint_ge(ql_sendbuf_at(&sb, 0, 1000, &p), 100);
	check_pattern(ID, 0, p, 100);
	ck_assert_uint_eq(ql_sendbuf_at(&sb, 150, 5000, &p), 1000);
	ck_assert_uint_eq(ql_sendbuf_at(&sb, 1149, 5000, &p), 1);
	ck_assert_uint_eq(ql_sendbuf_at(&sb, 1150, 500, &p), 500);
	check_pattern(ID, 1150, p, 500);
	while (send_next(1200, &span, &fin)) {
		ck_assert(!span.again);
		ck_assert(fin == (sb.sent == sb.size));
		ck_assert(!ql_sendbuf_done(&sb));
		ql_sendbuf_acked(&sb, &mem, span.offset, span.len, fin);
		ck_assert_uint_eq(sb.acked, sb.sent);
		ck_assert_uint_eq(released, (sb.acked >= 1150) * 2u);
	}
	ck_assert(ql_sendbuf_done(&sb));
	ck_assert_uint_eq(sb.copied, 0);
	ck_assert_uint_eq(mem.used, 0);
}
END_TEST

/* A FIN that is given after all data has been sent, lost, and sent again. */
START_TEST(late_fin)
{
	struct ql_send_span span;
	bool fin;

	copy_in(10);
	ck_assert(send_next(100, &span, &fin) && !fin);
	ck_assert(!send_next(100, &span, &fin));
	ql_sendbuf_acked(&sb, &mem, 0, 10, false);
	sb.fin = true;
	ck_assert(!ql_sendbuf_done(&sb));
	ck_assert(send_next(100, &span, &fin) && fin);
	ck_assert_uint_eq(span.len, 0);
	ck_assert_uint_eq(span.offset, 10);
	ck_assert(!send_next(100, &span, &fin));
	ql_sendbuf_lost(&sb, &mem, 10, 0, true);
	ck_assert(ql_sendbuf_lost_any(&sb));
	ck_assert(send_next(100, &span, &fin) && fin);
	ck_assert(!ql_sendbuf_lost_any(&sb));
	ql_sendbuf_acked(&sb, &mem, 10, 0, true);
	ck_assert(ql_sendbuf_done(&sb));
	/* the first one was lost after all: nobody cares */
	ql_sendbuf_lost(&sb, &mem, 10, 0, true);
	ck_assert(!ql_sendbuf_lost_any(&sb));
}
END_TEST

/* Only what is neither acknowledged nor below is sent again, lowest first. */
START_TEST(lost_ranges)
{
	struct ql_send_span span;

	copy_in(1000);
	ql_sendbuf_sent(&sb, &mem, 0, 900, false);
	ql_sendbuf_acked(&sb, &mem, 0, 100, false);
	ql_sendbuf_acked(&sb, &mem, 200, 100, false);
	ql_sendbuf_acked(&sb, &mem, 400, 100, false);
	ck_assert_uint_eq(sb.acked, 100);
	ql_sendbuf_lost(&sb, &mem, 0, 600, false);
	ck_assert(ql_sendbuf_next(&sb, &span));
	ck_assert(span.again && span.offset == 100 && span.len == 100);
	ql_sendbuf_sent(&sb, &mem, 100, 60, false);
	ck_assert(ql_sendbuf_next(&sb, &span));
	ck_assert(span.again && span.offset == 160 && span.len == 40);
	ql_sendbuf_acked(&sb, &mem, 300, 50, false); /* late */
	ql_sendbuf_acked(&sb, &mem, 100, 100, false);
	ck_assert_uint_eq(sb.acked, 350);
	ck_assert(ql_sendbuf_next(&sb, &span));
	ck_assert(span.again && span.offset == 350 && span.len == 50);
	/* one frame over several acknowledged ranges */
	ql_sendbuf_acked(&sb, &mem, 350, 140, false);
	ck_assert_uint_eq(sb.acked, 500);
	/* what was never sent cannot be acknowledged or lost */
	ql_sendbuf_lost(&sb, &mem, 800, 200, false);
	ql_sendbuf_acked(&sb, &mem, 500, 500, false);
	ck_assert_uint_eq(sb.acked, 900);
	ck_assert(ql_sendbuf_next(&sb, &span));
	ck_assert(!span.again && span.offset == 900 && span.len == 100);
}
END_TEST

/* More ranges than the sets may have: nothing is lost, all ends well. */
START_TEST(many_ranges)
{
	struct ql_send_span span;
	const uint64_t n = 6000;
	uint8_t *seen = calloc(n, 1);
	bool fin;

	copy_in(n);
	sb.fin = true;
	while (send_next(1, &span, &fin))
		;
	/* half is acknowledged, every second byte, and a third lost */
	for (uint64_t i = 1; i < n; i += 2)
		ql_sendbuf_acked(&sb, &mem, i, 1, i + 1 == n);
	for (uint64_t i = 0; i < n; i += 4)
		ql_sendbuf_lost(&sb, &mem, i, 1, false);
	/* the rest arrives now */
	for (uint64_t i = 2; i < n; i += 4)
		ql_sendbuf_acked(&sb, &mem, i, 1, false);
	MUST(!ql_sendbuf_done(&sb));
	while (send_next(1, &span, &fin))
		seen[span.offset] = 1;
	for (uint64_t i = 0; i < n; i += 4)
		MUST(seen[i]); /* each lost byte was sent again */
	for (uint64_t i = 0; i < n; i++)
		if (seen[i])
			ql_sendbuf_acked(&sb, &mem, i, 1, false);
	MUST(ql_sendbuf_done(&sb));
	ck_assert_uint_eq(mem.used, 0);
	free(seen);
}
END_TEST

#define FLIGHT 200

struct sent {
	uint64_t offset;
	size_t len;
	bool fin, there;
};

/*
 * Random writes, by copy and by reference, random sizes of frames, and each frame acknowledged,
 * lost, or both, in random order: in the end the peer has it all.
 */
START_TEST(model)
{
	static struct sent flight[FLIGHT];
	uint64_t seed = (uint64_t)_i, total = 1 + below(&seed, 300000), lossy = below(&seed, 60);
	uint64_t fails = _i % 4 == 0 ? 20 : 0;
	uint8_t *arrived = calloc(total, 1);
	unsigned int refs = 0, steps = 0;

	memset(flight, 0, sizeof(flight));
	while (!ql_sendbuf_done(&sb)) {
		struct sent *f = &flight[below(&seed, FLIGHT)];
		uint64_t what = below(&seed, 100);
		struct ql_send_span span;
		bool fin;

		MUST(steps++ < 3000000);
		if (steps > 100000)
			lossy = 0;
		if (fails && below(&seed, fails) == 0)
			ql_mem_fail_at(&mem, 1);
		if (what < 20 && !sb.fin && sb.size - sb.acked < 100000) {
			size_t len = 1 + below(&seed, what < 3 ? 30000 : 2000);

			ql_mem_fail_at(&mem, 0);
			if (len > total - sb.size)
				len = total - sb.size;
			if (below(&seed, 2)) {
				copy_in(len);
			} else {
				ref_in(len);
				refs++;
			}
			sb.fin = sb.size == total && below(&seed, 2);
		} else if (what < 22 && sb.size == total) {
			sb.fin = true;
		} else if (!f->there) {
			if (!send_next(1 + below(&seed, 1400), &span, &fin))
				continue;
			*f = (struct sent){span.offset, span.len, fin, true};
		} else if (below(&seed, 100) < lossy) {
			ql_sendbuf_lost(&sb, &mem, f->offset, f->len, f->fin);
			f->there = below(&seed, 10) == 0; /* it was not lost after all */
		} else {
			memset(arrived + f->offset, 1, f->len);
			ql_sendbuf_acked(&sb, &mem, f->offset, f->len, f->fin);
			f->there = false;
		}
		MUST(sb.acked <= sb.sent);
		MUST(sb.sent <= sb.size);
	}
	ck_assert_uint_eq(sb.acked, total);
	for (uint64_t i = 0; i < total; i++)
		MUST(arrived[i]);
	ck_assert_uint_eq(released, refs);
	ql_mem_fail_at(&mem, 0);
	ck_assert_uint_eq(mem.used, 0);
	free(arrived);
}
END_TEST

static struct ql_sendbuf *reenter;

static void release_and_append(void *arg)
{
	released++;
	if (reenter) {
		struct ql_sendbuf *b = reenter;

		reenter = NULL;
		if (arg)
			ql_sendbuf_drop(b, &mem);
		else
			copy_in(10);
	}
}

/* A release callback may use the buffer, or give it up. */
START_TEST(release_reenters)
{
	static uint8_t data[300];

	for (int drop = 0; drop < 2; drop++) {
		ql_sendbuf_drop(&sb, &mem);
		ql_sendbuf_init(&sb);
		fill(ID, 0, data, sizeof(data));
		released = 0;
		for (int i = 0; i < 3; i++)
			ql_sendbuf_ref_in(&sb, &mem, data + 100 * i, 100, release_and_append,
					  drop ? data : NULL);
		ql_sendbuf_sent(&sb, &mem, 0, 300, false);
		reenter = &sb;
		ql_sendbuf_acked(&sb, &mem, 0, 200, false);
		ck_assert_uint_eq(released, drop ? 3 : 2);
		ck_assert_uint_eq(sb.size, drop ? 300 : 310);
	}
	/* without a callback */
	ql_sendbuf_drop(&sb, &mem);
	ck_assert_int_eq(ql_sendbuf_ref_in(&sb, &mem, data, 100, NULL, NULL), 0);
}
END_TEST

START_TEST(no_memory)
{
	uint8_t data[40000];

	fill(ID, 0, data, sizeof(data));
	ql_mem_fail_at(&mem, 1);
	ck_assert_int_eq(ql_sendbuf_ref_in(&sb, &mem, data, 100, on_release, NULL), -ENOMEM);
	ql_mem_fail_at(&mem, 1);
	ck_assert_uint_eq(ql_sendbuf_copy_in(&sb, &mem, data, sizeof(data)), 0);
	ck_assert_uint_eq(sb.size, 0);
	ql_mem_fail_at(&mem, 2);
	ck_assert_uint_gt(ql_sendbuf_copy_in(&sb, &mem, data, sizeof(data)), 0);
	ck_assert_uint_lt(sb.size, sizeof(data));
	copy_in(sizeof(data) - sb.size);
	ck_assert_uint_eq(sb.copied, sizeof(data));
	ql_sendbuf_copy_out(&sb, 0, data, sizeof(data));
	check_pattern(ID, 0, data, sizeof(data));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stream/sendbuf");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, in_order);
	tcase_add_test(tc, late_fin);
	tcase_add_test(tc, lost_ranges);
	tcase_add_test(tc, rewinding);
	tcase_add_test(tc, many_ranges);
	tcase_add_loop_test(tc, model, 1, 41);
	tcase_add_test(tc, release_reenters);
	tcase_add_test(tc, no_memory);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
