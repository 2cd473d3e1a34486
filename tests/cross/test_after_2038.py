"""A clock beyond 2038-01-19T03:14:07Z, where signed 32 bits of seconds end.

libfaketime turns the clock of the emulator, which is a dynamic program, and the emulator gives its
clock to ours. The files' times are the kernel's, and so of today: events are given to emit and replay,
or told by inotify, which need no scan by time."""

import glob
import os
import shutil
import time

import pytest

from agent import WAIT, wait_for

AHEAD = 15 * 365 * 86400  # seconds; beyond 2038 from 2023-02 on
EMULATORS = {"aarch64": "qemu-aarch64", "armv7": "qemu-arm", "armv6": "qemu-arm", "riscv64": "qemu-riscv64",
             "x86_64": "qemu-x86_64"}
BORDER = 2**31


@pytest.fixture
def later(agent):
    """The agent with a clock of AHEAD seconds more."""
    target = os.environ.get("EMULATED_TARGET")
    if not target:
        pytest.skip("only under make test-cross")
    emulator, libraries = shutil.which(EMULATORS[target]), glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    assert emulator and libraries, "make test-cross installs qemu-user and libfaketime"
    program = os.path.join(os.path.dirname(os.environ["PLANNER_AGENT"]), "planner-agent")
    script = agent.tree.path.parent / "later"
    script.write_text(f'#!/bin/sh\nexec env LD_PRELOAD="{libraries[0]}" FAKETIME=+{AHEAD} NO_FAKE_STAT=1 '
                      f'"{emulator}" "{program}" "$@"\n')
    script.chmod(0o755)
    agent.program = str(script)
    return agent


def test_the_clock_is_beyond_2038(later):
    done = later.cmd("run", "--once", rc=(0, 75), raw=True)
    assert done.out.split('"timestamp":"')[1][:4] >= "2038", done


def test_proposals_and_verdicts_are_dated_after_2038(later, tree):
    daemon = later.start(ready=False)
    wait_for("the daemon", lambda: daemon.named("started", "ready", "config_loaded"), 4 * WAIT)
    later.cmd("emit", "--type", "service_unhealthy", "--node", "solaria", "--service", "web")
    wait_for("the proposal", lambda: len(tree.actions()) == 1, 4 * WAIT)
    ((name, action),) = tree.actions().items()
    now = time.time() + AHEAD
    assert BORDER < now - 120 < action["created_at"] <= now + 1
    daemon.stop()
    later.cmd("approve", name)
    (approved,) = tree.actions("approved").values()
    assert BORDER < action["created_at"] <= approved["updated_at"] <= time.time() + AHEAD + 1
    assert [step["timestamp"] > BORDER for step in approved["transition_history"]] == [True, True]
