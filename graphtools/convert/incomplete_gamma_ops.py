"""The incomplete gamma and beta functions, by series and continued fractions that run until every element has settled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import converts
from graphtools.convert.special_math_ops import digamma_of, lgamma_of
from graphtools.dtypes import bool_, float64, int64

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView

EPSILON = np.float64(1e-16)
LONGEST = 2000  # rounds
ONE = np.float64(1)
ZERO = np.float64(0)
# continued fractions are scaled down where their numerators pass this
BIG = np.float64(2.0**52)

Step = Callable[["Builder", list["Value"]], tuple[list["Value"], "Value"]]


def _until_settled(op: Builder, start: list[Value], step: Step) -> list[Value]:
    """Repeat a step on values of one shape until its second result, which elements still move, is false everywhere."""
    body = op.subgraph()
    body.input("round", int64, ())
    body.input("more", bool_, ())
    carried = [body.input(f"value_{i}", float64, v.dims) for i, v in enumerate(start)]
    values, moving = step(body, carried)
    for value, before in zip(values, start, strict=True):
        value.dims = before.dims
    flat = body.Concat(body.Reshape(body.cast(moving, int64), [-1]), op.const([0]), axis=0)
    body.output(body.Greater(body.ReduceMax(flat, [0], keepdims=0), np.int64(0)))
    for value in values:
        body.output(value)
    made = op.Loop(op.const(np.int64(LONGEST)), op.const(np.bool_(True)), *start, body=body, outputs=len(start))
    results: list[Value] = list(made)
    for value, before in zip(results, start, strict=True):
        value.dtype, value.dims = float64, before.dims
    return results


def _moving(op: Builder, now: Value, before: Value) -> Value:
    result: Value = op.Greater(op.Abs(op.Sub(now, before)), op.Mul(op.Abs(now), EPSILON))
    return result


def _like(op: Builder, value: float, other: Value) -> Value:
    result: Value = op.Expand(op.const(np.array(value, np.float64)), op.Shape(other))
    result.dims = other.dims
    return result


def _together(op: Builder, *values: Value) -> list[Value]:
    """The values in float64, of the shape they broadcast to."""
    wide = [op.cast(v, float64) for v in values]
    joint = op.Less(wide[0], wide[1])
    for v in wide[2:]:
        joint = op.Or(joint, op.Less(v, v))
    shape = op.Shape(joint)
    made = [op.Expand(v, shape) for v in wide]
    for v in made:
        v.dims = joint.dims
    return made


def _series(op: Builder, a: Value, x: Value) -> tuple[Value, Value]:
    """sum of x^n / ((a + 1) ... (a + n)) from n = 0, and its derivative by a."""

    def step(body: Builder, v: list[Value]) -> tuple[list[Value], Value]:
        r, term, total, slope, slopes = v
        r = body.Add(r, ONE)
        factor = body.Div(x, r)
        slope = body.Mul(body.Sub(slope, body.Div(term, r)), factor)
        term = body.Mul(term, factor)
        new_total, new_slopes = body.Add(total, term), body.Add(slopes, slope)
        moving = body.Or(_moving(body, new_total, total), _moving(body, new_slopes, slopes))
        return [r, term, new_total, slope, new_slopes], moving

    one, zero = _like(op, 1, a), _like(op, 0, a)
    done = _until_settled(op, [a, one, one, zero, zero], step)
    return done[2], done[4]


def _fraction(op: Builder, a: Value, x: Value) -> tuple[Value, Value]:
    """The continued fraction of the upper function over e^-x x^a, and its derivative by a."""

    def step(body: Builder, v: list[Value]) -> tuple[list[Value], Value]:
        c, y, z, p1, p2, q1, q2, dp1, dp2, dq1, dq2, answer, slope = v
        c, y, z = body.Add(c, ONE), body.Add(y, ONE), body.Add(z, np.float64(2))
        yc = body.Mul(y, c)

        def next_of(one: Value, two: Value) -> Value:
            result: Value = body.Sub(body.Mul(one, z), body.Mul(two, yc))
            return result

        p, q = next_of(p1, p2), next_of(q1, q2)
        dp = body.Add(body.Sub(next_of(dp1, dp2), p1), body.Mul(p2, c))
        dq = body.Add(body.Sub(next_of(dq1, dq2), q1), body.Mul(q2, c))
        new_answer = body.Div(p, q)
        new_slope = body.Div(body.Sub(dp, body.Mul(new_answer, dq)), q)
        scale = body.Where(body.Greater(body.Abs(p), BIG), ONE / BIG, body.const(ONE))
        scaled = [body.Mul(part, scale) for part in (p, p1, q, q1, dp, dp1, dq, dq1)]
        moving = body.Or(_moving(body, new_answer, answer), _moving(body, new_slope, slope))
        return [c, y, z, *scaled, new_answer, new_slope], moving

    y = op.Sub(ONE, a)
    z = op.Add(op.Add(x, y), ONE)
    p1, q1, dq1 = op.Add(x, ONE), op.Mul(z, x), op.Neg(x)
    answer = op.Div(p1, q1)
    slope = op.Neg(op.Div(op.Mul(answer, dq1), q1))
    one, zero = _like(op, 1, a), _like(op, 0, a)
    start = [zero, y, z, p1, one, q1, x, zero, zero, dq1, zero, answer, slope]
    for value in start:
        value.dims = a.dims
    done = _until_settled(op, start, step)
    return done[-2], done[-1]


@converts("Igamma", "Igammac", "IgammaGradA")
def igamma(op: Builder, node: NodeView) -> Any:
    """The series of the lower function for small x, the continued fraction of the upper one where x > 1 and x > a."""
    a, x = _together(op, *node.inputs)
    far = op.And(op.Greater(x, ONE), op.Greater(x, a))
    is_infinite = op.IsInf(x)
    outside = op.Or(op.Less(x, ZERO), op.LessOrEqual(a, ZERO))
    near_a, near_x = (op.Where(op.Or(far, outside), fill, v) for fill, v in ((ONE, a), (ZERO, x)))
    far_a, far_x = (op.Where(op.And(far, op.Not(op.Or(is_infinite, outside))), v, fill) for fill, v in ((ONE, a), (np.float64(2), x)))
    for value in (near_a, near_x, far_a, far_x):
        value.dims = a.dims
    sums, slopes = _series(op, near_a, near_x)
    fractions, inclines = _fraction(op, far_a, far_x)
    above = op.Add(near_a, ONE)
    near_log, far_log = op.Log(near_x), op.Log(far_x)
    near_scale = op.Exp(op.Sub(op.Sub(op.Mul(near_a, near_log), near_x), lgamma_of(op, above)))
    far_scale = op.Exp(op.Sub(op.Sub(op.Mul(far_a, far_log), far_x), lgamma_of(op, far_a)))
    if node.op == "IgammaGradA":
        near = op.Mul(near_scale, op.Add(op.Mul(sums, op.Sub(near_log, digamma_of(op, above))), slopes))
        near = op.Where(op.Equal(near_x, ZERO), ZERO, near)
        beyond = op.Neg(op.Mul(far_scale, op.Add(op.Mul(fractions, op.Sub(far_log, digamma_of(op, far_a))), inclines)))
        at_infinity = ZERO
    else:
        near, beyond = op.Mul(near_scale, sums), op.Mul(far_scale, fractions)
        at_infinity = ONE if node.op == "Igamma" else ZERO
        if node.op == "Igamma":
            beyond = op.Sub(ONE, beyond)
        else:
            near = op.Sub(ONE, near)
    result = op.Where(far, op.Where(is_infinite, at_infinity, beyond), near)
    return op.cast(op.Where(outside, np.float64(np.nan), result), node.dtype)


@converts("Betainc")
def betainc(op: Builder, node: NodeView) -> Any:
    """Lentz's continued fraction, at 1 - x with a and b exchanged where x is past the mean."""
    a, b, x = _together(op, *node.inputs)
    swapped = op.Greater(x, op.Div(op.Add(a, ONE), op.Add(op.Add(a, b), np.float64(2))))
    outside = op.Or(op.Or(op.LessOrEqual(a, ZERO), op.LessOrEqual(b, ZERO)), op.Or(op.Less(x, ZERO), op.Greater(x, ONE)))
    edge = op.Or(op.Equal(x, ZERO), op.Equal(x, ONE))
    aside = op.Or(outside, edge)
    p = op.Where(aside, ONE, op.Where(swapped, b, a))
    q = op.Where(aside, ONE, op.Where(swapped, a, b))
    t = op.Where(aside, np.float64(0.25), op.Where(swapped, op.Sub(ONE, x), x))
    for value in (p, q, t):
        value.dims = a.dims
    both, more, less = op.Add(p, q), op.Add(p, ONE), op.Sub(p, ONE)

    def step(body: Builder, v: list[Value]) -> tuple[list[Value], Value]:
        m, c, d, h = v
        m = body.Add(m, ONE)
        twice = body.Mul(m, np.float64(2))
        even = body.Div(body.Mul(body.Mul(m, body.Sub(q, m)), t), body.Mul(body.Add(less, twice), body.Add(p, twice)))
        odd = body.Neg(
            body.Div(body.Mul(body.Mul(body.Add(p, m), body.Add(both, m)), t), body.Mul(body.Add(p, twice), body.Add(more, twice)))
        )
        change = None
        for term in (even, odd):
            d = body.Reciprocal(_apart(body, body.Add(body.Mul(term, d), ONE)))
            c = _apart(body, body.Add(body.Div(term, c), ONE))
            change = body.Mul(d, c)
            h = body.Mul(h, change)
        return [m, c, d, h], body.Greater(body.Abs(body.Sub(change, ONE)), EPSILON * 4)

    first = op.Reciprocal(_apart(op, op.Sub(ONE, op.Div(op.Mul(both, t), more))))
    first.dims = a.dims
    start = [_like(op, 0, a), _like(op, 1, a), first, first]
    fraction = _until_settled(op, start, step)[3]
    logs = op.Add(op.Mul(p, op.Log(t)), op.Mul(q, op.Log(op.Sub(ONE, t))))
    scale = op.Sub(op.Sub(lgamma_of(op, both), lgamma_of(op, p)), lgamma_of(op, q))
    value = op.Div(op.Mul(op.Exp(op.Add(logs, scale)), fraction), p)
    value = op.Where(swapped, op.Sub(ONE, value), value)
    value = op.Where(edge, x, value)
    return op.cast(op.Where(outside, np.float64(np.nan), value), node.dtype)


def _apart(op: Builder, x: Value) -> Value:
    """Kept from 0, for what divides by it."""
    result: Value = op.Where(op.Less(op.Abs(x), np.float64(1e-300)), np.float64(1e-300), x)
    return result
