"""Whether what is beside the face changes its colour with the face: then it is the light or the camera, and no blood.

A white balance that hunts, and a lamp that changes its tint, can give skin the very colours that blood gives it. They
give them to the wall and to the clothes, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rppg_core.numerics import TINY, over_channels, over_regions
from rppg_core.trace.sampling import is_sparse, seen_colours
from rppg_core.trace.witnesses import COLOURS, CONTROLS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rppg_core.trace.traces import Trace

_MIN_SEEN = 0.9  # share of the frames in which a patch must be seen
_DARKEST, _BRIGHTEST = 12.0, 245.0  # levels: a channel beyond is cut off, or rounding
_LEAST_PATCHES = 2  # one alone may be a neck, which has a pulse
_BESIDE = [CONTROLS.index("left"), CONTROLS.index("right")]  # above and below may be a bald head and a bare chest
_FEWEST = 8  # frames
_DRIFT_HZ, _MOST_DRIFTS, _EVEN_DRIFTS = 0.4, 48, 3  # what is slower is drift, by so many cosines
_AROUND = np.arange(-2, 3) / 2  # around the rate, in widths of a tone
_WITH_THE_FACE = 0.8  # cosine between the changes of a patch and of the face
_LEAST, _MOST = 0.35, 3.0  # size of a patch's change over the face's: a wall in other light, skin beside grey


def changes_with_face(trace: Trace, rate_hz: float) -> bool:
    """Whether half of the patches beside the face change their colour at a rate as the face does, in step and size.

    Brightness is left out: motion and exposure change it everywhere, and what changes it alone has no blood's hue. In
    real pictures noise and motion leave a patch some colour at any rate; that two of them have the face's own, in its
    phase and about its size, hardly ever comes by chance. One of them has to be left or right of the head: those above
    and below it may both be skin.

    Parameters
    ----------
    trace : Trace
        Without witnesses nothing is known of what is beside the face.
    rate_hz : float
        Of the supposed pulse.
    """
    patches, places = _patches(trace)
    if patches.shape[1] < _LEAST_PATCHES or len(trace.times_s) < _FEWEST:
        return False
    times = trace.times_s - trace.times_s[0]
    colours, regions = seen_colours(times, trace.colours)
    if not len(regions):
        return False
    skin = np.log(np.maximum(over_regions(colours), 1.0))
    tones = _tones(times, np.concatenate([skin[:, None], patches], axis=1), rate_hz)
    face, others = tones[:, 0].ravel(), tones[:, 1:].swapaxes(0, 1).reshape(patches.shape[1], -1)
    size, sizes = np.linalg.norm(face), np.linalg.norm(others, axis=1)
    alike = (others @ face.conj()).real >= _WITH_THE_FACE * size * sizes
    alike &= (sizes >= _LEAST * size) & (sizes <= _MOST * size) & (size > TINY)
    enough = alike.sum() >= max(_LEAST_PATCHES, len(alike) / 2)
    return bool(enough and np.isin(places[alike], _BESIDE).any())


def _patches(trace: Trace) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Logarithms of the colours (n, k, 3) of the patches that are seen, neither black nor burnt; and their places."""
    n = len(trace.times_s)
    if trace.witness is None:
        return np.zeros((n, 0, 3)), np.zeros(0, np.intp)
    levels = trace.witness[:, COLOURS].reshape(n, len(CONTROLS), 3)
    finite = np.asarray(np.isfinite(levels).all(axis=2))
    kept, places = [], []
    for patch in np.flatnonzero(finite.mean(axis=0) >= _MIN_SEEN):
        seen, level = finite[:, patch], levels[:, patch]
        if (
            not (np.median(level[seen], axis=0) >= _DARKEST).all()
            or (np.median(level[seen], axis=0) > _BRIGHTEST).any()
        ):
            continue
        logs = np.log(np.maximum(level[seen], 1.0))
        if not seen.all():
            times = trace.times_s
            logs = np.stack([np.interp(times, times[seen], logs[:, channel]) for channel in range(3)], axis=1)
        kept.append(logs)
        places.append(patch)
    return np.stack(kept, axis=1) if kept else np.zeros((n, 0, 3)), np.array(places, np.intp)


def _tones(times: NDArray[np.float64], logs: NDArray[np.float64], rate_hz: float) -> NDArray[np.complex128]:
    """What logarithms of colours (n, k, 3) do around a rate, what all channels share taken out: (5, k, 3)."""
    n, k, _ = logs.shape
    tints = (logs - over_channels(logs)[..., None]).reshape(n, -1)
    span = max(float(times[-1]), TINY)
    place = times / span
    # Hann's window keeps drift off the rate of even frames. Among uneven ones drift leaks everywhere, and is fitted.
    waves = min(int(2 * span * _DRIFT_HZ), _MOST_DRIFTS, n // 4) if is_sparse(times) else _EVEN_DRIFTS
    drift = np.linalg.qr(np.cos(np.pi * np.outer(place, np.arange(max(waves, _EVEN_DRIFTS)))))[0]
    tints = tints - drift @ (drift.T @ tints)
    hann = np.sin(np.pi * place) ** 2
    turns = hann * np.exp(-2j * np.pi * (rate_hz + _AROUND / span)[:, None] * times)
    return np.asarray((turns @ tints).reshape(len(_AROUND), k, 3))
