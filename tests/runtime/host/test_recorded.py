"""Graphs of stateful host ops, run step by step as real TensorFlow 1.15 was recorded to run them."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import re
import threading
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphtools.formats import graphdef, schema
from runtime.errors import CancelledError, OpError, OutOfRangeError
from runtime.session import Session

FIXTURES = Path(__file__).parents[3] / "fixtures" / "host"
GROUPS = ("data_flow", "dataset", "io", "logging", "lookup", "parsing", "strings", "threads")

# Texts that say the same in other words, or hold what cannot be the same (a parser's own complaint).
OTHER_WORDS = (
    "Could not convert string to ResourceHandle",
    "Error while parsing JSON",
    "Could not parse",
    "Cannot parse tensor",
    "Could not parse state",
)


def cases() -> list[Any]:
    found = []
    for group in GROUPS:
        for case in json.loads(gzip.decompress((FIXTURES / f"{group}.json.gz").read_bytes()))["cases"]:
            found.append(pytest.param(case, id=f"{group}-{case['name']}"))
    return found


def decode(entry: dict[str, Any] | None) -> Any:
    if entry is None:
        return None
    if entry["dtype"] == "string":
        flat = np.empty(len(entry["values"]), object)
        flat[:] = [v.encode("latin-1") for v in entry["values"]]
        return flat.reshape(entry["shape"])
    return np.frombuffer(base64.b64decode(entry["data"]), entry["dtype"]).reshape(entry["shape"])


def first_line(text: str) -> str:
    """A message without the number of the resource in its process, and without the function it was raised in."""
    return re.sub(r"(?<!\w)_\d+_", "_N_", re.sub(r"\{\{function_node [^}]*\}\} ?", "", text.split("\n")[0]))


def with_plain_pixels(value: Any) -> Any:
    """A summary with the pixels of its images in place of the PNG files, whose lines have no filters."""
    if not isinstance(value, bytes) or b"PNG" not in value:
        return value
    summary = schema.parse("Summary", value)
    for entry in summary.value:
        png = entry.image.encoded_image_string
        size = int.from_bytes(png[33:37], "big")
        lines = np.frombuffer(zlib.decompress(png[41 : 41 + size]), np.uint8).reshape(entry.image.height, -1)
        assert not lines[:, 0].any()
        entry.image.encoded_image_string = lines[:, 1:].tobytes()
    return summary.SerializeToString()


def comparable(name: str, value: Any) -> Any:
    """Examples as messages: a list in one can be written in two ways. The handles of iterators are of their process."""
    if name.startswith("IteratorToStringHandle"):
        return np.array([bool(value)])
    if name.startswith("DecodeJSONExample"):
        return np.array([str(schema.parse("Example", v)) for v in np.ravel(value)], object)
    return value


@pytest.mark.parametrize("case", cases())
def test_recorded(case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, data in case["files"].items():
        (tmp_path / name).write_bytes(base64.b64decode(data))
    monkeypatch.chdir(tmp_path)
    graph = graphdef.read(zlib.decompress(base64.b64decode(case["graph"])))
    problems = []
    results: list[Any] = []
    threads: list[threading.Thread] = []
    with Session(graph, device="cpu") as session:
        for number, step in enumerate(case["steps"]):
            if "runners" in step:
                threads = [thread for runner in step["runners"] for thread in run_queue(session, *runner)]
                continue
            problem = difference(session, step, results)
            if problem:
                problems.append(f"step {number} {step['fetches']}: {problem}")
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
    assert not problems, "\n".join(problems)


def run_queue(session: Session, name: str, enqueue_ops: list[str], close_op: str) -> list[threading.Thread]:
    """The threads of a queue runner: the last to end closes the queue."""
    running = [len(enqueue_ops)]
    lock = threading.Lock()

    def loop(op: str) -> None:
        try:
            while True:
                session.run(op)
        except (OutOfRangeError, CancelledError):
            with lock:
                running[0] -= 1
                is_last = not running[0]
            if is_last and not session.is_closed:
                with contextlib.suppress(CancelledError):
                    session.run(close_op)

    threads = [threading.Thread(target=loop, args=(op,)) for op in enqueue_ops]
    for thread in threads:
        thread.start()
    return threads


def difference(session: Session, step: dict[str, Any], results: list[Any]) -> str | None:
    """How a step's outcome differs from the recorded one; None if it does not."""
    try:
        feeds = {k: results[v["earlier"]][0] if "earlier" in v else decode(v) for k, v in step["feeds"].items()}
        got = session.run(step["fetches"], feeds)
        results.append(got)
    except OpError as e:
        if "error" not in step:
            return f"raised {type(e).__name__} {e.message!r}"
        kind, text = step["error"]
        if type(e).__name__ != kind:
            return f"raised {type(e).__name__} {e.message!r} where {kind} {text!r} was recorded"
        if first_line(e.message) != first_line(text) and not text.startswith(OTHER_WORDS):
            return f"said {first_line(e.message)!r} where {text!r} was recorded"
        return None
    if "error" in step:
        return f"gave {got} where {step['error']} was recorded"
    for name, value, entry in zip(step["fetches"], got, step["values"], strict=True):
        value, wanted = comparable(name, with_plain_pixels(value)), comparable(name, decode(entry))
        if (value is None) != (wanted is None):
            return f"{name} is {value!r} where {wanted!r} was recorded"
        if wanted is None:
            continue
        have = np.asarray(value, object) if wanted.dtype == object else np.asarray(value)
        if have.dtype != wanted.dtype or have.shape != wanted.shape:
            return f"{name} is {have.dtype} {have.shape} where {wanted.dtype} {wanted.shape} was recorded"
        same = (have == wanted).all() if wanted.dtype == object else np.array_equal(have, wanted, equal_nan=wanted.dtype.kind in "fc")
        if not same:
            return f"{name} is {have.tolist()} where {wanted.tolist()} was recorded"
    return None
