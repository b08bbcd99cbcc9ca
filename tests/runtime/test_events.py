"""Event files: framing, the version at their start, and several writers."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from graphtools.formats import schema
from runtime.errors import DataLossError, FailedPreconditionError, NotFoundError
from runtime.events import EventsWriter, read_events
from runtime.host import records
from runtime.host.logging_ops import scalar_summary


def test_an_event_file(tmp_path: Path) -> None:
    writer = EventsWriter(str(tmp_path / "new" / "logs"), suffix=".mine")
    writer.write_summary(scalar_summary([b"loss"], [0.5]), 3)
    writer.write_summary(scalar_summary([b"loss"], [0.25]).SerializeToString(), 4)
    writer.close()
    writer.write_summary(scalar_summary([b"late"], [1.0]), 5)
    assert Path(writer.path).name.startswith("events.out.tfevents.") and writer.path.endswith(".mine")
    first, *rest = read_events(writer.path)
    assert first.file_version == "brain.Event:2" and first.wall_time > 1e9
    assert [(e.step, e.summary.value[0].tag, e.summary.value[0].simple_value) for e in rest] == [(3, "loss", 0.5), (4, "loss", 0.25)]


def test_two_writers_in_one_second(tmp_path: Path) -> None:
    paths = {EventsWriter(str(tmp_path)).path for _ in range(3)}
    assert len(paths) == 3
    assert all("tfevents" in p for p in paths)


def test_threads(tmp_path: Path) -> None:
    writer = EventsWriter(str(tmp_path))
    data = schema.message("Event")(step=1).SerializeToString()
    threads = [threading.Thread(target=lambda: [writer.write(data) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    assert len(list(read_events(writer.path))) == 201


@pytest.mark.parametrize("compression", ["", "GZIP", "ZLIB"])
def test_records(tmp_path: Path, compression: str) -> None:
    path = str(tmp_path / "r")
    wanted = [b"", b"x", bytes(range(256)) * 400]
    with records.RecordWriter(path, compression) as writer:
        for record in wanted:
            writer.write(record)
    assert list(records.read_file(path, compression)) == wanted
    with pytest.raises(FailedPreconditionError):
        writer.write(b"late")


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    data = records.frame(b"one") + records.frame(b"two")
    path = tmp_path / "cut"
    for size in range(1, len(data)):
        path.write_bytes(data[:size])
        whole = 0 if size < 19 else 1
        found = records.read_file(str(path))
        assert [next(found) for _ in range(whole)] == [b"one"][:whole]
        if size != 19:
            with pytest.raises(DataLossError, match=f"truncated record at {19 * whole}"):
                next(found)


def test_every_flip_is_noticed(tmp_path: Path) -> None:
    data = records.frame(b"hello")
    for at in range(len(data)):
        path = tmp_path / "flip"
        path.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        with pytest.raises(DataLossError):
            list(records.read_file(str(path)))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="No such file or directory"):
        list(records.read_file(str(tmp_path / "none")))
