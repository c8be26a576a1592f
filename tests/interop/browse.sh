# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# Browsers as clients: they run the page fetch.html, which fetches files and gives back to the server
# what it got. The server has fetch.html in its root, and takes files by PUT below OUT.
#
# A browser wants to find its files where they belong: in a /usr of its own, seen by nobody else.

# Fetches files over HTTP/3 and waits until OUT/done is there, which says what went wrong. "a ;b c"
# fetches b and c some seconds after a. It waits for BROWSE_SECONDS (120) at most.
browse() { # chromium|firefox HOST PORT CA OUT PATH...
	local browser=$1 host=$2 port=$3 ca=$4 out=$5 url words pid rc=0
	shift 5
	url=https://$host:$port/fetch.html#$(IFS=,; echo "$*")
	url=${url//,;/;}
	rm -rf "$out/done" "$out.profile"
	mkdir -p "$out.profile/distribution"
	"browse_$browser"
	# shellcheck disable=SC2016 # for the inner shell
	HOME=$PWD/$out.profile "${PEER_IN[@]}" unshare --mount bash -c '
		usr=$1 distribution=$2
		shift 2
		mount --bind "$usr" /usr
		[ ! -d /usr/lib/firefox-esr ] || mount --bind "$distribution" /usr/lib/firefox-esr/distribution
		exec "$@"' - "$QL_PEERS/$browser/usr" "$out.profile/distribution" "${words[@]}" >"$out.log" 2>&1 &
	pid=$!
	ql_wait_line "${BROWSE_SECONDS:-120}" $pid "$out/done" . || rc=1
	ql_stop $pid || true
	cat "$out/done" || tail -5 "$out.log"
	[ $rc -eq 0 ] && [ "$(cat "$out/done")" = all ]
}

browse_chromium() {
	words=(/usr/lib/chromium/chromium --headless --no-sandbox --disable-gpu --no-first-run
		--disable-background-networking --disable-component-update --disable-sync
		"--user-data-dir=$PWD/$out.profile" "--origin-to-force-quic-on=$host:$port"
		"--ignore-certificate-errors-spki-list=$(ql_cert_spki "$(dirname "$ca")/cert.pem")"
		"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE $host" --remote-debugging-port=0
		"${PEER_OPTIONS[@]}" "$url")
}

browse_firefox() {
	local pref
	cat >"$out.profile/distribution/policies.json" <<-JSON
	{ "policies": { "Certificates": { "Install": ["$ca"] }, "DisableAppUpdate": true, "DisableTelemetry": true } }
	JSON
	for pref in '"network.http.http3.enable", true' \
		"\"network.http.http3.alt-svc-mapping-for-testing\", \"$host;h3=:$port\"" \
		'"network.http.http3.force-use-alt-svc-mapping-for-testing", true' \
		'"network.http.http3.disable_when_third_party_roots_found", false' \
		'"network.captive-portal-service.enabled", false' \
		'"network.connectivity-service.enabled", false' \
		'"network.dns.disabled", true' \
		'"browser.shell.checkDefaultBrowser", false' \
		'"browser.startup.homepage_override.mstone", "ignore"' \
		'"toolkit.startup.max_resumed_crashes", -1' "${PEER_OPTIONS[@]}"; do
		echo "user_pref($pref);"
	done >"$out.profile/user.js"
	words=(/usr/lib/firefox-esr/firefox-esr --headless --no-remote --profile "$PWD/$out.profile" "$url")
}
