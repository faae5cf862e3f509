# as a shell asks for them; an option that was added to a table is there without more ado
mpixcorr completion bash >bash.sh
mpixcorr completion zsh >_mpixcorr
complete_words() { # WORD...: what may stand in place of the last one
  bash --norc -c 'compopt() { :; }; source ./bash.sh; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _mpixcorr; echo "${COMPREPLY[*]}"' - "$@"
}
complete_words mpixcorr inf
complete_words mpixcorr help co
complete_words mpixcorr run in.h5 --devi
complete_words mpixcorr run in.h5 --device c
complete_words mpixcorr run in.h5 --device = g
complete_words mpixcorr run in.h5 --crop ''
complete_words mpixcorr run in.h5 --on-bad-pair ''
complete_words mpixcorr run in.h5 --wisdom ba
complete_words mpixcorr completion z
for command in $(complete_words mpixcorr '' | tr ' ' '\n' | grep -vE '^(help|version|completion)$'); do
  mpixcorr "$command" --help | sed -n 's/^  \(-[a-z], \)\?--\([a-z-]*\).*/--\2/p' | sort >"$command.help"
  diff <(complete_words mpixcorr "$command" -- | tr ' ' '\n' | sort) "$command.help" && echo "$command: as its --help"
done
mpixcorr completion fish || echo "exit $?"
mpixcorr completion || echo "exit $?"
