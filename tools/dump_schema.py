"""Write the fields of TensorFlow's protocol messages as the table that graphtools.formats.schema reads.

Run inside each TensorFlow, the oldest first, with the same output file: what a newer version says of a field number wins,
what it has dropped stays.

    python tools/dump_schema.py graphtools/formats/messages.txt
"""

import importlib
import pkgutil
import sys

from google.protobuf import descriptor as d

ROOTS = (
    "AssetFileDef", "BundleEntryProto", "BundleHeaderProto", "CallableOptions", "CheckpointState", "CondContextDef", "ConfigProto", "CriticalSectionDef", "Event",
    "Example", "GraphDebugInfo", "GraphDef", "HistogramProto", "MetaGraphDef", "NameAttrList", "OpList", "ProjectorConfig", "QueueRunnerDef", "ReaderBaseState",
    "ResourceHandleProto",
    "RunMetadata", "RunOptions", "SaveSliceInfoDef", "SavedMetadata", "SavedModel", "SavedObjectGraph", "SavedTensorSlices", "SaverDef", "Signatures",
    "SequenceExample", "ServerDef", "SummaryMetadata", "TrackableObjectGraph", "ValuesDef", "VariableDef", "VariantTensorDataProto", "WhileContextDef",
)  # fmt: skip
PACKAGES = (
    "tensorflow.core.framework", "tensorflow.core.protobuf", "tensorflow.core.util", "tensorflow.core.example", "tensorflow.python.training",
    "tensorflow.contrib.session_bundle", "tensorboard.plugins.projector", "keras.protobuf", "keras.src.protobuf",
)  # fmt: skip
SCALARS = {getattr(d.FieldDescriptor, "TYPE_" + t.upper()): t for t in
           ["double", "float", "int64", "uint64", "int32", "fixed64", "fixed32", "bool", "string", "bytes", "uint32", "sfixed32", "sfixed64", "sint32", "sint64"]}  # fmt: skip


def name_of(descriptor):
    prefix = descriptor.file.package + "."
    return descriptor.full_name.replace(prefix, "", 1).replace(".", "_") if not prefix.startswith("google") else descriptor.full_name


def type_of(field, messages, enums):
    if field.message_type is not None:
        entry = field.message_type
        if entry.GetOptions().map_entry:
            by_name = entry.fields_by_name
            return "{{{},{}}}".format(type_of(by_name["key"], messages, enums), type_of(by_name["value"], messages, enums))
        add(entry, messages, enums)
        return name_of(entry)
    if field.enum_type is not None:
        enums[name_of(field.enum_type)] = {v.number: v.name for v in reversed(field.enum_type.values)}
        return name_of(field.enum_type)
    return SCALARS[field.type]


def is_repeated(field):
    return field.label == field.LABEL_REPEATED


def add(message, messages, enums):
    if name_of(message) in messages:
        return
    fields = messages[name_of(message)] = {}
    for field in message.fields:
        kind = type_of(field, messages, enums)
        if is_repeated(field) and not kind.startswith("{"):
            kind += "*"
        oneof = field.containing_oneof
        synthetic = oneof is not None and oneof.name == "_" + field.name
        suffix = "|" + oneof.name if oneof is not None and not synthetic else ""
        fields[field.number] = f"{field.name}:{kind}={field.number}{suffix}"


def main():
    path = sys.argv[1]
    messages, enums = {}, {}
    import tensorflow  # noqa: F401

    for package_name in PACKAGES:
        try:
            package = importlib.import_module(package_name)
        except ImportError:
            continue
        for module_info in pkgutil.iter_modules(package.__path__):
            if not module_info.name.endswith("_pb2"):
                continue
            module = importlib.import_module(package_name + "." + module_info.name)
            for root in ROOTS:
                if hasattr(module, root):
                    add(getattr(module, root).DESCRIPTOR, messages, enums)
    try:
        with open(path) as f:
            lines = f.read().splitlines()
    except FileNotFoundError:
        lines = []
    for line in lines:
        kind, name, rest = line.split(" ", 2)
        if kind == "enum":
            entry = enums.setdefault(name, {})
            for value in rest.split():
                label, _, number = value.partition("=")
                if label not in entry.values():
                    entry.setdefault(int(number), label)
        else:
            entry = messages.setdefault(name, {})
            for field in rest.split():
                entry.setdefault(int(field.partition("=")[2].partition("|")[0]), field)
    with open(path, "w") as f:
        for name in sorted(enums):
            f.write("enum {} {}\n".format(name, " ".join(f"{label}={n}" for n, label in sorted(enums[name].items()))))
        for name in sorted(messages):
            if messages[name]:
                f.write("message {} {}\n".format(name, " ".join(messages[name][n] for n in sorted(messages[name]))))
            else:
                f.write(f"message {name} \n")


if __name__ == "__main__":
    main()
