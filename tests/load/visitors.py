"""Put many visitors with films on a real server at once, and compare each answer with the one computed alone.

    PYTHONPATH=tests:. python -m load.visitors [--sessions 50] [--seconds 300] [--every 20] [--browsers 2]

Most visitors speak Streamlit's protocol; some sit at a Chromium. Prints a table; ends with 1 if a visitor saw an error
or another answer than that of their own film, or if the memory of the server grew by more than 5 % after the first
minute.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from browser.server import FLAGS, ROOT, chromium_path, serve
from load.streamlit_session import Answer, Shown, StreamlitSession
from playwright.async_api import Browser, async_playwright

from pneumo import radiograph
from pneumo.inference import open_models, read_film
from pneumo.reports.records import record

# Films that differ from each other; each visitor shows them in another order, under names of their own.
FILMS = 40
SEED = 0
MOST_GROWTH, SETTLED = 0.05, 60
PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 1024**2

Read = Callable[[str, bytes], "asyncio.Future[Answer]"]


@dataclass
class Film:
    """A film and what pneumo says of it when it is read alone."""

    data: bytes
    expected: dict[str, Any]


@dataclass
class Outcome:
    """What visitors saw.

    Attributes:
        seconds: from the upload to the answer, of each film.
        errors: that they saw, or that kept them from seeing an answer.
        wrong: films whose answer was another than the one computed alone.
        waits: films that were told their place in the queue.
        busy: films that were told that pneumo is busy.
        memory: seconds since the start, and MiB of the server.
    """

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    waits: int = 0
    busy: int = 0
    memory: list[tuple[float, float]] = field(default_factory=list)

    def note(self, name: str, film: Film, answer: Answer) -> None:
        """Compare an answer with the one that the film gets alone."""
        self.waits += "before yours" in answer.shown.text
        self.busy += "pneumo is busy" in answer.shown.text
        self.errors += answer.shown.errors
        if answer.record is None:
            if "pneumo is busy" not in answer.shown.text:
                self.errors.append(f"{name} got no answer")
            return
        self.seconds.append(answer.seconds)
        if answer.record != {**film.expected, "file": name}:
            self.wrong.append(name)

    @property
    def growth(self) -> float:
        """How much memory grew from the end of the first minute to the end, as a share; 0 in shorter runs."""
        settled = [mib for at, mib in self.memory if SETTLED <= at < SETTLED + 30]
        last = [mib for at, mib in self.memory if at >= self.memory[-1][0] - 30]
        return float(np.median(last) / np.median(settled) - 1) if settled and self.memory[-1][0] > 2 * SETTLED else 0.0

    @property
    def is_good(self) -> bool:
        """Whether nobody saw an error or a wrong answer, and memory was flat."""
        return bool(self.seconds) and not self.errors and not self.wrong and self.growth <= MOST_GROWTH

    def __str__(self) -> str:
        p50, p95, longest = np.percentile(self.seconds or [np.nan], (50, 95, 100))
        memory = ", ".join(f"{mib:.0f}" for _, mib in self.memory[:: SETTLED // 2])
        rows = [
            ("films answered", len(self.seconds)),
            ("errors", len(self.errors)),
            ("answers of another film", len(self.wrong)),
            ("told their place in the queue", self.waits),
            ("told that pneumo is busy", self.busy),
            ("upload to answer, s: p50, p95, longest", f"{p50:.2f}, {p95:.2f}, {longest:.2f}"),
            ("memory, MiB, every half minute", memory),
            ("growth after the first minute", f"{self.growth:.1%}"),
        ]
        return "\n".join(["| | |", "|---|---|", *(f"| {words} | {value} |" for words, value in rows)])


def films(count: int = FILMS) -> list[Film]:
    """Make films of the samples that ship, each exposed in its own way, and let the models read each alone."""
    samples = [radiograph.grey_levels(path) for path in sorted((ROOT / "data_samples").glob("*_[0-9].png"))]
    rng, models, made = np.random.default_rng(SEED), open_models(), []
    for number in range(count):
        film = samples[number % len(samples)] / 255
        altered = np.clip(film ** rng.uniform(0.8, 1.25) + rng.normal(0, 0.01, film.shape), 0, 1)
        data = cv2.imencode(".png", np.rint(altered * 255).astype(np.uint8))[1].tobytes()
        made.append(Film(data, json.loads(json.dumps(record(read_film(data, "film.png", models)).as_values()))))
    return made


@asynccontextmanager
async def browser_visitor(browser: Browser, url: str) -> AsyncIterator[Read]:
    """Open the Predict page in a window of its own, and yield what reads a film there."""
    page = await browser.new_page()
    await page.goto(url)
    uploader = page.get_by_test_id("stFileUploader").locator("input[type=file]")

    async def read(name: str, film: bytes) -> Answer:
        started = time.monotonic()
        if await page.get_by_role("button", name="Change").count():
            await page.get_by_role("button", name="Change").click()
            # What was on the page before, the old uploader too, goes at the end of the run.
            await page.get_by_role("button", name="Change").wait_for(state="detached", timeout=120_000)
        await uploader.set_input_files({"name": name, "mimeType": "image/png", "buffer": film})
        await page.get_by_text(name).last.wait_for(timeout=120_000)
        button = page.get_by_role("button", name="JSON", exact=True)
        await button.wait_for(timeout=120_000)
        seconds = time.monotonic() - started
        async with page.expect_download() as download:
            await button.click()
        found = json.loads(Path(await (await download.value).path()).read_text("utf-8"))
        shown = Shown(errors=await page.get_by_test_id("stException").all_inner_texts())
        return Answer(found, seconds, shown)

    yield read
    await page.close()


@asynccontextmanager
async def protocol_visitor(url: str) -> AsyncIterator[Read]:
    """Arrive at the Predict page without a browser, and yield what reads a film there."""
    async with StreamlitSession(url) as session:
        yield session.read


async def visit(number: int, read: Read, shown: list[Film], until: float, every: float, outcome: Outcome) -> None:
    """Show film after film, one every so many seconds, and note what comes of each."""
    await asyncio.sleep(every * np.random.default_rng((SEED, number)).random())
    turn = 0
    while (started := time.monotonic()) < until:
        film, name = shown[(7 * number + turn) % len(shown)], f"visitor-{number}-film-{turn}.png"
        try:
            outcome.note(name, film, await read(name, film.data))
        except Exception as error:
            outcome.errors.append(f"{name}: {type(error).__name__} {error}"[:300])
        turn += 1
        await asyncio.sleep(max(0.0, started + every - time.monotonic()))


async def watch(process: int, until: float, outcome: Outcome) -> None:
    """Note the memory of the server every second."""
    started = time.monotonic()
    while time.monotonic() < until:
        outcome.memory.append((time.monotonic() - started, resident(process)))
        await asyncio.sleep(1)


def resident(process: int) -> float:
    """Return what a process holds in memory, MiB."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE_MIB


def server_process() -> int:
    """Return the process of the server that this one has started."""
    tasks = Path("/proc/self/task").glob("*/children")
    children = [int(child) for task in tasks for child in task.read_text().split()]
    [found] = [child for child in children if b"streamlit" in Path(f"/proc/{child}/cmdline").read_bytes()]
    return found


async def load(
    url: str, shown: list[Film], *, sessions: int, seconds: float, every: float, browsers: int = 0
) -> Outcome:
    """Let visitors come to a server that this process has started.

    Args:
        url: of the server.
        shown: the films that they have.
        sessions: how many there are, those with a browser included.
        seconds: how long they go on, once all have arrived.
        every: how many seconds after a film each shows the next.
        browsers: how many of them sit at a Chromium.
    """
    outcome = Outcome()
    async with AsyncExitStack() as stack:
        # One first: the models are loaded once.
        visitors = [await stack.enter_async_context(protocol_visitor(url))]
        if browsers:
            playwright = await stack.enter_async_context(async_playwright())
            browser = await playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
            stack.push_async_callback(browser.close)
            for _ in range(browsers):
                visitors.append(await stack.enter_async_context(browser_visitor(browser, url)))
        while len(visitors) < sessions:
            visitors.append(await stack.enter_async_context(protocol_visitor(url)))
        until = time.monotonic() + seconds
        await asyncio.gather(
            watch(server_process(), until, outcome),
            *(visit(number, read, shown, until, every, outcome) for number, read in enumerate(visitors)),
        )
    return outcome


def main() -> int:
    """Run the load that the arguments ask for, and return the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--every", type=float, default=20)
    parser.add_argument("--browsers", type=int, default=2)
    asked = parser.parse_args()
    shown = films()
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder)) as url:
        outcome = asyncio.run(load(url, shown, **vars(asked)))
    print(f"{asked.sessions} visitors, {asked.browsers} of them in a browser, {asked.seconds:.0f} s, ", end="")
    print(f"a film every {asked.every:.0f} s each, {os.cpu_count()} processors\n\n{outcome}")
    for line in (*outcome.errors[:10], *outcome.wrong[:10]):
        print(line)
    return 0 if outcome.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
