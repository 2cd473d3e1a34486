"""The unit that `service install` writes, under the systemd that it was written for."""

import re
import subprocess
import time

from agent import binary, stays, utc_day, wait_for
from apis import ANTHROPIC, OLLAMA
from service import BINARY, CREDENTIAL, ENV_FILE, UNIT, USER, Service, commands
from steps import hang, proposal

KEY = "sk-ant-test-0123456789abcdef-KEY"
RESIDENT_MAX = 1258  # kB: 1.2 MB
EXPOSURE_MAX = 1.5


def answered(service):
    """Events that were proposed, approved, and carried out: only the planner's own memory keeps
    them from being proposed again."""
    for name, known in (("first", ["first"]), ("second", ["first", "second"])):
        service.tree.event(service=name)
        service.wait_proposed(*known)
        service.tree.move_action(f"container-restart-solaria-{name}", "completed")
        # The next one falls into the minute in which nothing is saved that can wait.
        wait_for("saved state", service.tree.state_files)


def in_flight(service, *others):
    """From now on there is one call that has no answer, and other events wait for their turn."""
    service.mock.on(OLLAMA, hang(), proposal())
    flying = len(service.mock.asked(OLLAMA)) + 1
    service.tree.event(service="flying")
    service.mock.wait_requests(flying, OLLAMA)
    for name in others:
        service.tree.event(service=name)
    for name in ("flying", *others):
        wait_for(f"{name} in the queue", lambda: name in [log["service"] for log in service.named("queued")])
    assert not service.mock.requests[-1].answered


def ended_in_order(service):
    """The process before this one; it said goodbye."""
    assert [log["event"] for log in service.named("stopped")] == ["stopped"]


def test_four_lines(service):
    """Copied, installed, started: it says that it is ready, and proposes."""
    service.start()
    assert service.show("Type", "NotifyAccess", "User", "Result", "UnitFileState") == [
        "notify", "main", "homelab", "success", "enabled"]
    assert re.fullmatch(r"(Reading what has come in|Waiting for events); Redis is off", service.show("StatusText"))
    service.tree.event(service="web")
    service.wait_proposed("web")
    machine = service.machine
    assert machine.shell(f"stat -c %U /proc/{service.pid}").out == "homelab\n"
    assert machine.run(BINARY, "healthcheck").rc == 0
    assert service.tree.action_path("container-restart-solaria-web").stat().st_uid == USER
    # What the operator does is none of the service's.
    machine.run(BINARY, "approve", "container-restart-solaria-web")
    assert list(service.tree.actions("approved")) == ["container-restart-solaria-web"]


def test_image(image, mock):
    """Put into a tree that is not running yet, as who makes images for nodes does: there with the
    first boot, and with the next one, which has what came in between."""
    service = Service(image, mock)
    service.make_tree()
    said = subprocess.run([binary(), "service", "install", "--root", image.root, "--init", "systemd"],
                          check=True, capture_output=True, text=True).stdout
    assert f"wrote {image.root}{UNIT}\n" in said, said
    service.configure()
    subprocess.run(["chroot", image.root, "systemctl", "enable", "planner-agent"], check=True, capture_output=True)
    service.tree.event(service="before")
    image.boot()
    service.wait_active()
    service.wait_proposed("before")
    in_flight(service)
    image.power_off()
    service.tree.event(service="between")
    image.boot()
    service.wait_active()
    service.wait_proposed("before", "between", "flying")
    assert len(mock.asked(OLLAMA)) == 4
    ended_in_order(service)
    service.check()


def test_below_home(machine, mock):
    """Tree, env-file and binary, in a home that is shut to others; and nothing else of the homes is seen."""
    service = Service(machine, mock)
    service.make_tree()
    service.copy()
    service.tree.path = machine.path("/home/homelab/lab")
    machine.shell(f"install -d -o homelab -m 700 /home/homelab; mv /opt/homelab /home/homelab/lab; mv {BINARY} /home/homelab;"
                  "touch /home/homelab/secret /root/secret")
    said = machine.run("/home/homelab/planner-agent", "service", "install", "--runtime", "/home/homelab/lab",
                       "--env-file", "/home/homelab/env", "--binary", "/home/homelab/planner-agent").out
    with open(machine.path("/home/homelab/env"), "a", encoding="utf-8") as out:
        out.write("LLM_CHAIN=rules\nNODE_NAME=planner\n")
    service.next = commands(said, "Next:")[1:]
    service.start()
    service.tree.event(service="web")
    wait_for("a proposal", lambda: (service.proposed(), service.audited()) == (["web"], ["web"]))
    seen = machine.shell(f"nsenter -t {service.pid} -m find /home /root /run/user -maxdepth 2").out.split()
    assert sorted(seen) == ["/home", "/home/homelab", "/home/homelab/env", "/home/homelab/lab", "/home/homelab/planner-agent",
                            "/root", "/run/user"]
    before = service.pid
    machine.shell("mv /home/homelab/planner-agent /home/homelab/old; cp /home/homelab/old /home/homelab/planner-agent;"
                  "systemctl restart planner-agent")
    service.wait_active()
    assert service.pid != before
    service.check()


def test_groups(service):
    """What others read or write with their group."""
    service.machine.shell("groupadd -g 4711 -U homelab approvers; groupadd -g 4712 agents;"
                          "chgrp approvers /opt/homelab/actions/pending; mkdir -p /opt/homelab/events;"
                          "chgrp agents /opt/homelab/events; chmod 2775 /opt/homelab/events")
    service.machine.run(BINARY, "service", "install", "--binary", BINARY, "--force")
    service.start()
    service.tree.event(service="web", day=utc_day(-86400))
    service.wait_proposed("web")
    action = service.tree.action_path("container-restart-solaria-web").stat()
    assert (action.st_uid, action.st_gid, action.st_mode & 0o777) == (USER, 4711, 0o640)
    path, = service.tree.audits()
    assert [(oct(one.stat().st_mode & 0o7777), one.stat().st_gid) for one in (path.parent, path.parents[1])] == [("0o2775", 4712)] * 2


def test_no_such_user(machine):
    """Refused: this is what systemd would say of it."""
    machine.shell("install -d -o 12345 /opt/homelab; cp /bin/true /usr/local/bin/planner-agent")
    machine.path(BINARY).write_bytes(binary().read_bytes())
    said = machine.run(BINARY, "service", "install", rc=64)
    assert said.err == "planner-agent service: no such user: 12345\n"
    unit = machine.run(BINARY, "service", "systemd").out
    machine.write(UNIT, unit)
    machine.run("systemctl", "start", "planner-agent", rc=None)
    assert machine.unit("ExecMainStatus") == "217"


def test_killed(service):
    """Back after a kill, and what was in flight or came meanwhile is proposed once."""
    service.start()
    answered(service)
    in_flight(service)
    service.machine.shell(f"kill -KILL {service.pid}")
    wait_for("the end", lambda: service.show("ActiveState") != "active")
    service.tree.event(service="meanwhile")
    service.wait_active(restarts=1)
    service.wait_proposed("first", "flying", "meanwhile", "second")
    assert len(service.mock.asked(OLLAMA)) == 5
    assert service.named("stopped") == []


def test_watchdog(service):
    """A process that makes no progress is ended and started anew; one that does, never."""
    service.drop_in("[Service]\nWatchdogSec=8\n")
    service.start()
    stays("a healthy one", lambda: service.show("ActiveState", "NRestarts") == ["active", "0"], 20)
    service.machine.shell(f"kill -STOP {service.pid}")
    service.tree.event(service="meanwhile")
    service.wait_active(restarts=1)
    said = service.machine.run("journalctl", "-u", "planner-agent", "-t", "systemd", "-o", "cat").out
    assert "Watchdog timeout" in said, said
    service.wait_proposed("meanwhile")


def test_reload(service):
    service.start()
    pid = service.pid
    service.settings(LLM_CHAIN="rules", NO_SUCH_SETTING="1")
    service.machine.run("systemctl", "reload", "planner-agent")
    assert service.wait_log("config_loaded")[0]["chain"] == "rules"
    service.tree.event(service="web")
    service.wait_proposed("web")
    assert service.tree.action()["details"]["model"] == "rules"
    assert service.mock.asked(OLLAMA) == []
    service.settings(COOLDOWN_SECONDS="never")
    service.machine.run("systemctl", "reload", "planner-agent")
    service.wait_log("config_refused")
    assert (service.pid, *service.show("ActiveState", "NRestarts")) == (pid, "active", "0")
    levels = {entry["PRIORITY"] for entry in service.machine.journal("-p", "warning", "-t", "planner-agent")}
    assert levels == {"4", "3"}


def test_restarted(service):
    """With a call in flight, and one event in the queue."""
    service.start()
    answered(service)
    in_flight(service, "queued")
    began = time.monotonic()
    service.machine.run("systemctl", "restart", "planner-agent")
    assert time.monotonic() - began < 10
    service.wait_proposed("first", "flying", "queued", "second")
    assert len(service.mock.asked(OLLAMA)) == 5
    ended_in_order(service)


def test_upgraded(service):
    """A new binary in the place of the one that runs, with a call in flight, and an event that
    arrives between the two."""
    machine = service.machine
    version = machine.run(BINARY, "version").out.split()[1]
    newer = version[:-1] + ("1" if version[-1] == "0" else "0")
    data = binary().read_bytes()
    assert data.count(version.encode() + b"\0") > 0
    service.start()
    answered(service)
    in_flight(service, "queued")
    service.copy(data.replace(version.encode() + b"\0", newer.encode() + b"\0"))
    machine.run("systemctl", "stop", "planner-agent")
    service.tree.event(service="between")
    machine.run("systemctl", "start", "planner-agent")
    service.wait_proposed("between", "first", "flying", "queued", "second")
    assert [log["version"] for log in service.named("started")] == [version, newer]
    assert len(service.mock.asked(OLLAMA)) == 6
    ended_in_order(service)


def test_bad_setting(service):
    """Another start would not mend it: there is none."""
    service.start()
    service.settings(COOLDOWN_SECONDS="never")
    service.machine.run("systemctl", "restart", "planner-agent", rc=1)
    service.told = ["COOLDOWN_SECONDS"]
    assert service.show("ActiveState", "Result", "ExecMainStatus") == ["failed", "exit-code", "78"]
    stays("no start", lambda: service.show("ActiveState", "NRestarts") == ["failed", "0"], 7)


def test_without_key(service):
    service.settings(LLM_CHAIN="ollama@30,anthropic/claude-haiku-4-5@30", ANTHROPIC_API_BASE=service.mock.url)
    service.start()
    assert not service.machine.path(CREDENTIAL).exists()
    service.tree.event(service="web")
    service.wait_proposed("web")
    assert service.mock.asked(ANTHROPIC) == []


def test_with_key(service):
    """A credential that only root can read, and of which the log knows nothing."""
    service.settings(LLM_CHAIN="anthropic/claude-haiku-4-5@30,ollama@30", ANTHROPIC_API_BASE=service.mock.url)
    service.machine.write(CREDENTIAL, KEY + "\n", mode=0o600)
    service.start()
    service.tree.event(service="web")
    service.wait_proposed("web")
    assert [one.header("x-api-key") for one in service.mock.asked(ANTHROPIC)] == [KEY]
    said = service.machine.run("env", "CREDENTIALS_DIRECTORY=/run/credentials/planner-agent.service",
                               BINARY, "check").out
    assert re.search(r"^ANTHROPIC_API_KEY +\S.*\(systemd credential\)$", said, re.M), said
    assert KEY not in said
    assert KEY not in service.machine.run("journalctl", "--no-pager").out
    assert KEY not in service.machine.shell(f"tr '\\0' '\\n' </proc/{service.pid}/environ").out


def test_cage(service):
    """What the unit's process sees of the tree; approved/ is not to be written even by root."""
    service.start()
    enter = f"nsenter --target {service.pid} --mount --"
    tree = "/opt/homelab"

    def touch(path, rc=0):
        said = service.machine.shell(f"{enter} touch {path}", rc=rc).err
        assert rc == 0 or "Read-only file system" in said, said

    for place in ("actions/pending", "events", "state/planner-agent"):
        touch(f"{tree}/{place}/probe")
        (service.tree.path / place / "probe").unlink()
    for place in ("actions/approved", "actions/rejected", "actions/running", "actions/completed", "actions", "."):
        touch(f"{tree}/{place}/probe", rc=1)
        assert not (service.tree.path / place / "probe").exists()
    for path in (BINARY, UNIT, ENV_FILE):
        touch(f"{path}.probe", rc=1)
    confined = service.named("confined")
    assert len(confined) == 1 and confined[0]["seccomp"] is True


def test_limits(service, capsys):
    service.start()
    service.tree.event(service="web")
    service.wait_proposed("web")
    assert service.show("MemoryMax", "TasksMax") == ["67108864", "8"]
    machine = service.machine
    group = f"/sys/fs/cgroup{service.show('ControlGroup')}"
    if machine.path(f"{group}/memory.max").exists():
        assert machine.run("cat", f"{group}/memory.max").out == "67108864\n"
    status = machine.run("cat", f"/proc/{service.pid}/status").out
    resident = int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.M)[1])
    said = machine.run("systemd-analyze", "security", "planner-agent", "--no-pager").out
    exposure = float(re.search(r"Overall exposure level for planner-agent\.service: (\S+)", said)[1])
    with capsys.disabled():
        print(f" resident at most {resident} kB, exposure {exposure} ", end="", flush=True)
    assert 0 < resident <= RESIDENT_MAX
    assert 0 < exposure <= EXPOSURE_MAX, said


def test_uninstalled(service):
    service.start()
    service.tree.event(service="web")
    service.wait_proposed("web")
    machine = service.machine
    said = machine.run(BINARY, "service", "uninstall", rc=75)
    assert "it still runs" in said.err, said
    assert machine.path(UNIT).exists() and service.show("ActiveState") == "active"
    for command in commands(said.out, "First:"):
        machine.shell(command)
    said = machine.run(BINARY, "service", "uninstall").out
    assert f"removed {UNIT}\n" in said, said
    for command in commands(said, "Next:"):
        machine.shell(command)
    assert not machine.path(UNIT).exists() and not machine.path(BINARY).exists()
    assert service.show("LoadState") == "not-found"
    assert machine.run("systemctl", "list-unit-files", "planner-agent*", "--no-legend", rc=None).out == ""
    # The settings were changed, and the rest is data.
    assert machine.path(ENV_FILE).exists()
    assert service.proposed() == ["web"] and service.audited() == ["web"]
    assert service.tree.heartbeat.exists() and service.tree.state_files()
