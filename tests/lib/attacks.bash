# attacks.bash - every door of a gateway, for who would try them all

# contract_routes: "SCOPE METHOD PATH" of each operation of the contract that is not open to everybody; the path has {NAME} for its parameters
contract_routes() {
	jq -r '.paths | to_entries[] | .key as $path | .value | to_entries[] | select(.value["x-scope"]) | "\(.value["x-scope"]) \(.key | ascii_upcase) \($path)"' "$AU_SRC/contract/openapi.json"
}

# attacks_teardown: whatever was tried, the gateway lives
attacks_teardown() {
	[ -z "${gateway_pid-}" ] || kill -0 "$gateway_pid"
	common_teardown
}
