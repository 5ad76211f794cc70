#!/bin/sh
# Does the result of this commit still come out? Ends with 0 if it does, see docs/exit-codes.md.
set -eu
mkdir -p reports

# All of this commit is on the remote, and its receipts are of this very code and data.
tally check --remote "${TALLY_REMOTE:-origin}"

# Rebuilt and executed again, without a network. Whoever may change this file may run commands here anyway: --trust.
tally repro HEAD --trust --timeout "${TALLY_TIMEOUT:-3600}" --html reports/reproduction.html --junit reports/reproduction.xml
