// SPDX-License-Identifier: BSD-3-Clause
// Fetches URLs of one server over HTTP/3 with impit (quinn and h3), all on one connection.
//
//   node impit_client.cjs --module DIR --out DIR [--pause MS] URL...
//
// With --pause it waits behind the first one, for a connection of its own for the others when the server has
// ended the first by then.
//
// No certificate is checked: it knows only the authorities that the public web has. The exit code is 0
// only when every answer was a 200 and came by HTTP/3.

const fs = require("node:fs");
const path = require("node:path");

const options = {};
const urls = [];
for (let i = 2; i < process.argv.length; i++) {
	const arg = process.argv[i];
	if (arg.startsWith("--")) options[arg.slice(2)] = process.argv[++i];
	else urls.push(new URL(arg));
}
const { Impit } = require(options.module);
const client = new Impit({ http3: true, ignoreTlsErrors: true, timeout: 90000 });

async function fetchOne(url) {
	const response = await client.fetch(url.href, { forceHttp3: true });
	if (response.status !== 200) throw new Error(`${url.href}: status ${response.status}`);
	const file = options.out + url.pathname;
	fs.mkdirSync(path.dirname(file), { recursive: true });
	fs.writeFileSync(file, await response.bytes());
}

async function all() {
	// those behind the first one find its connection
	await fetchOne(urls[0]);
	if (options.pause) await new Promise((done) => setTimeout(done, Number(options.pause)));
	const left = urls.slice(1);
	await Promise.all(Array.from({ length: 64 }, async () => {
		for (let url = left.shift(); url; url = left.shift()) await fetchOne(url);
	}));
}

all().catch((error) => {
	console.error(error.message);
	process.exitCode = 1;
});
