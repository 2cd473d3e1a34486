"""planner-agent as a service of a machine: how an operator puts it there, and what it left."""

import itertools
import json
import os
import re
import subprocess

from agent import Tree, binary, check_logs, named, wait_for

USER = 1000  # whose the runtime tree is; no name of ours
BINARY = "/usr/local/bin/planner-agent"
ENV_FILE = "/opt/homelab/config/planner-agent/.env"
UNIT = "/etc/systemd/system/planner-agent.service"
CREDENTIAL = "/etc/credstore/ANTHROPIC_API_KEY"
PRIORITIES = {"debug": "7", "info": "6", "warning": "4", "error": "3"}


def commands(said, under):
    """Those that a command prints, to be typed."""
    found = [line.strip() for line in said.partition(f"{under}\n")[2].splitlines()]
    assert found, said
    return found


class Service:
    def __init__(self, machine, mock):
        self.machine, self.mock = machine, mock
        self.told = []  # patterns of what stands in the journal beside the log
        self.tree = Tree(machine.path("/opt/homelab"))
        self.tree.owner = USER

    # -- how it comes here --

    def make_tree(self):
        """As the platform does, before the planner comes."""
        subprocess.run(["chroot", str(self.machine.root), "useradd", "--uid", str(USER),
                        "--user-group", "homelab"], check=True)
        self.tree.give(self.tree.path)
        for place in ("pending", "approved", "rejected", "running", "completed"):
            self.tree.directory(self.tree.path / "actions" / place)

    def copy(self, data=None):
        """As scp does, and a rename: what runs keeps its file."""
        path = self.machine.path(BINARY)
        part = path.with_name(".planner-agent.part")
        part.write_bytes(data or binary().read_bytes())
        part.chmod(0o755)
        part.rename(path)

    def install(self):
        """What it says is to be done next is done later, by start()."""
        said = self.machine.run(BINARY, "service", "install").out
        assert f"wrote {UNIT}\n" in said, said
        self.next = commands(said, "Next:")
        self.configure()

    def configure(self):
        self.settings(NODE_NAME="planner", LLM_CHAIN="ollama@120", OLLAMA_API_BASE=self.mock.url,
                      OLLAMA_COLD_SECONDS="0", COOLDOWN_SECONDS="0", LLM_CONCURRENCY="1",
                      LOG_LEVEL="debug")

    def settings(self, **settings):
        """As most editors save: a new file takes the old one's place."""
        path = self.machine.path(ENV_FILE)
        new = f"{path}.new"
        subprocess.run(["cp", "-p", path, new], check=True)
        with open(new, "a", encoding="utf-8") as out:
            out.write("".join(f"{name}={value}\n" for name, value in settings.items()))
        os.replace(new, path)

    def drop_in(self, text):
        self.machine.write(f"{UNIT}.d/test.conf", text)
        self.machine.run("systemctl", "daemon-reload")

    def start(self):
        for command in self.next:
            self.machine.shell(command)
        self.wait_active()

    # -- what is seen of it --

    def show(self, *names):
        return self.machine.unit(*names)

    @property
    def pid(self):
        return int(self.show("MainPID"))

    def wait_active(self, restarts=0, seconds=90):
        wait_for(f"active after {restarts} restarts",
                 lambda: self.show("ActiveState", "NRestarts") == ["active", str(restarts)], seconds)

    def wait_proposed(self, *services, seconds=90):
        """An action and an audit event each, and no others."""
        wanted = sorted(services)
        wait_for(f"actions for {wanted}", lambda: self.proposed() == wanted, seconds)
        wait_for(f"audit events for {wanted}", lambda: self.audited() == wanted, seconds)
        wait_for("an empty queue", self.is_idle, seconds)
        assert (self.proposed(), self.audited()) == (wanted, wanted)

    def is_idle(self):
        """Is nothing left that could be proposed? It writes its status when it is asked."""
        path = self.tree.state / "status.json"
        written = path.stat().st_mtime_ns
        self.machine.run("systemctl", "kill", "--signal=USR1", "planner-agent")
        wait_for("its status", lambda: path.stat().st_mtime_ns != written)
        return json.loads(self.machine.run(BINARY, "status", "--json").out)["planner"]["queue"]["keys"] == 0

    def proposed(self):
        return sorted(action["service"] for place in ("pending", "completed")
                      for action in self.tree.actions(place).values())

    def audited(self):
        return sorted(event["service"] for event in self.tree.audits().values())

    def entries(self):
        """What its processes wrote to the journal: (lines of the log, what else)."""
        logs, others = [], []
        for entry in self.machine.journal("-t", "planner-agent"):
            (logs if entry["MESSAGE"].startswith("{") else others).append(entry)
        return logs, others

    @property
    def logs(self):
        lines = "".join(f"{entry['MESSAGE']}\n" for entry in self.entries()[0])
        return check_logs(lines.encode(), "journal")

    def named(self, *names):
        return named(self.logs, *names)

    def wait_log(self, name, count=1, seconds=90):
        return wait_for(f"log line {name}", lambda: len(self.named(name)) >= count and self.named(name), seconds)

    def check(self):
        """What every test looks at in the end: nothing unforeseen was told, every line of the log
        has its priority, and no temporary file is left."""
        logs, others = self.entries()
        for log, entry in zip(self.logs, logs):
            assert entry["PRIORITY"] == PRIORITIES[log["level"]], entry
        for pattern, entry in itertools.zip_longest(self.told, others):
            assert pattern and entry and re.search(pattern, entry["MESSAGE"]), (pattern, entry)
        # It may still run, and what it saves has another name for a moment.
        wait_for("no temporary file", lambda: [path for path in self.tree.dot_files() if not path.startswith("config/")] == [])
