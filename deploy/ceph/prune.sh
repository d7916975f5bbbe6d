# Takes out what Debian's Ceph depends on for whole hosts (disks, volumes, services, sudo) and no role of this image runs.
set -eu
export SUDO_FORCE_REMOVE=yes
dpkg --purge --force-depends \
  systemd cron cron-daemon-common logrotate sudo \
  lvm2 dmeventd libdevmapper-event1.02.1 liblvm2cmd2.03 ceph-volume cryptsetup-bin gdisk parted \
  xfsprogs hdparm smartmontools nvme-cli dmidecode \
  binutils binutils-x86-64-linux-gnu binutils-common libbinutils libgprofng0 libctf0 libctf-nobfd0 libsframe1
cd /usr/bin
rm -f ceph-syn ceph-dencoder ceph-monstore-tool ceph-osdomap-tool cephfs-* ceph-client-debug radosgw-object-expirer radosgw-es rbd rbd-* rgw-*
