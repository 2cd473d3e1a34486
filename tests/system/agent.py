"""The real binary, driven in a runtime tree of its own: what the tests of this directory stand on.

Agent runs commands and fails the test when stderr, a log line or an exit code is not what the
contract says. Tree writes events as their writers do and reads what was left on disk."""

import contextlib
import hashlib
import json
import os
import pathlib
import re
import select
import signal
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
WAIT = 60.0  # seconds; a bound for what happens at once on an idle machine
TOLD = 15.0  # seconds; for files of which inotify tells: a scan, which comes every 20 s, would be too late
NOBODY = 65534

PLACES = ("pending", "approved", "rejected", "running", "completed", "failed", "cancelled")
SNAKE = re.compile(r"[a-z][a-z0-9_]*\Z")
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\Z")
# What must never reach a terminal raw: controls, bidi and zero-width characters.
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")


def binary():
    return pathlib.Path(os.environ.get("PLANNER_AGENT") or ROOT / "build" / "planner-agent").absolute()


def iso(offset=0.0, fraction=False):
    """Now plus offset seconds, as ISO 8601 UTC."""
    at = time.time() + offset
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))
    return text + (f".{int(at % 1 * 1e6):06d}Z" if fraction else "Z")


def utc_day(offset=0.0):
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() + offset))


def begin_on_one_day(seconds=60):
    """What follows must happen on one UTC day: where midnight is nearer than that, it waits until it is over."""
    left = 86400 - time.time() % 86400
    if left < seconds:
        time.sleep(left + 0.1)


def wait_for(what, seen, seconds=WAIT):
    """Polls seen() until it is true; its value. Fails after that many seconds."""
    end = time.monotonic() + seconds
    while True:
        value = seen()
        if value:
            return value
        assert time.monotonic() < end, f"waited {seconds} s in vain: {what}"
        time.sleep(0.02)


def stays(what, holds, seconds):
    """holds() must be true for all of that time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert holds(), f"did not stay so: {what}"
        time.sleep(0.05)


def clean_json(text):
    """Parses JSON strictly: no NaN, no member twice."""

    def once(pairs):
        keys = [key for key, _ in pairs]
        assert len(keys) == len(set(keys)), f"a member twice: {keys}"
        return dict(pairs)

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, object_pairs_hook=once, parse_constant=refuse)


def check_logs(raw, what):
    """Every line on stdout is one JSON object with timestamp, level, event."""
    logs = []
    for line in raw.split(b"\n"):
        if not line:
            continue
        assert len(line) <= 8192, f"{what}: a log line of {len(line)} bytes"
        text = line.decode("utf-8")
        assert not RAW.search(text), f"{what}: raw control character in a log line: {line!r}"
        try:
            log = clean_json(text)
        except ValueError as error:
            raise AssertionError(f"{what}: not a JSON line: {line!r}: {error}") from None
        assert isinstance(log, dict), f"{what}: not an object: {line!r}"
        assert STAMP.match(log.get("timestamp", "")), f"{what}: timestamp: {line!r}"
        assert log.get("level") in ("debug", "info", "warning", "error"), f"{what}: level: {line!r}"
        assert SNAKE.match(log.get("event", "")), f"{what}: event: {line!r}"
        logs.append(log)
    assert raw == b"" or raw.endswith(b"\n"), f"{what}: the last log line is not whole"
    return logs


def named(logs, *names):
    """The log lines about this occurrence or outcome."""
    return [log for log in logs if log["event"] in names or log.get("outcome") in names]


class Tree:
    """A runtime tree: the neighbours' side of it."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.path.mkdir(mode=0o755, parents=True, exist_ok=True)
        self.path.chmod(0o755)
        self.serial = 0
        self.day = utc_day()  # of all that has no other; the same on both sides of midnight
        self.owner = None  # whose the directories and events are, where root writes for a user

    # -- what the neighbours write --

    def directory(self, path):
        """Makes it and what is above it."""
        missing = [path, *path.parents]
        missing = missing[:next(n for n, one in enumerate(missing) if one.exists())]
        path.mkdir(parents=True, exist_ok=True)
        for one in missing:
            self.give(one)
        return path

    def give(self, path):
        if self.owner is not None:
            os.chown(path, self.owner, self.owner)

    def node_dir(self, node="solaria", day=None):
        return self.directory(self.path / "events" / (day or self.day) / node)

    def raw(self, data, name=None, directory=None, node="solaria", day=None, rename=True):
        """Puts these bytes down as an event file; its path."""
        directory = directory or self.node_dir(node, day)
        self.serial += 1
        path = directory / (name or f"evt-{self.serial:06d}.json")
        if isinstance(data, str):
            data = data.encode()
        if rename:
            part = directory / f".{path.name}.part"
            part.write_bytes(data)
            self.give(part)
            part.rename(path)
        else:
            path.write_bytes(data)
            self.give(path)
        return path

    def event(self, type="service_unhealthy", node="solaria", service="web", *, at=0.0, name=None,
              directory=None, day=None, rename=True, without=(), **members):
        """One event file of the first generation of writers."""
        event = fault(type, node, service, at=at, **members)
        for member in without:
            del event[member]
        return self.raw(json.dumps(event), name=name, directory=directory, day=day, rename=rename)

    def jsonl(self, *events, node="solaria", day=None, end="\n", name="events.jsonl"):
        path = self.node_dir(node, day) / name
        with open(path, "a", encoding="utf-8") as out:
            out.write("".join(json.dumps(event) + end for event in events))
        return path

    def put_action(self, place, action, raw=None):
        directory = self.directory(self.path / "actions" / place)
        path = directory / f"{action['action_id']}.json"
        path.write_text(raw if raw is not None else json.dumps(action))
        return path

    def move_action(self, action_id, to, origin="pending"):
        """As the executor does, once it has carried it out."""
        target = self.directory(self.path / "actions" / to)
        name = f"{action_id}.json"
        (self.path / "actions" / origin / name).rename(target / name)

    def clear_pending(self):
        for path in (self.path / "actions" / "pending").glob("*.json"):
            path.unlink()

    # -- what the planner left --

    def actions(self, place="pending"):
        directory = self.path / "actions" / place
        found = {}
        for path in sorted(directory.iterdir()) if directory.is_dir() else ():
            if path.name.startswith(".") or not path.name.endswith(".json"):
                continue
            action = clean_json(path.read_text())
            assert action["action_id"] == path.name[:-5], path
            found[action["action_id"]] = action
        return found

    def action(self, action_id=None, place="pending"):
        """The only action there, or the one of this id."""
        found = self.actions(place)
        if action_id is None:
            assert len(found) == 1, f"{place}: {sorted(found)}"
            return next(iter(found.values()))
        assert action_id in found, f"{place}: {sorted(found)}"
        return found[action_id]

    def action_path(self, action_id, place="pending"):
        return self.path / "actions" / place / f"{action_id}.json"

    def audits(self, node="planner"):
        found = {}
        for path in sorted(self.path.glob(f"events/*/{node}/evt-{node}-*.json")):
            found[path] = clean_json(path.read_text())
        return found

    def dot_files(self):
        """Hidden files where ours may be; none outlives a command."""
        return sorted(str(path.relative_to(self.path)) for path in self.path.rglob(".*"))

    @property
    def state(self):
        return self.path / "state" / "planner-agent"

    @property
    def heartbeat(self):
        return self.path / "state" / "planner-agent.heartbeat"

    def state_files(self):
        """Saved state that the planner would miss: not the lock, not the news."""
        return sorted(path for path in self.state.iterdir()
                      if path.is_file() and path.name not in ("lock", "status.json"))

    def snapshot(self):
        """Everything that a writer could change."""
        found = {}
        for path in sorted([self.path, *self.path.rglob("*")]):
            stat = path.lstat()
            content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            found[str(path)] = (stat.st_mode, stat.st_ino, stat.st_uid, stat.st_gid, stat.st_size,
                                stat.st_mtime_ns, stat.st_ctime_ns, content)
        return found


def fault(type="service_unhealthy", node="solaria", service="web", *, at=0.0, **members):
    """An event as a dict; at is its age, in seconds from now (negative: in the past)."""
    event = {"timestamp": iso(at, fraction=True), "node": node, "type": type, "severity": "error",
             "source": "node-agent", "service": service, "message": f"{service} failed its health check"}
    event.update(members)
    return {key: value for key, value in event.items() if value is not None}


class Done:
    """A command that ended."""

    def __init__(self, args, returncode, out, err):
        self.args = args
        self.rc = returncode
        self.raw_out = out
        self.out = out.decode("utf-8", "surrogateescape")
        self.err = err.decode("utf-8", "surrogateescape")
        self.logs = []

    @property
    def json(self):
        return clean_json(self.out)

    def named(self, *names):
        return named(self.logs, *names)

    def __repr__(self):
        return f"{self.args} -> {self.rc}\n{self.out}\n{self.err}"


class Agent:
    def __init__(self, tree, program=None, user=None):
        self.tree = tree
        self.program = str(program or binary())
        self.user = user  # a numeric id that commands run as, where we are root
        self.env = {"RUNTIME_PATH": str(tree.path), "NODE_NAME": "planner", "LLM_CHAIN": "rules",
                    "LOG_LEVEL": "debug", "PATH": "/usr/bin:/bin", "LC_ALL": "C"}
        self.daemons = []

    # -- how a process is started --

    def environment(self, env):
        merged = {**self.env, **(env or {})}
        return {key: str(value) for key, value in merged.items() if value is not None}

    def argv(self, args, prefix, user):
        user = self.user if user is None else user
        drop = []
        if user is not None and os.geteuid() == 0:
            drop = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--"]
        return [*prefix, *drop, self.program, *map(os.fspath, args)]

    # -- commands --

    def cmd(self, *args, rc=0, env=None, user=None, prefix=(), err=None, timeout=180, stdout=None,
            raw=False, stdin=b"", umask=-1):
        """Runs a command to its end. err: what stderr must match; by default nothing after a
        success, and after a failure one short plain line (usage: a few)."""
        # With its own stdout it gets ours closed: no test's terminal decides how it prints.
        run = subprocess.run(self.argv(args, prefix, user), env=self.environment(env), input=stdin,
                             stdout=stdout or subprocess.PIPE, stderr=subprocess.PIPE, cwd="/",
                             timeout=timeout, check=False, umask=umask)
        done = Done(args, run.returncode, run.stdout or b"", run.stderr)
        allowed = rc if isinstance(rc, tuple) else (rc,)
        assert done.rc in allowed, f"exit {done.rc}, not {rc}: {done}"
        if not raw:
            for text in (done.out, done.err):
                assert not RAW.search(text), f"raw control character: {text!r}"
        if err is not None:
            assert re.search(err, done.err), f"stderr has no {err!r}: {done}"
        elif done.rc == 0:
            assert done.err == "", f"unexpected on stderr: {done}"
        if done.rc != 0:
            lines = done.err.count("\n")
            assert lines <= (60 if done.rc == 64 else 1), f"more than a line on stderr: {done}"
        return done

    def run_once(self, rc=0, env=None, args=(), **how):
        """run --once; its log lines are checked and kept."""
        done = self.cmd("run", "--once", *args, rc=rc, env=env, **how)
        if how.get("stdout") is None:
            done.logs = check_logs(done.raw_out, done.args)
        if done.rc in (0, 75) and "err" not in how:
            assert done.err == "", f"unexpected on stderr: {done}"
        return done

    def refresh(self):
        """What a daemon has to say for itself it writes at most once a minute, but when it is asked."""
        file = self.tree.state / "status.json"
        for daemon in self.daemons:
            before = file.read_bytes() if file.is_file() else b""
            if daemon.process.poll() is None:
                daemon.send(signal.SIGUSR1)
                end = time.monotonic() + 10  # it may be held up
                while file.is_file() and file.read_bytes() == before and time.monotonic() < end:
                    time.sleep(0.002)

    def status(self, fresh=True, **how):
        if fresh:
            self.refresh()
        return self.cmd("status", "--json", **how).json

    def count(self, name):
        """The number that the status command has under this name, wherever it stands."""
        found = []

        def look(value):
            if isinstance(value, dict):
                for key, member in value.items():
                    if key == name and isinstance(member, int) and not isinstance(member, bool):
                        found.append(member)
                    look(member)

        status = self.status()
        look(status)
        assert found, f"status has no {name}: {status}"
        return max(found)

    def pending(self, **how):
        return self.cmd("pending", "--json", **how).json

    # -- the daemon --

    def start(self, *args, env=None, user=None, prefix=(), ready=True):
        beat = self.tree.heartbeat
        # An earlier planner's is not to be taken for its: times of files are some milliseconds behind.
        wait_for("the last heartbeat to be old",
                 lambda: not beat.exists() or abs(time.time_ns() - beat.stat().st_mtime_ns) > 30_000_000)
        daemon = Daemon(self.argv(["run", *args], prefix, user), self.environment(env))
        self.daemons.append(daemon)
        if ready:
            began = daemon.began_ns
            # Signals first: before it takes them it makes the file, for a moment with the time of now.
            wait_for("the first heartbeat",
                     lambda: (daemon.alive_or_fail() and takes(daemon.pid, signal.SIGTERM) and beat.exists()
                              and beat.stat().st_mtime_ns >= began - 10_000_000))
        return daemon

    def end(self):
        """Stops what the test left running, and looks at what every daemon printed."""
        try:
            for daemon in self.daemons:
                if daemon.process.poll() is None:
                    daemon.stop()
                daemon.check()
        finally:
            for daemon in self.daemons:
                daemon.destroy()


def takes(pid, number):
    """Does this planner read the signal from a descriptor by now? Before that it would die of it."""
    with contextlib.suppress(OSError):
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        return int(re.search(r"^SigBlk:\s*(\w+)", status, re.MULTILINE)[1], 16) >> (number - 1) & 1
    return 0


def waited_for_processor(pid):
    """For how long this process could have run and others did, in seconds; 0 where the kernel does not say."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    return 0.0


def opened(pid):
    """How many descriptors."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def least_opened(pid, seconds=2):
    """In that time: directories and files that it has open for a moment do not count."""
    end = time.monotonic() + seconds
    least = opened(pid)
    while time.monotonic() < end:
        time.sleep(0.01)
        least = min(least, opened(pid))
    return least


class Daemon:
    def __init__(self, argv, env):
        self.began_ns = time.time_ns()
        self.process = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/")
        self.traced = argv[0] == "strace"
        self.said = bytearray()
        self.reading = threading.Lock()
        self.err = b""
        self.expected_rc = (0,)
        self.threads = [threading.Thread(target=self.read_out, daemon=True),
                        threading.Thread(target=self.read_err, daemon=True)]
        for thread in self.threads:
            thread.start()

    def take_out(self):
        """Takes what it has said by now; false: it says no more."""
        out = self.process.stdout.fileno()
        with self.reading:
            while select.select([out], [], [], 0)[0]:
                more = os.read(out, 65536)
                if not more:
                    return False
                self.said += more
        return True

    def read_out(self):
        while self.take_out():
            select.select([self.process.stdout], [], [])

    @property
    def lines(self):
        self.take_out()
        return bytes(self.said).splitlines(keepends=True)

    def read_err(self):
        self.err = self.process.stderr.read()

    @property
    def logs(self):
        return check_logs(b"".join(self.lines), "daemon")

    def named(self, *names):
        return named(self.logs, *names)

    def alive_or_fail(self):
        assert self.process.poll() is None, f"it ended: {self.process.returncode} {self.err} {self.lines}"
        return True

    def wait_log(self, *names, count=1, seconds=WAIT):
        return wait_for(f"log line {names}",
                        lambda: self.alive_or_fail() and len(self.named(*names)) >= count
                        and self.named(*names), seconds)

    @property
    def pid(self):
        """The planner's own, also where it runs under strace."""
        if not self.traced:
            return self.process.pid
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0]) if children else self.process.pid

    def send(self, number):
        os.kill(self.pid, number)

    def stop(self, number=signal.SIGTERM, seconds=WAIT):
        """Ends it; how long that took, in seconds, without the time for which others had its processor."""
        pid = self.pid
        began, kept_off = time.monotonic(), waited_for_processor(pid)
        os.kill(pid, number)
        if self.traced:
            self.process.wait(seconds)
        else:  # it stays a zombie, so that it can be asked
            wait_for("its end", lambda: os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT), seconds)
        took = time.monotonic() - began - max(0.0, waited_for_processor(pid) - kept_off)
        self.process.wait(seconds)
        for thread in self.threads:
            thread.join(seconds)
        return took

    def kill(self):
        self.expected_rc = (-signal.SIGKILL,)
        self.stop(signal.SIGKILL)

    def destroy(self):
        """Whatever went wrong, nothing of the test outlives it."""
        if self.process.poll() is None:
            for pid in (self.pid, self.process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait(WAIT)

    def check(self):
        for thread in self.threads:
            thread.join(WAIT)
        assert self.process.returncode in self.expected_rc, f"exit {self.process.returncode}: {self.err}"
        assert self.err == b"", f"unexpected on stderr: {self.err}"
        assert self.logs or self.expected_rc != (0,), "a daemon that said nothing"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def hashed_id(plain, action_type, node, service, event_type):
    """The name of an action whose plain id is too long or taken."""
    text = "\0".join((action_type, node, service, event_type)).encode()
    return plain[:191] + "-" + sha256(text)[:8]
