// SPDX-License-Identifier: BSD-3-Clause
/*
 * Datagrams that no honest peer sends: each is dropped for the right reason and changes nothing.
 */
#include "test_engine_util.h"

#include <stdlib.h>

#include <rte_mbuf.h>

/* An open connection without streams. */
static void open_pair(struct sim_pair *p)
{
	struct sim_job job = {.keep_open = true};

	sim_pair_open(p, 1, NULL, NULL, &job);
	ck_assert_int_eq(sim_pair_connect(p), 0);
	sim_run(p->sim, 500 * MS, NULL, NULL);
	ck_assert_uint_eq(p->app[SIM_SERVER].connected, 1);
	/* A key phase bit, forged as well, has the next keys made, once. */
	for (unsigned int i = 0; i < 2; i++)
		ck_assert_int_eq(ql_handshake_next_keys(conn_of(p, i)), 0);
}

static void close_pair(struct sim_pair *p)
{
	ql_conn_close(p->app[SIM_CLIENT].conn, 11, "done");
	run_out(p, 40 * SEC);
	ck_assert_int_eq(p->app[SIM_SERVER].close.cause, QL_CLOSE_PEER);
	ck_assert_uint_eq(p->app[SIM_SERVER].close.error, 11);
	finish(p);
}

/* In a short header: the lowest of the slot (conn/cid.h). */
#define GENERATION_BIT (8 * (1 + 1 + 8) + 7)

/* The datagram is dropped for this reason and no other, once, and leaves no trace. */
static void expect_drop(struct sim_pair *p, unsigned int node, const struct ql_path *path,
			const uint8_t *data, size_t len, enum ql_drop reason)
{
	struct ql_engine_stats before = sim_pair_stats(p, node), after;

	sim_inject(p->sim, node, path, data, len);
	after = sim_pair_stats(p, node);
	for (unsigned int i = 0; i < QL_DROP_MAX; i++) {
		unsigned int n = i == reason;

		ck_assert_msg(after.drops[i] == before.drops[i] + n,
			      "%zu bytes, expected %s: %lu of %s", len, ql_drop_name(reason),
			      (unsigned long)(after.drops[i] - before.drops[i]),
			      ql_drop_name((enum ql_drop)i));
	}
	ck_assert_uint_eq(after.rx_datagrams, before.rx_datagrams + 1);
	ck_assert_uint_eq(after.rx_bytes, before.rx_bytes + len);
	ck_assert_uint_eq(after.rx_packets, before.rx_packets + (reason == QL_DROP_DUPLICATE ||
								 reason == QL_DROP_PATH));
	ck_assert_uint_eq(after.conns, before.conns);
	ck_assert_uint_eq(after.handshakes, before.handshakes);
	ck_assert_uint_eq(after.memory_used, before.memory_used);
}

/* A long header as far as the packet number, with len bytes to come. */
static size_t long_header(uint8_t *buf, enum ql_pkt_type type, uint32_t version, size_t dcid_len,
			  size_t scid_len, size_t len)
{
	struct ql_cid dcid = {.len = (uint8_t)dcid_len, .id = {1, 2, 3}},
		      scid = {.len = (uint8_t)scid_len, .id = {4, 5, 6}};
	uint8_t *length, *p;

	p = ql_pkt_put_long(buf, buf + 200, type, QL_VERSION_1, &dcid, &scid, NULL, 0, 4, &length);
	ck_assert_ptr_nonnull(p);
	ql_pkt_put_length(length, len);
	ql_put_be32(buf + 1, version);
	return (size_t)(p - buf);
}

/* ---- Without a connection ---- */

START_TEST(test_no_connection)
{
	struct ql_path path, wrong_port;
	struct sim_job job = {0};
	uint8_t buf[2000] = {0};
	struct sim_pair p;
	size_t n;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	path = sim_path(p.sim, SIM_CLIENT, SIM_SERVER);
	path = (struct ql_path){.local = path.remote, .remote = path.local};
	wrong_port = path;
	wrong_port.local.port = 444;

	for (n = 0; n < 21; n++) {
		memset(buf, 0x40, sizeof(buf));
		expect_drop(&p, SIM_SERVER, &path, buf, n, QL_DROP_SHORT);
		memset(buf, 0xff, sizeof(buf));
		expect_drop(&p, SIM_SERVER, &path, buf, n, QL_DROP_SHORT);
	}
	memset(buf, 0, sizeof(buf)); /* no fixed bit */
	expect_drop(&p, SIM_SERVER, &path, buf, 30, QL_DROP_HEADER);
	buf[0] = 0x40;
	expect_drop(&p, SIM_SERVER, &path, buf, 30, QL_DROP_NO_CONN);
	expect_drop(&p, SIM_SERVER, &path, buf, 1500, QL_DROP_NO_CONN);

	long_header(buf, QL_PKT_HANDSHAKE, QL_VERSION_1, 8, 8, 1100);
	expect_drop(&p, SIM_SERVER, &path, buf, 1200, QL_DROP_NO_CONN);
	long_header(buf, QL_PKT_ZERO_RTT, QL_VERSION_1, 8, 8, 1100);
	expect_drop(&p, SIM_SERVER, &path, buf, 1200, QL_DROP_NO_CONN);

	long_header(buf, QL_PKT_INITIAL, QL_VERSION_1, 8, 8, 1300);
	expect_drop(&p, SIM_SERVER, &path, buf, 1200, QL_DROP_HEADER); /* longer than it is */
	long_header(buf, QL_PKT_INITIAL, QL_VERSION_1, 8, 8, 1100);
	expect_drop(&p, SIM_SERVER, &path, buf, 1199, QL_DROP_INITIAL_SIZE);
	expect_drop(&p, SIM_SERVER, &wrong_port, buf, 1200, QL_DROP_NO_LISTENER);
	expect_drop(&p, SIM_CLIENT, &path, buf, 1200, QL_DROP_NO_LISTENER);
	expect_drop(&p, SIM_SERVER, &path, buf, 1200, QL_DROP_AUTH);
	buf[0] &= (uint8_t)~QL_PKT_FIXED;
	expect_drop(&p, SIM_SERVER, &path, buf, 1200, QL_DROP_HEADER);
	/* But with a token, which may come from a connection that told of RFC 9287. */
	n = long_header(buf, QL_PKT_INITIAL, QL_VERSION_1, 8, 8, 1100);
	buf[n - 3] = 1; /* the token's length */
	ql_pkt_put_length(buf + n - 1, 1000);
	buf[0] &= (uint8_t)~QL_PKT_FIXED;
	expect_drop(&p, SIM_SERVER, &path, buf, 1200, QL_DROP_AUTH);
	long_header(buf, QL_PKT_INITIAL, QL_VERSION_1, 7, 8, 1100);
	expect_drop(&p, SIM_SERVER, &path, buf, 1200, QL_DROP_HEADER);
	long_header(buf, QL_PKT_INITIAL, QL_VERSION_1, 8, 8, 0);
	expect_drop(&p, SIM_SERVER, &path, buf, 1200, QL_DROP_AUTH);

	/* Unknown versions: answered when large enough and served, see the tests of replies. */
	long_header(buf, QL_PKT_INITIAL, 0x1a2a3a4a, 8, 8, 1100);
	expect_drop(&p, SIM_SERVER, &path, buf, 1199, QL_DROP_VERSION);
	expect_drop(&p, SIM_SERVER, &wrong_port, buf, 1200, QL_DROP_VERSION);
	expect_drop(&p, SIM_CLIENT, &path, buf, 1200, QL_DROP_VERSION);

	ql_listen_stop(sim_engine(p.sim, SIM_SERVER));
	long_header(buf, QL_PKT_INITIAL, QL_VERSION_1, 8, 8, 1100);
	expect_drop(&p, SIM_SERVER, &path, buf, 1200, QL_DROP_NO_LISTENER);
	run_out(&p, 1 * SEC);
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).tx_datagrams, 0);
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).conns_accepted, 0);
	finish(&p);
}
END_TEST

/* One segment only; what has more is no datagram that net/ would hand over. */
START_TEST(test_segments)
{
	struct rte_mempool *pool;
	struct ql_datagram d = {0};
	struct sim_job job = {0};
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	pool = sim_env_pool("segments", 15, 2048);
	d.path = sim_path(p.sim, SIM_CLIENT, SIM_SERVER);
	d.mbuf = rte_pktmbuf_alloc(pool);
	memset(rte_pktmbuf_append(d.mbuf, 1200), 0x40, 1200);
	ck_assert_int_eq(rte_pktmbuf_chain(d.mbuf, rte_pktmbuf_alloc(pool)), 0);
	ql_engine_rx(sim_engine(p.sim, SIM_SERVER), &d, 1, sim_now(p.sim));
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).drops[QL_DROP_HEADER], 1);
	ck_assert_uint_eq(rte_mempool_avail_count(pool), 15);
	finish(&p);
}
END_TEST

/* ---- With one ---- */

START_TEST(test_connection)
{
	struct ql_path path, other;
	uint8_t buf[2048], copy[2048];
	struct ql_conn *server;
	struct sim_pair p;
	size_t n;

	open_pair(&p);
	path = path_to(&p, SIM_CLIENT);
	server = conn_of(&p, SIM_SERVER);
	sim_run(p.sim, 100 * MS, NULL, NULL);

	/* A server does not move (RFC 9000, 9). */
	for (unsigned int i = 0; i < 4; i++) {
		other = path_to(&p, SIM_SERVER);
		other.remote.port += i == 0;
		other.remote.ip[15] += i == 1;
		other.local.port += i == 2;
		other.local.ip[15] += i == 3;
		n = make_packet(&p, SIM_SERVER, QL_SPACE_APP, "\x01", 1, 0, buf);
		expect_drop(&p, SIM_CLIENT, &other, buf, n, QL_DROP_PATH);
	}
	n = make_packet(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1, 0, buf);
	/* any bit: not the first two, which say what kind of packet it is, nor those of the ID */
	for (size_t bit = 2; bit < 8 * n; bit++) {
		memcpy(copy, buf, n);
		copy[bit / 8] ^= (uint8_t)(0x80u >> bit % 8);
		if (bit < 8 || bit >= 8 + 8 * QL_LOCAL_CID_LEN)
			expect_drop(&p, SIM_SERVER, &path, copy, n, QL_DROP_AUTH);
		else if (bit == GENERATION_BIT)
			expect_drop(&p, SIM_SERVER, &path, copy, n, QL_DROP_GENERATION);
		else
			expect_drop(&p, SIM_SERVER, &path, copy, n, QL_DROP_NO_CONN);
	}
	memcpy(copy, buf, n);
	expect_drop(&p, SIM_SERVER, &path, copy, n - 1, QL_DROP_AUTH);
	memcpy(copy, buf, n);
	sim_inject(p.sim, SIM_SERVER, &path, copy, n);
	memcpy(copy, buf, n);
	expect_drop(&p, SIM_SERVER, &path, copy, n, QL_DROP_DUPLICATE);

	/* Packets of the handshake, long over. */
	n = long_header(buf, QL_PKT_HANDSHAKE, QL_VERSION_1, QL_LOCAL_CID_LEN, 8, 1000);
	memcpy(buf + 6, server->local_cids.e[0].cid.id, QL_LOCAL_CID_LEN);
	expect_drop(&p, SIM_SERVER, &path, buf, n + 1000, QL_DROP_NO_KEYS);
	n = long_header(buf, QL_PKT_ZERO_RTT, QL_VERSION_1, QL_LOCAL_CID_LEN, 8, 1000);
	memcpy(buf + 6, server->local_cids.e[0].cid.id, QL_LOCAL_CID_LEN);
	expect_drop(&p, SIM_SERVER, &path, buf, n + 1000, QL_DROP_EARLY);
	n = long_header(buf, QL_PKT_INITIAL, QL_VERSION_1, QL_LOCAL_CID_LEN, 8, 1000);
	memcpy(buf + 6, server->local_cids.e[0].cid.id, QL_LOCAL_CID_LEN);
	expect_drop(&p, SIM_SERVER, &path, buf, n + 1000, QL_DROP_INITIAL_SIZE);

	/* Closing: nothing is opened any more. */
	n = make_packet(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1, 0, copy);
	ql_conn_close(p.app[SIM_SERVER].conn, 1, "");
	sim_run(p.sim, 1 * MS, NULL, NULL);
	expect_drop(&p, SIM_SERVER, &path, copy, n, QL_DROP_CLOSING);
	run_out(&p, 40 * SEC);
	expect_drop(&p, SIM_SERVER, &path, copy, n, QL_DROP_NO_CONN);
	finish(&p);
}
END_TEST

/* Coalesced packets: those for another connection ID are skipped, whatever they are. */
START_TEST(test_coalesced)
{
	struct sim_job job = {.keep_open = true};
	struct ql_datagram d[8];
	struct ql_path path;
	uint8_t buf[2048];
	struct sim_pair p;
	unsigned int n;
	uint8_t *data;
	size_t len;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	n = sim_take(p.sim, SIM_CLIENT, d, 8);
	ck_assert_uint_ge(n, 1);
	path = (struct ql_path){.local = d[0].path.remote, .remote = d[0].path.local};
	data = rte_pktmbuf_mtod(d[0].mbuf, uint8_t *);
	len = d[0].mbuf->data_len;
	memcpy(buf, data, len);
	/* many short ones behind it */
	for (unsigned int i = 0; i < 10; i++) {
		size_t hdr = long_header(buf + len, QL_PKT_HANDSHAKE, QL_VERSION_1, 8, 0, 24);

		buf[len + 6] ^= (uint8_t)i;
		len += hdr + 24;
	}
	sim_inject(p.sim, SIM_SERVER, &path, buf, len);
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).drops[QL_DROP_COALESCED_CID], 10);
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).conns_accepted, 1);
	for (unsigned int i = 1; i < n; i++)
		sim_inject(p.sim, SIM_SERVER, &path, rte_pktmbuf_mtod(d[i].mbuf, uint8_t *),
			   d[i].mbuf->data_len);
	for (unsigned int i = 0; i < n; i++)
		rte_pktmbuf_free(d[i].mbuf);
	sim_run(p.sim, 1 * SEC, NULL, NULL);
	ck_assert_uint_eq(p.app[SIM_SERVER].connected, 1);
	close_pair(&p);
}
END_TEST

/* ---- Storms ---- */

static uint64_t all_drops(const struct ql_engine_stats *s)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < QL_DROP_MAX; i++)
		sum += s->drops[i];
	return sum;
}

/* Random bytes that look a little like packets, to both sides of an open connection. */
START_TEST(test_garbage)
{
	struct sim_pair p;
	uint64_t random = 7;

	open_pair(&p);
	for (unsigned int side = 0; side < 2; side++) {
		struct ql_engine_stats before = sim_pair_stats(&p, !side), after;
		struct ql_path path = path_to(&p, side);
		const struct ql_conn *to = conn_of(&p, !side);
		unsigned int n = 20000;

		for (unsigned int i = 0; i < n; i++) {
			uint8_t buf[1500];
			size_t len = sim_below(&random, sizeof(buf) + 1);

			if (sim_below(&random, 4) == 0)
				len = sim_below(&random, 60);
			for (size_t k = 0; k < len; k++)
				buf[k] = (uint8_t)sim_random(&random);
			if (len > 30 && sim_below(&random, 2)) { /* version 1 */
				memcpy(buf + 1, "\0\0\0\1", 4);
				buf[5] = (uint8_t)sim_below(&random, 24);
				buf[0] |= QL_PKT_FIXED;
			}
			if (len > 30 && sim_below(&random, 4) == 0) { /* a real ID */
				buf[0] = (uint8_t)(QL_PKT_FIXED | (buf[0] & 0x3f));
				memcpy(buf + 1, to->local_cids.e[0].cid.id, QL_LOCAL_CID_LEN);
			}
			sim_inject(p.sim, !side, &path, buf, len);
			if (i % 64 == 0)
				sim_run(p.sim, 10 * QL_NSEC_PER_USEC, NULL, NULL);
		}
		after = sim_pair_stats(&p, !side);
		ck_assert_uint_eq(after.rx_packets, before.rx_packets);
		ck_assert_uint_eq(after.conns, 1);
		ck_assert_uint_eq(after.memory_used, before.memory_used);
		ck_assert_uint_eq(after.conns_accepted, before.conns_accepted);
		ck_assert_uint_ge(
			all_drops(&after) - all_drops(&before) + after.version_negotiations, n);
	}
	sim_run(p.sim, 100 * MS, NULL, NULL);
	close_pair(&p);
}
END_TEST

/* Everything that a side sends, altered, to be thrown at the other one time and again. */
struct storm {
	struct sim *sim;
	unsigned int to;
	uint64_t random;
	unsigned int injected;
	bool busy;
};

static bool mutate(void *arg, struct ql_datagram *d, uint64_t now UNUSED)
{
	struct storm *st = arg;
	struct ql_path path = {.local = d->path.remote, .remote = d->path.local};
	size_t len = d->mbuf->data_len;
	uint8_t buf[2048];

	if (st->busy)
		return true;
	st->busy = true;
	for (unsigned int i = 0; i < 3; i++) {
		unsigned int bits = 1 + (unsigned int)sim_below(&st->random, 4);
		size_t n = len;

		memcpy(buf, rte_pktmbuf_mtod(d->mbuf, uint8_t *), len);
		switch (sim_below(&st->random, 4)) {
		case 0: /* shorter */
			n = sim_below(&st->random, len);
			break;
		case 1: /* longer */
			n = len + sim_below(&st->random, 100);
			memset(buf + len, 0, n - len);
			break;
		default: /* bits in the header, which others would not see */
			while (bits-- > 0) {
				uint64_t bit = sim_below(&st->random, 8 * (len < 60 ? len : 60));

				/* Another version is answered, which the client must believe. */
				if (bit / 8 == 0 || bit / 8 > 4)
					buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
			}
		}
		st->injected++;
		sim_inject(st->sim, st->to, &path, buf, n);
	}
	st->busy = false;
	return true;
}

START_TEST(test_mutations)
{
	for (uint64_t seed = 0; seed < 12; seed++) {
		struct sim_job job = {.streams = 3, .download = 100 * KB, .upload = 100 * KB};
		struct storm storms[2];
		struct sim_pair p;

		sim_pair_open(&p, seed, NULL, NULL, &job);
		for (unsigned int i = 0; i < 2; i++) {
			storms[i] = (struct storm){.sim = p.sim, .to = !i, .random = seed + i};
			sim_link(p.sim, i)->filter = mutate;
			sim_link(p.sim, i)->arg = &storms[i];
		}
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		run_out(&p, 60 * SEC);
		ck_assert_uint_gt(storms[0].injected, 100);
		ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 3);
		ck_assert_int_eq(p.app[SIM_CLIENT].close.cause, QL_CLOSE_LOCAL);
		ck_assert_int_eq(p.app[SIM_SERVER].close.cause, QL_CLOSE_PEER);
		ck_assert_uint_eq(p.app[SIM_SERVER].accepted, 1);
		finish(&p);
	}
}
END_TEST

/* Every datagram of a transfer again, 300 ms later: duplicates, each counted, none handled. */
START_TEST(test_replay)
{
	struct sim_job job = {.streams = 1, .download = 200 * KB, .keep_open = true};
	struct ql_transport t = {.fixed_udp_payload = true};
	struct ql_engine_stats s;
	struct sim_link link = sim_link_default;
	struct sim_pair p;

	link.duplicate = SIM_MILLION;
	sim_pair_open(&p, 1, NULL, &t, &job);
	sim_pair_link(&p, &link);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 2 * SEC, NULL, NULL);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
	ck_assert_uint_eq(p.app[SIM_CLIENT].received, 200 * KB);
	s = sim_pair_stats(&p, SIM_CLIENT);
	ck_assert_uint_ge(s.drops[QL_DROP_DUPLICATE], 200 * KB / 1200);
	ck_assert_uint_eq(s.drops[QL_DROP_AUTH], 0);
	close_pair(&p);
}
END_TEST

/* ---- Limits ---- */

START_TEST(test_limits)
{
	static const struct ql_limits limits[] = {{.connections = 5, .handshakes = 5},
						  {.connections = 50, .handshakes = 5}};

	for (unsigned int k = 0; k < 2; k++) {
		struct sim_job job = {.streams = 1, .download = 1000, .keep_open = true};
		struct ql_engine_stats s;
		struct sim_pair p;

		/* The client's engine has room for all. */
		sim_pair_open(&p, 1, NULL, NULL, &job);
		{
			struct ql_engine *e = sim_engine(p.sim, SIM_SERVER);

			e->limits.connections = limits[k].connections;
			e->limits.handshakes = limits[k].handshakes;
		}
		for (unsigned int i = 0; i < 12; i++)
			ck_assert_int_eq(sim_pair_connect(&p), 0);
		sim_run(p.sim, 30 * MS, NULL, NULL);
		s = sim_pair_stats(&p, SIM_SERVER);
		ck_assert_uint_eq(s.conns, 5);
		ck_assert_uint_le(s.handshakes, 5);
		ck_assert_uint_ge(s.drops[QL_DROP_CONN_LIMIT], 7);
		sim_run(p.sim, 8 * SEC, NULL, NULL);
		/* Handshakes go on as others are done; connections stay. */
		ck_assert_uint_eq(p.app[SIM_CLIENT].complete, k == 0 ? 5 : 12);
		run_out(&p, 60 * SEC);
		finish(&p);
	}
}
END_TEST

/* No mbuf left: what has to be sent waits, and nothing is lost for good. */
START_TEST(test_no_mbufs)
{
	struct sim_job job = {.streams = 4, .download = 300 * KB, .upload = 300 * KB};
	struct sim_pair p;
	struct rte_mempool *pool;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	pool = sim_engine(p.sim, SIM_SERVER)->host.tx_pool;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	for (unsigned int round = 0; round < 20; round++) {
		unsigned int n = 0, keep = round % 4, total = 0;
		struct rte_mbuf *chain = NULL, *m;

		sim_run(p.sim, 10 * MS, NULL, NULL);
		while ((m = rte_pktmbuf_alloc(pool)) != NULL) {
			m->next = chain;
			chain = m;
			total++;
		}
		while (chain && n < keep) { /* so few are left */
			m = chain;
			chain = m->next;
			m->next = NULL;
			rte_pktmbuf_free(m);
			n++;
		}
		sim_run(p.sim, 20 * MS, NULL, NULL);
		while (chain) {
			m = chain;
			chain = m->next;
			m->next = NULL;
			rte_pktmbuf_free(m);
		}
		ck_assert_uint_gt(total, 1000);
	}
	run_out(&p, 60 * SEC);
	ck_assert_uint_gt(sim_pair_stats(&p, SIM_SERVER).drops[QL_DROP_NO_MEMORY] +
				  sim_pair_stats(&p, SIM_CLIENT).drops[QL_DROP_NO_MEMORY],
			  0);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 4);
	for (unsigned int i = 0; i < 2; i++)
		ck_assert_msg(p.app[i].errors == 0, "%s", p.app[i].error);
	ck_assert_int_eq(sim_pair_close(&p), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine/rx");
	TCase *tc = new_case(s, "rx");

	tcase_add_test(tc, test_no_connection);
	tcase_add_test(tc, test_segments);
	tcase_add_test(tc, test_connection);
	tcase_add_test(tc, test_coalesced);
	tcase_add_test(tc, test_garbage);
	tcase_add_test(tc, test_mutations);
	tcase_add_test(tc, test_replay);
	tcase_add_test(tc, test_limits);
	tcase_add_test(tc, test_no_mbufs);
	return run_suite(s);
}
