"""onrush migrate: once, in order, whoever else does it at the same time."""

import concurrent.futures
import shutil

import pytest
from harness.engines import ROOT


@pytest.fixture
def empty(world):
    """The world with a database in which nothing is yet."""
    world.pg.sql(f"DROP DATABASE {world.database} WITH (FORCE)")
    world.pg.sql(f"CREATE DATABASE {world.database} OWNER onrush")
    return world


@pytest.fixture
def services(tmp_path):
    """Migrations of two services, to be changed by the test."""
    for name, sql in {
        "one/migrations/0001_first.sql": "create schema one; create table one.a (x int);",
        "two/migrations/0001_first.sql": "create schema two; create table two.a (x int);",
    }.items():
        write(tmp_path / name, sql)
    return tmp_path


def write(path, sql):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"-- migrate:up\n{sql}\n-- migrate:down\ndrop everything;\n", encoding="utf-8")


def versions(world):
    rows = world.sql("select version from public.schema_migrations order by version")
    return [version for (version,) in rows]


def tables(world):
    rows = world.sql(
        "select schemaname || '.' || tablename from pg_tables"
        " where schemaname in ('one', 'two') order by 1"
    )
    return [name for (name,) in rows]


def test_ours_from_nothing(empty):
    assert empty.onrush("migrate", "--status", check=False).returncode == 1
    first = empty.onrush("migrate").stdout
    assert "applied coupon/0001_campaigns" in first
    status = empty.onrush("migrate", "--status").stdout
    assert "pending" not in status
    assert "coupon/0001_campaigns" in versions(empty)
    assert "0 of them new" in empty.onrush("migrate").stdout


def test_many_at_once(empty, services):
    for number in range(2, 12):
        write(
            services / f"one/migrations/{number:04}_more.sql",
            f"create table one.t{number} (x int); select pg_sleep(0.05);",
        )
    with concurrent.futures.ThreadPoolExecutor() as pool:
        runs = [pool.submit(empty.onrush, "migrate", "--dir", services) for _ in range(6)]
        printed = [run.result().stdout for run in runs]
    applied = [line for text in printed for line in text.splitlines() if "applied" in line]
    assert len(applied) == len(set(applied)) == 12
    assert len(versions(empty)) == 12


def test_a_changed_file_is_refused_before_anything_is_done(empty, services):
    empty.onrush("migrate", "--dir", services)
    write(services / "one/migrations/0001_first.sql", "create schema one;")
    write(services / "one/migrations/0002_second.sql", "create table one.b (x int);")
    refused = empty.onrush("migrate", "--dir", services, check=False)
    assert refused.returncode == 1
    assert "one/0001_first was changed after it had been applied" in refused.stderr
    assert tables(empty) == ["one.a", "two.a"]
    status = empty.onrush("migrate", "--dir", services, "--status", check=False)
    assert status.returncode == 1
    assert "CHANGED" in status.stdout
    assert "pending" in status.stdout


def test_a_file_that_fails_leaves_nothing_behind(empty, services):
    write(
        services / "one/migrations/0002_broken.sql",
        "create table one.b (x int); insert into one.b values ('letters');",
    )
    failed = empty.onrush("migrate", "--dir", services, check=False)
    assert failed.returncode == 1
    assert "one/0002_broken: " in failed.stderr
    assert "letters" in failed.stderr
    assert tables(empty) == ["one.a"]
    assert versions(empty) == ["one/0001_first"]
    write(services / "one/migrations/0002_broken.sql", "create table one.b (x int);")
    empty.onrush("migrate", "--dir", services)
    assert tables(empty) == ["one.a", "one.b", "two.a"]


def test_a_table_that_is_in_use_is_waited_for(empty, services):
    empty.onrush("migrate", "--dir", services)
    write(services / "one/migrations/0002_alter.sql", "alter table one.a add y int;")
    with (
        concurrent.futures.ThreadPoolExecutor() as pool,
        pytest.raises(concurrent.futures.TimeoutError),
        empty_lock(empty) as connection,
    ):
        run = pool.submit(empty.onrush, "migrate", "--dir", services)
        try:
            run.result(timeout=2.5)  # longer than the session's lock timeout
        finally:
            connection.rollback()
    assert run.result().returncode == 0


def empty_lock(world):
    """A transaction that has read one.a and not ended."""
    import psycopg

    connection = psycopg.connect(world.pg.dsn("onrush", world.database))
    connection.execute("lock table one.a in access share mode")
    return connection


def test_a_file_that_went_away_is_named(empty, services):
    empty.onrush("migrate", "--dir", services)
    shutil.rmtree(services / "two")
    status = empty.onrush("migrate", "--dir", services, "--status").stdout
    assert "two/0001_first  applied, but there is no such file" in status


def test_the_role_of_a_service_may_touch_its_schema_only(world):
    rows = world.sql(
        "select n.nspname, has_schema_privilege('onrush_coupon', n.nspname, 'usage')"
        " from pg_namespace n where n.nspname in ('coupon', 'onrush')"
    )
    assert dict(rows) == {"coupon": True, "onrush": False}


def test_no_database(world):
    failed = world.onrush("migrate", check=False, ONRUSH_PG_DSN="host=127.0.0.1 port=1")
    assert failed.returncode == 3
    assert "ONRUSH_PG_DSN" in failed.stderr


def test_no_files(world, tmp_path):
    failed = world.onrush("migrate", "--dir", tmp_path, check=False)
    assert failed.returncode == 1
    assert str(tmp_path) in failed.stderr


def test_found_in_the_checkout():
    assert list((ROOT / "services").glob("*/migrations/*.sql"))
