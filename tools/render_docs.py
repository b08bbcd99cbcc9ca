"""Renders docs/ from the registries; with --check, fails when docs/ is not what they render."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


def pages() -> dict[str, str]:
    """File name below docs/ -> its text."""
    from graphtools.cli import coverage
    from migrate import rule_manual

    header = "# Ops\n\nPrinted from the registries by `python tools/render_docs.py`.\n\n"
    return {"ops.md": header + coverage() + "\n", "rules.md": rule_manual()}


def main() -> int:
    stale = []
    for name, text in pages().items():
        path = ROOT / "docs" / name
        if "--check" in sys.argv[1:]:
            if not path.exists() or path.read_text() != text:
                stale.append(name)
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    if stale:
        print(f"docs/{', docs/'.join(stale)} differ from what the registries render: run python tools/render_docs.py")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
