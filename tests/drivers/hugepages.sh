#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2086 # no name here has blanks
#
# drivers-cfg/hugepages.sh on machines made of files.

# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
# shellcheck source=tests/drivers/tree.sh
. "$QL_TOP/tests/drivers/tree.sh"

PAGES=/proc/sys/vm/nr_hugepages

# A machine of 16 GB that has reserved none and mounted nothing.
bare() {
	tree_new
	echo 0 | QLANE_SYSROOT=$TREE "$QL_TOP/tests/drivers/bin/tee" "$TREE$PAGES"
	put_file /proc/mounts "sysfs /sys sysfs rw 0 0"
	rm "$TREE/.log"
}

pages() {
	cat "$TREE${1:-$PAGES}"
}

there_and_back() {
	local before
	bare
	before=$(tree_sum)
	cfg 0 hugepages.sh plan
	said "^echo 512 >$PAGES" '^mount -t hugetlbfs'
	[ "$(tree_sum)" = "$before" ] || ql_fail "plan changed something"
	cfg 0 hugepages.sh # as other scripts call it
	said '^hugepages: 1024 MB reserved$'
	[ "$(pages)" = 512 ] || ql_fail "$(pages) pages"
	grep -q '^hugetlbfs /dev/hugepages hugetlbfs' "$TREE/proc/mounts" || ql_fail "not mounted"
	cfg 0 hugepages.sh show
	said '^NODE +PAGE' '^0 +2 MB +256 +256' 'default size \(2 MB\): 512 reserved, 512 free' 'mounted on: /dev/hugepages'
	rm "$TREE/.log"
	cfg 0 hugepages.sh apply
	cfg 0 hugepages.sh plan
	said 'nothing to do'
	! [ -e "$TREE/.log" ] || ql_fail "the second run wrote something"
	cfg 0 hugepages.sh 2000
	[ "$(pages)" = 1000 ] || ql_fail "$(pages) pages"
	cfg 0 hugepages.sh 100
	[ "$(pages)" = 1000 ] || ql_fail "a larger reservation does not stay"
	said '2000 MB reserved'
	cfg 0 hugepages.sh undo
	said "$PAGES is 0 again"
	rm -r "${TREE:?}"/{.log,dev}
	[ "$(tree_sum)" = "$before" ] || ql_fail "undo left something changed"
	cfg 0 hugepages.sh undo
	said 'nothing to undo'
}

# Of one node, and of 1 GB; each is undone.
nodes_and_sizes() {
	local node=/sys/devices/system/node/node1/hugepages
	bare
	cfg 0 hugepages.sh apply --node 1 256
	said '256 MB reserved on node 1'
	[ "$(pages $node/hugepages-2048kB/nr_hugepages)" = 128 ] || ql_fail "not on node 1"
	cfg 0 hugepages.sh apply --node 1 --page 1G 3000
	[ "$(pages $node/hugepages-1048576kB/nr_hugepages)" = 3 ] || ql_fail "no pages of 1 GB"
	cfg 0 hugepages.sh apply --page 1G 5000
	[ "$(pages /sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages)" = 5 ] || ql_fail "no pages of 1 GB"
	cfg 2 hugepages.sh apply --node 7
	said 'no NUMA node 7'
	cfg 0 hugepages.sh undo
	[ "$(pages $node/hugepages-2048kB/nr_hugepages)" = 0 ] || ql_fail "undo forgot the node"
	[ "$(pages $node/hugepages-1048576kB/nr_hugepages)" = 0 ] || ql_fail "undo forgot the size"
	rm -r "$TREE"/sys/kernel/mm/hugepages/hugepages-1048576kB
	cfg 3 hugepages.sh apply --page 1G
	said 'no pages of 1048576 kB' '\-\-no-huge'
}

too_much() {
	bare
	cfg 2 hugepages.sh 13000
	said 'three quarters'
	cfg 0 hugepages.sh 12000
	bare
	put_file /proc/meminfo "MemTotal: 2000000 kB" "HugePages_Total: 0" "HugePages_Free: 0" "Hugepagesize: 2048 kB"
	cfg 0 hugepages.sh # a quarter of a small machine
	[ "$(pages)" = 245 ] || ql_fail "$(pages) pages"
}

# The kernel grants less than asked for, or nothing.
scarce() {
	bare
	echo 300 >"$TREE/.limit"
	cfg 0 hugepages.sh
	said 'only 300 of 512 pages' 'hugepages=512' '^hugepages: 600 MB reserved'
	[ "$(cat "$TREE/proc/sys/vm/compact_memory")" = 1 ] || ql_fail "memory was not put together"
	bare
	echo 0 >"$TREE/.limit"
	cfg 3 hugepages.sh
	said 'no free memory for any of 512' '\-\-no-huge --no-shconf -m 512'
	bare
	echo 2 >"$TREE/.limit"
	cfg 0 hugepages.sh --page 1G 5000
	said 'only 2 of 5 pages' 'hugepagesz=1G hugepages=5'
}

none() {
	bare
	put_file /proc/meminfo "MemTotal: 2000000 kB"
	cfg 3 hugepages.sh
	said 'this kernel has no hugepages' '\-\-no-huge --no-shconf -m 512'
	bare
	echo "1+ nr_hugepages" >"$TREE/.fail"
	cfg 3 hugepages.sh
	said "$PAGES cannot be written here \(Device or resource busy\)" 'container' 'sysctl vm.nr_hugepages=512'
}

no_mount() {
	bare
	touch "$TREE/.nomount"
	cfg 0 hugepages.sh
	said 'cannot be mounted' '\-\-in-memory' '1024 MB reserved'
	rm "$TREE/.nomount"
	cfg 0 hugepages.sh
	touch "$TREE/.nomount"
	cfg 1 hugepages.sh undo
	said 'in use'
	rm "$TREE/.nomount"
	cfg 0 hugepages.sh undo
	! grep -q hugetlbfs "$TREE/proc/mounts" || ql_fail "still mounted"
}

undo_fails() {
	bare
	cfg 0 hugepages.sh
	echo "1+ nr_hugepages" >"$TREE/.fail"
	cfg 1 hugepages.sh undo
	said "stays at 512: Device or resource busy"
	rm "$TREE/.fail"
	cfg 0 hugepages.sh undo
	[ "$(pages)" = 0 ] || ql_fail "$(pages) pages"
}

# Somebody who is not root.
unprivileged() {
	bare
	cp -r "$CFG" cfg # which may be where nobody else can read
	chmod -R a+rX "$TREE" cfg
	QLANE_SYSROOT=$TREE setpriv --reuid=65534 --regid=65534 --clear-groups cfg/hugepages.sh >out.log 2>&1 &&
		ql_fail "exit code 0"
	cat out.log
	said 'only root can reserve them' '\-\-no-huge'
}

usage() {
	bare
	cfg 2 hugepages.sh frob
	said "what is 'frob'"
	cfg 2 hugepages.sh 1 2
	cfg 2 hugepages.sh show undo
	cfg 2 hugepages.sh --node x
	cfg 2 hugepages.sh --page 4K
	said "2M or 1G, not '4K'"
	cfg 0 hugepages.sh --help
	said '^usage:'
}

ql_begin drivers
tree_prepare
for t in there_and_back nodes_and_sizes too_much scarce none no_mount undo_fails unprivileged usage; do
	ql_test "hugepages-$t" 60 $t
done
ql_end
