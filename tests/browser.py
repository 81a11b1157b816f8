"""A page in a real browser: Chromium without a window, spoken to over two pipes in its DevTools protocol."""

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)


class Browser:
    """A context manager; `open` shows a page and says what became of it."""

    def __init__(self, folder):
        self.folder = folder  # for the browser's profile
        self.events = []
        self._last = 0
        self._session = None

    def __enter__(self):
        # Chromium reads commands from descriptor 3 and answers on descriptor 4; a NUL ends each message.
        inbox, self._commands = os.pipe()
        self._answers, outbox = os.pipe()
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe"]
        flags += ["--hide-scrollbars", "--no-first-run", f"--user-data-dir={self.folder / 'profile'}", "about:blank"]
        shell = f'exec 3<&{inbox} 4>&{outbox}; exec "$0" "$@"'
        self._process = subprocess.Popen(
            ["bash", "-c", shell, CHROMIUM, *flags],
            pass_fds=(inbox, outbox),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(inbox)
        os.close(outbox)
        self._read = bytearray()
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self._ask(f"{domain}.enable")
        return self

    def __exit__(self, *error):
        self._session = None
        self._ask("Browser.close")
        self._process.wait(timeout=30)
        os.close(self._commands)
        os.close(self._answers)

    def _ask(self, method, **parameters):
        """The answer to a command; events that come before it are kept."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != self._last:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def _receive(self):
        while (end := self._read.find(b"\0")) < 0:
            more = os.read(self._answers, 2**20)
            assert more, "the browser has ended"
            self._read += more
        message = bytes(self._read[:end])
        del self._read[: end + 1]
        return json.loads(message)

    def open(self, path: Path, *, width, height=900, scheme="light"):
        """Show a file in a window of that many pixels; return the addresses that were asked for, and all complaints."""
        self._ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self._ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.events.clear()
        self._ask("Page.navigate", url=path.resolve().as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._receive())
        asked = [event["request"]["url"] for event in self._seen("Network.requestWillBeSent")]
        return asked, self._seen("Log.entryAdded") + self._seen("Runtime.exceptionThrown")

    def without_network(self):
        """Let no page reach anything beyond this machine's files."""
        self._ask("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)

    def click(self, x, y):
        """Press and release the mouse at a place in the window, in pixels."""
        for kind in ("mousePressed", "mouseReleased"):
            self._ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def _seen(self, method):
        return [event["params"] for event in self.events if event.get("method") == method]

    def evaluate(self, expression):
        """The value of a JavaScript expression in the page; the page's own policy does not bind the inspector."""
        answer = self._ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def screenshot(self, path: Path):
        """The whole page as a PNG."""
        answer = self._ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))
