"""tf.contrib.image: warps along flows, and polyharmonic splines between points."""

from __future__ import annotations

from typing import Any

import numpy as np

from runtime.tf1.modules import module
from runtime.tf1.registry import export

tf: Any = module("")

EPSILON = 0.0000000001


def _bilinear(grid: Any, query_points: Any, name: str = "interpolate_bilinear", indexing: str = "ij") -> Any:
    """The grid at places between its points, clamped to its border."""
    if indexing not in ("ij", "xy"):
        raise ValueError("Indexing mode must be 'ij' or 'xy'")
    with tf.name_scope(name):
        grid, query_points = tf.convert_to_tensor(grid), tf.convert_to_tensor(query_points)
        if grid.rank != 4:
            raise ValueError(f"Grid must be 4 dimensional. Received size: {grid.get_shape()}")
        sizes = [tf.shape(grid)[i] for i in range(4)]
        batch, height, width, channels = sizes
        kind, grid_kind = query_points.dtype, grid.dtype
        is_cube = tf.assert_equal(query_points.rank, 3, message="Query points must be 3 dimensional.")
        has_pairs = tf.assert_equal(tf.shape(query_points)[2], 2, message="Query points must be size 2 in dim 2.")
        with tf.control_dependencies([is_cube, has_pairs]):
            queries_count = tf.shape(query_points)[1]
        is_tall = tf.assert_greater_equal(height, 2, message="Grid height must be at least 2.")
        is_wide = tf.assert_greater_equal(width, 2, message="Grid width must be at least 2.")
        with tf.control_dependencies([is_tall, is_wide]):
            parts = tf.unstack(query_points, axis=2)
        alphas, floors, ceils = [], [], []
        for dim in (0, 1) if indexing == "ij" else (1, 0):
            with tf.name_scope(f"dim-{dim}"):
                queries = parts[dim]
                highest = tf.cast(sizes[dim + 1] - 2, kind)
                lowest = tf.constant(0.0, dtype=kind)
                floor = tf.minimum(tf.maximum(lowest, tf.floor(queries)), highest)
                place = tf.cast(floor, tf.int32)
                floors.append(place)
                ceils.append(place + 1)
                alpha = tf.cast(queries - floor, grid_kind)
                zero, one = tf.constant(0.0, dtype=grid_kind), tf.constant(1.0, dtype=grid_kind)
                alphas.append(tf.expand_dims(tf.minimum(tf.maximum(zero, alpha), one), 2))
        total = tf.cast(batch * height * width, dtype=tf.float32)
        fits = tf.assert_less_equal(
            total, np.iinfo(np.int32).max / 8, message="The image or batch is so large that the places in it may exceed int32."
        )
        with tf.control_dependencies([fits]):
            flat = tf.reshape(grid, [batch * height * width, channels])
            offsets = tf.reshape(tf.range(batch) * height * width, [batch, 1])

        def at(y: Any, x: Any, label: str) -> Any:
            with tf.name_scope("gather-" + label):
                return tf.reshape(tf.gather(flat, offsets + y * width + x), [batch, queries_count, channels])

        top_left = at(floors[0], floors[1], "top_left")
        top_right = at(floors[0], ceils[1], "top_right")
        bottom_left = at(ceils[0], floors[1], "bottom_left")
        bottom_right = at(ceils[0], ceils[1], "bottom_right")
        with tf.name_scope("interpolate"):
            top = alphas[1] * (top_right - top_left) + top_left
            bottom = alphas[1] * (bottom_right - bottom_left) + bottom_left
            return alphas[0] * (bottom - top) + top


@export("contrib.image.dense_image_warp")
def dense_image_warp(image: Any, flow: Any, name: str = "dense_image_warp") -> Any:
    """Each pixel (j, i) from where its flow says it came: (j - flow_j, i - flow_i)."""
    with tf.name_scope(name):
        batch, height, width, channels = (tf.shape(image)[i] for i in range(4))
        grid_x, grid_y = tf.meshgrid(tf.range(width), tf.range(height))
        grid = tf.cast(tf.stack([grid_y, grid_x], axis=2), flow.dtype)
        places = tf.expand_dims(grid, axis=0) - flow
        found = _bilinear(image, tf.reshape(places, [batch, height * width, 2]))
        return tf.reshape(found, [batch, height, width, channels])


def _phi(r: Any, order: int) -> Any:
    """The radial function, of squared distances: r^k, or r^k log r for even k."""
    with tf.name_scope("phi"):
        if order == 1:
            return tf.sqrt(tf.maximum(r, EPSILON))
        if order == 2:
            return 0.5 * r * tf.log(tf.maximum(r, EPSILON))
        if order == 4:
            return 0.5 * tf.square(r) * tf.log(tf.maximum(r, EPSILON))
        r = tf.maximum(r, EPSILON)
        if order % 2 == 0:
            return 0.5 * tf.pow(r, 0.5 * order) * tf.log(r)
        return tf.pow(r, 0.5 * order)


def _distances(x: Any) -> Any:
    products = tf.matmul(x, x, adjoint_b=True)
    norms = tf.expand_dims(tf.matrix_diag_part(products), 2)
    return norms - 2 * products + tf.transpose(norms, [0, 2, 1])


def _cross_distances(x: Any, y: Any) -> Any:
    x_norms, y_norms = tf.reduce_sum(tf.square(x), 2), tf.reduce_sum(tf.square(y), 2)
    x_norms, y_norms = tf.expand_dims(x_norms, 2), tf.expand_dims(y_norms, 1)
    return x_norms - 2 * tf.matmul(x, y, adjoint_b=True) + y_norms


def _solve(points: Any, values: Any, order: int, regularization_weight: float) -> tuple[Any, Any]:
    b, n, _ = tf.unstack(tf.shape(points), num=3)
    d, k = points.get_shape()[-1], values.get_shape()[-1]
    if d.value is None:
        raise ValueError("The dimensionality of the input points (d) must be statically-inferrable.")
    if k.value is None:
        raise ValueError("The dimensionality of the output values (k) must be statically-inferrable.")
    with tf.name_scope("construct_linear_system"):
        a = _phi(_distances(points), order)
        if regularization_weight > 0:
            a += regularization_weight * tf.expand_dims(tf.eye(n, dtype=points.dtype), 0)
        ones = tf.ones_like(points[..., :1], dtype=points.dtype)
        rows = tf.concat([points, ones], 2)
        left = tf.concat([a, tf.transpose(rows, [0, 2, 1])], 1)
        columns = rows.get_shape()[2]
        right = tf.concat([rows, tf.zeros([b, columns, columns], points.dtype)], 1)
        lhs = tf.concat([left, right], 2)
        rhs = tf.concat([values, tf.zeros([b, d + 1, k], points.dtype)], 1)
    with tf.name_scope("solve_linear_system"):
        solved = tf.matrix_solve(lhs, rhs)
        return solved[:, :n, :], solved[:, n:, :]


@export("contrib.image.interpolate_spline")
def interpolate_spline(
    train_points: Any,
    train_values: Any,
    query_points: Any,
    order: int,
    regularization_weight: float = 0.0,
    name: str = "interpolate_spline",
) -> Any:
    """A spline through values at points, at other points."""
    with tf.name_scope(name):
        points, values, queries = (tf.convert_to_tensor(v) for v in (train_points, train_values, query_points))
        with tf.name_scope("solve"):
            w, v = _solve(points, values, order, regularization_weight)
        with tf.name_scope("predict"):
            rbf = tf.matmul(_phi(_cross_distances(queries, points), order), w)
            padded = tf.concat([queries, tf.ones_like(queries[..., :1], points.dtype)], 2)
            return rbf + tf.matmul(padded, v)


def _repeated(array: np.ndarray[Any, Any], batch: int) -> np.ndarray[Any, Any]:
    return np.tile(array[None], [batch] + [1] * array.ndim)


def _border(height: int, width: int, per_edge: int) -> np.ndarray[Any, Any]:
    ys, xs = np.meshgrid(np.linspace(0, height - 1, per_edge + 2), np.linspace(0, width - 1, per_edge + 2), indexing="ij")
    is_border = (xs == 0) | (xs == width - 1) | (ys == 0) | (ys == height - 1)
    return np.stack([ys[is_border], xs[is_border]], axis=-1)


@export("contrib.image.sparse_image_warp")
def sparse_image_warp(
    image: Any, source_control_point_locations: Any, dest_control_point_locations: Any, interpolation_order: int = 2, regularization_weight: float = 0.0,
    num_boundary_points: int = 0, name: str = "sparse_image_warp",
) -> tuple[Any, Any]:  # fmt: skip
    """An image in which some points move, and the flow of all of them."""
    image = tf.convert_to_tensor(image)
    source, target = tf.convert_to_tensor(source_control_point_locations), tf.convert_to_tensor(dest_control_point_locations)
    flows = target - source
    with tf.name_scope(name):
        batch, height, width, _ = image.get_shape().as_list()
        ys, xs = np.meshgrid(np.linspace(0, height - 1, height), np.linspace(0, width - 1, width), indexing="ij")
        places = np.reshape(np.stack((ys, xs), -1), [height * width, 2])
        places = tf.constant(_repeated(places, batch), image.dtype)
        if num_boundary_points > 0:
            border = _border(height, width, num_boundary_points - 1)
            count = target.get_shape()[0].value
            at = tf.constant(_repeated(border, count), dtype=target.dtype)
            still = tf.constant(_repeated(np.zeros([len(border), 2]), count), dtype=target.dtype)
            target, flows = tf.concat([target, at], 1), tf.concat([flows, still], 1)
        flat = interpolate_spline(target, flows, places, interpolation_order, regularization_weight)
        dense = tf.reshape(flat, [batch, height, width, 2])
        return dense_image_warp(image, dense), dense
