"""A server that looks at photos all day asks nobody anything: watched from outside, with every process it starts."""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.server import Server, fill_reserve
from tests.views.site import Page
from tests.waiting import wait_for

_CALLS = "trace=connect,sendto,sendmsg,sendmmsg"
_ADDRESS = re.compile(r"sa_family=AF_INET6?,.*?(?:inet_addr\(\"|inet_pton\(AF_INET6, \")([0-9a-fA-F.:]+)\"")
# A datagram socket is connected without a packet being sent, and to an address that leads nowhere.
_CONTROL = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 9))"
# What leads somewhere when it stands in a page.
_LEADING = ("href", "src", "action", "formaction", "srcset", "data", "poster", "content")


def watched(trace: Path) -> tuple[str, ...]:
    """The command that writes down whom the rest of its command line and all that it starts connect to."""
    return ("strace", "-f", "--seccomp-bpf", "-qq", "-s", "0", "-e", _CALLS, "-o", str(trace))


def strangers(trace: Path) -> set[str]:
    """The addresses in a trace that are not this machine's own."""
    found = set(_ADDRESS.findall(trace.read_text()))
    return {address for address in found if not ipaddress.ip_address(address).is_loopback}


@pytest.fixture
def server(tmp_path: Path, models_folder: Path, sample_photos: dict[str, Path]) -> Iterator[Server]:
    _need_strace(tmp_path)
    (tmp_path / "instance").mkdir()
    fill_reserve(tmp_path, sample_photos, 1)
    settings = {"NAMESAKE_WORKERS": "2"}
    server = Server(tmp_path, settings=settings, models=models_folder, under=watched(tmp_path / "trace"))
    yield server.start()
    server.kill_everything()


def _need_strace(folder: Path) -> None:
    """It must see a connection where there is one: else its silence would say nothing."""
    if shutil.which("strace") is None:
        missing = "needs strace (on Debian: apt-get install strace)"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    control = folder / "control"
    seen = subprocess.run([*watched(control), sys.executable, "-c", _CONTROL], capture_output=True, text=True)
    if "ptrace" in seen.stderr or "PTRACE" in seen.stderr:
        pytest.skip("strace may not watch processes here")
    assert strangers(control) == {"192.0.2.1"}, seen.stderr


def test_serving_connects_to_nobody_and_pages_name_nobody(
    server: Server, sample_photos: dict[str, Path], tmp_path: Path
) -> None:
    photo = sample_photos["obama.jpg"]
    uploaded = server.post("/upload/", file=(photo.name, photo.read_bytes()))[1]
    assert server.post("/confirm/", image_path=uploaded["image_path"], label="Barack Obama")[0] == 200
    other = sample_photos["biden.jpg"]
    face = server.post("/upload/", file=(other.name, other.read_bytes()))[1]["faces"][0]
    assert server.post("/review/", label="Joe Biden", face_id=str(face["id"]))[0] == 200
    people = {person["name"]: person["id"] for person in server.get("/people/")[1]["people"]}
    photo_id = uploaded["photo_id"]
    for path in (
        "/", "/review/", "/people/", f"/people/{people['Joe Biden']}/", f"/people/{people['Joe Biden']}/erase",
        f"/photos/{photo_id}/", "/decisions/", "/aside/", "/doubts/", "/insights/", "/admin/", "/inventory/",
    ):  # fmt: skip
        page = Page(server.page(path))
        led = {value for _tag, attributes in page.tags for name, value in attributes.items() if name in _LEADING}
        assert [value for value in led if re.match(r"\s*([a-z]+:)?//", value, re.IGNORECASE)] == [], path
    for path in (f"/photos/{photo_id}/image.jpg", face["thumb"], "/export/training.zip"):
        with urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=60) as answer:
            assert len(answer.read()) > 1000
    assert server.post(f"/people/{people['Joe Biden']}/merge", into="Barack Obama")[0] == 200
    job = server.post("/backups/")[1]["job_url"]
    wait_for(lambda: server.get(job)[1]["state"] == "done", "the backup")
    assert server.post(f"/people/{people['Barack Obama']}/erase", confirm="Barack Obama")[0] == 200
    assert server.post("/reset_training/")[1]["faces"] == 1
    assert server.consumers(), "the consumer is one of those that are watched"
    server.kill_everything()
    assert len({line.split()[0] for line in (tmp_path / "trace").read_text().splitlines()}) >= 3, "several processes"
    assert strangers(tmp_path / "trace") == set()
