"""Pattern files: as CMSSW writes and reads them, and there and back."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_flows.handoff.patterns import (
    FORMATS,
    Frame,
    LinkLayout,
    PatternError,
    channels_to_events,
    events_to_channels,
    read_empv2,
    to_words,
    write_apx,
    write_empv1,
    write_empv2,
)

SMALL = LinkLayout(links=2, first=4, lead=2)
WORDS = np.array([[1, 2, 3, 10, 11, 12], [4, 5, 6, 13, 14, 15]], dtype=np.uint64)


def test_text_is_that_of_the_three_formats() -> None:
    (channels,) = events_to_channels(WORDS, SMALL)
    v1, v2, apx = write_empv1(channels).split("\n"), write_empv2(channels).split("\n"), write_apx(channels).split("\n")
    assert v1[1] == " Quad/Chan :         q01c0                q01c1       "
    assert v1[2] == "      Link :          004                  005        "
    assert v1[3] == "Frame 0000 :   0v0000000000000000   0v0000000000000000"
    assert v1[5] == "Frame 0002 :   1v0000000000000001   1v000000000000000a"
    assert v2[1] == "Metadata: (strobe,) start of orbit, start of packet, end of packet, valid"
    assert v2[3] == "      Link              004                    005        "
    assert v2[6] == "Frame 0002    1101 0000000000000001  1101 000000000000000a"
    assert v2[7] == "Frame 0003    0001 0000000000000002  0001 000000000000000b"
    assert v2[8] == "Frame 0004    0011 0000000000000003  0011 000000000000000c"
    assert apx[:3] == ["#Sideband ON", "#LinkLabel                LINK_04                    LINK_05    ", "#BeginData"]
    assert apx[5] == "0x0002    0x07 0x0000000000000001    0x07 0x000000000000000a"
    assert apx[7] == "0x0004    0x09 0x0000000000000003    0x09 0x000000000000000c"


@pytest.mark.parametrize("name", FORMATS)
def test_events_come_back(name: str) -> None:
    write, read = FORMATS[name]
    words = np.random.default_rng(1).integers(0, 2**64, (40, 7), dtype=np.uint64)
    layout = LinkLayout.for_bits(7 * 64, time_multiplexing=1, frames_per_crossing=9)
    assert layout.links == 1
    files = events_to_channels(words, layout)
    assert [len(f[0]) <= layout.max_frames for f in files] == [True] * len(files)
    assert len(files) == -(-40 // layout.events_per_file)
    read_back = np.concatenate([channels_to_events(read(write(f))) for f in files])
    np.testing.assert_array_equal(read_back, words)


def test_events_begin_every_period_and_fill_the_buffer() -> None:
    layout = LinkLayout()
    assert layout.events_per_file == 18  # as CMSSW: 1,024 lines, 54 frames an event
    (frames,) = events_to_channels(WORDS[:, :3], layout)[0].values()
    assert [k for k, f in enumerate(frames) if f.start] == [10, 64]
    assert [k for k, f in enumerate(frames) if f.start_of_orbit] == [10]


def test_ports_become_words_from_the_lowest_bit() -> None:
    np.testing.assert_array_equal(to_words(np.array([[1, 2, 3]], np.uint32)), [[1 | 2 << 32, 3]])


def test_what_does_not_fit_or_is_damaged_is_refused() -> None:
    with pytest.raises(PatternError, match="use more links"):
        events_to_channels(np.zeros((1, 55), np.uint64), LinkLayout())
    text = write_empv2(events_to_channels(WORDS, SMALL)[0])
    with pytest.raises(PatternError, match="frame 3: 'Frame 0003  ' expected"):
        read_empv2(text.replace("Frame 0003", "Frame 0033"))
    with pytest.raises(PatternError, match="no word of this format"):
        read_empv2(text.replace("0001 0000000000000002", "001 0000000000000002"))
    with pytest.raises(PatternError, match="2 words expected, 1 found"):
        read_empv2(text.replace("  0001 000000000000000b", ""))
    with pytest.raises(PatternError, match="has no end"):
        channels_to_events({0: [Frame(1, True, True), Frame()]})
