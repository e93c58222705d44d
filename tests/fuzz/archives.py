"""What else people bring: exported training sets, tables of labels, and XMP, all of them broken."""

from __future__ import annotations

import io
import json
import random
import time
import zipfile
from pathlib import Path

from app.errors import NamesakeError
from app.labelling import decisions, exporting, photos
from app.labelling.workspace import Workspace
from app.store import sidecar
from app.store.regions import region_of
from tests.fuzz.mutations import EDGES, mutate
from tests.fuzz.tally import INSIDE, Tally
from tests.fuzz.targets import InProcess, Watched
from tests.labelling.squares import SquaresEngine, picture

WORDS = ("", "=cmd|' /C calc'!A0", "../../x", "/etc/passwd", "\x00", "a\r\nb", "\u202e", "x" * 5000, "<script>", "NaN",
          "-1", "1e999", "null", "true", "[]", "{}", "\ud83d", "\ufeff")  # fmt: skip


def good(home: Path, models: Path) -> dict[str, list[bytes]]:
    """One of each, as the product makes them."""
    target = InProcess(home, models)
    workspace: Workspace = target._app.extensions["namesake"]
    named(workspace)
    archive = b"".join(exporting.stream_archive(workspace, exporting.read_export(workspace), []))
    table = b"".join(exporting.stream_labels(workspace))
    target.close()
    regions = [region_of("Ann \N{SNOWMAN}", (10, 60, 70, 5), 100, 100, 1), region_of("", (0, 1, 1, 0), 100, 100, 6)]
    return {"zip": [archive], "CSV": [table], "XMP": [sidecar.write(regions, 100, 100)]}


def named(workspace: Workspace) -> None:
    """Two photos come in, of two people with a name."""
    workspace.engine = SquaresEngine()
    for number, name in enumerate(("ann", "=SUM(A1)")):
        photo = photos.add_photo(workspace, picture(name, take=number), f"{name}.png")
        with workspace.database.read() as connection:
            face = connection.exec_driver_sql(f"SELECT id FROM faces WHERE photo_id = {photo}").scalar_one()
        decisions.confirm(workspace, f"datasets/uploads/{_name_of(workspace, photo)}", name, face)


def _name_of(workspace: Workspace, photo_id: int) -> str:
    with workspace.database.read() as connection:
        name = connection.exec_driver_sql(f"SELECT name FROM photos WHERE id = {photo_id}").scalar_one()
    return str(name)


def fuzz_archives(tally: Tally, count: int, seed: int, home: Path, models: Path) -> None:
    """`count` of each kind. Archives and tables go to POST /import/, XMP to what reads it out of photos."""
    seeds = good(home / "good", models)
    watched: Watched | None = None
    for number in range(count):
        if number % 100 == 0:
            if watched is not None:
                watched.close()
            watched = Watched(InProcess(home / str(number), models), tally)
        assert watched is not None
        for kind, make in (("zip", broken_archive), ("CSV", broken_text)):
            name = f"{seed}-{kind}-{number}"
            watched.send("/import/", kind, name, make(seeds[kind][0], random.Random(name)), f"labels.{kind.lower()}")
        name = f"{seed}-XMP-{number}"
        _read_xmp(tally, name, broken_text(seeds["XMP"][0], random.Random(name)))
    if watched is not None:
        watched.close()


def broken_archive(data: bytes, choose: random.Random) -> bytes:
    """Broken as a file, or a good zip of broken or strange members."""
    if choose.random() < 0.3:
        return mutate(data, data, choose)
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        files = [(name, found.read(name)) for name in found.namelist()]
    place = choose.randrange(len(files))
    name, content = files[place]
    match choose.randrange(7):
        case 0:
            files[place] = (name, mutate(content, content, choose))
        case 1:
            files[place] = (name, broken_text(content, choose))
        case 2:
            files[place] = (choose.choice(("../" + name, "/" + name, name + "\0", "C:\\" + name, "x/" * 500)), content)
        case 3:
            files.append((name, content))
        case 4:
            del files[place]
        case 5:
            files[place] = (name, bytes(choose.choice((0, 1000, 3_000_000))))
        case _:
            files = [
                (name, _strange_manifest(each, choose) if name.endswith(".json") else each) for name, each in files
            ]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", choose.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as made:
        for name, content in files:
            made.writestr(zipfile.ZipInfo(name), content)
    return packed.getvalue()


def _strange_manifest(data: bytes, choose: random.Random) -> bytes:
    """The same JSON with a value in it that is something else."""
    tree = json.loads(data)
    holder, key, found = tree, None, tree
    for _ in range(choose.randrange(1, 6)):
        if not isinstance(found, dict | list) or not found:
            break
        holder = found
        key = choose.choice(list(found) if isinstance(found, dict) else range(len(found)))
        found = found[key]
    strange = choose.choice((None, True, -1, 1.5, float("nan"), 10**30, [], {}, [[]], *EDGES, *WORDS))
    if key is not None:
        holder[key] = strange
    return json.dumps(tree).encode("utf-8", "surrogatepass")


def broken_text(data: bytes, choose: random.Random) -> bytes:
    """Words and numbers in it are others; or it is broken as any file is."""
    if choose.random() < 0.4:
        return mutate(data, data, choose)
    joint = choose.choice((b",", b"\r\n", b'"', b"<", b" "))
    pieces = data.split(joint)
    for _ in range(choose.randrange(1, 4)):
        word = choose.choice(WORDS).encode("utf-8", "surrogatepass")
        pieces[choose.randrange(len(pieces))] = word
    return joint.join(pieces)


def _read_xmp(tally: Tally, name: str, data: bytes) -> None:
    began, outcome = time.monotonic(), "taken"
    try:
        sidecar.read(data)
    except NamesakeError as refusal:
        outcome = str(refusal.status)
        if INSIDE.search(refusal.message):
            tally.violated(f"words {refusal.message!r}", name, data)
    except Exception as error:  # noqa: BLE001 - which is what is looked for
        tally.violated(f"raised {error!r}", name, data)
    tally.add("XMP", outcome, time.monotonic() - began, name)
