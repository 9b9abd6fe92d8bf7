"""Typed configuration. The values, each with its reason, are in conf/base.yaml; none live here.

A run's settings are conf/base.yaml, then the files given with --conf, then each --set a.b=c.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from rapidfuzz import process

from songmood.errors import SongmoodError

Share = Annotated[float, Field(ge=0, le=1)]
Similarity = Annotated[float, Field(ge=0, le=100)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Word = Annotated[str, Field(min_length=1)]
Weight = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values or len(set(values)) < len(values):
        raise ValueError("needs a value or more, each once")
    return values


Distinct = AfterValidator(_distinct)


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Paths(Section):
    corpus: str | None
    warehouse: str | None


class Demo(Section):
    songs: Annotated[int, Field(ge=200, le=2_000_000)]
    layout: Literal["csv", "api", "parquet"]
    parts: tuple[Literal["songs", "tags", "audio_features", "lyrics"], ...]
    messy: bool
    words_low: Count
    words_high: Count
    lyrics_ceiling: Share
    audio_ceiling: Share

    @model_validator(mode="after")
    def _settings_agree(self) -> Demo:
        if self.words_low > self.words_high:
            raise ValueError("words_low is above words_high")
        if self.messy and self.layout == "api":
            raise ValueError("messy rows name artists of their own: layout must be csv or parquet")
        return self


class Ingest(Section):
    max_reject_share: Share
    max_line_mb: Annotated[int, Field(ge=1, le=1024)]


class Filter(Section):
    required_ids: tuple[Literal["spotify_id", "lastfm_id"], ...]
    languages: tuple[str, ...]
    detect_language: bool
    min_language_probability: Share

    @property
    def detects(self) -> bool:
        """Whether the languages of songs that have none are looked for: not where none is asked for."""
        return self.detect_language and bool(self.languages)


class Dedupe(Section):
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


class Enrich(Section):
    tags: tuple[Literal["files", "lastfm"], ...]
    audio_features: tuple[Literal["files", "spotify", "reccobeats"], ...]
    lyrics: tuple[Literal["files", "genius"], ...]
    min_title_similarity: Similarity
    min_artist_similarity: Similarity
    near_miss: Similarity
    max_candidates: Count
    max_pickle_mb: Count

    def sources(self, part: str) -> tuple[str, ...]:
        """Where a part comes from, in the order of preference."""
        sources: tuple[str, ...] = getattr(self, part)
        return sources

    @property
    def services(self) -> list[str]:
        """What is to be asked beside files."""
        return [
            s for part in ("tags", "audio_features", "lyrics") for s in self.sources(part) if s != "files"
        ]


PerSecond = Annotated[float, Field(gt=0, le=1000)]


class Service(Section):
    per_second: PerSecond
    url: str


class SpotifyService(Service):
    token_url: str


class GeniusService(Service):
    web_url: str


class Fetch(Section):
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
    lastfm: Service
    spotify: SpotifyService
    reccobeats: Service
    genius: GeniusService


Baseline = Literal["majority", "naive_bayes", "tfidf_logistic"]
NeuralModel = Literal[
    "base_network",
    "simple_bert",
    "fine_tuned_bert",
    "modified_tbert_lyrics_only",
    "modified_tbert_no_audio",
    "modified_tbert_no_topics",
    "modified_tbert",
    "fusion",
]
# In the order of the paper's table 1, what each is to beat before it.
MODELS: tuple[str, ...] = (*get_args(Baseline), *get_args(NeuralModel))


def spelled(word: str) -> str:
    """A mood's word as the table `tags` would have it."""
    return " ".join(word.lower().split())


class Label(Section):
    min_tags: Annotated[int, Field(ge=0)]
    min_tag_weight: Annotated[float, Field(ge=0, le=100)]
    top_k: Count
    epsilon: Share
    denominator: Literal["all", "kept", "top"]
    moods: dict[str, tuple[str, ...]]
    emotion_words: tuple[str, ...]

    @model_validator(mode="after")
    def _moods_are_apart(self) -> Label:
        words = [
            word for mood, synonyms in self.moods.items() for word in set(map(spelled, (mood, *synonyms)))
        ]
        twice = sorted({word for word in words if words.count(word) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} stands in more than one mood")
        if len(self.moods) < 2:
            raise ValueError("needs two moods or more")
        return self


class Text(Section):
    min_token_length: Count
    collapse_repeated_lines: bool
    stem: bool
    stop_words: tuple[Word, ...]
    fillers: tuple[Word, ...]
    max_bigrams: Annotated[int, Field(ge=0)]
    min_bigram_documents: Count
    min_bigram_npmi: Share


class Topics(Section):
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


class Encoder(Section):
    model: str
    read_by: Literal["line", "window"]
    max_line_words: Count
    pooling: Literal["mean", "max", "cls"]
    max_tokens: Count
    window_overlap: Annotated[int, Field(ge=0)]
    max_windows: Count
    batch_size: Count


class Train(Section):
    models: tuple[Baseline | NeuralModel, ...]
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
    optimizer: Literal["adamw", "adagrad", "sgd", "sgd_momentum"]
    gradient_accumulation: Count
    class_weights: bool
    cross_fit: Annotated[int, Field(ge=0, le=10)]
    refit: bool
    bootstrap_samples: Count

    def tested(self, folds: int) -> float:
        """The share of the songs that so many folds test; above 1 some are tested twice."""
        return round(folds * self.test_share, 1)

    @model_validator(mode="after")
    def _final_is_trained(self) -> Train:
        if self.final_model not in self.models:
            raise ValueError(f"final_model {self.final_model} is not among models")
        return self

    @model_validator(mode="after")
    def _fold_is_there(self) -> Train:
        if self.tested(self.fold + 1) > 1:
            raise ValueError(
                f"there is no fold {self.fold} of {self.test_share:g} of the songs: 0 is the first"
            )
        return self


class Reproduce(Section):
    models: tuple[Baseline | NeuralModel, ...]
    folds: Annotated[int, Field(ge=2, le=10)]
    seeds: Annotated[tuple[Seed, ...], Distinct]
    optimizers: dict[
        Literal["adamw", "adagrad", "sgd", "sgd_momentum"],
        Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)],
    ]
    epochs: Count
    learning_models: tuple[Literal["tfidf_logistic"] | NeuralModel, ...]
    learning_shares: tuple[Annotated[float, Field(gt=0, lt=1)], ...]


class Score(Section):
    engine: Literal["torch"]


class Cluster(Section):
    dimensions: Count
    neighbors: Annotated[int, Field(ge=2)]
    min_distance: Share
    map_min_distance: Share
    fit_songs: Count
    k_candidates: tuple[Annotated[int, Field(ge=2)], ...]
    min_cluster_songs: Count
    silhouette_songs: Count


class Index(Section):
    min_documents: Count
    max_document_share: Share
    keywords_per_song: Count


class Recommend(Section):
    top_n: Annotated[int, Field(ge=10)]
    candidates: Count
    query_terms: Count
    block_songs: Count
    semantic_weight: Share
    bootstrap_samples: Count


class Report(Section):
    map_songs: Count
    seed_songs: Count
    recommendations: Count


class Store(Section):
    keep_runs: Count


class Config(Section):
    seed: Seed
    paths: Paths
    demo: Demo
    ingest: Ingest
    filter: Filter
    dedupe: Dedupe
    enrich: Enrich
    fetch: Fetch
    label: Label
    text: Text
    topics: Topics
    encoder: Encoder
    train: Train
    reproduce: Reproduce
    score: Score
    cluster: Cluster
    index: Index
    recommend: Recommend
    report: Report
    store: Store


def load_config(base: Path, overrides: Iterable[Path] = (), settings: Iterable[str] = ()) -> Config:
    """Read the settings of a run.

    `settings` are strings 'section.name=value', the value in YAML. Raises SongmoodError, in one
    line, for a file that is not there or not YAML, an unknown setting (naming the nearest known
    one) and a value of the wrong kind.
    """
    values = _read_yaml(base)
    for path in overrides:
        values = _merge(values, _read_yaml(path), where=str(path))
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise SongmoodError(f"--set {setting}: write it as section.name=value")
        values = _merge(values, _nested(name.strip(), _parse_yaml(value, f"--set {setting}")), "--set")
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise SongmoodError(_first_problem(error)) from None


def _nested(name: str, value: Any) -> dict[str, Any]:
    for part in reversed(name.split(".")):
        value = {part: value}
    return value  # type: ignore[no-any-return]


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SongmoodError(f"cannot read the settings file {path}: {error.strerror}") from None
    values = _parse_yaml(text, str(path))
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise SongmoodError(f"{path}: a settings file is a YAML mapping of sections")
    return values


def _parse_yaml(text: str, where: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SongmoodError(f"{where}: not YAML: {' '.join(str(error).split())}") from None


# Moods with their words, optimisers with their grids: data, not settings. New ones replace the old whole.
_LISTS = ("label.moods", "reproduce.optimizers")


def _merge(base: dict[str, Any], over: dict[str, Any], where: str, prefix: str = "") -> dict[str, Any]:
    merged = dict(base)
    for name, value in over.items():
        full = f"{prefix}{name}"
        if name not in base:
            while isinstance(value, dict) and len(value) == 1:  # the setting meant, not its section
                (part,) = value
                full, value = f"{full}.{part}", value[part]
            raise SongmoodError(_unknown(full, where, known=_leaves(base, prefix)))
        if isinstance(base[name], dict) and isinstance(value, dict) and full not in _LISTS:
            merged[name] = _merge(base[name], value, where, f"{full}.")
        elif isinstance(base[name], dict) and not isinstance(value, dict):
            raise SongmoodError(f"{where}: {full} is a section: set one of its settings")
        else:
            merged[name] = value
    return merged


def _unknown(name: str, where: str, known: list[str]) -> str:
    nearest = process.extractOne(name, known)
    hint = f"; did you mean {nearest[0]}?" if nearest else ""
    return f"{where}: unknown setting {name}{hint}"


def _leaves(values: dict[str, Any], prefix: str) -> list[str]:
    names = []
    for name, value in values.items():
        names.append(f"{prefix}{name}")
        if isinstance(value, dict):
            names += _leaves(value, f"{prefix}{name}.")
    return names


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    name = ".".join(["setting", *(str(part) for part in problem["loc"])]).replace(".", " ", 1)
    given = problem.get("input")
    whole = isinstance(given, dict)  # a section, whose settings contradict one another
    message = problem["msg"].removeprefix("Value error, ")
    return f"{name}: {message}" + ("" if whole else f" (given: {given!r})")
