#!/usr/bin/env bash
# Install MLflow as a systemd service of the head: infra/mlflow/install.sh s3://bucket/mlflow [python]
#
# The database is sqlite on the head's disk (encrypted on AWS). One server is its only writer and takes thousands of rows a second.
# A separate database service would have to be run, secured and backed up, without a benefit at this size. The runs can be restored from the study
# folders too, so a backup every ten minutes is enough. The server writes artifacts to the bucket.
set -euo pipefail
store=${1:?usage: infra/mlflow/install.sh s3://bucket/prefix [python]}
code=$(cd "$(dirname "$0")/../.." && pwd)
python=${2:-$code/.venv/bin/python}
# Folder of the units. If UNITS is set, as in the tests, the units are written but not started.
units=${UNITS:-/etc/systemd/system}

[[ -x $python ]] || { echo "PYTHON is '$python': not an executable file; run make setup, or give the interpreter as second argument" >&2; exit 2; }
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
echo "MLflow is at http://127.0.0.1:5000 on this machine; see: systemctl status mlflow, journalctl -u mlflow"
