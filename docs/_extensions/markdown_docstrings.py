"""Docstrings in Markdown, for Sphinx's autodoc, which expects reStructuredText.

It converts what the docstrings of this package use: fenced code, tables, links, and inline code (the default role, see
conf.py). The sections (Args, Returns, Raises, Example) are left to `sphinx.ext.napoleon`, which runs afterwards.
"""

import inspect
import re

FENCE = re.compile(r"(\s*)```(\w*)\s*$")
ROW = re.compile(r"(\s*)\|(.*)\|\s*$")
LINK = re.compile(r"\[([^\]\[]+)\]\((https?://[^)]+)\)")
CODE = re.compile(r"(``?)(.+?)\1")


def convert(lines):
    """Return the lines of a docstring in Markdown as lines of reStructuredText.

    >>> convert(["See `A`s, *args:", "```", "x", "```"])
    ['See `A`\\\\ s, \\\\*args:', '', '.. code-block:: text', '', '    x', '']
    >>> convert(["| a | b |", "|---|---|", "| `c` | d |"])[1:6]
    ['.. list-table::', '    :header-rows: 1', '', '    * - a', '      - b']
    """
    result, rest = [], list(lines)
    while rest:
        line = rest.pop(0)
        if fence := FENCE.match(line):
            indent, language = fence[1], fence[2] or "text"
            result += ["", f"{indent}.. code-block:: {language}", ""]
            while not FENCE.match(inside := rest.pop(0)):
                result.append(f"    {inside}" if inside.strip() else "")
            result.append("")
        elif row := ROW.match(line):
            indent = row[1]
            result += ["", f"{indent}.. list-table::", f"{indent}    :header-rows: 1", ""]
            while row:
                if not set(row[2]) <= set("-|: "):
                    cells = [inline(cell.strip()) for cell in row[2].split("|")]
                    result.append(f"{indent}    * - {cells[0]}")
                    result += [f"{indent}      - {cell}" for cell in cells[1:]]
                row = ROW.match(rest[0]) if rest else None
                if row:
                    rest.pop(0)
            result.append("")
        elif line.strip() in ("Example:", "Examples:"):  # napoleon wants what follows indented; doctest does not
            result += ["", f"{line[: -len(line.lstrip())]}.. rubric:: {line.strip()[:-1]}", ""]
        elif line.lstrip().startswith(">>>"):
            while line.strip():  # an example: left as it is, with its output
                result.append(line)
                line = rest.pop(0) if rest else ""
            result.append("")
        else:
            result.append(inline(line))
    return result


def inline(line):
    """Return the text of a line with inline code, links and asterisks as reStructuredText writes them."""
    parts, end = [], 0
    for code in CODE.finditer(line):
        parts.append(plain(line[end : code.start()]))
        parts.append(f"`{code[2]}`" if re.fullmatch(r"[\w.]+", code[2]) else f"``{code[2]}``")
        if line[code.end() : code.end() + 1].isalnum():  # a plural
            parts.append("\\ ")
        end = code.end()
    return "".join([*parts, plain(line[end:])])


def plain(text):
    """Escape what has a meaning in reStructuredText, except for links, which are written its way."""
    text = LINK.sub(r"`\1 <\2>`__", text)
    return re.sub(r"(?<!`)\*|(?<=\w)_(?=\W|$)(?!`)(?<!`_)", lambda match: f"\\{match[0]}", text)


def process(app, what, name, obj, options, lines):
    lines[:] = convert(lines)


def signature(app, what, name, obj, options, text, returns):
    """The arguments of a Keras class are those of its `__init__`: `__new__` takes anything."""
    if what == "class" and text == "(*args, **kwargs)":
        parameters = list(inspect.signature(obj.__init__).parameters.values())[1:]
        bare = [parameter.replace(annotation=parameter.empty) for parameter in parameters]
        return str(inspect.Signature(bare)), returns


def setup(app):
    app.connect("autodoc-process-signature", signature)
    app.connect("autodoc-process-docstring", process, priority=400)  # before napoleon
    return {"parallel_read_safe": True}
