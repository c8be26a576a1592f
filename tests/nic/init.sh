#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The first process of the machines that tests/nic starts: runs /test/run, then turns the machine off.
export PATH=/bin HOME=/
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /run
ln -s /proc/self/fd /dev/fd
echo 2 >/proc/sys/kernel/printk
stty -echo </dev/console
(
	set -e
	cd /test
	# shellcheck disable=SC1091
	. ./run
)
rc=$? # in an "if" set -e would do nothing
[ $rc -ne 0 ] || echo "guest: done"
poweroff -f
