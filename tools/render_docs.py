"""Renders docs/ and the README's table from the registries; with --check, fails when a file is not what they render."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

VERSIONS = ("0.12.1", "1.0.0", "1.4.0", "1.15.5")


def pages() -> dict[str, str]:
    """File name -> its text."""
    from graphtools.cli import coverage
    from migrate import rule_manual

    header = "# Ops\n\nPrinted from the registries by `python tools/render_docs.py`.\n\n"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    marked = re.compile(r"(<!-- begin coverage -->\n).*(<!-- end coverage -->)", re.DOTALL)
    return {
        "README.md": marked.sub(lambda m: m[1] + covered() + m[2], readme),
        "docs/ops.md": header + coverage() + "\n",
        "docs/rules.md": rule_manual(),
    }


def covered() -> str:
    """The README's table of what works. Shares are rounded down."""
    from graphtools import convert, gradients, shapes
    from migrate import symbols
    from migrate.rule import load
    from migrate.symbols.verdicts import verdict
    from runtime import host
    from runtime.tf1.coverage import coverage

    rules = load()
    names = sorted({n for v in VERSIONS for n in symbols.names(v)})
    rows = [
        ("rewrite rules", f"{len(rules)}, with {sum(len(r.examples) for r in rules)} tested examples"),
        *(
            (f"public names of 0.12 to 1.15 known, `--to {target}`", f"{len(names):,}, {_share(kept, len(names))} of them kept or replaced")
            for target in ("1", "2")
            for kept in [sum(verdict(n, target).outcome != "removed" for n in names)]
        ),
        ("ops that convert to ONNX", f"{len(convert.load())}"),
        ("ops that run in Python between ONNX segments", f"{len(host.load())}"),
        ("ops with shape functions, with gradients", f"{len(shapes.load())}, {len(gradients.load())}"),
    ]
    groups: dict[str, list[tuple[int, int]]] = {}
    for place, total, here, _ in coverage():
        group = next((g for g in ("tf.contrib", "tf.keras") if place == g or place.startswith(f"{g}.")), "tf")
        groups.setdefault(group, []).append((here, total))
    for group, label in (("tf", "`tf.*` without contrib and Keras"), ("tf.keras", "`tf.keras`"), ("tf.contrib", "`tf.contrib`")):
        here, total = (sum(c) for c in zip(*groups[group], strict=True))
        rows.append((f"functions and classes of TensorFlow 1.15 in the stand-in, {label}", f"{_share(here, total)} of {total:,}"))
    return "".join(f"| {what} | {count} |\n" for what, count in [("what", "how much"), ("---", "---"), *rows])


def _share(part: int, total: int) -> str:
    return f"{100 * part // total} %"


def main() -> int:
    stale = []
    for name, text in pages().items():
        path = ROOT / name
        if "--check" in sys.argv[1:]:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                stale.append(name)
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if stale:
        print(f"{', '.join(stale)} differ from what the registries render: run python tools/render_docs.py")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
