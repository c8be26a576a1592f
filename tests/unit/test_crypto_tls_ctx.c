// SPDX-License-Identifier: BSD-3-Clause
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/tls_ctx.h"
#include "tls_certs.h"

static char dir[64];
static char err[QL_TLS_ERRLEN];

/* A file of the test's own folder; content NULL for the name alone. */
static const char *file(const char *name, const char *content)
{
	static char paths[16][128];
	static unsigned int next;
	char *path = paths[next++ % 16];
	FILE *f;

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	if (!content)
		return path;
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(content, f);
	ck_assert_int_eq(fclose(f), 0);
	return path;
}

static void setup(void)
{
	strcpy(dir, "/tmp/ql-tls-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
	static const char *const names[] = {"cert", "key", "ca", "cas/ca.pem", "cas"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		remove(file(names[i], NULL));
	ck_assert_int_eq(rmdir(dir), 0);
}

/* The settings are refused with this errno and a text that has all these words. */
static void refused(const struct ql_tls_config *c, int code, const char *word1, const char *word2)
{
	memset(err, 'x', sizeof(err));
	errno = 0;
	ck_assert_ptr_null(ql_tls_ctx_create(c, err));
	ck_assert_int_eq(errno, code);
	ck_assert_msg(memchr(err, 0, sizeof(err)) && strstr(err, word1) && strstr(err, word2),
		      "error text: %s", err);
	ck_assert_ptr_null(strchr(err, '\n'));
}

static void accepted(const struct ql_tls_config *c)
{
	struct ql_tls_ctx *ctx = ql_tls_ctx_create(c, err);

	ck_assert_msg(ctx != NULL, "error text: %s", err);
	ck_assert_str_eq(err, "");
	ql_tls_ctx_free(ctx);
}

START_TEST(servers)
{
	static const char *const pairs[][2] = {
		{CERT_SERVER, KEY_SERVER},
		{CERT_SERVER CERT_CA, KEY_SERVER},
		{CERT_RSA, KEY_RSA},
		{CERT_ED25519, KEY_ED25519},
	};

	accepted(&(struct ql_tls_config){
		.server = true,
		.cert_file = file("cert", pairs[_i][0]),
		.key_file = file("key", pairs[_i][1]),
	});
}
END_TEST

START_TEST(clients)
{
	ck_assert_int_eq(mkdir(file("cas", NULL), 0700), 0);
	file("cas/ca.pem", CERT_CA);
	accepted(&(struct ql_tls_config){.insecure = true});
	accepted(&(struct ql_tls_config){.ca_file = file("ca", CERT_CA)});
	accepted(&(struct ql_tls_config){.ca_file = file("ca", CERT_CA CERT_OTHER_CA)});
	accepted(&(struct ql_tls_config){.ca_dir = file("cas", NULL)});
	accepted(&(struct ql_tls_config){.insecure = true,
					 .cert_file = file("cert", CERT_SERVER),
					 .key_file = file("key", KEY_SERVER)});
	accepted(&(struct ql_tls_config){.insecure = true, .suites = QL_SUITE_CHACHA20});
}
END_TEST

START_TEST(missing_settings)
{
	const char *cert = file("cert", CERT_SERVER), *key = file("key", KEY_SERVER);

	refused(&(struct ql_tls_config){.server = true}, EINVAL, "cert_file", "server");
	refused(&(struct ql_tls_config){.server = true, .cert_file = cert}, EINVAL, "key_file",
		"server");
	refused(&(struct ql_tls_config){.server = true, .key_file = key}, EINVAL, "cert_file",
		"server");
	refused(&(struct ql_tls_config){.insecure = true, .key_file = key}, EINVAL, "cert_file",
		"together");
	refused(&(struct ql_tls_config){.insecure = true, .suites = 8}, EINVAL, "suites", "0x8");
}
END_TEST

START_TEST(bad_certificates)
{
	struct ql_tls_config c = {.server = true, .key_file = file("key", KEY_SERVER)};

	c.cert_file = file("cert", NULL);
	refused(&c, ENOENT, c.cert_file, "cert_file");
	c.cert_file = dir;
	refused(&c, EINVAL, dir, "directory");
	c.cert_file = file("cert", "");
	refused(&c, EINVAL, c.cert_file, "PEM");
	c.cert_file = file("cert", KEY_SERVER);
	refused(&c, EINVAL, c.cert_file, "PEM");
	c.cert_file = file("cert", "-----BEGIN CERTIFICATE-----\nMIIB\n"
				   "-----END CERTIFICATE-----\n");
	refused(&c, EINVAL, c.cert_file, "damaged");
	file("cert", CERT_SERVER);
	if (geteuid() != 0) {
		ck_assert_int_eq(chmod(c.cert_file, 0), 0);
		refused(&c, EACCES, c.cert_file, "permission");
	}
}
END_TEST

START_TEST(bad_keys)
{
	struct ql_tls_config c = {.server = true, .cert_file = file("cert", CERT_SERVER)};

	c.key_file = file("key", NULL);
	refused(&c, ENOENT, c.key_file, "key_file");
	c.key_file = file("key", "hello");
	refused(&c, EINVAL, c.key_file, "PEM");
	c.key_file = file("key", KEY_ENCRYPTED);
	refused(&c, EINVAL, c.key_file, "openssl pkey");
	c.key_file = file("key", "-----BEGIN PRIVATE KEY-----\nMIIB\n"
				 "-----END PRIVATE KEY-----\n");
	refused(&c, EINVAL, c.key_file, "damaged");
	c.key_file = file("key", KEY_RSA);
	refused(&c, EINVAL, c.key_file, c.cert_file);
	c.key_file = file("key", KEY_CN_ONLY); /* same kind, other key */
	refused(&c, EINVAL, c.key_file, c.cert_file);
}
END_TEST

START_TEST(bad_authorities)
{
	struct ql_tls_config c = {.ca_file = file("ca", NULL)};

	refused(&c, ENOENT, c.ca_file, "ca_file");
	c.ca_file = file("ca", "nothing");
	refused(&c, EINVAL, c.ca_file, "PEM");
	c.ca_file = file("ca", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
	refused(&c, EINVAL, c.ca_file, "damaged");

	c = (struct ql_tls_config){.ca_dir = file("cas", NULL)};
	refused(&c, ENOENT, c.ca_dir, "ca_dir");
	ck_assert_int_eq(mkdir(c.ca_dir, 0700), 0);
	refused(&c, ENOENT, c.ca_dir, "ca_dir");
}
END_TEST

START_TEST(free_null)
{
	ql_tls_ctx_free(NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("crypto/tls_ctx");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, servers, 0, 4);
	tcase_add_test(tc, clients);
	tcase_add_test(tc, missing_settings);
	tcase_add_test(tc, bad_certificates);
	tcase_add_test(tc, bad_keys);
	tcase_add_test(tc, bad_authorities);
	tcase_add_test(tc, free_null);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
