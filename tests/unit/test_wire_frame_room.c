// SPDX-License-Identifier: BSD-3-Clause
/*
 * Frames that are fitted into the room there is, and those that cannot be written.
 */
#include "wire/frame.h"

#include "test_wire_util.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct ql_ecn_counts ecn = {.ect0 = 1, .ect1 = 64, .ce = QL_VARINT_MAX};

/* Bytes of a CRYPTO frame (RFC 9000, 19.6). */
static size_t crypto_size(uint64_t offset, size_t len)
{
	return 1 + ql_varint_len(offset) + ql_varint_len(len) + len;
}

/* The data that is said to fit does, and one byte more would not. */
START_TEST(test_crypto_fit)
{
	static const uint64_t offsets[] = {0, 1, 64, 20000, QL_VARINT_MAX - (1 << 20)};
	static const size_t wants[] = {0, 1, 63, 64, 1000, 16383, 16384, 100000};

	for (size_t room = 0; room < 16450; room += room == 200 ? 16100 : 1) {
		for (size_t i = 0; i < COUNT(offsets) * COUNT(wants); i++) {
			uint64_t offset = offsets[i % COUNT(offsets)];
			size_t want = wants[i / COUNT(offsets)], len = 7;

			if (!ql_frame_crypto_fit(room, offset, want, &len)) {
				REQUIRE(crypto_size(offset, 0) > room);
				continue;
			}
			REQUIRE(len <= want);
			REQUIRE(crypto_size(offset, len) <= room);
			if (len < want)
				REQUIRE(crypto_size(offset, len + 1) > room);
		}
	}
}
END_TEST

/* Random ranges into random room: what is written is a head of the list, and all that fits. */
START_TEST(test_ack_truncation)
{
	uint64_t seed = 5;
	unsigned int cut = 0;

	for (int round = 0; round < 20000; round++) {
		struct ql_ack_range r[80], got;
		size_t n = 1 + rnd(&seed) % COUNT(r), room = rnd(&seed) % 200, i = 0;
		unsigned int bits = (unsigned int)(rnd(&seed) % 20);
		uint64_t next = QL_VARINT_MAX >> rnd(&seed) % 30;
		const struct ql_ecn_counts *counts = rnd(&seed) & 1 ? &ecn : NULL;
		uint8_t *out = exact_alloc(room), *end;
		struct ql_ack_iter it;
		struct ql_frame f;
		const uint8_t *p = out;

		for (size_t k = 0; k < n; k++) {
			r[k].end = next - (rnd(&seed) & ((1u << bits) - 1));
			r[k].start = r[k].end - (rnd(&seed) & ((1u << bits) - 1));
			next = r[k].start - 2;
		}
		end = ql_frame_put_ack(out, out + room, r, n, round, counts);
		if (!end) {
			REQUIRE(exact_untouched(out, room));
			REQUIRE(room < 41);
			exact_free(out);
			continue;
		}
		REQUIRE(ql_frame_decode(&p, end, &f) == 0);
		REQUIRE(p == end);
		REQUIRE(f.ack.delay == (uint64_t)round);
		REQUIRE(f.ack.has_ecn == (counts != NULL));
		for (ql_ack_iter_init(&it, &f.ack); ql_ack_iter_next(&it, &got); i++) {
			REQUIRE(i < n);
			REQUIRE(got.start == r[i].start);
			REQUIRE(got.end == r[i].end);
		}
		REQUIRE(i == f.ack.range_count + 1);
		if (i < n) {
			size_t more = ql_varint_len(r[i - 1].start - r[i].end - 2) +
				      ql_varint_len(r[i].end - r[i].start);

			/* One byte of slack: the count may have been thought to need two. */
			REQUIRE((size_t)(end - out) + more + 1 > room);
			cut++;
		}
		exact_free(out);
	}
	REQUIRE(cut > 1000);
}
END_TEST

START_TEST(test_close_reason)
{
	/* "a", then three characters of three bytes each */
	static const uint8_t reason[] = {'a', 0xe2, 0x82, 0xac, 0xe2, 0x82, 0xac, 0xe2, 0x82, 0xac};
	static const size_t kept[] = {0, 1, 1, 1, 4, 4, 4, 7, 7, 7, 10, 10};

	for (size_t room = 0; room < 4 + COUNT(kept); room++) {
		uint8_t *out = exact_alloc(room), *end;
		const uint8_t *p = out;
		struct ql_frame f;

		end = ql_frame_put_close(out, out + room, false, 1, 2, reason, sizeof(reason));
		if (room < 4) {
			ck_assert_ptr_null(end);
			ck_assert(exact_untouched(out, room));
		} else {
			ck_assert_ptr_nonnull(end);
			ck_assert_int_eq(ql_frame_decode(&p, end, &f), 0);
			ck_assert_ptr_eq(p, end);
			ck_assert_uint_eq(f.close.code, 1);
			ck_assert_uint_eq(f.close.frame_type, 2);
			ck_assert_uint_eq(f.close.reason_len, kept[room - 4]);
			ck_assert_mem_eq(f.close.reason, reason, f.close.reason_len);
		}
		exact_free(out);
	}
}
END_TEST

/* What no frame can say is not written. */
START_TEST(test_encoder_refusals)
{
	const uint64_t over = QL_VARINT_MAX + 1;
	const struct ql_cid cid = {.len = 4}, empty = {0}, too_long = {.len = 21};
	const struct ql_ack_range range = {3, 5};
	const uint8_t token[QL_RESET_TOKEN_LEN] = {0};
	uint8_t out[100], *end = out + sizeof(out);

	memset(out, 0xa5, sizeof(out));
	ck_assert_ptr_null(ql_frame_put_reset_stream(out, end, over, 0, 0));
	ck_assert_ptr_null(ql_frame_put_reset_stream(out, end, 0, over, 0));
	ck_assert_ptr_null(ql_frame_put_reset_stream(out, end, 0, 0, over));
	ck_assert_ptr_null(ql_frame_put_stop_sending(out, end, 0, over));
	ck_assert_ptr_null(ql_frame_put_new_token(out, end, token, 0));
	ck_assert_ptr_null(ql_frame_put_max_data(out, end, over));
	ck_assert_ptr_null(ql_frame_put_max_stream_data(out, end, over, 0));
	ck_assert_ptr_null(ql_frame_put_max_streams(out, end, true, QL_STREAMS_MAX + 1));
	ck_assert_ptr_null(ql_frame_put_data_blocked(out, end, over));
	ck_assert_ptr_null(ql_frame_put_stream_data_blocked(out, end, 0, over));
	ck_assert_ptr_null(ql_frame_put_streams_blocked(out, end, false, QL_STREAMS_MAX + 1));
	ck_assert_ptr_null(ql_frame_put_new_cid(out, end, 1, 2, &cid, token));
	ck_assert_ptr_null(ql_frame_put_new_cid(out, end, 1, 0, &empty, token));
	ck_assert_ptr_null(ql_frame_put_new_cid(out, end, 1, 0, &too_long, token));
	ck_assert_ptr_null(ql_frame_put_new_cid(out, end, over, 0, &cid, token));
	ck_assert_ptr_null(ql_frame_put_retire_cid(out, end, over));
	ck_assert_ptr_null(ql_frame_put_close(out, end, true, over, 0, NULL, 0));
	ck_assert_ptr_null(ql_frame_put_ack(out, end, &range, 0, 0, NULL));
	ck_assert_ptr_null(ql_frame_put_ack(out, end, &range, 1, over, NULL));
	ck_assert(exact_untouched(out, sizeof(out)));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire/frame room");
	TCase *tc = tcase_create("frame room");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_crypto_fit);
	tcase_add_test(tc, test_ack_truncation);
	tcase_add_test(tc, test_close_reason);
	tcase_add_test(tc, test_encoder_refusals);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
