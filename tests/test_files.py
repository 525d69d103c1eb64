"""Files are written whole or not at all, touch no file but their own, and a directory has one writer."""

import errno
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time

import pytest

from pixel_zoo import files


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("old")
    with files.replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old" and temporary.name == "note.txt"
    assert path.read_text() == "new" and names(tmp_path) == ["note.txt"]


def test_a_file_has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "ordinary").touch()
    with files.replacing(tmp_path / "note.txt") as temporary:
        temporary.touch()
    assert (tmp_path / "note.txt").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def test_nobody_else_can_put_a_link_where_a_file_is_written(tmp_path):
    with files.replacing(tmp_path / "a.txt") as first, files.replacing(tmp_path / "a.txt") as second:
        assert first != second
        assert stat.S_IMODE(first.parent.stat().st_mode) == 0o700
        first.write_text("first")
        second.write_text("second")
    assert (tmp_path / "a.txt").read_text() == "first"  # the block that ended last


def test_files_that_look_temporary_are_left_alone(tmp_path):
    target = tmp_path / "precious"
    target.write_text("precious")
    (tmp_path / ".unfinished-note.txt").symlink_to(target)
    (tmp_path / ".unfinished").symlink_to(target)
    with files.replacing(tmp_path / "note.txt") as temporary:
        temporary.write_text("new")
    files.writable_directory(tmp_path)
    assert target.read_text() == "precious"
    assert names(tmp_path) == [".unfinished", ".unfinished-note.txt", "note.txt", "precious"]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_must_be_new_replaces_none(tmp_path, monkeypatch, links):
    def no_link(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    if not links:
        monkeypatch.setattr(os, "link", no_link)
    with files.replacing(tmp_path / "new.txt", new=True) as temporary:
        temporary.write_text("new")
    assert (tmp_path / "new.txt").read_text() == "new"
    with pytest.raises(FileExistsError, match=r"appeared.txt' exists already; choose another name"):  # noqa: SIM117
        with files.replacing(tmp_path / "appeared.txt", new=True) as temporary:
            temporary.write_text("mine")
            (tmp_path / "appeared.txt").write_text("theirs")
    assert (tmp_path / "appeared.txt").read_text() == "theirs"
    assert names(tmp_path) == ["appeared.txt", "new.txt"]


def test_a_directory_is_replaced_whole_too(tmp_path):
    (tmp_path / "there").mkdir()
    with files.replacing(tmp_path / "there") as temporary:
        temporary.mkdir()
        (temporary / "a").write_text("a")
    assert (tmp_path / "there" / "a").read_text() == "a" and names(tmp_path) == ["there"]


def test_a_directory_that_must_be_new_replaces_none(tmp_path):
    with files.replacing(tmp_path / "new", new=True) as temporary:
        temporary.mkdir()
        (temporary / "a").touch()
    for name in ("new", "appeared.txt"):
        with pytest.raises(FileExistsError, match=f"{name}' exists already"):  # noqa: SIM117
            with files.replacing(tmp_path / name, new=True) as temporary:
                temporary.mkdir()
                (tmp_path / "appeared.txt").write_text("theirs")
    assert names(tmp_path) == ["appeared.txt", "new"] and names(tmp_path / "new") == ["a"]


def test_what_was_never_written_leaves_nothing(tmp_path):
    with pytest.raises(FileNotFoundError), files.replacing(tmp_path / "note.txt", new=True):
        pass
    assert names(tmp_path) == []


def test_a_file_is_on_the_disk_before_it_is_renamed(tmp_path, monkeypatch):
    done = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (done.append("fsync"), fsync(file)))
    monkeypatch.setattr(os, "replace", lambda *paths: (done.append("replace"), replace(*paths)))
    with files.replacing(tmp_path / "note.txt") as temporary:
        temporary.write_text("new")
    assert done == ["fsync", "replace"]


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    with pytest.raises(OSError, match="No space left"):  # noqa: SIM117
        with files.replacing(tmp_path / "note.txt") as temporary:
            temporary.write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")
    assert names(tmp_path) == []


WRITER = """
import pathlib, sys, time
from pixel_zoo.files import replacing

with replacing(pathlib.Path(sys.argv[1], "note.txt")) as temporary:
    temporary.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


def test_sigterm_leaves_nothing_behind_and_ends_the_process(tmp_path):
    writer = subprocess.Popen([sys.executable, "-c", _without_keras(WRITER), str(tmp_path)], stdout=subprocess.PIPE)
    assert writer.stdout.readline() == b"writing\n" and names(tmp_path) != []
    writer.terminate()
    assert writer.wait(60) == -signal.SIGTERM and names(tmp_path) == []
    writer.stdout.close()


def test_a_handler_of_sigterm_is_called_when_the_file_is_whole(tmp_path):
    seen = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append((tmp_path / "note.txt").read_text()))
    try:
        with files.replacing(tmp_path / "note.txt") as temporary:
            signal.raise_signal(signal.SIGTERM)
            temporary.write_text("whole")
        assert seen == ["whole"]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_the_second_writer_is_told_who_the_first_is(tmp_path):
    started = time.strftime("%Y-%m-%d")
    refusal = rf"'.*' is being written by process {os.getpid()} on {socket.gethostname()} since {started[:4]}-.*; wait"
    with files.sole_writer(tmp_path):
        with pytest.raises(BlockingIOError, match=refusal), files.sole_writer(tmp_path):
            pass
        assert not files.holds_files(tmp_path)
    with files.sole_writer(tmp_path):
        pass
    assert not files.holds_files(tmp_path)
    (tmp_path / "log.csv").touch()
    assert files.holds_files(tmp_path)


HOLDER = """
import sys, time
from pixel_zoo.files import sole_writer

with sole_writer(sys.argv[1]):
    print("writing", flush=True)
    time.sleep(60)
"""


def test_a_killed_writer_keeps_nobody_out(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", _without_keras(HOLDER), str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"writing\n"
    with pytest.raises(BlockingIOError, match=f"process {holder.pid} on "), files.sole_writer(tmp_path):
        pass
    holder.kill()
    holder.wait(60)
    holder.stdout.close()
    with files.sole_writer(tmp_path):
        assert json.loads((tmp_path / ".writer.json").read_text())["process"] == os.getpid()


def _without_keras(program):
    """A program that imports `pixel_zoo.files` alone, not the package, which takes seconds."""
    stub = "import sys, types; package = types.ModuleType('pixel_zoo'); sys.modules['pixel_zoo'] = package; "
    return stub + f"package.__path__ = [{os.path.dirname(files.__file__)!r}]\n" + program
