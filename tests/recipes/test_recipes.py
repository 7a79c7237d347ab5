from dataclasses import fields, is_dataclass, replace

import pytest
import torch

from seqbook.recipes import RECIPES, Recipe, configure, describe, fill


def sizes(config):
    """What the tokenizers fill in: a small vocabulary, wherever a configuration has one."""
    names = {f.name for part in parts(config) for f in fields(part)}
    return {name: 5 for name in names if name.endswith("vocab_size")} | {"n_classes": 2}


def parts(config):
    """The configuration, and those inside it."""
    inner = [getattr(config, f.name) for f in fields(config)]
    return [config, *(part for value in inner if is_dataclass(value) for part in parts(value))]


def places(recipe, name):
    """The values of the setting `name`, of every part that has it."""
    return [getattr(part, name) for part in parts(recipe) if name in {f.name for f in fields(part)}]


def test_the_design_names_these():
    assert {"rnn", "attention", "transformer", "rnn-multi30k", "attention-multi30k"} <= RECIPES.keys()


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_complete(name):
    recipe = configure(name)
    assert recipe == RECIPES[name]
    assert recipe.about
    assert recipe.base is None or recipe.base in RECIPES
    model = fill(recipe.model, sizes(recipe.model)).build()
    assert model.config == fill(recipe.model, sizes(recipe.model))


@pytest.mark.parametrize("name", RECIPES)
def test_no_setting_has_two_places(name):
    """Otherwise a value would change both."""
    recipe = RECIPES[name]
    names = [f.name for part in parts(recipe) for f in fields(part) if not is_dataclass(getattr(part, f.name))]
    assert len(names) == len(set(names))
    own = {f.name for f in fields(Recipe)}
    assert set(recipe.settings()) == set(names) - (own - {"pretrained"} if recipe.base else own) - set(
        recipe.objective.fills
    )


@pytest.mark.parametrize("pair", [("rnn", "attention"), ("rnn-multi30k", "attention-multi30k")])
def test_compared_recipes_differ_in_nothing_but_the_context(pair):
    plain, attention = (configure(name) for name in pair)
    assert replace(plain, about=attention.about, model=replace(plain.model, context="dot")) == attention


@pytest.mark.parametrize("name", ["rnn", "attention", "rnn-multi30k", "attention-multi30k"])
def test_what_attention_reads_is_the_states_alone(name):
    """As in the papers; with the shortcut it is an experiment of part 1."""
    assert not configure(name).model.embedding_shortcut
    assert configure(name, embedding_shortcut=True).model == replace(RECIPES[name].model, embedding_shortcut=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("d_model", 48),
        ("n_layers", 2),
        ("dropout", 0.25),
        ("bidirectional", True),
        ("bidirectional", False),
        ("embedding_shortcut", True),
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
def test_a_setting_finds_its_place_and_its_type(name, value):
    recipe = configure("rnn", **{name: value})
    (found,) = places(recipe, name)
    assert found == value
    assert type(found) is type(value)
    assert (recipe == RECIPES["rnn"]) == (places(RECIPES["rnn"], name) == [value])
    (before,) = places(RECIPES["rnn"], name)
    assert configure("rnn", **{name: value}).change(**{name: before}) == RECIPES["rnn"]  # nothing else was changed


@pytest.mark.parametrize(("name", "value"), [("n_heads", 2), ("d_ff", 64), ("norm", "post"), ("positions", "learned")])
def test_a_model_has_settings_of_its_own(name, value):
    assert configure("transformer", **{name: value}).model == replace(RECIPES["transformer"].model, **{name: value})
    with pytest.raises(ValueError, match=f"recipe rnn: unknown setting '{name}'"):
        configure("rnn", **{name: value})


def test_settings_of_a_language_model():
    recipe = configure("gpt", d_ff=96, size=50, positions="rotary", steps=3)
    assert (recipe.model.d_ff, recipe.data.size, recipe.model.positions, recipe.training.steps) == (96, 50, "rotary", 3)
    with pytest.raises(ValueError, match=r"recipe gpt: unknown setting 'target_kind': choose one of .*d_ff.*kind"):
        configure("gpt", target_kind="bpe")
    assert configure("gpt", max_vocab_size=300).objective.max_vocab_size == 300  # the model's follows the tokenizer
    assert configure("gpt", d_ff=96).change(d_ff=None) == RECIPES["gpt"]


def test_settings_reach_the_model_inside_a_model():
    recipe = configure("gpt-sentiment", d_model=64, n_heads=2, pretrained=False, lm_weight=0.0, classes=["no", "yes"])
    assert recipe.model.backbone == replace(RECIPES["gpt-sentiment"].model.backbone, d_model=64, n_heads=2)
    assert (recipe.pretrained, recipe.objective.lm_weight, recipe.objective.classes) == (False, 0.0, ("no", "yes"))
    assert recipe.base == RECIPES["gpt-sentiment"].base


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("context", "dot", "unknown setting 'context': choose one of .*n_heads.*positions"),
        ("norm", "between", "norm='between': input should be 'pre' or 'post'"),
        ("positions", "clock", "positions='clock': input should be 'sinusoidal', 'learned' or 'rotary'"),
        ("class", "RNNConfig", "unknown setting 'class'"),
        ("model", None, "unknown setting 'model'"),
        ("pretrained", True, "unknown setting 'pretrained'"),  # there is nothing to start from
    ],
)
def test_a_setting_that_does_not_fit_its_model_is_named(name, value, message):
    with pytest.raises(ValueError, match=f"^recipe transformer: {message}"):
        configure("transformer", **{name: value})


def test_what_is_not_set_stays():
    recipe, before = configure("attention", d_model=64, steps=9), RECIPES["attention"]
    assert recipe.model == replace(before.model, d_model=64)
    assert recipe.training == replace(before.training, steps=9)
    assert (recipe.data, recipe.objective, recipe.about) == (before.data, before.objective, before.about)
    assert before.model.d_model != 64


def test_a_whole_number_will_do_for_a_number():
    assert configure("rnn", learning_rate=1).training.learning_rate == 1.0


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("d_modell", 8, "unknown setting 'd_modell': choose one of .*d_model"),
        ("about", "mine", "unknown setting 'about'"),
        ("source_vocab_size", 8, "unknown setting 'source_vocab_size'"),
        ("pad_id", 1, "unknown setting 'pad_id'"),
        ("d_model", "wide", "d_model='wide': input should be a valid integer"),
        ("d_model", "48", "d_model='48': input should be a valid integer"),
        ("d_model", 1.5, "d_model=1.5: input should be a valid integer"),
        ("d_model", True, "d_model=True: input should be a valid integer"),
        ("dropout", "", "dropout='': input should be a valid number"),
        ("dropout", None, "dropout=None: input should be a valid number"),
        ("bidirectional", "yes", "bidirectional='yes': input should be a valid boolean"),
        ("bidirectional", 1, "bidirectional=1: input should be a valid boolean"),
        ("context", "first", "context='first': input should be 'last', 'mean', 'additive' or 'dot'"),
        ("source_kind", "syllable", "source_kind='syllable': input should be 'word', 'character' or 'bpe'"),
        ("source", 3, "source=3: input should be a valid string"),
        ("steps", 0, "steps=0 must be at least 1"),
    ],
)
def test_a_setting_that_does_not_fit_is_named_in_one_line(name, value, message):
    with pytest.raises(ValueError, match=f"^recipe rnn: {message}") as error:
        configure("rnn", **{name: value})
    assert "\n" not in str(error.value)


def test_an_unknown_recipe_is_named_with_the_choices():
    with pytest.raises(ValueError, match="unknown recipe 'rmm': choose one of rnn, attention"):
        configure("rmm")


@pytest.mark.parametrize("name", RECIPES)
def test_a_description_tells_recipes_apart(name):
    described = describe(RECIPES[name])
    assert [other for other, recipe in RECIPES.items() if describe(recipe) == described] == [name]
    assert described["data"] == {"class": "DataConfig"} | vars(RECIPES[name].data)
    assert described["training"]["steps"] == RECIPES[name].training.steps
    assert describe(configure(name, steps=7)) == described | {"training": described["training"] | {"steps": 7}}


@pytest.mark.parametrize("task", ["sentiment", "entailment", "similarity", "ner", "qa"])
def test_gpt_and_bert_are_fine_tuned_alike(task):
    """The same data, head, training and sizes; only the network, its special tokens and its pretraining differ."""
    gpt, bert = configure(f"gpt-{task}"), configure(f"bert-{task}")
    if task not in ("ner", "qa"):
        gpt = gpt.change(lm_weight=0.0)
    assert (bert.data, bert.training) == (gpt.data, gpt.training)
    assert bert.objective == replace(gpt.objective, layout="bert")
    assert replace(bert.model, backbone=gpt.model.backbone) == gpt.model
    for name in ("d_model", "n_layers", "n_heads", "d_ff", "norm", "positions", "dropout", "max_len"):
        assert getattr(bert.model.backbone, name) == getattr(gpt.model.backbone, name)
    assert (gpt.base, bert.base) == ("gpt", "bert")
    assert RECIPES["gpt"].training == RECIPES["bert"].training
    assert configure(f"bert-{task}", frozen=True).model.frozen


@pytest.mark.parametrize("name", ["prefix-lm", "unilm", "glm", "ul2"])
def test_prefix_decoders_have_the_sizes_and_the_training_of_gpt(name):
    """A row is one text, not a window: more rows have as many tokens. The rates were searched for."""
    gpt, other = RECIPES["gpt"], RECIPES[name]
    assert other.data == gpt.data
    assert other.training.learning_rate == (5e-3 if name == "prefix-lm" else 2.5e-3)
    assert replace(other.training, batch_size=16, learning_rate=gpt.training.learning_rate) == gpt.training
    assert {key: value for key, value in vars(other.model).items() if key in vars(gpt.model)} == vars(gpt.model)


def test_u_palm_goes_on_from_gpt():
    recipe = RECIPES["u-palm"]
    gpt, model = fill(RECIPES["gpt"].model, {"vocab_size": 6}).build(), fill(recipe.model, {"vocab_size": 9}).build()
    model.load_pretrained(gpt)
    ids = torch.randint(0, 6, (2, 9))
    torch.testing.assert_close(model(ids)[..., :6], gpt(ids))
    assert recipe.base == "gpt"
    assert recipe.training.steps == RECIPES["gpt"].training.steps / 5
