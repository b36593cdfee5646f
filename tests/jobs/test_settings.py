"""Settings come from flags, then the environment, then a file; what is unknown is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from delineate.errors import InputError
from delineate.jobs.settings import Settings


def test_flags_count_more_than_the_environment_and_that_more_than_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "service.toml"
    file.write_text('database = "file"\nstorage = "file"\nqueues = ["file"]\nmax_files = 7\n')
    monkeypatch.setenv("DELINEATE_STORAGE", "environment")
    monkeypatch.setenv("DELINEATE_QUEUES", "default,big")
    monkeypatch.setenv("DELINEATE_RETENTION_DAYS", "1.5")
    monkeypatch.setenv("DELINEATE_KEYS_REQUIRED", "true")

    found = Settings.load(file, database="flag", data=None)

    assert (found.database, found.storage, found.max_files) == ("flag", "environment", 7)
    assert (found.queues, found.retention_days) == (("default", "big"), 1.5)
    assert found.keys_required is True
    assert found.data == Path("delineate-data")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("retention_day = 3", "there is no setting 'retention_day'"),
        ("max_files = 'many'", "the setting max_files of .*service.toml: .*integer"),
        ("max_files = ", "cannot be read"),
    ],
)
def test_a_slip_in_the_file_is_told(tmp_path: Path, line: str, told: str) -> None:
    (tmp_path / "service.toml").write_text(line)

    with pytest.raises(InputError, match=told):
        Settings.load(tmp_path / "service.toml")


def test_a_process_started_with_settings_has_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Settings(data=tmp_path, queues=("a", "b"), origins=("https://viewer.example",))
    for name, value in told.to_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DELINEATE_STORAGE", "of the environment, which the parent has read")

    assert Settings.from_environment() == told


def test_the_queue_of_a_detector_is_the_first_that_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DELINEATE_QUEUE_OF", "models.small=default,models.*=gpu")
    found = Settings.load()

    names = ("models.small", "models.liver", "organs.ct")
    assert [found.queue_for(one) for one in names] == ["default", "gpu", "default"]


@pytest.mark.parametrize("told", ["organs.ct", "=gpu", "organs.ct=moon"])
def test_a_queue_that_is_none_is_refused(tmp_path: Path, told: str) -> None:
    with pytest.raises(InputError, match=r"expected DETECTOR=QUEUE with a queue of default, gpu"):
        Settings(data=tmp_path, queue_of=(told,))
