#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The peers against each other, without Qlane: when one of these fails, a failure of the same
# peer against Qlane says nothing.

# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
# shellcheck source=tests/lib/files.sh
. "$QL_TOP/tests/lib/files.sh"
# shellcheck source=tests/interop/peers.sh
. "$QL_TOP/tests/interop/peers.sh"

fetch() { # CLIENT SERVER PROTO ADDRESS PATH...
	local client=$1 server=$2 proto=$3 address=$4
	shift 4
	peer_server_start "$server" "$WWW" "$CERT/cert.pem" "$CERT/key.pem" 4433 "$PWD/server.log"
	peer_server_wait 4433 || ql_fail "the server did not start: $(cat server.log)"
	peer_client_fetch "$client" "$proto" "$address" 4433 "$CERT/ca.pem" out "$@"
	ql_same "$WWW" out "$@"
	ql_stop "$PEER_PID" || true
}

ql_before peer_install ngtcp2 curl nginx aioquic
ql_isolate "$@"
ql_begin baseline

WWW=${QL_DATA:-$QL_BUILD/test-data}/www CERT=$QL_TMP/cert
ql_make_www "$WWW" || ql_die "cannot make $WWW"
ql_make_cert "$CERT" qlane.test 127.0.0.1 ::1 || ql_die "openssl cannot make a certificate"
for server in ngtcp2 nginx aioquic; do
	mapfile -t SMALL < <(peer_server_small $server)
	for client in ngtcp2 curl aioquic; do
		for address in 127.0.0.1 ::1; do
			ql_test "$client-$server-$address-big" 150 fetch $client $server h3 "$address" big.bin
		done
		ql_test "$client-$server-small" 150 fetch $client $server h3 127.0.0.1 "${SMALL[@]}"
	done
done
for server in nginx aioquic; do
	ql_test aioquic-$server-hq-big 150 fetch aioquic $server hq-interop 127.0.0.1 big.bin
	ql_test aioquic-$server-hq-small 150 fetch aioquic $server hq-interop 127.0.0.1 "${SMALL[@]}"
done
ql_end
