#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A NAT for one UDP flow that forgets its binding again and again.

What comes to --listen leaves from a socket of its own to --to, and back. Some --every
milliseconds, or when it has brought back so many --bytes, the socket is replaced by one with
another port, bound to the next of the --source addresses; what still comes to the old one is lost.
Ends by SIGTERM, and prints how often.
"""

import argparse
import select
import signal
import socket
import sys
import time


def address(text):
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


def outside(source):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    s.bind((source, 0))
    s.setblocking(False)
    return s


def drain(s, forward):
    try:
        for _ in range(256):
            forward(*s.recvfrom(65536))
    except (BlockingIOError, ConnectionRefusedError):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", type=address, required=True)
    parser.add_argument("--to", type=address, required=True)
    parser.add_argument("--source", action="append", required=True)
    when = parser.add_mutually_exclusive_group(required=True)
    when.add_argument("--every", type=int)
    when.add_argument("--bytes", type=int)
    args = parser.parse_args()

    inside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    inside.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    inside.bind(args.listen)
    inside.setblocking(False)
    out = outside(args.source[0])
    client = None
    rebound = 0
    brought = 0
    due = None

    def end(*_):
        print(f"rebound {rebound} times")
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    print("ready", flush=True)

    def from_client(data, peer):
        nonlocal client, due
        client = peer
        if args.every:
            due = due or time.monotonic() + args.every / 1000
        out.sendto(data, args.to)

    def from_server(data, _):
        nonlocal brought
        brought += len(data)
        inside.sendto(data, client)

    while True:
        readable = select.select([inside, out], [], [])[0]
        if out in readable:
            drain(out, from_server)
        if inside in readable:
            if (due and time.monotonic() >= due) or (args.bytes and brought >= args.bytes):
                rebound += 1
                out.close()
                out = outside(args.source[rebound % len(args.source)])
                due = None
                brought = 0
            drain(inside, from_client)


main()
