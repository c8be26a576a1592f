// SPDX-License-Identifier: BSD-3-Clause
#include "recovery/ranges.h"

#define FIRST_BLOCK 8 /* ranges */

void ql_ranges_init(struct ql_ranges *rs, uint16_t max)
{
	memset(rs, 0, sizeof(*rs));
	rs->cap = QL_RANGES_INLINE;
	rs->max = max;
}

void ql_ranges_fini(struct ql_ranges *rs, struct ql_mem *mem)
{
	if (rs->cap > QL_RANGES_INLINE)
		ql_mem_free(mem, rs->block, rs->cap * sizeof(struct ql_range));
	ql_ranges_init(rs, rs->max);
}

unsigned int ql_ranges_find(const struct ql_ranges *rs, uint64_t x)
{
	const struct ql_range *r = ql_ranges_get(rs, 0);
	unsigned int lo = 0, hi = rs->count;

	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;

		if (r[mid].end >= x)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/* Make room for one range more. */
static int reserve(struct ql_ranges *rs, struct ql_mem *mem)
{
	struct ql_range *block;
	unsigned int cap;

	if (rs->count >= rs->max)
		return -ENOSPC;
	if (rs->count < rs->cap)
		return 0;
	cap = rs->cap < FIRST_BLOCK ? FIRST_BLOCK : rs->cap * 2u;
	if (cap > rs->max)
		cap = rs->max;
	block = ql_mem_alloc(mem, cap * sizeof(*block));
	if (!block)
		return -ENOMEM;
	memcpy(block, ql_ranges_array(rs), rs->count * sizeof(*block));
	if (rs->cap > QL_RANGES_INLINE)
		ql_mem_free(mem, rs->block, rs->cap * sizeof(*block));
	rs->block = block;
	rs->cap = (uint16_t)cap;
	return 0;
}

/* Delete [from, to), and come home from the block when there is room to spare. */
static void delete (struct ql_ranges *rs, struct ql_mem *mem, unsigned int from, unsigned int to)
{
	struct ql_range *r = ql_ranges_array(rs);

	memmove(r + from, r + to, (rs->count - to) * sizeof(*r));
	rs->count = (uint16_t)(rs->count - (to - from));
	if (rs->cap > QL_RANGES_INLINE && rs->count < QL_RANGES_INLINE) {
		size_t size = rs->cap * sizeof(*r);

		memcpy(rs->own, r, rs->count * sizeof(*r));
		rs->cap = QL_RANGES_INLINE;
		ql_mem_free(mem, r, size);
	}
}

/* There is room. */
static void insert(struct ql_ranges *rs, unsigned int at, uint64_t start, uint64_t end)
{
	struct ql_range *r = ql_ranges_array(rs);

	memmove(r + at + 1, r + at, (rs->count - at) * sizeof(*r));
	r[at] = (struct ql_range){start, end};
	rs->count++;
}

static void raise_floor(struct ql_ranges *rs, uint64_t gone)
{
	if (rs->floor <= gone)
		rs->floor = gone < UINT64_MAX ? gone + 1 : gone;
}

int ql_ranges_add_slow(struct ql_ranges *rs, struct ql_mem *mem, uint64_t start, uint64_t end,
		       bool drop)
{
	struct ql_range *r = ql_ranges_array(rs);
	unsigned int from, to;
	int rc;

	if (drop && start < rs->floor) {
		if (end < rs->floor)
			return 0;
		start = rs->floor;
	}
	/* from..to: what it overlaps or touches */
	from = to = ql_ranges_find(rs, start ? start - 1 : 0);
	while (to < rs->count && (end == UINT64_MAX || r[to].start <= end + 1))
		to++;
	if (from < to) {
		if (start < r[from].start)
			r[from].start = start;
		r[from].end = end > r[to - 1].end ? end : r[to - 1].end;
		delete (rs, mem, from + 1, to);
		return 0;
	}
	rc = reserve(rs, mem);
	if (!rc) {
		insert(rs, from, start, end);
	} else if (drop && from == 0) {
		raise_floor(rs, end);
		rc = 0;
	} else if (drop) {
		raise_floor(rs, r[0].end);
		memmove(r, r + 1, (from - 1) * sizeof(*r));
		r[from - 1] = (struct ql_range){start, end};
		rc = 0;
	}
	return rc;
}

int ql_ranges_remove(struct ql_ranges *rs, struct ql_mem *mem, uint64_t start, uint64_t end)
{
	unsigned int from = ql_ranges_find(rs, start), to;
	struct ql_range *r = ql_ranges_array(rs);
	int rc;

	if (from == rs->count)
		return 0;
	if (r[from].start < start) {
		uint64_t tail = r[from].end;

		if (tail > end) {
			rc = reserve(rs, mem);
			if (rc)
				return rc;
			ql_ranges_array(rs)[from].end = start - 1;
			insert(rs, from + 1, end + 1, tail);
			return 0;
		}
		r[from++].end = start - 1;
	}
	for (to = from; to < rs->count && r[to].end <= end; to++)
		;
	if (to < rs->count && r[to].start <= end)
		r[to].start = end + 1;
	delete (rs, mem, from, to);
	return 0;
}

void ql_ranges_remove_below(struct ql_ranges *rs, struct ql_mem *mem, uint64_t x)
{
	struct ql_range *r;

	if (x == 0)
		return;
	raise_floor(rs, x - 1);
	delete (rs, mem, 0, ql_ranges_find(rs, x));
	r = ql_ranges_array(rs);
	if (rs->count && r[0].start < x)
		r[0].start = x;
}
