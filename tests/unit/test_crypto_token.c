// SPDX-License-Identifier: BSD-3-Clause
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "crypto/token.h"

#define START (100 * QL_PERIOD)
#define SEC   QL_NSEC_PER_SEC

static _Alignas(64) uint8_t region[1 << 16];
static struct ql_mem mem;
static struct ql_rng rng;
static struct ql_tokens tokens;
static const uint8_t secret[QL_TOKEN_SECRET] = {1, 2, 3};
static uint32_t version = QL_VERSION_1;
static struct ql_addr client;
static struct ql_cid odcid, scid;
static uint8_t token[QL_TOKEN_RETRY_LEN];

static void setup(void)
{
	static const uint8_t seed[QL_RNG_SEED] = {1};

	ck_assert_int_eq(ql_crypto_init(), 0);
	ql_mem_init(&mem, region, sizeof(region));
	ql_rng_init(&rng, seed);
	ck_assert_int_eq(ql_tokens_init(&tokens, &mem, secret), 0);
	ck_assert_int_eq(ql_addr_parse("192.0.2.7:4433", 0, &client), 0);
	ql_cid_set(&odcid, (const uint8_t *)"original destination", 20);
	ql_cid_set(&scid, (const uint8_t *)"retry source", 12);
}

static void setup_wolfcrypt(void)
{
	ck_assert_int_eq(ql_crypto_init(), 0);
	ck_assert_int_eq(ql_crypto_set_backend(QL_CRYPTO_WOLFCRYPT), 0);
	setup();
}

static void teardown(void)
{
	ql_tokens_fini(&tokens);
	ck_assert_uint_eq(mem.used, 0);
}

static size_t make(bool retry, uint64_t now)
{
	if (!retry) {
		ck_assert_int_eq(ql_token_new(&tokens, &rng, now, version, &client, token), 0);
		return QL_TOKEN_NEW_LEN;
	}
	ck_assert_int_eq(ql_token_retry(&tokens, &rng, now, version, &client, ql_cid_view(&odcid),
					&scid, token),
			 0);
	return QL_TOKEN_RETRY_LEN;
}

static int open_at(size_t len, uint64_t now)
{
	struct ql_token out;

	return ql_token_open(&tokens, now, version, &client, ql_cid_view(&scid), token, len, &out);
}

START_TEST(test_round_trip)
{
	struct ql_token out;

	for (size_t len = 0; len <= QL_CID_MAX; len++) {
		ql_cid_set(&odcid, (const uint8_t *)"original destination", len);
		make(true, START + len);
		ck_assert_int_eq(ql_token_kind(token, QL_TOKEN_RETRY_LEN), QL_TOKEN_RETRY);
		ck_assert_int_eq(ql_token_open(&tokens, START + len, version, &client,
					       ql_cid_view(&scid), token, QL_TOKEN_RETRY_LEN, &out),
				 0);
		ck_assert(ql_cid_eq(&out.original_dcid, &odcid));
	}
	make(false, START);
	ck_assert_int_eq(ql_token_kind(token, QL_TOKEN_NEW_LEN), QL_TOKEN_NEW);
	ck_assert_int_eq(open_at(QL_TOKEN_NEW_LEN, START), 0);
	/* The client comes back from another port, and sends to an ID of its choice. */
	client.port++;
	scid.id[0]++;
	ck_assert_int_eq(open_at(QL_TOKEN_NEW_LEN, START), 0);
}
END_TEST

/* Nothing in it repeats, or shows the address. */
START_TEST(test_opaque)
{
	for (unsigned int retry = 0; retry < 2; retry++) {
		uint8_t first[QL_TOKEN_RETRY_LEN];
		size_t len = make(retry, START), same = 0;

		memcpy(first, token, len);
		make(retry, START);
		for (size_t i = 1; i < len; i++)
			same += first[i] == token[i];
		ck_assert_uint_lt(same, 8);
		ck_assert(memmem(token, len, client.ip + 12, 4) == NULL);
		ck_assert(memmem(token, len, odcid.id, 8) == NULL);
	}
}
END_TEST

START_TEST(test_altered)
{
	struct ql_token out;

	for (unsigned int retry = 0; retry < 2; retry++) {
		size_t len = make(retry, START);

		for (size_t bit = 0; bit < 8 * len; bit++) {
			token[bit / 8] ^= (uint8_t)(1u << bit % 8);
			ck_assert_int_eq(open_at(len, START), -EBADMSG);
			token[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		for (size_t cut = 0; cut < len; cut++)
			ck_assert_int_eq(open_at(cut, START), -EBADMSG);
		ck_assert_int_eq(open_at(len, START), 0);
		/* one kind as the other, with the length that this has */
		token[0] ^= 0x80;
		ck_assert_int_eq(open_at(retry ? QL_TOKEN_NEW_LEN : QL_TOKEN_RETRY_LEN, START),
				 -EBADMSG);
	}
	ck_assert_int_eq(ql_token_kind(token, 0), QL_TOKEN_OTHER);
	make(false, START);
	ck_assert_int_eq(ql_token_open(&tokens, START, version, &client,
				       (struct ql_cid_view){.p = token, .len = 21}, token,
				       QL_TOKEN_NEW_LEN, &out),
			 -EBADMSG);
}
END_TEST

START_TEST(test_other_address)
{
	for (unsigned int retry = 0; retry < 2; retry++) {
		size_t len = make(retry, START);

		for (unsigned int bit = 0; bit < 128; bit++) {
			client.ip[bit / 8] ^= (uint8_t)(1u << bit % 8);
			ck_assert_int_eq(open_at(len, START), -EBADMSG);
			client.ip[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		client.port ^= 1;
		ck_assert_int_eq(open_at(len, START), retry ? -EBADMSG : 0);
		client.port ^= 1;
	}
	/* A Retry's, at another connection ID than it gave, or a part of it. */
	make(true, START);
	scid.id[11] ^= 1;
	ck_assert_int_eq(open_at(QL_TOKEN_RETRY_LEN, START), -EBADMSG);
	scid.id[11] ^= 1;
	scid.len--;
	ck_assert_int_eq(open_at(QL_TOKEN_RETRY_LEN, START), -EBADMSG);
}
END_TEST

START_TEST(test_expired)
{
	for (unsigned int retry = 0; retry < 2; retry++) {
		uint64_t life = retry ? QL_TOKEN_RETRY_LIFE : QL_TOKEN_NEW_LIFE;
		/* in the middle of a period, and close to its end */
		uint64_t starts[] = {START + QL_PERIOD / 2, START + QL_PERIOD - 1, 0};

		for (unsigned int i = 0; i < 3; i++) {
			size_t len = make(retry, starts[i]);

			ck_assert_int_eq(open_at(len, starts[i] + life), 0);
			ck_assert_int_eq(open_at(len, starts[i] + life + 1),
					 i == 1 && !retry ? -EBADMSG : -ETIMEDOUT);
			/* with its key gone, too, whatever else the byte that names it may match */
			ck_assert_int_lt(open_at(len, starts[i] + 2 * QL_PERIOD), 0);
			ck_assert_int_lt(open_at(len, starts[i] + 128 * QL_PERIOD), 0);
		}
	}
}
END_TEST

/* For one version of QUIC (RFC 9369, section 5). */
START_TEST(test_version)
{
	for (unsigned int retry = 0; retry < 2; retry++) {
		size_t len = make(retry, START);

		version = QL_VERSION_2;
		ck_assert_int_eq(open_at(len, START), -EBADMSG);
		version = QL_VERSION_1;
		ck_assert_int_eq(open_at(len, START), 0);
	}
}
END_TEST

/* Keys of other secrets and periods are others; a second engine with the secret has the same. */
START_TEST(test_keys)
{
	static struct ql_tokens other;
	uint8_t another[QL_TOKEN_SECRET] = {1, 2, 4};
	struct ql_token out;
	size_t len = make(true, START);

	ck_assert_int_eq(ql_tokens_init(&other, &mem, another), 0);
	ck_assert_int_eq(ql_token_open(&other, START, version, &client, ql_cid_view(&scid), token,
				       len, &out),
			 -EBADMSG);
	ql_tokens_fini(&other);
	ck_assert_int_eq(ql_tokens_init(&other, &mem, secret), 0);
	ck_assert_int_eq(ql_token_open(&other, START, version, &client, ql_cid_view(&scid), token,
				       len, &out),
			 0);
	/* The same byte for the period, of another one: 128 on. */
	ck_assert_int_eq(ql_token_open(&other, START + 128 * QL_PERIOD, version, &client,
				       ql_cid_view(&scid), token, len, &out),
			 -EBADMSG);
	ql_tokens_fini(&other);
}
END_TEST

START_TEST(test_used)
{
	struct ql_token out;

	for (unsigned int retry = 0; retry < 2; retry++) {
		size_t len = make(retry, START);

		ck_assert_int_eq(ql_token_open(&tokens, START, version, &client, ql_cid_view(&scid),
					       token, len, &out),
				 0);
		ck_assert_int_eq(open_at(len, START), 0); /* looking at it does not count */
		ql_token_use(&tokens, &out);
		ck_assert_int_eq(open_at(len, START), -EALREADY);
		/* others are as good as before */
		for (unsigned int i = 0; i < 100; i++)
			ck_assert_int_eq(open_at(make(retry, START), START), 0);
	}
}
END_TEST

START_TEST(test_no_memory)
{
	static struct ql_tokens t;

	for (unsigned int n = 1; n <= 2; n++) {
		size_t used = mem.used;

		ql_mem_fail_at(&mem, n);
		ck_assert_int_eq(ql_tokens_init(&t, &mem, secret), -ENOMEM);
		ck_assert_uint_eq(mem.used, used);
	}
	/* A new period's key: none for now, and another try later. */
	ql_mem_fail_at(&mem, 1);
	ck_assert_int_eq(ql_token_new(&tokens, &rng, START, version, &client, token), -ENOMEM);
	make(false, START);
	ck_assert_int_eq(open_at(QL_TOKEN_NEW_LEN, START), 0);
	make(false, START + QL_PERIOD);
	ck_assert_int_eq(open_at(QL_TOKEN_NEW_LEN, START + QL_PERIOD), 0);
	ql_mem_fail_at(&mem, 1);
	ck_assert_int_eq(open_at(QL_TOKEN_NEW_LEN, START + QL_PERIOD), 0);
	ql_mem_fail_at(&mem, 1);
	token[0]++;
	ck_assert_int_eq(open_at(QL_TOKEN_NEW_LEN, START + 2 * QL_PERIOD), -EBADMSG);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("crypto/token");
	SRunner *sr;
	int failed;

	for (unsigned int i = 0; i < 2; i++) {
		TCase *tc = tcase_create(i ? "wolfcrypt" : "default");

		tcase_add_checked_fixture(tc, i ? setup_wolfcrypt : setup, teardown);
		tcase_add_test(tc, test_round_trip);
		tcase_add_test(tc, test_opaque);
		tcase_add_test(tc, test_altered);
		tcase_add_test(tc, test_other_address);
		tcase_add_test(tc, test_expired);
		tcase_add_test(tc, test_keys);
		tcase_add_test(tc, test_version);
		tcase_add_test(tc, test_used);
		tcase_add_test(tc, test_no_memory);
		suite_add_tcase(s, tc);
	}
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
