import re
from pathlib import Path

import pytest
import yaml

from conftest import ROOT
from songmood.engine.errors import UserError
from songmood.settings import load_settings

BASE = ROOT / "conf" / "base.yaml"


def test_every_setting_has_its_reason() -> None:
    settings = [line for line in BASE.read_text().splitlines() if re.match(r"(  )?\w+: *[^ #]", line)]
    assert len(settings) > 60
    assert [line for line in settings if "#" not in line] == []


def test_later_settings_win(tmp_path: Path) -> None:
    over = tmp_path / "over.yaml"
    over.write_text("filter: {languages: [french]}\nseed: 8\n")
    settings = load_settings(BASE, [over], ["seed=9", "filter.required_ids=[]"])
    assert (settings.seed, settings.filter.languages, settings.filter.required_ids) == (9, ("french",), ())


def test_the_cluster_and_local_files_are_settings() -> None:
    for name in ("local", "cluster"):
        load_settings(BASE, [ROOT / "conf" / f"{name}.yaml"])


def test_a_list_of_moods_replaces_the_old_one() -> None:
    settings = load_settings(BASE, [], ["label.moods={calm: [calm], angry: [angry]}"])
    assert list(settings.label.moods) == ["calm", "angry"]


def test_so_do_optimizers() -> None:
    assert load_settings(BASE, [], ["reproduce.optimizers={}"]).reproduce.optimizers == {}
    one = load_settings(BASE, [], ["reproduce.optimizers={sgd: [0.1]}"]).reproduce.optimizers
    assert one == {"sgd": (0.1,)}


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
        ("label.moods={happy: [glad], sad: [glad]}", "glad stands in more than one mood"),
        ("label.moods={Happy: [], sad: ['  happy']}", "happy stands in more than one mood"),
        ("topics.candidates=[]", "topics.candidates: needs a value or more"),
        ("topics.alphas=[1, 1.0]", "each once"),
        ("topics.alphas=[.inf]", "topics.alphas"),
        ("train.test_share=0.25", "multiple of 0.1"),
        ("train.fold=5", "there is no fold 5 of 0.2 of the songs"),
        ("train.final_model=base_network", r"train: final_model base_network is not among models$"),
        ("reproduce.optimizers={adamw: []}", "reproduce.optimizers.adamw"),
        ("seed=5000000000", "less than 2147483648"),
        ("text.fillers=['']", "text.fillers"),
        ("seed=[", "not YAML"),
        ("recommend.top_n=9", "setting recommend.top_n"),
    ],
)
def test_a_wrong_setting_is_one_line_that_helps(setting: str, says: str) -> None:
    with pytest.raises(UserError, match=says) as error:
        load_settings(BASE, [], [setting])
    assert "\n" not in str(error.value)


def test_a_missing_or_odd_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read the settings file"):
        load_settings(BASE, [tmp_path / "none.yaml"])
    odd = tmp_path / "odd.yaml"
    odd.write_text("- a list\n")
    with pytest.raises(UserError, match="a YAML mapping"):
        load_settings(BASE, [odd])


def test_a_setting_left_out_of_the_base_file_is_an_error(tmp_path: Path) -> None:
    values = yaml.safe_load(BASE.read_text())
    del values["label"]["epsilon"]
    base = tmp_path / "base.yaml"
    base.write_text(yaml.safe_dump(values))
    with pytest.raises(UserError, match=r"label\.epsilon"):
        load_settings(base)


@pytest.mark.parametrize("preset", sorted(path.name for path in (ROOT / "conf").glob("*.yaml")))
def test_every_file_of_settings_loads(preset: str) -> None:
    assert load_settings(ROOT / "conf" / "base.yaml", [ROOT / "conf" / preset])


def test_presets_say_what_their_names_do() -> None:
    four = load_settings(ROOT / "conf" / "base.yaml", [ROOT / "conf" / "four-moods.yaml"])
    assert set(four.label.moods) == {"happy", "sad", "angry", "relaxed"}
    paper = load_settings(ROOT / "conf" / "base.yaml", [ROOT / "conf" / "paper.yaml"])
    assert (paper.topics.candidates, paper.train.final_model) == ((7,), "modified_tbert")
