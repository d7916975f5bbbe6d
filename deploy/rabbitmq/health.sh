#!/bin/bash
# Well is a node that answers AMQP: it listens from the end of its start on, and not while it is paused for being in a minority.
# rabbitmq-diagnostics asks more, but starts an Erlang machine for it: a second of processor time at every check.
set -eu
exec 3<>/dev/tcp/127.0.0.1/5672
printf 'AMQP\0\0\11\1' >&3
# A method frame on channel 0: Connection.Start.
[ "$(head -c 11 <&3 | od -An -tx1 | tr -d ' \n' | sed 's/^\(......\)......../\1/')" = 010000000a000a ]
