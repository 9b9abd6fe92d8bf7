"""Tags of each recording: its genre, fillers, and mood words in cases that the label rule must distinguish.

Weights are relative to the recording's top tag (100), as Last.fm's are. The cases test the paper's rule:
at least 11 tags, a mood word among the top five, and a lead of epsilon = 0.1 of the sum of weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from songmood.demo.draws import Array, Draws, strings
from songmood.demo.evidence import draw_moods
from songmood.demo.ids import song_ids, track_ids
from songmood.demo.rows import Rows
from songmood.demo.songs import genres
from songmood.demo.words import FILLER_TAGS, GENRES, MOOD_TAGS, MORE_MOOD_TAGS


@dataclass(frozen=True)
class Case:
    """How a recording is tagged: the share of recordings, and the weights of the tags without mood words."""

    name: str
    rate: float
    filler: tuple[int, ...] = ()


_FILLER = (100, 80, 45, 28, 20, 15, 12, 10, 8, 7, 6, 6, 5, 5, 4, 4, 3)  # decreases as in real tags
CASES = (
    Case("clear", 0.61, _FILLER),
    Case("over_epsilon", 0.03, _FILLER),  # a lead slightly above 0.1
    Case("under_epsilon", 0.03, _FILLER),  # a lead slightly below 0.1
    # The synonyms of the wrong mood would win if their weights were added; the paper does not add them.
    Case("outnumbered", 0.03, (60, 50, 30, 25, 20, 15, 12, 10, 8, 7, 6)),
    Case("low_rank", 0.05, (100, 80, 70, 60, 55, 6, 5, 5, 4, 4, 3, 3)),  # the mood word is sixth
    Case("more_moods", 0.085, _FILLER),  # relaxed or angry, which the paper's rule does not know
    Case("no_mood", 0.015, _FILLER),
    Case("few", 0.08, (100, 60, 35, 20, 10, 8, 5)),  # fewer than 11
    Case("light", 0.02, (100, 60, 35, 20, 10, 8, 5, 2, 2, 1, 1, 1, 1, 1)),  # fewer than 11 of weight 3
    Case("none", 0.05),
)
LABELLED = ("clear", "over_epsilon", "outnumbered")  # the cases that the paper's rule labels
FEWEST_FILLERS = 11  # of _FILLER, so that there are at least twelve tags with a mood word
_CLEAR = ("clear", "more_moods")  # the mood's word is heavy, and there is hardly another mood
SYNONYM_FIRST = 0.35  # of clear cases: a synonym outranks the name of the mood
OTHER_MOOD = 0.3  # of clear cases: a weak word of the wrong mood

# The words of each mood, and those of the opposite one.
_WORDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "happy": (MOOD_TAGS["happy"], MOOD_TAGS["sad"]),
    "sad": (MOOD_TAGS["sad"], MOOD_TAGS["happy"]),
    "relaxed": (MORE_MOOD_TAGS["relaxed"], MORE_MOOD_TAGS["angry"]),
    "angry": (MORE_MOOD_TAGS["angry"], MORE_MOOD_TAGS["relaxed"]),
}


def draw_cases(draws: Draws, takes: Array) -> Array:
    """How each recording is tagged, as a place in CASES, independent of its mood."""
    steps = np.cumsum([case.rate for case in CASES])[:-1]
    return np.searchsorted(steps, draws.uniform("tag case", takes))


def draw_tagged_moods(draws: Draws, songs: Array, takes: Array) -> Array:
    """The mood that the tags of each recording are about: happy, sad, relaxed or angry.

    Happy songs that are tagged as relaxed, and sad ones that are tagged as angry, are so in their words.
    """
    happy = draw_moods(draws, songs)
    more = draw_cases(draws, takes) == [case.name for case in CASES].index("more_moods")
    return np.where(more, np.where(happy, "relaxed", "angry"), np.where(happy, "happy", "sad")).astype(object)


def make_tags(draws: Draws, rows: Rows) -> pd.DataFrame:
    """lastfm_id, or song_id of the recording's first row where it has none; tag; weight."""
    _, at = np.unique(rows.take, return_index=True)
    rows = rows.where(at)
    take = rows.take
    case = draw_cases(draws, take)
    names = strings(c.name for c in CASES)[case]
    fillers, weights = _filler_tags(draws, rows, case)
    moods, mood_weights = _mood_tags(draws, rows, names, weights.sum(axis=1))
    weights[:, 0] -= np.where(mood_weights[:, 0] >= 100, 5, 0) * (weights[:, 0] == 100)  # a single top tag
    tags = np.concatenate([moods, fillers], axis=1)
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


def _filler_tags(draws: Draws, rows: Rows, case: Array) -> tuple[Array, Array]:
    """A genre and other tags that do not decide the mood, and their weights; weight 0 means no tag."""
    width = max(len(c.filler) for c in CASES)
    weights = np.array([c.filler + (0,) * (width - len(c.filler)) for c in CASES])[case]
    decreasing = np.array([c.filler is _FILLER for c in CASES])[case]
    count = FEWEST_FILLERS + draws.below("tags", rows.take, width - FEWEST_FILLERS + 1)
    weights = np.where(np.arange(width) < np.where(decreasing, count, width)[:, None], weights, 0)
    first = draws.below("filler tag", rows.take, len(FILLER_TAGS))
    step = 1 + draws.below("filler tag step", rows.take, len(FILLER_TAGS) - 1)
    places = (first[:, None] + step[:, None] * np.arange(width)) % len(FILLER_TAGS)
    tags = strings(FILLER_TAGS)[places]
    tags[:, 0] = strings(GENRES)[genres(draws, rows.artist)]
    return tags, weights


def _mood_tags(draws: Draws, rows: Rows, cases: Array, filler: Array) -> tuple[Array, Array]:
    """Two words of the song's mood and three of the opposite one, and their weights; weight 0 means no tag.

    `cases` are the names of the cases, and `filler` is the sum of the weights of the recording's other tags.
    """
    u = draws.uniform("mood tags", rows.take, 4)
    synonym_first = (u[:, 1] < SYNONYM_FIRST) & np.isin(cases, _CLEAR)
    words = _mood_words(draw_tagged_moods(draws, rows.song, rows.take), u[:, 0], synonym_first)
    return words, _mood_weights(cases, filler, u)


def _mood_words(moods: Array, u: Array, synonym_first: Array) -> Array:
    """Two words of each recording's mood (its name and a synonym) and three of the opposite one."""
    words = np.empty((len(moods), 5), dtype=object)
    for mood, (own, opposite) in _WORDS.items():
        chosen = moods == mood
        synonym = strings(own[1:])[(u[chosen] * len(own[1:])).astype(int)]
        words[chosen, 0] = np.where(synonym_first[chosen], synonym, own[0])
        words[chosen, 1] = np.where(synonym_first[chosen], own[0], synonym)
        words[chosen, 2:] = opposite[:3]
    return words


def _mood_weights(cases: Array, filler: Array, u: Array) -> Array:
    """The weights of those words, by case."""
    weights = np.zeros((len(cases), 5), dtype=np.int64)
    strong = 60 + (41 * u[:, 2]).astype(int)

    clear = np.isin(cases, _CLEAR)
    weights[clear, 0] = strong[clear]
    weights[clear, 1] = (strong[clear] * np.where(u[clear, 1] < SYNONYM_FIRST, 0.5, 0.1)).astype(int)
    weights[clear, 2] = np.where(u[clear, 3] < OTHER_MOOD, 3 + (6 * u[clear, 0]).astype(int), 0)

    # (first - second) / (filler + first + second) = lead, solved for first
    for name, low in (("over_epsilon", 0.103), ("under_epsilon", 0.085)):
        near = cases == name
        lead, second = low + 0.012 * u[near, 2], 30
        weights[near, 0] = ((lead * filler[near] + second * (1 + lead)) / (1 - lead)).round().astype(int)
        weights[near, 2] = second

    weights[cases == "outnumbered"] = (100, 0, 45, 40, 35)
    weights[cases == "low_rank", 0] = 52
    few = (cases == "few") | (cases == "light")
    weights[few, 0] = strong[few]
    return weights
