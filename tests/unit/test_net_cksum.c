// SPDX-License-Identifier: BSD-3-Clause
#include "net/cksum.h"

#include <check.h>
#include <rte_ip.h>

#include "crypto/rng.h"

/* DPDK's, of any length, from any address; and where all words are as large as they can be. */
START_TEST(as_dpdk)
{
	static uint8_t data[65535 + 8];
	struct ql_rng rng;

	ql_rng_init(&rng, (const uint8_t[QL_RNG_SEED]){1});
	ql_rng_bytes(&rng, data, sizeof(data));
	if (_i == 1)
		memset(data, 0xff, sizeof(data));
	for (size_t len = 0; len < 2000; len++)
		for (size_t off = 0; off < 4; off++)
			ck_assert_uint_eq(ql_raw_cksum(data + off, len),
					  rte_raw_cksum(data + off, len));
	for (size_t len = 65400; len <= 65535; len++)
		ck_assert_uint_eq(ql_raw_cksum(data + 1, len), rte_raw_cksum(data + 1, len));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/cksum");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, as_dpdk, 0, 2);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
