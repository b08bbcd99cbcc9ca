"""What becomes of a symbol: the steps from its name to the name in the target version, or why there is none."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Literal

from migrate.symbols import (
    TARGETS,
    VERSIONS,
    Signature,
    aliases,
    canonical,
    contrib,
    exists,
    has_private,
    homes,
    legacy,
    native,
    owner,
    signature,
    slim,
    symbol,
)

Outcome = Literal["unchanged", "renamed", "arguments", "moved", "removed", "unknown"]

OLD = "0.12.1"
ONE = TARGETS["1"]
TWO = TARGETS["2"]
NOTHING: Mapping[str, str | None] = {}


@dataclass(frozen=True, slots=True)
class Step:
    """From a name in one version to its name in the next. `rename` says what the old arguments are called, None: dropped."""

    old: str
    new: str
    old_signature: Signature | None = None
    new_signature: Signature | None = None
    rename: Mapping[str, str | None] = field(default_factory=dict)
    fallback: str = ""  # the name to use when an argument has no place in the new signature: it takes the old ones

    def parameter(self, name: str) -> str | None:
        return self.rename.get(name, name)

    @property
    def demands(self) -> tuple[str, ...]:
        """What the new signature wants and the old one had no word for."""
        old, new = self.old_signature, self.new_signature
        if old is None or new is None or old.varkw or old.varargs:
            return ()
        told = {self.parameter(a) for a in (*old.args, *old.keyword_only)}
        return tuple(a for a in new.args if a not in new.defaults and (a not in told or a in native.DEMANDED.get(self.old, ())))

    @property
    def changes_arguments(self) -> bool:
        """Whether some call with the old arguments would mean something else, or nothing, with the new signature."""
        old, new = self.old_signature, self.new_signature
        if self.rename:
            return True
        if old is None or new is None:
            return False
        same = new.args[: len(old.args)] == old.args or (new.varargs and not new.args)
        return not same or (old.varkw and not new.varkw) or bool(self.demands)

    def keeps_leading(self, count: int) -> bool:
        """Whether the first `count` positional arguments mean the same in both."""
        old, new = self.old_signature, self.new_signature
        if old is None or new is None:
            return not self.rename
        return tuple(self.parameter(a) for a in old.args[:count]) == new.args[:count]


@dataclass(frozen=True, slots=True)
class Verdict:
    outcome: Outcome
    name: str | None  # the name in the target; None if it has none
    steps: tuple[Step, ...] = ()
    advice: str = ""


@cache
def verdict(name: str, target: Literal["1", "2"], old: bool = False) -> Verdict:
    """What becomes of a dotted name. `old`: the source is known to be written for TensorFlow 0.x."""
    if name.startswith("tf.compat.v1.compat.v1."):
        short = name[len("tf.compat.v1.compat.v1.") :]
        return Verdict("renamed", "tf.compat.v1." + short, (Step(name, "tf.compat.v1." + short),))
    if name.startswith("tf.compat.v1.") and not exists(name, TARGETS[target]):
        # whoever imports compat.v1 as tf may use names that it lacks
        plain = verdict("tf." + name[13:], target, old)
        again = plain.name and "tf.compat.v1." + plain.name[3:]
        if plain.outcome in ("renamed", "arguments") and again and exists(again, TARGETS[target]) and len(plain.steps) == 1:
            return Verdict(plain.outcome, again, (replace(plain.steps[0], old=name, new=again),))
    first = to_one(name, old)
    if target == "1" or first.outcome == "removed":
        return first
    if first.name is None:
        # a name of TensorFlow 2 that 1.15 lacks is right as it is
        if reachable(name):
            return Verdict("unchanged", name)
        # a name of a version in between, of which no facts are here
        v1 = "tf.compat.v1." + name[3:]
        new = contrib.MOVED.get(name) or (v1 if exists(v1, TWO) else None)
        return Verdict("renamed", new, (Step(name, new),)) if new else first
    second = to_two(first.name)
    if second.outcome == "unchanged" or first.outcome == "unchanged":
        return second if first.outcome == "unchanged" else first
    return Verdict(second.outcome, second.name, (*first.steps, *second.steps), second.advice)


def reachable(name: str) -> bool:
    """Whether the target of --to 2, or a package beside it, has the name."""
    if name.startswith("tf_slim"):
        return name in slim() or (name.rpartition(".")[0] in slim() and slim()[name.rpartition(".")[0]][0] != "m")
    for module, known in contrib.PROBABILITY.items():
        if name.startswith(module + "."):
            return name[len(module) + 1 :].partition(".")[0] in known
    return exists(name, TWO) if name == "tf" or name.startswith("tf.") else True


@cache
def note(name: str) -> str:
    """What a person should know of a name of 1.15 when it is taken to TensorFlow 2, beside its new name."""
    if name.startswith("tf.contrib."):
        if name.startswith("tf.contrib.distributions.") and (contrib_to_two(name).name or "").startswith("tensorflow_probability."):
            return "install tensorflow_probability, and take the other distributions of the program from it too"
        return contrib.CHECK.get(name, "")
    for prefix, rest in prefixes(name):
        found = native.NOTES.get(prefix if not rest else prefix + ".")
        if found is not None:
            return found
    if name.startswith(("tf.assert_", "tf.debugging.assert_")):
        return native.NOTES[name[: name.index("assert_") + 7]]
    flags = [p for p in ("tf.flags", "tf.app.flags") if name.startswith(p + ".")]
    return native.NOTES[flags[0]] if flags else ""


# -------------------------------------------------------------------------- 0.x, 1.0, 1.4 -> 1.15


def to_one(name: str, old: bool) -> Verdict:
    if name in legacy.RENAMES:
        return renamed(name, legacy.RENAMES[name])
    if exists(name, ONE):
        return same_name(name, old)
    for prefix, _ in prefixes(name):
        if prefix in legacy.IMPORTABLE:
            return Verdict("unchanged", name)
    for prefix, rest in prefixes(name):
        if prefix in legacy.REMOVED:
            return Verdict("removed", None, advice=legacy.REMOVED[prefix])
        if prefix in legacy.RENAMES and rest and exists(legacy.RENAMES[prefix] + rest, ONE):
            return renamed(name, legacy.RENAMES[prefix] + rest)
    short = without_leak(name)
    if short is not None:
        return renamed(name, short)
    if name.startswith("tf.contrib.") and ".python." in name and has_private(name, ONE):
        return Verdict("unchanged", name)
    versions = [v for v in VERSIONS if exists(name, v)]
    if not versions or VERSIONS.index(versions[0]) > VERSIONS.index(ONE):
        return Verdict("unknown", None, advice=f"no TensorFlow known here has {name}")
    package = ".".join(name.split(".")[:3])
    return Verdict(
        "removed", None, advice=f"{name} was in TensorFlow {versions[-1]} and is not in 1.15; see what {package} has, or copy it from there"
    )


def by_position(old: Signature | None, new: Signature | None, rename: Mapping[str, str | None]) -> Mapping[str, str | None]:
    """The renames with those that the two signatures tell: another word at the same place, each unknown to the other signature."""
    if old is None or new is None:
        return rename
    found: dict[str, str | None] = {}
    for before, after in zip(old.args, new.args, strict=False):
        known = rename.get(before, before)
        if known == after:
            continue
        if before in rename or before in new.args or before in new.keyword_only or after in old.args or before.startswith("_"):
            break
        found[before] = after
    return {**rename, **found} if found else rename


def renamed(name: str, new: str) -> Verdict:
    last = next((v for v in VERSIONS if exists(name, v)), None)
    # members of classes follow their class: only whole functions and classes have signatures here
    before = signature(name, last) if last else None
    after = signature(new, ONE)
    rename = legacy.ARGUMENTS.get(name, NOTHING)
    if not name.startswith("tf.contrib."):
        rename = by_position(before, after, rename)
    step = Step(name, new, before or after, after, rename)
    moved = name.startswith("tf.contrib.") != new.startswith("tf.contrib.")
    return Verdict("arguments" if step.changes_arguments else "moved" if moved else "renamed", new, (step,))


def same_name(name: str, old: bool) -> Verdict:
    rename = legacy.ARGUMENTS.get(name, NOTHING)
    before, after = signature(name, OLD), signature(name, ONE)
    if before is None or after is None or (before == after and not rename):
        return Verdict("unchanged", name)
    if not name.startswith("tf.contrib."):
        rename = by_position(before, after, rename)
    # without knowing that the source is old only keywords that say so themselves are renamed
    step = Step(name, name, before if old else after, after, rename)
    if not rename and not (old and step.changes_arguments):
        return Verdict("unchanged", name)
    return Verdict("arguments", name, (step,))


def without_leak(name: str) -> str | None:
    """tf.contrib.layers.layers.conv2d: an implementation module shows in the path; the public name is the path without it."""
    parts = name.split(".")
    for index in range(len(parts) - 2, 1, -1):
        short = ".".join(parts[:index] + parts[index + 1 :])
        if exists(short, ONE) and (owner(short, ONE) or "") != "tf":
            return short
    return None


# -------------------------------------------------------------------------- 1.15 -> 2.15


def to_two(name: str) -> Verdict:
    if name.startswith("tf.contrib.") or name == "tf.contrib":
        return contrib_to_two(name)
    for prefix, _ in prefixes(name):
        if prefix in legacy.IMPORTABLE:
            return Verdict("removed", None, advice=legacy.IMPORTABLE[prefix])
    if name.startswith("tf.compat."):
        return Verdict("unchanged", name) if exists(name, TWO) else Verdict("removed", None, advice=f"{name} is not in TensorFlow 2")
    base = owner(name, ONE) or name
    rest = name[len(base) :]
    new = native_name(base)
    if new is None:
        return Verdict("removed", None, advice=f"{name} is not in TensorFlow 2")
    if base in native.RENAMES or rest == "":
        return step_to_two(name, new + rest, base, new)
    return step_to_two(name, new + rest, base, new)


def native_name(base: str) -> str | None:
    if base in native.RENAMES:
        return native.RENAMES[base]
    if base in canonical():
        return canonical()[base]
    v1 = "tf.compat.v1." + base[3:]
    if is_listed(base, native.ELSEWHERE) and exists(v1, TWO):
        return v1
    if exists(base, TWO):
        return base
    if exists(v1, TWO):
        return v1
    return None


def step_to_two(name: str, new: str, base: str, base_new: str) -> Verdict:
    if name != base:
        return Verdict("unchanged", name) if name == new else Verdict("renamed", new, (Step(name, new),))
    before, after = signature(base, ONE), signature(base_new, TWO)
    v1 = "tf.compat.v1." + base[3:]
    is_v1 = base_new == v1
    rename = NOTHING if is_v1 else native.ARGUMENTS.get(base, NOTHING)
    fallback = v1 if not is_v1 and exists(v1, TWO) else ""
    step = Step(base, base_new, before, after, rename, fallback)
    if is_v1 or not step.changes_arguments:
        return Verdict("unchanged", name) if base == base_new else Verdict("renamed", base_new, (step,))
    return Verdict("arguments", base_new, (step,))


def contrib_to_two(name: str) -> Verdict:
    if name.startswith("tf.contrib.slim.nets.") and not reachable("tf_slim" + name[15:]):
        return Verdict("removed", None, advice=contrib.ADVICE["tf.contrib.slim.nets"])
    if name in contrib.MOVED:
        return moved(name, contrib.MOVED[name])
    if not any(prefix in contrib.KEPT for prefix, _ in prefixes(name)):
        for prefix, rest in prefixes(name):
            if prefix in contrib.MOVED and prefix.count(".") > 2 and reachable(contrib.MOVED[prefix] + rest):
                return moved(name, contrib.MOVED[prefix] + rest)
        for prefix, rest in prefixes(name):
            if prefix in aliases():
                return through(name, aliases()[prefix] + rest)
        for prefix, rest in prefixes(name):
            if prefix in contrib.MOVED and reachable(contrib.MOVED[prefix] + rest):
                return moved(name, contrib.MOVED[prefix] + rest)
        twin = "tf" + name[len("tf.contrib") :]
        if name.count(".") > 2 and not name.startswith(("tf.contrib.learn.", "tf.contrib.layers.")) and symbol(twin, ONE) is not None:
            return through(name, twin)
        if name.startswith("tf.contrib.quantization."):
            return quantization(name)
    for prefix, _ in prefixes(name):
        if prefix in contrib.ADVICE:
            return Verdict("removed", None, advice=contrib.ADVICE[prefix])
    return Verdict("removed", None, advice=contrib.ADVICE["tf.contrib"])


def moved(name: str, new: str) -> Verdict:
    before = signature(name, ONE)
    after = slim_signature(new) if new.startswith("tf_slim") else signature(new, TWO)
    step = Step(name, new, before, after, contrib.ARGUMENTS.get(name, NOTHING))
    return Verdict("moved", new, (step,))


def through(name: str, outside: str) -> Verdict:
    """A contrib name that is another name's object: the other's way, in one step."""
    then = to_two(outside)
    if then.name is None:
        return then
    if not then.steps:
        return Verdict("moved", outside, (Step(name, outside, signature(outside, ONE), signature(outside, TWO)),))
    step = then.steps[-1]
    return Verdict("moved", then.name, (Step(name, step.new, step.old_signature, step.new_signature, step.rename, step.fallback),))


def quantization(name: str) -> Verdict:
    """tf.contrib.quantization shows every op wrapper: raw_ops has them under their own names."""
    leaf = name.rpartition(".")[2]
    for prefix in ("tf.quantization.", "tf.nn.", "tf.math.", "tf.", "tf.raw_ops."):
        for candidate in (leaf, leaf.title().replace("_", "")):
            if symbol(prefix + candidate, TWO) is not None:
                return Verdict(
                    "moved", prefix + candidate, (Step(name, prefix + candidate, signature(name, ONE), signature(prefix + candidate, TWO)),)
                )
    return Verdict("removed", None, advice=contrib.ADVICE["tf.contrib.quantization"])


def slim_signature(name: str) -> Signature | None:
    from migrate.symbols import unpack

    packed = slim().get(name, "m")
    return unpack(packed[1:]) if packed[0] in "cf" else None


# -------------------------------------------------------------------------- private paths


@cache
def public(path: str) -> str | None:
    """The public name of a private path such as tf.python.ops.math_ops.matmul, if it has one."""
    if path.startswith("tf.contrib.") and ".python." not in path + ".":
        return None
    known = homes()
    if not path.startswith(("tf.python.", "tf.contrib.")):
        return leaked(path, known)
    for prefix, rest in prefixes(path):
        found = known.get("tensorflow" + prefix[2:])
        if found is not None:
            return found + rest
        found = PRIVATE.get(prefix)
        if found is not None and not rest:
            return found
        if found is not None and (found in legacy.IMPORTABLE or exists(found + rest, ONE) or exists(found + rest, OLD)):
            return found + rest
    return leaked(path, known) or older(path)


def older(path: str) -> str | None:
    """tf.python.ops.math_ops.mul: what a version before 1.15 had in a module of that name, and what it or 1.15 exports."""
    parts = path.split(".")
    if len(parts) != 5 or parts[2] not in ("framework", "ops", "training"):
        return None
    package = "tf.train." if parts[2] == "training" else {"image_ops": "tf.image.", "nn": "tf.nn.", "nn_ops": "tf.nn."}.get(parts[3], "tf.")
    found = package + parts[4]
    is_public = symbol(found, OLD) is not None or symbol(found, ONE) is not None
    return found if is_public and not has_private(path, ONE) else None


def leaked(path: str, known: Mapping[str, str]) -> str | None:
    """tf.ops.convert_to_tensor: before 0.6 the modules of the implementation showed at the top."""
    parts = path.split(".")
    if parts[1:2] == ["python"]:
        parts = parts[1:]
    if len(parts) < 3 or parts[1] not in LEAKED:
        return None
    found = known.get(f"tensorflow.python.{LEAKED[parts[1]]}.{parts[2]}")
    return found + "".join("." + p for p in parts[3:]) if found is not None else None


# modules that showed as tf.MODULE -> where they are
LEAKED: Mapping[str, str] = {
    **{
        module: f"ops.{module}"
        for module in (
            "array_ops", "clip_ops", "control_flow_ops", "data_flow_ops", "embedding_ops", "image_ops", "init_ops", "io_ops", "linalg_ops",
            "logging_ops", "math_ops", "nn_ops", "parsing_ops", "random_ops", "rnn_cell", "script_ops", "sparse_ops", "state_ops", "string_ops",
            "variable_scope", "variables",
        )
    },
    "dtypes_lib": "framework.dtypes",
    "op_def_registry": "framework.op_def_registry",
    "ops": "framework.ops",
    "tensor_shape": "framework.tensor_shape",
    "tensor_util": "framework.tensor_util",
}  # fmt: skip

# private modules with a public twin, beside what homes() knows object by object (0.x had some of them elsewhere)
PRIVATE: Mapping[str, str] = {
    "tf.contrib.layers.python.layers.utils": "tf.contrib.slim.utils",
    "tf.contrib.rnn.python.ops.core_rnn": "tf.contrib.rnn",
    "tf.contrib.rnn.python.ops.core_rnn_cell": "tf.contrib.rnn",
    "tf.contrib.rnn.python.ops.core_rnn_cell_impl": "tf.contrib.rnn",
    "tf.contrib.rnn.python.ops.rnn_cell_impl": "tf.contrib.rnn",
    "tf.contrib.slim.python.slim.nets": "tf.contrib.slim.nets",
    "tf.python.client.session": "tf",
    "tf.python.framework.dtypes": "tf",
    "tf.python.framework.errors": "tf.errors",
    "tf.python.lib.io.tf_record": "tf.python_io",
    "tf.python.ops.nn": "tf.nn",
    "tf.python.ops.rnn": "tf.nn",
    "tf.python.ops.rnn_cell": "tf.nn.rnn_cell",
    "tf.python.ops.rnn_cell_impl": "tf.nn.rnn_cell",
    "tf.python.ops.seq2seq": "tf.contrib.legacy_seq2seq",
    "tf.python.platform.app": "tf.app",
    "tf.python.platform.flags": "tf.flags",
    "tf.python.platform.gfile": "tf.gfile",
    "tf.python.platform.resource_loader": "tf.resource_loader",
    "tf.python.platform.tf_logging": "tf.logging",
    "tf.python.training.saver_pb2": "tf.train",
    "tf.python.training.training": "tf.train",
    "tf.python.util.nest.is_sequence": "tf.nest.is_nested",
}


# -------------------------------------------------------------------------- parts


def prefixes(name: str) -> list[tuple[str, str]]:
    """(name, ""), then each shorter module path with what follows it."""
    found = [(name, "")]
    prefix = name
    while "." in prefix:
        prefix = prefix.rpartition(".")[0]
        found.append((prefix, name[len(prefix) :]))
    return found


def is_listed(name: str, listed: Container[str]) -> bool:
    return name in listed or any(prefix + "." in listed for prefix, rest in prefixes(name) if rest)
