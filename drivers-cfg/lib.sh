# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# Shared by bind.sh, hugepages.sh and check.sh: what /sys and /proc say about the machine and its
# NICs, changes of /sys, and the NIC families described in nics/.
#
# QLANE_SYSROOT  a folder that stands for /: everything is read and written below it

R=${QLANE_SYSROOT:-}
PCI=/sys/bus/pci/devices
# shellcheck disable=SC2034 # for those that source this
RUN=/run/qlane # what undo needs, until the next boot
FAMILY_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/nics

# The first line of a file; nothing, and false, when there is none.
get() { # PATH
	local line
	[ -f "$R$1" ] && { IFS= read -r line <"$R$1" || [ -n "${line:-}" ]; } 2>/dev/null || return 1
	printf '%s\n' "$line"
}

# Writes a line as root would by hand; the kernel's reason, when it refuses, goes to PUT_ERROR.
put() { # VALUE PATH
	PUT_ERROR=$(printf '%s\n' "$1" | tee "$R$2" 2>&1 >/dev/null) && return
	PUT_ERROR=${PUT_ERROR##*: }
	return 1
}

# The name at the end of a link; nothing when there is none.
target() { # PATH
	local link
	[ -L "$R$1" ] || return 0
	link=$(readlink "$R$1")
	echo "${link##*/}"
}

# Lines of fields that tabs separate, as aligned columns.
table() {
	awk -F '\t' '
		{
			for (i = 1; i <= NF; i++) {
				cell[NR, i] = $i
				if (length($i) > width[i]) width[i] = length($i)
			}
			n[NR] = NF
		}
		END {
			for (r = 1; r <= NR; r++) {
				line = ""
				for (i = 1; i < n[r]; i++) line = line sprintf("%-" width[i] "s  ", cell[r, i])
				print line cell[r, n[r]]
			}
		}'
}

# PCI functions ---------------------------------------------------------------------------------

# All network devices on PCI: 0000:3b:00.0
pci_nics() {
	local dir class
	for dir in "$R$PCI"/*; do
		class=$(get "${dir#"$R"}/class") || continue
		case $class in
		0x02*) echo "${dir##*/}" ;;
		esac
	done
}

pci_id() { # ADDRESS: vendor:device
	local vendor device
	vendor=$(get "$PCI/$1/vendor") && device=$(get "$PCI/$1/device") || return 1
	echo "${vendor#0x}:${device#0x}"
}

pci_driver() { # ADDRESS
	target "$PCI/$1/driver"
}

# The kernel's interfaces of a function; those of virtio are one folder lower.
pci_ifaces() { # ADDRESS
	local dir
	for dir in "$R$PCI/$1"/net/* "$R$PCI/$1"/virtio*/net/*; do
		[ ! -d "$dir" ] || echo "${dir##*/}"
	done
}

pci_is_vf() { # ADDRESS
	[ -L "$R$PCI/$1/physfn" ]
}

# The IOMMU group; nothing without an IOMMU, or when vfio-pci made one up in its no-IOMMU mode.
pci_group() { # ADDRESS
	local group
	group=$(target "$PCI/$1/iommu_group")
	[ "$(get "/sys/kernel/iommu_groups/$group/name")" = vfio-noiommu ] || echo "$group"
}

# The NUMA node; -1 where there are none to tell apart.
pci_node() { # ADDRESS
	get "$PCI/$1/numa_node" || echo -1
}

# An address from what people type: 0000:3b:00.0, 3b:00.0, or the name of an interface.
pci_address() { # TEXT
	local nic iface
	for nic in "$1" "0000:$1"; do
		[ ! -d "$R$PCI/$nic" ] || [[ $nic != ????:??:??.? ]] || {
			echo "$nic"
			return
		}
	done
	for nic in $(pci_nics); do
		for iface in $(pci_ifaces "$nic"); do
			[ "$iface" != "$1" ] || {
				echo "$nic"
				return
			}
		done
	done
	return 1
}

# NIC families ----------------------------------------------------------------------------------
# nics/FAMILY.conf: lines 'key = value'. A key that stands there several times has several lines. Keys:
#
# name         what it is called
# ids, vf_ids  PCI IDs of physical and of virtual functions
# kernel       its drivers in the kernel
# pmd          its library in DPDK: librte_net_PMD
# bind         drivers for DPDK, the best first; 'kernel' when that of the kernel stays; 'none'
# modules      of the kernel, that must be loaded beside a driver of the kernel
# rss          how it spreads packets over queues
# queues, descriptors, mtu  advice, and bounds
# steer        how it can match connection IDs: flex or raw (items of rte_flow), or none
# steering     the same in words
# ddp          folders one of which must hold its DDP package
# firmware     in words; fw_min is the oldest that will do, without the number of the model
# caveat       what else to know

families() {
	local file
	for file in "$FAMILY_DIR"/*.conf; do
		file=${file##*/}
		echo "${file%.conf}"
	done
}

family_get() { # FAMILY KEY
	[ -n "$1" ] && sed -n "s/^$2 *= *//p" "$FAMILY_DIR/$1.conf"
}

# The family of a PCI function, by its IDs; nothing when nobody has described it.
pci_family() { # ADDRESS
	local id file
	id=$(pci_id "$1") || return 0
	file=$(grep -lE "^(ids|vf_ids) *=.*\b$id\b" "$FAMILY_DIR"/*.conf | head -n 1)
	file=${file##*/}
	echo "${file%.conf}"
}

# The ways to bind a function for DPDK, the best first: vfio-pci uio_pci_generic, or 'kernel' where
# the driver of the kernel stays (bifurcated).
pci_ways() { # ADDRESS FAMILY
	local ways
	ways=$(family_get "$2" bind)
	# a virtual function has no legacy interrupt, which uio_pci_generic needs; others say so by irq
	if pci_is_vf "$1" || [ "$(get "$PCI/$1/irq")" = 0 ]; then
		ways=${ways//uio_pci_generic/}
	fi
	echo "$ways"
}

# What must not be taken away -------------------------------------------------------------------

# Processes by a pattern of their names.
pids_of() { # PATTERN
	local dir name
	for dir in "$R"/proc/[0-9]*; do
		# shellcheck disable=SC2053
		if { read -r name <"$dir/comm"; } 2>/dev/null && [[ $name == $1 ]]; then
			echo "${dir##*/}"
		fi
	done
}

# Remote addresses of logins by ssh, as /proc/net/tcp and tcp6 write them.
login_peers() {
	local pid inodes=''
	for pid in $(pids_of 'sshd*') $(pids_of dropbear); do
		inodes+=$(find "$R/proc/$pid/fd" -lname 'socket:*' -printf '%l ' 2>/dev/null)
	done
	# established, and of such a process or on its usual port
	cat "$R"/proc/net/tcp "$R"/proc/net/tcp6 2>/dev/null | awk -v inodes="$inodes" '
		$4 == "01" && ($2 ~ /:0016$/ || index(inodes, "socket:[" $10 "]")) { sub(/:.*/, "", $3); print $3 }'
}

# The interfaces that a route leads through: to a remote address in the kernel's hex, or, without
# one, the default routes.
route_ifaces() { # [ADDRESS]
	local address=${1:-} word host='' i
	if [ ${#address} = 32 ]; then
		case $address in
		0000000000000000FFFF0000*) address=${address:24} ;; # IPv4 within IPv6
		*)                                                    # words of little endian, to bytes in order
			for ((word = 0; word < 32; word += 8)); do
				for ((i = 6; i >= 0; i -= 2)); do
					host+=${address:word+i:2}
				done
			done
			;;
		esac
	fi
	if [ -z "$host" ]; then
		route4_ifaces "$address"
	fi
	if [ -n "$host" ] || [ -z "$address" ]; then
		route6_ifaces "${host,,}"
	fi
}

route4_ifaces() { # [ADDRESS]: the longest prefix wins, all of its length count
	local iface dest flags mask bits best=-1 found=()
	[ -r "$R/proc/net/route" ] || return 0
	while read -r iface dest _ flags _ _ _ mask _; do
		[[ $flags =~ ^[0-9A-Fa-f]{4}$ ]] || continue # the heading
		((0x$flags & 1 && !(0x$flags & 0x200))) || continue
		[ -n "$1" ] || [ "$mask" = 00000000 ] || continue
		(((0x${1:-0} & 0x$mask) == 0x$dest)) || continue
		bits=$(count_bits "$mask")
		if [ "$bits" -gt "$best" ]; then
			best=$bits found=()
		fi
		[ "$bits" -lt "$best" ] || found+=("$iface")
	done <"$R/proc/net/route"
	[ ${#found[@]} = 0 ] || printf '%s\n' "${found[@]}"
}

count_bits() { # HEX
	local n=$((0x$1)) bits=0
	while ((n)); do
		((bits += n & 1, n >>= 1)) || true
	done
	echo $bits
}

route6_ifaces() { # [ADDRESS]
	local dest length flags iface best=-1 found=() whole
	[ -r "$R/proc/net/ipv6_route" ] || return 0
	while read -r dest length _ _ _ _ _ _ flags iface; do
		length=$((0x$length)) whole=$((0x$length / 4))
		[ "$iface" != lo ] || continue
		((!(0x$flags & 0x200))) || continue
		[ -n "$1" ] || [ $length = 0 ] || continue
		if [ -n "$1" ]; then
			[ "${1:0:whole}" = "${dest:0:whole}" ] || continue
			((length % 4 == 0 || 0x${1:whole:1} >> (4 - length % 4) == 0x${dest:whole:1} >> (4 - length % 4))) || continue
		fi
		if [ $length -gt "$best" ]; then
			best=$length found=()
		fi
		[ $length -lt "$best" ] || found+=("$iface")
	done <"$R/proc/net/ipv6_route"
	[ ${#found[@]} = 0 ] || printf '%s\n' "${found[@]}"
}

# Interfaces, and those that they are made of: the ports of a bond or bridge, the base of a VLAN.
with_lower() { # IFACE...
	local iface lower
	for iface; do
		echo "$iface"
		for lower in "$R/sys/class/net/$iface"/lower_*; do
			if [ -e "$lower" ] || [ -L "$lower" ]; then
				with_lower "${lower##*/lower_}"
			fi
		done
	done
}

# Why a function must stay with the kernel, whatever is asked; nothing if it need not.
pci_vital() { # ADDRESS
	local iface peer
	local ifaces logins default
	ifaces=$(pci_ifaces "$1")
	[ -n "$ifaces" ] || return 0
	logins=$(for peer in $(login_peers); do
		# shellcheck disable=SC2046 # a list
		with_lower $(route_ifaces "$peer")
	done)
	# shellcheck disable=SC2046
	default=$(with_lower $(route_ifaces))
	for iface in $ifaces; do
		if grep -qxF "$iface" <<<"$logins"; then
			echo "$iface carries a login by ssh"
			return
		elif grep -qxF "$iface" <<<"$default"; then
			echo "$iface carries the default route"
			return
		fi
	done
}

# How the kernel uses a function otherwise; nothing if it does not.
pci_in_use() { # ADDRESS
	local iface upper
	for iface in $(pci_ifaces "$1"); do
		for upper in "$R/sys/class/net/$iface"/{master,upper_*}; do
			if [ -e "$upper" ] || [ -L "$upper" ]; then
				echo "$iface is part of ${upper##*/upper_}"
				return
			fi
		done
		if awk -v i="$iface" '$1 == i { found = 1 } END { exit !found }' "$R/proc/net/route" 2>/dev/null ||
			awk -v i="$iface" '$10 == i && $1 !~ /^(fe80|ff00)/ { found = 1 } END { exit !found }' \
				"$R/proc/net/ipv6_route" 2>/dev/null; then
			echo "the kernel has routes through $iface"
			return
		fi
	done
}

# The process that has a function open by vfio-pci or uio; nothing if none has.
pci_process() { # ADDRESS
	local group uio open
	group=$(target "$PCI/$1/iommu_group")
	for uio in "$R$PCI/$1"/uio/uio*; do
		uio=${uio##*/}
	done
	open=$(find "$R"/proc/[0-9]*/fd \( -lname "/dev/vfio/${group:-none}" -o \
		-lname "/dev/vfio/noiommu-${group:-none}" -o -lname "/dev/${uio:-none}" \) -print -quit \
		2>/dev/null) || true
	[ -n "$open" ] || return 0
	open=${open#"$R"/proc/}
	open=${open%%/*}
	echo "process $open ($(get "/proc/$open/comm" || echo unknown))"
}

# The kernel's command line -------------------------------------------------------------------

boot_has() { # PATTERN: a word of it
	local word words
	read -ra words <<<"$(get /proc/cmdline)"
	for word in "${words[@]}"; do
		# shellcheck disable=SC2053 # a pattern
		[[ $word != $1 ]] || return 0
	done
	return 1
}

boot_cure() { # WORDS
	echo "on the kernel's command line: $1"
}
