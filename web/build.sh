#!/usr/bin/env bash
# Builds the console into the folder that go build embeds, if what lies there is older than its source. It needs Node 20 and npm, and
# npm's network or cache once; without them it says so, and the programs are built without the console. It never fails.
set -uo pipefail
cd "$(dirname "$0")" || exit 0
dist=../internal/httpapi/console/dist

[[ ! -e $dist/index.html || -n $(find src index.html package-lock.json vite.config.ts -type f ! -path 'src/api/*.json' ! -name '*.d.ts' -newer $dist/index.html -print -quit) ]] || exit 0
out() { echo "  the console is left out: $1"; exit 0; }
major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null) || out "there is no Node"
((major >= 20)) || out "Node is older than 20"
command -v npm >/dev/null || out "there is no npm"

log=$(mktemp) || exit 0
trap 'rm -rf "$log" "${to:-}"' EXIT
sum=$( (sha256sum package-lock.json 2>/dev/null || shasum -a 256 package-lock.json) | cut -d ' ' -f 1)
marker=node_modules/.belfry-standins # as test/standins writes it
if [[ $(cat "$marker" 2>/dev/null) != "$sum" ]]; then
	npm ci --ignore-scripts --no-audit --no-fund --prefer-offline --fetch-retries=0 --fetch-timeout=20000 >"$log" 2>&1 ||
		out "npm could not install its packages ($(grep -m 1 'npm error' "$log" || echo 'it does not say why'))"
	printf %s "$sum" >"$marker"
fi
to=$(mktemp -d) || exit 0
BELFRY_UI_OUT=$to node_modules/.bin/vite build --logLevel warn >"$log" 2>&1 || out "vite could not build it: $(tail -n 1 "$log")"
rm -rf $dist/assets
mv "$to/assets" $dist/ && mv "$to/index.html" $dist/ && touch $dist/index.html && echo "  the console is built"
