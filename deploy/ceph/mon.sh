# A monitor: keeps the cluster's maps and keys. The first one to start makes the cluster's identity.

id=${arg:-a}
data=/var/lib/ceph/mon/ceph-$id

# The identity appears by one rename, so that of several monitors starting together one wins and none sees half of it.
if [ ! -e $CLUSTER ]; then
  new=$(mktemp -d $SHARED/.new.XXXXXX)
  cat /proc/sys/kernel/random/uuid >"$new/fsid"
  ring=$new/keyring
  export CEPH_CONF=/dev/null
  ceph-authtool -C "$ring" -g -n mon. --cap mon 'allow *' >/dev/null
  ceph-authtool "$ring" -g -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
  ceph-authtool "$ring" -g -n mgr.a --cap mon 'allow profile mgr' --cap osd 'allow *'
  ceph-authtool "$ring" -g -n client.rgw --cap mon 'allow rw' --cap osd 'allow rwx' --cap mgr 'allow rw'
  chmod 600 "$ring"
  sync
  export CEPH_CONF=$CONF
  mv -T "$new" $CLUSTER 2>/dev/null || say "another monitor made the identity"
fi
find $SHARED -maxdepth 1 -name '.new.*' -mmin +1 -exec rm -rf {} +
write_conf

list=$(mons) || exit 1
self=$(echo "$list" | awk -v id="$id" '$1 == id { print $2 }')
[ -n "$self" ] || fail "monitor $id is not in CEPH_MONS ($CEPH_MONS)"

# The map of monitors says who they are before any of them runs.
map=/run/ceph/monmap
rm -f $map
monmaptool --create --fsid "$(cat $CLUSTER/fsid)" --set-min-mon-release reef $map >/dev/null
echo "$list" | while read -r name addr; do monmaptool --addv "$name" "[v2:$addr:3300]" $map >/dev/null; done

if [ ! -e "$data/ready" ]; then
  say "making the store of monitor $id"
  rm -rf "$data"
  mkdir -p "$data"
  ceph-mon --mkfs -i "$id" --monmap $map --keyring $CLUSTER/keyring
  echo "$list" >"$data/ready"
elif [ "$list" != "$(cat "$data/ready")" ]; then
  say "the monitors' addresses changed; they are now: $(echo $list)"
  ceph-mon -i "$id" --inject-monmap $map
  echo "$list" >"$data/ready"
fi
exec ceph-mon -f -i "$id"
