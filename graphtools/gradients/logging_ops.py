"""Gradients of ops that print, and the ops of all groups that no gradient flows through."""

from __future__ import annotations

from typing import Any

from graphtools.gradients import gradient, not_differentiable
from graphtools.gradients.walk import Emit
from graphtools.graph import Node

# As TensorFlow 1.15 declares them, less those declared beside the gradients of their group.
not_differentiable(
    "AsString", "Assign", "AssignAdd", "AssignSub", "AudioMicrofrontend", "AudioSummary", "AudioSummaryV2", "CTCBeamSearchDecoder",
    "CTCGreedyDecoder", "DecodeBase64", "DecodePaddedRaw", "DecodeProtoV2", "DecodeRaw", "DenseToDenseSetOperation",
    "DenseToSparseSetOperation", "DrawBoundingBoxes", "EncodeBase64", "EncodeProto", "EuclideanNorm", "ExtractGlimpse",
    "FixedLengthRecordReader", "GenerateVocabRemapping", "GetSessionHandleV2", "HSVToRGB", "HashTable", "HashTableV2", "HistogramSummary",
    "IdentityReader", "ImageSummary", "InitializeTable", "InitializeTableFromTextFile", "InitializeTableFromTextFileV2", "InitializeTableV2",
    "LMDBReader", "LinSpace", "LoadAndRemapMatrix", "LookupTableInsert", "LookupTableInsertV2", "MergeSummary", "Multinomial",
    "MutableDenseHashTable", "MutableDenseHashTableV2", "MutableHashTable", "MutableHashTableOfTensors", "MutableHashTableOfTensorsV2",
    "MutableHashTableV2", "NonMaxSuppression", "NonMaxSuppressionV2", "NonMaxSuppressionWithOverlaps", "ParameterizedTruncatedNormal",
    "ParseTensor", "PopulationCount", "PyFunc", "PyFuncStateless", "RaggedRange", "RaggedTensorToVariant", "RandomCrop", "RandomStandardNormal",
    "RandomUniform", "ReaderNumRecordsProduced", "ReaderNumWorkUnitsCompleted", "ReaderRead", "ReaderReadUpTo", "ReaderReset",
    "ReaderRestoreState", "ReaderSerializeState", "ReduceDataset", "ReduceJoin", "RegexReplace", "SampleDistortedBoundingBox",
    "SampleDistortedBoundingBoxV2", "ScalarSummary", "ScatterAdd", "ScatterDiv", "ScatterMul", "ScatterNdAdd", "ScatterNdSub",
    "ScatterNdUpdate", "ScatterSub", "SdcaFprint", "SdcaOptimizer", "SdcaOptimizerV2", "SdcaShrinkL1", "SerializeTensor", "SetSize",
    "SparseAddGrad", "SparseConcat", "SparseToSparseSetOperation", "StatelessMultinomial", "StatelessRandomNormal", "StatelessRandomUniform",
    "StatelessRandomUniformInt", "StatelessTruncatedNormal", "StringJoin", "StringSplit", "StringToHashBucket", "StringToHashBucketFast",
    "StringToHashBucketStrong", "StringToNumber", "TFRecordReader", "TPUReplicatedInput", "TensorArrayGradWithShape", "TensorListConcatLists",
    "TensorListElementShape", "TensorListLength", "TensorListPushBackBatch", "TensorSummary", "TensorSummaryV2", "TextLineReader", "Timestamp",
    "TruncatedNormal", "VarIsInitializedOp", "VariableShape", "WholeFileReader",
)  # fmt: skip


@gradient("Print")
def print_(g: Emit, node: Node, dy: Any) -> Any:
    return [dy, *[None] * (len(node.inputs) - 1)]
