#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# All figures of performance, with one command; see --help. tests/bench/report.py knows what they are.

# shellcheck source=tests/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

BENCH=$QL_TOP/build-bench FLOORS=$QL_TOP/build-bench-floors

case " $* " in
*" --help "* | *" -h "*) exec python3 "$QL_TOP/tests/bench/report.py" --help ;;
esac
[ "$(id -u)" = 0 ] || ql_die "hugepages and network namespaces take root: sudo tests/bench/run.sh"

build() { # DIRECTORY PROGRAM...
	local dir=$1 log=$1/bench.log
	shift
	ql_as_owner mkdir -p "$dir"
	{
		if [ -f "$dir/build.ninja" ]; then
			ql_as_owner meson configure "$dir" "${OPTIONS[@]}"
		else
			ql_as_owner meson setup "$dir" "$QL_TOP" "${OPTIONS[@]}"
		fi && ql_as_owner ninja -C "$dir" "${@/#/tests/bench/bench_}"
	} >"$log" 2>&1 || {
		tail -n 30 "$log" >&2
		ql_die "cannot build in $dir; all of it is in $log"
	}
}

echo "building in $BENCH and $FLOORS" >&2
OPTIONS=(-Dbuildtype=release)
build "$BENCH" pair engine limits
OPTIONS+=(-Dfloors=true)
build "$FLOORS" pair
exec python3 "$QL_TOP/tests/bench/report.py" --build "$BENCH" --build-floors "$FLOORS" "$@"
