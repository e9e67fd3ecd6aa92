"""A server of archives on this machine that knows ranges and can misbehave."""

import http.server


class ArchiveServer(http.server.ThreadingHTTPServer):
    """Serves `content`; breaks the first `breaks` answers off after `limit` bytes."""

    content = b""
    breaks = 0
    limit = 0
    status = None
    coding = None
    tells_length = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.ranges = []

    def handle_error(self, request, client_address):
        """Says nothing of a client that has enough."""

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        asked = self.headers.get("Range")
        server.ranges.append(asked)
        if server.status:
            self.send_error(server.status)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if asked and start >= len(server.content):
            self.send_error(416)
            return
        body = server.content[start:]
        self.send_response(206 if asked else 200)
        if server.coding:
            self.send_header("Content-Encoding", server.coding)
        if server.tells_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if server.breaks:
            server.breaks -= 1
            body = body[: server.limit]
        self.wfile.write(body)

    def log_message(self, *_):
        pass
