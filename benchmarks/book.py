"""Where the book's time goes: seconds by page and code cell, and the ten slowest cells, as `make book` ran them last.

python -m benchmarks.book
"""

from pathlib import Path

from jupyter_cache import get_cache

ROOT = Path(__file__).parents[1]
SHOWN = 1.0  # seconds: what takes less is added up


def title(source: str) -> str:
    """The first line of a cell that is no comment."""
    return next((line for line in source.splitlines() if line.strip() and not line.startswith("#")), "")[:70]


def cells_by_page(root: Path = ROOT) -> dict[str, list[tuple[float, str]]]:
    """Seconds and title of each code cell of each page, from the cache of executed pages; the longest page first."""
    cache, latest = get_cache(root / "_build" / ".jupyter_cache"), {}
    for record in sorted(cache.list_cache_records(), key=lambda record: record.accessed):
        if "seconds" in record.data:  # tools/execute.py ran it
            latest[record.uri] = record
    found = {
        page: [
            (seconds, f"code cell {i}: {title(cell.source)}")
            for i, (cell, seconds) in enumerate(
                zip(cache.get_cache_bundle(record.pk).nb.cells, record.data["seconds"], strict=True), start=1
            )
        ]
        for page, record in latest.items()
    }
    return dict(sorted(found.items(), key=lambda page: -sum(seconds for seconds, _ in page[1])))


def lines(root: Path = ROOT) -> list[str]:
    """The report."""
    pages, report = cells_by_page(root), []
    for page, cells in pages.items():
        report += ["", f"{sum(seconds for seconds, _ in cells):7.1f} s  {page}"]
        report += [f"{seconds:15.1f}  {name}" for seconds, name in cells if seconds >= SHOWN]
        less = [seconds for seconds, _ in cells if seconds < SHOWN]
        report += [f"{sum(less):15.1f}  {len(less)} cells of less than {SHOWN:.0f} s"]
    everything = sorted(
        ((seconds, page, name) for page, cells in pages.items() for seconds, name in cells), reverse=True
    )
    report += ["", f"{sum(seconds for seconds, *_ in everything):7.1f} s  in all cells of {len(pages)} pages"]
    report += ["", "The ten slowest cells"]
    return [*report, *(f"{seconds:7.1f}  {page}, {name}" for seconds, page, name in everything[:10])]


if __name__ == "__main__":
    print(*lines(), sep="\n")
