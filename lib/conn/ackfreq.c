// SPDX-License-Identifier: BSD-3-Clause
#include "conn/ackfreq.h"

#include "conn/conn.h"

static inline uint64_t clamp(uint64_t v, uint64_t least, uint64_t most)
{
	v = v > most ? most : v;
	return v < least ? least : v;
}

void ql_ackfreq_init(struct ql_ack_rule *rule, struct ql_ack_ask *ask)
{
	*rule = (struct ql_ack_rule){.every = QL_ACK_EVERY, .reorder = 1};
	*ask = (struct ql_ack_ask){.min_delay = QL_NEVER};
}

/* ---- Receiver ---- */

static inline void follow_pace(const struct ql_conn *conn, struct ql_ack_rule *rule)
{
	const struct ql_rtt *rtt = &conn->rec.path.rtt;
	uint64_t now = conn->host->now;

	rule->packets++;
	if (__builtin_expect(now - rule->since <= rtt->smoothed, 1))
		return;
	rule->every = (uint32_t)clamp(rtt->sampled ? rule->packets / QL_ACKS_PER_RTT : 0,
				      QL_ACK_EVERY, QL_ACK_EVERY_PACED);
	rule->packets = 0;
	rule->since = now;
}

bool ql_ack_reordered(const struct ql_ranges *received, uint64_t pn, uint64_t acked,
		      uint64_t threshold)
{
	unsigned int n = ql_ranges_count(received);
	/* The lowest number that the sender could not take for lost by the last ACK. */
	uint64_t unreported = acked > threshold ? acked - threshold : 0;
	uint64_t missing = UINT64_MAX, largest;

	if (pn < unreported)
		return true;
	if (n < 2)
		return false;
	largest = ql_ranges_get(received, n - 1)->end;
	for (unsigned int i = n - 1; i > 0; i--) {
		uint64_t first = ql_ranges_get(received, i - 1)->end + 1;
		uint64_t last = ql_ranges_get(received, i)->start - 1;

		if (last < unreported)
			break;
		missing = first > unreported ? first : unreported;
	}
	return missing <= largest && largest - missing >= threshold;
}

bool ql_ack_at_once(struct ql_conn *conn, uint64_t pn, bool in_order, bool ce)
{
	struct ql_ack_rule *rule = &conn->ack_rule;
	const struct ql_space *sp = &conn->app;
	bool was_ce = rule->ce;

	rule->ce = ce;
	if (rule->next_seq == 0)
		follow_pace(conn, rule);
	if (sp->unacked >= rule->every)
		return true;
	/* Where the peer wants ACKs rarely, only the first of several marks is worth one. */
	if (ce && (rule->next_seq == 0 || rule->every <= QL_ACK_EVERY || !was_ce))
		return true;
	if (rule->reorder == 1)
		return !in_order;
	/* No range may be forgotten before it has been reported. */
	if (!in_order && ql_ranges_count(&sp->received) >= QL_CONN_ACK_RANGES / 2)
		return true;
	return rule->reorder > 1 && ql_ack_reordered(&sp->received, pn, rule->acked, rule->reorder);
}

uint64_t ql_ackfreq_recv(struct ql_conn *conn, const struct ql_frame_ack_frequency *f)
{
	struct ql_ack_rule *rule = &conn->ack_rule;
	struct ql_space *sp = &conn->app;
	uint64_t by;

	if (f->delay < QL_ACK_MIN_DELAY / QL_NSEC_PER_USEC || f->delay >= QL_ACK_DELAY_US_MAX)
		return QL_ERR_PROTOCOL_VIOLATION;
	if (f->seq < rule->next_seq)
		return 0;
	rule->next_seq = f->seq + 1;
	rule->every = (uint32_t)clamp(f->threshold, 0, QL_ACK_EVERY_MAX - 1) + 1;
	rule->reorder = (uint32_t)clamp(f->reorder, 0, UINT32_MAX);
	conn->ack_delay = f->delay * QL_NSEC_PER_USEC;
	by = conn->host->now + conn->ack_delay;
	if (sp->ack_deadline != QL_NEVER && sp->ack_deadline > by)
		sp->ack_deadline = by;
	return 0;
}

/* ---- Sender ---- */

void ql_ackfreq_begin(struct ql_conn *conn, uint64_t min_delay)
{
	conn->ack_ask = (struct ql_ack_ask){
		.min_delay = min_delay,
		.delay = conn->rec.max_ack_delay,
		.every = QL_ACK_EVERY,
		.reorder = QL_REC_PACKET_THRESHOLD,
	};
}

/* By so much that it is worth a frame. */
static bool differs(uint64_t a, uint64_t b)
{
	return 2 * a >= 3 * b || 2 * b >= 3 * a;
}

void ql_ackfreq_update(struct ql_conn *conn)
{
	const struct ql_path_rec *path = &conn->rec.path;
	struct ql_ack_ask *ask = &conn->ack_ask;
	uint64_t every, delay, now = conn->host->now;

	if (!ql_ack_ask_known(ask) || ask->due || ask->in_flight ||
	    now < ask->at + path->rtt.smoothed || conn->state != QL_CONN_CONFIRMED)
		return;
	ask->at = now;
	/* There the ACKs within a burst say what the path takes (longstart.h). */
	if (path->rtt.min > QL_LONGSTART_RTT && ql_cc_starting(&path->cc))
		return;
	every = clamp(path->cc.cwnd / path->mtu / QL_ACKS_PER_RTT, QL_ACK_EVERY, QL_ACK_ASK_MAX);
	delay = clamp(path->rtt.smoothed / QL_ACK_ASK_SHARE, 0, QL_ACK_ASK_DELAY);
	delay = delay < ask->min_delay ? ask->min_delay : delay;
	if (!differs(every, ask->every) && ask->reorder == path->packet_threshold &&
	    (ask->next_seq == 0 || !differs(delay, ask->delay)))
		return;
	ask->every = (uint32_t)every;
	ask->delay = delay;
	ask->reorder = path->packet_threshold;
	ask->due = true;
}

uint8_t *ql_ackfreq_put(struct ql_conn *conn, uint8_t *p, const uint8_t *end)
{
	struct ql_ack_ask *ask = &conn->ack_ask;
	const struct ql_frame_ack_frequency f = {
		.seq = ask->next_seq,
		.threshold = ask->every - 1,
		.delay = (ask->delay + QL_NSEC_PER_USEC - 1) / QL_NSEC_PER_USEC,
		.reorder = ask->reorder,
	};
	const struct ql_sent_frame rec = {
		.kind = QL_SENT_ACK_FREQUENCY,
		.id = f.seq,
		.offset = f.delay,
	};
	uint8_t *q = ql_frame_put_ack_frequency(p, end, &f);

	if (!q || ql_rec_add(&conn->rec, QL_SPACE_APP, &rec) < 0)
		return p;
	ask->due = false;
	ask->in_flight = true;
	ask->next_seq++;
	/* Until it is acknowledged the peer may do the one or the other. */
	if (conn->rec.max_ack_delay < f.delay * QL_NSEC_PER_USEC)
		conn->rec.max_ack_delay = f.delay * QL_NSEC_PER_USEC;
	return q;
}

void ql_ackfreq_acked(struct ql_conn *conn, const struct ql_sent_frame *f)
{
	struct ql_ack_ask *ask = &conn->ack_ask;

	if (f->id + 1 != ask->next_seq)
		return; /* a newer one is under way */
	ask->in_flight = ask->due = false;
	conn->rec.max_ack_delay = f->offset * QL_NSEC_PER_USEC;
}

void ql_ackfreq_lost(struct ql_conn *conn, const struct ql_sent_frame *f)
{
	struct ql_ack_ask *ask = &conn->ack_ask;

	if (f->id + 1 != ask->next_seq)
		return;
	ask->in_flight = false;
	ask->due = true;
}
