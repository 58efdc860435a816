#!/usr/bin/env bash
# What the action does between restoring the corpus and saving it; runs on any machine, in the folder
# of the module. Everything is given by the environment (docs/delivery.md):
#
#   GOFUZZSEC      the command                     PACKAGES   what to fuzz and to test, as `go list`
#   FUZZ_TIME      for how long, or 100000x        PROFILE    the committed profile; "" for none yet
#   PROFILE_NAME   of the operator's resource      OUTPUT     folder for all that is made
#   FAIL_ON_CRASH  "true": a crash fails the run   FUZZ_ARGS  more arguments of `gofuzzsec fuzz`
#
# Exit status: 0 all is well; 1 the program needs a call that PROFILE does not allow, the profile
# built now does not hold, or (FAIL_ON_CRASH) it crashed; 2 and 3 as of gofuzzsec.
set -euo pipefail

: "${GOFUZZSEC:=gofuzzsec}" "${PACKAGES:=./...}" "${FUZZ_TIME:=10m}" "${PROFILE:=}"
: "${PROFILE_NAME:=profile}" "${OUTPUT:=seccomp-profile}" "${FAIL_ON_CRASH:=false}" "${FUZZ_ARGS:=}"

read -ra gofuzzsec <<<"$GOFUZZSEC"
read -ra packages <<<"$PACKAGES"
read -ra more <<<"$FUZZ_ARGS"
mkdir -p "$OUTPUT"
# A campaign of its own for each run: inputs are kept between runs, evidence is not, since the code
# that it speaks of may be gone.
campaign=$OUTPUT/campaign
rm -rf "$campaign"
failed=0

group() { printf '::group::%s\n' "$*"; }
endgroup() { printf '::endgroup::\n'; }
annotate() { printf '::%s title=gofuzzsec::%s\n' "$1" "$2"; }

# step WHAT COMMAND...: a status of 1 makes the run fail in the end, others end it.
step() {
    local what=$1 status=0
    shift
    group "$what"
    "$@" || status=$?
    endgroup
    if ((status > 1)); then
        annotate error "$what ended with exit status $status: see the log"
        exit "$status"
    fi
    return "$status"
}

if ! step "fuzz $PACKAGES for $FUZZ_TIME" \
    "${gofuzzsec[@]}" fuzz "${packages[@]}" --time "$FUZZ_TIME" --campaign "$campaign" "${more[@]}"; then
    kind=warning
    if [[ $FAIL_ON_CRASH == true ]]; then kind=error failed=1; fi
    annotate "$kind" "fuzzing found crashes: the log says where, testdata/fuzz has the inputs"
    "${gofuzzsec[@]}" crashes list --campaign "$campaign"
fi

step "build the profile" "${gofuzzsec[@]}" profile build --campaign "$campaign" \
    -o "$OUTPUT/seccomp.json" --explain 2> >(tee "$OUTPUT/explanation.txt" >&2)
step "the same for the Security Profiles Operator" "${gofuzzsec[@]}" profile convert \
    "$OUTPUT/seccomp.json" --to operator --name "$PROFILE_NAME" -o "$OUTPUT/seccompprofile.yaml"

# The harness's own calls and such that the program tolerates are no reason to fail.
tests=()
for package in "${packages[@]}"; do tests+=(--tests "$package"); done
if ! step "verify the profile under the kernel's enforcement" "${gofuzzsec[@]}" profile verify \
    "$OUTPUT/seccomp.json" --campaign "$campaign" "${tests[@]}"; then
    failed=1
    annotate error "the profile built now refuses something that the program does: see the log"
fi

if [[ -n $PROFILE && ! -f $PROFILE ]]; then
    failed=1
    annotate error "expected a committed profile at $PROFILE, found none: commit $OUTPUT/seccomp.json there"
elif [[ -n $PROFILE ]]; then
    # Outside of a group, so that GitHub shows the annotations' lines in the log, too.
    status=0
    "${gofuzzsec[@]}" profile check "$PROFILE" --campaign "$campaign" --format github || status=$?
    if ((status > 1)); then exit "$status"; fi
    if ((status == 1)); then
        failed=1
        annotate error "$PROFILE does not allow what the program needs now: take the new code back, or commit $OUTPUT/seccomp.json in its place"
    fi
fi

step "keep the corpus" "${gofuzzsec[@]}" corpus export --campaign "$campaign" --to testdata

if [[ -n ${GITHUB_STEP_SUMMARY:-} ]]; then
    {
        printf '### Seccomp profile\n\n```\n'
        grep -v '^ *$' "$OUTPUT/explanation.txt" | sed -n '/^seccomp profile for/,$p' | head -60
        printf '```\n'
    } >>"$GITHUB_STEP_SUMMARY"
fi
exit "$failed"
