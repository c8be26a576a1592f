// SPDX-License-Identifier: BSD-3-Clause
/**
 * @file
 * Looking at a running process: counters as text, JSON and DPDK telemetry, and the TLS key log.
 *
 * Everything here runs on any thread but an lcore's packet path, and reads the counters of running
 * lanes without stopping them: each number is right, but two of them may be of different turns.
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

#ifdef __cplusplus
}
#endif

#endif /* QLANE_OBSERVE_H */
