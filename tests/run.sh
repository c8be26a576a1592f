#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# All tests, with one command; see --help.

# shellcheck source=tests/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=tests/lib/files.sh
. "$QL_TOP/tests/lib/files.sh"

SELF=$QL_TOP/tests/run.sh
ALL=(static unit drivers sim conformance bench e2e nic interop sanitize)

usage() {
	cat <<-USAGE
	usage: sudo tests/run.sh [OPTION...] [GROUP...]

	Installs what is missing, builds, and runs all groups of tests or those that are named:

	  static       formatting, shell scripts, cppcheck
	  unit         the unit tests (Check), built with gcc; the build with clang
	  drivers      the scripts of drivers-cfg/ on machines made of files; a minute
	  sim          engines on a virtual clock: scenarios by seed, see qlane-sim --help
	  conformance  whether each MUST of RFC 9000, 9001 and 9002 has its tests
	  bench        instructions that a packet costs, against those it did (callgrind); whether
	               tests/bench/run.sh works
	  e2e          the programs: over a TAP device, over a ring in memory, the quick start, what
	               they say when something is wrong
	  nic          the server on PCI NICs that QEMU emulates, bound by drivers-cfg/; a minute
	  interop      the programs with QUIC software that is not ours, both ways
	  sanitize     unit, sim, e2e and interop under AddressSanitizer and
	               UndefinedBehaviorSanitizer; the rings between lanes
	               under ThreadSanitizer are in unit
	  baseline     not run unless named: that other software with itself
	  interop-all  not run unless named: every case with every implementation, over a link with
	               delay, loss and the like; it takes an hour or more, see tests/interop/table.sh

	  --only REGEX   of drivers, e2e, nic, interop and baseline, only the tests with such names
	  --no-setup     do not run drivers-cfg/setup.sh
	  --help         this text

	Everything is built and logged below build*/; the logs are in build*/test-logs. Other software
	is unpacked below /var/cache/qlane (QLANE_CACHE changes that) and not installed. The last line
	is 'N passed, N failed, N skipped', and the exit code is 0 when none failed.
	USAGE
}

say() {
	echo "--- $*"
}

# A step that others need, with its output in a log. When it fails that counts as a failed test.
step() { # NAME SECONDS COMMAND...
	local name=$1 seconds=$2 log rc=0 start=${EPOCHREALTIME/[.,]/}
	shift 2
	log=$QL_LOGS/$name.log
	mkdir -p "$(dirname "$log")"
	timeout --foreground -k 10 "$seconds" "$@" >"$log" 2>&1 </dev/null || rc=$?
	if [ $rc -eq 0 ]; then
		ql_report ok "$name" "($(ql_seconds $((${EPOCHREALTIME/[.,]/} - start))))"
	else
		ql_report fail "$name" "exit code $rc, $log:"
		tail -n 40 "$log" | ql_because "$name"
	fi
	return $rc
}

# Configures and compiles into a build directory.
build() { # DIRECTORY MESON-OPTION...
	local dir=$1
	shift
	if [ -f "$dir/build.ninja" ]; then
		ql_as_owner meson configure "$dir" "$@"
	else
		ql_as_owner meson setup "$dir" "$QL_TOP" "$@"
	fi && ql_as_owner ninja -C "$dir"
}

# Runs meson's tests of a build directory and counts their checks. One more at a time than there are cores, since
# EAL starts by waiting for a tenth of a second.
unit() { # DIRECTORY PREFIX MESON-OPTION...
	local dir=$1 prefix=$2 log=$1/meson-logs/testlog.json rc=0
	shift 2
	rm -f "$log"
	ql_as_owner timeout --foreground -k 10 $((600 * ${QL_SLOW:-1})) \
		meson test -C "$dir" --no-rebuild --quiet --timeout-multiplier $((2 * ${QL_SLOW:-1})) \
		--num-processes $(($(nproc) + 1)) "$@" \
		>"$QL_LOGS/meson-test.log" 2>&1 </dev/null || rc=$?
	if ! [ -s "$log" ]; then
		ql_report fail "${prefix}run" "meson test, exit code $rc, $QL_LOGS/meson-test.log:"
		tail -n 20 "$QL_LOGS/meson-test.log" | ql_because "${prefix}run"
		return
	fi
	python3 "$QL_TOP/tests/lib/unit-results.py" "$log" "$QL_RESULTS" "$prefix"
	[ $rc -ne 124 ] || ql_report fail "${prefix}run" "not finished in time"
}

# Runs test scripts; one that ends without having run a test counts as failed.
scripts() { # SCRIPT...
	local script before rc
	for script; do
		before=$(wc -l <"$QL_RESULTS")
		rc=0
		timeout --foreground -k 10 $((900 * ${QL_SLOW:-1})) "$script" </dev/null || rc=$?
		if [ $rc -ne 0 ] || [ "$(wc -l <"$QL_RESULTS")" = "$before" ] && [ -z "${QL_ONLY:-}" ]; then
			ql_report fail "${QL_PREFIX:-}${script#"$QL_TOP/tests/"}" "ended with exit code $rc"
		fi
	done
}

tracked() { # PATTERN...
	git -c safe.directory="$QL_TOP" -C "$QL_TOP" ls-files -- "$@"
}

group_static() {
	local c scripts
	cd "$QL_TOP" || return
	mapfile -t c < <(tracked '*.c' '*.h')
	mapfile -t scripts < <(tracked '*.sh' .ci/run)
	step static/clang-format 60 clang-format --dry-run -Werror "${c[@]}" &
	step static/shellcheck 300 shellcheck "${scripts[@]}" &
	# Suppressed: a false alarm on arithmetic with a bounded length, and int constants for %u,
	# which gcc knows to be right. The queue macros are no system header that it could skip.
	step static/cppcheck 600 cppcheck -q -j 2 --std=c11 --enable=warning,portability \
		--suppress=missingInclude --suppress=unmatchedSuppression \
		--suppress=pointerOutOfBoundsCond --suppress=invalidPrintfArgType_uint \
		--inline-suppr --error-exitcode=1 -I lib -I lib/include \
		--include="/usr/include/$(cc -print-multiarch)/sys/queue.h" lib app
	wait
}

group_unit() {
	unit "$QL_TOP/build" unit/
	# with the marks of tests/bench, which nothing else builds
	step unit/build-clang 900 env CC=clang "$SELF" --build "$QL_TOP/build-clang" -Dfloors=true
}

group_drivers() {
	local script
	for script in bind hugepages check nics; do
		scripts "$QL_TOP/tests/drivers/$script.sh" &
	done
	wait
}

group_conformance() {
	step conformance/matrix 60 "$QL_TOP/tests/conformance/check" || return 0
	grep -e '^MUST' -e '^feature absent' -e '^open' "$QL_LOGS/conformance/matrix.log"
}

group_bench() {
	local json=$QL_LOGS/bench/figures.json
	step bench/instructions 300 "$QL_TOP/tests/bench/instructions.py" && cat "$QL_LOGS/bench/instructions.log"
	# whether they work; the figures mean nothing in so short a time
	step bench/figures 300 "$QL_TOP/tests/bench/report.py" --smoke --json "$json" \
		--build "$QL_BUILD" --build-floors "$QL_TOP/build-clang" &&
		step bench/json 10 python3 -c '
import json, sys
figures = json.load(open(sys.argv[1]))["figures"]
assert len({f["bench"] for f in figures}) >= 10 and all(f["median"] >= 0 for f in figures)' "$json"
}

# Runs all scenarios of a build directory's simulator, but those of which only the figures matter
# when they are left out.
simulate() { # PREFIX SEEDS-OF-CHAOS SEEDS LEFT-OUT
	local prefix=$1 chaos=$2 seeds=$3 out=$4 sim=$QL_BUILD/tests/sim/qlane-sim name seed options running=0
	for name in $("$sim" --list | cut -d ' ' -f 1); do
		[[ " $out " != *" $name "* ]] || continue
		options=(--seeds "$seeds" --check-trace)
		case $name in
		chaos) options=(--seeds "$chaos") ;;
		acks | lossbands | satellite | paths | fill | fairness) options=(--seeds 1) ;;
		esac
		[ $running -lt "$(nproc)" ] || wait -n || true # step() has told
		step "${prefix}sim/$name" $((120 * ${QL_SLOW:-1})) "$sim" --scenario "$name" "${options[@]}" &
		running=$((running + 1))
	done
	wait
	for seed in 2296 3391 7864 9124 9204; do # that failed once
		step "${prefix}sim/chaos-$seed" 60 "$sim" --scenario chaos --seeds $seed
	done
	step "${prefix}sim/chaos-twice" $((120 * ${QL_SLOW:-1})) "$sim" --scenario chaos --seeds "$seeds" --check-trace
}

group_sim() {
	simulate "" 1-1000 1-10 ""
}

group_e2e() {
	scripts "$QL_TOP"/tests/e2e/*.sh
}

group_nic() {
	scripts "$QL_TOP/tests/nic/nic.sh"
}

group_interop() {
	scripts "$QL_TOP"/tests/interop/{clients,servers,browser}.sh
}

group_baseline() {
	scripts "$QL_TOP/tests/interop/baseline.sh"
}

group_interop-all() {
	local rc=0
	"$QL_TOP/tests/interop/table.sh" </dev/null || rc=$?
	[ $rc -eq 0 ] || ql_report fail interop-all/table "ended with exit code $rc"
}

group_sanitize() {
	local dir=$QL_TOP/build-sanitize
	step sanitize/build 900 "$SELF" --build "$dir" -Dbuildtype=debugoptimized \
		-Db_sanitize=address,undefined -Db_lundef=false || return
	local -x QL_BUILD=$dir QL_LOGS=$dir/test-logs QL_PREFIX=sanitize/ QL_SLOW=3
	local -x ASAN_OPTIONS=detect_leaks=1:exitcode=99
	local -x UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1:exitcode=99
	local -x LSAN_OPTIONS=suppressions=$QL_TOP/tests/lib/lsan.supp:print_suppressions=0
	# what takes most of its time in the peer, or runs the code that another test here runs; all of it is done
	# in the release build
	local -x QL_EXCEPT='/(client|server)-(aioquic|nginx-(ipv|hq)|curl-(rebinding|ipv6)|ngtcp2-ipv6|two-clients)'
	mkdir -p "$QL_LOGS"
	unit "$dir" sanitize/unit/ --no-suite long
	simulate sanitize/ 1001-1100 1-2 "fairness fill satellite lossbands"
	scripts "$QL_TOP"/tests/e2e/{tap,loopback,errors,http}.sh \
		"$QL_TOP"/tests/interop/{clients,servers}.sh
	# several lanes: what crosses, what changes meanwhile, and the end; a minute
	QL_ONLY=${QL_ONLY:-'/lanes-(tap-2|tap-client-moves|stopping|killed|rekeyed|reconfigured|two_ports)$'} \
		scripts "$QL_TOP/tests/e2e/lanes.sh"
}

setup=1
groups=()
while [ $# -gt 0 ]; do
	case $1 in
	--build) # a build by itself, for step()
		shift
		build "$@"
		exit
		;;
	--only)
		[ $# -ge 2 ] || ql_die "--only needs a regular expression"
		export QL_ONLY=$2
		shift
		;;
	--no-setup) setup= ;;
	-h | --help)
		usage
		exit
		;;
	-*) ql_die "unknown option $1; see --help" ;;
	*)
		declare -F "group_$1" >/dev/null || ql_die "no group '$1'; there are: ${ALL[*]} baseline interop-all"
		groups+=("$1")
		;;
	esac
	shift
done
[ ${#groups[@]} -gt 0 ] || groups=("${ALL[@]}")
[ "$(id -u)" = 0 ] || ql_die "the tests make network namespaces and TAP devices: sudo tests/run.sh"

if [ -n "$setup" ]; then
	say "setting up the machine"
	"$QL_TOP/drivers-cfg/setup.sh" --test --develop || ql_die "the machine cannot be set up"
fi

started=$SECONDS
ql_as_owner mkdir -p "$QL_BUILD"
mkdir -p "$QL_LOGS"
QL_RESULTS=$(mktemp)
export QL_RESULTS QL_DATA=$QL_TOP/build/test-data
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'rm -f "$QL_RESULTS" "$QL_RESULTS.why"' EXIT

say "building"
step build 900 "$SELF" --build "$QL_BUILD" && for group in "${groups[@]}"; do
	say "$group"
	"group_$group"
done

if [ -s "$QL_RESULTS.why" ]; then
	say "what failed"
	cat "$QL_RESULTS.why"
fi
grep -h '^fail ' "$QL_RESULTS" | sort | uniq -c | sed 's/^ *[0-9]* fail /failed: /'
echo "took $((SECONDS - started)) s"
ql_totals "$QL_RESULTS"
