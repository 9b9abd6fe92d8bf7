"""Messy demo rows: the styles of five sources, and damages at the rates that bench/noise.py counts."""

from __future__ import annotations

from random import Random

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from conftest import ROOT
from songmood.demo import noise
from songmood.demo.draws import Draws
from songmood.demo.rows import Rows, lay_out_rows
from songmood.demo.songs import make_songs
from songmood.settings import DemoSettings, load_settings

SONGS = 6000
DRAWS = Draws(7)
TREE = noise.Record("The Émile Club", "Up the Tree", "Leaves", "2009", 205_678, "7", "French")
BARE = TREE._replace(year="", milliseconds=0, language="")


@pytest.fixture(scope="module")
def rows() -> Rows:
    return lay_out_rows(DRAWS, np.arange(SONGS), SONGS)


@pytest.fixture(scope="module")
def clean(rows: Rows) -> pd.DataFrame:
    return make_songs(DRAWS, rows)


@pytest.fixture(scope="module")
def messy(rows: Rows, clean: pd.DataFrame) -> pd.DataFrame:
    return noise.make_messy(DRAWS, clean, rows)


@pytest.mark.parametrize(
    ("record", "written"),
    [
        (TREE, "plain|The Émile Club|Up the Tree|Leaves|2009|205678|7|French"),
        (BARE, "plain|The Émile Club|Up the Tree|Leaves|||7|"),
        (TREE, "joined||The Émile Club - Up the Tree|Leaves|09|205|7|French"),
        (BARE, "joined||The Émile Club - Up the Tree|Leaves||null|7|null"),
        (TREE, "dashed|Émile Club|Up the Tree - Leaves||'09|3.428|7|French"),
        (BARE, "dashed|Émile Club|Up the Tree - Leaves||||7|"),
        (TREE, "numbered|The Emile Club|007-Up the Tree|Leaves (2009)|null|3m 25sec|7|Fre."),
        (BARE, "numbered|The Emile Club|007-Up the Tree|Leaves (unknown)|null|unknown|7|unknown"),
        (TREE, "bracketed|Émile Club|Up the Tree (Leaves)|Leaves|2009|03:25|007|"),
        (BARE, "bracketed|Émile Club|Up the Tree (Leaves)|Leaves|||007|"),
    ],
)
def test_each_source_has_a_style(record: noise.Record, written: str) -> None:
    style, *fields = written.split("|")
    (write,) = (write for write in noise.STYLES if write.__name__ == f"_{style}")
    assert list(write(record)) == fields


def test_styles_are_equally_frequent_and_the_records_of_a_song_differ(
    rows: Rows, messy: pd.DataFrame
) -> None:
    forms = (r"\d{5,}", r"\d{3}", r"\d+\.\d+", r"\d+m \d+sec", r"\d\d:\d\d")
    style = sum((1 + i) * messy["length"].str.fullmatch(form) for i, form in enumerate(forms))
    shares = style[style > 0].value_counts(normalize=True)
    assert shares.tolist() == pytest.approx([0.2] * 5, abs=0.02)
    known = (style > 0) & ~rows.is_kind("duet")  # a sixth record has the style of the first
    same = pd.DataFrame({"take": rows.take, "style": style})[known].duplicated()
    assert same.mean() < 0.001  # a damaged length may look like that of another source


def test_no_row_has_ids(messy: pd.DataFrame, clean: pd.DataFrame) -> None:
    assert (messy[list(noise.IDS)] == "").all(axis=None)
    unchanged = [name for name in clean.columns if name not in (*noise.IDS, *noise.FIELDS)]
    pd.testing.assert_frame_equal(messy[unchanged], clean[unchanged])


def test_damages_have_the_stated_rates(rows: Rows, messy: pd.DataFrame, clean: pd.DataFrame) -> None:
    """Seen where a record keeps its style's plain fields: the title of plain ones, and the track numbers."""
    plain = messy["length"].str.fullmatch(r"\d{5,}")
    wrong = (messy["title"] != clean["title"])[plain].mean()
    stated = sum(rate for rate, _ in noise.NAME_DAMAGES) + noise.SWAPPED
    assert wrong == pytest.approx(stated, abs=0.015)
    own = ~rows.is_kind("best_of", "deluxe", "remaster", "loose")  # the others may be of the same release
    numbers = (messy["number"].str.lstrip("0") != clean["number"])[own].mean()
    assert numbers == pytest.approx(sum(rate for rate, _ in noise.ANY_DAMAGES), abs=0.01)


def test_half_of_the_repeats_are_of_the_same_release(rows: Rows, messy: pd.DataFrame) -> None:
    with_album = messy["title"].str.endswith(")") & messy["length"].str.fullmatch(r"\d\d:\d\d")
    best = messy["albumTitle"].str.startswith("The Best of")[rows.is_kind("best_of") & with_album]
    assert best.mean() == pytest.approx(noise.SAME_RELEASE, abs=0.1)


@pytest.mark.parametrize("text", ["The Émile Club", "7", "x", "  a", "1999", "Up the Tree - Leaves"])
@pytest.mark.parametrize("damage", [damage for _, damage in noise.NAME_DAMAGES])
def test_damages_take_any_text(damage: noise.Damage, text: str) -> None:
    for seed in range(20):
        damaged = damage(text, Random(seed))
        assert damaged in noise.LOST or abs(len(damaged) - len(text)) <= 8


def test_rows_are_the_same_in_any_batch(rows: Rows, messy: pd.DataFrame) -> None:
    part = np.flatnonzero((rows.song >= 100) & (rows.song < 200))
    some = rows.where(np.isin(np.arange(len(rows.row)), part))
    made = noise.make_messy(DRAWS, make_songs(DRAWS, some), some)
    pd.testing.assert_frame_equal(made, messy.iloc[part].reset_index(drop=True))


def test_the_api_layout_cannot_be_messy() -> None:
    base = load_settings(ROOT / "conf" / "base.yaml").demo.model_dump()
    with pytest.raises(ValidationError, match="layout must be csv or parquet"):
        DemoSettings(**{**base, "messy": True, "layout": "api"})
