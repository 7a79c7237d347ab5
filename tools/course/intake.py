"""What a learning platform gives, in any shape, sorted by student. Nothing is unpacked: zip files are read in memory."""

import contextlib
import io
import os
import re
import stat
import unicodedata
import zipfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

LARGEST = 20 << 20  # bytes of a notebook
HUGE = 300 << 20  # bytes of a file that is read at all: its outputs can be left out
TOGETHER, INSIDE = 1 << 30, 100 << 20  # bytes that a zip file may unpack to, and one inside it
MANY = 20_000  # files in a zip file
DEPTH = 3  # of zip files inside zip files
STRING = rb'"(?:[^"\\]++|\\.)*+"'
OUTPUT = re.compile(  # in JSON: what a cell has printed, its pictures, tables and widgets
    rb'("(?:text|(?:text|image|application)/[^"]+)"\s*:\s*)(?:' + STRING + rb"|\[(?:\s*" + STRING + rb"\s*,?)*+\s*\])",
    re.DOTALL,
)
JUNK = ("__MACOSX", ".ipynb_checkpoints", ".DS_Store", "Thumbs.db", ".git")
MARKS = (b"grade id: ", b'"grade_id"')  # in the notebook of an assignment, not in others
VERSION = re.compile(r"[\W\d_]|\b(v|version|old|new|final|copy|draft|attempt|try|backup)(?=\b|[\d_])")
MOODLE = re.compile(r"^(?P<name>.+?)_\d+_assignsubmission")
CANVAS = re.compile(r"^(?P<name>[^_\W]+)_(?:LATE_)?\d+_\d+_")


@dataclass
class File:
    """A file and the way to it; the names of zip files are a part of the way."""

    way: PurePosixPath
    data: bytes = b""
    problem: str = ""


@dataclass
class Submission:
    student: str
    files: list[File] = field(default_factory=list)


def looks_like_notebook(name: str, data: bytes) -> bool:
    return name.lower().endswith(".ipynb") or b'"cells"' in data or b'"worksheets"' in data


def is_zip(name: str, data: bytes) -> bool:
    """By its name or its content: some people give their zip file the name of a notebook."""
    return name.lower().endswith(".zip") or (name.lower().endswith(".ipynb") and data.startswith(b"PK\3\4"))


def file_of(way: PurePosixPath, data: bytes) -> File:
    """A file with what grading needs of it: of a large notebook the cells without outputs, of other files nothing."""
    if not looks_like_notebook(way.name, data):
        return File(way)
    if len(data) > LARGEST:
        data = OUTPUT.sub(rb'\1""', data)
    if len(data) > LARGEST:
        return File(way, problem=f"{way.name} is larger than {LARGEST >> 20} MiB: clear its outputs and save it again")
    return File(way, data)


def files_in(folder: Path) -> list[File]:
    """All files below the folder, in order, without following links."""
    found = []
    for where, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names + [f for f in folders if os.path.islink(os.path.join(where, f))]):
            path = Path(where, name)
            # a name in another encoding than this system's is shown as far as it can be read
            way = PurePosixPath(os.fsencode(path.relative_to(folder)).decode(errors="backslashreplace"))
            if set(way.parts) & set(JUNK):
                continue
            try:
                if path.is_symlink():
                    found.append(File(way, problem=f"{way.name} is a link, and links are not followed"))
                elif not path.is_file():
                    found.append(File(way, problem=f"{way.name} is no plain file: not read"))
                elif path.stat().st_size > (TOGETHER if path.suffix.lower() == ".zip" else HUGE):
                    found.append(
                        File(way, problem=f"{way.name} is too large: clear the notebook's outputs and save it again")
                    )
                elif is_zip(path.name, data := path.read_bytes()):
                    found += files_in_zip(way, data)
                else:
                    found.append(file_of(way, data))
            except OSError as error:
                found.append(File(way, problem=f"{way.name} can't be read ({error.strerror})"))
    return found


def name_of(entry: zipfile.ZipInfo) -> str:
    """The name of a file in a zip. Some systems write UTF-8 without saying so."""
    with contextlib.suppress(UnicodeError):
        if not entry.flag_bits & 0x800:
            return entry.filename.encode("cp437").decode("utf-8")
    return entry.filename


def files_in_zip(way: PurePosixPath, data: bytes, depth: int = 1, left: list[int] | None = None) -> list[File]:
    """The files of a zip; a name that leads out of it is a problem, and so is a link.

    left: the bytes that may still be unpacked, in this zip file and in those around it and inside it."""
    inside, found, here = way.with_suffix(""), [], TOGETHER if left is None else INSIDE
    left = [TOGETHER] if left is None else left
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return [File(inside, problem=f"{way.name} is a damaged zip file")]
    entries = sorted(archive.infolist(), key=lambda e: e.filename)
    if len(entries) > MANY:
        found.append(File(inside, problem=f"{way.name} has {len(entries):,} files: only {MANY:,} are read"))
    for entry in entries[:MANY]:
        name = name_of(entry)
        parts = [part for part in re.split(r"[/\\]+", name) if part not in ("", ".")]
        if entry.is_dir() or set(parts) & set(JUNK) or not parts:
            continue
        leads_out = ".." in parts or name.startswith(("/", "\\")) or ":" in parts[0]
        place = inside.joinpath(*[part for part in parts if part != ".."])
        if leads_out:
            found.append(File(place, problem=f"{name} in {way.name} leads out of the zip file: not read"))
        elif stat.S_ISLNK(entry.external_attr >> 16):
            found.append(File(place, problem=f"{name} in {way.name} is a link: not read"))
        elif entry.file_size > min(HUGE, here, left[0]):
            found.append(File(place, problem=f"{name} in {way.name} is too large: not read"))
        else:
            here, left[0] = here - entry.file_size, left[0] - entry.file_size
            try:
                with archive.open(entry) as file:
                    content = file.read(entry.file_size)
            except Exception as error:  # encrypted, damaged, an unknown compression
                found.append(File(place, problem=f"{name} in {way.name} can't be read ({error})"))
                continue
            if is_zip(place.name, content) and depth < DEPTH:
                found += files_in_zip(place, content, depth + 1, left)
            else:
                found.append(file_of(place, content))
    return found


def student_of(way: PurePosixPath, common: int, assignment: str) -> str:
    """Whose file it is: from the names that Moodle and Canvas give, from STUDENT_ASSIGNMENT.ipynb, or from the folder."""
    for part in way.parts:
        if match := MOODLE.match(part):
            return match["name"].strip()
    stem = way.name.split(".ipynb")[0] if ".ipynb" in way.name else PurePosixPath(way.name).stem
    if match := CANVAS.match(stem):
        return match["name"]
    bare = re.sub(rf"[ _-]*{re.escape(assignment)}.*$", "", stem)
    if bare != stem and bare:
        return bare.strip(" _-")
    folders = way.parts[common:-1]
    if folders:
        return re.sub(rf"[ _-]*{re.escape(assignment)}.*$", "", folders[0]).strip() or folders[0]
    stem = re.sub(r"( \(\d+\)|-\d+)$", "", stem).strip()
    return stem if stem and stem != assignment else (way.parts[-2] if len(way.parts) > 1 else stem)


def collect(folder: Path, assignment: str) -> list[Submission]:
    """The submissions in a folder, by student, in alphabetical order."""
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder: give the folder with what students handed in")
    files = files_in(folder)
    if not files:
        raise ValueError(f"{folder} holds no files")
    common = shared(files)
    boxes = defaultdict(list)  # the outermost folders and zip files, with what is in them
    for file in files:
        boxes[file.way.parts[common : common + 1] if len(file.way.parts) > common + 1 else ()].append(file)
    by_student = defaultdict(list)
    for box, inside in boxes.items():
        depth = shared(inside)
        skip = depth if box and holds_a_class(inside, depth) else common
        for file in inside:
            by_student[unicodedata.normalize("NFC", student_of(file.way, skip, assignment))].append(file)
    return [Submission(student, by_student[student]) for student in sorted(by_student)]


def shared(files: list[File]) -> int:
    """How many folders, from the outside, all files have in common."""
    ways, depth = [file.way.parts[:-1] for file in files], 0
    while len(files) > 1 and all(len(way) > depth for way in ways) and len({way[depth] for way in ways}) == 1:
        depth += 1
    return depth


def holds_a_class(files: list[File], depth: int) -> bool:
    """Whether a folder or zip file, beside others, has what several students handed in: each a folder of their own, or
    three files of their own. Names such as v1 and v2, or old and new, are of one student."""
    graded = [file for file in files if any(mark in file.data for mark in MARKS)]
    folders = {VERSION.sub("", file.way.parts[depth].casefold()) for file in graded if len(file.way.parts) > depth + 1}
    names = {VERSION.sub("", file.way.stem.casefold()) for file in graded}
    deep = all(len(file.way.parts) > depth + 1 for file in graded)
    return (deep and len(folders) > 1) or (not folders and len(names) > 2)
