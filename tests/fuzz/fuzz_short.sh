#!/usr/bin/env bash
# A few seconds of every fuzz target.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
"$here/fuzz.sh" 50000 message
"$here/fuzz.sh" 20000 options
"$here/fuzz.sh" 20000 catalog
"$here/fuzz.sh" 2000 source
"$here/fuzz.sh" 1000 input resume
