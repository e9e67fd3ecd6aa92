"""Stores named on the command line: what is understood, and what is answered to the rest."""

import socket
import threading

import pytest

from pipeline.metadata import store
from pipeline.metadata.store import MySqlStore, SqliteStore, parse
from schema.errors import UserError


@pytest.mark.parametrize(
    ("text", "host", "port", "database", "user", "password"),
    [
        ("mysql://ml:pw@db.example.org:3307/films", "db.example.org", 3307, "films", "ml", "pw"),
        ("mysql://ml@db/films_2", "db", 3306, "films_2", "ml", ""),
        ("mysql://a%40b:p%3A%2F%25%C3%A9@db/f", "db", 3306, "f", "a@b", "p:/%é"),
        # The client library would look for a Unix socket.
        ("mysql://ml@localhost:3307/f", "127.0.0.1", 3307, "f", "ml", ""),
        ("mysql://ml@[::1]:3307/f", "::1", 3307, "f", "ml", ""),
    ],
)
def test_a_mysql_url_names_a_database(text, host, port, database, user, password):
    assert parse(text) == MySqlStore(host, port, database, user, password)


def test_what_is_no_url_is_a_sqlite_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parse("a/b.sqlite") == SqliteStore(str(tmp_path / "a/b.sqlite"))
    assert parse("sqlite:///x/y") == parse("sqlite:////x/y") == SqliteStore("/x/y")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a SQLite file, sqlite:///PATH or mysql://USER:PASSWORD@HOST:PORT/DATABASE"),
        ("postgresql://ml:secret@db/f", "got postgresql://...."),
        ("sqlite://f", "got sqlite://...."),
        ("mysql://ml:secret@db:x/f", "a port from 1 to 65535"),
        ("mysql://ml:secret@db:0/f", "a port from 1 to 65535"),
        ("mysql://ml:secret@db:65536/f", "a port from 1 to 65535"),
        ("mysql://ml:sec/ret@db/f", "/ ? # [ % are written %40 %3A %2F"),
        ("mysql://ml:sec[ret@db/f", "/ ? # [ % are written %40 %3A %2F"),
        ("mysql://db/f", "got no user"),
        ("mysql://ml:secret@/f", "got no host"),
        ("mysql://ml:secret@db", "a DATABASE of letters, digits, _ and $"),
        ("mysql://ml:secret@db/", "got none"),
        ("mysql://ml:secret@db/a-b", "a DATABASE of letters, digits, _ and $"),
        ("mysql://ml:secret@db/a/b", "got something else"),
        ("mysql://ml:secret@db/f?ssl=1", "expected nothing after DATABASE"),
    ],
)
def test_a_wrong_url_is_told_without_the_password(text, message):
    with pytest.raises(UserError) as raised:
        parse(text)
    assert message in str(raised.value)
    assert "secret" not in str(raised.value)
    assert "ret" not in str(raised.value).replace("secret", "")


def test_a_password_is_in_the_connection_and_nowhere_else():
    named = parse("mysql://m%40l:secret@db:3307/films")
    assert named.connection().mysql.password == "secret"
    assert named.label == "mysql://m%40l@db:3307/films"
    assert "secret" not in repr(named) + str(named) + named.label
    assert parse("mysql://ml@[::1]/f").label == "mysql://ml@[::1]:3306/f"
    assert not parse("mysql://ml@db/f").connection().mysql.HasField("password")


def test_a_store_that_is_not_there_is_not_made_by_reading(tmp_path):
    path = tmp_path / "none" / "m.sqlite"
    with pytest.raises(
        UserError, match=r"m\.sqlite: expected a metadata store, found no such file"
    ):
        SqliteStore(str(path)).read()
    assert list(tmp_path.iterdir()) == []
    SqliteStore(str(path)).check()
    assert SqliteStore(str(path)).read().get_artifacts() == []


def test_a_file_that_is_no_store_is_told(tmp_path):
    (tmp_path / "notes").write_text("no database at all" * 100)
    for use in (
        SqliteStore(str(tmp_path / "notes")).read,
        SqliteStore(str(tmp_path / "notes")).check,
    ):
        with pytest.raises(UserError, match="notes: cannot be opened as a metadata store"):
            use()
    with pytest.raises(
        UserError, match=r"notes/m: cannot be made \((Not a directory|File exists)\)"
    ):
        SqliteStore(str(tmp_path / "notes" / "m")).check()


@pytest.fixture
def listening():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server


def test_a_server_that_is_not_there_is_told(listening):
    port = listening.getsockname()[1]
    listening.close()
    with pytest.raises(UserError, match=f"mysql://ml@127.0.0.1:{port}/f: no server answers there"):
        parse(f"mysql://ml:secret@127.0.0.1:{port}/f").check()


def test_a_server_that_does_not_greet_is_not_waited_for(listening, monkeypatch):
    monkeypatch.setattr(store, "_SECONDS_TO_ANSWER", 0.1)
    url = f"mysql://ml@127.0.0.1:{listening.getsockname()[1]}/f"
    with pytest.raises(UserError, match=r"no server answers there \(timed out\)"):
        parse(url).check()


def test_a_server_that_hangs_up_is_told(listening):
    threading.Thread(target=lambda: listening.accept()[0].close()).start()
    with pytest.raises(UserError, match="the server there hangs up"):
        parse(f"mysql://ml@127.0.0.1:{listening.getsockname()[1]}/f").check()
