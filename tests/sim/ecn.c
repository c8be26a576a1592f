// SPDX-License-Identifier: BSD-3-Clause
/*
 * ECN over links that mark instead of dropping, and over such as do wrong to marks (RFC 9000,
 * 13.4.2). Whatever a link does, the transfer has to come through, in little more than its time.
 */
#include "sim/trial.h"

#define MS  QL_NSEC_PER_MSEC
#define SEC QL_NSEC_PER_SEC

#define DOWNLOAD UINT64_C(4000000)
#define TESTED \
	60 /* marked datagrams at most, on a link that fails: tests, and what is under way \
	    */

/* What the server's counters and its link say of the path to the client. */
static void check_marks(struct sim_trial *t, enum sim_ecn fault, bool no_ecn)
{
	struct ql_engine_stats server = sim_pair_stats(&t->pair, SIM_SERVER);
	const struct sim_link_stats *link = sim_link_stats(t->pair.sim, SIM_SERVER);

	if (no_ecn) {
		sim_trial_check(t, link->ect == 0, "marks, and nobody wants them");
	} else if (fault == SIM_ECN_RIGHT) {
		sim_trial_check(t, server.ecn_capable == 1 && server.ecn_failed == 0,
				"a path that carries marks is not found to do so");
		sim_trial_check(t, link->ect > link->datagrams * 9 / 10, "%llu of %llu are marked",
				(unsigned long long)link->ect, (unsigned long long)link->datagrams);
		sim_trial_check(t, link->marked > 0 && server.ce_packets > link->marked / 2,
				"%llu marked, %llu reported", (unsigned long long)link->marked,
				(unsigned long long)server.ce_packets);
	} else if (fault != SIM_ECN_INVENT) { /* that does no harm, and cannot always be seen */
		sim_trial_check(t, server.ecn_failed == 1, "fault %d is not found", (int)fault);
		sim_trial_check(t, link->ect <= TESTED, "fault %d: %llu datagrams were marked",
				(int)fault, (unsigned long long)link->ect);
	}
}

void sim_ecn(struct sim_trial *t)
{
	/* 20 Mbit/s, a queue of 60 ms that should not fill by more than a sixth. */
	struct sim_link link = {.rate = 20000000, .delay = 15 * MS, .queue = 120, .mark_above = 20};
	struct sim_job job = {.streams = 1, .download = DOWNLOAD};
	enum sim_ecn fault = (enum sim_ecn)(t->seed % SIM_ECN_FAULTS);
	struct ql_transport transport = {
		.congestion = (enum ql_congestion)(QL_CC_NEWRENO + t->seed / SIM_ECN_FAULTS % 3),
		.no_ecn = t->seed % 64 == 63,
	};
	uint64_t took, limit;

	sim_trial_open(t, &transport, &job);
	sim_link(t->pair.sim, SIM_CLIENT)->delay = link.delay;
	link.ecn = fault;
	*sim_link(t->pair.sim, SIM_SERVER) = link;
	sim_trial_connect(t, 1);
	sim_trial_run(t, 600 * SEC);
	sim_trial_complete(t);
	took = t->pair.app[SIM_CLIENT].closed_at - t->started;
	/*
	 * 1.7 s with headers, slow start, and what a window that is cut too often costs; and where
	 * marks are lost, the three PTOs of a test.
	 */
	limit = fault == SIM_ECN_DROP ? 5 * SEC : 3 * SEC;
	sim_trial_check(t, took < limit, "took %llu ms", (unsigned long long)(took / MS));
	check_marks(t, fault, transport.no_ecn);
	/* Marks are there so that nothing has to be dropped. */
	if (fault == SIM_ECN_RIGHT && !transport.no_ecn)
		sim_trial_check(
			t, sim_link_stats(t->pair.sim, SIM_SERVER)->overflowed == 0,
			"%llu dropped in spite of marks",
			(unsigned long long)sim_link_stats(t->pair.sim, SIM_SERVER)->overflowed);
	sim_trial_close(t);
}
