"""SavedModel folders, binary and text -> Graph: tags, signatures, variables, assets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from graphtools.errors import FormatError
from graphtools.formats import metagraph, schema, variables
from graphtools.formats.assets import Assets, point_at
from graphtools.formats.checkpoint import open_checkpoint
from graphtools.graph import Graph
from graphtools.state import VARIABLES

# Collections (of the 1.x format) and signatures (of the 2.x format) that name the op to run before anything else.
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")
_INIT_SIGNATURE = "__saved_model_init_op"


def read(path: Path, data: bytes | memoryview, is_text: bool, *, signature: str | None = None, tags: Sequence[str] | None = None) -> Graph:
    """The graph with these tags in a saved_model.pb or .pbtxt at `path`, whose content is `data`. Raises FormatError.

    Without tags, the one tagged "serve" is meant when there are several.
    """
    what = str(path)
    if is_text:
        message = schema.parse_text("SavedModel", bytes(data), what=what)
        tag_sets = [list(m.meta_info_def.tags) for m in message.meta_graphs]
        chosen = choose_tags(tag_sets, tags, what)
        graph = metagraph.from_message(message.meta_graphs[chosen], signature=signature, what=what)
    else:
        spans = _meta_graphs(data, what)
        tag_sets = [_tags(memoryview(data)[start:stop], what, start) for start, stop in spans]
        start, stop = spans[choose_tags(tag_sets, tags, what)]
        graph = metagraph.read(memoryview(data)[start:stop], signature=signature, what=what, offset=start)
    folder = path.parent
    _set_assets(graph, folder)
    _name_init_op(graph)
    if any(node.op in VARIABLES for node in graph):
        prefix = folder / "variables" / "variables"
        if prefix.parent.is_dir() and any(prefix.parent.iterdir()):
            graph.values = variables.bind(graph, open_checkpoint(prefix))
        elif graph.meta.saver_def.restore_op_name:  # without it, the model has only variables that are not saved
            raise FormatError(f"{what} has variables, but {prefix}.index, which has their values, is missing.")
    return graph


def _meta_graphs(data: bytes | memoryview, what: str) -> list[tuple[int, int]]:
    """Where the MetaGraphDefs of a binary SavedModel start and stop."""
    spans, at = [], 0
    try:
        while at < len(data):
            number, wire, start, stop = schema.field_at(data, at, len(data))
            if number == 2 and wire == 2:
                spans.append((start, stop))
            at = stop
    except schema.WireError as e:
        raise FormatError(f"{what} is damaged at byte {e.args[0]}: {e.args[1]}.") from e
    return spans


def _tags(view: memoryview, what: str, offset: int) -> list[str]:
    at = 0
    try:
        while at < len(view):
            number, wire, start, stop = schema.field_at(view, at, len(view))
            if number == 1 and wire == 2:
                return list(schema.parse("MetaGraphDef_MetaInfoDef", view[start:stop], what=what, offset=offset + start).tags)
            at = stop
    except schema.WireError as e:
        raise FormatError(f"{what} is damaged at byte {offset + e.args[0]}: {e.args[1]}.") from e
    return []


def choose_tags(tag_sets: Sequence[Sequence[str]], wanted: Sequence[str] | None, what: str) -> int:
    """Which of the tag sets is meant: the one that is just `wanted`, else the smallest that includes it. Raises FormatError."""
    if not tag_sets:
        raise FormatError(f"{what} holds no graph.")
    there = "; ".join(", ".join(map(repr, tags)) or "no tags" for tags in tag_sets)
    if wanted is not None:
        wanted = [wanted] if isinstance(wanted, str) else wanted
        fitting = [i for i, tags in enumerate(tag_sets) if set(wanted) <= set(tags)]
        if not fitting:
            raise FormatError(f"{what} has no graph with the tags {', '.join(map(repr, wanted))}; its graphs have the tags: {there}.")
        return min(fitting, key=lambda i: len(tag_sets[i]))
    if len(tag_sets) == 1:
        return 0
    fitting = [i for i, tags in enumerate(tag_sets) if "serve" in tags]
    if not fitting:
        raise FormatError(f"{what} holds {len(tag_sets)} graphs and none is tagged 'serve'; choose by tags from: {there}.")
    return min(fitting, key=lambda i: len(tag_sets[i]))


def _set_assets(graph: Graph, folder: Path) -> None:
    """Point the asset tensors at the files beside the model, as loading a SavedModel does."""
    files: dict[str, str] = {}  # tensor name -> file name
    for definition in graph.meta.asset_file_def:
        files[definition.tensor_info.name] = definition.filename
    for entry in graph.collections.get("saved_model_assets", ()):
        if hasattr(entry, "filename"):
            files[entry.tensor_info.name] = entry.filename
    for name in files.values():
        parts = name.replace("\\", "/").split("/")
        if not name or "\0" in name or name.startswith("/") or ".." in parts or ":" in parts[0]:
            raise FormatError(f"The SavedModel {folder} has an asset {name!r}, which would be outside its folder.")
    home = folder / "assets"
    graph.assets = Assets({name: home / name for name in files.values()})
    for tensor_name, name in files.items():
        node = graph.nodes.get(tensor_name.partition(":")[0])
        if node is not None and node.op == "Const":
            point_at(node, home / name)


def _name_init_op(graph: Graph) -> None:
    """Put the op that initialises tables and the like into the collection "saved_model_main_op", wherever the file names it."""
    init = graph.signatures.pop(_INIT_SIGNATURE, None)
    if init is not None and "saved_model_main_op" not in graph.collections:
        names = [n.partition(":")[0] for n in init.outputs.values()]
        graph.collections["saved_model_main_op"] = metagraph.Collection("saved_model_main_op", "node", names)


def init_ops(graph: Graph) -> list[str]:
    """The names of the ops that a SavedModel wants run once after it is loaded."""
    return [str(n).partition(":")[0] for name in _INIT_COLLECTIONS for n in graph.collections.get(name, ()) if isinstance(n, str)]
