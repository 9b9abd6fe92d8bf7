"""A corpus made by the project itself: any size, in WASABI's layouts, with its quirks and its truth.

    songs/ tags/ audio_features/ lyrics/    as CORPUS.md of a user's corpus has them
    truth/songs/         a row a song row: duplicate_group, mood, theme, log odds (evidence.py)
    truth/wrong_lyrics/  names under which lyrics of another song stand
    truth/demo.json      settings, seed and Bayes ceilings; `complete` once all is written

No step reads truth/: it is for evaluation. Every row depends on the seed and its number alone.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from pyarrow import fs
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from songmood.audio import AUDIO_FEATURES, DISCRETE_AUDIO_FEATURES
from songmood.demo import audio, draws, evidence, lyrics, noise, songs, tags, words
from songmood.demo.draws import Draws
from songmood.demo.evidence import HAPPY_SHARE, Strengths
from songmood.demo.songs import KINDS, Rows
from songmood.engine.errors import UserError
from songmood.engine.store import absolute, open_filesystem
from songmood.settings import DemoSettings

DEMO_JSON = "truth/demo.json"
# The public CSV's header, with lastfm_id, which the real one lacks (WASABI's tag files are keyed by it).
CSV_COLUMNS = (
    "_id", "artist", "title", "albumTitle", "id_album", "publicationDateAlbum", "album_genre", "urlSpotify",
    "urlLastFm", "lastfm_id", "isrc", "id_song_musicbrainz", "id_song_deezer", "language", "language_detect",
    "length", "bpm", "rank", "explicitLyrics", "isClassic",
)  # fmt: skip
_ALBUM_COLUMNS = ("artist", "albumTitle", "publicationDateAlbum", "album_genre")
_TYPES = {"rank": "bigint", "explicitLyrics": "boolean", "isClassic": "boolean"}

_SONGS_SCHEMA = ", ".join(f"`{name}` {_TYPES.get(name, 'string')}" for name in (*CSV_COLUMNS, "artist_id"))
_TAGS_SCHEMA = "song_id string, lastfm_id string, tag string, weight bigint"
_AUDIO_SCHEMA = "spotify_id string, " + ", ".join(
    f"{name} {'bigint' if name in DISCRETE_AUDIO_FEATURES else 'double'}" for name in AUDIO_FEATURES
)
_LYRICS_SCHEMA = "song_id string, artist string, title string, lyrics string"
_TRUTH_SCHEMA = (
    "song_id string, duplicate_group string, row_kind string, language string, mood string, theme string, "
    "tag_case string, lyrics_llr double, audio_llr double, both_llr double"
)
_WRONG_SCHEMA = "song_id string, artist string, title string, kind string"

_SONGS_A_PARTITION, _MOST_PARTITIONS = 1000, 64


@dataclass(frozen=True)
class Maker:
    """Makes the rows of each part for some songs' numbers; small, and sent to every executor."""

    demo: DemoSettings
    draws: Draws
    strengths: Strengths

    def songs(self, rows: Rows) -> pd.DataFrame:
        """The part songs/, with the id of the artist."""
        made = songs.make_songs(self.draws, rows)
        if not self.demo.messy:
            return made
        return noise.make_messy(self.draws, made, rows.row, songs.repeats(rows))

    def tags(self, rows: Rows) -> pd.DataFrame:
        """The part tags/."""
        return tags.make_tags(self.draws, rows)

    def audio_features(self, rows: Rows) -> pd.DataFrame:
        """The part audio_features/."""
        return audio.make_audio_features(self.draws, rows, self.strengths)

    def lyrics(self, rows: Rows) -> pd.DataFrame:
        """The part lyrics/."""
        return lyrics.make_lyrics(self.draws, rows, self.demo, self.strengths)

    def wrong_lyrics(self, rows: Rows) -> pd.DataFrame:
        """The names under which another song's lyrics stand."""
        return lyrics.wrong_lyrics(self.draws, rows)

    def truth(self, rows: Rows) -> pd.DataFrame:
        """What is true of each song row. The log odds are those of a reader of clean, right parts."""
        draws, strengths = self.draws, self.strengths
        numbers, at = np.unique(rows.song, return_inverse=True)
        plan = evidence.plan_lyrics(draws, numbers, self.demo)
        places, stand = evidence.draw_mood_words(draws, numbers, plan, strengths)
        told = evidence.lyrics_evidence(places, stand, strengths)[at]
        heard = evidence.audio_evidence(
            evidence.draw_sound(draws, rows.song, rows.take, strengths), strengths
        )
        language = songs.languages(draws, rows.artist)
        told[language != "english"] = 0  # their words are drawn without regard to mood
        names = np.array([kind.name for kind in KINDS], dtype=object)
        cases = np.array([case.name for case in tags.CASES], dtype=object)
        themes = np.array(list(words.THEMES), dtype=object)
        theme = themes[lyrics.draw_themes(draws, rows.song)]
        theme[language != "english"] = None
        made: pd.DataFrame = pd.DataFrame(
            {
                "song_id": songs.song_ids(draws, rows.row),
                "duplicate_group": rows.take.astype(str).astype(object),
                "row_kind": names[rows.kind],
                "language": language,
                "mood": np.where(evidence.draw_moods(draws, rows.song), "happy", "sad").astype(object),
                "theme": theme,
                "tag_case": cases[tags.draw_cases(draws, rows.take)],
                "lyrics_llr": evidence.log_odds(told),
                "audio_llr": evidence.log_odds(heard),
                "both_llr": evidence.log_odds(told + heard),
            }
        )
        return made


def write_demo_corpus(spark: SparkSession, demo: DemoSettings, seed: int, folder: str) -> None:
    """Write the demo corpus to `folder`, or leave it if it is there, complete, with the same settings.

    It is written beside, under the name `folder`.writing, and renamed when complete. A demo corpus that
    is not complete is made anew; so is one that an older version of this code made, if nothing was
    added to it. Raises UserError for a folder that holds anything else.
    """
    target = _Folder(folder)
    maker_version = _code_hash()
    settings = {"settings": demo.model_dump(mode="json"), "seed": seed}
    if _stands(target, settings, maker_version):
        return
    half = _Folder(f"{folder.rstrip('/')}.writing")
    if half.found() and half.read() is None:
        raise UserError(f"{half.path} is in the way of the demo corpus and not ours: move it")
    draws = Draws(seed)
    strengths = evidence.solve_strengths(draws, demo)
    ceilings = evidence.estimate_ceilings(draws, demo, strengths)
    truth = {
        **settings,
        "code": maker_version,
        "strengths": asdict(strengths),
        "ceilings": {
            "majority": {"accuracy": HAPPY_SHARE, "standard_error": 0.0},
            **{name: asdict(ceiling) for name, ceiling in ceilings.items()},
        },
    }
    half.delete()
    half.write({**truth, "complete": False})
    _write_parts(spark, Maker(demo, draws, strengths), half)
    half.write({**truth, "complete": True, "files": half.files()})
    target.delete()
    half.rename(target)


def read_ceilings(folder: str) -> dict[str, float]:
    """Bayes accuracies of readers of lyrics, audio and both, as the demo corpus there states them."""
    truth = _Folder(folder).read() or {}
    return {name: float(c["accuracy"]) for name, c in truth.get("ceilings", {}).items()}


def make_part(spark: SparkSession, maker: Maker, part: str, partitions: int) -> DataFrame:
    """One part of the corpus or its truth, as the method of Maker by that name makes it."""
    make, corpus_songs = getattr(maker, part), maker.demo.songs
    names = [field.split()[0].strip("`") for field in _SCHEMAS[part].split(", ")]

    def make_batches(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            numbers = batch["id"].to_numpy()
            yield make(songs.lay_out_rows(maker.draws, numbers, corpus_songs))[names]

    numbers = spark.range(0, corpus_songs, 1, partitions)
    return numbers.mapInPandas(make_batches, _SCHEMAS[part])


_SCHEMAS = {
    "songs": _SONGS_SCHEMA,
    "tags": _TAGS_SCHEMA,
    "audio_features": _AUDIO_SCHEMA,
    "lyrics": _LYRICS_SCHEMA,
    "truth": _TRUTH_SCHEMA,
    "wrong_lyrics": _WRONG_SCHEMA,
}


class _Folder:
    """A corpus folder that is ours to write: its truth/demo.json says so."""

    def __init__(self, path: str) -> None:
        self.path = path.rstrip("/")
        self.uri = absolute(self.path)
        self._fs, self._root = open_filesystem(self.uri)

    def found(self) -> bool:
        """True if there is anything at this path but an empty folder."""
        info = self._fs.get_file_info(self._root)
        if info.type == fs.FileType.Directory:
            return bool(self._fs.get_file_info(fs.FileSelector(self._root)))
        return bool(info.type != fs.FileType.NotFound)

    def read(self) -> dict[str, Any] | None:
        """Its demo.json, or None if it has none that is ours."""
        try:
            with self._fs.open_input_stream(f"{self._root}/{DEMO_JSON}") as stream:
                truth = json.loads(stream.read())
        except (OSError, ValueError):
            return None
        return truth if isinstance(truth, dict) and "complete" in truth else None

    def write(self, truth: dict[str, Any]) -> None:
        self._fs.create_dir(f"{self._root}/truth", recursive=True)
        with self._fs.open_output_stream(f"{self._root}/{DEMO_JSON}") as stream:
            stream.write((json.dumps(truth, indent=2) + "\n").encode())

    def files(self) -> list[str]:
        """All files but demo.json, relative to the folder."""
        found = self._fs.get_file_info(fs.FileSelector(self._root, recursive=True, allow_not_found=True))
        paths = [info.path[len(self._root) + 1 :] for info in found if info.type == fs.FileType.File]
        return sorted(path for path in paths if path != DEMO_JSON)

    def delete(self) -> None:
        if self._fs.get_file_info(self._root).type != fs.FileType.NotFound:
            self._fs.delete_dir(self._root)

    def rename(self, to: _Folder) -> None:
        self._fs.create_dir(str(PurePosixPath(to._root).parent), recursive=True)
        self._fs.move(self._root, to._root)

    def take_files(self, written: str, part: str, stem: str, ending: str) -> None:
        """Give the files that Spark wrote plain names, the same on every run, in the folder of a part."""
        self._fs.create_dir(f"{self._root}/{part}", recursive=True)
        found = self._fs.get_file_info(fs.FileSelector(f"{self._root}/{written}"))
        parts = sorted(info.path for info in found if info.base_name.startswith("part-"))
        for number, path in enumerate(parts):
            self._fs.move(path, f"{self._root}/{part}/{stem}-{number:03}.{ending}")
        self._fs.delete_dir(f"{self._root}/{written}")


def _stands(target: _Folder, settings: dict[str, Any], code: str) -> bool:
    """Whether the corpus asked for is there; else whether the place may be taken, or UserError."""
    if not target.found():
        return False
    truth = target.read()
    if truth is None:
        raise UserError(f"{target.path} holds something else than a demo corpus: set paths.corpus elsewhere")
    if not truth["complete"]:
        return False
    if any(truth.get(name) != value for name, value in settings.items()):
        raise UserError(
            f"{target.path} holds a demo corpus of other settings or seed: delete it, "
            "or set paths.corpus elsewhere"
        )
    if truth.get("code") == code:
        return True
    if target.files() != truth.get("files"):
        raise UserError(
            f"{target.path} holds a demo corpus of an older version, with files added: move it away"
        )
    return False


def _write_parts(spark: SparkSession, maker: Maker, to: _Folder) -> None:
    partitions = max(1, min(_MOST_PARTITIONS, maker.demo.songs // _SONGS_A_PARTITION))
    layout = maker.demo.layout
    for part in maker.demo.parts:
        rows = make_part(spark, maker, part, partitions)
        if part != "songs":
            _write(rows, to, part, part, layout)
        elif layout == "api":
            _write_api(rows, to, partitions)
        else:
            _write(rows.drop("artist_id"), to, part, "wasabi_songs", layout, separator="\t")
    _write(make_part(spark, maker, "truth", partitions), to, "truth/songs", "songs", "parquet")
    if "lyrics" in maker.demo.parts:
        wrong = make_part(spark, maker, "wrong_lyrics", partitions)
        _write(wrong, to, "truth/wrong_lyrics", "wrong_lyrics", "parquet")


def _write_api(rows: DataFrame, to: _Folder, partitions: int) -> None:
    """The API's records: songs name their album, albums their artist."""
    _write(rows.drop("artist_id", *_ALBUM_COLUMNS), to, "songs", "song", "api")
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
        once = records.repartition(partitions, "_id").dropDuplicates(["_id"]).sortWithinPartitions("_id")
        _write(once, to, "songs", stem, "api")


def _write(rows: DataFrame, to: _Folder, part: str, stem: str, layout: str, separator: str = ",") -> None:
    written = f".spark-{stem}"
    place = f"{to.uri}/{written}"
    if layout == "parquet":
        rows.write.parquet(place)
    elif layout == "api":
        rows.write.json(place)
    else:
        flags = [name for name, kind in rows.dtypes if kind == "boolean"]
        spelt = {name: F.initcap(F.col(name).cast("string")) for name in flags}  # True, as Python writes it
        # quotes are doubled, and what is missing is left empty
        rows.withColumns(spelt).write.csv(place, header=True, sep=separator, escape='"', emptyValue="")
    to.take_files(written, part, stem, {"parquet": "parquet", "api": "jsonl", "csv": "csv"}[layout])


def _code_hash() -> str:
    """A hash of this package's source: another code makes another corpus."""
    modules = (
        __name__,
        *(module.__name__ for module in (audio, draws, evidence, lyrics, noise, songs, tags, words)),
    )
    sources: list[str] = []
    for name in modules:
        loader = importlib.import_module(name).__loader__
        sources.append(loader.get_source(name) or "")  # type: ignore[union-attr,attr-defined]
    return hashlib.sha256("\n".join(sources).encode()).hexdigest()[:16]
