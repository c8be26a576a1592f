// SPDX-License-Identifier: BSD-3-Clause
/*
 * What neighbours answer, told to all lanes of a port. A device brings ARP and neighbour discovery
 * to whichever queue it likes, mostly the first, and the lane that has asked may serve another one.
 *
 * A ring for each queue's lane, written by all others and read by it alone. What finds a ring full
 * is left out: the question is asked again.
 */
#ifndef QL_NET_NEWS_H
#define QL_NET_NEWS_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>

#define QL_NEWS_KEPT 64 /* for one lane */

struct ql_neigh_news {
	uint8_t ip[16];
	struct rte_ether_addr mac;
	bool override;
	uint8_t pad;
};

struct ql_news;

/* For a port's queues; NULL without memory. */
struct ql_news *ql_news_create(uint16_t port_id, uint16_t queues, int socket_id);
void ql_news_free(struct ql_news *news);

/* Tell the lanes of all queues but one. */
void ql_news_tell(struct ql_news *news, uint16_t queue, const struct ql_neigh_news *what);

/* What others have told the lane of a queue, the oldest first; false: nothing more. */
bool ql_news_take(struct ql_news *news, uint16_t queue, struct ql_neigh_news *what);

#endif /* QL_NET_NEWS_H */
