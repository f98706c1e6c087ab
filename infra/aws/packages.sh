#!/usr/bin/env bash
# Give a node its locked Python packages: `packages.sh` unpacks the archive in the store (infra/aws/packages.py), or installs them
# if that fails. `packages.sh put`, on the head, puts the archive there in the background. A second run changes nothing.
set -euo pipefail

code=$(cd "$(dirname "$0")/../.." && pwd)
venv=$HOME/venv
if [[ ${1:-} == put ]]; then
  systemctl is-active --quiet put-packages.service && exit 0
  sudo systemd-run --quiet --collect --unit=put-packages --uid="$USER" --nice=19 --property=EnvironmentFile=/etc/facegan.env \
    --setenv=HOME="$HOME" --working-directory="$code" "$venv/bin/python" -m infra.aws.packages put --venv "$venv"
  exit 0
fi
install=(make -C "$code" setup PYTHON=python3.12 "VENV=$venv" EXTRAS=)
"${install[@]}" --question > /dev/null && exit 0
# A few packages are enough to read the store.
start=$(mktemp -d)
trap 'rm -rf "$start"' EXIT
python3.12 -m venv "$start"
"$start/bin/python" -m pip install --quiet --disable-pip-version-check --constraint "$code/constraints.txt" boto3 filelock pyyaml tyro
(cd "$code" && "$start/bin/python" -m infra.aws.packages fetch --venv "$venv") ||
  echo "packages.sh: not fetched, for the reason above: the packages are installed" >&2
"${install[@]}"
