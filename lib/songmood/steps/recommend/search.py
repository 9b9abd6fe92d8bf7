"""The songs most like each seed: candidates by words, keywords and vectors, and their whole score.

A seed costs the same in a corpus of any size: of each of its terms a bounded number of postings is read, and
of all songs as many as are in the cells nearest to its own.
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sparse_dot_topn import sp_matmul_topn  # type: ignore[import-untyped]

from songmood.settings import RecommendSettings
from songmood.steps.recommend.parts import CLUSTER, PARTS, WORDS, Matrix
from songmood.steps.recommend.store import Store, rank_in_group

_WIDER = 4  # times as many songs are looked at where filters leave too few
SEEDS_AT_ONCE = 128  # bounds a worker's memory: about a megabyte for each

Rows = NDArray[np.int64]


class Pairs(NamedTuple):
    """Seeds and songs as rows of the store, and their scores; by seed, the best song first."""

    seed: Rows
    song: Rows
    score: NDArray[np.float64]


class Search:
    """Finds the songs most like seeds among the listed songs of a store."""

    def __init__(self, store: Store, settings: RecommendSettings) -> None:
        self.store, self.settings, self.filters = store, settings, Filters(store, settings)
        # whether each part has a weight
        self._counts = np.array([bool(store.about["weights"][part]) for part in PARTS], np.float32)
        self._near: tuple[tuple[int, int], Rows, Matrix] | None = None
        self._place = np.full(len(store.order), -1, np.int32)
        self._column = np.full(len(store.vocabulary) + 1, -1, np.int32)

    def candidates(self, cell: int, seeds: Rows) -> Pairs:
        """Candidates of seeds of one cell, with their whole score.

        Where filters leave few of the near songs, more cells are looked at, up to 16 times as many songs: an
        index of cells otherwise finds less than there is (faiss issue 1016, cuvs issue 481).
        """
        near = self.settings.near_songs
        pairs = self._candidates(cell, seeds, near)
        enough = self.settings.vector_candidates
        for _ in range(0 if self.filters.none else 2):
            found, counts = np.unique(pairs.seed, return_counts=True)
            short = np.setdiff1d(seeds, found[counts >= enough])
            if not len(short) or near >= len(self.store.order):
                break
            near *= _WIDER
            kept = ~np.isin(pairs.seed, short)
            more = self._candidates(cell, short, near)
            pairs = Pairs(*(np.concatenate([a[kept], b]) for a, b in zip(pairs, more, strict=True)))
        return pairs

    def _candidates(self, cell: int, seeds: Rows, near_songs: int) -> Pairs:
        songs, vectors = self._near_songs(cell, near_songs)
        queries = self.store.vectors[seeds] * self.store.columns
        scores = self._add_cluster(queries @ vectors.T, seeds[:, None], songs)
        found = [self._best_by_vectors(scores, seeds, songs)]
        for terms, limit in (
            (self._heaviest(seeds), self.settings.word_candidates),
            (self._keywords(seeds), self.settings.keyword_candidates),
        ):
            found.append(self._best_by_words(terms, seeds, limit))
        # each pair once; the number of a pair is its seed's place times the number of songs, plus the song
        total = len(self.store.order)
        pairs = np.unique(np.concatenate([row * total + song for row, song in found]))
        row, song = np.divmod(pairs, total)
        row, song = _without(row, song, (song == seeds[row]) | ~self._comparable(seeds[row], song))
        self._place[songs] = np.arange(len(songs), dtype=np.int32)
        place = self._place[song]
        self._place[songs] = -1
        score = np.empty(len(row))
        near = place >= 0
        score[near] = scores[row[near], place[near]]
        far = np.flatnonzero(~near)
        products = np.einsum("ij,ij->i", queries[row[far]], self.store.vectors[song[far]])
        score[far] = self._add_cluster(products, seeds[row[far]], song[far])
        score += self.store.about["words"] * self._words(seeds, row, song)
        order = np.lexsort((self.store.order[song], -score, row))
        return Pairs(seeds[row[order]], song[order], score[order])

    def exact(self, seeds: Rows, best: int) -> Pairs:
        """The best songs of each seed, by comparing it with every song."""
        queries = self.store.vectors[seeds] * self.store.columns
        kept: list[tuple[Rows, Rows, NDArray[np.float64]]] = []
        query, words = self.store.query[seeds], self.store.words
        step = 20_000
        for start in range(0, len(self.store.order), step):
            songs = np.arange(start, min(start + step, len(self.store.order)))
            scores = (queries @ self.store.vectors[start : start + step].T).astype(float)
            self._add_cluster(scores, seeds[:, None], songs)
            scores += self.store.about["words"] * (query @ words[start : start + step].T).toarray()
            allowed = self.store.listed[songs] & self.filters.allowed_pairs(seeds[:, None], songs)
            scores[~(allowed & self._comparable_with(seeds, songs))] = -np.inf
            top = np.argsort(-scores, axis=1, kind="stable")[:, : best + 1]
            row = np.repeat(np.arange(len(seeds)), top.shape[1])
            kept.append((row, songs[top.ravel()], np.take_along_axis(scores, top, 1).ravel()))
        row, song, score = (np.concatenate(part) for part in zip(*kept, strict=True))
        order = np.lexsort((self.store.order[song], -score, row))
        order = order[(song[order] != seeds[row[order]]) & np.isfinite(score[order])]
        first = order[rank_in_group(row[order]) < best]
        return Pairs(seeds[row[first]], song[first], score[first])

    def similarity(self, pairs: Pairs) -> dict[str, NDArray[np.float64]]:
        """The similarity of each pair in each part; NaN where a song lacks the part."""
        left, right = self.store.vectors[pairs.seed], self.store.vectors[pairs.song]
        both = (left[:, -len(PARTS) :] * right[:, -len(PARTS) :]) > 0
        seeds, row = np.unique(pairs.seed, return_inverse=True)
        cluster = self.store.cluster
        values = {
            WORDS: self._words(seeds, row, pairs.song).astype(float),
            CLUSTER: (cluster[pairs.seed] == cluster[pairs.song]).astype(float),
        }
        start = 0
        for part, width in self.store.widths.items():
            part_of = slice(start, start + width)
            values[part] = np.einsum("ij,ij->i", left[:, part_of], right[:, part_of]).astype(float)
            start += width
        return {part: np.where(both[:, PARTS.index(part)], values[part], np.nan) for part in PARTS}

    def standardized(self, similarity: NDArray[np.float64], part: str) -> NDArray[np.float64]:
        """A part's similarity in standard deviations from that of two songs drawn at random."""
        mean, deviation = self.store.about["typical"][part]
        return np.asarray((similarity - mean) / deviation)

    def shared_terms(self, pairs: Pairs, at_most: int) -> list[list[str]]:
        """The terms that both songs of each pair have, the largest product of weights first."""
        seeds, row = np.unique(pairs.seed, return_inverse=True)
        pair, term, product = self._products(seeds, row, pairs.song)
        shared = product > 0
        pair, term, product = pair[shared], term[shared], product[shared]
        order = np.lexsort((term, -product, pair))  # the vocabulary is in alphabetical order
        starts = np.searchsorted(pair[order], np.arange(len(pairs.seed) + 1))
        words = self.store.vocabulary[term[order]]
        return [list(words[start : min(start + at_most, end)]) for start, end in pairwise(starts)]

    # -- within ----------------------------------------------------------------------------------------

    def _near_songs(self, cell: int, near_songs: int) -> tuple[Rows, Matrix]:
        """The listed songs of the cells nearest to one, `near_songs` or a few more, and their vectors."""
        if self._near is None or self._near[0] != (cell, near_songs):
            centers, cells = self.store.centers, self.store.cells
            distance = ((centers - centers[cell]) ** 2).sum(axis=1)
            nearest = np.argsort(distance, kind="stable")
            sizes = np.cumsum(cells[nearest, 1] - cells[nearest, 0])
            enough = np.searchsorted(sizes, near_songs) + 1
            chosen = np.sort(nearest[:enough])
            songs = np.concatenate([np.arange(*cells[c, :2]) for c in chosen])
            vectors = np.concatenate([self.store.vectors[slice(*cells[c, :2])] for c in chosen])
            self._near = (cell, near_songs), songs, vectors
        return self._near[1], self._near[2]

    def _best_by_vectors(self, scores: Matrix, seeds: Rows, songs: Rows) -> tuple[Rows, Rows]:
        limit = min(self.settings.vector_candidates, len(songs))
        if not limit or not self.store.columns[: -len(PARTS)].any():
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        limit = min(limit + 1, len(songs))  # the seed itself may be among them
        allowed = self._comparable_with(seeds, songs) & self.filters.allowed(seeds, songs)
        ranked = np.where(allowed, scores, -np.inf)
        top = np.argpartition(-ranked, limit - 1, axis=1)[:, :limit]
        row = np.repeat(np.arange(len(seeds)), top.shape[1])
        top = top.ravel()
        return _without(row, songs[top], np.isneginf(ranked[row, top]))

    def _best_by_words(self, query: sparse.csr_matrix, seeds: Rows, limit: int) -> tuple[Rows, Rows]:
        if not limit or not query.nnz:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        limit += 1  # the seed itself may be among them
        if self.filters.none:
            found = sp_matmul_topn(query, self.store.postings, top_n=limit, n_threads=1).tocoo()
            return found.row.astype(np.int64), found.col.astype(np.int64)
        found = (query @ self.store.postings).tocoo()
        allowed = self.filters.allowed_pairs(seeds[found.row], found.col)
        row, song, weight = found.row[allowed], found.col[allowed], found.data[allowed]
        order = np.lexsort((self.store.order[song], -weight, row))
        first = order[rank_in_group(row[order]) < limit]
        return row[first].astype(np.int64), song[first].astype(np.int64)

    def _heaviest(self, seeds: Rows) -> sparse.csr_matrix:
        """The terms of each seed with the largest weights, at most `query_terms`."""
        query = self.store.query[seeds]
        rows = np.repeat(np.arange(len(seeds)), np.diff(query.indptr))
        order = np.lexsort((query.indices, -query.data * self.store.words[seeds].data, rows))
        return _chosen(query, np.sort(order[rank_in_group(rows[order]) < self.settings.query_terms]), rows)

    def _keywords(self, seeds: Rows) -> sparse.csr_matrix:
        """The keywords of each seed."""
        query, starts = self.store.query[seeds], self.store.query.indptr
        place = np.concatenate([np.arange(*starts[s : s + 2]) for s in seeds] or [np.zeros(0, np.int64)])
        rows = np.repeat(np.arange(len(seeds)), np.diff(query.indptr))
        return _chosen(query, np.flatnonzero(self.store.keyword[place]), rows)

    def _comparable(self, seeds: Rows, songs: Rows) -> NDArray[np.bool_]:
        """Whether a seed and a song have a part in common that counts; if not, their score 0 says nothing."""
        common = self.store.vectors[seeds, -len(PARTS) :] * self.store.vectors[songs, -len(PARTS) :]
        return np.asarray(common @ self._counts > 0)

    def _comparable_with(self, seeds: Rows, songs: Rows) -> NDArray[np.bool_]:
        """The same of each seed and each song, (seeds, songs)."""
        left = self.store.vectors[seeds, -len(PARTS) :] * self._counts
        return np.asarray(left @ self.store.vectors[songs, -len(PARTS) :].T > 0)

    def _add_cluster(self, scores: NDArray[np.floating], seeds: Rows, songs: Rows) -> NDArray[np.floating]:
        if factor := self.store.about["cluster"]:
            seed_cluster, cluster = self.store.cluster[seeds], self.store.cluster[songs]
            scores += np.float32(factor) * ((seed_cluster == cluster) & (cluster >= 0))
        return scores

    def _words(self, seeds: Rows, row: Rows, song: Rows) -> NDArray[np.float64]:
        """The similarity in words of the seeds at places `row` to songs."""
        pair, _, product = self._products(seeds, row, song)
        return np.asarray(np.bincount(pair, product, minlength=len(row)), float)

    def _products(
        self, seeds: Rows, row: Rows, song: Rows
    ) -> tuple[Rows, NDArray[np.int32], NDArray[np.float64]]:
        """For each term of each song: the pair's number, the term, and its weight times the seed's."""
        query, words = self.store.query[seeds], self.store.words
        terms = np.unique(query.indices)
        self._column[terms] = np.arange(len(terms), dtype=np.int32)
        weights = np.zeros((len(seeds), len(terms) + 1))  # the last column is for terms that no seed has
        rows = np.repeat(np.arange(len(seeds)), np.diff(query.indptr))
        weights[rows, self._column[query.indices]] = query.data
        starts, ends = words.indptr[song].astype(np.int64), words.indptr[song + 1].astype(np.int64)
        lengths = ends - starts
        pair = np.repeat(np.arange(len(song)), lengths)
        before = np.concatenate([[0], np.cumsum(lengths)[:-1]]) if len(song) else np.zeros(0, np.int64)
        place = np.arange(len(pair)) + np.repeat(starts - before, lengths)
        term = words.indices[place]
        product = weights[row[pair], self._column[term]] * words.data[place]
        self._column[terms] = -1
        return pair, term, product


class Filters:
    """Which songs a seed may get, before the best are chosen: by mood, year and popularity."""

    def __init__(self, store: Store, settings: RecommendSettings) -> None:
        self.settings, self.store = settings, store
        self.none = not (
            settings.same_mood or settings.max_years_apart is not None or settings.popularity != "any"
        )

    def allowed(self, seeds: Rows, songs: Rows) -> NDArray[np.bool_] | bool:
        """(seeds, songs); True if all are."""
        return True if self.none else self.allowed_pairs(seeds[:, None], songs[None, :])

    def allowed_pairs(self, seeds: Rows, songs: Rows) -> NDArray[np.bool_]:
        """For each pair of a seed and a song; the two are broadcast to one shape."""
        allowed = np.ones(np.broadcast_shapes(seeds.shape, songs.shape), bool)
        if self.settings.same_mood:
            allowed &= (self._mood[seeds] == self._mood[songs]) & (self._mood[songs] >= 0)
        if self.settings.max_years_apart is not None:  # NaN is never within
            allowed &= (
                np.abs(self.store.year[seeds] - self.store.year[songs]) <= self.settings.max_years_apart
            )
        if self.settings.popularity == "popular":
            allowed &= self.store.popularity[songs] > self._median
        if self.settings.popularity == "deep_cuts":
            allowed &= self.store.popularity[songs] <= self._median
        return allowed

    @cached_property
    def _mood(self) -> NDArray[np.int64]:
        codes = self.store.texts["mood"].combine_chunks().dictionary_encode().indices
        return np.asarray(codes.fill_null(-1).to_numpy(zero_copy_only=False))

    @cached_property
    def _median(self) -> float:
        """Of the songs whose popularity is known; the others are neither popular nor deep cuts."""
        known = self.store.popularity[~np.isnan(self.store.popularity)]
        return float(np.median(known)) if len(known) else 0.0


def _chosen(matrix: sparse.csr_matrix, places: Rows, rows: Rows) -> sparse.csr_matrix:
    """The matrix with the numbers at some places only; `rows` gives the row of each place."""
    return sparse.csr_matrix(
        (matrix.data[places], (rows[places], matrix.indices[places])), shape=matrix.shape
    )


def _without(row: Rows, song: Rows, out: NDArray[np.bool_]) -> tuple[Rows, Rows]:
    return row[~out], song[~out]
