#!/bin/sh
# Checks everything: style, types, tests. Sets itself up where git and Python 3.11 or later are all there is.
#   sh scripts/test.sh                 what CI runs
#   sh scripts/test.sh --all           the slow tests too, and examples that differ each time
#   sh scripts/test.sh tests/store     what follows goes to pytest
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh dev

failed=""
check() {
    echo "== $*"
    ".venv/bin/$@" || failed="${failed}failed: $*
"
}

check ruff check .
check ruff format --check .
check mypy
if [ "${1:-}" = --all ]; then
    shift
    set -- -m "" --hypothesis-profile=explore "$@"
fi
# Last, also when a check before it failed: pytest's closing line ends the report.
[ -z "$failed" ] || printf '%s' "$failed" >&2
.venv/bin/python -m pytest -n 2 "$@" && [ -z "$failed" ]
