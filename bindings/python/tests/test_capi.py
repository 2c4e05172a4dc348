"""sora/_capi.py against the headers: a drift of either shows here."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

import headers
import pytest

import sora
from sora import _capi

SOURCE = headers.text()


def test_constants() -> None:
    assert headers.constants(SOURCE) == _capi.CONSTANTS


def test_structs_by_name_and_type() -> None:
    declared = headers.structs(SOURCE)
    assert len(declared) > 10
    assert set(declared) == set(_capi.STRUCTS)
    for name, fields in declared.items():
        assert [(f[0], f[1]) for f in _capi.STRUCTS[name]._fields_] == fields, name


def test_callbacks() -> None:
    declared = headers.callbacks(SOURCE)
    assert set(declared) == set(_capi.CALLBACKS)
    for name, kind in declared.items():
        assert _capi.CALLBACKS[name] is kind, name


def test_functions() -> None:
    declared = headers.functions(SOURCE)
    assert len(declared) > 50
    assert set(declared) == set(_capi.PROTOTYPES)
    for name, (result, arguments) in declared.items():
        assert _capi.PROTOTYPES[name] == (result, arguments), name


def test_the_library_exports_all() -> None:
    bare = ctypes.CDLL(_capi.lib._name)
    assert [name for name in _capi.PROTOTYPES if not hasattr(bare, name)] == []


def test_layouts_by_the_compiler(tmp_path: Path) -> None:
    """Sizes and offsets as the C compiler sees them."""
    compiler = next(filter(None, map(shutil.which, (os.environ.get("CC", "gcc"), "cc", "clang"))), None)
    if not compiler:
        pytest.skip("no C compiler")
    lines, expected = [], []
    for name, struct in _capi.STRUCTS.items():
        lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
        expected.append(f"{name} {ctypes.sizeof(struct)}")
        for field in struct._fields_:
            at = getattr(struct, field[0])
            lines.append(f'printf("{name}.{field[0]} %zu %zu\\n", offsetof({name}, {field[0]}), sizeof((({name} *)0)->{field[0]}));')
            expected.append(f"{name}.{field[0]} {at.offset} {at.size}")
    source = tmp_path / "layout.c"
    source.write_text("#include <sora/sora.h>\n#include <stdio.h>\nint main(void) {\n" + "\n".join(lines) + "\nreturn 0;\n}\n")
    program = tmp_path / "layout"
    subprocess.run([compiler, "-std=c99", f"-I{headers.INCLUDE}", "-o", str(program), str(source)], check=True)
    said = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout.splitlines()
    assert said == expected


def test_a_drift_shows() -> None:
    """The comparison can fail: a field, a type, a constant and a function that differ are seen."""
    changed = SOURCE.replace("int32_t threads;", "int64_t threads;")
    assert changed != SOURCE and headers.structs(changed) != headers.structs(SOURCE)
    changed = SOURCE.replace("uint64_t mem_limit;", "")
    assert len(headers.structs(changed)["sora_context_opts"]) == len(_capi.ContextOpts._fields_) - 1
    assert headers.constants(SOURCE + "\n#define SORA_PARAM_NEW 99\n") != _capi.CONSTANTS
    changed = SOURCE + "\nSORA_API int sora_new(sora_model *model, const char *const *names);\n"
    assert headers.functions(changed)["sora_new"] == (ctypes.c_int, [ctypes.c_void_p, ctypes.POINTER(ctypes.c_char_p)])


def test_status_names() -> None:
    for name, value in _capi.CONSTANTS.items():
        if name.startswith("E_") or name in ("OK", "MORE"):
            assert _capi.lib.sora_status_name(value) == f"SORA_{name}".encode()


def test_versions() -> None:
    assert sora.library_version().split(".")[0] == sora.__version__.split(".")[0]
    assert sora.library_version() in sora.build_info()


def run(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], env={**os.environ, **env}, capture_output=True, text=True)


def test_a_missing_library_is_an_import_error(tmp_path: Path) -> None:
    said = run("import sora", SORA_LIBRARY=str(tmp_path / "none.so")).stderr
    assert "ImportError" in said and "SORA_LIBRARY" in said and "none.so" in said


def test_another_library_is_refused() -> None:
    said = run("import sora", SORA_LIBRARY="libc.so.6").stderr
    assert "ImportError" in said and "not a libsora" in said


def test_an_installed_library_is_found() -> None:
    """Without SORA_LIBRARY and without one in the package: where the system's loader looks."""
    given = os.environ.get("SORA_LIBRARY")
    if not given or Path(given).name != _capi.SONAME:
        pytest.skip("SORA_LIBRARY does not name a library to stand for the installed one")
    env = {k: v for k, v in os.environ.items() if k != "SORA_LIBRARY"} | {"LD_LIBRARY_PATH": str(Path(given).parent)}
    code = "import sora; print(sora._capi.lib._name, sora.library_version())"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.stdout == f"{_capi.SONAME} {sora.library_version()}\n", done.stderr


def test_an_older_library_fails_when_it_is_asked(tmp_path: Path) -> None:
    """Functions that a library lacks are found out when they are called, not at import."""
    with pytest.raises(NotImplementedError, match="too old: it has no sora_new"):
        _capi._missing("sora_new")(1, 2)
