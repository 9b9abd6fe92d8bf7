"""dedupe: one row a song, where a corpus has one row for each album a song is on (paper 3.2).

Records with an equal key are linked, linked records are a duplicate group, and the best record of a
group stands for it. Every key is exact, so a record joins a group by what it says of itself and never
by resembling another; a second pass over the result finds nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import DoubleType
from rapidfuzz import fuzz

from songmood.config import Dedupe
from songmood.names import VERSION_WORDS, normalised_artist, normalised_title
from songmood.tables import DEDUPED, DUPLICATES

IDS = ("isrc", "musicbrainz_id", "spotify_id")
SONG_IDS = (*IDS, "lastfm_id")
_ARTIST_PREFIX = r"^[^:]{1,80}:(?=[^\s\d])"  # 'Artist:Title' is WASABI's; 'Medley: A/B' and '3:16' are titles


class Deduped(NamedTuple):
    """`ranked` is the frame that both tables come from: compute it once."""

    deduped: DataFrame
    duplicates: DataFrame
    ranked: DataFrame


def find_links(songs: DataFrame, settings: Dedupe) -> DataFrame:
    """Pairs (song_id, linked_id) of records that share a key; each record to the first of its key.

    The keys of a record:
    - its artist and title, normalised; none where either is empty or the artist is no name;
    - each of its ids with its title. An id alone proves nothing, since WASABI's were looked up by
      name; with the title it joins one recording under two artists. An 'Artist:' before the title
      does not count here, nor do spaces;
    - two ids of different origin (the ISRC with another) with the words that name a version, so that
      a remix that was given its original's ids stays apart.

    With unit `recording`, the lengths of the records of a key must run on without a gap of more than
    `max_length_gap_s`; where there is none, they go together with each other only.
    A key that n records share gives n - 1 pairs.
    """
    keyed = songs.select(
        "song_id",
        "duration_s",
        *IDS,
        _named(normalised_artist(F.col("artist")), settings.nameless_artists).alias("artist"),
        _named(normalised_title(F.col("title"))).alias("title"),
        _named(normalised_title(F.regexp_replace("title", r"^[^:]{1,80}:(?=[^\s\d])", ""))).alias(
            "bare_title"
        ),
    )
    bare = F.regexp_replace("bare_title", " ", "")
    words = F.array_intersect(F.split("bare_title", " "), F.array(*map(F.lit, VERSION_WORDS)))
    version = F.array_join(F.array_sort(words), " ")
    keys = [
        _key("name", F.col("artist"), F.col("title")),
        *(_key(name, F.col(name), bare) for name in IDS),
        *(_key(f"isrc, {name}", F.col("isrc"), F.col(name), version) for name in IDS if name != "isrc"),
    ]
    members = keyed.select("song_id", "duration_s", F.explode(F.array_compact(F.array(*keys))).alias("key"))
    together = ["key"]
    if settings.unit == "recording":
        by_length = Window.partitionBy("key").orderBy("duration_s", "song_id")
        gap = F.col("duration_s") - F.lag("duration_s").over(by_length)
        apart = F.coalesce(gap > settings.max_length_gap_s, F.col("duration_s").isNotNull())
        members = members.withColumn("apart", apart.cast("int"))
        members = members.withColumn("run", F.sum("apart").over(by_length))
        together.append("run")
    first = F.min("song_id").over(Window.partitionBy(*together))
    return members.select("song_id", first.alias("linked_id")).where("song_id <> linked_id").distinct()


def iterate_groups(links: DataFrame) -> DataFrame:
    """The connected components of links (song_id, linked_id), as (song_id, group_id).

    group_id is the least song_id of the component. Records without links are left out. Alternates
    the large-star and small-star steps of Kiveris et al. 2014, "Connected Components in MapReduce and
    Beyond", which settle in a logarithmic number of rounds; each round's result is kept with the
    executors, so the plan does not grow.
    """
    edges = links.select(F.col("song_id").alias("a"), F.col("linked_id").alias("b")).localCheckpoint()
    before = None
    while (state := _state(edges)) != before:
        before = state
        edges = _small_star(_large_star(edges)).localCheckpoint()
    roots = edges.select(F.col("b").alias("song_id"), F.col("b").alias("group_id")).distinct()
    return edges.select(F.col("a").alias("song_id"), F.col("b").alias("group_id")).unionByName(roots)


def merge_groups(songs: DataFrame, groups: DataFrame) -> Deduped:
    """One row for each group and for each record in none, and what was merged into what.

    The representative has the most ids, then the earliest year, then the least song_id. match_reason
    says what a record shares with its representative: same_artist_and_title (similarity 1), same_isrc,
    same_musicbrainz_id, same_spotify_id, else through_another (both are like a third record);
    similarity is then rapidfuzz's ratio of the normalised 'artist title', 0 to 1.
    """
    ids = sum((F.col(name).isNotNull().cast("int") for name in SONG_IDS), F.lit(0))
    group = Window.partitionBy("group_id")
    best = group.orderBy(ids.desc(), F.col("year").asc_nulls_last(), "song_id")
    compared = ("artist", "title", *IDS)
    ranked = (
        songs.join(groups, "song_id", "left")
        .withColumn("group_id", F.coalesce("group_id", "song_id"))
        .withColumn("version_count", F.count("*").over(group).cast("int"))
        .withColumn("representative", F.first(F.struct("song_id", *compared)).over(best))
    )
    is_representative = F.col("song_id") == F.col("representative.song_id")
    merged = ranked.where(~is_representative).withColumns(
        {"name": _full_name(""), "representative_name": _full_name("representative.")}
    )
    same_name = F.when((F.col("similarity") == 1) & (F.col("name") != ""), "same_artist_and_title")
    same_id = [F.when(F.col(name) == F.col(f"representative.{name}"), f"same_{name}") for name in IDS]
    similarity = _similarity(F.col("name"), F.col("representative_name"))
    duplicates = merged.withColumn("similarity", similarity).select(
        "song_id",
        F.col("representative.song_id").alias("representative_id"),
        "similarity",
        F.coalesce(same_name, *same_id, F.lit("through_another")).alias("match_reason"),
    )
    return Deduped(
        ranked.where(is_representative).select(*DEDUPED.column_names),
        duplicates.select(*DUPLICATES.column_names),
        ranked,
    )


def _key(kind: str, *parts: Column) -> Column:
    """One text of all parts, or null if any is null."""
    filled = F.forall(F.array(*parts), lambda part: part.isNotNull())
    return F.when(filled, F.concat_ws("\u001f", F.lit(kind), *parts))


def _named(name: Column, nameless: tuple[str, ...] = ()) -> Column:
    return F.when(~name.isin("", *nameless), name)


def _full_name(place: str) -> Column:
    artist, title = F.col(f"{place}artist"), F.col(f"{place}title")
    return F.trim(F.concat_ws(" ", normalised_artist(artist), normalised_title(title)))


def _similarity(left: Column, right: Column) -> Column:
    def ratio(left: pd.Series, right: pd.Series) -> pd.Series:
        return pd.Series([fuzz.ratio(a, b) / 100 for a, b in zip(left, right, strict=True)], dtype=float)

    similarity: Column = pandas_udf(ratio, DoubleType())(left, right)  # type: ignore[call-overload]
    return similarity


def _large_star(edges: DataFrame) -> DataFrame:
    """Link each larger neighbour of a record to the least of its neighbours and itself."""
    both = edges.unionByName(edges.select(F.col("b").alias("a"), F.col("a").alias("b")))
    least = F.least("a", F.min("b").over(Window.partitionBy("a")))
    return (
        both.withColumn("least", least)
        .where("b > a")
        .select(F.col("b").alias("a"), F.col("least").alias("b"))
    )


def _small_star(edges: DataFrame) -> DataFrame:
    """Link each record and its smaller neighbours to the least of them."""
    ordered = edges.select(F.greatest("a", "b").alias("a"), F.least("a", "b").alias("b"))
    starred = ordered.withColumn("least", F.min("b").over(Window.partitionBy("a")))
    ends = F.explode(F.array("a", "b")).alias("a")
    return starred.select(ends, F.col("least").alias("b")).where("a <> b").distinct()


def _state(edges: DataFrame) -> tuple[int, int]:
    row = edges.agg(F.count("*"), F.sum(F.xxhash64("a", "b").cast("decimal(38,0)"))).first()
    return (row[0], int(row[1] or 0)) if row is not None else (0, 0)
