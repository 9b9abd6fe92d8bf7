"""Makes the rows of each part of the demo corpus, and of its truth, from the numbers of songs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, SparkSession

from songmood.audio import AUDIO_FEATURES, DISCRETE_AUDIO_FEATURES
from songmood.demo import audio, evidence, ids, lyrics, noise, songs, tags, words
from songmood.demo.draws import Array, Draws, strings
from songmood.demo.evidence import Strengths
from songmood.demo.rows import KINDS, Rows, lay_out_rows
from songmood.settings import DemoSettings

# The public CSV's header, with two columns that the real one lacks: lastfm_id, by which WASABI's tags are
# keyed, and the track number, which is empty unless the demo is messy.
CSV_COLUMNS = (
    "_id", "artist", "title", "albumTitle", "id_album", "publicationDateAlbum", "album_genre", "urlSpotify",
    "urlLastFm", "lastfm_id", "isrc", "id_song_musicbrainz", "id_song_deezer", "language", "language_detect",
    "length", "number", "bpm", "rank", "explicitLyrics", "isClassic",
)  # fmt: skip
_TYPES = {"rank": "bigint", "explicitLyrics": "boolean", "isClassic": "boolean"}
_SCHEMAS = {
    "songs": ", ".join(f"`{name}` {_TYPES.get(name, 'string')}" for name in (*CSV_COLUMNS, "artist_id")),
    "tags": "song_id string, lastfm_id string, tag string, weight bigint",
    "audio_features": "spotify_id string, "
    + ", ".join(
        f"{name} {'bigint' if name in DISCRETE_AUDIO_FEATURES else 'double'}" for name in AUDIO_FEATURES
    ),
    "lyrics": "song_id string, artist string, title string, lyrics string",
    "truth": "song_id string, duplicate_group string, row_kind string, language string, mood string, "
    "tagged_mood string, theme string, tag_case string, lyrics_llr double, audio_llr double, both_llr double",
    "wrong_lyrics": "song_id string, artist string, title string, kind string",
}


@dataclass(frozen=True)
class Maker:
    """Makes the rows of each part for some songs' numbers; small, and sent to every executor."""

    demo: DemoSettings
    draws: Draws
    strengths: Strengths

    def songs(self, rows: Rows) -> pd.DataFrame:
        """The part songs/, with the id of the artist."""
        made = songs.make_songs(self.draws, rows)
        return noise.make_messy(self.draws, made, rows) if self.demo.messy else made.assign(number="")

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
        """The names under which there are another song's lyrics."""
        return lyrics.wrong_lyrics(self.draws, rows)

    def truth(self, rows: Rows) -> pd.DataFrame:
        """The truth about each song row. The log odds are those given the clean, right parts of its song."""
        draws = self.draws
        language = songs.languages(draws, rows.artist)
        by_lyrics, by_audio = self._evidence(rows)
        by_lyrics[language != "english"] = 0  # the words of these are independent of mood
        theme = strings(words.THEMES)[lyrics.draw_themes(draws, rows.song)]
        theme[language != "english"] = None
        made: pd.DataFrame = pd.DataFrame(
            {
                "song_id": ids.song_ids(draws, rows.row),
                "duplicate_group": rows.take.astype(str).astype(object),
                "row_kind": strings(kind.name for kind in KINDS)[rows.kind],
                "language": language,
                "mood": np.where(evidence.draw_moods(draws, rows.song), "happy", "sad").astype(object),
                "tagged_mood": tags.draw_tagged_moods(draws, rows.song, rows.take),
                "theme": theme,
                "tag_case": strings(case.name for case in tags.CASES)[tags.draw_cases(draws, rows.take)],
                "lyrics_llr": evidence.log_odds(by_lyrics),
                "audio_llr": evidence.log_odds(by_audio),
                "both_llr": evidence.log_odds(by_lyrics + by_audio),
            }
        )
        return made

    def _evidence(self, rows: Rows) -> tuple[Array, Array]:
        """The evidence of each row's lyrics, and of its audio features."""
        draws, strengths = self.draws, self.strengths
        numbers, at = np.unique(rows.song, return_inverse=True)
        plan = evidence.plan_lyrics(draws, numbers, self.demo)
        places, used = evidence.draw_mood_words(draws, numbers, plan, strengths)
        sound = evidence.draw_sound(draws, rows.song, rows.take, strengths)
        by_lyrics = evidence.lyrics_evidence(places, used, strengths)[at]
        return by_lyrics, evidence.audio_evidence(sound, strengths)


def make_part(spark: SparkSession, maker: Maker, part: str, partitions: int) -> DataFrame:
    """One part of the corpus or its truth, made by the method of Maker of that name."""
    make, corpus_songs = getattr(maker, part), maker.demo.songs
    columns = [field.split()[0].strip("`") for field in _SCHEMAS[part].split(", ")]

    def make_batches(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            numbers = batch["id"].to_numpy()
            yield make(lay_out_rows(maker.draws, numbers, corpus_songs))[columns]

    numbers = spark.range(0, corpus_songs, 1, partitions)
    return numbers.mapInPandas(make_batches, _SCHEMAS[part])
