"""How far each model stays below the best possible reader of the demo's songs, and what each part adds.

usage: python tests/bench_ceilings.py [--songs 5000] [--folder bench]

The demo's truth says how surely each song's lyrics and sound tell its mood; the best reader of what a model
sees (lyrics, sound or both, as far as the song has them) is measured on the same test songs as the model:
two tenths of two folds, of three seeds, artists kept apart. Intervals are by drawing artists.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench import ROOT, mean_points, reproduce
from songmood.config import MODELS
from songmood.demo.evidence import HAPPY_SHARE
from songmood.models.neural import KINDS
from songmood.reproduce import unit_name

FOLDS, SEEDS = 2, (1, 2, 3)
SETTINGS = (
    *(f"reproduce.folds={FOLDS}", f"reproduce.seeds=[{','.join(map(str, SEEDS))}]"),
    *("reproduce.optimizers={}", "reproduce.learning_shares=[]"),
)
# What the one has and the other has not.
STEPS = {
    "topics, beside lyrics": ("modified_tbert_no_audio", "modified_tbert_lyrics_only"),
    "topics, beside lyrics and audio": ("modified_tbert", "modified_tbert_no_topics"),
    "audio, beside lyrics": ("modified_tbert_no_topics", "modified_tbert_lyrics_only"),
    "audio, beside lyrics and topics": ("modified_tbert", "modified_tbert_no_audio"),
    "tuning the encoder": ("fine_tuned_bert", "simple_bert"),
    "gates, words and lexicon": ("fusion", "modified_tbert"),
}


def right_answers(warehouse: Path, units: str) -> pd.DataFrame:
    """A row a song tested with a seed: song_id, happy, and for each model whether it was right."""
    seeds = []
    for seed in SEEDS:
        folds = []
        for fold in range(FOLDS):
            columns: dict[str, Any] = {}
            for model in MODELS:
                path = warehouse / units / f"{unit_name(model, fold, seed)}.json"
                if path.is_file():
                    unit = json.loads(path.read_text())
                    guesses = np.argmax(unit["probabilities"], axis=1)
                    columns[model] = pd.Series(guesses == unit["mood"], unit["song_id"], dtype=float)
            columns["happy"] = pd.Series(unit["mood"], unit["song_id"]) == unit["moods"].index("happy")
            folds.append(pd.DataFrame(columns))
        seeds.append(pd.concat(folds).assign(seed=seed))
    return pd.concat(seeds).rename_axis("song_id").reset_index()


def best_readers(answers: pd.DataFrame, tables: dict[str, pd.DataFrame], truth: pd.DataFrame) -> pd.DataFrame:
    """Whether the best reader of lyrics, of audio and of both is right about each row of answers."""
    known = truth.set_index("song_id").loc[answers["song_id"]]
    odds = {}
    for part, table in (("lyrics", "lyrics"), ("audio", "audio_features")):
        there = answers["song_id"].isin(tables[table]["song_id"]).to_numpy()
        odds[part] = np.where(there, known[f"{part}_llr"], 0.0)
    odds["both"] = odds["lyrics"] + odds["audio"]
    prior = np.log(HAPPY_SHARE / (1 - HAPPY_SHARE))
    return pd.DataFrame(
        {part: ((value + prior > 0) == answers["happy"]).astype(float) for part, value in odds.items()}
    )


def points(values: pd.Series[Any], artists: pd.Series[Any]) -> str:
    """A mean in points, with its interval."""
    return "{:+.1f} ({:+.1f} to {:+.1f})".format(*mean_points(values.to_numpy(), artists))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--songs", type=int, default=5000)
    parser.add_argument("--folder", type=Path, default=ROOT / "bench")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    warehouse = arguments.folder.resolve() / f"ceilings-{arguments.songs}"
    manifest = reproduce(arguments.folder, warehouse, (*SETTINGS, f"demo.songs={arguments.songs}"))
    units = next(step["figures"]["units"] for step in manifest["steps"] if step["step"] == "reproduce")
    tables = {name: pd.read_parquet(warehouse / path) for name, path in manifest["tables"].items()}
    truth = pd.read_parquet(Path(manifest["settings"]["paths"]["corpus"]) / "truth" / "songs")
    answers = right_answers(warehouse, units)
    best = best_readers(answers, tables, truth)
    artists = tables["deduped"].set_index("song_id")["artist"].loc[answers["song_id"]]

    distinct = answers["song_id"].nunique()
    print(f"\n{len(answers):,} answers on {distinct:,} songs by {artists.nunique():,} artists")
    print("\n| | sees | accuracy | best reader | short of it, points |\n| --- | --- | ---: | ---: | ---: |")
    for model in (name for name in MODELS if name in answers and name != "majority"):
        parts = set(KINDS[model].parts) if model in KINDS else {"lyrics"}
        sees = "both" if {"lyrics", "audio"} <= parts else "audio" if "audio" in parts else "lyrics"
        accuracies = [f"{100 * of.mean():.1f}" for of in (answers[model], best[sees])]
        short = points(best[sees] - answers[model], artists)
        print(f"| {model} | {sees} | {' | '.join(accuracies)} | {short} |")
    print("\n| what it adds | to | points |\n| --- | --- | ---: |")
    for part, (with_it, without) in STEPS.items():
        print(f"| {part} | {without} | {points(answers[with_it] - answers[without], artists)} |")


if __name__ == "__main__":
    main()
