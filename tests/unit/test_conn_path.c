// SPDX-License-Identifier: BSD-3-Clause
/*
 * Paths: a NAT that changes its mind, clients that move, and those who only pretend (RFC 9000, 8.2
 * and 9).
 */
#include "test_engine_util.h"

#include <rte_mbuf.h>

#define SLOW (4 * SEC) /* longer than any validation takes */

/* A NAT in front of the client: what the server sees of it. */
struct nat {
	struct sim_pair *p;
	struct ql_addr inside, outside;
	bool deaf;		      /* nothing gets to outside */
	unsigned int lose;	      /* so many datagrams to outside are lost */
	uint64_t out_bytes, in_bytes; /* from and to outside, since it is that */
	/* An attacker who is faster: the next datagram comes from there first. */
	struct ql_addr attacker;
	unsigned int forward;
	uint64_t attacked; /* bytes to the attacker */
};

static bool nat_out(void *arg, struct ql_datagram *d, uint64_t now UNUSED)
{
	struct nat *nat = arg;

	if (!ql_addr_eq(&d->path.local, &nat->inside))
		return true;
	d->path.local = nat->outside;
	nat->out_bytes += d->mbuf->data_len;
	if (nat->forward > 0) {
		struct ql_path path = {.local = d->path.remote, .remote = nat->attacker};

		nat->forward--;
		sim_inject(nat->p->sim, SIM_SERVER, &path, rte_pktmbuf_mtod(d->mbuf, void *),
			   d->mbuf->data_len);
	}
	return true;
}

static bool nat_in(void *arg, struct ql_datagram *d, uint64_t now UNUSED)
{
	struct nat *nat = arg;

	if (nat->attacker.port && ql_addr_eq(&d->path.remote, &nat->attacker)) {
		nat->attacked += d->mbuf->data_len;
		return false;
	}
	if (!ql_addr_eq(&d->path.remote, &nat->outside))
		return !ql_addr_eq(&d->path.remote, &nat->inside) &&
		       d->path.remote.ip[15] != nat->outside.ip[15];
	nat->in_bytes += d->mbuf->data_len;
	if (nat->deaf)
		return false;
	if (nat->lose > 0) {
		nat->lose--;
		return false;
	}
	d->path.remote = nat->inside;
	return true;
}

/* Between the two, mapping nothing yet. The client is connected already. */
static void nat_open(struct nat *nat, struct sim_pair *p)
{
	*nat = (struct nat){.p = p};
	nat->inside = nat->outside = ql_conn_path(conn_of(p, SIM_CLIENT))->local;
	sim_link(p->sim, SIM_CLIENT)->filter = nat_out;
	sim_link(p->sim, SIM_SERVER)->filter = nat_in;
	sim_link(p->sim, SIM_CLIENT)->arg = sim_link(p->sim, SIM_SERVER)->arg = nat;
}

static void rebind(struct nat *nat, bool address)
{
	nat->outside.port++;
	nat->outside.ip[15] = (uint8_t)(nat->outside.ip[15] + (address ? 50 : 0));
	nat->in_bytes = nat->out_bytes = 0;
}

static void open_pair(struct sim_pair *p, const struct sim_job *job,
		      const struct ql_transport *transport, uint64_t seed)
{
	static const struct sim_job idle = {.keep_open = true};

	sim_pair_open(p, seed, NULL, transport, job ? job : &idle);
	ck_assert_int_eq(sim_pair_connect(p), 0);
	sim_run(p->sim, job ? 60 * MS : 500 * MS, NULL, NULL);
	ck_assert_uint_eq(p->app[SIM_CLIENT].connected, 1);
	ck_assert_uint_eq(p->app[SIM_SERVER].connected, 1);
}

static void close_pair(struct sim_pair *p)
{
	if (p->app[SIM_CLIENT].conn)
		ql_conn_close(p->app[SIM_CLIENT].conn, 11, "done");
	run_out(p, 100 * SEC);
	ck_assert_int_eq(p->app[SIM_SERVER].close.cause, QL_CLOSE_PEER);
	finish(p);
}

static void check_job(struct sim_pair *p, const struct sim_job *job)
{
	run_out(p, 200 * SEC);
	ck_assert_uint_eq(p->app[SIM_CLIENT].complete, job->streams);
	ck_assert_uint_eq(p->app[SIM_CLIENT].received, job->streams * job->download);
	ck_assert_uint_eq(p->app[SIM_SERVER].received, job->streams * job->upload);
	/* A lost CONNECTION_CLOSE leaves the server to its idle time-out. */
	if (sim_link(p->sim, SIM_CLIENT)->loss == 0)
		ck_assert_int_eq(p->app[SIM_SERVER].close.cause, QL_CLOSE_PEER);
	finish(p);
}

static bool server_sees(const struct sim_pair *p, const struct ql_addr *addr)
{
	return ql_addr_eq(&ql_conn_path(conn_of(p, SIM_SERVER))->remote, addr);
}

/* ---- NAT rebinding ---- */

static bool confirmed(void *pair)
{
	const struct sim_pair *p = pair;

	for (unsigned int side = 0; side < 2; side++) {
		if (!p->app[side].conn || p->app[side].conn->state != QL_CONN_CONFIRMED)
			return false;
	}
	return true;
}

/* Ten times a transfer, at random moments; every byte comes. */
START_TEST(test_rebinding)
{
	static const struct sim_job jobs[] = {
		{.streams = 2, .download = 8 * MB},
		{.streams = 2, .upload = 8 * MB},
		{.streams = 3, .download = 3 * MB, .upload = 3 * MB},
	};
	struct sim_link link = {.rate = 50 * MB, .delay = 5 * MS, .queue = 100};

	for (unsigned int seed = 0; seed < 12; seed++) {
		const struct sim_job *job = &jobs[seed % 3];
		bool address = seed % 2;
		struct sim_pair p;
		struct nat nat;
		/* Nobody knows of a rebinding before the client sends something. */
		struct ql_transport t = {.keep_alive_ns = 200 * MS};

		sim_pair_open(&p, seed, NULL, &t, job);
		link.loss = seed >= 6 ? SIM_MILLION / 100 : 0;
		sim_pair_link(&p, &link);
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		ck_assert(sim_run(p.sim, 9 * SEC, confirmed, &p));
		nat_open(&nat, &p);
		for (unsigned int i = 0; i < 10; i++) {
			sim_run(p.sim, (20 + sim_below(sim_seed(p.sim), 180)) * MS, NULL, NULL);
			if (!p.app[SIM_CLIENT].conn || !p.app[SIM_SERVER].conn)
				break;
			rebind(&nat, address);
		}
		ck_assert_uint_ge(p.app[SIM_SERVER].moved, 3);
		ck_assert_uint_eq(p.app[SIM_CLIENT].moved, 0);
		check_job(&p, job);
	}
}
END_TEST

/* What is known of the path stays when only the port changes, and goes with the address (9.4). */
START_TEST(test_reset)
{
	for (unsigned int address = 0; address < 2; address++) {
		struct sim_job job = {.streams = 1, .download = 100 * MB};
		struct ql_conn_stats before, after;
		struct sim_pair p;
		struct nat nat;

		open_pair(&p, &job, NULL, 1);
		nat_open(&nat, &p);
		sim_run(p.sim, 150 * MS, NULL, NULL);
		ql_conn_stats(conn_of(&p, SIM_SERVER), &before);
		ck_assert_uint_gt(before.cwnd, 100 * KB);
		rebind(&nat, address);
		for (unsigned int i = 0; i < 100 && !server_sees(&p, &nat.outside); i++)
			sim_run(p.sim, 1 * MS, NULL, NULL);
		ck_assert(server_sees(&p, &nat.outside));
		ql_conn_stats(conn_of(&p, SIM_SERVER), &after);
		if (address) {
			ck_assert_uint_eq(after.cwnd, ql_cc_initial_window(1200));
			ck_assert_uint_eq(after.rtt_ns, QL_RTT_INITIAL);
			ck_assert_uint_le(after.in_flight, 3 * nat.out_bytes);
		} else {
			ck_assert_uint_ge(after.cwnd, before.cwnd);
			ck_assert_uint_lt(after.rtt_ns, 150 * MS);
		}
		/* Known again, by packets of the new path alone. */
		sim_run(p.sim, 300 * MS, NULL, NULL);
		ql_conn_stats(conn_of(&p, SIM_SERVER), &after);
		ck_assert_uint_ge(after.rtt_min_ns, 20 * MS);
		ck_assert_uint_lt(after.rtt_ns, QL_RTT_INITIAL / 2);
		ck_assert(conn_of(&p, SIM_SERVER)->peer_validated);
		check_job(&p, &job);
	}
}
END_TEST

/* Challenges get lost, the path is found all the same. */
START_TEST(test_lost_challenges)
{
	struct sim_pair p;
	struct nat nat;

	for (unsigned int lost = 1; lost < 5; lost++) {
		open_pair(&p, NULL, NULL, lost);
		nat_open(&nat, &p);
		rebind(&nat, true);
		nat.lose = lost;
		conn_of(&p, SIM_CLIENT)->ping = true;
		ql_conn_wake(conn_of(&p, SIM_CLIENT));
		sim_run(p.sim, 1500 * MS, NULL, NULL);
		ck_assert(server_sees(&p, &nat.outside));
		ck_assert(conn_of(&p, SIM_SERVER)->peer_validated);
		ck_assert_uint_eq(nat.lose, 0);
		close_pair(&p);
	}
}
END_TEST

/* The new address does not answer: little is sent there, and the old one is used again. */
START_TEST(test_revert)
{
	struct sim_job job = {.streams = 1, .download = 20 * MB};
	struct sim_pair p;
	struct ql_addr first;
	struct nat nat;

	open_pair(&p, &job, NULL, 1);
	nat_open(&nat, &p);
	first = nat.inside;
	nat.attacker = first;
	nat.attacker.ip[15] = 200;
	sim_run(p.sim, 100 * MS, NULL, NULL);
	/* One datagram with a false address, and the client falls silent. */
	nat.outside = nat.attacker;
	nat.out_bytes = 0;
	for (unsigned int i = 0; i < 100 && !server_sees(&p, &nat.attacker); i++) {
		sim_run(p.sim, 1 * MS, NULL, NULL);
		if (nat.out_bytes > 0)
			sim_link(p.sim, SIM_CLIENT)->loss = SIM_MILLION;
	}
	ck_assert(server_sees(&p, &nat.attacker));
	ck_assert(!conn_of(&p, SIM_SERVER)->peer_validated);
	sim_run(p.sim, SLOW, NULL, NULL);
	ck_assert_uint_gt(nat.attacked, 0);
	ck_assert_uint_le(nat.attacked, 3 * nat.out_bytes);
	ck_assert(server_sees(&p, &first));
	ck_assert(conn_of(&p, SIM_SERVER)->peer_validated);
	ck_assert_uint_eq(p.app[SIM_SERVER].moved, 2);
	nat.outside = first;
	sim_link(p.sim, SIM_CLIENT)->loss = 0;
	check_job(&p, &job);
}
END_TEST

/* Somebody forwards the client's packets from another address, and is faster (9.3.3). */
START_TEST(test_forwarded)
{
	struct sim_job job = {.streams = 1, .download = 20 * MB, .upload = 20 * MB};
	struct sim_link link = {.rate = 100 * MB, .delay = 10 * MS, .wait = 5 * MS};
	struct sim_pair p;
	struct nat nat;

	open_pair(&p, &job, NULL, 1);
	sim_pair_link(&p, &link);
	nat_open(&nat, &p);
	nat.attacker = nat.inside;
	nat.attacker.ip[15] = 200;
	for (unsigned int i = 0; i < 10; i++) {
		uint64_t moved = p.app[SIM_SERVER].moved;

		sim_run(p.sim, 40 * MS, NULL, NULL);
		nat.forward = 1 + i % 3;
		sim_run(p.sim, 60 * MS, NULL, NULL);
		ck_assert_uint_ge(p.app[SIM_SERVER].moved, moved + 2);
		ck_assert(server_sees(&p, &nat.inside));
		ck_assert(conn_of(&p, SIM_SERVER)->peer_validated);
	}
	ck_assert_uint_eq(p.app[SIM_CLIENT].moved, 0);
	check_job(&p, &job);
}
END_TEST

/* ---- What changes nothing ---- */

START_TEST(test_forged)
{
	uint8_t good[2048], buf[2048];
	struct ql_path path, other;
	struct sim_pair p;
	uint64_t memory;
	size_t n;

	open_pair(&p, NULL, NULL, 1);
	memory = sim_pair_stats(&p, SIM_SERVER).memory_used;
	other = path = path_to(&p, SIM_CLIENT);
	other.remote.ip[15] = 200;
	n = make_packet(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1, 0, good);
	for (size_t bit = 8 * (1 + QL_LOCAL_CID_LEN); bit < 8 * n; bit++) {
		memcpy(buf, good, n);
		buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
		sim_inject(p.sim, SIM_SERVER, &other, buf, n);
	}
	/* The true one, twice: the second time from elsewhere. */
	memcpy(buf, good, n);
	sim_inject(p.sim, SIM_SERVER, &path, good, n);
	sim_inject(p.sim, SIM_SERVER, &other, buf, n);
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).drops[QL_DROP_DUPLICATE], 1);
	/* One that was overtaken. */
	n = make_packet(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1, 0, good);
	send_frames(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1);
	sim_inject(p.sim, SIM_SERVER, &other, good, n);
	ck_assert(ql_path_eq(ql_conn_path(conn_of(&p, SIM_SERVER)), &path));
	ck_assert_ptr_null(conn_of(&p, SIM_SERVER)->paths);
	ck_assert_uint_le(sim_pair_stats(&p, SIM_SERVER).memory_used, memory + 1024);
	close_pair(&p);
}
END_TEST

/* Count the bytes that a side would send to an address. */
static uint64_t bytes_to(struct sim_pair *p, unsigned int side, const struct ql_addr *addr)
{
	struct ql_datagram out[64];
	unsigned int n = sim_take(p->sim, side, out, 64);
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < n; i++) {
		if (ql_addr_eq(&out[i].path.remote, addr))
			bytes += out[i].mbuf->data_len;
		rte_pktmbuf_free(out[i].mbuf);
	}
	return bytes;
}

/* Probes from another address are answered there, and nothing moves (9.1). */
START_TEST(test_probes)
{
	static const uint8_t frame[] = {0x1a, 9, 8, 7, 6, 5, 4, 3, 2, 0, 0, 0, 0};
	uint64_t in = 0, out = 0;
	struct ql_path path, other;
	struct sim_pair p;
	uint8_t buf[2048];
	size_t n;

	open_pair(&p, NULL, NULL, 1);
	other = path = path_to(&p, SIM_CLIENT);
	other.remote.ip[15] = 200;
	/* A flood, without padding: never more than three times of it. */
	for (unsigned int i = 0; i < 500; i++) {
		n = make_packet(&p, SIM_CLIENT, QL_SPACE_APP, frame, sizeof(frame), 0, buf);
		sim_inject(p.sim, SIM_SERVER, &other, buf, n);
		in += n;
		if (i % 7 == 0)
			out += bytes_to(&p, SIM_SERVER, &other.remote);
		ck_assert_uint_le(out, 3 * in);
	}
	ck_assert_uint_gt(out, 0);
	ck_assert(ql_path_eq(ql_conn_path(conn_of(&p, SIM_SERVER)), &path));
	ck_assert_ptr_nonnull(conn_of(&p, SIM_SERVER)->paths);
	ck_assert_uint_eq(p.app[SIM_SERVER].moved, 0);
	/* Many addresses: no more memory than for the few that are kept. */
	for (unsigned int i = 0; i < 500; i++) {
		other.remote.port = (uint16_t)(i + 1);
		n = make_packet(&p, SIM_CLIENT, QL_SPACE_APP, frame, sizeof(frame), 0, buf);
		sim_inject(p.sim, SIM_SERVER, &other, buf, n);
	}
	sim_run(p.sim, 2 * SLOW, NULL, NULL);
	/* They are forgotten. */
	for (unsigned int i = 0; i < QL_CONN_PATHS; i++) {
		const struct ql_paths *paths = conn_of(&p, SIM_SERVER)->paths;

		ck_assert(paths->e[i].used == (&paths->e[i] == paths->active));
	}
	ck_assert_uint_eq(conn_of(&p, SIM_SERVER)->path_deadline, QL_NEVER);
	close_pair(&p);
}
END_TEST

/* ---- A client moves ---- */

static struct ql_addr other_addr(struct sim_pair *p, unsigned int node, bool address)
{
	const struct ql_path *path = ql_conn_path(conn_of(p, node));
	struct ql_addr addr = path->local;

	addr.port++;
	if (address) {
		addr.ip[15] = (uint8_t)(addr.ip[15] + 100);
		sim_add_addr(p->sim, node, &addr);
	}
	return addr;
}

START_TEST(test_migrate)
{
	for (unsigned int i = 0; i < 8; i++) {
		struct sim_job job = {.streams = 2,
				      .download = i & 2 ? 10 * MB : 0,
				      .upload = i & 2 ? 0 : 10 * MB};
		bool address = i & 1;
		struct ql_conn_stats stats;
		struct ql_addr to, back;
		struct sim_pair p;
		uint64_t cid;

		open_pair(&p, &job, NULL, i);
		sim_link(p.sim, SIM_CLIENT)->loss = i & 4 ? SIM_MILLION / 50 : 0;
		sim_run(p.sim, 60 * MS, NULL, NULL);
		back = ql_conn_path(conn_of(&p, SIM_CLIENT))->local;
		to = other_addr(&p, SIM_CLIENT, address);
		cid = conn_of(&p, SIM_CLIENT)
			      ->peer_cids.e[conn_of(&p, SIM_CLIENT)->peer_cids.current]
			      .seq;
		ck_assert_int_eq(ql_conn_migrate(conn_of(&p, SIM_CLIENT), &to), 0);
		ck_assert_int_eq(ql_conn_migrate(conn_of(&p, SIM_CLIENT), &to), -EALREADY);
		ck_assert(ql_addr_eq(&ql_conn_path(conn_of(&p, SIM_CLIENT))->local, &back));
		for (unsigned int k = 0; k < 100 && p.app[SIM_CLIENT].moved == 0; k++)
			sim_run(p.sim, 1 * MS, NULL, NULL);
		ck_assert_uint_eq(p.app[SIM_CLIENT].moved, 1);
		ck_assert(ql_addr_eq(&ql_conn_path(conn_of(&p, SIM_CLIENT))->local, &to));
		ql_conn_stats(conn_of(&p, SIM_CLIENT), &stats);
		if (address)
			ck_assert_uint_eq(stats.rtt_ns, QL_RTT_INITIAL);
		else
			ck_assert_uint_lt(stats.rtt_ns, 100 * MS);
		sim_run(p.sim, 200 * MS, NULL, NULL);
		ck_assert(server_sees(&p, &to));
		/* Both ends send to other connection IDs, and retire the old ones (9.5). */
		for (unsigned int side = 0; side < 2; side++) {
			struct ql_conn *conn = conn_of(&p, side);

			ck_assert_uint_ne(conn->peer_cids.e[conn->peer_cids.current].seq, cid);
			ck_assert_int_ge(conn->path_cid_seq, 1);
		}
		check_job(&p, &job);
	}
}
END_TEST

/* Again and again, while there are new connection IDs; the old ones are retired. */
START_TEST(test_migrate_often)
{
	struct sim_job job = {
		.streams = 1, .download = 5 * MB, .upload = 5 * MB, .keep_open = true};
	struct ql_addr to;
	struct sim_pair p;

	open_pair(&p, &job, NULL, 1);
	for (unsigned int i = 0; i < 20; i++) {
		to = ql_conn_path(conn_of(&p, SIM_CLIENT))->local;
		to.port++;
		ck_assert_int_eq(ql_conn_migrate(conn_of(&p, SIM_CLIENT), &to), 0);
		sim_run(p.sim, SLOW, NULL, NULL);
		ck_assert_uint_eq(p.app[SIM_CLIENT].moved, i + 1);
	}
	for (unsigned int side = 0; side < 2; side++) {
		struct ql_conn *conn = conn_of(&p, side);

		ck_assert_uint_ge(conn->peer_cids.e[conn->peer_cids.current].seq, 20);
		for (unsigned int i = 0; i < QL_PEER_CIDS; i++)
			ck_assert(conn->peer_cids.e[i].used);
	}
	ck_assert(server_sees(&p, &to));
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
	close_pair(&p);
}
END_TEST

START_TEST(test_migrate_errors)
{
	struct ql_addr to, none, six = {.ip = {0x20, 1}, .port = 9};
	struct ql_peer_cids *cids;
	struct ql_conn *conn;
	struct sim_pair p;
	bool spare[QL_PEER_CIDS];

	sim_pair_open(&p, 1, NULL, NULL, &(struct sim_job){.keep_open = true});
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	conn = conn_of(&p, SIM_CLIENT);
	to = ql_conn_path(conn)->local;
	none = to;
	none.port = 0;
	ck_assert_int_eq(ql_conn_migrate(conn, &to), -EINVAL);
	to.port++;
	ck_assert_int_eq(ql_conn_migrate(conn, &to), -ENOTCONN);
	sim_run(p.sim, 500 * MS, NULL, NULL);
	ck_assert_int_eq(ql_conn_migrate(conn, &none), -EINVAL);
	ck_assert_int_eq(ql_conn_migrate(conn, &six), -EINVAL);
	ck_assert_int_eq(ql_conn_migrate(conn_of(&p, SIM_SERVER), &to), -EINVAL);
	conn->no_migration = true;
	ck_assert_int_eq(ql_conn_migrate(conn, &to), -EPERM);
	conn->no_migration = false;
	cids = &conn->peer_cids;
	for (unsigned int i = 0; i < QL_PEER_CIDS; i++) {
		spare[i] = cids->e[i].used && i != cids->current;
		cids->e[i].used &= !spare[i];
	}
	ck_assert_int_eq(ql_conn_migrate(conn, &to), -EAGAIN);
	for (unsigned int i = 0; i < QL_PEER_CIDS; i++)
		cids->e[i].used |= spare[i];
	ck_assert_int_eq(ql_conn_migrate(conn, &to), 0);
	/* Nobody hears us there: we stay, and are told. */
	sim_link(p.sim, SIM_CLIENT)->loss = SIM_MILLION;
	sim_run(p.sim, SLOW, NULL, NULL);
	sim_link(p.sim, SIM_CLIENT)->loss = 0;
	ck_assert_uint_eq(p.app[SIM_CLIENT].not_moved, 1);
	ck_assert_uint_eq(p.app[SIM_CLIENT].moved, 0);
	ql_conn_close(conn, 11, "done");
	ck_assert_int_eq(ql_conn_migrate(conn, &to), -ENOTCONN);
	close_pair(&p);
}
END_TEST

/* The server has no connection ID left for the client's new address: it stays where it is (9.5). */
START_TEST(test_no_cids)
{
	struct ql_addr to, old;
	struct ql_peer_cids *cids;
	struct sim_pair p;

	open_pair(&p, NULL, NULL, 1);
	cids = &conn_of(&p, SIM_SERVER)->peer_cids;
	for (unsigned int i = 0; i < QL_PEER_CIDS; i++)
		cids->e[i].used = i == cids->current;
	old = ql_conn_path(conn_of(&p, SIM_CLIENT))->local;
	to = other_addr(&p, SIM_CLIENT, true);
	ck_assert_int_eq(ql_conn_migrate(conn_of(&p, SIM_CLIENT), &to), 0);
	sim_run(p.sim, SLOW, NULL, NULL);
	ck_assert_uint_eq(p.app[SIM_CLIENT].not_moved, 1);
	ck_assert(server_sees(&p, &old));
	close_pair(&p);
}
END_TEST

/* ---- The server's preferred address (9.6) ---- */

START_TEST(test_preferred)
{
	enum { GOES, STAYS, DEAD, CASES };

	for (unsigned int i = 0; i < CASES; i++) {
		struct sim_job job = {.streams = 1, .download = 10 * MB, .upload = 1 * MB};
		struct ql_addr preferred = {.ip = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 77},
					    .port = 4433};
		struct ql_transport t = {.preferred_ip4 = preferred, .use_preferred = i != STAYS};
		const struct ql_path *path;
		struct sim_pair p;

		sim_pair_open(&p, i, NULL, &t, &job);
		if (i != DEAD)
			sim_add_addr(p.sim, SIM_SERVER, &preferred);
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		sim_run(p.sim, 150 * MS, NULL, NULL);
		for (unsigned int side = 0; side < 2; side++) {
			path = ql_conn_path(conn_of(&p, side));
			ck_assert(ql_addr_eq(side == SIM_CLIENT ? &path->remote : &path->local,
					     &preferred) == (i == GOES));
			ck_assert_uint_eq(p.app[side].moved, i == GOES);
			ck_assert_uint_eq(p.app[side].not_moved, 0);
		}
		check_job(&p, &job);
	}
}
END_TEST

START_TEST(test_preferred_errors)
{
	struct ql_transport t = {.preferred_ip4 = {.ip = {0x20, 1}, .port = 4}};
	struct ql_proto proto;
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, NULL, NULL);
	ql_listen_stop(sim_engine(p.sim, SIM_SERVER));
	proto = sim_app_proto(&p.app[SIM_SERVER]);
	ck_assert_int_eq(
		ql_listen(sim_engine(p.sim, SIM_SERVER), 443, p.tls[SIM_SERVER], &t, &proto, 1),
		-EINVAL);
	t = (struct ql_transport){
		.preferred_ip6 = {.ip = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 7}, .port = 4}};
	ck_assert_int_eq(
		ql_listen(sim_engine(p.sim, SIM_SERVER), 443, p.tls[SIM_SERVER], &t, &proto, 1),
		-EINVAL);
	finish(&p);
}
END_TEST

/* ---- Keep-alive ---- */

START_TEST(test_keep_alive)
{
	/* The last one is cut to half of the time-out. */
	static const struct {
		uint64_t ns;
		unsigned int least, most; /* packets in 9 s */
	} cases[] = {{0, 0, 0}, {300 * MS, 25, 35}, {9 * SEC, 15, 20}};

	for (unsigned int i = 0; i < 3; i++) {
		struct ql_transport t = {.idle_timeout_ns = 1 * SEC};
		struct ql_engine_stats before, after;
		struct sim_pair p;

		sim_pair_open(&p, i, NULL, &t, &(struct sim_job){.keep_open = true});
		p.transport[SIM_CLIENT].keep_alive_ns = cases[i].ns;
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		sim_run(p.sim, 500 * MS, NULL, NULL);
		before = sim_pair_stats(&p, SIM_CLIENT);
		sim_run(p.sim, 9 * SEC, NULL, NULL);
		after = sim_pair_stats(&p, SIM_CLIENT);
		ck_assert_uint_ge(after.tx_packets - before.tx_packets, cases[i].least);
		ck_assert_uint_le(after.tx_packets - before.tx_packets, cases[i].most);
		ck_assert((p.app[SIM_CLIENT].closed == 0) == (cases[i].ns > 0));
		/* A dead peer is found out all the same. */
		sim_link(p.sim, SIM_SERVER)->loss = SIM_MILLION;
		run_out(&p, 20 * SEC);
		ck_assert_int_eq(p.app[SIM_CLIENT].close.cause, QL_CLOSE_IDLE);
		finish(&p);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conn/path");
	TCase *tc = new_case(s, "path");

	tcase_add_test(tc, test_rebinding);
	tcase_add_test(tc, test_reset);
	tcase_add_test(tc, test_lost_challenges);
	tcase_add_test(tc, test_revert);
	tcase_add_test(tc, test_forwarded);
	tcase_add_test(tc, test_forged);
	tcase_add_test(tc, test_probes);
	tcase_add_test(tc, test_migrate);
	tcase_add_test(tc, test_migrate_often);
	tcase_add_test(tc, test_migrate_errors);
	tcase_add_test(tc, test_no_cids);
	tcase_add_test(tc, test_preferred);
	tcase_add_test(tc, test_preferred_errors);
	tcase_add_test(tc, test_keep_alive);
	return run_suite(s);
}
