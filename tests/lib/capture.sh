# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# Captures packets at the kernel's end of a TAP and has tshark judge them.

# Starts a capture of all packets on an interface, in the background: CAPTURE_PID.
ql_capture_start() { # INTERFACE FILE
	tcpdump -i "$1" -U -B 32768 -Z root -w "$2" >"$2.log" 2>&1 &
	CAPTURE_PID=$!
	ql_wait_line 10 $CAPTURE_PID "$2.log" 'listening on' || {
		cat "$2.log"
		ql_fail "tcpdump does not start"
	}
}

# Ends the capture; it must have lost no packet.
ql_capture_stop() { # FILE
	sleep 0.3 # what the kernel still holds back for tcpdump
	ql_stop "$CAPTURE_PID" || true
	cat "$1.log"
	grep -qE '^0 packets dropped by kernel' "$1.log" || ql_fail "the capture is not complete"
}

# The number of packets of a capture that a filter selects.
ql_capture_count() { # FILE KEYLOG FILTER
	if ! tshark -r "$1" -o "tls.keylog_file:$2" -o ip.check_checksum:TRUE \
		-o udp.check_checksum:TRUE -Y "$3" >tshark.out 2>tshark.log; then
		cat tshark.log >&2
		return 1
	fi
	wc -l <tshark.out
}

# The values of a field in a capture, one a line.
ql_capture_fields() { # FILE KEYLOG FIELD
	tshark -r "$1" -o "tls.keylog_file:$2" -T fields -e "$3" -Y "$3" 2>tshark.log | tr , '\n'
}

# The capture must be readable with the key log to the last packet: nothing malformed, nothing
# that did not decrypt, no protocol error, and from our address only right checksums.
ql_capture_check() { # FILE KEYLOG OUR-ADDRESS...
	local file=$1 keys=$2 quic plain bad n filter
	shift 2
	quic=$(ql_capture_count "$file" "$keys" quic)
	plain=$(ql_capture_count "$file" "$keys" quic.frame)
	echo "$quic QUIC datagrams, $plain decrypted"
	[ "$quic" -gt 20 ] || ql_fail "no QUIC in the capture"
	[ "$quic" -eq "$plain" ] || ql_fail "$((quic - plain)) QUIC datagrams do not decrypt"
	bad='_ws.malformed || quic.decryption_failed || _ws.unreassembled'
	# expert information of the severity 'error', but for checksums: the kernel leaves those
	# of its own packets to the interface
	bad="$bad || (_ws.expert.severity == 8388608 && !(_ws.expert.group == 16777216))"
	n=$(ql_capture_count "$file" "$keys" "$bad")
	if [ "$n" -ne 0 ]; then
		tshark -r "$file" -o "tls.keylog_file:$keys" -Y "$bad" -V 2>/dev/null |
			grep -E '^Frame|Malformed|Expert|decrypt' | head -20
		ql_fail "$n packets that tshark calls malformed"
	fi
	for n; do
		case $n in
		*:*) filter="ipv6.src == $n && (udp.checksum.status == 0 || icmpv6.checksum.status == 0)" ;;
		*) filter="ip.src == $n && (udp.checksum.status == 0 || ip.checksum.status == 0 || icmp.checksum.status == 0)" ;;
		esac
		bad=$(ql_capture_count "$file" "$keys" "$filter")
		[ "$bad" -eq 0 ] || ql_fail "$bad packets from $n with a wrong checksum"
	done
}
