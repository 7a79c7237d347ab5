"""What a process may do that runs a student's code: Linux namespaces and limits, called through the C library.

The process sees the system's programs, Python and the course's package, all read-only, and an empty folder /tmp in
memory. It has no network, sees no other process, and owns nothing. It needs no program and no rights.
"""

import ctypes
import os
import platform
import resource
import sys
from pathlib import Path

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
RDONLY, NOSUID, NODEV, REMOUNT, BIND, REC, PRIVATE, DETACH = 1, 2, 4, 32, 4096, 16384, 1 << 18, 2
SET_DUMPABLE, NO_NEW_PRIVILEGES = 4, 38  # prctl's
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/localtime")
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
OLD, PROCESSES, FILES, OPEN_FILES = "/old", 8, 64 << 20, 256
NOBODY = 200_000  # the first of the user ids that nobody has


def libc(name: str, *arguments) -> None:
    """Call the C library. Raises OSError as Python's own functions do."""
    arguments = [a.encode() if isinstance(a, str) else a for a in arguments]
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def mount(source: str | None, target: str, kind: str | None = None, flags: int = 0, data: str | None = None) -> None:
    libc("mount", source, target, kind, ctypes.c_ulong(flags), data)


def isolate(readable: list[str]) -> bool:
    """Leave the system's namespaces; the process that returns is a child, the first of its own world.

    Returns whether the number of processes can be limited: the kernel doesn't do it for root, and root stays root (but
    without rights) where nobody else may read Python or the course. Raises OSError if the system doesn't allow it.
    """
    for_all = all(os.stat(path).st_mode & 5 == 5 for path in readable)
    user, group, own = os.getuid(), os.getgid(), NEWNS | NEWUTS | NEWIPC | NEWPID | NEWNET
    if user == 0:
        libc("unshare", own)
    else:
        libc("unshare", own | NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    unused = NOBODY + os.getpid()  # of the world outside: different for each grading process
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) % 256)
    _files(readable)
    if user == 0 and for_all:
        os.setgroups([])
        os.setgid(unused)
        os.setuid(unused)  # and with it go all capabilities
    else:
        header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
        libc("capset", header, nothing)
    libc("prctl", NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    libc("prctl", SET_DUMPABLE, 0, 0, 0, 0)
    return user != 0 or for_all


def _files(readable: list[str]) -> None:
    """A root folder of our own, in memory, that shows a few folders of the old one."""
    mount(None, "/", flags=REC | PRIVATE)
    mount("tmpfs", "/tmp", "tmpfs", NOSUID | NODEV, "size=1m,mode=755")
    os.mkdir("/tmp" + OLD)
    libc("pivot_root", "/tmp", "/tmp" + OLD)
    os.chdir("/")
    for path in ("/tmp", "/proc"):
        os.mkdir(path)
    mount("tmpfs", "/tmp", "tmpfs", NOSUID | NODEV, f"size={FILES},mode=1777")
    for path in (*SYSTEM, *DEVICES, *readable):  # some of them may lie below /tmp
        _show(path)
    try:
        mount("proc", "/proc", "proc", NOSUID | NODEV | RDONLY)
    except OSError:
        os.rmdir("/proc")  # some containers don't allow it, and nothing here needs it
    libc("umount2", OLD, DETACH)
    os.rmdir(OLD)
    mount("tmpfs", "/", flags=REMOUNT | RDONLY | NOSUID | NODEV, data="size=1m,mode=755")
    os.chdir("/tmp")


def _show(path: str) -> None:
    old = Path(OLD + path)
    if old.is_symlink():
        if not os.path.lexists(path):
            os.symlink(os.readlink(old), path)
        return
    if not old.exists() or Path(path).exists():
        return
    if old.is_dir():
        os.makedirs(path)
    else:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(path).touch()
    mount(str(old), path, flags=BIND | REC)
    if path not in DEVICES:
        kept = os.statvfs(path).f_flag & (NOSUID | NODEV | 8 | 1024 | 2048 | 4096)
        atime = {1024: 1 << 10, 2048: 1 << 11, 4096: 1 << 21}  # noatime, nodiratime, relatime: as mount counts them
        flags = (kept & 15) | sum(value for flag, value in atime.items() if kept & flag)
        mount(None, path, flags=REMOUNT | BIND | RDONLY | NOSUID | flags)


def limit(memory: int) -> list[str]:
    """Limit the size of files and the number of processes; returns what the system can't limit.

    `memory` (bytes) may be added to what the process has now.
    """
    missing = []
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILES, FILES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    except (OSError, ValueError) as error:
        missing.append(f"a limit on memory ({error})")
    return missing


def limit_processes() -> None:
    """Raises OSError if this would leave no process at all (an old kernel counts all of the user's processes)."""
    before = resource.getrlimit(resource.RLIMIT_NPROC)
    resource.setrlimit(resource.RLIMIT_NPROC, (PROCESSES, before[1]))
    try:
        if (child := os.fork()) == 0:
            os._exit(0)
        os.waitpid(child, 0)
    except OSError:
        resource.setrlimit(resource.RLIMIT_NPROC, before)
        raise
    resource.setrlimit(resource.RLIMIT_NPROC, (PROCESSES, PROCESSES))


def enter(readable: list[str]) -> list[str]:
    """Isolate this process as far as the system allows it; returns what is missing, in words."""
    if sys.platform != "linux":
        return [f"isolation: {platform.system()} has no namespaces, so the code can read, write and send what you can"]
    try:
        limited = isolate(readable)
    except OSError as error:
        why = "this system allows no namespaces"
        return [f"isolation: {why} ({error.strerror}), so the code can read, write and send what you can"]
    if not limited:
        return ["a limit on the number of processes (root alone may read Python's files here)"]
    try:
        limit_processes()
    except OSError as error:
        return [f"a limit on the number of processes ({error.strerror})"]
    return []
