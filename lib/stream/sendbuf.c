// SPDX-License-Identifier: BSD-3-Clause
#include "stream/sendbuf.h"

#include <assert.h>
#include <errno.h>

/* Ranges of each set; 16 bytes each. */
#define MAX_RANGES 1024

/* Blocks for data by copy: the first one as small as the data, further ones not below the least. */
#define BLOCK_MOST  16384
#define BLOCK_LEAST 4096

struct ql_sendseg {
	struct ql_sendseg *next;
	uint64_t offset; /* in the stream */
	const uint8_t *data;
	size_t len;
	union {
		size_t cap; /* of own */
		struct {
			ql_release_fn release;
			void *arg;
		};
	};
	uint8_t own[]; /* by copy: data points here */
};

static bool is_copy(const struct ql_sendseg *seg)
{
	return seg->data == seg->own;
}

static void use_gaps(struct ql_sendbuf *sb)
{
	if (sb->gaps)
		return;
	ql_ranges_init(&sb->acks, MAX_RANGES);
	ql_ranges_init(&sb->resend, MAX_RANGES);
	sb->gaps = true;
}

static void drop_gaps(struct ql_sendbuf *sb, struct ql_mem *mem)
{
	if (!sb->gaps)
		return;
	ql_ranges_fini(&sb->acks, mem);
	ql_ranges_fini(&sb->resend, mem);
	sb->gaps = false;
}

/* Frees a list that is no longer part of a buffer: the callbacks may do as they like. */
static void free_segs(struct ql_mem *mem, struct ql_sendseg *seg)
{
	while (seg) {
		struct ql_sendseg *next = seg->next;
		bool copy = is_copy(seg);
		ql_release_fn release = copy ? NULL : seg->release;
		void *arg = copy ? NULL : seg->arg;

		ql_mem_free(mem, seg, sizeof(*seg) + (copy ? seg->cap : 0));
		if (release)
			release(arg);
		seg = next;
	}
}

void ql_sendbuf_rewind(struct ql_sendbuf *sb, struct ql_mem *mem)
{
	drop_gaps(sb, mem);
	sb->cursor = sb->head;
	sb->sent = 0;
	sb->fin_sent = sb->fin_lost = false;
}

void ql_sendbuf_drop_held(struct ql_sendbuf *sb, struct ql_mem *mem)
{
	struct ql_sendseg *all = sb->head;

	sb->head = sb->tail = sb->cursor = NULL;
	sb->copied = 0;
	drop_gaps(sb, mem);
	free_segs(mem, all);
}

static void append(struct ql_sendbuf *sb, struct ql_sendseg *seg)
{
	seg->next = NULL;
	seg->offset = sb->size;
	if (sb->tail)
		sb->tail->next = seg;
	else
		sb->head = seg;
	sb->tail = seg;
}

/* The block that new data by copy goes to. */
static struct ql_sendseg *copy_seg(struct ql_sendbuf *sb, struct ql_mem *mem, size_t want)
{
	struct ql_sendseg *seg = sb->tail;
	size_t size;

	if (seg && is_copy(seg) && seg->len < seg->cap)
		return seg;
	size = want < BLOCK_MOST - sizeof(*seg) ? want + sizeof(*seg) : BLOCK_MOST;
	if (seg && size < BLOCK_LEAST)
		size = BLOCK_LEAST;
	size = ql_mem_class_size(size);
	seg = ql_mem_alloc(mem, size);
	if (!seg)
		return NULL;
	seg->data = seg->own;
	seg->len = 0;
	seg->cap = size - sizeof(*seg);
	append(sb, seg);
	return seg;
}

size_t ql_sendbuf_copy_in(struct ql_sendbuf *sb, struct ql_mem *mem, const void *data, size_t len)
{
	size_t done = 0;

	assert(!sb->fin);
	while (done < len) {
		struct ql_sendseg *seg = copy_seg(sb, mem, len - done);
		size_t n;

		if (!seg)
			break;
		n = seg->cap - seg->len < len - done ? seg->cap - seg->len : len - done;
		memcpy(seg->own + seg->len, (const uint8_t *)data + done, n);
		seg->len += n;
		sb->size += n;
		sb->copied += n;
		done += n;
	}
	return done;
}

int ql_sendbuf_ref_in(struct ql_sendbuf *sb, struct ql_mem *mem, const void *data, size_t len,
		      ql_release_fn release, void *arg)
{
	struct ql_sendseg *seg = ql_mem_alloc(mem, sizeof(*seg));

	assert(!sb->fin);
	if (!seg)
		return -ENOMEM;
	seg->data = data;
	seg->len = len;
	seg->release = release;
	seg->arg = arg;
	append(sb, seg);
	sb->size += len;
	return 0;
}

/* The segment that offset lies in. */
static struct ql_sendseg *seg_at(struct ql_sendbuf *sb, uint64_t offset)
{
	struct ql_sendseg *seg = sb->cursor;

	if (!seg || offset < seg->offset)
		seg = sb->head;
	while (offset - seg->offset >= seg->len)
		seg = seg->next;
	if (offset >= sb->sent)
		sb->cursor = seg;
	return seg;
}

size_t ql_sendbuf_at(struct ql_sendbuf *sb, uint64_t offset, size_t len, const uint8_t **p)
{
	const struct ql_sendseg *seg = seg_at(sb, offset);
	size_t at = (size_t)(offset - seg->offset);

	*p = seg->data + at;
	return len < seg->len - at ? len : seg->len - at;
}

void ql_sendbuf_copy_out(struct ql_sendbuf *sb, uint64_t offset, uint8_t *dst, size_t len)
{
	while (len > 0) {
		const uint8_t *p;
		size_t n = ql_sendbuf_at(sb, offset, len, &p);

		memcpy(dst, p, n);
		offset += n;
		dst += n;
		len -= n;
	}
}

/*
 * Start to end is lost. Without room for a range of its own, one beside it is made to reach it,
 * which takes no memory; an empty set has room.
 */
static void add_resend(struct ql_sendbuf *sb, struct ql_mem *mem, uint64_t start, uint64_t end)
{
	const struct ql_range *beside;
	unsigned int i;

	use_gaps(sb);
	if (ql_ranges_add(&sb->resend, mem, start, end) == 0)
		return;
	i = ql_ranges_find(&sb->resend, start);
	if (i < ql_ranges_count(&sb->resend)) {
		beside = ql_ranges_get(&sb->resend, i);
		if (end < beside->start)
			end = beside->start;
	} else {
		start = ql_ranges_last(&sb->resend)->end + 1;
	}
	(void)ql_ranges_add(&sb->resend, mem, start, end);
}

/* The range that x is in, or the next one above; NULL. */
static const struct ql_range *first_from(const struct ql_ranges *rs, uint64_t x)
{
	unsigned int i = ql_ranges_find(rs, x);

	return i < ql_ranges_count(rs) ? ql_ranges_get(rs, i) : NULL;
}

void ql_sendbuf_lost(struct ql_sendbuf *sb, struct ql_mem *mem, uint64_t offset, size_t len,
		     bool fin)
{
	uint64_t end = offset + len < sb->sent ? offset + len : sb->sent;
	uint64_t at = offset > sb->acked ? offset : sb->acked;

	while (at < end) {
		const struct ql_range *r = sb->gaps ? first_from(&sb->acks, at) : NULL;
		uint64_t to = r && r->start < end ? r->start : end;

		if (at < to)
			add_resend(sb, mem, at, to - 1);
		if (to == end)
			break;
		at = r->end + 1;
	}
	if (fin && !sb->fin_acked)
		sb->fin_lost = true;
}

/* Takes off what lies below acked. */
static struct ql_sendseg *detach_acked(struct ql_sendbuf *sb)
{
	struct ql_sendseg *first = sb->head, *last = NULL;

	while (sb->head && sb->head->offset + sb->head->len <= sb->acked) {
		last = sb->head;
		if (is_copy(last))
			sb->copied -= last->len;
		if (sb->cursor == last)
			sb->cursor = NULL;
		sb->head = last->next;
	}
	if (!last)
		return NULL;
	last->next = NULL;
	if (!sb->head)
		sb->tail = NULL;
	return first;
}

void ql_sendbuf_acked(struct ql_sendbuf *sb, struct ql_mem *mem, uint64_t offset, size_t len,
		      bool fin)
{
	uint64_t end = offset + len < sb->sent ? offset + len : sb->sent;
	const struct ql_range *r;

	if (fin) {
		sb->fin_acked = true;
		sb->fin_lost = false;
	}
	if (end > sb->acked && offset <= sb->acked) {
		sb->acked = end;
		if (sb->gaps) {
			r = first_from(&sb->acks, end);
			if (r && r->start <= end)
				sb->acked = r->end + 1;
			ql_ranges_remove_below(&sb->acks, mem, sb->acked);
			ql_ranges_remove_below(&sb->resend, mem, sb->acked);
		}
	} else if (end > sb->acked && end > offset) {
		use_gaps(sb);
		if (ql_ranges_add(&sb->acks, mem, offset, end - 1) == 0) {
			/* A failure means to send again what need not be. */
			if (ql_ranges_count(&sb->resend) > 0)
				(void)ql_ranges_remove(&sb->resend, mem, offset, end - 1);
		} else {
			add_resend(sb, mem, offset, end - 1);
		}
	}
	free_segs(mem, detach_acked(sb));
}
