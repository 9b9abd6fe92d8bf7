"""label: the mood of each song whose tags show one clearly (paper 3.2); the other songs have none."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from itertools import chain
from operator import or_
from typing import NamedTuple

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from songmood.engine.step import Counts, Notes, step
from songmood.settings import LabelSettings, spelled

# Each reason why a song has no label, in the order in which they are tested, and what would help.
REASONS = {
    "no_tags": "add tags to the corpus' folder tags/",
    "no_emotion_tag": "add the emotion words that their tags use to label.emotion_words",
    "too_few_tags": "lower label.min_tags",
    "no_mood_tag": "add the mood words that their tags use to label.moods, or lower label.min_tag_weight",
    "not_in_top_k": "raise label.top_k",
    "tie": "two moods have equal weight in their tags, and no setting changes that",
    "not_dominant": "lower label.epsilon",
}

# The other values of top_k and epsilon for which labels are counted.
TOP_KS, EPSILONS = (1, 3, 5, 10), (0.0, 0.05, 0.1, 0.2, 0.3)


class Labeled(NamedTuple):
    """The songs with a label, the reasons of the others, and the number of labels under other thresholds."""

    labelled: DataFrame
    dropped: DataFrame
    label_choices: DataFrame
    shared: tuple[DataFrame, ...] = ()


def review(counts: Mapping[str, Counts], settings: LabelSettings) -> Notes:
    """The number of labels by mood, and a warning if models cannot be trained on them."""
    moods = counts["labelled"].reasons
    tried = {"top_k": sorted({*TOP_KS, settings.top_k}), "epsilon": sorted({*EPSILONS, settings.epsilon})}
    figures = {"labels": {mood: moods.get(mood, 0) for mood in settings.moods}, "choices": tried}
    warnings: tuple[str, ...] = ()
    if not moods:
        warnings = (why_no_labels(counts["dropped"].reasons),)
    elif len(moods) == 1:
        (mood,) = moods
        warnings = (f"all {moods[mood]:,} labels are {mood}: training needs songs of at least two moods",)
    return Notes(warnings, figures)


@step("label", "moods from tags, for training", review=review)
def label_songs(deduped: DataFrame, tags: DataFrame, settings: LabelSettings) -> Labeled:
    """The mood of each song of `deduped` by its `tags`, or in `dropped` the reason why it has none.

    The words of a mood are its name and its synonyms. The heaviest of them stands for the mood; weights of
    synonyms are not added up, and of equally heavy words the first in the alphabet is named. A song is
    labelled with the mood of its heaviest mood word if
    - the song has at least min_tags tags. Light tags count, too, because the paper's reason is that few
      tags mean few listeners, and the weight of tags says nothing about that;
    - the word has at least the weight min_tag_weight, and it is among the song's top_k heaviest tags. A
      tag as heavy as the k-th is among them;
    - margin = (its weight - the heaviest word's weight of any other mood, else 0) / denominator is at
      least epsilon. The paper prints '<=', but writes 'dominates'. The denominator is the sum of all the
      song's weights ('all'), of those from min_tag_weight ('kept'), or the heaviest weight ('top').
    The reasons in `dropped` are those of REASONS.
    """
    judged = deduped.select("song_id").join(_summarize(tags, settings), "song_id", "left")
    best = F.get("moods", 0)
    rival = F.get(F.filter("moods", lambda word: word["mood"] != best["mood"]), 0)
    lead = best["weight"] - F.coalesce(rival["weight"], F.lit(0.0))
    denominator = F.col(f"weight_{settings.denominator}")
    # rounded, because a sum of weights depends in its last digits on their order
    margin = F.when(denominator > 0, F.round(lead / denominator, 9)).otherwise(0.0)
    tests = {
        "no_tags": F.col("n_tags").isNull(),
        "no_emotion_tag": ~F.col("emotional"),
        "too_few_tags": F.col("n_tags") < settings.min_tags,
        "no_mood_tag": F.size("moods") == 0,
        "not_in_top_k": best["place"] > settings.top_k,
        "tie": (lead == 0) & rival.isNotNull(),
        "not_dominant": margin < settings.epsilon,
    }
    thresholds = ("not_in_top_k", "not_dominant")
    has_mood = ~reduce(or_, (test for reason, test in tests.items() if reason not in thresholds))
    moods = judged.where(has_mood).select(
        best["mood"].alias("mood"), best["place"].alias("place"), margin.alias("margin")
    )
    decided = judged.select(
        "song_id",
        F.coalesce(*(F.when(tests[reason], reason) for reason in REASONS)).alias("drop_reason"),
        best["mood"].alias("mood"),
        best["tag"].alias("tag"),
        margin.alias("margin"),
    )
    dropped = decided.where("drop_reason IS NOT NULL")
    return Labeled(
        labelled=decided.where("drop_reason IS NULL").drop("drop_reason"),
        dropped=dropped.select(F.lit("label").alias("step"), "song_id", "drop_reason"),
        label_choices=_count_labels(moods, settings),
        shared=(judged,),
    )


def _count_labels(moods: DataFrame, settings: LabelSettings) -> DataFrame:
    """Table `label_choices`: how many songs of each mood each pair of top_k and epsilon would label.

    `moods` has mood, place and margin of each song with a heaviest mood word.
    """
    thresholds = [
        F.struct(F.lit(top_k).alias("top_k"), F.lit(epsilon).alias("epsilon"))
        for top_k in sorted({*TOP_KS, settings.top_k})
        for epsilon in sorted({*EPSILONS, settings.epsilon})
    ]
    return (
        moods.select("*", F.explode(F.array(*thresholds)).alias("threshold"))
        .where("place <= threshold.top_k AND margin >= threshold.epsilon")
        .groupBy("threshold.top_k", "threshold.epsilon", "mood")
        .agg(F.count(F.lit(1)).alias("songs"))
    )


def why_no_labels(reasons: Mapping[str, int]) -> str:
    """A line for a run without labels: the most frequent drop reason, and what would help."""
    if not reasons:
        return "no song has a label, because there are no songs"
    reason, count = max(reasons.items(), key=lambda item: (item[1], item[0]))
    songs = sum(reasons.values())
    return f"no song has a label: the reason for {count:,} of {songs:,} songs is {reason}; {REASONS[reason]}"


def _summarize(tags: DataFrame, settings: LabelSettings) -> DataFrame:
    """For each song n_tags, emotional (is a tag an emotion word?), the denominators, and its mood words.

    `moods` are the mood words of enough weight, the heaviest first.
    """
    words = {spelled(w): mood for mood, synonyms in settings.moods.items() for w in (mood, *synonyms)}
    mood = F.create_map(*chain.from_iterable((F.lit(w), F.lit(m)) for w, m in words.items()))[F.col("tag")]
    emotional: Column = F.lit(True)
    if settings.emotion_words:
        emotional = F.col("tag").isin(*words, *(spelled(w) for w in settings.emotion_words))
    kept = F.col("weight") >= settings.min_tag_weight
    heaviest_first = Window.partitionBy("song_id").orderBy(F.desc("weight"))
    word = F.struct((-F.col("weight")).alias("minus_weight"), "tag", "weight", "mood", "place")
    return (
        tags.where("tag IS NOT NULL")
        .withColumns({"weight": F.coalesce("weight", F.lit(0.0)), "mood": mood})
        .withColumn("place", F.rank().over(heaviest_first))
        .groupBy("song_id")
        .agg(
            F.count(F.lit(1)).alias("n_tags"),
            F.max(emotional).alias("emotional"),
            F.sum("weight").alias("weight_all"),
            F.sum(F.when(kept, F.col("weight"))).alias("weight_kept"),
            F.max("weight").alias("weight_top"),
            F.sort_array(F.collect_list(F.when(kept & F.col("mood").isNotNull(), word))).alias("moods"),
        )
    )
