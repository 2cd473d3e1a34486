"""Flash wears: nothing periodic writes, state follows changes at most once a minute, all is counted."""

import ctypes
import os
import pathlib
import re
import shutil
import signal
import time

import pytest

from agent import wait_for

# One line for each: what is written to files, made durable, named.
CALLS = "trace=write,pwrite64,writev,pwritev,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlinkat,mkdirat,ftruncate,openat"


class Trace:
    """The daemon under strace; what it did to which files."""

    def __init__(self, agent, path, **env):
        assert shutil.which("strace"), "no strace: make test"
        self.path = path
        self.agent = agent
        self.daemon = agent.start(env=env, prefix=["strace", "-f", "-qq", "-y", "-s", "0", "-e", CALLS, "-o", path])
        self.root = str(agent.tree.path)

    def lines(self, since=0):
        text = pathlib.Path(self.path).read_text()
        return [line for line in text[since:].splitlines() if self.root in line]

    @property
    def here(self):
        return pathlib.Path(self.path).stat().st_size

    def written(self, since=0):
        """Each write's bytes and file."""
        found = []
        for line in self.lines(since):
            call = re.search(r" (?:write|pwrite64|pwritev)\(\d+<([^>]*)>.* = (\d+)$", line)
            if call:
                found.append((call.group(1).removeprefix(self.root + "/"), int(call.group(2))))
        return found

    def saved(self, since=0):
        """How often each state file was replaced, and the status written."""
        counts = {"status.json": sum(name.endswith("/status.json") for name, _ in self.written(since))}
        for line in self.lines(since):
            named = re.search(r' rename(?:at2?)?\(.*/state/planner-agent>, "([^"]*)"\)? = 0', line)
            named = named or re.search(r'"\.tmp-[^"]*", .*planner-agent>, "([^"]*)"\) = 0', line)
            if named:
                counts[named.group(1)] = counts.get(named.group(1), 0) + 1
        return counts


@pytest.fixture
def trace(agent, tmp_path):
    return lambda **env: Trace(agent, str(tmp_path / "trace"), **env)


def later(agent, ms):
    """So much time passes at once; a turn of the loop sees it, that writes nothing."""
    daemon = agent.daemons[-1]
    turns = len(daemon.named("config_loaded"))
    agent.suspend(ms)
    daemon.send(signal.SIGHUP)
    daemon.wait_log("config_loaded", count=turns + 1)


def exchange(one, other):
    """The two change their names at once: at no time is either missing."""
    libc, here, swap = ctypes.CDLL(None, use_errno=True), -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    if libc.renameat2(here, os.fsencode(one), here, os.fsencode(other), swap) != 0:
        raise OSError(ctypes.get_errno(), f"renameat2 of {one}")


def test_decisions_in_a_row_are_saved_once(trace, tree):
    """The first within a second or two, the others with the next minute's; a storm wears nothing."""
    run = trace()
    for n in range(30):
        tree.event(service=f"s{n}")
        time.sleep(0.2)
    run.daemon.wait_log("proposed", count=30)
    run.daemon.wait_log("state_saved")
    time.sleep(1.5)
    # The status has been written at the start, too.
    assert run.saved() == {"cooldowns": 1, "progress": 1, "status.json": 2}
    before = run.here
    run.daemon.stop()
    assert run.saved(before) == {"cooldowns": 1, "progress": 1, "status.json": 1}


def test_faults_that_come_and_go_do_not_wear_it(trace, tree):
    run = trace(LLM_CHAIN="ollama", OLLAMA_API_BASE="http://127.0.0.1:1")
    pending, elsewhere = tree.path / "actions" / "pending", tree.path / "elsewhere"
    elsewhere.write_text("in its place")
    tree.event()
    for n in range(5):
        exchange(pending, elsewhere)
        assert pending.is_file() and elsewhere.is_dir()
        tree.event(service=f"s{n}")
        time.sleep(0.3)
        exchange(pending, elsewhere)
        tree.event(service=f"t{n}")
        time.sleep(0.9)
    assert run.saved()["status.json"] <= 2
    assert run.saved().get("progress", 0) <= 1


def test_at_most_once_a_minute_under_steady_events(jumping, tree, tmp_path):
    """Ten minutes of them, made of jumps of five seconds."""
    began = time.monotonic()
    run = Trace(jumping, str(tmp_path / "trace"), COOLDOWN_SECONDS=1)
    for n in range(120):
        tree.event(service=f"s{n % 7}", type="disk_pressure" if n % 3 else "service_unhealthy")
        if n % 10 == 0:
            tree.clear_pending()
        time.sleep(0.08)
        later(jumping, 5000)
    time.sleep(0.3)
    saved = run.saved()
    assert set(saved) == {"cooldowns", "progress", "status.json"}
    # Ten minutes and what it took us, the first one, the start's status; and some jumps may come late.
    minutes = int((jumping.boot_ms / 1000 + time.monotonic() - began) / 60)
    assert all(8 <= count <= minutes + 2 for count in saved.values()), saved


def test_nothing_is_written_when_nothing_happens(jumping, tree, tmp_path):
    """Ten quiet minutes: no data, no names; the heartbeat's mtime alone."""
    run = Trace(jumping, str(tmp_path / "trace"), NOTIFY_SOCKET="@nobody")
    tree.event()
    run.daemon.wait_log("proposed")
    for _ in range(3):  # what the start and this event changed
        time.sleep(0.3)
        later(jumping, 61000)
    time.sleep(1.5)
    before, beat = run.here, tree.heartbeat.stat().st_mtime_ns
    for _ in range(20):
        later(jumping, 30000)
        time.sleep(0.1)
    assert run.written(before) == []
    assert not [line for line in run.lines(before) if re.search(r" (f(data)?sync|rename|link|unlink|mkdir|ftruncate)", line)]
    assert tree.heartbeat.stat().st_mtime_ns > beat


def test_every_write_is_counted(trace, tree, agent):
    run = trace()
    for n in range(5):
        tree.event(service=f"s{n}")
    run.daemon.wait_log("proposed", count=5)
    run.daemon.wait_log("state_saved")
    run.daemon.send(signal.SIGUSR1)
    # The start's, one with what was saved, this one; then none for a minute. The last one is its own.
    wait_for("a status", lambda: run.saved()["status.json"] == 3)
    writes = [n for _, n in run.written()][:-1]
    shown = agent.status(fresh=False)["planner"]["writes"]
    assert shown == {"count": len(writes), "bytes": sum(writes)}
    kinds = {name.split("/")[0] + "/" + name.split("/")[1].split("-")[0] for name, _ in run.written()}
    assert kinds >= {"actions/pending", "state/planner"} and any(kind.startswith("events/") for kind in kinds)
    assert f"{shown['count']} writes, {shown['bytes']} bytes since the start" in agent.cmd("status").out


def test_the_status_takes_the_blocks_that_it_needs(trace, tree, agent):
    """The first one fills the file: a full disk must not keep a later one from being seen."""
    run = trace()
    sizes = lambda: [n for name, n in run.written() if name.endswith("status.json")]
    assert sizes() == [32768]
    run.daemon.send(signal.SIGUSR1)
    wait_for("a status", lambda: len(sizes()) == 2)
    assert sizes()[1] <= 8192 and sizes()[1] % 4096 == 0
    # What was longer before leaves nothing behind.
    assert (tree.state / "status.json").stat().st_size == 32768
    agent.status(fresh=False)
    # Another file in its place is filled anew.
    (tree.state / "status.json").unlink()
    run.daemon.send(signal.SIGUSR1)
    wait_for("a status", lambda: len(sizes()) == 3)
    assert sizes()[2] == 32768
    os.truncate(tree.state / "status.json", 100)
    run.daemon.send(signal.SIGUSR1)
    wait_for("a status", lambda: len(sizes()) == 4)
    assert sizes()[3] == 32768
    agent.status(fresh=False)
