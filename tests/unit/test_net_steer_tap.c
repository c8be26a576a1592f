// SPDX-License-Identifier: BSD-3-Clause
/*
 * The program for TAPs, run by the kernel itself on frames of ours. Skipped (77) where the kernel lets
 * us load none.
 */
#include "net/steer.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "test_net_util.h"

#define SKIP   77
#define QUEUES 4

static const struct ql_cid_word word = {
	.offset = 2, .mask = 0x00ff, .first_mask = 0xff, .first_value = 0xeb};
static int prog;

/* What the program gives for a frame. */
static uint32_t queue_of(const struct tf *f)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = (uint32_t)prog;
	attr.test.data_in = (uintptr_t)f->b;
	attr.test.data_size_in = (uint32_t)f->n;
	ck_assert_int_eq(syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof(attr)), 0);
	return attr.test.retval;
}

/* Its payload is this, and zeros. */
static void payload(struct tf *f, size_t len, uint8_t p0, uint8_t p1, uint8_t p2, uint8_t p3)
{
	const uint8_t head[4] = {p0, p1, p2, p3};
	uint8_t *p = f->b + f->n - len;

	memset(p, 0, len);
	memcpy(p, head, len < 4 ? len : 4);
}

static bool is_hash(const struct tf *f)
{
	return queue_of(f) >= 256 * QUEUES;
}

START_TEST(short_headers)
{
	struct tf f;

	for (unsigned int q = 0; q < QUEUES; q++) {
		tf_udp4(&f, -1, 0, 40);
		payload(&f, 40, 0x40, 0xeb, 0x77, (uint8_t)q);
		ck_assert_uint_eq(queue_of(&f), q);
		payload(&f, 40, 0x7f, 0xeb, 0xff, (uint8_t)q);
		ck_assert_uint_eq(queue_of(&f), q);
		tf_udp6(&f, -1, 0, 40);
		payload(&f, 40, 0x40, 0xeb, 0x01, (uint8_t)q);
		ck_assert_uint_eq(queue_of(&f), q);
	}
}
END_TEST

/* All that names no engine: by addresses and ports, and repeats to the same queue. */
START_TEST(others_by_hash)
{
	struct tf f;

	for (unsigned int ip6 = 0; ip6 < 2; ip6++) {
		(ip6 ? tf_udp6 : tf_udp4)(&f, -1, 0, 40);
		payload(&f, 40, 0xc0, 0xeb, 0, 1); /* a long header */
		ck_assert(is_hash(&f));
		ck_assert_uint_eq(queue_of(&f), queue_of(&f));
		payload(&f, 40, 0x40, 0xea, 0, 1); /* not one of our IDs */
		ck_assert(is_hash(&f));
		payload(&f, 40, 0x40, 0xeb, 0, QUEUES); /* no such engine */
		ck_assert(is_hash(&f));
	}
}
END_TEST

START_TEST(hash_spreads)
{
	unsigned int got[QUEUES] = {0};
	struct tf f;

	for (unsigned int i = 0; i < 4000; i++) {
		tf_udp4(&f, -1, 0, 40);
		tf_set16(&f, 14 + 20, 30000 + i); /* the source port */
		payload(&f, 40, 0xc0, 0, 0, 0);
		got[queue_of(&f) % QUEUES]++;
	}
	for (unsigned int q = 0; q < QUEUES; q++) {
		ck_assert_uint_gt(got[q], 800);
		ck_assert_uint_lt(got[q], 1200);
	}
}
END_TEST

START_TEST(no_udp)
{
	struct tf f;

	tf_arp(&f, t_mac, 1, t_peer_mac, "10.9.0.1", t_mac, "10.9.0.2");
	ck_assert_uint_eq(queue_of(&f), 0);
	tf_udp4(&f, -1, 0, 40);
	payload(&f, 40, 0x40, 0xeb, 0, 3);
	f.b[14 + 9] = 6; /* TCP */
	ck_assert_uint_eq(queue_of(&f), 0);
	f.b[14 + 9] = 17;
	ck_assert_uint_eq(queue_of(&f), 3);
	f.b[14 + 6] = 0x20; /* more fragments */
	ck_assert_uint_eq(queue_of(&f), 0);
	f.b[14 + 6] = 0;
	f.b[14 + 7] = 1; /* not the first one */
	ck_assert_uint_eq(queue_of(&f), 0);
	tf_udp6(&f, -1, 0, 40);
	f.b[14 + 6] = 58;
	ck_assert_uint_eq(queue_of(&f), 0);
}
END_TEST

/* IPv4 with options, and payloads that end before the word does. */
START_TEST(lengths)
{
	static const uint8_t options[8] = {1, 1, 1, 1, 1, 1, 1, 0};
	struct tf f;

	tf_ether(&f, t_mac, t_peer_mac, -1, 0x0800);
	tf_ip4(&f, "10.9.0.1", "10.9.0.2", 0, 0, 17, 8 + 40, options, sizeof(options));
	tf_udp(&f, "10.9.0.1", "10.9.0.2", 50000, 4433, 40);
	payload(&f, 40, 0x40, 0xeb, 0, 2);
	ck_assert_uint_eq(queue_of(&f), 2);
	for (size_t len = 0; len < 4; len++) {
		tf_udp4(&f, -1, 0, len);
		payload(&f, len, 0x40, 0xeb, 0, 3);
		ck_assert_uint_eq(queue_of(&f), 0);
	}
	for (size_t n = 14 + 20; n < 14 + 20 + 8; n++) { /* cut in the UDP header */
		tf_udp4(&f, -1, 0, 40);
		f.n = n;
		ck_assert_uint_eq(queue_of(&f), 0);
	}
}
END_TEST

START_TEST(no_interface)
{
	char why[QL_STEERING_WHY] = "";

	ck_assert_int_eq(ql_steer_tap(0, 2, &word, why), -ENODEV);
	ck_assert_ptr_nonnull(strstr(why, "namespace"));
	ck_assert_int_eq(ql_steer_tap(99999, 2, &word, why), -ENODEV);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/steer_tap");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	prog = ql_steer_tap_program(QUEUES, &word);
	if (prog == -EPERM || prog == -EACCES || prog == -ENOSYS) {
		fprintf(stderr, "skipped: no BPF program: %s\n", strerror(-prog));
		return SKIP;
	}
	tcase_add_test(tc, short_headers);
	tcase_add_test(tc, others_by_hash);
	tcase_add_test(tc, hash_spreads);
	tcase_add_test(tc, no_udp);
	tcase_add_test(tc, lengths);
	tcase_add_test(tc, no_interface);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	if (prog < 0) {
		fprintf(stderr, "the kernel refuses the program: %s\n", strerror(-prog));
		return EXIT_FAILURE;
	}
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
