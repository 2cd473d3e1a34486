"""route: the chain alone as a command. What it takes, what it prints, its exit codes."""

import json
import signal
import subprocess

import pytest

from agent import begin_on_one_day, wait_for
from apis import ANTHROPIC, OLLAMA, OPENAI
from chain import KEY, LABEL, PROVIDERS, PATH, Routed, made, paid_calls, route, servers, system_of
from steps import PROPOSAL, error, hang, proposal, refusal, say

USER = {"role": "user", "content": "web is down on solaria"}


def fails(agent, env, *args, rc=64, stdin=b"", words=None):
    """A command that ends before a model is asked, with one line on stderr (usage: a few)."""
    if not isinstance(stdin, bytes):
        stdin = json.dumps(stdin).encode()
    done = agent.cmd("route", *args, rc=rc, env=env, stdin=stdin, err=words or ".")
    assert done.out == ""
    return done


# ---- What it prints ----

@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_answer_with_all_that_is_told_of_it(agent, mock, provider):
    done = route(made(agent), servers(mock, provider), prompt="web is down")
    found = done.json
    assert set(found) == {"answer", "timestamp", "node", "context", "success", "model_used", "total_latency_ms",
                          "attempts", "metrics"}
    assert found["answer"] == PROPOSAL
    assert (found["success"], found["model_used"]) == (True, LABEL[provider])
    assert (found["context"], found["node"]) == ("route", "planner")
    attempt, = found["attempts"]
    tokens = {"input_tokens": 812, "output_tokens": 47}
    assert attempt == {"model": LABEL[provider], "outcome": "success", "status": 200,
                       "latency_ms": attempt["latency_ms"], "error": None, **tokens}
    assert 0 <= attempt["latency_ms"] <= found["total_latency_ms"] < 10000
    metrics, = found["metrics"].values()
    assert metrics == {"success": 1, "fallback": 0, "error": 0, "success_rate": 1, **tokens}
    assert mock.requests[0].json["messages"][-1] == {"role": "user", "content": "web is down"}


def test_what_was_rejected_is_told_too(agent, mock):
    mock.on(OLLAMA, say("no")).on(OPENAI, error(400))
    found = route(made(agent), servers(mock, "ollama", "openai", "anthropic")).json
    assert [(one["outcome"], one["status"]) for one in found["attempts"]] == \
        [("invalid_json", 200), ("http_error", 400), ("success", 200)]
    assert [tuple(found["metrics"][LABEL[one]][name] for name in ("success", "fallback", "error", "success_rate"))
            for one in ("ollama", "openai", "anthropic")] == [(0, 1, 0, 0), (0, 0, 1, 0), (1, 0, 0, 1)]


def test_no_answer(agent, mock):
    mock.on(OLLAMA, refusal())
    found = route(agent, servers(mock, "ollama"), rc=69).json
    assert (found["answer"], found["success"], found["model_used"]) == (None, False, None)


def test_any_text_is_an_answer_where_no_schema_is_asked_for(agent, mock):
    text = "Hello, \"world\".\n\tżółć 😀 \x1b[2J {\"not\": \"a proposal\"}"
    mock.on(OLLAMA, say(text)).on(ANTHROPIC, say(text)).on(OPENAI, say(text))
    for provider in PROVIDERS:
        done = route(made(agent), servers(mock, provider), "--schema", "none")
        assert done.answer == text
    for request in mock.requests:
        assert not {"format", "output_config", "response_format", "system"} & set(request.json)
        assert [one["role"] for one in request.json["messages"]] == ["user"]


@pytest.mark.parametrize("text,outcome", [("", "invalid_json"), ("  \n", "invalid_json"),
                                          ("I cannot do that", "refusal"), ("Nie wiem.", "refusal")])
def test_but_not_an_empty_one_and_no_refusal(agent, mock, text, outcome):
    mock.on(OLLAMA, say(text))
    assert route(agent, servers(mock, "ollama"), "--schema", "none", rc=69).tried == [(LABEL["ollama"], outcome)]


def test_the_longest_texts_are_whole(agent, mock):
    text = "é\n\"" * 1900
    mock.on(OLLAMA, say(text))
    assert route(agent, servers(mock, "ollama"), "--schema", "none").answer == text


# ---- What it takes ----

def test_a_conversation_on_stdin(agent, mock):
    messages = [{"role": "system", "content": "Be brief."}, USER, {"role": "assistant", "content": "{}"},
                {"role": "user", "content": "Once more:\n\"please\" \x1b 😀"}]
    for given in (messages, {"messages": messages}, {"model": "x", "messages": messages}):
        for provider in PROVIDERS:
            route(made(agent), servers(mock, provider), stdin=given)
    for request in mock.requests:
        assert system_of(request) == "Be brief."
        sent = [one for one in request.json["messages"] if one["role"] != "system"]
        assert sent == messages[1:]


def test_without_instructions_it_gets_the_planners_own_for_a_proposal(agent, mock):
    route(agent, servers(mock, "ollama"), stdin=[USER])
    assert "home lab" in system_of(mock.requests[0])
    assert set(mock.requests[0].json["format"]["required"]) == set(PROPOSAL)


BAD = {
    "nothing": b"", "blank": b" \n", "no JSON": b"what now?", "half": b'[{"role":"user","content":"x"}',
    "a text": b'"x"', "a number": b"1", "an empty list": [], "an empty object": {},
    "messages is no list": {"messages": "x"},
    "a message is a text": ["x"], "no role": [{"content": "x"}], "no content": [{"role": "user"}],
    "an empty content": [{"role": "user", "content": ""}], "content is a list": [{"role": "user", "content": ["x"]}],
    "another role": [{"role": "tool", "content": "x"}], "role in capitals": [{"role": "User", "content": "x"}],
    "system alone": [{"role": "system", "content": "x"}],
    "system at the end": [USER, {"role": "system", "content": "x"}],
    "system twice": [{"role": "system", "content": "x"}, {"role": "system", "content": "y"}, USER],
    "assistant first": [{"role": "assistant", "content": "x"}, USER],
    "assistant last": [USER, {"role": "assistant", "content": "x"}],
    "too many": [USER] * 17, "not UTF-8": b'[{"role":"user","content":"\xff"}]',
    "a NUL": b'[{"role":"user","content":"a\0b"}]', "a NUL, escaped": b'[{"role":"user","content":"a\\u0000b"}]',
    "too large": b'[{"role":"user","content":"' + b"x" * 70000 + b'"}]', "deep": b"[" * 500 + b"]" * 500,
    "two documents": b"[][]", "garbage behind": b'[{"role":"user","content":"x"}] x',
}


@pytest.mark.parametrize("name", BAD)
def test_a_conversation_that_is_none(agent, mock, name):
    fails(agent, servers(mock, "ollama"), stdin=BAD[name])
    assert mock.requests == []


def test_sixteen_messages_are_taken(agent, mock):
    route(agent, servers(mock, "ollama"), stdin=[USER, {"role": "assistant", "content": "x"}] * 7 + [USER, USER])
    assert len(mock.requests[0].json["messages"]) == 17


def test_a_large_conversation_is_sent_whole_or_refused_in_words(agent, mock):
    for size in (20000, 45000, 60000):
        messages = [{"role": "user", "content": "x" * size}]
        done = route(agent, servers(mock, "ollama", "openai"), stdin=messages, rc=(0, 69))
        if done.rc == 0:
            assert len(mock.requests[-1].json["messages"][-1]["content"]) == size
        else:
            assert "too large" in done.attempts[0]["error"]
    assert len(mock.requests) >= 2


@pytest.mark.parametrize("args,words", [
    (["--schema", "proposals"], "schema"), (["--schema"], "schema"), (["--context"], "context"),
    (["--prompt"], "prompt"), (["--prompt", ""], "prompt"), (["--context", "x" * 129, "--prompt", "x"], "context"),
    (["--bogus"], "bogus"),
    (["operand"], "."), (["--prompt", "x", "operand"], "."), (["--context", b"\xff", "--prompt", "x"], "context"),
    (["--prompt", b"\xff\xfe"], "prompt")], ids=str)
def test_wrong_arguments(agent, mock, args, words):
    fails(agent, servers(mock, "ollama"), *args, words=f"(?i){words}")
    assert mock.requests == []


@pytest.mark.parametrize("env", [{"LLM_CHAIN": "bogus"}, {"LLM_CHAIN": "ollama@0"}, {"LLM_CHAIN": "ollama,ollama"},
                                 {"LLM_CHAIN": "anthropic"}, {"LLM_CHAIN": "ollama,"}, {"LLM_CHAIN": "ollama@x"},
                                 {"LLM_CHAIN": ",".join(f"openai/m{n}" for n in range(9))},
                                 {"OLLAMA_API_BASE": "ftp://x"}, {"OPENAI_API_BASE": "http://"},
                                 {"ANTHROPIC_API_BASE": "http://a b/"}, {"CLOUD_CALLS_PER_DAY": "-1"},
                                 {"OPENAI_API_BASE": "http://x:99999"}, {"OLLAMA_COLD_SECONDS": "soon"}], ids=str)
def test_a_configuration_that_is_none(agent, mock, env):
    fails(agent, {**servers(mock, "ollama"), **env}, "--prompt", "x", rc=78, words=next(iter(env)))
    assert mock.requests == []


@pytest.mark.parametrize("how", ["rules alone", "no key", "no base", "local only"])
def test_a_chain_that_nobody_can_be_asked_of(agent, mock, how):
    env = {"rules alone": servers(mock, "rules"), "no key": servers(mock, "anthropic", ANTHROPIC_API_KEY=None),
           "no base": servers(mock, "openai", OPENAI_API_BASE=None),
           "local only": servers(mock, "anthropic", LOCAL_ONLY=1)}[how]
    run = subprocess.run(agent.argv(["route", "--prompt", "x"], (), None), env=agent.environment(env),
                         capture_output=True, check=False)
    done = Routed(run, 0)
    assert done.rc == 69 and "chain" in done.told and done.told.count("\n") == 1 and done.out == ""
    assert (done.named("hop_skipped") != []) == (how != "rules alone") and mock.requests == []


def test_rules_are_passed_over_for_they_read_events(agent, mock):
    mock.on(OLLAMA, refusal())
    assert route(agent, servers(mock, "ollama", "rules"), rc=69).tried == [(LABEL["ollama"], "refusal")]


def test_help(agent):
    done = agent.cmd("route", "--help")
    assert "--prompt" in done.out and "--schema" in done.out and "--context" in done.out and "69" in done.out


# ---- Its log ----

@pytest.mark.parametrize("context", ["solaria/web", "x" * 128, "żółć \"quoted\"", "with spaces"])
def test_the_context_is_in_every_line(agent, mock, context):
    mock.on(OLLAMA, refusal()).on(OPENAI, error(401))
    done = route(made(agent), servers(mock, "ollama", "openai", "anthropic"), "--context", context)
    assert done.json["context"] == context
    assert [log["context"] for log in done.named("llm_attempt")] == 3 * [context]


def test_an_attempts_line_has_all_that_is_known(agent, mock):
    mock.on(OLLAMA, say("no"))
    done = route(made(agent), servers(mock, "ollama", "anthropic"))
    rejected, taken = done.named("llm_attempt")
    assert (rejected["level"], rejected["status"]) == ("warning", 200)
    assert (rejected["input_tokens"], rejected["output_tokens"]) == (812, 47)
    assert taken["level"] == "info" and taken["request_id"] == f"req_{mock.requests[-1].index:024d}"
    assert "error" not in taken and KEY not in str(done.logs)


@pytest.mark.parametrize("level,events", [("error", 0), ("warning", 1), ("info", 2)])
def test_log_level(agent, mock, level, events):
    mock.on(OLLAMA, say("no"))
    done = route(agent, servers(mock, "ollama", "openai", LOG_LEVEL=level))
    assert len(done.named("llm_attempt")) == events


def test_it_leaves_nothing_in_the_tree_but_the_count(agent, tree, mock):
    made(agent)
    begin_on_one_day()
    before = tree.snapshot()
    route(agent, servers(mock, "ollama"))
    assert tree.snapshot() == before
    route(agent, servers(mock, "anthropic"))
    changed = {path for path, stat in tree.snapshot().items() if before.get(path, (None,))[-1] != stat[-1]}
    assert changed == {str(tree.state / "paid_calls")} and paid_calls(tree) == 1


def test_it_goes_beside_a_daemon(agent, tree, mock):
    daemon = agent.start(env=servers(mock, "ollama"))
    route(agent, servers(mock, "ollama", "anthropic"))
    tree.event()
    daemon.wait_log("proposed")
    assert len(mock.asked(OLLAMA)) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it(agent, mock, number):
    mock.on(OLLAMA, hang())
    process = subprocess.Popen(agent.argv(["route", "--prompt", "x"], (), None), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=agent.environment(servers(mock, "ollama@60")),
                               # A shell starts what runs in the background with SIGINT ignored.
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    try:
        mock.wait_requests(1)
        process.send_signal(number)
        wait_for("its end", lambda: process.poll() is not None)
        assert process.returncode != 0
    finally:
        process.kill()
        process.communicate()


def test_a_closed_stdout(agent, mock):
    run = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *agent.argv(["route", "--prompt", "x"], (), None)],
                         env=agent.environment(servers(mock, "ollama")), capture_output=True, timeout=60, check=False)
    assert run.returncode not in (0, -signal.SIGSEGV)
    full = subprocess.run(["sh", "-c", '"$@" >/dev/full', "sh", *agent.argv(["route", "--prompt", "x"], (), None)],
                          env=agent.environment(servers(mock, "ollama")), capture_output=True, timeout=60, check=False)
    assert full.returncode not in (0, 69) and mock.complaints == []


def test_proposals_are_checked_as_the_planners_are(agent, mock):
    mock.on(OLLAMA, proposal(confidence=2), proposal())
    assert route(agent, servers(mock, "ollama"), rc=69).tried == [(LABEL["ollama"], "schema_error")]
    assert route(agent, servers(mock, "ollama"), "--schema", "proposal").answer == PROPOSAL
    assert mock.paths == 2 * [PATH["ollama"]]
