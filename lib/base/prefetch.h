/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cache lines that are asked for ahead, so that they come while other work is done. A packet's buffer was
 * last written by a device or another lcore, and the state of one connection among thousands is in
 * memory: to get one line from there takes as long as a tenth of a packet's encryption or more.
 */
#ifndef QL_BASE_PREFETCH_H
#define QL_BASE_PREFETCH_H

#include <stddef.h>
#include <stdint.h>

#define QL_CACHE_LINE 64u /* bytes; where it is more, some lines are asked for twice */

static inline void ql_prefetch_write(const void *p)
{
	/* The compiler has the instruction for newer CPUs only; for older ones it does nothing. */
#if defined(__x86_64__)
	__asm__ volatile("prefetchw %0" : : "m"(*(const uint8_t *)p));
#else
	__builtin_prefetch(p, 1, 3);
#endif
}

/* Lines that will be read, from the one of p to the one before end. */
static inline void ql_prefetch_lines(const void *p, const void *end)
{
	const uint8_t *l = (const uint8_t *)((uintptr_t)p & ~(uintptr_t)(QL_CACHE_LINE - 1));

	for (; l < (const uint8_t *)end; l += QL_CACHE_LINE)
		__builtin_prefetch(l);
}

/* The lines of len bytes at p, by fours: so the last ones may be behind them. */
static inline void ql_prefetch_write_range(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i += (size_t)4 * QL_CACHE_LINE) {
		ql_prefetch_write(p + i);
		ql_prefetch_write(p + i + QL_CACHE_LINE);
		ql_prefetch_write(p + i + 2 * QL_CACHE_LINE);
		ql_prefetch_write(p + i + 3 * QL_CACHE_LINE);
	}
}

#endif
