"""Scripts with modules and libraries of their time: upgraded as they are imported, with what Python and its libraries had then."""

from __future__ import annotations

import collections
import importlib.util
import inspect
import sys
import textwrap
from pathlib import Path

import h5py
import numpy as np
import pytest

from runtime import run_script


def write(folder: Path, **files: str) -> Path:
    """Write modules (`lib__core` is lib/core.py, `lib__init` lib/__init__.py); the folder."""
    for name, text in files.items():
        path = folder / (name.replace("__", "/").replace("/init", "/__init__") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return folder


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    def runs(**files: str) -> str:
        write(tmp_path, **files)
        run_script(tmp_path / "script.py", device="cpu")
        return capsys.readouterr().out

    return runs


def test_a_module_beside_the_script_is_upgraded_as_the_script_is(run) -> None:  # type: ignore[no-untyped-def]
    out = run(
        script="import tensorflow as tf\nimport model\nprint(tf.Session().run(model.joined()).tolist())\n",
        model="import tensorflow as tf\ndef joined():\n    print 'joining'\n    return tf.concat(0, [[1, 2], tf.mul([3], [4])])\n",
    )
    assert out == "joining\n[1, 2, 12]\n"
    assert "model" not in sys.modules


def test_a_library_keeps_the_names_that_others_import_from_it(run) -> None:  # type: ignore[no-untyped-def]
    out = run(
        script="import tensorflow as tf\nfrom lib import core\nprint(tf.Session().run(core.three()))\n",
        lib__init="from tensorflow.python.ops import math_ops\n",
        lib__core="from lib import math_ops\ndef three():\n    return math_ops.add(1, 2)\n",
    )
    assert out == "3\n"


def test_upgraded_bytecode_is_kept_until_the_source_changes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    files = {
        "script": "import model\nprint(model.value())\n",
        "model": "import tensorflow as tf\ndef value():\n    return tf.mul.__name__\n",
    }
    write(tmp_path, **files)
    run_script(tmp_path / "script.py", device="cpu")
    kept = Path(importlib.util.cache_from_source(str(tmp_path / "model.py"))).with_suffix(".tfrevive.pyc")
    assert kept.exists()
    kept.write_bytes(kept.read_bytes()[:40])  # damaged: made again
    run_script(tmp_path / "script.py", device="cpu")
    write(tmp_path, model="import tensorflow as tf\ndef value():\n    return 'new'\n")
    run_script(tmp_path / "script.py", device="cpu")
    assert capsys.readouterr().out == "multiply\nmultiply\nnew\n"


def test_a_python_2_script_without_tensorflow_runs(run) -> None:  # type: ignore[no-untyped-def]
    assert run(script="print 'no tensorflow', 3\n") == "no tensorflow 3\n"


def test_names_of_the_time_are_there_while_a_script_runs_and_gone_after(run) -> None:  # type: ignore[no-untyped-def]
    out = run(
        script="""
        import collections, inspect, time, numpy as np
        def f(self, a, b=2, *c, **d): pass
        print(inspect.getargspec(f))
        print(isinstance([], collections.Iterable), time.clock() >= 0, np.float(3), np.product([2, 3]), np.NaN)
        print(np.array([[1, 2], [3]]).dtype, np.asarray([1, 2]).sum())
        """
    )
    assert out.splitlines() == [
        "ArgSpec(args=['self', 'a', 'b'], varargs='c', keywords='d', defaults=(2,))",
        "True True 3.0 6 nan",
        "object 3",
    ]
    assert not hasattr(collections, "Iterable") and not hasattr(inspect, "getargspec") and not hasattr(np, "float")
    with pytest.raises(ValueError, match="inhomogeneous"):
        np.array([[1, 2], [3]])


def test_pickled_arrays_load_as_before_numpy_1_16(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    np.save(tmp_path / "weights.npy", np.array({"conv1": [1, 2]}, dtype=object))
    out = run(script=f"import numpy as np\nprint(np.load({str(tmp_path / 'weights.npy')!r}).item())\n")
    assert out == "{'conv1': [1, 2]}\n"


def test_hdf5_attributes_are_what_h5py_2_gave(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "a.h5"
    out = run(
        script=f"""
        import h5py
        with h5py.File({str(path)!r}) as f:
            f.attrs['names'] = [b'ab', b'c']
            f.attrs['version'] = b'2.2.4'
            f.attrs['none'] = []
        with h5py.File({str(path)!r}) as f:
            print([n.decode('utf8') for n in f.attrs['names']], f.attrs['version'].decode('utf8'), bool(f.attrs['none']))
        """
    )
    assert out == "['ab', 'c'] 2.2.4 False\n"
    with h5py.File(path) as f:
        assert f.attrs["names"].dtype == np.dtype("S2")


def test_generated_protos_of_the_time_are_imported(run) -> None:  # type: ignore[no-untyped-def]
    """protoc before 3.19 made descriptors by hand, which protobuf refuses today."""
    from google.protobuf import descriptor_pb2

    file = descriptor_pb2.FileDescriptorProto(name="old_thing.proto", package="old", syntax="proto3")
    field = file.message_type.add(name="Thing").field.add(name="size", number=1)
    field.type, field.label = field.TYPE_INT32, field.LABEL_OPTIONAL
    serialized = file.SerializeToString().decode("latin-1")
    out = run(
        script="from thing_pb2 import Thing\nprint(Thing.FromString(Thing(size=3).SerializeToString()).size)\n",
        thing_pb2=f"""
        import sys
        _b = sys.version_info[0] < 3 and (lambda x: x) or (lambda x: x.encode('latin1'))
        from google.protobuf import descriptor as _descriptor
        DESCRIPTOR = _descriptor.FileDescriptor(name='old_thing.proto', package='old', syntax='proto3', serialized_pb=_b({serialized!r}))
        _THING = _descriptor.Descriptor(name='Thing', full_name='old.Thing', filename=None, file=DESCRIPTOR, fields=[])
        """,
    )
    assert out == "3\n"


def test_a_missing_keras_is_tf_keras_under_the_paths_of_keras(run, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    out = run(
        script="""
        import keras
        from keras.engine.topology import Layer, InputSpec
        from keras.layers.core import Dense
        from keras.layers.normalization import BatchNormalization
        from keras.models import Sequential
        from keras.utils import np_utils
        import keras.backend as K, tensorflow as tf
        print(isinstance(tf.keras.layers.Dense(1), Dense), issubclass(BatchNormalization, Layer), K.backend(), keras.__version__)
        print(np_utils.to_categorical([1, 0], 2).tolist(), Sequential([Dense(2, input_dim=3)]).count_params())
        try:
            keras.layers.Dens
        except AttributeError as e:
            print(e)
        """
    )
    first, second, third = out.splitlines()
    assert first == "True True tensorflow 2.2.4-tf"
    assert second == "[[0.0, 1.0], [1.0, 0.0]] 8"
    assert third.startswith("module 'keras.layers' has no attribute 'Dens'")
    assert "keras" not in sys.modules


def test_arguments_of_keras_1_are_taken(run) -> None:  # type: ignore[no-untyped-def]
    out = run(
        script="""
        from keras.layers import Activation, Convolution2D, Dense, Dropout, Flatten, LSTM, MaxPooling2D
        from keras.models import Sequential
        import numpy as np
        m = Sequential()
        m.add(Convolution2D(4, 3, 2, border_mode='same', subsample=(2, 2), input_shape=(8, 8, 1), init='he_normal', dim_ordering='tf'))
        m.add(MaxPooling2D(pool_size=(2, 2), border_mode='valid'))
        m.add(Flatten())
        m.add(Dense(output_dim=3, W_regularizer='l2', bias=False))
        m.add(Dropout(p=0.25))
        print(m.layers[0].kernel_size, m.layers[0].strides, m.layers[0].padding, m.layers[0].name, m.layers[-1].rate, m.count_params())
        m.compile(loss='mse', optimizer='sgd')
        print(len(m.fit(np.ones((4, 8, 8, 1)), np.ones((4, 3)), nb_epoch=2, verbose=0).history['loss']))
        r = Sequential([LSTM(output_dim=5, input_dim=3, input_length=7, inner_activation='hard_sigmoid', dropout_W=0.2, consume_less='gpu')])
        print(r.input_shape, r.output_shape, r.layers[0].dropout, Sequential.from_config(r.get_config()).layers[0].units)
        """
    )
    assert out.splitlines() == [
        "(3, 2) (2, 2) same conv2d 0.25 76",
        "2",
        "(None, 7, 3) (None, 5) 0.2 5",
    ]


def test_a_keras_of_the_time_is_used_itself(run) -> None:  # type: ignore[no-untyped-def]
    out = run(script="import keras\nprint(keras.here)\n", keras__init="__version__ = '2.1.6'\nhere = 'the library'\n")
    assert out == "the library\n"


def test_a_template_scope_opens_no_name_scope(run) -> None:  # type: ignore[no-untyped-def]
    out = run(
        script="""
        import tensorflow as tf
        t = tf.make_template("t", lambda: tf.get_variable("v", []) + 1.0, create_scope_now_=True)
        print(t().name, t().name, t.variable_scope.name)
        """
    )
    assert out == "t/add:0 t_1/add:0 t\n"


def test_private_names_that_libraries_use(run) -> None:  # type: ignore[no-untyped-def]
    out = run(
        script="""
        import tensorflow as tf
        from tensorflow.python.framework import function, ops
        from tensorflow.python.layers import utils
        from tensorflow.python.util import tf_decorator, tf_inspect, nest
        from tensorflow.core.protobuf import config_pb2
        x = tf.constant(2.0)
        print(isinstance(x, ops._TensorLike), ops.is_dense_tensor_like(x), ops.strip_name_scope("a/b/c", "a/b"), ops.prepend_name_scope("^x", "s"))
        def f(a, b=1): pass
        def g(*args, **kwargs): return f(*args, **kwargs)
        print(tf_inspect.getargspec(tf_decorator.make_decorator(f, g)).args, nest.is_sequence([1]), config_pb2.RunOptions.FULL_TRACE)
        half = function.Defun(tf.float32, python_grad_func=lambda op, dy: dy * 0.5, func_name="Half")(tf.identity)
        with tf.Session() as sess:
            print(sess.run(tf.gradients(half(x) * 3.0, x)[0]), sess.run(utils.smart_cond(True, lambda: x, lambda: -x)))
        print(tf.distribute.get_replica_context().merge_call(lambda strategy, v: v + strategy.num_replicas_in_sync, args=(1,)))
        """
    )
    assert out.splitlines() == ["True True c ^s/x", "['a', 'b'] True 3", "1.5 2.0", "2"]
