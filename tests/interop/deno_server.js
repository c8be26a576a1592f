// SPDX-License-Identifier: BSD-3-Clause
// Serves the files of a directory over HTTP/0.9 with Deno's QUIC, which is quinn, and sends datagrams
// back as they come (ALPN "echo").
//
//   deno run --unstable-net -A deno_server.js --root DIR --cert FILE --key FILE --port N

const options = {};
for (let i = 0; i < Deno.args.length; i += 2) options[Deno.args[i].slice(2)] = Deno.args[i + 1];

async function answer(stream) {
	let request = "";
	const decoder = new TextDecoder();
	for await (const part of stream.readable) request += decoder.decode(part, { stream: true });
	const path = request.match(/^GET (\/[^ \r\n]*)\r?\n?$/)?.[1];
	if (!path || path.includes("..")) return stream.writable.abort();
	const file = await Deno.open(options.root + path);
	await file.readable.pipeTo(stream.writable);
}

async function echo(conn) {
	for (;;) await conn.sendDatagram(await conn.readDatagram());
}

async function serve(incoming) {
	const conn = incoming.accept({ zeroRtt: true });
	echo(conn).catch(() => {});
	for await (const stream of conn.incomingBidirectionalStreams) {
		answer(stream).catch((error) => console.log(error.message));
	}
}

const endpoint = new Deno.QuicEndpoint({ hostname: "0.0.0.0", port: Number(options.port) });
const listener = endpoint.listen({
	cert: Deno.readTextFileSync(options.cert),
	key: Deno.readTextFileSync(options.key),
	alpnProtocols: ["hq-interop", "echo"],
	maxIdleTimeout: 60000,
});
console.log("ready");
for await (const incoming of listener) serve(incoming).catch((error) => console.log(error.message));
