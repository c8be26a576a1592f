// SPDX-License-Identifier: BSD-3-Clause
/*
 * A sorted set of disjoint ranges of numbers: received packet numbers (RFC 9000, 13.2), bytes of a
 * stream that were acknowledged or are to be sent again.
 *
 * Ranges are inclusive at both ends and merge when they touch, so two neighbours always have at
 * least one number missing in between. The first few lie inside the struct, more in one block of
 * the ql_mem, which goes back when the set is small again. A set never has more than max ranges. It
 * may be moved by memcpy. Every call for one set must be given the same ql_mem.
 *
 * Extending the highest range at its end, the usual case, is O(1); everything else O(ranges).
 */
#ifndef QL_RECOVERY_RANGES_H
#define QL_RECOVERY_RANGES_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"

#define QL_RANGES_INLINE 3

struct ql_range {
	uint64_t start, end; /* both belong to it */
};

struct ql_ranges {
	union {
		struct ql_range own[QL_RANGES_INLINE];
		struct ql_range *block;
	};
	uint64_t floor; /* numbers below were taken out by _add_drop() or _remove_below() */
	uint16_t count;
	uint16_t cap; /* QL_RANGES_INLINE: own is in use */
	uint16_t max;
};

/* max >= 1 ranges. Takes no memory. */
void ql_ranges_init(struct ql_ranges *rs, uint16_t max);

/* Frees everything; the set is empty then and may be used on. */
void ql_ranges_fini(struct ql_ranges *rs, struct ql_mem *mem);

/* Ascending. */
static inline struct ql_range *ql_ranges_array(struct ql_ranges *rs)
{
	return rs->cap > QL_RANGES_INLINE ? rs->block : rs->own;
}

static inline unsigned int ql_ranges_count(const struct ql_ranges *rs)
{
	return rs->count;
}

/* The i-th range from below, i < count. Valid until the set changes. */
static inline const struct ql_range *ql_ranges_get(const struct ql_ranges *rs, unsigned int i)
{
	return (rs->cap > QL_RANGES_INLINE ? rs->block : rs->own) + i;
}

/* The lowest and the highest range; NULL when empty. */
static inline const struct ql_range *ql_ranges_first(const struct ql_ranges *rs)
{
	return rs->count ? ql_ranges_get(rs, 0) : NULL;
}

static inline const struct ql_range *ql_ranges_last(const struct ql_ranges *rs)
{
	return rs->count ? ql_ranges_get(rs, rs->count - 1u) : NULL;
}

int ql_ranges_add_slow(struct ql_ranges *rs, struct ql_mem *mem, uint64_t start, uint64_t end,
		       bool drop);

static inline bool ql_ranges_extend(struct ql_ranges *rs, uint64_t start, uint64_t end)
{
	struct ql_range *last;

	if (!rs->count)
		return false;
	last = ql_ranges_array(rs) + rs->count - 1;
	if (start <= last->end || start - last->end != 1)
		return false;
	last->end = end;
	return true;
}

/*
 * Put start..end in; start <= end.
 * 0; -ENOSPC when it would be one range too many, -ENOMEM: the set is unchanged then.
 */
static inline int ql_ranges_add(struct ql_ranges *rs, struct ql_mem *mem, uint64_t start,
				uint64_t end)
{
	return ql_ranges_extend(rs, start, end) ? 0
						: ql_ranges_add_slow(rs, mem, start, end, false);
}

/*
 * As ql_ranges_add(), for received packet numbers: cannot fail. Where there is no room, the lowest
 * range is forgotten, which may be the new one, and floor is raised above it. What lies below
 * floor already is not put in.
 */
static inline void ql_ranges_add_drop(struct ql_ranges *rs, struct ql_mem *mem, uint64_t start,
				      uint64_t end)
{
	if (__builtin_expect(start < rs->floor || !ql_ranges_extend(rs, start, end), 0))
		(void)ql_ranges_add_slow(rs, mem, start, end, true);
}

/*
 * Take start..end out; start <= end. Numbers that are not in are fine.
 * 0; -ENOSPC, -ENOMEM when that would split a range and there is no room: unchanged then.
 */
int ql_ranges_remove(struct ql_ranges *rs, struct ql_mem *mem, uint64_t start, uint64_t end);

/* Take out everything below x and raise floor to x. */
void ql_ranges_remove_below(struct ql_ranges *rs, struct ql_mem *mem, uint64_t x);

/* Index of the lowest range whose end is at least x; count when there is none. O(log ranges). */
unsigned int ql_ranges_find(const struct ql_ranges *rs, uint64_t x);

static inline bool ql_ranges_contains(const struct ql_ranges *rs, uint64_t x)
{
	const struct ql_range *last = ql_ranges_last(rs);

	if (!last || x > last->end)
		return false;
	return x >= last->start || ql_ranges_get(rs, ql_ranges_find(rs, x))->start <= x;
}

/* Whether a received packet number is a duplicate, or too old to tell (RFC 9000, 12.3). */
static inline bool ql_ranges_seen(const struct ql_ranges *rs, uint64_t x)
{
	return x < rs->floor || ql_ranges_contains(rs, x);
}

#endif /* QL_RECOVERY_RANGES_H */
