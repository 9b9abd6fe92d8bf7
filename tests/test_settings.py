"""Settings: which value wins, what is refused, and whether conf/ and the code agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import ROOT
from songmood.documents import read_sections
from songmood.engine.errors import UserError
from songmood.pipeline import PIPELINE
from songmood.settings import load_settings

BASE = ROOT / "conf" / "base.yaml"
PRESETS = sorted((ROOT / "conf").glob("*.yaml"))


def test_every_setting_has_a_reason_above_it() -> None:
    settings = [setting for section in read_sections(BASE.read_text()) for setting in section.settings]
    assert len(settings) > 100
    assert [setting.name for setting in settings if len(setting.reason) < 10] == []


def test_sections_follow_the_order_of_the_pipeline() -> None:
    sections = list(yaml.safe_load(BASE.read_text()))
    steps = [step.name for step in PIPELINE.steps]
    named = [section for section in sections if section in steps]
    assert named == [step for step in steps if step in sections]


@pytest.mark.parametrize("file", PRESETS, ids=lambda file: file.name)
def test_files_of_settings_are_narrow_with_comments_on_their_own_lines(file: Path) -> None:
    lines = file.read_text().splitlines()
    assert [line for line in lines if len(line) >= 100] == []
    assert [line for line in lines if "#" in line and not line.lstrip().startswith("#")] == []


def test_later_settings_win(tmp_path: Path) -> None:
    over = tmp_path / "over.yaml"
    over.write_text("filter: {languages: [french]}\nseed: 8\n")
    settings = load_settings(BASE, [over], ["seed=9", "filter.required_ids=[]"])
    assert (settings.seed, settings.filter.languages, settings.filter.required_ids) == (9, ("french",), ())


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("paths.warehouse", "/data/out #2", "/data/out #2"),
        ("paths.corpus", "1979", "1979"),
        ("paths.corpus", "my: songs, [2020]", "my: songs, [2020]"),
        ("paths.corpus", " a folder'", " a folder'"),
        ("paths.corpus", "&first *second", "&first *second"),
        ("paths.corpus", "no", "no"),
        ("paths.corpus", "a=b", "a=b"),
        ("paths.corpus", "null", None),
        ("paths.corpus", "", None),
        ("fetch.lastfm.url", "http://127.0.0.1:8080/#2", "http://127.0.0.1:8080/#2"),
        ("encoder.model", "2024-01-01", "2024-01-01"),
        ("filter.languages", "[no, en]", ("no", "en")),
        ("dedupe.generic_titles", "[1979, on, 1e3]", ("1979", "on", "1e3")),
        ("label.moods", "{yes: [no], 1: [off]}", {"yes": ("no",), "1": ("off",)}),
        ("topics.alphas", "[0.5, auto]", (0.5, "auto")),
    ],
)
def test_text_on_the_command_line_is_taken_as_it_stands(name: str, text: str, value: object) -> None:
    found: Any = load_settings(BASE, [], [f"{name}={text}"])
    for part in name.split("."):
        found = getattr(found, part)
    assert found == value


def test_a_list_of_moods_replaces_the_one_before_it() -> None:
    settings = load_settings(BASE, [], ["label.moods={calm: [calm], angry: [angry]}"])
    assert list(settings.label.moods) == ["calm", "angry"]


def test_a_list_of_optimizers_replaces_the_one_before_it() -> None:
    assert load_settings(BASE, [], ["reproduce.optimizers={}"]).reproduce.optimizers == {}
    only_sgd = load_settings(BASE, [], ["reproduce.optimizers={sgd: [0.1]}"]).reproduce.optimizers
    assert only_sgd == {"sgd": (0.1,)}


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("filter.langauges=[english]", "did you mean filter.languages"),
        ("paths.corpsu=x", "did you mean paths.corpus"),
        ("fliter.languages=[english]", "did you mean filter.languages"),
        ("label=3", "label is a section"),
        ("label.epsilon=2", "setting label.epsilon"),
        ("label.epsilon=much", "setting label.epsilon"),
        ("label.epsilon", "write it as section.name=value"),
        ("label.moods={happy: [glad], sad: [glad]}", "'glad' is listed under more than one mood"),
        ("label.moods={Happy: [], sad: ['  happy']}", "'happy' is listed under more than one mood"),
        ("topics.candidates=[]", "topics.candidates: must list at least one value"),
        ("topics.alphas=[1, 1.0]", "topics.alphas: .*without repeats"),
        ("topics.alphas=[.inf]", "topics.alphas"),
        ("train.test_share=0.25", "multiple of 0.1"),
        ("train.fold=5", "train: fold 5 does not exist"),
        ("train.final_model=base_network", r"train: final_model base_network is not among models$"),
        ("reproduce.optimizers={adamw: []}", "reproduce.optimizers.adamw"),
        ("seed=5000000000", "less than 2147483648"),
        ("text.fillers=['']", "text.fillers"),
        ("seed=[", "not YAML"),
        ("recommend.top_n=0", "setting recommend.top_n"),
        (
            "recommend.weights={words: 0, lyrics: 0, mood: 0, audio: 0, cluster: 0}",
            "setting recommend: weights must have one above 0",
        ),
        (
            "recommend={word_candidates: 0, keyword_candidates: 0, vector_candidates: 0}",
            "setting recommend: one of word_candidates",
        ),
    ],
)
def test_a_wrong_setting_is_one_line_that_helps(setting: str, says: str) -> None:
    with pytest.raises(UserError, match=says) as error:
        load_settings(BASE, [], [setting])
    assert "\n" not in str(error.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read the settings file"):
        load_settings(BASE, [tmp_path / "none.yaml"])


def test_a_file_without_sections_is_one_line(tmp_path: Path) -> None:
    a_list = tmp_path / "list.yaml"
    a_list.write_text("- a list\n")
    with pytest.raises(UserError, match="a YAML mapping"):
        load_settings(BASE, [a_list])


def test_a_setting_left_out_of_the_base_file_is_an_error(tmp_path: Path) -> None:
    values = yaml.safe_load(BASE.read_text())
    del values["label"]["epsilon"]
    base = tmp_path / "base.yaml"
    base.write_text(yaml.safe_dump(values))
    with pytest.raises(UserError, match=r"label\.epsilon"):
        load_settings(base)


@pytest.mark.parametrize("file", PRESETS, ids=lambda file: file.name)
def test_every_file_of_settings_is_what_a_run_gets(file: Path) -> None:
    settings = load_settings(BASE, [file]).model_dump(mode="json")
    assert _within(yaml.safe_load(file.read_text()) or {}, settings)


def _within(some: dict[str, Any], values: dict[str, Any]) -> bool:
    """Whether all values of a file are among those of a run."""
    return all(
        _within(value, values[name]) if isinstance(value, dict) else value == values[name]
        for name, value in some.items()
    )


def test_the_paper_takes_seven_topics_and_its_own_best_model() -> None:
    paper = load_settings(BASE, [ROOT / "conf" / "paper.yaml"])
    assert (paper.topics.candidates, paper.train.final_model) == ((7,), "modified_tbert")


def test_four_moods_are_four() -> None:
    four = load_settings(BASE, [ROOT / "conf" / "four-moods.yaml"])
    assert set(four.label.moods) == {"happy", "sad", "angry", "relaxed"}
