"""The machine and program around TensorFlow: tf.config, tf.resource_loader, tf.sysconfig, plug-in libraries, and versions of behaviour."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from runtime import devices
from runtime.errors import BY_CODE, NotFoundError
from runtime.tf1 import system
from runtime.tf1.client import options
from runtime.tf1.graph import apply_op
from runtime.tf1.registry import export, put

# -- tf.config -------------------------------------------------------------------------------------------------------


class PhysicalDevice(NamedTuple):
    """A device of this machine."""

    name: str
    device_type: str


class LogicalDevice(NamedTuple):
    """A device that ops are placed on."""

    name: str
    device_type: str


@export("config.experimental.VirtualDeviceConfiguration")
class VirtualDeviceConfiguration(NamedTuple):
    """A share of a device."""

    memory_limit: int | None = None


_settings: dict[str, Any] = {
    "soft_device_placement": False, "log_device_placement": False, "synchronous_execution": True, "device_policy": "silent", "jit": False,
    "intra_op_parallelism_threads": 0, "inter_op_parallelism_threads": 0,
}  # fmt: skip
_memory_growth: dict[Any, bool] = {}
_virtual: dict[Any, Any] = {}
_visible: dict[str, list[Any]] = {}
_experimental: dict[str, Any] = {}


def _kinds() -> list[str]:
    return ["CPU", *["GPU"] * len(devices.gpus("auto"))]


@export("config.experimental.list_physical_devices")
def list_physical_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    counts: dict[str, int] = {}
    found = []
    for kind in _kinds():
        found.append(PhysicalDevice(f"/physical_device:{kind}:{counts.get(kind, 0)}", kind))
        counts[kind] = counts.get(kind, 0) + 1
    return [d for d in found if device_type in (None, d.device_type)]


@export("config.experimental.list_logical_devices")
def list_logical_devices(device_type: str | None = None) -> list[LogicalDevice]:
    return [
        LogicalDevice(d.name.replace("/physical_device:", "/job:localhost/replica:0/task:0/device:"), d.device_type)
        for d in get_visible_devices(device_type)
    ]


@export("config.experimental.get_visible_devices")
def get_visible_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    return [d for d in list_physical_devices(device_type) if d.device_type not in _visible or d in _visible[d.device_type]]


@export("config.experimental.set_visible_devices")
def set_visible_devices(devices: Any, device_type: str | None = None) -> None:
    wanted = list(devices) if isinstance(devices, list | tuple) and not isinstance(devices, PhysicalDevice) else [devices]
    wanted = [d for d in wanted if d is not None and d != []]
    for d in wanted:
        if d not in list_physical_devices():
            raise ValueError(f"Unrecognized device: {d!r}")
        if device_type is not None and d.device_type != device_type:
            raise ValueError(f"Unrecognized device: {d!r}")
    for kind in [device_type] if device_type is not None else set(_kinds()):
        _visible[kind] = [d for d in wanted if d.device_type == kind]
    if not _visible.get("GPU", [None]):
        options["device"] = "cpu"


@export("config.experimental.get_memory_growth")
def get_memory_growth(device: Any) -> bool:
    return _memory_growth[device]


@export("config.experimental.set_memory_growth")
def set_memory_growth(device: Any, enable: bool) -> None:
    if device not in list_physical_devices():
        raise ValueError(f"Unrecognized device: {device!r}")
    if device.device_type != "GPU":
        raise ValueError("Cannot set memory growth on non-GPU devices")
    _memory_growth[device] = bool(enable)


@export("config.experimental.get_virtual_device_configuration")
def get_virtual_device_configuration(device: Any) -> Any:
    return _virtual.get(device)


@export("config.experimental.set_virtual_device_configuration")
def set_virtual_device_configuration(device: Any, virtual_devices: Any) -> None:
    if device not in list_physical_devices():
        raise ValueError(f"Unrecognized device: {device!r}")
    _virtual[device] = list(virtual_devices)


@export("config.optimizer.get_experimental_options")
def get_experimental_options() -> dict[str, Any]:
    return {"disable_model_pruning": False, "disable_meta_optimizer": False, **_experimental}


@export("config.optimizer.set_experimental_options")
def set_experimental_options(options: dict[str, Any]) -> None:
    _experimental.update(options)


def _setting(name: str, getter: str, setter: str) -> None:
    put(getter, lambda: _settings[name])

    def change(value: Any) -> None:
        _settings[name] = value
        if name == "soft_device_placement":
            options["soft_placement"] = bool(value)
        elif name == "log_device_placement":
            options["log_device_placement"] = bool(value)
        elif name == "intra_op_parallelism_threads":
            options["threads"] = int(value)

    put(setter, change)


_setting("soft_device_placement", "config.get_soft_device_placement", "config.set_soft_device_placement")
_setting("log_device_placement", "debugging.get_log_device_placement", "debugging.set_log_device_placement")
_setting("synchronous_execution", "config.experimental.get_synchronous_execution", "config.experimental.set_synchronous_execution")
_setting("device_policy", "config.experimental.get_device_policy", "config.experimental.set_device_policy")
_setting("jit", "config.optimizer.get_jit", "config.optimizer.set_jit")
for _pool in ("intra", "inter"):
    _setting(
        f"{_pool}_op_parallelism_threads",
        f"config.threading.get_{_pool}_op_parallelism_threads",
        f"config.threading.set_{_pool}_op_parallelism_threads",
    )


@export("config.experimental_list_devices")
def experimental_list_devices() -> list[str]:
    return [d.name for d in list_logical_devices()]


@export("config.experimental_run_functions_eagerly")
def experimental_run_functions_eagerly(run_eagerly: bool) -> None:
    """Functions are built into the graph that calls them here; there is nothing to switch."""


@export("config.experimental_connect_to_host", "config.experimental_connect_to_cluster")
def experimental_connect(*args: Any, **kwargs: Any) -> None:
    raise NotImplementedError("Connecting to other hosts is not supported: run the script on this machine alone.")


# -- files beside the program ----------------------------------------------------------------------------------------


@export("resource_loader.get_data_files_path")
def get_data_files_path() -> str:
    """The folder of the file that asks."""
    return os.path.dirname(sys._getframe(1).f_code.co_filename)


@export("resource_loader.get_root_dir_with_all_resources")
def get_root_dir_with_all_resources() -> str:
    return os.path.dirname(sys._getframe(1).f_code.co_filename)


@export("resource_loader.get_path_to_datafile")
def get_path_to_datafile(path: str) -> str:
    return os.path.join(os.path.dirname(sys._getframe(1).f_code.co_filename), path)


@export("resource_loader.load_resource")
def load_resource(path: str) -> bytes:
    with open(os.path.join(os.path.dirname(sys._getframe(1).f_code.co_filename), path), "rb") as file:
        return file.read()


@export("resource_loader.readahead_file_path")
def readahead_file_path(path: str, readahead: str = "128M") -> str:
    return path


# -- what plug-ins are built and loaded with -------------------------------------------------------------------------


@export("sysconfig.get_include")
def get_include() -> str:
    raise NotImplementedError("There are no C++ headers of TensorFlow here: custom ops cannot be built for the stand-in.")


put("sysconfig.get_lib", get_include)
put("sysconfig.get_compile_flags", get_include)
put("sysconfig.get_link_flags", get_include)


@export("load_op_library")
def load_op_library(library_filename: str) -> Any:
    """Custom ops are machine code for TensorFlow: they cannot be loaded."""
    if not os.path.exists(library_filename):
        raise NotFoundError(None, None, f"{library_filename}: cannot open shared object file: No such file or directory")
    raise NotImplementedError(
        f"{library_filename} holds custom ops compiled for TensorFlow, which cannot run here. Write what they do with TensorFlow's own ops or tf.py_func."
    )


put("load_library", load_op_library)
put("load_file_system_library", load_op_library)


@export("user_ops.my_fact")
def my_fact() -> Any:
    return apply_op("Fact", None)


# -- errors ----------------------------------------------------------------------------------------------------------


@export("errors.exception_type_from_error_code")
def exception_type_from_error_code(error_code: int) -> Any:
    return BY_CODE[error_code]


@export("errors.error_code_from_exception_type")
def error_code_from_exception_type(cls: Any) -> int:
    return next((code for code, kind in BY_CODE.items() if kind is cls), 2)


@export("errors.raise_exception_on_not_ok_status")
@contextlib.contextmanager
def raise_exception_on_not_ok_status() -> Iterator[Any]:
    """Calls into TensorFlow's library reported by a status; there are none here."""
    yield None


# -- tf.io.gfile: the names of TensorFlow 2 --------------------------------------------------------------------------

put("io.gfile.exists", system.exists)
put("io.gfile.glob", system.glob_)
put("io.gfile.isdir", system.is_directory)
put("io.gfile.makedirs", system.make_dirs)
put("io.gfile.mkdir", system.mk_dir)
put("io.gfile.remove", system.remove)
put("io.gfile.rmtree", system.delete_recursively)
put("io.gfile.stat", system.stat)


@export("io.gfile.copy")
def copy(src: Any, dst: Any, overwrite: bool = False) -> None:
    system.copy(src, dst, overwrite)


@export("io.gfile.rename")
def rename(src: Any, dst: Any, overwrite: bool = False) -> None:
    system.rename(src, dst, overwrite)


@export("io.gfile.listdir")
def listdir(path: Any) -> list[str]:
    return system.list_directory(path)


@export("io.gfile.walk")
def walk(top: Any, topdown: bool = True, onerror: Any = None) -> Iterator[tuple[str, list[str], list[str]]]:
    return system.walk(top, topdown)


# -- versions of behaviour -------------------------------------------------------------------------------------------

put("control_flow_v2_enabled", lambda: False)


@export("enable_control_flow_v2", "enable_v2_behavior", "enable_tensor_equality", "enable_v2_tensorshape")
def enable_v2(*args: Any) -> None:
    raise NotImplementedError(
        "TensorFlow 2's behaviour is not supported by tfrevive's stand-in, which runs programs of TensorFlow 0.x and 1.x. Run the script on TensorFlow 2, after `tfrevive upgrade --to 2`."
    )


@export("experimental.function_executor_type")
@contextlib.contextmanager
def function_executor_type(executor_type: Any) -> Iterator[None]:
    yield


put("experimental.output_all_intermediates", lambda state: None)
