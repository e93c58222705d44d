"""What comes with a request: forms as Flask reads them, and backups, which are as large as an installation."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import IO, Any, cast

import flask

from app.errors import InvalidInput
from app.http import workspace
from app.labelling import receiving

_BACKUPS = "backups.bring_in"
_FIELDS = 10


class Request(flask.Request):
    """Flask's own. A backup, though, may be larger than photos are, and is written to where it may stay as it comes:
    into a folder for what is temporary it may not fit, and it would have to be copied out of there.

    Only who may bring one in gets so far: whoever reads the form has looked at the caller before.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._arriving = ExitStack()
        self._has_file = False

    def _load_form_data(self) -> None:
        if self._brings_backup() and "form" not in self.__dict__:
            receiving.check_room(workspace(), self.content_length or 0)
            self.max_content_length, self.max_form_parts = sys.maxsize, _FIELDS
        super()._load_form_data()

    def _get_file_stream(self, *arguments: Any, **more: Any) -> IO[bytes]:
        if not self._brings_backup():
            return super()._get_file_stream(*arguments, **more)
        if self._has_file:
            raise InvalidInput("Bring in one backup at a time. Nothing was changed.")
        self._has_file = True
        return cast(IO[bytes], self._arriving.enter_context(receiving.arriving(workspace())))

    def _brings_backup(self) -> bool:
        return self.endpoint == _BACKUPS and self.mimetype == "multipart/form-data"

    def close(self) -> None:
        super().close()
        self._arriving.close()
