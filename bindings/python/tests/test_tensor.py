"""Tensors: the same memory on both sides, for as long as either side looks at it."""

from __future__ import annotations

import ctypes
import gc
import pickle

import numpy as np
import pytest

import sora
from sora import _capi, _dlpack, _tensor


def test_views_share_memory() -> None:
    t = sora.Tensor.zeros((2, 3), "f32")
    a, b = t.numpy(), np.asarray(t)
    a[1, 2] = 5
    assert b[1, 2] == 5 and np.from_dlpack(t)[1, 2] == 5
    assert a.ctypes.data == b.ctypes.data == np.from_dlpack(t).ctypes.data
    assert t.shape == (2, 3) and t.ndim == 2 and t.dtype == "f32" and t.nbytes == 24 and len(t) == 2


def test_wrap_shares_memory() -> None:
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    t = sora.Tensor.wrap(a)
    assert t.numpy().ctypes.data == a.ctypes.data
    a[0, 0] = 9
    assert t.numpy()[0, 0] == 9
    assert sora.Tensor.wrap(t) is t


@pytest.mark.parametrize("name", ["f32", "f16", "i32", "u8", "i8", "i64"])
@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0, 2), (2, 3, 4), (1,) * 8])
def test_types_and_shapes(name: str, shape: tuple[int, ...]) -> None:
    a = np.ones(shape, _tensor.NUMPY_TYPES[name])
    t = sora.Tensor.wrap(a)
    assert (t.dtype, t.shape) == (name, shape)
    for back in (t.numpy(), np.asarray(t), np.from_dlpack(t)):
        assert back.dtype == a.dtype and back.shape == shape and np.array_equal(back, a)


def test_what_is_not_contiguous_is_copied() -> None:
    a = np.arange(12, dtype=np.float32).reshape(3, 4)
    for view in (a.T, a[:, ::2], a[::-1], a.astype(">f4"), np.broadcast_to(a[0], (5, 4))):
        t = sora.Tensor.wrap(view)
        assert np.array_equal(t.numpy(), view) and t.shape == view.shape


def test_conversions() -> None:
    t = sora.Tensor.wrap([[1, 2], [3, 4]], "f32")
    assert t.dtype == "f32" and t.numpy().tolist() == [[1, 2], [3, 4]]
    assert np.asarray(t, dtype=np.int64).tolist() == [[1, 2], [3, 4]]
    copied = np.array(t, copy=True)
    copied[0, 0] = 7
    assert t.numpy()[0, 0] == 1


def test_bf16() -> None:
    values = np.array([1.0, -2.5, 3.14159, np.inf, np.nan, 1e-40, 3.4e38], np.float32)
    t = sora.Tensor.wrap(values, "bf16")
    back = t.numpy()
    assert t.dtype == "bf16" and t.nbytes == 14
    assert back[0] == 1 and back[1] == -2.5 and back[3] == np.inf and np.isnan(back[4]) and abs(back[2] / 3.14159 - 1) < 2**-8
    bits = np.array([0x3F80, 0xC000], np.uint16)
    u = sora.Tensor.wrap(bits, "bf16")
    assert u.numpy().tolist() == [1, -2] and u.bits().ctypes.data == bits.ctypes.data
    with pytest.raises(AttributeError, match="bf16"):
        _ = u.__array_interface__
    with pytest.raises(TypeError):
        sora.Tensor.zeros((1,)).bits()


def test_torch() -> None:
    torch = pytest.importorskip("torch")
    t = sora.Tensor.zeros((2, 3))
    x = torch.from_dlpack(t)
    x[1, 1] = 4
    assert t.numpy()[1, 1] == 4 and x.data_ptr() == t.numpy().ctypes.data
    address = x.data_ptr()
    del t
    gc.collect()
    assert x[1, 1] == 4 and x.data_ptr() == address
    half = torch.from_dlpack(sora.Tensor.wrap([1.5, 2.5], "bf16"))
    assert half.dtype == torch.bfloat16 and half.tolist() == [1.5, 2.5]
    given = torch.arange(4, dtype=torch.float32)
    assert sora.Tensor.wrap(given).numpy().ctypes.data == given.data_ptr()


def test_dlpack_versions() -> None:
    t = sora.Tensor.zeros((2,))
    assert '"dltensor"' in repr(t.__dlpack__())
    assert '"dltensor_versioned"' in repr(t.__dlpack__(max_version=(1, 0)))
    assert t.__dlpack_device__() == (1, 0)
    apart = np.from_dlpack(t, copy=True) if np.lib.NumpyVersion(np.__version__) >= "2.1.0" else t.numpy().copy()
    apart[0] = 3
    assert t.numpy()[0] == 0
    with pytest.raises(BufferError):
        t.__dlpack__(dl_device=(2, 0))


def test_read_only_stays_read_only() -> None:
    a = np.zeros(3, np.float32)
    a.flags.writeable = False
    t = sora.Tensor.wrap(a)
    assert not t.numpy().flags.writeable and not np.asarray(t).flags.writeable
    with pytest.raises(BufferError):
        t.__dlpack__()
    if np.lib.NumpyVersion(np.__version__) >= "2.1.0":
        assert not np.from_dlpack(t).flags.writeable


def test_capsules_are_let_go() -> None:
    before = len(_dlpack._out)
    t = sora.Tensor.zeros((2,))
    capsule = t.__dlpack__()
    assert len(_dlpack._out) == before + 1
    del capsule  # never taken
    assert len(_dlpack._out) == before
    taken = np.from_dlpack(t)
    assert len(_dlpack._out) == before + 1
    del taken
    gc.collect()
    assert len(_dlpack._out) == before


def test_arrays_live_as_long_as_the_library_looks() -> None:
    before = len(_tensor._lent)
    t = sora.Tensor.wrap(np.arange(1000, dtype=np.float32))  # the array has no other owner
    assert len(_tensor._lent) == before + 1
    other = ctypes.c_void_p(_capi.lib.sora_tensor_ref(t._ptr))  # the library holds it, as a pipeline's slot would
    del t
    gc.collect()
    assert len(_tensor._lent) == before + 1
    data = _capi.lib.sora_tensor_data(other)
    assert np.array_equal(np.ctypeslib.as_array(ctypes.cast(data, ctypes.POINTER(ctypes.c_float)), (1000,)), np.arange(1000))
    _capi.lib.sora_tensor_unref(ctypes.byref(other))
    assert len(_tensor._lent) == before


def test_views_outlive_the_tensor_and_its_context() -> None:
    context = sora.Context(threads=1)
    t = sora.Tensor.zeros((1000,), context=context)
    view = t.numpy()
    t.close()
    context.close()
    del t, context
    gc.collect()
    view[:] = 7
    assert view.sum() == 7000


def test_errors() -> None:
    with pytest.raises(TypeError, match="float64"):
        sora.Tensor.wrap(np.zeros(2))
    with pytest.raises(TypeError):
        sora.Tensor.wrap(["a"])
    with pytest.raises(ValueError, match="f99"):
        sora.Tensor.zeros((1,), "f99")
    with pytest.raises(sora.InvalidError, match="axes"):
        sora.Tensor.zeros((1,) * 9)
    with pytest.raises(sora.InvalidError):
        sora.Tensor.zeros((-1,))
    with pytest.raises(sora.SoraError):
        sora.Tensor.zeros((1 << 40, 1 << 20))
    t = sora.Tensor.zeros((2,))
    t.close()
    t.close()
    assert t.closed and "closed" in repr(t)
    with pytest.raises(sora.StateError, match="closed"):
        t.numpy()
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(t)
    with pytest.raises(TypeError):
        len(sora.Tensor.zeros(()))
