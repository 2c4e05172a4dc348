#!/usr/bin/env python3
"""Runs a command and says how much memory of its own it took at most: anonymous pages, without those of mapped files, which the system
takes back when it needs them. /usr/bin/time -v counts both.

usage: peak.py COMMAND...
"""
import subprocess
import sys
import time


def field(pid, name):
    try:
        with open(f"/proc/{pid}/status") as f:
            return next((int(line.split()[1]) for line in f if line.startswith(name + ":")), 0)
    except (FileNotFoundError, ProcessLookupError):
        return 0


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    begin, anon, files = time.time(), 0, 0
    with subprocess.Popen(sys.argv[1:]) as child:
        while child.poll() is None:
            anon, files = max(anon, field(child.pid, "RssAnon")), max(files, field(child.pid, "RssFile"))
            time.sleep(0.005)
    print(f"peak: {anon / 1024:.1f} MiB of its own, {files / 1024:.1f} MiB of files, {time.time() - begin:.1f} s", file=sys.stderr)
    return child.returncode


if __name__ == "__main__":
    sys.exit(main())
