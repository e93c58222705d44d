"""What an installation knows: the store, the photos on disk, and train.pickle, and whether they agree."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from app.config import Settings
from app.errors import NamesakeError
from app.labelling.publication import entries_of
from app.labelling.workspace import folders_of
from app.operations.findings import Finding, broken, mend, ok, some
from app.store import checkup, files, queries, unpickling
from app.store.artifact import Entry
from app.store.checkup import Unreadable
from app.store.schema import VERSION

_RESTORE = "Stop the server and bring back a backup."


def check_records(settings: Settings, *, deep: bool) -> Iterator[Finding]:
    """The rest is looked at only where the store can be read. deep: every byte of every photo."""
    if not settings.store_path.exists():
        yield ok("store", "There is none yet: the first start makes it.")
        return
    try:
        version = checkup.version(settings.store_path)
        damage = checkup.find_damage(settings.store_path)
        why_not = checkup.why_not_writable(settings.store_path)
        if version is not None and version > VERSION:
            yield broken("store", f"It is of version {version}, made by a newer program; this one reads {VERSION}.")
            return
        if damage or why_not:
            yield broken("store", f"{some(damage) + '.' if damage else why_not} {_RESTORE if damage else ''}".strip())
            return
        if version != VERSION:
            yield ok("store", f"Of version {version}: the next start brings it to {VERSION}.")
            return
        yield ok("store", f"Whole, of version {VERSION}.")
        yield from _check_clock(settings)
        yield from _check_leftovers(settings)
        yield from _check_pickle(settings)
        yield from _check_photos(settings, deep=deep)
    except Unreadable as error:
        yield broken("store", f"It cannot be read: {error}. {_RESTORE}")


def _check_clock(settings: Settings) -> Iterator[Finding]:
    newest = checkup.newest(settings.store_path)
    now = datetime.fromtimestamp(time.time(), UTC).replace(tzinfo=None)
    if newest is not None and newest > now + timedelta(minutes=5):
        yield mend(
            "clock", f"It says {now:%Y-%m-%d %H:%M} UTC, but the store has a decision of {newest:%Y-%m-%d %H:%M}."
        )
    else:
        yield ok("clock", f"{now:%Y-%m-%d %H:%M} UTC.")


def _check_leftovers(settings: Settings) -> Iterator[Finding]:
    names = [path.name for path in settings.instance.glob("journal-*.jsonl")]
    names += [path.name for path in settings.pickle_path.parent.glob(f".{settings.pickle_path.name}.before-*")]
    if names:
        yield mend("journal", f"A change was cut off ({some(names)}): flask reconcile puts it right.")
    else:
        yield ok("journal", "No change was left half done.")


def _check_pickle(settings: Settings) -> Iterator[Finding]:
    path = settings.pickle_path
    with checkup.reading(settings.store_path) as connection:
        expected = entries_of(folders_of(settings), queries.labelled_faces(connection))
        length = queries.pickle_length(connection)
    if length is None:
        found = "nothing was published yet"
        yield ok("train.pickle", f"It is {'taken over at the next start' if path.exists() else 'not there: ' + found}.")
        return
    try:
        entries = unpickling.load(path)
    except (NamesakeError, OSError) as error:
        words = error.message if isinstance(error, NamesakeError) else error.strerror
        yield broken("train.pickle", f"It cannot be read: {words} flask reconcile writes it anew.")
        return
    if sorted(map(_key, entries)) != sorted(map(_key, expected)):
        words = f"It has {len(entries):,} faces that are not the {len(expected):,} of the store"
        yield broken("train.pickle", f"{words}: flask reconcile, or the next decision, writes it anew.")
    else:
        yield ok("train.pickle", f"It loads and says what the store says: {len(entries):,} faces.")


def _key(entry: Entry) -> tuple[str, tuple[int, ...], str]:
    return entry.image_path, tuple(entry.box), entry.name


def _check_photos(settings: Settings, *, deep: bool) -> Iterator[Finding]:
    folders = folders_of(settings)
    with checkup.reading(settings.store_path) as connection:
        photos = queries.photos_with_files(connection)
    lost, changed = [], []
    for photo in photos:
        path, shown = folders.path(photo.folder, photo.name), folders.image_path(photo.folder, photo.name)
        if path is None or not path.is_file():
            lost.append(shown)
        elif path.stat().st_size != photo.size or (deep and files.sha256(path) != photo.sha256):
            changed.append(shown)
    if lost or changed:
        words = [f"{len(lost):,} are missing ({some(lost)})"] if lost else []
        words += [f"{len(changed):,} are not as they were ({some(changed)})"] if changed else []
        yield broken("photos", f"{', '.join(words)}. flask reconcile finds what was moved; else bring back a backup.")
    else:
        yield ok("photos", f"All {len(photos):,} are there{' and unchanged' if deep else ', with the right sizes'}.")
