#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What this machine lacks for line rate, and how to get it; see --help.
set -uo pipefail

# shellcheck source=drivers-cfg/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
	cat <<-USAGE
	usage: check.sh [OPTION...] [NIC...]

	Looks at this machine and says what is missing for line rate, and how to get it. NIC is a PCI
	address or the name of an interface [those that are bound for DPDK; if there are none, all
	that could be]. It changes nothing; as root it sees more.

	  --lcores LIST   the cores that are to run Qlane, such as 2-5,8 [the isolated ones]
	  --json          an array of objects: id, nic, status (ok, advice, missing), found, cure
	  --help          this text

	Exit code: 0 nothing that matters is missing (there may be advice), 1 something is, 2 wrong
	usage.
	USAGE
}

die() {
	echo "check: $*" >&2
	exit 2
}

# Findings --------------------------------------------------------------------------------------

findings=() # ID, NIC, status, what was found, cure; with tabs between them
status=0

ok() { # ID FOUND
	findings+=("$1"$'\t'"$nic"$'\tok\t'"$2"$'\t')
}

advice() { # ID FOUND CURE
	findings+=("$1"$'\t'"$nic"$'\tadvice\t'"$2"$'\t'"$3")
}

missing() { # ID FOUND CURE
	findings+=("$1"$'\t'"$nic"$'\tmissing\t'"$2"$'\t'"$3")
	status=1
}

print_table() {
	local line id dev state found cure heading=''
	for line in "${findings[@]}"; do
		IFS=$'\t' read -r id dev state found cure <<<"${line//$'\t\t'/$'\t-\t'}"
		printf '%s\t%s\t%s\t%s\n' "${state^^}" "$id" "$dev" "$found"
	done | table
	for line in "${findings[@]}"; do
		IFS=$'\t' read -r id dev state found cure <<<"${line//$'\t\t'/$'\t-\t'}"
		[ "$state" != ok ] || continue
		[ -n "$heading" ] || printf '\nHow to get it (the kernel'"'"'s command line is GRUB_CMDLINE_LINUX in /etc/default/grub; then update-grub, reboot):\n'
		heading=1
		printf '%s' "  $id"
		[ "$dev" = - ] || printf ' %s' "$dev"
		printf ': %s\n' "$cure"
	done
}

print_json() {
	printf '%s\n' "${findings[@]}" | awk -F '\t' '
		function text(s) {
			gsub(/\\/, "\\\\", s)
			gsub(/"/, "\\\"", s)
			return "\"" s "\""
		}
		BEGIN { print "[" }
		{
			printf "%s  {\"id\": %s, \"nic\": %s, \"status\": %s, \"found\": %s, \"cure\": %s}", (NR > 1 ? ",\n" : ""),
				text($1), ($2 == "" ? "null" : text($2)), text($3), text($4), ($5 == "" ? "null" : text($5))
		}
		END { print "\n]" }'
}

# Cores -----------------------------------------------------------------------------------------

CPU=/sys/devices/system/cpu

# The numbers of a list like 2-5,8, one a line.
expand() { # LIST
	local part
	for part in ${1//,/ }; do
		seq "${part%-*}" "${part#*-}"
	done
}

# Those of the first list that are not in the second, with commas.
without() { # LIST LIST
	awk 'NR == FNR { has[$1] = 1; next } !($1 in has)' <(expand "$2"; echo) <(expand "$1") | paste -sd ,
}

check_isolation() {
	local others name list
	for name in isolcpus nohz_full rcu_nocbs; do
		case $name in
		isolcpus) list=$(get $CPU/isolated) ;;
		nohz_full) list=$(get $CPU/nohz_full) ;;
		rcu_nocbs) list=$(boot_value rcu_nocbs) ;;
		esac
		[[ $list =~ ^[0-9,-]+$ ]] || list=
		others=$(without "$lcores" "$list")
		if [ -z "$others" ]; then
			ok $name "$list"
		elif [ "$(expand "$lcores" | wc -l)" = "$(expand "$(get $CPU/online)" | wc -l)" ]; then
			missing $name "no core is set apart for lcores" \
				"leave core 0 to the rest of the machine; $(boot_cure "$name=1-N"), and give Qlane these by -l"
		else
			missing $name "not on core $others${list:+, only on $list}" "$(boot_cure "$name=$lcores")"
		fi
	done
}

boot_value() { # NAME: what stands behind NAME= on the kernel's command line, without flags
	tr ' ' '\n' <<<"$(get /proc/cmdline)" | sed -n "s/^$1=//p" | tail -n 1 | sed 's/^[a-z_,]*,//'
}

check_governor() {
	local cpu governor slow='' seen=''
	for cpu in $(expand "$lcores"); do
		governor=$(get $CPU/cpu"$cpu"/cpufreq/scaling_governor) || continue
		seen=1
		[ "$governor" = performance ] || slow+=",$cpu ($governor)"
	done
	if [ -z "$seen" ]; then
		ok governor "the kernel does not change the clock here"
	elif [ -z "$slow" ]; then
		ok governor performance
	else
		missing governor "not 'performance' on core ${slow#,}" \
			"cpupower frequency-set -g performance, or: echo performance | tee $CPU/cpu*/cpufreq/scaling_governor"
	fi
}

# A core that polls never sleeps; but others of its package that do slow its caches and PCIe down.
check_idle() {
	local state name latency deep=''
	if [ "$(get $CPU/cpuidle/current_driver || echo none)" = none ]; then
		ok c-states "the kernel has no idle states here"
		return
	fi
	for state in "$R$CPU/cpu$(expand "$lcores" | head -n 1)"/cpuidle/state*; do
		state=${state#"$R"}
		latency=$(get "$state/latency") || continue
		name=$(get "$state/name")
		[ "$latency" -le 10 ] || [ "$(get "$state/disable")" = 1 ] || deep+=", $name ($latency us)"
	done
	if [ -z "$deep" ]; then
		ok c-states "none that takes longer than 10 us to leave"
	else
		missing c-states "deep ones are allowed: ${deep#, }" \
			"cpupower idle-set -D 10, or $(boot_cure 'intel_idle.max_cstate=1 processor.max_cstate=1'); and in the firmware's settings"
	fi
}

check_smt() {
	local cpu sibling shared=''
	for cpu in $(expand "$lcores"); do
		for sibling in $(expand "$(get $CPU/cpu"$cpu"/topology/thread_siblings_list || echo "$cpu")"); do
			[ "$sibling" = "$cpu" ] || shared+=",$cpu-$sibling"
		done
	done
	if [ -z "$shared" ]; then
		ok smt "each lcore has its core to itself"
	else
		advice smt "lcores share a core with another thread: ${shared#,}" \
			"use one thread of each core and leave the other idle: chcpu -d, or echo off >$CPU/smt/control"
	fi
}

check_irqbalance() {
	if [ -z "$(pids_of irqbalance)" ]; then
		ok irqbalance "it does not run"
	elif [ -z "$(without "$lcores" "$(get $CPU/isolated)")" ]; then
		ok irqbalance "it runs, and leaves isolated cores alone"
	else
		missing irqbalance "it may put interrupts onto the lcores" \
			"isolate them (isolcpus), or systemctl disable --now irqbalance"
	fi
}

# Memory ----------------------------------------------------------------------------------------

NEEDED_MB=512 # what one lcore takes, with some room

free_mb() { # [NODE]: in hugepages of all sizes
	local dir sum=0 kb where=/sys/kernel/mm
	[ -z "${1:-}" ] || where=/sys/devices/system/node/node$1
	for dir in "$R$where"/hugepages/hugepages-*kB; do
		[ -d "$dir" ] || continue
		kb=${dir##*/hugepages-}
		sum=$((sum + $(get "${dir#"$R"}/free_hugepages" || echo 0) * ${kb%kB} / 1024))
	done
	echo $sum
}

check_hugepages() {
	local mb
	# shellcheck disable=SC2119
	mb=$(free_mb)
	if [ "$mb" -ge $NEEDED_MB ]; then
		ok hugepages "$mb MB are free"
	else
		missing hugepages "$mb MB are free, an lcore wants $NEEDED_MB" "sudo drivers-cfg/hugepages.sh 1024"
	fi
	if awk '$3 == "hugetlbfs" { found = 1 } END { exit !found }' "$R/proc/mounts" 2>/dev/null; then
		ok hugetlbfs mounted
	else
		advice hugetlbfs "not mounted" "sudo drivers-cfg/hugepages.sh, or DPDK's option --in-memory"
	fi
}

check_iommu() {
	local groups=("$R"/sys/kernel/iommu_groups/[0-9]*)
	if [ ! -e "${groups[0]}" ]; then
		advice iommu "off: a NIC can write anywhere in memory" \
			"VT-d or AMD-Vi in the firmware's settings, and $(boot_cure 'intel_iommu=on iommu=pt')"
	elif boot_has iommu=pt || boot_has 'iommu.passthrough=1'; then
		ok iommu "on, with the kernel's own devices passed through"
	else
		advice iommu "on, and the kernel's own devices go through it as well" "$(boot_cure iommu=pt)"
	fi
}

# NICs ------------------------------------------------------------------------------------------

check_nic() { # sets nic for the findings
	local family driver ways
	nic=$1
	family=$(pci_family "$nic")
	if [ -z "$family" ]; then
		missing family "the ID $(pci_id "$nic") is in none of drivers-cfg/nics/*.conf" \
			"see whether DPDK has a driver for it: dpdk-devbind.py --status, doc.dpdk.org/guides/nics"
		return
	fi
	ok family "$(family_get "$family" name)"
	driver=$(pci_driver "$nic")
	ways=$(pci_ways "$nic" "$family")
	check_driver "$family" "$driver" "$ways"
	check_group "$driver" "$ways"
	check_node
	check_pcie
	check_payload
	check_firmware "$family"
	case $(family_get "$family" steer) in
	flex | raw) ok steering "by the NIC's rules, where it takes them: $(family_get "$family" steering | head -n 1)" ;;
	*) ok steering "by RSS, and a hop between lcores for packets of clients that moved" ;;
	esac
}

check_driver() { # FAMILY DRIVER WAYS
	local module lacking=''
	if [ "$3" = kernel ]; then
		for module in $(family_get "$1" modules); do
			[ -d "$R/sys/module/$module" ] || lacking+=" $module"
		done
		case " $(family_get "$1" kernel) " in
		*" ${2:--} "*) ;;
		*)
			missing driver "with ${2:-none}, and DPDK wants the kernel's: $(family_get "$1" kernel)" "sudo drivers-cfg/bind.sh undo $nic"
			return
			;;
		esac
		if [ -n "$lacking" ]; then
			missing driver "modules are not loaded:$lacking" "sudo modprobe -a$lacking"
		else
			ok driver "$2, beside DPDK"
		fi
	elif [ "$2" = vfio-pci ]; then
		ok driver "$2"
	elif [[ " $3 " == *" ${2:--} "* ]]; then
		if [ -n "$(pci_group "$nic")" ]; then
			advice driver "$2, which an IOMMU does not hold" "sudo drivers-cfg/bind.sh apply --driver vfio-pci $nic"
		else
			ok driver "$2"
		fi
	else
		missing driver "with ${2:-none}, not with one for DPDK" "sudo drivers-cfg/bind.sh apply $nic"
	fi
}

check_group() { # DRIVER WAYS
	if [ "$2" != kernel ] && [ -z "$(pci_group "$nic")" ] && [ "$1" != uio_pci_generic ]; then
		if [ "$(get /sys/module/vfio/parameters/enable_unsafe_noiommu_mode)" = Y ]; then
			advice iommu-group "none: vfio-pci works without an IOMMU here" "an IOMMU, where the machine has one to turn on"
		elif [[ " $2 " != *" uio_pci_generic "* ]]; then
			missing iommu-group "none, and this NIC has vfio-pci alone" \
				"an IOMMU, or in a virtual machine: sudo drivers-cfg/bind.sh apply --noiommu $nic"
		fi
	fi
}

check_node() {
	local node far mb
	node=$(pci_node "$nic")
	if [ "$node" -lt 0 ]; then
		ok numa "this machine has one node"
		return
	fi
	far=$(without "$lcores" "$(get "/sys/devices/system/node/node$node/cpulist")")
	if [ -z "$far" ]; then
		ok numa "node $node, as the lcores"
	else
		missing numa "node $node, but core $far is elsewhere" \
			"lcores of node $node: $(get "/sys/devices/system/node/node$node/cpulist"); or move the card to another slot"
	fi
	mb=$(free_mb "$node")
	if [ "$mb" -ge $NEEDED_MB ]; then
		ok hugepages "$mb MB are free on node $node"
	else
		missing hugepages "$mb MB are free on its node $node" "sudo drivers-cfg/hugepages.sh apply --node $node 1024"
	fi
}

check_pcie() {
	local dir=$PCI/$nic now most width widest
	now=$(get "$dir/current_link_speed") && most=$(get "$dir/max_link_speed") &&
		width=$(get "$dir/current_link_width") && widest=$(get "$dir/max_link_width") || now=Unknown
	if [[ $now == Unknown* || ${width:-0} == 0 ]]; then
		ok pcie "a virtual NIC without a PCIe link"
		return
	fi
	now=${now%% *} most=${most%% *}
	if [ "$now" = "$most" ] && [ "$width" = "$widest" ]; then
		ok pcie "$now GT/s, $width lanes"
	else
		missing pcie "$now GT/s with $width lanes, the NIC can do $most with $widest" \
			"another slot (dmidecode -t slot says which), or the slot's setting in the firmware"
	fi
}

# Numbers of NIC's configuration space, little endian; false beyond what may be read.
config() { # OFFSET BYTES
	local bytes
	bytes=$(od -An -v -tu1 -j "$1" -N "$2" "$R$PCI/$nic/config" 2>/dev/null)
	# shellcheck disable=SC2086 # numbers
	set -- $bytes "$2"
	case $#/${!#} in
	2/1) echo "$1" ;;
	3/2) echo $(($1 + ($2 << 8))) ;;
	*) return 1 ;;
	esac
}

# The payload of PCIe packets: bits 5 to 7 of Device Control, of Device Capabilities 0 to 2.
check_payload() {
	local at n able used
	at=$(config 52 1) || return 0
	for ((n = 0; n < 48 && at >= 64; n++)); do
		[ "$(config "$at" 1)" != 16 ] || break
		at=$(config $((at + 1)) 1) || return 0
	done
	[ "$at" -ge 64 ] && able=$(config $((at + 4)) 1) && used=$(config $((at + 8)) 1) || return 0
	able=$((128 << (able & 7))) used=$((128 << (used >> 5 & 7)))
	if [ $used -ge $able ] || [ $used -ge 256 ]; then
		ok payload "$used bytes a PCIe packet"
	else
		advice payload "$used bytes a PCIe packet, the NIC can do $able" "$(boot_cure pci=pcie_bus_perf)"
	fi
}

check_firmware() { # FAMILY
	local dir file least have setting
	for dir in $(family_get "$1" ddp); do
		for file in "$R$dir"/ice*.pkg*; do
			[ ! -f "$file" ] || {
				ok ddp "${file#"$R"}"
				return
			}
		done
	done
	if [ -n "$(family_get "$1" ddp)" ]; then
		missing ddp "no DDP package in $(family_get "$1" ddp | sed 's/ / or /')" "$(family_get "$1" firmware)"
	fi
	least=$(family_get "$1" fw_min)
	[ -n "$least" ] || return 0
	for file in "$R$PCI/$nic"/infiniband/*/fw_ver; do
		have=$(get "${file#"$R"}") || {
			advice firmware "unknown: the kernel shows no RDMA device" "sudo modprobe mlx5_ib, then again"
			return
		}
	done
	if [ "$(printf '%s\n' "${have#*.}" "$least" | sort -V | head -n 1)" != "$least" ]; then
		advice firmware "$have; without rules for connection IDs" "$(family_get "$1" firmware)"
		return
	fi
	ok firmware "$have"
	setting=$(mlxconfig -d "$nic" query FLEX_PARSER_PROFILE_ENABLE PROG_PARSE_GRAPH 2>/dev/null) || {
		advice flex "cannot tell: there is no mlxconfig here" "$(family_get "$1" steering | grep mlxconfig)"
		return
	}
	if grep -qE 'FLEX_PARSER_PROFILE_ENABLE +4' <<<"$setting" && grep -qE 'PROG_PARSE_GRAPH +(True\(1\)|1)' <<<"$setting"; then
		ok flex "the parser is set for flex items"
	else
		advice flex "the parser is not set for flex items" "$(family_get "$1" steering | grep mlxconfig)"
	fi
}

# -----------------------------------------------------------------------------------------------

# NICs to look at when none is named: those for DPDK, or those that could be.
default_nics() {
	local each bound=() free=()
	for each in $(pci_nics); do
		case $(pci_driver "$each") in
		vfio-pci | uio_pci_generic | igb_uio) bound+=("$each") ;;
		*) [ -n "$(pci_vital "$each")" ] || [ -z "$(pci_family "$each")" ] || free+=("$each") ;;
		esac
	done
	[ ${#bound[@]} -gt 0 ] || bound=("${free[@]}")
	[ ${#bound[@]} -eq 0 ] || printf '%s\n' "${bound[@]}"
}

nic='' json='' lcores='' nics=()
while [ $# -gt 0 ]; do
	case $1 in
	--json) json=1 ;;
	--lcores)
		[[ ${2:-} =~ ^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$ ]] || die "--lcores needs a list such as 2-5,8, not '${2:-}'"
		lcores=$2
		[ -z "$(without "$lcores" "$(get $CPU/online)")" ] || die "there is no core $(without "$lcores" "$(get $CPU/online)"); online are $(get $CPU/online)"
		shift
		;;
	--help | -h)
		usage
		exit
		;;
	-*) die "unknown option $1; see --help" ;;
	*) nics+=("$(pci_address "$1")") || die "there is no NIC $1; 'bind.sh show' lists them" ;;
	esac
	shift
done
[ -n "$lcores" ] || lcores=$(get $CPU/isolated | grep '[0-9]') || lcores=$(get $CPU/online)
[ ${#nics[@]} -gt 0 ] || mapfile -t nics < <(default_nics)

check_hugepages
check_iommu
check_isolation
check_irqbalance
check_governor
check_idle
check_smt
[ ${#nics[@]} -gt 0 ] || missing nic "there is no NIC for DPDK" \
	"one that the login does not use (drivers-cfg/bind.sh show); without, Qlane runs on vdevs: drivers-cfg/nics/vdev.conf"
for each in "${nics[@]}"; do
	check_nic "$each"
done
if [ -n "$json" ]; then print_json; else print_table; fi
exit $status
