"""The base network and the fusion on real audio features, beside models of scikit-learn: four moods.

usage: python bench/audio.py VALENCE_AROUSAL AUDIO_FEATURES [--folder bench/out]

VALENCE_AROUSAL is Deezer's table (Delbouys et al. 2018: lastfm_id, artist, title, valence, arousal), whose
quadrants are the moods happy, angry, sad and relaxed; AUDIO_FEATURES is a file as in a corpus folder, which
`enrich` matches to those songs by artist and title. Our models are measured by `reproduce`, in five folds,
split by artist. The others learn from all songs outside a fold's test songs; ours keep an eighth of them back
to decide when to stop. Intervals come from drawing artists.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from songmood.models.parts import audio_numbers
from songmood.models.table1 import pool
from steps import ROOT, Reproduced, mean_points, run_reproduce

MOODS = {(True, True): "happy", (False, True): "angry", (False, False): "sad", (True, False): "relaxed"}
FOLDS, SEED = 5, 1
OURS = ("majority", "base_network", "fusion")
SETTINGS = (
    *("filter.required_ids=[]", "label.min_tags=1", f"reproduce.seeds=[{SEED}]", f"reproduce.folds={FOLDS}"),
    *(f"reproduce.models=[{','.join(OURS)}]", "reproduce.optimizers={}", "reproduce.learning_shares=[]"),
)
RIVALS = {
    "logistic regression": lambda: make_pipeline(
        StandardScaler(), GridSearchCV(LogisticRegression(max_iter=2000), {"C": [0.001, 0.01, 0.1, 1]})
    ),
    "random forest": lambda: RandomForestClassifier(500, min_samples_leaf=3, random_state=SEED),
    "gradient boosting": lambda: HistGradientBoostingClassifier(
        learning_rate=0.05, early_stopping=True, random_state=SEED
    ),
}


def write_corpus(valence_arousal: Path, audio_features: Path, folder: Path) -> None:
    """A corpus folder of the songs, each tagged with the mood of its quadrant."""
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("songs", "tags", "audio_features"):
        (folder / part).mkdir(parents=True)
    songs = pd.read_csv(valence_arousal).drop_duplicates("lastfm_id")
    mood = [MOODS[v > 0, a > 0] for v, a in zip(songs["valence"], songs["arousal"], strict=True)]
    tags = pd.DataFrame({"lastfm_id": songs["lastfm_id"], "tag": mood, "weight": 100})
    tags.to_csv(folder / "tags" / "tags.csv", index=False)
    named = songs.assign(_id=songs["lastfm_id"], language="english")
    columns = ["_id", "artist", "title", "lastfm_id", "language"]
    named[columns].to_csv(folder / "songs" / "songs.csv", sep="\t", index=False)
    shutil.copy(audio_features, folder / "audio_features")


def predictions_of(
    make: Any, features: pd.DataFrame, truth: npt.NDArray[Any], folds: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """A rival's probabilities for each song, learned from the songs of the other folds."""
    predictions = np.zeros((len(truth), len(MOODS)))
    numbers = audio_numbers(features)
    for fold in range(FOLDS):
        test = folds == fold
        predictions[test] = make().fit(numbers[~test], truth[~test]).predict_proba(numbers[test])
    return predictions


def report(left: Reproduced) -> None:
    """Print each model's figures."""
    pooled = {model: pool(left.units, model, FOLDS, SEED) for model in OURS}
    first = pooled[OURS[0]]
    truth, folds = first.truth, first.folds
    features = left.tables["audio_features"].set_index("song_id").loc[first.song_ids]
    artists = left.tables["deduped"].set_index("song_id")["artist"].loc[first.song_ids].tolist()
    answers = {model: predictions.probabilities for model, predictions in pooled.items()}
    answers |= {name: predictions_of(make, features, truth, folds) for name, make in RIVALS.items()}
    balance = ", ".join(f"{mood} {(truth == i).sum()}" for i, mood in enumerate(first.moods))
    print(f"\n{len(truth):,} songs by {len(set(artists)):,} artists: {balance}")
    print("\n| | accuracy | 95% interval | macro-F1 | ROC-AUC, one against the rest | base network's lead |")
    print("| --- |" + " ---: |" * 5)
    ours = answers["base_network"].argmax(axis=1) == truth
    for name, probabilities in answers.items():
        right = probabilities.argmax(axis=1) == truth
        accuracy, low, high = mean_points(right, artists)
        lead, least, most = mean_points(ours * 1.0 - right, artists)
        f1 = 100 * f1_score(truth, probabilities.argmax(axis=1), average="macro")
        auc = roc_auc_score(truth, probabilities, multi_class="ovr")
        cells = [f"{accuracy:.1f}", f"{low:.1f} to {high:.1f}", f"{f1:.1f}", f"{auc:.3f}"]
        cells.append("" if name == "base_network" else f"{lead:+.1f} ({least:+.1f} to {most:+.1f})")
        print(f"| {name} | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("valence_arousal", type=Path)
    parser.add_argument("audio_features", type=Path)
    parser.add_argument("--folder", type=Path, default=ROOT / "bench" / "out")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    corpus = arguments.folder / "audio-corpus"
    write_corpus(arguments.valence_arousal, arguments.audio_features, corpus)
    warehouse = arguments.folder.resolve() / "audio-warehouse"
    settings = (*SETTINGS, f"paths.corpus={corpus.resolve()}")
    four_moods = str(ROOT / "conf" / "four-moods.yaml")
    report(run_reproduce(arguments.folder, warehouse, settings, "--conf", four_moods))


if __name__ == "__main__":
    main()
