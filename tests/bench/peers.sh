#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A file from each peer's server to its own client, for tests/bench/run.sh: one line of JSON each, with
# the time it took and the CPU time of both sides. The server has core 0, the client core 1. They
# use lo in a namespace where it does not pass the kernel's segments whole, which no network does.
#
# usage: tests/bench/peers.sh BYTES [PEER...]

# shellcheck source=tests/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"
# shellcheck source=tests/lib/files.sh
. "$QL_TOP/tests/lib/files.sh"
# shellcheck source=tests/interop/peers.sh
. "$QL_TOP/tests/interop/peers.sh"

BYTES=${1:?}
shift
PEERS=("$@")
PORT=4433

ql_isolate "$BYTES" "$@"
command -v ethtool >/dev/null || ql_die "ethtool is missing: sudo drivers-cfg/setup.sh --test"
ethtool -K lo tx-udp-segmentation off || ql_die "lo passes segments whole: no figures"
TMP=$(mktemp -d)
trap 'ql_remove "$TMP"' EXIT
ql_make_cert "$TMP/cert" qlane.test 127.0.0.1 || ql_die "openssl cannot make a certificate"
mkdir "$TMP/www"
head -c "$BYTES" /dev/zero >"$TMP/www/file"

# CPU time of a process and of its children that have ended, in hundredths of a second.
cpu() { # PID
	sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 + $14 + $15 }'
}

transfer() { # PEER
	local peer=$1 proto=h3 start wall server client before
	case $peer in
	quinn) proto=hq-interop ;;
	esac
	PEER_IN=(taskset -c 0)
	peer_server_start "$peer" "$TMP/www" "$TMP/cert/cert.pem" "$TMP/cert/key.pem" $PORT "$TMP/server.log"
	peer_server_wait $PORT || ql_die "$peer does not serve: $(tail -3 "$TMP/server.log")"
	PEER_IN=(taskset -c 1)
	server=$(cpu "$PEER_PID")
	before=$(cpu $$)
	start=${EPOCHREALTIME/[.,]/}
	peer_client_fetch "$peer" $proto 127.0.0.1 $PORT "$TMP/cert/ca.pem" "$TMP/out" file >"$TMP/client.log" 2>&1 ||
		ql_die "$peer does not fetch: $(tail -3 "$TMP/client.log")"
	wall=$((${EPOCHREALTIME/[.,]/} - start))
	server=$(($(cpu "$PEER_PID") - server))
	client=$(($(cpu $$) - before))
	kill "$PEER_PID"
	wait "$PEER_PID" 2>/dev/null
	cmp -s "$TMP/www/file" "$TMP/out/file" || ql_die "$peer's file differs"
	rm -r "$TMP/out"
	printf '{"bench": "peer", "peer": "%s", "version": "%s", "bytes": %d, "wall_s": %d.%06d, ' \
		"$peer" "$(peer_version "$peer")" "$BYTES" $((wall / 1000000)) $((wall % 1000000))
	printf '"server_s": %d.%02d, "client_s": %d.%02d}\n' $((server / 100)) $((server % 100)) \
		$((client / 100)) $((client % 100))
}

for peer in "${PEERS[@]}"; do
	transfer "$peer"
done
