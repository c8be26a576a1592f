#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# hugepages.sh [MB]: reserves that much memory in hugepages until the next boot (default 1024, but
# no more than a quarter of the machine's) and mounts hugetlbfs on /dev/hugepages if it is mounted
# nowhere. A larger reservation stays; asking for more than three quarters is refused. Exit code 3:
# this machine gives none, and the message says how to do without.
set -euo pipefail

without() {
	printf 'hugepages: %s\n' "$@" "Qlane runs without, more slowly, with these options for DPDK:" \
		"--no-huge --no-shconf -m 512" >&2
	exit 3
}

meminfo() { # FIELD, in kB or pages
	awk -v field="$1:" '$1 == field { print $2; found = 1 } END { if (!found) print 0 }' /proc/meminfo
}

page_kb=$(meminfo Hugepagesize)
[ "$page_kb" -gt 0 ] || without "this kernel has no hugepages"
if [ -n "${1:-}" ]; then
	case $1 in
	*[!0-9]*)
		echo "usage: ${0##*/} [MB]" >&2
		exit 2
		;;
	esac
	kb=$(($1 * 1024))
	if [ $kb -gt $(($(meminfo MemTotal) * 3 / 4)) ]; then
		echo "hugepages: $1 MB are more than three quarters of this machine's memory" >&2
		exit 2
	fi
else
	kb=$((1024 * 1024))
	quarter=$(($(meminfo MemTotal) / 4))
	[ $kb -le $quarter ] || kb=$quarter
fi
want=$(((kb + page_kb - 1) / page_kb))

pages=/proc/sys/vm/nr_hugepages
if [ "$(cat $pages)" -lt "$want" ]; then
	[ "$(id -u)" = 0 ] || without "only root can reserve them: run this with sudo"
	(echo "$want" >$pages) 2>/dev/null ||
		without "$pages cannot be written here, as in a container." \
			"Reserve them on the host: sysctl vm.nr_hugepages=$want"
	if [ "$(cat $pages)" -lt "$want" ]; then
		# free memory is in pieces: put it together
		(echo 1 >/proc/sys/vm/compact_memory) 2>/dev/null || true
		(echo "$want" >$pages) 2>/dev/null || true
	fi
fi
have=$(cat $pages)
[ "$have" -gt 0 ] || [ "$want" -eq 0 ] ||
	without "the kernel finds no free memory for any of $want pages of $page_kb kB"
[ "$have" -ge "$want" ] ||
	echo "hugepages: only $have of $want pages of $page_kb kB could be reserved:" \
		"free some memory, or reserve them at boot (hugepages=$want on the kernel's command line)" >&2

if ! awk '$3 == "hugetlbfs" { found = 1 } END { exit !found }' /proc/mounts; then
	[ "$(id -u)" = 0 ] || without "only root can mount them: run this with sudo"
	mkdir -p /dev/hugepages
	mount -t hugetlbfs hugetlbfs /dev/hugepages 2>/dev/null ||
		echo "hugepages: /dev/hugepages cannot be mounted; give DPDK the option --in-memory" >&2
fi
echo "hugepages: $((have * page_kb / 1024)) MB reserved"
