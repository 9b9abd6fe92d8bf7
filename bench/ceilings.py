"""How far each model is below the best possible classifier of the demo's songs, and what each part adds.

usage: python bench/ceilings.py [--songs 5000] [--folder bench/out] [--models fusion modified_tbert ...]

The demo's truth gives the log-odds of each song's mood from its lyrics and from its sound. The best
classifier of what a model sees (lyrics, sound or both, as far as the song has them) is measured on the same
test songs as the model: those of two folds, a fifth of the songs each, for three seeds, split by artist.
Intervals come from drawing artists. Models that tune an encoder take minutes for each fold; trained models
stay in the folder, so that a later run can add others.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from songmood.catalog import MODEL_NAMES, MODELS
from songmood.demo.evidence import happy_probability
from songmood.models.reproduction import Units
from songmood.models.table1 import pool
from steps import ROOT, Reproduced, mean_points, run_reproduce

FOLDS, SEEDS = 2, (1, 2, 3)
SETTINGS = (
    *(f"reproduce.folds={FOLDS}", f"reproduce.seeds=[{','.join(map(str, SEEDS))}]"),
    *("reproduce.optimizers={}", "reproduce.learning_shares=[]"),
)
# Two models that differ in this.
DIFFERENCES = {
    "topics, beside lyrics": ("modified_tbert_no_audio", "modified_tbert_lyrics_only"),
    "topics, beside lyrics and audio": ("modified_tbert", "modified_tbert_no_topics"),
    "audio, beside lyrics": ("modified_tbert_no_topics", "modified_tbert_lyrics_only"),
    "audio, beside lyrics and topics": ("modified_tbert", "modified_tbert_no_audio"),
    "tuning the encoder": ("fine_tuned_bert", "simple_bert"),
    "the fusion's regressions and gates, for tuning": ("fusion", "modified_tbert"),
}


def right_answers(units: Units) -> pd.DataFrame:
    """A row for each song tested with a seed: song_id, happy, and for each model whether it was right."""
    seeds = []
    for seed in SEEDS:
        found = {model: pool(units, model, FOLDS, seed) for model in MODELS}
        pooled = {model: predictions for model, predictions in found.items() if predictions is not None}
        first = next(iter(pooled.values()))
        right = {model: predictions.guesses == predictions.truth for model, predictions in pooled.items()}
        happy = first.truth == first.moods.index("happy")
        seeds.append(pd.DataFrame({"song_id": first.song_ids, "happy": happy, **right}))
    return pd.concat(seeds, ignore_index=True)


def best_classifiers(
    answers: pd.DataFrame, tables: dict[str, pd.DataFrame], truth: pd.DataFrame
) -> pd.DataFrame:
    """Whether the best classifier by lyrics, by audio and by both is right about each row of answers."""
    evidence = truth.set_index("song_id").loc[answers["song_id"]]
    odds = {}
    for part, table in (("lyrics", "lyrics"), ("audio", "audio_features")):
        there = answers["song_id"].isin(tables[table]["song_id"]).to_numpy()
        odds[part] = np.where(there, evidence[f"{part}_llr"], 0.0)
    odds["both"] = odds["lyrics"] + odds["audio"]
    guesses = {part: happy_probability(value) > 0.5 for part, value in odds.items()}
    return pd.DataFrame({part: guess == answers["happy"] for part, guess in guesses.items()})


def report(left: Reproduced) -> None:
    """Print how far each model is below the best classifier, and what each part adds."""
    truth = pd.read_parquet(left.corpus / "truth" / "songs")
    answers = right_answers(left.units)
    best = best_classifiers(answers, left.tables, truth)
    artists = left.tables["deduped"].set_index("song_id")["artist"].loc[answers["song_id"]].tolist()

    def lead(better: pd.Series[bool], worse: pd.Series[bool]) -> str:
        return "{:+.1f} ({:+.1f} to {:+.1f})".format(*mean_points((better * 1.0 - worse).to_numpy(), artists))

    distinct = answers["song_id"].nunique()
    print(f"\n{len(answers):,} answers on {distinct:,} songs by {len(set(artists)):,} artists")
    print("\n| | sees | accuracy | best classifier | points below it |\n| --- | --- | ---: | ---: | ---: |")
    for model in (name for name in MODELS if name in answers and MODELS[name].parts):
        parts = set(MODELS[model].parts)
        sees = "both" if {"lyrics", "audio"} <= parts else "audio" if "audio" in parts else "lyrics"
        accuracies = [f"{100 * right.mean():.1f}" for right in (answers[model], best[sees])]
        print(f"| {model} | {sees} | {' | '.join(accuracies)} | {lead(best[sees], answers[model])} |")
    print("\n| difference | compared with | points gained |\n| --- | --- | ---: |")
    for part, (with_it, without) in DIFFERENCES.items():
        if not {with_it, without} <= set(answers):
            continue
        print(f"| {part} | {without} | {lead(answers[with_it], answers[without])} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--songs", type=int, default=5000)
    parser.add_argument("--folder", type=Path, default=ROOT / "bench" / "out")
    parser.add_argument("--models", nargs="+", choices=MODEL_NAMES, default=MODEL_NAMES)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    warehouse = arguments.folder.resolve() / f"ceilings-{arguments.songs}"
    more = (f"demo.songs={arguments.songs}", f"reproduce.models=[{','.join(arguments.models)}]")
    report(run_reproduce(arguments.folder, warehouse, (*SETTINGS, *more)))


if __name__ == "__main__":
    main()
