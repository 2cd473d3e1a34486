"""`service install` and `service uninstall`, below a directory of the test's own: what is there afterwards,
whom it belongs to, and that nothing is there where something went wrong."""

import os
import re
import stat
import subprocess

import pytest

INITS = {
    "systemd": ["etc/systemd/system/planner-agent.service"],
    "procd": ["etc/init.d/planner-agent"],
    "openrc": ["etc/init.d/planner-agent"],
    "sysv": ["etc/init.d/planner-agent"],
    "runit": ["etc/sv/planner-agent/run", "etc/sv/planner-agent/finish", "etc/sv/planner-agent/log/run"],
    "s6": [f"etc/s6/sv/planner-agent/{name}" for name in ("run", "finish", "type", "notification-fd", "log/run")],
}
TRACES = {"systemd": "run/systemd/system/", "procd": "sbin/procd", "openrc": "sbin/openrc-run", "runit": "run/runit/",
          "s6": "run/s6/", "sysv": "etc/init.d/"}
# What works where the file is gone already.
NO_LONGER_STARTED = {
    "systemd": "systemctl disable planner-agent; systemctl daemon-reload", "procd": "rm -f /etc/rc.d/???planner-agent",
    "openrc": "rc-update del planner-agent default", "sysv": "update-rc.d planner-agent remove",
    "runit": "rm -f /etc/service/planner-agent",
    "s6": "rm -f /run/service/planner-agent; s6-svscanctl -an /run/service"}
BINARY = "usr/local/bin/planner-agent"
ENV = "opt/homelab/config/planner-agent/.env"
TREE = "/opt/homelab"


class Root:
    """A directory that stands for /."""

    def __init__(self, path, agent):
        self.path, self.agent = path, agent
        self.tree = path / "opt" / "homelab"
        self.tree.mkdir(parents=True)
        if os.geteuid() == 0:
            for one in (path, self.tree) if agent.user is not None else (self.tree,):
                os.chown(one, agent.user or 1234, agent.user or 4321)

    def service(self, *args, runtime=TREE, **how):
        return self.agent.cmd("service", *args, "--root", self.path, "--runtime", runtime, **how)

    def files(self):
        return sorted(str(one.relative_to(self.path)) for one in self.path.rglob("*") if not one.is_dir())

    def everything(self):
        found = {}
        for one in sorted(self.path.rglob("*")):
            state = one.lstat()
            found[str(one.relative_to(self.path))] = (
                stat.filemode(state.st_mode), state.st_uid, state.st_gid, b"" if one.is_dir() else one.read_bytes())
        return found

    def put(self, name, content="here already\n"):
        path = self.path / name
        if name.endswith("/"):
            path.mkdir(parents=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return path


@pytest.fixture
def root(agent, tmp_path):
    return Root(tmp_path / "root", agent)


@pytest.fixture
def user_root(user_agent, tmp_path):
    return Root(tmp_path / "root", user_agent)


# ---- Install ------------------------------------------------------------------------------------


@pytest.mark.parametrize("init", INITS)
def test_install(root, agent, init, program):
    done = root.service("install", "--init", init)
    assert root.files() == sorted([*INITS[init], BINARY, ENV])
    for name in [*INITS[init], BINARY, ENV]:
        assert f"wrote {root.path}/{name}\n" in done.out
        mode = (root.path / name).stat().st_mode & 0o7777
        script = (root.path / name).read_bytes()[:2] == b"#!"
        assert mode == (0o640 if name == ENV else 0o755 if script or name == BINARY else 0o644), name
    assert (root.path / BINARY).read_bytes() == program.read_bytes()
    # The same as is printed, of the binary where it was put.
    for name in INITS[init]:
        short = name.split("/planner-agent/", 1)[-1]
        text = init if name == INITS[init][0] else f"{init}/{short}"
        assert (root.path / name).read_text() == root.service(text, "--binary", f"/{BINARY}").out
    assert (root.path / ENV).read_text() == agent.cmd("service", "env", "--runtime", TREE).out
    # What to type, and nothing of it done.
    assert "Next:\n" in done.out and f"  /{BINARY} check\n" in done.out
    assert not re.search(r"@[A-Z]+@", done.out)


@pytest.mark.parametrize("init", INITS)
def test_install_says_what_is_next(root, init):
    expected = {"systemd": "systemctl enable --now planner-agent", "procd": "/etc/init.d/planner-agent start",
                "openrc": "rc-service planner-agent start", "sysv": "/etc/init.d/planner-agent start",
                "runit": "ln -s /etc/sv/planner-agent /etc/service/", "s6": "s6-svlink /run/service /etc/s6/sv/planner-agent"}
    after = root.service("install", "--init", init).out.split("Next:\n")[1]
    assert f"  {expected[init]}" in after
    assert not re.search(r"\b(disable|stop|down|remove|del|rm|s6-svunlink)\b", after), "that is for uninstall"
    assert all(text not in after for other, text in expected.items() if expected[other] != expected[init])


@pytest.mark.parametrize("init", INITS)
def test_install_finds_the_init_system(root, init):
    root.put(TRACES[init])
    root.service("install")
    assert set(INITS[init]) <= set(root.files())


def test_systemd_is_found_beside_the_scripts_of_sysv(root):
    root.put(TRACES["sysv"])
    root.put(TRACES["systemd"])
    root.service("install")
    assert set(INITS["systemd"]) <= set(root.files())


def test_install_where_no_init_system_is_known(root):
    root.service("install", rc=69, err="--init")
    root.service("install", "--init", "upstart", rc=64, err="no such init system")
    root.service("install", "--init", "compose", rc=64, err="no such init system")
    root.service("install", "--init", "s6/log", rc=64, err="no such init system")
    assert root.files() == [] and list(root.tree.iterdir()) == []


def test_install_makes_what_the_service_may_write_to(root):
    root.service("install", "--init", "systemd")
    for name in ("actions/pending", "events", "state", "state/planner-agent"):
        made = (root.path / "opt/homelab" / name).stat()
        assert stat.S_ISDIR(made.st_mode)
        if os.geteuid() == 0:
            assert (made.st_uid, made.st_gid) == (1234, 4321)
    if os.geteuid() == 0:
        env = (root.path / ENV).stat()
        assert (env.st_uid, env.st_gid) == (0, 4321)
        assert "\nUser=1234\nGroup=4321\n" in (root.path / INITS["systemd"][0]).read_text()


def test_install_leaves_the_umask_out_of_it(root):
    root.service("install", "--init", "runit", umask=0o077)
    assert (root.path / "etc/sv").stat().st_mode & 0o777 == 0o755
    assert (root.path / INITS["runit"][0]).stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("slashes", [1, 3000])
def test_a_root_with_slashes_behind_it(root, slashes):
    out = root.agent.cmd("service", "install", "--init", "systemd", "--root", f"{root.path}{'/' * slashes}", "--runtime", TREE).out
    assert f"wrote {root.path}/{BINARY}\n" in out


@pytest.mark.parametrize("bad", ["relative", "/missing", "/" + "x" * 600, "/dev/null"])
def test_no_root(agent, bad):
    agent.cmd("service", "install", "--init", "systemd", "--root", bad, rc=64, err="no directory, or not an absolute path")


def test_a_binary_that_is_named_is_not_copied(root):
    root.service("install", "--init", "systemd", "--binary", "/usr/bin/planner-agent")
    assert BINARY not in root.files()
    assert "ExecStart=/usr/bin/planner-agent run" in (root.path / INITS["systemd"][0]).read_text()


def test_another_env_file(root):
    root.service("install", "--init", "systemd", "--env-file", "/etc/planner.env")
    assert (root.path / "etc/planner.env").exists() and ENV not in root.files()
    assert "--env-file /etc/planner.env\n" in (root.path / INITS["systemd"][0]).read_text()


# ---- What is there already ----------------------------------------------------------------------


@pytest.mark.parametrize("init", INITS)
def test_the_second_install_changes_nothing(root, init):
    first = root.service("install", "--init", init)
    before = {name: (root.path / name).stat().st_ino for name in root.files()}
    assert root.service("install", "--init", init).out == first.out.replace("wrote ", "left as it is: ")
    assert {name: (root.path / name).stat().st_ino for name in root.files()} == before


@pytest.mark.parametrize("change", ["a byte", "longer", "shorter", "mode"])
@pytest.mark.parametrize("name", [INITS["systemd"][0], BINARY])
def test_the_second_install_refuses_what_was_changed(root, name, change):
    root.service("install", "--init", "systemd")
    path = root.path / name
    content = bytearray(path.read_bytes())
    content[-1] ^= change == "a byte"
    path.write_bytes(content[:-1] if change == "shorter" else content + b"\n" * (change == "longer"))
    path.chmod(path.stat().st_mode ^ (change == "mode") * 0o4)
    before = root.everything()
    root.service("install", "--init", "systemd", rc=1, err=re.escape(f"{path}: is there already; --force replaces it"))
    assert root.everything() == before
    done = root.service("install", "--init", "systemd", "--force")
    assert f"wrote {path}\n" in done.out and done.out.count("left as it is: ") == 1


def test_the_second_install_refuses_a_binary_that_ends_with_a_block_and_goes_on(root, agent, program, tmp_path):
    """It is compared in blocks."""
    padded = tmp_path / "padded"
    padded.write_bytes(program.read_bytes() + b"\0" * (-program.stat().st_size % 65536))
    padded.chmod(0o755)
    agent.program = padded
    root.service("install", "--init", "systemd")
    root.service("install", "--init", "systemd")
    with open(root.path / BINARY, "ab") as file:
        file.write(b"\0")
    root.service("install", "--init", "systemd", rc=1, err="is there already")


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("which", [0, -1])
def test_one_file_that_is_there_and_nothing_is_written(root, init, which):
    path = root.put(INITS[init][which])
    before = root.everything()
    root.service("install", "--init", init, rc=1, err=re.escape(f"{path}: is there already"))
    assert root.everything() == before


def test_force_replaces_all_but_the_env_file(root):
    root.service("install", "--init", "s6")
    before = root.everything()
    for name in INITS["s6"] + [BINARY]:
        (root.path / name).write_text("changed\n")
    (root.path / ENV).write_text("ANTHROPIC_API_KEY=sk-mine\n")
    done = root.service("install", "--init", "s6", "--force")
    assert f"left as it is: {root.path}/{ENV}\n" in done.out
    after = root.everything()
    assert after.pop(ENV)[3] == b"ANTHROPIC_API_KEY=sk-mine\n"
    before.pop(ENV)
    assert after == before


def test_an_env_file_that_is_there_is_kept(root):
    root.put(ENV, "LLM_CHAIN=rules\n").chmod(0o600)
    root.service("install", "--init", "systemd")
    assert (root.path / ENV).read_text() == "LLM_CHAIN=rules\n"
    assert (root.path / ENV).stat().st_mode & 0o777 == 0o600


def test_an_env_file_that_leads_nowhere_yet_is_kept(root):
    path = root.path / ENV
    path.parent.mkdir(parents=True)
    path.symlink_to("/secrets/env")
    root.service("install", "--init", "systemd", "--force")
    assert os.readlink(path) == "/secrets/env"


@pytest.mark.parametrize("dangling", [False, True])
def test_a_symlink_is_there_already(root, dangling):
    """It is not written through, wherever it leads."""
    outside = root.path / "outside"
    if not dangling:
        root.put("outside")
    path = root.path / INITS["systemd"][0]
    path.parent.mkdir(parents=True)
    path.symlink_to(outside)
    root.service("install", "--init", "systemd", rc=1, err="is there already")
    root.service("install", "--init", "systemd", "--force")
    assert outside.exists() is not dangling and not path.is_symlink()
    assert dangling or outside.read_text() == "here already\n"


# ---- All or nothing -----------------------------------------------------------------------------


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("shut", ["usr/local/bin", "etc", "opt/homelab"])
def test_a_directory_that_cannot_be_written_and_nothing_is_left(user_root, init, shut):
    root = user_root
    for name in ("usr/local/bin", "etc", "opt/homelab"):
        (root.path / name).mkdir(parents=True, exist_ok=True)
    if root.agent.user is not None:
        subprocess.run(["chown", "-R", str(root.agent.user), root.path], check=True)
    (root.path / shut).chmod(0o555)
    before = root.everything()
    done = root.service("install", "--init", init, rc=77, err=r"Permission denied")
    assert str(root.path / shut) in done.err
    assert root.everything() == before


def test_a_name_that_cannot_be_taken_and_the_others_are_taken_back(root):
    """Found only when the first files have their names already."""
    root.put("etc/s6/sv/planner-agent/type/")
    before = root.everything()
    done = root.service("install", "--init", "s6", "--force", rc=77, err=".")
    assert f"{root.path}/etc/s6/sv/planner-agent/type: " in done.err and done.out == ""
    after = root.everything()
    assert {name for name in set(after) - set(before) if not name.startswith("opt/homelab/")} == set()
    assert ENV not in after


@pytest.mark.parametrize("which", range(1, len(INITS["s6"])))
def test_what_was_replaced_before_one_failed_is_back(root, which):
    """Files of an older version, a symlink among them."""
    for name in [*INITS["s6"][:which], *INITS["s6"][which + 1:], BINARY]:
        root.put(name, f"{name} of an older version\n").chmod(0o750)
    (root.path / INITS["s6"][0]).unlink()
    (root.path / INITS["s6"][0]).symlink_to("elsewhere")
    root.put("etc/s6/sv/planner-agent/elsewhere")
    root.put(INITS["s6"][which] + "/")
    before = root.everything()
    root.service("install", "--init", "s6", "--force", rc=77, err=".")
    after = root.everything()
    assert {name: what for name, what in after.items() if not name.startswith("opt/")} == \
        {name: what for name, what in before.items() if not name.startswith("opt/")}
    assert os.readlink(root.path / INITS["s6"][0]) == "elsewhere"
    (root.path / INITS["s6"][which]).rmdir()
    root.service("install", "--init", "s6", "--force")
    assert root.files() == sorted([*INITS["s6"], BINARY, ENV, "etc/s6/sv/planner-agent/elsewhere"])


def fails(root, call, when):
    """An installation of which that call fails; what was there before and what is there after, without the tree."""
    before = root.everything()
    root.service("install", "--init", "s6", "--force", rc=75, err="Input/output error|I/O error",
                 prefix=["strace", "-o", "/dev/null", "-e", f"trace={call}",
                         "-e", f"inject={call}:error=EIO:when={when}"])
    after = root.everything()
    return [{name: what for name, what in found.items() if not name.startswith("opt/")} for found in (before, after)]


@pytest.mark.parametrize("call, which", [("renameat", 3), *(("fsync", which) for which in range(1, 15))])
def test_a_call_that_fails_and_what_was_replaced_is_back(root, call, which):
    """Before the new file has its name, or after."""
    for name in [*INITS["s6"], BINARY]:
        root.put(name, f"{name} of an older version\n")
    before, after = fails(root, call, which)
    assert after == before


@pytest.mark.parametrize("which", range(1, 15))
def test_a_call_that_fails_and_nothing_is_left(root, which):
    before, after = fails(root, "fsync", which)
    assert after == before and root.files() == []


def test_what_cannot_be_taken_back_is_not_thrown_away(root):
    """Every rename fails from the second file's on: the first file's older version keeps its other name."""
    for name in [*INITS["s6"], BINARY]:
        root.put(name, f"{name} of an older version\n")
    before, after = fails(root, "renameat", "2+")
    left = [what for name, what in after.items() if name not in before]
    assert before[BINARY] in left and after[BINARY] != before[BINARY]


def test_a_disk_that_is_full_and_nothing_is_left(agent, tmp_path):
    """A few kilobytes fit: the unit does, the binary does not."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts")
    root = Root(tmp_path / "root", agent)
    script = 'mount -t tmpfs -o size=64k tmpfs "$1" && mkdir -p "$1/opt/homelab" && shift && "$@"; code=$?; find "$0" -type f; exit $code'
    run = subprocess.run(["unshare", "-m", "sh", "-c", script, root.path, root.path, agent.program, "service", "install", "--init",
                          "systemd", "--root", root.path, "--runtime", TREE], env=agent.environment({}),
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=60)
    assert run.returncode in (1, 75) and b"\n" == run.stderr[-1:] and run.stderr.count(b"\n") == 1, run
    assert run.stdout == b""


def test_not_root(user_agent, tree):
    """Without --root it is the machine's own directories that it may not write to, and it says which."""
    if os.geteuid() == 0 and user_agent.user is None:
        pytest.skip("needs a user without privileges")
    before = tree.snapshot()
    done = user_agent.cmd("service", "install", "--init", "s6", "--binary", "/usr/bin/planner-agent", rc=77,
                          err="Permission denied")
    assert "/etc/s6" in done.err
    assert tree.snapshot() == before


def test_without_a_tree_nothing_is_installed(agent, tmp_path):
    """RUNTIME_PATH is a mount point that is not there yet, perhaps."""
    done = agent.cmd("service", "install", "--init", "s6", "--binary", "/usr/bin/planner-agent", "--runtime",
                     tmp_path / "missing", rc=69, err="make it first: install -d -o USER")
    assert str(tmp_path / "missing") in done.err
    assert not os.path.exists("/etc/s6/sv/planner-agent")


def test_without_a_tree_below_root_either(root):
    root.tree.rmdir()
    root.service("install", "--init", "s6", rc=69, err="make it first: install -d -o USER")
    assert [one.name for one in root.path.rglob("*")] == ["opt"]


# ---- Uninstall ----------------------------------------------------------------------------------


@pytest.mark.parametrize("init", INITS)
def test_uninstall_undoes_it(root, init):
    root.put("opt/homelab/events/kept.json")
    root.service("install", "--init", init)
    done = root.service("uninstall", "--init", init)
    assert root.files() == sorted([BINARY, "opt/homelab/events/kept.json"])
    for name in INITS[init] + [ENV]:
        assert f"removed {root.path}/{name}\n" in done.out
    assert not list(root.path.glob("etc/*/*/planner-agent")) and not (root.path / ENV).parent.exists()
    assert "Next:\n" in done.out and f"  rm /{BINARY}\n" in done.out
    assert f"  {NO_LONGER_STARTED[init]}\n" in done.out.split("Next:\n")[1]
    root.service("uninstall", "--init", init, rc=1, err="nothing of it is installed")
    # And once more: nothing stands in the way but the binary.
    (root.path / BINARY).unlink()
    root.service("install", "--init", init)


def test_uninstall_leaves_an_env_file_that_was_changed(root):
    root.service("install", "--init", "systemd")
    with open(root.path / ENV, "a", encoding="utf-8") as env:
        env.write("ANTHROPIC_API_KEY=sk-mine\n")
    done = root.service("uninstall", "--init", "systemd")
    assert f"left, it was changed: {root.path}/{ENV}\n" in done.out
    assert (root.path / ENV).read_text().endswith("ANTHROPIC_API_KEY=sk-mine\n")
    assert INITS["systemd"][0] not in root.files()


def test_uninstall_leaves_what_others_put_beside(root):
    root.service("install", "--init", "runit")
    beside = root.put("etc/sv/planner-agent/down")
    root.service("uninstall", "--init", "runit")
    assert beside.exists() and INITS["runit"][0] not in root.files()


FOREIGN = "#!/bin/sh\n# The distribution's.\nexec /usr/bin/planner-agent run\n"


@pytest.mark.parametrize("init", INITS)
def test_uninstall_leaves_a_file_of_another_s(root, init):
    for name in INITS[init]:
        root.put(name, FOREIGN)
    before = root.everything()
    done = root.service("uninstall", "--init", init, rc=1, err="nothing of it is installed")
    assert done.out == "".join(f"left, it was changed: {root.path}/{name}\n" for name in INITS[init])
    assert root.everything() == before


@pytest.mark.parametrize("init", INITS)
def test_uninstall_removes_what_an_older_version_wrote(root, init):
    """Recognised by its mark; what has no room for one is the same in each."""
    root.service("install", "--init", init)
    marked = 0
    for name in INITS[init]:
        text = (root.path / name).read_text()
        if "#" in text:
            head, mark, rest = text.partition("# By planner-agent service install")
            assert mark, name
            (root.path / name).write_text(head + mark + "; as it was then.\n" + rest.upper())
            marked += 1
    assert marked == len(INITS[init]) - 2 * (init == "s6")
    root.service("uninstall", "--init", init)
    assert set(root.files()) == {BINARY}


@pytest.mark.parametrize("other", ["/dev/null", "ours"])
def test_uninstall_leaves_a_symlink(root, other):
    """A unit that is masked; or one that leads to a file like ours."""
    root.service("install", "--init", "systemd")
    path = root.path / INITS["systemd"][0]
    path.rename(path.with_name("ours"))
    path.symlink_to(other)
    done = root.service("uninstall", "--init", "systemd", rc=1, err="nothing of it is installed")
    assert f"left, it was changed: {path}\n" in done.out
    assert os.readlink(path) == other and path.with_name("ours").exists()


def test_uninstall_leaves_one_that_was_changed_and_removes_the_others(root):
    root.service("install", "--init", "s6")
    kept = [root.put("etc/s6/sv/planner-agent/type", "oneshot\n"), root.put("etc/s6/sv/planner-agent/log/run", "x" * 9000)]
    done = root.service("uninstall", "--init", "s6")
    assert all(f"left, it was changed: {path}\n" in done.out for path in kept)
    assert set(root.files()) == {BINARY, *(str(path.relative_to(root.path)) for path in kept)}


@pytest.mark.parametrize("place", ["/env", "/planner-agent.env"])
def test_an_env_file_at_the_top(root, place):
    root.service("install", "--init", "systemd", "--env-file", place)
    assert (root.path / place[1:]).exists()
    root.service("uninstall", "--init", "systemd", "--env-file", place)
    assert root.files() == [BINARY]


def test_uninstall_finds_the_init_system(root):
    root.put(TRACES["openrc"])
    root.service("install")
    root.service("uninstall")
    assert INITS["openrc"][0] not in root.files()


def test_uninstall_that_may_not(user_root):
    root = user_root
    root.service("install", "--init", "systemd")
    directory = root.path / "etc/systemd/system"
    directory.chmod(0o555)
    before = root.everything()
    done = root.service("uninstall", "--init", "systemd", rc=77, err="Permission denied")
    assert str(directory) in done.err and root.everything() == before


# ---- Symlinks below --root ----------------------------------------------------------------------


OLD_KERNEL = ["strace", "-o", "/dev/null", "-e", "trace=openat2", "-e", "inject=openat2:error=ENOSYS"]


@pytest.fixture
def outside(root):
    """What stands for the machine's own directories, beside the root; every user may write there."""
    path = root.path.parent / "outside"
    path.mkdir()
    path.chmod(0o777)
    return path


@pytest.mark.parametrize("prefix", [[], OLD_KERNEL], ids=["new kernel", "old kernel"])
@pytest.mark.parametrize("init, link", [("sysv", "etc/init.d"), ("sysv", "etc"), ("runit", "etc/sv"), ("s6", "usr/local/bin"),
                                        ("systemd", "opt/homelab"), ("systemd", "opt/homelab/config")])
def test_no_symlink_leads_out(root, outside, init, link, prefix):
    """As /etc/init.d -> /etc/init.d would, from an image into the machine's own."""
    path = root.path / link
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        path.rmdir()
    path.symlink_to(outside)
    root.service("install", "--init", init, rc=(69, 75), err=re.escape(f"{path}"), prefix=prefix)
    assert list(outside.iterdir()) == []
    # And where it led once: nothing is taken away there either.
    inside = [name for name in (*INITS[init], ENV) if name.startswith(f"{link}/")]
    for name in inside:
        there = outside / name[len(link) + 1:]
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_text("# By planner-agent service install.\n")
    root.service("uninstall", "--init", init, rc=(0, 1), err="", prefix=prefix)
    assert len([one for one in outside.rglob("*") if one.is_file()]) == len(inside)


def test_no_symlink_of_the_tree_leads_out(root, outside):
    for name in ("actions", "state"):
        (outside / name).mkdir()
        (root.tree / name).symlink_to(outside / name)
    root.service("install", "--init", "systemd", rc=75, err=".")
    assert [list(one.iterdir()) for one in outside.iterdir()] == [[], []]


@pytest.mark.parametrize("target", ["rc.d/init.d", "/etc/rc.d/init.d", "../../../../../../../../etc/rc.d/init.d"])
def test_a_symlink_within_is_followed(root, target):
    (root.path / "etc/rc.d/init.d").mkdir(parents=True)
    (root.path / "etc/init.d").symlink_to(target)
    root.service("install")
    assert (root.path / "etc/rc.d/init.d/planner-agent").is_file()
    root.service("uninstall", "--init", "sysv")
    assert root.files() == ["etc/init.d", BINARY] if (root.path / "etc/init.d").is_file() else [BINARY]
    assert list((root.path / "etc/rc.d/init.d").iterdir()) == []


def test_a_tree_behind_a_symlink_within(root):
    root.tree.rename(root.path / "opt/disk")
    root.tree.symlink_to("/opt/disk")
    root.service("install", "--init", "systemd")
    assert (root.path / "opt/disk/actions/pending").is_dir() and (root.path / "opt/disk/config/planner-agent/.env").is_file()


@pytest.mark.parametrize("init", INITS)
def test_an_old_kernel(root, init):
    root.service("install", "--init", init, prefix=OLD_KERNEL)
    assert root.files() == sorted([*INITS[init], BINARY, ENV])
    root.service("uninstall", "--init", init, prefix=OLD_KERNEL)
    assert root.files() == [BINARY]
    (root.path / "etc").rename(root.path / "etc.real")
    (root.path / "etc").symlink_to("etc.real")
    root.service("install", "--init", init, "--force", rc=75, err=f"{root.path}/etc/.*: Not a directory", prefix=OLD_KERNEL)
    assert root.files() == [BINARY] or root.files() == sorted(["etc", BINARY])
