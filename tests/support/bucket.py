"""What Google's storage service answers, from memory; served by object_store.

https://cloud.google.com/storage/docs/json_api/v1
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import itertools
import json
import re
import struct
import time
import urllib.parse

import google_crc32c

HOSTS = ("www.googleapis.com", "storage.googleapis.com", "oauth2.googleapis.com")
_OBJECT = r"/(?:download/)?storage/v1/b/(?P<bucket>[^/]+)/o/(?P<name>[^/]+)"
# As most buckets are: those with folders are a kind of their own.
_FLAT = {"kind": "storage#storageLayout", "hierarchicalNamespace": {"enabled": False}}
_RENEWED = {"access_token": "anyone", "expires_in": 3600, "token_type": "Bearer"}


@dataclasses.dataclass(frozen=True)
class Answer:
    """Of the HTTP server."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = dataclasses.field(default_factory=dict)


def _json(value: object) -> Answer:
    return Answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})


_MISSING = dataclasses.replace(
    _json({"error": {"code": 404, "message": "No such object.", "errors": []}}), status=404
)
_UNFIT = Answer(412, b'{"error": {"code": 412, "message": "conditionNotMet", "errors": []}}')


class Bucket:
    """All objects of all buckets, and the requests about them."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str], tuple[bytes, dict[str, str]]] = {}
        self._uploads: dict[str, tuple[str, str, bytearray]] = {}
        self._numbers = itertools.count(1)

    def answer(self, verb: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        """Answers a request.

        Args:
          verb: GET, POST, PUT or DELETE.
          target: path and query.
          headers: by name in small letters.
          body: of the request.

        Returns:
          The answer; 404 also for what is not known here.
        """
        parts = urllib.parse.urlsplit(target)
        query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        for verbs, pattern, method in (
            ("POST", r"/token|/oauth2/v\d/token", lambda *_: _json(_RENEWED)),
            ("GET", r"/storage/v1/b/(?P<bucket>[^/]+)", self._bucket),
            ("GET", r"/storage/v1/b/[^/]+/storageLayout", lambda *_: _json(_FLAT)),
            ("GET", r"/storage/v1/b/(?P<bucket>[^/]+)/o", self._list),
            ("POST", r"(?:/resumable)?/upload/storage/v1/b/(?P<bucket>[^/]+)/o", self._insert),
            ("PUT", r"(?:/resumable)?/upload/storage/v1/b/(?P<bucket>[^/]+)/o", self._upload),
            ("POST", r"/batch/storage/v1", self._batch),
            ("GET", _OBJECT, self._get),
            ("DELETE", _OBJECT, self._delete),
            (
                "POST",
                _OBJECT + r"/(?P<how>rewriteTo|copyTo)/b/(?P<to>[^/]+)/o/(?P<as>[^/]+)",
                self._copy,
            ),
            ("POST", _OBJECT + "/compose", self._compose),
            ("GET", r"/(?P<bucket>[^/]+)/(?P<name>.+)", self._media),
        ):
            match = re.fullmatch(pattern, parts.path)
            if verb == verbs and match:
                named = {key: urllib.parse.unquote(text) for key, text in match.groupdict().items()}
                return method({**query, **named}, headers, body)
        return _MISSING

    def _bucket(self, asked: dict[str, str], headers: dict[str, str], body: bytes) -> Answer:
        return _json({"kind": "storage#bucket", "name": asked["bucket"], "location": "HERE"})

    def _list(self, asked: dict[str, str], headers: dict[str, str], body: bytes) -> Answer:
        prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter", "")
        found = {
            name: facts
            for (bucket, name), (_, facts) in sorted(self._objects.copy().items())
            if bucket == asked["bucket"] and name.startswith(prefix)
        }
        below = {
            prefix + inner.partition(delimiter)[0] + delimiter
            for name in found
            if delimiter and delimiter in (inner := name[len(prefix) :])
        }
        items = [
            facts
            for name, facts in found.items()
            if not any(name.startswith(folder) for folder in below)
        ]
        if "maxResults" in asked:
            # Those who ask for few want to know whether there is any.
            items = items[: int(asked["maxResults"])]
        return _json({"kind": "storage#objects", "items": items, "prefixes": sorted(below)})

    def _fits(self, asked: dict[str, str]) -> bool:
        """Whether an object has the generation that a request expects, 0 being that of none."""
        if "ifGenerationMatch" not in asked:
            return True
        found = self._objects.get((asked["bucket"], asked["name"]))
        return asked["ifGenerationMatch"] == (found[1]["generation"] if found else "0")

    def _get(self, asked: dict[str, str], headers: dict[str, str], body: bytes) -> Answer:
        if asked.get("alt") == "media":
            return self._media(asked, headers, body)
        found = self._objects.get((asked["bucket"], asked["name"]))
        return _json(found[1]) if found else _MISSING

    def _media(self, asked: dict[str, str], headers: dict[str, str], body: bytes) -> Answer:
        found = self._objects.get((asked["bucket"], asked["name"]))
        if not found:
            return _MISSING
        if not self._fits(asked):
            return _UNFIT
        data, facts = found
        told = {
            "x-goog-hash": f"crc32c={facts['crc32c']},md5={facts['md5Hash']}",
            "x-goog-generation": facts["generation"],
        }
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", headers.get("range", ""))
        if not span:
            return Answer(200, data, told)
        start, end = int(span[1]), min(int(span[2] or len(data)), len(data) - 1)
        if start > end:
            return Answer(416, b"", told)
        told["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
        return Answer(206, data[start : end + 1], told)

    def _insert(self, asked: dict[str, str], headers: dict[str, str], body: bytes) -> Answer:
        kind = asked["uploadType"]
        if kind == "media":
            return self._store(asked["bucket"], asked["name"], body)
        if kind == "multipart" and "ifGenerationMatch" in asked:
            facts, _ = _parts(headers, body)
            asked["name"] = json.loads(facts)["name"]
            if not self._fits(asked):
                return _UNFIT
        if kind == "resumable":
            name = asked.get("name") or json.loads(body)["name"]
            number = str(next(self._numbers))
            self._uploads[number] = (asked["bucket"], name, bytearray())
            place = f"https://{HOSTS[0]}/upload/storage/v1/b/{asked['bucket']}/o"
            return Answer(200, b"", {"Location": f"{place}?upload_id={number}"})
        facts, data = _parts(headers, body)
        return self._store(asked["bucket"], json.loads(facts)["name"], data)

    def _upload(self, asked: dict[str, str], headers: dict[str, str], body: bytes) -> Answer:
        bucket, name, data = self._uploads[asked["upload_id"]]
        data += body
        total = headers.get("content-range", "").rpartition("/")[2]
        if total == "*" or (total and len(data) < int(total)):
            return Answer(308, b"", {"Range": f"bytes=0-{len(data) - 1}"} if data else {})
        del self._uploads[asked["upload_id"]]
        return self._store(bucket, name, bytes(data))

    def _copy(self, asked: dict[str, str], headers: dict[str, str], body: bytes) -> Answer:
        found = self._objects.get((asked["bucket"], asked["name"]))
        if not found:
            return _MISSING
        stored = self._store(asked["to"], asked["as"], found[0])
        if asked["how"] == "copyTo":
            return stored
        size = str(len(found[0]))
        sizes = {"totalBytesRewritten": size, "objectSize": size}
        return _json({"done": True, "resource": json.loads(stored.body), **sizes})

    def _compose(self, asked: dict[str, str], headers: dict[str, str], body: bytes) -> Answer:
        names = [source["name"] for source in json.loads(body)["sourceObjects"]]
        data = b"".join(self._objects[asked["bucket"], name][0] for name in names)
        return self._store(asked["bucket"], asked["name"], data)

    def _delete(self, asked: dict[str, str], headers: dict[str, str], body: bytes) -> Answer:
        if not self._fits(asked):
            return _UNFIT
        gone = self._objects.pop((asked["bucket"], asked["name"]), None)
        return Answer(204) if gone else _MISSING

    def _batch(self, asked: dict[str, str], headers: dict[str, str], body: bytes) -> Answer:
        answers = []
        for part in _parts(headers, body, whole=True):
            verb, target = re.search(rb"(\w+) (\S+) HTTP/", part).groups()
            # What is asked for in batches has no body that matters.
            one = self.answer(verb.decode(), target.decode(), {}, b"")
            answers.append(
                b"--x\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 %d Done\r\n"
                b"Content-Type: application/json\r\n\r\n%s\r\n" % (one.status, one.body)
            )
        content = {"Content-Type": 'multipart/mixed; boundary="x"'}
        return Answer(200, b"".join([*answers, b"--x--\r\n"]), content)

    def _store(self, bucket: str, name: str, data: bytes) -> Answer:
        number = str(next(self._numbers))
        now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + ".000Z"
        facts = {
            "kind": "storage#object",
            "id": f"{bucket}/{name}/{number}",
            "bucket": bucket,
            "name": name,
            "generation": number,
            "metageneration": "1",
            "size": str(len(data)),
            "timeCreated": now,
            "updated": now,
            "md5Hash": base64.b64encode(hashlib.md5(data).digest()).decode(),
            "crc32c": base64.b64encode(struct.pack(">I", google_crc32c.value(data))).decode(),
        }
        self._objects[bucket, name] = (data, facts)
        return _json(facts)


def _parts(headers: dict[str, str], body: bytes, whole: bool = False) -> list[bytes]:
    """The parts of a multipart body, without their heads unless they are wanted whole."""
    boundary = re.search(r'boundary="?([^";]+)', headers["content-type"])[1].encode()
    # Mail's line ends are of two characters, but not all clients know.
    parts = re.split(rb"\r?\n?--" + re.escape(boundary) + rb"(?:--)?\r?\n?", body)[1:-1]
    return parts if whole else [re.split(rb"\r?\n\r?\n", part, maxsplit=1)[1] for part in parts]
