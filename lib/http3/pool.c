// SPDX-License-Identifier: BSD-3-Clause
#include "http3/pool.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Stands before each block. */
struct head {
	union {
		size_t class; /* its size in steps; 0: the heap's */
		struct head *next;
	};
	size_t size; /* as asked for, where class is 0 */
};

_Static_assert(sizeof(struct head) == 16, "blocks are aligned as malloc() does it");

static _Thread_local struct {
	struct head *free[QL_HTTP_POOL_CLASSES + 1];
	size_t kept; /* bytes */
	size_t out;  /* blocks with a class that this thread has taken, less those given back */
} pool;

static size_t class_of(size_t size)
{
	return (size + sizeof(struct head) + QL_HTTP_POOL_STEP - 1) / QL_HTTP_POOL_STEP;
}

static void *from_heap(size_t size)
{
	struct head *h = size < PTRDIFF_MAX ? malloc(sizeof(*h) + size) : NULL;

	if (!h)
		return NULL;
	h->class = 0;
	h->size = size;
	return h + 1;
}

void *ql_http_alloc(size_t size)
{
	size_t class = class_of(size);
	struct head *h;

	if (QL_MEM_OWN_BLOCKS || size > SIZE_MAX / 2 || class > QL_HTTP_POOL_CLASSES)
		return from_heap(size);
	h = pool.free[class];
	if (h) {
		pool.free[class] = h->next;
		pool.kept -= class * QL_HTTP_POOL_STEP;
	} else {
		h = malloc(class * QL_HTTP_POOL_STEP);
		if (!h)
			return NULL;
	}
	h->class = class;
	pool.out++;
	return h + 1;
}

static void forget_kept(void)
{
	for (unsigned int i = 0; i <= QL_HTTP_POOL_CLASSES; i++) {
		struct head *h;

		while ((h = pool.free[i]) != NULL) {
			pool.free[i] = h->next;
			free(h);
		}
	}
	pool.kept = 0;
}

void ql_http_free(void *block)
{
	struct head *h;
	size_t bytes;

	if (!block)
		return;
	h = (struct head *)block - 1;
	bytes = h->class * QL_HTTP_POOL_STEP;
	/* another thread's if this one has none out */
	if (bytes == 0 || pool.out == 0 || pool.kept + bytes > QL_HTTP_POOL_KEPT) {
		pool.out -= bytes > 0 && pool.out > 0;
		free(h);
	} else {
		size_t class = h->class;

		h->next = pool.free[class];
		pool.free[class] = h;
		pool.kept += bytes;
		pool.out--;
	}
	if (pool.out == 0 && pool.kept > 0)
		forget_kept();
}

void *ql_http_realloc(void *block, size_t size)
{
	const struct head *h;
	size_t has;
	void *other;

	if (!block)
		return ql_http_alloc(size);
	h = (const struct head *)block - 1;
	has = h->class ? h->class * QL_HTTP_POOL_STEP - sizeof(*h) : h->size;
	if (h->class && size <= has)
		return block;
	other = ql_http_alloc(size);
	if (!other)
		return NULL;
	memcpy(other, block, size < has ? size : has);
	ql_http_free(block);
	return other;
}

size_t ql_http_pool_kept(void)
{
	return pool.kept;
}

/* ---- nghttp3's ---- */

static void *mem_malloc(size_t size, void *arg)
{
	(void)arg;
	return ql_http_alloc(size);
}

static void mem_free(void *block, void *arg)
{
	(void)arg;
	ql_http_free(block);
}

static void *mem_calloc(size_t n, size_t size, void *arg)
{
	size_t bytes;
	void *block;

	(void)arg;
	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	block = ql_http_alloc(bytes);
	return block ? memset(block, 0, bytes) : NULL;
}

static void *mem_realloc(void *block, size_t size, void *arg)
{
	(void)arg;
	return ql_http_realloc(block, size);
}

const nghttp3_mem ql_http_mem = {
	.malloc = mem_malloc, .free = mem_free, .calloc = mem_calloc, .realloc = mem_realloc};
