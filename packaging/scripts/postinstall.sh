#!/bin/sh
# After an installation or an upgrade: the user that the services run as, and a restart of those that run. Nothing that did not
# run is started: without a credential of FCM there is nothing to do.
set -eu

if ! getent passwd belfry >/dev/null; then
    if command -v systemd-sysusers >/dev/null; then
        systemd-sysusers belfry.conf
    else
        useradd --system --user-group --home-dir /var/lib/belfry --no-create-home --shell /usr/sbin/nologin belfry
    fi
fi
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl try-restart belfry.service belfry-ingest.service belfry-dispatcher.service belfry-dlq-replayer.service
fi
