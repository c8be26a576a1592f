#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Memory in hugepages for DPDK; see --help.
set -uo pipefail

# shellcheck source=drivers-cfg/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
	cat <<-USAGE
	usage: hugepages.sh show
	       hugepages.sh plan [OPTION...] [MB]
	       sudo hugepages.sh [apply] [OPTION...] [MB]
	       sudo hugepages.sh undo

	  show    what there is, in all and on each NUMA node
	  plan    what apply would do, as commands; changes nothing
	  apply   reserve MB megabytes [1024, at most a quarter of the machine's memory], and mount
	          hugetlbfs on /dev/hugepages if it is mounted nowhere. A larger reservation stays;
	          asking for more than three quarters of the memory is refused
	  undo    go back to what there was before the first apply

	  --node N       of NUMA node N: the one of the NIC (bind.sh show)
	  --page SIZE    2M or 1G [the kernel's default]

	Reservations last until the next boot. Exit code: 0 done, 1 failed, 2 wrong usage, 3 this
	machine gives none, and the message says how to do without.
	USAGE
}

STATE=$RUN/hugepages # lines 'file value', what there was; 'mounted' when apply has mounted

without() { # LINE...
	printf 'hugepages: %s\n' "$@" "Qlane runs without, more slowly, with these options for DPDK:" \
		"--no-huge --no-shconf -m 512" >&2
	exit 3
}

die() { # EXIT-CODE LINE...
	printf 'hugepages: %s\n' "${@:2}" >&2
	exit "$1"
}

meminfo() { # FIELD, in kB or pages
	awk -v field="$1:" '$1 == field { print $2; found = 1 } END { if (!found) print 0 }' "$R/proc/meminfo"
}

mounted() {
	awk '$3 == "hugetlbfs" { print $2; found = 1; exit } END { exit !found }' "$R/proc/mounts"
}

show() {
	local dir number kb
	{
		printf 'NODE\tPAGE\tRESERVED\tFREE\n'
		for dir in "$R"/sys/devices/system/node/node*/hugepages/hugepages-*kB; do
			[ -d "$dir" ] || continue
			number=${dir#"$R"/sys/devices/system/node/node}
			kb=${dir##*/hugepages-}
			kb=${kb%kB}
			printf '%s\t%s MB\t%s\t%s\n' "${number%%/*}" $((kb / 1024)) "$(cat "$dir/nr_hugepages")" \
				"$(cat "$dir/free_hugepages")"
		done
	} | table
	echo "in pages of the default size ($(($(meminfo Hugepagesize) / 1024)) MB): $(meminfo HugePages_Total) reserved, $(meminfo HugePages_Free) free"
	echo "mounted on: $(mounted || echo nowhere)"
}

# The file with the number of pages: of the default size, of another one, of a node.
choose_file() {
	page_kb=$(meminfo Hugepagesize)
	[ "$page_kb" -gt 0 ] || without "this kernel has no hugepages"
	case $page in
	2M) page_kb=2048 ;;
	1G) page_kb=1048576 ;;
	esac
	if [ -n "$node" ]; then
		pages=/sys/devices/system/node/node$node
		[ -d "$R$pages" ] || die 2 "there is no NUMA node $node"
		pages=$pages/hugepages/hugepages-${page_kb}kB/nr_hugepages
	elif [ -n "$page" ]; then
		pages=/sys/kernel/mm/hugepages/hugepages-${page_kb}kB/nr_hugepages
	else
		pages=/proc/sys/vm/nr_hugepages
	fi
	[ -e "$R$pages" ] || without "this kernel has no pages of $page_kb kB"
}

choose_number() { # [MB]
	local total kb
	total=$(meminfo MemTotal)
	if [ -n "${1:-}" ]; then
		kb=$(($1 * 1024))
		[ $kb -le $((total * 3 / 4)) ] || die 2 "$1 MB are more than three quarters of this machine's memory"
	else
		kb=$((1024 * 1024))
		[ $kb -le $((total / 4)) ] || kb=$((total / 4))
	fi
	want=$(((kb + page_kb - 1) / page_kb))
}

number() {
	get "$pages" || echo 0
}

# The first reservation counts, and the first mount.
remember() { # LINE
	mkdir -p "$R$RUN" 2>/dev/null || return 0
	grep -qF "${1%% *}" "$R$STATE" 2>/dev/null || echo "$1" >>"$R$STATE"
}

reserve() {
	local before
	before=$(number)
	[ "$before" -lt "$want" ] || return 0
	[ -w "$R$pages" ] || [ "$(id -u)" = 0 ] || without "only root can reserve them: run this with sudo"
	put "$want" "$pages" || without "$pages cannot be written here ($PUT_ERROR), as in a container." \
		"Reserve them on the host: sysctl vm.nr_hugepages=$want"
	remember "$pages $before"
	if [ "$(number)" -lt "$want" ]; then
		# free memory is in pieces: put it together
		put 1 /proc/sys/vm/compact_memory || true
		put "$want" "$pages" || true
	fi
}

mount_them() {
	! mounted >/dev/null || return 0
	[ "$(id -u)" = 0 ] || without "only root can mount them: run this with sudo"
	mkdir -p "$R/dev/hugepages"
	if mount -t hugetlbfs hugetlbfs "$R/dev/hugepages" 2>/dev/null; then
		remember mounted
	else
		echo "hugepages: /dev/hugepages cannot be mounted; give DPDK the option --in-memory" >&2
	fi
}

apply() { # [MB]
	local have boot="hugepages=$want"
	reserve
	have=$(number)
	[ "$have" -gt 0 ] || [ "$want" -eq 0 ] ||
		without "the kernel finds no free memory for any of $want pages of $page_kb kB"
	[ "$page_kb" = 2048 ] || boot="hugepagesz=1G hugepages=$want"
	[ "$have" -ge "$want" ] ||
		echo "hugepages: only $have of $want pages of $page_kb kB could be reserved:" \
			"free some memory, or reserve them at boot ($boot on the kernel's command line)" >&2
	mount_them
	echo "hugepages: $((have * page_kb / 1024)) MB reserved${node:+ on node $node}"
}

plan() {
	if [ "$(number)" -ge "$want" ] && mounted >/dev/null; then
		echo "hugepages: nothing to do"
		return
	fi
	[ "$(number)" -ge "$want" ] || echo "echo $want >$pages"
	mounted >/dev/null || echo "mount -t hugetlbfs hugetlbfs /dev/hugepages"
}

undo() {
	local file value rc=0
	if [ ! -f "$R$STATE" ]; then
		echo "hugepages: nothing to undo"
		return
	fi
	while read -r file value; do
		if [ "$file" = mounted ]; then
			umount "$R/dev/hugepages" || {
				echo "hugepages: /dev/hugepages is in use: stop what runs with them first" >&2
				rc=1
			}
		elif put "$value" "$file" && [ "$(get "$file")" -le "$value" ]; then
			echo "hugepages: $file is $value again"
		else
			echo "hugepages: $file stays at $(get "$file"): ${PUT_ERROR:-the rest is in use}" >&2
			rc=1
		fi
	done < <(tac "$R$STATE") # a node's pages count in the whole: the last change first
	[ $rc -ne 0 ] || rm -f "$R$STATE"
	return $rc
}

verb='' mb='' node='' page=''
while [ $# -gt 0 ]; do
	case $1 in
	show | plan | apply | undo)
		[ -z "$verb" ] || die 2 "one of show, plan, apply and undo; see --help"
		verb=$1
		;;
	--node)
		[[ ${2:-} =~ ^[0-9]+$ ]] || die 2 "--node needs a number, not '${2:-}'"
		node=$2
		shift
		;;
	--page)
		case ${2:-} in
		2M | 1G) page=$2 ;;
		*) die 2 "--page needs 2M or 1G, not '${2:-}'" ;;
		esac
		shift
		;;
	--help | -h)
		usage
		exit
		;;
	*)
		[[ $1 =~ ^[0-9]{1,9}$ && -z $mb ]] || die 2 "usage: ${0##*/} [show|plan|apply|undo] [MB]; --help says more; what is '$1'?"
		mb=$((10#$1))
		;;
	esac
	shift
done
case ${verb:-apply} in
show) show ;;
undo) undo ;;
*)
	choose_file
	choose_number "$mb"
	"${verb:-apply}"
	;;
esac
