"""The subcommands `upgrade` and `check`: options in, one call, one report out."""

from __future__ import annotations

import dataclasses
import enum
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import typer

from migrate.report.output import Progress, check_folder, check_place, stop, write_whole

if TYPE_CHECKING:
    from migrate.report.report import Report
    from migrate.tree import Options


class Format(enum.StrEnum):
    """How a report is written."""

    text = "text"
    lines = "lines"
    json = "json"
    sarif = "sarif"
    github = "github"
    junit = "junit"
    html = "html"


class Version(enum.StrEnum):
    one = "1"
    two = "2"


class WrittenFor(enum.StrEnum):
    auto = "auto"
    zero = "0"
    one = "1"


Sources = Annotated[list[str], typer.Argument(metavar="SRC...", help="Files, notebooks and folders.")]
To = Annotated[
    Version | None, typer.Option("--to", help="1: what TensorFlow 1.15 and `tfrevive run` run. 2: today's TensorFlow 2. [default: 2]")
]
From = Annotated[
    WrittenFor | None, typer.Option("--from", help="What the source was written for; auto: decided by evidence. [default: auto]")
]
Jobs = Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="Files at a time. [default: as many as there are cores]")]
Include = Annotated[list[str] | None, typer.Option("--include", help="Only upgrade paths that match this glob; may be repeated.")]
Exclude = Annotated[list[str] | None, typer.Option("--exclude", help="Leave out paths that match this glob; may be repeated.")]
Ignore = Annotated[list[str] | None, typer.Option("--ignore", metavar="RULE", help="Switch a rule off; may be repeated.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors, and what was asked for.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say what is done, and how long it takes.")]
AsJson = Annotated[bool, typer.Option("--json", help="The same as --format json.")]
Gitignore = Annotated[bool | None, typer.Option("--gitignore/--no-gitignore", help="Leave out what .gitignore names. [default: gitignore]")]


def register(app: typer.Typer) -> None:
    """Add the subcommands to the command line."""
    app.command("upgrade")(upgrade)
    app.command("check")(check)


def upgrade(
    sources: Sources,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Mirror the sources here; everything else is copied.")] = None,
    in_place: Annotated[bool, typer.Option("--in-place", "-i", help="Replace the files.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Print what would change, write nothing.")] = False,
    to: To = None,
    written_for: From = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="Write the report to this file (its format follows from .json .sarif .html .xml).")
    ] = None,
    format: Annotated[Format | None, typer.Option("--format", help="The report's format.")] = None,
    jobs: Jobs = None,
    include: Include = None,
    exclude: Exclude = None,
    ignore: Ignore = None,
    gitignore: Gitignore = None,
    all_python: Annotated[bool, typer.Option("--all-python", help="Also move files without TensorFlow from Python 2 to Python 3.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Upgrade TensorFlow 0.x and 1.x source: files, notebooks, folders.

    Example: tfrevive upgrade old_project -o new_project --report report.html

    Exit status: 0 done, 1 a person has something left to do, 2 something could not be read.
    """
    from migrate import tree

    if sum((out is not None, in_place, diff)) > 1:
        stop("say one of --out, --in-place and --diff", 2)
    if not (out or in_place or diff or report):
        stop("nowhere to write: give --out OUT, --in-place, --diff, or --report FILE to only report", 2)
    format = Format.json if as_json else format
    kind = format or _format_of(report)
    _check_sources(sources)
    _check_places(sources, out, report)
    options, settings = _options(sources, to, written_for, include, exclude, ignore, gitignore, keep_texts=diff or kind is Format.html)
    if all_python:
        options = dataclasses.replace(options, all_python=True)
    with Progress(quiet or diff) as progress:
        result = _run(
            lambda: tree.upgrade_tree(
                sources, out, in_place=in_place, jobs=jobs or settings.get("jobs"), options=options, progress=progress
            )
        )
    if diff:
        sys.stdout.write(_diffs(result))
    if report is not None:
        _run(lambda: _write_report(report, render(result, kind)))
    elif format is not None and not diff:
        sys.stdout.write(render(result, kind))
    _say_what_happened(result, sources, quiet, verbose)
    raise typer.Exit(result.upgrade_exit())


def check(
    sources: Annotated[list[str] | None, typer.Argument(metavar="SRC...", help="Files, notebooks and folders.")] = None,
    to: To = None,
    written_for: From = None,
    format: Annotated[Format, typer.Option("--format", help="How findings are printed.")] = Format.text,
    output: Annotated[Path | None, typer.Option("--output", help="Write to this file instead of the terminal.")] = None,
    baseline: Annotated[Path | None, typer.Option("--baseline", help="Known findings, which do not count.")] = None,
    write_baseline: Annotated[Path | None, typer.Option("--write-baseline", help="Note all findings of now as known, and exit 0.")] = None,
    jobs: Jobs = None,
    include: Include = None,
    exclude: Exclude = None,
    ignore: Ignore = None,
    gitignore: Gitignore = None,
    list_rules: Annotated[bool, typer.Option("--list-rules", help="Print the rules and exit.")] = False,
    list_symbols: Annotated[
        bool, typer.Option("--list-symbols", help="Print what becomes of every symbol of TensorFlow 0.12 and 1.x, and exit.")
    ] = False,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no findings: the exit status says whether there are any.")] = False,
    verbose: Verbose = False,
) -> None:
    """Find legacy TensorFlow API without changing anything, for CI.

    Example: tfrevive check src --format sarif --output tensorflow.sarif

    Exit status: 0 clean, 1 legacy API found, 2 something could not be read.
    """
    from migrate import baseline as baselines
    from migrate import tree

    if list_rules:
        _list_rules(as_json)
    if list_symbols:
        _list_symbols((to or Version.two).value, as_json)
    if not sources:
        stop("nothing to check: name files or folders", 2)
    format = Format.json if as_json else format
    _check_sources(sources)
    _check_places(sources, None, output or write_baseline)
    options, settings = _options(sources, to, written_for, include, exclude, ignore, gitignore, keep_texts=format is Format.html)
    with Progress(quiet) as progress:
        result = _run(lambda: tree.upgrade_tree(sources, jobs=jobs or settings.get("jobs"), options=options, progress=progress))
    if write_baseline is not None:
        count = _run(lambda: baselines.write(result, write_baseline))
        if not quiet:
            print(f"{write_baseline}: {count} findings are known from now on", file=sys.stderr)
        raise typer.Exit(2 if result.has_unreadable else 0)
    known = baseline or (Path(settings["baseline"]) if "baseline" in settings else None)
    if known is not None:
        result = _run(lambda: baselines.without(result, baselines.read(known)))
    text = render(result, Format.lines if format is Format.text else format)
    if output is not None:
        _run(lambda: write_whole(output, text))
    elif not quiet:
        sys.stdout.write(text)
    _say_what_happened(result, sources, True, verbose and not quiet)
    raise typer.Exit(result.check_exit())


def render(report: Report, format: Format) -> str:
    """A report in one of the formats."""
    from importlib import import_module

    name = {"lines": "to_text", "text": "to_text"}.get(format.value, f"to_{format.value}")
    module = import_module(f"migrate.report.{name}")
    function: Callable[[Report], str] = getattr(module, "to_lines" if format is Format.lines else name)
    return function(report)


def _options(
    sources: list[str],
    to: Version | None,
    written_for: WrittenFor | None,
    include: list[str] | None,
    exclude: list[str] | None,
    ignore: list[str] | None,
    gitignore: bool | None,
    keep_texts: bool,
) -> tuple[Options, dict[str, Any]]:
    """Command line over pyproject.toml over defaults."""
    from migrate import config
    from migrate.tree import Options

    settings = _run(lambda: config.for_sources(sources))
    target = to.value if to is not None else settings.get("to", "2")
    origin = written_for.value if written_for is not None else settings.get("from", "auto")
    if target not in ("1", "2"):
        stop(f"to is {target!r} in pyproject.toml: expected '1' or '2'", 2)
    if origin not in ("auto", "0", "1"):
        stop(f"from is {origin!r} in pyproject.toml: expected 'auto', '0' or '1'", 2)
    disabled = frozenset([*(ignore or ()), *settings.get("ignore", ())])
    _check_rules(disabled)
    options = Options(
        target=cast(Any, target),
        written_for=cast(Any, origin),
        include=tuple(include or settings.get("include", ())),
        exclude=tuple(exclude or settings.get("exclude", ())),
        use_gitignore=gitignore if gitignore is not None else settings.get("gitignore", True),
        disabled=disabled,
        keep_texts=keep_texts,
    )
    return options, settings


def _check_rules(ids: frozenset[str]) -> None:
    if not ids:
        return
    from migrate.rule import load

    unknown = sorted(ids - {r.id for r in load()})
    if unknown:
        stop(f"there is no rule {', '.join(map(repr, unknown))}: `tfrevive check --list-rules` names them", 2)


def _run(call: Callable[[], Any]) -> Any:
    """Call, and turn what the user can correct into a message."""
    from migrate.baseline import BaselineError
    from migrate.config import ConfigError

    try:
        return call()
    except (BaselineError, ConfigError, OSError) as error:
        stop(str(error), 2)


# What a newcomer may name instead of source, by its ending.
MODELS: Final = frozenset({".ckpt", ".h5", ".hdf5", ".index", ".keras", ".meta", ".onnx", ".pb", ".pbtxt"})


def _check_sources(sources: list[str]) -> None:
    for name in sources:
        if Path(name).suffix.lower() in MODELS and Path(name).is_file():
            stop(f"{name!r} is a model, not source: see it with `tfrevive inspect {name}`, convert it with `tfrevive convert {name}`", 2)


def _check_places(sources: list[str], out: Path | None, report: Path | None) -> None:
    """Refuse places that cannot be written to, before the work is done."""
    if out is not None and any(out.resolve() == Path(s).resolve() for s in sources):
        stop(f"{out} is a source: name another place with --out, or replace the files with --in-place", 2)
    if report is not None:
        _run(lambda: check_place(report) if report.parent.is_dir() else check_folder(report.parent))
    if out is not None and any(Path(s).is_dir() for s in sources):
        _run(lambda: check_folder(out))


def _write_report(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text)


def _say_what_happened(result: Report, sources: list[str], quiet: bool, verbose: bool) -> None:
    """On stderr: what could not be read, a summary, and, when asked for, what each file is taken for."""
    from migrate.report.to_text import summary
    from migrate.tree import UNREADABLE

    if verbose:
        for file in result.files:
            reasons = f", written for {file.written_for}: {'; '.join(file.reasons)}" if file.reasons else ""
            print(f"{file.path}: {'without TensorFlow' if file.status == 'copied' else file.status}{reasons}", file=sys.stderr)
    if quiet:
        return
    for finding in result.findings:
        if finding.rule == UNREADABLE:
            print(f"{finding.location}: error: {finding.message}", file=sys.stderr)
    if not result.files:
        print(f"tfrevive: there is no .py or .ipynb file in {', '.join(map(repr, sources))}", file=sys.stderr)
    print(summary(result), file=sys.stderr)


def _format_of(report: Path | None) -> Format:
    suffix = report.suffix.lower() if report is not None else ""
    return {".json": Format.json, ".sarif": Format.sarif, ".html": Format.html, ".htm": Format.html, ".xml": Format.junit}.get(
        suffix, Format.text
    )


def _diffs(report: Report) -> str:
    import difflib

    out: list[str] = []
    for file in report.files:
        if file.before is None or file.after is None or file.before == file.after:
            continue
        before, after = file.before.splitlines(keepends=True), file.after.splitlines(keepends=True)
        for line in difflib.unified_diff(before, after, f"a/{file.path}", f"b/{file.path}"):
            out.append(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n")
    return "".join(out)


def _list_rules(as_json: bool) -> None:
    from migrate.rule import load

    rules = sorted(load(), key=lambda r: r.id)
    if as_json:
        _print_json([{"id": r.id, "summary": r.summary, "since": r.since} for r in rules])
    else:
        for rule in rules:
            print(f"{rule.id:<34} {rule.summary}")
    raise typer.Exit(0)


def _list_symbols(target: str, as_json: bool) -> None:
    from collections import Counter

    from migrate import symbols
    from migrate.symbols.verdicts import verdict

    names = sorted({n for v in ("0.12.1", "1.0.0", "1.4.0", "1.15.5") for n in symbols.names(v)})
    found = {name: verdict(name, cast(Any, target)) for name in names}
    if as_json:
        _print_json([{"symbol": n, "outcome": v.outcome, "name": v.name, "advice": v.advice} for n, v in found.items()])
        raise typer.Exit(0)
    for name, became in found.items():
        print(f"{name}\t{became.outcome}\t{became.name if became.name not in (None, name) else became.advice}")
    count = Counter(v.outcome for v in found.values())
    print(", ".join(f"{n} {outcome}" for outcome, n in count.most_common()), file=sys.stderr)
    raise typer.Exit(0)


def _print_json(value: Any) -> None:
    import json

    print(json.dumps(value, indent=1, ensure_ascii=False))
