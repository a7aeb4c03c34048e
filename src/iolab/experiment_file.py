"""Reads an experiment's TOML file into the settings of its kind; a mistake in it is one line."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import ValidationError

from iolab import options
from iolab.errors import UsageError
from iolab.experiment import Experiment, Settings

S = TypeVar("S", bound=Settings)
E = TypeVar("E", bound=Experiment)


def document(path: Path) -> dict[str, Any]:
    """Read a TOML file; raises UsageError, in one line that names the file and the reason."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"EXPERIMENT={path} cannot be read: {error.strerror}") from error
    except RecursionError:
        raise UsageError(f"{path.name} cannot be read: its values are nested too deeply") from None
    except ValueError as error:  # no TOML, no UTF-8, or a number of thousands of digits
        raise UsageError(f"{path.name} cannot be read: {error}") from error


def kind_of(path: Path) -> str:
    """Return the kind of a TOML file; raises UsageError if it is missing."""
    found = document(path)
    if "kind" not in found:
        raise UsageError(f'{path.name}: kind is missing: set the kind of experiment, such as "closed"')
    return str(found["kind"])


def parsed(path: Path, changes: Mapping[str, Any], of_kind: type[E], *, quick: bool = False) -> E:
    """Return the experiment of a TOML file; `changes` override it by key, tables by their keys.

    If it is to be `quick`, its table [quick] overrides the file in the same way, before the changes. Raises UsageError,
    in one line that names file, key and reason, for what is not an experiment of that kind, or has no such table.
    """
    found = document(path)
    shorter = found.pop("quick", None)
    if quick:
        if not isinstance(shorter, Mapping):
            raise UsageError(f"QUICK=1: {path.name} has no table [quick], which says what a quick run leaves out")
        found = _merged(found, shorter)
    found = _merged(found, changes)
    experiment = validated(found, of_kind, changes, path.name)
    varied = {name for each in getattr(experiment, "vary", ()) for name, value in each if value is not None}
    for each in options.settings(of_kind):
        value = _lookup(changes, each.path)
        if each.path[0] == "server" and each.path[-1] in varied and value is not None:
            given = f"{each.variable}={value:g}" if isinstance(value, float) else f"{each.variable}={value}"
            raise UsageError(f"{given}: {path.name} varies this setting: leave it out, or give another EXPERIMENT")
    return experiment


def _merged(found: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with changes, those of a table by their keys; a table cannot replace what is none."""
    merged = dict(found)
    for key, value in changes.items():
        table = found.get(key, {})
        if not isinstance(value, Mapping):
            merged[key] = value
        elif isinstance(table, Mapping):
            merged[key] = {**table, **value}
    return merged


def validated(found: Mapping[str, Any], of: type[S], changes: Mapping[str, Any], source: str) -> S:
    """Return settings, of which `changes` were given as options and the rest is in `source`; raises UsageError."""
    try:
        return of.model_validate(found)
    except ValidationError as error:
        raise UsageError(_mistake(error, source, changes, of)) from error


def _mistake(error: ValidationError, source: str, changes: Mapping[str, Any], of: type[Settings]) -> str:
    """Return one line about the first mistake, with the name that the user used."""
    first = error.errors()[0]
    keys = [str(part) for part in first["loc"] if isinstance(part, str)]
    key, given = ".".join(keys), _lookup(changes, keys)
    if first["type"] == "missing":
        return f"{source}: {key} is missing"
    if first["type"] == "extra_forbidden":
        return f"{source}: {key} is not a setting of kind {_kind_of(of)}: {_settings(of, keys[:-1])}"
    value, what = (
        first["input"],
        first["msg"].removeprefix("Value error, ").replace("valid tuple", "list").replace("Tuple", "List"),
    )
    if first["type"] == "value_error" and isinstance(value, Mapping):  # settings that contradict each other
        where = f"{source}: [{key}]" if key else source
        return f"{where}: {what}"
    value = f"{value:g}" if isinstance(value, float) else value
    if given is None or isinstance(given, Mapping):
        where = f"{source}: {key} = {value!r}"
    else:
        variables = {each.path: each.variable for each in options.settings(of)}
        where = f"{variables.get(tuple(keys), keys[-1].upper())}={value}"
    return f"{where}: {what[:1].lower()}{what[1:]}"


def _lookup(tree: Mapping[str, Any], keys: Sequence[str]) -> Any:
    found: Any = tree
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _kind_of(of: type[Settings]) -> str:
    return str(get_args(of.model_fields["kind"].annotation)[0])


def _settings(of: type[Settings], table: Sequence[str]) -> str:
    """Return the names of the settings of a kind, or of one of its tables."""
    inner: Any = of
    for name in table:
        inner = inner.model_fields[name].annotation
        inner = next((each for each in (inner, *get_args(inner)) if hasattr(each, "model_fields")), inner)
    names = [field.alias or name for name, field in getattr(inner, "model_fields", {}).items()]
    return f"[{'.'.join(table)}] has {', '.join(names)}" if table else f"it has {', '.join(names)}"
