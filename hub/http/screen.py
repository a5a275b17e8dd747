"""A page of a few sentences in the dress of the pages without scripts, for what people meet on their way in."""

from __future__ import annotations

from html import escape

from starlette.responses import HTMLResponse

_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "referrer-policy": "same-origin",
}

_HTML = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <meta name="robots" content="noindex">
  <title>{title} · Interlock</title>
  <link rel="icon" href="/static/logo.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/static/page.css">
</head>
<body class="door">
  <main>
    <a class="brand" href="/"><img src="/static/logo.svg" alt="" width="30" height="30"><span>Interlock</span></a>
    <section class="sign-in"><h1>{title}</h1>{body}</section>
  </main>
</body>
</html>
"""


def screen(title: str, body: str, status: int = 200) -> HTMLResponse:
    """The page; `body` is HTML, `title` is text."""
    return HTMLResponse(_HTML.format(title=escape(title), body=body), status, dict(_HEADERS))
