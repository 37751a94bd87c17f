"""What a page says of its video to those that read no script: link previews, feeds, search engines. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Card:
    """A published video. Addresses are absolute; sizes are pixels."""

    title: str
    watch: str
    embed: str
    width: int
    height: int
    oembed_json: str
    oembed_xml: str
    poster: str | None = None
    poster_width: int = 0
    poster_height: int = 0


def with_card(page: str, card: Card) -> str:
    """The page with the card's tags at the end of its head."""
    before, end, after = page.partition("</head>")
    return f"{before}{tags(card)}{end}{after}"


def tags(card: Card) -> str:
    """oEmbed discovery (oEmbed 1.0 section 4), Open Graph (ogp.me) and Twitter's player card, a tag a line."""
    links = "".join(
        f'<link rel="alternate" type="{kind}" href="{escape(address)}" title="{escape(card.title)}">\n'
        for kind, address in (("application/json+oembed", card.oembed_json), ("text/xml+oembed", card.oembed_xml))
    )
    metas = (f'<meta {kind}="{name}" content="{escape(str(value))}">\n' for kind, name, value in _metas(card))
    return links + "".join(metas)


def _metas(card: Card) -> Iterator[tuple[str, str, str | int]]:
    """(attribute that names it, name, content)."""
    yield from (
        ("property", "og:type", "video.other"),
        ("property", "og:title", card.title),
        ("property", "og:url", card.watch),
        ("property", "og:video", card.embed),
        ("property", "og:video:type", "text/html"),
        ("property", "og:video:width", card.width),
        ("property", "og:video:height", card.height),
        ("name", "twitter:card", "player"),
        ("name", "twitter:title", card.title),
        ("name", "twitter:player", card.embed),
        ("name", "twitter:player:width", card.width),
        ("name", "twitter:player:height", card.height),
    )
    if card.poster:
        yield from (
            ("property", "og:image", card.poster),
            ("property", "og:image:width", card.poster_width),
            ("property", "og:image:height", card.poster_height),
            ("name", "twitter:image", card.poster),
        )
