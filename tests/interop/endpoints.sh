# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034 # the arrays are read by table.sh and peers.sh
#
# Who plays which role in which case of the interop table, and how: qlane and the peers of peers.sh.
#
# Where one of the two has to insist on something (a cipher suite, say), the other one need not have an option for it.
#
# endpoint_client PEER and endpoint_server PEER set the array PEER_OPTIONS to what the case CASE takes
# beyond the plain fetching and serving of files, or end the test as one that the peer has no part in,
# with the reason. endpoint_protos PEER tells the protocols that it speaks.

# Peers by role, in the order of the table.
ENDPOINT_CLIENTS=(ngtcp2 ngtcp2-1.11 curl aioquic quicgo quicgo-0.50 quinn deno impit matrixai
	chromium firefox)
ENDPOINT_SERVERS=(ngtcp2 ngtcp2-1.11 nginx haproxy aioquic quicgo quicgo-0.50 caddy caddy-2.11 quinn deno matrixai)

GNUTLS_CHACHA20=NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+CHACHA20-POLY1305

# Ends the test: it is nothing for this peer.
endpoint_cannot() { # REASON
	ql_skip "$*"
}

endpoint_protos() { # PEER
	case $1 in
	qlane | nginx | aioquic | quicgo*) echo "hq-interop h3" ;;
	deno | quinn | matrixai) echo hq-interop ;;
	*) echo h3 ;;
	esac
}

endpoint_client() { # PEER
	PEER_OPTIONS=()
	case $CASE-$1 in
	ackfreq-qlane | ackfreq-deno | ackfreq-impit) ;;
	ackfreq-firefox) endpoint_cannot "its ACK_FREQUENCY is that of an earlier draft" ;;
	ackfreq-*) endpoint_cannot "it does not have that" ;;
	esac
	case $1 in
	qlane) client_qlane ;;
	ngtcp2*) client_ngtcp2 "$1" ;;
	curl) client_curl ;;
	aioquic) client_aioquic ;;
	quicgo*) client_quicgo "$1" ;;
	quinn) client_quinn ;;
	deno) client_deno ;;
	impit) client_impit ;;
	matrixai) client_matrixai ;;
	chromium) client_chromium ;;
	firefox) client_firefox ;;
	*) endpoint_cannot "not a client" ;;
	esac
}

endpoint_server() { # PEER
	PEER_OPTIONS=()
	case $CASE-$1 in
	ackfreq-qlane) ;;
	ackfreq-deno) endpoint_cannot "it asks for nothing, and takes no files for us to ask" ;;
	ackfreq-*) endpoint_cannot "it does not have that" ;;
	esac
	case $1 in
	qlane) server_qlane ;;
	ngtcp2*) server_ngtcp2 "$1" ;;
	nginx) server_nginx ;;
	haproxy) server_haproxy ;;
	caddy*) server_caddy "$1" ;;
	aioquic) server_aioquic ;;
	quicgo*) server_quicgo "$1" ;;
	quinn) server_quinn ;;
	deno) server_deno ;;
	matrixai) server_matrixai ;;
	*) endpoint_cannot "not a server" ;;
	esac
}

client_qlane() {
	case $CASE in
	transfer) PEER_OPTIONS=(--max-data 65536 --max-stream-data 32768) ;;
	chacha20) PEER_OPTIONS=(--ciphers chacha20) ;;
	keyupdate) PEER_OPTIONS=(--update-keys-every 1) ;;
	migration) PEER_OPTIONS=(--move-every 1 --ip "10.1.1.3/24") ;;
	preferred) PEER_OPTIONS=(--use-preferred) ;;
	multiplexing) PEER_OPTIONS=(--parallel 1999) ;;
	amplification) PEER_OPTIONS=(--handshake-timeout 120) ;;
	handshakeloss | handshakecorruption)
		PEER_OPTIONS=(--connections 50 --requests 1 --handshake-timeout 120 --idle-timeout 120)
		;;
	multiconnect) PEER_OPTIONS=(--connections 50 --requests 1) ;;
	v2) PEER_OPTIONS=("--versions=2,1" --first-version 1) ;;
	versionnegotiation) PEER_OPTIONS=("--versions=2,1" --first-version 2) ;;
	resumption) PEER_OPTIONS=(--session session) ;;
	zerortt) PEER_OPTIONS=(--session session --early-data) ;;
	datagrams) PEER_OPTIONS=(--count 100 --interval 5 --wait 20000) ;; # of qlane-ping
	esac
}

server_qlane() {
	case $CASE in
	chacha20) PEER_OPTIONS=(--ciphers chacha20) ;;
	retry) PEER_OPTIONS=(--retry always) ;;
	preferred) PEER_OPTIONS=(--ip "$PREFERRED/24" --preferred "$PREFERRED:$PORT") ;;
	handshakeloss | handshakecorruption | amplification)
		PEER_OPTIONS=(--handshake-timeout 120 --idle-timeout 120)
		;;
	v2) PEER_OPTIONS=("--versions=2,1") ;;
	zerortt) PEER_OPTIONS=(--early-data) ;;
	datagrams) PEER_OPTIONS=(--echo) ;;
	esac
	case ${client:-}-$CASE in # they have their second connection when the first one is over
	chromium-resumption | chromium-zerortt | firefox-resumption | firefox-zerortt | impit-resumption)
		PEER_OPTIONS+=(--idle-timeout 2)
		;;
	chromium-versionnegotiation) PEER_OPTIONS+=(--versions 1) ;;
	esac
	case ${client:-} in
	chromium | firefox) PEER_OPTIONS+=(--upload out) ;; # it gives back what it got
	esac
}

client_ngtcp2() { # PEER
	case $CASE in
	transfer)
		PEER_OPTIONS=(--max-data=64K --max-stream-data-bidi-local=32K --max-window=6M --max-stream-window=2M)
		;;
	chacha20) PEER_OPTIONS=("--ciphers=$GNUTLS_CHACHA20") ;;
	keyupdate) PEER_OPTIONS=(--key-update=300ms) ;;
	resumption) PEER_OPTIONS=(--session-file=session --disable-early-data) ;;
	zerortt) PEER_OPTIONS=(--session-file=session --tp-file=tp) ;;
	v2)
		[ "$1" != ngtcp2 ] || endpoint_cannot "its v2 is that of a draft"
		PEER_OPTIONS=("--available-versions=v2,v1")
		;;
	versionnegotiation) PEER_OPTIONS=(--version=0x1a2a3a4a --preferred-versions=v1) ;;
	migration) PEER_OPTIONS=(--change-local-addr=500ms) ;;
	handshakeloss | handshakecorruption | amplification) PEER_OPTIONS=(--handshake-timeout=120s --timeout=120s) ;;
	datagrams) endpoint_cannot "its programs have no datagrams" ;;
	esac
}

server_ngtcp2() { # PEER
	case $CASE in
	chacha20) PEER_OPTIONS=("--ciphers=$GNUTLS_CHACHA20") ;;
	retry) PEER_OPTIONS=(--validate-addr) ;;
	v2)
		[ "$1" != ngtcp2 ] || endpoint_cannot "its v2 is that of a draft"
		PEER_OPTIONS=(--preferred-versions=v2)
		;;
	versionnegotiation)
		[ "$1" = ngtcp2 ] || endpoint_cannot "it takes every version that our client has"
		;;
	preferred) PEER_OPTIONS=("--preferred-ipv4-addr=$PREFERRED:$PORT") ;;
	handshakeloss | handshakecorruption | amplification) PEER_OPTIONS=(--handshake-timeout=120s --timeout=120s) ;;
	datagrams) endpoint_cannot "its programs have no datagrams" ;;
	esac
}

client_curl() {
	case $CASE in
	chacha20) PEER_OPTIONS=(--tls13-ciphers TLS_CHACHA20_POLY1305_SHA256) ;;
	resumption) endpoint_cannot "it offers no session again over its QUIC (OpenSSL's)" ;;
	keyupdate | versionnegotiation | datagrams) endpoint_cannot "it has no option for it" ;;
	zerortt | ecn | v2) endpoint_cannot "its QUIC (OpenSSL's) does not do it" ;;
	migration | preferred) endpoint_cannot "its QUIC (OpenSSL's) does not migrate" ;;
	# what is lost of a ClientHello it sends again only when an ACK tells of the loss
	handshakeloss | handshakecorruption)
		endpoint_cannot "its QUIC (OpenSSL's) probes with PINGs alone: 30 s are over before its handshake is"
		;;
	amplification) PEER_OPTIONS=(--connect-timeout 120) ;;
	esac
}

server_nginx() {
	case $CASE in
	chacha20)
		PEER_OPTIONS=("ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256;")
		;;
	retry) PEER_OPTIONS=("quic_retry on;") ;;
	zerortt) endpoint_cannot "its QUIC on Debian's OpenSSL has no early data" ;;
	# every new address of ours takes another of our connection IDs, of which it keeps two
	rebind-* | migration) PEER_OPTIONS=("quic_active_connection_id_limit 8;") ;;
	v2 | ecn | preferred | datagrams) endpoint_cannot "it does not have that" ;;
	esac
}

server_haproxy() {
	case $CASE in
	chacha20) PEER_OPTIONS=(ciphersuites TLS_CHACHA20_POLY1305_SHA256) ;;
	retry) PEER_OPTIONS=(quic-force-retry) ;;
	zerortt) endpoint_cannot "its QUIC on Debian's OpenSSL has no early data" ;;
	rebind-* | migration) endpoint_cannot "it does not follow its client" ;;
	versionnegotiation) endpoint_cannot "it takes every version that our client has" ;;
	ecn | preferred | datagrams) endpoint_cannot "it does not have that" ;;
	esac
}

# quic-go, as Caddy lets one use it.
server_caddy() { # PEER
	case $CASE in
	retry) endpoint_cannot "its configuration has no way to ask for that" ;;
	v2) endpoint_cannot "it never changes the version" ;;
	versionnegotiation) [ "$1" = caddy ] || endpoint_cannot "it takes every version that our client has" ;;
	ecn) [ "$1" != caddy ] || endpoint_cannot "2.6 does not do it" ;;
	rebind-*) [ "$1" != caddy ] || endpoint_cannot "2.6 does not follow its client" ;;
	migration) endpoint_cannot "it tells clients not to move" ;;
	preferred | datagrams) endpoint_cannot "it does not have that" ;;
	esac
}

client_aioquic() {
	case $CASE in
	transfer) PEER_OPTIONS=(--max-data 65536 --max-stream-data 32768) ;;
	chacha20) PEER_OPTIONS=(--cipher CHACHA20_POLY1305_SHA256) ;;
	keyupdate) PEER_OPTIONS=(--key-update) ;;
	resumption) PEER_OPTIONS=(--session session) ;;
	zerortt) PEER_OPTIONS=(--session session --early) ;;
	v2) PEER_OPTIONS=(--v2) ;;
	versionnegotiation) PEER_OPTIONS=(--unknown-version) ;;
	datagrams) PEER_OPTIONS=(--datagrams 100) ;;
	handshakeloss | handshakecorruption | multiconnect) PEER_OPTIONS=(--each 16) ;;
	migration) PEER_OPTIONS=(--move) ;;
	ecn) endpoint_cannot "it does not have that" ;;
	preferred) endpoint_cannot "its client does not go there" ;;
	esac
}

server_aioquic() {
	case $CASE in
	retry) PEER_OPTIONS=(--retry) ;;
	versionnegotiation) endpoint_cannot "it takes every version that our client has" ;;
	migration) endpoint_cannot "it answers a probe only on the path that it uses already" ;;
	ecn | preferred) endpoint_cannot "it does not have that" ;;
	esac
}

# Its test programs take the names of test cases.
client_quicgo() { # PEER
	local testcase=transfer
	case $CASE in
	http3 | chacha20 | keyupdate | resumption | zerortt | versionnegotiation) testcase=$CASE ;;
	handshakeloss | handshakecorruption | multiconnect) testcase=multiconnect ;;
	v2) endpoint_cannot "it never changes the version" ;;
	migration | preferred) endpoint_cannot "its client does not move" ;;
	datagrams)
		PEER_OPTIONS=(--count 100) # of quicgo-echo
		return
		;;
	ecn) [ "$1" != quicgo ] || endpoint_cannot "0.29 does not do it" ;;
	esac
	PEER_OPTIONS=("TESTCASE=$testcase")
}

server_quicgo() { # PEER
	local testcase=transfer
	case $CASE in
	http3 | chacha20 | retry | zerortt) testcase=$CASE ;;
	v2) endpoint_cannot "it never changes the version" ;;
	versionnegotiation) [ "$1" = quicgo ] || endpoint_cannot "it takes every version that our client has" ;;
	preferred) endpoint_cannot "it does not have that" ;;
	datagrams)
		PEER_OPTIONS=(echo)
		return
		;;
	ecn) [ "$1" != quicgo ] || endpoint_cannot "0.29 does not do it" ;;
	rebind-*) [ "$1" != quicgo ] || endpoint_cannot "0.29 does not follow its client" ;;
	migration) endpoint_cannot "it tells clients not to move" ;;
	esac
	PEER_OPTIONS=("TESTCASE=$testcase")
}

client_quinn() {
	case $CASE in
	http3) endpoint_cannot "it has no HTTP/3" ;;
	transfer) PEER_OPTIONS=(--window 65536) ;;
	chacha20) PEER_OPTIONS=(--chacha20) ;;
	resumption) PEER_OPTIONS=(--session) ;;
	zerortt) PEER_OPTIONS=(--session --early) ;;
	migration) PEER_OPTIONS=(--rebind 500) ;;
	datagrams) PEER_OPTIONS=(--datagrams 100) ;;
	versionnegotiation) PEER_OPTIONS=(--version 4278190109) ;; # that of a draft
	v2) endpoint_cannot "it does not have that" ;;
	keyupdate) endpoint_cannot "its interface has no way to ask for that" ;;
	preferred) endpoint_cannot "its client does not move" ;;
	esac
}

server_quinn() {
	case $CASE in
	http3) endpoint_cannot "it has no HTTP/3" ;;
	chacha20) PEER_OPTIONS=(--chacha20) ;;
	retry) PEER_OPTIONS=(--retry) ;;
	v2 | preferred) endpoint_cannot "it does not have that" ;;
	esac
}

client_deno() {
	case $CASE in
	http3) endpoint_cannot "it has no HTTP/3 client" ;;
	zerortt) endpoint_cannot "it keeps no session for the next connection" ;;
	datagrams) PEER_OPTIONS=(--datagrams 100) ;;
	handshakeloss | handshakecorruption | multiconnect) PEER_OPTIONS=(--each 16) ;;
	v2) endpoint_cannot "it does not have that" ;;
	keyupdate | resumption | versionnegotiation | migration)
		endpoint_cannot "its interface has no way to ask for that"
		;;
	preferred) endpoint_cannot "its client does not move" ;;
	esac
}

client_impit() {
	case $CASE in
	resumption) PEER_OPTIONS=(--pause 5000) ;;
	zerortt) endpoint_cannot "it resumes without early data" ;;
	v2) endpoint_cannot "it does not have that" ;;
	keyupdate | versionnegotiation | migration | datagrams)
		endpoint_cannot "its interface has no way to ask for that"
		;;
	preferred) endpoint_cannot "its client does not move" ;;
	esac
}

server_deno() {
	case $CASE in
	http3) endpoint_cannot "it has no HTTP/3 server" ;;
	retry) endpoint_cannot "its interface has no way to ask for that" ;;
	v2) endpoint_cannot "it does not have that" ;;
	# it answers from the address that it was reached at first, and goes on there
	preferred) endpoint_cannot "its server announces another address, but never sends from it" ;;
	esac
}

client_matrixai() {
	case $CASE in
	http3) endpoint_cannot "it has no HTTP/3" ;;
	transfer) PEER_OPTIONS=(--max-data 65536 --max-stream-data 32768) ;;
	ecn | v2) endpoint_cannot "it does not have that" ;;
	keyupdate | resumption | zerortt | versionnegotiation | migration | datagrams)
		endpoint_cannot "its interface has no way to ask for that"
		;;
	preferred) endpoint_cannot "its client does not move" ;;
	esac
}

server_matrixai() {
	case $CASE in
	handshake | amplification) endpoint_cannot "it answers every client with a Retry" ;;
	http3) endpoint_cannot "it has no HTTP/3" ;;
	v2 | ecn | preferred) endpoint_cannot "it does not have that" ;;
	datagrams) endpoint_cannot "its interface has no way to ask for that" ;;
	resumption) endpoint_cannot "each of its connections has ticket keys of its own" ;;
	zerortt) endpoint_cannot "early data ends its server with an exception" ;;
	# quiche, for which two of our connection IDs are known, and none is retired
	rebind-*) endpoint_cannot "its server follows a client once only" ;;
	migration) endpoint_cannot "it has one connection ID for its client, so that we cannot move" ;;
	# it ends streams by a frame of its own, without data
	multiplexing | handshakeloss | handshakecorruption)
		endpoint_cannot "its server never repeats an empty STREAM frame with FIN that was lost"
		;;
	esac
}

client_chromium() {
	case $CASE in
	v2) PEER_OPTIONS=(--quic-version=RFCv2) ;;
	versionnegotiation) PEER_OPTIONS=(--quic-version=RFCv2) BROWSE_SECONDS=15 ;; # it ends there
	ecn) endpoint_cannot "its packets are not ECN-capable" ;;
	*) client_browser ;;
	esac
}

client_firefox() {
	case $CASE in
	transfer)
		PEER_OPTIONS=('"network.http.http3.max_data", 65536' '"network.http.http3.max_stream_data", 32768')
		;;
	v2) PEER_OPTIONS=('"network.http.http3.version_negotiation.enabled", true') ;;
	ecn)
		PEER_OPTIONS=('"network.http.http3.ecn_mark", true' '"network.http.http3.ecn_report", true'
			'"network.http.http3.use_nspr_for_io", false')
		;;
	*) client_browser ;;
	esac
}

client_browser() {
	case $CASE in
	keyupdate | versionnegotiation) endpoint_cannot "it has no option for it" ;;
	datagrams) endpoint_cannot "it has them for WebTransport only" ;;
	migration | preferred) endpoint_cannot "it has no option for it" ;;
	handshakeloss | handshakecorruption | multiconnect)
		endpoint_cannot "each connection would need a browser of its own"
		;;
	esac
}
