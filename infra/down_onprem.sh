#!/usr/bin/env bash
# Take an on-premises cluster down and look whether it is: infra/down_onprem.sh [infra/onprem.yaml]
# `ray down` stops the head alone, says that no nodes remain, and leaves the private key that `ray up` put there.
# Exit code 1 where a machine could not be reached or still runs Ray; the line names it. What jobs wrote stays.
set -euo pipefail
cluster=${1:-$(dirname "$0")/onprem.yaml}
python=$(dirname "$0")/../.venv/bin/python
[[ -x $python ]] || python=python3

read -r name user key head workers < <("$python" - "$cluster" <<'PYTHON'
import sys, yaml
c = yaml.safe_load(open(sys.argv[1]))
print(c["cluster_name"], c["auth"]["ssh_user"], c["auth"]["ssh_private_key"], c["provider"]["head_ip"], *c["provider"]["worker_ips"])
PYTHON
)

on() {  # a machine, a script
  ssh -n -i "${key/#\~/$HOME}" -o BatchMode=yes -o ConnectTimeout=10 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
    -o LogLevel=ERROR "$user@$1" "$2"
}

stop="~/facegan/.venv/bin/ray stop --grace-period 10 > /dev/null 2>&1; ~/facegan/.venv/bin/ray stop --force > /dev/null 2>&1
rm -f ~/ray_bootstrap_key.pem ~/ray_bootstrap_config.yaml ~/.facegan/node.env /tmp/ray/cluster-$name.state /tmp/ray/cluster-$name.lock"
# The brackets keep the search from finding itself.
look='pgrep -u "$(id -u)" -a -f "[r]ay::|[r]aylet|[g]cs_server|[r]ay/dashboard|[r]ay/autoscaler|[r]ay/_private" || test $? -eq 1
ls ~/ray_bootstrap_key.pem ~/.facegan/node.env 2> /dev/null || true'

failed=0
for host in "$head" $workers; do  # the head first: its autoscaler would start the workers again
  on "$host" "$stop" || true
  if ! left=$(on "$host" "$look"); then
    echo "FAIL  $host: not reached; when it is back: ssh $user@$host 'facegan/.venv/bin/ray stop --force'" >&2
    failed=1
  elif [[ -n $left ]]; then
    echo "FAIL  $host: still there: $left" >&2
    failed=1
  else
    echo "ok    $host: no process of Ray, no key, no secrets"
  fi
done
rm -f "/tmp/ray/cluster-$name.state" "/tmp/ray/cluster-$name.lock"
exit $failed
