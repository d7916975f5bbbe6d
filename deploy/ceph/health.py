#!/usr/bin/python3 -ESs
"""ceph-health ROLE [ID]: exits 0 if the daemon of this container does its part.

mon: it is in a quorum. mgr: it answers (active or standby). osd: the map it has says it is up. rgw: HTTP 200.
It asks the daemon itself over its socket: the ceph program would cost a second of processor time at each check.
"""
import glob
import json
import socket
import sys
import http.client


def ask(command):
    """Sends one command to the daemon's admin socket."""
    paths = glob.glob("/run/ceph/*.asok")
    if not paths:
        raise OSError("no admin socket")
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(3)
        s.connect(paths[0])
        s.sendall(json.dumps({"prefix": command}).encode() + b"\0")
        reply = s.makefile("rb")
        size = int.from_bytes(reply.read(4), "big")
        return json.loads(reply.read(size))


def mon():
    status = ask("mon_status")
    return status["state"] in ("leader", "peon"), status["state"]


def osd():
    status = ask("status")
    return status["state"] == "active", status["state"]


def mgr():
    return "version" in ask("version"), "answers"


def rgw():
    connection = http.client.HTTPConnection("127.0.0.1", 7480, timeout=3)
    connection.request("GET", "/")
    status = connection.getresponse().status
    return status == 200, "HTTP %d" % status


def main():
    roles = {"mon": mon, "osd": osd, "mgr": mgr, "rgw": rgw}
    if len(sys.argv) < 2 or sys.argv[1] not in roles:
        sys.exit("usage: ceph-health mon|mgr|osd|rgw")
    try:
        good, state = roles[sys.argv[1]]()
    except (OSError, ValueError, KeyError) as e:
        sys.exit("%s: %s" % (sys.argv[1], e))
    print("%s: %s" % (sys.argv[1], state))
    sys.exit(0 if good else 1)


main()
