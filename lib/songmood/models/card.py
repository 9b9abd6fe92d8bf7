"""The model card: what a saved model was made from, and how good it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from songmood.catalog import PARTS
from songmood.models.neural import NeuralModel
from songmood.models.splits import SPLITS
from songmood.tables import METRICS

_HEADER = (
    *("model", "split", "accuracy", "95% interval", "precision", "recall", "macro-F1", "ROC-AUC"),
    *("log loss", "calibration error"),
)
_REFIT = (
    "The figures are those of models that learned from the training songs. This model was made afterwards",
    "in the same way, from the training and the test songs: it has seen the moods of both.",
    "",
)
_LIMITS = (
    "All figures come from one split, so small differences between models mean nothing: look at the",
    "intervals. Labels are what listeners wrote, not what a song makes people feel. The encoder reads",
    "only as much of the lyrics as stated above. The validation songs chose the epoch and the",
    "temperature, and the regressions of a fusion learned from them too, so figures on validation songs",
    "are too good; those on test songs are not.",
)


def model_card(
    model: NeuralModel, encoder: str, metrics: Sequence[Mapping[str, Any]], figures: Mapping[str, Any]
) -> str:
    """The card as Markdown, to be saved in the model's folder.

    `encoder` is the encoder's id, `metrics` are rows of the table model_metrics, and `figures` comes from
    `songmood.models.songs.balance`.
    """
    songs, settings, reads = figures["songs"], model.settings, model.encoder.settings
    disjoint = "no artist is in two of them" if settings.split_by == "artist" else "artists may be in several"
    lines = [
        f"# {model.kind.name}: the mood of a song",
        "",
        f"Predicts one of the moods {', '.join(model.moods)} from "
        f"{', '.join(PARTS[part].about for part in model.head.widths)}. "
        f"Encoder: {encoder}, by {reads.read_by}, at most {reads.max_windows} times "
        f"{model.encoder.max_tokens} word pieces. Temperature {model.temperature:.2f}. Seed {model.seed}.",
        "",
        "## Data",
        "",
        f"{sum(sum(counts.values()) for counts in songs.values())} songs labelled by their Last.fm tags, "
        f"{figures['with_lyrics']} with lyrics, {figures['with_audio']} with audio features, "
        f"{figures['artists']} artists. Splits, by {settings.split_by} ({disjoint}):",
        "",
        *_table(("split", *model.moods), [[s, *(str(n) for n in songs[s].values())] for s in SPLITS]),
        "",
        *(_REFIT if settings.refit else ()),
        "## Figures",
        "",
        "Precision and recall are those of happy if it is one of two moods, else the mean over moods.",
        "",
        *_table(_HEADER, [_cells(row) for row in metrics]),
        "",
        "## Limits",
        "",
        *_LIMITS,
        "",
    ]
    return "\n".join(lines)


def _cells(row: Mapping[str, Any]) -> list[str]:
    interval = f"{row['accuracy_low']:.3f} to {row['accuracy_high']:.3f}"
    others = ["" if row[name] is None else f"{row[name]:.3f}" for name in METRICS[1:]]
    return [row["model"], row["split"], f"{row['accuracy']:.3f}", interval, *others]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]
