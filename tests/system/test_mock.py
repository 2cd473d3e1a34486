"""The scripted server misbehaves as ordered: each order, seen from a plain client."""

import gzip
import http.client
import json
import pathlib
import re
import socket
import ssl
import subprocess
import sys
import time

import pytest

import steps
from apis import ANTHROPIC, MODELS, OLLAMA, OPENAI, PS, TAGS, VERSION, WARM_UP
from server import MockServer
from steps import (PROPOSAL, body, close, deep, error, every_split, fenced, garbage, hang, html, http_date,
                   null_content, proposal, prose, raw, redirect, refusal, reset, say, truncated)
from wire import Tls

SCHEMA = {"type": "object", "additionalProperties": False, "required": list(PROPOSAL),
          "properties": {"action": {"type": "string", "enum": ["ignore", "restart", "redeploy", "notify"]},
                         "reason": {"type": "string"}, "confidence": {"type": "number"},
                         "requires_human": {"type": "boolean"}}}
MESSAGES = [{"role": "user", "content": "what now?"}]
PLAIN = {"content-type": "application/json"}
CLAUDE = {**PLAIN, "x-api-key": "key", "anthropic-version": "2023-06-01"}
HEADERS = {OLLAMA: PLAIN, ANTHROPIC: CLAUDE, OPENAI: PLAIN}
GOOD = {
    OLLAMA: {"model": "qwen2.5:7b", "messages": MESSAGES, "stream": False, "think": False, "format": SCHEMA,
             "options": {"temperature": 0, "num_ctx": 4096}, "keep_alive": "10m"},
    ANTHROPIC: {"model": "claude-haiku-4-5", "max_tokens": 1024, "system": "Be brief.", "messages": MESSAGES,
                "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    OPENAI: {"model": "local", "messages": [{"role": "system", "content": "Be brief."}, *MESSAGES],
             "response_format": {"type": "json_schema",
                                 "json_schema": {"name": "proposal", "strict": True, "schema": SCHEMA}}},
}
CONTENT = {OLLAMA: lambda answer: answer["message"]["content"],
           ANTHROPIC: lambda answer: next(one["text"] for one in answer["content"] if one["type"] == "text"),
           OPENAI: lambda answer: answer["choices"][0]["message"]["content"]}
FINISH = {OLLAMA: lambda answer: answer["done_reason"], ANTHROPIC: lambda answer: answer["stop_reason"],
          OPENAI: lambda answer: answer["choices"][0]["finish_reason"]}


LIMIT = 60  # seconds, for what comes at once from an idle machine


class Client:
    """A connection on which bytes are what they are."""

    def __init__(self, server, context=None, session=None):
        self.server = server
        self.sock = socket.create_connection((server.host, server.port), timeout=LIMIT)
        if context:
            self.sock = context.wrap_socket(self.sock, server_hostname=server.name, session=session,
                                            suppress_ragged_eofs=False)

    def send(self, path=OLLAMA, message=None, method="POST", **headers):
        data = json.dumps(GOOD.get(path, {}) if message is None else message).encode() if method == "POST" else b""
        lines = [f"{method} {path} HTTP/1.1", f"host: {self.server.authority}"]
        lines += [f"{name}: {value}" for name, value in {**(HEADERS.get(path, {})), **headers}.items()]
        if data:
            lines.append(f"content-length: {len(data)}")
        self.sock.sendall("\r\n".join([*lines, "", ""]).encode() + data)
        return self

    def reads(self, rest=0.0):
        """What each read gave, resting between them, and how it ended."""
        found = []
        while True:
            try:
                # The ssl module takes RST for an end without close-notify: look below it.
                socket.socket.recv(self.sock, 1, socket.MSG_PEEK)
                data = self.sock.recv(1 << 20)
            except ConnectionResetError:
                return found, "reset"
            except TimeoutError:
                return found, "silence"
            except ssl.SSLError as error:
                return found, "ragged" if error.reason == "UNEXPECTED_EOF_WHILE_READING" else error
            if not data:
                return found, "closed"
            found.append(data)
            time.sleep(rest)

    def all(self, quiet=LIMIT):
        """To the end, or until nothing comes for so long."""
        self.sock.settimeout(quiet)
        found, end = self.reads()
        self.sock.settimeout(LIMIT)
        return b"".join(found), end

    def all_of(self, pattern):
        """To the end, or until it is this, and nothing comes for a moment."""
        data, end = self.all(quiet=0.05)
        until = time.monotonic() + LIMIT
        while end == "silence" and not re.search(pattern, data, re.DOTALL) and time.monotonic() < until:
            more, end = self.all(quiet=0.05)
            data += more
        return data, end

    def answer(self):
        """By a client that knows HTTP."""
        response = http.client.HTTPResponse(self.sock, method="POST")
        response.begin()
        return response, response.read()


def ask(server, step=None, path=OLLAMA, **how):
    if step is not None:
        server.on(path, step.then_close() if step.ending == "keep" else step)
    return Client(server).send(path, **how).all()


@pytest.mark.parametrize("path", [OLLAMA, ANTHROPIC, OPENAI])
def test_each_api_answers_well(mock, path):
    response, data = Client(mock).send(path).answer()
    assert response.status == 200 and response.getheader("content-type") == "application/json"
    assert json.loads(CONTENT[path](json.loads(data))) == PROPOSAL
    request = mock.requests[0]
    assert (request.method, request.path, request.json, request.reused) == ("POST", path, GOOD[path], False)
    assert mock.wait_for("the end of it", lambda: request.answered) and request.seconds < LIMIT
    assert request.headers[0] == ("host", mock.authority) and request.raw.endswith(request.body)
    if path == ANTHROPIC:
        assert json.loads(data)["content"][0]["type"] != "text"
        assert response.getheader("request-id")


def test_model_lists(mock):
    def get(path, **headers):
        return json.loads(Client(mock).send(path, method="GET", **headers).answer()[1])

    claude = {"x-api-key": "key", "anthropic-version": "2023-06-01"}
    assert get(VERSION)["version"]
    assert "qwen2.5:7b" in [one["name"] for one in get(TAGS)["models"]]
    assert get(MODELS)["object"] == "list"
    assert get(MODELS, **claude)["has_more"] is False
    assert get(f"{MODELS}/claude-haiku-4-5", **claude)["id"] == "claude-haiku-4-5"


def changed(path, *keys, **members):
    """GOOD with members put into the object that the keys lead to; ... takes one away."""
    message = json.loads(json.dumps(GOOD[path]))
    inner = message
    for key in keys:
        inner = inner[key]
    inner.update(members)
    for name in [name for name, value in members.items() if value is ...]:
        del inner[name]
    return message


CONFIG = ("output_config", "format", "schema")
WRONG = [
    (OLLAMA, changed(OLLAMA, stream=...), {}, "stream is not false"),
    (OLLAMA, changed(OLLAMA, stream=True), {}, "stream is not false"),
    (OLLAMA, changed(OLLAMA, think=...), {}, "think is not false"),
    (OLLAMA, changed(OLLAMA, format="json"), {}, "format is not an object"),
    (OLLAMA, changed(OLLAMA, options={"num_ctx": "4096"}), {}, "options"),
    (OLLAMA, changed(OLLAMA, model=""), {}, "model"),
    (OLLAMA, [], {}, "not a JSON object"),
    (OLLAMA, None, {"content-type": "text/plain"}, "content-type"),
    (OLLAMA, None, {"accept-encoding": "gzip"}, "accept-encoding"),
    (OLLAMA, None, {"bad name": "x"}, "header line"),
    (OLLAMA, None, {"Host": "elsewhere"}, "host"),
    (ANTHROPIC, None, {"anthropic-version": ""}, "anthropic-version"),
    (ANTHROPIC, None, {"x-api-key": ""}, "x-api-key"),
    (ANTHROPIC, changed(ANTHROPIC, max_tokens=...), {}, "max_tokens"),
    (ANTHROPIC, changed(ANTHROPIC, max_tokens=512), {}, "max_tokens"),
    *((ANTHROPIC, changed(ANTHROPIC, **{name: 1}), {}, name) for name in
      ("temperature", "top_p", "top_k", "thinking", "tool_choice", "keep_alive")),
    (ANTHROPIC, changed(ANTHROPIC, *CONFIG, additionalProperties=...), {}, "additionalProperties"),
    *((ANTHROPIC, changed(ANTHROPIC, *CONFIG, "properties", "confidence", **{name: 1}), {}, name)
      for name in ("minimum", "maximum", "minLength", "maxLength")),
    (ANTHROPIC, changed(ANTHROPIC, *CONFIG, required=["action"]), {}, "required"),
    (ANTHROPIC, changed(ANTHROPIC, messages=[*MESSAGES, {"role": "assistant", "content": "{"}]), {}, "end with a user"),
    (ANTHROPIC, changed(ANTHROPIC, messages=[{"role": "system", "content": "x"}, *MESSAGES]), {}, "role"),
    (OPENAI, changed(OPENAI, response_format={"type": "json_schema", "schema": SCHEMA}), {}, "flat"),
    (OPENAI, changed(OPENAI, "response_format", schema=SCHEMA), {}, "flat"),
    (OPENAI, changed(OPENAI, "response_format", "json_schema", strict=False), {}, "strict"),
    (OPENAI, changed(OPENAI, messages=[]), {}, "at least one message"),
]


@pytest.mark.parametrize("path, message, headers, complaint", WRONG,
                         ids=[f"{one[0]}-{one[3]}-{number}" for number, one in enumerate(WRONG)])
def test_wrong_requests_are_refused(path, message, headers, complaint):
    with MockServer() as server:
        response, data = Client(server).send(path, message, **headers).answer()
        assert response.status == (401 if complaint == "x-api-key" else 400)
        assert "error" in json.loads(data)
        assert len(server.complaints) == 1 and complaint in server.complaints[0], server.complaints


@pytest.mark.parametrize("step, text, finish", [
    (truncated(), "{", ("length", "max_tokens", "length")),
    (refusal(), "I cannot", ("stop", "end_turn", "stop")),
    (say("").finish("refusal"), "", ("stop", "refusal", "content_filter")),
    (say("").finish("pause_turn"), "", ("pause_turn",) * 3),
    (prose(), "Here is", ("stop", "end_turn", "stop")),
    (fenced(action="ignore"), "```json\n{", ("stop", "end_turn", "stop")),
    (proposal(confidence="high", without="reason"), '{"action": "restart", "confidence": "high"',
     ("stop", "end_turn", "stop")),
    (say("\N{RIGHT SINGLE QUOTATION MARK}\ud800"), "\N{RIGHT SINGLE QUOTATION MARK}\ud800", ("stop", "end_turn", "stop")),
])
def test_what_a_model_says(mock, step, text, finish):
    for number, path in enumerate((OLLAMA, ANTHROPIC, OPENAI)):
        mock.on(path, step)
        answer = json.loads(Client(mock).send(path).answer()[1].decode("utf-8", "surrogatepass"))
        assert CONTENT[path](answer).startswith(text)
        assert FINISH[path](answer) == finish[number]


def test_content_that_is_null(mock):
    for path in (OLLAMA, ANTHROPIC, OPENAI):
        mock.on(path, null_content())
        assert b'"content":null' in Client(mock).send(path).answer()[1]


def test_queue_and_models(mock):
    mock.on(OLLAMA, error(503), lambda request: say(request.model))
    mock.on(ANTHROPIC, error(529), model="claude-haiku-4-5")
    got = [Client(mock).send(OLLAMA).answer() for _ in range(3)]
    assert [response.status for response, _ in got] == [503, 200, 200]
    assert b'"content":"qwen2.5:7b"' in got[1][1] and got[2][1] == got[1][1]
    response, data = Client(mock).send(ANTHROPIC).answer()
    assert (response.status, response.reason) == (529, "Overloaded")
    assert json.loads(data)["error"]["type"] == "overloaded_error"
    assert Client(mock).send(ANTHROPIC, changed(ANTHROPIC, model="claude-sonnet-4-6")).answer()[0].status == 200
    assert Client(mock).send("/nowhere", {}, **PLAIN).answer()[0].status == 404


def test_keys_and_models_that_exist():
    with MockServer(models=["claude-haiku-4-5"], key="right") as server:
        assert Client(server).send(ANTHROPIC).answer()[0].status == 401
        assert Client(server).send(ANTHROPIC, **{"x-api-key": "right"}).answer()[0].status == 200
        assert Client(server).send(OPENAI, authorization="Bearer wrong").answer()[0].status == 401
        assert Client(server).send(OPENAI, authorization="Bearer right").answer()[0].status == 404
        assert server.complaints == []


TEXT = body("0123456789" * 4, type="text/plain")
SENT = [
    # the step, what its bytes match
    (TEXT, rb"HTTP/1\.1 200 OK\r\n.*content-length: 40\r\n\r\n(0123456789){4}\Z"),
    (TEXT.chunked(4, 1), rb"\r\n\r\n4\r\n0123\r\n1\r\n4\r\n23\r\n56789.{30}\r\n0\r\n\r\n\Z"),
    (TEXT.chunked(every=20, extension=';a="b"', trailers=[("x-end", "1")]),
     rb'trailer: x-end\r\n\r\n14;a="b"\r\n.{20}\r\n14;a="b"\r\n.{20}\r\n0;a="b"\r\nx-end: 1\r\n\r\n\Z'),
    (TEXT.lengths(-3), rb"content-length: 37\r\n\r\n.{40}\Z"),
    (TEXT.lengths(3), rb"content-length: 43\r\n\r\n.{40}\Z"),
    (TEXT.lengths(0, 0), rb"content-length: 40\r\ncontent-length: 40\r\n\r\n"),
    (TEXT.lengths(0, 1), rb"content-length: 40\r\ncontent-length: 41\r\n\r\n"),
    (TEXT.lengths("0x28"), rb"content-length: 0x28\r\n\r\n.{40}\Z"),
    (TEXT.chunked().lengths(0), rb"transfer-encoding: chunked\r\ncontent-length: 40\r\n\r\n28\r\n"),
    (TEXT.until_close(), rb"plain\r\n\r\n.{40}\Z"),
    (TEXT.unframed().header("transfer-encoding", "gzip, chunked"), rb"encoding: gzip, chunked\r\n\r\n01"),
    (TEXT.informational(100, 103, 103),
     rb"\AHTTP/1.1 100 Continue\r\n\r\n(HTTP/1.1 103 Early Hints\r\nlink: .*?\r\n\r\n){2}HTTP/1.1 200"),
    (TEXT.http10(), rb"\AHTTP/1\.0 200 OK\r\n(?!.*connection)"),
    (TEXT.http10(keep_alive=True), rb"\AHTTP/1\.0 200 OK\r\n.*connection: keep-alive\r\n"),
    (TEXT.bare_lf(), rb"\AHTTP/1.1 200 OK\n[^\r]*\n\n0123"),
    (TEXT.folded(), rb"x-folded: first\r\n  second\r\n\tthird\r\n"),
    (TEXT.huge_header(100000), rb"x-huge: h{100000}\r\n"),
    (TEXT.many_headers(3000), rb"x-0: v\r\n.*x-2999: v\r\n"),
    (TEXT.nul_in_head(), rb"x-nul: a\0b\r\n"),
    (TEXT.nul_in_body(), rb"content-length: 41\r\n\r\n.{20}\0.{20}\Z"),
    (TEXT.status_line("HTTP/1.1 2x0 OK"), rb"\AHTTP/1.1 2x0 OK\r\ndate: "),
    (TEXT.twice(), rb"\A(HTTP/1.1 200 OK\r\n.{100,}?56789){2}\Z"),
    (TEXT.behind("HTTP/1.1 500"), rb"56789HTTP/1.1 500\Z"),
    (TEXT.header("connection", "close").without("date"), rb"\AHTTP/1.1 200 OK\r\ncontent-type.*connection: close\r\n\r\n"),
    (TEXT.padded(10 << 20), rb"content-length: 10485760\r\n\r\n(0123456789){4} {10485720}\Z"),
    (body({"a": 1}).deep(3), rb'\{"deep":\[\[\[\]\]\],"a": 1\}\Z'),
    (proposal().envelope(done=False, more=None), rb'"done": false.*"more": null\}\Z'),
    (say(deep(1000)), rb'"content":"\[{1000}\]{1000}"'),
    (raw("no http"), rb"\Ano http\Z"),
    (garbage(), rb"\A[^H].{4095}\Z"),
    (html(502), rb"502 Bad Gateway\r\n.*text/html; charset=UTF-8.*<h1>502 Bad Gateway</h1>"),
    (redirect(307, "https://x/"), rb"307 Temporary Redirect\r\n.*content-length: 0\r\nlocation: https://x/\r\n\r\n\Z"),
    (error(429, retry_after=1.5), rb"429 Too Many Requests\r\n.*retry-after: 1.5\r\n"),
    (error(503, retry_after=http_date(3), message="busy"),
     rb'retry-after: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\r\n\r\n\{"error":"busy"\}'),
    (error(500), rb"500 Internal Server Error\r\n(?!.*retry-after)"),
    (close(), rb"\A\Z"),
]


@pytest.mark.parametrize("step, pattern", SENT, ids=[str(number) for number in range(len(SENT))])
def test_what_is_sent(mock, step, pattern):
    data, end = ask(mock, step)
    assert re.search(pattern, data, re.DOTALL), data[:500]
    assert end == "closed"


def test_gzip_though_not_asked(mock):
    response, data = Client(mock.on(OLLAMA, TEXT.gzip())).send().answer()
    assert response.getheader("content-encoding") == "gzip"
    assert gzip.decompress(data) == b"0123456789" * 4


def test_every_split_is_a_good_answer(mock):
    """And each chunk arrives alone: none is read with the one before."""
    plain = proposal()
    script = every_split(plain, mock.example())
    mock.on(OLLAMA, *script)
    client = Client(mock)
    for number in range(1, len(script) + 1):
        response, data = client.send().answer()
        assert data == plain.payload(mock.requests[0])[1] and response.chunked
    assert len(script) == len(data) - 1
    assert [request.reused for request in mock.requests] == [False] + [True] * (len(script) - 1)


@pytest.mark.parametrize("part, singles", [("all", slice(0, None)), ("head", slice(0, 80)), ("body", slice(-40, None))])
def test_one_byte_at_a_time(mock, part, singles):
    mock.on(OLLAMA, TEXT.drip(part=part).then_close())
    found, end = Client(mock).send().reads(rest=0.001)
    assert end == "closed" and {len(one) for one in found[singles]} == {1}
    assert part == "all" or max(map(len, found)) > 30


def test_slow_head(mock):
    mock.on(OLLAMA, TEXT.drip(0.004, size=10, part="head").then_close())
    began = time.monotonic()
    found, _ = Client(mock).send().reads()
    assert len(found) >= 10 and time.monotonic() - began > 0.035


def test_writes_end_where_ordered(mock):
    mock.on(OLLAMA, TEXT.writes(3, 20).then_close())
    found, _ = Client(mock).send().reads()
    assert [len(one) for one in found[:2]] == [3, 17]


PLACES = [("start", rb"\A\Z"), ("interim", rb"\AHTTP/1.1 103.*\r\n\r\n\Z"),
          ("head", rb"HTTP/1.1 2.*[^\n]\Z"), ("headers", rb"chunked\r\n\r\n\Z"),
          ("body", rb"\r\n\r\n.{32}\Z"), ("chunk", rb"\r\n\r\na\r\n0123456789\r\n\Z"),
          ("last chunk", rb"\r\n\r\n(a\r\n0123456789\r\n){4}\Z"),
          ("end", rb"\r\n0\r\n\r\n\Z"), (5, rb"\AHTTP/\Z"), (-2, rb"\r\n0\r\n\Z")]


@pytest.mark.parametrize("at, pattern", PLACES)
def test_ends_at_each_stage(mock, at, pattern):
    step = TEXT.informational(103).chunked(every=10)
    for order, end in ((step.reset(at), "reset"), (step.close(at), "closed")):
        data, seen = Client(mock.on(OLLAMA, order)).send().all()
        assert seen == end and re.search(pattern, data, re.DOTALL), data
        assert mock.connections[-1].wait_closed()
        assert mock.connections[-1].server_end == end and mock.connections[-1].client_end is None
        assert not mock.requests[-1].answered


@pytest.mark.parametrize("at, pattern", PLACES)
def test_hangs_at_each_stage(mock, at, pattern):
    client = Client(mock.on(OLLAMA, TEXT.informational(103).chunked(every=10).hang(at))).send()
    mock.wait_requests()  # from here on it hangs: at the start, silence alone says nothing of that
    data, end = client.all_of(pattern)
    assert end == "silence" and re.search(pattern, data, re.DOTALL), data
    assert mock.connections[0].closed is None
    client.sock.close()
    mock.connections[0].wait_closed()
    assert mock.connections[0].client_end == "closed"


@pytest.mark.parametrize("order, end", [
    ("reset", "reset"), ("reset at hello", "reset"), ("close", "closed"), ("hang", "silence"), (b"SSH-2.0-x\r\n", "closed")])
def test_what_befalls_a_connection(mock, order, end):
    mock.at_connect(order, "serve")
    try:
        client = Client(mock)
        if "hello" in str(order):
            assert client.all(quiet=0.05) == (b"", "silence")
            client.send()
        data, seen = client.all(quiet=0.1) if end == "silence" else client.all()
    except ConnectionResetError:  # it may be so quick that it is connect() that tells
        assert order == "reset"
        data, seen = b"", "reset"
    assert (data, seen) == (order if isinstance(order, bytes) else b"", end)
    assert mock.requests == []
    assert Client(mock).send().answer()[0].status == 200


def test_delay_ends_with_the_client(mock):
    client = Client(mock.on(OLLAMA, hang(), proposal().delay(0.05))).send()
    mock.wait_requests()
    client.sock.close()
    mock.connections[0].wait_closed()
    began = time.monotonic()
    assert Client(mock).send().answer()[0].status == 200
    assert time.monotonic() - began >= 0.05


def test_full_queue_drops_the_next():
    with MockServer(full=True) as server:
        with pytest.raises(TimeoutError), socket.socket() as sock:
            sock.settimeout(0.3)
            sock.connect((server.host, server.port))


def test_stale_keep_alive(mock):
    mock.on(OLLAMA, proposal().then_close(after=0.05), proposal().then_drop(), proposal().then_drop(reset=True))
    for end in ("idle", "closed", "reset"):
        client = Client(mock)
        assert client.send().answer()[0].will_close is False
        if end == "idle":
            mock.connections[0].wait_closed()
            assert mock.connections[0].closed - mock.requests[0].at >= 0.05
            assert client.all() == (b"", "closed")
        else:
            assert client.send().all() == (b"", end)
            assert mock.requests[-1].reused and not mock.requests[-1].answered


def test_cold_model(mock):
    mock.cold(warm=600)

    def resident():
        return json.loads(Client(mock).send(PS, method="GET").answer()[1])["models"]

    warm_up = {"model": "qwen2.5:7b", "messages": [], "keep_alive": "10m"}
    assert resident() == []
    waits = Client(mock).send()
    gone = Client(mock).send(message=warm_up)
    mock.wait_requests(3)
    gone.sock.close()
    mock.connections[2].wait_closed()
    assert resident() == [] and waits.all(quiet=0.1) == (b"", "silence")

    mock.cold(warm=0.05)
    mock.on(WARM_UP, error(500), steps.Step(steps.Said("")))
    assert Client(mock).send(message=warm_up).answer()[0].status == 500
    assert resident() == []
    assert json.loads(Client(mock).send(message=warm_up).answer()[1])["done_reason"] == "load"
    assert "qwen2.5:7b" in [one["name"] for one in resident()]
    assert waits.answer()[0].status == 200

    mock.cold(load=0.05)
    assert Client(mock).send().answer()[0].status == 200
    assert resident() != []


def test_ipv6_and_partial_requests(mocks):
    server = mocks(host="::1")
    assert server.url == f"http://[::1]:{server.port}"
    client = Client(server)
    client.sock.sendall(b"POST / HT")
    client.sock.close()
    server.wait_for("a connection", lambda: server.connections)
    server.connections[0].wait_closed()
    assert server.requests == [] and server.connections[0].partial == b"POST / HT"


def test_pipelined_bytes_are_complained_of():
    with MockServer() as server:
        client = Client(server)
        data = json.dumps(GOOD[OLLAMA])
        client.sock.sendall(f"POST {OLLAMA} HTTP/1.1\r\nhost: {server.authority}\r\ncontent-type: application/json\r\n"
                            f"content-length: {len(data)}\r\n\r\n{data}POST".encode())
        assert client.answer()[0].status == 400
        assert "more bytes" in server.complaints[0]


def test_program(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("server.on(OLLAMA, error(418, message='by hand'))\n")
    program = pathlib.Path(steps.__file__).with_name("server.py")
    process = subprocess.Popen([sys.executable, program, "--script", script], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    try:
        connection = http.client.HTTPConnection("127.0.0.1", int(process.stdout.readline()), timeout=LIMIT)
        connection.request("POST", OLLAMA, json.dumps(GOOD[OLLAMA]), PLAIN)
        response = connection.getresponse()
        assert (response.status, json.load(response)) == (418, {"error": "by hand"})
    finally:
        process.kill()
        process.communicate()


# -- TLS --

def trusting(certificates, version=None):
    context = ssl.create_default_context(cafile=certificates.roots)
    context.options &= ~0x80  # SSL_OP_IGNORE_UNEXPECTED_EOF, which Python sets and has no name for
    if version:
        context.minimum_version = context.maximum_version = version
    return context


@pytest.mark.parametrize("name, key", [("rsa", "RSA"), ("p256", "ECDSA"), ("p384", "ECDSA")])
def test_tls_12_with_each_key(mocks, certificates, name, key):
    server = mocks(tls=Tls(getattr(certificates, name), maximum="1.2"))
    assert Client(server, trusting(certificates)).send(ANTHROPIC).answer()[0].status == 200
    connection = server.connections[0]
    assert connection.tls_version == "TLSv1.2" and f"-{key}-" in connection.cipher
    assert connection.sni == "localhost" and not connection.resumed and connection.handshake_error is None
    assert server.url.startswith("https://localhost:")


@pytest.mark.parametrize("tickets", [True, False])
def test_tls_sessions_are_resumed(mocks, certificates, tickets):
    server = mocks(tls=Tls(certificates.p256, maximum="1.2", tickets=tickets))
    context = trusting(certificates)
    client = Client(server, context)
    client.send().answer()
    assert client.sock.session.has_ticket is tickets
    again = Client(server, context, client.sock.session)
    again.send().answer()
    assert again.sock.session_reused and [one.resumed for one in server.connections] == [False, True]


def test_tls_versions_and_ciphers(mocks, certificates):
    def handshake(version, **how):
        server = mocks(tls=Tls(certificates.rsa, **how))
        context = trusting(certificates, version)
        context.set_ciphers("ALL:@SECLEVEL=0")
        Client(server, context).send().answer()
        return server.connections[0]

    v = ssl.TLSVersion
    assert handshake(v.TLSv1_3, minimum="1.3").tls_version == "TLSv1.3"
    with pytest.warns(DeprecationWarning):
        assert handshake(v.TLSv1, minimum="1.0", maximum="1.0").tls_version == "TLSv1"
        assert handshake(v.TLSv1_1, minimum="1.0", maximum="1.1").tls_version == "TLSv1.1"
    assert handshake(v.TLSv1_2, ciphers="AES128-SHA").cipher == "AES128-SHA"
    with pytest.raises(ssl.SSLError):
        handshake(v.TLSv1_2, minimum="1.3")
    with pytest.raises(ssl.SSLError):
        handshake(v.TLSv1_2, maximum="1.1", minimum="1.0")


@pytest.mark.parametrize("step, end", [
    (TEXT.until_close(), "closed"), (TEXT.until_close().no_notify(), "ragged"), (TEXT.close("body"), "closed"),
    (TEXT.close("body").no_notify(), "ragged"), (TEXT.reset("body"), "reset"), (TEXT.then_close().no_notify(), "ragged")])
def test_tls_ends(mocks, certificates, step, end):
    server = mocks(tls=Tls(certificates.p256, maximum="1.2"))
    data, seen = Client(server.on(OLLAMA, step), trusting(certificates)).send().all()
    assert seen == end and b"\r\n\r\n0123" in data


@pytest.mark.parametrize("order", ["reset", "reset at hello", "hang", "close", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_tls_handshake_that_fails(mocks, certificates, order):
    server = mocks(tls=certificates.p256).at_connect(order)
    with pytest.raises((OSError, ssl.SSLError)) as caught:
        sock = socket.create_connection((server.host, server.port), timeout=0.3 if order == "hang" else LIMIT)
        with trusting(certificates).wrap_socket(sock, server_hostname="localhost"):
            pass
    seen = {"hang": TimeoutError, "close": (ssl.SSLError, ConnectionResetError)}
    assert isinstance(caught.value, seen.get(order, ConnectionResetError if isinstance(order, str) else ssl.SSLError))
    assert server.requests == []


def test_tls_reset_behind_the_handshake(mocks, certificates):
    server = mocks(tls=Tls(certificates.p256, maximum="1.2")).at_connect("reset at secured")
    assert Client(server, trusting(certificates)).all() == (b"", "reset")


def test_tls_records_one_byte_at_a_time(mocks, certificates):
    server = mocks(tls=Tls(certificates.p256, maximum="1.2"), drip=1)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting(certificates).wrap_bio(incoming, outgoing, server_hostname="localhost")
    sizes = []
    with socket.create_connection((server.host, server.port), timeout=LIMIT) as sock:
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                sock.sendall(outgoing.read())
                data = sock.recv(65536)
                sizes.append(len(data))
                incoming.write(data)
        sock.sendall(outgoing.read())
    assert len(sizes) > 500 and set(sizes) == {1}


def test_refused_certificate_is_on_record(mocks, certificates):
    server = mocks(tls=Tls(certificates.unknown_root, maximum="1.2"))
    with pytest.raises(ssl.SSLCertVerificationError):
        Client(server, trusting(certificates))
    server.wait_for("the connection", lambda: server.connections)
    server.connections[0].wait_closed()
    assert server.connections[0].handshake_error == "TLSV1_ALERT_UNKNOWN_CA"


@pytest.mark.parametrize("name, how, verdict", [
    ("rsa", "-verify_hostname localhost", "OK"),
    ("p256", "-verify_hostname localhost", "OK"),
    ("p384", "-verify_hostname models.test", "OK"),
    ("ed25519", "-verify_hostname localhost", "OK"),
    ("rsa_pss", "-verify_hostname localhost", "OK"),
    ("ip_only", "-verify_ip 127.0.0.1", "OK"),
    ("ip_only", "-verify_ip ::1", "OK"),
    ("ip_only", "-verify_hostname localhost", "hostname mismatch"),
    ("wrong_name", "-verify_hostname localhost", "hostname mismatch"),
    ("expired", "", "certificate has expired"),
    ("not_yet_valid", "", "certificate is not yet valid"),
    ("self_signed", "", "self-signed certificate"),
    ("unknown_root", "", "error 20 at 1 depth"),
    ("missing_intermediate", "", "error 20 at 0 depth"),
])
def test_certificates_are_what_they_are_called(certificates, name, how, verdict):
    chain = getattr(certificates, name)
    done = subprocess.run(["openssl", "verify", "-x509_strict", "-CAfile", certificates.roots, "-untrusted", chain.cert,
                           *how.split(), chain.cert], capture_output=True, text=True, check=False)
    assert verdict in done.stdout + done.stderr and (done.returncode == 0) == (verdict == "OK")


def test_keys_are_what_they_are_called(certificates):
    for name, says in (("rsa", "Public-Key: (2048 bit)"), ("p256", "prime256v1"), ("p384", "secp384r1"),
                       ("rsa_pss", "rsassaPss"), ("ed25519", "ED25519")):
        chain = getattr(certificates, name)
        text = subprocess.run(["openssl", "x509", "-in", chain.cert, "-noout", "-text"], capture_output=True, text=True,
                              check=True).stdout
        assert says in text, name
        assert chain.cert.read_text().count("BEGIN CERTIFICATE") == 2
