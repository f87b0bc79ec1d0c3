"""A Matplotlib figure -> an SVG element to stand inside a page: it takes the page's text colour and refers to nothing outside itself."""

import re
from io import StringIO
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#010203"
"""What is drawn in this colour becomes the colour of the page's text; in a PNG it is black."""


def inline_svg(figure: "Figure", name: str, words: str) -> Markup:
    """`name` makes its ids unique in the page; `words` are what a screen reader says."""
    from matplotlib import rc_context

    out = StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    text = out.getvalue()
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", text)
    text = re.sub(
        r'(<svg\b[^>]*?) width="[^"]*" height="[^"]*"', r"\1", re.sub(r'(<svg\b[^>]*?) height="[^"]*"', r"\1", text, count=1), count=1
    )
    head, body = text.split(">", 1)
    text = re.sub(r' (?:width|height)="[^"]*"', "", head) + ">" + body  # the page gives it its width
    text = text.replace(INK, "currentColor")
    return Markup(text.replace("<svg", f'<svg role="img" aria-label="{escape(words)}"', 1))
