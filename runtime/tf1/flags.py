"""tf.flags: what defines the flags of a program and the conditions on them (absl.flags in TensorFlow's time)."""

from __future__ import annotations

import functools
import re
import textwrap
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from runtime.tf1 import flag_types as kinds
from runtime.tf1.flag_types import Error, Flag, IllegalFlagValueError, UnrecognizedFlagError, ValidationError
from runtime.tf1.flag_values import FLAGS, FlagHolder, FlagValues, Validator, calling_module
from runtime.tf1.registry import export, put

# -- defining --------------------------------------------------------------------------------------------------------


@export("flags.DEFINE_flag")
def DEFINE_flag(flag: Flag, flag_values: Any = None, module_name: str | None = None, required: bool = False) -> FlagHolder:
    values = FLAGS if flag_values is None else flag_values
    if required and flag.default is not None:
        raise ValueError(f"Required flag --{flag.name} cannot have a non-None default")
    values._define(flag.name, flag, module_name or calling_module())
    if required:
        mark_flag_as_required(flag.name, values)
    return FlagHolder(values, flag, ensure_non_none_value=flag.default is not None or required)


@export("flags.DEFINE")
def DEFINE(
    parser: Any, name: str, default: Any, help: str | None, flag_values: Any = None, serializer: Any = None, module_name: str | None = None, required: bool = False, **args: Any
) -> FlagHolder:  # fmt: skip
    return DEFINE_flag(Flag(parser, serializer, name, default, help, **args), flag_values, module_name, required)


def _legacy(define: Callable[..., FlagHolder]) -> Callable[..., FlagHolder]:
    """TensorFlow's older keywords: flag_name, default_value, docstring; a default and help may be left out."""

    @functools.wraps(define)
    def wrapped(*args: Any, **kwargs: Any) -> FlagHolder:
        for old, new in (("flag_name", "name"), ("default_value", "default"), ("docstring", "help")):
            if old in kwargs:
                kwargs[new] = kwargs.pop(old)
        return define(*args, **kwargs)

    return wrapped


@export("flags.DEFINE_string")
@_legacy
def DEFINE_string(name: str, default: Any, help: str | None, flag_values: Any = None, required: bool = False, **args: Any) -> FlagHolder:
    return DEFINE(kinds.ArgumentParser(), name, default, help, flag_values, kinds.ArgumentSerializer(), required=required, **args)


@_legacy
def DEFINE_boolean(
    name: str, default: Any, help: str | None, flag_values: Any = None, module_name: str | None = None, required: bool = False, **args: Any
) -> FlagHolder:
    return DEFINE_flag(kinds.BooleanFlag(name, default, help, **args), flag_values, module_name, required)


put("flags.DEFINE_boolean", DEFINE_boolean)
put("flags.DEFINE_bool", DEFINE_boolean)


@export("flags.DEFINE_float")
@_legacy
def DEFINE_float(
    name: str, default: Any, help: str | None, lower_bound: Any = None, upper_bound: Any = None, flag_values: Any = None, required: bool = False, **args: Any
) -> FlagHolder:  # fmt: skip
    return DEFINE(
        kinds.FloatParser(lower_bound, upper_bound), name, default, help, flag_values, kinds.ArgumentSerializer(), required=required, **args
    )


@export("flags.DEFINE_integer")
@_legacy
def DEFINE_integer(
    name: str, default: Any, help: str | None, lower_bound: Any = None, upper_bound: Any = None, flag_values: Any = None, required: bool = False, **args: Any
) -> FlagHolder:  # fmt: skip
    parser = kinds.IntegerParser(lower_bound, upper_bound)
    return DEFINE(parser, name, default, help, flag_values, kinds.ArgumentSerializer(), required=required, **args)


@export("flags.DEFINE_enum")
def DEFINE_enum(
    name: str, default: Any, enum_values: Any, help: str | None, flag_values: Any = None, module_name: str | None = None, required: bool = False, **args: Any
) -> FlagHolder:  # fmt: skip
    return DEFINE_flag(kinds.EnumFlag(name, default, help, enum_values, **args), flag_values, module_name, required)


@export("flags.DEFINE_enum_class")
def DEFINE_enum_class(
    name: str, default: Any, enum_class: Any, help: str | None, flag_values: Any = None, module_name: str | None = None, case_sensitive: bool = False,
    required: bool = False, **args: Any,
) -> FlagHolder:  # fmt: skip
    flag = kinds.EnumClassFlag(name, default, help, enum_class, case_sensitive=case_sensitive, **args)
    return DEFINE_flag(flag, flag_values, module_name, required)


@export("flags.DEFINE_list")
def DEFINE_list(name: str, default: Any, help: str | None, flag_values: Any = None, required: bool = False, **args: Any) -> FlagHolder:
    return DEFINE(kinds.ListParser(), name, default, help, flag_values, kinds.CsvListSerializer(","), required=required, **args)


@export("flags.DEFINE_spaceseplist")
def DEFINE_spaceseplist(
    name: str, default: Any, help: str | None, comma_compat: bool = False, flag_values: Any = None, required: bool = False, **args: Any
) -> FlagHolder:
    parser = kinds.WhitespaceSeparatedListParser(comma_compat)
    return DEFINE(parser, name, default, help, flag_values, kinds.ListSerializer(" "), required=required, **args)


@export("flags.DEFINE_multi")
def DEFINE_multi(
    parser: Any, serializer: Any, name: str, default: Any, help: str | None, flag_values: Any = None, module_name: str | None = None, required: bool = False,
    **args: Any,
) -> FlagHolder:  # fmt: skip
    if isinstance(default, str | bytes) or not hasattr(default, "__iter__"):
        default = None if default is None else [default]
    return DEFINE_flag(kinds.MultiFlag(parser, serializer, name, default, help, **args), flag_values, module_name, required)


@export("flags.DEFINE_multi_string")
def DEFINE_multi_string(
    name: str, default: Any, help: str | None, flag_values: Any = None, required: bool = False, **args: Any
) -> FlagHolder:
    return DEFINE_multi(kinds.ArgumentParser(), kinds.ArgumentSerializer(), name, default, help, flag_values, required=required, **args)


@export("flags.DEFINE_multi_integer")
def DEFINE_multi_integer(
    name: str, default: Any, help: str | None, lower_bound: Any = None, upper_bound: Any = None, flag_values: Any = None, required: bool = False, **args: Any
) -> FlagHolder:  # fmt: skip
    parser = kinds.IntegerParser(lower_bound, upper_bound)
    return DEFINE_multi(parser, kinds.ArgumentSerializer(), name, default, help, flag_values, required=required, **args)


@export("flags.DEFINE_multi_float")
def DEFINE_multi_float(
    name: str, default: Any, help: str | None, lower_bound: Any = None, upper_bound: Any = None, flag_values: Any = None, required: bool = False, **args: Any
) -> FlagHolder:  # fmt: skip
    parser = kinds.FloatParser(lower_bound, upper_bound)
    return DEFINE_multi(parser, kinds.ArgumentSerializer(), name, default, help, flag_values, required=required, **args)


@export("flags.DEFINE_multi_enum")
def DEFINE_multi_enum(
    name: str, default: Any, enum_values: Any, help: str | None, flag_values: Any = None, case_sensitive: bool = True, required: bool = False, **args: Any
) -> FlagHolder:  # fmt: skip
    parser = kinds.EnumParser(enum_values, case_sensitive)
    shown = f"<{'|'.join(parser.enum_values)}>: {help}"
    return DEFINE_multi(parser, kinds.ArgumentSerializer(), name, default, shown, flag_values, required=required, **args)


@export("flags.DEFINE_multi_enum_class")
def DEFINE_multi_enum_class(
    name: str, default: Any, enum_class: Any, help: str | None, flag_values: Any = None, module_name: str | None = None, case_sensitive: bool = False,
    required: bool = False, **args: Any,
) -> FlagHolder:  # fmt: skip
    flag = kinds.MultiEnumClassFlag(name, default, help, enum_class, case_sensitive=case_sensitive, **args)
    return DEFINE_flag(flag, flag_values, module_name, required)


@export("flags.DEFINE_alias")
def DEFINE_alias(name: str, original_name: str, flag_values: Any = None, module_name: str | None = None) -> FlagHolder:
    """Another name of a flag."""
    values = FLAGS if flag_values is None else flag_values
    if original_name not in values:
        raise UnrecognizedFlagError(original_name)
    flag = values[original_name]

    class Alias(Flag):
        value = property(lambda self: flag.value, lambda self, new: setattr(flag, "value", new))  # type: ignore[assignment]

        def parse(self, argument: Any) -> None:
            flag.parse(argument)
            self.present += 1

    made = object.__new__(Alias)
    made.__dict__.update({k: v for k, v in flag.__dict__.items() if k != "value"})
    made.name, made.help, made.short_name, made.present = name, f"Alias for --{flag.name}.", None, 0
    return DEFINE_flag(made, values, module_name)


@export("flags.set_default")
def set_default(flag_holder: FlagHolder, value: Any) -> None:
    flag_holder._flagvalues.set_default(flag_holder.name, value)


@export("flags.override_value")
def override_value(flag_holder: FlagHolder, value: Any) -> None:
    flag = flag_holder._flag
    values = flag_holder._flagvalues
    parsed = flag._parse(value)
    if parsed != value:
        raise IllegalFlagValueError(f"flag {flag.name}: parsed value {parsed!r} not equal to original {value!r}")
    setattr(values, flag.name, value)


@export("flags.declare_key_flag")
def declare_key_flag(flag_name: Any, flag_values: Any = None) -> None:
    values = FLAGS if flag_values is None else flag_values
    name = flag_name.name if isinstance(flag_name, FlagHolder) else flag_name
    if name not in values:
        raise ValueError(f"Flag --{name} is undefined. To set a flag as a key flag need to define it in Python.")
    values._key_flags.setdefault(calling_module(), []).append(values[name])


@export("flags.adopt_module_key_flags")
def adopt_module_key_flags(module: Any, flag_values: Any = None) -> None:
    if not isinstance(module, types.ModuleType):
        raise Error(f"Expected a module object, not {module!r}.")
    values = FLAGS if flag_values is None else flag_values
    values._key_flags.setdefault(calling_module(), []).extend(values.get_key_flags_for_module(module))


@export("flags.disclaim_key_flags")
def disclaim_key_flags() -> None:
    """Flags that the calling module defines for others belong to those; nothing here depends on it."""


# -- validators ------------------------------------------------------------------------------------------------------


def _names(flags: Any, flag_values: Any) -> tuple[list[str], FlagValues]:
    values = next((f._flagvalues for f in flags if isinstance(f, FlagHolder)), FLAGS if flag_values is None else flag_values)
    return [f.name if isinstance(f, FlagHolder) else f for f in flags], values


@export("flags.register_validator")
def register_validator(flag_name: Any, checker: Any, message: str = "Flag validation failed", flag_values: Any = None) -> None:
    (name,), values = _names([flag_name], flag_values)
    values[name].validators.append(Validator((name,), checker, message, True))


@export("flags.validator")
def validator(flag_name: Any, message: str = "Flag validation failed", flag_values: Any = None) -> Any:
    def decorate(function: Any) -> Any:
        register_validator(flag_name, function, message, flag_values)
        return function

    return decorate


@export("flags.register_multi_flags_validator")
def register_multi_flags_validator(
    flag_names: Any, multi_flags_checker: Any, message: str = "Flags validation failed", flag_values: Any = None
) -> None:
    names, values = _names(flag_names, flag_values)
    made = Validator(tuple(names), multi_flags_checker, message, False)
    for name in names:
        values[name].validators.append(made)


@export("flags.multi_flags_validator")
def multi_flags_validator(flag_names: Any, message: str = "Flag validation failed", flag_values: Any = None) -> Any:
    def decorate(function: Any) -> Any:
        register_multi_flags_validator(flag_names, function, message, flag_values)
        return function

    return decorate


@export("flags.mark_flag_as_required")
def mark_flag_as_required(flag_name: Any, flag_values: Any = None) -> None:
    (name,), values = _names([flag_name], flag_values)
    if values[name].default is not None:
        warnings.warn(f"Flag --{name} has a non-None default value; therefore, mark_flag_as_required will pass even if flag is not specified in the command line!", stacklevel=2)  # fmt: skip
    register_validator(name, lambda value: value is not None, f"Flag --{name} must have a value other than None.", values)


@export("flags.mark_flags_as_required")
def mark_flags_as_required(flag_names: Any, flag_values: Any = None) -> None:
    for name in flag_names:
        mark_flag_as_required(name, flag_values)


def _exclusive(flag_names: Any, required: bool, flag_values: Any, counts: Callable[[Any], bool], what: str) -> None:
    names, values = _names(flag_names, flag_values)

    def check(found: dict[str, Any]) -> bool:
        count = sum(counts(v) for v in found.values())
        if count == 1 or (not required and count == 0):
            return True
        raise ValidationError(f"{'Exactly' if required else 'At most'} one of ({', '.join(names)}) must {what}.")

    register_multi_flags_validator(names, check, flag_values=values)


@export("flags.mark_flags_as_mutual_exclusive")
def mark_flags_as_mutual_exclusive(flag_names: Any, required: bool = False, flag_values: Any = None) -> None:
    _exclusive(flag_names, required, flag_values, lambda v: v is not None, "have a value other than None")


@export("flags.mark_bool_flags_as_mutual_exclusive")
def mark_bool_flags_as_mutual_exclusive(flag_names: Any, required: bool = False, flag_values: Any = None) -> None:
    names, values = _names(flag_names, flag_values)
    for name in names:
        if not values[name].boolean:
            raise ValidationError(f"Flag --{name} is not Boolean, which is required for flags used in mark_bool_flags_as_mutual_exclusive.")
    _exclusive(names, required, values, bool, "be True")


# -- text ------------------------------------------------------------------------------------------------------------


@export("flags.doc_to_help")
def doc_to_help(doc: str) -> str:
    """A docstring with the lines of a paragraph joined."""
    first, _, rest = doc.strip().expandtabs().partition("\n")
    body = "\n".join(line.rstrip() for line in (first + "\n" + textwrap.dedent(rest)).splitlines())
    return re.sub(r"(?<=\S)\n(?=\S)", " ", body.rstrip())


@export("flags.flag_dict_to_args")
def flag_dict_to_args(flag_map: dict[str, Any], multi_flags: Any = None) -> Iterator[str]:
    """The arguments that set flags to these values."""
    for key, value in flag_map.items():
        if value is None:
            yield f"--{key}"
        elif isinstance(value, bool):
            yield f"--{key}" if value else f"--no{key}"
        elif isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
            yield f"--{key}={value!s}"
        elif multi_flags and key in multi_flags:
            yield from (f"--{key}={item!s}" for item in value)
        else:
            yield f"--{key}={','.join(str(item) for item in value)}"
