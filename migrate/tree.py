"""Whole directories: which files, how each is upgraded, how results are written."""

from __future__ import annotations

import dataclasses
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from migrate import generation as generations
from migrate import gitignore, notebook, source
from migrate.report.finding import Finding, Level, Location
from migrate.report.output import whole
from migrate.report.report import FileReport, Report
from migrate.rule import Generation, Target
from migrate.source import SourceError
from migrate.upgrade import Upgrade, upgrade_source

UNREADABLE: Final = "unreadable"
# Never entered: what version control and tools keep there is nobody's source.
SKIPPED_FOLDERS: Final = frozenset(
    {".git", ".hg", ".ipynb_checkpoints", ".mypy_cache", ".nox", ".pytest_cache", ".ruff_cache", ".svn", ".tox", "__pycache__"}
)
PYTHON: Final = (".py", ".pyw", ".pyi", ".ipynb")


@dataclass(frozen=True, slots=True)
class Options:
    """What one run is asked to do."""

    target: Target = "2"
    written_for: Literal["auto", "0", "1"] = "auto"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    use_gitignore: bool = True
    disabled: frozenset[str] = frozenset()
    keep_texts: bool = False
    all_python: bool = False  # also move files without TensorFlow from Python 2 to 3


@dataclass(frozen=True, slots=True)
class Entry:
    """A path below the source: what it is and whether it is to be looked into."""

    path: str
    kind: Literal["source", "other", "link", "folder"]


@dataclass(slots=True)
class Outcome:
    """What became of one file; `data` is set when it has to be written."""

    report: FileReport
    data: bytes | None = None
    undecided: bool = False  # a rule asked for the version, and the file does not say
    evidence: generations.Evidence = field(default_factory=generations.Evidence)


# -------------------------------------------------------------------------- finding files


def walk(root: Path, options: Options, leave_out: Path | None = None) -> list[Entry]:
    """Everything below a folder in the order of paths; ignored files and folders are not there."""
    ignored = gitignore.Ignored(root)
    entries: list[Entry] = []
    _walk(root, "", ignored, options, leave_out.resolve() if leave_out is not None else None, entries)
    return entries


def _walk(root: Path, folder: str, ignored: gitignore.Ignored, options: Options, leave_out: Path | None, entries: list[Entry]) -> None:
    if options.use_gitignore:
        ignored.enter(folder)
    with os.scandir(root / folder) as scan:
        items = sorted(scan, key=lambda item: item.name)
    for item in items:
        path = f"{folder}/{item.name}" if folder else item.name
        is_folder = item.is_dir(follow_symlinks=False)
        if (is_folder and item.name in SKIPPED_FOLDERS) or gitignore.matches(path, options.exclude):
            continue
        if options.use_gitignore and ignored.covers(path, is_folder):
            continue
        if item.is_symlink():
            entries.append(Entry(path, "link"))
        elif is_folder:
            if leave_out is not None and Path(item.path).resolve() == leave_out:
                continue
            entries.append(Entry(path, "folder"))
            _walk(root, path, ignored, options, leave_out, entries)
        elif item.is_file(follow_symlinks=False):
            wanted = not options.include or gitignore.matches(path, options.include)
            entries.append(Entry(path, "source" if wanted and _is_source(Path(item.path)) else "other"))


def _is_source(path: Path) -> bool:
    if path.suffix in PYTHON:
        return True
    if path.suffix:
        return False
    try:
        with path.open("rb") as file:
            first = file.read(64)
    except OSError:
        return False
    return first.startswith(b"#!") and b"python" in first.split(b"\n", 1)[0]


# -------------------------------------------------------------------------- one file


def upgrade_bytes(
    data: bytes, path: str, options: Options, tree: Generation | None = None, siblings: frozenset[str] = frozenset()
) -> Outcome:
    """Upgrade one file's bytes. Nothing is raised: what cannot be read is a finding."""
    if not source.mentions_tensorflow(data) and not options.all_python:
        return Outcome(FileReport(path, "copied"))
    try:
        decoded = source.decode(data, path)
        upgrade, new = _upgraded(decoded.text, path, options, tree, siblings)
        written = decoded.encode(new, path) if upgrade.changed else data
    except SourceError as error:
        place = Location(path, error.line, error.column, error.line, error.column)
        finding = Finding(UNREADABLE, Level.ERROR, error.message, place, advice="the file was left as it is: correct it and run again")
        return Outcome(FileReport(path, UNREADABLE, (finding,), lines=data.count(b"\n")))
    except RecursionError:
        finding = Finding(UNREADABLE, Level.ERROR, "nested too deeply to be read", Location(path), advice="the file was left as it is")
        return Outcome(FileReport(path, UNREADABLE, (finding,), lines=data.count(b"\n")))
    changed = written != data
    report = FileReport(
        path,
        "changed" if changed else "unchanged",
        tuple(upgrade.findings),
        upgrade.generation.version,
        upgrade.generation.reasons if upgrade.findings else (),
        lines=decoded.text.count("\n") + bool(decoded.text and not decoded.text.endswith("\n")),
        before=decoded.text if options.keep_texts and (changed or upgrade.findings) else None,
        after=new if options.keep_texts and changed else None,
    )
    return Outcome(report, written if changed else None, upgrade.asked and upgrade.generation.version is None, upgrade.evidence)


def _upgraded(text: str, path: str, options: Options, tree: Generation | None, siblings: frozenset[str]) -> tuple[Upgrade, str]:
    given = None if options.written_for == "auto" else int(options.written_for)
    more: dict[str, Any] = {
        "generation": given,
        "tree": tree,
        "siblings": siblings,
        "disabled": options.disabled,
        "all_python": options.all_python,
    }
    if not path.endswith(".ipynb"):
        upgrade = upgrade_source(text, target=options.target, filename=path, **more)
        return upgrade, upgrade.code
    cells = notebook.cells(text, path)
    joined, unreadable = notebook.join(cells, path)
    upgrade = upgrade_source(joined.text, target=options.target, filename=path, **more)
    new = notebook.replaced(text, cells, notebook.split(upgrade.code, joined)) if upgrade.changed else text
    findings = [notebook.placed(f, joined) for f in upgrade.findings] + unreadable
    findings.sort(key=lambda f: (f.location.cell or 0, f.location.line, f.location.column, f.rule, f.message))
    return dataclasses.replace(upgrade, findings=findings), new


# -------------------------------------------------------------------------- many files


@dataclass(frozen=True, slots=True)
class Job:
    """One file for a worker: everything it needs, so that it does not matter which worker takes it."""

    root: str
    path: str  # below root; "" when root is the file
    shown: str  # as reports name it
    options: Options
    tree: Generation | None = None
    siblings: frozenset[str] = frozenset()

    @property
    def file(self) -> Path:
        return Path(self.root) / self.path if self.path else Path(self.root)


def run_job(job: Job) -> Outcome:
    try:
        data = job.file.read_bytes()
    except OSError as error:
        finding = Finding(UNREADABLE, Level.ERROR, f"cannot be read: {error.strerror}", Location(job.shown))
        return Outcome(FileReport(job.shown, UNREADABLE, (finding,)))
    return upgrade_bytes(data, job.shown, job.options, job.tree, job.siblings)


def outcomes(jobs: Sequence[Job], workers: int) -> Iterator[Outcome]:
    """The outcomes in the order of the jobs, whatever the number of workers."""
    if workers <= 1 or len(jobs) < 2:
        yield from map(run_job, jobs)
        return
    import multiprocessing

    from migrate import engine

    method = "fork" if "fork" in multiprocessing.get_all_start_methods() and os.name == "posix" and _single_threaded() else "spawn"
    if method == "fork":
        engine.dispatch_for(jobs[0].options.target, None)  # loaded once, shared by all
    with multiprocessing.get_context(method).Pool(min(workers, len(jobs))) as pool:
        yield from pool.imap(run_job, jobs, chunksize=max(1, min(8, len(jobs) // (workers * 4))))


def _single_threaded() -> bool:
    import sys
    import threading

    return sys.platform != "darwin" and threading.active_count() == 1


def default_workers(jobs: Sequence[Job]) -> int:
    """As many as there are cores, but none that would only start up: a worker is worth it from some 100 kB of source on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    size = 0
    for job in jobs:
        try:
            size += job.file.stat().st_size
        except OSError:
            continue
    return max(1, min(cores, size // 100_000))


Progress = Callable[[int, int, str], None]


def upgrade_tree(
    src: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    dst: str | os.PathLike[str] | None = None,
    *,
    target: Target = "2",
    jobs: int | None = None,
    in_place: bool = False,
    options: Options | None = None,
    progress: Progress | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> Report:
    """Upgrade files and folders. `dst` mirrors them, `in_place` replaces each file at once, neither only reports."""
    options = options or Options(target=target)
    sources = [Path(src)] if isinstance(src, (str, os.PathLike)) else [Path(s) for s in src]
    out = Path(dst) if dst is not None else None
    for path in sources:
        if not path.exists():
            raise FileNotFoundError(f"{str(path)!r} does not exist: expected a file or a folder to upgrade")
    plans = [_plan(path, out, options, many=len(sources) > 1) for path in sources]
    todo = [job for plan in plans for job in plan.jobs]
    tree = _tree_evidence(sources)
    before = _decision(generations.total([tree, *map(_scanned, todo)]), options)
    todo = [dataclasses.replace(job, tree=before) for job in todo]
    workers = jobs if jobs is not None else default_workers(todo)
    done: list[Outcome] = []
    for number, outcome in enumerate(outcomes(todo, workers)):
        done.append(outcome)
        tree.merge(outcome.evidence)
        if not (outcome.undecided and before.version is None):
            _write(outcome, todo[number], plans, in_place)
            done[number].data = None  # memory stays flat over a tree
        if progress is not None:
            progress(number + 1, len(todo), outcome.report.path)
    decision = before if before.version is not None else _decision(tree, options)
    again = [n for n, o in enumerate(done) if o.undecided and before.version is None]
    if decision.version is not None and again:
        second = [dataclasses.replace(todo[n], tree=decision) for n in again]
        for number, outcome in zip(again, outcomes(second, workers if len(again) > workers else 1), strict=True):
            done[number] = outcome
    for number in again:
        _write(done[number], todo[number], plans, in_place)
        done[number].data = None
    for plan in plans:
        plan.copy_rest()
    if on_outcome is not None:
        for outcome in done:
            on_outcome(outcome)
    return report_of([o.report for o in done], options, decision)


def _decision(evidence: generations.Evidence, options: Options) -> Generation:
    return evidence.decide() if options.written_for == "auto" else Generation(int(options.written_for), ("asked for",))


def _scanned(job: Job) -> generations.Evidence:
    try:
        data = job.file.read_bytes()
    except OSError:
        return generations.Evidence()
    return generations.scan(data) if source.mentions_tensorflow(data) else generations.Evidence()


def report_of(files: Iterable[FileReport], options: Options, decision: Generation) -> Report:
    from migrate.report.report import RuleInfo
    from migrate.report.tool import version
    from migrate.rule import RULES

    rules = {r.id: RuleInfo(r.id, r.summary, r.since) for r in RULES.values()}
    rules |= {k: RuleInfo(k, v) for k, v in ENGINE_RULES.items()}
    return Report(tuple(sorted(files, key=lambda f: f.path)), options.target, decision.version, decision.reasons, rules, version())


# Findings that no rule makes.
ENGINE_RULES: Final = {
    "engine": "The rewriting of a file did not settle.",
    "python2-syntax": "Python 2 syntax is rewritten to Python 3.",
    "unreadable": "A file that cannot be read as Python is left as it is.",
}


def _tree_evidence(sources: Sequence[Path]) -> generations.Evidence:
    found = generations.Evidence()
    for path in sources:
        folder = path if path.is_dir() else path.parent
        for name in generations.PIN_FILES:
            try:
                text = (folder / name).read_text("utf-8", errors="replace")
            except OSError:
                continue
            found.merge(generations.pins(name, text))
    return found


@dataclass(slots=True)
class _Plan:
    """One source path: its jobs, and where its results go."""

    root: Path
    out: Path | None
    jobs: list[Job]
    rest: list[Entry] = field(default_factory=list)

    def target_of(self, job: Job) -> Path | None:
        if self.out is None:
            return None
        return self.out / job.path if job.path else self.out

    def copy_rest(self) -> None:
        """Everything that is not Python: folders, links, other files, with their modes."""
        if self.out is None:
            return
        for entry in self.rest:
            copy(self.root / entry.path, self.out / entry.path, entry.kind)
        for entry in reversed(self.rest):
            if entry.kind == "folder":  # last, since a folder may be read-only
                shutil.copystat(self.root / entry.path, self.out / entry.path)


def _plan(path: Path, out: Path | None, options: Options, many: bool) -> _Plan:
    if path.is_dir():
        entries = walk(path, options, leave_out=out)
        base = path.as_posix()
        modules: dict[str, set[str]] = {}
        for entry in entries:
            folder, _, name = entry.path.rpartition("/")
            if name.endswith(".py"):
                modules.setdefault(folder, set()).add(name[:-3])
                if name == "__init__.py":
                    above, _, package = folder.rpartition("/")
                    modules.setdefault(above, set()).add(package)
        frozen = {k: frozenset(v) for k, v in modules.items()}
        jobs = []
        for entry in entries:
            if entry.kind == "source":
                shown = entry.path if base == "." else f"{base}/{entry.path}"
                near = frozen.get(entry.path.rpartition("/")[0], frozenset())
                jobs.append(Job(str(path), entry.path, shown, options, siblings=near))
        target = (out / path.resolve().name if many else out) if out is not None else None
        if target is not None:
            target.mkdir(parents=True, exist_ok=True)
        return _Plan(path, target, jobs, [e for e in entries if e.kind != "source"])
    target = out
    if out is not None and (many or out.is_dir()):
        target = out / path.name
    near = frozenset(p.stem for p in path.parent.glob("*.py"))
    return _Plan(path, target, [Job(str(path), "", path.as_posix(), options, siblings=near)])


def _write(outcome: Outcome, job: Job, plans: Sequence[_Plan], in_place: bool) -> None:
    plan = next(p for p in plans if str(p.root) == job.root)
    target = plan.target_of(job)
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        if outcome.data is None:
            if target.resolve() != job.file.resolve() and job.file.exists():
                copy(job.file, target, "other")
        else:
            write(target, outcome.data, job.file, durable=False)
    elif in_place and outcome.data is not None:
        file = job.file.resolve()  # a link named on the command line: what it points to is rewritten, the link stays
        write(file, outcome.data, file)


def write(target: Path, data: bytes, like: Path, durable: bool = True) -> None:
    """Replace a file at once: whoever looks, also after a kill, sees the old bytes or the new ones."""
    with whole(target) as temporary:
        with temporary.open("wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.chmod(temporary, stat.S_IMODE(like.stat().st_mode))


def copy(source_path: Path, target: Path, kind: str) -> None:
    """Copy a file, link or folder with its mode and times."""
    if kind == "folder":
        target.mkdir(parents=True, exist_ok=True)
    elif kind == "link":
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_symlink() or target.exists():
            if target.is_dir() and not target.is_symlink():
                return
            target.unlink()
        target.symlink_to(os.readlink(source_path))
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source_path, target, follow_symlinks=False)
