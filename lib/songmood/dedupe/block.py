"""Which records are worth comparing: blocking rules, and the candidate pairs they give.

A rule puts a record into blocks; records of one block are put in an order in which those alike stand
near each other, and each is paired with the next few. So a block of 100,000 songs called 'Intro' gives
as many pairs a song as a small one, and how many pairs that left out is counted (sorted neighbourhood,
Hernandez and Stolfo 1995, within blocks). A pair that one rule misses, another finds: no single typing
mistake takes a record out of all its blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import pandas as pd
from pyspark.sql import DataFrame, Observation, Window
from pyspark.sql import functions as F

from songmood.config import Dedupe
from songmood.dedupe.compare import IDS
from songmood.dedupe.parse import Name, sound

EXACT = ("sound", "id")  # rules whose blocks hold records that say the same: wider windows


class Candidates(NamedTuple):
    """`pairs` (song_id_a < song_id_b, each pair once); `left_out` tells, once they are computed, how many
    pairs of records that share a block are none, as {'pairs': n}."""

    pairs: DataFrame
    left_out: Observation


def block_record(name: Name, album: str, ids: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    """A record's blocks: rule, block and the record's place in it.

    Names come as they sound, so that transliterations meet. Those without a title have only the blocks
    of their ids.
    """
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


def candidate_pairs(named: DataFrame, settings: Dedupe) -> Candidates:
    """Pairs of records, of `named` (parse.py), that share a block and stand near each other in it."""
    rows = named.mapInPandas(
        partial(_block_batches), "exact boolean, block long, place string, song_id string"
    )
    observed = Observation("blocks")
    left = F.lit(0)
    near = []
    block = Window.partitionBy("exact", "block")
    ordered = block.orderBy("place", "song_id")
    for exact, window in ((True, settings.exact_window), (False, settings.block_window)):
        following = F.array_compact(
            F.array(*(F.lead("song_id", n).over(ordered) for n in range(1, window + 1)))
        )
        near.append(F.when(F.col("exact") == exact, following))
        after = F.count("*").over(block) - F.row_number().over(ordered) - window
        left = left + F.when((F.col("exact") == exact) & (after > 0), after).otherwise(0)
    neighbours = rows.select("song_id", F.coalesce(*near).alias("near"), left.alias("left"))
    neighbours = neighbours.observe(observed, F.coalesce(F.sum("left"), F.lit(0)).alias("pairs"))
    other = neighbours.select("song_id", F.explode("near").alias("other_id")).where("song_id <> other_id")
    pairs = other.select(
        F.least("song_id", "other_id").alias("song_id_a"),
        F.greatest("song_id", "other_id").alias("song_id_b"),
    ).distinct()
    return Candidates(pairs, observed)


def _block_batches(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for songs in batches:
        rows: list[tuple[bool, str, str, str]] = []
        for song in songs.itertuples(index=False):
            values: Any = song
            name = Name(*(getattr(values, field) for field in Name._fields))
            ids = tuple(getattr(values, field) for field in IDS)
            blocks = {
                (rule, f"{rule}|{key}", place[:16])
                for rule, key, place in block_record(name, values.album, ids)
            }
            rows += [(rule in EXACT, block, place, values.song_id) for rule, block, place in sorted(blocks)]
        made = pd.DataFrame(rows, columns=["exact", "block", "place", "song_id"])
        made["block"] = pd.util.hash_array(made["block"].to_numpy(dtype=object)).view("int64")
        yield made
