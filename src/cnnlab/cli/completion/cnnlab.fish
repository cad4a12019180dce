# Completion of cnnlab in fish:  cnnlab completion fish > ~/.config/fish/completions/cnnlab.fish
function __cnnlab_complete
    set -l program (commandline -opc)[1]
    _CNNLAB_COMPLETE=fish $program (commandline -cp | string collect) 2>/dev/null
end
complete -c cnnlab -f -k -a '(__cnnlab_complete)'
