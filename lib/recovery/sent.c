// SPDX-License-Identifier: BSD-3-Clause
#include "recovery/sent.h"

#include <errno.h>

#include <qlane/common.h>

#define BLOCK_BYTES (QL_SENT_BLOCK * sizeof(struct ql_sent_pkt))

void ql_sent_init(struct ql_sent *s, struct ql_mem *mem, uint32_t max)
{
	memset(s, 0, sizeof(*s));
	s->mem = mem;
	s->last_skip = QL_SENT_NOTHING;
	s->building = QL_SENT_NOTHING;
	s->max = max ? max : QL_SENT_MAX;
	s->dir = s->own;
	s->dir_cap = QL_SENT_DIR;
}

/* ---- Blocks of records ---- */

static struct ql_sent_pkt **slot(const struct ql_sent *s, uint64_t block)
{
	return &s->dir[block & (s->dir_cap - 1)];
}

static int grow_dir(struct ql_sent *s)
{
	struct ql_sent_pkt **dir = ql_mem_alloc(s->mem, 2 * s->dir_cap * sizeof(*dir));
	uint64_t b;

	if (!dir)
		return -ENOMEM;
	for (b = s->first_block; b < s->end_block; b++)
		dir[b & (2 * s->dir_cap - 1)] = *slot(s, b);
	if (s->dir != s->own)
		ql_mem_free(s->mem, s->dir, s->dir_cap * sizeof(*dir));
	s->dir = dir;
	s->dir_cap *= 2;
	return 0;
}

/* Free the blocks that no record from base to next lies in. */
static void free_blocks(struct ql_sent *s)
{
	bool empty = s->base == s->next;
	uint64_t first = empty ? s->end_block : s->base / QL_SENT_BLOCK;
	uint64_t end = empty ? s->end_block : (s->next - 1) / QL_SENT_BLOCK + 1;

	for (; s->first_block < first; s->first_block++)
		ql_mem_free(s->mem, *slot(s, s->first_block), BLOCK_BYTES);
	for (; s->end_block > end; s->end_block--)
		ql_mem_free(s->mem, *slot(s, s->end_block - 1), BLOCK_BYTES);
	if (empty)
		s->first_block = s->end_block = 0;
	if (empty && s->dir != s->own) {
		ql_mem_free(s->mem, s->dir, s->dir_cap * sizeof(*s->dir));
		s->dir = s->own;
		s->dir_cap = QL_SENT_DIR;
	}
}

/* Have blocks up to that of number pn. */
static int take_blocks(struct ql_sent *s, uint64_t pn)
{
	if (s->first_block == s->end_block)
		s->first_block = s->end_block = s->next / QL_SENT_BLOCK;
	for (; s->end_block <= pn / QL_SENT_BLOCK; s->end_block++) {
		struct ql_sent_pkt *block;

		if (s->end_block - s->first_block == s->dir_cap && grow_dir(s))
			return -ENOMEM;
		block = ql_mem_alloc(s->mem, BLOCK_BYTES);
		if (!block)
			return -ENOMEM;
		*slot(s, s->end_block) = block;
	}
	return 0;
}

/* ---- The queue of frames ---- */

static void free_head(struct ql_sent *s)
{
	struct ql_sent_chunk *chunk = s->head;

	s->head = chunk->next;
	ql_mem_free(s->mem, chunk, sizeof(*chunk));
	if (!s->head)
		s->tail = NULL;
}

/* Drop the n frames at the low end. */
static void drop_frames(struct ql_sent *s, uint64_t n)
{
	if (!s->head)
		return;
	for (n += s->head_pos; n >= QL_SENT_CHUNK && s->head != s->tail; n -= QL_SENT_CHUNK)
		free_head(s);
	s->head_pos = (uint8_t)n;
	if (s->head == s->tail && s->head_pos == s->tail_pos) {
		free_head(s);
		s->head_pos = s->tail_pos = 0;
	}
}

/* ---- Building a packet ---- */

int ql_sent_begin_slow(struct ql_sent *s, uint64_t pn)
{
	if (pn < s->next || pn - s->next > QL_SENT_SKIP_MAX)
		return -EINVAL;
	if (pn - s->base >= s->max) {
		ql_sent_trim(s, QL_SENT_NOTHING);
		if (pn - s->base >= s->max)
			return -ENOBUFS;
	}
	if (pn / QL_SENT_BLOCK >= s->end_block && take_blocks(s, pn)) {
		free_blocks(s);
		return -ENOMEM;
	}
	return 0;
}

int ql_sent_add_slow(struct ql_sent *s, struct ql_sent_frame frame)
{
	struct ql_sent_chunk *chunk;

	if (s->build_count == QL_SENT_FRAMES_MAX)
		return -ENOSPC;
	chunk = ql_mem_alloc(s->mem, sizeof(*chunk));
	if (!chunk)
		return -ENOMEM;
	chunk->next = NULL;
	chunk->frames[0] = frame;
	if (s->tail)
		s->tail->next = chunk;
	else
		s->head = chunk;
	if (!s->build_chunk)
		s->build_chunk = chunk;
	s->tail = chunk;
	s->tail_pos = 1;
	s->build_count++;
	return 0;
}

void ql_sent_skip(struct ql_sent *s)
{
	for (; s->next < s->building; s->next++) {
		*ql_sent_at(s, s->next) = (struct ql_sent_pkt){.flags = QL_SENT_SKIPPED};
		s->last_skip = s->next;
	}
}

void ql_sent_abort(struct ql_sent *s)
{
	struct ql_sent_chunk *chunk, *next;

	if (s->building == QL_SENT_NOTHING)
		return;
	s->building = QL_SENT_NOTHING;
	free_blocks(s);
	if (!s->build_chunk)
		return;
	for (chunk = s->build_chunk->next; chunk; chunk = next) {
		next = chunk->next;
		ql_mem_free(s->mem, chunk, sizeof(*chunk));
	}
	s->build_chunk->next = NULL;
	s->tail = s->build_chunk;
	s->tail_pos = s->build_pos;
	drop_frames(s, 0);
}

/* ---- Afterwards ---- */

void ql_sent_clear(struct ql_sent *s)
{
	ql_sent_abort(s);
	while (s->head)
		free_head(s);
	s->head_pos = s->tail_pos = 0;
	s->base = s->open = s->next;
	free_blocks(s);
}

uint64_t ql_sent_unacked(struct ql_sent *s, uint64_t pn)
{
	while (pn < s->next) {
		struct ql_sent_pkt *pkt = ql_sent_at(s, pn), *then;

		if (!(pkt->flags & QL_SENT_ACKED))
			return pn;
		pn = pkt->skip;
		if (pn == s->next)
			break;
		then = ql_sent_at(s, pn);
		if (then->flags & QL_SENT_ACKED) /* halve the way for the next who comes */
			pn = pkt->skip = then->skip;
	}
	return pn;
}

static bool done(const struct ql_sent *s, const struct ql_sent_pkt *pkt, uint64_t lost_before)
{
	if (pkt->flags & (QL_SENT_ACKED | QL_SENT_SKIPPED) || !(pkt->flags & QL_SENT_IN_FLIGHT))
		return true;
	return pkt->flags & QL_SENT_LOST &&
	       (pkt->time < lost_before || s->base + QL_SENT_KEEP < s->open);
}

void ql_sent_trim(struct ql_sent *s, uint64_t lost_before)
{
	uint64_t frames = 0;

	while (s->base < s->next) {
		const struct ql_sent_pkt *pkt = ql_sent_at(s, s->base);

		if (!done(s, pkt, lost_before))
			break;
		frames += pkt->frames;
		s->base++;
	}
	if (s->open < s->base)
		s->open = s->base;
	if (frames)
		drop_frames(s, frames);
	free_blocks(s);
}
