// SPDX-License-Identifier: BSD-3-Clause
#include "stream/recvbuf.h"

#include <errno.h>

struct ql_recvchunk {
	uint32_t cap; /* bytes of data, a multiple of 64 */
	uint32_t end; /* of the highest byte that is there */
	uint64_t bits[];
	/* then the data */
};

_Static_assert(sizeof(struct ql_recvchunk) + QL_RECVCHUNK_BYTES / 8 + QL_RECVCHUNK_BYTES <= 4096,
	       "a full chunk and its bits fit in a block of 4 KiB");

static uint8_t *chunk_data(struct ql_recvchunk *c)
{
	return (uint8_t *)&c->bits[c->cap / 64];
}

static size_t chunk_size(size_t cap)
{
	return sizeof(struct ql_recvchunk) + cap / 8 + cap;
}

/* What a chunk of need bytes can hold in the block that it takes anyway. */
static size_t chunk_cap(size_t need)
{
	size_t block = ql_mem_class_size(chunk_size((need + 63) & ~(size_t)63));
	size_t cap = ((block - sizeof(struct ql_recvchunk)) * 8 / 9) & ~(size_t)63;

	return cap < QL_RECVCHUNK_BYTES ? cap : QL_RECVCHUNK_BYTES;
}

/* The first bit of [from, to) that is set (or, for set == false, clear); to if there is none. */
static size_t bits_find(const uint64_t *bits, size_t from, size_t to, bool set)
{
	uint64_t flip = set ? 0 : UINT64_MAX, word;
	size_t at;

	if (from >= to)
		return to;
	word = (bits[from / 64] ^ flip) & (UINT64_MAX << (from % 64));
	for (at = from & ~(size_t)63; word == 0; word = bits[at / 64] ^ flip) {
		at += 64;
		if (at >= to)
			return to;
	}
	at += (size_t)__builtin_ctzll(word);
	return at < to ? at : to;
}

/* from < to */
static void bits_set(uint64_t *bits, size_t from, size_t to)
{
	size_t first = from / 64, last = (to - 1) / 64;
	uint64_t head = UINT64_MAX << (from % 64), tail = UINT64_MAX >> (63 - (to - 1) % 64);

	if (first == last) {
		bits[first] |= head & tail;
		return;
	}
	bits[first] |= head;
	for (size_t i = first + 1; i < last; i++)
		bits[i] = UINT64_MAX;
	bits[last] |= tail;
}

static struct ql_recvchunk *chunk_at(const struct ql_recvbuf *rb, uint64_t index)
{
	if (index - rb->offset / QL_RECVCHUNK_BYTES >= rb->ring_size)
		return NULL;
	return rb->ring[index & (rb->ring_size - 1)];
}

static void chunk_free(struct ql_recvbuf *rb, struct ql_mem *mem, uint64_t index)
{
	struct ql_recvchunk **slot = &rb->ring[index & (rb->ring_size - 1)];

	if (*slot) {
		ql_mem_free(mem, *slot, chunk_size((*slot)->cap));
		*slot = NULL;
		rb->chunks--;
	}
}

static void ring_free(struct ql_recvbuf *rb, struct ql_mem *mem)
{
	ql_mem_free(mem, rb->ring, rb->ring_size * sizeof(*rb->ring));
	rb->ring = NULL;
	rb->ring_size = 0;
}

/* Make room for this index in the ring. */
static int ring_reserve(struct ql_recvbuf *rb, struct ql_mem *mem, uint64_t index)
{
	uint64_t base = rb->offset / QL_RECVCHUNK_BYTES;
	struct ql_recvchunk **ring;
	size_t size = rb->ring_size ? rb->ring_size : 2;

	if (index - base >= QL_MEM_MAX / sizeof(*ring))
		return -ENOMEM;
	while (index - base >= size)
		size *= 2;
	if (size == rb->ring_size)
		return 0;
	ring = ql_mem_zalloc(mem, size * sizeof(*ring));
	if (!ring)
		return -ENOMEM;
	for (uint64_t i = base; i < base + rb->ring_size; i++)
		ring[i & (size - 1)] = rb->ring[i & (rb->ring_size - 1)];
	ring_free(rb, mem);
	rb->ring = ring;
	rb->ring_size = (uint32_t)size;
	return 0;
}

/* The chunk of this index, with room for need bytes. NULL without memory. */
static struct ql_recvchunk *chunk_reserve(struct ql_recvbuf *rb, struct ql_mem *mem, uint64_t index,
					  size_t need)
{
	struct ql_recvchunk *old = chunk_at(rb, index), *c;
	size_t cap;

	if (old && old->cap >= need)
		return old;
	if (ring_reserve(rb, mem, index))
		return NULL;
	cap = chunk_cap(need);
	c = ql_mem_alloc(mem, chunk_size(cap));
	if (!c)
		return NULL;
	c->cap = (uint32_t)cap;
	c->end = 0;
	memset(c->bits, 0, cap / 8);
	if (old) {
		c->end = old->end;
		memcpy(c->bits, old->bits, old->cap / 8);
		memcpy(chunk_data(c), chunk_data(old), old->end);
		ql_mem_free(mem, old, chunk_size(old->cap));
	} else {
		rb->chunks++;
	}
	rb->ring[index & (rb->ring_size - 1)] = c;
	return c;
}

/* Copy to [at, at + len) of c what is not there yet. */
static void chunk_write(struct ql_recvchunk *c, size_t at, const uint8_t *data, size_t len)
{
	size_t end = at + len, from, to;

	for (from = at; from < end; from = to) {
		from = bits_find(c->bits, from, end, false);
		if (from == end)
			break;
		to = bits_find(c->bits, from, end, true);
		memcpy(chunk_data(c) + from, data + (from - at), to - from);
	}
	bits_set(c->bits, at, end);
	if (c->end < end)
		c->end = (uint32_t)end;
}

void ql_recvbuf_drop_held(struct ql_recvbuf *rb, struct ql_mem *mem)
{
	for (uint32_t i = 0; rb->chunks > 0; i++)
		chunk_free(rb, mem, i);
	ring_free(rb, mem);
}

int ql_recvbuf_add(struct ql_recvbuf *rb, struct ql_mem *mem, uint64_t offset, const uint8_t *data,
		   size_t len, bool fin)
{
	int rc = ql_recvbuf_extent(rb, offset + len, fin);

	if (rc || offset <= rb->offset)
		return rc;
	while (len > 0) {
		uint64_t index = offset / QL_RECVCHUNK_BYTES;
		size_t at = offset % QL_RECVCHUNK_BYTES;
		size_t n = QL_RECVCHUNK_BYTES - at < len ? QL_RECVCHUNK_BYTES - at : len;
		struct ql_recvchunk *c = chunk_reserve(rb, mem, index, at + n);

		if (!c)
			return -ENOMEM;
		chunk_write(c, at, data, n);
		offset += n;
		data += n;
		len -= n;
	}
	return 0;
}

/* The offset of the first byte held in [rb->offset, end), or end. */
static uint64_t first_held(const struct ql_recvbuf *rb, uint64_t end)
{
	uint64_t index = rb->offset / QL_RECVCHUNK_BYTES;
	size_t from = rb->offset % QL_RECVCHUNK_BYTES;

	for (; index * QL_RECVCHUNK_BYTES < end; index++, from = 0) {
		struct ql_recvchunk *c = chunk_at(rb, index);
		size_t at;

		if (!c)
			continue;
		at = bits_find(c->bits, from, c->end, true);
		if (at < c->end) {
			uint64_t held = index * QL_RECVCHUNK_BYTES + at;

			return held < end ? held : end;
		}
	}
	return end;
}

size_t ql_recvbuf_next_held(const struct ql_recvbuf *rb, uint64_t offset, const uint8_t *data,
			    size_t len, const uint8_t **p)
{
	uint64_t end = offset + len;
	struct ql_recvchunk *c = chunk_at(rb, rb->offset / QL_RECVCHUNK_BYTES);
	size_t at = rb->offset % QL_RECVCHUNK_BYTES;

	if (c && at < c->end && (c->bits[at / 64] >> (at % 64) & 1)) {
		*p = chunk_data(c) + at;
		return bits_find(c->bits, at, c->end, false) - at;
	}
	if (offset <= rb->offset && rb->offset < end)
		end = first_held(rb, end);
	if (offset > rb->offset || rb->offset >= end)
		return 0;
	*p = data + (rb->offset - offset);
	return (size_t)(end - rb->offset);
}

void ql_recvbuf_free_used(struct ql_recvbuf *rb, struct ql_mem *mem, uint64_t from)
{
	uint64_t index = from / QL_RECVCHUNK_BYTES, last;
	uint32_t left = rb->ring_size;
	struct ql_recvchunk *c;

	last = rb->offset / QL_RECVCHUNK_BYTES;
	for (; index < last && left > 0; index++, left--)
		chunk_free(rb, mem, index);
	c = chunk_at(rb, last);
	if (c && rb->offset % QL_RECVCHUNK_BYTES >= c->end)
		chunk_free(rb, mem, last);
	if (rb->chunks == 0)
		ring_free(rb, mem);
}

size_t ql_recvbuf_memory(const struct ql_recvbuf *rb)
{
	size_t bytes = rb->ring ? ql_mem_class_size(rb->ring_size * sizeof(*rb->ring)) : 0;

	for (uint32_t i = 0; i < rb->ring_size; i++)
		if (rb->ring[i])
			bytes += ql_mem_class_size(chunk_size(rb->ring[i]->cap));
	return bytes;
}
