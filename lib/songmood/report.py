"""One self-contained HTML page about a run: what came in, what went, how good the models are.

The page asks nothing of any other machine. It shows titles, artists, single words and figures, and
never lyrics: the table of lyrics is not read.
"""

from __future__ import annotations

import html
import json
import math
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
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from songmood import config
from songmood.tables import DUPLICATE_PAIRS

# What the page reads; of the other tables the manifest's counts are enough.
READS = (
    *("filtered", "deduped", "duplicates", "duplicate_pairs", "match_weights"),
    *("tags", "labelled", "moods", "clusters", "cluster_selection", "topic_terms"),
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
# Of duplicates: as many as a person looks through.
_BINS, _PAIRS, _GROUPS, _SPELLINGS = 20, 20, 10, 6
_COMPARISONS = DUPLICATE_PAIRS.column_names[3:]
_SHOWN = ("artist", "title", "album", "year", "duration_s")


def summarise(tables: Mapping[str, DataFrame], settings: config.Config) -> dict[str, DataFrame]:
    """What the page shows of the tables named in READS, as frames small enough for the driver.

    similarities: bin (0 to 19, of a width of 0.05), linked, merged, pairs; borderline: pairs of records
    near `dedupe.threshold`, with both records (`artist_a`, `artist_b`, ...); groups: the largest, and
    spellings: names that were merged into them; match_weights;
    labels, moods: mood, songs; songs_with_tags: songs; map: song_id, x, y, cluster, mood, artist,
    title, at most `report.map_songs`, by hash; seeds: the recommendations of `report.seed_songs` songs,
    by hash, with names; and cluster_selection, topic_terms, model_metrics, training_curves,
    retrieval_metrics.
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
        *("match_weights", "cluster_selection", "topic_terms"),
        *("model_metrics", "training_curves", "retrieval_metrics"),
    )
    return {
        **_summarise_pairs(tables, settings.dedupe.threshold, seed),
        **_summarise_groups(tables),
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
        duplicates=_duplicates(frames, steps, settings),
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


def _summarise_pairs(tables: Mapping[str, DataFrame], threshold: float, seed: int) -> dict[str, DataFrame]:
    """similarities and borderline; a pair is linked from `threshold` on, merged if in one group.

    Borderline are the combinations of levels whose similarity is nearest the threshold, half of them
    on each side, and of each combination one pair, by hash: the nearest pairs of a large corpus would
    all be of one combination, and a person would judge the same case twenty times.
    """
    representatives = tables["duplicates"].select("song_id", "representative_id")
    pairs = (
        tables["duplicate_pairs"]
        .join(representatives, "song_id", "left")
        .join(representatives.toDF("other_id", "other_representative_id"), "other_id", "left")
        .withColumns(
            {
                "bin": F.least(F.floor(F.col("similarity") * _BINS), F.lit(_BINS - 1)),
                "linked": F.col("similarity") >= threshold,
                "merged": F.coalesce("representative_id", "song_id")
                == F.coalesce("other_representative_id", "other_id"),
            }
        )
    )
    counted = F.count(F.lit(1)).alias("pairs")
    by_chance = F.struct(
        F.xxhash64("song_id", "other_id", F.lit(seed)).alias("chance"),
        "song_id",
        "other_id",
        "similarity",
        "linked",
        "merged",
    )
    combinations = pairs.groupBy(*_COMPARISONS).agg(
        counted, F.count_if("merged").alias("pairs_merged"), F.min(by_chance).alias("pair")
    )
    nearest = Window.partitionBy("linked").orderBy(
        F.abs(F.col("similarity") - threshold), "song_id", "other_id"
    )
    borderline = (
        combinations.select("pairs", "pairs_merged", "pair.*", *_COMPARISONS)
        .withColumn("place", F.row_number().over(nearest))
        .where(F.col("place") <= _PAIRS // 2)
    )
    for side, key in (("a", "song_id"), ("b", "other_id")):
        records = tables["filtered"].select(
            F.col("song_id").alias(key), *(F.col(name).alias(f"{name}_{side}") for name in _SHOWN)
        )
        borderline = borderline.join(records, key, "left")
    return {
        "similarities": pairs.groupBy("bin", "linked", "merged").agg(counted),
        "borderline": borderline,
    }


def _summarise_groups(tables: Mapping[str, DataFrame]) -> dict[str, DataFrame]:
    """groups: the largest; spellings: the commonest names in them that are not the representative's."""
    groups = (
        tables["deduped"]
        .where("version_count > 1")
        .orderBy(F.desc("version_count"), "song_id")
        .limit(_GROUPS)
        .select(F.col("song_id").alias("representative_id"), "artist", "title", "version_count")
    )
    named = groups.drop("version_count").toDF("representative_id", "known_artist", "known_title")
    commonest = Window.partitionBy("representative_id").orderBy(F.desc("records"), "artist", "title")
    spellings = (
        tables["duplicates"]
        .join(F.broadcast(named), "representative_id")
        .join(tables["filtered"].select("song_id", "artist", "title"), "song_id")
        .where("NOT (artist <=> known_artist AND title <=> known_title)")
        .groupBy("representative_id", "artist", "title")
        .agg(F.count(F.lit(1)).alias("records"))
        .withColumn("place", F.row_number().over(commonest))
        .withColumn("spellings", F.count(F.lit(1)).over(Window.partitionBy("representative_id")))
        .where(F.col("place") <= _SPELLINGS)
    )
    return {"groups": groups, "spellings": spellings}


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


def _duplicates(
    frames: Mapping[str, pd.DataFrame], steps: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The section on duplicates: figures in words, the histogram, groups, borderline pairs, weights."""
    counts, threshold = frames["similarities"], settings["dedupe"]["threshold"]
    linked, merged = counts["linked"].astype(bool), counts["merged"].astype(bool)
    figures: dict[str, Any] = next((step["figures"] for step in steps if step["step"] == "dedupe"), {})
    return {
        "unit": settings["dedupe"]["unit"],
        "threshold": threshold,
        "pairs": counts["pairs"].sum(),
        "linked": counts.loc[linked, "pairs"].sum(),
        "linked_apart": counts.loc[linked & ~merged, "pairs"].sum(),
        "below_merged": counts.loc[~linked & merged, "pairs"].sum(),
        "left_out": figures.get("pairs_left_out"),
        "match_share": figures.get("match_share"),
        "histogram": _similarities(counts, threshold),
        "groups": _groups(frames["groups"], frames["spellings"]),
        "borderline": _borderline(frames["borderline"]),
        "weights": _match_weights(frames["match_weights"]),
    }


def _groups(groups: pd.DataFrame, spellings: pd.DataFrame) -> list[dict[str, Any]]:
    """The largest duplicate groups: name, records, other spellings with their records, how many more."""
    ordered = groups.sort_values(["version_count", "representative_id"], ascending=[False, True])
    found = []
    for group in ordered.to_dict("records"):
        of_group = spellings[spellings["representative_id"] == group["representative_id"]]
        others = of_group.sort_values("place").to_dict("records")
        found.append(
            {
                "name": _name(group["title"], group["artist"]),
                "records": group["version_count"],
                "spellings": [(_name(o["title"], o["artist"]), o["records"]) for o in others],
                "more": others[0]["spellings"] - len(others) if others else 0,
            }
        )
    return found


def _borderline(pairs: pd.DataFrame) -> list[dict[str, Any]]:
    """Pairs from the most similar to the least: each with its two records, levels and what was done."""
    ordered = pairs.sort_values(["similarity", "song_id", "other_id"], ascending=[False, True, True])
    return [
        {
            **{name: pair[name] for name in ("similarity", "linked", "merged", "pairs", "pairs_merged")},
            "records": [
                [
                    *(_cut(_known(pair[f"{name}_{side}"], "–")) for name in ("artist", "title", "album")),
                    _year(pair[f"year_{side}"]),
                    _length(pair[f"duration_s_{side}"]),
                ]
                for side in "ab"
            ],
            "levels": [(name, pair[name]) for name in _COMPARISONS],
        }
        for pair in ordered.to_dict("records")
    ]


def _match_weights(weights: pd.DataFrame) -> list[dict[str, Any]]:
    """Levels of each comparison, heaviest first; the comparison that can tell most, first."""
    rows = [{str(name): value for name, value in row.items()} for row in weights.to_dict("records")]
    of = {
        row["comparison"]: [r["weight"] for r in rows if r["comparison"] == row["comparison"]] for row in rows
    }
    return sorted(
        rows,
        key=lambda row: (
            min(of[row["comparison"]]) - max(of[row["comparison"]]),
            row["comparison"],
            -row["weight"],
            row["level"],
        ),
    )


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


def _similarities(counts: pd.DataFrame, threshold: float) -> Markup | None:
    """How many pairs are how similar, on a log scale: most are nearly certain, one way or the other."""
    if counts.empty:
        return None
    pairs = counts.groupby("bin")["pairs"].sum().sort_index()
    edges = [(i / _BINS, (i + 1) / _BINS) for i in pairs.index.tolist()]
    figure = go.Figure()
    figure.add_bar(
        x=[round((low + high) / 2, 4) for low, high in edges],
        y=pairs.tolist(),
        width=1 / _BINS,
        marker={"color": _STYLES[1][0], "line": {"width": 0}},
        customdata=[f"{low:.2f} to {high:.2f}" for low, high in edges],
        hovertemplate="similarity %{customdata}: %{y:,} pairs<extra></extra>",
    )
    figure.add_vline(x=threshold, line={"color": _STYLES[5][0], "dash": "dash", "width": 2})
    figure.add_annotation(
        x=threshold, y=1, yref="paper", yanchor="top", xanchor="right", showarrow=False,
        text=f"threshold {threshold:g} ", font={"color": _STYLES[5][0]},
    )  # fmt: skip
    figure.update_layout(
        height=260,
        showlegend=False,
        bargap=0,
        xaxis={"title": "similarity", "range": [0, 1], "dtick": 0.1},
        # from below 1, so that a single pair shows; to above the highest, for the threshold's name
        yaxis={
            "title": "pairs (log)",
            "type": "log",
            "range": [-0.3, math.log10(pairs.max()) + 0.5],
            "dtick": 1,
            "tickformat": ",",
            "automargin": True,
        },
    )
    return _json(figure)


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
    return _cut(f"{_known(title, 'untitled')} – {_known(artist, 'unknown artist')}")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"


def _year(year: Any) -> str:
    return "–" if year is None or pd.isna(year) else str(int(year))


def _length(seconds: Any) -> str:
    if seconds is None or pd.isna(seconds):
        return "–"
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


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
