// SPDX-License-Identifier: BSD-3-Clause
/*
 * Files that are being received: written under a temporary name beside their own, in large pieces,
 * and renamed when they are complete, so that whoever sees the name sees all of the file. Nothing
 * outside of the directory is written: names are relative, and links in them are not followed.
 *
 * What is cut off can be kept as ".NAME.part", to go on with; its time and that of a file are the
 * server's then (Last-Modified), so that what goes on is known to be of the same file.
 */
#ifndef QL_APP_OUTFILE_H
#define QL_APP_OUTFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define QL_OUTFILE_BUFFER (256 * 1024)

struct ql_outfile {
	int dir, fd; /* of the file's directory; of the file */
	char *name, *temporary;
	char *buffer;
	size_t used, size;
	time_t modified; /* what its time is to be; 0: the time of writing */
};

/* What is there of a file. The times are the server's, as it gave them in Last-Modified. */
struct ql_have {
	bool whole; /* all of it, */
	time_t modified;
	uint64_t part; /* or its first bytes */
	time_t part_modified;
};

void ql_outfile_look(int root, const char *name, struct ql_have *have);

/*
 * Begin with a file; folders of its name are made.
 * @param root	  open directory
 * @param expected  bytes that the file will have, 0 if unknown: small files need small buffers
 * @return 0 or a negative errno
 */
int ql_outfile_open(struct ql_outfile *f, int root, const char *name, size_t expected);
/* Go on with the part of it that was kept, which is this one's from now on. */
int ql_outfile_reopen(struct ql_outfile *f, int root, const char *name);
/* 0 or a negative errno; the file then only needs ql_outfile_abort(). */
int ql_outfile_write(struct ql_outfile *f, const void *data, size_t len);
/* Write the rest, rename, close. 0 or a negative errno; the file is gone in both cases. */
int ql_outfile_commit(struct ql_outfile *f);
/* Remove what was written, close. */
void ql_outfile_abort(struct ql_outfile *f);
/* Keep what was written as a part, close. Without a time of the server's it is removed. */
void ql_outfile_keep(struct ql_outfile *f);

#endif /* QL_APP_OUTFILE_H */
