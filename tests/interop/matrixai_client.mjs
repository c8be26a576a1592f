// SPDX-License-Identifier: BSD-3-Clause
// Fetches URLs of one server over HTTP/0.9 with @matrixai/quic, which is quiche, all on one connection.
//
//   node matrixai_client.mjs --module DIR --ca FILE --out DIR [--max-data N --max-stream-data N] URL...
//
// The exit code is 0 only when all went well.

import fs from "node:fs";
import path from "node:path";
import { webcrypto } from "node:crypto";

const options = { parallel: 64 };
const urls = [];
for (let i = 2; i < process.argv.length; i++) {
	const arg = process.argv[i];
	if (arg.startsWith("--")) options[arg.slice(2)] = process.argv[++i];
	else urls.push(new URL(arg));
}
const { QUICClient } = await import(`${options.module}/dist/index.js`);
const { default: Logger, LogLevel } = await import(`${options.module}/../logger/dist/index.js`);

async function fetchOne(connection, url) {
	// newStream() fails for good when the server does not allow another one yet
	while (connection.conn.peerStreamsLeftBidi() === 0) await new Promise((done) => setTimeout(done, 5));
	const stream = connection.newStream();
	const writer = stream.writable.getWriter();
	await writer.write(new TextEncoder().encode(`GET ${url.pathname}\r\n`));
	await writer.close();
	const file = options.out + url.pathname;
	fs.mkdirSync(path.dirname(file), { recursive: true });
	const fd = fs.openSync(file, "w");
	for await (const chunk of stream.readable) fs.writeSync(fd, chunk);
	fs.closeSync(fd);
}

const config = {
	ca: fs.readFileSync(options.ca, "utf8"),
	verifyPeer: true,
	applicationProtos: ["hq-interop"],
	maxIdleTimeout: 60000,
	logKeys: process.env.SSLKEYLOGFILE,
};
if (options["max-data"]) config.initialMaxData = Number(options["max-data"]);
if (options["max-stream-data"]) config.initialMaxStreamDataBidiLocal = Number(options["max-stream-data"]);
const client = await QUICClient.createQUICClient({
	host: urls[0].hostname,
	port: Number(urls[0].port || 443),
	serverName: "qlane.test",
	localHost: "0.0.0.0",
	crypto: { ops: { randomBytes: async (data) => void webcrypto.getRandomValues(new Uint8Array(data)) } },
	config,
	logger: new Logger("client", LogLevel.WARN),
});
await Promise.all(Array.from({ length: Number(options.parallel) }, async () => {
	for (let url = urls.shift(); url; url = urls.shift()) await fetchOne(client.connection, url);
}));
await client.destroy({ isApp: true, errorCode: 0 });
process.exit(0);
