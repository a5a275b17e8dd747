"""HTML as the text that a reader sees, quotes marked as in plain mail. Linear; scripts, styles and hidden parts left out."""

from __future__ import annotations

from html.parser import HTMLParser

MOST_CHARACTERS = 262_144
_BLOCKS = frozenset(
    {"p", "div", "br", "li", "tr", "table", "ul", "ol", "h1", "h2", "h3", "h4", "blockquote", "hr", "pre"}
)
_UNSEEN = frozenset({"script", "style", "head", "title", "template"})
_VOID = frozenset({"br", "hr", "img", "meta", "link", "input", "col", "area", "base", "wbr", "source"})
_QUOTES = ("gmail_quote", "moz-cite-prefix", "yahoo_quoted", "protonmail_quote", "divrplyfwdmsg", "appendonsend")


def text_of(html: str) -> str:
    """The visible text; lines of a quote begin with `>`."""
    reader = _Reader()
    reader.feed(html[:MOST_CHARACTERS])
    reader.close()
    return "\n".join(reader.lines).strip("\n")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self._line: list[str] = []
        self._open: list[tuple[str, bool, bool]] = []
        """(tag, whether it is unseen, whether it is a quote)."""
        self._unseen = 0
        self._quoted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self._end_line()
        if tag in _VOID:
            return
        given = {name: (value or "").lower() for name, value in attrs}
        style = given.get("style", "").replace(" ", "")
        unseen = tag in _UNSEEN or "display:none" in style or "hidden" in given
        marks = f"{given.get('class', '')} {given.get('id', '')}"
        quote = tag == "blockquote" or any(mark in marks for mark in _QUOTES)
        self._open.append((tag, unseen, quote))
        self._unseen += unseen
        self._quoted += quote

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._end_line()
        depth = next(
            (at for at in range(len(self._open) - 1, max(-1, len(self._open) - 50), -1) if self._open[at][0] == tag),
            None,
        )
        if depth is None:
            return
        for _, unseen, quote in self._open[depth:]:
            self._unseen -= unseen
            self._quoted -= quote
        del self._open[depth:]

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self._line.append(data)

    def close(self) -> None:
        super().close()
        self._end_line()

    def _end_line(self) -> None:
        text = " ".join("".join(self._line).split())
        self._line.clear()
        if text or (self.lines and self.lines[-1]):
            self.lines.append(f"> {text}" if self._quoted else text)
