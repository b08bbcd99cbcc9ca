"""Dump the OpDefs of the TensorFlow it runs in, or merge such dumps into graphtools/opdefs.json.gz.

python dump_opdefs.py dump OUT.json.gz             # inside a TensorFlow
python dump_opdefs.py merge OUT.json.gz DUMP...    # earlier files win; ops the earlier ones lack come from the later ones
"""

from __future__ import annotations

import gzip
import json
import sys


def load_contrib() -> None:
    """Register the ops of tf.contrib, which come in libraries of their own."""
    import pathlib

    import tensorflow as tf

    for library in sorted(lib for path in tf.__path__ for lib in pathlib.Path(path).glob("contrib/*/python/ops/_*.so")):
        try:
            tf.load_op_library(str(library))
        except (tf.errors.OpError, RuntimeError) as e:  # one made for other machines
            print(library, e, file=sys.stderr)


def dump(out: str) -> None:
    from google.protobuf import json_format
    from tensorflow.core.framework import types_pb2
    from tensorflow.python.framework import op_def_registry

    load_contrib()
    ops = op_def_registry.get_registered_ops() if hasattr(op_def_registry, "get_registered_ops") else op_def_registry._registered_ops

    def arg(a):
        names = ["name", "type_attr", "number_attr", "type_list_attr"]
        entry = {n: getattr(a, n) for n in names if getattr(a, n)}
        if a.type:
            entry["type"] = types_pb2.DataType.Name(a.type)
        if a.is_ref:
            entry["is_ref"] = True
        return entry

    def attr(a):
        entry = {"name": a.name, "type": a.type}
        if a.HasField("default_value"):
            entry["default"] = value(a.default_value)
        if a.HasField("allowed_values"):
            entry["allowed"] = value(a.allowed_values)
        if a.has_minimum:
            entry["minimum"] = a.minimum
        return entry

    def value(v):
        kind = v.WhichOneof("value")
        if kind == "type":
            return types_pb2.DataType.Name(v.type)
        if kind == "s":
            return v.s.decode("utf-8")
        if kind == "list":
            if v.list.type:
                return [types_pb2.DataType.Name(t) for t in v.list.type]
            return [x.decode("utf-8") if isinstance(x, bytes) else x for f, xs in v.list.ListFields() for x in xs]
        if kind == "shape":
            return {"shape": None if v.shape.unknown_rank else [d.size for d in v.shape.dim]}
        if kind in ("tensor", "func"):
            return json_format.MessageToDict(getattr(v, kind), preserving_proto_field_name=True)
        return getattr(v, kind) if kind else None

    result = {}
    for name, op in sorted(ops.items()):
        entry = {"inputs": [arg(a) for a in op.input_arg], "outputs": [arg(a) for a in op.output_arg], "attrs": [attr(a) for a in op.attr]}
        for flag in ("is_stateful", "is_aggregate", "is_commutative"):
            if getattr(op, flag):
                entry[flag] = True
        if op.HasField("deprecation"):
            entry["deprecation"] = {"version": op.deprecation.version, "explanation": op.deprecation.explanation}
        result[name] = entry
    with gzip.open(out, "wt") as f:
        json.dump(result, f)


def merge(out: str, dumps: list[str]) -> None:
    merged: dict[str, object] = {}
    for path in dumps:
        with gzip.open(path, "rt") as f:
            for name, entry in json.load(f).items():
                merged.setdefault(name, entry)
    with open(out, "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as f:
        f.write(json.dumps(dict(sorted(merged.items())), separators=(",", ":"), sort_keys=True).encode())


if __name__ == "__main__":
    command, out, *rest = sys.argv[1:]
    dump(out) if command == "dump" else merge(out, rest)
