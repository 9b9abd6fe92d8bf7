"""The files of a saved mood model, beside those of its encoder. Nothing here needs torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from songmood.catalog import LOG_ODDS
from songmood.encoder.files import WEIGHTS, check_weights
from songmood.engine.errors import UserError

HEAD, DESCRIPTION, LEARNED = "head.safetensors", "mood.json", "learned.json"
VOCABULARY = "words.json"


def part_file(part: str) -> str:
    """The file of a part that a logistic regression makes."""
    return f"{part}.safetensors"


def describe(folder: Path) -> dict[str, Any]:
    """The description of a model's folder: model, moods, widths and more.

    Raises UserError, in one line, if a file is missing or damaged.
    """
    _check_weights(folder, WEIGHTS, HEAD)
    description = _read_json(folder, DESCRIPTION)
    found: dict[str, Any] = description
    _check_weights(folder, *(part_file(part) for part in LOG_ODDS if part in found["widths"]))
    if "words" in found["widths"]:
        _read_json(folder, VOCABULARY)
    return found


def learned_from(folder: Path) -> list[str]:
    """The ids of the songs whose labels a model has learned from."""
    found: list[str] = _read_json(folder, LEARNED)
    return found


_ADVICE = "delete the folder and run ./spark-submit.sh all --from train"


def _check_weights(folder: Path, *names: str) -> None:
    for name in names:
        if not (folder / name).is_file():
            raise UserError(f"the mood model {folder} has no {name}: {_ADVICE}")
        check_weights(folder / name, _ADVICE)


def _read_json(folder: Path, name: str) -> Any:
    try:
        return json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"the mood model {folder} has no readable file {name} ({error}): {_ADVICE}") from None
