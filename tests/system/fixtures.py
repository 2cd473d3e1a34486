"""Fixtures of the suites that drive the real binary (tests/system, tests/fault)."""

import os
import shutil
import tempfile

import pytest

from agent import Agent, Tree, binary


def pytest_configure(config):
    # The planner syncs every file: in memory the suite takes minutes less, and flash lives longer.
    if config.option.basetemp is None and os.access("/dev/shm", os.W_OK):
        config.option.basetemp = tempfile.mkdtemp(prefix="planner-agent-", dir="/dev/shm")
        config.add_cleanup(lambda: shutil.rmtree(config.option.basetemp, ignore_errors=True))


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    """The binary, where every user can reach it."""
    if not binary().is_file():
        pytest.exit(f"no {binary()}: make", returncode=2)
    directory = tmp_path_factory.mktemp("bin")
    base = tmp_path_factory.getbasetemp()
    for path in (directory, base, *(one for one in base.parents if one.name.startswith(("pytest-", "planner-agent-")))):
        path.chmod(0o755)
    copy = directory / "planner-agent"
    shutil.copy(binary(), copy)
    copy.chmod(0o755)
    return copy


@pytest.fixture
def tree(tmp_path, program):
    tmp_path.chmod(0o755)
    return Tree(tmp_path / "homelab")


@pytest.fixture
def agent(tree, program):
    agent = Agent(tree, program)
    yield agent
    agent.end()


@pytest.fixture
def user_agent(tree, program):
    """As a user without privileges, whoever runs the tests; the tree is that user's."""
    user = 65534 if os.geteuid() == 0 else None
    if user is not None:
        tree.owner = user
        tree.give(tree.path)
    agent = Agent(tree, program, user)
    yield agent
    agent.end()
