"""A small Debian that boots with systemd, each on a copy of its own: what these tests stand on.

What one does to it is done as an operator would: by commands inside, and by copying files to it. It
shares the loopback interface of the tests, and nothing else of any network."""

import contextlib
import json
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import sys
import time

BOOT_SECONDS = 180  # also to power off
COMMAND_SECONDS = 120
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# nspawn of systemd 252 allows only the calls that it knows.
CALLS = "landlock_create_ruleset landlock_add_rule landlock_restrict_self"


class Failed(Exception):
    pass


class Done:
    def __init__(self, args, run):
        self.args, self.rc, self.out, self.err = args, run.returncode, run.stdout, run.stderr

    def __repr__(self):
        return f"{self.args} -> {self.rc}\n{self.out}\n{self.err}"


# -- control groups --------------------------------------------------------------------------------

def make_groups(name):
    """One below our own, in each hierarchy that systemd tracks processes by."""
    mine = dict(line.rstrip("\n").split(":", 2)[1:] for line in open("/proc/self/cgroup"))
    made = []
    for line in open("/proc/self/mounts"):
        _, path, kind, options, *_ = line.split(" ")
        if kind == "cgroup2":
            made.append(pathlib.Path(path + mine.get("", "/"), name))
        elif kind == "cgroup" and "name=systemd" in options.split(","):
            made.append(pathlib.Path(path + mine.get("name=systemd", "/"), name))
    for group in made:
        group.mkdir()
    return made


def remove_groups(groups):
    """Those whose last process was killed are busy for a moment."""
    end = time.monotonic() + COMMAND_SECONDS
    for group in groups:
        for path, _, _ in os.walk(group, topdown=False):
            while True:
                try:
                    os.rmdir(path)
                    break
                except OSError:
                    if time.monotonic() > end:
                        raise
                time.sleep(0.01)


# -- the machine -----------------------------------------------------------------------------------

class Machine:
    def __init__(self, directory, system):
        self.directory, self.system = pathlib.Path(directory), system
        self.root = self.directory / "root"
        self.groups = [pathlib.Path(group, self.directory.name)
                       for group in os.environ["BOOT_GROUPS"].split(":")]
        self.process = None
        self.leader = None

    # -- its life --

    def __enter__(self):
        upper, work = self.directory / "upper", self.directory / "work"
        for path in (upper, work, self.root):
            path.mkdir(parents=True)
        options = f"lowerdir={self.system},upperdir={upper},workdir={work}"
        subprocess.run(["mount", "-t", "overlay", "none", "-o", options, str(self.root)], check=True)
        return self

    def __exit__(self, *_):
        self.power_off()
        subprocess.run(["umount", "--lazy", str(self.root)], check=False)

    def boot(self):
        """Until it says that it has come up, and the pid of its init."""
        for group in self.groups:
            group.mkdir()
        notify = self.directory / "notify"
        notify.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
            ear.bind(str(notify))
            with open(self.directory / "console", "wb") as console:
                self.process = subprocess.Popen(
                    ["systemd-nspawn", "--quiet", "--boot", f"--directory={self.root}",
                     "--machine=planner", "--register=no", "--keep-unit", "--notify-ready=yes",
                     "--resolv-conf=off", "--timezone=off", "--link-journal=no",
                     "--console=pipe", f"--system-call-filter={CALLS}"],
                    env={"PATH": PATH, "NOTIFY_SOCKET": str(notify)}, stdin=subprocess.DEVNULL,
                    stdout=console, stderr=subprocess.STDOUT, preexec_fn=self.join)
            end = time.monotonic() + BOOT_SECONDS
            said = ""
            while "READY=1" not in said.split("\n") or not self.leader:
                if not select.select([ear], [], [], max(0, end - time.monotonic()))[0]:
                    raise Failed(f"not up after {BOOT_SECONDS} s: {self.console()[-2000:]}")
                said = ear.recv(4096).decode()
                found = re.search(r"^X_NSPAWN_LEADER_PID=(\d+)$", said, re.M)
                self.leader = int(found[1]) if found else self.leader

    def join(self):
        for group in self.groups:
            (group / "cgroup.procs").write_text("0")

    def console(self):
        return (self.directory / "console").read_text(errors="replace")

    def power_off(self):
        """In order, or else at once: with its init all of it goes."""
        if self.process is not None:
            if self.leader is not None and self.process.poll() is None:
                os.kill(self.leader, signal.SIGRTMIN + 4)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(BOOT_SECONDS)
            for pid in (self.leader, self.process.pid) if self.process.poll() is None else ():
                if pid is not None:
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
        self.process = self.leader = None
        remove_groups(self.groups)

    # -- inside --

    def run(self, *args, rc=0, seconds=COMMAND_SECONDS):
        """A command of root's."""
        args = [str(one) for one in args]
        run = subprocess.run(["nsenter", f"--target={self.leader}", "--all", "--", *args],
                             env={"PATH": PATH, "LC_ALL": "C"}, stdin=subprocess.DEVNULL,
                             capture_output=True, text=True, timeout=seconds, check=False)
        done = Done(args, run)
        assert rc is None or done.rc == rc, f"exit {done.rc}, not {rc}: {done}"
        return done

    def shell(self, line, **how):
        return self.run("sh", "-c", line, **how)

    def path(self, inside):
        return self.root / inside.lstrip("/")

    def write(self, inside, text, mode=0o644):
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def unit(self, *names, of="planner-agent"):
        """Its properties; of one, the value."""
        said = self.run("systemctl", "show", of, "-p", ",".join(names)).out
        found = dict(line.split("=", 1) for line in said.splitlines())
        return found[names[0]] if len(names) == 1 else [found[name] for name in names]

    def journal(self, *options):
        """What the unit's processes wrote, systemd's own lines about it left out."""
        self.run("journalctl", "--sync")
        said = self.run("journalctl", "-o", "json", "--no-pager", *options,
                        "_SYSTEMD_UNIT=planner-agent.service").out
        return [json.loads(line) for line in said.splitlines()]


def try_out(directory):
    """Does a system come up here at all?"""
    try:
        with Machine(directory, os.environ["BOOT_SYSTEM"]) as machine:
            machine.boot()
            print(f"test-boot: {machine.run('systemctl', '--version').out.splitlines()[0]}")
    except (Failed, OSError, AssertionError, subprocess.SubprocessError) as error:
        print(f"test-boot: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(try_out(pathlib.Path(os.environ["BOOT_SCRATCH"]) / "trial"))
