"""The man pages, the README, the completions and the program name the same things."""

import os
import pathlib
import re
import signal
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[2]
MAN = ROOT / "toolchain" / "man"
PAGES = ["planner-agent.8", "planner-agent.env.5"]
CONTROL = "\x01"  # no variable takes it
HOST_NAME = "the host name"


# ---- What the program says ----------------------------------------------------------------------


def said_commands(agent):
    """Every command that --help lists."""
    names = re.findall(r"^  ([a-z]+) {2,}\S", agent.cmd("--help").out, re.MULTILINE)
    assert len(names) >= 12
    return names


def said_options(agent, command):
    """A command's own options, each with the word for its value or an empty one."""
    found = re.findall(r"^  (--[a-z-]+)(?: ([A-Z]+))?(?: |$)", agent.cmd(command, "--help").out, re.MULTILINE)
    return {name: value for name, value in found if name not in ("--runtime", "--env-file")}


def said_settings(agent):
    """Variable -> default, where there is one, as run --help has them."""
    text = agent.cmd("run", "--help").out.partition("\nVariables ")[2]
    found = {}
    for name, rest in re.findall(r"^  ([A-Z_]+) +(.*(?:\n {6}.*)?)", text, re.MULTILINE):
        default = re.search(r"\[(.*)\]$", rest)
        found[name] = default.group(1) if default else None
    assert len(found) >= 33
    return found


def said_accepted(agent, name):
    """What is said to be accepted, to who gives something else."""
    done = agent.cmd("check", env={name: CONTROL}, rc=78, err=f"^planner-agent check: {name}=")
    return re.search(r"accepted is (.*?)(?: \([^()]*\))?$", done.err.strip()).group(1)


# ---- What the documents say ---------------------------------------------------------------------


def page(name):
    return (MAN / name).read_text(encoding="utf-8")


def section(name, title):
    return re.search(rf"^\.Sh {title}\n(.*?)(?=^\.Sh |\Z)", page(name), re.MULTILINE | re.DOTALL).group(1)


def plain(mdoc):
    """Text lines as they are read, without the macros' names."""
    return " ".join(re.sub(r"^\.[A-Z][a-z] ?", "", mdoc, flags=re.MULTILINE).split())


def man_commands():
    """Command -> its options and the words for their values, as planner-agent.8 describes them."""
    found = {}
    for block in re.split(r"^\.It Cm ", section("planner-agent.8", "DESCRIPTION"), flags=re.MULTILINE)[1:]:
        command = block.split()[0]
        assert command not in found
        found[command] = {f"--{name}": value or "" for name, value in
                          re.findall(r"^\.It Fl Fl (\S+)(?: Ar (\S+))?$", block, re.MULTILINE)}
    return found


def synopsis():
    """The same, as the synopsis has it."""
    found = {}
    for block in section("planner-agent.8", "SYNOPSIS").split(".Nm\n")[1:]:
        command = re.match(r"\.Cm (\S+)", block).group(1)
        options = re.findall(r"^\.(?:Op )?Fl Fl (\S+)(?: Ar (\S+))?", block, re.MULTILINE)
        found[command] = {f"--{name}" for name, _ in options}
    return found


def man_settings():
    """Variable -> what planner-agent.env.5 says of it."""
    text = section("planner-agent.env.5", "VARIABLES")
    blocks = re.split(r"^\.It Ev ", text, flags=re.MULTILINE)[1:]
    found = {block.split()[0]: block.partition("\n")[2] for block in blocks}
    assert len(found) == len(blocks)
    return found


def readme_rows(title):
    """The rows of the first table below a title, as lists of cells."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    table = re.search(r"^\|(?:.*\n)(?:\|.*\n)+", text, re.MULTILINE).group()
    cells = [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row)]
             for row in re.findall(r"^\|(.*)\|$", table, re.MULTILINE)]
    return cells[2:]


def readme_settings():
    """Variable -> default. Two in a row share a description, and where "or" joins them a default."""
    found = {}
    for row in readme_rows("Configuration"):
        names = re.findall(r"`([A-Z_]+)`", row[0])
        values = re.findall(r"`([^`]+)`|([0-9.]+)", row[1])
        values = ["".join(value) for value in values] or [row[1] or None]
        if " or " in row[0] or values == [None]:
            values = values[:1] + [None] * (len(names) - 1)
        assert len(values) == len(names), row
        found.update(zip(names, values))
    return found


# ---- Commands and options -----------------------------------------------------------------------


def test_the_man_page_describes_every_command_and_no_other(agent):
    assert set(man_commands()) == set(said_commands(agent)) == set(synopsis())


def test_the_man_page_describes_every_option_and_no_other(agent):
    described = man_commands()
    for command in said_commands(agent):
        said = said_options(agent, command)
        assert described[command] == said, command
        assert synopsis()[command] == set(said), command


def test_the_readme_names_every_command_and_no_option_that_is_not(agent):
    rows = {row[0].split()[0].strip("`"): row[0] for row in readme_rows("Commands")}
    assert set(rows) == set(said_commands(agent))
    for command, row in rows.items():
        assert set(re.findall(r"--[a-z-]+", row)) <= set(said_options(agent, command)), command


SHOWN = re.compile(r"(?:^|[$|&;(]|sudo|[A-Z_]+=\S*) *(?:\./|build/)?planner-agent ([a-z]+)((?: +[^\s|&;`#]+)*)")


@pytest.mark.parametrize("name", [*PAGES, "README.md"])
def test_what_examples_type_is_known(agent, name):
    """Whatever stands behind the program's name in code."""
    known = {command: {*said_options(agent, command), "--help", "--runtime", "--env-file"}
             for command in said_commands(agent)}
    text = (ROOT / name if name == "README.md" else MAN / name).read_text(encoding="utf-8")
    if name == "README.md":
        code = re.findall(r"```\n(.*?)```", text, re.DOTALL) + re.findall(r"`([^`\n]+)`", text)
    else:
        code = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", text, re.DOTALL | re.MULTILINE)
        code += re.findall(r"^\.Ql (.*)", text, re.MULTILINE)
    lines = "\n".join(code).replace("\\e\n", " ").replace("\\\n", " ").splitlines()
    shown = [found for line in lines for found in SHOWN.findall(line)]
    assert shown
    for command, words in shown:
        assert command in known, (command, words)
        assert set(re.findall(r"(?<=\s)--[a-z-]+", words)) <= known[command], (command, words)


def test_exit_codes_are_the_same_everywhere(agent):
    said = re.findall(r"\b(\d+) ", agent.cmd("--help").out.partition("Exit codes:")[2])
    man = re.findall(r"^\.It (\d+)$", section("planner-agent.8", "EXIT STATUS"), re.MULTILINE)
    readme = re.search(r"Exit codes: (.*?78)", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL).group(1)
    assert said == man == re.findall(r"\b\d+\b", readme)


# ---- Variables ----------------------------------------------------------------------------------


def test_every_document_has_every_variable_and_no_other(agent):
    said = said_settings(agent)
    assert set(man_settings()) == set(said)
    assert set(readme_settings()) == set(said)
    shown = re.findall(r"^([A-Z_]+)  ", agent.cmd("check", rc=(0, 1)).out, re.MULTILINE)
    assert shown == list(said)


def test_every_document_has_the_same_defaults(agent):
    readme = readme_settings()
    for name, default in said_settings(agent).items():
        text = plain(man_settings()[name])
        if default is not None:
            assert f"Default: {default} " in text + " ", name
            assert readme[name] == default, name
        elif name == "NODE_NAME":
            assert f"Default: {HOST_NAME}" in text and readme[name] == "host name"
        else:
            assert "Unset by default." in text and "Default:" not in text, name
            assert readme[name] in (None, "the system's"), name


def test_defaults_are_those_in_force(agent, tree):
    unset = {name: None for name in said_settings(agent) if name != "RUNTIME_PATH"}
    out = agent.cmd("check", "--env-file", "/dev/null", env=unset, rc=(0, 1)).out
    for name, default in said_settings(agent).items():
        shown = re.search(rf"^{name} +(.*)$", out, re.MULTILINE).group(1)
        if name not in ("RUNTIME_PATH", "NODE_NAME"):
            assert shown == (f"{default}  (default)" if default else "(unset)"), name


def test_the_man_page_says_what_each_variable_accepts(agent):
    for name in said_settings(agent):
        accepted = said_accepted(agent, name)
        assert f"Accepted: {accepted}. " in plain(man_settings()[name]) + " ", name


def test_what_a_reload_does_not_change_is_marked(agent):
    table = (ROOT / "src" / "daemon" / "setting_table.c").read_text(encoding="utf-8")
    fixed = {name for name, rest in re.findall(r'\.name = "(\w+)"(.*?)\}', table, re.DOTALL) if ".at_start" in rest}
    assert fixed == {name for name, text in man_settings().items() if "Next start." in text}
    assert len(fixed) >= 5


# ---- The pages themselves -----------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES)
def test_mandoc_finds_nothing(name):
    """Style too, but for pages of others that this machine does not have."""
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "style", str(MAN / name)], capture_output=True, text=True,
                          check=False)
    left = [line for line in (done.stdout + done.stderr).splitlines()
            if "referenced manual not found" not in line and "outdated mandoc.db" not in line]
    assert left == []


@pytest.mark.parametrize("name", PAGES)
def test_pages_refer_to_each_other(name):
    other, number = next(one for one in PAGES if one != name).rsplit(".", 1)
    assert f".Xr {other} {number}" in section(name, "SEE ALSO")


# ---- The lines that the README quotes -----------------------------------------------------------

# These take a full disk, a provider, a wrong clock, a kernel with less: other tests have them.
ELSEWHERE = ("disk_fault", "hop_needs_operator", "the clock is not set", "confined_in_part", "audit:")


def quoted():
    """The second column of the table of troubles: each line as the pieces between what is left out."""
    lines = [re.search(r"`(.*?)`", row[1]).group(1) for row in readme_rows("When something is wrong")]
    return [[piece.strip(",") for piece in line.split("…")] for line in lines]


def said_in_trouble(agent, tree):
    """What the program says when these things happen to it."""
    said = [agent.cmd("run", env={"RUNTIME_PATH": tree.path / "absent"}, rc=75).err.replace("/absent", ""),
            agent.cmd("run", env={"LLM_CONCURRENCY": 99}, rc=78).err]
    tree.event(service="web")
    tree.raw('{"node":"solaria"}', name="x.json")
    settings = {"LLM_CHAIN": None, "OLLAMA_API_BASE": "http://127.0.0.1:1", "REDIS_URL": "redis://127.0.0.1:1"}
    env_file = tree.path / "env"
    env_file.write_text("LLM_CHAIN=ollama,anthropic/claude-haiku-4-5,rules\n")
    daemon = agent.start("--env-file", env_file, env={**settings, "LOG_LEVEL": None})
    daemon.wait_log("proposed")
    tree.event(service="web")
    daemon.wait_log("already_open")
    daemon.wait_log("redis_unreachable")
    said.append(agent.cmd("status").out)
    pending = tree.path / "actions" / "pending"
    action = next(pending.glob("*.json"))
    action.chmod(0)
    said.append(agent.cmd("pending", user=None if os.geteuid() else 65534, rc=77).err)
    action.chmod(0o640)
    said.append(agent.cmd("run", rc=75).err.replace(str(daemon.pid), "18558"))
    for count, text in enumerate(("LOG_LEVEL=loud\n", "LLM_CHAIN=openai/x\nOPENAI_API_BASE=http://127.0.0.1:2\n"), 1):
        env_file.write_text(text)
        daemon.send(signal.SIGHUP)
        daemon.wait_log("config_refused", count=count)
    # A directory of the tree is replaced: it ends, to be started anew.
    pending.rename(pending.with_name("was-pending"))
    pending.mkdir()
    tree.event(service="db")
    daemon.expected_rc = (75,)
    daemon.process.wait(60)
    for thread in daemon.threads:
        thread.join(60)
    said.append(b"".join(daemon.lines).decode())
    said.append(agent.cmd("healthcheck", "--max-age", "0", rc=1).err)
    env_file.chmod(0)
    if os.geteuid() == 0:
        said.append(agent.cmd("run", "--env-file", env_file, user=65534, rc=78).err
                    .replace(str(env_file), "/opt/homelab/config/planner-agent/.env"))
    text = "\n".join(said).replace(str(tree.path), "/opt/homelab")
    return re.sub(r"\d{4}-\d\d-\d\d/solaria/", "2026-11-23/solaria/", text)


def test_the_lines_of_the_readme_are_the_programs_own(agent, tree):
    if "landlock" not in agent.cmd("check", rc=(0, 1)).out.lower().replace("no landlock", ""):
        pytest.skip("no Landlock here")
    said = said_in_trouble(agent, tree).replace("port 1:", "port 11434:").splitlines()
    lines = [pieces for pieces in quoted() if not any(word in "".join(pieces) for word in ELSEWHERE)]
    assert len(lines) >= 12
    for pieces in lines:
        pieces = [piece.replace("port 1:", "port 11434:") for piece in pieces]
        assert any(all(piece in line for piece in pieces) for line in said), pieces


def test_the_lines_that_take_more_are_in_the_source():
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.c"))
    for pieces in quoted():
        for event in re.findall(r'"event":"(\w+)"', "".join(pieces)):
            assert f'"{event}"' in text, event
