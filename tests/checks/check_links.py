"""Links in the documents lead somewhere, in the repository and as installed, and docs/README.md leads to every page.

check_links.py ROOT        the repository
check_links.py --installed DOCDIR
"""
import html
import os
import re
import sys
import unicodedata

LINK = re.compile(r"!?\[[^\]]*\]\(\s*([^)\s]+)[^)]*\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
SKIPPED_FOLDERS = {"build", "_work", "node_modules"}


def pages(root):
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if not f.startswith((".", "build-")) and f not in SKIPPED_FOLDERS)
        for name in sorted(names):
            if name.endswith(".md"):
                yield os.path.normpath(os.path.join(folder, name))


def read(path):
    with open(path, encoding="utf-8") as page:
        return page.read()


def links(path):
    """Targets of a page's links, without what stands in code."""
    text = re.sub(r"`[^`\n]*`(?!\])", lambda code: code[0] if "](" in code[0] else "", FENCE.sub("", read(path)))
    return [html.unescape(target) for target in LINK.findall(text)]


def anchors(path):
    """As GitHub names headings."""
    found, seen = set(), {}
    for heading in re.findall(r"^#+ +(.*?) *#*$", FENCE.sub("", read(path)), re.MULTILINE):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        kept = [c for c in heading.lower() if c in " -_" or unicodedata.category(c)[0] in "LN"]
        name = "".join(kept).replace(" ", "-")
        found.add(name if name not in seen else f"{name}-{seen[name]}")
        seen[name] = seen.get(name, 0) + 1
    return found


def broken(path, target, inside):
    """What is wrong with a link, or None. Nothing may lead out of `inside`."""
    if re.match(r"[a-z]+:", target):
        return None if target.startswith(("https://", "mailto:")) else "is neither a file nor https"
    name, _, anchor = target.partition("#")
    whole = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
    if os.path.isabs(name) or not (whole + os.sep).startswith(inside + os.sep):
        return "leads out of the documents"
    if not os.path.exists(whole):
        return "does not exist"
    if anchor and whole.endswith(".md") and anchor not in anchors(whole):
        return "has no such heading"
    return None


def reached(start):
    found, todo = set(), [start]
    while todo:
        page = todo.pop()
        if page in found or not page.endswith(".md") or not os.path.exists(page):
            continue
        found.add(page)
        todo += [os.path.normpath(os.path.join(os.path.dirname(page), target.partition("#")[0]))
                 for target in links(page) if not re.match(r"[a-z]+:|#", target)]
    return found


def main():
    root = os.path.normpath(os.path.abspath(sys.argv[-1]))
    found = list(pages(root))
    bad, count = [], 0
    for page in found:
        for target in links(page):
            count += 1
            why = broken(page, target, root)
            if why:
                bad.append(f"{os.path.relpath(page, root)}: {target}: {why}")
    start = os.path.join(root, "docs", "README.md")
    from_start = reached(start)
    documents = [page for page in found if os.path.dirname(page) in (root, os.path.join(root, "docs"))]
    bad += [f"{os.path.relpath(page, root)}: docs/README.md does not lead there" for page in documents if page not in from_start]
    if start not in from_start or len(documents) < 8 or count < 20:
        bad.append(f"only {len(documents)} pages and {count} links were found under {root}")
    print("\n".join(bad) if bad else f"{count} links in {len(found)} pages lead somewhere")
    return 1 if bad else 0


sys.exit(main())
