#!/bin/sh
# dev-certs.sh [FOLDER] [NAME...]: makes an authority for development, once, and a certificate of its for localhost and the names and
# addresses given; by default in deploy/secrets/tls beside this folder. What it makes is for development only: the authority's key lies
# beside it. Clients trust FOLDER/ca.pem; nginx gets FOLDER/tls.crt and FOLDER/tls.key.
set -eu
umask 022

folder=${1:-$(dirname "$0")/../secrets/tls}
[ $# = 0 ] || shift
mkdir -p "$folder"
cd "$folder"

names=DNS:localhost,DNS:nginx,IP:127.0.0.1,IP:::1
for name; do
  case $name in
  *[!0-9.]*:*|*[!0-9.]*) case $name in *:*) names=$names,IP:$name ;; *) names=$names,DNS:$name ;; esac ;;
  *) names=$names,IP:$name ;;
  esac
done

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }

if [ ! -s ca.pem ] || [ ! -s ca.key ]; then
  (umask 077; key ca.key)
  openssl req -x509 -new -key ca.key -sha256 -days 3650 -subj '/CN=Calotype development' -out ca.pem \
    -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' 2>/dev/null
fi
key tls.key.new
trap 'rm -f tls.csr tls.ext' EXIT
openssl req -new -key tls.key.new -subj '/CN=localhost' -out tls.csr
printf 'subjectAltName=%s\nbasicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth\n' "$names" >tls.ext
openssl x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -set_serial "0x$(openssl rand -hex 15)" -days 825 -sha256 -extfile tls.ext -out tls.crt.new 2>/dev/null
chmod 644 tls.key.new # the container's user is somebody else
mv tls.key.new tls.key
mv tls.crt.new tls.crt
echo "$PWD/tls.crt for $names"
