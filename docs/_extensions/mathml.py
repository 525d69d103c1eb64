"""Formulas as MathML, which browsers show without any script, by the converter of docutils."""

from docutils.utils.math.latex2mathml import tex2mathml


def visit_inline(translator, node):
    translator.body.append(tex2mathml(node.astext()))


def visit_block(translator, node):
    translator.body.append(f'<div class="math">{tex2mathml(node.astext(), as_block=True)}</div>')


def depart(translator, node):
    """Nothing follows a formula."""


def setup(app):
    app.add_html_math_renderer("mathml", (visit_inline, depart), (visit_block, depart))
    return {"parallel_read_safe": True}
