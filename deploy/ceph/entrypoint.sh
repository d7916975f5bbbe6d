#!/bin/sh
# ceph-node ROLE [ARG]: runs one daemon of a small Ceph cluster in the foreground, making what it needs first. Every step may be
# repeated: a start that is cut off anywhere is completed by the next one.
set -eu
cd / # Debian's Ceph looks for its object classes at a path relative to the root

: "${CEPH_MONS:=a=ceph-mon}" "${CEPH_OSD_GIB:=10}" "${CEPH_POOL_SIZE:=3}" "${CEPH_GC_WAIT_SECONDS:=120}"
. /usr/local/lib/ceph-node/lib.sh

positive CEPH_OSD_GIB "$CEPH_OSD_GIB"
positive CEPH_POOL_SIZE "$CEPH_POOL_SIZE"
positive CEPH_GC_WAIT_SECONDS "$CEPH_GC_WAIT_SECONDS"

role=${1:-}
arg=${2:-}
case $role in
  mon | mgr | osd | rgw) . "$LIB/$role.sh" ;;
  *) fail "usage: ceph-node mon [ID] | mgr | osd NUMBER | rgw" ;;
esac
