#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2086 # no name here has blanks
#
# drivers-cfg/bind.sh on machines made of files.

# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
# shellcheck source=tests/drivers/tree.sh
. "$QL_TOP/tests/drivers/tree.sh"

A=0000:3b:00.0 B=0000:3b:00.1 C=0000:5e:00.0

# One NIC of a family, there and back, each verb twice.
family() { # FAMILY
	local native want=vfio-pci before
	tree_new
	tree_nic $A "$1" eth1
	native=$(driver_of $A)
	before=$(tree_sum)
	cfg 0 bind.sh show
	said "$A +[0-9a-f:]{9} +$1 +eth1 +$native +0 " "^$1: " "$CFG/nics/$1.ini"
	cfg 0 bind.sh plan eth1
	[ "$(tree_sum)" = "$before" ] || ql_fail "plan changed something"
	if [ "$1" = mlx5 ]; then
		said 'needs no binding' 'nothing to do'
		cfg 0 bind.sh apply $A
		said 'needs no binding'
		[ "$(tree_sum)" = "$before" ] || ql_fail "apply changed something"
		return
	fi
	said "echo vfio-pci >/sys/bus/pci/devices/$A/driver_override" "echo $A >.*/driver/unbind" 'drivers_probe'
	cfg 0 bind.sh apply $A
	said "from $native to vfio-pci" "-a $A"
	[ "$(driver_of $A)" = $want ] || ql_fail "it is with $(driver_of $A)"
	cfg 0 bind.sh show
	said "$A .* $want .* for DPDK"
	rm -f "$TREE/.log"
	cfg 0 bind.sh apply 3b:00.0
	said 'already'
	! [ -e "$TREE/.log" ] || ql_fail "the second run wrote something"
	cfg 0 bind.sh undo $A
	said "$A is with $native again"
	rm -f "$TREE/.log"
	[ "$(tree_sum)" = "$before" ] || ql_fail "undo left something changed"
	[ -z "$(ls "$TREE/run/qlane/bind")" ] || ql_fail "undo left its notes"
	cfg 0 bind.sh undo $A
	said 'already'
	cfg 0 bind.sh undo
	said 'nothing to undo'
}

several() {
	tree_new
	tree_nic $A ice eth1
	tree_nic $B ice eth2
	tree_nic $C mlx5 eth3
	cfg 0 bind.sh apply eth1 eth2 eth3 eth1
	[ "$(driver_of $A) $(driver_of $B) $(driver_of $C)" = "vfio-pci vfio-pci mlx5_core" ] || ql_fail "not all"
	[ "$(grep -c drivers_probe "$TREE/.log")" = 2 ] || ql_fail "a NIC named twice was bound twice"
	cfg 0 bind.sh undo
	[ "$(driver_of $A) $(driver_of $B)" = "ice ice" ] || ql_fail "undo without a name takes not all"
}

# The override that somebody had set is kept; a NIC without a driver goes back to none.
keeps_what_was() {
	tree_new
	tree_nic $A igb
	tree_nic $B igb
	put_file /sys/bus/pci/devices/$A/driver_override igb
	rm "$TREE/sys/bus/pci/devices/$B/driver"
	cfg 0 bind.sh apply $A $B
	said "$B went from no driver to vfio-pci"
	cfg 0 bind.sh apply --driver uio_pci_generic $A $B
	[ "$(driver_of $A) $(driver_of $B)" = "uio_pci_generic uio_pci_generic" ] || ql_fail "not rebound"
	cfg 0 bind.sh undo
	[ "$(driver_of $A)" = igb ] || ql_fail "A is with $(driver_of $A)"
	[ "$(cat "$TREE/sys/bus/pci/devices/$A/driver_override")" = igb ] || ql_fail "the override is lost"
	[ -z "$(driver_of $B)" ] || ql_fail "B is with $(driver_of $B)"
}

# Bound by hand, or by a run before the last boot's /run: undo leaves the choice to the kernel.
undo_without_notes() {
	tree_new
	tree_nic $A ixgbe
	cfg 0 bind.sh apply $A
	rm -rf "$TREE/run/qlane"
	cfg 0 bind.sh undo $A
	said 'is with ixgbe now'
	[ "$(driver_of $A)" = ixgbe ] || ql_fail "it is with $(driver_of $A)"
	put_file /run/qlane/bind/0000:99:00.0 ixgbe ""
	cfg 0 bind.sh undo
	said '0000:99:00.0 is gone'
	[ ! -e "$TREE/run/qlane/bind/0000:99:00.0" ] || ql_fail "the note stays"
}

refused() { # REGEX... -- ARGUMENT... : and nothing changes
	local want=() before
	while [ "$1" != -- ]; do
		want+=("$1")
		shift
	done
	before=$(tree_sum)
	cfg 1 bind.sh apply "${@:2}"
	said "${want[@]}" 'nothing was changed'
	[ "$(tree_sum)" = "$before" ] || ql_fail "something was changed all the same"
	cfg 1 bind.sh plan "${@:2}"
	said "${want[@]}"
}

login() {
	local port
	# 192.0.2.77 by a route of its own, from any port that sshd has; the default route is elsewhere
	for port in 0016 08AE; do
		tree_new
		tree_nic $A igb eth1
		tree_nic $B igb eth2
		tree_default_route eth2
		tree_route eth1 000200C0 00FFFFFF
		tree_login 4D0200C0 $port
		refused "$A: .*eth1 carries a login by ssh" -- --force $A
		cfg 0 bind.sh show
		said "$A .*carries a login"
	done
	# through a VLAN on a bond of both
	tree_new
	tree_nic $A igb eth1
	tree_nic $B igb eth2
	tree_route bond0.7 000200C0 00FFFFFF
	put_link /sys/class/net/bond0.7/lower_bond0 ../bond0
	put_link /sys/class/net/bond0/lower_eth1 ../eth1
	put_link /sys/class/net/bond0/lower_eth2 ../eth2
	tree_login 4D0200C0 0016
	refused "$A: .*eth1 carries a login" "$B: .*eth2 carries a login" -- $A $B
}

# Logins over IPv6: fd00:9::77, and an IPv4 address within IPv6.
login6() {
	tree_new
	tree_nic $A igb eth1
	tree_nic $B igb eth2
	tree_route6 eth1 fd000009000000000000000000000000 40
	tree_route6 eth2 fd000008000000000000000000000000 1f # the next lower 31 bits
	tree_login 090000FD000000000000000077000000 0016
	refused "$A: .*eth1 carries a login" -- $A
	cfg 0 bind.sh apply --force $B
	tree_new
	tree_nic $A igb eth1
	tree_nic $B igb eth2
	tree_route eth1 000200C0 00FFFFFF
	tree_login 0000000000000000FFFF00004D0200C0 0016
	refused "$A: .*eth1 carries a login" -- $A
	cfg 0 bind.sh apply $B
}

default_route() {
	tree_new
	tree_nic $A virtio eth0
	tree_nic $B virtio eth1
	tree_default_route eth0
	refused "$A: .*eth0 carries the default route" -- --force $A
	cfg 0 bind.sh apply $B
	tree_new
	tree_nic $A virtio eth0
	tree_route6 eth0 "$(printf '0%.0s' {1..32})" 00
	refused "eth0 carries the default route" -- $A
}

in_use() {
	tree_new
	tree_nic $A igb eth1
	tree_route eth1 0009000A 00FFFFFF
	refused 'routes through eth1' '\-\-force' -- $A
	cfg 0 bind.sh apply --force $A
	tree_new
	tree_nic $A igb eth1
	put_link /sys/class/net/eth1/master ../bond0
	refused 'eth1 is part of' -- $A
	tree_new
	tree_nic $A igb eth1
	tree_route6 eth1 fd000009000000000000000000000000 40
	refused 'routes through eth1' -- $A
	tree_new
	tree_nic $A igb eth1
	tree_route6 eth1 fe800000000000000000000000000000 40 # each interface that is up has it
	cfg 0 bind.sh apply $A
}

# A process has the NIC open: by its VFIO group, without an IOMMU, by uio.
opened() {
	tree_new
	tree_nic $A igb
	tree_nic $B igb
	cfg 0 bind.sh apply $A $B
	put_file /proc/123/comm qlane-server
	put_link /proc/123/fd/9 "/dev/vfio/$(basename "$(readlink "$TREE/sys/bus/pci/devices/$A/iommu_group")")"
	cfg 1 bind.sh undo
	said "$A: process 123 \(qlane-server\) has it open" "$B is with igb again"
	[ "$(driver_of $A)" = vfio-pci ] || ql_fail "taken from under the process"
	cfg 1 bind.sh apply --driver uio_pci_generic $A
	said 'has it open'
	rm -r "$TREE/proc/123"
	cfg 0 bind.sh undo
	cfg 0 bind.sh apply --driver uio_pci_generic $A
	mkdir -p "$TREE/sys/bus/pci/devices/$A/uio/uio3"
	put_link /proc/124/fd/5 /dev/uio3
	cfg 1 bind.sh undo $A
	said 'process 124 \(unknown\)'
}

no_iommu() {
	local f
	for f in ice i40e ixgbe txgbe igb enic virtio vmxnet3; do # whose PMDs work with uio_pci_generic
		tree_new
		tree_nic $A $f
		tree_no_iommu $A
		cfg 0 bind.sh apply $A
		said 'no IOMMU, so uio_pci_generic'
		[ "$(driver_of $A)" = uio_pci_generic ] || ql_fail "it is with $(driver_of $A)"
		cfg 0 bind.sh undo
	done
	for f in ena gve iavf; do
		tree_new
		tree_nic $A $f
		tree_no_iommu $A
		refused 'vfio-pci needs an IOMMU' 'VT-d' 'intel_iommu=on' '\-\-noiommu' -- $A
		cfg 1 bind.sh apply --driver uio_pci_generic $A
		said 'uio_pci_generic does not work for it'
		cfg 0 bind.sh plan --noiommu $A
		said 'echo 1 >/sys/module/vfio/parameters/enable_unsafe_noiommu_mode'
		cfg 0 bind.sh apply --noiommu $A
		[ "$(driver_of $A)" = vfio-pci ] || ql_fail "it is with $(driver_of $A)"
		[ "$(cat "$TREE/sys/module/vfio/parameters/enable_unsafe_noiommu_mode")" = Y ] || ql_fail "vfio does not know"
		cfg 0 bind.sh undo
		cfg 0 bind.sh apply $A # it stays allowed
	done
	# a kernel that has none of it
	tree_new
	tree_nic $A ena
	tree_no_iommu $A
	rm -r "$TREE/sys/module/vfio"
	cfg 1 bind.sh apply --noiommu $A
	said CONFIG_VFIO_NOIOMMU
	[ "$(driver_of $A)" = ena ] || ql_fail "it was taken all the same"
	# a group that vfio-pci made up is no IOMMU
	tree_new
	tree_nic $A ena
	put_file "/sys/kernel/iommu_groups/$(basename "$(readlink "$TREE/sys/bus/pci/devices/$A/iommu_group")")/name" vfio-noiommu
	refused 'needs an IOMMU' -- $A
}

shared_group() {
	local group
	tree_new
	tree_nic $A ixgbe
	tree_nic $B ixgbe
	group=$(readlink "$TREE/sys/bus/pci/devices/$A/iommu_group")
	put_link /sys/bus/pci/devices/$B/iommu_group "$group"
	put_link "/sys/kernel/iommu_groups/$(basename "$group")/devices/$B" ../../../../bus/pci/devices/$B
	refused "$A: its IOMMU group .*$B \(ixgbe\)" ACS -- $A
	cfg 0 bind.sh apply $A $B
	cfg 0 bind.sh undo $A
	cfg 0 bind.sh apply $A # its neighbour is with vfio-pci
	cfg 0 bind.sh undo
	put_file /sys/bus/pci/devices/$B/class 0x060400 # a bridge does no harm
	cfg 0 bind.sh apply $A
}

# Drivers that the kernel must load first, or does not have.
modules() {
	tree_new
	tree_nic $A igb
	rm -r "$TREE/sys/bus/pci/drivers/vfio-pci"
	cfg 1 bind.sh apply $A
	said 'no driver vfio-pci' linux-image
	[ "$(driver_of $A)" = igb ] || ql_fail "it was taken all the same"
	echo vfio-pci >"$TREE/.modules"
	cfg 0 bind.sh plan $A
	said '^modprobe vfio-pci'
	! [ -e "$TREE/.log" ] || ql_fail "plan loaded it"
	cfg 0 bind.sh apply $A
	cfg 0 bind.sh undo
	# no IOMMU, and uio_pci_generic only as a module
	tree_no_iommu $A
	rm -r "$TREE/sys/bus/pci/drivers/uio_pci_generic"
	refused 'needs an IOMMU' -- $A
	echo uio_pci_generic >>"$TREE/.modules"
	cfg 0 bind.sh apply $A
	[ "$(driver_of $A)" = uio_pci_generic ] || ql_fail "it is with $(driver_of $A)"
	# the kernel's own driver was unloaded meanwhile
	mv "$TREE/sys/bus/pci/drivers/igb" "$TREE/igb.gone"
	cfg 1 bind.sh undo
	said 'cannot be given back'
	echo igb >>"$TREE/.modules"
	cfg 0 bind.sh undo
	[ "$(driver_of $A)" = igb ] || ql_fail "it is with $(driver_of $A)"
}

mlx5() {
	tree_new
	tree_nic $A mlx5 eth1
	rm -r "$TREE/sys/module/ib_uverbs"
	cfg 0 bind.sh apply $A
	said 'modprobe -a ib_uverbs'
	tree_default_route eth1
	refused 'default route' -- $A
	tree_new
	tree_nic $A mlx5
	put_link /sys/bus/pci/devices/$A/driver ../../drivers/vfio-pci
	refused "works for DPDK with the kernel's driver" "bind.sh undo $A" -- $A
	cfg 0 bind.sh undo $A
	cfg 0 bind.sh apply $A
}

# Virtual functions, and such without a legacy interrupt, do not work with uio_pci_generic.
interrupts() {
	tree_new
	tree_nic $A igb
	put_link /sys/bus/pci/devices/$A/physfn ../0000:00:01.0
	cfg 1 bind.sh apply --driver uio_pci_generic $A
	said 'uio_pci_generic does not work for it'
	tree_no_iommu $A
	refused 'needs an IOMMU' -- $A
	tree_new
	tree_nic $A igb
	put_file /sys/bus/pci/devices/$A/irq 0
	tree_no_iommu $A
	refused 'needs an IOMMU' -- $A
}

# Whichever write fails: all NICs are as they were.
fails_half_way() {
	local before n writes
	tree_new
	tree_nic $A ixgbe eth1
	tree_nic $B ixgbe eth2
	before=$(tree_sum)
	cfg 0 bind.sh apply $A $B
	writes=$(wc -l <"$TREE/.log")
	[ "$writes" = 6 ] || ql_fail "$writes writes, not 6"
	cfg 0 bind.sh undo
	for ((n = 1; n <= writes; n++)); do
		rm -f "$TREE/.log"
		echo "$n ." >"$TREE/.fail"
		cfg 1 bind.sh apply $A $B
		said 'cannot be bound to vfio-pci: Device or resource busy' 'as they were before'
		rm "$TREE/.fail" "$TREE/.log"
		[ "$(tree_sum)" = "$before" ] || ql_fail "write $n failed, and something stayed changed"
		[ -z "$(ls "$TREE/run/qlane/bind")" ] || ql_fail "write $n failed, and a note stayed"
	done
	# and when it cannot even be given back, it says so and keeps the note for a later undo
	echo "4+ ." >"$TREE/.fail"
	cfg 1 bind.sh apply $A $B
	said "$A: and cannot be given back"
	rm "$TREE/.fail" "$TREE/.log"
	cfg 0 bind.sh undo
	rm "$TREE/.log"
	[ "$(tree_sum)" = "$before" ] || ql_fail "a later undo does not bring it back"
}

# The kernel takes all writes, but the driver refuses the NIC.
probe_refuses() {
	tree_new
	tree_nic $A igb
	tree_nic $B igb
	echo "2+ drivers_probe" >"$TREE/.fail"
	cfg 1 bind.sh apply $A $B
	said "$B: cannot be bound" "$A: and cannot be given back"
	not_said 'as they were before'
	rm "$TREE/.fail"
	cfg 0 bind.sh undo
	[ "$(driver_of $A) $(driver_of $B)" = "igb igb" ] || ql_fail "not as before"
	rm -r "$TREE/run/qlane"
	: >"$TREE/run/qlane" # no place for notes
	cfg 1 bind.sh apply $A
	said 'cannot write below .*run/qlane/bind'
	[ "$(driver_of $A)" = igb ] || ql_fail "taken without a note"
}

usage() {
	tree_new
	cfg 0 bind.sh show
	said 'no network device on PCI' vdev.conf
	tree_nic $A igb eth1
	cfg 2 bind.sh
	said 'expected show, plan, apply or undo'
	cfg 2 bind.sh frob
	said "not 'frob'"
	cfg 2 bind.sh apply
	said 'needs a NIC'
	cfg 2 bind.sh apply --driver igb_uio $A
	said "not 'igb_uio'"
	cfg 2 bind.sh apply --frob $A
	said 'unknown option --frob'
	cfg 1 bind.sh apply eth9 0000:ff:00.0 $A
	said 'eth9: there is no such NIC' '0000:ff:00.0: there is no such'
	[ "$(driver_of $A)" = igb ] || ql_fail "the third was bound all the same"
	cfg 1 bind.sh show eth9
	cfg 1 bind.sh undo eth9
	put_file /sys/bus/pci/devices/$A/class 0x030000
	cfg 1 bind.sh apply $A
	said 'no network device \(class 0x030000\)'
	cfg 0 bind.sh --help
	said '^usage:'
}

# A NIC that nobody has described.
unknown() {
	tree_new
	tree_nic $A igb
	put_file /sys/bus/pci/devices/$A/device 0xfff0
	refused 'ID 8086:fff0 is in none' '\-\-driver vfio-pci' -- $A
	cfg 0 bind.sh apply --driver vfio-pci $A
	cfg 0 bind.sh show
	said "$A +8086:fff0 +- "
	cfg 0 bind.sh undo
}

ql_begin drivers
tree_prepare
for t in "${FAMILIES[@]}"; do
	ql_test "bind-$t" 30 family "$t"
done
for t in several keeps_what_was undo_without_notes login login6 default_route in_use opened no_iommu \
	shared_group modules mlx5 interrupts fails_half_way probe_refuses usage unknown; do
	ql_test "bind-$t" 60 $t
done
ql_end
