from typing import get_type_hints

import pytest

from seqbook.models import ARCHITECTURES
from seqbook.recipes import RECIPES, configure
from seqbook.train import Budget


def test_the_design_names_these():
    assert {"rnn", "attention", "transformer", "rnn-multi30k", "attention-multi30k"} <= RECIPES.keys()


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_complete(name):
    recipe = configure(name)
    assert recipe == RECIPES[name]
    assert recipe.about
    model, config = ARCHITECTURES[recipe.architecture]
    vocabularies = [name for name in get_type_hints(config) if name.endswith("vocab_size")]
    model(config(**dict.fromkeys(vocabularies, 5), **recipe.model))


@pytest.mark.parametrize("pair", [("rnn", "attention"), ("rnn-multi30k", "attention-multi30k")])
def test_compared_recipes_differ_in_nothing_but_the_context(pair):
    plain, attention = (configure(name) for name in pair)
    assert plain.budget == attention.budget
    assert plain.model | {"context": "dot"} == attention.model
    assert (plain.corpus, plain.size, plain.beams) == (attention.corpus, attention.size, attention.beams)


@pytest.mark.parametrize("text", [True, False], ids=["text", "value"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("d_model", 48),
        ("n_layers", 2),
        ("dropout", 0.25),
        ("bidirectional", True),
        ("bidirectional", False),
        ("context", "additive"),
        ("steps", 7),
        ("learning_rate", 0.5),
        ("source_kind", "bpe"),
        ("size", 500),
        ("reverse_source", True),
        ("label_smoothing", 0.1),
        ("source", "zh"),
    ],
)
def test_a_setting_finds_its_place_and_its_type(name, value, text):
    given = {True: "true", False: "false"}.get(value, str(value)) if text and name != "steps" else value
    recipe = configure("rnn", **{name: str(given) if text else given})
    places = [vars(recipe), recipe.model, vars(recipe.budget)]
    (found,) = [place[name] for place in places if name in place]
    assert found == value
    assert type(found) is type(value)
    assert RECIPES["rnn"] != recipe or name == "bidirectional"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [("n_heads", "2", 2), ("d_ff", "64", 64), ("norm", "after", "after"), ("positions", "learned", "learned")],
)
def test_an_architecture_has_settings_of_its_own(name, text, value):
    assert configure("transformer", **{name: text}).model == RECIPES["transformer"].model | {name: value}
    with pytest.raises(ValueError, match=f"unknown setting '{name}' of recipe rnn"):
        configure("rnn", **{name: text})


def test_settings_of_a_language_model():
    recipe = configure("gpt", d_ff="96", size="50", positions="rotary", steps=3)
    assert (recipe.model["d_ff"], recipe.size, recipe.model["positions"], recipe.budget.steps) == (96, 50, "rotary", 3)
    with pytest.raises(ValueError, match=r"unknown setting 'target_kind' of recipe gpt: choose one of .*d_ff.*kind"):
        configure("gpt", target_kind="bpe")
    assert configure("gpt", vocab_size=300).vocab_size == 300  # of the tokenizer, which the model's follows


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("context", "dot", "unknown setting 'context' of recipe transformer: choose one of .*n_heads.*positions"),
        ("norm", "between", "norm='between': choose one of before, after"),
        ("positions", "clock", "positions='clock': choose one of sinusoidal, learned, rotary"),
        ("architecture", "RNNSeq2Seq", "unknown setting 'architecture'"),
    ],
)
def test_a_setting_that_does_not_fit_its_architecture_is_named(name, value, message):
    with pytest.raises(ValueError, match=message):
        configure("transformer", **{name: value})


def test_what_is_not_set_stays():
    recipe = configure("attention", d_model="64", steps="9")
    assert recipe.model == RECIPES["attention"].model | {"d_model": 64}
    assert recipe.budget == Budget(**vars(RECIPES["attention"].budget) | {"steps": 9})
    assert RECIPES["attention"].model["d_model"] != 64


def test_a_whole_number_will_do_for_a_number():
    assert configure("rnn", learning_rate=1).budget.learning_rate == 1.0


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("d_modell", "8", "unknown setting 'd_modell' of recipe rnn: choose one of .*d_model"),
        ("about", "mine", "unknown setting 'about'"),
        ("source_vocab_size", "8", "unknown setting 'source_vocab_size'"),
        ("d_model", "wide", "d_model='wide' must be a whole number"),
        ("d_model", "1.5", "d_model='1.5' must be a whole number"),
        ("d_model", 1.5, "d_model=1.5 must be a whole number"),
        ("d_model", True, "d_model=True must be a whole number"),
        ("dropout", "", "dropout='' must be a number"),
        ("dropout", None, "dropout=None must be a number"),
        ("bidirectional", "yes", "bidirectional='yes' must be true or false"),
        ("bidirectional", 1, "bidirectional=1 must be true or false"),
        ("context", "first", "context='first': choose one of last, mean, additive, dot"),
        ("source_kind", "syllable", "source_kind='syllable': choose one of word, character, bpe"),
        ("source", 3, "source=3 must be text"),
        ("steps", "0", "steps=0 must be at least 1"),
    ],
)
def test_a_setting_that_does_not_fit_is_named(name, value, message):
    with pytest.raises(ValueError, match=message):
        configure("rnn", **{name: value})


def test_an_unknown_recipe_is_named_with_the_choices():
    with pytest.raises(ValueError, match="unknown recipe 'rmm': choose one of rnn, attention"):
        configure("rmm")
