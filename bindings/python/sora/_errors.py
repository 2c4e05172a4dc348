"""Failures of the library as exceptions. Each is also one of Python's own kinds, so that ``except ValueError`` works too.

Since 0.1.
"""

from __future__ import annotations

from . import _capi


class SoraError(Exception):
    """A call of the library failed.

    Attributes:
        status: the ``SORA_E_*`` number, negative.
        name: its name, e.g. ``"SORA_E_FORMAT"``.
        message: one line that says what and where.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message

    @property
    def name(self) -> str:
        return str(_capi.lib.sora_status_name(self.status).decode())

    def __str__(self) -> str:
        return self.message or self.name


class InternalError(SoraError, RuntimeError):
    """A defect of the library: please report it."""


class InvalidError(SoraError, ValueError):
    """An argument is wrong."""


class UnsupportedError(SoraError, NotImplementedError):
    """Right, but not something that this build or model can do."""


class StateError(SoraError, RuntimeError):
    """The call does not fit the object's state: closed, busy, or not begun."""


class OutOfMemoryError(SoraError, MemoryError):
    """There is no memory; everything is as before the call."""


class LimitError(SoraError, MemoryError):
    """The work would pass the context's ``mem_limit``; nothing is lost, ask for less."""


class IoError(SoraError, OSError):
    """The operating system, or the file object that was given, failed."""


class FormatError(SoraError, ValueError):
    """A file is damaged or not what it says; the message names file and field."""


class NotFoundError(SoraError, LookupError):
    """A file, tensor, part or name is missing."""


class CancelledError(SoraError):
    """``cancel()`` stopped it."""


class BackendError(SoraError, RuntimeError):
    """A backend could not be loaded, or its device failed."""


_KINDS: dict[int, type[SoraError]] = {
    _capi.E_INTERNAL: InternalError,
    _capi.E_INVALID: InvalidError,
    _capi.E_UNSUPPORTED: UnsupportedError,
    _capi.E_STATE: StateError,
    _capi.E_NOMEM: OutOfMemoryError,
    _capi.E_LIMIT: LimitError,
    _capi.E_IO: IoError,
    _capi.E_FORMAT: FormatError,
    _capi.E_NOTFOUND: NotFoundError,
    _capi.E_CANCELLED: CancelledError,
    _capi.E_BACKEND: BackendError,
}


def make(status: int, message: str) -> SoraError:
    """The exception for a status of the library."""
    return _KINDS.get(status, SoraError)(status, message)


def check(status: int, error: _capi.Error | None = None, what: str = "") -> int:
    """Gives a status back that is no failure, raises the others. ``what`` is for calls that give no message."""
    if status >= 0:
        return status
    message = error.message.decode("utf-8", "replace") if error is not None else ""
    raise make(status, message or what or _capi.lib.sora_status_name(status).decode())
