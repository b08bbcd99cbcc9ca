"""Names of numpy that scripts of 2015-2019 use and numpy has no more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import libcst as cst

from migrate.names import Names
from migrate.rule import Context, Example, Match, rule

NP: Final = "import numpy as np\nimport tensorflow as tf\n"

# Python's types under numpy's name, gone since numpy 1.24
TYPES: Final = {"bool": "bool", "complex": "complex", "float": "float", "int": "int", "object": "object", "str": "str", "unicode": "str"}


@rule(
    "numpy-name",
    "Use Python's types and tobytes() for numpy's lost names.",
    since="0.5",
    visits=cst.Module,
    order=20,
    why="np.float and its like went with numpy 1.24, tostring() with 2.3; the new names work with every numpy since 1.9.",
    examples=[
        Example(NP + "x = tf.constant(np.zeros(3, np.float))\n", NP + "x = tf.constant(np.zeros(3, float))\n"),
        Example(NP + "b = image.astype(np.uint8).tostring()\n", NP + "b = image.astype(np.uint8).tobytes()\n"),
        Example(NP + "x = np.float32(1)\n", None),
        Example(NP + "def f(float):\n    return np.float(float)\n", None, "the name is taken"),
        Example(NP + "text = etree.tostring(root)\n", None, "another function"),
    ],
)
def numpy_name(node: cst.Module, names: Names, context: Context) -> Iterator[Match]:
    for old, new in TYPES.items():
        for use in names.attributes.get(old, ()):
            if names.module_of(use) == f"numpy.{old}" and names.scope_of(use).lookup(new) is None and not names.is_guarded(use):
                yield Match(use, f"numpy has no {old} any more: it was Python's {new}", cst.Name(new))
    for use in names.attributes.get("tostring", ()):
        call = names.call_of(use)
        if call is not None and not call.args and names.symbol(use) is None:
            yield Match(use, "arrays have no tostring() any more: tobytes() is the same", use.with_changes(attr=cst.Name("tobytes")))
