#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Our client against our server in one process, over two ends of a DPDK ring: no TAP, no kernel.

# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
# shellcheck source=tests/lib/files.sh
. "$QL_TOP/tests/lib/files.sh"
# shellcheck source=tests/lib/qlane.sh
. "$QL_TOP/tests/lib/qlane.sh"

fetch() { # PROTO HOST PATH...
	local proto=$1 base=https://$2:$QL_PORT QL_EAL rc=0
	shift 2
	ql_eal 0
	"$QL_CLIENT" "${QL_EAL[@]}" -- --loopback "$WWW" --cert "$CERT/cert.pem" --key "$CERT/key.pem" \
		--ip "$QL_OUR4/24" --ip "$QL_OUR6/64" --ca "$CERT/ca.pem" --alpn "$proto" --quiet \
		--out out "${QL_MORE[@]}" "${@/#/$base/}" >client.log 2>&1 || rc=$?
	tail -15 client.log
	ql_no_report client.log
	[ "$rc" -eq 0 ] || ql_fail "exit code $rc"
	ql_same "$WWW" out "$@"
	# nothing of the kernel's took part
	[ "$(ip -o link | grep -vc ' lo:')" -eq 0 ] || ql_fail "there is a network interface"
}

# With --qlog: files of both ends, in which every packet that came is one that was sent.
with_qlog() { # ARGUMENT...
	mkdir qlog
	QL_MORE=(--qlog qlog)
	fetch "$@"
	! grep -- --qlog client.log || ql_fail "not all of it was written"
	"$QL_TOP/tests/lib/qlog.py" --pair --lossy --has quic:packet_sent --has quic:parameters_set=4 \
		qlog/*_client.sqlog qlog/*_server.sqlog || ql_fail "the qlog files are not right"
}

# Which version of QUIC comes of the options, which are those of both ends.
version() { # 1 for version 2, else 0; OPTION...
	local want=$1
	shift
	QL_MORE=(--json "$@")
	fetch h3 "$QL_OUR4" one.bin
	grep -q "\"version_2\":$want," client.log || ql_fail "not the version that was expected"
}

# The performance protocol; with nothing to measure, and with URLs, it says so.
perf() { # HOST OPTION...
	local host=$1 QL_EAL
	shift
	ql_eal 0
	local run=("$QL_CLIENT" "${QL_EAL[@]}" -- --loopback "$WWW" --cert "$CERT/cert.pem"
		--key "$CERT/key.pem" --ip "$QL_OUR4/24" --ip "$QL_OUR6/64" --ca "$CERT/ca.pem"
		--perf "$host:$QL_PORT")
	"${run[@]}" --json "$@" >perf.json 2>client.log || ql_fail "exit code $?"
	ql_no_report client.log
	python3 - "$@" <<-'PYTHON'
	import json, sys
	j = json.load(open("perf.json"))
	print(j)
	assert j["failed"] == 0 and j["connections"] == 2
	assert j["up"]["streams"] == 60 and j["up"]["bytes"] == 60 * 20000
	assert j["down"]["streams"] == 60 and j["down"]["bytes"] == 60 * 50000
	assert j["up"]["goodput_mbit"] > 0 and j["down"]["goodput_mbit"] > 0
	PYTHON
	"${run[@]}" --perf-up 0 --perf-down 100k >table || ql_fail "exit code $?"
	grep -qE '^down +1 +0\.1 ' table || ql_fail "not the table"
	! grep -q '^up' table || ql_fail "an upload that was not asked for"
	! "${run[@]}" --perf-up 0 --perf-down 0 2>bad.log || ql_fail "exit code 0"
	grep -q 'nothing to measure' bad.log || ql_fail "no message"
	! "${run[@]}" "https://$host:$QL_PORT/one.bin" 2>bad.log || ql_fail "exit code 0"
	grep -q -- '--perf fetches no URLs' bad.log || ql_fail "no message"
}

# The simulator's, of both ends; and a folder that is not there.
simulator() {
	local sim=$QL_BUILD/tests/sim/qlane-sim
	mkdir qlog
	"$sim" --scenario chaos --seeds 1-20 --qlog qlog || ql_fail "exit code $?"
	"$QL_TOP/tests/lib/qlog.py" qlog/*.sqlog || ql_fail "the qlog files are not right"
	! "$sim" --scenario chaos --seeds 1 --qlog no-such-dir >bad.log 2>&1 || ql_fail "exit code 0"
	grep -- '--qlog no-such-dir: No such' bad.log || ql_fail "no message"
}

QL_MORE=()
ql_before ql_need_programs "$QL_CLIENT"
ql_isolate "$@"
ql_begin e2e
ql_fixtures

ql_test loopback-h3-ipv4-100MB 60 fetch h3 "$QL_OUR4" big.bin
ql_test loopback-h3-ipv6-100MB 60 fetch h3 "[$QL_OUR6]" big.bin
ql_test loopback-h3-1000-files 60 fetch h3 "$QL_OUR4" "${SMALL[@]}"
ql_test loopback-hq-100MB 60 fetch hq-interop "$QL_OUR4" big.bin
ql_test loopback-qlog-100-files 60 with_qlog h3 "$QL_OUR4" "${SMALL[@]:0:100}"
ql_test loopback-perf-ipv4 60 perf "$QL_OUR4" --connections 2 --requests 30 --parallel 4 --perf-up 20k --perf-down 50k
ql_test loopback-perf-ipv6 60 perf "[$QL_OUR6]" --connections 2 --requests 30 --perf-up 20k --perf-down 50k
ql_test loopback-versions 30 version 0
ql_test loopback-versions-upgrade 30 version 1 --versions 2,1
ql_test loopback-versions-only-2 30 version 1 --versions 2
ql_test loopback-versions-first-2 30 version 1 --first-version 2
ql_test loopback-versions-back-to-1 30 version 0 --versions 1,2 --first-version 2
ql_test loopback-qlog-simulator 60 simulator
ql_test loopback-hq-1000-files 60 fetch hq-interop "[$QL_OUR6]" "${SMALL[@]}"
ql_end
