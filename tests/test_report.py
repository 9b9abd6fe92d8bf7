"""The report: complete with data, calm without, escaped, and without lyrics."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from conftest import ROOT
from songmood.config import Config, load_config
from songmood.report import READS, render_report, summarise
from songmood.tables import DEDUPED, TABLES

EVIL = "<script>alert(1)</script>"
CLOSER = "</script><img src=x onerror=alert(2)>"
SENTINEL = "zyzzyva sings where only lyrics are"
N = 40


def step_record(step: str, tables: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "step": step,
        "fingerprint": "f",
        "reused": False,
        "seconds": 1.5,
        "peak_memory_mb": 900,
        "rows_in": {},
        "tables": {
            name: {"table": name, "path": name, "rows": rows, "reasons": reasons}
            for name, (rows, reasons) in tables.items()
        },
        "warnings": [],
        "figures": {},
        **more,
    }


def manifest(steps: list[dict[str, Any]], config: Config) -> dict[str, Any]:
    return {
        "run_id": "20250101-000000-test",
        "state": "running",
        "started_at": "2025-01-01T00:00:00+00:00",
        "songmood": "0.1.0",
        "code_revision": None,
        "master": "local[2]",
        "packages": {"pyspark": "3.5"},
        "seed": 7,
        "settings": config.model_dump(mode="json"),
        "steps": steps,
    }


STEPS = [
    step_record("ingest", {"songs": (60, {}), "rejects": (2, {"no song_id": 2})}),
    step_record("filter", {"filtered": (50, {}), "dropped": (10, {"no_spotify_id": 7, "language": 3})}),
    step_record(
        "dedupe",
        {
            "deduped": (N, {}),
            "duplicates": (10, {"same words; same album": 3, "same words": 1, "near title, like artist": 6}),
        },
        reused=True,
        figures={"pairs_left_out": 1234, "match_share": 0.125},
    ),
    step_record(
        "enrich",
        {"tags": (200, {}), "audio_features": (30, {}), "lyrics": (38, {})},
        warnings=[f"look {EVIL}"],
    ),
    step_record(
        "label",
        {"labelled": (20, {}), "dropped": (30, {"too_few_tags": 12, "no_tags": 5, "no_emotion_tag": 3})},
    ),
    step_record("recommend", {"recommendations": (N * 10, {})}),
]


def song_id(i: int) -> str:
    return f"s{i:02}"


def filled(spark: SparkSession) -> dict[str, DataFrame]:
    rng = np.random.default_rng(1)
    titles = {0: EVIL, 1: CLOSER, 2: None, 3: "Beyond & Above <b>bold</b>"}
    moods = ["happy", "sad"]

    def frame(name: str, rows: list[tuple[Any, ...]]) -> DataFrame:
        return spark.createDataFrame(rows, TABLES[name].schema)

    def song(i: int) -> tuple[Any, ...]:
        known = {"song_id": song_id(i), "artist": f"Artist {i}", "title": titles.get(i, f"Song {i}")}
        return tuple({**known, "version_count": 1}.get(name) for name in DEDUPED.column_names)

    metrics = [
        (model, split, accuracy, 0.7, 0.8, 0.7, None, 0.6, 30, 1.5, 7, accuracy - 0.1, accuracy + 0.1)
        for model, accuracy in (("modified_tbert", 0.8), ("majority", 0.55), ("tfidf_logistic", 0.7))
        for split in ("validation", "test")
    ]
    recommendations = [
        (
            song_id(i),
            rank,
            song_id((i + rank) % N),
            0.5,
            0.4,
            0.6,
            ["rain"],
            True,
            None,
            "shares rain; both sad",
        )
        for i in range(N)
        for rank in range(1, 11)
    ]
    return {
        "lyrics": frame("lyrics", [("s00", SENTINEL, "file", None, None, None)]),
        "tokens": frame("tokens", [("s00", SENTINEL.split())]),
        "deduped": frame("deduped", [song(i) for i in range(N)]),
        "tags": frame("tags", [(song_id(i), tag, 50.0) for i in range(25) for tag in ("sad", "rock")]),
        "labelled": frame("labelled", [(song_id(i), moods[i % 2], "sad", 0.5) for i in range(20)]),
        "moods": frame(
            "moods", [(song_id(i), moods[i % 3 % 2], None, None, [1.0], None, "m") for i in range(N - 2)]
        ),
        "clusters": frame(
            "clusters", [(song_id(i), i % 9, *map(float, rng.normal(size=2)), [0.0]) for i in range(N)]
        ),
        "cluster_selection": frame(
            "cluster_selection", [(4, 9.0, 0.3, False), (8, 5.0, 0.5, True), (16, 2.0, 0.4, False)]
        ),
        "topic_terms": frame(
            "topic_terms", [(t, r, f"word{t}{r}", 0.1) for t in range(3) for r in (1, 2, 3)]
        ),
        "model_metrics": frame("model_metrics", metrics),
        "training_curves": frame(
            "training_curves",
            [
                ("modified_tbert", "adamw", s, 1 / s, split)
                for s in range(1, 9)
                for split in ("train", "validation")
            ],
        ),
        "recommendations": frame("recommendations", recommendations),
        "retrieval_metrics": frame(
            "retrieval_metrics",
            [
                ("tfidf", "precision_by_mood", 0.55, 10, 0.0, 12, 0.5, 0.6),
                ("chance", "precision_by_mood", 0.5, 10, None, 12, 0.5, 0.5),
            ],
        ),
    }


@pytest.fixture(scope="module")
def base() -> Config:
    return load_config(
        ROOT / "conf" / "base.yaml", [], ["paths.corpus=/songs", "report.map_songs=30", "report.seed_songs=4"]
    )


@pytest.fixture(scope="module")
def frames(spark: SparkSession, base: Config) -> dict[str, pd.DataFrame]:
    tables = filled(spark)
    assert set(READS) < set(tables)
    return {name: frame.toPandas() for name, frame in summarise(tables, base.report, seed=7).items()}


@pytest.fixture(scope="module")
def page(frames: dict[str, pd.DataFrame], base: Config) -> str:
    return render_report(frames, manifest(STEPS, base), base.model_dump(mode="json"))


def without_plotly(page: str) -> str:
    """The page without plotly's own megabytes."""
    shortened = re.sub(r"<script>/\*\*.*?</script>", "", page, flags=re.DOTALL)
    assert len(shortened) < 200_000
    return shortened


def figures(page: str) -> list[dict[str, Any]]:
    found = re.findall(r'<script type="application/json">(.*?)</script>', page, flags=re.DOTALL)
    return [json.loads(text) for text in found]


def test_what_is_read_is_bounded(frames: dict[str, pd.DataFrame], base: Config) -> None:
    assert len(frames["map"]) == base.report.map_songs
    assert frames["seeds"]["seed_song_id"].nunique() == base.report.seed_songs
    assert frames["seeds"].groupby("seed_song_id").size().eq(base.report.recommendations).all()
    assert frames["songs_with_tags"]["songs"].tolist() == [25]


def test_the_funnel_says_how_many_and_why(page: str) -> None:
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", without_plotly(page)))
    for part in (
        "records read 62 2 unreadable: 2 no song id",
        "filtered 50 10 dropped: 7 no spotify id; 3 language",
        "de-duplicated 40 10 merged: 6 near title, like artist; 4 same words",
        "with tags 25",
        "with audio features 30",
        "with lyrics 38",
        "labelled 20 20 without a label: 12 too few tags; 5 no tags; 3 no emotion tag",
    ):
        assert part in text


def words(part: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", part).split())


def part_of(page: str, title: str) -> str:
    """From a heading to the next."""
    found = re.search(rf"<(?:h[23]|summary)[^>]*>{title}<(.*?)<(?:h[23]|summary)\b", page, flags=re.DOTALL)
    assert found is not None, title
    return "<" + found.group(1)


def rows_of(part: str) -> list[str]:
    return [words(row) for row in re.findall(r"<tr\b.*?</tr>", part, flags=re.DOTALL)]


def test_the_funnel_stands_beside_the_papers(
    page: str, no_frames: dict[str, pd.DataFrame], base: Config
) -> None:
    part = part_of(page, "Beside the paper")
    assert "This run asks for a Spotify id, a Last.fm id, English;" in words(part)
    assert rows_of(part)[1:] == [
        "song records 60 – 1,700,000 –",
        "with the ids and languages asked for 50 83.3% 37,707 2.2%",
        "distinct songs 40 80.0% 24,280 64.4%",
        "with an emotion tag 32 80.0% 11,207 46.2%",  # 5 have no tags, 3 none of emotion
        "labelled 20 62.5% 11,183 99.8%",
    ]
    settings = base.model_dump(mode="json")
    settings["filter"] = {"required_ids": [], "languages": []}
    other = part_of(render_report(no_frames, manifest(STEPS[:2], base), settings), "Beside the paper")
    assert "This run asks for any language;" in words(other)
    assert rows_of(other)[2:4] == [
        "with the ids and languages asked for 50 83.3% 37,707 2.2%",
        "distinct songs – – 24,280 64.4%",
    ]


def test_models_stand_beside_their_baselines_on_test_songs(page: str) -> None:
    rows = rows_of(part_of(page, "Models"))[1:]
    names = [row.split()[:2] for row in rows]
    assert names == [["majority", "baseline"], ["tfidf", "logistic"], ["modified", "tbert"]]
    assert "0.764" in rows[2]  # the paper's
    assert "80.0%" in page
    assert "None" not in without_plotly(page)
    assert "nan" not in re.sub(r"<[^>]+>", " ", without_plotly(page)).split()


def test_names_from_the_corpus_are_escaped(page: str, frames: dict[str, pd.DataFrame], base: Config) -> None:
    # every song on the map and among the seeds
    shown = {
        **frames,
        "map": frames["map"].assign(title=CLOSER, artist=EVIL, mood=EVIL),
        "seeds": frames["seeds"].assign(title=EVIL, seed_title=CLOSER, reason=EVIL),
        "labels": frames["labels"].assign(mood=EVIL),
        "topic_terms": frames["topic_terms"].assign(term=EVIL),
    }
    for text in (page, render_report(shown, manifest(STEPS, base), base.model_dump(mode="json"))):
        text = without_plotly(text)
        assert EVIL not in text
        assert "<img" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
        # plotly reads tags in labels, so those are escaped once more, within the JSON
        for figure in figures(text):
            for trace in figure["data"]:
                assert "<" not in json.dumps([trace.get("text"), trace.get("name")])


def test_figures_are_what_they_say(page: str) -> None:
    titles = re.findall(r'<div class="chart" role="img" aria-label="([^"]+)">', page)
    assert titles == [
        "training and validation loss of modified tbert, adamw",
        "map of songs coloured by mood",
        "map of songs coloured by cluster",
        "silhouette by number of clusters",
        "distortion by number of clusters",
    ]
    curve, by_mood, by_cluster, silhouette, _ = figures(page)
    assert [trace["name"] for trace in curve["data"]] == ["train", "validation"]
    assert [trace["name"] for trace in by_mood["data"]][-2:] == ["happy", "sad"]
    for figure in (by_mood, by_cluster):
        assert sum(len(trace["x"]) for trace in figure["data"]) == 30
    assert len(by_cluster["data"]) == 7  # the six largest of nine, and the others
    assert silhouette["data"][0]["marker"]["symbol"] == ["circle", "diamond", "circle"]


def test_the_page_asks_nothing_of_the_network_and_is_not_too_heavy(page: str) -> None:
    assert len(page.encode()) < 8_000_000
    assert page.count("<script>/**") == 1
    assert not re.findall(r"(?:src|href)\s*=\s*[\"']?(?:https?:)?//", without_plotly(page))
    assert "default-src 'none'" in page


def test_there_are_no_lyrics_on_the_page(page: str) -> None:
    assert "lyrics" not in READS
    assert SENTINEL.split()[0] not in page


@pytest.fixture(scope="module")
def no_frames(spark: SparkSession, base: Config) -> dict[str, pd.DataFrame]:
    tables = {name: spark.createDataFrame([], TABLES[name].schema) for name in READS}
    return {name: frame.toPandas() for name, frame in summarise(tables, base.report, seed=7).items()}


@pytest.mark.parametrize("steps", [[], STEPS])
def test_with_all_tables_empty_each_part_says_why(
    no_frames: dict[str, pd.DataFrame], base: Config, steps: list[dict[str, Any]]
) -> None:
    text = without_plotly(render_report(no_frames, manifest(steps, base), base.model_dump(mode="json")))
    for part in ("No labels in this run", "No topics", "nothing to map", "Nothing is recommended"):
        assert part in text
    assert "Too few songs" in text
    assert ("No song records" in text) == (not steps)
    assert "nan" not in re.sub(r"<[^>]+>", " ", text).split()


def test_the_same_tables_make_the_same_page(
    spark: SparkSession, page: str, frames: dict[str, pd.DataFrame], base: Config
) -> None:
    shuffled = {
        name: frame.repartition(3).orderBy(frame.columns[-1]) for name, frame in filled(spark).items()
    }
    again = {name: frame.toPandas() for name, frame in summarise(shuffled, base.report, seed=7).items()}
    assert render_report(again, manifest(STEPS, base), base.model_dump(mode="json")) == page


def test_the_template_is_read_from_a_zip(tmp_path: Path) -> None:
    """As on a machine that has songmood as a zip alone."""
    import subprocess
    import sys

    package = tmp_path / "songmood.zip"
    with zipfile.ZipFile(package, "w") as archive:
        for path in sorted((ROOT / "lib").rglob("*")):
            if path.suffix in {".py", ".j2"}:
                archive.write(path, path.relative_to(ROOT / "lib"))
    code = (
        "from importlib import resources; import songmood.report as r; assert '.zip' in r.__file__;"
        "print(len(resources.files('songmood').joinpath('report.html.j2').read_text()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, cwd=tmp_path, env={"PYTHONPATH": str(package), "PATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 1000
