"""What the tutorials took from TensorFlow's examples: put into the file as a function of its own."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from migrate.names import Names
from migrate.rule import CALL, Context, Example, Match, call_with, rule

TF = "import tensorflow as tf\n"

READ_MNIST = '''
def read_mnist(train_dir, fake_data=False, one_hot=False, dtype=None, reshape=True, validation_size=5000, seed=None, source_url=None):
    """The MNIST digits as input_data.read_data_sets gave them: .train, .validation and .test."""
    import collections
    import gzip
    import os
    import urllib.request

    import numpy

    class DataSet(object):
        def __init__(self, images, labels):
            if reshape:
                images = images.reshape(images.shape[0], -1)
            if dtype is None or getattr(dtype, "name", dtype) == "float32":
                images = images.astype(numpy.float32) * (1.0 / 255.0)
            self.images, self.labels = images, labels
            self.num_examples, self.epochs_completed, self._next = len(images), 0, 0

        def _shuffle(self):
            order = numpy.arange(self.num_examples)
            numpy.random.shuffle(order)
            self.images, self.labels = self.images[order], self.labels[order]

        def next_batch(self, batch_size, fake_data=False, shuffle=True):
            if shuffle and self.epochs_completed == 0 and self._next == 0:
                self._shuffle()
            start = self._next
            if start + batch_size > self.num_examples:
                self.epochs_completed += 1
                rest = self.images[start:], self.labels[start:]
                if shuffle:
                    self._shuffle()
                self._next = batch_size - len(rest[0])
                images, labels = self.images[: self._next], self.labels[: self._next]
                return numpy.concatenate([rest[0], images]), numpy.concatenate([rest[1], labels])
            self._next = start + batch_size
            return self.images[start : self._next], self.labels[start : self._next]

    def read(name):
        path = os.path.join(train_dir, name)
        if not os.path.exists(path):
            os.makedirs(train_dir, exist_ok=True)
            urllib.request.urlretrieve((source_url or "https://storage.googleapis.com/cvdf-datasets/mnist/") + name, path)
        with gzip.open(path, "rb") as file:
            data = file.read()
        sizes = numpy.frombuffer(data, ">u4", data[3], 4)
        array = numpy.frombuffer(data, numpy.uint8, offset=4 + 4 * data[3]).reshape(sizes)
        if array.ndim == 3:
            return array[..., None]
        return numpy.eye(10)[array] if one_hot else array

    images, labels = read("train-images-idx3-ubyte.gz"), read("train-labels-idx1-ubyte.gz")
    test = DataSet(read("t10k-images-idx3-ubyte.gz"), read("t10k-labels-idx1-ubyte.gz"))
    train = DataSet(images[validation_size:], labels[validation_size:])
    validation = DataSet(images[:validation_size], labels[:validation_size])
    if seed is not None:
        numpy.random.seed(seed)
    return collections.namedtuple("Datasets", ["train", "validation", "test"])(train, validation, test)
'''


READS_MNIST = frozenset(
    {
        "tf.contrib.learn.datasets.mnist.load_mnist",
        "tf.contrib.learn.datasets.mnist.read_data_sets",
        "tf.examples.tutorials.mnist.input_data.read_data_sets",
    }
)


@rule(
    "mnist-input-data",
    "Read MNIST by a function of the file where the tutorials' input_data is gone.",
    since="2.0",
    visits=CALL,
    symbols=READS_MNIST,
    targets="2",
    order=50,
    examples=[
        Example(
            "from tensorflow.examples.tutorials.mnist import input_data\nmnist = input_data.read_data_sets(d, one_hot=True)\n",
            "from tensorflow.examples.tutorials.mnist import input_data\n\n" + READ_MNIST + "\n\nmnist = read_mnist(d, one_hot=True)\n",
            "the import goes when nothing uses it",
        ),
        Example("import input_data\nmnist = input_data.read_data_sets(d)\n", None, "the file has its own"),
    ],
)
def mnist_input_data(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    yield Match(
        node,
        "TensorFlow 2 has no examples: read_mnist reads the same files",
        replacement=call_with(node, node.args, cst.Name("read_mnist")),
        helpers=(READ_MNIST,),
    )
