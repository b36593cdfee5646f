"""Entries are whole or absent, whoever writes, breaks or forges them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from delineate.segmentation.backends import cache as cache_module
from delineate.segmentation.backends.cache import Cache, key_of, private_folder


def _write(content: dict[str, bytes]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        for name, data in content.items():
            (folder / name).write_bytes(data)

    return write


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.dictionaries(st.sampled_from(["a.bin", "b.xml", "c"]), st.binary(max_size=2000)))
def test_what_was_kept_is_found_as_it_was(tmp_path: Path, content: dict[str, bytes]) -> None:
    cache = Cache(tmp_path)
    name = key_of({"content": sorted((file, data.hex()) for file, data in content.items())})

    cache.keep(name, _write(content))

    entry = cache.find(name)
    assert entry is not None
    assert {file: (entry / file).read_bytes() for file in content} == content


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.integers(0, 999), st.sampled_from(["flip", "cut", "delete", "seal"]))
def test_an_entry_broken_anywhere_counts_as_absent_and_is_made_anew(
    tmp_path: Path, place: int, how: str
) -> None:
    shutil.rmtree(tmp_path / "graph", ignore_errors=True)  # of the example before
    cache = Cache(tmp_path)
    entry = cache.keep("graph", _write({"graph.bin": bytes(range(250)) * 4}))
    assert entry is not None
    data = bytearray((entry / "graph.bin").read_bytes())
    if how == "flip":
        data[place] ^= 1
        (entry / "graph.bin").write_bytes(data)
    elif how == "cut":
        (entry / "graph.bin").write_bytes(data[:place])
    elif how == "delete":
        (entry / "graph.bin").unlink()
    else:
        (entry / "seal.json").write_text("[1,")

    assert cache.find("graph") is None
    cache.keep("graph", _write({"graph.bin": b"again"}))

    again = cache.find("graph")
    assert again is not None
    assert (again / "graph.bin").read_bytes() == b"again"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["graph"]


def test_equal_parts_have_equal_names_and_others_have_not() -> None:
    assert key_of({"a": 1, "b": [2]}) == key_of({"b": [2], "a": 1})
    assert key_of({"a": 1, "b": [2]}) != key_of({"a": 1, "b": [3]})


def test_the_first_whole_entry_stays_where_two_write_the_same(tmp_path: Path) -> None:
    cache = Cache(tmp_path)

    def late(folder: Path) -> None:
        (folder / "file").write_text("second")
        Cache(tmp_path).keep("entry", _write({"file": b"first"}))

    entry = cache.keep("entry", late)

    assert entry is not None
    assert (entry / "file").read_text() == "first"


def test_many_processes_at_once_leave_one_whole_entry(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from delineate.segmentation.backends.cache import Cache\n"
        "def write(folder):\n"
        "    (folder / 'file').write_bytes(b'x' * 3_000_000)\n"
        "for _ in range(20):\n"
        "    entry = Cache(Path(sys.argv[1])).keep('entry', write)\n"
        "    assert entry is not None and (entry / 'file').stat().st_size == 3_000_000\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path)]) for _ in range(3)]

    assert [each.wait(60) for each in running] == [0, 0, 0]
    assert Cache(tmp_path).find("entry") is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["entry"]


def test_what_was_not_used_for_longest_makes_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "MOST_BYTES", 3500)  # room for three entries
    cache = Cache(tmp_path)
    for age, name in enumerate(("first", "second", "third")):
        entry = cache.keep(name, _write({"file": b"x" * 1000}))
        assert entry is not None
        os.utime(entry, (1000 + age, 1000 + age))
    assert cache.find("first") is not None  # now the one used last

    cache.keep("fourth", _write({"file": b"x" * 1000}))

    found = [cache.find(name) is not None for name in ("first", "second", "third", "fourth")]
    assert found == [True, False, True, True]


def test_a_folder_that_cannot_be_written_keeps_nothing_and_is_no_error(tmp_path: Path) -> None:
    for folder in (None, tmp_path / "absent"):
        cache = Cache(folder)

        assert cache.keep("entry", _write({"file": b"x"})) is None
        assert cache.find("entry") is None


def test_the_folder_is_the_one_named_and_is_made_for_the_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DELINEATE_CACHE", str(tmp_path / "named"))
    assert private_folder() == tmp_path / "named"
    assert (tmp_path / "named").stat().st_mode & 0o777 == 0o700

    monkeypatch.delenv("DELINEATE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert private_folder() == tmp_path / "xdg" / "delineate"

    monkeypatch.setenv("DELINEATE_CACHE", "/proc/nothing")
    assert private_folder() is None


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="owners are a thing of POSIX")
def test_what_others_may_write_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = Cache(tmp_path).keep("entry", _write({"file": b"x"}))
    assert entry is not None
    (entry / "file").chmod(0o666)
    assert Cache(tmp_path).find("entry") is None

    (entry / "file").chmod(0o600)
    assert Cache(tmp_path).find("entry") == entry
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert Cache(tmp_path).find("entry") is None

    monkeypatch.setenv("DELINEATE_CACHE", str(tmp_path))
    assert private_folder() is None
    monkeypatch.setattr(os, "geteuid", lambda: owner)
    tmp_path.chmod(0o777)
    assert private_folder() is None
