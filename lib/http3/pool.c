// SPDX-License-Identifier: BSD-3-Clause
#include "http3/pool.h"

#include <string.h>

static void *mem_malloc(size_t size, void *arg)
{
	(void)arg;
	return ql_pool_alloc(size);
}

static void mem_free(void *block, void *arg)
{
	(void)arg;
	ql_pool_free(block);
}

static void *mem_calloc(size_t n, size_t size, void *arg)
{
	size_t bytes;
	void *block;

	(void)arg;
	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	block = ql_pool_alloc(bytes);
	return block ? memset(block, 0, bytes) : NULL;
}

static void *mem_realloc(void *block, size_t size, void *arg)
{
	(void)arg;
	return ql_pool_realloc(block, size);
}

const nghttp3_mem ql_http_mem = {
	.malloc = mem_malloc, .free = mem_free, .calloc = mem_calloc, .realloc = mem_realloc};
