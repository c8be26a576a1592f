// SPDX-License-Identifier: BSD-3-Clause
/*
 * What was sent in one packet number space and may still be acknowledged or lost: RFC 9002, A.1.
 *
 * A record of each packet, found by its number in O(1), and behind it the frames that matter when
 * its fate is known. Records lie in blocks that a directory finds, frames in a queue of chunks
 * beside them; both come from the ql_mem, are never moved, and go back as the lowest packets are
 * done with: with nothing outstanding the space holds no block at all.
 *
 * Building a packet:
 *	rc = ql_sent_begin(s, pn);		may fail
 *	rc = ql_sent_add(s, &frame);		for each frame, before it is written; may fail
 *	ql_sent_commit(s, now, size, flags);	cannot fail; or ql_sent_abort(s)
 * A connection calls ql_rec_on_sent() in place of commit, which does that and the accounts.
 *
 * Numbers that pn jumps over get a record QL_SENT_SKIPPED: acknowledging one is an offence.
 * A record leaves from the low end, when it is acknowledged, skipped, not in flight, or lost and
 * old (or QL_SENT_KEEP records stay because of it). ACK-only packets with nothing in flight before
 * them leave no record for that reason.
 *
 * Sizes are bytes of UDP payload, times ns.
 */
#ifndef QL_RECOVERY_SENT_H
#define QL_RECOVERY_SENT_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/prefetch.h"

#define QL_SENT_MAX	   65536 /* records a space, by default */
#define QL_SENT_KEEP	   1024	 /* records that stay because a lost one is the lowest */
#define QL_SENT_FRAMES_MAX 64	 /* frames a packet */
#define QL_SENT_SKIP_MAX   16	 /* numbers that one packet may jump over */
#define QL_SENT_DIR	   4	 /* blocks that the directory holds without a block of its own */
#define QL_SENT_BLOCK	   16	 /* records */
#define QL_SENT_CHUNK	   31	 /* frames */

enum ql_sent_kind {
	QL_SENT_NONE,
	QL_SENT_ACK, /* offset: the largest number acknowledged in it */
	QL_SENT_CRYPTO,
	QL_SENT_STREAM,
	QL_SENT_RESET_STREAM,
	QL_SENT_STOP_SENDING,
	QL_SENT_MAX_DATA,
	QL_SENT_MAX_STREAM_DATA,
	QL_SENT_MAX_STREAMS_BIDI,
	QL_SENT_MAX_STREAMS_UNI,
	QL_SENT_DATA_BLOCKED,
	QL_SENT_STREAM_DATA_BLOCKED,
	QL_SENT_STREAMS_BLOCKED_BIDI,
	QL_SENT_STREAMS_BLOCKED_UNI,
	QL_SENT_NEW_CONNECTION_ID,
	QL_SENT_RETIRE_CONNECTION_ID,
	QL_SENT_PATH_CHALLENGE,
	QL_SENT_NEW_TOKEN,
	QL_SENT_HANDSHAKE_DONE,
	QL_SENT_PING,
	QL_SENT_DATAGRAM,
	QL_SENT_ACK_FREQUENCY,
};

#define QL_SENT_FRAME_FIN 0x01 /* the only flag with a meaning of its own here */

/* Except for kind, the fields mean what whoever adds the frame wants. */
struct ql_sent_frame {
	uint64_t id;
	uint64_t offset;
	uint32_t extra; /* a slot, a high part, ... */
	uint16_t len;
	uint8_t kind; /* enum ql_sent_kind */
	uint8_t flags;
};

/* Flags given at commit. */
#define QL_SENT_ELICITING  0x0001 /* ack-eliciting; means in flight, too */
#define QL_SENT_IN_FLIGHT  0x0002
#define QL_SENT_HAS_CRYPTO 0x0004
#define QL_SENT_ECT	   0x0008 /* sent with an ECN-capable codepoint */
#define QL_SENT_MTU_PROBE  0x0010 /* its loss says nothing of congestion (RFC 9000, 14.4) */
/* Flags that come later. */
#define QL_SENT_APP_LIMITED 0x0100 /* sent while the application had nothing more */
#define QL_SENT_ACKED	    0x0200
#define QL_SENT_LOST	    0x0400
#define QL_SENT_SKIPPED	    0x0800 /* a number that was never sent */
#define QL_SENT_REQUEUED    0x1000 /* its frames were given back for a probe already */
#define QL_SENT_DONE	    (QL_SENT_ACKED | QL_SENT_LOST | QL_SENT_SKIPPED)

#define QL_SENT_NOTHING UINT64_MAX /* no number */

struct ql_sent_chunk;

/* One cache line. */
struct ql_sent_pkt {
	union {
		uint64_t time; /* sent */
		uint64_t skip; /* once ACKED: the next number that may not be */
	};
	uint16_t size;
	uint16_t flags;
	uint8_t frames; /* how many */
	uint8_t first;	/* where they start in chunk */
	uint8_t path;	/* ql_sent.path when it was sent */
	uint8_t unused;
	struct ql_sent_chunk *chunk; /* of the first frame */
	/* State of the path when it was sent, for delivery rate samples. */
	uint64_t delivered;	 /* bytes */
	uint64_t delivered_time; /* ns */
	uint64_t first_sent;	 /* ns */
	uint64_t lost;		 /* bytes */
	uint64_t in_flight;	 /* bytes, this one included */
};

static_assert(sizeof(struct ql_sent_frame) == 24, "kept for each frame in flight");
static_assert(sizeof(struct ql_sent_pkt) == 64, "one cache line a packet in flight");

struct ql_sent_chunk {
	struct ql_sent_chunk *next;
	struct ql_sent_frame frames[QL_SENT_CHUNK];
};

struct ql_sent {
	struct ql_mem *mem;
	uint64_t base;	    /* lowest number with a record; == next when there is none */
	uint64_t next;	    /* above all numbers sent or skipped */
	uint64_t open;	    /* none below is in flight; <= next */
	uint64_t last_skip; /* highest number ever skipped, or QL_SENT_NOTHING */
	uint64_t building;  /* between begin and commit: its number, else QL_SENT_NOTHING */
	uint32_t max;	    /* records */
	uint32_t dir_cap;   /* power of two; QL_SENT_DIR: own is in use */
	/* Numbers are in block number / QL_SENT_BLOCK. Blocks first to end - 1 are there. */
	uint64_t first_block, end_block;
	struct ql_sent_pkt **dir; /* by block modulo dir_cap */
	struct ql_sent_pkt *own[QL_SENT_DIR];
	/* The queue of frames: chunks, and places in the first and the last one. */
	struct ql_sent_chunk *head, *tail;
	struct ql_sent_chunk *build_chunk; /* where the packet being built starts */
	uint8_t head_pos, tail_pos;
	uint8_t build_pos, build_count;
	uint8_t path; /* that packets are sent on, 0 at first; its owner's */
};

/* max: records it may hold, 0 for QL_SENT_MAX. Takes no memory. The struct may not be moved. */
void ql_sent_init(struct ql_sent *s, struct ql_mem *mem, uint32_t max);

/* Frees all records. Numbers go on from where they were if the space is used again. */
void ql_sent_clear(struct ql_sent *s);

/* The lowest number that the next packet may have. */
static inline uint64_t ql_sent_next(const struct ql_sent *s)
{
	return s->next;
}

int ql_sent_begin_slow(struct ql_sent *s, uint64_t pn);

/*
 * Start packet pn, at least ql_sent_next().
 * 0; -EINVAL for a pn too low or more than QL_SENT_SKIP_MAX too high; -ENOBUFS when max records are
 * outstanding; -ENOMEM. Unchanged then.
 */
static inline int ql_sent_begin(struct ql_sent *s, uint64_t pn)
{
	int rc = 0;

	if (__builtin_expect(pn != s->next || pn - s->base >= s->max ||
				     pn / QL_SENT_BLOCK >= s->end_block,
			     0))
		rc = ql_sent_begin_slow(s, pn);
	if (rc < 0)
		return rc;
	s->building = pn;
	s->build_chunk = s->tail;
	s->build_pos = s->tail_pos;
	s->build_count = 0;
	return 0;
}

int ql_sent_add_slow(struct ql_sent *s, struct ql_sent_frame frame);

/*
 * Note a frame of the packet being built. 0; -ENOSPC when it has QL_SENT_FRAMES_MAX; -ENOMEM. The
 * packet may be finished without the frame.
 */
static inline int ql_sent_add(struct ql_sent *s, const struct ql_sent_frame *frame)
{
	struct ql_sent_frame *to;

	if (__builtin_expect(!s->tail || s->tail_pos == QL_SENT_CHUNK ||
				     s->build_count == QL_SENT_FRAMES_MAX,
			     0))
		return ql_sent_add_slow(s, *frame);
	/* Field by field, and above by value, so that the caller's may stay in registers: what has just
	 * been written in parts cannot be read as a whole before it has reached the cache. */
	to = &s->tail->frames[s->tail_pos++];
	to->id = frame->id;
	to->offset = frame->offset;
	to->extra = frame->extra;
	to->len = frame->len;
	to->kind = frame->kind;
	to->flags = frame->flags;
	s->build_count++;
	return 0;
}

/* It was not: its number and its frames are free again. Nothing happens when none is being built.
 */
void ql_sent_abort(struct ql_sent *s);

/* The record of a number base <= pn < next. */
static inline struct ql_sent_pkt *ql_sent_at(const struct ql_sent *s, uint64_t pn)
{
	return &s->dir[pn / QL_SENT_BLOCK & (s->dir_cap - 1)][pn % QL_SENT_BLOCK];
}

/* The record of any number; NULL when there is none. */
static inline struct ql_sent_pkt *ql_sent_get(const struct ql_sent *s, uint64_t pn)
{
	return pn >= s->base && pn < s->next ? ql_sent_at(s, pn) : NULL;
}

/* Records from one on that are asked for together. */
#define QL_SENT_AHEAD 8

static inline void ql_sent_prefetch_from(const struct ql_sent *s, uint64_t pn)
{
	const struct ql_sent_pkt *pkt = ql_sent_at(s, pn);
	unsigned int n = QL_SENT_BLOCK - (unsigned int)(pn % QL_SENT_BLOCK);

	for (unsigned int i = 0; i < n && i < QL_SENT_AHEAD; i++)
		ql_prefetch_write(pkt + i);
}

/* Ask for where the next packets will be noted. */
static inline void ql_sent_prefetch_next(const struct ql_sent *s)
{
	if (s->next / QL_SENT_BLOCK < s->end_block && s->first_block < s->end_block)
		ql_sent_prefetch_from(s, s->next);
	if (s->tail && s->tail_pos < QL_SENT_CHUNK)
		ql_prefetch_write_range((const uint8_t *)&s->tail->frames[s->tail_pos],
					QL_SENT_AHEAD * sizeof(s->tail->frames[0]));
}

/* Ask for the records of the oldest packets, which are acknowledged next. */
static inline void ql_sent_prefetch_oldest(const struct ql_sent *s)
{
	if (s->base < s->next)
		ql_sent_prefetch_from(s, s->base);
}

/*
 * The first number from pn on, base <= pn, that is not ACKED; next when there is none. Takes no
 * more steps than it has to: the way is shortened each time it is gone.
 */
uint64_t ql_sent_unacked(struct ql_sent *s, uint64_t pn);

/*
 * Free the records at the low end that are done with; lost ones when sent before lost_before. Not
 * while a packet is being built.
 */
void ql_sent_trim(struct ql_sent *s, uint64_t lost_before);

/* Numbers up to building are left out. */
void ql_sent_skip(struct ql_sent *s);

/* The packet was sent. Its record, for ql_recovery to complete; valid until the next call. NULL when
 * it is not in flight. */
static inline struct ql_sent_pkt *ql_sent_commit(struct ql_sent *s, uint64_t now, uint16_t size,
						 uint16_t flags)
{
	struct ql_sent_pkt *pkt;

	assert(s->building != QL_SENT_NOTHING);
	if (__builtin_expect(s->next < s->building, 0))
		ql_sent_skip(s);
	if (flags & QL_SENT_ELICITING)
		flags |= QL_SENT_IN_FLIGHT;
	if (s->build_pos == QL_SENT_CHUNK && s->build_count > 0) {
		/* That chunk holds none of its frames, and may be gone when they are asked for. */
		s->build_chunk = s->build_chunk->next;
		s->build_pos = 0;
	}
	pkt = ql_sent_at(s, s->next++);
	pkt->time = now;
	pkt->size = size;
	pkt->flags = flags;
	pkt->frames = s->build_count;
	pkt->first = s->build_pos;
	pkt->path = s->path;
	pkt->chunk = s->build_chunk;
	s->building = QL_SENT_NOTHING;
	if (flags & QL_SENT_IN_FLIGHT)
		return pkt;
	ql_sent_trim(s, 0);
	return NULL;
}

/* The frames of a record, in the order they were added:
 *	for (f = ql_sent_frames(&it, pkt); f; f = ql_sent_frames_next(&it)) */
struct ql_sent_iter {
	struct ql_sent_chunk *chunk;
	uint8_t pos, left;
};

static inline struct ql_sent_frame *ql_sent_frames_next(struct ql_sent_iter *it)
{
	if (it->left == 0)
		return NULL;
	if (it->pos == QL_SENT_CHUNK) {
		it->chunk = it->chunk->next;
		it->pos = 0;
	}
	it->left--;
	return &it->chunk->frames[it->pos++];
}

static inline struct ql_sent_frame *ql_sent_frames(struct ql_sent_iter *it,
						   const struct ql_sent_pkt *pkt)
{
	*it = (struct ql_sent_iter){.chunk = pkt->chunk, .pos = pkt->first, .left = pkt->frames};
	return ql_sent_frames_next(it);
}

#endif /* QL_RECOVERY_SENT_H */
