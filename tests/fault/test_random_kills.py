"""The daemon is killed again and again while events are written, logs are rotated and an executor
takes what was proposed: every event comes to exactly one proposal and one audit event.

Each service is named once, so a proposal says which event it came from. There is no cooldown that
would hide an event that is handled twice, and what was proposed is taken away at once."""

import json
import os
import random
import signal
import threading
import time

import pytest

from agent import check_logs, fault, wait_for

ROUNDS = 12


class Writer(threading.Thread):
    """Node-agents: files by rename and by write, lines in logs that are rotated."""

    def __init__(self, tree, dice):
        super().__init__(daemon=True)
        self.tree, self.dice = tree, dice
        self.ended = threading.Event()
        self.written = []
        self.rotations = 0

    def run(self):
        while not self.ended.is_set():
            for _ in range(self.dice.randrange(1, 12)):
                service = f"s{len(self.written):05d}"
                how = self.dice.choice(("rename", "write", "line", "line", "slow"))
                node = self.dice.choice(("solaria", "orion"))
                if how == "line":
                    self.tree.jsonl(fault(service=service), node=node)
                    if self.dice.random() < 0.04:
                        self.rotate(node)
                elif how == "slow":
                    self.slow(service, node)
                else:
                    self.tree.event(service=service, directory=self.tree.node_dir(node), rename=how == "rename")
                self.written.append(service)
            time.sleep(self.dice.random() * 0.02)

    def slow(self, service, node):
        text = json.dumps(fault(service=service))
        with open(self.tree.node_dir(node) / f"slow-{service}.json", "w", encoding="utf-8") as out:
            out.write(text[:60])
            out.flush()
            time.sleep(0.005)
            out.write(text[60:])

    def rotate(self, node):
        self.rotations += 1
        path = self.tree.node_dir(node) / "events.jsonl"
        path.rename(path.with_name(f"events.jsonl.{self.rotations}"))


class Executor(threading.Thread):
    """Takes what is pending, as if it had been approved and carried out at once."""

    def __init__(self, tree):
        super().__init__(daemon=True)
        self.tree = tree
        self.ended = threading.Event()
        self.taken = []

    def run(self):
        pending, completed = (self.tree.path / "actions" / place for place in ("pending", "completed"))
        completed.mkdir(parents=True)
        while not self.ended.is_set():
            for path in pending.glob("*.json"):
                action = json.loads(path.read_text())  # never half a file
                path.rename(completed / path.name)
                self.taken.append(action["service"])
            time.sleep(0.01)

    def wait_done(self):
        """Names are looked at alone: it may take a file away while somebody reads it."""
        pending = self.tree.path / "actions" / "pending"
        wait_for("the executor", lambda: not self.is_alive() or not list(pending.glob("*.json")), 60)
        self.ended.set()
        self.join()
        assert not list(pending.glob("*.json")), "the executor failed"


def start(agent, dice):
    daemon = agent.start(env={"COOLDOWN_SECONDS": 0, "LOG_LEVEL": "info"}, ready=False)
    time.sleep(dice.random() ** 2 * 1.5)
    return daemon


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("taken_at_once", [False, True], ids=["left_pending", "taken_at_once"])
def test_killed_at_random_every_event_is_proposed_exactly_once(agent, tree, seed, taken_at_once):
    dice = random.Random(seed)
    writer, executor = Writer(tree, random.Random(seed + 100)), Executor(tree)
    writer.start()
    if taken_at_once:
        executor.start()
    for _ in range(ROUNDS):
        daemon = start(agent, dice)
        daemon.kill()
        check_logs(b"".join(daemon.lines[:-1]), "daemon")
    writer.ended.set()
    writer.join()
    agent.run_once(env={"COOLDOWN_SECONDS": 0, "LOG_LEVEL": "info"}, rc=(0, 75), timeout=300)
    agent.run_once(env={"COOLDOWN_SECONDS": 0, "LOG_LEVEL": "info"}, timeout=300)
    if taken_at_once:
        executor.wait_done()
    else:
        executor.taken = [action["service"] for action in tree.actions().values()]
    audits = [event["payload"]["target_service"] for event in tree.audits().values()]
    wanted = sorted(writer.written)
    assert writer.rotations > 0 and len(wanted) > 100
    lost = sorted(set(wanted) - set(executor.taken))
    assert lost == [], f"never proposed: {lost[:20]}"
    twice = sorted({service for service in executor.taken if executor.taken.count(service) > 1})
    assert twice == [], f"proposed twice: {twice[:20]}"
    assert sorted(audits) == wanted, "audit events"
    assert tree.dot_files() == []
    assert os.path.exists(tree.state) and not any("damaged" in path.name for path in tree.state.iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_at_random_every_event_is_proposed_exactly_once(agent, tree, number):
    dice = random.Random(int(number))
    writer = Writer(tree, random.Random(7))
    writer.start()
    for _ in range(ROUNDS // 2):
        assert start_and_stop(agent, dice, number) < 1
    writer.ended.set()
    writer.join()
    agent.run_once(env={"COOLDOWN_SECONDS": 0}, timeout=300)
    assert sorted(action["service"] for action in tree.actions().values()) == sorted(writer.written)
    assert len(tree.audits()) == len(writer.written)


def start_and_stop(agent, dice, number):
    daemon = agent.start(env={"COOLDOWN_SECONDS": 0, "LOG_LEVEL": "info"})
    time.sleep(dice.random() ** 2)
    return daemon.stop(number)
