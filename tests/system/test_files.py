"""Event files: progress survives, nothing is handled twice or skipped."""

import json
import os
import shutil
import signal
import threading
import time

import pytest

from agent import TOLD, Tree, fault, stays, utc_day, wait_for

NO_COOLDOWN = {"COOLDOWN_SECONDS": 0}


def services(tree):
    return sorted(action["service"] for action in tree.actions().values())


def handled_again(agent, tree, **env):
    """What a further run proposes when nothing is open and nothing cools down."""
    tree.clear_pending()
    agent.run_once(env={**NO_COOLDOWN, **env})
    return services(tree)


# ---- Successive runs ----------------------------------------------------------------------------


def test_nothing_is_handled_twice(agent, tree):
    tree.event()
    tree.jsonl(fault(service="db"), fault(service="cache"))
    agent.run_once()
    assert services(tree) == ["cache", "db", "web"]
    assert handled_again(agent, tree) == []
    assert handled_again(agent, tree) == []
    assert len(tree.audits()) == 3


def test_each_run_takes_what_is_new_and_only_that(agent, tree):
    """Without inotify, and within one tick of the file system's clock."""
    for n in range(40):
        tree.event(service=f"s{n}", rename=n % 2 == 0)
        agent.run_once(env=NO_COOLDOWN)
        assert services(tree) == [f"s{n}"]
        tree.clear_pending()


def test_files_that_share_a_ctime_between_two_runs(agent, tree):
    """A writer that does not stop while the planner scans: thousands of files, each once."""
    total = 3000
    directory = tree.node_dir()

    def write():
        for n in range(total):
            path = directory / f"b{n}.json"
            path.write_text(json.dumps(fault(service=f"s{n % 50}", node=f"n{n // 50}", at=-1)))

    tree.event(service="first")
    agent.run_once()
    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        agent.run_once(rc=(0, 75))
    writer.join()
    agent.run_once()
    assert len(tree.actions()) == total + 1
    assert len(tree.audits()) == total + 1
    assert agent.count("refused") == 0
    assert handled_again(agent, tree) == []


def test_more_faults_than_the_queue_has_slots_in_one_backlog(agent, tree):
    """Files without a slot stay unfinished and are read again when slots are free."""
    for n in range(1300):
        tree.event(service=f"s{n:04d}", rename=False)
    agent.run_once()
    assert len(tree.actions()) == 1300
    assert len(tree.audits()) == 1300
    assert handled_again(agent, tree) == []


def test_more_lines_than_the_queue_has_slots_in_one_backlog(agent, tree):
    tree.jsonl(*(fault(service=f"s{n:04d}") for n in range(1300)))
    agent.run_once()
    assert len(tree.actions()) == 1300
    assert handled_again(agent, tree) == []


def test_the_whole_backlog_is_read_before_anything_is_proposed(agent, tree):
    """600 faults fill the queue; their recoveries are read later in the directory."""
    tree.jsonl(*(fault(service=f"s{n}", at=-20) for n in range(400)), node="a")
    tree.jsonl(*(fault("service_healthy", service=f"s{n}", at=-10) for n in range(400)), node="z")
    agent.run_once()
    assert tree.actions() == {}


@pytest.mark.parametrize("make", ["rename", "write", "hard_link"])
def test_files_that_appear_in_any_way_are_taken_once(agent, tree, make):
    agent.run_once()
    appear(tree, make, "web")
    agent.run_once()
    assert services(tree) == ["web"]
    assert handled_again(agent, tree) == []


@pytest.mark.parametrize("rename", [True, False], ids=["replaced", "rewritten"])
def test_a_name_used_again_for_a_new_event_is_a_new_event(agent, tree, rename):
    for n in range(5):
        tree.event(service=f"s{n}", name="latest.json", rename=rename)
        agent.run_once(env=NO_COOLDOWN)
        assert services(tree) == [f"s{n}"]
        tree.clear_pending()


def test_a_file_removed_before_it_was_handled_does_no_harm(agent, tree):
    tree.jsonl(fault("deployment_started", at=-20, severity="info"))
    path = tree.event(at=-10)
    agent.run_once(rc=75)
    path.unlink()
    done = agent.run_once(rc=(0, 75))
    assert tree.actions() == {}
    if done.rc == 75:
        agent.run_once(rc=(0, 75))


def test_old_mtimes_from_rsync_do_not_matter(agent, tree):
    agent.run_once()
    for n, rename in enumerate((True, False)):
        path = tree.event(service=f"s{n}", rename=rename)
        os.utime(path, (1e9, 1e9))
    agent.run_once()
    assert services(tree) == ["s0", "s1"]
    assert handled_again(agent, tree) == []


@pytest.mark.parametrize("day", ["2020-01-01", "yesterday", "tomorrow", "2031-12-31"])
def test_a_directory_of_any_date_is_read(agent, tree, day):
    agent.run_once()
    tree.event(day={"yesterday": utc_day(-86400), "tomorrow": utc_day(86400)}.get(day, day))
    agent.run_once()
    assert services(tree) == ["web"]


@pytest.mark.parametrize("place", ["not-a-date/solaria", "2026-1-1/solaria", "20261122/solaria"])
def test_other_directories_of_the_tree_are_left_alone(agent, tree, place):
    directory = tree.path / "events" / place
    directory.mkdir(parents=True)
    tree.event(directory=directory)
    tree.event(service="seen")
    agent.run_once()
    assert services(tree) == ["seen"]


@pytest.mark.parametrize("name", ["x.json.tmp", "x.txt", "README", ".x.json.part", "x.jsonl.gz", "x.JSON~", ".x.tmp"])
def test_files_of_other_names_are_left_alone(agent, tree, name):
    tree.event(name=name, rename=False)
    done = agent.run_once()
    assert tree.actions() == {} and done.named("refused") == []


def test_ten_thousand_benign_files_in_one_pass(agent, tree):
    directory = tree.node_dir()
    event = json.dumps(fault("service_healthy", severity="info"))
    for n in range(10000):
        (directory / f"{n}.json").write_text(event)
    tree.event(service="needle", at=1)
    agent.run_once()
    assert services(tree) == ["needle"]
    assert handled_again(agent, tree) == []


# ---- First start --------------------------------------------------------------------------------


def test_the_first_start_takes_the_lookback_and_says_how_much_it_passed_over(agent, tree):
    for n in range(4):
        tree.event(service=f"old{n}")
    tree.jsonl(fault(service="old-line"))
    time.sleep(8)  # nobody can set a ctime: what is old must have grown old
    tree.event(service="new")
    done = agent.run_once(env={"EVENT_LOOKBACK_SECONDS": 1})
    assert services(tree) == ["new"]
    passed = [log for log in done.logs if "passed_over" in json.dumps(log)]
    assert len(passed) == 1 and {4, 5} & set(value for value in passed[0].values() if isinstance(value, int)), \
        passed
    # The next start looks back no further, whatever it is told.
    assert handled_again(agent, tree, EVENT_LOOKBACK_SECONDS=900) == []
    # And what came before counts as known: a line more does not bring the older ones back.
    tree.jsonl(fault(service="new-line"))
    agent.run_once()
    assert services(tree) == ["new-line"]


def test_progress_without_any_event_is_progress_too(agent, tree):
    """What arrives between a first run that found nothing and the second is not passed over."""
    agent.run_once(env={"EVENT_LOOKBACK_SECONDS": 1})
    tree.event()
    time.sleep(8)
    agent.run_once(env={"EVENT_LOOKBACK_SECONDS": 1})
    assert services(tree) == ["web"]


# ---- events.jsonl -------------------------------------------------------------------------------


def test_a_log_that_grows_is_read_from_where_it_ended(agent, tree):
    for n in range(10):
        tree.jsonl(fault(service=f"s{n}"))
        agent.run_once(env=NO_COOLDOWN)
        assert services(tree) == [f"s{n}"]
        tree.clear_pending()


def test_a_log_rotated_by_rename_loses_nothing(agent, tree):
    path = tree.jsonl(fault(service="a"))
    agent.run_once()
    tree.jsonl(fault(service="b"))
    path.rename(path.with_name("events.jsonl.1"))
    tree.jsonl(fault(service="c"))
    agent.run_once()
    assert services(tree) == ["a", "b", "c"]
    assert handled_again(agent, tree) == []


def test_a_log_rotated_and_removed_starts_anew(agent, tree):
    path = tree.jsonl(*(fault(service=f"a{n}") for n in range(5)))
    agent.run_once()
    path.unlink()
    tree.jsonl(fault(service="b"))
    agent.run_once()
    assert services(tree) == ["a0", "a1", "a2", "a3", "a4", "b"]


def test_a_log_rotated_by_copytruncate_loses_nothing(agent, tree):
    path = tree.jsonl(*(fault(service=f"a{n}") for n in range(5)))
    agent.run_once()
    shutil.copy(path, path.with_name("events.jsonl.1"))
    os.truncate(path, 0)
    tree.jsonl(fault(service="b"))
    agent.run_once()
    assert services(tree) == ["a0", "a1", "a2", "a3", "a4", "b"]
    assert handled_again(agent, tree) == []


def test_a_log_copied_and_truncated_with_lines_unread_loses_nothing(agent, tree):
    """What was not read before the copy stands only in the copy."""
    path = tree.jsonl(*(fault(service=f"a{n}") for n in range(3)))
    agent.run_once()
    tree.jsonl(fault(service="unread"))
    shutil.copy(path, path.with_name("events.jsonl.1"))
    os.truncate(path, 0)
    tree.jsonl(fault(service="b"))
    agent.run_once()
    assert services(tree) == ["a0", "a1", "a2", "b", "unread"]
    assert handled_again(agent, tree) == []


def test_a_log_rotated_twice_while_nobody_looked_loses_nothing(agent, tree):
    path = tree.jsonl(fault(service="a"))
    agent.run_once()
    tree.jsonl(fault(service="b"))
    path.rename(path.with_name("events.jsonl.1"))
    tree.jsonl(fault(service="c"))
    path.with_name("events.jsonl.1").rename(path.with_name("events.jsonl.2"))
    path.rename(path.with_name("events.jsonl.1"))
    tree.jsonl(fault(service="d"))
    agent.run_once()
    assert services(tree) == ["a", "b", "c", "d"]
    assert handled_again(agent, tree) == []


def test_a_log_rotated_again_and_again_is_not_read_twice(agent, tree):
    """Seven generations shift their names at each turn, as logrotate does it."""
    for turn in range(10):
        path = tree.jsonl(fault(service=f"s{turn}"))
        agent.run_once(env=NO_COOLDOWN)
        assert services(tree) == [f"s{turn}"]
        tree.clear_pending()
        for n in range(6, 0, -1):
            older = path.with_name(f"events.jsonl.{n}")
            if older.exists():
                older.rename(path.with_name(f"events.jsonl.{n + 1}"))
        path.rename(path.with_name("events.jsonl.1"))


def test_a_bad_line_is_refused_and_the_next_one_is_read(agent, tree):
    path = tree.jsonl(fault(service="a"))
    with open(path, "ab") as out:
        out.write(b"{broken\n" + b"\xff\n" + b'"' + b"x" * 70000 + b'"\n' + b"\0\n")
    tree.jsonl(fault(service="b"))
    done = agent.run_once()
    assert services(tree) == ["a", "b"]
    refused = done.named("refused")
    assert len(refused) == 4, done.logs
    assert all("events.jsonl" in json.dumps(log) for log in refused)
    assert agent.run_once().named("refused") == []


@pytest.mark.parametrize("size", [4094, 4095, 4096, 4097, 65534, 65535, 65536])
def test_lines_around_every_size_of_a_buffer(agent, tree, size):
    """A line of exactly this many bytes between two others; up to 64 KiB it is an event."""
    line = fault(service="middle", message="")
    line["message"] = "x" * (size - len(json.dumps(line)))
    assert len(json.dumps(line)) == size
    tree.jsonl(fault(service="first"), line, fault(service="last"))
    agent.run_once()
    assert services(tree) == ["first", "last", "middle"]


def test_a_partial_line_waits_for_its_end(agent, tree):
    path = tree.jsonl(fault(service="a"))
    line = json.dumps(fault(service="b"))
    with open(path, "a", encoding="utf-8") as out:
        out.write(line[:40])
    done = agent.run_once(rc=(0, 75))
    assert services(tree) == ["a"]
    with open(path, "a", encoding="utf-8") as out:
        out.write(line[40:] + "\n")
    done = agent.run_once()
    assert services(tree) == ["a", "b"], done.logs
    assert handled_again(agent, tree) == []


def test_a_line_without_end_is_refused_once_and_its_tail_is_no_event(agent, tree):
    path = tree.jsonl(fault(service="a"))
    with open(path, "a", encoding="utf-8") as out:
        out.write("x" * 200000)
    first = agent.run_once(rc=(0, 75))
    with open(path, "a", encoding="utf-8") as out:
        out.write(json.dumps(fault(service="tail")) + "\n" + json.dumps(fault(service="b")) + "\n")
    second = agent.run_once()
    assert services(tree) == ["a", "b"]
    assert len(first.named("refused")) + len(second.named("refused")) == 1


def test_a_long_log_is_read_to_its_end(agent, tree):
    benign = json.dumps(fault("service_healthy", severity="info", service="other")) + "\n"
    path = tree.node_dir() / "events.jsonl"
    path.write_text(benign * 30000)
    tree.jsonl(fault(service="needle"))
    agent.run_once()
    assert services(tree) == ["needle"]
    assert handled_again(agent, tree) == []


def test_blank_lines_and_crlf_do_no_harm(agent, tree):
    tree.jsonl(fault(service="a"), fault(service="b"), end="\r\n")
    with open(tree.node_dir() / "events.jsonl", "a", encoding="utf-8") as out:
        out.write("\n\n")
    tree.jsonl(fault(service="c"))
    agent.run_once()
    assert services(tree) == ["a", "b", "c"]


def test_two_nodes_logs_are_told_apart(agent, tree):
    for node in ("solaria", "orion"):
        tree.jsonl(fault(node=node), node=node)
    agent.run_once()
    assert sorted(tree.actions()) == ["container-restart-orion-web", "container-restart-solaria-web"]


# ---- The daemon ---------------------------------------------------------------------------------


def appear(tree, make, service):
    if make == "hard_link":
        outside = Tree(tree.path.parent / "outside").event(service=service)
        os.link(outside, tree.node_dir() / f"{service}.json")
    else:
        tree.event(service=service, rename=make == "rename")


@pytest.mark.parametrize("make", ["rename", "write", "hard_link"])
def test_the_daemon_takes_files_that_appear_in_any_way(agent, tree, make):
    tree.node_dir()
    daemon = agent.start()
    appear(tree, make, "web")
    wait_for("the proposal", lambda: services(tree) == ["web"], TOLD)
    daemon.stop()
    assert handled_again(agent, tree) == []


def test_the_daemon_reads_a_slow_writers_file_once_it_is_whole(agent, tree):
    daemon = agent.start()
    text = json.dumps(fault(message="x" * 3000))
    path = tree.node_dir() / "slow.json"
    with open(path, "w", encoding="utf-8") as out:
        for n in range(0, len(text), 500):
            out.write(text[n:n + 500])
            out.flush()
            time.sleep(0.15)
    wait_for("the proposal", lambda: services(tree) == ["web"], TOLD)
    assert daemon.named("refused") == []


def test_the_daemon_refuses_a_file_that_stays_broken_and_takes_it_when_it_is_mended(agent, tree):
    daemon = agent.start()
    text = json.dumps(fault())
    path = tree.node_dir() / "half.json"
    path.write_text(text[:50])
    stays("not yet refused", lambda: daemon.named("refused") == [], 2)
    refused = daemon.wait_log("refused", seconds=15)
    assert len(refused) == 1 and "half.json" in json.dumps(refused[0])
    path.write_text(text)
    wait_for("the proposal", lambda: services(tree) == ["web"], TOLD)


def test_the_daemon_follows_a_growing_log_and_its_rotations(agent, tree):
    path = tree.jsonl(fault(service="before"))
    daemon = agent.start()
    wait_for("before", lambda: services(tree) == ["before"])
    tree.jsonl(fault(service="grown"))
    wait_for("grown", lambda: "grown" in services(tree), TOLD)
    tree.jsonl(fault(service="last"))
    path.rename(path.with_name("events.jsonl.1"))
    tree.jsonl(fault(service="rotated"))
    wait_for("rotated", lambda: {"last", "rotated"} <= set(services(tree)), TOLD)
    shutil.copy(path, path.with_name("events.jsonl.2"))
    os.truncate(path, 0)
    tree.jsonl(fault(service="x"))
    wait_for("truncated", lambda: "x" in services(tree), TOLD)
    line = json.dumps(fault(service="partial")) + "\n"
    with open(path, "a", encoding="utf-8") as out:
        for n in range(0, len(line), 40):
            out.write(line[n:n + 40])
            out.flush()
            time.sleep(0.05)
    wait_for("partial", lambda: "partial" in services(tree), TOLD)
    assert services(tree) == ["before", "grown", "last", "partial", "rotated", "x"]
    assert daemon.named("refused") == []
    daemon.stop()
    assert handled_again(agent, tree) == []


def test_the_daemon_sees_directories_that_appear_later(agent, tree):
    assert not (tree.path / "events").exists()
    daemon = agent.start()
    tree.event(service="today")
    wait_for("today", lambda: services(tree) == ["today"], TOLD)
    tree.event(node="new-node", service="node")
    wait_for("a new node", lambda: len(services(tree)) == 2, TOLD)
    tree.event(service="tomorrow", day=utc_day(86400))
    wait_for("tomorrow (midnight UTC)", lambda: len(services(tree)) == 3, TOLD)
    tree.event(service="old-day", day="2021-05-05")
    wait_for("an old day", lambda: len(services(tree)) == 4, TOLD)
    tree.jsonl(fault(service="log"), node="another")
    wait_for("a log in a new directory", lambda: len(services(tree)) == 5, TOLD)
    daemon.stop()
    assert handled_again(agent, tree) == []


def test_the_daemon_takes_a_file_with_an_old_mtime_in_an_old_directory(agent, tree):
    directory = tree.node_dir(day="2022-02-02")
    agent.start()
    outside = Tree(tree.path.parent / "outside").event()
    os.utime(outside, (1.5e9, 1.5e9))
    os.rename(outside, directory / "x.json")
    wait_for("the proposal", lambda: services(tree) == ["web"], TOLD)


def test_the_content_of_a_directory_that_is_new_counts_as_reported(agent, tree):
    """Moved in whole: its files' ctimes are older than any mark."""
    outside = Tree(tree.path.parent / "outside")
    outside.event(service="in-node", node="moved")
    outside.jsonl(fault(service="in-log"), node="moved")
    outside.event(service="in-day", day="2023-03-03")
    time.sleep(8)
    tree.node_dir("other")
    agent.start()
    (outside.path / "events" / outside.day / "solaria").rename(tree.path / "events" / tree.day / "moved")
    (outside.path / "events" / "2023-03-03").rename(tree.path / "events" / "2023-03-03")
    wait_for("in the node", lambda: {"in-node", "in-day"} <= set(services(tree)), TOLD)
    (outside.path / "events" / outside.day / "moved").rename(tree.path / "events" / tree.day / "moved2")
    wait_for("in the log", lambda: "in-log" in services(tree), TOLD)


def test_without_inotify_the_daemon_rescans(agent, tree):
    """Network file systems tell inotify nothing; here the kernel refuses it."""
    tree.node_dir()
    agent.start(prefix=["strace", "-f", "-o", "/dev/null", "-e", "trace=inotify_init1,inotify_add_watch",
                        "-e", "inject=inotify_init1:error=EMFILE"])
    tree.event()
    tree.jsonl(fault(service="line"))
    wait_for("the scan", lambda: services(tree) == ["line", "web"], 60)


def test_a_new_event_is_taken_after_an_unclean_stop(agent, tree):
    daemon = agent.start()
    tree.event(service="a")
    daemon.wait_log("proposed")
    daemon.kill()
    tree.event(service="b")
    daemon = agent.start()
    daemon.wait_log("proposed")  # which comes after the audit event
    assert services(tree) == ["a", "b"]
    stays("a is not proposed twice", lambda: len(tree.audits()) == 2, 0.5)


def test_unfinished_events_outlive_an_unclean_stop(agent, tree):
    tree.jsonl(fault("deployment_started", severity="info", at=-20), fault(at=-10))
    daemon = agent.start()
    daemon.wait_log("held")
    time.sleep(2.5)
    daemon.kill()
    daemon = agent.start()
    tree.jsonl(fault("deployment_failed", at=-5))
    daemon.wait_log("proposed")  # it joins the failed deployment
    assert services(tree) == ["web"] and len(tree.audits()) == 1


def test_a_burst_too_large_for_inotify_is_found_by_a_scan(agent, tree):
    """The daemon sleeps while 20,000 files appear: the kernel's queue overflows."""
    directory = tree.node_dir()
    daemon = agent.start(env={"LOG_LEVEL": "info"})
    daemon.send(signal.SIGSTOP)
    benign = json.dumps(fault("service_healthy", severity="info", service="other"))
    for n in range(20000):
        (directory / f"{n}.json").write_text(benign if n % 5000 else json.dumps(fault(service=f"s{n}")))
    daemon.send(signal.SIGCONT)
    wait_for("the needles", lambda: services(tree) == ["s0", "s10000", "s15000", "s5000"], 120)
    daemon.stop()
    assert len(tree.audits()) == 4
    assert handled_again(agent, tree) == []


@pytest.mark.parametrize("form", ["{}/", "{}/.", "//{}"])
def test_the_runtime_path_in_other_words(agent, tree, form):
    tree.event()
    agent.run_once(env={"RUNTIME_PATH": form.format(tree.path).replace("///", "//")})
    assert services(tree) == ["web"]
    assert handled_again(agent, tree) == []


def test_the_runtime_path_through_a_symlink_and_with_blanks(agent, tree):
    link = tree.path.parent / "a b\"c"
    link.symlink_to(tree.path)
    tree.event()
    daemon = agent.start(env={"RUNTIME_PATH": link})
    wait_for("the backlog", lambda: services(tree) == ["web"])
    tree.event(service="late")
    wait_for("the late one", lambda: "late" in services(tree), TOLD)
    daemon.stop()


def test_a_burst_while_the_daemon_runs_is_taken_once_each(agent, tree):
    daemon = agent.start()
    for n in range(800):
        tree.event(service=f"s{n:04d}", rename=n % 3 == 0)
    wait_for("all proposals", lambda: len(tree.actions()) == 800, 120)
    daemon.stop()
    assert len(tree.audits()) == 800
    assert handled_again(agent, tree) == []
