"""tf.get_session_handle: tensors that stay in a session between runs."""

from __future__ import annotations

from typing import Any

from graphtools import graph as base
from runtime.tf1 import array_ops
from runtime.tf1.graph import apply_op, get_default_graph
from runtime.tf1.registry import export


class TensorHandle:
    """What fetching tf.get_session_handle gives: a tensor kept in the session, to be fed to later runs."""

    def __init__(self, handle: Any, dtype: Any, session: Any) -> None:
        self._handle = handle.decode() if isinstance(handle, bytes) else str(handle)
        self._dtype, self._session = dtype, session

    @property
    def handle(self) -> str:
        return self._handle

    def get_raw_handle(self) -> str:
        return self._handle

    def __str__(self) -> str:
        return self._handle

    def _reader(self, delete: bool = False) -> tuple[Any, Any]:
        graph = self._session.graph
        key = ("delete",) if delete else ("read", self._dtype)
        made = graph.attributes.setdefault("handle_readers", {})
        if key not in made:
            with graph.as_default(), graph.control_dependencies(None):
                made[key] = delete_session_tensor(self._handle) if delete else get_session_tensor(self._handle, self._dtype)
        return made[key]  # type: ignore[no-any-return]

    def eval(self) -> Any:
        """The tensor's value."""
        from runtime.tf1.client import internal_runs

        holder, reader = self._reader()
        with internal_runs():
            return self._session.run(reader, {holder: self._handle})

    def delete(self) -> None:
        from runtime.tf1.client import internal_runs

        holder, deleter = self._reader(delete=True)
        with internal_runs():
            self._session.run(deleter, {holder: self._handle})


@export("get_session_handle")
def get_session_handle(data: Any, name: str | None = None) -> Any:
    """A handle on a tensor's value, which the session keeps."""
    if not isinstance(data, base.Tensor):
        raise TypeError("`data` must be of type Tensor.")
    with get_default_graph().colocate_with(data.node):
        made = apply_op("GetSessionHandle", name, value=data)
    get_default_graph().attributes.setdefault("session_handles", {})[made] = data.dtype.base_dtype
    return made


@export("get_session_tensor")
def get_session_tensor(handle: Any, dtype: Any, name: str | None = None) -> tuple[Any, Any]:
    """(a placeholder for a handle, the tensor behind it)."""
    holder = array_ops.placeholder("string")
    holder.graph._handle_feeders[holder.node.name] = dtype
    return holder, apply_op("GetSessionTensor", name, handle=holder, dtype=dtype)


@export("delete_session_tensor")
def delete_session_tensor(handle: Any, name: str | None = None) -> tuple[Any, Any]:
    """(a placeholder for a handle, the op that forgets its tensor)."""
    holder = array_ops.placeholder("string")
    return holder, apply_op("DeleteSessionTensor", name, handle=holder)


def fed(graph: Any, key: Any, handle: TensorHandle) -> Any:
    """What feeding a handle means: its text where a placeholder takes handles, else the value."""
    return handle.handle if key.node.name in graph._handle_feeders or key.dtype.name == "string" else handle.eval()


def fetched(graph: Any, session: Any, fetches: Any, values: Any) -> Any:
    """Results with handles in the place of their texts."""
    from runtime.tf1 import nest

    known = graph.attributes.get("session_handles")
    if not known:
        return values
    if not isinstance(fetches, list | tuple | dict):
        return TensorHandle(values, known[fetches], session) if isinstance(fetches, base.Tensor) and fetches in known else values
    flat, made = nest.flatten(fetches), nest.flatten_up_to(fetches, values)
    return nest.pack_sequence_as(
        fetches,
        [TensorHandle(v, known[f], session) if isinstance(f, base.Tensor) and f in known else v for f, v in zip(flat, made, strict=True)],
    )
