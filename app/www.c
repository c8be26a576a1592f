// SPDX-License-Identifier: BSD-3-Clause
#include "www.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "digest.h"
#include "files.h"
#include "select.h"
#include "upload.h"

/* A request that is under way: answered with a file, or one that brings a file. */
struct exchange {
	struct ql_file_use use; /* first */
	struct ql_http_request *req;
	struct ql_upload *upload; /* NULL: a file is sent */
	struct ql_digest *digest; /* of the upload, if its sender wants it compared; NULL */
};

struct ql_www {
	struct ql_files *files;
	struct ql_uploads *uploads; /* NULL: PUT is refused */
	struct ql_www_stats stats;
};

/* ---- Names ---- */

static int hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* "/a/b%20c?query" -> "a/b c"; false when that names nothing that can be served. */
static bool decode(const char *path, char name[QL_FILES_NAME])
{
	size_t n = 0;

	while (*path == '/')
		path++;
	while (*path && *path != '?' && *path != '#') {
		int c = (uint8_t)*path++;

		if (c == '%') {
			if (hex(path[0]) < 0 || hex(path[1]) < 0)
				return false;
			c = hex(path[0]) << 4 | hex(path[1]);
			path += 2;
		}
		if (c == 0 || n + sizeof("index.html") >= QL_FILES_NAME)
			return false;
		name[n++] = (char)c;
	}
	name[n] = 0;
	return true;
}

static const char *content_type(const char *name)
{
	static const char *const types[][2] = {
		{"html", "text/html; charset=utf-8"},
		{"htm", "text/html; charset=utf-8"},
		{"txt", "text/plain; charset=utf-8"},
		{"md", "text/plain; charset=utf-8"},
		{"css", "text/css"},
		{"js", "text/javascript"},
		{"mjs", "text/javascript"},
		{"json", "application/json"},
		{"xml", "application/xml"},
		{"svg", "image/svg+xml"},
		{"png", "image/png"},
		{"jpg", "image/jpeg"},
		{"jpeg", "image/jpeg"},
		{"gif", "image/gif"},
		{"webp", "image/webp"},
		{"avif", "image/avif"},
		{"ico", "image/x-icon"},
		{"wasm", "application/wasm"},
		{"pdf", "application/pdf"},
		{"mp4", "video/mp4"},
		{"webm", "video/webm"},
		{"mp3", "audio/mpeg"},
		{"woff2", "font/woff2"},
		{"zip", "application/zip"},
		{"gz", "application/gzip"},
	};
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot && i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcasecmp(dot + 1, types[i][0]) == 0)
			return types[i][1];
	}
	return "application/octet-stream";
}

/* ---- Answers ---- */

static const char *date(void)
{
	static __thread char text[QL_HTTP_DATE];
	static __thread time_t of;
	time_t now = time(NULL);

	if (now != of)
		ql_http_date(of = now, text);
	return text;
}

static const char *phrase(int status)
{
	switch (status) {
	case 301:
		return "301 It is a directory\n";
	case 400:
		return "400 Bad path, length or digest\n";
	case 403:
		return "403 Not for you\n";
	case 404:
		return "404 Not found\n";
	case 405:
		return "405 Not that method\n";
	case 409:
		return "409 Something else is there\n";
	case 412:
		return "412 It is not what you think\n";
	case 413:
		return "413 It is too large\n";
	case 414:
		return "414 The name is too long\n";
	case 416:
		return "416 It does not go that far\n";
	case 503:
		return "503 Later\n";
	case 507:
		return "507 The disk is full\n";
	default:
		return "500 The server cannot\n";
	}
}

static void refuse(struct ql_www *www, struct ql_http_request *req, int status,
		   const struct ql_http_field *extra, bool head)
{
	const char *text = phrase(status);
	const struct ql_http_body body = {.data = text, .len = strlen(text)};
	char length[24];
	struct ql_http_field fields[4] = {
		{"date", date()},
		{"content-type", "text/plain"},
		{"content-length", length},
	};

	if (status == 404)
		www->stats.not_found++;
	else
		www->stats.refused++;
	snprintf(length, sizeof(length), "%zu", strlen(text));
	if (extra)
		fields[3] = *extra;
	ql_http_respond(req, (unsigned int)status, fields, extra ? 4 : 3, head ? NULL : &body);
}

/* What is sent is counted; false if there is no memory for it, or the client is gone. */
static bool send_part(struct ql_www *www, struct ql_http_request *req, struct ql_file *f,
		      const struct ql_selected *part, const struct ql_http_field *fields,
		      size_t n_fields)
{
	const struct ql_http_body body = {.data = f->data + part->first,
					  .len = part->len,
					  .release = ql_file_unref,
					  .arg = f};
	struct exchange *x = calloc(1, sizeof(*x));

	if (!x)
		return false;
	ql_file_ref(f);
	if (ql_http_respond(req, part->status, fields, n_fields, &body) < 0) {
		ql_file_unref(f);
		free(x);
		return false;
	}
	www->stats.bytes += part->len;
	x->req = req;
	ql_file_use(f, &x->use);
	ql_http_set_user(req, x);
	return true;
}

static void serve(struct ql_www *www, struct ql_http_request *req, const char *name,
		  struct ql_file *f, bool head)
{
	const struct ql_select want = {
		.if_match = ql_http_header(req, "if-match"),
		.if_unmodified_since = ql_http_header(req, "if-unmodified-since"),
		.if_none_match = ql_http_header(req, "if-none-match"),
		.if_modified_since = ql_http_header(req, "if-modified-since"),
		.range = head ? NULL : ql_http_header(req, "range"),
		.if_range = ql_http_header(req, "if-range"),
	};
	char length[24], etag[QL_ETAG], modified[QL_HTTP_DATE], part[80];
	struct ql_selected sel;
	struct ql_http_field fields[] = {
		{"date", date()},
		{"etag", etag},
		{"last-modified", modified},
		{"accept-ranges", "bytes"},
		{"content-type", content_type(name)},
		{"content-length", length},
		{"content-range", part},
	};
	bool sent;

	ql_etag(&f->mtime, f->size, etag);
	ql_http_date(f->mtime.tv_sec, modified);
	sel = ql_select(&want, &(struct ql_selectable){.size = f->size,
						       .modified = f->mtime.tv_sec,
						       .now = time(NULL),
						       .etag = etag});
	switch (sel.status) {
	case 200:
	case 206:
		snprintf(length, sizeof(length), "%llu", (unsigned long long)sel.len);
		snprintf(part, sizeof(part), "bytes %llu-%llu/%zu", (unsigned long long)sel.first,
			 (unsigned long long)(sel.first + sel.len - 1), f->size);
		if (head)
			sent = ql_http_respond(req, 200, fields, 6, NULL) == 0;
		else
			sent = send_part(www, req, f, &sel, fields, sel.status == 206 ? 7 : 6);
		if (sent)
			www->stats.ok++;
		else
			refuse(www, req, 500, NULL, head);
		break;
	case 304:
		www->stats.not_modified++;
		ql_http_respond(req, 304, fields, 3, NULL);
		break;
	case 416:
		snprintf(part, sizeof(part), "bytes */%zu", f->size);
		refuse(www, req, 416, &fields[6], head);
		break;
	default:
		refuse(www, req, (int)sel.status, NULL, head);
	}
}

static void redirect(struct ql_www *www, struct ql_http_request *req, const char *path, bool head)
{
	char location[QL_FILES_NAME * 3 + 2];
	const struct ql_http_field field = {"location", location};
	size_t len = strcspn(path, "?#");

	if (path[1] == '/' || len > sizeof(location) - 2) { /* "//host" would lead elsewhere */
		refuse(www, req, 404, NULL, head);
		return;
	}
	snprintf(location, sizeof(location), "%.*s/", (int)len, path);
	refuse(www, req, 301, &field, head);
}

/* ---- PUT ---- */

static int64_t content_length(const struct ql_http_request *req)
{
	const char *text = ql_http_header(req, "content-length");
	char *end;
	long long n;

	if (!text || text[0] < '0' || text[0] > '9')
		return -1;
	n = strtoll(text, &end, 10);
	return *end ? -1 : n;
}

/* The sender names a digest, or will do so behind the content. */
static bool wants_digest(const struct ql_http_request *req)
{
	const char *trailer = ql_http_header(req, "trailer");

	return ql_http_header(req, "content-digest") ||
	       (trailer && strcasestr(trailer, "content-digest"));
}

/* It is the one that was named, before or behind the content. */
static bool digest_holds(const struct ql_http_request *req, struct ql_digest *digest)
{
	char value[QL_DIGEST];

	if (!digest)
		return true;
	ql_digest_value(digest, value);
	return ql_digest_agrees(ql_http_header(req, "content-digest"), value) &&
	       ql_digest_agrees(ql_http_trailer(req, "content-digest"), value);
}

static void end_exchange(struct exchange *x)
{
	ql_digest_free(x->digest);
	free(x);
}

/* The client need not send what is left of it. */
static void refuse_body(struct ql_www *www, struct ql_http_request *req, unsigned int status)
{
	refuse(www, req, (int)status, NULL, false);
	ql_http_stop(req);
}

static void receive(struct ql_www *www, struct ql_http_request *req, const char *name)
{
	struct exchange *x = calloc(1, sizeof(*x));
	unsigned int status = 500;

	if (x && wants_digest(req))
		x->digest = ql_digest_new();
	if (x && (x->digest || !wants_digest(req)))
		status = ql_upload_begin(www->uploads, name, content_length(req), &x->upload);
	if (status) {
		if (x)
			end_exchange(x);
		refuse_body(www, req, status);
		return;
	}
	x->req = req;
	ql_http_set_user(req, x);
}

static void on_data(struct ql_http_request *req, const uint8_t *data, size_t len, void *arg)
{
	struct exchange *x = ql_http_user(req);
	unsigned int status = 0;

	if (x && x->upload)
		status = ql_upload_data(x->upload, data, len);
	if (x && x->digest)
		ql_digest_add(x->digest, data, len);
	ql_http_credit(req, len);
	if (status) {
		ql_upload_abort(x->upload);
		ql_http_set_user(req, NULL);
		end_exchange(x);
		refuse_body(arg, req, status);
	}
}

static void on_complete(struct ql_http_request *req, void *arg)
{
	struct exchange *x = ql_http_user(req);
	struct ql_www *www = arg;
	const struct ql_http_field fields[] = {{"date", date()}, {"content-length", "0"}};
	unsigned int status = 400;

	if (!x || !x->upload)
		return;
	if (digest_holds(req, x->digest))
		status = ql_upload_commit(x->upload);
	else
		ql_upload_abort(x->upload);
	ql_http_set_user(req, NULL);
	end_exchange(x);
	if (status >= 300) {
		refuse(www, req, (int)status, NULL, false);
		return;
	}
	www->stats.uploads++;
	ql_http_respond(req, status, fields, status == 201 ? 2 : 1, NULL);
}

/* ---- Requests ---- */

static void on_request(struct ql_http_request *req, void *arg)
{
	struct ql_www *www = arg;
	const char *method = ql_http_header(req, ":method"), *path = ql_http_header(req, ":path");
	uint64_t now = ql_conn_now(ql_http_quic(ql_http_request_conn(req)));
	bool head = method && strcmp(method, "HEAD") == 0;
	bool put = method && www->uploads && strcmp(method, "PUT") == 0;
	char name[QL_FILES_NAME];
	struct ql_file *f;
	size_t len;
	int status;

	www->stats.requests++;
	if (!method || (!head && !put && strcmp(method, "GET") != 0)) {
		const char *allowed = www->uploads ? "GET, HEAD, PUT" : "GET, HEAD";

		refuse(www, req, 405, &(struct ql_http_field){"allow", allowed}, false);
		ql_http_stop(req);
		return;
	}
	if (!path || path[0] != '/' || !decode(path, name)) {
		refuse(www, req, 400, NULL, head);
		return;
	}
	if (put) {
		receive(www, req, name);
		return;
	}
	len = strlen(name);
	if (len == 0 || name[len - 1] == '/')
		strcpy(name + len, "index.html"); /* decode() left room */
	status = ql_files_get(www->files, name, now, &f);
	if (status == 200)
		serve(www, req, name, f, head);
	else if (status == 301)
		redirect(www, req, path, head);
	else
		refuse(www, req, status, NULL, head);
}

static void on_done(struct ql_http_request *req, int error, void *arg)
{
	struct ql_www *www = arg;
	struct exchange *x = ql_http_user(req);

	if (error)
		www->stats.aborted++;
	if (!x)
		return;
	if (x->upload)
		ql_upload_abort(x->upload);
	else
		ql_file_end_use(&x->use);
	end_exchange(x);
}

const struct ql_http_server_ops ql_www_ops = {
	.request = on_request,
	.data = on_data,
	.complete = on_complete,
	.done = on_done,
};

/* ---- The site ---- */

struct ql_www *ql_www_open(const char *root)
{
	struct ql_www *www = calloc(1, sizeof(*www));

	if (!www)
		return NULL;
	www->files = ql_files_open(root);
	if (!www->files) {
		free(www);
		return NULL;
	}
	return www;
}

int ql_www_upload(struct ql_www *www, const char *dir, uint64_t max)
{
	www->uploads = ql_uploads_open(dir, max);
	return www->uploads ? 0 : -errno;
}

void ql_www_close(struct ql_www *www)
{
	ql_files_close(www->files);
	if (www->uploads)
		ql_uploads_close(www->uploads);
	free(www);
}

const struct ql_www_stats *ql_www_stats(const struct ql_www *www)
{
	return &www->stats;
}

void ql_www_tick(struct ql_www *www)
{
	struct ql_file_use *use;

	/* done() ends the use; the file may go with it */
	while ((use = ql_files_broken(www->files)) != NULL)
		ql_http_cancel(((struct exchange *)use)->req, QL_H3_INTERNAL_ERROR);
}
