"""The documentation: its messages are ours, its commands exist, its gallery is whole; the site builds, and opens without complaint."""

from __future__ import annotations

import ast
import functools
import http.server
import importlib.util
import os
import re
import shlex
import subprocess
import sys
import threading
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import browser  # noqa: E402
import gallery  # noqa: E402

PROSE = sorted(p for p in (ROOT / "docs").rglob("*.md") if p.name not in ("ops.md", "rules.md"))
HEADING = re.compile(r"^### (`+) ?(.+?) ?\1$", re.MULTILINE)
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
OPENED = [
    "",
    "start/",
    "guides/training/",
    "gallery/",
    "gallery/08_upgrading_to_1_0/",
    "gallery/29_cnn_mnist/",
    "reference/commands/",
    "reference/python/",
    "troubleshooting/",
]


def test_gallery_has_every_section() -> None:
    every = gallery.programs()
    assert {p.section for p in every} == set(range(1, 43))
    assert {(p.tensorflow, p.python) for p in every} >= {("0.12", "2"), ("0.12", "3"), ("1.4", "2"), ("1.15", "3")}
    for program in every:
        recorded = program.recorded
        assert recorded["tensorflow"].startswith(program.tensorflow), program.name
        assert recorded["python"].startswith(program.python), program.name


@functools.cache
def our_strings() -> str:
    """Every string in our source, placeholders left out, a line each."""
    found = []
    for package in ("migrate", "graphtools", "runtime"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
                elif isinstance(node, ast.JoinedStr):
                    found.append("…".join(str(v.value) for v in node.values if isinstance(v, ast.Constant)))
    return "\n".join(found)


def test_messages_are_ours() -> None:
    """What a heading of troubleshooting.md quotes is in the source; the first section quotes others."""
    text = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8").partition("## Upgrading")[2]
    messages = [m[1] for m in HEADING.findall(text)]
    assert len(messages) > 40
    strings = our_strings()
    for message in messages:
        pieces = [p.strip(" ") for p in message.split("…") if len(p.strip(" .:,()[]")) > 3]
        assert pieces, message
        for piece in pieces:
            assert piece in strings, f"{message!r} is no message of ours: {piece!r} is in no string"


def shell_lines() -> Iterator[tuple[str, str]]:
    for path in [*PROSE, ROOT / "README.md"]:
        for block in re.findall(r"```sh\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL):
            for line in block.splitlines():
                if line.startswith("tfrevive "):
                    yield path.name, line


def options_of(command: str) -> set[str]:
    """The options of a command, from the help that it prints."""
    from typer.testing import CliRunner

    from runtime.cli import app

    done = CliRunner().invoke(app, [command, "--help"])
    assert done.exit_code == 0, command
    return set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", done.output))


def test_commands_exist() -> None:
    lines = list(shell_lines())
    assert len(lines) > 30
    known = functools.cache(options_of)
    for where, line in lines:
        words = shlex.split(line, comments=True)
        if words[1].startswith("-"):
            continue
        scripts = [k for k, w in enumerate(words) if w.endswith(".py")]
        own = words[: scripts[0]] if words[1] == "run" and scripts else words
        used = {w.partition("=")[0] for w in own[2:] if re.match(r"--?[a-z]", w)}
        assert used <= known(words[1]), f"{where}: {line}: no option {used - known(words[1])}"


def test_reference_is_whole() -> None:
    import docs_hooks

    import migrate
    from runtime.cli import app

    text = docs_hooks.commands()
    for command in app.registered_commands:
        section = text.partition(f"## tfrevive {command.name}\n")[2].partition("\n## ")[0]
        missing = {o for o in options_of(str(command.name)) if o.startswith("--")} - set(re.findall(r"--[a-z][\w-]*", section)) - {"--help"}
        assert missing == set(), f"{command.name}: {missing}"
    text = docs_hooks.python()
    for name in migrate.__all__:
        assert f"### migrate.{name}\n" in text
    assert "graphtools.errors.UnsupportedOps" in text and "runtime.errors.InvalidArgumentError" in text


# -- the site --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the built site."""
    if importlib.util.find_spec("mkdocs") is None or importlib.util.find_spec("material") is None:
        pytest.skip("mkdocs-material is not installed: pip install '.[docs]'")
    out = tmp_path_factory.mktemp("site")
    env = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(out)], cwd=ROOT, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(out)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def chromium() -> Iterator[browser.Browser]:
    if browser.find() is None:
        pytest.skip("needs a Chromium")
    with browser.Browser() as opened:
        yield opened


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_pages_open(site: str, chromium: browser.Browser, size: str) -> None:
    """No console errors, nothing wider than the window, nothing fetched from elsewhere."""
    width, height = SIZES[size]
    for page in OPENED:
        chromium.errors.clear()
        chromium.open(site + page, width, height)
        assert chromium.errors == [], page
        assert chromium.evaluate("document.documentElement.scrollWidth") <= width, page
        assert chromium.evaluate("document.querySelector('article h1').innerText.length") > 3, page
        fetched = chromium.evaluate("performance.getEntriesByType('resource').map(e => e.name)")
        assert [u for u in typing.cast("list[str]", fetched) if not u.startswith((site, "data:", "blob:"))] == [], page


@pytest.mark.slow
def test_search_finds_a_message(site: str, chromium: browser.Browser) -> None:
    chromium.open(site, 1280, 900)
    chromium.evaluate(
        "box = document.querySelector('.md-search__input'), box.focus(), box.value = 'uninitialized value', box.dispatchEvent(new KeyboardEvent('keyup', {key: 'e', bubbles: true}))"
    )
    found = chromium.evaluate(
        "new Promise(done => { const look = n => { const a = document.querySelector('.md-search-result__link'); a || !n ? done(a && a.href) : setTimeout(look, 100, n - 1) }; look(50) })"
    )
    assert found and "troubleshooting" in found


@pytest.mark.slow
def test_gallery_shows_the_upgrade(site: str, chromium: browser.Browser) -> None:
    chromium.open(site + "gallery/08_upgrading_to_1_0/", 1280, 900)
    tabs = "[...document.querySelectorAll('.tabbed-labels label')].map(l => l.innerText)"
    assert chromium.evaluate(tabs) == ["The legacy script", "Upgraded for 1.15", "Upgraded for TensorFlow 2"]
    chromium.evaluate("document.querySelectorAll('.tabbed-labels label')[1].click()")
    shown = chromium.evaluate("[...document.querySelectorAll('.tabbed-block')].filter(b => b.offsetParent).map(b => b.innerText).join()")
    assert "+joined = tf.concat(axis=0, values=[a, tf.negative(a)])" in shown or "+joined = tf.concat([a, tf.negative(a)], 0)" in shown
