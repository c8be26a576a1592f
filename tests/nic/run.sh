# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# What a machine of tests/nic does: takes its NIC from the kernel, serves until it is told to stop,
# and gives the NIC back.
#
# NIC     its PCI address
# BEFORE  the driver it has at first, if any
# WANTED  the driver it is to be bound to

# shellcheck disable=SC1091
. ./settings
CFG=/qlane/drivers-cfg

driver() {
	[ ! -e "/sys/bus/pci/devices/$NIC/driver" ] || basename "$(realpath "/sys/bus/pci/devices/$NIC/driver")"
}

at() { # WHAT
	echo "$1 at $(cut -d ' ' -f 1 /proc/uptime) s"
}

at started
modprobe virtio_pci
modprobe virtio_net
modprobe vfio_iommu_type1
[ "$(driver)" = "$BEFORE" ]
$CFG/hugepages.sh 520
$CFG/bind.sh show
$CFG/bind.sh apply "$NIC"
$CFG/bind.sh apply "$NIC" | grep already
[ "$(driver)" = "$WANTED" ]
$CFG/check.sh --lcores 0-1 "$NIC" | tee check.txt || true # it has no isolated core
grep -q "^OK *driver *$NIC *$WANTED" check.txt

at bound
/qlane/qlane-server -l 0,1 -a "$NIC" -- --config server.ini &
server=$!
said= # a word may come in pieces
until read -r -t 1 line; do
	said=$said$line
	kill -0 $server 2>/dev/null || {
		wait $server || echo "qlane-server: ended with exit code $?"
		exit 1
	}
done
[ "$said$line" = stop ]
at told
kill -TERM $server
wait $server
at stopped
sed 's/^/stats: /' stats.json

$CFG/bind.sh undo
[ "$(driver)" = "$BEFORE" ]
$CFG/hugepages.sh undo
