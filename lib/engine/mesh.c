// SPDX-License-Identifier: BSD-3-Clause
#include "engine/mesh.h"

#include <errno.h>
#include <string.h>

#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "crypto/rng.h"
#include "crypto/secret.h"

#define RING_ALL 16384 /* datagrams on their way to one engine */
#define RING_LOW 128
#define RING_TOP 2048

static struct rte_ring *ring(const struct ql_mesh *m, unsigned int from, unsigned int to)
{
	return (struct rte_ring *)(m->places[to].rings + from * m->stride);
}

/* ---- Life ---- */

static unsigned int ring_size(const struct ql_mesh_config *config)
{
	unsigned int size = config->ring_size;

	if (size == 0) {
		size = RING_ALL / config->engines;
		size = size < RING_LOW ? RING_LOW : size > RING_TOP ? RING_TOP : size;
	}
	return rte_align32pow2(size < 2 ? 2 : size);
}

static int take_place(struct ql_mesh *m, unsigned int to, unsigned int size, int socket_id)
{
	struct ql_mesh_place *p = &m->places[to];
	int rc = 0;

	p->rings = rte_zmalloc_socket("ql_mesh_rings", m->n * m->stride, RTE_CACHE_LINE_SIZE,
				      socket_id);
	if (!p->rings)
		return -ENOMEM;
	for (unsigned int from = 0; from < m->n && rc == 0; from++)
		rc = rte_ring_init(ring(m, from, to), "ql_mesh", size,
				   RING_F_SP_ENQ | RING_F_SC_DEQ);
	return rc;
}

struct ql_mesh *ql_mesh_create(const struct ql_mesh_config *config)
{
	struct ql_mesh *m;
	struct ql_rng rng;
	unsigned int size;
	int rc = 0;

	if (config->engines == 0 || config->engines > QL_ENGINES_MAX ||
	    config->ring_size > QL_MESH_RING_MAX) {
		errno = EINVAL;
		return NULL;
	}
	size = ring_size(config);
	m = rte_zmalloc_socket("ql_mesh", sizeof(*m), RTE_CACHE_LINE_SIZE, config->socket_id);
	if (!m) {
		errno = ENOMEM;
		return NULL;
	}
	m->n = config->engines;
	m->words = (m->n + QL_MESH_COUNTS_EACH - 1) / QL_MESH_COUNTS_EACH;
	m->spread = config->spread;
	m->stride = RTE_ALIGN((size_t)rte_ring_get_memsize_elem(sizeof(struct ql_datagram), size),
			      RTE_CACHE_LINE_SIZE);
	ql_rng_init(&rng, config->seed);
	ql_rng_bytes(&rng, &m->spread_key, sizeof(m->spread_key));
	ql_rng_bytes(&rng, m->secret, sizeof(m->secret));
	ql_wipe(&rng, sizeof(rng));
	m->places = rte_zmalloc_socket("ql_mesh_places", m->n * sizeof(*m->places),
				       RTE_CACHE_LINE_SIZE, config->socket_id);
	if (!m->places)
		rc = -ENOMEM;
	for (unsigned int to = 0; to < m->n && rc == 0; to++)
		rc = take_place(m, to, size, config->socket_id);
	if (rc < 0) {
		ql_mesh_free(m);
		errno = -rc;
		return NULL;
	}
	return m;
}

void ql_mesh_free(struct ql_mesh *m)
{
	struct ql_datagram d;

	if (!m)
		return;
	for (unsigned int to = 0; m->places && to < m->n; to++) {
		while (m->places[to].rings && ql_mesh_take(m, to, &d, 1) > 0)
			rte_pktmbuf_free(d.mbuf);
		rte_free(m->places[to].rings);
	}
	rte_free(m->places);
	ql_wipe(m, sizeof(*m));
	rte_free(m);
}

int ql_mesh_join(struct ql_mesh *m, unsigned int index)
{
	if (index >= m->n || m->places[index].taken)
		return -EINVAL;
	m->places[index].taken = true;
	return 0;
}

void ql_mesh_leave(struct ql_mesh *m, unsigned int index)
{
	m->places[index].taken = false;
}

/* ---- Datagrams ---- */

unsigned int ql_mesh_put(struct ql_mesh *m, unsigned int from, unsigned int to,
			 const struct ql_datagram *d, unsigned int n)
{
	uint16_t *rung = &m->places[to].rung.of[from];

	n = rte_ring_sp_enqueue_burst_elem(ring(m, from, to), d, sizeof(*d), n, NULL);
	if (n > 0)
		__atomic_store_n(rung, (uint16_t)(*rung + 1), __ATOMIC_RELEASE);
	return n;
}

/* The counter is read before the ring: what is put there meanwhile is seen next time at the latest. */
static unsigned int take_from(struct ql_mesh *m, unsigned int from, unsigned int to,
			      struct ql_datagram *out, unsigned int max)
{
	struct ql_mesh_place *p = &m->places[to];
	uint16_t rung = __atomic_load_n(&p->rung.of[from], __ATOMIC_ACQUIRE);
	unsigned int n, left;

	if (rung == p->seen.of[from])
		return 0;
	n = rte_ring_sc_dequeue_burst_elem(ring(m, from, to), out, sizeof(*out), max, &left);
	p->seen.of[from] = (uint16_t)(left == 0 ? rung : rung - 1);
	return n;
}

unsigned int ql_mesh_take(struct ql_mesh *m, unsigned int to, struct ql_datagram *out,
			  unsigned int max)
{
	struct ql_mesh_place *p = &m->places[to];

	if (!ql_mesh_pending(m, to))
		return 0;
	for (unsigned int i = 0; i < m->n; i++) {
		unsigned int from = p->next;
		unsigned int n;

		p->next = from + 1 < m->n ? from + 1 : 0;
		n = take_from(m, from, to, out, max);
		if (n > 0)
			return n;
	}
	return 0;
}
