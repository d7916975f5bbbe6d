#!/bin/sh
# libraries.sh [PROGRAM...]: makes sure that this machine can build Calotype: a C compiler, pkg-config, and the headers of
# libvips; and that it has the programs named, each of which must come in a package of its own name.
# Where all is there it says nothing and costs a few milliseconds. Otherwise it installs what is missing by the system's own
# package manager, and says what it runs; where it may not, it fails with the command to type.
set -eu

vips_wanted=8.14 # the oldest that the worker is tested with (Debian 12's)

say() { printf '%s\n' "$@" >&2; }
die() { say "$@"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# compiles tells whether there is a C compiler with the C library's headers; a Debian gcc may come without them.
compiles() {
  cc=$(go env CC)
  # shellcheck disable=SC2086 # CC may hold options
  have "${cc%% *}" && printf '#include <stdlib.h>\nint main(void) { return 0; }\n' | $cc -x c -fsyntax-only - 2>/dev/null
}

# has_avif tells whether libheif can write AVIF. Newer Debians and Ubuntus cut libheif into plug-ins and only recommend that one.
has_avif() {
  have dpkg-query || return 0
  # shellcheck disable=SC2016 # the field names are dpkg's
  case $(dpkg-query -W -f '${Depends}' libheif1 2>/dev/null) in *libheif-plugin*) ;; *) return 0 ;; esac
  # shellcheck disable=SC2016
  [ "$(dpkg-query -W -f '${db:Status-Status}' libheif-plugin-aomenc 2>/dev/null)" = installed ]
}

programs=$*

# missing says, in words, what is not here: to build with, and to run with.
missing_to_build() {
  pkg_config=$(go env PKG_CONFIG)
  compiles || printf 'a C compiler, '
  have "$pkg_config" || printf 'pkg-config, '
  "$pkg_config" --atleast-version=$vips_wanted vips 2>/dev/null || printf 'libvips %s or newer with its headers, ' $vips_wanted
  has_avif || printf "libheif's AVIF encoder, "
}
missing_programs() { for p in $programs; do have "$p" || printf '%s, ' "$p"; done; }
missing() { all=$(missing_to_build; missing_programs); printf %s "${all%, }"; }

# as_root prints the words that give a command root's rights, and fails when there are none. Nobody is asked for a password
# where nobody can answer.
as_root() {
  if [ "$(id -u)" = 0 ]; then return 0; fi
  have sudo || return 1
  if [ -t 0 ] && [ -z "${CI:-}" ]; then echo sudo; return 0; fi
  sudo -n true 2>/dev/null && echo 'sudo -n'
}

# packages MANAGER: prints what to install, on one line; some packages are there only in some releases.
packages() {
  # shellcheck disable=SC2005,SC2046 # joined by spaces on purpose
  echo $(
    if [ -n "$(missing_to_build)" ]; then to_build "$1"; fi
    for p in $programs; do have "$p" || echo "$p"; done
  )
}
to_build() {
  case $1 in
  apt-get)
    echo gcc libc6-dev pkg-config libvips-dev
    for p in libheif-plugin-aomenc libheif-plugin-aomdec libheif-plugin-libde265; do
      if apt-cache show $p >/dev/null 2>&1; then echo $p; fi
    done ;;
  dnf) echo gcc pkgconf-pkg-config vips-devel; if dnf -q list vips-heif >/dev/null 2>&1; then echo vips-heif; fi ;;
  apk) echo gcc musl-dev pkgconf vips-dev; if apk search -qe vips-heif 2>/dev/null | grep -q .; then echo vips-heif; fi ;;
  brew) echo pkgconf vips ;;
  esac
}

# run COMMAND: says and runs a command line as root; its output is shown only when it fails.
run() {
  say "+ ${root:+$root }$1"
  # shellcheck disable=SC2086 # command lines, taken apart at their spaces
  $root env DEBIAN_FRONTEND=noninteractive $1 >"$log" 2>&1 && return 0
  tail -n 20 "$log" >&2
  die "That did not work. Repair it, or install by hand: $lacks; then run make again."
}

have go || die 'Go 1.26 or newer is needed: https://go.dev/dl/'
lacks=$(missing)
[ -n "$lacks" ] || exit 0
say "Missing on this machine: $lacks."

for manager in apt-get dnf apk brew none; do if have $manager; then break; fi; done
case $manager in
apt-get) refresh='apt-get update' install='apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=120' ;;
dnf) refresh='' install='dnf install -y' ;;
apk) refresh='apk update' install='apk add' ;;
brew) refresh='' install='brew install' ;;
none) [ "$(uname)" != Darwin ] || die 'Install Homebrew (https://brew.sh), then run make again.'
  die "Install a C compiler (gcc or clang), pkg-config and libvips $vips_wanted or newer with its headers, then run make again." ;;
esac

root=''
if [ "$manager" != brew ] && ! root=$(as_root); then # brew refuses root
  die 'Neither root nor sudo can be used here. As root, type this, then run make again:' \
    "  ${refresh:+$refresh && }$install $(packages "$manager")"
fi
log=$(mktemp); trap 'rm -f "$log"' EXIT
if [ -n "$refresh" ]; then run "$refresh"; fi
run "$install $(packages "$manager")"

lacks=$(missing)
[ -z "$lacks" ] || die "Still missing: $lacks. What this system offers is too old, or pkg-config does not find it." \
  'Debian 12, Ubuntu 24.04, Fedora 39, Alpine 3.18 and Homebrew have what is needed.'
say 'Everything that was missing is there now.'
