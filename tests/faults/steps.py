"""Makes a step of everything that a process does to the disk below its home: see tests.faults.

Python's own functions are wrapped, so that the product and its libraries need not know. What SQLite does is below
Python: a commit is one step before it and one after it, and in between is SQLite's own affair.
"""

from __future__ import annotations

import builtins
import errno
import fcntl
import io
import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.default import DefaultDialect

from tests.faults.control import FILLED, FULL, KILL, READ_ONLY, REFUSED, TORN, VARIABLE, Control

_ERRORS = {FULL: errno.ENOSPC, READ_ONLY: errno.EROFS, REFUSED: errno.EACCES}
_SQLITE = {FULL: "database or disk is full", READ_ONLY: "attempt to write a readonly database"}
_SQLITE |= {REFUSED: "attempt to write a readonly database"}
# SQLite's own affair, and what is made anew at every start or from the program's own files.
_NOT_COUNTED = (".sqlite", "/instance/models", "/instance/metrics")
_real = {name: getattr(os, name) for name in (
    "rename", "replace", "link", "unlink", "remove", "mkdir", "rmdir", "fsync", "fdatasync", "ftruncate", "write",
    "pwrite", "open", "sendfile", "lseek",
)}  # fmt: skip
_real_open = io.open


class Steps:
    """The steps of this process."""

    def __init__(self, control: Control, home: Path) -> None:
        self._control = control
        self._home = str(home.resolve())
        self._writes = threading.local()

    def install(self) -> None:
        for name in ("rename", "replace", "link"):
            setattr(os, name, self._with_two_names(name))
        for name in ("unlink", "remove", "mkdir", "rmdir"):
            setattr(os, name, self._with_one_name(name))
        for name in ("fsync", "fdatasync"):
            setattr(os, name, self._sync(name))
        os.ftruncate = self._truncate  # type: ignore[assignment]
        os.write = self._write  # type: ignore[assignment]
        os.pwrite = self._pwrite  # type: ignore[assignment]
        os.open = self._open  # type: ignore[assignment]
        os.sendfile = _send  # type: ignore[assignment]
        io.open = builtins.open = self._open_file  # type: ignore[assignment]
        event.listen(Engine, "commit", self._note_writer)
        real = DefaultDialect.do_commit

        def do_commit(dialect: Any, connection: Any) -> None:
            if getattr(self._writes, "now", False):
                self._writes.now = False
                self._step("commit", "", lambda: real(dialect, connection))
                self._step("committed", "", lambda: None, lasting=False)
            else:
                real(dialect, connection)

        DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]

    # ---- A step

    def _step(
        self,
        operation: str,
        path: str,
        do: Callable[[], Any],
        *,
        facts: Callable[[Any], tuple[Any, ...]] = lambda _result: (),
        half: Callable[[], tuple[Any, ...]] | None = None,
        lasting: bool = True,
    ) -> Any:
        """half: does half of it. facts: more for the log, of what came out. lasting: it can be refused."""
        number, what = self._control.next_step()
        if what == TORN and half is not None:
            self._control.note(number, operation, path, *half())
            self._control.kill_everyone()
        if what in (KILL, TORN):
            self._control.kill_everyone()
        if what == FILLED:
            self._fill()
        if what in _ERRORS and lasting:
            self._control.note(number, "refused", f"{operation} {path}")
            if operation == "commit":
                raise sqlite3.OperationalError(_SQLITE[what])
            if what != FULL or operation not in ("unlink", "remove", "rmdir"):
                raise OSError(_ERRORS[what], os.strerror(_ERRORS[what]), path)
        result = do()
        self._control.note(number, operation, path, *facts(result))
        return result

    def _fill(self) -> None:
        """Take what room there is, to the last byte."""
        filler = _real["open"](Path(self._home, "filler"), os.O_WRONLY | os.O_CREAT)
        size = 1 << 16
        while size:
            try:
                if not _real["write"](filler, b"\0" * size):
                    break
            except OSError:
                size //= 2
        os.close(filler)

    def _ours(self, path: str) -> bool:
        inside = path.startswith((f"{self._home}/instance/", f"{self._home}/datasets/")) or path in (
            f"{self._home}/instance",
            f"{self._home}/datasets",
        )
        return inside and not path.endswith(".lock") and not any(word in path for word in _NOT_COUNTED)

    # ---- What is wrapped

    def _with_one_name(self, name: str) -> Callable[..., Any]:
        real = _real[name]

        def wrapped(path: Any, *arguments: Any, dir_fd: int | None = None) -> Any:
            where = _full(path, dir_fd)
            if not self._ours(where):
                return real(path, *arguments, dir_fd=dir_fd)
            return self._step(name, where, lambda: real(path, *arguments, dir_fd=dir_fd))

        return wrapped

    def _with_two_names(self, name: str) -> Callable[..., Any]:
        real = _real[name]

        def wrapped(source: Any, target: Any, **options: Any) -> Any:
            where = _full(target, options.get("dst_dir_fd"))
            if not self._ours(where):
                return real(source, target, **options)
            origin = _full(source, options.get("src_dir_fd"))
            return self._step(name, where, lambda: real(source, target, **options), facts=lambda _result: (origin,))

        return wrapped

    def _sync(self, name: str) -> Callable[[Any], None]:
        def wrapped(file: Any) -> None:
            descriptor = file if isinstance(file, int) else file.fileno()
            where = _path_of(descriptor)
            if self._ours(where):
                node = os.fstat(descriptor).st_ino
                self._step("fsync", where, lambda: _real[name](descriptor), facts=lambda _result: (node,))
            else:
                _real[name](descriptor)

        return wrapped

    def _truncate(self, descriptor: int, length: int) -> None:
        self._cut(descriptor, length, lambda: _real["ftruncate"](descriptor, length))

    def _cut(self, descriptor: int, length: int, do: Callable[[], Any]) -> Any:
        where = _path_of(descriptor)
        if not self._ours(where):
            return do()
        node = os.fstat(descriptor).st_ino
        return self._step("truncate", where, do, facts=lambda _result: (node, length))

    def _write(self, descriptor: int, data: Any) -> int:
        return self._put(descriptor, data, _place_of(descriptor), lambda part: _real["write"](descriptor, part))

    def _pwrite(self, descriptor: int, data: Any, offset: int) -> int:
        return self._put(descriptor, data, offset, lambda part: _real["pwrite"](descriptor, part, offset))

    def _put(self, descriptor: int, data: Any, offset: int, do: Callable[[Any], int]) -> int:
        where = _path_of(descriptor)
        if not self._ours(where):
            return do(data)
        node, whole = os.fstat(descriptor).st_ino, bytes(data)

        def half() -> tuple[Any, ...]:
            written = do(whole[: len(whole) // 2])
            return node, offset, whole[:written]

        written: int = self._step(
            "write", where, lambda: do(whole), facts=lambda count: (node, offset, whole[:count]), half=half
        )
        return written

    def _open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        where = _full(path, dir_fd)
        changes = flags & os.O_TRUNC or (flags & os.O_CREAT and not os.path.exists(where))
        if not changes or not self._ours(where):
            return int(_real["open"](path, flags, mode, dir_fd=dir_fd))
        opened: int = self._step(
            "create", where, lambda: _real["open"](path, flags, mode, dir_fd=dir_fd), facts=lambda file: (_node(file),)
        )
        return opened

    def _open_file(
        self,
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Any = None,
    ) -> Any:
        where = _path_of(file) if isinstance(file, int) else _full(file, None)
        if not set(mode) & set("wax+") or not self._ours(where):
            return _real_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
        raw_mode = mode.replace("b", "").replace("t", "")

        def make() -> _File:
            return _File(self, file, raw_mode, closefd, opener)

        if isinstance(file, int) or (os.path.exists(where) and "w" not in mode):
            raw = make()
        else:
            raw = self._step("create", where, make, facts=lambda raw: (_node(raw.fileno()),))
        if buffering == 0:
            return raw
        kind = io.BufferedRandom if "+" in mode else io.BufferedWriter
        buffered = kind(raw, buffering if buffering > 1 else io.DEFAULT_BUFFER_SIZE)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)

    def _note_writer(self, connection: Connection) -> None:
        self._writes.now = bool(connection.get_execution_options().get("namesake_writes"))


class _File(io.FileIO):
    """A file whose buffer is emptied in steps."""

    def __init__(self, steps: Steps, file: Any, mode: str, closefd: bool, opener: Any) -> None:
        super().__init__(file, mode, closefd, opener)
        self._steps = steps

    def write(self, data: Any) -> int:
        offset = _place_of(self.fileno())
        return self._steps._put(self.fileno(), data, offset, super().write)

    def truncate(self, size: int | None = None) -> int:
        length = self.tell() if size is None else size
        real = super().truncate
        self._steps._cut(self.fileno(), length, lambda: real(length))
        return length


def install_from_environment() -> None:
    """For processes that the harness has started."""
    folder = os.environ.get(VARIABLE)
    if folder:
        Steps(Control(Path(folder)), Path(os.environ["NAMESAKE_HOME"])).install()


def _full(path: Any, dir_fd: int | None) -> str:
    text = os.fsdecode(path)
    if os.path.isabs(text):
        return os.path.normpath(text)
    return os.path.normpath(os.path.join(os.getcwd() if dir_fd is None else _path_of(dir_fd), text))


def _path_of(descriptor: int) -> str:
    with suppress(OSError):
        return os.readlink(f"/proc/self/fd/{descriptor}")
    return ""


def _node(descriptor: int) -> int:
    return os.fstat(descriptor).st_ino


def _place_of(descriptor: int) -> int:
    if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_APPEND:
        return os.fstat(descriptor).st_size
    with suppress(OSError):
        return int(_real["lseek"](descriptor, 0, os.SEEK_CUR))
    return 0


def _send(target: int, *arguments: Any, **options: Any) -> int:
    if stat.S_ISREG(os.fstat(target).st_mode):
        raise OSError(errno.ENOTSOCK, "shutil then writes, as a step")
    return int(_real["sendfile"](target, *arguments, **options))
