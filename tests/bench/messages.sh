#!/usr/bin/env bash
# messages.sh - durable messages to the echo agent, with their replies, over 32 connections: one NDJSON line
set -eu
state=$(mktemp -d)
trap 'kill "$gateway"; wait "$gateway" || :; rm -rf "$state"' EXIT
agent-gateway --listen 127.0.0.1:0 --state "$state" >"$state/out" 2>"$state/err" &
gateway=$!
until [ -s "$state/out" ]; do kill -0 "$gateway"; done
python3 "$(dirname "$0")/post.py" 'durable messages with their replies, 32 connections' 5 32 '{"goal":">= 23400/s, p99 < 10 ms"}' "$(jq -r .url "$state/out")"
