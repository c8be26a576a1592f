# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# Certificates and data for the tests.

# A certificate authority and a server's certificate, ECDSA P-256: ca.pem, cert.pem, key.pem.
ql_make_cert() ( # DIRECTORY NAME-OR-ADDRESS...
	dir=$1 san=
	shift
	for name; do
		case $name in
		*:* | *[0-9].*[0-9]) san="$san,IP:$name" ;;
		*) san="$san,DNS:$name" ;;
		esac
	done
	mkdir -p "$dir"
	cd "$dir" || return 1
	{
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 14 -sha256 \
			-subj "/CN=Qlane test authority" -addext keyUsage=critical,keyCertSign \
			-keyout ca.key -out ca.pem &&
			openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 \
				-subj "/CN=$name" -keyout key.pem -out req.pem &&
			printf '%s\n' "subjectAltName=${san#,}" extendedKeyUsage=serverAuth \
				basicConstraints=CA:FALSE >ext.cnf &&
			openssl x509 -req -in req.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 14 \
				-sha256 -extfile ext.cnf -out cert.pem
	} >openssl.log 2>&1 && rm -f req.pem ext.cnf ca.srl openssl.log
)

# The same server's name and key under a chain of six certificates (some clients refuse more), which a
# comment in each makes long: some 8 kB, more than three times what a client's first datagram has.
ql_make_chain() ( # DIRECTORY-OF-ql_make_cert NEW-DIRECTORY
	local from=$1 issuer=ca i san
	mkdir -p "$2" && cp "$from"/ca.{pem,key} "$from/key.pem" "$2" && cd "$2" || return 1
	san=$(openssl x509 -in "$from/cert.pem" -noout -ext subjectAltName |
		sed -n '2s/IP Address:/IP:/gp' | tr -d ' ')
	: >bundle
	printf '%s\n' basicConstraints=critical,CA:TRUE keyUsage=critical,keyCertSign \
		"nsComment=$(printf '%0700d' 0)" >ca.cnf
	printf '%s\n' "subjectAltName=$san" extendedKeyUsage=serverAuth basicConstraints=CA:FALSE >leaf.cnf
	for ((i = 1; i <= 5; i++)); do
		{
			openssl req -newkey rsa:2048 -nodes -sha256 -subj "/CN=Qlane test authority $i" \
				-keyout "i$i.key" -out req.pem &&
				openssl x509 -req -in req.pem -CA "$issuer.pem" -CAkey "$issuer.key" \
					-CAcreateserial -days 14 -sha256 -extfile ca.cnf -out "i$i.pem"
		} >>openssl.log 2>&1 || return 1
		cat "i$i.pem" bundle >bundle.new && mv bundle.new bundle
		issuer=i$i
	done
	{
		openssl req -new -key key.pem -sha256 -subj /CN=qlane.test -out req.pem &&
			openssl x509 -req -in req.pem -CA "$issuer.pem" -CAkey "$issuer.key" \
				-CAcreateserial -days 14 -sha256 -extfile leaf.cnf -out leaf.pem
	} >>openssl.log 2>&1 || return 1
	cat leaf.pem bundle >cert.pem
)

# What a browser's --ignore-certificate-errors-spki-list wants for a certificate.
ql_cert_spki() { # CERT
	openssl x509 -in "$1" -pubkey -noout | openssl pkey -pubin -outform der |
		openssl dgst -sha256 -binary | openssl enc -base64
}

# Bytes that look random and are the same in every run: an AES-CTR key stream, by seed.
ql_random() { # SEED BYTES
	# openssl ends by a closed pipe once head has had enough
	(
		set +o pipefail
		openssl enc -aes-128-ctr -nosalt -pbkdf2 -iter 1 -pass "pass:$1" </dev/zero 2>/dev/null |
			head -c "$2"
	)
}

# The size in bytes of small file number N: the odd ones first, then 0 to 64 KiB.
ql_small_size() { # N
	local edges=(0 1 2 1199 1200 1201 16383 16384 65535 65536)
	if [ "$1" -lt ${#edges[@]} ]; then
		echo "${edges[$1]}"
	else
		echo $(($1 * 7919 % 65537))
	fi
}

# The directory the servers serve: big.bin (100 MB), five.bin (5 MB), one.bin (1 MB) and
# small/s0000 to s0999. It is made once and kept.
ql_make_www() { # DIRECTORY
	local dir=$1 i
	[ ! -f "$dir/.complete" ] || return 0
	rm -rf "$dir"
	mkdir -p "$dir/small"
	ql_random big 100000000 >"$dir/big.bin"
	ql_random five 5000000 >"$dir/five.bin"
	ql_random one 1000000 >"$dir/one.bin"
	ql_random small 40000000 >"$dir/.blob"
	for ((i = 0; i < 1000; i++)); do
		head -c "$(ql_small_size $i)" >"$dir/small/$(printf 's%04d' $i)"
	done <"$dir/.blob"
	rm "$dir/.blob"
	touch "$dir/.complete"
}

ql_small_paths() { # COUNT
	seq -f 'small/s%04.0f' 0 $(($1 - 1))
}

# Compares fetched files with the served ones. A client may keep the directories of the paths or
# not: OUT/small/s0001 or OUT/s0001.
ql_same() { # WWW OUT PATH...
	local www=$1 out=$2 path sums
	local -a got=()
	shift 2
	for path; do
		if [ -f "$out/$path" ]; then
			got+=("$out/$path")
		elif [ -f "$out/${path##*/}" ]; then
			got+=("$out/${path##*/}")
		else
			echo "$path did not arrive"
			return 1
		fi
	done
	[ $# -gt 0 ] || return 0
	# by digests: one process for them all
	sums=$(cd "$www" && sha256sum -- "$@") || return 1
	path=$(paste -d ' ' <(cut -c 1-64 <<<"$sums") <(sha256sum -- "${got[@]}" | cut -c 1-64) \
		<(printf '%s\n' "$@") | awk '$1 != $2 { print $3 " differs" }')
	if [ -n "$path" ]; then
		head -5 <<<"$path"
		return 1
	fi
	echo "$# files are the same"
}
