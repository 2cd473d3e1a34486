"""The daemon's life: lock, signals, heartbeat, logs."""

import json
import os
import signal
import subprocess
import time

import pytest

from agent import check_logs, fault, least_opened, opened, takes, wait_for


# ---- Lock ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("second", [["run"], ["run", "--once"]], ids=" ".join)
def test_a_second_planner_is_kept_off_the_tree_and_told_which_pid(agent, tree, second):
    daemon = agent.start()
    done = agent.cmd(*second, rc=75, timeout=60)
    assert str(daemon.pid) in done.out + done.err
    assert (done.out + done.err).count("\n") == 1
    tree.event()
    daemon.wait_log("proposed")  # the first one goes on
    daemon.stop()
    agent.run_once()


def test_a_killed_planner_leaves_no_lock_behind(agent, tree):
    daemon = agent.start()
    daemon.kill()
    agent.run_once()


def test_commands_that_only_look_need_no_lock(agent, tree):
    tree.event()
    daemon = agent.start()
    daemon.wait_log("proposed")
    for command in (["pending"], ["status"], ["check"], ["healthcheck"], ["show", "container-restart-solaria-web"],
                    ["replay", str(tree.path / "events")]):
        agent.cmd(*command)
    agent.cmd("approve", "container-restart-solaria-web")


# ---- Signals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_it_ends_within_a_second_and_with_0_when_idle(agent, number):
    daemon = agent.start()
    assert daemon.stop(number) < 1
    assert daemon.process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
@pytest.mark.parametrize("after", [0.0, 0.02, 0.1, 0.3])
def test_it_ends_within_a_second_and_with_0_while_busy_and_nothing_is_lost(agent, tree, number, after):
    total = 500
    for n in range(total):
        tree.event(service=f"s{n}", rename=False)
    daemon = agent.start()
    time.sleep(after)
    assert daemon.stop(number) < 1
    assert daemon.process.returncode == 0
    assert tree.dot_files() == []
    agent.run_once()
    assert len(tree.actions()) == total and len(tree.audits()) == total


def test_once_ends_on_sigterm_too(agent, tree):
    for n in range(2000):
        tree.event(service=f"s{n}", rename=False)
    once = agent.start("--once", ready=False)
    once.expected_rc = (0, 75)
    wait_for("it takes signals", lambda: once.alive_or_fail() and takes(once.pid, signal.SIGTERM))
    time.sleep(0.1)
    assert once.stop() < 1
    once.check()
    agent.run_once()
    assert len(tree.actions()) == 2000 and len(tree.audits()) == 2000


def test_sighup_reloads_the_configuration(agent, tree, tmp_path):
    config = tmp_path / "env"
    config.write_text("WATCH_NODES=orion\n")
    daemon = agent.start("--env-file", str(config))
    tree.event()
    daemon.wait_log("not_watched")
    loaded = len(daemon.named("config_loaded"))
    config.write_text("WATCH_NODES=orion,solaria\n")
    daemon.send(signal.SIGHUP)
    daemon.wait_log("config_loaded", count=loaded + 1)
    tree.event()
    daemon.wait_log("proposed")


@pytest.mark.parametrize("bad", ["COOLDOWN_SECONDS=often\n", "CONFIDENCE_FLOOR=7\n", "NODE_ALIAS_MAP={broken\n",
                                 "LLM_CHAIN=nobody\n"])
def test_sighup_with_a_bad_configuration_keeps_the_old_one(agent, tree, tmp_path, bad):
    config = tmp_path / "env"
    config.write_text("WATCH_NODES=solaria\n")
    daemon = agent.start("--env-file", str(config))
    agent.env.pop("LLM_CHAIN")
    config.write_text("WATCH_NODES=nothing\n" + bad)
    before = len(daemon.logs)
    daemon.send(signal.SIGHUP)
    wait_for("an error line", lambda: [log for log in daemon.logs[before:] if log["level"] == "error"]
             or ("LLM_CHAIN" in bad and len(daemon.logs) > before))
    if "LLM_CHAIN" not in bad:  # that one is overridden by the environment
        error, = [log for log in daemon.logs[before:] if log["level"] == "error"]
        assert bad.split("=")[0] in json.dumps(error)
        tree.event()
        daemon.wait_log("proposed")


def test_sighup_with_the_file_gone_keeps_the_old_one(agent, tree, tmp_path):
    config = tmp_path / "env"
    config.write_text("WATCH_NODES=orion\n")
    daemon = agent.start("--env-file", str(config))
    config.unlink()
    daemon.send(signal.SIGHUP)
    wait_for("an error line", lambda: [log for log in daemon.logs if log["level"] == "error"])
    tree.event()
    daemon.wait_log("not_watched")


def test_sigusr1_logs_a_status_line(agent, tree):
    tree.event()
    daemon = agent.start()
    daemon.wait_log("proposed")
    before = len(daemon.named("status"))
    daemon.send(signal.SIGUSR1)
    daemon.wait_log("status", count=before + 1)
    daemon.send(signal.SIGUSR1)
    daemon.wait_log("status", count=before + 2)


def test_signals_in_a_storm_do_no_harm(agent, tree):
    daemon = agent.start()
    for n in range(200):
        daemon.send((signal.SIGUSR1, signal.SIGHUP)[n % 2])
        if n % 20 == 0:
            tree.event(service=f"s{n}")
    wait_for("all proposals", lambda: len(tree.actions()) == 10, 60)
    assert daemon.stop() < 1


# ---- Heartbeat ----------------------------------------------------------------------------------


def test_healthcheck_says_whether_the_heartbeat_is_young(agent, tree):
    agent.cmd("healthcheck", rc=1, err="")
    daemon = agent.start()
    assert tree.heartbeat.exists()
    agent.cmd("healthcheck")
    daemon.stop()
    for age, code in ((0, 0), (290, 0), (310, 1), (86400, 1)):
        now = time.time()
        os.utime(tree.heartbeat, (now - age, now - age))
        agent.cmd("healthcheck", rc=code, err="")


@pytest.mark.parametrize("limit,age,code", [(40, 5, 0), (40, 45, 1), (1000, 900, 0), (1000, 1100, 1)])
def test_healthcheck_max_age(agent, tree, limit, age, code):
    agent.run_once()
    when = time.time() - age
    os.utime(tree.heartbeat, (when, when))
    agent.cmd("healthcheck", "--max-age", str(limit), rc=code, err="")


def test_healthcheck_looks_at_the_mtime_and_not_at_the_content(agent, tree):
    tree.heartbeat.parent.mkdir(parents=True)
    tree.heartbeat.write_text(str(int(time.time())))
    os.utime(tree.heartbeat, (1e9, 1e9))
    agent.cmd("healthcheck", rc=1, err="")


def test_the_heartbeat_beats_every_heartbeat_seconds_and_writes_no_data(agent, tree):
    agent.start(env={"HEARTBEAT_SECONDS": 1})
    size = tree.heartbeat.stat().st_size
    first = tree.heartbeat.stat().st_mtime_ns
    wait_for("another beat", lambda: tree.heartbeat.stat().st_mtime_ns > first + 500_000_000)
    assert tree.heartbeat.stat().st_size == size


# ---- Logs ---------------------------------------------------------------------------------------


def test_log_level_is_the_least_that_is_told(agent, tree):
    tree.event()
    tree.raw("{broken")
    levels = {log["level"] for log in agent.run_once(env={"LOG_LEVEL": "warning"}).logs}
    assert levels == {"warning"}
    assert tree.actions()


def test_debug_says_more(agent, tree):
    agent.run_once()
    tree.event("service_healthy")
    few = len(agent.run_once(env={"LOG_LEVEL": "info"}).logs)
    tree.event("service_healthy")
    assert len(agent.run_once(env={"LOG_LEVEL": "debug"}).logs) > few


def test_log_format_text(agent, tree):
    tree.event()
    done = agent.cmd("run", "--once", env={"LOG_FORMAT": "text"})
    assert "proposed" in done.out and "container-restart-solaria-web" in done.out
    assert not done.out.startswith("{")


def test_a_decision_is_logged_with_event_and_reason(agent, tree):
    tree.event()
    log, = agent.run_once().named("proposed")
    text = json.dumps(log)
    assert "container-restart-solaria-web" in text and "solaria" in text and "service_unhealthy" in text


@pytest.mark.parametrize("how", ["/dev/full", "closed", "closed pipe"])
def test_a_log_that_cannot_be_written_does_not_stop_the_planner(agent, tree, how):
    tree.event()
    shell = {"/dev/full": '"$@" >/dev/full', "closed": '"$@" <&- >&- 2>&-',
             "closed pipe": '{ "$@"; echo $? >&3; } 3>"$CODE" | true; sleep 0.2; exit $(cat "$CODE")'}[how]
    code = tree.path.parent / "code"
    agent.cmd("run", "--once", env={"CODE": code}, prefix=["bash", "-c", shell, "bash"])
    assert tree.action()["service"] == "web"
    assert len(tree.audits()) == 1
    assert tree.dot_files() == []


def test_a_reader_of_the_log_that_stops_reading_does_not_stop_the_planner(agent, tree):
    """A full pipe: lines are dropped and counted, the work goes on."""
    process = subprocess.Popen(agent.argv(["run"], (), None), env=agent.environment({}),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        for n in range(600):
            tree.event(service=f"s{n:03d}", message="x" * 900)
        wait_for("all proposals", lambda: len(tree.actions()) == 600, 60)
    finally:
        process.terminate()
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0 and err == b""
    assert len(out) < 600 * 900
    check_logs(out, "run")


def test_a_log_line_is_bounded(agent, tree):
    tree.event(message="x" * 60000, payload="y" * 3000)
    tree.raw('{"type":"%s"}' % ("t" * 60000))
    done = agent.run_once(env={"LOG_LEVEL": "debug"})
    assert max(map(len, done.raw_out.split(b"\n"))) <= 4096


# ---- User ---------------------------------------------------------------------------------------


def test_started_as_root_it_drops_to_a_user(agent, tree):
    if os.geteuid() != 0:
        agent.cmd("run", "--once", "--user", "root", rc=(77, 78), err=".")
        return
    tree.owner = 65534
    tree.give(tree.path)
    daemon = agent.start("--user", "nobody")
    tree.event()
    daemon.wait_log("proposed")
    with open(f"/proc/{daemon.pid}/status", encoding="ascii") as status:
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
    assert set(fields["Uid"].split()) == {"65534"} and set(fields["Gid"].split()) == {"65534"}
    assert fields["Groups"].split() in ([], ["65534"])
    assert int(fields["CapEff"], 16) == int(fields["CapPrm"], 16) == 0
    assert tree.action_path("container-restart-solaria-web").stat().st_uid == 65534


@pytest.mark.parametrize("user", ["no-such-user-at-all", ""])
def test_an_unknown_user_is_refused(agent, tree, user):
    tree.event()
    agent.cmd("run", "--once", "--user", user, rc=(64, 77, 78), err=".")
    assert tree.actions() == {}


# ---- Long life ----------------------------------------------------------------------------------


def test_it_runs_as_an_ordinary_user(user_agent, tree):
    daemon = user_agent.start()
    tree.event()
    daemon.wait_log("proposed")
    user_agent.cmd("approve", "container-restart-solaria-web")
    user_agent.cmd("check")


def test_no_descriptor_is_left_open(agent, tree):
    daemon = agent.start()

    def work(first, last):
        for n in range(first, last):
            tree.event(service=f"s{n}", node=f"n{n % 3}")
            tree.jsonl(fault(service=f"l{n}"))
            tree.raw("[]")
        daemon.wait_log("proposed", count=2 * last)
        daemon.wait_log("refused", count=last)

    work(0, 10)
    before = least_opened(daemon.pid)
    work(10, 40)
    wait_for(f"{before} descriptors again", lambda: opened(daemon.pid) == before)


def test_the_tree_may_be_replaced_under_it(agent, tree):
    """Over years a directory is removed, replaced, mounted over. (Confined, it takes a new start:
    test_confinement.py.)"""
    import shutil
    daemon = agent.start("--unconfined")
    tree.event(service="a")
    daemon.wait_log("proposed")
    shutil.rmtree(tree.path / "events")
    shutil.rmtree(tree.path / "actions")
    tree.event(service="b")
    wait_for("b", lambda: "container-restart-solaria-b" in tree.actions(), 90)


def test_status_shows_the_last_decisions_ignored_ones_too(agent, tree):
    tree.event(service="a")
    agent.run_once()
    tree.event(service="a")
    tree.event("service_healthy", service="c")
    agent.run_once()
    text = agent.cmd("status").out
    assert "solaria" in text and "already_open" in text or "open" in text
    assert json.dumps(agent.status()).count("service_unhealthy") >= 1


def test_it_grows_quiet_when_nothing_happens(agent, tree):
    """What was new at the start is saved; after that no line is logged and nothing is written."""
    daemon = agent.start()

    def look():
        return len(daemon.lines), {path: entry for path, entry in tree.snapshot().items()
                                   if not path.endswith("status.json")}

    def quiet():
        before = look()
        time.sleep(2)
        return look() == before

    wait_for("two seconds of silence", quiet, 30)
