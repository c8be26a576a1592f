// SPDX-License-Identifier: BSD-3-Clause
/*
 * Stateless resets (RFC 9000, sections 5.2.3, 10.3, 11 and 21.11): who may send one, and when.
 */
#include "conform.h"

/* Two lcores of one process, or of one machine, that have the same key; and a client of the first.
 */
static const struct ql_engine_config config[2] = {
	[SIM_SERVER] = {.socket_id = -1, .reset_key = {1, 2, 3}},
	[SIM_CLIENT] = {.socket_id = -1, .lcore_index = 1},
};
static const struct ql_engine_config sibling = {
	.socket_id = -1, .reset_key = {1, 2, 3}, .lcore_index = 2};

static void open_pair(struct sim_pair *p, const struct sim_job *job)
{
	sim_pair_open_with(p, 1, config, NULL, job);
	ck_assert_int_eq(sim_pair_connect(p), 0);
}

/* What an engine says to a datagram; anything that it had to say before is thrown away. */
static unsigned int answers(struct sim_pair *p, unsigned int node, const struct ql_path *path,
			    const uint8_t *data, size_t len)
{
	struct ql_datagram out[64];
	unsigned int n;

	while ((n = sim_take(p->sim, node, out, 64)) > 0) {
		for (unsigned int i = 0; i < n; i++)
			rte_pktmbuf_free(out[i].mbuf);
	}
	sim_inject(p->sim, node, path, data, len);
	n = sim_take(p->sim, node, out, 64);
	for (unsigned int i = 0; i < n; i++)
		rte_pktmbuf_free(out[i].mbuf);
	return n;
}

/* Packets that go astray to a sibling with the same key: it does not give the token away (21.11).
 */
START_TEST(test_no_oracle)
{
	struct sim_job job = {.streams = 1, .download = 1 * MB, .keep_open = true};
	const struct ql_local_cids *ids;
	struct ql_cid own;
	struct ql_path path;
	struct sim_pair p;
	uint8_t buf[1200];
	unsigned int node;

	open_pair(&p, &job);
	node = sim_add(p.sim, &sibling);
	sim_run(p.sim, 500 * MS, NULL, NULL);
	path = path_to(&p, SIM_CLIENT);
	ids = &conn_of(&p, SIM_SERVER)->local_cids;
	for (unsigned int i = 0; i < QL_LOCAL_CIDS; i++) {
		ck_assert(ids->e[i].used);
		for (size_t k = 0; k < sizeof(buf); k++)
			buf[k] = (uint8_t)sim_random(sim_seed(p.sim));
		buf[0] = 0x40;
		memcpy(buf + 1, ids->e[i].cid.id, QL_LOCAL_CID_LEN);
		sim_run(p.sim, 100 * MS, NULL, NULL); /* whatever rate is allowed */
		ck_assert_uint_eq(answers(&p, node, &path, buf, sizeof(buf)), 0);
		ck_assert_uint_eq(answers(&p, SIM_SERVER, &path, buf, sizeof(buf)), 0);
	}
	ck_assert_uint_eq(sim_engine(p.sim, node)->stats.resets, 0);
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).resets, 0);
	/* To an ID of its own, though, it has the answer. */
	ql_local_cid_make(&sim_engine(p.sim, node)->host.cids, sim_engine(p.sim, node)->host.rng, 7,
			  &own);
	memcpy(buf + 1, own.id, own.len);
	ck_assert_uint_eq(answers(&p, node, &path, buf, sizeof(buf)), 1);
	ck_assert_uint_eq(sim_engine(p.sim, node)->stats.resets, 1);
	close_idle(&p);
}
END_TEST

/* While there is state, in whatever state it is, no packet to its IDs brings a reset (11). */
START_TEST(test_while_there_is_state)
{
	enum { HANDSHAKE, OPEN, CLOSING, DRAINING, GONE, CASES };

	for (unsigned int when = 0; when < CASES; when++) {
		struct sim_job job = {.streams = 1, .keep_open = true};
		struct ql_cid id;
		struct ql_conn *conn;
		struct ql_path path;
		struct sim_pair p;
		uint8_t buf[1200];

		open_pair(&p, &job);
		sim_run(p.sim, when == HANDSHAKE ? 12 * MS : 500 * MS, NULL, NULL);
		conn = some_conn(&p, SIM_SERVER);
		ck_assert_ptr_nonnull(conn);
		path = *ql_conn_path(conn);
		id = conn->local_cids.e[0].cid;
		if (when == HANDSHAKE)
			ck_assert_int_eq(conn->state, QL_CONN_HANDSHAKE);
		if (when == CLOSING)
			ql_conn_close(conn, 1, "");
		if (when == DRAINING)
			send_frames(&p, SIM_CLIENT, QL_SPACE_APP, "\x1d\x00\x00", 3);
		if (when == CLOSING || when == DRAINING) {
			sim_run(p.sim, 1 * MS, NULL, NULL);
			conn = some_conn(&p, SIM_SERVER);
			ck_assert_ptr_nonnull(conn);
			ck_assert_int_eq(conn->state,
					 when == CLOSING ? QL_CONN_CLOSING : QL_CONN_DRAINING);
		}
		if (when == GONE) {
			ql_conn_close(p.app[SIM_CLIENT].conn, 1, "");
			run_out(&p, 10 * SEC);
		}
		for (unsigned int i = 0; i < 20; i++) {
			for (size_t k = 0; k < sizeof(buf); k++)
				buf[k] = (uint8_t)sim_random(sim_seed(p.sim));
			buf[0] = (uint8_t)(0x40 | (buf[0] & 0x3f));
			memcpy(buf + 1, id.id, QL_LOCAL_CID_LEN);
			sim_inject(p.sim, SIM_SERVER, &path, buf, 100 + i);
		}
		sim_run(p.sim, 1 * MS, NULL, NULL);
		ck_assert_msg((sim_pair_stats(&p, SIM_SERVER).resets > 0) == (when == GONE),
			      "case %u", when);
		ck_assert_int_eq(sim_pair_close(&p), 0);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conformance/reset");
	TCase *tc = new_case(s, "reset");

	tcase_add_test(tc, test_no_oracle);
	tcase_add_test(tc, test_while_there_is_state);
	return run_suite(s);
}
