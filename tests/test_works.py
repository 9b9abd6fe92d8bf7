"""One work under several titles and artists."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from songmood.settings import Settings
from songmood.steps.recommend.works import lyric_keys, work_names
from songmood.steps.text import prepare_tokens
from songmood.tables import TOKENS

MakeTable = Callable[..., DataFrame]

BO = "Bo"
SAME_WORK: list[tuple[tuple[str | None, str | None], tuple[str | None, str | None]]] = [
    ((BO, "Stay"), (BO, "Stay (Live at the Hall)")),
    ((BO, "Stay"), (BO, "Stay - Acoustic Version")),
    ((BO, "Stay"), (BO, "Stay (Ann Remix) [2015 Remaster]")),
    ((BO, "Stay"), ("BO", "stay acoustic")),
    ((BO, "Stay (Demo)"), (BO, "Stay - Live")),
    ((BO, "Stay"), ("Ann feat. Bo", "Stay")),
    ((BO, "Stay"), ("Ann", "Stay (feat. Bo)")),
    ((BO, "Stay"), ("Ann & Bo", "Stay (Instrumental)")),
    ((BO, "Stay"), ("The Karaoke Crew", "Bo - Stay (Karaoke Version)")),
    ((BO, "Stay"), ("Cy", "Bo:Stay")),
    ((BO, "Walls, Pt. 2"), (BO, "Walls (Part II) - Live")),
    ((None, "Stay"), (None, "Stay (Live)")),
    ((BO, "Остаться"), (BO, "Остаться (Live)")),
]
OTHER_WORK: list[tuple[tuple[str | None, str | None], tuple[str | None, str | None]]] = [
    ((BO, "Stay"), ("Cy", "Stay (Live)")),
    ((BO, "Stay"), (BO, "Stay With Me")),
    ((BO, "Walls, Pt. 1"), (BO, "Walls, Pt. 2")),
    ((BO, "Live and Let Go"), (BO, "Let Go")),
    ((BO, "Live"), (BO, "Demo")),
    ((BO, "Stay"), (None, "Stay")),
    ((None, None), (None, None)),
    ((BO, ""), (BO, "")),
]


@pytest.mark.parametrize(("left", "right"), SAME_WORK)
def test_versions_of_an_artist_have_a_name_in_common(
    left: tuple[str | None, str | None], right: tuple[str | None, str | None]
) -> None:
    assert set(work_names(*left)) & set(work_names(*right))


@pytest.mark.parametrize(("left", "right"), OTHER_WORK)
def test_other_songs_have_no_name_in_common(
    left: tuple[str | None, str | None], right: tuple[str | None, str | None]
) -> None:
    assert not set(work_names(*left)) & set(work_names(*right))


@given(st.text(max_size=40) | st.none(), st.text(max_size=40) | st.none())
@hypothesis_settings(max_examples=200, deadline=None)
def test_any_names_are_read(artist: str | None, title: str | None) -> None:
    names = work_names(artist, title)
    assert names == sorted(set(names))
    assert all(name.split("\n")[0] for name in names)


VERSE, CHORUS, BRIDGE = (
    line.split()
    for line in (
        "winter river carries morning letters under silent bridges toward golden harbors",
        "lonesome whistle crossing empty valley never answer brother",
        "candle burning window painted shadow dancing kitchen floor",
    )
)
OTHER = [word[::-1] for word in (*VERSE, *CHORUS, *BRIDGE)]
SUNG = [*VERSE, *CHORUS, *BRIDGE, *CHORUS]
LYRICS = {
    "seed": SUNG,
    "chorus once": [*VERSE, *CHORUS, *BRIDGE],
    "chorus often": [*VERSE, *CHORUS * 3, *BRIDGE, *CHORUS * 4],
    "without a verse": [*CHORUS, *BRIDGE, *CHORUS],
    "other words": [*VERSE[:-3], "across", "purple", "meadows", *CHORUS, "yonder", *BRIDGE],
    "other": OTHER,
    "same words": sorted(SUNG, key=lambda word: word[::-1]),  # in another order, it is another text
    "parts of two": [*BRIDGE, *OTHER[:10]],
    "of a phrase": ["burning", "candle", "candle_burning"],
    "empty": [],
}
ALIKE = {"seed", "chorus once", "chorus often", "without a verse", "other words"}


def test_lyrics_are_one_work_if_they_are_nearly_equal(table: MakeTable) -> None:
    tokens = table(TOKENS, *({"song_id": song, "tokens": words} for song, words in LYRICS.items()))
    for order in (tokens, tokens.orderBy("tokens").repartition(3)):
        works: dict[str, set[int]] = {}
        for row in lyric_keys(order).collect():
            works.setdefault(row.song_id, set()).add(row.work)
        assert works.keys() == ALIKE
        assert all(works["seed"] & works[song] for song in ALIKE)


@pytest.mark.usefixtures("compiled")
def test_real_lyrics_are_one_work_only_where_the_song_is_one(
    spark: SparkSession, shared_data: Path, settings: Settings
) -> None:
    file = shared_data / "public-domain" / "lyrics" / "public_domain.jsonl"
    songs = [json.loads(line) for line in file.read_text().splitlines()]
    # a version of each song: without its last verse, and with its first one after every other
    texts = {song["song_id"]: song["lyrics"] for song in songs}
    for song, text in list(texts.items()):
        verses = text.split("\n\n")
        texts[f"{song} again"] = "\n\n".join(
            f"{verse}\n\n{verses[0]}" for verse in verses[: len(verses) - 1 or 1]
        )
    lyrics = spark.createDataFrame(list(texts.items()), "song_id string, lyrics string")
    tokens = prepare_tokens(lyrics, settings.text).select("song_id", "tokens").localCheckpoint()
    keys = lyric_keys(tokens).toPandas()
    found = {
        work: {song.removesuffix(" again") for song in rows} for work, rows in keys.groupby("work")["song_id"]
    }
    again = {song for songs in found.values() if len(songs) == 1 for song in songs}
    assert len(again) >= 0.99 * len(songs)
    names = {song["song_id"]: song["title"] for song in songs}
    merged = [sorted({names[song] for song in songs}) for songs in found.values() if len(songs) > 1]
    assert all(len(titles) == 1 for titles in merged)  # one song is there twice
