"""The program whose clocks jump (clock.c beside this file), and how to make them."""

import time

import pytest

from agent import Agent, binary

DAY_MS = 24 * 3600 * 1000


class JumpingAgent(Agent):
    def __init__(self, tree):
        program = binary().with_name(binary().name + "-clock")
        assert program.is_file(), f"no {program}: make test"
        super().__init__(tree, program)
        self.file = tree.path.parent / "clock"
        self.file.write_text(self.line(0, 0, 0))
        self.env["PLANNER_CLOCK"] = str(self.file)
        self.wall_ms = self.boot_ms = 0

    @staticmethod
    def line(*numbers):
        """Of 64 bytes: none lies across the end of a page, where a reader could see half of it."""
        return " ".join(map(str, numbers)).rjust(63) + "\n"

    def jump(self, wall=0, boot=0):
        """Both go on from where they are, plus so many milliseconds."""
        time.sleep(0.02)  # times of files are some milliseconds behind: what was made was made before
        self.wall_ms += wall
        self.boot_ms += boot
        with open(self.file, "a") as clock:
            clock.write(self.line(int(time.time() * 1000), self.wall_ms, self.boot_ms))

    def suspend(self, ms):
        """Nobody was awake for so long: no clock was set."""
        self.jump(ms, ms)

    def begin_1970(self):
        """The machine is on since 40 seconds, and has no clock battery."""
        self.jump(wall=40000 - int(time.time() * 1000) - self.wall_ms)

    def synchronize(self):
        """NTP sets it right."""
        self.jump(wall=-self.wall_ms)


@pytest.fixture
def jumping(tree):
    agent = JumpingAgent(tree)
    yield agent
    agent.end()
