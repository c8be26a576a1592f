// SPDX-License-Identifier: BSD-3-Clause
/*
 * Validation of paths, migration, preferred addresses (RFC 9000, sections 8.2, 9 and 21.5.3), by
 * what the packets on the wire hold.
 */
#include "conform.h"

#define DELAY (10 * MS) /* of either link */

/*
 * What is between the two: a NAT of the client's, which may have another mapping for the server's
 * preferred address, and who loses some datagrams.
 */
struct between {
	struct witness w; /* first: its filter's argument leads here */
	struct ql_addr inside, outside, to_preferred;
	struct ql_addr preferred;
	/* So many packets of a side with that frame are lost, if to or from `where`. */
	struct ql_addr where;
	unsigned int lose[2];
	unsigned int lose_frame;
};

static bool between(void *arg, struct ql_datagram *d, uint64_t now)
{
	struct witness_side *side = arg;
	struct between *b = (struct between *)side->w;
	unsigned int first = b->w.n;
	const struct noted *k;
	bool server = side->side == SIM_SERVER, pass = witness_filter(arg, d, now);

	k = &b->w.log[first];
	if (b->lose[side->side] > 0 && HAS(k, b->lose_frame) &&
	    (b->where.port == 0 || ql_addr_eq(&d->path.remote, &b->where) ||
	     ql_addr_eq(&d->path.local, &b->where))) {
		b->lose[side->side]--;
		pass = false;
	}
	for (unsigned int i = first; i < b->w.n; i++)
		b->w.log[i].passed = pass;
	if (server && (ql_addr_eq(&d->path.remote, &b->outside) ||
		       ql_addr_eq(&d->path.remote, &b->to_preferred)))
		d->path.remote = b->inside;
	else if (!server && ql_addr_eq(&d->path.local, &b->inside))
		d->path.local =
			ql_addr_eq(&d->path.remote, &b->preferred) ? b->to_preferred : b->outside;
	return pass;
}

static void between_start(struct between *b, struct sim_pair *p)
{
	const struct ql_conn *c = some_conn(p, SIM_CLIENT);

	memset(b, 0, sizeof(*b));
	witness_start(&b->w, p);
	b->inside = b->outside = b->to_preferred = ql_conn_path(c)->local;
	for (unsigned int i = 0; i < 2; i++)
		sim_link(p->sim, i)->filter = between;
}

/* The client's NAT gives it another address, and the client sends something small. */
static void rebind(struct between *b, struct sim_pair *p)
{
	struct ql_conn *c = conn_of(p, SIM_CLIENT);

	b->outside.ip[15] = (uint8_t)(b->outside.ip[15] + 50);
	c->ping = true;
	ql_conn_wake(c);
}

static struct ql_conn_path *path_of(struct sim_pair *p, unsigned int side,
				    const struct ql_addr *remote)
{
	struct ql_paths *paths = conn_of(p, side)->paths;

	for (unsigned int i = 0; paths && i < QL_CONN_PATHS; i++) {
		if (paths->e[i].used && ql_addr_eq(&paths->e[i].addr.remote, remote))
			return &paths->e[i];
	}
	return NULL;
}

/* The next packet with that frame, from or to that address. */
static unsigned int next(const struct witness *w, unsigned int from, unsigned int side,
			 uint64_t frame, const struct ql_addr *addr)
{
	for (; (from = find(w, from, side, QL_PKT_SHORT, frame)) < w->n; from++) {
		const struct ql_path *path = &w->log[from].path;

		if (ql_addr_eq(&path->local, addr) || ql_addr_eq(&path->remote, addr))
			break;
	}
	return from;
}

/* ---- PATH_CHALLENGE ---- */

/* A client moves: all datagrams with path frames are large, and all challenges differ. */
START_TEST(test_challenges)
{
	uint8_t seen[64][QL_PATH_DATA_LEN];
	unsigned int n = 0, of[2] = {0, 0};

	for (uint64_t seed = 1; seed <= 2; seed++) {
		struct sim_job job = {.keep_open = true};
		struct between b;
		struct sim_pair p;

		sim_pair_open(&p, seed, NULL, NULL, &job);
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		sim_run(p.sim, 500 * MS, NULL, NULL);
		for (unsigned int i = 0; i < 3; i++) {
			struct ql_addr to = ql_conn_path(conn_of(&p, SIM_CLIENT))->local;

			to.port++;
			between_start(&b, &p);
			b.lose[SIM_SERVER] = b.lose[SIM_CLIENT] = i;
			b.lose_frame = QL_FRAME_PATH_RESPONSE;
			ck_assert_int_eq(ql_conn_migrate(conn_of(&p, SIM_CLIENT), &to), 0);
			sim_run(p.sim, 4 * SEC, NULL, NULL);
			ck_assert_uint_eq(p.app[SIM_CLIENT].moved, i + 1);
			for (unsigned int k = 0; k < b.w.n; k++) {
				const struct noted *q = &b.w.log[k];

				if (HAS(q, QL_FRAME_PATH_RESPONSE))
					ck_assert_uint_ge(q->datagram_size, 1200);
				if (!HAS(q, QL_FRAME_PATH_CHALLENGE))
					continue;
				ck_assert_uint_ge(q->datagram_size, 1200);
				of[q->side]++;
				for (unsigned int j = 0; j < n; j++)
					ck_assert(memcmp(seen[j], q->challenge, QL_PATH_DATA_LEN) !=
						  0);
				ck_assert_uint_lt(n, 64);
				memcpy(seen[n++], q->challenge, QL_PATH_DATA_LEN);
			}
			witness_end(&b.w);
		}
		close_idle(&p);
	}
	ck_assert_uint_ge(of[SIM_CLIENT], 2 * (1 + 2 + 3));
	ck_assert_uint_ge(of[SIM_SERVER], 2 * (1 + 2 + 3));
}
END_TEST

/*
 * Too little has come from the new address for a large datagram: the path is validated with a small
 * one, and then once more with a large one.
 */
START_TEST(test_small_first)
{
	unsigned int small, answer, large;
	struct sim_pair p;
	struct between b;

	open_idle(&p);
	between_start(&b, &p);
	rebind(&b, &p);
	sim_run(p.sim, 25 * MS, NULL, NULL); /* the challenge is on its way, no more */
	ck_assert_ptr_nonnull(path_of(&p, SIM_SERVER, &b.outside));
	sim_run(p.sim, 15 * MS, NULL, NULL); /* and has been answered */
	ck_assert(path_of(&p, SIM_SERVER, &b.outside)->validated);
	ck_assert(!path_of(&p, SIM_SERVER, &b.outside)->full);
	sim_run(p.sim, 25 * MS, NULL, NULL);
	ck_assert(path_of(&p, SIM_SERVER, &b.outside)->full);

	small = next(&b.w, 0, SIM_SERVER, QL_FRAME_PATH_CHALLENGE, &b.outside);
	answer = find(&b.w, small, SIM_CLIENT, QL_PKT_SHORT, QL_FRAME_PATH_RESPONSE);
	large = next(&b.w, small + 1, SIM_SERVER, QL_FRAME_PATH_CHALLENGE, &b.outside);
	ck_assert_uint_lt(large, b.w.n);
	ck_assert_uint_lt(b.w.log[small].datagram_size, 200);
	ck_assert_uint_lt(answer, large);
	ck_assert_uint_ge(b.w.log[large].datagram_size, 1200);
	ck_assert_uint_eq(next(&b.w, large + 1, SIM_SERVER, QL_FRAME_PATH_CHALLENGE, &b.outside),
			  b.w.n);
	witness_end(&b.w);
	close_idle(&p);
}
END_TEST

/* An answer counts by whatever path it comes (8.2.2, 9.3.3). */
START_TEST(test_answer_elsewhere)
{
	uint8_t response[1 + QL_PATH_DATA_LEN] = {QL_FRAME_PATH_RESPONSE};
	unsigned int k;
	struct sim_pair p;
	struct between b;

	open_idle(&p);
	between_start(&b, &p);
	b.lose[SIM_CLIENT] = 1000;
	b.lose_frame = QL_FRAME_PATH_RESPONSE;
	rebind(&b, &p);
	sim_run(p.sim, 50 * MS, NULL, NULL);
	ck_assert(ql_addr_eq(&ql_conn_path(conn_of(&p, SIM_SERVER))->remote, &b.outside));
	ck_assert(!conn_of(&p, SIM_SERVER)->peer_validated);
	k = next(&b.w, 0, SIM_SERVER, QL_FRAME_PATH_CHALLENGE, &b.outside);
	ck_assert_uint_lt(k, b.w.n);
	memcpy(response + 1, b.w.log[k].challenge, QL_PATH_DATA_LEN);
	/* one bit off; then right */
	response[8] ^= 1;
	send_frames(&p, SIM_CLIENT, QL_SPACE_APP, response, sizeof(response));
	ck_assert(!conn_of(&p, SIM_SERVER)->peer_validated);
	response[8] ^= 1;
	send_frames(&p, SIM_CLIENT, QL_SPACE_APP, response, sizeof(response));
	ck_assert(conn_of(&p, SIM_SERVER)->peer_validated);
	ck_assert(ql_addr_eq(&ql_conn_path(conn_of(&p, SIM_SERVER))->remote, &b.outside));
	b.lose[SIM_CLIENT] = 0;
	sim_run(p.sim, 4 * SEC, NULL, NULL);
	ck_assert(ql_addr_eq(&ql_conn_path(conn_of(&p, SIM_SERVER))->remote, &b.outside));
	witness_end(&b.w);
	close_idle(&p);
}
END_TEST

/* Challenges are repeated after a PTO, and then after twice as long each time (9.4). */
START_TEST(test_challenge_timer)
{
	uint64_t last = 0, least;
	unsigned int n = 0;
	struct sim_pair p;
	struct between b;

	open_idle(&p);
	least = ql_conn_pto(conn_of(&p, SIM_SERVER));
	ck_assert_uint_ge(least, 2 * DELAY);
	between_start(&b, &p);
	b.lose[SIM_CLIENT] = 1000;
	b.lose_frame = QL_FRAME_PATH_RESPONSE;
	rebind(&b, &p);
	sim_run(p.sim, 2 * SEC, NULL, NULL);
	for (unsigned int i = 0;
	     (i = next(&b.w, i, SIM_SERVER, QL_FRAME_PATH_CHALLENGE, &b.outside)) < b.w.n; i++) {
		uint64_t now = b.w.log[i].time;

		if (n++ > 0) {
			ck_assert_uint_ge(now - last, least);
			least *= 2;
		}
		last = now;
	}
	ck_assert_uint_ge(n, 4);
	b.lose[SIM_CLIENT] = 0;
	witness_end(&b.w);
	ql_conn_close(conn_of(&p, SIM_CLIENT), 11, "done");
	run_out(&p, 40 * SEC);
	finish(&p);
}
END_TEST

/*
 * The client has moved, nothing answers at its new address, and there is no connection ID left for
 * the old one: the server forgets the connection and says nothing (9.3.2).
 */
START_TEST(test_nowhere)
{
	struct ql_peer_cids *cids;
	struct ql_addr old, to;
	struct sim_pair p;
	struct between b;
	uint64_t closes = 0;

	open_idle(&p);
	old = ql_conn_path(conn_of(&p, SIM_CLIENT))->local;
	to = old;
	to.ip[15] = (uint8_t)(to.ip[15] + 100);
	sim_add_addr(p.sim, SIM_CLIENT, &to);
	between_start(&b, &p);
	ck_assert_int_eq(ql_conn_migrate(conn_of(&p, SIM_CLIENT), &to), 0);
	b.lose[SIM_CLIENT] = 1000;
	b.lose_frame = QL_FRAME_PATH_RESPONSE;
	sim_run(p.sim, 200 * MS, NULL, NULL);
	ck_assert(ql_addr_eq(&ql_conn_path(conn_of(&p, SIM_SERVER))->remote, &to));
	ck_assert(!conn_of(&p, SIM_SERVER)->peer_validated);
	cids = &conn_of(&p, SIM_SERVER)->peer_cids;
	for (unsigned int i = 0; i < QL_PEER_CIDS; i++)
		cids->e[i].used = i == cids->current;
	sim_run(p.sim, 6 * SEC, NULL, NULL);
	ck_assert_uint_eq(p.app[SIM_SERVER].closed, 1);
	ck_assert_int_eq(p.app[SIM_SERVER].close.cause, QL_CLOSE_PATH);
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).conns, 0);
	for (unsigned int i = 0; i < b.w.n; i++)
		closes += b.w.log[i].side == SIM_SERVER && HAS(&b.w.log[i], 0x1c);
	ck_assert_uint_eq(closes, 0);
	witness_end(&b.w);
	run_out(&p, 60 * SEC);
	finish(&p);
}
END_TEST

/* ---- A server's preferred address ---- */

/* When side's first packet with this frame at this address could have arrived; QL_NEVER. */
static uint64_t arrival(const struct witness *w, unsigned int side, uint64_t frame,
			const struct ql_addr *addr)
{
	for (unsigned int i = 0; (i = next(w, i, side, frame, addr)) < w->n; i++) {
		if (w->log[i].passed)
			return w->log[i].time + DELAY;
	}
	return QL_NEVER;
}

static uint64_t arrival_no_probe(const struct witness *w, unsigned int side,
				 const struct ql_addr *addr)
{
	for (unsigned int i = 0; i < w->n; i++) {
		const struct noted *k = &w->log[i];

		if (k->side == side && k->passed && !only_probes(k) &&
		    (ql_addr_eq(&k->path.local, addr) || ql_addr_eq(&k->path.remote, addr)))
			return k->time + DELAY;
	}
	return QL_NEVER;
}

/* Both sides of a transfer with a preferred address, from the client's first packet on. */
static void open_preferred(struct sim_pair *p, struct between *b, const struct sim_job *job)
{
	struct ql_addr preferred = {.ip = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 77}, .port = 4433};
	struct ql_transport t = {.preferred_ip4 = preferred, .use_preferred = true};

	sim_pair_open(p, 1, NULL, &t, job);
	sim_add_addr(p->sim, SIM_SERVER, &preferred);
	for (unsigned int i = 0; i < 2; i++) /* slow enough for all to happen while it runs */
		sim_link(p->sim, i)->rate = 100 * MB;
	ck_assert_int_eq(sim_pair_connect(p), 0);
	between_start(b, p);
	b->preferred = b->where = preferred;
}

/*
 * Neither side sends more than probes there before it may: a client before the address is
 * validated; a server before the client has, and before it has validated the client there.
 */
START_TEST(test_preferred_probes)
{
	struct sim_job job = {.streams = 2, .download = 4 * MB, .upload = 4 * MB};
	enum { NOTHING, ANSWERS, RESPONSES, CASES };

	for (unsigned int what = 0; what < CASES; what++) {
		uint64_t validated, asked, moved, told, packets[2] = {0, 0};
		struct sim_pair p;
		struct between b;

		open_preferred(&p, &b, &job);
		b.lose_frame = QL_FRAME_PATH_RESPONSE;
		/* of the client: the server cannot validate it. Of the server: the other way. */
		b.lose[SIM_CLIENT] = what == ANSWERS ? 2 : 0;
		b.lose[SIM_SERVER] = what == RESPONSES ? 2 : 0;
		run_out(&p, 60 * SEC);
		ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 2);
		ck_assert_uint_eq(p.app[SIM_CLIENT].moved, 1);
		ck_assert_uint_eq(p.app[SIM_SERVER].moved, 1);

		asked = arrival(&b.w, SIM_SERVER, QL_FRAME_PATH_CHALLENGE, &b.preferred);
		validated = arrival(&b.w, SIM_SERVER, QL_FRAME_PATH_RESPONSE, &b.preferred);
		told = arrival(&b.w, SIM_CLIENT, QL_FRAME_PATH_RESPONSE, &b.preferred);
		moved = arrival_no_probe(&b.w, SIM_CLIENT, &b.preferred);
		ck_assert(asked != QL_NEVER && validated != QL_NEVER && told != QL_NEVER &&
			  moved != QL_NEVER);
		for (unsigned int i = 0; i < b.w.n; i++) {
			const struct noted *k = &b.w.log[i];
			bool there =
				ql_addr_eq(k->side == SIM_SERVER ? &k->path.local : &k->path.remote,
					   &b.preferred);

			if (!there || only_probes(k))
				continue;
			packets[k->side]++;
			if (k->side == SIM_CLIENT)
				ck_assert_uint_ge(k->time, validated);
			else
				ck_assert(k->time >= told && k->time >= moved);
		}
		/* which says something only if there was much to send */
		ck_assert_uint_gt(packets[SIM_CLIENT], 1000);
		ck_assert_uint_gt(packets[SIM_SERVER], 1000);
		witness_end(&b.w);
		finish(&p);
	}
}
END_TEST

/*
 * At its preferred address the server sees its client come from another address than in the
 * handshake, and whoever is there does not answer: it gets no more than three times what it sent,
 * and the server stays where it was (9.6.3).
 */
START_TEST(test_preferred_stranger)
{
	for (unsigned int answers = 0; answers < 2; answers++) {
		struct sim_job job = {.streams = 1, .download = 4 * MB};
		uint64_t in = 0, out = 0;
		struct sim_pair p;
		struct between b;

		open_preferred(&p, &b, &job);
		b.to_preferred.ip[15] = (uint8_t)(b.to_preferred.ip[15] + 50);
		b.lose_frame = QL_FRAME_PATH_RESPONSE;
		b.lose[SIM_CLIENT] = answers ? 0 : 1000;
		sim_run(p.sim, 80 * MS, NULL, NULL);
		for (unsigned int i = 0; i < 3000 && p.app[SIM_CLIENT].complete == 0; i++)
			sim_run(p.sim, 1 * MS, NULL, NULL);
		ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
		ck_assert_uint_eq(p.app[SIM_SERVER].moved, answers);
		for (unsigned int i = 0; i < b.w.n; i++) {
			const struct noted *k = &b.w.log[i];

			if (k->side == SIM_CLIENT && ql_addr_eq(&k->path.remote, &b.preferred) &&
			    k->passed)
				in += k->datagram_size;
			if (k->side == SIM_SERVER && ql_addr_eq(&k->path.remote, &b.to_preferred))
				out += k->datagram_size;
			ck_assert(answers || out <= 3 * in);
		}
		ck_assert_uint_lt(
			next(&b.w, 0, SIM_SERVER, QL_FRAME_PATH_CHALLENGE, &b.to_preferred), b.w.n);
		ck_assert(in > 0 && out > (answers ? 1 * MB : 0));
		witness_end(&b.w);
		run_out(&p, 60 * SEC);
		finish(&p);
	}
}
END_TEST

/* An address of the client's own machine is no preferred address of a server's elsewhere (21.5.6).
 */
START_TEST(test_preferred_loopback)
{
	struct ql_transport t = {
		.preferred_ip4 = {.ip = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 9}, .port = 80},
		.use_preferred = true,
	};
	struct sim_job job = {.streams = 1, .download = 100 * KB};
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, &t, &job);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 60 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
	ck_assert_uint_eq(sim_link_stats(p.sim, SIM_CLIENT)->unroutable, 0);
	finish(&p);
}
END_TEST

/* A client that has moved gets a token for where it is now (9.3), which serves there. */
START_TEST(test_token_behind_move)
{
	struct sim_pair p;
	struct between b;

	open_idle(&p);
	ck_assert_uint_eq(p.app[SIM_CLIENT].tokens, 1);
	between_start(&b, &p);
	rebind(&b, &p);
	sim_run(p.sim, 500 * MS, NULL, NULL);
	ck_assert(ql_addr_eq(&ql_conn_path(conn_of(&p, SIM_SERVER))->remote, &b.outside));
	ck_assert_uint_eq(p.app[SIM_CLIENT].tokens, 2);
	/* another port is no other place */
	b.outside.port++;
	conn_of(&p, SIM_CLIENT)->ping = true;
	ql_conn_wake(conn_of(&p, SIM_CLIENT));
	sim_run(p.sim, 500 * MS, NULL, NULL);
	ck_assert(ql_addr_eq(&ql_conn_path(conn_of(&p, SIM_SERVER))->remote, &b.outside));
	ck_assert_uint_eq(p.app[SIM_CLIENT].tokens, 2);
	witness_end(&b.w);
	close_idle(&p);
}
END_TEST

/* The next connection, even by the same client, begins at the server's own address (9.6.2). */
START_TEST(test_preferred_once)
{
	struct sim_job job = {.streams = 1, .download = 100 * KB};
	struct ql_addr own;
	struct sim_pair p;
	struct between b;

	open_preferred(&p, &b, &job);
	own = ql_conn_path(some_conn(&p, SIM_CLIENT))->remote;
	p.app[SIM_CLIENT].use_token = true;
	run_out(&p, 60 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].moved, 1);
	b.w.n = 0;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 60 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 2);
	ck_assert_int_eq(b.w.log[0].side, SIM_CLIENT);
	ck_assert_int_eq(b.w.log[0].type, QL_PKT_INITIAL);
	ck_assert_uint_gt(b.w.log[0].token_len, 0);
	for (unsigned int i = 0; i < b.w.n; i++) {
		if (b.w.log[i].type == QL_PKT_INITIAL && b.w.log[i].side == SIM_CLIENT)
			ck_assert(ql_addr_eq(&b.w.log[i].path.remote, &own));
	}
	witness_end(&b.w);
	finish(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conformance/path");
	TCase *tc = new_case(s, "path");

	tcase_add_test(tc, test_challenges);
	tcase_add_test(tc, test_small_first);
	tcase_add_test(tc, test_answer_elsewhere);
	tcase_add_test(tc, test_challenge_timer);
	tcase_add_test(tc, test_nowhere);
	tcase_add_test(tc, test_preferred_probes);
	tcase_add_test(tc, test_preferred_stranger);
	tcase_add_test(tc, test_preferred_loopback);
	tcase_add_test(tc, test_token_behind_move);
	tcase_add_test(tc, test_preferred_once);
	return run_suite(s);
}
