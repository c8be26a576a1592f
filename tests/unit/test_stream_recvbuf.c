// SPDX-License-Identifier: BSD-3-Clause
#include "stream/recvbuf.h"

#include "test_stream_util.h"

#define ID 7 /* of the pattern */

static struct ql_mem mem;
static struct ql_recvbuf rb;

static void setup(void)
{
	mem_open(&mem, 8 << 20);
	ql_recvbuf_init(&rb);
}

static void teardown(void)
{
	ql_recvbuf_drop(&rb, &mem);
	mem_close(&mem);
}

/* Add a frame of the pattern and take out, with checks, what is in order. */
static int add(uint64_t offset, size_t len, bool fin)
{
	uint8_t *data = malloc(len ? len : 1);
	const uint8_t *p;
	size_t n;
	int rc;

	MUST(data);
	fill(ID, offset, data, len);
	rc = ql_recvbuf_add(&rb, &mem, offset, data, len, fin);
	while (!rc && (n = ql_recvbuf_next(&rb, offset, data, len, &p)) > 0) {
		check_pattern(ID, rb.offset, p, n);
		ql_recvbuf_consume(&rb, &mem, n);
	}
	free(data);
	return rc;
}

/* All bytes up to the final size have been handed on. */
static bool done(const struct ql_recvbuf *r)
{
	return r->offset == r->final_size;
}

START_TEST(in_order)
{
	uint8_t data[100] = {0};
	const uint8_t *p;

	ck_assert_int_eq(ql_recvbuf_add(&rb, &mem, 0, data, 100, false), 0);
	ck_assert_uint_eq(ql_recvbuf_next(&rb, 0, data, 100, &p), 100);
	ck_assert_ptr_eq(p, data); /* not copied */
	ql_recvbuf_consume(&rb, &mem, 40);
	ck_assert_uint_eq(ql_recvbuf_next(&rb, 0, data, 100, &p), 60);
	ck_assert_ptr_eq(p, data + 40);
	ql_recvbuf_consume(&rb, &mem, 60);
	ck_assert_uint_eq(ql_recvbuf_next(&rb, 0, data, 100, &p), 0);
	ck_assert_uint_eq(mem.peak, 0);
	/* the same again, and a part of it with more */
	ck_assert_int_eq(add(0, 100, false), 0);
	ck_assert_uint_eq(rb.offset, 100);
	ck_assert_int_eq(add(50, 100, false), 0);
	ck_assert_uint_eq(rb.offset, 150);
	ck_assert_int_eq(add(150, 0, false), 0);
	ck_assert(!done(&rb));
	ck_assert_int_eq(add(150, 0, true), 0);
	ck_assert(done(&rb));
	ck_assert_uint_eq(mem.peak, 0);
}
END_TEST

/* First received wins, where a later frame lies over a gap and over what is held. */
START_TEST(overlap)
{
	uint8_t first[4] = {'a', 'b', 'c', 'd'}, second[10], out[10];
	const uint8_t *p;
	size_t n;

	memset(second, 'x', sizeof(second));
	ck_assert_int_eq(ql_recvbuf_add(&rb, &mem, 3, first, 4, false), 0);
	ck_assert_uint_eq(ql_recvbuf_next(&rb, 3, first, 4, &p), 0);
	/* ahead of the gap, too */
	ck_assert_int_eq(ql_recvbuf_add(&rb, &mem, 2, second, 6, false), 0);
	ck_assert_int_eq(ql_recvbuf_add(&rb, &mem, 0, second, 10, false), 0);
	while ((n = ql_recvbuf_next(&rb, 0, second, 10, &p)) > 0) {
		memcpy(out + rb.offset, p, n);
		ql_recvbuf_consume(&rb, &mem, n);
	}
	ck_assert_uint_eq(rb.offset, 10);
	ck_assert_mem_eq(out, "xxxabcdxxx", 10);
	ck_assert_uint_eq(mem.used, 0);
}
END_TEST

START_TEST(final_size)
{
	ck_assert_int_eq(add(10, 10, false), 0);
	ck_assert_int_eq(add(0, 5, true), -EPROTO); /* below what was received */
	ck_assert_uint_eq(rb.final_size, QL_SIZE_UNKNOWN);
	ck_assert_int_eq(add(15, 10, true), 0);
	ck_assert_uint_eq(rb.final_size, 25);
	ck_assert_int_eq(add(20, 6, false), -EPROTO); /* beyond it */
	ck_assert_int_eq(add(20, 4, true), -EPROTO);  /* changed */
	ck_assert_int_eq(add(20, 6, true), -EPROTO);
	ck_assert_int_eq(add(20, 5, true), 0);
	ck_assert_int_eq(add(20, 5, false), 0);
	ck_assert_uint_eq(rb.offset, 0);
	ck_assert_int_eq(ql_recvbuf_extent(&rb, 25, true), 0);
	ck_assert_int_eq(ql_recvbuf_extent(&rb, 24, true), -EPROTO);
	ck_assert_int_eq(add(0, 10, false), 0);
	ck_assert(done(&rb));
	ck_assert_int_eq(add(25, 1, false), -EPROTO);
}
END_TEST

/* Random frames of a random stream in random order, with overlaps and duplicates. */
START_TEST(model)
{
	uint64_t seed = (uint64_t)_i, size = 1 + below(&seed, _i % 2 ? 200000 : 3000), next = 0;
	size_t most = 1 + below(&seed, _i % 3 ? 1400 : 40);
	bool *have = calloc(size + 1, 1);
	unsigned int left = 200000;

	ck_assert_ptr_nonnull(have);
	while (!done(&rb)) {
		uint64_t near = rb.offset + 30000 < size ? rb.offset + 30000 : size;
		uint64_t at = below(&seed, 3) ? below(&seed, near + 1) : rb.offset;
		uint64_t max = size - at < most ? size - at : most;
		uint64_t len = below(&seed, max + 1);

		MUST(left-- > 0);
		if (below(&seed, 30) == 0 && rb.offset > 10)
			at = below(&seed, rb.offset),
			len = rb.offset - at < len ? rb.offset - at : len;
		if (left < 150000) /* come to an end */
			at = rb.offset, len = size - at < most ? size - at : most;
		MUST(add(at, len, at + len == size) == 0);
		for (uint64_t i = at; i < at + len; i++)
			have[i] = true;
		while (next < size && have[next])
			next++;
		MUST(rb.offset == next);
		MUST(ql_recvbuf_memory(&rb) <= (rb.high - rb.offset) * 12 / 10 + 8192);
		MUST(ql_recvbuf_memory(&rb) == mem.used);
	}
	ck_assert_uint_eq(mem.used, 0);
	free(have);
}
END_TEST

/* Single bytes with gaps: memory within the bound, and all of it back when the gaps are filled. */
START_TEST(single_bytes)
{
	uint64_t window = 1 << 18;

	for (uint64_t at = 1; at < window; at += 2)
		MUST(add(at, 1, false) == 0);
	ck_assert_uint_le(ql_recvbuf_memory(&rb), window * 12 / 10 + 8192);
	ck_assert_uint_le(mem.peak, window * 12 / 10 + 16384); /* one index growing */
	for (uint64_t at = 0; at < window; at += 2) {
		MUST(add(at, 1, false) == 0);
		MUST(rb.offset == at + 2);
	}
	ck_assert_uint_eq(mem.used, 0);
}
END_TEST

/* A byte here and there costs little, however far; too far is an error and changes nothing. */
START_TEST(far)
{
	uint8_t b = pattern(ID, 4);

	ck_assert_int_eq(ql_recvbuf_add(&rb, &mem, 4, &b, 1, false), 0);
	ck_assert_uint_le(mem.used, 128);
	ck_assert_int_eq(ql_recvbuf_add(&rb, &mem, UINT64_C(400) << 20, &b, 1, false), 0);
	ck_assert_uint_le(mem.used, (1 << 20) + 4200);
	ck_assert_int_eq(ql_recvbuf_add(&rb, &mem, UINT64_C(1) << 61, &b, 1, false), -ENOMEM);
	ck_assert_int_eq(ql_recvbuf_add(&rb, &mem, (UINT64_C(1) << 62) - 1, &b, 1, true), -ENOMEM);
	ck_assert_int_eq(add(0, 4, false), 0);
	ck_assert_uint_eq(rb.offset, 5);
	ql_recvbuf_drop(&rb, &mem);
	ck_assert_uint_eq(mem.used, 0);
	ck_assert_uint_eq(rb.offset, 5);
	ck_assert_int_eq(add(5, 7, false), 0);
	ck_assert_uint_eq(rb.offset, 12);
}
END_TEST

/* Far from the start: the index does not care. */
START_TEST(late)
{
	rb.offset = rb.high = (UINT64_C(1) << 62) - 50000;
	for (uint64_t i = 49; i > 0; i--)
		ck_assert_int_eq(add(rb.offset + i * 1000, 1000, i == 49), 0);
	ck_assert_int_eq(add(rb.offset, 1000, false), 0);
	ck_assert(done(&rb));
	ck_assert_uint_eq(mem.used, 0);
}
END_TEST

/* Each allocation fails once: an error, nothing lost of what was held, nothing leaks. */
START_TEST(no_memory)
{
	for (uint64_t n = 1;; n++) {
		unsigned int failed = 0;

		ql_recvbuf_init(&rb);
		ql_mem_fail_at(&mem, n);
		for (uint64_t i = 40; i-- > 1;)
			while (add(i * 1000, 1000, false)) /* again: it fails once */
				ck_assert_uint_eq(failed++, 0);
		ck_assert_int_eq(add(0, 1000, false), 0);
		ck_assert_uint_eq(rb.offset, 40000);
		ck_assert_uint_eq(mem.used, 0);
		if (!failed)
			break;
		ck_assert_uint_lt(n, 1000);
	}
	ql_mem_fail_at(&mem, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stream/recvbuf");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, in_order);
	tcase_add_test(tc, overlap);
	tcase_add_test(tc, final_size);
	tcase_add_loop_test(tc, model, 1, 41);
	tcase_add_test(tc, single_bytes);
	tcase_add_test(tc, far);
	tcase_add_test(tc, late);
	tcase_add_test(tc, no_memory);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
