"""Writes the parts of a demo corpus, in the layout of the public CSV files, of the API, or as Parquet."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from songmood.demo.folder import DemoFolder
from songmood.demo.maker import Maker, make_part

_ALBUM_COLUMNS = ("artist", "albumTitle", "publicationDateAlbum", "album_genre")
_ENDINGS = {"parquet": "parquet", "api": "jsonl", "csv": "csv"}
_SONGS_PER_PARTITION, _MOST_PARTITIONS = 1000, 64


def write_parts(spark: SparkSession, maker: Maker, folder: DemoFolder) -> None:
    """Write the parts of the corpus that the settings name, and its truth."""
    partitions = max(1, min(_MOST_PARTITIONS, maker.demo.songs // _SONGS_PER_PARTITION))
    layout = maker.demo.layout
    for part in maker.demo.parts:
        rows = make_part(spark, maker, part, partitions)
        if part != "songs":
            _write(rows, folder, part, part, layout)
        elif layout == "api":
            _write_api(rows, folder, partitions)
        else:
            _write(rows.drop("artist_id"), folder, part, "wasabi_songs", layout, separator="\t")
    _write(make_part(spark, maker, "truth", partitions), folder, "truth/songs", "songs", "parquet")
    if "lyrics" in maker.demo.parts:
        wrong = make_part(spark, maker, "wrong_lyrics", partitions)
        _write(wrong, folder, "truth/wrong_lyrics", "wrong_lyrics", "parquet")


def _write_api(rows: DataFrame, folder: DemoFolder, partitions: int) -> None:
    """The API's records: songs name their album, albums their artist."""
    _write(rows.drop("artist_id", *_ALBUM_COLUMNS), folder, "songs", "song", "api")
    albums = rows.select(
        F.col("id_album").alias("_id"),
        F.col("albumTitle").alias("title"),
        F.col("artist_id").alias("id_artist"),
        F.col("artist").alias("name"),
        F.col("publicationDateAlbum").alias("publicationDate"),
        F.col("album_genre").alias("genre"),
    )
    artists = rows.select(F.col("artist_id").alias("_id"), F.col("artist").alias("name"))
    for stem, records in (("album", albums), ("artist", artists)):
        distinct = records.repartition(partitions, "_id").dropDuplicates(["_id"]).sortWithinPartitions("_id")
        _write(distinct, folder, "songs", stem, "api")


def _write(
    rows: DataFrame, folder: DemoFolder, part: str, stem: str, layout: str, separator: str = ","
) -> None:
    written = f".spark-{stem}"
    place = f"{folder.uri}/{written}"
    if layout == "parquet":
        rows.write.parquet(place)
    elif layout == "api":
        rows.write.json(place)
    else:
        flags = [name for name, kind in rows.dtypes if kind == "boolean"]
        texts = {name: F.initcap(F.col(name).cast("string")) for name in flags}  # True, as Python writes it
        # quotes are doubled, and missing values are empty
        rows.withColumns(texts).write.csv(place, header=True, sep=separator, escape='"', emptyValue="")
    folder.take_files(written, part, stem, _ENDINGS[layout])
