"""What each cluster is: its size, terms, moods, sound and typical songs, and a name made of these."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from songmood.audio import CONTINUOUS_AUDIO_FEATURES
from songmood.settings import ClusterSettings

_TYPICAL = 3  # songs
_NAMED_TERMS = 3
_CLEAR = 0.7  # the share of songs from which a mood is the cluster's


def describe_clusters(
    clusters: DataFrame,
    tokens: DataFrame,
    moods: DataFrame,
    audio_features: DataFrame,
    settings: ClusterSettings,
) -> DataFrame:
    """The table `cluster_profiles`, from the table `clusters`."""
    members = clusters.select("song_id", "cluster")
    sizes = (
        clusters.withColumn(
            "place", F.row_number().over(Window.partitionBy("cluster").orderBy("distance", "song_id"))
        )
        .groupBy("cluster")
        .agg(
            F.count(F.lit(1)).alias("songs"),
            _in_order(F.when(F.col("place") <= _TYPICAL, F.struct("place", "song_id")), "song_id").alias(
                "typical_songs"
            ),
        )
    )
    profile = (
        sizes.join(_terms(members, tokens, settings), "cluster", "left")
        .join(_mood_shares(members, moods), "cluster", "left")
        .join(_sound(members, audio_features), "cluster", "left")
        .withColumn("terms", F.coalesce("terms", F.array().cast("array<string>")))
    )
    named = profile.withColumn("plain_name", _name())
    same = Window.partitionBy("plain_name").orderBy("cluster")
    number = F.row_number().over(same)
    return named.withColumn(
        "name",
        F.when(number == 1, F.col("plain_name")).otherwise(
            F.concat("plain_name", F.lit(" ("), number, F.lit(")"))
        ),
    ).drop("plain_name")


def _terms(members: DataFrame, tokens: DataFrame, settings: ClusterSettings) -> DataFrame:
    """The terms that tell a cluster from others, by class-based TF-IDF (Grootendorst 2022).

    The weight of a term is the square root of its share of the cluster's words, times ln((words + 1) /
    (uses + 0.5)), where words is the mean number of words of a cluster, and uses the term's number in all
    clusters; 0 if that is negative. Root and fraction keep words that every cluster has out of the names.
    """
    counts = (
        members.join(tokens, "song_id")
        .select("cluster", F.explode("tokens").alias("term"))
        .groupBy("cluster", "term")
        .agg(F.count(F.lit(1)).alias("uses"))
    )
    words = F.sum("uses").over(Window.partitionBy("cluster"))
    everywhere = F.sum("uses").over(Window.partitionBy("term"))
    mean = counts.groupBy("cluster").agg(F.sum("uses").alias("words")).agg(F.avg("words").alias("mean_words"))
    rarity = F.greatest(F.lit(0.0), F.log((F.col("mean_words") + 1) / (everywhere + 0.5)))
    weight = (F.sqrt(F.col("uses") / words) * rarity).alias("weight")
    weighed = counts.crossJoin(F.broadcast(mean)).select("cluster", "term", weight)
    place = F.row_number().over(Window.partitionBy("cluster").orderBy(F.desc("weight"), "term"))
    kept = weighed.withColumn("place", place).where(F.col("place") <= settings.terms_shown)
    return kept.groupBy("cluster").agg(_in_order(F.struct("place", "term"), "term").alias("terms"))


def _mood_shares(members: DataFrame, moods: DataFrame) -> DataFrame:
    counts = (
        members.join(moods.select("song_id", "mood"), "song_id")
        .where("mood IS NOT NULL")
        .groupBy("cluster", "mood")
        .agg(F.count(F.lit(1)).alias("songs"))
    )
    share = F.col("songs") / F.sum("songs").over(Window.partitionBy("cluster"))
    pairs = F.sort_array(F.collect_list(F.struct(F.col("mood"), F.col("share"))))
    return (
        counts.withColumn("share", share)
        .groupBy("cluster")
        .agg(F.map_from_entries(pairs).alias("mood_shares"))
    )


def _sound(members: DataFrame, audio_features: DataFrame) -> DataFrame:
    means = [F.round(F.avg(name), 4).alias(name) for name in CONTINUOUS_AUDIO_FEATURES]
    pairs = F.create_map(*(part for name in CONTINUOUS_AUDIO_FEATURES for part in (F.lit(name), F.col(name))))
    known = F.map_filter(pairs, lambda _, value: value.isNotNull())
    return (
        members.join(audio_features, "song_id")
        .groupBy("cluster")
        .agg(*means)
        .select("cluster", known.alias("sound"))
    )


def _in_order(structs: Column, field: str) -> Column:
    """One field of the structs of a group, in the order of the structs; null ones are left out."""
    return F.sort_array(F.collect_list(structs)).getField(field)


def _name() -> Column:
    """As 'sad: river, road, night': the mood of most songs, and the first terms."""
    entries = F.map_entries("mood_shares")
    clear = F.filter(entries, lambda entry: entry["value"] >= _CLEAR)
    mood = F.when(F.size(clear) > 0, F.element_at(clear, 1)["key"])
    mood = F.coalesce(mood, F.when(F.col("mood_shares").isNotNull(), F.lit("mixed moods")))
    terms = F.translate(F.concat_ws(", ", F.slice("terms", 1, _NAMED_TERMS)), "_", " ")
    number = F.concat(F.lit("cluster "), F.col("cluster"))
    return F.coalesce(F.nullif(F.concat_ws(": ", mood, F.nullif(terms, F.lit(""))), F.lit("")), number)
