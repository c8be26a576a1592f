# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# A machine with a NIC to give away, in QEMU: Debian's cloud kernel, and in its memory our server and
# scripts with what they need. QEMU and kernel are unpacked below the cache, as the peers of
# tests/interop are, and not installed.
#
# GUEST_PID  QEMU's process
# guest.log  what the machine's console says

# shellcheck source=tests/interop/peers.sh
. "$QL_TOP/tests/interop/peers.sh"

guest_install() (
	peer_table() {
		cat <<-'TABLE'
		qemu  trixie   qemu-system-x86
		guest bookworm linux-image-cloud-amd64 busybox-static
		TABLE
	}
	[ "$(uname -m)" = x86_64 ] && peer_install guest qemu
)

# Copies programs and libraries into a file system, with the libraries they need. What is a link stays
# one: DPDK must not load one driver by two names.
guest_copy() { # ROOT FILE...
	local root=$1 file real
	shift
	for file in "$@" $(ldd "$@" | grep -oE '/[^ :]+' | sort -u); do
		real=$(realpath "$file")
		mkdir -p "$root${real%/*}" "$root${file%/*}"
		[ -e "$root$real" ] || cp "$real" "$root$real"
		[ -e "$root$file" ] || ln -s "$real" "$root$file"
	done
}

# The file system that the machine runs from; DIRECTORY becomes its /test, where init finds 'run'.
guest_image() { # FILE DIRECTORY
	local root=$PWD/root from=$QL_PEERS/guest/usr version name pmds
	version=$(basename "$from"/lib/modules/*)
	mkdir -p "$root"/{bin,dev,etc,proc,run,sys,lib/modules,qlane,var} || return 1
	ln -s . "$root/usr"
	ln -s bin "$root/sbin"
	ln -s lib "$root/lib64"
	ln -s /run "$root/var/run"
	mknod "$root/dev/console" c 5 1 || return 1
	cp "$from/bin/busybox" "$root/bin"
	for name in $("$root/bin/busybox" --list); do
		[ -e "$root/bin/$name" ] || ln -s busybox "$root/bin/$name"
	done
	# busybox's find and awk lack what the scripts use
	rm -f "$root"/bin/{awk,find}
	guest_copy "$root" /bin/bash /usr/bin/find /usr/bin/awk "$QL_SERVER" \
		/usr/lib/*-linux-gnu/libgcc_s.so.1 # which threads load when they end
	# DPDK loads each driver that lies in this folder; they are links there
	pmds=$(echo /usr/lib/*-linux-gnu/dpdk/pmds-*)
	mkdir -p "$root$pmds"
	for name in bus_pci bus_vdev mempool_ring net_e1000 net_virtio; do
		guest_copy "$root" "$(realpath "$pmds/librte_$name.so")"
		cp -P "$pmds/librte_$name.so"* "$root$pmds"
	done
	mkdir "$root/lib/modules/$version"
	(
		cd "$from/lib/modules/$version" && cp modules.{builtin,order} "$root/lib/modules/$version" &&
			find . \( -path '*/uio/uio*' -o -path '*/vfio/*' -o -path '*/virtio*' -o -name '*failover.ko' \
				-o -name irqbypass.ko \) -name '*.ko' -exec cp --parents -t "$root/lib/modules/$version" {} +
	)
	"$from/bin/busybox" depmod -b "$root" "$version" || return 1
	cp -r "$QL_TOP/drivers-cfg" "$root/qlane"
	cp "$QL_TOP/tests/nic/init.sh" "$root/init"
	ln -s "$QL_SERVER" "$root/qlane/qlane-server"
	cp -r "$2" "$root/test"
	(cd "$root" && find . | "$from/bin/busybox" cpio -o -H newc 2>/dev/null) | gzip -1 >"$1"
	rm -rf "$root"
}

# Starts the machine; it reads lines from guest_say. Emulated in software: KVM is not to be had
# everywhere, and does not always work where it is.
guest_start() { # IMAGE QEMU-ARGUMENT...
	local image=$1 qemu=$QL_PEERS/qemu PEER_CMD
	shift
	peer_command qemu qemu-system-x86_64 || return 1
	mkfifo guest.in
	exec {guest_in}<>guest.in
	QEMU_MODULE_DIR=$(echo "$qemu"/usr/lib/*-linux-gnu/qemu) "${PEER_CMD[@]}" \
		-L "$qemu/usr/share/qemu" -L "$qemu/usr/share/seabios" -accel tcg -cpu max \
		-nodefaults -display none -monitor none -no-reboot -serial stdio \
		-smp 2 -m 1024 -kernel "$QL_PEERS"/guest/boot/vmlinuz-* -initrd "$image" \
		-append "console=ttyS0 quiet panic=-1 no_timer_check intel_iommu=on iommu=pt" "$@" <guest.in >guest.log 2>&1 &
	GUEST_PID=$!
}

# Waits for a line of the console.
guest_wait() { # SECONDS REGEX
	ql_wait_line "$1" "$GUEST_PID" guest.log "$2" || {
		tail -40 guest.log
		ql_fail "the machine did not say '$2' in $1 s"
	}
}

guest_say() { # LINE
	echo "$1" >&"$guest_in"
}

# The machine ends by itself, and has to say that all went well.
guest_end() { # SECONDS
	ql_wait_for "$1" guest_gone || {
		tail -40 guest.log
		ql_fail "the machine did not end"
	}
	wait "$GUEST_PID" || ql_fail "QEMU ended with exit code $?"
	tr -d '\r' <guest.log >guest.txt
	grep -qx 'guest: done' guest.txt || {
		tail -60 guest.txt
		ql_fail "the machine is not content"
	}
}

guest_gone() {
	! kill -0 "$GUEST_PID" 2>/dev/null
}
