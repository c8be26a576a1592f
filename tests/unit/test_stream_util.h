// SPDX-License-Identifier: BSD-3-Clause
/*
 * For the tests of lib/stream: a seeded generator, an engine's memory whose level is checked at the
 * end, and one side of a connection that records what its application is told.
 */
#ifndef TEST_STREAM_UTIL_H
#define TEST_STREAM_UTIL_H

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "stream/streams.h"

#define UNUSED __attribute__((unused))

/* In loops: Check's own assertions write to a file each time. */
#define MUST(x)                                 \
	do {                                    \
		if (!(x))                       \
			ck_abort_msg("%s", #x); \
	} while (0)

/* splitmix64 */
static UNUSED uint64_t rnd(uint64_t *seed)
{
	uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static UNUSED uint64_t below(uint64_t *seed, uint64_t n)
{
	return rnd(seed) % n;
}

/* The byte at an offset of a stream. */
static UNUSED uint8_t pattern(uint64_t id, uint64_t offset)
{
	return (uint8_t)(id * 131 + offset * 7 + (offset >> 8) * 31 + (offset >> 16));
}

static UNUSED void fill(uint64_t id, uint64_t offset, uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = pattern(id, offset + i);
}

static UNUSED void check_pattern(uint64_t id, uint64_t offset, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != pattern(id, offset + i))
			ck_abort_msg("stream %llu: wrong byte at %llu", (unsigned long long)id,
				     (unsigned long long)(offset + i));
}

/* The regions of the memories that are open. */
static struct {
	struct ql_mem *mem;
	void *base;
} mem_regions[8];

static UNUSED void mem_open(struct ql_mem *mem, size_t size)
{
	unsigned int i = 0;

	while (mem_regions[i].mem)
		i++;
	mem_regions[i].mem = mem;
	mem_regions[i].base = aligned_alloc(64, size);
	ck_assert_ptr_nonnull(mem_regions[i].base);
	ql_mem_init(mem, mem_regions[i].base, size);
}

static UNUSED void mem_close(struct ql_mem *mem)
{
	unsigned int i = 0;

	ck_assert_uint_eq(mem->used, 0);
	while (mem_regions[i].mem != mem)
		i++;
	free(mem_regions[i].base);
	mem_regions[i].mem = NULL;
}

/* What the application was told of one stream. */
struct told {
	struct ql_stream *s; /* NULL before and after its life */
	uint64_t got, acked;
	uint64_t reset_code, stopped_code;
	unsigned int opened, closed, fin, reset, stopped, writable;
};

#define TOLD_IDS 400

struct ql_conn {
	struct ql_mem mem;
	struct ql_streams ss;
	struct ql_sent sent;
	struct told told[TOLD_IDS]; /* by ID, for those that are low enough */
	unsigned int wakes, available[2], closed, callbacks;
	bool keep_credit; /* do not give credit back */
	void (*on_data)(struct ql_stream *s, size_t len, bool fin);
	void (*on_opened)(struct ql_stream *s);
	void (*on_closed)(struct ql_stream *s);
	void (*on_acked)(struct ql_stream *s, uint64_t acked);
	void (*on_stopped)(struct ql_stream *s);
	void (*on_writable)(struct ql_stream *s);
	void (*on_reset)(struct ql_stream *s);
};

static UNUSED struct told *told_of(struct ql_stream *s)
{
	struct ql_conn *c = ql_stream_conn(s);

	c->callbacks++;
	MUST(!c->ss.closing);
	MUST(ql_stream_id(s) < TOLD_IDS);
	return &c->told[ql_stream_id(s)];
}

static UNUSED void cb_opened(struct ql_stream *s)
{
	struct told *t = told_of(s);

	ck_assert_uint_eq(t->opened++, 0);
	t->s = s;
	if (ql_stream_conn(s)->on_opened)
		ql_stream_conn(s)->on_opened(s);
}

static UNUSED void cb_data(struct ql_stream *s, const uint8_t *data, size_t len, bool fin)
{
	struct ql_conn *c = ql_stream_conn(s);
	struct told *t = told_of(s);

	MUST(!t->fin && !t->reset && (len > 0 || fin));
	check_pattern(ql_stream_id(s), t->got, data, len);
	t->got += len;
	t->fin += fin;
	if (!c->keep_credit)
		ql_stream_credit(s, len);
	if (c->on_data) {
		c->on_data(s, len, fin);
		check_pattern(ql_stream_id(s), t->got - len, data, len); /* still valid */
	}
}

static UNUSED void cb_writable(struct ql_stream *s)
{
	told_of(s)->writable++;
	if (ql_stream_conn(s)->on_writable)
		ql_stream_conn(s)->on_writable(s);
}

static UNUSED void cb_acked(struct ql_stream *s, uint64_t acked)
{
	struct told *t = told_of(s);

	MUST(acked > t->acked);
	t->acked = acked;
	if (ql_stream_conn(s)->on_acked)
		ql_stream_conn(s)->on_acked(s, acked);
}

static UNUSED void cb_reset(struct ql_stream *s, uint64_t code)
{
	struct told *t = told_of(s);

	ck_assert_uint_eq(t->reset++, 0);
	ck_assert_uint_eq(t->fin, 0);
	t->reset_code = code;
	if (ql_stream_conn(s)->on_reset)
		ql_stream_conn(s)->on_reset(s);
}

static UNUSED void cb_stopped(struct ql_stream *s, uint64_t code)
{
	struct told *t = told_of(s);

	ck_assert_uint_eq(t->stopped++, 0);
	t->stopped_code = code;
	if (ql_stream_conn(s)->on_stopped)
		ql_stream_conn(s)->on_stopped(s);
}

static UNUSED void cb_closed(struct ql_stream *s)
{
	struct ql_conn *c = ql_stream_conn(s);

	c->closed++;
	if (ql_stream_id(s) < TOLD_IDS) {
		struct told *t = &c->told[ql_stream_id(s)];

		ck_assert_uint_eq(t->closed++, 0);
		t->s = NULL;
	}
	if (c->on_closed)
		c->on_closed(s);
}

static UNUSED void cb_available(struct ql_conn *c, bool bidi)
{
	c->available[bidi]++;
}

static UNUSED void cb_wake(struct ql_conn *c)
{
	c->wakes++;
}

static const struct ql_conn_ops test_ops UNUSED = {
	.stream_opened = cb_opened,
	.stream_data = cb_data,
	.stream_writable = cb_writable,
	.stream_acked = cb_acked,
	.stream_reset = cb_reset,
	.stream_stopped = cb_stopped,
	.stream_closed = cb_closed,
	.streams_available = cb_available,
};

static const struct ql_streams_config test_config UNUSED = {
	.max_data = 100000,
	.max_stream_data_bidi_local = 20000,
	.max_stream_data_bidi_remote = 30000,
	.max_stream_data_uni = 40000,
	.max_streams_bidi = 20,
	.max_streams_uni = 10,
	.send_buffer = 16384,
};

/* What config tells the peer. */
static UNUSED void tparams_of(const struct ql_streams_config *config, struct ql_tparams *tp)
{
	memset(tp, 0, sizeof(*tp));
	tp->initial_max_data = config->max_data;
	tp->initial_max_stream_data_bidi_local = config->max_stream_data_bidi_local;
	tp->initial_max_stream_data_bidi_remote = config->max_stream_data_bidi_remote;
	tp->initial_max_stream_data_uni = config->max_stream_data_uni;
	tp->initial_max_streams_bidi = config->max_streams_bidi;
	tp->initial_max_streams_uni = config->max_streams_uni;
}

/* Both sides have the same configuration. */
static UNUSED struct ql_conn *side_open(bool is_server, const struct ql_streams_config *config,
					size_t memory)
{
	static const struct ql_streams_hooks hooks = {.wake = cb_wake};
	struct ql_conn *c = calloc(1, sizeof(*c));
	struct ql_tparams tp;

	ck_assert_ptr_nonnull(c);
	mem_open(&c->mem, memory);
	ql_sent_init(&c->sent, &c->mem, 0);
	ql_streams_init(&c->ss, &c->mem, c, is_server, config, &hooks, &test_ops);
	tparams_of(config, &tp);
	ql_streams_set_peer_limits(&c->ss, &tp);
	return c;
}

static UNUSED void side_close(struct ql_conn *c)
{
	uint32_t open = c->ss.map.count;
	unsigned int closed = c->closed;

	ql_streams_fini(&c->ss);
	ck_assert_uint_eq(c->closed, closed + open);
	for (unsigned int i = 0; i < TOLD_IDS; i++)
		ck_assert(c->told[i].closed || !c->told[i].opened);
	ql_sent_clear(&c->sent);
	mem_close(&c->mem);
	free(c);
}

static UNUSED struct ql_stream *open_stream(struct ql_conn *c, bool bidi)
{
	struct ql_stream *s = NULL;

	ck_assert_int_eq(ql_streams_open(&c->ss, bidi, &s), 0);
	if (ql_stream_id(s) < TOLD_IDS)
		c->told[ql_stream_id(s)].s = s;
	return s;
}

struct packet {
	uint8_t data[1500];
	size_t len;
	struct ql_sent_frame frames[QL_SENT_FRAMES_MAX];
	unsigned int n;
};

/* One packet of at most room bytes; false when there is nothing to send. */
static UNUSED bool build(struct ql_conn *c, struct packet *pkt, size_t room)
{
	struct ql_sent_iter it;
	uint8_t *p;

	pkt->n = 0;
	pkt->len = 0;
	if (ql_sent_begin(&c->sent, ql_sent_next(&c->sent)))
		return false;
	memset(pkt->data + room, 0xee, 32); /* not to be touched */
	p = ql_streams_send(&c->ss, pkt->data, pkt->data + room, &c->sent, NULL);
	MUST(p >= pkt->data && p <= pkt->data + room);
	pkt->len = (size_t)(p - pkt->data);
	for (size_t i = room; i < room + 32; i++)
		MUST(pkt->data[i] == 0xee);
	if (pkt->len == 0) {
		ql_sent_abort(&c->sent);
		return false;
	}
	for (struct ql_sent_frame *f = ql_sent_frames(
		     &it, ql_sent_commit(&c->sent, 0, (uint16_t)pkt->len, QL_SENT_ELICITING));
	     f; f = ql_sent_frames_next(&it))
		pkt->frames[pkt->n++] = *f;
	ql_sent_clear(&c->sent);
	MUST(pkt->n > 0);
	return true;
}

/* Bring a packet in; the first error. Its buffer is freed afterwards, as an mbuf may be. */
static UNUSED int recv_any(struct ql_conn *c, const struct ql_frame *f)
{
	return f->type == QL_FRAME_STREAM ? ql_streams_recv_data(&c->ss, &f->stream)
					  : ql_streams_recv(&c->ss, f);
}

static UNUSED int take(struct ql_conn *c, const struct packet *pkt)
{
	uint8_t *copy = malloc(pkt->len);
	const uint8_t *p = copy, *end = copy + pkt->len;
	struct ql_frame f;
	int err = 0;

	MUST(copy);
	memcpy(copy, pkt->data, pkt->len);
	while (p < end && !err) {
		MUST(ql_frame_decode(&p, end, &f) == 0);
		if (f.type != QL_FRAME_PADDING)
			err = recv_any(c, &f);
	}
	free(copy);
	return err;
}

static UNUSED void acked(struct ql_conn *c, const struct packet *pkt)
{
	for (unsigned int i = 0; i < pkt->n; i++)
		ql_streams_acked(&c->ss, &pkt->frames[i]);
}

static UNUSED void lost(struct ql_conn *c, const struct packet *pkt)
{
	for (unsigned int i = 0; i < pkt->n; i++)
		ql_streams_lost(&c->ss, &pkt->frames[i]);
}

/* Everything that both have to send, without loss, until silence. */
static UNUSED void run(struct ql_conn *a, struct ql_conn *b)
{
	struct packet pkt;
	bool more = true;

	while (more) {
		more = false;
		while (build(a, &pkt, 1200)) {
			MUST(take(b, &pkt) == 0);
			acked(a, &pkt);
			more = true;
		}
		while (build(b, &pkt, 1200)) {
			MUST(take(a, &pkt) == 0);
			acked(b, &pkt);
			more = true;
		}
	}
	ck_assert(!ql_streams_pending(&a->ss));
	ck_assert(!ql_streams_pending(&b->ss));
}

/* The first frame of this family in a packet; false when there is none. */
static UNUSED bool find_frame(const struct packet *pkt, enum ql_frame_type type, struct ql_frame *f)
{
	const uint8_t *p = pkt->data, *end = p + pkt->len;

	while (p < end) {
		MUST(ql_frame_decode(&p, end, f) == 0);
		if (f->type == type)
			return true;
	}
	return false;
}

/* ---- Frames as a peer sends them ---- */

static UNUSED int rx_stream(struct ql_conn *c, uint64_t id, uint64_t offset, size_t len, bool fin)
{
	struct ql_frame f = {.type = QL_FRAME_STREAM};
	uint8_t *data = malloc(len ? len : 1);
	int err;

	MUST(data);
	fill(id, offset, data, len);
	f.stream.id = id;
	f.stream.offset = offset;
	f.stream.data = data;
	f.stream.len = len;
	f.stream.fin = fin;
	err = recv_any(c, &f);
	free(data);
	return err;
}

static UNUSED int rx_reset(struct ql_conn *c, uint64_t id, uint64_t code, uint64_t final_size)
{
	struct ql_frame f = {.type = QL_FRAME_RESET_STREAM};

	f.reset_stream.id = id;
	f.reset_stream.code = code;
	f.reset_stream.final_size = final_size;
	return ql_streams_recv(&c->ss, &f);
}

static UNUSED int rx_stop(struct ql_conn *c, uint64_t id, uint64_t code)
{
	struct ql_frame f = {.type = QL_FRAME_STOP_SENDING};

	f.stop_sending.id = id;
	f.stop_sending.code = code;
	return ql_streams_recv(&c->ss, &f);
}

static UNUSED int rx_max_data(struct ql_conn *c, uint64_t limit)
{
	struct ql_frame f = {.type = QL_FRAME_MAX_DATA};

	f.max_data.limit = limit;
	return ql_streams_recv(&c->ss, &f);
}

static UNUSED int rx_max_stream_data(struct ql_conn *c, uint64_t id, uint64_t limit)
{
	struct ql_frame f = {.type = QL_FRAME_MAX_STREAM_DATA};

	f.max_stream_data.id = id;
	f.max_stream_data.limit = limit;
	return ql_streams_recv(&c->ss, &f);
}

static UNUSED int rx_max_streams(struct ql_conn *c, bool uni, uint64_t limit)
{
	struct ql_frame f = {.type = QL_FRAME_MAX_STREAMS};

	f.max_streams.uni = uni;
	f.max_streams.limit = limit;
	return ql_streams_recv(&c->ss, &f);
}

static UNUSED int rx_blocked(struct ql_conn *c, uint64_t id, uint64_t limit)
{
	struct ql_frame f = {.type = QL_FRAME_STREAM_DATA_BLOCKED};

	f.stream_data_blocked.id = id;
	f.stream_data_blocked.limit = limit;
	return ql_streams_recv(&c->ss, &f);
}

#endif
