#!/usr/bin/env bash
# MLflow as a service of the head: infra/mlflow/install.sh s3://bucket/mlflow [python]
#
# Its database is sqlite on the head's encrypted disk. One server is its only writer and takes thousands of rows a second, and a
# second service to run, secure and back up would buy nothing at this size. What MLflow shows can also be made again from the
# studies' folders, so a backup every ten minutes is enough. Artifacts go through the server to the bucket.
set -euo pipefail
store=${1:?usage: infra/mlflow/install.sh s3://bucket/prefix [python]}
code=$(cd "$(dirname "$0")/../.." && pwd)
python=${2:-$code/.venv/bin/python}
# Where the units go; a test names another folder and starts nothing.
units=${UNITS:-/etc/systemd/system}

[[ -x $python ]] || { echo "$python is no Python: run make setup first, or name the one to use" >&2; exit 2; }
[[ $store == s3://?* || $store == /* ]] || { echo "STORE is '$store': give s3://bucket/prefix or an absolute folder" >&2; exit 2; }
sudo=()
if ((EUID)); then sudo=(sudo); fi
for unit in mlflow.service mlflow-backup.service mlflow-backup.timer; do
  sed "s|@USER@|$(id -un)|; s|@CODE@|$code|; s|@PYTHON@|$python|; s|@STORE@|${store%/}|g" "$code/infra/mlflow/$unit" |
    "${sudo[@]}" tee "$units/$unit" >/dev/null
done
[[ -z ${UNITS:-} ]] || exit 0
"${sudo[@]}" systemctl daemon-reload
"${sudo[@]}" systemctl enable --quiet mlflow-backup.timer mlflow.service
"${sudo[@]}" systemctl restart mlflow-backup.timer mlflow.service
echo "MLflow on http://127.0.0.1:5000 of this machine: systemctl status mlflow, journalctl -u mlflow"
