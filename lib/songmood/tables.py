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


SONG_ID = Column("song_id", STRING, "the song: its song_id in deduped")

SONG_COLUMNS = (
    Column("song_id", STRING, "the record's id: WASABI's _id"),
    Column("artist", STRING, "the artist, as the record writes the name"),
    Column("title", STRING, "the title, as the record writes it"),
    Column("album", STRING, "the album's title"),
    Column("album_id", STRING, "the id of the album's record in WASABI"),
    Column("track_number", INT, "the position on the album, 1 to 999"),
    Column("year", INT, "the year in which the album was published, 1500 to 2039"),
    Column("spotify_id", STRING, "Spotify's id of the track, 22 letters and digits"),
    Column("lastfm_id", STRING, "the Million Song Dataset's track id, or the song's address at Last.fm"),
    Column("isrc", STRING, "the recording's International Standard Recording Code, without hyphens"),
    Column("musicbrainz_id", STRING, "MusicBrainz's id of the song"),
    Column("language", STRING, "the language as a lower-case English name, such as english"),
    Column("duration_s", DOUBLE, "the length in seconds, above 0"),
    Column("popularity", LONG, "WASABI's rank, which is Deezer's: a higher number is better known"),
)
# The ids under which others know a recording, if they know it.
OTHER_IDS = ("isrc", "musicbrainz_id", "spotify_id", "lastfm_id")

_PROBABILITY = "BETWEEN 0 AND 1.000001"

SONGS = Table(
    "songs", "Every song record that was read: one row for each song and album.", ("song_id",), SONG_COLUMNS
)
REJECTS = Table(
    "rejects",
    "The records of all parts of the corpus that cannot be read or used, with the reason.",
    ("source", "record_hash"),
    (
        Column("source", STRING, "the file, from its part on, such as songs/more.jsonl"),
        Column("record_hash", STRING, "SHA-256 of the record's text, 64 hexadecimal digits"),
        Column(
            "reason",
            STRING,
            "wrong_number_of_columns, unclosed_quote, broken_json, line_too_long; of songs no_song_id, "
            "no_id (an album or artist) and duplicate_song_id; of the other parts no_key (neither an id nor "
            "artist and title); of tags no_tag and bad_weight (not a number of at least 0)",
        ),
        Column("count", LONG, "how many times the file has this record, from 1"),
        Column(
            "raw", STRING, "the parts of the record that may be shown: no lyrics, at most 1,000 characters"
        ),
    ),
    checks=("length(raw) <= 1000",),
    reason="reason",
    reason_weight="count",
    example="source",
    shared=True,
)
CORPUS_LYRICS = Table(
    "corpus_lyrics",
    "Every row of the corpus' lyrics, cleaned. Restricted: never exported, logged or shown whole.",
    ("row_hash",),
    (
        Column(
            "row_hash", STRING, "SHA-256 of the row's ids, names, lyrics and fault, 64 hexadecimal digits"
        ),
        Column("song_id", STRING, "the song_id that the row names, if any"),
        Column("artist", STRING, "the artist that the row names, if any"),
        Column("title", STRING, "the title that the row names, if any"),
        Column("lyrics", STRING, "the cleaned text; null where nothing is left, and for a note"),
        Column(
            "fault",
            STRING,
            "why the text cannot be the lyrics of one song: empty, none yet, instrumental, too short, "
            "too long, list, several songs or essay; null if it can",
        ),
        Column("language", STRING, "the most probable language, as a lower-case English name"),
        Column("language_probability", DOUBLE, "the probability of that language, 0 to 1"),
    ),
    checks=(f"language_probability {_PROBABILITY}",),
    restricted=True,
)
FILTERED = Table(
    "filtered",
    "The songs with the required ids and languages. The language is the given one, or else a detected one.",
    ("song_id",),
    SONG_COLUMNS,
)
DROPPED = Table(
    "dropped",
    "The songs that a step did not keep, with the reason. Dropped by label means: not used for training.",
    ("step", "song_id"),
    (
        Column("step", STRING, "the step that dropped the song: filter or label"),
        Column("song_id", STRING, "the song: its song_id in songs"),
        Column(
            "drop_reason",
            STRING,
            "the first reason that applies. filter: no_spotify_id, no_lastfm_id, other_language or "
            "no_language. label: no_tags, no_emotion_tag, too_few_tags, no_mood_tag, not_in_top_k, tie or "
            "not_dominant",
        ),
    ),
    checks=("drop_reason IS NOT NULL",),
    reason="drop_reason",
    shared=True,
)
_COMPARISONS = {
    "name": "how artist and title compare, from 'title, other artist' to 'same title and artist'",
    "album": "how the albums compare: unknown, differs or same",
    "year": "how the years compare: unknown, differs, near (two years at most) or same",
    "length": "how the lengths compare: unknown, differs, near (ten seconds at most) or same (two at most)",
    "language": "how the languages compare: unknown, differs or same",
    "ids": "how many of the four ids agree: unknown, differ, one agrees or two agree",
}
DEDUPED = Table(
    "deduped",
    "One row for each song: the representative of each duplicate group.",
    ("song_id",),
    (*SONG_COLUMNS, Column("version_count", INT, "how many records the group has, from 1")),
    checks=("version_count >= 1",),
)
DUPLICATES = Table(
    "duplicates",
    "The records that were merged into a representative.",
    ("song_id",),
    (
        Column("song_id", STRING, "the merged record: its song_id in filtered"),
        Column("representative_id", STRING, "the song that it was merged into: its song_id in deduped"),
        Column("similarity", DOUBLE, "the probability that both are one song, 0 to 1"),
        Column("match_reason", STRING, "how the names compare, and which other properties agree, in words"),
    ),
    checks=(f"similarity {_PROBABILITY}", "song_id <> representative_id"),
    reason="match_reason",
)
SONG_RECORDS = Table(
    "song_records",
    "The song that each filtered record belongs to, with the ids and names by which sources may know it.",
    ("record_id",),
    (
        Column("record_id", STRING, "the record: its song_id in filtered"),
        Column("song_id", STRING, "the song that it belongs to: its song_id in deduped"),
        Column("spotify_id", STRING, "the record's spotify_id"),
        Column("lastfm_id", STRING, "the record's lastfm_id"),
        Column("artist", STRING, "the record's artist"),
        Column("title", STRING, "the record's title"),
        Column("language", STRING, "the record's language"),
    ),
)
DUPLICATE_PAIRS = Table(
    "duplicate_pairs",
    "The pairs of records that were compared and whose names could be those of one song.",
    ("song_id", "other_id"),
    (
        Column("song_id", STRING, "the record with the smaller song_id"),
        Column("other_id", STRING, "the song_id of the other record"),
        Column("similarity", DOUBLE, "the probability that both are one song, 0 to 1"),
        *(Column(name, STRING, about) for name, about in _COMPARISONS.items()),
    ),
    checks=(f"similarity {_PROBABILITY}", "song_id < other_id"),
)
MATCH_WEIGHTS = Table(
    "match_weights",
    "The weight of each level of each comparison of two records, as dedupe learned it from the corpus.",
    ("comparison", "level"),
    (
        Column("comparison", STRING, "name, album, year, length, language or ids"),
        Column("level", STRING, "the result of the comparison, as in duplicate_pairs"),
        Column("m", DOUBLE, "the share of this level among the pairs that are one song, 0 to 1"),
        Column("u", DOUBLE, "the share of this level among the other pairs, 0 to 1"),
        Column("weight", DOUBLE, "log2(m / u), in bits; 0 for the level unknown"),
    ),
    checks=(f"m {_PROBABILITY}", f"u {_PROBABILITY}"),
)
TAGS = Table(
    "tags",
    "The tags of each song.",
    ("song_id", "tag"),
    (
        SONG_ID,
        Column("tag", STRING, "the tag in lower case, in one spelling"),
        Column("weight", DOUBLE, "0 to 100, relative to the song's heaviest tag; not a number of users"),
        Column("source", STRING, "files, or the service that it is from"),
    ),
    checks=("weight BETWEEN 0 AND 100",),
    distinct="song_id",
)
_FEATURES = {
    "acousticness": "confidence that the song is acoustic, 0 to 1",
    "danceability": "how suitable the song is for dancing, 0 to 1",
    "energy": "how intense and active the song is, 0 to 1",
    "instrumentalness": "confidence that the song has no vocals, 0 to 1",
    "key": "the pitch class, 0 (C) to 11 (B)",
    "liveness": "confidence that an audience is present, 0 to 1",
    "loudness": "the mean loudness in dB, -100 to 20",
    "mode": "0 (minor) or 1 (major)",
    "speechiness": "how much of the song is spoken, 0 to 1",
    "tempo": "beats per minute, above 0, to 500",
    "time_signature": "beats in a bar, 1 to 12",
    "valence": "how positive the song sounds, 0 to 1",
}
AUDIO = Table(
    "audio_features",
    "Spotify's audio features of each song. A value outside its range is null.",
    ("song_id",),
    (
        SONG_ID,
        *(
            Column(name, INT if name in DISCRETE_AUDIO_FEATURES else DOUBLE, _FEATURES[name])
            for name in AUDIO_FEATURES
        ),
        Column("source", STRING, "files, or the service that they are from"),
    ),
    checks=("valence BETWEEN 0 AND 1", "energy BETWEEN 0 AND 1"),
)
LYRICS = Table(
    "lyrics",
    "The cleaned lyrics of each song. Restricted: never exported, logged or shown whole.",
    ("song_id",),
    (
        SONG_ID,
        Column("lyrics", STRING, "the cleaned text, one sung line in each line"),
        Column("source", STRING, "files, or the service that they are from"),
        Column("match_title", STRING, "the title that the lyrics were found under; null if found by id"),
        Column("match_artist", STRING, "the artist that the lyrics were found under; null if found by id"),
        Column(
            "match_score",
            DOUBLE,
            "the mean similarity of title and artist, 0 to 100; null if found by id",
        ),
        Column(
            "fault",
            STRING,
            "for lyrics found by id: why they may not be those of one song, as in corpus_lyrics; null if "
            "they can be. Lyrics with a fault that were found by name are left out",
        ),
    ),
    checks=("match_score BETWEEN 0 AND 100",),
    restricted=True,
)
ENRICHMENT_FAILURES = Table(
    "enrichment_failures",
    "The tags, audio features and lyrics that a source could not give for a song, with the reason.",
    ("song_id", "source"),
    (
        SONG_ID,
        Column("source", STRING, "the part and the source, such as lyrics:files"),
        Column(
            "status",
            STRING,
            "not_found; no_match (a similar name: see last_error); of lyrics empty, instrumental or "
            "implausible; of services transient, permanent or not_asked",
        ),
        Column("http_status", INT, "the service's HTTP status, such as 404; null if there was none"),
        Column(
            "attempts",
            INT,
            "how many times the source was asked, over all runs: 1 for files; null if it was not asked",
        ),
        Column(
            "last_error",
            STRING,
            "the nearest name, the fault of the lyrics, or the service's error, in words",
        ),
        Column("fetched_at", T.TimestampType(), "when the service answered last; null for files"),
    ),
    reason="status",
)
LABELLED = Table(
    "labelled",
    "The songs whose tags show one mood clearly: the training set.",
    ("song_id",),
    (
        SONG_ID,
        Column("mood", STRING, "the label: one of label.moods"),
        Column("tag", STRING, "the tag that decided"),
        Column("margin", DOUBLE, "the lead over the best tag of any other mood, 0 to 1 (label.denominator)"),
    ),
    checks=(f"margin {_PROBABILITY}",),
    reason="mood",
)
TOKENS = Table(
    "tokens",
    "The prepared words of each song's lyrics, which topics, keywords and index share.",
    ("song_id",),
    (
        SONG_ID,
        Column(
            "tokens", STRINGS, "the words in the order sung; a pair such as broken_heart follows its words"
        ),
    ),
)
TOPICS = Table(
    "topics",
    "The topic distribution of each song.",
    ("song_id",),
    (
        SONG_ID,
        Column(
            "topic_weights", FLOATS, "the share of each topic, in the order of topic_terms; they sum to 1"
        ),
    ),
)
TOPIC_TERMS = Table(
    "topic_terms",
    "The top terms of each topic.",
    ("topic", "rank"),
    (
        Column("topic", INT, "the topic's number, from 0, the one with the most words first"),
        Column("rank", INT, "the term's rank in the topic, from 1"),
        Column("term", STRING, "a word, or a pair such as broken_heart"),
        Column(
            "weight", DOUBLE, "the term's probability in the topic, 0 to 1; its class TF-IDF for model dense"
        ),
    ),
)
TOPIC_SELECTION = Table(
    "topic_selection",
    "The topic models that were tried.",
    ("model", "topics", "alpha", "eta", "passes", "max_document_share"),
    (
        Column("model", STRING, "lda, gsdmm or dense"),
        Column("topics", INT, "the number of topics, from 1"),
        Column("alpha", STRING, "the prior of topics in a song: a name or a number; empty for model dense"),
        Column("eta", STRING, "the prior of words in a topic: a name or a number; empty for model dense"),
        Column("passes", INT, "passes over the songs; 0 for model dense"),
        Column("max_document_share", DOUBLE, "words in a larger share of the songs were left out, 0 to 1"),
        Column(
            "perplexity",
            DOUBLE,
            "the mean natural log likelihood of a held-out word (lda: gensim's bound), at most 0; higher is "
            "better; null for model dense",
        ),
        Column("coherence", DOUBLE, "c_v of the topics' 20 top terms, 0 to 1; higher is better"),
        Column("chosen", BOOLEAN, "true for the model that the other tables come from"),
    ),
)
LABEL_CHOICES = Table(
    "label_choices",
    "How many songs other values of label.top_k and label.epsilon would label.",
    ("top_k", "epsilon", "mood"),
    (
        Column("top_k", INT, "the value of label.top_k, from 1"),
        Column("epsilon", DOUBLE, "the value of label.epsilon, 0 to 1"),
        Column("mood", STRING, "the mood: one of label.moods"),
        Column("songs", LONG, "how many songs would have this mood, from 1"),
    ),
)
EMBEDDINGS = Table(
    "embeddings",
    "The plain encoder's embedding of each song's lyrics.",
    ("song_id",),
    (
        SONG_ID,
        Column("embedding", FLOATS, "a vector of length 1; 384 numbers with the embedded encoder"),
        Column("text_hash", STRING, "SHA-256 of the lyrics, 64 hexadecimal digits"),
        Column(
            "model_id",
            STRING,
            "the encoder: 16 hexadecimal digits of SHA-256 over its files, and -bfloat16 or -float16 if it "
            "computed with these",
        ),
        Column(
            "problem",
            STRING,
            "cut_off where the text goes on after encoder.max_windows, no_known_word where the encoder knows "
            "none of its word pieces, else null",
        ),
    ),
)
_METRICS = {
    "accuracy": "the share of songs whose mood is predicted correctly, 0 to 1",
    "precision": "of the mood happy where it is one of two, else the mean over moods; 0 to 1",
    "recall": "of the mood happy where it is one of two, else the mean over moods; 0 to 1",
    "f1": "macro-F1: the mean over moods, 0 to 1",
    "roc_auc": "area under the ROC curve, 0 to 1; null where a mood has no song",
    "log_loss": "the mean negative log of the probability of the label, in nats, from 0; lower is better",
    "calibration_error": "expected calibration error in ten bins, 0 to 1; lower is better",
}
METRICS = tuple(_METRICS)
MODEL_METRICS = Table(
    "model_metrics",
    "How well each model predicts the moods, by split.",
    ("model", "split"),
    (
        Column("model", STRING, "one of train.models"),
        Column("split", STRING, "validation or test"),
        *(Column(metric, DOUBLE, _METRICS[metric]) for metric in METRICS[:-1]),
        Column("n", LONG, "how many songs the split has, from 1"),
        Column("train_seconds", DOUBLE, "how long the model was trained, in seconds"),
        Column("seed", LONG, "the seed of the run"),
        *(Column(metric, DOUBLE, _METRICS[metric]) for metric in METRICS[-1:]),
        *(
            Column(f"{metric}_{end}", DOUBLE, f"the {bound} bound of {metric}'s bootstrap 95% interval")
            for metric in METRICS
            for end, bound in (("low", "lower"), ("high", "upper"))
        ),
        Column("compared_with", STRING, "the model before it in the comparison; null for the first"),
        Column(
            "mcnemar_p",
            DOUBLE,
            "the exact p-value, 0 to 1, of the hypothesis that both models are right equally often",
        ),
    ),
    checks=(f"accuracy {_PROBABILITY}",),
)
TRAINING_CURVES = Table(
    "training_curves",
    "The loss of each neural model while it was trained.",
    ("model", "optimizer", "step", "split"),
    (
        Column("model", STRING, "one of train.models"),
        Column("optimizer", STRING, "adamw, adagrad, sgd, sgd_momentum or adam"),
        Column("step", INT, "updates of the weights so far"),
        Column("loss", DOUBLE, "the mean cross-entropy, in nats, from 0"),
        Column("split", STRING, "train or validation"),
        Column("seed", LONG, "the seed of the run"),
    ),
)
MODEL_PREDICTIONS = Table(
    "model_predictions",
    "Each model's predictions for the songs that it has not learned from.",
    ("model", "song_id"),
    (
        Column("model", STRING, "one of train.models"),
        SONG_ID,
        Column("split", STRING, "validation or test"),
        Column("mood", STRING, "the label"),
        Column("predicted", STRING, "the most probable mood"),
        Column(
            "probabilities", T.MapType(STRING, FLOAT), "the probability of each mood, 0 to 1; they sum to 1"
        ),
        Column(
            "hidden",
            FLOATS,
            "the final model's hidden layer at the time when it was measured; null for other models",
        ),
    ),
)
MOODS = Table(
    "moods",
    "The final model's prediction for every song with lyrics or audio features, labelled or not.",
    ("song_id",),
    (
        SONG_ID,
        Column("mood", STRING, "the most probable mood: one of label.moods; null where no_mood says why"),
        Column(
            "probabilities", T.MapType(STRING, FLOAT), "the probability of each mood, 0 to 1; they sum to 1"
        ),
        Column(
            "no_mood",
            STRING,
            "why the song has no mood: low_probability (below score.min_probability), or no_basis (the model "
            "reads nothing that the song has); else null",
        ),
        Column(
            "basis",
            STRING,
            "what the mood rests on: lyrics, audio or both; null if the model reads nothing of the song",
        ),
        Column("learned", BOOLEAN, "whether the model has learned from a label of this song"),
        Column("p_happy", FLOAT, "the probability of happy, 0 to 1; null if happy is not one of the moods"),
        Column("hidden", FLOATS, "the final model's hidden layer"),
        Column("text_hash", STRING, "SHA-256 of the lyrics, 64 hexadecimal digits; null without lyrics"),
        Column("model_id", STRING, "the final model: 16 hexadecimal digits of SHA-256 over its files"),
    ),
    checks=(f"p_happy {_PROBABILITY}",),
    reason="mood",
)
CLUSTERS = Table(
    "clusters",
    "The cluster of each song and its place on the map.",
    ("song_id",),
    (
        SONG_ID,
        Column("cluster", INT, "the cluster's number, from 0, the largest first"),
        Column("x", FLOAT, "the place on the map, without unit"),
        Column("y", FLOAT, "the place on the map, without unit"),
        Column("umap", FLOATS, "the place in the space of the clusters (cluster.dimensions numbers)"),
        Column("distance", FLOAT, "from the cluster's center in that space, from 0"),
    ),
)
CLUSTER_SELECTION = Table(
    "cluster_selection",
    "The numbers of clusters that were tried, and what other algorithms find.",
    ("algorithm", "k"),
    (
        Column("algorithm", STRING, "kmeans, dbscan or hdbscan; the last two choose k themselves"),
        Column("k", INT, "the number of clusters, from 0"),
        Column(
            "distortion",
            DOUBLE,
            "kmeans: the sum of squared distances to the cluster's center, from 0; else null",
        ),
        Column(
            "silhouette",
            DOUBLE,
            "the mean silhouette of the songs in clusters, -1 to 1; higher is better; null for one cluster",
        ),
        Column(
            "stability",
            DOUBLE,
            "kmeans: the adjusted Rand index of the clusters of two seeds, 1 if they are the same; else null",
        ),
        Column("noise", DOUBLE, "the share of songs in no cluster, 0 to 1; 0 for kmeans"),
        Column("chosen", BOOLEAN, "true for the number that clusters has"),
    ),
)
CLUSTER_PROFILES = Table(
    "cluster_profiles",
    "What each cluster is.",
    ("cluster",),
    (
        Column("cluster", INT, "the cluster's number, as in clusters"),
        Column(
            "name",
            STRING,
            "the mood of most of its songs and its first terms, as in 'sad: river, road, night'",
        ),
        Column("songs", LONG, "how many songs it has, from 1"),
        Column(
            "terms",
            STRINGS,
            "the cluster.terms_shown terms that tell it from other clusters, by class-based TF-IDF, the best "
            "first",
        ),
        Column(
            "mood_shares", T.MapType(STRING, DOUBLE), "the share of each mood among its songs with a mood"
        ),
        Column(
            "sound",
            T.MapType(STRING, DOUBLE),
            "the mean of each continuous audio feature, in the feature's unit, over the songs that have it",
        ),
        Column("typical_songs", STRINGS, "the song_id of the three songs nearest to its center"),
    ),
)
KEYWORDS = Table(
    "keywords",
    "The terms that tell a song from others, by TF-IDF and by the encoder.",
    ("song_id", "term"),
    (
        SONG_ID,
        Column("term", STRING, "a word, or a phrase such as broken_heart"),
        Column("tfidf", DOUBLE, "the term's TF-IDF weight in the song, 0 to 1, as in postings"),
        Column(
            "bert_similarity",
            DOUBLE,
            "the cosine of the embeddings of the term and the song's lyrics, -1 to 1",
        ),
        Column("tfidf_rank", INT, "the rank by tfidf, from 1; null beyond index.keywords_per_song"),
        Column(
            "encoder_rank",
            INT,
            "the rank by bert_similarity and by being unlike the terms before it (index.keyword_variety), "
            "from 1; null beyond index.keywords_per_song",
        ),
    ),
    checks=("bert_similarity BETWEEN -1.000001 AND 1.000001",),
)
_TERM = Column("term", STRING, "a word, or a phrase such as broken_heart")
_TF = Column("tf", INT, "how many times the song has the term, from 1")
_WEIGHT = (
    "the term's TF-IDF weight in the song, 0 to 1: tf * idf, scaled so that the squares of a song's weights "
    "sum to 1"
)
LYRIC_INDEX = Table(
    "lyric_index",
    "An inverted index over lyrics: for each term its songs, those with the largest weights first.",
    ("term",),
    (
        _TERM,
        Column("document_frequency", LONG, "how many songs have the term, from index.min_documents"),
        Column("idf", DOUBLE, "ln((1 + songs) / (1 + document_frequency)) + 1, from 1"),
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
            "song_id, tf and weight of at most index.max_postings songs, as in postings",
        ),
    ),
    checks=("document_frequency >= size(postings)",),
)
POSTINGS = Table(
    "postings",
    "The index over lyrics as one row for each term and song, sorted by term, so that a query reads its "
    "terms only.",
    ("term", "song_id"),
    (
        _TERM,
        Column("place", INT, "the song's place among those with the term, the largest weight first, from 1"),
        SONG_ID,
        _TF,
        Column("weight", DOUBLE, _WEIGHT),
        Column(
            "bm25",
            DOUBLE,
            "the term's BM25 weight in the song, from 0: ln(1 + (songs - df + 0.5) / (df + 0.5)) * tf / (tf "
            "+ index.bm25_k1 * (1 - index.bm25_b + index.bm25_b * length / mean length))",
        ),
        Column("document_frequency", LONG, "how many songs have the term (df), from index.min_documents"),
    ),
    sorted_by=("term", "place"),
)
SONG_TERMS = Table(
    "song_terms",
    "The terms of each song in the index: postings by song, without index.max_postings.",
    ("song_id",),
    (
        SONG_ID,
        Column("terms", STRINGS, "the song's terms in alphabetical order"),
        Column("counts", T.ArrayType(INT), "how many times the song has each term"),
        Column("weights", T.ArrayType(DOUBLE), "the TF-IDF weight of each term, as in postings"),
        Column("bm25", T.ArrayType(DOUBLE), "the BM25 weight of each term, as in postings"),
        Column("keyword", T.ArrayType(BOOLEAN), "whether each term is a keyword of the song by the encoder"),
    ),
    checks=("size(terms) = size(weights)", "size(terms) = size(keyword)"),
)
_PART = "-1 to 1; null if a song has none"
RECOMMENDATIONS = Table(
    "recommendations",
    "For each song the songs most like it, with the reason. Of versions and covers of one song only one is "
    "listed, and none of the song itself.",
    ("seed_song_id", "rank"),
    (
        Column("seed_song_id", STRING, "the song that others are recommended for: its song_id in deduped"),
        Column("rank", INT, "the rank of the recommendation, from 1 to recommend.top_n"),
        Column("song_id", STRING, "the recommended song: its song_id in deduped"),
        Column(
            "score",
            DOUBLE,
            "the weighted mean of the similarities in words, lyrics, mood, audio features and cluster, in "
            "standard deviations from that of two songs drawn at random; a part that one song lacks adds 0",
        ),
        Column(
            "words_similarity",
            DOUBLE,
            "the cosine of the songs' TF-IDF weights, 0 to 1, or the BM25 score (recommend.words); null if a "
            "song has no terms",
        ),
        Column("lyrics_similarity", DOUBLE, f"the cosine of the centered embeddings of the lyrics, {_PART}"),
        Column(
            "mood_similarity", DOUBLE, f"the cosine of the centered hidden layers of the mood model, {_PART}"
        ),
        Column("audio_similarity", DOUBLE, f"the cosine of the standardized audio features, {_PART}"),
        Column("shared_terms", STRINGS, "at most five terms that both songs have, the most important first"),
        Column(
            "shared_sound",
            STRINGS,
            "at most two words for what the audio features have in common, as: calm, slow",
        ),
        Column("same_mood", BOOLEAN, "whether both songs have the same predicted mood; null if one has none"),
        Column("same_cluster", BOOLEAN, "whether both songs are in the same cluster; null if one is in none"),
        Column("reason", STRING, "why the song is recommended, in words"),
    ),
    checks=("seed_song_id <> song_id",),
)
SONGS_WITHOUT_RECOMMENDATIONS = Table(
    "songs_without_recommendations",
    "The songs that nothing is recommended for, and why.",
    ("song_id",),
    (
        SONG_ID,
        Column(
            "reason",
            STRING,
            "nothing_known (the song has no terms, no embedding, no mood and no audio features) or "
            "none_allowed (no song has a part in common that counts, or the settings leave none)",
        ),
    ),
    reason="reason",
)
MIX_CURVES = Table(
    "mix_curves",
    "The search for the weights of the recommendation's parts: the loss with one weight changed.",
    ("part", "weight"),
    (
        Column("part", STRING, "words, lyrics, mood, audio or cluster"),
        Column("weight", DOUBLE, "the weight tried, from 0, before the weights are scaled to sum to 1"),
        Column(
            "loss",
            DOUBLE,
            "the categorical cross-entropy on the validation songs, in nats, with what recommend.start_seeds "
            "adds",
        ),
        Column("chosen", BOOLEAN, "true for the weight with the smallest loss, which is used"),
    ),
)
RETRIEVAL_METRICS = Table(
    "retrieval_metrics",
    "How good the recommendations are. By mood, and by mood and tags, they are measured on test songs.",
    ("model", "relevance", "metric"),
    (
        Column(
            "model",
            STRING,
            "how songs are ranked: chance, popularity, tfidf, bm25, lyrics (the encoder's reading alone), "
            "mood probability (alone), equal weights (of the parts that songmood uses) or songmood",
        ),
        Column(
            "relevance",
            STRING,
            "which songs should be found: mood (those with the seed's label), mood_and_tags (of these, those "
            "with similar tags beside moods), artist_or_album (other songs of the artist or the album), "
            "exact (those of an exhaustive search), or none",
        ),
        Column(
            "metric",
            STRING,
            "precision, recall, ndcg; precision_gain_over_ another model; coverage, hubness, variety, "
            "repeats; weight_of_ a part",
        ),
        Column("value", DOUBLE, "the mean over seed songs; of weight_of_, the weight"),
        Column("k", INT, "the number of recommendations that count for each seed song; 0 for a weight"),
        Column("n_queries", LONG, "the number of seed songs; 0 for a weight"),
        Column("ci_low", DOUBLE, "the lower bound of the bootstrap 95% interval over artists; null if none"),
        Column("ci_high", DOUBLE, "the upper bound of the bootstrap 95% interval over artists; null if none"),
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
        CLUSTER_PROFILES,
        KEYWORDS,
        LYRIC_INDEX,
        POSTINGS,
        SONG_TERMS,
        RECOMMENDATIONS,
        SONGS_WITHOUT_RECOMMENDATIONS,
        MIX_CURVES,
        RETRIEVAL_METRICS,
    )
}

# The models that steps write and read, by name.
MODELS = {"mood_model": "the final mood model: safetensors, JSON and a model card"}
