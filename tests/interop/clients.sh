#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Clients that are not ours fetch from qlane-server over a TAP device.

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

fetch() { # CLIENT PROTO ADDRESS PATH...
	ql_server_start
	fetch_from "$@"
}

fetch_from() {
	local client=$1 proto=$2 address=$3
	shift 3
	peer_client_fetch "$client" "$proto" "$address" "$QL_PORT" "$CERT/ca.pem" out "$@"
	ql_same "$WWW" out "$@"
	ql_server_stop
}

# A NAT on the way forgets its binding now and then: another port, or another address as well.
rebinding() { # CLIENT PROTO SOURCE...
	local client=$1 proto=$2 source sources=() nat
	shift 2
	ql_server_start
	ip addr add "$OTHER4/24" dev "$QL_IFACE"
	for source; do sources+=(--source "$source"); done
	python3 "$QL_TOP/tests/interop/nat.py" --listen "$QL_KERNEL4:5544" --to "$QL_OUR4:$QL_PORT" \
		--every 150 "${sources[@]}" >nat.log 2>&1 &
	nat=$!
	ql_wait_line 10 "$nat" nat.log '^ready' || ql_fail "no NAT: $(cat nat.log)"
	peer_client_fetch "$client" "$proto" "$QL_KERNEL4" 5544 "$CERT/ca.pem" out big.bin
	ql_same "$WWW" out big.bin
	ql_stop "$nat"
	tail -1 nat.log
	grep -qE '^rebound ([3-9]|[0-9]{2,}) times' nat.log || ql_fail "hardly any rebinding"
	ql_server_stop
}

# ngtcp2's client changes its port by itself: unnoticed by its QUIC (--nat-rebinding), or moving.
moves() { # OPTION...
	ql_server_start
	mkdir out
	peer_run ngtcp2 gtlsclient --no-http-dump --no-quic-dump --exit-on-all-streams-close --download=out \
		--change-local-addr=100ms --delay-stream=250ms "$@" \
		"$QL_OUR4" "$QL_PORT" "https://$QL_OUR4:$QL_PORT/five.bin" >client.log 2>&1
	tail -5 client.log
	ql_same "$WWW" out five.bin
	grep -qi 'changing local addr' client.log || ql_fail "the client did not move"
	ql_server_stop
}

# A file by PUT.
upload() { # CLIENT ADDRESS PATH
	local base
	base=https://$(peer_host "$2"):$QL_PORT
	mkdir taken
	ql_server_start --upload taken
	case $1 in
	ngtcp2) peer_run ngtcp2 gtlsclient --quiet --exit-on-all-streams-close --http-method=PUT \
		--data="$WWW/$3" "$2" "$QL_PORT" "$base/$3" ;;
	curl) peer_run curl curl --http3-only --fail --silent --show-error --cacert "$CERT/ca.pem" \
		--upload-file "$WWW/$3" "$base/$3" ;;
	esac
	cmp "$WWW/$3" "taken/$3"
	ql_server_stop
}

# The client's first packet is answered with a Retry, and nothing else of it is kept.
retry() { # CLIENT PROTO ADDRESS PATH...
	ql_server_start --retry always
	fetch_from "$@"
	grep -qE '^ +retries +[1-9]' server.log || ql_fail "there was no Retry"
}

# The client goes on from the session of its first connection, at a server that has meanwhile been
# started anew, with the same secret.
resume() {
	local path
	head -c 32 /dev/urandom >secret
	mkdir out
	for path in one.bin five.bin; do
		ql_server_start --ticket-key secret
		peer_run ngtcp2 gtlsclient --no-http-dump --no-quic-dump --exit-on-all-streams-close \
			--download=out --session-file=session --tp-file=params --disable-early-data \
			"$QL_OUR4" "$QL_PORT" "https://$QL_OUR4:$QL_PORT/$path" >client.log 2>&1
		ql_server_stop
	done
	ql_same "$WWW" out one.bin five.bin
	grep -qE '^ +resumptions +1' server.log || ql_fail "not resumed"
}

# The second connection's request comes in 0-RTT packets, and is answered; so is one that the server,
# started anew, has to refuse.
early() {
	local path
	head -c 32 /dev/urandom >secret
	mkdir out
	for path in one.bin five.bin small/s0001; do
		[ "$path" = five.bin ] || ql_server_start --ticket-key secret --early-data
		peer_run ngtcp2 gtlsclient --no-http-dump --no-quic-dump --exit-on-all-streams-close \
			--download=out --session-file=session --tp-file=params "$QL_OUR4" "$QL_PORT" \
			"https://$QL_OUR4:$QL_PORT/$path" >"client-${path##*/}.log" 2>&1
		[ "$path" = one.bin ] || ql_server_stop
		[ "$path" != five.bin ] || mv server.log first.log
	done
	mkdir out/small && mv out/s0001 out/small # it keeps the last part of a name only
	ql_same "$WWW" out one.bin five.bin small/s0001
	grep -qE '^ +resumptions +1$' first.log || ql_fail "not resumed"
	grep -qE '^ +early_accepted +1$' first.log || ql_fail "early data was not taken"
	grep -qE '^ +resumptions +1$' server.log || ql_fail "not resumed by the second server"
	grep -qE '^ +early_replays +1$' server.log || ql_fail "the second server did not refuse"
}

# A client that offers version 2 of QUIC ends up with it.
version_2() { # CLIENT OPTION...
	local client=$1 n
	shift
	ql_server_start "$@"
	ql_capture_start "$QL_IFACE" v2.pcap
	peer_client_fetch "$client" h3 "$QL_OUR4" "$QL_PORT" "$CERT/ca.pem" out five.bin
	ql_capture_stop v2.pcap
	ql_same "$WWW" out five.bin
	n=$(ql_capture_count v2.pcap none 'quic.version == 0x6b3343cf && quic.long.packet_type_v2 == 3')
	[ "$n" -ge 2 ] || ql_fail "$n datagrams with Handshake packets of version 2"
	n=$(ql_capture_count v2.pcap none 'quic.version == 1 && quic.long.packet_type == 2')
	[ "$n" -eq 0 ] || ql_fail "$n datagrams with Handshake packets of version 1"
	ql_server_stop
}

# Two clients of different code bases at once, and afterwards a third still finds the server.
together() {
	local one two
	ql_server_start
	peer_client_fetch ngtcp2 h3 "$QL_OUR4" "$QL_PORT" "$CERT/ca.pem" one big.bin &
	one=$!
	peer_client_fetch curl h3 "$QL_OUR6" "$QL_PORT" "$CERT/ca.pem" two big.bin &
	two=$!
	wait "$one"
	wait "$two"
	ql_same "$WWW" one big.bin
	ql_same "$WWW" two big.bin
	peer_client_fetch aioquic h3 "$QL_OUR4" "$QL_PORT" "$CERT/ca.pem" three one.bin
	ql_same "$WWW" three one.bin
	ql_server_stop
}

# A client that insists on a certificate of another authority is refused nothing by us: it
# refuses us, and the server goes on.
distrust() {
	ql_server_start
	ql_make_cert other qlane.test
	! peer_client_fetch curl h3 "$QL_OUR4" "$QL_PORT" "$PWD/other/ca.pem" out one.bin ||
		ql_fail "curl fetched without trusting the certificate"
	peer_client_fetch curl h3 "$QL_OUR4" "$QL_PORT" "$CERT/ca.pem" out one.bin
	ql_same "$WWW" out one.bin
	ql_server_stop
}

missing_file() {
	ql_server_start
	! peer_client_fetch curl h3 "$QL_OUR4" "$QL_PORT" "$CERT/ca.pem" out no-such-file 2>curl.log ||
		ql_fail "curl fetched a file that does not exist"
	grep -q 404 curl.log || ql_fail "not a 404: $(cat curl.log)"
	ql_server_stop
}

ql_before ql_need_programs "$QL_SERVER"
ql_before peer_install ngtcp2 curl aioquic
ql_isolate "$@"
ql_begin interop
ql_fixtures

for client in ngtcp2 curl aioquic; do
	for v in 4 6; do
		address=QL_OUR$v
		# aioquic is slow: one family each
		[[ $client$v == aioquic6 ]] ||
			ql_test server-$client-ipv$v-100MB 120 fetch $client h3 "${!address}" big.bin
		[[ $client$v == aioquic4 ]] ||
			ql_test server-$client-ipv$v-1000-files 120 fetch $client h3 "${!address}" "${SMALL[@]}"
	done
done
for client in ngtcp2 curl aioquic; do
	# One file for curl: when its probe timer fires during a handshake, as it does behind a Retry on
	# a busy machine, its OpenSSL at times never sends the three unidirectional streams. It then
	# refers to entries of a QPACK table that we have not been given, and the second request waits.
	files=(one.bin five.bin)
	[ $client != curl ] || files=(five.bin)
	ql_test server-$client-retry-ipv4 60 retry $client h3 "$QL_OUR4" "${files[@]}"
	ql_test server-$client-retry-ipv6 60 retry $client h3 "$QL_OUR6" five.bin
done
ql_test server-aioquic-hq-100MB 120 fetch aioquic hq-interop "$QL_OUR4" big.bin
ql_test server-aioquic-hq-1000-files 120 fetch aioquic hq-interop "$QL_OUR6" "${SMALL[@]}"
OTHER4=10.9.0.3
for client in ngtcp2 curl aioquic; do
	ql_test server-$client-rebinding-port 120 rebinding $client h3 "$QL_KERNEL4"
	ql_test server-$client-rebinding-address 120 rebinding $client h3 "$QL_KERNEL4" "$OTHER4"
done
ql_test server-ngtcp2-resumption 30 resume
ql_test server-ngtcp2-early-data 60 early
ql_test server-ngtcp2-nat-rebinding 30 moves --nat-rebinding
ql_test server-ngtcp2-migration 30 moves
ql_test server-aioquic-v2-only 60 version_2 aioquic --versions 2
ql_test server-ngtcp2-upload 60 upload ngtcp2 "$QL_OUR6" big.bin
# curl's QUIC (OpenSSL's) pauses for 20 ms and more, again and again, with all that it has sent acknowledged and 4 MB
# of window open: 100 MB take it from 8 to 50 s
ql_test server-curl-upload 60 upload curl "$QL_OUR6" five.bin
ql_test server-two-clients-at-once 90 together
ql_test server-distrusted 30 distrust
ql_test server-missing-file 30 missing_file
ql_end
