// SPDX-License-Identifier: BSD-3-Clause
/*
 * More than one path: what belongs to which (RFC 9000, 9.4).
 */
#include "recovery/loss.h"

static struct ql_mem *mem_of(const struct ql_recovery *r)
{
	return r->space[QL_REC_APP].sent.mem;
}

/* Keep the state of the path in use, the newest first; without a free place the oldest goes. */
static void park(struct ql_recovery *r)
{
	struct ql_path_rec *p = ql_mem_alloc(mem_of(r), sizeof(*p));
	unsigned int i = 0;

	if (!p)
		return;
	*p = r->path;
	while (i < QL_REC_PARKED - 1 && r->parked[i])
		i++;
	ql_mem_free(mem_of(r), r->parked[i], sizeof(*p));
	for (; i > 0; i--)
		r->parked[i] = r->parked[i - 1];
	r->parked[0] = p;
}

static struct ql_path_rec *find(const struct ql_recovery *r, uint8_t id)
{
	for (unsigned int i = 0; i < QL_REC_PARKED; i++) {
		if (r->parked[i] && r->parked[i]->id == id)
			return r->parked[i];
	}
	return NULL;
}

void ql_path_rec_init(struct ql_path_rec *path, const struct ql_cc_ops *cc, uint64_t initial_rtt,
		      bool ecn, uint64_t now)
{
	path->mtu = path->pmtu.size;
	path->packet_threshold = QL_REC_PACKET_THRESHOLD;
	path->time_eighths = 1;
	ql_rtt_init(&path->rtt, initial_rtt);
	ql_cc_init(&path->cc, cc, path->mtu, now);
	ql_pacer_init(&path->pacer, path->mtu, QL_REC_PACER_SLACK, now);
	ql_ecn_init(&path->ecn, ecn);
}

void ql_rec_use_path(struct ql_recovery *r, uint8_t id, uint64_t initial_rtt, uint64_t now)
{
	const struct ql_cc_ops *cc = r->path.cc.ops;
	struct ql_path_rec *known = find(r, id), next = {.id = id};
	struct ql_pmtu *pmtu = &r->path.pmtu;

	ql_pmtu_abandon(pmtu, now);
	if (known) {
		next = *known;
		ql_rec_drop_path(r, id);
	} else {
		ql_pmtu_init(&next.pmtu, pmtu->fixed ? pmtu->size : QL_PMTU_BASE, pmtu->max,
			     pmtu->fixed, now);
		ql_path_rec_init(&next, cc, initial_rtt, !r->no_ecn, now);
	}
	park(r);
	r->path = next;
	/* What was silence on the old path is none on this one. */
	r->pto_count = 0;
	r->last_pto = r->armed = now;
	for (unsigned int i = 0; i < QL_REC_SPACES; i++) {
		r->space[i].run = false;
		r->space[i].sent.path = id;
	}
}

void ql_rec_drop_path(struct ql_recovery *r, uint8_t id)
{
	for (unsigned int i = 0; i < QL_REC_PARKED; i++) {
		struct ql_path_rec *p = r->parked[i];

		if (p && p->id == id) {
			ql_mem_free(mem_of(r), p, sizeof(*p));
			r->parked[i] = NULL;
		}
	}
}

void ql_rec_on_sent_aside(struct ql_recovery *r, unsigned int space, uint16_t size, uint64_t now)
{
	struct ql_sent *s = &r->space[space].sent;
	uint8_t path = s->path;

	r->stats.sent++;
	s->path = (uint8_t)(path + UINT8_MAX / 2); /* anything but this one: no RTT comes of it */
	ql_sent_commit(s, now, size, 0);
	s->path = path;
}
