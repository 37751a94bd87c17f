"""An HTTPS server of files that misbehaves on order, with an authority of its own. Runs in threads of the test's process.

with file_server(folder) as server:
    server.files["/clip.mp4"] = File(data, cuts=[1000])   # the first answer breaks off after 1000 bytes
    server.url("/clip.mp4"), server.ca_file
"""

from __future__ import annotations

import datetime
import ipaddress
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

BLOCK = 64 * 1024


@dataclass
class File:
    """What a path answers with. Everything but `data` is a way to misbehave."""

    data: bytes = b""
    etag: str | None = '"one"'
    modified: str | None = None
    status: int = 0
    """Another status than 200 or 206, for `refusals` requests (-1: for all)."""
    refusals: int = -1
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    heeds_if_range: bool = True
    cuts: list[int] = field(default_factory=list)
    """Of each answer in turn: the bytes of the body after which the connection is reset."""
    chunked: bool = False
    said: int | None = None
    """A length that is not true."""
    shift: int = 0
    """A part begins so many bytes before the one that was asked for."""
    after_cut: Callable[[File], None] | None = None
    """Done once, after the first cut: the file changes."""
    gate: threading.Event | None = None
    """The answers stop in the middle until it is set."""
    endless: bool = False
    drips: bool = False
    """The headers come byte by byte, and never end."""


class Seen:
    def __init__(self, path: str, headers: dict[str, str]) -> None:
        self.path, self.headers = path, headers


class FileServer:
    def __init__(self, folder: Path) -> None:
        self.files: dict[str, File] = {}
        self.seen: list[Seen] = []
        self.ca_file = folder / "ca.pem"
        chain = _certificates(folder)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(chain)
        self._http = _Server(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._http.socket = context.wrap_socket(
            self._http.socket, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=True
        )
        self.port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def url(self, path: str, host: str = "localhost") -> str:
        return f"https://{host}:{self.port}{path}"

    def ranges(self, path: str) -> list[str | None]:
        """What was asked for, request by request."""
        return [seen.headers.get("range") for seen in self.seen if seen.path == path]

    def stop(self) -> None:
        for each in self.files.values():
            if each.gate:
                each.gate.set()
        self._http.shutdown()
        self._http.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is what these tests are about."""


@contextmanager
def file_server(folder: Path) -> Iterator[FileServer]:
    folder.mkdir(parents=True, exist_ok=True)
    server = FileServer(folder)
    try:
        yield server
    finally:
        server.stop()


def _handler(server: FileServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            server.seen.append(Seen(self.path, headers))
            found = server.files.get(self.path)
            with suppress(OSError):
                _answer(self, found if found else File(status=404), headers)

    return Handler


def _answer(handler: BaseHTTPRequestHandler, file: File, asked: dict[str, str]) -> None:
    if file.status and file.refusals != 0:
        file.refusals -= 1
        handler.send_response(file.status)
        for name, value in {"Content-Length": "0", **file.headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        return
    if file.drips:
        _drip(handler)
        return
    start, status = _start(file, asked)
    if status == 416:
        handler.send_response(416)
        handler.send_header("Content-Range", f"bytes */{len(file.data)}")
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    start -= file.shift if status == 206 else 0
    body = file.data[start:]
    handler.send_response(status)
    if file.chunked:
        handler.send_header("Transfer-Encoding", "chunked")
    elif "Content-Length" not in file.headers:
        handler.send_header("Content-Length", str(file.said if file.said is not None else len(body)))
    if status == 206:
        handler.send_header("Content-Range", f"bytes {start}-{len(file.data) - 1}/{len(file.data)}")
    for name, value in (("ETag", file.etag), ("Last-Modified", file.modified), *file.headers.items()):
        if value:
            handler.send_header(name, value)
    handler.end_headers()
    _send(handler, file, body)


def _drip(handler: BaseHTTPRequestHandler) -> None:
    """Until the client goes away."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        handler.wfile.write(b"x")
        threading.Event().wait(0.02)


def _start(file: File, asked: dict[str, str]) -> tuple[int, int]:
    match = re.fullmatch(r"bytes=(\d+)-", asked.get("range", ""))
    same = asked.get("if-range") in (None, file.etag, file.modified) or not file.heeds_if_range
    if not (match and same and file.ranges):
        return 0, 200
    return int(match[1]), 206 if int(match[1]) < len(file.data) else 416


def _send(handler: BaseHTTPRequestHandler, file: File, body: bytes) -> None:
    cut = file.cuts.pop(0) if file.cuts else None
    sent = 0
    while file.endless or sent < len(body):
        block = body[:BLOCK] if file.endless else body[sent : sent + BLOCK]
        if cut is not None:
            block = block[: cut - sent]
        if block:
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(block), block) if file.chunked else block)
        sent += len(block)
        if cut is not None and sent >= cut:
            _reset(handler, file)
            return
        if file.gate and sent * 2 >= len(body):
            file.gate.wait(60)
    if file.chunked:
        handler.wfile.write(b"0\r\n\r\n")
    if file.said is not None:
        handler.close_connection = True


def _reset(handler: BaseHTTPRequestHandler, file: File) -> None:
    handler.wfile.flush()
    change, file.after_cut = file.after_cut, None
    if change:
        change(file)
    handler.close_connection = True
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 1))
    handler.connection.shutdown(socket.SHUT_WR)


def _certificates(folder: Path) -> Path:
    """`ca.pem`, and a chain with its key for localhost."""
    now = datetime.datetime.now(datetime.UTC)
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])

    def build(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        day = datetime.timedelta(days=1)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(ca_name).public_key(public)
        serial = x509.random_serial_number()
        return builder.serial_number(serial).not_valid_before(now - day).not_valid_after(now + day)

    own_id = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    ca = build(ca_name, ca_key.public_key()).add_extension(x509.BasicConstraints(True, None), critical=True)
    ca = ca.add_extension(own_id, critical=False)
    ca_certificate = ca.add_extension(usage, critical=True).sign(ca_key, hashes.SHA256())
    names = [x509.DNSName("localhost"), x509.DNSName("files.test"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    leaf = build(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), key.public_key())
    leaf = leaf.add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own_id), critical=False)
    certificate = leaf.add_extension(x509.SubjectAlternativeName(names), critical=False).sign(ca_key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(ca_certificate.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain = folder / "chain.pem"
    chain.write_bytes(private + certificate.public_bytes(pem))
    return chain
