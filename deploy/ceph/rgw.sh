# The S3 gateway. The first of several makes the pools and the user; the others wait for it at a lock.

wait_for_identity
write_conf

access=$(cat "${CEPH_S3_ACCESS_KEY_FILE:-/run/secrets/s3-access-key}")
secret=$(cat "${CEPH_S3_SECRET_KEY_FILE:-/run/secrets/s3-secret-key}")
[ -n "$access" ] && [ -n "$secret" ] || fail "the S3 access key or secret key is empty"

# One session of the ceph program, as each start of it costs a second. Debian's manager cannot load its Python modules (a fault of
# its interpreter's bindings), and no other cure than not to hear of it.
make_pools() {
  {
    for pool in .rgw.root:1 default.rgw.log:4 default.rgw.control:2 default.rgw.meta:4 \
      default.rgw.buckets.index:8 default.rgw.buckets.data:16 default.rgw.buckets.non-ec:4; do
      echo "osd pool create ${pool%:*} ${pool#*:} --yes-i-really-mean-it" # as one name begins with a dot
      echo "osd pool application enable ${pool%:*} rgw"
    done
    echo "health mute MGR_MODULE_ERROR --sticky"
  } | ceph
}

# The user's keys become exactly the given pair.
make_user() {
  key="--uid calotype --key-type s3 --access-key $access --secret-key $secret"
  radosgw-admin user create $key --display-name Calotype >/dev/null 2>&1 && return
  radosgw-admin key create $key >/dev/null
  radosgw-admin user info --uid calotype |
    python3 -c 'import json, sys; [print(k["access_key"]) for k in json.load(sys.stdin)["keys"]]' |
    while read -r old; do
      [ "$old" = "$access" ] || radosgw-admin key rm --uid calotype --key-type s3 --access-key "$old" >/dev/null
    done
}

done_=$CLUSTER/s3-$(printf '%s %s' "$access" "$secret" | sha256sum | cut -c 1-16)
if [ ! -e "$done_" ]; then
  exec 9>$SHARED/s3.lock
  flock 9
  if [ ! -e "$done_" ]; then
    say "making pools and the S3 user"
    make_pools
    make_user
    rm -f $CLUSTER/s3-*
    touch "$done_"
  fi
  exec 9>&-
fi
exec radosgw -f -n client.rgw
