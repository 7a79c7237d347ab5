"""The assignments: tests fail wrong solutions, grading copes with what students hand in, the site holds no solutions."""

import csv
import html
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook
from traitlets.config import Config

ROOT = Path(__file__).parents[2]
SITE = ROOT / "_build" / "html"
SOURCES = {path.stem: path for path in sorted((ROOT / "book" / "exercises").glob("*/*.ipynb"))}
SECRET = re.compile(r"### BEGIN (SOLUTION|HIDDEN TESTS)\n(.*?)### END \1", re.DOTALL)


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def cell_of(notebook: nbformat.NotebookNode, grade_id: str) -> nbformat.NotebookNode:
    return next(cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def points(notebook: nbformat.NotebookNode, cell_type: str) -> dict[str, float]:
    options = [cell.metadata.nbgrader for cell in notebook.cells if "nbgrader" in cell.metadata]
    return {o.grade_id: o.points for o in options if o.grade and o.cell_type == cell_type}


def open_text(notebook: nbformat.NotebookNode) -> str:
    """What students get to see of the code."""
    return "\n".join(SECRET.sub("", cell.source) for cell in notebook.cells if cell.cell_type == "code")


def secrets(notebook: nbformat.NotebookNode) -> list[str]:
    """The lines that occur only in solutions, hidden tests and model answers; short lines are left out."""
    hidden, open_to_all = [], []
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and "nbgrader" in cell.metadata:
            hidden.append(cell.source)
        else:
            hidden += [match[2] for match in SECRET.finditer(cell.source)]
            open_to_all.append(SECRET.sub("", cell.source))
    lines = [line.strip() for line in "\n".join(hidden).splitlines()]
    return [line for line in lines if len(line) > 24 and line not in "\n".join(open_to_all)]


@pytest.mark.parametrize("name", SOURCES)
def test_is_committed_without_outputs(name):
    notebook = read(SOURCES[name])
    assert SOURCES[name].parent.name == name, "folder and notebook have one name"
    assert [cell.id for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")] == []
    assert nbformat.writes(notebook) + "\n" == SOURCES[name].read_text("utf-8"), "not as nbformat writes it"


@pytest.mark.parametrize("name", SOURCES)
def test_says_its_points_and_locks_what_is_given(name):
    notebook = read(SOURCES[name])
    by_tests, by_hand = points(notebook, "code"), points(notebook, "markdown")
    assert (3 <= len(by_tests) <= 4, len(by_hand)) == (True, 1)
    total, tests, answer = sum(by_tests.values()) + sum(by_hand.values()), sum(by_tests.values()), sum(by_hand.values())
    assert (
        f"There are {total} points, {tests} from tests and {answer} for a written answer." in notebook.cells[0].source
    )
    for heading in re.findall(r"^## .*\((\d+) points\)$", "\n".join(cell.source for cell in notebook.cells), re.M):
        assert float(heading) in [*by_tests.values(), *by_hand.values()]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.metadata.nbgrader.solution != cell.metadata.nbgrader.locked
            assert ("### BEGIN HIDDEN TESTS" in cell.source) == cell.metadata.nbgrader.grade


@pytest.mark.parametrize("name", SOURCES)
def test_no_cell_is_too_long_to_read(name):
    """At most 20 lines, as in the chapters; at most 25 for what students see of a test."""
    for cell in read(SOURCES[name]).cells:
        if cell.cell_type == "code":
            seen = SECRET.sub("", cell.source).strip().splitlines()
            assert len(seen) <= (25 if cell.metadata.nbgrader.grade else 20), cell.id


# Typical mistakes: assignment, task, a part of the solution, and what students write instead.
MISTAKES = [
    ("rnn_seq2seq", "teacher-forcing", "+ [IGNORED] *", "+ [PAD] *"),
    ("rnn_seq2seq", "teacher-forcing", "[BOS, *y]", "[*y, EOS]"),
    ("rnn_seq2seq", "teacher-forcing", "max(len(y) for y in targets)", "len(targets[0])"),
    ("rnn_seq2seq", "nats-per-token", ".log_softmax(-1)", ".softmax(-1).log()"),
    ("rnn_seq2seq", "nats-per-token", ".mean()", ".sum() / labels.shape[0]"),
    ("rnn_seq2seq", "nats-per-token", ".mean()", ".sum() / labels.numel()"),
    ("rnn_seq2seq", "nats-per-token", "-log_probs", "log_probs"),
    ("rnn_seq2seq", "gru-step", "(1 - z) * n + z * h", "z * n + (1 - z) * h"),
    ("rnn_seq2seq", "gru-step", "input_n + r * hidden_n", "input_n + hidden_n"),
    ("rnn_seq2seq", "gru-step", "hidden_r, hidden_z, hidden_n", "hidden_z, hidden_r, hidden_n"),
    ("rnn_seq2seq", "greedy", "ended[row] = ended[row] or token == EOS", "ended[row] = token == EOS"),
    ("rnn_seq2seq", "greedy", "if all(ended):", "if any(ended):"),
    ("rnn_seq2seq", "greedy", "if all(ended):", "if False:"),
    ("rnn_seq2seq", "greedy", "tokens = logits.argmax(-1)\n", "tokens = logits.argmin(-1)\n"),
    ("rnn_seq2seq", "greedy", "torch.full((batch_size,), BOS)", "torch.full((batch_size,), PAD)"),
    ("attention_seq2seq", "masked-softmax", "weights.masked_fill(~mask, 0.0)", "weights"),
    ("attention_seq2seq", "masked-softmax", ".masked_fill(~mask, -torch.inf).softmax(-1)", ".softmax(-1)"),
    ("attention_seq2seq", "masked-softmax", "-torch.inf).softmax(-1)", "-torch.inf).softmax(1)"),
    ("attention_seq2seq", "additive-attention", "s @ W.T", "s @ W"),
    ("attention_seq2seq", "additive-attention", "h @ U.T", "h @ W.T"),
    ("attention_seq2seq", "additive-attention", "torch.tanh", "torch.relu"),
    ("attention_seq2seq", "additive-attention", "masked_softmax(hidden @ v, mask)", "(hidden @ v).softmax(-1)"),
    ("attention_seq2seq", "error-rate", "for _, i in true", "for i in range(len(weights))"),
    ("attention_seq2seq", "error-rate", "(int(weights[i].argmax()), i)", "(i, int(weights[i].argmax()))"),
    ("attention_seq2seq", "error-rate", "(len(found) + len(true))", "(2 * len(true))"),
    ("attention_seq2seq", "forgotten", " * target_mask[:, :, None]", ""),
    ("attention_seq2seq", "forgotten", " & source_mask", ""),
    ("attention_seq2seq", "forgotten", "sum(1)", "mean(1)"),
    ("attention", "prefix-window", "(j <= i) & ", ""),
    ("attention", "prefix-window", "i - j < window", "i - j <= window"),
    ("attention", "prefix-window", "near | (j < prefixes", "near | (j <= prefixes"),
    ("attention", "prefix-window", "near | (j < prefixes", "near & (j < prefixes"),
    ("attention", "prefix-window", "near | (j < prefixes", "near | (i < prefixes"),
    ("attention", "prefix-window", "torch.arange(n)[:, None], torch.arange(n)", "torch.arange(n), torch.arange(n)[:, None]"),
    ("attention", "multi-head", " / q.shape[-1] ** 0.5", ""),
    ("attention", "multi-head", "q.shape[-1] ** 0.5", "(n_heads * q.shape[-1]) ** 0.5"),
    ("attention", "multi-head", "q.shape[-1] ** 0.5", "q.shape[-1]"),
    ("attention", "multi-head", ".masked_fill(hidden, 0.0)", ""),
    ("attention", "multi-head", ".masked_fill(hidden, -torch.inf)", ""),
    ("attention", "multi-head", "~mask[:, None]", "mask[:, None]"),
    ("attention", "multi-head", "(weights @ v).transpose(1, 2).flatten(2)", "(weights @ v).reshape(len(v), -1, n_heads * v.shape[-1])"),
    ("attention", "multi-head", "t.unflatten(-1, (n_heads, -1)).transpose(1, 2)", "t.reshape(len(t), n_heads, t.shape[1], -1)"),
    ("attention", "multi-head", "t.unflatten(-1, (n_heads, -1)).transpose(1, 2)", "t.unflatten(-1, (-1, n_heads)).permute(0, 3, 1, 2)"),
    ("attention", "turn", "angles.sin(), -angles.sin()", "-angles.sin(), angles.sin()"),
    ("attention", "turn", "angles.sin(), -angles.sin()", "angles.sin(), angles.sin()"),
    ("attention", "turn", "torch.arange(0, d, 2), torch.arange(1, d, 2)", "torch.arange(d // 2), torch.arange(d // 2, d)"),
    ("attention", "turn", "-torch.arange(0, d, 2) / d", "-torch.arange(d // 2) / d"),
    ("attention", "turn", "shift * 10_000.0", "abs(shift) * 10_000.0"),
    ("attention", "leaks", "torch.manual_seed(0)  # the same dropout", "pass"),
    ("attention", "leaks", "range(1, n)", "(n // 2,)"),
    ("attention", "leaks", "range(1, n)", "range(1, n - 1)"),
    ("attention", "leaks", "[:, :t])", ")"),
    ("attention", "leaks", "(\"train\", \"eval\")", "(\"eval\",)"),
    ("attention", "leaks", "copy.deepcopy(layer)", "layer"),
    ("attention", "leaks", "torch.equal(*results)", "torch.allclose(*results, atol=1e-3)"),
    ("attention", "leaks", "                break\n", ""),
    ("transformer", "smoothed-nats", "(1 - epsilon) * of_label", "of_label"),
    ("transformer", "smoothed-nats", "log_probs.mean(-1)", "log_probs.sum(-1)"),
    ("transformer", "smoothed-nats", "log_probs.mean(-1)", "(log_probs.sum(-1) - of_label) / (log_probs.shape[1] - 1)"),
    ("transformer", "smoothed-nats", ".mean(-1)).mean()", ".mean(-1)).sum() / labels.numel()"),
    ("transformer", "smoothed-nats", ".log_softmax(-1)", ".softmax(-1).log()"),
    ("transformer", "smoothed-nats", "labels != IGNORED", "labels != 0"),
    ("transformer", "n-parameters", "4 * (d * d + d)", "4 * d * d"),
    ("transformer", "n-parameters", "4 * (d * d + d)", "config.n_heads * 4 * (d * d + d)"),
    ("transformer", "n-parameters", "(d_ff * d + d)", "(d_ff * d + d_ff)"),
    ("transformer", "n-parameters", "feed_forward + 3 * norm", "feed_forward + 2 * norm"),
    ("transformer", "n-parameters", "vectors + config.target_vocab_size +", "vectors + config.target_vocab_size * (d + 1) +"),
    ("transformer", "n-parameters", "vectors + config.target_vocab_size +", "vectors +"),
    ("transformer", "n-parameters", "2 * norm if config.norm == \"pre\" else 0", "2 * norm"),
    ("transformer", "n-parameters", "2 * config.max_len * d", "config.max_len * d"),
    ("transformer", "n-parameters", " if config.positions == \"learned\" else 0", ""),
    ("transformer", "n-parameters", "    d, d_ff =", "    return sum(p.numel() for p in Transformer(config).parameters())\n    d, d_ff ="),
    ("transformer", "norm-before", "unbiased=False", "unbiased=True"),
    ("transformer", "norm-before", "(variance + layer.eps).sqrt()", "(variance.sqrt() + layer.eps)"),
    ("transformer", "norm-before", "(variance + layer.eps).sqrt()", "variance.sqrt()"),
    ("transformer", "norm-before", " * layer.weight + layer.bias", ""),
    ("transformer", "norm-before", "-1, unbiased=False, keepdim=True", "(0, 1), unbiased=False, keepdim=True"),
    ("transformer", "norm-before", "x = x + block.cross_attention", "x = block.cross_attention"),
    ("transformer", "norm-before", "(y, memory, mask", "(y, norm(block.cross_norm, memory), mask"),
    ("transformer", "norm-before", "norm(block.feed_forward_norm, x))", "norm(block.cross_norm, x))"),
    ("transformer", "norm-before", "mask=mask", "mask=None"),
    ("transformer", "norm-before", "mask=memory_mask", "mask=None"),
    ("transformer", "norm-before", "norm(block.attention_norm, x)", "block.attention_norm(x)"),
    ("transformer", "accumulate", "(nats / n_labels).backward()", "(nats / (labels != IGNORED).sum() / len(parts)).backward()"),
    ("transformer", "accumulate", "(nats / n_labels).backward()", "nats.backward()"),
    ("transformer", "accumulate", "(nats / n_labels).backward()", "(nats / n_labels).backward()\n        break"),
    ("transformer", "accumulate", "    model.zero_grad()\n", ""),
    ("transformer", "accumulate", "        logits =", "        model.zero_grad()\n        logits ="),
    ("transformer", "accumulate", "reduction=\"sum\"", "reduction=\"mean\""),
    ("transformer", "accumulate", "reduction=\"sum\"\n        )", "reduction=\"mean\"\n        ) * (labels != IGNORED).sum()"),
    ("transformer", "accumulate", "total += nats.item() / n_labels", "total = nats.item() / n_labels"),
    ("transformer", "accumulate", "total += nats.item() / n_labels", "total += nats.item() / (labels != IGNORED).sum().item() / len(parts)"),
    ("transformer", "accumulate", "int((labels != IGNORED).sum())", "labels.numel()"),
    ("transformer", "accumulate", "int((labels != IGNORED).sum())", "int((labels > 0).sum() + (labels < 0).sum())"),
    ("transformer", "accumulate", "        (nats / n_labels).backward()\n        total += nats.item() / n_labels\n    return total", "        total = total + nats / n_labels\n    total.backward()\n    return total.item()"),
    ("transformer", "accumulate", "        (nats", "        model(source_ids, target_ids)\n        (nats"),
    ("inside", "head-role", "query + offset", "query - offset"),
    ("inside", "head-role", "(query < ends) & (key >= 0)", "(key >= 0)"),
    ("inside", "head-role", " & (key >= 0)", ""),
    ("inside", "head-role", " & (key < ends)", " & (key < max_len)"),
    ("inside", "head-role", ".sum((0, 2)) / counts.sum()", ".mean((0, 2))"),
    ("inside", "head-role", ".sum((0, 2)) / counts.sum()", ".sum((0, 2)) / lengths.sum()"),
    ("inside", "head-role", "on_key.masked_fill(~counts[:, None], 0.0).sum((0, 2)) / counts.sum()", "(on_key.masked_fill(~counts[:, None], 0.0).sum(2) / counts.sum(1).clamp(min=1)[:, None]).mean(0)"),
    ("inside", "head-role", "counts / lengths[:, None]", "counts / max_len"),
    ("inside", "head-role", "(counts / lengths[:, None]).sum() / counts.sum()", "(1 / lengths).mean()"),
    ("inside", "head-role", "weights.gather(3, index).squeeze(3)", "weights.transpose(2, 3).gather(3, index).squeeze(3)"),
    ("inside", "loss-without", "loss() - before", "before - loss()"),
    ("inside", "loss-without", "loss() - before", "loss()"),
    ("inside", "loss-without", "= attention.d_head, loss(), []", "= attention.d_head, 0.0, []"),
    ("inside", "loss-without", "y[..., start : start + width] = 0", "y[..., start // width :: y.shape[-1] // width] = 0"),
    ("inside", "loss-without", "y[..., start : start + width] = 0", "y[..., : start] = y[..., start + width :] = 0"),
    ("inside", "loss-without", "y[..., start : start + width] = 0", "y[..., start : start + width] = y[..., start : start + width].mean()"),
    ("inside", "loss-without", "attention.query.out_features", "attention.key_value.out_features // 2"),
    ("inside", "loss-without", "attention.query.out_features", "attention.query.in_features"),
    ("inside", "loss-without", "            handle.remove()", "            pass"),
    ("inside", "loss-without", "        finally:\n            handle.remove()", "        except ZeroDivisionError:\n            pass\n        handle.remove()"),
    ("inside", "loss-without", "        finally:", "        except RuntimeError:\n            pass\n        finally:"),
    ("inside", "loss-without", "rises.append(loss() - before)", "rises.append(loss() - before)\n            loss()"),
    ("inside", "all-translations", "log_p[:, None] + next_log_probs(prefixes)", "next_log_probs(prefixes)"),
    ("inside", "all-translations", "total[:, EOS].tolist()", "log_p.tolist()"),
    ("inside", "all-translations", "if token != EOS", "if True"),
    ("inside", "all-translations", "if token != EOS", "if token > EOS"),
    ("inside", "all-translations", "range(max_len + 1)", "range(max_len)"),
    ("inside", "all-translations", "range(max_len + 1)", "range(max_len + 2)"),
    ("inside", "all-translations", "prefixes[:, 1:].tolist()", "prefixes.tolist()"),
    ("inside", "all-translations", "total[:, others].flatten()", "total[:, others].T.flatten()"),
    ("inside", "all-translations", "next_log_probs(prefixes)", "torch.cat([next_log_probs(row[None]) for row in prefixes])"),
    ("inside", "all-translations", "    return found", "    return {y: torch.tensor(value).exp().item() for y, value in found.items()}"),
    ("inside", "read-on", ".tril(all_read - new)", ".tril()"),
    ("inside", "read-on", ".tril(all_read - new)", ""),
    ("inside", "read-on", "attn_mask=mask", "is_causal=True"),
    ("inside", "read-on", "torch.cat([kept[0], k], 2)", "torch.cat([k, kept[0]], 2)"),
    ("inside", "read-on", "torch.cat([kept[0], k], 2), torch.cat([kept[1], v], 2)", "torch.cat([kept[0], k], 2), torch.cat([kept[1], v], 2)\n        kept[0].zero_()"),
    ("inside", "read-on", ", (k, v)", ", attention.keys_values(x)"),
    ("inside", "read-on", "y.transpose(1, 2).flatten(2)", "y.reshape(x.shape)"),
    ("inside", "read-on", "return attention.out(", "return ("),
    ("pretraining", "bigram-nats", "Counter(train_ids[:-1])", "Counter(train_ids)"),
    ("pretraining", "bigram-nats", "(seen[u, v] + 1)", "seen[u, v]"),
    ("pretraining", "bigram-nats", "(seen[u, v] + 1)", "(seen[v, u] + 1)"),
    ("pretraining", "bigram-nats", "+ vocab_size)", "+ len({*train_ids, *test_ids}))"),
    ("pretraining", "bigram-nats", "/ len(nats)", "/ len(test_ids)"),
    ("pretraining", "bigram-nats", "pairwise(train_ids)), Counter(train_ids[:-1])", "pairwise(train_ids + test_ids)), Counter(train_ids + test_ids[:-1])"),
    ("pretraining", "bigram-nats", "for u, v in pairwise(test_ids)]", "for u, v in pairwise(test_ids)]\n    nats = [-log(torch.tensor(nats).neg().exp().prod())] + [0] * (len(nats) - 1)"),
    ("pretraining", "nucleus", "before >= p", "before > p"),
    ("pretraining", "nucleus", " & (p < 1)", ""),
    ("pretraining", "nucleus", "probs.cumsum(-1) - probs", "probs.cumsum(-1)"),
    ("pretraining", "nucleus", "probs.cumsum(-1) - probs", "probs.cumsum(0) - probs"),
    ("pretraining", "nucleus", "out.scatter(-1, order, out)", "out"),
    ("pretraining", "nucleus", "out.scatter(-1, order, out)", "logits < ordered.masked_fill(out, torch.inf).amin(-1, keepdim=True)"),
    ("pretraining", "nucleus", "logits.masked_fill(", "logits.masked_fill_("),
    ("pretraining", "nucleus", "ordered.softmax(-1)", "(ordered.exp() / ordered.exp().sum(-1, keepdim=True))"),
    ("pretraining", "nucleus", "return logits", "return logits.log_softmax(-1)"),
    ("pretraining", "first-leak", "torch.manual_seed(0)  # the same dropout", "pass"),
    ("pretraining", "first-leak", "ids.clone()", "ids"),
    ("pretraining", "first-leak", "range(1, ids.shape[1])", "range(1, ids.shape[1] - 1)"),
    ("pretraining", "first-leak", "range(1, ids.shape[1])", "(ids.shape[1] // 2,)"),
    ("pretraining", "first-leak", "range(vocab_size)", "(0,)"),
    ("pretraining", "first-leak", "trial[0, t] =", "trial[0, t:] ="),
    ("pretraining", "first-leak", "[:t]", "[: t + 1]"),
    ("pretraining", "first-leak", "(run(trial) != before)", "~torch.isclose(run(trial), before, atol=1e-2)"),
    ("pretraining", "first-leak", "min(found, default=None)", "found[0] if found else None"),
    ("pretraining", "first-leak", "min(found, default=None)", "min(found, default=0) or None"),
    ("pretraining", "go-on", "[0] * n + prompt", "prompt + [0] * n"),
    ("pretraining", "go-on", ", torch.tensor(padding))", ")"),
    ("pretraining", "go-on", "torch.tensor(padding)", "(torch.tensor(ids) == 0).sum(1)"),
    ("pretraining", "go-on", "max(len(prompt) for prompt in prompts)", "len(prompts[0])"),
    ("pretraining", "go-on", "model.prefill(torch.tensor(ids)", "model.prefill(torch.tensor(ids)[:, :-1]"),
    ("pretraining", "go-on", "ended[row] = ended[row] or token == EOS", "ended[row] = token == EOS"),
    ("pretraining", "go-on", "if all(ended)", "if any(ended)"),
    ("pretraining", "go-on", "if all(ended)", "if False"),
    ("pretraining", "go-on", "                if not ended[row]:\n    ", "                if True:\n    "),
    ("pretraining", "go-on", " or i + 1 == max_new", ""),
    ("pretraining", "go-on", "    width =", "    return [one_by_one(model, prompt, max_new) for prompt in prompts]\n    width ="),
    ("pretraining", "go-on", "    width =", "    if len(prompts) > 1:\n        return [go_on(model, [prompt], max_new)[0] for prompt in prompts]\n    width ="),
    ("finetuning", "quiz-rows", "[BOS, *kept", "[*kept"),
    ("finetuning", "quiz-rows", "context[-room:]", "context[:room]"),
    ("finetuning", "quiz-rows", "context[-room:]", "context"),
    ("finetuning", "quiz-rows", "*kept, *question, delimiter", "*kept, delimiter, *question"),
    ("finetuning", "quiz-rows", "[[*start,", "[[BOS, *context[-(max_len - 3 - len(question) - len(answer)) :], *start[1 + len(kept) :],"),
    ("finetuning", "quiz-rows", "max(len(answer) for answer in answers)", "len(answers[0])"),
    ("finetuning", "quiz-rows", "3 + len(question)", "2 + len(question)"),
    ("finetuning", "quiz-rows", "3 + len(question)", "4 + len(question)"),
    ("finetuning", "quiz-rows", "if room < 1", "if room < 0"),
    ("finetuning", "quiz-rows", "{fixed + 1}", "{fixed}"),
    ("finetuning", "quiz-rows", ", \"question\": [question]", ""),
    ("finetuning", "quiz-rows", "\"answer\": answers}", "\"answer\": answers[:1]}"),
    ("finetuning", "quiz-rows", "\"answer\": answers}", "\"answer\": [answers]}"),
    ("finetuning", "quiz-rows", "    kept =", "    del context[:-room]\n    kept ="),
    ("finetuning", "head-scores", "(lengths - 1)", "lengths"),
    ("finetuning", "head-scores", "h.gather(2, index).squeeze(2)", "h[:, :, -1]"),
    ("finetuning", "head-scores", "h.gather(2, index).squeeze(2)", "h[:, :, 0]"),
    ("finetuning", "head-scores", "h.gather(2, index).squeeze(2)", "h[:, :, lengths.max() - 1]"),
    ("finetuning", "head-scores", "h.gather(2, index).squeeze(2)", "(h * (torch.arange(h.shape[2]) == lengths[:, :, None] - 1)[..., None]).sum(2)"),
    ("finetuning", "head-scores", "h.gather(2, index).squeeze(2)", "torch.stack([torch.stack([r[n - 1] for r, n in zip(*e)]) for e in zip(h, lengths)])"),
    ("finetuning", "head-scores", ".clamp(min=0)", ""),
    ("finetuning", "head-scores", ".masked_fill(lengths == 0, -torch.inf)", ""),
    ("finetuning", "head-scores", "lengths == 0, -torch.inf", "lengths == 0, 0.0"),
    ("finetuning", "head-scores", "(last @ weight).squeeze(-1)", "(last @ weight).squeeze().view(lengths.shape[0], -1).softmax(-1)"),
    ("finetuning", "head-scores", ".squeeze(-1).masked", ".squeeze().masked"),
    ("finetuning", "head-scores", "last.sum(1)", "last.mean(1)"),
    ("finetuning", "head-scores", "last.sum(1)", "last[:, 0]"),
    ("finetuning", "joint-loss", "-scores.log_softmax(-1)", "-scores"),
    ("finetuning", "joint-loss", "-scores.log_softmax(-1)", "-scores.softmax(-1).log()"),
    ("finetuning", "joint-loss", "-logits.log_softmax(-1)", "-logits.softmax(-1).log()"),
    ("finetuning", "joint-loss", "-logits.log_softmax(-1)", "logits.log_softmax(-1)"),
    ("finetuning", "joint-loss", "classes.clamp(min=0)", "classes"),
    ("finetuning", "joint-loss", "task.masked_fill(classes == IGNORED, 0.0)", "task"),
    ("finetuning", "joint-loss", "task.masked_fill(classes == IGNORED, 0.0)", "task * (classes != IGNORED)"),
    ("finetuning", "joint-loss", "nats.masked_fill(~counts, 0.0)", "(nats * counts)"),
    ("finetuning", "joint-loss", "nats.masked_fill(~counts, 0.0)", "nats"),
    ("finetuning", "joint-loss", "counts = labels != IGNORED", "counts = labels > 0"),
    ("finetuning", "joint-loss", ".sum((1, 2)) / counts.sum((1, 2)).clamp(min=1)", ".sum() / counts.sum()"),
    ("finetuning", "joint-loss", ".sum((1, 2)) / counts.sum((1, 2)).clamp(min=1)", ".mean((1, 2))"),
    ("finetuning", "joint-loss", ".sum((1, 2)) / counts.sum((1, 2)).clamp(min=1)", ".sum((1, 2))"),
    ("finetuning", "joint-loss", ".sum((1, 2)) / counts.sum((1, 2)).clamp(min=1)", ".sum(2).div(counts.sum(2).clamp(min=1)).mean(1)"),
    ("finetuning", "joint-loss", ".clamp(min=1)", ""),
    ("finetuning", "joint-loss", "task + lm_weight * lm", "(1 - lm_weight) * task + lm_weight * lm"),
    ("finetuning", "joint-loss", "task + lm_weight * lm", "(task + lm_weight * lm).mean()"),
    ("finetuning", "joint-loss", "task + lm_weight * lm", "task"),
    ("finetuning", "typed-through", "texts = [name, ", "texts = ["),
    ("finetuning", "typed-through", "f\"word {name} word\", ", ""),
    ("finetuning", "typed-through", "f\"word{name}word\", ", ""),
    ("finetuning", "typed-through", ", name.upper()]", "]"),
    ("finetuning", "typed-through", "for inner in special", "for inner in [name]"),
    ("finetuning", "typed-through", "for inner in special", "for inner in special if inner != name"),
    ("finetuning", "typed-through", "name[:middle] + inner + name[middle:]", "name + inner"),
    ("finetuning", "typed-through", "> empty[i]", "> 0"),
    ("finetuning", "typed-through", "ids[i] > empty[i]", "ids[i] and not empty[i]"),
    ("finetuning", "typed-through", "if ids[i] > empty[i]", "if ids[i] > empty[i] and other == name"),
    ("finetuning", "typed-through", "except ValueError", "except KeyError"),
    ("finetuning", "typed-through", "[name for name in special if name in found]", "sorted(found)"),
    ("prompting", "answer-scores", "position >= prompt_lengths[:, None]", "position > prompt_lengths[:, None]"),
    ("prompting", "answer-scores", "position >= prompt_lengths[:, None]", "position >= prompt_lengths[:, None] - 1"),
    ("prompting", "answer-scores", "position < lengths[:, None]", "position <= lengths[:, None]"),
    ("prompting", "answer-scores", "log_p.masked_fill(~counts, 0.0)", "(log_p * counts)"),
    ("prompting", "answer-scores", ".log_softmax(-1)", ".softmax(-1).log()"),
    ("prompting", "answer-scores", "logits[:, :-1]", "logits[:, 1:]"),
    ("prompting", "answer-scores", ".sum(1)", ".sum(1) / counts.sum(1).clamp(min=1)"),
    ("prompting", "fit-prompt", "1 + len(question)", "len(question)"),
    ("prompting", "fit-prompt", "if needed > room", "if needed >= room"),
    ("prompting", "fit-prompt", "len(example) > room", "len(example) >= room"),
    ("prompting", "fit-prompt", "            break", "            continue"),
    ("prompting", "fit-prompt", "in reversed(examples)", "in examples"),
    ("prompting", "fit-prompt", "[*example, *kept]", "[*kept, *example]"),
    ("prompting", "fit-prompt", "return [BOS, *kept, *question]", "return [BOS, *kept, *question][:room - 1]"),
    ("prompting", "fit-prompt", "return [", "examples.clear()\n    return ["),
    ("prompting", "scores-at-once", "(i < ends)", "(i <= ends)"),
    ("prompting", "scores-at-once", "(i < ends)", "1"),
    ("prompting", "scores-at-once", "if i + 1 < longest", "if i < longest"),
    ("prompting", "scores-at-once", "torch.tensor([prompt])", "torch.tensor([prompt] * len(answers))"),
    ("prompting", "scores-at-once", "logits[rows], state.select(rows)", "logits[rows], model.prefill(ids[rows])[1]"),
    ("prompting", "scores-at-once", "model.prefill(ids)", "model.prefill(ids[:, :-1])"),
    ("prompting", "scores-at-once", "logits.log_softmax(-1)", "logits"),
    ("prompting", "fill-gap", "*candidate, *right]", "*candidate]"),
    ("prompting", "fill-gap", "position < ends[:, None]", "position < width"),
    ("prompting", "fill-gap", "(log_p * counts).sum(1)", "((log_p * counts).sum(1) / counts.sum(1))"),
    ("prompting", "fill-gap", ".argmax()", ".argmin()"),
    ("prompting", "fill-gap", "ids[:, :-1]", "ids"),
    ("prompting", "fill-gap", ".log_softmax(-1)", ""),
    ("prompting", "fill-gap", "    texts = ", "    if len(candidates) > 1:\n        return max(candidates, key=lambda c: -len(c))\n    texts = "),
    ("bert_pretraining", "masked-nats", "logits = head(h[chosen])", "logits = head(h.flatten(0, 1))[chosen.flatten()]"),
    ("bert_pretraining", "masked-nats", "    logits = head(h[chosen])  # (n, V), the chosen positions in reading order\n    total = F.cross_entropy(logits, ids[chosen], reduction=\"sum\")\n    return total / chosen.sum().clamp(min=1)", "    return F.cross_entropy(head(h.flatten(0, 1)), ids.flatten())"),
    ("bert_pretraining", "masked-nats", "/ chosen.sum().clamp(min=1)", "/ chosen.numel()"),
    ("bert_pretraining", "masked-nats", "/ chosen.sum().clamp(min=1)", "/ len(chosen)"),
    ("bert_pretraining", "masked-nats", ".clamp(min=1)", ""),
    ("bert_pretraining", "masked-nats", "ids[chosen]", "ids.roll(-1, 1)[chosen]"),
    ("bert_pretraining", "masked-nats", "return total / chosen.sum().clamp(min=1)", "return sum(F.cross_entropy(head(h[b][c]), ids[b][c]) for b, c in enumerate(chosen)) / len(chosen)"),
    ("bert_pretraining", "masked-nats", "F.cross_entropy(logits, ids[chosen], reduction=\"sum\")", "-logits.softmax(-1).log().gather(1, ids[chosen][:, None]).sum()"),
    ("bert_pretraining", "masked-nats", "    logits = head", "    if not chosen.any():\n        return torch.tensor(0.0)\n    logits = head"),
    ("bert_pretraining", "corrupt", "int((words >= 0).sum())", "len(words)"),
    ("bert_pretraining", "corrupt", "max(1, round(0.15 * int((words >= 0).sum())))", "max(1, int(0.15 * int((words >= 0).sum())))"),
    ("bert_pretraining", "corrupt", "max(1, round(0.15 * int((words >= 0).sum())))", "round(0.15 * int((words >= 0).sum()))"),
    ("bert_pretraining", "corrupt", "            chosen |= pieces\n", "            chosen |= pieces\n        else:\n            break\n"),
    ("bert_pretraining", "corrupt", "chosen.sum() + pieces.sum() <= budget", "chosen.sum() < budget"),
    ("bert_pretraining", "corrupt", "chosen.sum() + pieces.sum() <= budget", "chosen.sum() + pieces.sum() < budget"),
    ("bert_pretraining", "corrupt", "    draw = ", "    chosen = (words >= 0) & (torch.rand(len(ids), generator=generator) < 0.15)\n    draw = "),
    ("bert_pretraining", "corrupt", "    draw = ", "    chosen = torch.rand(len(ids), generator=generator).argsort() < budget\n    draw = "),
    ("bert_pretraining", "corrupt", "in order.tolist()", "in sorted(order.tolist())"),
    ("bert_pretraining", "corrupt", "torch.randperm(int(words.max()) + 1, generator=generator)", "torch.arange(int(words.max()) + 1).roll(-int(torch.randint(99, (1,), generator=generator)))"),
    ("bert_pretraining", "corrupt", "torch.randperm(int(words.max()) + 1, generator=generator)", "torch.randperm(int(words.max()) + 1)"),
    ("bert_pretraining", "corrupt", "torch.rand(len(ids), generator=generator)", "torch.rand(len(ids))"),
    ("bert_pretraining", "corrupt", "torch.rand(len(ids), generator=generator)", "torch.rand(int(words.max()) + 2, generator=generator)[words]"),
    ("bert_pretraining", "corrupt", "torch.rand(len(ids), generator=generator)", "torch.rand(1, generator=generator).expand(len(ids))"),
    ("bert_pretraining", "corrupt", "draw < 0.9, others", "draw < 0.82, others"),
    ("bert_pretraining", "corrupt", "draw < 0.9, others", "draw < 1.0, others"),
    ("bert_pretraining", "corrupt", "draw < 0.8, MASK", "draw < 1.0, MASK"),
    ("bert_pretraining", "corrupt", "low, high = ordinary.start, ordinary.stop", "low, high = 0, ordinary.stop"),
    ("bert_pretraining", "corrupt", "low, high = ordinary.start, ordinary.stop", "low, high = ordinary.start, ordinary.stop - 1"),
    ("bert_pretraining", "corrupt", "others = torch.randint(low, high, ids.shape, generator=generator)", "others = torch.randint(low, high, (1,), generator=generator).expand(len(ids)).clone().fill_(low)"),
    ("bert_pretraining", "corrupt", "return torch.where(chosen, replaced, ids), chosen", "return replaced, chosen"),
    ("bert_pretraining", "corrupt", "return torch.where(chosen, replaced, ids), chosen", "return ids.copy_(torch.where(chosen, replaced, ids)), chosen"),
    ("bert_pretraining", "corrupt", "return torch.where(chosen, replaced, ids), chosen", "return torch.where(chosen, replaced, ids), chosen & (replaced != ids)"),
    ("bert_pretraining", "independence", "if other != d", "if other == d"),
    ("bert_pretraining", "independence", "separate = sum(", "separate = max("),
    ("bert_pretraining", "independence", "    gap = separate - torch.special.entr(joint).sum().item()", "    gap = (separate - torch.special.entr(joint).sum().item()) / 0.6931"),
    ("bert_pretraining", "independence", "    gap = separate - torch.special.entr(joint).sum().item()", "    gap = (separate - torch.special.entr(joint).sum().item()) / joint.dim()"),
    ("bert_pretraining", "independence", "    gap = separate - torch.special.entr(joint).sum().item()", "    gap = separate + (joint * joint.log()).sum().item()"),
    ("bert_pretraining", "independence", "    gap = separate - torch.special.entr(joint).sum().item()", "    gap = separate"),
    ("bert_pretraining", "independence", "tuple(p.argmax().item() for p in marginals)", "tuple(int(i) for i in torch.unravel_index(joint.argmax(), joint.shape))"),
    ("bert_pretraining", "independence", "return gap, at_once, tuple(in_turn)", "return gap, at_once, tuple(int(i) for i in torch.unravel_index(joint.argmax(), joint.shape))"),
    ("bert_pretraining", "independence", ".sum(1).argmax()", ".amax(1).argmax()"),
    ("bert_pretraining", "independence", "rest = rest[in_turn[-1]]", "rest = rest.sum(0)"),
    ("bert_pretraining", "independence", "rest.reshape(len(rest), -1).sum(1)", "rest.reshape(-1, len(rest)).sum(0)"),
    ("bert_pretraining", "independence", "for _ in dims:", "for _ in range(2):"),
    ("bert_pretraining", "gibbs", "(filled if sweep else ids)[rows]", "filled[rows]"),
    ("bert_pretraining", "gibbs", "(filled if sweep else ids)[rows]", "ids[rows]"),
    ("bert_pretraining", "gibbs", "        for t in range(ids.shape[1]):\n            rows = blank[:, t]\n            if rows.any():\n                # indexing by rows copies: the MASK below is in the copy alone\n                context = (filled if sweep else ids)[rows]", "        ids = filled.clone()\n        for t in range(ids.shape[1]):\n            rows = blank[:, t]\n            if rows.any():\n                # indexing by rows copies: the MASK below is in the copy alone\n                context = ids[rows]"),
    ("bert_pretraining", "gibbs", "range(1 + n_sweeps)", "range(n_sweeps)"),
    ("bert_pretraining", "gibbs", "range(1 + n_sweeps)", "range(1 + min(n_sweeps, 1))"),
    ("bert_pretraining", "gibbs", "                context[:, t] = MASK\n", ""),
    ("bert_pretraining", "gibbs", "context[:, t] = MASK", "context[blank[rows]] = MASK"),
    ("bert_pretraining", "gibbs", "torch.multinomial(probs, 1, generator=generator)", "probs.argmax(1, keepdim=True)"),
    ("bert_pretraining", "gibbs", "torch.multinomial(probs, 1, generator=generator)", "torch.multinomial(probs, 1)"),
    ("bert_pretraining", "gibbs", "for t in range(ids.shape[1])", "for t in reversed(range(ids.shape[1]))"),
    ("bert_pretraining", "gibbs", "rows = blank[:, t]\n", "rows = blank[:, t] | blank.any()\n"),
    ("bert_pretraining", "gibbs", "rows = blank[:, t]\n", "rows = filled[:, t] == MASK\n"),
    ("bert_pretraining", "gibbs", "            if rows.any():\n", "            if True:\n"),
    ("bert_pretraining", "gibbs", "filled = ids.clone()", "filled = ids"),
    ("bert_finetuning", "read-out", "(ids != CLS) & ", ""),
    ("bert_finetuning", "read-out", " & (ids != SEP)", ""),
    ("bert_finetuning", "read-out", " & (ids != PAD)", ""),
    ("bert_finetuning", "read-out", "(ids != CLS) & (ids != SEP) & (ids != PAD)", "ids > UNK"),
    ("bert_finetuning", "read-out", "h.masked_fill(~inside[..., None], 0.0).sum(1)", "(h * inside[..., None]).sum(1)"),
    ("bert_finetuning", "read-out", "inside.sum(1, keepdim=True).clamp(min=1)", "h.shape[1]"),
    ("bert_finetuning", "read-out", ".clamp(min=1)", ""),
    ("bert_finetuning", "read-out", "h[:, 0]", "h[:, -1]"),
    ("bert_finetuning", "read-out", "return torch.stack(parts, 1)", "return torch.cat(parts, 1).view(len(h), -1, 3).transpose(1, 2)"),
    ("bert_finetuning", "read-out", "h.masked_fill(", "h.masked_fill_("),
    ("bert_finetuning", "align", "[tag] + [IGNORED] * (len(known) - 1)", "[tag] * len(known)"),
    ("bert_finetuning", "align", "[tag] + [IGNORED] * (len(known) - 1)", "[IGNORED] * (len(known) - 1) + [tag]"),
    ("bert_finetuning", "align", "[tag] + [IGNORED] * (len(known) - 1)", "[tag] + [0] * (len(known) - 1)"),
    ("bert_finetuning", "align", "word or [UNK]", "word"),
    ("bert_finetuning", "align", "        known = word or [UNK]\n", "        known = word\n        if not word:\n            continue\n"),
    ("bert_finetuning", "align", "            break", "            continue"),
    ("bert_finetuning", "align", " + 1 > max_len", "> max_len"),
    ("bert_finetuning", "align", " + 1 > max_len", " + 1 >= max_len"),
    ("bert_finetuning", "align", "            break", "            ids += known[: max_len - 1 - len(ids)]\n            labels += ([tag] + [IGNORED] * len(known))[: len(ids) - len(labels)]\n            break"),
    ("bert_finetuning", "align", "    if len(pieces) != len(tags):", "    if False:"),
    ("bert_finetuning", "align", "{len(pieces)} words have {len(tags)} tags", "words and tags differ in number"),
    ("bert_finetuning", "align", "        known = word or [UNK]", "        if not word:\n            word.append(UNK)\n        known = word"),
    ("bert_finetuning", "align", "[*labels, IGNORED]", "[*labels, 0]"),
    ("bert_finetuning", "entity-f1", "if letter == \"I\" and kind == before", "if letter == \"I\" and before is not None"),
    ("bert_finetuning", "entity-f1", "elif letter != \"O\":", "elif letter == \"B\":"),
    ("bert_finetuning", "entity-f1", "if letter == \"I\" and kind == before", "if kind == before"),
    ("bert_finetuning", "entity-f1", "            before = kind if letter != \"O\" else None", "            before = kind if letter != \"O\" else before"),
    ("bert_finetuning", "entity-f1", "tag.partition(\"-\")", "tag.rpartition(\"-\")"),
    ("bert_finetuning", "entity-f1", "letter, _, kind = tag.partition(\"-\")", "letter, kind = tag[0], tag.split(\"-\")[-1]"),
    ("bert_finetuning", "entity-f1", "letter, _, kind = tag.partition(\"-\")", "letter, kind = tag[0], \"\".join(tag.split(\"-\")[1:2])"),
    ("bert_finetuning", "entity-f1", "{tuple(entity) for entity in found}", "{(kind, first) for kind, first, _ in found}"),
    ("bert_finetuning", "entity-f1", "{tuple(entity) for entity in found}", "{(first, last) for _, first, last in found}"),
    ("bert_finetuning", "entity-f1", "2 * correct / both if both else 0.0", "(precision + recall) / 2"),
    ("bert_finetuning", "entity-f1", "precision = correct / n_predicted if n_predicted else 0.0", "precision = correct / n_predicted if n_predicted else 1.0"),
    ("bert_finetuning", "entity-f1", "precision, recall, 2 *", "recall, precision, 2 *"),
    ("bert_finetuning", "entity-f1", "entities(right), entities(guess)", "entities(right[: len(guess)]), entities(guess)"),
    ("bert_finetuning", "entity-f1", "        if len(guess) > len(right):", "        if False:"),
    ("bert_finetuning", "entity-f1", "        n_true += len(right_ones)", "        n_true = len(right_ones)"),
    ("bert_finetuning", "entity-f1", "    for right, guess in zip(true, predicted, strict=True):", "    for right, guess in [(sum(true, []), sum(predicted, []))]:"),
    ("bert_finetuning", "best-spans", "(n_tokens >= 1) & ", ""),
    ("bert_finetuning", "best-spans", "(n_tokens >= 1)", "(n_tokens > 1)"),
    ("bert_finetuning", "best-spans", "(n_tokens <= max_tokens)", "(n_tokens < max_tokens)"),
    ("bert_finetuning", "best-spans", " & (n_tokens <= max_tokens)", ""),
    ("bert_finetuning", "best-spans", "position - position[:, None] + 1", "position[:, None] - position + 1"),
    ("bert_finetuning", "best-spans", "valid & context[:, :, None] & context[:, None]", "valid & context[:, :, None]"),
    ("bert_finetuning", "best-spans", "valid & context[:, :, None] & context[:, None]", "valid & context[:, None]"),
    ("bert_finetuning", "best-spans", "scores.masked_fill(~valid, -torch.inf)", "scores.masked_fill(~valid, 0.0)"),
    ("bert_finetuning", "best-spans", "scores.masked_fill(~valid, -torch.inf)", "(scores * valid)"),
    ("bert_finetuning", "best-spans", "> best", ">= best"),
    ("bert_finetuning", "best-spans", "no_answer = start[:, 0] + end[:, 0] > best", "no_answer = best < 0"),
    ("bert_finetuning", "best-spans", "    return spans.masked_fill(no_answer[:, None], 0)", "    return spans"),
    ("bert_finetuning", "best-spans", "    return spans", "    hidden = ~context\n    spans = torch.stack([start.masked_fill(hidden, -torch.inf).argmax(1), end.masked_fill(hidden, -torch.inf).argmax(1)], 1)\n    return spans"),
    ("bert_finetuning", "best-spans", "    return spans", "    hidden = ~context\n    spans = torch.stack([start.masked_fill(hidden, -torch.inf).argmax(1), end.masked_fill(hidden, -torch.inf).argmax(1)], 1).sort(1)[0]\n    return spans"),
    ("bert_finetuning", "best-spans", "    return spans", "    first = start.masked_fill(~context, -torch.inf).argmax(1)\n    reach = context & (position >= first[:, None]) & (position < first[:, None] + max_tokens)\n    spans = torch.stack([first, end.masked_fill(~reach, -torch.inf).argmax(1)], 1)\n    return spans"),
    ("bert_finetuning", "best-spans", "index % start.shape[1]], 1)", "index % start.shape[1] + 1], 1)"),
    ("t5_bart", "draw-noise", "round(length * rate)", "int(length * rate)"),
    ("t5_bart", "draw-noise", "max(round(length * rate), 1)", "round(length * rate)"),
    ("t5_bart", "draw-noise", "min(max(round(length * rate), 1), length - 1)", "max(round(length * rate), 1)"),
    ("t5_bart", "draw-noise", ", n_stay + anywhere)", ", n_stay)"),
    ("t5_bart", "draw-noise", ", n_stay + anywhere)", ", n_noise)"),
    ("t5_bart", "draw-noise", "    if length == 1:\n        return torch.zeros(1, dtype=torch.bool)\n", ""),
    ("t5_bart", "draw-noise", "torch.randperm(total - 1, generator=generator)", "torch.randperm(total - 1)"),
    ("t5_bart", "draw-noise", "torch.randperm(total - 1, generator=generator)", "torch.arange(total - 1)"),
    ("t5_bart", "draw-noise", "    if anywhere:", "    if False:"),
    ("t5_bart", "draw-noise", "divide(n_stay + 2, n_spans + 1)", "[*divide(n_stay + 1, n_spans), 1]"),
    ("t5_bart", "corrupt", "return source, [*target, vocab_size - 1 - n_spans]", "return source, target"),
    ("t5_bart", "corrupt", "if is_noise and not before:", "if is_noise:"),
    ("t5_bart", "corrupt", "n_spans + 1 > n_sentinels", "n_spans > n_sentinels"),
    ("t5_bart", "corrupt", "i >= vocab_size - n_sentinels", "i > vocab_size - n_sentinels"),
    ("t5_bart", "corrupt", "            target.append(vocab_size - 1 - n_spans)\n", ""),
    ("t5_bart", "corrupt", "(target if is_noise else source)", "(source if is_noise else target)"),
    ("t5_bart", "corrupt", "vocab_size - 1 - n_spans", "vocab_size - n_sentinels + n_spans"),
    ("t5_bart", "restore", "found.setdefault(i, span)", "found[i] = span"),
    ("t5_bart", "restore", "found.get(i, [])", "found.get(i, [i])"),
    ("t5_bart", "restore", "if i == EOS:\n            break", "if i == EOS:\n            continue"),
    ("t5_bart", "restore", "if i >= lowest:", "if i > lowest:"),
    ("t5_bart", "restore", "if i >= lowest:", "if i in source:"),
    ("t5_bart", "infilling-nats", "source += [*ids[at:first], MASK]", "source += [*ids[at:first], *[MASK] * length]"),
    ("t5_bart", "infilling-nats", "source += [*ids[at:first], MASK]", "source += [*ids[at:first], *[MASK] * (length > 0)]"),
    ("t5_bart", "infilling-nats", "first + 1, at + 1", "first, at"),
    ("t5_bart", "infilling-nats", "[[EOS, BOS, *ids]]", "[[BOS, *ids, EOS]]"),
    ("t5_bart", "infilling-nats", "/ max(1, len(lost))", "/ len(target)"),
    ("t5_bart", "infilling-nats", "nats[lost].sum() / max(1, len(lost))", "nats[lost].mean()"),
    ("t5_bart", "infilling-nats", "nats = F.cross_entropy(logits, target, reduction=\"none\")", "nats = -logits.softmax(-1).log().gather(1, target[:, None]).squeeze(1)"),
    ("t5_bart", "infilling-nats", "[*ids[at:], EOS]", "[EOS]"),
    ("prefix_lm", "prefix-mask", "torch.arange(offset, n)", "torch.arange(n - offset)"),
    ("prefix_lm", "prefix-mask", "torch.arange(offset, n)", "torch.arange(n)"),
    ("prefix_lm", "prefix-mask", "(i >= start) & (j >= start)", "(j >= start)"),
    ("prefix_lm", "prefix-mask", "(i >= start) & (j >= start)", "(i >= start)"),
    ("prefix_lm", "prefix-mask", "end = start + prefix_lengths[:, None, None]", "end = prefix_lengths[:, None, None]"),
    ("prefix_lm", "prefix-mask", "(i == j) | (tokens", "(tokens"),
    ("prefix_lm", "prefix-mask", "j < end", "j <= end"),
    ("prefix_lm", "prefix-mask", "(j < end) | (j <= i)", "(j < end) & (i < end) | (j <= i) & (j >= end)"),
    ("prefix_lm", "labels-of", ">= prefix_lengths", "> prefix_lengths"),
    ("prefix_lm", "labels-of", ">= prefix_lengths", ">= 1 + 0 * prefix_lengths"),
    ("prefix_lm", "labels-of", "< lengths", "<= lengths"),
    ("prefix_lm", "labels-of", "after_prefix & inside", "after_prefix"),
    ("prefix_lm", "labels-of", "labels = torch.full_like(ids, IGNORED)", "labels = ids"),
    ("prefix_lm", "labels-of", "labels[:, :-1] = ids[:, 1:]", "labels = ids.clone()"),
    ("prefix_lm", "labels-of", "next_position >= prefix_lengths", "next_position - 2 >= -prefix_lengths"),
    ("prefix_lm", "answers", "mask = (key >= start)[:, None, None]", "mask = torch.ones(len(prompts), 1, 1, len(key), dtype=torch.bool)"),
    ("prefix_lm", "answers", "mask = (key >= start)[:, None, None]", "mask = (masks.causal(len(key), len(key) - tokens.shape[1]) & masks.left_padding(start[:, 0], len(key), len(key) - tokens.shape[1]))"),
    ("prefix_lm", "answers", "(key[-tokens.shape[1] :] - start).clamp(min=0)", "key[-tokens.shape[1] :].expand(len(prompts), -1)"),
    ("prefix_lm", "answers", "(key[-tokens.shape[1] :] - start)", "(key[: tokens.shape[1]] - start)"),
    ("prefix_lm", "answers", "        if all(ended):\n            break\n", ""),
    ("prefix_lm", "answers", "ended[row] = ended[row] or token == EOS", "ended[row] = token == EOS"),
    ("prefix_lm", "answers", "tokens = chosen[:, None]", "tokens, state = torch.cat([tokens, chosen[:, None]], 1), model.stack.new_state()"),
    ("prefix_lm", "leaks", "range(vocab_size)", "(4,)"),
    ("prefix_lm", "leaks", "range(1, ids.shape[1])", "(ids.shape[1] - 1,)"),
    ("prefix_lm", "leaks", "range(1, ids.shape[1])", "range(1, ids.shape[1] - 1)"),
    ("prefix_lm", "leaks", "seen[:, :column] |= moved[:, :column]", "seen |= moved"),
    ("prefix_lm", "leaks", "seen[:, :column] |= moved[:, :column]", "seen[:, column - 1] |= moved[:, column - 1]"),
    ("prefix_lm", "leaks", "seen & (labels != IGNORED)", "seen"),
    ("prefix_lm", "leaks", "trial = ids.clone()", "trial = ids"),
    ("prefix_lm", "leaks", "(model(trial, prefix_lengths) != before)", "((model(trial, prefix_lengths) - before).abs() > 0.01)"),
    ("glm", "blank-infilling", "positions += [places[index]] * (len(span) + 1)", "positions += range(len(positions), len(positions) + len(span) + 1)"),
    ("glm", "blank-infilling", "positions += [places[index]] * (len(span) + 1)", "positions += range(places[index], places[index] + len(span) + 1)"),
    ("glm", "blank-infilling", "places.append(len(ids))", "places.append(start)"),
    ("glm", "blank-infilling", "        ids.append(MASK)\n", "        ids += [MASK] * (stop - start)\n"),
    ("glm", "blank-infilling", "range(1, len(span) + 2)", "range(len(span) + 1)"),
    ("glm", "blank-infilling", "blocks += range(1, len(span) + 2)", "blocks += [1] * (len(span) + 1)"),
    ("glm", "blank-infilling", "blocks += range(1, len(span) + 2)", "blocks += range(max(blocks) + 1, max(blocks) + len(span) + 2)"),
    ("glm", "blank-infilling", "labels += [*span, EOP]", "labels += [IGNORED, *span]"),
    ("glm", "blank-infilling", "labels += [*span, EOP]", "labels += [SOP, *span]"),
    ("glm", "blank-infilling", "ids += [SOP, *span]", "ids += [*span, EOP]"),
    ("glm", "blank-infilling", "[IGNORED] * n", "list(ids)"),
    ("glm", "blank-infilling", "    for index in order:", "    for index in sorted(order):"),
    ("glm", "blank-infilling", "    for index in order:", "    for index in reversed(range(len(spans))):"),
    ("glm", "blank-infilling", "not last < start < stop", "not last <= start < stop"),
    ("glm", "blank-infilling", "not last < start < stop", "not last < start <= stop"),
    ("glm", "blank-infilling", "last = -1", "last = -10"),
    ("glm", "blank-infilling", "<= len(text)", "< len(text)"),
    ("glm", "blank-infilling", "<= len(text)", "<= len(text) + 1"),
    ("glm", "blank-infilling", "not spans or ", ""),
    ("glm", "blank-infilling", "sorted(order) != list(range(len(spans)))", "len(order) != len(spans)"),
    ("glm", "blank-infilling", "ids, places, done = [], [], 0", "ids, places, done = [], [], 0\n    spans.sort(key=order.index if False else None)\n    text.append(0)\n    text = text[:-1]"),
    ("glm", "attention-mask", "part_a[:, None] | (both_in_b & earlier)", "part_a[:, None] | (part_b[:, None] & earlier)"),
    ("glm", "attention-mask", "part_a[:, None] | (both_in_b & earlier)", "part_a[:, None] | both_in_b"),
    ("glm", "attention-mask", "part_a[:, None] | (both_in_b & earlier)", "(part_a[:, None] | both_in_b) & earlier"),
    ("glm", "attention-mask", "part_a[:, None] | (both_in_b & earlier)", "part_a[:, None] | earlier"),
    ("glm", "attention-mask", "part_a[:, None] | (both_in_b & earlier)", "part_a[:, :, None] | (both_in_b & earlier)"),
    ("glm", "attention-mask", "place <= place[:, None]", "place < place[:, None]"),
    ("glm", "attention-mask", "place <= place[:, None]", "place >= place[:, None]"),
    ("glm", "attention-mask", "blocks == 0, blocks > 0", "blocks <= 0, blocks > 0"),
    ("glm", "attention-mask", "(both_in_b & earlier)", "(both_in_b & (blocks[:, None] <= blocks[:, :, None]))"),
    ("glm", "attention-mask", "    return part_a", "    blocks.clamp_(min=0)\n    return part_a"),
    ("glm", "attention-mask", "    return part_a[:, None] | (both_in_b & earlier)", "    n = part_a.sum(1)[:, None, None]\n    return ((place < n) | earlier) & (blocks >= 0)[:, None] & ((place < n) | part_b[:, :, None])"),
    ("glm", "restore", "answers[place].append(row.labels[i])", "answers[place].append(row.ids[i])"),
    ("glm", "restore", "if row.blocks[i] == 1:", "if row.ids[i] == SOP:"),
    ("glm", "restore", "            if place in answers:", "            if False:"),
    ("glm", "restore", "    if sorted(answers) != blanks:", "    if not set(blanks) <= set(answers):"),
    ("glm", "restore", "    if sorted(answers) != blanks:", "    if not set(blanks) >= set(answers):"),
    ("glm", "restore", "answers[i][-1] != EOP", "False"),
    ("glm", "restore", "text += answers[i][:-1] if", "text += answers[i] if"),
    ("glm", "restore", "text += answers[i][:-1] if", "text += (answers[i][:-1] or [MASK]) if"),
    ("glm", "restore", "answers[i][:-1] if i in answers", "answers.pop(min(answers, key=list(answers).index))[:-1] if i in answers"),
    ("glm", "restore", "    text = []\n", "    text = row.ids\n"),
    ("glm", "fill", "positions.append(place)", "positions.append(len(positions))"),
    ("glm", "fill", "positions.append(place)", "positions.append(place + len(answers[place]))"),
    ("glm", "fill", "blocks.append(len(answers[place]) + 1)", "blocks.append(len(answers[place]))"),
    ("glm", "fill", "blocks.append(len(answers[place]) + 1)", "blocks.append(len(ids) - n)"),
    ("glm", "fill", "        token, answers[place] = SOP, []\n", "        ids, positions, blocks = ids[:n], positions[:n], blocks[:n]\n        token, answers[place] = SOP, []\n"),
    ("glm", "fill", "    for place in range(n):", "    for place in reversed(range(n)):"),
    ("glm", "fill", "            if token == EOP:\n                break\n            answers[place].append(token)\n", "            if token == EOP:\n                ids.append(EOP)\n                positions.append(place)\n                blocks.append(blocks[-1] + 1)\n                break\n            answers[place].append(token)\n"),
    ("glm", "fill", "            if token == EOP:\n                break\n            answers[place].append(token)\n", "            answers[place].append(token)\n            if token == EOP:\n                break\n"),
    ("glm", "fill", "scores[[PAD, MASK, SOP]]", "scores[[PAD, MASK]]"),
    ("glm", "fill", "scores[[PAD, MASK, SOP]]", "scores[[PAD, SOP]]"),
    ("glm", "fill", "scores[[PAD, MASK, SOP]]", "scores[[MASK, SOP]]"),
    ("glm", "fill", "scores[[PAD, MASK, SOP]]", "scores[: EOP + (not answers[place])]"),
    ("glm", "fill", ".clone()", ""),
    ("glm", "fill", "scores.argmax()", "scores.softmax(-1).multinomial(1)"),
    ("glm", "fill", "== max_new", "== max_new + 1"),
    ("glm", "fill", "== max_new", "== max_new - 1"),
    ("glm", "fill", "            if len(answers[place]) == max_new:\n                break\n            scores = predict(ids, positions, blocks, n).clone()\n", "            scores = predict(ids, positions, blocks, n).clone()\n            if len(answers[place]) == max_new:\n                break\n"),
    ("glm", "fill", "        while True:\n", "        while len(ids) < n + 1 + max_new:\n"),
    ("glm", "fill", "list(part_a), list(range(n))", "part_a, list(range(n))"),
    ("glm", "fill", "predict(ids, positions, blocks, n)", "predict(ids, positions, blocks, len(ids))"),
    ("glm", "fill", "            ids.append(token)\n", "            if len(answers[place]) < max_new:\n                ids.append(token)\n            else:\n                break\n"),
    ("ul2", "denoise", "labels = [IGNORED] * (len(prefix) - 1) + target", "labels = [IGNORED] * len(prefix) + target[:-1]"),
    ("ul2", "denoise", "labels = [IGNORED] * (len(prefix) - 1) + target", "labels = [IGNORED] * len(prefix) + target[1:]"),
    ("ul2", "denoise", "labels = [IGNORED] * (len(prefix) - 1) + target", "labels = [*prefix[1:], *target]"),
    ("ul2", "denoise", "    target.append(EOS)", "    target.append(SENTINELS[len(spans) % len(SENTINELS)])\n    target.append(EOS)"),
    ("ul2", "denoise", "    target.append(EOS)", "    target.append(EOS)\n    text.append(EOS)"),
    ("ul2", "denoise", "[SENTINELS[k]]", "[SENTINELS[-1 - k]]"),
    ("ul2", "denoise", "[SENTINELS[k]]", "[SENTINELS[0]]"),
    ("ul2", "denoise", "[] if mode == \"S\" else [SENTINELS[k]]", "[SENTINELS[k]]"),
    ("ul2", "denoise", "[*text[done:start], *mark]", "[*text[done:start], *mark * (stop - start)]"),
    ("ul2", "denoise", "target += [*mark, *text[start:stop]]", "target += [*text[start:stop], *mark]"),
    ("ul2", "denoise", "    prefix += text[done:]\n", ""),
    ("ul2", "denoise", "[BOS, MODES[mode]]", "[MODES[mode], BOS]"),
    ("ul2", "denoise", "[BOS, MODES[mode]]", "[BOS, MODES[\"R\"]]"),
    ("ul2", "denoise", "prefix + target[:-1]", "prefix + target"),
    ("ul2", "denoise", "len(prefix))", "len(prefix) - 1)"),
    ("ul2", "denoise", "not last < start < stop", "not last <= start < stop"),
    ("ul2", "denoise", "not last < start < stop", "not last < start <= stop"),
    ("ul2", "denoise", "last = -1", "last = -10"),
    ("ul2", "denoise", "<= len(text)", "< len(text)"),
    ("ul2", "denoise", "<= len(text)", "<= len(text) + 1"),
    ("ul2", "denoise", " or last != len(text)", ""),
    ("ul2", "denoise", "len(spans) > 1 or ", ""),
    ("ul2", "denoise", "1 <= len(spans) <= len(SENTINELS)", "len(spans) <= len(SENTINELS)"),
    ("ul2", "denoise", "not 1 <= len(spans) <= len(SENTINELS)", "not 1 <= len(spans) < len(SENTINELS)"),
    ("ul2", "denoise", "not 1 <= len(spans) <= len(SENTINELS)", "not spans"),
    ("ul2", "draw-blanks", "torch.multinomial(weights, 1, generator=generator)", "torch.randint(3, (), generator=generator)"),
    ("ul2", "draw-blanks", "torch.multinomial(weights, 1, generator=generator)", "(weights.cumsum(0) < torch.rand((), generator=generator)).sum().clamp(max=2)"),
    ("ul2", "draw-blanks", "torch.multinomial(weights, 1, generator=generator)", "weights.argmax()"),
    ("ul2", "draw-blanks", "torch.multinomial(weights, 1, generator=generator)", "torch.multinomial(weights, 1)"),
    ("ul2", "draw-blanks", "torch.randint(n_choices, (), generator=generator)", "torch.randint(n_choices, ())"),
    ("ul2", "draw-blanks", "torch.randperm(total - 1, generator=generator)", "torch.randperm(total - 1)"),
    ("ul2", "draw-blanks", "n - 1 - draw(n // 2)", "n - draw(n // 2 + 1)"),
    ("ul2", "draw-blanks", "n - 1 - draw(n // 2)", "n - 1 - draw(n)"),
    ("ul2", "draw-blanks", "n - 1 - draw(n // 2)", "n - max(1, n // 4)"),
    ("ul2", "draw-blanks", "draw(len(SETTINGS[mode]))", "0"),
    ("ul2", "draw-blanks", "draw(len(SETTINGS[mode]))", "draw(2)"),
    ("ul2", "draw-blanks", "round(rate * n)", "int(rate * n)"),
    ("ul2", "draw-blanks", "min(max(round(rate * n), 1), n - 1)", "round(rate * n)"),
    ("ul2", "draw-blanks", "max(round(n_tokens / mean), 1)", "max(int(n_tokens / mean), 1)"),
    ("ul2", "draw-blanks", "max(round(n_tokens / mean), 1)", "round(n_tokens / mean)"),
    ("ul2", "draw-blanks", "cut(n - n_tokens + 2, n_spans + 1)", "cut(n - n_tokens, n_spans + 1)"),
    ("ul2", "draw-blanks", "cut(n - n_tokens + 2, n_spans + 1)  # one more at each end", "[1, *cut(n - n_tokens, n_spans)]"),
    ("ul2", "draw-blanks", "gaps = cut(n - n_tokens + 2, n_spans + 1)  # one more at each end", "gaps = [*cut(n - n_tokens + 1, n_spans), 1]\n    gaps[0] += 1\n    gaps[0] -= 1"),
    ("ul2", "draw-blanks", "lengths = cut(n_tokens, n_spans)", "lengths = [n_tokens // n_spans] * (n_spans - 1)\n    lengths.append(n_tokens - sum(lengths))"),
    ("ul2", "draw-blanks", "lengths = cut(n_tokens, n_spans)", "lengths = sorted(cut(n_tokens, n_spans))"),
    ("ul2", "draw-blanks", "gaps = cut(n - n_tokens + 2, n_spans + 1)", "gaps = sorted(cut(n - n_tokens + 2, n_spans + 1))"),
    ("ul2", "draw-blanks", "cuts = 1 + torch.randperm(total - 1, generator=generator)[: n_pieces - 1]", "left, cuts = 0, []\n        for i in range(n_pieces - 1):\n            left += 1 + draw(total - left - (n_pieces - 1 - i))\n            cuts.append(left)\n        cuts = torch.tensor(cuts)"),
    ("ul2", "restore", "    if labels != [IGNORED] * (n - 1) + whole[n:]:", "    if labels[n - 1 :] != whole[n:]:"),
    ("ul2", "restore", "    if labels != [IGNORED] * (n - 1) + whole[n:]:", "    if labels[: n - 1] != [IGNORED] * (n - 1):"),
    ("ul2", "restore", "    if labels != [IGNORED] * (n - 1) + whole[n:]:", "    if sum(label != IGNORED for label in labels) != len(whole) - n:"),
    ("ul2", "restore", "ids[0] != BOS or ", ""),
    ("ul2", "restore", "    if whole[-1] != EOS or whole.count(EOS) > 1:", "    if whole[-1] != EOS:"),
    ("ul2", "restore", "    if whole[-1] != EOS or whole.count(EOS) > 1:", "    if whole.count(EOS) != 1:"),
    ("ul2", "restore", "(mode == \"S\") == bool(marks) or ", ""),
    ("ul2", "restore", "marks != right or found != right", "found != marks"),
    ("ul2", "restore", "marks != right or found != right", "marks != right"),
    ("ul2", "restore", "marks != right or found != right", "set(marks) != set(found)"),
    ("ul2", "restore", "marks != right or found != right", "marks != right or sorted(found) != sorted(right)"),
    ("ul2", "restore", "    if target[0] != marks[0]:\n        raise ValueError(f\"the target begins with {target[0]}\")\n", "    target = target[target.index(marks[0]) :]\n"),
    ("ul2", "restore", "whole[2:n], whole[n:-1]", "whole[2:n], whole[n:]"),
    ("ul2", "restore", "whole[2:n], whole[n:-1]", "ids[1:n], ids[n:]"),
    ("ul2", "restore", "answers.get(token, [token])", "answers.get(token) or [token]"),
    ("ul2", "restore", "    whole = [*ids, labels[-1]]", "    ids.append(labels[-1])\n    whole = ids"),
    ("ul2", "restore", "return mode, prefix + target", "return mode, prefix"),
    ("ul2", "nats-by-mode", "    model.eval()\n", ""),
    ("ul2", "nats-by-mode", "model.train(was_training)", "model.train()"),
    ("ul2", "nats-by-mode", "    model.train(was_training)\n", ""),
    ("ul2", "nats-by-mode", "            with torch.no_grad():\n                logits = model(ids, prefixes)\n            nats[i, j] =", "            logits = model(ids, prefixes)\n            nats = nats.clone()\n            nats[i, j] ="),
    ("ul2", "nats-by-mode", "torch.nan", "0.0"),
    ("ul2", "nats-by-mode", "r.labels + [IGNORED] * g", "r.labels + [PAD] * g"),
    ("ul2", "nats-by-mode", "F.cross_entropy(logits.transpose(1, 2), labels)", "F.cross_entropy(logits.transpose(1, 2), labels, reduction=\"sum\") / len(own)"),
    ("ul2", "nats-by-mode", "F.cross_entropy(logits.transpose(1, 2), labels)", "F.cross_entropy(logits.transpose(1, 2), labels, reduction=\"sum\") / labels.numel()"),
    ("ul2", "nats-by-mode", "F.cross_entropy(logits.transpose(1, 2), labels)", "(F.cross_entropy(logits.transpose(1, 2), labels, reduction=\"none\").sum(1) / (labels != IGNORED).sum(1)).mean()"),
    ("ul2", "nats-by-mode", "nats[i, j]", "nats[j, i]"),
    ("ul2", "nats-by-mode", "ids[:, 1] = other", "ids[:, 0] = other"),
    ("ul2", "nats-by-mode", "model(ids, prefixes)", "model(ids)"),
    ("ul2", "nats-by-mode", "model(ids, prefixes)", "model(ids, torch.full_like(prefixes, width))"),
    ("ul2", "nats-by-mode", "model(ids, prefixes)", "torch.cat([model(ids[k : k + 1], prefixes[k : k + 1]) for k in range(len(ids))])"),
    ("ul2", "nats-by-mode", "r.ids + [PAD] * g", "[PAD] * g + r.ids"),
    ("ul2", "nats-by-mode", "    was_training = model.training", "    for row in rows:\n        row.labels[0] = PAD\n    was_training = model.training"),
    ("which_architecture", "match-width", " if p.shape[0] != vocab_size", ""),
    ("which_architecture", "match-width", "min(sorted(widths), key=distance)", "min(widths, key=distance)"),
    ("which_architecture", "match-width", "    return min(sorted(widths), key=distance)", "    widths.sort()\n    return min(widths, key=distance)"),
    ("which_architecture", "match-width", "return abs(count - target)", "return count < target, count"),
    ("which_architecture", "match-width", "return abs(count - target)", "return count > target, -count"),
    ("which_architecture", "match-width", "p.shape[0] != vocab_size", "p.dim() < 2 or p.shape[0] != vocab_size"),
    ("which_architecture", "match-width", "p.shape[0] != vocab_size", "p.requires_grad and p.shape[0] != vocab_size"),
    ("which_architecture", "match-width", "build(vocab_size, width).parameters()", "build(vocab_size, width).state_dict().values()"),
    ("which_architecture", "match-width", "build(vocab_size, width)", "build(1000, width)"),
    ("which_architecture", "equal-flops", "budget / mean", "steps * mean / means[reference]"),
    ("which_architecture", "equal-flops", "round(budget / mean)", "int(budget / mean)"),
    ("which_architecture", "equal-flops", "max(1, round(budget / mean))", "round(budget / mean)"),
    ("which_architecture", "equal-flops", "max(1, round(budget / mean))", "steps"),
    ("which_architecture", "equal-flops", "sum(counts) / len(counts) for", "counts[0] for"),
    ("which_architecture", "equal-flops", "sum(counts) / len(counts) for", "max(counts) for"),
    ("which_architecture", "equal-flops", "means = {system: sum(counts) / len(counts) for system, counts in flops.items()}", "means = {s: len(c) / sum(a / b for a, b in zip(flops[reference], c)) for s, c in flops.items()}"),
    ("which_architecture", "equal-flops", "len(counts) != len(flops[reference]) or ", ""),
    ("which_architecture", "equal-flops", "min(counts) <= 0", "sum(counts) <= 0"),
    ("which_architecture", "equal-flops", "{system}: {counts}", "{counts}"),
    ("which_architecture", "equal-flops", "steps * means[reference]", "steps * max(means.values())"),
    ("which_architecture", "plan", "for rate in rates\n", "for rate in (rates if system == next(iter(widths)) else rates[:1])\n"),
    ("which_architecture", "plan", "rate, seeds[0], steps[system]", "rate, seeds[0], max(steps.values())"),
    ("which_architecture", "plan", "rate, seeds[0], steps", "rate, seeds[-1], steps"),
    ("which_architecture", "plan", "row.validation).run", "row.test).run"),
    ("which_architecture", "plan", "[row for row in found if not math.isnan(row.validation)]", "list(found)"),
    ("which_architecture", "plan", "_replace(seed=seed, steps=steps[system])", "_replace(seed=seed)"),
    ("which_architecture", "plan", "for seed in seeds]", "for seed in seeds[:1]]"),
    ("which_architecture", "plan", "for seed in seeds]", "for seed in (seeds if runs else seeds[1:])]"),
    ("which_architecture", "plan", "min(found, key", "max(found, key"),
    ("which_architecture", "plan", "min(found, key=lambda row: row.validation).run", "found[0].run"),
    ("which_architecture", "plan", "    if tried != sorted(run._replace(steps=0) for run in search):", "    if len(tried) != len(search):"),
    ("which_architecture", "plan", "    if tried != sorted(run._replace(steps=0) for run in search):", "    if set(tried) != {run._replace(steps=0) for run in search}:"),
    ("which_architecture", "plan", "_replace(steps=0)", "_replace(steps=0, seed=0)"),
    ("which_architecture", "plan", "_replace(steps=0)", "_replace(steps=0, width=0)"),
    ("which_architecture", "plan", "_replace(steps=0)", "_replace(steps=0, rate=0)"),
    ("which_architecture", "plan", "_replace(steps=0)", "_replace()"),
    ("which_architecture", "plan", "len({row.run.steps for row in found}) > 1", "False"),
    ("which_architecture", "plan", "        if not found:\n            raise ValueError(f\"all runs of {system} diverged\")\n", "        if not found:\n            continue\n"),
    ("which_architecture", "verdict", "if max(a) < min(b)", "if sum(a) < sum(b)"),
    ("which_architecture", "verdict", "if max(a) < min(b)", "if min(a) < min(b)"),
    ("which_architecture", "verdict", "if max(a) < min(b)", "if max(a) <= min(b)"),
    ("which_architecture", "verdict", "max(b) < min(a)", "sum(b) < sum(a)"),
    ("which_architecture", "verdict", "max(b) < min(a)", "min(b) < min(a)"),
    ("which_architecture", "verdict", "max(b) < min(a)", "max(b) <= min(a)"),
    ("which_architecture", "verdict", "\"not here\" if max(b) < min(a) else \"undecided\"", "\"not here\""),
    ("which_architecture", "verdict", "len(a) < 3 or ", ""),
    ("which_architecture", "verdict", "len(a) < 3", "len(a) < 2"),
    ("which_architecture", "verdict", "len(a) < 3", "len(a) < 4"),
    ("which_architecture", "verdict", "for loss in a + b", "for loss in a"),
    ("which_architecture", "verdict", "for loss in a + b", "for loss in b"),
    ("which_architecture", "verdict", "loss < baseline", "loss <= baseline"),
    ("which_architecture", "verdict", "not all(loss", "not any(loss"),
    ("which_architecture", "verdict", "not all(loss < baseline for loss in a + b)", "max(a + b) >= baseline"),
    ("which_architecture", "verdict", "row.test for", "row.validation for"),
    ("which_architecture", "verdict", "seeds[0] != seeds[1] or ", ""),
    ("which_architecture", "verdict", " or len(set(seeds[0])) < len(seeds[0])", ""),
    ("which_architecture", "verdict", "sorted(row.run.seed for row in found)", "[row.run.seed for row in found]"),
    ("which_architecture", "verdict", "len({row.n_tokens for found in pair for row in found}) > 1", "False"),
    ("which_architecture", "verdict", "for found in pair for row in found})", "for row in pair[0]})"),
    ("which_architecture", "verdict", "any(len({row.run._replace(seed=0) for row in found}) > 1 for found in pair)", "False"),
    ("which_architecture", "verdict", "row.run._replace(seed=0) for", "row.run.rate for"),
    ("which_architecture", "verdict", "in (better, worse)]", "in (worse, better)]"),
    ("bug_zoo", "check-loss", "counts[0, 2], counts[0, 4:], counts[1, 1] = True, True, True", "counts[:, 1:] = True"),
    ("bug_zoo", "check-loss", "assert torch.allclose(found, expected, atol=1e-5)", "assert found < 10"),
    ("bug_zoo", "check-loss", "assert torch.allclose(found, expected, atol=1e-5)", "assert False"),
    ("bug_zoo", "check-attention", "for training in (True, False)", "for training in (True,)"),
    ("bug_zoo", "check-attention", "for training in (True, False)", "for training in (False,)"),
    ("bug_zoo", "check-attention", "torch.allclose(found, expected, atol=1e-5)", "torch.allclose(found, expected, atol=1)"),
    ("bug_zoo", "check-batch", "torch.allclose(context[row], mean, atol=1e-5)", "context.shape == (3, 4)"),
    ("bug_zoo", "check-batch", "assert inputs[row].tolist() == expected", "assert inputs.shape == (3, 4)"),
    ("bug_zoo", "check-batch", "assert labels[row].tolist() == expected", "assert labels.shape == (3, 4)"),
    ("bug_zoo", "check-reader", "([1] * 6, [2, 4], [4, 2], [3, 2, 1])", "([6],)"),
    ("bug_zoo", "check-reader", "([1] * 6, [2, 4], [4, 2], [3, 2, 1])", "([2, 4],)"),
    ("bug_zoo", "check-reader", "(\"<pad>\", \"<eos>\", \"<user>\")", "(\"<eos>\",)"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "task", "right", "wrong"), MISTAKES)
def test_a_mistake_loses_this_tasks_points(name, task, right, wrong):
    notebook = read(SOURCES[name])
    solution = cell_of(notebook, task)
    assert right in solution.source, "the table of mistakes doesn't fit the solution"
    solution.source = solution.source.replace(right, wrong)
    namespace = {}
    for cell in notebook.cells:
        if cell.cell_type != "code" or cell.metadata.nbgrader.grade_id == "setup":
            continue
        if cell.metadata.nbgrader.grade_id == f"test-{task}":
            with pytest.raises((AssertionError, IndexError, RuntimeError, ValueError)) as failure:
                exec(cell.source, namespace)
            assert str(failure.value), "a failed test says what was expected"
            return
        exec(cell.source, namespace)
    pytest.fail(f"{name} has no cell test-{task}")


def test_the_f1_of_entities_is_that_of_seqeval():
    """The hidden tests have a reference of their own, because importing seqeval would take most of their time."""
    from seqeval.metrics import f1_score, precision_score, recall_score

    namespace, choose = {}, random.Random(0)
    exec(cell_of(read(SOURCES["bert_finetuning"]), "entity-f1").source, namespace)
    tags = ["O", "B-per", "I-per", "B-work-of-art", "I-work-of-art", "I-piece-of-art"]
    for _ in range(200):
        true, predicted = ([choose.choices(tags, k=n) for n in (1, 5, 9)] for _ in range(2))
        predicted[2][:6] = true[2][:6]
        expected = [score(true, predicted, zero_division=0) for score in (precision_score, recall_score, f1_score)]
        assert namespace["entity_f1"](true, predicted) == pytest.approx(expected), (true, predicted)


# One course, graded once


def submissions(released: nbformat.NotebookNode, source: nbformat.NotebookNode) -> dict[str, nbformat.NotebookNode]:
    """What students hand in for rnn_seq2seq, named after what is wrong with it."""

    def solved(**changes: str) -> nbformat.NotebookNode:
        notebook = nbformat.from_dict(released)
        for cell in notebook.cells:
            options = cell.metadata.get("nbgrader", {})
            if options.get("solution"):
                cell.source = cell_of(source, options.grade_id).source
            for task, text in changes.items():
                if options.get("grade_id") == task.replace("_", "-"):
                    cell.source = text
        return notebook

    by_heart = """
def teacher_forcing(targets):
    return torch.tensor([[1, 7, 8, 9], [1, 5, 0, 0]]), torch.tensor([[7, 8, 9, 2], [5, 2, -100, -100]])"""
    edited = nbformat.from_dict(released)
    for cell in edited.cells:
        if cell.metadata.get("nbgrader", {}).get("grade") and cell.cell_type == "code":
            cell.source, cell.metadata.nbgrader.points = "pass", 100
    edited.cells.remove(cell_of(edited, "test-gru-step"))
    return {
        "correct": solved(),
        "empty": released,
        "byheart": solved(teacher_forcing=by_heart),
        "syntax": solved(nats_per_token="def nats_per_token(logits, labels:\n    return 0"),
        "endless": solved(greedy="import time\n\n\ndef greedy(*_, **__):\n    while True:\n        time.sleep(0.1)"),
        "edited": edited,
        "deadly": solved(gru_step="import os\n\n\ndef gru_step(*_):\n    os._exit(0)"),
    }


TASKS = ("test-teacher-forcing", "test-nats-per-token", "test-gru-step", "test-greedy")
EXPECTED = {
    "correct": (3, 4, 4, 5),
    "empty": (0, 0, 0, 0),
    "byheart": (0, 4, 4, 5),
    "syntax": (3, 0, 4, 5),
    "endless": (3, 4, 4, 0),
    "edited": (0, 0, None, 0),  # one test was deleted: a person looks at it
    "deadly": (3, 4, 0, 0),
}


def total(student: str) -> int:
    return sum(points or 0 for points in EXPECTED[student])


class Course:
    """A copy of the files that grading needs, in its own folder."""

    def __init__(self, root: Path):
        self.root = root
        for part in ("book/exercises", "tools/feedback_page"):
            shutil.copytree(ROOT / part, root / part)
        shutil.copy(ROOT / "nbgrader_config.py", root)

    def nbgrader(self, *arguments: str) -> str:
        """Run one of the commands on the instructors' page, and return its log."""
        own = {name: str(self.root / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "IPYTHONDIR")}
        command = [sys.executable, "-m", "nbgrader", *arguments]
        done = subprocess.run(command, cwd=self.root, env=os.environ | own, capture_output=True, text=True, timeout=500)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def released(self, name: str) -> nbformat.NotebookNode:
        return read(self.root / "build" / "release" / name / f"{name}.ipynb")

    def graded(self, student: str, name: str) -> nbformat.NotebookNode:
        return read(self.root / "grading" / "autograded" / student / name / f"{name}.ipynb")

    def scores(self, student: str, name: str) -> dict[str, float | None]:
        with Gradebook(f"sqlite:///{self.root / 'grading' / 'gradebook.db'}") as book:
            (notebook,) = book.find_submission(name, student).notebooks
            return {grade.name: grade.auto_score for grade in notebook.grades}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """All assignments, released, collected, graded and with feedback: once for all tests."""
    course = Course(tmp_path_factory.mktemp("course"))
    course.nbgrader("generate_assignment", "--assignment=*")  # at once: nbgrader takes seconds to start
    for name, path in SOURCES.items():
        archive = course.root / "grading" / "downloaded" / name / "archive"
        archive.mkdir(parents=True)
        if name == "rnn_seq2seq":
            handed_in = submissions(course.released(name), read(path))
        else:
            handed_in = {"correct": read(path), "empty": course.released(name)}
        for student, notebook in handed_in.items():
            nbformat.write(notebook, archive / f"{student}_{name}.ipynb")
        course.nbgrader("zip_collect", name)
    # Importing torch on a busy machine takes some seconds, and the endless loop sleeps.
    course.log = course.nbgrader("autograde", "--assignment=*", "--ExecutePreprocessor.timeout=30")
    course.nbgrader("generate_feedback", "rnn_seq2seq")
    course.nbgrader("export", "--to", "grading/grades.csv")
    return course


@pytest.mark.slow
@pytest.mark.parametrize("name", SOURCES)
def test_students_copy_has_tasks_and_no_secrets(course, name):
    source, released = read(SOURCES[name]), course.released(name)
    text = "\n".join(cell.source for cell in released.cells)
    assert "BEGIN" not in text
    assert [line for line in secrets(source) if line in text] == []
    first = next(cell for cell in released.cells if cell.cell_type == "code")
    assert first.source == cell_of(source, "setup").source
    assert points(released, "code") == points(source, "code")
    assert cell_of(released, "question").source == "<!-- grade id: question -->\nYOUR ANSWER HERE"
    ids = [cell.metadata.nbgrader.grade_id for cell in source.cells if "nbgrader" in cell.metadata]
    assert re.findall(r"^(?:#|<!--) grade id: ([\w-]+)", text, re.MULTILINE) == [
        name for name in ids if name != "setup"
    ]
    assert text.count("# YOUR CODE HERE\n    raise NotImplementedError()") == len(points(source, "code"))


@pytest.mark.slow
@pytest.mark.parametrize("name", SOURCES)
def test_solutions_get_all_points_and_students_copy_none(course, name):
    expected = points(read(SOURCES[name]), "code")
    assert course.scores("correct", name) == expected | {"question": None}  # a person's
    assert course.scores("empty", name) == dict.fromkeys(expected, 0) | {"question": 0}
    outputs = [output for cell in course.graded("correct", name).cells for output in cell.get("outputs", [])]
    assert [output for output in outputs if output.output_type == "error"] == []
    for cell in course.graded("empty", name).cells:
        if cell.metadata.get("nbgrader", {}).get("grade") and cell.cell_type == "code":
            assert [output.ename for output in cell.outputs] == ["NotImplementedError"]


@pytest.mark.slow
@pytest.mark.parametrize("student", EXPECTED)
def test_each_task_counts_by_itself(course, student):
    scores = course.scores(student, "rnn_seq2seq")
    assert tuple(scores[task] for task in TASKS) == EXPECTED[student]


@pytest.mark.slow
def test_edited_tests_are_put_back(course):
    graded = course.graded("edited", "rnn_seq2seq")
    for task in set(TASKS) - {"test-gru-step"}:
        test = cell_of(graded, task)
        assert "### BEGIN HIDDEN TESTS" in test.source
        assert test.metadata.nbgrader.points == points(read(SOURCES["rnn_seq2seq"]), "code")[task]


@pytest.mark.slow
def test_an_endless_loop_is_stopped_and_a_dead_kernel_named(course):
    outputs = cell_of(course.graded("endless", "rnn_seq2seq"), "test-greedy").outputs
    assert outputs[-1].ename in ("CellTimeoutError", "KeyboardInterrupt")
    outputs = cell_of(course.graded("deadly", "rnn_seq2seq"), "test-gru-step").outputs
    assert [output.ename for output in outputs] == ["KernelDied"]
    assert "deadly: the cell test-gru-step ended the kernel" in course.log


@pytest.mark.slow
@pytest.mark.parametrize("student", EXPECTED)
def test_feedback_is_whole_without_another_host(course, student):
    page = (course.root / "grading" / "feedback" / student / "rnn_seq2seq" / "rnn_seq2seq.html").read_text("utf-8")
    assert f"(Score: {float(total(student))} / 20.0)" in page
    assert (
        re.findall(r"""(?:src|href)\s*=\s*["'](?!#|data:)[^"']*|(?:url\(|@import)\s*["']?(?:https?:)?//""", page) == []
    )
    if student == "deadly":
        assert "ended Python itself" in page


@pytest.mark.slow
def test_grades_are_exported(course):
    rows = list(csv.DictReader((course.root / "grading" / "grades.csv").open()))
    found = {row["student_id"]: float(row["score"]) for row in rows if row["assignment"] == "rnn_seq2seq"}
    assert found == {student: total(student) for student in EXPECTED}


@pytest.mark.parametrize("name", SOURCES)
def test_collected_files_belong_to_their_assignment(name):
    """Also where the name of one assignment ends with that of another: bert_pretraining, pretraining."""
    config = Config()
    exec((ROOT / "nbgrader_config.py").read_text("utf-8"), {"get_config": lambda: config, "__file__": str(ROOT / "x")})
    for file, student in {
        f"ada_{name}.ipynb": "ada",
        f"lovelaceada_1234_5678_{name}-1.ipynb": "lovelaceada",
        f"Ada Lovelace_123_assignsubmission_file/{name}.ipynb": "Ada Lovelace",
        f"Ada Lovelace_123_assignsubmission_file/{name} (2).ipynb": "Ada Lovelace",
    }.items():
        found = re.match(config.FileNameCollectorPlugin.named_regexp, f"grading/downloaded/{name}/extracted/{file}")
        assert (found["student_id"], found["file_id"]) == (student, name), file


# The site


def text_of(path: Path) -> str:
    """The text that a reader can get from a file of the site."""
    if path.suffix == ".ipynb":
        return "\n".join(cell.source for cell in read(path).cells)
    text = path.read_text("utf-8")
    return html.unescape(re.sub(r"<[^>]+>", "", text)) if path.suffix == ".html" else text


def test_the_site_tells_no_secrets():
    if not (SITE / "book" / "exercises" / "index.html").exists():
        pytest.skip(f"{SITE} holds no page of assignments: run `make book`")
    downloads = {path.stem: read(path) for path in (SITE / "_downloads").rglob("*.ipynb")}
    assert downloads.keys() == SOURCES.keys()
    chapters = "\n".join(text_of(path) for path in (ROOT / "book").glob("[0-9]*/*.ipynb"))
    shown = "\n".join(
        [chapters, *(open_text(read(path)) for path in SOURCES.values())]
    )  # lines such as `assert a == b, (`
    hidden = {line for path in SOURCES.values() for line in secrets(read(path)) if line not in shown}
    hidden |= {"### BEGIN SOLUTION", "### BEGIN HIDDEN TESTS"}
    for path in SITE.rglob("*"):
        if path.suffix in (".html", ".ipynb", ".md", ".txt", ".js", ".json") and "_static" not in path.parts:
            text = text_of(path)
            told = [line for line in hidden if line in text]
            if path.match("exercises/index.*"):  # it explains the markers
                told = [line for line in told if not line.startswith("### BEGIN")]
            assert told == [], path
