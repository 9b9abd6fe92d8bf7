"""The list of a seed: each work once, none that is the seed's, few songs of an artist, and some variety."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from songmood.settings import RecommendSettings

_POOL = 4  # for each song of a list, this number of the best is compared for variety

Numbers = NDArray[np.float64]


def choose(
    songs: Sequence[int],
    scores: Numbers,
    seed_works: frozenset[int],
    works: Callable[[int], frozenset[int]],
    artist: Callable[[int], int],
    likeness: Callable[[Sequence[int]], Numbers] | None,
    settings: RecommendSettings,
) -> list[int]:
    """The places of the songs that make the list, at most `top_n`.

    `songs` are candidates, the best first. `works` gives the works of a song, and `artist` its artist or a
    number below 0. `likeness` gives the scores of songs to each other. The next song is the one with the
    largest (1 - variety) * score - variety * score to the song of the list that is most like it: maximal
    marginal relevance (Carbonell and Goldstein 1998). Only the best are compared so; the others fill the list
    where the rules leave too few of these.
    """
    usable = [
        place
        for place, song in enumerate(songs)
        if seed_works.isdisjoint(works(song))
        and (settings.min_score is None or scores[place] >= settings.min_score)
    ]
    rule = _Rule(works, artist, settings)
    chosen: list[int] = []
    compared = _POOL * settings.top_n if settings.variety and likeness is not None else 0
    pool, rest = usable[:compared], usable[compared:]
    if pool and likeness is not None:
        chosen = _varied(pool, songs, scores, rule, likeness([songs[place] for place in pool]), settings)
    for place in rest:
        if len(chosen) == settings.top_n:
            break
        if rule.takes(songs[place]):
            chosen.append(place)
    return chosen


def _varied(
    pool: list[int],
    songs: Sequence[int],
    scores: Numbers,
    rule: _Rule,
    likeness: Numbers,
    settings: RecommendSettings,
) -> list[int]:
    value = (1 - settings.variety) * scores[pool]
    closest = np.full(len(pool), -np.inf)
    left = np.ones(len(pool), bool)
    chosen: list[int] = []
    while len(chosen) < settings.top_n and left.any():
        penalty = settings.variety * closest if chosen else 0.0
        best = int(np.argmax(np.where(left, value - penalty, -np.inf)))
        left[best] = False
        if rule.takes(songs[pool[best]]):
            chosen.append(pool[best])
            closest = np.maximum(closest, likeness[best])
    return chosen


class _Rule:
    """Each work once, and at most `max_per_artist` songs of an artist."""

    def __init__(
        self,
        works: Callable[[int], frozenset[int]],
        artist: Callable[[int], int],
        settings: RecommendSettings,
    ) -> None:
        self.works, self.artist, self.most = works, artist, settings.max_per_artist
        self.seen: set[int] = set()
        self.count: Counter[int] = Counter()

    def takes(self, song: int) -> bool:
        """Whether the list may have the song; if so, it counts as one of the list from now on."""
        works, artist = self.works(song), self.artist(song)
        if not self.seen.isdisjoint(works) or (artist >= 0 and self.count[artist] >= self.most):
            return False
        self.seen.update(works)
        self.count[artist] += 1
        return True
