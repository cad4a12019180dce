# Completion of cnnlab in bash. In ~/.bashrc:  source <(cnnlab completion bash)
_cnnlab() {
    local IFS=$'\n' line
    COMPREPLY=()
    compopt -o nosort 2>/dev/null
    while read -r line; do
        COMPREPLY+=("$line")
    done < <(
        COMP_LINE=$COMP_LINE COMP_POINT=$COMP_POINT COMP_TYPE=$COMP_TYPE _CNNLAB_BREAKS=$COMP_WORDBREAKS \
            _CNNLAB_COMPLETE=bash "$1" 2>/dev/null
    )
    # A word that goes on ends in a tab.
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *$'\t' ]]; then
        COMPREPLY[0]=${COMPREPLY[0]%$'\t'}
        compopt -o nospace 2>/dev/null
    fi
}
complete -F _cnnlab cnnlab
