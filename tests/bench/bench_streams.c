// SPDX-License-Identifier: BSD-3-Clause
/*
 * What many open streams cost: for each packet, the scheduler alone (stream/sched.h), and all of
 * filling it with one stream's data and hearing that it was acknowledged (stream/streams.h). With
 * 10 open streams to 100,000 of them, of which 10 have something to send, or all.
 *
 * Best of several runs of each, which take turns, since the machine may do other things. Prints
 * TSC cycles a packet, and by what factor they are more than with 10 streams.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/streams.h"

#define PACKETS 200000
#define ROOM	1200
#define RUNS	7
#define BATCH	64 /* packets in flight */

static const unsigned int counts[] = {10, 1000, 100000};

#define N_COUNTS (sizeof(counts) / sizeof(counts[0]))

struct ql_conn {
	struct ql_mem mem;
	struct ql_streams ss;
	struct ql_sent sent;
	void *region;
};

static uint64_t cycles(void)
{
#ifdef __x86_64__
	return __builtin_ia32_rdtsc();
#else
	return 0;
#endif
}

/* ---- The scheduler alone ---- */

/* As it is embedded in a stream, among a stream's other memory. */
struct thing {
	struct ql_sched_node node;
	uint8_t rest[sizeof(struct ql_stream) - sizeof(struct ql_sched_node)];
};

static double run_sched(unsigned int open, unsigned int active)
{
	struct thing *things = aligned_alloc(64, open * sizeof(*things));
	struct ql_sched s;
	uint64_t start;

	if (!things)
		abort();
	memset(things, 0, open * sizeof(*things));
	ql_sched_init(&s);
	for (unsigned int i = 0; i < active; i++) {
		struct ql_sched_node *n = &things[(uint64_t)i * open / active].node;

		ql_sched_node_init(n);
		ql_sched_add(&s, n, QL_SCHED_URGENCY(3), QL_SCHED_INCREMENTAL);
	}
	start = cycles();
	for (unsigned int i = 0; i < PACKETS; i++) {
		ql_sched_begin(&s, true);
		ql_sched_charge(&s, ql_sched_pick(&s, true), ROOM);
	}
	start = cycles() - start;
	free(things);
	return (double)start / PACKETS;
}

/* ---- All of it ---- */

static void wake(struct ql_conn *conn)
{
	(void)conn;
}

static void on_stream(struct ql_stream *s)
{
	(void)s;
}

static void on_acked(struct ql_stream *s, uint64_t acked)
{
	(void)s;
	(void)acked;
}

static const struct ql_conn_ops ops = {
	.stream_opened = on_stream,
	.stream_acked = on_acked,
	.stream_closed = on_stream,
};

static struct ql_conn *open_conn(unsigned int open, unsigned int active)
{
	static const struct ql_streams_config config = {
		.max_data = 1 << 20, .max_streams_bidi = 1, .send_buffer = 1 << 20};
	static const struct ql_streams_hooks hooks = {.wake = wake};
	static uint8_t data[1 << 20];
	size_t size = (size_t)64 << 20, all = (size_t)PACKETS * (ROOM + ROOM / 2);
	struct ql_conn *c = calloc(1, sizeof(*c));
	struct ql_tparams tp;

	size += (size_t)open * 2048;
	c->region = aligned_alloc(64, size);
	if (!c || !c->region)
		abort();
	ql_mem_init(&c->mem, c->region, size);
	ql_streams_init(&c->ss, &c->mem, c, true, &config, &hooks, &ops);
	ql_tparams_init(&tp);
	tp.initial_max_data = tp.initial_max_stream_data_uni = UINT64_C(1) << 60;
	tp.initial_max_streams_uni = open;
	ql_streams_set_peer_limits(&c->ss, &tp);
	ql_sent_init(&c->sent, &c->mem, 4 * BATCH);
	for (unsigned int i = 0; i < open; i++) {
		struct ql_stream *s;

		if (ql_streams_open(&c->ss, false, &s) < 0)
			abort();
		ql_stream_set_priority(s, 3, true);
		if (i % (open / active) != 0)
			continue;
		/* more than its part, so that all have something until the end */
		for (size_t n = 0; n <= all / active; n += sizeof(data))
			if (ql_stream_send_ref(s, data, sizeof(data), 0, NULL, NULL) < 0)
				abort();
	}
	return c;
}

static void acknowledge(struct ql_conn *c, uint64_t first, uint64_t end)
{
	struct ql_sent_iter it;

	for (uint64_t pn = first; pn < end; pn++)
		for (const struct ql_sent_frame *f = ql_sent_frames(&it, ql_sent_at(&c->sent, pn));
		     f; f = ql_sent_frames_next(&it))
			ql_streams_acked(&c->ss, f);
	ql_sent_clear(&c->sent);
}

static double run_streams(unsigned int open, unsigned int active)
{
	struct ql_conn *c = open_conn(open, active);
	uint64_t start = cycles(), first = 0;
	uint8_t packet[ROOM];

	for (uint64_t pn = 0; pn < PACKETS; pn++) {
		if (ql_sent_begin(&c->sent, pn) < 0 ||
		    ql_streams_send(&c->ss, packet, packet + ROOM, &c->sent, NULL) != packet + ROOM)
			abort();
		ql_sent_commit(&c->sent, pn, ROOM, QL_SENT_ELICITING | QL_SENT_IN_FLIGHT);
		if (pn + 1 - first == BATCH) {
			acknowledge(c, first, pn + 1);
			first = pn + 1;
		}
	}
	start = cycles() - start;
	ql_streams_close(&c->ss);
	ql_streams_fini(&c->ss);
	ql_sent_clear(&c->sent);
	free(c->region);
	free(c);
	return (double)start / PACKETS;
}

static void compare(const char *what, double (*run)(unsigned int, unsigned int), bool all)
{
	double best[N_COUNTS];

	for (unsigned int r = 0; r < RUNS; r++)
		for (unsigned int i = 0; i < N_COUNTS; i++) {
			double c = run(counts[i], all ? counts[i] : 10);

			best[i] = r == 0 || c < best[i] ? c : best[i];
		}
	printf("%-34s", what);
	for (unsigned int i = 0; i < N_COUNTS; i++)
		printf("  %7.0f x %4.2f", best[i], best[i] / best[0]);
	printf("\n");
}

int main(void)
{
	printf("cycles a packet, with so many open streams\n%-34s", "");
	for (unsigned int i = 0; i < N_COUNTS; i++)
		printf("  %14u", counts[i]);
	printf("\n");
	compare("scheduler, 10 have data", run_sched, false);
	compare("scheduler, all have data", run_sched, true);
	compare("a packet of data, 10 have data", run_streams, false);
	compare("a packet of data, all have data", run_streams, true);
	return 0;
}
