// SPDX-License-Identifier: BSD-3-Clause
/*
 * Retry and tokens (RFC 9000, sections 8.1.3, 17.2.5 and 19.7), by what the packets on the wire
 * hold, and with Retries of the test's making.
 */
#include "conform.h"

#include "crypto/retry.h"

static void open_pair(struct sim_pair *p, enum ql_retry mode, const struct sim_job *job)
{
	struct ql_engine_config config[2] = {
		[SIM_SERVER] = {.name = "server", .socket_id = -1, .retry = mode},
		[SIM_CLIENT] = {.name = "client", .lcore_index = 1, .socket_id = -1},
	};

	sim_pair_open_with(p, 1, config, NULL, job);
}

/* A client whose Initial is on its way, and a Retry for it: these bytes and its tag. */
static size_t make_retry(struct sim_pair *p, uint8_t first, size_t token_len, uint8_t *buf)
{
	const struct ql_conn *c = some_conn(p, SIM_CLIENT);
	const struct ql_cid *own = &c->local_cids.e[0].cid, *dcid = &c->hs->original_dcid;
	uint8_t *q = buf;

	*q++ = first;
	q = ql_put_be32(q, QL_VERSION_1);
	*q++ = own->len;
	q = ql_put_bytes(q, own->id, own->len);
	*q++ = 5;
	q = ql_put_bytes(q, (const uint8_t *)"retry", 5);
	memset(q, 7, token_len);
	q += token_len;
	ck_assert_int_eq(ql_retry_tag(QL_VERSION_1, dcid->id, dcid->len, buf, (size_t)(q - buf), q),
			 0);
	return (size_t)(q - buf) + QL_RETRY_TAG;
}

/* Whatever the four unused bits are (17.2.5); but there has to be a token (17.2.5.2). */
START_TEST(test_forms)
{
	struct sim_job job = {.streams = 1};

	for (unsigned int bits = 0; bits < 16; bits++) {
		for (size_t token_len = 0; token_len < 3; token_len++) {
			struct ql_path path;
			struct sim_pair p;
			uint8_t buf[1500];
			size_t len;

			open_pair(&p, QL_RETRY_NEVER, &job);
			ck_assert_int_eq(sim_pair_connect(&p), 0);
			sim_run(p.sim, 1 * MS, NULL, NULL);
			path = *ql_conn_path(some_conn(&p, SIM_CLIENT));
			len = make_retry(&p, (uint8_t)(0xf0 | bits), token_len, buf);
			sim_inject(p.sim, SIM_CLIENT, &path, buf, len);
			ck_assert(some_conn(&p, SIM_CLIENT)->hs->retried == (token_len > 0));
			ck_assert_uint_eq(sim_pair_stats(&p, SIM_CLIENT).drops[QL_DROP_HEADER],
					  token_len == 0);
			if (token_len == 0) { /* as if it had not come */
				run_out(&p, 40 * SEC);
				ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
			}
			ck_assert_int_eq(sim_pair_close(&p), 0);
		}
	}
}
END_TEST

/*
 * Behind a Retry all is as before but for the token and the destination: the same ClientHello
 * (17.2.5.3), from the same ID (17.2.5.2), with numbers that go on (17.2.5.3).
 */
START_TEST(test_same_again)
{
	struct sim_job job = {.streams = 1};
	unsigned int first = 0, n = 0;
	struct witness w;
	struct sim_pair p;
	uint64_t pn;

	open_pair(&p, QL_RETRY_ALWAYS, &job);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	witness_start(&w, &p);
	run_out(&p, 40 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);

	ck_assert(w.log[0].type == QL_PKT_INITIAL && w.log[0].side == SIM_CLIENT);
	ck_assert(HAS(&w.log[0], QL_FRAME_CRYPTO) && w.log[0].token_len == 0);
	ck_assert_uint_gt(w.log[0].crypto_len, 200);
	pn = w.log[0].pn;
	for (unsigned int i = 1; i < w.n; i++) {
		const struct noted *k = &w.log[i];

		if (k->type != QL_PKT_INITIAL || k->side != SIM_CLIENT)
			continue;
		ck_assert(k->opened && k->pn > pn);
		pn = k->pn;
		ck_assert(ql_cid_eq(&k->scid, &w.log[0].scid));
		ck_assert_uint_gt(k->token_len, 0);
		if (!HAS(k, QL_FRAME_CRYPTO) || n++ > 0)
			continue;
		first = i;
	}
	ck_assert_uint_gt(first, 0);
	ck_assert_uint_eq(w.log[first].crypto_offset, w.log[0].crypto_offset);
	ck_assert_uint_eq(w.log[first].crypto_len, w.log[0].crypto_len);
	ck_assert_uint_eq(w.log[first].crypto_hash, w.log[0].crypto_hash);
	witness_end(&w);
	finish(&p);
}
END_TEST

/* A Retry's token serves the connection it came for; applications never see it (8.1.3). */
START_TEST(test_for_one_connection)
{
	struct sim_job job = {.streams = 1};

	for (unsigned int use = 0; use < 2; use++) {
		unsigned int first, retries = 0;
		struct witness w;
		struct sim_pair p;

		open_pair(&p, QL_RETRY_ALWAYS, &job);
		p.app[SIM_CLIENT].use_token = use;
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		witness_start(&w, &p);
		run_out(&p, 40 * SEC);
		/* one token, of NEW_TOKEN, for the application */
		ck_assert_uint_eq(p.app[SIM_CLIENT].tokens, 1);
		ck_assert_int_eq(ql_token_kind(p.app[SIM_CLIENT].token + QL_TOKEN_VERSION,
					       p.app[SIM_CLIENT].token_len - QL_TOKEN_VERSION),
				 QL_TOKEN_NEW);
		first = w.n;
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		run_out(&p, 40 * SEC);
		ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 2);
		ck_assert_int_eq(w.log[first].side, SIM_CLIENT);
		ck_assert_int_eq(w.log[first].type, QL_PKT_INITIAL);
		ck_assert_uint_eq(w.log[first].token_len, use ? QL_TOKEN_NEW_LEN : 0);
		for (unsigned int i = 0; i < w.n; i++)
			retries += w.log[i].type == QL_PKT_RETRY;
		ck_assert_uint_eq(retries, use ? 1 : 2);
		witness_end(&w);
		finish(&p);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conformance/retry");
	TCase *tc = new_case(s, "retry");

	tcase_add_test(tc, test_forms);
	tcase_add_test(tc, test_same_again);
	tcase_add_test(tc, test_for_one_connection);
	return run_suite(s);
}
