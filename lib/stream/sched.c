// SPDX-License-Identifier: BSD-3-Clause
#include "stream/sched.h"

#include <assert.h>
#include <string.h>

void ql_sched_init(struct ql_sched *s)
{
	memset(s, 0, sizeof(*s));
	for (unsigned int i = 0; i < QL_SCHED_LEVELS; i++)
		s->left[i] = QL_SCHED_QUANTUM;
	s->share = QL_SCHED_SHARE;
}

void ql_sched_add(struct ql_sched *s, struct ql_sched_node *n, unsigned int level,
		  enum ql_sched_queue queue)
{
	struct ql_sched_node **head = &s->head[level][queue];

	assert(!ql_sched_in(n));
	n->level = (uint8_t)level;
	n->queue = (uint8_t)queue;
	n->left = QL_SCHED_QUANTUM;
	n->turn = false;
	if (*head) {
		n->next = *head;
		n->prev = (*head)->prev;
		n->prev->next = n;
		n->next->prev = n;
	} else {
		n->next = n->prev = n;
		*head = n;
		if (queue == QL_SCHED_FREE)
			s->free |= (uint16_t)(1u << level);
		else
			s->data |= (uint16_t)(1u << level);
	}
}

void ql_sched_remove(struct ql_sched *s, struct ql_sched_node *n)
{
	struct ql_sched_node **queues, **head;

	if (!ql_sched_in(n))
		return;
	queues = s->head[n->level];
	head = &queues[n->queue];
	if (n->next == n) {
		*head = NULL;
	} else {
		n->next->prev = n->prev;
		n->prev->next = n->next;
		if (*head == n)
			*head = n->next;
	}
	n->queue = QL_SCHED_OUT;
	if (!queues[QL_SCHED_FREE])
		s->free &= (uint16_t) ~(1u << n->level);
	if (!queues[QL_SCHED_SEQUENTIAL] && !queues[QL_SCHED_INCREMENTAL])
		s->data &= (uint16_t) ~(1u << n->level);
}

void ql_sched_move(struct ql_sched *s, struct ql_sched_node *n, unsigned int level,
		   enum ql_sched_queue queue)
{
	bool turn = false;

	if (!ql_sched_in(n)) {
		ql_sched_add(s, n, level, queue);
		return;
	}
	if (n->level == level)
		turn = n->turn || s->head[level][QL_SCHED_SEQUENTIAL] == n;
	ql_sched_remove(s, n);
	ql_sched_add(s, n, level, queue);
	if (queue == QL_SCHED_FREE)
		n->turn = turn;
	else if (queue == QL_SCHED_SEQUENTIAL && turn)
		s->head[level][queue] = n;
}

void ql_sched_next_share(struct ql_sched *s, unsigned int levels)
{
	unsigned int less = levels & (levels - 1), behind;

	if (s->share == 0 || ++s->packets < s->share)
		return;
	s->packets = 0;
	behind = less & ~((2u << s->last) - 1);
	s->last = (uint8_t)__builtin_ctz(behind ? behind : less);
	s->favoured = s->last;
}
