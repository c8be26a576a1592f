// SPDX-License-Identifier: BSD-3-Clause
#include "base/mem.h"

#include "ql_build.h"

#if QL_MEM_OWN_BLOCKS
#include <stdlib.h>
#endif

#if QL_MEM_OWN_BLOCKS

void ql_mem_init(struct ql_mem *mem, void *base, size_t size)
{
	(void)base;
	memset(mem, 0, sizeof(*mem));
	mem->budget = size;
}

static void *take(struct ql_mem *mem, unsigned int c, size_t size)
{
	void *p;

	if (mem->used + ql_mem_class_bytes(c) > mem->budget)
		return NULL;
	/* not aligned_alloc, which wants the size to be a multiple of the alignment */
	return posix_memalign(&p, size < 64 ? 16 : 64, size ? size : 1) ? NULL : p;
}

static void give(struct ql_mem *mem, unsigned int c, void *block)
{
	(void)mem;
	(void)c;
	free(block);
}

size_t ql_mem_count(const struct ql_mem *mem, unsigned int class, size_t *block)
{
	(void)mem;
	*block = ql_mem_class_bytes(class);
	return 0;
}

#else

#define NONE UINT32_MAX

struct ql_mem_slab {
	void *free;	     /* blocks that came back */
	uint32_t prev, next; /* in the list of partial slabs */
	uint16_t used;	     /* blocks that are out */
	uint16_t total;	     /* blocks it has */
	uint16_t fresh;	     /* blocks that have ever been out */
	uint16_t class;
};

/* ---- The region's slabs ---- */

void ql_mem_init(struct ql_mem *mem, void *base, size_t size)
{
	uint8_t *p = base;
	size_t n = size / (QL_MEM_SLAB + sizeof(struct ql_mem_slab) + 1), words, head;

	memset(mem, 0, sizeof(*mem));
	for (unsigned int c = 0; c < QL_MEM_CLASSES; c++)
		mem->partial[c] = NONE;
	/* Slabs, and in front of them what describes them. */
	for (;; n--) {
		words = (n + 63) / 64;
		head = (words * sizeof(uint64_t) + n * sizeof(struct ql_mem_slab) + 63) &
		       ~(size_t)63;
		if (n == 0 || head + n * QL_MEM_SLAB <= size)
			break;
	}
	if (n == 0)
		return;
	mem->vacant = base;
	mem->slabs = (struct ql_mem_slab *)(p + words * sizeof(uint64_t));
	mem->first = p + head;
	mem->n_slabs = (uint32_t)n;
	mem->budget = n * QL_MEM_SLAB;
	memset(mem->vacant, 0xff, words * sizeof(uint64_t));
	if (n % 64)
		mem->vacant[words - 1] = (UINT64_C(1) << n % 64) - 1;
}

static inline bool is_vacant(const struct ql_mem *mem, uint32_t i)
{
	return mem->vacant[i / 64] >> i % 64 & 1;
}

static inline void mark(struct ql_mem *mem, uint32_t i, uint32_t n, bool vacant)
{
	for (; n > 0; i++, n--) {
		if (vacant)
			mem->vacant[i / 64] |= UINT64_C(1) << i % 64;
		else
			mem->vacant[i / 64] &= ~(UINT64_C(1) << i % 64);
	}
}

/* n slabs side by side; NONE. */
static uint32_t take_slabs(struct ql_mem *mem, uint32_t n)
{
	uint32_t run = 0, words = (mem->n_slabs + 63) / 64;

	while (mem->hint < words && mem->vacant[mem->hint] == 0)
		mem->hint++;
	for (uint32_t i = mem->hint * 64; i < mem->n_slabs; i++) {
		if (i % 64 == 0 && mem->vacant[i / 64] == 0) {
			run = 0;
			i += 63;
			continue;
		}
		run = is_vacant(mem, i) ? run + 1 : 0;
		if (run == n) {
			mark(mem, i + 1 - n, n, false);
			return i + 1 - n;
		}
	}
	return NONE;
}

static void give_slabs(struct ql_mem *mem, uint32_t i, uint32_t n)
{
	mark(mem, i, n, true);
	if (i / 64 < mem->hint)
		mem->hint = i / 64;
}

/* ---- Slabs of a class ---- */

/* Where the next block of a class begins: 24 in 32 and 96 in 128, for their alignment. */
static inline size_t spacing(unsigned int c)
{
	size_t bytes = ql_mem_class_bytes(c), align = bytes < 64 ? 16 : 64;

	return (bytes + align - 1) & ~(align - 1);
}

static inline uint32_t slabs_of(size_t bytes)
{
	return (uint32_t)((bytes + QL_MEM_SLAB - 1) / QL_MEM_SLAB);
}

static void link_partial(struct ql_mem *mem, unsigned int c, uint32_t i)
{
	struct ql_mem_slab *s = &mem->slabs[i];

	s->prev = NONE;
	s->next = mem->partial[c];
	if (s->next != NONE)
		mem->slabs[s->next].prev = i;
	mem->partial[c] = i;
}

static void unlink_partial(struct ql_mem *mem, unsigned int c, uint32_t i)
{
	struct ql_mem_slab *s = &mem->slabs[i];

	if (s->prev != NONE)
		mem->slabs[s->prev].next = s->next;
	else
		mem->partial[c] = s->next;
	if (s->next != NONE)
		mem->slabs[s->next].prev = s->prev;
}

/* Take back the empty slabs that classes keep. False when there are none. */
static bool reclaim(struct ql_mem *mem)
{
	bool any = false;

	for (unsigned int c = 0; c < QL_MEM_CLASSES; c++) {
		for (uint32_t i = mem->partial[c], next; i != NONE; i = next) {
			next = mem->slabs[i].next;
			if (mem->slabs[i].used > 0)
				continue;
			unlink_partial(mem, c, i);
			give_slabs(mem, i, 1);
			any = true;
		}
	}
	return any;
}

static uint32_t take_or_reclaim(struct ql_mem *mem, uint32_t n)
{
	uint32_t i = take_slabs(mem, n);

	return i == NONE && reclaim(mem) ? take_slabs(mem, n) : i;
}

/* Slabs of its own for a large block. */
static void *take_large(struct ql_mem *mem, unsigned int c)
{
	uint32_t n = slabs_of(ql_mem_class_bytes(c)), i = take_or_reclaim(mem, n);

	if (i == NONE)
		return NULL;
	mem->slabs[i].used = 1;
	mem->slabs[i].class = (uint16_t)c;
	for (uint32_t k = 1; k < n; k++)
		mem->slabs[i + k].used = 0;
	return mem->first + i * QL_MEM_SLAB;
}

/* A slab more for a class. */
static __attribute__((noinline)) uint32_t add_slab(struct ql_mem *mem, unsigned int c)
{
	uint32_t i = take_or_reclaim(mem, 1);

	if (i == NONE)
		return NONE;
	mem->slabs[i] = (struct ql_mem_slab){.total = (uint16_t)(QL_MEM_SLAB / spacing(c)),
					     .class = (uint16_t)c};
	link_partial(mem, c, i);
	return i;
}

static inline void *take(struct ql_mem *mem, unsigned int c, size_t size __attribute__((unused)))
{
	uint32_t i = mem->partial[c];
	struct ql_mem_slab *s;
	void *p;

	if (__builtin_expect(i == NONE, 0)) {
		if (ql_mem_class_bytes(c) > QL_MEM_SLAB / 2)
			return take_large(mem, c);
		i = add_slab(mem, c);
		if (i == NONE)
			return NULL;
	}
	s = &mem->slabs[i];
	p = s->free;
	if (p)
		s->free = *(void **)p;
	else
		p = mem->first + i * QL_MEM_SLAB + s->fresh++ * spacing(c);
	if (++s->used == s->total)
		unlink_partial(mem, c, i);
	return p;
}

static inline void give(struct ql_mem *mem, unsigned int c, void *block)
{
	uint32_t i = (uint32_t)((size_t)((uint8_t *)block - mem->first) / QL_MEM_SLAB);
	struct ql_mem_slab *s = &mem->slabs[i];

	if (ql_mem_class_bytes(c) > QL_MEM_SLAB / 2) {
		give_slabs(mem, i, slabs_of(ql_mem_class_bytes(c)));
		return;
	}
	*(void **)block = s->free;
	s->free = block;
	if (s->used-- == s->total)
		link_partial(mem, c, i);
	/* The last one of a class stays, for the object that comes and goes. */
	if (s->used == 0 && (s->prev != NONE || s->next != NONE)) {
		unlink_partial(mem, c, i);
		give_slabs(mem, i, 1);
	}
}

size_t ql_mem_count(const struct ql_mem *mem, unsigned int class, size_t *block)
{
	size_t n = 0;

	*block = ql_mem_class_bytes(class);
	for (uint32_t i = 0; i < mem->n_slabs; i++)
		if (!is_vacant(mem, i) && mem->slabs[i].class == class)
			n += mem->slabs[i].used;
	return n;
}

#endif

void *ql_mem_take(struct ql_mem *mem, unsigned int class, size_t size)
{
	void *p;

#if QL_FAIL_ALLOC
	if (__builtin_expect(mem->fail_at != 0, 0) && --mem->fail_at == 0)
		return NULL;
#endif
	p = take(mem, class, size);
	if (!p)
		return NULL;
	mem->used += ql_mem_class_bytes(class);
	if (mem->used > mem->peak)
		mem->peak = mem->used;
	return p;
}

void ql_mem_give(struct ql_mem *mem, unsigned int class, void *block)
{
	mem->used -= ql_mem_class_bytes(class);
	give(mem, class, block);
}
