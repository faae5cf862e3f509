#!/usr/bin/env bash
# Two hosts on one machine, a and b: network namespaces joined by a virtual cable, each with a host name, a /dev/shm and
# mounts of its own. What runs there goes by TCP, as between real hosts; files are shared, as on a cluster.
#
#   two_hosts.sh up FOLDER              makes them; exit 77 where this machine does not let us
#   two_hosts.sh on FOLDER HOST CMD...  runs a command on a or b; FOLDER/mounts.HOST, where it exists, is sourced first
#                                       (mounts made there are seen on that host only)
#   two_hosts.sh rsh FOLDER ADDRESS CMD...   the same, called by mpirun in place of ssh
#   two_hosts.sh cut|mend FOLDER        pulls the cable; plugs it in again
#   two_hosts.sh left FOLDER            process ids that live on the two hosts
#   two_hosts.sh kill FOLDER HOST       the host loses its power
#   two_hosts.sh down FOLDER            ends all that is left, removes the hosts
set -euo pipefail

self=$(realpath "${BASH_SOURCE[0]}")
verb=$1
folder=$(realpath "$2")
shift 2

namespace() { echo "$(<"$folder/prefix")$1"; } # several such pairs of hosts may live beside each other

on() {
  local host=$1
  shift
  # shellcheck disable=SC2016  # expanded by the inner shell
  exec nsenter --net="/run/netns/$(namespace "$host")" unshare --uts --mount sh -c '
    hostname "$1"; mount --bind "$2/hosts" /etc/hosts; mount -t tmpfs tmpfs /dev/shm
    if [ -e "$2/mounts.$1" ]; then . "$2/mounts.$1"; fi
    shift 2; exec "$@"' sh "$host" "$folder" "$@"
}

# A process may be born while others are being killed.
kill_all() {
  local pids
  while pids=$(ip netns pids "$(namespace "$1")" 2>/dev/null) && [[ -n "$pids" ]]; do
    # shellcheck disable=SC2086  # one word a process
    kill -KILL $pids 2>/dev/null || true
    sleep 0.05
  done
}

case $verb in
  up)
    echo "ncc$$" >"$folder/prefix"
    a=$(namespace a) b=$(namespace b)
    command -v ip nsenter unshare >/dev/null || { echo "skipped: no ip, nsenter or unshare (iproute2, util-linux)"; exit 77; }
    why=$( (ip netns add "$a" && ip netns add "$b" && ip netns exec "$a" true) 2>&1) || {
      echo "skipped: no right to make network namespaces: $why"
      exit 77
    }
    for host in "$a" "$b"; do ip -n "$host" link set lo up; done
    ip link add va netns "$a" type veth peer name vb netns "$b"
    ip -n "$a" addr add 10.99.0.1/24 dev va
    ip -n "$b" addr add 10.99.0.2/24 dev vb
    ip -n "$a" link set va up
    ip -n "$b" link set vb up
    printf '127.0.0.1 localhost\n10.99.0.1 a\n10.99.0.2 b\n' >"$folder/hosts"
    printf '#!/bin/sh\nexec "%s" rsh "%s" "$@"\n' "$self" "$folder" >"$folder/rsh"
    chmod +x "$folder/rsh"
    ;;
  on) on "$@" ;;
  rsh)
    while [[ "$1" == -* ]]; do shift; done # ssh's own options
    case $1 in 10.99.0.1) host=a ;; 10.99.0.2) host=b ;; *) host=$1 ;; esac
    shift
    on "$host" sh -c "$*"
    ;;
  cut) ip -n "$(namespace b)" link set vb down ;;
  mend) ip -n "$(namespace b)" link set vb up ;;
  left) for host in a b; do ip netns pids "$(namespace "$host")"; done ;;
  kill) kill_all "$1" ;;
  down)
    for host in a b; do
      kill_all "$host"
      ip netns del "$(namespace "$host")" 2>/dev/null || true
    done
    ;;
  *) echo "two_hosts.sh: unknown verb '$verb'" >&2; exit 2 ;;
esac
