"""tf.data.Dataset: sources and transformations."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from graphtools import graph as base
from graphtools import opdefs
from graphtools.constant import constant as constant_value
from graphtools.constant import constant_as_shape
from graphtools.dtypes import as_dtype, int32, int64, string
from graphtools.dtypes import bool_ as boolean
from runtime.tf1 import array_ops, function
from runtime.tf1.data import structure as st
from runtime.tf1.data.options import Options
from runtime.tf1.data.structure import DatasetSpec, SparseTensorSpec, TensorSpec
from runtime.tf1.graph import apply_op, constant, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.random_ops import get_seed
from runtime.tf1.registry import export
from runtime.tf1.sparse_tensor import SparseTensor
from runtime.tf1.tensor_shape import TensorShape, as_shape

AUTOTUNE = -1


def seeds(seed: Any) -> tuple[Any, Any]:
    """The two seeds of a dataset as int64 tensors; never both zero."""
    first, second = get_seed(seed)
    one = convert_to_tensor(0 if first is None else first, int64, name="seed")
    if second is None:
        return one, constant(0, int64, name="seed2")
    with name_scope("seed2", None, ()) as scope:
        two = convert_to_tensor(second, int64)
        both = apply_op("LogicalAnd", None, x=apply_op("Equal", None, x=one, y=0), y=apply_op("Equal", None, x=two, y=0))
        return one, array_ops.where(both, constant(2**31 - 1, int64), two, name=scope)


def make(op_type: str, spec: Any, **arguments: Any) -> Any:
    """The variant of a dataset op; attrs that tell its elements are set where the op has them."""
    opdef = opdefs.get(op_type)
    attrs = {
        k: v
        for k, v in st.flat_attrs(spec).items()
        if opdef is not None and k in opdef.attrs and not any(a.type_list_attr == k for a in opdef.inputs)
    }
    return apply_op(op_type, None, **arguments, **attrs)


class StructuredFunction:
    """A library function made of a script's function over elements."""

    def __init__(self, func: Callable[..., Any], label: str, input_structure: Any) -> None:
        self.input_structure = input_structure
        self.output_structure: Any = None
        parameters = [(f"args_{i}", s.flat_dtype, s.flat_shape._dims) for i, s in enumerate(st.flatten(input_structure))]

        def build(*tensors: Any) -> list[Any]:
            element = st.from_tensors(input_structure, list(tensors))
            arguments = element if type(element) is tuple else (element,)
            result = func(*arguments)
            if isinstance(result, list):
                result = tuple(result)
            try:
                self.output_structure = st.structure_of(result)
            except (TypeError, ValueError) as e:
                raise TypeError(f"Unsupported return value from function passed to {label}: {result}.") from e
            return st.to_tensors(self.output_structure, result)

        name = f"{label.removesuffix('()').replace('.', '_')}_{getattr(func, '__name__', type(func).__name__)}"
        self.func, self.captured, self.graph = function.build(name, build, parameters)

    @property
    def types(self) -> Any:
        return st.legacy(self.output_structure)[0]

    def captures_variables(self) -> bool:
        """Whether a captured tensor is a ref variable, or is computed from one."""
        return any(t.dtype.is_ref for captured in self.captured for n in base.topological([captured.node]) for t in (*n.inputs, *n.outputs))


@export("data.Dataset")
class Dataset:
    """A sequence of elements: nested structures of tensors."""

    _inputs: tuple[Dataset, ...] = ()
    _functions: tuple[StructuredFunction, ...] = ()
    _options: Options | None = None

    def __init__(
        self, variant_tensor: Any, spec: Any, inputs: Sequence[Dataset] = (), functions: Sequence[StructuredFunction] = ()
    ) -> None:
        self._variant_tensor = variant_tensor
        self._spec = spec
        self._inputs, self._functions = tuple(inputs), tuple(functions)

    element_spec = property(lambda self: self._spec)
    output_types = property(lambda self: st.legacy(self.element_spec)[0])
    output_shapes = property(lambda self: st.legacy(self.element_spec)[1])
    output_classes = property(lambda self: st.legacy(self.element_spec)[2])

    def _as_variant_tensor(self) -> Any:
        return self._variant_tensor

    @property
    def _type_spec(self) -> DatasetSpec:
        return DatasetSpec(self.element_spec)

    def _unary(self, op_type: str, spec: Any = None, functions: Sequence[StructuredFunction] = (), **arguments: Any) -> Dataset:
        """A dataset of this one's elements."""
        spec = self.element_spec if spec is None else spec
        return Dataset(make(op_type, spec, input_dataset=self._variant_tensor, **arguments), spec, (self,), functions)

    def __iter__(self) -> Iterator[Any]:
        raise RuntimeError("__iter__() is only supported inside of tf.function or when eager execution is enabled.")

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        types, shapes, _ = st.legacy(self.element_spec)
        texts = [str(st.map_structure(to_text, value)).replace("'", "") for to_text, value in ((str, shapes), (repr, types))]
        return f"<DatasetV1Adapter shapes: {texts[0]}, types: {texts[1]}>"

    # -- sources ---------------------------------------------------------------------------------------------------------

    @staticmethod
    def from_tensors(tensors: Any) -> Dataset:
        element = st.normalized(tensors)
        spec = st.structure_of(element)
        return Dataset(
            apply_op("TensorDataset", None, components=st.to_tensors(spec, element), output_shapes=st.flat_attrs(spec)["output_shapes"]),
            spec,
        )

    @staticmethod
    def from_tensor_slices(tensors: Any) -> Dataset:
        element = st.normalized(tensors)
        batched = st.structure_of(element)
        parts = [t for spec, v in zip(st.flatten(batched), st.flatten(element), strict=True) for t in spec.batched_parts(v)]
        spec = st.map_structure(lambda s: s.unbatch(), batched)
        sizes = [t.shape[0].value if t.dims else None for t in parts]
        known = [s for s in sizes if s is not None]
        for s in known[1:]:
            if s != known[0]:
                raise ValueError(f"Dimensions {known[0]} and {s} are not compatible")
        return Dataset(apply_op("TensorSliceDataset", None, components=parts, output_shapes=st.flat_attrs(spec)["output_shapes"]), spec)

    @staticmethod
    def from_sparse_tensor_slices(sparse_tensor: Any) -> Dataset:
        if not isinstance(sparse_tensor, SparseTensor):
            raise TypeError(f"`sparse_tensor` must be a `tf.SparseTensor` object. Was {sparse_tensor}.")
        rank = sparse_tensor.indices.shape[1].value
        rank = None if rank is None else rank - 1
        spec = (TensorSpec([None, rank], int64), TensorSpec([None], sparse_tensor.dtype), TensorSpec([rank], int64))
        variant = apply_op(
            "SparseTensorSliceDataset",
            None,
            indices=sparse_tensor.indices,
            values=sparse_tensor.values,
            dense_shape=sparse_tensor.dense_shape,
        )
        return Dataset(variant, spec)

    @staticmethod
    def from_generator(generator: Any, output_types: Any, output_shapes: Any = None, args: Any = None) -> Dataset:
        """Elements that a Python generator yields, one generator for each pass."""
        if not callable(generator):
            raise TypeError("`generator` must be callable.")
        given = tuple(convert_to_tensor(a, name=f"args_{i}") for i, a in enumerate(args or ()))
        return _from_generator(generator, st.from_legacy(output_types, output_shapes), given)

    @staticmethod
    def range(*args: Any) -> Dataset:
        if len(args) not in (1, 2, 3):
            raise ValueError(f"Invalid arguments to RangeDataset: {args}")
        start, stop, step = (0, args[0], 1) if len(args) == 1 else (*args, 1)[:3]
        numbers = {name: convert_to_tensor(v, int64, name=name) for name, v in (("start", start), ("stop", stop), ("step", step))}
        spec = TensorSpec([], int64)
        return Dataset(make("RangeDataset", spec, **numbers), spec)

    @staticmethod
    def zip(datasets: Any) -> Dataset:
        flat = st.flatten(datasets)
        for ds in flat:
            if not isinstance(ds, Dataset):
                lists = " Nested structures do not support Python lists; please use a tuple instead." if isinstance(ds, list) else ""
                raise TypeError(f"The argument to `Dataset.zip()` must be a nested structure of `Dataset` objects.{lists}")
        spec = st.pack(datasets, [ds.element_spec for ds in flat])
        return Dataset(make("ZipDataset", spec, input_datasets=[ds._variant_tensor for ds in flat]), spec, flat)

    @staticmethod
    def list_files(file_pattern: Any, shuffle: bool | None = None, seed: Any = None) -> Dataset:
        """The names of the files that match, in random order unless `shuffle` is false."""
        from runtime.tf1.modules import lookup

        with name_scope("list_files", None, ()):
            pattern = convert_to_tensor(file_pattern, string, name="file_pattern")
            files = apply_op("MatchingFiles", None, pattern=pattern)
            is_some = apply_op("Greater", "match_not_empty", x=array_ops.shape(files)[0], y=0)
            message = apply_op("Add", "message", x="No files matched pattern: ", y=lookup("reduce_join")(pattern, separator=", "))
            check = lookup("Assert")(is_some, [message], summarize=1, name="assert_not_empty")
            with get_default_graph().control_dependencies([check]):
                files = array_ops.identity(files)
            dataset = Dataset.from_tensor_slices(files)
            if shuffle is None or shuffle:
                size = apply_op("Maximum", None, x=array_ops.shape(files, out_type=int64)[0], y=1)
                dataset = dataset.shuffle(size, seed=seed)
            return dataset

    # -- transformations -------------------------------------------------------------------------------------------------

    def concatenate(self, dataset: Dataset) -> Dataset:
        mine, other = self.element_spec, dataset.element_spec
        if st.map_structure(lambda a, b: a.dtype, mine, other) != st.map_structure(lambda a, b: b.dtype, mine, other):
            raise TypeError(f"Two datasets to concatenate have different types {self.output_types} and {dataset.output_types}")
        spec = st.map_structure(st.most_general, mine, other)
        return Dataset(
            make("ConcatenateDataset", spec, input_dataset=self._variant_tensor, another_dataset=dataset._variant_tensor),
            spec,
            (self, dataset),
        )

    def prefetch(self, buffer_size: Any) -> Dataset:
        return self._unary(
            "PrefetchDataset",
            buffer_size=convert_to_tensor(-1 if buffer_size is None else buffer_size, int64, name="buffer_size"),
            slack_period=None,
        )

    def repeat(self, count: Any = None) -> Dataset:
        return self._unary(
            "RepeatDataset",
            count=convert_to_tensor(-1, int64, name="count") if count is None else convert_to_tensor(count, int64, name="count"),
        )

    def enumerate(self, start: Any = 0) -> Dataset:
        return Dataset.zip((Dataset.range(start, np.iinfo(np.int64).max), self))

    def shuffle(self, buffer_size: Any, seed: Any = None, reshuffle_each_iteration: bool | None = None) -> Dataset:
        size = convert_to_tensor(buffer_size, int64, name="buffer_size")
        seed1, seed2 = seeds(seed)
        return self._unary(
            "ShuffleDataset",
            buffer_size=size,
            seed=seed1,
            seed2=seed2,
            reshuffle_each_iteration=True if reshuffle_each_iteration is None else reshuffle_each_iteration,
        )

    def cache(self, filename: Any = "") -> Dataset:
        return self._unary("CacheDataset", filename=convert_to_tensor(filename, string, name="filename"))

    def take(self, count: Any) -> Dataset:
        return self._unary("TakeDataset", count=convert_to_tensor(count, int64, name="count"))

    def skip(self, count: Any) -> Dataset:
        return self._unary("SkipDataset", count=convert_to_tensor(count, int64, name="count"))

    def shard(self, num_shards: Any, index: Any) -> Dataset:
        return self._unary(
            "ShardDataset",
            num_shards=convert_to_tensor(num_shards, int64, name="num_shards"),
            index=convert_to_tensor(index, int64, name="index"),
        )

    def batch(self, batch_size: Any, drop_remainder: Any = False) -> Dataset:
        size = convert_to_tensor(batch_size, int64, name="batch_size")
        drop = convert_to_tensor(drop_remainder, boolean, name="drop_remainder")
        known = _size(size) if _is_true(drop) else None
        spec = st.map_structure(lambda s: s.batch(known), self.element_spec)
        return self._unary("BatchDatasetV2", spec, batch_size=size, drop_remainder=drop)

    def padded_batch(self, batch_size: Any, padded_shapes: Any, padding_values: Any = None, drop_remainder: Any = False) -> Dataset:
        """Batches whose components are padded to `padded_shapes`, or to the longest of the batch where a size is unknown."""
        for s in st.flatten(self.element_spec):
            if isinstance(s, SparseTensorSpec):
                raise TypeError("Batching of padded sparse tensors is not currently supported")
        types = [s.dtype for s in st.flatten(self.element_spec)]
        size = convert_to_tensor(batch_size, int64, name="batch_size")
        shapes = _padded_shapes(self.element_spec, padded_shapes)
        values = _padding_values(self.element_spec, types, padding_values)
        drop = convert_to_tensor(drop_remainder, boolean, name="drop_remainder")
        known = _size(size) if _is_true(drop) else None
        spec = st.pack(
            self.element_spec,
            [TensorSpec(TensorShape([known]).concatenate(constant_as_shape(s)), t) for s, t in zip(shapes, types, strict=True)],
        )
        return self._unary("PaddedBatchDatasetV2", spec, batch_size=size, padded_shapes=shapes, padding_values=values, drop_remainder=drop)

    def map(self, map_func: Any, num_parallel_calls: Any = None) -> Dataset:
        f = StructuredFunction(map_func, "Dataset.map()", self.element_spec)
        if num_parallel_calls is None:
            return self._unary(
                "MapDataset",
                f.output_structure,
                (f,),
                other_arguments=f.captured,
                f=f.func,
                use_inter_op_parallelism=True,
                preserve_cardinality=False,
            )
        return self._unary(
            "ParallelMapDataset", f.output_structure, (f,), other_arguments=f.captured, num_parallel_calls=convert_to_tensor(num_parallel_calls, int32, name="num_parallel_calls"), f=f.func,
            use_inter_op_parallelism=True, preserve_cardinality=False,
        )  # fmt: skip

    map_with_legacy_function = map

    def flat_map(self, map_func: Any) -> Dataset:
        f = StructuredFunction(map_func, "Dataset.flat_map()", self.element_spec)
        return self._unary("FlatMapDataset", _inner(f, "flat_map"), (f,), other_arguments=f.captured, f=f.func)

    def interleave(self, map_func: Any, cycle_length: Any = AUTOTUNE, block_length: Any = 1, num_parallel_calls: Any = None) -> Dataset:
        f = StructuredFunction(map_func, "Dataset.interleave()", self.element_spec)
        spec = _inner(f, "interleave")
        arguments = {
            "other_arguments": f.captured, "cycle_length": convert_to_tensor(cycle_length, int64, name="cycle_length"),
            "block_length": convert_to_tensor(block_length, int64, name="block_length"), "f": f.func,
        }  # fmt: skip
        if num_parallel_calls is None:
            return self._unary("InterleaveDataset", spec, (f,), **arguments)
        parallel = convert_to_tensor(num_parallel_calls, int64, name="num_parallel_calls")
        return self._unary("ParallelInterleaveDatasetV2", spec, (f,), num_parallel_calls=parallel, **arguments)

    def filter(self, predicate: Any) -> Dataset:
        f = StructuredFunction(predicate, "Dataset.filter()", self.element_spec)
        specs = st.flatten(f.output_structure)
        if len(specs) != 1 or not TensorSpec([], "bool").is_compatible_with(specs[0]):
            raise ValueError(f"`predicate` return type must be convertible to a scalar boolean tensor. Was {f.output_structure}.")
        return self._unary("FilterDataset", None, (f,), other_arguments=f.captured, predicate=f.func)

    filter_with_legacy_function = filter

    def window(self, size: Any, shift: Any = None, stride: Any = 1, drop_remainder: Any = False) -> Dataset:
        """Datasets of `size` elements each."""
        spec = st.map_structure(lambda s: DatasetSpec(s), self.element_spec)
        return self._unary(
            "WindowDataset", spec, size=convert_to_tensor(size, int64, name="size"), shift=convert_to_tensor(size if shift is None else shift, int64, name="shift"),
            stride=convert_to_tensor(stride, int64, name="stride"), drop_remainder=convert_to_tensor(drop_remainder, boolean, name="drop_remainder"),
        )  # fmt: skip

    def unbatch(self) -> Dataset:
        batched, spec = self.element_spec, st.map_structure(lambda s: s.unbatch(), self.element_spec)

        def parts(*element: Any) -> Any:
            values = element if isinstance(batched, tuple) else element[0]
            return tuple(t for s, v in zip(st.flatten(batched), st.flatten_up_to(batched, values), strict=True) for t in s.batched_parts(v))

        return self.map(parts)._unary("UnbatchDataset", spec)

    def reduce(self, initial_state: Any, reduce_func: Any) -> Any:
        """`reduce_func(state, element)` over the elements, as tensors."""
        with name_scope("initial_state", None, ()):
            state = st.normalized(initial_state)
        spec = st.structure_of(state)
        f, spec = fixed_state(reduce_func, "reduce()", spec, lambda s: (s, self.element_spec))
        tensors = apply_op(
            "ReduceDataset", None, input_dataset=self._variant_tensor, initial_state=st.to_tensors(spec, state), other_arguments=f.captured, f=f.func,
            **st.flat_attrs(spec),
        )  # fmt: skip
        return st.from_tensors(spec, tensors)

    def apply(self, transformation_func: Any) -> Dataset:
        made = transformation_func(self)
        if not isinstance(made, Dataset):
            raise TypeError(f"`transformation_func` must return a Dataset. Got {made}.")
        return made

    def with_options(self, options: Options) -> Dataset:
        made = Dataset(self._variant_tensor, self.element_spec, (self,))
        made._options = self.options().merge(options)
        return made

    def options(self) -> Options:
        if self._options is not None:
            return self._options
        found = Options()
        for ds in self._inputs:
            found = found.merge(ds.options())
        return found

    # -- iterators -------------------------------------------------------------------------------------------------------

    def _captures_variables(self) -> bool:
        return any(f.captures_variables() for f in self._functions) or any(ds._captures_variables() for ds in self._inputs)

    def _applied(self) -> Dataset:
        """The dataset with what TensorFlow puts behind every pipeline."""
        dataset, options = self, self.options()
        threading_options = options.experimental_threading
        if threading_options.max_intra_op_parallelism is not None:
            limit = convert_to_tensor(threading_options.max_intra_op_parallelism, int64, name="max_intra_op_parallelism")
            dataset = dataset._unary("ExperimentalMaxIntraOpParallelismDataset", max_intra_op_parallelism=limit)
        if threading_options.private_threadpool_size is not None:
            size = convert_to_tensor(threading_options.private_threadpool_size, int64, name="num_threads")
            dataset = dataset._unary("ExperimentalPrivateThreadPoolDataset", num_threads=size)
        optimizations = options.optimizations()
        if optimizations and not self._captures_variables():
            names = convert_to_tensor(optimizations, string, name="optimizations")
            dataset = dataset._unary("OptimizeDataset", optimizations=names, optimization_configs=options.optimization_configs())
        if options.experimental_optimization.autotune is not False:
            dataset = dataset._unary("ModelDataset", cpu_budget=options.experimental_optimization.autotune_cpu_budget or 0)
        return dataset

    def make_one_shot_iterator(self) -> Any:
        """An iterator that needs no initializer, and cannot take placeholders or variables."""
        from runtime.tf1.data.iterator_ops import Iterator as DatasetIterator

        def factory() -> list[Any]:
            return [self._applied()._variant_tensor]

        try:
            func, _, _ = function.build("make_dataset", factory, [], by_value=True)
        except ValueError as e:
            if "Cannot capture a stateful node" in str(e):
                raise ValueError(
                    "Failed to create a one-shot iterator for a dataset. `Dataset.make_one_shot_iterator()` does not support datasets that capture stateful objects, such as a "
                    f"`Variable` or `LookupTable`. In these cases, use `Dataset.make_initializable_iterator()`. (Original error: {e})"
                ) from None
            raise
        attrs = st.flat_attrs(self.element_spec)
        return DatasetIterator(apply_op("OneShotIterator", None, dataset_factory=func, **attrs), None, self.element_spec)

    def make_initializable_iterator(self, shared_name: str | None = None) -> Any:
        """An iterator that starts when its initializer runs."""
        from runtime.tf1.data.iterator_ops import Iterator as DatasetIterator

        dataset = self._applied()
        handle = apply_op("IteratorV2", None, container="", shared_name=shared_name or "", **st.flat_attrs(self.element_spec))
        with get_default_graph().colocate_with(handle.op):
            initializer = apply_op("MakeIterator", None, dataset=dataset._variant_tensor, iterator=handle)
        return DatasetIterator(handle, initializer, self.element_spec)


class VariantDataset(Dataset):
    """A dataset that a variant tensor is."""

    def __init__(self, variant_tensor: Any, spec: Any) -> None:
        super().__init__(variant_tensor, spec)


def _inner(f: StructuredFunction, what: str) -> Any:
    """The elements of the dataset that a function gives."""
    if not isinstance(f.output_structure, DatasetSpec):
        raise TypeError(f"`map_func` must return a `Dataset` object. Got {f.output_structure!r} in {what}.")
    return f.output_structure.element_spec


def _size(tensor: Any) -> int | None:
    found = constant_value(tensor)
    return None if found is None else int(found)


def _is_true(tensor: Any) -> bool:
    found = constant_value(tensor)
    return found is not None and bool(found)


def fixed_state(
    func: Any, label: str, spec: Any, inputs: Callable[[Any], Any], state_of: Callable[[Any], Any] = lambda out: out
) -> tuple[StructuredFunction, Any]:
    """A function from states to states, and the structure of a state: static shapes are given up until they stay the same."""
    while True:
        f = StructuredFunction(func, label, inputs(spec))
        new = state_of(f.output_structure)
        try:
            pairs = list(zip(st.flatten(spec), st.flatten(new), strict=True))
            st.check_same(spec, new)
        except ValueError as e:
            raise TypeError(f"The structure of the new state must match the initial state. Expected {spec}; got {new}.") from e
        for old, got in pairs:
            if type(old) is not type(got):
                raise TypeError(
                    f"The element classes for the new state must match the initial state. Expected {st.legacy(spec)[2]}; got {st.legacy(new)[2]}."
                )
            if old.dtype is not got.dtype:
                raise TypeError(
                    f"The element types for the new state must match the initial state. Expected {st.legacy(spec)[0]}; got {st.legacy(new)[0]}."
                )
        general = st.pack(spec, [st.most_general(old, got) for old, got in pairs])
        if all(
            a.shape.as_list() == b.shape.as_list()
            if a.shape.ndims is not None and b.shape.ndims is not None
            else a.shape.ndims == b.shape.ndims
            for a, b in zip(st.flatten(general), st.flatten(spec), strict=True)
        ):
            return f, spec
        spec = general


def _padded_shapes(spec: Any, padded_shapes: Any) -> list[Any]:
    """The padded shapes as int64 vectors; -1 where the longest of a batch decides."""
    flat = st.flatten(spec)
    given = _up_to(spec, padded_shapes)
    found = []
    for s, shape in zip(flat, given, strict=True):
        try:
            dims = as_shape(shape).as_list()
            tensor = convert_to_tensor(np.array([-1 if d is None else d for d in dims], np.int64), int64)
            known = TensorShape(dims)
        except (TypeError, ValueError):
            tensor = convert_to_tensor(shape, preferred_dtype=int64)
            if tensor.dims is not None and len(tensor.dims) != 1:
                raise ValueError(
                    f"Padded shape {shape} must be a 1-D tensor of tf.int64 values, but its shape was {tensor.shape}."
                ) from None
            if tensor.dtype is not int64:
                raise TypeError(
                    f"Padded shape {shape} must be a 1-D tensor of tf.int64 values, but its element type was {tensor.dtype.name}."
                ) from None
            known = TensorShape(constant_as_shape(tensor))
        if s.shape.ndims is not None and known.ndims is not None:
            if s.shape.ndims != known.ndims or any(
                p is not None and d is not None and p < d for p, d in zip(known.as_list(), s.shape.as_list(), strict=True)
            ):
                raise ValueError(f"The padded shape {known} is not compatible with the corresponding input component shape {s.shape}.")
        found.append(tensor)
    return found


def _up_to(spec: Any, value: Any) -> list[Any]:
    return st.flatten_up_to(spec, value)


def _padding_values(spec: Any, types: list[Any], padding_values: Any) -> list[Any]:
    if padding_values is None:
        given: list[Any] = [b"" if t is string else np.zeros((), t.as_numpy_dtype) for t in types]
    elif not st.is_sequence(padding_values) and st.is_sequence(spec):
        given = [padding_values] * len(types)
    else:
        given = _up_to(spec, padding_values)
    found = []
    for value, dtype in zip(given, types, strict=True):
        tensor = convert_to_tensor(value, name="padding_value")
        if tensor.dims not in ((), None):
            raise ValueError(f"Padding value should be a scalar, but is not: {value}")
        if tensor.dtype is not dtype:
            raise TypeError(f"Padding value tensor ({value}) does not match output type: {dtype}")
        found.append(tensor)
    return found


class _Generators:
    """The generators of the passes over a dataset, by number."""

    def __init__(self, generator: Callable[..., Any]) -> None:
        self._generator = generator
        self._lock = threading.Lock()
        self._next = 0
        self._arguments: dict[int, tuple[Any, ...]] = {}
        self._running: dict[int, Any] = {}

    def start(self, *args: Any) -> Any:
        with self._lock:
            number = self._next
            self._next += 1
        self._arguments[number] = args
        return np.array(number, np.int64)

    def next(self, number: Any) -> Any:
        number = int(number)
        if number not in self._running:
            self._running[number] = iter(self._generator(*self._arguments.pop(number)))
        return next(self._running[number])

    def finish(self, number: Any) -> Any:
        self._running.pop(int(number), None)
        return np.array(0, np.int64)


def _from_generator(generator: Any, spec: Any, args: tuple[Any, ...]) -> Dataset:
    from runtime.tf1.logging_ops import numpy_function

    state = _Generators(generator)
    specs = st.flatten(spec)
    types = [s.dtype for s in specs]

    def start(unused: Any) -> Any:
        return numpy_function(state.start, list(args), int64)

    def advance(number: Any) -> Any:
        values = numpy_function(lambda n: _checked_row(state.next(n), spec, specs), [number], types)
        values = list(values) if isinstance(values, list | tuple) else [values]
        for value, s in zip(values, specs, strict=True):
            value.set_shape(s.shape)
        return st.pack(spec, values)

    def finish(number: Any) -> Any:
        return numpy_function(state.finish, [number], int64)

    def rows(dummy: Any) -> Dataset:
        given = st.structure_of(dummy)
        init = StructuredFunction(start, "Dataset.from_generator()", given)
        step = StructuredFunction(advance, "Dataset.from_generator()", init.output_structure)
        last = StructuredFunction(finish, "Dataset.from_generator()", init.output_structure)
        variant = make(
            "GeneratorDataset", step.output_structure, init_func_other_args=[dummy, *init.captured], next_func_other_args=step.captured, finalize_func_other_args=last.captured,
            init_func=init.func, next_func=step.func, finalize_func=last.func,
        )  # fmt: skip
        return Dataset(variant, step.output_structure)

    return Dataset.from_tensors(0).flat_map(rows)


def _checked_row(element: Any, spec: Any, specs: list[Any]) -> list[Any]:
    """What a generator yielded as arrays. Raises TypeError or ValueError where it does not fit what was promised."""
    try:
        values = st.flatten_up_to(spec, element)
    except (TypeError, ValueError):
        types = st.legacy(spec)[0]
        raise TypeError(
            f"`generator` yielded an element that did not match the expected structure. The expected structure was {types}, but the yielded element was {element}."
        ) from None
    made = []
    for value, s in zip(values, specs, strict=True):
        try:
            array = _converted(value, s.dtype)
        except (TypeError, ValueError):
            raise TypeError(
                f"`generator` yielded an element that could not be converted to the expected type. The expected type was {s.dtype.name}, but the yielded element was {value}."
            ) from None
        if not s.shape.is_compatible_with(array.shape):
            raise ValueError(f"`generator` yielded an element of shape {array.shape} where an element of shape {s.shape} was expected.")
        made.append(array)
    return made


def _converted(value: Any, dtype: Any) -> Any:
    if dtype is string:
        array = np.asarray(value, object)
        flat = [v.encode() if isinstance(v, str) else v for v in array.ravel().tolist()]
        if not all(isinstance(v, bytes) for v in flat):
            raise TypeError(f"Expected strings, got {value!r}.")
        made = np.empty(len(flat), object)
        made[:] = flat
        return made.reshape(array.shape)
    return np.asarray(value, dtype=as_dtype(dtype).as_numpy_dtype, order="C")


@export("data.get_output_types")
def get_output_types(dataset_or_iterator: Any) -> Any:
    return st.legacy(dataset_or_iterator.element_spec)[0]


@export("data.get_output_shapes")
def get_output_shapes(dataset_or_iterator: Any) -> Any:
    return st.legacy(dataset_or_iterator.element_spec)[1]


@export("data.get_output_classes")
def get_output_classes(dataset_or_iterator: Any) -> Any:
    return st.legacy(dataset_or_iterator.element_spec)[2]


@export("data.make_one_shot_iterator")
def make_one_shot_iterator(dataset: Dataset) -> Any:
    return dataset.make_one_shot_iterator()


@export("data.make_initializable_iterator")
def make_initializable_iterator(dataset: Dataset, shared_name: str | None = None) -> Any:
    return dataset.make_initializable_iterator(shared_name)
