"""The contract of every Parquet table songmood writes. Read this page first.

A table has a name, a key that is unique and never null, columns with types, and checks that are
counted while it is written (songmood.engine.table). Others build on names and columns: add, never rename.
"""

from __future__ import annotations

from pyspark.sql import types as T

from songmood.audio import AUDIO_FEATURES, DISCRETE_AUDIO_FEATURES
from songmood.engine.table import Column, Table

STRING, INT, LONG, FLOAT, DOUBLE, BOOLEAN = (
    T.StringType(),
    T.IntegerType(),
    T.LongType(),
    T.FloatType(),
    T.DoubleType(),
    T.BooleanType(),
)
STRINGS, FLOATS = T.ArrayType(STRING), T.ArrayType(FLOAT)


SONG_COLUMNS = (
    Column("song_id", STRING, "WASABI's _id"),
    Column("artist", STRING),
    Column("title", STRING),
    Column("album", STRING),
    Column("album_id", STRING),
    Column("year", INT, "of the album's publication"),
    Column("spotify_id", STRING, "22 characters"),
    Column("lastfm_id", STRING, "a Million Song Dataset track id, or the Last.fm address"),
    Column("isrc", STRING),
    Column("musicbrainz_id", STRING),
    Column("language", STRING, "lower-case English name, e.g. english"),
    Column("duration_s", DOUBLE, "seconds"),
    Column("popularity", LONG, "WASABI's rank (Deezer's): higher is better known"),
)

_PROBABILITY = "BETWEEN 0 AND 1.000001"

SONGS = Table("songs", "Every song record read, one row a song and album.", ("song_id",), SONG_COLUMNS)
REJECTS = Table(
    "rejects",
    "Records that could not be read, and why.",
    ("source", "record_hash"),
    (
        Column("source", STRING, "file"),
        Column("record_hash", STRING, "SHA-256 of the record's text"),
        Column("reason", STRING),
        Column("count", LONG, "how often this record stands in the file"),
        Column("raw", STRING, "what may be shown of the record: no lyrics, at most 1,000 characters"),
    ),
    checks=("length(raw) <= 1000",),
    reason="reason",
    reason_weight="count",
    example="source",
)
CORPUS_LYRICS = Table(
    "corpus_lyrics",
    "Every row of the corpus' lyrics, cleaned. Restricted: never exported, logged or shown whole.",
    ("row_hash",),
    (
        Column("row_hash", STRING, "SHA-256 of the other columns"),
        Column("song_id", STRING, "the id it is keyed by, if any"),
        Column("artist", STRING, "the artist it is keyed by, if any"),
        Column("title", STRING, "the title it is keyed by, if any"),
        Column("lyrics", STRING, "cleaned; null where nothing is left"),
        Column("fault", STRING, "why it may not be a lyric of one song; null for lyrics"),
        Column("language", STRING, "the most probable language, as a lower-case English name"),
        Column("language_probability", DOUBLE, "the probability of that language, 0 to 1"),
    ),
    checks=(f"language_probability {_PROBABILITY}",),
    restricted=True,
)
FILTERED = Table(
    "filtered",
    "Songs with the ids and languages asked for; the language is the one given, or else detected.",
    ("song_id",),
    SONG_COLUMNS,
)
DROPPED = Table(
    "dropped",
    "Songs a step did not keep, and why. Dropped by label means: not used for training.",
    ("step", "song_id"),
    (Column("step", STRING), Column("song_id", STRING), Column("drop_reason", STRING)),
    checks=("drop_reason IS NOT NULL",),
    reason="drop_reason",
    shared=True,
)
_COMPARISONS = ("name", "album", "year", "length", "language", "ids")
DEDUPED = Table(
    "deduped",
    "One row a song: the representative of each duplicate group.",
    ("song_id",),
    (*SONG_COLUMNS, Column("version_count", INT, "rows of the group, itself included")),
    checks=("version_count >= 1",),
)
DUPLICATES = Table(
    "duplicates",
    "Rows merged into a representative.",
    ("song_id",),
    (
        Column("song_id", STRING),
        Column("representative_id", STRING, "always in deduped"),
        Column("similarity", DOUBLE, "the probability that both are one song"),
        Column("match_reason", STRING, "how the names compare, and what else agrees"),
    ),
    checks=(f"similarity {_PROBABILITY}", "song_id <> representative_id"),
    reason="match_reason",
)
SONG_RECORDS = Table(
    "song_records",
    "Which song each filtered record belongs to, with what sources may know the record by.",
    ("record_id",),
    (
        Column("record_id", STRING, "the song_id of a row of filtered"),
        Column(
            "song_id",
            STRING,
            "the representative, always in deduped; the record itself if it has no duplicates",
        ),
        Column("spotify_id", STRING, "of the record"),
        Column("lastfm_id", STRING, "of the record"),
        Column("artist", STRING, "of the record"),
        Column("title", STRING, "of the record"),
        Column("language", STRING, "of the record"),
    ),
)
DUPLICATE_PAIRS = Table(
    "duplicate_pairs",
    "Pairs of rows that were compared and whose names could be one song's: what dedupe weighed.",
    ("song_id", "other_id"),
    (
        Column("song_id", STRING),
        Column("other_id", STRING),
        Column("similarity", DOUBLE, "the probability that both are one song"),
        *(Column(name, STRING, "how far it agrees") for name in _COMPARISONS),
    ),
    checks=(f"similarity {_PROBABILITY}", "song_id < other_id"),
)
MATCH_WEIGHTS = Table(
    "match_weights",
    "What each level of each comparison of two rows is worth in dedupe, as learned from the corpus.",
    ("comparison", "level"),
    (
        Column("comparison", STRING),
        Column("level", STRING),
        Column("m", DOUBLE, "its share among pairs that match"),
        Column("u", DOUBLE, "its share among the others"),
        Column("weight", DOUBLE, "log2(m / u), in bits; 0 where nothing is known"),
    ),
    checks=(f"m {_PROBABILITY}", f"u {_PROBABILITY}"),
)
TAGS = Table(
    "tags",
    "Tags of each song.",
    ("song_id", "tag"),
    (
        Column("song_id", STRING),
        Column("tag", STRING, "lower case"),
        Column("weight", DOUBLE, "0 to 100, relative to the song's top tag; not a count of users"),
        Column("source", STRING, "files, or a service"),
    ),
    checks=("weight BETWEEN 0 AND 100",),
    distinct="song_id",
)
AUDIO = Table(
    "audio_features",
    "Spotify's audio features.",
    ("song_id",),
    (
        Column("song_id", STRING),
        *(Column(name, INT if name in DISCRETE_AUDIO_FEATURES else DOUBLE) for name in AUDIO_FEATURES),
        Column("source", STRING),
    ),
    checks=("valence BETWEEN 0 AND 1", "energy BETWEEN 0 AND 1"),
)
LYRICS = Table(
    "lyrics",
    "Cleaned lyrics. Restricted: never exported, logged or shown whole.",
    ("song_id",),
    (
        Column("song_id", STRING),
        Column("lyrics", STRING),
        Column("source", STRING),
        Column("match_title", STRING, "the title the lyrics came under; null when keyed by id"),
        Column("match_artist", STRING),
        Column("match_score", DOUBLE, "0 to 100; null when keyed by id"),
        Column(
            "fault", STRING, "why it may be no lyric, of lyrics keyed by id; others with one are left out"
        ),
    ),
    checks=("match_score BETWEEN 0 AND 100",),
    restricted=True,
)
ENRICHMENT_FAILURES = Table(
    "enrichment_failures",
    "What a source could not give, and why.",
    ("song_id", "source"),
    (
        Column("song_id", STRING),
        Column("source", STRING),
        Column("status", STRING),
        Column("http_status", INT),
        Column("attempts", INT),
        Column("last_error", STRING),
        Column("fetched_at", T.TimestampType()),
    ),
    reason="status",
)
LABELLED = Table(
    "labelled",
    "Songs whose tags show one mood clearly: the training set.",
    ("song_id",),
    (
        Column("song_id", STRING),
        Column("mood", STRING),
        Column("tag", STRING, "the tag that decided"),
        Column("margin", DOUBLE, "lead over the best tag of another mood, 0 to 1"),
    ),
    checks=(f"margin {_PROBABILITY}",),
    reason="mood",
)
TOKENS = Table(
    "tokens",
    "The words of each song's lyrics, prepared; topics, keywords and index share them.",
    ("song_id",),
    (Column("song_id", STRING), Column("tokens", STRINGS)),
)
TOPICS = Table(
    "topics",
    "Topic distribution of each song.",
    ("song_id",),
    (Column("song_id", STRING), Column("topic_weights", FLOATS, "sums to 1")),
)
TOPIC_TERMS = Table(
    "topic_terms",
    "Top terms of each topic.",
    ("topic", "rank"),
    (
        Column("topic", INT),
        Column("rank", INT, "from 1"),
        Column("term", STRING),
        Column("weight", DOUBLE),
    ),
)
TOPIC_SELECTION = Table(
    "topic_selection",
    "The search for the topic model.",
    ("model", "topics", "alpha", "eta", "passes", "max_document_share"),
    (
        Column("model", STRING),
        Column("topics", INT),
        Column("alpha", STRING),
        Column("eta", STRING),
        Column("passes", INT),
        Column("max_document_share", DOUBLE),
        Column(
            "perplexity",
            DOUBLE,
            "log likelihood of a held-out word (LDA: gensim's bound); higher is better",
        ),
        Column("coherence", DOUBLE, "c_v"),
        Column("chosen", BOOLEAN),
    ),
)
LABEL_CHOICES = Table(
    "label_choices",
    "How many songs other values of label.top_k and label.epsilon would label.",
    ("top_k", "epsilon", "mood"),
    (
        Column("top_k", INT),
        Column("epsilon", DOUBLE),
        Column("mood", STRING),
        Column("songs", LONG),
    ),
)
EMBEDDINGS = Table(
    "embeddings",
    "The plain encoder's reading of each song's lyrics.",
    ("song_id",),
    (
        Column("song_id", STRING),
        Column("embedding", FLOATS, "length 1"),
        Column("text_hash", STRING, "SHA-256 of the lyrics"),
        Column("model_id", STRING),
    ),
)
METRICS = ("accuracy", "precision", "recall", "f1", "roc_auc", "log_loss", "calibration_error")
MODEL_METRICS = Table(
    "model_metrics",
    "How well each model tells the moods, by split.",
    ("model", "split"),
    (
        Column("model", STRING),
        Column("split", STRING),
        Column("accuracy", DOUBLE),
        Column("precision", DOUBLE, "of the positive mood (happy), or macro for more than two"),
        Column("recall", DOUBLE),
        Column("f1", DOUBLE, "macro"),
        Column("roc_auc", DOUBLE),
        Column("log_loss", DOUBLE),
        Column("n", LONG, "songs"),
        Column("train_seconds", DOUBLE),
        Column("seed", LONG),
        Column("calibration_error", DOUBLE, "expected, ten bins"),
        *(
            Column(f"{metric}_{end}", DOUBLE, "bootstrap 95% interval")
            for metric in METRICS
            for end in ("low", "high")
        ),
        Column("compared_with", STRING, "the model before it in the table"),
        Column("mcnemar_p", DOUBLE, "exact p-value that both are right equally often"),
    ),
    checks=(f"accuracy {_PROBABILITY}",),
)
TRAINING_CURVES = Table(
    "training_curves",
    "Loss by step.",
    ("model", "optimizer", "step", "split"),
    (
        Column("model", STRING),
        Column("optimizer", STRING),
        Column("step", INT),
        Column("loss", DOUBLE),
        Column("split", STRING, "train or validation"),
        Column("seed", LONG),
    ),
)
MODEL_PREDICTIONS = Table(
    "model_predictions",
    "What each model says of the songs it has not learned from.",
    ("model", "song_id"),
    (
        Column("model", STRING),
        Column("song_id", STRING),
        Column("split", STRING, "validation or test"),
        Column("mood", STRING, "the label"),
        Column("predicted", STRING),
        Column("probabilities", T.MapType(STRING, FLOAT)),
        Column("hidden", FLOATS, "of the final model, as it was when it was measured; null for others"),
    ),
)
MOODS = Table(
    "moods",
    "The final model's reading of every song with lyrics or audio features, labelled or not.",
    ("song_id",),
    (
        Column("song_id", STRING),
        Column("mood", STRING),
        Column("probabilities", T.MapType(STRING, FLOAT)),
        Column("p_happy", FLOAT),
        Column("hidden", FLOATS, "the final model's hidden layer"),
        Column("text_hash", STRING),
        Column("model_id", STRING),
    ),
    checks=(f"p_happy {_PROBABILITY}",),
    reason="mood",
)
CLUSTERS = Table(
    "clusters",
    "The cluster of each song and its place on the map.",
    ("song_id",),
    (
        Column("song_id", STRING),
        Column("cluster", INT),
        Column("x", FLOAT),
        Column("y", FLOAT),
        Column("umap", FLOATS, "10-D"),
    ),
)
CLUSTER_SELECTION = Table(
    "cluster_selection",
    "The search for the number of clusters.",
    ("k",),
    (
        Column("k", INT),
        Column("distortion", DOUBLE, "inertia"),
        Column("silhouette", DOUBLE),
        Column("chosen", BOOLEAN),
    ),
)
KEYWORDS = Table(
    "keywords",
    "The words that tell a song from others.",
    ("song_id", "term"),
    (
        Column("song_id", STRING),
        Column("term", STRING),
        Column("tfidf", DOUBLE),
        Column("bert_similarity", DOUBLE, "cosine of the term and the song, -1 to 1"),
    ),
    checks=("bert_similarity BETWEEN -1.000001 AND 1.000001",),
)
LYRIC_INDEX = Table(
    "lyric_index",
    "Inverted index over lyrics; postings highest weight first.",
    ("term",),
    (
        Column("term", STRING),
        Column("document_frequency", LONG),
        Column("idf", DOUBLE),
        Column(
            "postings",
            T.ArrayType(
                T.StructType(
                    [
                        T.StructField("song_id", STRING),
                        T.StructField("tf", INT),
                        T.StructField("weight", DOUBLE),
                    ]
                )
            ),
        ),
    ),
    checks=("document_frequency = size(postings)",),
)
SONG_TERMS = Table(
    "song_terms",
    "The terms of each song in the index, with their weights: lyric_index by song.",
    ("song_id",),
    (
        Column("song_id", STRING),
        Column("terms", STRINGS, "in alphabetical order"),
        Column("weights", T.ArrayType(DOUBLE), "of each term, as in lyric_index; their squares sum to 1"),
    ),
    checks=("size(terms) = size(weights)",),
)
RECOMMENDATIONS = Table(
    "recommendations",
    "For each song the songs most like it, and why.",
    ("seed_song_id", "rank"),
    (
        Column("seed_song_id", STRING),
        Column("rank", INT, "from 1"),
        Column("song_id", STRING),
        Column("score", DOUBLE),
        Column("lexical_score", DOUBLE, "TF-IDF cosine"),
        Column("semantic_score", DOUBLE, "cosine of the model's embeddings"),
        Column("shared_terms", STRINGS),
        Column("same_mood", BOOLEAN),
        Column("same_cluster", BOOLEAN),
        Column("reason", STRING),
    ),
    checks=("seed_song_id <> song_id",),
)
RETRIEVAL_METRICS = Table(
    "retrieval_metrics",
    "How good recommendations are.",
    ("model", "metric"),
    (
        Column("model", STRING),
        Column("metric", STRING),
        Column("value", DOUBLE),
        Column("k", INT),
        Column("semantic_weight", DOUBLE),
        Column("n_queries", LONG),
        Column("ci_low", DOUBLE),
        Column("ci_high", DOUBLE),
    ),
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        SONGS,
        REJECTS,
        CORPUS_LYRICS,
        FILTERED,
        DROPPED,
        DEDUPED,
        DUPLICATES,
        SONG_RECORDS,
        DUPLICATE_PAIRS,
        MATCH_WEIGHTS,
        TAGS,
        AUDIO,
        LYRICS,
        ENRICHMENT_FAILURES,
        LABELLED,
        LABEL_CHOICES,
        TOKENS,
        TOPICS,
        TOPIC_TERMS,
        TOPIC_SELECTION,
        EMBEDDINGS,
        MODEL_METRICS,
        TRAINING_CURVES,
        MODEL_PREDICTIONS,
        MOODS,
        CLUSTERS,
        CLUSTER_SELECTION,
        KEYWORDS,
        LYRIC_INDEX,
        SONG_TERMS,
        RECOMMENDATIONS,
        RETRIEVAL_METRICS,
    )
}

# The models that steps write and read, by name.
MODELS = {"mood_model": "the final mood model: safetensors, JSON and a model card"}
