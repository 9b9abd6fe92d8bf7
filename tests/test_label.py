"""label: the paper's rule, with a song for each way to fail it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pyspark.sql import DataFrame

from conftest import as_rows
from songmood.engine.errors import UserError
from songmood.engine.step import Counts, Notes
from songmood.settings import LabelSettings, Settings
from songmood.steps.label import REASONS, Labeled, label_songs, review, why_no_labels
from songmood.tables import DEDUPED, DROPPED, LABEL_CHOICES, LABELLED, TAGS

MakeSettings = Callable[..., Settings]
Tags = dict[str, dict[str, float]]  # the weight of each tag of each song

# The published thresholds need many tags; with these, a few are enough.
SMALL = ("label.min_tags=3", "label.top_k=3", "label.denominator=kept")


@pytest.fixture
def tags_of(table: Callable[..., DataFrame]) -> Callable[[Tags], DataFrame]:
    """Makes the table `tags`."""

    def make(tags: Tags) -> DataFrame:
        return table(
            TAGS,
            *(
                {"song_id": song, "tag": tag, "weight": float(weight)}
                for song, weights in tags.items()
                for tag, weight in weights.items()
            ),
        )

    return make


@pytest.fixture
def label(table: Callable[..., DataFrame], tags_of: Callable[[Tags], DataFrame]) -> Callable[..., Labeled]:
    """Labels the songs that have tags, and more songs without: label(tags, settings.label, "song")."""

    def run(tags: Tags, settings: LabelSettings, *without_tags: str) -> Labeled:
        songs = table(DEDUPED, *({"song_id": song} for song in (*tags, *without_tags)))
        return label_songs(songs, tags_of(tags), settings)

    return run


Label = Callable[..., Labeled]


def reasons(result: Labeled) -> dict[str, str]:
    """The drop reason of each song that has one."""
    return {row["song_id"]: row["drop_reason"] for row in result.dropped.collect()}


GOLDEN = {"mellow": 7, "happy": 5, "calm": 5, "soothing": 2, "relax": 2, "warm": 2}


@pytest.mark.parametrize(("denominator", "margin"), [("all", 0.087), ("kept", 0.118), ("top", 0.286)])
def test_the_margin_by_each_denominator(
    label: Label, make_settings: MakeSettings, denominator: str, margin: float
) -> None:
    settings = make_settings(
        "label.moods={relaxed: [mellow, calm, soothing, relax, warm], happy: [happy]}",
        "label.min_tags=6",
        "label.epsilon=0.05",
        f"label.denominator={denominator}",
    )
    (row,) = as_rows(label({"s": GOLDEN}, settings.label).labelled)
    assert (row["mood"], row["tag"]) == ("relaxed", "mellow")
    assert row["margin"] == pytest.approx(margin, abs=0.0005)


def test_each_reason_for_no_label(label: Label, make_settings: MakeSettings) -> None:
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
    result = label(tags, make_settings(*SMALL).label, "no_tags")
    assert as_rows(result.labelled) == [
        {"song_id": "labelled", "mood": "happy", "tag": "happy", "margin": pytest.approx(80 / 170)}
    ]
    assert reasons(result) == {reason: reason for reason in REASONS} | {"light mood": "no_mood_tag"}


def test_light_tags_count_for_min_tags_but_not_for_the_margin(
    label: Label, make_settings: MakeSettings
) -> None:
    tags = {"s": {"happy": 4, "rock": 2, "pop": 1, "sad": 2}}
    (row,) = as_rows(label(tags, make_settings(*SMALL, "label.min_tags=4").label).labelled)
    assert row["margin"] == 1.0


def test_a_synonym_stands_for_its_mood_and_is_not_added_up(label: Label, make_settings: MakeSettings) -> None:
    tags = {
        "outranks": {"cheerful": 90, "happy": 30, "sad": 20},
        "never added": {"happy": 40, "cheerful": 40, "joyful": 40, "sad": 80},
        "equal synonyms": {"joyful": 60, "happy": 60, "cheerful": 60, "rock": 5},
    }
    rows = as_rows(label(tags, make_settings(*SMALL).label).labelled)
    assert [(r["song_id"], r["mood"], r["tag"]) for r in rows] == [
        ("equal synonyms", "happy", "cheerful"),
        ("never added", "sad", "sad"),
        ("outranks", "happy", "cheerful"),
    ]
    assert [r["margin"] for r in rows] == pytest.approx([60 / 185, 40 / 200, 70 / 140])


def test_a_tag_as_heavy_as_the_kth_is_in_the_top_k(label: Label, make_settings: MakeSettings) -> None:
    tags = {
        "tied with third": {"rock": 100, "pop": 90, "90s": 50, "happy": 50},
        "just below": {"rock": 100, "pop": 90, "90s": 50, "happy": 49},
    }
    result = label(tags, make_settings(*SMALL).label)
    assert [r["song_id"] for r in as_rows(result.labelled)] == ["tied with third"]
    assert reasons(result) == {"just below": "not_in_top_k"}


def test_a_margin_of_exactly_epsilon_is_enough(label: Label, make_settings: MakeSettings) -> None:
    tags = {"s": {"happy": 30, "sad": 20, "rock": 50}}
    assert label(tags, make_settings(*SMALL, "label.epsilon=0.1").label).labelled.count() == 1
    assert label(tags, make_settings(*SMALL, "label.epsilon=0.1001").label).labelled.count() == 0


def test_the_name_of_a_mood_is_one_of_its_words_in_any_spelling(
    label: Label, make_settings: MakeSettings
) -> None:
    settings = make_settings(*SMALL, "label.min_tags=1", "label.moods={Angry: [Pissed  Off], sad: []}")
    tags = {"a": {"angry": 50}, "b": {"pissed off": 50}, "c": {"sad": 50}}
    rows = as_rows(label(tags, settings.label).labelled)
    assert {r["song_id"]: r["mood"] for r in rows} == {"a": "Angry", "b": "Angry", "c": "sad"}


def test_a_word_of_two_moods_is_refused(make_settings: MakeSettings) -> None:
    with pytest.raises(UserError, match="'blue' is listed under more than one mood"):
        make_settings("label.moods={sad: [blue], blue: []}")


def test_two_tags_are_enough_if_the_settings_say_so(label: Label, make_settings: MakeSettings) -> None:
    tags = {"a": {"happy": 100, "rock": 50}, "b": {"sad": 100}}
    result = label(tags, make_settings("label.min_tags=1").label)
    assert {r["song_id"]: r["mood"] for r in as_rows(result.labelled)} == {"a": "happy", "b": "sad"}
    assert reasons(label(tags, make_settings("label.min_tags=2").label)) == {"b": "too_few_tags"}


def test_without_emotion_words_that_reason_is_not_tested(label: Label, make_settings: MakeSettings) -> None:
    tags = {"s": {"rock": 100, "pop": 50, "90s": 20}}
    settings = make_settings(*SMALL, "label.emotion_words=[]")
    assert reasons(label(tags, settings.label)) == {"s": "no_mood_tag"}


def test_dropped_has_the_rows_of_this_step_alone(label: Label, make_settings: MakeSettings) -> None:
    result = label({}, make_settings().label, "s")
    assert as_rows(result.dropped) == [{"step": "label", "song_id": "s", "drop_reason": "no_tags"}]
    assert result.dropped.columns == DROPPED.column_names


def test_null_and_empty_input(table: Callable[..., DataFrame], make_settings: MakeSettings) -> None:
    tags = table(
        TAGS,
        {"song_id": "s", "tag": "happy"},  # without a weight
        {"song_id": "s", "weight": 5.0},
        {"tag": "sad", "weight": 50.0},
    )
    settings = make_settings(*SMALL, "label.min_tags=1", "label.min_tag_weight=0").label
    result = label_songs(table(DEDUPED, song_id="s"), tags, settings)
    assert as_rows(result.labelled) == []  # a missing weight is 0 and leads no other
    assert reasons(result) == {"s": "not_dominant"}
    for rows in (tags, table(TAGS)):
        empty = label_songs(table(DEDUPED), rows, settings)
        assert (empty.labelled.columns, as_rows(empty.labelled)) == (LABELLED.column_names, [])
        assert (empty.dropped.columns, as_rows(empty.dropped)) == (DROPPED.column_names, [])
        assert (empty.label_choices.columns, as_rows(empty.label_choices)) == (LABEL_CHOICES.column_names, [])
    assert reasons(label_songs(table(DEDUPED, song_id="s"), table(TAGS), settings)) == {"s": "no_tags"}


def test_order_and_partitions_change_nothing(
    table: Callable[..., DataFrame], tags_of: Callable[[Tags], DataFrame], make_settings: MakeSettings
) -> None:
    words = ["happy", "cheerful", "sad", "melancholy", "rock", "pop", "love", "dark"]
    tags = {f"s{n}": {w: (n * (i + 3) * 7.3) % 100 for i, w in enumerate(words)} for n in range(40)}
    settings = make_settings(*SMALL, "label.epsilon=0.01").label
    songs, rows = table(DEDUPED, *({"song_id": song} for song in tags)), tags_of(tags)
    first = label_songs(songs, rows, settings)
    backwards = songs.orderBy("song_id", ascending=False)
    second = label_songs(backwards, rows.orderBy("weight").repartition(7, "tag"), settings)
    assert len(as_rows(first.labelled)) > 5
    assert as_rows(first.labelled) == as_rows(second.labelled)
    assert as_rows(first.dropped) == as_rows(second.dropped)
    assert as_rows(first.label_choices) == as_rows(second.label_choices)


def test_the_labels_of_other_thresholds_are_counted(label: Label, make_settings: MakeSettings) -> None:
    tags = {
        "clear": {"happy": 100, "rock": 20},
        "third": {"rock": 100, "pop": 90, "sad": 80},  # not first, and leads by 80 of 270
        "close": {"happy": 60, "sad": 50},  # leads by 10 of 110
        "tie": {"happy": 50, "sad": 50},
        "none": {"rock": 50},
    }
    settings = make_settings(*SMALL, "label.min_tags=1", "label.denominator=all").label
    result = label(tags, settings)
    songs = {(row.top_k, row.epsilon, row.mood): row.songs for row in result.label_choices.collect()}
    assert songs[1, 0.0, "happy"] == 2
    assert (1, 0.0, "sad") not in songs
    assert songs[3, 0.1, "happy"] == songs[3, 0.2, "happy"] == 1
    assert songs[3, 0.05, "happy"] == 2
    assert songs[3, 0.2, "sad"] == 1
    assert (3, 0.3, "sad") not in songs
    at_settings = {
        mood: n
        for (top_k, epsilon, mood), n in songs.items()
        if (top_k, epsilon) == (settings.top_k, settings.epsilon)
    }
    assert at_settings == {"happy": 1, "sad": 1}
    assert sorted(row.mood for row in result.labelled.collect()) == ["happy", "sad"]


# -- messages --------------------------------------------------------------------------------------


def test_the_line_about_missing_labels_names_the_most_frequent_reason() -> None:
    assert why_no_labels({"no_tags": 452, "too_few_tags": 3}) == (
        "no song has a label: the reason for 452 of 455 songs is no_tags; "
        "add tags to the corpus' folder tags/"
    )
    assert "lower label.min_tags" in why_no_labels({"too_few_tags": 3})
    assert why_no_labels({}) == "no song has a label, because there are no songs"


def test_labels_are_counted_by_mood_and_too_few_moods_are_warned_of(settings: Settings) -> None:
    def reviewed(moods: dict[str, int]) -> Notes:
        counts = {"labelled": Counts(sum(moods.values()), moods), "dropped": Counts(5, {"no_tags": 1})}
        return review(counts, settings.label)

    tried = {"choices": {"top_k": [1, 3, 5, 10], "epsilon": [0.0, 0.05, 0.1, 0.2, 0.3]}}
    assert reviewed({"happy": 3, "sad": 2}) == Notes((), {"labels": {"happy": 3, "sad": 2}, **tried})
    assert reviewed({"sad": 1200}) == Notes(
        ("all 1,200 labels are sad: training needs songs of at least two moods",),
        {"labels": {"happy": 0, "sad": 1200}, **tried},
    )
    none = {"labels": {"happy": 0, "sad": 0}, **tried}
    assert reviewed({}) == Notes((why_no_labels({"no_tags": 1}),), none)
