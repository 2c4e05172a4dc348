"""What all objects of the library share: a C handle that is given back exactly once, in any order of garbage collection, and
calls that Ctrl-C can stop.

Since 0.1.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import queue
import threading
import weakref
from collections.abc import Iterator
from typing import Any, Callable, TypeVar

from . import _capi
from ._errors import check, make

H = TypeVar("H", bound="Handle")


def _give_back(
    release: Callable[[Any], None], address: int, process: int, busy: threading.Lock, cancel: Callable[[int], None] | None = None
) -> None:
    """Releases a handle, but for two cases that leave it to the end of the process.

    Threads and locks do not follow into a forked process. And when the interpreter ends, a daemon thread may be using it: it is
    stopped, since the library must not call into an interpreter that is gone, and when it does not stop, the handle is left. The
    lock stays held, so that whatever the thread calls next is refused.
    """
    if os.getpid() != process:
        return
    free = busy.acquire(blocking=False)
    if not free and cancel is not None:
        cancel(address)
        free = busy.acquire(timeout=10)
    if free:
        release(ctypes.byref(ctypes.c_void_p(address)))


class Handle:
    """Owns one reference to an object of the library.

    The reference goes back when the object is collected, closed, or left as a ``with`` block, and at the latest when the
    interpreter ends. Objects hold the ones they came from, and the library counts references of its own, so any order is fine.
    """

    _what = "object"

    def __init__(self, address: int, release: Callable[[Any], None], cancel: Callable[[int], None] | None = None) -> None:
        self._address: int | None = address
        self._process = os.getpid()
        # One call at a time: a second thread gets an exception instead of a race inside the library.
        self._busy = threading.Lock()
        self._life = threading.RLock()  # cancel, which any thread may call at any time, against close
        self._finalizer = weakref.finalize(self, _give_back, release, address, self._process, self._busy, cancel)

    @property
    def _ptr(self) -> int:
        """The C handle. StateError when closed, or in a forked child."""
        address: int | None = getattr(self, "_address", None)
        if address is None:
            raise make(_capi.E_STATE, f"the {self._what} is closed")
        if os.getpid() != self._process:
            raise make(_capi.E_STATE, f"the {self._what} belongs to the process that made it: make a new one after a fork")
        return address

    @property
    def closed(self) -> bool:
        """True after ``close()``."""
        return self._address is None

    @contextlib.contextmanager
    def _one_call(self) -> Iterator[None]:
        """Around calls of what belongs to one thread at a time. StateError when another one is under way."""
        if not self._busy.acquire(blocking=False):
            raise make(_capi.E_STATE, f"the {self._what} is in use by another call")
        try:
            yield
        finally:
            self._busy.release()

    def close(self) -> None:
        """Gives the object back now instead of at garbage collection. Closing twice is fine. StateError while a call runs."""
        with self._one_call(), self._life:
            self._address = None
            alive = self._finalizer.detach()
            if alive is not None:
                _, _, (release, address, process, *_), _ = alive
                _give_back(release, address, process, threading.Lock())  # the lock is held here

    def __enter__(self: H) -> H:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> Any:
        raise TypeError(f"a {self._what} of libsora cannot be pickled or copied")


def new_handle(what: str, create: Callable[..., int], *arguments: Any) -> int:
    """Calls a creating function (its first argument is where the handle goes, its last the error) and gives the handle."""
    out, error = ctypes.c_void_p(), _capi.Error()
    check(create(ctypes.byref(out), *arguments, ctypes.byref(error)), error)
    if not out.value:
        raise make(_capi.E_INTERNAL, f"no {what}")
    return int(out.value)


class _Request:
    """Python code that a C callback wants run in the thread of the call."""

    def __init__(self, work: Callable[[], int]) -> None:
        self.work = work
        self.result = _capi.E_CANCELLED
        self.done = threading.Event()


class Calls:
    """Runs one C function so that callbacks and Ctrl-C work as they do in plain Python.

    In the main thread Python handles signals between bytecodes only, so the function runs in a thread of its own while this one
    waits; Ctrl-C (or whatever a signal handler raises) calls ``cancel`` and is raised when the library has let go. Python code
    that the library calls (``in_caller``) runs in the thread that made the call, also then. What it raises is raised by ``call``.
    """

    def __init__(self, cancel: Callable[[], None] | None = None) -> None:
        self._cancel = cancel
        self._requests: queue.SimpleQueue[_Request | None] | None = None
        self._error: BaseException | None = None

    def _run(self, request: _Request) -> None:
        try:
            if self._error is None:
                request.result = request.work()
        except BaseException as error:  # KeyboardInterrupt and SystemExit too: they must not pass through C
            self._error = error
        finally:
            request.done.set()

    def in_caller(self, work: Callable[[], int]) -> int:
        """For C callbacks: runs ``work`` in the thread of the call and gives its result; negative when it raised. Never raises."""
        request, requests = _Request(work), self._requests
        if requests is None:
            self._run(request)
        else:
            requests.put(request)
            while not request.done.wait(0.1) and self._error is None:
                pass  # an interrupt may have come just as the caller took the request: then nobody answers
        return request.result

    def call(self, function: Callable[[], int]) -> int:
        """Runs ``function`` and gives its status. Raises what a callback or a signal handler raised."""
        self._error = None
        try:
            aside = threading.current_thread() is threading.main_thread()
            status = self._call_aside(function) if aside else function()
            if self._error is not None:
                raise self._error
            return status
        finally:
            self._error = None
            self._requests = None

    def _call_aside(self, function: Callable[[], int]) -> int:
        requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        status: list[int] = []
        failed: list[BaseException] = []
        begun, ended = threading.Lock(), threading.Event()  # whoever gets the lock decides whether the call happens

        def work() -> None:
            if not begun.acquire(blocking=False):
                return
            try:
                status.append(function())
            except BaseException as error:
                failed.append(error)
            finally:
                ended.set()
                requests.put(None)

        self._requests = requests
        thread = threading.Thread(target=work, name="sora-call", daemon=True)
        launched = False
        while not ended.is_set():
            try:
                if not launched:
                    launched = True
                    thread.start()
                request = requests.get() if self._error is None else requests.get(timeout=0.1)
                if request is not None:
                    self._run(request)
            except queue.Empty:
                pass
            except BaseException as error:
                if begun.acquire(blocking=False):
                    raise  # before the call began
                self._error = error
                if self._cancel:
                    self._cancel()
        if failed:
            raise failed[0]
        return status[0]
