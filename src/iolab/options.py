"""Options of the command line: each is a field of an experiment's settings, with an Option in its annotation.

The flag, the variable of make, the help, the place in the TOML file and the name in error messages all follow from it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo


class Word(NamedTuple):
    """The name of a value in help, its parser (raises ValueError), and what it must be."""

    name: str
    read: Callable[[str], Any]
    must: str


def share(text: str) -> float:
    """Return 3% or 0.03 as a number between 0 and 1; raises ValueError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(%?)", text, re.ASCII)
    value = float(match[1]) / (100 if match[2] else 1) if match else 0.0
    if not 0 < value < 1:
        raise ValueError(text)
    return value


def span(text: str) -> float:
    """Return 90s, 10m or 1h in seconds; raises ValueError for anything else, and for more than a day."""
    match = re.fullmatch(r"(\d+(?:\.\d*)?)\s*([smh]?)", text, re.ASCII)
    seconds = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]] if match else 0.0
    if not 0 < seconds <= 86_400:
        raise ValueError(text)
    return seconds


def _switch(text: str) -> bool:
    if text.lower() not in ("0", "1", "false", "true", "no", "yes", "off", "on"):
        raise ValueError(text)
    return text.lower() in ("1", "true", "yes", "on")


def choice(values: tuple[str, ...]) -> Word:
    """Return the Word for one of the values."""

    def one(text: str) -> str:
        if text not in values:
            raise ValueError(text)
        return text

    return Word(f"[{'|'.join(values)}]", one, f"{', '.join(values[:-1])} or {values[-1]}")


SHARE = Word("SHARE", share, "a share below 1, such as 0.5 or 50%")
TIME = Word("TIME", span, "a time, such as 90s or 10m")
FILE = Word("FILE", str, "a file")
ADDRESS = Word("URL", str, "an address such as http://127.0.0.1:9000")
WORDS = {
    bool: Word("[0|1]", _switch, "0 or 1"),
    int: Word("INTEGER", int, "a whole number"),
    float: Word("NUMBER", float, "a number"),
    str: Word("NAME", str, "a name"),
}


@dataclass(frozen=True)
class Option:
    """What the command line needs of a field besides its name, type, bounds and default.

    The flag of `budget_s` is --budget, its variable BUDGET, and its type a time, unless these fields say otherwise. A
    flag without dashes is an argument. `default` is shown instead of the default's value.
    """

    help: str
    flag: str = ""
    variable: str = ""
    unit: str = ""
    default: str = ""
    word: Word | None = None


@dataclass(frozen=True)
class Setting:
    """A field that has an Option; `path` is where the TOML file has it."""

    path: tuple[str, ...]
    field: FieldInfo
    option: Option

    @property
    def flag(self) -> str:
        """Its flag, such as --requests; an argument's name has no dashes."""
        return self.option.flag or "--" + self.path[-1].removesuffix("_s").replace("_", "-")

    @property
    def name(self) -> str:
        """The name of the parameter."""
        return self.flag.lstrip("-").replace("-", "_").lower()

    @property
    def variable(self) -> str:
        """The variable of make, which error messages use, too."""
        return self.option.variable or self.name.upper()

    @property
    def word(self) -> Word:
        """The Word for a value, or for values separated by commas or spaces if the field takes several."""
        one = self._one
        if self._type is self._element:
            return one._replace(read=lambda text: one.read(text.strip()))
        if any(getattr(each, "max_length", None) == 1 for each in self.field.metadata):
            return one._replace(read=lambda text: (one.read(text.strip()),))

        def several(text: str) -> tuple[Any, ...]:
            values = tuple(one.read(word) for word in re.split(r"[,\s]+", text) if word)
            if not values:
                raise ValueError(text)
            return values

        return Word(f"{one.name},...", several, f"{one.must}, or several with commas between them")

    @property
    def bounds(self) -> str:
        """The bounds of its values, "" if there are none."""
        inner = [each for one in getattr(self._annotated, "__metadata__", ()) for each in getattr(one, "metadata", ())]
        limits = {
            name: getattr(each, name)
            for each in (*self.field.metadata, *inner)
            for name in ("ge", "gt", "le", "lt")
            if hasattr(each, name)
        }
        if self._one is SHARE:
            return ""  # it is between 0 and 1, as its name says
        numbers = {name: self._typed(value) if self._one is TIME else f"{value:,}" for name, value in limits.items()}
        if "ge" in numbers and "le" in numbers:
            return f"{numbers['ge']} to {numbers['le']}"
        words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
        return " and ".join(f"{words[name]} {number}" for name, number in sorted(numbers.items()))

    def default(self, experiment: BaseModel | None) -> str:
        """Return the default as help says it: that of an experiment, or the field's own; "" where there is none."""
        text = self.typed(experiment)
        return self.option.default or (text and f"{text} {self.option.unit}".strip())

    def typed(self, experiment: BaseModel | None) -> str:
        """Return the value as a user types it: that of an experiment, or the default; "" where there is none."""
        own = None if self.field.is_required() else self.field.default
        value = reduce(getattr, self.path, experiment) if experiment else own
        if self.path[0] == "server":  # the experiment may measure several values of it
            varied = (getattr(each, self.path[-1], None) for each in getattr(experiment, "vary", ()))
            value = tuple(each for each in varied if each is not None) or value
        if value in (None, (), ""):
            return ""
        return ",".join(map(self._typed, value if isinstance(value, tuple) else (value,)))

    def help(self, experiment: BaseModel | None = None) -> str:
        """Return its help text, with bounds and default."""
        default = self.default(experiment)
        notes = "; ".join(filter(None, (self.bounds, f"default: {default}" if default else "")))
        return f"{self.option.help}  [{notes}]" if notes else self.option.help

    @property
    def _type(self) -> Any:
        """The field's type, without None."""
        kinds = [each for each in get_args(self.field.annotation) if each is not type(None)]
        return kinds[0] if type(None) in get_args(self.field.annotation) else self.field.annotation

    @property
    def _annotated(self) -> Any:
        """The type of a single value, with its bounds."""
        return get_args(self._type)[0] if get_origin(self._type) is tuple else self._type

    @property
    def _element(self) -> Any:
        return get_args(self._annotated)[0] if get_origin(self._annotated) is Annotated else self._annotated

    @property
    def _one(self) -> Word:
        if self.option.word:
            return self.option.word
        if get_origin(self._element) is Literal:
            return choice(get_args(self._element))
        return TIME if self._element is float and self.path[-1].endswith("_s") else WORDS[self._element]

    def _typed(self, value: Any) -> str:
        if self._one is TIME:
            unit, seconds = next(each for each in (("h", 3600), ("m", 60), ("s", 1)) if value % each[1] == 0)
            return f"{value / seconds:g}{unit}" if value else "0"
        return f"{value:g}" if isinstance(value, bool | float) else str(value)


def tables(of: type[BaseModel]) -> Mapping[str, type[BaseModel]]:
    """Return the tables of settings, such as [server], by their names."""
    found = ((name, field.annotation) for name, field in of.model_fields.items())
    return {name: each for name, each in found if isinstance(each, type) and issubclass(each, BaseModel)}


def own(of: type[BaseModel], table: tuple[str, ...] = ()) -> Iterator[Setting]:
    """Yield the fields that have an Option, without those of its tables."""
    for name, field in of.model_fields.items():
        found = [each for each in field.metadata if isinstance(each, Option)]
        if found:
            yield Setting((*table, name), field, found[-1])


def settings(of: type[BaseModel], table: tuple[str, ...] = ()) -> Iterator[Setting]:
    """Yield all fields that have an Option, those of its tables last."""
    yield from own(of, table)
    for name, inner in tables(of).items():
        yield from settings(inner, (*table, name))
