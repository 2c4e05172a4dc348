#!/bin/bash
# configure: installs only when told to and allowed to, writes only into its build folder, refuses what it does not know.
# The package tools are replaced by ones that only take notes.
set -u
top=${TOP:-$(pwd)}
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
fails=0
ok() { if [ "$2" = 0 ]; then echo "ok   $1"; else echo "FAIL $1"; sed 's/^/     /' "$tmp/out"; fails=$((fails + 1)); fi; }
cp "$top/configure" "$tmp/configure"
cd "$tmp" || exit 2

mkdir fake
note() { printf '#!/bin/sh\n%s\n' "$2" >"fake/$1"; chmod +x "fake/$1"; }
note apt-get "echo \"apt-get \$*\" >>$tmp/calls"
note dpkg-query 'case "$*" in *libcairo2-dev*) exit 1 ;; esac; echo installed'
note sudo "echo \"sudo \$*\" >>$tmp/calls; exit 1"
run() { # uid, arguments...
    note id "echo $1"
    shift
    rm -f calls; touch calls
    PATH=$tmp/fake:$PATH BUILD=b sh ./configure "$@" >out 2>&1
}

run 0; s=$?
ok "plain configure succeeds where all is there" $s
! grep -q . calls; ok "plain configure calls no package tool" $?
[ "$(ls)" = "$(printf 'b\ncalls\nconfigure\nfake\nout')" ]; ok "it writes into its build folder only" $?
[ -s b/config.mk ] && grep -q '^CC := ' b/config.mk; ok "it writes config.mk" $?

run 0 --install-deps; s=$?
ok "--install-deps as root succeeds" $s
grep -q 'install libcairo2-dev' calls && ! grep -q 'install.*libpng-dev' calls; ok "it installs what is missing and nothing else" $?

run 1000 --install-deps; [ $? = 1 ]; ok "without root and sudo it fails" $?
! grep -q apt-get calls; ok "... and installs nothing" $?
grep -q 'apt-get install -y --no-install-recommends libcairo2-dev' out; ok "... and prints the line that does it" $?

note sudo "[ \"\$1\" = -n ] && shift || exit 1; exec \"\$@\""
run 1000 --install-deps; s=$?
ok "with sudo that asks nothing it succeeds" $s
grep -q 'install libcairo2-dev' calls; ok "... and installs" $?

run 0 --no-such-option; [ $? = 1 ] && grep -q 'unknown option: --no-such-option' out; ok "an unknown option is refused" $?
run 0 --prefix=relative; [ $? = 1 ]; ok "a relative prefix is refused" $?
run 0 --enable-sanitize=address,thread; [ $? = 1 ]; ok "sanitizers that exclude each other are refused" $?
run 0 CC=/nonexistent/cc; [ $? = 1 ] && grep -q 'does not compile' out; ok "a compiler that is not there is an error" $?
run 0 && grep -q '^LIB_LIBS := ' b/config.mk && ! grep -q '^LIB_.*blas' b/config.mk; ok "the library itself does not link OpenBLAS" $?
run 0 --without-openblas && grep -q '^HAVE_OPENBLAS := 0' b/config.mk && ! grep -q '^BLAS_' b/config.mk; ok "--without-openblas" $?
note pkg-config "case \"\$*\" in *openblas*) exit 1 ;; esac; exec $(command -v pkg-config) \"\$@\""
run 0 && grep -q '^HAVE_OPENBLAS := 0' b/config.mk; ok "without OpenBLAS, plain configure succeeds" $?
run 0 --with-openblas; [ $? = 1 ] && grep -q 'OpenBLAS is missing' out; ok "... and --with-openblas fails" $?
rm fake/pkg-config
run 0 --prefix="/opt/so ra's" && grep -q "^PREFIX := /opt/so ra's\$" b/config.mk && grep -q "so ra'" b/config.again; ok "a prefix with spaces survives" $?
mv b/config.mk first && (unset BUILD; PATH=$tmp/fake:$PATH sh b/config.again >out 2>&1) && cmp -s first b/config.mk; ok "config.again repeats a configuration" $?
run 0 --help && grep -q -- --install-deps out; ok "--help" $?
[ $fails = 0 ]
