"""Memory of pictures that is used again.

Memory that is new to a process is filled with zeros by the system, page by page, when it is first touched. For the
pictures of a video that costs as much as converting them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_MOST_BYTES = 64_000_000  # that are kept while nobody uses them


class PictureMemory:
    """Arrays for pictures: new ones, or those of pictures that were given back."""

    def __init__(self) -> None:
        self._free: list[NDArray[np.uint8]] = []
        self._bytes = 0

    def take(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """An array of uint8 with any content."""
        if self._free and self._free[-1].shape == shape:
            array = self._free.pop()
            self._bytes -= array.nbytes
            return array
        self.clear()
        return np.empty(shape, np.uint8)

    def give_back(self, pictures: Iterable[NDArray[np.uint8]]) -> None:
        """Have pictures overwritten by later ones: nothing may use them any more, nor a part of one."""
        for picture in pictures:
            if picture.base is None and self._bytes + picture.nbytes <= _MOST_BYTES:
                self._free.append(picture)
                self._bytes += picture.nbytes

    def clear(self) -> None:
        """Keep nothing."""
        self._free.clear()
        self._bytes = 0
