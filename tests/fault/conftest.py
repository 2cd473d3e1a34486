import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "system"))

from fixtures import agent, program, pytest_configure, tree  # noqa: E402, F401
