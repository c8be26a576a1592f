// SPDX-License-Identifier: BSD-3-Clause
#include "stream/map.h"

#include <errno.h>

#include "stream/stream.h"

static struct ql_stream **slots(struct ql_stream_map *m)
{
	return m->block ? m->block : m->embedded;
}

/* Fibonacci hashing: the top bits of the product with 2^64 / golden ratio. */
static uint32_t home(const struct ql_stream_map *m, uint64_t id)
{
	return (uint32_t)(id * UINT64_C(0x9e3779b97f4a7c15) >> m->shift);
}

static void set_size(struct ql_stream_map *m, uint32_t size)
{
	m->mask = size - 1;
	m->shift = 64 - (uint32_t)__builtin_ctz(size);
}

static void put(struct ql_stream_map *m, struct ql_stream *s)
{
	struct ql_stream **slot = slots(m);
	uint32_t i = home(m, s->id);

	while (slot[i])
		i = (i + 1) & m->mask;
	slot[i] = s;
}

/* Move everything to a table of another size; on failure nothing has changed. */
static int resize(struct ql_stream_map *m, struct ql_mem *mem, uint32_t size)
{
	struct ql_stream_map old = *m;
	struct ql_stream **block = NULL;

	if (size > QL_STREAM_MAP_EMBEDDED) {
		if (size * sizeof(*block) > QL_MEM_MAX)
			return -ENOMEM;
		block = ql_mem_zalloc(mem, size * sizeof(*block));
		if (!block)
			return -ENOMEM;
	}
	memset(m->embedded, 0, sizeof(m->embedded));
	m->block = block;
	set_size(m, size);
	for (uint32_t i = 0; i <= old.mask; i++)
		if (slots(&old)[i])
			put(m, slots(&old)[i]);
	ql_mem_free(mem, old.block, (old.mask + 1) * sizeof(*old.block));
	return 0;
}

void ql_stream_map_init(struct ql_stream_map *m)
{
	memset(m, 0, sizeof(*m));
	set_size(m, QL_STREAM_MAP_EMBEDDED);
}

void ql_stream_map_fini(struct ql_stream_map *m, struct ql_mem *mem)
{
	ql_mem_free(mem, m->block, (m->mask + 1) * sizeof(*m->block));
	ql_stream_map_init(m);
}

int ql_stream_map_add(struct ql_stream_map *m, struct ql_mem *mem, struct ql_stream *s)
{
	uint32_t size = m->mask + 1;

	if (m->count + 1 > size * 4 / 5 && resize(m, mem, size * 2))
		return -ENOMEM;
	put(m, s);
	m->count++;
	return 0;
}

void ql_stream_map_remove(struct ql_stream_map *m, struct ql_mem *mem, const struct ql_stream *s)
{
	struct ql_stream **slot = slots(m);
	uint32_t i = home(m, s->id), j;

	while (slot[i] != s)
		i = (i + 1) & m->mask;
	/* Close the gap: move back whoever may not stand behind an empty slot. */
	for (j = (i + 1) & m->mask; slot[j]; j = (j + 1) & m->mask) {
		if (((j - home(m, slot[j]->id)) & m->mask) >= ((j - i) & m->mask)) {
			slot[i] = slot[j];
			i = j;
		}
	}
	slot[i] = NULL;
	m->count--;
	/* Give a large block back when there is little in it; to keep it does no harm. */
	if (m->block && m->count <= m->mask / 16)
		(void)resize(m, mem, m->mask > 31 ? (m->mask + 1) / 4 : QL_STREAM_MAP_EMBEDDED);
}

struct ql_stream *ql_stream_map_find(const struct ql_stream_map *m, uint64_t id)
{
	struct ql_stream *const *slot = m->block ? m->block : m->embedded;
	struct ql_stream *s;

	for (uint32_t i = home(m, id); (s = slot[i]) != NULL; i = (i + 1) & m->mask)
		if (s->id == id)
			return s;
	return NULL;
}
