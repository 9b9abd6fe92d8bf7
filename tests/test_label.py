"""label: the paper's rule, one row for each way a song can fail it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pyspark.sql import DataFrame, SparkSession

from conftest import as_rows
from songmood.engine.errors import UserError
from songmood.settings import Settings
from songmood.steps.label import REASONS, Labeling, label_songs, why_no_labels
from songmood.tables import DEDUPED, DROPPED, LABELLED, TAGS

Settings = Callable[..., Settings]

# The rule as published has thresholds; these make tables small enough to read.
SMALL = ("label.min_tags=3", "label.top_k=3", "label.denominator=kept")


def songs_of(spark: SparkSession, *song_ids: str) -> DataFrame:
    return spark.createDataFrame([(i,) for i in song_ids], "song_id string")


def tags_of(spark: SparkSession, tags: dict[str, dict[str, float]]) -> DataFrame:
    rows = [
        (song, tag, float(weight), "files")
        for song, of_song in tags.items()
        for tag, weight in of_song.items()
    ]
    return spark.createDataFrame(rows, TAGS.schema)


def label(
    spark: SparkSession, tags: dict[str, dict[str, float]], settings: Settings, *more_songs: str
) -> Labeling:
    none = spark.createDataFrame([], DROPPED.schema)
    return label_songs(songs_of(spark, *tags, *more_songs), tags_of(spark, tags), none, settings.label)


def reasons(result: Labeling) -> dict[str, str]:
    return {row["song_id"]: row["drop_reason"] for row in result.dropped.collect()}


GOLDEN = {"mellow": 7, "happy": 5, "calm": 5, "soothing": 2, "relax": 2, "warm": 2}


@pytest.mark.parametrize(("denominator", "margin"), [("all", 0.087), ("kept", 0.118), ("top", 0.286)])
def test_the_margin_by_each_denominator(
    spark: SparkSession, make_settings: Settings, denominator: str, margin: float
) -> None:
    settings = make_settings(
        "label.moods={relaxed: [mellow, calm, soothing, relax, warm], happy: [happy]}",
        "label.min_tags=6",
        "label.epsilon=0.05",
        f"label.denominator={denominator}",
    )
    (row,) = as_rows(label(spark, {"s": GOLDEN}, settings).labelled)
    assert (row["mood"], row["tag"]) == ("relaxed", "mellow")
    assert row["margin"] == pytest.approx(margin, abs=0.0005)


def test_each_reason_for_no_label(spark: SparkSession, make_settings: Settings) -> None:
    tags = {
        "labelled": {"happy": 100, "rock": 50, "sad": 20},
        "no_emotion_tag": {"rock": 100, "pop": 50, "90s": 20},
        "too_few_tags": {"happy": 100, "rock": 50},
        "no_mood_tag": {"rock": 100, "love": 50, "pop": 20},
        "light mood": {"rock": 100, "sad": 2, "pop": 20},
        "not_in_top_k": {"rock": 100, "pop": 50, "90s": 40, "happy": 30},
        "tie": {"rock": 100, "happy": 50, "sad": 50},
        "not_dominant": {"rock": 100, "happy": 50, "sad": 40},
    }
    result = label(spark, tags, make_settings(*SMALL), "no_tags")
    assert as_rows(result.labelled) == [
        {"song_id": "labelled", "mood": "happy", "tag": "happy", "margin": pytest.approx(80 / 170)}
    ]
    assert reasons(result) == {reason: reason for reason in REASONS} | {"light mood": "no_mood_tag"}


def test_light_tags_count_towards_min_tags_but_not_towards_the_margin(
    spark: SparkSession, make_settings: Settings
) -> None:
    tags = {"s": {"happy": 4, "rock": 2, "pop": 1, "sad": 2}}
    (row,) = as_rows(label(spark, tags, make_settings(*SMALL, "label.min_tags=4")).labelled)
    assert row["margin"] == 1.0


def test_a_synonym_stands_for_its_mood_and_is_not_added_up(
    spark: SparkSession, make_settings: Settings
) -> None:
    tags = {
        "outranks": {"cheerful": 90, "happy": 30, "sad": 20},
        "never added": {"happy": 40, "cheerful": 40, "joyful": 40, "sad": 80},
        "equal synonyms": {"joyful": 60, "happy": 60, "cheerful": 60, "rock": 5},
    }
    rows = as_rows(label(spark, tags, make_settings(*SMALL)).labelled)
    assert [(r["song_id"], r["mood"], r["tag"]) for r in rows] == [
        ("equal synonyms", "happy", "cheerful"),
        ("never added", "sad", "sad"),
        ("outranks", "happy", "cheerful"),
    ]
    assert [r["margin"] for r in rows] == pytest.approx([60 / 185, 40 / 200, 70 / 140])


def test_a_tag_as_heavy_as_the_kth_is_in(spark: SparkSession, make_settings: Settings) -> None:
    tags = {
        "tied with third": {"rock": 100, "pop": 90, "90s": 50, "happy": 50},
        "just below": {"rock": 100, "pop": 90, "90s": 50, "happy": 49},
    }
    result = label(spark, tags, make_settings(*SMALL))
    assert [r["song_id"] for r in as_rows(result.labelled)] == ["tied with third"]
    assert reasons(result) == {"just below": "not_in_top_k"}


def test_a_margin_of_exactly_epsilon_is_enough(spark: SparkSession, make_settings: Settings) -> None:
    tags = {"s": {"happy": 30, "sad": 20, "rock": 50}}
    assert label(spark, tags, make_settings(*SMALL, "label.epsilon=0.1")).labelled.count() == 1
    assert label(spark, tags, make_settings(*SMALL, "label.epsilon=0.1001")).labelled.count() == 0


def test_the_moods_name_is_one_of_its_words_in_any_spelling(
    spark: SparkSession, make_settings: Settings
) -> None:
    settings = make_settings(*SMALL, "label.min_tags=1", "label.moods={Angry: [Pissed  Off], sad: []}")
    tags = {"a": {"angry": 50}, "b": {"pissed off": 50}, "c": {"sad": 50}}
    rows = as_rows(label(spark, tags, settings).labelled)
    assert {r["song_id"]: r["mood"] for r in rows} == {"a": "Angry", "b": "Angry", "c": "sad"}


def test_one_word_in_two_moods_is_refused(make_settings: Settings) -> None:
    with pytest.raises(UserError, match="blue stands in more than one mood"):
        make_settings("label.moods={sad: [blue], blue: []}")


def test_two_tags_a_song_are_enough_where_settings_say_so(
    spark: SparkSession, make_settings: Settings
) -> None:
    tags = {"a": {"happy": 100, "rock": 50}, "b": {"sad": 100}}
    result = label(spark, tags, make_settings("label.min_tags=1"))
    assert {r["song_id"]: r["mood"] for r in as_rows(result.labelled)} == {"a": "happy", "b": "sad"}
    assert reasons(label(spark, tags, make_settings("label.min_tags=2"))) == {"b": "too_few_tags"}


def test_no_emotion_words_leaves_that_reason_out(spark: SparkSession, make_settings: Settings) -> None:
    tags = {"s": {"rock": 100, "pop": 50, "90s": 20}}
    assert reasons(label(spark, tags, make_settings(*SMALL, "label.emotion_words=[]"))) == {
        "s": "no_mood_tag"
    }


def test_dropped_keeps_the_rows_of_earlier_steps(spark: SparkSession, make_settings: Settings) -> None:
    earlier = [("filter", "x", "language"), ("label", "y", "stale")]
    dropped = spark.createDataFrame(earlier, DROPPED.schema)
    tags = tags_of(spark, {})
    result = label_songs(songs_of(spark, "s"), tags, dropped, make_settings().label)
    assert [tuple(r.values()) for r in as_rows(result.dropped)] == [
        ("filter", "x", "language"),
        ("label", "s", "no_tags"),
    ]


def test_null_and_empty_input(spark: SparkSession, make_settings: Settings) -> None:
    tags = spark.createDataFrame(
        [("s", "happy", None, None), ("s", None, 5.0, None), (None, "sad", 50.0, None)], TAGS.schema
    )
    none = spark.createDataFrame([], DROPPED.schema)
    settings = make_settings(*SMALL, "label.min_tags=1", "label.min_tag_weight=0")
    result = label_songs(songs_of(spark, "s"), tags, none, settings.label)
    assert as_rows(result.labelled) == []  # a weight that is not known leads nothing
    assert reasons(result) == {"s": "not_dominant"}
    empty = label_songs(spark.createDataFrame([], DEDUPED.schema), tags, none, settings.label)
    assert (empty.labelled.columns, empty.labelled.count()) == (LABELLED.column_names, 0)
    assert (empty.dropped.columns, empty.dropped.count()) == (DROPPED.column_names, 0)


def test_order_and_partitions_change_nothing(spark: SparkSession, make_settings: Settings) -> None:
    words = ["happy", "cheerful", "sad", "melancholy", "rock", "pop", "love", "dark"]
    tags = {f"s{n}": {w: (n * (i + 3) * 7.3) % 100 for i, w in enumerate(words)} for n in range(40)}
    none = spark.createDataFrame([], DROPPED.schema)
    settings = make_settings(*SMALL, "label.epsilon=0.01").label
    frame = tags_of(spark, tags)
    first = label_songs(songs_of(spark, *tags), frame, none, settings)
    second = label_songs(
        songs_of(spark, *reversed(tags)), frame.orderBy("weight").repartition(7, "tag"), none, settings
    )
    assert len(as_rows(first.labelled)) > 5
    assert as_rows(first.labelled) == as_rows(second.labelled)
    assert as_rows(first.dropped) == as_rows(second.dropped)


def test_what_other_rules_would_label(spark: SparkSession, make_settings: Settings) -> None:
    tags = {
        "clear": {"happy": 100, "rock": 20},
        "third": {"rock": 100, "pop": 90, "sad": 80},  # not first, and leads by 80 of 270
        "close": {"happy": 60, "sad": 50},  # leads by 10 of 110
        "tie": {"happy": 50, "sad": 50},
        "none": {"rock": 50},
    }
    settings = make_settings(*SMALL, "label.min_tags=1", "label.denominator=all").label
    found = label_songs(
        songs_of(spark, *tags), tags_of(spark, tags), spark.createDataFrame([], DROPPED.schema), settings
    )
    songs = {(row.top_k, row.epsilon, row.mood): row.songs for row in found.label_choices.collect()}
    assert songs[1, 0.0, "happy"] == 2
    assert (1, 0.0, "sad") not in songs
    assert songs[3, 0.1, "happy"] == songs[3, 0.2, "happy"] == 1
    assert songs[3, 0.05, "happy"] == 2
    assert songs[3, 0.2, "sad"] == 1
    assert (3, 0.3, "sad") not in songs
    chosen = {
        mood: n
        for (k, epsilon, mood), n in songs.items()
        if (k, epsilon) == (settings.top_k, settings.epsilon)
    }
    labelled = [row.mood for row in found.labelled.collect()]
    assert chosen == {mood: labelled.count(mood) for mood in set(labelled)}


def test_why_there_are_no_labels() -> None:
    line = why_no_labels({"no_tags": 452, "too_few_tags": 3})
    assert line == (
        "no song has a label: no_tags for 452 of 455 songs; put tags for them in the corpus' folder tags/"
    )
    assert "label.min_tags" in why_no_labels({"too_few_tags": 3})
    assert why_no_labels({}) == "no song has a label: there are no songs"
