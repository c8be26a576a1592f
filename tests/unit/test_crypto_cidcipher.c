// SPDX-License-Identifier: BSD-3-Clause
/*
 * Against what draft-ietf-quic-load-balancers prints: the example of section 4.3.2.4, and the
 * vectors of appendix B.
 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "crypto/cidcipher.h"
#include "crypto/protect.h"

#define MEMORY (1 << 20)

static uint8_t region[MEMORY] __attribute__((aligned(64)));
static struct ql_mem mem;

static void setup(void)
{
	ck_assert_int_eq(ql_crypto_init(), 0);
	ql_mem_init(&mem, region, sizeof(region));
}

/* Server ID and nonce, and what they become. */
struct vector {
	const char *key;
	size_t len;
	const char *plain, *encrypted;
};

#define APPENDIX_KEY "\x8f\x95\xf0\x92\x45\x76\x5f\x80\x25\x69\x34\xe5\x0c\x66\x20\x7f"

static const struct vector vectors[] = {
	{"\xfd\xf7\x26\xa9\x89\x3e\xc0\x5c\x06\x32\xd3\x95\x66\x80\xba\xf0", 7,
	 "\x31\x44\x1a\x9c\x69\xc2\x75", "\x67\x94\x7d\x29\xbe\x05\x4a"},
	{APPENDIX_KEY, 7, "\xed\x79\x3a\xee\x08\x0d\xbf", "\x20\xb1\xd0\x7b\x35\x9d\x3c"},
	{APPENDIX_KEY, 15, "\xed\x79\x3a\x51\xd4\x9b\x8f\x5f\xab\x65\xee\x08\x0d\xbf\x48",
	 "\xcc\x38\x1b\xc7\x4c\xb4\xfb\xad\x28\x23\xa3\xd1\xf8\xfe\xd2"},
	{APPENDIX_KEY, 16, "\xed\x79\x3a\x51\xd4\x9b\x8f\x5f\xee\x08\x0d\xbf\x48\xc0\xd1\xe5",
	 "\x4d\xd2\xd0\x5a\x7b\x0d\xe9\xb2\xb9\x90\x7a\xfb\x5e\xcf\x8c\xc3"},
	{APPENDIX_KEY, 18,
	 "\xed\x79\x3a\x51\xd4\x9b\x8f\x5f\xab\xee\x08\x0d\xbf\x48\xc0\xd1\xe5\x5d",
	 "\x57\x79\xc9\xcc\x86\xbe\xb3\xa3\xa4\xa3\xca\x96\xfc\xe4\xbf\xe0\xcd\xbc"},
};

START_TEST(test_vectors)
{
	const struct vector *v = &vectors[_i];
	struct ql_cidcipher c;
	uint8_t buf[32];

	ck_assert_int_eq(ql_cidcipher_init(&c, &mem, (const uint8_t *)v->key), 0);
	memset(buf, 0xa5, sizeof(buf));
	memcpy(buf + 1, v->plain, v->len);
	ql_cidcipher_encrypt(&c, buf + 1, v->len);
	ck_assert_mem_eq(buf + 1, v->encrypted, v->len);
	ql_cidcipher_decrypt(&c, buf + 1, v->len);
	ck_assert_mem_eq(buf + 1, v->plain, v->len);
	/* nothing beside it */
	ck_assert_uint_eq(buf[0], 0xa5);
	ck_assert_uint_eq(buf[1 + v->len], 0xa5);
	ql_cidcipher_fini(&c, &mem);
	ck_assert_uint_eq(mem.used, 0);
}
END_TEST

/* Every length: there and back, and each bit of what goes in matters for all that comes out. */
START_TEST(test_lengths)
{
	struct ql_cidcipher c;

	ck_assert_int_eq(ql_cidcipher_init(&c, &mem, (const uint8_t *)APPENDIX_KEY), 0);
	for (size_t len = QL_CIDCIPHER_MIN; len <= QL_CIDCIPHER_MAX; len++) {
		uint8_t plain[20], first[20], other[20];

		for (size_t i = 0; i < len; i++)
			plain[i] = (uint8_t)(17 * i + len);
		memcpy(first, plain, len);
		ql_cidcipher_encrypt(&c, first, len);
		for (size_t bit = 0; bit < 8 * len; bit++) {
			unsigned int same = 0;

			memcpy(other, plain, len);
			other[bit / 8] ^= (uint8_t)(1u << bit % 8);
			ql_cidcipher_encrypt(&c, other, len);
			for (size_t i = 0; i < len; i++)
				same += first[i] == other[i];
			ck_assert_uint_le(same, 3);
			ql_cidcipher_decrypt(&c, other, len);
			other[bit / 8] ^= (uint8_t)(1u << bit % 8);
			ck_assert_mem_eq(other, plain, len);
		}
	}
	ql_cidcipher_fini(&c, &mem);
}
END_TEST

START_TEST(test_no_memory)
{
	struct ql_cidcipher c;

	for (unsigned int n = 1; n <= 2; n++) {
		ql_mem_fail_at(&mem, n);
		ck_assert_int_eq(ql_cidcipher_init(&c, &mem, (const uint8_t *)APPENDIX_KEY),
				 -ENOMEM);
		ck_assert_uint_eq(mem.used, 0);
	}
	ql_cidcipher_fini(&c, &mem);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("crypto/cidcipher");
	TCase *tc = tcase_create("cidcipher");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, test_vectors, 0, sizeof(vectors) / sizeof(vectors[0]));
	tcase_add_test(tc, test_lengths);
	tcase_add_test(tc, test_no_memory);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
