# The manager: collects the daemons' reports for "ceph -s". Nothing is lost while it is away.

wait_for_identity
write_conf
exec ceph-mgr -f -i a
