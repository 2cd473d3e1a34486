"""What a planner that was taken over can still do: attacked from inside, on the real binary.

build/planner-agent-stranger is the program with one object more (stranger.c): it makes, in the very
process, the system calls that a test orders."""

import contextlib
import ctypes
import errno
import os
import pathlib
import platform
import re
import shutil
import signal
import socket
import struct
import subprocess

import pytest

from agent import ROOT, binary, wait_for
from apis import OPENAI
from chain import servers
from name_server import NameServer, addresses
from one_hop import Asking, hop_at
from steps import proposal

ID = "container-restart-solaria-web"
PENDING, APPROVED = f"actions/pending/{ID}.json", f"actions/approved/{ID}.json"
NUMBERS = {name: int(number) for name, number in re.findall(
    r"#define __NR_(\w+)\s+(\d+)",
    (ROOT / "build/vendor/musl/arch" / ("arm" if platform.machine().startswith("arm") else platform.machine())
     / "bits/syscall.h.in").read_text())}
DENIED = -errno.EACCES
# Between directories Landlock says this of what it does not allow.
CROSS = (-errno.EXDEV, DENIED)


def has_landlock():
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.syscall(444, None, ctypes.c_size_t(0), 1)


needs_landlock = pytest.mark.skipif(has_landlock() < 6, reason="this kernel's Landlock knows less than is asked here")


class Stranger:
    """A daemon with somebody else in it."""

    def __init__(self, agent, directory, env=None, args=(), prefix=(), program=None):
        directory.mkdir(exist_ok=True)
        for name in ("ask", "say"):
            os.mkfifo(directory / name)
        program = program or binary().with_name(binary().name + "-stranger")
        assert program.is_file(), f"no {program}: make test"
        agent.program = str(program)
        self.tree = agent.tree
        self.ask = os.open(directory / "ask", os.O_RDWR)
        self.say = os.open(directory / "say", os.O_RDWR | os.O_NONBLOCK)
        self.daemon = agent.start(*args, prefix=prefix, env={
            **(env or {}), "STRANGER": directory / "ask", "STRANGER_SAYS": directory / "say"})
        agent.program = str(binary())

    def close(self):
        os.close(self.ask)
        os.close(self.say)

    def order(self, call, *arguments):
        data, values, texts = b"", [], 0
        for at, one in enumerate(arguments):
            if isinstance(one, (str, bytes, pathlib.Path)):
                texts |= 1 << at
                values.append(len(data))
                data += (one if isinstance(one, bytes) else os.fsencode(one)) + b"\0"
                data += b"\0" * (-len(data) % 8)
            else:
                values.append(one)
        values += [0] * (6 - len(values))
        os.write(self.ask, struct.pack("q6qQ1024s", NUMBERS[call], *values, texts, data))
        self.daemon.send(signal.SIGUSR2)

    def __call__(self, call, *arguments):
        """What the call returned: -errno where it failed. self.data: the buffers behind it."""
        self.order(call, *arguments)

        def answer():
            assert self.daemon.process.poll() is None, f"it died: {self.daemon.process.returncode}"
            with contextlib.suppress(BlockingIOError):
                return os.read(self.say, 8 + 1024)

        raw = wait_for(f"the end of {call}", answer)
        self.data = raw[8:]
        return struct.unpack("q", raw[:8])[0]

    def open(self, path, flags=os.O_RDONLY, mode=0o600):
        return self("openat", -100, path, flags, mode)

    def gone(self):
        self.daemon.expected_rc = (-signal.SIGSYS,)
        self.daemon.process.wait(60)
        return self.daemon.process.returncode


@pytest.fixture
def strangers(agent, tmp_path):
    """Makes them; each has closed its FIFOs in the end."""
    with contextlib.ExitStack() as stack:
        def make(**how):
            stranger = Stranger(agent, tmp_path / "stranger", **how)
            stack.callback(stranger.close)
            return stranger

        yield make


@pytest.fixture
def stranger(strangers, tree):
    for place in ("approved", "running", "rejected", "completed", "failed", "cancelled"):
        tree.directory(tree.path / "actions" / place)
    tree.directory(tree.path / "world")
    other = tree.directory(tree.path / "config" / "executor")
    (other / ".env").write_text("TOKEN=not-yours\n")
    tree.event()
    one = strangers()
    one.daemon.wait_log("proposed")
    return one


WRITE, CREATE = os.O_WRONLY, os.O_WRONLY | os.O_CREAT


@needs_landlock
def test_nothing_can_be_approved(stranger, tree):
    """By none of the ways in which a name or bytes come into a directory."""
    actions = tree.path / "actions"
    pending = tree.path / PENDING
    assert stranger.open(pending, os.O_RDONLY) > 0, "so much it may"
    for place in ("approved", "running", "completed", "failed", "rejected", "cancelled"):
        standing = actions / place / "standing.json"
        standing.write_text("{}")
        new = actions / place / f"{ID}.json"
        assert stranger.open(new, CREATE) == DENIED
        assert stranger.open(new, CREATE | os.O_EXCL) == DENIED
        assert stranger.open(actions / place, os.O_TMPFILE | os.O_RDWR) == DENIED
        assert stranger.open(standing, os.O_WRONLY) == DENIED
        assert stranger.open(standing, os.O_RDWR) == DENIED
        assert stranger.open(standing, os.O_WRONLY | os.O_APPEND) == DENIED
        assert stranger.open(standing, os.O_RDONLY | os.O_TRUNC) == -errno.EPERM
        assert stranger("renameat", -100, pending, -100, new) in CROSS
        assert stranger("renameat2", -100, pending, -100, standing, 2) in CROSS, "exchanged"
        assert stranger("linkat", -100, pending, -100, new, 0) in CROSS
        assert stranger("unlinkat", -100, standing, 0) == DENIED
        assert stranger("mkdirat", -100, new, 0o755) == DENIED
        assert stranger("renameat", -100, standing, -100, standing.with_name("x.json")) == DENIED
        for call, arguments in (("symlinkat", (pending, -100, new)), ("mknodat", (-100, new, 0o100600, 0)),
                                ("truncate", (standing, 0)), ("rename", (pending, new)), ("link", (pending, new)),
                                ("fchmodat", (-100, standing, 0)), ("fchownat", (-100, standing, 1, 1, 0))):
            if call in NUMBERS:
                assert stranger(call, *arguments) == -errno.ENOSYS, call
        # A file without a name, made where it may write, gets one there and nowhere else.
        unnamed = stranger.open(actions / "pending", os.O_TMPFILE | os.O_RDWR)
        assert unnamed > 0
        assert stranger("linkat", unnamed, b"", -100, new, 0x1000) in CROSS
        assert standing.read_text() == "{}" and sorted(os.listdir(actions / place)) == ["standing.json"]
    assert stranger("renameat", -100, pending, -100, tree.path / "events/x.json") in CROSS
    # Nor by another directory under that name.
    assert stranger("renameat", -100, actions / "pending", -100, actions / "approved") < 0
    assert stranger("renameat", -100, actions / "approved", -100, actions / "pending/a") < 0
    assert sorted(os.listdir(actions)) == sorted(
        ["pending", "approved", "running", "rejected", "completed", "failed", "cancelled"])


@needs_landlock
def test_what_it_may_write(stranger, tree):
    """Its own directories, and there no more than files (in events/ directories too)."""
    def makes(path):
        fd = stranger.open(path, CREATE | os.O_EXCL)
        assert fd < 0 or stranger("close", fd) == 0
        return fd > 0 and stranger("unlinkat", -100, path, 0) == 0

    path = tree.path
    for directory in (path / "actions/pending", path / "events", path / "state/planner-agent"):
        assert makes(directory / "x"), directory
        assert stranger("mknodat", -100, directory / "fifo", 0o010600, 0) < 0
        assert stranger("symlinkat", "/etc", -100, directory / "link") < 0
    for directory in (path, path / "actions", path / "state", path / "world", path / "config/executor", "/tmp",
                      "/dev/shm", "/etc", "/root"):
        assert not makes(pathlib.Path(directory) / "planner-agent-was-here"), directory
    assert stranger("mkdirat", -100, path / "events/2020-01-01", 0o755) == 0
    assert stranger("mkdirat", -100, path / "actions/pending/x", 0o755) == DENIED
    assert stranger("unlinkat", -100, path / "events/2020-01-01", 0x200) == DENIED
    assert stranger.open(path / "state/planner-agent.heartbeat", os.O_WRONLY) == DENIED
    for where, result in (("state/planner-agent", 0), ("actions/pending", DENIED), ("events", DENIED)):
        fd = stranger.open(path / where / "x", CREATE)
        assert fd > 0 and stranger("ftruncate", fd, 1) == result, where
        assert stranger("unlinkat", -100, path / where / "x", 0) == 0
    assert stranger.open("/dev/null", os.O_WRONLY) == DENIED
    assert stranger.open("/proc/self/mem", os.O_RDWR) == DENIED


@needs_landlock
def test_what_it_may_read(stranger, tree):
    """Also where root runs it: no other service's secrets."""
    path = tree.path
    for one in ("events", "actions", "actions/approved", "world", "state/planner-agent"):
        assert stranger.open(path / one, os.O_RDONLY | os.O_DIRECTORY) > 0, one
    for one in (path, path / "config", path / "state", "/", "/etc", "/root", "/proc", "/home"):
        assert stranger.open(one, os.O_RDONLY | os.O_DIRECTORY) == DENIED, one
    for one in (path / "config/executor/.env", "/etc/shadow", "/etc/passwd", "/proc/self/environ",
                "/proc/self/maps", "/etc/ssl/certs/ca-certificates.crt", ROOT / "Makefile"):
        if os.access(one, os.R_OK):
            assert stranger.open(one) == DENIED, one


def inet(port, host="127.0.0.1"):
    return struct.pack("=H", socket.AF_INET) + struct.pack(">H4s8x", port, socket.inet_aton(host))


def connects(stranger, port):
    fd = stranger("socket", socket.AF_INET, socket.SOCK_STREAM, 0)
    assert fd > 0
    result = stranger("connect", fd, inet(port), 16)
    assert stranger("close", fd) == 0
    return result


@needs_landlock
def test_whom_it_may_connect_to(strangers, tree, mocks):
    """The ports it was configured for, which is no promise about hosts."""
    mock, other = mocks(), socket.create_server(("127.0.0.1", 0))
    one = strangers(env=servers(mock, "ollama"))
    elsewhere = other.getsockname()[1]
    assert connects(one, mock.port) == 0
    assert connects(one, elsewhere) == DENIED
    assert connects(one, 22) == DENIED
    assert connects(one, 53) == DENIED, "no name has to be looked up"
    fd = one("socket", socket.AF_INET, socket.SOCK_STREAM, 0)
    assert one("sendto", fd, b"x", 1, 0x20000000, inet(elsewhere), 16) == -errno.EPERM, "a connection by TCP Fast Open"
    assert one("bind", fd, inet(0), 16) == DENIED
    assert one("socket", socket.AF_INET, socket.SOCK_STREAM, 262) == -errno.EPERM, "MPTCP"
    assert one("socket", socket.AF_INET, socket.SOCK_STREAM, 132) == -errno.EPERM, "SCTP"
    assert one("socket", socket.AF_INET, socket.SOCK_SEQPACKET, 0) == -errno.EPERM
    for family in (0, socket.AF_UNIX, 3, 16, 17, 33, 34, 38, 40, 43):
        assert one("socket", family, socket.SOCK_DGRAM, 0) == -errno.EPERM, family
    for call in ("listen", "accept4", "socketpair", "io_uring_setup", "bpf", "userfaultfd", "mount", "unshare", "setns",
                 "process_vm_writev", "pidfd_open", "open_by_handle_at", "keyctl", "mmap", "mprotect", "setuid", "capset",
                 "memfd_create", "seccomp", "landlock_create_ruleset", "dup2", "chroot", "setxattr"):
        if call in NUMBERS:
            assert one(call) == -errno.ENOSYS, call


@needs_landlock
def test_whom_it_may_signal(strangers, tree):
    """Only its own children."""
    one = strangers()
    assert one("kill", os.getpid(), signal.SIGTERM) == -errno.EPERM
    assert one("kill", os.getpid(), 0) == -errno.EPERM
    sleeper = subprocess.Popen(["sleep", "60"])
    assert one("kill", sleeper.pid, signal.SIGKILL) == -errno.EPERM
    assert sleeper.poll() is None
    sleeper.kill()
    sleeper.wait()


@needs_landlock
def test_no_abstract_socket_is_reached(strangers, tree):
    name = b"\0planner-agent-test-%d" % os.getpid()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(name)
        server.listen()
        one = strangers(env={"REDIS_URL": "unix:///nowhere", "LLM_CHAIN": "rules"})
        fd = one("socket", socket.AF_UNIX, socket.SOCK_STREAM, 0)
        assert one("connect", fd, struct.pack("=H", socket.AF_UNIX) + name, 2 + len(name)) == -errno.EPERM


FATAL = {"a program": ("execve", "/bin/sh", 0, 0), "a program by descriptor": ("execveat", 0, b"", 0, 0, 0x1000),
         "a tracer": ("ptrace", 0, 0, 0, 0)}


@pytest.mark.parametrize("name", FATAL)
def test_what_ends_it(strangers, name):
    one = strangers()
    one.order(*FATAL[name])
    assert one.gone() == -signal.SIGSYS


def test_arguments_are_looked_at(strangers, tree):
    one = strangers()
    fd = one.open(tree.path / "state/planner-agent/x", CREATE)
    assert one("fchmod", fd, 0o4755) == -errno.EPERM and one("fchmod", fd, 0o640) == 0
    assert one("ioctl", 0, 0x5412, b"x") == -errno.EPERM, "TIOCSTI"
    assert one("prctl", 38, 1, 0, 0, 0) == -errno.EPERM
    if "fork" not in NUMBERS:
        assert one("clone", 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0) == -errno.EPERM


def status_of(daemon):
    text = pathlib.Path(f"/proc/{daemon.pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def test_privileges(agent, tree):
    """As the kernel has it. Root keeps what it needs to read and give away the files of others."""
    found = status_of(agent.start())
    assert found["NoNewPrivs"] == "1" and found["Seccomp"] == "2"
    assert int(found["CapEff"], 16) & ~0xf == 0 and int(found["CapPrm"], 16) & ~0xf == 0


def test_it_is_told(agent, tree):
    daemon = agent.start()
    line, = daemon.wait_log("confined")
    assert line["level"] == "info" and line["landlock"] >= 1 and line["seccomp"] is True
    found = agent.status()["planner"]["confinement"]
    assert found == {"no_new_privs": True, "landlock": line["landlock"], "seccomp": True}
    assert f"Landlock {line['landlock']}, seccomp" in agent.cmd("status").out
    assert f"confinement: Landlock ABI {line['landlock']}, seccomp" in agent.cmd("check").out


def test_unconfined(strangers, tree, agent):
    one = strangers(args=["--unconfined"])
    assert one.open(tree.path / "here", CREATE) > 0
    assert one.open("/etc/passwd") > 0
    line, = one.daemon.wait_log("unconfined")
    assert line["level"] == "warning" and not one.daemon.named("confined")
    assert agent.status()["planner"]["confinement"] == {"no_new_privs": False, "landlock": 0, "seccomp": False}
    found = status_of(one.daemon)
    assert found["NoNewPrivs"] == "0" and found["Seccomp"] == "0"


# ---- A kernel without it ------------------------------------------------------------------------


WITHOUT = {"Landlock not built in": ["landlock_create_ruleset:error=ENOSYS"],
           "Landlock switched off": ["landlock_create_ruleset:error=EOPNOTSUPP"],
           "no seccomp": ["prctl:error=EINVAL:when=2"],
           "neither": ["landlock_create_ruleset:error=ENOSYS", "prctl:error=EINVAL"]}


@pytest.mark.parametrize("name", WITHOUT)
def test_a_kernel_without(agent, tree, name):
    """One line, and on it goes."""
    inject = [word for one in WITHOUT[name] for word in ("-e", f"inject={one}")]
    tree.event()
    done = agent.run_once(prefix=["strace", "-f", "-o", "/dev/null", "-e", "trace=landlock_create_ruleset,prctl", *inject])
    line, = [log for log in done.logs if log["level"] in ("warning", "error")]
    assert line["event"] == "confined_in_part"
    assert line["error"] and (line["landlock"] > 0) is (name == "no seccomp")
    assert line["seccomp"] is ("Landlock" in name)
    assert tree.action(ID)["status"] == "pending"


def test_check_on_a_kernel_without(agent, tree):
    agent.run_once()
    out = agent.cmd("check", prefix=["strace", "-o", "/dev/null", "-e", "trace=landlock_create_ruleset",
                                     "-e", "inject=landlock_create_ruleset:error=ENOSYS"]).out
    assert re.search(r"^warning +confinement: this kernel has no Landlock", out, re.M) and ", 1 warning\n" in out


# ---- What has to go on --------------------------------------------------------------------------


@needs_landlock
def test_a_kept_descriptor_cannot_change_what_was_approved(stranger, tree, agent):
    """Landlock takes no descriptor back: approve makes a new file. A bare rename does not."""
    fd = stranger.open(tree.path / PENDING, os.O_RDWR)
    assert fd > 0
    evil = b"evil" * 10
    agent.cmd("approve", ID)
    approved = (tree.path / APPROVED).read_bytes()
    assert stranger("pwrite64", fd, evil, len(evil), 0) == len(evil), "it still has the old one"
    assert stranger("ftruncate", fd, 0) == DENIED
    assert (tree.path / APPROVED).read_bytes() == approved and b"evil" not in approved
    # What the README warns of.
    tree.event(service="db")
    stranger.daemon.wait_log("proposed", count=2)
    other = PENDING.replace("web", "db")
    fd = stranger.open(tree.path / other, os.O_RDWR)
    (tree.path / other).rename(tree.path / APPROVED.replace("web", "db"))
    assert stranger("pwrite64", fd, evil, len(evil), 0) == len(evil)
    assert b"evil" in (tree.path / APPROVED.replace("web", "db")).read_bytes()


def replace(path, data):
    """By rename, as editors, certbot, resolvconf and secret stores do."""
    new = path.with_name(path.name + ".new")
    new.write_text(data)
    new.chmod(0o600)
    new.rename(path)


def reload(daemon):
    before = len(daemon.logs)
    daemon.send(signal.SIGHUP)
    return wait_for("the reload", lambda: [log for log in daemon.logs[before:]
                                           if log["event"] in ("config_loaded", "config_refused")])[0]


@pytest.mark.parametrize("linked", [False, True])
def test_files_replaced_by_rename_are_read(agent, tree, mocks, certificates, tmp_path, linked):
    """Env-file, key, text about the home lab, roots: each in a directory of its own."""
    mock = mocks(tls=certificates.p256).on("/v1/messages", proposal())
    files = {}
    for name in ("env", "key", "topology", "roots"):
        directory = tmp_path / name
        directory.mkdir()
        files[name] = directory / name
    real = dict(files)
    if linked:
        for name in files:
            (tmp_path / f"link-{name}").mkdir()
            link = tmp_path / f"link-{name}" / "file"
            link.symlink_to(files[name])
            files[name] = link
    variables = (f"LLM_CHAIN=anthropic/claude-haiku-4-5@5\nANTHROPIC_API_BASE={mock.url}\nANTHROPIC_API_KEY_FILE={files['key']}\n"
                 f"TOPOLOGY_FILE={files['topology']}\nSSL_CERT_FILE={files['roots']}\n")
    replace(real["env"], variables)
    replace(real["key"], "sk-ant-first-key\n")
    replace(real["topology"], "one shelf\n")
    replace(real["roots"], "nothing\n")
    daemon = agent.start("--env-file", files["env"], env={"LLM_CHAIN": None})
    tree.event(service="a")
    daemon.wait_log("chain_failed")
    replace(real["env"], variables + "COOLDOWN_SECONDS=7\n")
    replace(real["key"], "sk-ant-other-key\n")
    replace(real["topology"], "two shelves\n")
    replace(real["roots"], pathlib.Path(certificates.roots).read_text())
    assert reload(daemon)["event"] == "config_loaded"
    tree.event(service="b")
    daemon.wait_log("proposed")
    request, = mock.asked("/v1/messages")
    assert request.header("x-api-key") == "sk-ant-other-key" and b"two shelves" in request.body
    wait_for("the status", lambda: agent.status()["planner"]["cooldown_seconds"] == 7)
    if linked:
        replace(files["env"], variables + "COOLDOWN_SECONDS=8\n")
        assert reload(daemon)["event"] == "config_loaded"
        wait_for("the status", lambda: agent.status()["planner"]["cooldown_seconds"] == 8)


@needs_landlock
def test_a_reload_that_is_blocked_says_restart(agent, tree, mocks, tmp_path):
    """And changes nothing."""
    mock, other = mocks().on(OPENAI, proposal()), mocks()
    (tmp_path / "config").mkdir()
    (tmp_path / "new").mkdir()
    env_file = tmp_path / "config" / "env"
    first = f"LLM_CHAIN=openai/local@5\nOPENAI_API_BASE={mock.url}\nWATCH_NODES=solaria\n"
    replace(env_file, first)
    daemon = agent.start("--env-file", env_file, env={"LLM_CHAIN": None})
    (tmp_path / "new" / "key").write_text("sk-ant-some-key\n")
    (tmp_path / "new" / "text").write_text("a shelf\n")
    for change, word in ((f"OPENAI_API_BASE={other.url}", "LLM_CHAIN"),
                         ("OPENAI_API_BASE=http://model.lan:" + str(mock.port), "LLM_CHAIN"),
                         ("OPENAI_API_BASE=https://127.0.0.1:" + str(mock.port), "LLM_CHAIN"),
                         (f"ANTHROPIC_API_KEY_FILE={tmp_path}/new/key", "ANTHROPIC_API_KEY_FILE"),
                         (f"TOPOLOGY_FILE={tmp_path}/new/text", "TOPOLOGY_FILE")):
        key = change.split("=")[0]
        kept = "".join(line for line in first.splitlines(True) if not line.startswith(key))
        replace(env_file, kept.replace("solaria", "nobody") + change + "\n")
        line = reload(daemon)
        assert line["event"] == "config_refused" and "restart" in line["error"] and word in line["error"], line
    replace(env_file, first + f"SSL_CERT_FILE={tmp_path}/new/text\n")
    assert reload(daemon)["event"] == "config_loaded"
    line, = daemon.wait_log("roots_left_out")
    assert "restart" in line["reason"]
    tree.event()
    daemon.wait_log("proposed")
    assert tree.action()["details"]["model"] == "openai/local"


def test_an_env_file_that_cannot_be_reached_says_restart(agent, tree, tmp_path):
    """Beside the tree: there the file alone is in reach, and is not when it was replaced."""
    env_file = tmp_path / "env"
    replace(env_file, "WATCH_NODES=solaria\n")
    daemon = agent.start("--env-file", env_file)
    env_file.write_text("WATCH_NODES=nobody\n")
    assert reload(daemon)["event"] == "config_loaded"
    if has_landlock() > 0:
        replace(env_file, "WATCH_NODES=solaria\n")
        assert "restart" in reload(daemon)["error"]


def test_names_are_looked_up_after_resolv_conf_was_replaced(agent, mocks, network, tmp_path):
    """By rename, in /etc itself, also where it was a link to somewhere else."""
    etc, run = tmp_path / "etc", tmp_path / "run"
    network.run("cp", "-a", "/etc/.", etc)
    run.mkdir()
    (run / "stub").write_text("nameserver 127.0.0.9\n")
    (etc / "resolv.conf").unlink()
    (etc / "resolv.conf").symlink_to("/run/planner-agent-test/stub")
    network.run("sh", "-c", f"mount -t tmpfs none /run && mkdir /run/planner-agent-test && mount --bind {run} "
                            f"/run/planner-agent-test && mount --bind {etc} /etc")
    with contextlib.ExitStack() as stack:
        with network.inside():
            names = stack.enter_context(NameServer())
            mock = mocks(name="model.lan").on(OPENAI, proposal())
        names.on("model.lan", addresses("127.0.0.1"))
        asking = Asking(agent, hop_at(mock.url, limit=5), prefix=network.prefix)
        asking.event("a", "timeout")
        replace_open(run / "stub", "nameserver 127.0.0.1\n")  # systemd-resolved
        asking.reload()
        asking.event("b")
        replace_open(run / "stub", "nameserver 127.0.0.9\n")
        asking.reload()
        asking.event("c", "timeout")
        replace_open(etc / "resolv.conf", "nameserver 127.0.0.1\n")  # dhcpcd, NetworkManager
        asking.reload()
        asking.event("d")
        replace_open(etc / "resolv.conf", "nameserver 127.0.0.9\n")
        replace_open(etc / "hosts", "127.0.0.1 model.lan\n")
        asking.reload()
        asking.event("e")


def replace_open(path, data):
    replace(path, data)
    path.chmod(0o644)


def test_events_on_another_disk(strangers, tree, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    (tree.path / "events").symlink_to(disk)
    one = strangers()
    tree.event()
    one.daemon.wait_log("proposed")
    wait_for("the audit event", lambda: list(disk.glob("*/planner/*.json")))
    if has_landlock() > 0:
        assert one.open(tmp_path / "x", CREATE) == DENIED and one.open(disk / "x", CREATE) > 0


def test_world_that_comes_later(agent, tree):
    """The observer may make it long after the planner's start: that takes a new one."""
    daemon = agent.start(env={"HEARTBEAT_SECONDS": 1})
    tree.directory(tree.path / "world")
    if has_landlock() > 0:
        daemon.process.wait(60)
        daemon.expected_rc = (75,)
        line, = wait_for("the end of its log", lambda: daemon.named("tree_replaced"))
        assert line["level"] == "error" and "restart" in line["reason"]


@pytest.mark.parametrize("gone", [["events", "actions"], ["actions/pending"], ["state/planner-agent"],
                                  ["state/planner-agent.heartbeat"], ["events"]])
def test_a_tree_that_was_replaced(agent, tree, gone):
    """It ends, to be started again by whoever supervises it, and nothing is lost. (Where nothing
    confines it, it goes on.)"""
    daemon = agent.start(env={"HEARTBEAT_SECONDS": 1})
    tree.event(service="a")
    daemon.wait_log("proposed")
    for path in gone:
        path = tree.path / path
        path.unlink() if path.is_file() else shutil.rmtree(path)
    tree.event(service="b")
    if has_landlock() > 0:
        daemon.process.wait(90)
        daemon.expected_rc = (75,)
        line, = wait_for("the end of its log", lambda: daemon.named("tree_replaced"))
        assert line["level"] == "error" and "restart" in line["reason"]
        daemon = agent.start(env={"HEARTBEAT_SECONDS": 1})
    wait_for("b", lambda: "container-restart-solaria-b" in tree.actions(), 90)


def test_an_abstract_socket_of_the_supervisor_goes_on_being_told(agent, tree):
    """It was connected before; no other can be."""
    name = f"\0planner-agent-notify-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(name)
        supervisor.settimeout(60)
        daemon = agent.start(env={"NOTIFY_SOCKET": "@" + name[1:]})
        said = supervisor.recv(4096)
        while b"READY=1" not in said:
            said = supervisor.recv(4096)
        daemon.stop()
        while b"STOPPING=1" not in said:
            said = supervisor.recv(4096)


def as_of(abi):
    """A prefix: the kernel says that its Landlock is of this ABI."""
    return ["strace", "-f", "-o", "/dev/null", "-e", "trace=landlock_create_ruleset",
            "-e", f"inject=landlock_create_ruleset:retval={abi}:when=1"]


@needs_landlock
def test_a_reload_where_landlock_knows_no_ports(agent, tree, tmp_path):
    """Then any port is in reach, but not the files that names are looked up in."""
    (tmp_path / "config").mkdir()
    env_file = tmp_path / "config" / "env"
    replace(env_file, "LLM_CHAIN=openai/local\nOPENAI_API_BASE=http://127.0.0.1:1\n")
    daemon = agent.start("--env-file", env_file, env={"LLM_CHAIN": None}, prefix=as_of(3))
    replace(env_file, "LLM_CHAIN=openai/local\nOPENAI_API_BASE=http://127.0.0.1:2\n")
    assert reload(daemon)["event"] == "config_loaded"
    replace(env_file, "LLM_CHAIN=openai/local\nOPENAI_API_BASE=http://model.lan:1\n")
    assert "restart" in reload(daemon)["error"]
    daemon.stop()


OLDER = [1, 2, 3, 5]


@needs_landlock
@pytest.mark.parametrize("abi", OLDER)
def test_an_older_landlock(strangers, tree, agent, abi):
    """What it does not know of yet is not asked of it; the filter knows of truncation."""
    standing = tree.directory(tree.path / "actions" / "approved") / "standing.json"
    standing.write_text("{}")
    one = strangers(prefix=as_of(abi))
    line, = one.daemon.wait_log("confined")
    assert line["landlock"] == abi
    tree.event()
    one.daemon.wait_log("proposed")
    for flags in (os.O_WRONLY, os.O_WRONLY | os.O_TRUNC, os.O_RDONLY | os.O_TRUNC):
        assert one.open(standing, flags) in (DENIED, -errno.EPERM)
    assert one.open(standing.with_name("new.json"), CREATE) == DENIED
    assert one("renameat", -100, tree.path / PENDING, -100, standing) in CROSS
    assert one("linkat", -100, tree.path / PENDING, -100, standing.with_name("new.json"), 0) in CROSS
    assert standing.read_text() == "{}"
    one.daemon.stop()
