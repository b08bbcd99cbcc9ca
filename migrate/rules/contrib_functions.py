"""Functions of tf.contrib that are a few lines: put into the file as functions of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import libcst as cst

from migrate.names import Names
from migrate.rule import CALL, Context, Example, Match, call_with, rule

TF = "import tensorflow as tf\n"

HPARAMS = '''
def HParams(**values):
    """The hyperparameters as tf.contrib.training.HParams kept them."""
    import ast
    import json

    class Parameters(object):
        def __init__(self):
            self.__dict__.update(values)

        def __contains__(self, name):
            return name in self.__dict__

        def values(self):
            return dict(self.__dict__)

        def get(self, name, default=None):
            return self.__dict__.get(name, default)

        def add_hparam(self, name, value):
            setattr(self, name, value)

        def set_hparam(self, name, value):
            setattr(self, name, type(self.__dict__[name])(value))

        def del_hparam(self, name):
            delattr(self, name)

        def override_from_dict(self, changes):
            for name, value in changes.items():
                self.set_hparam(name, value)
            return self

        def parse(self, text):
            depth, parts = 0, [""]
            for letter in text:
                depth += (letter == "[") - (letter == "]")
                parts = parts + [""] if letter == "," and not depth else parts[:-1] + [parts[-1] + letter]
            for part in filter(None, parts):
                name, _, value = (piece.strip() for piece in part.partition("="))
                try:
                    value = ast.literal_eval({"true": "True", "false": "False"}.get(value, value))
                except (SyntaxError, ValueError):
                    pass
                setattr(self, name, float(value) if isinstance(self.get(name), float) else value)
            return self

        def to_json(self, **options):
            return json.dumps(self.values(), **options)

    return Parameters()
'''

TILE_BATCH = '''
def tile_batch(t, multiplier, name=None):
    """Each entry of the batch repeated, as tf.contrib.seq2seq.tile_batch did."""
    import tensorflow as tf

    return tf.nest.map_structure(lambda x: tf.repeat(x, multiplier, axis=0), t)
'''

SEQUENCE_LOSS_BY_EXAMPLE = '''
def sequence_loss_by_example(logits, targets, weights, average_across_timesteps=True, softmax_loss_function=None, name=None):
    """The weighted cross entropy of each sequence, from lists with one tensor a step."""
    import tensorflow as tf

    losses = []
    for logit, target, weight in zip(logits, targets, weights):
        if softmax_loss_function is None:
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.reshape(target, [-1]), logits=logit)
        else:
            loss = softmax_loss_function(labels=target, logits=logit)
        losses.append(loss * weight)
    total = tf.add_n(losses)
    return total / (tf.add_n(weights) + 1e-12) if average_across_timesteps else total
'''

SEQUENCE_LOSS = '''
def sequence_loss(logits, targets, weights, average_across_timesteps=True, average_across_batch=True, softmax_loss_function=None, name=None):
    """The weighted cross entropy of a batch of sequences, [batch, time, classes]."""
    import tensorflow as tf

    flat = tf.reshape(logits, [-1, tf.shape(logits)[2]])
    labels = tf.reshape(targets, [-1])
    if softmax_loss_function is None:
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=flat)
    else:
        loss = softmax_loss_function(labels=labels, logits=flat)
    loss = tf.reshape(loss * tf.reshape(weights, [-1]), tf.shape(logits)[:2])
    if average_across_timesteps and average_across_batch:
        return tf.reduce_sum(loss) / (tf.reduce_sum(weights) + 1e-12)
    if average_across_timesteps:
        return tf.reduce_sum(loss, axis=1) / (tf.reduce_sum(weights, axis=1) + 1e-12)
    if average_across_batch:
        return tf.reduce_sum(loss, axis=0) / (tf.reduce_sum(weights, axis=0) + 1e-12)
    return loss
'''

CRF_LOG_LIKELIHOOD = '''
def crf_log_likelihood(inputs, tag_indices, sequence_lengths, transition_params=None):
    """The log likelihood of tag sequences in a linear-chain CRF, and its transition scores."""
    import tensorflow as tf

    count = tf.compat.dimension_value(inputs.shape[2])
    if transition_params is None:
        transition_params = tf.compat.v1.get_variable("transitions", [count, count])
    tags = tf.cast(tag_indices, tf.int32)
    lengths = tf.cast(sequence_lengths, tf.int32)
    mask = tf.cast(tf.sequence_mask(lengths, tf.shape(inputs)[1]), inputs.dtype)
    unary = tf.reduce_sum(tf.reduce_sum(inputs * tf.one_hot(tags, count, dtype=inputs.dtype), 2) * mask, 1)
    pairs = tf.gather_nd(transition_params, tf.stack([tags[:, :-1], tags[:, 1:]], 2))
    binary = tf.reduce_sum(pairs * mask[:, 1:], 1)

    def forward(alpha, now):
        scores, kept = now
        new = scores + tf.reduce_logsumexp(alpha[:, :, None] + transition_params, 1)
        return new * kept[:, None] + alpha * (1.0 - kept[:, None])

    steps = tf.transpose(inputs[:, 1:], [1, 0, 2]), tf.transpose(mask[:, 1:])
    norm = tf.reduce_logsumexp(tf.foldl(forward, steps, initializer=inputs[:, 0]), 1)
    return unary + binary - norm * mask[:, 0], transition_params
'''

CRF_DECODE = '''
def crf_decode(potentials, transition_params, sequence_length):
    """The best tag sequences of a linear-chain CRF, and their scores."""
    import tensorflow as tf

    count = tf.compat.dimension_value(potentials.shape[2])
    mask = tf.sequence_mask(tf.cast(sequence_length, tf.int32), tf.shape(potentials)[1])
    same = tf.zeros_like(potentials[:, 0], dtype=tf.int32) + tf.range(count)

    def forward(before, now):
        scores, kept = now
        paths = before[0][:, :, None] + transition_params
        on, off = tf.cast(kept, scores.dtype)[:, None], tf.cast(kept, tf.int32)[:, None]
        best = (scores + tf.reduce_max(paths, 1)) * on + before[0] * (1.0 - on)
        return best, tf.argmax(paths, 1, output_type=tf.int32) * off + same * (1 - off)

    def backward(tag, back):
        return tf.reduce_sum(back * tf.one_hot(tag, count, dtype=tf.int32), 1)

    steps = tf.transpose(potentials[:, 1:], [1, 0, 2]), tf.transpose(mask[:, 1:])
    scores, backs = tf.scan(forward, steps, initializer=(potentials[:, 0], same))
    scores = tf.concat([potentials[None, :, 0], scores], 0)[-1]
    last = tf.argmax(scores, 1, output_type=tf.int32)
    tags = tf.concat([tf.scan(backward, backs, initializer=last, reverse=True), last[None]], 0)
    return tf.transpose(tags) * tf.cast(mask, tf.int32), tf.reduce_max(scores, 1)
'''

VITERBI_DECODE = '''
def viterbi_decode(score, transition_params):
    """The best tag sequence for one array of scores, and its score."""
    import numpy

    trellis, backs = score[0], []
    for now in score[1:]:
        paths = trellis[:, None] + transition_params
        backs.append(paths.argmax(0))
        trellis = now + paths.max(0)
    tags = [int(trellis.argmax())]
    for back in reversed(backs):
        tags.append(int(back[tags[-1]]))
    return tags[::-1], numpy.max(trellis)
'''

# function of contrib -> (name in the file, source)
FUNCTIONS: Mapping[str, tuple[str, str]] = {
    "tf.contrib.crf.crf_decode": ("crf_decode", CRF_DECODE),
    "tf.contrib.crf.crf_log_likelihood": ("crf_log_likelihood", CRF_LOG_LIKELIHOOD),
    "tf.contrib.crf.viterbi_decode": ("viterbi_decode", VITERBI_DECODE),
    "tf.contrib.legacy_seq2seq.sequence_loss_by_example": ("sequence_loss_by_example", SEQUENCE_LOSS_BY_EXAMPLE),
    "tf.contrib.seq2seq.sequence_loss": ("sequence_loss", SEQUENCE_LOSS),
    "tf.contrib.seq2seq.tile_batch": ("tile_batch", TILE_BATCH),
    "tf.contrib.training.HParams": ("HParams", HPARAMS),
    "tf.nn.seq2seq.sequence_loss_by_example": ("sequence_loss_by_example", SEQUENCE_LOSS_BY_EXAMPLE),
}


@rule(
    "contrib-function",
    "Put a function of tf.contrib that is a few lines into the file.",
    since="2.0",
    visits=CALL,
    symbols=FUNCTIONS,
    targets="2",
    order=50,
    examples=[
        Example(
            TF + "s = tf.contrib.seq2seq.tile_batch(s, 3)\n",
            TF + "\n" + TILE_BATCH + "\n\ns = tile_batch(s, 3)\n",
        ),
        Example(TF + "def tile_batch(s, n):\n    return s\ns = tile_batch(s, 3)\n", None),
    ],
)
def contrib_function(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    symbol = names.symbol(node) or ""
    name, source = FUNCTIONS[symbol]
    if names.scope.lookup(name) is not None and not is_helper(name, names, context):
        return  # the file has another thing of that name
    yield Match(
        node,
        f"TensorFlow 2 has no {symbol}: the function is put into the file",
        replacement=call_with(node, node.args, cst.Name(name)),
        helpers=(source,),
    )


def is_helper(name: str, names: Names, context: Context) -> bool:
    """The name is bound once, by what an earlier pass put there."""
    found = names.scope.lookup(name)
    if found is None or len(found[1]) != 1:
        return False
    bound = found[1][0].node
    return isinstance(bound, cst.FunctionDef) and context.code(bound).strip() == FUNCTIONS_BY_NAME[name].strip()


FUNCTIONS_BY_NAME = dict(FUNCTIONS.values())
