#!/bin/bash
# The tests of the Python binding, against the library in $BUILD. PYTHON names an interpreter. Without Python, NumPy or pytest: SKIP.
set -u
top=${TOP:-$(cd "$(dirname "$0")/.." && pwd)}
build=${BUILD:-build}
python=${PYTHON:-python3}
cd "$top" || exit 2
skip() { echo "SKIP python: $*"; exit 0; }
command -v "$python" >/dev/null || skip "$python is not there"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' || skip "$python is older than 3.9"
for module in numpy pytest; do
    "$python" -c "import $module" 2>/dev/null || skip "$python has no $module"
done
if grep -q '^SANITIZE := .' "$build/config.mk" 2>/dev/null; then skip "a sanitizer build cannot be loaded by $python"; fi
case $build in /*) dir=$build ;; *) dir=$top/$build ;; esac
library=$(ls "$dir"/libsora.so.[0-9]* 2>/dev/null | head -n 1)
[ -n "$library" ] || { echo "FAIL python: $dir has no libsora.so: make first"; exit 1; }

unset MAKEFLAGS MAKELEVEL MFLAGS # the wheel is built by a make of its own
export SORA_LIBRARY=$library SORA_BUILD=$build PYTHONPATH=$top/bindings/python PYTHONDONTWRITEBYTECODE=1
exec "$python" -m pytest -p no:cacheprovider bindings/python
