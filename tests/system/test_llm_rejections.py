"""Each way to reject a hop, for each provider, and the next hop answers."""

import json
import re

import pytest

from agent import begin_on_one_day
from apis import ANTHROPIC, OLLAMA, OPENAI
from chain import (BASE, ID, LABEL, PATH, PROVIDERS, SPARE, attempts_of, hop_of, hosts, made, paid_calls, route,
                   servers, tried)
from steps import (body, error, fenced, hang, null_content, proposal, prose, proposal_text, refusal, reset, say,
                   truncated)

# outcome: what the server does, the status and the error that are told
WAYS = {
    "timeout": (hang(), None, r"no answer within 3 s \(waiting for the answer\)"),
    "network_error": (reset(), None, r"."),
    "http_error": (error(400, message="no such thing"), 400, r"HTTP 400.*no such thing"),
    "refusal": (refusal(), 200, r"I cannot"),
    "invalid_json": (say("restart it, please"), 200, r"no JSON object"),
    "schema_error": (proposal(confidence=1.5), 200, r"confidence"),
    "truncated": (truncated(), 200, r"cut off"),
}
FAULTS = ("timeout", "network_error", "http_error")


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("outcome", WAYS)
def test_a_rejected_hop_and_the_next_one_answers(agent, tree, mock, provider, outcome):
    step, status, words = WAYS[outcome]
    begin_on_one_day()
    first, spare = LABEL[provider], LABEL[SPARE[provider]]
    mock.on(PATH[provider], step)
    tree.event()
    limit = 3 if outcome == "timeout" else 20
    done = agent.run_once(env=servers(mock, f"{provider}@{limit}", SPARE[provider]))

    action = tree.action(ID)
    details = action["details"]
    assert (action["type"], details["model"]) == ("container_restart", spare)
    assert tried(details["attempts"]) == [(first, outcome), (spare, "success")]
    rejected, taken = details["attempts"]
    assert rejected.get("status") == status and taken["status"] == 200 and "error" not in taken
    assert rejected["latency_ms"] >= (3000 if outcome == "timeout" else 0) and taken["latency_ms"] < 3000
    assert next(iter(tree.audits().values()))["payload"]["model"] == spare

    logs = done.named("llm_attempt")
    assert attempts_of(logs) == tried(details["attempts"])
    assert [log["level"] for log in logs] == ["warning", "info"]
    assert logs[0].get("status") == status and logs[0]["error"] == rejected["error"]
    assert re.search(words, rejected["error"]), rejected

    hops = agent.status()["planner"]
    counted = "error" if outcome in FAULTS else "fallback"
    rest = {"success": 0, "fallback": 0, "error": 0}
    one, two = hop_of({"planner": hops}, first), hop_of({"planner": hops}, spare)
    assert {name: one[name] for name in rest} == {**rest, counted: 1}
    assert {name: two[name] for name in rest} == {**rest, "success": 1}
    assert (two["input_tokens"], two["output_tokens"], one["breaker"], two["breaker"]) == (812, 47, "closed", "closed")
    assert hops["paid_calls"]["today"] == (1 if provider == "anthropic" else 0)
    assert hops["counters"]["proposed"] == 1 and hops["counters"]["chain_failed"] == 0


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_open_breaker(agent, tree, mock, mocks, provider):
    bad = mocks().on(PATH[provider], reset())
    for service in "abcd":
        tree.event(service=service)
    done = agent.run_once(env={**servers(mock, f"{provider}@20", SPARE[provider]), BASE[provider]: bad.url})
    first, spare = LABEL[provider], (LABEL[SPARE[provider]], "success")
    found = [tried(one["details"]["attempts"]) for one in tree.actions().values()]
    assert sorted(found) == [[(first, "breaker_open"), spare]] + 3 * [[(first, "network_error"), spare]]
    assert len(bad.requests) == 3 and len(mock.requests) == 4
    opened = done.named("breaker_opened")
    assert len(opened) == 1 and (opened[0]["level"], opened[0]["model"]) == ("warning", first)
    assert 25000 <= opened[0]["for_ms"] <= 30000
    held = next(one for one in done.named("breaker_open") if one["event"] == "llm_attempt")
    assert held["latency_ms"] == 0 and "status" not in held
    hop = hop_of(agent.status(), first)
    assert (hop["breaker"], hop["error"]) == ("open", 3) and hop["open_until"]


def test_over_the_budget(agent, tree, mock):
    tree.event()
    done = agent.run_once(env=servers(mock, "anthropic", "openai", CLOUD_CALLS_PER_DAY=0))
    attempts = tree.action(ID)["details"]["attempts"]
    assert tried(attempts) == [(LABEL["anthropic"], "over_budget"), (LABEL["openai"], "success")]
    assert "CLOUD_CALLS_PER_DAY is 0" in attempts[0]["error"] and "status" not in attempts[0]
    assert mock.paths == [OPENAI] and paid_calls(tree) == 0
    assert attempts_of(done.logs)[0] == (LABEL["anthropic"], "over_budget")
    hop = hop_of(agent.status(), LABEL["anthropic"])
    assert (hop["success"], hop["fallback"], hop["error"], hop["breaker"]) == (0, 0, 0, "closed")


@pytest.mark.parametrize("provider", ["ollama", "openai"])
def test_over_the_budget_are_all_servers_that_are_not_local(agent, mocks, tmp_path, provider):
    far = mocks(name="models.test")
    near = mocks()
    begin_on_one_day()
    with hosts(tmp_path, **{"models.test": "127.0.0.1"}) as prefix:
        env = {**servers(near, provider, SPARE[provider]), BASE[provider]: far.url}
        done = route(made(agent), {**env, "CLOUD_CALLS_PER_DAY": 1}, prefix=prefix)
        assert done.tried == [(LABEL[provider], "success")] and paid_calls(agent.tree) == 1
        done = route(agent, {**env, "CLOUD_CALLS_PER_DAY": 1}, prefix=prefix)
        assert done.tried == [(LABEL[provider], "over_budget"), (LABEL[SPARE[provider]], "success")]
        done = route(agent, {**env, "LOCAL_ONLY": 1}, prefix=prefix)
        assert done.tried == [(LABEL[SPARE[provider]], "success")]
    assert len(far.requests) == 1


def test_every_hop_rejected_and_all_attempts_are_told(agent, tree, mock):
    mock.on(OLLAMA, say("no")).on(OPENAI, proposal(action="reboot")).on(ANTHROPIC, error(400))
    tree.event()
    done = agent.run_once(rc=75, env=servers(mock, "ollama", "openai", "anthropic"))
    assert attempts_of(done.logs) == [(LABEL["ollama"], "invalid_json"), (LABEL["openai"], "schema_error"),
                                      (LABEL["anthropic"], "http_error")]
    assert len(done.named("chain_failed")) == 1 and tree.actions() == {} and tree.audits() == {}


# ---- Refusals ----

PATTERNS = ["nie wiem", "I cannot", "I can't", "I can’t", "as an AI", "I don't know", "I don’t know",
            "I'm not able", "I’m not able", "I am not able", "I'm unable", "I’m unable", "I am unable",
            "beyond my capabilities"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_refusal_in_words(agent, mock, pattern):
    for text in (pattern, pattern.upper(), f"Sorry, but {pattern} help you with that one.",
                 f"{pattern}: {proposal_text()}", f"{proposal_text()}\n\n(though {pattern})",
                 f"```json\n{proposal_text()}\n```\n{pattern}"):
        mock.on(OLLAMA, say(text))
        done = route(agent, servers(mock, "ollama", "openai"))
        assert done.tried == [(LABEL["ollama"], "refusal"), (LABEL["openai"], "success")], text


@pytest.mark.parametrize("pattern", PATTERNS)
def test_inside_the_reason_it_refuses_nothing(agent, mock, pattern):
    reason = f"exited with 137, {pattern} why"
    for step in (proposal(reason=reason), fenced(reason=reason), prose(reason=reason)):
        mock.on(OLLAMA, step)
        done = route(agent, servers(mock, "ollama"))
        assert done.answer["reason"] == reason


OWN_WAYS = {
    "anthropic, stop_reason": ("anthropic", say("").finish("refusal")),
    "anthropic, with a good text": ("anthropic", proposal().finish("refusal")),
    "openai, content_filter": ("openai", say("").finish("refusal")),
    "openai, message.refusal": ("openai", body({"choices": [{"index": 0, "finish_reason": "stop", "message": {
        "role": "assistant", "content": None, "refusal": "It is against the rules."}}]})),
}


@pytest.mark.parametrize("way", OWN_WAYS)
def test_a_refusal_in_the_apis_own_way(agent, mock, way):
    provider, step = OWN_WAYS[way]
    mock.on(PATH[provider], step)
    done = route(made(agent), servers(mock, provider, SPARE[provider]))
    assert done.tried == [(LABEL[provider], "refusal"), (LABEL[SPARE[provider]], "success")]


# ---- The one object in the text ----

TWO = proposal_text() + "\n" + proposal_text(action="ignore")
TEXTS = {
    "bare": (proposal(), None),
    "white space around": (say(f"\n\t {proposal_text()} \r\n"), None),
    "fenced": (fenced(), None),
    "fenced, no tag": (fenced(tag=""), None),
    "fenced, another tag": (fenced(tag="javascript"), None),
    "prose around": (prose(), None),
    "prose with braces": (prose(before="Use {name} and {1} braces: ", after=" {done}"), None),
    "an extra member": (proposal(command="reboot", host="x"), None),
    "action in capitals": (proposal(action="ReStart"), None),
    "two objects": (say(TWO), "invalid_json"),
    "two fenced objects": (say(f"```json\n{proposal_text()}\n```\nor\n```json\n{proposal_text(action='ignore')}\n```"),
                           "invalid_json"),
    "an object within an array": (say(f"[{proposal_text()}, {proposal_text(action='ignore')}]"), "invalid_json"),
    "no object": (say("restart"), "invalid_json"),
    "half an object": (say(proposal_text()[:-1]), "invalid_json"),
    "an empty text": (say(""), "invalid_json"),
    "no text": (null_content(), "invalid_json"),
    "a comment in it": (say('{"action": "restart", /* why */ "reason": "x", "confidence": 1, "requires_human": true}'),
                        "invalid_json"),
    "single quotes": (say("{'action': 'restart'}"), "invalid_json"),
    "a trailing comma": (say('{"action":"restart","reason":"x","confidence":1,"requires_human":true,}'),
                         "invalid_json"),
    "not a number": (say('{"action":"restart","reason":"x","confidence":NaN,"requires_human":true}'), "invalid_json"),
    "an empty object": (say("{}"), "schema_error"),
    "a member twice": (say('{"action":"restart","action":"ignore","reason":"x","confidence":1,"requires_human":true}'),
                       "schema_error"),
    "no action": (proposal(without="action"), "schema_error"),
    "no reason": (proposal(without="reason"), "schema_error"),
    "no confidence": (proposal(without="confidence"), "schema_error"),
    "no requires_human": (proposal(without="requires_human"), "schema_error"),
    "another action": (proposal(action="reboot"), "schema_error"),
    "action with a space": (proposal(action="restart "), "schema_error"),
    "action is a list": (proposal(action=["restart"]), "schema_error"),
    "an empty reason": (proposal(reason=""), "schema_error"),
    "a long reason": (proposal(reason="x" * 1001), "schema_error"),
    "the longest reason": (proposal(reason="x" * 1000), None),
    "a NUL in the reason": (proposal(reason="a\0b"), "schema_error"),
    "confidence below 0": (proposal(confidence=-0.01), "schema_error"),
    "confidence above 1": (proposal(confidence=1.0001), "schema_error"),
    "confidence is huge": (say('{"action":"restart","reason":"x","confidence":1e999,"requires_human":true}'),
                           "schema_error"),
    "confidence is a text": (proposal(confidence="0.9"), "schema_error"),
    "requires_human is a text": (proposal(requires_human="false"), "schema_error"),
    "requires_human is null": (proposal(requires_human=None), "schema_error"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_of_a_model(agent, mock, name):
    step, outcome = TEXTS[name]
    mock.on(OLLAMA, step).on(OPENAI, step)
    done = route(agent, servers(mock, "ollama", "openai"), rc=0 if outcome is None else 69)
    if outcome is None:
        assert done.tried == [(LABEL["ollama"], "success")]
        assert done.answer["action"].lower() == "restart"
    else:
        assert done.tried == [(LABEL["ollama"], outcome), (LABEL["openai"], outcome)] and done.answer is None


# ---- The envelope ----

ENVELOPES = {
    "anthropic: thinking first": ("anthropic", proposal().blocks("thinking", "text"), None),
    "anthropic: a block nobody knows": ("anthropic", proposal().blocks("mystery", "tool_use", "text"), None),
    "anthropic: no text block": ("anthropic", proposal().blocks("thinking"), "invalid_json"),
    "anthropic: no block": ("anthropic", proposal().blocks(), "invalid_json"),
    "anthropic: a stop_reason nobody knows": ("anthropic", proposal().finish("pause_turn"), None),
    "anthropic: members nobody knows": ("anthropic", proposal().envelope(container={"id": [1]}, x=None), None),
    "anthropic: max_tokens": ("anthropic", proposal().finish("length"), "truncated"),
    "ollama: the prompt was cut": ("ollama", proposal().usage(4096, 40), "truncated"),
    "ollama: it was only loaded": ("ollama", say("").finish("load"), "invalid_json"),
    "ollama: no done_reason": ("ollama", proposal().envelope(done_reason=None), None),
    "ollama: no message": ("ollama", proposal().envelope(message=None), "invalid_json"),
    "openai: no choices": ("openai", proposal().envelope(choices=[]), "invalid_json"),
    "openai: a finish_reason nobody knows": ("openai", proposal().finish("eos"), None),
    "openai: no usage": ("openai", proposal().envelope(usage=None), None),
    "a list": ("ollama", body([1, 2]), "invalid_json"),
    "an error with status 200": ("ollama", body({"error": "out of memory"}), "invalid_json"),
}


@pytest.mark.parametrize("name", ENVELOPES)
def test_an_answers_envelope(agent, mock, name):
    provider, step, outcome = ENVELOPES[name]
    mock.on(PATH[provider], step)
    done = route(made(agent), servers(mock, provider), rc=0 if outcome is None else 69)
    assert done.tried == [(LABEL[provider], outcome or "success")]


def test_tokens_are_told(agent, mock):
    mock.on(OLLAMA, say("no").usage(100, 7)).on(OPENAI, proposal().usage(333, 44))
    done = route(agent, servers(mock, "ollama", "openai"))
    assert [(one["input_tokens"], one["output_tokens"]) for one in done.attempts] == [(100, 7), (333, 44)]
    metrics = done.json["metrics"][LABEL["openai"]]
    assert (metrics["success"], metrics["success_rate"], metrics["input_tokens"], metrics["output_tokens"]) == \
        (1, 1, 333, 44)
    assert json.dumps(done.json["metrics"][LABEL["ollama"]]).count("100") == 1
