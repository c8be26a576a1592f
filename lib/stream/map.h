// SPDX-License-Identifier: BSD-3-Clause
/*
 * The open streams of a connection by their ID: open addressing with linear probing. IDs are
 * nearly consecutive, which multiplicative hashing spreads evenly. The first few slots are in the
 * struct, more in one block of the ql_mem, which bounds a table to QL_STREAM_MAP_MAX streams.
 */
#ifndef QL_STREAM_MAP_H
#define QL_STREAM_MAP_H

#include <stdint.h>

#include "base/mem.h"

struct ql_stream;

#define QL_STREAM_MAP_EMBEDDED 8
#define QL_STREAM_MAP_MAX      (QL_MEM_MAX / sizeof(struct ql_stream *) * 4 / 5)

struct ql_stream_map {
	struct ql_stream **block; /* NULL: embedded */
	uint32_t mask;		  /* slots - 1 */
	uint32_t shift;		  /* 64 - log2(slots) */
	uint32_t count;
	struct ql_stream *embedded[QL_STREAM_MAP_EMBEDDED];
};

void ql_stream_map_init(struct ql_stream_map *m);
void ql_stream_map_fini(struct ql_stream_map *m, struct ql_mem *mem);

/* s->id must not be in it. 0, or -ENOMEM: no memory, or QL_STREAM_MAP_MAX reached. */
int ql_stream_map_add(struct ql_stream_map *m, struct ql_mem *mem, struct ql_stream *s);
/* s must be in it. Cannot fail. Moves others, so not while iterating. */
void ql_stream_map_remove(struct ql_stream_map *m, struct ql_mem *mem, const struct ql_stream *s);
struct ql_stream *ql_stream_map_find(const struct ql_stream_map *m, uint64_t id);

/* Slot i, 0 to mask: a stream or NULL. */
static inline struct ql_stream *ql_stream_map_slot(const struct ql_stream_map *m, uint32_t i)
{
	return (m->block ? m->block : m->embedded)[i];
}

#endif
