#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The NIC families of drivers-cfg/nics: whether they agree with DPDK's drivers, which carry their
# PCI IDs and what they want to be bound to, and whether qlane-server takes each configuration.

# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
# shellcheck source=tests/lib/files.sh
. "$QL_TOP/tests/lib/files.sh"
# shellcheck source=tests/lib/qlane.sh
. "$QL_TOP/tests/lib/qlane.sh"

NICS=$QL_TOP/drivers-cfg/nics

conf() { # FAMILY
	python3 - "$NICS/$1.conf" "$(pkg-config --variable=libdir libdpdk)" <<-'PYTHON'
	import glob, json, re, sys
	path, libdir = sys.argv[1:]
	keys = {}
	for number, line in enumerate(open(path), 1):
	    if line.startswith("#"):
	        continue
	    m = re.match(r"([a-z_]+) = (\S.*)\n$", line)
	    assert m, "line %d is not 'key = value'" % number
	    keys.setdefault(m[1], []).append(m[2])
	known = "name ids vf_ids kernel pmd bind modules rss queues descriptors mtu steer steering ddp firmware fw_min caveat"
	assert set(keys) <= set(known.split()), set(keys) - set(known.split())
	for key in "name", "pmd", "bind", "rss", "queues", "descriptors", "mtu", "steer":
	    assert key in keys, "no " + key
	assert keys["steer"] == ["none"] or keys["steer"][0] in ("flex", "raw") and "steering" in keys
	ways = keys["bind"][0].split()
	if ways == ["none"]:
	    sys.exit(0)
	drivers = []
	for lib in glob.glob(libdir + "/**/librte_net_%s.so*" % keys["pmd"][0], recursive=True):
	    drivers += [json.loads(s) for s in re.findall(rb"PMD_INFO_STRING= (\{.*?\})\0", open(lib, "rb").read())]
	assert drivers, "DPDK has no librte_net_" + keys["pmd"][0]
	for key in "ids", "vf_ids":
	    for one in " ".join(keys.get(key, [])).split():
	        of = [d for d in drivers if [i for i in d["pci_ids"] if "%04x:%04x" % tuple(i[:2]) == one]]
	        assert of, "the PMD does not know " + one
	        kmod = of[0]["kmod"]
	        if ways == ["kernel"]:
	            assert set(keys["modules"][0].split()) == set(re.findall(r"\w+", kmod)), kmod
	            continue
	        allowed = [w for w in re.findall(r"[\w-]+", kmod)]
	        wanted = [w for w in ways if key == "ids" or w == "vfio-pci"]
	        assert set(wanted) <= set(allowed), "%s: %s, the PMD wants %s" % (one, wanted, kmod)
	PYTHON
}

# A family is said to match connection IDs when lib/net knows how to ask its driver.
steering() { # FAMILY
	local asked=none steer pmd
	pmd=$(sed -n 's/^pmd = //p' "$NICS/$1.conf")
	steer=$(sed -n 's/^steer = //p' "$NICS/$1.conf")
	case $(sed -n "s/.*\"\(net_$pmd\|net_${pmd}_$1\|${pmd}_pci\)\", *QL_FLOW_\([A-Z]*\)}.*/\2/p" "$QL_TOP/lib/net/steer_rules.c") in
	FLEX) asked=flex ;;
	RAW | FRAME | WORD | BYTES) asked=raw ;;
	esac
	[ "$steer" = "$asked" ] || ql_fail "$1.conf says $steer, lib/net/steer_rules.c $asked"
}

# Each ID belongs to one family.
ids() {
	grep -hE '^(vf_)?ids = ' "$NICS"/*.conf | grep -oE '[0-9a-f]{4}:[0-9a-f]{4}' | sort | uniq -d >twice
	cat twice
	[ ! -s twice ] || ql_fail "IDs of two families"
}

# The server starts with it, on a device that takes everything; the files are the test's own.
ini() { # FAMILY
	local QL_EAL pid rc=0 vdev=net_null0
	[ "$1" != vdev ] || vdev=net_tap0,iface=qlane0
	ql_eal 0
	"$QL_SERVER" "${QL_EAL[@]}" --vdev="$vdev" -- --config "$NICS/$1.ini" --root . \
		--cert "$CERT/cert.pem" --key "$CERT/key.pem" --memory 8 --max-conns 16 >server.log 2>&1 &
	pid=$!
	ql_wait_line 20 "$pid" server.log '^qlane-server: ready' || rc=1
	ql_stop "$pid" || rc=1
	cat server.log
	return "$rc"
}

ql_before ql_need_programs "$QL_SERVER"
ql_isolate "$@"
ql_begin drivers
CERT=$QL_TMP/cert
ql_make_cert "$CERT" qlane.test || ql_die "openssl cannot make a certificate"
for f in "$NICS"/*.conf; do
	f=$(basename "$f" .conf)
	ql_test "nics-$f" 10 conf "$f"
	ql_test "nics-$f-steering" 10 steering "$f"
	ql_test "nics-$f-ini" 60 ini "$f"
done
ql_test nics-ids 10 ids
ql_end
