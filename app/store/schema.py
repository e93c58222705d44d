"""The tables. SQLAlchemy Core, in words that SQLite and PostgreSQL both understand."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)

metadata = MetaData()

VERSION = 4
"""Raised with every change to a table, together with a step in migrations that brings older stores there."""

# One row. `revision` counts committed changes, so that a gallery in memory can ask for what came since;
# `pickle_length` is the length of train.pickle when the last change was committed.
state = Table(
    "state",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("pickle_length", Integer),
)

# `cover_id`: the face that a human chose to stand for the person.
people = Table(
    "people",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(80), nullable=False, unique=True),
    Column("cover_id", Integer),
    sqlite_autoincrement=True,  # a number in a link, a picture or the journal never comes to mean something else
)

# `folder` is a key of files.Folders ("elsewhere": known from an adopted pickle, its file not here). A photo is
# live, or staged by a reset that has not switched over yet (batch: the job), or retired by one that has
# (batch: the decision), so that the old state can come back.
photos = Table(
    "photos",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("state", String(8), nullable=False, server_default="live"),
    Column("batch", Integer),
    Column("folder", String(16), nullable=False),
    Column("name", String(1024), nullable=False),
    Column("upload_name", String(255)),  # kept after the move to training: a second confirm is still understood
    Column("named_for", ForeignKey("people.id")),
    Column("sha256", String(64)),
    Column("size", Integer),
    Column("width", Integer),
    Column("height", Integer),
    Column("encoded", Boolean, nullable=False),
    Column("created_at", DateTime, nullable=False),
    UniqueConstraint("folder", "name"),
    sqlite_autoincrement=True,
)
Index(
    "photos_live_sha256",
    photos.c.sha256,
    unique=True,
    sqlite_where=text("state = 'live'"),
    postgresql_where=text("state = 'live'"),
)
Index("photos_upload_name", photos.c.upload_name)

# `revision`: when anything about the face that a gallery cares about last changed; `labelled_at_revision` orders
# train.pickle. The encoding is 128 little-endian float32. `flaws`: what was measured, words of recognition.quality
# with commas between them; null where nobody has looked. `recognise`: whether a human wants the face used to recognise
# others, null: as measured. `twin_of`: the labelled face that this one was almost the same picture as when it was
# named. `skipped`: the revision at which a human last put it off.
faces = Table(
    "faces",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("photo_id", ForeignKey("photos.id"), nullable=False, index=True),
    Column("top", Integer, nullable=False),
    Column("right", Integer, nullable=False),
    Column("bottom", Integer, nullable=False),
    Column("left", Integer, nullable=False),
    Column("encoding", LargeBinary(512), nullable=False),
    Column("low_quality", Boolean, nullable=False),
    Column("flaws", String(64)),
    Column("recognise", Boolean),
    Column("twin_of", ForeignKey("faces.id")),
    Column("skipped", Integer),
    Column("status", String(16), nullable=False),
    Column("person_id", ForeignKey("people.id"), index=True),
    Column("labelled_at_revision", Integer),
    Column("revision", Integer, nullable=False, index=True),
    CheckConstraint("(status = 'labelled') = (person_id IS NOT NULL)", name="labelled_has_person"),
    sqlite_autoincrement=True,
)
Index("faces_status", faces.c.status)

# What a human says in one go is one action, however many faces it is about: `action` is its first decision, null in
# a decision of its own. `undone_at`: when it was taken back; it then counts for nothing. `who`: the name that whoever
# decided is known by, null where none was given.
decisions = Table(
    "decisions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("action", Integer, index=True),
    Column("undone_at", DateTime),
    Column("kind", String(16), nullable=False),
    Column("face_id", ForeignKey("faces.id")),
    Column("before", JSON, nullable=False),
    Column("after", JSON, nullable=False),
    Column("suggestion", JSON),
    Column("created_at", DateTime, nullable=False),
    Column("who", String(80)),
    sqlite_autoincrement=True,
)

# What an action did to one row, as app.store.changes describes rows: null where there is none.
changes = Table(
    "changes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("action", ForeignKey("decisions.id"), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("row_id", Integer, nullable=False),
    Column("before", JSON(none_as_null=True)),
    Column("after", JSON(none_as_null=True)),
    sqlite_autoincrement=True,
)

rejections = Table(
    "rejections",
    metadata,
    Column("face_id", ForeignKey("faces.id"), primary_key=True),
    Column("person_id", ForeignKey("people.id"), primary_key=True),
)

# A human said that this face is that person's although the rest of the gallery doubts it.
vouches = Table(
    "vouches",
    metadata,
    Column("face_id", ForeignKey("faces.id"), primary_key=True),
    Column("person_id", ForeignKey("people.id"), primary_key=True),
)

# The confidence fitted anew on this installation's own decisions: the newest row counts, null keeps what is shipped.
calibrations = Table(
    "calibrations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created_at", DateTime, nullable=False),
    Column("after_decision", Integer, nullable=False),
    sqlite_autoincrement=True,
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("state", String(8), nullable=False),  # queued, running, done, failed
    Column("payload", JSON, nullable=False),
    Column("done", Integer, nullable=False),
    Column("done_before", Integer, nullable=False, server_default="0"),  # by runs that were killed
    Column("total", Integer, nullable=False),
    Column("message", String(1000), nullable=False),
    Column("result", JSON),
    Column("attempts", Integer, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("started_at", DateTime),
    Column("finished_at", DateTime),
    Column("who", String(80)),  # whoever asked for it: what it decides is theirs
    sqlite_autoincrement=True,
)

# What `flask set-password` has set. `scope`: what the password opens, label or admin.
passwords = Table(
    "passwords",
    metadata,
    Column("scope", String(8), primary_key=True),
    Column("hash", String(255), nullable=False),
    Column("created_at", DateTime, nullable=False),
)

# Who is logged in. Only the hash of the random number in the cookie is kept. `passwords`: a fingerprint of those that
# were valid then; with any other, the session has ended.
sessions = Table(
    "sessions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("hash", String(64), nullable=False, unique=True),
    Column("scope", String(8), nullable=False),
    Column("name", String(80)),
    Column("address", String(45), nullable=False),
    Column("passwords", String(64), nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("used_at", DateTime, nullable=False),
    sqlite_autoincrement=True,
)

# What scripts show instead of a password: only its hash is kept.
tokens = Table(
    "tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(80), nullable=False, unique=True),
    Column("hash", String(64), nullable=False, unique=True),
    Column("scope", String(8), nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("used_at", DateTime),
    sqlite_autoincrement=True,
)

# Every password that was tried, before it is looked at; `right` once it has turned out to be.
attempts = Table(
    "attempts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("address", String(45), nullable=False, index=True),
    Column("right", Boolean, nullable=False),
    Column("created_at", DateTime, nullable=False),
    sqlite_autoincrement=True,
)
