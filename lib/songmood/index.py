"""Keywords of each song and an inverted index over lyrics, both by TF-IDF."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from songmood import config


class Index(NamedTuple):
    """`term_weights` (song_id, term, tf, document_frequency, idf, weight) is what the index comes from."""

    lyric_index: DataFrame
    term_weights: DataFrame


def index_lyrics(tokens: DataFrame, conf: config.Index) -> Index:
    """Weigh every word of every song and turn the lists round, from songs' words to words' songs.

    Takes the table `tokens`. Words in fewer than `min_documents` songs, or in more than
    `max_document_share` of all songs, are left out. weight = tf * idf, scaled so that a song's
    squared weights sum to 1; idf = ln((1 + songs) / (1 + document_frequency)) + 1, as scikit-learn's
    TfidfVectorizer has it. So the sum over shared words of weight * weight is the TF-IDF cosine.
    """
    songs = tokens.agg(F.count(F.lit(1)).alias("songs"))
    counts = (
        tokens.select("song_id", F.explode("tokens").alias("term"))
        .groupBy("song_id", "term")
        .agg(F.count(F.lit(1)).cast("int").alias("tf"))
    )
    vocabulary = (
        counts.groupBy("term")
        .agg(F.count(F.lit(1)).alias("document_frequency"))
        .crossJoin(F.broadcast(songs))
        .where(F.col("document_frequency") >= conf.min_documents)
        .where(F.col("document_frequency") <= F.lit(conf.max_document_share) * F.col("songs"))
        .withColumn("idf", F.log((1 + F.col("songs")) / (1 + F.col("document_frequency"))) + 1)
        .drop("songs")
    )
    # summed in the order of the terms: the last bit of a sum hangs on its order
    song = Window.partitionBy("song_id").orderBy("term")
    whole_song = song.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    raw = F.col("tf") * F.col("idf")
    term_weights = counts.join(vocabulary, "term").select(
        "song_id",
        "term",
        "tf",
        "document_frequency",
        "idf",
        (raw / F.sqrt(F.sum(raw * raw).over(whole_song))).alias("weight"),
    )
    heaviest_first = F.sort_array(F.collect_list(F.struct((-F.col("weight")).alias("w"), "song_id", "tf")))
    lyric_index = (
        term_weights.groupBy("term", "document_frequency", "idf")
        .agg(heaviest_first.alias("postings"))
        .withColumn("postings", F.transform("postings", _posting))
    )
    return Index(lyric_index, term_weights)


def choose_keywords(term_weights: DataFrame, conf: config.Index) -> DataFrame:
    """Each song's heaviest words: song_id, term, tfidf. Ties go by the alphabet."""
    heaviest = Window.partitionBy("song_id").orderBy(F.desc("weight"), "term")
    return (
        term_weights.withColumn("rank", F.row_number().over(heaviest))
        .where(F.col("rank") <= conf.keywords_per_song)
        .select("song_id", "term", F.col("weight").alias("tfidf"))
    )


def compare_keywords(
    keywords: DataFrame, embeddings: DataFrame, embed: Callable[[Column], Column]
) -> DataFrame:
    """Add bert_similarity, the cosine of a word's embedding and its song's: the table `keywords`.

    `embed` gives a text's embedding, of length 1 as those of the table `embeddings`; each distinct
    word is embedded once. A song without an embedding has null.
    """
    # a number of its own, because Spark would join the few bytes of all words into one task
    tasks = int(str(keywords.sparkSession.conf.get("spark.sql.shuffle.partitions")))
    terms = keywords.select("term").distinct().repartition(tasks, "term")
    terms = terms.select("term", embed(F.col("term")).alias("term_embedding"))
    return (
        keywords.join(terms, "term")
        .join(embeddings.select("song_id", "embedding"), "song_id", "left")
        .select("song_id", "term", "tfidf", _dot("term_embedding", "embedding").alias("bert_similarity"))
    )


def _posting(entry: Column) -> Column:
    return F.struct(entry["song_id"].alias("song_id"), entry["tf"].alias("tf"), (-entry["w"]).alias("weight"))


def _dot(a: str, b: str) -> Column:
    products = F.zip_with(a, b, lambda x, y: x.cast("double") * y.cast("double"))
    return F.aggregate(products, F.lit(0.0), lambda total, product: total + product)
