"""Writes small files made to harm whoever reads them into crates/io/tests/corpus, where the fuzz tests replay them.

    python test/reference/hostile.py
"""

import gzip
import io
import json
import pathlib
import struct
import zipfile
import zlib

CORPUS = pathlib.Path(__file__).parents[2] / "crates/io/tests/corpus"


def keep(kind, name, data):
    (CORPUS / kind).mkdir(parents=True, exist_ok=True)
    (CORPUS / kind / name).write_bytes(data)


def archive(entries, compression=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as z:
        for name, data in entries:
            z.writestr(zipfile.ZipInfo(name), data, compression)
    return out.getvalue()


def pth(pickle, storage=b"\0" * 16):
    return archive([("a/data.pkl", pickle), ("a/data/0", storage)])


def tensor(size, offset, shape, strides):
    """A pickled dictionary of one float tensor."""
    def number(v):
        return b"\x8a\x08" + struct.pack("<Q", v)

    def numbers(list_):
        return b"(" + b"".join(map(number, list_)) + b"t"

    storage = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpu" + number(size) + b"tQ"
    rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(offset) + numbers(shape) + numbers(strides)
    return b"\x80\x02}X\x01\0\0\0w" + rebuild + b"\x89ccollections\nOrderedDict\n)RtRs."


def framed(header):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text


LARGE = 2**62
keep("safetensors", "overlap", framed({k: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for k in "ab"}) + b"\0" * 4)
keep("safetensors", "overflow", framed({"a": {"dtype": "F32", "shape": [LARGE, LARGE], "data_offsets": [0, 4]}}) + b"\0" * 4)
keep("safetensors", "header-length", b"\xff" * 8 + b"{}")
keep("safetensors", "empty-dimension", framed({"a": {"dtype": "F32", "shape": [LARGE, 0, LARGE], "data_offsets": [0, 0]}}))

for name, shape in {"huge": f"({LARGE}, {LARGE})", "empty": f"({LARGE}, 0, {LARGE})", "negative": "(-1,)"}.items():
    text = f"{{'descr': '<f8', 'fortran_order': True, 'shape': {shape}, }}".encode()
    keep("npy", name, b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text)
keep("npy", "header-length", b"\x93NUMPY\x03\0" + b"\xff" * 4)

keep("idx", "huge", bytes([0, 0, 0x0E, 8]) + b"\xff" * 32)
keep("idx", "bomb", gzip.compress(bytes([0, 0, 8, 1]) + struct.pack(">I", 2**31) + b"\0" * 100_000, mtime=0))

keep("pth", "cycle", pth(b"\x80\x02]q\0h\0a."))
laughs = b"\x80\x02)q\0" + b"".join(b"(" + b"h%c" % i * 20 + b"tq%c" % (i + 1) for i in range(60)) + b"."
keep("pth", "laughs", pth(laughs))
keep("pth", "repeat", pth(tensor(4, 0, [2**30, 2**20], [0, 0])))
keep("pth", "overflow", pth(tensor(4, LARGE, [LARGE, 2], [LARGE, LARGE])))
keep("pth", "size", pth(tensor(LARGE, 0, [4], [1])))
keep("pth", "count", pth(b"\x80\x02X\xff\xff\xff\xffq."))
keep("pth", "system", pth(b"\x80\x02cos\nsystem\n(X\x02\0\0\0lstR."))
keep("pth", "many-views", pth(b"\x80\x02(" + tensor(4, 0, [4], [1])[2:-1] * 2000 + b"t."))

keep("zip", "bomb", archive([("a", b"\0" * (8 << 20))], zipfile.ZIP_DEFLATED))
lying = bytearray(archive([("a.npy", b"\0" * 100)]))
at = lying.rfind(b"PK\x01\x02")
lying[at + 20 : at + 28] = b"\xfe\xff\xff\xff" * 2
keep("npz", "lying-size", bytes(lying))


def png(width, height, depth, data):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


keep("image", "wide.png", png(2**31 - 1, 1, 16, b"\0" * 100))
keep("image", "large.png", png(60_000, 60_000, 8, b"\0" * 100_000))
keep("image", "within-limits.png", png(1024, 1024, 16, b"\0" * 100))
jpeg = b"\xff\xd8\xff\xc0\0\x11\x08" + struct.pack(">HH", 65535, 65535) + b"\x03\x01\x11\0\x02\x11\0\x03\x11\0"
keep("image", "large.jpg", jpeg + b"\xff\xda\0\x0c\x03\x01\0\x02\0\x03\0\0\x3f\0" + b"\0" * 64)
keep("image", "large.pgm", b"P5 999999999999 999999999999 255 ")
