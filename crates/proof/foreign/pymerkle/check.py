"""Recomputes a log's root from its raw entries with PyPI pymerkle and compares it to a checkpoint.

    check.py ENTRIES CHECKPOINT

ENTRIES is a file of entries with big-endian u16 lengths (entry bundles, one after the other), or a directory with
one file for each entry, in the order of their names. CHECKPOINT is a signed checkpoint or a .tlog-proof.
Checks the root only; the signature is the business of ../go. Shares no code with Mortise.
"""

import base64
import pathlib
import sys

from pymerkle import InmemoryTree


def entries(path):
    if path.is_dir():
        yield from (file.read_bytes() for file in sorted(path.iterdir()))
        return
    data, at = path.read_bytes(), 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if at + 2 > len(data) or end > len(data):
            raise ValueError("the last entry is cut off")
        yield data[at + 2 : end]
        at = end


def checkpoint(text):
    if text.startswith("c2sp.org/tlog-proof@v1\n"):
        text = text.split("\n\n", 1)[1]
    origin, size, root = text.split("\n")[:3]
    return origin, int(size), base64.b64decode(root, validate=True)


def main():
    if len(sys.argv) != 3:
        raise ValueError("usage: check.py ENTRIES CHECKPOINT")
    origin, size, root = checkpoint(pathlib.Path(sys.argv[2]).read_text(encoding="utf-8"))
    tree = InmemoryTree(algorithm="sha256")
    for entry in entries(pathlib.Path(sys.argv[1])):
        tree.append_entry(entry)
    if tree.get_size() < size:
        raise ValueError(f"the checkpoint says {size} entries, only {tree.get_size()} are here")
    if tree.get_root(size) != root:
        raise ValueError("the root of the entries is not that of the checkpoint")
    print(f"OK: {size} entries give the root of {origin}")


if __name__ == "__main__":
    try:
        main()
    except (ValueError, IndexError, OSError) as error:
        print(f"REFUSED: {error}", file=sys.stderr)
        sys.exit(1)
