"""A machine of its own for a supervisor: a mount namespace in which what `service install` writes to is
empty, with the binary in /root, where it was copied to by hand, and a tree at /opt/homelab.

    with Machine(program, tmp_path) as machine:
        machine.install("runit")
        machine.start(["runsv", "/etc/sv/planner-agent"])
        machine.comes_back()"""

import contextlib
import json
import os
import pathlib
import signal
import subprocess

import pytest

from agent import NOBODY, WAIT, Tree, wait_for

SCRIPT = """
set -e
exec 3<"$1"
for path in /usr/local /opt /run /var/log /root; do
	mount -t tmpfs -o mode=755 tmpfs $path
done
mkdir /run/etc /run/dev
cp -a /etc/. /run/etc
for name in null zero full random urandom; do
	touch /run/dev/$name
	mount --bind /dev/$name /run/dev/$name
done
mount --rbind /run/etc /etc
mount --rbind /run/dev /dev
mkdir /usr/local/bin /opt/homelab
cat <&3 >/root/planner-agent
chmod 755 /root/planner-agent
exec 3<&-
chown 65534:65534 /opt/homelab
echo ready
exec cat
"""


def is_read(fifo):
    """Has a supervisor its end of it open? One that only has a name takes no orders yet."""
    try:
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


class Machine:
    def __init__(self, program, tmp_path):
        self.program, self.tmp_path = program, tmp_path
        self.started = []

    def __enter__(self):
        if subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
            pytest.skip("no mount namespace can be had here")
        self.process = subprocess.Popen(["unshare", "-m", "sh", "-c", SCRIPT, "sh", self.program],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if self.process.stdout.readline() != b"ready\n":
            pytest.fail(self.process.communicate()[1].decode())
        self.path = pathlib.Path(f"/proc/{self.process.pid}/root")
        self.tree = Tree(self.path / "opt" / "homelab")
        self.tree.owner = NOBODY
        return self

    def __exit__(self, *_):
        pid = self.pid()
        for one in self.started:
            one.kill()
            one.wait()
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):  # it was told to end, and has
                os.kill(pid, signal.SIGKILL)
        self.process.communicate()

    def command(self, *command):
        return ["nsenter", "-t", str(self.process.pid), "-m", "--wd=/", "--", *map(str, command)]

    def run(self, *command, rc=0, timeout=60):
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
        run = subprocess.run(self.command(*command), env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, check=False, timeout=timeout)
        assert run.returncode == rc, (command, run.returncode, run.stdout.decode())
        return run.stdout.decode()

    def start(self, *command):
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
        self.started.append(subprocess.Popen(self.command(*command), env=env, stdin=subprocess.DEVNULL,
                                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        return self.started[-1]

    def install(self, init, settings="LLM_CHAIN=rules\nNODE_NAME=planner\n"):
        out = self.run("/root/planner-agent", "service", "install", "--init", init)
        with open(self.path / "opt/homelab/config/planner-agent/.env", "a", encoding="utf-8") as env:
            env.write(settings)
        return out

    # -- the planner in there --

    def pid(self):
        """Of the daemon, where one runs: the lock has it, and the process is ours."""
        try:
            pid = int((self.tree.path / "state/planner-agent/lock").read_text())
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        return pid if b"planner-agent\0run" in command else None

    def ready(self, other_than=None):
        """Its pid, once it has started: with the lock alone it has no handler for a signal yet."""
        pid = wait_for("a planner", lambda: (lambda pid: pid != other_than and pid)(self.pid()))
        wait_for("its status", lambda: f'"pid":{pid},' in self.status())
        wait_for("its heartbeat", self.tree.heartbeat.exists)
        return pid

    def status(self):
        path = self.tree.state / "status.json"
        return path.read_text(errors="replace") if path.exists() else ""

    def works(self, service):
        """An event becomes a proposal, and is told of."""
        self.tree.event(service=service)
        wait_for("a proposal", lambda: f"container-restart-solaria-{service}" in self.tree.actions())
        wait_for("its audit event", lambda: service in [
            event["payload"]["target_service"] for event in self.tree.audits().values()])

    def runs_as(self, pid, uid=NOBODY):
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert fields["Uid"].split() == [str(uid)] * 4 and fields["Gid"].split() == [str(uid)] * 4, status
        assert fields["CapEff"].strip() == "0" * 16

    def comes_back(self):
        """Started, at work, killed, back, at work again; the pid of the second."""
        first = self.ready()
        self.runs_as(first)
        self.works("first")
        os.kill(first, signal.SIGKILL)
        second = self.ready(other_than=first)
        self.runs_as(second)
        self.works("second")
        assert sorted(self.tree.actions()) == ["container-restart-solaria-first", "container-restart-solaria-second"]
        return second

    def gone(self, pid, seconds=WAIT):
        wait_for("the end of the planner", lambda: not os.path.exists(f"/proc/{pid}"), seconds)

    def log(self, path):
        """The JSON lines of a log, as far as they are whole, whatever stands before each."""
        path = self.path / path
        text = path.read_text() if path.exists() else ""
        lines = text[:text.rfind("\n") + 1].splitlines()
        return [json.loads(line[line.index("{"):]) for line in lines if "{" in line]
