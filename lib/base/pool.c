// SPDX-License-Identifier: BSD-3-Clause
#include "base/pool.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define HEAP SIZE_MAX

/* Stands before each block. */
struct head {
	union {
		size_t class; /* of ql_mem_class(); HEAP: the heap's */
		struct head *next;
	};
	size_t size; /* as asked for, where the class is HEAP */
};

_Static_assert(sizeof(struct head) == 16, "blocks are aligned as malloc() does it");

static _Thread_local struct {
	struct head *free[QL_MEM_CLASSES];
	size_t kept; /* bytes */
	size_t out;  /* blocks with a class that this thread has taken, less those given back */
} pool;

static void *from_heap(size_t size)
{
	struct head *h = size < PTRDIFF_MAX ? malloc(sizeof(*h) + size) : NULL;

	if (!h)
		return NULL;
	h->class = HEAP;
	h->size = size;
	return h + 1;
}

void *ql_pool_alloc(size_t size)
{
	struct head *h;
	unsigned int class;

	if (QL_MEM_OWN_BLOCKS || size > QL_POOL_MAX)
		return from_heap(size);
	class = ql_mem_class(size + sizeof(*h));
	h = pool.free[class];
	if (h) {
		pool.free[class] = h->next;
		pool.kept -= ql_mem_class_bytes(class);
	} else {
		h = malloc(ql_mem_class_bytes(class));
		if (!h)
			return NULL;
	}
	h->class = class;
	pool.out++;
	return h + 1;
}

static void forget_kept(void)
{
	for (unsigned int i = 0; i < QL_MEM_CLASSES; i++) {
		struct head *h;

		while ((h = pool.free[i]) != NULL) {
			pool.free[i] = h->next;
			free(h);
		}
	}
	pool.kept = 0;
}

void ql_pool_free(void *block)
{
	struct head *h;
	size_t bytes;

	if (!block)
		return;
	h = (struct head *)block - 1;
	if (h->class == HEAP) {
		free(h);
		return;
	}
	bytes = ql_mem_class_bytes((unsigned int)h->class);
	/* another thread's if this one has none out */
	if (pool.out == 0 || pool.kept + bytes > QL_POOL_KEPT) {
		free(h);
	} else {
		size_t class = h->class;

		h->next = pool.free[class];
		pool.free[class] = h;
		pool.kept += bytes;
	}
	pool.out -= pool.out > 0;
	if (pool.out == 0 && pool.kept > 0)
		forget_kept();
}

void *ql_pool_realloc(void *block, size_t size)
{
	const struct head *h;
	size_t has;
	void *other;

	if (!block)
		return ql_pool_alloc(size);
	h = (const struct head *)block - 1;
	has = h->class == HEAP ? h->size : ql_mem_class_bytes((unsigned int)h->class) - sizeof(*h);
	if (h->class != HEAP && size <= has)
		return block;
	other = ql_pool_alloc(size);
	if (!other)
		return NULL;
	memcpy(other, block, size < has ? size : has);
	ql_pool_free(block);
	return other;
}

size_t ql_pool_kept(void)
{
	return pool.kept;
}
