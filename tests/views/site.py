"""An installation under test as its users know it: requests, files, rows, train.pickle and pages."""

from __future__ import annotations

import hashlib
import pickle
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from tests.conftest import HTML

Json = dict[str, Any]
MULTIPART = "multipart/form-data; boundary=edge"
UPLOADS, TRAINING = Path("datasets/uploads"), Path("datasets/training")


class Site:
    """photos: the answers to the uploads made before the test, by the name of the shot.

    `client` asks as a script does, and keeps no cookies; `browser` keeps them and sends the token of its page.
    """

    def __init__(self, app: Flask, home: Path, photos: Mapping[str, Json] | None = None) -> None:
        self.app, self.home, self.photos = app, home, dict(photos or {})
        self.client, self.browser = app.test_client(use_cookies=False), app.test_client()

    def get(self, url: str, *, html: bool = False) -> TestResponse:
        if html:
            return self.browser.get(url, headers=HTML, buffered=True)
        return self.client.get(url, buffered=True)

    def post(self, url: str, fields: Any = None, *, html: bool = False, **more: Any) -> TestResponse:
        if html:
            headers = HTML | {"X-CSRFToken": self.token()}
            return self.browser.post(url, data=fields or {}, headers=headers, buffered=True, **more)
        return self.client.post(url, data=fields or {}, buffered=True, **more)

    def token(self) -> str:
        (meta,) = self.page("/").all("meta", name="csrf-token")
        return meta["content"]

    def upload(self, *files: tuple[str, bytes], html: bool = False, **fields: str) -> TestResponse:
        return self.post("/upload/", multipart(*files, **fields), html=html, content_type=MULTIPART)

    def confirm(self, photo: Json, label: str, *, face: int | None = None, html: bool = False) -> TestResponse:
        """Name a photo's face: its `face`-th from the left, else the one the product chooses."""
        fields = {"image_path": photo["image_path"], "label": label}
        if face is not None:
            fields["face_id"] = photo["faces"][face]["id"]
        return self.post("/confirm/", fields, html=html)

    def photo(self, photo: Json) -> Json:
        """A photo as it is now."""
        found: Json = self.get(f"/photos/{photo['photo_id']}/").get_json()
        return found

    def page(self, url: str) -> Page:
        return Page(self.get(url, html=True).text)

    def published(self) -> Json:
        """train.pickle as anyone reads it."""
        found: Json = pickle.loads((self.home / "instance/train.pickle").read_bytes())
        return found

    def published_labels(self) -> list[tuple[str, str]]:
        """(imagePath, name) of every entry of train.pickle."""
        found = self.published()
        classes = found["label_encoder"]["classes_"]
        return [(entry["imagePath"], classes[entry["label"]]) for entry in found["encodings"]]

    def files(self, folder: Path) -> list[str]:
        """The names of all files in a folder, hidden ones too."""
        return sorted(path.name for path in (self.home / folder).iterdir())

    def everything(self) -> Json:
        """All that is saved: every file by its content, and every row of the store."""
        files = {
            str(path.relative_to(self.home)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.home.rglob("*")
            if path.is_file() and ".sqlite" not in path.name and path.suffix != ".lock"
        }
        with closing(sqlite3.connect(self.home / "instance/namesake.sqlite")) as store:
            return {"files": files, "rows": list(store.iterdump())}


class Page(HTMLParser):
    """What a browser finds in a page: `tags` with their attributes, `text`, and the text of each element by id."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.by_id: dict[str, str] = {}
        self._last_id: str | None = None
        self.feed(html)
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.tags.append((tag, attributes))
        self._last_id = attributes.get("id")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] != "script":
            self.texts.append(data)
        if self._last_id is not None:
            self.by_id.setdefault(self._last_id, data.strip())
            self._last_id = None

    def all(self, tag: str, **attributes: str) -> list[dict[str, str]]:
        """The attributes of every such tag."""
        return [found for name, found in self.tags if name == tag and attributes.items() <= found.items()]


def multipart(*files: tuple[str, bytes], **fields: str) -> bytes:
    """A form with files, their names written as curl writes them: a name may hold any character."""
    body = b""
    for name, text in fields.items():
        body += f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
    for name, data in files:
        quoted = name.replace("\\", "\\\\").replace('"', '\\"').encode()
        body += b'--edge\r\nContent-Disposition: form-data; name="file"; filename="' + quoted + b'"\r\n\r\n'
        body += data + b"\r\n"
    return body + b"--edge--\r\n"
