"""A real Redis server, a client that looks at what planners did there, and planners that share it.
(What stands between the two, or lies, is in redis_proxies.py.)

    with Redis() as redis:                      on a unix socket, data kept over kill() and restart()
        agent.start(env=bus(redis))
        wait_subscribed(redis)
        redis("PUBLISH", "health_events", json.dumps(fault()))
        with Proxy(redis) as proxy: ...         proxy.url; over TCP

A reply is None, an int, a str, or a list of such; an error is raised as RedisError at the top level and
stands in a list as one. The fixtures redis and redises start servers and end them."""

import contextlib
import datetime
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import urllib.parse

import pytest

from agent import WAIT, Agent, Tree, wait_for

CHANNELS = ("health_events", "world_updates")
METRICS = "llm_router_metrics"
# What can be tested here: Debian may have forks, which take the same commands. The tests run with
# REDIS_SERVER where it is set, else with the first that is there.
PROGRAMS = [os.environ["REDIS_SERVER"]] if os.environ.get("REDIS_SERVER") else [
    name for name in ("redis-server", "valkey-server", "keydb-server") if shutil.which(name)]


class RedisError(Exception):
    pass


def command(*args):
    """As it goes over the wire."""
    parts = [one if isinstance(one, bytes) else str(one).encode() for one in args]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(one), one) for one in parts)


def read_value(stream):
    """One RESP2 value off a file; EOFError where it ends."""
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        raise EOFError(f"cut off: {line!r}")
    kind, text = line[:1], line[1:-2]
    if kind == b"+":
        return text.decode()
    if kind == b"-":
        return RedisError(text.decode())
    if kind == b":":
        return int(text)
    if kind == b"$":
        if int(text) < 0:
            return None
        data = stream.read(int(text) + 2)
        if len(data) != int(text) + 2:
            raise EOFError("cut off in a string")
        return data[:-2].decode("utf-8", "surrogateescape")
    assert kind == b"*", line
    return None if int(text) < 0 else [read_value(stream) for _ in range(int(text))]


class Client:
    """One connection of the test's own."""

    def __init__(self, sock):
        self.sock, self.stream = sock, sock.makefile("rb")

    def __call__(self, *args):
        return self.all([args])[0]

    def all(self, commands, slice=2000):
        """Many in one go; their replies."""
        commands, replies = list(commands), []
        for at in range(0, len(commands), slice):
            part = commands[at:at + slice]
            self.sock.sendall(b"".join(command(*one) for one in part))
            replies += [read_value(self.stream) for _ in part]
        for one in replies:
            if isinstance(one, RedisError):
                raise one
        return replies

    def close(self):
        for one in (self.stream, self.sock):
            with contextlib.suppress(OSError):
                one.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def quoted(text):
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


class Redis:
    """redis-server on a unix socket, and where asked for on TCP (tcp=True) or TLS (tls: a chain of
    Certificates) ports. acl: lines behind "user". Everything else is its configuration, with _ for -.
    It keeps its data in an append-only file unless told otherwise."""

    def __init__(self, *, tcp=False, tls=None, host="127.0.0.1", password=None, acl=(), program=None,
                 prefix=(), **settings):
        memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="redis-", dir=memory))
        self.directory.chmod(0o755)
        self.tcp, self.tls, self.host, self.password = tcp, tls, host, password
        self.acl, self.program, self.prefix = list(acl), program, list(prefix)
        self.path = self.directory / "socket"
        self.port = self.tls_port = 0
        self.kept_ports = []
        self.settings = {"save": None, "appendonly": "yes", "appendfsync": "no", "enable-debug-command": "yes",
                         "unixsocketperm": 777, "shutdown-on-sigterm": "nosave", "hz": 100, "repl-diskless-sync-delay": 0,
                         **{name.replace("_", "-"): value for name, value in settings.items()}}
        self.process, self.kept = None, threading.local()
        self.starts = 0

    # -- its process --

    def configuration(self):
        family = "::1" if ":" in self.host else self.host
        lines = [f"port {self.port}", f"bind {family}", f"unixsocket {self.path}", f"dir {self.directory}",
                 f"logfile {self.directory}/log", "daemonize no", "protected-mode no"]
        if self.tls:
            lines += [f"tls-port {self.tls_port}", f"tls-cert-file {self.tls.cert}", f"tls-key-file {self.tls.key}",
                      "tls-auth-clients no"]
        if self.password is not None:
            lines.append(f"requirepass {quoted(self.password)}")
        lines += [f"user {one}" for one in self.acl]
        for name, value in self.settings.items():
            if value is None and name != "save":
                continue
            for one in value if isinstance(value, (list, tuple)) else [value]:
                lines.append(f'{name} ""' if one is None else f"{name} {one}")
        return "\n".join(lines) + "\n"

    def start(self, wait=True):
        """Ports stay the same over restarts."""
        assert PROGRAMS, "no redis-server: toolchain/packages test"
        for _ in range(5):
            if self.tcp and not self.port:
                self.port = self.keep_port()
            if self.tls and not self.tls_port:
                self.tls_port = self.keep_port()
            (self.directory / "conf").write_text(self.configuration())
            self.process = subprocess.Popen(
                [*self.prefix, self.program or PROGRAMS[0], self.directory / "conf"], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.directory)
            self.starts += 1
            if not wait:
                return self
            wait_for("the Redis server", lambda: self.answers() or self.process.poll() is not None)
            if self.process.poll() is None:
                return self
            assert "Address already in use" in self.said and self.starts <= 5, self.said
            self.port = self.tls_port = 0
            (self.directory / "log").unlink()
        raise AssertionError(self.said)

    def keep_port(self):
        """A free one, which nobody else is given also while the server is down: bound, but not listened on."""
        one = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        self.kept_ports.append(one)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((self.host, 0))
        return one.getsockname()[1]

    def answers(self):
        """Does it take commands? (A wrong password is an answer.)"""
        try:
            with self.client(login=False) as client:
                client("PING")
            return True
        except RedisError as error:
            return not str(error).startswith("LOADING")
        except (OSError, EOFError):
            return False

    def kill(self, number=signal.SIGKILL):
        """Ends it at once; its data stays."""
        self.forget()
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)
            self.process.wait(WAIT)
            self.process = None

    def stop(self):
        self.kill(signal.SIGTERM)

    def restart(self, number=signal.SIGKILL, wait=True):
        self.kill(number)
        return self.start(wait)

    def wipe(self):
        """What it would find again at its next start."""
        for path in self.directory.iterdir():
            if path.name not in ("conf", "log", "socket"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    @contextlib.contextmanager
    def stopped(self):
        """It stands still (SIGSTOP): connections are accepted by the kernel, nobody answers."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def __enter__(self):
        try:
            return self if self.process else self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        self.kill()
        for one in self.kept_ports:
            one.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def said(self):
        path = self.directory / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    # -- where it is --

    def address(self):
        """As a URL's authority."""
        return f"[{self.host}]" if ":" in self.host else self.host

    def url_of(self, form="unix", *, user=None, password=None, db=None, host=None):
        """REDIS_URL: form is unix, tcp or tls. User and password are percent-encoded here."""
        login = ""
        if user is not None or password is not None:
            login = "".join((urllib.parse.quote(user or "", safe=""), ":", urllib.parse.quote(password or "", safe=""), "@"))
        if form == "unix":
            return f"unix://{login}{self.path}" + (f"?db={db}" if db is not None else "")
        scheme, port = ("rediss", self.tls_port) if form == "tls" else ("redis", self.port)
        where = host or ("localhost" if form == "tls" else self.address())
        return f"{scheme}://{login}{where}:{port}" + (f"/{db}" if db is not None else "")

    @property
    def url(self):
        return self.url_of("unix", password=self.password)

    # -- what the test does there --

    def connect(self):
        """A socket, for a proxy too."""
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(WAIT)
        try:
            sock.connect(str(self.path))
        except OSError:
            sock.close()
            raise
        return sock

    def client(self, login=True, db=0):
        client = Client(self.connect())
        try:
            if login and self.password is not None:
                client("AUTH", self.password)
            if db:
                client("SELECT", db)
        except BaseException:
            client.close()
            raise
        return client

    def __call__(self, *args):
        """One command, on a connection that each thread keeps."""
        client = getattr(self.kept, "client", None)
        if client is None:
            client = self.kept.client = self.client()
        try:
            return client(*args)
        except (OSError, EOFError):
            self.forget()
            raise

    def all(self, commands):
        with self.client() as client:
            return client.all(commands)

    def forget(self):
        """The kept connections: those of other threads end by themselves."""
        client = getattr(self.kept, "client", None)
        if client is not None:
            client.close()
        self.kept = threading.local()

    def hash(self, key):
        flat = self("HGETALL", key)
        return dict(zip(flat[::2], flat[1::2]))

    def clients(self):
        """[{"name": ..., "cmd": ...}, ...] of all that are connected, but the test's own."""
        lines = self("CLIENT", "LIST").splitlines()
        found = [dict(pair.partition("=")[::2] for pair in line.split(" ")) for line in lines]
        return [one for one in found if one["cmd"] != "client|list" and one["name"]]

    def publish(self, event, channel=CHANNELS[0]):
        """How many heard it. event: a dict, or the payload's bytes or text."""
        return self("PUBLISH", channel, json.dumps(event) if isinstance(event, dict) else event)

    def add(self, event, stream="homelab:events", **fields):
        """An entry whose document is this event, or with these fields; its id."""
        flat = [part for pair in fields.items() for part in pair] or ["event", json.dumps(event)]
        return self("XADD", stream, "*", *flat)


class Listener:
    """Hears what is published on channels, or with MONITOR what anybody orders: messages, in order,
    as (channel, payload), or lines."""

    def __init__(self, redis, *channels):
        self.client, self.messages = redis.client(), []
        self.client.sock.settimeout(None)
        if channels:
            self.client.sock.sendall(command("SUBSCRIBE", *channels))
            for _ in channels:
                read_value(self.client.stream)
        else:
            self.client("MONITOR")
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        with contextlib.suppress(OSError, EOFError, ValueError):
            while True:
                value = read_value(self.client.stream)
                self.messages.append(tuple(value[1:]) if isinstance(value, list) else value)

    def wait(self, count=1, seconds=WAIT):
        wait_for(f"{count} messages", lambda: len(self.messages) >= count, seconds)
        return self.messages

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.client.sock.shutdown(socket.SHUT_RDWR)
        self.thread.join(WAIT)
        self.client.close()


# ---- The planner's side --------------------------------------------------------------------------


def bus(redis, **more):
    """The environment of a planner on this server (or proxy, or URL)."""
    return {"REDIS_URL": redis if isinstance(redis, str) else redis.url, **more}


def wait_subscribed(redis, count=1, channel=CHANNELS[0], seconds=WAIT):
    wait_for(f"{count} subscribers", lambda: redis("PUBSUB", "NUMSUB", channel)[1] >= count, seconds)


def said_at(log):
    """When the planner has said it, by its own clock: how late it was read here does not matter."""
    return datetime.datetime.fromisoformat(log["timestamp"].replace("Z", "+00:00")).timestamp()


def bus_of(agent):
    """What the status tells of Redis."""
    return agent.status()["planner"]["redis"]


def queue_of(agent):
    """How many pieces of work the status tells of, by their state."""
    return {name: count for name, count in agent.status()["planner"]["queue"].items() if isinstance(count, int)}


def planner_on(program, directory, redis, node, **env):
    """An agent named node, in a tree of its own."""
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o755)
    agent = Agent(Tree(directory / node), program)
    agent.env.update({"NODE_NAME": node, **bus(redis, **env)})
    return agent


@contextlib.contextmanager
def planners(program, directory, redis, count=3, **env):
    """Agents "planner0" and so on; none is started yet, what is started is ended and looked at."""
    with contextlib.ExitStack() as stack:
        agents = [planner_on(program, directory, redis, f"planner{number}", **env) for number in range(count)]
        for agent in agents:
            stack.callback(agent.end)
        yield agents


def proposals(agents):
    """Of all of them, in order of their keys: [((node, service), agent), ...]"""
    found = [((action["node"], action["service"]), agent) for agent in agents for action in agent.tree.actions().values()]
    return sorted(found, key=lambda one: one[0])


# ---- Fixtures ------------------------------------------------------------------------------------


@pytest.fixture
def redises():
    """Starts servers, with Redis' arguments."""
    with contextlib.ExitStack() as stack:
        yield lambda **how: stack.enter_context(Redis(**how))


@pytest.fixture
def redis(redises):
    return redises()
