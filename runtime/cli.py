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
    help="Upgrade, convert and run the TensorFlow programs of 2015-2019.",
)

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
) -> None:
    """Execute a TensorFlow 0.x or 1.x script on ONNX Runtime, without TensorFlow.

    Example: tfrevive run train.py --epochs 3
    """
    from migrate.source import SourceError
    from runtime import script as scripts

    if not script.exists():
        stop(f"There is no file {script}.", 2)
    try:
        scripts.run_script(script, args or (), device=device, log_device_placement=log_device_placement, profile=profile, export=export)
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
    input: Annotated[list[str], typer.Option("--input", "-i", metavar="NAME=FILE.npy", help="An input tensor's values; may be repeated.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the outputs as .npz. [default: print them]")] = None,
    outputs: Annotated[str | None, typer.Option("--outputs", help="Output tensors, comma separated.")] = None,
    checkpoint: graphtools.cli.Checkpoint = None,
    weights: graphtools.cli.Weights = None,
    signature: graphtools.cli.SignatureName = None,
    tag: graphtools.cli.Tag = None,
    device: Device = "auto",
    log_device_placement: LogPlacement = False,
    profile: Profile = None,
) -> None:
    """Run a model of any supported format on ONNX Runtime.

    Example: tfrevive predict frozen.pb --input x:0=images.npy
    """
    with Failing():
        from runtime import predict as prediction

        feeds = prediction.read_inputs(input)
        made = prediction.load_model(model, graphtools.cli.names(outputs), checkpoint, weights, signature, tag, device)
        results = made.run(feeds, log_device_placement=log_device_placement, profile=profile)
        prediction.write_outputs(results, output)


@app.command("doctor")
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Versions, ONNX Runtime's providers and whether they work here, and what to install when one does not."""
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
