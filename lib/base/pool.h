// SPDX-License-Identifier: BSD-3-Clause
/*
 * Memory on the heap for what comes and goes: TLS handshakes, and what belongs to a request of HTTP. Blocks
 * of up to QL_POOL_MAX bytes that come back are kept for the next one of their class (base/mem.h), by
 * thread and up to QL_POOL_KEPT bytes. When a thread has given back all that it had taken, nothing is
 * kept.
 *
 * A block may be given back by another thread. Under AddressSanitizer all blocks are the heap's.
 */
#ifndef QL_BASE_POOL_H
#define QL_BASE_POOL_H

#include <stddef.h>

#define QL_POOL_MAX  (8192 - 16) /* what stands before each block has 16 */
#define QL_POOL_KEPT (1 << 20)

/* Aligned to 16 bytes, content undefined; NULL without memory. */
void *ql_pool_alloc(size_t size);
/* NULL is fine. */
void ql_pool_free(void *block);
/* As realloc(): content stays, as far as it fits; NULL without memory, and the block is as before. */
void *ql_pool_realloc(void *block, size_t size);

/* For figures and tests: bytes that this thread keeps. */
size_t ql_pool_kept(void);

#endif /* QL_BASE_POOL_H */
