"""DLPack capsules (https://dmlc.github.io/dlpack): the memory of a tensor for PyTorch, JAX, CuPy and others, without a copy.

Since 0.1.
"""

from __future__ import annotations

import ctypes
import itertools
from ctypes import POINTER, Structure, c_char_p, c_int32, c_int64, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p, py_object
from typing import Any

#: Device type and number of host memory.
CPU = (1, 0)

_TYPES = {"f32": (2, 32), "f16": (2, 16), "bf16": (4, 16), "i32": (0, 32), "i64": (0, 64), "i8": (0, 8), "u8": (1, 8)}


class _DLTensor(Structure):
    _fields_ = [
        ("data", c_void_p),
        ("device_type", c_int32),
        ("device_id", c_int32),
        ("ndim", c_int32),
        ("code", c_uint8),
        ("bits", c_uint8),
        ("lanes", c_uint16),
        ("shape", POINTER(c_int64)),
        ("strides", POINTER(c_int64)),
        ("byte_offset", c_uint64),
    ]


_Deleter = ctypes.CFUNCTYPE(None, c_void_p)


class _Managed(Structure):
    _fields_ = [("dl_tensor", _DLTensor), ("manager_ctx", c_void_p), ("deleter", _Deleter)]


class _ManagedVersioned(Structure):
    _fields_ = [
        ("major", c_uint32),
        ("minor", c_uint32),
        ("manager_ctx", c_void_p),
        ("deleter", _Deleter),
        ("flags", c_uint64),
        ("dl_tensor", _DLTensor),
    ]


# What is out there, by the number in manager_ctx: the struct, its arrays, and what keeps the memory.
_out: dict[int, Any] = {}
_numbers = itertools.count(1)


def _drop(address: int) -> None:
    _out.pop(_Managed.from_address(address).manager_ctx or 0, None)


def _drop_versioned(address: int) -> None:
    _out.pop(_ManagedVersioned.from_address(address).manager_ctx or 0, None)


_delete, _delete_versioned = _Deleter(_drop), _Deleter(_drop_versioned)


# A capsule keeps a pointer to its name.
_NAMES = {name: ctypes.create_string_buffer(name) for name in (b"dltensor", b"dltensor_versioned")}

_python = ctypes.pythonapi
_python.PyCapsule_New.restype = py_object
_python.PyCapsule_New.argtypes = [c_void_p, c_char_p, c_void_p]
# The destructor sees a capsule that has no references left: as an address, since an object would revive it.
_is_valid = ctypes.PYFUNCTYPE(ctypes.c_int, c_void_p, c_char_p)(("PyCapsule_IsValid", _python))
_pointer = ctypes.PYFUNCTYPE(c_void_p, c_void_p, c_char_p)(("PyCapsule_GetPointer", _python))


def _untaken(capsule: int) -> None:
    """A capsule that nobody took (a taker renames it) goes with its tensor."""
    for name, drop in ((b"dltensor", _drop), (b"dltensor_versioned", _drop_versioned)):
        if _is_valid(capsule, name):
            drop(_pointer(capsule, name))


_forget = ctypes.PYFUNCTYPE(None, c_void_p)(_untaken)


def export(hold: object, data: int, shape: tuple[int, ...], dtype: str, versioned: bool, readonly: bool) -> Any:
    """A capsule over ``data``; ``hold`` is what keeps the memory, until the taker calls the deleter."""
    code, bits = _TYPES[dtype]
    rank = len(shape)
    extents, strides = (c_int64 * max(rank, 1))(*shape), (c_int64 * max(rank, 1))()
    step = 1
    for i in reversed(range(rank)):
        strides[i] = step
        step *= max(shape[i], 1)
    tensor = _DLTensor(data, CPU[0], CPU[1], rank, code, bits, 1, extents, strides, 0)
    number = next(_numbers)
    managed: _Managed | _ManagedVersioned
    if versioned:
        managed = _ManagedVersioned(1, 0, number, _delete_versioned, int(readonly), tensor)
    else:
        managed = _Managed(tensor, number, _delete)
    _out[number] = (managed, extents, strides, hold)
    name = b"dltensor_versioned" if versioned else b"dltensor"
    return _python.PyCapsule_New(ctypes.addressof(managed), _NAMES[name], ctypes.cast(_forget, c_void_p))
