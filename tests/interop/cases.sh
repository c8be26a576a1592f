# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2153 # PORT is table.sh's
#
# The cases of the interop table: what is fetched over which link, and what the capture has to show.
# They and their limits are those that QUIC implementations test each other by.
#
# A case is a row of case_table: its name, how the client runs (once, twice: a session and its
# resumption, each: a connection for each file), the seconds it may take, its checks, its files (-: none,
# but 100 datagrams, each of which has to come back), and
# the options of linkem, whose link has 15 ms, 10 Mbit/s and a queue of 25 packets. In every case all
# files have to arrive as they are. A check is a function check_NAME below; it looks at
# client.pcap and server.pcap, taken on the two sides of the link (and at those packets of theirs that
# have long headers: client-long.pcap, server-long.pcap), with the secrets in keys.log.

# name, run, seconds, checks, files, link
case_table() {
	cat <<-'TABLE'
	handshake           once   90 one,no-retry       1k
	transfer            once   90 one                2M,3M,5M
	chacha20            once   90 one,chacha20       3M
	keyupdate           once   90 one,keyupdate      3M
	retry               once   90 one,retry          1k,5k
	resumption          twice  90 two,resumed        5k,10k
	zerortt             twice  90 two,early          1k,early
	http3               once   90 one                5k,10k,500k
	multiplexing        once   90 one,streams        tiny
	v2                  once   90 one,v2             1k
	versionnegotiation  once   90 vn                 1k
	ecn                 once   90 one,ecn            3M             --mark 10
	rebind-port         once   90 one,paths          10M            --rebind port --rebind-at 1000:3000
	rebind-addr         once   90 one,paths          10M            --rebind both --rebind-at 1000:3000
	migration           once   90 one,moves          5M
	preferred           once   90 one,preferred      2M
	datagrams           once   90 one,datagrams      -
	ackfreq             once   90 one,ackfreq        10M
	longrtt             once   90 one                1k             --delay 750
	blackhole           once   90 one                10M            --blackhole 5000:2000
	amplification       once   90 one,amplification  5k             --drop-to-server 2-7
	handshakeloss       each  200 many               tiny50         --loss 30:3 --queue 400
	handshakecorruption each  200 many               tiny50         --corrupt 30:3 --queue 400
	transferloss        once   90 one                2M             --loss 2:3
	transfercorruption  once   90 one                2M             --corrupt 2:3
	multiconnect        each   60 many               tiny50         --queue 400
	TABLE
}

# The files that the cases fetch: by size, 1,999 of 32 bytes, and 40 with long names.
case_make_www() { # DIRECTORY
	local dir=$1 name i
	[ ! -f "$dir/.complete" ] || return 0
	rm -rf "$dir"
	mkdir -p "$dir/tiny" "$dir/early"
	for name in 1k:1 5k:5 10k:10 500k:500 2M:2048 3M:3072 5M:5120 10M:10240; do
		ql_random "$name" $((${name#*:} * 1024)) >"$dir/${name%:*}"
	done
	ql_random tiny $((2048 * 32)) >"$dir/.blob"
	for ((i = 1; i <= 1999; i++)); do
		head -c 32 >"$dir/tiny/$(printf 't%04d' $i)"
	done <"$dir/.blob"
	for ((i = 1; i <= 40; i++)); do
		head -c 32 >"$dir/early/$(printf 'e%0239d' $i)"
	done <"$dir/.blob"
	rm "$dir/.blob"
	touch "$dir/.complete"
}

# The paths that a word of a case's files stands for, into the array FILES.
case_files() { # FILES-OF-THE-ROW
	local word
	FILES=()
	for word in ${1//,/ }; do
		case $word in
		tiny) mapfile -t -O ${#FILES[@]} FILES < <(seq -f 'tiny/t%04.0f' 1999) ;;
		tiny50) mapfile -t -O ${#FILES[@]} FILES < <(seq -f 'tiny/t%04.0f' 50) ;;
		early) mapfile -t -O ${#FILES[@]} FILES < <(seq -f 'early/e%0239.0f' 40) ;;
		-) ;;
		*) FILES+=("$word") ;;
		esac
	done
}

# Looking at captures.

# The packets with long headers that a filter selects, with some fields, tab-separated.
case_packets() { # client|server FILTER FIELD...
	local file=$1-long.pcap filter=$2 field fields=()
	shift 2
	for field; do fields+=(-e "$field"); done
	tshark -r "$file" -o "tls.keylog_file:keys.log" -Y "$filter" -T fields -E occurrence=a \
		"${fields[@]}" 2>>tshark.log
}

case_has() { # client|server FILTER
	[ -n "$(case_packets "$1" "$2" frame.number)" ]
}

# Makes client.tsv or server.tsv of all packets, once: source, its port, destination, its port, ECN,
# 'long' in what has a long header, key phase, frame types (",1,26,"), CE count of an ACK, payload.
case_decode() { # client|server
	[ ! -e "$1.tsv" ] || return 0
	tshark -r "$1.pcap" -o "tls.keylog_file:keys.log" -T fields -E occurrence=a -e ip.src \
		-e udp.srcport -e ip.dst -e udp.dstport -e ip.dsfield.ecn -e quic.header_form \
		-e quic.key_phase -e quic.frame_type -e quic.ack.ecn_ce_count -e udp.length 2>>tshark.log |
		awk -F '\t' -v OFS='\t' '{
			$6 = $6 ~ /1|True/ ? "long" : ""
			$8 = "," $8 ","
			print
		}' >"$1.tsv"
}

# Whether awk's condition holds for a packet; in it are from_client, ecn, long, phase, frames, ce.
case_any() { # client|server CONDITION
	case_decode "$1"
	awk -F '\t' -v port="$PORT" '
		{
			from_client = $4 == port; ecn = $5; long = $6; phase = $7; frames = $8; ce = $9
		}
		'"$2"' { found = 1; exit }
		END { exit !found }' "$1.tsv"
}

from_server() {
	echo "udp.srcport == $PORT"
}

from_client() {
	echo "udp.dstport == $PORT"
}

# Connections that got as far as the server's Handshake packets, by the server's IDs. Of a server that is
# not ours by the client's: some give up after 5 s in which everything is lost, and then take what the client
# sends again for another connection.
case_connections() {
	local ids=(quic.scid)
	[ "$SERVER" = qlane ] || ids=(quic.dcid udp.dstport)
	case_packets server "$(from_server) && (quic.long.packet_type == 2 || quic.long.packet_type_v2 == 3)" "${ids[@]}" |
		awk -F '\t' '{ n = split($1, id, ","); for (i = 0; i <= n; i++) if (i || !n) print "id", id[i], $2 }' |
		sort -u | grep -c . || true
}

check_one() {
	local n
	n=$(case_connections)
	[ "$n" -eq 1 ] || ql_fail "$n handshakes instead of 1"
}

check_two() {
	local n
	n=$(case_connections)
	[ "$n" -eq 2 ] || ql_fail "$n handshakes instead of 2"
}

check_many() {
	local n
	n=$(case_connections)
	[ "$n" -eq ${#FILES[@]} ] || ql_fail "$n handshakes for ${#FILES[@]} files"
}

check_no-retry() {
	! case_has client 'quic.long.packet_type == 3' || ql_fail "there was a Retry"
}

check_retry() {
	case_has client "$(from_server) && quic.long.packet_type == 3" || ql_fail "there was no Retry"
	case_has client "$(from_client) && quic.long.packet_type == 0 && quic.token_length > 0" ||
		ql_fail "no Initial with a token"
}

check_chacha20() {
	local suites
	suites=$(case_packets client 'tls.handshake.type == 2' tls.handshake.ciphersuite | sort -u)
	[ "$suites" = 0x1303 ] || ql_fail "the server chose $suites, not ChaCha20"
}

check_keyupdate() {
	case_any server 'from_client && phase ~ /1|True/' || ql_fail "no client key update"
	case_any client '!from_client && phase ~ /1|True/' || ql_fail "no server key update"
}

# The second connection has a pre-shared key and no certificate.
check_resumed() {
	local n
	n=$(case_packets client 'tls.handshake.type == 2 && tls.handshake.extension.type == 41' \
		frame.number | wc -l)
	[ "$n" -ge 1 ] || ql_fail "the server took no pre-shared key"
}

check_early() {
	check_resumed
	case_has server "$(from_client) && quic.long.packet_type == 1 && quic.frame_type" ||
		ql_fail "no 0-RTT packet that decrypts"
	case_has client 'tls.handshake.type == 8 && tls.handshake.extension.type == 42' ||
		ql_fail "the server did not accept early data"
}

check_streams() {
	local limit
	limit=$(case_packets client 'tls.handshake.type == 8' \
		tls.quic.parameter.initial_max_streams_bidi | head -1)
	echo "initial_max_streams_bidi $limit"
	[ "$limit" -le 1000 ] || ql_fail "the server allowed $limit streams at once"
}

check_v2() {
	case_has client "$(from_server) && quic.version == 0x6b3343cf && quic.long.packet_type_v2 == 3" ||
		ql_fail "no Handshake packet of version 2 from the server"
	case_has server "$(from_client) && quic.version == 0x6b3343cf && quic.long.packet_type_v2 == 3" ||
		ql_fail "no Handshake packet of version 2 from the client"
}

check_vn() {
	case_has client "$(from_server) && quic.version == 0" || ql_fail "no Version Negotiation"
}

# Both send ECT, both tell in ACK_ECN what came, and the link's marks are among it.
check_ecn() {
	case_any server 'from_client && ecn != 0' || ql_fail "nothing ECN-capable from the client"
	case_any client '!from_client && ecn != 0' || ql_fail "nothing ECN-capable from the server"
	case_any client 'from_client && frames ~ /,3,/' || ql_fail "no ACK_ECN from the client"
	case_any server '!from_client && frames ~ /,3,/' || ql_fail "no ACK_ECN from the server"
	grep -q '"marked":[1-9]' link.json || ql_fail "the link had no reason to mark a packet"
	case_any client 'from_client && ce ~ /[1-9]/' || ql_fail "the client does not tell of the marks"
}

# The addresses that the server saw its client at, each once and in order, and those of them that it
# probed. It is enough that the client answers: with connection IDs of no length, what is sent to a
# new address cannot be decrypted here.
case_addresses() {
	case_decode server
	awk -F '\t' -v port="$PORT" '
		$4 == port && $6 == "" && !seen[$1 " " $2]++ { print $1, $2 >"seen" }
		$4 == port && $8 ~ /,27,/ && !probed[$1 " " $2]++ { print $1, $2 >"probed" }
		$2 == port && $8 ~ /,26,/ && !probed[$3 " " $4]++ { print $3, $4 >"probed" }
		' server.tsv
	touch seen probed
	echo "seen: $(paste -s -d , seen), probed: $(paste -s -d , probed)"
	[ "$(wc -l <seen)" -ge 2 ] || ql_fail "the client stayed where it was"
}

# Each further address of the client's is one that the server has probed.
check_paths() {
	case_addresses
	! sed 1d seen | grep -vxFf probed || ql_fail "an address was not probed"
}

# The client moved, and the server followed to a place that it had probed.
check_moves() {
	local address port
	case_addresses
	while read -r address port; do
		grep -qxF "$address $port" probed || continue
		[ "$(awk -F '\t' -v a="$address" -v p="$port" '$3 == a && $4 == p' server.tsv | wc -l)" -lt 100 ] ||
			return 0
	done < <(sed 1d seen)
	ql_fail "the server did not follow"
}

# The client probes the server's other address and goes on there.
check_preferred() {
	case_any server "from_client && \$3 == \"$PREFERRED\" && frames ~ /,26,/" ||
		ql_fail "the client did not probe the preferred address"
	case_any client "!from_client && \$1 == \"$PREFERRED\" && frames ~ /,27,/" ||
		ql_fail "no answer from the preferred address"
	[ "$(awk -F '\t' -v a="$PREFERRED" '$1 == a' client.tsv | wc -l)" -gt 100 ] ||
		ql_fail "the transfer did not go on at the preferred address"
}

# Until the client has shown its address by a Handshake packet, the server sends at most three times
# what it has got; and it would have sent more. Some servers pass the limit by one datagram, which is
# not for us to mend.
check_amplification() {
	local over=0
	[ "$SERVER" = qlane ] || over=1
	case_packets server quic udp.srcport udp.length quic.long.packet_type |
		awk -v port="$PORT" -v over=$over '
			$1 != port && $3 ~ /2/ { exit }
			$1 != port { got += $2 - 8 }
			$1 == port { sent += $2 - 8; bad = bad || sent - over * 1500 > 3 * got }
			END {
				print sent " bytes sent for " got " before the address was known"
				exit bad || sent < 3000
			}' || ql_fail "the amplification limit was passed, or there was no need for it"
}

check_datagrams() {
	case_any server 'from_client && frames ~ /,(48|49),/' || ql_fail "no datagram from the client"
	case_any client '!from_client && frames ~ /,(48|49),/' || ql_fail "no datagram from the server"
}

# From our ACK_FREQUENCY on the client acknowledges more than the usual two packets at once.
check_ackfreq() {
	case_decode client
	awk -F '\t' -v port="$PORT" '
		$2 == port && $8 ~ /,175,/ { asked++ }
		asked && $2 == port { packets++ }
		asked && $4 == port && $8 ~ /,[23],/ { acks++ }
		END {
			print asked + 0 " ACK_FREQUENCY; then " packets + 0 " packets and " acks + 0 " ACKs"
			exit !asked || packets < 4 * acks
		}' client.tsv || ql_fail "the client went on as if it had not been asked"
}
