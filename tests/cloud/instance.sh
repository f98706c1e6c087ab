# The first process of a pretended EC2 instance: a Debian of its own over this machine's files, with systemd, sshd and sudo.
# Arguments: private address, public address, public key, folder on a disk for what it writes, wheels, AWS's address, "nvme" or "", Python 3.12.
# Stands in for Ubuntu 24.04: apt-get and cloud-init are stand-ins (nothing can be fetched here), all else is the real thing.
set -euo pipefail
private=$1 public=$2 key=$3 disk=$4 wheels=$5 aws=$6 nvme=$7 python=$8
hostname "ip-${private//./-}"
mount --make-rprivate /

mkdir -p "$disk"/{upper,work,root}
root=$disk/root
mount -t overlay own -o "lowerdir=/,upperdir=$disk/upper,workdir=$disk/work" "$root"
for covered in tmp var/tmp mnt run dev; do mkdir -p "$root/$covered" && mount -t tmpfs own "$root/$covered"; done
chmod 1777 "$root/tmp" "$root/var/tmp"
mkdir "$root/mnt/wheels" && mount --bind "$wheels" "$root/mnt/wheels"
mount -t proc own "$root/proc"
mount -t sysfs own "$root/sys"
mount -t cgroup2 own "$root/sys/fs/cgroup"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device" && mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root"/dev/{pts,shm}
mount -t devpts -o newinstance,ptmxmode=0666 own "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs own "$root/dev/shm" && chmod 1777 "$root/dev/shm"
if [[ -n $nvme ]]; then  # as the GPU image leaves it: the disk found, and mounted
  mkdir -p "$root/dev/disk/by-id" "$root/opt/dlami/nvme"
  touch "$root/dev/disk/by-id/nvme-Amazon_EC2_NVMe_Instance_Storage_AWS1"
  mount -t tmpfs own "$root/opt/dlami/nvme"
fi

# The user, and the interpreter that Ubuntu 24.04 has.
chmod 711 "$root/root"
chroot "$root" useradd --create-home --shell /bin/bash ubuntu
echo "ubuntu ALL=(ALL) NOPASSWD:ALL" > "$root/etc/sudoers.d/ubuntu"
install -d -m 700 "$root/home/ubuntu/.ssh"
echo "$key" > "$root/home/ubuntu/.ssh/authorized_keys"
chroot "$root" chown -R ubuntu: /home/ubuntu
ln -sfn "$python" "$root/usr/local/bin/python3.12"

# Stand-ins: apt-get must have been asked for what it knows, or what has another name on Ubuntu.
cat > "$root/usr/local/bin/apt-get" << 'STUB'
#!/usr/bin/env bash
echo "apt-get $*" >> /var/log/pretended-apt
while (($#)) && [[ $1 != install && $1 != update ]]; do shift; done
[[ ${1-} == install ]] || exit 0
for package in "${@:2}"; do
  case $package in libglib2.0-0t64) package=libglib2.0-0 ;; python3.12-venv) continue ;; esac
  dpkg-query --show --showformat='${db:Status-Status}' "$package" | grep -qx installed || { echo "E: no $package here" >&2; exit 100; }
done
STUB
printf '#!/usr/bin/env bash\n[[ $* == "status --wait" ]]\n' > "$root/usr/local/bin/cloud-init"
chmod 755 "$root"/usr/local/bin/{apt-get,cloud-init}
printf '[global]\nno-index = true\nfind-links = /mnt/wheels\n' > "$root/etc/pip.conf"
echo "AWS_ENDPOINT_URL=http://$aws:5000" > "$root/etc/environment"
sed -i "s|^#*DefaultEnvironment=.*||; s|^\[Manager\]|[Manager]\nDefaultEnvironment=AWS_ENDPOINT_URL=http://$aws:5000|" "$root/etc/systemd/system.conf"
printf '127.0.0.1 localhost\n%s %s\n' "$private" "$(hostname)" > "$root/etc/hosts"
echo "$(hostname)" > "$root/etc/hostname"

# Services: none but sshd and what the nodes are given; unattended-upgrades is a service there.
rm -rf "$root"/etc/systemd/system/*.wants
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -s /lib/systemd/system/ssh.service "$root/etc/systemd/system/multi-user.target.wants/ssh.service"
printf '[Unit]\nDescription=stand-in\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n' \
  > "$root/etc/systemd/system/unattended-upgrades.service"
for unit in systemd-udevd systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-networkd systemd-resolved systemd-timesyncd; do
  ln -sfn /dev/null "$root/etc/systemd/system/${unit%.service}$([[ $unit == *.socket ]] || echo .service)"
done

until ip link show eth0 > /dev/null 2>&1; do sleep 0.05; done
ip link set lo up
ip address add "$private/16" dev eth0
ip address add "$public/32" dev eth0
ip link set eth0 up
ip route add 10.77.0.0/24 dev eth0
ip route add 169.254.169.254 dev eth0
# Ray finds out its own address by asking for the way to the outside; it leads nowhere.
ip route add default via "${private%.*.*}.255.254" src "$private"

cd "$root"
mkdir -p mnt/old
pivot_root . mnt/old
umount --lazy /mnt/old
exec env -i container=lab PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --system --unit=multi-user.target --log-target=console --show-status=no
