"""spark-submit.sh as a person meets it, before any Spark starts."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import ROOT

TOOLS = ("bash", "cat", "cmp", "cp", "dirname", "env", "flock", "grep", "mkdir", "readlink", "rm", "sed")
TOOLS += ("sleep", "tail", "true")
# Stands for python, uv and spark-submit: notes each call in calls.txt, and sets up nothing.
STUB = """#!/usr/bin/env bash
call="${0##*/} $*"
case "$call" in
python*' -V') echo "Python ${FAKE_VERSION:-3.12}.9" && exit ;;
python*' -c import ensurepip, venv') exit ;;
python*' -S - '*) exec "REAL" "$@" ;;
esac
echo "$call" >>"CALLS"
case "$call" in
*' -m venv --clear '*)
  folder=${*: -1}
  rm -rf "$folder"
  mkdir -p "$folder/bin"
  for name in python uv spark-submit; do cp "$0" "$folder/bin/$name"; done
  ;;
*'pip install '*)
  sleep "${FAKE_SECONDS:-0.2}"
  case " $FAKE_FAILS " in *" ${call%% *} "*) echo "error: no such host" >&2 && exit 1 ;; esac
  ;;
*spark.jars.ivy=*)
  mkdir -p "${0%/bin/*}/ivy/jars"
  echo >"${0%/bin/*}/ivy/jars/a.jar"
  ;;
*'/jobs/'*) exec "REAL" -c "${FAKE_SPARK:-}" ;;
esac
"""


def submit(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / "spark-submit.sh"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=settings or None)


class Machine:
    """A machine with a copy of the checkout, a few tools, and stubs in place of Python and Spark."""

    def __init__(self, folder: Path) -> None:
        self.root, self.tools = folder / "a checkout", folder / "bin"
        self.calls_file = folder / "calls.txt"
        for name in ("jobs", "conf", "docs"):
            shutil.copytree(ROOT / name, self.root / name)
        for name in ("spark-submit.sh", "requirements.lock", "requirements-dev.lock"):
            shutil.copy(ROOT / name, self.root)
        (self.root / "lib").mkdir()
        self.tools.mkdir()
        for name in TOOLS:
            (self.tools / name).symlink_to(str(shutil.which(name)))

    def add_python(self, name: str) -> None:
        stub = self.tools / name
        stub.write_text(STUB.replace("REAL", sys.executable).replace("CALLS", str(self.calls_file)))
        stub.chmod(0o755)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """A process in a group of its own, as a terminal starts it."""
        command = [str(self.root / "spark-submit.sh"), *arguments]
        variables = {"PATH": str(self.tools), **environment}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, **pipes, text=True, env=variables, start_new_session=True)  # type: ignore[call-overload,no-any-return]

    def run(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """The exit code, and what is shown."""
        process = self.start(*arguments, **environment)
        _, shown = process.communicate(timeout=60)
        return process.returncode, shown

    def calls(self) -> list[str]:
        """What was called since the last time, without the folders of this machine."""
        text = self.calls_file.read_text() if self.calls_file.exists() else ""
        self.calls_file.unlink(missing_ok=True)
        return text.replace(f"{self.root}/", "").splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def ready(machine: Machine) -> Machine:
    """A machine on which set-up is complete."""
    machine.add_python("python3.12")
    assert machine.run("--package")[0] == 0
    machine.calls()
    return machine


def test_java_takes_sparks_classes_from_the_archive(tmp_path: Path) -> None:
    log = tmp_path / "some classes.txt"
    settings = ("demo.songs=200", f"paths.corpus={tmp_path}/corpus", f"paths.warehouse={tmp_path}/warehouse")
    options = {**os.environ, "SPARK_SUBMIT_OPTS": f'-Xlog:class+load:file="{log}"'}
    ended = submit("demo", *(part for one in settings for part in ("--set", one)), **options)
    assert ended.returncode == 0, ended.stderr
    assert "archive" not in ended.stdout + ended.stderr
    sources = [line.rpartition("source: ")[2] for line in log.read_text().splitlines()]
    shared = sum(source.startswith("shared objects file") for source in sources)
    if " " in str(ROOT):  # Java 17 archives the name as it is, and looks for it with %20
        assert shared > 0
    else:
        assert shared > 0.6 * len(sources)


# -- the command line --------------------------------------------------------------------------


def test_help_needs_no_set_up(machine: Machine) -> None:
    process = machine.start("--help")
    shown, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "usage: ./spark-submit.sh [STEP|all]" in shown
    assert not (machine.root / ".venv").exists()


def test_help_lists_every_job_and_the_steps_in_order() -> None:
    from songmood.engine.step import ON_REQUEST
    from songmood.pipeline import STEPS

    shown = submit("--help").stdout
    listed = re.findall(r"^  (\w+) {2,}\w", shown[: shown.index("\noptions\n")], flags=re.MULTILINE)
    on_request = [step.name for step in STEPS if step.condition is ON_REQUEST]
    assert listed == [step.name for step in STEPS if step.name not in on_request] + on_request
    assert {*listed, "all"} == {path.stem for path in (ROOT / "jobs").glob("*.py")}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("dedup",), "unknown step dedup"),
        (("all", "--untill", "label"), "unknown option --untill"),
        (("all", "--set"), "--set needs a value"),
        (("all", "--master"), "--master needs a value"),
    ],
)
def test_a_wrong_command_is_one_line(arguments: tuple[str, ...], message: str) -> None:
    shown = submit(*arguments)
    assert shown.returncode == 2
    assert message in shown.stderr
    assert shown.stderr.count("\n") == 1


def test_options_of_the_step_follow_the_job_and_options_of_spark_precede_it(ready: Machine) -> None:
    options = ("--verbose", "--set", "seed=8", "--max-requests", "5", "--run-id=a")
    assert ready.run("label", *options, "--quiet", "--master", "local[2]", "--", "--name", "b") == (0, "")
    (call,) = ready.calls()
    before, after = call.split(" jobs/label.py ")
    assert after == "--verbose --set seed=8 --set fetch.max_requests=5 --run-id=a --quiet"
    assert before.startswith("spark-submit --master local[2] --properties-file conf/spark-local.conf ")
    assert before.endswith("/songmood.zip --name b")


@pytest.mark.parametrize(
    ("options", "is_demo"),
    [
        ((), True),
        (("all", "--set", "demo.songs=300", "--until", "label"), True),
        (("all", "--set", "paths.corpus=mine"), False),
        (("all", "--set=paths.corpus=mine"), False),
        (("all", "--conf", "mine.yaml"), False),
        (("all", "--master", "spark://host:7077"), False),
    ],
)
def test_only_the_demo_is_compiled_lightly(ready: Machine, options: tuple[str, ...], is_demo: bool) -> None:
    ready.run(*options)
    (call,) = ready.calls()
    light = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m --conf spark.sql.shuffle.partitions=4"
    assert (light in call) == is_demo


def test_a_cluster_receives_the_jars_and_its_own_properties(ready: Machine) -> None:
    ready.run("all", "--master", "spark://host:7077")
    (call,) = ready.calls()
    assert (
        "--master spark://host:7077 --properties-file conf/spark-cluster.conf --jars .venv/ivy/jars/" in call
    )


# -- interrupts, and how Spark ends -------------------------------------------------------------

INTERRUPTED = "songmood: Interrupted. Run the same command again to resume.\n"
# Stands for Java and the driver in one; it says on standard output when it has begun.
SPARK = """
import os, signal, sys, time
ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN  # as Java needs it
DRIVER
print("begun", ignored, flush=True)
time.sleep(60)
"""
DRIVER = """
def end(*_):
    sys.exit(130)
signal.signal(signal.SIGINT, end)
open(os.environ["SUBMIT_DRIVER_FILE"], "w").write(str(os.getpid()))
"""
BUSY = DRIVER.replace("sys.exit(130)", "pass")  # it does not end


def interrupt(machine: Machine, driver: str, number: int, whom: str, times: int = 1) -> tuple[int, str]:
    """The exit code and what is shown when a run is interrupted that many times."""
    process = machine.start("all", FAKE_SPARK=SPARK.replace("DRIVER", driver))
    assert process.stdout is not None
    assert process.stdout.readline() == "begun True\n"
    for _ in range(times):
        if whom == "group":  # a terminal sends Ctrl-C to all processes
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        time.sleep(0.3)
    _, shown = process.communicate(timeout=20)
    with pytest.raises(ProcessLookupError):  # nothing of it is left
        os.killpg(process.pid, 0)
    assert list((machine.root / "build").glob("*.driver")) == []
    return process.returncode, shown


@pytest.mark.parametrize("whom", ["group", "script"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("driver", [DRIVER, ""])
def test_an_interrupt_is_one_line_and_ends_all_processes(
    ready: Machine, driver: str, number: int, whom: str
) -> None:
    assert interrupt(ready, driver, number, whom) == (130, INTERRUPTED)


def test_a_second_interrupt_does_not_wait_for_the_driver(ready: Machine) -> None:
    assert interrupt(ready, BUSY, signal.SIGTERM, "script", times=2) == (130, INTERRUPTED)


@pytest.mark.parametrize("whom", ["group", "script"])
def test_an_interrupt_during_set_up_is_one_line(machine: Machine, whom: str) -> None:
    machine.add_python("python3.12")
    process = machine.start("--package", FAKE_SECONDS="5")
    while not machine.calls_file.exists() or "pip install" not in machine.calls_file.read_text():
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT) if whom == "group" else process.terminate()
    _, shown = process.communicate(timeout=20)
    assert process.returncode == 130
    assert shown.splitlines()[-1] + "\n" == INTERRUPTED
    assert "set-up stopped" not in shown
    machine.calls()
    assert machine.run("--package")[0] == 0


def test_java_that_was_killed_is_one_line(ready: Machine) -> None:
    code, shown = ready.run(FAKE_SPARK="import os; os.kill(os.getpid(), 9)")
    assert code == 137
    assert shown.startswith("songmood: Java was killed, usually because memory ran out: use fewer cores")
    assert shown.count("\n") == 1


@pytest.mark.parametrize("code", [0, 1, 2])
def test_the_exit_code_is_that_of_the_run(ready: Machine, code: int) -> None:
    assert ready.run(FAKE_SPARK=f"raise SystemExit({code})") == (code, "")


def test_a_local_folder_of_spark_that_cannot_be_written_is_one_line(ready: Machine) -> None:
    code, shown = ready.run(FAKE_SPARK="raise SystemExit(53)")
    assert code == 2
    assert shown.startswith("songmood: Spark cannot write to its local folder: free some space there, or ")
    assert shown.count("\n") == 1


# -- set-up ------------------------------------------------------------------------------------


def test_the_first_use_installs_the_lock_file_and_the_second_uses_it(machine: Machine) -> None:
    machine.add_python("python3.12")
    assert machine.run("--package")[0] == 0
    made, uv, packages, jars = machine.calls()
    assert made == "python3.12 -m venv --clear .venv"
    assert re.fullmatch(r"python -m pip install .* uv==[\d.]+", uv)
    assert packages == "uv pip install --quiet --python .venv/bin/python --no-deps -r requirements.lock"
    assert jars.startswith("spark-submit --master local[1]")
    assert machine.run("--package") == (0, "")
    assert machine.calls() == []


@pytest.mark.parametrize("lost", ["bin/spark-submit", "bin/python", "requirements.lock", "bin", ""])
def test_an_environment_that_has_lost_a_part_is_made_again(ready: Machine, lost: str) -> None:
    path = ready.root / ".venv" / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert ready.run("--package")[0] == 0
    assert ready.calls()[0] == "python3.12 -m venv --clear .venv"
    assert ready.run("--package") == (0, "")


def test_jars_that_are_lost_are_fetched_again(ready: Machine) -> None:
    shutil.rmtree(ready.root / ".venv" / "ivy")
    assert ready.run("--package")[0] == 0
    assert [call.split(" --properties")[0] for call in ready.calls()] == ["spark-submit --master local[1]"]
    assert ready.run("--package") == (0, "")


def test_a_file_in_the_place_of_the_environment_is_one_line(machine: Machine) -> None:
    machine.add_python("python3.12")
    (machine.root / ".venv").write_text("/somewhere/else\n")  # as some tools write it
    code, shown = machine.run("--package")
    assert code == 2
    assert ".venv must be a folder: move the file away" in shown
    assert shown.count("\n") == 1


def test_development_adds_its_packages_to_those_that_are_there(ready: Machine) -> None:
    assert ready.run("--exec", "true")[0] == 0
    assert [call.split(" -r ")[-1] for call in ready.calls()][1:] == ["requirements-dev.lock"]
    assert ready.run("--exec", "true") == (0, "")
    assert ready.run("--package") == (0, "")
    assert ready.calls() == []


def test_a_changed_lock_file_is_installed_into_the_same_environment(ready: Machine) -> None:
    with (ready.root / "requirements.lock").open("a") as lock:
        lock.write("another==1\n")
    assert ready.run("--package")[0] == 0
    assert [call.split(" -r ")[-1] for call in ready.calls()][1:] == ["requirements.lock"]


def test_pip_installs_the_lock_file_where_uv_cannot(machine: Machine) -> None:
    machine.add_python("python3.12")
    assert machine.run("--package", FAKE_FAILS="uv")[0] == 0
    call = machine.calls()[3]
    assert call.startswith("python -m pip install ")
    assert call.endswith(" --no-deps -r requirements.lock")


def test_a_failed_set_up_says_why_and_starts_anew(machine: Machine) -> None:
    machine.add_python("python3.12")
    code, shown = machine.run("--package", FAKE_FAILS="uv python")
    assert code == 2
    assert "songmood: set-up stopped: error: no such host; is there a network?" in shown
    machine.calls()
    assert machine.run("--package")[0] == 0
    assert machine.calls()[0] == "python3.12 -m venv --clear .venv"


@pytest.mark.parametrize("python", [None, "echo Python 3.9.1", "echo Python 3.12.1", "exit 1"])
def test_a_virtual_environment_of_someone_else_is_made_anew(machine: Machine, python: str | None) -> None:
    (machine.root / ".venv" / "bin").mkdir(parents=True)
    if python:
        (machine.root / ".venv" / "bin" / "python").write_text(f"#!/usr/bin/env bash\n{python}\n")
        (machine.root / ".venv" / "bin" / "python").chmod(0o755)
    machine.add_python("python3.12")
    code, shown = machine.run("--package")
    assert code == 0
    assert "making .venv anew" in shown
    assert machine.calls()[0] == "python3.12 -m venv --clear .venv"


def test_another_python_in_the_virtual_environment_is_noticed(ready: Machine) -> None:
    assert ready.run("--package", FAKE_VERSION="3.13")[0] == 0
    assert ready.calls()[0] == "python3.12 -m venv --clear .venv"
    assert ready.run("--package", FAKE_VERSION="3.13") == (0, "")


def test_an_active_incomplete_environment_is_not_its_own_python(machine: Machine) -> None:
    machine.add_python("python3.12")
    (machine.root / ".venv" / "bin").mkdir(parents=True)
    (machine.root / ".venv" / "bin" / "python3.11").symlink_to(machine.tools / "python3.12")
    path = f"{machine.root}/.venv/bin:{machine.tools}"
    assert machine.run("--package", PATH=path)[0] == 0
    assert machine.calls()[0] == "python3.12 -m venv --clear .venv"


@pytest.mark.skipif(shutil.which("flock") is None, reason="this machine has no flock")
def test_two_set_ups_at_once_are_one(machine: Machine) -> None:
    machine.add_python("python3.12")
    both = [machine.start("--package") for _ in range(2)]
    shown = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("waiting for another set-up" in text for text in shown) == 1
    assert len(machine.calls()) == 4


@pytest.mark.parametrize("version", ["3.9", "3.14"])
def test_without_a_supported_python_it_says_how_to_get_one(machine: Machine, version: str) -> None:
    machine.add_python("python3")
    code, shown = machine.run(FAKE_VERSION=version)
    assert code == 2
    assert shown.startswith(
        f"songmood: needs Python 3.10, 3.11, 3.12 or 3.13, and finds none on PATH (python3 is {version})."
    )
    assert "apt install python3.12-venv" in shown
    assert shown.count("\n") == 1


def test_without_any_python_it_says_so(machine: Machine) -> None:
    code, shown = machine.run()
    assert code == 2
    assert shown.startswith(
        "songmood: needs Python 3.10, 3.11, 3.12 or 3.13, and finds none on PATH. Install"
    )
    assert shown.count("\n") == 1


def test_what_is_imported_is_compiled_once_and_not_beside_the_code() -> None:
    code = "import songmood.names.normalize; print(songmood.names.normalize.__cached__)"
    shown = submit("--exec", "python", "-c", code, **{**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    compiled = Path(shown.stdout.strip())
    assert compiled.is_file()
    assert ROOT / "lib" not in compiled.parents


def test_without_a_network_the_first_use_says_so(tmp_path: Path) -> None:
    for name in ("spark-submit.sh", "requirements.lock", "requirements-dev.lock"):
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
    shown = subprocess.run(command, capture_output=True, text=True, timeout=300, env=env)
    assert shown.returncode == 2
    assert "anew" not in shown.stderr
    last = shown.stderr.strip().splitlines()[-1]
    assert last.startswith("songmood: set-up stopped")
    assert "is there a network?" in last
