# SPDX-License-Identifier: BSD-3-Clause
"""Fetches URLs of one server over HTTP/3 or HTTP/0.9 with aioquic, all on one connection.

Each response goes to a file below --out, named by the path of its URL. The exit code is 0 only
when every response arrived whole (status 200 and the length it announced). With --datagrams N it
sends N datagrams to the URL's server instead, and wants each of them back.
"""

import argparse
import asyncio
import os
import pickle
import ssl
import sys
from urllib.parse import urlparse

from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.packet import QuicProtocolVersion
from aioquic.tls import CipherSuite
from aioquic.quic.events import (
    ConnectionTerminated,
    DatagramFrameReceived,
    ProtocolNegotiated,
    StreamDataReceived,
    StreamReset,
)


class Download:
    def __init__(self, path, done):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.path = path
        self.file = open(path, "wb")
        self.length = None
        self.status = None
        self.done = done

    def finish(self, error=None):
        if self.done.done():
            return
        size = self.file.tell()
        self.file.close()
        if error is None and self.status not in (None, 200):
            error = f"status {self.status}"
        if error is None and self.length not in (None, size):
            error = f"{size} of {self.length} bytes"
        self.done.set_result(error)


class Fetcher(QuicConnectionProtocol):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.h3 = None
        self.downloads = {}
        self.datagrams = asyncio.Queue()

    async def echo(self, text):
        """The error as text, or None when the datagram came back."""
        self._quic.send_datagram_frame(text)
        self.transmit()
        back = await asyncio.wait_for(self.datagrams.get(), 20)
        return None if back == text else f"{back!r} came back for {text!r}"

    async def fetch(self, url, path):
        """The error as text, or None when the whole response is in the file."""
        stream = self._quic.get_next_available_stream_id()
        done = asyncio.get_running_loop().create_future()
        self.downloads[stream] = Download(path, done)
        target = url.path or "/"
        if self.h3:
            headers = [
                (b":method", b"GET"),
                (b":scheme", b"https"),
                (b":authority", url.netloc.encode()),
                (b":path", target.encode()),
            ]
            self.h3.send_headers(stream, headers, end_stream=True)
        else:
            self._quic.send_stream_data(stream, f"GET {target}\r\n".encode(), end_stream=True)
        self.transmit()
        return await done

    def quic_event_received(self, event):
        if isinstance(event, ProtocolNegotiated):
            if event.alpn_protocol == "h3":
                self.h3 = H3Connection(self._quic)
        elif isinstance(event, ConnectionTerminated):
            reason = event.reason_phrase or "closed"
            for download in self.downloads.values():
                download.finish(f"connection ended: {reason} ({event.error_code:#x})")
        elif isinstance(event, DatagramFrameReceived):
            self.datagrams.put_nowait(event.data)
        elif isinstance(event, StreamReset) and event.stream_id in self.downloads:
            self.downloads.pop(event.stream_id).finish(f"reset {event.error_code:#x}")
        if self.h3:
            for h3_event in self.h3.handle_event(event):
                self.h3_event_received(h3_event)
        elif isinstance(event, StreamDataReceived):
            self.body(event.stream_id, event.data, event.end_stream)

    def h3_event_received(self, event):
        if isinstance(event, HeadersReceived):
            download = self.downloads.get(event.stream_id)
            fields = dict(event.headers)
            if download and b":status" in fields:
                download.status = int(fields[b":status"])
                if b"content-length" in fields:
                    download.length = int(fields[b"content-length"])
            if event.stream_ended:
                self.body(event.stream_id, b"", True)
        elif isinstance(event, DataReceived):
            self.body(event.stream_id, event.data, event.stream_ended)

    def body(self, stream, data, ended):
        download = self.downloads.get(stream)
        if download:
            download.file.write(data)
            if ended:
                self.downloads.pop(stream).finish()


async def run(args):
    """The exit code."""
    urls = [urlparse(u) for u in args.urls]
    if not args.each:
        return await run_one(args, urls)
    limit = asyncio.Semaphore(args.each)

    async def one(url):
        async with limit:
            try:
                return await run_one(args, [url])
            except ConnectionError as error:
                print(f"{url.geturl()}: {error!r}", file=sys.stderr)
                return 1

    return max(await asyncio.gather(*map(one, urls)))


async def run_one(args, urls):
    """The same, over one connection."""
    configuration = QuicConfiguration(
        is_client=True,
        alpn_protocols=[args.alpn],
        max_data=args.max_data,
        max_stream_data=args.max_stream_data,
        idle_timeout=args.idle_timeout,
        server_name=args.sni or urls[0].hostname,
        max_datagram_frame_size=65535 if args.datagrams else None,
    )
    if args.ca:
        configuration.load_verify_locations(args.ca)
    else:
        configuration.verify_mode = ssl.CERT_NONE
    if args.keylog:
        configuration.secrets_log_file = open(args.keylog, "a")
    if args.cipher:
        configuration.cipher_suites = [CipherSuite[args.cipher]]
    if args.v2:
        configuration.original_version = QuicProtocolVersion.VERSION_1
        configuration.supported_versions = [QuicProtocolVersion.VERSION_2, QuicProtocolVersion.VERSION_1]
    if args.unknown_version:
        configuration.original_version = 0x1A2A3A4A
        configuration.supported_versions = [0x1A2A3A4A, QuicProtocolVersion.VERSION_1]
    if args.session and os.path.exists(args.session):
        with open(args.session, "rb") as file:
            configuration.session_ticket = pickle.load(file)
        if not args.early:
            configuration.session_ticket.max_early_data_size = None

    def keep_session(ticket):
        with open(args.session, "wb") as file:
            pickle.dump(ticket, file)

    failed = 0
    async with connect(
        urls[0].hostname,
        urls[0].port or 443,
        configuration=configuration,
        create_protocol=Fetcher,
        session_ticket_handler=keep_session if args.session else None,
        wait_connected=not (args.early and configuration.session_ticket),
    ) as client:
        if args.datagrams:
            for i in range(args.datagrams):
                error = await client.echo(f"datagram {i}".encode())
                if error:
                    print(error, file=sys.stderr)
                    return 1
            print(f"{args.datagrams} datagrams came back")
            return 0
        limit = asyncio.Semaphore(args.parallel)

        async def one(url):
            async with limit:
                return await client.fetch(url, os.path.join(args.out, url.path.lstrip("/")))

        async def update_key():
            await asyncio.sleep(0.3)
            client.request_key_update()

        async def move():
            await asyncio.sleep(0.5)
            client._quic.change_connection_id()
            before = client._transport
            await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: client, local_addr=("::", 0)
            )
            before.close()

        if args.key_update:
            update = asyncio.ensure_future(update_key())
        if args.move:
            moving = asyncio.ensure_future(move())

        for url, error in zip(urls, await asyncio.gather(*map(one, urls))):
            if error:
                failed += 1
                print(f"{url.geturl()}: {error}", file=sys.stderr)
    print(f"{len(urls) - failed} of {len(urls)} fetched")
    return 1 if failed else 0


parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--ca", help="certificates to trust; without it none is checked")
parser.add_argument("--alpn", choices=["h3", "hq-interop", "echo"], default="h3")
parser.add_argument("--sni", help="server name, when it is not the host of the URL")
parser.add_argument("--keylog", help="append TLS secrets to this file")
parser.add_argument("--out", default=".", help="directory for the files")
parser.add_argument("--parallel", type=int, default=64, help="requests in flight")
parser.add_argument("--max-data", type=int, default=16 << 20, help="window of the connection")
parser.add_argument("--max-stream-data", type=int, default=8 << 20, help="window of a stream")
parser.add_argument("--idle-timeout", type=float, default=60, help="seconds")
parser.add_argument("--cipher", help="offer only this cipher suite, by aioquic's name")
parser.add_argument("--key-update", action="store_true", help="update the keys after 0.3 s")
parser.add_argument("--move", action="store_true", help="go on from another port after 0.5 s")
parser.add_argument("--v2", action="store_true", help="begin in version 1, prefer version 2")
parser.add_argument("--unknown-version", action="store_true", help="begin in a version that nobody has")
parser.add_argument("--session", help="file of a session to resume; the new one is kept there")
parser.add_argument("--each", type=int, help="a connection for each URL, so many at a time")
parser.add_argument("--datagrams", type=int, help="send so many, and fetch nothing")
parser.add_argument("--early", action="store_true", help="ask in 0-RTT packets when resuming")
parser.add_argument("urls", metavar="URL", nargs="+")
sys.exit(asyncio.run(run(parser.parse_args())))
