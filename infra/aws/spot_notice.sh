#!/usr/bin/env bash
# Listen for AWS's notice, two minutes before it takes a spot node back. Then trials of this node write a checkpoint at each report
# (FACEGAN_NOTICE, see infra/aws/node.sh), and Ray starts nothing more here.
set -euo pipefail

systemctl is-active --quiet spot-notice.service && exit 0
read -r -d '' listen << 'LISTEN' || true
metadata=http://169.254.169.254/latest
while sleep "${NOTICE_EVERY:-5}"; do
  # IMDSv2 answers only requests that carry a token; without a notice it answers 404.
  token=$(curl -sf -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" "$metadata/api/token") || continue
  curl -sf -H "X-aws-ec2-metadata-token: $token" "$metadata/meta-data/spot/instance-action" > /dev/null || continue
  touch "$FACEGAN_NOTICE"
  exec ray drain-node --reason DRAIN_NODE_REASON_PREEMPTION --reason-message "AWS takes the spot node back" \
    --deadline-remaining-seconds 110
done
LISTEN
sudo systemd-run --quiet --unit=spot-notice --uid="$USER" --property=EnvironmentFile=/etc/facegan.env \
  --setenv=HOME="$HOME" --setenv=PATH="$HOME/venv/bin:$PATH" bash -c "$listen"
