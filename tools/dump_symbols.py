"""Dump what the TensorFlow it runs in exports, or pack such dumps into migrate/symbols/tf-VERSION.json.gz.

python dump_symbols.py dump OUT.json.gz             # inside a TensorFlow: dotted name -> kind, args, defaults, varargs, varkw
python dump_symbols.py homes OUT.json.gz            # inside a TensorFlow: private name -> the public name of the same object
python dump_symbols.py aliases OUT.json.gz          # inside TensorFlow 1: contrib name -> the name of the same object outside contrib
python dump_symbols.py canonical OUT.json.gz        # inside TensorFlow 2: name of TensorFlow 1 -> the native name of the same object
python dump_symbols.py pack OUT.json.gz DUMP        # the form migrate/symbols reads: flat, members of classes left out
python dump_symbols.py private OUT.json.gz MODULES   # the form migrate/symbols reads: module of tensorflow.python and .contrib -> its names
python dump_symbols.py merge OUT.json.gz HOMES...   # earlier files win
"""
# runs inside Pythons as old as 3.6: no annotations

import gzip
import json
import sys

KINDS = {"module": "m", "class": "c", "function": "f", "constant": "k"}
PRIVATE_ROOTS = ("tensorflow.python.", "tensorflow.contrib.", "tensorflow_core.python.", "tensorflow_core.contrib.")


def read(path):
    with gzip.open(path, "rt") as f:
        return json.load(f)


def write(path, value):
    # no time stamp and no file name, so that the same facts give the same bytes
    with open(path, "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="", compresslevel=9) as f:
        f.write(json.dumps(value, separators=(",", ":"), sort_keys=True).encode())


def public_objects():
    """Every (dotted name, object) that `import tensorflow as tf` reaches without an underscore, each module visited once per name."""
    import types

    import tensorflow as tf

    seen = set()
    pending = [("tf", tf)]
    while pending:
        name, module = pending.pop()
        if (name, id(module)) in seen or name.count(".") > 8:
            continue
        seen.add((name, id(module)))
        yield name, module
        for attr in sorted(dir(module)):
            if attr.startswith("_"):
                continue
            try:
                value = getattr(module, attr)
            except Exception:
                continue
            if isinstance(value, types.ModuleType) or type(value).__name__ in ("LazyLoader", "TFModuleWrapper"):
                home = getattr(value, "__name__", "")
                if home.startswith("tensorflow") and (".python." not in home or ".api." in home):
                    pending.append((name + "." + attr, value))
            else:
                yield name + "." + attr, value


def signature(value):
    import inspect

    # decorators of TensorFlow hide the signature; its own inspection looks through them
    try:
        from tensorflow.python.util import tf_inspect as inspector
    except ImportError:
        inspector = inspect
    target = value.__init__ if inspect.isclass(value) else value
    try:
        spec = inspector.getfullargspec(target)
    except Exception:
        return {"args": None, "defaults": {}, "varargs": True, "varkw": True}
    args = list(spec.args)
    if inspect.isclass(value) or args[:1] == ["self"]:
        args = args[1:]
    defaults = dict(zip(reversed(args), reversed([repr(d) for d in spec.defaults or ()])))  # noqa: B905
    entry = {"args": args + list(spec.kwonlyargs), "defaults": defaults, "varargs": bool(spec.varargs), "varkw": bool(spec.varkw)}
    defaults.update((k, repr(v)) for k, v in (spec.kwonlydefaults or {}).items())
    if spec.kwonlyargs:
        entry["kwonly"] = list(spec.kwonlyargs)
    return entry


def dump(out):
    import inspect
    import types

    result = {}
    for name, value in public_objects():
        if isinstance(value, types.ModuleType):
            result[name] = {"kind": "module"}
        elif inspect.isclass(value):
            result[name] = dict(signature(value), kind="class")
        elif callable(value):
            result[name] = dict(signature(value), kind="function")
        else:
            result[name] = {"kind": "constant"}
    write(out, result)


def is_identifying(value):
    import inspect

    # small ints, strings and None are shared by everyone: only classes and functions tell where they come from
    return inspect.isclass(value) or inspect.isroutine(value) or type(value).__name__ in ("DType", "OpDefLibrary")


def homes(out):
    import sys as system

    names = {}
    for name, value in public_objects():
        if is_identifying(value) and ".compat." not in name and "raw_ops" not in name and ".keras.api." not in name:
            names.setdefault(id(value), (value, []))[1].append(name)
    result = {}
    for module_name, module in sorted(system.modules.items()):
        if module is None or not module_name.startswith(PRIVATE_ROOTS):
            continue
        path = module_name.replace("tensorflow_core.", "tensorflow.", 1)
        package = ".".join(path.split(".")[1:3]) + "."
        for attr, value in sorted(vars(module).items()):
            found, known = names.get(id(value), (None, []))
            if found is not value or attr.startswith("_") or attr.endswith("eager_fallback"):
                continue
            if path.startswith("tensorflow.contrib."):
                known = [n for n in known if n[3:].startswith(package)] or known
            else:
                known = [n for n in known if not n.startswith("tf.contrib.")]
            if known:
                result[path + "." + attr] = min(known, key=lambda n: (n.rpartition(".")[2] != attr, n.count("."), len(n), n))
    write(out, result)


def aliases(out):
    core = {}
    contrib = []
    for name, value in public_objects():
        if not is_identifying(value) or ".compat." in name or "raw_ops" in name or ".keras.api." in name:
            continue
        if name.startswith("tf.contrib."):
            contrib.append((name, value))
        else:
            core.setdefault(id(value), (value, []))[1].append(name)
    result = {}
    for name, value in contrib:
        found, known = core.get(id(value), (None, []))
        if found is value:
            leaf = name.rpartition(".")[2]
            result[name] = min(known, key=lambda n: (n.rpartition(".")[2] != leaf, n.count("."), len(n), n))
    write(out, result)


def canonical(out):
    import tensorflow as tf
    from tensorflow.python.util import tf_decorator

    result = {}
    for name, value in public_objects():
        if not name.startswith("tf.compat.v1.") or "compat." in name[13:] or not is_identifying(value):
            continue
        owner = tf_decorator.unwrap(value)[1]
        names = [
            n
            for kind in ("_tf_api_names", "_estimator_api_names", "_keras_api_names")
            for n in getattr(owner, "__dict__", {}).get(kind, ())
        ]
        names = [n for n in names if reaches(tf, n)]
        if names and name[13:] not in names:
            result["tf." + name[13:]] = "tf." + names[0]
    write(out, result)


def reaches(tf, dotted):
    value = tf
    for part in dotted.split("."):
        value = getattr(value, part, None)
        if value is None:
            return False
    return True


def pack(out, path):
    api = read(path)
    packed = {}
    for name, entry in api.items():
        kind = KINDS.get(entry["kind"])
        if kind is None:
            continue
        text = kind
        if kind in "cf":
            if entry.get("args") is None:
                text += "?"
            else:
                only = set(entry.get("kwonly", ()))
                args = [a for a in entry["args"] if a not in only]
                parts = [a + ("=" + entry["defaults"][a] if a in entry["defaults"] else "") for a in args]
                parts += ["*"] * bool(entry["varargs"])
                parts += ["|" + a for a in entry.get("kwonly", ())]
                parts += ["**"] * bool(entry["varkw"])
                text += "\t".join(p.replace("\t", " ") for p in parts)
        packed[name] = text
    for name in list(packed):
        # what compat.v1 and compat.v2 repeat of the version's own API is found there
        if name.startswith(("tf.compat.v1.", "tf.compat.v2.")) and packed.get("tf." + name[13:]) == packed[name]:
            packed[name] = "="
    write(out, packed)


def private(out, path):
    skipped = {"absolute_import", "division", "print_function", "tf_export"}
    kept = {m.partition(".")[2]: n for m, n in read(path).items() if m.startswith(PRIVATE_ROOTS)}
    write(out, {module: " ".join(n for n in names if n not in skipped) for module, names in kept.items()})


def merge(out, paths):
    merged = {}
    for path in paths:
        for name, value in read(path).items():
            merged.setdefault(name, value)
    write(out, merged)


if __name__ == "__main__":
    command, out, *rest = sys.argv[1:]
    {
        "dump": dump,
        "homes": homes,
        "aliases": aliases,
        "canonical": canonical,
        "pack": pack,
        "private": private,
        "merge": lambda out, *paths: merge(out, paths),
    }[command](out, *rest)
