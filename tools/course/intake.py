"""What a learning platform gives, in any shape, sorted by student. Nothing is unpacked: zip files are read in memory."""

import io
import os
import re
import stat
import zipfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

LARGEST = 20 << 20  # bytes of a notebook
TOGETHER = 500 << 20  # bytes of what a zip file may unpack to
DEPTH = 3  # of zip files inside zip files
JUNK = ("__MACOSX", ".ipynb_checkpoints", ".DS_Store", "Thumbs.db", ".git")
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


def files_in(folder: Path) -> list[File]:
    """All files below the folder, in order, without following links."""
    found = []
    for where, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names + [f for f in folders if os.path.islink(os.path.join(where, f))]):
            path = Path(where, name)
            way = PurePosixPath(path.relative_to(folder).as_posix())
            if set(way.parts) & set(JUNK):
                continue
            if path.is_symlink():
                found.append(File(way, problem=f"{name} is a link, and links are not followed"))
            elif not path.is_file():
                continue
            elif path.suffix.lower() == ".zip":
                found += files_in_zip(way, path.read_bytes())
            elif path.stat().st_size > LARGEST:
                found.append(File(way, problem=f"{name} is larger than {LARGEST >> 20} MiB"))
            else:
                found.append(File(way, path.read_bytes()))
    return found


def files_in_zip(way: PurePosixPath, data: bytes, depth: int = 1) -> list[File]:
    """The files of a zip; a name that leads out of it is a problem, and so is a link."""
    inside, found, total = way.with_suffix(""), [], 0
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return [File(inside, problem=f"{way.name} is a damaged zip file")]
    for entry in sorted(archive.infolist(), key=lambda e: e.filename):
        parts = [part for part in re.split(r"[/\\]+", entry.filename) if part not in ("", ".")]
        if entry.is_dir() or set(parts) & set(JUNK) or not parts:
            continue
        leads_out = ".." in parts or entry.filename.startswith(("/", "\\")) or ":" in parts[0]
        place = inside.joinpath(*[part for part in parts if part != ".."])
        total += entry.file_size
        if leads_out:
            found.append(File(place, problem=f"{entry.filename} in {way.name} leads out of the zip file: not read"))
        elif stat.S_ISLNK(entry.external_attr >> 16):
            found.append(File(place, problem=f"{entry.filename} in {way.name} is a link: not read"))
        elif entry.file_size > LARGEST or total > TOGETHER:
            found.append(File(place, problem=f"{entry.filename} in {way.name} is too large: not read"))
        else:
            try:
                with archive.open(entry) as file:
                    content = file.read(LARGEST + 1)
            except Exception as error:  # encrypted, damaged, an unknown compression
                found.append(File(place, problem=f"{entry.filename} in {way.name} can't be read ({error})"))
                continue
            if place.suffix.lower() == ".zip" and depth < DEPTH:
                found += files_in_zip(place, content, depth + 1)
            else:
                found.append(File(place, content))
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
    ways, common = [file.way.parts[:-1] for file in files], 0
    while len(files) > 1 and all(len(way) > common for way in ways) and len({way[common] for way in ways}) == 1:
        common += 1
    by_student = defaultdict(list)
    for file in files:
        by_student[student_of(file.way, common, assignment)].append(file)
    return [Submission(student, by_student[student]) for student in sorted(by_student)]
