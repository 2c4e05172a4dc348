"""Tensors: arrays that are shared between the library and NumPy, PyTorch and others without a copy.

Since 0.1.
"""

from __future__ import annotations

import ctypes
import itertools
import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _capi, _dlpack
from ._context import Context, default_context
from ._errors import check, make
from ._handle import Handle, new_handle

DTYPES = _capi.named("DTYPE_")
DTYPE_NAMES = {v: k for k, v in DTYPES.items()}
#: NumPy's types of the library's; bf16 has none.
NUMPY_TYPES: dict[str, npt.DTypeLike] = {
    "f32": np.float32, "f16": np.float16, "i32": np.int32, "u8": np.uint8, "i8": np.int8, "i64": np.int64,
}  # fmt: skip
_NAMES_OF_NUMPY = {np.dtype(t): name for name, t in NUMPY_TYPES.items()}

# Arrays whose memory the library looks at, until it lets go: it may hold a tensor for longer than any Python object does.
_lent: dict[int, Any] = {}
_tickets = itertools.count(1)
_lent_lock = threading.Lock()

_nowhere = ctypes.create_string_buffer(64)  # the data of empty tensors: NumPy before 1.25 wants an address


def _let_go(user: int | None, _data: int | None) -> None:
    with _lent_lock:
        _lent.pop(user or 0, None)


_release = _capi.ReleaseFn(_let_go)


class Tensor(Handle):
    """An array in host memory, row-major and contiguous. Layouts by meaning:

    * video frames: f32 [3, F, H, W] in -1..1
    * latents: f32 [C, T, h, w], normalised as the transformer sees them
    * text: f32 [L, D], rows past the last token are zero

    ``numpy.asarray(t)``, ``torch.from_dlpack(t)`` and ``t.numpy()`` are views of the same memory, and hold the tensor: writing
    to one is seen by the others, and ``close()`` does not invalidate them. Stages take arrays as well as tensors.

    Made by ``Tensor.wrap`` (over an array), ``Tensor.zeros`` and the stages of a pipeline. Since 0.1.
    """

    _what = "tensor"

    def __init__(self, address: int, context: Context) -> None:
        """Takes over the reference ``address``. Not for users: see ``wrap`` and ``zeros``."""
        super().__init__(address, _capi.lib.sora_tensor_unref)
        self._context = context
        self._readonly = False
        desc = _capi.TensorDesc()
        check(_capi.lib.sora_tensor_info(address, ctypes.byref(desc)))
        self._dtype = DTYPE_NAMES.get(desc.dtype, str(desc.dtype))
        self._shape = tuple(int(n) for n in desc.shape[: desc.rank])

    @classmethod
    def zeros(cls, shape: tuple[int, ...], dtype: str = "f32", *, context: Context | None = None) -> Tensor:
        """A zeroed tensor in the context's memory. dtype: f32, bf16, f16, i32, u8, i8 or i64. Since 0.1."""
        context = context or default_context()
        create = _capi.lib.sora_tensor_create
        return cls(new_handle("tensor", create, context._ptr, ctypes.byref(_describe(shape, dtype))), context)

    @classmethod
    def wrap(cls, array: npt.ArrayLike, dtype: str | None = None, *, context: Context | None = None) -> Tensor:
        """A tensor over the memory of ``array`` without a copy, where that is possible.

        Args:
            array: a NumPy array or whatever ``numpy.asarray`` takes. It is held for as long as the library looks at it. Arrays
                that are not C-contiguous, aligned and of native byte order are copied.
            dtype: element type; None: the array's. Another one than the array's makes a copy, except ``"bf16"`` for a uint16
                array, whose elements are taken as the bits.

        Raises:
            TypeError: the array's element type is none of the library's, or would lose its kind (fractions, imaginary parts).

        Since 0.1.
        """
        context = context or default_context()
        if isinstance(array, Tensor) and (dtype is None or dtype == array.dtype):
            return array
        view = array.numpy() if isinstance(array, Tensor) else np.asarray(array)
        if dtype is not None and dtype not in DTYPES:
            raise ValueError(f"dtype is one of {', '.join(DTYPES)}, not {dtype!r}")
        if dtype == "bf16":
            if view.dtype != np.uint16:
                view = _to_bf16(view)
        else:
            wanted = np.dtype(NUMPY_TYPES[dtype]) if dtype else view.dtype.newbyteorder("=")
            if wanted not in _NAMES_OF_NUMPY:
                raise TypeError(f"arrays of {view.dtype} have no counterpart among {', '.join(DTYPES)}: convert it, or name a dtype")
            dtype = _NAMES_OF_NUMPY[wanted]
            view = view.astype(wanted, casting="same_kind", copy=False)
        view = np.require(view, requirements=("C", "A")).reshape(view.shape)
        ticket = next(_tickets)
        with _lent_lock:
            _lent[ticket] = view
        try:
            desc, data = _describe(view.shape, dtype), view.ctypes.data if view.size else None
            wrap = _capi.lib.sora_tensor_wrap
            address = new_handle("tensor", wrap, context._ptr, ctypes.byref(desc), data, _release, ticket)
        except BaseException:
            _let_go(ticket, None)  # the library does not release what it did not take
            raise
        tensor = cls(address, context)
        tensor._readonly = not view.flags.writeable
        return tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """Extents, slowest axis first. Since 0.1."""
        return self._shape

    @property
    def ndim(self) -> int:
        """Number of axes. Since 0.1."""
        return len(self._shape)

    @property
    def dtype(self) -> str:
        """Element type: f32, bf16, f16, i32, u8, i8 or i64. Since 0.1."""
        return self._dtype

    @property
    def nbytes(self) -> int:
        """Bytes of all elements. Since 0.1."""
        return int(_capi.lib.sora_tensor_bytes(self._ptr))

    @property
    def __array_interface__(self) -> dict[str, Any]:
        if self._dtype not in NUMPY_TYPES:
            raise AttributeError(f"NumPy has no {self._dtype}: use numpy() for a float32 copy, bits() or DLPack")
        return self._interface(np.dtype(NUMPY_TYPES[self._dtype]).str)

    def _interface(self, typestr: str) -> dict[str, Any]:
        data = _capi.lib.sora_tensor_data(self._ptr) or ctypes.addressof(_nowhere)
        return {"version": 3, "shape": self._shape, "typestr": typestr, "data": (data, self._readonly), "strides": None}

    def _view(self, typestr: str) -> npt.NDArray[Any]:
        return np.asarray(_View(self, self._interface(typestr))) if self.nbytes else np.empty(self._shape, typestr)

    def numpy(self) -> npt.NDArray[Any]:
        """The elements as a NumPy array: a writable view of the same memory. Of bf16, which NumPy has not, a float32 copy.
        Since 0.1."""
        if self._dtype == "bf16":
            return (self.bits().astype(np.uint32) << 16).view(np.float32)
        return self._view(np.dtype(NUMPY_TYPES[self._dtype]).str)

    def bits(self) -> npt.NDArray[np.uint16]:
        """A bf16 tensor's elements as uint16, a writable view. TypeError for other types. Since 0.1."""
        if self._dtype != "bf16":
            raise TypeError(f"bits() is for bf16, not for {self._dtype}")
        return self._view("<u2")

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        view = self.numpy()
        if dtype is not None and np.dtype(dtype) != view.dtype:
            if copy is False:
                raise ValueError(f"{self._dtype} as {np.dtype(dtype)} takes a copy")
            return view.astype(dtype)
        return view.copy() if copy else view

    def __dlpack__(self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: Any = None) -> Any:
        """A DLPack capsule of the same memory; bf16 too. Since 0.1."""
        if stream is not None:
            raise BufferError("host memory knows no streams")
        if dl_device is not None and tuple(dl_device) != _dlpack.CPU:
            raise BufferError("the tensor is in host memory")
        source = Tensor.wrap(self.numpy().copy(), context=self._context) if copy and self._dtype != "bf16" else self
        if copy and self._dtype == "bf16":
            source = Tensor.wrap(self.bits().copy(), "bf16", context=self._context)
        data = _capi.lib.sora_tensor_data(source._ptr) or 0
        versioned = max_version is not None and max_version[0] >= 1
        if source._readonly and not versioned:
            raise BufferError("the memory is read-only, which this version of DLPack cannot say")
        return _dlpack.export(_View(source, {}), data, self._shape, self._dtype, versioned, source._readonly)

    def __dlpack_device__(self) -> tuple[int, int]:
        return _dlpack.CPU

    def __len__(self) -> int:
        if not self._shape:
            raise TypeError("a tensor without axes has no length")
        return self._shape[0]

    def __repr__(self) -> str:
        return f"<sora.Tensor {self._dtype} {list(self._shape)}{' closed' if self.closed else ''}>"


class _View:
    """What an array over a tensor's memory holds: a reference of its own, so that close() cannot pull the memory away."""

    def __init__(self, tensor: Tensor, interface: dict[str, Any]) -> None:
        address = _capi.lib.sora_tensor_ref(tensor._ptr)
        self._own = Handle(address, _capi.lib.sora_tensor_unref)
        self._context = tensor._context
        self.__array_interface__ = interface


def _describe(shape: tuple[int, ...], dtype: str) -> _capi.TensorDesc:
    if dtype not in DTYPES:
        raise ValueError(f"dtype is one of {', '.join(DTYPES)}, not {dtype!r}")
    if len(shape) > _capi.MAX_RANK:
        raise make(_capi.E_INVALID, f"tensors have at most {_capi.MAX_RANK} axes, not {len(shape)}")
    desc = _capi.TensorDesc(dtype=DTYPES[dtype], rank=len(shape))
    for i, n in enumerate(shape):
        desc.shape[i] = n
    return desc


def _to_bf16(values: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
    """Rounded to nearest even, as the library does."""
    wide = np.ascontiguousarray(values, dtype=np.float32).reshape(values.shape)
    bits = wide.view(np.uint32)
    rounded = ((bits + (0x7FFF + ((bits >> 16) & 1))) >> 16).astype(np.uint16)
    return np.where(np.isnan(wide), np.uint16(0x7FC0), rounded)


def take(value: npt.ArrayLike, dtype: str, context: Context) -> Tensor:
    """An argument of a stage: a tensor as it is (the library checks it), anything else wrapped as ``dtype``."""
    return value if isinstance(value, Tensor) else Tensor.wrap(value, dtype, context=context)
