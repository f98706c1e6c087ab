# First process of a host: create its mounts, network and clone, then become its sshd.
# Arguments: name, address, folder outside (home/, hosts, host_key), the virtual environment, its base Python, the repository.
set -euo pipefail
name=$1 address=$2 folder=$3 environment=$4 base=$5 repository=$6
hostname "$name"
mount --make-rprivate /

mount -t tmpfs own /mnt
mkdir /mnt/{folder,environment,base,repository,packages,packages-work,clone,clone-work}
for kept in folder environment base repository; do mount --bind "${!kept}" "/mnt/$kept"; done
for covered in /tmp /run /root /home /dev/shm /var/tmp; do mount -t tmpfs own "$covered"; done
chmod 1777 /tmp /dev/shm /var/tmp
mount --bind /mnt/folder/home /root
mount --bind /mnt/folder/hosts /etc/hosts
# Python may be below a folder that was just covered.
mkdir -p "$base"
mount --bind /mnt/base "$base"
mount -o remount,bind,ro "$base"

# The caller has a clone of the repository. `ray up` copies it to the nodes.
if [[ $name == caller ]]; then
  mount -t overlay own -o lowerdir=/mnt/repository,upperdir=/mnt/clone,workdir=/mnt/clone-work /root/facegan
fi
# The packages of the tests, with the paths of this host, as `make setup` would install them.
mkdir -p /root/facegan/.venv
mount -t overlay own -o lowerdir=/mnt/environment,upperdir=/mnt/packages,workdir=/mnt/packages-work /root/facegan/.venv
grep -lI -d skip "^#!.*/bin/python" /root/facegan/.venv/bin/* | xargs sed -i "1s|^#!.*|#!/root/facegan/.venv/bin/python|"
site=$(echo /root/facegan/.venv/lib/python*/site-packages)
rm -f "$site"/__editable__*facegan*
echo /root/facegan > "$site/facegan.pth"
touch /root/facegan/.venv/.done

until ip link show eth0 > /dev/null 2>&1; do sleep 0.05; done
ip link set lo up
ip address add "$address/24" dev eth0
ip link set eth0 up
# Ray determines its own address from the default route, which leads nowhere here.
ip route add default via 10.77.0.254
mkdir -p /run/sshd
exec /usr/sbin/sshd -D -e -f /dev/null -h /mnt/folder/host_key -o ListenAddress="$address" -o UsePAM=no -o StrictModes=no \
  -o PasswordAuthentication=no -o PidFile=none -o MaxStartups=100
