#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# install.sh SOURCE PREFIX: builds Qlane's static wolfSSL from an unpacked source tree (which it writes to)
# and installs library, headers and pkg-config file below PREFIX. Takes half a minute on two cores.
# Needs a C compiler, make's tools are not needed: the configuration is options.h beside this script.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ $# -ne 2 ] || [ ! -e "$1/wolfssl/version.h" ]; then
	echo "usage: ${0##*/} WOLFSSL-SOURCE-FOLDER PREFIX" >&2
	exit 2
fi
source=$1
prefix=$2
version=$(sed -n 's/^#define LIBWOLFSSL_VERSION_STRING "\(.*\)"/\1/p' "$source/wolfssl/version.h")

cd "$source"
rm -rf ql-build
mkdir ql-build
cp "$here/options.h" "$here/ql_rand.h" wolfssl/
cp "$here/ql_rand.c" ql-build/

# -fPIC: becomes part of libqlane.so. Hidden: and is not seen from outside it, where another wolfSSL
# may live. Each feature's code is guarded by its macro, so all files can be compiled.
flags=(-O2 -g1 -w -fPIC -fwrapv -fvisibility=hidden -pthread -DNDEBUG -I.
	-DBUILDING_WOLFSSL -DWOLFSSL_CUSTOM_CONFIG -DWOLFSSL_IGNORE_FILE_WARN
	-include wolfssl/options.h)
if [ "$(uname -m)" = x86_64 ]; then
	flags+=(-maes)
	for file in wolfcrypt/src/*_asm.S; do
		case $file in
		*/aes_gcm_x86_asm.S | */*sm[23]*) ;; # 32 bits; empty
		*) awk -f "$here/assembly.awk" "$file" >"ql-build/${file##*/}" ;;
		esac
	done
fi

# shellcheck disable=SC2012 # names without blanks; the largest first keeps all cores busy to the end
ls -S src/*.c wolfcrypt/src/*.c ql-build/*.[cS] |
	xargs -P "$(nproc)" -I{} sh -c \
		'file=$1; shift; "$@" -c "$file" -o "ql-build/$(basename "$file").o" || exit 255' \
		- {} "${CC:-cc}" "${flags[@]}"
rm -f ql-build/libwolfssl.a
ar rcs ql-build/libwolfssl.a ql-build/*.o

cat >ql-build/wolfssl.pc <<PC
prefix=$prefix
libdir=\${prefix}/lib
includedir=\${prefix}/include

Name: wolfssl
Description: wolfSSL for QUIC, static, as built by Qlane
Version: $version
Libs: -L\${libdir} -lwolfssl -pthread -lm
Cflags: -I\${includedir} -DWOLFSSL_USE_OPTIONS_H
PC

# The pkg-config file last: where it is, everything is.
install -d "$prefix/lib/pkgconfig"
rm -f "$prefix/lib/pkgconfig/wolfssl.pc"
find wolfssl -name '*.h' ! -name 'ql_rand.h' -printf '%h\n' | sort -u |
	while read -r folder; do
		install -d "$prefix/include/$folder"
		install -m 644 "$folder"/*.h "$prefix/include/$folder/"
	done
install -m 644 ql-build/libwolfssl.a "$prefix/lib/libwolfssl.a"
install -m 644 ql-build/wolfssl.pc "$prefix/lib/pkgconfig/wolfssl.pc"
