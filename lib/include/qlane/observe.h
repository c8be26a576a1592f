// SPDX-License-Identifier: BSD-3-Clause
/**
 * @file
 * Looking at a running process: counters as text, JSON and DPDK telemetry, the TLS key log, and
 * qlog.
 *
 * Everything here runs on any thread but an lcore's packet path, if it does not say otherwise, and
 * reads the counters of running lanes without stopping them: each number is right, but two of them
 * may be of different turns.
 */
#ifndef QLANE_OBSERVE_H
#define QLANE_OBSERVE_H

#include <stdio.h>

#include <qlane/net.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What is looked at. The strings and objects stay the caller's. */
struct ql_observed {
	const char *name;		/**< such as "lane0": letters, digits, '_' and '-' */
	const struct ql_engine *engine; /**< or NULL */
	const struct ql_lane *lane;	/**< or NULL */
};

/**
 * Write a table of all counters, one a line; drop reasons that never happened are left out.
 * @return 0, or the negative errno of the write
 */
QL_PUBLIC int ql_report_text(FILE *out, const struct ql_observed *what);
/** Write all counters as one JSON object on one line, {"name":...,"engine":{...},"lane":{...}}. */
QL_PUBLIC int ql_report_json(FILE *out, const struct ql_observed *what);

/**
 * Show @p what in DPDK's telemetry (dpdk-telemetry.py): /qlane/engines lists the names,
 * /qlane/stats,NAME gives the counters. The name is copied; engine and lane must live until
 * ql_telemetry_remove().
 * @return 0; -EINVAL for a bad name; -EEXIST; -ENOSPC
 */
QL_PUBLIC int ql_telemetry_add(const struct ql_observed *what);
/** After this returns nobody reads the counters any more. An unknown name is fine. */
QL_PUBLIC void ql_telemetry_remove(const char *name);

/**
 * Show how packets of a port find their queues: /qlane/ports gives {"0":"RSS: ...",...}, by DPDK's
 * number. The port must live until ql_telemetry_remove_port().
 * @return 0; -EEXIST; -ENOSPC
 */
QL_PUBLIC int ql_telemetry_add_port(const struct ql_port *port);
QL_PUBLIC void ql_telemetry_remove_port(const struct ql_port *port);

struct ql_keylog;

/**
 * Open a file for TLS secrets in the format of SSLKEYLOGFILE, which Wireshark reads; new lines are
 * appended, and a new file is readable by its owner only. Give ql_keylog_write() and the result to
 * ql_tls_config.keylog and keylog_arg; any number of engines, and processes, may share it.
 * @return the log, or NULL with errno set as by open()
 */
QL_PUBLIC struct ql_keylog *ql_keylog_open(const char *path);
/** A ql_keylog_fn: append one line, in one write. @p keylog is a struct ql_keylog. */
QL_PUBLIC void ql_keylog_write(void *keylog, const char *line);
/** @return 0, or the negative errno of the first line that could not be written. NULL is fine. */
QL_PUBLIC int ql_keylog_close(struct ql_keylog *keylog);

struct ql_qlog;

struct ql_qlog_config {
	/** Folder for the files; it must be there. */
	const char *dir;
	/**
	 * Bytes of events that wait to be written. A connection that is watched holds 32 KiB of
	 * it, and half of it is as many as are watched at a time [32 MiB, 512 connections]
	 */
	uint64_t memory;
	/** Say in each file when it was, by the system's clock. */
	bool wall_clock;
};

struct ql_qlog_stats {
	uint64_t connections;  /**< watched */
	uint64_t not_watched;  /**< too many at a time */
	uint64_t events;       /**< written, or about to be */
	uint64_t dropped;      /**< left out for want of memory: the files say where */
	uint64_t files, bytes; /**< written */
	uint64_t files_failed; /**< could not be made or written */
};

/**
 * Write down what connections do, for tools such as qvis: qlog (draft-ietf-quic-qlog-quic-events)
 * as JSON Text Sequences, a file for each connection, named by the client's first destination
 * connection ID: ODCID_server.sqlog or ODCID_client.sqlog. A file of that name is replaced. They
 * hold addresses, connection IDs and sizes, but no key, no token and nothing of what was
 * transferred; only their owner can read them. Packets that belong to no connection are not in
 * them, nor are connections of which no packet authenticated.
 *
 * Give ql_qlog_tracer() to ql_engine_config.tracer, of engines that one thread runs. The engines
 * never wait for a disk: they fill memory, and ql_qlog_write() empties it into the files. Call that
 * often, on the thread of the engines between turns if it may wait for a disk, else on one other
 * thread of its own.
 *
 * @return a qlog; NULL with errno set: as open() for the folder; EACCES when it cannot be written
 * to; EINVAL for less memory than a connection needs; ENOMEM
 */
QL_PUBLIC struct ql_qlog *ql_qlog_open(const struct ql_qlog_config *config);
QL_PUBLIC struct ql_tracer *ql_qlog_tracer(struct ql_qlog *qlog);
/** Write what waits. @return whether there was anything */
QL_PUBLIC bool ql_qlog_write(struct ql_qlog *qlog);
/**
 * On the engines' thread, every second or so: hand to ql_qlog_write() what the connections have,
 * although their memory is not full yet. Files are that fresh then, and a connection at rest holds
 * no memory.
 */
QL_PUBLIC void ql_qlog_flush(struct ql_qlog *qlog);
/** The figures; while others use the qlog, each of some recent moment. */
QL_PUBLIC void ql_qlog_stats(const struct ql_qlog *qlog, struct ql_qlog_stats *stats);
/**
 * Write the rest and free it all. The engines must be freed before, and nobody be in
 * ql_qlog_write(). NULL is fine.
 * @return 0, or the negative errno of the first file that could not be written
 */
QL_PUBLIC int ql_qlog_close(struct ql_qlog *qlog);

#ifdef __cplusplus
}
#endif

#endif /* QLANE_OBSERVE_H */
