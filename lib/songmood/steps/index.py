"""index: the keywords of each song, and an inverted index over lyrics, both by TF-IDF."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from songmood.encoder.udf import embedding_udf
from songmood.engine.spark import ship
from songmood.engine.step import Notes, step
from songmood.settings import EncoderSettings, IndexSettings


class Indexed(NamedTuple):
    """The index by term and by song, and the keywords of each song."""

    lyric_index: DataFrame
    song_terms: DataFrame
    keywords: DataFrame
    shared: tuple[DataFrame, ...] = ()
    notes: Notes = Notes()


@step("index", "keywords, and an inverted index over lyrics")
def index_songs(
    spark: SparkSession,
    tokens: DataFrame,
    embeddings: DataFrame,
    encoder: Path,
    settings: IndexSettings,
    encoder_settings: EncoderSettings,
    rows: Mapping[str, int],
) -> Indexed:
    """The tables `lyric_index`, `song_terms` and `keywords`."""
    warnings: tuple[str, ...] = ()
    if not rows["tokens"]:
        warnings = ("no lyrics, so no index: the corpus folder lyrics/ supplies lyrics",)
    term_weights = weigh_terms(tokens, settings)
    keywords = compare_keywords(
        choose_keywords(term_weights, settings),
        embeddings,
        embedding_udf(ship(spark, encoder), encoder_settings),
    )
    return Indexed(
        index_by_term(term_weights), index_by_song(term_weights), keywords, (term_weights,), Notes(warnings)
    )


def weigh_terms(tokens: DataFrame, settings: IndexSettings) -> DataFrame:
    """The weight of every word of every song: song_id, term, tf, document_frequency, idf, weight.

    Takes the table `tokens`. Words in fewer than `min_documents` songs, or in more than
    `max_document_share` of all songs, are left out. weight = tf * idf, scaled so that a song's
    squared weights sum to 1; idf = ln((1 + songs) / (1 + document_frequency)) + 1, as in
    scikit-learn's TfidfVectorizer. So the sum over shared words of weight * weight is the TF-IDF cosine.
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
        .where(F.col("document_frequency") >= settings.min_documents)
        .where(F.col("document_frequency") <= F.lit(settings.max_document_share) * F.col("songs"))
        .withColumn("idf", F.log((1 + F.col("songs")) / (1 + F.col("document_frequency"))) + 1)
        .drop("songs")
    )
    # summed in the order of the terms: the last bit of a sum depends on the order
    song = Window.partitionBy("song_id").orderBy("term")
    whole_song = song.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    raw = F.col("tf") * F.col("idf")
    return counts.join(vocabulary, "term").select(
        "song_id",
        "term",
        "tf",
        "document_frequency",
        "idf",
        (raw / F.sqrt(F.sum(raw * raw).over(whole_song))).alias("weight"),
    )


def index_by_term(term_weights: DataFrame) -> DataFrame:
    """The table `lyric_index`: for each term the songs that have it, heaviest first."""
    heaviest_first = F.sort_array(F.collect_list(F.struct((-F.col("weight")).alias("w"), "song_id", "tf")))
    return (
        term_weights.groupBy("term", "document_frequency", "idf")
        .agg(heaviest_first.alias("postings"))
        .withColumn("postings", F.transform("postings", _posting))
    )


def index_by_song(term_weights: DataFrame) -> DataFrame:
    """The table `song_terms`: for each song its terms in alphabetical order, with their weights."""
    by_term = F.sort_array(F.collect_list(F.struct("term", "weight"))).alias("terms")
    return (
        term_weights.groupBy("song_id")
        .agg(by_term)
        .select("song_id", F.col("terms.term").alias("terms"), F.col("terms.weight").alias("weights"))
    )


def choose_keywords(term_weights: DataFrame, settings: IndexSettings) -> DataFrame:
    """Each song's heaviest words: song_id, term, tfidf. Ties go by the alphabet."""
    heaviest = Window.partitionBy("song_id").orderBy(F.desc("weight"), "term")
    return (
        term_weights.withColumn("rank", F.row_number().over(heaviest))
        .where(F.col("rank") <= settings.keywords_per_song)
        .select("song_id", "term", F.col("weight").alias("tfidf"))
    )


def compare_keywords(
    keywords: DataFrame, embeddings: DataFrame, embed: Callable[[Column], Column]
) -> DataFrame:
    """Add bert_similarity, the cosine of a word's embedding and its song's: the table `keywords`.

    `embed` gives a text's embedding, of length 1 as those of the table `embeddings`; each distinct
    word is embedded once. A song without an embedding has null.
    """
    # an explicit number, because Spark would otherwise merge the few bytes of all words into one task
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
