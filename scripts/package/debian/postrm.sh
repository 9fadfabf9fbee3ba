#!/bin/sh
set -e
# Logs, stores and configs belong to their owners: neither removal nor purge touches them.
if [ "$1" = purge ] && [ -d /etc/systemd/system ]; then
  find /etc/systemd/system -type l -name 'fsmon@*.service' -delete
fi
if [ -d /run/systemd/system ]; then
  systemctl --system daemon-reload || true
fi
