// SPDX-License-Identifier: BSD-3-Clause
#include "observe/counters.h"

#include <string.h>

static void walk_engine(const struct ql_engine *engine, ql_counter_fn fn, void *arg)
{
	static const char group[] = "engine";
	struct ql_engine_stats s;

	ql_engine_stats(engine, &s);
	fn(arg, group, "conns", s.conns);
	fn(arg, group, "handshakes", s.handshakes);
	fn(arg, group, "conns_accepted", s.conns_accepted);
	fn(arg, group, "conns_initiated", s.conns_initiated);
	fn(arg, group, "handshakes_done", s.handshakes_done);
	fn(arg, group, "conns_closed", s.conns_closed);
	fn(arg, group, "resumptions", s.resumptions);
	fn(arg, group, "early_accepted", s.early_accepted);
	fn(arg, group, "early_rejected", s.early_rejected);
	fn(arg, group, "early_replays", s.early_replays);
	fn(arg, group, "rx_datagrams", s.rx_datagrams);
	fn(arg, group, "rx_packets", s.rx_packets);
	fn(arg, group, "rx_bytes", s.rx_bytes);
	fn(arg, group, "crossed_out", s.crossed_out);
	fn(arg, group, "crossed_in", s.crossed_in);
	fn(arg, group, "tx_datagrams", s.tx_datagrams);
	fn(arg, group, "tx_packets", s.tx_packets);
	fn(arg, group, "tx_bytes", s.tx_bytes);
	fn(arg, group, "lost_packets", s.lost_packets);
	fn(arg, group, "ce_packets", s.ce_packets);
	fn(arg, group, "ecn_capable", s.ecn_capable);
	fn(arg, group, "ecn_failed", s.ecn_failed);
	fn(arg, group, "version_negotiations", s.version_negotiations);
	fn(arg, group, "retries", s.retries);
	fn(arg, group, "invalid_tokens", s.invalid_tokens);
	fn(arg, group, "refusals", s.refusals);
	fn(arg, group, "resets", s.resets);
	fn(arg, group, "memory_used", s.memory_used);
	fn(arg, group, "windows_used", s.windows_used);
	for (unsigned int i = 0; i < QL_DROP_MAX; i++)
		fn(arg, "engine_drops", ql_drop_name((enum ql_drop)i), s.drops[i]);
}

static void walk_lane(const struct ql_lane *lane, ql_counter_fn fn, void *arg)
{
	static const char group[] = "lane";
	struct ql_lane_stats s;

	ql_lane_stats(lane, &s);
	fn(arg, group, "turns", s.turns);
	fn(arg, group, "busy_turns", s.busy_turns);
	fn(arg, group, "sleeps", s.sleeps);
	fn(arg, group, "rx_frames", s.rx_frames);
	fn(arg, group, "tx_frames", s.tx_frames);
	fn(arg, group, "answers", s.answers);
	for (unsigned int i = 0; i < QL_NET_DROP_MAX; i++)
		fn(arg, "lane_drops", ql_net_drop_name((enum ql_net_drop)i), s.drops[i]);
}

void ql_counters_walk(const struct ql_observed *what, ql_counter_fn fn, void *arg)
{
	if (what->engine)
		walk_engine(what->engine, fn, arg);
	if (what->lane)
		walk_lane(what->lane, fn, arg);
}

bool ql_observed_name_ok(const char *name)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	size_t len = name ? strlen(name) : 0;

	return len > 0 && len < QL_OBSERVED_NAME && strspn(name, allowed) == len;
}
