"""A real MariaDB server of Debian's packages, started for a test and stopped after it.

    with mariadb.running(tmp_path, "CREATE USER ...") as port:

The server runs as the user of the tests, with its data in the given folder,
and listens on a free port of the loopback only.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import time

from tests.support import ports

# Debian keeps servers where a user's path does not look.
PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
SERVER, INSTALLER = (shutil.which(name, path=PLACES) for name in ("mariadbd", "mariadb-install-db"))
MISSING = "mariadbd is not installed (apt-get install mariadb-server)"


@contextlib.contextmanager
def running(folder, *statements):
    """Yields the port of a server on which root ran the statements."""
    data, log = folder / "data", folder / "server.log"
    user = ["--user=root"] if os.geteuid() == 0 else []
    subprocess.run(
        [INSTALLER, "--no-defaults", f"--datadir={data}", "--skip-test-db", *user],
        check=True,
        capture_output=True,
    )
    (folder / "init.sql").write_text("".join(f"{statement};\n" for statement in statements))
    (port,) = ports.free()
    command = [SERVER, "--no-defaults", f"--datadir={data}", *user]
    command += ["--bind-address=127.0.0.1", f"--port={port}", f"--init-file={folder / 'init.sql'}"]
    # A socket's path must be short.
    command += ["--socket=s.sock", f"--pid-file={folder / 'pid'}"]
    with open(log, "w") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out, cwd=data)
    try:
        _wait(server, port, log)
        yield port
    finally:
        server.terminate()
        try:
            server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait(server, port, log):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as one:
            if one.recv(1):
                return
        time.sleep(0.05)
    raise AssertionError(log.read_text())
