// SPDX-License-Identifier: GPL-2.0-only
// twice.js OPTIONS: two TLS connections, the second with the first one's session. OPTIONS is what
// tls.connect() takes, in JSON, `ca` as a file's name. For each a line of JSON: port, alpn,
// resumed, error (null when the handshake was completed).
"use strict";
const fs = require("fs"), http2 = require("http2"), tls = require("tls");
const options = JSON.parse(process.argv[2]);
options.ca = fs.readFileSync(options.ca);

// One connection; resolves to its session, or undefined.
function connect(session) {
	return new Promise((resolve) => {
		const socket = tls.connect({ ...options, session });
		let port = null, ticket, told = false;
		function say(error) {
			if (told)
				return;
			told = true;
			console.log(JSON.stringify({ port, alpn: socket.alpnProtocol || null,
				resumed: socket.isSessionReused(), error }));
		}
		function end() {
			socket.destroy();
			resolve(ticket);
		}
		socket.on("connect", () => { port = socket.localPort; });
		socket.on("session", (s) => { ticket = s; });
		socket.on("error", (e) => { say(e.code); end(); });
		socket.on("close", () => { say("closed"); end(); });
		socket.on("secureConnect", () => { say(null); request(socket, end); });
	});
}

// A request, for a ticket comes before the answer. What becomes of it does not matter.
function request(socket, end) {
	setTimeout(end, 1000);
	if (socket.alpnProtocol !== "h2") {
		socket.on("data", () => setTimeout(end, 20));
		socket.write("GET / HTTP/1.1\r\nHost: " + options.servername + "\r\nConnection: close\r\n\r\n");
		return;
	}
	const session = http2.connect("https://" + options.servername, { createConnection: () => socket });
	session.on("error", end);
	const stream = session.request({ ":path": "/" });
	stream.on("error", end);
	stream.on("response", () => session.close(end));
	stream.resume();
}

connect().then(connect).then(() => process.exit(0));
