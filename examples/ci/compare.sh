#!/bin/sh
# Is this commit as good as another one? compare.sh [BASELINE [CONDITION]]; ends with 1 if the condition holds.
set -eu
mkdir -p reports
baseline=${1:-origin/main}
condition=${2:-accuracy < baseline - 0.01}

# The metrics of both are in their receipts, which reproduce.sh has just shown to be true: nothing runs twice.
tally repro HEAD --recorded --against "$baseline" --fail-if "$condition" --html reports/comparison.html --junit reports/comparison.xml
