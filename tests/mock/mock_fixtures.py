"""Fixtures of the tests that need a model to talk to."""

import contextlib

import pytest

from certificates import Certificates
from server import MockServer


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def mocks():
    """Starts servers, with MockServer's arguments. The test fails when one of them had anything to
    complain of; a test that expects complaints uses MockServer itself."""
    with contextlib.ExitStack() as stack:
        servers = []

        def start(**how):
            servers.append(stack.enter_context(MockServer(**how)))
            return servers[-1]

        yield start
        for server in servers:
            assert server.complaints == [], server.requests


@pytest.fixture
def mock(mocks):
    return mocks()
