"""Encodes plain data (the types of JSON) in few bytes: the arguments of the architecture in a file's header.

A value is a varint, kind + 8 * number, and what its kind adds:

    kind  number                     then
    0     the integer, from 0
    1     -1 - the integer, below 0
    2     length of the text         the text, UTF-8
    3     length of the decimal      a float as Python's repr writes it: the shortest decimal that reads back as it
    4     length of the list         its values
    5     length of the mapping      its pairs
    6     0 null, 1 false, 2 true

A pair is a key and a value; keys ascend. A key is a varint: 0 for ``input_shape``, 1 for ``num_outputs``, which tasks
give to most architectures, else 2 + the length of the key, and the key in UTF-8. Arguments are pairs and nothing else.
Each value has one encoding, and any other is refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from trainers.coding.bytestream import Reader, RfzError, put_varint

MAX_NESTING = 8
_MAX_BITS = 14_000
"""The most bits of a varint: Python refuses to print the digits of longer integers."""
_NAMES = ("input_shape", "num_outputs")
_NATURAL, _NEGATIVE, _TEXT, _FLOAT, _LIST, _MAPPING, _SINGLETON = range(7)
_NUM_KINDS = 8
_SINGLETONS = (None, False, True)


def encode(arguments: Mapping[str, Any]) -> bytes:
    """Return the one encoding of ``arguments``; tuples are encoded as lists.

    Raises:
        ValueError: a value is not what JSON has, not finite, or nested deeper than ``MAX_NESTING``.
    """
    out = bytearray()
    _put_pairs(out, arguments, MAX_NESTING - 1)
    return bytes(out)


def decode(data: bytes) -> dict[str, Any]:
    """The inverse of ``encode``.

    Raises:
        RfzError: ``encode`` cannot have written this.
    """
    reader = Reader(data)
    arguments: dict[str, Any] = {}
    try:
        while reader.remaining:
            key = _take_key(reader)
            arguments[key] = _take_value(reader, MAX_NESTING - 1)
        again = encode(arguments)
    except RfzError:
        raise
    except ValueError as error:
        raise RfzError(f"the header is malformed: architecture arguments: {error}") from error
    if again != data:
        raise RfzError("the header is malformed: architecture arguments are not in the one encoding that they have")
    return arguments


def _put_pairs(out: bytearray, pairs: Mapping[str, Any], levels: int) -> None:
    for key in pairs:
        if not isinstance(key, str):
            raise ValueError(f"key {key!r} is {type(key).__name__}, wanted text")
    for key in sorted(pairs):
        if key in _NAMES:
            put_varint(out, _NAMES.index(key))
        else:
            text = key.encode()
            put_varint(out, len(_NAMES) + len(text))
            out += text
        _put_value(out, pairs[key], levels)


def _put_value(out: bytearray, value: Any, levels: int) -> None:
    if levels < 0:
        raise ValueError(f"they nest deeper than {MAX_NESTING}")
    if value is None or isinstance(value, bool):
        _put_head(out, _SINGLETON, _SINGLETONS.index(value))
    elif isinstance(value, int):
        _put_head(out, _NATURAL if value >= 0 else _NEGATIVE, value if value >= 0 else -1 - value)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is not finite")
        _put_text(out, _FLOAT, float.__repr__(value))
    elif isinstance(value, str):
        _put_text(out, _TEXT, value)
    elif isinstance(value, list | tuple):
        _put_head(out, _LIST, len(value))
        for item in value:
            _put_value(out, item, levels - 1)
    elif isinstance(value, Mapping):
        _put_head(out, _MAPPING, len(value))
        _put_pairs(out, value, levels - 1)
    else:
        raise ValueError(f"a value is {type(value).__name__}, wanted what JSON has")


def _put_head(out: bytearray, kind: int, number: int) -> None:
    head = kind + _NUM_KINDS * int(number)
    if head.bit_length() > _MAX_BITS:
        raise ValueError(f"an integer has more than {_MAX_BITS} bits")
    put_varint(out, head)


def _put_text(out: bytearray, kind: int, text: str) -> None:
    encoded = text.encode()
    _put_head(out, kind, len(encoded))
    out += encoded


def _take_key(reader: Reader) -> str:
    number = reader.varint()
    return _NAMES[number] if number < len(_NAMES) else reader.take(number - len(_NAMES)).decode()


def _take_value(reader: Reader, levels: int) -> Any:
    if levels < 0:
        raise ValueError(f"they nest deeper than {MAX_NESTING}")
    number, kind = divmod(reader.varint(num_bits=_MAX_BITS), _NUM_KINDS)
    if kind == _NATURAL:
        return number
    if kind == _NEGATIVE:
        return -1 - number
    if kind == _SINGLETON and number < len(_SINGLETONS):
        return _SINGLETONS[number]
    if kind > _MAPPING:
        raise ValueError(f"a value is none of kind {kind} that there are")
    if number > reader.remaining:  # an item has a byte or more
        raise ValueError(f"a value is longer than the {reader.remaining} bytes that are left")
    if kind == _TEXT:
        return reader.take(number).decode()
    if kind == _FLOAT:
        return float(reader.take(number).decode())
    if kind == _LIST:
        return [_take_value(reader, levels - 1) for _ in range(number)]
    pairs: dict[str, Any] = {}
    for _ in range(number):
        key = _take_key(reader)
        pairs[key] = _take_value(reader, levels - 1)
    return pairs
