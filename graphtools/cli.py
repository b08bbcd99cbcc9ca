"""The subcommands `inspect` and `convert`: options in, one call, one report out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphtools.quick import Command
from migrate.cli import Quiet, Verbose
from migrate.report.output import Steps, check_folder, check_place, stop, whole, write_whole

if TYPE_CHECKING:
    from graphtools.graph import Graph

# What the layers above lend: a script's graph, and the values of a model's outputs for given inputs.
ScriptGraph = Callable[[Path, int | None], "Graph"]
RunModel = Callable[[bytes, dict[str, Any]], dict[str, Any]]
WriteEvents = Callable[["Graph", Path], Path]

Model = Annotated[Path, typer.Argument(metavar="MODEL", help="A .pb, .pbtxt, .meta, SavedModel folder, .h5, or a script (.py).")]
Checkpoint = Annotated[Path | None, typer.Option("--checkpoint", help="The checkpoint that holds the values of the variables.")]
Weights = Annotated[Path | None, typer.Option("--weights", help="The weights (.h5) of a Keras model saved as JSON or YAML.")]
SignatureName = Annotated[str | None, typer.Option("--signature", help="Which signature of a SavedModel or MetaGraph.")]
Tag = Annotated[list[str] | None, typer.Option("--tag", help="The tags of the MetaGraph in a SavedModel; may be repeated.")]


def register(app: typer.Typer, script_graph: ScriptGraph, run_model: RunModel, write_events: WriteEvents) -> None:
    """Add the subcommands to the command line."""

    @app.command("inspect", cls=Command)
    def inspect(
        model: Annotated[Path | None, typer.Argument(metavar="MODEL", help="A model of any format.")] = None,
        checkpoint: Checkpoint = None,
        weights: Weights = None,
        signature: SignatureName = None,
        tag: Tag = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
        html: Annotated[Path | None, typer.Option("--html", help="Write one self-contained page with the graph drawn by scopes.")] = None,
        tensorboard: Annotated[
            Path | None, typer.Option("--tensorboard", metavar="DIR", help="Write an event file for TensorBoard's Graphs tab.")
        ] = None,
        ops: Annotated[bool, typer.Option("--ops", help="List the ops that convert, with those that have shapes and gradients.")] = False,
        quiet: Quiet = False,
        verbose: Verbose = False,
    ) -> None:
        """Say what a model holds, and what of it will not convert.

        Example: tfrevive inspect frozen.pb --html graph.html

        Exit status: 0, 1 when a script fails, 2 when the model cannot be read.
        """
        with Failing():
            if ops:
                typer.echo(json.dumps(list(coverage_rows()), indent=1) if as_json else coverage())
                return
            if model is None:
                stop("Name a model, or ask for --ops.", 2)
            if html is not None:
                check_place(html)
            if tensorboard is not None:
                check_folder(tensorboard)
            steps = Steps(quiet, verbose)
            with steps(f"Loading {model}"):
                graph = load(model, checkpoint, weights, signature, tag, script_graph)
            from graphtools.analyze import analyze

            with steps("Analysing"):
                analysis = analyze(graph)
            if as_json or not quiet:
                typer.echo(json.dumps(analysis.to_json(), indent=2) if as_json else report(analysis))
            if html is not None:
                from graphtools.to_html import to_html

                with steps(f"Drawing {html}"):
                    write_whole(html, to_html(graph, analysis, model.name))
            if tensorboard is not None:
                events = write_events(graph, tensorboard)
                if not quiet:
                    typer.echo(f"Wrote {events}; see it with: tensorboard --logdir {tensorboard}", err=True)

    @app.command("convert", cls=Command)
    def convert(
        model: Model,
        output: Annotated[
            Path | None, typer.Option("-o", "--output", help="The ONNX file to write. [default: the model's name with .onnx]")
        ] = None,
        inputs: Annotated[
            str | None,
            typer.Option(
                "--inputs",
                help="Input tensors, comma separated, with a shape where the graph has none: x:0,y:0[1,?,3]. [default: the signature's, else the placeholders]",
            ),
        ] = None,
        outputs: Annotated[
            str | None,
            typer.Option(
                "--outputs", help="Output tensors or train ops, comma separated. [default: the signature's, else what nothing reads]"
            ),
        ] = None,
        signature: SignatureName = None,
        tag: Tag = None,
        checkpoint: Checkpoint = None,
        weights: Weights = None,
        after: Annotated[
            int | None,
            typer.Option("--after", metavar="N", help="For a script: stop after N Session.run calls. [default: run it to the end]"),
        ] = None,
        verify: Annotated[
            Path | None,
            typer.Option("--verify", metavar="IO.npz", help="Compare with recorded values: arrays 'in:TENSOR' and 'out:TENSOR'."),
        ] = None,
        rtol: Annotated[float, typer.Option(help="Relative tolerance of --verify.")] = 1e-3,
        atol: Annotated[float, typer.Option(help="Absolute tolerance of --verify.")] = 1e-5,
        as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
        quiet: Quiet = False,
        verbose: Verbose = False,
    ) -> None:
        """Convert a model, or the graph a script builds, to ONNX.

        Example: tfrevive convert frozen.pb -o model.onnx --outputs softmax:0

        Exit status: 0, 1 when it does not convert or does not match, 2 when the model cannot be read.
        """
        with Failing():
            from graphtools.convert import write_onnx
            from graphtools.shapes import refine

            path = output or Path(f"{model.name.split('.')[0] or model.stem}.onnx")
            check_place(path)
            known = shapes_of(inputs)
            steps = Steps(quiet, verbose)
            with steps(f"Loading {model}"):
                graph = load(model, checkpoint, weights, signature, tag, script_graph, after)
            recorded = read_io(verify) if verify is not None else None
            wanted_in, wanted_out = list(known) if inputs is not None else None, names(outputs)
            if recorded is not None:
                wanted_in = wanted_in or list(recorded[0])
                wanted_out = wanted_out or list(recorded[1])
                known = {name: (None,) * recorded[0][name].ndim for name in wanted_in if name in recorded[0]} | {
                    k: v for k, v in known.items() if v is not None
                }
            if any(v is not None for v in known.values()):
                refine(graph, {k: v for k, v in known.items() if v is not None})
            largest = None
            with whole(path) if recorded is not None else nullcontext(path) as place:
                with steps("Converting"):
                    made = write_onnx(graph, place, inputs=wanted_in, outputs=wanted_out)
                if recorded is not None:
                    with steps("Comparing"):
                        problem, largest = compare(run_model(place.read_bytes(), recorded[0]), recorded[1], rtol, atol)
                    if not (as_json or quiet):
                        typer.echo(f"Largest difference from the recorded values: {largest:.3g}")
                    if problem is not None:
                        stop(f"The converted model does not match {verify}: {problem}. Nothing was written.", 1)
            if as_json:
                typer.echo(
                    json.dumps(
                        {
                            "path": str(path),
                            "nodes": made.nodes,
                            "inputs": made.inputs,
                            "outputs": made.outputs,
                            "largest_difference": largest,
                        }
                    )
                )
            elif not quiet:
                typer.echo(f"Wrote {path}: {made.nodes} nodes, inputs {made.inputs}, outputs {made.outputs}")


def load(
    model: Path,
    checkpoint: Path | None,
    weights: Path | None,
    signature: str | None,
    tags: list[str] | None,
    script_graph: ScriptGraph,
    after: int | None = None,
) -> Graph:
    """The graph of a model file or a script. Raises FileNotFoundError and FormatError."""
    import graphtools

    if not model.exists():
        raise FileNotFoundError(f"There is no file or folder {model}.")
    if model.suffix == ".onnx":
        from graphtools.errors import FormatError

        raise FormatError(f"{model} is an ONNX model already: `tfrevive predict` runs it.")
    if model.suffix == ".py":
        return script_graph(model, after)
    return graphtools.load(model, checkpoint=checkpoint, weights=weights, signature=signature, tags=tags)


def names(text: str | None) -> list[str] | None:
    return None if text is None else [n.strip() for n in text.split(",") if n.strip()]


def shapes_of(text: str | None) -> dict[str, tuple[int | None, ...] | None]:
    """Input names with the shapes written behind them: "x:0,y:0[1,?,3]"."""
    import re

    found: dict[str, tuple[int | None, ...] | None] = {}
    if not re.fullmatch(r"(\s*[^,\[\]]+(\[[\d\s,?]*\])?\s*(,|$))*", text or ""):
        raise ValueError(f"--inputs {text!r}: expected names, each with its shape behind it where that is to be fixed: x:0,y:0[1,?,3].")
    for name, shape in re.findall(r"\s*([^,\[\]]+)(\[[^\]]*\])?\s*(?:,|$)", text or ""):
        sizes = [s.strip() for s in shape.strip("[]").split(",") if s.strip()]
        found[name.strip()] = tuple(int(s) if s.isdigit() else None for s in sizes) if shape else None
    return found


def read_io(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The feeds and the recorded outputs in an .npz of 'in:TENSOR' and 'out:TENSOR' arrays."""
    from zipfile import BadZipFile

    import numpy as np

    from graphtools.errors import FormatError

    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        data = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, BadZipFile) as e:
        raise FormatError(f"{path} is no .npz: {e}") from e
    if isinstance(data, np.ndarray):
        raise FormatError(f"{path} is one array; expected an .npz of arrays named 'in:TENSOR' and 'out:TENSOR'.")
    with data:
        feeds = {k[3:]: data[k] for k in data.files if k.startswith("in:")}
        wanted = {k[4:]: data[k] for k in data.files if k.startswith("out:")}
    if not wanted:
        raise ValueError(
            f"{path} has no arrays named 'out:TENSOR' to compare with; it has {', '.join(map(repr, data.files)) or 'none'}. Save it with numpy.savez."
        )
    return feeds, wanted


def compare(got: dict[str, Any], wanted: dict[str, Any], rtol: float, atol: float) -> tuple[str | None, float]:
    """What differs, if anything, and the largest absolute difference."""
    import numpy as np

    problem, largest = None, 0.0
    for name, want in wanted.items():
        have = got.get(name)
        if have is None:
            continue
        if np.shape(have) != want.shape:
            return f"{name} has shape {np.shape(have)}, recorded is {want.shape}", float("inf")
        if want.dtype.kind in "fc":
            if want.size:
                largest = max(largest, float(np.nanmax(np.abs(np.where(np.isfinite(want), have - want, 0)), initial=0.0)))
            if not np.allclose(have, want, rtol=rtol, atol=atol, equal_nan=True):
                problem = f"{name} differs by up to {largest:.3g}"
        elif not np.array_equal(np.asarray(have).astype(str) if want.dtype.kind in "US" else have, want):
            problem = f"{name} differs"
    return problem, largest


def report(analysis: Any) -> str:
    """An analysis as text."""
    lines = [
        f"{analysis.nodes} nodes, {analysis.variables} variables, {analysis.parameters:,} parameters ({analysis.parameter_bytes / 1e6:.2f} MB)"
    ]
    lines.append(
        f"{analysis.flops / 1e6:.2f} MFLOPs and {analysis.activation_bytes / 1e6:.2f} MB of activations, unknown dimensions counted as 1"
    )
    for title, ports in (("Inputs", analysis.inputs), ("Outputs", analysis.outputs)):
        lines.append(f"{title}:")
        lines.extend(f"  {p.name}  {p.dtype}{p.shape}" for p in ports[:40])
        if len(ports) > 40:
            lines.append(f"  and {len(ports) - 40} more")
    lines.append("Ops: " + ", ".join(f"{op} {n}" for op, n in analysis.ops.items()))
    if analysis.control_flow:
        lines.append("Control flow: " + ", ".join(f"{op} {n}" for op, n in analysis.control_flow.items()))
    if set(analysis.devices) != {"(none)"}:
        lines.append("Devices asked for: " + ", ".join(f"{d} {n}" for d, n in analysis.devices.items()))
    if analysis.missing:
        lines.append("No conversion for:")
        lines.extend(
            f"  {op}: {', '.join(found[:5])}{f' and {len(found) - 5} more' if len(found) > 5 else ''}"
            for op, found in sorted(analysis.missing.items())
        )
    return "\n".join(lines)


def coverage_rows() -> Iterator[dict[str, Any]]:
    """What there is for each op: a conversion, a shape function, a gradient ("none flows": as TensorFlow defines it)."""
    from graphtools import convert, gradients, shapes

    handlers, shape_functions, gradient_functions = convert.load(), shapes.load(), gradients.load()
    for op in sorted({*handlers, *gradient_functions}):
        gradient = "yes" if op in gradient_functions else "none flows" if op in gradients.NOT_DIFFERENTIABLE else ""
        yield {"op": op, "converts": op in handlers, "shape": op in shape_functions, "gradient": gradient}


def coverage() -> str:
    """The table of ops, printed from the registries."""
    from graphtools import convert, gradients, shapes

    lines = ["| op | converts | shape | gradient |", "|---|---|---|---|"]
    for row in coverage_rows():
        lines.append(f"| {row['op']} | {'yes' if row['converts'] else ''} | {'yes' if row['shape'] else ''} | {row['gradient']} |")
    lines.append("")
    lines.append(f"{len(convert.load())} ops convert, {len(shapes.load())} have shape functions, {len(gradients.load())} have gradients.")
    return "\n".join(lines)


class Failing:
    """Turns the errors a user can meet, and those of the classes given, into a line on stderr and an exit code: 2 unreadable, 1 not convertible."""

    def __init__(self, *others: type[Exception]) -> None:
        self.others = others

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        from graphtools.errors import ConversionError, FormatError

        if error is None or isinstance(error, typer.Exit | SystemExit | KeyboardInterrupt | BrokenPipeError):
            return
        if isinstance(error, FormatError | OSError):
            stop(str(error), 2)
        if isinstance(error, KeyError):
            stop(str(error.args[0]), 1)
        if isinstance(error, (ConversionError, ValueError, TypeError, NotImplementedError, RuntimeError, *self.others)):
            stop(str(error), 1)
