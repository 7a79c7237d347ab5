"""What every chapter looks like in the repository, and the address that all of them carry."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from pybtex.database import parse_file

import repository

ROOT = Path(__file__).parents[1]
OPEN_LINES, FOLDED_LINES = 15, 20
TITLES = {"How this figure is made", "How this table is made", "How this is measured", "Check"}  # of folded cells
CHAPTERS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "book").glob("[0-9]*/*.ipynb"))
FORK = "https://git.example.org/someone/our-course.v2"


def read(chapter: str) -> nbformat.NotebookNode:
    return nbformat.read(ROOT / chapter, as_version=4)


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def python(cell: nbformat.NotebookNode) -> ast.Module:
    """The cell without IPython's magics."""
    lines = cell.source.splitlines()
    return ast.parse("\n".join(re.sub(r"^(\s*)[%!].*", r"\1pass", line) for line in lines))


def text_of(notebook: nbformat.NotebookNode) -> str:
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


@pytest.fixture
def tree(tmp_path):
    """A copy of everything that holds the address."""
    for name in ("_config.yml", "README.md", "CITATION.cff"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "book", tmp_path / "book", ignore=shutil.ignore_patterns("_static"))
    return tmp_path


def contents(tree: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}


def test_the_table_of_contents_and_the_chapters_agree():
    pages = repository.pages()
    assert [page for page in pages if not any((ROOT / f"{page}.{kind}").exists() for kind in ("md", "ipynb"))] == []
    assert {chapter.removesuffix(".ipynb") for chapter in CHAPTERS} <= set(pages)
    assert CHAPTERS


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_is_committed_without_outputs(chapter):
    notebook = read(chapter)
    assert [cell.id for cell in code_cells(notebook) if cell.outputs or cell.execution_count] == []
    assert "widgets" not in notebook.metadata
    assert nbformat.writes(notebook) + "\n" == (ROOT / chapter).read_text("utf-8"), "not as nbformat writes it"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_is_a_valid_python_notebook_with_ids(chapter):
    notebook = nbformat.read(ROOT / chapter, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_starts_with_setup_and_imports(chapter):
    setup, imports, *_ = code_cells(read(chapter))
    assert setup.source == repository.SETUP_CELL.format(address=repository.address())
    assert setup.metadata.tags == ["remove-cell"]
    assert any(isinstance(node, ast.Import | ast.ImportFrom) for node in python(imports).body)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_has_asserts(chapter):
    assert any(isinstance(node, ast.Assert) for cell in code_cells(read(chapter)) for node in ast.walk(python(cell)))


def is_folded(cell: nbformat.NotebookNode) -> bool:
    return bool({"hide-input", "remove-cell", "remove-input"}.intersection(cell.metadata.get("tags", [])))


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_has_small_cells(chapter):
    long = {}
    for cell in code_cells(read(chapter)):
        lines = len(cell.source.splitlines())
        if lines > (FOLDED_LINES if is_folded(cell) else OPEN_LINES):
            long[cell.id] = lines
    assert long == {}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_folded_cells_say_what_they_hold(chapter):
    untitled = []
    for cell in code_cells(read(chapter)):
        if "hide-input" in cell.metadata.get("tags", []):
            options = cell.metadata.get("mystnb", {})
            show, hide = options.get("code_prompt_show"), options.get("code_prompt_hide")
            if show not in TITLES or show != hide:
                untitled.append((cell.id, show, hide))
    assert untitled == [], f"set both prompts in the cell's metadata to one of {sorted(TITLES)}"


def only_checks(body: list[ast.stmt]) -> bool:
    """Whether statements do nothing but assert and glue."""
    for node in body:
        if isinstance(node, ast.For | ast.If | ast.With):
            if not only_checks([*node.body, *getattr(node, "orelse", [])]):
                return False
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            if not ast.unparse(node.value.func).startswith("viz.glue"):
                return False
        elif not isinstance(node, ast.Assert):
            return False
    return bool(body)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_cells_that_only_check_are_folded(chapter):
    cells = code_cells(read(chapter))
    assert [cell.source for cell in cells if only_checks(python(cell).body) and not is_folded(cell)] == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_first_figure_stands_among_the_first_ten_cells(chapter):
    figures = [i for i, cell in enumerate(read(chapter).cells) if "figure" in cell.metadata.get("mystnb", {})]
    assert min(figures, default=99) < 10


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_has_at_most_five_exercises_and_folded_solutions_of_a_third(chapter):
    text = text_of(read(chapter))
    exercises = re.findall(r"{exercise(?:-start)?}[^\n]*\n:label: (\S+)", text)
    solutions = re.findall(r"{solution(?:-start)?} (\S+)\n((?::.*\n)*)", text)
    assert 3 <= len(exercises) <= 5
    assert len(solutions) >= round(len(exercises) / 3)
    assert {name for name, _ in solutions} <= set(exercises)
    assert [name for name, options in solutions if ":class: dropdown" not in options] == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_figures_have_name_caption_and_alt_text_and_are_referred_to(chapter):
    notebook = read(chapter)
    for cell in code_cells(notebook):
        options = cell.metadata.get("mystnb", {})
        if "figure" not in options and "image" not in options:
            continue
        assert options["figure"]["name"]
        assert options["figure"]["caption"]
        assert options["image"]["alt"]
        assert options["image"]["alt"] != options["figure"]["caption"]
        assert re.search(rf"{{(numref|ref)}}`[^`]*\b{re.escape(options['figure']['name'])}\b", text_of(notebook)), (
            f"the text doesn't refer to {options['figure']['name']}"
        )


# "Four grids.", "A row of tokens:", "Two panels with three curves each."
BARE = re.compile(
    r"(an?|the|some|several|one|two|three|four|five|six|seven|eight|nine|ten|\d+)( [\w-]+){0,3} (grid|panel|curve|line|row|column|bar|"
    r"table|boxe?|map|cell|square|group|dot|point|plot|chart|graph|diagram|figure|image|picture)s?( (with|of|on) [\w -]+)?[.:;]",
    re.IGNORECASE,
)


@pytest.mark.parametrize("page", [*CHAPTERS, "book/world.md"])
def test_alt_texts_say_what_a_figure_shows(page):
    """Not what kind of figure it is: a reader who cannot see it wants to know the trend, the values, the relation."""
    if page.endswith(".ipynb"):
        alts = [c.metadata.mystnb.image.alt for c in code_cells(read(page)) if "image" in c.metadata.get("mystnb", {})]
    else:
        alts = re.findall(r"^ +alt: (.+)$", (ROOT / page).read_text("utf-8"), re.MULTILINE)
    assert alts
    assert [alt for alt in alts if len(alt) < 100 or BARE.match(alt)] == []


@pytest.mark.parametrize(
    "alt", ["Four grids.", "A diagram of an LSTM cell. The old state", "Two panels with two curves each: the"]
)
def test_a_bare_noun_is_no_alt_text(alt):
    assert BARE.match(alt)


CALLBACKS = {
    "interact",
    "interact_manual",
    "interactive",
    "interactive_output",
    "observe",
    "on_click",
    "on_submit",
    "on_msg",
    "on_trait_change",
    "register_callback",  # Colab's
    "register_comm_target",
    "link",  # jslink is tied in the browser
    "dlink",
    "on_changed",  # of matplotlib's widgets, and the clicks on its figures
    "on_clicked",
    "mpl_connect",
    "on_change",  # of Plotly's figures
    "on_selection",
    "on_hover",
}
WIDGET = re.compile(r"\w+_(explorer|stepper)")


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def calls(tree: ast.AST) -> set[str]:
    """The names of the functions that are called, or that decorate one, and of those whose methods are."""
    nodes = list(ast.walk(tree))
    called = [node.func for node in nodes if isinstance(node, ast.Call)]
    called += [name for node in nodes if isinstance(node, FUNCTIONS) for name in node.decorator_list]
    called += [node.value for node in called if isinstance(node, ast.Attribute)]  # interact.options(manual=True)(f)
    renamed = {n.asname: n.name for node in nodes if isinstance(node, ast.ImportFrom) for n in node.names if n.asname}
    names = {getattr(node, "attr", getattr(node, "id", "")) for node in called}
    return names | {renamed[name] for name in names & renamed.keys()}


def stands_near(notebook: nbformat.NotebookNode, i: int, cells: int = 3) -> tuple[str, bool]:
    """The text near a cell, and whether there is a figure."""
    near = notebook.cells[max(i - cells, 0) : i + cells + 1]
    text = "\n".join(cell.source for cell in near if cell.cell_type == "markdown")
    return text, any("figure" in cell.metadata.get("mystnb", {}) for cell in near)


def test_no_widget_of_the_package_needs_python():
    """The published page has no kernel: its widgets are tied with jslink, or written for the browser."""
    files = [*(ROOT / "lib" / "seqbook").rglob("*.py")]
    found = {path.name: calls(ast.parse(path.read_text("utf-8"))) & CALLBACKS for path in files}
    assert {name: callbacks for name, callbacks in found.items() if callbacks} == {}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_widget_has_a_still_picture_beside_it_and_a_dead_one_says_so(chapter):
    notebook = read(chapter)
    for i, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        called = calls(python(cell))
        text, figure = stands_near(notebook, i)
        if called & CALLBACKS or any(map(WIDGET.fullmatch, called)):
            assert figure, f"no figure with the same content near {cell.id}"
        if called & CALLBACKS:
            assert "needs a kernel" in text, f"the text near {cell.id} doesn't say where it can be run"


def test_callbacks_are_seen_however_they_are_written():
    source = "@interact(k=3)\ndef f(k): ...\nbutton.on_click(f)\nwidgets.interactive(f)\nslider.observe(f, 'value')"
    assert calls(ast.parse(source)) & CALLBACKS == {"interact", "on_click", "interactive", "observe"}
    source = "widgets.jslink((a, 'value'), (b, 'value'))\nwidgets.link(a, b)\nfig.canvas.mpl_connect('pick_event', f)"
    assert calls(ast.parse(source)) & CALLBACKS == {"link", "mpl_connect"}
    for source in (
        "@interact\ndef f(k): ...",
        "@interact(k=3)\nasync def f(k): ...",
        "interact.options(manual=True)(f)",
        "from ipywidgets import interact as play\nplay(f, k=3)",
    ):
        assert calls(ast.parse(source)) & CALLBACKS == {"interact"}
    assert calls(ast.parse("output.register_callback('f', f)")) & CALLBACKS == {"register_callback"}


def test_names_of_figures_and_equations_are_unique_in_the_book():
    names = []
    for chapter in CHAPTERS:
        notebook = read(chapter)
        names += [
            c.metadata.mystnb.figure.name for c in code_cells(notebook) if "figure" in c.metadata.get("mystnb", {})
        ]
        names += re.findall(r"^\$\$ \(([\w-]+)\)$", text_of(notebook), re.MULTILINE)
    assert sorted(set(names)) == sorted(names)


def test_every_citation_has_an_entry():
    """Without this, a damaged bibliography would show only when all chapters have been executed."""
    files = [
        *ROOT.glob("book/*.md"),
        *ROOT.glob("book/*/*.md"),
        *ROOT.glob("book/*/*.ipynb"),
        *ROOT.glob("lib/**/*.py"),
    ]
    found = re.findall(r"{cite(?::\w+)?}`([^`]+)`", "".join(file.read_text(encoding="utf-8") for file in files))
    cited = {key.strip() for keys in found for key in keys.split(",")}
    assert len(cited) > 50
    assert cited <= set(parse_file(ROOT / "book" / "references.bib").entries)


def test_the_address_is_the_same_everywhere():
    address = repository.address()
    for name in ("README.md", "CITATION.cff"):
        assert address in (ROOT / name).read_text("utf-8")
    for notebook in repository.notebooks():
        assert repository.setup_cell(nbformat.read(notebook, 4)).source == repository.SETUP_CELL.format(address=address)


MAGIC = f'%pip install -q "git+{FORK}"'


def test_setup_cell_does_nothing_where_the_package_is_installed():
    source = repository.SETUP_CELL.format(address=FORK)
    assert MAGIC in source
    exec(source.replace(MAGIC, "raise AssertionError"))


@pytest.mark.parametrize("beside", [None, "seqbook", "seqbook/lib/seqbook", "seqbook.txt"])
def test_setup_cell_installs_the_package_beside_a_folder_of_its_name(tmp_path, beside):
    """A clone in the notebook's folder can be imported too, but holds nothing that could be used."""
    if beside:
        (tmp_path / beside).mkdir(parents=True)
    installs = f"print('installs'); __import__('sys').path.append({str(ROOT / 'lib')!r})"
    source = repository.SETUP_CELL.format(address=FORK).replace(MAGIC, installs)
    source += "\nimport seqbook.identity\nprint(seqbook.__file__)"
    # -S: without what is installed here
    command = [sys.executable, "-S", "-E", "-c", source]
    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert printed.split() == ["installs", str(ROOT / "lib" / "seqbook" / "__init__.py")]


@pytest.mark.parametrize("beside", ["seqbook.py", "seqbook/__init__.py"])
def test_setup_cell_names_a_file_that_would_be_imported_in_place_of_the_package(tmp_path, beside):
    """A file of the reader's own, or a copy of a part of the package, in the notebook's folder."""
    (tmp_path / beside).parent.mkdir(exist_ok=True)
    (tmp_path / beside).write_text("print('imported')")
    source = repository.SETUP_CELL.format(address=FORK).replace(MAGIC, "raise AssertionError")
    done = subprocess.run([sys.executable, "-c", source], cwd=tmp_path, capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert last == f"ImportError: {tmp_path / beside} hides the course's package: rename it"
    assert done.stdout == ""


def test_setup_cell_takes_a_package_in_an_environment_below_the_notebook(tmp_path):
    package = tmp_path / ".venv" / "lib" / "seqbook"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    source = repository.SETUP_CELL.format(address=FORK).replace(MAGIC, "raise AssertionError")
    source = f"import sys\nsys.path.insert(0, {str(package.parent)!r})\n{source}\nprint(seqbook.__file__)"
    done = subprocess.run([sys.executable, "-c", source], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(package / "__init__.py")


@pytest.mark.parametrize("url", [FORK, f"{FORK}/", f"{FORK}.git"])
def test_set_repository_rewrites_everything_and_can_be_repeated(tree, url):
    old = repository.address(tree)
    assert repository.set_repository(url, tree)
    once = contents(tree)
    assert repository.address(tree) == FORK
    stale = re.compile(re.escape(old) + r"(?![\w-])")
    assert [path for path, text in once.items() if stale.search(text.decode("utf-8"))] == []
    for notebook in repository.notebooks(tree):
        assert FORK in repository.setup_cell(nbformat.read(notebook, 4)).source
    assert repository.set_repository(url, tree) == []
    assert contents(tree) == once
    repository.set_repository(old, tree)
    assert [path for path, text in contents(tree).items() if text != (ROOT / path.relative_to(tree)).read_bytes()] == []


def test_set_repository_mends_a_setup_cell_that_went_astray(tree):
    path = repository.notebooks(tree)[0]
    notebook = nbformat.read(path, 4)
    repository.setup_cell(notebook).source = "import seqbook"
    nbformat.write(notebook, path)
    assert repository.set_repository(repository.address(tree), tree) == [path]
    assert path.read_bytes() == (ROOT / path.relative_to(tree)).read_bytes()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "seqbook",
        "http://host/a/b",
        "https://host/a",
        "https://host/a/b/c",
        'https://host/a/b"; x',
        "https://host/a b/c",
    ],
)
def test_set_repository_refuses_what_is_no_address(tree, url):
    before = contents(tree)
    with pytest.raises(ValueError, match=re.escape(repr(url))):
        repository.set_repository(url, tree)
    assert contents(tree) == before


def test_a_bad_address_is_one_line_and_exit_status_2():
    command = [sys.executable, ROOT / "tools" / "repository.py", "nowhere"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (2, "")
    assert re.fullmatch(r"set-repository: 'nowhere' .*\n", result.stderr)
