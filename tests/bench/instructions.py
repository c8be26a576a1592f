#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Instructions that a packet and a handshake cost, counted by callgrind; see --help."""

import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
REFERENCE = os.path.join(TOP, "tests/bench/instructions.tsv")
ALLOWED = 1.05

# Each is run twice, with little and with more to do: the difference is free of what a start costs.
SCENARIOS = {
    "bulk": ("one stream of one connection, down", ["--handshakes", "0"], "--bytes", (8000000, 16000000)),
    "upload": ("the same, up", ["--handshakes", "0", "--direction", "up"], "--bytes", (8000000, 16000000)),
    "many": ("50 connections, 4 streams each", ["--handshakes", "0", "--conns", "50", "--streams", "4"],
             "--bytes", (8000000, 16000000)),
    "handshake": ("a connection with a request of a byte, TLS of both ends included", ["--bytes", "0"],
                  "--handshakes", (16, 48)),
}


def count(bench, arguments):
    """Instructions by object file, and what the bench says of itself."""
    with tempfile.NamedTemporaryFile(prefix="ql-callgrind-") as out:
        done = subprocess.run(
            ["valgrind", "--quiet", "--tool=callgrind", "--callgrind-out-file=" + out.name, bench,
             "--turn", "20000", "--runs", "1", "--json", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=600, check=False)
        if done.returncode != 0:
            sys.exit(f"instructions: {bench} under valgrind ended with {done.returncode}:\n{done.stderr}")
        return by_object(out.name), json.loads(done.stdout.splitlines()[-1])


def by_object(path):
    """Callgrind's file format: lines of cost follow the object and function that they are of; the line
    behind calls= is the cost of the called, which is counted there."""
    names, total, current, called = {}, {}, None, False
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            match = re.match(r"(c?ob)=\((\d+)\)(?: (.*))?$", line)
            if match:
                if match[3]:
                    names[match[2]] = os.path.basename(match[3])
                if match[1] == "ob":
                    current = names[match[2]]
            elif line.startswith("calls="):
                called = True
            elif line[:1].isdigit() or line[:1] in "+-*":
                if not called:
                    total[current] = total.get(current, 0) + int(line.split()[1])
                called = False
    return total


def measure(bench, name):
    _, options, what, (little, more) = SCENARIOS[name]
    first, said_first = count(bench, [*options, what, str(little)])
    then, said_then = count(bench, [*options, what, str(more)])
    if what == "--bytes":
        each = said_then["packets"] - said_first["packets"]
    else:
        each = more - little
    cost = {o: (then[o] - first.get(o, 0)) / each for o in then}
    ours = cost.pop("bench_engine")
    crypto = sum(c for o, c in cost.items() if o.startswith("libIPSec"))
    return {"scenario": name, "ours": ours, "aead": crypto, "others": sum(cost.values()) - crypto}


def compiler(bench):
    """What the figures depend on, besides the sources."""
    said = subprocess.run(["readelf", "-p", ".comment", bench], stdout=subprocess.PIPE, text=True, check=True).stdout
    match = re.search(r"(GCC|clang version)\D*(?:\(.*?\) )?(\d+)", said)
    return f"{match[1].split()[0].lower()}-{match[2]}-{os.uname().machine}" if match else "unknown"


def reference():
    known = {}
    with open(REFERENCE, encoding="utf-8") as f:
        for line in f:
            if not line.startswith("#"):
                key, scenario, figure = line.split()
                known[key, scenario] = float(figure)
    return known


def main():
    p = argparse.ArgumentParser(
        description="Counts the instructions of both ends of a transfer without a network, in a scenario that is the "
        "same each time, whatever else the machine does; AEAD and the C library stand beside ours. Exit code 1 when "
        "ours have grown by more than 5 % over tests/bench/instructions.tsv, which --update writes.")
    p.add_argument("scenario", nargs="*", help="of " + ", ".join(SCENARIOS))
    p.add_argument("--bench", help="bench_engine to count [build/tests/bench/bench_engine]")
    p.add_argument("--json", action="store_true")
    p.add_argument("--update", action="store_true", help="these are the figures to compare with from now on")
    o = p.parse_args()
    unknown = [s for s in o.scenario if s not in SCENARIOS]
    if unknown:
        p.error(f"no scenario '{unknown[0]}'; there are: {', '.join(SCENARIOS)}")
    bench = o.bench or os.path.join(os.environ.get("QL_BUILD", os.path.join(TOP, "build")), "tests/bench/bench_engine")
    key, known, grown = compiler(bench), reference(), []

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda s: measure(bench, s), o.scenario or SCENARIOS))
    for r in results:
        r["reference"] = known.get((key, r["scenario"]))
        r["ratio"] = r["reference"] and r["ours"] / r["reference"]
        if r["ratio"] and r["ratio"] > ALLOWED:
            grown.append(r["scenario"])
        known[key, r["scenario"]] = r["ours"]
    if o.json:
        print(json.dumps({"build": key, "scenarios": results}))
    else:
        print(f"{'instructions':14}{'ours':>10}{'before':>10}{'':8}{'AEAD':>10}{'others':>10}")
        for r in results:
            before = f"{r['reference']:10.0f}{r['ratio']:7.3f} " if r["reference"] else f"{'?':>10}{'':8}"
            print(f"{r['scenario']:14}{r['ours']:10.0f}{before}{r['aead']:10.0f}{r['others']:10.0f}  "
                  f"{SCENARIOS[r['scenario']][0]}")
    if o.update:
        with open(REFERENCE, "w", encoding="utf-8") as f:
            f.write("# instructions of ours a packet, or a handshake: tests/bench/instructions.py --update\n")
            f.writelines(f"{k}\t{s}\t{figure:.0f}\n" for (k, s), figure in sorted(known.items()))
    elif grown:
        sys.exit(f"more than {ALLOWED * 100 - 100:.0f} % dearer than before: {', '.join(grown)}")
    elif not any(r["reference"] for r in results):
        print(f"no figures of before for {key}: nothing is compared", file=sys.stderr)


main()
