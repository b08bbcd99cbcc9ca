"""Commands of Typer that start sooner: what is plain on a command line is taken without Typer's validation, which loads pydantic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from typer.core import TyperCommand, TyperGroup

# What the text of these parameters stands for; the others are text, lists of it, or flags.
TYPES: dict[str, Any] = {
    "after": int,
    "atol": float,
    "checkpoint": Path,
    "html": Path,
    "model": Path,
    "output": Path,
    "rtol": float,
    "tensorboard": Path,
    "verify": Path,
    "weights": Path,
}


class Command(TyperCommand):
    """A command whose parameters are all in TYPES, text, lists of text, or flags."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        params = self._plain(ctx, list(args))
        if params is None:  # help is asked for, or something is wrong: Typer says what
            return super().parse_args(ctx, args)
        ctx.params.update(params)
        ctx.args = []
        return []

    def _plain(self, ctx: Any, args: list[str]) -> dict[str, Any] | None:
        try:
            given, rest, _ = self.make_parser(ctx).parse_args(args=args)
            if rest or ctx.resilient_parsing:
                return None
            params: dict[str, Any] = {}
            for param in self.get_params(ctx):
                value = given.get(param.name)
                if param.name == "help":
                    if value:
                        return None
                    continue
                if not isinstance(value, str | bool | list | tuple):
                    if param.required:
                        return None
                    params[param.name] = param.get_default(ctx)
                else:
                    convert = TYPES.get(param.name)
                    params[param.name] = value if convert is None else convert(value)
        except Exception:
            return None
        return params


class Group(TyperGroup):
    """The commands; their group's own options are looked at only where the command line starts with one."""

    _starts_with_command = False

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        self._starts_with_command = bool(args) and not args[0].startswith("-") and not ctx.resilient_parsing
        try:
            return super().parse_args(ctx, args)
        finally:
            self._starts_with_command = False

    def get_params(self, ctx: Any) -> list[Any]:
        return [] if self._starts_with_command else super().get_params(ctx)


__all__ = ["Command", "Group"]
