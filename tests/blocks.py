"""Whether Slack would take a message or a view, as two third-party packages and a few lines of ours judge it.

Each value is built again from its parts with both packages, which refuse what breaks a limit; what the first builds
must equal what was sent, so nothing is dropped on the way. No one of the three is enough.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import blockkit
import slackblocks

Json = Mapping[str, Any]

MESSAGE_BLOCKS, VIEW_BLOCKS, VIEW_JSON = 50, 100, 24_000


def check_message(text: str, blocks: Sequence[Json]) -> None:
    """Nothing, when Slack would take it. Raises AssertionError or what a validator raises."""
    assert text.strip(), "a message has a text for those who see no blocks"
    assert utf16(text) <= 3000
    assert 1 <= len(blocks) <= MESSAGE_BLOCKS
    _check_blocks(blocks)
    built = blockkit.Message(text=text, blocks=[_kit(each) for each in blocks]).build()
    _demand_same(built["blocks"], blocks)
    slackblocks.Message("C1", text, [_second(each) for each in blocks]).to_dict()


def check_view(view: Json) -> None:
    """Nothing, when Slack would take it."""
    blocks = view["blocks"]
    assert 1 <= len(blocks) <= VIEW_BLOCKS
    assert len(json.dumps(view, ensure_ascii=False)) <= VIEW_JSON
    _check_blocks(blocks)
    kit = [_kit(each) for each in blocks]
    second = [_second(each) for each in blocks]
    if view["type"] == "home":
        built = blockkit.Home(blocks=kit).build()
        slackblocks.HomeTabView(second).to_dict()
    else:
        assert set(view) <= {"type", "callback_id", "title", "close", "submit", "private_metadata", "blocks"}
        assert ("submit" in view) or not any(each["type"] == "input" for each in blocks)
        assert len(view.get("private_metadata", "")) <= 3000 and len(view["callback_id"]) <= 255
        for part in ("title", "close", "submit"):
            assert part not in view or 1 <= utf16(view[part]["text"]) <= 24
        texts = {part: _kit_text(view[part]) for part in ("title", "close", "submit") if part in view}
        plain = {part: view[part] for part in ("callback_id", "private_metadata") if part in view}
        built = blockkit.Modal(blocks=kit, **texts, **plain).build()
        slack_texts = {part: _second_text(view[part]) for part in texts}
        slackblocks.ModalView(blocks=second, **slack_texts, **plain).to_dict()
    _demand_same(built["blocks"], blocks)


def utf16(text: str) -> int:
    """The length of `text` as JavaScript counts it."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def texts_of(value: Any) -> Iterator[Json]:
    """Every text object in it."""
    if isinstance(value, Mapping):
        if value.get("type") in ("plain_text", "mrkdwn"):
            yield value
        for part in value.values():
            yield from texts_of(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from texts_of(part)


def _check_blocks(blocks: Sequence[Json]) -> None:
    named = [each["block_id"] for each in blocks if "block_id" in each]
    assert len(named) == len(set(named)), "two blocks have one id"
    for block in blocks:
        assert block["type"] in ("header", "section", "context", "actions", "input"), block["type"]
        if block["type"] == "actions":
            ids = [each["action_id"] for each in block["elements"]]
            assert ids and len(ids) == len(set(ids)), "two buttons of a block have one id"
            assert len(ids) <= 25
            assert all("url" not in each for each in block["elements"]), "a link that Slack may fetch"
        if block["type"] == "header":
            assert block["text"]["type"] == "plain_text"
        assert len(block.get("fields", ())) <= 10
        for field in block.get("fields", ()):
            assert utf16(field["text"]) <= 2000
    for text in texts_of(list(blocks)):
        assert 1 <= utf16(text["text"]) <= 3000 and text["text"].strip()
        assert text["type"] == "plain_text" or text["verbatim"] is True, "Slack would look for links and names"


def _demand_same(built: Any, sent: Any) -> None:
    assert json.loads(json.dumps(built)) == json.loads(json.dumps(list(sent)))


def _kit_text(text: Json) -> Any:
    if text["type"] == "plain_text":
        return blockkit.Text(text["text"], emoji=text["emoji"], type="plain_text")
    return blockkit.Text(text["text"], verbatim=text["verbatim"], type="mrkdwn")


def _kit_button(button: Json) -> Any:
    confirm = button.get("confirm")
    asked = {part: _kit_text(each) for part, each in confirm.items()} if confirm else None
    return blockkit.Button(
        text=_kit_text(button["text"]),
        action_id=button["action_id"],
        value=button["value"],
        style=button.get("style"),
        confirm=blockkit.Confirm(**asked) if asked else None,
    )


def _kit(block: Json) -> Any:
    name = block.get("block_id")
    match block["type"]:
        case "header":
            return blockkit.Header(_kit_text(block["text"]), block_id=name)
        case "section" if "fields" in block:
            return blockkit.Section(fields=[_kit_text(each) for each in block["fields"]], block_id=name)
        case "section":
            return blockkit.Section(_kit_text(block["text"]), block_id=name)
        case "context":
            return blockkit.Context([_kit_text(each) for each in block["elements"]], block_id=name)
        case "actions":
            return blockkit.Actions([_kit_button(each) for each in block["elements"]], block_id=name)
    element = {key: value for key, value in block["element"].items() if key != "type"}
    return blockkit.Input(_kit_text(block["label"]), blockkit.PlainTextInput(**element), block_id=name)


def _second_text(text: Json) -> Any:
    if text["type"] == "plain_text":
        return slackblocks.Text(text["text"], slackblocks.TextType.PLAINTEXT, emoji=text["emoji"])
    return slackblocks.Text(text["text"], slackblocks.TextType.MARKDOWN, verbatim=text["verbatim"])


def _second_button(button: Json) -> Any:
    confirm = button.get("confirm")
    return slackblocks.Button(
        text=_second_text(button["text"]),
        action_id=button["action_id"],
        value=button["value"],
        style=button.get("style"),
        confirm=slackblocks.ConfirmationDialogue(**{part: _second_text(each) for part, each in confirm.items()})
        if confirm
        else None,
    )


def _second(block: Json) -> Any:
    name = block.get("block_id")
    match block["type"]:
        case "header":
            return slackblocks.HeaderBlock(_second_text(block["text"]), block_id=name)
        case "section" if "fields" in block:
            return slackblocks.SectionBlock(fields=[_second_text(each) for each in block["fields"]], block_id=name)
        case "section":
            return slackblocks.SectionBlock(_second_text(block["text"]), block_id=name)
        case "context":
            return slackblocks.ContextBlock([_second_text(each) for each in block["elements"]], block_id=name)
        case "actions":
            return slackblocks.ActionsBlock([_second_button(each) for each in block["elements"]], block_id=name)
    element = {key: value for key, value in block["element"].items() if key != "type"}
    return slackblocks.InputBlock(_second_text(block["label"]), slackblocks.PlainTextInput(**element), block_id=name)
