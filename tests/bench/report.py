#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Figures of performance: runs the benches, in rounds that take turns, and prints medians; see --help."""

import argparse
import json
import os
import resource
import shlex
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = os.path.join(os.environ.get("QLANE_CACHE", "/var/cache/qlane"), "peers")
SOCKET_PEERS = ("quinn", "ngtcp2-1.11", "ngtcp2")  # the faster ones of those that tests/interop has


class Failed(Exception):
    """A bench has not done what it is to measure."""


def say(*words):
    print(*words, file=sys.stderr, flush=True)


# ---- Running ----


class Bench:
    """Runs programs; a size is for the whole run, for --quick, and for --smoke."""

    def __init__(self, options):
        self.o = options
        self.build = options.build
        self.level = 2 if options.smoke else 1 if options.quick else 0

    def size(self, *sizes):
        return sizes[self.level]

    def program(self, name, floors=False):
        return os.path.join(self.o.build_floors if floors else self.build, "tests/bench/bench_" + name)

    def lines(self, command, seconds):
        say("  " + shlex.join(command))
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=seconds,
                                  check=False)
        except subprocess.TimeoutExpired as e:
            raise Failed(f"not finished after {seconds} s: {shlex.join(command)}") from e
        if done.returncode != 0:
            raise Failed(f"exit code {done.returncode}: {shlex.join(command)}\n{done.stderr.strip()}")
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def pair(self, floors=False, link="ring", seconds=300, **options):
        command = [self.program("pair", floors), "--link", link]
        if self.o.smoke:  # figures do not matter
            command.append("--check")
        if link == "tap":
            command = ["unshare", "--net", *command]
        for name, value in options.items():
            name = "--" + name.replace("_", "-")
            if value is True:
                command.append(name)
            elif value is not None and value is not False:
                command += [name, str(value)]
        return self.lines([*command, "--timeout", str(seconds - 10)], seconds)[-1]


# ---- Figures ----


class Row:
    """A figure: what each round said of it, and what it is to be held against."""

    def __init__(self, bench, name, values, unit, want=None, aim=None, column=None):
        self.bench, self.name, self.values, self.unit = bench, name, values, unit
        self.want, self.aim = want, aim  # want: (">=" or "<=", number)
        self.column = column  # of a table that has several figures side by side

    @property
    def figure(self):
        return statistics.median(self.values)

    @property
    def best(self):
        """Of all rounds: what a moment gives in which the machine's neighbours are quiet."""
        more = self.want[0] == ">=" if self.want else any(u in self.unit for u in ("a second", "Gbit/s"))
        return max(self.values) if more else min(self.values)

    def held(self):
        """What stands beside the figure, and its ratio to that."""
        if self.want:
            text = f"{'at least' if self.want[0] == '>=' else 'at most'} {number(self.want[1])}"
            if self.aim:
                text += f", aim {number(self.aim)}"
            return text, self.figure / self.want[1]
        return "", None

    def as_json(self):
        text, ratio = self.held()
        name = f"{self.name}: {self.column}" if self.column else self.name
        return {"bench": self.bench, "name": name, "median": self.figure, "best": self.best, "unit": self.unit, "rounds": self.values,
                "held_against": text, "ratio": ratio}


def number(v):
    if v == 0:
        return "0"
    if abs(v) >= 100:
        return f"{v:,.0f}"
    return f"{v:.3g}" if abs(v) < 10 else f"{v:.1f}"


def goodput_wall(r):
    return (r["reply"] + r["request"] - 8) * r["requests"] * 8e-9 / r["wall_s"]


def goodput_core(r, *sides):
    """Gbit/s that the cores of these sides make together, if they do nothing else."""
    cycles = sum(r[s]["cycles"] for s in sides)
    return (r["reply"] + r["request"] - 8) * r["requests"] * 8e-9 * r["tsc_hz"] / cycles


def cycles_packet(r, *sides):
    """A packet is one that is sent by either side, ACKs alone included."""
    return sum(r[s]["cycles"] for s in sides) / (r["server"]["tx_packets"] + r["client"]["tx_packets"])


def rate(r, side="server"):
    """Requests a second that a core of this side can do."""
    return r["requests"] * r["tsc_hz"] / r[side]["cycles"]


# ---- The benches: variants, each with what runs it, and rows of what the rounds gave ----


class Case:
    name, help, rounds = "", "", (5, 3, 1)

    def variants(self, b):
        raise NotImplementedError

    def rows(self, b, got):
        raise NotImplementedError


class Limits(Case):
    name, help = "limits", "what no stack can go below: memcpy, AEAD, the bare ring"

    def variants(self, b):
        return {size: lambda size=size: b.lines([b.program("limits"), str(size)], 60)[-1] for size in (1472, 9000)}

    def rows(self, b, got):
        for size, rounds in got.items():
            for key, what in (("copy", "memcpy of a packet"), ("seal", "AEAD and header protection, seal"),
                              ("open", "the same, open"), ("ring", "net_ring and the pool, a packet")):
                yield Row(self.name, f"{what}, {size} B", [r[key] for r in rounds], "cycles")
            gbits = [size * 8e-9 * r["tsc_hz"] / (r["seal"] + r["open"]) for r in rounds]
            yield Row(self.name, f"seal and open on one core, {size} B", gbits, "Gbit/s")


class Bulk(Case):
    name, help = "bulk", "goodput on one lcore over net_ring, by direction, streams, connections, datagrams"

    def variants(self, b):
        total = b.size(1000, 200, 20) * 1000000
        kinds = {}

        def add(label, conns=1, streams=1, up=False, **options):
            each = total // (conns * streams)
            content = {"request": 8 + each, "reply": 0} if up else {"request": 8, "reply": each}
            kinds[label] = lambda: b.pair(conns=conns, streams=streams, **content, **options)

        add("down, 1 connection, 1 stream")
        add("up, 1 connection, 1 stream", up=True)
        add("down, checksums in software", checksums=True)
        add("down, 9,000 B", udp_payload=9000)
        add("up, 9,000 B", udp_payload=9000, up=True)
        add("down, 10 streams", streams=10)
        add("down, 100 streams", streams=100)
        add("down, 100 connections", conns=100)
        add("up, 100 connections", conns=100, up=True)
        return kinds

    def rows(self, b, got):
        for label, rounds in got.items():
            sender = "client" if label.startswith("up") else "server"
            other = "server" if sender == "client" else "client"
            want, aim = (None, None) if "9,000" in label or "checksums" in label else (("<=", 1200), 800)
            yield Row(self.name, label, [cycles_packet(r, "server", "client") for r in rounds], "cycles a packet", want, aim,
                      "both ends")
            for column, sides in (("both ends", ("server", "client")), ("sender", (sender,)), ("receiver", (other,))):
                yield Row(self.name, label, [goodput_core(r, *sides) for r in rounds], "Gbit/s a core", column=column)


class Links(Case):
    name, help = "links", "goodput over net_ring on two lcores, net_memif between two processes, net_tap"

    def variants(self, b):
        size = b.size(2000, 400, 20) * 1000000
        return {
            "net_ring, two lcores, down": lambda: b.pair(link="lcores", reply=size),
            "net_ring, two lcores, up": lambda: b.pair(link="lcores", request=size, reply=0),
            "net_ring, two lcores, down, 9,000 B": lambda: b.pair(link="lcores", reply=3 * size, udp_payload=9000),
            "net_memif, two processes, down": lambda: b.pair(link="memif", reply=size),
            "net_tap and a bridge, one lcore, down": lambda: b.pair(link="tap", reply=size // 8),
        }

    def rows(self, b, got):
        for label, rounds in got.items():
            want, aim = (None, None)
            if "lcores" in label:
                want, aim = ((">=", 30), 120 if "9,000" in label else 50)
            yield Row(self.name, label, [goodput_wall(r) for r in rounds], "Gbit/s", want, aim)
            lost = [r["server"]["lost"] + r["client"]["lost"] for r in rounds]
            if any(lost):
                yield Row(self.name, f"{label}: lost", lost, "packets")


class Requests(Case):
    name, help = "requests", "requests a second on a server core: the performance protocol, and HTTP/3"

    def variants(self, b):
        count = b.size(1000000, 200000, 10000)
        perf = {"conns": 100, "streams": 10, "count": count}
        return {
            "100 B for 1 KB": lambda: b.pair(request=100, reply=1024, **perf),
            "1 B": lambda: b.pair(request=8, reply=1, **perf),
            "HTTP/3, 1 KB": lambda: b.pair(request=60, reply=1024, http=True, **perf),
        }

    def rows(self, b, got):
        for label, rounds in got.items():
            want, aim = (">=", 500000 if "HTTP" in label else 1500000), None if "HTTP" in label else 3000000
            yield Row(self.name, f"{label}, 100 connections", [rate(r) for r in rounds], "a second and server core", want, aim)
            yield Row(self.name, f"{label}: both ends", [r["requests"] * r["tsc_hz"] / (r["server"]["cycles"] + r["client"]["cycles"])
                                                        for r in rounds], "a second and core")


class Latency(Case):
    name, help = "latency", "a request of 100 B for 1 KB at 10, 50 and 90 % of what one lcore does for both ends"

    def variants(self, b):
        options = {"conns": 100, "streams": 20, "request": 100, "reply": 1024}
        state = {}

        def most():
            state["rate"] = None
            r = b.pair(count=b.size(500000, 100000, 5000), **options)
            state["rate"] = r["requests"] / r["wall_s"]
            return r

        def part(share):
            rps = int(state["rate"] * share)
            return b.pair(rate=rps, count=max(1000, int(rps * b.size(3, 1, 0.2))), **options)

        return {"most": most, **{f"{int(s * 100)} %": lambda s=s: part(s) for s in (0.1, 0.5, 0.9)}}

    def rows(self, b, got):
        most = got.pop("most")
        yield Row(self.name, "the most, both ends on one lcore", [r["requests"] / r["wall_s"] for r in most], "a second")
        for label, rounds in got.items():
            for key, q in (("p50", "p50"), ("p99", "p99"), ("p999", "p99.9")):
                yield Row(self.name, f"{label} of that: {q}", [r["latency_us"][key] for r in rounds], "us")


class Lone(Case):
    name, help = "lone", "a packet that comes alone, against one of a burst, at the server"

    def variants(self, b):
        count = b.size(200000, 50000, 2000)
        return {
            "alone": lambda: b.pair(request=100, reply=100, count=count),
            "burst": lambda: b.pair(request=100, reply=100, count=4 * count, conns=64),
        }

    def rows(self, b, got):
        def cost(r):
            return r["server"]["cycles"] / (r["server"]["rx_packets"] + r["server"]["tx_packets"])

        for label, rounds in got.items():
            yield Row(self.name, f"a packet, {label}", [cost(r) for r in rounds], "cycles")
        yield Row(self.name, "ratio", [cost(x) / cost(y) for x, y in zip(got["alone"], got["burst"])], "", ("<=", 2))


class Handshakes(Case):
    name, help = "handshakes", "full (X25519, P-256) and resumed, a second on a server core"

    def variants(self, b):
        n = str(b.size(2000, 500, 50))
        base = [b.program("engine"), "--bytes", "0", "--runs", "1", "--json", "--handshakes", n]
        return {"full": lambda: b.lines(base, 60)[-1], "resumed": lambda: b.lines([*base, "--resume"], 60)[-1]}

    def rows(self, b, got):
        for label, rounds in got.items():
            want, aim = ((">=", 9000), 12000) if label == "full" else ((">=", 15000), None)
            yield Row(self.name, label, [1e6 / r["server_us"] for r in rounds], "a second and server core", want, aim)
            yield Row(self.name, f"{label}, the client's part", [1e6 / r["client_us"] for r in rounds], "a second and core")


class Memory(Case):
    name, help, rounds = "memory", "bytes of an idle connection and of a stream, at the server", (1, 1, 1)

    def variants(self, b):
        conns, streams = b.size(100000, 10000, 200), b.size(10000, 2000, 100)
        # two processes, so that what the kernel counts is the server's alone
        return {
            "connection": lambda: b.pair(link="memif", small_pages=True, conns=conns, idle=2, memory=64 + conns // 50,
                                         seconds=700),
            "stream": lambda: b.pair(small_pages=True, streams=streams, hold=True),
        }

    def rows(self, b, got):
        for r in got["connection"]:
            n = r["conns"]
            yield Row(self.name, f"idle connection, of {n:,}: pools", [r["server"]["pools"] / n], "bytes", ("<=", 8192), 4096)
            yield Row(self.name, "the same, all that the kernel counts", [(r["server"]["resident"] - r["base"]) / n], "bytes",
                      ("<=", 8192), 4096)
        for r in got["stream"]:
            n = r["streams"]
            yield Row(self.name, f"open stream, of {n:,}: pools", [r["server"]["pools"] / n], "bytes")


class Million(Case):
    name, help, rounds = "million", "1,000,000 idle connections kept alive; not with --quick", (1, 1, 1)

    def variants(self, b):
        conns = b.size(1000000, 0, 0)
        if not conns:
            return {}
        return {"million": lambda: b.pair(link="memif", small_pages=True, conns=conns, idle=30, keep_alive=10,
                                          memory=10000, seconds=1100)}

    def rows(self, b, got):
        for r in got.get("million", []):
            n, server = r["conns"], r["server"]
            yield Row(self.name, f"{n:,} kept alive: all that the kernel counts", [(server["resident"] - r["base"]) / n],
                      "bytes a connection", ("<=", 8192), 4096)
            yield Row(self.name, "a server core's part for PINGs every 10 s", [server["cycles"] / r["tsc_hz"] / r["wall_s"] * 100], "%")
            yield Row(self.name, "made in", [r["handshakes_s"]], "s")


class Busy(Case):
    name, help = "busy", "cost of a packet against the number of busy connections"

    def variants(self, b):
        kinds = {}
        for conns in (1, 100, *b.size((10000, 100000), (10000,), ())):
            total = b.size(2000, 400, 20) * 1000000
            each = max(total // conns, 40000)
            kinds[conns] = lambda conns=conns, each=each: b.pair(conns=conns, reply=each, memory=256 + conns // 25)
        return kinds

    def rounds_of(self, conns, rounds):
        return 1 if conns >= 100000 else min(rounds, 2) if conns >= 10000 else rounds

    def rows(self, b, got):
        for conns, rounds in got.items():
            cost = [cycles_packet(r, "server", "client") for r in rounds]
            yield Row(self.name, f"{conns:,} connection{'s' * (conns > 1)}", cost, "cycles a packet")
            if conns > 1:
                pairs = [c / a for c, a in zip(cost, (cycles_packet(r, "server", "client") for r in got[1]))]
                yield Row(self.name, f"{conns:,} against 1", pairs, "",
                          {10000: ("<=", 1.6), 100000: ("<=", 2)}.get(conns))


class Floors(Case):
    name, help = "floors", "where a packet's cycles go at sender and receiver, and a request's at the server"

    def variants(self, b):
        if not os.path.exists(b.program("pair", True)):
            say("  there is no build with -Dfloors=true")
            return {}
        size, count = b.size(500, 150, 10) * 1000000, b.size(300000, 60000, 5000)
        return {
            "bulk": lambda: b.pair(floors=True, reply=size),
            "request": lambda: b.pair(floors=True, request=100, reply=1024, conns=100, streams=10, count=count),
        }

    def rows(self, b, got):
        for label, side, what in (("bulk", "server", "sender"), ("bulk", "client", "receiver"),
                                  ("request", "server", "server")):
            rounds, unit = got[label], "cycles a request" if label == "request" else "cycles a packet"
            costs = {floor: [self.cost(r, side, floor, label == "request") for r in rounds] for floor in rounds[0][side]["floors"]}
            costs["all"] = [sum(each) for each in zip(*costs.values())]
            for floor, cost in costs.items():
                yield Row(self.name, floor, cost, unit, column=what)

    @staticmethod
    def cost(r, side, floor, request):
        cycles, marks = r[side]["floors"][floor]
        each = r["requests"] if request else r["server"]["tx_packets"] + r["client"]["tx_packets"]
        return max(0.0, (cycles - r["mark"] * marks) / each)


class Peers(Case):
    name, help = "peers", "what other software of the machine does over sockets, beside our one stream down"
    rounds = (3, 2, 1)

    def variants(self, b):
        size = b.size(500, 100, 10) * 1000000
        kinds = {"qlane": lambda: b.pair(reply=5 * size)}
        for peer in SOCKET_PEERS:
            if os.path.exists(os.path.join(PEERS, peer, "packages")):
                kinds[peer] = lambda peer=peer: b.lines([os.path.join(HERE, "peers.sh"), str(size), peer], 120)[-1]
            else:
                say(f"  {peer} is not there: tests/interop/peers.sh install {peer}")
        if b.o.peer:
            kinds["--peer"] = lambda: own_peer(b.o)
        return kinds

    def rows(self, b, got):
        # by CPU time, as theirs is
        ours = [r["reply"] * 8e-9 / r["cpu_s"] * (r["server"]["cycles"] + r["client"]["cycles"]) / r["server"]["cycles"]
                for r in got["qlane"]]
        yield Row(self.name, "qlane, server", ours, "Gbit/s a core")
        fastest = []
        for peer, rounds in got.items():
            if peer == "qlane":
                continue
            wall = [r["bytes"] * 8e-9 / r["wall_s"] for r in rounds]
            label = f"{peer} {rounds[0].get('version', '')}".strip()
            yield Row(self.name, f"{label}, one stream", wall, "Gbit/s")
            key = "server_s" if "server_s" in rounds[0] else "cpu_s"
            core = [r["bytes"] * 8e-9 / max(r[key], 0.01) for r in rounds]
            yield Row(self.name, f"{label}, {'server' if key == 'server_s' else 'all of it'}", core, "Gbit/s a core")
            if key == "server_s":
                fastest = core if not fastest or statistics.median(core) > statistics.median(fastest) else fastest
        if fastest:
            yield Row(self.name, "qlane against the fastest, a server core", [x / y for x, y in zip(ours, fastest)], "",
                      (">=", 3), 6)


def own_peer(o):
    """The command of --peer: how long it takes, and its CPU time with its children's."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    say("  " + o.peer)
    done = subprocess.run(o.peer, shell=True, stdout=subprocess.DEVNULL, check=False)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise Failed(f"exit code {done.returncode}: {o.peer}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"peer": o.peer, "bytes": o.peer_bytes, "wall_s": wall, "cpu_s": cpu}


CASES = [Limits(), Floors(), Bulk(), Links(), Requests(), Lone(), Latency(), Handshakes(), Memory(), Busy(), Peers(), Million()]


# ---- All together ----


def measure(b, case, deadline):
    """Rounds of all variants, as many as there is time for, and one at least."""
    variants = case.variants(b)
    got = {key: [] for key in variants}
    for n in range(case.rounds[b.level]):
        began = time.monotonic()
        for key, run in variants.items():
            if not hasattr(case, "rounds_of") or n < case.rounds_of(key, case.rounds[b.level]):
                got[key].append(run())
        if time.monotonic() + (time.monotonic() - began) > deadline:
            break
    return list(case.rows(b, got)) if variants else []


def machine():
    model = "unknown CPU"
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{model}, {os.cpu_count()} cores, Linux {os.uname().release}"


def tables(rows):
    """Of each bench: its name, a heading, and lines of texts."""
    for name in dict.fromkeys(r.bench for r in rows):
        mine = [r for r in rows if r.bench == name]
        if not mine[0].column:
            lines = []
            for r in mine:
                text, ratio = r.held()
                lines.append([r.name, number(r.figure), number(r.best), r.unit, text, "" if ratio is None else f"{ratio:.2f}"])
            yield name, ["", "median", "best", "", "held against", "ratio"], lines
            continue
        heads, lines = {}, {}
        for r in mine:
            text, ratio = r.held()
            head = f"{r.column}, {r.unit}"
            heads.setdefault(head, f" ({text}; ratio)" if text else "")
            lines.setdefault(r.name, {})[head] = f"{number(r.figure)}, {number(r.best)}" + (f" ({ratio:.2f})" if text else "")
        yield (name, ["", *(h + more for h, more in heads.items())],
               [[label, *(cells.get(h, "") for h in heads)] for label, cells in lines.items()])


def plain(rows):
    for name, head, lines in tables(rows):
        widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
        # long headings take lines of their own
        wide = [len(h) > max(w, 14) for h, w in zip(head, widths)]
        yield f"\n{name}"
        for i, h in enumerate(head):
            if wide[i]:
                yield f"  column {i}: {h}"
                head[i] = str(i)
        widths = [max(w, len(h)) for w, h in zip(widths, head)]
        if any(wide):
            lines = [head, *lines]
        for line in lines:
            yield "  " + "  ".join(f"{t:{w}}" if k == 0 or not t[:1].isdigit() else f"{t:>{w}}"
                                   for k, (t, w) in enumerate(zip(line, widths))).rstrip()


MARKS = ("<!-- tests/bench/run.sh --markdown -->\n", "<!-- end -->\n")


def write_markdown(rows, about, path):
    """Tables take the place of those that stand between the two marks in a file."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    if text.count(MARKS[0]) != 1 or MARKS[1] not in text.split(MARKS[0])[1]:
        sys.exit(f"{path} has no lines {MARKS[0].strip()} and {MARKS[1].strip()}")
    before, rest = text.split(MARKS[0])
    lines = [f"{about['machine']}, {about['date']}, `{about['command']}`: medians and bests of {about['rounds']}; load average at the start "
             f"{about['load']:.1f}."]
    for name, head, cells in tables(rows):
        lines += ["", f"### {name}", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        lines += ["| " + " | ".join(line) + " |" for line in cells]
    with open(path, "w", encoding="utf-8") as f:
        f.write(before + MARKS[0] + "\n".join(lines) + "\n" + MARKS[1] + rest.split(MARKS[1], 1)[1])


def main():
    names = [c.name for c in CASES]
    p = argparse.ArgumentParser(
        prog="tests/bench/run.sh", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Builds and runs the benches, and prints a table: medians and bests of several rounds that take turns, beside what\n"
        "they are to reach or what limits them. Exit code 1 when a bench fails, never because a figure is low.\n\n"
        + "\n".join(f"  {c.name:11} {c.help}" for c in CASES))
    p.add_argument("name", nargs="*", help="benches to run [all]")
    p.add_argument("--quick", action="store_true", help="less of all, in at most 3 minutes; else it takes up to 20")
    p.add_argument("--smoke", action="store_true", help="next to nothing of all: whether they work")
    p.add_argument("--json", metavar="FILE", help="write all figures, of each round, there")
    p.add_argument("--markdown", metavar="FILE", help="put the tables into docs/measurements.md, or where else there are its marks")
    p.add_argument("--peer", metavar="COMMAND", help="a transfer of other software, to be timed in the same run")
    p.add_argument("--peer-bytes", metavar="N", type=int, default=100000000, help="what it transfers [100000000]")
    p.add_argument("--build", default="build-bench", help=argparse.SUPPRESS)
    p.add_argument("--build-floors", default="build-bench-floors", help=argparse.SUPPRESS)
    o = p.parse_args()
    unknown = [n for n in o.name if n not in names]
    if unknown:
        p.error(f"no bench '{unknown[0]}'; there are: {', '.join(names)}")

    b, rows, failed, start, load = Bench(o), [], [], time.monotonic(), os.getloadavg()[0]
    chosen = [c for c in CASES if not o.name or c.name in o.name]
    budget = b.size(1150, 170, 60)
    for i, case in enumerate(chosen):
        say(f"{case.name}: {case.help}")
        left = start + budget - time.monotonic()
        try:
            rows += measure(b, case, time.monotonic() + left / (len(chosen) - i))
        except Failed as e:
            say(f"{case.name} FAILED: {e}")
            failed.append(case.name)
    about = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "seconds": round(time.monotonic() - start),
             "command": "tests/bench/run.sh" + "".join(f" {w}" for w in (["--quick"] if o.quick else ["--smoke"] if o.smoke else []) + o.name),
             "rounds": b.size("up to 5 rounds", "up to 3 rounds", "one round"), "load": load, "failed": failed}
    if o.json:
        with open(o.json, "w", encoding="utf-8") as f:
            json.dump({**about, "figures": [r.as_json() for r in rows]}, f, indent=1)
            f.write("\n")
    if o.markdown:
        write_markdown(rows, about, o.markdown)
    for line in plain(rows):
        print(line)
    say(f"took {about['seconds']} s")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


main()
