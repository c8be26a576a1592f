// SPDX-License-Identifier: BSD-3-Clause
// Serves the files of a directory over HTTP/0.9 with @matrixai/quic, which is quiche. It answers every
// client with a Retry first.
//
//   node matrixai_server.mjs --module DIR --root DIR --cert FILE --key FILE --port N

import fs from "node:fs";
import { webcrypto } from "node:crypto";

const options = {};
for (let i = 2; i < process.argv.length; i += 2) options[process.argv[i].slice(2)] = process.argv[i + 1];
const { QUICConnection, QUICServer, events } = await import(`${options.module}/dist/index.js`);
const { default: Logger, LogLevel } = await import(`${options.module}/../logger/dist/index.js`);

// It resets streams that come together with the end of the handshake, before it has started its own object
// for the connection; here they wait until it has.
const { running } = await import(`${options.module}/../async-init/dist/index.js`);
const processStreams = QUICConnection.prototype.processStreams;
QUICConnection.prototype.processStreams = function () {
	if (this[running]) processStreams.call(this);
};

const hmac = { name: "HMAC", hash: "SHA-256" };
const load = (key) => webcrypto.subtle.importKey("raw", key, hmac, false, ["sign", "verify"]);

async function answer(stream) {
	let request = "";
	const decoder = new TextDecoder();
	for await (const part of stream.readable) request += decoder.decode(part, { stream: true });
	const path = request.match(/^GET (\/[^ \r\n]*)\r?\n?$/)?.[1];
	if (!path || path.includes("..")) return stream.writable.abort();
	const writer = stream.writable.getWriter();
	await writer.write(fs.readFileSync(options.root + path));
	await writer.close();
}

const server = new QUICServer({
	crypto: {
		key: await webcrypto.subtle.exportKey("raw", await webcrypto.subtle.generateKey(hmac, true, ["sign"])),
		ops: {
			sign: async (key, data) => webcrypto.subtle.sign("HMAC", await load(key), data),
			verify: async (key, data, sig) => webcrypto.subtle.verify("HMAC", await load(key), sig, data),
		},
	},
	config: {
		cert: fs.readFileSync(options.cert, "utf8"),
		key: fs.readFileSync(options.key, "utf8"),
		verifyPeer: false,
		applicationProtos: ["hq-interop"],
		maxIdleTimeout: 60000,
		disableActiveMigration: false,
		enableEarlyData: true,
	},
	logger: new Logger("server", LogLevel.WARN),
});
server.addEventListener(events.EventQUICServerConnection.name, ({ detail: connection }) => {
	connection.addEventListener(events.EventQUICConnectionStream.name, ({ detail: stream }) => {
		answer(stream).catch((error) => console.log(error.message));
	});
});
await server.start({ host: "0.0.0.0", port: Number(options.port) });
console.log("ready");
