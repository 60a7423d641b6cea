#!/bin/sh
# After a removal. What was accepted and how it ended, in /var/lib/belfry, stays until somebody removes it by hand, and so does
# the user who owns it.
set -eu

if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
fi
