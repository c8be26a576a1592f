// SPDX-License-Identifier: BSD-3-Clause
#include <qlane/stream.h>

#include <errno.h>

#include "stream/streams_priv.h"

/* The send buffer changed, from outside of the packet path. */
static void changed(struct ql_stream *s)
{
	ql_stream_schedule(s);
	ql_streams_wake(s->ss);
}

static bool can_send(const struct ql_stream *s)
{
	return s->send_state == QL_SEND_OPEN && !s->send.fin && !s->ss->closing;
}

uint64_t ql_streams_send_most(const struct ql_streams *ss)
{
	uint64_t most = 2 * ss->cwnd, spare = (ss->mem->budget - ss->mem->used) / 4;

	if (most > ss->config.send_buffer_cap)
		most = ss->config.send_buffer_cap;
	if (most > spare)
		most = spare;
	return most > ss->config.send_buffer ? most : ss->config.send_buffer;
}

ssize_t ql_stream_send(struct ql_stream *s, const void *data, size_t len, unsigned int flags)
{
	uint64_t most = ql_streams_send_most(s->ss), room;
	size_t take, n;

	if (!can_send(s))
		return -EPIPE;
	room = most > s->send.copied ? most - s->send.copied : 0;
	take = len < room ? len : (size_t)room;
	n = ql_sendbuf_copy_in(&s->send, s->ss->mem, data, take);
	if (n < len)
		s->want_writable = true;
	else if (flags & QL_FIN)
		s->send.fin = true;
	changed(s);
	return n == 0 && take > 0 ? -ENOMEM : (ssize_t)n;
}

int ql_stream_send_ref(struct ql_stream *s, const void *data, size_t len, unsigned int flags,
		       ql_release_fn release, void *arg)
{
	int rc;

	if (!can_send(s))
		return -EPIPE;
	rc = ql_sendbuf_ref_in(&s->send, s->ss->mem, data, len, release, arg);
	if (rc)
		return rc;
	s->send.fin = flags & QL_FIN;
	changed(s);
	return 0;
}

uint64_t ql_stream_unsent(const struct ql_stream *s)
{
	return s->send_state == QL_SEND_OPEN ? ql_sendbuf_unsent(&s->send) : 0;
}

int ql_stream_reset(struct ql_stream *s, uint64_t app_error)
{
	if (s->send_state > QL_SEND_DATA_SENT || s->ss->closing)
		return -EPIPE;
	ql_stream_do_reset(s, app_error);
	ql_streams_wake(s->ss);
	return 0;
}

int ql_stream_stop(struct ql_stream *s, uint64_t app_error)
{
	if (ql_stream_recv_ended(s) || s->stopped || s->ss->closing)
		return -EPIPE;
	/* The stream_data() that is running may have been told of the end already. */
	if (ql_stream_handed(s) == s->recv.final_size)
		return -EPIPE;
	s->stopped = true;
	s->stop_code = app_error;
	ql_stream_consume(s, s->recv.high - ql_stream_handed(s));
	ql_stream_drop_recv(s);
	if (s->recv_state == QL_RECV_SIZE_KNOWN) {
		/* Nothing is left to be told: neither us nor, in a moment, the peer. */
		s->recv_state = QL_RECV_DATA_READ;
		ql_stream_settle(s);
	} else {
		ql_stream_ctl_add(s, QL_CTL_STOP);
	}
	ql_streams_wake(s->ss);
	return 0;
}

void ql_stream_credit(struct ql_stream *s, size_t bytes)
{
	/* What was dropped after stop or reset has been given back already. */
	bool dropping = s->stopped || s->recv_state == QL_RECV_RESET_READ;
	uint64_t most = (dropping ? s->recv.high : ql_stream_handed(s)) - s->rx.consumed;

	ql_stream_consume(s, bytes < most ? bytes : most);
	ql_streams_wake(s->ss);
}

static void set_level(struct ql_stream *s, unsigned int level, bool incremental)
{
	s->level = (uint8_t)level;
	s->incremental = incremental;
	ql_stream_schedule(s);
}

void ql_stream_set_priority(struct ql_stream *s, unsigned int urgency, bool incremental)
{
	if (urgency > QL_URGENCY_LAST)
		urgency = QL_URGENCY_LAST;
	set_level(s, QL_SCHED_URGENCY(urgency), incremental);
}

void ql_stream_set_control(struct ql_stream *s)
{
	set_level(s, QL_SCHED_CONTROL, false);
}

uint64_t ql_stream_id(const struct ql_stream *s)
{
	return s->id;
}

struct ql_conn *ql_stream_conn(const struct ql_stream *s)
{
	return s->ss->conn;
}

void *ql_stream_user(const struct ql_stream *s)
{
	return s->user;
}

void ql_stream_set_user(struct ql_stream *s, void *user)
{
	s->user = user;
}
