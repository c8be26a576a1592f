#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# QUIC software that is not ours, to test against. As a command it installs peers and prints where
# they are; sourced, it gives the functions peer_install, peer_client_fetch and peer_server_start.
#
# A peer is a Debian package with everything it depends on, down to the C library, unpacked into a
# folder of its own and started through that folder's dynamic loader. Nothing is installed into
# the system, so peers of a newer Debian run beside the system's own libraries.
#
# PEER_IN       words in front of every command of a peer: (ip netns exec NAME)
# PEER_OPTIONS  options that peer_client_fetch and peer_server_start add to the program's own; for
#               nginx lines of its configuration, for haproxy words of its "bind" line, for Firefox
#               preferences
PEER_IN=() PEER_OPTIONS=()

QL_PEERS_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
QL_PEERS=${QLANE_CACHE:-/var/cache/qlane}/peers

# shellcheck source=tests/interop/browse.sh
. "$QL_PEERS_HERE/browse.sh"

# peer, Debian release, packages; or npm, a package of its registry
peer_table() {
	cat <<-'TABLE'
	ngtcp2      bookworm ngtcp2-client ngtcp2-server
	ngtcp2-1.11 trixie   ngtcp2-client ngtcp2-server
	curl        trixie   curl
	nginx       trixie   nginx
	aioquic     trixie   python3-aioquic
	haproxy     trixie   haproxy
	caddy       bookworm caddy
	caddy-2.11  sid      caddy
	knot        trixie   knot-dnsutils
	chromium    bookworm chromium
	firefox     bookworm firefox-esr
	deno        npm      @deno/linux-x64-glibc@2.9.5
	impit       npm      impit@0.14.5
	matrixai    npm      @matrixai/quic@2.0.9
	quicgo      bookworm golang-go golang-github-lucas-clemente-quic-go-dev
	quicgo-0.50 trixie   golang-go golang-github-lucas-clemente-quic-go-dev
	quinn       bookworm cargo librust-quinn-dev
	TABLE
}

peers_usage() {
	cat <<-USAGE
	usage: peers.sh install [PEER...]   install the named peers, or all of them
	       peers.sh list                the peers, and what of them is installed
	       peers.sh run PEER PROGRAM [ARGUMENT...]
	They are kept below $QL_PEERS (QLANE_CACHE changes /var/cache/qlane).
	USAGE
}

peer_die() {
	echo "peers.sh: $*" >&2
	return 1
}

peer_row() { # PEER
	peer_table | awk -v p="$1" '$1 == p { $1 = ""; print; found = 1 } END { exit !found }'
}

# Debian's main archive as the system has it configured, for another release.
peer_apt_sources() { # RELEASE
	local f
	for f in /etc/apt/sources.list.d/*.sources; do
		[ -f "$f" ] || continue
		awk -v release="$1" '
			function flush() {
				if (uris && !done) {
					print "Types: deb\n" uris "\nSuites: " release "\nComponents: main"
					if (key) print key
					done = 1
				}
				uris = key = ""
			}
			/^#/ { next }
			/^[ \t]*$/ { flush(); next }
			/^URIs:/ && $2 ~ /\/debian\/?$/ { uris = $0 }
			/^Signed-By:/ { key = $0; next }
			/^ / && key { key = key "\n" $0 }
			END { flush() }
		' "$f"
	done
	return 0
}

peer_apt_list() { # RELEASE
	cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | awk -v release="$1" '
		$1 == "deb" && !done {
			options = ""
			i = 2
			if ($i ~ /^\[/) {
				while (i <= NF) {
					options = options " " $i
					if ($(i++) ~ /\]$/) break
				}
			}
			if ($i ~ /\/debian\/?$/) {
				print "deb" options, $i, release, "main"
				done = 1
			}
		}'
}

# apt-get with a configuration, lists and an (empty) installed state of its own. A mirror may be behind.
peer_apt() { # RELEASE ARGUMENT...
	local apt=$QL_PEERS/apt/$1 release=$1
	shift
	if ! [ -f "$apt/conf" ]; then
		mkdir -p "$apt/sources.d" "$apt/lists/partial" "$apt/cache/archives/partial" || return 1
		: >"$apt/status"
		peer_apt_sources "$release" >"$apt/sources.d/debian.sources"
		: >"$apt/sources.list"
		[ -s "$apt/sources.d/debian.sources" ] || peer_apt_list "$release" >"$apt/sources.list"
		if ! [ -s "$apt/sources.d/debian.sources" ] && ! [ -s "$apt/sources.list" ]; then
			peer_die "no Debian archive found in /etc/apt/sources.list or sources.list.d"
			return 1
		fi
		cat >"$apt/conf.new" <<-CONF
		Dir::Etc::sourcelist "$apt/sources.list";
		Dir::Etc::sourceparts "$apt/sources.d";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		Dir::State "$apt";
		Dir::State::status "$apt/status";
		Dir::State::lists "$apt/lists";
		Dir::Cache "$apt/cache";
		APT::Sandbox::User "root";
		APT::Install-Recommends "false";
		APT::Default-Release "";
		Acquire::Languages "none";
		Acquire::Retries "3";
		Acquire::Check-Valid-Until "false";
		CONF
		mv "$apt/conf.new" "$apt/conf"
	fi
	APT_CONFIG=$apt/conf apt-get -q "$@"
}

# What a peer is made of: its row, and what of ours is built with it.
peer_recipe() { # PEER
	peer_row "$1" || return 1
	case $1 in
	quicgo*) cat "$QL_PEERS_HERE"/quicgo/*.go | cksum ;;
	quinn) cat "$QL_PEERS_HERE"/quinn/Cargo.* "$QL_PEERS_HERE"/quinn/src/*.rs | cksum ;;
	esac
}

peer_installed() { # PEER
	[ -f "$QL_PEERS/$1/packages" ] && [ "$(cat "$QL_PEERS/$1/packages")" = "$(peer_recipe "$1")" ]
}

# Downloads Debian packages with all that they need, and unpacks them.
peer_unpack_debs() { # RELEASE DEST PACKAGE...
	local release=$1 dest=$2 deb
	shift 2
	peer_apt "$release" update && peer_apt "$release" clean &&
		peer_apt "$release" install -y -d "$@" || return 1
	for deb in "$QL_PEERS/apt/$release"/cache/archives/*.deb; do
		# a merged /usr, whichever way the package was built
		dpkg-deb --fsys-tarfile "$deb" |
			tar -x -C "$dest" --transform='s,^\./\(lib\|lib64\|bin\|sbin\)/,./usr/\1/,S' \
				--exclude=./usr/share/doc --exclude=./usr/share/man --exclude=./etc/shadow
	done
	basename -a "$QL_PEERS/apt/$release"/cache/archives/*.deb >"$dest/debs"
	peer_apt "$release" clean
}

# Downloads and unpacks a package of the npm registry that brings a program along.
peer_unpack_npm() { # DEST PACKAGE@VERSION
	local dest=$1
	mkdir -p "$dest/usr/bin" &&
		(cd "$dest" && npm pack --silent "$2") &&
		tar -x -C "$dest/usr/bin" --strip-components=1 -f "$dest"/*.tgz && rm "$dest"/*.tgz &&
		chmod +x "$dest"/usr/bin/deno && echo "$2" >"$dest/debs"
}

# One that is a library for Node.js, which is the system's.
peer_unpack_module() { # DEST PACKAGE@VERSION
	npm install --prefix "$1" --ignore-scripts --no-audit --no-fund "$2" && echo "$2" >"$1/debs"
}

# quic-go's programs for tests with other implementations, from its source package. Their paths are
# those of a container; here they come from the environment. And quicgo-echo (tests/interop/quicgo).
peer_build_quicgo() { # DEST
	local dest=$1 top what go tags=
	# the library's folder, and not its other name, a link
	top=$(find "$dest/usr/share/gocode/src/github.com" -maxdepth 3 -type d -path '*/quic-go/interop')
	go=$(echo "$dest"/usr/lib/go-*)
	case $top in *lucas-clemente*) tags=old ;; esac
	mkdir -p "$top/echo" && cp "$QL_PEERS_HERE"/quicgo/*.go "$top/echo" || return 1
	for what in client server echo; do
		[ "$what" = echo ] || sed -i -e 's,"/logs/log.txt",os.DevNull,' -e 's,"/downloads" +,os.Getenv("DOWNLOADS") +,' \
			-e 's,"/certs/cert.pem"\, "/certs/priv.key",os.Getenv("CERT")\, os.Getenv("KEY"),' \
			-e 's,http.Dir("/www"),http.Dir(os.Getenv("WWW")),' "$top/$what/main.go" || return 1
		(cd "$top" && env GOROOT="$go" GO111MODULE=off GOPATH="$dest/usr/share/gocode" \
			GOCACHE="$dest/gocache" GOFLAGS=-p=2 CGO_ENABLED=0 \
			"$go/bin/go" build -tags "$tags" -o "$dest/usr/bin/quicgo-$what" "./$what") || return 1
	done
	rm -rf "$dest/gocache" "${go:?}" "$dest"/usr/share/go*
}

# quinn-peer (tests/interop/quinn), with Debian's compiler and libraries.
peer_build_quinn() { # DEST
	local dest=$1 usr=$1/usr
	mkdir -p "$dest/build/.cargo" && cp -r "$QL_PEERS_HERE"/quinn/. "$dest/build" || return 1
	cat >"$dest/build/.cargo/config.toml" <<-CONF
	[source.crates-io]
	replace-with = "debian"
	[source.debian]
	directory = "$usr/share/cargo/registry"
	CONF
	(cd "$dest/build" && env CARGO_HOME="$dest/build/home" RUSTC="$usr/bin/rustc" \
		RUSTFLAGS="--sysroot $usr" LD_LIBRARY_PATH="$(echo "$usr"/lib/*-linux-gnu)" \
		"$usr/bin/cargo" build --release --offline) &&
		mv "$dest/build/target/release/quinn-peer" "$dest" && rm -rf "$dest/build" "${usr:?}" &&
		mkdir -p "$usr/bin" && mv "$dest/quinn-peer" "$usr/bin"
}

# Downloads and unpacks a peer when it is not there yet.
peer_install() { # PEER...
	local peer row release packages dest log
	for peer; do
		if ! row=$(peer_row "$peer"); then
			peer_die "no peer '$peer'; there are: $(peer_table | cut -d' ' -f1 | xargs)"
			return 1
		fi
		peer_installed "$peer" && continue
		mkdir -p "$QL_PEERS" || return 1
		# two scripts that want the same peer at once: one of them installs it
		exec {lock}>"$QL_PEERS/lock"
		flock "$lock"
		if ! peer_installed "$peer"; then
			read -r release packages <<<"$row"
			dest=$QL_PEERS/$peer.new log=$QL_PEERS/$peer.log
			echo "peers: unpacking $peer from Debian $release" >&2
			rm -rf "$dest" && mkdir -p "$dest"
			# shellcheck disable=SC2086 # a list of packages
			if ! case $peer in
			deno) peer_unpack_npm "$dest" $packages ;;
			impit | matrixai) peer_unpack_module "$dest" $packages ;;
			quicgo*) peer_unpack_debs "$release" "$dest" $packages && peer_build_quicgo "$dest" ;;
			quinn) peer_unpack_debs "$release" "$dest" $packages && peer_build_quinn "$dest" ;;
			*) peer_unpack_debs "$release" "$dest" $packages ;;
			esac </dev/null >"$log" 2>&1; then
				tail -5 "$log" >&2
				exec {lock}>&-
				peer_die "could not get $packages of $release (all of the log: $log)"
				return 1
			fi
			peer_recipe "$peer" >"$dest/packages"
			rm -rf "${QL_PEERS:?}/$peer" && mv "$dest" "$QL_PEERS/$peer"
		fi
		exec {lock}>&-
	done
}

# A peer's program as the words of a command line, into the array PEER_CMD.
peer_command() { # PEER PROGRAM
	local root=$QL_PEERS/$1 lib loader bin
	lib=$(echo "$root"/usr/lib/*-linux-gnu)
	loader=$(echo "$root"/usr/lib*/ld-linux-*.so.* "$lib"/ld-linux-*.so.* | tr ' ' '\n' |
		grep -v '\*' | head -1)
	# a program's name may be a pattern: python3.*
	bin=$(find "$root/usr/bin" "$root/usr/sbin" -name "$2" 2>/dev/null | head -1)
	[ -n "$bin" ] || peer_die "no program $2 in peer $1" || return 1
	case $1 in
	quicgo* | quinn | deno) # built here, or for any system
		chmod +x "$bin"
		PEER_CMD=("${PEER_IN[@]}" "$bin")
		return
		;;
	esac
	PEER_CMD=("$loader" --library-path "$lib" "$bin")
	case $2 in
	python*) PEER_CMD=(env "PYTHONHOME=$root/usr" PYTHONDONTWRITEBYTECODE=1 "${PEER_CMD[@]}") ;;
	esac
	PEER_CMD=("${PEER_IN[@]}" "${PEER_CMD[@]}")
}

# Runs a peer's program in the foreground.
peer_run() { # PEER PROGRAM ARGUMENT...
	local PEER_CMD
	peer_command "$1" "$2" || return 1
	shift 2
	"${PEER_CMD[@]}" "$@"
}

# An address as the host of a URL.
peer_host() { # ADDRESS
	case $1 in
	*:*) echo "[$1]" ;;
	*) echo "$1" ;;
	esac
}

# Fetches files of a server with a peer's client, over one connection, into OUT/PATH each.
# PROTO is h3 or hq-interop (aioquic alone has both), or echo: datagrams, and no PATH. CA - checks no certificate; gtlsclient
# never does. With SSLKEYLOGFILE set the secrets go there. Prints what the client prints.
peer_client_fetch() { # PEER PROTO HOST PORT CA OUT PATH...
	local peer=$1 proto=$2 host port=$4 ca=$5 out=$6 base p config rc=0 PEER_CMD
	host=$(peer_host "$3")
	base=https://$host:$port
	shift 6
	mkdir -p "$out" || return 1
	case $peer/$proto in
	ngtcp2*/h3)
		# files land in one directory by their last name only
		peer_run "$peer" gtlsclient --quiet --exit-on-all-streams-close --download="$out" \
			"${PEER_OPTIONS[@]}" "$(echo "$host" | tr -d '[]')" "$port" "${@/#/$base/}"
		;;
	curl/h3)
		config=$(mktemp) # several of them may run at once
		for p; do
			printf 'url = "%s/%s"\noutput = "%s/%s"\n' "$base" "$p" "$out" "$p"
		done >"$config"
		if [ "$ca" = - ]; then set -- --insecure; else set -- --cacert "$ca"; fi
		peer_run curl curl --http3-only --fail --silent --show-error --create-dirs "$@" \
			"${PEER_OPTIONS[@]}" \
			--parallel --parallel-max 64 --config "$config" || rc=$?
		rm "$config"
		return $rc
		;;
	aioquic/*)
		set -- "${@/#/$base/}"
		[ "$ca" = - ] || set -- --ca "$ca" "$@"
		[ -z "${SSLKEYLOGFILE:-}" ] || set -- --keylog "$SSLKEYLOGFILE" "$@"
		peer_run aioquic 'python3.*' "$QL_PEERS_HERE/aioquic_client.py" --alpn "$proto" --out "$out" \
			"${PEER_OPTIONS[@]}" "$@"
		;;
	deno/hq-interop | deno/echo)
		NO_COLOR=1 peer_run deno deno run --quiet --no-lock --unstable-net -A \
			"$QL_PEERS_HERE/deno_client.js" --alpn "$proto" --ca "$ca" --out "$out" "${PEER_OPTIONS[@]}" "${@/#/$base/}"
		;;
	chromium/h3 | firefox/h3)
		browse "$peer" "$host" "$port" "$ca" "$out" "$@"
		;;
	matrixai/hq-interop)
		"${PEER_IN[@]}" node "$QL_PEERS_HERE/matrixai_client.mjs" --module "$QL_PEERS/matrixai/node_modules/@matrixai/quic" \
			--ca "$ca" --out "$out" "${PEER_OPTIONS[@]}" "${@/#/$base/}"
		;;
	impit/h3)
		"${PEER_IN[@]}" node "$QL_PEERS_HERE/impit_client.cjs" --module "$QL_PEERS/impit/node_modules/impit" \
			--out "$out" "${PEER_OPTIONS[@]}" "${@/#/$base/}"
		;;
	quinn/hq-interop | quinn/echo)
		peer_run quinn quinn-peer client --alpn "$proto" --ca "$ca" --out "$out" --to "$host:$port" \
			"${PEER_OPTIONS[@]}" "$@"
		;;
	quicgo*/echo)
		peer_run "$peer" quicgo-echo client --ca "$ca" --to "$host:$port" "${PEER_OPTIONS[@]}"
		;;
	quicgo*/*)
		# its test cases are by name
		printf '%s\n' "$@" | sed -n "s,/[^/]*\$,,p;" | sort -u | (cd "$out" && xargs -r mkdir -p)
		peer_command "$peer" quicgo-client || return 1
		mkdir -p "$out.qlog"
		env "DOWNLOADS=$out" "QLOGDIR=$out.qlog" "${PEER_OPTIONS[@]}" "${PEER_CMD[@]}" "${@/#/$base/}"
		;;
	*)
		peer_die "no client of peer $peer for $proto"
		;;
	esac
}

# Starts a peer's server for the files of ROOT, for IPv4 and IPv6, in the background; its process
# id goes to PEER_PID and what it prints to LOG. It listens when peer_server_wait returns 0. With
# "retry" it answers every client with a Retry.
peer_server_start() { # PEER ROOT CERT KEY PORT LOG [retry]
	local peer=$1 root=$2 cert=$3 key=$4 port=$5 log=$6 retry=${7:-} PEER_CMD run=$6.d
	case $peer in
	ngtcp2*)
		peer_command "$peer" gtlsserver || return 1
		"${PEER_CMD[@]}" --quiet --htdocs="$root" --mime-types-file=/dev/null \
			"${PEER_OPTIONS[@]}" ${retry:+--validate-addr} '*' "$port" "$key" "$cert" >"$log" 2>&1 &
		;;
	nginx)
		mkdir -p "$run"
		cat >"$run/nginx.conf" <<-CONF
		daemon off;
		master_process off;
		user root;
		pid $run/pid;
		error_log stderr;
		events { worker_connections 1024; }
		http {
			access_log off;
			client_body_temp_path $run;
			proxy_temp_path $run;
			fastcgi_temp_path $run;
			uwsgi_temp_path $run;
			scgi_temp_path $run;
			keepalive_requests 100000;
			server {
				listen $port quic;
				listen [::]:$port quic ipv6only=on;
				http3 on;
				http3_hq on;
				${retry:+quic_retry on;}
				${PEER_OPTIONS[*]}
				ssl_certificate $cert;
				ssl_certificate_key $key;
				root $root;
			}
		}
		CONF
		peer_command nginx nginx || return 1
		"${PEER_CMD[@]}" -e stderr -p "$run" -c "$run/nginx.conf" >"$log" 2>&1 &
		;;
	aioquic)
		peer_command aioquic 'python3.*' || return 1
		"${PEER_CMD[@]}" "$QL_PEERS_HERE/aioquic_server.py" --root "$root" --cert "$cert" \
			--key "$key" --port "$port" ${retry:+--retry} "${PEER_OPTIONS[@]}" >"$log" 2>&1 &
		;;
	deno)
		peer_command deno deno || return 1
		NO_COLOR=1 "${PEER_CMD[@]}" run --quiet --no-lock --unstable-net -A \
			"$QL_PEERS_HERE/deno_server.js" --root "$root" --cert "$cert" --key "$key" --port "$port" \
			"${PEER_OPTIONS[@]}" >"$log" 2>&1 &
		;;
	quinn)
		peer_command quinn quinn-peer || return 1
		"${PEER_CMD[@]}" server --root "$root" --cert "$cert" --key "$key" --port "$port" \
			"${PEER_OPTIONS[@]}" >"$log" 2>&1 &
		;;
	quicgo*) # on port 443
		if [ "${PEER_OPTIONS[*]}" = echo ]; then
			peer_command "$peer" quicgo-echo || return 1
			"${PEER_CMD[@]}" server --cert "$cert" --key "$key" --port "$port" >"$log" 2>&1 &
			PEER_PID=$!
			return
		fi
		peer_command "$peer" quicgo-server || return 1
		mkdir -p "$run"
		env "WWW=$root" "QLOGDIR=$run" "CERT=$cert" "KEY=$key" "${PEER_OPTIONS[@]}" "${PEER_CMD[@]}" >"$log" 2>&1 &
		;;
	matrixai)
		"${PEER_IN[@]}" node "$QL_PEERS_HERE/matrixai_server.mjs" --module "$QL_PEERS/matrixai/node_modules/@matrixai/quic" \
			--root "$root" --cert "$cert" --key "$key" --port "$port" "${PEER_OPTIONS[@]}" >"$log" 2>&1 &
		;;
	haproxy) # it has no files: what it serves comes from Python's server behind it
		mkdir -p "$run"
		cat "$cert" "$key" >"$run/both.pem"
		cat >"$run/haproxy.cfg" <<-CONF
		global
			limited-quic
			nbthread 1
		defaults
			mode http
			timeout connect 5s
			timeout client 60s
			timeout server 60s
		frontend quic
			bind quic4@:$port,quic6@:$port ssl crt $run/both.pem alpn h3 ${retry:+quic-force-retry} ${PEER_OPTIONS[*]}
			default_backend files
		backend files
			server files 127.0.0.1:8443 maxconn 4
		CONF
		"${PEER_IN[@]}" python3 -m http.server --bind 127.0.0.1 --directory "$root" 8443 >"$run/files.log" 2>&1 &
		peer_command haproxy haproxy || return 1
		"${PEER_CMD[@]}" -db -f "$run/haproxy.cfg" >"$log" 2>&1 &
		;;
	caddy*) # by JSON: with a Caddyfile it would install an authority into the system
		mkdir -p "$run"
		cat >"$run/caddy.json" <<-CONF
		{
			"admin": { "disabled": true, "config": { "persist": false } },
			"apps": {
				"tls": { "certificates": { "load_files": [{ "certificate": "$cert", "key": "$key" }] } },
				"http": { "servers": { "files": {
					"listen": [":$port"],
					"protocols": ["h3"],
					"automatic_https": { "disable": true },
					"tls_connection_policies": [{ "default_sni": "qlane.test" }],
					"routes": [{ "handle": [{ "handler": "file_server", "root": "$root" }] }]
				} } }
			}
		}
		CONF
		peer_command "$peer" caddy || return 1
		env "HOME=$run" "${PEER_CMD[@]}" run --config "$run/caddy.json" >"$log" 2>&1 &
		;;
	*)
		peer_die "no server of peer $peer"
		return 1
		;;
	esac
	PEER_PID=$!
}

# Waits until something is bound to the UDP port, or fails when the server ended before.
peer_server_wait() { # PORT
	local i
	for ((i = 0; i < 100; i++)); do
		kill -0 "$PEER_PID" 2>/dev/null || return 1
		"${PEER_IN[@]}" ss -Huln "sport = :$1" | grep -q . && return 0
		sleep 0.1
	done
	return 1
}

# The version of a peer that is installed, as its package has it.
peer_version() { # PEER
	local name
	name=$(peer_row "$1" | awk '{ print $NF }')
	sed -n -e "s,^${name}_\([^_]*\)_.*,\1,p" -e 's,.*[^/]@,,p' "$QL_PEERS/$1/debs" 2>/dev/null | head -1 |
		sed 's/%3a/:/'
}

# The small files (tests/lib/files.sh) a peer's server can serve: gtlsserver answers 404 for an
# empty one.
peer_server_small() { # PEER
	ql_small_paths 1000 | if [ "$1" = ngtcp2 ]; then sed 1d; else cat; fi
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	case ${1:-} in
	install)
		shift
		if [ $# -eq 0 ]; then
			read -ra all < <(peer_table | cut -d' ' -f1 | xargs)
			set -- "${all[@]}"
		fi
		peer_install "$@"
		;;
	list)
		for p in $(peer_table | cut -d' ' -f1); do
			state="not installed"
			! peer_installed "$p" || state=$QL_PEERS/$p
			printf '%-8s %s\n' "$p" "$state"
		done
		;;
	run)
		[ $# -ge 3 ] || { peers_usage >&2; exit 2; }
		shift
		peer_install "$1" && peer_run "$@"
		;;
	-h | --help) peers_usage ;;
	*)
		peers_usage >&2
		exit 2
		;;
	esac
fi
