# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# Our programs over a TAP device in the namespace of the test. The program owns the addresses
# QL_OURS, the kernel's end of the TAP has QL_KERNEL; both are IPv4 and IPv6.

QL_IFACE=qlane0
QL_PORT=4433
QL_OUR4=10.9.0.2 QL_OUR6=fd00:9::2
QL_KERNEL4=10.9.0.1 QL_KERNEL6=fd00:9::1
# names and addresses for certificates, of ours and of the peers
QL_CERT_NAMES=(qlane.test "$QL_OUR4" "$QL_OUR6" "$QL_KERNEL4" "$QL_KERNEL6")
QL_SERVER=$QL_BUILD/app/qlane-server
QL_CLIENT=$QL_BUILD/app/qlane-client
# shellcheck disable=SC2034 # for scripts that measure
QL_PING=$QL_BUILD/app/qlane-ping
QL_TAP_ARGS=(--ip "$QL_OUR4/24" --ip "$QL_OUR6/64" --tap-ip "$QL_KERNEL4/24" --tap-ip "$QL_KERNEL6/64")

# Sanitizers, for builds that have them: all reports end the program with exit code 99.
export ASAN_OPTIONS="detect_leaks=1:exitcode=99:${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1:exitcode=99:${UBSAN_OPTIONS:-}"
export LSAN_OPTIONS="suppressions=$QL_TOP/tests/lib/lsan.supp:print_suppressions=0:${LSAN_OPTIONS:-}"

# True when that much memory is free in hugepages of the default size.
ql_hugepages() { # MEGABYTES
	awk -v want="$1" '
		/^HugePages_Free:/ { pages = $2 }
		/^Hugepagesize:/ { kb = $2 }
		END { exit pages * kb < want * 1024 }' /proc/meminfo
}

# EAL arguments for a program, into the array QL_EAL. A program takes some 280 MB. LCORES as for EAL's
# -l, or with '@' for --lcores.
ql_eal() { # LCORES
	QL_EAL=(-l "$1" --no-pci)
	[[ $1 != *@* ]] || QL_EAL[0]=--lcores
	if [ -z "${QL_EAL_NO_HUGE:-}" ] && ql_hugepages 384; then
		QL_EAL+=(--in-memory)
	else
		QL_EAL+=(--no-huge --no-shconf -m 512)
	fi
}

# Sets up WWW and CERT for a script's tests.
ql_fixtures() {
	WWW=${QL_DATA:-$QL_BUILD/test-data}/www CERT=$QL_TMP/cert
	ql_make_www "$WWW" || ql_die "cannot make the files in $WWW"
	ql_make_cert "$CERT" "${QL_CERT_NAMES[@]}" || ql_die "openssl cannot make a certificate"
	mapfile -t SMALL < <(ql_small_paths 1000)
	export WWW CERT SMALL
}

# Ends the script unless the programs are built.
ql_need_programs() {
	local p
	for p in "$@"; do
		[ -x "$p" ] || ql_die "$p is not built: meson setup build && ninja -C build"
	done
}

# Starts qlane-server on a TAP, in the background, and waits until it serves, on the lcores QL_LCORES
# [0]. Its output goes to server.log, its process id to SERVER_PID. Arguments are added to the
# server's own.
ql_server_start() { # ARGUMENT...
	local QL_EAL
	ql_eal "${QL_LCORES:-0}"
	"$QL_SERVER" "${QL_EAL[@]}" --vdev="net_tap0,iface=$QL_IFACE" -- "${QL_TAP_ARGS[@]}" \
		--port $QL_PORT --root "$WWW" --cert "$CERT/cert.pem" --key "$CERT/key.pem" \
		--keylog "$PWD/keys.log" "$@" >server.log 2>&1 &
	SERVER_PID=$!
	ql_wait_line 20 $SERVER_PID server.log '^qlane-server: ready' || {
		cat server.log
		ql_fail "the server did not say that it is ready"
	}
	ql_wait_for 5 ql_addresses_usable || ql_fail "the addresses of $QL_IFACE stay tentative"
}

ql_addresses_usable() {
	[ -n "$(ip -4 addr show dev $QL_IFACE)" ] && [ -z "$(ip -6 addr show dev $QL_IFACE tentative)" ]
}

# Stops the server; it must end well when asked to.
ql_server_stop() {
	local rc=0
	ql_stop "$SERVER_PID" || rc=$?
	if [ $rc -ne 0 ]; then
		tail -40 server.log
		ql_fail "the server ended with exit code $rc"
	fi
	! ip link show dev $QL_IFACE >/dev/null 2>&1 || ql_fail "the server left $QL_IFACE behind"
	ql_no_report server.log
}

# Fails when a sanitizer wrote into a log.
ql_no_report() { # LOG
	if grep -nE -A 45 'ERROR: [A-Za-z]+Sanitizer|runtime error:' "$1"; then
		ql_fail "sanitizer report in $1"
	fi
}

# Runs qlane-client on a TAP; its output goes to client.log too.
ql_client() { # ARGUMENT...
	local QL_EAL rc=0
	ql_eal 1
	"$QL_CLIENT" "${QL_EAL[@]}" --vdev="net_tap0,iface=$QL_IFACE" -- "${QL_TAP_ARGS[@]}" \
		--quiet "$@" >client.log 2>&1 || rc=$?
	tail -15 client.log
	ql_no_report client.log
	return $rc
}
