"""What supervises the daemon is told how it is: sd_notify(3), s6's descriptor; and the journal."""

import contextlib
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import threading
import time

import pytest

from agent import check_logs, named, wait_for


SO_TIMESTAMPNS = 35  # Python has no name for it


class Manager:
    """The other end of NOTIFY_SOCKET: what came, and when it was sent."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.address = address
        self.got = []  # (time by the kernel's clock, pid of the sender, text)
        self.paused = threading.Event()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        with contextlib.suppress(OSError, ValueError):  # it was closed
            while True:
                if self.paused.is_set() or not select.select([self.socket], [], [], 0.05)[0]:
                    time.sleep(0.01)
                    continue
                data, ancillary, _, _ = self.socket.recvmsg(4096, 1024)
                more = {kind: value for _, kind, value in ancillary}
                pid = struct.unpack_from("i", more[socket.SCM_CREDENTIALS])[0]
                seconds, nanoseconds = struct.unpack("ll", more[SO_TIMESTAMPNS])
                self.got.append((seconds + nanoseconds / 1e9, pid, data.decode()))

    @property
    def texts(self):
        return [text for _, _, text in list(self.got)]

    def times(self, text):
        return [at for at, _, one in list(self.got) if one == text]

    def read_up_to_now(self):
        """What was sent before this is in got, and a mark behind it; how much that is."""
        mark = f"MARK={len(self.got)}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
            ours.connect("\0" + self.address[1:] if self.address.startswith("@") else self.address)
            ours.send(mark.encode())
        return wait_for("the mark", lambda: mark in self.texts and self.texts.index(mark) + 1)

    def but_status(self):
        return [text for text in self.texts if not text.startswith("STATUS=") and text != "WATCHDOG=1"]

    def close(self):
        self.socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    name = f"@planner-agent-test-{os.getpid()}" if request.param == "abstract" else str(tmp_path / "notify")
    manager = Manager(name)
    yield manager
    manager.close()


@pytest.fixture
def one_manager(tmp_path):
    manager = Manager(str(tmp_path / "notify"))
    yield manager
    manager.close()


def supervised(manager, seconds=None, **more):
    usec = {} if seconds is None else {"WATCHDOG_USEC": int(seconds * 1e6)}
    return {"NOTIFY_SOCKET": manager.address, **usec, **more}


# ---- sd_notify ----------------------------------------------------------------------------------


def test_a_life_in_order(agent, tree, manager):
    daemon = agent.start(env=supervised(manager))
    wait_for("READY", lambda: "READY=1" in manager.texts)
    # Whoever asks for its health when it is ready hears that it is well.
    agent.cmd("healthcheck")
    before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    daemon.send(signal.SIGHUP)
    wait_for("READY again", lambda: manager.texts.count("READY=1") == 2)
    after_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    daemon.stop()
    wait_for("STOPPING", lambda: "STOPPING=1" in manager.texts)
    ready, reloading, again, stopping = manager.but_status()
    assert (ready, again, stopping) == ("READY=1", "READY=1", "STOPPING=1")
    name, usec = reloading.split("\n")
    assert name == "RELOADING=1"
    assert before_us <= int(usec.removeprefix("MONOTONIC_USEC=")) <= after_us
    assert "WATCHDOG=1" not in manager.texts  # nobody asked for it
    assert {pid for _, pid, _ in manager.got} == {daemon.process.pid}
    assert daemon.named("supervisor_unreachable") == []


def test_ready_does_not_wait_for_redis(agent, one_manager):
    """A server that is down must not keep the unit from having started."""
    agent.start(env=supervised(one_manager, REDIS_URL="redis://127.0.0.1:1"))
    wait_for("READY", lambda: "READY=1" in one_manager.texts)


def test_a_start_that_fails_is_never_ready(agent, tree, one_manager):
    agent.cmd("run", rc=78, env=supervised(one_manager, LLM_CHAIN="nonsense"), err="LLM_CHAIN")
    daemon = agent.start()
    agent.cmd("run", rc=75, env=supervised(one_manager), err=str(daemon.pid), stdout=subprocess.DEVNULL)
    time.sleep(0.3)
    assert "READY=1" not in one_manager.texts


def test_a_reload_that_is_refused_ends_too(agent, tree, one_manager, tmp_path):
    file = tmp_path / "env"
    file.write_text("LOG_LEVEL=debug\n")
    daemon = agent.start("--env-file", file, env=supervised(one_manager, LOG_LEVEL=None))
    file.write_text("LOG_LEVEL=nonsense\n")
    daemon.send(signal.SIGHUP)
    daemon.wait_log("config_refused")
    wait_for("READY again", lambda: one_manager.texts.count("READY=1") == 2)


def test_the_status_is_a_line_that_comes_when_it_changes(agent, tree, one_manager):
    daemon = agent.start(env=supervised(one_manager))
    for n in range(20):
        tree.event(service=f"s{n}")
    daemon.wait_log("proposed", count=20)
    for number in range(1, 6):
        daemon.send(signal.SIGUSR1)
        daemon.wait_log("status", count=number)
    daemon.send(signal.SIGHUP)  # said when the last of them was
    wait_for("READY again", lambda: one_manager.texts.count("READY=1") == 2)
    statuses = [text for text in one_manager.texts if text.startswith("STATUS=")]
    assert 1 <= len(statuses) <= 3 and len(set(statuses)) == len(statuses), statuses
    assert statuses[-1] == "STATUS=Waiting for events; Redis is off"
    assert all("\n" not in text and len(text) < 160 for text in statuses)


def test_of_an_idle_start_it_is_not_said_that_it_reads(agent, tree, one_manager):
    """The next status may be a minute away."""
    agent.start(env=supervised(one_manager))
    wait_for("a status", lambda: any(text.startswith("STATUS=") for text in one_manager.texts))
    assert [text for text in one_manager.texts if text.startswith("STATUS=")] == ["STATUS=Waiting for events; Redis is off"]


def test_the_status_names_what_is_wrong(agent, tree, one_manager):
    pending = tree.path / "actions" / "pending"
    daemon = agent.start(env=supervised(one_manager, LLM_CHAIN="ollama", OLLAMA_API_BASE="http://127.0.0.1:1"))
    shutil.rmtree(pending)
    pending.write_text("in its place")
    tree.event()
    # A second; where another status was told just before the fault, a minute more.
    wait_for("the fault", lambda: any(re.match("STATUS=Cannot write actions/pending: .", text)
                                      for text in one_manager.texts), 90)
    daemon.stop()  # as long as there is something in its place: without that it would end, to be started anew


@pytest.mark.parametrize("value", ["", "/", "@", "relative", "vsock:2:1", "/nowhere/at/all", "@nobody-listens",
                                   "/" + "x" * 200, "@" + "x" * 107, "/dev/null", "/tmp", "\n", "/a\nb"])
def test_hostile_sockets_change_nothing(agent, tree, value):
    daemon = agent.start(env={"NOTIFY_SOCKET": value, "WATCHDOG_USEC": "1000000"})
    tree.event()
    daemon.wait_log("proposed")
    assert len(daemon.named("supervisor_unreachable")) == (value != "")
    for line in daemon.named("supervisor_unreachable"):
        assert line["level"] == "warning" and line["error"]


def test_a_manager_that_dies_is_told_nothing_more(agent, tree, tmp_path):
    manager = Manager(str(tmp_path / "notify"))
    daemon = agent.start(env=supervised(manager, 0.8))
    wait_for("the watchdog's food", lambda: "WATCHDOG=1" in manager.texts)
    manager.close()
    daemon.wait_log("supervisor_unreachable")
    tree.event()
    daemon.wait_log("proposed")
    daemon.send(signal.SIGHUP)
    daemon.wait_log("config_loaded")
    daemon.stop()
    assert len(daemon.named("supervisor_unreachable")) == 1


def test_a_manager_that_does_not_read_stops_nothing(agent, tree, one_manager):
    """The queue of its socket is full before the start: READY comes later, the work goes on."""
    one_manager.paused.set()
    time.sleep(0.5)
    filler = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    filler.setblocking(False)
    filler.connect(one_manager.address)
    with pytest.raises(BlockingIOError):
        for _ in range(100000):
            filler.send(b"FILLER=1")
    daemon = agent.start(env=supervised(one_manager))
    tree.event()
    daemon.wait_log("proposed")
    one_manager.paused.clear()
    wait_for("READY", lambda: "READY=1" in one_manager.texts, 60)
    assert daemon.named("supervisor_unreachable") == []


# ---- Watchdog -----------------------------------------------------------------------------------


def test_the_watchdog_is_fed_at_half_its_interval(agent, tree, one_manager):
    agent.start(env=supervised(one_manager, 2.0))
    fed = wait_for("food", lambda: one_manager.times("WATCHDOG=1")[6:] and one_manager.times("WATCHDOG=1"), 60)
    gaps = [b - a for a, b in zip(fed, fed[1:])]
    # It may be kept off the processor for a while, but not each time, and never for too long.
    assert statistics.median(gaps) < 1.2 and max(gaps) < 2 and statistics.mean(gaps) > 0.6, gaps


def is_stopped(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_a_loop_that_stands_still_is_not_fed(agent, tree, one_manager):
    daemon = agent.start(env=supervised(one_manager, 0.4))
    wait_for("food", lambda: len(one_manager.times("WATCHDOG=1")) >= 3)
    daemon.send(signal.SIGSTOP)
    wait_for("it stands still", lambda: is_stopped(daemon.pid))
    before = one_manager.read_up_to_now()
    time.sleep(1.2)
    assert len(one_manager.got) == before
    daemon.send(signal.SIGCONT)
    wait_for("food again", lambda: len(one_manager.got) > before)


def test_a_loop_that_waits_for_its_disk_is_not_fed(agent, tree, one_manager):
    """The process runs, its turn does not end: here it sleeps in the first write of an action."""
    delay = ["-e", "trace=renameat2", "-e", "inject=renameat2:delay_enter=2000000:when=1"]
    daemon = agent.start(env=supervised(one_manager, 0.4), prefix=["strace", "-f", "-qq", "-o", "/dev/null", *delay])
    wait_for("food", lambda: len(one_manager.times("WATCHDOG=1")) >= 3)
    tree.event()
    daemon.wait_log("proposed")
    after = time.time()
    wait_for("food again", lambda: one_manager.times("WATCHDOG=1")[-1] > after)
    fed = one_manager.times("WATCHDOG=1")
    assert max(b - a for a, b in zip(fed, fed[1:])) > 1.9


@pytest.mark.parametrize("pid, is_fed", [("its own", True), ("1", False), ("nonsense", False), ("", False)])
def test_a_watchdog_for_somebody_else_is_not_fed(agent, tree, one_manager, pid, is_fed):
    own = "export WATCHDOG_PID=$$; exec \"$@\""
    prefix = ["sh", "-c", own, "sh"] if is_fed else []
    env = supervised(one_manager, 0.4, **({} if is_fed else {"WATCHDOG_PID": pid}))
    agent.start(env=env, prefix=prefix)
    wait_for("READY", lambda: "READY=1" in one_manager.texts)
    time.sleep(0.6)
    if is_fed:
        wait_for("food", lambda: "WATCHDOG=1" in one_manager.texts)
    else:
        assert "WATCHDOG=1" not in one_manager.texts


@pytest.mark.parametrize("usec", ["0", "-1", "x", "18446744073709551615", "9999999999999999999999", ""])
def test_no_interval_no_food(agent, tree, one_manager, usec):
    daemon = agent.start(env={"NOTIFY_SOCKET": one_manager.address, "WATCHDOG_USEC": usec})
    tree.event()
    daemon.wait_log("proposed")
    assert "WATCHDOG=1" not in one_manager.texts


def test_an_interval_of_nothing_does_not_keep_it_busy(agent, tree, one_manager):
    agent.start(env={"NOTIFY_SOCKET": one_manager.address, "WATCHDOG_USEC": "1"})
    fed = wait_for("food", lambda: one_manager.times("WATCHDOG=1")[10:] and one_manager.times("WATCHDOG=1"), 60)
    # 25 times a second would be too often.
    assert 0.04 < statistics.median(b - a for a, b in zip(fed, fed[1:])) < 0.5


# ---- A descriptor -------------------------------------------------------------------------------


def test_a_newline_on_a_descriptor(agent, tree):
    ours, theirs = os.pipe()
    process = subprocess.Popen(agent.argv(["run", "--notify-fd", str(theirs)], (), None),
                               env=agent.environment(None), stdout=subprocess.PIPE, pass_fds=[theirs], cwd="/")
    os.close(theirs)
    try:
        assert select.select([ours], [], [], 60)[0]
        assert os.read(ours, 100) == b"\n"
        assert tree.heartbeat.exists()
        # It is closed at once.
        assert select.select([ours], [], [], 60)[0]
        assert os.read(ours, 100) == b""
    finally:
        process.terminate()
        out = process.communicate(timeout=60)[0]
        os.close(ours)
    assert process.returncode == 0 and named(check_logs(out, "run"), "supervisor_unreachable") == []


@pytest.mark.parametrize("given, why", [("0", "3 or above"), ("1", "3 or above"), ("2", "3 or above"), ("-1", "3 or above"),
                                        ("x", "3 or above"), ("", "3 or above"), ("99999999999", "3 or above"),
                                        ("77", "not open"), ("read", "for writing")])
def test_bad_descriptors_are_refused(agent, tree, given, why):
    null = os.open("/dev/null", os.O_RDONLY)
    fd = str(null) if given == "read" else given
    process = subprocess.run(agent.argv(["run", "--notify-fd", fd], (), None), env=agent.environment(None),
                             capture_output=True, pass_fds=[null] if given == "read" else [], check=False)
    os.close(null)
    assert process.returncode == 64 and why in process.stderr.decode() and process.stdout == b""


def test_a_descriptor_that_takes_nothing_stops_nothing(agent, tree):
    """A full pipe, and one that nobody reads."""
    for fill in (True, False):
        ours, theirs = os.pipe()
        if fill:
            os.set_blocking(theirs, False)
            with pytest.raises(BlockingIOError):
                while True:
                    os.write(theirs, b"x" * 4096)
            os.set_blocking(theirs, True)
        else:
            os.close(ours)
        done = subprocess.run(agent.argv(["run", "--once", "--notify-fd", str(theirs)], (), None), timeout=60,
                              env=agent.environment(None), capture_output=True, pass_fds=[theirs], check=False)
        os.close(theirs)
        if fill:
            os.close(ours)
        assert done.returncode == 0 and done.stderr == b""
        assert len(named(check_logs(done.stdout, "run"), "supervisor_unreachable")) == (not fill)


@pytest.fixture
def s6(tmp_path):
    if shutil.which("s6-supervise") is None:
        pytest.skip("no s6 here")
    service = tmp_path / "service"
    service.mkdir()
    started = []

    def start(agent, *args):
        env = "".join(f"export {key}='{value}'\n" for key, value in agent.environment(None).items())
        run = service / "run"
        run.write_text(f"#!/bin/sh\n{env}exec {' '.join(agent.argv(['run', *args], (), None))} >>{tmp_path}/log 2>&1\n")
        run.chmod(0o755)
        (service / "notification-fd").write_text("3\n")
        started.append(subprocess.Popen(["s6-supervise", str(service)], stderr=subprocess.DEVNULL))
        return service

    yield start
    for process in started:
        subprocess.run(["s6-svc", "-xd", str(service)], check=False)
        process.wait(60)


def test_s6_sees_that_it_is_ready(agent, tree, s6, tmp_path):
    service = s6(agent, "--notify-fd", "3")
    wait_for("s6", lambda: (service / "supervise" / "status").exists())
    subprocess.run(["s6-svwait", "-U", "-t", "60000", str(service)], check=True)
    assert tree.heartbeat.exists()
    text = subprocess.run(["s6-svstat", str(service)], capture_output=True, check=True).stdout.decode()
    assert re.match(r"up \(pid \d+\).* ready ", text), text
    # Killed, it comes back, and is ready once more.
    os.kill(int(re.search(r"pid (\d+)", text).group(1)), signal.SIGKILL)
    wait_for("another", lambda: (tmp_path / "log").read_text().count('"started"') == 2)
    subprocess.run(["s6-svwait", "-U", "-t", "60000", str(service)], check=True)


# ---- The journal --------------------------------------------------------------------------------


LEVELS = {"debug": "<7>", "info": "<6>", "warning": "<4>", "error": "<3>"}


def run_to_socket(agent, journal_stream, *args):
    """Runs a command whose stdout is one end of a socket, as journald's is; what came out."""
    ours, theirs = socket.socketpair()
    stat = os.fstat(theirs.fileno())
    env = agent.environment({"JOURNAL_STREAM": journal_stream.format(dev=stat.st_dev, ino=stat.st_ino)})
    process = subprocess.Popen(agent.argv(args, (), None), env=env, stdout=theirs, stderr=theirs, cwd="/")
    theirs.close()
    data = b""
    while part := ours.recv(65536):
        data += part
    process.wait(60)
    ours.close()
    return data.decode()


def test_lines_to_the_journal_begin_with_their_priority(agent, tree):
    tree.event()
    tree.raw("{broken")
    lines = run_to_socket(agent, "{dev}:{ino}", "run", "--once").splitlines()
    seen = set()
    for line in lines:
        log = json.loads(line[3:])
        assert line[:3] == LEVELS[log["level"]], line
        seen.add(log["level"])
    assert {"debug", "info", "warning"} <= seen
    (error,) = run_to_socket(agent, "{dev}:{ino}", "run", "--runtime", "/nowhere").splitlines()[-1:]
    assert error.startswith("<3>planner-agent run: /nowhere")


@pytest.mark.parametrize("journal_stream", ["", "{dev}:1", "1:{ino}", "{dev}", "{ino}:{dev}", "{dev}:{ino} ", "x:y",
                                            "{dev}:{ino}:1", ":", "99999999999999999999999:1"])
def test_lines_to_anything_else_do_not(agent, tree, journal_stream):
    """The variable is inherited by those whose stdout is another."""
    tree.event()
    check_logs(run_to_socket(agent, journal_stream, "run", "--once").encode(), "run")


# ---- Terminals ----------------------------------------------------------------------------------


def on_a_terminal(agent, *args, **env):
    """What a command prints on a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, 0x5414, b"\x18\0\x50\0\0\0\0\0")  # TIOCSWINSZ
    process = subprocess.Popen(agent.argv(args, (), None), env=agent.environment(env), stdin=theirs,
                               stdout=theirs, stderr=theirs, cwd="/")
    os.close(theirs)
    data = b""
    with contextlib.suppress(OSError):  # EIO: the other end is closed
        while part := os.read(ours, 65536):
            data += part
    process.wait(60)
    os.close(ours)
    return data.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("env", [{"TERM": "xterm-256color"}, {"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"},
                                 {"TERM": "xterm", "CLICOLOR_FORCE": "1", "FORCE_COLOR": "1"}, {}],
                         ids=lambda env: ",".join(env) or "nothing")
def test_no_command_ever_prints_a_colour(agent, tree, env):
    tree.event()
    commands = [["run", "--once"], ["pending"], ["show", "container-restart-solaria-web"], ["status"], ["check"],
                ["healthcheck"], ["version"], ["replay", str(tree.path / "events")], ["help"], ["run", "--help"],
                ["nonsense"], ["reject", "container-restart-solaria-web"], ["pending", "--json"]]
    for command in commands:
        text = on_a_terminal(agent, *command, **env)
        assert text and not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", text), (command, text)


def test_the_log_is_text_on_a_terminal_alone(agent, tree):
    tree.event()
    assert re.match(r"\d\d:\d\d:\d\d \w+ started ", on_a_terminal(agent, "run", "--once"))
    tree.event(service="b")
    agent.run_once(env={"TERM": "xterm"})  # into a pipe: its lines are checked to be JSON
    tree.event(service="c")
    check_logs(on_a_terminal(agent, "run", "--once", LOG_FORMAT="json").encode(), "run")
