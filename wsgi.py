"""What gunicorn and flask serve: `gunicorn wsgi:app`, `flask --app wsgi run`."""

import sys

from app import create_app
from app.cli.doctor import bare_app, is_called
from app.errors import NamesakeError

# gunicorn's own code for "the worker cannot boot": it then stops instead of trying for ever.
_CANNOT_BOOT = 3

try:
    app = bare_app() if is_called() else create_app()
except NamesakeError as error:
    print(f"Namesake cannot start: {error.message}", file=sys.stderr)  # noqa: T201
    sys.exit(_CANNOT_BOOT)
