# SPDX-License-Identifier: MIT
"""What linters and refactoring tools do: parse many files into syntax trees, keep all, then walk
some of them again and again: trees.py BYTES ROUNDS. Files are those of Python's own library, in
order of name, until BYTES of text are read. Popular files are walked more often (1 / rank)."""
import ast, glob, os, sys


def read_trees(limit):
    folder, size, trees = os.path.dirname(os.__file__), 0, []
    for path in sorted(glob.glob(os.path.join(folder, "**", "*.py"), recursive=True)):
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        size += len(text)
        if size > limit:
            break
        try:
            trees.append(ast.parse(text))
        except (SyntaxError, ValueError):
            continue
    return trees


def names_of(tree):
    counts = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            counts[node.id] = counts.get(node.id, 0) + 1
    return counts


def main():
    trees = read_trees(int(sys.argv[1]))
    if not trees:
        sys.exit("trees.py: no file was read")
    state, total = 1, {}
    for _ in range(int(sys.argv[2])):
        state = (state * 1103515245 + 12345) & 0x7fffffff
        rank = int(len(trees) ** (state / 0x7fffffff)) - 1
        for name, count in names_of(trees[rank * 31 % len(trees)]).items():
            total[name] = total.get(name, 0) + count
    print(len(trees), "trees,", sum(total.values()), "names")


main()
