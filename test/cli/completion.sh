#!/bin/bash
# Completions: their syntax, and that they offer what the program has.
. test/tiny/common.sh

bash -n tools/completion/sora >"$tmp/out" 2>&1; ok "bash completion: syntax" $?
# shellcheck disable=SC1091
. tools/completion/sora
offers() { # words... of the line, the last one unfinished
    COMP_WORDS=("$SORA" "$@") COMP_CWORD=$# COMPREPLY=()
    _sora
    printf '%s\n' "${COMPREPLY[@]}" | sort >"$tmp/out"
    : >"$tmp/err"
}
has() { local w; for w in "$@"; do grep -qxe "$w" "$tmp/out" || return 1; done; }
"$SORA" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p' >"$tmp/commands"
[ "$(wc -l <"$tmp/commands")" -ge 10 ]; ok "the program's help lists its commands" $?
# shellcheck disable=SC2046
offers ''; has $(cat "$tmp/commands") --version; ok "every command is offered" $?
offers gen; [ "$(cat "$tmp/out")" = generate ]; ok "a command is completed" $?
offers stage ''; has text denoise encode decode sample; ok "the stages are offered" $?
offers stage decode --; has --in --out --dtype && ! has --prompt; ok "a stage has its own options" $?
offers generate --; has --prompt --steps --help; ok "options are offered" $?
offers generate --see; [ "$(cat "$tmp/out")" = --seed ]; ok "an option is completed" $?
offers generate --dtype ''; [ "$(tr '\n' ' ' <"$tmp/out")" = "bf16 f32 i8 " ]; ok "the words of an option are offered" $?
offers generate -p x --sampler eu; [ "$(cat "$tmp/out")" = euler ]; ok "... and completed" $?
offers generate --prompt ''; [ -z "$(cat "$tmp/out")" ]; ok "nothing is offered where a text stands" $?
offers generate -o READ; has README.md; ok "files are offered where a file stands" $?

if command -v zsh >/dev/null; then
    zsh -n tools/completion/_sora >"$tmp/out" 2>&1; ok "zsh completion: syntax" $?
    # The parts of zsh's completion that it calls print instead.
    cat >"$tmp/zsh" <<'END'
compadd() { print -l -- "${(@P)2}" }
_describe() { print -l -- "${(@P)2}" }
_files() { print files }
complete_sora() { . tools/completion/_sora }
words=("$@") CURRENT=$#
complete_sora
END
    offers() { zsh -f "$tmp/zsh" "$SORA" "$@" 2>"$tmp/err" | sort >"$tmp/out"; }
    offers ''; [ ! -s "$tmp/err" ] && cut -d: -f1 "$tmp/out" >"$tmp/names" && [ -z "$(comm -23 <(sort "$tmp/commands") "$tmp/names")" ]
    ok "zsh: every command is offered" $?
    offers stage ''; has text denoise encode decode sample; ok "zsh: the stages are offered" $?
    offers stage decode --; has --in --out --dtype && ! has --prompt; ok "zsh: a stage has its own options" $?
    offers generate --; has --prompt --steps --help; ok "zsh: options are offered" $?
    offers generate --dtype ''; [ "$(tr '\n' ' ' <"$tmp/out")" = "bf16 f32 i8 " ]; ok "zsh: the words of an option are offered" $?
    offers generate -p ''; [ ! -s "$tmp/out" ]; ok "zsh: nothing is offered where a text stands" $?
    offers generate -o ''; has files; ok "zsh: files are offered where a file stands" $?
else
    echo "SKIP zsh completion: there is no zsh"
fi
finish
