// SPDX-License-Identifier: BSD-3-Clause
/*
 * The memory of one engine: size classes carved from one region that is taken at start.
 *
 * Everything of an engine that is not an mbuf or a TLS handshake in progress lives here:
 * connections, streams, records of sent packets, reassembly. Blocks have no header (the size comes
 * back with ql_mem_free), are aligned to 64 bytes from 64 bytes up and to 16 below. Allocation and
 * free are O(1), without lock and without heap; one thread at a time. A block's content is
 * undefined, ql_mem_zalloc clears it.
 *
 * Classes are 16 * 2^n and 24 * 2^n (n >= 0), up to QL_MEM_MAX. A larger request fails.
 *
 * The region is cut into slabs. A slab holds blocks of one class, and goes back to the region when
 * its last block does (one a class is kept), so that no crowd of one kind of object keeps the
 * memory from the next. Blocks of more than half a slab take slabs side by side: for these,
 * the search is linear in the size of the region, and a fragmented region may have no place.
 *
 * Under AddressSanitizer every block is an allocation of its own, so that overruns and uses after
 * free are seen; the budget is kept all the same.
 */
#ifndef QL_BASE_MEM_H
#define QL_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Whether every block is an allocation of its own, for AddressSanitizer's sake. */
#if defined(__SANITIZE_ADDRESS__)
#define QL_MEM_OWN_BLOCKS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define QL_MEM_OWN_BLOCKS 1
#endif
#endif
#ifndef QL_MEM_OWN_BLOCKS
#define QL_MEM_OWN_BLOCKS 0
#endif

#define QL_MEM_MAX     ((size_t)1 << 20)
#define QL_MEM_CLASSES 34
#define QL_MEM_SLAB    ((size_t)16 << 10)

struct ql_mem_slab;

struct ql_mem {
	uint32_t partial[QL_MEM_CLASSES]; /* slabs with both free and used blocks: heads of lists */
	struct ql_mem_slab *slabs;	  /* what each slab holds */
	uint8_t *first;			  /* slab */
	uint64_t *vacant;		  /* a bit for each slab */
	uint32_t n_slabs;
	uint32_t hint; /* no slab is vacant in the words of vacant below this one */
	size_t used;   /* bytes in blocks that are out, rounded to their classes */
	size_t peak;
	size_t budget;
	uint64_t fail_at; /* tests: this allocation from now fails; 0 for none */
};

/*
 * Use [base, base + size), which stays the caller's and must outlive the ql_mem. It is touched only
 * as it is first used, but for some 0.2 % of it. base must be aligned to 64 bytes.
 */
void ql_mem_init(struct ql_mem *mem, void *base, size_t size);

/* Class 2n holds 16 << n bytes, class 2n + 1 holds 24 << n. Of most sizes the compiler knows it. */
static inline unsigned int ql_mem_class(size_t size)
{
	unsigned int n;

	if (size <= 16)
		return 0;
	n = 63 - (unsigned int)__builtin_clzll((size - 1) >> 4); /* 16 << n < size <= 32 << n */
	return size <= ((size_t)24 << n) ? 2 * n + 1 : 2 * n + 2;
}

static inline size_t ql_mem_class_bytes(unsigned int class)
{
	return (size_t)(class & 1 ? 24 : 16) << (class >> 1);
}

/* What a request of this size really takes; 0 when it is too large. */
static inline size_t ql_mem_class_size(size_t size)
{
	return size > QL_MEM_MAX ? 0 : ql_mem_class_bytes(ql_mem_class(size));
}

/* Of ql_mem_alloc(), ql_mem_free(). */
void *ql_mem_take(struct ql_mem *mem, unsigned int class, size_t size) __attribute__((malloc));
void ql_mem_give(struct ql_mem *mem, unsigned int class, void *block);

/* NULL when the budget is used up or size is above QL_MEM_MAX. */
static inline void *ql_mem_alloc(struct ql_mem *mem, size_t size)
{
	return size > QL_MEM_MAX ? NULL : ql_mem_take(mem, ql_mem_class(size), size);
}

/* size as it was asked for. NULL is fine. */
static inline void ql_mem_free(struct ql_mem *mem, void *block, size_t size)
{
	if (block)
		ql_mem_give(mem, ql_mem_class(size), block);
}

static inline void *ql_mem_zalloc(struct ql_mem *mem, size_t size)
{
	void *p = ql_mem_alloc(mem, size);

	return p ? memset(p, 0, size) : NULL;
}

/*
 * For figures: how many blocks of a class, 0 to QL_MEM_CLASSES - 1, are out. block: the bytes of one.
 * Takes time by the size of the region. Under AddressSanitizer nothing is known: 0.
 */
size_t ql_mem_count(const struct ql_mem *mem, unsigned int class, size_t *block);

/* Make the n-th allocation from now fail (1 is the next); 0 stops that. */
static inline void ql_mem_fail_at(struct ql_mem *mem, uint64_t n)
{
	mem->fail_at = n;
}

#endif /* QL_BASE_MEM_H */
