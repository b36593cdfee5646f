"""The audit: a chain that holds, whoever adds to it at once, and breaks where it is touched."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from delineate.jobs.audit import AuditBrokenError, AuditTrail, Deed, Head
from delineate.jobs.database import connect, migrate


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'audit.db'}"
    else:
        url = request.getfixturevalue("server").fresh()
    found = connect(url)
    migrate(found)
    yield found
    found.dispose()


def deed(who: str, tenant: str = "local") -> Deed:
    return Deed(who=who, tenant=tenant, action="GET /x", object="1.2.3.4", outcome=200)


def test_all_that_add_at_once_make_one_chain(database: sa.Engine) -> None:
    trail = AuditTrail(database)

    def add(writer: int) -> None:
        for number in range(5):
            trail.add([deed(f"{writer}-{number}"), deed(f"{writer}-{number}-b")])

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(add, range(6)))

    assert trail.verify() == trail.head()
    assert trail.head().number == 60
    assert len({one.who for one in trail.entries()}) == 60


def test_entries_are_told_by_tenant_and_from_the_end(database: sa.Engine) -> None:
    trail = AuditTrail(database)
    trail.add([deed(f"{tenant}-{n}", tenant) for n in range(3) for tenant in ("a", "b")])

    assert [one.who for one in trail.entries(tenant="a", last=2)] == ["a-1", "a-2"]
    assert [one.number for one in trail.entries()] == [1, 2, 3, 4, 5, 6]
    assert list(trail.entries(tenant="c")) == []


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    found = connect(f"sqlite:///{tmp_path_factory.mktemp('audit') / 'audit.db'}")
    migrate(found)
    AuditTrail(found).add([deed(f"somebody-{number}") for number in range(5)])
    yield found
    found.dispose()


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    number=st.integers(1, 5),
    column=st.sampled_from(["who", "tenant", "action", "object", "moment", "request", "digest"]),
    value=st.text("abc", min_size=1, max_size=8),
)
def test_no_field_of_any_entry_can_be_changed(
    written: sa.Engine, number: int, column: str, value: str
) -> None:
    changed = sa.text(f"UPDATE audit SET {column} = :value WHERE number = :number")
    with written.connect() as connection:
        before = connection.execute(
            sa.text(f"SELECT {column} FROM audit WHERE number = {number}")
        ).scalar_one()
    trail = AuditTrail(written)
    head = trail.verify()
    try:
        with written.begin() as connection:
            connection.execute(changed, {"value": value, "number": number})
        with pytest.raises(AuditBrokenError):
            trail.verify()
    finally:
        with written.begin() as connection:
            connection.execute(changed, {"value": before, "number": number})
    assert trail.verify() == head


def test_an_entry_that_is_gone_shows_and_a_cut_end_to_who_noted_it(database: sa.Engine) -> None:
    trail = AuditTrail(database)
    head = trail.add([deed(f"{n}") for n in range(4)])
    with database.begin() as connection:
        connection.execute(sa.text("DELETE FROM audit WHERE number = 4"))
    assert trail.verify().number == 3
    with pytest.raises(AuditBrokenError, match="ends at entry 3"):
        trail.verify(head)
    trail.add([deed("somebody else")])
    with pytest.raises(AuditBrokenError, match="written anew"):
        trail.verify(head)
    with database.begin() as connection:
        connection.execute(sa.text("DELETE FROM audit WHERE number = 2"))
    with pytest.raises(AuditBrokenError, match="2 to 2"):
        trail.verify()


def test_an_empty_audit_holds(database: sa.Engine) -> None:
    assert AuditTrail(database).verify() == Head(0, "0" * 64)
