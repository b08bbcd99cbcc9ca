"""tf.float32 and the other dtypes, and the version constants."""

from __future__ import annotations

from graphtools import dtypes
from runtime.tf1.registry import put

for _dtype in dtypes.DTYPES:
    put(_dtype.name, _dtype)
    put(f"{_dtype.name}_ref", _dtype.as_ref)
put("half", dtypes.float16)
put("double", dtypes.float64)
put("DType", dtypes.DType)
put("as_dtype", dtypes.as_dtype)
put("QUANTIZED_DTYPES", frozenset(t for d in dtypes.DTYPES if d.is_quantized for t in (d, d.as_ref)))

put("__version__", "1.15.5")
put("VERSION", "1.15.5")
put("GIT_VERSION", "tfrevive")
put("__git_version__", "tfrevive")
put("COMPILER_VERSION", "")
put("__compiler_version__", "")
put("GRAPH_DEF_VERSION", 134)
put("GRAPH_DEF_VERSION_MIN_CONSUMER", 0)
put("GRAPH_DEF_VERSION_MIN_PRODUCER", 0)
put("CXX11_ABI_FLAG", 0)
put("MONOLITHIC_BUILD", 0)
