"""The one door to an S3-compatible server: a bucket with a prefix. Thin: each method is one request.

Names are relative to the prefix. What a server answers becomes an error of ours, told apart here and nowhere else.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl, urlsplit
from zlib import crc32

from rushes.settings import SettingsError
from rushes.storage.signing import sign_hashed
from rushes.storage.store import ObjectExists, ObjectMissing, StoreError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, PartTypeDef

_OPTIONS = {
    "endpoint_url": r"https?://.+",
    "region": r"[\w-]+",
    "path_style": "true|false",
    "conditional": "auto|yes|no",
    "timeout": r"\d{1,4}(\.\d+)?",
    "attempts": r"[1-9]\d?",
    "checksum": "crc32|sha256",
}
"""What may stand in the address, and how its values look."""
BULK = 1000
"""Keys that one request may delete (Amazon S3 API reference, DeleteObjects)."""
TIMEOUT = 20.0
"""Seconds without a byte after which a request counts as failed."""
ATTEMPTS = 4
"""Tries of one request, with growing pauses, on connection errors, 500, 503 and throttling."""


class StoreRefused(StoreError):
    """Credentials, bucket or rights are wrong: trying again does not help before an operator acts."""


class StoreQuota(StoreError):
    """The store or the bucket's quota is full."""


class RangeBehindEnd(StoreError):
    """The object has no byte of the range that was asked for."""


class StoreLacks(StoreError):
    """This server does not offer what was asked for, and never will."""


@dataclass(frozen=True)
class Part:
    """A part of a multipart upload. `number` counts from 1."""

    number: int
    etag: str
    size: int
    crc32: str = ""
    """In base 64; only where the multipart upload was started with it."""
    modified: float = 0.0
    """Seconds since the epoch; only of a part that was listed."""


@dataclass(frozen=True)
class Bucket:
    """`s3://name/prefix?endpoint_url=...&region=...&path_style=true`; credentials come from where boto3 looks for them
    (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, a profile, the machine's role), never from the address.

    `conditional=auto|yes|no` says whether puts can be made conditional (auto: we try it once), `timeout` the seconds
    without a byte after which a request counts as failed, `attempts` the tries of one request, `checksum=crc32|sha256`
    how parts of uploads are checked (`crc32`).
    """

    name: str
    prefix: str = ""
    """Empty, or ending in `/`."""
    options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, url: str) -> Bucket:
        """Raises SettingsError."""
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        wrong = [name for name, value in options.items() if not re.fullmatch(_OPTIONS.get(name, "$^"), value)]
        if parts.scheme != "s3" or not parts.hostname or parts.username or wrong:
            raise SettingsError(
                "RUSHES_STORAGE_URL must look like s3://bucket/prefix?endpoint_url=https://s3.example.com&region=eu-1; "
                f"known options are {', '.join(sorted(_OPTIONS))}, and keys belong into AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY."
            )
        prefix = parts.path.strip("/")
        return cls(parts.netloc, f"{prefix}/" if prefix else "", options)

    @cached_property
    def client(self) -> S3Client:
        """Made at the first use: importing boto3 takes 0.2 s. Safe between threads."""
        import boto3
        from botocore.config import Config

        endpoint = self.options.get("endpoint_url") or None
        path_style = self.options.get("path_style", "true" if endpoint else "false") == "true"
        timeout = float(self.options.get("timeout", TIMEOUT))
        config = Config(
            connect_timeout=min(5.0, timeout), read_timeout=timeout, max_pool_connections=32,
            retries={"mode": "standard", "total_max_attempts": int(self.options.get("attempts", ATTEMPTS))},
            signature_version="s3v4",  # else addresses may be presigned by an older rule
            s3={"addressing_style": "path" if path_style else "auto"},
            # Newer defaults send checksum trailers that other servers than Amazon's refuse.
            request_checksum_calculation="when_required", response_checksum_validation="when_required",
        )  # fmt: skip
        region = self.options.get("region") or "us-east-1"
        client = boto3.session.Session().client("s3", endpoint_url=endpoint, region_name=region, config=config)
        sign_hashed(client)
        return client

    @property
    def crc32(self) -> bool:
        """Whether parts of uploads carry a CRC-32 of their own, which the store keeps. Without it, as with it, their
        signature covers a SHA-256 that the server compares. Some servers refuse the header, so it is for Amazon only
        unless `checksum` says otherwise."""
        default = "sha256" if self.options.get("endpoint_url") else "crc32"
        return self.options.get("checksum", default) == "crc32"

    def check(self) -> None:
        """Raises StoreRefused where the bucket is not there or not ours."""
        try:
            with translated(self.name):
                self.client.head_bucket(Bucket=self.name)
        except ObjectMissing as error:
            raise StoreRefused(f"there is no bucket {self.name!r}: make it, or name another one.") from error

    # -- objects ------------------------------------------------------------------------------------------------------

    def put(self, name: str, body: bytes | IO[bytes], **parameters: Any) -> str:  # noqa: ANN401 - boto3's own
        """Gives the ETag. `parameters` are PutObject's: ContentType, CacheControl, IfMatch, IfNoneMatch."""
        with translated(name):
            return self.client.put_object(Bucket=self.name, Key=self.prefix + name, Body=body, **parameters)["ETag"]

    def head(self, name: str) -> dict[str, Any]:
        with translated(name):
            return dict(self.client.head_object(Bucket=self.name, Key=self.prefix + name))

    def get(self, name: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's own
        """`Body` is a stream that the caller closes."""
        with translated(name):
            return dict(self.client.get_object(Bucket=self.name, Key=self.prefix + name, **parameters))

    def read(self, name: str) -> bytes:
        """The whole of a small object."""
        with translated(name):
            return self.client.get_object(Bucket=self.name, Key=self.prefix + name)["Body"].read()

    def delete(self, name: str) -> None:
        with translated(name):
            self.client.delete_object(Bucket=self.name, Key=self.prefix + name)

    def delete_many(self, names: Sequence[str]) -> None:
        """One request for at most `BULK` names. Raises StoreError where some are still there."""
        objects: Any = [{"Key": self.prefix + name} for name in names]
        with translated(names[0]):
            answer = self.client.delete_objects(Bucket=self.name, Delete={"Objects": objects, "Quiet": True})
        if errors := answer.get("Errors"):
            raise StoreError(f"{len(errors)} objects could not be deleted, {errors[0].get('Code')} among the reasons")

    def list(self, prefix: str) -> Iterator[dict[str, Any]]:
        """Key (relative), Size, ETag and LastModified of all objects below, sorted by key."""
        with translated(prefix):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=self.prefix + prefix)
            for page in pages:
                _said(page, "Name", prefix)
                for found in page.get("Contents", ()):
                    yield {**found, "Key": found["Key"].removeprefix(self.prefix)}

    def copy(self, source: str, name: str, *, origin: Bucket | None = None, **parameters: Any) -> None:  # noqa: ANN401 - boto3's own
        """On the server, up to 5 GB; `parameters` are CopyObject's. `origin`: the bucket of the source, on the same server."""
        place = origin or self
        with translated(name):
            self.client.copy_object(
                Bucket=self.name, Key=self.prefix + name,
                CopySource={"Bucket": place.name, "Key": place.prefix + source}, **parameters,
            )  # fmt: skip

    def is_beside(self, other: Bucket) -> bool:
        """Whether it is on the same server, which can copy from one to the other."""
        service = ("endpoint_url", "region")
        return all(
            self.options.get(name, "").rstrip("/") == other.options.get(name, "").rstrip("/") for name in service
        )

    def presign(
        self,
        name: str,
        seconds: int,
        call: Literal["get_object", "upload_part", "complete_multipart_upload"] = "get_object",
        **parameters: Any,  # noqa: ANN401 - boto3's own
    ) -> str:
        """An address by which anyone may make this one call for that long. No request is made."""
        with translated(name):
            values = {"Bucket": self.name, "Key": self.prefix + name, **parameters}
            return self.client.generate_presigned_url(call, Params=values, ExpiresIn=seconds)

    # -- multipart uploads --------------------------------------------------------------------------------------------

    def start(self, name: str, **parameters: Any) -> str:  # noqa: ANN401 - boto3's own
        """Begin a multipart upload; gives its id."""
        with translated(name):
            key = self.prefix + name
            answer = self.client.create_multipart_upload(Bucket=self.name, Key=key, **parameters)
        return str(_said(answer, "UploadId", name))

    def upload_part(
        self,
        name: str,
        upload: str,
        number: int,
        body: bytes | bytearray,
        *,
        checked: bool = False,
        **parameters: Any,  # noqa: ANN401 - boto3's own
    ) -> Part:
        """All parts but the last one have at least 5 MiB. `checked`: with a CRC-32, which the multipart upload was
        started with (`ChecksumAlgorithm`); raises StoreError where the store says that it has another one."""
        sum_ = b64encode(crc32(body).to_bytes(4, "big")).decode() if checked else ""
        check: dict[str, Any] = {"ChecksumCRC32": sum_} if checked else {}
        with translated(name):
            answer = self.client.upload_part(
                Bucket=self.name, Key=self.prefix + name, UploadId=upload, PartNumber=number,
                Body=body, **check, **parameters,  # type: ignore[arg-type] # the stubs do not know that a bytearray will do
            )  # fmt: skip
        if checked and answer.get("ChecksumCRC32", sum_) != sum_:
            raise StoreError(f"{name}: part {number} was stored with another checksum than it was sent with")
        return Part(number, answer["ETag"], len(body), sum_)

    def copy_part(  # noqa: PLR0913 - they are UploadPartCopy's
        self, name: str, upload: str, number: int, source: str, etag: str, span: range, origin: Bucket | None = None
    ) -> Part:  # fmt: skip
        """A part made by the server from the bytes `span` of another object, at least 5 MiB of them. Raises
        ObjectMissing where the source is gone or replaced, or the upload is gone. `origin` as in `copy`."""
        place = origin or self
        try:
            with translated(name):
                answer = self.client.upload_part_copy(
                    Bucket=self.name, Key=self.prefix + name, UploadId=upload, PartNumber=number,
                    CopySource={"Bucket": place.name, "Key": place.prefix + source}, CopySourceIfMatch=etag,
                    CopySourceRange=f"bytes={span[0]}-{span[-1]}",
                )  # fmt: skip
        except ObjectExists as error:
            raise ObjectMissing(f"{source}: the object was replaced while it was being copied") from error
        made = _said(answer, "CopyPartResult", name)
        return Part(number, _said(made, "ETag", name), len(span), made.get("ChecksumCRC32", ""))

    def parts(self, name: str, upload: str) -> Sequence[Part]:
        """Raises ObjectMissing where the upload was completed or aborted."""
        with translated(name):
            pages = self.client.get_paginator("list_parts").paginate(
                Bucket=self.name, Key=self.prefix + name, UploadId=upload
            )
            return [
                _listed(found) for page in pages if _said(page, "UploadId", name) for found in page.get("Parts", ())
            ]

    def complete(self, name: str, upload: str, parts: Sequence[Part]) -> None:
        with translated(name):
            self.client.complete_multipart_upload(
                Bucket=self.name, Key=self.prefix + name, UploadId=upload,
                MultipartUpload={"Parts": [_completed(part) for part in parts]},
            )  # fmt: skip

    def abort(self, name: str, upload: str) -> None:
        with translated(name):
            self.client.abort_multipart_upload(Bucket=self.name, Key=self.prefix + name, UploadId=upload)

    def uploads(self, prefix: str) -> Iterator[dict[str, Any]]:
        """Key (relative), UploadId and Initiated of multipart uploads under way."""
        with translated(prefix):
            pages = self.client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self.name, Prefix=self.prefix + prefix
            )
            for page in pages:
                _said(page, "Bucket", prefix)
                for found in page.get("Uploads", ()):
                    yield {**found, "Key": found["Key"].removeprefix(self.prefix)}


def _said(answer: Mapping[str, Any], field: str, name: str) -> Any:  # noqa: ANN401 - boto3's own
    """What every whole answer says. boto3 takes one whose body was cut off at its beginning for an empty one, and so a
    listing that broke off for a bucket without objects."""
    if field not in answer:
        raise StoreError(f"{name}: the object store broke off its answer")
    return answer[field]


def _listed(found: PartTypeDef) -> Part:
    modified = found["LastModified"].timestamp()
    return Part(found["PartNumber"], found["ETag"], found["Size"], found.get("ChecksumCRC32", ""), modified)


def _completed(part: Part) -> CompletedPartTypeDef:
    named: CompletedPartTypeDef = {"PartNumber": part.number, "ETag": part.etag}
    return {**named, "ChecksumCRC32": part.crc32} if part.crc32 else named


_KINDS: dict[type[StoreError], frozenset[str]] = {
    ObjectMissing: frozenset({"404", "NoSuchKey", "NoSuchUpload", "NotFound"}),
    ObjectExists: frozenset({"412", "ConditionalRequestConflict", "PreconditionFailed"}),
    StoreRefused: frozenset(
        {"401", "403", "AccessDenied", "InvalidAccessKeyId", "NoSuchBucket", "SignatureDoesNotMatch"}
    ),
    StoreQuota: frozenset({"507", "InsufficientStorage", "QuotaExceeded", "XMinioStorageFull"}),
    StoreLacks: frozenset({"405", "501", "MethodNotAllowed", "NotImplemented"}),
    RangeBehindEnd: frozenset({"416", "InvalidRange"}),
}
"""Codes of the answers, or their status where there is no body to read a code from (HEAD)."""


@contextmanager
def translated(name: str) -> Iterator[None]:
    """boto3's errors as ours, with what failed but without the server's address or keys."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        said = f"{name}: {error.operation_name} was answered with {code or 'an error'}"
        raise _kind(code)(said) from error
    except NoCredentialsError as error:
        raise StoreRefused("there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.") from error
    except BotoCoreError as error:  # time-outs, refused and broken connections
        raise StoreError(f"{name}: the object store did not answer ({type(error).__name__})") from error


def _kind(code: str) -> type[StoreError]:
    return next((kind for kind, codes in _KINDS.items() if code in codes), StoreError)
