#!/bin/sh
# Before a removal, but not before an upgrade, the services stop: each finishes what it has in hand, or hands it back.
set -eu

case "${1:-}" in
remove | 0)
    if [ -d /run/systemd/system ]; then
        systemctl disable --now belfry.service belfry-ingest.service belfry-dispatcher.service belfry-dlq-replayer.service
    fi
    ;;
esac
