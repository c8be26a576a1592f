#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# qlane-server on a TAP device beside a kernel: neighbours, echo, what the packets look like.

# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
# shellcheck source=tests/lib/files.sh
. "$QL_TOP/tests/lib/files.sh"
# shellcheck source=tests/lib/qlane.sh
. "$QL_TOP/tests/lib/qlane.sh"
# shellcheck source=tests/lib/capture.sh
. "$QL_TOP/tests/lib/capture.sh"
# shellcheck source=tests/interop/peers.sh
. "$QL_TOP/tests/interop/peers.sh"

# The kernel resolves our addresses and gets its echoes back; nobody answers for others.
neighbours() {
	local address mac
	ql_server_start
	mac=
	for address in "$QL_OUR4" "$QL_OUR6"; do
		# the largest packet, a usual one, the smallest
		ping -n -c 2 -i 0.2 -W 2 -s 1400 "$address"
		ping -n -c 20 -i 0.01 -W 2 "$address" | tee ping.log
		grep -q ' 20 received' ping.log || ql_fail "echoes of $address are missing"
		ping -n -c 2 -i 0.2 -W 2 -s 0 "$address"
		ip neigh show "$address" dev "$QL_IFACE" | tee neigh.log
		grep -q lladdr neigh.log || ql_fail "no neighbour entry for $address"
		# one address, one MAC
		[ -n "$mac" ] || mac=$(awk '{ print $3 }' neigh.log)
		[ "$(awk '{ print $3 }' neigh.log)" = "$mac" ] || ql_fail "two MAC addresses"
	done
	for address in 10.9.0.77 fd00:9::77; do
		! ping -n -c 1 -W 2 "$address" || ql_fail "an answer for $address, which is not ours"
	done
	ql_server_stop
}

# A capture at the kernel's end of the TAP reads without a fault when one has the keys.
capture() { # PEER ADDRESS
	local few n
	mapfile -t few < <(ql_small_paths 40)
	ql_server_start
	ql_capture_start "$QL_IFACE" capture.pcap
	peer_client_fetch "$1" h3 "$2" "$QL_PORT" "$CERT/ca.pem" out five.bin "${few[@]}"
	ql_same "$WWW" out five.bin "${few[@]}"
	ping -n -c 3 -i 0.2 -W 2 "$2"
	ql_capture_stop capture.pcap
	ql_capture_check capture.pcap keys.log "$QL_OUR4" "$QL_OUR6"
	# what the capture must contain to prove something: HEADERS of 41 requests and 41 answers,
	# but for those in packets that tshark, which does not reassemble everything, passes over
	n=$(ql_capture_fields capture.pcap keys.log http3.frame_type | grep -c '^1$')
	[ "$n" -ge 60 ] || ql_fail "only $n HTTP/3 HEADERS frames"
	ql_server_stop
}

# ECT(0) on the wire, on all packets once the path has shown that it carries it, and the peer's
# counts of it (RFC 9000, 13.4); the peer's own marks are counted, too. Not with --no-ecn.
ecn() { # ADDRESS
	local src=ip.src sent marked n
	[[ $1 != *:* ]] || src=ipv6.src
	ql_server_start
	ql_capture_start "$QL_IFACE" ecn.pcap
	peer_client_fetch ngtcp2 h3 "$1" "$QL_PORT" "$CERT/ca.pem" out five.bin
	ql_same "$WWW" out five.bin
	ql_capture_stop ecn.pcap
	ql_capture_check ecn.pcap keys.log "$1"
	ql_server_stop
	sent=$(ql_capture_count ecn.pcap keys.log "$src == $1 && quic")
	marked=$(ql_capture_count ecn.pcap keys.log "$src == $1 && quic && (ip.dsfield.ecn == 2 || ipv6.tclass.ecn == 2)")
	echo "$marked of $sent marked"
	# all but those between the test of the path and its result
	[ "$marked" -ge $((sent * 3 / 4)) ] || ql_fail "$marked of $sent are marked"
	for n in "$src == $1" "!($src == $1)"; do
		[ "$(ql_capture_count ecn.pcap keys.log "$n && quic.ack.ect0_count > 0")" -gt 0 ] ||
			ql_fail "no ACK with a count of ECT(0): $n"
	done
	grep -qE '^ +ecn_capable +1$' server.log || ql_fail "the marks were not found to arrive"
	ql_server_start --no-ecn
	ql_capture_start "$QL_IFACE" plain.pcap
	peer_client_fetch ngtcp2 h3 "$1" "$QL_PORT" "$CERT/ca.pem" plain one.bin
	ql_capture_stop plain.pcap
	ql_server_stop
	n=$(ql_capture_count plain.pcap keys.log "$src == $1 && (ip.dsfield.ecn != 0 || ipv6.tclass.ecn != 0)")
	[ "$n" -eq 0 ] || ql_fail "$n packets are marked with --no-ecn"
}

# The TAP goes away with the server, and the next server gets the same name.
restart() {
	local i
	for i in 1 2 3; do
		ql_server_start
		peer_client_fetch curl h3 "$QL_OUR4" "$QL_PORT" "$CERT/ca.pem" "out$i" one.bin
		ql_same "$WWW" "out$i" one.bin
		ql_server_stop
	done
}

# The same options from an INI file.
config_file() {
	local QL_EAL
	cat >server.ini <<-INI
	; a comment
	[server]
	root = $WWW
	cert = $CERT/cert.pem
	key = $CERT/key.pem
	port = 8443
	ip = $QL_OUR4/24, $QL_OUR6/64
	tap-ip = $QL_KERNEL4/24, $QL_KERNEL6/64
	INI
	ql_eal 0
	"$QL_SERVER" "${QL_EAL[@]}" --vdev="net_tap0,iface=$QL_IFACE" -- --config server.ini \
		>server.log 2>&1 &
	SERVER_PID=$!
	ql_wait_line 20 "$SERVER_PID" server.log "^qlane-server: ready" || ql_fail "$(cat server.log)"
	peer_client_fetch curl h3 "$QL_OUR4" 8443 "$CERT/ca.pem" out4 one.bin
	ql_same "$WWW" out4 one.bin
	peer_client_fetch curl h3 "$QL_OUR6" 8443 "$CERT/ca.pem" out6 one.bin
	ql_same "$WWW" out6 one.bin
	ql_server_stop
}

# Two visits of qlane-client with --early-data, through the kernel from a TAP of its own: the second
# one's request goes ahead of the handshake. A server without the option does not take it.
early() { # ADDRESS
	local QL_EAL option taken url=https://$1:$QL_PORT
	[[ $1 != *:* ]] || url=https://[$1]:$QL_PORT
	sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	ql_eal 1
	for option in --early-data ''; do
		# shellcheck disable=SC2086 # no argument where there is no option
		ql_server_start --gateway "$QL_KERNEL4" --gateway "$QL_KERNEL6" $option
		rm -f saved
		for taken in 0 1; do
			"$QL_CLIENT" "${QL_EAL[@]}" --vdev=net_tap1,iface=qlane1 -- --ip 10.9.1.2/24 \
				--ip fd00:9:1::2/64 --tap-ip 10.9.1.1/24 --tap-ip fd00:9:1::1/64 \
				--gateway 10.9.1.1 --gateway fd00:9:1::1 --ca "$CERT/ca.pem" --json \
				--session saved --early-data --out "out$taken$option" "$url/five.bin" \
				"$url/one.bin" | tee client.log
			[ -n "$option" ] || taken=0
			grep -q "\"early\":$taken,\"early_refused\":0," client.log || ql_fail "early data"
			ql_same "$WWW" "out$taken$option" five.bin one.bin
			sleep 1.1 # until a ticket is younger than the server's register
		done
		ql_server_stop
		[ -z "$option" ] || grep -qE '^ +early_accepted +1$' server.log || ql_fail "not counted"
	done
}

# The performance protocol, where the server has it.
perf() { # ADDRESS
	local QL_EAL option rc to=$1:$QL_PORT
	[[ $1 != *:* ]] || to=[$1]:$QL_PORT
	sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	ql_eal 1
	for option in --perf ''; do
		# shellcheck disable=SC2086 # no argument where there is no option
		ql_server_start --gateway "$QL_KERNEL4" --gateway "$QL_KERNEL6" $option
		rc=0
		"$QL_CLIENT" "${QL_EAL[@]}" --vdev=net_tap1,iface=qlane1 -- --ip 10.9.1.2/24 \
			--ip fd00:9:1::2/64 --tap-ip 10.9.1.1/24 --tap-ip fd00:9:1::1/64 \
			--gateway 10.9.1.1 --gateway fd00:9:1::1 --ca "$CERT/ca.pem" --json \
			--perf "$to" --perf-up 1M --perf-down 1M --requests 3 --timeout 40 >client.log 2>&1 || rc=$?
		cat client.log
		ql_no_report client.log
		ql_server_stop
		if [ -n "$option" ]; then
			[ "$rc" -eq 0 ] || ql_fail "exit code $rc"
			grep -q '"up":{"streams":3,"bytes":3000000,.*"down":{"streams":3,"bytes":3000000,' \
				client.log || ql_fail "not all of it"
			grep -q '6 streams of the performance protocol, 3.0 MB taken, 3.0 MB given' \
				server.log || ql_fail "the server counted something else"
		else
			[ "$rc" -eq 1 ] || ql_fail "exit code $rc without the option"
			grep -qi 'no application protocol\|NO_APPLICATION_PROTOCOL\|closed by the server' \
				client.log || ql_fail "no message"
		fi
	done
}

# 40 connections one after the other, and some at once.
connections() {
	local i pids=()
	ql_server_start
	for ((i = 0; i < 40; i++)); do
		peer_client_fetch ngtcp2 h3 "$QL_OUR4" "$QL_PORT" "$CERT/ca.pem" "seq$i" small/s0004
		ql_same "$WWW" "seq$i" small/s0004 >/dev/null
	done
	for ((i = 0; i < 16; i++)); do
		peer_client_fetch ngtcp2 h3 "$QL_OUR6" "$QL_PORT" "$CERT/ca.pem" "par$i" one.bin &
		pids+=($!)
	done
	for ((i = 0; i < 16; i++)); do
		wait "${pids[i]}"
		ql_same "$WWW" "par$i" one.bin
	done
	ql_server_stop
}

# A client that is killed in the middle of a transfer leaves the server whole.
abandoned() {
	local PEER_CMD
	peer_command ngtcp2 gtlsclient
	ql_server_start
	for _ in 1 2 3; do
		"${PEER_CMD[@]}" --quiet --no-quic-dump --no-http-dump "$QL_OUR4" "$QL_PORT" \
			"https://$QL_OUR4:$QL_PORT/big.bin" &
		sleep 0.3
		kill -KILL $! || ql_fail "the client had ended before it was killed"
	done
	peer_client_fetch curl h3 "$QL_OUR6" "$QL_PORT" "$CERT/ca.pem" out five.bin
	ql_same "$WWW" out five.bin
	ql_server_stop
}

# Datagrams that are not QUIC, or are of a version nobody has, harm nothing.
noise() {
	ql_server_start
	ql_random noise 200000 >noise.bin
	python3 - "$QL_OUR4" "$QL_PORT" noise.bin <<-'PYTHON'
	import socket, sys
	address, port, data = sys.argv[1], int(sys.argv[2]), open(sys.argv[3], "rb").read()
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	s.connect((address, port))
	s.settimeout(3)
	for i in range(300):
	    s.send(data[i * 600:i * 600 + i % 600])
	# an Initial of an unknown version, 1,200 bytes: the answer is Version Negotiation
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	s.connect((address, port))
	s.settimeout(3)
	s.send((bytes([0xc3]) + b"\x1a\x2a\x3a\x4a" + b"\x08" + b"DDDDDDDD" + b"\x04" + b"SSSS").ljust(1200, b"\0"))
	answer = s.recv(2000)
	print("answer:", answer.hex())
	assert answer[0] & 0x80 and answer[1:5] == bytes(4), "not Version Negotiation"
	assert answer[5:19] == b"\x04SSSS\x08DDDDDDDD", "connection IDs not swapped"
	versions = [answer[i:i + 4].hex() for i in range(19, len(answer), 4)]
	assert "00000001" in versions, versions
	PYTHON
	peer_client_fetch curl h3 "$QL_OUR4" "$QL_PORT" "$CERT/ca.pem" out one.bin
	ql_same "$WWW" out one.bin
	ql_server_stop
}

ping_from_tap() { # ARGUMENT... : qlane-ping behind a TAP of its own
	local QL_EAL rc=0
	ql_eal 1
	"$QL_PING" "${QL_EAL[@]}" --vdev=net_tap0,iface=qlane1 -- --ip 10.9.1.2/24 --ip fd00:91::2/64 \
		--tap-ip 10.9.1.1/24 --tap-ip fd00:91::1/64 --gateway 10.9.1.1 --gateway fd00:91::1 \
		--ca "$CERT/ca.pem" "$@" >ping.log 2>&1 || rc=$?
	cat ping.log
	ql_no_report ping.log
	return "$rc"
}

# qlane-ping's datagrams come back, through a kernel that forwards; from a server that was not told to
# send them back they do not, and the message says what is missing.
datagrams() {
	local address
	sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	ql_server_start --echo --gateway "$QL_KERNEL4" --gateway "$QL_KERNEL6"
	for address in "$QL_OUR4" "[$QL_OUR6]"; do
		ping_from_tap --count 50 --interval 5 --wait 20000 --size 1000 --json "$address:$QL_PORT"
		grep -qE '^\{"sent":50,"received":50,"lost_there":0,"lost_back":0,"duplicates":0,"damaged":0,"size":1000,"ms":\{"min":[0-9.]+,' ping.log ||
			ql_fail "not all came back from $address"
		python3 -c 'import json; ms = json.load(open("ping.log"))["ms"]; assert 0 < ms["min"] <= ms["median"] <= ms["max"]'
	done
	ping_from_tap --count 3 --wait 20000 "$QL_OUR4:$QL_PORT"
	grep -q '3 datagrams of 64 bytes sent, 3 came back, 0.00 % lost' ping.log || ql_fail "no summary"
	! ping_from_tap --size 9000 "$QL_OUR4:$QL_PORT" || ql_fail "9,000 bytes in a datagram"
	grep -q -- '--size 9000: at most 1[0-9]* bytes' ping.log || ql_fail "it does not say how much fits"
	peer_client_fetch curl h3 "$QL_OUR4" "$QL_PORT" "$CERT/ca.pem" out one.bin
	ql_same "$WWW" out one.bin
	ql_server_stop
	grep -q '4 connections for echo: 103 datagrams went back, 0 dropped' server.log ||
		ql_fail "the server counted otherwise: $(grep echo server.log)"
	ql_server_start --gateway "$QL_KERNEL4"
	! ping_from_tap "$QL_OUR4:$QL_PORT" || ql_fail "an answer without --echo"
	grep -q 'qlane-ping: .*--echo' ping.log || ql_fail "it does not say what is missing"
	ql_server_stop
}

ql_before ql_need_programs "$QL_SERVER" "$QL_CLIENT" "$QL_PING"
ql_before peer_install ngtcp2 curl
ql_isolate "$@"
ql_begin e2e
ql_fixtures

ql_test tap-neighbours 40 neighbours
ql_test tap-capture-ipv4 90 capture ngtcp2 "$QL_OUR4"
ql_test tap-capture-ipv6 90 capture curl "$QL_OUR6"
ql_test tap-ecn-ipv4 60 ecn "$QL_OUR4"
ql_test tap-ecn-ipv6 60 ecn "$QL_OUR6"
ql_test tap-restart 60 restart
ql_test tap-config-file 60 config_file
ql_test tap-early-ipv4 60 early "$QL_OUR4"
ql_test tap-early-ipv6 60 early "$QL_OUR6"
ql_test tap-perf-ipv4 60 perf "$QL_OUR4"
ql_test tap-perf-ipv6 60 perf "$QL_OUR6"
ql_test tap-connections 90 connections
ql_test tap-client-killed 60 abandoned
ql_test tap-noise 60 noise
ql_test tap-datagrams 60 datagrams
ql_end
