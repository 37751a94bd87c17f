"""Uploads in the catalog: without a length, in parts, joined from these, and given up. Over every database there is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rushes.catalog.database import migrations
from rushes.catalog.open import open_database
from rushes.catalog.reception import Beginning
from rushes.catalog.records import Booked, Upload, UploadLimits
from rushes.errors import NotFound, Refused
from rushes.facts import SourceRef
from rushes.keys import new_id, source_key
from rushes.model import Asset
from rushes.noun import Reason
from rushes.states import AssetState
from tests.contract.parallel import together
from tests.contract.shop import Shop

OOPS = Reason(code="upload_part_gone", message="A part is gone.")
DAY = 86_400.0


def make(shop: Shop, **fields: Any) -> Upload:
    """An upload as it is made, with its asset unless it is a part."""
    now = shop.clock.now()
    kind = fields.get("kind", "whole")
    asset = None if kind == "part" else Asset(id=new_id(now), tenant="t", created_at=now, policy="development")
    given = {"tenant": "t", "length": 9, "created_at": now, "expires_at": now + DAY, **fields}
    upload = Upload(id=new_id(now), asset=asset.id if asset else None, **given)
    if asset is None:
        shop.catalog.create_part(upload)
    else:
        shop.catalog.create_upload(upload, asset)
    return upload


def part(shop: Shop, **fields: Any) -> str:
    return make(shop, kind="part", **fields).id


def newcomer(shop: Shop, **fields: Any) -> Beginning:
    now = shop.clock.now()
    asset = Asset(id=new_id(now), tenant="t", created_at=now, policy="development")
    given = {"tenant": "t", "length": 9, "created_at": now, "expires_at": now + DAY, **fields}
    return Beginning(Upload(id=new_id(now), asset=asset.id, **given), asset)


def source(one: Beginning) -> tuple[Upload, SourceRef]:
    return one.upload, SourceRef(key=source_key("t", one.asset.id, 1), version=1, size=9)


def ids(uploads: list[Upload]) -> set[str]:
    return {upload.id for upload in uploads}


def test_all_that_is_known_of_an_upload_comes_back(shop: Shop) -> None:
    one, two = part(shop), part(shop)
    limits = UploadLimits(max_bytes=5, max_duration=2.5, types=("video/mp4",))
    made = make(
        shop, kind="joined", length=None, parts=(one, two, one), metadata={"filename": "ä"}, raw_metadata="filename w6Q=",
        raw_concat=f"final;/files/{one} /files/{two}", secret="0" * 64, limits=limits,
    )  # fmt: skip
    assert shop.catalog.upload(made.id) == made


def test_a_part_has_no_asset_and_no_event(shop: Shop) -> None:
    name = part(shop)
    assert shop.catalog.upload(name).asset is None
    assert shop.catalog.assets(tenant="t") == ([], None)
    assert shop.catalog.counts().assets == {}


def test_several_uploads_begin_and_end_as_each_of_them_would_alone(shop: Shop) -> None:
    several, alone = [newcomer(shop) for _ in range(3)], newcomer(shop)
    begun = shop.catalog.create_uploads(several)
    ended = shop.catalog.finish_uploads([source(one) for one in several])
    shop.catalog.create_upload(alone.upload, alone.asset)
    like = shop.catalog.finish_upload(*(alone.upload.id, source(alone)[1]))
    assert [made.id for made in begun if isinstance(made, Asset)] == [one.asset.id for one in several]
    for one, asset in zip(several, ended, strict=True):
        assert asset == shop.catalog.asset(one.asset.id)
        assert (asset.state, asset.revision, asset.source) == (AssetState.INGESTED, like.revision, source(one)[1])
        assert shop.catalog.upload(one.upload.id).state == "finished"
        told = [event.type for event in shop.catalog.events(asset=asset.id)]
        assert told == [event.type for event in shop.catalog.events(asset=like.id)]
        steps = {(step.key, step.state) for step in shop.catalog.steps(asset.id)}
        assert steps == {(step.key, step.state) for step in shop.catalog.steps(like.id)}


def test_of_several_uploads_one_that_is_refused_does_not_disturb_the_others(shop: Shop) -> None:
    shown: list[int] = []

    def decide(booked: Booked) -> int:
        shown.append(booked.bytes)
        if booked.bytes > 9:
            raise Refused("too_much", "Too much.")
        return 9

    several = [replace(newcomer(shop), decide=decide) for _ in range(4)]
    results = shop.catalog.create_uploads(several)
    assert shown == [0, 9, 18, 18], "each sees those before it"
    assert [isinstance(result, Asset) for result in results] == [True, True, False, False]
    for one, made in zip(several, results, strict=True):
        if isinstance(made, Asset):
            assert shop.catalog.upload(one.upload.id).state == "open"
        else:
            with pytest.raises(NotFound):
                shop.catalog.upload(one.upload.id)


def test_of_several_uploads_none_begins_where_one_cannot_be_written(shop: Shop) -> None:
    first, second = newcomer(shop), newcomer(shop)
    twice = replace(second, upload=first.upload)
    with pytest.raises(Exception, match=r"(?i)unique"):
        shop.catalog.create_uploads([first, twice])
    with pytest.raises(NotFound):
        shop.catalog.upload(first.upload.id)


def test_an_asset_that_was_given_up_meanwhile_gets_no_source_with_the_others(shop: Shop) -> None:
    kept, given_up = newcomer(shop), newcomer(shop)
    shop.catalog.create_uploads([kept, given_up])
    shop.catalog.delete(given_up.asset.id)
    for _ in range(2):  # again is harmless
        ended = shop.catalog.finish_uploads([source(kept), source(given_up)])
        assert [asset.state for asset in ended] == [AssetState.INGESTED, AssetState.DELETED]
        assert [asset.source is None for asset in ended] == [False, True]


def test_a_length_is_declared_once(shop: Shop) -> None:
    upload = make(shop, length=None)
    assert shop.catalog.declare_length(upload.id, 7).length == 7
    assert shop.catalog.declare_length(upload.id, 8).length == 7
    with pytest.raises(NotFound):
        shop.catalog.declare_length(new_id(1.0), 7)


def test_a_part_that_is_complete_names_those_that_wait_for_it(shop: Shop) -> None:
    one, two = part(shop), part(shop)
    first, second = make(shop, kind="joined", parts=(one, two, one)), make(shop, kind="joined", parts=(one,))
    over = make(shop, kind="joined", parts=(one, two))
    shop.catalog.terminate_upload(over.id)
    for _ in range(2):
        assert ids(shop.catalog.finish_part(one, shop.clock.now() + 5)) == {first.id, second.id}
    assert ids(shop.catalog.joined_from(two)) == {first.id}
    assert shop.catalog.upload(one).state == "finished"
    assert shop.catalog.upload(one).expires_at == shop.clock.now() + 5


def test_finishing_a_part_again_does_not_keep_it_for_longer(shop: Shop) -> None:
    one = part(shop)
    shop.catalog.finish_part(one, 5.0)
    shop.catalog.finish_part(one, 500.0)
    assert shop.catalog.upload(one).expires_at == 5.0


def test_a_part_is_never_taken_for_an_upload_with_an_asset(shop: Shop) -> None:
    with pytest.raises(ValueError, match="part"):
        shop.catalog.finish_upload(part(shop), SourceRef(key="k", size=1))


def test_parts_of_a_joined_upload_may_go_an_hour_after_its_end(shop: Shop) -> None:
    one, two, other = part(shop), part(shop, expires_at=shop.clock.now() + 60), part(shop)
    for name in (one, other):
        shop.catalog.finish_part(name, shop.clock.now() + DAY)
    joined = make(shop, kind="joined", parts=(one, two))
    shop.catalog.finish_upload(joined.id, SourceRef(key="k", size=9))
    assert shop.catalog.upload(one).expires_at == shop.clock.now() + 3600
    assert shop.catalog.upload(two).expires_at == shop.clock.now() + 60
    assert shop.catalog.upload(other).expires_at == shop.clock.now() + DAY


def test_what_is_kept_are_open_uploads_and_all_parts_that_were_not_given_up(shop: Shop) -> None:
    open_, done, gone = make(shop), make(shop), make(shop)
    parts = [part(shop) for _ in range(3)]
    shop.catalog.finish_upload(done.id, SourceRef(key="k", size=9))
    shop.catalog.finish_part(parts[1], DAY)
    shop.catalog.finish_part(parts[2], DAY)
    for name in (gone.id, parts[2]):
        assert shop.catalog.terminate_upload(name)
    assert ids(shop.catalog.kept_uploads()) == {open_.id, parts[0], parts[1]}


def test_terminating_is_harmless_again_and_comes_too_late_for_what_is_finished(shop: Shop) -> None:
    one, done = part(shop), make(shop)
    shop.catalog.finish_part(one, DAY)
    shop.catalog.finish_upload(done.id, SourceRef(key="k", size=9))
    assert [shop.catalog.terminate_upload(one) for _ in range(2)] == [True, True]
    assert not shop.catalog.terminate_upload(done.id)
    assert shop.catalog.upload(done.id).state == "finished"


def test_a_joined_upload_that_cannot_be_any_more_fails_with_its_reason(shop: Shop) -> None:
    joined = make(shop, kind="joined", parts=(part(shop),))
    assert joined.asset
    shop.catalog.terminate_upload(joined.id, reason=OOPS)
    asset = shop.catalog.asset(joined.asset)
    assert (asset.state, asset.reason) == (AssetState.FAILED, OOPS)


def test_a_finished_upload_may_be_dismissed_and_its_asset_stays(shop: Shop) -> None:
    upload = make(shop)
    assert upload.asset
    shop.catalog.finish_upload(upload.id, SourceRef(key="k", size=9))
    assert not shop.catalog.upload(upload.id).is_dismissed
    shop.catalog.dismiss_upload(upload.id)
    assert shop.catalog.upload(upload.id).is_dismissed
    assert shop.catalog.asset(upload.asset).state is AssetState.INGESTED


def test_the_same_joined_upload_is_known_again(shop: Shop) -> None:
    one, two = part(shop), part(shop)
    first = make(shop, kind="joined", parts=(one, two), raw_metadata="a YQ==")
    same = first.model_copy(update={"id": new_id(2.0), "asset": new_id(3.0)})
    assert shop.catalog.same_joined(same) == first
    for changed in (
        {"parts": (two, one)},
        {"parts": (one,)},
        {"parts": ()},
        {"raw_metadata": ""},
        {"tenant": "other"},
        {"ticket": "t"},
    ):
        assert shop.catalog.same_joined(same.model_copy(update=changed)) is None
    # Finished, it still is; given up, dismissed, or without its asset, it is not
    shop.catalog.finish_upload(first.id, SourceRef(key="k", size=9))
    known = shop.catalog.same_joined(same)
    assert known is not None
    assert known.id == first.id
    shop.catalog.dismiss_upload(first.id)
    assert shop.catalog.same_joined(same) is None
    second = make(shop, kind="joined", parts=(one, two), raw_metadata="a YQ==")
    shop.catalog.terminate_upload(second.id)
    assert shop.catalog.same_joined(same) is None
    third = make(shop, kind="joined", parts=(one, two), raw_metadata="a YQ==")
    assert third.asset
    shop.catalog.finish_upload(third.id, SourceRef(key="k", size=9))
    shop.catalog.delete(third.asset)
    assert shop.catalog.same_joined(same) is None


def test_the_same_joined_upload_asked_for_at_once_is_made_once(shop: Shop) -> None:
    one = part(shop)

    def ask(number: int) -> str:
        now = shop.clock.now()
        asset = Asset(id=new_id(now), tenant="t", created_at=now, policy="development")
        upload = Upload(
            id=new_id(now), asset=asset.id, tenant="t", kind="joined", parts=(one,), length=9, created_at=now,
            expires_at=now + DAY,
        )  # fmt: skip
        return shop.catalog.create_upload(upload, asset, lambda booked: 0).id

    assert len(set(together(4, ask))) == 1
    assert len(shop.catalog.assets(tenant="t")[0]) == 1


def test_uploads_of_before_have_all_that_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a database as an older version left it, with an upload under way and its lease
    database = open_database(f"sqlite:///{tmp_path / 'old.db'}")
    older = [each for each in migrations() if each[0] < "0004"]
    with monkeypatch.context() as patch:
        patch.setattr("rushes.catalog.database.migrations", lambda: older)
        database.migrate()
    name, asset = new_id(1.0), new_id(2.0)
    with database.write() as tx:
        doc = Asset(id=asset, tenant="t", created_at=1.0).model_dump_json()
        columns = {"id": asset, "doc": doc}
        tx.execute("INSERT INTO tenants (id) VALUES ('t')", {})
        tx.execute(
            "INSERT INTO assets (id, tenant, state, publication, created_at, doc, profile, policy)"
            " VALUES (:id, 't', 'uploading', 'private', 1.0, :doc, '{}', '{}')",
            columns,
        )
        tx.execute(
            "INSERT INTO uploads (id, asset, tenant, length, metadata, raw_metadata, created_at, expires_at, state)"
            " VALUES (:id, :asset, 't', 9, '{}', 'raw', 1.0, 2.0, 'open')",
            {"id": name, "asset": asset},
        )
        tx.execute("INSERT INTO upload_holds (upload) VALUES (:id)", {"id": name})
    # When this version opens it / Then the upload is a whole one of its tenant, as it was
    assert "0004_uploads.sql" in database.migrate()
    shop = Shop(database)
    found = shop.catalog.upload(name)
    assert (found.asset, found.kind, found.length, found.parts, found.raw_metadata) == (asset, "whole", 9, (), "raw")
    assert (found.raw_concat, found.ticket, found.secret, found.limits) == ("", None, None, UploadLimits())
    assert ids(shop.catalog.kept_uploads()) == {name}
    assert shop.catalog.reservations() == {name: 9}
    database.close()


def test_a_part_that_was_given_up_does_not_finish(shop: Shop) -> None:
    one = part(shop)
    shop.catalog.terminate_upload(one)
    shop.catalog.finish_part(one, 5.0)
    found = shop.catalog.upload(one)
    assert (found.state, found.expires_at) == ("terminated", shop.clock.now() + DAY)


def test_what_is_fetched_is_reserved_and_kept_like_an_upload(shop: Shop) -> None:
    known, unknown = make(shop, kind="fetched"), make(shop, kind="fetched", length=None)
    shop.catalog.reserve(unknown.id, 70)
    assert shop.catalog.reservations() == {known.id: 9, unknown.id: 70}
    assert shop.catalog.booked("t").day_bytes == 79
    assert ids(shop.catalog.kept_uploads()) == {known.id, unknown.id}
    shop.catalog.finish_upload(unknown.id, SourceRef(key="k", size=11))
    assert shop.catalog.upload(unknown.id).length == 11
    assert shop.catalog.booked("t").day_bytes == 20
