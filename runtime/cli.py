"""The command `tfrevive`: its subcommands, from every package."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import graphtools.cli
import migrate.cli
from graphtools.cli import Failing
from graphtools.quick import Group
from migrate.cli import Quiet, Verbose
from migrate.report.output import Progress, Steps, check_folder, stop
from migrate.report.tool import version

if TYPE_CHECKING:
    from graphtools.graph import Graph

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode=None,  # starts in half the time, and leaves "[1,?,3]" in a help text alone
    add_completion=True,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tfrevive {version()}")
        raise typer.Exit


@app.callback()
def tfrevive(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Upgrade, convert and run the TensorFlow programs of 2015-2019."""


Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]
LogPlacement = Annotated[
    bool, typer.Option("--log-device-placement", help="Print a line for every op: the device that ONNX Runtime really gave it.")
]
Profile = Annotated[Path | None, typer.Option("--profile", metavar="DIR", help="Write a table of every op's time and a Chrome trace.")]


def script_graph(path: Path, after: int | None) -> Graph:
    """The graph that a script built, with the values its variables had at the end (or after N runs)."""
    from runtime.script import capture

    _check_script(path)
    with _script_errors(path):
        return capture(path, after=after)


# What is not a script, by its ending -> the commands that take it.
MODELS = dict.fromkeys((".h5", ".hdf5", ".meta", ".onnx", ".pb", ".pbtxt"), "inspect, convert and predict")


def _check_script(path: Path) -> None:
    """Refuse what cannot be a script, saying what was named instead."""
    if str(path).startswith("-"):
        import difflib

        near = difflib.get_close_matches(str(path).partition("=")[0], RUN_OPTIONS, n=1)
        stop(f"There is no option {path}{f' (did you mean {near[0]}?)' if near else ''}. See `tfrevive run --help`.", 2)
    if path.is_dir():
        inside = sorted(p.name for p in path.glob("*.py"))[:5]
        named = f" ({', '.join(inside)})" if inside else ""
        stop(f"{path} is a folder: name the script in it that is to run{named}.", 2)
    if not path.exists():
        stop(f"There is no file {path}.", 2)
    if path.suffix.lower() in MODELS:
        stop(f"{path} is a model, not a script: {MODELS[path.suffix.lower()]} take it.", 2)
    if path.suffix.lower() == ".ipynb":
        stop(f"{path} is a notebook: `tfrevive upgrade` takes it; `tfrevive run` takes scripts (jupyter nbconvert --to script {path}).", 2)
    with path.open("rb") as file:
        if b"\0" in file.read(4096):
            stop(f"{path} is not Python source: it has zero bytes.", 2)


@contextmanager
def _script_errors(script: Path) -> Iterator[None]:
    """Turns what a script raises into its own lines and the error, without ours; exit status 2 for what cannot be read, else 1."""
    import traceback

    from migrate.source import SourceError
    from runtime import script as scripts

    try:
        yield
    except SourceError as e:
        typer.echo(scripts.describe_source_error(e), err=True)
        raise typer.Exit(2) from None
    except SyntaxError as e:
        if e.filename != str(script):
            raise
        place = f"{script}:{e.lineno or 0}:{e.offset or 0}"
        shown = f"\n    {e.text.rstrip()}\n    {' ' * max((e.offset or 1) - 1, 0)}^" if e.text else ""
        stop(f"{place}: {e.msg}{shown}", 2)
    except KeyboardInterrupt as e:
        typer.echo(scripts.describe_error(e, script), err=True)  # where a program hangs is what one wants to know
        raise typer.Exit(130) from None
    except Exception as e:
        if not any(f.filename == str(script) for f in traceback.extract_tb(e.__traceback__)):
            raise
        typer.echo(scripts.describe_error(e, script), err=True)
        if isinstance(e, ModuleNotFoundError) and e.name:
            package = e.name.partition(".")[0]
            if package not in ("tensorflow", "graphtools", "migrate", "runtime"):
                from runtime.library import INSTALLED_BY

                wanted = INSTALLED_BY.get(package, package)
                typer.echo(
                    f"The script needs {package!r} in the environment of tfrevive: {sys.executable} -m pip install {wanted}", err=True
                )
        raise typer.Exit(1) from None


def run_model(model: bytes, feeds: dict[str, Any]) -> dict[str, Any]:
    """The outputs of an ONNX model on the CPU."""
    from runtime.predict import OnnxModel

    return OnnxModel(model, device="cpu").run(feeds)


def write_events(graph: Graph, folder: Path) -> Path:
    """Write an event file that shows the graph in TensorBoard."""
    import time

    from graphtools.formats import graphdef, schema
    from runtime.events import EventsWriter

    writer = EventsWriter(str(folder))
    writer.write(schema.message("Event")(wall_time=time.time(), graph_def=graphdef.write(graph)))
    writer.close()
    return Path(writer.path)


migrate.cli.register(app)
graphtools.cli.register(app, script_graph, run_model, write_events)


def _print_coverage(as_json: bool) -> None:
    from runtime.tf1.coverage import coverage

    rows = coverage()
    if as_json:
        import json

        typer.echo(
            json.dumps(
                [{"module": place, "names": n, "here": here, "missing": list(missing)} for place, n, here, missing in rows], indent=1
            )
        )
        return
    for place, names, here, missing in rows:
        typer.echo(f"{place:36} {here:5} of {names:5}  {' '.join(n.rpartition('.')[2] for n in missing)}".rstrip())
    typer.echo(f"{'all':36} {sum(r[2] for r in rows):5} of {sum(r[1] for r in rows):5}")


# The options of `run`. After SCRIPT they are the script's own.
RUN_OPTIONS = (
    "--allow-soft-placement", "--coverage", "--device", "--export", "--help", "--json", "--log-device-placement", "--profile", "--quiet", "--verbose",
)  # fmt: skip


@app.command("run", context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False})
def run(
    script: Annotated[Path | None, typer.Argument(metavar="SCRIPT", help="A program for TensorFlow 0.x or 1.x.")] = None,
    args: Annotated[
        list[str] | None, typer.Argument(metavar="ARGS...", help="The script's own arguments: all that stands after it.")
    ] = None,
    device: Device = "auto",
    log_device_placement: LogPlacement = False,
    profile: Profile = None,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="DIR", help="Write the graph, checkpoint and ONNX model of what the script built.")
    ] = None,
    allow_soft_placement: Annotated[
        bool,
        typer.Option(
            "--allow-soft-placement", help="Run ops on another device where the one they ask for is missing, whatever the script says."
        ),
    ] = False,
    coverage: Annotated[bool, typer.Option("--coverage", help="Print which names of TensorFlow 1.15 work, by module, and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --coverage: print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing besides what the script prints, and errors.")] = False,
    verbose: Verbose = False,
) -> None:
    """Run a TensorFlow 0.x or 1.x script without TensorFlow.

    Example: tfrevive run train.py --epochs 3

    Example: tfrevive run --log-device-placement --profile profile/ train.py --epochs 3

    Exit status: the script's own; 1 when it raised, 2 when it cannot be read.
    """
    if coverage:
        _print_coverage(as_json)
        return
    if script is None:
        stop("Name a script, or ask for --coverage.", 2)
    _check_script(script)
    try:
        for folder in filter(None, (profile, export)):
            check_folder(folder)
    except OSError as e:
        stop(str(e), 2)
    if device not in ("auto", "cpu"):
        from runtime.devices import gpus
        from runtime.errors import InvalidArgumentError

        try:
            gpus(device)
        except InvalidArgumentError as e:
            stop(str(e), 2)
    if not quiet:
        _warn_of_late_options(script, args or [])
    from runtime import script as scripts

    steps = Steps(quiet, verbose)
    steps.shown = False  # the terminal is the script's
    runs = 0

    def count(fetches: Any, feeds: Any, results: Any) -> None:
        nonlocal runs
        runs += 1

    try:
        with steps(f"Ran {script}"), _script_errors(script):
            scripts.run_script(
                script,
                args or (),
                device=device,
                on_run=count if verbose else None,
                log_device_placement=log_device_placement,
                profile=profile,
                export=export,
                allow_soft_placement=allow_soft_placement,
                quiet=quiet,
            )
    finally:
        steps.say(f"Runs of a session: {runs}")


def _warn_of_late_options(script: Path, args: list[str]) -> None:
    """Say so where an option of `run` stands after SCRIPT, unless the script has one of that name."""
    text = script.read_bytes().replace(b"_", b"-")
    ours = {*RUN_OPTIONS} - {"--help", "--json", "--quiet", "--verbose"}  # what many programs have
    late = [a for a in args if (name := a.partition("=")[0]) in ours and name.lstrip("-").encode() not in text]
    if late:
        typer.echo(
            f"tfrevive: {', '.join(late)} stands after {script} and is given to the script; "
            f"write options of tfrevive before it: tfrevive run {' '.join(late)} ... {script}",
            err=True,
        )


@app.command("predict")
def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="An .onnx file, or a model of any format that `convert` takes.")],
    input: Annotated[
        list[str] | None, typer.Option("--input", "-i", metavar="NAME=FILE.npy", help="An input tensor's values; may be repeated.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the outputs as .npz. [default: print them]")] = None,
    outputs: Annotated[str | None, typer.Option("--outputs", help="Output tensors, comma separated.")] = None,
    checkpoint: graphtools.cli.Checkpoint = None,
    weights: graphtools.cli.Weights = None,
    signature: graphtools.cli.SignatureName = None,
    tag: graphtools.cli.Tag = None,
    device: Device = "auto",
    log_device_placement: LogPlacement = False,
    profile: Profile = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data", metavar="DIR|FILE", help="Rows to run in batches: .npy, .npz or .parquet files, or folders of them; may be repeated."
        ),
    ] = None,
    batch: Annotated[int, typer.Option("--batch", min=1, help="With --data: rows at a time.")] = 32,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="With --data: where the parts are written. Run again after a kill: finished parts are kept."
        ),
    ] = None,
    data_input: Annotated[
        str | None, typer.Option("--data-input", help="With --data: the input that the rows of .npy files are fed to.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="With --data: parts at a time.")] = 1,
    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster", metavar="tcp://HOST:PORT", help="With --data: compute the parts on a Dask cluster that sees the same files."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: the outputs, what was written, or what became of the parts.")
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Run a model of any supported format on ONNX Runtime.

    Example: tfrevive predict frozen.pb --input x:0=images.npy

    Example: tfrevive predict frozen.pb --data images/ --batch 64 --out answers/
    """
    from runtime.errors import OpError

    with Failing(OpError):
        if data:
            if out is None:
                stop("--data needs --out DIR.", 2)
            check_folder(out)
            predict_batches(
                model,
                data,
                out,
                batch,
                input or [],
                outputs,
                checkpoint,
                weights,
                signature,
                tag,
                device,
                data_input,
                jobs,
                cluster,
                as_json,
                quiet,
            )
            return
        from runtime import predict as prediction

        steps = Steps(quiet, verbose)
        feeds = prediction.read_inputs(input or [])
        with steps(f"Loading {model}"):
            made = prediction.load_model(model, graphtools.cli.names(outputs), checkpoint, weights, signature, tag, device)
        with steps("Computing"):
            results = made.run(feeds, log_device_placement=log_device_placement, profile=profile, quiet=quiet)
        ports = {k: {"dtype": str(v.dtype), "shape": list(v.shape)} for k, v in results.items()}
        if output is not None:
            prediction.write_outputs(results, output)
            if not quiet and not as_json:
                listed = ", ".join(f"{k} {p['dtype']}{p['shape']}" for k, p in ports.items())
                typer.echo(f"Wrote {output}: {listed}")
        elif not as_json:
            prediction.print_outputs(results)
        if as_json:
            import json

            values = {} if output is not None else {k: {"values": prediction.plain(v)} for k, v in results.items()}
            shown: dict[str, Any] = {k: p | values.get(k, {}) for k, p in ports.items()}
            typer.echo(json.dumps(shown if output is None else {"path": str(output), "outputs": shown}))


def predict_batches(
    model: Path, data: list[Path], out: Path, batch: int, input: list[str], outputs: str | None, checkpoint: Path | None, weights: Path | None,
    signature: str | None, tag: list[str] | None, device: str, data_input: str | None, jobs: int, cluster: str | None, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """`predict --data`: parts of the data, each computed once and written whole."""
    import json

    from runtime import batches
    from runtime import predict as prediction

    constants = prediction.read_inputs(input)
    parts = batches.parts_of(batches.data_files(data), batch)
    path = prediction.onnx_file(model, out, graphtools.cli.names(outputs), checkpoint, weights, signature, tag)
    work = batches.Work(str(path.resolve()), str(out.resolve()), batch, device, data_input, constants)
    executor, at_once = (None, jobs) if cluster is None else batches.cluster(cluster)
    with Progress(quiet) as progress:
        outcome = batches.run_job(work, parts, executor, jobs=at_once, on_part=progress)
    if as_json:
        typer.echo(json.dumps({"parts": outcome.parts, "rows": outcome.rows, "kept": outcome.kept, "failed": outcome.failed}))
    elif not quiet:
        kept = f", {outcome.kept} of them from before" if outcome.kept else ""
        typer.echo(f"{outcome.parts - len(outcome.failed)} of {outcome.parts} parts are in {out}{kept}: {outcome.rows} rows in all.")
    if outcome.failed:
        stop("\n".join(["These parts failed; run the same command again to compute what is missing:", *outcome.failed.values()]), 1)


@app.command("compile")
def compile_model(
    model: graphtools.cli.Model,
    fetch: Annotated[list[str], typer.Option("--fetch", metavar="NAME", help="A tensor to compute; may be repeated.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="The folder to write: model.onnx and compile.json.")],
    feed: Annotated[
        list[str] | None,
        typer.Option(
            "--feed", metavar="NAME[=1x28x28]", help="A tensor that will be fed, and its shape (? leaves a size open); may be repeated."
        ),
    ] = None,
    checkpoint: graphtools.cli.Checkpoint = None,
    weights: graphtools.cli.Weights = None,
    signature: graphtools.cli.SignatureName = None,
    tag: graphtools.cli.Tag = None,
    device: Device = "auto",
    portable: Annotated[bool, typer.Option("--portable", help="Optimise only what holds on every machine.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Compile a subgraph ahead of time, as tfcompile did.

    Example: tfrevive compile frozen.pb --feed x:0=1x784 --fetch prob:0 -o compiled/
    """
    from runtime.errors import OpError

    with Failing(OpError):
        import json

        from runtime import artifact

        check_folder(output)
        steps = Steps(quiet, verbose)
        feeds = dict(artifact.read_feed(f) for f in feed or [])
        with steps(f"Loading {model}"):
            graph = graphtools.cli.load(model, checkpoint, weights, signature, tag, script_graph)
        with steps("Compiling"):
            report = artifact.compile_graph(graph, feeds, fetch, output, device=device, portable=portable)
        if as_json or not quiet:
            typer.echo(json.dumps(report, indent=2) if as_json else artifact.describe(report))


@app.command("doctor")
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Say what works on this machine, and what to install.

    Example: tfrevive doctor

    Exit status: 0, or 1 when something keeps tfrevive from working.
    """
    from runtime.doctor import examine, report

    found = examine()
    if as_json:
        import json

        typer.echo(json.dumps(found, indent=2))
    else:
        typer.echo(report(found))
    raise typer.Exit(1 if found["problems"] else 0)


def main() -> None:
    """Entry point of the `tfrevive` command."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(141)


if __name__ == "__main__":
    main()
