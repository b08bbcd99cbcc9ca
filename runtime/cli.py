"""The command `tfrevive`: its subcommands, from every package."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import graphtools.cli
import migrate.cli
from graphtools.cli import Failing, stop

if TYPE_CHECKING:
    from graphtools.graph import Graph

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"tfrevive {version('tfrevive')}")
        raise typer.Exit


@app.callback()
def tfrevive(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")] = False,
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

    return capture(path, after=after)


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


def _print_coverage(wanted: bool) -> None:
    if not wanted:
        return
    from runtime.tf1.coverage import coverage

    rows = coverage()
    for place, names, here, missing in rows:
        typer.echo(f"{place:36} {here:5} of {names:5}  {' '.join(n.rpartition('.')[2] for n in missing)}".rstrip())
    typer.echo(f"{'all':36} {sum(r[2] for r in rows):5} of {sum(r[1] for r in rows):5}")
    raise typer.Exit


@app.command("run", context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False})
def run(
    script: Annotated[Path, typer.Argument(metavar="SCRIPT", help="A program for TensorFlow 0.x or 1.x.")],
    args: Annotated[list[str] | None, typer.Argument(help="The script's own arguments.")] = None,
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
    coverage: Annotated[
        bool,
        typer.Option(
            "--coverage", callback=_print_coverage, is_eager=True, help="Print which names of TensorFlow 1.15 work, by module, and stop."
        ),
    ] = False,
) -> None:
    """Execute a TensorFlow 0.x or 1.x script on ONNX Runtime, without TensorFlow.

    Example: tfrevive run train.py --epochs 3
    """
    from migrate.source import SourceError
    from runtime import script as scripts

    if not script.exists():
        stop(f"There is no file {script}.", 2)
    try:
        scripts.run_script(
            script,
            args or (),
            device=device,
            log_device_placement=log_device_placement,
            profile=profile,
            export=export,
            allow_soft_placement=allow_soft_placement,
        )
    except SourceError as e:
        stop(scripts.describe_source_error(e), 2)
    except SystemExit:
        raise
    except Exception as e:
        typer.echo(scripts.describe_error(e, script), err=True)
        raise typer.Exit(1) from None


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
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: the outputs, or what became of the parts.")] = False,
) -> None:
    """Run a model of any supported format on ONNX Runtime.

    Example: tfrevive predict frozen.pb --input x:0=images.npy

    Example: tfrevive predict frozen.pb --data images/ --batch 64 --out answers/
    """
    with Failing():
        if data:
            if out is None:
                stop("--data needs --out DIR.", 2)
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
            )
            return
        from runtime import predict as prediction

        feeds = prediction.read_inputs(input or [])
        made = prediction.load_model(model, graphtools.cli.names(outputs), checkpoint, weights, signature, tag, device)
        results = made.run(feeds, log_device_placement=log_device_placement, profile=profile)
        if as_json and output is None:
            import json

            typer.echo(
                json.dumps({k: {"dtype": str(v.dtype), "shape": list(v.shape), "values": prediction.plain(v)} for k, v in results.items()})
            )
        else:
            prediction.write_outputs(results, output)


def predict_batches(
    model: Path, data: list[Path], out: Path, batch: int, input: list[str], outputs: str | None, checkpoint: Path | None, weights: Path | None,
    signature: str | None, tag: list[str] | None, device: str, data_input: str | None, jobs: int, cluster: str | None, as_json: bool,
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
    shown = sys.stderr.isatty()

    def progress(done: int, total: int) -> None:
        typer.echo(f"\r{done} of {total} parts", err=True, nl=done == total)

    outcome = batches.run_job(work, parts, executor, jobs=at_once, on_part=progress if shown else None)
    if as_json:
        typer.echo(json.dumps({"parts": outcome.parts, "rows": outcome.rows, "kept": outcome.kept, "failed": outcome.failed}))
    else:
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
) -> None:
    """Compile the subgraph between feeds and fetches ahead of time, as tfcompile did, and say what that fixed.

    Example: tfrevive compile frozen.pb --feed x:0=1x784 --fetch prob:0 -o compiled/
    """
    with Failing():
        import json

        from runtime import artifact

        feeds = dict(artifact.read_feed(f) for f in feed or [])
        graph = graphtools.cli.load(model, checkpoint, weights, signature, tag, script_graph)
        report = artifact.compile_graph(graph, feeds, fetch, output, device=device, portable=portable)
        typer.echo(json.dumps(report, indent=2) if as_json else artifact.describe(report))


@app.command("doctor")
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Versions, ONNX Runtime's providers and whether they work here, and what to install when one does not.

    Example: tfrevive doctor
    """
    from runtime.doctor import examine, report

    found = examine()
    if as_json:
        import json

        typer.echo(json.dumps(found, indent=2))
    else:
        typer.echo(report(found))


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
