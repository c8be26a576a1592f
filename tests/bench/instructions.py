#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Instructions that a packet, a request and a handshake cost, counted by callgrind; see --help."""

import argparse
import collections
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
LOCKED = 0.01  # a packet: what a start costs is not quite the same each time
ON_HEAP = ("request", "http", "handshake", "resumed")  # the bench's application and TLS take memory there, under a lock

# Each is run twice, with little and with more to do: the difference is free of what a start costs.
SCENARIOS = {
    "bulk": ("one stream of one connection, down", ["--handshakes", "0"], "--bytes", (4000000, 8000000)),
    "upload": ("the same, up", ["--handshakes", "0", "--direction", "up"], "--bytes", (4000000, 8000000)),
    "many": ("50 connections, 4 streams each", ["--handshakes", "0", "--conns", "50", "--streams", "4"],
             "--bytes", (4000000, 8000000)),
    "request": ("100 bytes for a reply of 1 KB, many at a time on 10 connections", ["--handshakes", "0", "--conns", "10"],
                "--requests", (2000, 4000)),
    "http": ("100 bytes for a reply of 1 KB over HTTP/3, 10 at a time on 10 connections; the server alone",
             ["--http", "--conns", "10", "--streams", "10", "--request", "100", "--reply", "1024"], "--count", (1000, 3000)),
    "handshake": ("a connection with a request of a byte, TLS of both ends included", ["--bytes", "0"],
                  "--handshakes", (16, 48)),
    "resumed": ("the same, of sessions that go on", ["--bytes", "0", "--resume"], "--handshakes", (16, 48)),
}


# What runs them, if it is not bench_engine, and what it is told besides.
PROGRAMS = {"http": ("bench_pair", [], ["--toggle-collect=pair_turn_server"])}


def count(bench, arguments, collect):
    """How often each instruction was executed, by object file and address; and what the bench says of itself."""
    with tempfile.NamedTemporaryFile(prefix="ql-callgrind-") as out:
        done = subprocess.run(
            ["valgrind", "--quiet", "--tool=callgrind", "--dump-instr=yes", "--callgrind-out-file=" + out.name, *collect,
             bench, "--turn", "20000", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=600, check=False)
        if done.returncode != 0:
            sys.exit(f"instructions: {bench} under valgrind ended with {done.returncode}:\n{done.stderr}")
        return read(out.name), json.loads(done.stdout.splitlines()[-1])


def read(path):
    """Callgrind's file format: lines of cost, which begin with an address or its distance from the one before, follow the
    object that they are of; the line behind calls= is the cost of the called, which is counted there."""
    names, total, current, called, address = {}, {}, None, False, 0
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            match = re.match(r"(c?ob)=\((\d+)\)(?: (.*))?$", line)
            if match:
                if match[3]:
                    names[match[2]] = match[3]
                if match[1] == "ob":
                    current = total.setdefault(names[match[2]], collections.Counter())
            elif line.startswith("calls="):
                called = True
            elif re.match(r"0x|[+*-]", line):
                place, _, cost = line.split()
                if place.startswith("0x"):
                    address = int(place, 16)
                elif place != "*":
                    address += int(place)
                if not called:
                    current[address] += int(cost)
                called = False
    return total


def atomics(path, executed):
    """Of the executed instructions of an object, those that lock the bus."""
    said = subprocess.run(["objdump", "-d", "--no-show-raw-insn", path], stdout=subprocess.PIPE, text=True, check=True)
    found = re.finditer(r"^ *([0-9a-f]+):\t(?:lock|xchg .*\()", said.stdout, re.MULTILINE)
    return sum(executed[int(m[1], 16)] for m in found)


def measure(bench, name):
    _, options, what, (little, more) = SCENARIOS[name]
    program, general, collect = PROGRAMS.get(name, (None, ["--runs", "1", "--json"], []))
    if program:
        bench = os.path.join(os.path.dirname(bench), program)
    first, said_first = count(bench, [*general, *options, what, str(little)], collect)
    then, said_then = count(bench, [*general, *options, what, str(more)], collect)
    if what == "--bytes":
        each = said_then["packets"] - said_first["packets"]
    else:
        each = more - little
    for path, executed in then.items():
        executed.subtract(first.get(path, {}))
    cost = {path: sum(executed.values()) / each for path, executed in then.items()}
    locked = sum(atomics(path, then[path]) for path, c in cost.items() if c >= 1 and os.path.exists(path)) / each
    ours = cost.pop(os.path.realpath(bench))
    aead = sum(c for path, c in cost.items() if "libIPSec" in path)
    return {"scenario": name, "ours": ours, "aead": aead, "others": sum(cost.values()) - aead, "atomic": locked}


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
        description="Counts the instructions of both ends of a transfer without a network (http: of the server, with its port), in a "
        "scenario that is the same each time, whatever else the machine does; AEAD and the C library stand beside ours, and how many "
        "of all these lock the bus. Exit code 1 when ours have grown by more than 5 % over "
        "tests/bench/instructions.tsv, which --update writes, or when a packet takes an atomic instruction.")
    p.add_argument("scenario", nargs="*", help="of " + ", ".join(SCENARIOS))
    p.add_argument("--bench", help="bench_engine to count, beside bench_pair [build/tests/bench/bench_engine]")
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
        print(f"{'instructions':14}{'ours':>10}{'before':>10}{'':8}{'AEAD':>10}{'others':>10}{'atomic':>9}")
        for r in results:
            before = f"{r['reference']:10.0f}{r['ratio']:7.3f} " if r["reference"] else f"{'?':>10}{'':8}"
            print(f"{r['scenario']:14}{r['ours']:10.0f}{before}{r['aead']:10.0f}{r['others']:10.0f}{r['atomic']:9.3f}  "
                  f"{SCENARIOS[r['scenario']][0]}")
    if o.update:
        with open(REFERENCE, "w", encoding="utf-8") as f:
            f.write("# instructions of ours a packet, a request, or a handshake: tests/bench/instructions.py --update\n")
            f.writelines(f"{k}\t{s}\t{figure:.0f}\n" for (k, s), figure in sorted(known.items()))
    elif any(r["atomic"] > LOCKED for r in results if r["scenario"] not in ON_HEAP):
        sys.exit("there are atomic instructions on a packet's path")
    elif grown:
        sys.exit(f"more than {ALLOWED * 100 - 100:.0f} % dearer than before: {', '.join(grown)}")
    elif not any(r["reference"] for r in results):
        print(f"no figures of before for {key}: nothing is compared", file=sys.stderr)


main()
