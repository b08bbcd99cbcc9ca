"""Runs a legacy script: upgraded in memory to TensorFlow 1.15's API, with the stand-in as `tensorflow`."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def run_script(
    path: str | os.PathLike[str],
    argv: Sequence[str] = (),
    *,
    device: str = "auto",
    on_run: Callable[[Any, Any, Any], None] | None = None,
    log_device_placement: bool = False,
) -> dict[str, Any]:
    """Execute a script of TensorFlow 0.x or 1.x; its globals.

    `on_run(fetches, feeds, results)` is called after each Session.run that the script makes. What the script raises is
    raised. Raises migrate's SourceError for a script that cannot be read.
    """
    import linecache

    from migrate import upgrade_source
    from migrate.source import decode
    from runtime.tf1 import client, importer

    file = Path(path)
    code = upgrade_source(decode(file.read_bytes(), str(file)).text, target="1", filename=str(file)).code
    linecache.cache[str(file)] = (len(code), None, code.splitlines(keepends=True), str(file))
    module = types.ModuleType("__main__")
    module.__file__ = str(file)
    outer_argv, outer_path, outer_main, outer_options = sys.argv, list(sys.path), sys.modules.get("__main__"), dict(client.options)
    sys.argv = [str(file), *argv]
    sys.path.insert(0, str(file.resolve().parent))
    sys.modules["__main__"] = module
    client.options.update(device=device, log_device_placement=log_device_placement)
    if on_run is not None:
        client.observers.append(on_run)
    try:
        with importer.installed():
            exec(compile(code, str(file), "exec"), module.__dict__)
    finally:
        if on_run is not None:
            client.observers.remove(on_run)
        sys.argv, sys.path[:] = outer_argv, outer_path
        client.options.clear()
        client.options.update(outer_options)
        if outer_main is not None:
            sys.modules["__main__"] = outer_main
    return module.__dict__
