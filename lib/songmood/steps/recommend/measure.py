"""How good the ranking is, beside simpler ones.

By mood, and by mood and tags, on songs that the mood model was not trained on. Seeds and songs are apart:
these songs are halved by artist, and a seed is compared with the songs of the other half.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from songmood.steps.recommend.mix import Mix, find_weights
from songmood.steps.recommend.parts import LYRICS, PARTS, WORDS, Scale, Songs, similarity, standardized

K = 10  # songs of a list that count, as in the paper's figure 4

Scores = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Metric(NamedTuple):
    """A row of the table retrieval_metrics."""

    model: str
    relevance: str
    metric: str
    value: float
    k: int
    n_queries: int
    ci_low: float | None
    ci_high: float | None


class Sample(NamedTuple):
    """Songs of `song_parts` as arrays, and what is known about them, row by row."""

    facts: pd.DataFrame
    songs: Songs  # with the words' weights that the ranking uses
    tfidf: Songs
    bm25: Songs
    scale: Scale

    @classmethod
    def of(cls, facts: pd.DataFrame, vocabulary: pd.Index, words: str, scale: Scale) -> Sample:
        """`facts` has the columns of `song_parts`, artists and probabilities."""
        tfidf, bm25 = (scale.arrays(facts, vocabulary, by_bm25) for by_bm25 in (False, True))
        return cls(facts, bm25 if words == "bm25" else tfidf, tfidf, bm25, scale)


# -- rankings ------------------------------------------------------------------------------------------------


def rankings(sample: Sample, weights: Mapping[str, float], seed: int) -> dict[str, Scores]:
    """The score of each song for each seed, (songs, songs), by chance, by one part alone, and by all."""
    songs, n = sample.songs, len(sample.facts)
    popularity = sample.facts["popularity"].astype(float).fillna(-1).to_numpy()
    parts = standardized_parts(sample)
    return {
        "chance": np.random.default_rng(seed).random((n, n)),
        "popularity": np.broadcast_to(popularity, (n, n)),
        "tfidf": np.nan_to_num(similarity(sample.tfidf, sample.tfidf, WORDS)),
        "bm25": np.nan_to_num(similarity(sample.bm25, sample.bm25, WORDS)),
        "lyrics": np.nan_to_num(similarity(songs, songs, LYRICS), nan=-1.0),
        "mood probability": -_distances(sample.facts["probabilities"]),
        "equal weights": _sum(parts, {part: 1.0 for part, weight in weights.items() if weight}),
        "songmood": _sum(parts, weights),
    }


def standardized_parts(sample: Sample) -> dict[str, Scores]:
    """The standardized similarity of each song to each other, by part."""
    return {part: standardized(sample.songs, sample.songs, part, sample.scale) for part in PARTS}


def _sum(parts: Mapping[str, Scores], weights: Mapping[str, float]) -> Scores:
    return np.asarray(sum(weight * parts[part] for part, weight in weights.items()))


def _distances(probabilities: pd.Series) -> Scores:
    """The greatest difference between the probabilities of two songs' moods; 1 where one has none."""
    known = probabilities.map(lambda row: row is not None and len(row) > 0).to_numpy(bool)
    rows = pd.DataFrame([dict(row) if has else {} for row, has in zip(probabilities, known, strict=True)])
    values = rows.reindex(columns=sorted(rows.columns)).to_numpy(float)
    distance = np.ones((len(values), len(values)))
    if values.size:
        distance = np.abs(values[:, None, :] - values[None]).max(axis=2)
    return np.nan_to_num(distance, nan=1.0)


# -- what is relevant ----------------------------------------------------------------------------------------


def halves(artists: pd.Series) -> Flags:
    """Which songs each song is compared with: those of the other half of the artists."""
    half = np.array([zlib.crc32(artist.encode()) % 2 for artist in artists])
    return np.asarray(half[:, None] != half)


def same_mood(facts: pd.DataFrame) -> Flags:
    """Whether two songs have the same label."""
    moods = facts["label"].to_numpy(object)
    return np.asarray(moods[:, None] == moods)


def tags_alike(tags: pd.DataFrame, song_ids: pd.Series, least: float) -> Flags:
    """Whether the cosine of two songs' tags is at least `least`. `tags`: song_id, tag, weight."""
    from sklearn.metrics.pairwise import cosine_similarity

    if tags.empty:
        return np.zeros((len(song_ids), len(song_ids)), bool)
    rows, columns = pd.Index(song_ids).get_indexer(pd.Index(tags["song_id"])), pd.factorize(tags["tag"])[0]
    shape = (len(song_ids), columns.max() + 1)
    weights = sparse.csr_matrix((tags["weight"].to_numpy(float), (rows, columns)), shape=shape)
    return np.asarray(cosine_similarity(weights) >= least)


def same_artist_or_album(facts: pd.DataFrame) -> Flags:
    """Whether two songs have the artist in common, or the album."""
    alike = np.zeros((len(facts), len(facts)), bool)
    for name in ("artist", "album"):
        codes = pd.factorize(facts[name])[0]  # -1 where there is none
        alike |= (codes[:, None] == codes) & (codes >= 0)
    return alike


def same_work(facts: pd.DataFrame) -> Flags:
    """Whether two songs are one work, as each song is with itself."""
    one = np.eye(len(facts), dtype=bool)
    works = facts["works"].reset_index(drop=True).explode().dropna()
    for _, songs in works.groupby(works):
        rows = songs.index.to_numpy(np.int64)
        one[np.ix_(rows, rows)] = True
    return one


# -- measures ------------------------------------------------------------------------------------------------


def measure(
    scores: Mapping[str, Scores],
    relevance: str,
    relevant: Flags,
    candidates: Flags,
    artists: pd.Series,
    compared: Sequence[str],
    samples: int,
    seed: int,
) -> Iterator[Metric]:
    """Precision, recall and nDCG of each ranking, and songmood's gain in precision over those `compared`.

    Only seeds with a relevant candidate count: the others have no right answer. Intervals are bootstrap 95%
    intervals over artists, because songs of an artist are alike.
    """
    relevant = relevant & candidates
    used = relevant.any(axis=1)
    if not used.any():
        return
    relevant, candidates, groups = relevant[used], candidates[used], artists[used.tolist()]
    precision: dict[str, Scores] = {}
    for model, values in scores.items():
        by_seed = _by_seed(values[used], relevant, candidates)
        precision[model] = by_seed["precision"]
        for metric, each in by_seed.items():
            yield Metric(model, relevance, metric, *_summary(each, groups, samples, seed))
    for other in compared:
        gain = precision["songmood"] - precision[other]
        name = f"precision_gain_over_{other.replace(' ', '_')}"
        yield Metric("songmood", relevance, name, *_summary(gain, groups, samples, seed))


def _by_seed(scores: Scores, relevant: Flags, candidates: Flags) -> dict[str, Scores]:
    ranked = np.where(candidates, scores, -np.inf)
    top = np.argsort(-ranked, axis=1, kind="stable")[:, :K]
    hit = np.take_along_axis(relevant, top, axis=1)
    length = np.minimum(candidates.sum(axis=1), K)
    discount = 1 / np.log2(np.arange(2, top.shape[1] + 2))
    best = np.cumsum(discount)[np.minimum(relevant.sum(axis=1), top.shape[1]) - 1]
    return {
        "precision": hit.sum(axis=1) / length,
        "recall": hit.sum(axis=1) / relevant.sum(axis=1),
        "ndcg": (hit * discount).sum(axis=1) / best,
    }


def _summary(
    values: Scores, groups: pd.Series, samples: int, seed: int
) -> tuple[float, int, int, float, float]:
    codes = pd.factorize(groups)[0]
    sums, counts = np.bincount(codes, values), np.bincount(codes)
    n = len(counts)
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=samples)
    means = (drawn @ sums) / (drawn @ counts)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(values.mean()), K, len(values), float(low), float(high)


def describe_lists(
    scores: Mapping[str, Scores], candidates: Flags, one_work: Flags, lyrics: Scores
) -> Iterator[Metric]:
    """Of the lists of each ranking, before any rule: coverage, hubness, variety and repeats.

    coverage: the share of songs that are in any list; hubness: the share of lists that have the most frequent
    song; variety: 1 less the mean cosine of two songs of a list by their lyrics; repeats: the share of lists
    with the seed's work, or with a work twice.
    """
    for model, values in scores.items():
        top = np.argsort(-np.where(candidates, values, -np.inf), axis=1, kind="stable")[:, :K]
        counts = np.bincount(top.ravel(), minlength=len(values))
        first, second = np.triu_indices(top.shape[1], 1)
        pairs = top[:, first], top[:, second]
        seeds = np.arange(len(top))[:, None]
        repeats = one_work[pairs].any(axis=1) | one_work[seeds, top].any(axis=1)
        described = {
            "coverage": (counts > 0).mean(),
            "hubness": counts.max() / len(top),
            "variety": 1 - np.nanmean(lyrics[pairs]) if np.isfinite(lyrics[pairs]).any() else None,
            "repeats": repeats.mean(),
        }
        for metric, value in described.items():
            if value is not None:
                yield Metric(model, "none", metric, float(value), K, len(top), None, None)


def fit_mix(
    sample: Sample, relevant: Sequence[Flags], start: Mapping[str, float], start_seeds: float
) -> Mix | None:
    """The weights of the parts in `start`, from validation songs, which are not test songs.

    A part that no two of the songs have keeps its weight.
    """
    parts = standardized_parts(sample)
    known = {part: parts[part] for part in start if parts[part].any()}
    if not known:
        return None
    found = find_weights(known, halves(sample.facts["artist_or_id"]), relevant, start, start_seeds)
    return found and Mix({**start, **found.weights}, found.curves)
