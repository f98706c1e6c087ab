#!/usr/bin/env bash
# Prepare a node for its Python packages: system packages, scratch disk, and the environment of all that Ray starts.
# `ray up` runs it on the head, and the head runs it on each worker. A second run changes nothing.
set -euo pipefail

# Ubuntu installs updates in the first minutes and holds apt's lock. Nodes live for hours, and new ones have a recent image.
sudo cloud-init status --wait > /dev/null || [ $? -eq 2 ]  # 2: done, with warnings
sudo systemctl disable --quiet --now apt-daily.timer apt-daily-upgrade.timer unattended-upgrades.service
apt=(sudo DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600)
"${apt[@]}" update
"${apt[@]}" install libgl1 libglib2.0-0t64 libxcb1 make python3.12-venv zstd > /dev/null

# /scratch: the NVMe disk of the instance, which the GPU image mounts at boot; the root disk on a node without one.
disks=(/dev/disk/by-id/nvme-Amazon_EC2_NVMe_Instance_Storage_*)
if [ -e "${disks[0]}" ] && ! mountpoint --quiet /opt/dlami/nvme; then
  echo "node.sh: the instance's NVMe disk is not mounted at /opt/dlami/nvme; see: systemctl status dlami-nvme" >&2
  exit 1
fi
[ -e "${disks[0]}" ] && home=/opt/dlami/nvme/scratch || home=/var/lib/scratch
sudo mkdir -p "$home"
sudo chown "$USER:" "$home"
sudo ln -sfn "$home" /scratch
mkdir -p /scratch/ray /scratch/facegan /scratch/torch
# Ray looks for its address file in /tmp/ray only. The mount puts its spilled objects and logs on the scratch disk.
mkdir -p /tmp/ray
mountpoint --quiet /tmp/ray || sudo mount --bind /scratch/ray /tmp/ray

# IMDSv2 answers only requests that carry a token.
metadata=http://169.254.169.254/latest
token=$(curl -sSf -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" "$metadata/api/token")
region=$(curl -sSf -H "X-aws-ec2-metadata-token: $token" "$metadata/meta-data/placement/region")
sudo tee /etc/facegan.env > /dev/null << ENV
AWS_DEFAULT_REGION=$region
FACEGAN_CACHE=/scratch/facegan
TORCH_HOME=/scratch/torch
FACEGAN_NOTICE=/scratch/preemption-notice
RAY_AUTH_MODE=token
ENV
sudo chown "$USER:" /etc/facegan.env  # infra/aws/stage_weights.py adds FACEGAN_STORE
chmod 600 ~/.ray/auth_token
# Ray runs its commands in a login shell, which reads ~/.bashrc.
line="set -a; . /etc/facegan.env; set +a; PATH=\$HOME/venv/bin:\$PATH"
grep -qxF "$line" ~/.bashrc || echo "$line" >> ~/.bashrc
echo "node.sh: $(hostname), $region, scratch on $home ($(df -h --output=avail "$home" | tail -1 | tr -d ' ') free)"
