"""Everything that raters read. A researcher may replace any of it: a translation, an ethics board's consent form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twocet.errors import UserError
from twocet.runtime.records import read_object
from twocet.study.design import Task

Texts = dict[str, Any]
"""Strings, and lists of strings for paragraphs."""

SCALE = ["Definitely not", "Probably not", "Undecided", "Probably yes", "Definitely yes"]
_RATING = [
    {"name": "identity", "text": "Is the person in the result the same as in picture A?", "options": SCALE},
    {"name": "expression", "text": "Does the result show the expression of picture B?", "options": SCALE},
]
_CHOICE = ["Left", "Not sure", "Right"]
_COMPARISON = [
    {"name": "identity", "text": "Which result looks more like the person in picture A?", "options": _CHOICE},
    {"name": "expression", "text": "Which result shows the expression of picture B better?", "options": _CHOICE},
]
QUESTIONS: dict[Task, list[dict[str, Any]]] = {"rating": _RATING, "comparison": _COMPARISON}

_COMMON: Texts = {
    "language": "en",
    "title": "Faces and expressions",
    "consent": [
        "Thank you for your interest. We study how well computer programs change the expression of a face in a "
        "picture. In each of {trials} trials you will look at pictures of faces and answer {questions} short "
        "questions. This takes about {minutes} minutes; you can take breaks and go on later on the same device.",
        "Taking part is voluntary. You can stop at any time without giving a reason, and withdraw: press “Withdraw” at "
        "the foot of the page, and none of your answers will be used.",
        "We store your answers, how long they took, the kind of device (phone, tablet or computer) and a random "
        "number. We do not ask who you are and do not store your name, address or anything that identifies you. After "
        "the end we therefore cannot find your answers any more to remove them.",
        "Some pictures were changed by computer programs. No picture is meant to upset; the expressions include fear, "
        "anger and disgust.",
    ],
    "agree": "I am at least 18 years old, I have read this, and I agree to take part.",
    "begin": "Begin",
    "instructions_title": "What you will see",
    "keys": "With a keyboard: the number keys answer, Enter goes on.",
    "start": "Start",
    "next": "Next",
    "target": "A",
    "target_note": "the person",
    "reference": "B",
    "reference_note": "the expression",
    "check": "To show that you read this, please choose “{answer}” here.",
    "progress": "{number} of {trials}",
    "break_title": "Time for a break",
    "break": "Part {part} of {parts} is done. Go on when you are ready.",
    "continue": "Continue",
    "resume_title": "Welcome back",
    "resume": "You have answered {number} of {trials} trials. You can go on where you stopped.",
    "thanks_title": "Thank you!",
    "sending": "Your last answers are being sent. Please keep this page open.",
    "sent": "All your answers have arrived. You can close this page.",
    "save": "Your answers were saved as a file: {file}. Please send it to whoever asked you to take part.",
    "save_again": "Save the file again",
    "other_rater": "Someone else takes part on this device",
    "withdraw": "Withdraw",
    "withdraw_question": "Do you want to withdraw? The study ends, and none of your answers will be used.",
    "withdraw_yes": "Yes, withdraw",
    "withdraw_no": "No, go on",
    "withdrawn_title": "You have withdrawn",
    "withdrawn": "None of your answers will be used. Thank you for your time.",
    "unsent": "No connection: your answers are kept on this device and sent later.",
    "broken_picture": "A picture cannot be shown. Please load the page again.",
}
_OF_TASK: dict[Task, Texts] = {
    "rating": {
        "instructions": [
            "Picture A shows a person. Picture B shows another person with some expression. The result is meant to "
            "show the person of picture A with the expression of picture B.",
            "Judge the result as it is. There are no right or wrong answers; your first impression counts.",
        ],
        "results": ["Result"],
    },
    "comparison": {
        "instructions": [
            "Picture A shows a person. Picture B shows another person with some expression. Two results are meant to "
            "show the person of picture A with the expression of picture B.",
            "Choose the better one for each question. There are no right or wrong answers; your first impression "
            "counts. If you cannot tell, choose “Not sure”.",
        ],
        "results": ["Left", "Right"],
    },
}


def texts_of(task: Task, replaced: Path | None = None) -> Texts:
    """The texts of a task, with those of a JSON file (its ``questions`` too) in place of ours. Raises UserError."""
    texts = {**_COMMON, **_OF_TASK[task], "questions": [dict(question) for question in QUESTIONS[task]]}
    if replaced is None:
        return texts
    own = read_object(replaced, "take the texts of a design.json and change them")
    for name, value in own.items():
        if name not in texts:
            raise UserError(f"{replaced}: {name!r} is not a text of the page; choose from {', '.join(texts)}")
        if type(value) is not type(texts[name]):
            raise UserError(f"{replaced}: {name!r} must be {'a list' if isinstance(texts[name], list) else 'a text'}")
    _check_questions(replaced, own.get("questions", texts["questions"]), task)
    return {**texts, **own}


def _check_questions(path: Path, questions: list[Any], task: Task) -> None:
    """Raises UserError unless every question has a name, a text and options, three of them in a comparison."""
    for question in questions:
        if not isinstance(question, dict) or set(question) != {"name", "text", "options"}:
            raise UserError(f"{path}: a question has name, text and options")
        number = len(question["options"])
        if task == "comparison" and number != 3:
            raise UserError(f"{path}: {question['name']} has {number} options: left, not sure and right are needed")
        if not 2 <= number <= 9:
            raise UserError(f"{path}: {question['name']} has {number} options: give 2 to 9")
    names = [question["name"] for question in questions]
    if not names or len(set(names)) < len(names):
        raise UserError(f"{path}: give one question or more, each with a name of its own")
