"""tf.data.Options."""

from __future__ import annotations

from typing import Any, ClassVar

from runtime.tf1.registry import export


class _OptionsBase:
    """Named options, unset until a script sets them; any other name is an error."""

    NAMES: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        for name in self.NAMES:
            object.__setattr__(self, name, None)

    def __setattr__(self, name: str, value: Any) -> None:
        if not hasattr(self, name):
            raise AttributeError(f"Cannot set the property {name} on {type(self).__name__}.")
        object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return id(self)

    def merge(self, other: Any) -> Any:
        """These options and `other`'s, which must not contradict."""
        made = type(self)()
        for name in vars(self):
            mine, new = getattr(self, name), getattr(other, name)
            if isinstance(mine, _OptionsBase):
                value = mine.merge(new)
            elif mine is None or new is None or mine == new:
                value = new if mine is None else mine
            else:
                raise ValueError(f"Cannot merge incompatible values ({mine!r} and {new!r}) of option: {name}")
            object.__setattr__(made, name, value)
        return made


@export("data.experimental.MapVectorizationOptions")
class MapVectorizationOptions(_OptionsBase):
    NAMES = ("enabled", "use_choose_fastest")


@export("data.experimental.OptimizationOptions")
class OptimizationOptions(_OptionsBase):
    NAMES = (
        "apply_default_optimizations", "autotune", "autotune_algorithm", "autotune_buffers", "autotune_cpu_budget", "filter_fusion", "filter_with_random_uniform_fusion",
        "hoist_random_uniform", "map_and_batch_fusion", "map_and_filter_fusion", "map_fusion", "map_parallelization", "noop_elimination", "parallel_batch",
        "shuffle_and_repeat_fusion",
    )  # fmt: skip
    DEFAULT = ("map_and_batch_fusion", "noop_elimination", "shuffle_and_repeat_fusion")
    PLAIN = (
        "filter_fusion", "filter_with_random_uniform_fusion", "hoist_random_uniform", "map_and_batch_fusion", "map_and_filter_fusion", "map_fusion", "map_parallelization",
        "noop_elimination", "parallel_batch", "shuffle_and_repeat_fusion",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "map_vectorization", MapVectorizationOptions())

    def optimizations(self) -> list[str]:
        """The optimizations to ask for: those switched on, and the default ones not switched off."""
        found = {n for n in self.PLAIN if getattr(self, n)}
        if self.apply_default_optimizations is not False:  # type: ignore[attr-defined]
            found.update(n for n in self.DEFAULT if getattr(self, n) is not False)
        if self.map_vectorization.enabled:  # type: ignore[attr-defined]
            found.add("map_vectorization")
        return sorted(found)


@export("data.experimental.ThreadingOptions")
class ThreadingOptions(_OptionsBase):
    NAMES = ("max_intra_op_parallelism", "private_threadpool_size")


@export("data.experimental.StatsOptions")
class StatsOptions(_OptionsBase):
    NAMES = ("aggregator", "counter_prefix", "latency_all_edges", "prefix")


@export("data.experimental.DistributeOptions")
class DistributeOptions(_OptionsBase):
    NAMES = ("auto_shard", "num_devices", "_make_stateless")


@export("data.Options")
class Options(_OptionsBase):
    """How a pipeline is run."""

    NAMES = ("experimental_deterministic", "experimental_slack", "experimental_stateful_whitelist")

    def __init__(self) -> None:
        super().__init__()
        for name, kind in (
            ("experimental_distribute", DistributeOptions), ("experimental_optimization", OptimizationOptions), ("experimental_stats", StatsOptions),
            ("experimental_threading", ThreadingOptions),
        ):  # fmt: skip
            object.__setattr__(self, name, kind())

    def optimizations(self) -> list[str]:
        found: list[str] = self.experimental_optimization.optimizations()  # type: ignore[attr-defined]
        if self.experimental_deterministic is False:  # type: ignore[attr-defined]
            found.append("make_sloppy")
        if self.experimental_slack:  # type: ignore[attr-defined]
            found.append("slack")
        return found

    def optimization_configs(self) -> list[str]:
        fastest = self.experimental_optimization.map_vectorization.use_choose_fastest  # type: ignore[attr-defined]
        return [f"map_vectorization:use_choose_fastest:{'true' if fastest else 'false'}"]
