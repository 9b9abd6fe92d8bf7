"""Documents: they agree with the code, what they show works, and they are in plain English."""

from __future__ import annotations

import ast
import re
import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from conftest import ROOT
from songmood.documents import documents, main, stale_documents, write_documents
from songmood.engine.run import Run
from songmood.engine.store import Store
from songmood.pipeline import PIPELINE
from songmood.settings import load_settings
from songmood.tables import TABLES

EXAMPLE = ROOT / "examples" / "own-corpus"
PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").glob("*.md"),
    *(ROOT / "examples").rglob("*.md"),
    ROOT / "docs" / "help.txt",
]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


# -- generated documents -----------------------------------------------------------------------


def test_generated_documents_are_what_the_code_says() -> None:
    assert stale_documents(ROOT) == [], "run make docs"


def test_a_stale_document_is_named_and_written_anew(tmp_path: Path) -> None:
    for path in ("conf/base.yaml", "README.md"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text((ROOT / path).read_text())
    write_documents(tmp_path)
    assert stale_documents(tmp_path) == []
    (tmp_path / "docs" / "tables.md").write_text("a stale page")
    assert stale_documents(tmp_path) == ["docs/tables.md"]
    write_documents(tmp_path)
    assert stale_documents(tmp_path) == []


def test_an_unknown_option_is_refused() -> None:
    said: list[str] = []
    assert main(["--chekc"], said.append) == 2
    assert said == ["usage: python -m songmood.documents [--check]"]


def test_every_column_has_a_meaning() -> None:
    columns = [(table.name, column) for table in TABLES.values() for column in table.columns]
    assert [(table, column.name) for table, column in columns if len(column.about.strip()) < 8] == []


@pytest.mark.parametrize("ending", [".", "..."])
def test_meanings_are_parts_of_a_table_and_not_sentences(ending: str) -> None:
    columns = [(table.name, column) for table in TABLES.values() for column in table.columns]
    assert [(table, column.name) for table, column in columns if column.about.endswith(ending)] == []


def test_tables_page_has_every_table_and_column() -> None:
    page = documents(ROOT)["docs/tables.md"]
    sections = dict(re.findall(r"^## (\w+)$\n(.*?)(?=^## |\Z)", page, re.M | re.S))
    assert set(sections) == set(TABLES)
    for name, table in TABLES.items():
        assert re.findall(r"^\| (\w+) \| .+ \| .+ \|$", sections[name], re.M)[1:] == table.column_names


def test_help_has_every_step_and_every_option_of_the_command() -> None:
    page = documents(ROOT)["docs/help.txt"]
    assert re.findall(r"^  (\w+) {2,}\w", page, re.M) == [
        *(step.name for step in PIPELINE.steps if step.condition.about != "only on request"),
        *(step.name for step in PIPELINE.steps if step.condition.about == "only on request"),
    ]
    code = "".join((ROOT / path).read_text() for path in ("spark-submit.sh", "lib/songmood/engine/cli.py"))
    options = set(re.findall(r'add_argument\("(--[\w-]+)"', code)) | {"--master", "--max-requests"}
    assert options - set(re.findall(r"--[a-z-]+", page)) == set()
    assert max(map(len, page.splitlines())) <= 110


# -- what the documents show works -------------------------------------------------------------


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.M | re.S)


def commands() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for block in blocks(page, "bash"):
            for line in block.replace("\\\n", " ").splitlines():
                yield named(page), line


@pytest.mark.parametrize(("page", "line"), sorted(set(commands())))
def test_commands_of_documents_can_be_typed(page: str, line: str) -> None:
    words = [word for word in shlex.split(line) if not re.match(r"[A-Z_]+=", word)]
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.M)
        return
    if words[0] == "duckdb":
        return
    assert words[0] == "./spark-submit.sh"
    words = words[1 : words.index("--")] if "--" in words else words[1:]
    step = words.pop(0) if words and not words[0].startswith("-") else "all"
    assert (ROOT / "jobs" / f"{step}.py").is_file()
    options = list(zip(words[::2], words[1::2], strict=True))
    allowed = set(re.findall(r"--[a-z-]+", (ROOT / "docs" / "help.txt").read_text()))
    assert {option for option, _ in options} <= allowed
    files = [ROOT / value for option, value in options if option == "--conf"]
    single = [value for option, value in options if option == "--set"]
    settings = load_settings(ROOT / "conf" / "base.yaml", files, single)
    until = dict(options).get("--until")
    assert PIPELINE.choose(None, until, settings)


def test_the_python_of_the_readme_counts_the_moods(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = blocks(ROOT / "README.md", "python")
    place = tmp_path / "demo" / "warehouse" / "tables" / "moods" / "0123"
    place.mkdir(parents=True)
    pd.DataFrame({"song_id": ["a", "b", "c"], "mood": ["sad", "happy", "sad"]}).to_parquet(
        place / "part-0.parquet"
    )
    current = tmp_path / "demo" / "warehouse" / "current.json"
    current.write_text('{"run_id": "a", "tables": {"moods": "tables/moods/0123"}}')
    script = tmp_path / "readme.py"
    script.write_text(code)
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(script))
    assert re.findall(r"(sad|happy) +(\d)", capsys.readouterr().out) == [("sad", "2"), ("happy", "1")]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    anchors = {match.lower() for match in re.findall(r"^## (\w+)$", page.read_text(), re.M)}
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if target.startswith("#"):
            assert target[1:] in anchors
        elif "://" not in target:
            assert (page.parent / target.partition("#")[0]).exists(), target


def test_the_example_ends_as_its_readme_says(spark: SparkSession, tmp_path: Path) -> None:
    """Up to label, with the settings and the expected rows of the example's README."""
    settings = load_settings(
        ROOT / "conf" / "base.yaml", [EXAMPLE / "settings.yaml"], [f"paths.corpus={EXAMPLE}"]
    )
    steps = PIPELINE.choose("ingest", "label", settings)
    run = Run(PIPELINE, PIPELINE.prepare(settings, steps), Store(str(tmp_path)), spark, "example")
    run.go(steps)
    records = run.manifest["steps"]
    made = {name: table["rows"] for record in records for name, table in record["tables"].items()}
    page = (EXAMPLE / "README.md").read_text()
    expected = {name: int(rows) for name, rows in re.findall(r"^\| (\w+) \| (\d+) \|", page, re.M)}
    assert len(expected) > 8
    assert {name: rows for name, rows in made.items() if name in expected} == {
        name: rows for name, rows in expected.items() if name in made
    }
    reasons = {r: n for record in records for t in record["tables"].values() for r, n in t["reasons"].items()}
    for reason in ("broken_json", "other_language", "no_emotion_tag"):
        assert (reason in page, reasons[reason]) == (True, 1)


# -- plain English -----------------------------------------------------------------------------

# In any form, such as -ing and -ation. "labelled" is the name of a table, so "labelled songs" stays.
BRITISH_STEMS = (
    "optimis(?!t) organis recognis normalis standardis tokenis generalis summaris maximis minimis "
    "characteris neighbour behaviour favour colour modell catalogu centre learnt spelt analyse licence"
)
FORBIDDEN = {
    "say 'is not a'": r"(?<!there )\b(?:is|are) no (?!longer\b|more\b)\w+",
    "name the number": r"\b(?:so many|such ones)\b",
    "name what is counted": r"\bas often\b",
    "spell as in the US": rf"\b(?:{BRITISH_STEMS.replace(' ', '|')})\w*",
}
# Where a forbidden phrase is right, with the reason.
ALLOWED = {
    "CONTRIBUTING.md": ["is no'"],  # the rule itself
}


def prose() -> Iterator[tuple[str, str]]:
    """What people read: pages, settings, templates, and the texts and docstrings of code, by file."""
    settings, templates = (ROOT / "conf").glob("*.yaml"), (ROOT / "lib").rglob("*.j2")
    for path in [*PAGES, *settings, *templates]:
        yield named(path), path.read_text()
    for path in [ROOT / "setup.py", *(ROOT / "lib").rglob("*.py"), *(ROOT / "jobs").glob("*.py")]:
        if path.parent.name == "demo" and path.parent.parent.name == "songmood":
            continue  # its texts are names of random draws and words of songs
        tree = ast.parse(path.read_text())
        texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        yield named(path), "\n".join(text for text in texts if isinstance(text, str))


@pytest.mark.parametrize("rule", FORBIDDEN)
def test_prose_is_plain_english(rule: str) -> None:
    found = [
        f"{name}: {match[0]}"
        for name, text in prose()
        for match in re.finditer(FORBIDDEN[rule], text, re.I)
        if not any(match[0] in allowed for allowed in ALLOWED.get(name, []))
    ]
    assert found == []
