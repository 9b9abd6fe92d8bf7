"""The steps in order, checked when they are put together: what no one writes cannot be read."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from rapidfuzz import process

from songmood.engine.errors import UserError
from songmood.engine.settings import RootSettings, Section
from songmood.engine.step import ALWAYS, EXTRAS, ON_REQUEST, SPECIAL, Step
from songmood.engine.table import Table


class Input(NamedTuple):
    """Something that steps read and no step writes, such as files of the user.

    `fingerprint` gives text that changes whenever what `open` gives changes. `about` says what it is.
    """

    name: str
    about: str
    open: Callable[[Any], Any]
    fingerprint: Callable[[Any], str]


@dataclass(frozen=True)
class Pipeline:
    """All steps, in the order in which data goes through them.

    `tables`, `models` and `inputs` are everything that steps may read or write, by name. `load` reads the
    settings of a run, `prepare`
    completes the settings of a run (paths that the user left open) and raises UserError for what cannot
    work. `warehouse` says where the settings put the warehouse. `title` names what a run works on.
    Raises TypeError, naming the step, where a step reads or writes anything that is not declared, or
    reads a table or model that no step before it writes.
    """

    name: str
    version: str
    command: str  # what a user types to run a step
    steps: tuple[Step[..., Any], ...]
    tables: Mapping[str, Table]
    models: Mapping[str, str]
    inputs: Mapping[str, Input]
    settings: type[RootSettings]
    load: Callable[[Path, Sequence[Path], Sequence[str]], Any]
    prepare: Callable[[Any, Sequence[Step[..., Any]]], Any]
    warehouse: Callable[[Any], str]
    title: Callable[[Any], str]
    packages: tuple[str, ...] = ()  # those whose versions the manifest keeps
    featured: str = ""  # the table that the last line of a run shows how to query
    by_value: tuple[str, ...] = ()  # modules of settings and schemas: values, not code, in fingerprints

    def __post_init__(self) -> None:
        written: set[str] = set()
        for step in self.steps:
            for name in step.parameters:
                self._check_parameter(step, name, written)
            if step.review is not None:
                for name in get_type_hints(step.review):
                    if name not in ("return", *SPECIAL, *self.inputs):
                        self._check_section(step, name, get_type_hints(step.review)[name])
            unknown = [n for n in step.fields if n not in (*self.tables, *self.models, *EXTRAS)]
            if unknown:
                raise TypeError(f"step {step.name} writes {unknown[0]}, which is not a table or model")
            again = [n for n in self.writes(step) if n in written and not self._is_shared(n)]
            if again:
                raise TypeError(f"step {step.name} writes {again[0]}, which a step before it writes")
            written |= set(self.writes(step))
        never = sorted({*self.tables, *self.models} - written)
        if never:
            raise TypeError(f"no step writes {', '.join(never)}")

    def _check_parameter(self, step: Step[..., Any], name: str, written: set[str]) -> None:
        if name in self.tables or name in self.models:
            if name not in written:
                raise TypeError(f"step {step.name} reads {name}, which no step before it writes")
        elif name not in self.inputs and name not in SPECIAL:
            self._check_section(step, name, step.parameters[name])

    def _check_section(self, step: Step[..., Any], parameter: str, kind: Any) -> None:
        if self._section_name(kind) is None:
            raise TypeError(
                f"step {step.name} has a parameter {parameter}, which is not a table, model, input or setting"
            )

    def _section_name(self, kind: Any) -> str | None:
        """The name of the section of that type; '' for the type of all settings, None for any other."""
        if kind is self.settings:
            return ""
        sections = get_type_hints(self.settings).items()
        is_section = inspect.isclass(kind) and issubclass(kind, Section)
        return next((name for name, section in sections if is_section and section is kind), None)

    def _is_shared(self, name: str) -> bool:
        return name in self.tables and self.tables[name].shared

    # -- what a step reads and writes --------------------------------------------------------

    def reads(self, step: Step[..., Any], settings: RootSettings) -> list[str]:
        """The tables and models that a step reads under these settings."""
        return [
            name
            for name in step.parameters
            if (name in self.tables or name in self.models) and step.reads(name, settings)
        ]

    def inputs_of(self, step: Step[..., Any], settings: RootSettings) -> list[Input]:
        """The inputs that a step and its review read under these settings."""
        names = {**step.parameters, **(get_type_hints(step.review) if step.review else {})}
        return [self.inputs[name] for name in names if name in self.inputs and step.reads(name, settings)]

    def reads_input(self, steps: Iterable[Step[..., Any]], name: str) -> bool:
        """Whether one of these steps reads an input."""
        return any(name in step.parameters for step in steps)

    def writes(self, step: Step[..., Any]) -> list[str]:
        """The tables and models that a step writes, in order."""
        return [name for name in step.fields if name in self.tables or name in self.models]

    def sections(self, function: Callable[..., Any], settings: RootSettings) -> Iterator[tuple[str, Section]]:
        """The parameters of a function that are settings, with their values."""
        for parameter, kind in get_type_hints(function).items():
            section = None if parameter == "return" else self._section_name(kind)
            if section is not None:
                yield parameter, getattr(settings, section) if section else settings

    # -- choosing steps ----------------------------------------------------------------------

    def find(self, name: str) -> Step[..., Any]:
        """The step of that name. Raises UserError, naming the nearest one, if there is none."""
        for step in self.steps:
            if step.name == name:
                return step
        nearest = process.extractOne(name, [step.name for step in self.steps])
        raise UserError(f"unknown step {name}; did you mean {nearest[0]}?")

    def choose(self, start: str | None, until: str | None, settings: RootSettings) -> list[Step[..., Any]]:
        """The steps from `start` until `until`, both included, that run under these settings.

        None stands for the first and the last step. Raises UserError for an unknown step and a wrong order.
        """
        main = [step for step in self.steps if step.condition is ALWAYS]
        start, until = start or self.steps[0].name, until or main[-1].name
        first, last = (self.steps.index(self.find(name)) for name in (start, until))
        if first > last:
            raise UserError(f"--from {start} comes after --until {until}")
        chosen = self.steps[first : last + 1]
        return [step for step in chosen if step.condition.holds(settings)]

    def before(self, step: Step[..., Any]) -> list[Step[..., Any]]:
        """The steps whose tables a step may need."""
        place = [other.name for other in self.steps].index(step.name)
        return [other for other in self.steps[:place] if other.condition is not ON_REQUEST]
