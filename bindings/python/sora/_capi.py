"""The C side: constants, structs and prototypes of ``include/sora``, and the loaded library.

This is the only file that knows a layout. ``tests/test_capi.py`` compares every constant, struct, field offset and function
in it with the headers, so a drift shows as a failing test instead of as a crash.

Since 0.1.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from collections.abc import Callable
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char,
    c_char_p,
    c_double,
    c_float,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_uint8,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any

# --- constants ---------------------------------------------------------------------------------------------------------

#: Every ``#define`` of the headers that has a plain number as its value, without the ``SORA_``.
CONSTANTS: dict[str, int] = {
    "VERSION_MAJOR": 0, "VERSION_MINOR": 1, "VERSION_PATCH": 0,
    "OK": 0, "MORE": 1,
    "E_INTERNAL": -1, "E_INVALID": -2, "E_UNSUPPORTED": -3, "E_STATE": -4, "E_NOMEM": -10, "E_LIMIT": -11,
    "E_IO": -20, "E_FORMAT": -21, "E_NOTFOUND": -22, "E_CANCELLED": -30, "E_BACKEND": -40,
    "DTYPE_F32": 1, "DTYPE_BF16": 2, "DTYPE_F16": 3, "DTYPE_I32": 4, "DTYPE_U8": 5, "DTYPE_I8": 6, "DTYPE_I64": 7,
    "MAX_RANK": 8,
    "LOG_ERROR": 1, "LOG_WARN": 2, "LOG_INFO": 3, "LOG_DEBUG": 4,
    "PART_TRANSFORMER": 1, "PART_VAE": 2, "PART_TEXT_ENCODER": 4, "PART_TOKENIZER": 8, "PART_PROBE": 16,
    "LORA_ALL": 0, "LORA_HIGH": 1, "LORA_LOW": 2,
    "PARAM_PROMPT": 1, "PARAM_NEGATIVE": 2, "PARAM_WIDTH": 3, "PARAM_HEIGHT": 4, "PARAM_FRAMES": 5, "PARAM_FPS": 6,
    "PARAM_SEED": 7, "PARAM_STEPS": 8, "PARAM_GUIDANCE": 9, "PARAM_SHIFT": 10, "PARAM_SAMPLER": 11, "PARAM_GUIDANCE_2": 12,
    "PARAM_TIMESTEPS": 13, "PARAM_CONTROL_SCALE": 14, "PARAM_KEEP": 15, "PARAM_RESAMPLE": 16, "PARAM_STEP_CACHE": 17,
    "PARAM_FOLLOW": 18, "PARAM_SOURCE": 19, "PARAM_GUIDANCE_UNTIL": 20,
    "SAMPLER_DEFAULT": 0, "SAMPLER_EULER": 1, "SAMPLER_UNIPC": 2, "SAMPLER_DPMPP": 3, "SAMPLER_LCM": 4,
    "KIND_I64": 1, "KIND_F64": 2, "KIND_TEXT": 3, "KIND_ENUM": 4,
    "SLOT_NOISE": 1, "SLOT_TEXT": 2, "SLOT_NEGATIVE": 3, "SLOT_LATENT": 4, "SLOT_IMAGE": 5, "SLOT_LAST_IMAGE": 6,
    "SLOT_IMAGE_EMBEDS": 7, "SLOT_CONDITION": 8, "SLOT_CONTROL": 9, "SLOT_CONTROL_SCALE": 10, "SLOT_VIDEO": 11, "SLOT_MASK": 12,
    "SLOT_SOURCE": 13, "SLOT_REFERENCE": 16, "MAX_REFERENCES": 8,
    "PHASE_TEXT": 1, "PHASE_DENOISE": 2, "PHASE_DECODE": 3, "PHASE_CONDITION": 4,
    "FIT_FILL": 0, "FIT_INSIDE": 1, "FIT_STRETCH": 2, "FIT_EXACT": 3,
}  # fmt: skip

VERSION = (CONSTANTS["VERSION_MAJOR"], CONSTANTS["VERSION_MINOR"], CONSTANTS["VERSION_PATCH"])
OK, MORE = CONSTANTS["OK"], CONSTANTS["MORE"]
E_INTERNAL, E_INVALID, E_UNSUPPORTED = CONSTANTS["E_INTERNAL"], CONSTANTS["E_INVALID"], CONSTANTS["E_UNSUPPORTED"]
E_STATE, E_NOMEM, E_LIMIT, E_IO = (CONSTANTS[k] for k in ("E_STATE", "E_NOMEM", "E_LIMIT", "E_IO"))
E_FORMAT, E_NOTFOUND = CONSTANTS["E_FORMAT"], CONSTANTS["E_NOTFOUND"]
E_CANCELLED, E_BACKEND = CONSTANTS["E_CANCELLED"], CONSTANTS["E_BACKEND"]
KIND_I64, KIND_F64, KIND_TEXT, KIND_ENUM = (CONSTANTS["KIND_" + k] for k in ("I64", "F64", "TEXT", "ENUM"))
MAX_RANK = CONSTANTS["MAX_RANK"]


def named(prefix: str) -> dict[str, int]:
    """Constants that begin with ``prefix``, keyed by the rest in lower case: ``named("DTYPE_")["f32"]`` is 1."""
    return {k[len(prefix) :].lower(): v for k, v in CONSTANTS.items() if k.startswith(prefix)}


# --- callbacks ---------------------------------------------------------------------------------------------------------

AllocFn = CFUNCTYPE(c_void_p, c_void_p, c_size_t, c_size_t)
FreeFn = CFUNCTYPE(None, c_void_p, c_void_p)
ItemFn = CFUNCTYPE(None, c_void_p, c_uint32)
ParallelForFn = CFUNCTYPE(None, c_void_p, ItemFn, c_void_p, c_uint32)
LogFn = CFUNCTYPE(None, c_void_p, c_int, c_char_p)
ReadAtFn = CFUNCTYPE(c_int64, c_void_p, c_uint64, c_void_p, c_size_t)
ReleaseFn = CFUNCTYPE(None, c_void_p, c_void_p)


# --- structs -----------------------------------------------------------------------------------------------------------


class Sized(Structure):
    """A struct that begins with ``struct_size``, which is set when it is made."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(struct_size=ctypes.sizeof(type(self)), **fields)


class Error(Sized):
    _fields_ = [("struct_size", c_uint32), ("code", c_int32), ("message", c_char * 504)]


class Allocator(Structure):
    _fields_ = [("user", c_void_p), ("alloc", AllocFn), ("free", FreeFn)]


class Executor(Structure):
    _fields_ = [("user", c_void_p), ("parallel_for", ParallelForFn), ("width", c_uint32)]


class ContextOpts(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("threads", c_int32),
        ("log_level", c_uint32),
        ("mem_limit", c_uint64),
        ("log", LogFn),
        ("log_user", c_void_p),
        ("allocator", POINTER(Allocator)),
        ("executor", POINTER(Executor)),
    ]


class Memory(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("used", c_uint64),
        ("peak", c_uint64),
        ("limit", c_uint64),
    ]


class BackendDesc(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("name", c_char_p),
        ("description", c_char_p),
    ]


class TensorDesc(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("dtype", c_int32),
        ("rank", c_int32),
        ("reserved", c_int32),
        ("shape", c_int64 * MAX_RANK),
    ]


class ModelOpts(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("device", c_char_p),
        ("dtype", c_int32),
        ("reserved", c_int32),
        ("transformer", c_char_p),
        ("transformer_2", c_char_p),
        ("vae", c_char_p),
        ("text_encoder", c_char_p),
        ("image_encoder", c_char_p),
        ("tokenizer", c_char_p),
        ("loras", POINTER(c_char_p)),
        ("lora_strengths", POINTER(c_double)),
        ("lora_targets", POINTER(c_int32)),
        ("lora_count", c_uint32),
        ("reserved2", c_uint32),
    ]


class Io(Structure):
    _fields_ = [("user", c_void_p), ("read_at", ReadAtFn), ("size", c_uint64), ("name", c_char_p)]


class ModelDesc(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("parts", c_uint32),
        ("format", c_char_p),
        ("family", c_char_p),
        ("name", c_char_p),
        ("parameters", c_uint64),
        ("latent_channels", c_int32),
        ("temporal_factor", c_int32),
        ("spatial_factor", c_int32),
        ("patch_t", c_int32),
        ("patch_h", c_int32),
        ("patch_w", c_int32),
        ("text_length", c_int32),
        ("default_width", c_int32),
        ("default_height", c_int32),
        ("default_frames", c_int32),
        ("default_steps", c_int32),
        ("default_fps", c_double),
        ("default_guidance", c_double),
        ("default_shift", c_double),
        ("default_guidance_given", c_double),
        ("default_guidance_until", c_double),
    ]


class ParamDesc(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("kind", c_int32),
        ("id", c_int32),
        ("reserved", c_uint32),
        ("name", c_char_p),
        ("unit", c_char_p),
        ("help", c_char_p),
        ("values", c_char_p),
        ("lowest", c_double),
        ("highest", c_double),
        ("initial", c_double),
    ]


class Condition(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("fit", c_int32),
        ("frames", c_void_p),
        ("mask", c_void_p),
        ("latent", c_void_p),
        ("at_frame", c_int64),
        ("strength", c_double),
    ]


class Progress(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("phase", c_int32),
        ("step", c_int32),
        ("steps", c_int32),
        ("fraction", c_double),
        ("seconds", c_double),
    ]


class Batch(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("count", c_uint32),
        ("video", c_void_p),
        ("captions", POINTER(c_char_p)),
        ("labels", POINTER(c_int32)),
        ("weights", POINTER(c_float)),
        ("later", POINTER(c_char_p)),
        ("later_from", c_uint32),
        ("reserved", c_uint32),
    ]


class TrainStats(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("step", c_uint64),
        ("steps", c_uint64),
        ("samples", c_uint64),
        ("loss", c_double),
        ("parts", c_double * 6),
        ("grad_norm", c_double),
        ("rate", c_double),
        ("seconds", c_double),
        ("memory", c_uint64),
    ]


ProgressFn = CFUNCTYPE(c_int, c_void_p, POINTER(Progress))
FrameFn = CFUNCTYPE(c_int, c_void_p, c_int64, POINTER(c_uint8), c_int32, c_int32)
BatchFn = CFUNCTYPE(c_int, c_void_p, c_uint64, c_uint32, POINTER(Batch))

#: C's name of every struct and callback type.
STRUCTS: dict[str, type[Structure]] = {
    "sora_error": Error, "sora_allocator": Allocator, "sora_executor": Executor, "sora_context_opts": ContextOpts,
    "sora_memory": Memory, "sora_backend_desc": BackendDesc, "sora_tensor_desc": TensorDesc, "sora_model_opts": ModelOpts,
    "sora_io": Io, "sora_model_desc": ModelDesc, "sora_param_desc": ParamDesc, "sora_progress": Progress, "sora_condition": Condition,
    "sora_batch": Batch, "sora_train_stats": TrainStats,
}  # fmt: skip
CALLBACKS: dict[str, Any] = {
    "sora_log_fn": LogFn, "sora_release_fn": ReleaseFn, "sora_progress_fn": ProgressFn, "sora_frame_fn": FrameFn,
    "sora_batch_fn": BatchFn,
}  # fmt: skip

# --- functions ---------------------------------------------------------------------------------------------------------

_H = c_void_p  # any handle
_HP = POINTER(c_void_p)  # where a handle is put
_E = POINTER(Error)
_S = c_char_p
_I = c_int

#: Every exported function: result, arguments.
PROTOTYPES: dict[str, tuple[Any, list[Any]]] = {
    # base.h, version.h
    "sora_status_name": (_S, [_I]),
    "sora_version": (c_uint32, []),
    "sora_version_string": (_S, []),
    "sora_build_info": (_S, []),
    # context.h
    "sora_context_opts_init": (_I, [POINTER(ContextOpts), c_size_t]),
    "sora_context_create": (_I, [_HP, POINTER(ContextOpts), _E]),
    "sora_context_ref": (_H, [_H]),
    "sora_context_unref": (None, [_HP]),
    "sora_context_memory": (_I, [_H, POINTER(Memory)]),
    "sora_backend_load": (_I, [_H, _S, _E]),
    "sora_backend_count": (c_uint32, [_H]),
    "sora_backend_info": (_I, [_H, c_uint32, POINTER(BackendDesc)]),
    # image.h
    "sora_image_read": (_I, [_HP, _H, _S, _E]),
    "sora_image_write": (_I, [_H, _S, POINTER(c_uint8), c_int32, c_int32, _E]),
    # model.h
    "sora_model_opts_init": (_I, [POINTER(ModelOpts), c_size_t]),
    "sora_model_open": (_I, [_HP, _H, _S, POINTER(ModelOpts), _E]),
    "sora_model_open_io": (_I, [_HP, _H, POINTER(Io), POINTER(ModelOpts), _E]),
    "sora_model_ref": (_H, [_H]),
    "sora_model_unref": (None, [_HP]),
    "sora_model_info": (_I, [_H, POINTER(ModelDesc)]),
    "sora_model_json": (_S, [_H, _E]),
    "sora_model_tokenize": (_I, [_H, _S, c_size_t, POINTER(c_int32), c_size_t, POINTER(c_size_t), _E]),
    "sora_model_save": (_I, [_H, _S, c_int32, _E]),
    "sora_model_convert": (_I, [_H, _S, _S, c_int32, _E]),
    # pipeline.h
    "sora_param_info": (_I, [c_int32, POINTER(ParamDesc)]),
    "sora_param_at": (_I, [c_uint32, POINTER(ParamDesc)]),
    "sora_pipeline_create": (_I, [_HP, _H, _E]),
    "sora_pipeline_destroy": (None, [_HP]),
    "sora_pipeline_set_i64": (_I, [_H, c_int32, c_int64]),
    "sora_pipeline_set_f64": (_I, [_H, c_int32, c_double]),
    "sora_pipeline_set_text": (_I, [_H, c_int32, _S, c_size_t]),
    "sora_pipeline_set_tensor": (_I, [_H, c_int32, _H]),
    "sora_pipeline_get_tensor": (_I, [_H, c_int32, _HP]),
    "sora_condition_init": (None, [POINTER(Condition)]),
    "sora_pipeline_add_condition": (_I, [_H, POINTER(Condition), _E]),
    "sora_pipeline_clear_conditions": (_I, [_H]),
    "sora_pipeline_add_shot": (_I, [_H, c_int64, _S, c_size_t, _E]),
    "sora_pipeline_clear_shots": (_I, [_H]),
    "sora_pipeline_set_progress": (_I, [_H, ProgressFn, c_void_p]),
    "sora_pipeline_set_frame_callback": (_I, [_H, FrameFn, c_void_p]),
    "sora_pipeline_estimate": (_I, [_H, POINTER(Memory), _E]),
    "sora_pipeline_begin": (_I, [_H, _E]),
    "sora_pipeline_step": (_I, [_H, _E]),
    "sora_pipeline_run": (_I, [_H, _E]),
    "sora_pipeline_save": (_I, [_H, _S, _E]),
    "sora_pipeline_resume": (_I, [_H, _S, _E]),
    "sora_pipeline_cancel": (None, [_H]),
    "sora_pipeline_video_info": (
        _I, [_H, POINTER(c_int32), POINTER(c_int32), POINTER(c_int64), POINTER(c_double)],
    ),
    "sora_pipeline_read_frames": (_I, [_H, c_int64, c_int64, POINTER(c_uint8), c_size_t]),
    "sora_encode_text": (_I, [_H, _S, c_size_t, _HP, _HP, _E]),
    "sora_encode_image": (_I, [_H, _H, _H, _HP, _E]),
    "sora_denoise": (_I, [_H, _H, _H, _H, _HP, _E]),
    "sora_encode_video": (_I, [_H, _H, _HP, _E]),
    "sora_decode_video": (_I, [_H, _H, _HP, _E]),
    "sora_sample": (_I, [_H, _H, _H, _H, _HP, _E]),
    "sora_classify": (_I, [_H, _H, _HP, _HP, _E]),
    # tensor.h
    "sora_tensor_create": (_I, [_HP, _H, POINTER(TensorDesc), _E]),
    "sora_tensor_wrap": (_I, [_HP, _H, POINTER(TensorDesc), c_void_p, ReleaseFn, c_void_p, _E]),
    "sora_tensor_ref": (_H, [_H]),
    "sora_tensor_unref": (None, [_HP]),
    "sora_tensor_info": (_I, [_H, POINTER(TensorDesc)]),
    "sora_tensor_data": (c_void_p, [_H]),
    "sora_tensor_bytes": (c_size_t, [_H]),
    "sora_tensors_save": (_I, [_H, _S, POINTER(c_char_p), _HP, c_uint32, _E]),
    "sora_tensor_load": (_I, [_HP, _H, _S, _S, _E]),
    "sora_tensors_describe": (_I, [_HP, _H, _S, _E]),
    # train.h
    "sora_trainer_create": (_I, [_HP, _H, _S, c_size_t, _E]),
    "sora_trainer_destroy": (None, [_HP]),
    "sora_trainer_set_data": (_I, [_H, BatchFn, c_void_p]),
    "sora_trainer_step": (_I, [_H, _E]),
    "sora_trainer_stats": (_I, [_H, POINTER(TrainStats)]),
    "sora_trainer_cancel": (None, [_H]),
    "sora_trainer_save": (_I, [_H, _S, _E]),
    "sora_trainer_load": (_I, [_H, _S, _E]),
    "sora_trainer_evaluate": (_I, [_H, POINTER(Batch), c_double, c_uint64, _I, POINTER(c_float), _E]),
    "sora_trainer_apply": (_I, [_H, _H, _HP, _E]),
    "sora_trainer_export": (_I, [_H, _S, _S, c_int32, _E]),
    "sora_tokenizer_train": (_I, [_H, _S, POINTER(c_char_p), c_size_t, c_uint32, _E]),
}  # fmt: skip

# --- the library -------------------------------------------------------------------------------------------------------

SONAME = f"libsora.so.{VERSION[0]}"


def candidates() -> list[str]:
    """Where the library is looked for, best first: ``SORA_LIBRARY`` alone when it is set; else the one that came with
    this package, then the system's."""
    given = os.environ.get("SORA_LIBRARY")
    if given:
        return [given]
    packaged = os.path.join(os.path.dirname(os.path.abspath(__file__)), SONAME)
    found = [packaged] if os.path.exists(packaged) else []
    return [*found, SONAME, *filter(None, [ctypes.util.find_library("sora")])]


def _missing(name: str) -> Callable[..., Any]:
    def function(*_: Any) -> Any:
        raise NotImplementedError(f"the libsora in use is too old: it has no {name}")

    return function


def load() -> ctypes.CDLL:
    """Loads the library and declares every function. ImportError, with what was tried, when there is none that fits."""
    tried = []
    for path in candidates():
        try:
            library = ctypes.CDLL(path)
        except OSError as error:
            tried.append(f"{path}: {error}")
            continue
        if not hasattr(library, "sora_version"):
            tried.append(f"{path}: is not a libsora")
            continue
        for name, (result, arguments) in PROTOTYPES.items():
            function = getattr(library, name, None)
            if function is None:  # an older library: fails when it is needed
                setattr(library, name, _missing(name))
            else:
                function.restype, function.argtypes = result, arguments
        number = library.sora_version()
        if number // 1000000 != VERSION[0]:
            tried.append(f"{path}: is version {library.sora_version_string().decode()}")
            continue
        return library
    raise ImportError(
        "libsora was not found; install it, or name it in the environment variable SORA_LIBRARY. Tried:\n  " + "\n  ".join(tried)
    )


lib = load()
