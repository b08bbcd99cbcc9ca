"""Upgrades Python source written for TensorFlow 0.x and 1.x."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from migrate.upgrade import Upgrade

__all__ = ["upgrade_source", "upgrade_tree"]


def upgrade_source(source: str, *, target: Literal["1", "2"] = "2", filename: str = "<string>", **options: Any) -> Upgrade:
    """Upgrade one file's text: .code and .findings."""
    from migrate import upgrade  # LibCST is only loaded by those who upgrade

    return upgrade.upgrade_source(source, target=target, filename=filename, **options)
