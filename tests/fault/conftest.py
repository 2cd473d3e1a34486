import pathlib
import sys

for place in ("mock", "system"):
    sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / place))

from fixtures import agent, program, pytest_configure, tree  # noqa: E402, F401
from redis_peers import redis, redises  # noqa: E402, F401
