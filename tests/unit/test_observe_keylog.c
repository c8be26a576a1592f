// SPDX-License-Identifier: BSD-3-Clause
#include <qlane/observe.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/ql_keylog.XXXXXX", path[64];

static void setup(void)
{
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/keys", dir);
}

static void teardown(void)
{
	unlink(path);
	rmdir(dir);
}

START_TEST(appends)
{
	struct ql_keylog *k;
	struct stat st;
	char got[64] = "";
	int fd;

	k = ql_keylog_open(path);
	ck_assert_ptr_nonnull(k);
	ql_keylog_write(k, "CLIENT_RANDOM 12");
	fd = open(path, O_RDONLY); /* a line is there at once */
	ck_assert_int_eq(read(fd, got, sizeof(got)), 17);
	ck_assert_str_eq(got, "CLIENT_RANDOM 12\n");
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(ql_keylog_close(k), 0);
	k = ql_keylog_open(path);
	ql_keylog_write(k, "");
	ql_keylog_write(k, "two");
	ck_assert_int_eq(ql_keylog_close(k), 0);
	ck_assert_int_eq(pread(fd, got, sizeof(got), 0), 22);
	ck_assert_mem_eq(got, "CLIENT_RANDOM 12\n\ntwo\n", 22);
	close(fd);
	ck_assert_int_eq(ql_keylog_close(NULL), 0);
}
END_TEST

#define THREADS 4
#define LINES	500

static void *writer(void *k)
{
	char line[200];
	static unsigned int serial;
	unsigned int me = __atomic_fetch_add(&serial, 1, __ATOMIC_RELAXED);

	memset(line, 'a' + (int)me, sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	for (unsigned int i = 0; i < LINES; i++)
		ql_keylog_write(k, line);
	return NULL;
}

/* Lines of several threads do not mix. */
START_TEST(shared)
{
	struct ql_keylog *k = ql_keylog_open(path);
	pthread_t t[THREADS];
	unsigned int lines = 0;
	char line[512];
	FILE *f;

	for (unsigned int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, writer, k), 0);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	ck_assert_int_eq(ql_keylog_close(k), 0);
	f = fopen(path, "r");
	while (fgets(line, sizeof(line), f)) {
		ck_assert_uint_eq(strlen(line), 200);
		for (unsigned int i = 1; i < 199; i++)
			ck_assert_int_eq(line[i], line[0]);
		lines++;
	}
	fclose(f);
	ck_assert_uint_eq(lines, THREADS * LINES);
}
END_TEST

START_TEST(errors)
{
	struct ql_keylog *k;

	errno = 0;
	ck_assert_ptr_null(ql_keylog_open("/nonexistent/keys"));
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_ptr_null(ql_keylog_open(dir));
	ck_assert_int_eq(errno, EISDIR);
	k = ql_keylog_open("/dev/full");
	ck_assert_ptr_nonnull(k);
	ql_keylog_write(k, "x");
	ck_assert_int_eq(ql_keylog_close(k), -ENOSPC);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("observe/keylog");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, appends);
	tcase_add_test(tc, shared);
	tcase_add_test(tc, errors);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
