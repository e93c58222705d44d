"""What is installed: pinned to the last dependency, each with its hashes, and nothing else is taken."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from app.config import PROJECT

LOCKS = {"requirements.txt": "requirements.lock", "requirements-dev.txt": "requirements-dev.lock"}
OURS = {
    "dlib": ("dlib-20.0.1-py3-none-any.whl", {"dlib-20.0.1.dist-info"}),
    "pkg_resources": (
        "namesake_pkg_resources-1.0-py3-none-any.whl",
        {"namesake_pkg_resources-1.0.dist-info", "pkg_resources.py"},
    ),
}
"""The wheels that are made here: the file of each, and all that is in it, by the folder of its source."""
PIN = re.compile(r"([\w.\-]+)==([\w.]+)")


def asked(name: str) -> dict[str, str]:
    """What a file of requirements asks for by itself: version by name."""
    return {canonicalize_name(found[1]): found[2] for found in map(PIN.match, lines(PROJECT / name)) if found}


def locked(name: str) -> dict[str, tuple[str, set[str]]]:
    """What a lock holds: version and hashes by name. Fails on a line that is neither a pin, a hash nor a remark."""
    entries: dict[str, tuple[str, set[str]]] = {}
    for line in lines(PROJECT / "packaging" / name):
        pin, hashed = PIN.fullmatch(line.removesuffix(" \\")), re.match(r" {4}--hash=sha256:([0-9a-f]{64})", line)
        if pin:
            current = entries[pin[1]] = (pin[2], set())
        elif hashed:
            current[1].add(hashed[1])
        else:
            assert re.match(r"( {4}#.*)?$", line), line
    return entries


def lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines()


def brought_by(names: set[str]) -> set[str]:
    """These packages and all that they need, as what is installed says."""
    found: set[str] = set()
    waiting = [Requirement(name) for name in names]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if name not in found or wanted.extras:
            found.add(name)
            needs = map(Requirement, importlib.metadata.requires(name) or [])
            extras = wanted.extras or {""}
            waiting += [
                need for need in needs if need.marker is None or any(need.marker.evaluate({"extra": e}) for e in extras)
            ]
    return found


@pytest.mark.parametrize("lock", LOCKS.values())
def test_everything_locked_has_its_hashes(lock: str) -> None:
    without = [name for name, (_version, hashes) in locked(lock).items() if not hashes]
    assert without == []


def test_the_lock_holds_what_is_asked_for_with_all_that_it_needs_and_nothing_else() -> None:
    direct = asked("requirements.txt")
    versions = {name: version for name, (version, _hashes) in locked("requirements.lock").items()}
    assert {name: versions.get(name) for name in direct} == direct
    assert set(versions) == brought_by(set(direct)) - {"dlib"}


def test_the_lock_for_developers_holds_the_same_and_theirs() -> None:
    direct = asked("requirements-dev.txt") | asked("requirements.txt")
    theirs, ours = locked("requirements-dev.lock"), locked("requirements.lock")
    assert {name: theirs[name][0] for name in direct} == direct
    assert ours.items() <= theirs.items()
    # pip is in every virtual environment, and stays the one that came with Python.
    assert set(theirs) == brought_by(set(direct)) - {"dlib", "pip"}


@pytest.mark.parametrize("lock", LOCKS.values())
def test_what_is_installed_is_what_is_locked(lock: str) -> None:
    versions = {name: version for name, (version, _hashes) in locked(lock).items()}
    assert {name: importlib.metadata.version(name) for name in versions} == versions


@pytest.mark.parametrize(("requirements", "lock"), LOCKS.items())
def test_whoever_installs_from_the_requirements_gets_the_lock_with_them(requirements: str, lock: str) -> None:
    assert f"-r packaging/{lock}" in lines(PROJECT / requirements)


@pytest.mark.parametrize("lock", LOCKS.values())
def test_no_address_of_a_registry_and_no_path_gets_into_a_lock(lock: str) -> None:
    assert not re.search(r"://|^-|/(home|root|tmp|opt)/", (PROJECT / "packaging" / lock).read_text("utf-8"), re.M)


@pytest.mark.parametrize(("file", "holds"), OURS.values(), ids=OURS)
def test_a_wheel_of_ours_holds_no_more_than_it_should_and_is_known_by_its_hash(file: str, holds: set[str]) -> None:
    path = PROJECT / "packaging" / file
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert f"./packaging/{file} --hash=sha256:{digest}" in lines(PROJECT / "requirements.txt")
    with zipfile.ZipFile(path) as wheel:
        assert {name.split("/")[0] for name in wheel.namelist()} == holds


@pytest.mark.parametrize("source", OURS)
def test_a_wheel_of_ours_is_what_its_source_gives(source: str, tmp_path: Path) -> None:
    file, _holds = OURS[source]
    copied = shutil.copytree(PROJECT / "packaging" / source, tmp_path / source, ignore=shutil.ignore_patterns("build"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    environment = os.environ | {"SOURCE_DATE_EPOCH": "315532800"}
    subprocess.run([*command, "--wheel-dir", tmp_path, copied], env=environment, check=True)
    assert _content(tmp_path / file) == _content(PROJECT / "packaging" / file)


def test_the_models_are_found_without_the_pkg_resources_of_setuptools() -> None:
    """It is gone from setuptools, and the versions that had it have a known hole."""
    asked = "import face_recognition_models as m, pkg_resources as p; print(m.face_recognition_model_location())"
    told = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{asked}; print(*vars(p))"], capture_output=True, text=True, check=True
    )
    location, names = told.stdout.splitlines()
    assert Path(location).stat().st_size > 20_000_000
    assert "resource_filename" in names.split()
    assert "WorkingSet" not in names.split()


def _content(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as wheel:
        return {name: wheel.read(name) for name in wheel.namelist()}


class TestSetup:
    """`make setup` itself, over a registry that is a folder with two small packages."""

    @pytest.fixture
    def project(self, tmp_path: Path) -> Path:
        folder = tmp_path / "project"
        (folder / "packaging").mkdir(parents=True)
        shutil.copy(PROJECT / "Makefile", folder)
        (folder / "requirements.txt").write_text("-r packaging/requirements.lock\nsmall==1.0  # why\n")
        registry = tmp_path / "registry"
        registry.mkdir()
        locked = [_wheel(registry, "setuptools", "84.2.1"), _wheel(registry, "small", "1.0")]
        (folder / "packaging/requirements.lock").write_text("".join(locked))
        return folder

    def test_takes_what_has_the_right_hash(self, project: Path) -> None:
        taken = _make_setup(project)
        assert taken.returncode == 0, taken.stderr
        assert (project / ".venv/ready").exists()

    @pytest.mark.parametrize("name", ["setuptools", "small"])
    def test_stops_at_another_hash(self, project: Path, name: str) -> None:
        lock = project / "packaging/requirements.lock"
        lock.write_text(re.sub(rf"({name}==.*\n.*sha256:)\w{{64}}", rf"\g<1>{'0' * 64}", lock.read_text()))
        self.assert_refused(project, "DO NOT MATCH THE HASHES")

    def test_stops_at_what_has_no_hash(self, project: Path) -> None:
        (project / "requirements.txt").write_text("-r packaging/requirements.lock\nother==1.0\n")
        _wheel(project.parent / "registry", "other", "1.0")
        self.assert_refused(project, "Hashes are required")

    def assert_refused(self, project: Path, words: str) -> None:
        refused = _make_setup(project)
        assert refused.returncode != 0
        assert words in refused.stderr
        assert not (project / ".venv/ready").exists()


def _make_setup(project: Path) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "MAKE", "MFLAGS"))}
    environment = kept | {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(project.parent / "registry"),
        "PIP_CONFIG_FILE": os.devnull,
    }
    return subprocess.run(
        ["make", "setup", f"PYTHON={sys.executable}"], cwd=project, env=environment, capture_output=True, text=True
    )


def _wheel(folder: Path, name: str, version: str) -> str:
    """Put a package without code into `folder`; its lines in a lock."""
    inside, record = f"{name}-{version}.dist-info", []
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for file, text in {
            "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            "WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }.items():
            wheel.writestr(f"{inside}/{file}", text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
            record.append(f"{inside}/{file},sha256={digest},{len(text)}\n")
        wheel.writestr(f"{inside}/RECORD", "".join([*record, f"{inside}/RECORD,,\n"]))
    return f"{name}=={version} \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n    # via -r -\n"
