"""What is shown while stages run."""

import pytest

from firmware_flows.cli import console


def test_plain_lines_come_now_and_then(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    lines = console.PlainLines()
    lines.stage_started("train", "outdated")
    for epoch in range(1, 31):
        now[0] += 1.0
        lines.progress("epochs", epoch, 30, f"loss {1 / epoch:.3f}")
    lines.progress("quick step", 1, 1)
    lines.stage_finished("train", 30.0, "done")
    shown = capsys.readouterr().err.splitlines()
    assert shown[0] == "train (its inputs have changed) ..."
    assert [line for line in shown if "epochs" in line] == [
        "  epochs: 10 of 30; loss 0.100",
        "  epochs: 20 of 30; loss 0.050",
        "  epochs: 30 of 30; loss 0.033",
    ]
    assert not any("quick" in line for line in shown)
    assert shown[-1] == "train 30.0 s: done"


def test_bars_on_a_terminal_take_text_as_it_is() -> None:
    import io

    from rich.console import Console

    stream = io.StringIO()
    with console.bars(Console(file=stream, force_terminal=True, width=100, highlight=False)) as observer:
        observer.stage_started("verify", "missing")
        observer.progress("comparing", 5, 10, "[bold] ap_fixed<8,3>")
        observer.stage_finished("verify", 1.0, "shape [3] is [red]kept[/red]")
    assert "shape [3] is [red]kept[/red]" in stream.getvalue()


def test_a_narrow_terminal_keeps_the_numbers_and_a_step_of_one_call_shows_its_seconds() -> None:
    import io
    import time

    from rich.console import Console

    stream = io.StringIO()
    shown = Console(file=stream, force_terminal=True, width=60, highlight=False, color_system=None)
    with console.bars(shown) as observer:
        observer.progress("training the quantized network, epochs", 100, 2000, "loss 0.3781, val_loss 0.2086")
        time.sleep(0.3)
        observer.progress("compiling the C++ of the HLS project", 0, 1)
        time.sleep(0.7)
    text = stream.getvalue()
    assert "training the quantized network, epochs  100/2000" in text
    assert "compiling the C++ of the HLS project 0/1 1 s" in text


def test_nothing_is_shown_when_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with console.watching(quiet=True) as observer:
        observer.stage_started("data", "missing")
        observer.progress("x", 1, 2)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
