// SPDX-License-Identifier: BSD-3-Clause
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "outfile.h"

#define MODIFIED 784111777

static char folder[] = "/tmp/ql-outfile-XXXXXX";
static char root_name[sizeof(folder)];
static int root;

static void setup(void)
{
	memcpy(root_name, folder, sizeof(folder));
	ck_assert_ptr_nonnull(mkdtemp(root_name));
	root = open(root_name, O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(root, 0);
}

/* Each test leaves "file" and "a/b/file" at most. */
static void teardown(void)
{
	static const char *const names[] = {"a/b/file", "a/b/.file.part", "file", ".file.part",
					    "link"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlinkat(root, names[i], 0);
	unlinkat(root, "a/b", AT_REMOVEDIR);
	unlinkat(root, "a", AT_REMOVEDIR);
	close(root);
	ck_assert_int_eq(rmdir(root_name), 0);
}

static void content_is(const char *name, const char *want)
{
	char buf[64] = "";
	int fd = openat(root, name, O_RDONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(read(fd, buf, sizeof(buf) - 1), (ssize_t)strlen(want));
	ck_assert_str_eq(buf, want);
	close(fd);
}

static void begin(struct ql_outfile *f, const char *name, const char *content)
{
	ck_assert_int_eq(ql_outfile_open(f, root, name, 0), 0);
	ck_assert_int_eq(ql_outfile_write(f, content, strlen(content)), 0);
}

START_TEST(whole)
{
	struct ql_outfile f;
	struct ql_have have;

	ql_outfile_look(root, "a/b/file", &have);
	ck_assert(!have.whole);
	ck_assert_int_ne(faccessat(root, "a", F_OK, 0), 0); /* looking makes no folders */
	begin(&f, "a/b/file", "hello");
	ql_outfile_look(root, "a/b/file", &have);
	ck_assert(!have.whole && have.part == 0);
	f.modified = MODIFIED;
	ck_assert_int_eq(ql_outfile_commit(&f), 0);
	content_is("a/b/file", "hello");
	ql_outfile_look(root, "a/b/file", &have);
	ck_assert(have.whole && have.part == 0);
	ck_assert_int_eq(have.modified, MODIFIED);
}
END_TEST

/* What was cut off goes on, and the file is there only when it is complete. */
START_TEST(resumed)
{
	struct ql_outfile f;
	struct ql_have have;

	begin(&f, "file", "hel");
	f.modified = MODIFIED;
	ql_outfile_keep(&f);
	ql_outfile_look(root, "file", &have);
	ck_assert(!have.whole);
	ck_assert_uint_eq(have.part, 3);
	ck_assert_int_eq(have.part_modified, MODIFIED);

	ck_assert_int_eq(ql_outfile_reopen(&f, root, "file"), 0);
	/* nobody else gets it */
	struct ql_outfile other;
	ck_assert_int_eq(ql_outfile_reopen(&other, root, "file"), -ENOENT);
	ck_assert_int_eq(ql_outfile_write(&f, "lo", 2), 0);
	f.modified = MODIFIED;
	ql_outfile_keep(&f);
	ck_assert_int_eq(ql_outfile_reopen(&f, root, "file"), 0);
	ck_assert_int_eq(ql_outfile_write(&f, "!", 1), 0);
	ck_assert_int_eq(ql_outfile_commit(&f), 0);
	content_is("file", "hello!");
	ql_outfile_look(root, "file", &have);
	ck_assert(have.whole && have.part == 0);
}
END_TEST

/* Without the server's time nobody can tell later what a part is of. */
START_TEST(not_kept)
{
	struct ql_outfile f;
	struct ql_have have;

	begin(&f, "file", "hel");
	ql_outfile_keep(&f);
	ql_outfile_look(root, "file", &have);
	ck_assert_uint_eq(have.part, 0);
	begin(&f, "file", "hel");
	ql_outfile_abort(&f);
	ql_outfile_look(root, "file", &have);
	ck_assert_uint_eq(have.part, 0);
}
END_TEST

/* Links are not followed. */
START_TEST(links)
{
	struct ql_outfile f;
	struct ql_have have;

	ck_assert_int_eq(symlinkat("/etc", root, "link"), 0);
	ck_assert_int_eq(ql_outfile_open(&f, root, "link/file", 0), -ENOTDIR);
	ql_outfile_look(root, "link/passwd", &have);
	ck_assert(!have.whole);
	ck_assert_int_eq(symlinkat("/etc/passwd", root, ".file.part"), 0);
	ql_outfile_look(root, "file", &have);
	ck_assert_uint_eq(have.part, 0);
	ck_assert_int_eq(ql_outfile_reopen(&f, root, "file"), -ELOOP);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("app/outfile");
	TCase *t = tcase_create("outfile");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, whole);
	tcase_add_test(t, resumed);
	tcase_add_test(t, not_kept);
	tcase_add_test(t, links);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
