#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2086 # no name here has blanks
#
# qlane-server on the poll-mode drivers of PCI NICs, which QEMU emulates: bound by bind.sh, with memory
# from hugepages.sh, fetched from by clients that are not ours, over a TAP device in this script's own
# network namespace.

# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
# shellcheck source=tests/lib/files.sh
. "$QL_TOP/tests/lib/files.sh"
# shellcheck source=tests/lib/qlane.sh
. "$QL_TOP/tests/lib/qlane.sh"
# shellcheck source=tests/nic/guest.sh
. "$QL_TOP/tests/nic/guest.sh"

TAP=qlnic0
MAC=52:54:00:71:6c:01 SLOT=02.0

# The kernel's end of the cable.
cable() { # MTU [multi_queue]
	! [ -e /sys/class/net/$TAP ] || ip link del dev $TAP # of the test before
	ip tuntap add dev $TAP mode tap ${2:+"$2"}
	ip link set $TAP mtu "$1" up
	ip addr add "$QL_KERNEL4/24" dev $TAP
	ip addr add "$QL_KERNEL6/64" dev $TAP nodad
}

# What the machine runs from: tests/nic/run.sh with these settings, and the server's configuration.
image() { # DRIVER-BEFORE DRIVER-FOR-DPDK MTU
	mkdir -p test/files
	cp "$WWW"/{one,five}.bin test/files
	cp "$CERT"/{cert,key}.pem test
	printf '%s\n' "NIC=0000:00:$SLOT" "BEFORE=$1" "WANTED=$2" >test/settings
	cat >test/server.ini <<-INI
	[server]
	ip = $QL_OUR4/24 $QL_OUR6/64
	port = $QL_PORT
	mtu = $3
	root = /test/files
	cert = /test/cert.pem
	key = /test/key.pem
	memory = 64
	idle = pause
	json-stats = /test/stats.json
	INI
	cp "$QL_TOP/tests/nic/run.sh" test/run
	guest_image image.gz test
}

fetch() { # PEER ADDRESS PATH
	local out
	out=$(mktemp -d)
	peer_client_fetch "$1" h3 "$2" "$QL_PORT" "$CERT/ca.pem" "$out" "$3"
	ql_same "$WWW" "$out" "$3"
}

# Connections from twelve ports of ours for receive-side scaling to spread. Its hash is linear and its key
# random: ports that differ in few bits come to the same queue once in a few dozen times, these, each
# with another bit, once in 2,048.
fetch_all() {
	local PEER_OPTIONS bit
	for bit in {0..11}; do
		PEER_OPTIONS=(--local-port $((40000 ^ 1 << bit)))
		fetch curl "$QL_OUR4" one.bin
	done
	PEER_OPTIONS=()
	fetch ngtcp2 "$QL_OUR6" five.bin
}

# Stops the server; the machine gives its NIC back and ends. Counters of the server's lcores go to
# lane0 and lane1; each must have taken connections from its own queue.
finish() {
	local lane
	guest_say stop
	guest_end 60
	cat guest.txt
	for lane in lane0 lane1; do
		sed -n 's/^stats: //p' guest.txt | grep "\"$lane\"" >$lane
		[ "$(counter $lane conns_accepted)" -gt 0 ] || ql_fail "$lane had no connection"
		[ "$(counter $lane rx_frames)" -gt 100 ] || ql_fail "$lane received next to nothing"
	done
}

counter() { # LANE NAME
	sed -n "s/.*\"$2\":\([0-9]*\).*/\1/p" "$1"
}

need_guest() {
	[ -z "${QL_NO_GUEST:-}" ] || ql_skip "QEMU and a kernel for it cannot be downloaded from Debian here"
}

# An igb behind an IOMMU, so bound to vfio-pci, on a network with jumbo frames.
igb() {
	need_guest
	cable 9000
	image '' vfio-pci 9000
	guest_start image.gz -M q35,kernel-irqchip=split -device intel-iommu,intremap=on,caching-mode=on \
		-netdev "tap,id=n0,ifname=$TAP,script=no,downscript=no" -device igb,netdev=n0,mac=$MAC,addr=$SLOT
	guest_wait 90 '^qlane-server: ready'
	fetch_all
	finish
	cat lane0 lane1 >both
	awk '{ bytes += $1; datagrams += $2 } END { exit bytes <= 1472 * datagrams }' \
		<(paste <(counter both tx_bytes) <(counter both tx_datagrams)) ||
		ql_fail "no datagram was larger than an MTU of 1,500 bytes allows"
}

# virtio-net, which the kernel uses at first, without an IOMMU, so bound to uio_pci_generic.
virtio() {
	need_guest
	cable 1500 multi_queue
	image virtio-pci uio_pci_generic 1500
	guest_start image.gz -M q35 -netdev "tap,id=n0,ifname=$TAP,script=no,downscript=no,queues=2" \
		-device virtio-net-pci,netdev=n0,mac=$MAC,addr=$SLOT,mq=on,rss=on,vectors=6
	guest_wait 90 '^qlane-server: ready'
	fetch_all
	finish
}

ql_before ql_need_programs "$QL_SERVER"
ql_before peer_install curl ngtcp2
[ -n "${QL_ISOLATED:-}" ] || guest_install || export QL_NO_GUEST=1
ql_isolate "$@"
ql_begin nic
ql_fixtures
for t in igb virtio; do
	ql_test "$t" 150 $t # some 20 s each on a machine with nothing else to do
done
ql_end
