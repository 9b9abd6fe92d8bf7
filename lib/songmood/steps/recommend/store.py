"""All songs as arrays in files, which every worker maps into memory: workers of a machine share the pages.

Songs are in cells of songs that are alike, by K-Means over their vectors, so that the songs near a seed are
few slices of the files. Spark assigns the cells and sorts the songs; the driver only copies what arrives,
and holds no more of it than ids and moods.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy import sparse

from songmood.audio import CONTINUOUS_AUDIO_FEATURES, continuous_features
from songmood.settings import RecommendSettings
from songmood.steps.recommend.parts import CLUSTER, PARTS, WORDS, Matrix, Scale, Songs

_SORTED_IN = 64  # partitions at most: fixed, so that the order of the songs is the same on all machines
_POSTINGS_AT_ONCE = 20_000_000  # about a gigabyte
_LARGEST = 4  # a cell with this many times the usual songs is split by hash

# What a song of the store has, as bytes: the name of the file, and the type of its numbers.
_NUMBERS = {
    "vectors": "f4",
    "audio": "f4",  # NaN where unknown
    "lengths": "i4",  # the number of terms
    "terms": "i4",
    "words": "f4",
    "query": "f4",
    "keyword": "?",  # of each number of query: is its term a keyword of the song
    "artist": "i8",  # a number for the name; -1 where there is none
    "probability": "f4",  # of the mood
    "year": "f4",  # NaN where unknown
    "popularity": "f8",  # NaN where unknown
    "cluster": "i4",  # -1 where there is none
    "listed": "?",
    "cell": "i4",
    "work_counts": "i4",
    "works": "i8",
}
_PLAIN = ("cell", "listed")  # Spark sorts by these, so it has them as they are, and not as bytes
_TEXTS = pa.schema([("song_id", pa.string()), ("mood", pa.string())])


@dataclass(frozen=True)
class Blend:
    """How the parts of two songs are added up: the weight of each, which sum to 1, and their scale."""

    weights: dict[str, float]
    scale: Scale

    def factor(self, part: str) -> float:
        """What a similarity of the part is multiplied with."""
        return self.weights[part] / self.scale.typical[part].deviation

    def columns(self, widths: dict[str, int]) -> Matrix:
        """What the columns of `vectors` are multiplied with on the side of the seed.

        The last columns say which parts a song has: where both have one, its typical similarity is
        subtracted.
        """
        factors = [np.full(width, self.factor(part)) for part, width in widths.items()]
        shifts = [-self.factor(part) * self.scale.typical[part].mean for part in PARTS]
        return np.concatenate([*factors, shifts]).astype(np.float32)


def vectors_of(songs: Songs) -> Matrix:
    """The vectors of songs side by side, and a column for each part that says whether they have it."""
    has = [songs.has(part)[:, None].astype(np.float32) for part in PARTS]
    return np.hstack([*songs.vectors.values(), *has])


def fetch_store(
    songs: DataFrame,
    count: int,
    sample: pd.DataFrame,
    vocabulary: pd.Index,
    cluster_names: Mapping[int, str],
    blend: Blend,
    settings: RecommendSettings,
    seed: int,
    folder: Path,
) -> None:
    """Write the songs of `song_parts` to a folder as arrays.

    There are `count` songs, and `sample` has some of them, from which the cells are learned.
    """
    folder.mkdir(parents=True)
    centers, splits, widths = _fit_cells(sample, vocabulary, blend, count, settings, seed)
    parts = min(_SORTED_IN, len(centers))
    chunks = (
        songs.mapInPandas(_packer(vocabulary, blend, centers, splits, settings), _PACKED)
        .repartition(parts, "cell")
        .sortWithinPartitions("cell", F.desc("listed"), "song_id")
        .mapInPandas(_join, "numbers map<string, binary>, texts binary")
        .toLocalIterator(prefetchPartitions=True)
    )
    texts = [_TEXTS.empty_table()]
    with ExitStack() as stack:
        files = {name: stack.enter_context(open(folder / name, "wb")) for name in _NUMBERS}
        for chunk in chunks:
            for name, content in chunk.numbers.items():
                files[name].write(content)
            texts.append(pa.ipc.open_stream(chunk.texts).read_all())
    joined = pa.concat_tables(texts).combine_chunks()
    with pa.ipc.new_file(str(folder / "texts.arrow"), _TEXTS) as writer:
        writer.write_table(joined)
    # the place of each song by its song_id: equal scores go by it
    place = np.empty(len(joined), np.int32)
    place[np.argsort(joined["song_id"].to_pandas().to_numpy(object), kind="stable")] = np.arange(len(joined))
    place.tofile(folder / "order")
    _write_cells(centers, folder)
    vocabulary.to_series().to_frame("term").to_feather(folder / "vocabulary.feather")
    about = {"widths": widths, "weights": blend.weights, "columns": blend.columns(widths).tolist()}
    about["typical"] = {part: list(values) for part, values in blend.scale.typical.items()}
    about["cluster_names"] = dict(cluster_names)
    about |= {"words": blend.factor(WORDS), "cluster": blend.factor(CLUSTER)}
    (folder / "about.json").write_text(json.dumps(about))
    _fetch_postings(Store(folder), settings, folder)


def _fit_cells(
    sample: pd.DataFrame,
    vocabulary: pd.Index,
    blend: Blend,
    songs: int,
    settings: RecommendSettings,
    seed: int,
) -> tuple[Matrix, NDArray[np.int64], dict[str, int]]:
    """The centers of the cells, the cells that share each center, and the widths of the vectors' parts.

    Where many songs are alike, or nothing but words has a weight, songs with one center are split by hash.
    """
    from sklearn.cluster import MiniBatchKMeans

    count = math.ceil(songs / settings.cell_songs)
    arrays = blend.scale.arrays(sample, vocabulary, settings.words == "bm25")
    widths = {part: vectors.shape[1] for part, vectors in arrays.vectors.items()}
    rows = vectors_of(arrays) * np.sqrt(np.abs(blend.columns(widths)))
    count = max(1, min(count, len(np.unique(rows, axis=0)) if len(rows) else 1))
    centers, sizes = np.zeros((1, rows.shape[1]), np.float32), np.ones(1)
    if count > 1:
        fitted = MiniBatchKMeans(count, n_init=1, batch_size=4096, max_iter=20, random_state=seed).fit(rows)
        centers = fitted.cluster_centers_.astype(np.float32)
        sizes = np.bincount(fitted.labels_, minlength=count) / len(rows)
    splits = np.maximum(1, np.ceil(sizes * songs / (_LARGEST * settings.cell_songs))).astype(np.int64)
    return np.repeat(centers, splits, axis=0), splits, widths


_PACKED = "cell int, listed boolean, song_id string, mood string, " + ", ".join(
    f"{name} binary" for name in _NUMBERS if name not in _PLAIN
)


def _packer(
    vocabulary: pd.Index,
    blend: Blend,
    centers: Matrix,
    splits: NDArray[np.int64],
    settings: RecommendSettings,
) -> Any:
    bm25 = settings.words == "bm25"
    firsts = np.cumsum(splits) - splits
    distinct = centers[firsts]

    def pack(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for songs in batches:
            if songs.empty:
                continue
            arrays = blend.scale.arrays(songs, vocabulary, bm25)
            vectors = vectors_of(arrays)
            widths = {part: rows.shape[1] for part, rows in arrays.vectors.items()}
            scaled = vectors * np.sqrt(np.abs(blend.columns(widths)))
            nearest = (scaled @ distinct.T - (distinct**2).sum(axis=1) / 2).argmax(axis=1)
            number = np.array([zlib.crc32(song.encode()) for song in songs["song_id"]])
            cell = firsts[nearest] + number % splits[nearest]
            audio = (continuous_features(songs) - blend.scale.audio.means) / blend.scale.audio.deviations
            starts, works = arrays.words.indptr, songs["works"].map(lambda row: [] if row is None else row)
            work_starts = np.concatenate([[0], np.cumsum(works.str.len().to_numpy(np.int64))])
            of_each = {
                "vectors": vectors,
                "audio": audio,
                "lengths": np.diff(starts),
                "artist": _codes(songs["artist"]),
                "probability": songs["probability"].to_numpy(float),
                "year": songs["year"].astype(float).to_numpy(),
                "popularity": songs["popularity"].astype(float).to_numpy(),
                "cluster": arrays.cluster,
                "work_counts": np.diff(work_starts),
            }
            of_some = {
                "terms": (arrays.words.indices, starts),
                "words": (arrays.words.data, starts),
                "query": (arrays.query.data, starts),
                "keyword": (_joined(songs["keyword"]), starts),
                "works": (_joined(works), work_starts),
            }
            packed = {
                name: [row.tobytes() for row in rows.astype(_NUMBERS[name])] for name, rows in of_each.items()
            }
            for name, (values, bounds) in of_some.items():
                numbers = values.astype(_NUMBERS[name])
                packed[name] = [numbers[a:b].tobytes() for a, b in pairwise(bounds)]
            yield songs[["song_id", "mood", "listed"]].assign(cell=cell, **packed)

    return pack


def _joined(lists: pd.Series) -> NDArray[Any]:
    """The values of all lists, one after another; null lists have none."""
    known = [np.asarray(values) for values in lists.dropna() if len(values)]
    return np.concatenate(known) if known else np.zeros(0)


def _codes(names: pd.Series) -> NDArray[np.int64]:
    """A number from 0 for each name; -1 for null. Two of a million names share one in 40 million corpora."""
    hashed = pd.util.hash_array(names.fillna("").to_numpy(object)) >> np.uint64(1)
    return np.where(names.isna(), -1, hashed.astype(np.int64))


def _join(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """A batch of songs as one row."""
    for songs in batches:
        if songs.empty:
            continue
        texts = pa.BufferOutputStream()
        table = pa.Table.from_pandas(songs[_TEXTS.names], schema=_TEXTS, preserve_index=False)
        with pa.ipc.new_stream(texts, _TEXTS) as writer:
            writer.write_table(table)
        numbers = {name: songs[name].to_numpy(_NUMBERS[name]).tobytes() for name in _PLAIN}
        numbers |= {name: b"".join(songs[name]) for name in _NUMBERS if name not in _PLAIN}
        yield pd.DataFrame({"numbers": [numbers], "texts": [texts.getvalue().to_pybytes()]})


def _write_cells(centers: Matrix, folder: Path) -> None:
    """For each cell that has songs: where they start, where the listed ones end, and where all end."""
    cell, listed = np.fromfile(folder / "cell", "i4"), np.fromfile(folder / "listed", "?")
    starts = np.flatnonzero(np.diff(cell, prepend=-1))
    ends = np.append(starts[1:], len(cell))[: len(starts)]
    counts = np.add.reduceat(listed, starts, dtype=np.int64) if len(starts) else starts
    np.column_stack([starts, starts + counts, ends]).astype(np.int64).tofile(folder / "cells")
    centers[cell[starts]].astype("f4").tofile(folder / "centers")


def _fetch_postings(store: Store, settings: RecommendSettings, folder: Path) -> None:
    """For each term its `postings_per_term` listed songs with the largest weights, the songs in their order.

    The driver looks at a few terms at once, so that it holds no more than `_POSTINGS_AT_ONCE` postings.
    """
    starts, terms, weights = store.words.indptr, store.words.indices, store.words.data
    counts = np.bincount(terms, minlength=len(store.vocabulary))
    parts = np.cumsum(counts) // _POSTINGS_AT_ONCE  # of each term: the part that it is looked at in
    lengths = np.zeros(len(counts), np.int64)
    with (
        open(folder / "posting_songs", "wb") as songs_file,
        open(folder / "posting_weights", "wb") as weights_file,
    ):
        for part in np.unique(parts):
            places = np.flatnonzero(parts[terms] == part)
            songs = np.searchsorted(starts, places, side="right") - 1
            places, songs = places[store.listed[songs]], songs[store.listed[songs]]
            order = np.lexsort((songs, -weights[places], terms[places]))
            kept = order[rank_in_group(terms[places[order]]) < settings.postings_per_term]
            kept = kept[np.lexsort((songs[kept], terms[places[kept]]))]
            lengths += np.bincount(terms[places[kept]], minlength=len(counts))
            songs_file.write(songs[kept].astype("i4").tobytes())
            weights_file.write(weights[places[kept]].astype("f4").tobytes())
    np.concatenate([[0], np.cumsum(lengths)]).astype("i8").tofile(folder / "posting_starts")


def rank_in_group(groups: NDArray[np.integer]) -> NDArray[np.int64]:
    """The rank of each place in its group, from 0; the groups are numbers in rising order."""
    return np.arange(len(groups)) - np.searchsorted(groups, groups)


class Store:
    """The songs of a folder that `fetch_store` wrote, in the order of their cells."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.about: dict[str, Any] = json.loads((folder / "about.json").read_text())
        self.widths: dict[str, int] = self.about["widths"]
        self.cluster_names = {int(cluster): name for cluster, name in self.about["cluster_names"].items()}
        self.columns = np.asarray(self.about["columns"], np.float32)
        self.vectors = self._file("vectors", "f4", -1, len(self.columns))
        self.audio = self._file("audio", "f4", -1, len(CONTINUOUS_AUDIO_FEATURES))
        self.artist, self.cluster = self._numbers("artist"), self._numbers("cluster")
        self.year, self.popularity = self._numbers("year"), self._numbers("popularity")
        self.probability, self.listed = self._numbers("probability"), self._numbers("listed")
        self.texts = pa.ipc.open_file(pa.memory_map(str(folder / "texts.arrow"))).read_all()
        self.order = self._file("order", "i4")  # the place of each song by its song_id
        self.cells = self._file("cells", "i8", -1, 3)  # where songs start, the listed ones end, and all end
        self.centers = self._file("centers", "f4", -1, len(self.columns))
        self.vocabulary = pd.read_feather(folder / "vocabulary.feather")["term"].to_numpy(dtype=object)
        self.words, self.query = self._by_song("words"), self._by_song("query")  # (songs, terms)
        self.keyword = self._numbers("keyword")
        self._work_starts = _starts(self._numbers("work_counts"))
        self._works = self._numbers("works")

    def works(self, songs: NDArray[np.int64]) -> dict[int, frozenset[int]]:
        """The works of those songs that share one with another song."""
        starts, ends = self._work_starts[songs], self._work_starts[songs + 1]
        some = np.flatnonzero(ends > starts)
        return {int(songs[i]): frozenset(self._works[starts[i] : ends[i]].tolist()) for i in some}

    def fetch_text(self, column: str, songs: NDArray[np.int64]) -> NDArray[np.object_]:
        """The song_id or the mood of songs; None where there is none."""
        return np.asarray(self.texts[column].take(pa.array(songs)).to_numpy(zero_copy_only=False), object)

    @cached_property
    def postings(self) -> sparse.csr_matrix:
        """(terms, songs): the weights of each term's postings."""
        songs, weights = self._file("posting_songs", "i4"), self._file("posting_weights", "f4")
        shape = (len(self.vocabulary), len(self.order))
        return _csr(weights, songs, self._file("posting_starts", "i8"), shape)

    def _file(self, name: str, kind: str, *shape: int) -> NDArray[Any]:
        path = self._folder / name
        if not path.stat().st_size:  # an empty file cannot be mapped
            return np.zeros([max(0, size) for size in shape] or 0, kind)
        # copy on write: nothing writes, but sparse_dot_topn refuses arrays that are read-only
        return np.memmap(path, kind, "c").reshape(shape or -1)

    def _numbers(self, name: str) -> NDArray[Any]:
        return self._file(name, _NUMBERS[name])

    def _by_song(self, name: str) -> sparse.csr_matrix:
        starts = _starts(self._numbers("lengths"))
        shape = (len(starts) - 1, len(self.vocabulary))
        return _csr(self._numbers(name), self._numbers("terms"), starts, shape)


def _starts(lengths: NDArray[np.int32]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def _csr(
    data: NDArray[Any], columns: NDArray[np.int32], starts: NDArray[np.int64], shape: tuple[int, int]
) -> sparse.csr_matrix:
    """A matrix over arrays that stay in their files."""
    matrix = sparse.csr_matrix(shape, dtype=data.dtype)
    matrix.data, matrix.indices = data, columns
    matrix.indptr = starts.astype(np.int32) if starts[-1] < 2**31 else starts
    return matrix
