#!/bin/sh
# Stands in for a program that does not exist here: says why, and that the test was skipped.
echo "skipped: $1"
exit 77
