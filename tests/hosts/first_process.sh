# The first process of a host: gives it what is its own, then becomes its sshd.
# Arguments: name, address, folder outside (home/, hosts, host_key), the repository, the virtual environment, its base Python.
set -euo pipefail
name=$1 address=$2 folder=$3 repository=$4 environment=$5 base=$6
hostname "$name"
mount --make-rprivate /

# What lies below a folder that is about to be covered is put back at its place afterwards, read-only.
mount -t tmpfs own /mnt
mkdir /mnt/{folder,repository,environment,base,changes,work}
for kept in folder repository environment base; do mount --bind "${!kept}" "/mnt/$kept"; done
for covered in /tmp /run /root /home /dev/shm /var/tmp; do mount -t tmpfs own "$covered"; done
mount --bind /mnt/folder/home /root
mount --bind /mnt/folder/hosts /etc/hosts
chmod 1777 /tmp /dev/shm /var/tmp
for kept in base repository; do
  mkdir -p "${!kept}"
  mount --bind "/mnt/$kept" "${!kept}"
  mount -o remount,bind,ro "${!kept}"
done

# The packages as `make setup` would have installed them into ~/facegan: the tests' own, with this host's paths in them.
mkdir -p /root/facegan/.venv
mount -t overlay own -o lowerdir=/mnt/environment,upperdir=/mnt/changes,workdir=/mnt/work /root/facegan/.venv
grep -lIr --exclude-dir=lib "^#!.*/bin/python" /root/facegan/.venv/bin | xargs sed -i "1s|^#!.*|#!/root/facegan/.venv/bin/python|"
site=$(echo /root/facegan/.venv/lib/python*/site-packages)
rm -f "$site"/__editable__*facegan*
echo /root/facegan > "$site/facegan.pth"
touch /root/facegan/.venv/.done

until ip link show eth0 > /dev/null 2>&1; do sleep 0.05; done
ip link set lo up
ip address add "$address/24" dev eth0
ip link set eth0 up
# Ray finds out its own address by asking for the way to the outside; it leads nowhere.
ip route add default via 10.77.0.254
mkdir -p /run/sshd
exec /usr/sbin/sshd -D -e -f /dev/null -h /mnt/folder/host_key -o ListenAddress="$address" -o UsePAM=no -o StrictModes=no \
  -o PasswordAuthentication=no -o PidFile=none -o MaxStartups=100 -o AcceptEnv=none
