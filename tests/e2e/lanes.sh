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

# With the kernel's program no packet crosses, not even when the client's address changes; without it
# those of a client that moved do, and nothing is lost.
steered() { # OPTION...
	local QL_LCORES i how='TAP program' crossed
	QL_LCORES=$(lcores 2)
	[ $# -eq 0 ] || how='RSS, as configured'
	ql_server_start "${LEAN[@]}" --json-stats stats.json "$@"
	grep -qF "port 0 net_tap0: $how" server.log || ql_fail "not steered by $how"
	python3 "$QL_TOP/tests/interop/nat.py" --listen "$QL_KERNEL4:5544" --to "$QL_OUR4:$QL_PORT" \
		--every 300 --source "$QL_KERNEL4" >nat.log 2>&1 &
	i=$!
	ql_wait_line 10 "$i" nat.log '^ready' || ql_fail "no NAT: $(cat nat.log)"
	peer_client_fetch curl h3 "$QL_KERNEL4" 5544 "$CERT/ca.pem" out big.bin
	ql_same "$WWW" out big.bin
	ql_stop "$i"
	tail -1 nat.log
	grep -qE '^rebound ([0-9]{2,}) times' nat.log || ql_fail "hardly any rebinding"
	ql_server_stop
	crossed=$(sum engine crossed_in)
	echo "$crossed datagrams crossed"
	if [ $# -eq 0 ]; then
		[ "$crossed" -eq 0 ] || ql_fail "$crossed datagrams crossed"
	else
		[ "$crossed" -gt 0 ] || ql_fail "nothing had to cross"
	fi
	[ "$crossed" -eq "$(sum engine crossed_out)" ] || ql_fail "not all of them arrived"
}

# Our client on two lcores, which moves ten times on each of its connections and more, down and up.
moving() {
	local QL_LCORES QL_EAL direction run
	QL_LCORES=$(lcores 2)
	sysctl -qw net.ipv4.ip_forward=1
	mkdir taken
	ql_server_start "${LEAN[@]}" --json-stats stats.json --gateway "$QL_KERNEL4" --upload taken
	ql_eal "$QL_LCORES"
	run=("$QL_CLIENT" "${QL_EAL[@]}" "--vdev=net_tap1,iface=qlane1" -- "${LEAN[@]}" --ip 10.9.1.2/24
		--tap-ip 10.9.1.1/24 --gateway 10.9.1.1 --ca "$CERT/ca.pem" --json --timeout 60)
	"${run[@]}" --connections 2 --move-every 8 --out out "https://$QL_OUR4:$QL_PORT/big.bin" \
		"https://$QL_OUR4:$QL_PORT/five.bin" >down.json || ql_fail "exit code $? on the way down"
	ql_same "$WWW" out big.bin five.bin
	"${run[@]}" --move-every 8 --upload "$WWW/big.bin" "https://$QL_OUR4:$QL_PORT/up.bin" >up.json ||
		ql_fail "exit code $? on the way up"
	cmp "$WWW/big.bin" taken/up.bin
	for direction in down up; do
		python3 - "$direction" <<-'PYTHON'
		import json, sys
		j = json.load(open(sys.argv[1] + ".json"))
		print(j)
		assert j["moves"] >= 10, "it hardly moved"
		assert len(j["lanes"]) == j["connections"]
		assert all(l["connections"] == 1 for l in j["lanes"])
		PYTHON
	done
	ql_server_stop
	[ "$(sum engine crossed_in)" -eq 0 ] || ql_fail "datagrams crossed"
}

for n in 1 2 4; do
	ql_test "lanes-tap-$n" 60 queues $n
done
ql_test lanes-tap-rebinding 60 steered
ql_test lanes-tap-rebinding-hash-only 60 steered --hash-only
ql_test lanes-tap-client-moves 60 moving
ql_end
