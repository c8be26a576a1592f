#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What a person gets wrong: each ends the program soon, with an exit code that is not 0 and a
# message that names the thing and, where there is one, the cure.

# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
# shellcheck source=tests/lib/files.sh
. "$QL_TOP/tests/lib/files.sh"
# shellcheck source=tests/lib/qlane.sh
. "$QL_TOP/tests/lib/qlane.sh"

# Runs a command that must fail by itself within 20 s and print a match for each regular
# expression, without dying of a signal.
refused() { # REGEX... -- COMMAND...
	local want=() rc=0 regex
	while [ "$1" != -- ]; do
		want+=("$1")
		shift
	done
	shift
	timeout -k 2 20 "$@" >refused.log 2>&1 || rc=$?
	tail -30 refused.log
	[ "$rc" -ne 0 ] || ql_fail "exit code 0"
	[[ $rc -ne 124 && $rc -ne 137 ]] || ql_fail "still running after 20 s"
	[ "$rc" -lt 128 ] || ql_fail "killed by signal $((rc - 128))"
	ql_no_report refused.log
	# the program's own words; EAL may say what it likes besides
	grep -E '^qlane-(server|client|ping)' refused.log >own.log || true
	for regex in "${want[@]}"; do
		grep -qiE -- "$regex" own.log || ql_fail "no message of ours that matches '$regex'"
	done
}

server() { # REGEX... -- ARGUMENT... : a server whose arguments are these alone
	local want=() QL_EAL
	while [ "$1" != -- ]; do
		want+=("$1")
		shift
	done
	ql_eal 0
	refused "${want[@]}" -- "$QL_SERVER" "${QL_EAL[@]}" --vdev="net_tap0,iface=$QL_IFACE" "$@"
}

client() { # REGEX... -- ARGUMENT...
	local want=() QL_EAL
	while [ "$1" != -- ]; do
		want+=("$1")
		shift
	done
	ql_eal 0
	refused "${want[@]}" -- "$QL_CLIENT" "${QL_EAL[@]}" --vdev="net_tap0,iface=$QL_IFACE" "$@"
}

pinger() { # REGEX... -- ARGUMENT...
	local want=() QL_EAL
	while [ "$1" != -- ]; do
		want+=("$1")
		shift
	done
	ql_eal 0
	refused "${want[@]}" -- "$QL_PING" "${QL_EAL[@]}" --vdev="net_tap0,iface=$QL_IFACE" "$@"
}

bad_certificate() {
	echo "this is not a certificate" >bad.pem
	server 'cert' 'bad\.pem' -- "${QL_TAP_ARGS[@]}" --root "$WWW" --cert bad.pem --key "$CERT/key.pem"
	server 'none\.pem' -- "${QL_TAP_ARGS[@]}" --root "$WWW" --cert none.pem --key "$CERT/key.pem"
	server 'key' 'bad\.pem' -- "${QL_TAP_ARGS[@]}" --root "$WWW" --cert "$CERT/cert.pem" --key bad.pem
}

foreign_key() {
	ql_make_cert other qlane.test
	server 'key' 'match|belong|fit|pair' -- "${QL_TAP_ARGS[@]}" --root "$WWW" \
		--cert "$CERT/cert.pem" --key other/key.pem
}

missing_directory() {
	server 'no-such-dir' -- "${QL_TAP_ARGS[@]}" --root no-such-dir --cert "$CERT/cert.pem" --key "$CERT/key.pem"
	echo >file
	server 'file' 'directory' -- "${QL_TAP_ARGS[@]}" --root file --cert "$CERT/cert.pem" --key "$CERT/key.pem"
}

qlog_folder() {
	local rest=(--root "$WWW" --cert "$CERT/cert.pem" --key "$CERT/key.pem")
	echo >file
	server 'qlog' 'no-such-dir: No such' 'not made' -- "${QL_TAP_ARGS[@]}" --qlog no-such-dir "${rest[@]}"
	server 'qlog' 'file: Not a dir' -- "${QL_TAP_ARGS[@]}" --qlog file "${rest[@]}"
	client 'qlog' 'no-such-dir: No such' -- "${QL_TAP_ARGS[@]}" --qlog no-such-dir --insecure \
		"https://$QL_KERNEL4/file"
}

missing_arguments() {
	server 'root' -- "${QL_TAP_ARGS[@]}" --cert "$CERT/cert.pem" --key "$CERT/key.pem"
	server 'cert' -- "${QL_TAP_ARGS[@]}" --root "$WWW" --key "$CERT/key.pem"
	server 'key' -- "${QL_TAP_ARGS[@]}" --root "$WWW" --cert "$CERT/cert.pem"
	server 'ip' -- --root "$WWW" --cert "$CERT/cert.pem" --key "$CERT/key.pem"
	client 'url' -- "${QL_TAP_ARGS[@]}" --insecure
}

bad_arguments() {
	local rest=(--root "$WWW" --cert "$CERT/cert.pem" --key "$CERT/key.pem")
	server 'ip' '10\.9\.0\.999' -- --ip 10.9.0.999/24 "${rest[@]}"
	server 'ip' '10\.9\.0\.2/33' -- --ip 10.9.0.2/33 "${rest[@]}"
	server 'port' '70000' -- "${QL_TAP_ARGS[@]}" --port 70000 "${rest[@]}"
	server 'port' '44x' -- "${QL_TAP_ARGS[@]}" --port 44x "${rest[@]}"
	server 'gateway' 'nowhere' -- "${QL_TAP_ARGS[@]}" --gateway nowhere "${rest[@]}"
	server 'alpn' 'h9' -- "${QL_TAP_ARGS[@]}" --alpn h9 "${rest[@]}"
	server 'cc' 'vegas' 'newreno, cubic or bbr' -- "${QL_TAP_ARGS[@]}" --cc vegas "${rest[@]}"
	client 'cc' 'vegas' -- "${QL_TAP_ARGS[@]}" --cc vegas --insecure "https://$QL_KERNEL4/file"
	server 'versions' '3' '1 or 2' -- "${QL_TAP_ARGS[@]}" --versions 3 "${rest[@]}"
	client 'first-version' '--versions' -- "${QL_TAP_ARGS[@]}" --versions 1 --first-version 2 \
		--insecure "https://$QL_KERNEL4/file"
	server 'device' 'before the first --ip' -- "${QL_TAP_ARGS[@]}" --device net_tap0 "${rest[@]}"
	server 'device net_tap7' 'no such port' '0 \(net_tap0\)' -- --device net_tap7 "${QL_TAP_ARGS[@]}" "${rest[@]}"
	server 'device net_tap0' '--ip' -- --device net_tap0 --device 1 "${QL_TAP_ARGS[@]}" "${rest[@]}"
	server 'device 0' 'twice' -- --device net_tap0 "${QL_TAP_ARGS[@]}" --device 0 --ip 10.8.0.2/24 "${rest[@]}"
	server 'idle' 'doze' 'poll, pause or sleep' -- "${QL_TAP_ARGS[@]}" --idle doze "${rest[@]}"
	server 'reset-key' 'none\.key' -- "${QL_TAP_ARGS[@]}" --reset-key none.key "${rest[@]}"
	server 'frobnicate' -- "${QL_TAP_ARGS[@]}" --frobnicate "${rest[@]}"
	client 'url|scheme|https' 'ftp://' -- "${QL_TAP_ARGS[@]}" --insecure ftp://10.9.0.1/file
	client 'none\.pem' -- "${QL_TAP_ARGS[@]}" --ca none.pem "https://$QL_KERNEL4/file"
	pinger 'HOST' -- "${QL_TAP_ARGS[@]}" --insecure
	pinger 'HOST' -- "${QL_TAP_ARGS[@]}" --insecure "$QL_KERNEL4" "$QL_KERNEL4"
	pinger 'expected a host' -- "${QL_TAP_ARGS[@]}" --insecure "$QL_KERNEL4/file"
	pinger 'size' '7' -- "${QL_TAP_ARGS[@]}" --size 7 --insecure "$QL_KERNEL4"
	pinger 'connect' 'with a port' -- "${QL_TAP_ARGS[@]}" --connect 10.9.0.1 --insecure "$QL_KERNEL4"
	pinger 'IPv6' -- --ip "$QL_OUR4/24" --insecure "[$QL_KERNEL6]"
	pinger 'none\.pem' -- "${QL_TAP_ARGS[@]}" --ca none.pem "$QL_KERNEL4"
}

# More lcores than the device has queues.
too_many_lcores() {
	local QL_EAL
	ql_eal 0
	QL_EAL[0]=--lcores
	QL_EAL[1]='0@0,1@0,2@0,3@0,4@0'
	refused '5 queues' 'net_tap. has 4' -- "$QL_SERVER" "${QL_EAL[@]}" "--vdev=net_tap0,iface=$QL_IFACE" -- \
		"${QL_TAP_ARGS[@]}" --memory 64 --root "$WWW" --cert "$CERT/cert.pem" --key "$CERT/key.pem"
}

no_port() {
	local QL_EAL
	ql_eal 0
	refused 'port|device|vdev' -- "$QL_SERVER" "${QL_EAL[@]}" -- --ip "$QL_OUR4/24" \
		--root "$WWW" --cert "$CERT/cert.pem" --key "$CERT/key.pem"
}

bad_config() {
	printf '[server]\nport = many\n' >bad.ini
	server 'bad\.ini' -- --config bad.ini
	server 'none\.ini' -- --config none.ini
}

# A second server of the same TAP, or of the same addresses on another one.
in_use() {
	ql_server_start
	server "$QL_IFACE" 'use|busy|exist' -- "${QL_TAP_ARGS[@]}" --port $((QL_PORT + 1)) \
		--root "$WWW" --cert "$CERT/cert.pem" --key "$CERT/key.pem"
	kill -0 "$SERVER_PID" || ql_fail "the first server is gone"
	ping -n -c 1 -W 2 "$QL_OUR4"
	ql_server_stop
}

no_permission() {
	local QL_EAL here
	ql_eal 0
	mkdir home
	cp "$QL_SERVER" "$CERT"/*.pem home
	chmod -R a+rX home
	chown -R 65534 home
	here=$PWD/home
	cd home
	refused 'permi|privilege|root|sudo|CAP_NET_ADMIN' -- \
		env HOME="$here" XDG_RUNTIME_DIR="$here" LD_LIBRARY_PATH="$QL_BUILD/lib" \
		setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --no-new-privs \
		"$here/qlane-server" "${QL_EAL[@]}" --vdev="net_tap0,iface=$QL_IFACE" -- "${QL_TAP_ARGS[@]}" \
		--root "$here" --cert "$here/cert.pem" --key "$here/key.pem"
}

# A kernel without hugepages, as seen in this test's own mount namespace.
no_hugepages() {
	mount -t tmpfs tmpfs /sys/kernel/mm/hugepages || ql_skip "cannot hide the machine's hugepages"
	refused 'hugepage' 'no-huge|hugepages\.sh' -- "$QL_SERVER" -l 0 --no-pci --in-memory \
		--vdev="net_tap0,iface=$QL_IFACE" -- "${QL_TAP_ARGS[@]}" \
		--root "$WWW" --cert "$CERT/cert.pem" --key "$CERT/key.pem"
	umount /sys/kernel/mm/hugepages
}

# And what the message says, works.
no_huge_works() {
	QL_EAL_NO_HUGE=1
	ql_server_start
	ping -n -c 1 -W 2 "$QL_OUR4"
	ql_server_stop
}

# The client alone: nobody has the address; nobody has the port.
nobody_there() {
	local soon=(--handshake-timeout 2)
	client 'time|answer|reach|resol' '10\.9\.0\.77' -- "${QL_TAP_ARGS[@]}" --insecure \
		--out out "${soon[@]}" https://10.9.0.77:4433/file
	client 'time|answer|reach|refused' -- "${QL_TAP_ARGS[@]}" --insecure \
		--out out "${soon[@]}" "https://$QL_KERNEL4:4433/file"
	pinger 'time|answer|reach|refused' -- "${QL_TAP_ARGS[@]}" --insecure "${soon[@]}" "$QL_KERNEL4:4433"
}

help_and_version() {
	local p
	for p in "$QL_SERVER" "$QL_CLIENT" "$QL_PING"; do
		"$p" --no-huge --no-shconf --no-pci -- --help | tee help.log
		grep -qi usage help.log || ql_fail "no usage"
		grep -q -- --ip help.log || ql_fail "--ip is not explained"
	done
}

ql_before ql_need_programs "$QL_SERVER" "$QL_CLIENT" "$QL_PING"
ql_isolate "$@"
ql_begin e2e
ql_fixtures

for t in bad_certificate foreign_key missing_directory qlog_folder missing_arguments bad_arguments too_many_lcores no_port \
	bad_config in_use no_permission no_hugepages no_huge_works nobody_there help_and_version; do
	ql_test "errors-$t" 150 $t
done
ql_end
