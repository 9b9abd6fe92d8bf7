"""Which records are worth comparing: blocking rules, and the candidate pairs they give.

A rule puts a record into blocks; records of one block are put in an order in which those alike stand
near each other, and each is paired with the next few. So a block of 100,000 songs called 'Intro' gives
as many pairs a song as a small one, and how many pairs that left out is counted (sorted neighborhood,
Hernandez and Stolfo 1995, within blocks). A pair that one rule misses, another finds: no single typing
mistake takes a record out of all its blocks. Most neighbors have other names and go no further.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, Observation, Window
from pyspark.sql import functions as F

from songmood.settings import DedupeSettings
from songmood.steps.dedupe.compare import IDS, NAME_FIELDS, may_be_one_song
from songmood.steps.dedupe.parse import Name, sound

EXACT = ("sound", "id")  # rules whose blocks hold records that say the same: wider windows


class Candidates(NamedTuple):
    """`pairs` (song_id_a < song_id_b, each pair once) that may be one song by their names; `left_out`
    tells, once they are computed, how many pairs of records of one block were too far apart to be looked
    at, as {'pairs': n}."""

    pairs: DataFrame
    left_out: Observation


def block_record(name: Name, album: str, ids: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    """A record's blocks: rule, block and the record's place in it.

    Names come as they sound, so that transliterations meet. Those without a title have only the blocks
    of their ids. Only titles of the same numbers share a block, and by most rules of the same version:
    others are no duplicates.
    """
    for rule, key, place in _blocks(name, album, ids):
        version = "" if rule in ("id", "two long words") else name.version
        yield rule, f"{key}|{version}|{name.numbers}", place


def _blocks(name: Name, album: str, ids: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    title, end = name.sound, name.sound[::-1]
    for number in ids:
        if number:
            yield "id", number, name.bag
    if not title:
        return
    yield "sound", title, name.bag
    if name.core:
        yield "sound", sound(name.core), name.bag
    yield "title start", title[:6], title
    yield "title end", end[:6], end
    for person in name.credits.split("|") if name.credits else ():
        voice = sound(person.replace(" ", ""))
        yield "artist and title start", f"{voice[:4]} {title[:3]}", title
        yield "artist and title end", f"{voice[:4]} {end[:3]}", end
    if voice := sound(name.artist.replace(" ", "")):
        yield "artist's end and title start", f"{voice[-4:]} {title[:3]}", title
        yield "artist's end and title end", f"{voice[-4:]} {end[:3]}", end
    if album:
        record = album.replace(" ", "")[:12]
        yield "album and title start", f"{record} {title[:2]}", title
        yield "album and title end", f"{record} {end[:2]}", end
    longest = sorted(name.bag.split(), key=lambda word: (-len(word), word))[:3]
    for place, word in enumerate(longest):
        for other in longest[place + 1 :]:
            yield "two long words", f"{word} {other}", name.bag


def candidate_pairs(named: DataFrame, settings: DedupeSettings) -> Candidates:
    """Pairs of records, of `named` (parse.py), that share a block and stand near each other in it."""
    fields = ", ".join(f"{field} string" for field in NAME_FIELDS)
    rows = named.mapInPandas(
        partial(_block_batches), f"exact boolean, block long, place string, song_id string, {fields}"
    )
    observed = Observation("blocks")
    block = Window.partitionBy("block")
    following = F.count("*").over(block) - F.row_number().over(block.orderBy("place", "song_id"))
    window = F.when(F.col("exact"), settings.exact_window).otherwise(settings.block_window)
    left_out = F.sum(F.greatest(F.col("following") - window, F.lit(0)))
    ordered = (
        rows.withColumn("following", following)
        .observe(observed, F.coalesce(left_out, F.lit(0)).alias("pairs"))
        .sortWithinPartitions("block", "place", "song_id")
    )
    pairs = ordered.select("exact", "block", "song_id", *NAME_FIELDS).mapInPandas(
        partial(_pair_batches, settings=settings), "song_id_a string, song_id_b string"
    )
    return Candidates(pairs.distinct(), observed)


def _block_batches(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for songs in batches:
        rows: list[tuple[int, bool, str, str]] = []
        for number, song in enumerate(songs.itertuples(index=False)):
            values: Any = song
            name = Name(*(getattr(values, field) for field in Name._fields))
            ids = tuple(getattr(values, field) for field in IDS)
            blocks = {
                (rule, f"{rule}|{key}", place[:16])
                for rule, key, place in block_record(name, values.album, ids)
            }
            rows += [(number, rule in EXACT, block, place) for rule, block, place in sorted(blocks)]
        made = pd.DataFrame(rows, columns=["number", "exact", "block", "place"])
        made["block"] = pd.util.hash_array(made["block"].to_numpy(dtype=object)).view("int64")
        names = songs[["song_id", *NAME_FIELDS]].iloc[made.pop("number").to_numpy(dtype=int)]
        yield pd.concat([made, names.reset_index(drop=True)], axis=1)


def _pair_batches(batches: Iterator[pd.DataFrame], settings: DedupeSettings) -> Iterator[pd.DataFrame]:
    """Each row with the next few of its block, rows sorted by block and place; the pairs that may match."""
    widest = max(settings.exact_window, settings.block_window)
    before = pd.DataFrame()
    for batch in batches:
        rows = pd.concat([before, batch], ignore_index=True)
        seen = len(before)
        before = rows.tail(widest)
        block, song = rows["block"].to_numpy(), rows["song_id"].to_numpy()
        reach = np.where(rows["exact"], settings.exact_window, settings.block_window)
        firsts = []
        for step in range(1, widest + 1):
            first = np.arange(max(0, seen - step), len(rows) - step)
            same = (block[first] == block[first + step]) & (reach[first] >= step)
            firsts.append((first[same], first[same] + step))
        a, b = (np.concatenate(side) for side in zip(*firsts, strict=True))
        other = song[a] != song[b]
        a, b = a[other], b[other]
        near = b - a <= settings.block_window
        names = {field: rows[field].to_numpy() for field in NAME_FIELDS}
        may = may_be_one_song({field: (texts[a], texts[b]) for field, texts in names.items()}, near)
        pairs = np.sort(np.stack([song[a[may]], song[b[may]]], axis=1).astype(str), axis=1)
        yield pd.DataFrame(pairs, columns=["song_id_a", "song_id_b"]).drop_duplicates()
