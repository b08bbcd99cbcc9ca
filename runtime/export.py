"""Writing what a script built: GraphDef, checkpoint and ONNX."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from graphtools.errors import ConversionError
from graphtools.graph import Graph
from migrate.report.output import write_whole
from runtime import ort


def values_of(session: Any) -> dict[str, Any]:
    """The values of a session's variables, as arrays."""
    return {key: ort.to_numpy(value).copy() for key, value in session._session.state.variables.items()}


def with_values(session: Any) -> Graph:
    """A session's graph with the values of its variables in `graph.values`."""
    graph: Graph = session.graph
    graph.values = values_of(session)
    return graph


def export_graph(session: Any, folder: Path) -> None:
    """Write graph.pb, graph.pbtxt, model.ckpt and, where the graph converts, model.onnx. Without a session there is nothing to write."""
    from graphtools.convert import write_onnx
    from graphtools.formats import checkpoint, graphdef

    if session is None:
        print("tfrevive: the script made no session; nothing was exported.", file=sys.stderr)
        return
    folder.mkdir(parents=True, exist_ok=True)
    graph = with_values(session)
    write_whole(folder / "graph.pb", graphdef.write(graph))
    write_whole(folder / "graph.pbtxt", graphdef.write_text(graph))
    if graph.values:
        checkpoint.write_v2(folder / "model.ckpt", [checkpoint.Saved(name, value) for name, value in sorted(graph.values.items())])
    try:
        write_onnx(graph, folder / "model.onnx")
    except ConversionError as e:
        print(f"tfrevive: graph and checkpoint are in {folder}; the whole graph does not convert to ONNX: {e}", file=sys.stderr)
