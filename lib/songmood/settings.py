"""Typed settings. Their values, each with its reason, are in conf/base.yaml; there are no values here.

A run's settings are conf/base.yaml, then the files given with --conf, then each --set a.b=c.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from songmood.catalog import MODELS, NEURAL
from songmood.engine.settings import NO_EFFECT, RootSettings, Section, read_settings
from songmood.engine.upkeep import StoreSettings

# Modules whose values, not whose code, count for what a step's result depends on.
BY_VALUE = ("songmood.settings", "songmood.tables")

Share = Annotated[float, Field(ge=0, le=1)]
Similarity = Annotated[float, Field(ge=0, le=100)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Word = Annotated[str, Field(min_length=1)]
Weight = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values or len(set(values)) < len(values):
        raise ValueError("must list at least one value, without repeats")
    return values


Distinct = AfterValidator(_distinct)


class PathsSettings(Section):
    corpus: str | None
    warehouse: str | None


class DemoSettings(Section):
    songs: Annotated[int, Field(ge=200, le=2_000_000)]
    layout: Literal["csv", "api", "parquet"]
    parts: tuple[Literal["songs", "tags", "audio_features", "lyrics"], ...]
    messy: bool
    words_low: Count
    words_high: Count
    lyrics_ceiling: Share
    audio_ceiling: Share

    @model_validator(mode="after")
    def _settings_agree(self) -> DemoSettings:
        if self.words_low > self.words_high:
            raise ValueError("words_low is larger than words_high")
        if self.messy and self.layout == "api":
            raise ValueError("messy rows name their artists themselves, so layout must be csv or parquet")
        return self


class IngestSettings(Section):
    max_reject_share: Share
    max_line_mb: Annotated[int, Field(ge=1, le=1024)]

    @property
    def max_line_bytes(self) -> int:
        """The most bytes of a record."""
        return self.max_line_mb * 2**20


class FilterSettings(Section):
    required_ids: tuple[Literal["spotify_id", "lastfm_id"], ...]
    languages: tuple[str, ...]
    detect_language: bool
    min_language_probability: Share

    @property
    def detects(self) -> bool:
        """Whether the language of a song without one is detected; not needed where all languages are kept."""
        return self.detect_language and bool(self.languages)


class DedupeSettings(Section):
    unit: Literal["song", "recording"]
    max_length_gap_s: Annotated[float, Field(ge=0)]
    threshold: Share
    cohesion: Share
    prior_pairs: Count
    exact_window: Count
    block_window: Count
    max_component: Count
    max_album_songs: Count
    short_title: Count
    long_title: Count
    nameless_artists: tuple[str, ...]
    generic_titles: tuple[str, ...]


class EnrichSettings(Section):
    tags: tuple[Literal["files", "lastfm"], ...]
    audio_features: tuple[Literal["files", "spotify", "reccobeats"], ...]
    lyrics: tuple[Literal["files", "genius"], ...]
    min_title_similarity: Similarity
    min_artist_similarity: Similarity
    near_miss: Similarity
    max_candidates: Count
    max_pickle_mb: Count

    def sources(self, part: str) -> tuple[str, ...]:
        """The sources of a part, in the order of preference."""
        sources: tuple[str, ...] = getattr(self, part)
        return sources

    @property
    def services(self) -> list[str]:
        """The services that are switched on."""
        return [
            source
            for part in ("tags", "audio_features", "lyrics")
            for source in self.sources(part)
            if source != "files"
        ]


PerSecond = Annotated[float, Field(gt=0, le=1000)]


class ServiceSettings(Section):
    per_second: PerSecond
    url: str


class SpotifyServiceSettings(ServiceSettings):
    token_url: str


class GeniusServiceSettings(ServiceSettings):
    web_url: str


class FetchSettings(Section):
    cache: str | None
    max_requests: Count | None
    max_minutes: Annotated[float, Field(gt=0)] | None
    threads: Annotated[int, Field(ge=1, le=8)]
    tries: Count
    timeout_s: Annotated[float, Field(gt=0)]
    max_wait_s: Annotated[float, Field(ge=0)]
    max_failures: Count
    negative_days: Annotated[float, Field(ge=0)]
    give_up_after: Count
    lastfm: ServiceSettings
    spotify: SpotifyServiceSettings
    reccobeats: ServiceSettings
    genius: GeniusServiceSettings


def _one_of(names: Iterable[str]) -> AfterValidator:
    """As Literal, for names that a table elsewhere lists."""
    allowed = tuple(names)

    def check(name: str) -> str:
        if name not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return name

    return AfterValidator(check)


AnyModel = Annotated[str, _one_of(MODELS), Field(json_schema_extra={"enum": list(MODELS)})]
NeuralModel = Annotated[str, _one_of(NEURAL), Field(json_schema_extra={"enum": list(NEURAL)})]
Optimizer = Literal["adamw", "adagrad", "sgd", "sgd_momentum"]  # made in songmood.models.trainer


def spelled(word: str) -> str:
    """A mood's word as the table `tags` would have it."""
    return " ".join(word.lower().split())


class LabelSettings(Section):
    min_tags: Annotated[int, Field(ge=0)]
    min_tag_weight: Annotated[float, Field(ge=0, le=100)]
    top_k: Count
    epsilon: Share
    denominator: Literal["all", "kept", "top"]
    moods: dict[str, tuple[str, ...]]
    emotion_words: tuple[str, ...]

    @model_validator(mode="after")
    def _moods_are_apart(self) -> LabelSettings:
        words = [
            word for mood, synonyms in self.moods.items() for word in set(map(spelled, (mood, *synonyms)))
        ]
        twice = sorted({word for word in words if words.count(word) > 1})
        if twice:
            quoted = ", ".join(f"'{word}'" for word in twice)
            raise ValueError(f"{quoted} {'is' if len(twice) == 1 else 'are'} listed under more than one mood")
        if len(self.moods) < 2:
            raise ValueError("must have at least two moods")
        return self


class TextSettings(Section):
    min_token_length: Count
    collapse_repeated_lines: bool
    stem: bool
    stop_words: tuple[Word, ...]
    fillers: tuple[Word, ...]
    max_bigrams: Annotated[int, Field(ge=0)]
    min_bigram_documents: Count
    min_bigram_npmi: Share


class TopicsSettings(Section):
    models: Annotated[tuple[Literal["lda", "gsdmm", "dense"], ...], Field(min_length=1)]
    candidates: Annotated[tuple[Count, ...], Distinct]
    passes: Annotated[tuple[Count, ...], Distinct]
    starts: Count
    alphas: Annotated[tuple[Literal["symmetric", "asymmetric", "auto"] | Weight, ...], Distinct]
    etas: Annotated[tuple[Literal["symmetric", "auto"] | Weight, ...], Distinct]
    min_documents: Count
    max_document_shares: Annotated[tuple[Share, ...], Distinct]
    gsdmm_topics: Annotated[int, Field(ge=2)]
    gsdmm_passes: Count
    min_topic_songs: Annotated[int, Field(ge=2)]
    max_terms: Count
    fit_songs: Count
    terms_shown: Count


# What can run an encoder, with the precision of its numbers.
ENGINES = {"torch": "float32", "onnx": "float32", "torch_bf16": "bfloat16", "torch_fp16": "float16"}
FULL_PRECISION = "float32"


class EncoderSettings(Section):
    model: Annotated[str, NO_EFFECT]  # the input `encoder` stands for it, by its content
    read_by: Literal["line", "window"]
    max_line_words: Count
    pooling: Literal["mean", "max", "cls"]
    max_tokens: Count
    window_overlap: Annotated[int, Field(ge=0)]
    max_windows: Count
    engine: Literal["auto", "torch", "torch_bf16", "torch_fp16", "onnx"]
    min_agreement: Annotated[float, Field(ge=0, lt=1)]
    batch_tokens: Annotated[Count, NO_EFFECT]

    def reading(self) -> dict[str, Any]:
        """What the settings say of how a text is read, and not of which model reads it, or how fast."""
        return self.model_dump(mode="json", exclude={"model", "engine", "min_agreement", "batch_tokens"})

    def of_model(self, folder: Path, reading: dict[str, Any]) -> EncoderSettings:
        """The settings for the encoder of a trained model, which reads texts as it learned to."""
        return EncoderSettings.model_validate({**self.model_dump(), **reading, "model": str(folder)})


class TrainSettings(Section):
    models: tuple[AnyModel, ...]
    final_model: NeuralModel
    split_by: Literal["random", "artist"]
    test_share: Annotated[float, Field(ge=0.1, le=0.5, multiple_of=0.1)]
    fold: Annotated[int, Field(ge=0, le=9)]
    validation_share: Annotated[float, Field(ge=0.1, le=0.4, multiple_of=0.1)]
    max_songs: Count
    trained_layers: Annotated[int, Field(ge=-1)]
    epochs: Count
    batch_size: Count
    encoder_learning_rate: Annotated[float, Field(gt=0)]
    head_learning_rate: Annotated[float, Field(gt=0)]
    head_epochs: Count
    patience: Count
    hidden_size: Count
    dropout: Annotated[float, Field(ge=0, lt=1)]
    part_dropout: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: Annotated[float, Field(ge=0)]
    optimizer: Optimizer
    gradient_accumulation: Count
    class_weights: bool
    cross_fit: Annotated[int, Field(ge=0, le=10)]
    refit: bool
    bootstrap_samples: Count

    def tested(self, folds: int) -> float:
        """The share of the songs that this number of folds tests; above 1, some songs are tested twice."""
        return round(folds * self.test_share, 1)

    @model_validator(mode="after")
    def _final_is_trained(self) -> TrainSettings:
        if self.final_model not in self.models:
            raise ValueError(f"final_model {self.final_model} is not among models")
        return self

    @model_validator(mode="after")
    def _fold_is_there(self) -> TrainSettings:
        if self.tested(self.fold + 1) > 1:
            raise ValueError(
                f"fold {self.fold} does not exist: folds are numbered from 0, and each tests "
                f"{self.test_share:g} of the songs"
            )
        return self


class ReproduceSettings(Section):
    models: tuple[AnyModel, ...]
    folds: Annotated[int, Field(ge=2, le=10)]
    seeds: Annotated[tuple[Seed, ...], Distinct]
    optimizers: dict[
        Optimizer,
        Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)],
    ]
    epochs: Count
    learning_models: tuple[AnyModel, ...]
    learning_shares: tuple[Annotated[float, Field(gt=0, lt=1)], ...]


class ScoreSettings(Section):
    min_probability: Share


class ClusterSettings(Section):
    dimensions: Count
    neighbors: Annotated[int, Field(ge=2)]
    min_distance: Share
    map_min_distance: Share
    fit_songs: Count
    k_candidates: tuple[Annotated[int, Field(ge=2)], ...]
    min_cluster_songs: Count
    silhouette_songs: Count
    silhouette_margin: Annotated[float, Field(ge=0)]
    min_stability: Share
    weights: dict[Literal["mood", "lyrics", "audio"], Annotated[float, Field(ge=0, allow_inf_nan=False)]]
    terms_shown: Count

    @model_validator(mode="after")
    def _has_features(self) -> ClusterSettings:
        if not any(self.weights.values()):
            raise ValueError("weights must have one above 0")
        return self


RecommendPart = Literal["words", "lyrics", "mood", "audio", "cluster"]


class IndexSettings(Section):
    min_documents: Count
    max_document_share: Share
    max_postings: Count
    keywords_per_song: Count
    keyword_variety: Share
    bm25_k1: Annotated[float, Field(ge=0)]
    bm25_b: Share


class RecommendSettings(Section):
    top_n: Count
    max_per_artist: Count
    variety: Share
    min_score: Annotated[float, Field(allow_inf_nan=False)] | None
    same_mood: bool
    max_years_apart: Annotated[int, Field(ge=0)] | None
    popularity: Literal["any", "popular", "deep_cuts"]
    words: Literal["tfidf", "bm25"]
    weights: dict[RecommendPart, Annotated[float, Field(ge=0, allow_inf_nan=False)]]
    fit_weights: bool
    start_seeds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    min_tag_similarity: Share
    word_candidates: Annotated[int, Field(ge=0)]
    keyword_candidates: Annotated[int, Field(ge=0)]
    vector_candidates: Annotated[int, Field(ge=0)]
    query_terms: Count
    postings_per_term: Count
    near_songs: Count
    cell_songs: Annotated[int, Field(ge=10)]
    sample_songs: Annotated[int, Field(ge=10)]
    measured_songs: Annotated[int, Field(ge=10)]
    exact_seeds: Annotated[int, Field(ge=0)]
    bootstrap_samples: Count

    @model_validator(mode="after")
    def _can_rank(self) -> RecommendSettings:
        if not any(self.weights.values()):
            raise ValueError("weights must have one above 0")
        if not (self.word_candidates or self.keyword_candidates or self.vector_candidates):
            raise ValueError(
                "one of word_candidates, keyword_candidates and vector_candidates must be above 0"
            )
        return self


class ReportSettings(Section):
    map_songs: Count
    seed_songs: Count
    recommendations: Count


class Settings(RootSettings):
    seed: Seed
    paths: PathsSettings
    demo: DemoSettings
    ingest: IngestSettings
    filter: FilterSettings
    dedupe: DedupeSettings
    enrich: EnrichSettings
    fetch: FetchSettings
    label: LabelSettings
    text: TextSettings
    topics: TopicsSettings
    encoder: EncoderSettings
    train: TrainSettings
    reproduce: ReproduceSettings
    score: ScoreSettings
    cluster: ClusterSettings
    index: IndexSettings
    recommend: RecommendSettings
    report: ReportSettings
    store: StoreSettings


def load_settings(base: Path, overrides: Iterable[Path] = (), single: Iterable[str] = ()) -> Settings:
    """The settings of a file of defaults, then of the files `overrides`, then of each 'section.name=value'.

    Raises UserError, in one line; see songmood.engine.settings.read_settings.
    """
    return read_settings(Settings, base, overrides, single, whole=("label.moods", "reproduce.optimizers"))
