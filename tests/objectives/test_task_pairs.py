"""The tasks of the comparison: the same pairs for every network, each answer counted once, nothing seen too early."""

import math

import pytest
import torch
from datasets import Dataset, DatasetDict

from microworld import load
from seqbook.models import BERTConfig, PrefixLMConfig, RNNConfig, TransformerConfig
from seqbook.objectives import TaskPairsConfig
from seqbook.objectives.batch import IGNORED
from seqbook.objectives.filling import MASK
from seqbook.objectives.task_pairs import FORMATS, halves, pairs, with_gap
from seqbook.recipes import configure
from seqbook.recipes.schema import fill

CORPORA = {"infilling": "texts", "continuation": "texts"}
NETWORKS = {
    "encoder-decoder": TransformerConfig(d_model=16, n_layers=1, n_heads=2, d_ff=16, max_len=192),
    "prefix": PrefixLMConfig(d_model=16, n_layers=1, n_heads=2, max_len=192),
    "causal": PrefixLMConfig(d_model=16, n_layers=1, n_heads=2, max_len=192),
    "encoder": BERTConfig(d_model=16, n_layers=1, n_heads=2, max_len=192),
}


@pytest.fixture(scope="module")
def rows():
    return {task: load(CORPORA.get(task, task), size=200) for task in FORMATS}


def built(task, network, splits):
    """The objective, and the columns that it reads, of the test split."""
    config = TaskPairsConfig(task=task, network=network)
    columns = {split: {c: splits[split][c][:100] for c in config.reads()} for split in ("train", "test")}
    # the words of the test split are in the vocabulary too, so that ids and texts can be compared
    both = {c: [*columns["train"][c], *columns["test"][c]] for c in config.reads()}
    return config.build(config.tokenizers(both, {}), 192), columns["test"]


def test_a_gap_hides_some_words_of_a_text_and_no_others(rows):
    lengths = set()
    for text in rows["infilling"]["train"]["text"][:]:
        source, words = with_gap(text)
        assert source.count(MASK) == 1
        assert " ".join(source.replace(MASK, words).split()) == text
        lengths.add(len(words.split()))
        first, second = halves(text)
        assert f"{first} {second}" == text
    assert lengths == {1, 2, 3, 4}


def test_sources_and_targets_by_hand():
    assert pairs("continuation", text=["a b c d", "e f g"]) == (["a b", "e"], ["c d", "f g"])
    assert pairs("sentiment", text=["It was good."], label=["positive"]) == (["It was good."], ["positive"])
    source, gap = with_gap("a b c d")
    assert pairs("infilling", text=["a b c d"]) == ([source], [gap])


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_a_gap_may_be_anywhere_but_leaves_a_word(n):
    found = set()
    for i in range(400):
        source, words = with_gap(" ".join(f"w{i}_{place}" for place in range(n)))
        found.add((source.split().index(MASK), len(words.split())))
    assert found == {(start, k) for k in range(1, min(4, n - 1) + 1) for start in range(n - k + 1)}


@pytest.mark.parametrize("task", FORMATS)
@pytest.mark.parametrize("network", ["encoder-decoder", "prefix", "causal"])
def test_every_network_that_writes_has_the_same_labels(rows, task, network):
    objective, columns = built(task, network, rows[task])
    ids = objective.tokenize(**columns)
    examples = list(zip(ids["source_ids"], ids["target_ids"], strict=True))
    labels = objective.collate(examples).labels
    wanted = [[*target, objective.tokenizer.eos_id] for _, target in examples]
    assert [row[row != IGNORED].tolist() for row in labels] == wanted
    _, targets = pairs(task, **columns)
    assert objective.tokenizer.decode(ids["target_ids"][0]) == targets[0]
    assert len(objective.tokenizer) == len(built(task, "encoder-decoder", rows[task])[0].tokenizer)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_label_moves_no_logit_before_it_has_been_read(rows, network):
    objective, columns = built("infilling", network, rows["infilling"])
    ids = objective.tokenize(**columns)
    example = next(e for e in zip(ids["source_ids"], ids["target_ids"], strict=True) if len(e[1]) == 3)
    torch.manual_seed(0)
    model = fill(NETWORKS[network], objective.sizes()).build().eval()
    other = (example[0], [example[1][0], 9 if example[1][1] != 9 else 10, example[1][2]])
    before, after = (model(*objective.collate([e]).inputs) for e in (example, other))
    if network == "encoder":  # reads no word of the gap
        torch.testing.assert_close(before, after, rtol=0, atol=0)
        return
    labels = objective.collate([example]).labels[0]
    first = int((labels != IGNORED).nonzero()[0])  # predicts the first word, and the next position the changed one
    torch.testing.assert_close(before[:, : first + 2], after[:, : first + 2], rtol=0, atol=1e-6)
    assert not torch.allclose(before[:, first + 2], after[:, first + 2])


def test_recurrent_networks_take_the_pairs_of_encoder_decoders(rows):
    objective, columns = built("qa", "encoder-decoder", rows["qa"])
    ids = objective.tokenize(**columns)
    batch = objective.collate(list(zip(ids["source_ids"], ids["target_ids"], strict=True))[:3])
    model = fill(RNNConfig(context="dot", d_model=8, bidirectional=True, max_len=192), objective.sizes()).build()
    assert model(*batch.inputs).shape[:2] == batch.labels.shape


def test_an_encoder_fills_in_as_many_tokens_as_it_is_told(rows):
    objective, columns = built("infilling", "encoder", rows["infilling"])
    sources, targets = pairs("infilling", **columns)
    model = fill(NETWORKS["encoder"], objective.sizes()).build()
    with torch.no_grad():  # prefers one word everywhere
        model.masked_head.bias.zero_()
        model.masked_head.bias[objective.tokenizer.special_id("the")] = 1e3
    found = objective.answers(model, sources, targets)
    wanted = [len(ids) for ids in objective.tokenizer.encode_batch(targets)]
    assert [answer.split() for answer in found] == [["the"] * n for n in wanted]


def test_a_row_of_an_encoder_has_a_mask_for_each_token_of_the_gap(rows):
    objective, columns = built("infilling", "encoder", rows["infilling"])
    ids = objective.tokenize(**columns)
    for source, target in list(zip(ids["source_ids"], ids["target_ids"], strict=True))[:20]:
        (read, masked), labels = (batch := objective.collate([(source, target)])).inputs, batch.labels
        assert (len(read[0]),) == objective.lengths((source, target))
        filled = read.masked_scatter(masked, labels)[0].tolist()
        at = source.index(objective.mask)
        assert filled == [objective.cls, *source[:at], *target, *source[at + 1 :], objective.sep]
    logits, labels = torch.tensor([[0.25, 0.75], [0.5, 0.5], [0.75, 0.25]]).log(), torch.tensor([1, 0, 1])
    assert objective.nll(logits, labels).item() == pytest.approx(-math.log(0.75 * 0.5 * 0.25))


def test_scores_count_exact_answers_beside_the_most_frequent_one_of_the_training_split(says):
    splits = {
        "train": {"text": ["a", "b", "b", "b"], "label": ["positive", "negative", "positive", "positive"]},
        "test": {"text": ["a", "b", "a", "b"], "label": ["negative", "positive", "negative", "negative"]},
    }
    config = TaskPairsConfig(task="sentiment")
    objective = config.build(config.tokenizers(splits["train"], {}), 16)
    data = DatasetDict({k: Dataset.from_dict(columns | objective.tokenize(**columns)) for k, columns in splits.items()})
    found = objective.scores(says(objective, "negative"), data)
    # a logit of 1 and zeros; of eight tokens, three answers and their ends are the most probable ones
    loss = math.log(math.e + len(objective.tokenizer) - 1) - 6 / 8
    assert found == pytest.approx({"loss": loss, "accuracy": 0.75, "majority": 0.25})


@pytest.mark.parametrize("network", NETWORKS)
def test_a_source_may_fill_all_the_room(network):
    config = TaskPairsConfig(task="infilling", network=network)
    room = 8 if network == "encoder-decoder" else 6
    objective = config.build(config.tokenizers({"text": ["a b"]}, {}), 8)
    assert objective.encode_sources(["a", "a " * room]) == [objective.tokenizer.encode(t) for t in ("a", "a " * room)]
    with pytest.raises(ValueError, match=rf"is {room + 1} tokens long: it must have 1 to {room}"):
        objective.encode_sources(["a", "a " * (room + 1)])
    with pytest.raises(ValueError, match=rf"'' is 0 tokens long: it must have 1 to {room}"):
        objective.encode_sources(["a", ""])


@pytest.mark.parametrize("task", FORMATS)
def test_a_mask_that_a_reader_types_is_a_gap_in_no_other_task(task, rows):
    objective, _ = built(task, "encoder-decoder", rows[task])
    (ids,) = objective.encode_sources([f"the {MASK} the"])
    assert (objective.tokenizer.special_id(MASK) in ids) is (task == "infilling")


def test_the_networks_have_their_masks():
    found = {network: TaskPairsConfig(task="infilling", network=network).prefix for network in NETWORKS}
    assert [network for network in found if found[network] == "bidirectional"] == ["prefix"]
    config = TaskPairsConfig()
    assert (config.reverse_source, config.loss_on, config.label_smoothing) == (False, "target", 0.0)


def test_a_continuation_has_a_loss_and_no_right_answer(says):
    config = TaskPairsConfig(task="continuation")
    columns = {"text": ["a b", "a b"]}
    objective = config.build(config.tokenizers(columns, {}), 16)
    rows = Dataset.from_dict(columns | objective.tokenize(**columns))
    assert set(objective.scores(says(objective, "b"), DatasetDict(train=rows, test=rows))) == {"loss"}


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="an encoder writes nothing but infilling"):
        TaskPairsConfig(task="qa", network="encoder")
    with pytest.raises(ValueError, match="task='chess': input should be 'translation'"):
        configure("compare-causal-qa", task="chess")
