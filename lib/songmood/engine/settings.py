"""Typed settings: a file of defaults, then files of the user, then single settings of the command line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from rapidfuzz import process

from songmood.engine.errors import UserError

# Marks a setting that changes no table, such as a batch size, so that it is in no fingerprint:
# `batch_size: Annotated[int, NO_EFFECT]`.
NO_EFFECT: Any = Field(json_schema_extra={"no_effect": True})


class Section(BaseModel):
    """A group of settings. Unknown names are refused, and values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RootSettings(Section):
    """All settings of a pipeline: its sections, and the seed of everything random."""

    seed: int


AnySettings = TypeVar("AnySettings", bound=RootSettings)


def with_effect(section: Section) -> dict[str, Any]:
    """A section's values for a fingerprint: without those that change no result."""
    values = {}
    for name, field in type(section).model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and extra.get("no_effect"):
            continue
        value = getattr(section, name)
        values[name] = with_effect(value) if isinstance(value, Section) else value
    return values


def read_settings(
    model: type[AnySettings],
    base: Path,
    overrides: Iterable[Path] = (),
    single: Iterable[str] = (),
    whole: Iterable[str] = (),
) -> AnySettings:
    """Read the settings of a run.

    `single` are strings 'section.name=value': the value is all that stands after '=' if the setting is
    text, otherwise YAML. `whole` names the settings whose value is a mapping that a new one replaces
    instead of extending. Raises UserError, in one line, for a file that does not exist or is not YAML, an
    unknown setting (naming the nearest known one) and an invalid value.
    """
    values = _read_yaml(base)
    for path in overrides:
        values = _merge(values, _read_yaml(path), str(path), set(whole))
    for setting in single:
        name, equals, value = setting.partition("=")
        if not equals:
            raise UserError(f"--set {setting}: write it as section.name=value")
        given = _single_value(_types_of(model, name.strip()), value, f"--set {setting}")
        values = _merge(values, _nested(name.strip(), given), "--set", set(whole))
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UserError(_first_problem(error)) from None


def _types_of(model: type[Section], name: str) -> set[Any]:
    """The types that a setting's value may have; for a list or a mapping, with those of its items."""
    section, _, rest = name.partition(".")
    field = model.model_fields.get(section)
    if field is None:
        return set()
    if rest and isinstance(field.annotation, type) and issubclass(field.annotation, Section):
        return _types_of(field.annotation, rest)
    return _types(field.annotation)


def _types(annotation: Any) -> set[Any]:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _types(parts[0])
    if origin is Literal:
        return set(map(type, parts))
    types = set().union(*(_types(part) for part in parts if part is not ...)) if parts else {annotation}
    return types | {origin} if isinstance(origin, type) and issubclass(origin, tuple | dict) else types


def _single_value(types: set[Any], text: str, where: str) -> Any:
    """The value of a setting of these types: text is never read as a number, a truth value or a comment."""
    if types == {str}:
        return text
    if types == {str, type(None)}:
        return None if text in ("", "null") else text
    # of a list of texts, 'no' and 1979 are texts
    loader = yaml.BaseLoader if types and types <= {str, tuple, dict} else yaml.SafeLoader
    return _parse_yaml(text, where, loader)


def _nested(name: str, value: Any) -> dict[str, Any]:
    for part in reversed(name.split(".")):
        value = {part: value}
    return value  # type: ignore[no-any-return]


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot read the settings file {path}: {error.strerror}") from None
    values = _parse_yaml(text, str(path))
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UserError(f"{path}: a settings file must be a YAML mapping of sections")
    return values


def _parse_yaml(text: str, where: str, loader: Any = yaml.SafeLoader) -> Any:
    try:
        return yaml.load(text, loader)
    except yaml.YAMLError as error:
        raise UserError(f"{where}: not YAML: {' '.join(str(error).split())}") from None


def _merge(
    base: dict[str, Any], over: dict[str, Any], where: str, whole: set[str], prefix: str = ""
) -> dict[str, Any]:
    merged = dict(base)
    for name, value in over.items():
        full = f"{prefix}{name}"
        if name not in base:
            while isinstance(value, dict) and len(value) == 1:  # name the setting, not its section
                (part,) = value
                full, value = f"{full}.{part}", value[part]
            raise UserError(_unknown(full, where, known=_leaves(base, prefix)))
        if isinstance(base[name], dict) and isinstance(value, dict) and full not in whole:
            merged[name] = _merge(base[name], value, where, whole, f"{full}.")
        elif isinstance(base[name], dict) and not isinstance(value, dict):
            raise UserError(f"{where}: {full} is a section: set one of its settings")
        else:
            merged[name] = value
    return merged


def _unknown(name: str, where: str, known: list[str]) -> str:
    nearest = process.extractOne(name, known)
    hint = f"; did you mean {nearest[0]}?" if nearest else ""
    return f"{where}: unknown setting {name}{hint}"


def _leaves(values: dict[str, Any], prefix: str) -> list[str]:
    names = []
    for name, value in values.items():
        names.append(f"{prefix}{name}")
        if isinstance(value, dict):
            names += _leaves(value, f"{prefix}{name}.")
    return names


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    name = ".".join(["setting", *(str(part) for part in problem["loc"])]).replace(".", " ", 1)
    given = problem.get("input")
    is_section = isinstance(given, dict)  # its settings contradict one another
    message = problem["msg"].removeprefix("Value error, ")
    return f"{name}: {message}" + ("" if is_section else f" (given: {given!r})")
