#compdef cnnlab
# Completion of cnnlab in zsh. In ~/.zshrc, after compinit:  source <(cnnlab completion zsh)
_cnnlab() {
    local line typed="${(j: :)words[1,CURRENT]}"
    local -a parts whole shown open open_shown order=(whole open)
    for line in "${(@f)$(_CNNLAB_COMPLETE=zsh "${(Q)words[1]}" "${typed%"$SUFFIX"}" 2>/dev/null)}"; do
        parts=("${(@ps:\t:)line}")
        [[ -n $parts[1] ]] || continue
        if [[ $parts[3] == ' ' ]]; then
            whole+=("$parts[1]")
            shown+=("$parts[2]")
        else
            (( $#whole )) || order=(open whole)
            open+=("$parts[1]")
            open_shown+=("$parts[2]")
        fi
    done
    (( $#whole + $#open )) || return 1
    for line in $order; do
        if [[ $line == whole ]]; then
            (( $#whole )) && compadd -U -V whole -l -d shown -a whole
        else
            (( $#open )) && compadd -U -V open -S '' -l -d open_shown -a open
        fi
    done
    return 0
}
if [[ $funcstack[1] == _cnnlab ]]; then
    _cnnlab "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -u; }
    compdef _cnnlab cnnlab
fi
