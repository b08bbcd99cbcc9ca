"""Kinds of command-line flags: how each reads, checks and writes its value."""

from __future__ import annotations

import csv
import enum
import io
from collections.abc import Iterable
from typing import Any

from runtime.tf1.registry import export, put


@export("flags.Error")
class Error(Exception):
    """Something about flags is wrong."""


@export("flags.CantOpenFlagFileError")
class CantOpenFlagFileError(Error):
    """A file that --flagfile names cannot be read."""


@export("flags.DuplicateFlagError")
class DuplicateFlagError(Error):
    """A flag's name is taken."""


@export("flags.IllegalFlagValueError")
class IllegalFlagValueError(Error):
    """A flag was given a value that it does not take."""


@export("flags.UnrecognizedFlagError")
class UnrecognizedFlagError(Error):
    """A flag on the command line that nobody defined."""

    def __init__(self, flagname: str, flagvalue: str = "", suggestions: Any = None) -> None:
        self.flagname, self.flagvalue = flagname, flagvalue
        tip = f". Did you mean: {', '.join(suggestions)} ?" if suggestions else ""
        super().__init__(f"Unknown command line flag '{flagname}'{tip}")


@export("flags.UnparsedFlagAccessError")
class UnparsedFlagAccessError(Error):
    """A flag was read before the command line was."""


@export("flags.ValidationError")
class ValidationError(Error):
    """A validator refused a value."""


@export("flags.FlagNameConflictsWithMethodError")
class FlagNameConflictsWithMethodError(Error):
    """A flag is named like a method of FLAGS."""


# -- parsers ---------------------------------------------------------------------------------------------------------


@export("flags.ArgumentParser")
class ArgumentParser:
    """Turns the text of an argument into a value."""

    syntactic_help = ""

    def parse(self, argument: Any) -> Any:
        if not isinstance(argument, str):
            raise TypeError(f'flag value must be a string, found "{type(argument)}"')
        return argument

    def flag_type(self) -> str:
        return "string"


@export("flags.ArgumentSerializer")
class ArgumentSerializer:
    """Turns a value into text."""

    def serialize(self, value: Any) -> str:
        return str(value)


class NumericParser(ArgumentParser):
    """A number, perhaps between bounds."""

    article, noun = "a", "number"
    words = {0: ("non-negative", "non-positive")}  # bound -> words for it as the lower and the upper one

    def __init__(self, lower_bound: Any = None, upper_bound: Any = None) -> None:
        self.lower_bound, self.upper_bound = lower_bound, upper_bound
        low, high = lower_bound, upper_bound
        if low is not None and high is not None:
            self.syntactic_help = f"{self.article} {self.noun} in the range [{low}, {high}]"
        elif (low is not None and low in self.words and (word := self.words[low][0])) or (
            low is None and high is not None and high in self.words and (word := self.words[high][1])
        ):
            self.syntactic_help = f"a {word} {self.noun}"
        elif high is not None:
            self.syntactic_help = f"{self.noun} <= {high}"
        elif low is not None:
            self.syntactic_help = f"{self.noun} >= {low}"
        else:
            self.syntactic_help = f"{self.article} {self.noun}"

    def is_outside_bounds(self, val: Any) -> bool:
        return (self.lower_bound is not None and val < self.lower_bound) or (self.upper_bound is not None and val > self.upper_bound)

    def parse(self, argument: Any) -> Any:
        value = self.convert(argument)
        if self.is_outside_bounds(value):
            raise ValueError(f"{value} is not {self.syntactic_help}")
        return value

    def convert(self, argument: Any) -> Any:
        raise NotImplementedError


@export("flags.FloatParser")
class FloatParser(NumericParser):
    """A number with a fraction."""

    def convert(self, argument: Any) -> float:
        if isinstance(argument, bool) or not isinstance(argument, int | float | str):
            raise TypeError(f"Expect argument to be a string, int, or float, found {type(argument)}")
        return float(argument)

    def flag_type(self) -> str:
        return "float"


@export("flags.IntegerParser")
class IntegerParser(NumericParser):
    """A whole number, also in octal (0o) or hexadecimal (0x)."""

    article, noun = "an", "integer"
    words = {0: ("non-negative", "non-positive"), 1: ("positive", ""), -1: ("", "negative")}

    def convert(self, argument: Any) -> int:
        if isinstance(argument, int) and not isinstance(argument, bool):
            return argument
        if not isinstance(argument, str):
            raise TypeError(f"Expect argument to be a string or int, found {type(argument)}")
        base = 10
        if len(argument) > 2 and argument[0] == "0":
            base = {"o": 8, "x": 16}.get(argument[1], 10)
        return int(argument, base)

    def flag_type(self) -> str:
        return "int"


class BooleanParser(ArgumentParser):
    """True or false."""

    def parse(self, argument: Any) -> bool:
        if isinstance(argument, str):
            if argument.lower() in ("true", "t", "1"):
                return True
            if argument.lower() in ("false", "f", "0"):
                return False
            raise ValueError("Non-boolean argument to boolean flag", argument)
        if isinstance(argument, int | float):
            if argument in (0, 1):
                return bool(argument)
            raise ValueError("Non-boolean argument to boolean flag", argument)
        raise TypeError("Non-boolean argument to boolean flag", argument)

    def flag_type(self) -> str:
        return "bool"


put("flags.BooleanParser", BooleanParser)


@export("flags.EnumParser")
class EnumParser(ArgumentParser):
    """One of some strings."""

    def __init__(self, enum_values: Any, case_sensitive: bool = True) -> None:
        if not enum_values:
            raise ValueError(f'enum_values cannot be empty, found "{enum_values}"')
        if isinstance(enum_values, str):
            raise ValueError(f'enum_values cannot be a str, found "{enum_values}"')
        self.enum_values, self.case_sensitive = list(enum_values), case_sensitive

    def parse(self, argument: Any) -> str:
        for value in self.enum_values:
            if value == argument or (not self.case_sensitive and str(value).upper() == str(argument).upper()):
                return str(value)
        raise ValueError(f"value should be one of <{'|'.join(self.enum_values)}>")

    def flag_type(self) -> str:
        return "string enum"


@export("flags.EnumClassParser")
class EnumClassParser(ArgumentParser):
    """A member of an Enum, by its name."""

    def __init__(self, enum_class: Any, case_sensitive: bool = True) -> None:
        if not issubclass(enum_class, enum.Enum):
            raise TypeError(f"{enum_class} is not a subclass of Enum.")
        if not enum_class.__members__:
            raise ValueError(f'enum_class cannot be empty, but "{enum_class}" is empty.')
        self.enum_class, self._case_sensitive = enum_class, case_sensitive
        self.member_names = tuple(n if case_sensitive else n.lower() for n in enum_class.__members__)
        if len(set(self.member_names)) < len(self.member_names):
            raise ValueError(f"Duplicate enum values for {enum_class} using case_sensitive=False")

    def parse(self, argument: Any) -> Any:
        if isinstance(argument, self.enum_class):
            return argument
        if not isinstance(argument, str):
            raise ValueError(f"{argument} is not an enum member or a name of a member in {self.enum_class}")
        name = argument if self._case_sensitive else argument.lower()
        if name not in self.member_names:
            raise ValueError(f"value should be one of <{'|'.join(self.member_names)}>")
        return list(self.enum_class.__members__.values())[self.member_names.index(name)]

    def flag_type(self) -> str:
        return "enum class"


@export("flags.BaseListParser")
class BaseListParser(ArgumentParser):
    """Strings with a separator between them."""

    def __init__(self, token: str | None = None, name: str | None = None) -> None:
        self._token, self._name = token, name or ""
        self.syntactic_help = f"a {self._name} separated list"

    def parse(self, argument: Any) -> list[str]:
        if isinstance(argument, list):
            return argument
        return [s.strip() for s in argument.split(self._token)] if argument else []

    def flag_type(self) -> str:
        return f"{self._name} separated list of strings"


@export("flags.ListParser")
class ListParser(BaseListParser):
    """Strings with commas between them, quoted as in CSV."""

    def __init__(self) -> None:
        super().__init__(",", "comma")

    def parse(self, argument: Any) -> list[str]:
        if isinstance(argument, list):
            return argument
        if not argument:
            return []
        try:
            return [s.strip() for s in next(csv.reader([argument], strict=True))]
        except csv.Error as e:
            raise ValueError(f"Unable to parse the value {argument!r} as a {self.flag_type()}: {e}") from None


@export("flags.WhitespaceSeparatedListParser")
class WhitespaceSeparatedListParser(BaseListParser):
    """Strings with spaces between them, or, with `comma_compat`, commas."""

    def __init__(self, comma_compat: bool = False) -> None:
        self._comma_compat = comma_compat
        super().__init__(None, "whitespace or comma" if comma_compat else "whitespace")

    def parse(self, argument: Any) -> list[str]:
        if isinstance(argument, list):
            return argument
        return (argument.replace(",", " ") if self._comma_compat else argument).split() if argument else []


@export("flags.ListSerializer")
class ListSerializer(ArgumentSerializer):
    """Values with a separator between them."""

    def __init__(self, list_sep: str) -> None:
        self.list_sep = list_sep

    def serialize(self, value: Any) -> str:
        return self.list_sep.join(str(x) for x in value)


@export("flags.CsvListSerializer")
class CsvListSerializer(ListSerializer):
    """Values as a line of CSV."""

    def __init__(self, list_sep: str = ",") -> None:
        super().__init__(list_sep)

    def serialize(self, value: Any) -> str:
        text = io.StringIO()
        csv.writer(text, delimiter=self.list_sep).writerow([str(x) for x in value])
        return text.getvalue().strip()


@export("flags.EnumClassSerializer")
class EnumClassSerializer(ArgumentSerializer):
    """The name of an Enum's member."""

    def __init__(self, lowercase: bool = False) -> None:
        self._lowercase = lowercase

    def serialize(self, value: Any) -> str:
        return str(value.name.lower() if self._lowercase else value.name)


@export("flags.EnumClassListSerializer")
class EnumClassListSerializer(ListSerializer):
    """The names of members of an Enum."""

    def __init__(self, list_sep: str, **kwargs: Any) -> None:
        super().__init__(list_sep)
        self._element = EnumClassSerializer(**kwargs)

    def serialize(self, value: Any) -> str:
        return self.list_sep.join(self._element.serialize(x) for x in (value if isinstance(value, list) else [value]))


# -- flags -----------------------------------------------------------------------------------------------------------


@export("flags.Flag")
class Flag:
    """One flag: its name, parser, default and value."""

    def __init__(
        self, parser: Any, serializer: Any, name: str, default: Any, help_string: str | None, short_name: str | None = None, boolean: bool = False,
        allow_override: bool = False, allow_override_cpp: bool = False, allow_hide_cpp: bool = False, allow_overwrite: bool = True,
        allow_using_method_names: bool = False,
    ) -> None:  # fmt: skip
        self.name, self.help, self.short_name, self.boolean = name, help_string or "(no help available)", short_name, boolean
        self.parser, self.serializer = parser, serializer
        self.allow_override, self.allow_overwrite, self.allow_using_method_names = allow_override, allow_overwrite, allow_using_method_names
        self.present = 0
        self.using_default_value = True
        self.value: Any = None
        self.validators: list[Any] = []
        self._set_default(default)

    def __bool__(self) -> bool:
        raise TypeError("A Flag instance would always be True. Did you mean to test the `.value` attribute?")

    def parse(self, argument: Any) -> None:
        """Take the value from the command line."""
        if self.present and not self.allow_overwrite:
            raise IllegalFlagValueError(f"flag --{self.name}={argument}: already defined as {self.value}")
        self.value = self._parse(argument)
        self.present += 1

    def _parse(self, argument: Any) -> Any:
        try:
            return self.parser.parse(argument)
        except (TypeError, ValueError) as e:
            raise IllegalFlagValueError(f"flag --{self.name}={argument}: {e}") from None

    def unparse(self) -> None:
        self.value, self.using_default_value, self.present = self.default, True, 0

    def serialize(self) -> str:
        return self._serialize(self.value)

    def _serialize(self, value: Any) -> str:
        if value is None:
            return ""
        if self.boolean:
            return f"--{self.name}" if value else f"--no{self.name}"
        if self.serializer is None:
            raise Error(f"Serializer not present for flag {self.name}")
        return f"--{self.name}={self.serializer.serialize(value)}"

    def _set_default(self, value: Any) -> None:
        self.default_unparsed = value
        self.default = None if value is None else self._parse(value)
        self.default_as_str = self._text(self.default)
        if self.using_default_value:
            self.value = self.default

    def _text(self, value: Any) -> str | None:
        if value is None:
            return None
        if self.serializer is not None:
            return repr(self.serializer.serialize(value))
        return repr(str(bool(value)).lower()) if self.boolean else repr(str(value))

    def flag_type(self) -> str:
        return str(self.parser.flag_type())


@export("flags.BooleanFlag")
class BooleanFlag(Flag):
    """--name or --noname."""

    def __init__(self, name: str, default: Any, help: str | None, short_name: str | None = None, **args: Any) -> None:
        super().__init__(BooleanParser(), None, name, default, help, short_name, True, **args)


@export("flags.EnumFlag")
class EnumFlag(Flag):
    """One of some strings."""

    def __init__(
        self,
        name: str,
        default: Any,
        help: str | None,
        enum_values: Any,
        short_name: str | None = None,
        case_sensitive: bool = True,
        **args: Any,
    ) -> None:
        parser = EnumParser(enum_values, case_sensitive)
        super().__init__(parser, ArgumentSerializer(), name, default, help, short_name, **args)
        self.help = f"<{'|'.join(parser.enum_values)}>: {self.help}"


@export("flags.EnumClassFlag")
class EnumClassFlag(Flag):
    """A member of an Enum."""

    def __init__(
        self,
        name: str,
        default: Any,
        help: str | None,
        enum_class: Any,
        short_name: str | None = None,
        case_sensitive: bool = False,
        **args: Any,
    ) -> None:
        parser = EnumClassParser(enum_class, case_sensitive)
        super().__init__(parser, EnumClassSerializer(lowercase=not case_sensitive), name, default, help, short_name, **args)
        self.help = f"<{'|'.join(parser.member_names)}>: {self.help}"


@export("flags.MultiFlag")
class MultiFlag(Flag):
    """A flag that may be given several times: a list of all its values."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.help += ";\n    repeat this option to specify a list of values"

    def parse(self, argument: Any) -> None:
        new = self._parse(argument)
        if self.present:
            self.value.extend(new)
        else:
            self.value = new
        self.present += len(new)

    def _parse(self, argument: Any) -> list[Any]:
        items = list(argument) if isinstance(argument, Iterable) and not isinstance(argument, str) else [argument]
        return [super(MultiFlag, self)._parse(item) for item in items]

    def _serialize(self, value: Any) -> str:
        if self.serializer is None:
            raise Error(f"Serializer not present for flag {self.name}")
        return "" if value is None else "\n".join(super(MultiFlag, self)._serialize(item) for item in value)

    def flag_type(self) -> str:
        return f"multi {self.parser.flag_type()}"


@export("flags.MultiEnumClassFlag")
class MultiEnumClassFlag(MultiFlag):
    """Members of an Enum, one each time the flag is given."""

    def __init__(
        self, name: str, default: Any, help_string: str | None, enum_class: Any, case_sensitive: bool = False, **args: Any
    ) -> None:
        parser = EnumClassParser(enum_class, case_sensitive)
        super().__init__(parser, EnumClassListSerializer(",", lowercase=not case_sensitive), name, default, help_string, **args)
        self.help = f"<{'|'.join(parser.member_names)}>: {self.help}"
