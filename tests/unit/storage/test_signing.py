from __future__ import annotations

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from rushes.storage.signing import Hashed


@given(st.lists(st.tuples(st.binary(max_size=50), st.booleans()), max_size=8))
def test_a_digest_is_that_of_all_bytes_however_many_were_hashed_as_they_came(pieces: list[tuple[bytes, bool]]) -> None:
    body = Hashed()
    for piece, seen in pieces:
        if seen:
            body.hash(piece, len(body))
        body.extend(piece)
    assert body.hexdigest() == sha256(body).hexdigest()
    assert body.hexdigest() == sha256(body).hexdigest()


def test_a_buffer_that_is_used_again_forgets_what_it_held() -> None:
    body = Hashed(b"an earlier part")
    body.hexdigest()
    body.reset()
    body.hash(b"another", 0)
    body[:] = b"another"
    assert body.hexdigest() == sha256(b"another").hexdigest()
