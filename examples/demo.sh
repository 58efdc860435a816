#!/bin/sh
# The main job, end to end: fuzz a copy of examples/jobrunner, then show what came of it.
# Usage: examples/demo.sh PATH-OF-GOFUZZSEC TIME     (`make demo` calls it)
set -eu

gofuzzsec=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
time=$2
root=$(cd "$(dirname "$0")/.." && pwd)
work=$root/build/demo/jobrunner

run() {
    printf '\n$ gofuzzsec %s\n' "$*"
    "$gofuzzsec" "$@"
}

# A fresh copy: crashes and the campaign are written into the module that is fuzzed.
rm -rf "$work"
mkdir -p "$(dirname "$work")"
cp -R "$root/examples/jobrunner" "$work"
cd "$work"

status=0
run fuzz . --time "$time" || status=$?
# Status 1 says that crashes were found, and jobrunner has bugs planted for the purpose.
if [ "$status" -gt 1 ]; then
    exit "$status"
fi
run crashes list
run syscalls
run profile build -o seccomp.json

# Corpus and tests under the profile, for which somebody has to be able to trace.
verdict=0
run profile verify seccomp.json || verdict=$?
if [ "$verdict" = 1 ]; then
    exit 1
fi

printf '\nEverything is in %s\n' "$work"
printf '  seccomp.json          the profile: docker run --security-opt seccomp=seccomp.json ...\n'
printf '  testdata/fuzz/        the crashes, as go test writes and replays them\n'
printf '  .gofuzzsec/           the campaign: run the same command there to go on with it\n'
