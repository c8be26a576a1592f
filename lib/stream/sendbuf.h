// SPDX-License-Identifier: BSD-3-Clause
/*
 * What is to be sent in one direction of a stream, or as CRYPTO data: kept until it is
 * acknowledged (RFC 9000, sections 2.2, 3.1 and 13.3).
 *
 * Data comes by copy, into blocks of the engine's memory, or by reference, with a callback when it
 * is the owner's again. Offsets are bytes from the start of the stream:
 *
 *	0 ... acked ... sent ... size
 *	      |         |        end of what was given
 *	      |         next that was never sent
 *	      all below is acknowledged, and freed
 *
 * Between acked and sent two sets of ranges say what else was acknowledged, and what is to be sent
 * again. Both are bounded; when one is full, or memory is, more than necessary is sent again, never
 * less.
 * Acknowledgements in order cost O(1).
 */
#ifndef QL_STREAM_SENDBUF_H
#define QL_STREAM_SENDBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <qlane/stream.h>

#include "base/mem.h"
#include "recovery/ranges.h"

struct ql_sendseg;

struct ql_sendbuf {
	struct ql_sendseg *head, *tail;
	struct ql_sendseg *cursor; /* where sending new data was last */
	uint64_t size;
	uint64_t sent;
	uint64_t acked;
	uint64_t copied; /* bytes held by copy */
	bool fin;	 /* size is the final size */
	bool fin_sent;
	bool fin_lost;
	bool fin_acked;
	bool gaps;		 /* what follows is in use: most streams never touch it */
	struct ql_ranges acks;	 /* acknowledged, above acked */
	struct ql_ranges resend; /* lost */
};

/* A stretch to be put into a frame. */
struct ql_send_span {
	uint64_t offset;
	uint64_t len; /* bytes there are; the caller may take less */
	bool again;   /* it has been sent before and needs no credit */
};

/*
 * Data that belongs at the end of what is in a packet and has not been copied there: who seals the
 * packet can read it where it is (ql_seal_job.tail). Valid until the next acknowledgement or drop.
 */
struct ql_send_tail {
	uint8_t *at; /* its place in the packet */
	const uint8_t *data;
	size_t len; /* 0: there is none */
};

/* Data shorter than this is copied, bytes: to seal a packet in two pieces has its price. */
#define QL_SEND_TAIL_MIN 256

/* It has to be in its place after all. */
static inline void ql_send_tail_copy(struct ql_send_tail *tail)
{
	if (tail->len == 0)
		return;
	memcpy(tail->at, tail->data, tail->len);
	tail->len = 0;
}

static inline void ql_sendbuf_init(struct ql_sendbuf *sb)
{
	sb->head = sb->tail = sb->cursor = NULL;
	sb->size = sb->sent = sb->acked = sb->copied = 0;
	sb->fin = sb->fin_sent = sb->fin_lost = sb->fin_acked = sb->gaps = false;
}

void ql_sendbuf_drop_held(struct ql_sendbuf *sb, struct ql_mem *mem);

/* Give everything up: free it and call the release callbacks. */
static inline void ql_sendbuf_drop(struct ql_sendbuf *sb, struct ql_mem *mem)
{
	if (sb->head || sb->gaps)
		ql_sendbuf_drop_held(sb, mem);
}

/*
 * Append by copy.
 * Bytes taken: less than len, maybe 0, when memory is used up. Not after fin.
 */
size_t ql_sendbuf_copy_in(struct ql_sendbuf *sb, struct ql_mem *mem, const void *data, size_t len);

/* Append by reference. 0, or -ENOMEM without a call of release. len may be 0. Not after fin. */
int ql_sendbuf_ref_in(struct ql_sendbuf *sb, struct ql_mem *mem, const void *data, size_t len,
		      ql_release_fn release, void *arg);

/* There is something lost to be sent again, data or FIN. */
static inline bool ql_sendbuf_lost_any(const struct ql_sendbuf *sb)
{
	return sb->fin_lost || (sb->gaps && ql_ranges_count(&sb->resend) > 0);
}

/*
 * What goes next: lost data first, from the lowest offset, then new data. False when there is
 * neither, maybe with a FIN left over (ql_sendbuf_fin_due()).
 */
static inline bool ql_sendbuf_next(const struct ql_sendbuf *sb, struct ql_send_span *span)
{
	const struct ql_range *lost =
		__builtin_expect(sb->gaps, 0) ? ql_ranges_first(&sb->resend) : NULL;

	if (__builtin_expect(lost != NULL, 0))
		*span = (struct ql_send_span){lost->start, lost->end - lost->start + 1, true};
	else
		*span = (struct ql_send_span){sb->sent, sb->size - sb->sent, false};
	return span->len > 0;
}

/* A FIN that is to be sent, with the frame that ends at size or on its own. */
static inline bool ql_sendbuf_fin_due(const struct ql_sendbuf *sb)
{
	return sb->fin && (!sb->fin_sent || sb->fin_lost);
}

/* Bytes [offset, offset + len) have been put into a packet, with FIN or not. */
static inline void ql_sendbuf_sent(struct ql_sendbuf *sb, struct ql_mem *mem, uint64_t offset,
				   size_t len, bool fin)
{
	if (__builtin_expect(sb->gaps, 0) && len > 0 && offset < sb->sent)
		(void)ql_ranges_remove(&sb->resend, mem, offset, offset + len - 1);
	if (offset + len > sb->sent)
		sb->sent = offset + len;
	if (fin) {
		sb->fin_sent = true;
		sb->fin_lost = false;
	}
}

/* Copy [offset, offset + len), which must lie in [acked, size), to dst. */
void ql_sendbuf_copy_out(struct ql_sendbuf *sb, uint64_t offset, uint8_t *dst, size_t len);

/* The data at offset, in [acked, size), as far as it lies in one piece: at most len. */
size_t ql_sendbuf_at(struct ql_sendbuf *sb, uint64_t offset, size_t len, const uint8_t **p);

/*
 * A frame of [offset, offset + len) was acknowledged, or lost. What was never sent is not touched.
 * Release callbacks come at the end of ql_sendbuf_acked(), when the buffer may be used again.
 */
void ql_sendbuf_acked(struct ql_sendbuf *sb, struct ql_mem *mem, uint64_t offset, size_t len,
		      bool fin);
void ql_sendbuf_lost(struct ql_sendbuf *sb, struct ql_mem *mem, uint64_t offset, size_t len,
		     bool fin);

/* As if nothing had been sent; nothing may have been acknowledged. */
void ql_sendbuf_rewind(struct ql_sendbuf *sb, struct ql_mem *mem);

/* Everything and FIN have been acknowledged. */
static inline bool ql_sendbuf_done(const struct ql_sendbuf *sb)
{
	return sb->fin_acked && sb->acked == sb->size;
}

static inline uint64_t ql_sendbuf_unsent(const struct ql_sendbuf *sb)
{
	return sb->size - sb->sent;
}

#endif
