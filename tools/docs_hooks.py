"""What mkdocs asks of us: the pages that programs make (gallery, commands, Python, coverage), and the files of the repository that are pages too."""

from __future__ import annotations

import dataclasses
import enum
import html
import importlib
import inspect
import re
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

import gallery  # noqa: E402

# Package -> the classes that its functions give back, described after them.
RETURNED = {"migrate": ("migrate.upgrade.Upgrade", "migrate.report.report.Report", "migrate.report.finding.Finding")}

# Files of the repository that are pages of the site -> their names there.
PAGES = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}


def on_config(config: Any) -> Any:
    """List the gallery's pages in the navigation, and watch what the pages are made of."""
    for entry in config.nav:
        if "Gallery" in entry:
            entry["Gallery"] = ["gallery/index.md", *({f"{p.section}. {short(p)}": f"gallery/{p.name}.md"} for p in gallery.programs())]
    return config


def short(program: gallery.Program) -> str:
    words = program.name.partition("_")[2].replace("_", " ")
    names = {
        "mnist": "MNIST",
        "cnn": "CNN",
        "csv": "CSV",
        "xla": "XLA",
        "tensorboard": "TensorBoard",
        "tensorflow": "TensorFlow",
        "keras": "Keras",
    }
    names |= {
        "tflearn": "TFLearn",
        "vgg16": "VGG16",
        "deepdream": "DeepDream",
        "wavenet": "WaveNet",
        "python": "Python",
        "inception": "Inception",
    }
    words = " ".join(names.get(w, w) for w in words.split())
    return words[0].upper() + words[1:]


def on_files(files: Any, config: Any) -> Any:
    from mkdocs.structure.files import File

    def add(name: str, **content: Any) -> None:
        files.append(File.generated(config, name, **content))

    add("gallery/index.md", content=gallery.index(gallery.programs()))
    for program in gallery.programs():
        add(f"gallery/{program.name}.md", content=gallery.page(program))
        for page in ("graph.html", "profile.html"):
            kept = gallery.KEPT / program.name / page
            if kept.exists():
                add(f"gallery/{program.name}/{page}", abs_src_path=str(kept))
    add("reference/commands.md", content=commands())
    add("reference/python.md", content=python())
    add("reference/coverage.md", content=coverage())
    for source, name in PAGES.items():
        add(name, content=(ROOT / source).read_text(encoding="utf-8").replace("](docs/", "]("))
    return files


# -- commands --------------------------------------------------------------------------------------------------------


def commands() -> str:
    """Every command with its options, from the functions that are the commands."""
    from runtime.cli import app

    out = ["# Commands\n", "Printed from the commands; `tfrevive COMMAND --help` says the same in a terminal.\n"]
    for command in app.registered_commands:
        function: Any = command.callback
        out.append(f"## tfrevive {command.name}\n")
        out += [paragraph(p) for p in re.split(r"\n\s*\n", inspect.getdoc(function) or "")]
        hints = typing.get_type_hints(function, include_extras=True)
        rows = [row(p, hints[p.name]) for p in inspect.signature(function).parameters.values()]
        out.append("| | |\n|---|---|\n" + "\n".join(r for r in rows if r) + "\n")
    return "\n".join(out)


def paragraph(text: str) -> str:
    text = " ".join(text.split())
    if text.startswith("Example:"):
        return f"```sh\n{text.removeprefix('Example:').strip()}\n```\n"
    return text.replace("<", "&lt;") + "\n"


def row(parameter: inspect.Parameter, hint: Any) -> str:
    """A line of a command's table; nothing for a hidden option."""
    from typer.models import ArgumentInfo, OptionInfo

    kind, *marks = typing.get_args(hint)
    info: Any = next(m for m in marks if isinstance(m, ArgumentInfo | OptionInfo))
    if info.hidden:
        return ""
    kinds = [k for k in typing.get_args(kind) if k is not type(None)] or [kind]
    if isinstance(info, ArgumentInfo):
        names = [code(info.metavar or parameter.name.upper())]
    else:
        declared = [d for d in (info.default, *(info.param_decls or ())) if isinstance(d, str) and d.startswith("-")]
        names = [code(n) for decl in declared or [f"--{parameter.name.replace('_', '-')}"] for n in decl.split("/")]
        if bool not in kinds:
            names.append(code(info.metavar or value_name(kinds[0])))
    default = parameter.default
    plain = isinstance(default, str | int | float) and not isinstance(default, bool) and "default" not in (info.help or "")
    said = html.escape(info.help or "", quote=False).replace("|", "&#124;")
    return f"| {' '.join(names)} | {said}{f' Default: {code(str(default))}.' if plain else ''} |"


def code(text: str) -> str:
    return f"<code>{html.escape(text, quote=False).replace('|', '&#124;<wbr>')}</code>"


def value_name(kind: Any) -> str:
    """What an option's value is called where the option does not say."""
    if typing.get_origin(kind) is typing.Literal:
        return "|".join(map(str, typing.get_args(kind)))
    if typing.get_origin(kind) is list:
        return value_name(typing.get_args(kind)[0])
    if inspect.isclass(kind) and issubclass(kind, enum.Enum):
        return "|".join(str(m.value) for m in kind)
    return {"Path": "PATH", "str": "TEXT", "int": "N", "float": "NUMBER"}.get(kind.__name__, kind.__name__.upper())


# -- Python ----------------------------------------------------------------------------------------------------------


def python() -> str:
    """The public names of the three packages, from their docstrings."""
    out = ["# Python\n", "Three packages, each with few public names. Errors are at the end.\n"]
    for module_name in ("migrate", "graphtools", "runtime"):
        module = importlib.import_module(module_name)
        out.append(f"## {module_name}\n\n{inspect.getdoc(module)}\n")
        for name in module.__all__:
            out += described(f"{module_name}.{name}", getattr(module, name), 3)
        for name in RETURNED.get(module_name, ()):
            home, _, own = name.rpartition(".")
            out += described(own, getattr(importlib.import_module(home), own), 3)
    from graphtools import errors as graph_errors
    from migrate.source import SourceError
    from runtime import errors as run_errors

    out.append(
        "## Errors\n\n`runtime.errors` has TensorFlow's own classes (`tf.errors`), which legacy scripts catch.\n\n| class | is a | means |\n|---|---|---|"
    )
    classes = [c for c in vars(graph_errors).values() if inspect.isclass(c) and c.__module__ == graph_errors.__name__]
    classes += [
        SourceError,
        *(c for c in vars(run_errors).values() if inspect.isclass(c) and issubclass(c, Exception) and not c.__name__.startswith("_")),
    ]
    for c in classes:
        doc = " ".join((c.__dict__.get("__doc__") or "").split())
        out.append(f"| `{c.__module__}.{c.__name__}` | {c.__bases__[0].__name__.lstrip('_')} | {doc} |")
    return "\n".join(out) + "\n"


def described(title: str, thing: Any, level: int) -> Iterator[str]:
    name = title.rpartition(".")[2]
    yield f"{'#' * level} {title}\n"
    if not inspect.isclass(thing) or dataclasses.is_dataclass(thing) or "__init__" in vars(thing):
        yield f"```python\n{'class ' if inspect.isclass(thing) else ''}{name}{signature(thing)}\n```\n"
    yield docstring(thing)
    if inspect.isclass(thing):
        for method, member in vars(thing).items():
            if method.startswith("_") or not (inspect.isfunction(member) or isinstance(member, property)):
                continue
            if isinstance(member, property):
                given = inspect.signature(member.fget).return_annotation if member.fget else "Any"
                yield f"`{name}.{method}: {given}`\n\n{docstring(member)}"
            else:
                yield f"```python\n{name}.{method}{signature(member)}\n```\n"
                yield docstring(member)


def signature(thing: Any) -> str:
    """(parameters) -> result, as written in the source; one parameter a line where that is long."""
    try:
        found = inspect.signature(thing)
    except (TypeError, ValueError):
        return "(...)"
    words: list[str] = []
    for p in found.parameters.values():
        if p.name == "self":
            continue
        if p.kind is p.KEYWORD_ONLY and not any(w.startswith("*") for w in words):
            words.append("*")
        stars = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        hint = (
            ""
            if p.annotation is p.empty
            else f": {p.annotation if isinstance(p.annotation, str) else inspect.formatannotation(p.annotation)}"
        )
        value = "" if p.default is p.empty else f"{' = ' if hint else '='}{p.default!r}"
        words.append(stars + p.name + hint + value)
    result = found.return_annotation
    given = (
        ""
        if result is found.empty or inspect.isclass(thing)
        else f" -> {result if isinstance(result, str) else inspect.formatannotation(result)}"
    )
    line = f"({', '.join(words)}){given}".replace("os.PathLike[str]", "PathLike")
    return line if len(line) < 80 else "(\n    " + ",\n    ".join(words).replace("os.PathLike[str]", "PathLike") + f",\n){given}"


def docstring(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").replace("<", "&lt;") + "\n"


# -- coverage --------------------------------------------------------------------------------------------------------


def coverage() -> str:
    """Which names of TensorFlow 1.15 work, by module."""
    from runtime.tf1.coverage import coverage as counted

    rows = counted()
    names, here = sum(r[1] for r in rows), sum(r[2] for r in rows)
    out = ["# TensorFlow 1.15's API\n"]
    out.append(
        f"{here:,} of the {names:,} classes and functions of TensorFlow 1.15 work under `tfrevive run` ({100 * here / names:.1f}%), counted under every public name. "
        "One that does not raises NotImplementedError when it is used, not when it is imported. `tfrevive run --coverage` prints this table.\n"
    )
    out.append("| module | works | of | not yet |\n|---|---:|---:|---|")
    for place, total, works, missing in rows:
        lacking = ", ".join(f"`{html.escape(n.rpartition('.')[2])}`" for n in missing[:12]) + (
            f" and {len(missing) - 12} more" if len(missing) > 12 else ""
        )
        out.append(f"| `{place}` | {works} | {total} | {lacking} |")
    return "\n".join(out) + "\n"
