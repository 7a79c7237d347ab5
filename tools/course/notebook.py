"""What students hand in, read as far as it can be read: the text of the cells, and which cell of the source each is."""

import json
import re
from dataclasses import dataclass

MARK = re.compile(r"^\s*(?:#|<!--)\s*grade id: ([\w-]+)", re.MULTILINE)
START = re.compile(r"^# grade id: ", re.MULTILINE)
CONFLICT = re.compile(r"^(<{7}|={7}|>{7})", re.MULTILINE)


class Unreadable(ValueError):
    """The file is no notebook; the text says why, in a line."""


@dataclass
class Handed:
    """A cell of a submission; `id` is the grade id, if it still has one."""

    type: str
    source: str
    id: str | None


def decode(data: bytes) -> str:
    if not data.strip(b"\0 \r\n\t"):
        raise Unreadable("the file is empty")
    encoding = json.detect_encoding(data)  # of UTF-8, UTF-16 and UTF-32, with and without a mark
    try:
        return data.decode(encoding, "strict" if "8" in encoding else "replace")
    except UnicodeDecodeError as error:
        try:
            return data.decode("cp1252")
        except UnicodeDecodeError:
            raise Unreadable(f"the file is not text ({error.reason} at byte {error.start})") from None


def parse(text: str) -> dict:
    text = text.strip().strip("\ufeff\0").strip()
    if not text:
        raise Unreadable("the file is empty")
    try:
        found = json.loads(text, strict=False)
    except json.JSONDecodeError as error:
        if CONFLICT.search(text):
            line = text[: CONFLICT.search(text).start()].count("\n") + 1
            raise Unreadable(
                f"the file has merge-conflict marks (line {line}): choose one version and save it"
            ) from None
        at_end = error.pos == len(text) or (error.pos > len(text) - 5 and text[-1] != "}")
        if text[0] == "{" and (at_end or "Unterminated" in error.msg) and "Extra" not in error.msg:
            raise Unreadable(f"the file ends in the middle, after {len(text):,} characters") from None
        raise Unreadable(f"the file is no notebook: {error.msg} at line {error.lineno}") from None
    except RecursionError:
        raise Unreadable("the file is no notebook: it is nested too deeply") from None
    except ValueError as error:  # a number of thousands of digits
        raise Unreadable(f"the file is no notebook: {error}") from None
    if not isinstance(found, dict):
        raise Unreadable("the file is no notebook: it holds no cells")
    return found


def merged(source: str) -> list[str]:
    """The parts of a cell that was merged from several, each of which begins with its id."""
    starts = [mark.start() for mark in START.finditer(source)]
    if len(starts) < 2:
        return [source]
    ends = [*starts[1:], len(source)]
    before = [source[: starts[0]]] if source[: starts[0]].strip() else []
    return before + [source[start:end].strip() for start, end in zip(starts, ends, strict=True)]


def read(data: bytes) -> list[Handed]:
    """The cells of a notebook of any version. Raises Unreadable."""
    found = parse(decode(data))
    cells, sheets = found.get("cells"), found.get("worksheets")
    if not cells and isinstance(sheets, list):
        lists = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
        cells = [cell for found in lists if isinstance(found, list) for cell in found]
    if not isinstance(cells, list) or not cells:
        raise Unreadable("the file is no notebook: it holds no cells")
    handed = []
    for cell in cells:
        if isinstance(cell, dict):
            source = cell.get("source", cell.get("input", ""))
            if isinstance(source, list):
                lines = list(map(str, source))
                source = ("" if any(line.endswith("\n") for line in lines) else "\n").join(lines)
            source = str(source)
            metadata = cell.get("metadata")
            options = metadata.get("nbgrader") if isinstance(metadata, dict) else None
            grade_id = options.get("grade_id") if isinstance(options, dict) else None
            grade_id = grade_id if isinstance(grade_id, str) else None
            kind = str(cell.get("cell_type", "")).lower()
            for part in merged(source.replace("\r\n", "\n")) if kind == "code" else [source.replace("\r\n", "\n")]:
                mark = MARK.search(part)
                handed.append(Handed(kind, part, mark[1] if mark else grade_id))
    return handed
