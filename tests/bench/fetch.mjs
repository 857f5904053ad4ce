// fetch.mjs URL [METHOD [BODY-FILE]]: the body of the answer, as a script for Node has it
import { readFileSync } from "node:fs";

const [url, method = "GET", file] = process.argv.slice(2);
const body = file ? { body: readFileSync(file), headers: { "content-type": "application/json" } } : {};
const answer = await fetch(url, { method, ...body });
process.stdout.write(await answer.text());
