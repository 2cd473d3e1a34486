import os
import pathlib
import signal
import sys

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).parents[1] / "mock"),
                str(pathlib.Path(__file__).parents[1] / "system"), str(pathlib.Path(__file__).parent)]

pytest.register_assert_rewrite("agent", "machine", "service")

from machine import Machine  # noqa: E402
from mock_fixtures import mock, mocks  # noqa: E402, F401
from service import Service  # noqa: E402


def pytest_configure():
    """The init of a namespace gets only those signals that it handles."""
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("ended", returncode=1))


@pytest.fixture
def image(tmp_path):
    """What is yet to be booted."""
    with Machine(tmp_path, os.environ["BOOT_SYSTEM"]) as machine:
        yield machine


@pytest.fixture
def machine(image):
    image.boot()
    return image


@pytest.fixture
def service(machine, mock):  # noqa: F811
    """Copied to it and installed, not started."""
    service = Service(machine, mock)
    service.make_tree()
    service.copy()
    service.install()
    yield service
    service.check()
