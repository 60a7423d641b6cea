#!/usr/bin/env bash
# Registers two phones of a user, one of which has lost the app, sends to her, waits
# for the end and prints how each delivery ended. Needs curl and jq.
set -euo pipefail

api=${BELFRY_API:-http://127.0.0.1:8080}

# call METHOD PATH [JSON] [HEADER]: prints the answer. An error's answer is a
# problem document, which says what is wrong and where.
call() {
    local answer args=(-sS --fail-with-body --retry 3 -X "$1" "$api$2")
    [[ -z ${BELFRY_API_KEY:-} ]] || args+=(-H "Authorization: Bearer $BELFRY_API_KEY")
    [[ -z ${3:-} ]] || args+=(-H 'Content-Type: application/json' -d "$3")
    [[ -z ${4:-} ]] || args+=(-H "$4")
    answer=$(curl "${args[@]}") || { echo "$answer" >&2; return 1; }
    echo "$answer"
}

# The app calls this through your backend each time it starts: the id is yours,
# the token is what Firebase gave the app.
call PUT /v1/devices/phone-of-alice '{"token": "token-of-alice", "platform": "android", "user_id": "alice"}' >/dev/null
call PUT /v1/devices/old-phone-of-alice '{"token": "sim-unregistered-1", "platform": "android", "user_id": "alice"}' >/dev/null

# The key makes the request safe to repeat: the same key gets the same answer,
# and nothing is sent twice. Take one from your data; here it is a new one a run.
order=order-$RANDOM$RANDOM
sent=$(call POST /v1/notifications '{
    "to": {"user_ids": ["alice"]},
    "message": {"notification": {"title": "Your order is on its way"}},
    "ttl": "6h"
}' "Idempotency-Key: $order-shipped")
id=$(jq -r .id <<<"$sent")
echo "accepted as $id"

# A notification is done when nothing is open any more.
until shown=$(call GET "/v1/notifications/$id") && jq -e '.state == "completed"' <<<"$shown" >/dev/null; do
    sleep 0.2
done
jq -r '"completed: \(.counts.sent) sent, \(.counts.permanent) permanent"' <<<"$shown"

# One row a delivery: the code says why, the class what to think of it.
call GET "/v1/notifications/$id/deliveries" | jq -r '.items[] | "\(.code): \(.class)"' | sort
