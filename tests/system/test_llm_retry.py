"""PROVIDERS.md, the table of statuses: which are tried once more, how long is waited before, and what
becomes of the hop. Each case waits for half a second to eight, so that they run beside each other."""

import pytest

from chain import BASE, KEY, LABEL, PATH, PROVIDERS, SPARE, at_once, lone_agent, route, servers, value_of
from server import MockServer
from steps import error, hang, html, http_date, proposal, refusal, reset, say

SOON = [408, 409, 500, 502, 503, 504, *range(520, 527), 529]
NEVER = [300, 305, 400, 413, 405, 406, 410, 418, 421, 422, 501, 505, 507, 599, 204]
OPERATOR = [401, 402, 403, 404]
SPEND = "This request would exceed your organization's limit (enforced_spend_limit_reached)."

AT_MOST = 5  # seconds; so much later than it should be a request may come from a busy machine
CASES = {}


def case(name, provider, steps, seconds=20):
    CASES[name] = (provider, steps, seconds)
    return name


GOOD = proposal()
RECOVERS = [case(f"{status} once", "anthropic", [error(status), GOOD]) for status in SOON]
RECOVERS += [case(f"{provider}: {status} once", provider, [error(status), GOOD])
             for provider in ("ollama", "openai") for status in (500, 503)]
RECOVERS += [case("HTML with status 502, once", "anthropic", [html(502), GOOD])]
STAYS = [case(f"{status} for ever", "anthropic", [error(status)]) for status in (500, 503, 529)]
STAYS += [case(f"{provider}: 503 for ever", provider, [error(503)]) for provider in ("ollama", "openai")]
ONCE = [case(f"{status}, not again", "anthropic", [error(status)]) for status in NEVER + OPERATOR]
ONCE += [case(f"{provider}: {status}, not again", provider, [error(status)])
         for provider in ("ollama", "openai") for status in (400, 401, 404)]
SPENT = [case("429 and no money", "anthropic", [error(429, message=SPEND), GOOD])]
# The pause is half a second at least, and the retry has a second.
NO_ROOM = [case(f"{provider}: no time for a retry", provider, [error(503).delay(0.6), GOOD], 2)
           for provider in PROVIDERS]
NO_FAULT = [case(f"{provider}: {name}, not again", provider, [step, GOOD]) for provider in PROVIDERS
            for name, step in (("refusal", refusal()), ("invalid", say("no")), ("reset", reset()))]
TIMEOUT = [case(f"{provider}: timeout, not again", provider, [hang(), GOOD], 3) for provider in PROVIDERS]
STAYS += [case("429 for ever", "anthropic", [error(429, retry_after="0.6")])]
# Longer than what would be waited where nothing is named: 8 seconds at most.
WAITED = [case("retry-after 9", "anthropic", [error(429, retry_after=9), GOOD]),
          case("retry-after 9.25", "anthropic", [error(429, retry_after="9.25"), GOOD]),
          case("openai: retry-after 9", "openai", [error(429, retry_after=9), GOOD])]
DATED = [case("retry-after a date", "anthropic", [lambda _: error(429, retry_after=http_date(12)), GOOD], 30)]
# Half a second, where 0.5 to 8 would be waited if nothing were named: so several of them.
AT_ONCE = [case(f"retry-after 0, {number}", "anthropic", [error(429, retry_after=0), GOOD]) for number in range(4)]
TOO_LONG = [case("retry-after 60", "anthropic", [error(429, retry_after=60), GOOD]),
            case("retry-after a late date", "anthropic", [lambda _: error(429, retry_after=http_date(600)), GOOD]),
            case("retry-after past all bounds", "anthropic", [error(429, retry_after="9" * 40), GOOD]),
            case("ollama: retry-after 60", "ollama", [error(429, retry_after=60), GOOD])]
NOT_NAMED = [case("429 alone", "anthropic", [error(429), GOOD]),
             case("429 and a retry-after that says nothing", "anthropic", [error(429, retry_after="soon"), GOOD])]
SECOND_TIME = [case("then a refusal", "anthropic", [error(529), refusal(), GOOD]),
               case("then a reset", "openai", [error(500), GOOD.close("head"), GOOD])]


class Ran:
    def __init__(self, done, requests):
        self.done, self.requests = done, requests
        # From an answer to the next request: from before it is sent, for that is read at once, whenever
        # the thread that sent it goes on.
        self.gaps = [two.at - one.began for one, two in zip(requests, requests[1:])]


@pytest.fixture(scope="module")
def ran(program, tmp_path_factory):
    directory = tmp_path_factory.mktemp("retry")

    def run(number, provider, steps, seconds):
        def one():
            with MockServer() as server, MockServer() as spare:
                server.on(PATH[provider], *steps)
                env = servers(spare, f"{provider}@{seconds}", SPARE[provider])
                env[BASE[provider]] = server.url
                done = route(lone_agent(program, directory / str(number)), env)
                assert server.complaints == []
                return Ran(done, server.asked(PATH[provider]))
        return one

    cases = {name: run(number, *how) for number, (name, how) in enumerate(CASES.items())}
    # The longest first. Where half a second matters, few run beside each other.
    first = {name: cases[name] for name in DATED + WAITED}
    last = {name: cases.pop(name) for name in NO_ROOM}
    found = {**at_once({**first, **cases}, workers=24), **at_once(last, workers=2)}
    return lambda name: (value_of(found[name]), LABEL[CASES[name][0]], LABEL[SPARE[CASES[name][0]]])


@pytest.mark.parametrize("name", RECOVERS + NOT_NAMED)
def test_it_is_tried_once_more(ran, name):
    one, label, _ = ran(name)
    assert one.done.tried == [(label, "http_error"), (label, "success")]
    assert len(one.requests) == 2 and 0.49 <= one.gaps[0] <= 8 + AT_MOST
    assert one.done.json["metrics"][label]["success"] == 1 and one.done.json["metrics"][label]["error"] == 1
    assert one.done.named("breaker_opened") == one.done.named("hop_needs_operator") == []


@pytest.mark.parametrize("name", STAYS)
def test_but_not_a_third_time(ran, name):
    one, label, spare = ran(name)
    assert one.done.tried == [(label, "http_error"), (label, "http_error"), (spare, "success")]
    assert len(one.requests) == 2


@pytest.mark.parametrize("name", ONCE + NO_ROOM)
def test_these_are_not_tried_again(ran, name):
    one, label, spare = ran(name)
    assert one.done.tried == [(label, "http_error"), (spare, "success")]
    assert len(one.requests) == 1 and one.done.attempts[0]["latency_ms"] < 10000 and one.done.seconds < 18


@pytest.mark.parametrize("name", NO_FAULT + TIMEOUT)
def test_nor_is_what_is_no_status(ran, name):
    one, label, spare = ran(name)
    assert [model for model, _ in one.done.tried] == [label, spare] and len(one.requests) == 1


@pytest.mark.parametrize("name", [*(f"{status}, not again" for status in OPERATOR), *SPENT])
def test_a_fault_of_the_configuration_is_loud(ran, name):
    one, label, _ = ran(name)
    assert len(one.requests) == 1
    told = one.done.named("hop_needs_operator")
    assert len(told) == 1 and (told[0]["level"], told[0]["model"]) == ("error", label)
    assert told[0]["advice"] and KEY not in str(told)
    opened = one.done.named("breaker_opened")
    assert len(opened) == 1 and opened[0]["for_ms"] >= 3600 * 1000


@pytest.mark.parametrize("name", WAITED)
def test_a_named_wait_is_waited(ran, name):
    one, label, _ = ran(name)
    assert one.done.tried == [(label, "http_error"), (label, "success")]
    named = 9.25 if "9.25" in name else 9.0
    assert named - 0.01 <= one.gaps[0] <= named + AT_MOST


def test_a_date_is_waited_for(ran):
    one, label, _ = ran(DATED[0])
    assert one.done.tried == [(label, "http_error"), (label, "success")]
    assert 8.5 <= one.gaps[0] <= 12 + AT_MOST


def test_at_once_is_not_at_once(ran):
    for name in AT_ONCE:
        one, label, _ = ran(name)
        assert one.done.tried == [(label, "http_error"), (label, "success")] and 0.49 <= one.gaps[0] <= 3


@pytest.mark.parametrize("name", TOO_LONG)
def test_a_wait_that_does_not_fit_leaves_the_hop_alone_for_so_long(ran, name):
    one, label, spare = ran(name)
    assert one.done.tried == [(label, "http_error"), (spare, "success")]
    assert len(one.requests) == 1 and one.done.seconds < 18
    opened = one.done.named("breaker_opened")
    low, high = (3600e3, 25 * 3600e3) if "bounds" in name else (590e3, 601e3) if "late" in name else (59e3, 60e3)
    assert len(opened) == 1 and low <= opened[0]["for_ms"] <= high


def test_after_a_retry_the_rest_is_as_ever(ran):
    one, label, spare = ran("then a refusal")
    assert one.done.tried == [(label, "http_error"), (label, "refusal"), (spare, "success")]
    one, label, spare = ran("then a reset")
    assert one.done.tried == [(label, "http_error"), (label, "network_error"), (spare, "success")]
    assert len(one.requests) == 2


def test_the_message_of_the_server_is_told_but_for_the_key(program, tmp_path, mock):
    agent = lone_agent(program, tmp_path / "lone")
    mock.on(PATH["anthropic"], error(400, message="output_config: unknown field"))
    done = route(agent, servers(mock, "anthropic"), rc=69)
    assert "output_config: unknown field" in done.attempts[0]["error"]
    mock.on(PATH["anthropic"], error(401, message=f"invalid x-api-key: {KEY}"))
    route(agent, servers(mock, "anthropic"), rc=69)  # looks for the key everywhere
    mock.on(PATH["anthropic"], error(400, message="\x1b[2Jgone\u202e\x00" + "x" * 5000))
    done = route(agent, servers(mock, "anthropic"), rc=69)
    assert len(done.attempts[0]["error"]) <= 255
