# Shared by the roles: where things stand, the cluster's identity, and waiting for others.

SHARED=/etc/ceph                # volume of all roles: keys and the cluster's id
CLUSTER=$SHARED/cluster
CONF=/run/ceph/ceph.conf        # what CEPH_CONF names for every program
LIB=/usr/local/lib/ceph-node

say() { echo "ceph-node: $*"; }
fail() { echo "ceph-node: $*" >&2; exit 1; }

# positive NAME VALUE: fails unless VALUE is a whole number above 0.
positive() {
  case $2 in '' | *[!0-9]* | 0*) fail "$1 must be a whole number above 0, but is '$2'" ;; esac
}

# mons: one "ID ADDRESS" a line, from CEPH_MONS="a=10.0.0.1 b=10.0.0.2"; names are resolved.
mons() {
  for mon_ in $(echo "$CEPH_MONS" | tr ',' ' '); do
    id_=${mon_%%=*} host_=${mon_#*=}
    addr_=$(getent ahostsv4 "$host_" | awk 'NR == 1 { print $1 }')
    [ -n "$addr_" ] || { echo "ceph-node: monitor $id_: cannot resolve $host_" >&2; return 1; }
    echo "$id_ $addr_"
  done
}

# write_conf: the identity and sizes, then the fixed settings, to where every Ceph program looks.
write_conf() {
  fsid=$(cat $CLUSTER/fsid)
  list=$(mons) || exit 1
  hosts=$(echo "$list" | awk '{ printf "%s[v2:%s:3300]", (NR > 1 ? "," : ""), $2 }')
  {
    printf '[global]\nfsid = %s\nmon_host = %s\n' "$fsid" "$hosts"
    printf 'osd_pool_default_size = %s\nosd_pool_default_min_size = %s\n' "$CEPH_POOL_SIZE" $((CEPH_POOL_SIZE > 2 ? CEPH_POOL_SIZE - 1 : 1))
    printf 'bluestore_block_size = %s\n' $((CEPH_OSD_GIB * 1073741824))
    printf 'rgw_gc_obj_min_wait = %s\n' "$CEPH_GC_WAIT_SECONDS"
    cat $LIB/ceph.conf
  } >$CONF.new
  mv $CONF.new $CONF
}

# wait_for_identity: until a monitor has made the keys.
wait_for_identity() {
  until [ -e $CLUSTER/keyring ]; do sleep 0.2; done
}
