"""What the head of a page says of a video, and that no title gets out of its attribute."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from rushes.web.head import Card, tags, with_card

CARD = Card(
    title="Harbour at dawn",
    watch="https://v.example/watch/a",
    embed="https://v.example/embed/a",
    width=640,
    height=360,
    oembed_json="https://v.example/oembed?url=x&format=json",
    oembed_xml="https://v.example/oembed?url=x&format=xml",
    poster="https://v.example/artifacts/a/poster.jpg",
    poster_width=1280,
    poster_height=720,
)
PAGE = "<html><head><title>Watch</title></head><body></head></body></html>"


class Head(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.said: dict[str, str | None] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        name = given.get("property") or given.get("name") or given.get("type")
        if name:
            self.said[name] = given.get("content") or given.get("href")


def test_link_previews_and_feeds_find_the_video() -> None:
    said = Head(tags(CARD)).said
    assert said["og:title"] == said["twitter:title"] == "Harbour at dawn"
    assert said["og:video"] == said["twitter:player"] == "https://v.example/embed/a"
    assert said["og:image"] == "https://v.example/artifacts/a/poster.jpg"
    assert (said["og:video:width"], said["twitter:player:height"]) == ("640", "360")
    assert said["application/json+oembed"] == "https://v.example/oembed?url=x&format=json"
    assert said["text/xml+oembed"] == "https://v.example/oembed?url=x&format=xml"


def test_without_a_poster_none_is_named() -> None:
    assert "image" not in tags(replace(CARD, poster=None))


def test_the_tags_stand_at_the_end_of_the_head_once() -> None:
    page = with_card(PAGE, CARD)
    assert page.index("<title>") < page.index("og:title") < page.index("</head>")
    assert page.count("og:title") == 1


@pytest.mark.parametrize("title", ['"><script>x</script>', "</head><script>x</script>", "a' b=\"c", "\\", "{{main}}"])
def test_a_hostile_title_stays_a_title(title: str) -> None:
    found = Head(with_card(PAGE, replace(CARD, title=title)))
    assert found.said["og:title"] == title
    assert set(found.tags) == {"html", "head", "title", "link", "meta", "body"}
