#!/usr/bin/env bash
# Completions are clean to shellcheck, and zsh takes them: words of an option come where the tabulator is pressed.
set -euo pipefail
command -v zsh >/dev/null || { echo "skipped: no zsh"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"$MPIXCORR" completion bash >completion.bash
"$MPIXCORR" completion zsh >_mpixcorr
! command -v shellcheck >/dev/null || shellcheck -s bash completion.bash
zsh -n _mpixcorr
cat >ask.zsh <<'EOF'
zmodload zsh/zpty
zpty z "zsh -f -i"
zpty -w z "PS1='> '; fpath=($PWD \$fpath); autoload -Uz compinit; compinit -u -d $PWD/dump; stty cols 200; mpixcorr() { :; }; echo READY"
zpty -r z out '*READY*READY*'
zpty -w -n z "$1"$'\t\t'
typeset -F wanted=600
while (( SECONDS < wanted )); do
  if zpty -r -t z some; then text+=$some; [[ $text == *$2* ]] && exit 0; else sleep 0.1; fi
done
print -r -- "no '$2' for '$1': $text"
exit 1
EOF
zsh ask.zsh 'mpixcorr sel' 'mpixcorr selftest'
zsh ask.zsh 'mpixcorr run a b --fft' 'patient'
zsh ask.zsh 'mpixcorr run a b --read ' 'root'
zsh ask.zsh 'mpixcorr completion ' 'zsh'
