#!/bin/sh
# What the project cannot install for itself: Python 3.11, a C compiler, Rust.
# Says in one line each how to get what is missing. `preflight.sh python` prints the interpreter to use.
set -u

find_python() {
    for candidate in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11 python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

if [ "${1:-}" = python ]; then
    find_python
    exit
fi

RUSTUP="Debian 13, Ubuntu 24.04: apt install rustup && rustup default stable; macOS: brew install rustup; elsewhere: see 'install' on the Rust home page"

new_enough() {
    need=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
    have=$(cargo --version 2>/dev/null | sed 's/^cargo \([0-9]*\.[0-9]*\).*/\1/')
    [ "${have%%.*}" -gt "${need%%.*}" ] ||
        { [ "${have%%.*}" -eq "${need%%.*}" ] && [ "${have#*.}" -ge "${need#*.}" ]; }
} 2>/dev/null

missing=0
say() {
    echo "make: $1" >&2
    missing=1
}

find_python >/dev/null ||
    say "Python 3.11 or newer is missing: install it (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python) or name one with 'make PYTHON=/path/to/python3 ...'."
command -v cc >/dev/null 2>&1 ||
    say "a C compiler (cc) is missing: install one (Debian, Ubuntu: apt install build-essential; Fedora: dnf install gcc; macOS: xcode-select --install)."
if ! command -v cargo >/dev/null 2>&1; then
    say "Rust (cargo) is missing: install it with rustup, Rust's own installer ($RUSTUP), then open a new shell."
elif ! new_enough; then
    say "Rust $have is too old, $need is needed: 'rustup update', or, if it did not come from rustup, install that ($RUSTUP)."
fi
exit $missing
