#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What HTTP asks of qlane-server, as curl sees it: conditions, ranges, fields, the end.

# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
# shellcheck source=tests/lib/files.sh
. "$QL_TOP/tests/lib/files.sh"
# shellcheck source=tests/lib/qlane.sh
. "$QL_TOP/tests/lib/qlane.sh"
# shellcheck source=tests/interop/peers.sh
. "$QL_TOP/tests/interop/peers.sh"

# curl, whose answer is in "body" and its fields in "fields"; its status has to be STATUS.
request() { # STATUS PATH CURL-ARGUMENT...
	local want=$1 path=$2 status
	shift 2
	: >body
	status=$(peer_run curl curl --http3-only --silent --show-error --max-time 60 \
		--cacert "$CERT/ca.pem" --dump-header fields --output body --write-out '%{http_code}' \
		"$@" "https://$QL_OUR4:$QL_PORT/$path") || return $?
	[ "$status" = "$want" ] || ql_fail "status $status instead of $want: $path $*"
}

# The same for an upload that is refused before it is complete. curl's QUIC (OpenSSL's) at times gives
# up at STOP_SENDING, with exit code 95, and does not look at the answer that is there.
refused() { # STATUS PATH CURL-ARGUMENT...
	local rc=0
	(request "$@") || rc=$?
	[ "$rc" -eq 0 ] || [ "$rc" -eq 95 ] || ql_fail "exit code $rc: $*"
}

# The value of a field of the last answer.
field() { # NAME
	tr -d '\r' <fields | sed -n "s/^$1: //Ip"
}

same_bytes() { # FIRST COUNT
	dd if="$WWW/one.bin" of=part skip="$1" count="$2" iflag=skip_bytes,count_bytes status=none
	cmp part body || ql_fail "bytes $1 to $(($1 + $2)) are other ones"
}

ranges() {
	local size half
	size=$(stat -c %s "$WWW/one.bin")
	half=$((size / 2))
	ql_server_start
	request 206 one.bin --range 0-99
	same_bytes 0 100
	[ "$(field content-range)" = "bytes 0-99/$size" ] || ql_fail "content-range: $(field content-range)"
	[ "$(field content-length)" = 100 ] || ql_fail "content-length: $(field content-length)"
	request 206 one.bin --range "$half-"
	same_bytes "$half" $((size - half))
	request 206 one.bin --range -7
	same_bytes $((size - 7)) 7
	request 416 one.bin --range "$size-"
	[ "$(field content-range)" = "bytes */$size" ] || ql_fail "content-range: $(field content-range)"
	# several: all of it
	request 200 one.bin --range 0-1,5-6
	cmp body "$WWW/one.bin"
	# a download that goes on where it was cut off
	head -c 1000 "$WWW/one.bin" >resumed
	peer_run curl curl --http3-only --fail --silent --show-error --cacert "$CERT/ca.pem" \
		--continue-at - --output resumed "https://$QL_OUR4:$QL_PORT/one.bin"
	cmp resumed "$WWW/one.bin"
	# of a HEAD the whole is meant
	request 200 one.bin --head --range 0-99
	[ "$(field content-length)" = "$size" ] || ql_fail "content-length: $(field content-length)"
	ql_server_stop
}

conditions() {
	local etag modified
	mkdir site && cp "$WWW/one.bin" site/one.bin
	touch -d '2020-02-02 02:02:02 UTC' site/one.bin
	WWW=$PWD/site ql_server_start
	request 200 one.bin
	etag=$(field etag) modified=$(field last-modified)
	[ "$modified" = 'Sun, 02 Feb 2020 02:02:02 GMT' ] || ql_fail "last-modified: $modified"
	[[ $etag == \"*\" ]] || ql_fail "etag: $etag"
	request 304 one.bin --header "If-None-Match: $etag"
	[ ! -s body ] || ql_fail "a 304 with content"
	[ "$(field etag)" = "$etag" ] || ql_fail "a 304 with another etag"
	request 304 one.bin --time-cond '1 Jan 2021'
	request 200 one.bin --time-cond '1 Jan 2019'
	request 412 one.bin --header 'If-Match: "another"'
	request 206 one.bin --range 0-9 --header "If-Range: $etag"
	# it is another file now, as long as the one before
	sleep 1.1 # what the server knows is good for a second
	head -c "$(stat -c %s site/one.bin)" /dev/zero >new && mv new site/one.bin
	request 200 one.bin --header "If-None-Match: $etag"
	cmp body site/one.bin
	[ "$(field etag)" != "$etag" ] || ql_fail "another file with the same etag"
	request 200 one.bin --range 0-9 --header "If-Range: $etag"
	cmp body site/one.bin
	ql_server_stop
}

types() {
	local name want
	mkdir -p site/folder
	while read -r name want; do
		echo x >"site/$name"
		echo "$name $want" >>names
	done <<-TYPES
	index.html text/html; charset=utf-8
	a.css text/css
	b.JS text/javascript
	c.svg image/svg+xml
	d.json application/json
	e.woff2 font/woff2
	f application/octet-stream
	TYPES
	WWW=$PWD/site ql_server_start
	while read -r name want; do
		request 200 "$name"
		[ "$(field content-type)" = "$want" ] || ql_fail "$name: $(field content-type)"
	done <names
	request 200 ""
	[ "$(field content-type)" = "text/html; charset=utf-8" ]
	request 301 folder
	[ "$(field location)" = /folder/ ] || ql_fail "location: $(field location)"
	request 404 nothing
	request 405 index.html --request DELETE
	[ "$(field allow)" = "GET, HEAD" ] || ql_fail "allow: $(field allow)"
	ql_server_stop
}

# PUT: byte for byte, new or in place of another; refused where it has to be, and early.
upload() {
	local i pids=() digest
	mkdir taken
	ql_server_start
	refused 405 a.bin --upload-file "$WWW/five.bin"
	request 405 a.bin --request PUT
	[ "$(field allow)" = "GET, HEAD" ] || ql_fail "allow: $(field allow)"
	ql_server_stop
	ql_server_start --upload taken --upload-max 150M
	# no large one: curl takes its time, which says nothing of us (tests/interop/clients.sh)
	request 201 a.bin --upload-file "$WWW/five.bin"
	cmp taken/a.bin "$WWW/five.bin"
	request 204 a.bin --upload-file "$WWW/one.bin"
	cmp taken/a.bin "$WWW/one.bin"
	request 201 folder/in/folder/b%20c --upload-file "$WWW/one.bin"
	cmp "taken/folder/in/folder/b c" "$WWW/one.bin"
	: >empty
	request 201 empty --upload-file empty
	[ -f taken/empty ] && [ ! -s taken/empty ]
	# of unknown length
	request 201 piped --upload-file - <"$WWW/five.bin"
	cmp taken/piped "$WWW/five.bin"
	refused 403 ../outside --path-as-is --upload-file "$WWW/one.bin"
	refused 403 x/%2e%2e/out --path-as-is --upload-file "$WWW/one.bin"
	refused 409 folder --upload-file "$WWW/one.bin"
	ln -s /etc taken/link
	refused 409 link/passwd --upload-file "$WWW/one.bin"
	truncate -s 151M large
	refused 413 large --upload-file large
	[ ! -e taken/large ] || ql_fail "a file that is too large was taken"
	request 405 a.bin --request DELETE
	[ "$(field allow)" = "GET, HEAD, PUT" ] || ql_fail "allow: $(field allow)"
	# with a digest that is right, and one that is not (RFC 9530)
	digest=sha-256=:$(openssl dgst -sha256 -binary "$WWW/five.bin" | base64):
	request 204 a.bin --upload-file "$WWW/five.bin" --header "Content-Digest: $digest"
	cmp taken/a.bin "$WWW/five.bin"
	request 400 a.bin --upload-file "$WWW/one.bin" --header "Content-Digest: $digest"
	cmp taken/a.bin "$WWW/five.bin"
	# 8 at once to one name: one of them, whole
	for i in 1 2 3 4 5 6 7 8; do
		peer_run curl curl --http3-only --fail --silent --show-error --cacert "$CERT/ca.pem" \
			--upload-file "$WWW/five.bin" "https://$QL_OUR4:$QL_PORT/same" >/dev/null &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i"; done
	cmp taken/same "$WWW/five.bin"
	ql_server_stop
	[ -z "$(find taken -name '.*.part')" ] || ql_fail "left behind: $(find taken -name '.*.part')"
	[ "$(find taken -type f | wc -l)" = 5 ] || ql_fail "$(find taken -type f)"
}

# Our own client's, with a digest behind the content (a trailer), and without; through the kernel,
# from a TAP of its own. What the server does not want it says.
ours() {
	local QL_EAL url=https://$QL_OUR4:$QL_PORT client
	mkdir taken
	sysctl -qw net.ipv4.ip_forward=1
	ql_eal 1
	client=("$QL_CLIENT" "${QL_EAL[@]}" "--vdev=net_tap1,iface=qlane1" -- --ip 10.9.1.2/24
		--tap-ip 10.9.1.1/24 --gateway 10.9.1.1 --ca "$CERT/ca.pem" --quiet)
	ql_server_start --gateway "$QL_KERNEL4" --upload taken --upload-max 50M
	"${client[@]}" --upload "$WWW/five.bin" --digest "$url/a" "$url/folder/b"
	cmp taken/a "$WWW/five.bin"
	cmp taken/folder/b "$WWW/five.bin"
	"${client[@]}" --upload "$WWW/one.bin" "$url/a"
	cmp taken/a "$WWW/one.bin"
	! "${client[@]}" --upload "$WWW/big.bin" --digest "$url/a" 2>refused || ql_fail "too large, and taken"
	grep 'status 413' refused || ql_fail "$(cat refused)"
	cmp taken/a "$WWW/one.bin"
	! "${client[@]}" --upload none "$url/a" 2>refused || ql_fail "exit code 0 without a file"
	grep -- '--upload none: No such file' refused || ql_fail "$(cat refused)"
	ql_server_stop
}

# Begins a download and cuts it off: "client" and "url" are the caller's.
cut_off() {
	local pid
	"${client[@]}" --continue --out out "$url/big.bin" >cut.json 2>cut.log &
	pid=$!
	ql_wait_for 20 begun || ql_fail "no download has begun"
	kill -INT "$pid"
	! wait "$pid" || ql_fail "exit code 0 for a download that was cut off"
	grep 'big.bin: not finished: interrupted' cut.log || ql_fail "$(cat cut.log)"
	[ ! -e out/big.bin ] || ql_fail "a part has the name of the whole"
	have_bytes 5000000 out/.big.bin.part || ql_fail "$(ls -la out)"
}

begun() {
	local files=(out/.big.bin.*-*.part)
	have_bytes 5000000 "${files[0]}"
}

# What our client asks for beside the URL: parts, what is missing, what is new, fields, priorities.
parts() {
	local QL_EAL url=https://$QL_OUR4:$QL_PORT client
	mkdir site && cp "$WWW"/{big,one}.bin site
	sysctl -qw net.ipv4.ip_forward=1
	ql_eal 1
	client=("$QL_CLIENT" "${QL_EAL[@]}" "--vdev=net_tap1,iface=qlane1" -- --ip 10.9.1.2/24
		--tap-ip 10.9.1.1/24 --gateway 10.9.1.1 --ca "$CERT/ca.pem" --json)
	WWW=$PWD/site ql_server_start --gateway "$QL_KERNEL4"
	# cut off, and gone on with
	cut_off
	"${client[@]}" --continue --out out "$url/big.bin" >rest.json
	cmp out/big.bin site/big.bin
	[ "$(json bytes rest.json)" -le 95000000 ] || ql_fail "all of it again: $(cat rest.json)"
	[ ! -e out/.big.bin.part ] || ql_fail "the part was left behind"
	# not of another file
	rm out/big.bin
	cut_off
	tac site/big.bin >new && mv new site/big.bin
	sleep 1.1 # what the server knows is good for a second
	"${client[@]}" --continue --out out "$url/big.bin" >rest.json
	cmp out/big.bin site/big.bin
	[ ! -e out/.big.bin.part ] || ql_fail "the part of the other file was left behind"

	touch -d '2020-02-02 02:02:02 UTC' site/one.bin
	sleep 1.1
	"${client[@]}" --newer --out new "$url/one.bin" >new.json
	[ "$(stat -c %Y new/one.bin)" = 1580608922 ] || ql_fail "another time than the server's"
	"${client[@]}" --newer --out new "$url/one.bin" >new.json
	[ "$(json same new.json) $(json "done" new.json) $(json bytes new.json)" = '1 1 0' ] || ql_fail "$(cat new.json)"
	touch -d '2021-02-02 02:02:02 UTC' site/one.bin
	sleep 1.1
	"${client[@]}" --newer --out new "$url/one.bin" >new.json
	[ "$(json same new.json)" = 0 ] || ql_fail "$(cat new.json)"
	cmp new/one.bin site/one.bin

	"${client[@]}" --range 100-199 --out range --priority u=1,i --priority-then u=6 "$url/one.bin" >range.json
	cp range/one.bin body && same_bytes 100 100
	! "${client[@]}" --header 'If-Match: "another"' --out range "$url/big.bin" 2>refused ||
		ql_fail "a condition that does not hold"
	grep 'status 412' refused || ql_fail "$(cat refused)"
	! "${client[@]}" --priority u=9 "$url/one.bin" 2>refused || ql_fail "u=9 is no urgency"
	grep -- '--priority.*urgency from 0' refused || ql_fail "$(cat refused)"
	ql_server_stop
}

have_bytes() { # LEAST FILE
	[ "$(stat -c %s "$2" 2>/dev/null || echo 0)" -ge "$1" ]
}

json() { # NAME FILE
	python3 -c 'import json, sys; print(json.load(open(sys.argv[2]))[sys.argv[1]])' "$@"
}

# At SIGTERM what runs is finished, and nothing is begun; with --drain 0 it is not finished.
drain() {
	local fetch pid
	fetch=(peer_run curl curl --http3-only --fail --silent --show-error --cacert "$CERT/ca.pem")
	ql_server_start --drain 120
	"${fetch[@]}" --limit-rate 25M --output big "https://$QL_OUR4:$QL_PORT/big.bin" &
	pid=$!
	ql_wait_for 20 test -s big || ql_fail "no download has begun"
	kill -TERM "$SERVER_PID"
	! "${fetch[@]}" --max-time 2 --output late "https://$QL_OUR4:$QL_PORT/one.bin" ||
		ql_fail "a new connection to a server that ends"
	kill -0 "$pid" || ql_fail "the download had ended before the server was to end"
	wait "$pid" || ql_fail "the download was cut off"
	cmp big "$WWW/big.bin"
	ql_server_stop
	ql_server_start --drain 0
	"${fetch[@]}" --limit-rate 5M --output cut "https://$QL_OUR4:$QL_PORT/big.bin" &
	pid=$!
	ql_wait_for 20 test -s cut || ql_fail "no download has begun"
	ql_server_stop
	! wait "$pid" || ql_fail "20 s of download in no time"
}

ql_before ql_need_programs "$QL_SERVER" "$QL_CLIENT"
ql_before peer_install curl
ql_isolate "$@"
ql_begin e2e
ql_fixtures

ql_test http-ranges 60 ranges
ql_test http-conditions 60 conditions
ql_test http-types 60 types
ql_test http-upload 60 upload
ql_test http-upload-ours 60 ours
ql_test http-parts 90 parts
ql_test http-drain 90 drain
ql_end
