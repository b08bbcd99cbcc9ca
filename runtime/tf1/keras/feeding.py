"""tf.keras.utils: batches prepared in threads ahead of their use, and arrays read from HDF5 files piece by piece."""

from __future__ import annotations

import queue
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np

from runtime.tf1.registry import export


@export("keras.utils.SequenceEnqueuer")
class SequenceEnqueuer:
    """Prepares batches in threads. A script's processes become threads: what they compute is the same."""

    def __init__(self, sequence: Any, use_multiprocessing: bool = False) -> None:
        self.sequence, self.use_multiprocessing = sequence, use_multiprocessing
        self.queue: Any = None
        self.stop_signal = threading.Event()
        self._threads: list[threading.Thread] = []

    def is_running(self) -> bool:
        return bool(self._threads) and not self.stop_signal.is_set()

    def start(self, workers: int = 1, max_queue_size: int = 10) -> None:
        self.stop_signal.clear()
        self.queue = queue.Queue(max_queue_size)
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(self._workers(workers))]
        for thread in self._threads:
            thread.start()

    def _workers(self, asked: int) -> int:
        return 1

    def stop(self, timeout: float | None = None) -> None:
        self.stop_signal.set()
        while self.queue is not None and not self.queue.empty():
            self.queue.get_nowait()
        for thread in self._threads:
            thread.join(timeout if timeout is not None else 5)
        self._threads = []

    def _put(self, item: Any) -> None:
        while not self.stop_signal.is_set():
            try:
                self.queue.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

    def _run(self) -> None:
        raise NotImplementedError

    def get(self) -> Iterator[Any]:
        while self.is_running():
            kind, value = self.queue.get()
            if kind == "end":
                return
            if kind == "error":
                self.stop()
                raise value
            if value is not None:
                yield value


@export("keras.utils.OrderedEnqueuer")
class OrderedEnqueuer(SequenceEnqueuer):
    """The batches of a Sequence, in its order or in another one in each epoch."""

    def __init__(self, sequence: Any, use_multiprocessing: bool = False, shuffle: bool = False) -> None:
        super().__init__(sequence, use_multiprocessing)
        self.shuffle = shuffle

    def _run(self) -> None:
        try:
            while not self.stop_signal.is_set():
                order = list(range(len(self.sequence)))
                if self.shuffle:
                    np.random.shuffle(order)
                for i in order:
                    if self.stop_signal.is_set():
                        return
                    self._put(("batch", self.sequence[i]))
                self.sequence.on_epoch_end()
        except Exception as e:  # told to who asks for the next batch
            self._put(("error", e))


@export("keras.utils.GeneratorEnqueuer")
class GeneratorEnqueuer(SequenceEnqueuer):
    """What a generator gives, ahead of its use."""

    def __init__(self, sequence: Any, use_multiprocessing: bool = False, wait_time: float | None = None, random_seed: Any = None) -> None:
        super().__init__(sequence, use_multiprocessing)
        if random_seed is not None:
            np.random.seed(random_seed)

    def _run(self) -> None:
        try:
            for batch in self.sequence:
                if self.stop_signal.is_set():
                    return
                self._put(("batch", batch))
            self._put(("end", None))
        except Exception as e:  # told to who asks for the next batch
            self._put(("error", e))
        finally:
            time.sleep(0)


@export("keras.utils.HDF5Matrix")
class HDF5Matrix:
    """A data set of an HDF5 file, or some of its rows, that is read where it is used."""

    refs: defaultdict[str, Any] = defaultdict(int)

    def __init__(self, datapath: str, dataset: str, start: int = 0, end: int | None = None, normalizer: Any = None) -> None:
        if datapath not in self.refs:
            self.refs[datapath] = import_module("h5py").File(datapath, "r")
        self.data = self.refs[datapath][dataset]
        self.start, self.end = start, len(self.data) if end is None else end
        self.normalizer = normalizer

    def __len__(self) -> int:
        return self.end - self.start

    def _row(self, index: int) -> int:
        if not 0 <= index + self.start < self.end:
            raise IndexError(f"Row {index} of {len(self)}.")
        return index + self.start

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            first = 0 if key.start is None else key.start
            last = len(self) if key.stop is None else key.stop
            if first < 0 or last > len(self):
                raise IndexError(f"Rows {first} to {last} of {len(self)}.")
            rows: Any = slice(first + self.start, last + self.start, key.step)
        elif isinstance(key, int | np.integer):
            rows = self._row(int(key))
        elif isinstance(key, list | np.ndarray):
            rows = [self._row(int(k)) for k in key]
        else:
            raise IndexError(f"{key!r} is no row, slice or list of rows.")
        found = self.data[rows]
        return found if self.normalizer is None else self.normalizer(found)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self), *self.data.shape[1:])

    @property
    def dtype(self) -> Any:
        return self.data.dtype

    @property
    def ndim(self) -> int:
        return len(self.data.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))
