"""The search for a topic model: a sample of songs, vocabularies, and the choice among the candidates."""

from __future__ import annotations

from typing import Any

from gensim.corpora import Dictionary
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from songmood.engine.spark import sampled
from songmood.settings import TopicsSettings
from songmood.steps.topics.candidates import check_models, fit_candidates
from songmood.steps.topics.coherence import COHERENCE_TERMS, score_candidates
from songmood.steps.topics.infer import with_embeddings
from songmood.steps.topics.model import (
    Candidate,
    FittedTopics,
    Song,
    TopicModel,
    Vocabulary,
    count_words,
)

_HELD_OUT = 10  # one in this number of songs is kept from fitting, for the perplexity


def fit_topics(tokens: DataFrame, embeddings: DataFrame, settings: TopicsSettings, seed: int) -> FittedTopics:
    """Fit every model that the settings ask for, and choose the most coherent (see `_worth`).

    Takes the tables `tokens` and `embeddings`. At most `settings.fit_songs` songs come to the driver. A
    tenth of them is held out for the perplexity: gensim's per-word log bound
    (`LdaModel.log_perplexity`), as the paper's -6.72. Coherence is c_v (Röder et al. 2015) on the songs
    that the models are fitted on.
    """
    check_models(settings)
    seen = embeddings if "dense" in settings.models else None
    songs, figures = fetch_sample(tokens, seen, settings.fit_songs, seed)
    if not songs:
        problem = "no song has words, so no topics: the corpus folder lyrics/ supplies lyrics"
        return FittedTopics(None, (), problem)
    cut = len(songs) // _HELD_OUT
    held_out, fitted = songs[:cut], sorted(songs[cut:])  # the order counts: gensim learns as it reads
    vocabularies = [_vocabulary(fitted, share, settings) for share in settings.max_document_shares]
    models = fit_candidates(tokens.sparkSession, fitted, vocabularies, settings, seed)
    found = score_candidates(models, fitted, held_out)
    if not found:
        return FittedTopics(None, (), _problem(vocabularies, len(fitted), settings))
    best = max(range(len(found)), key=lambda i: (*_worth(*found[i]), -i))
    selection = tuple(candidate._replace(chosen=i == best) for i, (candidate, _) in enumerate(found))
    return FittedTopics(found[best][1], selection, figures=figures)


def fetch_sample(
    tokens: DataFrame, embeddings: DataFrame | None, songs: int, seed: int
) -> tuple[list[Song], dict[str, Any]]:
    """At most `songs` songs with words, in an order that depends on song_id and seed alone.

    Also a figure for the manifest: how many songs are left out.
    """
    place = F.xxhash64("song_id", F.lit(seed))
    chosen = sampled(tokens.where(F.size("tokens") > 0), "song_id", songs, seed)
    rows = with_embeddings(chosen.rows, embeddings).withColumn("place", place).collect()
    ordered = sorted(rows, key=lambda row: (row.place, row.song_id))
    found = [Song(row.song_id, row.tokens, row.embedding) for row in ordered]
    return found, chosen.left_out("topics.fit_songs")


def _vocabulary(songs: list[Song], share: float, settings: TopicsSettings) -> Vocabulary:
    dictionary = Dictionary(song.tokens for song in songs)
    dictionary.filter_extremes(settings.min_documents, share, settings.max_terms)
    return Vocabulary(share, dictionary, count_words(dictionary, [song.tokens for song in songs]))


def _problem(vocabularies: list[Vocabulary], songs: int, settings: TopicsSettings) -> str:
    """Why there is no model, in one line."""
    if any(len(vocabulary.dictionary) for vocabulary in vocabularies):
        return (
            f"no group of at least {settings.min_topic_songs} songs (topics.min_topic_songs) "
            "is a topic of its own: no topics"
        )
    shares = " or ".join(f"{share:.0%}" for share in settings.max_document_shares)
    return (
        f"no word is in at least {settings.min_documents} (topics.min_documents) and at most "
        f"{shares} (topics.max_document_shares) of {songs} songs: no topics"
    )


def _worth(candidate: Candidate, model: TopicModel) -> tuple[bool, bool, float]:
    """The order of candidates: by coherence, after those whose vocabulary has top terms for every topic.

    With fewer words topics share them, and the fewer the words, the more coherent the topics look.
    """
    enough = len(model.dictionary) >= COHERENCE_TERMS * candidate.topics
    return candidate.coherence is not None, enough, candidate.coherence or 0.0
