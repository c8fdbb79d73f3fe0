"""What a gate asks git for: a revision's files, the working tree's, and whether they differ."""

from __future__ import annotations

import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UsageError

_INSTALL = "install git, or give --base-plugin and --head-plugin"


@dataclass(frozen=True, kw_only=True, slots=True)
class Repository:
    """A git repository with a work tree."""

    root: Path

    def commit(self, revision: str, argument: str) -> str:
        """Give the hash of the commit that a revision names.

        Raises
        ------
        UsageError
            There is none: the revision is misspelt, or a shallow clone left it out.
        """
        found = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        if found.returncode == 0:
            return found.stdout.decode().strip()
        if self._git("rev-parse", "--is-shallow-repository").stdout.strip() == b"true":
            mend = f"fetch it: git fetch --depth=1 origin {revision} (in a GitHub workflow: fetch-depth: 0)"
            raise UsageError(argument, f"{revision!r} is not in this shallow clone", mend)
        raise UsageError(argument, f"there is no revision {revision!r} in {self.root}", "see 'git log --oneline --all'")

    def extract(self, commit: str, folder: str, target: Path, argument: str) -> None:
        """Write a folder of a commit below ``target``, as it was then.

        Raises
        ------
        UsageError
            The commit has no such folder.
        """
        archive = self._git("archive", "--format=tar", commit, "--", folder)
        if archive.returncode:
            found = f"{commit[:12]} has no folder {folder}"
            raise UsageError(argument, found, "name a revision that has it, or give --base-plugin and --head-plugin")
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
            tar.extractall(target, filter="data")

    def files(self, folder: str) -> tuple[Path, ...]:
        """Give a folder's files in the work tree, relative to the root: tracked or not, but none that is ignored."""
        listed = self._git("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", folder)
        names = dict.fromkeys(name.decode() for name in listed.stdout.split(b"\0") if name)
        return tuple(Path(name) for name in names if (self.root / name).is_file())

    def is_dirty(self, folder: str) -> bool:
        """Say whether the folder holds what no commit does."""
        return bool(self._git("status", "--porcelain", "--", folder).stdout.strip())

    def head(self) -> str:
        """Give the checked out commit's hash, or nothing where there is no commit yet."""
        return self._git("rev-parse", "--verify", "--quiet", "HEAD").stdout.decode().strip()

    def _git(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        return _git(self.root, *words)


def repository(folder: Path, argument: str) -> Repository:
    """Find the repository that a folder lies in.

    Raises
    ------
    UsageError
        It lies in none, or there is no git.
    """
    try:
        found = _git(folder, "rev-parse", "--show-toplevel")
    except FileNotFoundError:
        raise UsageError(argument, "git is not installed", _INSTALL) from None
    if found.returncode:
        why = found.stderr.decode(errors="replace").strip().splitlines()
        said = why[0].removeprefix("fatal: ") if why else "git failed"
        raise UsageError(argument, f"{folder} is in no git repository ({said})", "go to a clone of your kernels")
    return Repository(root=Path(found.stdout.decode().strip()))


def _git(folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    command = ["git", "-C", str(folder), *words]
    return subprocess.run(command, capture_output=True, check=False)
