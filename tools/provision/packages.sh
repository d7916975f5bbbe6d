#!/bin/sh
# packages.sh [rabbitmq] [postgres] [nginx] [prometheus] [redis]: gets the servers that tests run out of Debian's packages, without starting any: a test runs
# one of its own, with its own folder and ports. Where they are there already it says nothing and costs a few milliseconds.
# Where it may not install, it fails with the command to type.
set -eu

say() { printf '%s\n' "$@" >&2; }
die() { say "$@"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# there tells whether a server is on the PATH, or where its package puts it, which for Postgres is not on the PATH.
there() {
  case $1 in
  redis) have redis-server ;;
  nginx) have nginx || [ -x /usr/sbin/nginx ] ;;
  prometheus) have prometheus && have promtool ;;
  rabbitmq) have rabbitmq-server || [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] ;;
  postgres)
    if have postgres && have initdb; then return 0; fi
    for bin in /usr/lib/postgresql/*/bin; do if [ -x "$bin/postgres" ] && [ -x "$bin/initdb" ]; then return 0; fi; done
    return 1 ;;
  *) say "packages.sh: no server called $1"; exit 2 ;;
  esac
}
package() { case $1 in rabbitmq) echo rabbitmq-server ;; postgres) echo postgresql ;; nginx) echo nginx ;; prometheus) echo prometheus ;; redis) echo redis-server ;; esac; }

# as_root prints the words that give a command root's rights, and fails when there are none. Nobody is asked for a password
# where nobody can answer.
as_root() {
  if [ "$(id -u)" = 0 ]; then return 0; fi
  have sudo || return 1
  if [ -t 0 ] && [ -z "${CI:-}" ]; then echo sudo; return 0; fi
  sudo -n true 2>/dev/null && echo 'sudo -n'
}

# run COMMAND...: says and runs a command as root; its output is shown only when it fails.
run() {
  say "+ ${root:+$root }$*"
  $root env DEBIAN_FRONTEND=noninteractive "$@" >"$log" 2>&1 && return 0
  tail -n 20 "$log" >&2
  die "That did not work. Repair it, or install by hand: $packages; then run make again."
}

# Packages start their servers when they are installed, unless this file forbids it. One that is there is not touched.
policy=/usr/sbin/policy-rc.d
forbid_starting() {
  if [ -e $policy ]; then return 0; fi
  made=yes
  $root sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy"
}
tidy() {
  rm -f "$log"
  if [ -n "$made" ]; then $root rm -f $policy; fi
}

[ $# -gt 0 ] || set -- rabbitmq postgres nginx
packages=''
for name; do if ! there "$name"; then packages="$packages${packages:+ }$(package "$name")"; fi; done
[ -n "$packages" ] || exit 0

have apt-get || die "Missing for the tests: $packages. Install what your system calls so, then run make again."
if ! root=$(as_root); then
  die 'Neither root nor sudo can be used here. As root, type this, then run make again:' \
    "  apt-get update && apt-get install -y --no-install-recommends $packages"
fi
log=$(mktemp) made=''
trap tidy EXIT
trap 'exit 130' INT TERM
forbid_starting
run apt-get -o DPkg::Lock::Timeout=300 update
# shellcheck disable=SC2086 # names, taken apart at their spaces
run apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 $packages
for name; do there "$name" || die "$(package "$name") is installed, but $name is not where it should be."; done
