"""The module tree that stands for `tensorflow`: every name of TensorFlow 1.15, found when it is asked for."""

from __future__ import annotations

import functools
import gzip
import importlib
import json
import sys
import types
from importlib import resources
from typing import Any

from migrate import symbols
from runtime.tf1.registry import EXPORTS, NOTHING

# Always imported: what nearly every script needs. Sorted as they depend on each other.
CORE = (
    "dtypes", "errors", "graph", "tensor", "tensor_shape", "array_ops", "math_ops", "state_ops", "control_flow_ops", "random_ops", "init_ops",
    "variables", "variable_scope", "gradients", "nn_ops", "client",
)  # fmt: skip

# Prefix of an API name -> the modules of this package that export what is below it, imported on first use; longest prefix first.
LAZY: dict[str, tuple[str, ...]] = {
    "is_tensor": ("inspection",),
    "get_static_value": ("inspection",),
    "dimension_value": ("inspection",),
    "dimension_at_index": ("inspection",),
    "sparse_matmul": ("inspection",),
    "convert_to_tensor_or_indexed_slices": ("inspection",),
    "feature_column": ("feature_column", "sequence_feature_column"),
    "contrib.factorization": ("contrib.clustering",),
    "contrib.graph_editor": ("contrib.graph_editor",),
    "contrib.deprecated": ("contrib.old_summaries",),
    "contrib.predictor": ("contrib.predictor",),
    "contrib.feature_column": ("sequence_feature_column",),
    "nn.safe_embedding_lookup_sparse": ("feature_column",),
    "distribute": ("distribute",),
    "distribute.cluster_resolver": ("cluster_resolver",),
    "contrib.distribute": ("distribute",),
    "distributions": ("distribution.continuous", "distribution.discrete", "distribution.simplex"),
    "contrib.distributions": (
        "distribution.continuous",
        "distribution.discrete",
        "distribution.simplex",
        "distribution.compound",
        "distribution.transformed",
        "distribution.multivariate",
    ),
    "estimator": (
        "estimator.spec",
        "estimator.estimator",
        "estimator.training",
        "estimator.canned",
        "estimator.public_heads",
        "estimator.more_models",
        "estimator.early_stopping",
    ),
    "contrib.estimator": ("estimator.canned", "estimator.public_heads", "estimator.more_models", "estimator.early_stopping"),
    "estimator.inputs": ("estimator.inputs",),
    "image": (
        "image_ops",
        "image_color_ops",
    ),
    "extract_image_patches": ("image_ops",),
    "io.is_jpeg": ("image_ops",),
    "io.decode_image": ("image_ops",),
    "metrics": (
        "metrics",
        "metrics_at_k",
    ),
    "linalg": ("linalg_ops",),
    "linalg.LinearOperator": ("linear_operator.basic", "linear_operator.composed"),
    "linalg.LinearOperatorAdjoint": ("linear_operator.basic", "linear_operator.composed"),
    "linalg.LinearOperatorBlockDiag": ("linear_operator.basic", "linear_operator.composed"),
    "linalg.LinearOperatorComposition": ("linear_operator.basic", "linear_operator.composed"),
    "linalg.LinearOperatorDiag": ("linear_operator.basic", "linear_operator.composed"),
    "linalg.LinearOperatorFullMatrix": ("linear_operator.basic", "linear_operator.composed"),
    "linalg.LinearOperatorHouseholder": ("linear_operator.basic", "linear_operator.composed"),
    "linalg.LinearOperatorIdentity": ("linear_operator.basic", "linear_operator.composed"),
    "linalg.LinearOperatorInversion": ("linear_operator.basic", "linear_operator.composed"),
    "linalg.LinearOperatorLowRankUpdate": ("linear_operator.basic", "linear_operator.composed"),
    "linalg.LinearOperatorLowerTriangular": ("linear_operator.basic", "linear_operator.composed"),
    "linalg.LinearOperatorScaledIdentity": ("linear_operator.basic", "linear_operator.composed"),
    "linalg.LinearOperatorZeros": ("linear_operator.basic", "linear_operator.composed"),
    "norm": ("linalg_ops",),
    "svd": ("linalg_ops",),
    "cholesky_solve": ("linalg_ops",),
    "matrix_solve_ls": ("linalg_ops",),
    "self_adjoint_eig": ("linalg_ops",),
    "self_adjoint_eigvals": ("linalg_ops",),
    "lbeta": ("special_math_ops",),
    "math.polyval": ("special_math_ops",),
    "math.reciprocal_no_nan": ("special_math_ops",),
    "math.multiply_no_nan": ("special_math_ops",),
    "math.nextafter": ("special_math_ops",),
    "truncatediv": ("special_math_ops",),
    "truncatemod": ("special_math_ops",),
    "to_bfloat16": ("special_math_ops",),
    "to_complex64": ("special_math_ops",),
    "to_complex128": ("special_math_ops",),
    "unsorted_segment_mean": ("special_math_ops",),
    "unsorted_segment_sqrt_n": ("special_math_ops",),
    "einsum": ("special_math_ops",),
    "confusion_matrix": ("special_math_ops",),
    "histogram_fixed_width": ("special_math_ops",),
    "histogram_fixed_width_bins": ("special_math_ops",),
    "sort": ("special_math_ops",),
    "argsort": ("special_math_ops",),
    "where_v2": ("special_math_ops",),
    "batch_gather": ("special_math_ops",),
    "repeat": ("special_math_ops",),
    "strings": ("string_ops",),
    "string_split": ("string_ops",),
    "reduce_join": ("string_ops",),
    "string_to_number": ("string_ops",),
    "string_to_hash_bucket": ("string_ops",),
    "regex_replace": ("string_ops",),
    "substr": ("string_ops",),
    "contrib.learn": (
        "contrib.learn.model_fn",
        "contrib.learn.run_config",
        "contrib.learn.data_feeder",
        "contrib.learn.estimator",
        "contrib.learn.head",
        "contrib.learn.canned",
        "contrib.learn.experiment",
        "contrib.learn.exporting",
        "contrib.learn.inputs",
        "contrib.learn.models",
        "contrib.learn.preprocessing",
    ),
    "contrib.learn.datasets": (
        "learn_datasets",
        "input_data",
    ),
    "xla": ("xla",),
    "make_template": ("template",),
    "custom_gradient": ("template",),
    "grad_pass_through": ("template",),
    "recompute_grad": ("template",),
    "python.client.device_lib": ("config",),
    "python.client.timeline": ("timeline",),
    "DeviceSpec": ("device",),
    "contrib.training.GreedyLoadBalancingStrategy": ("contrib.device_setter",),
    "contrib.training.RandomStrategy": ("contrib.device_setter",),
    "contrib.training.byte_size_load_fn": ("contrib.device_setter",),
    "python.framework.device": ("device",),
    "debugging": ("check_ops",),
    "ensure_shape": ("check_ops",),
    "is_strictly_increasing": ("check_ops",),
    "is_non_decreasing": ("check_ops",),
    "is_numeric_tensor": ("check_ops",),
    "assert_proper_iterable": ("check_ops",),
    "assert_same_float_dtype": ("check_ops",),
    "assert_integer": ("check_ops",),
    "assert_type": ("check_ops",),
    "assert_scalar": ("check_ops",),
    "assert_rank_in": ("check_ops",),
    "assert_rank_at_least": ("check_ops",),
    "assert_rank": ("check_ops",),
    "assert_non_positive": ("check_ops",),
    "assert_non_negative": ("check_ops",),
    "assert_positive": ("check_ops",),
    "assert_negative": ("check_ops",),
    "assert_near": ("check_ops",),
    "assert_greater_equal": ("check_ops",),
    "assert_greater": ("check_ops",),
    "assert_less_equal": ("check_ops",),
    "assert_less": ("check_ops",),
    "assert_none_equal": ("check_ops",),
    "assert_equal": ("check_ops",),
    "losses": ("losses",),
    "math.divide_no_nan": ("losses",),
    "div_no_nan": ("losses",),
    "nn.compute_accidental_hits": ("embedding_ops",),
    "nn.all_candidate_sampler": ("embedding_ops",),
    "nn.fixed_unigram_candidate_sampler": ("embedding_ops",),
    "nn.learned_unigram_candidate_sampler": ("embedding_ops",),
    "nn.log_uniform_candidate_sampler": ("embedding_ops",),
    "nn.uniform_candidate_sampler": ("embedding_ops",),
    "nn.sampled_softmax_loss": ("embedding_ops",),
    "nn.nce_loss": ("embedding_ops",),
    "nn.embedding_lookup_sparse": ("embedding_ops",),
    "nn.embedding_lookup": ("embedding_ops",),
    "global_norm": ("clip_ops",),
    "clip_by_value": ("clip_ops",),
    "clip_by_norm": ("clip_ops",),
    "clip_by_global_norm": ("clip_ops",),
    "clip_by_average_norm": ("clip_ops",),
    "contrib.rnn": ("rnn_cell", "rnn", "contrib.rnn_wrappers", "contrib.rnn_cells", "contrib.rnn_group_cells"),
    "contrib.crf": ("contrib.crf",),
    "contrib.cudnn_rnn": ("contrib.cudnn_rnn",),
    "contrib.tensorboard": ("contrib.projector",),
    "contrib.image": ("contrib.image", "contrib.image_warp"),
    "contrib.resampler": ("contrib.image",),
    "contrib.opt": (
        "contrib.opt.adam",
        "contrib.opt.sign",
        "contrib.opt.wrappers",
        "contrib.opt.external",
        "contrib.opt.averaging",
        "contrib.opt.matrix",
    ),
    "contrib.losses": ("contrib.losses",),
    "contrib.losses.metric_learning": ("contrib.metric_learning",),
    "contrib.slim.losses.metric_learning": ("contrib.metric_learning",),
    "contrib.slim.metrics": ("contrib.streaming_metrics",),
    "contrib.metrics": ("contrib.metrics", "contrib.streaming_metrics"),
    "contrib.summary": ("contrib.graph_summaries",),
    "contrib.slim": ("contrib.slim", "contrib.slim_summaries", "contrib.gdn"),
    "contrib.layers.utils": ("contrib.slim_summaries",),
    "contrib.slim.dataset": ("contrib.slim_data",),
    "contrib.slim.dataset_data_provider": ("contrib.slim_data",),
    "contrib.slim.data_decoder": ("contrib.slim_data",),
    "contrib.slim.data_provider": ("contrib.slim_data",),
    "contrib.slim.parallel_reader": ("contrib.slim_data",),
    "contrib.slim.prefetch_queue": ("contrib.slim_data",),
    "contrib.slim.queues": ("contrib.slim_data",),
    "contrib.slim.tfexample_decoder": ("contrib.slim_data",),
    "contrib.slim.nets": ("contrib.nets", "contrib.resnet", "contrib.inception"),
    "contrib.slim.python.slim.nets": ("contrib.nets", "contrib.resnet", "contrib.inception"),
    "contrib.training": ("contrib.training", "contrib.evaluation", "contrib.bucketing"),
    "contrib.training.HParams": ("contrib.hparams",),
    "contrib.training.parse_values": ("contrib.hparams",),
    "nn.ctc_loss": ("ctc_ops",),
    "nn.ctc_loss_v2": ("ctc_ops",),
    "nn.ctc_greedy_decoder": ("ctc_ops",),
    "nn.ctc_beam_search_decoder": ("ctc_ops",),
    "nn.ctc_beam_search_decoder_v2": ("ctc_ops",),
    "nn.ctc_unique_labels": ("ctc_ops",),
    "nn.collapse_repeated": ("ctc_ops",),
    "contrib.legacy_seq2seq": ("contrib.legacy_seq2seq",),
    "contrib.seq2seq": ("contrib.decoder", "contrib.helper", "contrib.attention", "contrib.beam_search"),
    "contrib.framework": ("contrib.framework_tensors", "contrib.arg_scope", "contrib.variables"),
    "contrib.layers": (
        "contrib.layers",
        "contrib.batch_norm",
        "contrib.normalization",
        "contrib.layer_training",
        "contrib.regularizers",
        "contrib.feature_columns",
        "contrib.feature_column_ops",
        "contrib.scattered_embeddings",
        "contrib.gdn",
    ),
    "contrib.nn": ("contrib.nn_functions",),
    "contrib.sparsemax": ("contrib.sparse_softmax",),
    "contrib.bayesflow": ("contrib.monte_carlo",),
    "contrib.solvers": ("contrib.solvers",),
    "contrib.integrate.odeint_fixed": ("contrib.integrate",),
    "nn.static_state_saving_rnn": ("rnn",),
    "nn.static_bidirectional_rnn": ("rnn",),
    "nn.raw_rnn": ("rnn",),
    "nn.bidirectional_dynamic_rnn": ("rnn",),
    "nn.static_rnn": ("rnn",),
    "nn.dynamic_rnn": ("rnn",),
    "nn.rnn_cell": ("rnn_cell",),
    "scan": ("functional_ops",),
    "map_fn": ("functional_ops",),
    "layers": ("layer", "core_layers"),
    "keras.applications": tuple(
        f"keras.applications.{n}" for n in ("imagenet", "vgg", "resnet", "inception", "xception", "densenet", "mobilenet", "nasnet")
    ),
    "keras.datasets": ("keras.datasets",),
    "keras.preprocessing": ("keras.text", "keras.image", "keras.image_transforms", "keras.image_generator"),
    "keras.utils": ("keras.data_utils", "keras.feeding", "keras.drawing"),
    "keras.wrappers": ("keras.scikit_learn",),
    "keras": (
        "keras.backend_ops",
        "keras.recurrence",
        "keras.layers.core",
        "keras.layers.advanced_activations",
        "keras.layers.convolutional",
        "keras.layers.embeddings",
        "keras.layers.dense_attention",
        "keras.layers.local",
        "keras.layers.merge",
        "keras.layers.normalization",
        "keras.layers.recurrent",
        "keras.layers.wrappers",
        "keras.layers.convolutional_recurrent",
        "keras.engine.saving",
        "keras.engine.sequential",
        "keras.special_metrics",
        "keras.callbacks",
    ),
    "foldr": ("functional_ops",),
    "foldl": ("functional_ops",),
    "TensorArray": ("tensor_array",),
    "Assert": ("logging_ops",),
    "Print": ("logging_ops",),
    "add_check_numerics_ops": ("logging_ops",),
    "app": ("system", "flags"),
    "case": ("control_flow",),
    "check_numerics": ("logging_ops",),
    "compat": ("system",),
    "cond": ("control_flow",),
    "contrib.learn.datasets.mnist": ("input_data",),
    "contrib.learn.python.learn.datasets": ("input_data",),
    "disable_eager_execution": ("system",),
    "disable_v2_behavior": ("system",),
    "disable_v2_tensorshape": ("system",),
    "disable_tensor_equality": ("system",),
    "disable_control_flow_v2": ("system",),
    "enable_eager_execution": ("system",),
    "examples.tutorials.mnist": ("input_data",),
    "executing_eagerly": ("system",),
    "flags": ("flags",),
    "get_logger": ("system",),
    "gfile": ("system",),
    "import_graph_def": ("train.meta_graph",),
    "logging": ("system",),
    "nest": ("nest",),
    "numpy_function": ("logging_ops",),
    "print": ("logging_ops",),
    "py_func": ("logging_ops",),
    "summary": ("summary",),
    "switch_case": ("control_flow",),
    "test": ("system", "test_case"),
    "train": (
        "summary",
        "train.learning_rate_decay",
        "train.meta_graph",
        "train.optimizer",
        "train.optimizers",
        "train.saver",
        "train.training_util",
    ),
    "SparseTensor": ("sparse_tensor",),
    "SparseTensorValue": ("sparse_tensor",),
    "convert_to_tensor_or_sparse_tensor": ("sparse_tensor",),
    "sparse_placeholder": ("sparse_tensor",),
    "sparse": ("sparse_ops",),
    "sparse_concat": ("sparse_ops",),
    "sparse_add": ("sparse_ops",),
    "sparse_reorder": ("sparse_ops",),
    "sparse_reshape": ("sparse_ops",),
    "sparse_split": ("sparse_ops",),
    "sparse_slice": ("sparse_ops",),
    "sparse_reduce_max": ("sparse_ops",),
    "sparse_reduce_max_sparse": ("sparse_ops",),
    "sparse_reduce_sum": ("sparse_ops",),
    "sparse_reduce_sum_sparse": ("sparse_ops",),
    "sparse_tensor_to_dense": ("sparse_ops",),
    "sparse_to_dense": ("sparse_ops",),
    "sparse_to_indicator": ("sparse_ops",),
    "sparse_merge": ("sparse_ops",),
    "sparse_retain": ("sparse_ops",),
    "sparse_reset_shape": ("sparse_ops",),
    "sparse_fill_empty_rows": ("sparse_ops",),
    "serialize_sparse": ("sparse_ops",),
    "serialize_many_sparse": ("sparse_ops",),
    "deserialize_many_sparse": ("sparse_ops",),
    "sparse_tensor_dense_matmul": ("sparse_ops",),
    "sparse_softmax": ("sparse_ops",),
    "sparse_maximum": ("sparse_ops",),
    "sparse_minimum": ("sparse_ops",),
    "sparse_transpose": ("sparse_ops",),
    "sparse_mask": ("sparse_ops",),
    "sets": ("sparse_ops",),
    "signal": ("signal",),
    "spectral": ("signal",),
    "contrib.signal": ("signal",),
    "FIFOQueue": ("data_flow_ops",),
    "RandomShuffleQueue": ("data_flow_ops",),
    "PaddingFIFOQueue": ("data_flow_ops",),
    "PriorityQueue": ("data_flow_ops",),
    "QueueBase": ("data_flow_ops",),
    "queue": ("data_flow_ops",),
    "ConditionalAccumulator": ("data_flow_ops",),
    "ConditionalAccumulatorBase": ("data_flow_ops",),
    "SparseConditionalAccumulator": ("data_flow_ops",),
    "contrib.staging": ("data_flow_ops",),
    "python.ops.data_flow_ops": ("data_flow_ops",),
    "ReaderBase": ("io_ops",),
    "WholeFileReader": ("io_ops",),
    "TextLineReader": ("io_ops",),
    "FixedLengthRecordReader": ("io_ops",),
    "TFRecordReader": ("io_ops",),
    "IdentityReader": ("io_ops",),
    "python_io": ("io_ops",),
    "io.TFRecordWriter": ("io_ops",),
    "io.TFRecordOptions": ("io_ops",),
    "io.tf_record_iterator": ("io_ops",),
    "train.BytesList": ("io_ops",),
    "train.Example": ("io_ops",),
    "train.Feature": ("io_ops",),
    "train.FeatureList": ("io_ops",),
    "train.FeatureLists": ("io_ops",),
    "train.Features": ("io_ops",),
    "train.FloatList": ("io_ops",),
    "train.Int64List": ("io_ops",),
    "train.SequenceExample": ("io_ops",),
    "FixedLenFeature": ("parsing_ops",),
    "VarLenFeature": ("parsing_ops",),
    "SparseFeature": ("parsing_ops",),
    "FixedLenSequenceFeature": ("parsing_ops",),
    "parse_example": ("parsing_ops",),
    "parse_single_example": ("parsing_ops",),
    "parse_single_sequence_example": ("parsing_ops",),
    "io.parse_sequence_example": ("parsing_ops",),
    "decode_raw": ("parsing_ops",),
    "decode_csv": ("parsing_ops",),
    "train.ExponentialMovingAverage": ("train.moving_averages",),
    "python.training.moving_averages": ("train.moving_averages",),
    "train.Coordinator": ("train.coordinator",),
    "train.LooperThread": ("train.coordinator",),
    "train.QueueRunner": ("train.queue_runner",),
    "train.queue_runner": ("train.queue_runner",),
    "train.add_queue_runner": ("train.queue_runner",),
    "train.start_queue_runners": ("train.queue_runner",),
    "train.batch": ("train.input",),
    "train.batch_join": ("train.input",),
    "train.maybe_batch": ("train.input",),
    "train.maybe_batch_join": ("train.input",),
    "train.shuffle_batch": ("train.input",),
    "train.shuffle_batch_join": ("train.input",),
    "train.maybe_shuffle_batch": ("train.input",),
    "train.maybe_shuffle_batch_join": ("train.input",),
    "train.input_producer": ("train.input",),
    "train.string_input_producer": ("train.input",),
    "train.range_input_producer": ("train.input",),
    "train.slice_input_producer": ("train.input",),
    "train.limit_epochs": ("train.input",),
    "train.match_filenames_once": ("train.input",),
    "data.experimental": ("data.experimental",),
    "data": ("data.structure", "data.options", "data.dataset_ops", "data.iterator_ops", "data.readers"),
    "TensorSpec": ("data.structure",),
    "TypeSpec": ("data.structure",),
    "SparseTensorSpec": ("data.structure",),
    "OptionalSpec": ("data.structure",),
    "contrib.data": ("data.experimental", "data.iterator_ops"),
    "tables_initializer": ("lookup_ops",),
    "initialize_all_tables": ("lookup_ops",),
    "lookup": ("lookup_ops",),
    "contrib.lookup": ("lookup_ops",),
    "train.SessionManager": ("train.session_manager",),
    "train.Supervisor": ("train.supervisor",),
    "train.basic_train_loop": ("train.monitored_session",),
    "train.ClusterDef": ("train.server_lib",),
    "train.JobDef": ("train.server_lib",),
    "train.ServerDef": ("train.server_lib",),
    "train.ClusterSpec": ("train.server_lib",),
    "train.Server": ("train.server_lib",),
    "train.replica_device_setter": ("train.server_lib",),
    "train.SessionRunArgs": ("train.session_run_hook",),
    "train.SessionRunValues": ("train.session_run_hook",),
    "train.SessionRunContext": ("train.session_run_hook",),
    "train.SessionRunHook": ("train.session_run_hook",),
    "train.SecondOrStepTimer": ("train.session_run_hook",),
    "train.LoggingTensorHook": ("train.session_run_hook",),
    "train.StopAtStepHook": ("train.session_run_hook",),
    "train.CheckpointSaverListener": ("train.session_run_hook",),
    "train.CheckpointSaverHook": ("train.session_run_hook",),
    "train.StepCounterHook": ("train.session_run_hook",),
    "train.NanLossDuringTrainingError": ("train.session_run_hook",),
    "train.NanTensorHook": ("train.session_run_hook",),
    "train.SummarySaverHook": ("train.session_run_hook",),
    "train.GlobalStepWaiterHook": ("train.session_run_hook",),
    "train.FinalOpsHook": ("train.session_run_hook",),
    "train.FeedFnHook": ("train.session_run_hook",),
    "train.ProfilerHook": ("train.session_run_hook",),
    "train.Scaffold": ("train.monitored_session",),
    "train.SessionCreator": ("train.monitored_session",),
    "train.ChiefSessionCreator": ("train.monitored_session",),
    "train.WorkerSessionCreator": ("train.monitored_session",),
    "train.MonitoredSession": ("train.monitored_session",),
    "train.SingularMonitoredSession": ("train.monitored_session",),
    "train.MonitoredTrainingSession": ("train.monitored_session",),
    "graph_util": ("graph_util",),
    "python.tools.freeze_graph": ("graph_util",),
    "python.training.slot_creator": ("train.moving_averages",),
    "saved_model": ("saved_model",),
    "python.ops.lookup_ops": ("lookup_ops",),
    "make_tensor_proto": ("tensor_proto",),
    "make_ndarray": ("tensor_proto",),
    "train.Checkpoint": ("train.checkpoint",),
    "train.CheckpointManager": ("train.checkpoint",),
    "train.init_from_checkpoint": ("train.warm_starting",),
    "train.warm_start": ("train.warm_starting",),
    "train.VocabInfo": ("train.warm_starting",),
    "train.checkpoints_iterator": ("train.warm_starting",),
    "train.SyncReplicasOptimizer": ("train.sync_replicas",),
    "train.experimental": ("train.loss_scale",),
    "py_function": ("eager_values",),
    "test.Benchmark": ("benchmark",),
    "test.benchmark_config": ("benchmark",),
    "test.compute_gradient": ("gradient_checker",),
    "test.compute_gradient_error": ("gradient_checker",),
    "nn.atrous_conv2d_transpose": ("conv_ops",),
    "nn.avg_pool_v2": ("conv_ops",),
    "nn.max_pool_v2": ("conv_ops",),
    "nn.compute_average_loss": ("conv_ops",),
    "nn.conv1d_transpose": ("conv_ops",),
    "nn.conv2d_backprop_filter": ("conv_ops",),
    "nn.conv3d_backprop_filter": ("conv_ops",),
    "nn.conv3d_backprop_filter_v2": ("conv_ops",),
    "nn.conv_transpose": ("conv_ops",),
    "nn.scale_regularization_loss": ("conv_ops",),
    "nn.with_space_to_batch": ("conv_ops",),
    "get_session_handle": ("session_ops",),
    "get_session_tensor": ("session_ops",),
    "delete_session_tensor": ("session_ops",),
    "config": ("environment",),
    "resource_loader": ("environment",),
    "sysconfig": ("environment",),
    "load_op_library": ("environment",),
    "load_library": ("environment",),
    "load_file_system_library": ("environment",),
    "user_ops": ("environment",),
    "errors": ("environment",),
    "control_flow_v2_enabled": ("environment",),
    "enable_control_flow_v2": ("environment",),
    "enable_v2_behavior": ("environment",),
    "enable_tensor_equality": ("environment",),
    "enable_v2_tensorshape": ("environment",),
    "experimental": ("environment",),
    "debugging.get_log_device_placement": ("environment",),
    "debugging.set_log_device_placement": ("environment",),
    "io.gfile": ("environment",),
    "profiler": ("profiler",),
    "contrib.tfprof": ("profiler",),
    "python.profiler": ("profiler",),
    "function": ("functions_v2",),
    "autograph": ("functions_v2",),
    "vectorized_map": ("functions_v2",),
    "GradientTape": ("functions_v2",),
    "Module": ("functions_v2",),
    "CriticalSection": ("functions_v2",),
    "IndexedSlicesSpec": ("functions_v2",),
    "TensorArraySpec": ("functions_v2",),
    "RaggedTensor": ("ragged_tensor", "ragged_ops"),
    "RaggedTensorSpec": ("ragged_tensor",),
    "strings.bytes_split": ("ragged_tensor", "ragged_ops", "ragged_string_ops"),
    "strings.ngrams": ("ragged_tensor", "ragged_ops", "ragged_string_ops"),
    "strings.unicode_decode": ("ragged_tensor", "ragged_ops", "ragged_string_ops"),
    "strings.unicode_decode_with_offsets": ("ragged_tensor", "ragged_ops", "ragged_string_ops"),
    "strings.unicode_encode": ("ragged_tensor", "ragged_ops", "ragged_string_ops"),
    "strings.unicode_split": ("ragged_tensor", "ragged_ops", "ragged_string_ops"),
    "strings.unicode_split_with_offsets": ("ragged_tensor", "ragged_ops", "ragged_string_ops"),
    "ragged": ("ragged_tensor", "ragged_ops"),
    "verify_tensor_all_finite": ("logging_ops",),
    "while_loop": ("control_flow",),
}


# Prefixes whose names need nothing of the modules of shorter prefixes.
ALONE = frozenset(
    {"contrib.learn.datasets", "contrib.learn.python.learn.datasets", "contrib.training.HParams", "contrib.training.parse_values"}
)


class Unsupported:
    """A name of TensorFlow 1.15 that the stand-in has not: fails when it is used, not when it is imported."""

    def __init__(self, name: str) -> None:
        self._name = name

    def _fail(self) -> Any:
        raise NotImplementedError(f"tf.{self._name} is not supported by tfrevive's stand-in for TensorFlow.{_advice(self._name)}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._fail()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return self._fail()

    def __mro_entries__(self, bases: Any) -> Any:
        name = self._name

        def fail(cls: type, *args: Any, **kwargs: Any) -> Any:
            raise NotImplementedError(f"tf.{name} is not supported by tfrevive's stand-in for TensorFlow.{_advice(name)}")

        return (type(name.rpartition(".")[2], (), {"__new__": fail}),)

    def __repr__(self) -> str:
        return f"<unsupported tf.{self._name}>"


def _advice(name: str) -> str:
    from migrate.symbols.verdicts import verdict

    found = verdict(f"tf.{name}", "2")
    if found.advice:
        return f" For TensorFlow 2: {found.advice}."
    return f" TensorFlow 2 has it as {found.name}: `tfrevive upgrade --to 2` takes the script there." if found.name else ""


class Module(types.ModuleType):
    """One module of the tree. `_path` is its API name below `tf` ("" for `tf` itself)."""

    def __init__(self, path: str) -> None:
        super().__init__(f"tensorflow.{path}" if path else "tensorflow")
        self.__path__: list[str] = []  # a package, so that submodules can be imported
        self._path = path
        self.__file__ = f"<tfrevive>/{self.__name__.replace('.', '/')}"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__") and name not in ("__version__", "__git_version__", "__compiler_version__"):
            raise AttributeError(name)
        full = f"{self._path}.{name}" if self._path else name
        value = lookup(full)
        if value is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}{_history(full)}")
        if value is NOTHING:
            value = None
        setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        prefix = f"tf.{self._path}." if self._path else "tf."
        return sorted({n[len(prefix) :].split(".")[0] for n in symbols.names("1.15.5") if n.startswith(prefix)})


def _history(name: str) -> str:
    """Which TensorFlow versions had a name that 1.15 has not."""
    had = symbols.versions_with(f"tf.{name}")
    return f" (TensorFlow {', '.join(had)} had it; run the script through `tfrevive upgrade --to 1` first)" if had else ""


def lookup(name: str) -> Any:
    """The object behind an API name ("nn.relu"): exported, made from an OpDef, a module, or a marker that it is unsupported; None if TensorFlow 1.15 has no such name."""
    _load_for(name)
    for candidate in _spellings(name):
        if candidate in EXPORTS:
            return EXPORTS[candidate]
    if name in _modules():
        return module(name)
    for candidate in _spellings(name):
        if candidate.startswith("raw_ops."):
            from runtime.tf1 import gen_ops

            return gen_ops.raw(candidate[8:])
        made = _make(candidate)
        if made is not None:
            return made
    public = symbols.homes().get(f"tensorflow.{name}")
    if public is not None and public != f"tf.{name}":
        return lookup(public.removeprefix("tf."))
    if name.startswith("contrib."):
        from runtime.tf1 import contrib_paths

        if (found := contrib_paths.elsewhere(name)) is not None:
            return found
    if symbols.symbol(f"tf.{name}", "1.15.5") is not None or public is not None:
        return Unsupported(name)
    if name.split(".")[0] in ("python", "core", "examples", "contrib", "tools"):
        from runtime.tf1 import private

        return private.lookup(name)
    return None


@functools.cache
def _make(name: str) -> Any:
    from runtime.tf1 import gen_ops

    return gen_ops.make(name)


def _spellings(name: str) -> list[str]:
    """The names that stand for the same object, the given one first."""
    found = [name]
    if name.startswith(("compat.v1.", "_api.v1.")):
        found.append(name.split(".", 2)[2])
    outside = symbols.aliases().get(f"tf.{name}")
    if outside is not None:
        found.append(outside.removeprefix("tf."))
    if name.startswith("contrib.keras."):
        found.append(_keras(name))
    for n in list(found):
        group = _groups().get(n)
        if group is not None:
            found.extend(group)
    return list(dict.fromkeys(found))


@functools.cache
def _groups() -> dict[str, list[str]]:
    """API name -> all names of the same object."""
    raw = json.loads(gzip.decompress(resources.files("runtime.tf1").joinpath("aliases.json.gz").read_bytes()))
    members: dict[str, list[str]] = {}
    for name, best in raw.items():
        members.setdefault(best, [best]).append(name)
    return {n: group for group in members.values() for n in group}


@functools.cache
def _modules() -> frozenset[str]:
    """API names that are modules in TensorFlow 1.15, private ones that code of the time imports included."""
    found = {
        n.removeprefix("tf.") for n in symbols.names("1.15.5") if (s := symbols.symbol(n, "1.15.5")) is not None and s.kind == "module"
    }
    for path in symbols.homes():
        parts = path.removeprefix("tensorflow.").split(".")[:-1]
        found.update(".".join(parts[: i + 1]) for i in range(len(parts)))
    from runtime.tf1 import private

    for path in (*private.MODULES, *private.INTERNALS):
        parts = path.split(".")
        found.update(".".join(parts[: i + 1]) for i in range(len(parts)))
    found.update(f"compat.{v}" for v in ("v1", "v2"))
    return frozenset(found)


def is_module(name: str) -> bool:
    if name.startswith("core.") and name.endswith("_pb2"):
        return True  # generated protos
    if name in _modules() or (name.startswith("compat.v1.") and name[10:] in _modules()):
        return True
    if name.startswith("contrib."):
        from runtime.tf1 import contrib_paths

        return contrib_paths.is_module(name)
    return False


@functools.cache
def module(name: str) -> types.ModuleType:
    """The module of an API name; "" is `tensorflow` itself."""
    made = Module(name)
    sys.modules.setdefault(made.__name__, made)
    return made


@functools.cache
def _load(module_name: str) -> None:
    importlib.import_module(f"runtime.tf1.{module_name}")


@functools.cache
def load_core() -> None:
    for name in CORE:
        _load(name)


@functools.cache
def _load_for(name: str) -> None:
    load_core()
    short = name[10:] if name.startswith("compat.v1.") else name
    if short.startswith("python."):
        from runtime.tf1 import private

        if (internal := private.INTERNALS.get(short.rpartition(".")[0])) is not None:
            _load(internal)
    for candidate in _spellings_for_loading(short):
        parts = candidate.split(".")
        for i in range(len(parts), 0, -1):
            prefix = ".".join(parts[:i])
            for module_name in LAZY.get(prefix, ()):
                _load(module_name)
            if prefix in ALONE:
                break


def _spellings_for_loading(name: str) -> list[str]:
    group = _groups().get(name)
    outside = symbols.aliases().get(f"tf.{name}")
    keras = [_keras(name)] if name.startswith("contrib.keras.") else []
    return [name, *(group or ()), *([outside.removeprefix("tf.")] if outside else []), *keras]


def _keras(name: str) -> str:
    """The name of tf.keras for one of tf.contrib.keras: "contrib.keras.api.keras.layers.Dense" is "keras.layers.Dense"."""
    return "keras." + name.removeprefix("contrib.keras.").removeprefix("api.keras.").removeprefix("python.keras.")
