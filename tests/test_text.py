"""text: from lines to words, by Spark NLP, and the pairs of words that are phrases."""

from __future__ import annotations

import itertools
import random
import unicodedata
from collections.abc import Callable, Iterable

from gensim.models.phrases import npmi_scorer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conftest import as_rows
from songmood.lyrics.spelling import spell_out
from songmood.settings import Settings
from songmood.steps.text import add_bigrams, fit_bigrams, prepare_tokens, stop_words, tokenize_lyrics
from songmood.tables import LYRICS, TOKENS


def words_of(spark: SparkSession, lines: Iterable[str | None], settings: Settings) -> list[list[str]]:
    rows = [(f"song-{i:03}", line) for i, line in enumerate(lines)]
    lyrics = spark.createDataFrame(rows, "song_id string, lyrics string")
    tokens = prepare_tokens(lyrics, settings.text)
    assert tokens.columns == ["song_id", "tokens", "line_numbers"]
    return [row.tokens for row in sorted(tokens.collect())]


SUNG = {
    "don't": "do not",
    "she wouldn't": "she would not",
    "ain't it": "is not it",
    "can't won't shan't": "can not will not shall not",
    "runnin' wild, singin'": "running wild, singing",
    "the captain's cabin": "the captain cabin",
    "'come again' in my 'skin', 'rain'": "'come again' in my 'skin', 'rain'",
    "somethin's wrong, nothin'll do, goin'": "something wrong, nothing do, going",
    **dict.fromkeys(
        ("rock'n'roll", "rock 'n' roll", "rock'n' roll", "rock 'n'roll", "rock'n roll", "rock'nroll"),
        "rock and roll",
    ),
    "heav'n above, ev'n so": "heaven above, even so",
    "ohhhhh ahhh yeahhh gooood": "ohh ahh yeahh good",
    "i'll you're we've i'm it's": "i you we i it",
    "he'd go": "he go",
    "bless'd and lov'd": "blessed and loved",
    "'cause of 'em": "because of them",
    "wait 'til dawn 'bout now": "wait until dawn about now",
    "rock 'n' roll, salt 'n pepper": "rock and roll, salt and pepper",
    "o'er the hills, where'er": "over the hills, wherever",
    "ev'ry heav'n, pow'r of a wand'rer": "every heaven, power of a wanderer",
    "o'malley": "o'malley",
    "'quoted'": "'quoted'",
    "cause and effect": "cause and effect",
}


def test_sung_short_forms_are_spelled_out(spark: SparkSession) -> None:
    lines = spark.createDataFrame([(line,) for line in SUNG], "sung string")
    rows = lines.select("sung", spell_out(F.col("sung")).alias("spelled")).collect()
    assert {row.sung: row.spelled for row in rows} == SUNG


LINES: dict[str | None, list[str]] = {
    "Rivers bend, and RIVERS break!": ["rivers", "bend", "rivers", "break"],
    "hello?hello...love-sick/heart": ["hello", "hello", "love", "sick", "heart"],
    "I don't, I ain’t, we wouldn‘t": [],
    "I don‛t, I ainʻt, we wouldnʹt": [],
    "dont im youre aint gonna": [],
    "well, hell: he'll be ill": ["well", "hell", "ill"],
    "Runnin’ 'cause the night's cold": ["running", "night", "cold"],
    "yeah yeah ooh la la baby": ["baby"],
    "Ohhhhh, ahhhh, yeahhh, mmmm, huh, ha, uhhh baby": ["baby"],
    "O'Malley's café, 1999, 24/7": ["omalley", "café"],
    "'quoted' x y z": ["quoted"],
    "東京 ночью": ["東京", "ночью"],
    "": [],
    " \n\t": [],
    None: [],
    "1, 2, 3!": [],
}


def test_words_of_lines(spark: SparkSession, settings: Settings) -> None:
    assert dict(zip(LINES, words_of(spark, LINES, settings), strict=True)) == LINES


CHORUS = "Burning bridges\nSilver moon\nburning bridges \r\nBurning bridges"


def test_a_chorus_counts_each_time_or_once(
    spark: SparkSession, make_settings: Callable[..., Settings]
) -> None:
    once = make_settings("text.collapse_repeated_lines=true")
    sung = words_of(spark, [CHORUS], make_settings())[0]
    assert sung == ["burning", "bridges", "silver", "moon", "burning", "bridges", "burning", "bridges"]
    assert words_of(spark, [CHORUS], once) == [["burning", "bridges", "silver", "moon"]]


def test_settings_of_length_stem_and_fillers(
    spark: SparkSession, make_settings: Callable[..., Settings]
) -> None:
    line = "yeah go running bridges"
    assert words_of(spark, [line], make_settings("text.stem=true")) == [["go", "run", "bridg"]]
    assert words_of(spark, [line], make_settings("text.min_token_length=3")) == [["running", "bridges"]]
    long = make_settings("text.fillers=[mmm]", "text.stop_words=[grrrr]")
    assert words_of(spark, ["mmmmm grrr mmm bridges"], long) == [["bridges"]]
    bare = make_settings("text.fillers=[]", "text.stop_words=[running]")
    assert words_of(spark, [line], bare) == [["yeah", "go", "bridges"]]


PHRASES = [
    *(["broken", "heart", "road", f"w{i}"] for i in range(6)),
    *(["road", "heart", f"w{i}"] for i in range(6)),  # together as often as by chance
    *(["river", "river", "river", f"v{i}"] for i in range(6)),  # sung twice
    ["silver", "moon"] * 9,  # one song's phrase
    ["broken", "heart", "broken"],
    [],
    ["alone"],
]


def tokens_of(spark: SparkSession, songs: list[list[str]]) -> DataFrame:
    rows = [(f"s{i:02}", words, ["0"] * len(words)) for i, words in enumerate(songs)]
    return spark.createDataFrame(rows, "song_id string, tokens array<string>, line_numbers array<string>")


def test_phrases_are_added_after_their_words(
    spark: SparkSession, make_settings: Callable[..., Settings]
) -> None:
    tokens = tokens_of(spark, PHRASES)
    settings = make_settings("text.min_bigram_documents=5", "text.min_bigram_npmi=0.3").text
    assert fit_bigrams(tokens, len(PHRASES), settings) == ["broken_heart"]
    assert fit_bigrams(tokens.repartition(4), len(PHRASES), settings) == ["broken_heart"]
    joined = {
        row.song_id: row.tokens for row in add_bigrams(tokens, ["broken_heart", "silver_moon"]).collect()
    }
    assert joined["s00"] == ["broken", "heart", "broken_heart", "road", "w0"]
    assert joined["s06"] == PHRASES[6]
    assert joined["s18"][:5] == ["silver", "moon", "silver_moon", "silver", "moon"]
    assert joined["s19"] == ["broken", "heart", "broken_heart", "broken"]
    assert joined["s20"] == []
    assert joined["s21"] == ["alone"]


def test_a_phrase_does_not_cross_lines(spark: SparkSession, make_settings: Callable[..., Settings]) -> None:
    settings = make_settings("text.min_bigram_documents=5").text
    lyrics = [(f"s{i}", f"broken\nheart\n\nsilver moon {word}") for i, word in enumerate("abcdefgh")]
    lyrics += [(f"t{i}", "broken river") for i in range(8)]
    tokens = prepare_tokens(spark.createDataFrame(lyrics, "song_id string, lyrics string"), settings)
    assert fit_bigrams(tokens, len(lyrics), settings) == ["silver_moon"]
    row = add_bigrams(tokens, ["broken_heart", "silver_moon"]).orderBy("song_id").first()
    assert row is not None
    assert row.tokens == ["broken", "heart", "silver", "moon", "silver_moon"]


def test_bigrams_are_scored_as_gensim_does(
    spark: SparkSession, make_settings: Callable[..., Settings]
) -> None:
    chance = random.Random(3)
    songs = [list(dict.fromkeys(chance.choices("abcdefgh", k=6))) for _ in range(60)]  # each word once a song
    settings = make_settings(
        "text.min_bigram_documents=3", "text.min_bigram_npmi=0.0", "text.max_bigrams=1000"
    ).text
    expected = {}
    for first, second in itertools.permutations("abcdefgh", 2):
        both = sum((first, second) in set(itertools.pairwise(song)) for song in songs)
        if both >= 3:
            counts = (sum(word in song for song in songs) for word in (first, second))
            score = npmi_scorer(*counts, both, len(set("abcdefgh")), 3, len(songs))
            if score >= 0:
                expected[f"{first}_{second}"] = score
    tokens = tokens_of(spark, songs)
    found = fit_bigrams(tokens, len(songs), settings)
    assert set(found) == set(expected)
    assert [round(expected[pair], 6) for pair in found] == sorted(
        (round(score, 6) for score in expected.values()), reverse=True
    )
    two, none = (settings.model_copy(update={"max_bigrams": n}) for n in (2, 0))
    assert fit_bigrams(tokens, len(songs), two) == found[:2]
    assert fit_bigrams(tokens, len(songs), none) == []
    assert fit_bigrams(tokens_of(spark, []), 0, settings) == []


def test_the_step_makes_the_table_and_counts_its_phrases(
    table: Callable[..., DataFrame], make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings("text.min_bigram_documents=3").text
    songs = [{"song_id": f"s{i}", "lyrics": f"Broken heart\n{word}"} for i, word in enumerate("abcd")]
    lyrics = table(LYRICS, *songs, {"song_id": "other", "lyrics": "River"}, {"song_id": "null"})
    result = tokenize_lyrics(lyrics, settings, {"lyrics": 6})
    assert result.tokens.columns == TOKENS.column_names
    tokens = {row["song_id"]: row["tokens"] for row in as_rows(result.tokens)}
    assert tokens == {
        **{f"s{i}": ["broken", "heart", "broken_heart"] for i in range(4)},
        "other": ["river"],
        "null": [],
    }
    assert result.notes.warnings == ()
    assert result.notes.figures == {"bigrams": 1}


def test_an_empty_table_gives_an_empty_table_and_a_warning(
    table: Callable[..., DataFrame], settings: Settings
) -> None:
    result = tokenize_lyrics(table(LYRICS), settings.text, {"lyrics": 0})
    assert (result.tokens.columns, as_rows(result.tokens)) == (TOKENS.column_names, [])
    (warning,) = result.notes.warnings
    assert warning.startswith("there are no lyrics, so topics, keywords and the lyric index stay empty")
    assert result.notes.figures == {"bigrams": 0}


def test_order_and_partitions_change_nothing(spark: SparkSession, settings: Settings) -> None:
    rows = [(f"song-{i}", f"lantern number {chr(97 + i)}lpha don't") for i in range(12)]
    lyrics = spark.createDataFrame(rows, "song_id string, lyrics string")
    shuffled = spark.createDataFrame(rows[::-1], "song_id string, lyrics string").repartition(5)
    expected = sorted(prepare_tokens(lyrics, settings.text).collect())
    assert sorted(prepare_tokens(shuffled, settings.text).collect()) == expected
    assert expected[0].tokens == ["lantern", "number", "alpha"]


# letters, marks and signs up to Latin Extended, with what lyrics have most of
TEXT = st.text(st.one_of(st.sampled_from("aeint' \n'’-."), st.characters(max_codepoint=0x24F)), max_size=60)


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(lines=st.lists(TEXT, min_size=20, max_size=40))
def test_words_of_any_text(spark: SparkSession, settings: Settings, lines: list[str]) -> None:
    words = words_of(spark, lines, settings)
    stopped = set(stop_words(settings.text))
    for word in (word for song in words for word in song):
        assert all(unicodedata.category(character)[0] in "LM" for character in word)
        assert word == word.lower()
        assert len(word) >= settings.text.min_token_length
        assert word not in stopped
    # preparing words once more changes nothing
    assert words_of(spark, [" ".join(song) for song in words], settings) == words
