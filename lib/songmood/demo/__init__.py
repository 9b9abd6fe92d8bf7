"""A synthetic corpus of any size, in WASABI's layouts, with its quirks and with the truth about each song.

    songs/ tags/ audio_features/ lyrics/    as in a user's corpus (CORPUS.md)
    truth/songs/         one row for each song row: duplicate_group, mood, theme, log odds (evidence.py)
    truth/wrong_lyrics/  names under which there are lyrics of another song
    truth/demo.json      settings, seed and Bayes ceilings; `complete` is true once everything is written

No step reads truth/: it is for evaluation. Every row depends only on the seed and on its number.

maker.py      the rows of each part, from evidence, songs, tags, audio and lyrics
files.py      writing them
folder.py     the folder that holds them
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pyspark.sql import SparkSession

from songmood.demo import evidence
from songmood.demo.draws import Draws
from songmood.demo.evidence import HAPPY_SHARE
from songmood.demo.files import write_parts
from songmood.demo.folder import DemoFolder
from songmood.demo.maker import Maker
from songmood.engine.errors import UserError
from songmood.engine.fingerprint import code_fingerprint
from songmood.settings import BY_VALUE, DemoSettings


def write_demo_corpus(spark: SparkSession, demo: DemoSettings, seed: int, folder: str) -> None:
    """Write the demo corpus to `folder`, unless a complete one with the same settings is there.

    It is written to `folder`.writing and renamed when it is complete. An incomplete demo corpus is
    replaced; so is one that an older version of this code made, unless files were added to it. Raises
    UserError for a folder that holds anything else.
    """
    target = DemoFolder(folder)
    code = code_fingerprint(__name__, BY_VALUE)[:16]
    settings = {"settings": demo.model_dump(mode="json"), "seed": seed}
    if _is_current(target, settings, code):
        return
    unfinished = DemoFolder(f"{folder.rstrip('/')}.writing")
    if unfinished.exists() and unfinished.read_truth() is None:
        raise UserError(f"{unfinished.path} is not a demo corpus, and its place is needed: move it away")
    draws = Draws(seed)
    strengths = evidence.solve_strengths(draws, demo)
    truth = {
        **settings,
        "code": code,
        "strengths": asdict(strengths),
        "ceilings": {
            "majority": {"accuracy": HAPPY_SHARE, "standard_error": 0.0},
            **{
                name: asdict(ceiling)
                for name, ceiling in evidence.estimate_ceilings(draws, demo, strengths).items()
            },
        },
    }
    unfinished.delete()
    unfinished.write_truth({**truth, "complete": False})
    write_parts(spark, Maker(demo, draws, strengths), unfinished)
    unfinished.write_truth({**truth, "complete": True, "files": unfinished.files()})
    target.delete()
    unfinished.rename(target)


def read_ceilings(folder: str) -> dict[str, float]:
    """Bayes accuracies of classifiers of lyrics, audio and both, as the demo corpus there states them."""
    truth = DemoFolder(folder).read_truth() or {}
    return {name: float(ceiling["accuracy"]) for name, ceiling in truth.get("ceilings", {}).items()}


def _is_current(target: DemoFolder, settings: dict[str, Any], code: str) -> bool:
    """Whether the requested corpus is there. Raises UserError if the folder must not be replaced."""
    if not target.exists():
        return False
    truth = target.read_truth()
    if truth is None:
        raise UserError(f"{target.path} is not a demo corpus: set paths.corpus to another folder")
    if not truth["complete"]:
        return False
    if any(truth.get(name) != value for name, value in settings.items()):
        raise UserError(
            f"{target.path} holds a demo corpus with other settings or another seed: delete it, "
            "or set paths.corpus to another folder"
        )
    if truth.get("code") == code:
        return True
    if target.files() != truth.get("files"):
        raise UserError(
            f"{target.path} holds a demo corpus of an older version, to which files were added: move it away"
        )
    return False
