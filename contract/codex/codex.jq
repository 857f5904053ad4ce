# codex.jq - what used.json names, found in the schema that `codex app-server generate-json-schema` writes (or in what this made of it)
#
# Gives {faults: [TEXT...], schemas: {...}}: what is not there, and the part of the schema that is used, with everything that it refers to and
# without its explanations.

def at($path): getpath($path | split("/"));
def definition($all; $name): $all | at($name);

# the schema itself and, through references and alternatives, all that it may be
def faces($all): if type != "object" then empty
	elif has("$ref") then (.["$ref"] | ltrimstr("#/definitions/")) as $name | definition($all; $name) | faces($all)
	else ., ((.allOf // [])[], (.oneOf // [])[], (.anyOf // [])[] | faces($all)) end;

# the schemas that a member path leads to
def step($all; $name): faces($all) | if $name == "[]" then .items // empty else .properties[$name]? // empty end;
def lead($all; $path): if $path == [] then . else step($all; $path[0]) | lead($all; $path[1:]) end;
def parts: gsub("\\[\\]"; ".[]") | split(".");
def leads($all; $path): [limit(1; lead($all; $path | parts))] != [];

def words($all): [faces($all) | ((.enum // [])[], (.const // empty))] | map(strings);

def refs: [.. | objects | .["$ref"]? // empty | ltrimstr("#/definitions/")] | unique;
def reach($all; $names): ($names + [$names[] as $n | definition($all; $n) | refs[]] | unique) as $more | if ($more | length) == ($names | length) then $names else reach($all; $more) end;
def bare: walk(if type == "object" then with_entries(select((.key | IN("description", "title", "$schema")) and (.value | type) == "string" | not)) else . end);

.definitions as $all | $used[0] as $used |
def variants($kind): $all[$kind] | .oneOf // [.];
def variant($kind; $method): first(variants($kind)[] | select(.properties.method.enum[0] == $method)) // null;
def params($kind; $method): variant($kind; $method) | .properties.params // {};

def need($kind; $method; $members; $what): variant($kind; $method) as $v |
	if $v == null then "\($kind) has no \($method)"
	else $members[] as $m | ($v.properties.params // {}) | if leads($all; $m) then empty else "\($method) \($what) has no \($m)" end end;
def answers($name; $members; $method): definition($all; $name) as $d |
	if $d == null then "\($name), the answer to \($method), is nowhere"
	else $members[] as $m | $d | if leads($all; $m) then empty else "\($name) has no \($m)" end end;

[
	($used.requests | to_entries[] | .key as $method | .value as $u | need("ClientRequest"; $method; $u.sends; "as we send it"), answers($u.answer; $u.reads; $method)),
	($used.notifies[] as $method | need("ClientNotification"; $method; []; "")),
	($used.asks | to_entries[] | .key as $method | .value as $u | need("ServerRequest"; $method; $u.reads; "as we read it"), answers($u.answer; $u.says; $method)),
	($used.tells | to_entries[] | .key as $method | .value as $u | need("ServerNotification"; $method; $u; "as we read it")),
	($used.values | to_entries[] | .key as $key | (.key | split(":")) as $path | .value as $wanted |
		definition($all; $path[0]) as $d |
		(if $d == null then [] elif $path[1] then [$d | lead($all; [$path[1]]) | words($all)[]] else ($d | words($all)) end) as $said |
		($wanted - $said)[] | "\($key) is never \(tojson)")
] as $faults |

def kept($kind; $methods): { oneOf: [$methods[] as $m | variant($kind; $m) // empty] };
{
	ClientRequest: kept("ClientRequest"; $used.requests | keys),
	ClientNotification: kept("ClientNotification"; $used.notifies),
	ServerRequest: kept("ServerRequest"; $used.asks | keys),
	ServerNotification: kept("ServerNotification"; $used.tells | keys)
} as $tops |
(reach($all; ([$tops | refs[]] + [$used.requests[].answer, $used.asks[].answer] + [$used.values | keys[] | split(":")[0]] | unique) | map(select(definition($all; .) != null)))) as $names |
{
	faults: $faults,
	schemas: { definitions: (reduce $names[] as $n ($tops; setpath($n | split("/"); definition($all; $n))) | bare) }
}
