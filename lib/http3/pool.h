// SPDX-License-Identifier: BSD-3-Clause
/*
 * Memory for what comes and goes with each request: requests, pieces of bodies, and all that nghttp3
 * keeps. Small blocks that come back are kept for the next one of their class, by thread and up to
 * QL_HTTP_POOL_KEPT bytes; the others are the heap's. When a thread has given back all that it had
 * taken, nothing is kept.
 *
 * A block may be given back by another thread. Under AddressSanitizer all blocks are the heap's.
 */
#ifndef QL_HTTP3_POOL_H
#define QL_HTTP3_POOL_H

#include <stddef.h>

#include <nghttp3/nghttp3.h>

#define QL_HTTP_POOL_STEP    64 /* bytes between classes */
#define QL_HTTP_POOL_CLASSES 16 /* so blocks up to 1024 bytes, less what stands before each */
#define QL_HTTP_POOL_KEPT    (1 << 20)

/* Aligned to 16 bytes, content undefined; NULL without memory. */
void *ql_http_alloc(size_t size);
/* NULL is fine. */
void ql_http_free(void *block);
/* As realloc(): content stays, as far as it fits; NULL without memory, and the block is as before. */
void *ql_http_realloc(void *block, size_t size);

/* The same for nghttp3. */
extern const nghttp3_mem ql_http_mem;

/* For figures and tests: bytes that this thread keeps. */
size_t ql_http_pool_kept(void);

#endif /* QL_HTTP3_POOL_H */
