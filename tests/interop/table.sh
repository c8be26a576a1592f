#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The interop table: every case (cases.sh) with every peer (endpoints.sh) as the client of our server
# and as the server of our client; see --help.
#
# The network of a cell is two namespaces and linkem between them:
#
#   left: client --- emc [linkem] ems --- right: server
#
# A peer uses its namespace's kernel and has 10.1.0.2 as a client, 10.2.0.2 as a server (10.2.0.3 is
# the preferred address). Ours sits behind a TAP of that namespace, as 10.1.1.2 or 10.2.1.2 (and
# 10.2.1.3). Both sides of the link are captured.

# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
# shellcheck source=tests/lib/files.sh
. "$QL_TOP/tests/lib/files.sh"
# shellcheck source=tests/lib/qlane.sh
. "$QL_TOP/tests/lib/qlane.sh"
# shellcheck source=tests/interop/peers.sh
. "$QL_TOP/tests/interop/peers.sh"
# shellcheck source=tests/interop/cases.sh
. "$QL_TOP/tests/interop/cases.sh"
# shellcheck source=tests/interop/endpoints.sh
. "$QL_TOP/tests/interop/endpoints.sh"

LINKEM=$QL_BUILD/tests/interop/linkem
PORT=443
RESULTS=$QL_LOGS/interop-all.tsv

usage() {
	cat <<-USAGE
	usage: sudo tests/interop/table.sh [OPTION...]

	Runs the interop table, or a part of it, adds what came out to
	$RESULTS and prints the table; .json and .markdown
	are put beside it.

	  --case LIST    only these cases, with commas
	  --client LIST  these clients with our server; '' for none
	  --server LIST  our client with these servers; '' for none
	  --pair C,S     instead: these two with each other, without us (qlane names ours)
	  --print        run nothing, print the table of what was found before
	  --list         the cases and the peers
	  --help         this text

	What a failed cell captured and logged is kept in $QL_LOGS/interop-all/.
	USAGE
}

# The network.

network_up() { # LINKEM-OPTION...
	local side ns
	for ns in left right; do
		ip netns del "$ns" 2>/dev/null || true
		ip netns add "$ns"
		ip -n "$ns" link set lo up
		ip netns exec "$ns" sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 \
			net.ipv6.conf.all.disable_ipv6=1
	done
	"$LINKEM" "$@" emc ems >link.json 2>linkem.log &
	LINK_PID=$!
	ql_wait_line 5 "$LINK_PID" link.json '^ready' || ql_fail "no link: $(cat linkem.log)"
	for side in left:emc:10.1.0.2 right:ems:10.2.0.2,10.2.0.3; do
		IFS=: read -r ns device addresses <<<"$side"
		ip link set "$device" netns "$ns"
		ip -n "$ns" link set "$device" up txqueuelen 1000
		for address in ${addresses//,/ }; do
			ip -n "$ns" addr add "$address/32" dev "$device"
		done
		ip -n "$ns" route add default dev "$device" src "${addresses%%,*}"
	done
	capture left emc client
	capture right ems server
}

capture() { # NAMESPACE DEVICE NAME
	ip netns exec "$1" tcpdump -i "$2" --immediate-mode -s 2000 -B 16384 -Z root -w "$3.pcap" udp >"$3.pcap.log" 2>&1 &
	CAPTURES+=($!)
	ql_wait_line 10 $! "$3.pcap.log" 'listening on' || ql_fail "no capture: $(cat "$3.pcap.log")"
}

network_down() {
	local pid
	sleep 0.3 # what is under way still, and what the kernel holds back for tcpdump
	for pid in "${CAPTURES[@]}"; do
		ql_stop "$pid" || true
	done
	CAPTURES=()
	ql_stop "$LINK_PID" || ql_fail "linkem: $(cat linkem.log)"
	cat -- *.pcap.log | grep -E '^[1-9][0-9]* packets? dropped by kernel' && ql_fail "a capture is not complete"
	sed -n 2p link.json
	# those of the handshakes by themselves: tshark takes its time for the others
	for pid in client server; do
		tcpdump -r "$pid.pcap" -w "$pid-long.pcap" 'udp[8] & 0x80 != 0' 2>>tcpdump.log
	done
}

# Both ends.

server_up() { # PEER
	local QL_EAL
	endpoint_server "$1"
	PEER_IN=(ip netns exec right)
	mkdir -p out
	if [ "$1" = qlane ]; then
		ql_eal 0
		"${PEER_IN[@]}" "$QL_SERVER" "${QL_EAL[@]}" --vdev=net_tap0,iface=qlane0 -- \
			--ip 10.2.1.2/24 --gateway 10.2.1.1 --tap-ip 10.2.1.1/24 --port "$PORT" \
			--root "$WWW" --cert "$CERT/cert.pem" --key "$CERT/key.pem" --keylog keys.log \
			"${PEER_OPTIONS[@]}" >server.log 2>&1 &
		SERVER_PID=$!
		ql_wait_line 20 "$SERVER_PID" server.log '^qlane-server: ready' ||
			ql_fail "the server did not start: $(cat server.log)"
		return
	fi
	peer_server_start "$1" "$WWW" "$CERT/cert.pem" "$CERT/key.pem" "$PORT" "$PWD/server.log"
	SERVER_PID=$PEER_PID
	peer_server_wait "$PORT" || ql_fail "$1 did not start: $(cat server.log)"
}

server_down() { # PEER
	local rc=0
	ql_stop "$SERVER_PID" || rc=$?
	[ "$1" != qlane ] || [ "$rc" -eq 0 ] || ql_fail "our server ended with exit code $rc: $(tail -40 server.log)"
	[ "$1" != qlane ] || ql_no_report server.log
}

fetch() { # PEER PATH...
	local peer=$1 QL_EAL rc=0
	shift
	if [ "$peer" != qlane ]; then
		peer_client_fetch "$peer" "$PROTO" "$ADDRESS" "$PORT" "$CERT/ca.pem" out "$@"
		return
	fi
	ql_eal 1
	if [ "$PROTO" = echo ]; then
		"${PEER_IN[@]}" "$QL_PING" "${QL_EAL[@]}" --vdev=net_tap0,iface=qlane1 -- \
			--ip 10.1.1.2/24 --gateway 10.1.1.1 --tap-ip 10.1.1.1/24 --ca "$CERT/ca.pem" --json \
			--keylog keys.log "${PEER_OPTIONS[@]}" "$ADDRESS:$PORT" | tee ping.json
		grep -q '"received":100,' ping.json || rc=1
		return "$rc"
	fi
	printf "https://$ADDRESS:$PORT/%s\n" "$@" >urls
	"${PEER_IN[@]}" "$QL_CLIENT" "${QL_EAL[@]}" --vdev=net_tap0,iface=qlane1 -- \
		--ip 10.1.1.2/24 --gateway 10.1.1.1 --tap-ip 10.1.1.1/24 --ca "$CERT/ca.pem" --json \
		--alpn "$PROTO" --keylog keys.log --out out --urls urls "${PEER_OPTIONS[@]}" || rc=$?
	return "$rc"
}

# The client's part, into client.log.
client_run() { # PEER RUN
	local peer=$1 file pids=() pid rc=0
	endpoint_client "$peer"
	PEER_IN=(ip netns exec left)
	case $2-$peer in
	once-* | each-qlane | each-aioquic | each-deno) fetch "$peer" "${FILES[@]:-}" ;;
	twice-quicgo* | twice-quinn | twice-deno | twice-impit) # they do both by themselves
		fetch "$peer" "${FILES[@]}"
		;;
	twice-chromium | twice-firefox)
		fetch "$peer" "${FILES[0]}" ";${FILES[1]}" "${FILES[@]:2}"
		;;
	twice-*)
		fetch "$peer" "${FILES[0]}" && fetch "$peer" "${FILES[@]:1}"
		;;
	each-*)
		for file in "${FILES[@]}"; do
			while [ "$(jobs -rp | wc -l)" -ge 16 ]; do sleep 0.05; done
			fetch "$peer" "$file" &
			pids+=($!)
		done
		for pid in "${pids[@]}"; do
			wait "$pid" || rc=1
		done
		return "$rc"
		;;
	esac
}

# One cell.

keep() { # DIRECTORY
	local rc=$? pid
	for pid in "${CAPTURES[@]}"; do # they have not written all yet
		ql_stop "$pid" || true
	done
	if [ "$rc" -ne 0 ] && [ "$rc" -ne "$QL_SKIPPED" ]; then
		rm -rf "$1"
		mkdir -p "$1"
		cp -- *.pcap *.log link.json "$1" 2>/dev/null
	fi
}

cell() { # CLIENT SERVER RUN CHECKS FILES LINK KEEP
	local client=$1 SERVER=$2 check rc=0 PROTO ADDRESS PREFERRED LINK_PID CAPTURES=()
	ADDRESS=10.2.0.2 PREFERRED=10.2.0.3
	[ "$SERVER" != qlane ] || ADDRESS=10.2.1.2 PREFERRED=10.2.1.3
	# both ends may say that they do not do it
	(endpoint_client "$client") || exit
	(endpoint_server "$SERVER") || exit
	# shellcheck disable=SC2064 # as it is now
	trap "keep '$7'" EXIT
	PROTO=h3
	if [ "$CASE" != http3 ] && [[ $(endpoint_protos "$client") == *hq* && $(endpoint_protos "$SERVER") == *hq* ]]; then
		PROTO=hq-interop
	fi
	[ "$CASE" != datagrams ] || PROTO="echo"
	case_files "$5"
	[ "$CASE" != amplification ] || CERT=$CERT/chain
	: >keys.log
	# shellcheck disable=SC2086 # options
	network_up $6
	if [ "$client" != qlane ] && [ "$SERVER" != qlane ]; then
		export SSLKEYLOGFILE=$PWD/keys.log
	fi
	server_up "$SERVER"
	client_run "$client" "$3" >client.log 2>&1 || rc=$?
	tail -n 15 client.log
	[ "$client" != qlane ] || ql_no_report client.log
	[ "$rc" -eq 0 ] || case $4 in
	vn) echo "the client ended with exit code $rc" ;;
	*) ql_fail "the client ended with exit code $rc" ;;
	esac
	# a client may end when it was told the server's versions
	if [ "$4" != vn ] || [ -e out/1k ]; then
		ql_same "$WWW" out "${FILES[@]}"
	fi
	server_down "$SERVER"
	network_down
	for check in ${4//,/ }; do
		"check_$check"
	done
}

run_cell() { # CLIENT SERVER
	local name=$CASE/$1-$2 log result before text start=$SECONDS
	before=$(wc -l <"$QL_RESULTS")
	ql_test "$name" "$SECONDS_MAX" cell "$1" "$2" "$RUN" "$CHECKS" "$WORDS" "$LINK" \
		"$QL_LOGS/$QL_GROUP/$name.d"
	[ "$(wc -l <"$QL_RESULTS")" != "$before" ] || return 0
	result=$(tail -n 1 "$QL_RESULTS" | cut -d ' ' -f 1)
	log=$QL_LOGS/${QL_PREFIX:-}$QL_GROUP/$name.log
	text=
	[ "$result" = ok ] || text=$(tail -n 1 "$log" | tr -d '\t' | cut -c 1-200)
	printf '%s\t%s\t%s\t%s\t%d\t%s\n' "$CASE" "$1" "$2" "$result" $((SECONDS - start)) "$text" >>"$RESULTS"
}

run_all() { # CASE,...
	local peer
	while read -r CASE RUN SECONDS_MAX CHECKS WORDS LINK; do
		[ -z "$1" ] || [[ ,$1, == *,$CASE,* ]] || continue
		if [ -n "$PAIR" ]; then
			run_cell "${PAIR%,*}" "${PAIR#*,}"
			continue
		fi
		for peer in "${CLIENTS[@]}"; do
			run_cell "$peer" qlane
		done
		for peer in "${SERVERS[@]}"; do
			run_cell qlane "$peer"
		done
	done < <(case_table)
}

# The table, on standard output and as files beside the results.
print_table() {
	local peer cases lists
	for peer in $(printf '%s\n' "${ENDPOINT_CLIENTS[@]}" "${ENDPOINT_SERVERS[@]}" | sort -u); do
		echo "$peer $(peer_version "$peer")"
	done >"$QL_TMP/versions"
	cases=$(case_table | awk '{ print $1 }' | paste -s -d ,)
	lists=("$cases" "$(IFS=,; echo "${ENDPOINT_CLIENTS[*]}")" "$(IFS=,; echo "${ENDPOINT_SERVERS[*]}")")
	touch "$RESULTS"
	for form in json markdown text; do
		python3 "$QL_TOP/tests/interop/table.py" $form "$RESULTS" "${lists[@]}" "$QL_TMP/versions" \
			>"${RESULTS%.tsv}.$form" || true
	done
	cat "${RESULTS%.tsv}.text"
}

CASES='' PAIR=''
CLIENTS=("${ENDPOINT_CLIENTS[@]}") SERVERS=("${ENDPOINT_SERVERS[@]}")
arguments=("$@")
while [ $# -gt 0 ]; do
	case $1 in
	--case | --client | --server | --pair)
		[ $# -ge 2 ] || ql_die "$1 needs a value; see --help"
		case $1 in
		--case) CASES=$2 ;;
		--client) IFS=, read -ra CLIENTS <<<"$2" ;;
		--server) IFS=, read -ra SERVERS <<<"$2" ;;
		--pair) PAIR=$2 CLIENTS=("${2%,*}") SERVERS=("${2#*,}") ;;
		esac
		shift
		;;
	--print) CLIENTS=() SERVERS=() ;;
	--list)
		case_table
		echo "clients: ${ENDPOINT_CLIENTS[*]}"
		echo "servers: ${ENDPOINT_SERVERS[*]}"
		exit
		;;
	-h | --help)
		usage
		exit
		;;
	*) ql_die "unknown option $1; see --help" ;;
	esac
	shift
done

install_peers() {
	local peer seen=' qlane '
	for peer in "${CLIENTS[@]}" "${SERVERS[@]}"; do
		[[ $seen != *" $peer "* ]] || continue
		seen="$seen$peer "
		peer_install "$peer" || echo "peers: $peer cannot be had here" >&2
	done
}

ql_before ql_need_programs "$QL_SERVER" "$QL_CLIENT" "$QL_PING" "$LINKEM"
ql_before install_peers
ql_isolate "${arguments[@]}"
mkdir -p /run/netns && mount -t tmpfs netns /run/netns
ql_begin interop-all

WWW=${QL_DATA:-$QL_BUILD/test-data}/interop CERT=$QL_TMP/cert
{ case_make_www "$WWW" && cp "$QL_TOP/tests/interop/fetch.html" "$WWW"; } || ql_die "cannot make the files in $WWW"
ql_make_cert "$CERT" qlane.test 10.2.0.2 10.2.1.2 10.2.0.3 10.2.1.3 || ql_die "openssl cannot make a certificate"
ql_make_chain "$CERT" "$CERT/chain" || ql_die "openssl cannot make a chain of certificates"
mkdir -p "$(dirname "$RESULTS")"
run_all "$CASES"
print_table
ql_end
