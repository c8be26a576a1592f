// SPDX-License-Identifier: BSD-3-Clause
/*
 * Reassembly of one direction of a stream, or of CRYPTO data (RFC 9000, sections 2.2 and 4.5).
 *
 * Data that is next in order is handed on from the packet, without a copy. Data ahead of a gap is
 * copied into chunks of at most QL_RECVCHUNK_BYTES, each with a bit a byte for what is there, found
 * by index. So neither time nor memory depends on how the peer cuts its frames: a frame costs
 * O(its length), and the memory is at most 1.2 times the distance between the gap and the highest
 * byte seen, which flow control bounds, and 8 KiB; the chunk of a short stream is as short as that.
 *
 * Where data overlaps, what was received first stays. Conflicts are not looked for (2.2: MAY).
 *
 * Use:
 *	err = ql_recvbuf_add(rb, mem, offset, data, len, fin);
 *	while (!err && (n = ql_recvbuf_next(rb, offset, data, len, &p)) > 0) {
 *		... the next n bytes of the stream are at p ...
 *		ql_recvbuf_consume(rb, mem, n);
 *	}
 */
#ifndef QL_STREAM_RECVBUF_H
#define QL_STREAM_RECVBUF_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

#define QL_RECVCHUNK_BYTES 3584 /* with its bits in a block of 4 KiB */
#define QL_SIZE_UNKNOWN	   UINT64_MAX

struct ql_recvchunk;

struct ql_recvbuf {
	uint64_t offset;	    /* handed on: the next byte in order */
	uint64_t high;		    /* end of the highest data seen */
	uint64_t final_size;	    /* or QL_SIZE_UNKNOWN */
	struct ql_recvchunk **ring; /* by offset / QL_RECVCHUNK_BYTES, modulo its size */
	uint32_t ring_size;	    /* a power of two, 0 when there are no chunks */
	uint32_t chunks;
};

static inline void ql_recvbuf_init(struct ql_recvbuf *rb)
{
	*rb = (struct ql_recvbuf){.final_size = QL_SIZE_UNKNOWN};
}

void ql_recvbuf_drop_held(struct ql_recvbuf *rb, struct ql_mem *mem);

/* Drop what is held. offset, high and final_size stay. */
static inline void ql_recvbuf_drop(struct ql_recvbuf *rb, struct ql_mem *mem)
{
	if (__builtin_expect(rb->ring != NULL, 0))
		ql_recvbuf_drop_held(rb, mem);
}

/*
 * The end of data, or (final) the size of the stream, as a frame says it: offset + len, at most
 * 2^62. Updates high and final_size.
 * 0, or -EPROTO for a FINAL_SIZE_ERROR, with nothing changed.
 */
static inline int ql_recvbuf_extent(struct ql_recvbuf *rb, uint64_t end, bool final)
{
	if (end > rb->final_size)
		return -EPROTO;
	if (final) {
		if (end < rb->high || (rb->final_size != QL_SIZE_UNKNOWN && end != rb->final_size))
			return -EPROTO;
		rb->final_size = end;
	}
	if (end > rb->high)
		rb->high = end;
	return 0;
}

/*
 * A frame's data. Keeps a copy of what is ahead of a gap; what is in order is left to
 * ql_recvbuf_next(). The caller has checked flow control, or its own bound, for offset + len.
 * 0; -EPROTO as above; -ENOMEM, also when the distance is more than the index can hold (400 MB).
 */
int ql_recvbuf_add(struct ql_recvbuf *rb, struct ql_mem *mem, uint64_t offset, const uint8_t *data,
		   size_t len, bool fin);

/* Of ql_recvbuf_next(), ql_recvbuf_consume(): where data is held. */
size_t ql_recvbuf_next_held(const struct ql_recvbuf *rb, uint64_t offset, const uint8_t *data,
			    size_t len, const uint8_t **p);
void ql_recvbuf_free_used(struct ql_recvbuf *rb, struct ql_mem *mem, uint64_t from);

/*
 * The next run of bytes in order, from the frame just added or from what is held; 0 when there is
 * none. *p is valid until the next call for this rb; frame data until the packet is freed.
 */
static inline size_t ql_recvbuf_next(const struct ql_recvbuf *rb, uint64_t offset,
				     const uint8_t *data, size_t len, const uint8_t **p)
{
	if (__builtin_expect(rb->chunks > 0, 0))
		return ql_recvbuf_next_held(rb, offset, data, len, p);
	if (offset > rb->offset || rb->offset >= offset + len)
		return 0;
	*p = data + (rb->offset - offset);
	return (size_t)(offset + len - rb->offset);
}

/* The n bytes that ql_recvbuf_next() has just returned, or fewer, have been used. */
static inline void ql_recvbuf_consume(struct ql_recvbuf *rb, struct ql_mem *mem, size_t n)
{
	uint64_t from = rb->offset;

	rb->offset += n;
	if (__builtin_expect(rb->chunks > 0, 0))
		ql_recvbuf_free_used(rb, mem, from);
}

/* Bytes of memory that are held, with the index. */
size_t ql_recvbuf_memory(const struct ql_recvbuf *rb);

#endif
