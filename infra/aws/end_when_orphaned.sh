#!/usr/bin/env bash
# Power a worker off that has had no raylet for ten minutes. The autoscaler that ends idle workers runs on the head. After the
# loss of the head nothing else ends a worker, and it costs money. AWS terminates a worker that powers off (infra/cluster.yaml).
set -euo pipefail

systemctl is-active --quiet end-when-orphaned.timer && exit 0
# First check after 30 minutes, because the rest of the set-up needs time; then every five minutes. Two checks in a row without a
# raylet power the worker off.
sudo systemd-run --quiet --unit=end-when-orphaned --on-active=30min --on-unit-active=5min --timer-property=AccuracySec=1s \
  bash -c 'if pgrep -x raylet > /dev/null; then rm -f /run/orphaned; elif [ -e /run/orphaned ]; then poweroff; else touch /run/orphaned; fi'
