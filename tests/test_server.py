"""The product as it is run: gunicorn with several workers and the consumer beside them, and flask's own server."""

from __future__ import annotations

import os
import runpy
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app.config import PROJECT
from tests.labelling.consistency import assert_consistent, names_in, rows
from tests.server import FLASK, WORKERS, Server, fill_reserve
from tests.waiting import wait_for

MANY = 24


def upload(server: Server, path: Path) -> Any:
    status, answer = server.post("/upload/", file=(path.name, path.read_bytes()))
    assert status == 200, answer
    return answer


def state(server: Server, job: str) -> dict[str, Any]:
    """The job as the store has it: asking over HTTP may start a consumer, and is tested on its own."""
    (found,) = rows(server.home, "SELECT state, done, message, finished_at FROM jobs WHERE id = ?", job.split("/")[2])
    return found


def done(server: Server, job: str, *, seconds: float = 60) -> Any:
    """The answer about the job once it has ended well."""
    wait_for(lambda: state(server, job)["state"] in ("done", "failed"), "the job to end", seconds=seconds)
    status, answer = server.get(job)
    assert (status, answer["state"]) == (200, "done"), answer
    return answer


def in_the_middle(server: Server, job: str) -> None:
    """Wait until some of the job has been done and some has not."""
    wait_for(lambda: state(server, job)["done"] >= 2, "the job to be under way")
    assert state(server, job)["state"] == "running"


def test_every_worker_loads_its_models_before_a_photo_comes(make_server: Callable[..., Server], tmp_path: Path) -> None:
    make_server()
    log = tmp_path / "server.log"
    wait_for(lambda: log.read_text().count("Ready, with the onnx engine.") == WORKERS, "every worker to be ready")
    assert "Preparing" not in log.read_text()


@pytest.mark.parametrize(("engine", "method"), [("onnx", "cnn"), ("onnx", "hog"), ("dlib", "hog")])
def test_the_four_commands_and_every_worker_knows_at_once(
    make_server: Callable[..., Server], sample_photos: dict[str, Path], tmp_path: Path, engine: str, method: str
) -> None:
    fill_reserve(tmp_path, sample_photos, 2)
    server = make_server(NAMESAKE_ENGINE=engine, NAMESAKE_DETECTION_METHOD=method)
    assert server.get("/healthz")[1]["engine"] == engine

    assert server.get("/") == (200, {"hello": "world"})

    first = upload(server, sample_photos["obama.jpg"])
    assert (first["predicted_label"], first["image_path"]) == (None, "datasets/uploads/obama.jpg")
    waiting = f"/photos/{upload(server, sample_photos['obama2.jpg'])['photo_id']}/"
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(server.get, [waiting] * MANY))
    assert {answer["predicted_label"] for _status, answer in answers} == {None}

    status, answer = server.post("/confirm/", image_path=first["image_path"], label="alice")
    assert (status, answer["message"]) == (200, "Training data updated successfully.")
    assert answer["image_path"] == "datasets/training/alice_01.jpg"
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(server.get, [waiting] * MANY))
    assert {answer["predicted_label"] for _status, answer in answers} == {"alice"}
    assert server.post("/confirm/", image_path=first["image_path"], label="alice")[0] == 409
    assert_consistent(tmp_path)

    status, answer = server.post("/reset_training/")
    assert (status, answer["message"], answer["faces"], answer["people"]) == (200, "Training reset successful", 2, 2)
    assert sorted(names_in(tmp_path)) == ["Barack Obama", "Joe Biden"]
    assert_consistent(tmp_path)

    server.stop()
    assert "Traceback" not in (tmp_path / "server.log").read_text()


def test_confirms_over_many_connections_are_all_kept(
    make_server: Callable[..., Server], sample_photos: dict[str, Path], tmp_path: Path
) -> None:
    fill_reserve(tmp_path, sample_photos, 8)
    server = make_server()
    photos = sorted((tmp_path / "datasets/reserve").rglob("*.jpg"))
    with ThreadPoolExecutor(8) as pool:
        uploaded = list(pool.map(lambda path: upload(server, path), photos))
        twice = [(answer["image_path"], f"person {n % 3}") for n, answer in enumerate(uploaded)] * 2
        answers = list(pool.map(lambda ask: server.post("/confirm/", image_path=ask[0], label=ask[1]), twice))
    assert sorted(status for status, _answer in answers) == [200] * 8 + [409] * 8
    assert len(names_in(tmp_path)) == 8
    assert_consistent(tmp_path)


class TestAResetInTheBackground:
    """Long enough to be hit in the middle."""

    PHOTOS = 48

    @pytest.fixture(autouse=True)
    def _reserve(self, tmp_path: Path, sample_photos: dict[str, Path]) -> None:
        fill_reserve(tmp_path, sample_photos, self.PHOTOS)

    def test_goes_on_when_the_consumer_is_killed(self, make_server: Callable[..., Server], tmp_path: Path) -> None:
        """The server starts it while it forks its workers, which must not keep it from seeing the death."""
        server = make_server()
        job = server.start_reset()
        in_the_middle(server, job)
        (consumer,) = server.consumers()
        os.kill(consumer, signal.SIGKILL)
        wait_for(lambda: [pid for pid in server.consumers() if pid != consumer], "another consumer")
        assert done(server, job)["result"]["faces"] == self.PHOTOS
        assert_consistent(tmp_path)

    def test_ends_with_a_server_that_is_killed_and_goes_on_with_the_next(
        self, make_server: Callable[..., Server], tmp_path: Path
    ) -> None:
        server = make_server()
        job = server.start_reset()
        in_the_middle(server, job)
        server.process.kill()
        server.process.wait()
        wait_for(lambda: not server.pids(), "workers and consumer to end with their server", seconds=20)
        assert names_in_or_none(tmp_path) is None
        restarted = make_server()
        assert done(restarted, job)["result"]["faces"] == self.PHOTOS
        assert_consistent(tmp_path)
        restarted.stop()

    def test_is_taken_over_when_the_command_that_began_it_is_killed(
        self, make_server: Callable[..., Server], tmp_path: Path
    ) -> None:
        """Else it would be under way for ever, and no other could begin."""
        server = make_server()
        command = server.run("flask", "--app", "wsgi", "reset", "--yes")
        job = wait_for(lambda: newest_job(server), "the command to begin")
        in_the_middle(server, job)
        command.kill()
        command.wait()
        assert done(server, job, seconds=20)["result"]["faces"] == self.PHOTOS

    def test_is_given_one_consumer_however_often_it_is_asked_about(self, make_server: Callable[..., Server]) -> None:
        """A page asks every second, and a consumer takes seconds to start."""
        server = make_server(*FLASK)
        job = server.start_reset()
        most = 0
        for _ask in range(20):
            server.get(job)
            most = max(most, len(server.consumers()))
        assert most == 1

    def test_has_a_consumer_under_flask_run_too(self, make_server: Callable[..., Server], tmp_path: Path) -> None:
        server = make_server(*FLASK)
        assert server.consumers() == []
        status, answer = server.post("/reset_training/")
        assert status in (200, 202), answer
        assert done(server, answer["job_url"])["result"]["faces"] == self.PHOTOS
        assert len(server.consumers()) == 1
        assert_consistent(tmp_path)
        server.stop()


class TestAnImportInTheBackground:
    """Of photos with one face each: a face too many would be a photo looked at twice."""

    PHOTOS = 48

    @pytest.fixture(autouse=True)
    def _photos(self, tmp_path: Path, sample_photos: dict[str, Path]) -> None:
        fill_reserve(tmp_path, sample_photos, self.PHOTOS)

    def import_command(self, server: Server, *options: str) -> Any:
        folder = str(server.home / "datasets/reserve")
        return server.run("flask", "--app", "wsgi", "import-photos", folder, *options)

    def assert_each_once(self, server: Server, job: str) -> None:
        result = done(server, job)["result"]
        assert result == {"photos": self.PHOTOS, "known": 0, "skipped": []}
        found = rows(server.home, "SELECT photo_id, count(*) AS faces FROM faces GROUP BY photo_id")
        assert [row["faces"] for row in found] == [1] * self.PHOTOS
        arriving = (server.home / "datasets/uploads").glob(".incoming-*")
        foreign = {f"uploads/{path.name}" for path in arriving}
        assert_consistent(server.home, foreign=foreign)

    def test_goes_on_when_the_consumer_is_killed(self, make_server: Callable[..., Server]) -> None:
        server = make_server()
        assert self.import_command(server, "--no-wait").wait(60) == 0
        job = newest_job(server)
        assert job is not None
        in_the_middle(server, job)
        (consumer,) = server.consumers()
        os.kill(consumer, signal.SIGKILL)
        wait_for(lambda: [pid for pid in server.consumers() if pid != consumer], "another consumer")
        self.assert_each_once(server, job)

    def test_is_taken_over_when_the_command_that_began_it_is_killed(self, make_server: Callable[..., Server]) -> None:
        server = make_server()
        command = self.import_command(server)
        job = wait_for(lambda: newest_job(server), "the command to begin")
        in_the_middle(server, job)
        command.kill()
        command.wait()
        self.assert_each_once(server, job)

    def test_does_not_keep_a_small_upload_waiting(
        self, make_server: Callable[..., Server], sample_photos: dict[str, Path]
    ) -> None:
        server = make_server()
        reserve = server.home / "datasets/reserve"
        for path in [*reserve.rglob("*.jpg")]:
            for copy in range(2):  # what follows the end of a JPEG belongs to the file but not to the picture
                path.with_name(f"{path.stem}-{copy}.jpg").write_bytes(path.read_bytes() + bytes([copy]))
        self.import_command(server, "--no-wait").wait(60)
        big = newest_job(server)
        assert big is not None
        in_the_middle(server, big)
        photo = ("late.jpg", sample_photos["biden.jpg"].read_bytes())
        status, answer = server.post("/upload/", file=photo, later="1")
        assert status == 202
        small = answer["job_url"]
        assert done(server, small)["result"] == {"photos": 1, "skipped": []}
        assert done(server, big)["result"]["photos"] == 3 * self.PHOTOS
        ends = [state(server, job)["finished_at"] for job in (small, big)]
        assert ends == sorted(ends)
        assert ends[0] < ends[1]


def newest_job(server: Server) -> str | None:
    found = rows(server.home, "SELECT id FROM jobs ORDER BY id DESC")
    return f"/jobs/{found[0]['id']}/" if found else None


def names_in_or_none(home: Path) -> list[str] | None:
    return names_in(home) if (home / "instance/train.pickle").exists() else None


class TestWhereItListens:
    def configuration(self) -> dict[str, Any]:
        return runpy.run_path(str(PROJECT / "gunicorn.conf.py"))

    @pytest.fixture(autouse=True)
    def _home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NAMESAKE_HOME", str(tmp_path))

    def test_is_this_machine_only_unless_told_otherwise(self) -> None:
        assert self.configuration()["bind"] == "127.0.0.1:8000"

    def test_can_be_told_otherwise(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NAMESAKE_BIND", "0.0.0.0:9000")
        assert self.configuration()["bind"] == "0.0.0.0:9000"

    def test_and_a_bad_setting_stops_it_in_words(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NAMESAKE_THREADS", "many")
        with pytest.raises(SystemExit, match="Namesake cannot start: THREADS is 'many'"):
            self.configuration()
