// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/hmac.h"

#include <check.h>
#include <string.h>
#include <wolfssl/wolfcrypt/hmac.h>

/* The same as wolfSSL's, of all lengths, and a key can be used again. */
START_TEST(as_wolfssl)
{
	const size_t len = _i ? 48 : 32;
	uint8_t key[48], data[300], ours[48], theirs[48];
	struct ql_hmac m;
	Hmac h;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(7 * i);
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(11 * i + 3);
	ck_assert_int_eq(ql_hmac_init(&m, key, len), 0);
	for (size_t n = 0; n <= sizeof(data); n++) {
		ck_assert_int_eq(wc_HmacInit(&h, NULL, INVALID_DEVID), 0);
		ck_assert_int_eq(wc_HmacSetKey(&h, _i ? WC_SHA384 : WC_SHA256, key, (word32)len),
				 0);
		ck_assert_int_eq(wc_HmacUpdate(&h, data, (word32)n), 0);
		ck_assert_int_eq(wc_HmacFinal(&h, theirs), 0);
		wc_HmacFree(&h);
		ck_assert_int_eq(ql_hmac(&m, data, n, ours), 0);
		ck_assert_mem_eq(ours, theirs, len);
	}
	ql_hmac_fini(&m);
}
END_TEST

/* RFC 4231, section 4.2; its key has 20 bytes, which zeros behind it do not change (RFC 2104). */
START_TEST(rfc4231)
{
	static const uint8_t sha256[] = {0xb0, 0x34, 0x4c, 0x61, 0xd8, 0xdb, 0x38, 0x53,
					 0x5c, 0xa8, 0xaf, 0xce, 0xaf, 0x0b, 0xf1, 0x2b,
					 0x88, 0x1d, 0xc2, 0x00, 0xc9, 0x83, 0x3d, 0xa7,
					 0x26, 0xe9, 0x37, 0x6c, 0x2e, 0x32, 0xcf, 0xf7};
	static const uint8_t sha384[] = {0xaf, 0xd0, 0x39, 0x44, 0xd8, 0x48, 0x95, 0x62, 0x6b, 0x08,
					 0x25, 0xf4, 0xab, 0x46, 0x90, 0x7f, 0x15, 0xf9, 0xda, 0xdb,
					 0xe4, 0x10, 0x1e, 0xc6, 0x82, 0xaa, 0x03, 0x4c, 0x7c, 0xeb,
					 0xc5, 0x9c, 0xfa, 0xea, 0x9e, 0xa9, 0x07, 0x6e, 0xde, 0x7f,
					 0x4a, 0xf1, 0x52, 0xe8, 0xb2, 0xfa, 0x9c, 0xb6};
	const size_t len = _i ? 48 : 32;
	uint8_t key[48] = {0}, out[48];
	struct ql_hmac m;

	memset(key, 0x0b, 20);
	ck_assert_int_eq(ql_hmac_init(&m, key, len), 0);
	ck_assert_int_eq(ql_hmac(&m, (const uint8_t *)"Hi There", 8, out), 0);
	ck_assert_mem_eq(out, _i ? sha384 : sha256, len);
	ql_hmac_fini(&m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("crypto/hmac");
	TCase *tc = tcase_create("hmac");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, as_wolfssl, 0, 2);
	tcase_add_loop_test(tc, rfc4231, 0, 2);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
