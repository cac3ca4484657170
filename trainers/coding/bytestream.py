"""Variable-length integers, and a reader that never runs past the end of what it was given."""

from __future__ import annotations


class RfzError(ValueError):
    """A ``.rfz`` file is damaged, foreign, newer than this program, or does not fit the architecture."""


def zigzag(value: int) -> int:
    """Map signed to unsigned integers, small magnitudes first: 0, -1, 1, -2 become 0, 1, 2, 3."""
    return 2 * value if value >= 0 else -2 * value - 1


def unzigzag(value: int) -> int:
    return value // 2 if value % 2 == 0 else -(value + 1) // 2


def put_varint(out: bytearray, value: int) -> None:
    """Append ``value`` as unsigned LEB128: seven bits a byte, lowest first."""
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def put_bytes(out: bytearray, data: bytes) -> None:
    """Append the length of ``data`` as a varint, then ``data``."""
    put_varint(out, len(data))
    out += data


class Reader:
    """Reads forward through bytes; every read is checked against the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    @property
    def remaining(self) -> int:
        return len(self._data) - self.position

    def take(self, num_bytes: int) -> bytes:
        if num_bytes > self.remaining:
            raise RfzError(f"the file is malformed: {num_bytes} bytes wanted where {self.remaining} are left")
        start = self.position
        self.position += num_bytes
        return self._data[start : self.position]

    def varint(self, *, num_bits: int = 63) -> int:
        value = shift = 0
        while shift < num_bits:
            (byte,) = self.take(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
        raise RfzError(f"the file is malformed: a number has more than {num_bits} bits")

    def prefixed_bytes(self, *, at_most: int) -> bytes:
        """Read what ``put_bytes`` wrote."""
        length = self.varint()
        if length > at_most:
            raise RfzError(f"the file is malformed: a text of {length} bytes where at most {at_most} may be")
        return self.take(length)
