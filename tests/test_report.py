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
from songmood.report import READS, render_report, summarize
from songmood.settings import Settings, load_settings
from songmood.tables import AUDIO, DEDUPED, FILTERED, MODEL_METRICS, TABLES

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


# Records that were merged: into s00, spelled in eight ways and once as s00 is; into s05; into s06.
MERGED = {
    **{f"m{i}": ("s00", "Artist 0", f"Spelling {i}") for i in range(8)},
    "m8": ("s00", "Artist 0", "Spelling 7"),
    "m9": ("s00", "Artist 0", EVIL),
    "n0": ("s05", "Artist 5", "Song 5"),
    "o0": ("s06", None, CLOSER),
    "o1": ("s06", EVIL, "Song 6"),
}
# (song_id, other_id, similarity, level of the name, level of the album); the threshold is 0.95.
PAIRS = [
    ("m0", "m1", 1.0, "same title and artist", "same"),
    ("m0", "s00", 0.96, "same words", "same"),
    ("m1", "s00", 0.96, "same words", "same"),
    ("s07", "s08", 0.96, "same words", "same"),  # alike, and yet in two groups
    ("o0", "o1", 0.93, "near title and artist", "differs"),  # less alike, and in one
    ("s02", "s03", 0.41, "title, other artist", "unknown"),
    *((f"s{10 + i}", f"s{11 + i}", 0.2 + i / 1000, f"level {i}", "differs") for i in range(12)),
]


def filled(spark: SparkSession) -> dict[str, DataFrame]:
    rng = np.random.default_rng(1)
    titles = {0: EVIL, 1: CLOSER, 2: None, 3: "Beyond & Above <b>bold</b>"}
    moods = ["happy", "sad"]

    def frame(name: str, rows: list[tuple[Any, ...]]) -> DataFrame:
        return spark.createDataFrame(rows, TABLES[name].schema)

    def song(i: int) -> tuple[Any, ...]:
        known = {"song_id": song_id(i), "artist": f"Artist {i}", "title": titles.get(i, f"Song {i}")}
        more = {"version_count": 1 + sum(into == song_id(i) for into, _, _ in MERGED.values())}
        if i == 2:
            more |= {"album": "Best of <b>2</b>", "year": 1975, "duration_s": 185.4}
        return tuple({**known, **more}.get(name) for name in DEDUPED.column_names)

    def record(song_id: str, artist: str | None, title: str) -> tuple[Any, ...]:
        known = {"song_id": song_id, "artist": artist, "title": title}
        return tuple(known.get(name) for name in FILTERED.column_names)

    songs = [song(i) for i in range(N)]

    measured = {"precision": 0.7, "recall": 0.8, "f1": 0.7, "log_loss": 0.6}
    measured |= {"n": 30, "train_seconds": 1.5, "seed": 7}
    metrics = [
        tuple(
            {
                **measured,
                **{"model": model, "split": split, "accuracy": accuracy, "mcnemar_p": 0.042},
                **{"accuracy_low": accuracy - 0.1, "accuracy_high": accuracy + 0.1},
            }.get(name)
            for name in MODEL_METRICS.column_names
        )
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
        "lyrics": frame(
            "lyrics",
            [
                (song_id(i), SENTINEL, source, None, None, None, None)
                for i, source in enumerate(["files"] * 3 + ["genius"])
            ],
        ),
        "audio_features": frame(
            "audio_features",
            [tuple({"song_id": "s00", "source": "files"}.get(n) for n in AUDIO.column_names)],
        ),
        "enrichment_failures": frame(
            "enrichment_failures",
            [
                (song_id(i), f"lyrics:{source}", status, None, 1, SENTINEL, None)
                for i, source, status in [
                    (3, "files", "not_found"),
                    (4, "files", "no_match"),
                    (5, "files", "not_found"),
                    (4, "genius", EVIL),
                    (5, "genius", "not_asked"),
                ]
            ],
        ),
        "tokens": frame("tokens", [("s00", SENTINEL.split())]),
        "filtered": frame(
            "filtered",
            [row[:-1] for row in songs]
            + [record(id_, artist, title) for id_, (_, artist, title) in MERGED.items()],
        ),
        "deduped": frame("deduped", songs),
        "duplicates": frame(
            "duplicates", [(id_, into, 0.96, "same words") for id_, (into, _, _) in MERGED.items()]
        ),
        "duplicate_pairs": frame(
            "duplicate_pairs",
            [(*pair, "unknown", "near", "same", "unknown") for pair in PAIRS],
        ),
        "match_weights": frame(
            "match_weights",
            [
                ("album", "differs", 0.5, 0.97, -0.956),
                ("album", "same", 0.5, 0.03, 4.059),
                ("name", "title, other artist", 0.0008, 0.4, -8.966),
                ("name", "same title and artist", 0.6, 0.03, 4.322),
            ],
        ),
        "tags": frame(
            "tags", [(song_id(i), tag, 50.0, "files") for i in range(25) for tag in ("sad", "rock")]
        ),
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
        "topic_selection": frame(
            "topic_selection",
            [
                ("dense", 2, "", "", 0, 0.1, None, 0.2, False),
                *(("lda", n, "auto", "auto", 10, 0.4, -7.0, n / 100, n == 30) for n in range(3, 31)),
            ],
        ),
        "model_metrics": frame("model_metrics", metrics),
        "label_choices": frame(
            "label_choices",
            [(5, 0.1, "happy", 30), (5, 0.1, "sad", 10), (5, 0.2, "happy", 5), (1, 0.1, "sad", 3)],
        ),
        "model_predictions": frame(
            "model_predictions",
            [
                (model, song_id(i), split, moods[i % 2], moods[i % 4 // 2], {"happy": 0.8, "sad": 0.2}, None)
                for model in ("majority", "modified_tbert")
                for i, split in enumerate(["test"] * 12 + ["validation"] * 3)
            ],
        ),
        "training_curves": frame(
            "training_curves",
            [
                ("modified_tbert", "adamw", s, 1 / s, split, 7)
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
def base() -> Settings:
    return load_settings(
        ROOT / "conf" / "base.yaml",
        [],
        [
            "paths.corpus=/songs",
            "report.map_songs=30",
            "report.seed_songs=4",
            "train.final_model=modified_tbert",
        ],
    )


@pytest.fixture(scope="module")
def frames(spark: SparkSession, base: Settings) -> dict[str, pd.DataFrame]:
    tables = filled(spark)
    assert set(READS) < set(tables)
    return {name: frame.toPandas() for name, frame in summarize(tables, base).items()}


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


def test_what_is_read_is_bounded(frames: dict[str, pd.DataFrame], base: Settings) -> None:
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
    page: str, no_frames: dict[str, pd.DataFrame], base: Settings
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


def test_each_source_says_what_it_had_and_why_not_more(page: str) -> None:
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
    text = words(part_of(page, "Duplicates"))
    assert "From 0.95 on they are linked" in text
    assert "Of 18 pairs whose names could be one song's, 4 are linked." in text
    assert "Linked and yet in two groups: 1; not linked and yet in one, through others: 1." in text
    assert "1,234 pairs of records were left out" in text


def test_the_largest_groups_show_what_was_merged(page: str) -> None:
    rows = re.findall(r"<tr\b.*?</tr>", part_of(page, "The largest groups"), flags=re.DOTALL)[1:]
    shown = [[words(cell) for cell in re.findall(r"<td.*?</td>", row, flags=re.DOTALL)] for row in rows]
    evil = "&lt;script&gt;alert(1)&lt;/script&gt;"
    assert [(count, name) for count, name, _ in shown] == [
        ("11", f"{evil} – Artist 0"),
        ("3", "Song 6 – Artist 6"),
        ("2", "Song 5 – Artist 5"),
    ]
    # the commonest first, and not the representative's own, which m9 has, too
    assert shown[0][2] == (
        "Spelling 7 – Artist 0 (2 records) "
        + " ".join(f"Spelling {i} – Artist 0" for i in range(5))
        + " and 2 more"
    )
    assert "&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt; – unknown artist" in shown[1][2]
    assert shown[2][2] == "all are spelled so"


def test_borderline_pairs_are_one_of_each_combination_on_both_sides(
    page: str, frames: dict[str, pd.DataFrame]
) -> None:
    found = frames["borderline"].sort_values("similarity", ascending=False)
    nearest_below = [0.93, 0.41, *((211 - i) / 1000 for i in range(8))]
    assert found["similarity"].round(6).tolist() == [1.0, 0.96, *nearest_below]
    part = part_of(page, "Borderline pairs")
    pairs = [words(pair) for pair in re.findall(r"<tbody.*?</tbody>", part, flags=re.DOTALL)]
    assert len(pairs) == len(found) + 1
    assert pairs[0].startswith("1.0000 Artist 0 Spelling 0 – – – merged Artist 0 Spelling 1 – – –")
    # two such pairs are merged, one is not: any of them stands for all
    assert pairs[1].startswith("0.9600")
    assert "name: same words; album: same; year: unknown; length: near" in pairs[1]
    assert pairs[1].endswith("3 such pairs, 2 merged.")
    assert pairs[2] == "below the threshold of 0.95"
    assert pairs[3].startswith("0.9300 – &lt;/script&gt;")
    assert " merged " in pairs[3]
    assert (
        "Artist 2 – Best of &lt;b&gt;2&lt;/b&gt; 1975 3:05 kept apart Artist 3 Beyond &amp; Above" in pairs[4]
    )


def test_another_seed_picks_another_pair_of_a_combination(spark: SparkSession, base: Settings) -> None:
    tables, picked = filled(spark), set()
    for seed in range(6):
        settings = base.model_copy(update={"seed": seed})
        found = summarize(tables, settings)["borderline"].where("similarity = 0.96").collect()
        picked |= {row["song_id"] for row in found}
        assert len(found) == 1
    assert 1 < len(picked) <= 3


def test_the_weights_say_what_each_level_is_worth(page: str) -> None:
    part = part_of(page, "Match weights")
    assert "the share of all pairs that match, 12.5%" in words(part)
    # names can tell more than albums do
    assert rows_of(part)[1:] == [
        "name same title and artist 0.6000 0.0300 4.3",
        "name title, other artist 0.0008 0.4000 -9.0",
        "album same 0.5000 0.0300 4.1",
        "album differs 0.5000 0.9700 -1.0",
    ]


def test_models_stand_beside_their_baselines_on_test_songs(page: str) -> None:
    rows = rows_of(part_of(page, "Models"))[1:]
    names = [row.split()[:2] for row in rows]
    assert names == [["majority", "baseline"], ["tfidf", "logistic"], ["modified", "tbert"]]
    assert "0.764" in rows[2]  # the paper's
    assert "80.0%" in page
    assert "None" not in without_plotly(page)
    assert "nan" not in re.sub(r"<[^>]+>", " ", without_plotly(page)).split()


def test_models_show_whom_they_take_for_what(page: str) -> None:
    assert "Who is taken for what, and how sure is right" in page
    for model in ("majority", "modified tbert"):
        assert rows_of(part_of(page, model)) == ["is called happy called sad", "happy 3 3", "sad 3 3"]
    assert "0.042" in rows_of(part_of(page, "Models"))[2]
    (figure,) = [
        f
        for f in figures(page)
        if f["layout"].get("xaxis", {}).get("title", {}).get("text", "").startswith("probability it")
    ]
    assert figure["data"][1]["x"] == [0.8]
    assert figure["data"][1]["y"] == [0.5]


def test_labels_show_what_other_rules_would_leave(page: str) -> None:
    assert rows_of(part_of(page, "Other rules for labels")) == [
        "k epsilon 0.0 epsilon 0.05 epsilon 0.1 epsilon 0.2 epsilon 0.3",
        "1 0 0 3 100% sad 0 0",
        "3 0 0 0 0 0",
        "5 0 0 40 75% happy, 25% sad 5 100% happy 0",
        "10 0 0 0 0 0",
    ]


def test_other_rules_stand_where_this_one_labels_nobody(
    no_frames: dict[str, pd.DataFrame], frames: dict[str, pd.DataFrame], base: Settings
) -> None:
    unlabelled = {**no_frames, "label_choices": frames["label_choices"]}
    text = render_report(unlabelled, manifest(STEPS, base), base.model_dump(mode="json"))
    assert "No labels in this run" in text
    assert "5 0 0 40 75% happy, 25% sad 5 100% happy 0" in rows_of(part_of(text, "Other rules for labels"))


def test_topics_show_what_was_tried(page: str) -> None:
    rows = rows_of(part_of(page, "Why these topics"))
    assert rows[1] == "lda chosen 30 0.300 -7.00 40% of songs auto auto 10"
    assert "dense 2 0.200 – 10% of songs – – –" in rows
    assert rows[-1].startswith("the paper's LDA 7 0.35 -6.72")
    assert len(rows) == 1 + 20 + 1
    assert "20 of 29 are shown" in page


def test_names_from_the_corpus_are_escaped(
    page: str, frames: dict[str, pd.DataFrame], base: Settings
) -> None:
    # every song on the map and among the seeds
    shown = {
        **frames,
        "map": frames["map"].assign(title=CLOSER, artist=EVIL, mood=EVIL),
        "seeds": frames["seeds"].assign(title=EVIL, seed_title=CLOSER, reason=EVIL),
        "labels": frames["labels"].assign(mood=EVIL),
        "topic_terms": frames["topic_terms"].assign(term=EVIL),
        "borderline": frames["borderline"].assign(artist_a=EVIL, title_b=CLOSER, album_a=EVIL, name=CLOSER),
        "groups": frames["groups"].assign(artist=EVIL, title=CLOSER),
        "spellings": frames["spellings"].assign(artist=CLOSER, title=EVIL),
        "match_weights": frames["match_weights"].assign(comparison=EVIL, level=CLOSER),
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
        "pairs by similarity",
        "reliability of the final model",
        "training and validation loss of modified tbert, adamw",
        "map of songs colored by mood",
        "map of songs colored by cluster",
        "silhouette by number of clusters",
        "distortion by number of clusters",
    ]
    _, _, curve, by_mood, by_cluster, silhouette, _ = figures(page)
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


def test_there_are_no_lyrics_on_the_page(page: str, frames: dict[str, pd.DataFrame]) -> None:
    assert not any({"lyrics", "last_error"} & set(frame.columns) for frame in frames.values())
    assert "tokens" not in READS
    assert SENTINEL.split()[0] not in page


@pytest.fixture(scope="module")
def no_frames(spark: SparkSession, base: Settings) -> dict[str, pd.DataFrame]:
    tables = {name: spark.createDataFrame([], TABLES[name].schema) for name in READS}
    return {name: frame.toPandas() for name, frame in summarize(tables, base).items()}


@pytest.mark.parametrize("steps", [[], STEPS])
def test_with_all_tables_empty_each_part_says_why(
    no_frames: dict[str, pd.DataFrame], base: Settings, steps: list[dict[str, Any]]
) -> None:
    text = without_plotly(render_report(no_frames, manifest(steps, base), base.model_dump(mode="json")))
    for part in ("No labels in this run", "No topics", "nothing to map", "Nothing is recommended"):
        assert part in text
    assert "Too few songs" in text
    assert "No two records in this run have names that could be one song's" in text
    for part in ("The largest groups", "Borderline pairs", "Match weights"):
        assert part not in text
    assert ("No song records" in text) == (not steps)
    assert "nan" not in re.sub(r"<[^>]+>", " ", text).split()


def test_the_same_tables_make_the_same_page(
    spark: SparkSession, page: str, frames: dict[str, pd.DataFrame], base: Settings
) -> None:
    shuffled = {name: frame.repartition(3).orderBy(frame.columns[1]) for name, frame in filled(spark).items()}
    again = {name: frame.toPandas() for name, frame in summarize(shuffled, base).items()}
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
        "print(len(resources.files('songmood').joinpath('report/page.html.j2').read_text()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, cwd=tmp_path, env={"PYTHONPATH": str(package), "PATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 1000
