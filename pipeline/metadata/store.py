"""Where ML Metadata keeps its records: a SQLite file, or a MySQL database named by URL.

Nothing here imports the heavy libraries before they are needed, so that
mistakes are answered at once.
"""

from __future__ import annotations

import abc
import dataclasses
import os
import re
import socket
import urllib.parse
from typing import TYPE_CHECKING

from schema.errors import UserError

if TYPE_CHECKING:
    import ml_metadata as mlmd
    from ml_metadata.proto import metadata_store_pb2

SQLITE = "sqlite"
MYSQL = "mysql"
MYSQL_PORT = 3306

# ML Metadata writes the name into its statements without quotes.
_DATABASE_NAME = re.compile(r"[0-9A-Za-z_$]{1,64}")
_FORM = "mysql://USER:PASSWORD@HOST:PORT/DATABASE"
_SECONDS_TO_ANSWER = 5.0


class Store(abc.ABC):
    """Give access to a metadata store that the user named."""

    @property
    @abc.abstractmethod
    def label(self) -> str:
        """Name it for messages and reports, without a password."""

    @abc.abstractmethod
    def connection(self) -> metadata_store_pb2.ConnectionConfig:
        """Return how TFX opens it, which makes what is missing.

        Returns:
          A connection, with the password if there is one.
        """

    @abc.abstractmethod
    def read(self) -> mlmd.MetadataStore:
        """Open it to read what is there, without making a file or a database.

        Returns:
          The open store.

        Raises:
          UserError: it does not exist, or cannot be opened.
        """

    def check(self) -> None:
        """Open it as TFX will, which makes what is missing.

        Raises:
          UserError: that cannot be done, and why.
        """
        self._open(self.connection())

    def _open(self, connection: metadata_store_pb2.ConnectionConfig) -> mlmd.MetadataStore:
        import ml_metadata as mlmd

        try:
            return mlmd.MetadataStore(connection)
        except (RuntimeError, mlmd.errors.StatusError) as error:
            raise UserError(f"{self.label}: {self._reason(str(error))}") from None

    def _reason(self, said: str) -> str:
        """Make a sentence of what ML Metadata said."""
        # The statement that failed follows.
        said = " ".join(said.partition(" query:")[0].split())
        return f"cannot be opened as a metadata store ({said[:200]})."


@dataclasses.dataclass(frozen=True)
class SqliteStore(Store):
    """Give access to a SQLite file on this machine.

    Attributes:
      path: of the file.
    """

    path: str

    @property
    def label(self) -> str:
        """Return the file's path."""
        return self.path

    def connection(self) -> metadata_store_pb2.ConnectionConfig:
        """See Store."""
        return self._connection("READWRITE_OPENCREATE")

    def check(self) -> None:
        """See Store; makes the file's folder too."""
        try:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
        except OSError as error:
            raise UserError(f"{self.path}: cannot be made ({error.strerror}).") from None
        super().check()

    def read(self) -> mlmd.MetadataStore:
        """See Store."""
        if not os.path.isfile(self.path):
            raise UserError(f"{self.path}: expected a metadata store, found no such file.")
        return self._open(self._connection("READONLY"))

    def _connection(self, mode: str) -> metadata_store_pb2.ConnectionConfig:
        from ml_metadata.proto import metadata_store_pb2

        connection = metadata_store_pb2.ConnectionConfig()
        connection.sqlite.filename_uri = self.path
        modes = metadata_store_pb2.SqliteMetadataSourceConfig.ConnectionMode
        connection.sqlite.connection_mode = modes.Value(mode)
        return connection


@dataclasses.dataclass(frozen=True)
class MySqlStore(Store):
    """Give access to a database on a MySQL or MariaDB server.

    Attributes:
      host: name or address, spoken to over TCP.
      port: of the server.
      database: its name.
      user: the account, one that logs in with mysql_native_password.
      password: of the account; empty leaves it to the environment variable
        MYSQL_PWD, which ML Metadata's client library reads.
    """

    host: str
    port: int
    database: str
    user: str
    password: str = dataclasses.field(default="", repr=False)

    @property
    def label(self) -> str:
        """Return the URL without the password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = urllib.parse.quote(self.user, safe="")
        return f"{MYSQL}://{user}@{host}:{self.port}/{self.database}"

    def connection(self) -> metadata_store_pb2.ConnectionConfig:
        """See Store."""
        from ml_metadata.proto import metadata_store_pb2

        connection = metadata_store_pb2.ConnectionConfig()
        connection.mysql.host = self.host
        connection.mysql.port = self.port
        connection.mysql.database = self.database
        connection.mysql.user = self.user
        if self.password:
            connection.mysql.password = self.password
        return connection

    def read(self) -> mlmd.MetadataStore:
        """See Store; a database that is empty gets its tables."""
        connection = self.connection()
        connection.mysql.skip_db_creation = True
        return self._open(connection)

    def _open(self, connection: metadata_store_pb2.ConnectionConfig) -> mlmd.MetadataStore:
        # The client library gives no reason where no server is, and waits for ever for the
        # greeting of one that speaks something else.
        try:
            with socket.create_connection((self.host, self.port), _SECONDS_TO_ANSWER) as connected:
                greeting = connected.recv(1)
        except OSError as error:
            reason = error.strerror or str(error)
            raise UserError(f"{self.label}: no server answers there ({reason}).") from None
        if not greeting:
            raise UserError(f"{self.label}: the server there hangs up.")
        return super()._open(connection)

    def _reason(self, said: str) -> str:
        if "mysql_real_connect" in said:
            # The client does not tell what the server answered.
            return (
                f"the server does not let {self.user} in; expected the right password, in the URL "
                "or in MYSQL_PWD, and an account that logs in with mysql_native_password."
            )
        denied = re.search(r"(Access denied|Unknown database).*?(?=, error:|$)", said)
        return f"{denied[0]}." if denied else super()._reason(said)


def parse(text: str) -> Store:
    """Read what --metadata says.

    Args:
      text: a path of a SQLite file, `sqlite:///PATH` with an absolute path, or
        `mysql://USER:PASSWORD@HOST:PORT/DATABASE` with %-encoded user and
        password.

    Returns:
      The store it names, not opened.

    Raises:
      UserError: neither, or a part of the URL is missing or wrong; the sentence
        repeats no part that a password may have strayed into.
    """
    scheme, separator, rest = text.partition("://")
    if not separator and text:
        return SqliteStore(os.path.abspath(text))
    if scheme == SQLITE and rest.startswith("/"):
        return SqliteStore(f"/{rest.lstrip('/')}")
    if scheme == MYSQL:
        return _mysql(text)
    got = f"{scheme}://..." if separator else "an empty text"
    raise UserError(f"--metadata: expected a SQLite file, sqlite:///PATH or {_FORM}, got {got}.")


def _mysql(url: str) -> MySqlStore:
    encode = "in a user or password, @ : / ? # [ % are written %40 %3A %2F %3F %23 %5B %25"
    try:
        parts = urllib.parse.urlsplit(url)
        port = MYSQL_PORT if parts.port is None else parts.port
        if port == 0:
            raise ValueError
    except ValueError:
        raise UserError(
            f"--metadata: expected {_FORM} with a port from 1 to 65535; {encode}."
        ) from None
    for name, value in (("user", parts.username), ("host", parts.hostname)):
        if not value:
            raise UserError(f"--metadata: expected {_FORM}, got no {name}; {encode}.")
    if parts.query or parts.fragment:
        raise UserError(f"--metadata: expected nothing after DATABASE in {_FORM}; {encode}.")
    database = parts.path.removeprefix("/")
    if not _DATABASE_NAME.fullmatch(database):
        got = "something else" if database else "none"
        raise UserError(
            f"--metadata: expected a DATABASE of letters, digits, _ and $ in {_FORM}, got {got}."
        )
    # The client library takes "localhost" for a Unix socket and forgets the port.
    host = "127.0.0.1" if parts.hostname == "localhost" else str(parts.hostname)
    user, password = (urllib.parse.unquote(part or "") for part in (parts.username, parts.password))
    return MySqlStore(host, port, database, user, password)
