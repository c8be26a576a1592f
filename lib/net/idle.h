// SPDX-License-Identifier: BSD-3-Clause
/* What a lane's lcore does while there is nothing to do, besides turning: see enum ql_idle. */
#ifndef QL_NET_IDLE_H
#define QL_NET_IDLE_H

#include <stdbool.h>
#include <stdint.h>

/* Rest for at most so many ns, and stay on the core. */
void ql_idle_pause(uint64_t ns);

/* Whether a queue can tell epfd, an epoll instance, that something has arrived. */
bool ql_idle_watch(int epfd, uint16_t port_id, uint16_t queue);
void ql_idle_unwatch(int epfd, uint16_t port_id, uint16_t queue);

/*
 * The queue is about to be slept for, or looked at again. What arrives just before may go unnoticed
 * until the sleep is over.
 */
void ql_idle_arm(uint16_t port_id, uint16_t queue, bool on);

/* Give the core away, for at most so many ns, or until what is watched has something. */
void ql_idle_sleep(int epfd, uint64_t ns);

#endif /* QL_NET_IDLE_H */
