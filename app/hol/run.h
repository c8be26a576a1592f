// SPDX-License-Identifier: BSD-3-Clause
/*
 * What hol-demo measures: messages over QUIC streams, and the same messages over one ordered byte
 * stream, through the same simulated network.
 *
 * A client asks, a server answers; each question and each answer is a message. Over streams each
 * pair has a stream of its own; as one ordered byte stream all of them follow one another on one
 * QUIC stream, as they would on a TCP connection. All else is the same: our engines, loss recovery,
 * congestion control, the order in which the answers are sent, and what the network does. So what
 * differs is the head-of-line blocking (RFC 9000, 2), and nothing else.
 *
 * Time is virtual (sim/sim.h): the same seed gives the same figures. Times are ns, and count from
 * when the client begins to ask, on a connection that is established and at rest. Needs
 * sim_env_init(), and one thread. Without memory the process ends.
 */
#ifndef QL_APP_HOL_RUN_H
#define QL_APP_HOL_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include <qlane/engine.h>

enum hol_way {
	HOL_STREAMS,
	HOL_ORDERED, /* one ordered byte stream */
	HOL_WAYS,
};

/* The path. */
#define HOL_RTT	 (40 * QL_NSEC_PER_MSEC)
#define HOL_RATE UINT64_C(20000000) /* bits a second, both ways */

/* ---- Ten calls, a packet lost ---- */

#define HOL_CALLS    10
#define HOL_LOST     5 /* the call whose answer is in the packet that is lost, counted from 1 */
#define HOL_QUESTION "greet(\"Ada\")"
#define HOL_ANSWER   "Hello, Ada!"
#define HOL_CALL_GAP (4 * QL_NSEC_PER_MSEC) /* from a call to the next */

/* When each answer came, by whether that packet was lost. */
struct hol_calls {
	uint64_t at[HOL_WAYS][2][HOL_CALLS];
};

/* 0, or -ETIMEDOUT when not all answers came. */
int hol_calls(uint64_t seed, struct hol_calls *calls);

/* ---- Fifty resources, packets lost at random ---- */

/* The same path; its queue has no limit, so that nothing is lost but by chance. */
#define HOL_RESOURCES	50
#define HOL_PAGE_BYTES	20000 /* of each */
#define HOL_LOSSES	3     /* 0, 1 and 2 % of all datagrams, both ways */
#define HOL_CONTROLLERS 3

extern const enum ql_congestion hol_controllers[HOL_CONTROLLERS];
/* "NewReno" */
const char *hol_controller_name(unsigned int i);

/* How long it took until a resource had come. */
struct hol_spread {
	uint64_t median, p99;
};

struct hol_page {
	struct hol_spread took[HOL_CONTROLLERS][HOL_LOSSES][HOL_WAYS];
};

/*
 * `runs` pages, each on a connection of its own, for one cell of the table. 0, -ENOMEM, or
 * -ETIMEDOUT when not all resources came.
 */
int hol_page(uint64_t seed, unsigned int runs, enum ql_congestion congestion, unsigned int percent,
	     enum hol_way way, struct hol_spread *took);

/* The controller whose median over streams is the lowest with 1 % loss. */
unsigned int hol_best(const struct hol_page *page);

/* By how many percent the median with so much loss is above that without. */
double hol_above(const struct hol_page *page, unsigned int controller, unsigned int percent,
		 enum hol_way way);

#endif
