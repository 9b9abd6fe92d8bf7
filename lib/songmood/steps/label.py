"""The paper's rule (3.2): a song's mood is what its tags say clearly, or the song has none."""

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

# Each reason for which a song has no label, in the order they are asked, and what would mend it.
REASONS = {
    "no_tags": "put tags for them in the corpus' folder tags/",
    "no_emotion_tag": "add the emotion words they use to label.emotion_words",
    "too_few_tags": "lower label.min_tags",
    "no_mood_tag": "add the mood words they use to label.moods, or lower label.min_tag_weight",
    "not_in_top_k": "raise label.top_k",
    "tie": "their tags say two moods equally, so no setting mends it",
    "not_dominant": "lower label.epsilon",
}


# Other values of top_k and epsilon, to see what each would leave.
TOP_KS, EPSILONS = (1, 3, 5, 10), (0.0, 0.05, 0.1, 0.2, 0.3)


class Labeled(NamedTuple):
    """The songs with a label, the other songs with the reason, and what other rules would label."""

    labelled: DataFrame
    dropped: DataFrame
    label_choices: DataFrame
    shared: tuple[DataFrame, ...] = ()


def review(counts: Mapping[str, Counts], settings: LabelSettings) -> Notes:
    """Count the labels by mood, and warn where models cannot be trained on them."""
    moods = counts["labelled"].reasons
    figures = {"labels": {mood: moods.get(mood, 0) for mood in settings.moods}}
    warnings: tuple[str, ...] = ()
    if not moods:
        warnings = (why_no_labels(counts["dropped"].reasons),)
    elif len(moods) == 1:
        (mood,) = moods
        warnings = (f"all {moods[mood]:,} labels are {mood}: training needs songs of at least two moods",)
    return Notes(warnings, figures)


@step("label", "moods from tags, for training", review=review)
def label_songs(deduped: DataFrame, tags: DataFrame, settings: LabelSettings) -> Labeled:
    """Label each song of `deduped` by its `tags`, or say in `dropped` why not (paper 3.2).

    A mood's words are its name and its synonyms, of which the heaviest stands for it; they are never
    added up. A song is labelled with the mood of its heaviest mood word, if
    - it has min_tags tags or more. They are counted before light tags go, as the paper's sentence has
      it: few tags say that few people listened, however those tags weigh;
    - that word, among tags of min_tag_weight or more, is in the song's top_k. A tag as heavy as the
      k-th is in;
    - margin = (its weight - the heaviest word's of any other mood, else 0) / denominator >= epsilon.
      The paper prints '<=', but says 'dominates'. The denominator is the sum of all the song's tags
      ('all'), of those of min_tag_weight or more ('kept'), or the heaviest tag ('top').
    Of a mood's equally heavy words the alphabet's first is named. Reasons in `dropped`: REASONS.
    """
    judged = deduped.select("song_id").join(_evidence(tags, settings), "song_id", "left")
    best = F.get("moods", 0)
    other = F.get(F.filter("moods", lambda word: word["mood"] != best["mood"]), 0)
    lead = best["weight"] - F.coalesce(other["weight"], F.lit(0.0))
    denominator = F.col(f"weight_{settings.denominator}")
    # rounded, so that the order in which weights were added up cannot decide
    margin = F.when(denominator > 0, F.round(lead / denominator, 9)).otherwise(0.0)
    tests = {
        "no_tags": F.col("n_tags").isNull(),
        "no_emotion_tag": ~F.col("emotional"),
        "too_few_tags": F.col("n_tags") < settings.min_tags,
        "no_mood_tag": F.size("moods") == 0,
        "not_in_top_k": best["place"] > settings.top_k,
        "tie": (lead == 0) & other.isNotNull(),
        "not_dominant": margin < settings.epsilon,
    }
    settled = [test for reason, test in tests.items() if reason not in ("not_in_top_k", "not_dominant")]
    choices = _choices(
        judged.where(~reduce(or_, settled)).select(
            best["mood"].alias("mood"), best["place"].alias("place"), margin.alias("margin")
        ),
        settings,
    )
    decided = judged.select(
        "song_id",
        F.coalesce(*(F.when(tests[reason], reason) for reason in REASONS)).alias("drop_reason"),
        best["mood"].alias("mood"),
        best["tag"].alias("tag"),
        margin.alias("margin"),
    )
    reasons = decided.where("drop_reason IS NOT NULL").select(
        F.lit("label").alias("step"), "song_id", "drop_reason"
    )
    return Labeled(
        labelled=decided.where("drop_reason IS NULL").drop("drop_reason"),
        dropped=reasons,
        label_choices=choices,
        shared=(judged,),
    )


def _choices(songs: DataFrame, settings: LabelSettings) -> DataFrame:
    """Table `label_choices`: how many songs of each mood other values of top_k and epsilon would label."""
    grid = [
        (k, epsilon)
        for k in sorted({*TOP_KS, settings.top_k})
        for epsilon in sorted({*EPSILONS, settings.epsilon})
    ]
    tried = F.explode(
        F.array(*(F.struct(F.lit(k).alias("top_k"), F.lit(e).alias("epsilon")) for k, e in grid))
    )
    return (
        songs.select("*", tried.alias("tried"))
        .where("place <= tried.top_k AND margin >= tried.epsilon")
        .groupBy("tried.top_k", "tried.epsilon", "mood")
        .agg(F.count(F.lit(1)).alias("songs"))
    )


def why_no_labels(reasons: Mapping[str, int]) -> str:
    """One line for a run without labels, from the count of each drop reason: the commonest, and its cure."""
    if not reasons:
        return "no song has a label: there are no songs"
    reason, count = max(reasons.items(), key=lambda item: (item[1], item[0]))
    return (
        f"no song has a label: {reason} for {count:,} of {sum(reasons.values()):,} songs; {REASONS[reason]}"
    )


def _evidence(tags: DataFrame, settings: LabelSettings) -> DataFrame:
    """What a song's tags say: n_tags, emotional, the denominators, and its mood words, heaviest first."""
    words = {spelled(w): mood for mood, synonyms in settings.moods.items() for w in (mood, *synonyms)}
    mood = F.create_map(*chain.from_iterable((F.lit(w), F.lit(m)) for w, m in words.items()))[F.col("tag")]
    emotional: Column = F.lit(True)
    if settings.emotion_words:
        emotional = F.col("tag").isin(*words, *(spelled(w) for w in settings.emotion_words))
    kept = F.col("weight") >= settings.min_tag_weight
    heavier_first = Window.partitionBy("song_id").orderBy(F.desc("weight"))
    found = F.struct((-F.col("weight")).alias("minus_weight"), "tag", "weight", "mood", "place")
    return (
        tags.where("tag IS NOT NULL")
        .withColumns({"weight": F.coalesce("weight", F.lit(0.0)), "mood": mood})
        .withColumn("place", F.rank().over(heavier_first))
        .groupBy("song_id")
        .agg(
            F.count(F.lit(1)).alias("n_tags"),
            F.max(emotional).alias("emotional"),
            F.sum("weight").alias("weight_all"),
            F.sum(F.when(kept, F.col("weight"))).alias("weight_kept"),
            F.max("weight").alias("weight_top"),
            F.sort_array(F.collect_list(F.when(kept & F.col("mood").isNotNull(), found))).alias("moods"),
        )
    )
