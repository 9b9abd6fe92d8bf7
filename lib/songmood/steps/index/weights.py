"""The weight of each term in each song, by TF-IDF and by BM25, and the index by term and by song."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from songmood.settings import IndexSettings


def weigh_terms(tokens: DataFrame, settings: IndexSettings) -> DataFrame:
    """A row for each term of each song: song_id, term, tf, document_frequency, idf, weight, bm25.

    Takes the table `tokens`. Terms in fewer than `min_documents` songs, or in more than
    `max_document_share` of all songs, are left out.

    weight = tf * idf, scaled so that a song's squared weights sum to 1; idf = ln((1 + songs) / (1 +
    document_frequency)) + 1, as in scikit-learn's TfidfVectorizer. So the sum over shared terms of weight *
    weight is the TF-IDF cosine.

    bm25 = ln(1 + (songs - df + 0.5) / (df + 0.5)) * tf / (tf + k1 * (1 - b + b * length / mean length)), as
    in Lucene and bm25s (Kamphuis et al. 2020). The BM25 score of a song for a seed is the sum
    of its bm25 over all words of the seed. A song's length is the number of its words that are in the index.
    """
    songs = tokens.agg(F.count(F.lit(1)).alias("songs"))
    counts = (
        tokens.select("song_id", F.explode("tokens").alias("term"))
        .groupBy("song_id", "term")
        .agg(F.count(F.lit(1)).cast("int").alias("tf"))
    )
    vocabulary = (
        counts.groupBy("term")
        .agg(F.count(F.lit(1)).alias("document_frequency"), F.sum("tf").alias("uses"))
        .crossJoin(F.broadcast(songs))
        .where(F.col("document_frequency") >= settings.min_documents)
        .where(F.col("document_frequency") <= F.lit(settings.max_document_share) * F.col("songs"))
        .withColumn("idf", F.log((1 + F.col("songs")) / (1 + F.col("document_frequency"))) + 1)
    )
    mean_length = vocabulary.agg((F.sum("uses") / F.first("songs")).alias("mean_length"))
    # summed in the order of the terms: the last bit of a sum depends on the order
    song = Window.partitionBy("song_id").orderBy("term")
    whole_song = song.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    raw = F.col("tf") * F.col("idf")
    without = F.col("songs") - F.col("document_frequency") + 0.5
    length = F.sum("tf").over(whole_song) / F.col("mean_length")
    saturation = F.col("tf") + settings.bm25_k1 * (1 - settings.bm25_b + settings.bm25_b * length)
    rarity = F.log1p(without / (F.col("document_frequency") + 0.5))
    return (
        counts.join(vocabulary, "term")
        .crossJoin(F.broadcast(mean_length))
        .select(
            *("song_id", "term", "tf", "document_frequency", "idf"),
            (raw / F.sqrt(F.sum(raw * raw).over(whole_song))).alias("weight"),
            (rarity * F.col("tf") / saturation).alias("bm25"),
        )
    )


def place_postings(term_weights: DataFrame, settings: IndexSettings) -> DataFrame:
    """The table `postings`: for each term at most `max_postings` songs, those with the largest weights."""
    heaviest = Window.partitionBy("term").orderBy(F.desc("weight"), "song_id")
    placed = term_weights.withColumn("place", F.row_number().over(heaviest))
    return placed.where(F.col("place") <= settings.max_postings)


def fetch_left_out(frequencies: DataFrame, settings: IndexSettings) -> dict[str, dict[str, int]]:
    """What `max_postings` leaves out, for the manifest; nothing if it leaves out nothing.

    `frequencies` has the document_frequency of each term.
    """
    beyond = F.greatest(F.lit(0), F.col("document_frequency") - settings.max_postings)
    found = frequencies.agg(F.sum(beyond).alias("postings")).collect()[0].postings
    return {"left_out": {"index.max_postings": int(found)}} if found else {}


def index_by_term(postings: DataFrame) -> DataFrame:
    """The table `lyric_index`: for each term the songs that have it, the heaviest first."""
    in_order = F.sort_array(F.collect_list(F.struct("place", "song_id", "tf", "weight")))
    return (
        postings.groupBy("term", "document_frequency", "idf")
        .agg(in_order.alias("postings"))
        .withColumn("postings", F.transform("postings", _without_place))
    )


def index_by_song(term_weights: DataFrame) -> DataFrame:
    """For each song its terms in alphabetical order, and their numbers: terms, counts, weights, bm25."""
    by_term = F.sort_array(F.collect_list(F.struct("term", "tf", "weight", "bm25"))).alias("all")
    columns = {"terms": "term", "counts": "tf", "weights": "weight", "bm25": "bm25"}
    return (
        term_weights.groupBy("song_id")
        .agg(by_term)
        .select("song_id", *(F.col(f"all.{field}").alias(name) for name, field in columns.items()))
    )


def _without_place(entry: Column) -> Column:
    return F.struct(*(entry[name].alias(name) for name in ("song_id", "tf", "weight")))
