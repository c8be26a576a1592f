#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Chromium loads a page of 50 resources from qlane-server, over a link of 30 Mbit/s and 20 ms:
#
#   namespace "left": Chromium --- emc [linkem] ems --- here: routes --- TAP: qlane-server
#
# Its own log shows that it was HTTP/3, what priorities it gave, and in which order the bytes came.

# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
# shellcheck source=tests/lib/files.sh
. "$QL_TOP/tests/lib/files.sh"
# shellcheck source=tests/lib/qlane.sh
. "$QL_TOP/tests/lib/qlane.sh"
# shellcheck source=tests/interop/peers.sh
. "$QL_TOP/tests/interop/peers.sh"

LINKEM=$QL_BUILD/tests/interop/linkem
LEFT4=10.1.0.2

link_up() { # LINKEM-OPTION...
	"$LINKEM" "$@" emc ems >link.json 2>linkem.log &
	LINK_PID=$!
	ql_wait_line 5 "$LINK_PID" link.json '^ready' || ql_fail "no link: $(cat linkem.log)"
	ip netns add left
	ip link set emc netns left
	ip -n left link set lo up
	ip -n left link set emc up txqueuelen 1000
	ip -n left addr add "$LEFT4/32" dev emc
	ip -n left route add default dev emc src "$LEFT4"
	sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0
	ip link set ems up txqueuelen 1000
	ip route add "$LEFT4/32" dev ems
}

link_down() {
	ql_stop "$LINK_PID" || ql_fail "linkem: $(cat linkem.log)"
	sed -n 2p link.json
	ip netns del left
}

# 50 resources of 60 kB, of kinds that a browser gives different priorities.
make_page() { # DIRECTORY
	python3 - "$1" <<-'PYTHON'
	import random, sys
	rng, root = random.Random(1), sys.argv[1]
	def resource(name, before, after):
	    with open(f"{root}/{name}", "w") as f:
	        f.write(before + "".join(rng.choices("abcdefghij", k=60000)) + after)
	    return name
	head = [f"<link rel=stylesheet href={resource(f's{i}.css', '/* ', ' */')}>" for i in range(5)]
	head += [f"<script async src={resource(f'a{i}.js', '/* ', ' */')}></script>" for i in range(5)]
	head += [f"<script src={resource(f'd{i}.js', '/* ', ' */')}></script>" for i in range(5)]
	svg = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><!-- '
	body = [f"<img src={resource(f'i{i}.svg', svg, ' --></svg>')}>" for i in range(30)]
	body += [f"<link rel=prefetch href={resource(f'p{i}.bin', '', '')}>" for i in range(5)]
	with open(f"{root}/index.html", "w") as f:
	    f.write("<!doctype html><title>all of it</title>" + "\n".join(head + body))
	PYTHON
}

# Its program wants to find its files where they belong: in a /usr of its own, seen by nobody else.
chromium() { # URL
	# shellcheck disable=SC2016 # for the inner shell
	ip netns exec left unshare --mount bash -c 'mount --bind "$1" /usr; shift; exec "$@"' - \
		"$QL_PEERS/chromium/usr" /usr/lib/chromium/chromium --headless --no-sandbox --disable-gpu \
		--no-first-run --disable-background-networking --disable-component-update --disable-sync \
		--user-data-dir="$PWD/profile" --origin-to-force-quic-on="$QL_OUR4:$QL_PORT" \
		--ignore-certificate-errors-spki-list="$(ql_cert_spki "$CERT/cert.pem")" \
		--log-net-log="$PWD/net.json" --net-log-capture-mode=Everything \
		--virtual-time-budget=20000 --dump-dom "$1" >dom.html 2>chromium.log ||
		ql_fail "$(tail -3 chromium.log)"
}

page() {
	mkdir site
	make_page site
	link_up --delay 10 --rate 30 --queue 100
	WWW=$PWD/site ql_server_start --gateway "$QL_KERNEL4"
	chromium "https://$QL_OUR4:$QL_PORT/"
	grep -q '<title>all of it' dom.html || ql_fail "$(head -c 300 dom.html)"
	ql_server_stop
	link_down
	python3 "$QL_TOP/tests/interop/netlog.py" net.json --resources 50
}

ql_before ql_need_programs "$QL_SERVER" "$LINKEM"
ql_before peer_install chromium
ql_isolate "$@"
ql_begin interop
ql_fixtures

ql_test browser-chromium-page 90 page
ql_end
