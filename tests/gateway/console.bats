#!/usr/bin/env bats
# The status page: what is served, and what it does in a real browser.
load ../lib/common
load ../lib/browser

setup() { common_setup; }
teardown() {
	stop_browser
	common_teardown
}
get() { curl -sS -o body -D head -w '%{http_code} %{content_type}' "$url$1" "${@:2}"; }

@test "the page and its icons are open, with a strict policy; unknown paths stay 404" {
	CLARITYD_AUTH_TOKEN=t0ken start_gateway
	while read -r path type; do
		[ "$(get "$path")" = "200 $type" ]
		[ "$(wc -c <body)" -gt 100 ]
		grep -qi "^content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'" head
		run ! grep -qiE 'unsafe|t0ken' head body
		for header in 'x-content-type-options: nosniff' 'x-frame-options: DENY' 'referrer-policy: no-referrer'; do grep -qi "^$header" head; done
	done <<-'T'
	/ text/html; charset=utf-8
	/status text/html; charset=utf-8
	/console.css text/css; charset=utf-8
	/console.js text/javascript; charset=utf-8
	/favicon.svg image/svg+xml
	/favicon.ico image/x-icon
	/favicon.png image/png
	/apple-touch-icon.png image/png
	T
	[ "$(get /console)" = '404 text/plain; charset=utf-8' ]
	[ "$(get /index.html)" = '404 text/plain; charset=utf-8' ]
	[ "$(get /status -X POST)" = '405 application/json; charset=utf-8' ]
	[ "$(get / -I)" = '200 text/html; charset=utf-8' ]
	[ ! -s body ] || ! grep -q '<html' body
	# what is there already is not sent again
	get /console.js >/dev/null
	tag=$(sed -n 's/^etag: \(.*\)\r$/\1/Ip' head)
	[ -n "$tag" ]
	[ "$(curl -sS -o body -w '%{http_code} %{size_download}' -H "if-none-match: $tag" "$url/console.js")" = '304 0' ]
}

@test "nothing inline, nothing from elsewhere" {
	run ! grep -nE '<style|style=|<script>|[ "]on[a-z]+=|javascript:' "$AU_SRC/bin/gateway/console/index.html"
	run ! grep -nE '(src|href)="([a-z]+:)?//' "$AU_SRC/bin/gateway/console/index.html"
	run ! grep -nE '@import|url\(' "$AU_SRC/bin/gateway/console/console.css"
	run ! grep -nE 'innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function' "$AU_SRC/bin/gateway/console/console.js"
}

@test "in a browser: a run is begun, talked to, watched and cancelled" {
	start_browser
	mkdir agents
	cp "$AU_SRC/bin/gateway/builtin/echo.json" agents/
	jq '.metadata.serviceId = "svc_slow" | .metadata.agent.agentId = "slow" | .metadata.agent.name = "Slow" | .spec.origin.command = ["sh", "-c", "read -r x; read -r y <never"]' \
		"$AU_SRC/bin/gateway/builtin/shell.json" >agents/slow.json
	mkfifo never
	exec 7<>never
	start_gateway --agents agents
	agent-run-create --agent echo --run before | agent-send --wait 'from the shell' >/dev/null
	visit "$url/status"
	wait_js 'document.querySelectorAll("#agents button").length === 2'
	wait_js 'document.querySelector("#runs button").textContent.includes("before")'
	wait_js 'document.getElementById("connection").textContent === "connected"'
	wait_js '[...document.querySelectorAll("#events li")].some((li) => li.textContent.includes("agent.chat.assistant_message"))'

	# a conversation with the echo agent
	click '#agents button[data-id=svc_echo]'
	wait_js 'document.activeElement.id === "text"'
	type_into '#text' 'hello <b>there</b>'
	press "$ENTER"
	wait_js '[...document.querySelectorAll("#log .said")].some((li) => li.textContent.endsWith("Echo: hello <b>there</b>"))'
	js 'document.querySelectorAll("#log b").length' | grep -qx 0
	wait_js 'document.getElementById("chat-status").textContent === "waiting"'
	wait_js 'document.querySelector("#runs [aria-current=true]").textContent.includes("console_")'
	mkdir -p "$AU_BUILD/tests"
	screenshot "$AU_BUILD/tests/console-light.png"

	# what others do is seen without asking
	agent-run-create --agent echo --run other >/dev/null
	wait_js '[...document.querySelectorAll("#runs button")].some((b) => b.textContent.includes("other"))'
	run=$(js 'document.querySelector("#runs [aria-current=true]").dataset.id' | jq -r .)
	agent-send --run "$run" 'from the shell' >/dev/null
	wait_js '[...document.querySelectorAll("#log .mine")].some((li) => li.textContent.endsWith("from the shell"))'

	# of a long run only its newest events are read, and then what happens
	for n in $(seq 2500); do echo "{\"kind\":\"agent.note\",\"message\":\"note $n\",\"data\":{\"runId\":\"long\"}}"; done | agent-emit >/dev/null
	wait_js '[...document.querySelectorAll("#runs button")].some((b) => b.dataset.id === "long")'
	js 'document.querySelector("#runs button[data-id=long]").focus()' >/dev/null
	wait_js 'document.activeElement.dataset.id === "long"'
	click '#runs button[data-id=long]'
	wait_js 'document.querySelectorAll("#log li").length === 1000 && document.querySelector("#log li:last-child").textContent.endsWith("note 2500")'
	agent-emit --run long --kind agent.note -m 'one more' >/dev/null
	wait_js 'document.querySelectorAll("#log li").length === 1000 && document.querySelector("#log li:last-child").textContent.endsWith("one more")'
	js 'document.querySelectorAll("#events li").length <= 300' | grep -qx true
	# what the focus is on stays, also when the list changes its order
	agent-emit --run before --kind agent.note -m 'first of the list now' >/dev/null
	wait_js 'document.querySelector("#runs button").dataset.id === "before"'
	js 'document.activeElement.dataset.id' | grep -qx '"long"'

	# a handler that hangs, cancelled
	click '#agents button[data-id=svc_slow]'
	wait_js 'document.getElementById("chat-title").textContent.startsWith("slow")'
	type_into '#text' 'take your time'
	press "$ENTER"
	wait_js 'document.getElementById("chat-status").textContent === "running"'
	click '#cancel'
	wait_js 'document.getElementById("chat-status").textContent === "cancelled"'
	wait_js 'document.getElementById("send").disabled && document.getElementById("cancel").hidden'
	[ "$(agent-runs --status cancelled --agent slow | wc -l)" = 1 ]

	# dark, as the system wants it and as the button says
	wd POST /goog/cdp/execute '{"cmd":"Emulation.setEmulatedMedia","params":{"features":[{"name":"prefers-color-scheme","value":"dark"}]}}' >/dev/null
	wait_js 'getComputedStyle(document.body).backgroundColor === "rgb(21, 22, 19)"'
	screenshot "$AU_BUILD/tests/console-dark.png"
	click '#theme'
	wait_js 'document.documentElement.dataset.theme === "light" && getComputedStyle(document.body).backgroundColor === "rgb(251, 251, 248)"'
	[ "$(complaints)" = '' ]
	for picture in light dark; do [ "$(wc -c <"$AU_BUILD/tests/console-$picture.png")" -gt 10000 ]; done
	exec 7>&-
}

@test "in a browser: everything by keyboard" {
	start_browser
	start_gateway
	agent-run-create --agent echo --run first | agent-send --wait one >/dev/null
	visit "$url/"
	wait_js 'document.querySelectorAll("#agents button").length === 2 && document.querySelectorAll("#runs button").length === 1'
	# the first stop leads over everything to the conversation
	press "$TAB"
	wait_js 'document.activeElement.className === "skip"'
	press "$TAB" "$TAB"
	wait_js 'document.activeElement.dataset.id === "svc_echo"'
	press "$DOWN"
	wait_js 'document.activeElement.dataset.id === "svc_shell"'
	press "$UP" "$ENTER"
	wait_js 'document.activeElement.id === "text"'
	press h i "$ENTER"
	wait_js '[...document.querySelectorAll("#log .said")].some((li) => li.textContent.endsWith("Echo: hi"))'
	wait_js 'document.activeElement.id === "text" && document.getElementById("text").value === ""'
	# back to the runs, and into another one
	wait_js 'document.querySelectorAll("#runs button").length === 2'
	press "$ESCAPE"
	wait_js 'document.activeElement.closest("#runs") !== null'
	press "$DOWN" "$ENTER"
	wait_js 'document.getElementById("chat-title").textContent === "echo: first"'
	wait_js '[...document.querySelectorAll("#log .said")].some((li) => li.textContent.endsWith("Echo: one"))'
	# each control has a name
	js '[...document.querySelectorAll("button, input, textarea")].filter((e) => !(e.textContent.trim() || (e.labels && e.labels.length))).length' | grep -qx 0
	[ "$(complaints)" = '' ]
}

@test "in a browser: a token is asked for, kept in the tab, and forgotten" {
	start_browser
	echo t0ken-of-mine >token
	start_gateway --token-file token
	visit "$url/"
	wait_js '!document.getElementById("door").hidden && document.getElementById("main").hidden && document.activeElement.id === "token"'
	type_into '#token' wrong
	press "$ENTER"
	wait_js 'document.getElementById("alert").textContent === "The gateway does not take this token."'
	type_into '#token' t0ken-of-mine
	press "$ENTER"
	wait_js '!document.getElementById("main").hidden && document.getElementById("door").hidden && document.querySelectorAll("#agents button").length === 2'
	wait_js 'document.getElementById("connection").textContent === "connected"'
	js 'document.documentElement.outerHTML.includes("t0ken-of-mine") || location.href.includes("t0ken") || document.cookie !== ""' | grep -qx false
	visit "$url/status"
	wait_js 'document.querySelectorAll("#agents button").length === 2'
	click '#leave'
	wait_js '!document.getElementById("door").hidden && sessionStorage.getItem("token") === null'
}

@test "in a browser: a gateway that is restarted is found again, and nothing is shown twice" {
	start_browser
	start_gateway
	port=${url##*:}
	agent-run-create --agent echo --run r | agent-send --wait one >/dev/null
	visit "$url/#run=r"
	wait_js '[...document.querySelectorAll("#log .said")].some((li) => li.textContent.endsWith("Echo: one"))'
	kill "$gateway_pid"
	await 15 gone "$gateway_pid"
	wait_js 'document.getElementById("connection").dataset.state === "lost"'
	start again agent-gateway --listen "127.0.0.1:$port" --state "$BATS_TEST_TMPDIR/state" "${store[@]}"
	await 15 has_line again.out listening
	wait_js 'document.getElementById("connection").dataset.state === "live"'
	agent-send --run r two >/dev/null
	wait_js '[...document.querySelectorAll("#log .said")].some((li) => li.textContent.endsWith("Echo: two"))'
	js 'document.querySelectorAll("#log .said").length' | grep -qx 4
	js '(() => { const seqs = [...document.querySelectorAll("#events li")].map((li) => parseInt(li.textContent)); return seqs.every((n, i) => !i || n > seqs[i - 1]); })()' | grep -qx true
}
