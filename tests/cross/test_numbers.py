"""Numbers and lengths that do not fit 32 bits, or only just: in events, settings and state."""

import json
import time

import pytest

from agent import fault
from chain import servers
from steps import proposal


def proposal_of(tree):
    (action,) = tree.actions().values()
    return action


@pytest.mark.parametrize("scale", [1, 1000])
@pytest.mark.parametrize("form", [int, float, str])
def test_epoch_seconds_and_milliseconds(agent, tree, scale, form):
    """An event of ten seconds ago is handled as fresh; one of ten days ago is stale."""
    now = time.time()
    tree.event(service="fresh", timestamp=form(int((now - 10) * scale)))
    tree.event(service="stale", timestamp=form(int((now - 864000) * scale)))
    agent.run_once()
    actions = tree.actions()
    assert "container-restart-solaria-fresh" in actions
    (stale,) = [one for one in actions.values() if one["service"] == "stale"]
    assert stale["type"] == "alert_only" and "stale" in stale["details"]["policy"]


@pytest.mark.parametrize("stamp", [2**31 - 1, 2**31, 2**32, 2**40, 2**53, 2**63, 2**64, -1, 1e300, 0.5])
def test_a_time_that_is_none_is_the_arrival(agent, tree, stamp):
    """Whether it fits an integer or not: it is before 2020 or more than a day ahead."""
    tree.event(timestamp=stamp)
    agent.run_once()
    assert proposal_of(tree)["type"] == "container_restart"


def test_an_event_of_64_kib(agent, tree):
    event = fault()
    event["payload"] = {"text": ""}
    event["payload"]["text"] = "x" * (65536 - len(json.dumps(event)))
    text = json.dumps(event)
    assert len(text) == 65536
    tree.raw(text)
    agent.run_once()
    assert proposal_of(tree)["service"] == "web"


def test_an_event_of_64_kib_of_small_values(agent, tree):
    event = fault()
    rest = 65536 - len(json.dumps(event)) - len(', "payload": []')
    event["payload"] = [0] * (rest // 3)
    text = json.dumps(event)
    assert 65530 < len(text) <= 65536
    tree.raw(text)
    agent.run_once()
    assert proposal_of(tree)["service"] == "web"


@pytest.mark.parametrize("number", [0, -0.0, 5e-324, 1.7976931348623157e308, 2**31, 2**32, 2**63, 2**64, -(2**63), 0.1,
                                    1e-7, 123456789012345678901234567890])
def test_numbers_in_details_are_kept(agent, tree, number):
    tree.event(payload={"value": number})
    agent.run_once()
    assert proposal_of(tree)["service"] == "web"


@pytest.mark.parametrize("confidence,human", [(0.69, True), (0.7, False), (0.69999999999, True), (1, False), (0, True)])
def test_confidence_is_compared_as_it_is_written(agent, tree, mock, confidence, human):
    """Floating point, on targets without hardware for it too."""
    mock.on("/api/chat", proposal(confidence=confidence, requires_human=False))
    tree.event()
    agent.run_once(env=servers(mock, "ollama@30"))
    details = proposal_of(tree)["details"]
    assert details["requires_human"] is human and details["confidence"] == confidence


def test_times_of_an_action_are_now(agent, tree):
    began = int(time.time())
    tree.event()
    agent.run_once()
    assert began <= proposal_of(tree)["created_at"] <= time.time()
