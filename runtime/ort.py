"""ONNX Runtime: the InferenceSessions of a plan's segments, and values on their devices."""

from __future__ import annotations

import ctypes
import os
import re
import tempfile
import uuid
from typing import Any

import ml_dtypes
import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as binding

from runtime import denormals, devices, placement
from runtime.errors import InvalidArgumentError
from runtime.profile import Profiler
from runtime.steps import Plan, Segment

OrtValue = binding.OrtValue

_CPU = onnxruntime.OrtDevice.make("cpu", 0)._get_c_device()
BFLOAT16 = 16  # onnx.TensorProto.BFLOAT16


# Threads look for work for a fifth of a millisecond before they sleep, which makes steps of many small ops up to 1.5 times as fast,
# and never beyond the end of a run, which would take the processor from the next segment.
THREADING = (
    ("session.force_spinning_stop", "1"),
    ("session.intra_op.allow_spinning", "1"),
    ("session.intra_op.spin_duration_us", "200"),
    ("session.set_denormal_as_zero", "1"),  # of its own threads; runtime.denormals sees to the calling one
)


class Engine:
    """Makes and holds the InferenceSessions of one Session."""

    def __init__(
        self,
        device: str = "auto",
        *,
        log_device_placement: bool = False,
        threads: int | None = None,
        profiler: Profiler | None = None,
        config: devices.DeviceConfig | None = None,
    ) -> None:
        self.log_device_placement = log_device_placement
        self.threads = threads or os.cpu_count() or 1
        self.profiler = profiler
        self.config = config or devices.DeviceConfig()
        self.gpus = devices.gpus(device, self.config)
        self.available = devices.available(len(self.gpus), self.config.cpus)
        self._logged: set[str] = set()
        if log_device_placement:
            placement.log([placement.mapping(self.available, self.gpus)])

    def prepare(self, plan: Plan) -> None:
        """Create the InferenceSession of every segment."""
        for step in plan.steps:
            if isinstance(step, Segment) and step.model and step.session is None:
                step.session = self.create(step)
        if self.log_device_placement:
            new = [p for p in placement.of_plan(plan) if p.name not in self._logged]
            self._logged.update(p.name for p in new)
            placement.log(new)

    def create(self, segment: Segment) -> Any:
        """The InferenceSession of a segment, as ONNX Runtime's own object (its Python wrapper costs more than a small run)."""
        options = self._options(segment, segment.external)
        if self.log_device_placement:
            options.add_session_config_entry(*placement.RECORD)
        if self.profiler is not None:
            self.profiler.enable(options)
        session = self._session(segment, options)
        if self.profiler is not None:
            self.profiler.add(session, segment.nodes, segment.gpu)
        segment.external = {"": (session, segment.external)}  # keeps the shared initializers alive
        return session._sess

    def twin(self, segment: Segment) -> Any:
        """Another InferenceSession of a segment that was created, profiled from its first run on; initializers are shared."""
        options = self._options(segment, segment.external[""][1])
        options.enable_profiling = True
        options.profile_file_prefix = os.path.join(tempfile.gettempdir(), f"tfrevive-trace-{os.getpid()}-{uuid.uuid4().hex}")
        return self._session(segment, options)

    def _session(self, segment: Segment, options: Any) -> Any:
        gpu = placement.gpu_of(segment.nodes, self.gpus)
        if gpu is not None:
            segment.gpu = gpu[0]
            if steering := placement.steering(segment.nodes):
                options.add_session_config_entry(placement.STEER, steering)
        providers = devices.provider_list(gpu[1] if gpu is not None else None, self.config)
        without = [] if segment.has_fixed_filters else ["NchwcTransformer"]  # pools would be put into blocks and taken out for nothing
        try:
            session = onnxruntime.InferenceSession(segment.model, options, providers=providers, disabled_optimizers=without)
        except Exception as e:  # kernels refuse some constants, such as a divisor of zero, when they are made
            raise InvalidArgumentError(None, None, said(e)) from e
        denormals.keep()  # ONNX Runtime sets the mode of the thread that makes its first session, and leaves it so
        return session

    def _options(self, segment: Segment, external: dict[str, Any]) -> Any:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        if self.config.optimization != devices.Levels.ORT_ENABLE_ALL:
            options.graph_optimization_level = self.config.optimization
        options.intra_op_num_threads = self.threads if segment.is_heavy else 1
        for key, value in THREADING:
            options.add_session_config_entry(key, value)
        if external:
            external.update({k: np.ascontiguousarray(a) for k, a in external.items()})  # the caller keeps this memory alive
            values = [onnxruntime.OrtValue.ortvalue_from_numpy(a) for a in external.values()]
            options.add_external_initializers(list(external), values)
        return options


def said(error: Exception) -> str:
    """What ONNX Runtime says went wrong, without where in its own source it does."""
    text = str(error).strip()
    for before in ("Status Message: ", "Exception during initialization: ", "FAIL : "):
        text = text.rpartition(before)[2]
    text = re.sub(r"^/?\S+\.(cc|h):\d+ .* was false\. ", "", text, flags=re.DOTALL)
    return re.sub(r"^\S+\.(cc|h):\d+ \S+ ", "", text).strip()


def pairs(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Complex numbers as ONNX carries them: real ones with a last axis of 2."""
    array = np.ascontiguousarray(array).reshape(array.shape)
    return array.view(np.float32 if array.dtype == np.complex64 else np.float64).reshape(*array.shape, 2)


def joined(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The complex numbers that `pairs` took apart."""
    return np.ascontiguousarray(array).view(np.complex64 if array.dtype == np.float32 else np.complex128).reshape(array.shape[:-1])


def share(array: np.ndarray[Any, Any]) -> Any:
    """An OrtValue on an array's memory, which the caller keeps alive; the array itself where ONNX Runtime lacks its dtype."""
    kind = array.dtype.kind
    if kind in "OcSU":
        return array
    if not array.flags.c_contiguous:
        array = own_array(array)
        return own(array)
    if array.dtype == ml_dtypes.bfloat16:
        return OrtValue.ortvalue_from_numpy_with_onnx_type(array.view(np.uint16), BFLOAT16)
    return OrtValue.ortvalue_from_numpy(array, _CPU)


def own_array(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.array(array, order="C", copy=True)


def own(value: Any) -> Any:
    """A copy that owns its memory: an OrtValue, or an array where ONNX Runtime lacks the dtype."""
    array = to_numpy(value)
    if not isinstance(array, np.ndarray):
        array = np.asarray(array)
    if array.dtype.kind in "OcSU":
        return array.copy()
    array = np.ascontiguousarray(array).reshape(array.shape)
    if array.dtype == ml_dtypes.bfloat16:
        owned = OrtValue.ortvalue_from_shape_and_onnx_type(list(array.shape), BFLOAT16, _CPU)
        ctypes.memmove(owned.data_ptr(), array.ctypes.data, array.nbytes)
        return owned
    owned = OrtValue.ortvalue_from_shape_and_type(list(array.shape), array.dtype.type, _CPU)
    if array.size:
        owned.update_inplace(array)
    return owned


# ONNX Runtime's 64-bit integers are C's long long, which NumPy prints as another type than its own int64.
_PLAIN = {"q": np.int64, "Q": np.uint64}


def to_numpy(value: Any) -> Any:
    """A value as an array, sharing an OrtValue's memory where that is on the CPU."""
    if not isinstance(value, OrtValue):
        return value
    if value.data_type() == "tensor(bfloat16)":
        shape = value.shape()
        buffer = (ctypes.c_char * (2 * int(np.prod(shape, dtype=np.int64)))).from_address(value.data_ptr())
        return np.frombuffer(bytes(buffer), ml_dtypes.bfloat16).reshape(shape)
    array = value.numpy()
    if array.dtype.kind == "O":  # strings, which TensorFlow keeps as bytes
        result = np.empty(array.shape, object)
        result.ravel()[:] = [v.encode("utf-8", "surrogateescape") if isinstance(v, str) else v for v in array.ravel().tolist()]
        return result
    return array.view(_PLAIN[array.dtype.char]) if array.dtype.char in _PLAIN else array
