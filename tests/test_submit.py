"""spark-submit.sh as a person meets it, before any Spark starts."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT


def submit(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / "spark-submit.sh"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=settings or None)


def test_help_needs_no_set_up(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    shutil.copy(ROOT / "spark-submit.sh", tmp_path)
    command = [str(tmp_path / "spark-submit.sh"), "--help"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=30, env={"PATH": "/usr/bin:/bin"})
    assert told.returncode == 0
    assert "usage: ./spark-submit.sh [STEP|all]" in told.stdout
    assert not (tmp_path / ".venv").exists()


def test_help_lists_every_job_and_the_steps_in_order() -> None:
    from all import STEPS

    told = submit("--help").stdout
    lines = told[told.index("steps, in order") : told.index("\noptions\n")].splitlines()
    entries = [re.findall(r"(?:^|  )(\w+) {2,}(?=\w)", line) for line in lines]
    left = [names[0] for names in entries if len(names) == 2]
    right = [names[-1] for names in entries if names]
    assert left[:7] + right[:8] == [step.name for step in STEPS]
    listed = {name for names in entries for name in names}
    assert listed | {"all"} == {path.stem for path in (ROOT / "jobs").glob("*.py")}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("dedup",), "unknown step dedup"),
        (("all", "--untill", "label"), "unknown option --untill"),
        (("all", "--set"), "--set needs a value"),
        (("all", "--master"), "--master needs a value"),
    ],
)
def test_a_wrong_command_is_one_line(arguments: tuple[str, ...], says: str) -> None:
    told = submit(*arguments)
    assert told.returncode == 2
    assert says in told.stderr
    assert told.stderr.count("\n") == 1


def test_without_a_fitting_python_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "all.py").touch()
    shutil.copy(ROOT / "spark-submit.sh", tmp_path)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "dirname", "env"):
        (tools / name).symlink_to(str(shutil.which(name)))
    command = [str(tmp_path / "spark-submit.sh")]
    told = subprocess.run(command, capture_output=True, text=True, timeout=30, env={"PATH": str(tools)})
    assert told.returncode == 2
    assert told.stderr == "songmood: needs Python 3.10 or 3.11, and finds neither on PATH\n"


def test_what_is_imported_is_compiled_once_and_not_beside_the_code() -> None:
    code = "import songmood.names.normalize; print(songmood.names.normalize.__cached__)"
    told = submit("--exec", "python", "-c", code, **{**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    compiled = Path(told.stdout.strip())
    assert compiled.is_file()
    assert ROOT / "lib" not in compiled.parents


def test_without_a_network_the_first_use_says_so(tmp_path: Path) -> None:
    for name in ("spark-submit.sh", "setup.py"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "jobs", tmp_path / "jobs")
    nowhere = {
        "PIP_INDEX_URL": "http://127.0.0.1:9/",
        "PIP_FIND_LINKS": "",
        "PIP_RETRIES": "0",
        "PIP_NO_CACHE_DIR": "1",
    }
    command = [str(tmp_path / "spark-submit.sh")]
    env = {
        "PATH": "/usr/local/bin:/usr/bin:/bin:" + str(Path(shutil.which("python3") or "").parent),
        **nowhere,
    }
    told = subprocess.run(command, capture_output=True, text=True, timeout=300, env=env)
    assert told.returncode == 2
    last = told.stderr.strip().splitlines()[-1]
    assert last.startswith("songmood: set-up stopped")
    assert "is there a network?" in last
