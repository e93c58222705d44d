"""How gunicorn serves Namesake: on this machine only unless told otherwise, with the job consumer beside it."""

import sys
import threading

from app.config import load
from app.errors import NamesakeError
from app.jobs import ensure_consumer

try:
    _settings = load()
except NamesakeError as error:
    sys.exit(f"Namesake cannot start: {error.message}")

bind = _settings.bind
workers = _settings.workers
threads = _settings.threads
worker_class = "gthread"
# Models are loaded after the fork, in each worker: sessions and locks do not survive one.
preload_app = False
# A photo is looked at within the request, and dlib lets nothing else run meanwhile.
timeout = 180
graceful_timeout = 60
control_socket_disable = True

_stopping = threading.Event()


def when_ready(server):
    """Keep a consumer running for as long as the server does."""
    server.log.info("Namesake is ready: open http://%s", bind)

    def supervise():
        while not _stopping.is_set():
            consumer = ensure_consumer(_settings)
            if consumer is not None:
                consumer.wait()
            _stopping.wait(1)

    threading.Thread(target=supervise, name="consumer-supervisor", daemon=True).start()


def on_exit(server):
    _stopping.set()
