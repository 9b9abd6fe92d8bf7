"""The table of recommendations, made on executors, cell by cell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark import SparkFiles
from pyspark.sql import DataFrame, SparkSession

from songmood.settings import RecommendSettings
from songmood.steps.recommend.lists import choose
from songmood.steps.recommend.measure import Metric
from songmood.steps.recommend.parts import AUDIO, CLUSTER, LYRICS, MOOD, WORDS
from songmood.steps.recommend.reasons import sentence, shared_sound
from songmood.steps.recommend.search import SEEDS_AT_ONCE, Pairs, Search
from songmood.steps.recommend.store import Store
from songmood.tables import RECOMMENDATIONS

_TERMS = 5  # of a recommendation
_TASKS = 4  # for each core, so that no core waits long for another one


def find_recommendations(
    spark: SparkSession, folder: Path, name: str, settings: RecommendSettings
) -> DataFrame:
    """The table `recommendations` for every song of the store in `folder`, which was shipped under `name`."""
    cells = [
        (cell, start, min(start + SEEDS_AT_ONCE, int(end)))
        for cell, (first, _, end) in enumerate(Store(folder).cells)
        for start in range(int(first), int(end), SEEDS_AT_ONCE)
    ]

    def find(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        finder = _finder(SparkFiles.get(name), settings.model_dump_json())
        for batch in batches:
            for cell, start, end in batch.itertuples(index=False):
                found = finder.recommend(cell, np.arange(start, end))
                if len(found):  # Arrow knows no types of columns without rows
                    yield found

    tasks = max(1, min(len(cells), _TASKS * spark.sparkContext.defaultParallelism))
    # neighbors in the list are of the same cell, whose near songs are then read once
    rows = spark.sparkContext.parallelize(cells, tasks).toDF("cell int, start long, end long")
    return rows.mapInPandas(find, RECOMMENDATIONS.schema)


def fetch_recall(
    spark: SparkSession, folder: Path, name: str, settings: RecommendSettings, seed: int
) -> Iterator[Metric]:
    """The share of the best songs of an exhaustive search that are among the best candidates."""
    store = Store(folder)
    seeds = np.random.default_rng(seed).permutation(len(store.order))[: settings.exact_seeds]
    starts = store.cells[:, 0]
    cells = np.searchsorted(starts, seeds, side="right") - 1
    rows = sorted(zip(cells.tolist(), seeds.tolist(), strict=True))
    if not rows:
        return

    def compare(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        search = _finder(SparkFiles.get(name), settings.model_dump_json()).search
        for batch in batches:
            exact = search.exact(batch["song"].to_numpy(), settings.top_n)
            for cell, group in batch.groupby("cell"):
                yield pd.DataFrame(
                    {"share": _found(search, exact, int(str(cell)), group["song"].to_numpy(), settings.top_n)}
                )

    tasks = max(1, min(len(rows), spark.sparkContext.defaultParallelism))
    frame = spark.sparkContext.parallelize(rows, tasks).toDF("cell int, song long")
    shares = frame.mapInPandas(compare, "share double").toPandas()["share"].dropna()
    if len(shares):
        share = float(shares.mean())
        yield Metric("songmood", "exact", "recall", share, settings.top_n, len(shares), None, None)


def _found(search: Search, exact: Pairs, cell: int, seeds: NDArray[np.int64], best: int) -> list[float]:
    capped = search.candidates(cell, seeds)
    shares = []
    for seed in seeds:
        wanted = set(exact.song[exact.seed == seed])
        found = set(capped.song[capped.seed == seed][:best])
        shares.append(len(wanted & found) / len(wanted) if wanted else float("nan"))
    return shares


@lru_cache(maxsize=1)  # worker processes are reused
def _finder(folder: str, settings: str) -> Finder:
    return Finder(Store(Path(folder)), RecommendSettings.model_validate_json(settings))


class Finder:
    """Makes the lists of seeds from a store."""

    def __init__(self, store: Store, settings: RecommendSettings) -> None:
        self.store, self.settings, self.search = store, settings, Search(store, settings)

    def recommend(self, cell: int, seeds: NDArray[np.int64]) -> pd.DataFrame:
        """Rows of the table `recommendations` for seeds of one cell."""
        pairs = self.search.candidates(cell, seeds)
        bounds = np.flatnonzero(np.diff(pairs.seed, prepend=-1, append=-1))
        songs = np.unique(np.concatenate([pairs.song, seeds]))
        works = self.store.works(songs)
        artist = dict(zip(songs.tolist(), self.store.artist[songs].tolist(), strict=True))
        chosen: list[int] = []
        ranks: list[int] = []
        for start, end in pairwise(bounds):
            places = choose(
                pairs.song[start:end].tolist(),
                pairs.score[start:end],
                works.get(int(pairs.seed[start]), frozenset()),
                lambda song: works.get(song, frozenset()),
                artist.__getitem__,
                self._likeness,
                self.settings,
            )
            chosen += [int(start) + place for place in places]
            ranks += range(1, len(places) + 1)
        best = Pairs(pairs.seed[chosen], pairs.song[chosen], pairs.score[chosen])
        return self._explain(best, ranks)

    # -- within ----------------------------------------------------------------------------------------

    def _explain(self, pairs: Pairs, ranks: Sequence[int]) -> pd.DataFrame:
        similar = self.search.similarity(pairs)
        terms = self.search.shared_terms(pairs, _TERMS)
        sound = shared_sound(self.store.audio[pairs.seed], self.store.audio[pairs.song])
        seed_mood, mood = self.store.fetch_text("mood", pairs.seed), self.store.fetch_text("mood", pairs.song)
        probability, names = self.store.probability, self.store.cluster_names
        lyrics = self.search.standardized(similar[LYRICS], LYRICS)
        both = pd.notna(seed_mood) & pd.notna(mood)
        same_cluster = similar[CLUSTER] == 1
        common = [
            names.get(int(cluster)) if same else None
            for cluster, same in zip(self.store.cluster[pairs.seed], same_cluster, strict=True)
        ]
        certain = zip(probability[pairs.seed], probability[pairs.song], strict=True)
        about = zip(terms, lyrics, seed_mood, mood, certain, sound, common, strict=True)
        reasons = [sentence(*of_pair) for of_pair in about]
        rows: pd.DataFrame = pd.DataFrame(
            {
                "seed_song_id": self.store.fetch_text("song_id", pairs.seed),
                "rank": np.asarray(ranks, np.int32),
                "song_id": self.store.fetch_text("song_id", pairs.song),
                "score": pairs.score,
                "words_similarity": _nullable(similar[WORDS]),
                "lyrics_similarity": _nullable(similar[LYRICS]),
                "mood_similarity": _nullable(similar[MOOD]),
                "audio_similarity": _nullable(similar[AUDIO]),
                "shared_terms": terms,
                "shared_sound": sound,
                "same_mood": pd.Series(seed_mood == mood, dtype="boolean").where(both),
                "same_cluster": pd.Series(same_cluster, dtype="boolean").where(~np.isnan(similar[CLUSTER])),
                "reason": reasons,
            }
        )
        return rows

    def _likeness(self, songs: Sequence[int]) -> NDArray[np.float64]:
        """The scores of songs to each other by their vectors."""
        vectors = self.store.vectors[np.asarray(songs, np.int64)]
        return np.asarray((vectors * self.store.columns) @ vectors.T, float)


def _nullable(values: NDArray[np.float64]) -> pd.api.extensions.ExtensionArray:
    return pd.array(values, dtype="Float64")  # NaN becomes null
