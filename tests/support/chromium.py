"""A headless Chromium without network, spoken to over pipes in its DevTools protocol; no other package is needed."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

TIMEOUT = 60.0
"""Seconds for one answer."""

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
    "--disable-component-update", "--disable-default-apps", "--disable-extensions", "--disable-sync", "--no-first-run",
    "--no-default-browser-check", "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip


def find_chromium() -> str | None:
    """The browser's path, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@dataclass
class Seen:
    """What a page did: what it asked for, what it complained about, how wide it came out."""

    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    width: int = 0
    widest: list[str] = field(default_factory=list)
    broken_images: int = 0
    images: int = 0


class Chromium:
    """One browser with one page."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read = write, read
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call(
            "Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; events that come before are kept."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result

    def _receive(self) -> dict[str, Any]:
        until = time.monotonic() + TIMEOUT
        while b"\0" not in self._buffer:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._read], [], [], left)[0]:
                raise TimeoutError(f"Chromium has said nothing for {TIMEOUT:.0f} s")
            chunk = os.read(self._read, 1 << 20)
            if not chunk:
                raise ConnectionError("Chromium has ended")
            self._buffer += chunk
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        if "method" in message:
            self.events.append(message)
        return message

    def open(self, page: Path, width: int, height: int = 900, phone: bool = False) -> Seen:
        """Show a file at a width, wait until it is loaded, and say what it did."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        self.events.clear()
        self.call("Page.navigate", url=page.resolve().as_uri())
        while not any(e["method"] == "Page.loadEventFired" for e in self.events):
            self._receive()
        seen = Seen()
        # A round trip more, so that whatever the page still complains about has arrived.
        found = self.evaluate(_MEASURE)
        seen.width, seen.widest = found["width"], found["widest"]
        seen.images, seen.broken_images = found["images"], found["broken"]
        for event in self.events:
            values = event["params"]
            if event["method"] == "Network.requestWillBeSent":
                seen.requests.append(values["request"]["url"][:100])
            elif event["method"] == "Runtime.consoleAPICalled":
                seen.complaints.append(json.dumps(values["args"]))
            elif event["method"] == "Runtime.exceptionThrown":
                seen.complaints.append(values["exceptionDetails"]["text"])
            elif event["method"] == "Log.entryAdded":
                seen.complaints.append(values["entry"]["text"])
        return seen

    def evaluate(self, expression: str) -> Any:
        """The value of an expression on the page."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"]["value"]

    def screenshot(self, path: Path, height: int | None = None) -> Path:
        """The whole page, or its first `height` pixels, as PNG."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(height or 1e9, size["height"]), "scale": 1}
        data = self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))
        return path

    def pdf(self, path: Path) -> Path:
        """As it comes out of a printer, on A4."""
        path.write_bytes(base64.b64decode(self.call("Page.printToPDF", paperWidth=8.27, paperHeight=11.69)["data"]))
        return path


_MEASURE = """(() => {
  const page = document.documentElement, images = [...document.images];
  const out = [...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll') || e.matches('.scroll'))
    .filter(e => e.getBoundingClientRect().right > page.clientWidth + 0.5);
  return {
    width: page.scrollWidth,
    widest: out.map(e => e.tagName + ' ' + e.className + ' ' + e.textContent.slice(0, 40)),
    images: images.length,
    broken: images.filter(i => !i.complete || i.naturalWidth === 0).length,
  };
})()"""


def _pipe() -> tuple[int, int]:
    """The ends of a pipe, read and write, with numbers from 10 on."""
    ends = os.pipe()
    read, write = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return read, write


# The browser reads its commands from descriptor 3 and answers on 4.
_LAUNCH = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


@contextmanager
def chromium(profile: Path) -> Iterator[Chromium]:
    """A browser for the time of a block; `profile` is a folder for what it writes."""
    path = find_chromium()
    assert path is not None
    # Numbers well above 4, so that the launcher can put them there one after the other.
    commands, to_browser = _pipe()
    from_browser, answers = _pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", _LAUNCH, str(commands), str(answers), path, *_FLAGS, f"--user-data-dir={profile}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(commands, answers),
        env={**os.environ, "HOME": str(profile)},
    )
    os.close(commands)
    os.close(answers)
    try:
        yield Chromium(to_browser, from_browser)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(to_browser)
        os.close(from_browser)
