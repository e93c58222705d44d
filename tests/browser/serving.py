"""An installation behind a real server, and what tests ask of it as a script would."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.server import Server


@dataclass(frozen=True)
class Installation:
    """A running Namesake."""

    server: Server

    @property
    def home(self) -> Path:
        return self.server.home

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def json(self, path: str) -> dict[str, Any]:
        status, answer = self.server.get(path)
        assert status == 200, answer
        return dict(answer)

    def upload(self, photo: Path, status: int = 200) -> dict[str, Any]:
        """The answer, which is expected to have this status: 400 for a photo without a face."""
        return self._post("/upload/", status, file=(photo.name, photo.read_bytes()))

    def name(self, photo: Path, *labels: str) -> dict[str, Any]:
        """Upload a photo and name its faces from left to right; the photo as it then is."""
        address = f"/photos/{self.upload(photo)['photo_id']}/"
        for number, label in enumerate(labels):
            # Asked for each time: the first name moves the photo, and so changes the path of its other faces.
            face = self.json(address)["faces"][number]
            self._post("/confirm/", image_path=face["image_path"], face_id=str(face["id"]), label=label)
        return self.json(address)

    def clear(self, after: int) -> int:
        """Take back and put aside every face of the photos after this one; the number of the last photo there is."""
        for photo_id in itertools.count(after + 1):
            status, photo = self.server.get(f"/photos/{photo_id}/")
            if status == 404:
                return photo_id - 1
            for face in photo["faces"]:
                if face["status"] == "labelled":
                    self._post(f"/faces/{face['id']}/unlabel")
                if face["status"] in ("labelled", "inbox"):
                    self._post(f"/faces/{face['id']}/dismiss", action="not_a_face")
        raise AssertionError

    def _post(self, path: str, status: int = 200, **fields: str | tuple[str, bytes]) -> dict[str, Any]:
        answered, answer = self.server.post(path, **fields)
        assert answered == status, answer
        return dict(answer)


@contextmanager
def serve(home: Path, models: Path, **settings: str) -> Iterator[Installation]:
    """Run gunicorn over `home`, with two workers, until the block ends. Its log may tell of nothing that broke.

    settings: more of them, as the environment names them.
    """
    home.mkdir(parents=True, exist_ok=True)
    server = Server(home, settings={"NAMESAKE_WORKERS": "2"} | settings, models=models).start()
    try:
        yield Installation(server)
    finally:
        server.stop()
    log = (home / "server.log").read_text(errors="replace")
    assert not any(word in log for word in ("Traceback", "[ERROR]", "Warning")), log
