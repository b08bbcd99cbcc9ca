"""Event files: what TensorBoard reads."""

from __future__ import annotations

import itertools
import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

from graphtools.formats import schema
from runtime import files
from runtime.host import records

_FILE_VERSION = "brain.Event:2"
_NUMBERS = itertools.count()


class EventsWriter:
    """Writes events to a new file PREFIX.out.tfevents.TIME.HOST in the folder. Threads may write at the same time.

    The file appears with the first event (the version, which readers look for) already in it.
    """

    def __init__(self, folder: str, suffix: str = "", prefix: str = "events") -> None:
        self.folder = folder
        name = f"{prefix}.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}{suffix}"
        target = os.path.join(files.local(folder), name)
        with files.translated(folder):
            os.makedirs(files.local(folder), exist_ok=True)
        while os.path.exists(target):  # two writers in one second must not share a file
            target = os.path.join(files.local(folder), f"{name}.{next(_NUMBERS)}")
        self.path = target
        self._lock = threading.Lock()
        self._records: records.RecordWriter | None = records.RecordWriter(target)
        self.write(schema.message("Event")(wall_time=time.time(), file_version=_FILE_VERSION))
        self.flush()

    def write(self, event: Any) -> None:
        """Write an Event message, or one serialized. Events after `close` are dropped, as TensorFlow drops them."""
        data = event if isinstance(event, bytes) else event.SerializeToString()
        with self._lock:
            if self._records is not None:
                self._records.write(data)

    def write_summary(self, summary: Any, step: int | None = None) -> None:
        """Write a Summary message, or one serialized, as the event of a step."""
        event = schema.message("Event")(wall_time=time.time())
        if isinstance(summary, bytes):
            event.summary.ParseFromString(summary)
        else:
            event.summary.CopyFrom(summary)
        if step is not None:
            event.step = step
        self.write(event)

    def flush(self) -> None:
        with self._lock:
            if self._records is not None:
                self._records.flush()

    def close(self) -> None:
        with self._lock:
            if self._records is not None:
                self._records.close()
                self._records = None


def read_events(path: str) -> Iterator[Any]:
    """The Event messages of a file."""
    for record in records.read_file(path):
        yield schema.parse("Event", record, what=f"An event of {path}")
