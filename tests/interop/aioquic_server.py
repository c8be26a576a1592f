# SPDX-License-Identifier: BSD-3-Clause
"""Serves the files of a directory over HTTP/3 and HTTP/0.9 with aioquic, and sends datagrams back (ALPN "echo")."""

import argparse
import asyncio
import os

from aioquic.asyncio import QuicConnectionProtocol, serve
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import DatagramFrameReceived, ProtocolNegotiated, StreamDataReceived

root = "."


def read(target):
    path = os.path.realpath(os.path.join(root, target.lstrip("/")))
    if not path.startswith(root + os.sep) or not os.path.isfile(path):
        return None
    with open(path, "rb") as file:
        return file.read()


class Server(QuicConnectionProtocol):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.h3 = None
        self.requests = {}
        self.uploads = {}
        self.answered = set()

    def quic_event_received(self, event):
        if isinstance(event, ProtocolNegotiated):
            if event.alpn_protocol == "h3":
                self.h3 = H3Connection(self._quic)
        if isinstance(event, DatagramFrameReceived):
            self._quic.send_datagram_frame(event.data)
            self.transmit()
        elif self.h3:
            for h3_event in self.h3.handle_event(event):
                if isinstance(h3_event, HeadersReceived):
                    fields = dict(h3_event.headers)
                    if fields.get(b":method") == b"PUT":
                        name = os.path.basename(fields[b":path"].decode())
                        self.uploads[h3_event.stream_id] = open(os.path.join(root, name), "wb")
                    else:
                        self.answer_h3(h3_event.stream_id, fields)
                elif isinstance(h3_event, DataReceived):
                    self.uploads[h3_event.stream_id].write(h3_event.data)
                if h3_event.stream_ended and h3_event.stream_id in self.uploads:
                    self.uploads.pop(h3_event.stream_id).close()
                    self.h3.send_headers(h3_event.stream_id, [(b":status", b"201")], end_stream=True)
        elif isinstance(event, StreamDataReceived):
            self.answer_hq(event)

    def answer_h3(self, stream, fields):
        data = read(fields.get(b":path", b"/").decode())
        headers = [(b":status", b"404" if data is None else b"200")]
        headers.append((b"content-length", str(len(data or b"")).encode()))
        self.h3.send_headers(stream, headers, end_stream=not data)
        if data:
            self.h3.send_data(stream, data, end_stream=True)

    def answer_hq(self, event):
        # the end of a stream is reported again when the packet with it comes a second time
        if event.stream_id in self.answered:
            return
        request = self.requests.setdefault(event.stream_id, bytearray())
        request += event.data
        if not event.end_stream:
            return
        self.answered.add(event.stream_id)
        words = self.requests.pop(event.stream_id).decode().split()
        data = read(words[1]) if len(words) == 2 and words[0] == "GET" else None
        if data is None:
            self._quic.reset_stream(event.stream_id, 0)
        else:
            self._quic.send_stream_data(event.stream_id, data, end_stream=True)


async def run(args):
    configuration = QuicConfiguration(
        is_client=False,
        alpn_protocols=["h3", "hq-interop", "echo"],
        max_datagram_frame_size=65535,
    )
    configuration.load_cert_chain(args.cert, args.key)
    tickets = {}
    await serve(
        args.ip,
        args.port,
        configuration=configuration,
        create_protocol=Server,
        retry=args.retry,
        session_ticket_fetcher=tickets.get,
        session_ticket_handler=lambda ticket: tickets.__setitem__(ticket.ticket, ticket),
    )
    print("ready", flush=True)
    await asyncio.Future()


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--root", default=".")
parser.add_argument("--cert", required=True)
parser.add_argument("--key", required=True)
parser.add_argument("--retry", action="store_true", help="answer every client with a Retry")
parser.add_argument("--ip", default="::")
parser.add_argument("--port", type=int, default=4433)
arguments = parser.parse_args()
root = os.path.realpath(arguments.root)
asyncio.run(run(arguments))
