"""tf.profiler: parameters, float operations, time and memory of a graph, by scope, op type or line of the script."""

from __future__ import annotations

import copy
import itertools
import math
import os
import re
from typing import Any

from runtime.tf1.flops import flops_of
from runtime.tf1.graph import GraphKeys, get_default_graph
from runtime.tf1.registry import export, put

ROOT = "_TFProfRoot"
TRAINABLE = "_trainable_variables"

_DEFAULTS: dict[str, Any] = {
    "max_depth": 10000, "min_bytes": 0, "min_peak_bytes": 0, "min_residual_bytes": 0, "min_output_bytes": 0, "min_micros": 0,
    "min_accelerator_micros": 0, "min_cpu_micros": 0, "min_params": 0, "min_float_ops": 0, "min_occurrence": 0, "order_by": "name",
    "account_type_regexes": [".*"], "start_name_regexes": [".*"], "trim_name_regexes": [], "show_name_regexes": [".*"], "hide_name_regexes": [],
    "account_displayed_op_only": False, "select": ["micros"], "step": -1, "output": "stdout",
}  # fmt: skip


@export("profiler.ProfileOptionBuilder")
class ProfileOptionBuilder:
    """Options of a profile, one method each."""

    def __init__(self, options: Any = None) -> None:
        self._options: dict[str, Any] = copy.deepcopy(options) if options is not None else dict(copy.deepcopy(_DEFAULTS))

    @staticmethod
    def trainable_variables_parameter() -> dict[str, Any]:
        made = {
            k: copy.deepcopy(v) for k, v in _DEFAULTS.items() if k not in _MEMORY and k not in ("min_accelerator_micros", "min_cpu_micros")
        }
        return {**made, "account_type_regexes": [TRAINABLE], "account_displayed_op_only": True, "select": ["params"]}

    @staticmethod
    def float_operation() -> dict[str, Any]:
        made = {
            k: copy.deepcopy(v) for k, v in _DEFAULTS.items() if k not in _MEMORY and k not in ("min_accelerator_micros", "min_cpu_micros")
        }
        return {**made, "min_float_ops": 1, "order_by": "float_ops", "account_displayed_op_only": True, "select": ["float_ops"]}

    @staticmethod
    def time_and_memory(
        min_micros: int = 1, min_bytes: int = 1, min_accelerator_micros: int = 0, min_cpu_micros: int = 0, min_peak_bytes: int = 0,
        min_residual_bytes: int = 0, min_output_bytes: int = 0,
    ) -> dict[str, Any]:  # fmt: skip
        given = dict(
            min_bytes=min_bytes, min_peak_bytes=min_peak_bytes, min_residual_bytes=min_residual_bytes, min_output_bytes=min_output_bytes, min_micros=min_micros,
            min_accelerator_micros=min_accelerator_micros, min_cpu_micros=min_cpu_micros,
        )  # fmt: skip
        return {**copy.deepcopy(_DEFAULTS), **given, "order_by": "micros", "account_displayed_op_only": True, "select": ["micros", "bytes"]}

    def build(self) -> dict[str, Any]:
        return copy.deepcopy(self._options)

    def _with(self, **values: Any) -> ProfileOptionBuilder:
        self._options.update(values)
        return self

    def with_max_depth(self, max_depth: int) -> ProfileOptionBuilder:
        return self._with(max_depth=max_depth)

    def with_min_memory(
        self, min_bytes: int = 0, min_peak_bytes: int = 0, min_residual_bytes: int = 0, min_output_bytes: int = 0
    ) -> ProfileOptionBuilder:
        return self._with(
            min_bytes=min_bytes, min_peak_bytes=min_peak_bytes, min_residual_bytes=min_residual_bytes, min_output_bytes=min_output_bytes
        )

    def with_min_execution_time(
        self, min_micros: int = 0, min_accelerator_micros: int = 0, min_cpu_micros: int = 0
    ) -> ProfileOptionBuilder:
        return self._with(min_micros=min_micros, min_accelerator_micros=min_accelerator_micros, min_cpu_micros=min_cpu_micros)

    def with_min_parameters(self, min_params: int) -> ProfileOptionBuilder:
        return self._with(min_params=min_params)

    def with_min_occurrence(self, min_occurrence: int) -> ProfileOptionBuilder:
        return self._with(min_occurrence=min_occurrence)

    def with_min_float_operations(self, min_float_ops: int) -> ProfileOptionBuilder:
        return self._with(min_float_ops=min_float_ops)

    def with_accounted_types(self, account_type_regexes: Any) -> ProfileOptionBuilder:
        return self._with(account_type_regexes=copy.copy(account_type_regexes))

    def with_node_names(
        self, start_name_regexes: Any = None, show_name_regexes: Any = None, hide_name_regexes: Any = None, trim_name_regexes: Any = None
    ) -> ProfileOptionBuilder:
        given = dict(
            start_name_regexes=start_name_regexes, show_name_regexes=show_name_regexes, hide_name_regexes=hide_name_regexes, trim_name_regexes=trim_name_regexes
        )  # fmt: skip
        return self._with(**{k: copy.copy(v) for k, v in given.items() if v is not None})

    def account_displayed_op_only(self, is_true: bool) -> ProfileOptionBuilder:
        return self._with(account_displayed_op_only=is_true)

    def with_empty_output(self) -> ProfileOptionBuilder:
        return self._with(output="none")

    def with_stdout_output(self) -> ProfileOptionBuilder:
        return self._with(output="stdout")

    def with_file_output(self, outfile: str) -> ProfileOptionBuilder:
        return self._with(output=f"file:outfile={outfile}")

    def with_timeline_output(self, timeline_file: str) -> ProfileOptionBuilder:
        return self._with(output=f"timeline:outfile={timeline_file}")

    def with_pprof_output(self, pprof_file: str) -> ProfileOptionBuilder:
        return self._with(output=f"pprof:outfile={pprof_file}")

    def order_by(self, attribute: str) -> ProfileOptionBuilder:
        return self._with(order_by=attribute)

    def select(self, attributes: Any) -> ProfileOptionBuilder:
        return self._with(select=copy.copy(attributes))

    def with_step(self, step: int) -> ProfileOptionBuilder:
        return self._with(step=step)


_MEMORY = ("min_peak_bytes", "min_residual_bytes", "min_output_bytes")


@export("profiler.GraphNodeProto")
class GraphNodeProto:
    """A node of a profile: its own numbers, the totals of what is below it, and that."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.devices: list[str] = []
        self.run_count = self.total_run_count = self.total_definition_count = 0
        self.exec_micros = self.total_exec_micros = 0
        self.accelerator_exec_micros = self.total_accelerator_exec_micros = 0
        self.cpu_exec_micros = self.total_cpu_exec_micros = 0
        self.requested_bytes = self.total_requested_bytes = 0
        self.peak_bytes = self.total_peak_bytes = self.residual_bytes = self.total_residual_bytes = self.output_bytes = (
            self.total_output_bytes
        ) = 0
        self.parameters = self.total_parameters = 0
        self.float_ops = self.total_float_ops = 0
        self.shapes: list[Any] = []
        self.children: list[Any] = []

    def __repr__(self) -> str:
        shown = {k: v for k, v in vars(self).items() if v and k != "children"}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in shown.items())})"

    def _own(self) -> None:
        """The totals without anything below."""
        for name in COUNTED:
            setattr(self, f"total_{name}", getattr(self, name))

    def _add(self, other: Any) -> None:
        for name in COUNTED:
            setattr(self, f"total_{name}", getattr(self, f"total_{name}") + getattr(other, f"total_{name}"))


COUNTED = ("exec_micros", "accelerator_exec_micros", "cpu_exec_micros", "requested_bytes", "peak_bytes", "residual_bytes", "output_bytes", "parameters", "float_ops")  # fmt: skip


@export("profiler.MultiGraphNodeProto")
class MultiGraphNodeProto(GraphNodeProto):
    """A node of a profile that stands for several of the graph: those of an op type or of a line."""

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self.graph_nodes: list[Any] = []
        self.definition_count = 0


@export("profiler.AdviceProto")
class AdviceProto:
    """What checkers of a profile have to say, by their names."""

    def __init__(self) -> None:
        self.checkers: dict[str, list[str]] = {}


@export("profiler.OpLogProto")
class OpLogProto:
    """Types that users give to nodes."""

    def __init__(self) -> None:
        self.log_entries: list[Any] = []


# -- measuring -------------------------------------------------------------------------------------------------------


def _stats(run_metadata: Any) -> dict[str, tuple[int, int, str]]:
    """Op name -> (microseconds, bytes, device) of a traced run."""
    found: dict[str, tuple[int, int, str]] = {}
    if run_metadata is None:
        return found
    for device in run_metadata.step_stats.dev_stats:
        for node in device.node_stats:
            name = node.node_name.split(":")[0]
            micros, size, _ = found.get(name, (0, 0, ""))
            micros += int(node.all_end_rel_micros or node.op_end_rel_micros)
            size += sum(int(m.total_bytes) for m in node.memory)
            found[name] = (micros, size, device.device)
    return found


def _measured(graph: Any, run_metadata: Any, op_log: Any, account: Any) -> list[tuple[Any, Any]]:
    """Each accounted op and its node of the profile."""
    trainable = {v.op for v in graph.get_collection(GraphKeys.TRAINABLE_VARIABLES)}
    patterns = [re.compile(p) for p in account]
    times = _stats(run_metadata)
    extra = {e.name: list(e.types) for e in getattr(op_log, "log_entries", [])} if op_log is not None else {}
    found = []
    for op in graph.get_operations():
        micros, size, device = times.get(op.name, (0, 0, op.device))
        types = [op.type, *([device] if device else []), *([TRAINABLE] if op in trainable else []), *extra.get(op.name, [])]
        if not any(p.fullmatch(t) or p.search(t) for p in patterns for t in types):
            continue
        node = GraphNodeProto(op.name)
        node.exec_micros, node.requested_bytes = micros, size
        on_accelerator = "GPU" in device.upper()
        node.accelerator_exec_micros, node.cpu_exec_micros = (micros, 0) if on_accelerator else (0, micros)
        node.float_ops = flops_of(op)
        if op.type in ("Variable", "VariableV2", "VarHandleOp"):
            dims = op.attr.get("shape")
            if dims is not None and None not in dims:
                node.parameters, node.shapes = math.prod(dims), [list(dims)]
        node.devices = [device] if device else []
        node.run_count = 1 if op.name in times else 0
        node._own()
        found.append((op, node))
    return found


# -- views -----------------------------------------------------------------------------------------------------------

_ATTRIBUTE = {  # of an option -> of a node
    "bytes": "requested_bytes", "peak_bytes": "peak_bytes", "residual_bytes": "residual_bytes", "output_bytes": "output_bytes", "micros": "exec_micros",
    "accelerator_micros": "accelerator_exec_micros", "cpu_micros": "cpu_exec_micros", "params": "parameters", "float_ops": "float_ops",
}  # fmt: skip


def _shows(node: Any, options: dict[str, Any], depth: int) -> bool:
    if depth > options["max_depth"] or not any(re.search(p, node.name) for p in options["show_name_regexes"]):
        return False
    if any(re.fullmatch(p, node.name) for p in options["hide_name_regexes"]):
        return False
    return all(getattr(node, _ATTRIBUTE[k]) >= options.get(f"min_{k}", 0) for k in _ATTRIBUTE)


def _sorted(nodes: list[Any], order: str) -> list[Any]:
    if order == "name":
        return sorted(nodes, key=lambda n: n.name)
    return sorted(nodes, key=lambda n: -getattr(n, f"total_{_ATTRIBUTE.get(order, order)}", 0))


def _scope_tree(measured: list[tuple[Any, Any]]) -> tuple[dict[str, list[str]], dict[str, Any]]:
    nodes = {node.name: node for _, node in measured}
    below: dict[str, list[str]] = {ROOT: []}
    for name in list(nodes):
        parts = name.split("/")
        parent = ROOT
        for i in range(1, len(parts) + 1):
            here = "/".join(parts[:i])
            if here not in below:
                below[here] = []
                below[parent].append(here)
            nodes.setdefault(here, GraphNodeProto(here))
            parent = here
    nodes.setdefault(ROOT, GraphNodeProto(ROOT))
    return below, nodes


def _scopes(measured: list[tuple[Any, Any]], options: dict[str, Any]) -> Any:
    below, nodes = _scope_tree(measured)
    accounted = {node.name for _, node in measured}

    def shown(name: str, depth: int) -> list[Any]:
        node = nodes[name]
        trimmed = any(re.fullmatch(p, name) for p in options["trim_name_regexes"])
        children = [] if trimmed else [c for n in below[name] for c in shown(n, depth + 1)]
        if name != ROOT and not (_shows(node, options, depth) and (name in accounted or children)):
            return children
        node._own()
        for child in children:
            node._add(child)
        node.children = _sorted(children, options["order_by"])
        return [node]

    return shown(ROOT, 0)[0]


def _flat(measured: list[tuple[Any, Any]], options: dict[str, Any]) -> Any:
    root = GraphNodeProto(ROOT)
    kept = [n for _, n in measured if _shows(n, options, 1)]
    for node in kept:
        node._own()
        root._add(node)
    root.children = _sorted(kept, options["order_by"])
    return root


def _grouped(measured: list[tuple[Any, Any]], options: dict[str, Any], key: Any) -> Any:
    """Op types (or lines) in a row, each node's totals those of itself and all after it."""
    groups: dict[str, Any] = {}
    for op, node in measured:
        group = groups.setdefault(key(op), MultiGraphNodeProto(key(op)))
        for name in COUNTED:
            setattr(group, name, getattr(group, name) + getattr(node, name))
        group.graph_nodes.append(node)
        group.definition_count += 1
    for group in groups.values():
        group._own()
    kept = [g for g in _sorted(list(groups.values()), options["order_by"]) if _shows(g, options, 1)]
    for earlier, later in reversed(list(itertools.pairwise(kept))):
        earlier._add(later)
        earlier.children = [later]
    root = MultiGraphNodeProto(ROOT)
    if kept:
        root._add(kept[0])
        root.children = [kept[0]]
    return root


def _line(op: Any) -> str:
    return f"{os.path.basename(op.source[0])}:{op.source[1]}:<module>" if op.source is not None else "<unknown>"


# -- text ------------------------------------------------------------------------------------------------------------


def _number(value: int) -> str:
    for limit, unit, size in ((1000, "", 1), (10**6, "k", 10**3), (10**9, "m", 10**6)):
        if value < limit:
            return str(value) if not unit else f"{value / size:.2f}{unit}"
    return f"{value / 10**9:.2f}b"


def _time(value: int) -> str:
    return f"{value}us" if value < 1000 else f"{value / 1000:.2f}ms" if value < 10**6 else f"{value / 10**6:.2f}sec"


def _memory(value: int) -> str:
    for limit, unit, size in ((1000, "B", 1), (10**6, "KB", 10**3), (10**9, "MB", 10**6)):
        if value < limit:
            return f"{value}B" if size == 1 else f"{value / size:.2f}{unit}"
    return f"{value / 10**9:.2f}GB"


_SHOWN = {  # attribute -> (heading, form of a value, what follows)
    "bytes": ("requested bytes", _memory, ""), "peak_bytes": ("peak bytes", _memory, ""), "residual_bytes": ("residual bytes", _memory, ""),
    "output_bytes": ("output bytes", _memory, ""), "micros": ("total execution time", _time, ""),
    "accelerator_micros": ("accelerator execution time", _time, ""), "cpu_micros": ("cpu execution time", _time, ""),
    "params": ("# parameters", _number, " params"), "float_ops": ("# float_ops", _number, " flops"),
}  # fmt: skip


def _described(node: Any, select: Any) -> str:
    parts = []
    for key, (_, form, unit) in _SHOWN.items():
        if key not in select:
            continue
        own, total = getattr(node, _ATTRIBUTE[key]), getattr(node, f"total_{_ATTRIBUTE[key]}")
        text = form(own) if own > 0 else "--"
        if key == "params" and node.shapes:
            text = f"{'x'.join(str(d) for d in node.shapes[0])}, {text}"
        parts.append(f"{text}/{form(total)}{unit}")
    return ", ".join(parts)


def _tree_lines(node: Any, select: Any, indent: int = 0) -> list[str]:
    lines = [f"{'  ' * indent}{node.name} ({_described(node, select)})"]
    for child in node.children:
        lines.extend(_tree_lines(child, select, indent + 1))
    return lines


def _op_lines(root: Any, select: Any) -> list[str]:
    lines = []
    node = root.children[0] if root.children else None
    while node is not None:
        parts = []
        for key, (_, form, _) in _SHOWN.items():
            if key in select:
                own, total, whole = (
                    getattr(node, _ATTRIBUTE[key]),
                    getattr(node, f"total_{_ATTRIBUTE[key]}"),
                    getattr(root, f"total_{_ATTRIBUTE[key]}"),
                )
                unit = {"params": " params", "float_ops": " float_ops"}.get(key, "")
                share = f"({100 * total / whole if whole else 0:.2f}%, {100 * own / whole if whole else 0:.2f}%)"
                parts.append(f"{form(own)}{unit} {share}")
        lines.append(f"{node.name:<25}{', '.join(parts)}")
        node = node.children[0] if node.children else None
    return lines


_DOC = {
    "scope": "scope: The nodes in the model graph are organized by their names, which is hierarchical like filesystem.",
    "op": "op: The nodes are operation kernel type, such as MatMul, Conv2D. Graph nodes belonging to the same type are aggregated together.",
    "code": "code: Python lines; graph nodes are aggregated by the line that made them.",
}
_LEGEND = {"params": "param: Number of parameters (in the Variable).", "float_ops": "flops: Number of float operations. Note: Please read the implementation for the math behind it."}  # fmt: skip


def _report(root: Any, view: str, options: dict[str, Any]) -> str:
    lines = ["", "=========================Options============================="]
    for key in _DEFAULTS:
        if key in ("select", "output", "step", "order_by"):
            continue
        value = options.get(key, 0)
        text = ",".join(value) if isinstance(value, list) else str(value).lower() if isinstance(value, bool) else str(value)
        if key == "account_type_regexes":
            lines += [f"{'-step':<28}{options.get('step', -1)}", f"{'-order_by':<28}{options['order_by']}"]
        lines.append(f"{'-' + key:<28}{text}")
    lines += [f"{'-select':<28}{','.join(options['select'])}", f"{'-output':<28}{options['output']}:", ""]
    kind = "scope" if view in ("scope", "graph") else view
    lines += ["==================Model Analysis Report======================", "", "Doc:", _DOC[kind]]
    lines += [_LEGEND[k] for k in _SHOWN if k in options["select"] and k in _LEGEND]
    lines += ["", "Profile:", "node name | " + " | ".join(h for k, (h, _, _) in _SHOWN.items() if k in options["select"])]
    lines += _tree_lines(root, options["select"]) if kind == "scope" else _op_lines(root, options["select"])
    return "\n".join([*lines, "", "======================End of Report=========================="])


# -- the API ---------------------------------------------------------------------------------------------------------


@export("profiler.profile")
def profile(graph: Any = None, run_meta: Any = None, op_log: Any = None, cmd: str = "scope", options: Any = None) -> Any:
    """A profile of the graph: `cmd` "scope" or "graph" by name, "op" by op type, "code" by line."""
    graph = graph or get_default_graph()
    chosen = {**copy.deepcopy(_DEFAULTS), **(options if options is not None else ProfileOptionBuilder(None).build())}
    if cmd not in ("scope", "graph", "op", "code"):
        raise ValueError(f"unknown cmd: {cmd}")
    print("Parsing Inputs...")
    measured = _measured(graph, run_meta, op_log, chosen["account_type_regexes"])
    if cmd == "scope":
        root = _scopes(measured, chosen)
    elif cmd == "graph":
        root = _flat(measured, chosen)
    else:
        root = _grouped(measured, chosen, (lambda op: op.type) if cmd == "op" else _line)
    output = chosen["output"]
    if output == "stdout":
        print(_report(root, cmd, chosen))
    elif output.startswith("file:outfile="):
        with open(output.removeprefix("file:outfile="), "w", encoding="utf-8") as file:
            file.write(_report(root, cmd, chosen) + "\n")
    elif output.startswith("timeline:outfile="):
        from runtime.tf1.timeline import Timeline

        if run_meta is None:
            raise ValueError("A timeline needs the RunMetadata of a run with trace_level=tf.RunOptions.FULL_TRACE.")
        with open(output.removeprefix("timeline:outfile="), "w", encoding="utf-8") as file:
            file.write(Timeline(run_meta.step_stats).generate_chrome_trace_format())
    elif output.startswith("pprof:"):
        raise NotImplementedError("tf.profiler cannot write pprof files here; use with_timeline_output or `tfrevive run --profile DIR`.")
    return root


@export("profiler.Profiler")
class Profiler:
    """Profiles of several steps of one graph."""

    def __init__(self, graph: Any = None, op_log: Any = None) -> None:
        self._graph, self._op_log = graph or get_default_graph(), op_log
        self._steps: dict[int, Any] = {}

    def add_step(self, step: int, run_meta: Any) -> None:
        self._steps[step] = run_meta

    def _profile(self, cmd: str, options: Any) -> Any:
        step = options.get("step", -1)
        if step >= 0 and step not in self._steps:
            raise ValueError(f"options['step'] not found: {step}")
        metadata = self._steps.get(step) if step >= 0 else next(reversed(self._steps.values()), None)
        return profile(self._graph, metadata, self._op_log, cmd, options)

    def profile_python(self, options: Any) -> Any:
        return self._profile("code", options)

    def profile_operations(self, options: Any) -> Any:
        return self._profile("op", options)

    def profile_name_scope(self, options: Any) -> Any:
        return self._profile("scope", options)

    def profile_graph(self, options: Any) -> Any:
        return self._profile("graph", options)

    def advise(self, options: Any = None) -> AdviceProto:
        return advise(self._graph, next(reversed(self._steps.values()), None), options)


@export("profiler.advise")
def advise(graph: Any = None, run_meta: Any = None, options: Any = None) -> AdviceProto:
    """The most expensive op types of a traced run."""
    print("Parsing Inputs...")
    times: dict[str, int] = {}
    for op, node in _measured(graph or get_default_graph(), run_meta, None, [".*"]):
        times[op.type] = times.get(op.type, 0) + node.exec_micros
    total = sum(times.values()) or 1
    lines = [
        f"top {i} operation type: {op}, cpu: {_time(t)}, accelerator: 0us, total: {_time(t)} ({100 * t / total:.2f}%)"
        for i, (op, t) in enumerate(sorted(times.items(), key=lambda p: -p[1])[:3], 1)
        if t
    ]
    advice = AdviceProto()
    for checker, reports in (("ExpensiveOperationChecker", lines), ("OperationChecker", []), ("AcceleratorUtilizationChecker", [])):
        advice.checkers[checker] = reports
        print(f"\n{checker}:" + "".join(f"\n{r}" for r in reports))
    return advice


@export("profiler.write_op_log")
def write_op_log(graph: Any, log_dir: str, op_log: Any = None, run_meta: Any = None, add_trace: bool = True) -> None:
    """The counts of each op, as text lines."""
    os.makedirs(log_dir, exist_ok=True)
    with open(os.path.join(log_dir, "tfprof_log"), "w", encoding="utf-8") as file:
        for op, node in _measured(graph, run_meta, op_log, [".*"]):
            if node.float_ops or node.parameters:
                file.write(f"{op.name}\t{op.type}\t{node.float_ops}\t{node.parameters}\n")


# -- tf.contrib.tfprof: the older names ------------------------------------------------------------------------------

TRAINABLE_VARS_PARAMS_STAT_OPTIONS = ProfileOptionBuilder.trainable_variables_parameter()
FLOAT_OPS_OPTIONS = ProfileOptionBuilder.float_operation()
PRINT_ALL_TIMING_MEMORY = ProfileOptionBuilder.time_and_memory()
for _name in ("contrib.tfprof", "python.profiler"):
    put(f"{_name}.model_analyzer.TRAINABLE_VARS_PARAMS_STAT_OPTIONS", TRAINABLE_VARS_PARAMS_STAT_OPTIONS)
    put(f"{_name}.model_analyzer.FLOAT_OPS_OPTIONS", FLOAT_OPS_OPTIONS)
    put(f"{_name}.model_analyzer.PRINT_ALL_TIMING_MEMORY", PRINT_ALL_TIMING_MEMORY)
    put(
        f"{_name}.model_analyzer.ALL_ADVICE",
        {"ExpensiveOperationChecker": {}, "AcceleratorUtilizationChecker": {}, "JobChecker": {}, "OperationChecker": {}},
    )
put("contrib.tfprof.tfprof_logger.write_op_log", write_op_log)


@export("contrib.tfprof.model_analyzer.print_model_analysis")
def print_model_analysis(
    graph: Any, run_meta: Any = None, op_log: Any = None, tfprof_cmd: str = "scope", tfprof_options: Any = None
) -> Any:
    return profile(graph, run_meta, op_log, tfprof_cmd, tfprof_options)


put("contrib.tfprof.model_analyzer.advise", advise)
put("contrib.tfprof.model_analyzer.Profiler", Profiler)


@export("contrib.tfprof.ProfileContext", "python.profiler.profile_context.ProfileContext")
class ProfileContext:
    """A block whose steps would be traced by themselves; use RunOptions with FULL_TRACE and tf.profiler.profile here."""

    def __init__(self, profile_dir: str, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError("tf.contrib.tfprof.ProfileContext is not supported: trace a run with tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE) and tf.profiler.profile, or use `tfrevive run --profile DIR`.")  # fmt: skip
