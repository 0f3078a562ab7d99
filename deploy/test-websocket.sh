#!/usr/bin/env bash
# Tries a running Fliliy Chat from outside, step by step, and makes a configuration for front-end developers to begin with.
# Needs bash, curl and the gateway's binary, which it finds or builds. Says ✅ or ❌ for each step, and ends at the first ❌
# with exit code 1 (2: it was called wrongly).
set -euo pipefail

usage() {
  cat <<'HELP'
usage: deploy/test-websocket.sh [--base-url URL] [--token JWT] [--with USER] [--config FILE] [--json]

  --base-url  address of a gateway or the load balancer before them; default http://127.0.0.1:8080, as `make run` has it
  --token     the token to use; default $FLILIY_TOKEN, else one for the user test-alice: by the development server, or
              signed with $FLILIY_GATEWAY_JWT_SECRET
  --with      the other user of the room; default test-bob
  --config    where to write the configuration (it holds the token); default fliliy-chat-test.json in $TMPDIR or /tmp
  --json      print one JSON object instead of lines

The gateway's binary is $GATEWAY, else .bin/gateway, else `gateway` in the PATH; with Go installed it is built.
HELP
}

base=http://127.0.0.1:8080 token=${FLILIY_TOKEN:-} other=test-bob json=
config=${TMPDIR:-/tmp}/fliliy-chat-test.json

while [ $# -gt 0 ]; do
  case $1 in
    --json) json=yes; shift; continue ;;
    -h | --help) usage; exit 0 ;;
    --base-url | --token | --with | --config) ;;
    *) echo "unknown argument $1" >&2; usage >&2; exit 2 ;;
  esac
  [ $# -ge 2 ] || { echo "$1 wants a value" >&2; exit 2; }
  case $1 in
    --base-url) base=${2%/} ;;
    --token) token=$2 ;;
    --with) other=$2 ;;
    --config) config=$2 ;;
  esac
  shift 2
done

root=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
umask 077 # the configuration and the scratch files hold a token

# quoted TEXT: as a JSON string.
quoted() {
  local text=$1
  text=${text//\\/\\\\}
  text=${text//\"/\\\"}
  text=${text//[$'\n\r\t']/ }
  printf '"%s"' "$text"
}

# field NAME FILE: a string or number of a JSON object, the first of that name. The objects here are flat enough.
field() {
  sed -nE "s/.*\"$1\": ?\"?([^\",}]*)\"?[,}].*/\1/p" "$2" | head -n 1
}

steps=
note() { # note OK NAME DETAIL [WHAT TO DO]
  steps+="${steps:+,}{\"name\":$(quoted "$2"),\"ok\":$1,\"detail\":$(quoted "$3")${4:+,\"hint\":$(quoted "$4")}}"
}

finish() { # finish OK [CONFIGURATION]
  [ -z "$json" ] || printf '{"ok":%s,"baseUrl":%s,"steps":[%s]%s}\n' "$1" "$(quoted "$base")" "$steps" "${2:+,\"config\":$2}"
}

pass() { # pass NAME DETAIL
  note true "$1" "$2"
  [ -n "$json" ] || printf '✅ %-9s %s\n' "$1" "$2"
}

fail() { # fail NAME DETAIL WHAT-TO-DO
  note false "$1" "$2" "$3"
  [ -n "$json" ] || printf '❌ %-9s %s → %s\n' "$1" "$2" "$3"
  finish false
  exit 1
}

status=
request() { # request METHOD PATH [BODY]: the answer in $scratch/answer, its status in $status, 000 without one
  local args=(-sS --max-time 10 -X "$1" -o "$scratch/answer" -w '%{http_code}' -H 'Content-Type: application/json')
  [ -z "$token" ] || args+=(-H @"$scratch/authorization") # not on the command line, where others may read it
  [ $# -lt 3 ] || args+=(--data "$3")
  : >"$scratch/answer"
  status=$(curl "${args[@]}" "$base$2" 2>"$scratch/error") || true
}

problem() { # what the last request came to
  if [ "$status" = 000 ]; then
    head -n 1 "$scratch/error"
  else
    local message
    message=$(field message "$scratch/answer")
    echo "HTTP $status${message:+: $message}"
  fi
}

gateway=
find_gateway() {
  local candidate help
  for candidate in "${GATEWAY:-}" "$root/.bin/gateway" "$(command -v gateway || true)"; do
    [ -n "$candidate" ] || continue
    help=$("$candidate" probe --help 2>&1 || true) # it may be another program, or one from before there was a probe
    if [[ $help == *-room* ]]; then
      gateway=$candidate
      return
    fi
  done
  if command -v go >/dev/null && [ -f "$root/go.work" ]; then
    gateway=$scratch/gateway
    (cd "$root" && CGO_ENABLED=0 go build -o "$gateway" ./gateway/cmd/gateway) >"$scratch/error" 2>&1 && return
  fi
  fail binary "the gateway's binary is not there" "make build, or name it with GATEWAY=/path/to/gateway"
}

health() {
  request GET /healthz
  [ "$status" = 200 ] || fail health "$base: $(problem)" "start it (make run, or docker compose up), or name it with --base-url"
  request GET /readyz
  [ "$status" = 200 ] || fail health "alive, and not ready: $(problem)" "the admin address says why: /readyz there, and the gateway's log"
  pass health "$base is alive and ready"
}

get_token() {
  local how="as given"
  if [ -z "$token" ]; then
    request POST /api/v1/dev/token '{"userId":"test-alice"}'
    if [ "$status" = 200 ]; then
      token=$(field token "$scratch/answer") how="by the development server"
    elif [ -n "${FLILIY_GATEWAY_JWT_SECRET:-}" ]; then
      find_gateway
      token=$("$gateway" gen-token test-alice 24h 2>"$scratch/error") || fail token "$(head -n 1 "$scratch/error")" "check FLILIY_GATEWAY_JWT_SECRET"
      how="signed with FLILIY_GATEWAY_JWT_SECRET"
    else
      fail token "this server gives no development tokens ($(problem))" "give --token, or set FLILIY_GATEWAY_JWT_SECRET to the gateways' secret"
    fi
  fi
  printf 'Authorization: Bearer %s\n' "$token" >"$scratch/authorization"
  request GET "/api/v1/chat-rooms?limit=1"
  [ "$status" = 200 ] || fail token "the gateway does not take it: $(problem)" "give one that is signed with the gateways' secret and has not ended"
  pass token "$how, and the gateway takes it"
}

room=
create_room() {
  request POST /api/v1/chat-rooms "{\"memberIds\":[$(quoted "$other")]}"
  room=$(field chatRoomId "$scratch/answer")
  case $status in
    201) pass room "$room, new, with $other" ;;
    200) pass room "$room, which was there, with $other" ;;
    *) fail room "$(problem)" "the token's user has to be another one than --with $other" ;;
  esac
}

message="test-websocket $(date -u +%FT%TZ) $RANDOM$RANDOM"
message_id=
send() {
  local body
  body="{\"type\":\"TEXT\",\"content\":$(quoted "$message"),\"clientMessageId\":$(quoted "$message")}"
  request POST "/api/v1/chat-rooms/$room/messages" "$body"
  message_id=$(field messageId "$scratch/answer")
  if [ "$status" != 200 ] || [ -z "$message_id" ]; then
    fail send "$(problem)" "look at the chat service's log and its database"
  fi
  request POST "/api/v1/chat-rooms/$room/messages" "$body"
  [ "$(field messageId "$scratch/answer")" = "$message_id" ] || fail send "a repeat was stored twice" "this is a bug: report it"
  pass send "$message_id by HTTP, and a repeat stores nothing"
}

history() {
  request GET "/api/v1/chat-rooms/$room/messages?limit=20"
  [ "$status" = 200 ] || fail history "$(problem)" "look at the chat service's log and its database"
  grep -qF "$message" "$scratch/answer" || fail history "the message $message_id is not in it" "look at the chat service's database: it was acknowledged"
  pass history "$message_id is in it"
}

user=
stomp() {
  find_gateway
  if ! FLILIY_TOKEN=$token "$gateway" probe --url "$base" --room "$room" >"$scratch/probe" 2>"$scratch/error"; then
    fail stomp "$(head -n 1 "$scratch/error")" "a proxy on the way has to pass WebSockets on at /ws; else look at the gateway's log"
  fi
  user=$(field user "$scratch/probe")
  pass stomp "$(field messageId "$scratch/probe") there and back as $user: stored in $(field receiptMs "$scratch/probe") ms, received in $(field messageMs "$scratch/probe") ms"
}

presence() {
  grep -q "\"online\":\[[^]]*\"$user\"" "$scratch/probe" || fail presence "the room was not told that $user is online" "look at Redis, and at /readyz of the admin address (degraded)"
  local try
  for try in 1 2 3 4 5; do
    request GET "/api/v1/chat-rooms/$room/online"
    if [ "$(field known "$scratch/answer")" = true ] || [ "$try" = 5 ]; then break; fi
    sleep 1 # who looks presence up may be new, or busy
  done
  [ "$(field known "$scratch/answer")" = true ] || fail presence "nobody can tell who is online: $(problem)" "look at Redis, and at /readyz of the admin address (degraded)"
  pass presence "$user was online while connected"
}

made=
configuration() {
  made="{\"serverUrl\":$(quoted "$base"),\"webSocketUrl\":$(quoted "ws${base#http}/ws"),\"userId\":$(quoted "$user"),\"chatRoomId\":$(quoted "$room"),\"jwtToken\":$(quoted "$token"),\"page\":$(quoted "$base/#server=$base&room=$room&token=$token")}"
  printf '%s\n' "$made" >"$config" 2>/dev/null || fail config "$config cannot be written" "choose another file with --config"
  pass config "$config"
  [ -n "$json" ] || printf '\nOpen the test page, filled in (the link holds the token):\n%s\n' "$base/#server=$base&room=$room&token=$token"
}

health
get_token
create_room
send
history
stomp
presence
configuration
finish true "$made"
