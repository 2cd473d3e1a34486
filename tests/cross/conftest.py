import pathlib
import sys

ROOT = pathlib.Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "system"), str(ROOT / "mock")]

from fixtures import agent, program, pytest_configure, tree, user_agent  # noqa: E402, F401
from mock_fixtures import certificates, mock, mocks  # noqa: E402, F401
