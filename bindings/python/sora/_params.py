"""Generation parameters as the library describes them: names, kinds, ranges, defaults, help.

Nothing here knows a parameter: a newer library brings new keywords without a change in this package. Since 0.1.
"""

from __future__ import annotations

import ctypes
import difflib
import operator
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Union

from . import _capi
from ._errors import check, make

ParamValue = Union[str, int, float]

_KINDS = {v: k for k, v in _capi.named("KIND_").items()}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a pipeline.

    ``name``: the keyword. ``kind``: ``"i64"``, ``"f64"``, ``"text"`` or ``"enum"``. ``unit``: ``"pixels"``, ``"frames"``, or
    empty. ``values``: names of an enum. ``lowest``, ``highest``: of numbers. ``initial``: what holds when nothing is set.
    Since 0.1.
    """

    id: int
    name: str
    kind: str
    unit: str
    help: str
    values: tuple[str, ...]
    lowest: float
    highest: float
    initial: ParamValue

    def check(self, value: Any) -> ParamValue:
        """``value`` as the library takes it: enums as numbers. TypeError of the wrong kind, InvalidError out of range.
        Since 0.1."""
        if self.kind == "text":
            if not isinstance(value, str):
                raise TypeError(f"{self.name} is a text, not {type(value).__name__}")
            return value
        number: int | float
        if self.kind == "enum" and isinstance(value, str):
            if value not in self.values:
                raise make(_capi.E_INVALID, f"{self.name} is one of {', '.join(self.values)}, not {value!r}")
            return self.values.index(value)
        if self.kind == "f64":
            try:
                number = float(value)
            except (TypeError, ValueError):
                raise TypeError(f"{self.name} is a number, not {value!r}") from None
        else:
            try:
                number = operator.index(value)
            except TypeError:
                what = "one of " + ", ".join(self.values) if self.kind == "enum" else "a whole number"
                raise TypeError(f"{self.name} is {what}, not {value!r}") from None
        if not self.lowest <= number <= self.highest:
            raise make(_capi.E_INVALID, f"{self.name}: {number} is not in {self.lowest:g}..{self.highest:g}")
        return number

    def _send(self, pipeline: int, value: ParamValue) -> None:
        """Sets it in a pipeline of the library; ``value`` as ``check`` gives it."""
        lib, what = _capi.lib, f"{self.name}: {value!r} was refused"
        if self.kind == "text":
            utf8 = str(value).encode("utf-8", "surrogatepass")
            status = lib.sora_pipeline_set_text(pipeline, self.id, utf8, len(utf8))
        elif self.kind == "f64":
            status = lib.sora_pipeline_set_f64(pipeline, self.id, value)
        else:
            status = lib.sora_pipeline_set_i64(pipeline, self.id, value)
        check(status, what="a run is under way" if status == _capi.E_STATE else what)

    def describe(self) -> str:
        """One line for a manual. Since 0.1."""
        parts = [self.help]
        if self.kind == "enum":
            parts.append("one of " + ", ".join(self.values))
        elif self.kind != "text":
            parts.append(f"{self.lowest:g}..{self.highest:g}{' ' + self.unit if self.unit else ''}")
        return f"{self.name}: {'; '.join(parts)}"


def _read(desc: _capi.ParamDesc) -> Parameter:
    kind = _KINDS.get(desc.kind, str(desc.kind))
    values = tuple(desc.values.decode().split("|")) if desc.values else ()
    initial: ParamValue = desc.initial
    if kind == "text":
        initial = ""
    elif kind == "i64":
        initial = int(desc.initial)
    elif kind == "enum":
        initial = values[int(desc.initial)]
    texts = [(t or b"").decode() for t in (desc.name, desc.unit, desc.help)]
    return Parameter(desc.id, texts[0], kind, texts[1], texts[2], values, desc.lowest, desc.highest, initial)


def _list() -> dict[str, Parameter]:
    found: dict[str, Parameter] = {}
    while True:
        desc = _capi.ParamDesc()
        if _capi.lib.sora_param_at(len(found), ctypes.byref(desc)) != _capi.OK:
            return found
        parameter = _read(desc)
        found[parameter.name] = parameter


_parameters = _list()


def parameters() -> Mapping[str, Parameter]:
    """All parameters of this library, by name, in its order. Since 0.1."""
    return dict(_parameters)


def find(name: str) -> Parameter:
    """TypeError, with what is meant perhaps, for a name that is none."""
    if name not in _parameters:
        near = difflib.get_close_matches(name, _parameters, 1)
        hint = f": did you mean {near[0]!r}?" if near else f"; there are {', '.join(_parameters)}"
        raise TypeError(f"no parameter is called {name!r}{hint}")
    return _parameters[name]


def manual(indent: str) -> str:
    """The parameters as lines of a docstring."""
    lines = (textwrap.fill(p.describe(), 110, initial_indent=indent, subsequent_indent=indent + "    ") for p in _parameters.values())
    return "\n".join(lines)
