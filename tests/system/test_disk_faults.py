"""A full disk, a read-only tree, damaged state."""

import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import time

import pytest

from agent import Agent, Tree, begin_on_one_day, check_logs, fault, wait_for

ID = "container-restart-solaria-web"


class NoNamespaces(Exception):
    """This machine lets us mount nothing, not even in a namespace of our own."""


class SmallDisk:
    """A tmpfs in a mount namespace of its own: as root, or as anybody in a user namespace."""

    def __init__(self, path):
        self.inside = path
        path.mkdir()
        user = [] if os.geteuid() == 0 else ["-r"]
        self.holder = subprocess.Popen(
            ["unshare", *user, "-m", "sh", "-c",
             f"mount -t tmpfs -o size=512k,mode=755 tmpfs '{path}' && echo mounted && exec sleep 600"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if self.holder.stdout.readline() != b"mounted\n":
            self.end()
            path.rmdir()
            raise NoNamespaces
        flags = ["-m"] if os.geteuid() == 0 else ["-U", "--preserve-credentials", "-m"]
        self.enter = ["nsenter", "-t", str(self.holder.pid), *flags, "--"]
        # Its files, seen from outside.
        self.outside = pathlib.Path(f"/proc/{self.holder.pid}/root{path}")

    def prefix(self):
        return self.enter

    def fill(self, daemon=None):
        """A planner that runs may give back a little while we are at it."""
        def is_full():
            with open(self.outside / "ballast", "ab", buffering=0) as ballast, contextlib.suppress(OSError):
                while ballast.write(b"x" * 4096):
                    pass
            return shutil.disk_usage(self.outside).free == 0

        wait_for("a full disk", is_full)

    def free(self):
        (self.outside / "ballast").unlink()

    def read_only(self, daemon):
        """By a bind mount of what the planner writes to (a busy tmpfs cannot be remounted)."""
        for place in (f"{self.inside}/actions", f"{self.inside}/state"):
            subprocess.run([*self.enter, "mount", "--bind", place, place], check=True)
            subprocess.run([*self.enter, "mount", "-o", "remount,bind,ro", place], check=True)

    def writable(self):
        for place in (f"{self.inside}/state", f"{self.inside}/actions"):
            subprocess.run([*self.enter, "umount", "--lazy", place], check=True)  # the planner may be looking there

    def end(self):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()
        self.holder.stderr.close()


class FailingDisk:
    """The same where nothing may be mounted: strace makes the calls fail that make files durable."""

    calls = "fsync,fdatasync,link,linkat,rename,renameat,renameat2"

    def __init__(self, path):
        path.mkdir()
        self.inside = self.outside = path
        self.error = None
        self.tracer = None

    def strace(self):
        return ["strace", "-f", "-o", "/dev/null", "-e", f"trace={self.calls}",
                "-e", f"inject={self.calls}:error={self.error}"]

    def prefix(self):
        return self.strace() if self.error else []

    def fail(self, error, daemon):
        self.error = error
        if daemon is not None:
            self.tracer = subprocess.Popen([*self.strace(), "-p", str(daemon.pid)], stderr=subprocess.PIPE)
            assert b"attached" in self.tracer.stderr.readline()

    def fill(self, daemon=None):
        self.fail("ENOSPC", daemon)

    def read_only(self, daemon):
        self.fail("EROFS", daemon)

    def free(self):
        self.error = None
        if self.tracer is not None:
            self.tracer.send_signal(signal.SIGINT)
            self.tracer.communicate(timeout=10)
            self.tracer = None

    writable = end = free


@pytest.fixture
def small(tmp_path, program):
    """An agent and a tree on a small disk."""
    tmp_path.chmod(0o755)
    try:
        disk = SmallDisk(tmp_path / "disk")
    except NoNamespaces:
        disk = FailingDisk(tmp_path / "disk")
    agent = Agent(Tree(disk.outside), program)
    agent.env["RUNTIME_PATH"] = str(disk.inside)
    plain = agent.argv
    agent.argv = lambda args, prefix, user: [*disk.prefix(), *plain(args, prefix, user)]
    agent.disk = disk
    yield agent
    agent.end()
    disk.end()


# ---- A full disk --------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["on_an_empty_tree", "on_a_used_tree"])
def test_a_full_disk_keeps_the_event_and_status_shows_the_fault(small, first):
    agent, tree, disk = small, small.tree, small.disk
    if first == "on_a_used_tree":
        tree.event(service="before")
    agent.run_once()
    tree.event()
    disk.fill()
    done = agent.run_once(rc=75)
    assert ID not in tree.actions() and done.named("write_failed")
    assert [path for path in tree.dot_files()] == []
    assert all(action["action_id"] for action in tree.actions().values())
    assert "space" in agent.cmd("status").out.lower()
    json.loads(agent.cmd("status", "--json").out)
    disk.free()
    agent.run_once()
    assert ID in tree.actions()
    assert len(tree.audits()) == len(tree.actions())
    agent.run_once()
    assert len(tree.audits()) == len(tree.actions())


def test_the_daemon_retries_when_the_disk_has_room_again(small):
    agent, tree, disk = small, small.tree, small.disk
    daemon = agent.start()
    tree.event(service="before")
    daemon.wait_log("proposed")
    # Written before the disk is full, and put into place after: as on a disk of its own.
    directory = tree.node_dir()
    part = directory / ".part"
    part.write_text(json.dumps(fault(service="late")))
    disk.fill(daemon)
    part.rename(directory / "late.json")
    failed = daemon.wait_log("write_failed")
    assert failed[0]["level"] in ("warning", "error")
    assert "space" in agent.cmd("status").out.lower(), "status does not show the fault"
    disk.free()
    wait_for("the retry", lambda: "container-restart-solaria-late" in tree.actions(), 60)
    wait_for("its audit event", lambda: len(tree.audits()) == 2)
    wait_for("no fault any more", lambda: "space" not in json.dumps(agent.status()).lower(), 120)
    assert len(daemon.named("write_failed")) <= 6, "one line a try, and few tries"


def test_approve_on_a_full_disk_loses_nothing(small):
    agent, tree, disk = small, small.tree, small.disk
    tree.event()
    agent.run_once()
    (tree.path / "actions" / "approved").mkdir()
    before = tree.action_path(ID).read_bytes()
    disk.fill()
    for command in ("approve", "reject"):
        agent.cmd(command, ID, rc=(1, 75), err=".")
        assert tree.action_path(ID).read_bytes() == before
        assert tree.actions("approved") == {} and tree.dot_files() == []
    disk.free()
    agent.cmd("approve", ID)
    assert list(tree.actions("approved")) == [ID]


def test_emit_on_a_full_disk_says_so_and_leaves_nothing(small):
    agent, tree, disk = small, small.tree, small.disk
    tree.node_dir()
    disk.fill()
    agent.cmd("emit", "--type", "service_unhealthy", "--node", "solaria", "--service", "web", "--message", "x" * 900,
              rc=(1, 69, 75), err=".")
    assert list((tree.path / "events").rglob("*.json")) == [] and tree.dot_files() == []


# ---- Read-only ----------------------------------------------------------------------------------


def test_a_read_only_pending_keeps_the_event(user_agent, tree):
    tree.event(service="before")
    user_agent.run_once()
    pending = tree.path / "actions" / "pending"
    pending.chmod(0o555)
    if os.geteuid() == 0:
        os.chown(pending, 0, 0)
    tree.event()
    done = user_agent.run_once(rc=75)
    assert done.named("write_failed")
    assert "ermission" in user_agent.cmd("status").out
    pending.chmod(0o777)
    user_agent.run_once()
    assert len(tree.actions()) == 2 and len(tree.audits()) == 2


def test_a_read_only_events_directory_keeps_the_audit_event_to_be_written(user_agent, tree):
    """The action is there; its audit event follows when it can, once."""
    tree.event()
    events = tree.path / "events"
    for path in (events, *events.iterdir()):
        path.chmod(0o555)
        if os.geteuid() == 0:
            os.chown(path, 0, 0)
    user_agent.run_once(rc=75)
    assert list(tree.actions()) == [ID] and tree.audits() == {}
    for path in (events, *events.iterdir()):
        path.chmod(0o777)
    user_agent.run_once()
    assert list(tree.actions()) == [ID] and len(tree.audits()) == 1
    tree.clear_pending()
    tree.event()
    assert len(user_agent.run_once().named("cooldown")) == 1


def test_a_read_only_tree_does_not_stop_a_running_daemon(small):
    agent, tree, disk = small, small.tree, small.disk
    tree.node_dir()
    daemon = agent.start()
    tree.event(service="before")
    daemon.wait_log("proposed")
    disk.read_only(daemon)
    tree.event()
    daemon.wait_log("write_failed")
    disk.writable()
    wait_for("the retry", lambda: ID in tree.actions(), 60)
    wait_for("its audit event", lambda: len(tree.audits()) == 2)


def test_a_tree_that_cannot_be_written_at_start_is_said_in_one_line(user_agent, tree):
    if os.geteuid() == 0:
        os.chown(tree.path, 0, 0)
    tree.path.chmod(0o555)
    done = user_agent.cmd("run", "--once", rc=(69, 75, 77), err="")
    assert (done.out + done.err).count("\n") == 1, done
    tree.path.chmod(0o755)


# ---- Damaged state ------------------------------------------------------------------------------


def used(agent, tree):
    """A tree with progress, a cooldown and something unfinished."""
    tree.event(service="a")
    agent.run_once()
    tree.move_action("container-restart-solaria-a", "completed")
    tree.jsonl(fault("deployment_started", severity="info", at=-20), fault(at=-10))
    agent.run_once(rc=75)
    files = tree.state_files()
    assert len(files) >= 2, "progress and cooldowns are saved"
    return files


DAMAGE = {
    "empty": lambda data: b"", "garbage": lambda data: b"\xff\x00garbage\n" * 20,
    "cut": lambda data: data[:len(data) // 2], "cut_by_one": lambda data: data[:-1],
    "last_line_gone": lambda data: b"".join(data.splitlines(True)[:-1]),
    "middle_line_gone": lambda data: b"".join(data.splitlines(True)[:1] + data.splitlines(True)[2:]),
    "zeroed": lambda data: b"\0" * len(data), "doubled": lambda data: data + data,
    "other_version": lambda data: data.replace(b"1", b"7", 1), "huge": lambda data: b"[" * (1 << 20),
    "text": lambda data: b"hello\n",
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damaged_state_is_put_aside_and_the_planner_starts_without(agent, tree, case):
    names = [path.name for path in used(agent, tree)]
    kept = {name: (tree.state / name).read_bytes() for name in names}
    for name in names:
        for path, data in kept.items():
            (tree.state / path).write_bytes(data)
        damaged = DAMAGE[case](kept[name])
        if damaged == kept[name]:
            continue
        (tree.state / name).write_bytes(damaged)
        tree.event(service="c", node=f"n-{name.replace('.', '-')}")
        done = agent.run_once(rc=(0, 75))
        told = [log for log in done.logs if "damaged" in json.dumps(log) and log["level"] in ("warning", "error")]
        assert len(told) == 1, (name, done.logs)
        aside = [path for path in tree.state.iterdir() if "damaged" in path.name]
        assert [path.read_bytes() for path in aside] == [damaged], (name, aside)
        aside[0].unlink()
        assert any(action["node"] == f"n-{name.replace('.', '-')}" for action in tree.actions().values()), name


def test_state_damaged_at_random_never_stops_the_planner(agent, tree):
    names = [path.name for path in used(agent, tree)]
    kept = {name: (tree.state / name).read_bytes() for name in names}
    dice = random.Random(20261122)
    for n in range(150):
        for name in names:
            data = bytearray(kept[name])
            for _ in range(dice.choice((0, 1, 1, 2, 5))):
                if data:
                    data[dice.randrange(len(data))] = dice.choice((0, 255, 34, 48, 57, 45, 123, dice.randrange(256)))
            if dice.random() < 0.2:
                del data[dice.randrange(len(data)):]
            (tree.state / name).write_bytes(data)
        tree.event(service=f"s{n}", node="fresh")
        agent.run_once(rc=(0, 75))
        assert f"container-restart-fresh-s{n}" in tree.actions()
        for path in tree.state.iterdir():
            if "damaged" in path.name:
                path.unlink()


@pytest.mark.parametrize("kind", ["directory", "symlink", "fifo"])
def test_state_that_is_no_file_does_not_hang_or_reach_out(agent, tree, kind):
    for path in used(agent, tree):
        path.unlink()
        if kind == "directory":
            path.mkdir()
        elif kind == "fifo":
            os.mkfifo(path)
        else:
            (tree.path / "outside").write_text("outside")
            path.symlink_to(tree.path / "outside")
    tree.event(service="new")
    agent.run_once(rc=(0, 69, 75, 77), timeout=60)
    if kind == "symlink":
        assert (tree.path / "outside").read_text() == "outside"


def test_lost_progress_proposes_nothing_twice(agent, tree):
    """A first start finds the events of the lookback again, and their open actions by correlation."""
    for n in range(5):
        tree.event(service=f"s{n}")
    agent.run_once()
    before, audits = tree.actions(), set(tree.audits())
    for path in tree.state_files():
        path.unlink()
    agent.run_once()
    assert tree.actions() == before and set(tree.audits()) == audits


def test_a_status_file_that_is_damaged_is_written_anew(agent, tree):
    tree.event()
    agent.run_once()
    for content in (b"", b"\xff" * 100, b"[" * 40000, b'{"a":"\x1b[31m"}'):
        (tree.state / "status.json").write_bytes(content)
        agent.cmd("status", rc=(0, 1, 69), err="")
        agent.run_once()
        agent.status()


# ---- Clocks -------------------------------------------------------------------------------------


def test_a_reboot_between_two_runs_skips_nothing_and_repeats_nothing(agent, tree):
    unshare = ["unshare", *([] if os.geteuid() == 0 else ["-r"]), "-T"]
    later = [*unshare, "--boottime", "8000000", "--monotonic", "8000000"]
    tree.event(service="a")
    agent.run_once(prefix=later)
    tree.event(service="b")
    agent.run_once(env={"COOLDOWN_SECONDS": 0})
    assert sorted(action["service"] for action in tree.actions().values()) == ["a", "b"]
    tree.clear_pending()
    tree.event(service="c")
    agent.run_once(prefix=later, env={"COOLDOWN_SECONDS": 0})
    assert [action["service"] for action in tree.actions().values()] == ["c"]


def test_nothing_is_written_that_no_one_reads(agent, tree):
    """Flash wear: a run that finds nothing new leaves what it saved alone."""
    begin_on_one_day()
    tree.event()
    for _ in range(3):  # the second reads our own audit event, the third moves the mark behind it
        agent.run_once()
    before = {path.name: path.stat().st_ino for path in tree.state_files()}
    time.sleep(0.05)
    agent.run_once()
    assert {path.name: path.stat().st_ino for path in tree.state_files()} == before


def test_logs_of_a_faulty_disk_are_still_json(small):
    agent, tree, disk = small, small.tree, small.disk
    agent.run_once()
    for n in range(20):
        tree.event(service=f"s{n}")
    disk.fill()
    done = agent.run_once(rc=75)
    check_logs(done.raw_out, "run")
    assert len(done.logs) < 200
