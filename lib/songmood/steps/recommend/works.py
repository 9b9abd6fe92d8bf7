"""Which songs are one work: versions, covers, and one recording under two ids.

Two songs are one work if an artist has both under one title, but for words about the version, or if their
lyrics are nearly equal. Nearly equal means that many of their pairs of neighboring words are the same, so
that a chorus that is written once or five times makes no difference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from songmood.names.credits import split_credit, without_guests
from songmood.names.normalize import fold, normalize_artist, normalize_title, plain, without_editions
from songmood.names.words import VERSIONS

# Lyrics are nearly equal if they have this share of their word pairs in common (Jaccard). Of 102,000 pairs of
# old songs in the public domain, the 8 that pass 0.07 are one ballad in two forms, up to 0.24, and once one
# song; of 3 million pairs of demo songs none passes 0.18. Of these old songs without a verse, with each
# tenth word another, 98.5% pass 0.3; without every fourth line 99.6%.
ALIKE = 0.3
# Fewer common pairs than this are a coincidence, unless there are no others.
FEWEST_COMMON = 3

# MinHash: songs that agree in all rows of a band are compared. 97% of songs with half of their pairs in
# common do, and 78% with 0.33. Songs with 0.05, as those of the demo, do in 1 of 200 cases.
_BANDS, _ROWS = 40, 3
_MIX = np.uint64(0x9E3779B97F4A7C15)
_AT_ONCE = 500  # songs, so that their numbers stay in a core's cache
_ALL_WORDS = 1_000_000

_BRACKETED = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]?")
_DASHED = re.compile(r"\s+[-/|~]\s+|\s*:\s+")
_JOINED = re.compile(r"^(.+?)(?::| - )(.+)$")  # 'Artist:Title' and 'Artist - Title', as some titles are

Integers: TypeAlias = NDArray[np.uint64]


def find_works(deduped: DataFrame, tokens: DataFrame, most_listed: int) -> DataFrame:
    """The songs that share a work: song_id, works (array<bigint>) and listed.

    Songs with a number in common in `works` are one work; a song that is alone has no row. Only the first
    `most_listed` of a work are `listed`, which is enough for all lists, so that a hundred versions of one
    song do not push every other song out of the candidates.
    """
    keys = name_keys(deduped).unionByName(lyric_keys(tokens))
    work = Window.partitionBy("work")
    return (
        keys.distinct()
        .withColumn("songs", F.count(F.lit(1)).over(work))
        .withColumn("place", F.row_number().over(work.orderBy("song_id")))
        .where("songs > 1")
        .groupBy("song_id")
        .agg(
            F.sort_array(F.collect_set("work")).alias("works"),
            F.bool_and(F.col("place") <= most_listed).alias("listed"),
        )
    )


# -- names -----------------------------------------------------------------------------------------


def name_keys(songs: DataFrame) -> DataFrame:
    """A row for each name of each song: song_id, work (the name as a number)."""
    names = songs.select("song_id", "artist", "title").mapInPandas(_name, "song_id string, name string")
    return names.select("song_id", F.xxhash64("name").alias("work"))


def _name(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for songs in batches:
        names = [work_names(*row) for row in songs[["artist", "title"]].itertuples(index=False)]
        yield pd.DataFrame({"song_id": songs["song_id"], "name": names}).explode("name").dropna()


def work_names(artist: str | None, title: str | None) -> list[str]:
    """The names under which a song's versions are found: its title and one of its artists each.

    Words about the version are left out of the title: 'Stay (Live at the Hall)', 'Stay - Bo Remix' and 'Stay
    Acoustic' are 'stay'. A title that has its artist before it is read both ways. No title, no names.
    """
    credit, guests = without_guests(fold(artist))
    people = _people(credit, *guests)
    text, more_guests = without_guests(without_editions(fold(title)))
    people |= _people(*more_guests)
    readings = [(text, people)]
    if (joined := _JOINED.match(text)) and not _names_version(_BRACKETED.sub(" ", joined[2])):
        readings.append((joined[2], people | _people(joined[1])))
    names = {
        f"{core}\n{person}"
        for reading, credited in readings
        if (core := _without_version(reading))
        for person in credited or {""}
    }
    return sorted(names)


def _people(*credits: str) -> set[str]:
    names = {normalize_artist(part) for credit in credits for part in (credit, *split_credit(credit))}
    return names - {""}


def _without_version(title: str) -> str:
    """A folded title without words about the version, if more than these is in it."""
    text = _BRACKETED.sub(lambda part: " " if _names_version(part[1]) else part[0], title)
    first, *others = _DASHED.split(text)
    text = " ".join([first, *(part for part in others if not _names_version(part))])
    words = plain(text).split()
    while len(words) > 1 and words[-1] in VERSIONS:
        words.pop()
    return normalize_title(" ".join(words)) or normalize_title(title)


def _names_version(text: str) -> bool:
    return not VERSIONS.keys().isdisjoint(plain(text).split())


# -- lyrics ----------------------------------------------------------------------------------------


def lyric_keys(tokens: DataFrame) -> DataFrame:
    """Two rows for each pair of songs with nearly equal lyrics: song_id, work (the pair as a number).

    In each band of MinHash, a song is compared with the first of those that agree with it, and with the one
    before it, so that a large group costs no more than its songs.
    """
    words = F.filter("tokens", lambda word: ~word.contains("_"))  # without phrases
    following = F.slice(words, 2, _ALL_WORDS)
    pairs = F.array_distinct(F.zip_with(words, following, lambda a, b: F.xxhash64(a, b)))
    songs = tokens.select("song_id", pairs.alias("pairs")).where(F.size("pairs") > 0)
    band = Window.partitionBy("band", "key").orderBy("song_id")
    neighbors = (
        songs.select("song_id", F.posexplode(_bands("pairs")).alias("band", "key"))
        .select(
            "song_id", F.array(F.first("song_id").over(band), F.lag("song_id").over(band)).alias("others")
        )
        .select("song_id", F.explode("others").alias("other"))
        .where("other <> song_id")
        .distinct()
    )
    other = songs.select(F.col("song_id").alias("other"), F.col("pairs").alias("other_pairs"))
    return (
        neighbors.join(songs, "song_id")
        .join(other, "other")
        .where(_nearly_equal("pairs", "other_pairs"))
        .select(F.explode(F.array("song_id", "other")).alias("song_id"), F.xxhash64("other").alias("work"))
    )


def _nearly_equal(left: str, right: str) -> Column:
    common = F.size(F.array_intersect(left, right))
    fewer, both = F.least(F.size(left), F.size(right)), F.size(left) + F.size(right)
    return (common >= ALIKE * (both - common)) & (common >= F.least(fewer, F.lit(FEWEST_COMMON)))


def _bands(column: str) -> Column:
    """A number for each band of MinHash of an array of numbers; equal arrays have equal numbers."""

    def each(arrays: pd.Series) -> pd.Series:
        return pd.Series(list(_band_keys(arrays).view(np.int64)), index=arrays.index, dtype=object)

    bands: Column = pandas_udf(each, "array<bigint>")(column)  # type: ignore[call-overload]
    return bands


def _band_keys(arrays: pd.Series) -> Integers:
    """A number for each array and band: (arrays, _BANDS). No array is empty."""
    # factors from a fixed seed: the numbers are as arbitrary as a hash function's
    factors = np.random.default_rng(0).integers(1 << 63, size=(_BANDS, _ROWS), dtype=np.uint64) * 2 + 1
    keys = np.zeros((len(arrays), _BANDS), np.uint64)
    for first in range(0, len(arrays), _AT_ONCE):
        part = arrays.iloc[first : first + _AT_ONCE]
        numbers = np.concatenate(part.to_list()).astype(np.int64).view(np.uint64)
        starts = np.concatenate([[0], np.cumsum(part.str.len())[:-1]]).astype(np.int64)
        for band, row in np.ndindex(_BANDS, _ROWS):
            column = keys[first : first + _AT_ONCE, band]
            column ^= np.minimum.reduceat(numbers * factors[band, row], starts)
            column *= _MIX
    return keys
