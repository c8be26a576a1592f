// SPDX-License-Identifier: BSD-3-Clause
/*
 * Check writes the place of each assertion that holds to a file, with a system call each, and reads
 * all of it afterwards: millions of them took longer than what they stand for. After a while it is
 * told of some only; a test that crashes later than that did so not long behind the place that Check
 * names.
 */
#include <check.h>

#define FIRST 1000 /* all of these, */
#define EACH  1000 /* and then one of so many */

/* What the macros of check.h call in the tests, which are built with -D_mark_point=ql_mark_point. */
void ql_mark_point(const char *file, int line);

void ql_mark_point(const char *file, int line)
{
	static unsigned int marks;

	if (++marks <= FIRST || marks % EACH == 0)
		_mark_point(file, line);
}
