"""A form as a browser sends it (`application/x-www-form-urlencoded`). Pure."""

from __future__ import annotations

from urllib.parse import parse_qs

from core.errors import Invalid

MOST_FIELDS = 16


def read_form(body: bytes) -> dict[str, str]:
    """The form's fields, those that are given once. Raises Invalid `unreadable`."""
    try:
        fields = parse_qs(
            body.decode(), keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=MOST_FIELDS
        )
    except ValueError:
        raise Invalid("unreadable", "The form cannot be read.") from None
    return {name: values[0] for name, values in fields.items() if len(values) == 1}
