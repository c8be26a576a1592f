// SPDX-License-Identifier: BSD-3-Clause
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "crypto/retry.h"
#include "crypto_vectors.h"

/* A.4 of both RFCs: the tag is made, verified, and broken by any change of any byte. */
START_TEST(sample)
{
	const struct vectors *v = &vectors[_i];
	uint8_t dcid[8], pkt[64], tag[QL_TAG_LEN];
	size_t len = unhex(v->retry, pkt, sizeof(pkt));

	unhex(VECTOR_DCID, dcid, sizeof(dcid));
	ck_assert_int_eq(ql_retry_tag(v->version, dcid, 8, pkt, len - QL_TAG_LEN, tag), 0);
	ck_assert_mem_eq(tag, pkt + len - QL_TAG_LEN, QL_TAG_LEN);
	ck_assert(ql_retry_verify(v->version, dcid, 8, pkt, len));
	for (size_t i = 0; i < len; i++) {
		pkt[i] ^= 1;
		ck_assert(!ql_retry_verify(v->version, dcid, 8, pkt, len));
		pkt[i] ^= 1;
	}
	for (size_t i = 0; i < sizeof(dcid); i++) {
		dcid[i] ^= 0x80;
		ck_assert(!ql_retry_verify(v->version, dcid, 8, pkt, len));
		dcid[i] ^= 0x80;
	}
	ck_assert(!ql_retry_verify(v->version, dcid, 7, pkt, len));
	ck_assert(!ql_retry_verify(vectors[!_i].version, dcid, 8, pkt, len));
	for (size_t cut = 0; cut < len; cut++)
		ck_assert(!ql_retry_verify(v->version, dcid, 8, pkt, cut));
}
END_TEST

/* Where the connection ID ends is part of what the tag covers. */
START_TEST(cid_length_counts)
{
	static const uint8_t bytes[32] = "connection ID, then the packet";
	uint8_t a[QL_TAG_LEN], b[QL_TAG_LEN];

	ck_assert_int_eq(ql_retry_tag(QL_VERSION_1, bytes, 8, bytes + 8, 24, a), 0);
	ck_assert_int_eq(ql_retry_tag(QL_VERSION_1, bytes, 9, bytes + 9, 23, b), 0);
	ck_assert_mem_ne(a, b, sizeof(a));
}
END_TEST

START_TEST(bounds)
{
	static uint8_t pkt[QL_RETRY_MAX + 1];
	uint8_t cid[21] = {0};

	ck_assert_int_eq(ql_retry_tag(QL_VERSION_1, cid, 20, pkt, QL_RETRY_MAX - QL_TAG_LEN,
				      pkt + QL_RETRY_MAX - QL_TAG_LEN),
			 0);
	ck_assert(ql_retry_verify(QL_VERSION_1, cid, 20, pkt, QL_RETRY_MAX));
	ck_assert(!ql_retry_verify(QL_VERSION_1, cid, 20, pkt, QL_RETRY_MAX + 1));
	ck_assert_int_eq(
		ql_retry_tag(QL_VERSION_1, cid, 20, pkt, QL_RETRY_MAX - QL_TAG_LEN + 1, cid),
		-EMSGSIZE);
	ck_assert_int_eq(ql_retry_tag(QL_VERSION_1, cid, 21, pkt, 40, pkt + 40), -EMSGSIZE);
	ck_assert_int_eq(ql_retry_tag(0, cid, 20, pkt, 40, pkt + 40), -EPROTONOSUPPORT);
	ck_assert_int_eq(ql_retry_tag(QL_VERSION_2, cid, 0, pkt, 40, pkt + 40), 0);
	ck_assert(ql_retry_verify(QL_VERSION_2, NULL, 0, pkt, 56));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("crypto/retry");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_loop_test(tc, sample, 0, 2);
	tcase_add_test(tc, cid_length_counts);
	tcase_add_test(tc, bounds);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
