// SPDX-License-Identifier: BSD-3-Clause
/*
 * A directory as a web site: GET and HEAD of the regular files below it (files.h), index.html for a
 * directory, with conditions and ranges (select.h). A file that shrinks while it is sent ends its
 * requests by a reset. And PUT, where that is wanted.
 *
 * One ql_www an engine; the same thread.
 */
#ifndef QL_APP_WWW_H
#define QL_APP_WWW_H

#include <qlane/http3.h>

struct ql_www;

struct ql_www_stats {
	uint64_t requests;
	uint64_t ok, not_modified;   /* responses 200 and 206; 304 */
	uint64_t not_found, refused; /* 404; all others */
	uint64_t uploads;	     /* responses 201 and 204 */
	uint64_t bytes;		     /* of content in responses of status 200 and 206 */
	uint64_t aborted;	     /* requests that did not come to their end */
};

/* NULL with errno set when root is no directory that can be read. */
struct ql_www *ql_www_open(const char *root);
/*
 * Take files by PUT, too, of at most so many bytes (0: any number), into this directory (upload.h).
 * 0 or a negative errno.
 */
int ql_www_upload(struct ql_www *www, const char *dir, uint64_t max);
void ql_www_close(struct ql_www *www);

/* The operations for ql_http_server_create(); their arg is the ql_www. */
extern const struct ql_http_server_ops ql_www_ops;

const struct ql_www_stats *ql_www_stats(const struct ql_www *www);

/* Call now and then between turns: ends the requests of files that have shrunk. */
void ql_www_tick(struct ql_www *www);

#endif /* QL_APP_WWW_H */
