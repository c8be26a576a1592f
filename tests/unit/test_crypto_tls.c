// SPDX-License-Identifier: BSD-3-Clause
#include "ql_build.h"
#include "crypto/clock.h"
#include "test_crypto_tls_util.h"

START_TEST(suites)
{
	struct scene s = {.client_suites = 1u << _i};

	begin(&s);
	ck_assert_int_eq(run(STREAM_MAX), 0);
	check_complete((enum ql_suite)_i);
	ck_assert_str_eq(ql_tls_alpn(client.tls), "h3");
	ck_assert_str_eq(ql_tls_alpn(server.tls), "h3");
	/* one ticket, in 1-RTT */
	ck_assert_uint_gt(server.level[QL_LEVEL_APP].sent, 50);
	ck_assert_uint_eq(server.level[QL_LEVEL_APP].out[0], 4);
	ck_assert_uint_eq(client.level[QL_LEVEL_APP].sent, 0);
	/* the ClientHello leaves room for its headers in one datagram of 1,200 bytes */
	ck_assert_uint_lt(client.level[QL_LEVEL_INITIAL].sent, 1000);
}
END_TEST

START_TEST(no_common_suite)
{
	struct scene s = {.client_suites = QL_SUITE_CHACHA20, .server_suites = QL_SUITE_AES128_GCM};

	begin(&s);
	ck_assert_int_eq(run(STREAM_MAX), -EPROTO);
	ck_assert_uint_eq(ql_tls_error(server.tls), ALERT(40)); /* handshake_failure */
}
END_TEST

/* Bytes arrive in portions of any size. */
START_TEST(portions)
{
	static const size_t sizes[] = {1, 2, 3, 5, 17, 100, 1000};
	struct scene s = {0};

	begin(&s);
	ck_assert_int_eq(run(sizes[_i]), 0);
	check_complete(QL_AES128_GCM_SHA256);
}
END_TEST

START_TEST(kinds_of_keys)
{
	static const char *const pairs[][2] = {{CERT_RSA, KEY_RSA}, {CERT_ED25519, KEY_ED25519}};
	struct scene s = {.cert = pairs[_i][0], .key = pairs[_i][1]};

	begin(&s);
	ck_assert_int_eq(run(STREAM_MAX), 0);
	check_complete(QL_AES128_GCM_SHA256);
}
END_TEST

START_TEST(other_key_share)
{
	struct scene s = {.retry = true};
	size_t first;

	begin(&s);
	first = client.level[QL_LEVEL_INITIAL].sent;
	ck_assert_int_eq(run(_i ? 7 : STREAM_MAX), 0);
	check_complete(QL_AES128_GCM_SHA256);
	ck_assert_uint_gt(client.level[QL_LEVEL_INITIAL].sent, first + 100);
}
END_TEST

/* Who the client believes. */
static const struct {
	const char *name; /* NULL: no name at all, with insecure only */
	const char *cert, *key, *ca;
	bool insecure;
	uint64_t error; /* of the client; 0 when it is to succeed */
} beliefs[] = {
	{"server.example", CERT_SERVER, KEY_SERVER, CERT_CA, false, 0},
	{"SERVER.example", CERT_SERVER, KEY_SERVER, CERT_CA, false, 0},
	{"a.wild.example", CERT_SERVER, KEY_SERVER, CERT_CA, false, 0},
	{"server1", CERT_SERVER, KEY_SERVER, CERT_CA, false, 0},
	{"192.0.2.1", CERT_SERVER, KEY_SERVER, CERT_CA, false, 0},
	{"2001:db8::1", CERT_SERVER, KEY_SERVER, CERT_CA, false, 0},
	{"2001:db8:0::0001", CERT_SERVER, KEY_SERVER, CERT_CA, false, 0},
	{"server.example", CERT_SERVER, KEY_SERVER, CERT_OTHER_CA CERT_CA, false, 0},
	{"server.example", CERT_CN_ONLY, KEY_CN_ONLY, CERT_CA, false, 0},
	/* another name */
	{"other.example", CERT_SERVER, KEY_SERVER, CERT_CA, false, ALERT(42)},
	{"wild.example", CERT_SERVER, KEY_SERVER, CERT_CA, false, ALERT(42)},
	{"a.b.wild.example", CERT_SERVER, KEY_SERVER, CERT_CA, false, ALERT(42)},
	{"server2", CERT_SERVER, KEY_SERVER, CERT_CA, false, ALERT(42)},
	{"localhost", CERT_SERVER, KEY_SERVER, CERT_CA, false, ALERT(42)},
	{"other.example", CERT_CN_ONLY, KEY_CN_ONLY, CERT_CA, false, ALERT(42)},
	{"server.example", CERT_NAMELESS, KEY_NAMELESS, CERT_CA, false, ALERT(42)},
	{"server1", CERT_NAMELESS, KEY_NAMELESS, CERT_CA, false, ALERT(42)},
	/* another address */
	{"192.0.2.2", CERT_SERVER, KEY_SERVER, CERT_CA, false, ALERT(42)},
	{"2001:db8::2", CERT_SERVER, KEY_SERVER, CERT_CA, false, ALERT(42)},
	{"192.0.2.1", CERT_CN_ONLY, KEY_CN_ONLY, CERT_CA, false, ALERT(42)},
	/* unknown_ca, certificate_expired */
	{"server.example", CERT_SERVER, KEY_SERVER, CERT_OTHER_CA, false, ALERT(48)},
	{"192.0.2.1", CERT_SERVER, KEY_SERVER, CERT_OTHER_CA, false, ALERT(48)},
	{"server.example", CERT_EXPIRED, KEY_EXPIRED, CERT_CA, false, ALERT(45)},
	/* anybody */
	{"other.example", CERT_EXPIRED, KEY_EXPIRED, CERT_OTHER_CA, true, 0},
	{"192.0.2.99", CERT_SERVER, KEY_SERVER, CERT_OTHER_CA, true, 0},
	{NULL, CERT_SERVER, KEY_SERVER, CERT_OTHER_CA, true, 0},
};

#define N_BELIEFS (sizeof(beliefs) / sizeof(beliefs[0]))

START_TEST(verification)
{
	struct scene s = {
		.name = beliefs[_i].name,
		.no_name = !beliefs[_i].name,
		.cert = beliefs[_i].cert,
		.key = beliefs[_i].key,
		.ca = beliefs[_i].ca,
		.insecure = beliefs[_i].insecure,
	};

	begin(&s);
	ck_assert_int_eq(run(STREAM_MAX), beliefs[_i].error ? -EPROTO : 0);
	ck_assert_uint_eq(ql_tls_error(client.tls), beliefs[_i].error);
	if (!beliefs[_i].error) {
		check_complete(QL_AES128_GCM_SHA256);
		return;
	}
	ck_assert(!ql_tls_complete(client.tls));
	ck_assert_str_ne(ql_tls_reason(client.tls), "");
	ck_assert(!client.level[QL_LEVEL_APP].have_write);
	/* and stays so */
	ck_assert_int_eq(ql_tls_recv(client.tls, QL_LEVEL_HANDSHAKE, (const uint8_t *)"\x14", 1),
			 -EPROTO);
}
END_TEST

/* A literal address is not sent as SNI (RFC 6066, section 3); a name is. */
START_TEST(sni)
{
	struct scene s = {.name = _i ? "192.0.2.1" : "server.example"};
	bool found;

	begin(&s);
	found = memmem(client.level[0].out, client.level[0].sent, s.name, strlen(s.name)) != NULL;
	ck_assert_int_eq(found, _i == 0);
}
END_TEST

static const struct {
	struct ql_proto client[3], server[3];
	const char *chosen; /* NULL: alert no_application_protocol at the server */
} alpns[] = {
	{{{.alpn = "h3"}}, {{.alpn = "hq-interop"}, {.alpn = "h3"}}, "h3"},
	{{{.alpn = "hq-interop"}, {.alpn = "h3"}}, {{.alpn = "hq-interop"}}, "hq-interop"},
	{{{.alpn = "h"}, {.alpn = "h3x"}}, {{.alpn = "h3"}}, NULL},
	{{{.alpn = "hq-interop"}}, {{.alpn = "h3"}}, NULL},
};

START_TEST(alpn)
{
	struct scene s = {0};

	memcpy(s.client_protos, alpns[_i].client, sizeof(s.client_protos));
	memcpy(s.server_protos, alpns[_i].server, sizeof(s.server_protos));
	begin(&s);
	ck_assert_str_eq(ql_tls_alpn(client.tls), "");
	if (alpns[_i].chosen) {
		ck_assert_int_eq(run(STREAM_MAX), 0);
		check_complete(QL_AES128_GCM_SHA256);
		ck_assert_str_eq(ql_tls_alpn(client.tls), alpns[_i].chosen);
		ck_assert_str_eq(ql_tls_alpn(server.tls), alpns[_i].chosen);
	} else {
		ck_assert_int_eq(run(STREAM_MAX), -EPROTO);
		ck_assert_uint_eq(ql_tls_error(server.tls), ALERT(120));
	}
}
END_TEST

/* Change the type of an extension in a ClientHello. */
static void change_extension(uint8_t *hello, size_t len, uint16_t type, uint16_t to)
{
	size_t at = 4 + 2 + 32;

	at += 1u + hello[at];
	at += 2u + ((size_t)hello[at] << 8 | hello[at + 1]);
	at += 1u + hello[at];
	at += 2;
	while (at + 4 <= len) {
		if (hello[at] == type >> 8 && hello[at + 1] == (type & 0xff)) {
			hello[at] = (uint8_t)(to >> 8);
			hello[at + 1] = (uint8_t)to;
			return;
		}
		at += 4u + ((size_t)hello[at + 2] << 8 | hello[at + 3]);
	}
	ck_abort_msg("extension %u not found", type);
}

/* The server needs the peer's parameters and protocol, and answers nothing without. */
START_TEST(extensions_missing_at_server)
{
	/* to a type that nobody knows, and to the parameters of a draft version */
	static const uint16_t types[] = {0x39, 16, 0x39}, to[] = {0xfafa, 0xfafa, 0xffa5};
	static const uint64_t errors[] = {ALERT(109), ALERT(120), ALERT(109)};
	struct scene s = {0};

	begin(&s);
	change_extension(client.level[0].out, client.level[0].sent, types[_i], to[_i]);
	ck_assert_int_eq(run(STREAM_MAX), -EPROTO);
	ck_assert_uint_eq(ql_tls_error(server.tls), errors[_i]);
	ck_assert(!server.level[QL_LEVEL_APP].have_write);
	ck_assert_uint_eq(server.level[QL_LEVEL_HANDSHAKE].sent, 0);
}
END_TEST

/*
 * A server that answers with one of them missing: wolfSSL without our checks. It leaves out its
 * parameters when it believes that the client's were those of a draft.
 */
static bool raw_without_params;

static int raw_secrets(WOLFSSL *ssl, WOLFSSL_ENCRYPTION_LEVEL level, const uint8_t *read,
		       const uint8_t *write, size_t len)
{
	(void)level, (void)read, (void)write, (void)len;
	if (raw_without_params && ssl->quic.transport_peer) {
		ssl->quic.transport_peer_draft = ssl->quic.transport_peer;
		ssl->quic.transport_peer = NULL;
	}
	return 1;
}

static int raw_send(WOLFSSL *ssl, WOLFSSL_ENCRYPTION_LEVEL level, const uint8_t *data, size_t len)
{
	return on_send(wolfSSL_get_app_data(ssl), (enum ql_level)level, data, len) == 0;
}

static int raw_flush(WOLFSSL *ssl)
{
	(void)ssl;
	return 1;
}

static int raw_alert(WOLFSSL *ssl, WOLFSSL_ENCRYPTION_LEVEL level, uint8_t alert)
{
	(void)ssl, (void)level, (void)alert;
	return 1;
}

static const WOLFSSL_QUIC_METHOD raw_method = {raw_secrets, raw_send, raw_flush, raw_alert};

START_TEST(extensions_missing_at_client)
{
	static const uint64_t errors[] = {ALERT(109), ALERT(120)};
	struct scene s = {0};
	WOLFSSL *raw;
	char proto[] = "h3";
	int rc;

	begin(&s);
	raw = wolfSSL_new(server.ctx->wolf);
	wolfSSL_set_quic_method(raw, &raw_method);
	wolfSSL_set_app_data(raw, &server);
	raw_without_params = _i == 0;
	wolfSSL_set_quic_transport_version(raw, 0x39);
	wolfSSL_set_quic_transport_params(raw, server_params, sizeof(server_params));
	if (_i == 0)
		wolfSSL_UseALPN(raw, proto, 2, WOLFSSL_ALPN_FAILED_ON_MISMATCH);
	ck_assert_int_eq(wolfSSL_provide_quic_data(raw, wolfssl_encryption_initial,
						   client.level[0].out, client.level[0].sent),
			 WOLFSSL_SUCCESS);
	wolfSSL_quic_do_handshake(raw);
	ck_assert_uint_gt(server.level[QL_LEVEL_HANDSHAKE].sent, 0);
	rc = deliver(&server, &client, QL_LEVEL_INITIAL, STREAM_MAX);
	if (!rc)
		rc = deliver(&server, &client, QL_LEVEL_HANDSHAKE, STREAM_MAX);
	ck_assert_int_eq(rc, -EPROTO);
	ck_assert_uint_eq(ql_tls_error(client.tls), errors[_i]);
	ck_assert(!client.level[QL_LEVEL_APP].have_read);
	ck_assert_uint_eq(client.level[QL_LEVEL_HANDSHAKE].sent, 0);
	wolfSSL_free(raw);
}
END_TEST

/* The connection's own verdict on the parameters ends the handshake with its code. */
START_TEST(params_refused)
{
	struct scene s = {0};

	begin(&s);
	(_i ? &client : &server)->params_error = QL_ERR_TRANSPORT_PARAMETER_ERROR;
	ck_assert_int_eq(run(STREAM_MAX), -EPROTO);
	ck_assert_uint_eq(ql_tls_error((_i ? &client : &server)->tls),
			  QL_ERR_TRANSPORT_PARAMETER_ERROR);
}
END_TEST

/* A message that QUIC does not allow, at each place where it may come. */
static const struct {
	bool to_server;
	bool after_handshake;
	enum ql_level level;
	const char *bytes;
	size_t len;
	uint64_t error;
} intruders[] = {
	/* KeyUpdate (24), after and during the handshake */
	{true, true, QL_LEVEL_APP, "\x18\0\0\1\0", 5, ALERT(10)},
	{false, true, QL_LEVEL_APP, "\x18\0\0\1\0", 5, ALERT(10)},
	{false, true, QL_LEVEL_APP, "\x18", 1, ALERT(10)},
	{true, false, QL_LEVEL_INITIAL, "\x18\0\0\1\0", 5, ALERT(10)},
	/* EndOfEarlyData (5), a ticket for the server, CertificateRequest after the handshake */
	{true, true, QL_LEVEL_APP, "\x05\0\0\0", 4, ALERT(10)},
	{true, true, QL_LEVEL_APP, "\x04\0\0\1\0", 5, ALERT(10)},
	{false, true, QL_LEVEL_APP, "\x0d\0\0\1\0", 5, QL_ERR_PROTOCOL_VIOLATION},
	/* the other role's hello, a Finished far too early */
	{true, false, QL_LEVEL_INITIAL, "\x02\0\0\1\0", 5, ALERT(10)},
	{false, false, QL_LEVEL_INITIAL, "\x01\0\0\1\0", 5, ALERT(10)},
	{true, false, QL_LEVEL_INITIAL, "\x14\0\0\1\0", 5, ALERT(10)},
	/* levels that are over, or not there yet */
	{true, true, QL_LEVEL_INITIAL, "\x01", 1, QL_ERR_PROTOCOL_VIOLATION},
	{true, true, QL_LEVEL_HANDSHAKE, "\x14", 1, QL_ERR_PROTOCOL_VIOLATION},
	{false, true, QL_LEVEL_HANDSHAKE, "\x14", 1, QL_ERR_PROTOCOL_VIOLATION},
	{true, false, QL_LEVEL_HANDSHAKE, "\x14", 1, QL_ERR_PROTOCOL_VIOLATION},
	{true, false, QL_LEVEL_APP, "\x18", 1, QL_ERR_PROTOCOL_VIOLATION},
	{false, false, QL_LEVEL_APP, "\x04", 1, QL_ERR_PROTOCOL_VIOLATION},
	{true, false, QL_LEVEL_EARLY, "\x05\0\0\0", 4, QL_ERR_PROTOCOL_VIOLATION},
	/* a length beyond all reason */
	{true, false, QL_LEVEL_INITIAL, "\x01\x00\x40\x01", 4, QL_ERR_CRYPTO_BUFFER_EXCEEDED},
	{false, false, QL_LEVEL_INITIAL, "\x02\x00\x40\x01", 4, QL_ERR_CRYPTO_BUFFER_EXCEEDED},
	{true, false, QL_LEVEL_INITIAL, "\x01\xff\xff\xff", 4, QL_ERR_CRYPTO_BUFFER_EXCEEDED},
	{false, true, QL_LEVEL_APP, "\x04\x01\x00\x00", 4, QL_ERR_CRYPTO_BUFFER_EXCEEDED},
};

#define N_INTRUDERS (sizeof(intruders) / sizeof(intruders[0]))

START_TEST(intrusion)
{
	struct end *to = intruders[_i].to_server ? &server : &client;
	struct scene s = {0};

	begin(&s);
	if (intruders[_i].after_handshake) {
		ck_assert_int_eq(run(STREAM_MAX), 0);
		check_complete(QL_AES128_GCM_SHA256);
	}
	ck_assert_int_eq(ql_tls_recv(to->tls, intruders[_i].level,
				     (const uint8_t *)intruders[_i].bytes, intruders[_i].len),
			 -EPROTO);
	ck_assert_uint_eq(ql_tls_error(to->tls), intruders[_i].error);
	ck_assert_str_ne(ql_tls_reason(to->tls), "");
}
END_TEST

/* More Initial bytes behind the message that changed the keys, in the same portion. */
START_TEST(across_key_change)
{
	struct scene s = {0};
	struct end *from, *to;

	begin(&s);
	from = _i ? &server : &client;
	to = _i ? &client : &server;
	if (_i)
		ck_assert_int_eq(deliver(&client, &server, QL_LEVEL_INITIAL, STREAM_MAX), 0);
	from->level[0].out[from->level[0].sent++] = _i ? 2 : 1;
	ck_assert_int_eq(deliver(from, to, QL_LEVEL_INITIAL, STREAM_MAX), -EPROTO);
	ck_assert_uint_eq(ql_tls_error(to->tls), QL_ERR_PROTOCOL_VIOLATION);
}
END_TEST

/* Any flipped bit of a flight: an error or another handshake, never a crash or a completion. */
START_TEST(flipped_bits)
{
	struct scene s = {0};

	for (size_t at = (size_t)_i; at < 1200; at += 41) {
		struct end *from = at % 2 ? &client : &server;
		enum ql_level level = from == &client ? QL_LEVEL_INITIAL : QL_LEVEL_HANDSHAKE;

		s.seed++;
		begin(&s);
		if (from == &server)
			ck_assert_int_eq(deliver(&client, &server, QL_LEVEL_INITIAL, STREAM_MAX),
					 0);
		from->level[level].out[at % from->level[level].sent] ^= (uint8_t)(1 << at % 8);
		run(STREAM_MAX);
		ck_assert(!ql_tls_complete(server.tls));
		ck_assert(ql_tls_error(client.tls) || ql_tls_error(server.tls) ||
			  !ql_tls_complete(client.tls));
		end();
	}
}
END_TEST

START_TEST(bad_finished)
{
	struct scene s = {0};

	begin(&s);
	ck_assert_int_eq(deliver(&client, &server, QL_LEVEL_INITIAL, STREAM_MAX), 0);
	ck_assert_int_eq(deliver(&server, &client, QL_LEVEL_INITIAL, STREAM_MAX), 0);
	ck_assert_int_eq(deliver(&server, &client, QL_LEVEL_HANDSHAKE, STREAM_MAX), 0);
	ck_assert(ql_tls_complete(client.tls));
	ck_assert(!ql_tls_complete(server.tls));
	client.level[QL_LEVEL_HANDSHAKE].out[client.level[QL_LEVEL_HANDSHAKE].sent - 1] ^= 1;
	ck_assert_int_eq(deliver(&client, &server, QL_LEVEL_HANDSHAKE, STREAM_MAX), -EPROTO);
	ck_assert_uint_eq(ql_tls_error(server.tls), ALERT(51)); /* decrypt_error */
	ck_assert(!ql_tls_complete(server.tls));
}
END_TEST

/* A client certificate that nobody asked for. */
START_TEST(uninvited_certificate)
{
	struct scene s = {0};

	begin(&s);
	ck_assert_int_eq(deliver(&client, &server, QL_LEVEL_INITIAL, STREAM_MAX), 0);
	ck_assert_int_eq(ql_tls_recv(server.tls, QL_LEVEL_HANDSHAKE, (const uint8_t *)"\x0b", 1),
			 -EPROTO);
	ck_assert_uint_eq(ql_tls_error(server.tls), ALERT(10));
}
END_TEST

START_TEST(send_fails)
{
	struct scene s = {0};

	begin(&s);
	server.send_fails_at = server.sends + 1 + (unsigned int)_i;
	ck_assert_int_eq(run(STREAM_MAX), -EPROTO);
	ck_assert_uint_eq(ql_tls_error(server.tls), QL_ERR_INTERNAL_ERROR);
	ck_assert(!ql_tls_complete(server.tls));
}
END_TEST

START_TEST(bad_arguments)
{
	static char long_name[300], long_alpn[300];
	static const char *const names[] = {"", "a b", "ex\nample", long_name, "a,b"};
	struct scene s = {0};

	memset(long_name, 'a', 254);
	memset(long_alpn, 'a', 256);
	client.ctx = make_ctx(&s, false);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		s.name = names[i];
		ck_assert_int_eq(start_end(&s, &client, false), -EINVAL);
		ck_assert_ptr_null(client.tls);
	}
	s.name = NULL;
	s.no_name = true;
	ck_assert_int_eq(start_end(&s, &client, false), -EINVAL);
	s.no_name = false;
	s.client_protos[0].alpn = "";
	ck_assert_int_eq(start_end(&s, &client, false), -EINVAL);
	s.client_protos[0].alpn = "a,b";
	ck_assert_int_eq(start_end(&s, &client, false), -EINVAL);
	s.client_protos[0].alpn = long_alpn;
	ck_assert_int_eq(start_end(&s, &client, false), -EINVAL);
	ck_assert_int_eq(ql_tls_start(&client.tls, client.ctx,
				      &(struct ql_tls_args){.sink = &sink, .sni = "a.example"}),
			 -EINVAL);
	ql_tls_free(NULL);
}
END_TEST

/* The lines are those of the NSS key log format, with the ClientHello's random. */
START_TEST(key_log)
{
	static const char *const labels[] = {"CLIENT_HANDSHAKE_TRAFFIC_SECRET",
					     "SERVER_HANDSHAKE_TRAFFIC_SECRET",
					     "CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"};
	struct scene s = {.keylog = true, .client_suites = QL_SUITE_AES256_GCM};
	const struct ql_secret *secrets[4];

	begin(&s);
	ck_assert_int_eq(run(STREAM_MAX), 0);
	secrets[0] = &client.level[QL_LEVEL_HANDSHAKE].write;
	secrets[1] = &client.level[QL_LEVEL_HANDSHAKE].read;
	secrets[2] = &client.level[QL_LEVEL_APP].write;
	secrets[3] = &client.level[QL_LEVEL_APP].read;
	ck_assert_uint_eq(keylog_lines, 4);
	for (int i = 0; i < 4; i++) {
		char line[300];
		size_t n = (size_t)sprintf(line, "%s ", labels[i]);
		bool found = false;

		for (int k = 0; k < 32; k++)
			n += (size_t)sprintf(line + n, "%02x", client.level[0].out[6 + k]);
		line[n++] = ' ';
		for (int k = 0; k < 48; k++)
			n += (size_t)sprintf(line + n, "%02x", secrets[i]->bytes[k]);
		for (unsigned int k = 0; k < keylog_lines; k++)
			found = found || !strcmp(line, keylog[k]);
		ck_assert_msg(found, "missing: %s", line);
	}
}
END_TEST

#if QL_HAVE_WOLFSSL_RAND
/* The same seeds make the same handshake; a ticket, too, where wolfSSL has our clock. */
START_TEST(deterministic)
{
	static struct end first[2];
	struct scene s = {.seed = 7};

	begin(&s);
	ck_assert_int_eq(run(STREAM_MAX), 0);
	first[0] = client;
	first[1] = server;
	first[0].tls = first[1].tls = NULL;
	end();
	begin(&s);
	ck_assert_int_eq(run(STREAM_MAX), 0);
	for (int i = 0; i < 2; i++) {
		struct end *e = i ? &server : &client;

		for (int l = 0; l < QL_LEVELS; l++) {
			ck_assert_uint_eq(e->level[l].sent, first[i].level[l].sent);
			if (l != QL_LEVEL_APP || ql_clock_attachable())
				ck_assert_mem_eq(e->level[l].out, first[i].level[l].out,
						 e->level[l].sent);
			ck_assert_mem_eq(&e->level[l].write, &first[i].level[l].write,
					 sizeof(struct ql_secret));
		}
	}
	end();
	s.seed = 8;
	begin(&s);
	ck_assert_mem_ne(client.level[0].out, first[0].level[0].out, client.level[0].sent);
}
END_TEST
#endif

/* What ignores 1-RTT messages after ql_tls is gone knows where the last one ended. */
START_TEST(ignoring)
{
	struct scene s = {0};
	struct ql_tls_messages m;
	const uint8_t *ticket;
	size_t len;

	begin(&s);
	ck_assert_int_eq(run(STREAM_MAX), 0);
	ticket = server.level[QL_LEVEL_APP].out;
	len = server.level[QL_LEVEL_APP].sent;
	/* half a ticket before, half after */
	ck_assert_int_eq(ql_tls_recv(client.tls, QL_LEVEL_APP, ticket, len / 2), 0);
	m = ql_tls_messages(client.tls);
	ck_assert_uint_eq(ql_tls_ignore(&m, false, ticket + len / 2, len - len / 2), 0);
	ck_assert_uint_eq(ql_tls_ignore(&m, false, ticket, len), 0);
	for (size_t i = 0; i < len; i++)
		ck_assert_uint_eq(ql_tls_ignore(&m, false, ticket + i, 1), 0);
	ck_assert_uint_eq(ql_tls_ignore(&m, false, NULL, 0), 0);
	ck_assert_uint_eq(ql_tls_ignore(&m, false, (const uint8_t *)"\x18\0\0\1\0", 5), ALERT(10));
	m = ql_tls_messages(server.tls);
	ck_assert_uint_eq(ql_tls_ignore(&m, true, ticket, len), ALERT(10));
	memset(&m, 0, sizeof(m));
	ck_assert_uint_eq(ql_tls_ignore(&m, false, (const uint8_t *)"\x04\xff\0\0", 4),
			  QL_ERR_CRYPTO_BUFFER_EXCEEDED);
	/* an empty message is one */
	memset(&m, 0, sizeof(m));
	ck_assert_uint_eq(ql_tls_ignore(&m, false, (const uint8_t *)"\x04\0\0\0\x04\0\0\0", 8), 0);
	ck_assert_uint_eq(m.have, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("crypto/tls");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, suites, 0, 3);
	tcase_add_test(tc, no_common_suite);
	tcase_add_loop_test(tc, portions, 0, 7);
	tcase_add_loop_test(tc, kinds_of_keys, 0, 2);
	tcase_add_loop_test(tc, other_key_share, 0, 2);
	tcase_add_loop_test(tc, verification, 0, N_BELIEFS);
	tcase_add_loop_test(tc, sni, 0, 2);
	tcase_add_loop_test(tc, alpn, 0, sizeof(alpns) / sizeof(alpns[0]));
	tcase_add_loop_test(tc, extensions_missing_at_server, 0, 3);
	tcase_add_loop_test(tc, extensions_missing_at_client, 0, 2);
	tcase_add_loop_test(tc, params_refused, 0, 2);
	tcase_add_loop_test(tc, intrusion, 0, N_INTRUDERS);
	tcase_add_loop_test(tc, across_key_change, 0, 2);
	tcase_add_loop_test(tc, flipped_bits, 0, 4);
	tcase_add_test(tc, bad_finished);
	tcase_add_test(tc, uninvited_certificate);
	tcase_add_loop_test(tc, send_fails, 0, 4);
	tcase_add_test(tc, bad_arguments);
	tcase_add_test(tc, key_log);
#if QL_HAVE_WOLFSSL_RAND
	tcase_add_test(tc, deterministic);
#endif
	tcase_add_test(tc, ignoring);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
