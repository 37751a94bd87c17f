from __future__ import annotations

import re

from rushes.tokens import digest_of, opens, token_of


def test_a_token_needs_no_escaping_and_tells_nothing_of_its_secret() -> None:
    token = token_of(b"secret", "ticket", "one")
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)
    assert token == token_of(b"secret", "ticket", "one")
    assert len({token, token_of(b"secret", "ticket", "two"), token_of(b"secret", "upload", "one")}) == 3
    assert token != token_of(b"Secret", "ticket", "one")


def test_a_token_opens_what_has_its_digest_and_nothing_else() -> None:
    token = token_of(b"secret", "ticket", "one")
    assert opens(token, digest_of(token))
    for wrong in ("", token[:-1], token + "A", token.swapcase(), "\udcff", digest_of(token)):
        assert not opens(wrong, digest_of(token))
    assert not opens("", "")
