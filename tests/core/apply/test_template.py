from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.apply.action import HttpSpec
from core.apply.template import placeholders, references, render, render_argv, render_http
from core.errors import Invalid


def test_placeholders_are_filled_and_doubled_braces_are_braces() -> None:
    assert render("Deploy {service} to {{{env}}}", {"service": "web", "env": "prod"}) == "Deploy web to {prod}"
    assert placeholders("{a} {b} {a} {{c}}") == ("a", "b")


def test_values_are_written_as_words() -> None:
    assert render("{yes} {no} {n}", {"yes": True, "no": False, "n": 3}) == "true false 3"


@pytest.mark.parametrize("template", ["{", "}", "{}", "{a.b}", "{a!r}", "{a:>9}", "{0}", "{a", "{ a }", "{a[0]}"])
def test_anything_but_a_name_in_braces_is_refused(template: str) -> None:
    for use in (placeholders, lambda text: render(text, {"a": 1})):
        with pytest.raises(Invalid) as refused:
            use(template)
        assert refused.value.code == "bad_template"


@given(st.text())
def test_a_value_is_never_read_as_a_template(value: str) -> None:
    assert render("<{a}>", {"a": value, "b": "leaked"}) == f"<{value}>"
    assert render_argv(["x", "{a}"], {"a": value, "b": "leaked"}) == ("x", value)


def test_a_missing_value_is_refused_and_not_filled_with_nothing() -> None:
    with pytest.raises(Invalid) as refused:
        render("Deploy {service}", {})

    assert refused.value.code == "missing_parameter"


def test_an_argument_whose_parameter_was_not_given_is_left_out() -> None:
    assert render_argv(["./deploy", "--tag={tag}", "{service}"], {"service": "web"}) == ("./deploy", "web")


def test_references_to_secrets_stay_as_written() -> None:
    assert render("Bearer ${env:TOKEN} {a}", {"a": "x"}) == "Bearer ${env:TOKEN} x"
    assert references("${env:A} ${file:/run/b}") == ("${env:A}", "${file:/run/b}")


def test_a_value_that_looks_like_a_reference_is_not_resolved() -> None:
    spec = HttpSpec(
        url="https://example.com/", headers={"X": "${env:TOKEN} {a}"}, body={"a": "{a}", "t": "${env:TOKEN}"}
    )

    call = render_http(spec, {"a": "${env:OTHER}"}, resolve=lambda kind, name: f"<{kind} {name}>")

    assert call.headers == {"X": "<env TOKEN> ${env:OTHER}"}
    assert call.body == {"a": "${env:OTHER}", "t": "<env TOKEN>"}


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_value_stays_in_its_place_in_the_url(value: str) -> None:
    spec = HttpSpec(url="https://example.com/v1/{a}/deploy?x={a}&y=1")

    try:
        url = render_http(spec, {"a": value}).url
    except Invalid as refusal:
        assert refusal.code == "bad_path_segment"
        assert value in (".", "..")
        return
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc) == ("https", "example.com")
    assert [unquote(part) for part in parts.path.split("/")] == ["", "v1", value, "deploy"]
    assert parts.query.endswith("&y=1")
    assert unquote(parts.query.removesuffix("&y=1")) == f"x={value}"


@pytest.mark.parametrize("url", ["https://{a}/x", "{a}://example.com/", "https://u:{a}@example.com/", "/relative/{a}"])
def test_scheme_and_host_cannot_come_from_a_parameter(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        render_http(HttpSpec(url=url), {"a": "example"})

    assert refused.value.code == "bad_url"


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "ñ"])
def test_a_header_takes_no_line_break_and_ascii_only(value: str) -> None:
    with pytest.raises(Invalid) as refused:
        render_http(HttpSpec(url="https://example.com/", headers={"X-Service": "{a}"}), {"a": value})

    assert refused.value.code == "invalid_characters"


def test_a_body_keeps_the_type_of_a_whole_placeholder() -> None:
    spec = HttpSpec(url="https://example.com/", body={"n": "{n}", "list": ["{n} of {s}", True, 3, None]})

    assert render_http(spec, {"n": 2, "s": "web"}).body == {"n": 2, "list": ["2 of web", True, 3, None]}
