import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "mock"))
sys.path.insert(0, str(pathlib.Path(__file__).parent))

from clocks import jumping  # noqa: E402, F401
from fixtures import agent, program, pytest_configure, tree, user_agent  # noqa: E402, F401
from mock_fixtures import certificates, mock, mocks  # noqa: E402, F401
from netns import network  # noqa: E402, F401
from redis_peers import redis, redises  # noqa: E402, F401
