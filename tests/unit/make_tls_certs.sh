#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Makes tls_certs.h anew: the certificates that unit tests use, valid until 2098. Needs openssl.
set -euo pipefail
cd "$(dirname "$0")"
out=$PWD/tls_certs.h
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"

# sign NAME CA-ARGUMENTS...: csr and ext become NAME.pem, valid from 2020, whatever clock tests see
sign() {
	local name=$1
	shift
	openssl ca -batch -notext -config ca.conf -in csr -out "$name.pem" -extfile ext \
		-startdate 20200101000000Z -enddate "${end:-20981231235959Z}" "$@" 2>/dev/null
}

cat >ca.conf <<CONF
[ca]
default_ca = d
[d]
database = index.txt
new_certs_dir = issued
serial = serial
default_md = sha256
policy = p
[p]
organizationName = optional
commonName = optional
CONF
mkdir issued
: >index.txt
echo 'unique_subject = no' >index.txt.attr
echo 1000 >serial

# ca NAME
ca() {
	printf '%s\n' basicConstraints=critical,CA:TRUE keyUsage=critical,keyCertSign \
		subjectKeyIdentifier=hash >ext
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key" 2>/dev/null
	openssl req -new -key "$1.key" -subj "/CN=Qlane test $1" -out csr
	sign "$1" -selfsign -keyfile "$1.key"
}

# leaf NAME SUBJECT SAN KEY-OPTIONS...; "-" for no SAN
leaf() {
	local name=$1 subject=$2 san=$3
	shift 3
	openssl genpkey "$@" -out "$name.key" 2>/dev/null
	{
		echo basicConstraints=CA:FALSE
		echo keyUsage=digitalSignature
		echo extendedKeyUsage=serverAuth
		echo authorityKeyIdentifier=keyid
		[ "$san" = - ] || echo "subjectAltName=$san"
	} >ext
	openssl req -new -key "$name.key" -subj "$subject" -out csr
	sign "$name" -cert ca.pem -keyfile ca.key
}

p256=(-algorithm EC -pkeyopt ec_paramgen_curve:P-256)
san='DNS:server.example,DNS:*.wild.example,DNS:server1,IP:192.0.2.1,IP:2001:db8::1'
ca ca
ca other_ca
leaf server /CN=server.example "$san" "${p256[@]}"
leaf rsa /CN=server.example "$san" -algorithm RSA -pkeyopt rsa_keygen_bits:2048
leaf ed25519 /CN=server.example "$san" -algorithm ED25519
leaf cn_only /CN=server.example - "${p256[@]}"
leaf nameless /O=nobody - "${p256[@]}"
end=20200102000000Z leaf expired /CN=server.example "$san" "${p256[@]}"
openssl pkey -in server.key -aes128 -passout pass:secret -out encrypted.key

{
	cat <<-'HEAD'
		// SPDX-License-Identifier: BSD-3-Clause
		/*
		 * Certificates and keys for tests, made by make_tls_certs.sh: worth nothing, known to all.
		 *
		 * All leaves are signed by CERT_CA, nothing by CERT_OTHER_CA. The names in them are server.example,
		 * *.wild.example, server1, 192.0.2.1 and 2001:db8::1.
		 */
		#ifndef QL_TEST_TLS_CERTS_H
		#define QL_TEST_TLS_CERTS_H
	HEAD
	for file in *.pem *.key; do
		kind=CERT
		[ "${file##*.}" = key ] && kind=KEY
		name=${kind}_$(tr '[:lower:]' '[:upper:]' <<<"${file%.*}")
		[ "$name" = KEY_CA ] || [ "$name" = KEY_OTHER_CA ] && continue
		printf '\n#define %s \\\n' "$name"
		sed 's/.*/\t"&\\n"/; $!s/$/ \\/' "$file"
	done
	printf '\n#endif\n'
} >"$out"
clang-format -i "$out"
