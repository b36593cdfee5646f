"""Tasks outlive kills and are tried again; rules are read and judged before they count."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from dicom_records import record, value

from delineate.errors import InputError, RemoteError, UnknownServerError, UnknownTransferError
from delineate.jobs import dicom_index, dicom_tasks
from delineate.jobs.database import connect, migrate
from delineate.jobs.dicom_attributes import ATTRIBUTES
from delineate.jobs.dicom_tables import TASKS
from delineate.jobs.job import jobs, now
from delineate.jobs.rules import Rules


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sa.Engine]:
    database = connect(f"sqlite:///{tmp_path / 'tasks.db'}")
    migrate(database)
    yield database
    database.dispose()


def put(database: sa.Engine, subject: str = "a", wait: float = 0.0) -> str:
    with database.begin() as connection:
        return dicom_tasks.put(connection, "local", "push", subject, {"server": "x"}, wait)


def test_a_task_is_taken_once_and_ends(database: sa.Engine) -> None:
    number = put(database)
    task = dicom_tasks.take(database)
    assert task is not None
    assert dicom_tasks.take(database) is None

    dicom_tasks.done(database, task, {"instances": 3})

    ended = dicom_tasks.get(database, "local", number)
    assert (ended.state, ended.details) == ("done", {"server": "x", "instances": 3})
    assert dicom_tasks.take(database) is None
    with pytest.raises(UnknownTransferError):
        dicom_tasks.get(database, "another", number)


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_result_is_offered_once_no_job_is_under_way_or_it_has_waited_long(
    database: sa.Engine, state: str
) -> None:
    values = {"id": "1", "created": now(), "image_id": "i", "series": "s", "detector": "d"}
    with database.begin() as connection:
        connection.execute(sa.insert(jobs).values(**values, state=state, options={}))
        dicom_tasks.put(connection, "local", "offer", "of another")
    assert dicom_tasks.take(database) is None
    put(database)  # a push is not put off
    pushed = dicom_tasks.take(database)
    assert pushed is not None
    assert pushed.kind == "push"
    with database.begin() as connection:
        connection.execute(sa.update(jobs).values(state="done"))
    offered = dicom_tasks.take(database)
    assert offered is not None

    with database.begin() as connection:
        connection.execute(sa.update(jobs).values(state=state))
        waited = {"due": time.time() - 121, "leased": 0.0}
        connection.execute(sa.update(TASKS).where(TASKS.c.kind == "offer").values(**waited))
    late = dicom_tasks.take(database)
    assert late is not None
    assert late.kind == "offer"


def test_a_task_whose_process_was_killed_is_taken_again(database: sa.Engine) -> None:
    put(database)
    assert dicom_tasks.take(database) is not None
    with database.begin() as connection:  # a quarter of an hour later
        connection.execute(sa.update(TASKS).values(leased=time.time() - 1))

    again = dicom_tasks.take(database)
    assert again is not None
    assert again.tries == 2


def test_tries_come_later_and_later_and_end(database: sa.Engine) -> None:
    number = put(database)
    pauses = []
    while True:
        with database.begin() as connection:
            connection.execute(sa.update(TASKS).values(due=0.0))
        task = dicom_tasks.take(database)
        assert task is not None
        dicom_tasks.failed(database, task, RemoteError("away"), again=True)
        told = dicom_tasks.get(database, "local", number)
        if told.state == "failed":
            break
        pauses.append(round(told.due - time.time()))
    assert pauses[:7] == [5, 15, 60, 300, 900, 3600, 3600]
    assert len(pauses) == 39
    assert told.error == "RemoteError: away"


def test_what_cannot_go_well_is_given_up_at_once(database: sa.Engine) -> None:
    number = put(database)
    task = dicom_tasks.take(database)
    assert task is not None
    dicom_tasks.failed(database, task, RemoteError("refused"), again=False)
    assert dicom_tasks.get(database, "local", number).state == "failed"


def test_what_comes_while_a_task_is_in_hand_is_not_lost(database: sa.Engine) -> None:
    number = put(database)
    task = dicom_tasks.take(database)
    assert task is not None
    assert put(database) == number  # one task about one thing
    dicom_tasks.done(database, task)

    assert dicom_tasks.get(database, "local", number).state == "waiting"
    assert dicom_tasks.take(database) is not None


def test_a_task_waits_until_it_is_due(database: sa.Engine) -> None:
    put(database, wait=60)
    assert dicom_tasks.take(database) is None


GOOD = """
[[server]]
name = "pacs"
url = "https://pacs.example/dicom-web"
[[rule]]
name = "ct"
match = { Modality = "CT", StudyDescription = "*ABD*" }
detector = "organs.ct"
push = { server = "pacs" }
[[rule]]
name = "uploads"
match = { Modality = "CT" }
detector = "other"
sources = ["upload"]
"""


def test_a_rule_holds_for_what_a_search_would_find(database: sa.Engine, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(GOOD)
    rules = Rules.read(str(tmp_path / "rules.toml"))
    kept = [
        record("1.1", "2.1", "3.1", {"00081030": value("LO", "CT ABDOMEN")}),
        record("1.2", "2.2", "3.2", {"00081030": value("LO", "CT CHEST")}),
    ]
    dicom_index.add(database, "local", kept, "own", "")

    def names(study: str, series: str, source: str) -> list[str]:
        found = rules.fitting(database, "local", study, series, source)  # type: ignore[arg-type]
        return [rule.name for rule in found]

    assert names("1.1", "2.1", "stow") == ["ct"]
    assert names("1.2", "2.2", "stow") == []
    assert names("1.2", "2.2", "upload") == ["uploads"]
    assert rules.find("pacs").url == "https://pacs.example/dicom-web"
    with pytest.raises(UnknownServerError, match="known are: pacs"):
        rules.find("http://169.254.169.254/")
    assert Rules.read("").rule == ()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('name = "ct"', 'name = "uploads"'), "one name"),
        (('server = "pacs" }', 'server = "else" }'), "no server is named"),
        (('detector = "other"', ""), "detector"),
        (("https://pacs", "file://pacs"), "url"),
        (('Modality = "CT" }', 'Manufacturer = "X" }'), "not searched by"),
        (('Modality = "CT" }', 'Modalty = "X" }'), "neither a keyword nor a tag"),
        (("[[rule]]", "[[rules]]"), "rules"),
        (("[[rule]]", "[[rule]"), "no TOML"),
    ],
)
def test_rules_that_make_no_sense_are_refused(
    tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    assert change[0] in GOOD
    (tmp_path / "rules.toml").write_text(GOOD.replace(*change))
    with pytest.raises((InputError, UnknownServerError), match=re.escape(says)):
        Rules.read(str(tmp_path / "rules.toml"))


def test_the_document_names_every_attribute_that_is_searched_by() -> None:
    text = (Path(__file__).parents[2] / "docs" / "dicomweb.md").read_text()
    for one in ATTRIBUTES:
        assert one.keyword.rpartition(".")[2] in text
