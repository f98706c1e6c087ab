#!/usr/bin/env bash
# Power a worker off that has had no raylet for ten minutes: its autoscaler lives on the head, so where the head was lost
# nobody else would end it, and it would cost until somebody looked. AWS then terminates it (infra/cluster.yaml).
set -euo pipefail

systemctl is-active --quiet end-when-orphaned.timer && exit 0
# Half an hour for the rest of the set-up, then a look every five minutes; the second in a row without a raylet ends it.
sudo systemd-run --quiet --unit=end-when-orphaned --on-active=30min --on-unit-active=5min --timer-property=AccuracySec=1s \
  bash -c 'if pgrep -x raylet > /dev/null; then rm -f /run/orphaned; elif [ -e /run/orphaned ]; then poweroff; else touch /run/orphaned; fi'
