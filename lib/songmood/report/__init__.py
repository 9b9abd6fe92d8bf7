"""One self-contained HTML page about a run: what came in, what went, how good the models are.

The page asks nothing of any other machine. It shows titles, artists, single words and figures, and
never lyrics: of their table, nothing but the source is read.

funnel.py       where songs went, what sources gave, seconds of steps
duplicates.py   duplicates
models.py       moods and models
figures.py      what plotly draws
words.py        how values are written, and filling in a page
*.html.j2       the page, and what it shares with that of `reproduce`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import yaml
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from songmood.report import duplicates, figures, funnel, models, words
from songmood.settings import MODELS, Settings

# What the page reads; of the other tables the manifest's counts are enough.
READS = (
    *("filtered", "deduped", "duplicates", "duplicate_pairs", "match_weights"),
    *("tags", "audio_features", "lyrics", "enrichment_failures"),
    *("labelled", "label_choices", "moods", "clusters", "cluster_selection"),
    *("topic_terms", "topic_selection"),
    *("model_metrics", "model_predictions", "training_curves", "recommendations", "retrieval_metrics"),
)
_TRIED = 20  # rows of the search for topics: what comes after was no rival
_ROWS = 20_000  # bound of what is read of tables that are small by nature


def summarize(tables: Mapping[str, DataFrame], settings: Settings) -> dict[str, DataFrame]:
    """What the page shows of the tables named in READS, as frames small enough for the driver.

    similarities: bin (0 to 19, of a width of 0.05), linked, merged, pairs; borderline: pairs of records
    near `dedupe.threshold`, with both records (`artist_a`, `artist_b`, ...); groups: the largest, and
    spellings: names that were merged into them; match_weights;
    sources: part, source, status, songs; confusion: model, mood, predicted, songs, and reliability:
    model, bin (0 to 9), songs, said, right, both of test songs; label_choices;
    labels, moods: mood, songs; songs_with_tags: songs; map: song_id, x, y, cluster, mood, artist,
    title, at most `report.map_songs`, by hash; seeds: the recommendations of `report.seed_songs` songs,
    by hash, with names; and cluster_selection, topic_terms, topic_selection, model_metrics,
    training_curves, retrieval_metrics.
    """
    shown, seed = settings.report, settings.seed
    names = tables["deduped"].select("song_id", "artist", "title")
    moods = tables["moods"].select("song_id", "mood")
    points = tables["clusters"].select("song_id", "x", "y", "cluster")
    points = points.orderBy(F.xxhash64("song_id", F.lit(seed)), "song_id").limit(shown.map_songs)
    recommended = tables["recommendations"].where(F.col("rank") <= shown.recommendations)
    seeds = (
        recommended.where(F.col("rank") == 1)
        .select("seed_song_id")
        .orderBy(F.xxhash64("seed_song_id", F.lit(seed)), "seed_song_id")
        .limit(shown.seed_songs)
    )
    seed_names = names.select(
        F.col("song_id").alias("seed_song_id"),
        F.col("artist").alias("seed_artist"),
        F.col("title").alias("seed_title"),
    )
    small = (
        *("match_weights", "label_choices", "cluster_selection", "topic_terms", "topic_selection"),
        *("model_metrics", "training_curves", "retrieval_metrics"),
    )
    return {
        **duplicates.summarize_pairs(tables, settings.dedupe.threshold, seed),
        **duplicates.summarize_groups(tables),
        **models.summarize_predictions(tables["model_predictions"]),
        "labels": _count_by_mood(tables["labelled"]),
        "moods": _count_by_mood(moods),
        "sources": funnel.summarize_sources(tables),
        "songs_with_tags": tables["tags"].agg(F.count_distinct("song_id").alias("songs")),
        "map": points.join(names, "song_id", "left").join(moods, "song_id", "left").orderBy("song_id"),
        "seeds": recommended.join(F.broadcast(seeds), "seed_song_id", "left_semi")
        .join(names, "song_id", "left")
        .join(seed_names, "seed_song_id", "left")
        .orderBy("seed_song_id", "rank"),
        **{name: tables[name].limit(_ROWS) for name in small},
    }


def fetch_summaries(tables: Mapping[str, DataFrame], settings: Settings) -> dict[str, pd.DataFrame]:
    """What `summarize` gives, on the driver."""
    return {name: summary.toPandas() for name, summary in summarize(tables, settings).items()}


def render_report(
    frames: Mapping[str, pd.DataFrame], manifest: Mapping[str, Any], settings: Mapping[str, Any]
) -> str:
    """The page, from what `summarize` gave, the run's manifest so far and the run's settings.

    Everything that comes from a corpus is escaped, in the page and in the figures. A part without
    data says why in a line.
    """
    steps: list[dict[str, Any]] = manifest["steps"]
    return words.fill(
        "page.html.j2",
        run=manifest,
        headline=_headline(frames, steps, settings["train"]["final_model"]),
        funnel=funnel.funnel(frames, steps),
        sources=funnel.source_rows(frames["sources"]),
        beside_paper=funnel.beside_paper(steps, settings),
        duplicates=duplicates.section(frames, steps, settings),
        labels=models.mood_bars(frames["labels"]),
        choices=models.label_choices(frames["label_choices"], settings["label"]),
        moods=models.mood_bars(frames["moods"]),
        models=models.model_rows(frames["model_metrics"]),
        confusion=models.confusion_tables(frames["confusion"]),
        reliability=figures.reliability(frames["reliability"], settings["train"]["final_model"]),
        curves=figures.curves(frames["training_curves"], MODELS),
        maps=figures.maps(frames["map"]),
        selection=figures.selection(frames["cluster_selection"]),
        topics=_topics(frames["topic_terms"]),
        tried=_tried(frames["topic_selection"]),
        seeds=_seeds(frames["seeds"]),
        retrieval=models.retrieval_rows(frames["retrieval_metrics"]),
        steps=funnel.step_bars(steps),
        warnings=[(step["step"], warning) for step in steps for warning in step["warnings"]],
        settings=yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True),
    )


def _count_by_mood(songs: DataFrame) -> DataFrame:
    return songs.groupBy("mood").agg(F.count(F.lit(1)).alias("songs")).orderBy("mood").limit(_ROWS)


def _headline(
    frames: Mapping[str, pd.DataFrame], steps: Sequence[Mapping[str, Any]], final_model: str
) -> list[tuple[str, str]]:
    """The run in a few figures: (figure, what it is)."""
    figures = [
        (words.number(funnel.rows_of(steps, "deduped")), "songs"),
        (words.number(funnel.rows_of(steps, "labelled")), "labelled"),
    ]
    tested = frames["model_metrics"].query("split == 'test'").set_index("model")["accuracy"]
    if final_model in tested:  # the one that says the moods, be it the best of these songs or not
        figures.append((f"{tested[final_model]:.1%}", f"test accuracy of {final_model.replace('_', ' ')}"))
    chosen = frames["cluster_selection"].query("chosen == True")
    if len(chosen):
        figures.append((words.number(chosen["k"].iloc[0]), "clusters"))
    figures.append((words.number(funnel.rows_of(steps, "recommendations")), "recommendations"))
    seconds = sum(step["seconds"] for step in steps if not step["reused"])
    return [*figures, (words.duration(seconds), "of work")]


def _topics(terms: pd.DataFrame) -> list[tuple[int, list[str]]]:
    ordered = terms.sort_values(["topic", "rank"])
    terms_of = ordered.groupby("topic")["term"].agg(list)
    return list(zip(terms_of.index.tolist(), terms_of.tolist(), strict=True))


def _tried(selection: pd.DataFrame) -> dict[str, Any]:
    """The search for topics: the most coherent rows, the chosen one first, and of how many they are."""
    ordered = selection.sort_values(["chosen", "coherence"], ascending=False, kind="stable")
    return {"rows": ordered.head(_TRIED).to_dict("records"), "of": len(ordered)}


def _seeds(recommended: pd.DataFrame) -> list[dict[str, Any]]:
    ordered = recommended.sort_values(["seed_song_id", "rank"])
    return [
        {
            "name": words.song_name(rows["seed_title"].iloc[0], rows["seed_artist"].iloc[0]),
            "songs": [
                {
                    "name": words.song_name(row["title"], row["artist"]),
                    "score": row["score"],
                    "lexical": row["lexical_score"],
                    "reason": row["reason"],
                }
                for row in rows.to_dict("records")
            ],
        }
        for _, rows in ordered.groupby("seed_song_id")
    ]
