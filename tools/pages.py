"""The pages that the commands write, made from the fixtures: what tools/screenshots.py takes pictures of and tests/test_pages.py opens."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "fixtures/scripts"
NETWORK = "29_batch_norm_cnn/script.py"
LOG_LINES = 18
TERMINAL = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>
body {{ margin: 0; background: #16181c; color: #d5d9de; }} pre {{ margin: 0; padding: 18px 22px; font: 13px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }}
.prompt {{ color: #6cc27e; }} .op {{ color: #6ea3e8; }} .device {{ color: #eda157; }} .more {{ color: #8b949e; }}
</style><pre>{text}</pre></html>
"""


def tfrevive(*words: object, folder: Path = SCRIPTS) -> subprocess.CompletedProcess[str]:
    """Run a command as a terminal would. Raises CalledProcessError when it fails."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-c", "from runtime.cli import main; main()", *map(str, words)]
    return subprocess.run(command, cwd=folder, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=True)


def make(out: Path) -> dict[str, Path]:
    """Name -> page: the upgrade report, the device log as a terminal shows it, the profile, the graph."""
    out.mkdir(parents=True, exist_ok=True)
    tfrevive("upgrade", "legacy_project", "-o", out / "upgraded", "--report", out / "report.html", "--quiet")
    ran = tfrevive("run", "--log-device-placement", "--profile", out / "profile", "--export", out / "exported", NETWORK)
    tfrevive("inspect", out / "exported/graph.pb", "--html", out / "graph.html", "--quiet")
    log = out / "devices.html"
    log.write_text(terminal(f"tfrevive run --log-device-placement {Path(NETWORK).name}", ran.stderr), encoding="utf-8")
    return {"report": out / "report.html", "devices": log, "profile": out / "profile/profile.html", "graph": out / "graph.html"}


def terminal(command: str, said: str) -> str:
    """A device log as a page: the command, and the lines from the first convolution on."""
    placed = re.compile(r"^(\S+): (\(\S+\)): (/job\S+)$")
    lines = [m.groups() for line in said.splitlines() if (m := placed.match(line))]
    first = next((n for n, (_, op, _) in enumerate(lines) if op == "(Conv2D)"), 0)
    shown = [
        f'{html.escape(name)}: <span class="op">{html.escape(op)}</span>: <span class="device">{html.escape(device)}</span>'
        for name, op, device in lines[first : first + LOG_LINES]
    ]
    more = f'<span class="more">... {len(lines) - len(shown)} more lines</span>'
    return TERMINAL.format(
        title=html.escape(command), text="\n".join([f'<span class="prompt">$</span> {html.escape(command)}', *shown, more])
    )
