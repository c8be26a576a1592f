# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# Shared by the test scripts: isolation, running and counting tests, waiting, stopping.
#
# A script sources this file, calls ql_begin once, ql_test for each test, ql_end at its end. Each
# test is a function; it runs in a subshell with set -eu, prints into a log of its own, and passes
# when it returns 0. ql_skip ends it as skipped.
#
# QL_BUILD    build directory with the programs (build)
# QL_LOGS     where logs go (QL_BUILD/test-logs)
# QL_RESULTS  file that gets a line 'ok|fail|skip NAME' for each test; set by tests/run.sh
# QL_ONLY     run only the tests whose name matches this extended regular expression
# QL_EXCEPT   and not those that match this one
# QL_PREFIX   put before the names of tests: 'sanitize/'
# QL_SLOW     factor for the time that a test may take (1)

QL_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
QL_BUILD=$(realpath -m "${QL_BUILD:-$QL_TOP/build}")
QL_LOGS=$(realpath -m "${QL_LOGS:-$QL_BUILD/test-logs}")
QL_SKIPPED=77
export QL_BUILD QL_LOGS

ql_die() {
	echo "$(basename "$0"): $*" >&2
	exit 1
}

# Runs a command as the user behind sudo when the sources are theirs, so that they own what is
# built.
ql_as_owner() { # COMMAND...
	local home
	if [ "$(id -u)" = 0 ] && [ "${SUDO_UID:-0}" != 0 ] && [ "$(stat -c %u "$QL_TOP")" = "$SUDO_UID" ]; then
		home=$(getent passwd "$SUDO_UID" | cut -d: -f6)
		setpriv --reuid="$SUDO_UID" --regid="$SUDO_GID" --init-groups env HOME="${home:-/}" "$@"
	else
		"$@"
	fi
}

# Goes on in network, mount and process namespaces of its own, where only lo is up. The kernel
# takes down all interfaces and processes in them when the script ends, however it ends.
ql_isolate() { # the script's arguments
	if [ -z "${QL_ISOLATED:-}" ]; then
		[ "$(id -u)" = 0 ] || ql_die "needs root for network namespaces: run it with sudo"
		QL_ISOLATED=1 exec unshare --net --mount --pid --fork --kill-child --mount-proc "$0" "$@"
	fi
	unset QL_ISOLATED # a script that this one starts gets namespaces of its own
	trap 'exit 130' INT
	trap 'exit 143' TERM
	ip link set lo up
	mount -t sysfs sysfs /sys 2>/dev/null || true
	# the kernel finds a new address to be unique only after a second or two
	sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 2>/dev/null || true
}

# Runs a command once, before the script is isolated: what needs the network, say. It ends the
# script when it fails.
ql_before() { # COMMAND...
	[ -n "${QL_ISOLATED:-}" ] || "$@" || exit 1
}

# Removes a directory, and nothing of what is mounted below it.
ql_remove() { # DIRECTORY
	local mounts m
	mapfile -t mounts < <(awk -v d="$1/" 'index($5, d) == 1 { print $5 }' /proc/self/mountinfo)
	for m in "${mounts[@]}"; do
		umount --lazy --recursive -- "$m" 2>/dev/null
	done
	! grep -qF " $1/" /proc/self/mountinfo || ql_die "something is still mounted below $1"
	rm -rf -- "$1"
}

ql_begin() { # GROUP
	QL_GROUP=$1
	QL_SUMMARY=
	if [ -z "${QL_RESULTS:-}" ]; then
		QL_RESULTS=$(mktemp)
		QL_SUMMARY=1
	fi
	QL_TMP=$(mktemp -d "${TMPDIR:-/tmp}/qlane-test.XXXXXX")
	chmod 755 "$QL_TMP" # some tests run programs as another user
	trap 'ql_remove "$QL_TMP"' EXIT
}

# Prints one test's result and counts it.
ql_report() { # ok|fail|skip NAME TEXT
	local mark
	case $1 in
	ok) mark='[ ok ]' ;;
	fail) mark='[FAIL]' ;;
	skip) mark='[skip]' ;;
	esac
	echo "$mark $2 $3"
	echo "$1 $2" >>"$QL_RESULTS"
}

# Prints why a test failed, from its input, and keeps it for the end of the run.
ql_because() { # NAME
	{
		echo "$1:"
		sed 's/^/    | /'
	} | tee -a "$QL_RESULTS.why" | tail -n +2
}

ql_seconds() { # MICROSECONDS
	printf '%d.%d s' $(($1 / 1000000)) $(($1 / 100000 % 10))
}

# Runs one test, for at most SECONDS, and then ends whatever it left running.
ql_test() { # NAME SECONDS FUNCTION ARGUMENT...
	local name=${QL_PREFIX:-}$QL_GROUP/$1 seconds=$(($2 * ${QL_SLOW:-1})) log dir pid watch rc start took
	[[ -z ${QL_ONLY:-} || $name =~ $QL_ONLY ]] || return 0
	[[ -z ${QL_EXCEPT:-} || ! $name =~ $QL_EXCEPT ]] || return 0
	log=$QL_LOGS/$name.log
	dir=$QL_TMP/$(echo "$1" | tr -c 'a-zA-Z0-9\n' _)
	shift 2
	mkdir -p "$dir" "$(dirname "$log")"
	start=${EPOCHREALTIME/[.,]/}
	set -m # a process group for each of the two
	(
		set +m
		set -eu -o pipefail
		cd "$dir"
		"$@"
	) >"$log" 2>&1 </dev/null &
	pid=$!
	(
		sleep "$seconds"
		echo "not finished after $seconds s" >>"$log"
		kill -TERM -- "-$pid"
		sleep 2
		kill -KILL -- "-$pid"
	) >/dev/null 2>&1 &
	watch=$!
	set +m
	rc=0
	wait "$pid" 2>/dev/null || rc=$?
	kill -KILL -- "-$watch" "-$pid" 2>/dev/null || true
	wait "$watch" 2>/dev/null || true
	took="($(ql_seconds $((${EPOCHREALTIME/[.,]/} - start))))"
	case $rc in
	0)
		ql_report ok "$name" "$took"
		;;
	"$QL_SKIPPED")
		ql_report skip "$name" "($(tail -1 "$log"))"
		;;
	*)
		ql_report fail "$name" "$took exit code $rc, $log:"
		tail -n "${QL_TAIL:-25}" "$log" | ql_because "$name"
		;;
	esac
	ql_remove "$dir"
}

# Ends the running test: the machine cannot do it.
ql_skip() { # REASON
	echo "$*"
	exit "$QL_SKIPPED"
}

# Ends the running test as failed.
ql_fail() { # TEXT
	echo "FAILED: $*"
	exit 1
}

# Prints the counts of a results file as the last line; false when a test failed or none ran.
ql_totals() { # FILE
	awk '{ n[$1]++ }
		END {
			printf "%d passed, %d failed, %d skipped\n", n["ok"], n["fail"], n["skip"]
			exit n["fail"] > 0 || NR == 0
		}' "$1"
}

# The end of a script: with results of its own it prints the totals too.
ql_end() {
	local rc=0
	if [ -n "$QL_SUMMARY" ]; then
		ql_totals "$QL_RESULTS" || rc=$?
		rm -f "$QL_RESULTS" "$QL_RESULTS.why"
	fi
	exit $rc
}

# Tries a command every tenth of a second until it succeeds, for at most SECONDS.
ql_wait_for() { # SECONDS COMMAND...
	local tries=$(($1 * 10))
	shift
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.1
	done
}

# Waits for a line in a file that a process writes; false when the process ends before.
ql_wait_line() { # SECONDS PID FILE REGEX
	local tries=$(($1 * 10))
	while ! grep -qE -- "$4" "$3" 2>/dev/null; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		if ! kill -0 "$2" 2>/dev/null; then
			grep -qE -- "$4" "$3" 2>/dev/null
			return
		fi
		sleep 0.1
	done
}

# Asks a process to end and returns its exit code; 124 when it had to be killed after 10 s.
ql_stop() { # PID
	local rc=0 i
	kill -TERM "$1" 2>/dev/null || true
	for ((i = 0; i < 100; i++)); do
		if ! kill -0 "$1" 2>/dev/null; then
			wait "$1" 2>/dev/null || rc=$?
			return $rc
		fi
		sleep 0.1
	done
	kill -KILL "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
	return 124
}
