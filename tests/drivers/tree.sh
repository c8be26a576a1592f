# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2059,SC2086
#
# A machine made of files: what drivers-cfg/ reads of /sys, /proc, /dev and /lib/firmware, and a kernel
# that acts on what is written there (bin/tee). A test makes one that lacks nothing, then takes
# away what it is about.
#
# TREE  the machine's root, which is QLANE_SYSROOT of the scripts

CFG=$QL_TOP/drivers-cfg
FAMILIES=(mlx5 ice iavf i40e ixgbe txgbe igb enic ena gve virtio vmxnet3)

# put_file PATH LINE...
put_file() {
	[ -d "$TREE${1%/*}" ] || mkdir -p "$TREE${1%/*}"
	printf '%s\n' "${@:2}" >"$TREE$1"
}

put_link() { # PATH TARGET
	[ -d "$TREE${1%/*}" ] || mkdir -p "$TREE${1%/*}"
	ln -sfn "$2" "$TREE$1"
}

# Eight cores on two nodes, 2 to 7 isolated. No NIC.
tree_new() {
	rm -rf "$PWD/tree"
	cp -a "$QL_TMP/tree" "$PWD"
	TREE=$PWD/tree
}

# Makes the machine that tree_new copies.
tree_prepare() {
	local cpu node size
	TREE=$QL_TMP/tree
	put_file /proc/cmdline "root=/dev/vda1 iommu=pt intel_iommu=on isolcpus=2-7 nohz_full=2-7 rcu_nocbs=2-7 pci=pcie_bus_perf"
	put_file /proc/meminfo "MemTotal: 16777216 kB" "HugePages_Total: 1024" "HugePages_Free: 1024" "Hugepagesize: 2048 kB"
	put_file /proc/mounts "sysfs /sys sysfs rw 0 0" "hugetlbfs /dev/hugepages hugetlbfs rw 0 0"
	put_file /proc/sys/vm/nr_hugepages 1024
	put_file /proc/sys/vm/compact_memory 0
	put_file /proc/net/route "$(printf '%s\t' Iface Destination Gateway Flags RefCnt Use Metric Mask MTU)"
	put_file /proc/net/ipv6_route "$(printf '0%.0s' {1..32}) 00 $(printf '0%.0s' {1..32}) 00 $(printf '0%.0s' {1..32}) ffffffff 00000001 00000000 00200200       lo"
	put_file /proc/net/tcp "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
	put_file /proc/net/tcp6 "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
	put_file /sys/devices/system/cpu/online 0-7
	put_file /sys/devices/system/cpu/isolated 2-7
	put_file /sys/devices/system/cpu/nohz_full 2-7
	put_file /sys/devices/system/cpu/cpuidle/current_driver intel_idle
	for cpu in {0..7}; do
		node=$((cpu / 4))
		put_file /sys/devices/system/cpu/cpu$cpu/topology/thread_siblings_list $cpu
		put_file /sys/devices/system/cpu/cpu$cpu/cpufreq/scaling_governor performance
		put_file /sys/devices/system/cpu/cpu$cpu/cpuidle/state0/name POLL
		put_file /sys/devices/system/cpu/cpu$cpu/cpuidle/state0/latency 0
		put_file /sys/devices/system/cpu/cpu$cpu/cpuidle/state0/disable 0
		put_file /sys/devices/system/cpu/cpu$cpu/cpuidle/state1/name C6
		put_file /sys/devices/system/cpu/cpu$cpu/cpuidle/state1/latency 133
		put_file /sys/devices/system/cpu/cpu$cpu/cpuidle/state1/disable 1
		put_link /sys/devices/system/cpu/cpu$cpu/node$node ../../node/node$node
	done
	for node in 0 1; do
		put_file /sys/devices/system/node/node$node/cpulist $((node * 4))-$((node * 4 + 3))
		size=/sys/devices/system/node/node$node/hugepages
		put_file $size/hugepages-2048kB/nr_hugepages 512
		put_file $size/hugepages-2048kB/free_hugepages 512
		put_file $size/hugepages-1048576kB/nr_hugepages 0
		put_file $size/hugepages-1048576kB/free_hugepages 0
	done
	for size in nr free; do
		put_file /sys/kernel/mm/hugepages/hugepages-2048kB/${size}_hugepages 1024
		put_file /sys/kernel/mm/hugepages/hugepages-1048576kB/${size}_hugepages 0
	done
	mkdir -p "$TREE"/sys/{kernel/iommu_groups,class/net,bus/pci/{devices,drivers}} "$TREE/run"
	put_file /sys/bus/pci/drivers_probe ""
	tree_driver vfio-pci
	tree_driver uio_pci_generic
	put_file /sys/module/vfio/parameters/enable_unsafe_noiommu_mode N
}

tree_driver() { # NAME
	put_file "/sys/bus/pci/drivers/$1/unbind" ""
}

# A NIC as the kernel shows it: with its driver, one interface, an IOMMU group of its own.
tree_nic() { # ADDRESS FAMILY [INTERFACE]
	local nic=$1 family=$2 iface=${3:-} dir=/sys/bus/pci/devices/$1 id driver group
	id=$(sed -n 's/^ids = \([^ ]*\).*/\1/p' "$CFG/nics/$family.conf" | head -n 1)
	if [ -z "$id" ]; then
		id=$(sed -n 's/^vf_ids = \([^ ]*\).*/\1/p' "$CFG/nics/$family.conf" | head -n 1)
		[ "$family" = ena ] || put_link $dir/physfn ../0000:00:01.0
	fi
	driver=$(sed -n 's/^kernel = \([^ ]*\).*/\1/p' "$CFG/nics/$family.conf")
	group=$((10#$(tr -dc 0-9 <<<"$nic")))
	tree_driver "$driver"
	put_file $dir/vendor "0x${id%:*}"
	put_file $dir/device "0x${id#*:}"
	put_file $dir/class 0x020000
	put_file $dir/irq 17
	put_file $dir/numa_node 0
	put_file $dir/driver_override "(null)"
	put_file $dir/current_link_speed "8.0 GT/s PCIe"
	put_file $dir/max_link_speed "8.0 GT/s PCIe"
	put_file $dir/current_link_width 8
	put_file $dir/max_link_width 8
	tree_payload "$nic" 1 1
	put_file $dir/.native "$driver"
	put_link $dir/driver "../../drivers/$driver"
	put_link $dir/iommu_group "../../../../kernel/iommu_groups/$group"
	mkdir -p "$TREE/sys/kernel/iommu_groups/$group/devices"
	ln -sfn "../../../../bus/pci/devices/$nic" "$TREE/sys/kernel/iommu_groups/$group/devices/$nic"
	case $family in
	virtio) mkdir -p "$TREE$dir/virtio0/net" && dir=$dir/virtio0 ;;
	mlx5)
		mkdir -p "$TREE"/sys/module/{mlx5_core,mlx5_ib,ib_uverbs}
		put_file $dir/infiniband/mlx5_0/fw_ver 24.35.1012
		;;
	ice) put_file /lib/firmware/intel/ice/ddp/ice.pkg package ;;
	esac
	if [ -n "$iface" ]; then
		mkdir -p "$TREE$dir/net/$iface" "$TREE/sys/class/net/$iface"
	fi
}

# The PCI Express capability in a function's configuration space: payload supported and in use, as
# powers of two times 128 bytes.
tree_payload() { # ADDRESS SUPPORTED USED
	local file=$TREE/sys/bus/pci/devices/$1/config
	head -c 256 /dev/zero >"$file"
	printf '\x10' | patch_at "$file" 6              # there are capabilities,
	printf '\x40' | patch_at "$file" 52             # the first at 0x40:
	printf '\x01\x60' | patch_at "$file" 64         # power management, then
	printf '\x10\x00' | patch_at "$file" 96         # PCI Express
	printf "\\x0$2" | patch_at "$file" 100          # device capabilities
	printf "\\x$(printf %x $(($3 << 5)))\\x20" | patch_at "$file" 104 # device control; reads of 512
}

patch_at() { # FILE OFFSET
	dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

tree_default_route() { # INTERFACE
	printf '%s\t' "$1" 00000000 010200C0 0003 0 0 0 00000000 0 0 0 >>"$TREE/proc/net/route"
	echo >>"$TREE/proc/net/route"
}

tree_route() { # INTERFACE DESTINATION MASK, as the kernel writes them
	printf '%s\t' "$1" "$2" 00000000 0001 0 0 0 "$3" 0 0 0 >>"$TREE/proc/net/route"
	echo >>"$TREE/proc/net/route"
}

tree_route6() { # INTERFACE DESTINATION LENGTH
	local zero
	zero=$(printf '0%.0s' {1..32})
	echo "$2 $3 $zero 00 $zero 00000400 00000001 00000000 00000001 $1" >>"$TREE/proc/net/ipv6_route"
}

# A login by ssh from an address (hex, as in /proc/net/tcp), to a local port.
tree_login() { # ADDRESS PORT
	local file=/proc/net/tcp local=0502000A
	[ ${#1} = 8 ] || file=/proc/net/tcp6 local=00000000000000000000000000000000
	echo "   0: $local:$2 $1:C001 01 00000000:00000000 02:000A 00000000     0        0 4242 4 0 20 4 1 10 -1" \
		>>"$TREE$file"
	put_file /proc/77/comm sshd
	put_link /proc/77/fd/4 'socket:[4242]'
}

# Takes a function's IOMMU away.
tree_no_iommu() { # ADDRESS...
	local nic
	for nic; do
		rm -f "$TREE/sys/bus/pci/devices/$nic/iommu_group"
	done
	rm -rf "$TREE"/sys/kernel/iommu_groups/*
}

driver_of() { # ADDRESS
	local link=$TREE/sys/bus/pci/devices/$1/driver
	[ ! -L "$link" ] || basename "$(readlink "$link")"
}

# Runs a script of drivers-cfg/ in the tree; its output goes to out.log, the exit code must be that.
cfg() { # EXIT-CODE SCRIPT ARGUMENT...
	local want=$1 rc=0
	shift
	QLANE_SYSROOT=$TREE PATH=$QL_TOP/tests/drivers/bin:$PATH timeout 20 "$CFG/$1" "${@:2}" >out.log 2>&1 || rc=$?
	echo "\$ $*"
	cat out.log
	[ $rc = "$want" ] || ql_fail "exit code $rc, not $want"
}

said() { # REGEX...
	local regex
	for regex; do
		grep -qE -- "$regex" out.log || ql_fail "nothing said that matches '$regex'"
	done
}

not_said() { # REGEX
	! grep -E -- "$1" out.log || ql_fail "it said '$1'"
}

# All of the machine that is no trace of the run itself.
tree_sum() {
	tar -C "$TREE" --exclude=./run --exclude=./.log --sort=name --mtime=@0 -c . | cksum
}
