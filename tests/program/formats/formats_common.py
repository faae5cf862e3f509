"""What the tests of sources have in common: writers that need no package, and inputs whose images are names."""
import json
import os
import struct
import zlib

from launch import MPIEXEC, MPIXCORR, h5py, launch, np, on_ranks


def crc32c(data):
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
        table.append(n)
    value = 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ table[(value ^ byte) & 255]
    return value ^ 0xFFFFFFFF


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def npy(path, array, fortran=False):
    np.save(path, np.asfortranarray(array) if fortran else array)


def mrc(path, array, big=False):
    mode = {"int8": 0, "int16": 1, "float32": 2, "uint16": 6, "float16": 12}[array.dtype.name]
    order = ">" if big else "<"
    header = bytearray(1024)
    nz, ny, nx = array.shape
    struct.pack_into(order + "4i", header, 0, nx, ny, nz, mode)
    struct.pack_into(order + "3i", header, 64, 1, 2, 3)
    struct.pack_into(order + "i", header, 92, 80)  # an extended header
    header[208:212] = b"MAP "
    header[212:216] = b"\x11\x11\0\0" if big else b"\x44\x44\0\0"
    write(path, bytes(header) + b"x" * 80 + array.astype(array.dtype.newbyteorder(order)).tobytes())


def png(path, image):
    """8 or 16 bits, every filter type in turn."""
    size, rows = image.dtype.itemsize, image.astype(image.dtype.newbyteorder(">"))
    lines, before = b"", np.zeros(image.shape[1] * size, "u1")
    for y, row in enumerate(rows):
        raw, kind = np.frombuffer(row.tobytes(), "u1"), y % 3
        left = np.concatenate([np.zeros(size, "u1"), raw[:-size]])
        lines += bytes([kind]) + (raw - (0, left, before)[kind]).astype("u1").tobytes()
        before = raw
    def part(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    write(path, b"\x89PNG\r\n\x1a\n" + part(b"IHDR", struct.pack(">IIBBBBB", image.shape[1], image.shape[0], 8 * size,
                                                                0, 0, 0, 0)) +
          part(b"IDAT", zlib.compress(lines)) + part(b"IEND", b""))


def tiff(path, pages, rows_per_strip=8, big=False, deflate=True):
    """A page for each plane, in strips."""
    order, data, patches = ">" if big else "<", bytearray(), None
    data += b"MM\0*" if big else b"II*\0"
    data += b"\0\0\0\0"
    patches = 4
    for page in pages:
        strips = [page[y:y + rows_per_strip].astype(page.dtype.newbyteorder(order)).tobytes()
                  for y in range(0, len(page), rows_per_strip)]
        strips = [zlib.compress(s) if deflate else s for s in strips]
        offsets = []
        for strip in strips:
            data += b"\0" * (len(data) % 2)
            offsets.append(len(data))
            data += strip
        data += b"\0" * (-len(data) % 4)
        lists = len(data)
        data += struct.pack(f"{order}{len(strips)}I", *offsets) + struct.pack(f"{order}{len(strips)}I", *map(len, strips))
        one = len(strips) == 1
        kind = {"u": 1, "i": 2, "f": 3}[page.dtype.kind]
        entries = [(256, 4, 1, page.shape[1]), (257, 4, 1, page.shape[0]), (258, 3, 1, 8 * page.dtype.itemsize),
                   (259, 3, 1, 8 if deflate else 1), (262, 3, 1, 1),
                   (273, 4, len(strips), offsets[0] if one else lists), (277, 3, 1, 1), (278, 4, 1, rows_per_strip),
                   (279, 4, len(strips), len(strips[0]) if one else lists + 4 * len(strips)), (339, 3, 1, kind)]
        struct.pack_into(order + "I", data, patches, len(data))
        data += struct.pack(order + "H", len(entries))
        for tag, form, n, value in entries:
            data += struct.pack(order + "HHI", tag, form, n)
            data += struct.pack(order + "HH", value, 0) if form == 3 else struct.pack(order + "I", value)
        patches = len(data)
        data += b"\0\0\0\0"
    write(path, bytes(data))


def blocks(array, chunk):
    """Indices and contents of a grid's chunks; those at the end are as long as they can be."""
    counts = [-(-n // c) for n, c in zip(array.shape, chunk)]
    for at in np.ndindex(*counts):
        yield at, array[tuple(slice(a * c, (a + 1) * c) for a, c in zip(at, chunk))]


def full(block, chunk):
    out = np.zeros(chunk, block.dtype)
    out[tuple(slice(0, n) for n in block.shape)] = block
    return out


def zarr2(folder, array, chunk=(3, 16, 20), order="C", mark=".", compressor="zlib", leave_out=()):
    meta = {"zarr_format": 2, "shape": array.shape, "chunks": chunk, "dtype": array.dtype.str, "order": order,
            "fill_value": 7, "filters": None, "dimension_separator": mark,
            "compressor": {"id": compressor, "level": 1} if compressor else None}
    write(f"{folder}/.zarray", json.dumps(meta).encode())
    for at, block in blocks(array, chunk):
        if at in leave_out:
            continue
        data = full(block, chunk).tobytes(order=order)
        write(f"{folder}/{mark.join(map(str, at))}", zlib.compress(data) if compressor else data)


def zarr3(folder, array, chunk=(3, 16, 20), shard=None, big=False, transpose=None, crc=False, gzip=True):
    codecs = [{"name": "bytes", "configuration": {"endian": "big" if big else "little"}}]
    if transpose:
        codecs.insert(0, {"name": "transpose", "configuration": {"order": transpose}})
    if gzip:
        codecs.append({"name": "gzip", "configuration": {"level": 1}})
    if crc:
        codecs.append({"name": "crc32c"})

    def encode(block):
        block = block.transpose(transpose) if transpose else block
        data = block.astype(block.dtype.newbyteorder(">" if big else "<")).tobytes()
        if gzip:
            packer = zlib.compressobj(1, zlib.DEFLATED, 31)
            data = packer.compress(data) + packer.flush()
        return data + (struct.pack("<I", crc32c(data)) if crc else b"")

    index = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]
    outer = codecs if not shard else [{"name": "sharding_indexed", "configuration": {
        "chunk_shape": chunk, "codecs": codecs, "index_codecs": index, "index_location": "end"}}]
    meta = {"zarr_format": 3, "node_type": "array", "shape": array.shape, "data_type": array.dtype.name,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": shard or chunk}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}}, "fill_value": 0,
            "codecs": outer, "attributes": {}}
    write(f"{folder}/zarr.json", json.dumps(meta).encode())
    for at, block in blocks(array, shard or chunk):
        path, block = f"{folder}/c/{'/'.join(map(str, at))}", full(block, shard or chunk)
        if not shard:
            write(path, encode(block))
            continue
        data, entries = b"", b""
        for _, inner in blocks(block, chunk):
            packed = encode(inner)
            entries += struct.pack("<QQ", len(data), len(packed))
            data += packed
        write(path, data + entries + struct.pack("<I", crc32c(entries)))


def n5(folder, array, chunk=(3, 16, 20), compression="gzip"):
    meta = {"dimensions": array.shape[::-1], "blockSize": chunk[::-1], "dataType": array.dtype.name,
            "compression": {"type": compression}}
    write(f"{folder}/attributes.json", json.dumps(meta).encode())
    for at, block in blocks(array, chunk):
        header = struct.pack(f">HH{block.ndim}I", 0, block.ndim, *block.shape[::-1])
        data = block.astype(block.dtype.newbyteorder(">")).tobytes()
        if compression == "gzip":
            packer = zlib.compressobj(1, zlib.DEFLATED, 31)
            data = packer.compress(data) + packer.flush()
        write(f"{folder}/{'/'.join(map(str, at[::-1]))}", header + data)


def scene(n=8, rows=40, cols=52, dtype="u2", seed=1):
    """Images with texture, a box of each image as template, and pairs of neighbours."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 250, (n, rows, cols)).astype(dtype)
    boxes = np.array([(i, 3 + i % 5, 7, 16, 12) for i in range(n)])
    pairs = np.array([(i, t) for i in range(n) for t in (i, (i + 1) % n)])
    return images, boxes, pairs


def named_input(path, names, boxes, pairs, root=None, shapes=None, dtype=None, fixed=True):
    with h5py.File(path, "w") as file:
        if fixed:
            data = np.array([name.encode() for name in names])
            set = file.create_dataset("images", data=data, chunks=True, compression="gzip")
        else:
            set = file.create_dataset("images", data=names, dtype=h5py.string_dtype())
        if root is not None:
            set.attrs["root"] = root
        if shapes is not None:
            file["image_shapes"] = shapes
            set.attrs["dtype"] = dtype
        file["templates"], file["pairs"] = boxes, pairs


def run(input, output, ranks=1, options=()):
    return launch(on_ranks(ranks) + [MPIXCORR, "run", input, output, "--overwrite", "--progress", "none", *options])


def results(path):
    with h5py.File(path, "r") as file:
        return {name: file[name][()].tobytes() for name in ("coords", "offsets", "peaks", "status", "overlap")}
