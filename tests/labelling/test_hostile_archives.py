"""Archives that are not what they say: refused in words, and nothing is saved."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import pickle
import struct
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app import config
from app.errors import InvalidInput, NamesakeError, UnsafePickle
from app.labelling import bringing, decisions, exporting
from app.labelling.workspace import Workspace
from app.store import archive
from tests.labelling.consistency import snapshot
from tests.labelling.saying import faces_of, name, named_photo
from tests.labelling.squares import SquaresEngine, picture, upload

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """The files of an archive as it should be."""
    workspace = opened(tmp_path_factory.mktemp("source"))
    named_photo(workspace, "alice")
    photo = upload(workspace, "bob", "carol", name="party.png")
    name(workspace, photo, "bob", faces_of(workspace, photo)[0]["id"])
    decisions.dismiss(workspace, faces_of(workspace, photo)[1]["id"], "ignore")
    data = b"".join(exporting.stream_archive(workspace, exporting.read_export(workspace), []))
    workspace.close()
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        return {name: found.read(name) for name in found.namelist()}


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """One for all: what is refused changes nothing."""
    workspace = opened(tmp_path_factory.mktemp("target"))
    named_photo(workspace, "zoe", take=5)
    yield workspace
    workspace.close()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Workspace]:
    workspace = opened(tmp_path)
    yield workspace
    workspace.close()


def opened(home: Path) -> Workspace:
    workspace = Workspace(config.load(home))
    workspace.engine = SquaresEngine()
    return workspace


def pack(files: Files, **info: Any) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **info) as packed:
        for path, data in files.items():
            packed.writestr(path, data)
    return file.getvalue()


def refused(target: Workspace, data: bytes, says: str, error: type[NamesakeError] = InvalidInput) -> None:
    home = target.settings.home
    before, around = snapshot(home), sorted(os.listdir(home.parent))
    with pytest.raises(error, match=says):
        bringing.bring_back(target, io.BytesIO(data))
    assert snapshot(home) == before
    assert sorted(os.listdir(home.parent)) == around
    assert not list((home / "datasets/.staging").glob("*"))


def with_manifest(files: Files, change: Callable[[Any], object]) -> Files:
    manifest = json.loads(files["manifest.json"])
    change(manifest)
    return files | {"manifest.json": json.dumps(manifest).encode()}


def test_a_good_one_repacked_by_hand_is_taken(good: Files, fresh: Workspace) -> None:
    data = pack({"training/": b""} | good, compression=zipfile.ZIP_DEFLATED)
    assert bringing.bring_back(fresh, io.BytesIO(data)).named == 2


@pytest.mark.parametrize(
    "path",
    [
        "../evil.png", "/etc/passwd", "training/../../evil.png", "training/sub/evil.png", "C:\\evil.png",
        "training\\evil.png", "training/C:evil.png", "training/.hidden.png", "training/a\nb.png", "evil.png",
        "uploads/evil.png", "training//evil.png", "training/inner/../a.png", "instance/namesake.sqlite",
    ],
)  # fmt: skip
def test_names_that_lead_elsewhere(good: Files, target: Workspace, path: str) -> None:
    refused(target, pack(good | {path: picture("mallory")}), "does not belong")


def test_files_that_begin_before_the_archive(good: Files, target: Workspace, tmp_path: Path) -> None:
    """Which a file on the disk minds otherwise than one in memory."""
    data = bytearray(pack(good))
    at = data.rindex(b"PK\5\6") + 16
    struct.pack_into("<I", data, at, struct.unpack_from("<I", data, at)[0] + 10**6)  # where the directory is
    refused(target, bytes(data), "not a zip")
    (tmp_path / "evil.zip").write_bytes(data)
    with (tmp_path / "evil.zip").open("rb") as file, pytest.raises(InvalidInput, match="not a zip"):
        bringing.bring_back(target, file)


@pytest.mark.parametrize("path", ["training/evil.png", "training/archive.zip", "training/page.html"])
def test_files_that_the_manifest_does_not_speak_of(good: Files, target: Workspace, path: str) -> None:
    refused(target, pack(good | {path: pack(good)}), "exactly the photos")


def test_a_file_twice(good: Files, target: Workspace) -> None:
    file = io.BytesIO(pack(good))
    with zipfile.ZipFile(file, "a") as packed, pytest.warns(UserWarning, match="Duplicate"):
        packed.writestr("manifest.json", good["manifest.json"])
    refused(target, file.getvalue(), "two files")


@pytest.mark.parametrize("gone", ["manifest.json", "train.pickle", "training/alice_01.png"])
def test_a_file_that_is_missing(good: Files, target: Workspace, gone: str) -> None:
    refused(target, pack({path: data for path, data in good.items() if path != gone}), "has no|exactly the photos")


@pytest.mark.parametrize("path", ["training/alice_01.png", "manifest.json", "labels.csv"])
def test_a_bomb(good: Files, target: Workspace, path: str) -> None:
    bomb = pack(good | {path: bytes(80 << 20)}, compression=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 1 << 20
    refused(target, bomb, "grow too much")


def test_a_bomb_that_says_it_is_small(good: Files, target: Workspace) -> None:
    """The directory says 100 bytes, the stream unpacks to 80 MB."""
    bomb = bytearray(pack(good | {"training/alice_01.png": bytes(80 << 20)}, compression=zipfile.ZIP_DEFLATED))
    true_size = struct.pack("<I", 80 << 20)
    while (at := bomb.find(true_size)) >= 0:
        bomb[at : at + 4] = struct.pack("<I", 100)
    started = time.monotonic()
    refused(target, bytes(bomb), "damaged|not the photo")
    assert time.monotonic() - started < 3


def test_entries_that_overlap(good: Files, target: Workspace) -> None:
    """One stored file listed under many names: small on disk, large unpacked, and no name is double."""
    big = os.urandom(1 << 20)
    data = pack({"training/x_01.jpg": big})
    directory = data.rindex(b"PK\1\2")
    end = data.rindex(b"PK\5\6")
    entry = data[directory:end]
    entries = b"".join(entry.replace(b"x_01", b"x%03d" % number) for number in range(500))
    tail = bytearray(data[end:])
    struct.pack_into("<HHI", tail, 8, 500, 500, len(entries))
    refused(target, data[:directory] + entries + bytes(tail), "grow too much")


def test_a_directory_that_would_fill_the_memory(target: Workspace) -> None:
    tail = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 65535, 65535, (32 << 20) + 1, 0, 0)
    refused(target, b"PK\3\4" + bytes(64) + tail, "more files")
    record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 1 << 40, 1 << 40, 1 << 50, 0)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, 4, 1)
    tail = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 65535, 65535, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    refused(target, b"PK\3\4" + record + locator + tail, "more files")


def test_an_encrypted_one(good: Files, target: Workspace) -> None:
    data = bytearray(pack(good))
    for signature, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        place = data.find(signature)
        data[place + at] |= 1
    refused(target, bytes(data), "encrypted")


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_one_packed_in_another_way(good: Files, target: Workspace, kind: int) -> None:
    refused(target, pack(good, compression=kind), "ordinary zip")


@pytest.mark.parametrize("data", [b"PK\3\4", b"PK\3\4" + os.urandom(500), b"PK\5\6" + bytes(17)])
def test_what_is_no_zip(target: Workspace, data: bytes) -> None:
    refused(target, data, "not a zip")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_one_cut_off(good: Files, target: Workspace, share: float) -> None:
    data = pack(good)
    refused(target, data[: int(len(data) * share)], "not a zip")


def test_a_photo_that_is_another(good: Files, target: Workspace) -> None:
    refused(target, pack(good | {"training/alice_01.png": picture("mallory")}), "not the photo")


@pytest.mark.parametrize("shift", [1, 100, 581])
def test_a_directory_that_says_it_begins_later_than_it_does(good: Files, target: Workspace, shift: int) -> None:
    """By which the first file begins before the archive does."""
    data = bytearray(pack(good))
    at = data.rfind(b"PK\5\6") + 16
    data[at : at + 4] = struct.pack("<I", struct.unpack_from("<I", data, at)[0] + shift)
    refused(target, bytes(data), "damaged")


def test_a_photo_damaged_on_the_way(good: Files, target: Workspace) -> None:
    data = bytearray(pack(good))
    data[data.index(b"\x89PNG") + 40] ^= 1
    refused(target, bytes(data), "damaged")


def test_a_photo_that_is_none(good: Files, target: Workspace) -> None:
    page = b"<script>alert(1)</script>"
    digest = hashlib.sha256(page).hexdigest()
    files = with_manifest(good, lambda m: m["photos"][0].update(sha256=digest, size=len(page)))
    refused(target, pack(files | {"training/alice_01.png": page}), "not an image")


def test_a_photo_of_another_size(good: Files, target: Workspace) -> None:
    refused(target, pack(with_manifest(good, lambda m: m["photos"][0].update(width=9))), "another size")


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch /tmp/namesake-was-here",)


def test_a_pickle_that_holds_code(good: Files, target: Workspace) -> None:
    evil = pickle.dumps({"encodings": [Evil()], "label_encoder": {"classes_": []}})
    refused(target, pack(good | {"train.pickle": evil}), "Nothing in it was run", UnsafePickle)
    assert not Path("/tmp/namesake-was-here").exists()


def test_a_pickle_that_says_something_else(good: Files, target: Workspace) -> None:
    content = pickle.loads(good["train.pickle"])
    content["label_encoder"]["classes_"][0] = "mallory"
    refused(target, pack(good | {"train.pickle": pickle.dumps(content)}), "do not say the same")
    content = pickle.loads(good["train.pickle"])
    content["encodings"][0]["encoding"][0] += 0.5
    refused(target, pack(good | {"train.pickle": pickle.dumps(content)}), "do not say the same")


INFINITE = base64.b64encode(struct.pack("<128f", *[float("inf")] * 128)).decode()
MANIFESTS: dict[str, Callable[[Any], object]] = {
    "another format": lambda m: m.update(format="x"),
    "another version": lambda m: m.update(version=2),
    "no photos": lambda m: m.update(photos=None),
    "photos that are no rows": lambda m: m.update(photos=[1, 2]),
    "a path as a file name": lambda m: m["photos"][0].update(file="../a.png"),
    "another kind of file": lambda m: m["photos"][0].update(file="a.py"),
    "a name of Windows's own": lambda m: m["photos"][0].update(file="con.png"),
    "no hash": lambda m: m["photos"][0].update(sha256=None),
    "half a hash": lambda m: m["photos"][0].update(sha256="ab"),
    "a hash twice": lambda m: m["photos"][0].update(sha256=m["photos"][1]["sha256"]),
    "a place twice": lambda m: m["photos"][0].update(path=m["photos"][1]["path"]),
    "a size that is text": lambda m: m["photos"][0].update(size="big"),
    "a size below nothing": lambda m: m["photos"][0].update(width=-1),
    "a path to upload to": lambda m: m["photos"][0].update(upload_name="../../x.png"),
    "a face of no photo": lambda m: m["faces"][0].update(photo=99),
    "a face of photo true": lambda m: m["faces"][0].update(photo=True),
    "a face twice": lambda m: m["faces"][1].update(photo=m["faces"][0]["photo"], box=m["faces"][0]["box"]),
    "three sides": lambda m: m["faces"][0].update(box=[1, 2, 3]),
    "broken sides": lambda m: m["faces"][0].update(box=[1, 2, 3, 4.5]),
    "sides beyond all bounds": lambda m: m["faces"][0].update(box=[1, 2, 3, 1 << 70]),
    "no encoding": lambda m: m["faces"][0].pop("encoding"),
    "a short encoding": lambda m: m["faces"][0].update(encoding="AAAA"),
    "no base64": lambda m: m["faces"][0].update(encoding="*" * 683),
    "an infinite encoding": lambda m: m["faces"][0].update(encoding=INFINITE),
    "no such status": lambda m: m["faces"][0].update(status="removed"),
    "a label without a name": lambda m: m["faces"][0].update(person=None),
    "a name without a label": lambda m: m["faces"][-1].update(person="alice"),
    "an empty name": lambda m: m["faces"][0].update(person=" "),
    "a name with a line break": lambda m: m["faces"][0].update(person="a\nb"),
    "half a character": lambda m: m["faces"][0].update(person="\ud800"),
    "a name far too long": lambda m: m["faces"][0].update(rejected=["x" * 81]),
    "names that are none": lambda m: m["faces"][0].update(vouched=[1]),
    "an odd moment": lambda m: m["faces"][0].update(decided="yesterday"),
    "odd flaws": lambda m: m["faces"][0].update(flaws=["a,b"]),
    "odd use": lambda m: m["faces"][0].update(recognise="yes"),
    "a twin that is nobody": lambda m: m["faces"][0].update(twin=3),
    "faces out of order": lambda m: m["faces"].reverse(),
}


@pytest.mark.parametrize("what", MANIFESTS)
def test_a_manifest_that_cannot_be_right(good: Files, target: Workspace, what: str) -> None:
    refused(target, pack(with_manifest(good, MANIFESTS[what])), "manifest|archive")


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"[" * 100_000, b"\xff", b"9" * 5000, b'{"format": NaN}'])
def test_a_manifest_that_is_none(good: Files, target: Workspace, data: bytes) -> None:
    refused(target, pack(good | {"manifest.json": data}), "manifest|not an exported")


def test_a_photo_larger_than_is_taken(good: Files, target: Workspace) -> None:
    large = zlib.compress(b"") + os.urandom(33 << 20)
    refused(target, pack(good | {"training/alice_01.png": large}), "larger than")


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"name\nana\n"])
def test_what_is_neither(target: Workspace, data: bytes) -> None:
    refused(target, data, "empty|table")


def test_a_face_of_a_photo_in_which_nobody_has_a_name_waits(good: Files, fresh: Workspace) -> None:
    """Not what this product writes, but nothing that could harm."""
    manifest = json.loads(good["manifest.json"])
    content = pickle.loads(good["train.pickle"])
    manifest["faces"][1].update(status="inbox", person=None)
    del content["encodings"][1]
    files = good | {"manifest.json": json.dumps(manifest).encode(), "train.pickle": pickle.dumps(content)}
    assert bringing.bring_back(fresh, io.BytesIO(pack(files))).named == 1
    assert [face["status"] for face in faces_of(fresh, 2)] == ["inbox", "ignored"]


def test_the_directory_is_read_as_it_is(good: Files) -> None:
    data = pack(good)
    with archive.open_archive(io.BytesIO(data)) as reader:
        assert reader.photo_names() == {"alice_01.png", "bob_01.png"}
