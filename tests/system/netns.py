"""A network of its own for a test: a namespace with a loopback interface, hosts and name servers as
ordered, and an interface into which packets vanish.

    network.hosts(("web.test", "127.0.0.1"), ("web.test", "fd00:db8::9"))
    with network.inside():
        server = mocks()                 its sockets are made in there
    agent.start(env, prefix=network.prefix)

LOCAL, LOCAL6 and LOCAL_ULA (a unique local one) are its own, beside those of loopback. At HOLE, HOLE6
and HOLE_ULA nobody answers, not even with an error. FAR and FAR6 have no route."""

import contextlib
import ctypes
import os
import subprocess

import pytest

LOCAL, LOCAL6, LOCAL_ULA = "192.0.2.2", "2001:db8::1", "fd00:db8::1"
HOLE, HOLE6, HOLE_ULA = "192.0.2.9", "2001:db8::9", "fd00:db8::9"
FAR, FAR6 = "198.51.100.1", "2001:db8:1::1"
NEWNET = 0x40000000

# What is routed to a tunnel that no program has opened is dropped, and nobody is told.
SCRIPT = f"""
set -e
ip link set lo up
ip tuntap add dev hole mode tun
ip address add 192.0.2.1/24 dev hole
ip address add {LOCAL}/24 dev hole
ip -6 address add {LOCAL6}/64 dev hole nodad
ip -6 address add {LOCAL_ULA}/64 dev hole nodad
ip link set hole up
mount --bind "$1" /etc/hosts
mount --bind "$2" /etc/resolv.conf
echo ready
exec cat
"""


class Network:
    def __init__(self, directory):
        self.hosts_file, self.resolv_file = directory / "hosts", directory / "resolv.conf"
        self.hosts()
        self.resolv_file.write_text("nameserver 127.0.0.1\n")

    def __enter__(self):
        self.process = subprocess.Popen(
            ["unshare", "-n", "-m", "sh", "-c", SCRIPT, "sh", self.hosts_file, self.resolv_file],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if self.process.stdout.readline() != b"ready\n":
            reason = self.process.communicate()[1].decode().strip()
            pytest.skip(f"no network of its own can be had here: {reason}")
        self.prefix = ("nsenter", "-t", str(self.process.pid), "-n", "-m", "--")
        return self

    def __exit__(self, *_):
        """The namespace goes with its last process."""
        self.process.communicate()

    def run(self, *command):
        subprocess.run([*self.prefix, *command], check=True, stdin=subprocess.DEVNULL)

    def hosts(self, *lines):
        """(name, address) each, in this order."""
        # Written in place: the file itself is what is mounted.
        self.hosts_file.write_text("".join(f"{address} {name}\n" for name, address in [("localhost", "127.0.0.1"), *lines]))

    @contextlib.contextmanager
    def inside(self):
        """Sockets made, and threads started, by this thread in here are of this network."""
        libc = ctypes.CDLL(None, use_errno=True)

        def enter(fd):
            if libc.setns(fd, NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/proc/{self.process.pid}/ns/net", os.O_RDONLY)
        try:
            enter(there)
            try:
                yield
            finally:
                enter(home)
        finally:
            os.close(home)
            os.close(there)


@pytest.fixture
def network(tmp_path):
    with Network(tmp_path) as one:
        yield one
