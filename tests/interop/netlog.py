# SPDX-License-Identifier: BSD-3-Clause
"""Reads a Chromium's network log of a page over HTTP/3: was it that, and in whose order did it come?

usage: netlog.py FILE --resources N

The priorities are those that the browser sent (RFC 9218): the field of a request, and
PRIORITY_UPDATE frames. Prints a line for each resource, and fails when

    fewer than N resources came whole, or anything by another protocol,
    more than one byte in ten came before what is more urgent and had been asked for SLACK ms before,
    responses that are not incremental did not come one after another,
    those that are did not come side by side.

What lies in queues when a request arrives, what was lost on the way, and the small share of less
urgent streams are the reasons why it cannot be none.
"""

import argparse
import json
import re
import sys
from collections import Counter

SLACK = 150  # ms: a round trip and the queues of the link

parser = argparse.ArgumentParser()
parser.add_argument("file")
parser.add_argument("--resources", type=int, required=True)
args = parser.parse_args()

with open(args.file) as f:
    log = json.load(f)
names = {v: k for k, v in log["constants"]["logEventTypes"].items()}


class Request:
    def __init__(self, stream, path, asked):
        self.stream, self.path, self.asked = stream, path, asked
        self.got = 0  # bytes of the stream
        self.first = self.end = None  # ms
        self.size = None


def parse(field):
    urgency = re.search(r"\bu=([0-7])", field or "")
    return (int(urgency[1]) if urgency else 3, bool(re.search(r"(^|[ ,])i\b(?!=)", field or "")))


requests, priorities, updates, arrivals, protocols = {}, {}, 0, [], Counter()
for event in log["events"]:
    kind, params, now = names[event["type"]], event.get("params", {}), int(event["time"])
    if kind == "HTTP3_HEADERS_SENT":
        fields = dict(h.split(": ", 1) for h in params["headers"])
        stream = params["stream_id"]
        requests[stream] = Request(stream, fields[":path"], now)
        priorities.setdefault(stream, parse(fields.get("priority")))
    elif kind == "HTTP3_PRIORITY_UPDATE_SENT":
        updates += 1
        priorities[params["prioritized_element_id"]] = parse(params["priority_field_value"])
    elif kind == "QUIC_SESSION_STREAM_FRAME_RECEIVED" and params["stream_id"] in requests:
        r = requests[params["stream_id"]]
        arrivals.append((now, r, params["length"]))
        r.got += params["length"]
        if params["fin"]:
            r.size = params["offset"] + params["length"]
        if r.first is None:
            r.first = now
        if r.size is not None and r.got >= r.size and r.end is None:
            r.end = now
    elif kind == "TCP_CONNECT":
        protocols["TCP"] += 1

start = min((r.asked for r in requests.values()), default=0)
for r in sorted(requests.values(), key=lambda r: r.end or 1 << 60):
    u, i = priorities[r.stream]
    print(f"{r.path:12} u={u}{',i' if i else '  '}  asked {r.asked - start:5}  first byte "
          f"{(r.first or start) - start:5}  last {(r.end or start) - start:5} ms  {r.got:6} bytes")

problems = []
whole = [r for r in requests.values() if r.end is not None and r.got > 1000]
if len(whole) < args.resources:
    problems.append(f"only {len(whole)} resources")
if protocols:
    problems.append(f"connections by {dict(protocols)}")

early = total = 0
for now, r, length in arrivals:
    total += length
    if any(priorities[o.stream][0] < priorities[r.stream][0] and o.asked + SLACK <= now and
           (o.end is None or o.end > now) for o in requests.values()):
        early += length
print(f"{updates} PRIORITY_UPDATE frames; {early} of {total} bytes before what is more urgent")
if not total or early * 10 > total:
    problems.append(f"{early} of {total} bytes came before what is more urgent")

for u in range(8):
    same = sorted((r for r in whole if priorities[r.stream] == (u, False)), key=lambda r: r.stream)
    for a, b in zip(same, same[1:]):
        if a.asked <= b.asked and b.end < a.end:
            problems.append(f"{b.path} ended before {a.path}")
    side = [r for r in whole if priorities[r.stream] == (u, True)]
    if len(side) > 5:
        ended = min(r.end for r in side)
        began = sum(r.first <= ended for r in side)
        print(f"u={u},i: {began} of {len(side)} had begun when the first ended")
        if began < len(side) * 3 // 4:
            problems.append(f"of {len(side)} with u={u},i only {began} came side by side")

for p in problems:
    print("netlog.py:", p, file=sys.stderr)
sys.exit(bool(problems))
