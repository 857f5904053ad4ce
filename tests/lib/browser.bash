# browser.bash - a real browser without a window, driven through chromedriver (W3C WebDriver) with curl
#
# Each test that needs it calls start_browser; without chromium and chromedriver it is skipped, and that is said.

start_browser() { # [ARGUMENT...]: further ones of chromium
	local browser args
	browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || browser=
	if [ -z "$browser" ] || ! command -v chromedriver >/dev/null; then
		echo "# NO BROWSER: chromium and chromedriver are not installed, the page is not tested" >&3
		skip 'chromium and chromedriver are not installed'
	fi
	start driver chromedriver --port=0
	await 30 has_line driver.out 'successfully on port'
	driver=http://127.0.0.1:$(sed -n 's/.*successfully on port \([0-9]*\).*/\1/p' driver.out)
	args=$(jq -nc '$ARGS.positional' --args -- --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --disable-background-networking \
		--disable-extensions --no-proxy-server --window-size=1200,1000 "--user-data-dir=$BATS_TEST_TMPDIR/profile" "$@")
	jq -nc --arg browser "$browser" --argjson args "$args" '{capabilities: {alwaysMatch: {browserName: "chrome", "goog:chromeOptions": {binary: $browser, args: $args},
		"goog:loggingPrefs": {browser: "ALL"}}}}' >session.json
	session=$(curl -sS --max-time 120 -H 'content-type: application/json' -d @session.json "$driver/session" | jq -r '.value.sessionId // empty')
	[ -n "$session" ] || { cat driver.out driver.err >&2; return 1; }
}
stop_browser() { [ -z "${session:-}" ] || curl -sS --max-time 30 -X DELETE "$driver/session/$session" >/dev/null; }

# wd METHOD PATH [JSON]: one command of the session; its value is printed, an error is a failure
wd() {
	curl -sS --max-time 60 -X "$1" -H 'content-type: application/json' ${3:+-d "$3"} "$driver/session/$session$2" >wd.json
	jq -e '.value | type == "object" and has("error") | not' wd.json >/dev/null || { cat wd.json >&2; return 1; }
	jq -c .value wd.json
}
visit() { wd POST /url "$(jq -nc --arg url "$1" '{url: $url}')" >/dev/null; }
# js EXPRESSION: its value as JSON
js() { wd POST /execute/sync "$(jq -nc --arg script "return ($1);" '{script: $script, args: []}')"; }
is_so() { [ "$(js "$1" 2>/dev/null)" = true ]; }
# wait_js EXPRESSION: until it is true
wait_js() { await 20 is_so "$1"; }
element() { wd POST /element "$(jq -nc --arg css "$1" '{using: "css selector", value: $css}')" | jq -r '.[]'; }
click() { wd POST "/element/$(element "$1")/click" '{}' >/dev/null; }
type_into() { wd POST "/element/$(element "$1")/value" "$(jq -nc --arg text "$2" '{text: $text}')" >/dev/null; }
# press KEY...: to what has the focus; named keys as \uE007 (Enter)
press() {
	local key actions=
	for key; do
		key=$(jq -nc "\"$key\"")
		actions+=",{\"type\":\"keyDown\",\"value\":$key},{\"type\":\"keyUp\",\"value\":$key}"
	done
	wd POST /actions "{\"actions\":[{\"type\":\"key\",\"id\":\"k\",\"actions\":[${actions#,}]}]}" >/dev/null
}
TAB='\uE004' ENTER='\uE007' ESCAPE='\uE00C' DOWN='\uE015' UP='\uE013'
screenshot() { wd GET /screenshot | jq -r . | base64 -d >"$1"; }
# What the page complained about: errors of scripts, refusals of the content security policy.
complaints() { wd POST /se/log '{"type":"browser"}' | jq -c '.[] | select(.level == "SEVERE")'; }
