"""A step: a function whose parameters are what it reads and whose result is what it writes.

    class Filtered(NamedTuple):
        filtered: DataFrame             # a table of that name
        dropped: DataFrame
        shared: tuple[DataFrame, ...]   # costly frames that several tables come from

    @step("filter", "keep the songs with the required ids and languages")
    def filter_songs(songs: DataFrame, settings: FilterSettings) -> Filtered: ...

Parameters are bound by name: tables, models, inputs, and the names of SPECIAL; settings are bound by
their type. A result is a NamedTuple: its fields are tables, models, and the names of EXTRAS. A step that
writes nothing returns Notes or None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar, get_type_hints

from songmood.engine.settings import RootSettings

# Parameters that the run itself provides.
SPECIAL = {
    "seed": "the seed of everything random",
    "spark": "the Spark session",
    "rows": "the number of rows of each table that the step reads",
    "scratch": "a local folder that is deleted when the step ends",
    "manifest": "the run's manifest so far",
    "tables": "all tables of the run so far, by name; for steps that write none",
    "store": "the warehouse",
    "keep": "a function from a name to the URI of a folder that outlives the run; it holds what is costly to "
    "make, such as embeddings by text, and prune deletes it once no kept run has used it",
    "say": "a function that shows a line to the user",
    "counts": "in a review: what was counted of each table that the step read or wrote",
}
# Fields of a result that are no tables or models.
EXTRAS = {
    "shared": "frames that several tables come from: computed once, on disk until all are written",
    "notes": "warnings and figures",
    "files": "texts to write to the run's folder, by file name",
}

P = ParamSpec("P")
R = TypeVar("R")


class Notes(NamedTuple):
    """What a step reports beside its tables: warnings for the user, and figures for the manifest."""

    warnings: tuple[str, ...] = ()
    figures: Mapping[str, Any] = {}


class Counts(NamedTuple):
    """What was counted of a table while it was written.

    `reasons` counts the values of its reason column, `examples` has an example of each, and `distinct` is
    the number of distinct values of its distinct column.
    """

    rows: int
    reasons: Mapping[str, int] = {}
    examples: Mapping[str, str] = {}
    distinct: int | None = None


class Condition(NamedTuple):
    """When a step runs as a part of the whole pipeline: `about` completes 'runs ...'."""

    about: str
    holds: Callable[[Any], bool]


ALWAYS = Condition("always", lambda settings: True)
ON_REQUEST = Condition("only on request", lambda settings: False)


@dataclass(frozen=True)
class Step(Generic[P, R]):
    """A function with a name and a line about what it does; calling it calls the function.

    `review` is called once the tables are written: it sees their counts, may add notes, and may raise
    UserError. `only_if` says under which settings an input is read; else it is None and does not count as
    something that the step depends on. `condition` says when the step is a part of the whole pipeline.
    """

    name: str
    about: str
    function: Callable[P, R]
    review: Callable[..., Notes] | None = None
    only_if: Mapping[str, Callable[[Any], bool]] = field(default_factory=dict)
    condition: Condition = ALWAYS

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function, as tests do."""
        return self.function(*args, **kwargs)

    def when(self, about: str, holds: Callable[[Any], bool]) -> Step[P, R]:
        """The same step, as a part of the pipeline only where `holds` is true of the settings."""
        return replace(self, condition=Condition(about, holds))

    def on_request(self) -> Step[P, R]:
        """The same step, run only by its own name."""
        return replace(self, condition=ON_REQUEST)

    @property
    def parameters(self) -> dict[str, Any]:
        """The type of each parameter of the function."""
        return {name: kind for name, kind in get_type_hints(self.function).items() if name != "return"}

    @property
    def fields(self) -> dict[str, Any]:
        """The type of each field of the result; none if it is not a NamedTuple of tables and models."""
        result = get_type_hints(self.function).get("return")
        if result in (None, type(None), Notes):
            return {}
        return get_type_hints(result)

    def reads(self, name: str, settings: RootSettings) -> bool:
        """Whether the step reads a parameter of that name under these settings."""
        return name not in self.only_if or self.only_if[name](settings)


def step(
    name: str,
    about: str,
    *,
    review: Callable[..., Notes] | None = None,
    only_if: Mapping[str, Callable[[Any], bool]] | None = None,
) -> Callable[[Callable[P, R]], Step[P, R]]:
    """Declare a function to be a step; see Step."""

    def declare(function: Callable[P, R]) -> Step[P, R]:
        return Step(name, about, function, review, only_if or {})

    return declare
