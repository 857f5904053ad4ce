# generate.jq - what is made from openapi.json, as one object: a text for each part
#
# Nothing here knows a single route, code or shape: all of that is in the document.

def lines: join("\n");
def pad($n): . + (" " * ([0, $n - length] | max));
def width(f): [.[] | f | length] | max // 0;

# createAgentThread: create_agent_thread
def snake: gsub("(?<up>[A-Z])"; "_" + (.up | ascii_downcase)) | ltrimstr("_");
def screaming: gsub("(?<low>[a-z0-9])(?<up>[A-Z])"; "\(.low)_\(.up)") | gsub("[^A-Za-z0-9]+"; "_") | ascii_upcase;
# /runs/{id}: /runs/:id
def colons: gsub("\\{(?<name>[^}]*)\\}"; ":" + .name);

def doc: $document;
def resolve: if type == "object" and has("$ref") then . as $r | doc | getpath($r["$ref"] | ltrimstr("#/") | split("/")) | resolve else . end;
def ref_name: if type == "object" and has("$ref") then .["$ref"] | split("/") | last else null end;

# every operation, in the order of the document: {method, path, op}
def operations: [doc.paths | to_entries[] | .key as $path | .value | to_entries[] | { method: (.key | ascii_upcase), path: $path, op: .value }];
def surface($name): operations | map(select(.op.tags[0] == $name));
def codes: doc["x-codes"];
# the codes that a response may have, [] for those without
def response_codes: resolve | .content["application/json"].schema.properties.code.enum // [];
def notice: "Made from contract/openapi.json by contract/generate; do not edit.";

# ---- C

def c_header($guard; body): [
	"/* " + notice + " */",
	"/* clang-format off */",
	"#ifndef " + $guard,
	"#define " + $guard,
	"",
	body,
	"",
	"#endif"
] | lines;

# #define NAME(ROW), one row a line
def c_table($name; $row; rows): ["#define \($name)(\($row)) \\"] + ((rows) | to_entries | length as $n | map("\t" + .value + (if .key + 1 < $n then " \\" else "" end))) | lines;

def c_routes($name): surface($name) as $all | ($name | ascii_upcase) as $up |
	def rows: map("ROUTE(\(.method | tojson), \(.path | colons | tojson), \(if .op["x-stream"] == "websocket" then "NULL" else .op["x-handler"] // (.op.operationId | snake) end), \(if .op["x-scope"] then "AUTH_" + (.op["x-scope"] | ascii_upcase) else "0" end))");
	c_header($up + "_ROUTES_H";
		"/* ROUTE(method, path, handler, scope): \":name\" takes one segment, percent-decoded; scope is one of enum auth_scope, 0: anybody's." +
		(if any($all[]; .op["x-stream"] == "websocket") then "\n * A WebSocket has no handler." else "" end) + " */\n" +
		c_table($up + "_ROUTES"; "ROUTE"; $all | rows));

# files that are handed out as they are; the text ones are UTF-8
def c_pages: c_header("CONSOLE_PAGES_H";
	"/* PAGE(path, file, type) */\n" +
	c_table("CONSOLE_PAGES"; "PAGE"; surface("console") | map("PAGE(\(.path | tojson), \(.op["x-file"] | tojson), \(.op.responses["200"].content | keys[0] | if startswith("text/") then . + "; charset=utf-8" else . end | tojson))")));

def c_string: if . == null then "NULL" else tojson end;
def c_codes: c_header("COMPASS_CODES_H";
	"/* CODE(name, status, code, message): message is NULL where what was found, or what somebody else says, is the message. */\n" +
	c_table("COMPASS_CODES"; "CODE"; codes | map("CODE(\(.id), \(.status), \(.code | tojson), \(.message | c_string))")));

# the words of the enums, for the test that holds the code's own against them
def c_enums: c_header("CONTRACT_ENUMS_H";
	"/* ITEM(name, text) for each value of an enum of the contract. */\n" +
	([doc.components.schemas | to_entries[] | select(.value.enum) |
		"/* \(.value.description) */\n" + c_table(.key | screaming; "ITEM"; .key as $key | .value.enum | map("ITEM(\($key | screaming)_\(screaming), \(tojson))"))] | join("\n\n")));

# ---- manual page

def mdoc: gsub("\\\\"; "\\e") | gsub("-"; "\\-") | gsub("^(?<c>[.'])"; "\\&" + .c);
# a sentence a line
def mdoc_text: gsub("(?<end>[.:;?!]) +"; .end + "\n") | split("\n") | map(mdoc) | lines;

# a schema in a few words
def words:
	if type != "object" then "any"
	elif has("$ref") then ref_name
	elif has("const") then .const | tojson
	elif has("enum") then .enum | map(tojson) | join(" | ")
	elif has("oneOf") or has("anyOf") then .oneOf // .anyOf | map(words) | join(" | ")
	elif .type == "array" then (.items | words) as $w | (if $w | test(" ") then "(\($w))" else $w end) + "[]"
	elif .type == "object" and (.properties // {}) != {} then
		.required as $required | "{" + ([.properties | to_entries[] | .key as $k | $k + (if ($required // []) | index([$k]) then "" else "?" end) + ": " + (.value | words)] | join(", ")) + "}"
	elif (.type | type) == "array" then .type | join(" | ")
	else .type // "any" end;

def body_of: resolve | .content // {} | to_entries | map(.key as $type | .value["x-data"] // .value.schema | words | if $type == "application/json" then . else "\($type): \(.)" end) | join(", ");
def answer_of: resolve | if .["x-data"] then "frames: " + (.["x-data"] | words) else body_of end;

def man_parameters: (.op.parameters // []) | map(resolve) | if . == [] then empty else
	".Bl -tag -width Ds -compact", (.[] | ".It \(if .in == "query" then "Li" else "Va" end) \(if .in == "query" then "?" + .name + "=" elif .in == "path" then ":" + .name else .name + ":" end | mdoc)", (.description // .name | mdoc_text)), ".El" end;

def man_operation: . as $o |
	".It Li \(.method) \(.path | colons | mdoc)",
	(.op.summary | mdoc_text),
	(if .op["x-command"] then "The command is", ".Ql \(.op["x-command"] | mdoc) ." else empty end),
	(if .op["x-scope"] and .op["x-scope"] != "read" then "Scope:", ".Cm \(.op["x-scope"]) ." else empty end),
	man_parameters,
	(if .op.requestBody then "Body:", ".Vt \(.op.requestBody | body_of | mdoc)" + (if .op.requestBody.required then "." else " (may be left out)." end) else empty end),
	(.op.responses | to_entries | map(select(.key | test("^[123]"))) | .[] | (.value | answer_of) as $answer | (if $answer == "" then "\(.key)." else "\(.key):", ".Vt \($answer | mdoc) ." end), (.value | resolve | .description | select(. != "Done.") | mdoc_text)),
	(.op.responses | to_entries | map(select(.key | test("^[45]"))) | if . == [] then empty else "Refusals: " + (map(.key + ((.value | response_codes) as $c | if $c == [] then "" else " (" + ($c | join(", ")) + ")" end)) | join(", ") | mdoc) + "." end);

def man_surface: .name as $name | .description as $description |
	".Ss \($name | (.[:1] | ascii_upcase) + .[1:])", ($description | mdoc_text), ".Bl -tag -width Ds", (surface($name)[] | man_operation), ".El";

def man_schema: .key as $key | .value as $s |
	".It Vt \($key)",
	($s.description // empty | mdoc_text),
	(if $s.enum then "One of", ($s.enum | length as $n | to_entries[] | ".Ql \(.value | mdoc)" + (if .key + 1 < $n then " ," else " ." end))
	 elif $s.properties and $s.properties != {} then ".Bl -column -compact \"lastEventMessage?\" \"text\"", ($s.required as $r | $s.properties | to_entries[] | .key as $k | ".It \($k + (if ($r // []) | index([$k]) then "" else "?" end) | mdoc) Ta \(.value | words | mdoc)"), ".El"
	 elif $s.oneOf then ($s.oneOf | map(words | mdoc) | join(", or ")) + "."
	 elif $s.pattern then "A string.", empty
	 else "An object." end);

def man: [
	".\\\" " + notice,
	".Dd $" + "Mdocdate$",
	".Dt AGENT-GATEWAY-API 7",
	".Os agentutils",
	".Sh NAME",
	".Nm agent-gateway-api",
	".Nd the routes, shapes and codes of agent-gateway",
	".Sh DESCRIPTION",
	"Everything that",
	".Xr agent-gateway 8",
	"says over HTTP.",
	"The gateway serves the same as an OpenAPI 3.1 document at",
	".Pa /openapi.json .",
	"A member whose name ends in a question mark may be absent.",
	"Where no scope is named,",
	".Cm read",
	"is enough.",
	(doc.tags[] | man_surface),
	".Ss Anything else",
	"A path that is not here is 404: text under",
	".Pa / ,",
	".Vt Problem",
	"under",
	".Pa /v1/ .",
	"A method that a path does not have is 405 with",
	".Va Allow .",
	".Sh CODES",
	"Refusals under",
	".Pa /v1",
	"carry one of these codes; scripts should look at the code, never at the message.",
	".Bl -tag -width Ds -compact",
	(codes[] | ".It Er \(.code) Pq \(.status)", (if .message then ".Dq \(.message | mdoc) :" else empty end), (.when | mdoc_text)),
	".El",
	".Sh SHAPES",
	".Bl -tag -width Ds",
	(doc.components.schemas | to_entries[] | man_schema),
	".El",
	".Sh EXAMPLES",
	"The runs, the one that changed last first:",
	".Bd -literal -offset indent",
	"curl -s http://127.0.0.1:4707/api/agents/runs | jq -c '.items[]'",
	".Ed",
	".Pp",
	"Every path with its methods:",
	".Bd -literal -offset indent",
	"curl -s http://127.0.0.1:4707/openapi.json | jq -c '.paths | map_values(keys)'",
	".Ed",
	".Sh SEE ALSO",
	".Xr agent-event 5 ,",
	".Xr agent 7 ,",
	".Xr agent-gateway 8"
] | lines;

# ---- reference: every operation as a line of shell, and every shape as a TypeScript type

def cell: gsub("\\|"; "\\|") | gsub("\n"; " ");
def code_cell: "`" + cell + "`";
def shell: if .op["x-command"] then .op["x-command"]
	else "curl -s" + (if .method == "GET" then "" else " -X " + .method end)
		+ (if .op.requestBody then " -H 'content-type: application/json' -d @-" else "" end) + " \"$url\(.path | gsub("\\{(?<name>[^}]*)\\}"; "$" + .name))\"" end;
def markdown_row: [
	(.op.operationId | code_cell),
	("\(.method) \(.path | colons)" | code_cell),
	(shell | code_cell),
	(if .op.requestBody then .op.requestBody | body_of | code_cell else "" end),
	([.op.responses | to_entries[] | select(.key | test("^[123]")) | "\(.key)" + (.value | answer_of | if . == "" then "" else " " + code_cell end)] | join(", ")),
	([.op.responses | to_entries[] | select(.key | test("^[45]")) | ([.key] + (.value | response_codes | map(code_cell))) | join(" ")] | join("; "))
] | "| " + join(" | ") + " |";
def markdown: [
	"<!-- \(notice) -->",
	"# Reference of the gateway's HTTP surface",
	"",
	"Each operation with the command that does it (the options that name a server are left out), or the `curl` line where there is none; `$url` is the gateway.",
	"The shapes are in `types.d.ts` beside this file and in `agent-gateway-api(7)`; the source of all three is `openapi.json`, which the gateway serves at `/openapi.json`.",
	"",
	(doc.tags[] | .name as $name |
		"## \($name)", "", .description, "",
		"| operation | route | shell | body | answer | refusals |", "| --- | --- | --- | --- | --- | --- |", (surface($name)[] | markdown_row), ""),
	"## Codes", "",
	"| code | status | message | when |", "| --- | --- | --- | --- |",
	(codes[] | "| `\(.code)` | \(.status) | \(.message // "" | cell) | \(.when | cell) |")
] | lines;

def ts:
	if type != "object" then "unknown"
	elif has("$ref") then ref_name
	elif has("const") then .const | tojson
	elif has("enum") then .enum | map(tojson) | join(" | ")
	elif has("oneOf") or has("anyOf") then .oneOf // .anyOf | map(ts) | join(" | ")
	elif (.type | type) == "array" then . as $s | .type | map(. as $t | $s | .type = $t | ts) | join(" | ")
	elif .type == "array" then "Array<" + (.items | ts) + ">"
	elif .type == "integer" or .type == "number" then "number"
	elif .type == "string" or .type == "boolean" or .type == "null" then .type
	elif .type == "object" then . as $s |
		if (.properties // {}) != {} then "{ " + ([.properties | to_entries[] | .key as $k | "\(if $k | test("^[A-Za-z_]\\w*$") then $k else ($k | tojson) end)\(if ($s.required // []) | index([$k]) then "" else "?" end): \(.value | ts)"] | join("; "))
			+ (if .additionalProperties == true then "; [member: string]: unknown" else "" end) + " }"
		elif .additionalProperties == true then "Record<string, unknown>"
		elif .additionalProperties then "Record<string, " + (.additionalProperties | ts) + ">"
		else "Record<string, never>" end
	else "unknown" end;
def ts_answers: .op.responses | [to_entries[] | "\(.key): \(.value | resolve | .["x-data"] // ((.content // {}) | to_entries | if . == [] then null else .[0].value | .["x-data"] // .schema end) | if . == null then "undefined" else ts end)"] | "{ " + join("; ") + " }";
def ts_parameters($in): (.op.parameters // []) | map(resolve | select(.in == $in)) | if . == [] then "Record<string, never>" else "{ " + (map("\(.name)\(if .required then "" else "?" end): \(.schema | ts)") | join("; ")) + " }" end;
def typescript: [
	"// " + notice,
	"",
	(doc.components.schemas | to_entries[] | (if .value.description then "/** \(.value.description) */" else empty end), "export type \(.key) = \(.value | ts);"),
	"",
	"export type Code =", ([codes[].code] | unique | map("\t| " + tojson) | lines) + ";",
	"",
	"/** method, path, path and query parameters, body, and the answers by status (a stream: its events or frames). */",
	"export interface Operations {",
	(operations[] | "\t/** \(.op.summary) */",
		"\t\(.op.operationId): { method: \(.method | tojson); path: \(.path | tojson); in: \(ts_parameters("path")); query: \(ts_parameters("query")); body: \(if .op.requestBody then .op.requestBody.content["application/json"].schema | ts else "undefined" end); answers: \(ts_answers) };"),
	"}"
] | lines;

{
	"auth-routes": c_routes("auth"),
	"clarity-routes": c_routes("clarity"),
	"compass-routes": c_routes("compass"),
	"console-pages": c_pages,
	"gateway-routes": c_routes("gateway"),
	"hitl-routes": c_routes("hitl"),
	"compass-codes": c_codes,
	enums: c_enums,
	man: man,
	reference: markdown,
	types: typescript
}
