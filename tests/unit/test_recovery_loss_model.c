// SPDX-License-Identifier: BSD-3-Clause
/*
 * lib/recovery/loss.c against the pseudocode of RFC 9002, appendix A, taken down literally: every
 * packet looked at every time. And what a packet costs.
 */
#include <time.h>

#include "test_recovery_loss_util.h"

#define MAX_PKTS 6000

struct pkt {
	uint64_t time;
	uint16_t size;
	bool skipped, eliciting, flight, acked, lost, asked;
	unsigned int told_acked, told_lost;
};

static struct pkt pkts[3][MAX_PKTS];
static uint64_t next[3], largest[3], loss_time[3], last_eliciting[3];
static bool gone[3], confirmed;
static unsigned int pto_count;
static uint64_t last_pto, persistent;
static struct ql_rtt rtt;

static bool open_pkt(const struct pkt *p)
{
	return p->flight && !p->acked && !p->lost && !p->skipped;
}

static void model_acked(void *arg, unsigned int space, const struct ql_sent_frame *f)
{
	CHECK(arg == &mem && f->id < next[space]);
	pkts[space][f->id].told_acked++;
}

static void model_lost(void *arg, unsigned int space, const struct ql_sent_frame *f)
{
	CHECK(arg == &mem && f->id < next[space]);
	pkts[space][f->id].told_lost++;
}

static const struct ql_rec_ops model_ops = {.acked = model_acked, .lost = model_lost};

static bool model_detect(unsigned int s)
{
	uint64_t delay = ql_rtt_loss_delay(&rtt, rec.path.time_eighths);
	bool any = false;

	loss_time[s] = QL_NEVER;
	if (largest[s] == QL_PN_NONE)
		return false;
	for (uint64_t pn = 0; pn < largest[s]; pn++) {
		struct pkt *p = &pkts[s][pn];
		uint64_t over = largest[s] - pn, last_skip = QL_PN_NONE;

		if (!open_pkt(p))
			continue;
		for (uint64_t q = 0; q < next[s]; q++)
			if (pkts[s][q].skipped)
				last_skip = q;
		if (last_skip != QL_PN_NONE && pn < last_skip && last_skip < largest[s])
			over--;
		if (p->time + delay <= now || over >= rec.path.packet_threshold) {
			p->lost = any = true;
		} else if (p->time + delay < loss_time[s]) {
			loss_time[s] = p->time + delay;
		}
	}
	return any;
}

static unsigned int in_flight(unsigned int s, uint64_t *bytes)
{
	unsigned int eliciting = 0;

	for (uint64_t pn = 0; pn < next[s] && !gone[s]; pn++)
		if (open_pkt(&pkts[s][pn])) {
			*bytes += pkts[s][pn].size;
			eliciting += pkts[s][pn].eliciting;
		}
	return eliciting;
}

static uint64_t model_deadline(void)
{
	uint64_t t = QL_NEVER;

	for (unsigned int s = 0; s < 3; s++)
		if (!gone[s] && loss_time[s] < t)
			t = loss_time[s];
	if (t != QL_NEVER)
		return t;
	for (unsigned int s = 0; s < 3; s++) {
		uint64_t bytes = 0, from, due;

		if (!in_flight(s, &bytes) || (s == APP && !confirmed))
			continue;
		from = last_eliciting[s] > last_pto ? last_eliciting[s] : last_pto;
		due = from + (ql_rtt_pto(&rtt, s == APP ? 25 * MS : 0)
			      << (pto_count < 16 ? pto_count : 16));
		t = due < t ? due : t;
	}
	return t;
}

static void compare(void)
{
	uint64_t total = 0;

	if (rec.stats.persistent != persistent) { /* has tests of its own */
		persistent = rec.stats.persistent;
		ql_rtt_reset_min(&rtt);
	}

	for (unsigned int s = 0; s < 3; s++) {
		uint64_t bytes = 0;
		unsigned int eliciting = in_flight(s, &bytes);

		CHECK(rec.space[s].in_flight == bytes);
		CHECK(rec.space[s].eliciting == eliciting);
		CHECK(rec.space[s].largest_acked == largest[s]);
		total += bytes;
		for (uint64_t pn = 0; pn < next[s]; pn++) {
			const struct pkt *p = &pkts[s][pn];
			const struct ql_sent_pkt *r = ql_sent_get(&rec.space[s].sent, pn);

			CHECK(p->told_lost == (p->lost || p->asked));
			/* It may be told late, or when its record is gone not at all. */
			CHECK(p->told_acked <= p->acked);
			CHECK(p->told_acked == p->acked || p->lost || !p->flight);
			CHECK(r || gone[s] || !open_pkt(p));
		}
	}
	CHECK(rec.path.in_flight == total);
	CHECK(rec.path.rtt.smoothed == rtt.smoothed && rec.path.rtt.var == rtt.var);
	CHECK(rec.pto_count == pto_count);
	CHECK(ql_rec_deadline(&rec) == model_deadline());
}

static void do_send(uint64_t *seed, unsigned int s)
{
	uint64_t pn = next[s] + (below(seed, 20) == 0 ? 1 + below(seed, 2) : 0);
	struct ql_sent_frame f = {.id = pn};
	uint16_t flags = below(seed, 6)	  ? QL_SENT_ELICITING
			 : below(seed, 3) ? 0
					  : QL_SENT_IN_FLIGHT;
	struct pkt *p = &pkts[s][pn];
	int rc;

	if (below(seed, 10) == 0)
		ql_mem_fail_at(&mem, 1 + below(seed, 2));
	rc = ql_rec_begin(&rec, s, pn);
	if (!rc && (rc = ql_rec_add(&rec, s, &f)) != 0)
		ql_rec_abort(&rec, s);
	ql_mem_fail_at(&mem, 0);
	if (rc) {
		CHECK(rc == -ENOMEM);
		return;
	}
	for (; next[s] < pn; next[s]++)
		pkts[s][next[s]].skipped = true;
	next[s]++;
	*p = (struct pkt){.time = now,
			  .size = (uint16_t)(40 + below(seed, 1400)),
			  .eliciting = flags & QL_SENT_ELICITING,
			  .flight = flags != 0};
	ql_rec_on_sent(&rec, s, p->size, flags, now);
	if (p->eliciting)
		last_eliciting[s] = now;
}

/* Random ranges without what was left out; a record that is still there tells what was new. */
static void do_ack(uint64_t *seed, unsigned int s)
{
	uint64_t r[2 * 40], top, delay = below(seed, 30) * MS;
	bool eliciting = false, any = false, is_new;
	size_t n = 0;

	if (next[s] == 0)
		return;
	top = next[s] - 1 - (below(seed, 2) ? 0 : below(seed, next[s] < 20 ? next[s] : 20));
	for (uint64_t pn = top + 1; n < 40 && pn-- > 0;) {
		uint64_t end = pn, run = below(seed, 3) ? below(seed, 12) : below(seed, 100);

		if (pkts[s][pn].skipped)
			continue;
		while (run-- > 0 && pn > 0 && !pkts[s][pn - 1].skipped)
			pn--;
		r[2 * n] = pn;
		r[2 * n + 1] = end;
		n++;
		if (below(seed, 4) == 0)
			break;
		pn -= pn > 0;					    /* one missing at least */
		pn -= pn > 8 ? below(seed, 2) * below(seed, 8) : 0; /* or some */
	}
	if (n == 0)
		return;
	top = r[1];
	is_new = open_pkt(&pkts[s][top]) && !gone[s];
	for (size_t i = 0; i < n && !gone[s]; i++)
		for (uint64_t pn = r[2 * i]; pn <= r[2 * i + 1]; pn++) {
			struct pkt *p = &pkts[s][pn];

			if (p->acked || !ql_sent_get(&rec.space[s].sent, pn))
				continue;
			if (pn == top && !p->flight)
				is_new = true;
			any = p->acked = true;
			eliciting |= p->eliciting && !p->lost;
		}
	CHECK(ack_ranges(s, r, n, delay) == 0);
	rec.path.calm = 0; /* so that what is learned of reordering stays */
	if (gone[s])
		return;
	if (largest[s] == QL_PN_NONE || top > largest[s])
		largest[s] = top;
	if (!any)
		return;
	if (is_new && eliciting)
		ql_rtt_sample(&rtt, now, now - pkts[s][top].time, s == INITIAL ? 0 : delay,
			      confirmed ? 25 * MS : UINT64_MAX);
	model_detect(s);
	pto_count = 0;
}

static void do_timeout(void)
{
	uint64_t due = model_deadline();
	unsigned int space = 99, n;
	bool threshold = false;

	for (unsigned int s = 0; s < 3; s++)
		if (!gone[s] && loss_time[s] <= now) {
			threshold = true;
			model_detect(s);
		}
	n = ql_rec_on_timeout(&rec, now, &space);
	if (threshold || due > now) {
		CHECK(n == 0);
		return;
	}
	CHECK(n == 2 && space < 3);
	pto_count++;
	last_pto = now;
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t pn = 0;
		bool found;

		while (pn < next[space] && (!open_pkt(&pkts[space][pn]) || pkts[space][pn].asked ||
					    !pkts[space][pn].eliciting))
			pn++;
		found = pn < next[space];
		if (found)
			pkts[space][pn].asked = true;
		CHECK(ql_rec_probe_frames(&rec, space) == found);
	}
}

static void run_model(uint64_t seed)
{
	ql_rec_fini(&rec);
	now = 1000 * MS;
	ql_rec_init(&rec, &mem, &model_ops, &mem, &ql_cc_newreno, now, MTU, 0, true);
	memset(pkts, 0, sizeof(pkts));
	ql_rtt_init(&rtt, 0);
	for (unsigned int s = 0; s < 3; s++) {
		next[s] = 0;
		largest[s] = QL_PN_NONE;
		loss_time[s] = QL_NEVER;
		last_eliciting[s] = 0;
		gone[s] = false;
	}
	confirmed = false;
	pto_count = 0;
	last_pto = now;
	persistent = 0;
	for (unsigned int step = 0; step < 1200; step++) {
		unsigned int s = (unsigned int)below(&seed, 3),
			     what = (unsigned int)below(&seed, 100);

		now += below(&seed, 3) ? below(&seed, 100000) : below(&seed, 20 * MS);
		if (what < 60) {
			for (uint64_t n = below(&seed, 5); n > 0 && !gone[s]; n--)
				do_send(&seed, s);
		} else if (what < 85) {
			do_ack(&seed, s);
		} else if (what < 99) {
			if (below(&seed, 4) == 0 && model_deadline() != QL_NEVER &&
			    model_deadline() > now)
				now = model_deadline() + below(&seed, 2) * below(&seed, MS);
			do_timeout();
		} else if (step > 600 && below(&seed, 3) == 0) {
			if (gone[INITIAL])
				confirmed = rec.confirmed = true;
			s = gone[INITIAL] ? HANDS : INITIAL;
			ql_rec_discard_space(&rec, s);
			gone[s] = true;
			loss_time[s] = QL_NEVER;
			pto_count = 0;
		}
		compare();
	}
}

START_TEST(test_model)
{
	for (uint64_t seed = 1; seed <= 40; seed++)
		run_model(seed);
	ck_assert_uint_gt(rec.stats.lost, 10);
	ck_assert_uint_gt(rec.stats.acked, 100);
}
END_TEST

/* Rubbish of the right form: no crash, nothing out of bounds, the accounts in order. */
START_TEST(test_rubbish)
{
	uint64_t seed = 9, violations = 0;

	record = false;
	for (unsigned int i = 0; i < 20000; i++) {
		uint64_t r[20], top = ql_rec_next_pn(&rec, APP) + below(&seed, 3);
		size_t n = 0;

		now += below(&seed, MS);
		for (uint64_t j = below(&seed, 6); j > 0; j--)
			send_as(APP, ql_rec_next_pn(&rec, APP) + (below(&seed, 50) == 0),
				(uint16_t)below(&seed, 1500), QL_SENT_ELICITING);
		while (n < 10 && top > 2) {
			uint64_t len = below(&seed, 1 + (top >> below(&seed, 20)));

			top -= below(&seed, 3) ? 1 : 1 + below(&seed, 2);
			r[2 * n + 1] = top;
			r[2 * n] = top - (len < top ? len : top);
			top = r[2 * n] < 2 ? 0 : r[2 * n] - 1;
			n++;
		}
		if (n > 0 && ack_ranges(APP, r, n, rnd(&seed) >> below(&seed, 64)) == -EPROTO) {
			violations++;
			ql_rec_fini(&rec); /* a connection would close */
			start(true);
			record = false;
		}
		CHECK(rec.space[APP].in_flight == rec.path.in_flight);
		CHECK(rec.path.in_flight < UINT64_C(1) << 40);
		CHECK(rec.path.cc.cwnd >= 2 * MTU);
	}
	ck_assert_uint_gt(violations, 100);
	ck_assert_uint_lt(violations, 15000);
}
END_TEST

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/*
 * flight packets under way, each ACK with so many new ones and hole ranges below, which repeat.
 * Prints what it costs; fails only where the cost grows with what was acknowledged before.
 */
static double cost(uint64_t flight, uint64_t per_ack, bool hole)
{
	const uint64_t total = 300000;
	uint64_t pn = 0, acked_to = 0;
	double begin;

	ql_rec_fini(&rec);
	start(true);
	record = false;
	n_acked = 0;
	begin = seconds();
	while (acked_to < total) {
		while (pn - acked_to < flight) {
			send_as(APP, pn++, MTU, QL_SENT_ELICITING);
			now += 1000;
		}
		acked_to += per_ack;
		if (hole) /* 0 is lost, and its record stays for long */
			CHECK(ack(APP, 1, acked_to - 1) == 0);
		else
			CHECK(ack(APP, 0, acked_to - 1) == 0);
	}
	begin = (seconds() - begin) * 1e9 / (double)total;
	printf("send and ACK, %llu in flight, %llu an ACK%s: %.0f ns a packet\n",
	       (unsigned long long)flight, (unsigned long long)per_ack, hole ? ", one lost" : "",
	       begin);
	CHECK(n_acked >= total - 1);
	return begin;
}

START_TEST(test_cost)
{
	cost(10, 2, false);
	cost(100, 2, false);
	cost(1000, 2, false);
	cost(1000, 64, false);
	cost(20000, 64, false);
	cost(1000, 2, true);
	/* Ranges that repeat 20,000 numbers would make it microseconds a packet. */
	ck_assert(cost(20000, 2, true) < 5000);
}
END_TEST

RUN("recovery/loss_model", open_rec, close_rec, test_model, test_rubbish, test_cost)
