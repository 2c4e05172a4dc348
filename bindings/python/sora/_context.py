"""Contexts: memory, threads, log and devices.

Since 0.1.
"""

from __future__ import annotations

import ctypes
import logging
import os
import threading
from dataclasses import dataclass
from typing import Any, Callable, Union

from . import _capi
from ._errors import check
from ._handle import Handle, new_handle

LogFunction = Callable[[str, str], Any]
Path = Union[str, "os.PathLike[str]"]

_LEVELS = _capi.named("LOG_")
_LEVEL_NAMES = {v: k for k, v in _LEVELS.items()}
_LOGGING = {"error": logging.ERROR, "warn": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}


@dataclass(frozen=True)
class Memory:
    """Bytes. Of a context: held now, most held at once, the limit (0: none). Of an estimate: ``used`` stays after the work,
    ``peak`` is the most during it. Since 0.1."""

    used: int
    peak: int
    limit: int


def make_memory(c: _capi.Memory) -> Memory:
    return Memory(c.used, c.peak, c.limit)


class Context(Handle):
    """Memory, threads, log and devices of the models and pipelines made from it. Contexts share nothing.

    Args:
        threads: how many work at once, the caller's included; 0: one per usable core. Results never depend on it.
        mem_limit: bytes that the context and what is made from it may hold; 0: no limit. Work that would pass it raises
            LimitError or OutOfMemoryError and leaves everything usable.
        log: a ``logging.Logger``, or a function of level (``"error"``, ``"warn"``, ``"info"``, ``"debug"``) and message, one
            line; it may be called from any thread. None: silent. What it raises goes to ``sys.unraisablehook``.
        log_level: the most detailed level that is logged.

    Raises:
        OutOfMemoryError, InvalidError.

    Any number of threads may use a context. Objects hold the context that they came from. Since 0.1.
    """

    _what = "context"

    def __init__(
        self,
        *,
        threads: int = 0,
        mem_limit: int = 0,
        log: logging.Logger | LogFunction | None = None,
        log_level: str = "info",
    ) -> None:
        if log_level not in _LEVELS:
            raise ValueError(f"log_level is one of {', '.join(_LEVELS)}, not {log_level!r}")
        opts = _capi.ContextOpts(threads=threads, mem_limit=mem_limit)
        # The library may log for as long as anything made from this context lives: all of that holds the context, too.
        self._log = _capi.LogFn(_log_callback(log)) if log is not None else _capi.LogFn()
        opts.log = self._log
        opts.log_level = _LEVELS[log_level] if log is not None else 0
        create = _capi.lib.sora_context_create
        super().__init__(new_handle("context", create, ctypes.byref(opts)), _capi.lib.sora_context_unref)

    @property
    def memory(self) -> Memory:
        """Bytes held now, the most held at once, and the limit. Since 0.1."""
        out = _capi.Memory()
        check(_capi.lib.sora_context_memory(self._ptr, ctypes.byref(out)))
        return make_memory(out)

    @property
    def backends(self) -> dict[str, str]:
        """Devices: names, for ``Model(device=...)``, and what they are. ``"cpu"`` is always there. Since 0.1."""
        names = {}
        for i in range(_capi.lib.sora_backend_count(self._ptr)):
            desc = _capi.BackendDesc()
            check(_capi.lib.sora_backend_info(self._ptr, i, ctypes.byref(desc)))
            names[desc.name.decode()] = desc.description.decode()
        return names

    def load_backend(self, path: Path) -> None:
        """Loads a backend from a shared object and opens its device. Not while other threads use the context.

        Raises:
            BackendError: it is none, or its device is missing. The context is unchanged.

        Since 0.1.
        """
        error = _capi.Error()
        check(_capi.lib.sora_backend_load(self._ptr, os.fsencode(path), ctypes.byref(error)), error)

    def __repr__(self) -> str:
        return "<sora.Context closed>" if self.closed else f"<sora.Context {self.memory.used} bytes, {', '.join(self.backends)}>"


def _log_callback(log: logging.Logger | LogFunction) -> Callable[[Any, int, bytes], None]:
    # There is no caller to raise to: what leaves this function is shown by sys.unraisablehook.
    def callback(_user: Any, level: int, message: bytes) -> None:
        name, text = _LEVEL_NAMES.get(level, "debug"), message.decode("utf-8", "replace")
        if isinstance(log, logging.Logger):
            log.log(_LOGGING[name], "%s", text)
        else:
            log(name, text)

    return callback


_default: Context | None = None
_default_lock = threading.Lock()


def default_context() -> Context:
    """The context of everything that is made without one: default options, made when it is first asked for. Since 0.1."""
    global _default
    with _default_lock:
        if _default is None or _default.closed or _default._process != os.getpid():
            _default = Context()
        return _default
