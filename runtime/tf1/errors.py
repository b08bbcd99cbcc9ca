"""tf.errors."""

from __future__ import annotations

from runtime import errors
from runtime.tf1.registry import put

put("errors.OpError", errors.OpError)
put("OpError", errors.OpError)
for _code, _class in errors.BY_CODE.items():
    put(f"errors.{_class.__name__}", _class)
    _constant = "".join(f"_{c}" if c.isupper() else c for c in _class.__name__.removesuffix("Error")).upper().lstrip("_")
    put(f"errors.{_constant}", _code)
put("errors.OK", 0)
