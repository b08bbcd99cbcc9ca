"""tf.contrib.opt: optimizers outside the graph: SciPy's, on packed variables."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from runtime.tf1.modules import module
from runtime.tf1.registry import export

tf: Any = module("")


def _dims(var: Any) -> tuple[int, ...]:
    return tuple(var.get_shape().as_list())


def _gradients(tensor: Any, variables: list[Any]) -> list[Any]:
    grads = tf.gradients(tensor, variables)
    return [tf.zeros_like(v) if g is None else g for v, g in zip(variables, grads, strict=True)]


@export("contrib.opt.ExternalOptimizerInterface")
class ExternalOptimizerInterface:
    """A loss, constraints and their gradients as functions of one vector; a subclass minimizes it in `_minimize`."""

    def __init__(
        self, loss: Any, var_list: Any = None, equalities: Any = None, inequalities: Any = None, var_to_bounds: Any = None, **optimizer_kwargs: Any
    ) -> None:  # fmt: skip
        self._loss, self._equalities, self._inequalities = loss, equalities or [], inequalities or []
        self._vars = tf.trainable_variables() if var_list is None else list(var_list)
        self._packed_bounds: list[tuple[Any, Any]] | None = None
        if var_to_bounds is not None:
            self._packed_bounds = []
            for var in self._vars:
                low, high = (np.broadcast_to(b, _dims(var)).flat for b in var_to_bounds.get(var, (-np.inf, np.inf)))
                self._packed_bounds.extend(zip(low, high, strict=True))
        self._update_placeholders = [tf.placeholder(v.dtype) for v in self._vars]
        self._var_updates = [v.assign(tf.reshape(p, _dims(v))) for v, p in zip(self._vars, self._update_placeholders, strict=True)]
        loss_grads = _gradients(loss, self._vars)
        equality_grads = [_gradients(e, self._vars) for e in self._equalities]
        inequality_grads = [_gradients(e, self._vars) for e in self._inequalities]
        self.optimizer_kwargs = optimizer_kwargs
        self._packed_var = self._pack(self._vars)
        self._packed_loss_grad = self._pack(loss_grads)
        self._packed_equality_grads = [self._pack(g) for g in equality_grads]
        self._packed_inequality_grads = [self._pack(g) for g in inequality_grads]
        ends = list(itertools.accumulate((math.prod(_dims(v)) for v in self._vars), initial=0))
        self._packing_slices = [slice(a, b) for a, b in itertools.pairwise(ends)]

    def minimize(
        self, session: Any = None, feed_dict: Any = None, fetches: Any = None, step_callback: Any = None, loss_callback: Any = None, **run_kwargs: Any
    ) -> None:  # fmt: skip
        """Minimize the loss and assign what was found to the variables; `loss_callback` gets the values of `fetches` at each evaluation."""
        session = session or tf.get_default_session()
        feed_dict, fetches = feed_dict or {}, fetches or []
        loss_callback = loss_callback or (lambda *values: None)

        def functions(tensors: Any) -> list[Callable[[Any], Any]]:
            return [self._make_eval_func(t, session, feed_dict, fetches) for t in tensors]

        loss_and_grad = self._make_eval_func([self._loss, self._packed_loss_grad], session, feed_dict, fetches, loss_callback)
        equalities, equality_grads = functions(self._equalities), functions(self._packed_equality_grads)
        inequalities, inequality_grads = functions(self._inequalities), functions(self._packed_inequality_grads)
        found = self._minimize(
            initial_val=session.run(self._packed_var),
            loss_grad_func=loss_and_grad,
            equality_funcs=equalities,
            equality_grad_funcs=equality_grads,
            inequality_funcs=inequalities,
            inequality_grad_funcs=inequality_grads,
            packed_bounds=self._packed_bounds,
            step_callback=step_callback or (lambda xk: None),
            optimizer_kwargs=self.optimizer_kwargs,
        )
        values = [found[part] for part in self._packing_slices]
        session.run(self._var_updates, feed_dict=dict(zip(self._update_placeholders, values, strict=True)), **run_kwargs)

    def _minimize(
        self, initial_val: Any, loss_grad_func: Any, equality_funcs: Any, equality_grad_funcs: Any, inequality_funcs: Any, inequality_grad_funcs: Any,
        packed_bounds: Any, step_callback: Any, optimizer_kwargs: Any,
    ) -> Any:  # fmt: skip
        raise NotImplementedError("To use ExternalOptimizerInterface, subclass from it and implement the _minimize() method.")

    @classmethod
    def _pack(cls, tensors: list[Any]) -> Any:
        if not tensors:
            return None
        if len(tensors) == 1:
            return tf.reshape(tensors[0], [-1])
        return tf.concat([tf.reshape(t, [-1]) for t in tensors], 0)

    def _make_eval_func(self, tensors: Any, session: Any, feed_dict: Any, fetches: Any, callback: Any = None) -> Callable[[Any], Any]:
        wanted = tensors if isinstance(tensors, list) else [tensors]

        def evaluate(x: Any) -> Any:
            feeds = {v: x[part].reshape(_dims(v)) for v, part in zip(self._vars, self._packing_slices, strict=True)}
            values = session.run([*wanted, *fetches], feed_dict={**feeds, **feed_dict})
            if callable(callback):
                callback(*values[len(wanted) :])
            return values[: len(wanted)]

        return evaluate


@export("contrib.opt.ScipyOptimizerInterface")
class ScipyOptimizerInterface(ExternalOptimizerInterface):
    """Minimizes with scipy.optimize.minimize."""

    _DEFAULT_METHOD = "L-BFGS-B"

    def _minimize(
        self, initial_val: Any, loss_grad_func: Any, equality_funcs: Any, equality_grad_funcs: Any, inequality_funcs: Any, inequality_grad_funcs: Any,
        packed_bounds: Any, step_callback: Any, optimizer_kwargs: Any,
    ) -> Any:  # fmt: skip
        try:
            import scipy.optimize
        except ImportError as e:
            raise ImportError("tf.contrib.opt.ScipyOptimizerInterface needs SciPy: pip install scipy") from e

        def loss_and_grad(x: Any) -> tuple[Any, Any]:
            loss, gradient = loss_grad_func(x)
            return np.float64(loss), gradient.astype("float64")

        def plain(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
            return lambda x: np.asarray(function(x)[0], np.float64)  # newer SciPy takes neither lists of one nor float32

        given = dict(optimizer_kwargs)
        method = given.pop("method", self._DEFAULT_METHOD)
        pairs = [("eq", equality_funcs, equality_grad_funcs), ("ineq", inequality_funcs, inequality_grad_funcs)]
        constraints = [{"type": t, "fun": plain(f), "jac": plain(g)} for t, fs, gs in pairs for f, g in zip(fs, gs, strict=True)]
        own = {"jac": True, "callback": step_callback, "method": method, "constraints": constraints, "bounds": packed_bounds}
        for key in own:
            if key in given:
                if key == "bounds":
                    raise ValueError("Bounds must be set using the var_to_bounds argument")
                raise ValueError(f"Optimizer keyword arg '{key}' is set automatically and cannot be injected manually")
        result = scipy.optimize.minimize(loss_and_grad, initial_val.astype("float64"), **{**own, **given})
        lines = ["Optimization terminated with:", "  Message: %s", "  Objective function value: %f"]
        args = [result.message, result.fun]
        for attribute, words in (("nit", "  Number of iterations: %d"), ("nfev", "  Number of functions evaluations: %d")):
            if hasattr(result, attribute):
                lines.append(words)
                args.append(getattr(result, attribute))
        tf.logging.info("\n".join(lines), *args)
        return result["x"]
