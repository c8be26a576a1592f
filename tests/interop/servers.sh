#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# qlane-client fetches over a TAP device from servers that are not ours.

# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
# shellcheck source=tests/lib/files.sh
. "$QL_TOP/tests/lib/files.sh"
# shellcheck source=tests/lib/qlane.sh
. "$QL_TOP/tests/lib/qlane.sh"
# shellcheck source=tests/interop/peers.sh
. "$QL_TOP/tests/interop/peers.sh"

serve() { # PEER [retry]
	peer_server_start "$1" "$WWW" "$CERT/cert.pem" "$CERT/key.pem" "$QL_PORT" "$PWD/server.log" \
		"${2:-}"
	peer_server_wait "$QL_PORT" || ql_fail "$1 did not start: $(cat server.log)"
}

fetch() { # SERVER PROTO ADDRESS PATH...
	local server=$1 proto=$2 base
	base=https://$(peer_host "$3"):$QL_PORT
	shift 3
	serve "$server"
	ql_client --ca "$CERT/ca.pem" --alpn "$proto" --out out "${@/#/$base/}"
	ql_same "$WWW" out "$@"
	ql_stop "$PEER_PID" || true
}

# Our client goes on from other ports, and with OPTION... from other addresses.
migrate() { # SERVER MOVES OPTION...
	local server=$1 moves=$2 got
	shift 2
	serve "$server"
	ql_client --ca "$CERT/ca.pem" --out out --json --move-every 10 "$@" \
		"https://$QL_KERNEL4:$QL_PORT/big.bin"
	ql_same "$WWW" out big.bin
	got=$(grep -oP '"moves":\K[0-9]+' client.log)
	[ "$got" -ge "$moves" ] || ql_fail "the client moved $got times"
	ql_stop "$PEER_PID" || true
}

# The server answers our first packet with a Retry.
retry() { # SERVER ADDRESS PATH...
	local server=$1 base
	base=https://$(peer_host "$2"):$QL_PORT
	shift 2
	serve "$server" retry
	ql_client --ca "$CERT/ca.pem" --json --out out "${@/#/$base/}"
	grep -q '"retries":1,' client.log || ql_fail "there was no Retry"
	ql_same "$WWW" out "$@"
	ql_stop "$PEER_PID" || true
}

# Files by PUT. What nginx takes goes where it is told, what aioquic does into its root.
upload() { # SERVER PATH...
	local server=$1 base=https://$QL_KERNEL4:$QL_PORT path PEER_OPTIONS=()
	shift
	mkdir taken
	[ "$server" != nginx ] ||
		PEER_OPTIONS=("location / { root $PWD/taken; dav_methods PUT; client_max_body_size 0; }")
	WWW=$PWD/taken serve "$server"
	for path; do
		ql_client --ca "$CERT/ca.pem" --json --upload "$WWW/$path" "$base/$path"
		cmp "$WWW/$path" "taken/$path"
	done
	ql_stop "$PEER_PID" || true
}

# The second connection goes on from the session of the first, which is used up by that.
resume() { # SERVER PROTO
	local base=https://$QL_KERNEL4:$QL_PORT
	serve "$1"
	ql_client --ca "$CERT/ca.pem" --alpn "$2" --json --session saved --out out "$base/one.bin"
	grep -q '"resumed":0,' client.log || ql_fail "resumed without a session"
	[ "$(stat -c %a saved)" = 600 ] || ql_fail "the session's file is not secret"
	grep -qE '^[0-9.]+ [0-9]+ [0-9a-f]{200,} ' saved || ql_fail "no session in the file"
	cp saved first
	ql_client --ca "$CERT/ca.pem" --alpn "$2" --json --session saved --out out "$base/five.bin"
	grep -q '"resumed":1,' client.log || ql_fail "not resumed"
	! cmp -s saved first || ql_fail "the session is still there"
	ql_same "$WWW" out one.bin five.bin
}

# The second connection's requests go out in early data, which the server takes.
early() { # SERVER PROTO
	local base=https://$QL_KERNEL4:$QL_PORT
	serve "$1"
	ql_client --ca "$CERT/ca.pem" --alpn "$2" --json --session saved --early-data --out out \
		"$base/one.bin"
	grep -q '"early":0,"early_refused":0,' client.log || ql_fail "early data without a session"
	ql_client --ca "$CERT/ca.pem" --alpn "$2" --json --session saved --early-data --out out \
		"$base/five.bin" "$base/small/s0001"
	grep -q '"resumed":1,"early":1,"early_refused":0,' client.log || ql_fail "not taken"
	ql_same "$WWW" out one.bin five.bin small/s0001
}

# QUIC's version that client and server agree on is 2, or is not.
version() { # SERVER WANT OPTION...
	local server=$1 want=$2
	shift 2
	serve "$server"
	ql_client --ca "$CERT/ca.pem" --json --out out "$@" "https://$QL_KERNEL4:$QL_PORT/five.bin"
	grep -q "\"version_2\":$want," client.log || ql_fail "not the version that was expected"
	ql_same "$WWW" out five.bin
	ql_stop "$PEER_PID" || true
}

# The server counts our ECT(0) in its ACKs, and so the path is found to carry it.
ecn() { # SERVER ADDRESS
	serve "$1"
	ql_client --ca "$CERT/ca.pem" --json --out out "https://$(peer_host "$2"):$QL_PORT/big.bin"
	ql_same "$WWW" out big.bin
	grep -q '"ecn_capable":1,"ecn_failed":0' client.log || ql_fail "ECN was not validated"
	ql_stop "$PEER_PID" || true
}

# A certificate of an authority that the client was not told to trust ends the fetch; --insecure
# says that it does not matter.
distrust() { # SERVER
	local url=https://$QL_KERNEL4:$QL_PORT/one.bin
	serve "$1"
	ql_make_cert other qlane.test
	! ql_client --ca other/ca.pem --out out "$url" || ql_fail "fetched without trust"
	grep -qiE 'certificate|verif|trust' client.log || ql_fail "the message does not say why"
	[ ! -s out/one.bin ] || ql_fail "a file came from a server that is not trusted"
	ql_client --insecure --out out "$url"
	ql_same "$WWW" out one.bin
}

# A certificate for another name than the one asked for.
wrong_name() { # SERVER
	serve "$1"
	! ql_client --ca "$CERT/ca.pem" --sni elsewhere.test --out out \
		"https://$QL_KERNEL4:$QL_PORT/one.bin" || ql_fail "fetched from a server of another name"
	ql_client --ca "$CERT/ca.pem" --sni qlane.test --out out \
		"https://$QL_KERNEL4:$QL_PORT/one.bin"
	ql_same "$WWW" out one.bin
}

# Every file but one exists: the others arrive, the exit code tells.
missing_file() { # SERVER
	local base=https://$QL_KERNEL4:$QL_PORT
	serve "$1"
	! ql_client --ca "$CERT/ca.pem" --out out "$base/one.bin" "$base/no-such-file" "$base/five.bin" ||
		ql_fail "exit code 0 although a file is missing"
	grep -q 404 client.log || ql_fail "the message does not name the status"
	ql_same "$WWW" out one.bin five.bin
}

ql_before ql_need_programs "$QL_CLIENT"
ql_before peer_install ngtcp2 nginx aioquic
ql_isolate "$@"
ql_begin interop
ql_fixtures

for server in ngtcp2 nginx aioquic; do
	mapfile -t SMALL < <(peer_server_small $server)
	for v in 4 6; do
		address=QL_KERNEL$v
		# aioquic is slow: one family each
		[[ $server$v == aioquic6 ]] ||
			ql_test client-$server-ipv$v-100MB 120 fetch $server h3 "${!address}" big.bin
		[[ $server$v == aioquic4 ]] ||
			ql_test client-$server-ipv$v-1000-files 120 fetch $server h3 "${!address}" "${SMALL[@]}"
	done
done
for server in ngtcp2 nginx aioquic; do
	ql_test client-$server-retry-ipv4 60 retry $server "$QL_KERNEL4" one.bin five.bin
	ql_test client-$server-retry-ipv6 60 retry $server "$QL_KERNEL6" five.bin
done
for server in nginx aioquic; do
	ql_test client-$server-hq-100MB 120 fetch $server hq-interop "$QL_KERNEL4" big.bin
	ql_test client-$server-hq-1000-files 120 fetch $server hq-interop "$QL_KERNEL6" "${SMALL[@]}"
done
# nginx keeps two connection IDs of ours, and does not follow again before it has retired one
for server in ngtcp2:5 nginx:1; do
	ql_test "client-${server%:*}-migration-port" 60 migrate "${server%:*}" "${server#*:}"
	ql_test "client-${server%:*}-migration-address" 60 migrate "${server%:*}" "${server#*:}" --ip 10.9.0.4/24
done
ql_test client-aioquic-v2-upgrade 60 version aioquic 1 --versions 2,1
ql_test client-aioquic-v2-at-once 60 version aioquic 1 --versions 2,1 --first-version 2
ql_test client-nginx-no-v2 60 version nginx 0 --versions 2,1
# which has to say so first
ql_test client-nginx-no-v2-after-all 60 version nginx 0 --first-version 2
ql_test client-ngtcp2-resumption 60 resume ngtcp2 h3
for server in nginx aioquic; do
	for proto in h3 hq-interop; do
		ql_test client-$server-resumption-$proto 60 resume $server $proto
	done
done
ql_test client-ngtcp2-early-data 60 early ngtcp2 h3
for proto in h3 hq-interop; do
	ql_test client-aioquic-early-data-$proto 60 early aioquic $proto
done
ql_test client-ngtcp2-ecn-ipv4 60 ecn ngtcp2 "$QL_KERNEL4"
ql_test client-ngtcp2-ecn-ipv6 60 ecn ngtcp2 "$QL_KERNEL6"
ql_test client-nginx-upload 90 upload nginx one.bin big.bin
ql_test client-aioquic-upload 90 upload aioquic one.bin five.bin
ql_test client-distrusts 60 distrust nginx
ql_test client-wrong-name 60 wrong_name nginx
ql_test client-missing-file 60 missing_file nginx
ql_end
