"""The memory of a running planner: what only the start needs to write is read-only then."""

import pathlib
import struct

from agent import binary

PT_LOAD, PT_GNU_RELRO = 1, 0x6474E552


def relro(data):
    """Where PT_GNU_RELRO begins and ends, and the same of what is loaded first (64 bits)."""
    at, = struct.unpack_from("<Q", data, 32)
    step, count = struct.unpack_from("<2H", data, 54)
    found = {}
    for i in range(count):
        kind, _, _, begin, _, _, size, _ = struct.unpack_from("<2I6Q", data, at + i * step)
        found.setdefault(kind, (begin, begin + size))
    return found[PT_GNU_RELRO], found[PT_LOAD]


def maps(pid):
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        span, rights, _, _, _, *path = line.split(maxsplit=5)
        begin, end = (int(one, 16) for one in span.split("-"))
        yield begin, end, rights, path[0] if path else ""


def test_constants_are_read_only_once_they_are_relocated(agent):
    daemon = agent.start()
    ours = [one for one in maps(daemon.pid) if one[3] == agent.program]
    (begin, end), (first, _) = relro(binary().read_bytes())
    shift = ours[0][0] - first // 4096 * 4096
    within = [one for one in ours if one[0] < end + shift and one[1] > begin + shift]
    assert within and {rights for _, _, rights, _ in within} == {"r--p"}
    assert within[0][0] <= begin + shift and end + shift <= within[-1][1]


def test_nothing_is_writable_and_executable(agent):
    daemon = agent.start()
    rights = [one[2] for one in maps(daemon.pid)]
    assert any("w" in one for one in rights) and any("x" in one for one in rights)
    assert [one for one in rights if "w" in one and "x" in one] == []


def test_each_start_is_loaded_elsewhere(agent):
    seen = set()
    for _ in range(3):
        daemon = agent.start()
        seen.add(next(one[0] for one in maps(daemon.pid) if one[3] == agent.program))
        daemon.stop()
    assert len(seen) > 1
