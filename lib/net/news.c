// SPDX-License-Identifier: BSD-3-Clause
#include "net/news.h"

#include <stdio.h>

#include <rte_malloc.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>

struct ql_news {
	uint16_t queues;
	struct rte_ring *rings[];
};

_Static_assert(sizeof(struct ql_neigh_news) == 24, "a ring's element: a multiple of 4 bytes");

struct ql_news *ql_news_create(uint16_t port_id, uint16_t queues, int socket_id)
{
	struct ql_news *news = rte_zmalloc_socket(
		"ql_news", sizeof(*news) + queues * sizeof(news->rings[0]), 0, socket_id);
	char name[RTE_RING_NAMESIZE];

	if (!news)
		return NULL;
	news->queues = queues;
	for (uint16_t q = 0; q < queues; q++) {
		snprintf(name, sizeof(name), "ql_news%u.%u", port_id, q);
		news->rings[q] =
			rte_ring_create_elem(name, sizeof(struct ql_neigh_news), QL_NEWS_KEPT,
					     socket_id, RING_F_SC_DEQ | RING_F_EXACT_SZ);
		if (!news->rings[q]) {
			ql_news_free(news);
			return NULL;
		}
	}
	return news;
}

void ql_news_free(struct ql_news *news)
{
	if (!news)
		return;
	for (uint16_t q = 0; q < news->queues; q++)
		rte_ring_free(news->rings[q]);
	rte_free(news);
}

void ql_news_tell(struct ql_news *news, uint16_t queue, const struct ql_neigh_news *what)
{
	for (uint16_t q = 0; q < news->queues; q++) {
		if (q != queue)
			rte_ring_mp_enqueue_elem(news->rings[q], (void *)(uintptr_t)what,
						 sizeof(*what));
	}
}

bool ql_news_take(struct ql_news *news, uint16_t queue, struct ql_neigh_news *what)
{
	return rte_ring_sc_dequeue_elem(news->rings[queue], what, sizeof(*what)) == 0;
}
