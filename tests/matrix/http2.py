# SPDX-License-Identifier: Apache-2.0
"""A call over bare HTTP/2, with header values that no gRPC library would send."""

import socket
import ssl
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.matrix.peers import grpc_name

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _GO_AWAY = 0, 1, 3, 4, 7
_END_STREAM, _ACKNOWLEDGED, _END_HEADERS = 1, 1, 4
_SECONDS = 10.0
_STATUS = b"grpc-status"


def raw_call(
    path: Path,
    host: str,
    authority: Path,
    leaf: tuple[Path, Path],
    method: str,
    headers: Mapping[str, bytes],
) -> str:
    """An empty message to `method`; the name of the gRPC status, or RESET where none came.

    `path` is the service's socket, `leaf` the files of certificate and key.
    """
    context = ssl.create_default_context(cafile=str(authority))
    context.load_cert_chain(*leaf)
    context.set_alpn_protocols(["h2"])
    fields = {
        ":method": b"POST",
        ":scheme": b"https",
        ":path": method.encode(),
        ":authority": host.encode(),
        "content-type": b"application/grpc",
        "te": b"trailers",
        "grpc-timeout": b"5S",
        **headers,
    }
    block = b"".join(_literal(name, value) for name, value in fields.items())
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as plain:
        plain.settimeout(_SECONDS)
        plain.connect(str(path))
        with context.wrap_socket(plain, server_hostname=host) as stream:
            stream.sendall(_PREFACE + _frame(_SETTINGS, 0, 0, b""))
            stream.sendall(_frame(_HEADERS, _END_HEADERS, 1, block))
            stream.sendall(_frame(_DATA, _END_STREAM, 1, b"\0" * 5))
            return _status(stream)


def _status(stream: ssl.SSLSocket) -> str:
    for kind, flags, number, payload in _frames(stream):
        if kind == _SETTINGS and not flags & _ACKNOWLEDGED:
            stream.sendall(_frame(_SETTINGS, _ACKNOWLEDGED, 0, b""))
        elif kind == _GO_AWAY or (kind == _RESET and number == 1):
            return "RESET"
        elif kind == _HEADERS and _STATUS in payload:
            # A literal: the name, the length of the value, the value.
            value = payload.partition(_STATUS)[2]
            return grpc_name(int(value[1 : 1 + value[0]]))
    return "RESET"


def _frames(stream: ssl.SSLSocket) -> Iterator[tuple[int, int, int, bytes]]:
    while len(head := _read(stream, 9)) == 9:
        length = int.from_bytes(head[:3], "big")
        kind, flags, number = struct.unpack(">BBL", head[3:])
        yield kind, flags, number, _read(stream, length)


def _read(stream: ssl.SSLSocket, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := stream.recv(size - len(data))):
        data += more
    return data


def _frame(kind: int, flags: int, number: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack(">BBL", kind, flags, number) + payload


def _literal(name: str, value: bytes) -> bytes:
    return b"\0" + _length(len(name)) + name.encode() + _length(len(value)) + value


def _length(size: int) -> bytes:
    """An integer of HPACK with a prefix of seven bits, no Huffman coding."""
    if size < 127:
        return bytes([size])
    encoded, rest = b"\x7f", size - 127
    while rest > 127:
        encoded, rest = encoded + bytes([rest & 127 | 128]), rest >> 7
    return encoded + bytes([rest])
