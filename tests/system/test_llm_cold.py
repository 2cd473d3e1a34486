"""A model that has yet to be loaded. A timeout, a look at what is resident, a
warm-up in the background, and what the event does meanwhile."""

import time

import pytest

from agent import wait_for
from apis import ANTHROPIC, OLLAMA, OPENAI, PS, WARM_UP
from chain import (AT_ONCE, ID, LABEL, at_once, attempts_of, hop_of, lone_agent, made, route, servers, tried,
                   value_of)
from server import MockServer
from steps import body, error, hang, html, reset, say

COLD, PAID, FREE = LABEL["ollama"], LABEL["anthropic"], LABEL["openai"]


def chats(mock):
    return [one for one in mock.asked(OLLAMA) if not one.warm_up]


def warm_ups(mock):
    return [one for one in mock.asked(OLLAMA) if one.warm_up]


def names(logs):
    return [log["event"] for log in logs if log["event"].startswith("model_")]


def waits(mock, agent):
    """The next hop costs: the event waits until the model is warm."""
    mock.cold(warm=0.5)
    done = route(made(agent), servers(mock, "ollama@3", "anthropic"))
    return done, mock


def goes_on(mock, agent):
    mock.cold(warm=60)
    return route(agent, servers(mock, "ollama@3", "openai")), mock


def does_not_wait(mock, agent):
    mock.cold(warm=60)
    return route(made(agent), servers(mock, "ollama@3", "anthropic", OLLAMA_COLD_SECONDS=0)), mock


def waits_in_vain(mock, agent):
    mock.cold(warm=60)
    return route(made(agent), servers(mock, "ollama@3", "anthropic", OLLAMA_COLD_SECONDS=1)), mock


def cannot_be_loaded(mock, agent):
    mock.cold(warm=0.2).on(WARM_UP, error(500, message="out of memory"))
    return route(made(agent), servers(mock, "ollama@3", "anthropic")), mock


def is_resident(mock, agent):
    mock.on(OLLAMA, hang())
    return route(made(agent), servers(mock, "ollama@3", "anthropic")), mock


def cannot_say(mock, agent):
    mock.cold(warm=0).on(PS, html(500))
    return route(made(agent), servers(mock, "ollama@3", "anthropic")), mock


def says_nothing(mock, agent):
    mock.cold(warm=0).on(PS, hang())
    return route(made(agent), servers(mock, "ollama@9", "anthropic")), mock


def says_nonsense(mock, agent):
    mock.cold(warm=0).on(PS, body("[]"))
    return route(made(agent), servers(mock, "ollama@3", "anthropic")), mock


def another_is_resident(mock, agent):
    mock.cold(warm=0.2).on(PS, body({"models": [{"name": "llama3.2:1b", "model": "llama3.2:1b"}]}))
    return route(made(agent), servers(mock, "ollama@3", "anthropic")), mock


def is_slow_twice(mock, agent):
    """Warm, but too slow still: it is asked once more, not for ever."""
    mock.cold(warm=0.2).on(OLLAMA, hang())
    return route(made(agent), servers(mock, "ollama@3", "anthropic")), mock


def paid_hop_later(mock, agent):
    """The next hop is free, and comes first."""
    mock.cold(warm=60).on(OPENAI, error(400))
    return route(made(agent), servers(mock, "ollama@3", "openai", "anthropic")), mock


def last_hop(mock, agent):
    mock.cold(warm=60)
    return route(agent, servers(mock, "ollama@3"), rc=69), mock


CASES = [waits, goes_on, does_not_wait, waits_in_vain, cannot_be_loaded, is_resident, cannot_say, says_nothing,
         says_nonsense, another_is_resident, is_slow_twice, paid_hop_later, last_hop]


@pytest.fixture(scope="module")
def ran(program, tmp_path_factory):
    """All at once, for all of them wait."""
    directory = tmp_path_factory.mktemp("cold")

    def run(case):
        def one():
            with MockServer() as mock:
                return case(mock, lone_agent(program, directory / case.__name__))
        return one

    found = at_once({case: run(case) for case in CASES}, workers=len(CASES))
    return lambda case: value_of(found[case])


def test_where_the_next_hop_costs_the_event_waits_and_asks_once_more(ran):
    done, mock = ran(waits)
    assert done.tried == [(COLD, "timeout"), (COLD, "success")]
    assert [request.path for request in mock.requests] == [OLLAMA, PS, OLLAMA, OLLAMA]
    assert [request.warm_up for request in mock.requests] == [False, False, True, False]
    assert names(done.logs) == ["model_warming", "model_warm"] and 3.4 < done.seconds < 20
    warm = warm_ups(mock)[0].json
    assert (warm["messages"], warm["keep_alive"], warm["model"]) == ([], "10m", "qwen2.5:7b")
    assert warm.get("options", {}).get("num_ctx") == chats(mock)[0].json["options"]["num_ctx"], "else it is loaded anew"
    assert mock.asked(ANTHROPIC) == [] and mock.complaints == []


def test_where_the_next_hop_is_free_it_goes_on(ran):
    done, mock = ran(goes_on)
    assert done.tried == [(COLD, "timeout"), (FREE, "success")] and done.seconds < 20
    assert names(done.logs)[0] == "model_warming" and len(warm_ups(mock)) <= 1 == len(chats(mock))


def test_it_waits_no_longer_than_it_may_and_asks_once_more_all_the_same(ran):
    done, mock = ran(waits_in_vain)
    assert done.tried == [(COLD, "timeout"), (COLD, "timeout"), (PAID, "success")]
    assert 7 <= done.seconds < 20 and len(chats(mock)) == 2 and len(warm_ups(mock)) == 1


def test_where_it_may_not_wait_it_pays(ran):
    done, mock = ran(does_not_wait)
    assert done.tried == [(COLD, "timeout"), (PAID, "success")]
    assert done.seconds < 20 and len(chats(mock)) == 1 and names(done.logs)[0] == "model_warming"


def test_a_model_that_cannot_be_loaded(ran):
    done, mock = ran(cannot_be_loaded)
    assert done.tried[0] == (COLD, "timeout") and done.tried[-1] == (PAID, "success") and len(chats(mock)) == 1
    told = next(log for log in done.logs if log["event"] == "model_not_warmed")
    assert told["level"] == "warning" and "out of memory" in told["error"] and done.seconds < 20


@pytest.mark.parametrize("case", [is_resident, cannot_say, says_nothing, says_nonsense])
def test_unless_it_says_that_the_model_is_not_there_nothing_is_warmed(ran, case):
    done, mock = ran(case)
    assert done.tried == [(COLD, "timeout"), (PAID, "success")]
    assert warm_ups(mock) == [] and len(mock.asked(PS)) == 1 and names(done.logs) == []
    assert done.seconds < (17 if case is says_nothing else 11), "the look takes a second, and not the hop's limit"


def test_another_model_in_memory_is_not_ours(ran):
    done, mock = ran(another_is_resident)
    assert done.tried == [(COLD, "timeout"), (COLD, "success")] and len(warm_ups(mock)) == 1


def test_it_is_asked_once_more_and_not_for_ever(ran):
    done, mock = ran(is_slow_twice)
    assert done.tried == [(COLD, "timeout"), (COLD, "timeout"), (PAID, "success")]
    assert len(chats(mock)) == 2 and len(warm_ups(mock)) == 1


def test_only_the_very_next_hop_decides(ran):
    done, mock = ran(paid_hop_later)
    assert done.tried[:2] == [(COLD, "timeout"), (FREE, "http_error")] and done.tried[-1] == (PAID, "success")
    assert len(chats(mock)) == 1 and done.seconds < 20


def test_there_is_nothing_to_save_behind_the_last_hop(ran):
    done, mock = ran(last_hop)
    assert done.tried == [(COLD, "timeout")] and done.seconds < 20 and len(chats(mock)) == 1


@pytest.mark.parametrize("step", [error(400), reset(), say("no")], ids=["http_error", "network_error", "invalid_json"])
def test_only_a_timeout_makes_it_look(agent, mock, step):
    mock.on(OLLAMA, step).on(PS, body({"models": []}))
    done = route(made(agent), servers(mock, "ollama@20", "anthropic"))
    assert done.tried[-1] == (PAID, "success") and mock.paths == [OLLAMA, ANTHROPIC] and names(done.logs) == []


def test_a_server_that_was_not_reached_is_not_looked_at(agent, mock):
    with MockServer(full=True) as server:
        done = route(made(agent), servers(mock, "ollama@1", "anthropic", OLLAMA_API_BASE=server.url))
    assert done.tried == [(COLD, "timeout"), (PAID, "success")] and names(done.logs) == []
    # Between the attempts, by its own clock: however late it came to its turn, that counts to one of them.
    between = done.json["total_latency_ms"] - sum(one["latency_ms"] for one in done.attempts)
    assert between < 900, "no look that would take another second"


def test_a_daemon_warms_it_in_the_background_and_closes_the_breaker(agent, tree, mocks):
    """Three timeouts open the breaker; the warm-up that succeeds closes it."""
    cold, spare = mocks().cold(warm=60), mocks()
    daemon = agent.start(env={**servers(spare, "ollama@3", "openai", LLM_CONCURRENCY=3), "OLLAMA_API_BASE": cold.url})
    for service in "abc":
        tree.event(service=service)
    daemon.wait_log("proposed", count=3)
    wait_for("the warm-up", lambda: warm_ups(cold))
    tree.event(service="d")
    daemon.wait_log("proposed", count=4)
    assert attempts_of(daemon.logs, "solaria/d") == [(COLD, "breaker_open"), (FREE, "success")]
    assert len(chats(cold)) == 3, "nobody waits for it behind a free hop"
    cold.loaded.set()
    daemon.wait_log("model_warm")
    assert len(warm_ups(cold)) == 1, "one warm-up serves them all"
    tree.event(service="e")
    daemon.wait_log("proposed", count=5)
    assert attempts_of(daemon.logs, "solaria/e") == [(COLD, "success")]
    daemon.stop()
    assert hop_of(agent.status(), COLD)["breaker"] == "closed"
    assert [log["event"] for log in daemon.logs if "breaker" in log["event"]] == ["breaker_opened", "breaker_closed"]


def test_all_events_wait_for_one_warm_up(agent, tree, mock):
    mock.cold(warm=1.0)
    daemon = agent.start(env=servers(mock, "ollama@3", "anthropic", LLM_CONCURRENCY=2))
    for service in "abcd":
        tree.event(service=service)
    daemon.wait_log("proposed", count=4)
    assert len(warm_ups(mock)) == 1 and mock.asked(ANTHROPIC) == []
    models = {one["details"]["model"] for one in tree.actions().values()}
    assert models == {COLD} and len(chats(mock)) <= 6


def test_the_daemon_ends_at_once_while_it_waits_for_a_model(agent, tree, mock):
    mock.cold(warm=60)
    daemon = agent.start(env=servers(mock, "ollama@3", "anthropic"))
    tree.event()
    wait_for("the warm-up", lambda: warm_ups(mock))
    time.sleep(0.2)
    assert daemon.stop() < AT_ONCE and tree.actions() == {}
    mock.loaded.set()
    agent.run_once(env=servers(mock, "ollama@20", "anthropic"))
    assert tried(tree.action(ID)["details"]["attempts"]) == [(COLD, "success")]
