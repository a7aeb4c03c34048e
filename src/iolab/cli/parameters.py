"""Options of click: those made from settings, and those that all measuring commands share."""

from pathlib import Path
from typing import Any, get_args

import click
from pydantic import BaseModel

from iolab import options
from iolab.errors import UsageError
from iolab.options import Setting, Word
from iolab.runtime.choice import Wanted


class Value(click.ParamType[Any]):
    """A type that parses values by a Word; an error is one line that names the variable."""

    def __init__(self, word: Word) -> None:
        self.name, self._word = word.name, word

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 (click's signature)
        """Return the name of a value in help."""
        return self.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ARG002
        """Return the value; raises UsageError."""
        try:
            return self._word.read(value) if isinstance(value, str) else value
        except ValueError:
            name = param.envvar if param else self.name
            raise UsageError(f"{name}={value}: must be {self._word.must}") from None


def parameter(setting: Setting, experiment: BaseModel | None = None) -> click.Parameter:
    """Return the option of a setting, or its argument; help shows the default of the experiment."""
    shared: dict[str, Any] = {"envvar": setting.variable, "type": Value(setting.word)}
    if not setting.flag.startswith("-"):
        return click.Argument([setting.name], required=False, metavar=f"[{setting.flag}]", **shared)
    differs = setting.variable != setting.name.upper()
    return click.Option([setting.flag], help=setting.help(experiment), show_envvar=differs, **shared)


def of(settings: type[BaseModel], *names: str) -> list[click.Parameter]:
    """Return the options of some of the settings."""
    return [parameter(each) for each in options.settings(settings) if each.name in names]


PATH = click.Path(path_type=Path)
runtime = click.option(
    "--runtime",
    envvar="RUNTIME",
    type=Value(options.choice(get_args(Wanted))),
    default="auto",
    show_default=True,
    help="Where servers run.",
)
results = click.option("--results", envvar="RESULTS", type=PATH, help="Folder of the run folders.  [default: results]")
quick = click.option("--quick", envvar="QUICK", is_flag=True, help="Measure at most 30 s, with wider intervals.")
wait = click.option("--wait", envvar="WAIT", is_flag=True, help="Wait until another benchmark has ended.")
answers = click.option(
    "--answers", envvar="ANSWERS", is_flag=True, help="Show theory and answers of a course run, too."
)
resume = click.option("--resume", envvar="RESUME", type=PATH, help="Run folder of an interrupted run to continue.")
