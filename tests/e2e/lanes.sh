#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Programs on several lcores, each with a queue of its own, over all kinds of devices. It takes a minute
# or two.

# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
# shellcheck source=tests/lib/files.sh
. "$QL_TOP/tests/lib/files.sh"
# shellcheck source=tests/lib/qlane.sh
. "$QL_TOP/tests/lib/qlane.sh"
# shellcheck source=tests/interop/peers.sh
. "$QL_TOP/tests/interop/peers.sh"

# The machine may have less cores than lanes: those without work give theirs away.
LEAN=(--idle sleep --memory 64)

lcores() { # COUNT : for --lcores, on two cores
	local i list=
	for ((i = 0; i < $1; i++)); do
		list=$list,$i@$((i % $(nproc)))
	done
	echo "${list#,}"
}

# A counter of each lane, one a line.
counter() { # GROUP NAME
	python3 - "$@" <<-'PYTHON'
	import json, sys
	for line in open("stats.json"):
	    print(json.loads(line)[sys.argv[1]][sys.argv[2]])
	PYTHON
}

sum() { # GROUP NAME
	counter "$@" | awk '{ n += $1 } END { print n }'
}

# The same files by several connections at a time, over IPv4 and IPv6; every lane has some of them.
queues() { # COUNT
	local QL_LCORES i pids=() address
	QL_LCORES=$(lcores "$1")
	ql_server_start "${LEAN[@]}" --json-stats stats.json
	grep -qE "\(lcores? $(seq -s ', ' 0 $(($1 - 1)))," server.log || ql_fail "not on $1 lcores"
	ping -n -c 2 -i 0.2 -W 5 "$QL_OUR4"
	for ((i = 0; i < 3 * $1; i++)); do
		address=$QL_OUR4
		[ $((i % 2)) -eq 0 ] || address=$QL_OUR6
		peer_client_fetch curl h3 "$address" "$QL_PORT" "$CERT/ca.pem" "out$i" one.bin small/s0009 &
		pids+=($!)
	done
	for i in "${!pids[@]}"; do
		wait "${pids[i]}"
		ql_same "$WWW" "out$i" one.bin small/s0009
	done
	ql_server_stop
	[ "$(wc -l <stats.json)" -eq "$1" ] || ql_fail "not a line for each lane"
	[ "$(sum engine conns_accepted)" -eq $((3 * $1)) ] || ql_fail "a connection was counted twice"
	grep -qE "^qlane-server: $((6 * $1)) requests: $((6 * $1)) answered" server.log ||
		ql_fail "not all requests are in the sum"
}

# ---- The end of a server ----

# What runs when the server is asked to end is finished, on both lanes.
stopping() {
	local QL_LCORES i pids=() rc=0
	QL_LCORES=$(lcores 2)
	ql_server_start "${LEAN[@]}" --drain 50 --json-stats stats.json
	for i in 0 1; do
		mkdir "out$i"
		peer_run curl curl --http3-only --cacert "$CERT/ca.pem" --limit-rate 1M -sS -o "out$i/five.bin" \
			"https://$QL_OUR4:$QL_PORT/five.bin" &
		pids+=($!)
	done
	ql_wait_for 10 both_begun
	kill -TERM "$SERVER_PID"
	for i in "${!pids[@]}"; do
		wait "${pids[i]}"
		ql_same "$WWW" "out$i" five.bin
	done
	wait "$SERVER_PID" || rc=$?
	[ "$rc" -eq 0 ] || ql_fail "the server ended with exit code $rc"
	grep '^qlane-server:' server.log
	grep -q '2 answered with 200 or 206 (10.0 MB).* 0 not finished' server.log || ql_fail "not both of them"
	! ip link show dev "$QL_IFACE" 2>/dev/null || ql_fail "the server left $QL_IFACE behind"
}

both_begun() {
	local n
	n=$(find out? -type f -size +1k 2>/dev/null | wc -l)
	[ "$n" -eq 2 ]
}

# A signal more, and it ends at once.
stopping_at_once() {
	local QL_LCORES since client
	QL_LCORES=$(lcores 2)
	ql_server_start "${LEAN[@]}" --drain 50
	peer_run curl curl --http3-only --cacert "$CERT/ca.pem" --limit-rate 100k -sS -o big \
		"https://$QL_OUR4:$QL_PORT/big.bin" &
	client=$!
	ql_wait_for 10 test -s big
	kill -TERM "$SERVER_PID"
	sleep 1
	kill -0 "$SERVER_PID" || ql_fail "it did not wait for the request"
	since=$SECONDS
	ql_server_stop
	[ $((SECONDS - since)) -le 3 ] || ql_fail "it took $((SECONDS - since)) s"
	! wait "$client" || ql_fail "the client has all of it"
}

# A server that was killed leaves nothing that the next one cannot take, and the client of the first
# one hears from the second one that its connection is gone.
killed() {
	local QL_LCORES QL_EAL client rc=0
	ql_hugepages 384 || ql_skip "no hugepages"
	QL_LCORES=$(lcores 2)
	sysctl -qw net.ipv4.ip_forward=1
	ql_random reset 32 >reset.key
	mkdir huge run taken
	export RUNTIME_DIRECTORY=$PWD/run
	mount -t hugetlbfs hugetlbfs huge
	restart_killed
	ql_eal 1
	"$QL_CLIENT" "${QL_EAL[@]}" "--vdev=net_tap1,iface=qlane1" -- --ip 10.9.1.2/24 --tap-ip 10.9.1.1/24 \
		--gateway 10.9.1.1 --memory 64 --ca "$CERT/ca.pem" --timeout 40 \
		--upload "$WWW/big.bin" "https://$QL_OUR4:$QL_PORT/big.bin" >client.log 2>&1 &
	client=$!
	ql_wait_for 10 begun_transfer
	kill -KILL "$SERVER_PID"
	wait "$SERVER_PID" || true
	restart_killed
	wait "$client" || rc=$?
	cat client.log
	[ "$rc" -eq 1 ] || ql_fail "the client's exit code is $rc"
	grep -q 'stateless reset' client.log || ql_fail "it did not hear of it"
	peer_client_fetch curl h3 "$QL_OUR4" "$QL_PORT" "$CERT/ca.pem" again one.bin
	ql_same "$WWW" again one.bin
	ql_server_stop
	grep -qE '^ +resets +[1-9]' server.log || ql_fail "no reset was counted"
	grep -qE '^ +generation +[1-9]' server.log || ql_fail "not known as of the process before"
	# EAL keeps the page that it began with, for the next process of the name
	[ "$(find huge -type f | wc -l)" -le 1 ] || ql_fail "hugepages are left: $(ls huge)"
	umount huge
}

begun_transfer() {
	[ -n "$(find taken -type f -size +100k)" ]
}

# With hugepages as files, which outlive a killed process.
restart_killed() {
	device_server "$QL_LCORES" --huge-dir "$PWD/huge" --file-prefix killed "--vdev=net_tap0,iface=$QL_IFACE" -- \
		"${QL_TAP_ARGS[@]}" --gateway "$QL_KERNEL4" --reset-key reset.key --upload taken \
		--generation generation
}

# Key files are read again while the server works; a wrong one changes nothing.
rekeyed() {
	local QL_LCORES
	QL_LCORES=$(lcores 2)
	ql_random ticket 32 >ticket.key
	ql_random reset 32 >reset.key
	ql_server_start "${LEAN[@]}" --ticket-key ticket.key --reset-key reset.key
	fetch_both one.bin
	ql_random other 32 >ticket.key
	ql_random others 32 >reset.key
	kill -HUP "$SERVER_PID"
	ql_wait_line 10 "$SERVER_PID" server.log '^qlane-server: the keys were read again' ||
		ql_fail "nothing was read again"
	fetch_both one.bin
	echo short >reset.key
	kill -HUP "$SERVER_PID"
	ql_wait_line 10 "$SERVER_PID" server.log 'reset-key reset.key: it has less than 32 bytes' || ql_fail "no message"
	fetch_both one.bin
	ql_server_stop
}

# Connection IDs for a load balancer; encrypted ones nobody but the engines can read.
balanced() {
	local QL_LCORES
	QL_LCORES=$(lcores 2)
	ql_server_start "${LEAN[@]}" --json-stats stats.json --cid 0:0a1b
	grep -q 'net_tap0: TAP program' server.log || ql_fail "not steered: $(cat server.log)"
	fetch_both five.bin
	ql_server_stop
	[ "$(sum engine crossed_in)" -eq 0 ] || ql_fail "datagrams crossed"
	ql_server_start "${LEAN[@]}" --cid 0:0a1b:00112233445566778899aabbccddeeff
	grep -q 'net_tap0: RSS, connection IDs are encrypted' server.log || ql_fail "$(cat server.log)"
	fetch_both five.bin
	ql_server_stop
}

# The rotation bits of the IDs that packets with short headers go to, one line for each until killed.
rotations() {
	exec python3 -u - "$QL_IFACE" "$QL_PORT" <<-'PYTHON'
	import socket, struct, sys
	s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
	s.bind((sys.argv[1], 0))
	last = None
	while True:
	    p = s.recv(65535)
	    p = {b"\x08\x00": p[34:], b"\x86\xdd": p[54:]}.get(p[12:14], b"")
	    if len(p) > 28 and struct.unpack("!H", p[2:4])[0] == int(sys.argv[2]) and not p[8] & 0x80:
	        if p[9] >> 5 != last:
	            last = p[9] >> 5
	            print(last)
	PYTHON
}

reconfigure() { # LINE MESSAGE
	printf '[server]\n%s\n' "$1" >cids.ini
	kill -HUP "$SERVER_PID"
	ql_wait_line 10 "$SERVER_PID" server.log "$2" || ql_fail "not said: $2"
}

# A load balancer's configuration changes in transfers, which go on with IDs of the new one, and the
# kernel's program matches those as well; one for which it would not is refused.
reconfigured() {
	local QL_LCORES i pids=() sniffer
	QL_LCORES=$(lcores 2)
	printf '[server]\ncid = 0:0a1b\n' >cids.ini
	ql_server_start "${LEAN[@]}" --json-stats stats.json --config cids.ini
	grep -q 'net_tap0: TAP program' server.log || ql_fail "not steered: $(cat server.log)"
	rotations >seen &
	sniffer=$!
	for i in 0 1; do
		mkdir "out$i"
		peer_run curl curl --http3-only --cacert "$CERT/ca.pem" --limit-rate 1M -sS -o "out$i/five.bin" \
			"https://$QL_OUR4:$QL_PORT/five.bin" &
		pids+=($!)
	done
	ql_wait_for 10 both_begun
	ql_wait_line 10 "$sniffer" seen '^0' || ql_fail "not with the first configuration"
	reconfigure 'cid = 1:0c1d' '^qlane-server: new connection IDs are of configuration 1'
	ql_wait_line 10 "$sniffer" seen '^1' || ql_fail "not with the second one"
	reconfigure 'cid = 1:0c1dff' 'TAP program match connection IDs at offset 4 of packets, and would have to at 5'
	reconfigure 'cid = 2:0a1b:00112233445566778899aabbccddeeff' 'cannot match encrypted connection IDs'
	reconfigure 'cid = 1:0c1e' 'choose another rotation'
	reconfigure 'cid = 9:0c1d' 'cids.ini: .server. cid = 9:0c1d: expected a rotation from 0 to 6'
	for i in "${!pids[@]}"; do
		wait "${pids[i]}"
		ql_same "$WWW" "out$i" five.bin
	done
	[ "$(tail -1 seen)" = 1 ] || ql_fail "the last packets are not to IDs of configuration 1"
	reconfigure 'cid = 2:0e1f' '^qlane-server: new connection IDs are of configuration 2'
	fetch_both one.bin
	kill "$sniffer"
	[ "$(tail -1 seen)" = 2 ] || ql_fail "not with the last configuration: $(cat seen)"
	ql_server_stop
	[ "$(sum engine crossed_in)" -eq 0 ] || ql_fail "datagrams crossed"
	[ "$(sum engine_drops no_conn)" -eq 0 ] || ql_fail "packets for nobody"
}

# What the lanes run has no atomic instruction but the counting of references to packet buffers that
# have several, which is DPDK's; and it asks for no lock.
lockless() {
	local lib others
	command -v objdump >/dev/null || ql_skip "no objdump"
	for lib in base wire recovery stream conn engine net crypto; do
		[ -f "$QL_BUILD/lib/libql_$lib.a" ] || ql_fail "no libql_$lib.a"
		objdump -d --no-show-raw-insn "$QL_BUILD/lib/libql_$lib.a" | awk -v lib="$lib" '
			/^[0-9a-f]+ <.*>:$/ { fn = $2 }
			/\tlock |\txchg .*\(/ { sub(/^[^\t]*\t/, ""); print lib, fn, $0 }'
	done | sort | uniq -c | tee atomics
	# 16 bits: rte_mbuf_refcnt; what lanes tell each other of neighbours; set-up
	others=$(grep -vE 'lock (sub|add|xadd|dec|inc)w|lock xadd %[a-d]x,|<ql_news_tell>|<ql_crypto_set_backend>|crypto <init>' atomics ||
		true)
	[ -z "$others" ] || ql_fail "atomic instructions: $others"
	grep -q 'lock subw' atomics || ql_fail "this finds nothing at all"
	for lib in base wire recovery stream conn engine net; do
		nm -u "$QL_BUILD/lib/libql_$lib.a" 2>/dev/null | grep -E 'pthread_(mutex|rwlock|spin|cond)|futex' &&
			ql_fail "libql_$lib takes locks"
	done
	true
}

# ---- Other devices ----

# Starts qlane-server with the given vdevs, for the addresses of ql_server_start, and waits for it.
device_server() { # LCORES --vdev... -- ARGUMENT...
	local QL_EAL
	ql_eal "$1"
	shift
	while [ "$1" != -- ]; do
		[ "$1" != --huge-dir ] || QL_EAL=("${QL_EAL[@]:0:3}") # and not --in-memory
		QL_EAL+=("$1")
		shift
	done
	rm -f server.log # of a server before
	"$QL_SERVER" "${QL_EAL[@]}" "$@" "${LEAN[@]}" --port "$QL_PORT" --root "$WWW" --cert "$CERT/cert.pem" \
		--key "$CERT/key.pem" --json-stats stats.json >server.log 2>&1 &
	SERVER_PID=$!
	if ! ql_wait_line 20 "$SERVER_PID" server.log '^qlane-server: ready'; then
		cat server.log
		! grep -qE 'failed to (load|parse)|no driver|cannot find|no port' server.log ||
			ql_skip "DPDK here has no such device"
		ql_fail "the server did not say that it is ready"
	fi
	grep ready server.log
}

device_stop() {
	local rc=0
	ql_stop "$SERVER_PID" || rc=$?
	[ "$rc" -eq 0 ] || { cat server.log; ql_fail "exit code $rc"; }
	ql_no_report server.log
}

fetch_both() { # FILE...
	local address
	for address in "$QL_OUR4" "$QL_OUR6"; do
		peer_client_fetch curl h3 "$address" "$QL_PORT" "$CERT/ca.pem" "out$address" "$@"
		ql_same "$WWW" "out$address" "$@"
	done
}

# What an earlier test has left would have the same addresses.
no_links() {
	local i
	for i in v0 br0; do
		ip link del "$i" 2>/dev/null || true
	done
}

# A veth pair whose one end is the device's; the kernel's other end has the usual addresses.
veth() {
	no_links
	ip link add v0 type veth peer name v1 || ql_skip "this kernel has no veth"
	ip addr add "$QL_KERNEL4/24" dev v1
	ip addr add "$QL_KERNEL6/64" dev v1 nodad
	sysctl -qw net.ipv6.conf.v0.disable_ipv6=1
	ip link set v0 up
	ip link set v1 up
	# the kernel would leave its checksums to the other end
	ethtool -K v1 tx off >/dev/null
}

OURS=(--ip "$QL_OUR4/24" --ip "$QL_OUR6/64")

af_packet() {
	veth
	device_server "$(lcores 2)" \
		--vdev=net_af_packet0,iface=v0,blocksz=65536,framesz=2048,framecnt=4096,qpairs=2,qdisc_bypass=1 -- \
		"${OURS[@]}"
	fetch_both five.bin small/s0005
	device_stop
}

af_xdp() {
	veth
	device_server 0 --vdev=net_af_xdp0,iface=v0,busy_budget=0 -- "${OURS[@]}"
	fetch_both five.bin small/s0005
	device_stop
}

# Two processes of ours over shared memory, which tag their frames.
memif() {
	local QL_EAL
	device_server 0 "--vdev=net_memif0,role=server,socket=$PWD/s,socket-abstract=no" --file-prefix=a -- \
		"${OURS[@]}" --vlan 7
	ql_eal 1
	"$QL_CLIENT" "${QL_EAL[@]}" --file-prefix=b "--vdev=net_memif0,role=client,socket=$PWD/s,socket-abstract=no" \
		-- "${LEAN[@]}" --ip "$QL_KERNEL4/24" --ip "$QL_KERNEL6/64" --vlan 7 --ca "$CERT/ca.pem" \
		--timeout 40 --out out "https://$QL_OUR4:$QL_PORT/big.bin" "https://[$QL_OUR6]:$QL_PORT/five.bin"
	ql_same "$WWW" out big.bin five.bin
	device_stop
}

# Devices that carry no transfer: what comes is counted, and the end is clean.
counted() { # QUEUES --vdev... : rx_frames of all lanes
	local n=$1
	shift
	device_server "$(lcores "$n")" "$@" -- "${OURS[@]}"
	sleep 0.5
	device_stop
	[ "$(wc -l <stats.json)" -eq "$n" ] || ql_fail "not a line for each lane"
	sum lane rx_frames
}

null() {
	[ "$(counted 2 --vdev=net_null0,size=64 | tail -1)" -gt 1000 ] || ql_fail "hardly anything came"
	python3 - <<-'PYTHON'
	import json
	for line in open("stats.json"):
	    j = json.loads(line)
	    assert sum(j["lane_drops"].values()) == j["lane"]["rx_frames"], "frames of zeros were taken"
	PYTHON
}

pcap() {
	python3 - <<-'PYTHON'
	import struct
	frame = bytes(12) + b"\x08\x00" + bytes(50)
	with open("in.pcap", "wb") as f:
	    f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
	    for i in range(100):
	        f.write(struct.pack("<IIII", i, 0, len(frame), len(frame)) + frame)
	PYTHON
	[ "$(counted 1 --vdev=net_pcap0,rx_pcap=in.pcap,tx_pcap=out.pcap | tail -1)" -eq 100 ] ||
		ql_fail "not the capture's 100 frames"
}

ring() {
	counted 1 --vdev=net_ring0
}

# Two devices, with addresses each; and two that DPDK bonds to one.
two_ports() {
	device_server "$(lcores 2)" --vdev=net_tap0,iface=qa --vdev=net_tap1,iface=qb -- \
		--device net_tap0 --ip "$QL_OUR4/24" --tap-ip "$QL_KERNEL4/24" \
		--device 1 --ip "$QL_OUR6/64" --tap-ip "$QL_KERNEL6/64" --idle pause
	fetch_both five.bin small/s0005
	device_stop
}

bonding() {
	device_server 0 --vdev=net_tap0,iface=qa --vdev=net_tap1,iface=qb \
		--vdev=net_bonding0,mode=1,slave=net_tap0,slave=net_tap1 -- "${OURS[@]}"
	grep -q 'net_bonding0' server.log || ql_fail "it uses a member"
	no_links
	ip link add br0 type bridge || ql_skip "this kernel has no bridge"
	ip link set qa master br0
	ip link set qb master br0
	for i in qa qb br0; do ip link set "$i" up; done
	ip addr add "$QL_KERNEL4/24" dev br0
	ip addr add "$QL_KERNEL6/64" dev br0 nodad
	fetch_both five.bin small/s0005
	device_stop
	no_links
}

ql_before ql_need_programs "$QL_SERVER" "$QL_CLIENT"
ql_before peer_install curl
ql_isolate "$@"
ql_begin e2e
ql_fixtures

# A NAT gives a client ten ports and more during a transfer. With the kernel's program no packet crosses;
# without it some do, and nothing is lost.
steered() { # FILES BYTES OPTION...
	local QL_LCORES i n=$1 every=$2 how='TAP program' crossed file=big.bin
	shift 2
	QL_LCORES=$(lcores 2)
	[ $# -eq 0 ] || how='RSS, as configured'
	ql_server_start "${LEAN[@]}" --json-stats stats.json "$@"
	grep -qF "port 0 net_tap0: $how" server.log || ql_fail "not steered by $how"
	python3 "$QL_TOP/tests/interop/nat.py" --listen "$QL_KERNEL4:5544" --to "$QL_OUR4:$QL_PORT" \
		--bytes "$every" --source "$QL_KERNEL4" >nat.log 2>&1 &
	NAT=$!
	ql_wait_line 10 "$NAT" nat.log '^ready' || ql_fail "no NAT: $(cat nat.log)"
	for ((i = 0; i < n; i++)); do
		peer_client_fetch curl h3 "$QL_KERNEL4" 5544 "$CERT/ca.pem" "out$i" "$file"
		ql_same "$WWW" "out$i" "$file"
		file=five.bin # of more than one
	done
	ql_stop "$NAT"
	tail -1 nat.log
	grep -qE '^rebound ([0-9]{2,}) times' nat.log || ql_fail "hardly any rebinding"
	ql_server_stop
	crossed=$(sum engine crossed_in)
	echo "$crossed datagrams crossed"
	if [ $# -eq 0 ]; then
		[ "$crossed" -eq 0 ] || ql_fail "$crossed datagrams crossed"
	else
		[ "$crossed" -gt 0 ] || ql_fail "nothing had to cross"
	fi
	[ "$crossed" -eq "$(sum engine crossed_out)" ] || ql_fail "not all of them arrived"
}

# Our client on two lcores, which moves ten times on each of its connections and more, down and up.
moving() {
	local QL_LCORES QL_EAL direction run
	QL_LCORES=$(lcores 2)
	sysctl -qw net.ipv4.ip_forward=1
	mkdir taken
	ql_server_start "${LEAN[@]}" --json-stats stats.json --gateway "$QL_KERNEL4" --upload taken
	ql_eal "$QL_LCORES"
	run=("$QL_CLIENT" "${QL_EAL[@]}" "--vdev=net_tap1,iface=qlane1" -- "${LEAN[@]}" --ip 10.9.1.2/24
		--tap-ip 10.9.1.1/24 --gateway 10.9.1.1 --ca "$CERT/ca.pem" --json --timeout 60)
	"${run[@]}" --connections 2 --move-every 8 --out out "https://$QL_OUR4:$QL_PORT/big.bin" \
		"https://$QL_OUR4:$QL_PORT/five.bin" >down.json || ql_fail "exit code $? on the way down"
	ql_same "$WWW" out big.bin five.bin
	"${run[@]}" --move-every 8 --upload "$WWW/big.bin" "https://$QL_OUR4:$QL_PORT/up.bin" >up.json ||
		ql_fail "exit code $? on the way up"
	cmp "$WWW/big.bin" taken/up.bin
	for direction in down up; do
		python3 - "$direction" <<-'PYTHON'
		import json, sys
		j = json.load(open(sys.argv[1] + ".json"))
		print(j)
		assert j["moves"] >= 10, "it hardly moved"
		assert len(j["lanes"]) == j["connections"]
		assert all(l["connections"] == 1 for l in j["lanes"])
		PYTHON
	done
	ql_server_stop
	[ "$(sum engine crossed_in)" -eq 0 ] || ql_fail "datagrams crossed"
}

for n in 1 2 4; do
	ql_test "lanes-tap-$n" 60 queues $n
done
ql_test lanes-tap-rebinding 90 steered 1 7000000
ql_test lanes-tap-rebinding-hash-only 90 steered 3 7000000 --hash-only
ql_test lanes-tap-client-moves 60 moving
for t in stopping stopping_at_once killed rekeyed balanced reconfigured lockless two_ports bonding af_packet af_xdp memif null pcap ring; do
	ql_test "lanes-$t" 60 $t
done
ql_end
