"""The optimizers of tf.train."""

from __future__ import annotations

from typing import Any

from runtime.tf1.graph import apply_op, convert_to_tensor
from runtime.tf1.math_ops import cast
from runtime.tf1.registry import export
from runtime.tf1.train.optimizer import Optimizer


def _apply(op_type: str, var: Any, grad: Any, arguments: dict[str, Any], indices: Any = None, **attr: Any) -> Any:
    """The ApplyX op (or its sparse or resource variant) for a variable; hyperparameters take the gradient's dtype."""
    resource = getattr(var, "_is_resource", False)

    def state(v: Any) -> Any:
        return v.handle if resource else v._ref()

    given = {k: state(v) if hasattr(v, "_ref") else cast(v, var.dtype.base_dtype) if hasattr(v, "dtype") and v.dtype.is_floating else v for k, v in arguments.items()}
    given["var"] = state(var)
    sparse = indices is not None
    given["delta" if "GradientDescent" in op_type and not sparse else "grad"] = grad
    if sparse:
        given["indices"] = indices
    result = apply_op(f"{'Resource' if resource else ''}{'Sparse' if sparse else ''}Apply{op_type}", None, **given, **attr)
    return result.op if hasattr(result, "dtype") else result


class _Standard(Optimizer):
    """An optimizer whose update is one ApplyX op with these slots and hyperparameters."""

    _op = ""

    def _arguments(self, var: Any) -> dict[str, Any]:
        raise NotImplementedError

    def _attrs(self) -> dict[str, Any]:
        return {"use_locking": self._use_locking}

    def _apply_dense(self, grad: Any, var: Any) -> Any:
        return _apply(self._op, var, grad, self._arguments(var), **self._attrs())

    _resource_apply_dense = _apply_dense

    def _apply_sparse(self, grad: Any, var: Any) -> Any:
        return _apply(self._op, var, grad.values, self._sparse_arguments(var), grad.indices, **self._attrs())

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any) -> Any:
        return _apply(self._op, var, grad, self._sparse_arguments(var), indices, **self._attrs())

    def _sparse_arguments(self, var: Any) -> dict[str, Any]:
        return self._arguments(var)

    def _hyper(self, name: str, value: Any) -> Any:
        return convert_to_tensor(self._call_if_callable(value), name=name)


@export("train.GradientDescentOptimizer")
class GradientDescentOptimizer(_Standard):
    _op = "GradientDescent"

    def __init__(self, learning_rate: Any, use_locking: bool = False, name: str = "GradientDescent") -> None:
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate

    def _prepare(self) -> None:
        self._rate = self._hyper("learning_rate", self._learning_rate)

    def _arguments(self, var: Any) -> dict[str, Any]:
        return {"alpha": self._rate}

    def _apply_sparse_duplicate_indices(self, grad: Any, var: Any) -> Any:
        from graphtools.gradients import IndexedSlices

        delta = IndexedSlices(grad.values * cast(self._rate, var.dtype.base_dtype), grad.indices, grad.dense_shape)
        return var.scatter_sub(delta, use_locking=self._use_locking)

    def _resource_apply_sparse_duplicate_indices(self, grad: Any, var: Any, indices: Any) -> Any:
        return apply_op("ResourceScatterAdd", None, resource=var.handle, indices=indices, updates=-grad * self._rate)
