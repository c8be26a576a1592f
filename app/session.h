// SPDX-License-Identifier: BSD-3-Clause
/*
 * What qlane-client keeps of its servers from one run to the next (--session FILE): for each, by
 * host and port, the latest session and the latest token. They are secrets: the file is its
 * owner's to read only. A line for each server:
 *
 *	HOST PORT SESSION TOKEN		the last two in hexadecimal, "-" for none
 *
 * What is taken out is not there any more, since both are good for one connection; what the server
 * gives meanwhile takes its place. Several lcores may take and put.
 */
#ifndef QL_APP_SESSION_H
#define QL_APP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <qlane/conn.h>

struct ql_saved {
	uint8_t session[QL_SESSION_MAX];
	size_t session_len; /* 0: none */
	uint8_t token[QL_TOKEN_MAX];
	size_t token_len;
};

struct ql_sessions;

/* Read the file, which need not exist. NULL after a message. */
struct ql_sessions *ql_sessions_open(const char *path);
/* Write it anew. False after a message. */
bool ql_sessions_save(struct ql_sessions *s);
/* NULL is fine. */
void ql_sessions_free(struct ql_sessions *s);

/* Everything of a server, which is forgotten then. */
struct ql_saved ql_sessions_take(struct ql_sessions *s, const char *host, uint16_t port);
/* Larger ones are not kept. */
void ql_sessions_put_session(struct ql_sessions *s, const char *host, uint16_t port,
			     const uint8_t *session, size_t len);
void ql_sessions_put_token(struct ql_sessions *s, const char *host, uint16_t port,
			   const uint8_t *token, size_t len);

#endif /* QL_APP_SESSION_H */
