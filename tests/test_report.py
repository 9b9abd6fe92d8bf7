"""The report: complete with data, readable without, escaped, and without lyrics."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conftest import ROOT
from songmood.report import READS, duplicates, fetch_summaries, render_report
from songmood.report.models import coverage_points
from songmood.settings import Settings, load_settings
from songmood.tables import TABLES

Table = Callable[..., DataFrame]

EVIL = "<script>alert(1)</script>"
CLOSER = "</script><img src=x onerror=alert(2)>"
SENTINEL = "zyzzyva sings where only lyrics are"
N = 40


def step_record(step: str, tables: dict[str, tuple[Any, ...]], **more: Any) -> dict[str, Any]:
    """A record of the manifest; `tables` has rows, reasons and number of distinct values of each table."""
    written = {}
    for name, (rows, *counts) in tables.items():
        reasons, distinct = (*counts, *({}, None)[len(counts) :])
        written[name] = {
            "table": name,
            "path": name,
            "rows": rows,
            "reasons": reasons,
            "examples": {},
            "distinct": distinct,
        }
    return {
        "step": step,
        "fingerprint": "f",
        "reused": False,
        "seconds": 1.5,
        "peak_memory_mb": 900,
        "rows_in": {},
        "tables": written,
        "models": {},
        "warnings": [],
        "figures": {},
        **more,
    }


def manifest(steps: list[dict[str, Any]], settings: Settings) -> dict[str, Any]:
    return {
        "run_id": "20250101-000000-test",
        "state": "running",
        "started_at": "2025-01-01T00:00:00+00:00",
        "songmood": "0.1.0",
        "code_revision": None,
        "master": "local[2]",
        "packages": {"pyspark": "3.5"},
        "seed": 7,
        "settings": settings.model_dump(mode="json"),
        "tables": {name: name for step in steps for name in step["tables"]},
        "models": {},
        "files": [],
        "steps": steps,
    }


MOODS = ("happy", "sad")
STEPS = [
    step_record("ingest", {"songs": (60,), "rejects": (2, {"no song_id": 2})}),
    step_record("filter", {"filtered": (50,), "dropped": (10, {"no_spotify_id": 7, "language": 3})}),
    step_record(
        "dedupe",
        {
            "deduped": (N,),
            "duplicates": (10, {"same words; same album": 3, "same words": 1, "near title, like artist": 6}),
        },
        reused=True,
        figures={"pairs_left_out": 1234, "match_share": 0.125},
    ),
    step_record(
        "enrich",
        {"tags": (200, {}, 25), "audio_features": (30,), "lyrics": (38,)},
        warnings=[f"look {EVIL}"],
    ),
    step_record(
        "label",
        {
            "labelled": (20, {"sad": 8, "happy": 12}),
            # with the rows of filter; the reasons are label's own
            "dropped": (30, {"too_few_tags": 12, "no_tags": 5, "no_emotion_tag": 3}),
        },
        figures={"choices": {"top_k": [1, 3, 5, 10], "epsilon": [0.0, 0.05, 0.1, 0.2, 0.3]}},
    ),
    step_record(
        "embed",
        {"embeddings": (38,)},
        figures={
            "encoded_texts": 36,
            "word_pieces": 3456,
            "texts_per_second": 12.34,
            "core_seconds": {"read": 1.0, "start": 2.0, "tokenize": 0.5, "encode": 6.0, "write": 0.5},
            "speeds": {"onnx": 2750},
            "tried": {"torch": 2000, "onnx": 2800},
        },
    ),
    step_record("score", {"moods": (N - 2, {"happy": 25, "sad": 13})}),
    step_record("recommend", {"recommendations": (N * 10,)}),
]


def song_id(i: int) -> str:
    return f"s{i:02}"


# Records that were merged: into s00, with eight spellings and once with that of s00; into s05; into s06.
MERGED = {
    **{f"m{i}": ("s00", "Artist 0", f"Spelling {i}") for i in range(8)},
    "m8": ("s00", "Artist 0", "Spelling 7"),
    "m9": ("s00", "Artist 0", EVIL),
    "n0": ("s05", "Artist 5", "Song 5"),
    "o0": ("s06", None, CLOSER),
    "o1": ("s06", EVIL, "Song 6"),
}
# (song_id, other_id, similarity, level of the name, level of the album); the threshold is 0.95 here.
PAIRS = [
    ("m0", "m1", 1.0, "same title and artist", "same"),
    ("m0", "s00", 0.96, "same words", "same"),
    ("m1", "s00", 0.96, "same words", "same"),
    ("s07", "s08", 0.96, "same words", "same"),  # linked, and yet in two groups
    ("o0", "o1", 0.93, "near title and artist", "differs"),  # not linked, and in one group
    ("s02", "s03", 0.41, "title, other artist", "unknown"),
    *((f"s{10 + i}", f"s{11 + i}", 0.2 + i / 1000, f"level {i}", "differs") for i in range(12)),
]


def all_tables(table: Table) -> dict[str, DataFrame]:
    """Every table that the report reads, and tokens, which it must not read."""

    def make(name: str, rows: list[dict[str, Any]], **shared: Any) -> tuple[str, DataFrame]:
        return name, table(TABLES[name], *rows, **shared)

    return dict(
        [
            *_songs(make),
            *_parts(make),
            *_labels_and_models(make),
            *_clusters_and_topics(make),
            *_recommendations(make),
        ]
    )


Make = Callable[..., tuple[str, DataFrame]]


def _songs(make: Make) -> list[tuple[str, DataFrame]]:
    titles = {0: EVIL, 1: CLOSER, 2: None, 3: "Beyond & Above <b>bold</b>"}
    songs = [
        {"song_id": song_id(i), "artist": f"Artist {i}", "title": titles.get(i, f"Song {i}")}
        for i in range(N)
    ]
    songs[2] |= {"album": "Best of <b>2</b>", "year": 1975, "duration_s": 185.4}
    records = [
        {"song_id": id_, "artist": artist, "title": title} for id_, (_, artist, title) in MERGED.items()
    ]
    merged = [into for into, _, _ in MERGED.values()]
    return [
        make("filtered", songs + records),
        make("deduped", [{**song, "version_count": 1 + merged.count(song["song_id"])} for song in songs]),
        make(
            "duplicates",
            [{"song_id": id_, "representative_id": into} for id_, (into, _, _) in MERGED.items()],
            similarity=0.96,
            match_reason="same words",
        ),
        make(
            "duplicate_pairs",
            [
                dict(zip(("song_id", "other_id", "similarity", "name", "album"), pair, strict=True))
                for pair in PAIRS
            ],
            **{"year": "unknown", "length": "near", "language": "same", "ids": "unknown"},
        ),
        make(
            "match_weights",
            [
                {"comparison": comparison, "level": level, "m": m, "u": u, "weight": weight}
                for comparison, level, m, u, weight in [
                    ("album", "differs", 0.5, 0.97, -0.956),
                    ("album", "same", 0.5, 0.03, 4.059),
                    ("name", "title, other artist", 0.0008, 0.4, -8.966),
                    ("name", "same title and artist", 0.6, 0.03, 4.322),
                ]
            ],
        ),
    ]


def _parts(make: Make) -> list[tuple[str, DataFrame]]:
    failures = [
        (3, "files", "not_found"),
        (4, "files", "no_match"),
        (5, "files", "not_found"),
        (4, "genius", EVIL),
        (5, "genius", "not_asked"),
    ]
    return [
        make(
            "tags",
            [{"song_id": song_id(i), "tag": tag} for i in range(25) for tag in ("sad", "rock")],
            weight=50.0,
            source="files",
        ),
        make("audio_features", [], song_id="s00", source="files"),
        make(
            "lyrics",
            [{"song_id": song_id(i), "source": "genius" if i == 3 else "files"} for i in range(4)],
            lyrics=SENTINEL,
        ),
        make("tokens", [], song_id="s00", tokens=SENTINEL.split()),
        make(
            "enrichment_failures",
            [
                {"song_id": song_id(i), "source": f"lyrics:{source}", "status": status}
                for i, source, status in failures
            ],
            attempts=1,
            last_error=SENTINEL,
        ),
    ]


def _labels_and_models(make: Make) -> list[tuple[str, DataFrame]]:
    splits = ["test"] * 12 + ["validation"] * 3
    return [
        make(
            "label_choices",
            [
                {"top_k": top_k, "epsilon": epsilon, "mood": mood, "songs": songs}
                for top_k, epsilon, mood, songs in [
                    (5, 0.1, "happy", 30),
                    (5, 0.1, "sad", 10),
                    (5, 0.2, "happy", 5),
                    (1, 0.0, "sad", 3),
                ]
            ],
        ),
        make(
            "model_metrics",
            [
                {
                    "model": model,
                    "split": split,
                    "accuracy": accuracy,
                    "accuracy_low": accuracy - 0.1,
                    "accuracy_high": accuracy + 0.1,
                }
                for model, accuracy in (("modified_tbert", 0.8), ("majority", 0.55), ("tfidf_logistic", 0.7))
                for split in ("validation", "test")
            ],
            **{"precision": 0.7, "recall": 0.8, "f1": 0.7, "log_loss": 0.6, "mcnemar_p": 0.042},
            **{"n": 30, "train_seconds": 1.5, "seed": 7},
        ),
        make(
            "model_predictions",
            [
                {
                    "model": model,
                    "song_id": song_id(i),
                    "split": split,
                    "mood": MOODS[i % 2],
                    "predicted": MOODS[i % 4 // 2],
                }
                for model in ("majority", "modified_tbert")
                for i, split in enumerate(splits)
            ],
            probabilities={"happy": 0.8, "sad": 0.2},
        ),
        make(
            "training_curves",
            [
                {"step": step, "loss": 1 / step, "split": split}
                for step in range(1, 9)
                for split in ("train", "validation")
            ],
            model="modified_tbert",
            optimizer="adamw",
            seed=7,
        ),
        make(
            "moods",
            [{"song_id": song_id(i), "mood": MOODS[i % 3 % 2]} for i in range(N - 2)],
            hidden=[1.0],
            model_id="m",
        ),
    ]


def _clusters_and_topics(make: Make) -> list[tuple[str, DataFrame]]:
    places = np.random.default_rng(1).normal(size=(N, 2)).tolist()
    tried = {"model": "lda", "alpha": "auto", "eta": "auto", "passes": 10, "max_document_share": 0.4}
    lda = [{"topics": n, "perplexity": -7.0, "coherence": n / 100, "chosen": n == 30} for n in range(3, 31)]
    return [
        make(
            "clusters",
            [{"song_id": song_id(i), "cluster": i % 9, "x": x, "y": y} for i, (x, y) in enumerate(places)],
        ),
        make(
            "cluster_selection",
            [
                {"algorithm": "kmeans", "k": k, "distortion": d, "silhouette": s, "chosen": k == 8}
                for k, d, s in ((4, 9.0, 0.3), (8, 5.0, 0.5), (16, 2.0, 0.4))
            ]
            + [
                {"algorithm": "dbscan", "k": 5, "silhouette": 0.25, "noise": 0.125, "chosen": False},
                {"algorithm": "hdbscan", "k": 0, "noise": 1.0, "chosen": False},
            ],
            stability=0.9,
        ),
        make(
            "cluster_profiles",
            [
                {
                    **{"cluster": n, "name": f"sad: word{n}, rain" if n else "cluster 0", "songs": 20 - n},
                    **{"terms": [f"word{n}", "broken_heart"], "mood_shares": {"sad": 0.75, "happy": 0.25}},
                    "typical_songs": [song_id(n)],
                }
                for n in range(8)
            ],
        ),
        make(
            "topic_terms",
            [{"topic": t, "rank": r, "term": f"word{t}{r}"} for t in range(3) for r in (1, 2, 3)],
            weight=0.1,
        ),
        make(
            "topic_selection",
            [
                {
                    **{"model": "dense", "topics": 2, "alpha": "", "eta": "", "passes": 0},
                    **{"max_document_share": 0.1, "coherence": 0.2, "chosen": False},
                },
                *({**row, **tried} for row in lda),
            ],
        ),
    ]


def _recommendations(make: Make) -> list[tuple[str, DataFrame]]:
    return [
        make(
            "recommendations",
            [
                {"seed_song_id": song_id(i), "rank": rank, "song_id": song_id((i + rank) % N)}
                for i in range(N)
                for rank in range(1, 11)
            ],
            score=0.5,
            reason="Both sing of rain. Both are sad (0.91 and 0.84).",
        ),
        make(
            "retrieval_metrics",
            [
                *(
                    {"model": model, "relevance": "mood", "metric": metric, "value": value}
                    for model, value in {"songmood": 0.65, "chance": 0.5, "tfidf": 0.55}.items()
                    for metric in ("precision", "recall", "ndcg")
                ),
                {
                    **{"model": "songmood", "relevance": "mood", "metric": "precision_gain_over_tfidf"},
                    "value": 0.1,
                },
                *(
                    {"model": model, "relevance": "none", "metric": metric, "value": 0.25}
                    for model in ("chance", "songmood")
                    for metric in ("coverage", "hubness", "variety", "repeats")
                ),
                {"model": "songmood", "relevance": "none", "metric": "weight_of_mood", "value": 0.7},
                {"model": "songmood", "relevance": "none", "metric": "weight_of_words", "value": 0.3},
                {"model": "songmood", "relevance": "none", "metric": "weight_of_audio", "value": 0.0},
                {"model": "songmood", "relevance": "exact", "metric": "recall", "value": 0.987},
            ],
            **{"k": 10, "n_queries": 12, "ci_low": 0.5, "ci_high": 0.66},
        ),
        make(
            "mix_curves",
            [
                {"part": part, "weight": weight, "loss": loss, "chosen": weight == 0.2}
                for part in ("mood", "words")
                for weight, loss in {0.0: 3.5, 0.2: 3.1, 0.4: 3.3}.items()
            ],
        ),
    ]


@pytest.fixture(scope="module")
def base() -> Settings:
    return load_settings(
        ROOT / "conf" / "base.yaml",
        [],
        [
            "paths.corpus=/songs",
            "dedupe.threshold=0.95",
            "report.map_songs=30",
            "report.seed_songs=4",
            "train.final_model=modified_tbert",
        ],
    )


@pytest.fixture(scope="module")
def tables(table: Table) -> dict[str, DataFrame]:
    tables = all_tables(table)
    assert set(READS) < set(tables)
    return tables


@pytest.fixture(scope="module")
def frames(tables: dict[str, DataFrame], base: Settings) -> dict[str, pd.DataFrame]:
    return fetch_summaries(tables, base)


@pytest.fixture(scope="module")
def page(frames: dict[str, pd.DataFrame], base: Settings) -> str:
    return render_report(frames, manifest(STEPS, base), base.model_dump(mode="json"))


def without_plotly(page: str) -> str:
    """The page without plotly's own megabytes."""
    shortened = re.sub(r"<script>/\*\*.*?</script>", "", page, flags=re.DOTALL)
    assert len(shortened) < 200_000
    return shortened


def figures(page: str) -> list[dict[str, Any]]:
    found = re.findall(r'<script type="application/json">(.*?)</script>', page, flags=re.DOTALL)
    return [json.loads(text) for text in found]


def test_summaries_are_bounded(frames: dict[str, pd.DataFrame], base: Settings) -> None:
    assert len(frames["map"]) == base.report.map_songs
    assert frames["seeds"]["seed_song_id"].nunique() == base.report.seed_songs
    assert frames["seeds"].groupby("seed_song_id").size().eq(1 + base.report.recommendations).all()


def test_a_seed_comes_before_its_recommendations(frames: dict[str, pd.DataFrame]) -> None:
    for seed, rows in frames["seeds"].groupby("seed_song_id"):
        songs = rows.sort_values("rank")["song_id"].tolist()
        first = int(seed[1:])
        assert songs == [song_id((first + rank) % N) for rank in range(len(songs))]


def test_the_funnel_has_counts_and_reasons(page: str) -> None:
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", without_plotly(page)))
    for part in (
        "records read 62 2 unreadable: 2 no song id",
        "filtered 50 10 dropped: 7 no spotify id; 3 language",
        "deduplicated 40 10 merged: 6 near title, like artist; 4 same words",
        "with tags 25",
        "with audio features 30",
        "with lyrics 38",
        "labeled 20 20 without a label: 12 too few tags; 5 no tags; 3 no emotion tag",
    ):
        assert part in text


def text_of(part: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", part).split())


def part_of(page: str, title: str) -> str:
    """The page from a heading to the next one."""
    found = re.search(rf"<(?:h[23]|summary)[^>]*>{title}<(.*?)<(?:h[23]|summary)\b", page, flags=re.DOTALL)
    assert found is not None, title
    return "<" + found.group(1)


def rows_of(part: str) -> list[str]:
    return [text_of(row) for row in re.findall(r"<tr\b.*?</tr>", part, flags=re.DOTALL)]


def test_the_funnel_is_compared_with_the_papers(
    page: str, no_frames: dict[str, pd.DataFrame], base: Settings
) -> None:
    part = part_of(page, "Comparison with the paper")
    assert "This run requires a Spotify id, a Last.fm id and English lyrics." in text_of(part)
    assert rows_of(part)[1:] == [
        "song records 60 – 1,700,000 –",
        "with the required ids and languages 50 83.3% 37,707 2.2%",
        "distinct songs 40 80.0% 24,280 64.4%",
        "with an emotion tag 32 80.0% 11,207 46.2%",  # 5 have no tags, 3 none of emotion
        "labeled 20 62.5% 11,183 99.8%",
    ]
    settings = base.model_dump(mode="json")
    settings["filter"] = {"required_ids": [], "languages": []}
    page = render_report(no_frames, manifest(STEPS[:2], base), settings)
    without_requirements = part_of(page, "Comparison with the paper")
    assert "This run requires neither ids nor a language." in text_of(without_requirements)
    assert rows_of(without_requirements)[2:4] == [
        "with the required ids and languages 50 83.3% 37,707 2.2%",
        "distinct songs – – 24,280 64.4%",
    ]


def test_each_source_has_counts_and_reasons(page: str) -> None:
    assert rows_of(part_of(page, "Sources"))[1:] == [
        "tags files 25 25 100.0%",
        "audio features files 1 1 100.0%",
        "lyrics files 6 3 50.0% 2 not found; 1 no match",
        "lyrics genius 3 1 33.3% 1 &lt;script&gt;alert(1)&lt;/script&gt;; 1 not asked",
    ]


def test_the_histogram_of_similarities_shows_the_threshold(page: str) -> None:
    bars, line = figures(page)[0]["data"], figures(page)[0]["layout"]["shapes"]
    heights = dict(zip(bars[0]["x"], bars[0]["y"], strict=True))
    assert heights == {0.225: 12, 0.425: 1, 0.925: 1, 0.975: 4}  # 1.0 is in the last bar
    assert [(shape["x0"], shape["x1"]) for shape in line] == [(0.95, 0.95)]
    assert figures(page)[0]["layout"]["yaxis"]["type"] == "log"
    text = text_of(part_of(page, "Duplicates"))
    assert "Pairs with a similarity of at least 0.95 are linked." in text
    assert "Of 18 pairs with similar names, 4 are linked." in text
    assert "Linked pairs in different groups: 1; other pairs in one group: 1." in text
    assert "left 1,234 pairs of records uncompared" in text


def test_errors_are_estimated_with_their_grounds(page: str) -> None:
    text = text_of(part_of(page, "Estimated errors"))
    assert "About 0.1 of 4 merged pairs are expected to be two songs (3.7%)" in text
    assert "about 3.8 pairs of one song are expected to be missed (49.9% of all such pairs)" in text
    assert "No two records agree in two ids" in text


def test_the_largest_groups_show_their_spellings(page: str) -> None:
    rows = re.findall(r"<tr\b.*?</tr>", part_of(page, "Largest groups"), flags=re.DOTALL)[1:]
    shown = [[text_of(cell) for cell in re.findall(r"<td.*?</td>", row, flags=re.DOTALL)] for row in rows]
    evil = "&lt;script&gt;alert(1)&lt;/script&gt;"
    assert [(count, name) for count, name, _ in shown] == [
        ("11", f"{evil} – Artist 0"),
        ("3", "Song 6 – Artist 6"),
        ("2", "Song 5 – Artist 5"),
    ]
    # the commonest first, and without that of the representative, which m9 has as well
    assert shown[0][2] == (
        "Spelling 7 – Artist 0 (2 records) "
        + " ".join(f"Spelling {i} – Artist 0" for i in range(5))
        + " and 2 more"
    )
    assert "&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt; – unknown artist" in shown[1][2]
    assert shown[2][2] == "none"


def test_there_is_one_borderline_pair_for_each_combination_on_both_sides(
    page: str, frames: dict[str, pd.DataFrame]
) -> None:
    found = duplicates.select_borderline(frames["combinations"], 0.95)
    found = found.sort_values("similarity", ascending=False)
    nearest_below = [0.93, 0.41, *((211 - i) / 1000 for i in range(8))]
    assert found["similarity"].round(6).tolist() == [1.0, 0.96, *nearest_below]
    part = part_of(page, "Borderline pairs")
    pairs = [text_of(pair) for pair in re.findall(r"<tbody.*?</tbody>", part, flags=re.DOTALL)]
    assert len(pairs) == len(found) + 1
    assert pairs[0].startswith("1.0000 Artist 0 Spelling 0 – – – merged Artist 0 Spelling 1 – – –")
    # two of these pairs are merged and one is not; any of them may be shown
    assert pairs[1].startswith("0.9600")
    assert "name: same words; album: same; year: unknown; length: near" in pairs[1]
    assert pairs[1].endswith("3 pairs with these levels, 2 merged.")
    assert pairs[2] == "below the threshold of 0.95"
    assert pairs[3].startswith("0.9300 – &lt;/script&gt;")
    assert " merged " in pairs[3]
    assert (
        "Artist 2 – Best of &lt;b&gt;2&lt;/b&gt; 1975 3:05 not merged Artist 3 Beyond &amp; Above" in pairs[4]
    )


def test_another_seed_draws_another_pair_of_a_combination(tables: dict[str, DataFrame]) -> None:
    drawn = set()
    for seed in range(3):
        combinations = duplicates.summarize_pairs(tables, 0.95, seed)["combinations"]
        rows = combinations.where("similarity = 0.96").collect()
        drawn |= {(row["song_id"], row["other_id"]) for row in rows}
        assert len(rows) == 1
    assert 1 < len(drawn) <= 3


def test_weights_are_sorted_by_comparison_and_level(page: str) -> None:
    part = part_of(page, "Match weights")
    assert "The prior probability of a match is 12.5%." in text_of(part)
    # the weights of names have a wider range than those of albums
    assert rows_of(part)[1:] == [
        "name same title and artist 0.6000 0.0300 4.3",
        "name title, other artist 0.0008 0.4000 -9.0",
        "album same 0.5000 0.0300 4.1",
        "album differs 0.5000 0.9700 -1.0",
    ]


def test_models_are_compared_with_baselines_on_test_songs(page: str) -> None:
    rows = rows_of(part_of(page, "Models"))[1:]
    names = [row.split()[:2] for row in rows]
    assert names == [["majority", "baseline"], ["tfidf", "logistic"], ["modified", "tbert"]]
    assert "0.764" in rows[2]  # the paper's
    assert "80.0%" in page
    assert "None" not in without_plotly(page)
    assert "nan" not in re.sub(r"<[^>]+>", " ", without_plotly(page)).split()


def test_models_have_confusion_matrices_and_calibration(page: str) -> None:
    assert "Confusion matrix and calibration" in page
    for model in ("majority", "modified tbert"):
        assert rows_of(part_of(page, model)) == [
            "label predicted happy predicted sad",
            "happy 3 3",
            "sad 3 3",
        ]
    assert "0.042" in rows_of(part_of(page, "Models"))[2]
    (figure,) = [
        f
        for f in figures(page)
        if f["layout"].get("xaxis", {}).get("title", {}).get("text", "") == "mean confidence"
    ]
    assert figure["data"][1]["x"] == [0.8]
    assert figure["data"][1]["y"] == [0.5]


def test_accuracy_against_coverage_starts_with_the_surest_songs() -> None:
    rows = [
        *(("happy", "happy", 9, 4, 3.8), ("sad", "happy", 9, 1, 0.9)),
        *(("sad", "sad", 5, 3, 1.6), ("happy", "sad", 5, 2, 1.1)),
    ]
    predictions = pd.DataFrame(rows, columns=["mood", "predicted", "bin", "songs", "confidence"])
    predictions = predictions.assign(model="m")
    points = coverage_points(predictions, "m").to_dict("records")
    assert points == [
        {"coverage": 0.5, "accuracy": pytest.approx(0.8), "threshold": 0.9},
        {"coverage": 1.0, "accuracy": pytest.approx(0.7), "threshold": 0.5},
    ]
    assert coverage_points(predictions, "another").empty


def test_labels_under_other_thresholds_are_counted(page: str) -> None:
    assert rows_of(part_of(page, "Labels under other thresholds")) == [
        "k epsilon 0.0 epsilon 0.05 epsilon 0.1 epsilon 0.2 epsilon 0.3",
        "1 3 100% sad 0 0 0 0",
        "3 0 0 0 0 0",
        "5 0 0 40 75% happy, 25% sad 5 100% happy 0",
        "10 0 0 0 0 0",
    ]


def test_other_thresholds_are_shown_if_those_of_the_run_label_no_song(
    no_frames: dict[str, pd.DataFrame], frames: dict[str, pd.DataFrame], base: Settings
) -> None:
    unlabeled = {**no_frames, "label_choices": frames["label_choices"]}
    text = render_report(unlabeled, manifest(without_labels(STEPS), base), base.model_dump(mode="json"))
    assert "There are no labels in this run" in text
    assert "5 0 40 75% happy, 25% sad 5 100% happy" in rows_of(part_of(text, "Labels under other thresholds"))


def test_topics_show_the_models_that_were_tried(page: str) -> None:
    rows = rows_of(part_of(page, "Selection of the topic model"))
    assert rows[1] == "lda chosen 30 0.300 -7.00 40% of songs auto auto 10"
    assert "dense 2 0.200 – 10% of songs – – –" in rows
    assert rows[-1].startswith("LDA of the paper 7 0.35 -6.72")
    assert len(rows) == 1 + 20 + 1
    assert "20 of 29 are shown." in page


def test_the_section_time_says_where_encoding_spent_it(page: str) -> None:
    part = text_of(page.partition("<h2>Time</h2>")[2])
    assert "embed encoded 36 lyrics of 3,456 word pieces, 12.3 lyrics a second." in part
    assert "read 10.0%, start 20.0%, tokenize 5.0%, encode 60.0%, write 5.0%." in part
    assert "2,750 by onnx (tried on a sample: onnx 2,800, torch 2,000)." in part


def test_names_from_the_corpus_are_escaped(
    page: str, frames: dict[str, pd.DataFrame], base: Settings
) -> None:
    # every song on the map and among the seeds
    shown = {
        **frames,
        "map": frames["map"].assign(title=CLOSER, artist=EVIL, mood=EVIL),
        "seeds": frames["seeds"].assign(title=EVIL, seed_title=CLOSER, reason=EVIL),
        "topic_terms": frames["topic_terms"].assign(term=EVIL),
        "combinations": frames["combinations"].assign(name=CLOSER),
        "records": frames["records"].assign(artist=EVIL, title=CLOSER, album=EVIL),
        "groups": frames["groups"].assign(artist=EVIL, title=CLOSER),
        "spellings": frames["spellings"].assign(artist=CLOSER, title=EVIL),
        "match_weights": frames["match_weights"].assign(comparison=EVIL, level=CLOSER),
    }
    evil_moods = [step_record("label", {"labelled": (20, {EVIL: 20})})]
    evil_page = render_report(shown, manifest(STEPS + evil_moods, base), base.model_dump(mode="json"))
    for text in (page, evil_page):
        text = without_plotly(text)
        assert EVIL not in text
        assert "<img" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
        # plotly reads tags in labels, so those are escaped once more, within the JSON
        for figure in figures(text):
            for trace in figure["data"]:
                assert "<" not in json.dumps([trace.get("text"), trace.get("name")])


def test_clusters_are_described_and_other_algorithms_named(page: str) -> None:
    section = page[page.index("<h2>Clusters</h2>") : page.index("<h2>Topics</h2>")]
    assert "sad: word3, rain" in section
    assert "75.0% sad, 25.0% happy" in section
    assert "word3, broken heart" in section
    assert "DBSCAN: 5 clusters, 12.5% of the songs are noise, silhouette of the others 0.25." in section
    assert "HDBSCAN: 0 clusters, 100.0% of the songs are noise." in section


def test_figures_have_their_names_and_data(page: str) -> None:
    titles = re.findall(r'<div class="chart" role="img" aria-label="([^"]+)">', page)
    assert titles == [
        "histogram of the similarities of pairs",
        "reliability diagram of the final model",
        "accuracy against coverage of the final model",
        "training and validation loss of modified tbert, adamw",
        "map of songs colored by mood",
        "map of songs colored by cluster",
        "silhouette by number of clusters",
        "stability by number of clusters",
        "distortion by number of clusters",
        "loss by weight",
    ]
    _, _, _, curve, by_mood, by_cluster, silhouette, _, _, by_weight = figures(page)
    assert [trace["name"] for trace in by_weight["data"]] == ["mood", "words"]
    assert [trace["name"] for trace in curve["data"]] == ["train", "validation"]
    assert [trace["name"] for trace in by_mood["data"]][-2:] == ["happy", "sad"]
    for figure in (by_mood, by_cluster):
        assert sum(len(trace["x"]) for trace in figure["data"]) == 30
    assert len(by_cluster["data"]) == 7  # the six largest of nine, and one trace for the rest
    assert silhouette["data"][0]["marker"]["symbol"] == ["circle", "diamond", "circle"]


def test_the_page_loads_nothing_and_is_not_too_large(page: str) -> None:
    assert len(page.encode()) < 8_000_000
    assert page.count("<script>/**") == 1
    assert not re.findall(r"(?:src|href)\s*=\s*[\"']?(?:https?:)?//", without_plotly(page))
    assert "default-src 'none'" in page


def test_there_are_no_lyrics_on_the_page(page: str, frames: dict[str, pd.DataFrame]) -> None:
    assert not any({"lyrics", "last_error"} & set(frame.columns) for frame in frames.values())
    assert "tokens" not in READS
    assert SENTINEL.split()[0] not in page


@pytest.fixture(scope="module")
def no_frames(table: Table, base: Settings) -> dict[str, pd.DataFrame]:
    return fetch_summaries({name: table(TABLES[name]) for name in READS}, base)


def without_labels(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    empty = {"label": {"labelled": (0,)}, "score": {"moods": (0,)}}
    return [step_record(name, empty[name]) if (name := step["step"]) in empty else step for step in steps]


@pytest.mark.parametrize("steps", [[], without_labels(STEPS)])
def test_each_section_says_why_it_is_empty(
    no_frames: dict[str, pd.DataFrame], base: Settings, steps: list[dict[str, Any]]
) -> None:
    text = without_plotly(render_report(no_frames, manifest(steps, base), base.model_dump(mode="json")))
    for part in ("no labels in this run", "no topics", "there is no map", "no recommendations"):
        assert part in text
    assert "too few songs" in text
    assert "No two records in this run have similar names." in text
    for part in ("Estimated errors", "Largest groups", "Borderline pairs", "Match weights"):
        assert part not in text
    assert ("No song records" in text) == (not steps)
    assert "nan" not in re.sub(r"<[^>]+>", " ", text).split()


def test_the_same_tables_make_the_same_page(page: str, tables: dict[str, DataFrame], base: Settings) -> None:
    reversed_tables = {name: frame.orderBy(F.desc(frame.columns[1])) for name, frame in tables.items()}
    again = fetch_summaries(reversed_tables, base)
    assert render_report(again, manifest(STEPS, base), base.model_dump(mode="json")) == page


def test_the_template_is_read_from_a_zip(tmp_path: Path) -> None:
    """As on executors, which have songmood as a zip."""
    package = tmp_path / "songmood.zip"
    with zipfile.ZipFile(package, "w") as archive:
        for path in sorted((ROOT / "lib").rglob("*")):
            if path.suffix in {".py", ".j2"}:
                archive.write(path, path.relative_to(ROOT / "lib"))
    code = (
        "from songmood.report import templates; assert '.zip' in templates.__file__;"
        "print(len(templates._read('page.html.j2')), len(templates._read('sections/duplicates.html.j2')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, cwd=tmp_path, env={"PYTHONPATH": str(package), "PATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert min(map(int, done.stdout.split())) > 500
