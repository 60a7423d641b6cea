#!/bin/sh
# Makes single-tenant-aws.tar.gz: the items of DynamoDB's tables as the last version before tenants leaves them (commit
# 358cd62), a file of JSON for each table. It needs that version's programs and stand-ins:
#   git worktree add OLD 358cd62; (cd OLD && go build -o BIN/ ./cmd/... ./test/standins/cmd/aws-local && BIN/aws-local HERE/make-aws.sh BIN)
set -eu
bin=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export BELFRY_BACKEND=aws BELFRY_AWS_BUCKET=belfry-pages BELFRY_API_KEY=the-old-key BELFRY_LISTEN=127.0.0.1:18481 BELFRY_SIM_LISTEN=127.0.0.1:18491
export BELFRY_API=http://127.0.0.1:18481
post() { # PATH BODY
	curl -sS --fail "$BELFRY_API$1" -H "Authorization: Bearer $BELFRY_API_KEY" -H 'Content-Type: application/json' -d "$2" >/dev/null
}
up() { # COMMAND…
	"$@" >"$work/log" 2>&1 &
	pid=$!
	until curl -sS --fail "$BELFRY_API/readyz" >/dev/null 2>&1; do
		kill -0 "$pid" || { cat "$work/log"; exit 1; }
		sleep 0.2
	done
}
scan() { # TABLE: what a stand-in does not check is made up
	curl -sS --fail "$AWS_ENDPOINT_URL_DYNAMODB/" -H 'X-Amz-Target: DynamoDB_20120810.Scan' -H 'Content-Type: application/x-amz-json-1.0' \
		-H 'X-Amz-Date: 20261201T000000Z' -H 'Authorization: AWS4-HMAC-SHA256 Credential=x/20261201/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=x' \
		-d "{\"TableName\":\"belfry-$1\"}" >"$work/items/$1.json"
}
"$bin/belfry" provision
up "$bin/belfry" up --sandbox --max-attempts 1
"$bin/belfry" devices put phone-1 --token my-phone --platform android --user alice
"$bin/belfry" send --to-token my-phone --to-token sim-unregistered-1 --title finished || true
"$bin/belfry" send --to-token sim-internal-9-a --to-token sim-internal-9-b --title dead || true
printf '{"token":"device-%d"}\n' 1 2 3 4 5 6 7 8 9 10 >"$work/lines"
"$bin/belfry" send --recipients "$work/lines" --title batch
"$bin/dlq-replayer" drain
kill "$pid"; wait "$pid" || true
up "$bin/ingest" # nobody sends: what is accepted now stays open
post /v1/notifications '{"to":{"user_ids":["alice"]},"ttl":"672h","message":{"notification":{"title":"open"}}}'
post /v1/batches '{"ttl":"672h","message":{"notification":{"title":"uploading"}}}'
kill "$pid"; wait "$pid" || true
mkdir "$work/items"
for table in notifications chunks devices config letters; do scan "$table"; done
tar -C "$work" -czf "$here/single-tenant-aws.tar.gz" items
