"""Optimizer updates: ApplyX, SparseApplyX and their resource variants.

Each update is one function from the variable, its slots and a gradient to their new values. The dense ops apply it to the
whole variable; the sparse ops to the rows that `indices` names. Formulas: TensorFlow 1.15, training_ops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from graphtools.convert import register
from graphtools.convert.state_ops import done, scatter_rows
from graphtools.dtypes import int64

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView

# op, the state (variable first), the gradient, the hyperparameters by OpDef name, the node -> the new state
Update = Callable[["Builder", "list[Value]", "Value", "Callable[[str], Value]", "NodeView"], "list[Value]"]


def gradient_descent(op: Builder, state: list[Value], grad: Value, h: Callable[[str], Value], node: NodeView) -> list[Value]:
    return [op.Sub(state[0], op.Mul(grad, h("alpha")))]


def _shrink(op: Builder, prox: Value, rate: Value, h: Callable[[str], Value]) -> Value:
    """sign(prox) max(|prox| - rate l1, 0) / (1 + rate l2)"""
    magnitude = op.Max(op.Sub(op.Abs(prox), op.Mul(rate, h("l1"))), op.const(0.0, prox.dtype))
    return op.Div(op.Mul(op.Sign(prox), magnitude), op.Add(op.Mul(rate, h("l2")), 1.0))  # type: ignore[no-any-return]


def proximal_gradient_descent(op: Builder, state: list[Value], grad: Value, h: Callable[[str], Value], node: NodeView) -> list[Value]:
    return [_shrink(op, op.Sub(state[0], op.Mul(grad, h("alpha"))), h("alpha"), h)]


def adadelta(op: Builder, state: list[Value], grad: Value, h: Callable[[str], Value], node: NodeView) -> list[Value]:
    var, accum, accum_update = state
    rho, epsilon = h("rho"), h("epsilon")
    rest = op.Sub(op.const(1.0, var.dtype), rho)
    accum = op.Add(op.Mul(accum, rho), op.Mul(op.Mul(grad, grad), rest))
    update = op.Mul(op.Div(op.Sqrt(op.Add(accum_update, epsilon)), op.Sqrt(op.Add(accum, epsilon))), grad)
    accum_update = op.Add(op.Mul(accum_update, rho), op.Mul(op.Mul(update, update), rest))
    return [op.Sub(var, op.Mul(update, h("lr"))), accum, accum_update]


def adagrad(op: Builder, state: list[Value], grad: Value, h: Callable[[str], Value], node: NodeView) -> list[Value]:
    var, accum = state
    if node.attr.get("update_slots", True):
        accum = op.Add(accum, op.Mul(grad, grad))
    root = op.Sqrt(accum)
    if node.op.endswith("V2"):
        root = op.Add(root, h("epsilon"))
    return [op.Sub(var, op.Div(op.Mul(grad, h("lr")), root)), accum]


def proximal_adagrad(op: Builder, state: list[Value], grad: Value, h: Callable[[str], Value], node: NodeView) -> list[Value]:
    var, accum = state
    accum = op.Add(accum, op.Mul(grad, grad))
    rate = op.Div(h("lr"), op.Sqrt(accum))
    return [_shrink(op, op.Sub(var, op.Mul(grad, rate)), rate, h), accum]


def adagrad_da(op: Builder, state: list[Value], grad: Value, h: Callable[[str], Value], node: NodeView) -> list[Value]:
    """var = -lr sign(G) max(|G| - l1 t, 0) / (l2 t lr + sqrt(G2)), with G and G2 the sums of gradients and of their squares"""
    var, total, squares = state
    step = op.cast(h("global_step"), var.dtype)
    total, squares = op.Add(total, grad), op.Add(squares, op.Mul(grad, grad))
    magnitude = op.Max(op.Sub(op.Abs(total), op.Mul(h("l1"), step)), op.const(0.0, var.dtype))
    below = op.Add(op.Mul(op.Mul(h("l2"), step), h("lr")), op.Sqrt(squares))
    return [op.Div(op.Mul(op.Neg(h("lr")), op.Mul(op.Sign(total), magnitude)), below), total, squares]


def ftrl(op: Builder, state: list[Value], grad: Value, h: Callable[[str], Value], node: NodeView) -> list[Value]:
    var, accum, linear = state
    power = op.Neg(h("lr_power"))
    new_accum = op.Add(accum, op.Mul(grad, grad))
    shrunk = op.Add(grad, op.Mul(op.Mul(var, h("l2_shrinkage")), 2.0)) if node.op.endswith("V2") else grad
    new_root = op.Pow(new_accum, power)
    linear = op.Add(linear, op.Sub(shrunk, op.Mul(op.Div(op.Sub(new_root, op.Pow(accum, power)), h("lr")), var)))
    x = op.Sub(op.Mul(h("l1"), op.Sign(linear)), linear)
    y = op.Add(op.Div(new_root, h("lr")), op.Mul(h("l2"), 2.0))
    return [op.Where(op.Greater(op.Abs(linear), h("l1")), op.Div(x, y), op.const(0.0, var.dtype)), new_accum, linear]


def momentum(op: Builder, state: list[Value], grad: Value, h: Callable[[str], Value], node: NodeView) -> list[Value]:
    var, accum = state
    accum = op.Add(op.Mul(accum, h("momentum")), grad)
    if node.attr.get("use_nesterov"):
        step = op.Add(op.Mul(grad, h("lr")), op.Mul(op.Mul(accum, h("momentum")), h("lr")))
    else:
        step = op.Mul(accum, h("lr"))
    return [op.Sub(var, step), accum]


def keras_momentum(op: Builder, state: list[Value], grad: Value, h: Callable[[str], Value], node: NodeView) -> list[Value]:
    var, accum = state
    step = op.Mul(grad, h("lr"))
    accum = op.Sub(op.Mul(accum, h("momentum")), step)
    return [op.Add(var, op.Sub(op.Mul(accum, h("momentum")), step) if node.attr.get("use_nesterov") else accum), accum]


def adam(op: Builder, state: list[Value], grad: Value, h: Callable[[str], Value], node: NodeView) -> list[Value]:
    var, m, v = state
    one = op.const(1.0, var.dtype)
    rate = op.Div(op.Mul(h("lr"), op.Sqrt(op.Sub(one, h("beta2_power")))), op.Sub(one, h("beta1_power")))
    m = op.Add(m, op.Mul(op.Sub(grad, m), op.Sub(one, h("beta1"))))
    v = op.Add(v, op.Mul(op.Sub(op.Mul(grad, grad), v), op.Sub(one, h("beta2"))))
    direction = op.Add(op.Mul(m, h("beta1")), op.Mul(op.Sub(one, h("beta1")), grad)) if node.attr.get("use_nesterov") else m
    return [op.Sub(var, op.Div(op.Mul(direction, rate), op.Add(op.Sqrt(v), h("epsilon")))), m, v]


def ada_max(op: Builder, state: list[Value], grad: Value, h: Callable[[str], Value], node: NodeView) -> list[Value]:
    var, m, v = state
    one = op.const(1.0, var.dtype)
    m = op.Add(m, op.Mul(op.Sub(grad, m), op.Sub(one, h("beta1"))))
    v = op.Max(op.Mul(v, h("beta2")), op.Abs(grad))
    rate = op.Div(h("lr"), op.Sub(one, h("beta1_power")))
    return [op.Sub(var, op.Mul(rate, op.Div(m, op.Add(v, h("epsilon"))))), m, v]


def rms_prop(op: Builder, state: list[Value], grad: Value, h: Callable[[str], Value], node: NodeView) -> list[Value]:
    var, ms, mom = state
    ms = op.Add(ms, op.Mul(op.Sub(op.Mul(grad, grad), ms), op.Sub(op.const(1.0, var.dtype), h("rho"))))
    mom = op.Add(op.Mul(mom, h("momentum")), op.Div(op.Mul(grad, h("lr")), op.Sqrt(op.Add(ms, h("epsilon")))))
    return [op.Sub(var, mom), ms, mom]


def centered_rms_prop(op: Builder, state: list[Value], grad: Value, h: Callable[[str], Value], node: NodeView) -> list[Value]:
    var, mg, ms, mom = state
    rest = op.Sub(op.const(1.0, var.dtype), h("rho"))
    ms = op.Add(ms, op.Mul(op.Sub(op.Mul(grad, grad), ms), rest))
    mg = op.Add(mg, op.Mul(op.Sub(grad, mg), rest))
    below = op.Sqrt(op.Add(op.Sub(ms, op.Mul(mg, mg)), h("epsilon")))
    mom = op.Add(op.Mul(mom, h("momentum")), op.Div(op.Mul(grad, h("lr")), below))
    return [op.Sub(var, mom), mg, ms, mom]


def _sign_update(op: Builder, state: list[Value], grad: Value, h: Callable[[str], Value]) -> tuple[Value, Value]:
    _, m = state
    m = op.Add(op.Mul(m, h("beta")), op.Mul(grad, op.Sub(op.const(1.0, m.dtype), h("beta"))))
    return m, op.Mul(h("sign_decay"), op.Mul(op.Sign(grad), op.Sign(m)))


def power_sign(op: Builder, state: list[Value], grad: Value, h: Callable[[str], Value], node: NodeView) -> list[Value]:
    m, agreement = _sign_update(op, state, grad, h)
    return [op.Sub(state[0], op.Mul(op.Mul(h("lr"), op.Exp(op.Mul(h("logbase"), agreement))), grad)), m]


def add_sign(op: Builder, state: list[Value], grad: Value, h: Callable[[str], Value], node: NodeView) -> list[Value]:
    m, agreement = _sign_update(op, state, grad, h)
    return [op.Sub(state[0], op.Mul(op.Mul(h("lr"), op.Add(h("alpha"), agreement)), grad)), m]


# Op name without Resource, Sparse, Apply -> its update, the OpDef names of its state, and whether a sparse op exists.
UPDATES: dict[str, tuple[Update, tuple[str, ...], bool]] = {
    "AdaMax": (ada_max, ("var", "m", "v"), False),
    "Adadelta": (adadelta, ("var", "accum", "accum_update"), True),
    "Adagrad": (adagrad, ("var", "accum"), True),
    "AdagradDA": (adagrad_da, ("var", "gradient_accumulator", "gradient_squared_accumulator"), True),
    "AdagradV2": (adagrad, ("var", "accum"), True),
    "Adam": (adam, ("var", "m", "v"), False),
    "AddSign": (add_sign, ("var", "m"), False),
    "CenteredRMSProp": (centered_rms_prop, ("var", "mg", "ms", "mom"), True),
    "Ftrl": (ftrl, ("var", "accum", "linear"), True),
    "FtrlV2": (ftrl, ("var", "accum", "linear"), True),
    "GradientDescent": (gradient_descent, ("var",), False),
    "KerasMomentum": (keras_momentum, ("var", "accum"), True),
    "Momentum": (momentum, ("var", "accum"), True),
    "PowerSign": (power_sign, ("var", "m"), False),
    "ProximalAdagrad": (proximal_adagrad, ("var", "accum"), True),
    "ProximalGradientDescent": (proximal_gradient_descent, ("var",), True),
    "RMSProp": (rms_prop, ("var", "ms", "mom"), True),
}


def _handler(update: Update, names: tuple[str, ...], is_sparse: bool) -> Callable[[Builder, NodeView], Any]:
    def apply(op: Builder, node: NodeView) -> Any:
        refs = [node.input(name) for name in names]
        whole = [node.read(ref) for ref in refs]
        grad = node.input("delta" if "GradientDescent" in node.op and not is_sparse else "grad")
        if is_sparse:
            indices = op.cast(node.input("indices"), int64)
            new_rows = update(op, [op.Gather(v, indices, axis=0) for v in whole], grad, node.input, node)
            values = [scatter_rows(op, old, indices, rows) for old, rows in zip(whole, new_rows, strict=True)]
        else:
            values = update(op, whole, grad, node.input, node)
        for ref, value in zip(refs, values, strict=True):
            node.write(ref, value)
        return done(node, refs[0])

    return apply


for _name, (_update, _state, _has_sparse) in UPDATES.items():
    for _prefix in ("", "Resource"):
        register(f"{_prefix}Apply{_name}", _handler(_update, _state, False))
        if _has_sparse:
            register(f"{_prefix}SparseApply{_name}", _handler(_update, _state, True))
