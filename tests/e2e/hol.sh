#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# hol-demo as a person uses it; what it measures is checked by the unit test of app/hol.

# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
# shellcheck source=tests/lib/qlane.sh
. "$QL_TOP/tests/lib/qlane.sh"

DEMO=$QL_BUILD/app/hol-demo

# The same seed gives the same bytes; they are JSON, and the picture is XML.
figures() {
	"$DEMO" --pages 2 --json --svg one.svg >one.json || ql_fail "exit code $?"
	"$DEMO" --pages 2 --json --svg two.svg --seed 1 >two.json || ql_fail "exit code $?"
	cmp one.json two.json || ql_fail "not the same figures"
	cmp one.svg two.svg || ql_fail "not the same picture"
	"$DEMO" --pages 2 --json --seed 2 >other.json || ql_fail "exit code $?"
	! cmp -s one.json other.json || ql_fail "another seed gives the same figures"
	python3 - <<-'PYTHON'
	import json, xml.dom.minidom
	j = json.load(open("one.json"))
	ways = j["calls"]["arrival_ms"]
	late = {w: [i + 1 for i, (a, b) in enumerate(zip(v["no_loss"], v["loss"])) if a != b]
	        for w, v in ways.items()}
	assert late == {"streams": [5], "ordered": [5, 6, 7, 8, 9, 10]}, late
	cells = j["page"]["completion"]
	assert [(c["controller"], c["loss_percent"]) for c in cells] == \
	    [(n, l) for n in ("NewReno", "CUBIC", "BBR") for l in (0, 1, 2)]
	assert all(0 < c[w]["median_ms"] <= c[w]["p99_ms"] for c in cells for w in ways)
	assert xml.dom.minidom.parse("one.svg").documentElement.tagName == "svg"
	PYTHON
}

tables() {
	"$DEMO" --pages 1 >text || ql_fail "exit code $?"
	cat text
	grep -qE '^ +5( +[0-9.]+){6}$' text || ql_fail "call 5 is not late both ways"
	grep -qE '^ +6( +[0-9.]+){2} +-( +[0-9.]+){3}$' text || ql_fail "call 6 is not late in order only"
	grep -q '^BBR  ' text || ql_fail "no table of controllers"
	"$DEMO" --help | grep -q -- --svg || ql_fail "no help"
}

refused() { # EXIT-CODE REGEX ARGUMENT...
	local want=$1 regex=$2 rc=0
	shift 2
	"$DEMO" "$@" >out 2>&1 || rc=$?
	cat out
	[ "$rc" -eq "$want" ] || ql_fail "exit code $rc"
	grep -qE -- "$regex" out || ql_fail "no message that matches '$regex'"
}

errors() {
	refused 1 '^hol-demo: --svg no/such.svg: cannot write it: No such' --svg no/such.svg
	refused 1 '^hol-demo: --svg /dev/full: cannot write it: No space' --svg /dev/full --pages 1
	refused 2 '--pages 0: expected a number from 1 to' --pages 0
	refused 2 '--seed -1: expected a number' --seed -1
	refused 2 "'file' is no option" file
	refused 2 'unrecognized option.*--jsn' --jsn
}

ql_need_programs "$DEMO"
ql_begin e2e
ql_test hol-figures 60 figures
ql_test hol-tables 30 tables
ql_test hol-errors 30 errors
ql_end
