#!/bin/sh
set -e
# On removal nothing may go on with a binary that is gone. On an upgrade recording goes on until the new one is there.
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl stop 'fsmon@*.service' || true
fi
