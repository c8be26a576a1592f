# SPDX-License-Identifier: BSD-3-Clause
"""Reads meson's testlog.json and counts every check of every unit test program.

usage: unit-results.py TESTLOG RESULTS PREFIX

Prints a line for each program, with what it printed when it failed, which goes into RESULTS.why
too, and appends a line 'ok|fail|skip NAME' to the file RESULTS for each check.
"""

import json
import re
import sys

SUMMARY = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)", re.M)
log, results, prefix = sys.argv[1:]

with open(log) as lines, open(results, "a") as out:
    for line in lines:
        test = json.loads(line)
        name = prefix + test["name"].split(" / ")[-1]
        text = test.get("stdout") or ""
        seconds = f"({test['duration']:.1f} s)"
        if test["result"] == "SKIP":
            reason = (text.strip().splitlines() or ["no reason given"])[-1]
            print(f"[skip] {name} ({reason})")
            print("skip", name, file=out)
            continue
        runs = [tuple(map(int, m)) for m in SUMMARY.findall(text)]
        checks = sum(r[0] for r in runs)
        failed = sum(r[1] + r[2] for r in runs)
        good = test["result"] == "OK"
        if not runs or (not good and not failed):
            # not a Check program, or it failed outside of its checks: a sanitizer, a time-out
            checks, failed = checks + 1, failed + (not good)
        print(f"ok {name}\n" * (checks - failed), end="", file=out)
        print(f"fail {name}\n" * failed, end="", file=out)
        if good:
            print(f"[ ok ] {name}: {checks} checks {seconds}")
        else:
            print(f"[FAIL] {name}: {failed} of {checks} checks, {test['result']} {seconds}")
            tail = (text + (test.get("stderr") or "")).strip().splitlines()[-40:]
            why = "".join(f"    | {t}\n" for t in tail)
            print(why, end="")
            with open(results + ".why", "a") as kept:
                kept.write(f"{name}: {test['result']} {seconds}\n{why}")
