// SPDX-License-Identifier: BSD-3-Clause
#include "www.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BUCKETS	       1024 /* a power of two */
#define NAME_MAX_BYTES 1024

/* What one path led to. In the table, and for as long as it is being sent. */
struct file {
	struct ql_www *www;
	char *name;	  /* below the root, decoded */
	uint64_t checked; /* ns */
	int status;	  /* 200, or why not */
	struct timespec mtime;
	uint8_t *data;
	size_t size;
	bool mapped;
	volatile bool shrunk;
	unsigned int refs;
	LIST_HEAD(, sending) sendings;
	LIST_ENTRY(file) in_bucket;
	TAILQ_ENTRY(file) by_use;
	LIST_ENTRY(file) in_mapped;
};

/* A request that is being answered with a file. */
struct sending {
	struct ql_http_request *req;
	LIST_ENTRY(sending) in_file;
};

struct ql_www {
	int root;
	unsigned int n_files;
	LIST_HEAD(, file) buckets[BUCKETS];
	TAILQ_HEAD(uses, file) by_use; /* last used first */
	LIST_HEAD(, file) mapped;
	volatile bool shrunk; /* one of them did */
	struct ql_www_stats stats;
};

/* The site of this thread, for the signal handler. */
static __thread struct ql_www *current;

/*
 * A page of a mapped file is gone: the file was cut. The thread that wants to send it must go on;
 * it finds zeros, and ql_www_tick() ends the requests of this file.
 */
static void on_sigbus(int signal, siginfo_t *info, void *context)
{
	uintptr_t page = (uintptr_t)info->si_addr & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
	uintptr_t start;
	struct file *f;

	(void)context;
	if (current) {
		LIST_FOREACH (f, &current->mapped, in_mapped) {
			start = (uintptr_t)f->data;
			if (page < start || page >= start + f->size)
				continue;
			f->shrunk = current->shrunk = true;
			if (mmap((void *)page, 1, PROT_READ,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED)
				return;
		}
	}
	sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
}

/* Files. */

static void unload(struct file *f)
{
	if (f->mapped) {
		LIST_REMOVE(f, in_mapped);
		munmap(f->data, f->size);
	} else {
		free(f->data);
	}
	f->data = NULL;
	f->mapped = false;
}

static void unref(void *arg)
{
	struct file *f = arg;

	if (--f->refs > 0)
		return;
	unload(f);
	free(f->name);
	free(f);
}

static void forget(struct file *f)
{
	struct ql_www *www = f->www;

	LIST_REMOVE(f, in_bucket);
	TAILQ_REMOVE(&www->by_use, f, by_use);
	www->n_files--;
	unref(f);
}

/* Without openat2 (before Linux 5.6, or forbidden in a container): no links, no "..". */
static int open_by_steps(int root, const char *name)
{
	const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	int dir = root, fd = -1;
	char step[NAME_MAX_BYTES];

	for (;;) {
		size_t len = strcspn(name, "/");

		snprintf(step, sizeof(step), "%.*s", (int)len, name);
		if (strcmp(step, "..") == 0) {
			fd = -1;
			errno = EXDEV;
		} else {
			fd = openat(dir, step, flags | (name[len] ? O_DIRECTORY : 0));
		}
		if (dir != root)
			close(dir);
		if (fd < 0 || name[len] == 0)
			return fd;
		dir = fd;
		name += len + 1;
	}
}

static int open_below(int root, const char *name)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, root, name, &how, sizeof(how));

	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		return open_by_steps(root, name);
	return fd;
}

static int status_of(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
		return 404;
	case EACCES:
	case EPERM:
	case EXDEV: /* leaves the root */
	case ELOOP:
	case ENXIO:
		return 403;
	default:
		return 500;
	}
}

static int load(struct file *f, int fd)
{
	size_t got = 0;

	if (f->size > QL_WWW_SMALL) {
		f->data = mmap(NULL, f->size, PROT_READ, MAP_SHARED, fd, 0);
		if (f->data == MAP_FAILED) {
			f->data = NULL;
			return 500;
		}
		f->mapped = true;
		LIST_INSERT_HEAD(&f->www->mapped, f, in_mapped);
		return 200;
	}
	f->data = malloc(f->size + 1);
	while (f->data && got < f->size) {
		ssize_t n = read(fd, f->data + got, f->size - got);

		if (n <= 0)
			return 500;
		got += (size_t)n;
	}
	return f->data ? 200 : 500;
}

/* Look at the file system; true when the file in memory is as good as the one there. */
static bool look(struct file *f, const struct file *old)
{
	struct stat st;
	int fd = open_below(f->www->root, f->name);

	if (fd < 0) {
		f->status = status_of(errno);
		return false;
	}
	if (fstat(fd, &st) < 0) {
		f->status = 500;
	} else if (S_ISDIR(st.st_mode)) {
		f->status = 301; /* its contents are below "name/" */
	} else if (!S_ISREG(st.st_mode)) {
		f->status = 403;
	} else {
		f->size = (size_t)st.st_size;
		f->mtime = st.st_mtim;
		if (old && old->status == 200 && !old->shrunk && old->size == f->size &&
		    old->mtime.tv_sec == f->mtime.tv_sec &&
		    old->mtime.tv_nsec == f->mtime.tv_nsec) {
			close(fd);
			return true;
		}
		f->status = load(f, fd);
	}
	close(fd);
	return false;
}

static uint32_t hash(const char *name)
{
	uint32_t h = 2166136261u;

	while (*name)
		h = (h ^ (uint8_t)*name++) * 16777619u;
	return h;
}

static void keep(struct ql_www *www, struct file *f, uint32_t bucket)
{
	LIST_INSERT_HEAD(&www->buckets[bucket], f, in_bucket);
	TAILQ_INSERT_HEAD(&www->by_use, f, by_use);
	if (++www->n_files > QL_WWW_FILES)
		forget(TAILQ_LAST(&www->by_use, uses));
}

/*
 * The file of a name, which belongs to the table; only files that can be served are kept there.
 * @return 200, or why there is none
 */
static int get(struct ql_www *www, const char *name, uint64_t now, struct file **file)
{
	uint32_t bucket = hash(name) & (BUCKETS - 1);
	struct file *f, *fresh;
	int status;

	LIST_FOREACH (f, &www->buckets[bucket], in_bucket) {
		if (strcmp(f->name, name) == 0)
			break;
	}
	*file = f;
	if (f && !f->shrunk && now - f->checked < QL_WWW_FRESH_NS) {
		TAILQ_REMOVE(&www->by_use, f, by_use);
		TAILQ_INSERT_HEAD(&www->by_use, f, by_use);
		return 200;
	}
	fresh = calloc(1, sizeof(*fresh));
	if (!fresh)
		return 500;
	fresh->www = www;
	fresh->refs = 1;
	fresh->checked = now;
	fresh->name = strdup(name);
	LIST_INIT(&fresh->sendings);
	if (!fresh->name) {
		unref(fresh);
		return 500;
	}
	if (look(fresh, f)) {
		unref(fresh);
		f->checked = now;
		return 200;
	}
	if (f)
		forget(f);
	*file = fresh;
	status = fresh->status;
	if (status == 200)
		keep(www, fresh, bucket);
	else
		unref(fresh);
	return status;
}

/* Requests. */

static int hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* "/a/b%20c?query" -> "a/b c"; false when that names nothing that can be served. */
static bool decode(const char *path, char name[NAME_MAX_BYTES])
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
		if (c == 0 || n + sizeof("index.html") >= NAME_MAX_BYTES)
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

static const char *date(void)
{
	static __thread char text[40];
	static __thread time_t of;
	time_t now = time(NULL);
	struct tm tm;

	if (now != of && gmtime_r(&now, &tm)) {
		strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		of = now;
	}
	return text;
}

static const char *phrase(int status)
{
	switch (status) {
	case 301:
		return "301 It is a directory\n";
	case 400:
		return "400 Bad path\n";
	case 403:
		return "403 Not for you\n";
	case 404:
		return "404 Not found\n";
	case 405:
		return "405 Only GET and HEAD\n";
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

static void serve(struct ql_www *www, struct ql_http_request *req, struct file *f, bool head)
{
	const struct ql_http_body body = {
		.data = f->data, .len = f->size, .release = unref, .arg = f};
	struct sending *s = NULL;
	char length[24];
	const struct ql_http_field fields[] = {
		{"date", date()},
		{"content-type", content_type(f->name)},
		{"content-length", length},
	};

	snprintf(length, sizeof(length), "%zu", f->size);
	if (!head) {
		s = calloc(1, sizeof(*s));
		if (!s) {
			refuse(www, req, 500, NULL, head);
			return;
		}
		f->refs++;
	}
	if (ql_http_respond(req, 200, fields, 3, head ? NULL : &body) < 0) {
		free(s);
		if (!head)
			unref(f);
		return;
	}
	www->stats.ok++;
	if (!head) {
		www->stats.bytes += f->size;
		s->req = req;
		LIST_INSERT_HEAD(&f->sendings, s, in_file);
		ql_http_set_user(req, s);
	}
}

static void redirect(struct ql_www *www, struct ql_http_request *req, const char *path, bool head)
{
	char location[NAME_MAX_BYTES * 3 + 2];
	const struct ql_http_field field = {"location", location};
	size_t len = strcspn(path, "?#");

	if (path[1] == '/' || len > sizeof(location) - 2) { /* "//host" would lead elsewhere */
		refuse(www, req, 404, NULL, head);
		return;
	}
	snprintf(location, sizeof(location), "%.*s/", (int)len, path);
	refuse(www, req, 301, &field, head);
}

static void on_request(struct ql_http_request *req, void *arg)
{
	struct ql_www *www = arg;
	const char *method = ql_http_header(req, ":method"), *path = ql_http_header(req, ":path");
	uint64_t now = ql_conn_now(ql_http_quic(ql_http_request_conn(req)));
	bool head = method && strcmp(method, "HEAD") == 0;
	char name[NAME_MAX_BYTES];
	struct file *f;
	size_t len;
	int status;

	www->stats.requests++;
	if (!method || (!head && strcmp(method, "GET") != 0)) {
		refuse(www, req, 405, &(struct ql_http_field){"allow", "GET, HEAD"}, false);
		return;
	}
	if (!path || path[0] != '/' || !decode(path, name)) {
		refuse(www, req, 400, NULL, head);
		return;
	}
	len = strlen(name);
	if (len == 0 || name[len - 1] == '/')
		strcpy(name + len, "index.html"); /* decode() left room */
	status = get(www, name, now, &f);
	if (status == 200)
		serve(www, req, f, head);
	else if (status == 301)
		redirect(www, req, path, head);
	else
		refuse(www, req, status, NULL, head);
}

static void on_done(struct ql_http_request *req, int error, void *arg)
{
	struct ql_www *www = arg;
	struct sending *s = ql_http_user(req);

	if (error)
		www->stats.aborted++;
	if (s) {
		LIST_REMOVE(s, in_file);
		free(s);
	}
}

const struct ql_http_server_ops ql_www_ops = {.request = on_request, .done = on_done};

/* The site. */

struct ql_www *ql_www_open(const char *root)
{
	struct ql_www *www = calloc(1, sizeof(*www));

	if (!www)
		return NULL;
	www->root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (www->root < 0) {
		free(www);
		return NULL;
	}
	TAILQ_INIT(&www->by_use);
	current = www;
	sigaction(SIGBUS, &(struct sigaction){.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO},
		  NULL);
	return www;
}

void ql_www_close(struct ql_www *www)
{
	struct file *f;

	while ((f = TAILQ_FIRST(&www->by_use)) != NULL)
		forget(f);
	close(www->root);
	current = NULL;
	free(www);
}

const struct ql_www_stats *ql_www_stats(const struct ql_www *www)
{
	return &www->stats;
}

void ql_www_tick(struct ql_www *www)
{
	struct file *f;
	struct sending *s;

	if (!www->shrunk)
		return;
	www->shrunk = false;
again:
	LIST_FOREACH (f, &www->mapped, in_mapped) {
		s = f->shrunk ? LIST_FIRST(&f->sendings) : NULL;
		if (s) {
			/* done() takes it out of the list; the file may go with it */
			ql_http_cancel(s->req, QL_H3_INTERNAL_ERROR);
			goto again;
		}
	}
}
