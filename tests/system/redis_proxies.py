"""What may stand between a planner and its Redis server, or in its place: a proxy that cuts, splits
and holds back, a scripted server that lies."""

import contextlib
import socket
import ssl
import struct
import threading
import time

from agent import WAIT
from redis_peers import read_value


class Link:
    """A connection through a proxy. asked, answered: the bytes that came from the planner, and those
    that went to it. times: when anything came, from either side."""

    def __init__(self, proxy, client, server):
        self.proxy, self.client, self.server = proxy, client, server
        self.at, self.ended = time.monotonic(), None
        self.asked, self.answered, self.times = bytearray(), bytearray(), []
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.pump, args=(client, server, self.asked, "up"), daemon=True),
                        threading.Thread(target=self.pump, args=(server, client, self.answered, "down"), daemon=True)]
        for one in self.threads:
            one.start()

    def pump(self, source, target, record, way):
        try:
            while data := source.recv(65536):
                self.times.append(time.monotonic())
                self.proxy.gate[way].wait()
                if self.proxy.delay:
                    time.sleep(self.proxy.delay)
                if self.proxy.bend is not None:
                    data = self.proxy.bend(self, way, data)
                room = self.proxy.cut_after.get(way)
                if room is not None and len(record) + len(data) >= room:
                    target.sendall(data[:max(0, room - len(record))])
                    break
                record += data
                if way == "down":
                    with self.lock:
                        self.put(target, data)
                else:
                    self.put(target, data)
        except OSError:
            pass
        self.cut()

    def put(self, target, data):
        if not self.proxy.split:
            target.sendall(data)
            return
        for at in range(len(data)):
            target.sendall(data[at:at + 1])

    def inject(self, data):
        """As if the server had said it."""
        with self.lock:
            self.client.sendall(data)

    def cut(self, reset=False):
        if reset:
            with contextlib.suppress(OSError):
                self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # The server first: else the planner could be back before it gives up on this one.
        for one in (self.server, self.client):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        if reset:
            self.client.close()
        self.ended = self.ended or time.monotonic()

    def join(self):
        self.cut()
        for one in self.threads:
            one.join(WAIT)
        self.client.close()
        self.server.close()


class Proxy:
    """On 127.0.0.1, before a server. What it does can be changed while it runs:

    split: one byte a write; delay: seconds before each write; bend: a function of (link, way, data)
    that returns other data; cut_after: {"up" or "down": so many bytes a connection}; hold("up" or
    "down") keeps all bytes of that way until release(); cut() ends what there is; closed(): new
    connections are taken and ended at once; down(), up(): nobody listens."""

    def __init__(self, target, split=False, delay=0.0, host="127.0.0.1"):
        self.target, self.split, self.delay, self.host = target, split, delay, host
        self.bend, self.cut_after = None, {}
        self.gate = {"up": threading.Event(), "down": threading.Event()}
        self.release()
        self.ends_at_once = False
        self.links, self.accepts, self.port = [], [], 0
        self.listener = None

    def __enter__(self):
        self.up()
        return self

    def up(self):
        self.listener = socket.create_server((self.host, self.port), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.accept, args=(self.listener,), daemon=True)
        self.thread.start()

    def down(self):
        """Connections stay: cut() ends them."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(WAIT)
        self.listener.close()

    def accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.accepts.append(time.monotonic())
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                if self.ends_at_once:
                    client.settimeout(WAIT)
                    client.recv(65536)  # else it would be a reset
                    raise OSError
                server = self.target.connect()
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            self.links.append(Link(self, client, server))

    @property
    def url(self):
        return self.url_of()

    def url_of(self, user=None, password=None, db=None):
        login = "" if password is None else f"{user or ''}:{password}@"
        return f"redis://{login}{self.host}:{self.port}" + ("" if db is None else f"/{db}")

    def living(self):
        return [one for one in self.links if one.ended is None]

    def link(self, text):
        """The living one on which the planner said this, such as b"SUBSCRIBE"."""
        return next((one for one in self.living() if text in one.asked), None)

    def hold(self, *ways):
        for way in ways or ("up", "down"):
            self.gate[way].clear()

    def release(self):
        for gate in self.gate.values():
            gate.set()

    def cut(self, reset=False):
        for one in self.living():
            one.cut(reset)

    def inject(self, data, text=None):
        """To all, or where the planner said this text."""
        for one in self.living():
            if text is None or text in one.asked:
                with contextlib.suppress(OSError):
                    one.inject(data)

    def __exit__(self, *_):
        self.release()
        self.down()
        for one in self.links:
            one.join()


class Scripted:
    """A server that answers as told, and else as Redis would to a planner that logs in. answers:
    {"PING": bytes, a function of the arguments that returns bytes, None = silence, or "close"}.
    asked: the commands, in order, as lists. greeting: sent to whoever connects."""

    DEFAULT = {"PING": b"+PONG\r\n", "CLIENT": b"+OK\r\n", "SELECT": b"+OK\r\n", "AUTH": b"+OK\r\n", "HSET": b":1\r\n",
               "PEXPIRE": b":1\r\n", "DEL": b":1\r\n", "PUBLISH": b":0\r\n", "XADD": b"$3\r\n1-1\r\n", "EVAL": b"$-1\r\n"}

    def __init__(self, answers=None, greeting=b"", host="127.0.0.1", tls=None):
        self.answers, self.greeting, self.host = dict(answers or {}), greeting, host
        self.context = None
        if tls is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(tls.cert, tls.key)
        self.asked, self.accepts, self.open = [], [], []

    def __enter__(self):
        self.listener = socket.create_server((self.host, 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.url = f"redis://{self.host}:{self.port}"
        self.threads = [threading.Thread(target=self.accept, daemon=True)]
        self.threads[0].start()
        return self

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.accepts.append(time.monotonic())
            asked = []
            self.open.append((client, asked))
            self.threads.append(threading.Thread(target=self.run, args=(client, asked), daemon=True))
            self.threads[-1].start()

    def run(self, client, asked):
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context:
                client = self.context.wrap_socket(client, server_side=True)
            if self.greeting:
                client.sendall(self.greeting)
            stream = client.makefile("rb")
            while True:
                args = read_value(stream)
                self.asked.append(args)
                asked.append(args)
                answer = self.answer(args)
                if answer == "close":
                    break
                if answer is not None:
                    client.sendall(answer)
        except (OSError, EOFError, ValueError, AssertionError):
            pass
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
        client.close()

    def answer(self, args):
        name = args[0].upper()
        usual = self.subscribed if name == "SUBSCRIBE" else self.DEFAULT.get(name, b"-ERR unknown command\r\n")
        answer = self.answers.get(name, usual)
        return answer(args) if callable(answer) else answer

    def subscribed(self, args):
        return b"".join(b"*3\r\n$9\r\nsubscribe\r\n$%d\r\n%b\r\n:%d\r\n" % (len(one), one.encode(), number)
                        for number, one in enumerate(args[1:], 1))

    def push(self, data, name=None):
        """To whoever is there (and has given this command), as a server does that was not asked."""
        for client, asked in list(self.open):
            if name is None or name in [args[0].upper() for args in asked]:
                with contextlib.suppress(OSError):
                    client.sendall(data)

    def names(self):
        return [args[0].upper() for args in list(self.asked)]

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.threads[0].join(WAIT)
        for client, _ in self.open:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(WAIT)
        for one in (self.listener, *(client for client, _ in self.open)):
            one.close()
