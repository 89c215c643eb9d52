"""Run folders: built in ``RUN.partial/``, renamed to ``RUN/`` when complete, continued when interrupted."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pidreg_cli.atomic import PART, atomic_write_bytes, refuse_odd_file, replacing, writing
from pidreg_cli.config.yaml_text import parse_yaml
from pidreg_cli.errors import DataError, RunError, UsageError
from pidreg_cli.information.errors import InformationError
from pidreg_cli.limited_reading import limited_bytes

CONFIG = "config.yaml"
_CHECKPOINTS = "checkpoints"
_FINGERPRINT = "fingerprint"
STREAMING = "streaming.json"
"""The checkpoint that tells how a table is streamed; like the fingerprint, it is no work by itself."""
_LOCK = ".lock"
_MARKS_OF_A_RUN = (CONFIG, "model.json", "report.json")
_FILES_OF_A_RUN = frozenset(
    {
        *_MARKS_OF_A_RUN,
        *("model.safetensors", "prediction.safetensors", "evidence.safetensors", "history.jsonl"),
        *("heldout.parquet", "report.md", "report.html", "rows", "rows-gone", _CHECKPOINTS, _LOCK),
    }
)
"""All names that a run has, finished or not."""
_MOST_BYTES = 2**24
"""Of the configuration and of the fingerprint of an unfinished run."""
_OF_DESKTOPS = (".DS_Store", "Thumbs.db")
"""What file managers leave in every folder they show."""
_UNREADABLE = ("data.unreadable_file", "data.missing_input")
"""Codes of data that may be read the next time."""
_FREE = ("threads",)
"""Settings that change no number of a fit: a continued one may have others."""


class RunBuilder:
    """A run folder under construction, held by one process at a time.

    Entering it claims ``RUN.partial/``; ``begin`` ties that to a configuration and data; ``commit`` renames
    it. If the block ends before, the partial folder stays for ``resume``, if there is a checkpoint in it and it was
    not the data that were refused.
    ``resumed`` says whether there is an earlier one to continue.

    Raises:
        UsageError: ``RUN`` exists without ``force``; ``RUN.partial`` exists without ``resume`` or ``force``;
            another process holds it; there are links in it; or ``force`` would replace a link, or what is no run.
        OutputError: the folder cannot be written.
    """

    def __init__(self, folder: Path, *, force: bool = False, resume: bool = False) -> None:
        if folder.name in ("", ".."):
            raise UsageError(
                "run.name", f"{folder} is no name for a run", "give -o NAME, such as -o first.pidreg"
            )
        self.folder = folder
        self.resumed = False
        self.partial = _beside(folder, "partial")
        self._force = force
        self._resume = resume
        self._lock = -1
        self._created = False
        self._begun = False
        self._committed = False

    @property
    def checkpoints(self) -> Checkpoints:
        """Where training keeps its state; gone once the run is complete."""
        return Checkpoints(self.partial / _CHECKPOINTS)

    def __enter__(self) -> Self:
        self._tidy_committed()
        if not os.path.lexists(self._replaced):
            self._check_folder()
        self._check_partial()
        self._created = not self.partial.exists()
        with writing(self.partial):
            self.partial.mkdir(exist_ok=True)
        try:
            self._claim()
            # With the lock: what lies aside may be that of a process between its renames.
            self._recover_replaced()
            self._check_folder()
            self._drop_temporary_files()
        except BaseException:
            self._release()
            raise
        self.resumed = self._resume and self.checkpoints.path(_FINGERPRINT) is not None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ours = (self._created or self._begun) and not self._committed and self._is_held()
        if ours and (self._hopeless(error) or not self.holds_work):
            shutil.rmtree(self.partial)
        elif ours and error is not None:
            error.add_note(
                f"{self.partial} keeps what was done: --resume continues it with the same settings, "
                "--force starts over"
            )
        os.close(self._lock)

    def _hopeless(self, error: BaseException | None) -> bool:
        """Whether the data are refused, and would be again, as training is repeatable. Those of a continued run were
        not, the first time.
        """
        if self.resumed or getattr(error, "code", None) in _UNREADABLE:
            return False
        return isinstance(error, (DataError, InformationError))

    def _release(self) -> None:
        """Give up what was only just claimed: nothing was written to it."""
        if self._created and self._is_held():
            shutil.rmtree(self.partial, ignore_errors=True)
        elif self._created and self._lock < 0:
            # Where the lock could not even be made; not empty, it is another's.
            with suppress(OSError):
                self.partial.rmdir()
        if self._lock >= 0:
            os.close(self._lock)

    def _is_held(self) -> bool:
        """Whether the partial folder is still that of our lock: it may have its name, and another be in its place."""
        try:
            return os.path.samestat(os.fstat(self._lock), (self.partial / _LOCK).stat())
        except OSError:
            return False

    @property
    def _replaced(self) -> Path:
        """Where an old run lies until the new one has its name."""
        return _beside(self.folder, "replaced")

    def begin(self, config: str, fingerprint: str) -> None:
        """Record what the run is made of, or check that a continued one is made of the same.

        Raises:
            UsageError: a continued run had another configuration (the message names the keys) or other data.
        """
        if self.resumed:
            self._check_same(config, fingerprint)
            self.write_text(CONFIG, config)
        else:
            self._clear()
            self.write_text(CONFIG, config)
            # Last: what lacks it holds nothing to continue.
            self.checkpoints.write(_FINGERPRINT, fingerprint.encode("utf-8"))
        self._begun = True

    def write_text(self, name: str, content: str) -> None:
        """Write a file of the run, in UTF-8."""
        self.write_bytes(name, content.encode("utf-8"))

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a file of the run."""
        atomic_write_bytes(self.partial / name, content)

    def replacing(self, name: str) -> AbstractContextManager[Path]:
        """A path to write a file of the run to; it appears under ``name`` when the block ends well."""
        return replacing(self.partial / name)

    @contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """An empty folder within the unfinished run, gone when the block ends: nothing to continue from.

        Raises:
            OutputError: it cannot be made.
        """
        path = self.partial / name
        with writing(path):
            # Of a process that was killed.
            for left in filter(Path.exists, (path, gone_folder(path))):
                _remove(left)
        with passing_folder(path):
            yield path

    @property
    def holds_work(self) -> bool:
        """Whether training left a state that is worth continuing."""
        folder = self.partial / _CHECKPOINTS
        return folder.is_dir() and any(e.name not in (_FINGERPRINT, STREAMING) for e in folder.iterdir())

    def commit(self) -> Path:
        """Give the run its name and drop its checkpoints; an old run of that name goes only then.

        Raises:
            UsageError: a run of that name appeared meanwhile, and there is no ``force``.
            OutputError: the folder cannot be renamed; the partial one stays.
        """
        self._check_folder()
        with writing(self.folder):
            self._install()
            # Only now: a rename that fails must leave a run that can be continued.
            self._tidy()
        return self.folder

    def _install(self) -> None:
        replaces = os.path.lexists(self.folder)
        if replaces:
            self.folder.rename(self._replaced)
        try:
            self.partial.rename(self.folder)
            self._committed = True
        except OSError:
            if replaces:
                self._replaced.rename(self.folder)
            raise
        if replaces:
            # The run is complete. What cannot be removed now is, by the next that replaces it.
            shutil.rmtree(self._replaced, ignore_errors=True)

    def _recover_replaced(self) -> None:
        """Undo or finish a replacement that was killed between its renames."""
        if not os.path.lexists(self._replaced):
            return
        if not _is_run(self._replaced):
            if self._force:
                raise _no_run(self._replaced)
            return
        with writing(self._replaced):
            if not any(self._replaced.iterdir()):
                self._replaced.rmdir()
            elif not os.path.lexists(self.folder):
                self._replaced.rename(self.folder)
            elif self._force:
                shutil.rmtree(self._replaced, ignore_errors=True)

    def _tidy_committed(self) -> None:
        """Finish what a process killed just after it gave the run its name had left to do."""
        if not self._was_committed():
            return
        with writing(self.folder):
            lock = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                if _locked(lock, self.folder / _LOCK):
                    self._tidy()
            finally:
                os.close(lock)

    def _was_committed(self) -> bool:
        """Whether a complete run still holds the lock of its construction."""
        if self.folder.is_symlink() or (self.folder / _LOCK).is_symlink():
            return False
        return all((self.folder / name).is_file() for name in (_LOCK, *_MARKS_OF_A_RUN))

    def _tidy(self) -> None:
        checkpoints = self.folder / _CHECKPOINTS
        if checkpoints.is_dir() and not checkpoints.is_symlink():
            shutil.rmtree(checkpoints)
        (self.folder / _LOCK).unlink()

    def _drop_temporary_files(self) -> None:
        """Files that a killed process was writing; nobody else writes here while the lock is held."""
        with writing(self.partial):
            for path in [*self.partial.rglob(f".*{PART}")]:
                path.unlink()

    def _check_folder(self) -> None:
        if not os.path.lexists(self.folder):
            return
        if not self._force:
            raise UsageError(
                "run.exists", f"{self.folder} already exists", "give another -o, or --force to replace it"
            )
        if not _is_run(self.folder):
            raise _no_run(self.folder)
        refuse_odd_file(self.folder)

    def _check_partial(self) -> None:
        if not os.path.lexists(self.partial):
            return
        if not (self._force or self._resume):
            raise UsageError(
                "run.partial",
                f"{self.partial} holds an unfinished run",
                "--resume continues it, --force starts over",
            )
        refuse_odd_file(self.partial)
        for path in self.partial.rglob("*"):
            refuse_odd_file(path)
        names = {entry.name for entry in self.partial.iterdir()}
        if _strangers(self.partial) or (names and names.isdisjoint((CONFIG, _LOCK))):
            raise UsageError("run.not_a_run", f"{self.partial} is not an unfinished run", "give another -o")

    def _claim(self) -> None:
        """Hold the lock of the partial folder; it goes when the process does, however it ends."""
        path = self.partial / _LOCK
        with writing(path):
            self._lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        if not _locked(self._lock, path):
            os.close(self._lock)
            self._lock, self._created = -1, False
            raise UsageError(
                "run.locked", f"another process is writing {self.partial}", "wait for it, or give another -o"
            )

    def _clear(self) -> None:
        with writing(self.partial):
            for entry in self.partial.iterdir():
                if entry.name != _LOCK:
                    _remove(entry)

    def _check_same(self, config: str, fingerprint: str) -> None:
        saved = parse_yaml(_read(self.partial / CONFIG), str(self.partial / CONFIG))
        asked = parse_yaml(config, "configuration")
        kept, given = (
            {key: value for key, value in one.items() if key not in _FREE} for one in (saved, asked)
        )
        changes = list(_differences(kept, given))
        if changes:
            raise UsageError(
                "run.other_configuration",
                f"{self.partial} was started with other settings: {'; '.join(changes)}",
                "repeat the options it was started with, or start over with --force",
            )
        if _read(self.partial / _CHECKPOINTS / _FINGERPRINT) != fingerprint:
            raise UsageError(
                "run.other_data",
                f"{self.partial} was started with other data",
                "give the files it was started with, or start over with --force",
            )


class Checkpoints:
    """Files of a training state, by relative names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, name: str, content: bytes) -> None:
        """Store ``content`` under ``name``, wholly or not at all.

        Raises:
            OutputError: it could not be written.
        """
        path = self._folder / name
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write_bytes(path, content)

    def path(self, name: str) -> Path | None:
        """The stored file, or None."""
        path = self._folder / name
        return path if path.exists() else None

    def remove(self, name: str) -> None:
        """Forget ``name`` if it is there."""
        (self._folder / name).unlink(missing_ok=True)


def _locked(descriptor: int, path: Path) -> bool:
    """Whether the lock is ours and still the one at ``path``: a run may be committed while we ask."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _beside(folder: Path, suffix: str) -> Path:
    return folder.with_name(f"{folder.name}.{suffix}")


def _is_run(folder: Path) -> bool:
    """Whether a folder holds a run or nothing, and nothing else: what may be replaced without losing it."""
    if not folder.is_dir():
        return False
    names = {entry.name for entry in folder.iterdir()}
    return not names or (names.issuperset((CONFIG, "report.json")) and not _strangers(folder))


def _no_run(folder: Path) -> UsageError:
    others = _strangers(folder)
    what = f"holds {others[0]}" if others else "lacks files of one"
    return UsageError(
        "run.not_a_run",
        f"{folder} is not a run, or not only that: it {what}, and --force replaces only runs",
        "give another -o, or move what is not of a run",
    )


def _strangers(folder: Path) -> list[str]:
    """What a folder holds that no run does."""
    names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    return [
        name for name in names if name not in (*_FILES_OF_A_RUN, *_OF_DESKTOPS) and not name.endswith(PART)
    ]


def holds_run(folder: Path) -> bool:
    """Whether a folder holds what a run leaves behind, complete or not."""
    return folder.is_dir() and any((folder / name).exists() for name in _MARKS_OF_A_RUN)


@contextmanager
def passing_folder(path: Path) -> Iterator[None]:
    """Make a folder that is there within the block only.

    It goes at once, by another name, before what is in it: who else writes there by its name has the next file
    refused, and makes none anew meanwhile.

    Raises:
        OutputError: it cannot be made.
    """
    with writing(path):
        path.mkdir()
    try:
        yield
    finally:
        with suppress(OSError):
            path.rename(gone_folder(path))
        shutil.rmtree(gone_folder(path), ignore_errors=True)


def gone_folder(path: Path) -> Path:
    """What a passing folder is called while its files are removed."""
    return path.with_name(f"{path.name}-gone")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _read(path: Path) -> str:
    try:
        return limited_bytes(path, _MOST_BYTES).decode("utf-8")
    except (OSError, ValueError) as error:
        raise RunError(
            "run.unreadable", f"{path} cannot be read: {error}", "start over with --force"
        ) from error


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """``key was old, now new`` for every value that differs."""
    for key in {**old, **new}:
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _differences(before, after, f"{prefix}{key}.")
        elif before != after:
            yield f"{prefix}{key} was {before!r}, now {after!r}"
