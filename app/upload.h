// SPDX-License-Identifier: BSD-3-Clause
/*
 * What clients send to the server by PUT: into files below a directory, each under a temporary name
 * until all of it is there (outfile.h). Writing waits for the file system, and the lane with it.
 *
 * One struct ql_uploads an engine; the same thread.
 */
#ifndef QL_APP_UPLOAD_H
#define QL_APP_UPLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QL_UPLOADS 256 /* at a time */

struct ql_uploads;
/* One file on its way. */
struct ql_upload;

/*
 * max: bytes that a file may have, 0 for any number. NULL with errno set when the directory cannot
 * be written to.
 */
struct ql_uploads *ql_uploads_open(const char *dir, uint64_t max);
/* When none is on its way any more. */
void ql_uploads_close(struct ql_uploads *uploads);

/*
 * Begin with a file; folders of its name, which has no "/" in front, are made. length is what the
 * client says that it has, -1 if it does not.
 * 0 with *upload; else the status to answer with: 403, 409, 413, 500, 503, 507.
 */
unsigned int ql_upload_begin(struct ql_uploads *uploads, const char *name, int64_t length,
			     struct ql_upload **upload);
/* 0, or the status to answer with; then only ql_upload_abort() is left to do. */
unsigned int ql_upload_data(struct ql_upload *upload, const void *data, size_t len);
/* All is there: 201 for a new file, 204 for one in place of another; or what went wrong. */
unsigned int ql_upload_commit(struct ql_upload *upload);
void ql_upload_abort(struct ql_upload *upload);

#endif /* QL_APP_UPLOAD_H */
