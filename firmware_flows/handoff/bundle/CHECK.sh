#!/usr/bin/env bash
# Verifies the checksum of every file of this bundle, then compiles and runs its test benches.
#     bash CHECK.sh [--checksums]     --checksums: without the test benches, and then without g++
# Needs bash, coreutils and g++. Ends with 0 if all is well, 1 if something differs (and says what), 3 without a tool.
# Nothing is written into the bundle.
set -u
export LC_ALL=C
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd) || exit 2
cd -- "$root" || exit 2
cxx=${CXX:-g++}
case ${1:-} in
    "") tools=(sha256sum mktemp rm head "$cxx") ;;
    --checksums) tools=(sha256sum) ;;
    *) echo "ERROR: usage: bash CHECK.sh [--checksums]" >&2; exit 2 ;;
esac
for tool in "${tools[@]}"; do
    command -v "$tool" >/dev/null || { echo "ERROR: $tool is needed and was not found" >&2; exit 3; }
done
failed=0
fail() {
    echo "FAIL $1"
    failed=$((failed + 1))
}

# ---- checksums
count=0
declare -A listed=([SHA256SUMS]=1)
while IFS= read -r line; do
    count=$((count + 1))
    if [[ ! $line =~ ^([0-9a-f]{64})\ \ (.+)$ ]]; then
        fail "checksum: line $count of SHA256SUMS is damaged"
        continue
    fi
    expected=${BASH_REMATCH[1]} name=${BASH_REMATCH[2]}
    listed[$name]=1
    if [[ ! -f $name ]]; then
        fail "checksum: $name is missing"
        continue
    fi
    found=$(sha256sum -- "$name")
    found=${found#\\}
    [[ ${found%% *} == "$expected" ]] || fail "checksum: $name is not the file that was handed off"
done <SHA256SUMS
[[ $count -eq @files@ ]] || fail "checksum: SHA256SUMS names $count files, and there were @files@"
# a header that was put beside the others could stand in for one of them
shopt -s globstar dotglob nullglob
for name in **; do
    [[ -d $name || -n ${listed[$name]:-} ]] && continue
    case $name in
        @built@) ;; # what builds leave
        *) fail "checksum: $name is no file of this bundle" ;;
    esac
done
[[ $failed -ne 0 ]] || echo "PASS checksums: $count files"

finish() {
    if [[ $failed -ne 0 ]]; then
        echo "FAILED: $failed checks"
        exit 1
    fi
    echo "PASSED"
    exit 0
}
[[ ${1:-} != --checksums ]] || finish

# ---- test benches
work=$(mktemp -d) || exit 2
trap 'rm -rf -- "$work"' EXIT
ulimit -s unlimited 2>/dev/null || ulimit -s "$(ulimit -H -s)" 2>/dev/null || true

# build FORM EXECUTABLE ARGUMENTS...
build() {
    local form=$1 target=$2
    shift 2
    "$cxx" -w "$@" -o "$work/$target" 2>"$work/log" && return 0
    fail "$form: does not compile: $(head -n 1 "$work/log")"
    return 1
}

# run FORM EXECUTABLE ARGUMENTS...: a test bench says itself what failed, unless it crashes
run() {
    local form=$1 status=0
    shift
    "$@" 2>"$work/log" || status=$?
    [[ $status -eq 0 ]] && return
    failed=$((failed + 1))
    [[ $status -eq 1 ]] || echo "FAIL $form: $(head -n 1 "$work/log"), ended with $status"
}

vectors=(@vectors@)
@benches@
finish
