"""Codes the integers of a file's tensors, one after the other, by a model that learns from all that came before."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainers.coding.forms import Form, Forms, as_matrix, kernel_size, live_block
from trainers.coding.model import Ints, Model, Notes
from trainers.coding.stream import StreamReader
from trainers.coding.structure import grid_width

_SMALL = 1 << 18
"""Up to so many values all forms of a matrix are tried."""


class ContextCoder:
    """The model of one file, and the forms of its tensors."""

    def __init__(self) -> None:
        self._model, self._forms = Model(), Forms()

    def note(self, values: Ints) -> Notes:
        """Learn a tensor, in the form that takes the fewest bits; returns these."""
        live = live_block(as_matrix(values))
        tries = [self._try(values.shape, live, form) for form in _forms_of(values.shape, live)]
        notes, self._model, self._forms = min(tries, key=lambda one: one[0].information_bits())
        return notes

    def read(self, tensor: tuple[int, ...], reader: StreamReader) -> Ints:
        """Read a tensor of a shape, and learn it.

        Raises:
            RfzError: the stream does not hold one.
        """

        def read_bit(state: int, bit: int) -> int:
            found = reader.read_bit(self._model.form_odds(state))
            self._model.learn_form(state, found)
            return found

        form = self._forms.code(tensor, Form(), read_bit)
        values = np.zeros(tensor, np.int32)
        if form.num_rows:
            size = (form.num_columns, form.num_rows) if form.is_transposed else (form.num_rows, form.num_columns)
            live = reader.read_matrix(self._model, *size, form.shape(tensor))
            as_matrix(values)[: form.num_rows, : form.num_columns] = live.T if form.is_transposed else live
        return values

    def _try(self, tensor: tuple[int, ...], live: Ints, form: Form) -> tuple[Notes, Model, Forms]:
        model, forms = self._model.copy(), self._forms.copy()
        bits: list[int] = []
        ones: list[int] = []

        def note_bit(state: int, bit: int) -> int:
            bits.append(int(bit))
            ones.append(model.form_odds(state))
            model.learn_form(state, int(bit))
            return int(bit)

        forms.code(tensor, form, note_bit)
        head = Notes(bits=np.array(bits, np.uint8), ones=np.array(ones, np.uint16))
        if not live.size:
            return head, model, forms
        notes = model.note(live.T if form.is_transposed else live, form.shape(tensor))
        bits_ = np.concatenate((head.bits, notes.bits))
        return Notes(bits=bits_, ones=np.concatenate((head.ones, notes.ones))), model, forms


def _forms_of(tensor: tuple[int, ...], live: Ints) -> Iterator[Form]:
    """The forms that are worth a try."""
    num_rows, num_columns = live.shape
    yield Form(num_rows=num_rows, num_columns=num_columns)
    if not live.size or len(tensor) < 2 or kernel_size(tensor) > 1:
        return
    for is_transposed in (False, True) if live.size <= _SMALL else (False,):
        if is_transposed:
            yield Form(num_rows=num_rows, num_columns=num_columns, is_transposed=True)
        width = grid_width(np.ascontiguousarray(live.T) if is_transposed else live)
        if width:
            yield Form(num_rows=num_rows, num_columns=num_columns, width=width, is_transposed=is_transposed)
