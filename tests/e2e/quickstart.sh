#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The quick start, in a namespace that has no way out: what it needs is installed before.

# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
# shellcheck source=tests/interop/peers.sh
. "$QL_TOP/tests/interop/peers.sh"

QUICKSTART=$QL_TOP/app/quickstart.sh

# What the quick start must leave as it found it.
state() {
	ip -o link | cut -d: -f2
	find "${TMPDIR:-/tmp}" -maxdepth 1 -name 'qlane-quickstart.*'
	pgrep -c qlane-server || true
}

once() {
	local before
	before=$(state)
	"$QUICKSTART" --once --no-setup --build "$QL_BUILD"
	[ "$(state)" = "$before" ] || ql_fail "left behind: $(state)"
}

# It stays until it is told to stop, serves meanwhile, and then leaves nothing.
stopped() { # SIGNAL
	local before pid rc=0
	before=$(state)
	# a shell leaves SIGINT ignored in what it starts in the background
	env --default-signal=INT "$QUICKSTART" --no-setup --build "$QL_BUILD" >out.log 2>&1 &
	pid=$!
	ql_wait_line 60 "$pid" out.log 'Ctrl-C' || ql_fail "not up: $(cat out.log)"
	ping -n -c 1 -W 2 "$(sed -n 's,.*https://\([0-9.]*\)[:/].*,\1,p' out.log | head -1)"
	kill -"$1" "$pid"
	ql_wait_for 15 eval "! kill -0 $pid" || ql_fail "still running"
	wait "$pid" || rc=$?
	cat out.log
	[ "$rc" -eq 0 ] || ql_fail "exit code $rc"
	[ "$(state)" = "$before" ] || ql_fail "left behind: $(state)"
}

collision() {
	local rc=0
	ip tuntap add dev busy0 mode tap
	ip addr add 10.77.0.1/24 dev busy0
	ip link set busy0 up
	"$QUICKSTART" --once --no-setup --build "$QL_BUILD" --net 10.77.0 >out.log 2>&1 || rc=$?
	cat out.log
	[ "$rc" -ne 0 ] || ql_fail "took a network that is in use"
	grep -q 'busy0' out.log || ql_fail "the message does not name what uses the network"
	grep -q -- '--net' out.log || ql_fail "the message does not name the cure"
	ip link del busy0
}

bad_option() {
	local rc=0
	"$QUICKSTART" --frobnicate >out.log 2>&1 || rc=$?
	[ "$rc" -eq 2 ] && grep -q frobnicate out.log && grep -q -- --help out.log
	"$QUICKSTART" --help | grep -q -- --once
}

ql_before peer_install curl
ql_before "$QUICKSTART" --prepare --no-setup --build "$QL_BUILD"
ql_isolate "$@"
ql_begin e2e

ql_test quickstart-once 120 once
ql_test quickstart-interrupted 120 stopped INT
ql_test quickstart-terminated 120 stopped TERM
ql_test quickstart-collision 30 collision
ql_test quickstart-bad-option 30 bad_option
ql_end
