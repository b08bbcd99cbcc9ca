"""tf.contrib.learn.preprocessing: words and categories as numbers."""

from __future__ import annotations

import collections
import math
import pickle
import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from runtime.tf1.contrib.learn.data_feeder import setup_processor_data_feeder
from runtime.tf1.registry import export, put

_NAME = "contrib.learn.preprocessing."
TOKENIZER_RE = re.compile(r"[A-Z]{2,}(?![a-z])|[A-Z][a-z]+(?=[A-Z])|[\'\w\-]+", re.UNICODE)
put(f"{_NAME}text.TOKENIZER_RE", TOKENIZER_RE)


@export("contrib.learn.preprocessing.tokenizer")
def tokenizer(iterator: Iterable[str]) -> Iterator[list[str]]:
    """The words of each text."""
    for value in iterator:
        yield TOKENIZER_RE.findall(value)


@export(_NAME + "CategoricalVocabulary")
class CategoricalVocabulary:
    """Numbers for categories, in the order in which they come; 0 is for the unknown."""

    def __init__(self, unknown_token: str = "<UNK>", support_reverse: bool = True) -> None:
        self._unknown_token = unknown_token
        self._mapping: dict[Any, int] = {unknown_token: 0}
        self._support_reverse = support_reverse
        self._reverse_mapping: list[Any] = [unknown_token]
        self._freq: dict[Any, int] = collections.defaultdict(int)
        self._freeze = False

    def __len__(self) -> int:
        return len(self._mapping)

    def freeze(self, freeze: bool = True) -> None:
        self._freeze = freeze

    def get(self, category: Any) -> int:
        """The number of a category: a new one, or 0 when the vocabulary is frozen, if it was not seen."""
        if category not in self._mapping:
            if self._freeze:
                return 0
            self._mapping[category] = len(self._mapping)
            if self._support_reverse:
                self._reverse_mapping.append(category)
        return self._mapping[category]

    def add(self, category: Any, count: int = 1) -> None:
        if self.get(category) > 0:
            self._freq[category] += count

    def trim(self, min_frequency: int, max_frequency: int = -1) -> None:
        """Keep what occurs more than `min_frequency` times, the most frequent first."""
        by_name = sorted(self._freq.items(), key=lambda item: (isinstance(item[0], str), item[0]))
        ordered = sorted(by_name, key=lambda item: item[1], reverse=True)
        kept = [
            (category, count) for category, count in ordered if count > min_frequency and not (max_frequency > 0 and count >= max_frequency)
        ]
        self._reverse_mapping = [self._unknown_token]
        if self._support_reverse:
            self._reverse_mapping += [category for category, _ in kept]
        self._mapping = {self._unknown_token: 0} | {category: i for i, (category, _) in enumerate(kept, 1)}
        self._freq = collections.defaultdict(int, ordered[: len(kept)])

    def reverse(self, class_id: int) -> Any:
        if not self._support_reverse:
            raise ValueError("This vocabulary wasn't initialized with support_reverse to support reverse() function.")
        return self._reverse_mapping[class_id]


@export(_NAME + "VocabularyProcessor")
class VocabularyProcessor:
    """Texts as rows of word numbers, of one length."""

    def __init__(self, max_document_length: int, min_frequency: int = 0, vocabulary: Any = None, tokenizer_fn: Any = None) -> None:
        self.max_document_length, self.min_frequency = max_document_length, min_frequency
        self.vocabulary_ = vocabulary if vocabulary else CategoricalVocabulary()
        self._tokenizer = tokenizer_fn if tokenizer_fn else tokenizer

    def fit(self, raw_documents: Any, unused_y: Any = None) -> VocabularyProcessor:
        for tokens in self._tokenizer(raw_documents):
            for token in tokens:
                self.vocabulary_.add(token)
        if self.min_frequency > 0:
            self.vocabulary_.trim(self.min_frequency)
        self.vocabulary_.freeze()
        return self

    def fit_transform(self, raw_documents: Any, unused_y: Any = None) -> Iterator[Any]:
        self.fit(raw_documents)
        return self.transform(raw_documents)

    def transform(self, raw_documents: Any) -> Iterator[Any]:
        for tokens in self._tokenizer(raw_documents):
            ids = np.zeros(self.max_document_length, np.int64)
            for i, token in enumerate(tokens):
                if i >= self.max_document_length:
                    break
                ids[i] = self.vocabulary_.get(token)
            yield ids

    def reverse(self, documents: Any) -> Iterator[str]:
        for item in documents:
            yield " ".join(self.vocabulary_.reverse(i) for i in item)

    def save(self, filename: Any) -> None:
        with open(filename, "wb") as file:
            pickle.dump(self, file)

    @classmethod
    def restore(cls, filename: Any) -> VocabularyProcessor:
        """One saved by `save`; only from files you trust, as Python's pickle runs what is in them."""
        with open(filename, "rb") as file:
            found: VocabularyProcessor = _Unpickler(file).load()
        return found


class _Unpickler(pickle.Unpickler):
    """Reads also what TensorFlow saved, whose classes are these here."""

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("tensorflow"):
            known = {c.__name__: c for c in (CategoricalVocabulary, VocabularyProcessor)} | {"tokenizer": tokenizer}
            if name in known:
                return known[name]
        return super().find_class(module, name)


@export(_NAME + "ByteProcessor")
class ByteProcessor:
    """Texts as rows of bytes, of one length."""

    def __init__(self, max_document_length: int) -> None:
        self.max_document_length = max_document_length

    def fit(self, x: Any) -> None:
        """Nothing is learnt."""

    def fit_transform(self, x: Any) -> Iterator[Any]:
        return self.transform(x)

    def reverse(self, x: Any) -> Iterator[str]:
        for data in x:
            try:
                yield np.trim_zeros(data.astype(np.int8), trim="b").tobytes().decode("utf-8")
            except UnicodeDecodeError:
                yield ""

    def transform(self, x: Any) -> Iterator[Any]:
        for document in x:
            data = document.encode("utf-8") if isinstance(document, str) else document
            values = np.frombuffer(data[: self.max_document_length], dtype=np.uint8)
            yield np.pad(values, (0, self.max_document_length - len(values)), "constant")


@export(_NAME + "CategoricalProcessor")
class CategoricalProcessor:
    """Rows of categories as rows of numbers, each column with a vocabulary of its own or all with one."""

    def __init__(self, min_frequency: int = 0, share: bool = False, vocabularies: Any = None) -> None:
        self.min_frequency, self.share, self.vocabularies_ = min_frequency, share, vocabularies

    def freeze(self, freeze: bool = True) -> None:
        for vocabulary in self.vocabularies_:
            vocabulary.freeze(freeze)

    def fit(self, x: Any, unused_y: Any = None) -> CategoricalProcessor:
        for row in setup_processor_data_feeder(x):
            if self.vocabularies_ is None:
                shared = CategoricalVocabulary()
                self.vocabularies_ = [shared if self.share else CategoricalVocabulary() for _ in row]
            for i, value in enumerate(row):
                if not _is_nan(value):
                    self.vocabularies_[i].add(value)
        if self.min_frequency > 0:
            for vocabulary in self.vocabularies_:
                vocabulary.trim(self.min_frequency)
        self.freeze()
        return self

    def fit_transform(self, x: Any, unused_y: Any = None) -> Iterator[Any]:
        self.fit(x)
        return self.transform(x)

    def transform(self, x: Any) -> Iterator[Any]:
        self.freeze()
        for row in setup_processor_data_feeder(x):
            yield np.array([0 if _is_nan(v) else self.vocabularies_[i].get(v) for i, v in enumerate(row)], dtype=np.int64)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
