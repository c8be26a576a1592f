// SPDX-License-Identifier: BSD-3-Clause
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/ticket.h"

#define START (100 * QL_PERIOD)
#define TEXT  209

static uint8_t region[1 << 20] __attribute__((aligned(64)));
static struct ql_mem mem;
static struct ql_rng rng;
static struct ql_tickets tickets;

struct parts {
	uint8_t name[QL_TICKET_NAME], iv[QL_TICKET_IV], mac[QL_TICKET_MAC];
	uint8_t text[600];
	size_t len;
};

static uint32_t quic = 1; /* the version that tickets are opened in */

static const uint8_t secret[QL_PERIOD_SECRET] = {1, 2, 3};
static const uint8_t binding[QL_TICKET_BINDING] = "sixteen bytes...";

static void setup(void)
{
	static const uint8_t seed[QL_RNG_SEED];

	ck_assert_int_eq(ql_crypto_init(), 0);
	ql_mem_init(&mem, region, sizeof(region));
	ql_rng_init(&rng, seed);
	ck_assert_int_eq(ql_tickets_init(&tickets, &mem, secret), 0);
}

static void teardown(void)
{
	ql_tickets_fini(&tickets);
	ql_tickets_fini(&tickets); /* again: nothing */
	ck_assert_uint_eq(mem.used, 0);
}

static void make(struct parts *p, uint64_t now)
{
	memset(p, 0, sizeof(*p));
	for (size_t i = 0; i < TEXT; i++)
		p->text[i] = (uint8_t)i;
	ck_assert_int_eq(ql_ticket_seal(&tickets, &rng, now, 1, binding, p->name, p->iv, p->mac,
					p->text, TEXT),
			 0);
	p->len = TEXT + QL_TICKET_EXTRA;
}

static int open_by(struct ql_tickets *t, const struct parts *p, uint64_t now, struct ql_ticket *out)
{
	struct parts copy = *p;
	int rc = ql_ticket_open(t, now, quic, copy.name, copy.iv, copy.mac, copy.text, copy.len,
				out);

	for (size_t i = 0; rc == 0 && i < TEXT; i++)
		ck_assert_uint_eq(copy.text[i], (uint8_t)i);
	return rc;
}

static int open_at(const struct parts *p, uint64_t now)
{
	struct ql_ticket out;

	return open_by(&tickets, p, now, &out);
}

START_TEST(there_and_back)
{
	struct ql_ticket a, b;
	struct parts p, q;

	make(&p, START + 5);
	make(&q, START + 6);
	ck_assert_int_eq(open_by(&tickets, &p, START + 7, &a), 0);
	ck_assert_int_eq(open_by(&tickets, &q, START + 7, &b), 0);
	ck_assert_uint_eq(a.issued, START + 5);
	ck_assert_uint_eq(b.issued, START + 6);
	ck_assert_mem_eq(a.binding, binding, sizeof(binding));
	ck_assert_mem_ne(a.id, b.id, sizeof(a.id));
	/* nothing of the text is seen */
	ck_assert_mem_ne(p.text, q.text, 16);
	for (size_t i = 0; i + 4 < p.len; i++)
		ck_assert_mem_ne(p.text + i, "\x10\x11\x12\x13", 4);
	/* the kind of parts that TLS insists on */
	ck_assert_uint_ne(p.name[0] | p.iv[0] | p.mac[0], 0);
}
END_TEST

START_TEST(altered)
{
	struct parts p, q;

	make(&p, START);
	for (size_t i = 0; i < p.len; i++) {
		q = p;
		q.text[i] ^= 1;
		ck_assert_int_eq(open_at(&q, START), -EBADMSG);
	}
	for (size_t i = 0; i < QL_TICKET_NAME; i++) {
		q = p;
		q.name[i] ^= 1;
		ck_assert_int_eq(open_at(&q, START), -EBADMSG);
	}
	for (size_t i = 0; i < QL_IV_LEN; i++) {
		q = p;
		q.iv[i] ^= 1;
		ck_assert_int_eq(open_at(&q, START), -EBADMSG);
	}
	for (size_t i = 0; i < QL_TAG_LEN; i++) {
		q = p;
		q.mac[i] ^= 1;
		ck_assert_int_eq(open_at(&q, START), -EBADMSG);
	}
	for (q = p; q.len > 0; q.len--) {
		if (q.len != p.len)
			ck_assert_int_eq(open_at(&q, START), -EBADMSG);
	}
	q.len = sizeof(q.text);
	ck_assert_int_eq(open_at(&q, START), -EBADMSG);
}
END_TEST

START_TEST(other_version)
{
	struct parts p;

	make(&p, START);
	quic = 2;
	ck_assert_int_eq(open_at(&p, START), -EBADMSG);
	quic = 1;
	ck_assert_int_eq(open_at(&p, START), 0);
}
END_TEST

/* Keys go with the time, and so do tickets. */
START_TEST(age)
{
	struct parts p;

	make(&p, START + QL_PERIOD / 2);
	ck_assert_int_eq(open_at(&p, START + QL_PERIOD / 2 + QL_TICKET_LIFE), 0);
	ck_assert_int_eq(open_at(&p, START + QL_PERIOD / 2 + QL_TICKET_LIFE + 1), -ETIMEDOUT);
	ck_assert_int_eq(open_at(&p, START + 2 * QL_PERIOD), -EBADMSG);
	ck_assert_int_eq(open_at(&p, START + 3 * QL_PERIOD), -EBADMSG);
	/* before it was made, as a clock that is behind may think */
	ck_assert_int_eq(open_at(&p, START), 0);
	ck_assert_int_eq(open_at(&p, START - 1), -EBADMSG);
	/* new keys are made as they are needed, and these were not disturbed by that */
	make(&p, START + 50 * QL_PERIOD);
	ck_assert_int_eq(open_at(&p, START + 51 * QL_PERIOD), 0);
}
END_TEST

START_TEST(secrets)
{
	static const uint8_t another[QL_PERIOD_SECRET] = {1, 2, 4};
	struct ql_tickets same, other;
	struct ql_ticket out;
	struct parts p;

	make(&p, START);
	ck_assert_int_eq(ql_tickets_init(&same, &mem, secret), 0);
	ck_assert_int_eq(ql_tickets_init(&other, &mem, another), 0);
	ck_assert_int_eq(open_by(&same, &p, START, &out), 0);
	ck_assert_int_eq(open_by(&other, &p, START, &out), -EBADMSG);
	ql_tickets_fini(&same);
	ql_tickets_fini(&other);
}
END_TEST

START_TEST(no_memory)
{
	struct ql_tickets t;
	struct ql_ticket out;
	struct parts p;

	for (unsigned int i = 1; i <= 2; i++) {
		ql_mem_fail_at(&mem, i);
		ck_assert_int_eq(ql_tickets_init(&t, &mem, secret), -ENOMEM);
	}
	make(&p, START);
	ql_mem_fail_at(&mem, 1);
	ck_assert_int_eq(ql_ticket_seal(&tickets, &rng, START + QL_PERIOD, 1, binding, p.name, p.iv,
					p.mac, p.text, TEXT),
			 -ENOMEM);
	ql_mem_fail_at(&mem, 1);
	make(&p, START + 2); /* has its key */
	ql_mem_fail_at(&mem, 1);
	p.name[15]++;
	ck_assert_int_eq(open_by(&tickets, &p, START + QL_PERIOD, &out), -EBADMSG);
	ql_mem_fail_at(&mem, 0);
	ck_assert_int_eq(
		ql_ticket_seal(&tickets, &rng, START, 1, binding, p.name, p.iv, p.mac, p.text, 500),
		-ENOMEM);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("crypto/ticket");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, there_and_back);
	tcase_add_test(tc, altered);
	tcase_add_test(tc, other_version);
	tcase_add_test(tc, age);
	tcase_add_test(tc, secrets);
	tcase_add_test(tc, no_memory);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
