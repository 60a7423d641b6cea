#!/bin/sh
# Makes single-tenant.tar.gz: a data directory as the last version before tenants leaves it (commit 358cd62).
# It needs that version's programs: git worktree add OLD 358cd62; (cd OLD && go build -o BIN/ ./cmd/...); make.sh BIN
set -eu
bin=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export BELFRY_DATA="$work/data" BELFRY_API_KEY=the-old-key BELFRY_LISTEN=127.0.0.1:18480 BELFRY_SIM_LISTEN=127.0.0.1:18490
export BELFRY_API=http://127.0.0.1:18480
send() { # BODY
	curl -sS --fail "$BELFRY_API/v1/notifications" -H "Authorization: Bearer $BELFRY_API_KEY" -H 'Content-Type: application/json' -d "$1"
}
up() { # COMMAND…
	"$@" >"$work/log" 2>&1 &
	pid=$!
	until curl -sS --fail "$BELFRY_API/readyz" >/dev/null 2>&1; do sleep 0.2; done
}
up "$bin/belfry" up --sandbox --max-attempts 1
"$bin/belfry" devices put phone-1 --token my-phone --platform android --user alice
"$bin/belfry" send --to-token my-phone --to-token sim-unregistered-1 --title finished || true
"$bin/belfry" send --to-token sim-internal-9-a --to-token sim-internal-9-b --title dead || true
printf '{"token":"device-%d"}\n' 1 2 3 4 5 6 7 8 9 10 >"$work/lines"
"$bin/belfry" send --recipients "$work/lines" --title batch
"$bin/dlq-replayer" drain
kill "$pid"; wait "$pid" || true
up "$bin/ingest" # nobody sends: what is accepted now stays open
send '{"to":{"user_ids":["alice"]},"ttl":"672h","message":{"notification":{"title":"open"}}}' >/dev/null
curl -sS --fail -X POST "$BELFRY_API/v1/batches" -H "Authorization: Bearer $BELFRY_API_KEY" -H 'Content-Type: application/json' \
	-d '{"ttl":"672h","message":{"notification":{"title":"uploading"}}}' >/dev/null
kill "$pid"; wait "$pid" || true
tar -C "$work" -czf "$here/single-tenant.tar.gz" data
