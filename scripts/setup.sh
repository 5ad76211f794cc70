#!/bin/sh
# Makes .venv in this checkout and installs Tallystick into it, with what its tests need when called as
# `sh scripts/setup.sh dev`. Needs git and Python 3.11 or later; a second call takes no time.
set -eu
cd "$(dirname "$0")/.."
group=${1:-}

fail() {
    printf 'error: %s\n' "$1" >&2
    printf 'hint: %s\n' "$2" >&2
    exit 1
}

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 python; do
        if new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "no Python 3.11 or later was found" "install one, or name it: PYTHON=/path/to/python3 sh $0"
}

# What was installed for: the project's own list of needs, and the Python of the virtual environment.
fingerprint() {
    printf '%s ' "$1"
    cksum < pyproject.toml
    .venv/bin/python -V
}

is_installed() {
    [ "$(cat ".venv/.installed-$1" 2>/dev/null)" = "$(fingerprint "$1")" ]
}

make_environment() {
    python=$(find_python)
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "this Python ($python) can't make virtual environments" "on Debian and Ubuntu: apt install python3-venv"
    echo "Setting up .venv with $("$python" -V)" >&2
    "$python" -m venv --clear .venv
}

command -v git > /dev/null || fail "git was not found" "install git 2.25 or later"
new_enough .venv/bin/python || make_environment
# Whatever the tests need includes what a run needs.
if is_installed "${group:-run}" || is_installed dev; then
    exit 0
fi
if ! .venv/bin/uv --version > /dev/null 2>&1; then
    .venv/bin/python -m pip --version > /dev/null 2>&1 || make_environment
    .venv/bin/python -m pip install --quiet --disable-pip-version-check uv
fi
echo "Installing Tallystick${group:+ and what its tests need} into .venv" >&2
.venv/bin/uv pip install --quiet --python .venv/bin/python --editable . ${group:+--group "$group"}
fingerprint "${group:-run}" > ".venv/.installed-${group:-run}"
