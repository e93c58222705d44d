"""Where the fast engine is unfit, dlib's own serves, and whoever looks is told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.recognition import verification
from app.recognition.engine import EngineUnfit
from tests.conftest import HTML

WHY = "the encodings differ from dlib's by 0.2, more than 1e-05"


@pytest.fixture
def client(
    make_app: Callable[..., Flask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> FlaskClient:
    """Of an installation where the networks have still to be converted, and will not agree."""

    def disagree(_models: object) -> None:
        raise EngineUnfit(WHY)

    monkeypatch.setattr(verification, "compare_with_dlib", disagree)
    caplog.set_level(logging.INFO, "namesake")
    app = make_app(detection_method="hog")
    (tmp_path / "instance/models").unlink()
    return app.test_client()


def test_the_state_of_health_says_which_engine_serves_and_why(client: FlaskClient) -> None:
    shown = client.get("/healthz").get_json()
    assert (shown["engine"], shown["engine_note"]) == ("dlib", WHY)


def test_the_admin_page_says_so_too(client: FlaskClient) -> None:
    counts = client.get("/admin/").get_json()["counts"]
    assert (counts["engine"], counts["engine_note"]) == ("dlib", WHY)
    page = client.get("/admin/", headers=HTML).get_data(as_text=True)
    assert "far slower than onnx, which cannot serve here: the encodings differ" in page


def test_the_log_says_so_too(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    client.get("/healthz")
    assert [record.getMessage() for record in caplog.records if WHY in record.getMessage()] == [
        f"The onnx engine cannot serve, so dlib's own does, far more slowly: {WHY}"
    ]


def test_faces_are_found_all_the_same(client: FlaskClient, sample_photos: dict[str, Path]) -> None:
    with sample_photos["obama.jpg"].open("rb") as photo:
        answer = client.post("/upload/", data={"file": (photo, "obama.jpg")})
    assert (answer.status_code, len(answer.get_json()["faces"])) == (200, 1)


def test_nothing_is_kept_that_did_not_agree(client: FlaskClient, tmp_path: Path) -> None:
    client.get("/healthz")
    assert list((tmp_path / "instance/models").glob("*.onnx")) == []
