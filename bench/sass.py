"""What nvcc makes of the GPU engine's kernels, counted in their SASS (no GPU needed): kernels(architecture).

A kernel is a graph of basic blocks. Costs are instructions a warp issues on the dearest way through a loop once, inner loops
counted apart, with the accesses to global memory on that way: what happens every time, not what stands in the file. Needs
nvcc, and nvdisasm ($NVDISASM, on PATH, or of the package nvidia-cuda-nvdisasm from PyPI).
"""
import glob
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MULTIPLY = {1: "multiply_kernel", 2: "multiply_2_kernel", 4: "multiply_4_kernel"}  # by radix
WIDTHS = {".128": 16, ".64": 8, ".U8": 1, ".S8": 1, ".U16": 2, ".S16": 2}


def tools():
    """(nvcc, nvdisasm), None for what is not there."""
    path = os.pathsep.join([os.environ.get("PATH", ""), os.path.join(os.environ.get("CUDA_HOME", "/usr/local/cuda"), "bin")])
    spec = importlib.util.find_spec("nvidia")
    wheels = [found for folder in (spec.submodule_search_locations if spec else []) for found in glob.glob(folder + "/*/bin/nvdisasm")]
    return shutil.which("nvcc", path=path), os.environ.get("NVDISASM") or shutil.which("nvdisasm", path=path) or next(iter(wheels), None)


class Cost:
    """Instructions, and numbers of global loads and stores by width, of one way through some blocks."""

    def __init__(self, lines=()):
        self.instructions = len(lines)
        self.loads, self.stores = {}, {}
        for line in lines:
            access = re.search(r"\b(LDG|STG)\.E(\S*)", line)
            if access:
                width = next((w for name, w in WIDTHS.items() if name in access[2]), 4)
                table = self.loads if access[1] == "LDG" else self.stores
                table[width] = table.get(width, 0) + 1

    def __str__(self):
        accesses = [f"{n} {what} of {width}" for what, table in (("loads", self.loads), ("stores", self.stores)) for width, n in sorted(table.items())]
        return f"{self.instructions} instructions" + ("; " + ", ".join(accesses) if accesses else "")


class Loop:
    """Blocks of a natural loop; `inner` loops are in it."""

    def __init__(self, head, blocks):
        self.head, self.blocks, self.inner, self.outer, self.cost = head, blocks, [], None, None

    def walk(self):
        yield self
        for loop in self.inner:
            yield from loop.walk()


class Kernel:
    """`whole` is a pseudo loop: the way through the kernel, once; its inner loops are the kernel's."""

    def __init__(self, name, lines, registers=0):
        self.name, self.lines, self.registers = name, [line for line in lines if line.startswith("/*")], registers
        self._cut(lines)
        self._find_loops()

    def _cut(self, lines):
        """Basic blocks, and which follow which."""
        starts, block = {}, 0
        self.code, self.next = [[]], {}
        jumps = []
        for line in lines:
            label = re.match(r"(\.L_x_\d+):", line)
            if label:
                if self.code[block]:
                    self.code.append([])
                    jumps.append((block, block + 1))
                    block += 1
                starts[label[1]] = block
                continue
            self.code[block].append(line)
            branch = re.search(r"^/\*\w+\*/ +(@!?U?P\w+ +)?(BRA\S*|EXIT\S*|RET\S*)(?:.*`\((\.L_x_\d+)\))?", line)
            if not branch:
                continue
            if branch[3] and ".DIV" not in branch[2]:  # else: lanes that have gone apart, which these do not
                jumps.append((block, branch[3]))
            conditional = branch[1] or ".DIV" in branch[2] or re.search(r"BRA\S* U?!?U?P\d", line)
            self.code.append([])
            if conditional:
                jumps.append((block, block + 1))
            block += 1
        self.next = {b: [] for b in range(len(self.code))}
        for at, to in jumps:
            self.next[at].append(starts[to] if isinstance(to, str) else to)

    def _find_loops(self):
        order, seen = [], set()  # of a search in depth, its ends

        def visit(root):
            stack = [(root, iter(self.next[root]))]
            seen.add(root)
            while stack:
                at, rest = stack[-1]
                to = next((b for b in rest if b not in seen), None)
                if to is None:
                    order.append(at)
                    stack.pop()
                else:
                    seen.add(to)
                    stack.append((to, iter(self.next[to])))

        visit(0)
        order.reverse()
        before = {b: [a for a in order if b in self.next[a]] for b in order}
        dominators = {b: set(order) for b in order}
        dominators[0] = {0}
        changed = True
        while changed:
            changed = False
            for b in order[1:]:
                new = {b} | set.intersection(*(dominators[a] for a in before[b]))
                changed |= new != dominators[b]
                dominators[b] = new
        heads = {}
        for a in order:
            for b in self.next[a]:
                if b in dominators[a]:
                    body, stack = {b, a}, [a]
                    while stack:
                        at = stack.pop()
                        if at != b:
                            stack += [c for c in before[at] if c not in body]
                            body.update(before[at])
                    heads.setdefault(b, set()).update(body)
        self.whole = Loop(0, set(order))
        loops = sorted((Loop(head, body) for head, body in heads.items()), key=lambda loop: len(loop.blocks))
        for i, loop in enumerate(loops):
            loop.outer = next((other for other in loops[i + 1:] if loop.head in other.blocks), self.whole)
            loop.outer.inner.append(loop)
        rank = {b: i for i, b in enumerate(order)}
        for loop in self.whole.walk():
            loop.inner.sort(key=lambda inner: inner.head)
            loop.cost = Cost(self._dearest(loop, order, rank))

    def _dearest(self, loop, order, rank):
        """Lines of the way through a loop that has most; those of inner loops left out."""
        inner = set().union(*(other.blocks for other in loop.inner)) if loop.inner else set()
        best = {}
        for b in reversed([b for b in order if b in loop.blocks]):
            following = [best[c] for c in self.next[b] if c in loop.blocks and rank[c] > rank[b]]
            longest = max(following, key=len, default=[])
            best[b] = ([] if b in inner else self.code[b]) + longest
        return best[loop.head]

    def loops(self):
        return [loop for loop in self.whole.walk() if loop is not self.whole]

    def __str__(self):
        text = [f"{self.name}: {self.registers} registers, {len(self.lines)} instructions in all; once {self.whole.cost}"]

        def tell(loop, depth):
            for inner in loop.inner:
                text.append("  " * depth + f"loop: {inner.cost}")
                tell(inner, depth + 1)

        tell(self.whole, 1)
        return "\n".join(text)


def parse(text, registers):
    """{name: Kernel} of what nvdisasm prints."""
    found, lines = {}, None
    for line in text.splitlines():
        section = re.match(r"\.text\.(\S+):", line)
        if section:
            lines = found.setdefault(section[1], [])
        elif line.startswith(".section") or line.startswith("\t.section"):
            lines = None
        elif lines is not None and re.match(r"\s+/\*[0-9a-f]{4,}\*/|\.L_x_\d+:", line):
            lines.append(line.strip())
    kernels = {}
    for mangled, lines in found.items():
        length = re.match(r"_Z(\d+)", mangled)
        name = mangled[length.end():length.end() + int(length[1])]
        kernels[name] = Kernel(name, lines, registers.get(mangled, 0))
    return kernels


def kernels(architecture):
    """{name: Kernel} of all in gpu/, and the text of nvdisasm."""
    nvcc, nvdisasm = tools()
    found, text = {}, ""
    with tempfile.TemporaryDirectory() as folder:
        for source in sorted(glob.glob(os.path.join(HERE, "gpu", "*.cu"))):
            cubin = os.path.join(folder, os.path.basename(source) + ".cubin")
            command = [nvcc, "-std=c++17", "-O3", f"-arch=sm_{architecture}", "-cubin", "-I" + HERE, "-I" + os.path.join(HERE, "src"), "-Xptxas=-v"]
            said = subprocess.run([*command, "-o", cubin, source], check=True, capture_output=True, text=True).stderr
            registers = {name: int(n) for name, n in re.findall(r"entry function '(\S+)'.*?Used (\d+) registers", said, re.DOTALL)}
            here = subprocess.run([nvdisasm, "-c", cubin], check=True, capture_output=True, text=True).stdout
            found.update(parse(here, registers))
            text += here
    return found, text


def bounds(found):
    """Costs in the kernel of bounds: of a template in a tile, whose four columns of a lane are read at once, and of a tile."""
    loop = next(loop for loop in found["bounds_kernel"].loops() if loop.outer.outer and 16 in loop.cost.loads)
    return loop.cost, loop.outer.cost
