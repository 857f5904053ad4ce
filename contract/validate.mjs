// validate.mjs - holds answers against openapi.json
//
//   node contract/validate.mjs TOOLS OPENAPI RECORD...
//
// TOOLS is where ajv is installed (contract/tools). A RECORD is what agent-gateway --record wrote, one JSON line for each answer; a line may have
// "frames" instead of "body": what a stream sent. Writes one line for each disagreement, then one record about the whole; status 1 when something
// disagrees. An object whose schema lists members and says nothing of others may have no others.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";

const [tools, openapi, ...records] = process.argv.slice(2);
const Ajv = createRequire(join(resolve(tools), "package.json"))("ajv/dist/2020").default;
const document = JSON.parse(readFileSync(openapi, "utf8"));
const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });

// #/components/schemas/Run becomes contract#/$defs/Run, and what is not named is not there
function closed(schema) {
	if (Array.isArray(schema)) return schema.map(closed);
	if (schema === null || typeof schema !== "object") return schema;
	const made = {};
	for (const [key, value] of Object.entries(schema)) {
		if (key === "const" || key === "enum") made[key] = value;
		else if (key === "$ref") made[key] = value.replace("#/components/schemas/", "contract#/$defs/");
		else made[key] = closed(value);
	}
	if ([made.type].flat().includes("object") && made.properties && made.additionalProperties === undefined) made.additionalProperties = false;
	return made;
}
ajv.addSchema({ $id: "contract", $defs: closed(document.components.schemas) });
const compiled = new Map();
function check(schema, value) {
	if (!compiled.has(schema)) compiled.set(schema, ajv.compile(closed(schema)));
	const good = compiled.get(schema);
	return good(value) ? [] : good.errors.map((e) => `${e.instancePath || "it"} ${e.message}${detail(e.params)}`);
}
const detail = (params) => {
	const what = params.additionalProperty ?? params.allowedValues ?? params.allowedValue;
	return what === undefined ? "" : `: ${JSON.stringify(what)}`;
};

const follow = (thing) => (thing && thing.$ref ? follow(thing.$ref.slice(2).split("/").reduce((at, key) => at[key], document)) : thing);
const escape = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
const operations = Object.entries(document.paths)
	.flatMap(([path, item]) => Object.entries(item).map(([method, operation]) => ({
		method: method.toUpperCase(), path, operation, seen: new Set(), holes: (path.match(/\{/g) ?? []).length,
		// under /v1 letter case does not count, nor one slash at the end
		pattern: path.startsWith("/v1/") ? new RegExp(`^${path.split(/\{[^}]*\}/).map(escape).join("[^/]+")}/?$`, "i") : new RegExp(`^${path.split(/\{[^}]*\}/).map(escape).join("[^/]+")}$`),
	})))
	.sort((a, b) => a.holes - b.holes);
const at = (path) => operations.filter((o) => o.pattern.test(path.replace(/%3a/gi, ":")));
// a handshake may come with any method
const find = (method, path) => at(path).find((o) => o.method === (method === "HEAD" ? "GET" : method)) ?? at(path).find((o) => o.operation["x-stream"] === "websocket");
// what is said where no operation is, by the beginning of the path
const surfaces = Object.entries(document["x-elsewhere"]).sort((a, b) => b[0].length - a[0].length);
const elsewhere = (path) => (surfaces.find(([prefix]) => path.toLowerCase().startsWith(prefix)) ?? surfaces.at(-1))[1];

function disagreements(answer) {
	const found = find(answer.method, answer.path);
	const responses = { ...elsewhere(answer.path), ...(found?.operation.responses ?? {}) };
	// a path that nothing describes may not succeed
	const response = follow(responses[answer.status] ?? (found ? undefined : elsewhere(answer.path)[answer.status]));
	if (found && !answer.frames) found.seen.add(answer.status);
	if (!response) return [`the status ${answer.status} is not described`];
	if (answer.frames) {
		const data = response["x-data"] ?? Object.values(response.content ?? {})[0]?.["x-data"];
		// an empty stream shows nothing
		if (answer.frames.length) found?.seen.add("frames");
		return data ? answer.frames.flatMap((frame) => check(data, frame)) : ["it is no stream"];
	}
	const content = response.content ?? {};
	const type = (answer.type ?? "").split(";")[0];
	if (!Object.keys(content).length) return answer.body ? ["it has a body"] : [];
	if (!(type in content)) return [`the type is '${type}', not ${Object.keys(content).join(" or ")}`];
	if (answer.bytes !== undefined) return [];
	if (type !== "application/json") return content[type].schema ? check(content[type].schema, answer.body) : [];
	let value;
	try {
		value = JSON.parse(answer.body);
	} catch (e) {
		return [`the body is no JSON: ${e.message}`];
	}
	return check(content[type].schema, value);
}

let answers = 0, bad = 0;
const said = new Set();
for (const file of records) {
	for (const line of readFileSync(file, "utf8").split("\n")) {
		// a process that was killed may have left half a line
		if (!line.endsWith("}")) continue;
		const answer = JSON.parse(line);
		answers++;
		for (const why of disagreements(answer)) {
			bad++;
			const text = `${answer.method} ${answer.path}: ${answer.status}: ${why}`;
			if (said.has(text) || said.size > 100) continue;
			said.add(text);
			console.log(`${basename(file)}: ${text}\n    ${(answer.body ?? JSON.stringify(answer.frames) ?? "").replace(/\s+/g, " ").slice(0, 300)}`);
		}
	}
}
if (process.env.CONTRACT_SEEN) {
	for (const o of operations) console.log(JSON.stringify({ operation: o.operation.operationId, seen: [...o.seen], described: Object.keys(o.operation.responses) }));
}
console.log(JSON.stringify({ answers, disagreements: bad }));
process.exit(bad ? 1 : 0);
