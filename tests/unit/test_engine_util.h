// SPDX-License-Identifier: BSD-3-Clause
/*
 * For the tests of conn/ and engine/: two engines joined by the simulator, and what has to hold at
 * the end of each test.
 */
#ifndef TEST_ENGINE_UTIL_H
#define TEST_ENGINE_UTIL_H

#include <check.h>
#include <string.h>

#include "engine/impl.h"
#include "sim/pair.h"

#define UNUSED __attribute__((unused))
#define MS     QL_NSEC_PER_MSEC
#define SEC    QL_NSEC_PER_SEC
#define KB     UINT64_C(1000)
#define MB     UINT64_C(1000000)

/* No promise broken, all connections gone, all memory and all mbufs back. */
static UNUSED void finish(struct sim_pair *p)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct ql_engine_stats s = sim_pair_stats(p, i);

		ck_assert_msg(p->app[i].errors == 0, "%u broken promises: %s", p->app[i].errors,
			      p->app[i].error);
		ck_assert_uint_eq(s.conns, 0);
		ck_assert_uint_eq(s.handshakes, 0);
		ck_assert_uint_eq(s.memory_used, p->memory[i]);
		ck_assert_uint_eq(s.windows_used, 0);
	}
	ck_assert_uint_eq(sim_stats(p->sim)->late, 0);
	ck_assert_int_eq(sim_pair_close(p), 0);
}

/* Run until all connections are gone, which must happen. */
static UNUSED void run_out(struct sim_pair *p, uint64_t ns)
{
	bool idle = sim_run(p->sim, ns, sim_pair_idle, p);
	const struct sim_app *c = &p->app[SIM_CLIENT];

	ck_assert_msg(idle,
		      "not over at %llu ms: client connected %u, closed %u, complete %u of %u, "
		      "received %llu; server accepted %u, closed %u, received %llu",
		      (unsigned long long)(sim_now(p->sim) / MS), c->connected, c->closed,
		      c->complete, c->job.streams, (unsigned long long)c->received,
		      p->app[SIM_SERVER].accepted, p->app[SIM_SERVER].closed,
		      (unsigned long long)p->app[SIM_SERVER].received);
}

/* An open connection of either side, as conn/ sees it. */
static UNUSED struct ql_conn *conn_of(const struct sim_pair *p, unsigned int side)
{
	ck_assert_ptr_nonnull(p->app[side].conn);
	return p->app[side].conn;
}

/*
 * A packet that this side might have sent, with frames of the test's making: protected, numbered,
 * and noted as sent. flip is xored to the first byte. Returns its size in buf.
 */
static UNUSED size_t make_packet(struct sim_pair *p, unsigned int side, enum ql_space_id id,
				 const void *frames, size_t len, uint8_t flip, uint8_t buf[2048])
{
	struct ql_conn *conn = conn_of(p, side);
	struct ql_space *sp = ql_conn_space(conn, id);
	uint64_t pn = ql_rec_next_pn(&conn->rec, id);
	uint8_t *q, *length = NULL;
	struct ql_seal_job job;
	size_t size;

	ck_assert(sp && sp->tx.ready && len < 1900);
	if (!sp->tx.aead.schedule)
		ck_assert_int_eq(ql_rest_end(conn), 0);
	ck_assert_int_eq(ql_rec_begin(&conn->rec, id, pn), 0);
	if (id == QL_SPACE_APP)
		q = ql_pkt_put_short(buf, ql_peer_cid(&conn->peer_cids), false, conn->key_phase, 4);
	else
		q = ql_pkt_put_long(buf, buf + 100,
				    id == QL_SPACE_INITIAL ? QL_PKT_INITIAL : QL_PKT_HANDSHAKE,
				    conn->version, ql_peer_cid(&conn->peer_cids),
				    &conn->local_cids.e[0].cid, NULL, 0, 4, &length);
	ck_assert_ptr_nonnull(q);
	q = ql_pn_put(q, pn, 4);
	buf[0] ^= flip;
	memcpy(q, frames, len);
	if (id == QL_SPACE_INITIAL && len < QL_INITIAL_MIN) {
		memset(q + len, 0, QL_INITIAL_MIN - len);
		len = QL_INITIAL_MIN;
	}
	job = (struct ql_seal_job){.aead = &sp->tx.aead,
				   .hp = &sp->tx.hp,
				   .hdr = buf,
				   .pn = pn,
				   .hdr_len = (uint16_t)(q - buf),
				   .payload_len = (uint16_t)len,
				   .pn_len = 4};
	if (length)
		ql_pkt_put_length(length, 4 + len + QL_TAG_LEN);
	ql_seal_one(&job);
	size = (size_t)(q - buf) + len + QL_TAG_LEN;
	ql_rec_on_sent(&conn->rec, id, (uint16_t)size, QL_SENT_ELICITING, sim_now(p->sim));
	return size;
}

/* How the other side sees this side's path. */
static UNUSED struct ql_path path_to(const struct sim_pair *p, unsigned int side)
{
	const struct ql_path *path = ql_conn_path(conn_of(p, side));

	return (struct ql_path){.local = path->remote, .remote = path->local};
}

/* Send such a packet to the other side, which handles it now. */
static UNUSED void send_frames(struct sim_pair *p, unsigned int side, enum ql_space_id id,
			       const void *frames, size_t len)
{
	struct ql_path path = path_to(p, side);
	uint8_t buf[2048];
	size_t size = make_packet(p, side, id, frames, len, 0, buf);

	sim_inject(p->sim, !side, &path, buf, size);
}

/* A test case; each of its tests has a process and an EAL of its own. */
static UNUSED TCase *new_case(Suite *s, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_set_timeout(tc, 100);
	tcase_add_checked_fixture(tc, sim_env_init, NULL);
	suite_add_tcase(s, tc);
	return tc;
}

static UNUSED int run_suite(Suite *s)
{
	SRunner *sr = srunner_create(s);
	int failed;

	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}

#endif
