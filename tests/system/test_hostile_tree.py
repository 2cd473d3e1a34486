"""What stands in the event tree and is no event file."""

import json
import os

import pytest

from agent import Tree, fault, stays, wait_for
from test_verdict import put_odd

KINDS = ["symlink", "dangling", "fifo", "directory", "device", "socket"]


def trap(tree):
    """A good event outside the tree: whoever follows a link to it proposes it."""
    outside = tree.path.parent / "outside.json"
    outside.write_text(json.dumps(fault(node="trap", service="trap")))
    return outside


@pytest.mark.parametrize("name", ["x.json", "events.jsonl"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_regular_file_is_refused_once_and_never_followed(agent, tree, kind, name):
    put_odd(tree.node_dir() / name, kind, trap(tree))
    tree.event(service="good", name="good.json")
    done = agent.run_once(timeout=60)
    assert [action["service"] for action in tree.actions().values()] == ["good"]
    refused = done.named("refused")
    assert len(refused) == 1 and name in json.dumps(refused[0]), done.logs
    assert agent.count("refused") == 1
    again = agent.run_once(timeout=60)
    assert again.named("refused") == [], "told again"


@pytest.mark.parametrize("kind", ["fifo", "device"])
def test_it_is_never_opened_for_blocking(agent, tree, kind):
    """Not for reading either: opening a device may do something, a FIFO wakes its writer."""
    put_odd(tree.node_dir() / "x.json", kind, trap(tree))
    trace = tree.path.parent / "trace"
    agent.run_once(timeout=60, prefix=["strace", "-f", "-o", str(trace), "-e", "trace=open,openat,openat2"])
    opened = [line for line in trace.read_text().splitlines() if '"x.json"' in line or "/x.json" in line]
    assert all("O_PATH" in line or "O_NONBLOCK" in line for line in opened), opened


def test_a_linked_node_directory_is_not_followed(agent, tree):
    outside = Tree(tree.path.parent / "outside")
    outside.event(node="trap")
    tree.node_dir("good")
    os.symlink(outside.path / "events" / os.listdir(outside.path / "events")[0] / "solaria",
               tree.node_dir("good").parent / "linked")
    agent.run_once()
    assert tree.actions() == {}


def test_a_linked_day_is_not_followed(agent, tree):
    outside = Tree(tree.path.parent / "outside")
    outside.event(node="trap", day="2024-01-01")
    (tree.path / "events").mkdir()
    os.symlink(outside.path / "events" / "2024-01-01", tree.path / "events" / "2024-01-01")
    agent.run_once()
    assert tree.actions() == {}


def test_a_file_where_a_directory_should_be(agent, tree):
    (tree.path / "events").mkdir()
    (tree.path / "events" / "2024-01-01").write_text("x")
    tree.node_dir("good")
    (tree.node_dir("good").parent / "node").write_text("x")
    tree.event()
    agent.run_once()
    assert len(tree.actions()) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_daemon_lives_with_it_too(agent, tree, kind):
    tree.node_dir()
    daemon = agent.start()
    put_odd(tree.node_dir() / "x.json", kind, trap(tree))
    tree.event(service="good")
    wait_for("the good one", lambda: len(tree.actions()) == 1)
    daemon.wait_log("refused")
    stays("only once, and only the good one",
          lambda: len(daemon.named("refused")) == 1 and len(tree.actions()) == 1, 0.5)


@pytest.mark.parametrize("name", ["x.json", "events.jsonl"])
def test_a_file_that_cannot_be_read_is_refused_and_the_rest_goes_on(user_agent, tree, name):
    path = tree.event(name=name)
    path.chmod(0o000)
    if os.geteuid() == 0:
        os.chown(path, 0, 0)
    tree.event(service="good")
    done = user_agent.run_once()
    assert [action["service"] for action in tree.actions().values()] == ["good"]
    assert len(done.named("refused")) == 1, done.logs
    assert user_agent.run_once().named("refused") == []


def test_a_file_that_cannot_be_read_is_taken_when_it_can(user_agent, tree):
    """chmod moves its ctime: a writer that sets the mode last is not punished."""
    path = tree.event(rename=False)
    path.chmod(0o000)
    if os.geteuid() == 0:
        os.chown(path, 0, 0)
    user_agent.run_once(rc=(0, 75))
    path.chmod(0o644)
    user_agent.run_once()
    assert len(tree.actions()) == 1


def test_a_directory_that_cannot_be_read_does_not_stop_the_rest(user_agent, tree):
    tree.event(node="hidden", directory=tree.node_dir("hidden"))
    tree.event()
    tree.node_dir("hidden").chmod(0o000)
    if os.geteuid() == 0:
        os.chown(tree.node_dir("hidden"), 0, 0)
    done = user_agent.run_once(rc=(0, 75))
    assert [action["node"] for action in tree.actions().values()] == ["solaria"]
    assert [log for log in done.logs if log["level"] in ("warning", "error")], "nobody was told"
    tree.node_dir("hidden").chmod(0o755)
    user_agent.run_once()
    assert len(tree.actions()) == 2, "it was passed over for ever"


FILE_NAMES = ["a b.json", "-rf.json", "a\nb.json", "a\x1b[31mb.json", "a\"b'c.json", "żółw.json", "$(x).json",
              "x" * 250 + ".json", "a\u202eb.json", "%s%n.json", ".json"]


@pytest.mark.parametrize("name", FILE_NAMES, ids=ascii)
@pytest.mark.parametrize("where", ["file", "node"])
def test_names_in_the_tree_are_untrusted_too(agent, tree, where, name):
    directory = tree.node_dir(name if where == "node" else "solaria")
    tree.event(directory=directory, name="x.json" if where == "node" else name, rename=False)
    tree.raw("{broken", directory=directory, name="y.json" if where == "node" else "b" + name[1:], rename=False)
    done = agent.run_once()
    if not name.startswith("."):
        assert len(tree.actions()) == 1, done.logs
        assert len(done.named("refused")) == 1
    agent.cmd("status")


def test_file_names_that_are_not_utf8(agent, tree):
    directory = os.fsencode(tree.node_dir())
    for name, content in ((b"\xff\xfe.json", json.dumps(fault())), (b"\xc0.json", "{broken")):
        with open(os.path.join(directory, name), "w", encoding="utf-8") as out:
            out.write(content)
    done = agent.run_once()
    assert len(tree.actions()) == 1 and len(done.named("refused")) == 1
    agent.cmd("status")
    agent.run_once()


@pytest.mark.parametrize("link, target", [("actions/pending", "approved"), ("state/planner-agent", "../actions/approved")])
def test_a_linked_directory_does_not_lead_the_planner_into_approved(agent, tree, link, target):
    """Whoever made the link: nothing but the operator's command puts something into approved/."""
    approved = tree.path / "actions" / "approved"
    approved.mkdir(parents=True)
    (tree.path / link).parent.mkdir(exist_ok=True)
    (tree.path / link).symlink_to(target)
    tree.event()
    agent.run_once(rc=78, err=link)
    assert list(approved.iterdir()) == []


def test_the_events_may_lie_on_another_disk(agent, tree, tmp_path):
    elsewhere = tmp_path / "disk"
    elsewhere.mkdir()
    (tree.path / "events").symlink_to(elsewhere)
    tree.event()
    agent.run_once()
    assert len(tree.actions()) == 1
