// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the tests of lib/recovery/loss.c share: one ql_recovery whose frames carry the number of
 * their packet, and what became of them.
 */
#ifndef TEST_RECOVERY_LOSS_UTIL_H
#define TEST_RECOVERY_LOSS_UTIL_H

#include "recovery/loss.h"

#include "test_recovery_util.h"
#include "wire/varint.h"

#define MS	UINT64_C(1000000)
#define MTU	1200
#define INITIAL 0
#define HANDS	1
#define APP	2

static struct ql_recovery rec;
static uint64_t now;

/* The calls of ops, as text: "a3" frame of packet 3 acknowledged, "l4" lost; with the space. */
static char told[1 << 16];
static size_t told_len;
static bool record = true;
static uint64_t n_acked, n_lost;
static struct ql_sent_frame last_acked;

static void tell(char what, unsigned int space, const struct ql_sent_frame *f)
{
	if (!record || told_len > sizeof(told) - 64)
		return;
	told_len += (size_t)snprintf(told + told_len, sizeof(told) - told_len, "%s%c%s%llu",
				     told_len ? " " : "", what,
				     space == APP     ? ""
				     : space == HANDS ? "h"
						      : "i",
				     (unsigned long long)f->id);
}

static void on_acked(void *arg, unsigned int space, const struct ql_sent_frame *f)
{
	CHECK(arg == &mem);
	n_acked++;
	last_acked = *f;
	tell('a', space, f);
}

static void on_lost(void *arg, unsigned int space, const struct ql_sent_frame *f)
{
	CHECK(arg == &mem);
	n_lost++;
	tell('l', space, f);
}

static const struct ql_rec_ops rec_ops = {.acked = on_acked, .lost = on_lost};

/* What was told since last asked. */
static inline void heard(const char *want)
{
	told[told_len] = '\0';
	ck_assert_str_eq(told, want);
	told_len = 0;
}

static void start(bool server)
{
	now = 1000 * MS;
	told_len = 0;
	record = true;
	ql_rec_init(&rec, &mem, &rec_ops, &mem, &ql_cc_newreno, now, MTU, 0, server);
	rec.confirmed = server;
}

static inline void open_rec(void)
{
	mem_open();
	start(true);
}

static void close_rec(void)
{
	ql_rec_fini(&rec);
	mem_close();
}

/* One packet with one frame. */
static void send_as(unsigned int space, uint64_t pn, uint16_t size, uint16_t flags)
{
	struct ql_sent_frame f = {.id = pn, .kind = QL_SENT_STREAM};

	CHECK(ql_rec_begin(&rec, space, pn) == 0);
	CHECK(ql_rec_add(&rec, space, &f) == 0);
	ql_rec_on_sent(&rec, space, size, flags, now);
}

static void send_n(unsigned int space, unsigned int n)
{
	while (n-- > 0)
		send_as(space, ql_rec_next_pn(&rec, space), MTU, QL_SENT_ELICITING);
}

/* An ACK frame of ranges, highest first: start, end, start, end ... */
static int ack_ranges(unsigned int space, const uint64_t *r, size_t n, uint64_t delay)
{
	static uint8_t buf[16384];
	uint8_t *p = buf;
	struct ql_frame_ack ack = {
		.largest = r[1], .first_range = r[1] - r[0], .range_count = n - 1, .ranges = buf};

	for (size_t i = 1; i < n; i++) {
		p = ql_varint_put(p, r[2 * i - 2] - r[2 * i + 1] - 2);
		p = ql_varint_put(p, r[2 * i + 1] - r[2 * i]);
	}
	ack.ranges_end = p;
	return ql_rec_on_ack(&rec, space, &ack, delay, now);
}

#define ack(space, ...)                                    \
	ack_ranges(space, (const uint64_t[]){__VA_ARGS__}, \
		   sizeof((const uint64_t[]){__VA_ARGS__}) / 16, 0)

/* A first RTT sample of so much, nothing in flight afterwards. */
static inline void sample(uint64_t rtt)
{
	uint64_t pn = ql_rec_next_pn(&rec, APP);

	send_n(APP, 1);
	now += rtt;
	CHECK(ack(APP, pn, pn) == 0);
	told_len = 0;
}

#endif /* TEST_RECOVERY_LOSS_UTIL_H */
