"""matching: which names are the same song's, and which only look it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from pyspark.sql import DataFrame, SparkSession
from rapidfuzz import fuzz

from conftest import as_rows
from songmood.config import Config
from songmood.matching import match_names, telling_words, with_names

Name = tuple[str | None, str | None]


def names_of(spark: SparkSession, names: Sequence[Name], *, heed_live: bool = True) -> DataFrame:
    rows = [(title, artist) for title, artist in names]
    return with_names(spark.createDataFrame(rows, "title string, artist string"), heed_live=heed_live)


def songs_of(spark: SparkSession, names: Sequence[Name], *, heed_live: bool = True) -> DataFrame:
    """Songs whose id is their title and artist, as 'title / artist'."""
    rows = [(f"{title} / {artist}", title, artist) for title, artist in names]
    frame = spark.createDataFrame(rows, "song_id string, title string, artist string")
    return with_names(frame, heed_live=heed_live)


def accepted(matches: DataFrame) -> dict[str, str]:
    rows = matches.where("accepted").collect()
    return {row["song_id"]: f"{row['match_title']} / {row['match_artist']}" for row in rows}


# Each song with the one name that the source knows for it.
SAME: dict[Name, Name] = {
    ("Stay", "Rihanna"): ("Stay (feat. Mikky Ekko)", "Rihanna"),
    ("Café del Mar", "Energy 52"): ("Cafe Del Mar - 2011 Remaster", "ENERGY 52"),
    ("Mercy Mercy Me", "Marvin Gaye"): ("Mercy, Mercy Mee", "Marvin Gaye"),
    ("The Night They Drove Old Dixie Down", "The Band"): ("Night They Drove Old Dixie Down", "Band"),
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
    ("Hallelujah Hallelujah Hallelujah", "K. D."): ("Hallelujah Hallelujah Hallelujah Remix", "K. D."),
}


def test_variants_of_a_name_match_and_other_songs_do_not(spark: SparkSession, config: Config) -> None:
    pairs = SAME | OTHER
    matches = match_names(songs_of(spark, list(pairs)), names_of(spark, list(pairs.values())), config.enrich)
    assert accepted(matches) == {" / ".join(map(str, s)): " / ".join(map(str, n)) for s, n in SAME.items()}


def test_token_set_ratio_would_take_stay_for_stay_with_me(spark: SparkSession, config: Config) -> None:
    assert fuzz.token_set_ratio("stay", "stay with me") == 100
    matches = match_names(
        songs_of(spark, [("Stay", "X Y")]), names_of(spark, [("Stay With Me", "X Y")]), config.enrich
    )
    assert as_rows(matches) == []  # so far apart that it is not even a near miss


def test_a_near_miss_is_returned_with_what_it_lacks(spark: SparkSession, config: Config) -> None:
    songs = songs_of(spark, [("Part of the Plan 2", "Dan"), ("Blue Moon River", "Dan")])
    known = names_of(spark, [("Part of the Plan 3", "Dan"), ("Blue Moon Rising", "Dan"), ("X", "Dan")])
    rows = {row["song_id"]: row for row in as_rows(match_names(songs, known, config.enrich))}
    assert not any(row["accepted"] for row in rows.values())
    assert rows["Part of the Plan 2 / Dan"]["difference"] == "title 94, artist 100, only one has: 2, 3"
    assert rows["Blue Moon River / Dan"]["match_title"] == "Blue Moon Rising"
    assert rows["Blue Moon River / Dan"]["difference"].startswith("title 7")


def test_the_best_candidate_wins_and_ties_go_by_name(spark: SparkSession, config: Config) -> None:
    songs = songs_of(spark, [("Lovely Rita Maid", "Beatles"), ("Abracadabra", "Band")])
    known = [
        ("Lovely Rita Maids", "Beatles"),
        ("Lovely Ritas Maids", "Beatles"),
        ("Abracadabre", "Band"),
        ("Abracadabri", "Band"),
    ]
    forwards = match_names(songs, names_of(spark, known), config.enrich)
    backwards = match_names(songs, names_of(spark, known[::-1]).repartition(4), config.enrich)
    assert accepted(forwards) == {
        "Lovely Rita Maid / Beatles": "Lovely Rita Maids / Beatles",
        "Abracadabra / Band": "Abracadabre / Band",
    }
    assert as_rows(forwards) == as_rows(backwards)


def test_live_versions_are_the_song_itself_only_where_asked(spark: SparkSession, config: Config) -> None:
    song, known = [("Angie", "Stones")], [("Angie (Live at Leeds)", "Stones")]
    for heed_live, expected in ((True, {}), (False, {"Angie / Stones": "Angie (Live at Leeds) / Stones"})):
        songs, names = (
            songs_of(spark, song, heed_live=heed_live),
            names_of(spark, known, heed_live=heed_live),
        )
        assert accepted(match_names(songs, names, config.enrich)) == expected


def test_a_crowded_block_is_bounded_but_equal_names_are_found(spark: SparkSession, config: Config) -> None:
    conf = config.enrich.model_copy(update={"max_candidates": 5})
    known = [("Intro", f"Artist {n:04}") for n in range(300)] + [("Intro", "Various Artists")]
    songs = songs_of(spark, [("Intro", "Various Artists"), ("Intro", "Various Artits")])
    matches = match_names(songs, names_of(spark, known), conf)
    assert accepted(matches) == {"Intro / Various Artists": "Intro / Various Artists"}
    whole = match_names(songs, names_of(spark, known), config.enrich)
    assert accepted(whole).keys() == {"Intro / Various Artists", "Intro / Various Artits"}


def test_names_that_are_not_there_match_nothing(spark: SparkSession, config: Config) -> None:
    halves: list[Name] = [(None, "A"), ("T", None), (None, None), ("", ""), ("!!!", "???"), ("(Live)", "A")]
    songs = songs_of(spark, halves, heed_live=False)
    names = names_of(spark, halves, heed_live=False)
    assert (songs.count(), names.count()) == (0, 0)
    assert as_rows(match_names(songs, names, config.enrich)) == []


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
    assert telling_words(title, artist) == words
