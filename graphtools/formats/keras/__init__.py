"""Keras layers -> TensorFlow nodes: the registry of layer classes, and what a layer function is given.

A layer function is `@layer("Dense", weights=...)(k) -> tensor or list of tensors`. `weights` tells from the config how many
trainable and how many other arrays the layer has, in the order in which Keras saves them; `masked` whether the layer hands its
mask on (True), takes it in (False), or computes one (a function of `k`).
"""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.dtypes import DType, as_dtype, int32
from graphtools.errors import FormatError
from graphtools.graph import Graph, Tensor

if TYPE_CHECKING:
    from graphtools.formats.keras.model import Model

Array = np.ndarray[Any, Any]
Config = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """What is declared for a layer class."""

    emit: Callable[[Call], Any]
    weights: Callable[[Layer], tuple[int, int]]
    masked: bool | Callable[[Call], Tensor | None]


LAYERS: dict[str, Kind] = {}


def layer(
    *names: str,
    weights: Callable[[Layer], tuple[int, int]] = lambda layer: (0, 0),
    masked: bool | Callable[[Call], Tensor | None] = False,
) -> Callable[[Callable[[Call], Any]], Callable[[Call], Any]]:
    """Declare the layer function of these classes."""

    def declare(function: Callable[[Call], Any]) -> Callable[[Call], Any]:
        for name in names:
            if name in LAYERS:
                raise ValueError(f"Two layer functions for {name!r}.")
            LAYERS[name] = Kind(function, weights, masked)
        return function

    return declare


@functools.cache
def load() -> dict[str, Kind]:
    """The registry, with every file of layers imported."""
    for module in ("convolution", "core", "legacy", "merge", "pooling", "recurrent", "tf_ops"):
        importlib.import_module(f"{__name__}.{module}")
    return LAYERS


@dataclass(eq=False, slots=True)
class Layer:
    """A layer of a model file: its config, its inner layers, and its arrays once they are read."""

    class_name: str
    name: str
    config: Config
    version: str = ""  # of the Keras that wrote it
    inner: list[Layer] = field(default_factory=list)
    model: Model | None = None  # for a layer that is a model
    arrays: list[Array] = field(default_factory=list)
    constants: dict[tuple[Graph, str], Tensor] = field(default_factory=dict)
    scope: str = ""

    @property
    def kind(self) -> Kind:
        found = load().get(self.class_name)
        if found is None:
            raise FormatError(
                f"Layer {self.name!r} is of the class {self.class_name!r}, which is no layer of Keras 1 or 2: its code is not in the file. "
                "Load the script that defines it with `tfrevive run` or save the model as a SavedModel or frozen graph."
            )
        return found

    @property
    def is_keras1(self) -> bool:
        return self.version.startswith("1.") or self.version == "0"

    @property
    def is_tf_keras(self) -> bool:
        """Whether tf.keras wrote it, which behaves otherwise than Keras in places."""
        numbers = re.findall(r"\d+", self.version)
        return self.version.endswith("-tf") or [int(n) for n in numbers[:2]] >= [2, 4]

    def slots(self) -> tuple[list[tuple[Layer, int]], list[tuple[Layer, int]]]:
        """Where this layer's saved arrays belong: those of its trainable weights, and the others."""
        if self.model is not None or self.inner:
            trainable: list[tuple[Layer, int]] = []
            other: list[tuple[Layer, int]] = []
            for child in self.model.layers if self.model is not None else self.inner:
                ours, theirs = child.slots()
                trainable += ours
                other += theirs
        else:
            count, others = self.kind.weights(self)
            trainable = [(self, i) for i in range(count)]
            other = [(self, count + i) for i in range(others)]
        return (trainable, other) if self.config.get("trainable", True) else ([], trainable + other)

    def __repr__(self) -> str:
        return f"<{self.class_name} {self.name!r}>"


class Emitter:
    """Adds nodes to a graph. In a loop's body, `use` makes a parameter of each tensor from outside."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def op(self, op_type: str, *inputs: Any, **attr: Any) -> Tensor:
        """Add an op that has one output."""
        output: Tensor = self.graph.op(op_type, *inputs, **attr)
        return output

    def outputs(self, op_type: str, *inputs: Any, **attr: Any) -> list[Tensor]:
        """Add an op that may have any number of outputs."""
        found = self.graph.op(op_type, *inputs, **attr)
        return list(found) if isinstance(found, tuple) else [found]

    def const(self, value: Any, dtype: DType | None = None, name: str = "Const") -> Tensor:
        array = np.asarray(value)
        return self.graph.constant(array, as_dtype(array.dtype) if dtype is None else dtype, name)

    def ints(self, *values: int) -> Tensor:
        """A constant vector of int32."""
        return self.const(np.array(values, np.int32))

    def scalar(self, value: int) -> Tensor:
        return self.const(np.int32(value))

    def like(self, value: float, x: Tensor) -> Tensor:
        """A scalar constant of the dtype of `x`."""
        return self.const(np.asarray(value, x.dtype.as_numpy_dtype), x.dtype)

    def use(self, tensor: Tensor) -> Tensor:
        return tensor

    def shape(self, x: Tensor) -> Tensor:
        return self.op("Shape", x, out_type=int32)

    def size(self, x: Tensor, axis: int) -> Tensor | int:
        """The size of a dimension: a number where it is known."""
        known = None if x.dims is None else x.dims[axis]
        if known is not None:
            return known
        begin = axis if axis >= 0 else axis + (x.rank or 0)
        return self.op("StridedSlice", self.shape(x), self.ints(begin), self.ints(begin + 1), self.ints(1), shrink_axis_mask=1)

    def sizes(self, parts: Sequence[Tensor | int]) -> Tensor:
        """The shape vector of these sizes."""
        if all(isinstance(p, int) for p in parts):
            return self.ints(*parts)  # type: ignore[arg-type]
        return self.op("Pack", [self.scalar(p) if isinstance(p, int) else p for p in parts], axis=0)

    def reshape(self, x: Tensor, parts: Sequence[Tensor | int]) -> Tensor:
        """Reshape to these sizes, of which one may be -1; one that is only known at run time becomes -1 if it can."""
        parts = list(parts)
        unknown = [i for i, p in enumerate(parts) if not isinstance(p, int)]
        if len(unknown) == 1 and -1 not in parts and 0 not in parts:
            parts[unknown[0]] = -1
        return self.op("Reshape", x, self.sizes(parts))

    def transpose(self, x: Tensor, *perm: int) -> Tensor:
        if perm == tuple(range(len(perm))):
            return x
        return self.op("Transpose", x, self.ints(*perm))

    def expand(self, x: Tensor, axis: int) -> Tensor:
        return self.op("ExpandDims", x, self.scalar(axis))

    def squeeze(self, x: Tensor, *axes: int) -> Tensor:
        return self.op("Squeeze", x, squeeze_dims=list(axes))

    def cast(self, x: Tensor, dtype: DType) -> Tensor:
        if x.dtype.base_dtype is dtype:
            return x
        return self.op("Cast", x, DstT=dtype)

    def reverse(self, x: Tensor, axis: int) -> Tensor:
        return self.op("ReverseV2", x, self.ints(axis))


class Call(Emitter):
    """One call of a layer: its inputs and their masks, its config, its weights as constants."""

    def __init__(
        self, graph: Graph, layer: Layer, inputs: Sequence[Tensor], masks: Sequence[Tensor | None], kwargs: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(graph)
        self.layer = layer
        self.config = layer.config
        self.inputs = list(inputs)
        self.masks = list(masks)
        self.kwargs = dict(kwargs or {})
        self.out_masks: list[Tensor | None] | None = None  # set by a layer that knows them

    @property
    def x(self) -> Tensor:
        if not self.inputs:
            raise self.fail("has no input")
        return self.inputs[0]

    @property
    def mask(self) -> Tensor | None:
        return self.masks[0] if self.masks else None

    def fail(self, problem: str) -> FormatError:
        return FormatError(f"Layer {self.layer.name!r} ({self.layer.class_name}) {problem}.")

    def rank(self, x: Tensor) -> int:
        if x.rank is None:
            raise self.fail("has an input of unknown rank; the file must say the shape of the model's inputs")
        return x.rank

    def known(self, x: Tensor, axis: int) -> int:
        """The size of a dimension that must be known."""
        size = None if x.dims is None else x.dims[axis]
        if size is None:
            raise self.fail(f"needs to know dimension {axis} of its input, whose shape is {x.dims}")
        return size

    def array(self, index: int) -> Array:
        return self.layer.arrays[index]

    def weight(self, index: int, name: str, array: Array | None = None) -> Tensor:
        """An array of the layer as a constant, made once however often the layer is called; `array` in place of the saved one."""
        key = (self.graph, name)
        found = self.layer.constants.get(key)
        if found is None:
            value = self.layer.arrays[index] if array is None else array
            with self.graph.name_scope((self.layer.scope or self.layer.name) + "/"):
                found = self.layer.constants[key] = self.const(value, name=name)
        return found

    def run(self, layer: Layer, inputs: Sequence[Tensor], masks: Sequence[Tensor | None] = ()) -> tuple[list[Tensor], list[Tensor | None]]:
        """The outputs and masks of an inner layer."""
        from graphtools.formats.keras.model import call_layer

        return call_layer(self.graph, layer, inputs, masks or [None] * len(inputs), {})


def channels_first(config: Config) -> bool:
    return config.get("data_format") == "channels_first"


def tuple_of(value: Any, count: int) -> tuple[int, ...]:
    """A size given once for all dimensions, or for each."""
    if isinstance(value, int | float):
        return (int(value),) * count
    found = tuple(int(v) for v in value)
    return found * count if len(found) == 1 else found
