"""Reads the public headers far enough to compare them with sora/_capi.py: constants, structs, callback types, functions."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path
from typing import Any

from sora import _capi

INCLUDE = Path(__file__).resolve().parents[3] / "include"

SCALARS = {
    "int": ctypes.c_int, "char": ctypes.c_char, "float": ctypes.c_float, "double": ctypes.c_double, "size_t": ctypes.c_size_t,
    "int32_t": ctypes.c_int32, "int64_t": ctypes.c_int64, "uint8_t": ctypes.c_uint8, "uint32_t": ctypes.c_uint32,
    "uint64_t": ctypes.c_uint64, "sora_param": ctypes.c_int32, "sora_slot": ctypes.c_int32,
}  # fmt: skip


def text() -> str:
    """All headers without comments and continued lines."""
    files = sorted((INCLUDE / "sora").glob("*.h"))
    assert files, "the headers are not where they should be"
    joined = "\n".join(f.read_text() for f in files)
    return re.sub(r"/\*.*?\*/", " ", joined, flags=re.S).replace("\\\n", " ")


def constants(source: str) -> dict[str, int]:
    found = re.findall(r"^#define\s+SORA_(\w+)\s+\(?(-?\d+)u?\)?\s*$", source, re.M)
    return {name: int(value) for name, value in found}


def handles(source: str) -> set[str]:
    return set(re.findall(r"typedef\s+struct\s+(\w+)\s+\1\s*;", source))


def c_type(words: str, stars: int, known: set[str]) -> Any:
    """ctypes' counterpart of a type: its words without the stars, and how many stars there are."""
    base = " ".join(w for w in words.replace("SORA_API", "").replace("SORA_WUR", "").split() if w not in ("const", "struct"))
    if base in _capi.CALLBACKS:
        assert stars == 0
        return _capi.CALLBACKS[base]
    if base == "void":
        kinds: list[Any] = [None, ctypes.c_void_p]
    elif base == "char":
        kinds = [ctypes.c_char, ctypes.c_char_p, ctypes.POINTER(ctypes.c_char_p)]
    elif base in known:
        kinds = [None, ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p)]
    else:
        one = _capi.STRUCTS.get(base) or SCALARS[base]
        kinds = [one, ctypes.POINTER(one)]
    return kinds[stars]


def split_arguments(arguments: str) -> list[str]:
    """At commas that are in no parentheses."""
    parts, depth, last = [], 0, 0
    for i, c in enumerate(arguments):
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            parts.append(arguments[last:i])
            last = i + 1
    parts.append(arguments[last:])
    return [p.strip() for p in parts if p.strip() not in ("", "void")]


def declaration(declared: str, known: set[str]) -> tuple[str, Any]:
    """Name and type of one parameter or field: `const char *name`, `int64_t shape[SORA_MAX_RANK]`, `int (*fn)(void *arg)`."""
    function = re.match(r"(.*?)\(\s*\*\s*(\w*)\s*\)\s*\((.*)\)$", declared, re.S)
    if function:
        result = c_type(function[1].replace("*", " "), function[1].count("*"), known)
        return function[2], ctypes.CFUNCTYPE(result, *[declaration(a, known)[1] for a in split_arguments(function[3])])
    array = re.match(r"(.*)\[(\w+)\]$", declared, re.S)
    if array:
        name, kind = declaration(array[1].strip(), known)
        length = array[2] if array[2].isdigit() else _capi.CONSTANTS[array[2].removeprefix("SORA_")]
        return name, kind * int(length)
    plain = re.match(r"(.*?)(\w+)$", declared, re.S)
    assert plain, declared
    return plain[2], c_type(plain[1].replace("*", " "), plain[1].count("*"), known)


def structs(source: str) -> dict[str, list[tuple[str, Any]]]:
    known, found = handles(source), {}
    for name, body in re.findall(r"typedef\s+struct\s+(\w+)\s*\{(.*?)\}\s*\1\s*;", source, re.S):
        fields: list[tuple[str, Any]] = []
        for line in filter(None, (f.strip() for f in body.split(";"))):
            first, *others = split_arguments(line)
            fields.append(declaration(first, known))
            base = re.match(r"((?:const\s+|unsigned\s+)*\w+(?:\s+const)?)", first)
            assert base
            fields += [declaration(f"{base[1]} {other}", known) for other in others]
        found[name] = fields
    return found


def callbacks(source: str) -> dict[str, Any]:
    known = handles(source)
    return {
        name: declaration(f"{result}(*{name})({arguments})", known)[1]
        for result, name, arguments in re.findall(r"typedef\s+([\w\s*]+?)\(\s*\*\s*(sora_\w+)\s*\)\s*\(([^;]*)\)\s*;", source)
    }


def functions(source: str) -> dict[str, tuple[Any, list[Any]]]:
    known, found = handles(source), {}
    plain = re.sub(r"^\s*#.*$", "", source, flags=re.M)
    for result, name, arguments in re.findall(r"\bSORA_API\b([^;(]*?)(sora_\w+)\s*\(([^;]*)\)\s*;", plain):
        found[name] = (
            c_type(result.replace("*", " "), result.count("*"), known),
            [declaration(a, known)[1] for a in split_arguments(arguments)],
        )
    return found
