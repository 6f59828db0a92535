"""What `import firmware_flows` promises."""

import subprocess
import sys

import pytest

import firmware_flows as ff

HEAVY = ("tensorflow", "keras", "qkeras", "hls4ml", "matplotlib", "h5py")


def _modules_after(statement: str) -> set[str]:
    program = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import firmware_flows",
        "import firmware_flows as ff; ff.emulate, ff.trace, ff.classify, ff.load_program, ff.FixedPoint, ff.Program",
        "import firmware_flows as ff; ff.lower, ff.verify, ff.hls.write_project",
        "import firmware_flows.cli.main",
    ],
)
def test_nothing_heavy_is_imported(statement: str) -> None:
    assert not _modules_after(statement) & set(HEAVY)


def test_every_public_name_is_there() -> None:
    for name in ff.__all__:
        assert getattr(ff, name) is not None
    assert set(ff.__all__) <= set(dir(ff))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = ff.nonsense
