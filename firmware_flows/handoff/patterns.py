"""Pattern files: frames of 64-bit words on links, as boards play and capture them.

EMPv1 and EMPv2 are the formats of the EMP framework, APx that of the APx boards; all three as read and written by
CMSSW, L1Trigger/DemonstratorTools/src/utilities.cc. CMSSW's own writer of EMPv2 forgets the valid bit, so the reader
there, which wants it, is what is followed here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.errors import FirmwareFlowsError

WORD_BITS = 64

FRAMES_PER_CROSSING = 9
"""Words a link carries in one bunch crossing at 360 MHz (25 Gb/s links)."""

TIME_MULTIPLEXING = 6
"""Bunch crossings from one event on a link to the next, as in the CMS layer-2 boards."""

MAX_FRAMES = 1024
"""Depth of the buffers that play and capture."""

LEAD = 10
"""Empty frames before the first event."""


class PatternError(FirmwareFlowsError):
    """A pattern file that cannot be read or written; names the line and what was expected."""


@dataclass(frozen=True)
class Frame:
    """One word of a link in one clock cycle, and its sideband bits."""

    data: int = 0
    valid: bool = False
    start: bool = False
    end: bool = False
    start_of_orbit: bool = False


Channels = dict[int, list[Frame]]
"""Frames of every link, by its number; all links have equally many."""


@dataclass(frozen=True)
class LinkLayout:
    """How events are put on links.

    links: how many side by side; an event's words fill the first link, then the next. first: number of the first link.
    """

    links: int = 1
    first: int = 0
    time_multiplexing: int = TIME_MULTIPLEXING
    frames_per_crossing: int = FRAMES_PER_CROSSING
    lead: int = LEAD
    max_frames: int = MAX_FRAMES

    @property
    def period(self) -> int:
        """Frames from one event to the next."""
        return self.time_multiplexing * self.frames_per_crossing

    @property
    def events_per_file(self) -> int:
        """Events whose packets fit the buffers."""
        return max(0, (self.max_frames - self.lead) // self.period)

    @classmethod
    def for_bits(cls, bits: int, **more: Any) -> LinkLayout:
        """The fewest links that carry an event of so many bits in its period."""
        layout = cls(**more)
        return cls(**{**more, "links": max(1, -(-bits // (WORD_BITS * layout.period)))})


def to_words(bits: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint64]:
    """Packed ports (events, 32-bit words, lowest first) as 64-bit words (events, words), lowest bits first."""
    padded = np.zeros((len(bits), bits.shape[1] + bits.shape[1] % 2), np.uint64)
    padded[:, : bits.shape[1]] = bits
    return padded[:, ::2] | (padded[:, 1::2] << np.uint64(32))


def events_to_channels(words: npt.NDArray[np.uint64], layout: LinkLayout) -> list[Channels]:
    """Events (events, words) as frames on links, as many files as the buffers' depth makes necessary."""
    events, count = words.shape
    a_link = -(-count // layout.links)
    if a_link > layout.period:
        raise PatternError(
            f"{count} words of 64 bits on {layout.links} links are {a_link} frames, but an event has {layout.period}: "
            "use more links"
        )
    if not layout.events_per_file:
        raise PatternError(f"a buffer of {layout.max_frames} frames holds no event of {layout.period}: make it deeper")
    return [
        _file(words[first : first + layout.events_per_file], a_link, layout)
        for first in range(0, events, layout.events_per_file)
    ]


def _file(words: npt.NDArray[np.uint64], a_link: int, layout: LinkLayout) -> Channels:
    total = layout.lead + layout.period * len(words)
    channels: Channels = {}
    for link in range(layout.links):
        frames = [Frame()] * total
        for event, own in enumerate(words[:, link * a_link : (link + 1) * a_link].tolist()):
            for k, data in enumerate(own):
                first, last = k == 0, k == len(own) - 1
                frames[layout.lead + event * layout.period + k] = Frame(data, True, first, last, first and event == 0)
        channels[layout.first + link] = frames
    return channels


def channels_to_events(channels: Channels) -> npt.NDArray[np.uint64]:
    """The words of all packets, links side by side: (events, words). Raises PatternError where links disagree."""
    packets = [_packets(link, frames) for link, frames in channels.items()]
    counts = {len(p) for p in packets}
    if len(counts) != 1:
        raise PatternError(f"links carry different numbers of packets: {sorted(counts)}")
    return np.array(
        [[word for part in parts for word in part] for parts in zip(*packets, strict=True)], dtype=np.uint64
    )


def _packets(link: int, frames: Sequence[Frame]) -> list[list[int]]:
    packets: list[list[int]] = []
    inside = False
    for number, frame in enumerate(frames):
        if not frame.valid:
            if inside:
                raise PatternError(f"link {link}: the packet before frame {number} has no end")
            continue
        if frame.start == inside:
            raise PatternError(
                f"link {link}: frame {number} is {'a second' if inside else 'not the'} start of a packet"
            )
        if frame.start:
            packets.append([])
        packets[-1].append(frame.data)
        inside = not frame.end
    return packets


# ---- EMPv1

_V1 = re.compile(r"(?:([01])s)?([01])v([0-9a-fA-F]{16})")


def write_empv1(channels: Channels, board: str = "firmware-flows") -> str:
    """EMPv1: the valid bit only, so that starts and ends are those of valid runs."""
    quads = "".join(f"         q{link // 4:02d}c{link % 4:1d}       " for link in channels)
    numbers = "".join(f"          {link:03d}        " for link in channels)
    lines = [f"Board {board}", f" Quad/Chan :{quads}", f"      Link :{numbers}"]
    for k, row in enumerate(_rows(channels)):
        lines.append(f"Frame {k:04d} :" + "".join(f"   {f.valid:d}v{f.data:016x}" for f in row))
    return "\n".join(lines) + "\n"


def read_empv1(text: str) -> Channels:
    """The opposite of `write_empv1`; packets begin and end where the valid bit changes."""
    lines = text.splitlines()
    header = _header(lines, "Link :")
    channels: Channels = {int(n): [] for n in lines[header].split(":")[1].split()}
    for number, line in _data(lines, header + 1, "Frame {:04d} :"):
        _append(channels, number, line.split(), _V1, lambda m: Frame(int(m[3], 16), m[2] == "1"))
    return {link: _with_packets(frames) for link, frames in channels.items()}


def _with_packets(frames: Sequence[Frame]) -> list[Frame]:
    result = []
    for k, frame in enumerate(frames):
        before = k > 0 and frames[k - 1].valid
        after = k + 1 < len(frames) and frames[k + 1].valid
        result.append(Frame(frame.data, frame.valid, frame.valid and not before, frame.valid and not after))
    return result


# ---- EMPv2

_V2 = re.compile(r"([01])?([01])([01])([01])([01]) ([0-9a-fA-F]{16})")
_V2_METADATA = "Metadata: (strobe,) start of orbit, start of packet, end of packet, valid"


def write_empv2(channels: Channels, board: str = "firmware-flows") -> str:
    """EMPv2: start of orbit, start and end of packet, valid."""
    numbers = "".join(f"            {link:03d}        " for link in channels)
    lines = [f"ID: {board}", _V2_METADATA, "", f"      Link  {numbers}"]
    for k, row in enumerate(_rows(channels)):
        words = (f"  {f.start_of_orbit:d}{f.start:d}{f.end:d}{f.valid:d} {f.data:016x}" for f in row)
        lines.append(f"Frame {k:04d}  " + "".join(words))
    return "\n".join(lines) + "\n"


def read_empv2(text: str) -> Channels:
    """The opposite of `write_empv2`."""
    lines = text.splitlines()
    if len(lines) < 2 or not lines[0].startswith("ID: ") or not lines[1].startswith(_V2_METADATA):
        raise PatternError("an EMPv2 file begins with 'ID: ' and the line of metadata; this one does not")
    header = _header(lines, "Link  ")
    channels: Channels = {int(n): [] for n in lines[header].split()[1:]}
    for number, line in _data(lines, header + 1, "Frame {:04d}  "):
        words = [w for w in re.split(r"\s\s+", line) if w]
        _append(
            channels, number, words, _V2,
            lambda m: Frame(int(m[6], 16), m[5] == "1", m[3] == "1", m[4] == "1", m[2] == "1"),
        )  # fmt: skip
    return channels


# ---- APx

_APX = re.compile(r"0x([0-9a-fA-F]{2}) 0x([0-9a-fA-F]{16})")


def write_apx(channels: Channels) -> str:
    """APx: sideband bits 0 valid, 1 start, 2 first frame of the orbit, 3 end."""
    labels = "".join(f"                LINK_{link:02d}    " for link in channels)
    lines = ["#Sideband ON", f"#LinkLabel{labels}", "#BeginData"]
    for k, row in enumerate(_rows(channels)):
        sideband = (f.valid | f.start << 1 | f.start_of_orbit << 2 | f.end << 3 for f in row)
        words = "".join(f"    0x{s:02x} 0x{f.data:016x}" for s, f in zip(sideband, row, strict=True))
        lines.append(f"0x{k:04x}{words}")
    return "\n".join(lines) + "\n"


def read_apx(text: str) -> Channels:
    """The opposite of `write_apx`."""
    lines = text.splitlines()
    if len(lines) < 3 or lines[0] != "#Sideband ON" or not lines[1].startswith("#LinkLabel"):
        raise PatternError("an APx file begins with '#Sideband ON' and '#LinkLabel'; this one does not")
    channels: Channels = {int(n): [] for n in re.findall(r"LINK_(\d+)", lines[1])}
    for number, line in _data(lines, _header(lines, "#BeginData") + 1, "0x{:04x}"):
        words = [w for w in re.split(r"\s\s+", line) if w]

        def frame(m: re.Match[str]) -> Frame:
            bits = int(m[1], 16)
            return Frame(int(m[2], 16), bool(bits & 1), bool(bits & 2), bool(bits & 8), bool(bits & 4))

        _append(channels, number, words, _APX, frame)
    return channels


FORMATS: Mapping[str, tuple[Callable[[Channels], str], Callable[[str], Channels]]] = {
    "EMPv1": (write_empv1, read_empv1),
    "EMPv2": (write_empv2, read_empv2),
    "APx": (write_apx, read_apx),
}
"""Writer and reader of every format."""


def _rows(channels: Channels) -> list[tuple[Frame, ...]]:
    lengths = {len(frames) for frames in channels.values()}
    if len(lengths) != 1:
        raise PatternError(f"links have different numbers of frames: {sorted(lengths)}")
    return list(zip(*channels.values(), strict=True))


def _header(lines: Sequence[str], start: str) -> int:
    for number, line in enumerate(lines):
        if line.strip().startswith(start.strip()) and start.strip() in line:
            return number
    raise PatternError(f"there is no line {start.strip()!r}")


def _data(lines: Sequence[str], first: int, prefix: str) -> list[tuple[int, str]]:
    result: list[tuple[int, str]] = []
    for line in lines[first:]:
        if not line or line.startswith("#"):
            continue
        expected = prefix.format(len(result))
        if not line.startswith(expected):
            raise PatternError(f"frame {len(result)}: {expected!r} expected, {line[: len(expected)]!r} found")
        result.append((len(result), line[len(expected) :]))
    return result


def _append(
    channels: Channels,
    number: int,
    words: Sequence[str],
    pattern: re.Pattern[str],
    frame: Callable[[re.Match[str]], Frame],
) -> None:
    if len(words) != len(channels):
        raise PatternError(f"frame {number}: {len(channels)} words expected, {len(words)} found")
    for frames, word in zip(channels.values(), words, strict=True):
        match = pattern.fullmatch(word.strip())
        if match is None:
            raise PatternError(f"frame {number}: {word.strip()!r} is no word of this format")
        frames.append(frame(match))
