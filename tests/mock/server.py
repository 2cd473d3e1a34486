"""A scripted server that speaks the APIs of Ollama, Anthropic and OpenAI, and misbehaves on order.

    from server import MockServer
    from steps import error, proposal, refusal, say
    from apis import ANTHROPIC, OLLAMA, OPENAI, PS, WARM_UP
    from wire import Tls

    # 1. Left alone, each API answers with a valid proposal. Every request is on record, and what
    #    the real server would refuse is refused and on record too.
    with MockServer() as server:
        agent.run_once(env={"LLM_CHAIN": "ollama", "OLLAMA_API_BASE": server.url})
        assert server.paths == ["/api/chat"] and server.complaints == []
        assert server.requests[0].json["stream"] is False

    # 2. A queue of steps for each path, and for each model of a path; the last step repeats.
    with MockServer() as server:
        server.on(OLLAMA, error(503), proposal(action="notify").chunked(at=[10, 11]).drip())
        server.on(ANTHROPIC, refusal(), model="claude-haiku-4-5")
        server.on(ANTHROPIC, error(429, retry_after=1), proposal(), model="claude-sonnet-4-6")
        server.on(OPENAI, proposal().reset("body"), say("nie wiem"), proposal().lengths(0, 1))

    # 3. Over TLS, with resumption by session id alone, and a client that is cut off.
    with MockServer(tls=Tls(certificates.rsa, maximum="1.2", tickets=False)) as server:
        server.on(ANTHROPIC, proposal().until_close().no_notify(), proposal())
        env = {"ANTHROPIC_API_BASE": server.url, "SSL_CERT_FILE": certificates.roots}
        ...
        assert server.connections[1].resumed and server.connections[1].sni == "localhost"

In pytest the fixtures mock, mocks and certificates (mock_fixtures.py) do the starting, and fail a
test whose servers had anything to complain of. What can be ordered of an answer stands in steps.py.
What befalls a connection before its first request is said with at_connect(). cold() makes the model
one that has yet to be loaded. As a program: server.py [--script FILE] [--host HOST] prints its port
and then one line a request; FILE is Python, with `server` and all of steps.py and apis.py at hand."""

import argparse
import collections
import json
import re
import runpy
import socket
import ssl
import sys
import threading
import time

import apis
import steps
from apis import ANTHROPIC, MODELS, OLLAMA, OPENAI, WARM_UP
from request import Request
from wire import Channel, Gone, Tls, full_listener

WAIT = 60.0  # seconds; a bound for what happens at once on an idle machine


class Connection:
    """One client. opened, closed (monotonic), requests, partial (bytes that became no request),
    client_end: how the client left where it did so first (closed, notify, reset), server_end: how
    we ended it (closed, reset). Under TLS: tls_version, cipher, resumed, sni, handshake_error."""

    def __init__(self, server, sock, index):
        self.server, self.index = server, index
        # Of two clients the first has the first one, whichever thread is the first to run.
        self.order = server.take(server.connect_orders) or "serve"
        self.opened, self.closed = time.monotonic(), None
        self.requests, self.partial = [], b""
        self.client_end = self.server_end = None
        self.tls_version = self.cipher = self.resumed = self.sni = self.handshake_error = None
        self.channel = Channel(sock, server.context, server.drip)
        self.buffer = b""

    def run(self):
        channel = self.channel
        channel.notify = self.server.notify
        try:
            if self.enter() and (self.server.context is None or self.secure()):
                self.serve()
        except Gone:
            pass
        except Exception as error:  # a fault of the mock's own, which the test must not miss
            self.server.faults.append(error)
        finally:
            self.client_end = None if channel.ended or channel.stopped else channel.eof
            channel.close()
            self.server_end = channel.ended
            self.partial = self.buffer
            self.closed = time.monotonic()

    def enter(self):
        """What at_connect() ordered; False where nothing is to follow."""
        if isinstance(self.order, bytes):
            self.channel.push(self.order)
            return False
        what, _, when = self.order.partition(" at ")
        if when == "hello":
            self.channel.peek()
        elif when == "secured":
            self.secure()
        if what == "reset":
            self.channel.reset()
        elif what == "hang":
            self.channel.wait()
        return what == "serve"

    def secure(self):
        tls = self.channel.tls
        try:
            self.channel.secure()
        except ssl.SSLError as error:
            self.handshake_error = error.reason or str(error)
        except Gone:
            self.handshake_error = f"client {self.channel.eof}"
        self.sni = tls.sni
        if self.handshake_error:
            return False
        self.tls_version, self.cipher, self.resumed = tls.version(), tls.cipher()[0], tls.session_reused
        return True

    def serve(self):
        server, channel = self.server, self.channel
        ending = "keep"
        while (request := self.read()) is not None:
            if ending in ("drop", "reset"):
                if ending == "reset":
                    channel.reset()
                return
            step = server.step_for(request)
            channel.notify = server.notify and step.notify
            ending = step.ending
            if ending == "keep" and (request.header("connection") or "").lower() == "close":
                ending = "close"
            if request.path == OLLAMA:
                server.load(channel, request)
            if request.warm_up and step.status == 200:
                server.loaded.set()
            request.began = time.monotonic()
            step.play(channel, request)
            # In this order: who sees that it is answered looks at the seconds.
            request.seconds, request.answered = time.monotonic() - request.at, True
            if ending == "close":
                channel.wait(step.idle_seconds)
                return

    def read(self):
        """The next request, on record; None when there is none."""
        while b"\r\n\r\n" not in self.buffer:
            if not self.fill():
                return None
        head, _, rest = self.buffer.partition(b"\r\n\r\n")
        sizes = re.findall(rb"(?im)^content-length:[ \t]*(.*?)[ \t]*\r?$", head)
        size = int(sizes[0]) if len(sizes) == 1 and re.fullmatch(rb"\d{1,9}", sizes[0]) else 0
        while len(rest) < size:
            if not self.fill():
                return None
            rest = self.buffer[len(head) + 4:]
        raw, self.buffer = self.buffer[:len(head) + 4 + size], self.buffer[len(head) + 4 + size:]
        request = self.server.record(raw, head, rest[:size], self)
        if sizes and len(sizes) != 1 or b"transfer-encoding" in head.lower():
            request.complaints.append("no single content-length")
        if self.buffer or self.channel.pending:
            request.complaints.append(f"more bytes behind the request: {(self.buffer + self.channel.pending)[:40]!r}")
        return request

    def fill(self):
        data = self.channel.receive()
        self.buffer += data
        return bool(data)

    def wait_closed(self, seconds=WAIT):
        return self.server.wait_for(f"the end of connection {self.index}", lambda: self.closed, seconds)


class MockServer:
    """host: also ::1. name: the host in url (default: localhost under TLS, else the address). tls: a
    certificate chain or a Tls. models: those that exist (default: any). key: the only one that
    /v1/ is open to (default: any). drip: so many bytes a TCP write, TLS records too. notify=False:
    no connection ends with a close-notify. full: never accepts, and its queue is full, so that the
    next SYN is dropped."""

    def __init__(self, host="127.0.0.1", tls=None, name=None, models=None, key=None, drip=0, notify=True, full=False):
        self.host, self.models, self.key, self.drip, self.notify, self.full = host, models, key, drip, notify, full
        self.tls = tls if tls is None or isinstance(tls, Tls) else Tls(tls)
        self.context = self.tls.context() if self.tls else None
        self.name = name or ("localhost" if tls else f"[{host}]" if ":" in host else host)
        self.scripts = {}
        self.connect_orders = collections.deque()
        self.requests, self.connections, self.faults = [], [], []
        self.loaded = threading.Event()
        self.loaded.set()
        self.load_seconds = self.warm_seconds = 0.0
        self.lock = threading.RLock()
        self.threads, self.fillers = [], []
        self.listener = None

    # -- its life --

    def __enter__(self):
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        if self.full:
            self.listener, self.fillers = full_listener(family, (self.host, 0))
        else:
            self.listener = socket.create_server((self.host, 0), family=family, backlog=128)
            self.start(self.accept)
        return self

    def __exit__(self, kind, _value, _trace):
        if not self.full:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.threads[0].join(WAIT)
        for connection in self.connections:
            connection.channel.stop()
        for thread in self.threads:
            thread.join(WAIT)
            assert not thread.is_alive(), "a connection that does not end"
        for sock in (self.listener, *self.fillers):
            sock.close()
        if kind is None and self.faults:
            raise self.faults[0]

    def start(self, target):
        thread = threading.Thread(target=target, daemon=True)
        self.threads.append(thread)
        thread.start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                connection = Connection(self, sock, len(self.connections))
                self.connections.append(connection)
            self.start(connection.run)

    # -- where it is --

    @property
    def port(self):
        return self.listener.getsockname()[1]

    @property
    def authority(self):
        return f"{self.name}:{self.port}"

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://{self.authority}"

    # -- what it is to do --

    def on(self, path, *script, model=None):
        """The steps for this path (and model), in place of those before; the last one repeats.
        WARM_UP is the path of a chat without messages. A path of which nothing was said answers
        well, or 404."""
        assert script, "no steps"
        with self.lock:
            self.scripts[path, model] = collections.deque(script)
        return self

    def at_connect(self, *orders):
        """For each connection, before its first request: serve, reset, close, hang, each also "at
        hello" (its first bytes are there, and unread) and "at secured" (behind the handshake, but
        for serve); or bytes, which are sent as they are before it is closed. The last repeats."""
        with self.lock:
            self.connect_orders = collections.deque(orders)
        return self

    def cold(self, load=None, warm=0.0):
        """From now on no model is resident. A chat waits for that many seconds while it is loaded
        (None: until a warm-up is answered), a warm-up for warm seconds; a client that hangs up ends
        the loading."""
        self.load_seconds, self.warm_seconds = load, warm
        self.loaded.clear()
        return self

    def resident(self, names):
        """Those that exist, and those that somebody talked to."""
        known = {*names, *(one.model for one in self.asked(OLLAMA) if isinstance(one.model, str))}
        return known if self.loaded.is_set() else set()

    def load(self, channel, request):
        if self.loaded.is_set():
            return
        seconds = self.warm_seconds if request.warm_up else self.load_seconds
        end = None if seconds is None else time.monotonic() + seconds
        while not self.loaded.is_set():
            if end is not None and time.monotonic() >= end:
                if not request.warm_up:  # whether that one loads it is for its step to say
                    self.loaded.set()
                return
            steps.wait(channel, 0.01)

    @staticmethod
    def take(queue):
        if not queue:
            return None
        return queue.popleft() if len(queue) > 1 else queue[0]

    def step_for(self, request):
        status = request.examine(self)
        if status is not None:
            return steps.error(status, message="; ".join(request.complaints) or None)
        path = WARM_UP if request.warm_up else request.path
        with self.lock:
            step = self.take(self.scripts.get((path, request.model)) or self.scripts.get((path, None)))
        if step is None:
            return self.usual(request)
        return step(request) if callable(step) else step

    def usual(self, request):
        if request.path in (OLLAMA, ANTHROPIC, OPENAI):
            return steps.proposal()
        found = apis.api_of(request).get(request, self) if request.method == "GET" else None
        if found is None:
            return steps.error(404, message="model not found" if request.path.startswith(MODELS) else None)
        step = steps.body(found[1])
        return step.more("headers", *found[0])

    # -- what it has seen --

    def record(self, raw, head, data, connection):
        with self.lock:
            request = Request(raw, head, data, connection, len(self.requests))
            connection.requests.append(request)
            self.requests.append(request)
        return request

    @property
    def paths(self):
        return [request.path for request in self.requests]

    def asked(self, path, model=None):
        """The requests for this path, and of this model."""
        return [one for one in self.requests if one.path == path and model in (None, one.model)]

    @property
    def complaints(self):
        return [f"{request.method} {request.target}: {one}" for request in list(self.requests) for one in request.complaints]

    def example(self, path=OLLAMA, model="qwen2.5:7b"):
        """A request that never came: what an answer to it looks like, steps tell."""
        return Request(b"", f"POST {path} HTTP/1.1\r\n".encode(), json.dumps({"model": model}).encode())

    def wait_for(self, what, seen, seconds=WAIT):
        end = time.monotonic() + seconds
        while not (value := seen()):
            assert time.monotonic() < end, f"waited {seconds} s in vain: {what}; {self.requests}"
            time.sleep(0.005)
        return value

    def wait_requests(self, count=1, path=None, seconds=WAIT):
        """Until that many have come; all of them."""
        def seen():
            found = self.asked(path) if path else list(self.requests)
            return found if len(found) >= count else None

        return self.wait_for(f"{count} requests for {path or 'anything'}", seen, seconds)


def main():
    parser = argparse.ArgumentParser(description="A scripted model server.")
    parser.add_argument("--script", help="Python that says server.on(...)")
    parser.add_argument("--host", default="127.0.0.1")
    options = parser.parse_args()
    with MockServer(options.host) as server:
        if options.script:
            names = {name: getattr(module, name) for module in (steps, apis) for name in dir(module)}
            runpy.run_path(options.script, {**names, "server": server})
        print(server.port, flush=True)
        said = 0
        while True:
            server.wait_for("a request", lambda: len(server.requests) > said, float("inf"))
            request = server.requests[said]
            said += 1
            print(request, *request.complaints, sep="; ", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
