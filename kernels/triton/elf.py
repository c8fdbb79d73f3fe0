"""Reads a cubin: the registers and the local memory of its kernel, as the assembler wrote them into the ELF.

A cubin is an ELF file. Its section ``.nv.info`` is a list of attributes, each a format byte, a kind byte and two
bytes of size or value; those of 8 bytes hold a symbol's number and a value (CUDA binary utilities, "EIATTR").
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_SECTION_HEADERS_AT, _SECTION_COUNT_AT = 0x28, 0x3A
_SIZED = 0x04
_FRAME_SIZE, _REGISTER_COUNT = 0x11, 0x2F


class NotACubin(ValueError):  # noqa: N818 (it names what is wrong, as KeyError's kin do)
    """These bytes are no cubin, or one without the attributes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """Of one thread: registers, and bytes of local memory, which holds what did not fit into registers."""

    registers: int
    local_bytes: int


def read(cubin: bytes) -> Taken:
    """Read the largest of its kernels' figures.

    Raises
    ------
    NotACubin
        It is not a 64-bit ELF file with a section ``.nv.info`` that tells registers.
    """
    if cubin[:5] != b"\x7fELF\x02":
        raise NotACubin("no 64-bit ELF file")
    attributes = dict(_sections(cubin)).get(b".nv.info", b"")
    found: dict[int, list[int]] = {_REGISTER_COUNT: [], _FRAME_SIZE: []}
    at = 0
    while at + 4 <= len(attributes):
        form, kind, size = struct.unpack_from("<BBH", attributes, at)
        at += 4
        if form == _SIZED:
            if kind in found and size == 8:
                found[kind].append(struct.unpack_from("<II", attributes, at)[1])
            at += size
    if not found[_REGISTER_COUNT]:
        raise NotACubin("no section .nv.info that tells registers")
    return Taken(registers=max(found[_REGISTER_COUNT]), local_bytes=max(found[_FRAME_SIZE], default=0))


def _sections(cubin: bytes) -> list[tuple[bytes, bytes]]:
    (table,) = struct.unpack_from("<Q", cubin, _SECTION_HEADERS_AT)
    entry_size, count, names_in = struct.unpack_from("<HHH", cubin, _SECTION_COUNT_AT)
    headers = [struct.unpack_from("<IIQQQQ", cubin, table + entry_size * place) for place in range(count)]
    names = headers[names_in][4]
    sections = []
    for name, _, _, _, offset, size in headers:
        end = cubin.index(b"\0", names + name)
        sections.append((cubin[names + name : end], cubin[offset : offset + size]))
    return sections
