// SPDX-License-Identifier: BSD-3-Clause
// Fetches URLs of one server over HTTP/0.9 with Deno's QUIC, which is quinn.
//
//   deno run --unstable-net -A deno_client.js --ca FILE --out DIR [--session] [--each N] [--datagrams N] URL...
//
// All URLs go over one connection, or --each over its own, N at a time. With --session the first one goes over a connection of its own,
// and the others over one that resumes it in 0-RTT. --datagrams N sends N datagrams instead and waits
// for as many to come back. The exit code is 0 only when all went well.

const options = { parallel: 64 };
const urls = [];
for (let i = 0; i < Deno.args.length; i++) {
	const arg = Deno.args[i];
	if (arg === "--session") options.session = true;
	else if (arg.startsWith("--")) options[arg.slice(2)] = Deno.args[++i];
	else urls.push(new URL(arg));
}

function connect(early) {
	return Deno.connectQuic({
		hostname: urls[0].hostname.replace(/[[\]]/g, ""),
		port: Number(urls[0].port || 443),
		serverName: options.sni ?? "qlane.test",
		alpnProtocols: [options.alpn ?? "hq-interop"],
		caCerts: [Deno.readTextFileSync(options.ca)],
		maxIdleTimeout: 60000,
		endpoint: new Deno.QuicEndpoint({ hostname: "0.0.0.0" }),
		zeroRtt: early,
	});
}

async function fetchOne(conn, url) {
	const stream = await conn.createBidirectionalStream({ waitUntilAvailable: true });
	const writer = stream.writable.getWriter();
	await writer.write(new TextEncoder().encode(`GET ${url.pathname}\r\n`));
	await writer.close();
	const path = `${options.out}${url.pathname}`;
	await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
	const file = await Deno.open(path, { write: true, create: true, truncate: true });
	await stream.readable.pipeTo(file.writable);
}

async function fetchAll(conn, list) {
	const left = list.slice();
	await Promise.all(Array.from({ length: Number(options.parallel) }, async () => {
		for (let url = left.shift(); url; url = left.shift()) await fetchOne(conn, url);
	}));
}

async function datagrams(conn, n) {
	for (let i = 0; i < n; i++) {
		await conn.sendDatagram(new TextEncoder().encode(`datagram ${i}`));
		const back = new TextDecoder().decode(await conn.readDatagram());
		if (back !== `datagram ${i}`) throw new Error(`got '${back}' back`);
	}
	console.log(`${n} datagrams came back`);
}

async function end(conn) {
	conn.close({ closeCode: 0, reason: "" });
	await conn.closed;
}

async function fetchEach() {
	const left = urls.slice();
	await Promise.all(Array.from({ length: Number(options.each) }, async () => {
		for (let url = left.shift(); url; url = left.shift()) {
			const conn = await connect(false);
			await fetchOne(conn, url);
			await end(conn);
		}
	}));
}

async function all() {
	let conn = await connect(false);
	if (options.datagrams) {
		await datagrams(conn, Number(options.datagrams));
	} else if (options.session) {
		await fetchAll(conn, urls.slice(0, 1));
		await end(conn);
		conn = await connect(true);
		await fetchAll(conn, urls.slice(1));
	} else {
		await fetchAll(conn, urls);
	}
	await end(conn);
}

await (options.each ? fetchEach() : all());
await new Promise((done) => setTimeout(done, 200)); // for the CONNECTION_CLOSE to leave
Deno.exit(0);
