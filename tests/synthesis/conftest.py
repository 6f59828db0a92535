"""A hand-written design: small enough for every tool, with adders, a multiplexer and registers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from firmware_flows.synthesis import Source

VERILOG = """module clipped_sum (
    input wire clk,
    input wire [15:0] x,
    output reg [7:0] y
);
    reg [15:0] held;
    reg signed [8:0] total;
    always @(posedge clk) begin
        held <= x;
        total <= $signed(held[7:0]) + $signed(held[15:8]);
        y <= total[8] ? 8'd0 : total[7:0];
    end
endmodule
"""

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """y = max(0, a + b) of two signed bytes, three clocks: 16 + 9 + 8 flip-flops."""
    directory = tmp_path_factory.mktemp("a design")  # the space is meant
    (directory / "clipped_sum.v").write_text(VERILOG)
    return Source(
        directory=directory,
        files=(Path("clipped_sum.v"),),
        top="clipped_sum",
        inputs=(("x", 16),),
        outputs=(("y", 8),),
        clock_mhz=100.0,
        target="xcvu13p-flga2577-2-e",
    )


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real reports, beside the checkout."""
    if not (DATA / "reports").is_dir():
        pytest.skip(f"no real reports: {DATA / 'reports'} is absent")
    return DATA


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """install(name, files, code): a program of that name, which writes files where it runs, and its command line."""
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))

    def install(name: str, files: dict[str, str], code: int = 0, says: str = "") -> None:
        path = programs / name
        path.write_text(
            f"#!{sys.executable}\nimport pathlib, sys\n"
            f"pathlib.Path('arguments').write_text(' '.join(sys.argv[1:]))\n"
            f"for name, text in {files!r}.items():\n"
            "    path = pathlib.Path(name)\n    path.parent.mkdir(parents=True, exist_ok=True)\n"
            f"    path.write_text(text)\nprint({says!r})\nsys.exit({code})\n"
        )
        path.chmod(0o755)

    return install
