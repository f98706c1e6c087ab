#!/usr/bin/env bash
# Stop an on-premises cluster and check that it is stopped: infra/onprem/down.sh [infra/onprem/cluster.yaml]
# `ray down` stops the head only, reports that no nodes remain, and leaves the private key that `ray up` copied to the head.
# Exit code 1 if a machine cannot be reached or has processes, keys or secrets left; its line says which. Results are kept.
set -euo pipefail
cluster=${1:-$(dirname "$0")/cluster.yaml}
python=$(dirname "$0")/../../.venv/bin/python

read -r name user key head workers < <("$python" - "$cluster" <<'PYTHON'
import sys, yaml
c = yaml.safe_load(open(sys.argv[1]))
print(c["cluster_name"], c["auth"]["ssh_user"], c["auth"]["ssh_private_key"], c["provider"]["head_ip"], *c["provider"]["worker_ips"])
PYTHON
)

stop_and_list() {  # stop Ray on a machine; print the processes, keys and secrets that remain
  ssh -i "${key/#\~/$HOME}" -o BatchMode=yes -o ConnectTimeout=10 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
    -o LogLevel=ERROR "$user@$1" bash -s -- "$name" <<'REMOTE'
left() {
  pgrep -u "$(id -u)" -a -f 'ray::|raylet|gcs_server|ray/dashboard|ray/autoscaler|ray/_private' ||
    test $? -eq 1 || echo "unknown processes: pgrep failed"
}
~/facegan/.venv/bin/ray stop --grace-period 10 > /dev/null 2>&1
[[ -z $(left) ]] || ~/facegan/.venv/bin/ray stop --force > /dev/null 2>&1
rm -f ~/ray_bootstrap_key.pem ~/ray_bootstrap_config.yaml ~/.facegan/node.env "/tmp/ray/cluster-$1".{state,lock}
left
ls ~/ray_bootstrap_key.pem ~/.facegan/node.env 2> /dev/null || true
REMOTE
}

down() {
  local left
  if ! left=$(stop_and_list "$1"); then
    echo "FAIL  $1: not reached; run this again when the machine is reachable" >&2
    return 1
  elif [[ -n $left ]]; then
    echo "FAIL  $1: remaining: $left" >&2
    return 1
  fi
  echo "ok    $1: no process of Ray, no key, no secrets"
}

failed=0
down "$head" || failed=1  # first, because its autoscaler would start the workers again
started=()
for worker in $workers; do
  down "$worker" &
  started+=($!)
done
for process in "${started[@]}"; do wait "$process" || failed=1; done
rm -f "/tmp/ray/cluster-$name".{state,lock}
exit $failed
