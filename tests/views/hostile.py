"""Requests nobody has thought of: every address, every name of a field, values that break things."""

from __future__ import annotations

import ast
import io
import re
from typing import Any
from urllib.parse import quote, urlencode

from flask import Flask
from hypothesis import strategies as st
from PIL import Image
from werkzeug.routing import Rule

from app.config import PROJECT
from tests.views.site import MULTIPART, multipart

# Names as they may be stored, shown, and sent back: each is a way out of some place where a name is written.
NAMES = (
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "' autofocus onfocus=alert(1) x='", "{{7*7}}",
    "${7*7}", "{% raise %}", "</title><svg onload=alert(1)>", "javascript:alert(1)", "=cmd|' /C calc'!A0", "@SUM(1)",
    "+1+1", "-2+3", "'; DROP TABLE faces; --", "\\", "%s%n%x", "%00", "&lt;b&gt;", "]]>", "<!--", "\u2028x", "..",
    "a/b", "CON", "🙂" * 20, "Z\u0351\u036b\u0343algo", "\u202eevil", "\u200b", "null", "undefined", "-1",
)  # fmt: skip
TEXTS = (
    *NAMES, "", " ", "\0", "a\0b", "a\r\nSet-Cookie: x=1", "\x1b[31m", "../../../../etc/passwd", "/etc/passwd",
    "..\\..\\boot.ini", "file:///etc/passwd", "//evil.example", "https://evil.example/", "/\\evil.example", "x" * 81,
    "x" * 5000, "\ud7ff\ufffe", "0", "1", "01", "1e3", "1.5", "٣", "²", "9" * 30, "-0", "NaN", "inf", "0x1", "true",
    "[]", "{\"$gt\": 1}", "1-2", "2-1", "0.3-", "-", "person:1", "person:٣", "person:" + "9" * 40,
)  # fmt: skip
HEADERS = {
    "Accept": ("text/html", "application/json", "*/*", "", "text/html;q=x", "image/png"),
    "Referer": ("http://localhost//evil.example/", "http://localhost/\\evil", "javascript:alert(1)", "http://localhost"),
    "Origin": ("http://localhost", "null", "http://evil.example", "x" * 2000),
    "Sec-Fetch-Site": ("same-origin", "cross-site", "none", "x"),
    "Range": ("bytes=0-1", "bytes=5-2", "bytes=-0", "bytes=99999999-", "x", "bytes=0-1,2-3"),
    "If-None-Match": ("*", '"x"', "W/"),
    "If-Modified-Since": ("x", "Thu, 01 Jan 1970 00:00:00 GMT"),
    "Cookie": ("namesake=x", "namesake=", "=;;;", "session=x; namesake=.eJw.x.y"),
    "X-CSRFToken": ("x", ""),
    "Content-Length": ("0", "99999999999", "-1", "x"),
    "X-Forwarded-For": ("127.0.0.1",),
    "X-HTTP-Method-Override": ("DELETE",),
    "Accept-Encoding": ("gzip", "x"),
    "Host": ("localhost", "127.0.0.1:8000", "evil.example", "localhost\\@evil", "[::1]", "localhost:x"),
    "Authorization": ("Basic Og==", "Bearer x", "Bearer ", "x"),
    "Content-Type": ("", "application/json", "text/plain", "multipart/form-data", "multipart/form-data; boundary=",
                     "multipart/mixed; boundary=edge", "application/x-www-form-urlencoded; charset=utf-7", "x/y;;;="),
}  # fmt: skip


def field_names() -> list[str]:
    """Every text that code which reads requests might take for the name of a field."""
    paths = [
        *(PROJECT / "app/views").rglob("*.py"),
        PROJECT / "app/http.py",
        *(PROJECT / "app").glob("labelling/behind*"),
    ]
    found = {"csrf_token", "next", "back"}
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= {node.value} if re.fullmatch("[a-z][a-z_]{0,14}", node.value) else set()
    return sorted(found)


def rules(app: Flask) -> list[tuple[Rule, str]]:
    return [
        (rule, method)
        for rule in sorted(app.url_map.iter_rules(), key=str)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


_ids = st.one_of(
    st.integers(0, 8).map(str), st.sampled_from(("0", "999", "9" * 15, "-1", "٣", "1.5", "%00", "..%2f", "x"))
)
_files = st.one_of(st.binary(max_size=200), st.sampled_from((b"PK\3\4" + bytes(40), b"\xff\xd8\xff\xe0", b"path\n")))


def texts(real: tuple[str, ...]) -> st.SearchStrategy[str]:
    """real: values that mean something here."""
    return st.one_of(st.sampled_from(real), st.sampled_from(TEXTS), st.text(max_size=20), st.integers(0, 12).map(str))


@st.composite
def requests(draw: st.DrawFn, rule: Rule, method: str, names: list[str], real: tuple[str, ...]) -> dict[str, Any]:
    """What werkzeug's client takes."""
    path = re.sub(r"<(?:\w+:)?(\w+)>", lambda match: _argument(draw, match[1]), str(rule))
    fields = draw(st.lists(st.tuples(st.sampled_from(names), texts(real)), max_size=6))
    query = draw(st.lists(st.tuples(st.sampled_from(names), texts(real)), max_size=3))
    headers = draw(st.dictionaries(st.sampled_from(sorted(HEADERS)), st.integers(0, 20), max_size=3))
    request: dict[str, Any] = {
        "path": path,
        "method": method,
        "query_string": urlencode(query, errors="replace"),
        "headers": {name: HEADERS[name][place % len(HEADERS[name])] for name, place in headers.items()},
    }
    if draw(st.booleans()):
        request["headers"]["Accept"] = "text/html"
    if method == "POST":
        request |= draw(_bodies(fields))
        request["headers"].pop("Content-Length", None)
    return request


def _argument(draw: st.DrawFn, name: str) -> str:
    if name in ("filename", "path"):
        return quote(draw(st.sampled_from(TEXTS)), errors="replace")
    return draw(_ids)


@st.composite
def _bodies(draw: st.DrawFn, fields: list[tuple[str, str]]) -> dict[str, Any]:
    form = {"data": urlencode(fields, errors="replace"), "content_type": "application/x-www-form-urlencoded"}
    files = draw(st.lists(st.tuples(st.sampled_from(TEXTS), _files), max_size=3))
    parts = multipart(*files, **{name: value for name, value in fields})
    kind = draw(st.integers(0, 9))
    if kind < 5:
        return form
    if kind < 8:
        return {"data": parts, "content_type": MULTIPART}
    if kind == 8:
        return {"data": parts[: draw(st.integers(0, len(parts)))], "content_type": MULTIPART}
    return {"data": draw(st.binary(max_size=100)), "content_type": draw(st.sampled_from(HEADERS["Content-Type"]))}


def photo_with_metadata(words: str) -> bytes:
    """A photo that says these words wherever a photo can say something."""
    exif = Image.Exif()
    for tag in (0x010E, 0x010F, 0x0110, 0x0131, 0x013B, 0x8298):
        exif[tag] = words
    file = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(file, "JPEG", exif=exif, comment=words.encode())
    return file.getvalue()
