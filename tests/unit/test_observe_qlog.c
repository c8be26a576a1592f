// SPDX-License-Identifier: BSD-3-Clause
/*
 * qlog files of whole connections, read by tests/lib/qlog.py: an independent parser that knows what
 * the draft lets an event say.
 */
#include "test_engine_util.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_mbuf.h>

#include "observe/qlog.h"

static char dir[32], files[2][128]; /* of the two ends of the first connection */
static struct ql_qlog *qlog;
static struct sim_pair p;

static void open_qlog(uint64_t memory)
{
	struct ql_qlog_config config = {.dir = dir, .memory = memory};

	strcpy(dir, "/tmp/ql_qlog.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	qlog = ql_qlog_open(&config);
	ck_assert_ptr_nonnull(qlog);
}

static void empty_tap(void *arg UNUSED, enum sim_tap_what what UNUSED, unsigned int node UNUSED,
		      const struct ql_datagram *d UNUSED, uint64_t now UNUSED)
{
	ql_qlog_write(qlog);
}

static void open_pair(uint64_t seed, const struct ql_transport *transport,
		      const struct sim_job *job, enum ql_retry retry)
{
	struct ql_engine_config config[2] = {
		[SIM_SERVER] = {.name = "server", .socket_id = -1, .retry = retry},
		[SIM_CLIENT] = {.name = "client", .lcore_index = 1, .socket_id = -1},
	};

	config[SIM_SERVER].tracer = config[SIM_CLIENT].tracer = ql_qlog_tracer(qlog);
	sim_pair_open_with(&p, seed, config, transport, job);
	sim_set_tap(p.sim, empty_tap, NULL);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
}

/* How many files there are; the first connection's go to files[]. */
static unsigned int find_files(void)
{
	static const char *const ends[] = {
		[SIM_SERVER] = "_server.sqlog", [SIM_CLIENT] = "_client.sqlog"};
	DIR *d = opendir(dir);
	unsigned int n = 0;
	struct dirent *e;

	while ((e = readdir(d)) != NULL) {
		n += e->d_name[0] != '.';
		for (unsigned int i = 0; i < 2; i++) {
			if (strstr(e->d_name, ends[i]))
				snprintf(files[i], sizeof(files[i]), "%s/%.80s", dir, e->d_name);
		}
	}
	closedir(d);
	return n;
}

/* Both ends' files are there and pass, with these arguments for both. */
static void check_files(const char *args)
{
	char command[640];

	ck_assert_uint_eq(find_files(), 2);
	snprintf(command, sizeof(command), "python3 %s/lib/qlog.py %s %s %s", QL_TESTS, args,
		 files[SIM_CLIENT], files[SIM_SERVER]);
	ck_assert_msg(system(command) == 0, "%s", command);
}

/* How often a text is in a file. */
static unsigned int count(const char *file, const char *text)
{
	size_t len = strlen(text);
	FILE *f = fopen(file, "r");
	unsigned int n = 0;
	char *line = NULL;
	size_t size = 0;

	ck_assert_ptr_nonnull(f);
	while (getdelim(&line, &size, '\x1e', f) >= 0) {
		for (const char *s = line; (s = strstr(s, text)) != NULL; s += len)
			n++;
	}
	free(line);
	fclose(f);
	return n;
}

static void remove_files(void)
{
	char path[256];
	DIR *d = opendir(dir);
	struct dirent *e;

	while ((e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%.80s", dir, e->d_name);
		if (e->d_name[0] != '.')
			unlink(path);
	}
	closedir(d);
	ck_assert_int_eq(rmdir(dir), 0);
}

/* Run out, and write it all. */
static void close_all(void)
{
	run_out(&p, 300 * SEC);
	finish(&p);
	ck_assert_int_eq(ql_qlog_close(qlog), 0);
}

/* Nothing is lost: what one end sent is what the other received, frame by frame. */
START_TEST(test_pair)
{
	struct sim_job job = {.streams = 3, .download = 300 * KB, .upload = 20 * KB};
	struct ql_transport transport = {.udp_payload = 1252};
	struct stat st;

	open_qlog(0);
	open_pair(1, &transport, &job, QL_RETRY_NEVER);
	close_all();
	check_files("--pair --has quic:alpn_information --has quic:version_information=2 "
		    "--has quic:parameters_set=4 --has quic:recovery_parameters_set=2 "
		    "--has quic:recovery_metrics_updated --has quic:congestion_state_updated "
		    "--has quic:key_discarded=8 --has quic:stream_state_updated=24");
	ck_assert_uint_eq(count(files[0], "\"new\":\"handshake_confirmed\""), 1);
	ck_assert_uint_eq(count(files[1], "\"new\":\"handshake_complete\""), 1);
	ck_assert_uint_eq(count(files[0], "\"chosen_alpn\":{\"string_value\":\"sim\"}"), 1);
	ck_assert_uint_eq(count(files[1], "quic:packet_lost"), 0);
	ck_assert_uint_eq(count(files[1], "wall_clock_time"), 0); /* not asked for */
	ck_assert_int_eq(stat(files[0], &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	remove_files();
}
END_TEST

static void note_stats(struct sim_app *app, struct ql_conn *conn)
{
	ql_conn_stats(conn, app->arg);
}

/* Losses, duplicates, forgeries: every packet given up is there, and why others were dropped. */
START_TEST(test_losses)
{
	struct sim_job job = {.streams = 1, .download = 500 * KB};
	struct ql_conn_stats stats = {0};
	struct ql_engine_stats engine;

	open_qlog(0);
	open_pair(5, NULL, &job, QL_RETRY_NEVER);
	p.app[SIM_SERVER].on_stream_closed = note_stats;
	p.app[SIM_SERVER].arg = &stats;
	for (unsigned int i = 0; i < 2; i++) {
		sim_link(p.sim, i)->loss = SIM_MILLION / 20;
		sim_link(p.sim, i)->duplicate = SIM_MILLION / 20;
	}
	run_out(&p, 300 * SEC);
	engine = sim_pair_stats(&p, SIM_CLIENT);
	close_all();
	check_files("--pair --lossy --has quic:packet_dropped");
	ck_assert_uint_gt(stats.lost_packets, 10);
	ck_assert_uint_eq(count(files[SIM_SERVER], "quic:packet_lost"), stats.lost_packets);
	ck_assert_uint_gt(count(files[SIM_SERVER], "\"trigger\":\"reordering_threshold\""), 0);
	ck_assert_uint_gt(count(files[SIM_SERVER], "\"new\":\"recovery\""), 0);
	ck_assert_uint_eq(count(files[SIM_CLIENT], "\"trigger\":\"duplicate\""),
			  engine.drops[QL_DROP_DUPLICATE]);
	ck_assert_uint_gt(engine.drops[QL_DROP_DUPLICATE], 0);
	remove_files();
}
END_TEST

/* The same seed, the same file, to the byte; another one, another. */
START_TEST(test_deterministic)
{
	struct sim_job job = {.streams = 2, .download = 100 * KB};
	static char text[3][1 << 20];
	size_t len[3];

	for (unsigned int i = 0; i < 3; i++) {
		FILE *f;

		open_qlog(0);
		open_pair(i == 2, NULL, &job, QL_RETRY_NEVER);
		sim_link(p.sim, SIM_SERVER)->loss = SIM_MILLION / 50;
		close_all();
		find_files();
		f = fopen(files[SIM_SERVER], "r");
		len[i] = fread(text[i], 1, sizeof(text[i]), f);
		fclose(f);
		remove_files();
	}
	ck_assert_uint_gt(len[0], 10000);
	ck_assert(len[0] == len[1] && memcmp(text[0], text[1], len[0]) == 0);
	ck_assert(len[0] != len[2] || memcmp(text[0], text[2], len[0]) != 0);
}
END_TEST

/* What is rare: a Retry, a move to another address, new keys, datagrams, a close with words. */
START_TEST(test_rare)
{
	struct sim_job job = {.streams = 1,
			      .download = 3 * MB,
			      .close_code = 77,
			      .close_reason = "that's \"all\""};
	struct ql_transport transport = {.max_datagram_frame_size = 65535};
	struct ql_addr to;

	open_qlog(0);
	open_pair(3, &transport, &job, QL_RETRY_ALWAYS);
	sim_run(p.sim, 150 * MS, NULL, NULL);
	to = ql_conn_path(conn_of(&p, SIM_CLIENT))->local;
	to.ip[15] = 99;
	to.port = 7777;
	sim_add_addr(p.sim, SIM_CLIENT, &to);
	ck_assert_int_eq(ql_conn_migrate(conn_of(&p, SIM_CLIENT), &to), 0);
	ql_conn_update_keys(conn_of(&p, SIM_SERVER));
	ck_assert_int_eq(ql_datagram_send(conn_of(&p, SIM_CLIENT), "hello", 5, 0, 1), 0);
	close_all();
	check_files("--pair --lossy --has quic:datagram_data_moved=2 --has quic:tuple_assigned=2 "
		    "--has quic:migration_state_updated --has quic:connection_id_updated");
	ck_assert_uint_eq(count(files[SIM_CLIENT], "\"packet_type\":\"retry\""), 1);
	ck_assert_uint_eq(count(files[SIM_SERVER], "\"trigger\":\"local_update\""), 2);
	ck_assert_uint_eq(count(files[SIM_CLIENT], "\"trigger\":\"remote_update\""), 2);
	ck_assert_uint_gt(count(files[SIM_CLIENT], "\"key_phase_bit\":true"), 2);
	ck_assert_uint_eq(count(files[SIM_CLIENT], "\"key_phase\":1,"), 2);
	ck_assert_uint_eq(count(files[SIM_CLIENT], "\"new\":\"migration_complete\""), 1);
	ck_assert_uint_eq(count(files[SIM_SERVER], "\"new\":\"migration_complete\""), 1);
	ck_assert_uint_gt(count(files[SIM_SERVER], "\"tuple\":\"1\""), 10);
	ck_assert_uint_eq(count(files[SIM_SERVER],
				"{\"initiator\":\"remote\",\"application_error\":"
				"\"unknown\",\"error_code\":77,\"reason\":"
				"\"that's \\\"all\\\"\",\"trigger\":"
				"\"application\"}"),
			  1);
	remove_files();
}
END_TEST

/* An error of QUIC's, at both ends by its name. */
START_TEST(test_refused)
{
	struct sim_job job = {.streams = 1};
	static const uint8_t bad[] = {0x1e}; /* HANDSHAKE_DONE, to a server */

	open_qlog(0);
	open_pair(4, NULL, &job, QL_RETRY_NEVER);
	p.app[SIM_CLIENT].job.keep_open = true;
	sim_run(p.sim, 200 * MS, NULL, NULL);
	send_frames(&p, SIM_CLIENT, QL_SPACE_APP, bad, sizeof(bad));
	close_all();
	check_files("");
	ck_assert_uint_eq(count(files[SIM_SERVER], "{\"initiator\":\"local\",\"connection_error\":"
						   "\"protocol_violation\""),
			  1);
	ck_assert_uint_eq(count(files[SIM_CLIENT], "{\"initiator\":\"remote\",\"connection_error\":"
						   "\"protocol_violation\""),
			  1);
	remove_files();
}
END_TEST

/* A server that goes on in version 2, and one that speaks nothing of the client's. */
START_TEST(test_versions)
{
	struct ql_transport transport = {.versions = {QL_VERSION_2, QL_VERSION_1}};
	struct sim_job job = {.streams = 1, .download = 10 * KB};
	uint32_t unknown = 0x1a2a3a4a;
	struct ql_path path;
	uint8_t buf[200], *end;
	const struct ql_conn *c;

	open_qlog(0);
	open_pair(13, &transport, &job, QL_RETRY_NEVER);
	close_all();
	check_files("--pair --has quic:version_information=4");
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert_uint_eq(count(files[i], "\"chosen_version\":\"00000001\""), 1);
		ck_assert_uint_eq(count(files[i], "\"chosen_version\":\"6b3343cf\""), 1);
	}
	remove_files();

	open_qlog(0);
	open_pair(13, &transport, &job, QL_RETRY_NEVER);
	c = conn_of(&p, SIM_CLIENT);
	path = *ql_conn_path(c);
	end = ql_pkt_put_version_negotiation(buf, buf + sizeof(buf), 0,
					     ql_cid_view(&c->local_cids.e[0].cid),
					     ql_cid_view(&c->hs->original_dcid), &unknown, 1);
	sim_inject(p.sim, SIM_CLIENT, &path, buf, (size_t)(end - buf));
	run_out(&p, 60 * SEC);
	finish(&p);
	ck_assert_int_eq(ql_qlog_close(qlog), 0);
	ck_assert_uint_eq(find_files(), 1);
	ck_assert_uint_eq(
		count(files[SIM_CLIENT], "\"packet_type\":\"version_negotiation\",\"version\""), 1);
	ck_assert_uint_eq(count(files[SIM_CLIENT], "\"supported_versions\":[\"1a2a3a4a\"]"), 1);
	ck_assert_uint_eq(count(files[SIM_CLIENT], "\"server_versions\":[\"1a2a3a4a\"]}"), 1);
	ck_assert_uint_eq(count(files[SIM_CLIENT], "\"trigger\":\"version_mismatch\""), 1);
	remove_files();
}
END_TEST

/* ---- As large as it gets ---- */

static struct ql_json error_json(char *buf, size_t size, uint64_t code, bool app)
{
	struct ql_json j = {.p = buf, .end = buf + size};

	memset(buf, 0, size);
	ql_json_open(&j, NULL, '{');
	ql_qlog_error(&j, "e", code, app);
	ql_json_close(&j, '}');
	return j;
}

START_TEST(test_errors)
{
	char buf[100];

	error_json(buf, sizeof(buf), QL_ERR_CRYPTO(0x2a), false);
	ck_assert_str_eq(buf, "{\"e\":\"crypto_error_0x12a\"}");
	error_json(buf, sizeof(buf), QL_ERR_NO_VIABLE_PATH, false);
	ck_assert_str_eq(buf, "{\"e\":\"no_viable_path\"}");
	error_json(buf, sizeof(buf), 0x300, false);
	ck_assert_str_eq(buf, "{\"e\":\"unknown\",\"error_code\":768}");
	error_json(buf, sizeof(buf), 1, true);
	ck_assert_str_eq(buf, "{\"e\":\"unknown\",\"error_code\":1}");
}
END_TEST

static void largest_id(struct ql_cid *cid)
{
	cid->len = QL_CID_MAX;
	memset(cid->id, 0xff, sizeof(cid->id));
}

static void largest_params(void *trace, const struct ql_conn *conn)
{
	struct ql_tparams tp;

	memset(&tp, 0, sizeof(tp));
	tp.present = (UINT32_C(1) << QL_TP_COUNT) - 1;
	for (uint64_t *v = &tp.max_idle_timeout; v <= &tp.min_ack_delay; v++)
		*v = UINT64_MAX;
	largest_id(&tp.original_dcid);
	largest_id(&tp.initial_scid);
	largest_id(&tp.retry_scid);
	largest_id(&tp.preferred_address.cid);
	memset(tp.preferred_address.ipv4, 0xff, 4);
	memset(tp.preferred_address.ipv6, 0xff, 16);
	tp.preferred_address.ipv4_port = tp.preferred_address.ipv6_port = UINT16_MAX;
	ql_qlog_events.params(trace, conn, &tp, false);
}

/* A packet that came, with these frames. */
static void receive(void *trace, const struct ql_conn *conn, uint64_t pn, const uint8_t *frames,
		    size_t len)
{
	static uint8_t pkt[20000];
	struct ql_open_job job = {.pkt = pkt, .pn = pn, .first = QL_PKT_FIXED, .pn_len = 4};

	job.pn_offset = (uint16_t)(1 + conn->local_cids.e[0].cid.len);
	job.payload = ql_pkt_put_short(pkt, &conn->local_cids.e[0].cid, false, false, 4) + 4;
	memcpy(job.payload, frames, len);
	job.payload_len = (uint16_t)len;
	job.len = (uint16_t)(job.payload - pkt + job.payload_len + QL_TAG_LEN);
	ql_qlog_events.received(trace, conn, QL_PKT_SHORT, &job, &conn->path);
}

/* An ACK frame of n ranges, with numbers as long as they come. */
static size_t many_ranges(uint8_t *buf, unsigned int n)
{
	uint8_t *q = buf;

	*q++ = QL_FRAME_ACK;
	q = ql_varint_put(q, QL_VARINT_MAX);
	q = ql_varint_put(q, QL_VARINT_MAX);
	q = ql_varint_put(q, n - 1);
	q = ql_varint_put(q, 0);
	for (unsigned int i = 1; i < n; i++) {
		*q++ = 0; /* gap */
		*q++ = i & 1;
	}
	return (size_t)(q - buf);
}

/*
 * Transport parameters with every value at its largest, packets with more frames, ranges and words
 * than an event may hold: all events are there, in bounds, and say that they are cut.
 */
START_TEST(test_largest)
{
	struct sim_job job = {.streams = 1, .keep_open = true};
	static uint8_t payload[16000];
	struct ql_qlog_stats before, after;
	const struct ql_conn *conn;
	uint8_t *q;

	open_qlog(0);
	open_pair(6, NULL, &job, QL_RETRY_NEVER);
	sim_run(p.sim, 200 * MS, NULL, NULL);
	conn = conn_of(&p, SIM_SERVER);
	ql_qlog_stats(qlog, &before);
	largest_params(conn->trace, conn);
	memset(payload, QL_FRAME_PING, sizeof(payload));
	receive(conn->trace, conn, 1000, payload, sizeof(payload));
	receive(conn->trace, conn, 1001, payload, many_ranges(payload, 5000));
	q = payload;
	while (q < payload + sizeof(payload) - 100) { /* ACKs and MAX_STREAM_DATA, in turn */
		q += many_ranges(q, 3);
		q = ql_frame_put_max_stream_data(q, q + 50, QL_VARINT_MAX, QL_VARINT_MAX);
	}
	receive(conn->trace, conn, 1002, payload, (size_t)(q - payload));
	memset(payload, '"', sizeof(payload));
	q = payload;
	*q++ = QL_FRAME_CONNECTION_CLOSE;
	q = ql_varint_put(q, QL_VARINT_MAX);
	q = ql_varint_put(q, QL_VARINT_MAX);
	ql_varint_put(q, sizeof(payload) - 100);
	receive(conn->trace, conn, 1003, payload, sizeof(payload) - 50);
	payload[0] = 0x3f; /* a type that nobody knows */
	receive(conn->trace, conn, 1004, payload, 100);
	ql_qlog_stats(qlog, &after);
	ck_assert_uint_eq(after.events, before.events + 6);
	ck_assert_uint_eq(after.dropped, 0);
	ql_conn_close(p.app[SIM_CLIENT].conn, 0, NULL);
	close_all();
	check_files("");
	ck_assert_uint_eq(count(files[SIM_SERVER], "\"frames_left_out\":"), 2);
	ck_assert_uint_eq(count(files[SIM_SERVER], "\"cut\":true"), 2);
	ck_assert_uint_eq(count(files[SIM_SERVER], "\"frame_type_bytes\":63"), 1);
	ck_assert_uint_eq(count(files[SIM_SERVER], "\"initial_max_data\":18446744073709551615"), 1);
	remove_files();
}
END_TEST

/* ---- Memory, files, errors ---- */

static bool first_done(void *arg UNUSED)
{
	return p.app[SIM_CLIENT].complete > 0;
}

/* Nobody writes: memory is what it is, what is left out is counted, and the file says where. */
START_TEST(test_memory)
{
	struct sim_job job = {.streams = 1, .download = 2 * MB, .keep_open = true};
	struct ql_qlog_stats stats;

	open_qlog(4 * QL_QLOG_CHUNK);
	open_pair(7, NULL, &job, QL_RETRY_NEVER);
	sim_set_tap(p.sim, NULL, NULL);
	ck_assert(sim_run(p.sim, 60 * SEC, first_done, NULL));
	ql_qlog_stats(qlog, &stats);
	ck_assert_uint_gt(stats.events, 100);
	ck_assert_uint_gt(stats.dropped, 100);
	ck_assert_uint_eq(stats.connections, 2);
	ck_assert_uint_eq(stats.bytes, 0);
	ck_assert(ql_qlog_write(qlog));
	ck_assert(!ql_qlog_write(qlog));
	ck_assert_int_eq(sim_pair_connect(&p), 0); /* two are all that are watched at a time */
	sim_set_tap(p.sim, empty_tap, NULL);
	sim_run(p.sim, 1 * SEC, NULL, NULL);
	ql_qlog_stats(qlog, &stats);
	ck_assert_uint_eq(stats.not_watched, 2);
	close_all();
	check_files("--has loglevel:warning");
	ck_assert_uint_gt(count(files[SIM_SERVER], " events left out: no memory\""), 0);
	remove_files();
}
END_TEST

/* A connection at rest: what it has told can be read when it is flushed, and it holds nothing. */
START_TEST(test_flush)
{
	struct sim_job job = {.streams = 1, .keep_open = true};
	struct ql_qlog_stats stats;

	open_qlog(0);
	open_pair(8, NULL, &job, QL_RETRY_NEVER);
	sim_run(p.sim, 1 * SEC, NULL, NULL);
	ck_assert_uint_eq(find_files(), 0);
	ql_qlog_flush(qlog);
	ck_assert(ql_qlog_write(qlog));
	ck_assert_uint_eq(find_files(), 2);
	ck_assert_uint_gt(count(files[SIM_CLIENT], "\"new\":\"handshake_confirmed\""), 0);
	ql_qlog_flush(qlog);
	ck_assert(!ql_qlog_write(qlog));
	ql_qlog_stats(qlog, &stats);
	ck_assert_uint_eq(stats.files, 2);
	ck_assert_uint_gt(stats.bytes, 5000);
	close_all();
	check_files("");
	remove_files();
}
END_TEST

/* An Initial that does not authenticate: no file, and its place is free again. */
START_TEST(test_junk)
{
	struct sim_job job = {.streams = 1};
	struct ql_qlog_stats stats;
	struct ql_path path;
	uint8_t junk[QL_INITIAL_MIN] = {0xc0, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0x44};

	open_qlog(4 * QL_QLOG_CHUNK);
	open_pair(9, NULL, &job, QL_RETRY_NEVER);
	path = path_to(&p, SIM_CLIENT);
	path.remote.port = 9;
	for (unsigned int i = 0; i < 10; i++) {
		junk[6] = (uint8_t)i;
		sim_inject(p.sim, SIM_SERVER, &path, junk, sizeof(junk));
		ql_qlog_write(qlog);
	}
	ql_qlog_stats(qlog, &stats);
	ck_assert_uint_eq(stats.connections, 11);
	ck_assert_uint_eq(stats.not_watched, 0);
	close_all();
	check_files("");
	remove_files();
}
END_TEST

/* A link of the file's name is not followed. */
START_TEST(test_link)
{
	struct sim_job job = {.streams = 1};
	char victim[64], name[2 * QL_CID_MAX + 1] = "", path[128];
	const struct ql_cid *odcid;
	struct stat st;

	open_qlog(0);
	open_pair(10, NULL, &job, QL_RETRY_NEVER);
	snprintf(victim, sizeof(victim), "%s/victim", dir);
	fclose(fopen(victim, "w"));
	odcid = &conn_of(&p, SIM_CLIENT)->hs->original_dcid;
	for (unsigned int i = 0; i < odcid->len; i++)
		sprintf(name + 2 * i, "%02x", odcid->id[i]);
	snprintf(path, sizeof(path), "%s/%s_client.sqlog", dir, name);
	ck_assert_int_eq(symlink(victim, path), 0);
	close_all();
	ck_assert_int_eq(stat(victim, &st), 0);
	ck_assert_int_eq(st.st_size, 0);
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert(S_ISREG(st.st_mode) && st.st_size > 1000);
	unlink(victim);
	check_files("");
	remove_files();
}
END_TEST

static void refused(const char *where, uint64_t memory, int error)
{
	struct ql_qlog_config config = {.dir = where, .memory = memory};

	errno = 0;
	ck_assert_ptr_null(ql_qlog_open(&config));
	ck_assert_int_eq(errno, error);
}

START_TEST(test_bad_folder)
{
	struct sim_job job = {.streams = 1};
	struct ql_qlog_stats stats;

	refused("/tmp/there/is/no/such/folder", 0, ENOENT);
	refused("/dev/null", 0, ENOTDIR);
	refused("/tmp", QL_QLOG_CHUNK, EINVAL);
	refused("/tmp", UINT64_MAX, EINVAL);
	open_qlog(0);
	ck_assert_int_eq(chmod(dir, 0500), 0);
	if (geteuid() == 0) /* who may do anything */
		ck_assert_int_eq(seteuid(65534), 0);
	refused(dir, 0, EACCES);
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
	/* and when it goes away while it is in use */
	ck_assert_int_eq(rmdir(dir), 0);
	open_pair(11, NULL, &job, QL_RETRY_NEVER);
	run_out(&p, 60 * SEC);
	finish(&p);
	ql_qlog_write(qlog);
	ql_qlog_stats(qlog, &stats);
	ck_assert_uint_eq(stats.files_failed, 2);
	ck_assert_uint_eq(stats.files, 0);
	ck_assert_int_eq(ql_qlog_close(qlog), -ENOENT);
	ck_assert_int_eq(ql_qlog_close(NULL), 0);
}
END_TEST

/* When it was, if one wants to know. */
START_TEST(test_wall_clock)
{
	struct ql_qlog_config config = {.dir = dir, .wall_clock = true};
	struct sim_job job = {.streams = 1};

	open_qlog(0);
	ck_assert_int_eq(ql_qlog_close(qlog), 0);
	qlog = ql_qlog_open(&config);
	open_pair(12, NULL, &job, QL_RETRY_NEVER);
	close_all();
	ck_assert_uint_eq(find_files(), 2);
	ck_assert_uint_eq(count(files[SIM_SERVER], "\"wall_clock_time\":\"20"), 1);
	remove_files();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("observe/qlog");
	TCase *tc = new_case(s, "qlog");

	tcase_add_test(tc, test_pair);
	tcase_add_test(tc, test_losses);
	tcase_add_test(tc, test_deterministic);
	tcase_add_test(tc, test_rare);
	tcase_add_test(tc, test_refused);
	tcase_add_test(tc, test_versions);
	tcase_add_test(tc, test_errors);
	tcase_add_test(tc, test_largest);
	tcase_add_test(tc, test_memory);
	tcase_add_test(tc, test_flush);
	tcase_add_test(tc, test_junk);
	tcase_add_test(tc, test_link);
	tcase_add_test(tc, test_bad_folder);
	tcase_add_test(tc, test_wall_clock);
	return run_suite(s);
}
