"""Which records are worth comparing: blocking rules, and the pairs of records that they give.

A rule puts a record into blocks. The records of a block are sorted so that similar ones are near each
other, and each is paired with the next few. So each record of a block of 100,000 songs called 'Intro'
gives as many pairs as in a small block, and the number of pairs left out is counted (sorted neighborhood
within blocks; Hernandez and Stolfo 1995). A pair that one rule misses, another finds: a single typing
mistake never takes a record out of all its blocks. Most neighbors have other names and go no further. Two
records of one song are neighbors in a dozen blocks, and are compared once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, Observation, Window
from pyspark.sql import functions as F

from songmood.settings import DedupeSettings
from songmood.steps.dedupe.compare import APART, compare_pairs, in_large_batches, may_be_one_song
from songmood.steps.dedupe.parse import Name, sound
from songmood.steps.dedupe.sides import NAME_FIELDS, NUMBER_FIELDS, TEXT_FIELDS, Places, sides_of
from songmood.tables import OTHER_IDS

EXACT = ("sound", "id")  # rules whose blocks hold records with the same title or id: wider windows
# A record without any name is found by its numbers, if no more records than this have the same.
_SAME_NUMBERS = 6
_BETWEEN_TEXTS = "\x1f"  # no name has a control character in it


class Candidates(NamedTuple):
    """Pairs of records that may be one song, and the pairs of one block that were not compared.

    `pairs` has song_id_a < song_id_b, each pair once, and the level of each comparison. Once it is
    computed, `left_out` holds the number of pairs that were too far apart in a block, as 'pairs'.
    """

    pairs: DataFrame
    left_out: Observation


class Place(NamedTuple):
    """Where a record is found: its album as album_name writes it, its track number, year and seconds."""

    album: str
    track_number: float
    year: float
    duration_s: float


# Rules whose blocks hold records of any version and numbers: the title, which names both, may be lost, or
# mixed with other names.
_WHATEVER_TITLE = ("id", "album and track", "artist and length", "title and length", "numbers")


def block_record(name: Name, place: Place, ids: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    """A record's blocks: rule, block and the record's place in it.

    Names are written as they sound, so that transliterations meet. Titles share a block only if they have
    the same numbers and, by most rules, the same version: others are not duplicates. A record without a
    title has only the blocks of its ids, its place on the album and its length.
    """
    for rule, key, order in _blocks(name, place, ids):
        if rule in _WHATEVER_TITLE:
            yield rule, key, order
        else:
            version = "" if rule == "two long words" else name.version
            yield rule, f"{key}|{version}|{name.numbers}", order


def _blocks(name: Name, place: Place, ids: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    title, end = name.sound, name.sound[::-1]
    record = place.album.replace(" ", "")[:12]
    voice = sound(name.artist.replace(" ", ""))
    for number in ids:
        if number:
            yield "id", number, name.bag
    if record and not math.isnan(place.track_number):
        yield "album and track", f"{record} {place.track_number:.0f}", name.bag
    if not math.isnan(place.duration_s):
        # two blocks, of which two lengths that differ by a second share one at least
        for shift in (0, 2):
            length = f"{shift} {(place.duration_s + shift) // 4:.0f}"
            if voice:
                yield "artist and length", f"{voice[:5]} {length}", name.bag
            if title:
                yield "title and length", f"{title[:3]} {length}", name.bag
        if not math.isnan(place.track_number + place.year):
            gaps = (0,) if voice else (-1, 1)
            for seconds in sorted({(place.duration_s + gap) // 4 for gap in gaps}):
                yield "numbers", f"{place.track_number:.0f} {place.year:.0f} {seconds:.0f}", name.bag
    if not title:
        return
    yield "sound", title, name.bag
    if name.core:
        yield "sound", sound(name.core), name.bag
    yield "title start", title[:6], title
    yield "title end", end[:6], end
    for person in name.credits.split("|") if name.credits else ():
        who = sound(person.replace(" ", ""))
        yield "artist and title start", f"{who[:4]} {title[:3]}", title
    if voice:
        yield "artist's end and title start", f"{voice[-4:]} {title[:3]}", title
    longest = sorted(name.bag.split(), key=lambda word: (-len(word), word))[:3]
    for i, word in enumerate(longest):
        for second in longest[i + 1 :]:
            yield "two long words", f"{word} {second}", name.bag


def candidate_pairs(named: DataFrame, settings: DedupeSettings) -> Candidates:
    """Pairs of records, of `named`, that share a block, are near each other in it, and are not APART."""
    blocks = "rule string, block long, place string, song_id string, names string"
    numbers = ", ".join(f"{field} double" for field in NUMBER_FIELDS)
    rows = named.mapInPandas(partial(_block_batches), f"{blocks}, {numbers}")
    observed = Observation("blocks")
    block = Window.partitionBy("block")
    size = F.count("*").over(block)
    following = size - F.row_number().over(block.orderBy("place", "song_id"))
    is_exact = F.col("rule").isin(*EXACT)
    window = F.when(is_exact, settings.exact_window).otherwise(settings.block_window)
    left_out = F.sum(F.greatest(F.col("following") - window, F.lit(0)))
    ordered = (
        rows.withColumns({"following": following, "exact": is_exact, "size": size})
        .where((F.col("size") > 1) & ((F.col("rule") != "numbers") | (F.col("size") <= _SAME_NUMBERS)))
        .observe(observed, F.coalesce(left_out, F.lit(0)).alias("pairs"))
        .sortWithinPartitions("block", "place", "song_id")
    )
    neighbors = ordered.select("exact", "block", "song_id", "names", *NUMBER_FIELDS).mapInPandas(
        partial(_pair_batches, settings=settings), "song_id_a string, song_id_b string"
    )
    pairs = compare_pairs(neighbors.distinct(), named, settings)
    return Candidates(pairs.where(F.col("name") != APART), observed)


def _block_batches(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for songs in batches:
        rows: list[tuple[int, str, str, str]] = []
        for number, song in enumerate(songs.itertuples(index=False)):
            values: Any = song
            name = Name(*(getattr(values, field) for field in Name._fields))
            ids = tuple(getattr(values, field) for field in OTHER_IDS)
            place = Place(*(getattr(values, field) for field in Place._fields))
            blocks = {
                (rule, f"{rule}|{key}", order[:16]) for rule, key, order in block_record(name, place, ids)
            }
            rows += [(number, rule, block, order) for rule, block, order in sorted(blocks)]
        made = pd.DataFrame(rows, columns=["number", "rule", "block", "place"])
        made["block"] = pd.util.hash_array(made["block"].to_numpy(dtype=object)).view("int64")
        records = songs[["song_id", *NUMBER_FIELDS]].assign(names=_packed(songs))
        records = records.iloc[made.pop("number").to_numpy(dtype=int)]
        yield pd.concat([made, records.reset_index(drop=True)], axis=1)


def _packed(songs: pd.DataFrame) -> list[str]:
    """The texts of each song's names as one text: a song is in a dozen blocks, and a column takes time."""
    return [_BETWEEN_TEXTS.join(texts) for texts in zip(*(songs[name] for name in TEXT_FIELDS), strict=True)]


def _unpacked(rows: pd.DataFrame) -> pd.DataFrame:
    texts = np.array(_BETWEEN_TEXTS.join(rows["names"]).split(_BETWEEN_TEXTS), dtype=object)
    texts = texts[: len(rows) * len(TEXT_FIELDS)].reshape(len(rows), len(TEXT_FIELDS))  # also of no rows
    return rows.drop(columns="names").assign(**dict(zip(TEXT_FIELDS, texts.T, strict=True)))


def _pair_batches(batches: Iterator[pd.DataFrame], settings: DedupeSettings) -> Iterator[pd.DataFrame]:
    """Pairs of each row and the next few of its block that may be one song; rows are sorted by block."""
    before = None
    for batch in map(_unpacked, in_large_batches(batches)):
        rows = batch if before is None else pd.concat([before, batch], ignore_index=True)
        a, b = _neighbors(rows, 0 if before is None else len(before), settings)
        before = rows.iloc[-max(settings.exact_window, settings.block_window) :]
        may = may_be_one_song(sides_of(rows, NAME_FIELDS, a, b), b - a <= settings.block_window)
        song = rows["song_id"].to_numpy().astype(str)
        ordered = song[a] < song[b]
        a, b = np.where(ordered, a, b)[may], np.where(ordered, b, a)[may]
        yield pd.DataFrame({"song_id_a": song[a], "song_id_b": song[b]}).drop_duplicates()


def _neighbors(rows: pd.DataFrame, seen: int, settings: DedupeSettings) -> tuple[Places, Places]:
    """The places of both rows of each pair in the windows, without pairs of the first `seen` rows."""
    block, song = rows["block"].to_numpy(), rows["song_id"].to_numpy()
    window = np.where(rows["exact"], settings.exact_window, settings.block_window)
    steps = []
    for step in range(1, max(settings.exact_window, settings.block_window) + 1):
        first = np.arange(max(0, seen - step), len(rows) - step)
        same = (block[first] == block[first + step]) & (window[first] >= step)
        steps.append((first[same], first[same] + step))
    a, b = (np.concatenate(side) for side in zip(*steps, strict=True))
    different = song[a] != song[b]
    return a[different], b[different]
