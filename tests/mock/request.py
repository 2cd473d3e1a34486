"""A request as it came, and what the server that it is meant for would say against it."""

import json
import re
import time

import apis
from apis import ANTHROPIC, MODELS, OLLAMA, OPENAI, PS, TAGS, VERSION

TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
METHODS = {OLLAMA: "POST", ANTHROPIC: "POST", OPENAI: "POST", PS: "GET", TAGS: "GET", VERSION: "GET", MODELS: "GET"}


class Request:
    """method, target, version, headers as a list of (name, value) in their order, raw (all bytes),
    body (bytes), json (None where it is none), at (monotonic), connection, index (of the server's
    requests), reused (not the first on its connection), began (monotonic: the answer, None where
    there is none), answered (to the last byte), and seconds (how long that took). complaints: what
    the real server would say."""

    def __init__(self, raw, head, body, connection=None, index=0):
        self.raw, self.body, self.connection, self.index = raw, body, connection, index
        self.at = time.monotonic()
        self.reused = bool(connection and connection.requests)
        self.began, self.answered, self.seconds = None, False, None
        self.complaints = []
        line, *lines = head.split(b"\r\n")
        words = line.decode("latin-1").split(" ")
        self.method, self.target, self.version = (words + ["", "", ""])[:3]
        if len(words) != 3 or self.version != "HTTP/1.1" or not self.target.startswith("/"):
            self.complaints.append(f"request line {line!r}")
        self.headers = []
        for one in lines:
            name, colon, value = one.partition(b":")
            if not colon or not TOKEN.fullmatch(name) or re.search(rb"[\0\r\n]", value):
                self.complaints.append(f"header line {one!r}")
            self.headers.append((name.decode("latin-1"), value.decode("latin-1").strip(" \t")))
        self.path = self.target.partition("?")[0]
        try:
            self.json = json.loads(body, object_pairs_hook=self.once)
        except (ValueError, RecursionError):
            self.json = None

    def once(self, pairs):
        names = [name for name, _ in pairs]
        if len(names) != len(set(names)):
            self.complaints.append(f"a member twice: {names}")
        return dict(pairs)

    def all(self, name):
        return [value for one, value in self.headers if one.lower() == name.lower()]

    def header(self, name):
        return next(iter(self.all(name)), None)

    @property
    def model(self):
        return self.json.get("model") if isinstance(self.json, dict) else None

    @property
    def warm_up(self):
        return self.path == OLLAMA and isinstance(self.json, dict) and self.json.get("messages") == []

    def examine(self, server):
        """Notes what is wrong with it; the status that the server would answer with, or None."""
        found = self.complaints
        if len(self.all("host")) != 1 or self.header("host") != server.authority:
            found.append(f"host: {self.all('host')}, not {server.authority}")
        if self.header("accept-encoding") not in (None, "identity"):
            found.append("accept-encoding: not wanted")
        if self.path in METHODS and self.method != METHODS[self.path]:
            found.append(f"{self.path} takes {METHODS[self.path]}, not {self.method}")
        elif self.method == "POST":
            if (self.header("content-type") or "").partition(";")[0] != apis.JSON:
                found.append(f"content-type: {self.header('content-type')}")
            if not isinstance(self.json, dict):
                found.append("the body is not a JSON object")
            elif self.path in METHODS:
                found += apis.api_of(self).complaints(self)
        elif self.method == "GET":
            found += [] if not self.body else ["GET with a body"]
            found += apis.api_of(self).complaints(self)
        if found:
            return 401 if any("x-api-key" in one for one in found) else 400
        if server.key and self.path.startswith("/v1/") and server.key not in (
                self.header("x-api-key"), (self.header("authorization") or "").removeprefix("Bearer ")):
            return 401
        if self.method == "POST" and server.models and self.model not in server.models:
            return 404
        return None

    def __repr__(self):
        return f"<{self.method} {self.target} {self.model or ''}>"
