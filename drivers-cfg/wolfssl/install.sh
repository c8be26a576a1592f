#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# install.sh SOURCE PREFIX: builds Qlane's static wolfSSL from an unpacked source, in which it
# writes, and installs the library, its headers and a pkg-config file below PREFIX. Needs a C
# compiler only: the configuration is options.h beside this script. Half a minute on two cores.
#
# install.sh --stamp: prints what the variable ql_build of the pkg-config file is, if the installed
# library was built by these very files.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
stamp=$(cd "$here" && cat assembly.awk install.sh options.h ql_*.[ch] | sha256sum)
stamp=${stamp:0:16}
if [ "$*" = --stamp ]; then
	echo "$stamp"
	exit
fi
if [ $# -ne 2 ] || [ ! -e "$1/wolfssl/version.h" ]; then
	echo "usage: ${0##*/} WOLFSSL-SOURCE-FOLDER PREFIX" >&2
	exit 2
fi
prefix=$(realpath -m "$2")
cd "$1"
version=$(sed -n 's/^#define LIBWOLFSSL_VERSION_STRING "\(.*\)"/\1/p' wolfssl/version.h)

rm -rf ql-build
mkdir ql-build
cp "$here/options.h" "$here"/ql_*.h wolfssl/
cp "$here"/ql_*.c ql-build/

# Every header includes settings.h first: so the library and its users see the same options.
grep -q '/\* Qlane \*/' wolfssl/wolfcrypt/settings.h ||
	sed -i 's|^#define WOLF_CRYPT_SETTINGS_H|&\n#include <wolfssl/options.h> /* Qlane */|' \
		wolfssl/wolfcrypt/settings.h
# CVE-2026-3547: up to 5.8.4 the last two bytes of a peer's ALPN list go unchecked.
sed -i 's/(s - input) < size; s += wlen/(s - input) < length; s += wlen/' src/tls.c

# QUIC protects packets outside of TLS: keys for records are derived and set up in vain, eight of a
# handshake's expansions among them.
sed -i '/^int DeriveTls13Keys(/,/^}/ s/^    if (!store)$/    if (!store || WOLFSSL_IS_QUIC(ssl))/' src/tls13.c
sed -i '/^int SetKeysSide(/,/^}/ s/ret = SetKeys(/ret = WOLFSSL_IS_QUIC(ssl) ? 0 : SetKeys(/' src/keys.c
# All hashes that a suite may have are kept of all messages. From the ServerHello on it is known which; to a
# server that resumes a session, before. SHA-512 is in no suite of TLS 1.3.
sed -i '/^int HashRaw(/,/^}/ s/ret = wc_Sha512Update(.*/ret = 0;/' src/internal.c
sed -i '/^int HashRaw(/,/^}/ s/^    if (IsAtLeastTLSv1_2(ssl)) {$/\
    if (ssl->options.serverState >= SERVER_HELLO_COMPLETE ||\
            ssl->options.side == WOLFSSL_SERVER_END) {\
        if (ssl->specs.mac_algorithm == sha256_mac)\
            return wc_Sha256Update(\&ssl->hsHashes->hashSha256, data, (word32)sz);\
        if (ssl->specs.mac_algorithm == sha384_mac)\
            return wc_Sha384Update(\&ssl->hsHashes->hashSha384, data, (word32)sz);\
    }\
&/' src/internal.c
# A ticket is hashed before and after its encryption, to see that it has changed: ours are sealed.
sed -i -e 's/^ *itHash = HashObject(.*//' -e 's/if (itHash == HashObject(.* ||$/if (/' src/internal.c
# A resumed session's next ticket has the nonce of the one before plus one, and the 256th in such a row
# fails the handshake. A connection sends one ticket, so that any nonce is unique to it (RFC 8446, 4.6.1).
sed -i 's/return SESSION_TICKET_NONCE_OVERFLOW;/ssl->session->ticketNonce.data[0] = 0;/' src/tls13.c

# -fPIC: becomes part of libqlane.so. Hidden: and is not seen from outside it, where another wolfSSL
# may live. Each feature's code is guarded by its macro, so all files can be compiled.
flags=(-O2 -g1 -w -fPIC -fwrapv -fvisibility=hidden -pthread -DNDEBUG -I.
	-ffile-prefix-map="$PWD=wolfssl-$version"
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

# The largest file first, so that all cores are busy to the end.
# shellcheck disable=SC2011,SC2012,SC2016
ls -S src/*.c wolfcrypt/src/*.c ql-build/*.[cS] |
	xargs -P "$(nproc)" -I{} sh -c \
		'file=$1; shift; "$@" -c "$file" -o "ql-build/${file##*/}.o" || exit 255' \
		- {} "${CC:-cc}" "${flags[@]}"
ar rcs ql-build/libwolfssl.a ql-build/*.o

cat >ql-build/wolfssl.pc <<PC
prefix=$prefix
libdir=\${prefix}/lib
includedir=\${prefix}/include
ql_build=$stamp

Name: wolfssl
Description: wolfSSL for QUIC, static, as Qlane builds it
Version: $version
Libs: -L\${libdir} -lwolfssl -pthread -lm
Cflags: -I\${includedir}
PC

# Each file appears whole, for whoever compiles meanwhile; the last one says that all is there.
put() { # FILE FOLDER
	install -d "$2"
	install -m 644 "$1" "$2/.${1##*/}.new"
	mv "$2/.${1##*/}.new" "$2/${1##*/}"
}
find wolfssl -name '*.h' | while read -r file; do
	put "$file" "$prefix/include/${file%/*}"
done
put ql-build/libwolfssl.a "$prefix/lib"
put ql-build/wolfssl.pc "$prefix/lib/pkgconfig"
echo "wolfSSL $version is installed below $prefix"
