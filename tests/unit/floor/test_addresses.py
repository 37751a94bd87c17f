"""Where we may be sent to: the table of addresses and URLs, tricks among them."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.addresses import AddressRefused, Rules, is_private, is_public, judge, parse_url, redirected

PUBLIC = Rules()
DEVELOPMENT = Rules(private=True, http=True, ports=(443, 80, 8443))


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.254", "127.0.0.1",
        "127.255.255.254", "169.254.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8",
        "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.7",
        "203.0.113.7", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "::", "::1",
        "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::8.8.8.8",
        "64:ff9b:1::1", "100::1", "2001::1", "2001:0:4136:e378::1", "2001:db8::1", "2002:7f00:1::1",
        "2002:808:808::1", "3fff::1", "5f00::1", "fc00::1", "fd12:3456::1", "fe80::1", "fec0::1", "ff02::1",
        "ff0e::1", "2a00:1450::1%eth0",
    ],
)  # fmt: skip
def test_special_addresses_are_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.1", "93.184.216.34", "100.63.255.255", "100.128.0.1",
        "126.255.255.255", "128.0.0.1", "172.15.0.1", "172.32.0.1", "192.167.1.1", "198.17.0.1", "223.255.255.255",
        "2001:4860:4860::8888", "2606:4700::1111", "2a00:1450:4001::1", "2003::1",
    ],
)  # fmt: skip
def test_other_addresses_are(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "192.168.0.9", "::1", "fd00::5"])
def test_private_addresses_are_for_development_only(address: str) -> None:
    assert is_private(ip_address(address))
    assert judge("files.test", [ip_address(address)], DEVELOPMENT) == (ip_address(address),)
    with pytest.raises(AddressRefused):
        judge("files.test", [ip_address(address)], PUBLIC)


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fe80::1", "::ffff:127.0.0.1", "0.0.0.0", "224.0.0.1", "64:ff9b::1"]
)
def test_where_clouds_keep_their_keys_is_never_allowed(address: str) -> None:
    with pytest.raises(AddressRefused):
        judge("files.test", [ip_address(address)], DEVELOPMENT)


def test_one_private_address_among_public_ones_refuses_all() -> None:
    with pytest.raises(AddressRefused, match="not at a public address"):
        judge("files.test", map(ip_address, ("93.184.216.34", "10.0.0.1")), PUBLIC)


def test_a_name_without_an_address_is_refused() -> None:
    with pytest.raises(AddressRefused, match="no address"):
        judge("files.test", [], PUBLIC)


@given(st.ip_addresses())
def test_what_python_calls_private_is_never_public(address: object) -> None:
    text = str(address)
    found = ip_address(text)
    if found.is_private or found.is_multicast or found.is_reserved or found.is_link_local or found.is_unspecified:
        assert not is_public(found)


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("https://files.example.com/a/clip.mp4", "https://files.example.com/a/clip.mp4"),
        ("HTTPS://Files.Example.COM:443/clip.mp4?sig=s3cret#t=1", "https://files.example.com/clip.mp4"),
        ("https://example.com", "https://example.com/"),
        ("https://example.com./x", "https://example.com/x"),
        ("https://example.com?x=1", "https://example.com/"),
        ("https://1.1.1.1/clip.mp4", "https://1.1.1.1/clip.mp4"),
        ("https://[2606:4700::1111]/clip.mp4", "https://[2606:4700::1111]/clip.mp4"),
        ("  https://example.com/clip.mp4 ", "https://example.com/clip.mp4"),
        ("https://münchen.example/größe.mp4", "https://xn--mnchen-3ya.example/gr%C3%B6%C3%9Fe.mp4"),
        ("https://my_bucket.s3.example.com/x", "https://my_bucket.s3.example.com/x"),
    ],
)
def test_urls_are_taken_apart(url: str, plain: str) -> None:
    assert parse_url(url, PUBLIC).plain == plain


def test_a_query_goes_into_the_request_but_not_into_the_log() -> None:
    url = parse_url("https://example.com/clip.mp4?X-Amz-Signature=abc", PUBLIC)
    assert url.path == "/clip.mp4?X-Amz-Signature=abc"
    assert "abc" not in url.plain
    assert url.at(ip_address("1.1.1.1")) == "https://1.1.1.1:443/clip.mp4?X-Amz-Signature=abc"
    assert url.filename == "clip.mp4"


@pytest.mark.parametrize(
    "url",
    [
        "", "clip.mp4", "//example.com/x", "http://example.com/x", "ftp://example.com/x", "file:///etc/passwd",
        "gopher://example.com/x", "javascript:alert(1)", "https://", "https:///x", "https://?x", "https://user@example.com/",
        "https://user:pass@example.com/", "https://example.com@127.0.0.1/", "https://@example.com/", "https://example.com:8443/x",
        "https://example.com:0/x", "https://example.com:99999/x", "https://example.com:x/", "https://exa mple.com/",
        "https://example.com/a b", "https://example.com\\@127.0.0.1/", "https://example.com/\r\nHost: evil",
        "https://example.com/\0", "https://2130706433/", "https://0x7f000001/", "https://0x7f.1/", "https://017700000001/",
        "https://127.1/", "https://127.0.1/", "https://0/", "https://0177.0.0.1/", "https://1.2.3.4.5/", "https://256.1.1.1/",
        "https://example.0x1/", "https://[::1", "https://[::ffff:127.0.0.1%eth0]/", "https://[fe80::1%25eth0]/",
        "https://[v1.x]/", "https://ex%61mple.com/", "https://-example.com/", "https://example..com/", "https://.example.com/",
        "https://" + "a" * 64 + ".com/", "https://" + "a." * 130 + "com/", "https://example.com/" + "x" * 9000,
        "https://127。0。0。1:8443/",
    ],
)  # fmt: skip
def test_what_is_no_plain_https_url_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        parse_url(url, PUBLIC)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::1]/",
        "https://127。0。0。1/",
        "https://①②⑦.⓪.⓪.①/",
    ],
)
def test_literal_private_addresses_are_left_to_the_judge(url: str) -> None:
    host = parse_url(url, PUBLIC).host
    with pytest.raises(AddressRefused):
        judge(host, [ip_address(host)], PUBLIC)


def test_a_setting_opens_http_and_ports() -> None:
    assert parse_url("http://localhost:8443/x", DEVELOPMENT).authority == "localhost:8443"
    assert parse_url("http://localhost/x", DEVELOPMENT).authority == "localhost"
    with pytest.raises(AddressRefused):
        parse_url("http://localhost:22/x", DEVELOPMENT)


@pytest.mark.parametrize(
    ("location", "to"),
    [
        ("/b.mp4?x=1", "https://files.example.com/b.mp4?x=1"),
        ("b.mp4", "https://files.example.com/a/b.mp4"),
        ("//cdn.example.net/b", "https://cdn.example.net/b"),
        ("https://cdn.example.net/b", "https://cdn.example.net/b"),
    ],
)
def test_redirects_are_followed_to(location: str, to: str) -> None:
    assert str(redirected(parse_url("https://files.example.com/a/a.mp4", PUBLIC), location, PUBLIC)) == to


@pytest.mark.parametrize(
    "location",
    [
        "http://files.example.com/b",
        "https://u:p@files.example.com/",
        "file:///etc/passwd",
        "https://x.test:22/",
        "\\\\evil.test/x",
    ],
)
def test_redirects_are_judged_like_any_url(location: str) -> None:
    with pytest.raises(AddressRefused):
        redirected(parse_url("https://files.example.com/a", DEVELOPMENT), location, DEVELOPMENT)


@given(st.text(max_size=60))
def test_any_text_is_a_url_or_refused(text: str) -> None:
    try:
        url = parse_url("https://" + text, PUBLIC)
    except AddressRefused:
        return
    assert str(url).isascii()
    assert "@" not in url.authority
    assert parse_url(str(url), PUBLIC) == url
