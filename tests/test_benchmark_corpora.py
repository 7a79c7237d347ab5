"""Where the benchmarks find the real corpora, and that a published row reads them."""

from types import SimpleNamespace

import pytest
from benchmarks.corpora import corpus, folder_of
from benchmarks.sweeps import Case

from seqbook import runs
from seqbook.data.corpora import CorpusError


@pytest.fixture
def corpora(tmp_path, monkeypatch):
    (tmp_path / "multi30k").mkdir()
    monkeypatch.setenv("SEQBOOK_CORPORA", str(tmp_path))
    return tmp_path


def test_a_real_corpus_has_a_folder_and_a_generated_one_has_none(corpora):
    assert folder_of("multi30k") == corpora / "multi30k"
    assert folder_of("translation") is None


def test_a_corpus_that_is_not_there_is_named(corpora, monkeypatch):
    with pytest.raises(CorpusError, match="SEQBOOK_CORPORA must name the folder that holds tiny_shakespeare"):
        corpus("tiny_shakespeare")
    monkeypatch.delenv("SEQBOOK_CORPORA")
    with pytest.raises(CorpusError, match="SEQBOOK_CORPORA must name the folder that holds multi30k"):
        corpus("multi30k")


@pytest.mark.parametrize(("recipe", "folder"), [("rnn-multi30k", "multi30k"), ("rnn", None)])
def test_a_row_is_trained_on_the_corpus_of_its_recipe(corpora, monkeypatch, recipe, folder):
    asked = {}

    def run(name, **given):
        asked.update(given)
        return SimpleNamespace(result={"loss": 1.0}, history=[])

    monkeypatch.setattr(runs, "run", run)
    row = Case(recipe, {"steps": 3}).make(1, None)
    assert asked == {"seed": 1, "steps": 3, "data": folder and corpora / folder}
    end = " --data=multi30k" if folder else ""
    assert row["command"] == f"python -m seqbook train {recipe} --seed=1 --set=steps=3{end}"
