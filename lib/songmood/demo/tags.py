"""Tags of each recording: its genre, filler, and mood words in ways that the label rule must tell apart.

Weights are relative to the recording's top tag (100), as Last.fm's are. The cases are made for the
paper's rule: 11 tags or more, a mood word among the top five, a lead of epsilon = 0.1 of all weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from songmood.demo.draws import Array, Draws
from songmood.demo.evidence import draw_moods
from songmood.demo.songs import Rows, genres, song_ids, track_ids
from songmood.demo.words import FILLER_TAGS, GENRES, MOOD_TAGS


@dataclass(frozen=True)
class Case:
    """How a recording is tagged. `rate`: share of recordings. `filler`: weights of the other tags."""

    name: str
    rate: float
    filler: tuple[int, ...] = ()


_FILLER = (100, 80, 45, 28, 20, 15, 12, 10, 8, 7, 6, 6, 5, 5, 4, 4, 3)  # falls as real tags do
CASES = (
    Case("clear", 0.61, _FILLER),
    Case("over_epsilon", 0.03, _FILLER),  # a lead a little over 0.1 ...
    Case("under_epsilon", 0.03, _FILLER),  # ... and a little under
    # The other mood's synonyms would win if they were added up, which the paper never does.
    Case("outnumbered", 0.03, (60, 50, 30, 25, 20, 15, 12, 10, 8, 7, 6)),
    Case("low_rank", 0.05, (100, 80, 70, 60, 55, 6, 5, 5, 4, 4, 3, 3)),  # the mood word is sixth
    Case("no_mood", 0.10, _FILLER),
    Case("few", 0.08, (100, 60, 35, 20, 10, 8, 5)),  # fewer than 11
    Case("light", 0.02, (100, 60, 35, 20, 10, 8, 5, 2, 2, 1, 1, 1, 1, 1)),  # fewer than 11 of weight 3
    Case("none", 0.05),
)
LABELLED = ("clear", "over_epsilon", "outnumbered")  # the cases that the paper's rule labels
FEWEST_FILLERS = 11  # of the falling filler, so that with a mood word the tags are twelve
SYNONYM_FIRST = 0.35  # of clear cases: a synonym outranks the mood's own word
OTHER_MOOD = 0.3  # of clear cases: a weak word of the other mood

_HAPPY, _SAD = (list(words) for words in MOOD_TAGS.values())
_FILLERS = np.array(FILLER_TAGS, dtype=object)


def draw_cases(draws: Draws, takes: Array) -> Array:
    """How each recording is tagged, as a place in CASES; independent of mood."""
    steps = np.cumsum([case.rate for case in CASES])[:-1]
    return np.searchsorted(steps, draws.uniform("tag case", takes))


def make_tags(draws: Draws, rows: Rows) -> pd.DataFrame:
    """lastfm_id, or song_id of the recording's first row where it has none; tag; weight."""
    _, at = np.unique(rows.take, return_index=True)
    rows = rows.where(at)
    take = rows.take
    case = draw_cases(draws, take)
    names = np.array([c.name for c in CASES], dtype=object)[case]

    width = max(len(c.filler) for c in CASES)
    weights = np.array([c.filler + (0,) * (width - len(c.filler)) for c in CASES])[case]
    falling = np.array([c.filler is _FILLER for c in CASES])[case]
    kept = np.where(falling, FEWEST_FILLERS + draws.below("tags", take, width - FEWEST_FILLERS + 1), width)
    weights = np.where(np.arange(width) < kept[:, None], weights, 0)
    step = 1 + draws.below("filler tag step", take, len(FILLER_TAGS) - 1)
    place = (
        draws.below("filler tag", take, len(FILLER_TAGS))[:, None] + step[:, None] * np.arange(width)
    ) % len(FILLER_TAGS)
    filler = _FILLERS[place]
    filler[:, 0] = np.array(GENRES, dtype=object)[genres(draws, rows.artist)]

    moods, mood_weights = _mood_tags(draws, rows, names, weights.sum(axis=1))
    weights[:, 0] -= np.where(mood_weights[:, 0] >= 100, 5, 0) * (weights[:, 0] == 100)  # one top tag
    tags = np.concatenate([moods, filler], axis=1)
    weights = np.concatenate([mood_weights, weights], axis=1)
    number, column = np.nonzero(weights)
    track, song = track_ids(draws, take), song_ids(draws, rows.row)
    song[track != ""] = None
    track[track == ""] = None
    made: pd.DataFrame = pd.DataFrame(
        {
            "song_id": song[number],
            "lastfm_id": track[number],
            "tag": tags[number, column],
            "weight": weights[number, column].astype(np.int64),
        }
    )
    return made


def _mood_tags(draws: Draws, rows: Rows, names: Array, filler: Array) -> tuple[Array, Array]:
    """Mood words and their weights: two of the song's own mood, three of the other; weight 0: none.

    `filler` is the sum of the recording's other weights.
    """
    take = rows.take
    happy = draw_moods(draws, rows.song)
    own = np.where(happy, "happy", "sad")
    words = np.empty((len(take), 5), dtype=object)
    weights = np.zeros((len(take), 5), dtype=np.int64)
    u = draws.uniform("mood tags", take, 4)
    for mood, mine, others in (("happy", _HAPPY, _SAD), ("sad", _SAD, _HAPPY)):
        chosen = own == mood
        synonym = np.array(mine[1:], dtype=object)[(u[chosen, 0] * len(mine[1:])).astype(int)]
        first = (u[chosen, 1] < SYNONYM_FIRST) & (names[chosen] == "clear")
        words[chosen, 0] = np.where(first, synonym, mine[0])
        words[chosen, 1] = np.where(first, mine[0], synonym)
        words[chosen, 2:] = others[:3]
    strong = 60 + (41 * u[:, 2]).astype(int)

    clear = names == "clear"
    weights[clear, 0] = strong[clear]
    weights[clear, 1] = (strong[clear] * np.where(u[clear, 1] < SYNONYM_FIRST, 0.5, 0.1)).astype(int)
    weights[clear, 2] = np.where(u[clear, 3] < OTHER_MOOD, 3 + (6 * u[clear, 0]).astype(int), 0)

    # (first - other) / (filler + first + other) = lead, solved for first
    for name, low in (("over_epsilon", 0.103), ("under_epsilon", 0.085)):
        near = names == name
        lead, other = low + 0.012 * u[near, 2], 30
        weights[near, 0] = ((lead * filler[near] + other * (1 + lead)) / (1 - lead)).round().astype(int)
        weights[near, 2] = other

    weights[names == "outnumbered"] = (100, 0, 45, 40, 35)
    weights[names == "low_rank", 0] = 52
    few = (names == "few") | (names == "light")
    weights[few, 0] = strong[few]
    return words, weights
