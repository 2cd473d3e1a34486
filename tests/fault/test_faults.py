"""A proposal, a verdict and an emitted event, killed or failed at every system call.

A trace of the static binary is recorded; then there is one run for each pair of system call and
ordinal, once with SIGKILL on its entry (so nothing of it was done; what it would have done is the
next pair's case), once with each error that it can give. After each, what is on disk must be a row
of the table of crashes, and what follows must come to the same end as if
nothing had happened: one proposal, one audit event, one verdict."""

import collections
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import tempfile

import pytest

from agent import Agent, Tree, binary, clean_json, fault

ID = "container-restart-solaria-web"
CALL = re.compile(r"\d+ +([a-z][a-z0-9_]*)\(")

# Not worth a run: the start and the end of the process itself.
NO_FAULT = {"execve", "exit_group", "exit", "arch_prctl", "set_tid_address"}
# Which errors a call can give; calls that give neither on a file are only killed at.
EIO = {"read", "pread64", "readv", "write", "pwrite64", "writev", "pwritev", "fsync", "fdatasync", "open", "openat",
       "openat2", "close", "stat", "lstat", "fstat", "newfstatat", "statx", "getdents", "getdents64", "rename",
       "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "mkdir", "mkdirat", "ftruncate",
       "fchmod", "fchmodat", "chmod", "fchown", "fchownat", "chown", "utimensat", "lseek", "flock", "readlink",
       "readlinkat", "fallocate", "access", "faccessat", "faccessat2"}
ENOSPC = {"write", "pwrite64", "writev", "pwritev", "fsync", "fdatasync", "open", "openat", "openat2", "link", "linkat",
          "rename", "renameat", "renameat2", "mkdir", "mkdirat", "ftruncate", "fallocate", "close",
          "inotify_add_watch"}

Case = collections.namedtuple("Case", "scenario how call ordinal")
Case.__str__ = lambda case: "-".join(map(str, case))


def check(condition, what):
    if not condition:
        raise AssertionError(what)


# ---- Scenarios ----------------------------------------------------------------------------------


class Scenario:
    """A tree, a command, and what may be found after it, however it ended."""

    args = ()

    def prepare(self, agent, tree):
        raise NotImplementedError

    def after(self, agent, tree, done, killed):
        """Is what is on disk a row of the table?"""
        raise NotImplementedError

    def then(self, agent, tree):
        """Does what follows come to the right end?"""
        raise NotImplementedError


class Propose(Scenario):
    """run --once with one fault event."""

    args = ("run", "--once")

    def prepare(self, agent, tree):
        tree.event(correlation_id="corr-1", name="evt.json")

    def after(self, agent, tree, done, killed):
        directory = tree.path / "actions"
        others = [path.name for path in directory.iterdir() if path.name != "pending"] if directory.is_dir() else []
        check(others == [], f"made under actions/: {others}")
        actions, audits = tree.actions(), tree.audits()  # each file there must be whole
        check(len(actions) <= 1 and len(audits) <= 1, f"{list(actions)} {list(audits)}")
        check(not audits or actions, "an audit event without its action")
        for action in actions.values():
            check(action["action_id"] == ID and action["correlation_id"] == "corr-1"
                  and action["status"] == "pending" and action["details"]["event"]["source"] == "node-agent"
                  and len(action["transition_history"]) == 1, f"not the action: {action}")
        for event in audits.values():
            check(event["payload"]["action_id"] == ID, f"not its audit event: {event}")
        strange = [name for name in tree.dot_files()
                   if not name.startswith(("actions/pending/.", "state/planner-agent/.", "state/.", "events/"))]
        check(strange == [], f"dot files where none of ours belongs: {strange}")
        if not killed:
            check(done.rc in (0, 1, 69, 75, 77, 78), f"exit {done.rc}")  # 78: its configuration, unread
            if done.rc == 0:
                check(actions and audits, "exit 0, and yet it is not done")

    def then(self, agent, tree):
        agent.run_once()
        check(list(tree.actions()) == [ID], f"pending: {list(tree.actions())}")
        check(len(tree.audits()) == 1, f"audit events: {list(tree.audits())}")
        check(tree.action()["details"]["event"]["type"] == "service_unhealthy", "another action")
        check(tree.action()["details"]["model"] == "rules", "another action")
        check(tree.dot_files() == [], f"dot files left: {tree.dot_files()}")
        # The cooldown is recorded: a fresh fault of the key is counted, with nothing open.
        tree.move_action(ID, "completed")
        tree.event(name="again.json")
        done = agent.run_once()
        check(tree.actions() == {} and len(done.named("cooldown")) == 1, f"no cooldown: {done.logs}")
        # Nothing is handled again, even where nothing else would stop it.
        agent.run_once(env={"COOLDOWN_SECONDS": 0})
        check(tree.actions() == {}, "handled twice")
        check(len(tree.audits()) == 1, f"audit events: {list(tree.audits())}")


class ProposeAgain(Propose):
    """The same on a tree that has saved state, with an event that waits in it and one in a log."""

    def prepare(self, agent, tree):
        tree.event(service="earlier")
        agent.run_once()
        # Tidied up: while the action stands, its audit event would be owed.
        (tree.path / "actions" / "pending" / "container-restart-solaria-earlier.json").unlink()
        for audit in tree.audits():
            audit.unlink()
        tree.jsonl(fault(correlation_id="corr-1"))

    def after(self, agent, tree, done, killed):
        super().after(agent, tree, done, killed)
        path = next(tree.path.glob("events/*/solaria/events.jsonl"))
        check(path.read_text().count("\n") == 1, "the event's file was changed")


class Verdict(Scenario):
    """approve or reject of one action."""

    def __init__(self, command):
        self.command = command
        self.args = (command, ID, "--note", "seen")
        self.target = {"approve": "approved", "reject": "rejected"}[command]

    def prepare(self, agent, tree):
        tree.event(correlation_id="corr-1")
        agent.run_once()
        for place in ("approved", "rejected"):
            (tree.path / "actions" / place).mkdir()

    def place(self, tree):
        """Where the action is: "pending", "claim", "both" (claim and target), "done"."""
        pending = ID in tree.actions("pending")
        done = ID in tree.actions(self.target)
        hidden = [path for path in (tree.path / "actions" / "pending").iterdir() if path.name.startswith(".")]
        # A temporary file of ours may stand beside; a claim is one that holds the whole old action.
        claims = [path for path in hidden if b'"status":"pending"' in path.read_bytes().replace(b" ", b"")]
        check(len(claims) <= 1, f"claims: {claims}")
        check(not (pending and done), "both pending and passed on")
        check(not (pending and claims), "both pending and claimed")
        check(pending or done or claims, "lost")
        return "pending" if pending else "both" if done and claims else "done" if done else "claim"

    def after(self, agent, tree, done, killed):
        place = self.place(tree)
        for where in ("approved", "rejected", "running", "completed", "failed", "cancelled"):
            for action in tree.actions(where).values():
                check(where == self.target, f"in {where}")
                check(action["status"] == self.target and len(action["transition_history"]) == 2
                      and action["transition_history"][1]["note"] == "seen", f"not whole: {action}")
        if not killed:
            check(done.rc in (0, 1, 69, 75, 77, 78), f"exit {done.rc}")
            check(done.rc != 0 or place in ("done", "both"), f"exit 0, and yet it is {place}")

    def then(self, agent, tree):
        before = self.place(tree)
        # The daemon between: an open action, whatever its state, keeps a second one away.
        tree.event(name="again.json")
        agent.run_once(env={"COOLDOWN_SECONDS": 0})
        check(self.place(tree) == before, f"{before} became {self.place(tree)} by the daemon")
        check(len(tree.audits()) == 1, "audited again")
        # The next command resolves what is left over.
        agent.cmd("approve", "no-such-id", rc=1, err="")
        place = self.place(tree)
        check(place == {"pending": "pending", "claim": "pending", "both": "done", "done": "done"}[before],
              f"{before} became {place}")
        left = [name for name in tree.dot_files()]
        agent.cmd("approve", ID, rc=0 if place == "pending" else 1, err="")
        agent.run_once(env={"COOLDOWN_SECONDS": 0})
        target = self.target if place == "done" else "approved"
        found = {where: list(tree.actions(where)) for where in ("pending", "approved", "rejected")}
        check({where for where, ids in found.items() if ids} == {target}, f"{found}")
        history = tree.action(ID, target)["transition_history"]
        check([step["to"] for step in history] == ["pending", target], f"{history}")
        check(tree.dot_files() == [], f"dot files left: {tree.dot_files()} (before: {left})")


class RejectAgain(Verdict):
    """An older file of the same id stands in rejected/ and is replaced."""

    def __init__(self):
        super().__init__("reject")

    def prepare(self, agent, tree):
        super().prepare(agent, tree)
        old = {**tree.action(ID), "correlation_id": "older", "created_at": 1700000000, "updated_at": 1700000000,
               "status": "rejected"}
        old["transition_history"] = [*old["transition_history"], {"from": "pending", "to": "rejected", "note": "older"}]
        tree.put_action("rejected", old)

    def place(self, tree):
        path = tree.action_path(ID, "rejected")
        # One of the two, whole, at every moment (where after() has not taken the older one aside).
        if not path.exists() or clean_json(path.read_text())["correlation_id"] != "older":
            return super().place(tree)
        aside = path.rename(tree.path / "aside")
        try:
            return super().place(tree)
        finally:
            aside.rename(path)

    def after(self, agent, tree, done, killed):
        path = tree.action_path(ID, "rejected")
        if clean_json(path.read_text())["correlation_id"] == "older":
            aside = path.rename(tree.path / "aside")
            super().after(agent, tree, done, killed)
            aside.rename(path)
        else:
            super().after(agent, tree, done, killed)

    def then(self, agent, tree):
        agent.cmd("approve", "no-such-id", rc=1, err="")
        place = self.place(tree)
        check(place in ("pending", "done"), f"{place} after the next command")
        if place == "pending":
            agent.cmd("reject", ID, "--note", "seen")
        action = tree.action(ID, "rejected")
        check(action["correlation_id"] == "corr-1" and action["transition_history"][-1]["note"] == "seen", f"{action}")
        check(tree.actions() == {} and tree.dot_files() == [], f"{tree.dot_files()}")


class Emit(Scenario):
    """An event file is whole or not there."""

    args = ("emit", "--type", "service_unhealthy", "--node", "solaria", "--service", "web", "--severity", "error")

    def prepare(self, agent, tree):
        pass

    def after(self, agent, tree, done, killed):
        events = [path for path in tree.path.rglob("*.json") if not path.name.startswith(".")]
        check(len(events) <= 1, f"{events}")
        for path in events:
            check(clean_json(path.read_text())["node"] == "solaria", "not whole")
        if not killed:
            check(done.rc in (0, 1, 69, 75, 77, 78), f"exit {done.rc}")
            check(done.rc != 0 or events, "exit 0 without an event")

    def then(self, agent, tree):
        events = list(tree.path.rglob("*.json"))
        done = agent.run_once()
        check(len(tree.actions()) == len(events) and done.named("refused") == [], f"{done.logs}")


SCENARIOS = {"run": Propose(), "again": ProposeAgain(), "approve": Verdict("approve"), "reject": Verdict("reject"),
             "reject_again": RejectAgain(), "emit": Emit()}


# ---- Recording, and one run a pair --------------------------------------------------------------


def scratch():
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    return tempfile.TemporaryDirectory(prefix="planner-fault-", dir=memory)


def record(name):
    """The system calls of an undisturbed run, in order: name and line. One that was held up for a second
    writes its status once more: each worker of the tests has to find the same, so two in a row are alike."""
    found = trace_of(name)
    for _ in range(20):
        before, found = found, trace_of(name)
        if [call for call, _ in before] == [call for call, _ in found]:
            return found
    raise AssertionError(f"{name}: no two runs in a row make the same calls")


def trace_of(name):
    with scratch() as directory:
        tree = Tree(pathlib.Path(directory) / "homelab")
        agent = Agent(tree)
        SCENARIOS[name].prepare(agent, tree)
        trace = pathlib.Path(directory) / "trace"
        agent.cmd(*SCENARIOS[name].args, prefix=["strace", "-f", "-o", str(trace)])
        lines = trace.read_text(errors="replace").splitlines()
        return [(found[1], line) for line in lines if (found := CALL.match(line))]


def cases(name):
    seen = collections.Counter()
    for call, line in record(name):
        seen[call] += 1
        if call in NO_FAULT:
            continue
        yield Case(name, "kill", call, seen[call])
        if call in EIO:
            yield Case(name, "EIO", call, seen[call])
        if call in ENOSPC and ("open" not in call or "O_CREAT" in line):
            yield Case(name, "ENOSPC", call, seen[call])


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        if not binary().is_file():
            raise pytest.UsageError(f"no {binary()}: make")
        found = [case for name in SCENARIOS for case in cases(name)]
        metafunc.parametrize("case", found, ids=map(str, found))


def one(case):
    """Runs one case to its end. What was wrong, or None."""
    scenario = SCENARIOS[case.scenario]
    killed = case.how == "kill"
    with scratch() as directory:
        tree = Tree(pathlib.Path(directory) / "homelab")
        agent = Agent(tree)
        scenario.prepare(agent, tree)
        trace = pathlib.Path(directory) / "trace"
        what = "signal=KILL" if killed else f"error={case.how}"
        done = agent.cmd(*scenario.args, rc=tuple(range(-64, 256)), err="", timeout=60, raw=True, prefix=[
            "strace", "-f", "-o", str(trace), "-e", f"trace={case.call}",
            "-e", f"inject={case.call}:{what}:when={case.ordinal}"])
        text = trace.read_text(errors="replace")
        check(("killed by SIGKILL" if killed else "(INJECTED)") in text,
              f"the fault did not happen: {len(text.splitlines())} calls: {done}")
        check(killed or done.rc >= 0, f"it died of the fault: {done}")
        try:
            scenario.after(agent, tree, done, killed)
        except AssertionError as error:
            raise AssertionError(f"after the fault: {error}\n{done}") from None
        scenario.then(agent, tree)


@pytest.fixture(scope="session")
def outcomes(request):
    """All selected cases, started at once on all processors."""
    wanted = [item.callspec.params["case"] for item in request.session.items
              if "outcomes" in getattr(item, "fixturenames", ())]
    with concurrent.futures.ThreadPoolExecutor(2 * (os.cpu_count() or 2)) as pool:
        yield {case: pool.submit(one, case) for case in wanted}
        pool.shutdown(cancel_futures=True)


def test_a_fault_at_this_system_call_leaves_a_row_of_the_table_and_mends(case, outcomes):
    try:
        outcomes[case].result(timeout=300)
    except (AssertionError, subprocess.TimeoutExpired, ValueError, json.JSONDecodeError) as error:
        raise AssertionError(f"{case}: {error}") from None


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_trace_covers_what_it_should(name):
    """Were it empty, or not of our binary, every case above would be missing and nobody told."""
    calls = [call for call, _ in record(name)]
    assert len(calls) > 15 and {"openat", "close"} <= set(calls)
    assert {"fsync", "fdatasync"} & set(calls) and {"write", "writev", "pwrite64", "pwritev"} & set(calls)
    assert {"link", "linkat", "rename", "renameat", "renameat2"} & set(calls)
