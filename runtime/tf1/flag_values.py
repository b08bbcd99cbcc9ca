"""The values of a program's flags: reading the command line, looking flags up, checking them, showing help."""

from __future__ import annotations

import os
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from runtime.tf1.flag_types import (
    CantOpenFlagFileError,
    DuplicateFlagError,
    Error,
    Flag,
    FlagNameConflictsWithMethodError,
    IllegalFlagValueError,
    UnparsedFlagAccessError,
    UnrecognizedFlagError,
    ValidationError,
)
from runtime.tf1.registry import export, put

_HERE = ("runtime.tf1.flags", "runtime.tf1.flag_types", "runtime.tf1.flag_values", "runtime.tf1.system")


def calling_module() -> str:
    """The module that defines a flag: the program's name for the main one."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name not in _HERE:
            return sys.argv[0] if name == "__main__" else name
        frame = frame.f_back
    return "<unknown>"


@export("flags.text_wrap")
def text_wrap(text: str, length: int | None = None, indent: str = "", firstline_indent: str | None = None) -> str:
    """The text in lines of at most `length`."""
    length = length or get_help_width()
    if len(indent) >= length:
        raise ValueError("Length of indent exceeds length")
    first = indent if firstline_indent is None else firstline_indent
    lines: list[str] = []
    for paragraph in (p.strip() for p in text.splitlines()):
        lines.extend(textwrap.wrap(paragraph, length, initial_indent=indent if lines else first, subsequent_indent=indent) or [""])
    return "\n".join(lines)


@export("flags.get_help_width")
def get_help_width() -> int:
    return 80


def _errors(a: str, b: str) -> int:
    """Letters to change, add, drop or swap to make one of the other (Damerau-Levenshtein)."""
    rows = [list(range(len(b) + 1))]
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            best = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]


class FlagHolder:
    """What defining a flag gives: a handle on its value."""

    def __init__(self, flag_values: FlagValues, flag: Flag, ensure_non_none_value: bool = False) -> None:
        self._flagvalues, self._flag, self._required = flag_values, flag, ensure_non_none_value

    name = property(lambda self: self._flag.name)
    default = property(lambda self: self._flag.default)

    @property
    def value(self) -> Any:
        value = getattr(self._flagvalues, self._flag.name)
        if self._required and value is None:
            raise IllegalFlagValueError(f"Unexpected None value for flag {self._flag.name}")
        return value

    @property
    def present(self) -> bool:
        return bool(self._flagvalues[self._flag.name].present)

    def __bool__(self) -> bool:
        raise TypeError(f"bool() not supported for instances of type {type(self).__name__} (did you mean to use '{self.name}.value'?)")


put("flags.FlagHolder", FlagHolder)


class Validator(NamedTuple):
    """A condition on one flag's value or on several's."""

    names: tuple[str, ...]
    checker: Callable[[Any], Any]
    message: str
    single: bool

    def verify(self, flags: FlagValues) -> None:
        values = {n: flags[n].value for n in self.names}
        if not self.checker(values[self.names[0]] if self.single else values):
            raise ValidationError(self.message)

    def shown(self, flags: FlagValues) -> str:
        if self.single:
            return f"flag --{self.names[0]}={flags[self.names[0]].value}"
        return f"flags {', '.join(f'{n}={flags[n].value}' for n in self.names)}"


@export("flags.FlagValues")
class FlagValues:
    """All flags, by attribute. tf.flags.FLAGS reads the command line when the first value is asked for; others must be called first."""

    def __init__(self, *, reads_itself: bool = False) -> None:
        self.__dict__["_flags"] = {}
        self.__dict__["_by_module"] = {}
        self.__dict__["_key_flags"] = {}
        self.__dict__["_parsed"] = False
        self.__dict__["_reads_itself"] = reads_itself
        self.__dict__["_gnu"] = True

    def _reset(self) -> None:
        """Forget everything, for the next program."""
        for part in ("_flags", "_by_module", "_key_flags"):
            self.__dict__[part].clear()
        self.__dict__["_parsed"] = False

    # -- reading -----------------------------------------------------------------------------------------------------

    def set_gnu_getopt(self, gnu_getopt: bool = True) -> None:
        self.__dict__["_gnu"] = gnu_getopt

    def is_gnu_getopt(self) -> bool:
        return bool(self._gnu)

    def __call__(self, argv: Any = None, known_only: bool = False) -> list[str]:
        """Read a command line; what is left over of it. Raises UnrecognizedFlagError for an unknown flag unless `known_only`."""
        argv = sys.argv if argv is None else argv
        if isinstance(argv, str | bytes):
            raise TypeError("argv should be a tuple/list of strings, not bytes or string.")
        if not argv:
            raise ValueError("argv cannot be an empty list, and must contain the program name as the first element.")
        for flag in {id(f): f for f in self._flags.values()}.values():
            if flag.using_default_value and isinstance(flag.value, list):
                flag.value = list(flag.value)
        rest = self._read(self.read_flags_from_files(list(argv[1:]), force_gnu=False), known_only)
        self.mark_as_parsed()
        self.validate_all_flags()
        return [argv[0], *rest]

    def _read(self, args: list[str], known_only: bool) -> list[str]:
        left: list[tuple[str | None, str]] = []
        undefok: set[str] = set()
        at = 0
        while at < len(args):
            arg = args[at]
            at += 1
            name, equals, text = arg.lstrip("-").partition("=") if arg.startswith("--") else arg[1:].partition("=")
            if not arg.startswith("-") or (not name and arg != "--"):
                left.append((None, arg))
                if self.is_gnu_getopt():
                    continue
                break
            if arg == "--":
                if known_only:
                    left.append((None, arg))
                break
            flag, value = self._flags.get(name), text if equals else None
            if name == "undefok" or (flag is not None and not (flag.boolean and value is None)):
                if value is None:
                    if at >= len(args):
                        raise Error(f"Missing value for flag {arg}")
                    value, at = args[at], at + 1
            if name == "undefok":
                undefok.update(n for v in str(value).split(",") for n in (v.strip(), f"no{v.strip()}"))
                continue
            if flag is not None and value is None:
                value = "true"
            elif flag is None and name.startswith("no") and (other := self._flags.get(name[2:])) is not None and other.boolean:
                if value is not None:
                    raise ValueError(f"{arg} does not take an argument")
                flag, value = other, "false"
            if flag is None:
                if name in ("help", "helpfull", "helpshort"):
                    self._show_help()
                left.append((name, arg))
                continue
            flag.parse(value)
            flag.using_default_value = False
        for name_, _ in left:
            if name_ is not None and name_ not in undefok and not known_only:
                raise UnrecognizedFlagError(name_, suggestions=self._near(name_))
        return [arg for n, arg in left if n is None or n not in undefok] + args[at:]

    def _near(self, name: str) -> list[str]:
        """Flags that may have been meant: those with fewest errors, fewer than half as many as letters."""
        if len(name) <= 2:
            return []
        options = [*self._flags, *(f"no{n}" for n, f in self._flags.items() if f.boolean)]
        errors = sorted((_errors(name, o[: len(name)]), o) for o in options)
        if not errors or errors[0][0] >= 0.5 * len(name):
            return []
        return [o for e, o in errors if e == errors[0][0]]

    def _show_help(self) -> None:
        print(f"\n       USAGE: {sys.argv[0]} [flags]\nflags:\n{self.get_help()}")
        sys.exit(1)

    def read_flags_from_files(self, argv: list[str], force_gnu: bool = True) -> list[str]:
        """The arguments, those in the file of each --flagfile in its place."""
        found: list[str] = []
        rest = list(argv)
        while rest:
            arg = rest.pop(0)
            name, equals, path = arg.lstrip("-").partition("=")
            if arg == "--" or not arg.startswith("-") or name != "flagfile":
                found.append(arg)
                if arg == "--":
                    return found + rest
                continue
            if not equals:
                if not rest:
                    raise IllegalFlagValueError("--flagfile with no argument")
                path = rest.pop(0)
            found[:0] = self._file(os.path.expanduser(path), [])
        return found

    def _file(self, path: str, seen: list[str]) -> list[str]:
        if path in seen:
            sys.stderr.write(f"Warning: Hit circular flagfile dependency. Ignoring flagfile: {path}\n")
            return []
        try:
            with open(path, encoding="utf-8") as file:
                lines = file.read().splitlines()
        except OSError as e:
            raise CantOpenFlagFileError(f"ERROR:: Unable to open flagfile: {e}") from None
        found = []
        for line in (text.strip() for text in lines):
            if not line or line.startswith(("#", "//")):
                continue
            if line.lstrip("-").startswith("flagfile"):
                found.extend(self._file(os.path.expanduser(line.partition("=")[2].strip()), [*seen, path]))
            else:
                found.append(line)
        return found

    def _parse_flags(self, args: Any = None) -> None:
        """TensorFlow before 1.5."""
        self([sys.argv[0], *args] if args is not None else sys.argv, known_only=True)

    def is_parsed(self) -> bool:
        return bool(self._parsed)

    def mark_as_parsed(self) -> None:
        self.__dict__["_parsed"] = True

    def unparse_flags(self) -> None:
        for flag in self._flags.values():
            flag.unparse()
        self.__dict__["_parsed"] = False

    def validate_all_flags(self) -> None:
        self._verify([v for f in self._flags.values() for v in f.validators])

    def _verify(self, validators: list[Validator]) -> None:
        messages, bad = [], set()
        for validator in {id(v): v for v in validators}.values():
            if bad & set(validator.names):
                continue
            try:
                validator.verify(self)
            except ValidationError as e:
                bad.update(validator.names)
                messages.append(f"{validator.shown(self)}: {e}")
        if messages:
            raise IllegalFlagValueError("\n".join(messages))

    # -- flags by name -----------------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name == "_FlagValues__flags" or name == "__flags":
            return {n: f.value for n, f in self._flags.items()}
        flag = None if name.startswith("__") else self.__dict__["_flags"].get(name)
        if flag is None:
            raise AttributeError(name)
        if not self._parsed:
            if not self._reads_itself:
                raise UnparsedFlagAccessError(f"Trying to access flag --{name} before flags were parsed.")
            self(sys.argv)
        return flag.value

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._flags:
            raise UnrecognizedFlagError(name)
        flag = self._flags[name]
        flag.value, flag.using_default_value = value, False
        self._verify(flag.validators)

    def __delattr__(self, name: str) -> None:
        if name not in self._flags:
            raise AttributeError(name)
        del self._flags[name]

    def __getitem__(self, name: str) -> Flag:
        flag: Flag = self._flags[name]
        return flag

    def __setitem__(self, name: str, flag: Flag) -> None:
        self._define(name, flag, calling_module())

    def _define(self, name: str, flag: Flag, module: str) -> None:
        if not isinstance(flag, Flag):
            raise IllegalFlagValueError(
                f"Expect Flag instances, found type {type(flag)}. Maybe you didn't mean to use FlagValue.__setitem__?"
            )
        if not isinstance(name, str):
            raise Error("Flag name must be a string")
        if not name:
            raise Error("Flag name cannot be empty")
        if " " in name:
            raise Error("Flag name cannot contain a space")
        if callable(getattr(type(self), name, None)) and not flag.allow_using_method_names:
            raise FlagNameConflictsWithMethodError(
                f'Cannot define a flag named "{name}". It conflicts with a method on class "{type(self).__name__}".'
            )
        for n in (name, flag.short_name):
            known = self._flags.get(n) if n else None
            if known is None or known is flag or flag.allow_override or known.allow_override:
                continue
            first = self.find_module_defining_flag(n, "<unknown>")
            if first == module:
                continue  # the same module is run again
            raise DuplicateFlagError(
                f"The flag '{n}' is defined twice. First from {first}, Second from {module}.  Description from first occurrence: {known.help}"
            )
        self._flags[name] = flag
        if flag.short_name:
            self._flags[flag.short_name] = flag
        self.register_flag_by_module(module, flag)

    def __contains__(self, name: object) -> bool:
        return name in self._flags

    has_key = __contains__

    def __iter__(self) -> Iterator[str]:
        return iter(self._flags)

    def __len__(self) -> int:
        return len(self._flags)

    def __dir__(self) -> list[str]:
        return sorted(self._flags)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def append_flag_values(self, flag_values: FlagValues) -> None:
        for name, flag in flag_values._flags.items():
            if name == flag.name:
                self._define(name, flag, flag_values.find_module_defining_flag(name, calling_module()))

    def remove_flag_values(self, flag_values: Any) -> None:
        for name in list(flag_values):
            self._flags.pop(name, None)

    def register_flag_by_module(self, module_name: str, flag: Flag) -> None:
        self._by_module.setdefault(module_name, []).append(flag)

    def flags_by_module_dict(self) -> dict[str, list[Flag]]:
        return dict(self._by_module)

    def find_module_defining_flag(self, flagname: str, default: Any = None) -> Any:
        flag = self._flags.get(flagname)
        return next((m for m, flags in self._by_module.items() if any(f is flag for f in flags)), default)

    def get_flags_for_module(self, module: Any) -> list[Flag]:
        return list(self._by_module.get(module if isinstance(module, str) else module.__name__, []))

    def get_key_flags_for_module(self, module: Any) -> list[Flag]:
        name = module if isinstance(module, str) else module.__name__
        found = self.get_flags_for_module(name) + self._key_flags.get(name, [])
        return list({id(f): f for f in found}.values())

    def get_flag_value(self, name: str, default: Any) -> Any:
        value = self._flags[name].value if name in self._flags else None
        return default if value is None else value

    def set_default(self, name: str, value: Any) -> None:
        if name not in self._flags:
            raise UnrecognizedFlagError(name)
        self._flags[name]._set_default(value)
        self._verify(self._flags[name].validators)

    def flag_values_dict(self) -> dict[str, Any]:
        return {n: f.value for n, f in self._flags.items()}

    def flags_into_string(self) -> str:
        texts = [
            f.serialize() for m in sorted(self._by_module) for f in sorted(self._by_module[m], key=lambda f: f.name) if f.value is not None
        ]
        return "".join(f"{t}\n" for t in texts)

    def append_flags_into_file(self, filename: str) -> None:
        with open(filename, "a", encoding="utf-8") as file:
            file.write(self.flags_into_string())

    def get_help(self, prefix: str = "", include_special_flags: bool = True) -> str:
        main = sys.argv[0]
        modules = sorted(self._by_module, key=lambda m: (m != main, m))
        return "\n".join(self._module_help(m, self._by_module[m], prefix) for m in modules)

    def module_help(self, module: Any) -> str:
        flags = self.get_key_flags_for_module(module)
        return self._module_help(module if isinstance(module, str) else module.__name__, flags, "") if flags else ""

    def main_module_help(self) -> str:
        return self.module_help(sys.argv[0])

    def _module_help(self, module: str, flags: list[Flag], prefix: str) -> str:
        lines = [f"\n{prefix}{module}:"]
        for flag in sorted(flags, key=lambda f: f.name):
            names = (f"-{flag.short_name}," if flag.short_name else "") + (f"--[no]{flag.name}" if flag.boolean else f"--{flag.name}")
            lines.append(text_wrap(f"{names}: {flag.help}", indent=f"{prefix}    ", firstline_indent=f"{prefix}  "))
            if flag.default_as_str:
                lines.append(f"{prefix}    (default: {flag.default_as_str})")
            if flag.parser.syntactic_help:
                lines.append(f"{prefix}    ({flag.parser.syntactic_help})")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.get_help()


FLAGS = FlagValues(reads_itself=True)
put("flags.FLAGS", FLAGS)
put("app.flags.FLAGS", FLAGS)
