"""Frames of one person to samples: decode, follow the face, verify it, reduce to skin colours.

dlib's landmarks look like a face even on a wall, so a followed face is verified by the detector: on every frame of
a small request, on the first and last frame of a large one, after a gap, and wherever the colours jump. If a check
fails, the frames before it are checked backwards to the last verified one, and what fails is rejected.

While no face is seen, only some frames of a request are searched: the first, one in the middle, and the last. From a
face that is found in one of them, the frames that were passed over are followed backwards.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from rppg_core.errors import NoFaceDetected, RppgError, UnsupportedImage
from rppg_core.face.ahead import FOLLOW_US, Memory, Step, steps
from rppg_core.face.company import Company, is_due
from rppg_core.face.face import BoxRule, Face
from rppg_core.face.faces import FaceFinder
from rppg_core.face.reduction import is_grey, jumps, sample_of
from rppg_core.face.regions import fit
from rppg_core.media import images

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rppg_core.trace.traces import Sample

_NEAR_US = 5_000_000  # up to this gap, the search begins at the last place
_SMALL_REQUEST = 5  # requests with fewer frames have each of them verified
_SEARCHES = 4
"""Thorough searches of a request; quick ones after that. A face that only these would find is found at the next
request."""

_STATE, _TURN = struct.Struct("<qII16d"), struct.Struct("<h")
_PLAIN_SIZE = _STATE.size + len(Company().to_bytes())
_SIZES = {
    _STATE.size,
    _PLAIN_SIZE,
    _PLAIN_SIZE + _TURN.size,
}  # without company: of an older version; and of a rolled face


@dataclass(frozen=True, slots=True)
class Frame:
    """An image and its capture time in whole microseconds.

    `data` is a JPEG's or PNG's bytes, or upright RGB pixels (height, width, 3) uint8 that something else decoded, or
    what becomes such pixels.
    """

    time_us: int
    data: bytes | NDArray[np.uint8] | images.Picture

    def image(self, into: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        """The upright RGB pixels, in the memory of `into` if they fit; raises as `images.decode` does."""
        if isinstance(self.data, bytes):
            return images.decode(self.data, into)
        return self.data if isinstance(self.data, np.ndarray) else self.data.pixels()


@dataclass(frozen=True, slots=True, eq=False)
class FaceState:
    """Where a face was seen and verified, so that the next frame need not search for it."""

    time_us: int
    frame_size: tuple[int, int]  # width, height in pixels
    face: Face
    company: Company = field(default_factory=Company)

    def to_bytes(self) -> bytes:
        """Pack losslessly, so that following goes on exactly in another process."""
        face = self.face
        rule = (face.rule.right, face.rule.down, face.rule.side)
        numbers = (*face.landmarks.ravel(), *face.centre, face.side, *rule)
        turn = _TURN.pack(face.turn) if face.turn else b""
        return _STATE.pack(self.time_us, *self.frame_size, *numbers) + self.company.to_bytes() + turn

    @classmethod
    def from_bytes(cls, packed: bytes) -> FaceState | None:
        """Undo `to_bytes`; None for anything else (soft state: what can't be read means a fresh search)."""
        if len(packed) not in _SIZES:
            return None
        time_us, width, height, *numbers = _STATE.unpack_from(packed)
        values = np.array(numbers)
        if not np.all(np.isfinite(values)) or values[12] <= 0:
            return None
        turn = _TURN.unpack_from(packed, _PLAIN_SIZE)[0] if len(packed) > _PLAIN_SIZE else 0
        face = Face(values[:10].reshape(5, 2), (numbers[10], numbers[11]), numbers[12], BoxRule(*numbers[13:]), turn)
        return cls(time_us, (width, height), face, Company.from_bytes(packed[_STATE.size : _PLAIN_SIZE]))

    @property
    def landmarks(self) -> NDArray[np.float64]:
        """Shape (5, 2): x and y of the eyes' corners and the nose's base as fractions of the upright image."""
        return self.face.landmarks / self.frame_size

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, width, height of the face, brow to chin, as fractions of the upright image."""
        return box_of(self.face.landmarks, self.frame_size)


def box_of(landmarks: NDArray[np.float64], frame_size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Box of the face with these landmarks, shape (5, 2) in pixels, as `FaceState.box`."""
    place = fit(landmarks)
    half = np.array([1.15, 1.5] if place.quarters % 2 == 0 else [1.5, 1.15]) * float(place.pose[2])
    centre = place.matrix @ (0.0, 0.5, 1.0)
    left, top = np.clip((centre - half) / frame_size, 0, 1)
    right, bottom = np.clip((centre + half) / frame_size, 0, 1)
    return float(left), float(top), float(right - left), float(bottom - top)


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What became of one frame: its sample and face, or the error that rejects it."""

    time_us: int
    sample: Sample | None = None
    face: FaceState | None = None
    error: RppgError | None = None


@dataclass(slots=True)
class _Missed:
    """Searches in vain since a face was last seen in a request."""

    refusal: NoFaceDetected  # of the last one
    next_search: int  # place of the frame that is searched next
    passed_over: list[int] = field(default_factory=list)  # places of the frames since the last one


@dataclass(slots=True)
class _Walk:
    """A request on its way through its frames, in the order of their times."""

    frames: list[Frame]
    readings: list[Reading]
    start: FaceState | None
    state: FaceState | None
    unverified: list[int] = field(default_factory=list)
    last_colours: NDArray[np.float32] | None = None
    searches: int = 0
    missed: _Missed | None = None


class FaceReader:
    """Reads frames with one landmark model; holds no state of any person. Safe to share between threads."""

    def __init__(self, landmarks: str = "5", *, finder: FaceFinder | None = None) -> None:
        """`landmarks`: "5", "68", or a path to a dlib shape predictor, unless there is a `finder` already.

        Raises ModelUnavailable.
        """
        self._finder = finder or FaceFinder(landmarks)

    @property
    def landmarks_by(self) -> str:
        """What evaluates the landmark model: "compiled code", or "dlib", which places them alike at a higher cost."""
        return self._finder.landmarks_by

    def beside(self) -> FaceReader:
        """Another one with the same model, which never waits for this one's detectors."""
        return FaceReader(finder=self._finder.beside())

    def read(self, frames: Sequence[Frame], last: FaceState | None = None) -> list[Reading]:
        """Read the frames of one request; the readings come in the order of `frames`.

        Parameters
        ----------
        frames : sequence of Frame
            In any order: faces are followed in the order of capture.
        last : FaceState, optional
            The newest verified face of this person so far.

        Returns
        -------
        list of Reading
            One per frame. The newest with a `face` is the state to keep. No frame's failure is raised.
        """
        # Late frames and frames sent again lead from the last face too, but not on to newer ones: these are followed
        # as if they had come alone.
        late = [i for i, frame in enumerate(frames) if last is not None and frame.time_us <= last.time_us]
        newer = sorted(set(range(len(frames))) - set(late))
        readings: dict[int, Reading] = {}
        for part in (late, newer):
            readings |= zip(part, self._read_part([frames[i] for i in part], last), strict=True)
        return [readings[i] for i in range(len(frames))]

    def _read_part(self, frames: list[Frame], last: FaceState | None) -> list[Reading]:
        order = sorted(range(len(frames)), key=lambda i: frames[i].time_us)
        walk = _Walk(
            frames=[frames[i] for i in order],
            readings=[Reading(frames[i].time_us) for i in order],
            start=last,
            state=last,
        )
        small = len(frames) < _SMALL_REQUEST
        at, memory = 0, Memory()
        while at < len(order):
            pictures = memory.decode(walk.frames[at:])
            followed = steps(self._finder, walk.frames[at:], pictures, walk.state)
            for seen in zip(pictures, followed, strict=True):
                self._read_one(walk, at, seen, must_verify=small or at in {0, len(order) - 1})
                at += 1
        if walk.missed is not None and walk.missed.passed_over:  # the last frame could not be read
            at = walk.missed.next_search = walk.missed.passed_over.pop()
            self._read_one(walk, at, (memory.decode(walk.frames[at : at + 1])[0], None), must_verify=True)
        if walk.unverified:  # the last frame could not be read, so nothing has vouched for those before it
            self._check_backwards(walk)
        back = {place: at for at, place in enumerate(order)}
        return [walk.readings[back[i]] for i in range(len(order))]

    def _read_one(
        self, walk: _Walk, at: int, seen: tuple[NDArray[np.uint8] | RppgError, Step | None], *, must_verify: bool
    ) -> None:
        frame, (picture, step) = walk.frames[at], seen
        try:
            if isinstance(picture, RppgError):
                raise picture
            self._place(walk, at, (picture, step), must_verify=must_verify)
        except RppgError as error:
            # Its traceback would keep the image, in a circle that only the garbage collector breaks.
            walk.readings[at] = Reading(frame.time_us, error=error.with_traceback(None))

    def _place(self, walk: _Walk, at: int, seen: tuple[NDArray[np.uint8], Step | None], *, must_verify: bool) -> None:
        (image, step), time_us, state = seen, walk.frames[at].time_us, walk.state
        size = (image.shape[1], image.shape[0])
        gap_us = abs(time_us - state.time_us) if state is not None and state.frame_size == size else None
        if state is None or gap_us is None or gap_us > FOLLOW_US:
            near = state.face if state is not None and gap_us is not None and gap_us <= _NEAR_US else None
            if walk.unverified:
                self._check_backwards(walk)
            face = self._find(walk, at, image, near)
            verified = True
        else:
            ahead = step is not None and step.origin is state.face
            face, verified = step.face if step and ahead else self._finder.follow(image, state.face), False
        sample = sample_of(image, face)
        grey = is_grey(sample)
        # Landmarks on a covered lens or a blank wall are grey too, so first verify the face.
        if not verified and (must_verify or grey or jumps(walk.last_colours, sample.colours)):
            if not self._finder.verify(image, face):
                self._check_backwards(walk)
                near = walk.state.face if walk.state is not None and walk.state.frame_size == size else None
                face = self._find(walk, at, image, near)
                sample = sample_of(image, face)
                grey = is_grey(sample)
            verified = True
        if grey:
            raise UnsupportedImage("The image is greyscale: without colour there is no pulse to see.")
        if verified:
            walk.unverified.clear()
        else:
            walk.unverified.append(at)
        walk.state = FaceState(time_us, size, face, self._company(state, time_us, image, face))
        walk.last_colours = sample.colours
        walk.readings[at] = Reading(time_us, sample=sample, face=walk.state)
        if walk.missed is not None:
            self._follow_back(walk, walk.missed.passed_over, walk.state)
            walk.missed = None

    def _company(self, state: FaceState | None, time_us: int, image: NDArray[np.uint8], face: Face) -> Company:
        """The looks for others up to this frame, with one in it if it is due; `state` is that of the frame before."""
        company = state.company if state is not None else Company()
        if not is_due(state.time_us if state is not None else None, time_us):
            return company
        return company.after_look(time_us, several=self._finder.sees_others(image, face))

    def _find(self, walk: _Walk, at: int, image: NDArray[np.uint8], near: Face | None) -> Face:
        if near is not None and (again := self._finder.find_near(image, near)) is not None:
            return again
        missed = walk.missed
        if missed is not None and at < missed.next_search:
            missed.passed_over.append(at)
            raise NoFaceDetected(str(missed.refusal), guidance=missed.refusal.guidance)
        thorough = walk.searches < _SEARCHES
        walk.searches += thorough
        try:
            return self._finder.find(image, thorough=thorough)
        except NoFaceDetected as error:
            last = len(walk.frames) - 1
            refusal = NoFaceDetected(
                str(error), guidance=error.guidance
            )  # without the traceback, which holds the image
            walk.missed = _Missed(refusal, (at + last + 1) // 2 if missed is None else last)
            raise

    def _follow_back(self, walk: _Walk, passed_over: list[int], found: FaceState) -> None:
        """Read the frames that were passed over before a face was found, from the newest to where it is not seen."""
        state = found
        for at in reversed(passed_over):
            frame = walk.frames[at]
            try:
                image = frame.image()
                face = self._seen_earlier(image, frame.time_us, state)
                sample = sample_of(image, face) if face is not None else None
            except RppgError:
                return
            if face is None or sample is None or is_grey(sample):
                return
            state = FaceState(frame.time_us, state.frame_size, face, found.company)
            walk.readings[at] = Reading(frame.time_us, sample=sample, face=state)

    def _seen_earlier(self, image: NDArray[np.uint8], time_us: int, later: FaceState) -> Face | None:
        """The verified face of a frame before that of `later`."""
        if (image.shape[1], image.shape[0]) != later.frame_size:
            return None
        if later.time_us - time_us > FOLLOW_US:
            return self._finder.find_near(image, later.face)
        face = self._finder.follow(image, later.face)
        return face if self._finder.verify(image, face) else None

    def _check_backwards(self, walk: _Walk) -> None:
        """Reject the followed frames that the detector doesn't confirm, from the newest to the first that it does."""
        walk.last_colours = None
        while walk.unverified:
            at = walk.unverified[-1]
            reading = walk.readings[at]
            if reading.face is not None and self._finder.verify(walk.frames[at].image(), reading.face.face):
                break
            walk.readings[at] = Reading(reading.time_us, error=NoFaceDetected())
            walk.unverified.pop()
        walk.unverified.clear()
        walk.state = next((r.face for r in reversed(walk.readings) if r.face is not None), walk.start)
