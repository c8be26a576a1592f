#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Makes a machine ready to build and run Qlane; see --help. Changes only what is missing.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

packages_build=(
	gcc libc6-dev meson ninja-build pkg-config python3-pyelftools
	libdpdk-dev    # DPDK, 22.11 or newer, with all its drivers
	libipsec-mb-dev # packet encryption on x86-64
	libnghttp3-dev # HTTP/3
	check          # unit tests
	ca-certificates dpkg-dev # to download wolfSSL and unpack it
	iproute2 openssl # to run: addresses, certificates
)
packages_test=(
	dpdk-dev # testpmd
	tshark tcpdump python3 python3-scapy # to look at packets and to make some
	ethtool iputils-ping netcat-openbsd procps curl # the kernel's end
)
packages_develop=(
	clang clang-format clang-tidy cppcheck shellcheck # the other compiler, static analysis
	valgrind gdb
)

usage() {
	cat <<-USAGE
	usage: sudo drivers-cfg/setup.sh [OPTION...]

	Installs the Debian packages that Qlane needs, builds wolfSSL with QUIC if there is none, and
	reserves hugepages. Takes two minutes on a fresh machine, and no time when nothing is missing.

	  --test              also install what tests/run.sh uses
	  --develop           also install clang and the tools for static analysis
	  --prefix DIR        where wolfSSL goes (/usr/local)
	  --wolfssl-source P  build wolfSSL from this folder or tarball instead of downloading it
	  --rebuild           build wolfSSL anew, from the newest source, even if there is one
	  --hugepages-mb N    how much memory to reserve (1024, at most a quarter of the machine's)
	  --no-hugepages      leave hugepages alone
	  --quiet             say nothing unless something goes wrong
	  --help              this text

	Hugepages last until the next boot; run this again then.
	USAGE
}

say() {
	[ -n "$quiet" ] || echo "setup: $*"
}

die() { # LINE...
	printf 'setup: %s\n' "$@" >&2
	exit 1
}

# Runs a command that takes long; shows the end of what it wrote only if it fails.
run() { # COMMAND ARGUMENT...
	"$@" >"$temporary/log" 2>&1 9>&- && return # without the lock, which a daemon might keep
	tail -n 15 "$temporary/log" | sed 's/^/    | /' >&2
	return 1
}

# From here on the machine is changed: as root, one setup at a time.
begin_changes() {
	[ -z "$temporary" ] || return 0
	[ "$(id -u)" = 0 ] || die "$1, which needs root: sudo drivers-cfg/setup.sh"
	mkdir -p /run/lock
	exec 9>/run/lock/qlane-setup.lock
	if ! flock --nonblock 9; then
		say "waiting for another setup to end"
		flock --timeout 900 9 || die "another setup has not ended in 15 minutes"
	fi
	temporary=$(mktemp -d "${TMPDIR:-/tmp}/qlane-setup.XXXXXX")
	trap 'rm -rf "$temporary"' EXIT
}

has_module() { # NAME [OLDEST VERSION]
	pkg-config --exists "$1${2:+ >= $2}" 2>/dev/null
}

# Debian packages -------------------------------------------------------------------------------

# A DPDK or nghttp3 that somebody built and pkg-config finds counts as the package.
in_place() { # PACKAGE
	case $1 in
	libdpdk-dev) has_module libdpdk 22.11 && return ;;
	libnghttp3-dev) has_module libnghttp3 0.8 && return ;;
	libipsec-mb-dev) [ "$(uname -m)" = x86_64 ] || return 0 ;;
	esac
	grep -qxF "$1" <<<"$installed"
}

find_missing() { # PACKAGE...
	local package
	installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
		sed -n 's/^installed //p') || true
	missing=()
	for package in "$@"; do
		in_place "$package" || missing+=("$package")
	done
}

# Other programs may hold apt's locks; it waits for some of them itself.
apt_get() { # ARGUMENT...
	local tries
	for tries in {1..30}; do
		run env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
			-o DPkg::Lock::Timeout=300 -o Acquire::Retries=2 "$@" 2>"$temporary/error" && return
		grep -q 'Could not get lock' "$temporary/error" || break
		[ "$tries" -gt 1 ] || say "waiting for another apt-get to end"
		sleep 10
	done
	cat "$temporary/error" >&2
	return 1
}

install_packages() { # PACKAGE...
	find_missing "$@"
	[ ${#missing[@]} -gt 0 ] || return 0
	begin_changes "packages are missing (${missing[*]})"
	find_missing "$@"
	[ ${#missing[@]} -gt 0 ] || return 0
	say "installing ${missing[*]}"
	update_lists || say "going on with the package lists that are there"
	apt_get install --no-install-recommends "${missing[@]}" || die \
		"apt-get cannot install what is missing: ${missing[*]}" \
		"Is there a network? A proxy belongs into /etc/apt/apt.conf.d (Acquire::http::Proxy)." \
		"A package that is unknown needs a newer release: Debian 12, Ubuntu 24.04 or later."
}

check_dpdk() {
	has_module libdpdk 22.11 || die \
		"this release's DPDK is $(pkg-config --modversion libdpdk), Qlane needs 22.11 or newer" \
		"Use Debian 12, Ubuntu 24.04 or later, or build DPDK and set PKG_CONFIG_PATH."
}

update_lists() {
	[ -z "$updated" ] || return 0
	updated=1
	apt_get update -o APT::Update::Error-Mode=any
}

# Without apt-get nothing can be installed, only asked for.
check_by_hand() {
	local name lacks=()
	for name in cc meson ninja pkg-config ip openssl; do
		command -v "$name" >/dev/null || lacks+=("$name")
	done
	has_module libdpdk 22.11 || lacks+=("DPDK 22.11 or newer (libdpdk.pc)")
	has_module libnghttp3 0.8 || lacks+=("nghttp3 0.8 or newer (libnghttp3.pc)")
	has_module check || lacks+=("Check (check.pc)")
	python3 -c 'import elftools' 2>/dev/null || lacks+=("Python's pyelftools")
	[ ${#lacks[@]} -gt 0 ] || return 0
	die "this system has no apt-get. Install these yourself, then run this again:" \
		"${lacks[@]/#/  }" \
		"On x86-64 also intel-ipsec-mb 1.3 or newer: it encrypts packets three times as fast."
}

# wolfSSL ---------------------------------------------------------------------------------------

# Why the wolfSSL that pkg-config finds will not do; nothing if it will.
wolfssl_fault() {
	local version stamp
	version=$(pkg-config --modversion wolfssl 2>/dev/null) || {
		echo "there is none"
		return
	}
	stamp=$(pkg-config --variable=ql_build wolfssl)
	if [ -n "$stamp" ]; then # our own
		[ "$stamp" = "$("$here/wolfssl/install.sh" --stamp)" ] ||
			echo "it was built by another version of Qlane"
	elif ! has_module wolfssl 5.6; then
		echo "$version has no QUIC"
	elif ! has_module wolfssl 5.8.5; then
		echo "$version has the hole CVE-2026-3547 when built with QUIC"
	elif ! has_options; then
		echo "$version was built without QUIC or something else that Qlane uses"
	fi
}

has_options() {
	local flags
	read -ra flags <<<"$(pkg-config --cflags wolfssl)"
	{
		printf '#include <wolfssl/%s.h>\n' options ssl
		printf '#ifndef %s\n#error missing\n#endif\n' WOLFSSL_QUIC WOLFSSL_TLS13 HAVE_ALPN HAVE_SNI \
			HAVE_SECRET_CALLBACK HAVE_SESSION_TICKET HAVE_AESGCM HAVE_AES_ECB WOLFSSL_AES_DIRECT \
			HAVE_CHACHA HAVE_POLY1305 HAVE_HKDF HAVE_CURVE25519
	} | cc -E "${flags[@]}" - >/dev/null 2>&1
}

install_wolfssl() {
	local fault
	fault=$(wolfssl_fault)
	[ -n "$fault$rebuild" ] || return 0
	begin_changes "wolfSSL must be built (${fault:-as asked})"
	fault=$(wolfssl_fault)
	[ -n "$fault$rebuild" ] || return 0
	say "building wolfSSL (${fault:-as asked})"

	if [ -d "$wolfssl_source" ]; then
		[ -e "$wolfssl_source/wolfssl/version.h" ] || die "$wolfssl_source holds no wolfSSL source"
		cp -a "$wolfssl_source" "$temporary/source"
	elif [ -n "$wolfssl_source" ]; then
		mkdir "$temporary/source"
		run tar -xf "$wolfssl_source" -C "$temporary/source" --strip-components=1 ||
			die "$wolfssl_source is neither a folder nor a tarball"
	else
		download_wolfssl
	fi
	[ -e "$temporary/source/wolfssl/version.h" ] || die "$wolfssl_source holds no wolfSSL source"
	run "$here/wolfssl/install.sh" "$temporary/source" "$prefix" || die \
		"wolfSSL does not build; the messages above say why" \
		"Another version of its source can be given with --wolfssl-source."
	fault=$(wolfssl_fault)
	[ -z "$fault" ] || die "pkg-config does not find the wolfSSL below $prefix: $fault" \
		"Which one it finds: pkg-config --variable=libdir wolfssl. See PKG_CONFIG_PATH."
	say "$(tail -n 1 "$temporary/log")"
}

download_wolfssl() {
	local cure="Or download wolfSSL 5.9.2 or newer elsewhere, and give it with --wolfssl-source."
	command -v apt-get >/dev/null || die "wolfSSL's source comes from Debian, with apt-get." "$cure"
	if [ -z "$(apt-get indextargets 'Label: Debian')" ]; then
		update_lists || true
	fi
	run "$here/wolfssl/fetch.sh" "$temporary" || die \
		"cannot download wolfSSL's source from Debian with apt-get; the messages above say why" \
		"Is there a network? A proxy belongs into /etc/apt/apt.conf.d (Acquire::http::Proxy)." "$cure"
}

# -----------------------------------------------------------------------------------------------

reserve_hugepages() {
	local text rc=0
	text=$("$here/hugepages.sh" ${hugepages_mb:+"$hugepages_mb"} 2>&1) || rc=$?
	case $rc in
	0) say "${text//hugepages: /}" ;;
	3) echo "$text" >&2 ;; # no reason to fail: DPDK can do without
	*) die "$text" ;;
	esac
}

need_value() { # OPTION VALUE...
	if [ $# -lt 2 ] || [ -z "$2" ]; then
		die "$1 needs a value; see --help"
	fi
}

prefix=/usr/local
packages=("${packages_build[@]}")
hugepages=1
hugepages_mb=
wolfssl_source=
rebuild=
quiet=
temporary=
updated=
while [ $# -gt 0 ]; do
	case $1 in
	--test) packages+=("${packages_test[@]}") ;;
	--develop) packages+=("${packages_develop[@]}") ;;
	--prefix)
		need_value "$@"
		prefix=$(realpath -m "$2")
		shift
		;;
	--wolfssl-source)
		need_value "$@"
		wolfssl_source=$(realpath -e "$2") || die "--wolfssl-source: there is no $2"
		rebuild=1
		shift
		;;
	--rebuild) rebuild=1 ;;
	--hugepages-mb)
		need_value "$@"
		hugepages_mb=$2
		case $hugepages_mb in
		*[!0-9]*) die "--hugepages-mb needs a number, not $hugepages_mb" ;;
		esac
		shift
		;;
	--no-hugepages) hugepages= ;;
	--quiet) quiet=1 ;;
	--help | -h)
		usage
		exit
		;;
	*) die "unknown option $1; see --help" ;;
	esac
	shift
done

builders_path=${PKG_CONFIG_PATH:-}
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
if command -v apt-get >/dev/null; then
	install_packages "${packages[@]}"
	check_dpdk
else
	check_by_hand
fi
install_wolfssl
[ -z "$hugepages" ] || reserve_hugepages
if [ "$(PKG_CONFIG_PATH=$builders_path pkg-config --variable=libdir wolfssl 2>/dev/null)" != \
	"$(pkg-config --variable=libdir wolfssl)" ]; then
	say "ready. Before you build: export PKG_CONFIG_PATH=$PKG_CONFIG_PATH"
else
	say "ready"
fi
