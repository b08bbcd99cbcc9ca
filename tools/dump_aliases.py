"""Dump which public names of the TensorFlow it runs in are one object: {name: the name that stands for all}.

    python dump_aliases.py OUT.json.gz      # inside TensorFlow 1.15

Names under contrib and compat are left out. The shortest name stands for its group, the first in order among equals.
"""

from __future__ import annotations

import gzip
import inspect
import json
import sys


def main(out: str) -> None:
    import tensorflow as tf

    groups: dict[int, list[str]] = {}
    keep = []
    seen = set()

    def visit(module: object, path: str) -> None:
        for name in dir(module):
            if name.startswith("_") or (not path and name in ("contrib", "compat", "python", "core", "examples", "tools")):
                continue
            try:
                value = getattr(module, name)
            except Exception:
                continue
            full = f"{path}.{name}" if path else name
            if inspect.ismodule(value):
                if "tensorflow" in value.__name__ and (id(value), full.count(".")) not in seen and full.count(".") < 6:
                    seen.add((id(value), full.count(".")))
                    visit(value, full)
            elif inspect.isfunction(value) or inspect.isclass(value):
                keep.append(value)
                groups.setdefault(id(value), []).append(full)

    visit(tf, "")
    aliases = {}
    for names in groups.values():
        best = min(names, key=lambda n: (n.count("."), len(n), n))
        aliases.update({n: best for n in names if n != best})
    with open(out, "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as f:
        f.write(json.dumps(dict(sorted(aliases.items())), separators=(",", ":")).encode())
    print(len(aliases), len(groups))


if __name__ == "__main__":
    main(sys.argv[1])
