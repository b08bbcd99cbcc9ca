"""Full-size networks with random weights as frozen graphs, made by TensorFlow 1.15: python benchmarks/models.py OUT [NAME...]

Writes OUT/NAME.pb and OUT/NAME.json: the input (name, shape without the batch, dtype, values below) and the outputs.
"""

import json
import os
import sys

import tensorflow as tf


def vgg16():
    return keras("VGG16", 224)


def resnet50():
    return keras("ResNet50", 224)


def inception_v3():
    return keras("InceptionV3", 299)


def xception():
    return keras("Xception", 299)


def keras(name, size):
    x = tf.placeholder(tf.float32, [None, size, size, 3], "x")
    model = getattr(tf.keras.applications, name)(weights=None, input_tensor=x)
    return x, [tf.identity(model.output, "y")]


def inception_v1():
    """GoogLeNet, with its local response normalisations."""
    x = tf.placeholder(tf.float32, [None, 224, 224, 3], "x")

    def conv(t, filters, size, stride=1):
        return tf.layers.conv2d(t, filters, size, stride, "same", activation=tf.nn.relu)

    def pool(t, size, stride):
        return tf.layers.max_pooling2d(t, size, stride, "same")

    def mixed(t, a, b1, b3, c1, c5, d):
        parts = [conv(t, a, 1), conv(conv(t, b1, 1), b3, 3), conv(conv(t, c1, 1), c5, 5), conv(pool(t, 3, 1), d, 1)]
        return tf.concat(parts, 3)

    t = tf.nn.lrn(pool(conv(x, 64, 7, 2), 3, 2), 2, bias=1.0, alpha=2e-5, beta=0.75)
    t = pool(tf.nn.lrn(conv(conv(t, 64, 1), 192, 3), 2, bias=1.0, alpha=2e-5, beta=0.75), 3, 2)
    t = mixed(mixed(t, 64, 96, 128, 16, 32, 32), 128, 128, 192, 32, 96, 64)
    t = pool(t, 3, 2)
    for sizes in (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ):
        t = mixed(t, *sizes)
    t = mixed(mixed(pool(t, 3, 2), 256, 160, 320, 32, 128, 128), 384, 192, 384, 48, 128, 128)
    return x, [tf.nn.softmax(tf.layers.dense(tf.reduce_mean(t, [1, 2]), 1000), name="y")]


def c3d():
    x = tf.placeholder(tf.float32, [None, 16, 112, 112, 3], "x")
    t = x
    for i, filters in enumerate(((64,), (128,), (256, 256), (512, 512), (512, 512))):
        for count in filters:
            t = tf.layers.conv3d(t, count, 3, 1, "same", activation=tf.nn.relu)
        t = tf.layers.max_pooling3d(t, (1, 2, 2) if i == 0 else 2, (1, 2, 2) if i == 0 else 2, "same")
    t = tf.layers.flatten(t)
    for _ in range(2):
        t = tf.layers.dense(t, 4096, activation=tf.nn.relu)
    return x, [tf.nn.softmax(tf.layers.dense(t, 487), name="y")]


def lstm():
    """Two layers of 512 over 50 steps."""
    x = tf.placeholder(tf.float32, [None, 50, 128], "x")
    cells = [tf.nn.rnn_cell.LSTMCell(512) for _ in range(2)]
    out, _ = tf.nn.dynamic_rnn(tf.nn.rnn_cell.MultiRNNCell(cells), x, dtype=tf.float32)
    return x, [tf.identity(out, "y")]


def seq2seq():
    """LSTM 256 with Luong attention, 20 words in, greedily 20 words out of 4000."""
    s2s, words, units = tf.contrib.seq2seq, 4000, 256
    x = tf.placeholder(tf.int32, [None, 20], "x")
    table = tf.get_variable("words", [words, units])
    batch = tf.shape(x)[0]
    memory, state = tf.nn.dynamic_rnn(tf.nn.rnn_cell.LSTMCell(units), tf.nn.embedding_lookup(table, x), dtype=tf.float32)
    attention = s2s.LuongAttention(units, memory, scale=True)
    cell = s2s.AttentionWrapper(tf.nn.rnn_cell.LSTMCell(units), attention, attention_layer_size=units)
    first = cell.zero_state(batch, tf.float32).clone(cell_state=state)
    helper = s2s.GreedyEmbeddingHelper(table, tf.fill([batch], 1), -1)
    decoder = s2s.BasicDecoder(cell, helper, first, tf.layers.Dense(words, use_bias=False))
    out, _, _ = s2s.dynamic_decode(decoder, maximum_iterations=20)
    return x, [tf.identity(out.sample_id, "y")]


def wavenet():
    """Ten dilations of 32 residual and 128 skip channels over 8,000 samples, as the programs of 2016 wrote them: through space_to_batch."""
    x = tf.placeholder(tf.float32, [None, 8000, 1], "x")
    t = tf.layers.conv1d(x, 32, 2, padding="valid")
    skips = []
    for dilation in [2**i for i in range(10)]:
        both = tf.layers.conv1d(t, 64, 2, dilation_rate=dilation, padding="valid", use_bias=True)
        gated = tf.tanh(both[:, :, :32]) * tf.sigmoid(both[:, :, 32:])
        skips.append(tf.layers.conv1d(gated, 128, 1))
        t = t[:, dilation:] + tf.layers.conv1d(gated, 32, 1)
    size = tf.shape(t)[1]
    total = tf.nn.relu(tf.add_n([s[:, tf.shape(s)[1] - size :] for s in skips]))
    return x, [tf.nn.softmax(tf.layers.conv1d(tf.layers.conv1d(total, 128, 1, activation=tf.nn.relu), 256, 1), name="y")]


MODELS = (vgg16, resnet50, inception_v3, xception, inception_v1, c3d, lstm, seq2seq, wavenet)


def main():
    out, names = sys.argv[1], sys.argv[2:]
    os.makedirs(out, exist_ok=True)
    for make in MODELS:
        if names and make.__name__ not in names:
            continue
        tf.keras.backend.clear_session()
        tf.reset_default_graph()
        tf.set_random_seed(0)
        with tf.Session() as sess:
            tf.keras.backend.set_session(sess)
            tf.keras.backend.set_learning_phase(0)
            x, outputs = make()
            sess.run(tf.global_variables_initializer())
            names_out = [t.op.name for t in outputs]
            graph = tf.graph_util.convert_variables_to_constants(sess, sess.graph_def, names_out)
            graph = tf.graph_util.remove_training_nodes(graph, protected_nodes=names_out)
        with open(os.path.join(out, make.__name__ + ".pb"), "wb") as f:
            f.write(graph.SerializeToString())
        told = {"input": x.name, "shape": x.shape.as_list()[1:], "dtype": x.dtype.name, "outputs": [n + ":0" for n in names_out]}
        with open(os.path.join(out, make.__name__ + ".json"), "w") as f:
            json.dump(told, f)
        print(make.__name__, len(graph.node), "nodes", graph.ByteSize() // 1000000, "MB", flush=True)


main()
