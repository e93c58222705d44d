"""How gunicorn serves Namesake: on this machine only unless told otherwise, with the job consumer beside it."""

import os
import sys
import threading

from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

from app import logs, metrics, warm_up
from app.config import load
from app.errors import NamesakeError
from app.jobs import dismiss_consumer, supervise

try:
    _settings = load()
except NamesakeError as error:
    sys.exit(f"Namesake cannot start: {error.message}")

logs.configure(_settings)


class _Log(Logger):
    """gunicorn's messages go where ours go. The application itself says what was asked, without addresses, which may
    hold names."""

    def setup(self, cfg):
        super().setup(cfg)
        logs.configure(_settings)

    def access(self, *_arguments):
        pass


class _Worker(ThreadWorker):
    """Told to stop, lets go of the address at once, after it has taken in who had come before. Else new connections
    would wait for as long as the last upload takes, and then be cut off."""

    def set_accept_enabled(self, enabled):
        super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                before = -1
                while before < self.nr_conns:
                    before = self.nr_conns
                    self.accept(listener)
                listener.close()


logger_class = _Log
bind = _settings.bind
workers = _settings.workers
threads = _settings.threads
worker_class = _Worker
# Models are loaded after the fork, in each worker: sessions and locks do not survive one.
preload_app = False
# A photo is looked at within the request, and ENGINE=dlib lets nothing else run meanwhile.
timeout = 180
graceful_timeout = 60
control_socket_disable = True
# Whom to believe about who asks is said once: in TRUSTED_PROXY.
forwarded_allow_ips = ""


def on_starting(_server):
    metrics.prepare(_settings)


def when_ready(server):
    server.log.info("Namesake is ready: open http://%s", bind)


def post_worker_init(worker):
    """Each worker loads its models, and sees to it that there is a job consumer.

    Not the master: it forks, and should have no threads.
    """
    metrics.announce()
    supervise(_settings, lambda: worker.alive and os.getppid() == worker.ppid)
    threading.Thread(target=warm_up, args=(worker.wsgi,), name="warm-up", daemon=True).start()


def worker_exit(_server, _worker):
    """The last request is answered; the job goes to whoever serves next."""
    dismiss_consumer()


def child_exit(_server, worker):
    metrics.bury(worker.pid)


def on_exit(_server):
    metrics.clear()
