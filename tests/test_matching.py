"""Matching: which names are one song's, and which only look like it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from rapidfuzz import fuzz

from conftest import ROOT, as_rows
from songmood.names.matching import match_names, telling_words, with_names
from songmood.names.words import OTHER_SONG_WORDS
from songmood.settings import EnrichSettings, load_settings

Name = tuple[str | None, str | None]


def names_of(spark: SparkSession, names: Sequence[Name], *, heed_live: bool = True) -> DataFrame:
    rows = [(title, artist) for title, artist in names]
    return with_names(spark.createDataFrame(rows, "title string, artist string"), heed_live=heed_live)


def songs_of(spark: SparkSession, names: Sequence[Name], *, heed_live: bool = True) -> DataFrame:
    """Songs whose id is their title and artist, as 'title / artist'."""
    rows = [(f"{title} / {artist}", title, artist) for title, artist in names]
    frame = spark.createDataFrame(rows, "song_id string, title string, artist string")
    return with_names(frame, heed_live=heed_live)


# Each song with a name of it in the source, and with a name of another song.
SAME: dict[Name, Name] = {
    ("Stay", "Rihanna"): ("Stay (feat. Mikky Ekko)", "Rihanna"),
    ("Café del Mar", "Energy 52"): ("Cafe Del Mar - 2011 Remaster", "ENERGY 52"),
    ("Mercy Mercy Me", "Marvin Gaye"): ("Mercy, Mercy Mee", "Marvin Gaye"),
    ("The Night They Drove Old Dixie Down", "The Band"): ("Night They Drove Old Dixie Down", "Band"),
    ("Girl Is Mine", "Mike J"): ("The Girl Is Mine", "Mike J"),
    ("Until the End of It", "Justin T"): ("Until the End of It", "Justin T Duet With Bey"),
    ("Yesterday", "Simon and Garfunkle"): ("Yesterday", "Simon & Garfunkel"),
    ("Подмосковные вечера", "Владимир Трошин"): ("Подмосковные Вечера", "Трошин Владимир"),
}
OTHER: dict[Name, Name] = {
    ("Stay", "Adele"): ("Stay With Me", "Adele"),
    ("Someone Like You Tonight", "Adele"): ("Someone Like You Tonight Karaoke", "Adele"),
    ("Another Brick in the Wall, Part 1", "Pink Floyd"): ("Another Brick in the Wall, Part 2", "Pink Floyd"),
    ("Symphony of Destruction", "Megadeth"): ("Symphony of Destruction III", "Megadeth"),
    ("I Will Always Love You Baby", "Whitney"): ("I Will Always Love You Baby Cover", "Whitney"),
    ("Hurt", "Johnny Cash"): ("Hurt", "Nine Inch Nails"),
    ("Is This Love", "Glass Bird"): ("This Is Love", "Glass Bird"),
    ("Never Say Forever", "Steel Bird"): ("Forever Say Never", "Steel Bird"),
    ("Rain on Glass Tonight Again", "Fast Car"): ("Rain on Glass Tonight Again Nightcore", "Fast Car"),
    ("Hallelujah Hallelujah Hallelujah", "K. D."): ("Hallelujah Hallelujah Hallelujah Remix", "K. D."),
}


NEAR: dict[Name, Name] = {
    ("Blue Moon River", "Dan"): ("Blue Moon Rising", "Dan"),
    ("Part of the Plan 2", "Dan F"): ("Part of the Plan 3", "Dan F"),
}
# Each song with names that are equally near; the first is to be taken.
TIED: dict[Name, list[Name]] = {
    ("Lovely Rita Maid", "Beatles"): [("Lovely Rita Maids", "Beatles"), ("Lovely Ritas Maids", "Beatles")],
    ("Abracadabra", "Band of S"): [("Abracadabre", "Band of S"), ("Abracadabri", "Band of S")],
}
INTROS: list[Name] = [("Intro", f"Artist {n:04}") for n in range(300)] + [("Intro", "Various Artists")]
LIVE: dict[Name, Name] = {("Angie", "Stones"): ("Angie (Live at Leeds)", "Stones")}


@pytest.fixture(scope="module")
def settings() -> EnrichSettings:
    return load_settings(ROOT / "conf" / "base.yaml").enrich


def match_all(
    spark: SparkSession, settings: EnrichSettings, *, backwards: bool = False
) -> dict[str, dict[str, Any]]:
    """Every song above against every name above, by song."""
    songs = [*SAME, *OTHER, *NEAR, *TIED, *LIVE, ("Intro", "Various Artits")]
    sources = [*SAME.values(), *OTHER.values(), *NEAR.values(), *LIVE.values(), *INTROS]
    sources += [name for names in TIED.values() for name in names]
    names = names_of(spark, sources[::-1]).repartition(3) if backwards else names_of(spark, sources)
    matches = match_names(
        songs_of(spark, songs[::-1] if backwards else songs), names, settings, heed_live=True
    )
    return {row["song_id"]: row for row in as_rows(matches)}


@pytest.fixture(scope="module")
def matched(spark: SparkSession, settings: EnrichSettings) -> dict[str, dict[str, Any]]:
    return match_all(spark, settings)


def taken(matched: dict[str, dict[str, Any]]) -> dict[Name, Name]:
    rows = [row for row in matched.values() if row["accepted"]]
    return {tuple(r["song_id"].split(" / ")): (r["match_title"], r["match_artist"]) for r in rows}


def test_variants_of_a_name_match_and_other_songs_do_not(matched: dict[str, dict[str, Any]]) -> None:
    best_of_tied = {song: names[0] for song, names in TIED.items()}
    misspelled = {("Intro", "Various Artits"): ("Intro", "Various Artists")}
    assert taken(matched) == SAME | best_of_tied | misspelled


def test_token_set_ratio_does_not_tell_stay_from_stay_with_me(matched: dict[str, dict[str, Any]]) -> None:
    assert fuzz.token_set_ratio("stay", "stay with me") == 100
    assert "Stay / Adele" not in matched  # so far apart that it is not even a near miss


def test_a_near_miss_is_returned_with_its_differences(matched: dict[str, dict[str, Any]]) -> None:
    number, words = matched["Part of the Plan 2 / Dan F"], matched["Blue Moon River / Dan"]
    assert (number["accepted"], words["accepted"]) == (False, False)
    assert number["difference"] == "title 94, artist 100, only one has: 2, 3"
    assert (words["match_title"], words["match_score"]) == ("Blue Moon Rising", pytest.approx(87, abs=2))
    assert words["difference"].endswith("artist 100")


def test_order_and_partitions_change_nothing(
    spark: SparkSession, settings: EnrichSettings, matched: dict[str, dict[str, Any]]
) -> None:
    assert match_all(spark, settings, backwards=True) == matched


def test_a_live_version_is_the_song_unless_live_is_heeded(
    spark: SparkSession, settings: EnrichSettings, matched: dict[str, dict[str, Any]]
) -> None:
    assert taken(matched).keys().isdisjoint(LIVE)
    songs = songs_of(spark, [*LIVE, ("Live and Let Die", "Wings")], heed_live=False)
    names = names_of(spark, [*LIVE.values(), ("(Live and Let Die)", "Wings")], heed_live=False)
    rows = {row["song_id"]: row for row in as_rows(match_names(songs, names, settings, heed_live=False))}
    assert taken(rows) == LIVE | {("Live and Let Die", "Wings"): ("(Live and Let Die)", "Wings")}


MIXES: dict[Name, Name] = {
    ("Dreamlover (Def Club Mix)", "Mariah"): ("Dreamlover", "Mariah"),
    ("Hero (Thunder Edit)", "Enrique"): ("Hero", "Enrique"),
    ("Rope (Extended Version)", "Foo"): ("Rope", "Foo"),
}


def test_a_mix_is_the_song_for_its_words_but_not_for_its_sound(
    spark: SparkSession, settings: EnrichSettings
) -> None:
    for heed in (True, False):
        songs = songs_of(spark, [*MIXES], heed_live=heed)
        names = names_of(spark, [*MIXES.values()], heed_live=heed)
        rows = {row["song_id"]: row for row in as_rows(match_names(songs, names, settings, heed_live=heed))}
        assert taken(rows) == ({} if heed else MIXES)


@pytest.mark.parametrize("heed_live", [True, False])
def test_a_song_in_another_language_is_another_song(
    spark: SparkSession, settings: EnrichSettings, heed_live: bool
) -> None:
    songs = songs_of(spark, [("Livin' La Vida (Spanish Version)", "Ricky")], heed_live=heed_live)
    names = names_of(spark, [("Livin' La Vida", "Ricky")], heed_live=heed_live)
    rows = {row["song_id"]: row for row in as_rows(match_names(songs, names, settings, heed_live=heed_live))}
    assert taken(rows) == {}


def test_a_crowded_block_is_bounded_but_equal_names_are_found(
    spark: SparkSession, settings: EnrichSettings
) -> None:
    bounded = settings.model_copy(update={"max_candidates": 5})
    songs = songs_of(spark, [("Intro", "Various Artists"), ("Intro", "Various Artits")])
    rows = {
        row["song_id"]: row
        for row in as_rows(match_names(songs, names_of(spark, INTROS), bounded, heed_live=True))
    }
    assert taken(rows) == {("Intro", "Various Artists"): ("Intro", "Various Artists")}


def test_empty_names_match_nothing(spark: SparkSession, settings: EnrichSettings) -> None:
    halves: list[Name] = [(None, "A"), ("T", None), (None, None), ("", ""), ("-", "..."), ("(Live)", "A")]
    songs = songs_of(spark, halves, heed_live=False)
    names = names_of(spark, halves, heed_live=False)
    assert (songs.count(), names.count()) == (0, 0)
    assert as_rows(match_names(songs, names, settings, heed_live=False)) == []


@pytest.mark.parametrize(
    ("title", "artist", "words"),
    [
        ("song part two", "x", {"2"}),
        ("song part ii", "x", {"2"}),
        ("song 007", "x", {"7"}),
        ("song", "x karaoke", {"karaoke"}),
        ("undercover", "discovery", set()),
    ],
)
def test_words_that_tell_versions_apart(title: str, artist: str, words: set[str]) -> None:
    assert telling_words(OTHER_SONG_WORDS, title, artist) == words
