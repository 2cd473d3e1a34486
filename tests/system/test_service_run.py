"""What `service install` wrote, under the supervisors that it is for: the planner starts as its user, comes
back after a kill, ends when it is told to, and stays away where another start would mend nothing."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import threading

import pytest

from agent import WAIT, named, stays, wait_for
from supervised import Machine, is_read


def need(*names):
    for name in names:
        if shutil.which(name) is None:
            pytest.skip(f"no {name} here")


@pytest.fixture
def machine(program, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root has mount namespaces")
    with Machine(program, tmp_path) as machine:
        yield machine


BAD = "LLM_CHAIN=rules\nCOOLDOWN_SECONDS=soon\n"


# ---- Install, for real --------------------------------------------------------------------------


def test_install_and_uninstall_without_root_option(machine):
    out = machine.install("sysv")
    assert "wrote /usr/local/bin/planner-agent\n" in out and "wrote /etc/init.d/planner-agent\n" in out
    assert "  update-rc.d planner-agent defaults\n" in out
    env = (machine.path / "opt/homelab/config/planner-agent/.env").stat()
    assert (env.st_mode & 0o777, env.st_uid, env.st_gid) == (0o640, 0, 65534)
    assert (machine.tree.path / "actions/pending").stat().st_uid == 65534
    out = machine.run("/usr/local/bin/planner-agent", "service", "install", "--init", "sysv")
    assert out.startswith("left as it is: /etc/init.d/planner-agent\n") and "wrote" not in out
    machine.run("/usr/local/bin/planner-agent", "service", "uninstall", "--init", "sysv")
    assert not (machine.path / "etc/init.d/planner-agent").exists()
    assert (machine.path / "opt/homelab/config/planner-agent/.env").exists()  # install() changed it


def test_uninstall_waits_for_nobody_but_says_what_to_stop(machine):
    machine.install("sysv")
    machine.run("/etc/init.d/planner-agent", "start")
    pid = machine.ready()
    out = machine.run("/usr/local/bin/planner-agent", "service", "uninstall", "--init", "sysv", rc=75)
    assert "planner-agent service: it still runs, stop it first\n" in out
    assert out.endswith("First:\n  /etc/init.d/planner-agent stop\n")
    assert (machine.path / "etc/init.d/planner-agent").exists() and machine.pid() == pid
    machine.run("/etc/init.d/planner-agent", "stop")
    machine.run("/usr/local/bin/planner-agent", "service", "uninstall", "--init", "sysv")


def test_a_binary_that_is_in_place_stays_there(machine):
    machine.run("mkdir", "/opt/bin")
    machine.run("cp", "/root/planner-agent", "/opt/bin")
    machine.run("/opt/bin/planner-agent", "service", "install", "--init", "sysv")
    assert not (machine.path / "usr/local/bin/planner-agent").exists()
    assert "/opt/bin/planner-agent run --runtime" in (machine.path / "etc/init.d/planner-agent").read_text()


def test_the_group_of_pending_is_kept_where_the_user_is_one_of_it(machine):
    pending = machine.tree.directory(machine.tree.path / "actions/pending")
    os.chown(pending, 65534, 4711)
    group = lambda: re.search(r"\nUser=nobody\nGroup=(.*)\n", machine.run("/root/planner-agent", "service", "systemd")).group(1)
    (machine.path / "etc/group").open("a").write("approvers:x:4711:ann,bob\n")
    assert group() == "65534", "not his"
    (machine.path / "etc/group").open("a").write("deployers:x:4712:nobody\nhumans:x:4711:ann,nobody\n")
    assert group() == "4711"
    for user in ("nobody", "65534"):
        out = machine.run("/root/planner-agent", "service", "systemd", "--user", user)
        assert "\nUser=nobody\nGroup=4711\nSupplementaryGroups=65534\n" in out
    assert "\nUser=root\nGroup=0\nSupplementaryGroups=0\n" in machine.run("/root/planner-agent", "service", "systemd", "--user", "root")
    assert 'user: "65534:4711"' in machine.run("/root/planner-agent", "service", "compose")
    # Those who approve are not to read his keys.
    machine.run("/root/planner-agent", "service", "install", "--init", "runit")
    env = (machine.path / "opt/homelab/config/planner-agent/.env").stat()
    assert (env.st_mode & 0o777, env.st_uid, env.st_gid) == (0o640, 0, 65534)


def proposes_for_the_group(machine, init, *command):
    os.chown(machine.tree.directory(machine.tree.path / "actions/pending"), 65534, 4711)
    (machine.path / "etc/group").open("a").write("approvers:x:4711:ann,nobody\n")
    machine.install(init)
    process = machine.start(*command)
    machine.ready()
    machine.works("web")
    action = machine.tree.action_path("container-restart-solaria-web").stat()
    assert (action.st_mode & 0o777, action.st_uid, action.st_gid) == (0o640, 65534, 4711)
    process.terminate()


def test_runit_proposes_for_the_group_of_pending(machine):
    need("runsv", "sv", "chpst", "svlogd")
    proposes_for_the_group(machine, "runit", "runsv", "/etc/sv/planner-agent")


def test_s6_proposes_for_the_group_of_pending(machine):
    need("s6-supervise", "s6-svc")
    proposes_for_the_group(machine, "s6", "s6-supervise", "/etc/s6/sv/planner-agent")


def test_sysv_proposes_for_the_group_of_pending(machine):
    proposes_for_the_group(machine, "sysv", "/etc/init.d/planner-agent", "start")
    machine.run("/etc/init.d/planner-agent", "stop")


@pytest.mark.parametrize("init", ["systemd", "sysv"])
def test_a_user_that_there_is_not(machine, init):
    """systemd, supervise-daemon and run --user look it up when they start the planner: too late."""
    for option in (["--user", "12345"], []):
        out = machine.run("/root/planner-agent", "service", "install", "--init", init, *option, rc=64)
        assert out == "planner-agent service: no such user: 12345\n"
        os.chown(machine.tree.path, 12345, 12345)
    assert list((machine.path / "usr/local/bin").iterdir()) == [] and list(machine.tree.path.iterdir()) == []
    assert "\nUser=12345\n" in machine.run("/root/planner-agent", "service", "systemd")
    machine.run("/root/planner-agent", "service", "install", "--init", init, "--user", "nobody")
    machine.run("/root/planner-agent", "service", "uninstall", "--init", init)


# ---- runit --------------------------------------------------------------------------------------


def test_runit(machine):
    need("runsv", "sv", "chpst", "svlogd")
    machine.install("runit")
    machine.start("runsv", "/etc/sv/planner-agent")
    pid = machine.comes_back()
    assert "run: /etc/sv/planner-agent" in machine.run("sv", "status", "/etc/sv/planner-agent")
    started = lambda: named(machine.log("var/log/planner-agent/current"), "started")
    wait_for("both starts in the log", lambda: len(started()) == 2)
    machine.run("sv", "-w", "50", "down", "/etc/sv/planner-agent")
    machine.gone(pid)
    machine.run("sv", "-w", "50", "up", "/etc/sv/planner-agent")
    machine.ready(other_than=pid)
    machine.run("sv", "exit", "/etc/sv/planner-agent")


def test_runit_gives_up_on_a_bad_setting(machine):
    need("runsv", "sv", "chpst", "svlogd")
    machine.install("runit", BAD)
    machine.start("runsv", "/etc/sv/planner-agent")
    service = machine.path / "etc/sv/planner-agent"
    wait_for("runsv", lambda: is_read(service / "supervise/ok") and is_read(service / "log/supervise/ok"))

    def is_left_down():
        """"down" alone is between two starts, too; both are asked in one look."""
        status = machine.run("sv", "status", "/etc/sv/planner-agent")
        return status.startswith("down: ") and "want up" not in status

    wait_for("it gives up", is_left_down)
    stays("it is down", is_left_down, 2)
    machine.run("sv", "exit", "/etc/sv/planner-agent")


# ---- s6 -----------------------------------------------------------------------------------------


def test_s6(machine):
    need("s6-svscan", "s6-svc", "s6-svstat", "s6-log")
    machine.install("s6")
    machine.run("mkdir", "/run/service")
    scan = machine.start("s6-svscan", "/run/service")
    wait_for("s6-svscan", lambda: is_read(machine.path / "run/service/.s6-svscan/control"))
    machine.run("s6-svlink", "/run/service", "/etc/s6/sv/planner-agent")
    machine.run("s6-svwait", "-t", "50000", "-U", "/run/service/planner-agent")
    pid = machine.comes_back()
    wait_for("ready", lambda: machine.run("s6-svstat", "-o", "ready", "/run/service/planner-agent") == "true\n")
    started = lambda: named(machine.log("var/log/planner-agent/current"), "started")
    wait_for("both starts in the log", lambda: len(started()) == 2)
    machine.run("s6-svc", "-wd", "-T", "50000", "-d", "/run/service/planner-agent")
    machine.gone(pid)
    machine.run("s6-svunlink", "/run/service", "planner-agent")
    machine.run("s6-svscanctl", "-t", "/run/service")
    wait_for("the end of s6-svscan", lambda: scan.poll() is not None)


def test_s6_gives_up_on_a_bad_setting(machine):
    need("s6-supervise", "s6-svc", "s6-svstat")
    machine.install("s6", BAD)
    machine.start("s6-supervise", "/etc/s6/sv/planner-agent")
    up = lambda: machine.run("s6-svstat", "-o", "wantedup,exitcode", "/etc/s6/sv/planner-agent")
    wait_for("s6-supervise", lambda: (machine.path / "etc/s6/sv/planner-agent/supervise/status").exists())
    wait_for("it gives up", lambda: up() == "false 78\n")


# ---- sysv ---------------------------------------------------------------------------------------


@pytest.fixture(params=["dash", "bash", "busybox"])
def script(request, machine):
    """The init script under a shell; only under busybox are its other programs busybox's, too."""
    need(request.param)
    machine.install("sysv")
    path = machine.path / "etc/init.d/planner-agent"
    if request.param == "busybox":
        (machine.path / "run/busybox").mkdir()
        machine.run("busybox", "--install", "-s", "/run/busybox")
        text = path.read_text().replace("#!/bin/sh\n", "#!/run/busybox/sh\n").replace("\nPATH=", "\nPATH=/run/busybox:")
    else:
        text = path.read_text().replace("#!/bin/sh\n", f"#!{shutil.which(request.param)}\n")
    path.write_text(text)
    return lambda what, **how: machine.run("/etc/init.d/planner-agent", what, **how)


def is_keeper(pid):
    try:
        return b"keep" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_sysv(machine, script):
    assert "does not run" in script("status", rc=3)
    script("stop")
    script("start")
    pid = machine.comes_back()
    keeper = int((machine.path / "run/planner-agent.pid").read_text())
    assert f"kept by {keeper}" in script("status")
    assert "runs already" in script("start")
    assert machine.pid() == pid and len(named(machine.log("var/log/planner-agent.log"), "started")) == 2
    script("reload")
    wait_for("a reload", lambda: named(machine.log("var/log/planner-agent.log"), "config_loaded"))
    assert machine.pid() == pid
    script("restart")
    third = machine.ready(other_than=pid)
    wait_for("the end of the keeper", lambda: not is_keeper(keeper))
    script("stop")
    assert not os.path.exists(f"/proc/{third}")
    assert "does not run" in script("status", rc=3)
    assert not (machine.path / "run/planner-agent.pid").exists()


def test_sysv_stops_while_it_waits_to_start_again(machine, script):
    script("start")
    pid = machine.ready()
    os.kill(pid, signal.SIGKILL)
    machine.gone(pid)
    script("stop")
    stays("nothing comes back", lambda: machine.pid() is None, 6)


def test_sysv_gives_up_on_a_bad_setting(machine, script):
    with open(machine.path / "opt/homelab/config/planner-agent/.env", "a", encoding="utf-8") as env:
        env.write("COOLDOWN_SECONDS=soon\n")
    script("start")
    keeper = int((machine.path / "run/planner-agent.pid").read_text())
    wait_for("it gives up", lambda: not is_keeper(keeper))
    script("status", rc=3)
    assert "COOLDOWN_SECONDS" in (machine.path / "var/log/planner-agent.log").read_text()
    script("stop")
    assert not (machine.path / "run/planner-agent.pid").exists()


def test_sysv_knows_a_pid_that_became_another_s(machine, script):
    (machine.path / "run/planner-agent.pid").write_text(f"{os.getpid()}\n")
    script("status", rc=3)
    script("stop")  # does not kill this test
    script("start")
    machine.ready()
    script("stop")


def keepers(machine):
    """Of this machine: those in its mount namespace. What a keeper forks has its command line for a moment, or
    while it waits, but leads no session."""
    inside = os.readlink(f"/proc/{machine.process.pid}/ns/mnt")
    found = []
    for one in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            pid = int(one.name)
            if is_keeper(pid) and os.getsid(pid) == pid and os.readlink(one / "ns/mnt") == inside:
                found.append(pid)
    return found


def test_sysv_starts_and_restarts_at_once_leave_one(machine, script):
    machine.run("sh", "-c", "for _ in 1 2 3 4; do /etc/init.d/planner-agent start & done; wait")
    machine.ready()
    assert len(keepers(machine)) == 1
    machine.run("sh", "-c", "for _ in 1 2 3; do /etc/init.d/planner-agent restart & done; wait")
    machine.ready()
    assert len(keepers(machine)) == 1
    script("stop")
    assert keepers(machine) == [] and machine.pid() is None


def test_sysv_is_told_at_once_after_its_start(machine, script):
    for _ in range(5):
        machine.run("sh", "-c", "/etc/init.d/planner-agent start; /etc/init.d/planner-agent stop")
        assert keepers(machine) == [] and machine.pid() is None
        machine.run("sh", "-c", "/etc/init.d/planner-agent start; /etc/init.d/planner-agent reload")
        assert len(keepers(machine)) == 1
        machine.ready()
        script("stop")


def test_sysv_is_told_where_signals_were_ignored_at_its_start(machine, script):
    """As nohup(1) does: a shell that began so cannot trap them."""
    machine.run("sh", "-c", "trap '' HUP TERM; /etc/init.d/planner-agent start")
    pid = machine.ready()
    script("reload")
    wait_for("a reload", lambda: named(machine.log("var/log/planner-agent.log"), "config_loaded"))
    assert machine.pid() == pid
    script("stop")
    assert keepers(machine) == [] and machine.pid() is None


def test_sysv_from_its_own_directory(machine, script):
    machine.run("sh", "-c", "cd /etc/init.d && sh planner-agent start")
    machine.ready()
    script("stop")


@pytest.mark.parametrize("place", ["var/log/planner-agent.log", "run/planner-agent.pid"])
def test_sysv_starts_nothing_where_it_cannot_write(machine, script, place):
    (machine.path / place).mkdir()
    assert "does not start" in script("start", rc=1)
    assert keepers(machine) == []


def test_sysv_usage(script):
    assert "usage:" in script("bogus", rc=2)


def test_sysv_logs_to_syslog_where_there_is_one(machine):
    need("logger")
    machine.install("sysv")
    lines = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind(str(machine.path / "dev/log"))
        syslog.settimeout(WAIT)
        (machine.path / "dev/log").chmod(0o666)

        def read():
            try:
                while not lines or b'"event":"stopped"' not in lines[-1]:
                    lines.append(syslog.recv(65536))
            except OSError:
                pass

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        machine.run("/etc/init.d/planner-agent", "start")
        machine.ready()
        machine.run("/etc/init.d/planner-agent", "stop")
        reader.join()
    assert any(re.search(rb'planner-agent.*"event":"started"', line) for line in lines), lines
    assert not (machine.path / "var/log/planner-agent.log").read_text()


# ---- Upgrade ------------------------------------------------------------------------------------


def test_upgrade_in_place(machine, tmp_path):
    """A new binary by scp and install --force, while the old one runs: nothing is lost, nothing twice."""
    need("runsv", "sv", "chpst", "svlogd")
    machine.install("runit")
    machine.start("runsv", "/etc/sv/planner-agent")
    old = machine.ready()
    machine.works("before")
    out = machine.run("/root/planner-agent", "service", "install", "--init", "runit", "--force")
    assert "left as it is: /opt/homelab/config/planner-agent/.env\n" in out
    assert os.readlink(f"/proc/{old}/exe").endswith(" (deleted)"), "replaced by rename: the old one runs on"
    machine.works("between")
    machine.run("sv", "-w", "50", "restart", "/etc/sv/planner-agent")
    new = machine.ready(other_than=old)
    machine.works("after")
    assert os.readlink(f"/proc/{new}/exe") == "/usr/local/bin/planner-agent"
    assert len(machine.tree.actions()) == 3 and len(machine.tree.audits()) == 3
    machine.run("sv", "exit", "/etc/sv/planner-agent")
