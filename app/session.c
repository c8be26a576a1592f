// SPDX-License-Identifier: BSD-3-Clause
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#include "options.h"

#define HOST_MAX 256

struct server {
	char host[HOST_MAX];
	uint16_t port;
	struct ql_saved saved;
	TAILQ_ENTRY(server) next;
};

struct ql_sessions {
	const char *path;
	pthread_mutex_t lock; /* of the servers */
	TAILQ_HEAD(, server) servers;
};

static struct server *find(struct ql_sessions *s, const char *host, uint16_t port)
{
	struct server *at;

	TAILQ_FOREACH (at, &s->servers, next) {
		if (at->port == port && strcasecmp(at->host, host) == 0)
			return at;
	}
	return NULL;
}

/* The same; made if it is not there yet. NULL without memory, and for a name too long. */
static struct server *get(struct ql_sessions *s, const char *host, uint16_t port)
{
	struct server *at = find(s, host, port);

	if (at || strlen(host) >= HOST_MAX)
		return at;
	at = calloc(1, sizeof(*at));
	if (!at)
		return NULL;
	strcpy(at->host, host);
	at->port = port;
	TAILQ_INSERT_TAIL(&s->servers, at, next);
	return at;
}

/* "-" or hexadecimal digits, at most max bytes. False if it is neither. */
static bool read_hex(const char *text, uint8_t *to, size_t max, size_t *len)
{
	size_t n = strlen(text);
	unsigned int byte;

	*len = 0;
	if (strcmp(text, "-") == 0)
		return true;
	if (n % 2 != 0 || n / 2 > max || strspn(text, "0123456789abcdef") != n)
		return false;
	for (; *len < n / 2; (*len)++) {
		sscanf(text + 2 * *len, "%2x", &byte);
		to[*len] = (uint8_t)byte;
	}
	return true;
}

static bool read_line(struct ql_sessions *s, char *line)
{
	char *rest = line, *word[5];
	struct server *server;
	unsigned long port;
	char *end;

	for (int i = 0; i < 5; i++)
		word[i] = strtok_r(rest, " \t\n", &rest);
	if (!word[3] || word[4] || strlen(word[0]) >= HOST_MAX)
		return false;
	port = strtoul(word[1], &end, 10);
	if (*end || port == 0 || port > UINT16_MAX)
		return false;
	server = get(s, word[0], (uint16_t)port);
	return server &&
	       read_hex(word[2], server->saved.session, QL_SESSION_MAX,
			&server->saved.session_len) &&
	       read_hex(word[3], server->saved.token, QL_TOKEN_MAX, &server->saved.token_len);
}

static bool read_all(struct ql_sessions *s, FILE *f)
{
	unsigned int number = 0;
	char *line = NULL;
	size_t size = 0;
	bool good = true;

	while (good && getline(&line, &size, f) >= 0) {
		number++;
		if (line[0] == '#' || line[0] == '\n')
			continue;
		good = read_line(s, line);
		if (!good)
			ql_complain("--session %s: line %u is no session; remove the file to begin "
				    "a new one",
				    s->path, number);
	}
	free(line);
	return good;
}

struct ql_sessions *ql_sessions_open(const char *path)
{
	struct ql_sessions *s = calloc(1, sizeof(*s));
	bool good = s != NULL;
	FILE *f;

	if (!s)
		return NULL;
	s->path = path;
	pthread_mutex_init(&s->lock, NULL);
	TAILQ_INIT(&s->servers);
	f = fopen(path, "re");
	if (f) {
		good = read_all(s, f);
		fclose(f);
	} else if (errno != ENOENT) {
		ql_complain("--session %s: %s", path, strerror(errno));
		good = false;
	}
	/* better now than when all is fetched */
	if (good && !ql_sessions_save(s))
		good = false;
	if (good)
		return s;
	ql_sessions_free(s);
	return NULL;
}

void ql_sessions_free(struct ql_sessions *s)
{
	struct server *at;

	if (!s)
		return;
	while ((at = TAILQ_FIRST(&s->servers)) != NULL) {
		TAILQ_REMOVE(&s->servers, at, next);
		explicit_bzero(at, sizeof(*at));
		free(at);
	}
	free(s);
}

static void write_hex(FILE *f, const uint8_t *bytes, size_t len)
{
	fputc(' ', f);
	if (len == 0)
		fputc('-', f);
	for (size_t i = 0; i < len; i++)
		fprintf(f, "%02x", bytes[i]);
}

static void write_all(const struct ql_sessions *s, FILE *f)
{
	const struct server *at;

	fputs("# Sessions of qlane-client. Keep this file secret.\n", f);
	TAILQ_FOREACH (at, &s->servers, next) {
		if (at->saved.session_len == 0 && at->saved.token_len == 0)
			continue;
		fprintf(f, "%s %u", at->host, at->port);
		write_hex(f, at->saved.session, at->saved.session_len);
		write_hex(f, at->saved.token, at->saved.token_len);
		fputc('\n', f);
	}
}

/* Whoever reads it meanwhile sees the old one or the new one. */
bool ql_sessions_save(struct ql_sessions *s)
{
	size_t size = strlen(s->path) + sizeof(".XXXXXX");
	char *name = malloc(size);
	int fd = -1, error;
	FILE *f = NULL;

	if (name) {
		snprintf(name, size, "%s.XXXXXX", s->path);
		fd = mkstemp(name); /* with mode 0600 */
	}
	if (fd >= 0)
		f = fdopen(fd, "w");
	if (f)
		write_all(s, f);
	error = f ? 0 : errno;
	if (f && fclose(f) != 0)
		error = errno;
	else if (!f && fd >= 0)
		close(fd);
	if (error == 0 && rename(name, s->path) < 0)
		error = errno;
	if (error) {
		ql_complain("--session %s: cannot write it: %s", s->path, strerror(error));
		if (fd >= 0)
			unlink(name);
	}
	free(name);
	return error == 0;
}

struct ql_saved ql_sessions_take(struct ql_sessions *s, const char *host, uint16_t port)
{
	struct ql_saved saved = {0};
	struct server *at;

	pthread_mutex_lock(&s->lock);
	at = find(s, host, port);
	if (at) {
		saved = at->saved;
		explicit_bzero(&at->saved, sizeof(at->saved));
	}
	pthread_mutex_unlock(&s->lock);
	return saved;
}

void ql_sessions_put_session(struct ql_sessions *s, const char *host, uint16_t port,
			     const uint8_t *session, size_t len)
{
	struct server *at;

	pthread_mutex_lock(&s->lock);
	at = len <= QL_SESSION_MAX ? get(s, host, port) : NULL;
	if (at) {
		memcpy(at->saved.session, session, len);
		at->saved.session_len = len;
	}
	pthread_mutex_unlock(&s->lock);
}

void ql_sessions_put_token(struct ql_sessions *s, const char *host, uint16_t port,
			   const uint8_t *token, size_t len)
{
	struct server *at;

	pthread_mutex_lock(&s->lock);
	at = len <= QL_TOKEN_MAX ? get(s, host, port) : NULL;
	if (at) {
		memcpy(at->saved.token, token, len);
		at->saved.token_len = len;
	}
	pthread_mutex_unlock(&s->lock);
}
