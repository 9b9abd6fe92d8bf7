"""The lock files: the versions that set-up installs, chosen from the ranges in setup.py."""

from __future__ import annotations

import re
import runpy
from functools import cache
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from conftest import ROOT

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
SYSTEMS = ("linux", "darwin")
LOCKS = {"requirements.lock": (), "requirements-dev.lock": ("dev",)}


class Pin(NamedTuple):
    """A line of a lock file, and whether setup.py asks for its package."""

    requirement: Requirement
    direct: bool

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str:
        return str(self.requirement.specifier).removeprefix("==")

    def applies(self, python: str, system: str) -> bool:
        machine = {"python_version": python, "python_full_version": f"{python}.9", "sys_platform": system}
        return self.requirement.marker is None or self.requirement.marker.evaluate(machine)


@cache
def pins(lock: str) -> tuple[Pin, ...]:
    entries = re.findall(r"^([^\s#].*)\n((?: +#.*\n)*)", (ROOT / lock).read_text(), flags=re.MULTILINE)
    return tuple(Pin(Requirement(line), "songmood (setup.py)" in origin) for line, origin in entries)


@cache
def project() -> dict[str, Any]:
    """The arguments of setup() in setup.py."""
    with patch("setuptools.setup") as setup:
        runpy.run_path(str(ROOT / "setup.py"))
    return dict(setup.call_args.kwargs)


def requirements(lock: str) -> list[Requirement]:
    extras = (project()["extras_require"][extra] for extra in LOCKS[lock])
    return [Requirement(line) for lines in (project()["install_requires"], *extras) for line in lines]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_has_a_fitting_version_of_each_requirement(lock: str) -> None:
    for requirement in requirements(lock):
        for python in PYTHONS:
            for system in SYSTEMS:
                name = canonicalize_name(requirement.name)
                fitting = [pin for pin in pins(lock) if pin.name == name and pin.applies(python, system)]
                assert len(fitting) == 1, f"{name} on Python {python}: run make lock"
                assert requirement.specifier.contains(fitting[0].version), f"{name}: run make lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_has_no_requirement_that_setup_py_no_longer_has(lock: str) -> None:
    wanted = {canonicalize_name(requirement.name) for requirement in requirements(lock)}
    assert {pin.name for pin in pins(lock) if pin.direct} == wanted, "run make lock"


def test_development_has_the_versions_that_users_have() -> None:
    for python in PYTHONS:
        for system in SYSTEMS:
            users, developers = (
                {(pin.name, pin.version) for pin in pins(lock) if pin.applies(python, system)}
                for lock in ("requirements.lock", "requirements-dev.lock")
            )
            assert users <= developers


def test_set_up_takes_the_versions_of_python_that_setup_py_allows() -> None:
    script = (ROOT / "spark-submit.sh").read_text()
    listed = re.search(r"^pythons='(.*)'$", script, flags=re.MULTILINE)
    assert listed is not None
    assert sorted(listed[1].split()) == sorted(PYTHONS)
    candidates = [f"3.{minor}" for minor in range(20)]
    allowed = SpecifierSet(project()["python_requires"])
    assert [version for version in candidates if allowed.contains(version)] == list(PYTHONS)


@pytest.mark.parametrize("conf", ["spark-local.conf", "spark-cluster.conf"])
def test_the_jars_are_of_the_version_of_the_package(conf: str) -> None:
    package = next(pin for pin in pins("requirements.lock") if pin.name == "spark-nlp")
    assert f"com.johnsnowlabs.nlp:spark-nlp_2.12:{package.version}," in (ROOT / "conf" / conf).read_text()
