"""CLOUD_CALLS_PER_DAY: what is counted, when, and that nothing makes more paid calls than that."""

import signal

import pytest

from agent import begin_on_one_day, utc_day
from apis import ANTHROPIC, OLLAMA, OPENAI
from chain import ID, LABEL, at_once, attempts_of, made, paid_calls, route, servers, tried, value_of
from steps import error, hang, proposal, refusal, reset, say
from test_disk_faults import small  # noqa: F401

HAIKU, SONNET, SPARE = LABEL["anthropic"], LABEL["sonnet"], (LABEL["openai"], "success")
AGAIN = error(429, retry_after=0)  # is tried once more after half a second
OVER = "over_budget"


@pytest.fixture(autouse=True)
def one_day():
    """No test here has midnight within."""
    begin_on_one_day()


def file_of(tree):
    return tree.state / "paid_calls"


def counted(day, calls):
    """The counter's file, as the planner writes it."""
    return f'{{"kind":"paid_calls","version":1}}\n{{"day":"{day}","calls":{calls}}}\n{{"lines":1}}\n'


@pytest.mark.parametrize("limit", [0, 1, 2, 4])
def test_no_more_calls_than_are_allowed(agent, tree, mock, limit):
    for service in "abc":
        tree.event(service=service)
    agent.run_once(env=servers(mock, "anthropic", "openai", CLOUD_CALLS_PER_DAY=limit))
    paid = min(limit, 3)
    assert len(mock.asked(ANTHROPIC)) == paid == paid_calls(tree)
    models = sorted(one["details"]["model"] for one in tree.actions().values())
    assert models == sorted(paid * [HAIKU] + (3 - paid) * [LABEL["openai"]])
    assert agent.status()["planner"]["paid_calls"] == {"today": paid, "allowed_a_day": limit}


def test_both_paid_hops_draw_on_it(agent, mock):
    mock.on(ANTHROPIC, refusal(), model="claude-haiku-4-5")
    env = servers(mock, "anthropic", "sonnet", "openai")
    done = route(made(agent), {**env, "CLOUD_CALLS_PER_DAY": 1})
    assert done.tried == [(HAIKU, "refusal"), (SONNET, OVER), SPARE] and paid_calls(agent.tree) == 1
    done = route(agent, {**env, "CLOUD_CALLS_PER_DAY": 3})
    assert done.tried == [(HAIKU, "refusal"), (SONNET, "success")] and paid_calls(agent.tree) == 3
    done = route(agent, {**env, "CLOUD_CALLS_PER_DAY": 3})
    assert done.tried == [(HAIKU, OVER), (SONNET, OVER), SPARE]
    assert len(mock.asked(ANTHROPIC)) == 3


def test_a_retry_is_a_call_too(agent, mocks):
    mock = mocks().on(ANTHROPIC, AGAIN, proposal())
    done = route(made(agent), servers(mock, "anthropic@20", CLOUD_CALLS_PER_DAY=2))
    assert done.tried == [(HAIKU, "http_error"), (HAIKU, "success")] and paid_calls(agent.tree) == 2
    mock.on(ANTHROPIC, AGAIN, proposal())
    done = route(agent, servers(mock, "anthropic@20", "openai", CLOUD_CALLS_PER_DAY=3))
    assert done.tried == [(HAIKU, "http_error"), (HAIKU, OVER), SPARE]
    assert paid_calls(agent.tree) == 3 == len(mock.asked(ANTHROPIC))


@pytest.mark.parametrize("reset_it", [False, True])
def test_a_connection_that_dies_makes_no_call_that_is_not_counted(agent, tree, mock, reset_it):
    """What was read by the server and not answered may have been paid for."""
    mock.on(ANTHROPIC, proposal().then_drop(reset_it))
    for service in "abcd":
        tree.event(service=service)
    agent.run_once(env=servers(mock, "anthropic", "openai", CLOUD_CALLS_PER_DAY=3))
    assert len(mock.asked(ANTHROPIC)) == 3 == paid_calls(tree)


def test_nor_does_one_that_served_a_free_call(agent, mock):
    mock.on(OPENAI, say("no").then_drop())
    done = route(made(agent), servers(mock, "openai", "anthropic"))
    assert done.tried == [(LABEL["openai"], "invalid_json"), (HAIKU, "success")]
    assert len(mock.asked(ANTHROPIC)) == 1 and not mock.asked(ANTHROPIC)[0].reused


@pytest.mark.parametrize("step", [reset(), error(400), say("no"), proposal(confidence=3)],
                         ids=["network_error", "http_error", "invalid_json", "schema_error"])
def test_a_call_in_vain_is_counted(agent, mock, step):
    mock.on(ANTHROPIC, step)
    route(made(agent), servers(mock, "anthropic", "openai"))
    assert paid_calls(agent.tree) == 1


def test_what_is_free_is_not_counted(agent, tree, mock):
    mock.on(OLLAMA, refusal())
    tree.event()
    agent.run_once(env=servers(mock, "ollama", "openai", CLOUD_CALLS_PER_DAY=0))
    assert tree.action(ID)["details"]["model"] == LABEL["openai"] and paid_calls(tree) == 0


def test_route_and_run_share_it(agent, tree, mock):
    env = servers(mock, "anthropic", "openai", CLOUD_CALLS_PER_DAY=2)
    assert route(made(agent), env).tried[0] == (HAIKU, "success")
    tree.event(service="a")
    agent.run_once(env=env)
    tree.event(service="b")
    agent.run_once(env=env)
    assert route(agent, env).tried == [(HAIKU, OVER), SPARE]
    assert len(mock.asked(ANTHROPIC)) == 2 == paid_calls(tree)


def test_in_a_tree_that_no_planner_was_in_it_is_counted_too(agent, tree, mock):
    env = servers(mock, "anthropic", "openai", CLOUD_CALLS_PER_DAY=1)
    assert route(agent, env).tried == [(HAIKU, "success")] and paid_calls(tree) == 1
    assert route(agent, env).tried == [(HAIKU, OVER), SPARE]


def test_it_stands_on_disk_before_the_call_is_made(agent, tree, mock):
    seen = []

    def step(_request):
        seen.append(paid_calls(tree))
        return proposal()

    mock.on(ANTHROPIC, step)
    made(agent)
    for _ in range(3):
        route(agent, servers(mock, "anthropic"))
    assert seen == [1, 2, 3]


def test_a_kill_amid_the_call_leaves_it_counted_and_a_crash_loop_spends_no_more(agent, tree, mock):
    mock.on(ANTHROPIC, hang())
    tree.event()
    env = servers(mock, "anthropic@60", "openai", CLOUD_CALLS_PER_DAY=3)
    mock.on(OPENAI, hang())
    for start in range(1, 7):
        daemon = agent.start(env=env, ready=False)
        if start <= 3:
            mock.wait_requests(start, ANTHROPIC)
            assert paid_calls(tree) == start
        else:
            mock.wait_requests(start - 3, OPENAI)
        daemon.kill()
    assert len(mock.asked(ANTHROPIC)) == 3 == paid_calls(tree)
    mock.on(OPENAI, proposal())
    agent.run_once(env=env)
    assert tried(tree.action(ID)["details"]["attempts"]) == [(HAIKU, OVER), SPARE]


def test_many_at_once_make_no_more_calls_either(agent, mock):
    made(agent)
    env = servers(mock, "anthropic", "openai", CLOUD_CALLS_PER_DAY=5)
    found = at_once({number: lambda: route(agent, env) for number in range(12)})
    models = [value_of(one).json["model_used"] for one in found.values()]
    assert len(mock.asked(ANTHROPIC)) == models.count(HAIKU) <= 5
    assert paid_calls(agent.tree) == len(mock.asked(ANTHROPIC)) and len(models) == 12


def test_a_new_day_has_calls_again(agent, tree, mock):
    made(agent)
    file_of(tree).write_text(counted(utc_day(-86400), 50))
    assert route(agent, servers(mock, "anthropic")).tried == [(HAIKU, "success")]
    assert paid_calls(tree) == 1
    file_of(tree).write_text(counted(utc_day(), 50))
    assert route(agent, servers(mock, "anthropic"), rc=69).tried == [(HAIKU, OVER)]


DAMAGED = {"empty": "", "garbage": "\0\1\2" * 50, "no end": counted("2026-01-01", 1)[:-14],
           "another count": counted("2026-01-01", "x"), "negative": counted("2026-01-01", -5),
           "no day": counted("2026-13-40", 1), "other JSON": "[1,2,3]\n", "huge": "9" * 200000}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_count_pays_for_nothing(agent, tree, mock, name):
    made(agent)
    file_of(tree).write_text(DAMAGED[name])
    for _ in range(2):
        assert route(agent, servers(mock, "anthropic", "openai")).tried == [(HAIKU, OVER), SPARE]
    tree.event()
    agent.run_once(env=servers(mock, "anthropic", "openai"))
    assert tree.action(ID)["details"]["model"] == LABEL["openai"] and mock.asked(ANTHROPIC) == []


@pytest.mark.parametrize("how", ["a directory", "a symlink"])
def test_a_count_that_cannot_be_written_pays_for_nothing(agent, tree, mock, tmp_path, how):
    made(agent)
    if how == "a directory":
        file_of(tree).mkdir()
        (file_of(tree) / "x").touch()
    else:
        (tmp_path / "elsewhere").write_text(counted(utc_day(), 1))
        file_of(tree).symlink_to(tmp_path / "elsewhere")
    done = route(agent, servers(mock, "anthropic", "openai", CLOUD_CALLS_PER_DAY=9))
    if how == "a directory" or done.tried[0][1] == OVER:
        assert done.tried == [(HAIKU, OVER), SPARE] and mock.asked(ANTHROPIC) == []
        assert done.attempts[0]["error"]
    else:
        assert file_of(tree).is_file() and not file_of(tree).is_symlink()
    if how == "a symlink":
        assert (tmp_path / "elsewhere").read_text() == counted(utc_day(), 1)


def test_a_state_that_cannot_be_written_pays_for_nothing(user_agent, mock):
    made(user_agent)
    state = user_agent.tree.state
    state.chmod(0o555)
    try:
        done = route(user_agent, servers(mock, "anthropic", "openai"))
    finally:
        state.chmod(0o755)
    assert done.tried == [(HAIKU, OVER), SPARE] and "ermission" in done.attempts[0]["error"]


@pytest.mark.parametrize("limit", ["-1", "x", "1.5", "1000001"])
def test_a_limit_that_is_none_is_a_mistake(agent, tree, mock, limit):
    tree.event()
    env = servers(mock, "anthropic", CLOUD_CALLS_PER_DAY=limit)
    agent.run_once(rc=78, env=env, err="CLOUD_CALLS_PER_DAY")
    assert mock.requests == []


# ---- No cloud ----

def test_local_only_leaves_the_cloud_out(agent, tree, mock):
    mock.on(OLLAMA, refusal())
    tree.event()
    done = agent.run_once(rc=75, env=servers(mock, "ollama", "anthropic", "sonnet", LOCAL_ONLY=1))
    assert mock.paths == [OLLAMA] and paid_calls(tree) == 0
    skipped = done.named("hop_skipped")
    assert {log["hop"] for log in skipped} == {HAIKU, SONNET} and all("LOCAL_ONLY" in log["reason"] for log in skipped)
    assert attempts_of(done.logs) == [(LABEL["ollama"], "refusal")]


def test_without_a_key_there_is_no_such_hop(agent, tree, mock):
    tree.event()
    env = servers(mock, "anthropic", "openai", ANTHROPIC_API_KEY=None)
    done = agent.run_once(env=env)
    assert mock.paths == [OPENAI]
    assert [(log["hop"], "ANTHROPIC_API_KEY" in log["reason"]) for log in done.named("hop_skipped")] == [(HAIKU, True)]
    assert tried(tree.action(ID)["details"]["attempts"]) == [SPARE]


def test_a_chain_that_nobody_can_be_asked_of_is_told_loudly(agent, tree, mock):
    tree.event()
    done = agent.run_once(rc=75, env=servers(mock, "anthropic", "sonnet", ANTHROPIC_API_KEY=None))
    assert [log["level"] for log in done.named("chain_is_empty")] == ["error"] and mock.requests == []
    assert "no hop that can be asked" in done.named("chain_failed")[0]["reason"]


def test_without_a_base_there_is_no_such_hop(agent, tree, mock):
    tree.event()
    done = agent.run_once(env=servers(mock, "openai", "ollama", OPENAI_API_BASE=None))
    assert mock.paths == [OLLAMA] and "OPENAI_API_BASE" in done.named("hop_skipped")[0]["reason"]


# ---- What cannot be written is not asked for ----

def test_no_model_is_asked_where_the_proposal_could_not_be_written(user_agent, mock):
    tree = user_agent.tree
    made(user_agent)
    tree.event()
    env = servers(mock, "anthropic", "openai", "ollama")
    (tree.path / "actions" / "pending").chmod(0o555)
    done = user_agent.run_once(rc=75, env=env)
    assert mock.requests == [] and paid_calls(tree) == 0 and len(done.named("write_failed")) == 1
    (tree.path / "actions" / "pending").chmod(0o755)
    user_agent.run_once(env=env)
    assert list(tree.actions()) == [ID] and mock.paths == [ANTHROPIC]


def test_no_model_is_asked_on_a_full_disk(small, mock):  # noqa: F811
    env = servers(mock, "anthropic", "openai")
    small.run_once(env=env)
    small.tree.event()
    daemon = small.start(env=env)
    daemon.wait_log("proposed")  # there was room
    daemon.stop()
    small.tree.clear_pending()
    small.tree.event(service="b")
    asked = len(mock.requests)
    small.disk.fill()
    done = small.run_once(rc=(75, 73, 74), env=env, err="")
    small.disk.free()
    assert len(mock.requests) == asked, "a model was asked"
    assert done.named("write_failed")
    small.run_once(env=env)
    assert "container-restart-solaria-b" in small.tree.actions()


# ---- A question that starts anew ----

def test_no_paid_retry_after_a_reload_amid_the_chain(agent, tree, mock):
    """A reload asks anew; what was paid for in vain is not paid for again."""
    mock.on(ANTHROPIC, refusal()).on(OPENAI, hang(), proposal())
    daemon = agent.start(env=servers(mock, "anthropic@30", "openai@30"))
    tree.event()
    mock.wait_requests(1, OPENAI)
    daemon.send(signal.SIGHUP)
    daemon.wait_log("proposed")
    assert len(mock.asked(ANTHROPIC)) == 1
    assert tried(tree.action(ID)["details"]["attempts"]) == [(HAIKU, OVER), SPARE]
