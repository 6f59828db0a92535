"""What is installed, and packages that damage each other."""

from __future__ import annotations

import base64
import hashlib
from importlib import metadata
from pathlib import Path

import pytest

from firmware_flows import environment
from firmware_flows.errors import MissingToolError


def _install(site: Path, name: str, version: str, files: dict[str, str]) -> None:
    """What pip leaves behind, without pip."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    record = []
    for path, content in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(content)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).rstrip(b"=").decode()
        record.append(f"{path},sha256={digest},{len(content)}")
    (info / "RECORD").write_text("\n".join(record) + "\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for packages, the only one that is looked at."""

    def only(name: str) -> metadata.Distribution:
        for found in metadata.distributions(path=[str(tmp_path)]):
            if found.metadata["Name"].lower() == name.lower():
                return found
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(environment.metadata, "distribution", only)
    monkeypatch.setattr(environment.metadata, "version", lambda name: only(name).version)
    return tmp_path


QKERAS = {"qkeras/__init__.py": "# qkeras-v3\n", "qkeras/quantizers.py": "# all\n"}


def test_an_undamaged_qkeras_is_no_problem(site: Path) -> None:
    assert environment.qkeras_problem() is None
    _install(site, "qkeras-v3", "1.2.1", QKERAS)
    assert environment.qkeras_problem() is None


def test_hgq2_that_overwrote_qkeras_is_named_with_the_remedy(site: Path) -> None:
    _install(site, "qkeras-v3", "1.2.1", QKERAS)
    _install(site, "hgq2", "0.2.0", {"qkeras/__init__.py": "# of hgq2\n"})
    problem = environment.qkeras_problem()
    assert problem is not None
    assert "hgq2 0.2.0 has overwritten or removed 'qkeras/__init__.py'" in problem
    assert "pip install --force-reinstall --no-deps qkeras-v3==1.2.1" in problem
    with pytest.raises(MissingToolError, match=r"hgq2 0\.2\.0"):
        environment.check_qkeras()


def test_a_folder_of_hgq2_that_hides_a_module_is_found_although_no_file_was_overwritten(site: Path) -> None:
    _install(site, "hgq2", "0.2.0", {"qkeras/quantizers/__init__.py": "# hides quantizers.py\n"})
    _install(site, "qkeras-v3", "1.2.1", QKERAS)
    assert "has put files of its own into" in str(environment.qkeras_problem())


def test_what_an_uninstalled_package_took_along_is_found(site: Path) -> None:
    _install(site, "qkeras-v3", "1.2.1", QKERAS)
    (site / "qkeras" / "__init__.py").unlink()
    assert "something has overwritten or removed 'qkeras/__init__.py'" in str(environment.qkeras_problem())


def test_a_missing_package_names_the_extra(site: Path) -> None:
    with pytest.raises(
        MissingToolError, match=r"hls4ml is needed to write HLS projects .* 'firmware-flows\[hls\]'"
    ) as e:
        environment.require("convert")
    assert e.value.exit_code == 3


def test_versions_and_git(tmp_path: Path) -> None:
    assert "numpy" in environment.versions()
    assert environment.git_revision(tmp_path) is None
    assert environment.program_version("no-such-program") is None


def test_a_native_program_serves_in_place_of_a_package(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not environment.enabled("synthesis")
    program = site / "yosys"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(site))
    assert environment.enabled("synthesis")
    assert not environment.enabled("place and route")
