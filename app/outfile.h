// SPDX-License-Identifier: BSD-3-Clause
/*
 * Files that are being received: written under a temporary name beside their own, in large pieces,
 * and renamed when they are complete, so that whoever sees the name sees all of the file. Nothing
 * outside of the directory is written: names are relative, and links in them are not followed.
 */
#ifndef QL_APP_OUTFILE_H
#define QL_APP_OUTFILE_H

#include <stddef.h>

#define QL_OUTFILE_BUFFER (256 * 1024)

struct ql_outfile {
	int dir, fd; /* of the file's directory; of the file */
	char *name, *temporary;
	char *buffer;
	size_t used, size;
};

/*
 * Begin with a file; folders of its name are made.
 * @param root	  open directory
 * @param expected  bytes that the file will have, 0 if unknown: small files need small buffers
 * @return 0 or a negative errno
 */
int ql_outfile_open(struct ql_outfile *f, int root, const char *name, size_t expected);
/* 0 or a negative errno; the file then only needs ql_outfile_abort(). */
int ql_outfile_write(struct ql_outfile *f, const void *data, size_t len);
/* Write the rest, rename, close. 0 or a negative errno; the file is gone in both cases. */
int ql_outfile_commit(struct ql_outfile *f);
/* Remove what was written, close. */
void ql_outfile_abort(struct ql_outfile *f);

#endif /* QL_APP_OUTFILE_H */
