#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Gives NICs to DPDK and back to the kernel; see --help.
set -uo pipefail

# shellcheck source=drivers-cfg/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
	cat <<-USAGE
	usage: bind.sh show [NIC...]
	       bind.sh plan [OPTION...] NIC...
	       sudo bind.sh apply [OPTION...] NIC...
	       sudo bind.sh undo [NIC...]

	NIC is a PCI address (0000:3b:00.0, 3b:00.0) or the name of an interface (eth1).

	  show    the NICs of this machine, whose they are, and what each family can do
	  plan    what apply would do, as commands; changes nothing
	  apply   bind the NICs to a driver for DPDK: all of them or none. What is bound already
	          stays. Families whose kernel driver works beside DPDK (mlx5) are left with it
	  undo    give NICs back to the drivers they had before apply; without NIC all of those

	  --driver NAME   vfio-pci or uio_pci_generic [vfio-pci where there is an IOMMU]
	  --noiommu       vfio-pci without an IOMMU, as in most virtual machines: the NIC can then
	                  write anywhere in memory
	  --force         also NICs that the kernel has routes through, or that are part of a bond

	A NIC that carries a login by ssh or the default route is never taken. Bindings last until the
	next boot. Exit code: 0 done, 1 refused or failed, 2 wrong usage.
	USAGE
}

STATE=$RUN/bind # a file for each NIC that apply has taken: its driver before, its override before

complain() { # LINE...
	printf 'bind: %s\n' "$@" >&2
}

bad_usage() {
	complain "$1; see --help"
	exit 2
}

refuse() { # NIC LINE...
	local nic=$1
	shift
	complain "$nic: $1" "${@:2}"
	refused=1
}

# show ------------------------------------------------------------------------------------------

state_of() { # NIC FAMILY
	local driver text why
	driver=$(pci_driver "$1")
	case $driver in
	vfio-pci | uio_pci_generic | igb_uio) text="for DPDK" ;;
	'') text="no driver" ;;
	*) [ "$(pci_ways "$1" "$2")" = kernel ] && text="for DPDK and the kernel" || text="kernel" ;;
	esac
	why=$(pci_vital "$1")
	echo "$text${why:+ ($why)}"
}

show() { # [NIC...]
	local nic family nics=("$@")
	[ $# -gt 0 ] || mapfile -t nics < <(pci_nics)
	if [ ${#nics[@]} -eq 0 ]; then
		echo "there is no network device on PCI here; Qlane runs on vdevs: see drivers-cfg/nics/vdev.conf"
		return
	fi
	{
		printf '%s\t' NIC ID FAMILY INTERFACE DRIVER NODE IOMMU STEERING
		echo STATE
		for nic in "${nics[@]}"; do
			family=$(pci_family "$nic")
			printf '%s\t' "$nic" "$(pci_id "$nic")" "${family:--}" \
				"$(pci_ifaces "$nic" | paste -sd , | grep . || echo -)" "$(pci_driver "$nic" | grep . || echo -)" \
				"$(pci_node "$nic")" "$(pci_group "$nic" | grep . || echo -)" "$(family_get "$family" steer | grep . || echo -)"
			state_of "$nic" "$family"
		done
	} | table
	for family in $(for nic in "${nics[@]}"; do pci_family "$nic"; done | sort -u); do
		echo
		describe "$family"
	done
}

describe() { # FAMILY
	local key
	echo "$1: $(family_get "$1" name)"
	for key in rss steering queues descriptors mtu firmware caveat; do
		family_get "$1" $key | sed "s/^/  $key: /"
	done
	echo "  qlane-server: --config $FAMILY_DIR/$1.ini, a copy with your addresses"
}

# apply -----------------------------------------------------------------------------------------

driver_there() { # DRIVER
	[ -d "$R/sys/bus/pci/drivers/$1" ]
}

# vfio-pci's parameter that lets it work without an IOMMU; the file is there with the module vfio.
NOIOMMU=/sys/module/vfio/parameters/enable_unsafe_noiommu_mode

noiommu_on() {
	[ -n "$noiommu" ] || [ "$(get $NOIOMMU)" = Y ]
}

# What else the IOMMU cannot tell apart from a NIC and the kernel still uses.
foreign_in_group() { # NIC NIC...: that one, among all that are to be bound
	local nic=$1 dir other
	shift
	for dir in "$R$PCI/$nic"/iommu_group/devices/*; do
		other=${dir##*/}
		[[ " $* " != *" $other "* ]] || continue
		[ -e "$R$PCI/$other" ] || continue
		case $(get "$PCI/$other/class") in
		0x0604*) continue ;; # bridges do no harm
		esac
		case $(pci_driver "$other") in
		'' | vfio-pci | pci-stub) ;;
		*) echo "$other ($(pci_driver "$other"))" ;;
		esac
	done
}

# Decides on a NIC's driver: into `chosen`; nothing when it stays as it is. Complains if it cannot be.
choose() { # NIC NIC...: that one, among all that are to be bound
	local nic=$1 family ways now why shared
	chosen=
	family=$(pci_family "$nic")
	now=$(pci_driver "$nic")
	if [ -z "$family" ] && [ -z "$driver" ]; then
		refuse "$nic" "its ID $(pci_id "$nic") is in none of drivers-cfg/nics/*.conf" \
			"If DPDK has a driver for it, say which binding that wants: --driver vfio-pci"
		return
	fi
	ways=$(pci_ways "$nic" "$family")
	why=$(pci_vital "$nic")
	if [ -n "$why" ]; then
		refuse "$nic" "refused: $why" \
			"Without it this machine could not be reached. Use another NIC, or move that to another one first."
		return
	fi
	if [ "$ways" = kernel ]; then
		stays_with_kernel "$nic" "$family" "$now"
		return
	fi
	why=$(pci_in_use "$nic")
	if [ -n "$why" ] && [ -z "$force" ]; then
		refuse "$nic" "refused: $why" "If the kernel can do without it: --force"
		return
	fi
	pick "$nic" "$ways" || return
	if [ "$chosen" = vfio-pci ] && [ -n "$(pci_group "$nic")" ]; then
		shared=$(foreign_in_group "$@" | paste -sd , | sed 's/,/, /g')
		if [ -n "$shared" ]; then
			refuse "$nic" "its IOMMU group $(pci_group "$nic") has other devices, which the kernel uses: $shared" \
				"The IOMMU cannot keep them apart. Bind those as well, put the card into another slot," \
				"or turn on ACS in the firmware's settings."
			return
		fi
	fi
	if [ "$now" = "$chosen" ]; then
		chosen=
		echo "bind: $nic is with $now already"
		return
	fi
	why=$(pci_process "$nic")
	[ -z "$why" ] || refuse "$nic" "$why has it open; stop that first"
}

stays_with_kernel() { # NIC FAMILY DRIVER
	local missing='' module
	case " $(family_get "$2" kernel) " in
	*" $3 "*) ;;
	*)
		refuse "$1" "$2 works for DPDK with the kernel's driver ($(family_get "$2" kernel)), but it is with ${3:-none}" \
			"bind.sh undo $1"
		return
		;;
	esac
	for module in $(family_get "$2" modules); do
		[ -d "$R/sys/module/$module" ] || missing+=" $module"
	done
	echo "bind: $1 needs no binding: $2 stays with $3, and DPDK works beside it"
	[ -z "$missing" ] || complain "$1: but these modules are not loaded: modprobe -a$missing"
}

# vfio-pci where the IOMMU or the user allows it, uio_pci_generic where the device does.
pick() { # NIC WAYS
	local ways=${2:-vfio-pci uio_pci_generic}
	if [ -n "$driver" ]; then
		case " $ways " in
		*" $driver "*) ;;
		*)
			refuse "$1" "$driver does not work for it (a virtual function, no legacy interrupt, or its PMD); it can have: $ways"
			return 1
			;;
		esac
		chosen=$driver
	elif [ -n "$(pci_group "$1")" ] || noiommu_on; then
		chosen=vfio-pci
	elif [[ " $ways " == *" uio_pci_generic "* ]] && can_load uio_pci_generic; then
		chosen=uio_pci_generic
		echo "bind: $1: there is no IOMMU, so uio_pci_generic: the NIC can write anywhere in memory"
	else
		chosen=vfio-pci
	fi
	if [ "$chosen" = vfio-pci ] && [ -z "$(pci_group "$1")" ] && ! noiommu_on; then
		refuse "$1" "vfio-pci needs an IOMMU, and the kernel has none for it" \
			"Turn it on: VT-d or AMD-Vi in the firmware's settings, and on Intel's machines" \
			"$(boot_cure 'intel_iommu=on iommu=pt')" \
			"A virtual machine seldom has one: --noiommu takes vfio-pci without"
		return 1
	fi
}

can_load() { # MODULE
	driver_there "$1" || modprobe -q -D "$1" >/dev/null 2>&1
}

# Loads what the chosen drivers need; complains if it cannot.
load() { # DRIVER...
	local name
	for name; do
		driver_there "$name" || modprobe "$name" 2>/dev/null || true
		driver_there "$name" || {
			complain "the kernel has no driver $name, and 'modprobe $name' does not bring it" \
				"It is in the distribution's full kernel (Debian: linux-image-amd64), not in every small one."
			return 1
		}
		if [ "$name" = vfio-pci ] && [ -n "$noiommu" ] && [ "$(get $NOIOMMU)" != Y ]; then
			put 1 $NOIOMMU || {
				complain "vfio cannot work without an IOMMU here: $NOIOMMU: $PUT_ERROR" \
					"This kernel was built without CONFIG_VFIO_NOIOMMU. Use --driver uio_pci_generic."
				return 1
			}
		fi
	done
}

# Takes NIC from its driver and gives it to another; with override "", to the one that the kernel
# chooses. False, with PUT_ERROR, when that does not come about.
rebind() { # NIC DRIVER OVERRIDE
	put "$3" "$PCI/$1/driver_override" || return
	[ -z "$(pci_driver "$1")" ] || put "$1" "$PCI/$1/driver/unbind" || return
	[ -n "$2" ] || return 0
	put "$1" /sys/bus/pci/drivers_probe || return
	[ "$(pci_driver "$1")" = "$2" ] && return
	PUT_ERROR="it went to $(pci_driver "$1" | grep . || echo 'no driver') instead"
	return 1
}

# What a NIC had before. The kernel calls no override "(null)".
remember() { # NIC
	local override
	[ ! -e "$R$STATE/$1" ] || return 0
	override=$(get "$PCI/$1/driver_override")
	{ mkdir -p "$R$STATE" && printf '%s\n%s\n' "$(pci_driver "$1")" "${override#(null)}" >"$R$STATE/$1"; } 2>/dev/null
}

put_back() { # NIC
	local was override
	{
		IFS= read -r was
		IFS= read -r override
	} <"$R$STATE/$1"
	if [ "$(pci_driver "$1")" != "$was" ]; then
		driver_there "${was:-.}" || modprobe "$was" 2>/dev/null || true
		rebind "$1" "$was" "$override" || return
	else
		put "$override" "$PCI/$1/driver_override" || return
	fi
	rm -f "$R$STATE/$1"
}

apply() { # NIC...
	local nic now drivers done_nics=()
	declare -A to=()
	resolve "$@"
	for nic in "${nics[@]}"; do
		choose "$nic" "${nics[@]}"
		[ -z "$chosen" ] || to[$nic]=$chosen
	done
	[ -z "$refused" ] || {
		complain "nothing was changed"
		exit 1
	}
	if [ -n "$dry" ]; then
		plan_out
		return
	fi
	if [ ${#to[@]} -gt 0 ]; then
		[ -n "$R" ] || [ "$(id -u)" = 0 ] || {
			complain "only root can bind a NIC: run this with sudo"
			exit 1
		}
		mapfile -t drivers < <(printf '%s\n' "${to[@]}" | sort -u)
		load "${drivers[@]}" || exit 1
	fi
	for nic in "${nics[@]}"; do
		[ -n "${to[$nic]:-}" ] || continue
		now=$(pci_driver "$nic")
		remember "$nic" || {
			complain "$nic: cannot write below $R$STATE what undo needs"
			back_out "${done_nics[@]}"
		}
		done_nics+=("$nic")
		rebind "$nic" "${to[$nic]}" "${to[$nic]}" || {
			complain "$nic: cannot be bound to ${to[$nic]}: $PUT_ERROR"
			back_out "${done_nics[@]}"
		}
		echo "bind: $nic went from ${now:-no driver} to ${to[$nic]}; EAL argument: -a $nic"
	done
}

# All or none: what was done is undone.
back_out() { # NIC...
	local nic good=1
	for nic; do
		put_back "$nic" || {
			complain "$nic: and cannot be given back: $PUT_ERROR"
			good=
		}
	done
	[ -z "$good" ] || complain "the NICs are as they were before"
	exit 1
}

plan_out() { # of apply's variables
	local nic name
	[ ${#to[@]} -gt 0 ] || echo "bind: nothing to do"
	for name in $(printf '%s\n' "${to[@]}" | sort -u); do
		driver_there "$name" || echo "modprobe $name"
		[ "$name" != vfio-pci ] || [ -z "$noiommu" ] || echo "echo 1 >$NOIOMMU"
	done
	for nic in "${nics[@]}"; do
		[ -n "${to[$nic]:-}" ] || continue
		echo "echo ${to[$nic]} >$PCI/$nic/driver_override"
		[ -z "$(pci_driver "$nic")" ] || echo "echo $nic >$PCI/$nic/driver/unbind"
		echo "echo $nic >/sys/bus/pci/drivers_probe"
	done
}

# undo ------------------------------------------------------------------------------------------

undo() { # [NIC...]
	local nic file why
	nics=()
	if [ $# -gt 0 ]; then
		resolve "$@"
	else
		for file in "$R$STATE"/*; do
			[ ! -f "$file" ] || nics+=("${file##*/}")
		done
		[ ${#nics[@]} -gt 0 ] || echo "bind: nothing to undo"
	fi
	[ -z "$refused" ] || exit 1
	for nic in "${nics[@]}"; do
		undo_one "$nic"
	done
	[ -z "$refused" ] || exit 1
}

undo_one() { # NIC
	local why
	if [ ! -d "$R$PCI/$1" ]; then
		rm -f "$R$STATE/$1"
		echo "bind: $1 is gone"
		return
	fi
	case $(pci_driver "$1") in
	vfio-pci | uio_pci_generic) ;;
	*)
		if [ ! -e "$R$STATE/$1" ]; then
			echo "bind: $1 is with $(pci_driver "$1" | grep . || echo 'no driver') already"
			return
		fi
		;;
	esac
	[ -n "$R" ] || [ "$(id -u)" = 0 ] || {
		refuse "$1" "only root can bind a NIC: run this with sudo"
		return
	}
	why=$(pci_process "$1")
	if [ -n "$why" ]; then
		refuse "$1" "$why has it open; stop that first"
	elif [ -e "$R$STATE/$1" ]; then
		put_back "$1" || {
			refuse "$1" "cannot be given back: $PUT_ERROR"
			return
		}
		echo "bind: $1 is with $(pci_driver "$1" | grep . || echo 'no driver') again"
	else # bound by somebody else: the kernel chooses
		if ! rebind "$1" "" "" || ! put "$1" /sys/bus/pci/drivers_probe; then
			refuse "$1" "cannot be given back: $PUT_ERROR"
			return
		fi
		echo "bind: $1 is with $(pci_driver "$1" | grep . || echo 'no driver') now"
	fi
}

# -----------------------------------------------------------------------------------------------

# Addresses from arguments, each once, into `nics`; all that are wrong are said.
resolve() { # NIC...
	local name nic
	nics=()
	for name; do
		nic=$(pci_address "$name") || {
			refuse "$name" "there is no such NIC; 'bind.sh show' lists them"
			continue
		}
		case $(get "$PCI/$nic/class") in
		0x02*) ;;
		*)
			refuse "$nic" "this is no network device (class $(get "$PCI/$nic/class"))"
			continue
			;;
		esac
		[[ " ${nics[*]} " == *" $nic "* ]] || nics+=("$nic")
	done
}

verb='' driver='' noiommu='' force='' dry='' refused='' chosen=''
arguments=()
while [ $# -gt 0 ]; do
	case $1 in
	--driver)
		case ${2:-} in
		vfio-pci | uio_pci_generic) driver=$2 ;;
		*) bad_usage "--driver needs vfio-pci or uio_pci_generic, not '${2:-}'" ;;
		esac
		shift
		;;
	--noiommu) noiommu=1 ;;
	--force) force=1 ;;
	--help | -h)
		usage
		exit
		;;
	-*) bad_usage "unknown option $1" ;;
	*)
		if [ -n "$verb" ]; then arguments+=("$1"); else verb=$1; fi
		;;
	esac
	shift
done
case $verb in
show)
	nics=()
	resolve "${arguments[@]}"
	[ -z "$refused" ] || exit 1
	show "${nics[@]}"
	;;
plan | apply)
	[ ${#arguments[@]} -gt 0 ] || bad_usage "$verb needs a NIC"
	[ "$verb" = apply ] || dry=1
	apply "${arguments[@]}"
	;;
undo) undo "${arguments[@]}" ;;
*) bad_usage "expected show, plan, apply or undo, not '$verb'" ;;
esac
