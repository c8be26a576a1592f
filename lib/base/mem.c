// SPDX-License-Identifier: BSD-3-Clause
#include "base/mem.h"

#include "ql_build.h"

#if defined(__SANITIZE_ADDRESS__)
#define OWN_BLOCKS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OWN_BLOCKS 1
#endif
#endif
#ifndef OWN_BLOCKS
#define OWN_BLOCKS 0
#endif

#if OWN_BLOCKS
#include <stdlib.h>
#endif

/* Small classes are carved several at a time, so that a list's blocks lie side by side. */
#define CARVE_BYTES 4096

/* Class 2n holds 16 << n bytes, class 2n + 1 holds 24 << n. */
static unsigned int class_of(size_t size)
{
	unsigned int n;

	if (size <= 16)
		return 0;
	n = 63 - (unsigned int)__builtin_clzll((size - 1) >> 4); /* 16 << n < size <= 32 << n */
	return size <= ((size_t)24 << n) ? 2 * n + 1 : 2 * n + 2;
}

static size_t class_bytes(unsigned int c)
{
	return (size_t)(c & 1 ? 24 : 16) << (c >> 1);
}

void ql_mem_init(struct ql_mem *mem, void *base, size_t size)
{
	memset(mem, 0, sizeof(*mem));
	mem->next = base;
	mem->end = mem->next + size;
	mem->budget = size;
}

size_t ql_mem_class_size(size_t size)
{
	return size > QL_MEM_MAX ? 0 : class_bytes(class_of(size));
}

#if OWN_BLOCKS

/* The first byte past the request is out of bounds. */
static void *carve(struct ql_mem *mem, unsigned int c, size_t size)
{
	void *p;

	if (mem->used + class_bytes(c) > mem->budget)
		return NULL;
	/* not aligned_alloc, which wants the size to be a multiple of the alignment */
	return posix_memalign(&p, size < 64 ? 16 : 64, size ? size : 1) ? NULL : p;
}

#else

/*
 * Take fresh blocks of class c: one to return, the others onto the list. A class of 24 << n is
 * a multiple of 64 only from 192 up; 96 is spaced as 128 is.
 */
static void *carve(struct ql_mem *mem, unsigned int c, size_t size __attribute__((unused)))
{
	size_t bytes = class_bytes(c), step, align, n;
	uint8_t *p;

	align = bytes < 64 ? 16 : 64;
	step = (bytes + align - 1) & ~(align - 1);
	p = (uint8_t *)(((uintptr_t)mem->next + align - 1) & ~(uintptr_t)(align - 1));
	if (p > mem->end || (size_t)(mem->end - p) < step)
		return NULL;
	n = step >= CARVE_BYTES ? 1 : CARVE_BYTES / step;
	if (n > (size_t)(mem->end - p) / step)
		n = (size_t)(mem->end - p) / step;
	mem->next = p + n * step;
	while (--n > 0) {
		void *block = p + n * step;

		*(void **)block = mem->free[c];
		mem->free[c] = block;
	}
	return p;
}

#endif

void *ql_mem_alloc(struct ql_mem *mem, size_t size)
{
	unsigned int c;
	void *p;

	if (size > QL_MEM_MAX)
		return NULL;
#if QL_FAIL_ALLOC
	if (__builtin_expect(mem->fail_at != 0, 0) && --mem->fail_at == 0)
		return NULL;
#endif
	c = class_of(size);
	p = mem->free[c];
	if (p)
		mem->free[c] = *(void **)p;
	else if ((p = carve(mem, c, size)) == NULL)
		return NULL;
	mem->used += class_bytes(c);
	if (mem->used > mem->peak)
		mem->peak = mem->used;
	return p;
}

void ql_mem_free(struct ql_mem *mem, void *block, size_t size)
{
	unsigned int c;

	if (!block)
		return;
	c = class_of(size);
	mem->used -= class_bytes(c);
#if OWN_BLOCKS
	free(block);
#else
	*(void **)block = mem->free[c];
	mem->free[c] = block;
#endif
}
