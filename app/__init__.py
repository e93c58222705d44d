"""Namesake puts names to faces. `create_app` is the only place that wires its parts together."""

from __future__ import annotations

import gc
import logging
import time
from pathlib import Path
from typing import Any

from flask import Flask

from app import cli, config, http, incoming, logs, metrics, security, tracing
from app.access.door import Door
from app.access.secret import read_secret
from app.jobs import Queue
from app.labelling import reviewing
from app.labelling.adopting import adopt_found_pickle
from app.labelling.photos import MEBIBYTE
from app.labelling.reconciling import reconcile
from app.labelling.workspace import Workspace
from app.recognition import decoder
from app.views import (
    access,
    admin,
    aside,
    backups,
    decisions,
    doubts,
    erase,
    faces,
    insights,
    inventory,
    jobs,
    operations,
    people,
    photos,
    review,
    travel,
    upload,
)

log = logging.getLogger("namesake")

# A photo that has been waiting for the worker comes before the page that is looked at next.
_PAGES_WAIT_S = 2
_PAGES = (
    *(access, upload, photos, faces, review, decisions, aside, people, doubts, insights, admin, jobs, travel),
    *(backups, erase, inventory, operations),
)
# Requests of several photos at once: how many of the largest size one request may hold.
_PHOTOS_A_REQUEST = 10


def create_app(home: Path | None = None, **overrides: Any) -> Flask:
    """The application over one installation.

    home: the folder that holds `instance` and `datasets`, else NAMESAKE_HOME, else the project's own.
    overrides: settings by name. Raises ConfigError, and UnsafePickle for a train.pickle that holds more than data.
    """
    settings = config.load(home, overrides=overrides)
    logs.configure(settings)
    app = Flask(
        "app",
        instance_path=str(settings.instance),
        template_folder=str(config.PROJECT / "templates"),
        static_folder=str(config.PROJECT / "static"),
    )
    app.request_class = incoming.Request
    app.config["MAX_CONTENT_LENGTH"] = settings.max_upload_mb * MEBIBYTE * _PHOTOS_A_REQUEST
    workspace = Workspace(settings)
    reconcile(workspace)
    adopt_found_pickle(workspace)
    app.extensions["namesake"] = workspace
    app.extensions["namesake-queue"] = Queue(workspace)
    app.extensions["namesake-door"] = Door(settings, workspace.database, read_secret(settings.instance))

    tracing.init_app(app)
    metrics.listen()
    http.init_app(app)
    security.init_app(app, settings.trusted_proxy)
    for page in _PAGES:
        app.register_blueprint(page.bp)
    cli.init_app(app)
    # After security's checks: who may not ask at all is told that, not how.
    app.before_request(http.check_form)
    return app


def warm_up(app: Flask) -> None:
    """Load what the first photo and the first page would otherwise wait for. Not before a fork: sessions and threads do
    not survive it."""
    workspace: Workspace = app.extensions["namesake"]
    decoder.start()
    log.info("Ready, with the %s engine.", workspace.engine.name)
    time.sleep(_PAGES_WAIT_S)
    reviewing.inbox_of(workspace).read()
    # What is here now stays: a collection that goes through all of it would hold up an answer for 0.1 s.
    gc.freeze()
