// SPDX-License-Identifier: BSD-3-Clause
/*
 * A protocol of nothing but datagrams (RFC 9221), with ALPN "echo": each comes back as it is, as
 * long as there is room in the connection's queue; no streams. One ql_echo an engine; the same
 * thread.
 */
#ifndef QL_APP_ECHO_H
#define QL_APP_ECHO_H

#include <qlane/engine.h>

#define QL_ECHO_ALPN "echo"

struct ql_echo;

struct ql_echo_stats {
	uint64_t conns;	   /* so far */
	uint64_t returned; /* datagrams */
	uint64_t dropped;  /* no room in the queue, or too large for the way back */
};

/* NULL: no memory. */
struct ql_echo *ql_echo_create(void);
/* After the engine was freed. */
void ql_echo_free(struct ql_echo *echo);

/* For ql_listen(), whose transport has to take datagrams. */
struct ql_proto ql_echo_proto(struct ql_echo *echo);

/* Close its connections; the lane has to turn on until the peers are told. */
void ql_echo_close(struct ql_echo *echo);
/* Connections that have not ended. */
unsigned int ql_echo_conns(const struct ql_echo *echo);

const struct ql_echo_stats *ql_echo_stats(const struct ql_echo *echo);

#endif /* QL_APP_ECHO_H */
