#!/usr/bin/env bash
# Every shell script passes shellcheck.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
command -v shellcheck >/dev/null || { echo "skipped: no shellcheck"; exit 77; }
grep -rlZE '^#!.*\b(ba)?sh\b' --exclude-dir='build*' --exclude-dir=.git --exclude-dir=_work --exclude='*.md' . | xargs -0 -r shellcheck --external-sources --source-path=SCRIPTDIR
