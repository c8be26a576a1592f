// SPDX-License-Identifier: BSD-3-Clause
/*
 * How packets are put together into datagrams (RFC 9000, sections 12.2 and 14), in which order frames
 * go, and the fixed bit, which is random for a peer that does not look at it (RFC 9287).
 */
#include "test_engine_util.h"

#include <rte_mbuf.h>

#define TAKE 32

/* What a server answers the first Initial with, once its ServerHello is so many bytes longer. */
static unsigned int first_flight(struct sim_pair *p, size_t longer, struct ql_datagram out[TAKE],
				 bool *handshake)
{
	static const uint8_t more[2048];
	struct ql_datagram in[TAKE];
	struct ql_conn *server = NULL;
	unsigned int n;

	ck_assert_int_eq(sim_pair_connect(p), 0);
	n = sim_take(p->sim, SIM_CLIENT, in, TAKE);
	ck_assert_uint_gt(n, 0);
	for (unsigned int i = 0; i < n; i++) {
		struct ql_path path = {.local = in[i].path.remote, .remote = in[i].path.local};

		sim_inject(p->sim, SIM_SERVER, &path, rte_pktmbuf_mtod(in[i].mbuf, void *),
			   in[i].mbuf->data_len);
		rte_pktmbuf_free(in[i].mbuf);
	}
	for (uint32_t slot = 0; !server; slot++)
		server = (struct ql_conn *)ql_conntable_at(&sim_engine(p->sim, SIM_SERVER)->table,
							   slot);
	ck_assert_uint_eq(ql_sendbuf_copy_in(&server->hs->crypto_out[QL_SPACE_INITIAL],
					     server->host->mem, more, longer),
			  longer);
	n = sim_take(p->sim, SIM_SERVER, out, TAKE);
	*handshake = server->rec.space[QL_SPACE_HANDSHAKE].sent.next > 0;
	return n;
}

/*
 * However much of a datagram its Initial packet leaves for the Handshake packet, the datagram keeps
 * its size. A ServerHello with a post-quantum key is that long.
 */
START_TEST(coalescing_keeps_the_size)
{
	struct sim_job job = {.keep_open = true};
	struct ql_datagram out[TAKE];

	for (size_t longer = 900; longer < 1160; longer++) {
		struct sim_pair p;
		bool handshake;
		unsigned int n;

		sim_pair_open(&p, 1, NULL, NULL, &job);
		n = first_flight(&p, longer, out, &handshake);
		ck_assert(handshake);
		for (unsigned int i = 0; i < n; i++) {
			ck_assert_msg(out[i].mbuf->data_len <= QL_INITIAL_MIN,
				      "%zu bytes more: datagram %u of %u has %u bytes", longer, i,
				      n, out[i].mbuf->data_len);
			rte_pktmbuf_free(out[i].mbuf);
		}
		ck_assert_uint_ge(n, 2);
		sim_pair_close(&p);
	}
}
END_TEST

/* How often the first byte of a datagram had the bit set, and not. */
struct bits {
	unsigned int set, clear, runs;
	unsigned int before; /* clear before the other side had sent anything */
	bool last;
	const struct bits *other;
};

static bool look(void *arg, struct ql_datagram *d, uint64_t now UNUSED)
{
	bool set = *rte_pktmbuf_mtod(d->mbuf, const uint8_t *) & QL_PKT_FIXED;
	struct bits *b = arg;

	if (b->set + b->clear == 0 || set != b->last)
		b->runs++;
	b->last = set;
	b->set += set;
	b->clear += !set;
	if (b->other->set + b->other->clear == 0)
		b->before += !set;
	return true;
}

static void watch(struct sim_pair *p, struct bits b[2])
{
	memset(b, 0, 2 * sizeof(*b));
	for (unsigned int i = 0; i < 2; i++) {
		b[i].other = &b[!i];
		sim_link(p->sim, i)->filter = look;
		sim_link(p->sim, i)->arg = &b[i];
	}
}

/* Both ways it takes both values, packet by packet; and everything arrives at once. */
START_TEST(test_grease)
{
	struct sim_job job = {.streams = 1, .download = 400 * KB, .upload = 400 * KB};
	struct bits b[2];
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	watch(&p, b);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 60 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
	for (unsigned int i = 0; i < 2; i++) {
		unsigned int n = b[i].set + b[i].clear;

		ck_assert_uint_gt(n, 200);
		ck_assert_uint_gt(b[i].set, n * 4 / 10);
		ck_assert_uint_gt(b[i].clear, n * 4 / 10);
		ck_assert_uint_gt(b[i].runs, n * 4 / 10);
		ck_assert_uint_eq(b[i].before, 0);
		ck_assert_uint_eq(sim_pair_stats(&p, i).drops[QL_DROP_HEADER], 0);
	}
	finish(&p);
}
END_TEST

/* A peer that has not said that it takes both gets what version 1 says. */
START_TEST(test_no_grease)
{
	struct sim_job job = {.streams = 1, .download = 50 * KB, .upload = 50 * KB};

	for (unsigned int side = 0; side < 2; side++) {
		struct bits b[2];
		struct sim_pair p;

		sim_pair_open(&p, 1, NULL, NULL, &job);
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		while (!p.app[side].conn || !p.app[side].conn->grease)
			sim_run(p.sim, 1 * MS, NULL, NULL);
		p.app[side].conn->grease = false;
		watch(&p, b);
		run_out(&p, 60 * SEC);
		ck_assert_uint_gt(b[side].set, 10);
		ck_assert_uint_eq(b[side].clear, 0);
		ck_assert_uint_gt(b[!side].clear, 0);
		finish(&p);
	}
}
END_TEST

/* What arrives, by its order: a letter for each callback. */
static char order[8];

static void note(char what)
{
	size_t n = strlen(order);

	if (n + 1 < sizeof(order))
		order[n] = what;
}

static void on_token(struct ql_conn *conn UNUSED, const uint8_t *token UNUSED, size_t len UNUSED)
{
	note('t');
}

static void on_data(struct ql_stream *stream, const uint8_t *data UNUSED, size_t len,
		    bool fin UNUSED)
{
	note('s');
	ql_stream_credit(stream, len);
}

/* Settings, so to speak, and an answer. */
static void on_connected(struct ql_conn *conn)
{
	static const uint8_t data[300];
	size_t len = *(size_t *)ql_conn_user(conn);

	for (unsigned int i = 0; i < 2; i++) {
		struct ql_stream *stream;

		ck_assert_int_eq(ql_stream_open(conn, false, &stream), 0);
		if (i > 0)
			ql_stream_set_control(stream);
		ck_assert_int_eq(ql_stream_send(stream, data, i > 0 ? len : 3, false),
				 i > 0 ? (int)len : 3);
	}
}

/*
 * NEW_TOKEN comes behind what the server's application sends as control data, and before the rest:
 * a client may make what it resumes by of both the token and what it has been told until then
 * (neqo's HTTP/3 does not without SETTINGS), and it may close the connection with its answer.
 */
START_TEST(token_behind_control)
{
	static const struct ql_conn_ops server = {.connected = on_connected,
						  .stream_data = on_data};
	static const struct ql_conn_ops client = {.stream_data = on_data, .new_token = on_token};

	for (size_t len = 1; len <= 300; len += 23) {
		struct sim_job job = {.keep_open = true};
		struct ql_path path;
		struct ql_proto proto;
		struct ql_conn *conn;
		struct sim_pair p;

		memset(order, 0, sizeof(order));
		sim_pair_open(&p, 1, NULL, NULL, &job);
		ql_listen_stop(sim_engine(p.sim, SIM_SERVER));
		proto = (struct ql_proto){.alpn = SIM_ALPN, .ops = &server, .arg = &len};
		ck_assert_int_eq(ql_listen(sim_engine(p.sim, SIM_SERVER), 443, p.tls[SIM_SERVER],
					   &p.transport[SIM_SERVER], &proto, 1),
				 0);
		proto = (struct ql_proto){.alpn = SIM_ALPN, .ops = &client};
		path = sim_path(p.sim, SIM_CLIENT, SIM_SERVER);
		ck_assert_int_eq(ql_connect(sim_engine(p.sim, SIM_CLIENT), &path, p.tls[SIM_CLIENT],
					    SIM_NAME, &p.transport[SIM_CLIENT], &proto, 1, NULL,
					    sim_now(p.sim), &conn),
				 0);
		sim_run(p.sim, 1 * SEC, NULL, NULL);
		ck_assert_msg(strcmp(order, "sts") == 0, "with %zu bytes: %s", len, order);
		ql_conn_close(conn, 0, "");
		run_out(&p, 60 * SEC);
		finish(&p);
	}
}
END_TEST

/* Two connections of a client: what one sends, the end of the other takes back. */
struct taken {
	struct ql_conn *conn[2];
	struct ql_stream *stream;
	uint8_t data[1000];
	bool released;
	size_t arrived;
};

static struct taken *taken;

static void release_taken(void *arg UNUSED)
{
	taken->released = true;
	memset(taken->data, 0xaa, sizeof(taken->data));
}

static void take_back(struct ql_conn *conn, const struct ql_close_info *info UNUSED)
{
	if (conn == taken->conn[1])
		ck_assert_int_eq(ql_stream_reset(taken->stream, 7), 0);
}

static void check_data(struct ql_stream *stream UNUSED, const uint8_t *data, size_t len,
		       bool fin UNUSED)
{
	for (size_t i = 0; i < len; i++)
		ck_assert_uint_eq(data[i], 0x55);
	taken->arrived += len;
}

/* What is in a packet stays what it was, though the application has it back before the turn ends. */
START_TEST(taken_back)
{
	static const struct ql_conn_ops server = {.stream_data = check_data};
	static const struct ql_conn_ops client = {.stream_data = on_data, .closed = take_back};
	struct sim_job job = {.keep_open = true};
	struct ql_proto proto = {.alpn = SIM_ALPN, .ops = &server};
	struct ql_datagram out[TAKE];
	struct taken t = {.released = false};
	struct ql_path path;
	struct sim_pair p;
	unsigned int n;

	taken = &t;
	memset(t.data, 0x55, sizeof(t.data));
	sim_pair_open(&p, 1, NULL, NULL, &job);
	ql_listen_stop(sim_engine(p.sim, SIM_SERVER));
	ck_assert_int_eq(ql_listen(sim_engine(p.sim, SIM_SERVER), 443, p.tls[SIM_SERVER],
				   &p.transport[SIM_SERVER], &proto, 1),
			 0);
	proto.ops = &client;
	path = sim_path(p.sim, SIM_CLIENT, SIM_SERVER);
	for (unsigned int i = 0; i < 2; i++)
		ck_assert_int_eq(ql_connect(sim_engine(p.sim, SIM_CLIENT), &path, p.tls[SIM_CLIENT],
					    SIM_NAME, &p.transport[SIM_CLIENT], &proto, 1, NULL,
					    sim_now(p.sim), &t.conn[i]),
				 0);
	sim_run(p.sim, 1 * SEC, NULL, NULL);
	ck_assert_int_eq(ql_stream_open(t.conn[0], true, &t.stream), 0);
	ck_assert_int_eq(
		ql_stream_send_ref(t.stream, t.data, sizeof(t.data), 0, release_taken, NULL), 0);
	ql_conn_close(t.conn[1], 0, "");
	n = sim_take(p.sim, SIM_CLIENT, out, TAKE);
	ck_assert(t.released);
	ck_assert_uint_ge(n, 2);
	path = (struct ql_path){.local = path.remote, .remote = path.local};
	for (unsigned int i = 0; i < n; i++) {
		sim_inject(p.sim, SIM_SERVER, &path, rte_pktmbuf_mtod(out[i].mbuf, void *),
			   out[i].mbuf->data_len);
		rte_pktmbuf_free(out[i].mbuf);
	}
	ck_assert_uint_eq(t.arrived, sizeof(t.data));
	ql_conn_close(t.conn[0], 0, "");
	run_out(&p, 60 * SEC);
	finish(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conn/send");
	TCase *tc;

	tc = new_case(s, "datagrams");
	tcase_add_test(tc, coalescing_keeps_the_size);
	tc = new_case(s, "order");
	tcase_add_test(tc, token_behind_control);
	tc = new_case(s, "by reference");
	tcase_add_test(tc, taken_back);
	tc = new_case(s, "fixed bit");
	tcase_add_test(tc, test_grease);
	tcase_add_test(tc, test_no_grease);
	return run_suite(s);
}
