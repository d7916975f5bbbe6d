#!/bin/sh
# setup.sh: gives Elasticsearch the policy and the template for Calotype's logs, and Kibana its searches, pictures and dashboard. It may be
# run as often as you like, against your own as well:
#   ELASTICSEARCH=https://es:9200 KIBANA=https://kibana:5601 CURL_OPTIONS='-u elastic:... --cacert ca.pem' sh deploy/elk/setup.sh
#   LOGS_RETENTION  how long lines are kept (14d)
#   WITHIN          seconds that either may take to answer (300)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
es=${ELASTICSEARCH:-http://elasticsearch:9200} kibana=${KIBANA:-http://kibana:5601} retention=${LOGS_RETENTION:-14d}
deadline=$(($(date +%s) + ${WITHIN:-300}))
case $retention in *[!0-9dhm]* | '' | [!0-9]*) echo "LOGS_RETENTION is no time such as 14d: $retention" >&2; exit 2 ;; esac

# ask WHAT ARGUMENT...: asks until there is an answer; one that refuses is shown, and is the end.
ask() {
  what=$1
  shift
  while :; do
    # shellcheck disable=SC2086 # options, taken apart at their spaces
    if answer=$(curl -sS -m 30 -w '\n%{http_code}' ${CURL_OPTIONS:-} "$@" 2>&1); then
      case $answer in
      *'
'2??) answer=${answer%'
'*}; return 0 ;;
      *'
'429 | *'
'5??) ;;
      *) echo "$what: $answer" >&2; exit 1 ;;
      esac
    fi
    [ "$(date +%s)" -lt $deadline ] || { echo "$what, the last answer: $answer" >&2; exit 1; }
    sleep 1
  done
}
put() { ask "$1" -X PUT -H 'Content-Type: application/json' "$es/$2" --data-binary "$3"; }

put 'the policy' _ilm/policy/calotype-logs "$(sed "s/\"min_age\": \"14d\"/\"min_age\": \"$retention\"/" "$here/policy.json")"
put 'the template' _index_template/calotype-logs "@$here/template.json"
echo "Elasticsearch keeps lines for $retention."

ask "Kibana's objects" -X POST -H 'kbn-xsrf: calotype' "$kibana/api/saved_objects/_import?overwrite=true" -F "file=@$here/kibana.ndjson"
case $answer in
*'"success":true'*) echo 'Kibana has the dashboard "Calotype: logs".' ;;
*) echo "Kibana's objects: $answer" >&2; exit 1 ;;
esac
