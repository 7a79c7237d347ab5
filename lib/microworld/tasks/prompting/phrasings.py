"""The phrasings of the tasks. Those in NEW occur only in their own split, and contain no words that others lack."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phrasing:
    """`head` occurs once, `prompt` for each example and for the question; {…} are columns of the task's rows.

    `answer` is also a text with columns, or it gives the words for each of the task's labels.
    """

    head: str
    prompt: str
    answer: str | tuple[str, ...]


GOOD, HAPPY, POSITIVE, PRAISE = ("good.", "bad."), ("happy.", "sad."), ("positive.", "negative."), ("Yes.", "No.")
TRUE, TRUTH, YES = ("true.", "unknown.", "false."), ("True.", "Unknown.", "False."), ("yes.", "maybe.", "no.")
SAME, DOES, MEANS = ("the same.", "different."), ("yes.", "no."), ("Yes.", "No.")
# fmt: off
PHRASINGS: dict[str, dict[str, Phrasing]] = {
    "translation": {
        "arrow": Phrasing("Translate English to Chinese:", "{en} =>", "{zh}"),
        "instruction": Phrasing("Write each sentence in Chinese.", "Sentence: {en} Chinese:", "{zh}"),
        "question": Phrasing("", "Question: How do you say this in Chinese? {en} Answer:", "{zh}"),
        "completion": Phrasing("", "In English, people say: {en} In Chinese, people say:", "{zh}"),
        "label": Phrasing("", "English: {en} Chinese:", "{zh}"),
    },
    "sentiment": {
        "arrow": Phrasing("Is the opinion positive or negative?", "{text} =>", POSITIVE),
        "instruction": Phrasing("Say whether each text is happy or sad.", "Text: {text} Mood:", HAPPY),
        "question": Phrasing("", "{text} Question: Is this opinion good or bad? Answer:", GOOD),
        "completion": Phrasing("", "{text} All in all, it was", GOOD),
        "yes or no": Phrasing("", "Text: {text} Question: Is this praise? Answer:", PRAISE),
    },
    "entailment": {
        "arrow": Phrasing("Is the second sentence true, false or unknown?", "{premise} {hypothesis} =>", TRUE),
        "instruction": Phrasing("Read the first sentence and say whether the second sentence is true, false or unknown.", "First: {premise} Second: {hypothesis} The second sentence is", TRUE),
        "question": Phrasing("", "{premise} Question: {hypothesis} True, false or unknown? Answer:", TRUTH),
        "completion": Phrasing("", "We know this: {premise} Is the next sentence also true? {hypothesis} The answer is", YES),
        "label": Phrasing("", "Fact: {premise} Claim: {hypothesis} The claim is", TRUE),
    },
    "similarity": {
        "arrow": Phrasing("Do the two sentences mean the same?", "{first} {second} =>", DOES),
        "instruction": Phrasing("Say whether the meaning of the two sentences is the same or different.", "First: {first} Second: {second} Meaning:", SAME),
        "question": Phrasing("", "{first} {second} Question: Is the meaning the same? Answer:", MEANS),
        "completion": Phrasing("", "{first} {second} What these two sentences say is", SAME),
        "label": Phrasing("", "Sentence: {first} Sentence: {second} The meaning is", SAME),
    },
    "multiple_choice": {
        "arrow": Phrasing("Choose the right answer:", "{context} In the end, was {subject} {places}? =>", "{place}."),
        "instruction": Phrasing("Read the story and finish it.", "Story: {context} The ending: In the end, {subject} was", "{place}."),
        "question": Phrasing("", "{context} Question: Where was {subject} in the end? Answer:", "{place}."),
        "completion": Phrasing("", "{context} In the end, {subject} was", "{place}."),
        "choices": Phrasing("", "Story: {context} Question: In the end, was {subject} {places}? Answer:", "{place}."),
    },
    "qa": {
        "arrow": Phrasing("Answer each question:", "{context} {question} =>", "{answer}."),
        "instruction": Phrasing("Read the story and answer the question.", "Story: {context} Question: {question} Answer:", "{answer}."),
        "question": Phrasing("", "{context} Question: {question} Answer:", "{answer}."),
        "completion": Phrasing("", "{context} Somebody asked: {question} The right answer is", "{answer}."),
        "question first": Phrasing("", "Question: {question} Story: {context} Answer:", "{answer}."),
    },
    "new_word": {
        "arrow": Phrasing("Say what the new word means:", "{means} {word} =>", "{meaning}."),
        "question": Phrasing("", "{are} Question: What is a {word}? Answer:", "{a_meaning}."),
        "completion": Phrasing("", "{are} {told} In other words:", "{plain}"),
        "Chinese": Phrasing("", "{chinese} Question: What is a {word} called in Chinese? Answer:", "{zh}。"),
        "name": Phrasing("", "{called} Our word for {a_meaning} is", "{word}."),
        "verb": Phrasing("", "{to} {told_verb} In other words:", "{plain_verb}"),
    },
}
NEW: dict[str, dict[str, Phrasing]] = {
    "translation": {
        "new question": Phrasing("", "English: {en} Question: How do people say this in Chinese? Answer:", "{zh}"),
        "new instruction": Phrasing("Say each sentence in Chinese:", "English: {en} =>", "{zh}"),
    },
    "sentiment": {
        "new question": Phrasing("", "{text} Question: Is this text happy or sad? Answer:", HAPPY),
        "new completion": Phrasing("", "Text: {text} All in all, the opinion is", POSITIVE),
    },
    "entailment": {
        "new question": Phrasing("", "Fact: {premise} Question: Is the next sentence true, false or unknown? {hypothesis} Answer:", TRUTH),
        "new completion": Phrasing("", "We know this: {premise} The claim: {hypothesis} The claim is", TRUE),
    },
    "similarity": {
        "new question": Phrasing("", "First: {first} Second: {second} Question: Do the two sentences mean the same? Answer:", MEANS),
        "new completion": Phrasing("", "{first} {second} The meaning of these two sentences is", SAME),
    },
    "multiple_choice": {
        "new question": Phrasing("", "{context} Question: In the end, was {subject} {places}? The right answer:", "{place}."),
        "new completion": Phrasing("", "Read the story: {context} The right ending: In the end, {subject} was", "{place}."),
    },
    "qa": {
        "new question": Phrasing("", "Question: {question} Read the story: {context} The right answer is", "{answer}."),
        "new instruction": Phrasing("Say the answer:", "Story: {context} {question} =>", "{answer}."),
    },
    "new_word": {
        "new question": Phrasing("", "{called} Question: What is our word for {a_meaning}? Answer:", "{word}."),
        "new completion": Phrasing("", "{means} {told} In other words:", "{plain}"),
    },
}
# fmt: on
