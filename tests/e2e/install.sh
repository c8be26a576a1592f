#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The installed library as others see it: a program that only knows its pkg-config file is built
# against the shared and against the static one, and runs.

# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
# shellcheck source=tests/lib/qlane.sh
. "$QL_TOP/tests/lib/qlane.sh"

# Installs into ./root and says where things are there.
install_qlane() {
	local pc
	DESTDIR=$PWD/root meson install -C "$QL_BUILD" --no-rebuild --quiet >install.log 2>&1 || {
		tail -20 install.log
		ql_fail "meson install"
	}
	pc=$(find root -name libqlane.pc)
	[ -n "$pc" ] || ql_fail "no libqlane.pc"
	libdir=$(dirname "$(dirname "$(realpath "$pc")")")
	# as if the folder were the file system's root
	sed -i "s|^prefix=|prefix=$PWD/root|" "$pc"
	export PKG_CONFIG_PATH=$libdir/pkgconfig:${PKG_CONFIG_PATH:-}
	read -ra cflags <<<"$(pkg-config --cflags libqlane)"
	read -ra libs <<<"$(pkg-config --libs libqlane)"
}

run() { # PROGRAM
	local said
	ql_eal 0 64
	said=$("$@" "${QL_EAL[@]}" 2>run.log) || {
		tail -20 run.log
		ql_fail "$* ended with $?"
	}
	echo "$said"
	[ "$said" = "$(pkg-config --modversion libqlane) NO_ERROR" ] || ql_fail "it said: $said"
}

shared() {
	install_qlane
	"${CC:-cc}" -std=gnu11 -Wall -Wextra -Werror "${cflags[@]}" -o consumer \
		"$QL_TOP/tests/e2e/consumer.c" "${libs[@]}"
	LD_LIBRARY_PATH=$libdir run ./consumer
	# what is not public is not to be seen
	nm -D --defined-only "$libdir/libqlane.so" | awk '$3 !~ /^ql_/ { print; bad = 1 } END { exit bad }' ||
		ql_fail "the shared library exports names that are not ours"
}

static() {
	local private
	install_qlane
	read -ra private <<<"$(pkg-config --libs libdpdk wolfssl libnghttp3) $(
		sed -n 's/^Libs.private: //p' "$libdir/pkgconfig/libqlane.pc")"
	"${CC:-cc}" -std=gnu11 "${cflags[@]}" -o consumer "$QL_TOP/tests/e2e/consumer.c" \
		"$libdir/libqlane.a" "${private[@]}" -lm
	run ./consumer
}

cplusplus() {
	install_qlane
	"${CXX:-c++}" -std=c++17 -Wall -Wextra -Werror "${cflags[@]}" -fsyntax-only -x c++ \
		"$QL_TOP/tests/e2e/consumer.c"
}

programs() {
	install_qlane
	[ "$(LD_LIBRARY_PATH=$libdir root/usr/local/bin/qlane-server --version)" ] || ql_fail "qlane-server"
	[ "$(LD_LIBRARY_PATH=$libdir root/usr/local/bin/qlane-client --version)" ] || ql_fail "qlane-client"
}

ql_isolate "$@"
ql_begin e2e

ql_test install-shared 60 shared
ql_test install-static 60 static
ql_test install-c++ 60 cplusplus
ql_test install-programs 60 programs
ql_end
