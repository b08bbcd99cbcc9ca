"""The tutorial's programs as pages: each is upgraded, run, inspected and profiled, and what came of it is kept under build/gallery.

python tools/gallery.py            # run what has changed since the last time; --jobs N at a time (2)

A program is run again when it, its data or the code of migrate, graphtools or runtime has changed; the site is built from what was kept.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import difflib
import hashlib
import html
import importlib.util
import json
import os
import re
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "fixtures/scripts"
KEPT = ROOT / "build/gallery"
HEADER = re.compile(r"(?:# -\*-.*\n)?# (\d+)\. (.+)\n# TensorFlow ([\d.]+), Python (\d)\n")

sys.path[:0] = [str(ROOT), str(ROOT / "tools")]


@dataclass(frozen=True)
class Program:
    """A script of fixtures/scripts with what its first two lines say of it."""

    name: str
    section: int
    title: str
    tensorflow: str
    python: str

    @property
    def source(self) -> str:
        return (SCRIPTS / self.name / "script.py").read_text(encoding="utf-8")

    @property
    def recorded(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads((SCRIPTS / self.name / "expected.json").read_text())
        return data


def programs() -> list[Program]:
    found = []
    for folder in sorted(SCRIPTS.glob("*/expected.json")):
        match = HEADER.match((folder.parent / "script.py").read_text(encoding="utf-8"))
        if match is None:
            raise ValueError(
                f"{folder.parent}/script.py does not begin with '# SECTION. TITLE' and '# TensorFlow VERSION, Python VERSION'."
            )
        found.append(Program(folder.parent.name, int(match[1]), match[2], match[3], match[4]))
    return found


def code_key() -> str:
    """Of everything that a program's results depend on besides itself."""
    made = hashlib.sha256()
    for path in [*sorted((SCRIPTS / "data").rglob("*")), Path(__file__)]:
        if path.is_file():
            made.update(path.read_bytes())
    for package in ("migrate", "graphtools", "runtime"):
        for path in sorted((ROOT / package).rglob("*")):
            if path.suffix in (".py", ".gz", ".html") and path.is_file():
                made.update(path.read_bytes())
    return made.hexdigest()


def make(program: Program, key: str) -> str:
    """Run a program unless what is kept of it is of today; what was done."""
    from pages import tfrevive

    kept = KEPT / program.name
    key = hashlib.sha256((key + program.source).encode()).hexdigest()
    if (kept / "key").exists() and (kept / "key").read_text() == key:
        return "kept"
    if "import tflearn" in program.source and importlib.util.find_spec("tflearn") is None:
        return "needs tflearn"
    with tempfile.TemporaryDirectory() as scratch:
        here = Path(scratch)
        for data in (SCRIPTS / "data").iterdir():
            (here / data.name).symlink_to(data)
        began = time.perf_counter()
        try:
            ran = tfrevive(
                "run", "--device", "cpu", "--profile", "profile", "--export", "exported", SCRIPTS / program.name / "script.py", folder=here
            )
            seconds = time.perf_counter() - began
            seen = json.loads(tfrevive("inspect", "exported/graph.pb", "--json", "--html", "graph.html", folder=here).stdout)
        except CalledProcessError as e:
            lines = e.stderr.strip().splitlines()
            return f"failed: {lines[-1] if lines else e}"
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        shutil.copy(here / "graph.html", kept / "graph.html")
        shutil.copy(here / "profile/profile.html", kept / "profile.html")
        by_type = (here / "profile/profile.txt").read_text().partition("By type:\n")[2].split("\n\n")[0]
        facts = {"stdout": ran.stdout, "seconds": seconds, "graph": seen, "by_type": by_type}
        (kept / "facts.json").write_text(json.dumps(facts))
        (kept / "key").write_text(key)
    return f"ran in {seconds:.1f} s"


def make_all(jobs: int) -> list[str]:
    """Run what is not kept; the names of the programs that failed."""
    key = code_key()
    failed = []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        every = programs()
        for program, done in zip(every, pool.map(lambda p: make(p, key), every), strict=True):
            print(f"{program.name:36} {done}", flush=True)
            if done.startswith("failed"):
                failed.append(program.name)
    return failed


def upgraded(program: Program, target: str) -> tuple[str, list[Any]]:
    """The diff that `tfrevive upgrade` makes, and its findings."""
    import migrate

    done = migrate.upgrade_source(program.source, target=target, filename="script.py")  # type: ignore[arg-type]
    lines = difflib.unified_diff(
        program.source.splitlines(), done.code.splitlines(), "script.py", f"script.py (--to {target})", lineterm="", n=2
    )
    return "\n".join(lines), done.findings


def fenced(text: str, language: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```\n"


def page(program: Program) -> str:
    """A program's page in Markdown."""
    recorded = program.recorded
    kept = KEPT / program.name
    facts = json.loads((kept / "facts.json").read_text()) if (kept / "facts.json").exists() else None
    legacy = f"TensorFlow {program.tensorflow} and Python {program.python}"
    out = [
        f"---\ntitle: {json.dumps(f'{program.section}. {program.title}')}\nhide:\n  - toc\n---\n\n# {program.section}. {program.title}\n"
    ]
    out.append(f"As it was written for {legacy}. Run it as it is:\n\n```sh\ntfrevive run fixtures/scripts/{program.name}/script.py\n```\n")
    tabs = [("The legacy script", fenced(program.source, "python"))]
    for target, name in (("1", "Upgraded for 1.15"), ("2", "Upgraded for TensorFlow 2")):
        diff, findings = upgraded(program, target)
        notes = [f for f in findings if f.is_manual]
        text = fenced(diff, "diff") if diff else "Nothing to change.\n"
        if notes:
            text += "\n" + "\n".join(f"- line {f.location.line}: {html.escape(f.message)}" for f in notes) + "\n"
        tabs.append((name, text))
    for name, text in tabs:
        out.append(f'=== "{name}"\n\n' + "\n".join(("    " + line).rstrip() for line in text.splitlines()) + "\n")
    same = f"TensorFlow {recorded['tensorflow']} on Python {recorded['python']} printed the same, numbers to within rounding; a test compares them."
    if facts is None:
        printed = (SCRIPTS / program.name / "expected.txt").read_text()
        out.append(
            f"## What it prints\n\n{fenced(printed, 'text')}\nPrinted by TensorFlow {recorded['tensorflow']}; this site was built without running it.\n"
        )
        return "\n".join(out)
    out.append(f"## What it prints\n\n{fenced(facts['stdout'], 'text')}\n{same}\n")
    graph = facts["graph"]
    ops = ", ".join(f"`{op}` {n}" for op, n in sorted(graph["ops"].items(), key=lambda x: -x[1])[:10])
    variables = f", {graph['variables']} variables, {graph['parameters']:,} parameters" if graph["variables"] else ""
    out.append(
        f"## Its graph\n\n{graph['nodes']:,} nodes{variables}: {ops}{' and others' if len(graph['ops']) > 10 else ''}. [On a page of its own]({program.name}/graph.html)\n"
    )
    out.append(f'<iframe class="made" src="graph.html" loading="lazy" title="The graph of section {program.section}"></iframe>\n')
    rows = [line.split() for line in facts["by_type"].splitlines()][:6]
    out.append(
        f"## Its profile\n\n{facts['seconds']:.1f} s for the whole process, imports and profiler included, on the machine that built this page. [Every op]({program.name}/profile.html)\n"
    )
    if rows:
        out.append(
            "| op | ms | calls | share |\n|---|---:|---:|---:|\n"
            + "\n".join(f"| {r[3]} | {r[0]} | {r[1]} | {r[2]} |" for r in rows if len(r) > 3)
            + "\n"
        )
    return "\n".join(out)


def index(every: list[Program]) -> str:
    """The gallery's first page."""
    lines = ["---\ntitle: Gallery\nhide:\n  - toc\n---\n\n# Gallery\n"]
    lines.append(
        "The 42 sections of a TensorFlow tutorial of the time, each as a program somebody would have written then. Every page has the script, what the upgrade "
        "changes in it, what it prints when tfrevive runs it, its graph and its profile. They are made by running the scripts; the expected values in the tests are TensorFlow's own.\n\n"
        "The upgraded twins were run as well (`fixtures/make/twins.py`). Upgraded with `--to 1`, all 42 print on TensorFlow 1.15.5 what the originals printed. Upgraded with "
        "`--to 2`, 30 print the same on TensorFlow 2.15.1 and 9 run and print something else: other random streams, or Keras' own wording. Three do not run: two are left with "
        "`tf.contrib.seq2seq`, which has no successor and is reported, and one takes gradients of Keras' backend under eager execution.\n"
    )
    lines.append("| section | program | written for |\n|---:|---|---|")
    lines += [f"| {p.section} | [{p.title}]({p.name}.md) | {p.tensorflow}, Python {p.python} |" for p in every]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    failed = make_all(parser.parse_args().jobs)
    if failed:
        print(f"These programs failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
