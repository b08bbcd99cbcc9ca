"""Upgrades Python source written for TensorFlow 0.x and 1.x."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from migrate.report.report import Report
    from migrate.upgrade import Upgrade

__all__ = ["rule_manual", "upgrade_source", "upgrade_tree"]


def upgrade_source(source: str, *, target: Literal["1", "2"] = "2", filename: str = "<string>", **options: Any) -> Upgrade:
    """Upgrade one file's text: .code and .findings."""
    from migrate import upgrade  # LibCST is only loaded by those who upgrade

    return upgrade.upgrade_source(source, target=target, filename=filename, **options)


def upgrade_tree(
    src: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    dst: str | os.PathLike[str] | None = None,
    *,
    target: Literal["1", "2"] = "2",
    jobs: int | None = None,
    **options: Any,
) -> Report:
    """Upgrade files and folders: into `dst`, or with in_place=True where they are, or only to be reported."""
    from migrate import tree

    return tree.upgrade_tree(src, dst, target=target, jobs=jobs, **options)


def rule_manual() -> str:
    """docs/rules.md: every rule with its examples as diffs."""
    from migrate.report import to_manual
    from migrate.rule import load

    return to_manual.to_manual(load())
