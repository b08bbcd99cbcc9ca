"""Runs a legacy script: upgraded in memory to TensorFlow 1.15's API, with the stand-in as `tensorflow`."""

from __future__ import annotations

import os
import sys
import traceback
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from graphtools.graph import Graph
    from migrate.source import SourceError

OnRun = Callable[[Any, Any, Any], None]


class _Stop(BaseException):
    """Ends a script after the runs that were asked for; a BaseException so that the script does not catch it."""


def run_script(
    path: str | os.PathLike[str],
    argv: Sequence[str] = (),
    *,
    device: str = "auto",
    on_run: OnRun | None = None,
    log_device_placement: bool = False,
    profile: Path | None = None,
    export: Path | None = None,
    allow_soft_placement: bool = False,
    quiet: bool = False,
) -> dict[str, Any]:
    """Execute a script of TensorFlow 0.x or 1.x; its globals.

    `on_run(fetches, feeds, results)` is called after each Session.run that the script makes. `profile` and `export` are
    folders to write a profile, or the graph, checkpoint and ONNX model, into; the profile's table is printed unless `quiet`. What the script raises is raised. Raises
    SourceError for a script that cannot be read.
    """
    import linecache

    from runtime import bygone, library
    from runtime.profile import Profiler
    from runtime.tf1 import client, importer, keras_package

    file = Path(path)
    code = _upgraded(file)
    compiled = compile(code, str(file), "exec")
    linecache.cache[str(file)] = (len(code), None, code.splitlines(keepends=True), str(file))
    module = types.ModuleType("__main__")
    module.__file__ = str(file)
    profiler = Profiler(profile) if profile is not None else None
    outer_argv, outer_path, outer_main, outer_options = sys.argv, list(sys.path), sys.modules.get("__main__"), dict(client.options)
    sys.argv = [str(file), *argv]
    sys.path.insert(0, str(file.resolve().parent))
    sys.modules["__main__"] = module
    client.options.update(device=device, log_device_placement=log_device_placement, profiler=profiler, soft_placement=allow_soft_placement)
    client.forget_defaults()
    if on_run is not None:
        client.observers.append(on_run)
    try:
        with (
            library.installed(file.parent),
            importer.installed(),
            bygone.restored(),
            keras_package.installed(),
            np.printoptions(legacy="1.25"),  # numbers print as in the script's time: False, not np.False_
        ):
            try:
                exec(compiled, module.__dict__)
            finally:
                if profiler is not None:
                    table = profiler.write(file.name).read_text()
                    if not quiet:
                        print(table, file=sys.stderr)
                if export is not None:
                    from runtime.export import export_graph

                    export_graph(client.sessions_made[-1] if client.sessions_made else None, export)
    finally:
        if on_run is not None:
            client.observers.remove(on_run)
        client.sessions_made.clear()
        sys.argv, sys.path[:] = outer_argv, outer_path
        client.options.clear()
        client.options.update(outer_options)
        if outer_main is not None:
            sys.modules["__main__"] = outer_main
    return module.__dict__


def _upgraded(file: Path) -> str:
    """The text of a script, upgraded to TensorFlow 1.15 and, in whatever it is written, to Python 3."""
    from migrate import upgrade_source
    from migrate.source import decode

    text = decode(file.read_bytes(), str(file)).text
    is_old = False
    if "tensorflow" not in text:
        try:
            compile(text, str(file), "exec")
        except SyntaxError:
            is_old = True
    return upgrade_source(text, target="1", filename=str(file), all_python=is_old).code


def capture(path: Path, *, after: int | None = None) -> Graph:
    """The graph that a script built, its variables' last values in `graph.values`; the script is stopped after `after` runs."""
    from runtime.tf1 import client

    runs = 0
    held: list[Any] = []

    def count(fetches: Any, feeds: Any, results: Any) -> None:
        nonlocal runs
        runs += 1
        held[:] = client.sessions_made[-1:]
        if after is not None and runs >= after:
            raise _Stop

    try:
        namespace = run_script(path, device="cpu", on_run=count)
        del namespace
    except _Stop:
        pass
    except SystemExit as e:
        if e.code not in (None, 0):
            raise RuntimeError(f"{path} ended with exit code {e.code} before its graph could be captured.") from e
    from runtime.export import with_values

    return with_values(held[0] if held else _initialized(path))


def _initialized(path: Path) -> Any:
    """A session of the default graph of a script that made none, with the initial values of its variables. Raises ValueError for no graph."""
    from runtime.tf1 import client, variables
    from runtime.tf1.graph import get_default_graph

    graph = get_default_graph()
    if not len(graph):
        raise ValueError(f"{path} neither called Session.run nor left nodes in the default graph, so that there is no graph to capture.")
    session = client.Session(graph=graph)
    session.run([v.initializer for v in variables.global_variables()])
    return session


def describe_source_error(error: SourceError) -> str:
    """A syntax error as path:line:column, message, and the line itself."""
    text = f"tfrevive: {error}"
    try:
        lines = Path(error.path).read_text(encoding="utf-8", errors="replace").splitlines()
        if 0 < error.line <= len(lines) and lines[error.line - 1].replace("\t", " ").isprintable():
            text += f"\n    {lines[error.line - 1].rstrip()}\n    {' ' * max(error.column - 1, 0)}^"
    except OSError:
        return text
    return text


def describe_error(error: BaseException, script: Path) -> str:
    """What a script raised: its own lines of the traceback, then the error."""
    ours = tuple(str(Path(__file__).resolve().parent.parent / package) for package in ("graphtools", "migrate", "runtime"))
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith((*ours, "<frozen"))]
    shown = [f for f in frames if f.filename == str(script)] or frames[-1:]
    lines = [f"  {f.filename}:{f.lineno}: {(f.line or '').strip()}" for f in shown]
    return "\n".join(["tfrevive: the script stopped at", *lines, f"{type(error).__name__}: {error}".removesuffix(": ")])
