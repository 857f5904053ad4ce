// node-echo.mjs: a server for Node that takes a message and keeps six events of it in memory, as plainly as can be; prints its address
import { createServer } from "node:http";

const runs = new Map();
const server = createServer((request, response) => {
	let text = "";
	request.on("data", (piece) => (text += piece));
	request.on("end", () => {
		const message = JSON.parse(text);
		const runId = request.url.split("/")[4];
		if (!runs.has(runId)) runs.set(runId, []);
		const events = runs.get(runId);
		for (let i = 0; i < 6; i++) events.push({ at: new Date().toISOString(), kind: "agent.chat.note", data: { runId, message: message.message } });
		if (events.length > 2000) events.splice(0, events.length - 2000);
		const body = JSON.stringify({ ok: true, runId, reply: `Echo: ${message.message}` });
		response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
		response.end(body);
	});
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
