#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# From nothing to a file over QUIC that no kernel socket served; see --help.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"
# shellcheck source=tests/lib/files.sh
. "$TOP/tests/lib/files.sh"
# shellcheck source=tests/interop/peers.sh
. "$TOP/tests/interop/peers.sh"

usage() {
	cat <<-USAGE
	usage: sudo app/quickstart.sh [OPTION...]

	Installs what is missing, builds Qlane, starts qlane-server on a TAP device and fetches 100 MB
	from it with curl, whose HTTP/3 is not ours. Then the server stays until Ctrl-C, so that you
	can fetch from it yourself. When it is stopped the TAP device and the data are gone.

	  --once          stop after the fetch; the exit code is 0 only when the bytes are equal
	  --size MB       how much to fetch ($size)
	  --net A.B.C     the network A.B.C.0/24 of the TAP device ($net): the kernel gets A.B.C.1, the
	                  server A.B.C.2
	  --net6 PREFIX   the same for IPv6 ($net6): PREFIX::1 and PREFIX::2
	  --iface NAME    the TAP device ($iface)
	  --port N        the server's UDP port ($port)
	  --build DIR     where to build (build)
	  --no-setup      do not install anything
	  --prepare       only install and build
	  --help          this text
	USAGE
}

die() { # LINE...
	printf 'quickstart: %s\n' "$@" >&2
	exit 1
}

say() {
	printf '\033[1m%s\033[0m\n' "$*"
}

# Plain text when the output is no terminal.
[ -t 1 ] || say() {
	echo "$*"
}

number() { # OPTION VALUE FROM TO
	[[ $2 =~ ^[0-9]{1,6}$ && $2 -ge $3 && $2 -le $4 ]] ||
		die "$1 needs a number from $3 to $4, not '$2'"
}

parse() { # the script's arguments
	while [ $# -gt 0 ]; do
		case $1 in
		--size | --net | --net6 | --iface | --port | --build)
			[ $# -ge 2 ] || die "$1 needs a value; see --help"
			;;
		esac
		case $1 in
		--once) once=1 ;;
		--no-setup) setup= ;;
		--prepare) prepare=1 ;;
		--size) size=$2 ;;
		--net) net=$2 ;;
		--net6) net6=$2 ;;
		--iface) iface=$2 ;;
		--port) port=$2 ;;
		--build) build=$(realpath -m "$2") ;;
		-h | --help)
			usage
			exit
			;;
		*)
			echo "quickstart: unknown option $1; see --help" >&2
			exit 2
			;;
		esac
		case $1 in
		--size | --net | --net6 | --iface | --port | --build) shift ;;
		esac
		shift
	done
	number --size "$size" 1 10000
	number --port "$port" 1 65535
	[[ $net =~ ^[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}$ ]] ||
		die "--net needs the first three numbers of an IPv4 network, like 198.19.44, not '$net'"
}

# The programs, built. A log is shown only when something fails.
compile() {
	local log=$build/quickstart.log
	ql_as_owner mkdir -p "$build" || die "cannot write to $build"
	if ! {
		{ [ -f "$build/build.ninja" ] || ql_as_owner meson setup "$build" "$TOP"; } &&
			ql_as_owner ninja -C "$build" app/qlane-server app/qlane-client
	} >"$log" 2>&1; then
		tail -n 30 "$log" >&2
		die "the build failed; all of it is in $log"
	fi
}

# The network must be free: a route to it, other than the default one, belongs to somebody.
check_free() {
	local taken
	! ip link show dev "$iface" >/dev/null 2>&1 ||
		die "there is a network device '$iface' already; is another quick start running?" \
			"Choose another name with --iface, and another network with --net and --net6."
	taken=$(ip -4 route show match "$net.0/24" | grep -v '^default' | head -1)
	[ -n "$taken" ] || taken=$(ip -4 route show root "$net.0/24" | head -1)
	[ -z "$taken" ] ||
		die "the network $net.0/24 is in use on this machine: $taken" \
			"Choose another one with --net, for example --net 10.123.45."
	[ -n "$net6" ] || return 0
	taken=$(ip -6 route show match "$net6::/64" 2>/dev/null | grep -v '^default' | head -1)
	[ -z "$taken" ] ||
		die "the network $net6::/64 is in use on this machine: $taken" \
			"Choose another one with --net6, for example --net6 fd12:3456:789a."
}

make_files() {
	work=$(mktemp -d "${TMPDIR:-/tmp}/qlane-quickstart.XXXXXX") || die "no temporary directory"
	chmod 755 "$work"
	mkdir "$work/www"
	[ "$(df -k --output=avail "$work" | tail -1)" -gt $((size * 2100)) ] ||
		die "$work has no room for two times $size MB; set TMPDIR to a larger place"
	ql_random quickstart $((size * 1000000)) >"$work/www/data.bin"
	[ "$(stat -c %s "$work/www/data.bin")" -eq $((size * 1000000)) ] || die "cannot write $work/www"
	cat >"$work/www/index.html" <<-HTML
	<!DOCTYPE html>
	<meta charset="utf-8">
	<title>Qlane</title>
	<body style="font: 18px sans-serif; max-width: 40em; margin: 3em auto">
	<h1>This page came over QUIC</h1>
	<p>qlane-server took the packets of your request from a DPDK port and sent these bytes the
	same way. No kernel socket was involved on its side.</p>
	<p><a href="/data.bin">data.bin</a>, $size MB</p>
	HTML
	ql_make_cert "$work/cert" "$net.2" ${net6:+"$net6::2"} qlane.test ||
		die "openssl could not make a certificate"
	chmod 600 "$work"/cert/*.key "$work/cert/key.pem"
}

# EAL arguments: the last core this shell may use, hugepages when there are any.
eal_arguments() {
	local cores free
	cores=$(awk '/^Cpus_allowed_list/ { n = split($2, a, /[-,]/); print a[n] }' /proc/self/status)
	eal=(-l "$cores" --no-pci --vdev="net_tap0,iface=$iface")
	free=$(awk '/^HugePages_Free/ { n = $2 } /^Hugepagesize/ { print int(n * $2 / 1024) }' /proc/meminfo)
	if [ "${free:-0}" -ge 384 ]; then
		eal+=(--in-memory)
	else
		eal+=(--no-huge --no-shconf -m 512)
		echo "      there are no hugepages to be had: it runs without, a little slower"
	fi
}

start_server() {
	local arguments=(--ip "$net.2/24" --tap-ip "$net.1/24")
	eal_arguments
	[ -z "$net6" ] || arguments+=(--ip "$net6::2/64" --tap-ip "$net6::1/64")
	"$build/app/qlane-server" "${eal[@]}" -- "${arguments[@]}" --port "$port" --root "$work/www" \
		--cert "$work/cert/cert.pem" --key "$work/cert/key.pem" --keylog "$work/keys.log" \
		>"$work/server.log" 2>&1 &
	server=$!
	ql_wait_line 30 $server "$work/server.log" '^qlane-server: ready' || {
		tail -n 20 "$work/server.log" >&2
		die "qlane-server did not start; its last words are above"
	}
}

fetch() {
	local seconds
	PEER_CMD=()
	peer_command curl curl || die "curl is not where it was unpacked"
	seconds=$("${PEER_CMD[@]}" --http3-only --fail --silent --show-error --max-time 300 \
		--cacert "$work/cert/ca.pem" --output "$work/fetched" --write-out '%{time_total}' \
		"$url/data.bin") || {
		tail -n 20 "$work/server.log" >&2
		die "curl could not fetch $url/data.bin; the server's last words are above"
	}
	awk -v mb="$size" -v s="$seconds" 'BEGIN {
		printf "      %d MB in %.2f s: %.0f Mbit/s of goodput\n", mb, s, mb * 8 / s }'
}

compare() {
	local sent got
	sent=$(sha256sum <"$work/www/data.bin" | cut -d' ' -f1)
	got=$(sha256sum <"$work/fetched" | cut -d' ' -f1)
	rm -f "$work/fetched"
	echo "      sent     $sent"
	echo "      received $got"
	[ "$sent" = "$got" ] || die "the bytes are NOT equal"
	echo "      equal"
}

go_on() {
	local spki
	spki=$(ql_cert_spki "$work/cert/cert.pem")
	cat <<-TEXT

	The server runs until you press Ctrl-C here. Meanwhile, in another terminal:

	  browse   chromium --user-data-dir=\$(mktemp -d) --origin-to-force-quic-on=$net.2:$port \\
	             --ignore-certificate-errors-spki-list=$spki \\
	             https://$net.2:$port/index.html
	  fetch    $TOP/tests/interop/peers.sh run curl curl --http3-only \\
	             --cacert $work/cert/ca.pem --output /dev/null $url/data.bin
	  look     sudo tcpdump -n -i $iface udp
	           (for Wireshark the keys are in $work/keys.log)
	  stop     Ctrl-C: the TAP device and $work go away; build/, installed packages
	           and reserved hugepages stay
	TEXT
}

# Whatever happens: no process, no TAP device, no data stays behind.
clean_up() {
	local rc=$?
	trap - EXIT
	trap '' INT TERM HUP
	if [ -n "$server" ]; then
		ql_stop "$server" || [ $? -ne 124 ] || echo "quickstart: the server had to be killed" >&2
	fi
	[ -z "$work" ] || rm -rf "$work"
	exit "$rc"
}

stopped() {
	[ -z "$up" ] || {
		echo
		say "stopped"
		exit 0
	}
	exit 130
}

once='' setup=1 prepare='' size=100 net=198.19.44 net6=fd71:6c61:6e65 iface=qlane0 port=4433
build=$TOP/build
server='' work='' up=''
parse "$@"
[ "$(id -u)" = 0 ] || die "it makes a TAP device and reserves hugepages, which needs root:" \
	"sudo app/quickstart.sh"
[ -e /proc/sys/net/ipv6 ] && [ "$(cat /proc/sys/net/ipv6/conf/default/disable_ipv6)" = 0 ] || net6=
trap clean_up EXIT
trap stopped INT TERM HUP
url=https://$net.2:$port

if [ -n "$setup" ]; then
	say "[1/6] setting up the machine (drivers-cfg/setup.sh)"
	"$TOP/drivers-cfg/setup.sh" || die "the machine is not ready; the message above says why"
	peer_install curl || die "curl with HTTP/3 could not be downloaded from Debian"
else
	say "[1/6] setting up the machine: left out"
	peer_installed curl || die "curl with HTTP/3 is not there; run this without --no-setup"
fi
say "[2/6] building in $build"
compile
[ -z "$prepare" ] || exit 0
check_free
say "[3/6] making a certificate and $size MB of data"
make_files
say "[4/6] starting qlane-server: $net.2${net6:+ and $net6::2}, UDP port $port, on TAP device $iface"
start_server
say "[5/6] fetching with $(peer_run curl curl --version | awk 'NR == 1 { print $1, $2 ", " $5 " "; exit }')from Debian"
fetch
say "[6/6] comparing SHA-256"
compare
[ -z "$once" ] || exit 0
up=1
go_on
wait $server
tail -n 20 "$work/server.log" >&2
up=''
server=''
die "qlane-server ended by itself; its last words are above"
