#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2086 # no name here has blanks
#
# drivers-cfg/check.sh on machines made of files: one that lacks nothing, and each thing taken away.

# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
# shellcheck source=tests/drivers/tree.sh
. "$QL_TOP/tests/drivers/tree.sh"

A=0000:3b:00.0 B=0000:3b:00.1
CPU=/sys/devices/system/cpu

# A NIC of a family on the lcores' node, bound as it wants to be.
machine() { # FAMILY
	tree_new
	tree_nic $A "$1"
	[ "$1" = mlx5 ] || put_link /sys/bus/pci/devices/$A/driver ../../drivers/vfio-pci
	mkdir -p fake
	cat >fake/mlxconfig <<-'CONFIG'
	#!/bin/sh
	echo "  FLEX_PARSER_PROFILE_ENABLE          4"
	echo "  PROG_PARSE_GRAPH                    True(1)"
	CONFIG
	chmod +x fake/mlxconfig
}

check() { # EXIT-CODE ARGUMENT...
	PATH=$PWD/fake:$PATH cfg "$1" check.sh "${@:2}"
}

# A finding's line of the JSON: its status, and what it found or how to get it. What is well needs no
# cure, all else has one.
finds() { # ok|advice|missing ID [REGEX]
	grep -E "\"id\": \"$2\", .*\"status\": \"$1\"" out.log >line || ql_fail "no finding $1 $2"
	grep -qE -- "${3:-}" line || ql_fail "no finding $1 $2 that matches '$3'"
	if [ "$1" = ok ]; then
		! grep -v '"cure": null}' line || ql_fail "a cure for what is well"
	else
		! grep '"cure": null}' line || ql_fail "no cure"
	fi
}

family() { # FAMILY
	machine "$1"
	check 0 --lcores 2-3 --json
	python3 -m json.tool out.log >/dev/null || ql_fail "no JSON"
	! grep -qE '"(missing|advice)"' out.log || ql_fail "something is missing on a machine that lacks nothing"
	finds ok family
	finds ok driver
	finds ok numa
	finds ok pcie
	finds ok payload
	finds ok steering
	check 0 --lcores 2-3
	said "^OK +driver +$A " "^OK +steering +$A "
	not_said 'How to get it'
	# as the kernel has it after boot, without anything
	tree_new
	tree_nic $A "$1" eth1
	tree_no_iommu $A
	[ "$1" = mlx5 ] || {
		check 1 --lcores 2-3 --json
		finds missing driver "bind.sh apply $A"
		finds advice iommu VT-d
	}
	case $1 in
	ena | gve | iavf) finds missing iommu-group "bind.sh apply --noiommu $A" ;;
	esac
}

# Takes something away and asks: the finding, and the exit code 1 for what matters.
lacks() { # missing|advice ID REGEX COMMAND...
	local state=$1 id=$2 regex=$3 rc=0
	machine "${FAMILY:-ixgbe}"
	"${@:4}"
	[ "$state" = advice ] || rc=1
	check $rc --lcores 2-3 --json
	finds "$state" "$id" "$regex"
}

nothing() {
	rm "$TREE/sys/bus/pci/devices/$A/driver"
}

driver() { # NAME
	tree_driver "$1"
	put_link /sys/bus/pci/devices/$A/driver "../../drivers/$1"
}

hugepages() { # PAGES-OF-NODE-0 PAGES-OF-NODE-1
	put_file /sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages $(($1 + $2))
	put_file /sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages "$1"
	put_file /sys/devices/system/node/node1/hugepages/hugepages-2048kB/free_hugepages "$2"
}

on_boot() { # SED-SCRIPT
	sed -i "$1" "$TREE/proc/cmdline"
}

irqbalance() {
	put_file /proc/55/comm irqbalance
	put_file $CPU/isolated ""
}

each_thing() {
	local each
	machine ixgbe
	hugepages 0 0
	on_boot 's/iommu=pt//'
	check 1 --lcores 2-3
	said '^MISSING +hugepages +- ' "^MISSING +hugepages +$A " '^ADVICE +iommu ' 'How to get it' '^  hugepages: sudo' "^  hugepages $A: sudo"
	lacks missing hugepages '0 MB are free.*hugepages.sh 1024' hugepages 0 0
	lacks missing hugepages 'node 0".*--node 0' hugepages 0 1024
	lacks advice hugetlbfs 'not mounted' put_file /proc/mounts "sysfs /sys sysfs rw 0 0"
	lacks advice iommu 'iommu=pt' on_boot 's/iommu=pt//'
	lacks missing isolcpus 'isolcpus=2-3' put_file $CPU/isolated ""
	lacks missing isolcpus 'not on core 2, only on 3-7' put_file $CPU/isolated 3-7
	lacks missing nohz_full 'nohz_full=2-3' put_file $CPU/nohz_full "(null)"
	lacks missing rcu_nocbs 'rcu_nocbs=2-3' on_boot 's/rcu_nocbs=[^ ]*//'
	lacks missing irqbalance 'interrupts' irqbalance
	lacks missing governor '3 \(powersave\)' put_file $CPU/cpu3/cpufreq/scaling_governor powersave
	lacks missing c-states 'C6 \(133 us\)' put_file $CPU/cpu2/cpuidle/state1/disable 0
	lacks advice smt '2-6' put_file $CPU/cpu2/topology/thread_siblings_list 2,6
	lacks missing numa 'node 1, but core 2,3' put_file /sys/bus/pci/devices/$A/numa_node 1
	lacks missing pcie '8.0 GT/s with 4 lanes, .* 8.0 with 8' put_file /sys/bus/pci/devices/$A/current_link_width 4
	lacks missing pcie '5.0 GT/s' put_file /sys/bus/pci/devices/$A/current_link_speed "5.0 GT/s PCIe"
	lacks advice payload '128 bytes .* 512' tree_payload $A 2 0
	lacks missing driver 'with none' nothing
	lacks missing driver 'with ixgbe' driver ixgbe
	lacks advice driver 'IOMMU does not hold' driver uio_pci_generic
	lacks missing family 'none of drivers-cfg' put_file /sys/bus/pci/devices/$A/device 0xffff
	lacks advice iommu-group 'without an IOMMU' noiommu
	FAMILY=ice lacks missing ddp 'no DDP package.*firmware-misc-nonfree' rm -r "tree/lib/firmware"
	FAMILY=mlx5
	for each in mlx5_core mlx5_ib ib_uverbs; do
		lacks missing driver "modules are not loaded: $each" rmdir "tree/sys/module/$each"
	done
	lacks missing driver 'with vfio-pci, and DPDK wants' driver vfio-pci
	lacks advice firmware '20.28.4512' put_file /sys/bus/pci/devices/$A/infiniband/mlx5_0/fw_ver 20.28.4512
	lacks advice firmware 'unknown' rm -r "tree/sys/bus/pci/devices/$A/infiniband"
	lacks advice flex 'not set' sed -i 's/True(1)/False(0)/' fake/mlxconfig
	lacks advice flex 'not set' sed -i 's/ 4"/ 0"/' fake/mlxconfig
	lacks advice flex 'no mlxconfig' rm fake/mlxconfig
}

noiommu() {
	rm "$TREE/sys/bus/pci/devices/$A/iommu_group"
	put_file /sys/module/vfio/parameters/enable_unsafe_noiommu_mode Y
}

# What is no fault: a VM without these things; irqbalance with isolated cores; a NIC's own IOMMU group of no IOMMU.
no_fault() {
	machine virtio
	rm -r "$TREE$CPU"/cpu*/cpufreq "$TREE$CPU"/cpuidle "$TREE"/sys/bus/pci/devices/$A/{config,*link*}
	put_file /sys/bus/pci/devices/$A/numa_node -1
	put_file /proc/55/comm irqbalance
	check 0 --lcores 2-3 --json
	finds ok governor
	finds ok c-states
	finds ok pcie 'virtual'
	finds ok numa
	finds ok irqbalance 'leaves isolated'
	put_file /sys/bus/pci/devices/$A/current_link_speed Unknown
	put_file /sys/bus/pci/devices/$A/max_link_speed Unknown
	put_file /sys/bus/pci/devices/$A/current_link_width 0
	put_file /sys/bus/pci/devices/$A/max_link_width 255
	head -c 64 /dev/zero >"$TREE/sys/bus/pci/devices/$A/config" # what others than root may read
	check 0 --lcores 2-3 --json
	finds ok pcie 'virtual'
	machine virtio
	tree_no_iommu $A
	driver uio_pci_generic
	check 0 --lcores 2-3 --json
	finds ok driver uio_pci_generic
}

# Which NICs and which cores it looks at when nothing is said.
choice() {
	machine igb
	tree_nic $B igb eth2
	tree_nic 0000:5e:00.0 virtio eth0
	check 1 --json # all isolated cores: 4 to 7 are on the other node
	finds missing numa 'core 4,5,6,7 is elsewhere'
	grep -q $A out.log || ql_fail "the one that is bound is left out"
	! grep -q $B out.log || ql_fail "one that is not bound is looked at"
	check 1 --lcores 2-3 eth2
	said $B
	rm "$TREE/sys/bus/pci/devices/$A/driver"
	rm -r "$TREE/sys/bus/pci/devices/$A"
	tree_default_route eth0
	check 1 --json
	grep -q $B out.log || ql_fail "one that could be bound is left out"
	! grep -q 5e:00.0 out.log || ql_fail "the one with the default route is looked at"
	rm -r "$TREE/sys/bus/pci/devices/"*
	check 1 --json
	finds missing nic 'vdev.conf'
	put_file $CPU/isolated ""
	check 1 --json
	finds missing isolcpus 'isolcpus=1-N'
}

usage() {
	machine igb
	check 2 --lcores x
	said "not 'x'"
	check 2 --lcores 2-9
	said 'there is no core 8,9; online are 0-7'
	check 2 --frob
	check 2 eth9
	said 'there is no NIC eth9'
	check 0 --help
	said '^usage:'
}

ql_begin drivers
tree_prepare
for t in "${FAMILIES[@]}"; do
	ql_test "check-$t" 30 family "$t"
done
for t in each_thing no_fault choice usage; do
	ql_test "check-$t" 90 $t
done
ql_end
