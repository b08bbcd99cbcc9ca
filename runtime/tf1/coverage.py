"""How much of TensorFlow 1.15's API the stand-in has, counted from its registries."""

from __future__ import annotations

from collections import Counter

from migrate import symbols
from runtime.tf1 import modules

KINDS = frozenset({"class", "function"})


def coverage() -> list[tuple[str, int, int, list[str]]]:
    """(module, names it has in TensorFlow 1.15, how many of these work here, the ones that do not), by module of the API.

    Classes and functions count, under every name but those of `tf.compat` and `tf.raw_ops`. One that does not work raises
    NotImplementedError when it is used.
    """
    total: Counter[str] = Counter()
    missing: dict[str, list[str]] = {}
    for name in sorted(symbols.names("1.15.5")):
        symbol = symbols.symbol(name, "1.15.5")
        short = name.removeprefix("tf.")
        if symbol is None or symbol.kind not in KINDS or short.startswith(("compat.", "raw_ops.")):
            continue
        head, _, _ = short.rpartition(".")
        if head and not modules.is_module(head):
            continue  # a member of a class
        place = "tf." + ".".join(head.split(".")[: 2 if head.startswith("contrib") else 1]) if head else "tf"
        total[place] += 1
        if isinstance(modules.lookup(short), modules.Unsupported):
            missing.setdefault(place, []).append(name)
    return [(place, n, n - len(missing.get(place, ())), missing.get(place, [])) for place, n in sorted(total.items())]
