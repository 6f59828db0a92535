"""Part numbers and the technology that they belong to."""

from __future__ import annotations

import pytest

from firmware_flows.targets import catalogue, technology_of

PARTS = {
    "7series": "xc7vx690t-ffg1927-2 xc7z020clg400-1 7z020clg400-1 xa7a35t XQ7K325T xc7",
    "ultrascale": "xcku115-flvb2104-2-e xcvu095-ffva2104-2-e xcvu440-flga2892-2-e xqku115",
    "ultrascale+": "xcvu9p-flga2104-2L-e xcvu13p-2 xcku15p-ffve1517-1-i xczu3eg-sbva484-1-e xcu250-figd2104-2L-e "
    "xcu55c-fsvh2892-2L-e xcu50 xcvu37p-fsvh2892-2-e xcvu31h xcau25p xck26-sfvc784-2LV-c xazu5ev xqvu7p",
    "versal": "xcvc1902-vsva2197-2MP-e-S xcvp1802 xcvm1802 xcve2802 xcvh1582",
    "stratix10": "1SG280HU1F50E2VG 1SM21BHU2F53E1VG",
    "agilex": "AGFB027R24C2E2V AGIB027R29A1E2VR0 A5ED065BB32AE4S",
    "altera": "10AX115N2F45E1SG 10M50DAF484C7G 5CSEBA6U23I7 5SGXEA7N2F45C2 EP4CE22F17C6",
    "ecp5": "LFE5U-25F LFE5UM5G-85F-8BG381C ecp5",
    "nexus": "LIFCL-40-9BG400C LFD2NX-40 LFCPNX-100 nexus",
}


@pytest.mark.parametrize(("technology", "part"), [(t, part) for t, parts in PARTS.items() for part in parts.split()])
def test_technology_of_a_part(technology: str, part: str) -> None:
    assert technology_of(part) == technology


@pytest.mark.parametrize("part", ["", "iCE40HX8K", "vu13p", "unheard of"])
def test_others_are_not_known(part: str) -> None:
    assert technology_of(part) is None


def test_every_device_of_the_catalogue_is_known_by_its_name() -> None:
    wrong = {
        d.name: technology_of(d.name) for d in catalogue().devices.values() if technology_of(d.name) != d.technology
    }
    assert not wrong
