"""A bucket on loopback: what Google's storage service answers, from memory.

`serving()` starts it as a process of its own and yields the variables under which
TensorFlow's and Beam's own clients of gs:// take it for the service: their hosts
are built in, so it stands as their HTTPS proxy and answers in the place of
whomever they ask for. It speaks the parts of the JSON API (v1) that they use;
there is one user, any bucket exists, nothing is denied, and none of the service's
delays and failures are imitated.

TensorFlow's own ram:// would not do: it loses the files of a folder that is
renamed and takes what is in `model_run` for part of `model`.

    https://cloud.google.com/storage/docs/json_api/v1
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import json
import pathlib
import shutil
import ssl
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator

import pytest

from tests.support.bucket import HOSTS, Bucket


@dataclasses.dataclass(frozen=True)
class Service:
    """A running one, seen by a test.

    Attributes:
      variables: of the environment of processes whose clients are to take it for
        Google's.
      port: where it listens, without TLS too.
    """

    variables: dict[str, str]
    port: int

    def put(self, uri: str, data: bytes) -> None:
        """Stores an object under gs://bucket/name."""
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        name = urllib.parse.quote(name, safe="")
        self._ask(f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={name}", data)

    def get(self, uri: str) -> bytes:
        """What an object holds."""
        return self._ask(urllib.parse.quote("/" + uri.removeprefix("gs://")))

    def numbers(self, uri: str) -> dict[str, int]:
        """Names below a folder, relative to it, with numbers that grow as they are stored.

        What stands for an empty folder is left out.
        """
        bucket, _, prefix = f"{uri}/".removeprefix("gs://").partition("/")
        query = urllib.parse.urlencode({"prefix": prefix})
        items = json.loads(self._ask(f"/storage/v1/b/{bucket}/o?{query}"))["items"]
        return {
            item["name"].removeprefix(prefix): int(item["generation"])
            for item in items
            if not item["name"].endswith("/")
        }

    def _ask(self, target: str, data: bytes | None = None) -> bytes:
        # Whatever proxies the test itself has are not meant.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{self.port}{target}", data) as answer:
            body: bytes = answer.read()
        return body


@contextlib.contextmanager
def serving(folder: pathlib.Path) -> Iterator[Service]:
    """Runs the bucket.

    Args:
      folder: for certificate, credentials and the log of requests.

    Yields:
      The running service.
    """
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed, which makes the service's certificate")
    pem, credentials = folder / "bucket.pem", folder / "credentials.json"
    names = ",".join(f"DNS:{host}" for host in HOSTS)
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=bucket"]
    made += ["-addext", f"subjectAltName={names}", "-keyout", str(pem), "-out", str(pem) + ".crt"]
    subprocess.run(made, check=True, capture_output=True)
    certificate = pathlib.Path(f"{pem}.crt").read_text()
    pem.write_text(pem.read_text() + certificate)
    user = dict.fromkeys(("client_id", "client_secret", "refresh_token"), "anyone")
    credentials.write_text(json.dumps({"type": "authorized_user", **user}))
    command = [sys.executable, "-m", "tests.support.object_store", str(pem)]
    root = pathlib.Path(__file__).resolve().parents[2]
    with (
        open(folder / "requests.log", "w") as log,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=root
        ) as server,
    ):
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            variables = {
                "https_proxy": f"http://127.0.0.1:{port}",
                "no_proxy": "",
                "CURL_CA_BUNDLE": f"{pem}.crt",
                "REQUESTS_CA_BUNDLE": f"{pem}.crt",
                "GOOGLE_APPLICATION_CREDENTIALS": str(credentials),
                "GOOGLE_CLOUD_PROJECT": "nobody",
                "NO_GCE_CHECK": "true",
            }
            yield Service(variables, port)
        finally:
            server.kill()


class _Handler(http.server.BaseHTTPRequestHandler):
    """A connection, which begins as one to a proxy."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def handle_expect_100(self):
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def do_CONNECT(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.flush()
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")
        self.close_connection = False

    def _any(self):
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self._body(headers)
        answer = self.server.bucket.answer(self.command, self.path, headers, body)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = do_DELETE = _any  # noqa: N815

    def _body(self, headers):
        if headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(headers.get("content-length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)


def _main(certificate: str) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.bucket = Bucket()
    server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.tls.load_cert_chain(certificate)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    _main(sys.argv[1])
