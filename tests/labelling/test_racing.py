"""Several people, threads and processes deciding at once."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.errors import Conflict
from app.labelling import decisions
from app.labelling.workspace import Workspace
from tests.labelling.consistency import assert_consistent, names_in, published, rows
from tests.labelling.saying import face_of, named_photo, path_of
from tests.labelling.squares import upload
from tests.labelling.workers import confirm_all, in_process, start


def test_of_two_threads_naming_one_face_exactly_one_wins(workspace: Workspace, home: Path) -> None:
    photo = upload(workspace, "alice")
    path = path_of(workspace, photo)

    def confirm(label: str) -> str | None:
        try:
            decisions.confirm(workspace, path, label)
        except Conflict:
            return None
        return label

    with ThreadPoolExecutor(8) as pool:
        won = [label for label in pool.map(confirm, [f"person {number}" for number in range(8)]) if label]
    assert names_in(home) == won
    assert len(won) == 1
    assert_consistent(workspace)


def test_of_two_processes_naming_one_face_exactly_one_wins(workspace: Workspace, home: Path) -> None:
    photo = upload(workspace, "alice")
    job = [(path_of(workspace, photo), None)]
    results = in_process([(home, job, "alice"), (home, job, "bob")])
    assert sorted(result[0] for result in results) == ["Conflict", "ok"]
    assert names_in(home) == ["alice" if results[0] == ["ok"] else "bob"]
    assert_consistent(workspace)


def test_more_threads_than_connections_can_decide_at_once(workspace: Workspace, home: Path) -> None:
    """Each waits for the write lock holding one connection, while the one that has it needs another."""
    threads = 32
    named_photo(workspace, "alice")
    photos = [upload(workspace, "alice", take=take) for take in range(1, threads + 1)]
    faces = [(path_of(workspace, photo), face_of(workspace, photo)) for photo in photos]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda face: decisions.confirm(workspace, face[0], "alice", face[1]), faces))
    assert len(published(home)["encodings"]) == threads + 1
    assert_consistent(workspace)


def test_two_hundred_confirms_by_four_processes_are_all_there_once(workspace: Workspace, home: Path) -> None:
    people = ["alice", "bob", "carol", "dave"]
    work: list[list[tuple[str, int | None]]] = [[] for _ in range(4)]
    for group in range(40):
        photo = upload(workspace, *people, people[group % 4], take=group, name=f"{group}.png")
        faces = rows(home, "SELECT id FROM faces WHERE photo_id = ? ORDER BY id", photo)
        for place, face in enumerate(faces):
            work[(group + place) % 4].append((path_of(workspace, photo), face["id"]))
    results = in_process([(home, part, None) for part in work])
    assert [answer for result in results for answer in result] == ["ok"] * 200
    assert len(published(home)["encodings"]) == 200
    assert_consistent(workspace)


def test_processes_that_start_at_once_on_an_empty_home_all_start(tmp_path: Path) -> None:
    home = tmp_path / "new"
    home.mkdir()
    processes = [start(confirm_all, home, [], None) for _ in range(6)]
    for process, _answer in processes:
        process.join()
    assert [process.exitcode for process, _answer in processes] == [0] * 6
    assert multiprocessing.active_children() == []
