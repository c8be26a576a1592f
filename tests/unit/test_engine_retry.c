// SPDX-License-Identifier: BSD-3-Clause
/*
 * Address validation by Retry and by tokens of earlier connections, from both sides (RFC 9000,
 * sections 8.1 and 17.2.5).
 */
#include "test_engine_util.h"

#include <errno.h>

#include <rte_mbuf.h>

#include "crypto/retry.h"

static void open_pair(struct sim_pair *p, uint64_t seed, enum ql_retry mode,
		      const struct sim_job *job)
{
	struct ql_engine_config config[2] = {
		[SIM_SERVER] = {.name = "server", .socket_id = -1, .retry = mode},
		[SIM_CLIENT] = {.name = "client", .lcore_index = 1, .socket_id = -1},
	};

	sim_pair_open_with(p, seed, config, NULL, job);
}

static uint64_t drops(const struct sim_pair *p, unsigned int side, enum ql_drop reason)
{
	return sim_pair_stats(p, side).drops[reason];
}

/* ---- What goes over a link, looked at or altered ---- */

/* Long-header packets that a side sent first in their datagrams. */
struct watch {
	unsigned int retries, initials, with_token;
	/* of the first Initial, of the Retry, of the first Initial with a token */
	struct ql_cid first_dcid, retry_scid, token_dcid;
	uint8_t retry[1500],
		initial[1500]; /* datagrams: the latest Retry, the first Initial with a token */
	size_t retry_len, initial_len;
	struct ql_path initial_path;
	unsigned int lose_retries; /* so many are lost first */
	bool hold;		   /* Initials with a token are lost */
};

static bool look(void *arg, struct ql_datagram *d, uint64_t now UNUSED)
{
	uint8_t *p = rte_pktmbuf_mtod(d->mbuf, uint8_t *);
	size_t len = d->mbuf->data_len;
	struct watch *w = arg;
	struct ql_pkt_hdr h;

	if (ql_pkt_parse(p, len, QL_LOCAL_CID_LEN, &h) < 0)
		return true;
	if (h.type == QL_PKT_RETRY) {
		memcpy(w->retry, p, len);
		w->retry_len = len;
		ql_cid_set(&w->retry_scid, h.scid.p, h.scid.len);
		return w->retries++ >= w->lose_retries;
	}
	if (h.type == QL_PKT_INITIAL) {
		if (w->initials++ == 0)
			ql_cid_set(&w->first_dcid, h.dcid.p, h.dcid.len);
		if (h.token_len > 0) {
			if (w->with_token++ == 0) {
				ql_cid_set(&w->token_dcid, h.dcid.p, h.dcid.len);
				memcpy(w->initial, p, len);
				w->initial_len = len;
				w->initial_path = (struct ql_path){.local = d->path.remote,
								   .remote = d->path.local};
			}
			return !w->hold;
		}
	}
	return true;
}

static void watch(struct sim_pair *p, struct watch w[2])
{
	memset(w, 0, 2 * sizeof(*w));
	for (unsigned int i = 0; i < 2; i++) {
		sim_link(p->sim, i)->filter = look;
		sim_link(p->sim, i)->arg = &w[i];
	}
}

/* ---- Retry ---- */

START_TEST(test_handshake)
{
	struct sim_job job = {.streams = 3, .download = 100 * KB, .upload = 100 * KB};
	struct ql_engine_stats s;
	struct watch w[2];
	struct sim_pair p;

	open_pair(&p, 1, QL_RETRY_ALWAYS, &job);
	watch(&p, w);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	/* One round trip: the server has kept nothing. */
	sim_run(p.sim, 15 * MS, NULL, NULL);
	s = sim_pair_stats(&p, SIM_SERVER);
	ck_assert_uint_eq(s.retries, 1);
	ck_assert_uint_eq(s.conns, 0);
	ck_assert_uint_eq(s.memory_used, p.memory[SIM_SERVER]);
	run_out(&p, 20 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 3);
	ck_assert_uint_eq(p.app[SIM_SERVER].complete, 3);
	ck_assert_int_eq(p.app[SIM_SERVER].close.cause, QL_CLOSE_PEER);
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).retries, 1);
	ck_assert_uint_eq(w[SIM_SERVER].retries, 1);
	ck_assert_uint_lt(w[SIM_SERVER].retry_len, 200);
	/* All further Initials go to the ID of the Retry, with its token. */
	ck_assert_uint_gt(w[SIM_CLIENT].with_token, 0);
	ck_assert_uint_eq(w[SIM_CLIENT].with_token, w[SIM_CLIENT].initials - 1);
	ck_assert(ql_cid_eq(&w[SIM_CLIENT].token_dcid, &w[SIM_SERVER].retry_scid));
	ck_assert(!ql_cid_eq(&w[SIM_CLIENT].token_dcid, &w[SIM_CLIENT].first_dcid));
	finish(&p);
}
END_TEST

/* Retry on links that lose, double and reorder: everything arrives, by seed. */
START_TEST(test_loss)
{
	struct sim_job job = {.streams = 2, .download = 20 * KB, .upload = 20 * KB};

	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct sim_link link = sim_link_default;
		struct sim_pair p;

		link.loss = SIM_MILLION / 5;
		link.duplicate = SIM_MILLION / 10;
		link.reorder = SIM_MILLION / 10;
		link.reorder_delay = 30 * MS;
		open_pair(&p, seed, QL_RETRY_ALWAYS, &job);
		p.transport[SIM_CLIENT].handshake_timeout_ns = 60 * SEC;
		sim_pair_link(&p, &link);
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		run_out(&p, 200 * SEC);
		ck_assert_msg(p.app[SIM_CLIENT].complete == 2, "seed %u", (unsigned int)seed);
		finish(&p);
	}
}
END_TEST

/* The Retry itself is lost, some times: the next Initial brings another. */
START_TEST(test_retry_lost)
{
	struct sim_job job = {.streams = 1};
	struct watch w[2];
	struct sim_pair p;

	open_pair(&p, 1, QL_RETRY_ALWAYS, &job);
	watch(&p, w);
	w[SIM_SERVER].lose_retries = 3;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 40 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
	ck_assert_uint_ge(w[SIM_SERVER].retries, 4);
	finish(&p);
}
END_TEST

/* A Retry of the test's making for the client's first Initial. */
static size_t make_retry(struct sim_pair *p, uint32_t version, const struct ql_cid *scid,
			 size_t token_len, const struct ql_cid *odcid, uint8_t *buf)
{
	const struct ql_conn *c = conn_of(p, SIM_CLIENT);
	static const uint8_t token[QL_TOKEN_MAX + 1] = {1};
	uint8_t *end;

	end = ql_pkt_put_retry(buf, buf + 1500, 0, version, ql_cid_view(&c->local_cids.e[0].cid),
			       ql_cid_view(scid), token, token_len);
	ck_assert_ptr_nonnull(end);
	ck_assert_int_eq(
		ql_retry_tag(version, odcid->id, odcid->len, buf, (size_t)(end - buf), end), 0);
	return (size_t)(end - buf) + QL_RETRY_TAG;
}

/* Retries that a client must not believe, each alone and all before the server's answer. */
START_TEST(test_forged)
{
	struct sim_job job = {.streams = 1};
	struct ql_cid scid = {.len = 5, .id = "forged"}, odcid;
	uint8_t buf[1500], copy[1500];
	const struct ql_conn *c;
	struct ql_path path;
	struct sim_pair p;
	size_t len;

	open_pair(&p, 1, QL_RETRY_NEVER, &job);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 1 * MS, NULL, NULL);
	c = conn_of(&p, SIM_CLIENT);
	path = *ql_conn_path(c);
	odcid = c->hs->original_dcid;
	len = make_retry(&p, QL_VERSION_1, &scid, 20, &odcid, buf);
	for (size_t bit = 8 * 6; bit < 8 * len; bit++) {
		uint64_t before = drops(&p, SIM_CLIENT, QL_DROP_AUTH) +
				  drops(&p, SIM_CLIENT, QL_DROP_HEADER) +
				  drops(&p, SIM_CLIENT, QL_DROP_NO_CONN);

		memcpy(copy, buf, len);
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		sim_inject(p.sim, SIM_CLIENT, &path, copy, len);
		ck_assert_uint_eq(drops(&p, SIM_CLIENT, QL_DROP_AUTH) +
					  drops(&p, SIM_CLIENT, QL_DROP_HEADER) +
					  drops(&p, SIM_CLIENT, QL_DROP_NO_CONN),
				  before + 1);
		ck_assert(!c->hs->retried);
	}
	/* by somebody who has not seen the Initial */
	odcid.id[3] ^= 1;
	len = make_retry(&p, QL_VERSION_1, &scid, 20, &odcid, buf);
	sim_inject(p.sim, SIM_CLIENT, &path, buf, len);
	odcid.id[3] ^= 1;
	/* from the ID that it answers; of another version; with a token too long; to a server */
	len = make_retry(&p, QL_VERSION_1, &odcid, 20, &odcid, buf);
	sim_inject(p.sim, SIM_CLIENT, &path, buf, len);
	len = make_retry(&p, QL_VERSION_2, &scid, 20, &odcid, buf);
	sim_inject(p.sim, SIM_CLIENT, &path, buf, len);
	len = make_retry(&p, QL_VERSION_1, &scid, QL_TOKEN_MAX + 1, &odcid, buf);
	sim_inject(p.sim, SIM_CLIENT, &path, buf, len);
	ck_assert(!c->hs->retried);
	run_out(&p, 40 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
	finish(&p);
}
END_TEST

/*
 * Believed by the client, as somebody made it who saw the Initial; then the server's transport
 * parameters give it away (7.3).
 */
START_TEST(test_injected)
{
	struct sim_job job = {.streams = 1};
	struct ql_cid scid = {.len = 12, .id = "not ours...."};
	struct ql_path path;
	struct sim_pair p;
	uint8_t buf[1500];
	size_t len;

	open_pair(&p, 1, QL_RETRY_NEVER, &job);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	path = *ql_conn_path(conn_of(&p, SIM_CLIENT));
	len = make_retry(&p, QL_VERSION_1, &scid, 30, &conn_of(&p, SIM_CLIENT)->hs->original_dcid,
			 buf);
	sim_inject(p.sim, SIM_CLIENT, &path, buf, len);
	ck_assert(conn_of(&p, SIM_CLIENT)->hs->retried);
	run_out(&p, 40 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].connected, 0);
	ck_assert_int_eq(p.app[SIM_CLIENT].close.cause, QL_CLOSE_LOCAL);
	ck_assert_uint_eq(p.app[SIM_CLIENT].close.error, QL_ERR_TRANSPORT_PARAMETER_ERROR);
	finish(&p);
}
END_TEST

/* A second Retry, and one behind an Initial, change nothing. */
START_TEST(test_twice)
{
	struct sim_job job = {.streams = 1};
	struct ql_cid scid = {.len = 12, .id = "second one.."};
	struct ql_cid odcid, before;
	struct watch w[2];
	struct ql_path path;
	struct sim_pair p;
	uint8_t buf[1500];
	size_t len;

	open_pair(&p, 1, QL_RETRY_ALWAYS, &job);
	watch(&p, w);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	path = *ql_conn_path(conn_of(&p, SIM_CLIENT));
	odcid = conn_of(&p, SIM_CLIENT)->hs->original_dcid;
	sim_run(p.sim, 21 * MS, NULL, NULL);
	ck_assert(conn_of(&p, SIM_CLIENT)->hs->retried);
	before = *ql_peer_cid(&conn_of(&p, SIM_CLIENT)->peer_cids);
	sim_inject(p.sim, SIM_CLIENT, &path, w[SIM_SERVER].retry, w[SIM_SERVER].retry_len);
	len = make_retry(&p, QL_VERSION_1, &scid, 30, &odcid, buf);
	sim_inject(p.sim, SIM_CLIENT, &path, buf, len);
	len = make_retry(&p, QL_VERSION_1, &scid, 30, &before, buf);
	sim_inject(p.sim, SIM_CLIENT, &path, buf, len);
	ck_assert_uint_eq(drops(&p, SIM_CLIENT, QL_DROP_HEADER), 3);
	ck_assert(ql_cid_eq(&before, ql_peer_cid(&conn_of(&p, SIM_CLIENT)->peer_cids)));
	sim_run(p.sim, 100 * MS, NULL, NULL);
	run_out(&p, 40 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
	finish(&p);

	open_pair(&p, 1, QL_RETRY_NEVER, &job);
	sim_link(p.sim, SIM_SERVER)->rate = 1 * MB;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	path = *ql_conn_path(conn_of(&p, SIM_CLIENT));
	odcid = conn_of(&p, SIM_CLIENT)->hs->original_dcid;
	len = make_retry(&p, QL_VERSION_1, &scid, 30, &odcid, buf);
	sim_run(p.sim, 31 * MS, NULL, NULL);
	ck_assert(conn_of(&p, SIM_CLIENT)->hs->peer_scid_known);
	sim_inject(p.sim, SIM_CLIENT, &path, buf, len);
	ck_assert(!conn_of(&p, SIM_CLIENT)->hs->retried);
	run_out(&p, 40 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
	finish(&p);
}
END_TEST

/* The server's transport parameters without what a Retry asks for, or with another (7.3). */
START_TEST(test_parameters)
{
	struct sim_job job = {.streams = 1};

	for (unsigned int what = 0; what < 3; what++) {
		struct watch w[2];
		struct sim_pair p;
		struct ql_handshake *hs;

		open_pair(&p, 1, QL_RETRY_ALWAYS, &job);
		watch(&p, w);
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		/* The client has the Retry; make it remember something else. */
		sim_run(p.sim, 21 * MS, NULL, NULL);
		hs = conn_of(&p, SIM_CLIENT)->hs;
		ck_assert(hs->retried);
		if (what == 0)
			hs->retry_scid.id[0] ^= 1;
		else if (what == 1)
			hs->retried = false;
		else
			hs->original_dcid.id[0] ^= 1;
		run_out(&p, 40 * SEC);
		ck_assert_uint_eq(p.app[SIM_CLIENT].connected, 0);
		ck_assert_int_eq(p.app[SIM_CLIENT].close.cause, QL_CLOSE_LOCAL);
		ck_assert_uint_eq(p.app[SIM_CLIENT].close.error, QL_ERR_TRANSPORT_PARAMETER_ERROR);
		finish(&p);
	}
}
END_TEST

/* ---- The server and what clients bring it ---- */

/* An Initial with a Retry's token, which did not reach the server. */
static void hold_initial(struct sim_pair *p, struct watch w[2])
{
	struct sim_job job = {.streams = 1};

	open_pair(p, 1, QL_RETRY_ALWAYS, &job);
	watch(p, w);
	w[SIM_CLIENT].hold = true;
	ck_assert_int_eq(sim_pair_connect(p), 0);
	sim_run(p->sim, 50 * MS, NULL, NULL);
	ck_assert_uint_gt(w[SIM_CLIENT].initial_len, 0);
	ck_assert_uint_eq(sim_pair_stats(p, SIM_SERVER).conns, 0);
}

static void give_up(struct sim_pair *p)
{
	ql_conn_close(p->app[SIM_CLIENT].conn, 0, "");
	run_out(p, 40 * SEC);
	finish(p);
}

/* The server refuses it: the datagram's answer is a close with INVALID_TOKEN that the client reads.
 */
static void expect_refusal(struct sim_pair *p, const struct ql_path *path, const uint8_t *initial,
			   size_t len)
{
	struct ql_engine_stats before = sim_pair_stats(p, SIM_SERVER);
	struct ql_datagram out[4];

	sim_inject(p->sim, SIM_SERVER, path, initial, len);
	ck_assert_uint_eq(sim_pair_stats(p, SIM_SERVER).invalid_tokens, before.invalid_tokens + 1);
	ck_assert_uint_eq(drops(p, SIM_SERVER, QL_DROP_TOKEN), before.drops[QL_DROP_TOKEN] + 1);
	ck_assert_uint_eq(sim_take(p->sim, SIM_SERVER, out, 4), 1);
	ck_assert(ql_path_eq(&out[0].path, path));
	ck_assert_uint_lt(out[0].mbuf->data_len, 100);
	rte_pktmbuf_free(out[0].mbuf);
	ck_assert_uint_eq(sim_pair_stats(p, SIM_SERVER).conns, 0);
	ck_assert_uint_eq(sim_pair_stats(p, SIM_SERVER).memory_used, p->memory[SIM_SERVER]);
}

START_TEST(test_token_refused)
{
	struct ql_path path;
	struct ql_pkt_hdr h;
	struct watch w[2];
	struct sim_pair p;
	size_t at;

	hold_initial(&p, w);
	ck_assert_int_eq(ql_pkt_parse(w[SIM_CLIENT].initial, w[SIM_CLIENT].initial_len,
				      QL_LOCAL_CID_LEN, &h),
			 0);
	at = (size_t)(h.token - w[SIM_CLIENT].initial);
	/* altered */
	for (size_t i = 0; i < h.token_len; i += 5) {
		w[SIM_CLIENT].initial[at + i] ^= 1;
		expect_refusal(&p, &w[SIM_CLIENT].initial_path, w[SIM_CLIENT].initial,
			       w[SIM_CLIENT].initial_len);
		w[SIM_CLIENT].initial[at + i] ^= 1;
	}
	/* from another port, another address */
	path = w[SIM_CLIENT].initial_path;
	path.remote.port++;
	expect_refusal(&p, &path, w[SIM_CLIENT].initial, w[SIM_CLIENT].initial_len);
	path.remote.port--;
	path.remote.ip[15] ^= 1;
	expect_refusal(&p, &path, w[SIM_CLIENT].initial, w[SIM_CLIENT].initial_len);
	/* to another connection ID */
	w[SIM_CLIENT].initial[6 + 11] ^= 1;
	expect_refusal(&p, &w[SIM_CLIENT].initial_path, w[SIM_CLIENT].initial,
		       w[SIM_CLIENT].initial_len);
	w[SIM_CLIENT].initial[6 + 11] ^= 1;
	give_up(&p);

	/* too late */
	hold_initial(&p, w);
	memcpy(w[SIM_SERVER].initial, w[SIM_CLIENT].initial, sizeof(w[SIM_SERVER].initial));
	path = w[SIM_CLIENT].initial_path;
	at = w[SIM_CLIENT].initial_len;
	sim_run(p.sim, QL_TOKEN_RETRY_LIFE, NULL, NULL);
	expect_refusal(&p, &path, w[SIM_SERVER].initial, at);
	run_out(&p, 40 * SEC);
	finish(&p);
}
END_TEST

/* What the client makes of it: the end, at once. */
START_TEST(test_client_refused)
{
	struct ql_datagram out[4];
	struct ql_pkt_hdr h;
	struct watch w[2];
	struct sim_pair p;
	struct ql_path path;

	hold_initial(&p, w);
	ck_assert_int_eq(ql_pkt_parse(w[SIM_CLIENT].initial, w[SIM_CLIENT].initial_len,
				      QL_LOCAL_CID_LEN, &h),
			 0);
	w[SIM_CLIENT].initial[h.token - w[SIM_CLIENT].initial + 20] ^= 1;
	sim_inject(p.sim, SIM_SERVER, &w[SIM_CLIENT].initial_path, w[SIM_CLIENT].initial,
		   w[SIM_CLIENT].initial_len);
	ck_assert_uint_eq(sim_take(p.sim, SIM_SERVER, out, 4), 1);
	path = (struct ql_path){.local = out[0].path.remote, .remote = out[0].path.local};
	sim_inject(p.sim, SIM_CLIENT, &path, rte_pktmbuf_mtod(out[0].mbuf, void *),
		   out[0].mbuf->data_len);
	rte_pktmbuf_free(out[0].mbuf);
	run_out(&p, 10 * SEC);
	ck_assert_int_eq(p.app[SIM_CLIENT].close.cause, QL_CLOSE_PEER);
	ck_assert_uint_eq(p.app[SIM_CLIENT].close.error, QL_ERR_INVALID_TOKEN);
	ck_assert_int_eq(p.app[SIM_CLIENT].close.application, false);
	finish(&p);
}
END_TEST

/* A datagram that opened a connection opens no second one, once the first is over (8.1.4). */
START_TEST(test_token_reused)
{
	struct watch w[2];
	struct sim_pair p;
	struct ql_datagram out[4];

	hold_initial(&p, w);
	w[SIM_CLIENT].hold = false;
	run_out(&p, 40 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
	ck_assert_uint_lt(sim_now(p.sim), 10 * SEC);
	sim_inject(p.sim, SIM_SERVER, &w[SIM_CLIENT].initial_path, w[SIM_CLIENT].initial,
		   w[SIM_CLIENT].initial_len);
	ck_assert_uint_eq(drops(&p, SIM_SERVER, QL_DROP_TOKEN), 1);
	ck_assert_uint_eq(sim_take(p.sim, SIM_SERVER, out, 4), 0);
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).conns, 0);
	finish(&p);
}
END_TEST

/* An Initial that does not authenticate spends no token. */
START_TEST(test_token_not_spent)
{
	struct watch w[2];
	struct sim_pair p;

	hold_initial(&p, w);
	w[SIM_CLIENT].initial[w[SIM_CLIENT].initial_len - 1] ^= 1;
	sim_inject(p.sim, SIM_SERVER, &w[SIM_CLIENT].initial_path, w[SIM_CLIENT].initial,
		   w[SIM_CLIENT].initial_len);
	ck_assert_uint_eq(drops(&p, SIM_SERVER, QL_DROP_AUTH), 1);
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).conns, 0);
	w[SIM_CLIENT].hold = false;
	run_out(&p, 40 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
	finish(&p);
}
END_TEST

/* Refusals are bounded a turn, and a second. */
START_TEST(test_refusal_rate)
{
	struct ql_datagram out[QL_REPLIES + 1];
	unsigned int n = 0, k;
	struct ql_pkt_hdr h;
	struct watch w[2];
	struct sim_pair p;

	hold_initial(&p, w);
	ck_assert_int_eq(ql_pkt_parse(w[SIM_CLIENT].initial, w[SIM_CLIENT].initial_len,
				      QL_LOCAL_CID_LEN, &h),
			 0);
	w[SIM_CLIENT].initial[h.token - w[SIM_CLIENT].initial + 20] ^= 1;
	for (unsigned int turn = 0; turn < 10; turn++) {
		for (unsigned int i = 0; i < 100; i++)
			sim_inject(p.sim, SIM_SERVER, &w[SIM_CLIENT].initial_path,
				   w[SIM_CLIENT].initial, w[SIM_CLIENT].initial_len);
		k = sim_take(p.sim, SIM_SERVER, out, QL_REPLIES + 1);
		ck_assert_uint_le(k, QL_REPLIES);
		for (unsigned int i = 0; i < k; i++)
			rte_pktmbuf_free(out[i].mbuf);
		n += k;
	}
	ck_assert_uint_le(n, QL_REPLY_BURST);
	ck_assert_uint_gt(n, 0);
	ck_assert_uint_eq(drops(&p, SIM_SERVER, QL_DROP_TOKEN), 1000);
	give_up(&p);
}
END_TEST

/* By itself, when more handshakes than the threshold are under way. */
START_TEST(test_auto)
{
	struct sim_job job = {.streams = 1};
	struct ql_engine_config config[2] = {
		[SIM_SERVER] = {.socket_id = -1, .retry_handshakes = 5},
		[SIM_CLIENT] = {.socket_id = -1, .lcore_index = 1},
	};
	struct sim_pair p;

	for (unsigned int n = 4; n <= 20; n += 4) {
		sim_pair_open_with(&p, n, config, NULL, &job);
		for (unsigned int i = 0; i < n; i++)
			ck_assert_int_eq(sim_pair_connect(&p), 0);
		run_out(&p, 40 * SEC);
		ck_assert_uint_eq(p.app[SIM_CLIENT].complete, n);
		ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).retries, n > 6 ? n - 6 : 0);
		finish(&p);
	}
	/* The default: half of what there may be. */
	config[SIM_SERVER].retry_handshakes = 0;
	config[SIM_SERVER].limits.handshakes = 8;
	sim_pair_open_with(&p, 1, config, NULL, &job);
	for (unsigned int i = 0; i < 6; i++)
		ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 40 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 6);
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).retries, 1);
	finish(&p);
}
END_TEST

/* ---- Tokens of earlier connections ---- */

/* One connection, which leaves the client a token. */
static void first_connection(struct sim_pair *p, enum ql_retry mode, struct watch w[2])
{
	struct sim_job job = {.streams = 1};

	open_pair(p, 1, mode, &job);
	watch(p, w);
	p->app[SIM_CLIENT].use_token = true;
	ck_assert_int_eq(sim_pair_connect(p), 0);
	run_out(p, 40 * SEC);
	ck_assert_uint_eq(p->app[SIM_CLIENT].complete, 1);
	ck_assert_uint_eq(p->app[SIM_CLIENT].tokens, 1);
	ck_assert_uint_eq(p->app[SIM_CLIENT].token_len, QL_TOKEN_VERSION + QL_TOKEN_NEW_LEN);
	w[SIM_CLIENT].with_token = 0;
}

static void again(struct sim_pair *p, uint64_t retries)
{
	uint64_t before = sim_pair_stats(p, SIM_SERVER).retries;
	unsigned int complete = p->app[SIM_CLIENT].complete;

	ck_assert_int_eq(sim_pair_connect(p), 0);
	run_out(p, 40 * SEC);
	ck_assert_uint_eq(p->app[SIM_CLIENT].complete, complete + 1);
	ck_assert_uint_eq(sim_pair_stats(p, SIM_SERVER).retries, before + retries);
}

START_TEST(test_new_token)
{
	uint8_t used[QL_TOKEN_VERSION + QL_TOKEN_NEW_LEN], *token;
	struct ql_datagram out[4];
	struct watch w[2];
	struct sim_pair p;

	first_connection(&p, QL_RETRY_ALWAYS, w);
	token = p.app[SIM_CLIENT].token;
	memcpy(used, token, sizeof(used));
	again(&p, 0);
	ck_assert_uint_gt(w[SIM_CLIENT].with_token, 0);
	ck_assert_uint_eq(p.app[SIM_CLIENT].tokens, 2);
	ck_assert(memcmp(used, token, sizeof(used)) != 0);
	/* good for one connection */
	memcpy(token, used, sizeof(used));
	again(&p, 1);
	/* altered: as if it were none */
	token[30] ^= 1;
	again(&p, 1);
	/* not ours, of any length */
	for (unsigned int i = 0; i < 4; i++) {
		static const size_t lens[] = {1, QL_TOKEN_NEW_LEN, QL_TOKEN_RETRY_LEN, 200};

		memset(token + QL_TOKEN_VERSION, (int)i,
		       sizeof(p.app[SIM_CLIENT].token) - QL_TOKEN_VERSION);
		p.app[SIM_CLIENT].token_len = QL_TOKEN_VERSION + lens[i];
		again(&p, 1);
	}
	ck_assert_uint_eq(sim_take(p.sim, SIM_SERVER, out, 4), 0);
	/* expired */
	sim_run(p.sim, QL_TOKEN_NEW_LIFE + SEC, NULL, NULL);
	again(&p, 1);
	finish(&p);
}
END_TEST

/* Without Retry, a token lifts the limit on what is sent before the handshake is complete. */
START_TEST(test_validated)
{
	struct watch w[2];
	struct sim_pair p;

	for (unsigned int token = 0; token < 2; token++) {
		first_connection(&p, QL_RETRY_NEVER, w);
		p.app[SIM_CLIENT].use_token = token;
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		sim_run(p.sim, 12 * MS, NULL, NULL);
		for (uint32_t i = 0; i < sim_engine(p.sim, SIM_SERVER)->table.n_slots; i++) {
			const struct ql_engine_conn *ec =
				ql_conntable_at(&sim_engine(p.sim, SIM_SERVER)->table, i);

			if (ec)
				ck_assert_int_eq(ec->conn.peer_validated, token);
		}
		run_out(&p, 40 * SEC);
		ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 2);
		ck_assert_uint_eq(drops(&p, SIM_SERVER, QL_DROP_TOKEN), 0);
		finish(&p);
	}
}
END_TEST

/* With the same key a server that has started anew, or another one, takes them; else it does not.
 */
START_TEST(test_fleet)
{
	struct ql_engine_config config[2] = {
		[SIM_SERVER] = {.socket_id = -1,
				.retry = QL_RETRY_ALWAYS,
				.token_clock_ns = 5 * QL_PERIOD,
				.token_key = {7}},
		[SIM_CLIENT] = {.socket_id = -1, .lcore_index = 1},
	};
	struct sim_job job = {.streams = 1};
	struct sim_pair p;

	sim_pair_open_with(&p, 1, config, NULL, &job);
	p.app[SIM_CLIENT].use_token = true;
	again(&p, 1);
	sim_pair_restart(&p, &config[SIM_SERVER]);
	again(&p, 0);
	config[SIM_SERVER].token_key[0]++;
	sim_pair_restart(&p, &config[SIM_SERVER]);
	again(&p, 1);
	config[SIM_SERVER].token_clock_ns += 3 * QL_PERIOD;
	sim_pair_restart(&p, &config[SIM_SERVER]);
	again(&p, 1);
	memset(config[SIM_SERVER].token_key, 0, 32);
	for (unsigned int i = 0; i < 2; i++) {
		sim_pair_restart(&p, &config[SIM_SERVER]);
		again(&p, 1);
	}
	finish(&p);
}
END_TEST

START_TEST(test_set_token)
{
	struct sim_job job = {.streams = 1, .keep_open = true};
	uint8_t token[QL_TOKEN_MAX + 1] = {0, 0, 0, 1, 1};
	struct ql_conn *c;
	struct sim_pair p;

	open_pair(&p, 1, QL_RETRY_NEVER, &job);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	c = conn_of(&p, SIM_CLIENT);
	ck_assert_int_eq(ql_conn_set_token(c, token, QL_TOKEN_VERSION), -EINVAL);
	ck_assert_int_eq(ql_conn_set_token(c, token, QL_TOKEN_MAX + 1), -EINVAL);
	token[0] = 1;
	ck_assert_int_eq(ql_conn_set_token(c, token, 10), -EPROTONOSUPPORT);
	token[0] = 0;
	ql_mem_fail_at(&sim_engine(p.sim, SIM_CLIENT)->mem, 1);
	ck_assert_int_eq(ql_conn_set_token(c, token, 10), -ENOMEM);
	ck_assert_int_eq(ql_conn_set_token(c, token, QL_TOKEN_MAX), 0);
	ck_assert_int_eq(ql_conn_set_token(c, token, 10), -EISCONN);
	sim_run(p.sim, 100 * MS, NULL, NULL);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
	ck_assert_int_eq(ql_conn_set_token(c, token, 10), -EISCONN);
	ck_assert_int_eq(ql_conn_set_token(conn_of(&p, SIM_SERVER), token, 10), -EINVAL);
	ql_conn_close(c, 0, "");
	run_out(&p, 10 * SEC);
	finish(&p);

	/* the longest one, with a Retry behind it and on a bad link */
	open_pair(&p, 2, QL_RETRY_ALWAYS, &(struct sim_job){.streams = 1});
	sim_link(p.sim, SIM_CLIENT)->loss = SIM_MILLION / 5;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	ck_assert_int_eq(ql_conn_set_token(conn_of(&p, SIM_CLIENT), token, QL_TOKEN_MAX), 0);
	run_out(&p, 40 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
	finish(&p);
}
END_TEST

/* A client has no token to give. */
START_TEST(test_client_sends_token)
{
	struct sim_job job = {.streams = 1, .keep_open = true};
	struct sim_pair p;

	open_pair(&p, 1, QL_RETRY_NEVER, &job);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 100 * MS, NULL, NULL);
	send_frames(&p, SIM_CLIENT, QL_SPACE_APP, "\x07\x01x", 3);
	run_out(&p, 40 * SEC);
	ck_assert_int_eq(p.app[SIM_SERVER].close.cause, QL_CLOSE_LOCAL);
	ck_assert_uint_eq(p.app[SIM_SERVER].close.error, QL_ERR_PROTOCOL_VIOLATION);
	finish(&p);
}
END_TEST

/* ---- Amplification ---- */

/*
 * Datagrams of all kinds from an address where nobody answers: what comes back never is more than
 * three times what went there, at any time (8.1).
 */
START_TEST(test_amplification)
{
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct sim_job job = {.streams = 1};
		struct ql_datagram out[64];
		uint64_t in = 0, back = 0;
		struct ql_engine *server;
		uint8_t buf[1500];
		struct watch w[2];
		struct sim_pair p;
		struct ql_cid id;

		open_pair(&p, seed, seed % 3, &job);
		server = sim_engine(p.sim, SIM_SERVER);
		watch(&p, w);
		w[SIM_SERVER].lose_retries = 1000;
		for (unsigned int i = 0; i < 300; i++) {
			struct ql_path path = sim_path(p.sim, SIM_CLIENT, SIM_SERVER);
			uint64_t *r = sim_seed(p.sim);
			size_t len = 21 + sim_below(r, 1380);
			unsigned int n;

			path = (struct ql_path){.local = path.remote, .remote = path.local};
			path.remote.port = 1; /* one victim */
			for (size_t k = 0; k < len; k++)
				buf[k] = (uint8_t)sim_random(r);
			switch (sim_below(r, 5)) {
			case 0: /* an ID that the server made */
				buf[0] = 0x40;
				ql_local_cid_make(&server->host.cids, server->host.rng, 7, &id);
				memcpy(buf + 1, id.id, id.len);
				break;
			case 1: /* another version */
				buf[0] |= 0xc0;
				buf[5] = buf[14] = 8;
				break;
			case 2: /* an Initial, with a token perhaps */
				if (len < 300)
					len = 1200;
				buf[0] = 0xc0;
				ql_put_be32(buf + 1, QL_VERSION_1);
				buf[5] = buf[14] = 8;
				buf[23] = sim_below(r, 2) ? QL_TOKEN_RETRY_LEN : 0;
				ql_put_be16(buf + 24 + buf[23],
					    (uint16_t)(0x4000 | (len - 26u - buf[23])));
				break;
			case 3: /* a real one, whose sender will not answer */
				ck_assert_int_eq(sim_pair_connect(&p), 0);
				n = sim_take(p.sim, SIM_CLIENT, out, 1);
				ck_assert_uint_eq(n, 1);
				len = out[0].mbuf->data_len;
				memcpy(buf, rte_pktmbuf_mtod(out[0].mbuf, void *), len);
				rte_pktmbuf_free(out[0].mbuf);
				break;
			default:
				break;
			}
			sim_inject(p.sim, SIM_SERVER, &path, buf, len);
			in += len;
			while ((n = sim_take(p.sim, SIM_SERVER, out, 64)) > 0) {
				for (unsigned int k = 0; k < n; k++) {
					ck_assert(ql_addr_eq(&out[k].path.remote, &path.remote));
					back += out[k].mbuf->data_len;
					rte_pktmbuf_free(out[k].mbuf);
				}
			}
			ck_assert_msg(back <= 3 * in, "seed %u: %u for %u", (unsigned int)seed,
				      (unsigned int)back, (unsigned int)in);
		}
		ck_assert_uint_gt(back, 0);
		ck_assert_int_eq(sim_pair_close(&p), 0);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine/retry");
	TCase *tc = new_case(s, "retry");

	tcase_add_test(tc, test_handshake);
	tcase_add_test(tc, test_loss);
	tcase_add_test(tc, test_retry_lost);
	tcase_add_test(tc, test_forged);
	tcase_add_test(tc, test_injected);
	tcase_add_test(tc, test_twice);
	tcase_add_test(tc, test_parameters);
	tcase_add_test(tc, test_token_refused);
	tcase_add_test(tc, test_client_refused);
	tcase_add_test(tc, test_token_reused);
	tcase_add_test(tc, test_token_not_spent);
	tcase_add_test(tc, test_refusal_rate);
	tcase_add_test(tc, test_auto);
	tcase_add_test(tc, test_new_token);
	tcase_add_test(tc, test_validated);
	tcase_add_test(tc, test_fleet);
	tcase_add_test(tc, test_set_token);
	tcase_add_test(tc, test_client_sends_token);
	tcase_add_test(tc, test_amplification);
	return run_suite(s);
}
