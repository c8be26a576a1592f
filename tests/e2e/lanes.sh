#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Programs on several lcores, each with a queue of its own, over all kinds of devices. It takes about a
# minute.

# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
# shellcheck source=tests/lib/files.sh
. "$QL_TOP/tests/lib/files.sh"
# shellcheck source=tests/lib/qlane.sh
. "$QL_TOP/tests/lib/qlane.sh"
# shellcheck source=tests/interop/peers.sh
. "$QL_TOP/tests/interop/peers.sh"

# The machine may have less cores than lanes: those without work give theirs away.
LEAN=(--idle sleep --memory 64)

lcores() { # COUNT : for --lcores, on two cores
	local i list=
	for ((i = 0; i < $1; i++)); do
		list=$list,$i@$((i % $(nproc)))
	done
	echo "${list#,}"
}

# A counter of each lane, one a line.
counter() { # GROUP NAME
	python3 - "$@" <<-'PYTHON'
	import json, sys
	for line in open("stats.json"):
	    print(json.loads(line)[sys.argv[1]][sys.argv[2]])
	PYTHON
}

sum() { # GROUP NAME
	counter "$@" | awk '{ n += $1 } END { print n }'
}

# The same files by several connections at a time, over IPv4 and IPv6; every lane has some of them.
queues() { # COUNT
	local QL_LCORES i pids=() address
	QL_LCORES=$(lcores "$1")
	ql_server_start "${LEAN[@]}" --json-stats stats.json
	grep -qE "\(lcores? $(seq -s ', ' 0 $(($1 - 1)))," server.log || ql_fail "not on $1 lcores"
	ping -n -c 2 -i 0.2 -W 5 "$QL_OUR4"
	for ((i = 0; i < 3 * $1; i++)); do
		address=$QL_OUR4
		[ $((i % 2)) -eq 0 ] || address=$QL_OUR6
		peer_client_fetch curl h3 "$address" "$QL_PORT" "$CERT/ca.pem" "out$i" one.bin small/s0009 &
		pids+=($!)
	done
	for i in "${!pids[@]}"; do
		wait "${pids[i]}"
		ql_same "$WWW" "out$i" one.bin small/s0009
	done
	ql_server_stop
	[ "$(wc -l <stats.json)" -eq "$1" ] || ql_fail "not a line for each lane"
	[ "$(sum engine conns_accepted)" -eq $((3 * $1)) ] || ql_fail "a connection was counted twice"
	grep -qE "^qlane-server: $((6 * $1)) requests: $((6 * $1)) answered" server.log ||
		ql_fail "not all requests are in the sum"
}

ql_before ql_need_programs "$QL_SERVER" "$QL_CLIENT"
ql_before peer_install curl
ql_isolate "$@"
ql_begin e2e
ql_fixtures

for n in 1 2 4; do
	ql_test "lanes-tap-$n" 60 queues $n
done
ql_end
