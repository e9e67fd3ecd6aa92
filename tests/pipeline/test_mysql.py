"""Stores on a real MariaDB server."""

import pytest
from ml_metadata.proto import metadata_store_pb2

from pipeline.metadata.store import parse
from schema.errors import UserError
from tests.support import mariadb

pytestmark = [
    pytest.mark.seconds,
    pytest.mark.skipif(mariadb.SERVER is None, reason=mariadb.MISSING),
]
# Every sign that means something in a URL.
PASSWORD = "p@:/?#[]% é"
ENCODED = "p%40%3A%2F%3F%23%5B%5D%25%20%C3%A9"


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    statements = (
        f"CREATE USER 'ml'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'",
        "GRANT ALL ON films.* TO 'ml'@'127.0.0.1'",
        "GRANT ALL ON films_utf8.* TO 'ml'@'127.0.0.1'",
        "CREATE DATABASE films_utf8 CHARACTER SET utf8mb4",
    )
    with mariadb.running(tmp_path_factory.mktemp("mariadb"), *statements) as port:
        yield port


@pytest.mark.parametrize("database", ["films", "films_utf8"])
def test_what_is_written_is_read(port, database):
    named = parse(f"mysql://ml:{ENCODED}@localhost:{port}/{database}")
    named.check()
    kind = metadata_store_pb2.ContextType(name="pipeline_run")
    opened = named.read()
    context = metadata_store_pb2.Context(type_id=opened.put_context_type(kind), name="Ä 漢 🎬")
    # A configuration is longer than a VARCHAR.
    context.custom_properties["configuration"].string_value = "é漢🎬" * 30_000
    opened.put_contexts([context])
    (found,) = named.read().get_contexts()
    assert (found.name, found.custom_properties) == (context.name, context.custom_properties)


def test_the_client_library_takes_a_password_from_the_environment(port, monkeypatch):
    monkeypatch.setenv("MYSQL_PWD", PASSWORD)
    parse(f"mysql://ml@127.0.0.1:{port}/films").check()


@pytest.mark.parametrize(
    ("user", "database", "message"),
    [
        ("ml:wrong", "films", "the server does not let ml in; expected the right password"),
        ("nobody:secret", "films", "the server does not let nobody in"),
        (f"ml:{ENCODED}", "other", "Access denied for user 'ml'@'127.0.0.1' to database 'other'."),
    ],
)
def test_a_refusal_is_told_in_a_sentence(port, monkeypatch, user, database, message):
    monkeypatch.delenv("MYSQL_PWD", raising=False)
    named = parse(f"mysql://{user}@127.0.0.1:{port}/{database}")
    for use in (named.check, named.read):
        with pytest.raises(UserError) as raised:
            use()
        assert f"{named.label}: " in str(raised.value)
        assert message in str(raised.value)


def test_reading_makes_no_database(tmp_path):
    with mariadb.running(
        tmp_path,
        "CREATE USER 'ml'@'127.0.0.1' IDENTIFIED BY 'x'",
        "GRANT ALL ON *.* TO 'ml'@'127.0.0.1'",
    ) as port:
        named = parse(f"mysql://ml:x@127.0.0.1:{port}/films")
        for _ in range(2):
            with pytest.raises(UserError, match=r"films: Unknown database 'films'\."):
                named.read()
        named.check()
        assert named.read().get_artifacts() == []
