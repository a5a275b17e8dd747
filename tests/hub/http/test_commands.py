"""`POST /v1/commands` and `/v1/press`: a refusal is an answer, a repeated message acts once, too much is refused."""

import pytest
from house import CONFIG, House, housed

pytestmark = pytest.mark.anyio


async def test_a_command_is_answered_with_200_also_when_it_is_refused(house: House) -> None:
    done = await house.ask("cai", "POST", "/v1/commands", {"text": "greet bob because I like him"})
    assert done.status_code == 200
    said = done.json()
    assert (said["ok"], said["approval"]["reason"], said["approval"]["channel"]) == (True, "I like him", "http")
    assert said["card"]["approval"] == said["approval"]["id"]
    refused = await house.ask("cai", "POST", "/v1/commands", {"text": "frobnicate"})
    assert (refused.status_code, refused.json()["ok"], refused.json()["code"]) == (200, False, "unknown_command")


@pytest.mark.parametrize("body", [None, {}, {"text": 3}, [], {"text": None}])
async def test_a_body_without_text_is_refused(house: House, body: object) -> None:
    answer = await house.ask("cai", "POST", "/v1/commands", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


async def test_a_text_of_more_than_8_kb_is_413_and_recorded(house: House) -> None:
    answer = await house.ask("cai", "POST", "/v1/commands", {"text": "greet " + "a" * 8192})
    assert (answer.status_code, answer.json()["code"]) == (413, "command_too_long")
    assert "command:refused" in [each["event"] for each in await house.events()]


async def test_the_same_command_under_the_same_key_acts_once(house: House) -> None:
    body = {"text": "greet bob"}
    first = (await house.ask("cai", "POST", "/v1/commands", body, idempotency_key="m1")).json()
    again = (await house.ask("cai", "POST", "/v1/commands", body, idempotency_key="m1")).json()
    assert again["approval"]["id"] == first["approval"]["id"]
    assert again["repeated"]
    other = await house.ask("cai", "POST", "/v1/commands", {"text": "greet eve"}, idempotency_key="m1")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert len((await house.ask("cai", "GET", "/v1/approvals")).json()["items"]) == 1


async def test_too_fast_is_429_with_retry_after_and_stop_is_never_too_fast(tmp_path: object) -> None:
    slow = CONFIG.replace("commands: 500/s, burst: 500", "commands: 1/s, burst: 2")
    async with housed(tmp_path, slow) as house:  # type: ignore[arg-type]
        answers = [await house.ask("ana", "POST", "/v1/commands", {"text": "whoami"}) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[2].json()["code"] == "too_fast"
        assert int(answers[2].headers["retry-after"]) >= 1
        stopped = await house.ask("ana", "POST", "/v1/stop", {"reason": "it burns"})
        assert stopped.status_code == 200, stopped.text
        over = await house.ask("ana", "POST", "/v1/approvals", {"action": "greet", "params": {"name": "bob"}})
        assert (over.status_code, over.json()["code"]) == (429, "too_fast")


async def test_stop_and_resume_need_the_right(house: House) -> None:
    for path in ("/v1/stop", "/v1/resume"):
        assert (await house.ask("cai", "POST", path, {"reason": "x"})).status_code == 403
    assert (await house.ask("ana", "POST", "/v1/stop", {"reason": "it burns"})).json()["ok"]
    assert (await house.ask("ana", "GET", "/v1/stats")).json()["halted"] is not None
    assert (await house.ask("ana", "POST", "/v1/resume")).json()["ok"]
    assert (await house.ask("ana", "GET", "/v1/stats")).json()["halted"] is None


async def test_a_button_is_pressed_by_its_token_and_acts_once_for_each_person(house: House) -> None:
    approval = await house.review()
    shown = (await house.ask("bo", "POST", "/v1/commands", {"text": f"show {approval['id']}"})).json()
    buttons = {button["choice"]: button["token"] for button in shown["card"]["buttons"]}
    pressed = await house.ask("bo", "POST", "/v1/press", {"token": buttons["approve"], "comment": "ok"})
    assert (pressed.status_code, pressed.json()["ok"]) == (200, True), pressed.text
    again = await house.ask("bo", "POST", "/v1/press", {"token": buttons["approve"]})
    assert again.json()["repeated"]
    own = await house.ask("cai", "POST", "/v1/press", {"token": buttons["approve"]})
    assert (own.status_code, own.json()["code"], own.json()["ok"]) == (403, "own_request", False)
    robot = await house.ask("bot", "POST", "/v1/press", {"token": buttons["approve"]})
    assert robot.status_code == 403
    shown_now = (await house.ask("bo", "GET", f"/v1/approvals/{approval['id']}")).json()
    assert [each["by"]["id"] for each in shown_now["decisions"]] == ["bo"]


async def test_an_unknown_button_is_404_and_recorded(house: House) -> None:
    answer = await house.ask("bo", "POST", "/v1/press", {"token": "x" * 32})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_press")
    assert "press:refused" in [each["event"] for each in await house.events()]
