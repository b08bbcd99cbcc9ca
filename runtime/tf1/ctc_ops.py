"""tf.nn.ctc_*: connectionist temporal classification."""

from __future__ import annotations

from typing import Any

from runtime.tf1.graph import apply_op
from runtime.tf1.modules import module
from runtime.tf1.registry import export

tf: Any = module("")


@export("nn.ctc_loss")
def ctc_loss(
    labels: Any, inputs: Any = None, sequence_length: Any = None, preprocess_collapse_repeated: bool = False, ctc_merge_repeated: bool = True,
    ignore_longer_outputs_than_inputs: bool = False, time_major: bool = True, logits: Any = None,
) -> Any:  # fmt: skip
    """The loss of sparse labels under [time, batch, classes] logits; the last class is the blank."""
    if not isinstance(labels, tf.SparseTensor):
        raise TypeError("Expected labels (first argument) to be a SparseTensor")
    if logits is not None:
        if inputs is not None:
            raise ValueError("Cannot specify both 'inputs' and 'logits'")
        inputs = logits
    if not time_major:
        inputs = tf.transpose(inputs, [1, 0, 2])
    loss, _ = apply_op(
        "CTCLoss", None, inputs=inputs, labels_indices=labels.indices, labels_values=labels.values, sequence_length=sequence_length,
        preprocess_collapse_repeated=preprocess_collapse_repeated, ctc_merge_repeated=ctc_merge_repeated,
        ignore_longer_outputs_than_inputs=ignore_longer_outputs_than_inputs,
    )  # fmt: skip
    return loss


@export("nn.ctc_loss_v2")
def ctc_loss_v2(
    labels: Any,
    logits: Any,
    label_length: Any,
    logit_length: Any,
    logits_time_major: bool = True,
    unique: Any = None,
    blank_index: int | None = None,
    name: str | None = None,
) -> Any:
    """ctc_loss with the blank anywhere, and labels that may be dense."""
    sparse = isinstance(labels, tf.SparseTensor)
    if blank_index is None:
        if sparse:
            raise ValueError("blank_index must be given when using SparseTensor labels.")
        blank_index = 0
    if not sparse:
        labels = _dense_to_sparse(tf.convert_to_tensor(labels), label_length)
    classes = logits.shape.as_list()[2]
    if classes is None:
        raise ValueError("ctc_loss_v2 needs logits whose number of classes is known.")
    blank_index %= classes
    if blank_index != classes - 1:
        logits = tf.concat(
            [logits[:, :, :blank_index], logits[:, :, blank_index + 1 :], logits[:, :, blank_index : blank_index + 1]], axis=2
        )
        shifted = tf.where(labels.values < blank_index, labels.values, labels.values - 1)
        labels = tf.SparseTensor(labels.indices, shifted, labels.dense_shape)
    return ctc_loss(labels=labels, inputs=logits, sequence_length=logit_length, time_major=logits_time_major)


def _dense_to_sparse(dense: Any, length: Any) -> Any:
    """The first `length` labels of each row."""
    mask = tf.sequence_mask(length, maxlen=tf.shape(dense)[1])
    indices = tf.where(mask)
    return tf.SparseTensor(indices, tf.cast(tf.gather_nd(dense, indices), "int32"), tf.shape(dense, out_type="int64"))


@export("nn.ctc_greedy_decoder")
def ctc_greedy_decoder(inputs: Any, sequence_length: Any, merge_repeated: bool = True) -> tuple[list[Any], Any]:
    """The likeliest class of each step."""
    indices, values, shape, log_probability = apply_op(
        "CTCGreedyDecoder", None, inputs=inputs, sequence_length=sequence_length, merge_repeated=merge_repeated
    )
    return [tf.SparseTensor(indices, values, shape)], log_probability


@export("nn.ctc_beam_search_decoder")
def ctc_beam_search_decoder(
    inputs: Any, sequence_length: Any, beam_width: int = 100, top_paths: int = 1, merge_repeated: bool = True
) -> tuple[list[Any], Any]:
    """The likeliest `top_paths` sequences of a beam search."""
    indices, values, shapes, log_probability = apply_op(
        "CTCBeamSearchDecoder",
        None,
        inputs=inputs,
        sequence_length=sequence_length,
        beam_width=beam_width,
        top_paths=top_paths,
        merge_repeated=merge_repeated,
    )
    return [tf.SparseTensor(i, v, s) for i, v, s in zip(indices, values, shapes, strict=True)], log_probability


@export("nn.ctc_beam_search_decoder_v2")
def ctc_beam_search_decoder_v2(inputs: Any, sequence_length: Any, beam_width: int = 100, top_paths: int = 1) -> tuple[list[Any], Any]:
    return ctc_beam_search_decoder(
        inputs, sequence_length=sequence_length, beam_width=beam_width, top_paths=top_paths, merge_repeated=False
    )


@export("nn.collapse_repeated")
def collapse_repeated(labels: Any, seq_length: Any, name: str | None = None) -> tuple[Any, Any]:
    """Labels without repetitions, and their new lengths."""
    with tf.name_scope(name, "collapse_repeated_labels", [labels, seq_length]):
        labels = tf.convert_to_tensor(labels, name="labels")
        seq_length = tf.convert_to_tensor(seq_length, name="seq_length")
        kept = tf.concat([tf.ones_like(labels[:, :1], "bool"), tf.not_equal(labels[:, 1:], labels[:, :-1])], axis=1)
        kept = tf.logical_and(kept, tf.sequence_mask(seq_length, maxlen=labels.shape.as_list()[1] or tf.shape(labels)[1]))
        lengths = tf.reduce_sum(tf.cast(kept, "int32"), axis=1)
        longest = tf.reduce_max(lengths)
        places = tf.reshape(tf.sequence_mask(lengths, maxlen=longest), [-1])
        index = tf.range(tf.shape(places)[0])
        flat = tf.scatter_nd(
            indices=tf.expand_dims(tf.boolean_mask(index, places), axis=1), updates=tf.boolean_mask(tf.reshape(labels, [-1]), tf.reshape(kept, [-1])),
            shape=tf.shape(places),
        )  # fmt: skip
        return tf.reshape(flat, [labels.shape.as_list()[0] or tf.shape(labels)[0], longest]), tf.cast(lengths, seq_length.dtype)


@export("nn.ctc_unique_labels")
def ctc_unique_labels(labels: Any, name: str | None = None) -> Any:
    """Each row's unique labels, padded, and the index of each label among them."""
    with tf.name_scope(name, "ctc_unique_labels", [labels]):
        labels = tf.convert_to_tensor(labels, name="labels")

        def unique(row: Any) -> list[Any]:
            values, index = tf.unique(row)
            padded = tf.pad(values, [[0, tf.shape(index)[0] - tf.shape(values)[0]]])
            return [tf.cast(padded, "int64"), index]

        return tf.map_fn(unique, labels, dtype=[tf.int64, tf.int32])
