#!/bin/sh
# fuzz.sh TIME [TARGET...]: runs each fuzz target of the checkout, or those that are named, for a time such as 10m. What it finds
# stays in the package's testdata/fuzz, where it is a test from then on. All targets are run, whatever became of those before.
set -u

time=$1; shift
cd "$(dirname "$0")/.." || exit 1
failed=''
for file in $(git ls-files '*_test.go' | xargs grep -l '^func Fuzz'); do
  package=./$(dirname "$file")
  for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9]*\)(.*/\1/p' "$file"); do
    case " ${*:-$target} " in *" $target "*) ;; *) continue ;; esac
    echo "--- $target"
    # Inputs are not made smaller: the time is for finding them.
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 10x "$package" || failed="$failed $target"
  done
done
[ -z "$failed" ] || { echo "Failed:$failed" >&2; exit 1; }
