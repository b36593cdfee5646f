"""The tables that the versions make are the tables that the code declares, on both databases."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import delineate.jobs
from delineate.jobs import engine
from delineate.jobs.database import connect, metadata, migrate
from delineate.jobs.settings import Settings
from delineate.jobs.table import JobTable

# As delineate made it before there were versions.
FIRST_TABLE = """
CREATE TABLE job (
    id VARCHAR(26) NOT NULL, state VARCHAR(16) NOT NULL, stage VARCHAR(100) NOT NULL,
    progress FLOAT NOT NULL, error_code VARCHAR(100), error_message VARCHAR(2000),
    image_id VARCHAR(64) NOT NULL, series VARCHAR(200) NOT NULL, detector VARCHAR(200) NOT NULL,
    options JSON NOT NULL, attempts INTEGER NOT NULL, crashes INTEGER NOT NULL,
    cancelling BOOLEAN NOT NULL, created VARCHAR(32) NOT NULL, started VARCHAR(32),
    finished VARCHAR(32), PRIMARY KEY (id)
)
"""
ROW = {
    "id": "01J",
    "state": "queued",
    "stage": "",
    "progress": 0.0,
    "image_id": "f" * 64,
    "series": "1.2",
    "detector": "test.bright",
    "options": "{}",
    "attempts": 0,
    "crashes": 0,
    "cancelling": False,
    "created": "2026-01-01T00:00:00.000Z",
}


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("server").fresh()
    found = connect(url)
    yield found
    found.dispose()


def differences(database: sa.Engine) -> list[object]:
    for module in pkgutil.iter_modules(delineate.jobs.__path__):
        if module.name != "migrations":
            importlib.import_module(f"delineate.jobs.{module.name}")
    with database.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return [
            one for one in compare_metadata(context, metadata) if "alembic_version" not in str(one)
        ]


def test_the_versions_make_what_the_code_declares(database: sa.Engine) -> None:
    migrate(database)

    assert differences(database) == []
    migrate(database)  # again changes nothing


def test_a_table_from_before_there_were_versions_keeps_its_jobs(database: sa.Engine) -> None:
    with database.begin() as connection:
        connection.execute(sa.text(FIRST_TABLE))
        connection.execute(sa.text("CREATE INDEX ix_job_state ON job (state)"))
        columns = ", ".join(ROW)
        values = ", ".join(f":{name}" for name in ROW)
        connection.execute(sa.text(f"INSERT INTO job ({columns}) VALUES ({values})"), ROW)

    migrate(database)

    (job,) = JobTable(database).all()
    assert (job.id, job.tenant, job.queue, job.priority) == ("01J", "local", "default", 5)
    assert (job.turn, list(job.causes), job.dead) == (None, [], False)
    assert differences(database) == []


def test_what_an_older_delineate_left_becomes_the_local_tenants(tmp_path: Path) -> None:
    (tmp_path / "images" / ("a" * 64)).mkdir(parents=True)
    (tmp_path / "jobs" / "01J").mkdir(parents=True)

    engine.prepare(Settings(data=tmp_path)).dispose()

    home = tmp_path / "tenants" / "local"
    assert [one.name for one in (home / "images").iterdir()] == ["a" * 64]
    assert [one.name for one in (home / "jobs").iterdir()] == ["01J"]
    assert not (tmp_path / "images").exists()
