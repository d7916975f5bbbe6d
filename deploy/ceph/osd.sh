# An object store daemon: keeps its replicas in one sparse file on its volume.

id=$arg
case $id in '' | *[!0-9]*) fail "usage: ceph-node osd NUMBER" ;; esac
data=/var/lib/ceph/osd/ceph-$id

wait_for_identity
write_conf

# An empty volume, or one whose preparation was cut off: whoever had this number before has lost its data, so it is
# struck from the maps (refused while such a one is up) and made anew.
if [ ! -e "$data/ready" ]; then
  say "making the store of osd.$id ($CEPH_OSD_GIB GiB, sparse)"
  rm -rf "$data"
  mkdir -p "$data"
  uuid=$(cat /proc/sys/kernel/random/uuid)
  until ceph osd create "$uuid" "$id" >/dev/null; do
    ceph osd purge "$id" --yes-i-really-mean-it || sleep 1
  done
  ceph auth get-or-create "osd.$id" mon 'allow profile osd' mgr 'allow profile osd' osd 'allow *' -o "$data/keyring"
  ceph-osd --mkfs -i "$id" --osd-uuid "$uuid" --keyring "$data/keyring"
  touch "$data/ready"
fi
# Its place in the tree is its number's, not that of a container whose name changes.
exec ceph-osd -f -i "$id" --keyring "$data/keyring" --crush-location "root=default host=osd-$id"
