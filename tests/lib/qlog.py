#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Checks qlog files: JSON Text Sequences (RFC 7464) of the events of draft-ietf-quic-qlog-quic-events.

qlog.py FILE...                        each is well-formed and says what the draft lets it say
qlog.py --pair CLIENT SERVER           and all packets that one end sent, the other received
qlog.py --pair --lossy CLIENT SERVER   and what one end received, the other had sent
        --has NAME[=N] ...             and there are events (N of them) of this name, in all files
"""
import argparse
import json
import sys

# ---- The draft's types. A check returns what is wrong, or None. ----


def uint(bits):
    def check(v):
        good = isinstance(v, int) and not isinstance(v, bool) and 0 <= v < 1 << bits
        return None if good else f"{v!r} is no uint{bits}"
    return check


def number(v):
    good = isinstance(v, (int, float)) and not isinstance(v, bool) and v >= 0
    return None if good else f"{v!r} is no number"


def boolean(v):
    return None if isinstance(v, bool) else f"{v!r} is no bool"


def text(v):
    return None if isinstance(v, str) else f"{v!r} is no text"


def hexstring(v):
    good = isinstance(v, str) and len(v) % 2 == 0 and all(c in "0123456789abcdef" for c in v)
    return None if good else f"{v!r} is no hexstring"


def one_of(*names):
    return lambda v: None if v in names else f"{v!r} is none of {names}"


def either(*checks):
    def check(v):
        wrong = [c(v) for c in checks]
        return None if None in wrong else " and ".join(wrong)
    return check


def list_of(item, least=0):
    def check(v):
        if not isinstance(v, list) or len(v) < least:
            return f"{v!r} is no list of at least {least}"
        return next((w for w in map(item, v) if w), None)
    return check


def fields(required, optional=None, more=False):
    def check(v):
        if not isinstance(v, dict):
            return f"{v!r} is no object"
        for name in required:
            if name not in v:
                return f"'{name}' is missing in {v!r}"
        for name, value in v.items():
            kind = required.get(name) or (optional or {}).get(name)
            if not kind and not more:
                return f"'{name}' is not in the draft"
            wrong = kind and kind(value)
            if wrong:
                return f"{name}: {wrong}"
        return None
    return check


u8, u16, u32, u64 = uint(8), uint(16), uint(32), uint(64)
raw = fields({}, {"length": u64, "payload_length": u64, "data": hexstring})
initiator = one_of("local", "remote")
endpoint = fields({}, {"ip_v4": text, "port_v4": u16, "ip_v6": text, "port_v6": u16,
                       "connection_ids": list_of(hexstring, 1)})
token = fields({}, {"type": one_of("retry", "resumption"), "details": fields({}, more=True),
                    "raw": raw})
transport_error = either(one_of(
    "no_error", "internal_error", "connection_refused", "flow_control_error",
    "stream_limit_error", "stream_state_error", "final_size_error", "frame_encoding_error",
    "transport_parameter_error", "connection_id_limit_error", "protocol_violation",
    "invalid_token", "application_error", "crypto_buffer_exceeded", "key_update_error",
    "aead_limit_reached", "no_viable_path", "unknown"),
    one_of(*(f"crypto_error_0x1{n:02x}" for n in range(256))))
application_error = one_of("unknown")
packet_type = one_of("initial", "handshake", "0RTT", "1RTT", "retry", "version_negotiation",
                     "stateless_reset", "unknown")
header = fields({"packet_type": packet_type}, {
    "packet_type_bytes": u64, "spin_bit": boolean, "key_phase": u64, "key_phase_bit": boolean,
    "packet_number_length": u8, "packet_number": u64, "token": token, "length": u16,
    "version": hexstring, "scil": u8, "dcil": u8, "scid": hexstring, "dcid": hexstring})
stream_type = one_of("unidirectional", "bidirectional")

FRAMES = {
    "padding": fields({}, {"raw": raw}),
    "ping": fields({}, {"raw": raw}),
    "ack": fields({}, {"ack_delay": number, "acked_ranges": list_of(list_of(u64, 1), 1),
                       "ect1": u64, "ect0": u64, "ce": u64, "raw": raw, "cut": boolean}),
    "reset_stream": fields({"stream_id": u64, "error": application_error, "final_size": u64},
                           {"error_code": u64, "raw": raw}),
    "stop_sending": fields({"stream_id": u64, "error": application_error},
                           {"error_code": u64, "raw": raw}),
    "crypto": fields({"offset": u64, "raw": fields({"length": u64})}),
    "new_token": fields({"token": token}, {"raw": raw}),
    "stream": fields({"stream_id": u64}, {"offset": u64, "fin": boolean, "raw": raw}),
    "max_data": fields({"maximum": u64}, {"raw": raw}),
    "max_stream_data": fields({"stream_id": u64, "maximum": u64}, {"raw": raw}),
    "max_streams": fields({"stream_type": stream_type, "maximum": u64}, {"raw": raw}),
    "data_blocked": fields({"limit": u64}, {"raw": raw}),
    "stream_data_blocked": fields({"stream_id": u64, "limit": u64}, {"raw": raw}),
    "streams_blocked": fields({"stream_type": stream_type, "limit": u64}, {"raw": raw}),
    "new_connection_id": fields({"sequence_number": u64, "retire_prior_to": u64,
                                 "connection_id": hexstring}, {"raw": raw}),
    "retire_connection_id": fields({"sequence_number": u64}, {"raw": raw}),
    "path_challenge": fields({}, {"data": hexstring, "raw": raw}),
    "path_response": fields({}, {"data": hexstring, "raw": raw}),
    "connection_close": fields({}, {"error_space": one_of("transport", "application"),
                                    "error": transport_error, "error_code": u64, "reason": text,
                                    "reason_bytes": hexstring,
                                    "trigger_frame_type": either(u64, text), "raw": raw}),
    "handshake_done": fields({}, {"raw": raw}),
    "datagram": fields({}, {"raw": raw}),
    # draft-ietf-quic-ack-frequency, which has no schema yet
    "immediate_ack": fields({}, {"raw": raw}),
    "ack_frequency": fields({"sequence_number": u64, "ack_eliciting_threshold": u64,
                             "requested_max_ack_delay": u64, "reordering_threshold": u64}),
    "unknown": fields({"frame_type_bytes": u64}, {"raw": raw}),
}


def frame(v):
    v = dict(v)
    kind = FRAMES.get(v.pop("frame_type", None))
    return kind(v) if kind else f"no frame of the draft's: {v!r}"


packet = {"frames": list_of(frame), "stateless_reset_token": hexstring,
          "supported_versions": list_of(hexstring, 1), "raw": raw, "frames_left_out": u64}
parameters = {
    "initiator": initiator, "tls_cipher": text,
    "original_destination_connection_id": hexstring, "initial_source_connection_id": hexstring,
    "retry_source_connection_id": hexstring, "disable_active_migration": boolean,
    "grease_quic_bit": boolean,
    "preferred_address": fields({"connection_id": hexstring, "stateless_reset_token": hexstring},
                                {"ip_v4": text, "port_v4": u16, "ip_v6": text, "port_v6": u16}),
    **{name: u64 for name in (
        "max_idle_timeout", "max_udp_payload_size", "ack_delay_exponent", "max_ack_delay",
        "active_connection_id_limit", "initial_max_data", "initial_max_stream_data_bidi_local",
        "initial_max_stream_data_bidi_remote", "initial_max_stream_data_uni",
        "initial_max_streams_bidi", "initial_max_streams_uni", "max_datagram_frame_size")}}
connection_state = one_of("attempted", "handshake_started", "handshake_complete", "closed",
                          "peer_validated", "early_write", "handshake_confirmed", "closing",
                          "draining")
key = fields({"key_type": one_of(*(f"{end}_{level}_secret" for end in ("client", "server")
                                   for level in ("initial", "handshake", "0rtt", "1rtt")))},
             {"key_phase": u64, "trigger": one_of("tls", "remote_update", "local_update")})
alpn = fields({}, {"byte_value": hexstring, "string_value": text})
location = one_of("application", "transport", "network")
migration = one_of("probing_started", "probing_abandoned", "probing_successful",
                   "migration_started", "migration_abandoned", "migration_complete")

EVENTS = {
    "quic:connection_started": fields({"local": endpoint, "remote": endpoint}),
    "quic:connection_closed": fields({}, {
        "initiator": initiator, "connection_error": transport_error,
        "application_error": application_error, "error_code": u64, "reason": text,
        "trigger": one_of("idle_timeout", "application", "error", "version_mismatch",
                          "stateless_reset", "aborted", "unspecified")}),
    "quic:connection_id_updated": fields({"initiator": initiator},
                                         {"old": hexstring, "new": hexstring}),
    "quic:connection_state_updated": fields({"new": connection_state}, {"old": connection_state}),
    "quic:tuple_assigned": fields({"tuple_id": text},
                                  {"tuple_remote": endpoint, "tuple_local": endpoint}),
    "quic:mtu_updated": fields({"new": u32}, {"old": u32, "done": boolean}),
    "quic:version_information": fields({}, {"server_versions": list_of(hexstring, 1),
                                            "client_versions": list_of(hexstring, 1),
                                            "chosen_version": hexstring}),
    "quic:alpn_information": fields({}, {"server_alpns": list_of(alpn),
                                         "client_alpns": list_of(alpn), "chosen_alpn": alpn}),
    "quic:parameters_set": fields({}, parameters),
    "quic:packet_sent": fields({"header": header}, {**packet, "is_mtu_probe_packet": boolean}),
    "quic:packet_received": fields({"header": header}, packet),
    "quic:packet_dropped": fields({}, {
        "header": header, "raw": raw, "details": fields({}, more=True),
        "trigger": one_of("internal_error", "rejected", "unsupported", "invalid", "duplicate",
                          "connection_unknown", "decryption_failure", "key_unavailable",
                          "general")}),
    "quic:packet_lost": fields({}, {
        "header": header, "is_mtu_probe_packet": boolean,
        "trigger": one_of("reordering_threshold", "time_threshold", "pto_expired")}),
    "quic:stream_state_updated": fields(
        {"stream_id": u64, "new": one_of("open", "closed"),
         "stream_side": one_of("sending", "receiving")}, {"stream_type": stream_type}),
    "quic:datagram_data_moved": fields({}, {"from": location, "to": location, "raw": raw}),
    "quic:migration_state_updated": fields(
        {"new": migration}, {"old": migration, "tuple_id": text, "tuple_remote": endpoint,
                             "tuple_local": endpoint}),
    "quic:key_updated": key,
    "quic:key_discarded": key,
    "quic:recovery_parameters_set": fields({"timer_granularity": u16}, {
        "reordering_threshold": u16, "time_threshold": number, "initial_rtt": number,
        "max_datagram_size": u32, "initial_congestion_window": u64,
        "minimum_congestion_window": u64, "loss_reduction_factor": number,
        "persistent_congestion_threshold": u16}, more=True),
    "quic:recovery_metrics_updated": fields({}, {
        "min_rtt": number, "smoothed_rtt": number, "latest_rtt": number, "rtt_variance": number,
        "pto_count": u16, "congestion_window": u64, "bytes_in_flight": u64, "ssthresh": u64,
        "packets_in_flight": u64, "pacing_rate": u64}, more=True),
    "quic:congestion_state_updated": fields({"new": text}, {"old": text, "trigger": text}),
    "loglevel:warning": fields({}, {"code": u64, "message": text}),
}

event = fields({"time": number, "name": one_of(*EVENTS), "data": fields({}, more=True)},
               {"tuple": text})
head = fields({"file_schema": one_of("urn:ietf:params:qlog:file:sequential"),
               "serialization_format": one_of("application/qlog+json-seq"),
               "trace": fields({"event_schemas": list_of(text, 1)}, {
                   "common_fields": fields({
                       "group_id": hexstring, "time_format": one_of("relative_to_epoch"),
                       "reference_time": fields({"clock_type": one_of("monotonic"),
                                                 "epoch": one_of("unknown")},
                                                {"wall_clock_time": text})}),
                   "vantage_point": fields({"type": one_of("client", "server")},
                                           {"name": text})})})


class Wrong(Exception):
    pass


def no_doubles(pairs):
    if len({name for name, _ in pairs}) < len(pairs):
        raise Wrong(f"a name twice in one object: {pairs!r}")
    return dict(pairs)


def read(path):
    """The head and the events of a file, all of them checked."""
    with open(path, "rb") as f:
        data = f.read()
    if data[:1] != b"\x1e" or data[-1:] != b"\n":
        raise Wrong("does not begin with RS, or end with LF")
    records = []
    for n, record in enumerate(data[1:].split(b"\x1e")):
        if record[-1:] != b"\n":
            raise Wrong(f"record {n} does not end with LF")
        try:
            records.append(json.loads(record, object_pairs_hook=no_doubles))
        except ValueError as e:
            raise Wrong(f"record {n}: {e}: {record!r}") from e
    if head(records[0]):
        raise Wrong(f"head: {head(records[0])}")
    last = 0
    for n, e in enumerate(records[1:], 1):
        wrong = event(e) or EVENTS[e["name"]](e["data"])
        if wrong:
            raise Wrong(f"record {n}, {e.get('name')}: {wrong}")
        if e["time"] < last:
            raise Wrong(f"record {n} goes back in time, from {last} to {e['time']}")
        last = e["time"]
    names = [e["name"] for e in records[1:]]
    for name in ("quic:connection_started", "quic:connection_closed"):
        if names.count(name) != 1:
            raise Wrong(f"{names.count(name)} of {name}")
    return records[0], records[1:]


def packets(events, name):
    """(type, number) -> frames, of the packets with numbers."""
    found = {}
    for e in events:
        h = e["data"].get("header", {})
        if e["name"] != name or "packet_number" not in h:
            continue
        of = h["packet_type"], h["packet_number"]
        if of in found:
            raise Wrong(f"{name} twice for {of}")
        found[of] = e["data"]["frames"]
    return found


def compare(sender, receiver, lossy):
    sent, received = packets(sender, "quic:packet_sent"), packets(receiver, "quic:packet_received")
    more = set(received) - set(sent)
    if more:
        raise Wrong(f"received, and not sent: {sorted(more)[:5]}")
    # an end that is closing does not look at what still comes
    missing = set(sent) - set(received)
    dropped = sum(e["name"] == "quic:packet_dropped" for e in receiver)
    if not lossy and len(missing) > dropped:
        raise Wrong(f"sent, and neither received nor dropped: {sorted(missing)[:5]}")
    for of, frames in received.items():
        if frames != sent[of]:
            raise Wrong(f"{of}: sent {sent[of]}, received {frames}")
    return len(received)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--pair", action="store_true")
    parser.add_argument("--lossy", action="store_true")
    parser.add_argument("--has", action="append", default=[])
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()
    traces, count = [], {}
    for path in args.files:
        try:
            traces.append(read(path))
        except Wrong as e:
            sys.exit(f"{path}: {e}")
        for e in traces[-1][1]:
            count[e["name"]] = count.get(e["name"], 0) + 1
    for want in args.has:
        name, _, n = want.partition("=")
        if count.get(name, 0) == 0 or (n and count[name] != int(n)):
            sys.exit(f"{count.get(name, 0)} of {name}, expected {n or 'some'}: {args.files}")
    if args.pair:
        (c_head, client), (s_head, server) = traces
        try:
            if (c_head["trace"]["vantage_point"]["type"] != "client" or
                    s_head["trace"]["vantage_point"]["type"] != "server" or
                    c_head["trace"]["common_fields"]["group_id"] !=
                    s_head["trace"]["common_fields"]["group_id"]):
                raise Wrong("not the two ends of one connection")
            n = compare(client, server, args.lossy) + compare(server, client, args.lossy)
        except Wrong as e:
            sys.exit(f"{args.files}: {e}")
        print(f"{n} packets sent and received")
    print(f"{len(traces)} files, {sum(count.values())} events")


if __name__ == "__main__":
    main()
