# SPDX-License-Identifier: BSD-3-Clause
"""Puts together what tests/interop/table.sh found.

usage: table.py text|json|markdown RESULTS CASES CLIENTS SERVERS [VERSIONS]

RESULTS has lines 'case client server ok|fail|skip seconds reason' with tabs; the last one of a cell
counts. CASES, CLIENTS and SERVERS, with commas, give what the table has and in which order; VERSIONS
is a file with lines 'peer version'. The exit code is 1 when a cell failed or was never run.
"""

import json
import sys

MARKS = {"ok": "ok", "fail": "FAIL", "skip": "-", None: "?"}


def read(path):
    cells = {}
    with open(path) as lines:
        for line in lines:
            case, client, server, result, seconds, reason = line.rstrip("\n").split("\t")
            cells[case, client, server] = {
                "case": case,
                "client": client,
                "server": server,
                "result": result,
                "seconds": int(seconds),
                "reason": reason,
            }
    return cells


def grids(cells, cases, clients, servers):
    """Title, peers, and rows of (case, [cell or None]) for each direction."""
    for title, peers, pair in (
        ("Their clients, our server", clients, lambda p: (p, "qlane")),
        ("Our client, their servers", servers, lambda p: ("qlane", p)),
    ):
        if peers:
            yield title, peers, [(c, [cells.get((c, *pair(p))) for p in peers]) for c in cases]


def mark(cell):
    return MARKS[cell["result"] if cell else None]


def reasons(rows, peers, kind):
    """What one reason covers: 'peer: case, case: reason'."""
    found = {}
    for case, row in rows:
        for peer, cell in zip(peers, row):
            if cell and cell["result"] == kind:
                found.setdefault((peer, cell["reason"]), []).append(case)
    return [f"{peer}: {', '.join(cases)}: {why}" for (peer, why), cases in sorted(found.items())]


def text(tables):
    for title, peers, rows in tables:
        width = max(len(case) for case, _ in rows) + 2
        print(f"\n{title}\n\n{'':{width}}" + "".join(f"{p:>{len(p) + 2}}" for p in peers))
        for case, row in rows:
            print(f"{case:{width}}" + "".join(f"{mark(c):>{len(p) + 2}}" for p, c in zip(peers, row)))
        for line in reasons(rows, peers, "fail"):
            print(f"FAIL  {line}")
        for line in reasons(rows, peers, "skip"):
            print(f"-     {line}")


def markdown(tables):
    for title, peers, rows in tables:
        print(f"\n## {title}\n")
        print("| | " + " | ".join(peers) + " |")
        print("|---" * (len(peers) + 1) + "|")
        for case, row in rows:
            print(f"| {case} | " + " | ".join(mark(c) for c in row) + " |")
        for kind, head in (("fail", "Failed"), ("skip", "Not there to be tested")):
            lines = reasons(rows, peers, kind)
            if lines:
                print(f"\n{head}:\n")
                print("\n".join(f"- {line}" for line in lines))


def main():
    form, path, *lists = sys.argv[1:6]
    cases, clients, servers = (x.split(",") if x else [] for x in lists)
    cells = read(path)
    tables = list(grids(cells, cases, clients, servers))
    shown = [c for _, _, rows in tables for _, row in rows for c in row]
    if form == "json":
        versions = {}
        if len(sys.argv) > 6:
            with open(sys.argv[6]) as lines:
                versions = dict(line.rstrip("\n").split(" ", 1) for line in lines)
        json.dump({"versions": versions, "cells": [c for c in shown if c]}, sys.stdout, indent=1)
        print()
    elif form == "markdown":
        markdown(tables)
    else:
        text(tables)
    return 1 if any(c is None or c["result"] == "fail" for c in shown) else 0


sys.exit(main())
