#!/usr/bin/env bash
# Power the head off once it has had neither a job nor an SSH connection, such as a tunnel, for some minutes; see the runbook.
# AWS terminates a head that powers off (infra/cluster.yaml). Before that, mlflow-backup.service saves MLflow's database.
set -euo pipefail

minutes=${1:?end_when_idle.sh: minutes, such as 60}
systemctl is-active --quiet end-when-idle.timer && exit 0
# A job is seen by its driver, and by Ray's process for it. The brackets keep pgrep from finding the shell that calls it.
read -r -d '' check << 'CHECK' || true
since=${IDLE_SINCE:-/run/idle-since}
# Seconds since boot: the clock may be set after boot, and then an hour would seem to have passed.
read -r now _ < /proc/uptime
now=${now%.*}
if pgrep -f '[j]obs/[a-z_/]*\.py|[J]obSupervisor' > /dev/null || [ -n "$(ss --no-header --tcp --numeric state established 'sport = :22')" ]; then
  rm -f "$since"
elif [ ! -e "$since" ]; then
  echo "$now" > "$since"
elif [ $((now - $(cat "$since"))) -ge $((60 * $0)) ]; then
  poweroff
fi
CHECK
sudo systemd-run --quiet --unit=end-when-idle --on-active=5min --on-unit-active=5min --timer-property=AccuracySec=1s \
  bash -c "$check" "$minutes"
