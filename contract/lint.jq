# lint.jq - does openapi.json agree with itself? One line for each fault, nothing when it does
. as $doc
| def at($ref): try ($doc | getpath($ref | ltrimstr("#/") | split("/"))) catch null;
def operations: $doc.paths | to_entries[] | .key as $path | .value | to_entries[] | { method: .key, path: $path, op: .value };
def resolve: if type == "object" and has("$ref") then at(.["$ref"]) | resolve else . end;
([.. | objects | .["$ref"]? // empty] | unique) as $refs
| ($doc["x-codes"] | map("\(.status) \(.code)") | unique) as $codes
| ([$doc.components.responses | to_entries[] | .key as $name | (.value.content["application/json"].schema.properties.code.enum // [])[] | { name: $name, code: . }]) as $named
| ([operations | .op.responses | to_entries[] | .key as $status | (.value["$ref"] // "" | split("/") | last) as $name | $named[] | select(.name == $name) | "\($status) \(.code)"]
	+ [$doc["x-elsewhere"] | .[] | to_entries[] | .key as $status | (.value["$ref"] | split("/") | last) as $name | $named[] | select(.name == $name) | "\($status) \(.code)"] | unique) as $used
|
($refs[] | select(at(.) == null) | "\(.) is nowhere"),
(("parameters", "responses", "schemas") as $kind | $doc.components[$kind] | keys[] | "#/components/\($kind)/\(.)" | select(. as $r | $refs | index([$r]) | not) | "\(.) is used nowhere"),
($used - $codes | .[] | "the code '\(.)' is missing in x-codes"),
($codes - $used | .[] | "the code '\(.)' of x-codes is in no response"),
([$doc["x-codes"][].id] | group_by(.)[] | select(length > 1) | "the id \(.[0]) is in x-codes twice"),
([operations | .op.operationId] | group_by(.)[] | select(length > 1) | "the operation \(.[0]) is there twice"),
(operations | "\(.method) \(.path)" as $name |
	(if .op.operationId // "" | test("^[a-z][A-Za-z0-9]*$") then empty else "\($name): it needs an operationId" end),
	(if (.op.tags | length) == 1 and (.op.tags[0] as $tag | any($doc.tags[]; .name == $tag)) then empty else "\($name): it needs one of the tags" end),
	(if .op["x-scope"] == null or (.op["x-scope"] | IN("read", "write", "admin")) then empty else "\($name): x-scope is none of read, write, admin" end),
	(if (.op.tags[0] == "console") == (.op["x-file"] != null) then empty else "\($name): x-file is for the console, and only for it" end),
	(if .op["x-stream"] == null or (.op["x-stream"] | IN("sse", "websocket")) then empty else "\($name): x-stream is neither sse nor websocket" end),
	([.path | scan("\\{([^}]*)\\}") | .[]] - [.op.parameters[]? | resolve | select(.in == "path") | .name] | .[] | "\($name): the parameter \(.) is not described"),
	(if .op.responses | keys | any(test("^[123]")) then empty else "\($name): it never succeeds" end)),
($doc.components.schemas | to_entries[] | .key as $key | .value | .. | objects | select(.required and .properties) | .required - (.properties | keys) | .[] | "\($key): the required member \(.) is not described")
