// SPDX-License-Identifier: BSD-3-Clause
#include "keys.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/qlane-keys-XXXXXX", path[64];

static void setup(void)
{
	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/file", dir);
}

static void teardown(void)
{
	unlink(path);
	rmdir(dir);
}

static void write_file(const char *bytes, size_t len)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
	fclose(f);
}

START_TEST(keys)
{
	const char bytes[] = "0123456789abcdef0123456789abcdefX";
	uint8_t key[32] = {7};

	ck_assert(ql_key_read("reset-key", NULL, key));
	ck_assert_uint_eq(key[0], 7);
	ck_assert(!ql_key_read("reset-key", path, key));
	write_file(bytes, 31);
	ck_assert(!ql_key_read("reset-key", path, key));
	write_file(bytes, 33);
	ck_assert(!ql_key_read("reset-key", path, key));
	ck_assert_uint_eq(key[0], 7); /* as it was */
	write_file(bytes, 32);
	ck_assert(ql_key_read("reset-key", path, key));
	ck_assert_mem_eq(key, bytes, 32);
}
END_TEST

START_TEST(generations_in_turn)
{
	uint8_t g = 9, last;

	ck_assert(ql_generation_next("generation", path, &g)); /* there is no file */
	ck_assert_uint_eq(g, 0);
	for (int i = 0; i < 4; i++) {
		last = g;
		ck_assert(ql_generation_next("generation", path, &g));
		ck_assert_uint_eq(g, !last);
	}
	write_file("", 0); /* a crash at the wrong time, or another's file */
	ck_assert(ql_generation_next("generation", path, &g));
	ck_assert_uint_le(g, 1);
	write_file("what is this", 12);
	ck_assert(ql_generation_next("generation", path, &g));
	last = g;
	ck_assert(ql_generation_next("generation", path, &g));
	ck_assert_uint_eq(g, !last);
	ck_assert(!ql_generation_next("generation", dir, &g));
	ck_assert(!ql_generation_next("generation", "/no/such/folder/file", &g));
}
END_TEST

START_TEST(cids)
{
	static const char *const wrong[] = {"",
					    "0",
					    "7:01",
					    "0:",
					    "0:0",
					    "0:xy",
					    "0:01:",
					    "0:01:0011",
					    "0:010203040506070809",
					    "0:01:00112233445566778899aabbccddeeff00",
					    "0:01;",
					    "a:01"};
	struct ql_cids c = {.n = 0};

	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_msg(ql_option_cid(NULL, &c, wrong[i]) != NULL, "%s", wrong[i]);
	ck_assert_uint_eq(c.n, 0);
	ck_assert_ptr_null(ql_option_cid(NULL, &c, "2:0a1B"));
	ck_assert_uint_eq(c.at[0].rotation, 2);
	ck_assert_uint_eq(c.at[0].server_id_len, 2);
	ck_assert_uint_eq(c.at[0].server_id[1], 0x1b);
	ck_assert(!c.at[0].encrypted);
	ck_assert_ptr_nonnull(ql_option_cid(NULL, &c, "2:01")); /* which is it? */
	ck_assert_ptr_null(ql_option_cid(NULL, &c, "0:01:00112233445566778899aabbccddeeff"));
	ck_assert(c.at[1].encrypted);
	ck_assert_uint_eq(c.at[1].key[15], 0xff);
	ck_assert_ptr_null(ql_option_cid(NULL, &c, "6:0102030405060708"));
	ck_assert_ptr_nonnull(ql_option_cid(NULL, &c, "5:01"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("app/keys");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, keys);
	tcase_add_test(tc, generations_in_turn);
	tcase_add_test(tc, cids);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
