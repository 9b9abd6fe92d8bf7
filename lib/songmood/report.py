"""One self-contained HTML page about a run: what came in, what went, how good the models are.

The page asks nothing of any other machine. It shows titles, artists, single words and figures, and
never lyrics: the table of lyrics is not read.
"""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import yaml
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from songmood import config

# What the page reads; of the other tables the manifest's counts are enough.
READS = (
    *("deduped", "tags", "labelled", "moods", "clusters", "cluster_selection", "topic_terms"),
    *("model_metrics", "training_curves", "recommendations", "retrieval_metrics"),
)

# The paper's sections 3.1 and 3.2: how many songs were left; the first figure is rounded there.
_PAPER_FUNNEL = (1_700_000, 37_707, 24_280, 11_207, 11_183)
_IDS = {"spotify_id": "a Spotify id", "lastfm_id": "a Last.fm id"}
# Accuracy in the paper's table 1, on its own 11,183 songs.
_PAPER = {"simple_bert": 0.727, "fine_tuned_bert": 0.739, "modified_tbert": 0.764}
_BASELINES = ("majority", "tfidf_logistic", "chance")
_RETRIEVAL_ORDER = ("chance", "tfidf", "tfidf + encoder", "tfidf + mood model")
# Okabe and Ito's colours, told apart by the colour-blind and on light and dark grounds; each with a sign.
_STYLES = (
    *(("#e69f00", "circle"), ("#0072b2", "diamond"), ("#009e73", "square")),
    *(("#cc79a7", "triangle-up"), ("#56b4e9", "x"), ("#d55e00", "cross")),
)
_OTHERS = ("#8a8f98", "circle-open")
_ROWS = 20_000  # bound of what is read of tables that are small by nature
_LONGEST_NAME = 80


def summarise(tables: Mapping[str, DataFrame], settings: config.Report, seed: int) -> dict[str, DataFrame]:
    """What the page shows of the tables named in READS, as frames small enough for the driver.

    labels, moods: mood, songs; songs_with_tags: songs; map: song_id, x, y, cluster, mood, artist,
    title, at most `map_songs`, by hash; seeds: the recommendations of `seed_songs` songs, by hash,
    with names; and cluster_selection, topic_terms, model_metrics, training_curves, retrieval_metrics.
    """
    names = tables["deduped"].select("song_id", "artist", "title")
    moods = tables["moods"].select("song_id", "mood")
    points = tables["clusters"].select("song_id", "x", "y", "cluster")
    points = points.orderBy(F.xxhash64("song_id", F.lit(seed)), "song_id").limit(settings.map_songs)
    recommended = tables["recommendations"].where(F.col("rank") <= settings.recommendations)
    seeds = (
        recommended.where(F.col("rank") == 1)
        .select("seed_song_id")
        .orderBy(F.xxhash64("seed_song_id", F.lit(seed)), "seed_song_id")
        .limit(settings.seed_songs)
    )
    seed_names = names.select(
        F.col("song_id").alias("seed_song_id"),
        F.col("artist").alias("seed_artist"),
        F.col("title").alias("seed_title"),
    )
    small = ("cluster_selection", "topic_terms", "model_metrics", "training_curves", "retrieval_metrics")
    return {
        "labels": _count_by_mood(tables["labelled"]),
        "moods": _count_by_mood(moods),
        "songs_with_tags": tables["tags"].agg(F.count_distinct("song_id").alias("songs")),
        "map": points.join(names, "song_id", "left").join(moods, "song_id", "left").orderBy("song_id"),
        "seeds": recommended.join(F.broadcast(seeds), "seed_song_id", "left_semi")
        .join(names, "song_id", "left")
        .join(seed_names, "seed_song_id", "left")
        .orderBy("seed_song_id", "rank"),
        **{name: tables[name].limit(_ROWS) for name in small},
    }


def render_report(
    frames: Mapping[str, pd.DataFrame], manifest: Mapping[str, Any], settings: Mapping[str, Any]
) -> str:
    """The page, from what `summarise` gave, the run's manifest so far and the run's settings.

    Everything that comes from a corpus is escaped, in the page and in the figures. A part without
    data says why in a line.
    """
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page.filters["number"] = _number
    page.filters["percent"] = _percent
    page.filters["words"] = lambda name: str(name).replace("_", " ")
    source = resources.files("songmood").joinpath("report.html.j2").read_text(encoding="utf-8")
    steps: list[dict[str, Any]] = manifest["steps"]
    return page.from_string(source).render(
        run=manifest,
        headline=_headline(frames, steps),
        funnel=_funnel(frames, steps),
        beside_paper=_beside_paper(steps, settings),
        labels=_bars(frames["labels"]),
        moods=_bars(frames["moods"]),
        models=_models(frames["model_metrics"]),
        curves=_curves(frames["training_curves"]),
        maps=_maps(frames["map"]),
        selection=_selection(frames["cluster_selection"]),
        topics=_topics(frames["topic_terms"]),
        seeds=_seeds(frames["seeds"]),
        retrieval=_retrieval(frames["retrieval_metrics"]),
        steps=_steps(steps),
        warnings=[(step["step"], warning) for step in steps for warning in step["warnings"]],
        settings=yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True),
        plotly=Markup(get_plotlyjs()),
    )


def _count_by_mood(songs: DataFrame) -> DataFrame:
    return songs.groupBy("mood").agg(F.count(F.lit(1)).alias("songs")).orderBy("mood").limit(_ROWS)


# -- parts of the page -------------------------------------------------------------------------


def _rows(steps: Sequence[Mapping[str, Any]], table: str) -> int | None:
    """Rows of a table as the last step that wrote it left them; None if none did."""
    written = [step["tables"][table]["rows"] for step in steps if table in step["tables"]]
    return written[-1] if written else None


def _reasons(steps: Sequence[Mapping[str, Any]], step: str, table: str) -> list[tuple[str, int]]:
    for record in steps:
        if record["step"] == step and table in record["tables"]:
            return sorted(record["tables"][table]["reasons"].items(), key=lambda item: (-item[1], item[0]))
    return []


def _headline(
    frames: Mapping[str, pd.DataFrame], steps: Sequence[Mapping[str, Any]]
) -> list[tuple[str, str]]:
    """The run in a few figures: (figure, what it is)."""
    figures = [(_number(_rows(steps, "deduped")), "songs"), (_number(_rows(steps, "labelled")), "labelled")]
    tested = frames["model_metrics"].query("split == 'test'")
    tested = tested[~tested["model"].isin(_BASELINES)]
    if len(tested):
        best = tested.sort_values(["accuracy", "model"], ascending=[False, True]).iloc[0]
        figures.append((f"{best['accuracy']:.1%}", f"test accuracy of {best['model'].replace('_', ' ')}"))
    chosen = frames["cluster_selection"].query("chosen == True")
    if len(chosen):
        figures.append((_number(chosen["k"].iloc[0]), "clusters"))
    figures.append((_number(_rows(steps, "recommendations")), "recommendations"))
    seconds = sum(step["seconds"] for step in steps if not step["reused"])
    return [*figures, (_duration(seconds), "of work")]


def _funnel(frames: Mapping[str, pd.DataFrame], steps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The stages a song goes through: name, rows, share of the first, and who left, by reason."""
    rejects = _reasons(steps, "ingest", "rejects")
    read = _rows(steps, "songs")
    if read is None:
        return []
    tagged = frames["songs_with_tags"]["songs"].sum() if _rows(steps, "tags") is not None else None
    stages = [
        ("records read", read + sum(count for _, count in rejects), rejects, "unreadable"),
        ("filtered", _rows(steps, "filtered"), _reasons(steps, "filter", "dropped"), "dropped"),
        ("de-duplicated", _rows(steps, "deduped"), _how_names_compare(steps), "merged"),
        ("with tags", tagged, [], ""),
        ("with audio features", _rows(steps, "audio_features"), [], ""),
        ("with lyrics", _rows(steps, "lyrics"), [], ""),
        ("labelled", _rows(steps, "labelled"), _reasons(steps, "label", "dropped"), "without a label"),
    ]
    most = max(1, *(rows for _, rows, _, _ in stages if rows is not None))
    return [
        {
            "name": name,
            "rows": int(rows),
            "share": rows / most,
            "part": name.startswith("with "),
            "left": f"{_number(sum(count for _, count in reasons))} {verb}" if reasons else "",
            "reasons": reasons,
        }
        for name, rows, reasons, verb in stages
        if rows is not None
    ]


def _how_names_compare(steps: Sequence[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """Match reasons by their first part: all of it would be dozens of combinations."""
    counts: Counter[str] = Counter()
    for reason, count in _reasons(steps, "dedupe", "duplicates"):
        counts[reason.partition(";")[0]] += count
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _beside_paper(steps: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The paper's stages: name, rows and share of the stage before, of this run and of the paper."""
    reasons = dict(_reasons(steps, "label", "dropped"))
    songs, labelled = _rows(steps, "deduped"), _rows(steps, "labelled")
    emotional = None  # without emotion words, label does not ask for one
    if songs is not None and labelled is not None and settings["label"]["emotion_words"]:
        emotional = songs - reasons.get("no_tags", 0) - reasons.get("no_emotion_tag", 0)
    stages = (
        ("song records", _rows(steps, "songs")),
        ("with the ids and languages asked for", _rows(steps, "filtered")),
        ("distinct songs", songs),
        ("with an emotion tag", emotional),
        ("labelled", labelled),
    )
    asked = settings["filter"]
    ids = [_IDS[name] for name in asked["required_ids"]]
    languages = " or ".join(language.capitalize() for language in asked["languages"])
    return {
        "asked": ", ".join([*ids, languages or "any language"]),
        "stages": [
            {
                "name": name,
                "rows": rows,
                "share": _share(rows, stages[i - 1][1]) if i else None,
                "paper": _PAPER_FUNNEL[i],
                "paper_share": _share(_PAPER_FUNNEL[i], _PAPER_FUNNEL[i - 1]) if i else None,
            }
            for i, (name, rows) in enumerate(stages)
        ],
    }


def _bars(counts: pd.DataFrame) -> list[dict[str, Any]]:
    """A bar for each mood: name, songs, share of all."""
    total = counts["songs"].sum()
    return [
        {"name": mood, "songs": songs, "share": songs / total, "color": _STYLES[i % len(_STYLES)][0]}
        for i, (mood, songs) in enumerate(zip(counts["mood"], counts["songs"].tolist(), strict=True))
    ]


def _models(metrics: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of the models' table, as measured on the test songs: baselines first."""
    return [
        {**row, "baseline": row["model"] in _BASELINES, "paper": _PAPER.get(row["model"])}
        for row in _in_order(metrics[metrics["split"] == "test"], (*_BASELINES, *_PAPER))
    ]


def _retrieval(metrics: pd.DataFrame) -> list[dict[str, Any]]:
    return _in_order(metrics, _RETRIEVAL_ORDER)


def _in_order(rows: pd.DataFrame, models: Sequence[str]) -> list[dict[str, Any]]:
    """Rows in the order of those models; others after them, by name."""
    places = {model: place for place, model in enumerate(models)}
    records = [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]
    return sorted(records, key=lambda row: (places.get(row["model"], len(places)), row["model"]))


def _topics(terms: pd.DataFrame) -> list[tuple[int, list[str]]]:
    ordered = terms.sort_values(["topic", "rank"])
    terms_of = ordered.groupby("topic")["term"].agg(list)
    return list(zip(terms_of.index.tolist(), terms_of.tolist(), strict=True))


def _seeds(recommended: pd.DataFrame) -> list[dict[str, Any]]:
    ordered = recommended.sort_values(["seed_song_id", "rank"])
    return [
        {
            "name": _name(rows["seed_title"].iloc[0], rows["seed_artist"].iloc[0]),
            "songs": [
                {
                    "name": _name(row["title"], row["artist"]),
                    "score": row["score"],
                    "lexical": row["lexical_score"],
                    "reason": row["reason"],
                }
                for row in rows.to_dict("records")
            ],
        }
        for _, rows in ordered.groupby("seed_song_id")
    ]


def _steps(steps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    longest = max([step["seconds"] for step in steps if not step["reused"]], default=0) or 1
    return [
        {
            "name": step["step"],
            "seconds": "reused" if step["reused"] else _duration(step["seconds"]),
            "share": 0 if step["reused"] else step["seconds"] / longest,
            "memory": step["peak_memory_mb"],
            "rows": [(name, written["rows"]) for name, written in step["tables"].items()],
        }
        for step in steps
    ]


# -- figures -----------------------------------------------------------------------------------


def _maps(points: pd.DataFrame) -> list[dict[str, Any]]:
    """The map twice: coloured by mood, and by the largest clusters."""
    if points.empty:
        return []
    labels = [
        html.escape(f"{_name(p.title, p.artist)} · {_known(p.mood, 'no mood')} · cluster {p.cluster}")
        for p in points.itertuples()
    ]
    points = points.assign(label=labels)
    moods = sorted(points["mood"].dropna().unique())[: len(_STYLES)]
    sizes = points["cluster"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    clusters = list(sizes.index[: len(_STYLES)])
    other_clusters = len(sizes) - len(clusters)
    return [
        {
            "title": "by mood",
            "caption": f"Each point is a song ({_number(len(points))} shown); near ones read and sound "
            "alike to the model. Colour and sign: the mood the final model gives.",
            "figure": _scatter(points, "mood", {mood: str(mood) for mood in moods}, "no mood"),
        },
        {
            "title": "by cluster",
            "caption": "The same songs. Colour and sign: the cluster, the largest named"
            + (f", the other {other_clusters} in grey." if other_clusters else "."),
            "figure": _scatter(
                points, "cluster", {cluster: f"cluster {cluster}" for cluster in clusters}, "others"
            ),
        },
    ]


def _scatter(points: pd.DataFrame, column: str, names: Mapping[Any, str], others: str) -> Markup:
    figure = go.Figure()
    groups = [(points[points[column] == value], name) for value, name in names.items()]
    rest = points[~points[column].isin(list(names))]
    # grey first, so that it lies below
    styled = [(rest, others, _OTHERS)] * bool(len(rest))
    styled += [(rows, name, _STYLES[i]) for i, (rows, name) in enumerate(groups)]
    for rows, name, (color, symbol) in styled:
        figure.add_scatter(
            x=rows["x"].round(3).tolist(),
            y=rows["y"].round(3).tolist(),
            text=rows["label"].tolist(),
            name=html.escape(name),
            mode="markers",
            marker={"color": color, "symbol": symbol, "size": 5, "opacity": 0.75},
            hovertemplate="%{text}<extra></extra>",
        )
    axis = {"visible": False, "fixedrange": False}
    figure.update_layout(
        height=440,
        xaxis=axis,
        yaxis={**axis, "scaleanchor": "x"},
        legend={"orientation": "h", "itemsizing": "constant", "y": 0, "yanchor": "top"},
    )
    return _json(figure)


def _curves(curves: pd.DataFrame) -> list[dict[str, Any]]:
    """A small figure for each model and optimiser: loss against steps."""
    figures = []
    order = [*_PAPER, *sorted(set(curves["model"]) - set(_PAPER))]
    parts = dict(list(curves.sort_values("step").groupby(["model", "optimizer"])))
    for model, optimizer in sorted(parts, key=lambda part: (order.index(part[0]), part[1])):
        rows = parts[model, optimizer]
        figure = go.Figure()
        for split, (color, _), dash in (("train", _STYLES[1], "solid"), ("validation", _STYLES[0], "dash")):
            part = rows[rows["split"] == split]
            if len(part):
                figure.add_scatter(
                    x=part["step"].tolist(),
                    y=part["loss"].round(4).tolist(),
                    name=split,
                    mode="lines+markers" if len(part) < 30 else "lines",
                    line={"color": color, "dash": dash, "width": 2},
                )
        figure.update_layout(
            height=230,
            xaxis={"title": "step"},
            yaxis={"title": "loss", "rangemode": "tozero", "automargin": True},
            legend={"orientation": "h", "y": 1, "yanchor": "bottom"},
        )
        title = f"{str(model).replace('_', ' ')}, {optimizer}"
        figures.append({"title": title, "figure": _json(figure)})
    return figures


def _selection(selection: pd.DataFrame) -> list[dict[str, Any]]:
    """Silhouette and distortion by number of clusters, the chosen one marked."""
    tried = selection.dropna(subset=["silhouette"]).sort_values("k")
    if tried.empty:
        return []
    figures = []
    for column in ("silhouette", "distortion"):
        chosen = tried["chosen"].astype(bool)
        figure = go.Figure()
        figure.add_scatter(
            x=tried["k"].tolist(),
            y=tried[column].tolist(),
            mode="lines+markers",
            line={"color": _STYLES[1][0], "width": 2},
            marker={
                "size": [12 if c else 7 for c in chosen],
                "color": [_STYLES[0][0] if c else _STYLES[1][0] for c in chosen],
                "symbol": ["diamond" if c else "circle" for c in chosen],
            },
            hovertemplate=f"k %{{x}}: {column} %{{y:.3f}}<extra></extra>",
        )
        figure.update_layout(
            height=230,
            showlegend=False,
            xaxis={"title": "clusters (k)", "tickvals": tried["k"].tolist(), "type": "log"},
            yaxis={"title": column, "automargin": True},
        )
        figures.append({"title": column, "figure": _json(figure)})
    return figures


def _json(figure: go.Figure) -> Markup:
    """The figure for a script element: JSON without the signs that could end it."""
    figure.update_layout(template="none", margin={"l": 48, "r": 12, "t": 8, "b": 40})
    text = json.dumps(json.loads(figure.to_json()), separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


# -- words -------------------------------------------------------------------------------------


def _known(value: Any, otherwise: str) -> str:
    return otherwise if value is None or pd.isna(value) or value == "" else str(value)


def _name(title: Any, artist: Any) -> str:
    name = f"{_known(title, 'untitled')} – {_known(artist, 'unknown artist')}"
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _share(part: int | None, whole: int | None) -> float | None:
    return part / whole if part is not None and whole else None


def _percent(share: float | None) -> str:
    return "–" if share is None or pd.isna(share) else f"{share:.1%}"


def _number(value: Any, digits: int = 0) -> str:
    return "–" if value is None or pd.isna(value) else f"{value:,.{digits}f}"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
