"""THE table of mood models, in the order of the paper's table 1: each is compared with the one before it.

To add a model, add a row here: a baseline also needs its maker in models/baselines.py, under the same
name. Name it in conf/base.yaml, under train.models or reproduce.models, to have it trained.

Nothing here is slow to import, so that settings and the report can read the table.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A part of a song as models see it. `about` completes 'predicts the mood from ...'.

    `log_odds` marks parts that a logistic regression makes: the log-odds of each mood (models/linear.py).
    """

    name: str
    about: str
    log_odds: bool = False


@dataclass(frozen=True)
class Kind:
    """What sets a model apart.

    `parts` are the parts of a song that it sees. `paper` are the accuracy, precision and recall that table 1
    of the paper gives on its own songs.
    """

    name: str
    about: str
    parts: tuple[str, ...]
    paper: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Baseline(Kind):
    """A model without an encoder, that the others have to beat (models/baselines.py)."""


@dataclass(frozen=True)
class Neural(Kind):
    """A net over parts of a song (models/neural.py).

    `tuned` models embed lyrics with the encoder that fine_tuned_bert has tuned, the others with the plain
    one. A model that `fuses` has a gate for each part, else parts stand side by side. `optimizer` replaces
    train.optimizer, and `head_pace` is a factor of train.head_learning_rate.
    """

    has_hidden_layer: bool = True
    tuned: bool = True
    fuses: bool = False
    optimizer: str | None = None
    head_pace: float = 1.0

    @property
    def tunes_encoder(self) -> bool:
        """Whether fitting it tunes the encoder."""
        return self is FINE_TUNED_BERT


PARTS = {
    part.name: part
    for part in (
        Part("lyrics", "the encoder's embedding of the lyrics"),
        Part("reading", "a logistic regression on that embedding", log_odds=True),
        Part("words", "a logistic regression on the words", log_odds=True),
        Part("lexicon", "a logistic regression on a list of happy and sad words", log_odds=True),
        Part("topics", "topics"),
        Part("audio", "audio features"),
    )
}
LOG_ODDS = tuple(part.name for part in PARTS.values() if part.log_odds)

FINE_TUNED_BERT = Neural(
    "fine_tuned_bert",
    "paper, figure A.2: the encoder's top layers and a linear head, trained together",
    ("lyrics",),
    (0.739, 0.776, 0.832),
    has_hidden_layer=False,
)
MODELS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Baseline("majority", "the shares of the moods among the training songs", ()),
        Baseline("naive_bayes", "multinomial naive Bayes on word counts", ("lyrics",)),
        Baseline("tfidf_logistic", "logistic regression on TF-IDF of the words", ("lyrics",)),
        Neural(
            "base_network",
            "paper, Contributions: a hidden layer over the audio features",
            ("audio",),
            tuned=False,
            optimizer="adam",
        ),
        Neural(
            "simple_bert",
            "paper, figure A.1: a hidden layer over the plain encoder",
            ("lyrics",),
            (0.727, 0.771, 0.815),
            tuned=False,
        ),
        FINE_TUNED_BERT,
        # The ablation, which the paper leaves out.
        Neural("modified_tbert_lyrics_only", "modified_tbert without topics and audio", ("lyrics",)),
        Neural("modified_tbert_no_audio", "modified_tbert without audio", ("lyrics", "topics")),
        Neural("modified_tbert_no_topics", "modified_tbert without topics", ("lyrics", "audio")),
        Neural(
            "modified_tbert",
            "paper, figure A.3: a hidden layer over the tuned encoder, topics and audio features",
            ("lyrics", "topics", "audio"),
            (0.764, 0.792, 0.856),
        ),
        Neural(
            "fusion",
            "a hidden layer and a gate for each part, beginning with the sum of the logistic regressions",
            ("lyrics", *LOG_ODDS, "topics", "audio"),
            tuned=False,
            fuses=True,
            head_pace=0.3,  # so that it does not run away from what the logistic regressions predict
        ),
    )
}
MODEL_NAMES = tuple(MODELS)
BASELINES = {name: kind for name, kind in MODELS.items() if isinstance(kind, Baseline)}
NEURAL = {name: kind for name, kind in MODELS.items() if isinstance(kind, Neural)}
PAPER = {name: kind.paper for name, kind in MODELS.items() if kind.paper is not None}

REFERENCE = "tfidf_logistic"  # the baseline that the gains of other models are measured from


def learns_from_validation(model: str) -> bool:
    """Whether the weights of a model come from the validation songs too, and not only when to stop."""
    return bool(set(MODELS[model].parts) & set(LOG_ODDS))
